"""Tables: what is written is what is read, whatever the labels."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.jobs.table import Kind, Point, as_csv, from_csv, of_kind, select, series_of, xs, ys


@dataclass(frozen=True)
class Detailed(Point):
    """With columns of its own."""

    beta: float | None = None
    steps: int | None = None


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SIZES = st.none() | st.integers(1, 10**6)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=9)
POINTS = st.builds(
    Detailed,
    axis=TEXT,
    series=TEXT,
    kind=st.sampled_from(Kind),
    x=NUMBERS,
    y=NUMBERS,
    low=st.none() | NUMBERS,
    high=st.none() | NUMBERS,
    n=SIZES,
    k=SIZES,
    d=SIZES,
    m=SIZES,
    label=st.just("") | TEXT,
    beta=st.none() | NUMBERS,
    steps=SIZES,
)


@given(st.lists(POINTS, max_size=6))
def test_reading_gives_what_was_written(table: list[Detailed]) -> None:
    """Every digit of every float, commas, quotes and all; further columns, too."""
    assert from_csv(as_csv(table), Detailed) == table


@given(st.lists(POINTS, max_size=6))
def test_every_row_has_an_id_of_its_own(table: list[Detailed]) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(table + table))))
    named = [row["id"] for row in rows]
    assert len(set(named)) == len(named)


def test_another_table_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="kind"):
        from_csv("axis,series,kind,x,y\na,b,no such kind,1,2\n")
    with pytest.raises(msgspec.ValidationError, match="missing"):
        from_csv("axis,series\na,b\n")


def test_selections() -> None:
    points = [
        Point("a", "s", Kind.EXACT, 1.0, 2.0),
        Point("a", "t", Kind.DIRECT, 3.0, 4.0),
        Point("b", "s", Kind.DIRECT, 5.0, 6.0),
    ]
    assert xs(list(select(points, axis="a"))) == [1.0, 3.0]
    assert ys(of_kind(points, Kind.DIRECT)) == [4.0, 6.0]
    assert {name: xs(own) for name, own in series_of(points, axis="a").items()} == {
        "s": [1.0],
        "t": [3.0],
    }
