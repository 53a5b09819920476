"""The ledger: each claim beside the saved numbers that bear on it, and the verdict they give.

Nothing is computed here but comparisons: a number is read from its file, a verdict follows from the
numbers by the claim's own rule, and prose takes its figures from them, so that none can go stale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from reports.results import Figure, MissingResult, Results, Step, shown

SCHEMA = 1
CONFIRMED, LIMITED, REFUTED, ANSWERED, PARTLY, OPEN, MISSING = (
    "confirmed",
    "confirmed with a limit",
    "refuted",
    "answered",
    "answered with a limit",
    "open",
    "no result yet",
)


class Estimate(float):
    """A number with the ends of its interval, as rules see it."""

    low: float
    high: float

    def __new__(cls, value: float, low: float, high: float) -> Estimate:
        """All three are finite."""
        made = super().__new__(cls, value)
        made.low, made.high = low, high
        return made


@dataclass(frozen=True)
class Found:
    """A number of the ledger. text: with its interval, prediction and inputs, for people.

    value: what rules and prose see, an Estimate where there is an interval, None where there was
    nothing to measure. file, place: where it stands in the results.
    """

    label: str
    text: str
    value: Any
    file: str
    place: str


@dataclass(frozen=True)
class Number:
    """One saved number. style: a format of floats, ".3g" or ".2%" and the like."""

    label: str
    file: str
    path: Sequence[Step]
    style: str = ".3g"

    def found(self, results: Results) -> Found:
        """Read it, with what stands beside it in the file."""
        saved = results.find(self.file, self.path)
        value, text = _worded(saved, self.style)
        return Found(self.label, text, value, self.file, shown(self.file, self.path))


@dataclass(frozen=True)
class Range:
    """Smallest and largest of several saved numbers; low, high, count in prose."""

    label: str
    file: str
    path: Sequence[Step]
    style: str = ".3g"
    of: str = "networks"

    @dataclass(frozen=True)
    class Value:
        """What rules and prose see."""

        low: float
        high: float
        count: int

    def found(self, results: Results) -> Found:
        """Read them all."""
        values = results.find_all(self.file, self.path)
        value = self.Value(min(values), max(values), len(values))
        text = f"{value.low:{self.style}} to {value.high:{self.style}}, {value.count} {self.of}"
        return Found(self.label, text, value, self.file, shown(self.file, self.path))


@dataclass(frozen=True)
class Passed:
    """How many checks of a panel, or of a whole verdict, passed; passed, total in prose."""

    label: str
    file: str
    panel: str | None = None

    @dataclass(frozen=True)
    class Value:
        """What rules and prose see."""

        passed: int
        total: int

        def __bool__(self) -> bool:
            return self.passed == self.total > 0

    def found(self, results: Results) -> Found:
        """Count them."""
        path: list[Step] = ["checks", {} if self.panel is None else {"panel": self.panel}]
        checks = results.find_all(self.file, path)
        value = self.Value(sum(check["passed"] for check in checks), len(checks))
        text = f"{value.passed} of {value.total}"
        return Found(self.label, text, value, self.file, shown(self.file, path))


Values = Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A claim, what bears on it, and the rule by which that decides.

    claim, formula: in our words and letters. numbers: by the names that rules and prose use.
    finding, limit: prose with numbers in braces. holds: whether the numbers confirm the claim, or
    settle the question; None for a question that is open whatever they are. question: a question
    whose numbers do not settle it is open, not refuted. limited: whether the limit is to be stated.
    figures: job and name.
    """

    key: str
    title: str
    claim: str
    numbers: Mapping[str, Number | Range | Passed]
    finding: str
    holds: Callable[[Values], bool] | None
    formula: str = ""
    limit: str = ""
    limited: Callable[[Values], bool] = lambda values: True
    figures: Sequence[tuple[str, str]] = ()
    question: bool = False


@dataclass(frozen=True)
class Row:
    """A claim as judged. missing: the jobs whose results it lacks; then the verdict says so."""

    key: str
    title: str
    claim: str
    formula: str
    verdict: str
    finding: str
    limit: str
    numbers: list[Found]
    figures: list[Figure]
    commands: list[str]
    missing: list[str]

    def record(self) -> dict[str, Any]:
        """As plain data; figures by name."""
        plain = {name: value for name, value in vars(self).items() if name != "figures"}
        numbers = [{**vars(number), "value": _plain(number.value)} for number in self.numbers]
        figures = [f"{figure.job}/{figure.name}" for figure in self.figures]
        return {**plain, "numbers": numbers, "figures": figures}


