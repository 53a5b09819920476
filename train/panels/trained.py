"""Panels' view of trained networks: the task that trains one, and its measures as points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from simulate.jobs.checks import CONFIDENCE, Size
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Count, Estimate, Mean
from simulate.jobs.table import Kind, Named, Point, key, measured_point
from simulate.jobs.tasks import Task
from train.measures import Behaviour, Mechanism, TrainedNetwork, seconds, train_one
from train.training.recipe import Recipe


class Measure(Named):
    """What is measured of a trained network on fresh inputs."""

    FAILURE = "failure_rate", "failure rate"
    TOTAL_VARIATION = "total_variation", "total variation"
    KL = "kl", "KL"
    SQUARED_ERROR = "squared_error", "squared error"


@dataclass(frozen=True)
class NetworkPoint(Point):
    """A number of one network, told from others of its sizes by its training.

    steps, rate, seed: of the recipe; None where the number is of no single network.
    """

    steps: int | None = key(None)
    rate: float | None = key(None)
    seed: int | None = key(None)


def training_task(panel: str, name: str, recipe: Recipe) -> Task[TrainedNetwork]:
    """Train by the recipe, whose seed decides everything."""
    return Task(f"{panel}/{name}", train_one, {"recipe": recipe}, seconds(recipe))


def behaviour(network: TrainedNetwork) -> Behaviour:
    """Of a network that did not diverge."""
    assert network.behaviour is not None
    return network.behaviour


def mechanism(network: TrainedNetwork) -> Mechanism:
    """Of a network that did not diverge."""
    assert network.mechanism is not None
    return network.mechanism


def estimate(network: TrainedNetwork, measure: Measure, confidence: float = CONFIDENCE) -> Estimate:
    """One of the measures of a network, with its interval over fresh inputs."""
    found = behaviour(network)
    statistics: dict[Measure, Count | Mean] = {
        Measure.FAILURE: found.failure,
        Measure.TOTAL_VARIATION: found.total_variation,
        Measure.KL: found.kl,
        Measure.SQUARED_ERROR: found.squared_error,
    }
    return statistics[measure].at(confidence)


class RecipeSizes(TypedDict):
    """n, k and d, as a point has them."""

    n: int
    k: int
    d: int


def sizes(recipe: Recipe) -> RecipeSizes:
    """Of a recipe."""
    return {"n": recipe.n, "k": recipe.k, "d": recipe.d}


def which(recipe: Recipe) -> dict[str, Size]:
    """What tells the networks of a panel apart, for the ids of their checks."""
    return {
        "n": recipe.n,
        "k": recipe.k,
        "d": recipe.d,
        "steps": recipe.steps,
        "seed": recipe.seed,
    }


def network_point(
    axis: str, series: str, x: float, measure: Measure, network: TrainedNetwork, label: str = ""
) -> NetworkPoint:
    """A network's measure as a point with its 95 % interval, sizes and training."""
    found = estimate(network, measure, DRAWN_CONFIDENCE)
    point = measured_point(axis, series, Kind.TRAINED, x, found, label, **sizes(network.recipe))
    return of_network(point, network.recipe)


def of_network(point: Point, recipe: Recipe) -> NetworkPoint:
    """The point of a network that is trained by that recipe."""
    return NetworkPoint(
        **vars(point), steps=recipe.steps, rate=recipe.learning_rate, seed=recipe.seed
    )


def mean_point(
    axis: str,
    series: str,
    x: float,
    values: Sequence[float],
    recipe: Recipe,
    label: str = "",
    of: type[Mean] = Mean,
) -> Point:
    """Mean over networks of several seeds with its 95 % interval (Student t); none of one seed.

    of: `Share` where the values are shares.
    """
    if len(values) < 2:
        mean = float(np.mean(values))
        return Point(axis, series, Kind.MEAN, x, mean, label=label, **sizes(recipe))
    found = of.of(np.array(values)).at(DRAWN_CONFIDENCE)
    return measured_point(axis, series, Kind.MEAN, x, found, label, **sizes(recipe))
