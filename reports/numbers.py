"""Numbers read from saved results, by the types of the files they stand in.

What is read is kept with its text and its place, so that the ledger can show it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from reports.documents import Document, verdict
from reports.jobs import Job
from reports.results import MissingResult, Results
from reports.traced import Path, Unmeasured, located
from simulate.jobs.checks import Check, Which
from simulate.jobs.intervals import Estimate
from simulate.jobs.output import as_plain
from simulate.jobs.table import Point

T = TypeVar("T")
V = TypeVar("V")
P = TypeVar("P", bound=Point)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
Single = Estimate | float | None


class Number(float):
    """A number as rules and prose see it; without an interval both ends are the number itself."""

    low: float
    high: float

    def __new__(cls, value: float, low: float | None = None, high: float | None = None) -> Number:
        """NaN stands for a number that there is no result of."""
        made = super().__new__(cls, value)
        made.low = float(value if low is None else low)
        made.high = float(value if high is None else high)
        return made


NOTHING = Number(math.nan)


@dataclass(frozen=True)
class Range:
    """Smallest and largest of several numbers."""

    low: float
    high: float
    count: int


def between(found: Range, style: str) -> str:
    """A range in words, or the one number where both ends are written alike."""
    low, high = (format(end, style) for end in (found.low, found.high))
    return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class Passed:
    """How many of some checks passed; true where all did and there is one at least."""

    passed: int
    total: int

    def __bool__(self) -> bool:
        return self.passed == self.total > 0


@dataclass(frozen=True)
class Found:
    """A number of the ledger. text: with its interval, prediction and samples, for people.

    value: as it is saved, an Estimate, a Check or a Point where it is one. document: the file it
    stands in, and parts: where in it. place: the same for people.
    """

    label: str
    text: str
    value: object
    document: Document[Any]
    parts: Sequence[Path]
    place: str

    def record(self) -> object:
        """As plain data; what a check or a row is called is not part of it."""
        shown = {name: getattr(self, name) for name in ("label", "text", "place")}
        value = as_plain(self.value)
        if isinstance(self.value, Check | Point):
            value |= {"id": self.value.id}
            value = {name: part for name, part in value.items() if name not in ("name", "label")}
        return {**shown, "value": value, "file": self.document.file}


@dataclass(frozen=True)
class Checks:
    """Some checks of a job: all, or those of a panel, of a quantity in it, and that fit."""

    job: Job
    panel: str = ""
    quantity: str = ""
    fits: Callable[[Check], bool] = lambda check: True

    @property
    def place(self) -> list[str]:
        """Where they stand, for people."""
        return ["checks", "/".join(filter(None, [self.panel, self.quantity]))]

    def hold(self, check: Check) -> bool:
        """Whether a check is one of them."""
        return (
            self.panel in ("", check.panel)
            and self.quantity in ("", check.quantity)
            and self.fits(check)
        )


class Evidence:
    """Reads numbers for one claim, and keeps what was found and which jobs' results are missing.

    Every method takes a label for people first. Where a result is missing, or there was nothing to
    measure, it returns NaN, of which no comparison holds.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self.found: list[Found] = []
        self.missing: dict[Job, None] = {}
        self.unmeasured = False

    def there(self, job: Job) -> bool:
        """Whether there are results of a job without which the claim can be judged as well."""
        return self._results.there(job)

    def number(
        self, label: str, document: Document[T], get: Callable[[T], Single], style: str = ".3g"
    ) -> Number:
        """A number of a record, or an estimate in it. style: a format of floats, as ".2%"."""
        found = self._part(document, get)
        if found is None:
            return NOTHING
        value, path = found
        text = _estimate(value, style) if isinstance(value, Estimate) else written(value, style)
        self._add(label, text, value, document, [path], path)
        if isinstance(value, Estimate):
            return Number(value.value, *value.interval)
        return self._measured(value)

    def fact(self, label: str, document: Document[T], get: Callable[[T], V]) -> V | None:
        """Something that is no number; None where there is no result."""
        found = self._part(document, get)
        if found is None:
            return None
        value, path = found
        self._add(label, written(value), value, document, [path], path)
        return value

    def bounds(
        self, label: str, document: Document[T], get: Callable[[T], Sequence[float]], style: str
    ) -> Number:
        """Proved bounds that are saved as a pair; the number is their middle."""
        found = self._part(document, get)
        if found is None:
            return NOTHING
        (low, high), path = found
        self._add(label, _ends((low, high), style), [low, high], document, [path], path)
        return Number(0.5 * (low + high), low, high)

    def point(
        self, label: str, table: Document[list[P]], fits: Callable[[P], bool], style: str = ".3g"
    ) -> Number:
        """The y of the one row that fits, with its interval where it has one."""
        rows = self._rows(table, fits)
        if len(rows) != 1:
            self.missing[table.job] = None
            return NOTHING
        ((at, row),) = rows
        text = written(row.y, style)
        if row.low is not None or row.high is not None:
            text += f" {_ends((row.low, row.high), style)}"
        self._add(label, text, row, table, [(at,)], [row.id])
        return Number(row.y, row.low, row.high)

    def points(
        self,
        label: str,
        table: Document[list[P]],
        fits: Callable[[P], bool],
        style: str = ".3g",
        of: str = "networks",
    ) -> Range:
        """Smallest and largest y of the rows that fit."""
        rows = self._rows(table, fits)
        return self._range(
            label, table, [(at,) for at, _ in rows], [row.y for _, row in rows], style, of
        )

    def rows(self, table: Document[list[P]]) -> list[P]:
        """All rows of a table, to choose from; none where there is no result."""
        return [row for _, row in self._rows(table, lambda row: True)]

    def check(self, label: str, job: Job, which: Which, style: str = ".4g") -> Number:
        """What a check observed, with the interval that had to hold the prediction."""
        checks = self._checks(Checks(job, fits=lambda check: check.id == which.id))
        if not checks:
            return NOTHING
        ((at, check),) = checks
        text = f"{written(check.observed, style)}, predicted {written(check.predicted, style)}"
        text += f"; interval {_ends(check.interval, style)}"
        self._add(label, text, check, verdict(job), [("checks", at)], ["checks", check.id])
        observed = self._measured(check.observed)
        return Number(observed, *check.interval)

    def passed(self, label: str, wanted: Checks) -> Passed:
        """How many of the checks passed."""
        checks = self._checks(wanted)
        value = Passed(sum(check.passed for _, check in checks), len(checks))
        if checks:
            text = f"{value.passed} of {value.total}"
            parts = [("checks", at) for at, _ in checks]
            self._add(label, text, value, verdict(wanted.job), parts, wanted.place)
        return value

    def observed(
        self, label: str, wanted: Checks, style: str = ".3g", of: str = "networks"
    ) -> Range:
        """Smallest and largest that the checks observed."""
        checks = self._checks(wanted)
        values = [float(self._measured(check.observed)) for _, check in checks]
        parts = [("checks", at) for at, _ in checks]
        return self._range(label, verdict(wanted.job), parts, values, style, of, wanted.place)

    def _part(self, document: Document[T], get: Callable[[T], V]) -> tuple[V, Path] | None:
        try:
            return located(self._results.read(document), get)
        except (MissingResult, LookupError):  # no file, or the job ran at another effort
            self.missing[document.job] = None
        except Unmeasured:
            self.unmeasured = True
        return None

    def _rows(self, table: Document[list[P]], fits: Callable[[P], bool]) -> list[tuple[int, P]]:
        try:
            rows = self._results.read(table)
        except MissingResult:
            rows = []
        found = [(at, row) for at, row in enumerate(rows) if fits(row)]
        if not found:
            self.missing[table.job] = None
        return found

    def _checks(self, wanted: Checks) -> list[tuple[int, Check]]:
        try:
            checks = self._results.read(verdict(wanted.job)).checks
        except MissingResult:
            checks = []
        found = [(at, check) for at, check in enumerate(checks) if wanted.hold(check)]
        if not found:  # or the job ran with other panels or at another effort
            self.missing[wanted.job] = None
        return found

    def _measured(self, value: float | None) -> Number:
        if value is None:
            self.unmeasured = True
            return NOTHING
        return Number(value)

    def _range(
        self,
        label: str,
        document: Document[T],
        parts: Sequence[Path],
        values: Sequence[float],
        style: str,
        of: str,
        place: Sequence[str] = (),
    ) -> Range:
        if not values:
            return Range(math.nan, math.nan, 0)
        found = Range(min(values), max(values), len(values))
        text = f"{written(found.low, style)} to {written(found.high, style)}, {found.count} {of}"
        self._add(label, text, found, document, parts, place)
        return found

    def _add(
        self,
        label: str,
        text: str,
        value: object,
        document: Document[T],
        parts: Sequence[Path],
        place: Sequence[str | int],
    ) -> None:
        where = " > ".join([document.file, *map(str, place)])
        self.found.append(Found(label, text, value, document, parts, where))


def typeset(text: str) -> str:
    """With a minus where a number begins with a hyphen, unless it is rounded to nothing."""
    text = re.sub(r"(?<![\w.])-(?=0(?:\.0+)?(?![\d.e]))", "", text)
    return re.sub(r"(?<![\w.])-(?=\d)|(?<=\d[eE])-(?=\d)", "−", text)


def power_of_ten(value: float) -> str:
    """1e-7 as 10⁻⁷; a value that is no power of ten with its mantissa."""
    mantissa, exponent = f"{value:.1e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return power if mantissa == "1.0" else f"{mantissa} × {power}"


def written(value: object, style: str = ".3g") -> str:
    """A saved value for people. style: of floats."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return typeset(f"{value:{style}}")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _ends(ends: Sequence[float | None], style: str) -> str:
    low, high = ("…" if end is None else written(end, style) for end in ends)
    return f"[{low}, {high}]"


def _estimate(value: Estimate, style: str) -> str:
    text = f"{written(value.value, style)} {_ends(value.interval, style)}"
    if value.samples:
        text += f", {value.samples:,} samples"
    return text
