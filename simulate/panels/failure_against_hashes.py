"""Panel 3: at a fixed width some number of hash bits is best; the union is then half full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import estimators
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, agrees, lies_within
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    direct_task,
    failure_estimate,
    false_positive_estimate,
    measured_point,
    method_of,
    series_of,
    size_label,
    weighted_task,
)
from simulate.jobs.tasks import Result, Task
from theory.false_positives import classic, failure_probability, false_positive_rate
from theory.union_size import fill_probability
from theory.width import optimal_hashes, optimal_hashes_for_failure, optimal_hashes_law

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "failure_against_hashes"
N, K, D = 512, 3, 64
HASHES = (2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 32)


def measure_fill(rng: np.random.Generator, k: int, d: int, m: int, unions: int) -> Result:
    """Task: mean share of the d bits that a real union of k hashes fills."""
    fill = estimators.random_union_sizes(rng, k, d, m, unions) / d
    measured = intervals.mean(fill, CONFIDENCE)
    return {"fill": measured.estimate, "standard_error": measured.standard_error}


def tasks(effort: Effort) -> list[Task]:
    """Direct counts for each m, and the fill of the union."""
    made = []
    for m in HASHES:
        sizes = {"n": N, "k": K, "d": D, "m": m}
        made.append(direct_task(NAME, effort, sizes, 20 * effort.unions))
        fill = {"k": K, "d": D, "m": m, "unions": effort.unions}
        made.append(Task(f"{NAME}/fill/m={m}", measure_fill, fill, 0.1))
    best = optimal_hashes_for_failure(N, K, D)
    for m in range(best - 2, best + 3):
        sizes = {"n": N, "k": K, "d": D, "m": m}
        made.append(weighted_task(NAME, "conditional", 10 * effort.unions, sizes))
    return made


def _fill_estimate(row: Row, confidence: float) -> intervals.Estimate:
    return intervals.from_standard_error(
        row["fill"], row["standard_error"], row["unions"] - 1, confidence
    )


def checks(rows: Sequence[Row]) -> list[Check]:
    """P_fail, E#FP and fill at every m; and no measured m beats the exact optimum."""
    made = []
    around_best = {}
    for row in rows:
        k, d, m = row["k"], row["d"], row["m"]
        if "fill" in row:
            fill = _fill_estimate(row, CONFIDENCE)
            name = f"fill of the union, {size_label(row, 'kdm')}"
            made.append(agrees(NAME, name, fill_probability(k, d, m), fill))
            continue
        failure = failure_estimate(row)
        exact = failure_probability(N, K, D, m)
        made.append(agrees(NAME, f"P_fail, {method_of(row)}, {size_label(row)}", exact, failure))
        if method_of(row) == "conditional":
            around_best[m] = failure
            continue
        rate = false_positive_rate(K, D, m)
        hits = false_positive_estimate(row)
        made.append(agrees(NAME, f"E#FP, {size_label(row)}", (N - K) * rate, hits))
    best = optimal_hashes_for_failure(N, K, D)
    others = [failure.interval[1] for m, failure in around_best.items() if m != best]
    made.append(
        lies_within(
            NAME,
            f"lower limit of P_fail at the exact best m={best}, below the upper limits at the "
            f"{len(others)} nearest m",
            failure_probability(N, K, D, best),
            around_best[best].interval[0],
            (0.0, min(others)),
            FALSE_ALARM,
        )
    )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Exact and textbook curves over m, the fill, and the measured points."""
    made = []
    for m in range(1, HASHES[-1] + 1):
        for axis, series, kind, value in (
            ("failure", r"$P_\mathrm{fail}$", "exact", failure_probability(N, K, D, m)),
            ("failure", r"FPR $\times\,(n-k)$", "exact", (N - K) * false_positive_rate(K, D, m)),
            ("failure", r"textbook rate $\times\,(n-k)$", "asymptotic", (N - K) * classic(K, D, m)),
            ("fill", "union fill $p$", "exact", fill_probability(K, D, m)),
        ):
            made.append(Point(axis, series, kind, m, value, n=N, k=K, d=D, m=m))
    for row in rows:
        if "fill" in row:
            fill = _fill_estimate(row, DRAWN_CONFIDENCE)
            made.append(measured_point("fill", "union fill $p$", "direct", row["m"], fill, row))
            continue
        if method_of(row) == "conditional":
            continue
        for series, estimate in (
            (r"$P_\mathrm{fail}$", failure_estimate(row, DRAWN_CONFIDENCE)),
            (r"FPR $\times\,(n-k)$", false_positive_estimate(row, DRAWN_CONFIDENCE)),
        ):
            made.append(measured_point("failure", series, "direct", row["m"], estimate, row))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Left: P_fail and E#FP against m on a log axis. Right: fill of the union against m."""
    from simulate.jobs import style

    fig, (failure, fill) = style.row_of_axes(2, ratios=(3, 2))
    for axis, name in ((failure, "failure"), (fill, "fill")):
        drawn = series_of(points, axis=name)
        for colour, (series, own) in zip(style.COLOURS, drawn.items(), strict=False):
            curve = [p for p in own if p.kind in ("exact", "asymptotic")]
            line = ":" if curve[0].kind == "asymptotic" else "-"
            axis.plot([p.x for p in curve], [p.y for p in curve], line, color=colour, label=series)
            style.error_bars(axis, [p for p in own if p.kind == "direct"], colour, "o")
        axis.set_xlabel("hash bits per token $m$")
        best = optimal_hashes_for_failure(N, K, D)
        axis.axvline(best, color=style.GREY, linewidth=0.8, linestyle="--")
        axis.annotate(
            f"exact best $m={best}$",
            (best, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -8),
            textcoords="offset points",
            fontsize=7,
            color=style.GREY,
        )
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
    "Failure probability P_fail and expected false positives (n-k) FPR of an input against "
    f"hash bits per token m at n={N}, k={K}, d={D}; the textbook rate is (1 - e^(-km/d))^m. Lines: "
    f"theory; circles: counted. The textbook rate is least at m = (d/k) ln 2 = "
    f"{optimal_hashes_law(K, D):.1f}, the exact one at m = {optimal_hashes(K, D)}. Right: share "
    "of the d bits that the union of the k hashes fills; one half is dotted.",
    tasks,
    checks,
    table,
    figure,
)
