"""The ledger: each claim beside the saved numbers that bear on it, and the verdict they give.

A claim's rule is a function that reads numbers from the evidence, by the types of the files they
stand in, and returns a `Finding`: what has to hold, and the finding in words. Nothing is computed
here but comparisons, and prose takes its figures from the numbers, so that none can go stale.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from reports.documents import Document, verdict
from reports.jobs import JOBS, Job
from reports.results import Figure, MissingResult, Results
from reports.traced import Path, Unmeasured, located
from simulate.jobs.checks import Check, Which
from simulate.jobs.intervals import Estimate
from simulate.jobs.output import as_plain
from simulate.jobs.table import Point

SCHEMA = 2

T = TypeVar("T")
V = TypeVar("V")
P = TypeVar("P", bound=Point)
Single = Estimate | float | None


class Verdict(StrEnum):
    """What the numbers say of a claim or a question."""

    CONFIRMED = "confirmed"
    LIMITED = "confirmed with a limit"
    REFUTED = "refuted"
    ANSWERED = "answered"
    PARTLY = "answered with a limit"
    OPEN = "open"
    MISSING = "no result yet"


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
class Finding:
    """What a claim's numbers say.

    conditions: they confirm the claim, or settle the question, where all of these hold. text,
    limit: the finding and what limits it, in words. limited: whether the limit is to be stated.
    scope: of what alone the verdict holds, a few words. settled: False where the question stays
    open even so, and the text says what is known of it.
    """

    conditions: Sequence[bool]
    text: str
    limit: str = ""
    limited: bool = True
    scope: str = ""
    settled: bool = True


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


Rule = Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Claim:
    """A claim and the rule by which the evidence decides.

    said, formula: in our words and letters. question: one whose numbers do not settle it is open,
    not refuted. figures: job and id. drawn_by: jobs whose figures say themselves that they bear on
    this claim.
    """

    key: str
    title: str
    said: str
    rule: Rule = field(repr=False)
    formula: str = ""
    question: bool = False
    figures: Sequence[tuple[Job, str]] = ()
    drawn_by: Sequence[Job] = ()


@dataclass(frozen=True)
class Row:
    """A claim as judged. missing: folders of the jobs it lacks; then the verdict says so."""

    key: str
    title: str
    claim: str
    formula: str
    verdict: Verdict
    scope: str
    finding: str
    limit: str
    numbers: list[Found]
    figures: list[Figure]
    commands: list[str]
    missing: list[str]

    @property
    def judged(self) -> str:
        """The verdict, and of what alone it holds."""
        return f"{self.verdict} {self.scope}" if self.scope else str(self.verdict)

    def record(self) -> object:
        """As plain data; figures by name."""
        plain = {name: value for name, value in vars(self).items() if name != "figures"}
        numbers = [number.record() for number in self.numbers]
        figures = [f"{figure.job.folder}/{figure.name}" for figure in self.figures]
        return {**plain, "numbers": numbers, "figures": figures}


def judge(claim: Claim, results: Results) -> Row:
    """The claim's row."""
    evidence = Evidence(results)
    found = claim.rule(evidence)
    complete = not evidence.missing
    # what cannot be measured confirms nothing
    holds = complete and not evidence.unmeasured and all(found.conditions)
    if not complete:
        given = Verdict.MISSING
    elif not holds or not found.settled:
        given = Verdict.OPEN if claim.question else Verdict.REFUTED
    elif found.limit and found.limited:
        given = Verdict.PARTLY if claim.question else Verdict.LIMITED
    else:
        given = Verdict.ANSWERED if claim.question else Verdict.CONFIRMED
    figures, missing = _figures(claim, results)
    jobs = dict.fromkeys([number.document.job for number in evidence.found])
    jobs |= dict.fromkeys(figure.job for figure in figures)
    return Row(
        key=claim.key,
        title=claim.title,
        claim=claim.said,
        formula=claim.formula,
        verdict=given,
        # prose is worded for what holds
        scope=found.scope if holds else "",
        finding=typeset(found.text) if holds else "",
        limit=typeset(found.limit) if given in (Verdict.LIMITED, Verdict.PARTLY) else "",
        numbers=evidence.found,
        figures=figures,
        commands=[results.command(job) for job in jobs],
        missing=[job.folder for job in dict.fromkeys([*evidence.missing, *missing])],
    )


def _figures(claim: Claim, results: Results) -> tuple[list[Figure], list[Job]]:
    """The claim's figures, and the jobs that lack one."""
    found, missing = [], []

    def drawn(job: Job, fits: Callable[[Figure], bool]) -> None:
        try:
            own = [figure for figure in results.figures_of(job) if fits(figure)]
        except MissingResult:
            own = []
        found.extend(own)
        if not own:
            missing.append(job)

    for job in claim.drawn_by:
        drawn(job, lambda figure: claim.key in map(str, figure.claims))
    for job, name in claim.figures:
        drawn(job, lambda figure, name=name: figure.name == name)  # type: ignore[misc]
    return found, missing


def ledger(claims: Iterable[Claim], results: Results) -> list[Row]:
    """Every claim's row, in order."""
    return [judge(claim, results) for claim in claims]


def failed_checks(results: Results) -> list[str]:
    """Names of the scientific checks that failed, in any verdict there is."""
    found = []
    for job in (job for job in JOBS if job.checked):
        try:
            checks = results.read(verdict(job)).checks
        except MissingResult:
            continue
        found += [f"{job.folder}: {check.name}" for check in checks if not check.passed]
    return found


def typeset(text: str) -> str:
    """With a minus where a number begins with a hyphen."""
    return re.sub(r"(?<![\w.])-(?=\d)|(?<=\d[eE])-(?=\d)", "−", text)


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
