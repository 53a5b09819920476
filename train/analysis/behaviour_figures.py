"""Figures over many inputs: masses, levels, failures, and what lies outside the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate.jobs.panel import Point, series_of
from train.analysis import output_figures
from train.analysis.behaviour import Behaviour
from train.analysis.figure import AnalysisFigure
from train.analysis.outcomes import LOG10_EDGES, failure_threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 60
MOST_LEVELS = 6  # of missing bits, that are drawn
BEHAVIOUR, MECHANISM, RANDOM_CODE = "network", "its masks", "random code"
NO_COVERED, ONE_COVERED, MORE_COVERED = "no covered token", "one", "two or more"


def figures(behaviour: Behaviour) -> list[AnalysisFigure]:
    """Every figure of the behaviour, of single inputs too; none where outputs overflow."""
    if not np.isfinite(behaviour.sample.outcomes.mass).all():
        return []
    return [
        AnalysisFigure(
            "mass_on_members",
            (3,),
            "Probability mass on the k tokens over fresh inputs, by the number of covered "
            "non-members: share of inputs per bin, linear and logarithmic. Dotted: k/(k + 1) and "
            "1. Dashed: below it an input fails.",
            _mass_table(behaviour),
            _draw_mass,
        ),
        *output_figures.figures(behaviour),
        AnalysisFigure(
            "given_false_positive",
            (5,),
            "Left: size of the union of all inputs, and of pairs of an input and a token it "
            "covers. Right: how many non-members miss one bit, of the same. Lines: the exact laws "
            "and means for random masks with as many bits for each token.",
            _given_table(behaviour),
            _draw_given,
        ),
        AnalysisFigure(
            "missing_bit_levels",
            (6,),
            "Non-members by their number of missing bits. Left: logit less the members' mean; "
            "markers mean and standard deviation, thin lines the whole range. Right: distribution "
            "of their probabilities.",
            _levels_table(behaviour),
            _draw_levels,
        ),
        AnalysisFigure(
            "covered_or_not",
            (7,),
            "Non-members per input with a probability of at least x, those the union covers and "
            "those it does not. Right of the dotted line, the largest probability of an uncovered "
            "one, every non-member is covered.",
            _survival_table(behaviour),
            _draw_survival,
        ),
        AnalysisFigure(
            "more_tokens",
            (8,),
            "Inputs of more than k tokens. Left: mass on the tokens of the input, and t times the "
            "smallest probability of one (1 if uniform). Right: failures of the network (mass "
            "below halfway between t/(t + 1) and 1), covered non-members by its masks, and the "
            "exact rate of random masks with as many bits for each token.",
            _more_tokens_table(behaviour),
            _draw_more_tokens,
        ),
        AnalysisFigure(
            "failure_by_union_size",
            (11,),
            "Failure rate against the size of the union, with the share of inputs that have it. "
            "Line: exact, for random masks with as many bits for each token.",
            _union_size_table(behaviour),
            _draw_union_size,
        ),
        AnalysisFigure(
            "other_coefficients",
            (),
            "Coefficients inside (shaded) and outside [1, c]: of all k tokens, or of one of them, "
            "the others' uniform on [1, c]. Smallest member: k times its probability.",
            _coefficients_table(behaviour),
            _draw_coefficients,
        ),
    ]


def _estimate(
    axis: str, series: str, x: float, estimate: dict[str, Any], scale: float = 1.0
) -> Point:
    low, high = (scale * end for end in estimate["interval"])
    return Point(axis, series, "measured", x, scale * estimate["value"], low, high)


def _mass_table(behaviour: Behaviour) -> list[Point]:
    """Histogram of the mass, by false positives: x where a bin begins, the last one ends at 1."""
    seen, k = behaviour.sample.outcomes, behaviour.k
    edges = np.linspace(min(float(seen.mass.min()), k / (k + 2)), 1.0, BINS + 1)
    kinds = {
        NO_COVERED: seen.false_positives == 0,
        ONE_COVERED: seen.false_positives == 1,
        MORE_COVERED: seen.false_positives > 1,
    }
    made = []
    for series, among in kinds.items():
        counts = np.histogram(np.minimum(seen.mass[among], 1.0), edges)[0] / len(seen.mass)
        made += [
            Point("mass", series, "share of inputs", x, y, k=k)
            for x, y in zip(edges[:-1].tolist(), counts.tolist(), strict=True)
        ]
    return made


def _draw_mass(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, both = style.row_of_axes(2)
    drawn = series_of(points)
    edges = np.array([*(p.x for p in drawn[NO_COVERED]), 1.0])
    k = points[0].k or 1
    for axis in both:
        base = np.zeros(len(edges) - 1)
        for colour, (series, own) in zip(style.COLOURS, drawn.items(), strict=False):
            y = np.array([p.y for p in own])
            if y.any():
                axis.stairs(base + y, edges, baseline=base, fill=True, color=colour, label=series)
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
    found = behaviour.record["given_false_positive"]
    made = []
    for row in found["union_size_law"]:
        for name in ("all", "given"):
            for kind, key in (("measured", name), (RANDOM_CODE, f"random_code_{name}")):
                if row[key] is not None:
                    made.append(Point("union size", name, kind, row["union_size"], row[key]))
    seen = behaviour.sample.outcomes
    weights = {"all": np.ones(len(seen.mass)), "given": seen.false_positives.astype(float)}
    for name, weight in weights.items():
        if weight.any():
            shares = np.bincount(seen.near_misses, weight) / weight.sum()
            made += [
                Point("near misses", name, "measured", x, y) for x, y in enumerate(shares.tolist())
            ]
        mean = found["near_misses"][f"random_code_{name}"]
        if mean is not None:
            made.append(Point("near misses", name, RANDOM_CODE, mean, 0.0))
        measured = found["near_misses"][name]
        if measured is not None:
            made.append(Point("near misses", name, "mean", measured["value"], 0.0))
    return made


def _draw_given(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, (sizes, misses) = style.row_of_axes(2)
    names = {"all": "all inputs", "given": "given a false positive"}
    for colour, marker, (name, label) in zip(style.COLOURS, "os", names.items(), strict=False):
        own = [p for p in points if p.axis == "union size" and p.series == name]
        law = [p for p in own if p.kind == RANDOM_CODE]
        seen = [p for p in own if p.kind == "measured"]
        sizes.plot([p.x for p in law], [p.y for p in law], color=colour)
        sizes.plot(
            [p.x for p in seen],
            [p.y for p in seen],
            marker,
            color=colour,
            markerfacecolor="white",
            label=label,
        )
        own = [p for p in points if p.axis == "near misses" and p.series == name]
        seen = [p for p in own if p.kind == "measured"]
        misses.plot(
            [p.x for p in seen],
            [p.y for p in seen],
            marker + "--",
            color=colour,
            markerfacecolor="white",
            linewidth=0.7,
            label=label,
        )
        for p in own:
            if p.kind == RANDOM_CODE:
                misses.axvline(p.x, color=colour, linewidth=1.0)
    sizes.set_xlabel("size of the union, bits")
    sizes.set_ylabel("share")
    misses.set_xlabel("non-members with one bit missing")
    misses.set_ylabel("share")
    seen = [p for p in points if p.axis == "near misses" and p.kind == "measured"]
    misses.set_xlim(-0.5, max((p.x for p in seen if p.y > 1e-3), default=1.0) + 0.5)
    _legend_above(fig, sizes, extra={"random masks (law; mean)": "-"})
    return fig


def _levels_table(behaviour: Behaviour) -> list[Point]:
    """Mean, range and standard deviation of each level's logit; histograms of its probability."""
    made = []
    histogram = behaviour.sample.levels.histogram
    centres = 0.5 * (LOG10_EDGES[1:] + LOG10_EDGES[:-1])
    for row in behaviour.record["missing_bit_levels"]:
        missing, logit = row["missing"], row["logit"]
        low, high = logit["mean"] - logit["sd"], logit["mean"] + logit["sd"]
        made.append(Point("logit", "mean and sd", "measured", missing, logit["mean"], low, high))
        made.append(
            Point(
                "logit",
                "range",
                "measured",
                missing,
                logit["mean"],
                logit["lowest"],
                logit["highest"],
            )
        )
        if missing < MOST_LEVELS:
            shares = histogram[missing] / histogram[missing].sum()
            made += [
                Point("probability", f"{missing}", "share of the level", 10.0**x, y)
                for x, y in zip(centres.tolist(), shares.tolist(), strict=True)
            ]
    return made


