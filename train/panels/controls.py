"""Controls: what remains without the layer, without learning W_E, or with nothing to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulate.jobs.checks import FALSE_ALARM, Check, lies_within
from simulate.jobs.panel import FULL, QUICK, Effort, Panel, Point, Row, select
from simulate.jobs.tasks import Task
from train.panels.trained import MEASURES, estimate, network_point, training_task
from train.training.presets import PRESETS

NAME = "controls"
NETWORKS = {
    "source": "trained",
    "exact_start": "trained from the exact construction",
    "construction": "the exact construction, untrained",
    "frozen_embedding": "W_E frozen at random",
    "no_layer": "no ReLU layer",
    "shuffled": "shuffled targets",
}


def _recipe(name: str, seed: int):
    if name == "construction":
        # one step at a rate of nothing: measured like the others
        exact = PRESETS["exact_start"]
        return replace(exact, steps=1, learning_rate=1e-12, embedding_rate=1e-12, seed=seed)
    return replace(PRESETS[name], seed=seed)


def tasks(effort: Effort) -> list[Task]:
    """Every control with its seeds."""
    seeds = range(1 if effort is QUICK else 5 if effort is FULL else 3)
    names = ("construction", "shuffled") if effort is QUICK else NETWORKS
    return [
        training_task(NAME, f"{name}, seed {seed}", _recipe(name, seed))
        for name in names
        for seed in seeds
    ]


def _name(row: Row) -> str:
    for name in NETWORKS:
        recipe = _recipe(name, row["seed"])
        if all(
            row[key] == getattr(recipe, key)
            for key in ("start", "layer", "shuffled_targets", "learning_rate")
        ) and list(recipe.frozen) == list(row["frozen"]):
            return name
    raise AssertionError("a row of another panel")


def checks(rows: Sequence[Row]) -> list[Check]:
    """Trained and exact networks work; without targets nothing is learned."""
    made = []
    for row in rows:
        name, seed = _name(row), row["seed"]
        if name in ("source", "exact_start"):
            upper = estimate(row, "total variation").interval[1]
            label = f"total variation, upper bound, {name}, seed {seed}"
            made.append(lies_within(NAME, label, 0.05, upper, (0.0, 0.05), FALSE_ALARM))
        if name == "shuffled":
            lower = estimate(row, "failure rate").interval[0]
            label = f"failure rate, lower bound, {name}, seed {seed}"
            made.append(lies_within(NAME, label, 1.0, lower, (0.99, 1.0), FALSE_ALARM))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Both measures of every network; x numbers the controls."""
    made = []
    for row in rows:
        name = _name(row)
        if row["diverged"]:
            continue
        x = float(list(NETWORKS).index(name))
        for measure in MEASURES:
            made.append(network_point(measure, NETWORKS[name], x, measure, row))
    return made


def figure(points: Sequence[Point]):
    """Failure rate and TV of each control, one mark per seed."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.2, (1.0, 1.0))
    labels = list(NETWORKS.values())
    for axes, measure in zip(both, MEASURES, strict=True):
        for colour, label in zip(style.COLOURS, labels, strict=True):
            own = list(select(points, axis=measure, series=label))
            for offset, point in enumerate(own):
                level = labels.index(label) + 0.16 * (offset - (len(own) - 1) / 2)
                low = point.y if point.low is None else point.low
                high = point.y if point.high is None else point.high
                axes.errorbar(
                    [point.y],
                    [level],
                    xerr=[[max(point.y - low, 0)], [max(high - point.y, 0)]],
                    fmt="o",
                    color=colour,
                    markerfacecolor="white",
                    markeredgewidth=0.9,
                    elinewidth=0.9,
                )
        axes.set_xscale("log")
        axes.set_xlabel(measure)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), labels if axes is both[0] else [""] * len(labels))
    return fig


PANEL = Panel(
    NAME,
    "Failure rate and total variation of the trained network beside its controls (n=512, d=64, "
    "k=3, c=2), one mark per seed with its 95 % interval over 100,000 fresh inputs: training from "
    "the exact construction with random hashes, that construction itself (logit scale beta = 2), "
    "W_E frozen at its random start, no ReLU layer, and targets that belong to other inputs.",
    tasks,
    checks,
    table,
    figure,
)
