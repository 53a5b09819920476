"""A network trained and analysed in one task, whose row several panels read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from simulate.jobs import intervals
from simulate.jobs.panel import DRAWN_CONFIDENCE, FULL, QUICK, Effort, Point, Row, size_label
from simulate.jobs.tasks import Task
from simulate.network import ReluNetwork
from train.panels.trained import plain_fields
from train.sweep import seconds
from train.sweep import trained as train_by
from train.training.presets import PRESETS
from train.training.recipe import Recipe

_CLAMP = replace(PRESETS["source"], batch=256, steps=4_000)
_COMPLEMENT = replace(PRESETS["complement"], batch=256, steps=4_000)
_FAST = PRESETS["fast"]
# between the two mechanisms' scales
_MIXED_SCALE = 0.5


def recipes(effort: Effort) -> list[Recipe]:
    """Sizes and mechanisms of the survey's networks, three seeds of most."""
    if effort is QUICK:
        small: dict[str, Any] = {"n": 96, "d": 36, "k": 2, "batch": 128}
        return [
            replace(_FAST, **small, steps=1_200),
            replace(_COMPLEMENT, **(small | {"batch": 256}), steps=3_500),
        ]
    families = []
    for n, d, k in ((128, 32, 2), (256, 48, 2), (256, 48, 3)):
        families += [replace(each, n=n, d=d, k=k) for each in (_CLAMP, _COMPLEMENT)]
    families += [
        replace(_COMPLEMENT, n=256, d=48, k=3, embedding_scale=_MIXED_SCALE),
        replace(_FAST, n=256, d=64, k=4, batch=256),
        replace(_COMPLEMENT, n=256, d=64, k=4),
        _FAST,
        replace(PRESETS["complement"], steps=6_000),
    ]
    seeds = 10 if effort is FULL else 3
    made = [replace(family, seed=seed) for family in families for seed in range(seeds)]
    wide = replace(_FAST, n=1024, d=96, k=4, steps=4_000, learning_rate=0.012, embedding_rate=0.096)
    return [*made, *(replace(wide, seed=seed) for seed in range(seeds - 1))]


def analysed_task(recipe: Recipe, effort: Effort) -> Task:
    """Train by the recipe, then `analysed`; the row has the recipe's fields too.

    The name tells recipes of the survey apart; panels that ask for the same network share it.
    """
    inputs = 20_000 if effort is QUICK else 100_000
    arguments = plain_fields(recipe)
    name = (
        f"network/{size_label(arguments, 'nkd')}, {recipe.start}, scale {recipe.embedding_scale:g}"
        f", target {recipe.target_scale:g}, {recipe.steps} steps, seed {recipe.seed}"
    )
    cost = seconds(recipe) + inputs * (2e-5 + 2e-7 * recipe.n)
    return Task(name, train_and_analyse, arguments | {"sample": inputs}, cost)


def train_and_analyse(rng: np.random.Generator, sample: int, **fields: Any) -> dict[str, Any]:
    """Train the network of Recipe(**fields): what `train_one` finds, and `analysed`.

    sample: fresh inputs of the analysis. diverged: where that is True nothing else is known. In
    the harder task the analysis is of the network without its second embedding, on the uniform
    task.
    """
    from simulate.harder_task import TargetNetwork

    recipe = Recipe(**fields)
    found, state = train_by(recipe)
    if state is None:
        return found
    network = state.model.to_network()
    network = network.network if isinstance(network, TargetNetwork) else network
    return found | analysed(network, recipe.k, recipe.c, rng, sample)


def analysed(
    network: ReluNetwork, k: int, c: float, rng: np.random.Generator, inputs: int
) -> dict[str, Any]:
    """Predictions beside measurements, uniformity and mechanism of any network, as plain data.

    comparisons: of `prediction.analyse`, over `inputs` fresh inputs. covered: inputs, those with a
    covered non-member, mean of their number and its standard error. uniformity, code, layer, bands
    and hash_dot: as in the analysis.
    """
    from train.analysis import mechanism, prediction, uniformity
    from train.analysis.report import plain
    from train.reading.masks import extract

    masks = extract(network, k, c)
    predicted = prediction.analyse(network, masks, k, c, rng, inputs)
    how = mechanism.analyse(network, masks, k, c, rng)
    return plain(
        {
            "comparisons": predicted.record["comparisons"],
            "covered": covered(predicted.sample.outcomes.false_positives),
            "uniformity": uniformity.analyse(network, masks, k, c, rng),
            **{name: how.record[name] for name in ("code", "layer", "bands", "hash_dot")},
        }
    )


def covered(false_positives: np.ndarray) -> dict[str, Any]:
    """Counts and moments of the covered non-members over independent inputs."""
    inputs = len(false_positives)
    return {
        "inputs": inputs,
        "failing": int(np.count_nonzero(false_positives)),
        "mean": float(false_positives.mean()),
        "standard_error": float(false_positives.std(ddof=1) / np.sqrt(inputs)),
    }


def trained(rows: Sequence[Row]) -> list[Row]:
    """The rows of the networks that did not diverge."""
    return [row for row in rows if not row["diverged"]]


def mean_point(axis: str, series: str, x: float, values: Sequence[float], row: Row) -> Point:
    """Mean over networks of several seeds with its 95 % interval (Student t); none of one seed."""
    sizes = {letter: row[letter] for letter in "nkd"}
    kind = f"mean of {len(values)} networks"
    if len(values) < 2:
        return Point(axis, series, kind, x, float(np.mean(values)), **sizes)
    found = intervals.mean(np.array(values), DRAWN_CONFIDENCE)
    return Point(axis, series, kind, x, found.estimate, *found.interval, **sizes)
