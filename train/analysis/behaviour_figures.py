"""Figures over many inputs: masses, levels, failures, and what lies outside the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.figure import Figure
from simulate.jobs.intervals import Estimate
from simulate.jobs.table import Kind, Point, select, series_of, xs, ys
from train.analysis import output_figures
from train.analysis.behaviour import Behaviour
from train.analysis.departures import Coefficients
from train.analysis.figure_ids import FigureId
from train.analysis.outcomes import LOG10_EDGES
from train.reading.failure import failure_threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn

BINS = 60
MOST_LEVELS = 6  # of missing bits, that are drawn


class Axis(StrEnum):
    """What is drawn."""

    MASS = "mass"
    UNION_SIZE = "union_size"
    NEAR_MISSES = "near_misses"
    LOGIT = "logit"
    PROBABILITY = "probability"
    SURVIVAL = "survival"
    OUTPUT = "output"
    FAILURE = "failure"
    INPUTS = "inputs"
    RANGE = "range"


class Series(StrEnum):
    """The curves and sets of markers."""

    NONE_COVERED = "none_covered"
    ONE_COVERED = "one_covered"
    MORE_COVERED = "more_covered"
    ALL = "all"
    GIVEN = "given"
    MEAN_AND_SD = "mean_and_sd"
    RANGE = "range"
    COVERED = "covered"
    UNCOVERED = "not_covered"
    LARGEST_UNCOVERED = "largest_uncovered"
    MASS = "mass"
    LOWEST_MEMBER = "lowest_member"
    TOTAL_VARIATION = "total_variation"
    FAILURE_RATE = "failure_rate"
    NETWORK = "network"
    MASKS = "masks"
    RANDOM_CODE = "random_code"
    INPUTS = "inputs"
    COEFFICIENTS = "coefficients"


LABELS = {
    Series.NONE_COVERED: "no covered token",
    Series.ONE_COVERED: "one",
    Series.MORE_COVERED: "two or more",
    Series.ALL: "all inputs",
    Series.GIVEN: "given a false positive",
    Series.COVERED: "covered",
    Series.UNCOVERED: "not covered",
    Series.MASS: "mass on the tokens",
    Series.LOWEST_MEMBER: "$k$ × smallest member",
    Series.TOTAL_VARIATION: "total variation",
    Series.FAILURE_RATE: "failure rate",
    Series.NETWORK: "network",
    Series.MASKS: "its masks",
    Series.RANDOM_CODE: "random code",
}


def figures(behaviour: Behaviour) -> list[Figure]:
    """Every figure of the behaviour, of single inputs too, that the masks allow."""
    coefficients = Figure(
        FigureId.OTHER_COEFFICIENTS,
        "A filter's output does not depend on the coefficients while they are in [1, c] (shaded). "
        "The curves show what coefficients outside do to it: those of all k tokens, or of one "
        "token, with the others' uniform on [1, c]. Smallest member: k times its probability.",
        _coefficients_table(behaviour),
        _draw_coefficients,
    )
    last = [coefficients] if behaviour.record.other_coefficients else []
    if behaviour.record.code_absent is not None:
        return last
    made = [
        Figure(
            FigureId.MASS_ON_MEMBERS,
            "A filter gives its k tokens nearly all of the probability, or k/(k + 1) of it where "
            "the union covers one further token (dotted). Share of fresh inputs per bin of that "
            "mass, linear and logarithmic, by the number of covered non-members. Dashed: below it "
            "an input fails.",
            _mass_table(behaviour),
            _draw_mass,
        ),
        *output_figures.figures(behaviour),
        Figure(
            FigureId.GIVEN_FALSE_POSITIVE,
            "Inputs with a false positive have larger unions than others, and more near misses. "
            "Left: the size of the union over all inputs, and over pairs of an input and a token "
            "that it covers. Right: how many non-members miss one bit, over the same. Lines: "
            "exact, for random masks with as many bits for each token.",
            _given_table(behaviour),
            _draw_given,
        ),
        Figure(
            FigureId.MISSING_BIT_LEVELS,
            "Each missing bit lowers a token's logit by about as much, if the network is a "
            "filter. Non-members by their number of missing bits. Left: logit less the members' "
            "mean; markers are mean and standard deviation, thin lines the whole range. Right: "
            "distribution of their probabilities.",
            _levels_table(behaviour),
            _draw_levels,
        ),
        Figure(
            FigureId.COVERED_OR_NOT,
            "Above the largest probability of an uncovered non-member (dotted), every non-member "
            "is covered. The curves count the non-members of an input that have a probability of "
            "at least x, for those that the union covers and those that it does not.",
            _survival_table(behaviour),
            _draw_survival,
        ),
        Figure(
            FigureId.MORE_TOKENS,
            "A filter takes t > k tokens as well, and fails more often. Left: mass on the tokens, "
            "and t times their smallest probability (1 if uniform). Right: failures of the "
            "network (mass below halfway between t/(t + 1) and 1), covered non-members by its "
            "masks, and the exact rate of random masks with as many bits for each token.",
            _more_tokens_table(behaviour),
            _draw_more_tokens,
        ),
        Figure(
            FigureId.FAILURE_BY_UNION_SIZE,
            "Inputs with larger unions fail more often. Failure rate against the size of the "
            "union, with the share of inputs that have it. Line: exact, for random masks with as "
            "many bits for each token.",
            _union_size_table(behaviour),
            _draw_union_size,
        ),
        *last,
    ]
    return [figure for figure in made if figure.table]


def _estimate(
    axis: str, series: Series, x: float, estimate: Estimate | None, scale: float = 1.0
) -> list[Point]:
    """The estimate as a point; none where there is none."""
    if estimate is None:
        return []
    low, high = (scale * end for end in estimate.interval)
    value = scale * estimate.value
    return [Point(axis, series, Kind.MEASURED, x, value, low, high, label=LABELS[series])]


def _mass_table(behaviour: Behaviour) -> list[Point]:
    """Histogram of the mass, by false positives: x where a bin begins, the last one ends at 1."""
    seen, k = behaviour.sample.outcomes, behaviour.subject.k
    edges = np.linspace(min(float(seen.mass.min()), k / (k + 2)), 1.0, BINS + 1)
    kinds = {
        Series.NONE_COVERED: seen.false_positives == 0,
        Series.ONE_COVERED: seen.false_positives == 1,
        Series.MORE_COVERED: seen.false_positives > 1,
    }
    made = []
    for series, among in kinds.items():
        counts = np.histogram(np.minimum(seen.mass[among], 1.0), edges)[0] / len(seen.mass)
        made += [
            Point(Axis.MASS, series, Kind.MEASURED, x, y, k=k, label=LABELS[series])
            for x, y in zip(edges[:-1].tolist(), counts.tolist(), strict=True)
        ]
    return made


def _draw_mass(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, both = style.row_of_axes(2)
    drawn = series_of(points)
    edges = np.array([*(p.x for p in drawn[Series.NONE_COVERED]), 1.0])
    k = points[0].k or 1
    for axis in both:
        base = np.zeros(len(edges) - 1)
        for colour, own in zip(style.COLOURS, drawn.values(), strict=False):
            y = np.array(ys(own))
            if y.any():
                axis.stairs(
                    base + y, edges, baseline=base, fill=True, color=colour, label=own[0].shown
                )
            base = base + y
        for level in (k / (k + 1), 1.0):
            axis.axvline(level, color=style.GREY, linestyle=":", linewidth=0.9)
        axis.axvline(failure_threshold(k), color=style.INK, linestyle="--", linewidth=0.8)
        axis.set_xlabel("mass on the $k$ tokens")
    both[0].set_ylabel("share of inputs")
    both[1].set_yscale("log")
    both[0].legend(loc="upper left")
    return fig


def _given_table(behaviour: Behaviour) -> list[Point]:
    """Laws of the union's size and of the near misses, of all inputs and given a false positive."""
    found = behaviour.record.given_false_positive
    made: list[Point] = []
    if found is None:
        return made
    for row in found.union_size_law:
        for series, seen_share, law in (
            (Series.ALL, row.all, row.random_code_all),
            (Series.GIVEN, row.given, row.random_code_given),
        ):
            for kind, share in ((Kind.MEASURED, seen_share), (Kind.EXACT, law)):
                if share is not None:
                    made.append(Point(Axis.UNION_SIZE, series, kind, row.union_size, share))
    seen, misses = behaviour.sample.outcomes, found.near_misses
    for series, weight, mean, law in (
        (Series.ALL, np.ones(len(seen.mass)), misses.all, misses.random_code_all),
        (Series.GIVEN, seen.false_positives.astype(float), misses.given, misses.random_code_given),
    ):
        if weight.any():
            shares = np.bincount(seen.near_misses, weight) / weight.sum()
            made += [
                Point(Axis.NEAR_MISSES, series, Kind.MEASURED, x, y)
                for x, y in enumerate(shares.tolist())
            ]
        if law is not None:
            made.append(Point(Axis.NEAR_MISSES, series, Kind.EXACT, law, 0.0))
        if mean is not None:
            made.append(Point(Axis.NEAR_MISSES, series, Kind.MEAN, mean.value, 0.0))
    return made


