"""The width that a failure probability needs grows with the logarithm of 1/epsilon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, Which, agrees
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Estimate, Interval
from simulate.jobs.panel import Effort, Panel
from simulate.jobs.table import Kind, Named, Point, measured_point, series_of
from simulate.jobs.tasks import Task
from simulate.panels.measured import Measured, Sizes, weighted_task
from theory.width import (
    information_width,
    optimal_hashes_for_failure,
    smallest_width,
    sufficient_code,
    width_law,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "width_against_error"
TASKS = ((1000, 4), (4096, 8))
TARGETS = (1e-1, 1e-3, 1e-6, 1e-9, 1e-12)
# widths measured around each exact smallest width: far enough apart to be told from epsilon
OFFSETS = (-3, -1, 0, 2)


class Quantity(StrEnum):
    """What is checked."""

    WIDTH = "width"


class Series(Named):
    """What is drawn, on one pair of axes for each (n, k)."""

    INFORMATION = "information", "information bound"
    SUFFICIENT = "sufficient", "proved to suffice"
    EXACT = "exact", "exact, best $m$"
    LAW = "law", r"law $k\log_2((n-k)/\epsilon)/\ln 2$"
    CROSSING = "crossing", "measured crossing"


LINES = {Series.INFORMATION: "-.", Series.SUFFICIENT: "--", Series.EXACT: "-", Series.LAW: ":"}


def tasks(effort: Effort) -> list[Task[Measured]]:
    """Conditional estimates on both sides of each smallest width."""
    made = {}
    for n, k in TASKS:
        for target in TARGETS:
            width = smallest_width(n, k, target).width
            for d in (width + offset for offset in OFFSETS):
                sizes = Sizes(n, k, d, optimal_hashes_for_failure(n, k, d))
                task = weighted_task(NAME, Kind.CONDITIONAL, effort.unions, sizes)
                made[task.name] = task
    return list(made.values())


def _crossing(results: Sequence[Measured], target: float, confidence: float) -> Estimate:
    """The smallest width with P_fail <= target, bracketed by measured widths alone.

    The interval runs from one above the largest width measured surely above the target to the
    smallest measured surely at or below it; the value interpolates ln P_fail and rounds up.
    """
    measured = {each.sizes.d: each.failure(confidence) for each in results}
    above = max((d for d, p in measured.items() if p.interval[0] > target), default=-math.inf)
    below = min((d for d, p in measured.items() if p.interval[1] <= target), default=math.inf)
    widths = sorted(measured)
    log_failure = [math.log(measured[d].value) for d in widths]
    crossing = math.ceil(np.interp(-math.log(target), np.negative(log_failure), widths))
    return Estimate(crossing, (above + 1, below), confidence, len(widths), Interval.BRACKET)


def _by_target(
    results: Sequence[Measured],
) -> list[tuple[int, int, float, list[Measured]]]:
    """(n, k, epsilon, what was measured around the smallest width for that epsilon)."""
    grouped = []
    for n, k in TASKS:
        for target in TARGETS:
            width = smallest_width(n, k, target).width
            wanted = {(n, k, width + offset) for offset in OFFSETS}
            own = [r for r in results if (r.sizes.n, r.sizes.k, r.sizes.d) in wanted]
            grouped.append((n, k, target, own))
    return grouped


def checks(results: Sequence[Measured]) -> list[Check]:
    """The exact smallest width lies where the measured failure probability crosses epsilon."""
    made = []
    for n, k, target, own in _by_target(results):
        crossing = _crossing(own, target, CONFIDENCE)
        which = Which(NAME, Quantity.WIDTH, {"n": n, "k": k, "epsilon": target})
        label = f"smallest width at the best m, n={n}, k={k}, epsilon={target:g}"
        exact = smallest_width(n, k, target).width
        check = agrees(which, label, exact, crossing, FALSE_ALARM * len(own))
        resolved = all(map(math.isfinite, crossing.interval))
        made.append(replace(check, passed=check.passed and resolved))
    return made


def table(results: Sequence[Measured]) -> list[Point]:
    """Exact, law, proved and information-limited widths, and the measured crossings."""
    made = []
    for n, k in TASKS:
        axis = ids.of(n=n, k=k)
        for target in np.logspace(math.log10(0.3), math.log10(TARGETS[-1] / 2), 50).tolist():
            for series, kind, width in (
                (Series.INFORMATION, Kind.LOWER_BOUND, information_width(n, k, target)),
                (Series.SUFFICIENT, Kind.UPPER_BOUND, sufficient_code(n, k, target)[0]),
                (Series.EXACT, Kind.EXACT, smallest_width(n, k, target).width),
                (Series.LAW, Kind.ASYMPTOTIC, width_law(n, k, target)),
            ):
                made.append(Point(axis, series, kind, 1.0 / target, width, n=n, k=k))
    for n, k, target, own in _by_target(results):
        axis = ids.of(n=n, k=k)
        found = _crossing(own, target, DRAWN_CONFIDENCE)
        made.append(
            measured_point(axis, Series.CROSSING, Kind.CONDITIONAL, 1.0 / target, found, n=n, k=k)
        )
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Width against 1/epsilon, one pair of axes for each (n, k)."""
    from simulate.jobs import style

    titles = list(dict.fromkeys(p.axis for p in points))
    fig, axes = style.row_of_axes(len(titles))
    for axis, title in zip(axes, titles, strict=True):
        drawn = series_of(points, axis=title)
        for colour, (series, line) in zip(style.COLOURS, LINES.items(), strict=False):
            own = drawn[series]
            ink = style.INK if series == Series.LAW else colour
            style.curve(axis, own, line, color=ink, label=own[0].shown)
        crossing = drawn[Series.CROSSING]
        style.error_bars(axis, crossing, style.INK, "o", label=crossing[0].shown)
        axis.set_xscale("log")
        axis.set_ylim(0, None)
        axis.set_title(style.sizes(crossing[0], "nk"))
        axis.set_xlabel(r"$1/\epsilon$")
    axes[0].set_ylabel(r"smallest width $d$ with $P_\mathrm{fail}\leq\epsilon$")
    axes[0].legend(loc="upper left")
    return fig


PANEL = Panel(
    NAME,
    "The width d that failure probability epsilon needs, at the best number m of hash bits, grows "
    "as the law k log2((n-k)/epsilon)/ln 2. It lies between the information bound and a width "
    "proved to suffice. Circles: the smallest width whose measured failure probability is at most "
    "epsilon.",
    tasks,
    checks,
    table,
    draw,
)
