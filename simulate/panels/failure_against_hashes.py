"""At a fixed width some number of hash bits is best; the union is then half full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import estimators
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, Which, agrees, lies_within
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Mean
from simulate.jobs.panel import Effort, Panel, results_of
from simulate.jobs.table import Kind, Named, Point, measured_point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.panels.measured import Measured, Sizes, direct_task, size_label, weighted_task
from theory.false_positives import classic, failure_probability, false_positive_rate
from theory.union_size import fill_probability
from theory.width import optimal_hashes, optimal_hashes_for_failure, optimal_hashes_law

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "failure_against_hashes"
N, K, D = 512, 3, 64
HASHES = (2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 32)


class Quantity(StrEnum):
    """What is checked."""

    FAILURE = "failure"
    FALSE_POSITIVES = "false_positives"
    FILL = "fill"
    BEST = "best"


class Axis(StrEnum):
    """What is drawn."""

    FAILURE = "failure"
    FILL = "fill"


class Series(Named):
    """The curves."""

    FAILURE = "failure", r"$P_\mathrm{fail}$"
    FALSE_POSITIVES = "false_positives", r"FPR $\times\,(n-k)$"
    TEXTBOOK = "textbook", r"textbook rate $\times\,(n-k)$"
    FILL = "fill", "union fill $p$"


@dataclass(frozen=True)
class Fill:
    """The share of the d bits that a real union of k hashes fills."""

    k: int
    d: int
    m: int
    fill: Mean


def measure_fill(rng: np.random.Generator, k: int, d: int, m: int, unions: int) -> Fill:
    """Task: mean fill of `unions` real unions."""
    return Fill(k, d, m, Mean.of(estimators.random_union_sizes(rng, k, d, m, unions) / d))


def tasks(effort: Effort) -> list[Task[Measured | Fill]]:
    """Direct counts for each m, and the fill of the union."""
    made: list[Task[Measured | Fill]] = []
    for m in HASHES:
        made.append(direct_task(NAME, effort, Sizes(N, K, D, m), 20 * effort.unions))
        fill = {"k": K, "d": D, "m": m, "unions": effort.unions}
        made.append(Task(f"{NAME}/fill/m={m}", measure_fill, fill, 0.1))
    best = optimal_hashes_for_failure(N, K, D)
    for m in range(best - 2, best + 3):
        sizes = Sizes(N, K, D, m)
        made.append(weighted_task(NAME, Kind.CONDITIONAL, 10 * effort.unions, sizes))
    return made


def checks(results: Sequence[Measured | Fill]) -> list[Check]:
    """P_fail, E#FP and fill at every m; and no measured m beats the exact optimum."""
    made = []
    for union in results_of(results, Fill):
        k, d, m = union.k, union.d, union.m
        label = f"fill of the union, {size_label('kdm', k=k, d=d, m=m)}"
        which = Which(NAME, Quantity.FILL, {"k": k, "d": d, "m": m})
        made.append(agrees(which, label, fill_probability(k, d, m), union.fill.at(CONFIDENCE)))
    around_best = {}
    for each in results_of(results, Measured):
        m, label = each.sizes.m or 0, each.sizes.label()
        failure = each.failure()
        exact = failure_probability(N, K, D, m)
        which = Which(NAME, Quantity.FAILURE, {**each.sizes.at, "method": each.method})
        made.append(agrees(which, f"P_fail, {each.method}, {label}", exact, failure))
        if each.method == Kind.CONDITIONAL:
            around_best[m] = failure
            continue
        expected = (N - K) * false_positive_rate(K, D, m)
        which = Which(NAME, Quantity.FALSE_POSITIVES, each.sizes.at)
        made.append(agrees(which, f"E#FP, {label}", expected, each.expected_false_positives()))
    best = optimal_hashes_for_failure(N, K, D)
    others = [failure.interval[1] for m, failure in around_best.items() if m != best]
    made.append(
        lies_within(
            Which(NAME, Quantity.BEST, {"n": N, "k": K, "d": D}),
            f"lower limit of P_fail at the exact best m={best}, below the upper limits at the "
            f"{len(others)} nearest m",
            failure_probability(N, K, D, best),
            around_best[best].interval[0],
            (0.0, min(others)),
            FALSE_ALARM,
        )
    )
    return made