def _draw_given(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, (sizes, misses) = style.row_of_axes(2)
    for colour, marker, series in zip(
        style.COLOURS, "os", (Series.ALL, Series.GIVEN), strict=False
    ):
        of_sizes = {
            kind: list(select(points, axis=Axis.UNION_SIZE, series=series, kind=kind))
            for kind in (Kind.EXACT, Kind.MEASURED)
        }
        law, seen = of_sizes[Kind.EXACT], of_sizes[Kind.MEASURED]
        sizes.plot(xs(law), ys(law), color=colour)
        sizes.plot(xs(seen), ys(seen), marker, color=colour, label=LABELS[series], mfc="white")
        near = list(select(points, axis=Axis.NEAR_MISSES, series=series, kind=Kind.MEASURED))
        misses.plot(xs(near), ys(near), marker + "--", color=colour, linewidth=0.7, mfc="white")
        for p in select(points, axis=Axis.NEAR_MISSES, series=series, kind=Kind.EXACT):
            misses.axvline(p.x, color=colour, linewidth=1.0)
    sizes.set_xlabel("size of the union, bits")
    sizes.set_ylabel("share")
    misses.set_xlabel("non-members with one bit missing")
    misses.set_ylabel("share")
    seen = list(select(points, axis=Axis.NEAR_MISSES, kind=Kind.MEASURED))
    misses.set_xlim(-0.5, max((p.x for p in seen if p.y > 1e-3), default=1.0) + 0.5)
    _legend_above(fig, sizes, extra={"random masks (law; mean)": "-"})
    return fig


def _levels_table(behaviour: Behaviour) -> list[Point]:
    """Mean, range and standard deviation of each level's logit; histograms of its probability."""
    made = []
    histogram = behaviour.sample.levels.histogram
    centres = 0.5 * (LOG10_EDGES[1:] + LOG10_EDGES[:-1])
    for row in behaviour.record.missing_bit_levels:
        missing, logit = row.missing, row.logit
        for series, ends in (
            (Series.MEAN_AND_SD, (logit.mean - logit.sd, logit.mean + logit.sd)),
            (Series.RANGE, (logit.lowest, logit.highest)),
        ):
            made.append(Point(Axis.LOGIT, series, Kind.MEASURED, missing, logit.mean, *ends))
        if missing < MOST_LEVELS:
            shares = histogram[missing] / histogram[missing].sum()
            made += [
                Point(Axis.PROBABILITY, f"missing_{missing}", Kind.MEASURED, 10.0**x, y, m=missing)
                for x, y in zip(centres.tolist(), shares.tolist(), strict=True)
            ]
    return made


def _draw_levels(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, (logits, probabilities) = style.row_of_axes(2)
    drawn = series_of(points, axis=Axis.LOGIT)
    style.error_bars(logits, drawn[Series.RANGE], style.GREY, "none")
    style.error_bars(logits, drawn[Series.MEAN_AND_SD], style.COLOURS[0], "o")
    logits.axhline(0.0, color=style.GREY, linestyle=":", linewidth=0.9)
    logits.set_xlabel("missing bits")
    logits.set_ylabel("logit less the members', nats")
    logits.locator_params(axis="x", integer=True)
    shares = series_of(points, axis=Axis.PROBABILITY)
    for colour, own in zip(style.COLOURS, shares.values(), strict=False):
        probabilities.stairs(
            ys(own), 10.0**LOG10_EDGES, color=colour, label=f"{own[0].m}", linewidth=1.1
        )
    probabilities.set_xscale("log")
    # the first bin holds everything below it
    probabilities.set_xlim(10.0 ** LOG10_EDGES[1], 1.0)
    probabilities.set_ylim(0.0, None)
    probabilities.set_xlabel("output probability")
    probabilities.set_ylabel("share of the level")
    probabilities.legend(title="missing bits", title_fontsize=7, loc="upper left", ncols=2)
    return fig


def _survival_table(behaviour: Behaviour) -> list[Point]:
    """How many covered and uncovered non-members an input has at or above each probability."""
    inputs = len(behaviour.sample.tokens)
    histogram = behaviour.sample.levels.histogram
    made = []
    for series, counts in (
        (Series.COVERED, histogram[0]),
        (Series.UNCOVERED, histogram[1:].sum(axis=0)),
    ):
        above = np.cumsum(counts[::-1])[::-1] / inputs
        made += [
            Point(Axis.SURVIVAL, series, Kind.MEASURED, 10.0**x, y, label=LABELS[series])
            for x, y in zip(LOG10_EDGES[:-1].tolist(), above.tolist(), strict=True)
            if y > 0.0
        ]
    largest = behaviour.record.largest_uncovered_probability
    if largest is not None:
        line = Series.LARGEST_UNCOVERED
        made.append(Point(Axis.SURVIVAL, line, Kind.MEASURED, largest, 1.0 / inputs))
    return made


def _draw_survival(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, axes = style.figure()
    drawn = series_of(points)
    for colour, series in zip(
        (style.COLOURS[1], style.COLOURS[0]), (Series.COVERED, Series.UNCOVERED), strict=True
    ):
        own = drawn.get(series, [])
        axes.step(xs(own), ys(own), color=colour, label=LABELS[series], where="post")
    for line in drawn.get(Series.LARGEST_UNCOVERED, []):
        axes.axvline(line.x, color=style.GREY, linestyle=":", linewidth=0.9)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("output probability $x$")
    axes.set_ylabel("non-members per input above $x$")
    axes.legend(loc="lower left")
    return fig


def _more_tokens_table(behaviour: Behaviour) -> list[Point]:
    """Mass, smallest member and failures against the number of tokens."""
    made = []
    random_code = Series.RANDOM_CODE
    for row in behaviour.record.more_tokens:
        t = row.tokens
        made += [
            *_estimate(Axis.OUTPUT, Series.MASS, t, row.mass),
            *_estimate(Axis.OUTPUT, Series.LOWEST_MEMBER, t, row.lowest_member, t),
            *_estimate(Axis.FAILURE, Series.NETWORK, t, row.failure_rate),
            *_estimate(Axis.FAILURE, Series.MASKS, t, row.mechanistic_failure_rate),
        ]
        if row.random_code is not None:
            label = LABELS[random_code]
            made.append(
                Point(Axis.FAILURE, random_code, Kind.EXACT, t, row.random_code, label=label)
            )
    return made


def _draw_more_tokens(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, (output, failure) = style.row_of_axes(2)
    _draw_series(output, series_of(points, axis=Axis.OUTPUT))
    _draw_series(failure, series_of(points, axis=Axis.FAILURE))
    for axis in (output, failure):
        axis.set_xlabel("tokens of the input, $t$")
        axis.set_ylim(0.0, 1.05)
        axis.locator_params(axis="x", integer=True)
    failure.set_ylabel("share of inputs")
    output.set_ylabel("mean over inputs")
    output.legend(loc="center right")
    failure.legend(loc="best")
    return fig


def _draw_series(axes: Axes, drawn: dict[str, list[Point]]) -> None:
    """Measured points joined by thin lines; what is exact as a line alone."""
    from simulate.jobs import style

    for colour, marker, own in zip(style.COLOURS, "os^Dv", drawn.values(), strict=False):
        label = own[0].shown
        x, y = xs(own), ys(own)
        if own[0].kind is Kind.EXACT:
            axes.plot(x, y, color=style.GREY, label=label)
            continue
        axes.plot(x, y, color=colour, linewidth=0.6)
        style.error_bars(axes, own, colour, marker, label=label)


def _union_size_table(behaviour: Behaviour) -> list[Point]:
    """Failure rates, measured and exact, and the share of inputs, at each size of the union."""
    made = []
    rows = behaviour.record.failure_by_union_size
    total = sum(row.inputs for row in rows)
    for row in rows:
        size, share = row.union_size, row.inputs / total
        made += [
            *_estimate(Axis.FAILURE, Series.NETWORK, size, row.failure_rate),
            *_estimate(Axis.FAILURE, Series.MASKS, size, row.mechanistic_failure_rate),
            Point(Axis.FAILURE, Series.RANDOM_CODE, Kind.EXACT, size, row.random_code),
            Point(Axis.INPUTS, Series.INPUTS, Kind.MEASURED, size, share),
        ]
    return made


def _draw_union_size(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, (rates, shares) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.6, ratios=(3, 2))
    drawn = series_of(points, axis=Axis.FAILURE)
    positive = [p.y for own in drawn.values() for p in own if p.y > 0.0]
    floor = 0.5 * min(positive, default=1e-3)
    # side by side, or each would hide the other
    for colour, marker, shift, series in zip(
        style.COLOURS, "os", (-0.12, 0.12), (Series.NETWORK, Series.MASKS), strict=False
    ):
        own = [p for p in drawn[series] if p.y > 0.0]
        shifted = [_moved(p, p.x + shift, floor) for p in own]
        style.error_bars(rates, shifted, colour, marker, label=LABELS[series])
    exact = drawn[Series.RANDOM_CODE]
    label = LABELS[Series.RANDOM_CODE]
    rates.plot(xs(exact), ys(exact), color=style.GREY, label=label)
    rates.set_yscale("log")
    rates.set_ylim(floor, 2.0)
    rates.set_xlabel("size of the union, bits")
    rates.set_ylabel("failure rate")
    _legend_above(fig, rates)
    own = list(select(points, axis=Axis.INPUTS))
    shares.bar(xs(own), ys(own), color=style.COLOURS[5])
    shares.set_xlabel("size of the union, bits")
    shares.set_ylabel("share of inputs")
    for axis in (rates, shares):
        axis.locator_params(axis="x", integer=True)
    return fig


def _moved(point: Point, x: float, floor: float) -> Point:
    """The point drawn elsewhere, its interval cut at the axis' lower end."""
    return replace(point, x=x, low=max(point.low or 0.0, floor))


def _coefficients_table(behaviour: Behaviour) -> list[Point]:
    """TV, smallest member and failures against the coefficient, of all tokens or of one."""
    k = behaviour.subject.k
    ends = (1.0, behaviour.subject.c)
    made = [Point(Axis.RANGE, Series.COEFFICIENTS, Kind.EXACT, end, 0.0) for end in ends]
    for row in behaviour.record.other_coefficients:
        axis, x = row.which, row.alpha
        made += [
            *_estimate(axis, Series.TOTAL_VARIATION, x, row.total_variation),
            *_estimate(axis, Series.LOWEST_MEMBER, x, row.lowest_member, k),
            *_estimate(axis, Series.FAILURE_RATE, x, row.failure_rate),
        ]
    return made


def _draw_coefficients(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, both = style.row_of_axes(2)
    ends = xs(list(select(points, axis=Axis.RANGE)))
    titles = {
        Coefficients.ALL: "all coefficients $\\alpha$",
        Coefficients.ONE: "one coefficient $\\alpha$",
    }
    for axis, (which, title) in zip(both, titles.items(), strict=True):
        axis.axvspan(*ends, color="#eeeeee", zorder=0, linewidth=0)
        _draw_series(axis, series_of(points, axis=which))
        axis.set_xscale("log")
        axis.set_ylim(-0.02, 1.05)
        axis.set_title(title)
        axis.set_xlabel(r"$\alpha$")
        axis.xaxis.set_major_formatter("{x:g}")
    _legend_above(fig, both[0])
    return fig


def _legend_above(fig: Drawn, axes: Axes, extra: dict[str, str] | None = None) -> None:
    """The axes' legend in one row above the figure, where no curve can be; extra: grey lines."""
    from matplotlib.lines import Line2D

    from simulate.jobs import style

    handles, _ = axes.get_legend_handles_labels()
    handles += [
        Line2D([], [], color=style.GREY, linestyle=line, label=label)
        for label, line in (extra or {}).items()
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(handles))
