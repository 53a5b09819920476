"""The figures of one readout; drawing sees nothing but the numbers of the CSV."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from simulate.jobs import style
from simulate.jobs.figure import Figure
from simulate.jobs.table import Kind, Point, select, series_of, xs, ys
from train.readout.control_searches import Control
from train.readout.controls import CODE_NOISE
from train.readout.reachability import Sets
from train.readout.report import Report
from train.readout.search import FOUND

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

MODEL, THEORY = "model", "theory"
_NAMES = {
    Control.GAUSSIAN: "normal code",
    Control.SHUFFLED: "coordinates shuffled",
    Control.COVARIANCE_MATCHED: "covariance and lengths",
}


class FigureId(StrEnum):
    """The figures of a readout; the ledger cites them by these."""

    TWO_LEVELS = "two_levels"
    IDEAL_RESIDUAL = "ideal_residual"


class Axis(StrEnum):
    """What is drawn."""

    LEVELS = "levels"
    POWER = "power"
    REACHED = "reached"


class Planted(StrEnum):
    """Where masks were planted."""

    WHOLE = "whole_code"
    AMONG = "among_own_directions"


PLANTED = {
    Planted.WHOLE: "whole code of masks",
    Planted.AMONG: "masks among the model's own directions",
}
MARKERS = ("o", "s", "^", "D", "v")


def figures(report: Report) -> list[Figure]:
    """All figures of the report."""
    return [_two_levels(report), _ideal(report)]


def _two_levels(report: Report) -> Figure:
    two = report.two_level
    shares = [(MODEL, "this readout", [near.explained for near in two.near])]
    shares += [
        (null.control.value, _NAMES[null.control], list(null.searched.best)) for null in two.nulls
    ]

    def point(axis: Axis, series: str, label: str, x: float, y: float) -> Point:
        return Point(axis, series, Kind.MEASURED, x, y, n=report.n, d=report.d, label=label)

    table = [
        point(Axis.LEVELS, series, label, place, share)
        for series, label, values in shares
        for place, share in enumerate(values, 1)
    ]
    for power in two.power:
        for planted, share in ((Planted.WHOLE, power.code), (Planted.AMONG, power.within)):
            table.append(point(Axis.POWER, planted, PLANTED[planted], power.density, share))
    found = len(two.directions)
    said = (
        f"{found} directions of the residual part the vocabulary into two levels"
        if found
        else "No direction of the residual parts the vocabulary into two levels"
    )
    seen = ", ".join(f"{100 * p.density:g} %" for p in two.power if p.power >= 0.5) or "no density"
    caption = (
        f"{said} in {report.model} (n={report.n}, d={report.d}). Left: held-out variance that two "
        f"levels explain, ten best directions a search (a find: above {FOUND:g}). Right: "
        f"planted masks found (noise {CODE_NOISE:g}, and 0.1 to 0.3 among the model's own "
        f"directions), at least half at {seen}."
    )
    return Figure(FigureId.TWO_LEVELS, caption, table, _draw_two_levels)


def _draw_two_levels(table: Sequence[Point]) -> Drawn:
    fig, (left, right) = style.row_of_axes(2)
    for index, points in enumerate(series_of(table, axis=Axis.LEVELS).values()):
        left.plot(
            xs(points),
            ys(points),
            color=style.COLOURS[index],
            marker=MARKERS[index],
            markerfacecolor="white" if index else style.COLOURS[0],
            label=points[0].shown,
        )
    left.axhline(FOUND, color=style.GREY, linestyle="--")
    left.text(10, FOUND + 0.01, "counts as two levels", ha="right", color=style.GREY, fontsize=7)
    left.set(
        xlabel="Rank of the direction",
        ylabel="Variance explained by two levels",
        ylim=(0.3, 1.02),
    )
    left.legend(loc="lower left")
    for index, points in enumerate(series_of(table, axis=Axis.POWER).values()):
        right.plot(
            [100 * p.x for p in points],
            ys(points),
            color=style.COLOURS[index + 4],
            marker=MARKERS[index],
            markerfacecolor="white",
            label=points[0].shown,
        )
    right.set(
        xlabel="Density of the planted masks, %", ylabel="Share found again", ylim=(-0.33, 1.03)
    )
    right.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
    right.legend(loc="lower left")
    return fig


def _ideal(report: Report) -> Figure:
    ideal = report.ideal
    table = [
        Point(
            Axis.REACHED,
            each.sets,
            Kind.MEASURED,
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
    theory = Point(Axis.REACHED, THEORY, Kind.ASYMPTOTIC, ideal.k_star, 0.5, n=report.n, d=report.d)
    table.append(theory)
    caption = (
        f"How many tokens an ideal residual could put on top in {report.model} (n={report.n}, "
        f"d={report.d}): the share of sets of k tokens that are the top k of some vector, decided "
        f"exactly, with 95 % intervals. Dashed, k* = {ideal.k_star}, up to which random sets of a "
        f"normal code are reached."
    )
    return Figure(FigureId.IDEAL_RESIDUAL, caption, table, _draw_ideal)


def _draw_ideal(table: Sequence[Point]) -> Drawn:
    fig, axes = style.figure()
    (theory,) = select(table, series=THEORY)
    for series, points in series_of(table, kind=Kind.MEASURED).items():
        index = list(Sets).index(Sets(series))
        label = points[0].shown
        style.error_bars(axes, points, style.COLOURS[index], MARKERS[index], label=label)
        axes.plot([p.x for p in points], [p.y for p in points], color=style.COLOURS[index])
    axes.axvline(theory.x, color=style.GREY, linestyle="--")
    axes.set(xlabel="Tokens in the set, $k$", ylabel="Share of sets on top", ylim=(-0.03, 1.03))
    axes.legend(loc="lower left")
    return fig