def table(results: Sequence[Measured | Fill]) -> list[Point]:
    """Exact and textbook curves over m, the fill, and the measured points."""
    made = []
    for m in range(1, HASHES[-1] + 1):
        rate = false_positive_rate(K, D, m)
        for axis, series, kind, value in (
            (Axis.FAILURE, Series.FAILURE, Kind.EXACT, failure_probability(N, K, D, m)),
            (Axis.FAILURE, Series.FALSE_POSITIVES, Kind.EXACT, (N - K) * rate),
            (Axis.FAILURE, Series.TEXTBOOK, Kind.APPROXIMATE, (N - K) * classic(K, D, m)),
            (Axis.FILL, Series.FILL, Kind.EXACT, fill_probability(K, D, m)),
        ):
            made.append(Point(axis, series, kind, m, value, n=N, k=K, d=D, m=m))
    for union in results_of(results, Fill):
        found = union.fill.at(DRAWN_CONFIDENCE)
        k, d, m = union.k, union.d, union.m
        made.append(measured_point(Axis.FILL, Series.FILL, Kind.DIRECT, m, found, k=k, d=d, m=m))
    for each in results_of(results, Measured):
        if each.method == Kind.DIRECT:
            at = each.sizes.at
            hits = each.expected_false_positives(DRAWN_CONFIDENCE)
            made += [
                each.point(Axis.FAILURE, Series.FAILURE, at["m"]),
                measured_point(
                    Axis.FAILURE, Series.FALSE_POSITIVES, each.method, at["m"], hits, **at
                ),
            ]
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Left: P_fail and E#FP against m on a log axis. Right: fill of the union against m."""
    from simulate.jobs import style

    fig, (failure, fill) = style.row_of_axes(2, ratios=(3, 2))
    lines = {Series.TEXTBOOK: ":", Series.FALSE_POSITIVES: "--"}
    markers = {Series.FALSE_POSITIVES: "s"}
    for axis, name in ((failure, Axis.FAILURE), (fill, Axis.FILL)):
        drawn = series_of(points, axis=name)
        for colour, (series, own) in zip(style.COLOURS, drawn.items(), strict=False):
            line, marker = lines.get(Series(series), "-"), markers.get(Series(series), "o")
            of_theory = of_kind(own, Kind.EXACT, Kind.APPROXIMATE)
            style.curve(axis, of_theory, line, color=colour, label=own[0].shown)
            style.error_bars(axis, of_kind(own, Kind.DIRECT), colour, marker)
        axis.set_xlabel("hash bits per token $m$")
        best = optimal_hashes_for_failure(N, K, D)
        axis.axvline(best, color=style.GREY, linewidth=0.8, linestyle="--")
        at_top = {"xycoords": ("data", "axes fraction"), "xytext": (3, -8)}
        style.note(axis, f"exact best $m={best}$", (best, 1.0), **at_top)
    failure.set_yscale("log")
    failure.set_ylim(5e-3, None)
    failure.set_ylabel(r"$P_\mathrm{fail}$, expected false positives")
    failure.set_title(f"$n={N}$, $k={K}$, $d={D}$")
    failure.legend(loc="upper center", bbox_to_anchor=(0.62, 0.92))
    fill.axhline(0.5, color=style.GREY, linewidth=0.8, linestyle=":")
    fill.set_ylabel(r"share of bits in the union")
    fill.set_ylim(0, 1)
    return fig


PANEL = Panel(
    NAME,
    f"Of the hash bits per token m, {optimal_hashes_for_failure(N, K, D)} make failures rarest and "
    f"{optimal_hashes(K, D)} false positives; the textbook rate (1 - e^(-km/d))^m is least at m = "
    f"(d/k) ln 2 = {optimal_hashes_law(K, D):.1f}. Lines: theory; markers: counted. Right: share "
    "of the d bits that the union of the k hashes fills, one half dotted.",
    tasks,
    checks,
    table,
    draw,
)
