"""Predicted against measured: one network's quantities, and one quantity of many networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulate.jobs.figure import Figure
from simulate.jobs.table import Kind, Point, key, series_of
from train.analysis.figure_ids import FigureId
from train.analysis.prediction import (
    Comparison,
    NetworkComparison,
    PredictionRecord,
    Quantity,
    Source,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

QUANTITIES = {
    Quantity.FAILURE_RATE: "failure rate",
    Quantity.MECHANISTIC_FAILURE_RATE: "covered, share of inputs",
    Quantity.FALSE_POSITIVES: "covered, per input",
    Quantity.TOTAL_VARIATION: "total variation",
    Quantity.KL: "KL",
}
SOURCES = {
    Source.MASKS: "its masks, exact",
    Source.RANDOM_CODE: "random code",
    Source.LEVELS: "logit levels",
    Source.LINE: "β and offset",
    Source.THEORY: "constant weight, β",
}
# of the figure of many networks: what is predicted, by what
PANELS = (
    (Quantity.FAILURE_RATE, Source.MASKS),
    (Quantity.FAILURE_RATE, Source.RANDOM_CODE),
    (Quantity.TOTAL_VARIATION, Source.LEVELS),
)
NETWORKS = "networks"


@dataclass(frozen=True)
class Compared(Point):
    """x predicted, y measured. is_test: the prediction is exact for the filter of the masks.

    inside: the measured interval holds it. network: which, where there are many.
    """

    is_test: bool = False
    inside: bool = False
    network: str | None = key(None)


def figures(found: PredictionRecord) -> list[Figure]:
    """The figure of one network; none where nothing is positive on both sides."""
    table = [point for point in _table(found.comparisons) if point.x > 0.0 and point.y > 0.0]
    if not table:
        return []
    return [
        Figure(
            FigureId.PREDICTED_AGAINST_MEASURED,
            "How far measured numbers are from predicted ones; bars are the 95 % intervals of the "
            "measurements. Filled: predictions that are exact if the network is the filter of its "
            "masks. Hollow: models that are known to be approximate.",
            table,
            _draw,
        )
    ]


def networks_figure(rows: Sequence[NetworkComparison]) -> Figure:
    """The figure of many networks."""
    return Figure(
        "networks_predicted_against_measured",
        "Measured against predicted over many networks, 95 % intervals. Left: failure rate, by "
        "enumeration of the inputs for the network's own masks. Middle: the same for random masks "
        "with as many bits for each token. Right: total variation from the logit levels. In each "
        "title, how many networks' intervals hold the prediction.",
        networks_table(rows),
        draw_networks,
    )


def _point(
    axis: str,
    series: str,
    each: Comparison,
    label: str,
    n: int | None = None,
    k: int | None = None,
    d: int | None = None,
    network: str | None = None,
) -> Compared:
    return Compared(
        axis,
        series,
        Kind.MEASURED,
        each.predicted,
        each.measured.value,
        *each.measured.interval,
        n=n,
        k=k,
        d=d,
        label=label,
        is_test=each.kind == "test",
        inside=each.inside,
        network=network,
    )


def _table(comparisons: Sequence[Comparison]) -> list[Compared]:
    """A row for each comparison, by quantity and source."""
    return [
        _point(
            each.quantity,
            each.source,
            each,
            f"{QUANTITIES[each.quantity]}: {SOURCES[each.source]}",
        )
        for each in comparisons
    ]


def _draw(points: Sequence[Compared]) -> Drawn:
    from simulate.jobs import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.75, height=0.6 + 0.21 * len(points))
    places = list(range(len(points)))[::-1]
    for place, p in zip(places, points, strict=True):
        colour = style.COLOURS[list(Quantity).index(Quantity(p.axis))]
        low, high = (p.low or 0.0) / p.x, (p.high or p.y) / p.x
        axes.errorbar(
            [p.y / p.x],
            [place],
            xerr=[[max(p.y / p.x - low, 0.0)], [max(high - p.y / p.x, 0.0)]],
            fmt="o",
            color=colour,
            markerfacecolor=colour if p.is_test else "white",
            elinewidth=0.9,
            capsize=1.5,
        )
    axes.set_yticks(places, [p.shown for p in points])
    axes.axvline(1.0, color=style.GREY, linestyle=":", linewidth=0.9)
    axes.set_xscale("log")
    ratios = [p.y / p.x for p in points]
    # at least a factor of two either way, or agreement would look like noise
    axes.set_xlim(0.8 * min(0.6, *ratios), 1.25 * max(1.7, *ratios))
    style.label_1_2_5(axes.xaxis)
    axes.set_xlabel("measured / predicted")
    return fig


def networks_table(rows: Sequence[NetworkComparison]) -> list[Compared]:
    """One point a network: axis quantity and source, series the group."""
    return [
        _point(
            comparison_id(*panel),
            row.group or NETWORKS,
            row.comparison,
            "",
            row.n,
            row.k,
            row.d,
            row.name,
        )
        for panel in PANELS
        for row in rows
        if (row.comparison.quantity, row.comparison.source) == panel
    ]


def comparison_id(quantity: Quantity, source: Source) -> str:
    """The id of what is predicted and by what."""
    return f"{quantity}_from_{source}"


def draw_networks(points: Sequence[Compared]) -> Drawn:
    """Measured against predicted, one network a point."""
    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(PANELS), style.DOUBLE_COLUMN, 2.7)
    groups = list(dict.fromkeys(p.series for p in points))
    for axis, (quantity, source) in zip(axes, PANELS, strict=True):
        panel = [p for p in points if p.axis == comparison_id(quantity, source)]
        own = [p for p in panel if p.x > 0.0 and p.y > 0.0]
        axis.set_xlabel(f"predicted: {SOURCES[source]}")
        axis.set_ylabel(f"measured {QUANTITIES[quantity]}")
        inside = sum(p.inside for p in panel)
        axis.set_title(f"{inside} of {len(panel)} inside")
        axis.set_xscale("log")
        axis.set_yscale("log")
        if not own:
            continue
        low = 0.7 * min(min(p.x, p.low or p.y) for p in own)
        high = 1.4 * max(max(p.x, p.high or p.y) for p in own)
        axis.plot([low, high], [low, high], color=style.GREY, linewidth=0.8, zorder=1)
        for group, drawn in series_of(own).items():
            place = groups.index(group)
            style.error_bars(
                axis, drawn, style.COLOURS[place % len(style.COLOURS)], "os^Dv"[place % 5]
            )
        axis.set_xlim(low, high)
        axis.set_ylim(low, high)
        axis.set_aspect("equal")
        style.label_1_2_5(axis.xaxis)
        style.label_1_2_5(axis.yaxis)
    if len(groups) > 1:
        from matplotlib.lines import Line2D

        handles = [
            Line2D(
                [],
                [],
                color=style.COLOURS[place % len(style.COLOURS)],
                marker="os^Dv"[place % 5],
                markerfacecolor="white",
                linestyle="none",
                label=group,
            )
            for place, group in enumerate(groups)
        ]
        fig.legend(handles=handles, loc="outside upper center", ncols=len(groups))
    return fig
