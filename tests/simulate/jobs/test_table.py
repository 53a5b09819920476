"""Tables: what is written is what is read, whatever the labels."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.jobs.table import (
    Kind,
    Point,
    as_csv,
    from_csv,
    key,
    of_kind,
    select,
    series_of,
    xs,
    ys,
)


@dataclass(frozen=True)
class Detailed(Point):
    """With columns of its own, of which one tells rows apart."""

    beta: float | None = None
    steps: int | None = key(None)


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


@given(st.lists(POINTS, max_size=6, unique_by=lambda point: point.id))
def test_reading_gives_what_was_written(table: list[Detailed]) -> None:
    """Every digit of every float, commas, quotes and all; further columns and ids, too."""
    text = as_csv(table)
    assert from_csv(text, Detailed) == table
    written = [row["id"] for row in csv.DictReader(io.StringIO(text))]
    assert written == [point.id for point in table]


@given(st.lists(POINTS, min_size=1, max_size=6, unique_by=lambda point: point.id))
def test_two_rows_of_one_id_are_refused(table: list[Detailed]) -> None:
    """Whatever their numbers and labels are."""
    again = replace(table[-1], y=1.5, low=None, label="other", beta=2.0)
    with pytest.raises(ValueError, match="two rows have the id"):
        as_csv([*table, again])


@given(POINTS, st.sampled_from(("axis", "series", "x", "n", "steps")))
def test_an_id_changes_with_what_the_number_is(point: Detailed, column: str) -> None:
    """With every column that tells rows apart, however little a float changes."""
    before = getattr(point, column)
    other = {
        "axis": f"{point.axis}2",
        "series": f"{point.series}2",
        "x": float(np.nextafter(point.x, np.inf)),
        "n": (point.n or 0) + 1,
        "steps": (point.steps or 0) + 1,
    }[column]
    assert other != before
    assert replace(point, **{column: other}).id != point.id


def test_a_row_with_the_id_of_another_is_refused() -> None:
    text = as_csv([Point("a", "s", Kind.EXACT, 1.0, 2.0, n=3)])
    assert "a/s/exact/1/n=3" in text
    with pytest.raises(msgspec.ValidationError, match="row a/s/exact/1/n=3 must have that id"):
        from_csv(text.replace("n=3", "n=4"))


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
