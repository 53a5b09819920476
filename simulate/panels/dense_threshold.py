"""With a threshold per token a dense code fails exponentially rarely, in more width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import dense_codes
from simulate.dense_codes import DenseCode
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, Which, agrees, lies_within
from simulate.jobs.intervals import DRAWN_CONFIDENCE, ClusteredCount
from simulate.jobs.panel import Effort, Panel
from simulate.jobs.table import Kind, Named, Point, measured_point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.network import membership
from simulate.panels.measured import Sizes
from simulate.sampling import random_sets
from theory.dense_codes import (
    best_cut,
    best_thresholded_width,
    half_cut,
    threshold_slope,
    thresholded_failure_bound,
    thresholded_failure_lower_bound,
    thresholded_false_negative_rate,
    thresholded_false_positive_rate,
    thresholded_width,
)
from theory.false_positives import failure_probability
from theory.width import optimal_hashes_for_failure, smallest_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "dense_threshold"
N, K = 1000, 4
SMALLEST = 1e-12
SMALLEST_BRACKETED = 1e-3  # below, the bounds agree to within a percent
TARGETS = (0.5, 0.1, 0.01)
OTHER_CODES = ((DenseCode.DIRECTIONS, 0.03), (DenseCode.TIGHT_FRAME, 0.5))
SETS = 50  # inputs per code
FEWEST_CODES = 100


class Quantity(StrEnum):
    """What is checked."""

    FALSE_POSITIVE_RATE = "false_positive_rate"
    FALSE_NEGATIVE_RATE = "false_negative_rate"
    FAILURE = "failure"


class Axis(StrEnum):
    """What is drawn."""

    FAILURE = "failure"


class Series(Named):
    """The Bloom filter, and codes with their thresholds."""

    BLOOM = "bloom", "Bloom, best $m$"
    HALF = "signs_half", "signs, threshold ½"
    BEST = "signs_best", "signs, best threshold"
    DIRECTIONS = "directions_half", "directions, ½"
    TIGHT_FRAME = "tight_frame_half", "tight frame, ½"


SERIES = {
    DenseCode.SIGNS: Series.HALF,
    DenseCode.DIRECTIONS: Series.DIRECTIONS,
    DenseCode.TIGHT_FRAME: Series.TIGHT_FRAME,
}
MARKERS = dict(zip(Series, "osD^v", strict=True))
LINES = {Kind.EXACT: "-", Kind.UPPER_BOUND: "-", Kind.LOWER_BOUND: "--", Kind.ASYMPTOTIC: ":"}


@dataclass(frozen=True)
class Measured:
    """Failing inputs, false positives and false negatives, clustered over codes; threshold cut/d.

    Of the false positives and negatives the trials are non-members and members.
    """

    code: DenseCode
    d: int
    cut: int
    failures: ClusteredCount
    false_positives: ClusteredCount
    false_negatives: ClusteredCount

    @property
    def series(self) -> Series:
        """The code with its threshold."""
        best = self.code == DenseCode.SIGNS and self.cut != half_cut(self.d)
        return Series.BEST if best else SERIES[self.code]


def measure(
    rng: np.random.Generator, code: DenseCode, d: int, cut: int, families: int, sets: int
) -> Measured:
    """Task: `sets` random inputs of each of `families` codes, alpha = 1."""
    counts = np.empty((3, families), dtype=np.int64)
    for family in range(families):
        embedding = dense_codes.CODES[code](rng, N, d)
        tokens = random_sets(rng, sets, N, K)
        y = dense_codes.linear_readout(embedding, tokens, np.ones((sets, K)))
        positives, negatives = dense_codes.threshold_errors(y, membership(tokens, N), cut / d)
        failed = np.count_nonzero(positives + negatives)
        counts[:, family] = failed, positives.sum(), negatives.sum()
    failures, false_positives, false_negatives = counts.tolist()
    return Measured(
        code,
        d,
        cut,
        ClusteredCount(failures, sets),
        ClusteredCount(false_positives, sets * (N - K)),
        ClusteredCount(false_negatives, sets * K),
    )


def tasks(effort: Effort) -> list[Task[Measured]]:
    """Random signs at the widths of some failure probabilities, at both cuts; other codes."""
    half = [(DenseCode.SIGNS, thresholded_width(N, K, target)) for target in TARGETS]
    best = [best_thresholded_width(N, K, target) for target in TARGETS]
    widths = [(code, thresholded_width(N, K, target)) for code, target in OTHER_CODES]
    others = [(code, d + d % 2) for code, d in widths]  # a tight frame's is even
    wanted = [(code, d, half_cut(d)) for code, d in half]
    wanted += [(DenseCode.SIGNS, d, best_cut(N, K, d)) for d in best]
    wanted += [(code, d, half_cut(d)) for code, d in others]
    families = max(FEWEST_CODES, effort.unions // 500)
    made = []
    for code, d, cut in wanted:
        arguments = {"code": code, "d": d, "cut": cut, "families": families, "sets": SETS}
        cost = families * (1e-3 + 1e-5 * d)
        made.append(Task(f"{NAME}/{code}/cut={cut}, d={d}", measure, arguments, cost))
    return made


def checks(results: Sequence[Measured]) -> list[Check]:
    """Token rates against binomial tails; failures between the bounds. Random signs."""
    made = []
    for each in results:
        if each.code != DenseCode.SIGNS:
            continue
        d, cut = each.d, each.cut
        at, label = {"d": d, "cut": cut}, f"n={N}, k={K}, d={d}, cut={cut}"
        rate = thresholded_false_positive_rate(K, d, cut)
        found = each.false_positives.at(CONFIDENCE)
        which = Which(NAME, Quantity.FALSE_POSITIVE_RATE, at)
        made.append(agrees(which, f"false-positive rate of signs, {label}", rate, found))
        if each.series == Series.BEST:
            rate = thresholded_false_negative_rate(K, d, cut)
            found = each.false_negatives.at(CONFIDENCE)
            which = Which(NAME, Quantity.FALSE_NEGATIVE_RATE, at)
            made.append(agrees(which, f"false-negative rate of signs, {label}", rate, found))
        lower = thresholded_failure_lower_bound(N, K, d, cut)
        upper = thresholded_failure_bound(N, K, d, cut)
        found = each.failures.at(CONFIDENCE)
        below, above = found.interval
        made.append(
            lies_within(
                Which(NAME, Quantity.FAILURE, at),
                f"P_fail of signs between its bounds, {label}",
                upper,
                found.value,
                (lower - (above - found.value), upper + (found.value - below)),
                FALSE_ALARM,
            )
        )
    return made


def table(results: Sequence[Measured]) -> list[Point]:
    """Bounds from exact tails, the slope, Bloom's exact failure probability, measured points."""
    made: list[Point] = []

    def add(series: Series, kind: Kind, d: int, value: float, m: int | None = None) -> None:
        made.append(Point(Axis.FAILURE, series, kind, d, value, n=N, k=K, d=d, m=m))

    last = thresholded_width(N, K, SMALLEST)
    # the bounds waver with d mod 4: one class of widths for a smooth curve
    for d in range(40, last + 8, 12):
        upper = thresholded_failure_bound(N, K, d)
        add(Series.HALF, Kind.UPPER_BOUND, d, upper)
        best = thresholded_failure_bound(N, K, d, best_cut(N, K, d))
        add(Series.BEST, Kind.UPPER_BOUND, d, best)
        if upper > SMALLEST_BRACKETED:
            add(Series.HALF, Kind.LOWER_BOUND, d, thresholded_failure_lower_bound(N, K, d))
    anchor = thresholded_failure_bound(N, K, last) * math.exp(-threshold_slope(K) * last)
    for d in (200, last):
        add(Series.HALF, Kind.ASYMPTOTIC, d, anchor * math.exp(threshold_slope(K) * d))
    widths = np.linspace(20, smallest_width(N, K, SMALLEST).width, 20)
    for d in np.unique(widths.astype(int)).tolist():
        m = optimal_hashes_for_failure(N, K, d)
        add(Series.BLOOM, Kind.EXACT, d, failure_probability(N, K, d, m), m)
    for each in results:
        found = each.failures.at(DRAWN_CONFIDENCE)
        sizes = Sizes(N, K, each.d).at
        made.append(measured_point(Axis.FAILURE, each.series, Kind.DIRECT, each.d, found, **sizes))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """P_fail on a log axis against width."""
    from simulate.jobs import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.6, height=3.0)
    drawn = series_of(points)
    for colour, series in zip(style.COLOURS, Series, strict=False):
        own = drawn[series]
        for kind, line in LINES.items():
            ink = style.INK if kind == Kind.ASYMPTOTIC else colour
            style.curve(axes, of_kind(own, kind), line, color=ink)
        counted = of_kind(own, Kind.DIRECT)
        style.error_bars(axes, counted, colour, MARKERS[series])
        line = "-" if len(own) > len(counted) else "none"
        marker = MARKERS[series] if counted else None
        axes.add_line(style.key(own[0].shown, colour, line, marker))
    style.failure_against_width(axes, SMALLEST)
    axes.set_xlim(0, 1.25 * max(p.x for p in points))
    axes.set_title(f"$n={N}$, $k={K}$")
    style.legends(
        axes,
        {
            "exact, or upper bound": ("-", None),
            "lower bound": ("--", None),
            "asymptotic slope": (":", None),
        },
        meanings_at="center right",
    )
    return fig


PANEL = Panel(
    NAME,
    "With a threshold a token, a dense code of random signs fails exponentially rarely, as the "
    "Bloom filter does, in a width that tends to about 8 (ln 2)^2 = 3.84 times the Bloom filter's. "
    "It needs hidden width n, the Bloom filter d. An input fails where a non-member reaches the "
    "threshold or a member does not.",
    tasks,
    checks,
    table,
    draw,
)
