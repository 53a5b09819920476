"""Intervals: known values, and coverage where units are correlated."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from simulate.jobs.intervals import (
    Mean,
    Share,
    clustered_proportion,
    from_standard_error,
    log_slope,
    mean,
    proportion,
)
from theory.domain import DomainError


def test_clopper_pearson_known_values() -> None:
    """0 of 10 at 95 %: upper limit 1 - 0.025^(1/10); 10 of 10 mirrors it."""
    none = proportion(0, 10, 0.95)
    assert none.interval == (0.0, pytest.approx(1 - 0.025**0.1))
    assert proportion(10, 10, 0.95).interval == (pytest.approx(0.025**0.1), 1.0)
    assert proportion(5, 10, 0.95).value == 0.5


def test_independent_clusters_cost_little() -> None:
    """With one trial a cluster the clustered interval is Clopper-Pearson's, t correction aside."""
    successes = (np.random.default_rng(0).random(4000) < 0.2).astype(int)
    plain = proportion(int(successes.sum()), 4000, 0.99)
    clustered = clustered_proportion(successes, 1, 0.99)
    assert clustered.value == plain.value
    assert clustered.interval == pytest.approx(plain.interval, rel=2e-3)


def test_no_success_in_any_cluster() -> None:
    found = clustered_proportion(np.zeros(40, dtype=int), 100, 0.95)
    assert found.value == found.interval[0] == 0.0
    assert 0.0 < found.interval[1] < 2e-3
    assert clustered_proportion(np.full(40, 100), 100, 0.95).interval[1] == 1.0


def coverage(repeats: int, confidence: float, clustered: bool) -> float:
    """Share of intervals that hold the true 0.1 when clusters' own rates vary as Beta(20, 180)."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(repeats):
        successes = rng.binomial(2000, rng.beta(20, 180, size=50))
        if clustered:
            found = clustered_proportion(successes, 2000, confidence)
        else:
            found = proportion(int(successes.sum()), 50 * 2000, confidence)
        held += found.contains(0.1)
    return held / repeats


@pytest.mark.parametrize("repeats", [400, pytest.param(20_000, marks=pytest.mark.slow)])
def test_clustered_coverage(repeats: int) -> None:
    """95 % intervals cover at least 95 % of the time, to five standard errors."""
    allowance = 5 * math.sqrt(0.05 * 0.95 / repeats)
    assert coverage(repeats, 0.95, clustered=True) > 0.95 - allowance


def test_ignoring_clusters_is_caught() -> None:
    """Treating correlated trials as independent covers far too rarely."""
    assert coverage(200, 0.95, clustered=False) < 0.6


def test_mean_is_students() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, size=30)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert mean(values, 0.9).interval == pytest.approx(tuple(expected))


def test_log_slope_recovers_an_exponential() -> None:
    """Exact points give the exact slope; its error is the weights' information."""
    x = np.array([1.0, 2.0, 4.0])
    points = [
        from_standard_error(math.exp(1 - 0.5 * v), 0.01 * math.exp(1 - 0.5 * v), 99, 0.9) for v in x
    ]
    found = log_slope(x, points, 99, 0.9)
    assert found.value == pytest.approx(-0.5)
    assert found.standard_error == pytest.approx(0.01 / math.sqrt(((x - x.mean()) ** 2).sum()))


def test_too_few_units() -> None:
    with pytest.raises(DomainError, match="clusters"):
        clustered_proportion(np.array([3]), 10, 0.95)
    with pytest.raises(DomainError, match="values"):
        mean(np.array([3.0]), 0.95)


def test_shares_stay_within_their_range() -> None:
    """Ends of an interval beyond 0 and 1 are cut; a share far from both is a mean as any other."""
    rare, common = Share(1e-4, 1e-4, 10), Share(0.999, 1e-3, 10)
    assert rare.at(0.95).interval == (0.0, Mean(1e-4, 1e-4, 10).at(0.95).interval[1])
    assert common.at(0.95).interval[1] == 1.0
    assert Share(0.5, 0.01, 10).at(0.95) == Mean(0.5, 0.01, 10).at(0.95)
    assert isinstance(Share.of(np.array([0.0, 1.0])), Share)
