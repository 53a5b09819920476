"""Controls: what remains without the layer, without learning W_E, or with nothing to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from simulate.jobs.checks import FALSE_ALARM, Check, Which, lies_within
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Point, select
from simulate.jobs.tasks import Task
from train.measures import INPUTS, TrainedNetwork
from train.panels.trained import (
    Measure,
    NetworkPoint,
    estimate,
    network_point,
    training_task,
    which,
)
from train.training.presets import PRESETS
from train.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "controls"
SOURCE = PRESETS["source"]
DRAWN = (Measure.FAILURE, Measure.TOTAL_VARIATION)


class Control(StrEnum):
    """A network that is compared; those that are trained are presets of this name."""

    SOURCE = "source"
    EXACT_START = "exact_start"
    CONSTRUCTION = "construction"
    FROZEN_EMBEDDING = "frozen_embedding"
    NO_LAYER = "no_layer"
    SHUFFLED = "shuffled"


LABELS = {
    Control.SOURCE: "trained",
    Control.EXACT_START: "trained from the exact construction",
    Control.CONSTRUCTION: "the exact construction, untrained",
    Control.FROZEN_EMBEDDING: "$W_E$ frozen at random",
    Control.NO_LAYER: "no ReLU layer",
    Control.SHUFFLED: "shuffled targets",
}


class Quantity(StrEnum):
    """What is checked."""

    TOTAL_VARIATION = "total_variation"
    FAILURE = "failure_rate"


def _recipe(name: Control, seed: int) -> Recipe:
    if name is Control.CONSTRUCTION:
        # one step at a rate of nothing: measured like the others
        exact = PRESETS[Control.EXACT_START]
        return replace(exact, steps=1, learning_rate=1e-12, embedding_rate=1e-12, seed=seed)
    return replace(PRESETS[name], seed=seed)


def _in_small(recipe: Recipe) -> Recipe:
    """For a quick run: long enough for right targets to be learned in part."""
    return replace(recipe, n=128, d=48, k=3, batch=128, steps=min(recipe.steps, 600))


def tasks(effort: Effort) -> list[Task[TrainedNetwork]]:
    """Every control with its seeds."""
    seeds = range(1 if effort is QUICK else 5 if effort is FULL else 3)
    names = (Control.CONSTRUCTION, Control.SHUFFLED) if effort is QUICK else Control
    sized = _in_small if effort is QUICK else lambda recipe: recipe
    return [
        training_task(NAME, f"{name}, seed {seed}", sized(_recipe(name, seed)))
        for name in names
        for seed in seeds
    ]


def _control(network: TrainedNetwork) -> Control:
    own = {control: _recipe(control, network.recipe.seed) for control in Control}
    return next(c for c, of in own.items() if network.recipe in (of, _in_small(of)))


def checks(results: Sequence[TrainedNetwork]) -> list[Check]:
    """Trained and exact networks work; without targets nothing is learned."""
    made = []
    for network in results:
        control, seed = _control(network), network.recipe.seed
        at = {"control": control, **which(network.recipe)}
        if control in (Control.SOURCE, Control.EXACT_START):
            made.append(
                lies_within(
                    Which(NAME, Quantity.TOTAL_VARIATION, at),
                    f"total variation, upper bound, {LABELS[control]}, seed {seed}",
                    0.05,
                    estimate(network, Measure.TOTAL_VARIATION).interval[1],
                    (0.0, 0.05),
                    FALSE_ALARM,
                )
            )
        if control is Control.SHUFFLED:
            made.append(
                lies_within(
                    Which(NAME, Quantity.FAILURE, at),
                    f"failure rate, lower bound, {LABELS[control]}, seed {seed}",
                    1.0,
                    estimate(network, Measure.FAILURE).interval[0],
                    (0.99, 1.0),
                    FALSE_ALARM,
                )
            )
    return made


def table(results: Sequence[TrainedNetwork]) -> list[NetworkPoint]:
    """Both measures of every network; x numbers the controls."""
    made = []
    for network in results:
        if network.diverged:
            continue
        control = _control(network)
        x = float(list(Control).index(control))
        for measure in DRAWN:
            made.append(network_point(measure, control, x, measure, network, LABELS[control]))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Failure rate and TV of each control, one mark per seed."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.2, (1.0, 1.0))
    labels = [LABELS[control] for control in Control]
    for axes, measure in zip(both, DRAWN, strict=True):
        for level_of_all, (colour, control) in enumerate(zip(style.COLOURS, Control, strict=True)):
            own = list(select(points, axis=measure, series=control))
            for offset, point in enumerate(own):
                level = level_of_all + 0.16 * (offset - (len(own) - 1) / 2)
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
        axes.set_xlabel(measure.label)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_yticks(range(len(labels)), labels if axes is both[0] else [""] * len(labels))
    return fig


PANEL = Panel(
    NAME,
    "Without its ReLU layer, or with W_E frozen at a random start, a network fails far more often "
    f"(n={SOURCE.n}, d={SOURCE.d}, k={SOURCE.k}, c={SOURCE.c:g}). "
    "Further controls are training from the exact construction, that construction itself "
    "(random hashes, beta = 2), and targets that belong to other inputs. "
    f"Each mark is one seed with its 95 % interval over {INPUTS:,} fresh inputs.",
    tasks,
    checks,
    table,
    draw,
)
