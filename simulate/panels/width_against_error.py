"""Panel 2: the width a failure probability needs, against 1/epsilon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, agrees
from simulate.jobs.intervals import Estimate
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    failure_estimate,
    series_of,
    weighted_task,
)
from simulate.jobs.tasks import Task
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


def tasks(effort: Effort) -> list[Task]:
    """Conditional estimates on both sides of each smallest width."""
    made = {}
    for n, k in TASKS:
        for target in TARGETS:
            width = smallest_width(n, k, target).width
            for d in (width + offset for offset in OFFSETS):
                sizes = {"n": n, "k": k, "d": d, "m": optimal_hashes_for_failure(n, k, d)}
                task = weighted_task(NAME, "conditional", effort.unions, sizes)
                made[task.name] = task
    return list(made.values())


def _crossing(rows: Sequence[Row], target: float, confidence: float) -> Estimate:
    """The smallest width with P_fail <= target, bracketed by measured widths alone.

    The interval runs from one above the largest width measured surely above the target to the
    smallest measured surely at or below it; the estimate interpolates ln P_fail and rounds up.
    """
    measured = {row["d"]: failure_estimate(row, confidence) for row in rows}
    above = max((d for d, p in measured.items() if p.interval[0] > target), default=-math.inf)
    below = min((d for d, p in measured.items() if p.interval[1] <= target), default=math.inf)
    widths = sorted(measured)
    log_failure = [math.log(measured[d].estimate) for d in widths]
    crossing = math.ceil(np.interp(-math.log(target), np.negative(log_failure), widths))
    return Estimate(crossing, math.nan, (above + 1, below))


def _by_target(rows: Sequence[Row]) -> list[tuple[int, int, float, list[Row]]]:
    """(n, k, epsilon, the rows measured around the smallest width for that epsilon)."""
    grouped = []
    for n, k in TASKS:
        for target in TARGETS:
            width = smallest_width(n, k, target).width
            wanted = {(n, k, width + offset) for offset in OFFSETS}
            own = [row for row in rows if (row["n"], row["k"], row["d"]) in wanted]
            grouped.append((n, k, target, own))
    return grouped


def checks(rows: Sequence[Row]) -> list[Check]:
    """The exact smallest width lies where the measured failure probability crosses epsilon."""
    made = []
    for n, k, target, own in _by_target(rows):
        crossing = _crossing(own, target, CONFIDENCE)
        name = f"smallest width at the best m, n={n}, k={k}, epsilon={target:g}"
        exact = smallest_width(n, k, target).width
        check = agrees(NAME, name, exact, crossing, FALSE_ALARM * len(own))
        resolved = all(map(math.isfinite, crossing.interval))
        made.append(replace(check, passed=check.passed and resolved))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Exact, law, proved and information-limited widths, and the measured crossings."""
    made = []
    for n, k in TASKS:
        axis = f"n={n}, k={k}"
        for target in np.logspace(math.log10(0.3), math.log10(TARGETS[-1] / 2), 50).tolist():
            for series, kind, width in (
                ("information bound", "lower bound", information_width(n, k, target)),
                ("proved to suffice", "upper bound", sufficient_code(n, k, target)[0]),
                ("exact, best $m$", "exact", smallest_width(n, k, target).width),
                (r"law $k\log_2((n-k)/\epsilon)/\ln 2$", "asymptotic", width_law(n, k, target)),
            ):
                made.append(Point(axis, series, kind, 1.0 / target, width, n=n, k=k))
    for n, k, target, own in _by_target(rows):
        crossing = _crossing(own, target, DRAWN_CONFIDENCE)
        made.append(
            Point(
                f"n={n}, k={k}",
                "measured crossing",
                "conditional",
                1.0 / target,
                crossing.estimate,
                *crossing.interval,
                n=n,
                k=k,
            )
        )
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Width against 1/epsilon, one pair of axes for each (n, k)."""
    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(TASKS))
    lines = {"lower bound": "-.", "upper bound": "--", "asymptotic": ":", "exact": "-"}
    for axis, (n, k) in zip(axes, TASKS, strict=True):
        drawn = series_of(points, axis=f"n={n}, k={k}")
        for colour, (series, own) in zip(style.COLOURS, drawn.items(), strict=False):
            if own[0].kind in lines:
                line = lines[own[0].kind]
                axis.plot(
                    [p.x for p in own],
                    [p.y for p in own],
                    line,
                    color=style.INK if line == ":" else colour,
                    label=series,
                )
            else:
                style.error_bars(axis, own, style.INK, "o", label=series)
        axis.set_xscale("log")
        axis.set_ylim(0, None)
        axis.set_title(f"$n={n}$, $k={k}$")
        axis.set_xlabel(r"$1/\epsilon$")
    axes[0].set_ylabel(r"smallest width $d$ with $P_\mathrm{fail}\leq\epsilon$")
    axes[0].legend(loc="upper left")
    return fig


PANEL = Panel(
    NAME,
    "Residual width d needed for failure probability epsilon at the exact best number m of hash "
    "bits; the law k log2((n-k)/epsilon)/ln 2; a width proved to suffice; the information bound. "
    "Circles: smallest width whose measured failure probability (random unions, exact probability "
    "given the union) is at most epsilon.",
    tasks,
    checks,
    table,
    figure,
)
