"""Why outputs over the members are so uniform: the parts of the variance of members' logits."""

from __future__ import annotations

from collections.abc import Sequence

from simulate.jobs.checks import Check
from simulate.jobs.panel import QUICK, Effort, Panel, Point, Row, series_of, size_label
from simulate.jobs.tasks import Task
from train.analysis.uniformity import PARTS
from train.panels.analysed import analysed_task, mean_point, recipes, trained

NAME = "uniformity"
SIZES = ((256, 48, 3), (512, 64, 3))
MECHANISMS = ("clamp", "complement")


def tasks(effort: Effort) -> list[Task]:
    """The survey's networks of two sizes, three tokens each; in a quick run all of them."""
    return [
        analysed_task(recipe, effort)
        for recipe in recipes(effort)
        if effort is QUICK or (recipe.n, recipe.d, recipe.k) in SIZES
    ]


def checks(rows: Sequence[Row]) -> list[Check]:
    """None: the parts are a finding; that they sum to the whole is an identity."""
    return []


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The clamp and complement networks of each size."""
    grouped: dict[str, list[Row]] = {}
    for mechanism in MECHANISMS:
        for row in trained(rows):
            if row["verdict"] == mechanism and row["uniformity"]["variance"]["value"] > 0.0:
                grouped.setdefault(f"{mechanism}, {size_label(row, 'nkd')}", []).append(row)
    return grouped


def table(rows: Sequence[Row]) -> list[Point]:
    """Means over seeds: each part's share and own variance, and the standard deviations."""
    made = []
    for name, own in _groups(rows).items():
        found = [row["uniformity"] for row in own]
        whole = [each["variance"]["value"] for each in found]
        for place, part in enumerate(PARTS):
            shares = [each["parts"][part]["share"]["value"] for each in found]
            made.append(mean_point("share", f"{name}: {part}", place, shares, own[0]))
            sizes = [
                each["parts"][part]["variance"] / total
                for each, total in zip(found, whole, strict=True)
            ]
            made.append(mean_point("own variance", f"{name}: {part}", place, sizes, own[0]))
        for place, (label, values) in enumerate(
            {
                "members' logits": [each["sd"] for each in found],
                "bit weights alone": [each["hash_dot_variance"] ** 0.5 for each in found],
                "without thresholds": [each["unsaturated_variance"] ** 0.5 for each in found],
            }.items()
        ):
            made.append(mean_point("sd", f"{name}: {label}", place, values, own[0]))
    return made


def figure(points: Sequence[Point]):
    """Left, the shares; right, the standard deviation beside what it would otherwise be."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.7, (1.5, 1.0))
    groups = list(dict.fromkeys(p.series.split(": ")[0] for p in points))
    for axes, axis, labels in (
        (left, "share", list(PARTS.values())),
        (right, "sd", ["members' logits", "bit weights alone", "without thresholds"]),
    ):
        for place, group in enumerate(groups):
            own = [
                p
                for series, found in series_of(points, axis=axis).items()
                if series.startswith(f"{group}: ")
                for p in found
            ]
            offset = 0.7 * ((place + 0.5) / len(groups) - 0.5)
            below = [p.y - (p.y if p.low is None else p.low) for p in own]
            above = [(p.y if p.high is None else p.high) - p.y for p in own]
            axes.errorbar(
                [p.y for p in own],
                [p.x + offset for p in own],
                xerr=[below, above],
                fmt="os^D"[place % 4],
                color=style.COLOURS[place % len(style.COLOURS)],
                markerfacecolor="white",
                elinewidth=0.9,
                capsize=1.5,
                label=style.as_math(group),
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
    "Left: the variance of the members' logits about their mean over the members of an input, by "
    "its parts, which sum to 1: a constant of the token, the coefficients alpha, the number of "
    "tokens that hit the member's own units, which tokens these are, the units it does not own, "
    "and what bypasses the units; covariance of the part with the whole over the whole's variance. "
    "Right: the standard deviation over the members; what it would be if logits were the "
    "sums of the tokens' bit weights; and of what comes through the units if their states were "
    "not cut at their thresholds. Mean over the seeds, 95 % intervals (Student t); 8,192 inputs "
    "each.",
    tasks,
    checks,
    table,
    figure,
)
