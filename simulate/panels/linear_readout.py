"""Panel 7: a Bloom filter's error is exponential in width, a dense linear code's is a power law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import dense_codes
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, agrees, lies_within, slope_agrees
from simulate.jobs.intervals import Estimate, from_standard_error, log_slope
from simulate.jobs.panel import (
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
from simulate.jobs.tasks import Result, Task
from simulate.sampling import random_sets
from theory.dense_codes import (
    affine_floor,
    largest_error_bound,
    largest_error_of_gaussians,
    linear_readout_error,
    scaled_readout_error,
    tight_frame_error,
)
from theory.false_positives import expected_false_positives
from theory.large_deviations import failure_slope
from theory.width import optimal_hashes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "linear_readout"
N, K = 1000, 8
BLOOM_WIDTHS = tuple(range(64, 257, 24))
DENSE_WIDTHS = {
    "signs": (32, 64, 128, 256, 512, 1024),
    "directions": (48, 192),
    "tight frame": (90, 360, 720),
}
AFFINE_WIDTH = 64  # of random signs: a d x d system a code; a frame's is solved beforehand
DENSE_SETS = 10  # inputs per random code
FEWEST_CODES = 100
FIRST_FITTED = 128  # narrower codes are too coarse for an asymptotic exponent of the largest error
MEASURES = ("squared", "largest", "least_squares")
LARGEST_ERROR = 0.1  # the Bloom slope is fitted below this exact relative error
# a Student interval over families wants this many false positives in all
FEWEST_EXPECTED = 2000
# a fit over a few nats of whole d and m: up to one step of width at either end
SLOPE_TOLERANCE = 0.05
BLOOM, DENSE, SCALED = "Bloom, best $m$", "random code, $y_i$", "the same, best scale"
FRAME, FLOOR = "tight frame, $y_i$", "floor of affine readouts"
MARKERS = {"signs": "o", "directions": "^", "tight frame": "s", "least squares": "D"}


def measure_dense(
    rng: np.random.Generator,
    code: str,
    affine: bool,
    n: int,
    k: int,
    d: int,
    families: int,
    sets: int,
) -> Result:
    """Task: errors of the linear readout, means over codes; squared errors are over k.

    `least_squares` is the squared error of the best affine readout of the same codes, if `affine`.
    """
    means = np.full((len(MEASURES), families), np.nan)
    alpha = np.ones((sets, k))
    for family in range(families):
        embedding = dense_codes.CODES[code](rng, n, d)
        tokens = random_sets(rng, sets, n, k)
        wanted = dense_codes.target(tokens, alpha, n)
        y = dense_codes.linear_readout(embedding, tokens, alpha)
        means[0, family] = dense_codes.squared_error(y, wanted).mean() / k
        means[1, family] = dense_codes.largest_error(y, wanted).mean()
        if affine:
            if code == "tight frame":
                y = dense_codes.frame_readout(y, k, d)
            else:
                y = dense_codes.least_squares_readout(embedding, tokens)
            means[2, family] = dense_codes.squared_error(y, wanted).mean() / k
    measured = {}
    for name, values in zip(MEASURES, means, strict=True):
        if np.isfinite(values).all():
            estimate = intervals.mean(values, CONFIDENCE)
            measured[name] = [estimate.estimate, estimate.standard_error]
    return measured


def tasks(effort: Effort) -> list[Task]:
    """Direct counts of false positives, and forward passes of random dense codes."""
    made = []
    for d in BLOOM_WIDTHS:
        m = optimal_hashes(K, d)
        inputs = 5 * effort.unions
        if inputs * expected_false_positives(N, K, d, m) >= FEWEST_EXPECTED:
            made.append(direct_task(NAME, effort, {"n": N, "k": K, "d": d, "m": m}, inputs))
    families = max(FEWEST_CODES, effort.unions // 1000)
    for code, widths in DENSE_WIDTHS.items():
        for d in widths:
            affine = code == "tight frame" or (code == "signs" and d == AFFINE_WIDTH)
            dense = {"n": N, "k": K, "d": d, "families": families, "sets": DENSE_SETS}
            cost = families * (3e-4 + 5e-6 * d)
            arguments = dense | {"code": code, "affine": affine}
            made.append(Task(f"{NAME}/{code}/d={d}", measure_dense, arguments, cost))
    return made


def _bloom_error(row: Row, confidence: float) -> Estimate:
    """Relative squared error of the hard 0/1 readout: every false positive costs 1 of k."""
    hits = false_positive_estimate(row, confidence)
    low, high = hits.interval
    return Estimate(hits.estimate / K, hits.standard_error / K, (max(low, 0.0) / K, high / K))


def _dense_error(row: Row, measure: str, confidence: float) -> Estimate:
    centre, error = row[measure]
    return from_standard_error(centre, error, row["families"] - 1, confidence)


def _split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """(Bloom rows, dense rows), each by growing width."""
    by_width = sorted(rows, key=lambda row: row["d"])
    return [r for r in by_width if "m" in r], [r for r in by_width if "m" not in r]


def _exact(row: Row) -> float:
    """Relative squared error of y for the row's code."""
    if row["code"] == "tight frame":
        return tight_frame_error(N, K, row["d"])
    return linear_readout_error(N, row["d"])


