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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from simulate.jobs.intervals import Estimate

SCHEMA = 1
FALSE_ALARM = 1e-6
NOMINAL_LEVEL = FALSE_ALARM / 10.0
CONFIDENCE = 1 - NOMINAL_LEVEL
MOST_FALSE_ALARM = 1e-3


@dataclass(frozen=True)
class Check:
    """One comparison: a prediction, what was observed, and the interval that had to hold it.

    false_alarm: probability that the check fails although the prediction is right; 0 where
    nothing is random.
    """

    name: str
    panel: str
    predicted: float
    observed: float
    interval: tuple[float, float]
    passed: bool
    false_alarm: float


def agrees(
    panel: str, name: str, predicted: float, measured: Estimate, false_alarm: float = FALSE_ALARM
) -> Check:
    """Statistical: the measured interval holds the prediction."""
    return Check(
        name,
        panel,
        predicted,
        measured.estimate,
        measured.interval,
        measured.contains(predicted),
        false_alarm,
    )


def lies_within(
    panel: str,
    name: str,
    predicted: float,
    observed: float,
    interval: tuple[float, float],
    false_alarm: float = 0.0,
) -> Check:
    """The observed value lies in a given interval; deterministic unless a false alarm is stated."""
    passed = interval[0] <= observed <= interval[1]
    return Check(name, panel, predicted, observed, interval, passed, false_alarm)


def slope_agrees(
    panel: str, name: str, predicted: float, measured: Estimate, tolerance: float
) -> Check:
    """Statistical: an asymptotic slope, to a stated relative tolerance beside the interval."""
    reach = measured.interval[1] - measured.estimate + tolerance * abs(predicted)
    widened = replace(measured, interval=(measured.estimate - reach, measured.estimate + reach))
    return agrees(panel, name, predicted, widened)


def verdict(checks: Sequence[Check]) -> dict[str, Any]:
    """The record for `verdict.json`; unbounded interval ends become null.

    Raises ValueError where the checks could together exceed the false-alarm budget.
    """
    budget = sum(check.false_alarm for check in checks)
    if budget >= MOST_FALSE_ALARM:
        raise ValueError(f"{len(checks)} checks spend a false-alarm budget of {budget:g}")

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    def record(check: Check) -> dict[str, Any]:
        return asdict(check) | {
            "predicted": finite(check.predicted),
            "observed": finite(check.observed),
            "interval": [finite(end) for end in check.interval],
        }

    return {
        "schema": SCHEMA,
        "passed": all(check.passed for check in checks),
        "false_alarm_budget": budget,
        "checks": [record(check) for check in checks],
    }
