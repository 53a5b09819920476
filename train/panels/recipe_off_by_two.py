"""How sharp the recipe from sizes is: one network with each rate and scale halved and doubled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from simulate.jobs import ids
from simulate.jobs.checks import Check
from simulate.jobs.panel import QUICK, Effort, Panel
from simulate.jobs.table import Kind, Named, Point, key, series_of, xs, ys
from simulate.jobs.tasks import Task
from theory.false_positives import failure_probability
from theory.width import optimal_hashes_for_failure, smallest_width
from train.measures import TrainedNetwork
from train.panels.trained import (
    Measure,
    NetworkPoint,
    mechanism,
    network_point,
    of_network,
    sizes,
    training_task,
)
from train.panels.trained_failure_against_width import small_recipe
from train.training.recipe import Recipe
from train.training.scaled import off_by, scaled_recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "recipe_off_by_two"
# the width is that at which the best random hashes fail this often
N, K, TARGET = 256, 3, 0.03
FACTOR = 2.0
RANDOM = "random_hashes"


class Changed(Named):
    """What is halved and doubled, by the recipe's field."""

    NOTHING = "nothing", "the recipe"
    LEARNING_RATE = "learning_rate", "rate of the layer"
    EMBEDDING_RATE = "embedding_rate", r"rate of $W_E$"
    READOUT_RATE = "readout_rate", r"rate of $W_U$"
    EMBEDDING_SCALE = "embedding_scale", r"scale of $W_E$"
    READOUT_SCALE = "readout_scale", r"scale of $W_U$"


class Axis(StrEnum):
    """What is drawn against the factor."""

    DENSITY = "density"
    FAILURE = "failure"


@dataclass(frozen=True)
class ChangedPoint(NetworkPoint):
    """A number of one network; times: the factor, 1 for the recipe itself."""

    times: float = key(1.0)


def base(effort: Effort) -> Recipe:
    """The recipe that is changed."""
    if effort is QUICK:
        return small_recipe()
    return scaled_recipe(N, K, smallest_width(N, K, TARGET).width)


def recipes(effort: Effort) -> dict[tuple[Changed, float], Recipe]:
    """By what is changed, and the factor."""
    own = base(effort)
    changed = {(Changed(name), times): r for (name, times), r in off_by(own, FACTOR).items()}
    return {(Changed.NOTHING, 1.0): own} | changed


def tasks(effort: Effort) -> list[Task[TrainedNetwork]]:
    """Train each network, from the same start on the same inputs."""
    return [
        training_task(NAME, ids.of(changed=changed, times=times), recipe)
        for (changed, times), recipe in recipes(effort).items()
    ]


def checks(results: Sequence[TrainedNetwork]) -> list[Check]:
    """None: no theory says how sharp a recipe is."""
    return []


def change(own: Recipe, recipe: Recipe) -> tuple[Changed, float]:
    """What was changed in a recipe, and the factor."""
    for changed in Changed:
        if changed is not Changed.NOTHING:
            before, after = getattr(own, changed), getattr(recipe, changed)
            if before != after:
                return changed, after / before
    return Changed.NOTHING, 1.0


def table(results: Sequence[TrainedNetwork]) -> list[ChangedPoint]:
    """Density of the masks and failure rate of every network, and what is best for random ones."""
    own = results[0].recipe
    n, k, d = own.n, own.k, own.d
    m = optimal_hashes_for_failure(n, k, d)
    made: list[ChangedPoint] = []
    for axis, best in (
        (Axis.DENSITY, m / d),
        (Axis.FAILURE, failure_probability(n, k, d, m)),
    ):
        made.append(ChangedPoint(axis, RANDOM, Kind.EXACT, 1.0, best, **sizes(own), m=m))
    for each in results:
        if each.diverged:
            continue
        changed, times = change(own, each.recipe)
        points = [network_point(Axis.FAILURE, changed, times, Measure.FAILURE, each, changed.label)]
        if (density := mechanism(each).density) is not None:
            label = changed.label
            point = Point(Axis.DENSITY, changed, Kind.TRAINED, times, density, label=label)
            points.append(of_network(replace(point, **sizes(own)), each.recipe))
        made += [ChangedPoint(**vars(point), times=times) for point in points]
    return made


def draw(points: Sequence[ChangedPoint]) -> Figure:
    """Left: density of the masks. Right: failure rate; both against the factor."""
    from matplotlib.ticker import FixedLocator, NullLocator

    from simulate.jobs import style

    fig, both = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.7)
    factors = [1 / FACTOR, 1.0, FACTOR]
    for axes, axis in zip(both, Axis, strict=True):
        (best,) = [p for p in points if p.axis == axis and p.kind == Kind.EXACT]
        axes.axhline(best.y, color=style.INK, linewidth=0.9, linestyle=":")
        (own,) = series_of(points, axis=axis).get(Changed.NOTHING, [None])
        for at, (changed, marker) in enumerate(zip(list(Changed)[1:], "os^Dv", strict=True)):
            line = series_of(points, axis=axis).get(changed, [])
            line = sorted([*line, *([own] if own else [])], key=lambda p: p.x)
            colour = style.COLOURS[at % len(style.COLOURS)]
            axes.plot(xs(line), ys(line), color=colour, marker=marker, label=changed.label)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(factors))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(factors, [f"{factor:g}" for factor in factors])
        axes.set_xlabel("times what the recipe says")
    both[0].set_ylabel("mask density")
    both[1].set_ylabel("failure rate")
    both[1].set_yscale("log")
    handles, names = both[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "What is lost when one rate or scale of the recipe from sizes is half or twice as large. One "
    f"network (n={N}, k={K}, at the width where the best random hashes fail on {100 * TARGET:g} %) "
    "is trained with each of them changed by itself. Left: density of the masks. Right: failure "
    "rate. Dotted: the best random hashes, exact.",
    tasks,
    checks,
    table,
    draw,
)