def _draw_levels(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, (logits, probabilities) = style.row_of_axes(2)
    drawn = series_of(points, axis="logit")
    style.error_bars(logits, drawn["range"], style.GREY, "none")
    style.error_bars(logits, drawn["mean and sd"], style.COLOURS[0], "o")
    logits.axhline(0.0, color=style.GREY, linestyle=":", linewidth=0.9)
    logits.set_xlabel("missing bits")
    logits.set_ylabel("logit less the members', nats")
    logits.locator_params(axis="x", integer=True)
    shares = series_of(points, axis="probability")
    for colour, (missing, own) in zip(style.COLOURS, shares.items(), strict=False):
        probabilities.stairs(
            [p.y for p in own], 10.0**LOG10_EDGES, color=colour, label=missing, linewidth=1.1
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
        ("covered", histogram[0]),
        ("not covered", histogram[1:].sum(axis=0)),
    ):
        above = np.cumsum(counts[::-1])[::-1] / inputs
        made += [
            Point("survival", series, "measured", 10.0**x, y)
            for x, y in zip(LOG10_EDGES[:-1].tolist(), above.tolist(), strict=True)
            if y > 0.0
        ]
    largest = behaviour.record["largest_uncovered_probability"]
    made.append(Point("survival", "largest uncovered", "measured", largest, 1.0 / inputs))
    return made


def _draw_survival(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, axes = style.figure()
    drawn = series_of(points)
    for colour, series in zip(
        (style.COLOURS[1], style.COLOURS[0]), ("covered", "not covered"), strict=True
    ):
        own = drawn.get(series, [])
        axes.step([p.x for p in own], [p.y for p in own], color=colour, label=series, where="post")
    axes.axvline(drawn["largest uncovered"][0].x, color=style.GREY, linestyle=":", linewidth=0.9)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("output probability $x$")
    axes.set_ylabel("non-members per input above $x$")
    axes.legend(loc="lower left")
    return fig


def _more_tokens_table(behaviour: Behaviour) -> list[Point]:
    """Mass, smallest member and failures against the number of tokens."""
    made = []
    for row in behaviour.record["more_tokens"]:
        t = row["tokens"]
        made += [
            _estimate("output", "mass on the tokens", t, row["mass"]),
            _estimate("output", "$t$ × smallest member", t, row["lowest_member"], t),
            _estimate("failure", BEHAVIOUR, t, row["failure_rate"]),
            _estimate("failure", MECHANISM, t, row["mechanistic_failure_rate"]),
            Point("failure", RANDOM_CODE, "exact", t, row["random_code"]),
        ]
    return made


def _draw_more_tokens(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, (output, failure) = style.row_of_axes(2)
    _draw_series(output, series_of(points, axis="output"))
    _draw_series(failure, series_of(points, axis="failure"))
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

    for colour, marker, (series, own) in zip(style.COLOURS, "os^Dv", drawn.items(), strict=False):
        x, y = [p.x for p in own], [p.y for p in own]
        if own[0].kind == "exact":
            axes.plot(x, y, color=style.GREY, label=series)
            continue
        axes.plot(x, y, color=colour, linewidth=0.6)
        style.error_bars(axes, own, colour, marker, label=series)


def _union_size_table(behaviour: Behaviour) -> list[Point]:
    """Failure rates, measured and exact, and the share of inputs, at each size of the union."""
    made = []
    rows = behaviour.record["failure_by_union_size"]
    total = sum(row["inputs"] for row in rows)
    for row in rows:
        size = row["union_size"]
        made += [
            _estimate("failure", BEHAVIOUR, size, row["failure_rate"]),
            _estimate("failure", MECHANISM, size, row["mechanistic_failure_rate"]),
            Point("failure", RANDOM_CODE, "exact", size, row["random_code"]),
            Point("inputs", "inputs", "measured", size, row["inputs"] / total),
        ]
    return made


def _draw_union_size(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, (rates, shares) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.6, ratios=(3, 2))
    drawn = series_of(points, axis="failure")
    positive = [p.y for own in drawn.values() for p in own if p.y > 0.0]
    floor = 0.5 * min(positive, default=1e-3)
    # side by side, or each would hide the other
    for colour, marker, shift, series in zip(
        style.COLOURS, "os", (-0.12, 0.12), (BEHAVIOUR, MECHANISM), strict=False
    ):
        own = [p for p in drawn[series] if p.y > 0.0]
        shifted = [_moved(p, p.x + shift, floor) for p in own]
        style.error_bars(rates, shifted, colour, marker, label=series)
    exact = drawn[RANDOM_CODE]
    rates.plot([p.x for p in exact], [p.y for p in exact], color=style.GREY, label=RANDOM_CODE)
    rates.set_yscale("log")
    rates.set_ylim(floor, 2.0)
    rates.set_xlabel("size of the union, bits")
    rates.set_ylabel("failure rate")
    _legend_above(fig, rates)
    own = series_of(points, axis="inputs")["inputs"]
    shares.bar([p.x for p in own], [p.y for p in own], color=style.COLOURS[5])
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
    k = behaviour.k
    made = [Point("range", "[1, c]", "given", end, 0.0) for end in (1.0, behaviour.c)]
    for row in behaviour.record["other_coefficients"]:
        axis, x = row["which"], row["alpha"]
        made += [
            _estimate(axis, "total variation", x, row["total_variation"]),
            _estimate(axis, "$k$ × smallest member", x, row["lowest_member"], k),
            _estimate(axis, "failure rate", x, row["failure_rate"]),
        ]
    return made


def _draw_coefficients(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, both = style.row_of_axes(2)
    ends = [p.x for p in points if p.axis == "range"]
    titles = {"all": "all coefficients $\\alpha$", "one": "one coefficient $\\alpha$"}
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


def _legend_above(fig: Figure, axes: Axes, extra: dict[str, str] | None = None) -> None:
    """The axes' legend in one row above the figure, where no curve can be; extra: grey lines."""
    from matplotlib.lines import Line2D

    from simulate.jobs import style

    handles, _ = axes.get_legend_handles_labels()
    handles += [
        Line2D([], [], color=style.GREY, linestyle=line, label=label)
        for label, line in (extra or {}).items()
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(handles))
