"""The series of networks on the width law, for the claims that are judged series by series."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from reports.claims.sources import TRAINED_WIDTHS
from reports.numbers import Evidence
from simulate.jobs.table import Kind
from train.panels.trained_failure_against_width import Axis, ScaledPoint
from train.training.scaled import scaled_recipe

Key = tuple[int | None, int | None, str | None]


def of_the_recipe(keys: Iterable[Key]) -> list[Key]:
    """The series whose layer starts as the recipe has it; others are there for comparison."""
    start = scaled_recipe(8, 2, 8).start  # the same at every size
    return [key for key in keys if key[2] == start]


def most_of(keys: Iterable[Key], held: set[Key]) -> bool:
    """Whether more than half of the recipe's series are among those that hold."""
    own = of_the_recipe(keys)
    return 2 * sum(key in held for key in own) > len(own)


def key_of(row: ScaledPoint) -> Key:
    """Of the series that a row belongs to: n, k and what the layer started from."""
    return row.n, row.k, row.start


def network_of(row: ScaledPoint) -> tuple[object, ...]:
    """What tells the network of a row apart: its sizes, start and seed."""
    return row.n, row.k, row.d, row.start, row.seed


def of_the_same(network: ScaledPoint, axis: Axis) -> Callable[[ScaledPoint], bool]:
    """Whether a row is of the same network, on this axis."""
    wanted = network_of(network)
    return lambda row: row.axis == axis and network_of(row) == wanted


def said(rows: Sequence[ScaledPoint]) -> str:
    """A series in words."""
    first = rows[0]
    noise = " with a layer that starts from noise" if first.start == "gaussian" else ""
    return f"n = {first.n:,}, k = {first.k}{noise}"


def said_together(series: Iterable[Sequence[ScaledPoint]]) -> str:
    """Several series in words, those whose layer starts from noise after the others."""
    own: list[str] = []
    noise: list[str] = []
    for first, *_ in series:
        (noise if first.start == "gaussian" else own).append(f"({first.n:,}, {first.k})")
    parts = [_listed(own)] if own else []
    if noise:
        parts.append(f"{_listed(noise)} with a layer that starts from noise")
    return "(n, k) = " + ", and ".join(parts) if parts else "no size"


def _listed(words: Sequence[str]) -> str:
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def all_of(evidence: Evidence, axis: Axis) -> dict[Key, list[ScaledPoint]]:
    """The rows of each series on one axis; none where there is no result."""
    series: dict[Key, list[ScaledPoint]] = {}
    for row in evidence.rows(TRAINED_WIDTHS):
        if row.axis == axis:
            series.setdefault(key_of(row), []).append(row)
    return series


def is_on(axis: Axis, row: ScaledPoint) -> bool:
    """Whether a row is of this axis."""
    return row.axis == axis


def rows_of(axis: Axis, keys: set[Key]) -> Callable[[ScaledPoint], bool]:
    """Whether a row is a network's, on this axis, of one of these series."""
    return lambda row: row.axis == axis and row.kind == Kind.TRAINED and key_of(row) in keys


def most(rows: Sequence[ScaledPoint]) -> Callable[[ScaledPoint], bool]:
    """Whether a row is the one with the largest value of these."""
    wanted = max(rows, key=lambda row: row.y)
    return lambda row: row.id == wanted.id


def among(rows: Iterable[ScaledPoint]) -> Callable[[ScaledPoint], bool]:
    """Whether a row is one of these."""
    wanted = {row.id for row in rows}
    return lambda row: row.id in wanted
