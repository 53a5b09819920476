"""How panels measure the Bloom filter's failures: by counting, or by weighted draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulate import estimators
from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE
from simulate.jobs.intervals import (
    DRAWN_CONFIDENCE,
    ClusteredCount,
    Estimate,
    Mean,
    Share,
)
from simulate.jobs.panel import Effort
from simulate.jobs.table import Kind, Point, measured_point
from simulate.jobs.tasks import Task

Estimator = Callable[..., np.ndarray]
WEIGHTED: dict[Kind, Estimator] = {
    Kind.CONDITIONAL: estimators.conditional_failure,
    Kind.TILTED: estimators.tilted_failure,
    Kind.PLANTED: estimators.planted_failure,
}


@dataclass(frozen=True)
class Sizes:
    """A code and its inputs: n tokens, k of them active, width d, m hash bits where there are."""

    n: int
    k: int
    d: int
    m: int | None = None

    @property
    def at(self) -> dict[str, Any]:
        """Those that it has, by letter."""
        return {letter: size for letter, size in vars(self).items() if size is not None}

    @property
    def id(self) -> str:
        """For instance n=1000,k=4,d=76,m=11"""
        return ids.of(**self.at)

    def label(self) -> str:
        """For instance "n=1000, k=4, d=76, m=11"."""
        return size_label("".join(self.at), **self.at)


@dataclass(frozen=True)
class Measured:
    """A code's P_fail as measured. method: DIRECT or one of WEIGHTED.

    failures: of a direct count, clustered over hash families. weights: of weighted draws. And
    false_positives: of a direct count, the mean number of false positives of each family.
    """

    sizes: Sizes
    method: Kind
    failures: ClusteredCount | None = None
    false_positives: Mean | None = None
    weights: Share | None = None

    def failure(self, confidence: float = CONFIDENCE) -> Estimate:
        """P_fail with its interval."""
        found = self.failures if self.weights is None else self.weights
        assert found is not None  # one of them is measured
        return found.at(confidence)

    def expected_false_positives(self, confidence: float = CONFIDENCE) -> Estimate:
        """E#FP of a direct count."""
        assert self.false_positives is not None
        return self.false_positives.at(confidence)

    def point(self, axis: str, series: str, x: float, label: str = "") -> Point:
        """P_fail with the interval that is drawn, and the sizes."""
        found = self.failure(DRAWN_CONFIDENCE)
        return measured_point(axis, series, self.method, x, found, label, **self.sizes.at)


def size_label(letters: str = "nkdm", **sizes: object) -> str:
    """For people, for instance "n=1000, k=4": the sizes named by `letters`."""
    return ", ".join(f"{letter}={sizes[letter]}" for letter in letters)


def direct_task(panel: str, effort: Effort, sizes: Sizes, total: float) -> Task[Measured]:
    """Count false positives on about `total` inputs (at most effort.sets), split over families."""
    families = effort.families_for(sizes.n)
    total = min(total, effort.sets)
    arguments = {**vars(sizes), "families": families, "sets": max(1, round(total / families))}
    bits = sizes.n * sizes.d
    cost = families * (1e-4 + 4e-9 * bits) + total * (2e-7 + 2e-13 * bits)
    return Task(f"{panel}/direct/{sizes.id}", measure_directly, arguments, cost)


def weighted_task(panel: str, method: Kind, draws: int, sizes: Sizes) -> Task[Measured]:
    """Average that many draws of one of the WEIGHTED estimators."""
    arguments = {**vars(sizes), "method": method, "draws": draws}
    a_draw = sizes.k * ((sizes.m or 0) + 0.1 * sizes.d) / 6e7
    if method == Kind.PLANTED:
        a_draw = 6e-9 * sizes.n * sizes.d
    name = f"{panel}/{method}/{sizes.id}"
    return Task(name, measure_by_weights, arguments, draws * a_draw)


def measure_directly(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, families: int, sets: int
) -> Measured:
    """Task: false positives counted over families of hashes; see `estimators.direct`."""
    counts = estimators.direct(rng, n, k, d, m, families, sets)
    return Measured(
        Sizes(n, k, d, m),
        Kind.DIRECT,
        failures=ClusteredCount(counts.failures.tolist(), sets),
        false_positives=Mean.of(counts.false_positives / sets),
    )


def measure_by_weights(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, method: Kind, draws: int
) -> Measured:
    """Task: P_fail as the mean of weighted draws; see `estimators`."""
    values = WEIGHTED[Kind(method)](rng, n, k, d, m, draws)
    return Measured(Sizes(n, k, d, m), Kind(method), weights=Share.of(values))
