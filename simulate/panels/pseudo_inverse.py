"""The pseudo-inverse readout of a random W_U against the Bloom filter, width for width."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import pseudo_inverse
from simulate.jobs.checks import Check, Which, agrees
from simulate.jobs.intervals import ClusteredCount, Mean, Share
from simulate.jobs.panel import QUICK, Effort, Panel
from simulate.jobs.table import Kind, Named, Point, of_kind, select
from simulate.jobs.tasks import Task
from simulate.panels.measured import Measured, Sizes
from theory import false_positives
from theory.pseudo_inverse import expected_false_positives, failure_probability, smallest_width
from theory.width import optimal_hashes_for_failure
from theory.width import smallest_width as bloom_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "pseudo_inverse"
SMALLEST = 1e-12
TASKS = ((1000, 2), (1000, 8))
DIRECT_TARGETS = (0.5, 0.1, 0.02)
TILTED_TARGETS = (1e-2, 1e-4, 1e-8, 1e-12)
DIRECT_SETS = 10  # inputs per random W_U
# E#FP is compared where failures are this frequent, rarer ones being too few, and from this k on:
# the count's skewness at those widths is 5 at k = 2 and 2 at k = 8
FREQUENT, SMALLEST_COUNTED_K = 0.4, 8


class Quantity(StrEnum):
    """What is checked."""

    FAILURE = "failure"
    FALSE_POSITIVES = "false_positives"


class Axis(StrEnum):
    """What is drawn."""

    FAILURE = "failure"


class Readout(Named):
    """The series, each at two k."""

    PSEUDO_INVERSE = "pseudo_inverse", "pseudo-inverse, exact"
    BLOOM = "bloom", "Bloom, exact, best $m$"


def count(rng: np.random.Generator, n: int, k: int, d: int, families: int, sets: int) -> Measured:
    """Task: failures of `sets` random inputs of each of `families` Gaussian W_U."""
    failures, hits = np.empty((2, families), dtype=np.int64)
    for family in range(families):
        readout = pseudo_inverse.of_random_sets(rng, pseudo_inverse.gaussian(rng, n, d), k, sets)
        failures[family] = np.count_nonzero(readout.failed)
        hits[family] = readout.false_positives.sum()
    return Measured(
        Sizes(n, k, d),
        Kind.DIRECT,
        failures=ClusteredCount(failures.tolist(), sets),
        false_positives=Mean.of(hits / sets),
    )


def tilt(rng: np.random.Generator, n: int, k: int, d: int, draws: int) -> Measured:
    """Task: P_fail from random members' rows, tilted towards failure and weighted."""
    values = pseudo_inverse.tilted_failure(rng, n, k, d, draws)
    return Measured(Sizes(n, k, d), Kind.TILTED, weights=Share.of(values))


def tasks(effort: Effort) -> list[Task[Measured]]:
    """Failures counted where they are frequent, weighted draws below."""
    made = []
    families = 10 * effort.families if effort is not QUICK else 100
    draws = effort.unions // 10
    for n, k in TASKS:
        for target in DIRECT_TARGETS:
            sizes = Sizes(n, k, smallest_width(n, k, target))
            options = {"families": families, "sets": DIRECT_SETS}
            cost = families * (2e-8 * n * sizes.d + DIRECT_SETS * 1e-5 * k)
            name = f"{NAME}/{Kind.DIRECT}/{sizes.id}"
            made.append(Task(name, count, {**sizes.at, **options}, cost))
        for target in TILTED_TARGETS:
            sizes = Sizes(n, k, smallest_width(n, k, target))
            cost = draws * 1.3e-8 * k * sizes.d
            name = f"{NAME}/{Kind.TILTED}/{sizes.id}"
            made.append(Task(name, tilt, {**sizes.at, "draws": draws}, cost))
    return made


def checks(results: Sequence[Measured]) -> list[Check]:
    """Every measured P_fail against the exact one; E#FP where failures are frequent."""
    made = []
    for each in results:
        sizes, label = each.sizes, each.sizes.label()
        exact = failure_probability(sizes.n, sizes.k, sizes.d)
        which = Which(NAME, Quantity.FAILURE, {**sizes.at, "method": each.method})
        text = f"P_fail of the pseudo-inverse readout, {each.method}, {label}"
        made.append(agrees(which, text, exact, each.failure()))
        if each.method == Kind.DIRECT and exact > FREQUENT and sizes.k >= SMALLEST_COUNTED_K:
            which = Which(NAME, Quantity.FALSE_POSITIVES, sizes.at)
            text = f"E#FP of the pseudo-inverse readout, {label}"
            expected = expected_false_positives(sizes.n, sizes.k, sizes.d)
            made.append(agrees(which, text, expected, each.expected_false_positives()))
    return made


def table(results: Sequence[Measured]) -> list[Point]:
    """Exact curves of both readouts, and the measured points."""
    made = []
    own, bloom = Readout.PSEUDO_INVERSE, Readout.BLOOM
    for n, k in TASKS:
        last = max(smallest_width(n, k, SMALLEST), bloom_width(n, k, SMALLEST).width)
        first = min(smallest_width(n, k, 0.95), bloom_width(n, k, 0.95).width)
        for d in sorted({*np.linspace(first, last, 50).astype(int).tolist()}):
            if d >= k:
                value = failure_probability(n, k, d)
                made.append(Point(Axis.FAILURE, own, Kind.EXACT, d, value, n=n, k=k, d=d))
            m = optimal_hashes_for_failure(n, k, d)
            value = false_positives.failure_probability(n, k, d, m)
            made.append(Point(Axis.FAILURE, bloom, Kind.EXACT, d, value, n=n, k=k, d=d, m=m))
    return made + [each.point(Axis.FAILURE, own, each.sizes.d) for each in results]


def draw(points: Sequence[Point]) -> Figure:
    """P_fail on a log axis against d: solid the pseudo-inverse, dashed the Bloom filter."""
    from simulate.jobs import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.6, height=2.9)
    pairs = dict.fromkeys((p.n, p.k) for p in points)
    for colour, (n, k) in zip(style.COLOURS, pairs, strict=False):
        own = list(select(points, series=Readout.PSEUDO_INVERSE, n=n, k=k))
        label = style.sizes(own[0], "nk")
        style.curve(axes, of_kind(own, Kind.EXACT), color=colour, label=label)
        bloom = list(select(points, series=Readout.BLOOM, n=n, k=k))
        style.curve(axes, bloom, "--", color=colour)
        for kind, marker in ((Kind.DIRECT, "o"), (Kind.TILTED, "s")):
            style.error_bars(axes, of_kind(own, kind), colour, marker)
    style.failure_against_width(axes, SMALLEST)
    style.legends(
        axes,
        {
            Readout.PSEUDO_INVERSE.label: ("-", None),
            Readout.BLOOM.label: ("--", None),
            "counted": ("none", "o"),
            "weighted $U_S$": ("none", "s"),
        },
        meanings_at="lower center",
    )
    return fig


PANEL = Panel(
    NAME,
    "The pseudo-inverse readout h = U_S^T (U_S U_S^T)^-1 1 of a Gaussian W_U fails exponentially "
    "rarely in width d, too. It inverts a k x k matrix that depends on the input; the Bloom filter "
    "takes one ReLU layer of hidden width d. Squares: members' rows drawn by importance sampling.",
    tasks,
    checks,
    table,
    draw,
)
