"""A Bloom filter's error is exponential in width, a dense linear code's is a power law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import dense_codes
from simulate.dense_codes import DenseCode
from simulate.jobs.checks import (
    CONFIDENCE,
    FALSE_ALARM,
    Check,
    Size,
    Which,
    agrees,
    lies_within,
    slope_agrees,
)
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Estimate, Mean, log_slope
from simulate.jobs.panel import Effort, Panel, results_of
from simulate.jobs.table import Kind, Named, Point, measured_point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.panels.measured import Measured, Sizes, direct_task
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
    DenseCode.SIGNS: (32, 64, 128, 256, 512, 1024),
    DenseCode.DIRECTIONS: (48, 192),
    DenseCode.TIGHT_FRAME: (90, 360, 720),
}
AFFINE_WIDTH = 64  # of random signs: a d x d system a code; a frame's is solved beforehand
DENSE_SETS = 10  # inputs per random code
FEWEST_CODES = 100
FIRST_FITTED = 128  # narrower codes are too coarse for an asymptotic exponent of the largest error
LARGEST_ERROR = 0.1  # the Bloom slope is fitted below this exact relative error
# a Student interval over families wants this many false positives in all
FEWEST_EXPECTED = 2000
# a fit over a few nats of whole d and m: up to one step of width at either end
SLOPE_TOLERANCE = 0.05


class Quantity(StrEnum):
    """What is checked."""

    BLOOM_ERROR = "bloom_error"
    ERROR = "error"
    LEAST_SQUARES = "least_squares"
    SLOPE = "slope"
    LARGEST_ERROR = "largest_error"
    BLOOM_SLOPE = "bloom_slope"


class Axis(StrEnum):
    """What is drawn: errors over the vocabulary; the exponent is annotated."""

    SQUARED = "squared"
    LARGEST = "largest"
    EXPONENT = "exponent"


class Series(Named):
    """Curves, and markers that stand on them: of SIGNS and DIRECTIONS on DENSE."""

    BLOOM = "bloom", "Bloom, best $m$"
    DENSE = "dense", "random code, $y_i$"
    SCALED = "dense_scaled", "the same, best scale"
    FRAME = "tight_frame", "tight frame, $y_i$"
    FLOOR = "affine_floor", "floor of affine readouts"
    SIGNS = "signs", "random signs"
    DIRECTIONS = "directions", "random directions"
    LEAST_SQUARES = "least_squares", "least squares"
    BOUND = "bound", r"bound $\sqrt{2k\ln(2n)/d}$"
    NORMALS = "normals", "$n$ normals, asymptotic"


SERIES = {
    DenseCode.SIGNS: Series.SIGNS,
    DenseCode.DIRECTIONS: Series.DIRECTIONS,
    DenseCode.TIGHT_FRAME: Series.FRAME,
}


@dataclass(frozen=True)
class Dense:
    """Errors of the linear readout, means over codes; squared errors are over k.

    least_squares: the squared error of the best affine readout of the same codes, where measured.
    """

    code: DenseCode
    d: int
    squared: Mean
    largest: Mean
    least_squares: Mean | None


def measure_dense(
    rng: np.random.Generator, code: DenseCode, affine: bool, d: int, families: int, sets: int
) -> Dense:
    """Task: `sets` random inputs of each of `families` codes."""
    squared, largest, affine_squared = np.empty((3, families))
    alpha = np.ones((sets, K))
    for family in range(families):
        embedding = dense_codes.CODES[code](rng, N, d)
        tokens = random_sets(rng, sets, N, K)
        wanted = dense_codes.target(tokens, alpha, N)
        y = dense_codes.linear_readout(embedding, tokens, alpha)
        squared[family] = dense_codes.squared_error(y, wanted).mean() / K
        largest[family] = dense_codes.largest_error(y, wanted).mean()
        if affine:
            if code == DenseCode.TIGHT_FRAME:
                y = dense_codes.frame_readout(y, K, d)
            else:
                y = dense_codes.least_squares_readout(embedding, tokens)
            affine_squared[family] = dense_codes.squared_error(y, wanted).mean() / K
    best = Mean.of(affine_squared) if affine else None
    return Dense(code, d, Mean.of(squared), Mean.of(largest), best)


def tasks(effort: Effort) -> list[Task[Measured | Dense]]:
    """Direct counts of false positives, and forward passes of random dense codes."""
    made: list[Task[Measured | Dense]] = []
    for d in BLOOM_WIDTHS:
        m = optimal_hashes(K, d)
        inputs = 5 * effort.unions
        if inputs * expected_false_positives(N, K, d, m) >= FEWEST_EXPECTED:
            made.append(direct_task(NAME, effort, Sizes(N, K, d, m), inputs))
    families = max(FEWEST_CODES, effort.unions // 1000)
    for code, widths in DENSE_WIDTHS.items():
        for d in widths:
            affine = code == DenseCode.TIGHT_FRAME or (code, d) == (DenseCode.SIGNS, AFFINE_WIDTH)
            arguments = {"code": code, "affine": affine, "d": d}
            arguments |= {"families": families, "sets": DENSE_SETS}
            cost = families * (3e-4 + 5e-6 * d)
            made.append(Task(f"{NAME}/{code}/d={d}", measure_dense, arguments, cost))
    return made


def _bloom(results: Sequence[Measured | Dense]) -> list[Measured]:
    return sorted(results_of(results, Measured), key=lambda each: each.sizes.d)


def _bloom_error(each: Measured, confidence: float) -> Estimate:
    """Relative squared error of the hard 0/1 readout: every false positive costs 1 of k."""
    hits = each.expected_false_positives(confidence)
    low, high = hits.interval
    ends = (max(low, 0.0) / K, high / K)
    error = (hits.standard_error or 0.0) / K
    return replace(hits, value=hits.value / K, interval=ends, standard_error=error)


def _exact_error(code: DenseCode, d: int) -> float:
    """Relative squared error of y."""
    if code == DenseCode.TIGHT_FRAME:
        return tight_frame_error(N, K, d)
    return linear_readout_error(N, d)


def _exponent(results: Sequence[Measured | Dense], largest: bool, confidence: float) -> Estimate:
    """Exponent of width in an error of random signs; of the largest one from FIRST_FITTED on."""
    signs = [
        each
        for each in sorted(results_of(results, Dense), key=lambda each: each.d)
        if each.code == DenseCode.SIGNS and (each.d >= FIRST_FITTED or not largest)
    ]
    means = [each.largest if largest else each.squared for each in signs]
    freedom = min(mean.samples for mean in means) - 1
    widths = np.log([each.d for each in signs])
    return log_slope(widths, [mean.at(confidence) for mean in means], freedom, confidence)


def checks(results: Sequence[Measured | Dense]) -> list[Check]:
    """Every point against its formula; the fitted slopes; the bound on the largest error."""
    bloom, dense = _bloom(results), results_of(results, Dense)
    made, steep = [], []
    for each in bloom:
        exact = expected_false_positives(**each.sizes.at) / K
        found = _bloom_error(each, CONFIDENCE)
        which = Which(NAME, Quantity.BLOOM_ERROR, each.sizes.at)
        made.append(agrees(which, f"Bloom relative error, {each.sizes.label()}", exact, found))
        if exact < LARGEST_ERROR:
            steep.append((each.sizes.d, found))
    for code in dense:
        at: dict[str, Size] = {"code": code.code, "d": code.d}
        label = f"{code.code.label}, {Sizes(N, K, code.d).label()}"
        exact = _exact_error(code.code, code.d)
        which, text = Which(NAME, Quantity.ERROR, at), f"linear readout relative error, {label}"
        made.append(agrees(which, text, exact, code.squared.at(CONFIDENCE)))
        if code.least_squares:
            which = Which(NAME, Quantity.LEAST_SQUARES, at)
            floor, found = affine_floor(N, K, code.d), code.least_squares.at(CONFIDENCE)
            made.append(agrees(which, f"least-squares relative error, {label}", floor, found))
    exponent = _exponent(results, False, CONFIDENCE)
    text = "slope d ln(error) / d ln d of the linear readout"
    made.append(agrees(Which(NAME, Quantity.SLOPE), text, -1.0, exponent))
    over = [
        each.largest.at(CONFIDENCE).interval[0] / largest_error_bound(N, K, each.d)
        for each in dense
        if each.code != DenseCode.TIGHT_FRAME
    ]
    text = "largest error over its bound sqrt(2 k ln(2n) / d), at the interval's lower end"
    which, alarm = Which(NAME, Quantity.LARGEST_ERROR), FALSE_ALARM * len(over)
    made.append(lies_within(which, text, 1.0, max(over), (0.0, 1.0), alarm))
    if len(steep) >= 2:
        widths, errors = zip(*steep, strict=True)
        freedom = min(each.samples for each in errors) - 1
        slope = log_slope(np.array(widths, dtype=float), errors, freedom, CONFIDENCE)
        text = "slope d ln(error) / dd of the Bloom filter, nats per bit"
        which = Which(NAME, Quantity.BLOOM_SLOPE)
        made.append(slope_agrees(which, text, failure_slope(K), slope, SLOPE_TOLERANCE))
    return made


def table(results: Sequence[Measured | Dense]) -> list[Point]:
    """Exact errors, the floor of affine codes, the measured points, and the fitted exponents."""
    made = []
    for d in range(24, BLOOM_WIDTHS[-1] + 40, 4):
        m = optimal_hashes(K, d)
        error = expected_false_positives(N, K, d, m) / K
        made.append(Point(Axis.SQUARED, Series.BLOOM, Kind.EXACT, d, error, n=N, k=K, d=d, m=m))
    for d in np.unique(np.logspace(np.log10(24), np.log10(3000), 120).astype(int)).tolist():
        curves = [
            (Axis.SQUARED, Series.DENSE, Kind.EXACT, linear_readout_error(N, d)),
            (Axis.SQUARED, Series.SCALED, Kind.EXACT, scaled_readout_error(N, d)),
            (Axis.LARGEST, Series.BOUND, Kind.UPPER_BOUND, largest_error_bound(N, K, d)),
            (Axis.LARGEST, Series.NORMALS, Kind.ASYMPTOTIC, largest_error_of_gaussians(N, K, d)),
        ]
        if d < N:
            floor = affine_floor(N, K, d)
            curves += [
                (Axis.SQUARED, Series.FRAME, Kind.EXACT, tight_frame_error(N, K, d)),
                (Axis.SQUARED, Series.FLOOR, Kind.LOWER_BOUND, floor),
            ]
        for axis, series, kind, value in curves:
            if value > 0.0:
                made.append(Point(axis, series, kind, d, value, n=N, k=K, d=d))
    for each in _bloom(results):
        found, at = _bloom_error(each, DRAWN_CONFIDENCE), each.sizes.at
        made.append(
            measured_point(Axis.SQUARED, Series.BLOOM, each.method, each.sizes.d, found, **at)
        )
    for code in results_of(results, Dense):
        for axis, series, mean in (
            (Axis.SQUARED, SERIES[code.code], code.squared),
            (Axis.SQUARED, Series.LEAST_SQUARES, code.least_squares),
            (Axis.LARGEST, SERIES[code.code], code.largest),
        ):
            if mean:
                found, sizes = mean.at(DRAWN_CONFIDENCE), Sizes(N, K, code.d).at
                made.append(measured_point(axis, series, Kind.FORWARD_PASS, code.d, found, **sizes))
    for of_axis, largest, expected in ((Axis.SQUARED, False, -1.0), (Axis.LARGEST, True, -0.5)):
        fitted = _exponent(results, largest, DRAWN_CONFIDENCE)
        made.append(measured_point(Axis.EXPONENT, of_axis, Kind.FITTED, expected, fitted))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Relative squared error and largest error against width, all axes logarithmic."""
    from simulate.jobs import style

    fig, (squared, largest) = style.row_of_axes(2, height=3.1, ratios=(1.25, 1.0))
    blue, red, green, pink, orange, _ = style.COLOURS
    looks = {
        Series.BLOOM: ("-", blue),
        Series.DENSE: ("-", red),
        Series.SCALED: ("--", green),
        Series.FRAME: ("-.", pink),
        Series.FLOOR: (":", orange),
        Series.BOUND: ("--", style.INK),
        Series.NORMALS: ("-", style.INK),
    }
    markers = {
        Series.BLOOM: (blue, "o"),
        Series.SIGNS: (red, "o"),
        Series.DIRECTIONS: (style.INK, "^"),
        Series.FRAME: (pink, "s"),
        Series.LEAST_SQUARES: (orange, "D"),
    }
    of_theory = (Kind.EXACT, Kind.UPPER_BOUND, Kind.LOWER_BOUND, Kind.ASYMPTOTIC)
    for axes, axis in ((squared, Axis.SQUARED), (largest, Axis.LARGEST)):
        drawn = series_of(points, axis=axis)
        for series, (line, colour) in looks.items():
            if curve := of_kind(drawn.get(series, []), *of_theory):
                style.curve(axes, curve, line, color=colour, label=series.label)
        for series, (colour, marker) in markers.items():
            own = of_kind(drawn.get(series, []), Kind.DIRECT, Kind.FORWARD_PASS)
            label = series.label.removesuffix(", $y_i$") if axis == Axis.LARGEST else None
            style.error_bars(axes, own, colour, marker, label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(style.WIDTH)
    squared.axhline(1.0, color=style.GREY, linewidth=0.8, linestyle="--")
    style.note(squared, "predicting zero", (3100, 1.0), xytext=(0, 3), ha="right")
    squared.set_ylim(1e-6, 200)
    squared.set_ylabel("expected squared error / $k$")
    squared.set_title(f"$n={N}$, $k={K}$")
    squared.legend(loc="lower right", bbox_to_anchor=(1.0, 0.02))
    (fitted,) = series_of(points, axis=Axis.EXPONENT)[Axis.LARGEST]
    exponent = style.with_interval(fitted)
    text = f"signs, from $d = {FIRST_FITTED}$ on:\nexponent {exponent}"
    largest.annotate(text, (0.04, 0.06), xycoords="axes fraction", fontsize=7)
    largest.set_ylabel("expected largest error")
    largest.set_yticks([0.2, 0.5, 1.0, 2.0], labels=["0.2", "0.5", "1", "2"])
    largest.minorticks_off()
    largest.legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "The Bloom filter's squared error falls exponentially with width, a dense linear code's only "
    "as a power: (n-1)/d for random codes, less by a constant scale or a tight frame. No affine "
    "readout of any code beats the floor, which least squares attain and which needs d near n. "
    "Right: the largest error over the vocabulary.",
    tasks,
    checks,
    table,
    draw,
)
