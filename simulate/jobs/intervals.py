"""Confidence intervals, and estimates that carry them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from theory.domain import check_integer


@dataclass(frozen=True)
class Estimate:
    """A measured number: estimate, its standard error, and a two-sided confidence interval."""

    estimate: float
    standard_error: float
    interval: tuple[float, float]

    def contains(self, value: float) -> bool:
        """Whether the interval holds `value`; NaN is never held."""
        return self.interval[0] <= value <= self.interval[1]


def proportion(successes: int, trials: int, confidence: float) -> Estimate:
    """Clopper-Pearson interval of a proportion from independent trials; never under-covers."""
    check_integer("trials", trials, 1)
    share = successes / trials
    found = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    error = math.sqrt(share * (1.0 - share) / trials)
    return Estimate(share, error, (float(found.low), float(found.high)))


def clustered_proportion(
    successes: np.ndarray, trials_per_cluster: int, confidence: float
) -> Estimate:
    """Korn-Graubard interval of a proportion whose trials are correlated within clusters.

    successes: int [clusters], out of `trials_per_cluster` each; the clusters are independent. A
    Clopper-Pearson interval at the effective number of trials: the trials divided by the observed
    design effect, and by a t correction for having estimated it (Korn & Graubard 1998). The design
    effect is taken to be at least 1. Raises DomainError for fewer than 2 clusters.
    """
    successes = np.asarray(successes)
    clusters = check_integer("clusters", len(successes), 2)
    trials = clusters * trials_per_cluster
    share = float(successes.sum()) / trials
    variance = float(np.var(successes / trials_per_cluster, ddof=1)) / clusters
    independent = share * (1.0 - share) / trials
    effective = trials * min(1.0, independent / variance) if variance > 0.0 else float(trials)
    level = 1.0 - 0.5 * (1.0 - confidence)
    effective *= (stats.norm.ppf(level) / stats.t.ppf(level, clusters - 1)) ** 2
    hits = share * effective
    low = stats.beta.ppf(1.0 - level, hits, effective - hits + 1.0) if hits > 0.0 else 0.0
    high = stats.beta.ppf(level, hits + 1.0, effective - hits) if hits < effective else 1.0
    return Estimate(share, math.sqrt(max(variance, independent)), (float(low), float(high)))


def mean(values: np.ndarray, confidence: float) -> Estimate:
    """Student-t interval of a mean from independent values (cluster means, or weights).

    Asymptotic in their number. Raises DomainError for fewer than 2 values.
    """
    values = np.asarray(values, dtype=np.float64)
    count = check_integer("values", len(values), 2)
    centre, error = float(values.mean()), float(values.std(ddof=1) / math.sqrt(count))
    return from_standard_error(centre, error, count - 1, confidence)


def from_standard_error(
    centre: float, error: float, degrees_of_freedom: int, confidence: float
) -> Estimate:
    """Student-t interval around an estimate with a known standard error."""
    reach = float(stats.t.ppf(1.0 - 0.5 * (1.0 - confidence), degrees_of_freedom)) * error
    return Estimate(centre, error, (centre - reach, centre + reach))


def log_slope(
    x: np.ndarray, estimates: Sequence[Estimate], degrees_of_freedom: int, confidence: float
) -> Estimate:
    """Slope of ln(estimate) against x: least squares weighted by the estimates' relative errors.

    Asymptotic: the errors of the logarithms are taken to first order. Raises DomainError for fewer
    than 2 estimates.
    """
    check_integer("estimates", len(estimates), 2)
    log_value = np.log([each.estimate for each in estimates])
    weight = np.array([(each.estimate / each.standard_error) ** 2 for each in estimates])
    centred = x - weight @ x / weight.sum()
    information = float(weight @ centred**2)
    slope = float((weight * centred) @ log_value) / information
    return from_standard_error(slope, information**-0.5, degrees_of_freedom, confidence)
