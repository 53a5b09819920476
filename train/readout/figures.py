"""The figures of one readout; drawing sees nothing but the numbers of the CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulate.jobs import style
from simulate.jobs.panel import Point, select, series_of
from train.analysis.figure import AnalysisFigure
from train.readout.reachability import Sets
from train.readout.report import Report
from train.readout.search import FOUND
from train.readout.two_level import CODE_NOISE, Control

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = 15
MODEL = "this readout"
_NAMES = {
    Control.GAUSSIAN: "normal code",
    Control.SHUFFLED: "coordinates shuffled",
    Control.COVARIANCE_MATCHED: "covariance and lengths",
}
LEVELS, POWER, REACHED = "levels", "power", "reached"
WHOLE, AMONG = "whole code of masks", "masks among the model's own directions"
MARKERS = ("o", "s", "^", "D", "v")


def figures(report: Report) -> list[AnalysisFigure]:
    """All figures of the report."""
    return [_two_levels(report), _ideal(report)]


def _two_levels(report: Report) -> AnalysisFigure:
    two = report.two_level
    sizes = {"n": report.n, "d": report.d}
    shares = {MODEL: [near.explained for near in two.near]}
    shares |= {_NAMES[null.control]: list(null.searched.best) for null in two.nulls}
    table = [
        Point(LEVELS, name, "measured", place, share, **sizes)
        for name, values in shares.items()
        for place, share in enumerate(values, 1)
    ]
    for power in two.power:
        for name, share in ((WHOLE, power.code), (AMONG, power.within)):
            table.append(Point(POWER, name, "measured", power.density, share, **sizes))
    found = len(two.directions)
    said = (
        f"{found} directions of the residual part the vocabulary into two levels"
        if found
        else "No direction of the residual parts the vocabulary into two levels"
    )
    seen = ", ".join(f"{100 * p.density:g} %" for p in two.power if p.power >= 0.5) or "no density"
    caption = (
        f"{said} in {report.model} (n={report.n}, d={report.d}). Left: the share of the held-out "
        f"variance that two levels explain, for the ten best directions of each search; a "
        f"direction counts above {FOUND:g}. Right: the share of planted masks that the same search "
        f"finds again, in a whole code of masks (noise {CODE_NOISE:g} of a mask's own standard "
        f"deviation) and among the model's own directions (noise 0.1 to 0.3). At least half of "
        f"both kinds are found at densities of {seen}."
    )
    return AnalysisFigure("two_levels", (CLAIM,), caption, table, _draw_two_levels)


def _draw_two_levels(table: Sequence[Point]) -> Figure:
    fig, (left, right) = style.row_of_axes(2)
    for index, (name, points) in enumerate(series_of(table, axis=LEVELS).items()):
        left.plot(
            [p.x for p in points],
            [p.y for p in points],
            color=style.COLOURS[index],
            marker=MARKERS[index],
            markerfacecolor="white" if index else style.COLOURS[0],
            label=name,
        )
    left.axhline(FOUND, color=style.GREY, linestyle="--")
    left.text(10, FOUND + 0.01, "counts as two levels", ha="right", color=style.GREY, fontsize=7)
    left.set(
        xlabel="Rank of the direction",
        ylabel="Variance explained by two levels",
        ylim=(0.3, 1.02),
    )
    left.legend(loc="lower left")
    for index, (name, points) in enumerate(series_of(table, axis=POWER).items()):
        right.plot(
            [100 * p.x for p in points],
            [p.y for p in points],
            color=style.COLOURS[index + 4],
            marker=MARKERS[index],
            markerfacecolor="white",
            label=name,
        )
    right.set(
        xlabel="Density of the planted masks, %", ylabel="Share found again", ylim=(-0.33, 1.03)
    )
    right.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
    right.legend(loc="lower left")
    return fig


def _ideal(report: Report) -> AnalysisFigure:
    ideal = report.ideal
    table = [
        Point(
            REACHED,
            each.sets.value,
            "measured",
            each.k,
            each.share,
            each.low,
            each.high,
            n=report.n,
            k=each.k,
            d=report.d,
        )
        for each in ideal.reachable
    ]
    table.append(Point(REACHED, "theory", "asymptotic", ideal.k_star, 0.5, n=report.n, d=report.d))
    caption = (
        f"How many tokens an ideal residual could put on top of all others in {report.model} "
        f"(n={report.n}, d={report.d}): the share of sets of k tokens that are the top k of some "
        f"residual vector, decided exactly, with 95 % Clopper-Pearson intervals. The dashed line "
        f"is k* = {ideal.k_star}, up to which random sets of a normal code are reached."
    )
    return AnalysisFigure("ideal_residual", (CLAIM,), caption, table, _draw_ideal)


def _draw_ideal(table: Sequence[Point]) -> Figure:
    fig, axes = style.figure()
    (theory,) = select(table, series="theory")
    names = [each.value for each in Sets]
    for name, points in series_of(table, kind="measured").items():
        index = names.index(name)
        style.error_bars(axes, points, style.COLOURS[index], MARKERS[index], label=name)
        axes.plot([p.x for p in points], [p.y for p in points], color=style.COLOURS[index])
    axes.axvline(theory.x, color=style.GREY, linestyle="--")
    axes.set(xlabel="Tokens in the set, $k$", ylabel="Share of sets on top", ylim=(-0.03, 1.03))
    axes.legend(loc="lower left")
    return fig
