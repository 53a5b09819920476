"""The harder task's hidden layer beside the uniform task's, by the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from simulate.jobs.checks import Check
from simulate.jobs.panel import FULL, QUICK, Effort, Panel, Point, Row, select
from simulate.jobs.tasks import Task
from train.panels.analysed import analysed_task, mean_point, trained
from train.training.presets import PRESETS

NAME = "harder_hidden_layer"
HARDER = replace(PRESETS["harder"], steps=12_000)
TASKS = {"harder": "any distribution", "uniform": "uniform"}


def clamp_agreement(row: Row) -> float | None:
    """Share of (token, clamp unit) entries on which the masks agree; None unless most units clamp.

    A network's score counts those entries where clamp is the commoner orientation.
    """
    units = row["units"]
    if units["clamp"] <= units["complement"]:
        return None
    return row["score"] * (row["d"] - units["dead"]) / units["clamp"]


NUMBERS: dict[str, tuple[str, Callable[[Row], float | None]]] = {
    "clamp": ("share of clamp units", lambda row: row["units"]["clamp"] / row["d"]),
    "agreement": ("mask agreement", lambda row: row["mask_agreement"]),
    "clamp_agreement": ("agreement, clamp", clamp_agreement),
    "density": ("mask density", lambda row: row["density"]),
    "bits": ("bits per token", lambda row: row["bits_per_token"]["mean"]),
    "eigenvalue": (
        "eigenvalue, mean",
        lambda row: row["layer_eigenvalue"],
    ),
    "narrowed": ("union's band left", lambda row: row["bands"]["narrowed"]),
    "masks": (
        "failures by masks",
        lambda row: row["covered"]["failing"] / row["covered"]["inputs"],
    ),
    "failing": ("failures, own task", lambda row: row["failures"] / row["inputs"]),
    "variation": ("TV, own task", lambda row: row["total_variation"]["estimate"]),
}


def tasks(effort: Effort) -> list[Task]:
    """The harder task and the uniform one by the same recipe, with the same seeds."""
    seeds = range(1 if effort is QUICK else 6 if effort is FULL else 3)
    small = replace(PRESETS["fast"], n=96, d=40, k=2, batch=128, target_scale=1.0, steps=1_500)
    harder = small if effort is QUICK else HARDER
    return [
        analysed_task(replace(recipe, seed=seed), effort)
        for recipe in (harder, replace(harder, target_scale=0.0))
        for seed in seeds
    ]


def checks(rows: Sequence[Row]) -> list[Check]:
    """None: that the layers are alike is a finding, not a theorem."""
    return []


def table(rows: Sequence[Row]) -> list[Point]:
    """Verdicts, counted; each number by task, mean over seeds, then of each network (kind seed)."""
    made = []
    for place, task in enumerate(TASKS):
        own = [row for row in trained(rows) if (row["target_scale"] > 0.0) == (task == "harder")]
        if not own:
            continue
        for verdict in dict.fromkeys(row["verdict"] for row in own):
            count = sum(row["verdict"] == verdict for row in own)
            made.append(Point("verdict", task, verdict, place, count))
        for name, (_, number) in NUMBERS.items():
            values = [(row, value) for row in own if (value := number(row)) is not None]
            if not values:
                continue
            made.append(mean_point(name, task, place, [value for _, value in values], own[0]))
            sizes = {letter: own[0][letter] for letter in "nkd"}
            made += [
                Point(name, task, f"seed {row['seed']}", place, value, **sizes)
                for row, value in values
            ]
    return made


def figure(points: Sequence[Point]):
    """A small pair of axes for each number: every seed, and the mean with its interval."""
    from simulate.jobs import style

    fig, _ = style.figure(style.DOUBLE_COLUMN, 3.4)
    fig.clear()
    every = fig.subplots(2, 5)
    for axes, (name, (label, _)) in zip(every.flat, NUMBERS.items(), strict=True):
        for place, task in enumerate(TASKS):
            own = list(select(points, axis=name, series=task))
            colour = style.COLOURS[place]
            seeds = [p for p in own if p.kind.startswith("seed")]
            means = [p for p in own if not p.kind.startswith("seed")]
            axes.plot(
                [place + 0.18] * len(seeds),
                [p.y for p in seeds],
                marker="_",
                linestyle="none",
                color=colour,
            )
            style.error_bars(axes, means, colour, "os"[place])
        axes.set_xlim(-0.6, 1.6)
        axes.set_xticks([0, 1], list(TASKS))
        axes.set_title(label, fontsize=7)
        axes.margins(y=0.25)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.tick_params(axis="y", labelsize=6.5)
    return fig


PANEL = Panel(
    NAME,
    "Networks of the harder task, any wanted distribution over the k tokens (target logits of "
    "standard deviation 1), beside networks of the uniform task by the same recipe (n=512, d=h=96, "
    "k=3; 12,000 steps). Dashes: seeds; marks: their mean, 95 % interval (Student t). "
    "Agreement of the masks over all live units, and over the clamp units alone; mean "
    "eigenvalue of W_in W_out; width of the union's states after the layer over that before it; "
    "share of 100,000 inputs with a covered non-member. The last two numbers are of behaviour, "
    "each network on its own task.",
    tasks,
    checks,
    table,
    figure,
)