def judge(claim: Claim, results: Results) -> Row:
    """The claim's row."""
    found: dict[str, Found] = {}
    figures: list[Figure] = []
    missing: dict[str, None] = {}
    for name, number in claim.numbers.items():
        try:
            found[name] = number.found(results)
        except MissingResult as lacking:
            missing[str(lacking)] = None
    for job, name in claim.figures:
        try:
            figures.append(results.figure(job, name))
        except MissingResult:
            missing[job] = None
    values = {name: number.value for name, number in found.items()}
    complete = len(found) == len(claim.numbers)
    # what cannot be measured confirms nothing
    measured = complete and None not in values.values()
    holds = measured and claim.holds is not None and claim.holds(values)
    if not complete:
        verdict = MISSING
    elif claim.holds is None or (claim.question and not holds):
        verdict = OPEN
    elif not holds:
        verdict = REFUTED
    elif claim.question:
        verdict = PARTLY if claim.limit and claim.limited(values) else ANSWERED
    else:
        verdict = LIMITED if claim.limit and claim.limited(values) else CONFIRMED
    # prose is worded for what holds; of an open question there may be something to say all the same
    said = holds or (measured and claim.holds is None)
    jobs = dict.fromkeys(
        [_job(number.file) for number in found.values()] + [figure.job for figure in figures]
    )
    return Row(
        key=claim.key,
        title=claim.title,
        claim=claim.claim,
        formula=claim.formula,
        verdict=verdict,
        finding=_prose(claim.finding, values) if said else "",
        limit=_prose(claim.limit, values) if verdict in (LIMITED, PARTLY) else "",
        numbers=list(found.values()),
        figures=figures,
        commands=[results.command(job) for job in jobs],
        missing=list(missing),
    )


def ledger(claims: Iterable[Claim], results: Results) -> list[Row]:
    """Every claim's row, in order."""
    return [judge(claim, results) for claim in claims]


def failed_checks(results: Results) -> list[str]:
    """Names of the scientific checks that failed, in any verdict there is."""
    found = []
    for job in ("scaling", "study", "survey"):
        try:
            checks = results.read(f"{job}/verdict.json")["checks"]
        except MissingResult:
            continue
        found += [f"{job}: {check['name']}" for check in checks if not check["passed"]]
    return found


def _prose(text: str, values: Values) -> str:
    """With the numbers in it, and a minus where a number begins with a hyphen."""
    return re.sub(r"(?<![\w.])-(?=\d)|(?<=\d[eE])-(?=\d)", "−", text.format(**values))


def _job(file: str) -> str:
    return str(PurePosixPath(file).parent)


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Range.Value | Passed.Value) else value


def _worded(saved: Any, style: str) -> tuple[Any, str]:
    """The number and its words, from a number, an estimate, a check or a point of a figure."""
    if isinstance(saved, list):
        return saved, _interval(saved, style)
    if not isinstance(saved, Mapping):
        return saved, _written(saved, style)
    if "observed" in saved:
        value, interval = saved["observed"], saved["interval"]
        text = f"{_written(value, style)}, predicted {_written(saved['predicted'], style)}"
        return value, f"{text}; interval {_interval(interval, style)}"
    if "y" in saved:
        value, interval, inputs = saved["y"], [saved["low"], saved["high"]], None
    else:
        value, interval, inputs = saved["value"], saved["interval"], saved["inputs"]
    text = _written(value, style)
    if interval is None:
        text += ", exact"
    elif None not in interval:
        text += f" {_interval(interval, style)}"
        value = Estimate(value, *interval)
    return value, text if inputs is None else f"{text}, {inputs:,} inputs"


def _interval(ends: Sequence[float | None], style: str) -> str:
    low, high = ("…" if end is None else _written(end, style) for end in ends)
    return f"[{low}, {high}]"


def _written(value: Any, style: str) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:{style}}".replace("-", "−")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
