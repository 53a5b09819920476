"""Figures of the causal checks: edits against predictions, and the way to the construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulate.jobs.panel import Point, select, series_of
from train.analysis.causal import Causal
from train.analysis.figure import AnalysisFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDITS, ABLATIONS = "edits", "ablations"
READ, WRITE = "read entry flipped", "write entry flipped"
VARIATION, FAILURE = "total variation", "failure rate"
_NAMES = {"read_flip": READ, "write_flip": WRITE}


def figures(found: Causal) -> list[AnalysisFigure]:
    """Both figures; none of a network without clamp or complement units."""
    if not found.record["path"]:
        return []
    return [
        AnalysisFigure(
            "causal_edits",
            (),
            "Left: one token's bit of one unit is flipped in the weights; the change of the logits "
            "that it should move, one point an edit, against what the masks and the bit's worth "
            "predict. Right: one unit no longer gates, so that its bit is always in the union; "
            "the rise of the failure rate, one point a unit, against that of the masks without the "
            "bit; 95 % intervals of both.",
            edits_table(found),
            draw_edits,
        ),
        AnalysisFigure(
            "causal_steps",
            (),
            "The network moved into the construction of its own masks, one step after the other, "
            "each half-way and whole; 95 % intervals over inputs that all steps share. Dotted: "
            "the exact filter of these masks.",
            steps_table(found),
            draw_steps,
        ),
    ]


def edits_table(found: Causal) -> list[Point]:
    """x predicted, y measured; an ablation's predicted interval as a point of kind low and high."""
    table = [
        Point(EDITS, _NAMES[name], "edit", predicted, value)
        for name, predicted, value in found.edits
    ]
    for row in found.record["ablations"]:
        value, (low, high) = row["measured"]["value"], row["measured"]["interval"]
        table.append(
            Point(ABLATIONS, str(row["unit"]), "measured", row["predicted"], value, low, high)
        )
        table += [
            Point(ABLATIONS, str(row["unit"]), kind, end, value)
            for kind, end in zip(("low", "high"), row["predicted_interval"], strict=True)
        ]
    return table


def draw_edits(points: Sequence[Point]) -> Figure:
    """Two scatter plots with their diagonals."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN * 0.85, 2.7)
    for place, (series, own) in enumerate(series_of(points, axis=EDITS).items()):
        left.plot(
            [p.x for p in own],
            [p.y for p in own],
            "os"[place % 2],
            color=style.COLOURS[place],
            markerfacecolor="none",
            markeredgewidth=0.8,
            label=series,
        )
    for own in series_of(points, axis=ABLATIONS).values():
        by_kind = {p.kind: p for p in own}
        centre = by_kind["measured"]
        right.plot(
            [by_kind["low"].x, by_kind["high"].x],
            [centre.y, centre.y],
            color=style.COLOURS[0],
            linewidth=0.9,
        )
        style.error_bars(right, [centre], style.COLOURS[0], "o")
    for axes in (left, right):
        axes.axline((0.0, 0.0), slope=1.0, color=style.GREY, linewidth=0.8, zorder=1)
    if left.lines[:-1]:
        left.legend(loc="upper left")
    left.set_xlabel("predicted change of logits, nats")
    left.set_ylabel("measured, nats")
    right.set_xlabel("predicted rise of the failure rate")
    right.set_ylabel("measured")
    return fig


def steps_table(found: Causal) -> list[Point]:
    """x steps taken, y the number after them, kind the step; and the construction's, predicted."""
    rows = found.record["path"]
    table = []
    for axis, key in ((VARIATION, "total_variation"), (FAILURE, "failure_rate")):
        for row in rows:
            value = row[key]
            table.append(
                Point(
                    axis, "network", row["step"], row["steps"], value["value"], *value["interval"]
                )
            )
        (end,) = (
            each
            for each in found.record["effects"]
            if (each["intervention"], each["quantity"]) == ("construction", axis)
        )
        table.append(Point(axis, "construction", "predicted", rows[-1]["steps"], end["predicted"]))
    return table


def draw_steps(points: Sequence[Point]) -> Figure:
    """Total variation and failure rate over the steps."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, style.DOUBLE_COLUMN * 0.85, 2.9)
    for axes, axis, colour in zip(both, (VARIATION, FAILURE), style.COLOURS, strict=False):
        own = list(select(points, axis=axis, series="network"))
        (end,) = select(points, axis=axis, series="construction")
        axes.plot([p.x for p in own], [p.y for p in own], color=colour, linewidth=0.9)
        style.error_bars(axes, own, colour, "o")
        axes.axhline(end.y, color=style.GREY, linestyle=":", linewidth=0.9)
        whole = [p for p in own if float(p.x).is_integer()]
        axes.set_xticks([p.x for p in whole], [p.kind for p in whole], rotation=40, ha="right")
        axes.tick_params(axis="x", length=2.0)
        axes.set_ylabel(axis)
        axes.set_ylim(0.0, 1.15 * max(p.high or p.y for p in own) or 1.0)
    return fig
