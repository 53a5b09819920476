"""Why outputs over the members are so uniform: the parts of the variance of members' logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from simulate.jobs import ids
from simulate.jobs.checks import Check
from simulate.jobs.panel import QUICK, Effort, Panel
from simulate.jobs.table import Point, key, select, xs, ys
from simulate.jobs.tasks import Task
from simulate.panels.measured import size_label
from train.analysis.mechanism import Verdict
from train.analysis.uniformity import INPUTS, PARTS, UniformityRecord
from train.panels.analysed import AnalysedNetwork, analysed_task, dissected, recipes
from train.panels.trained import mean_point, sizes
from train.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "uniformity"
SIZES = ((256, 48, 3), (512, 64, 3))
MECHANISMS = (Verdict.CLAMP, Verdict.COMPLEMENT)


class Axis(StrEnum):
    """What is in the table."""

    SHARE = "share"
    OWN_VARIANCE = "own_variance"
    SD = "sd"


class Deviation(StrEnum):
    """A standard deviation over the members, as it is and as it would be."""

    LOGITS = "logits"
    BIT_WEIGHTS = "bit_weights"
    UNSATURATED = "unsaturated"


DEVIATIONS = {
    Deviation.LOGITS: "members' logits",
    Deviation.BIT_WEIGHTS: "bit weights alone",
    Deviation.UNSATURATED: "without thresholds",
}


@dataclass(frozen=True)
class PartPoint(Point):
    """A part of the variance, or one of the deviations, of a group of networks."""

    mechanism: Verdict | None = key(None)
    part: str | None = key(None)


def tasks(effort: Effort) -> list[Task[AnalysedNetwork]]:
    """The survey's networks of two sizes, three tokens each; in a quick run all of them."""
    return [
        analysed_task(recipe, effort)
        for recipe in recipes(effort)
        if effort is QUICK or (recipe.n, recipe.d, recipe.k) in SIZES
    ]


def checks(results: Sequence[AnalysedNetwork]) -> list[Check]:
    """None: the parts are a finding; that they sum to the whole is an identity."""
    return []


Group = list[tuple[Recipe, UniformityRecord]]


def _groups(results: Sequence[AnalysedNetwork]) -> dict[tuple[Verdict, int, int, int], Group]:
    """The clamp and complement networks of each size, by mechanism, n, k and d."""
    grouped: dict[tuple[Verdict, int, int, int], Group] = {}
    for mechanism in MECHANISMS:
        for each, found in dissected(results):
            own, recipe = found.uniformity, each.recipe
            if found.mechanism.verdict is mechanism and own.variance.value > 0.0:
                group = (mechanism, recipe.n, recipe.k, recipe.d)
                grouped.setdefault(group, []).append((recipe, own))
    return grouped


def _of_group(own: Group) -> Iterator[tuple[Axis, str, int, list[float]]]:
    """Axis, part or deviation, its place, and its value in each network."""
    found = [record for _, record in own]
    for place, part in enumerate(PARTS):
        shares = [each.parts[part].share for each in found]
        yield Axis.SHARE, part, place, [share.value for share in shares if share is not None]
        of_whole = [each.parts[part].variance / each.variance.value for each in found]
        yield Axis.OWN_VARIANCE, part, place, of_whole
    for place, (deviation, values) in enumerate(
        {
            Deviation.LOGITS: [each.sd for each in found],
            Deviation.BIT_WEIGHTS: [each.hash_dot_variance**0.5 for each in found],
            Deviation.UNSATURATED: [each.unsaturated_variance**0.5 for each in found],
        }.items()
    ):
        yield Axis.SD, deviation, place, values


def table(results: Sequence[AnalysedNetwork]) -> list[PartPoint]:
    """Means over seeds: each part's share and own variance, and the standard deviations."""
    made = []
    for (mechanism, *_), own in _groups(results).items():
        recipe = own[0][0]
        series = ids.of(mechanism=mechanism, **sizes(recipe))
        label = f"{mechanism}, {size_label('nkd', **sizes(recipe))}"
        for axis, part, place, values in _of_group(own):
            if values:
                mean = mean_point(axis, series, place, values, recipe, label)
                made.append(PartPoint(**vars(mean), mechanism=mechanism, part=part))
    return made


def draw(points: Sequence[PartPoint]) -> Figure:
    """Left, the shares; right, the standard deviation beside what it would otherwise be."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.7, (1.5, 1.0))
    groups = list(dict.fromkeys(p.series for p in points))
    for axes, axis, labels in (
        (left, Axis.SHARE, list(PARTS.values())),
        (right, Axis.SD, list(DEVIATIONS.values())),
    ):
        for place, group in enumerate(groups):
            own = list(select(points, axis=axis, series=group))
            offset = 0.7 * ((place + 0.5) / len(groups) - 0.5)
            below = [p.y - (p.y if p.low is None else p.low) for p in own]
            above = [(p.y if p.high is None else p.high) - p.y for p in own]
            axes.errorbar(
                ys(own),
                [x + offset for x in xs(own)],
                xerr=[below, above],
                fmt="os^D"[place % 4],
                color=style.COLOURS[place % len(style.COLOURS)],
                markerfacecolor="white",
                elinewidth=0.9,
                capsize=1.5,
                label=f"{own[0].mechanism}, {style.sizes(own[0], 'nkd')}",
            )
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.grid(False, axis="y")
    left.axvline(0.0, color=style.INK, linewidth=0.7)
    left.set_xlabel("share of the members' variance")
    right.set_xlabel("sd over members, nats")
    right.set_xscale("log")
    style.label_1_2_5(right.xaxis)
    handles, names = left.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=2)
    return fig


PANEL = Panel(
    NAME,
    "Outputs are uniform because units saturate. Left: parts of the variance of the members' "
    "logits, which sum to 1. Right: their standard deviation over the members, beside that of "
    "sums of bit weights, and that of units which are not cut at their thresholds. Marks "
    f"are means over the seeds with 95 % intervals, from {INPUTS:,} inputs each.",
    tasks,
    checks,
    table,
    draw,
)
