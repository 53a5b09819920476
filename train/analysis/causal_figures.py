"""Figures of the causal checks: edits against predictions, and the way to the construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from simulate.jobs.figure import Figure
from simulate.jobs.table import Kind, Numbered, Point, select, series_of, xs, ys
from train.analysis.causal import (
    FAILURE_RATE,
    TOTAL_VARIATION,
    CausalRecord,
    Intervention,
    PathStep,
)
from train.analysis.figure_ids import FigureId

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

_LABELS = {
    Intervention.READ_FLIP: "read entry flipped",
    Intervention.WRITE_FLIP: "write entry flipped",
}


class Axis(StrEnum):
    """What is drawn."""

    EDITS = "edits"
    ABLATIONS = "ablations"
    TOTAL_VARIATION = "total_variation"
    FAILURE_RATE = "failure_rate"


class Series(StrEnum):
    """Of the way to the construction."""

    NETWORK = "network"
    CONSTRUCTION = "construction"


@dataclass(frozen=True)
class Ablation(Point):
    """One unit; the ends of the predicted interval."""

    predicted_low: float = 0.0
    predicted_high: float = 0.0


@dataclass(frozen=True)
class Step(Point):
    """One place of the way; step: the last one taken, in words."""

    step: str = ""


def figures(found: CausalRecord) -> list[Figure]:
    """Both figures; none of a network without clamp or complement units."""
    if not found.path:
        return []
    return [
        Figure(
            FigureId.CAUSAL_EDITS,
            "Edits of a filter do what its masks predict. Left: one token's bit of one unit is "
            "flipped; one point an edit, the change of the logits that it should move. Right: one "
            "unit no longer gates, its bit being in every union; one point a unit, the rise of "
            "the failure rate, with 95 % intervals.",
            edits_table(found),
            draw_edits,
        ),
        Figure(
            FigureId.CAUSAL_STEPS,
            "What the network's failures and total variation become on the way to the exact "
            "filter of its own masks (dotted), one step after the other, each half-way and whole. "
            "95 % intervals over inputs that all steps share.",
            steps_table(found),
            draw_steps,
        ),
    ]


def edits_table(found: CausalRecord) -> list[Point]:
    """x predicted, y measured."""
    table: list[Point] = [
        Numbered(
            Axis.EDITS,
            each.intervention,
            Kind.MEASURED,
            each.predicted,
            each.measured,
            label=_LABELS[each.intervention],
            number=number,
        )
        for number, each in enumerate(found.edits)
    ]
    for row in found.ablations:
        low, high = row.predicted_interval
        table.append(
            Ablation(
                Axis.ABLATIONS,
                str(row.unit),
                Kind.MEASURED,
                row.predicted,
                row.measured.value,
                *row.measured.interval,
                predicted_low=low,
                predicted_high=high,
            )
        )
    return table


def draw_edits(points: Sequence[Point]) -> Drawn:
    """Two scatter plots with their diagonals."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN * 0.85, 2.7)
    for place, own in enumerate(series_of(points, axis=Axis.EDITS).values()):
        left.plot(
            xs(own),
            ys(own),
            "os"[place % 2],
            color=style.COLOURS[place],
            markerfacecolor="none",
            markeredgewidth=0.8,
            label=own[0].shown,
        )
    for p in points:
        if isinstance(p, Ablation):
            right.plot(
                [p.predicted_low, p.predicted_high],
                [p.y, p.y],
                color=style.COLOURS[0],
                linewidth=0.9,
            )
            style.error_bars(right, [p], style.COLOURS[0], "o")
    for axes in (left, right):
        axes.axline((0.0, 0.0), slope=1.0, color=style.GREY, linewidth=0.8, zorder=1)
    if left.lines[:-1]:
        left.legend(loc="upper left")
    left.set_xlabel("predicted change of logits, nats")
    left.set_ylabel("measured, nats")
    right.set_xlabel("predicted rise of the failure rate")
    right.set_ylabel("measured")
    return fig


def steps_table(found: CausalRecord) -> list[Step]:
    """x steps taken, y the number after them; and the construction's, predicted."""
    table = []
    last = found.path[-1]

    def step(axis: Axis, row: PathStep) -> Step:
        value = row.total_variation if axis is Axis.TOTAL_VARIATION else row.failure_rate
        ends = value.interval
        return Step(
            axis, Series.NETWORK, Kind.MEASURED, row.steps, value.value, *ends, step=row.step
        )

    for axis, quantity in (
        (Axis.TOTAL_VARIATION, TOTAL_VARIATION),
        (Axis.FAILURE_RATE, FAILURE_RATE),
    ):
        table += [step(axis, row) for row in found.path]
        end = found.effect(Intervention.CONSTRUCTION, quantity)
        if end is not None:
            table.append(Step(axis, Series.CONSTRUCTION, Kind.PREDICTED, last.steps, end.predicted))
    return table


def draw_steps(points: Sequence[Step]) -> Drawn:
    """Total variation and failure rate over the steps."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, style.DOUBLE_COLUMN * 0.85, 2.9)
    labels = {Axis.TOTAL_VARIATION: TOTAL_VARIATION, Axis.FAILURE_RATE: FAILURE_RATE}
    for axes, (axis, label), colour in zip(both, labels.items(), style.COLOURS, strict=False):
        own = list(select(points, axis=axis, series=Series.NETWORK))
        axes.plot(xs(own), ys(own), color=colour, linewidth=0.9)
        style.error_bars(axes, own, colour, "o")
        for end in select(points, axis=axis, series=Series.CONSTRUCTION):
            axes.axhline(end.y, color=style.GREY, linestyle=":", linewidth=0.9)
        whole = [p for p in own if float(p.x).is_integer()]
        axes.set_xticks(xs(whole), [p.step for p in whole], rotation=40, ha="right")
        axes.tick_params(axis="x", length=2.0)
        axes.set_ylabel(label)
        axes.set_ylim(0.0, 1.15 * max(p.high or p.y for p in own) or 1.0)
    return fig
