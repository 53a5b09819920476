"""The ledger: each claim beside the saved numbers that bear on it, and the verdict they give.

A claim's rule is a function that reads numbers from the evidence and returns a `Finding`: what has
to hold, and the finding in words. Nothing is computed here but comparisons, and prose takes its
figures from the numbers, so that none can go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reports.documents import verdict
from reports.jobs import JOBS, Job
from reports.numbers import Evidence, Found, typeset
from reports.results import Figure, MissingResult, Results
from train.panels.trained_failure_against_width import NAME, Quantity

SCHEMA = 2
# checks that hold trained networks against targets: one that fails is a finding of the ledger
TARGETS = {(NAME, quantity) for quantity in (Quantity.OVER_RANDOM, Quantity.SLOPE, Quantity.GATED)}


class Verdict(StrEnum):
    """What the numbers say of a claim or a question."""

    CONFIRMED = "confirmed"
    LIMITED = "confirmed with a limit"
    REFUTED = "refuted"
    ANSWERED = "answered"
    PARTLY = "answered with a limit"
    OPEN = "open"
    MISSING = "no result yet"


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


Rule = Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Claim:
    """A claim and the rule by which the evidence decides.

    said, formula: in our words and letters. question: one whose numbers do not settle it is open,
    not refuted. figures: job and id; where_there: those that no result has to have.
    """

    key: str
    title: str
    said: str
    rule: Rule = field(repr=False)
    formula: str = ""
    question: bool = False
    figures: Sequence[tuple[Job, str]] = ()
    where_there: Sequence[tuple[Job, str]] = ()


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
        return f"{self.verdict}, {self.scope}" if self.scope else str(self.verdict)

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
    for job, name in (*claim.figures, *claim.where_there):
        try:
            own = [figure for figure in results.figures_of(job) if figure.name == name]
        except MissingResult:
            own = []
        found += own
        if not own and (job, name) in claim.figures:
            missing.append(job)
    return found, missing


def ledger(claims: Iterable[Claim], results: Results) -> list[Row]:
    """Every claim's row, in order."""
    return [judge(claim, results) for claim in claims]


def failed_checks(results: Results) -> list[str]:
    """Names of the scientific checks that failed, in any verdict there is.

    Those that hold trained networks against targets are left out: claim 12b and question E judge
    them.
    """
    found = []
    for job in (job for job in JOBS if job.checked):
        try:
            checks = results.read(verdict(job)).checks
        except MissingResult:
            continue
        found += [
            f"{job.folder}: {check.name}"
            for check in checks
            if not check.passed and (check.panel, check.quantity) not in TARGETS
        ]
    return found
