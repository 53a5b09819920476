"""Panel 7: a Bloom filter's error is exponential in width, a dense linear code's is a power law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import intervals, rivals
from simulate.intervals import Estimate, from_standard_error, log_slope
from simulate.panels.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    direct_task,
    false_positive_estimate,
    measured_point,
    series_of,
    size_label,
)
from simulate.sweep import Result, Task
from simulate.verdict import CONFIDENCE, Check, agrees, slope_agrees
from theory.false_positives import expected_false_positives
from theory.large_deviations import failure_slope
from theory.rivals import affine_floor, linear_readout_error, scaled_readout_error
from theory.width import optimal_hashes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "linear_readout"
N, K = 1000, 8
BLOOM_WIDTHS = tuple(range(64, 257, 16))
DENSE_WIDTHS = (32, 64, 128, 256, 512, 1024, 2048)
DENSE_SETS = 50  # inputs per random code
LARGEST_ERROR = 0.1  # the Bloom slope is fitted below this exact relative error
# a Student interval over families wants this many false positives in all
FEWEST_EXPECTED = 2000
# a fit over a few nats of whole d and m: up to one step of width at either end
SLOPE_TOLERANCE = 0.05


def measure_dense(rng: np.random.Generator, **sizes: int) -> Result:
    """Task: relative squared error of random sign codes, mean over codes."""
    measured = intervals.mean(rivals.mean_linear_readout_error(rng, **sizes), CONFIDENCE)
    return {"estimate": measured.estimate, "standard_error": measured.standard_error}


def tasks(effort: Effort) -> list[Task]:
    """Direct counts of false positives, and forward passes of random dense codes."""
    made = []
    for d in BLOOM_WIDTHS:
        m = optimal_hashes(K, d)
        inputs = 5 * effort.unions
        if inputs * expected_false_positives(N, K, d, m) >= FEWEST_EXPECTED:
            made.append(direct_task(NAME, effort, {"n": N, "k": K, "d": d, "m": m}, inputs))
    for d in DENSE_WIDTHS:
        families = max(20, effort.unions // 500)
        dense = {"n": N, "k": K, "d": d, "families": families, "sets": DENSE_SETS}
        cost = families * (1e-3 + 1e-5 * d)
        made.append(Task(f"{NAME}/dense/d={d}", measure_dense, dense, cost))
    return made


def _bloom_error(row: Row, confidence: float) -> Estimate:
    """Relative squared error of the hard 0/1 readout: every false positive costs 1 of k."""
    hits = false_positive_estimate(row, confidence)
    low, high = hits.interval
    return Estimate(hits.estimate / K, hits.standard_error / K, (max(low, 0.0) / K, high / K))


def _dense_error(row: Row, confidence: float) -> Estimate:
    return from_standard_error(
        row["estimate"], row["standard_error"], row["families"] - 1, confidence
    )


def _split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """(Bloom rows, dense rows), each by growing width."""
    by_width = sorted(rows, key=lambda row: row["d"])
    return [r for r in by_width if "m" in r], [r for r in by_width if "m" not in r]


def checks(rows: Sequence[Row]) -> list[Check]:
    """Every point against its formula; both fitted slopes."""
    bloom, dense = _split(rows)
    made = []
    for row in bloom:
        exact = expected_false_positives(N, K, row["d"], row["m"]) / K
        measured = _bloom_error(row, CONFIDENCE)
        made.append(agrees(NAME, f"Bloom relative error, {size_label(row)}", exact, measured))
    for row in dense:
        exact = linear_readout_error(N, row["d"])
        measured = _dense_error(row, CONFIDENCE)
        made.append(
            agrees(
                NAME, f"linear readout relative error, {size_label(row, 'nkd')}", exact, measured
            )
        )
    if len(dense) >= 2:
        power = log_slope(
            np.log([row["d"] for row in dense]),
            [_dense_error(row, CONFIDENCE) for row in dense],
            min(row["families"] for row in dense) - 1,
            CONFIDENCE,
        )
        made.append(agrees(NAME, "slope d ln(error) / d ln d of the linear readout", -1.0, power))
    errors = [expected_false_positives(N, K, row["d"], row["m"]) / K for row in bloom]
    steep = [row for row, error in zip(bloom, errors, strict=True) if error < LARGEST_ERROR]
    if len(steep) >= 2:
        slope = log_slope(
            np.array([row["d"] for row in steep], dtype=float),
            [_bloom_error(row, CONFIDENCE) for row in steep],
            min(row["families"] for row in steep) - 1,
            CONFIDENCE,
        )
        name = "slope d ln(error) / dd of the Bloom filter, nats per bit"
        made.append(slope_agrees(NAME, name, failure_slope(K), slope, SLOPE_TOLERANCE))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Exact errors, the floor of affine codes, and the measured points."""
    bloom, dense = _split(rows)
    made = []
    for d in range(24, BLOOM_WIDTHS[-1] + 40, 4):
        m = optimal_hashes(K, d)
        error = expected_false_positives(N, K, d, m) / K
        made.append(Point("error", "Bloom, best $m$", "exact", d, error, n=N, k=K, d=d, m=m))
    for d in np.unique(np.logspace(np.log10(24), np.log10(3000), 120).astype(int)).tolist():
        for series, kind, value in (
            ("dense code, linear readout", "exact", linear_readout_error(N, d)),
            ("the same, best scale", "exact", scaled_readout_error(N, d)),
            ("floor of all affine codes", "lower bound", affine_floor(N, K, d)),
        ):
            if value > 0.0:
                made.append(Point("error", series, kind, d, value, n=N, k=K, d=d))
    for row in bloom:
        measured = _bloom_error(row, DRAWN_CONFIDENCE)
        made.append(measured_point("error", "Bloom, best $m$", "direct", row["d"], measured, row))
    series = "dense code, linear readout"
    for row in dense:
        measured = _dense_error(row, DRAWN_CONFIDENCE)
        made.append(measured_point("error", series, "forward passes", row["d"], measured, row))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Relative squared error against width, both axes logarithmic."""
    from simulate import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.6, height=2.9)
    lines = ("-", "-", "--", ":")
    drawn = series_of(points, axis="error").items()
    for colour, line, (series, own) in zip(style.COLOURS, lines, drawn, strict=False):
        curve = [p for p in own if p.kind in ("exact", "lower bound")]
        axes.plot([p.x for p in curve], [p.y for p in curve], line, color=colour, label=series)
        style.error_bars(axes, [p for p in own if p not in curve], colour, "o")
    axes.axhline(1.0, color=style.GREY, linewidth=0.8, linestyle="--")
    axes.annotate("predicting zero", (1250, 1.6), fontsize=7, color=style.GREY)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(1e-5, 300)
    axes.set_xlabel("residual width $d$")
    axes.set_ylabel("expected squared error / $k$")
    axes.set_title(f"$n={N}$, $k={K}$")
    axes.legend(loc="lower right")
    return fig


PANEL = Panel(
    NAME,
    "Expected squared error of the 0/1 indicator of the members, summed over the vocabulary, "
    "relative to predicting zero. The Bloom filter with a hard readout: (false positives)/k, "
    "exponential in d. A dense code (random signs/sqrt(d)) read linearly, y_i = <e_i, x>: "
    "(n-1)/d; scaled by its best constant: (n-1)/(n-1+d); and what no affine code can beat.",
    tasks,
    checks,
    table,
    figure,
)