def _power(dense: Sequence[Row], measure: str, confidence: float, first: int = 1) -> Estimate:
    """Exponent of an error of random signs against width, from width `first` on."""
    signs = [row for row in dense if row["code"] == "signs" and row["d"] >= first]
    return log_slope(
        np.log([row["d"] for row in signs]),
        [_dense_error(row, measure, confidence) for row in signs],
        min(row["families"] for row in signs) - 1,
        confidence,
    )


def checks(rows: Sequence[Row]) -> list[Check]:
    """Every point against its formula; the fitted slopes; the bound on the largest error."""
    bloom, dense = _split(rows)
    made = []
    for row in bloom:
        exact = expected_false_positives(N, K, row["d"], row["m"]) / K
        measured = _bloom_error(row, CONFIDENCE)
        made.append(agrees(NAME, f"Bloom relative error, {size_label(row)}", exact, measured))
    for row in dense:
        label = f"{row['code']}, {size_label(row, 'nkd')}"
        measured = _dense_error(row, "squared", CONFIDENCE)
        made.append(agrees(NAME, f"linear readout relative error, {label}", _exact(row), measured))
        if "least_squares" in row:
            floor = affine_floor(N, K, row["d"])
            measured = _dense_error(row, "least_squares", CONFIDENCE)
            made.append(agrees(NAME, f"least-squares relative error, {label}", floor, measured))
    power = _power(dense, "squared", CONFIDENCE)
    made.append(agrees(NAME, "slope d ln(error) / d ln d of the linear readout", -1.0, power))
    over = [
        _dense_error(row, "largest", CONFIDENCE).interval[0] / largest_error_bound(N, K, row["d"])
        for row in dense
        if row["code"] != "tight frame"
    ]
    name = "largest error over its bound sqrt(2 k ln(2n) / d), at the interval's lower end"
    alarm = FALSE_ALARM * len(over)
    made.append(lies_within(NAME, name, 1.0, max(over), (0.0, 1.0), alarm))
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
    """Exact errors, the floor of affine codes, the measured points, and the fitted exponents."""
    bloom, dense = _split(rows)
    made = []
    for d in range(24, BLOOM_WIDTHS[-1] + 40, 4):
        m = optimal_hashes(K, d)
        error = expected_false_positives(N, K, d, m) / K
        made.append(Point("squared", BLOOM, "exact", d, error, n=N, k=K, d=d, m=m))
    for d in np.unique(np.logspace(np.log10(24), np.log10(3000), 120).astype(int)).tolist():
        curves = [
            ("squared", DENSE, "exact", linear_readout_error(N, d)),
            ("squared", SCALED, "exact", scaled_readout_error(N, d)),
            ("largest", "bound", "upper bound", largest_error_bound(N, K, d)),
            ("largest", "normals", "asymptotic", largest_error_of_gaussians(N, K, d)),
        ]
        if d < N:
            curves.append(("squared", FRAME, "exact", tight_frame_error(N, K, d)))
            curves.append(("squared", FLOOR, "lower bound", affine_floor(N, K, d)))
        for axis, series, kind, value in curves:
            if value > 0.0:
                made.append(Point(axis, series, kind, d, value, n=N, k=K, d=d))
    for row in bloom:
        measured = _bloom_error(row, DRAWN_CONFIDENCE)
        made.append(measured_point("squared", BLOOM, "direct", row["d"], measured, row))
    for row in dense:
        series = FRAME if row["code"] == "tight frame" else DENSE
        for measure, axis, name, kind in (
            ("squared", "squared", series, row["code"]),
            ("least_squares", "squared", FLOOR, "least squares"),
            ("largest", "largest", row["code"], row["code"]),
        ):
            if measure in row:
                measured = _dense_error(row, measure, DRAWN_CONFIDENCE)
                made.append(measured_point(axis, name, kind, row["d"], measured, row))
    for measure, expected, first in (("squared", -1.0, 1), ("largest", -0.5, FIRST_FITTED)):
        fitted = _power(dense, measure, DRAWN_CONFIDENCE, first)
        made.append(
            Point("exponent", measure, "fitted", expected, fitted.estimate, *fitted.interval)
        )
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Relative squared error and largest error against width, all axes logarithmic."""
    from simulate.jobs import style

    fig, (squared, largest) = style.row_of_axes(2, height=3.1, ratios=(1.25, 1.0))
    exponents = {name: own[0] for name, own in series_of(points, axis="exponent").items()}
    lines = {BLOOM: "-", DENSE: "-", SCALED: "--", FRAME: "-.", FLOOR: ":"}
    drawn = series_of(points, axis="squared")
    for colour, (series, line) in zip(style.COLOURS, lines.items(), strict=False):
        own = drawn[series]
        curve = [p for p in own if p.kind in ("exact", "lower bound")]
        squared.plot([p.x for p in curve], [p.y for p in curve], line, color=colour, label=series)
        style.error_bars(squared, [p for p in own if p.kind == "direct"], colour, "o")
        for kind, marker in MARKERS.items():
            style.error_bars(squared, [p for p in own if p.kind == kind], colour, marker)
    squared.axhline(1.0, color=style.GREY, linewidth=0.8, linestyle="--")
    squared.annotate("predicting zero", (3100, 1.25), fontsize=7, color=style.GREY, ha="right")
    squared.set_ylim(1e-6, 200)
    squared.set_ylabel("expected squared error / $k$")
    squared.set_title(f"$n={N}$, $k={K}$")
    squared.legend(loc="lower right", bbox_to_anchor=(1.0, 0.02))
    drawn = series_of(points, axis="largest")
    for line, series, label in (
        ("--", "bound", r"bound $\sqrt{2k\ln(2n)/d}$"),
        ("-", "normals", r"$n$ normals, asymptotic"),
    ):
        own = drawn[series]
        largest.plot([p.x for p in own], [p.y for p in own], line, color=style.INK, label=label)
    for colour, (kind, marker) in zip(
        (style.COLOURS[1], style.COLOURS[4], style.COLOURS[3]), MARKERS.items(), strict=False
    ):
        style.error_bars(largest, drawn[kind], colour, marker, label=kind)
    fitted = exponents["largest"]
    reach = 0.5 * ((fitted.high or 0.0) - (fitted.low or 0.0))
    largest.annotate(
        f"signs, from $d = {FIRST_FITTED}$ on:\nexponent ${fitted.y:.3f} \\pm {reach:.3f}$",
        (0.04, 0.06),
        xycoords="axes fraction",
        fontsize=7,
    )
    largest.set_ylabel("expected largest error")
    for axes in (squared, largest):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("residual width $d$")
    largest.set_yticks([0.2, 0.5, 1.0, 2.0], labels=["0.2", "0.5", "1", "2"])
    largest.minorticks_off()
    largest.legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "Left: expected squared error of the 0/1 indicator of the members, summed over the vocabulary, "
    "relative to predicting zero. The Bloom filter with a hard readout: (false positives)/k, "
    "exponential in d. A random dense code (circles: signs/sqrt(d), triangles: random directions) "
    "read linearly, y_i = <e_i, x>: (n-1)/d; scaled by its best constant: (n-1)/(n-1+d). A "
    "unit-norm tight frame, which meets the Welch bound (squares). Below: what no affine readout "
    "of any code can beat; the least-squares readout of every code attains it (diamonds: random "
    "signs), and it needs d near n. Right: the largest error over the vocabulary, the bound "
    "sqrt(2 k ln(2n)/d) and the mean largest of n normals; the fitted exponent with its 95 % "
    "interval. Both errors cost a width polynomial in their inverse.",
    tasks,
    checks,
    table,
    figure,
)
