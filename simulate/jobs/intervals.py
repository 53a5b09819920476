"""Measured numbers with their confidence intervals.

A task records what it saw as a `Mean`, a `Share`, a `Count` or a `ClusteredCount`; each gives the
`Estimate` of any confidence. An `Estimate` is the one form in which a number with its interval is
passed on, and its fields are the keys of its JSON.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

import numpy as np
from scipy import stats

from theory.domain import check_integer

DRAWN_CONFIDENCE = 0.95


class Interval(StrEnum):
    """How the ends of an interval were found."""

    CLOPPER_PEARSON = "Clopper-Pearson"
    KORN_GRAUBARD = "Korn-Graubard"
    STUDENT_T = "Student t"
    DELTA_METHOD = "delta method"
    BRACKET = "bracket"
    PROVED = "proved"


@dataclass(frozen=True)
class Estimate:
    """A measured number and a two-sided interval.

    samples: independent units behind it. kind: how the interval was found. standard_error: of the
    value; None for a proved enclosure, whose confidence is 1.
    """

    value: float
    interval: tuple[float, float]
    confidence: float
    samples: int
    kind: Interval
    standard_error: float | None = None

    def contains(self, value: float) -> bool:
        """Whether the interval holds `value`; NaN is never held."""
        return self.interval[0] <= value <= self.interval[1]


M = TypeVar("M", bound="Mean")


@dataclass(frozen=True)
class Mean:
    """The mean of independent values: value, its standard error, and how many there were."""

    value: float
    standard_error: float
    samples: int

    @classmethod
    def of(cls: type[M], values: np.ndarray) -> M:
        """Of independent values (cluster means, or weights); DomainError for fewer than 2."""
        values = np.asarray(values, dtype=np.float64)
        count = check_integer("values", len(values), 2)
        return cls(float(values.mean()), float(values.std(ddof=1) / math.sqrt(count)), count)

    def at(self, confidence: float = DRAWN_CONFIDENCE) -> Estimate:
        """Student-t interval, asymptotic in the number of values."""
        return from_standard_error(self.value, self.standard_error, self.samples - 1, confidence)


@dataclass(frozen=True)
class Share(Mean):
    """The mean of independent values that estimate a probability, as weighted draws do."""

    def at(self, confidence: float = DRAWN_CONFIDENCE) -> Estimate:
        """As of a mean, and no end of it outside [0, 1]."""
        found = super().at(confidence)
        low, high = (min(max(end, 0.0), 1.0) for end in found.interval)
        return replace(found, interval=(low, high))


@dataclass(frozen=True)
class Count:
    """Independent trials, and on how many of them something held."""

    hits: int
    trials: int

    @classmethod
    def of(cls, held: np.ndarray) -> Count:
        """Of one truth value a trial."""
        return cls(int(np.count_nonzero(held)), len(held))

    def at(self, confidence: float = DRAWN_CONFIDENCE) -> Estimate:
        """Clopper-Pearson interval of the proportion; never under-covers."""
        return proportion(self.hits, self.trials, confidence)


@dataclass(frozen=True)
class ClusteredCount:
    """Hits of each of several independent clusters, out of `trials` each that are correlated."""

    hits: list[int]
    trials: int

    def at(self, confidence: float = DRAWN_CONFIDENCE) -> Estimate:
        """Korn-Graubard interval of the proportion."""
        return clustered_proportion(np.array(self.hits), self.trials, confidence)


def proportion(successes: int, trials: int, confidence: float) -> Estimate:
    """Clopper-Pearson interval of a proportion from independent trials; never under-covers."""
    check_integer("trials", trials, 1)
    share = successes / trials
    found = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    error = math.sqrt(share * (1.0 - share) / trials)
    ends = (float(found.low), float(found.high))
    return Estimate(share, ends, confidence, trials, Interval.CLOPPER_PEARSON, error)


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
    error = math.sqrt(max(variance, independent))
    ends = (float(low), float(high))
    return Estimate(share, ends, confidence, clusters, Interval.KORN_GRAUBARD, error)


def mean(values: np.ndarray, confidence: float) -> Estimate:
    """Student-t interval of a mean from independent values (cluster means, or weights).

    Asymptotic in their number. Raises DomainError for fewer than 2 values.
    """
    return Mean.of(values).at(confidence)


def from_standard_error(
    centre: float,
    error: float,
    degrees_of_freedom: int,
    confidence: float,
    kind: Interval = Interval.STUDENT_T,
) -> Estimate:
    """Student-t interval around an estimate with a known standard error."""
    reach = float(stats.t.ppf(1.0 - 0.5 * (1.0 - confidence), degrees_of_freedom)) * error
    ends = (centre - reach, centre + reach)
    return Estimate(centre, ends, confidence, degrees_of_freedom + 1, kind, error)


def weighted_mean(
    values: np.ndarray, weights: np.ndarray, confidence: float = DRAWN_CONFIDENCE
) -> Estimate | None:
    """sum w x / sum w over independent inputs, by the delta method; None where sum w is 0.

    Its samples are the inputs with a weight.
    """
    if not weights.any():
        return None
    value = float(weights @ values / weights.sum())
    residual = weights * (values - value) / weights.mean()
    error = float(residual.std(ddof=1) / np.sqrt(len(values)))
    carrying = int(np.count_nonzero(weights))
    found = from_standard_error(value, error, max(carrying - 1, 1), confidence)
    return Estimate(value, found.interval, confidence, carrying, Interval.DELTA_METHOD, error)


def enclosure(low: float, high: float, samples: int = 0) -> Estimate:
    """A proved two-sided bound, as an estimate at confidence 1: the midpoint and both ends."""
    return Estimate(0.5 * (low + high), (low, high), 1.0, samples, Interval.PROVED)


def log_slope(
    x: np.ndarray, estimates: Sequence[Estimate], degrees_of_freedom: int, confidence: float
) -> Estimate:
    """Slope of ln(estimate) against x: least squares weighted by the estimates' relative errors.

    Asymptotic: the errors of the logarithms are taken to first order. Raises DomainError for fewer
    than 2 estimates.
    """
    check_integer("estimates", len(estimates), 2)
    log_value = np.log([each.value for each in estimates])
    weight = np.array([(each.value / (each.standard_error or math.nan)) ** 2 for each in estimates])
    centred = x - weight @ x / weight.sum()
    information = float(weight @ centred**2)
    slope = float((weight * centred) @ log_value) / information
    return from_standard_error(slope, information**-0.5, degrees_of_freedom, confidence)
