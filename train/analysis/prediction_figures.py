"""Predicted against measured: one network's quantities, and one quantity of many networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simulate.jobs.panel import Point, series_of
from train.analysis.figure import AnalysisFigure
from train.analysis.prediction import Comparison, NetworkComparisons, Prediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTITIES = {
    "failure_rate": "failure rate",
    "mechanistic_failure_rate": "covered, share of inputs",
    "false_positives": "covered, per input",
    "total_variation": "total variation",
    "kl": "KL",
}
SOURCES = {
    "masks": "its masks, exact",
    "random_code": "random code",
    "levels": "logit levels",
    "line": "β and offset",
    "theory": "constant weight, β",
}
# of the figure of many networks: what is predicted, by what
PANELS = (
    ("failure_rate", "masks"),
    ("failure_rate", "random_code"),
    ("total_variation", "levels"),
)


def figures(found: Prediction) -> list[AnalysisFigure]:
    """The figure of one network; none where nothing is positive on both sides."""
    table = [point for point in _table(found.comparisons) if point.x > 0.0 and point.y > 0.0]
    if not table:
        return []
    return [
        AnalysisFigure(
            "predicted_against_measured",
            (),
            "Measured over predicted, with the 95 % interval of the measurement. Filled: a test, "
            "the prediction being exact if the network is the filter of its masks. Hollow: a "
            "model that is known to be none.",
            table,
            _draw,
        )
    ]


def networks_figure(found: NetworkComparisons) -> AnalysisFigure:
    """The figure of many networks."""
    return AnalysisFigure(
        "networks_predicted_against_measured",
        (),
        "Measured against predicted over many networks, 95 % intervals. Left: failure rate, by "
        "enumeration of the inputs for the network's own masks. Middle: the same for random masks "
        "with as many bits for each token. Right: total variation from the logit levels. In each "
        "title, how many networks' intervals hold the prediction.",
        networks_table(found.rows),
        draw_networks,
    )


def _table(comparisons: Sequence[Comparison]) -> list[Point]:
    """x predicted, y measured, with its interval; kind test or model."""
    return [
        Point(
            each.quantity,
            each.source,
            each.kind,
            each.predicted,
            each.measured["value"],
            *each.measured["interval"],
        )
        for each in comparisons
    ]


def _draw(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.75, height=0.6 + 0.21 * len(points))
    places = list(range(len(points)))[::-1]
    for place, p in zip(places, points, strict=True):
        colour = style.COLOURS[list(QUANTITIES).index(p.axis)]
        low, high = (p.low or 0.0) / p.x, (p.high or p.y) / p.x
        axes.errorbar(
            [p.y / p.x],
            [place],
            xerr=[[max(p.y / p.x - low, 0.0)], [max(high - p.y / p.x, 0.0)]],
            fmt="o",
            color=colour,
            markerfacecolor=colour if p.kind == "test" else "white",
            elinewidth=0.9,
            capsize=1.5,
        )
    axes.set_yticks(places, [f"{QUANTITIES[p.axis]}: {SOURCES[p.series]}" for p in points])
    axes.axvline(1.0, color=style.GREY, linestyle=":", linewidth=0.9)
    axes.set_xscale("log")
    ratios = [p.y / p.x for p in points]
    # at least a factor of two either way, or agreement would look like noise
    axes.set_xlim(0.8 * min(0.6, *ratios), 1.25 * max(1.7, *ratios))
    style.label_1_2_5(axes.xaxis)
    axes.set_xlabel("measured / predicted")
    return fig


def networks_table(rows: Sequence[dict[str, Any]]) -> list[Point]:
    """One point a network: axis quantity and source, series the group."""
    return [
        Point(
            f"{quantity} from {source}",
            row["group"] or "networks",
            "inside" if row["inside"] else "outside",
            row["predicted"],
            row["measured"]["value"],
            low=row["measured"]["interval"][0],
            high=row["measured"]["interval"][1],
            n=row["n"],
            k=row["k"],
            d=row["d"],
        )
        for quantity, source in PANELS
        for row in rows
        if (row["quantity"], row["source"]) == (quantity, source)
    ]


def draw_networks(points: Sequence[Point]) -> Figure:
    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(PANELS), style.DOUBLE_COLUMN, 2.7)
    groups = list(dict.fromkeys(p.series for p in points))
    for axis, (quantity, source) in zip(axes, PANELS, strict=True):
        panel = [p for p in points if p.axis == f"{quantity} from {source}"]
        own = [p for p in panel if p.x > 0.0 and p.y > 0.0]
        axis.set_xlabel(f"predicted: {SOURCES[source]}")
        axis.set_ylabel(f"measured {QUANTITIES[quantity]}")
        inside = sum(p.kind == "inside" for p in panel)
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
