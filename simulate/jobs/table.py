"""The tidy table behind every figure: one row a number, read and written as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TypeVar

import msgspec

from simulate.jobs import ids
from simulate.jobs.intervals import Estimate


class Kind(StrEnum):
    """Where a number comes from."""

    EXACT = "exact"
    UPPER_BOUND = "upper bound"
    LOWER_BOUND = "lower bound"
    ASYMPTOTIC = "asymptotic"
    APPROXIMATE = "approximate"
    FITTED = "fitted"
    DIRECT = "direct"
    CONDITIONAL = "conditional"
    TILTED = "tilted"
    PLANTED = "planted"
    WEIGHTED = "weighted"
    ENUMERATED = "enumerated"
    FORWARD_PASS = "forward pass"
    MEASURED = "measured"
    MEAN = "mean"
    TRAINED = "trained"
    PREDICTED = "predicted"
    SHUFFLED = "shuffled"


class Named(StrEnum):
    """Ids together with the words that people read: `BLOOM = "bloom", "Bloom filter"`."""

    label: str

    def __new__(cls, id: str, label: str = "") -> Named:
        member = str.__new__(cls, id)
        member._value_ = id
        member.label = label or id
        return member


T = TypeVar("T")
_KEY, _ID = "key", "id"


def key(default: T) -> T:
    """A column of a table that tells rows apart: a part of their ids where it is not None."""
    made: T = field(default=default, metadata={_KEY: True})
    return made


@dataclass(frozen=True)
class Point:
    """One number of a figure, with the sizes it belongs to and its 95 % interval if measured.

    axis: which axes of the figure. series: which curve or set of markers. Both are ids, constants
    of the module that makes the table. kind: where the number comes from. label: what the series
    is called in the figure, for people only; a `Named` series brings its own. A panel whose rows
    have further columns has a subclass with further fields, those that tell rows apart by `key`.
    """

    axis: str
    series: str
    kind: Kind
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    n: int | None = key(None)
    k: int | None = key(None)
    d: int | None = key(None)
    m: int | None = key(None)
    label: str = ""

    def __post_init__(self) -> None:
        if not self.label and isinstance(self.series, Named):
            object.__setattr__(self, "label", self.series.label)

    @property
    def shown(self) -> str:
        """What the series is called in the figure."""
        return self.label or self.series

    @property
    def id(self) -> str:
        """A stable name of the row: it changes with what the number is, not with its wording."""
        keys = (each.name for each in fields(self) if _KEY in each.metadata)
        told_apart = ids.of(**{name: getattr(self, name) for name in keys})
        place = [self.axis, self.series, self.kind, ids.number(self.x), told_apart]
        return "/".join(filter(None, place))


@dataclass(frozen=True)
class Numbered(Point):
    """One of several of a series: number tells which, as a token or a unit by its index."""

    number: int | None = key(None)


P = TypeVar("P", bound=Point)


def measured_point(
    axis: str, series: str, kind: Kind, x: float, found: Estimate, label: str = "", **sizes: int
) -> Point:
    """A point with the value and the interval of an estimate; ask for DRAWN_CONFIDENCE."""
    low, high = found.interval
    return Point(axis, series, kind, x, found.value, low, high, label=label, **sizes)


def as_csv(table: Sequence[Point]) -> str:
    """The table as CSV text, one line per point; floats in full, the row's id last.

    Raises ValueError for two rows of one id.
    """
    columns = list(dict.fromkeys(each.name for row in table for each in fields(row)))
    stream = io.StringIO()
    writer = csv.DictWriter(
        stream, [*(columns or [f.name for f in fields(Point)]), _ID], lineterminator="\n"
    )
    writer.writeheader()
    seen: set[str] = set()
    for row in table:
        if row.id in seen:
            raise ValueError(f"two rows have the id {row.id}")
        seen.add(row.id)
        writer.writerow(vars(row) | {_ID: row.id})
    return stream.getvalue()


def from_csv(text: str, row: type[P] = Point) -> list[P]:  # type: ignore[assignment]
    """The rows of a table written by `as_csv`. Raises msgspec.ValidationError for another."""
    found = []
    for cells in csv.DictReader(io.StringIO(text)):
        given = {name: cell for name, cell in cells.items() if cell != ""}
        made = msgspec.convert(given, row, strict=False)
        if given.get(_ID) != made.id:
            raise msgspec.ValidationError(f"row {made.id} must have that id; got {given.get(_ID)}")
        found.append(made)
    repeated = [id for id, count in Counter(each.id for each in found).items() if count > 1]
    if repeated:
        raise msgspec.ValidationError(f"row {repeated[0]} must be there once")
    return found


def select(table: Sequence[P], **wanted: object) -> Iterator[P]:
    """The points whose named fields equal the wanted values."""
    return (
        point for point in table if all(getattr(point, name) == of for name, of in wanted.items())
    )


def of_kind(table: Sequence[P], *kinds: Kind) -> list[P]:
    """The points that come from there."""
    return [point for point in table if point.kind in kinds]


def series_of(table: Sequence[P], **wanted: object) -> dict[str, list[P]]:
    """The selected points by series, in order of first appearance."""
    grouped: dict[str, list[P]] = {}
    for point in select(table, **wanted):
        grouped.setdefault(point.series, []).append(point)
    return grouped


def xs(points: Sequence[Point]) -> list[float]:
    """Their places on the horizontal axis."""
    return [point.x for point in points]


def ys(points: Sequence[Point]) -> list[float]:
    """Their values."""
    return [point.y for point in points]
