"""Panel 9: with a threshold per token a dense code fails exponentially rarely, in more width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import dense_codes
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, agrees, lies_within
from simulate.jobs.intervals import Estimate, clustered_proportion
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    measured_point,
    series_of,
)
from simulate.jobs.tasks import Result, Task
from simulate.network import membership
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
OTHER_CODES = (("directions", 0.03), ("tight frame", 0.5))
SETS = 50  # inputs per code
FEWEST_CODES = 100
HALF, BEST, BLOOM = "signs, threshold ½", "signs, best threshold", "Bloom, best $m$"


def measure(
    rng: np.random.Generator,
    code: str,
    n: int,
    k: int,
    d: int,
    cut: int,
    families: int,
    sets: int,
) -> Result:
    """Task: per code, its failing inputs and their false positives and negatives, alpha = 1."""
    counts: dict[str, list[int]] = {"failures": [], "false_positives": [], "false_negatives": []}
    for _ in range(families):
        embedding = dense_codes.CODES[code](rng, n, d)
        tokens = random_sets(rng, sets, n, k)
        y = dense_codes.linear_readout(embedding, tokens, np.ones((sets, k)))
        false_positives, false_negatives = dense_codes.threshold_errors(
            y, membership(tokens, n), cut / d
        )
        counts["failures"].append(int(np.count_nonzero(false_positives + false_negatives)))
        counts["false_positives"].append(int(false_positives.sum()))
        counts["false_negatives"].append(int(false_negatives.sum()))
    return dict(counts)


def tasks(effort: Effort) -> list[Task]:
    """Random signs at the widths of some failure probabilities, at both cuts; other codes."""
    wanted = [("signs", HALF, _width(HALF, target)) for target in TARGETS]
    wanted += [("signs", BEST, _width(BEST, target)) for target in TARGETS]
    wanted += [(code, HALF, _even(_width(HALF, target))) for code, target in OTHER_CODES]
    made = []
    for code, rule, d in wanted:
        families = max(FEWEST_CODES, effort.unions // 500)
        cut = half_cut(d) if rule == HALF else best_cut(N, K, d)
        arguments = {"n": N, "k": K, "d": d, "cut": cut, "code": code}
        arguments |= {"families": families, "sets": SETS}
        cost = families * (1e-3 + 1e-5 * d)
        made.append(Task(f"{NAME}/{code}/cut={cut}, d={d}", measure, arguments, cost))
    return made


def _width(rule: str, target: float) -> int:
    return (thresholded_width if rule == HALF else best_thresholded_width)(N, K, target)


def _even(d: int) -> int:
    return d + d % 2


def _rule(row: Row) -> str:
    return HALF if row["cut"] == half_cut(row["d"]) else BEST


def _share(row: Row, name: str, of: int, confidence: float) -> Estimate:
    """Share of `of` opportunities an input, clustered over the codes."""
    return clustered_proportion(np.array(row[name]), of * row["sets"], confidence)


def checks(rows: Sequence[Row]) -> list[Check]:
    """Token rates against binomial tails; failures between the bounds. Random signs."""
    made = []
    for row in rows:
        if row["code"] != "signs":
            continue
        d, cut = row["d"], row["cut"]
        label = f"n={N}, k={K}, d={d}, cut={cut}"
        rate = thresholded_false_positive_rate(K, d, cut)
        measured = _share(row, "false_positives", N - K, CONFIDENCE)
        made.append(agrees(NAME, f"false-positive rate of signs, {label}", rate, measured))
        if _rule(row) == BEST:
            rate = thresholded_false_negative_rate(K, d, cut)
            measured = _share(row, "false_negatives", K, CONFIDENCE)
            made.append(agrees(NAME, f"false-negative rate of signs, {label}", rate, measured))
        bounds = (
            thresholded_failure_lower_bound(N, K, d, cut),
            thresholded_failure_bound(N, K, d, cut),
        )
        measured = _share(row, "failures", 1, CONFIDENCE)
        below, above = measured.interval
        made.append(
            lies_within(
                NAME,
                f"P_fail of signs between its bounds, {label}",
                bounds[1],
                measured.estimate,
                (
                    bounds[0] - (above - measured.estimate),
                    bounds[1] + (measured.estimate - below),
                ),
                FALSE_ALARM,
            )
        )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Bounds from exact tails, the slope, Bloom's exact failure probability, measured points."""
    made: list[Point] = []
    last = thresholded_width(N, K, SMALLEST)
    # the bounds waver with d mod 4: one class of widths for a smooth curve
    for d in range(40, last + 8, 12):
        cut = best_cut(N, K, d)
        sizes = {"n": N, "k": K, "d": d}
        made += [
            Point("failure", HALF, "upper bound", d, thresholded_failure_bound(N, K, d), **sizes),
            Point(
                "failure", BEST, "upper bound", d, thresholded_failure_bound(N, K, d, cut), **sizes
            ),
        ]
        if made[-2].y > SMALLEST_BRACKETED:
            lower = thresholded_failure_lower_bound(N, K, d)
            made.append(Point("failure", HALF, "lower bound", d, lower, **sizes))
    anchor = thresholded_failure_bound(N, K, last) * math.exp(-threshold_slope(K) * last)
    for d in (200, last):
        value = anchor * math.exp(threshold_slope(K) * d)
        made.append(Point("failure", HALF, "asymptotic", d, value, n=N, k=K, d=d))
    for d in np.unique(
        np.linspace(20, smallest_width(N, K, SMALLEST).width, 20).astype(int)
    ).tolist():
        m = optimal_hashes_for_failure(N, K, d)
        value = failure_probability(N, K, d, m)
        made.append(Point("failure", BLOOM, "exact", d, value, n=N, k=K, d=d, m=m))
    for row in rows:
        series = _rule(row) if row["code"] == "signs" else row["code"]
        measured = _share(row, "failures", 1, DRAWN_CONFIDENCE)
        made.append(measured_point("failure", series, "direct", row["d"], measured, row))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """P_fail on a log axis against width."""
    from simulate.jobs import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.6, height=3.0)
    drawn = series_of(points, axis="failure")
    lines = {"exact": "-", "upper bound": "-", "lower bound": "--", "asymptotic": ":"}
    for colour, marker, series in zip(style.COLOURS, "osD", (BLOOM, HALF, BEST), strict=False):
        for kind, line in lines.items():
            curve = [p for p in drawn[series] if p.kind == kind]
            text = series if kind in ("exact", "upper bound") and curve else None
            ink = style.INK if kind == "asymptotic" else colour
            axes.plot([p.x for p in curve], [p.y for p in curve], line, color=ink, label=text)
        style.error_bars(axes, [p for p in drawn[series] if p.kind == "direct"], colour, marker)
    for colour, marker, series in zip(
        style.COLOURS[3:], "^v", ("directions", "tight frame"), strict=False
    ):
        style.error_bars(axes, drawn[series], colour, marker, label=f"{series}, ½")
    axes.set_yscale("log")
    axes.set_ylim(SMALLEST, 2.0)
    axes.set_xlim(0, None)
    axes.set_xlabel("residual width $d$")
    axes.set_ylabel(r"failure probability $P_\mathrm{fail}$")
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
    "Failure probability of a random input at alpha = 1: some non-member's y_i reaches the "
    "threshold, or some member's does not. Random signs: upper bounds from exact binomial tails, "
    "at threshold 1/2 (with the second-moment lower bound, dashed, and the exact exponent, "
    "dotted) and at the best threshold for each d; markers: counted over random codes. Triangles: "
    "random directions and a tight frame, threshold 1/2. Bloom filter: exact, best m. Both widths "
    "grow as ln(1/epsilon), the dense code's by a factor that tends to about 8 (ln 2)^2 = 3.84 "
    "faster; it needs a threshold a token, hidden width n, read directly, and the Bloom filter "
    "hidden width d.",
    tasks,
    checks,
    table,
    figure,
)
