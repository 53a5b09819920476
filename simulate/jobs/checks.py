"""Checks of theory against experiment, and the verdict over all of them.

Every statistical check compares one prediction with an interval. Clopper-Pearson intervals never
miss more often than they say; the others (Student t over families or weights, Korn-Graubard, the
chi-square test) are asymptotic, and at the sample sizes used here were seen to miss up to six
times as often. So intervals are drawn at a tenth of the level that the budget counts: the chance
that a correct theory fails a run is at most the number of such checks times FALSE_ALARM
(Bonferroni), whatever the dependence between them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from simulate.jobs import ids
from simulate.jobs.intervals import Estimate

SCHEMA = 2
FALSE_ALARM = 1e-6
NOMINAL_LEVEL = FALSE_ALARM / 10.0
CONFIDENCE = 1 - NOMINAL_LEVEL
MOST_FALSE_ALARM = 1e-3

Size = int | float | str


@dataclass(frozen=True)
class Which:
    """What a check is about. Its id is made of these alone, so that labels can be reworded.

    panel: id of the panel. quantity: what is compared, a constant of the panel's module. at: the
    sizes, seeds or ids that tell one check of a quantity from the next.
    """

    panel: str
    quantity: str
    at: Mapping[str, Size] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """For instance failure_against_width/slope/n=1000,k=4."""
        return "/".join(filter(None, [self.panel, self.quantity, ids.of(**self.at)]))


@dataclass(frozen=True)
class Check:
    """One comparison: a prediction, what was observed, and the interval that had to hold it.

    id: of what it is about. name: the same in words, for people only. false_alarm: probability
    that the check fails although the prediction is right; 0 where nothing is random. A value or an
    end that is not finite is None in JSON. Raises ValueError for an id that is of something else.
    """

    id: str
    name: str
    panel: str
    quantity: str
    at: dict[str, Size]
    predicted: float | None
    observed: float | None
    interval: tuple[float | None, float | None]
    passed: bool
    false_alarm: float

    def __post_init__(self) -> None:
        if self.id != self.which.id:
            raise ValueError(f"a check of {self.which.id} must have that id; got {self.id}")

    @property
    def which(self) -> Which:
        """What it is about, of which its id is made."""
        return Which(self.panel, self.quantity, self.at)


@dataclass(frozen=True)
class Verdict:
    """What verdict.json holds: whether all checks passed, and how often chance would fail one."""

    passed: bool
    false_alarm_budget: float
    checks: list[Check]
    schema: int = SCHEMA


def _check(
    which: Which,
    name: str,
    predicted: float,
    observed: float,
    interval: tuple[float, float],
    passed: bool,
    false_alarm: float,
) -> Check:
    def finite(value: float) -> float | None:
        return float(value) if math.isfinite(value) else None

    return Check(
        id=which.id,
        name=name,
        panel=which.panel,
        quantity=which.quantity,
        at=dict(which.at),
        predicted=finite(predicted),
        observed=finite(observed),
        interval=(finite(interval[0]), finite(interval[1])),
        passed=bool(passed),
        false_alarm=false_alarm,
    )


def agrees(
    which: Which,
    name: str,
    predicted: float,
    measured: Estimate,
    false_alarm: float = FALSE_ALARM,
) -> Check:
    """Statistical: the measured interval holds the prediction."""
    passed = measured.contains(predicted)
    return _check(which, name, predicted, measured.value, measured.interval, passed, false_alarm)


def lies_within(
    which: Which,
    name: str,
    predicted: float,
    observed: float,
    interval: tuple[float, float],
    false_alarm: float = 0.0,
) -> Check:
    """The observed value lies in a given interval; deterministic unless a false alarm is stated."""
    passed = interval[0] <= observed <= interval[1]
    return _check(which, name, predicted, observed, interval, passed, false_alarm)


def slope_agrees(
    which: Which, name: str, predicted: float, measured: Estimate, tolerance: float
) -> Check:
    """Statistical: an asymptotic slope, to a stated relative tolerance beside the interval."""
    reach = measured.interval[1] - measured.value + tolerance * abs(predicted)
    widened = replace(measured, interval=(measured.value - reach, measured.value + reach))
    return agrees(which, name, predicted, widened)


def verdict(checks: Sequence[Check]) -> Verdict:
    """The verdict over all checks of a job.

    Raises ValueError where the checks could together exceed the false-alarm budget, or two of them
    have one id.
    """
    budget = sum(check.false_alarm for check in checks)
    if budget >= MOST_FALSE_ALARM:
        raise ValueError(f"{len(checks)} checks spend a false-alarm budget of {budget:g}")
    seen: set[str] = set()
    for check in checks:
        if check.id in seen:
            raise ValueError(f"two checks have the id {check.id}")
        seen.add(check.id)
    return Verdict(all(check.passed for check in checks), budget, list(checks))
