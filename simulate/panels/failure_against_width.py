"""The failure probability falls exponentially with width, at the law's slope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE, Check, Which, agrees, slope_agrees
from simulate.jobs.intervals import log_slope
from simulate.jobs.panel import QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.panels.measured import Measured, Sizes, direct_task, weighted_task
from theory.false_positives import failure_probability
from theory.large_deviations import failure_slope
from theory.width import failure_law, optimal_hashes_for_failure, smallest_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "failure_against_width"
SMALLEST = 1e-12
TASKS = ((256, 3), (1000, 4), (4096, 8), (50_000, 16))
DIRECT_TARGETS = (0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
# a table of n d bits a family: counted down to a larger P_fail than the others
LARGEST_QUICK_N, SMALLEST_DIRECT_BEYOND = 5000, 0.1
WEIGHTED_TARGETS = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
# the variance of the conditional estimator explodes below (see estimators.conditional_failure)
SMALLEST_CONDITIONAL_K = 4
PLANTED = (4096, 8)
PLANTED_TARGETS = (1e-6, 1e-8, 1e-10, 1e-12)
MARKERS = {Kind.DIRECT: "o", Kind.CONDITIONAL: "s", Kind.TILTED: "s", Kind.PLANTED: "D"}
# whole d and m move ln P_fail by up to one step of width at either end of a fit over 23 nats
SLOPE_TOLERANCE = 0.01


class Quantity(StrEnum):
    """What is checked."""

    FAILURE = "failure"
    SLOPE = "slope"


class Axis(StrEnum):
    """What is drawn."""

    FAILURE = "failure"


def tasks(effort: Effort) -> list[Task[Measured]]:
    """Direct counting where failures are frequent enough, weighted draws below."""
    made = []
    for n, k in TASKS:
        smallest = effort.smallest_direct
        if n > LARGEST_QUICK_N:
            smallest = max(smallest, SMALLEST_DIRECT_BEYOND) if effort is not QUICK else 1.0
        for target in (target for target in DIRECT_TARGETS if target >= smallest):
            made.append(direct_task(NAME, effort, _best(n, k, target), max(2e5, 400 / target)))
        method = Kind.CONDITIONAL if k >= SMALLEST_CONDITIONAL_K else Kind.TILTED
        for target in WEIGHTED_TARGETS:
            made.append(weighted_task(NAME, method, effort.unions, _best(n, k, target)))
        for target in PLANTED_TARGETS if effort.planted and (n, k) == PLANTED else ():
            made.append(weighted_task(NAME, Kind.PLANTED, effort.planted, _best(n, k, target)))
    return made


def _best(n: int, k: int, epsilon: float) -> Sizes:
    """The sizes of the narrowest code with P_fail at most epsilon."""
    code = smallest_width(n, k, epsilon)
    return Sizes(n, k, code.width, code.hashes)


def checks(results: Sequence[Measured]) -> list[Check]:
    """Every measured point against the exact P_fail; the fitted slope against the law's."""
    made = []
    for each in results:
        exact = failure_probability(**vars(each.sizes))
        which = Which(NAME, Quantity.FAILURE, {**vars(each.sizes), "method": each.method})
        label = f"P_fail, {each.method}, {each.sizes.label()}"
        made.append(agrees(which, label, exact, each.failure()))
    for n, k in TASKS:
        fitted = [
            each
            for each in results
            if (each.sizes.n, each.sizes.k) == (n, k)
            and each.method in (Kind.CONDITIONAL, Kind.TILTED)
        ]
        estimates = [each.failure() for each in fitted]
        slope = log_slope(
            np.array([each.sizes.d for each in fitted], dtype=float),
            estimates,
            min(each.samples for each in estimates) - 1,
            CONFIDENCE,
        )
        which = Which(NAME, Quantity.SLOPE, {"n": n, "k": k})
        label = f"slope d ln P_fail / dd, nats per bit, n={n}, k={k}"
        made.append(slope_agrees(which, label, failure_slope(k), slope, SLOPE_TOLERANCE))
    return made


def table(results: Sequence[Measured]) -> list[Point]:
    """Exact curves at the best m for each width, the law, the measured points."""
    made: list[Point] = []
    for n, k in TASKS:
        series = ids.of(n=n, k=k)
        first = smallest_width(n, k, 0.9).width
        last = smallest_width(n, k, SMALLEST).width
        widths = sorted({*np.linspace(first, last + 3, 60).astype(int).tolist()})
        for d in widths:
            m = optimal_hashes_for_failure(n, k, d)
            value = failure_probability(n, k, d, m)
            made.append(Point(Axis.FAILURE, series, Kind.EXACT, d, value, n=n, k=k, d=d, m=m))
        for d in (round(math.log(n - k) / -failure_slope(k)), widths[-1]):
            value = failure_law(n, k, d)
            made.append(Point(Axis.FAILURE, series, Kind.ASYMPTOTIC, d, value, n=n, k=k, d=d))
        made += [
            each.point(Axis.FAILURE, series, each.sizes.d)
            for each in results
            if (each.sizes.n, each.sizes.k) == (n, k)
        ]
    return made


def draw(points: Sequence[Point]) -> Figure:
    """P_fail on a log axis against d: curves exact, dotted lines the law, markers measured."""
    from simulate.jobs import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.75, height=3.4)
    for colour, own in zip(style.COLOURS, series_of(points).values(), strict=False):
        label = style.sizes(own[0], "nk")
        style.curve(axes, of_kind(own, Kind.EXACT), color=colour, label=label)
        style.curve(axes, of_kind(own, Kind.ASYMPTOTIC), ":", color=style.INK, linewidth=0.8)
        for kind, marker in MARKERS.items():
            style.error_bars(axes, of_kind(own, kind), colour, marker)
    style.failure_against_width(axes, SMALLEST)
    style.legends(
        axes,
        {
            "exact, best $m$": ("-", None),
            r"law $N e^{-(\ln 2)^2\kappa d/k}$": (":", None),
            "direct count": ("none", "o"),
            "weighted unions": ("none", "s"),
        }
        | ({"planted": ("none", "D")} if any(p.kind == Kind.PLANTED for p in points) else {}),
        meanings_at="center right",
    )
    return fig


PANEL = Panel(
    NAME,
    "The failure probability falls exponentially with width d, as the law says: (n-k) "
    "e^(-(ln 2)^2 kappa(k) d/k), kappa = 1.05 at k = 2 and about 1 + 0.19/k^2 from k = 3 on. Hash "
    "bits m are the best of each width. Weighted unions average the exact probability of failure "
    "given a random union, so that none need occur.",
    tasks,
    checks,
    table,
    draw,
)
