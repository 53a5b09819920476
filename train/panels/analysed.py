"""A network trained and analysed in one task, whose result several panels read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulate.jobs import ids
from simulate.jobs.intervals import Count, Mean
from simulate.jobs.panel import FULL, QUICK, Effort
from simulate.jobs.tasks import Task
from train.analysis.mechanism import MechanismRecord
from train.analysis.prediction import Comparison
from train.analysis.uniformity import UniformityRecord
from train.measures import TrainedNetwork, seconds, trained
from train.panels.trained import which
from train.reading.subject import Subject
from train.training.presets import PRESETS
from train.training.recipe import Recipe

_CLAMP = replace(PRESETS["source"], batch=256, steps=4_000)
_COMPLEMENT = replace(PRESETS["complement"], batch=256, steps=4_000)
_FAST = PRESETS["fast"]
# between the two mechanisms' scales
_MIXED_SCALE = 0.5


@dataclass(frozen=True)
class Covered:
    """Covered non-members over independent inputs: inputs that have any, and their number."""

    failing: Count
    false_positives: Mean


@dataclass(frozen=True)
class Dissection:
    """Predictions beside measurements, uniformity and mechanism of one network."""

    comparisons: list[Comparison]
    covered: Covered
    uniformity: UniformityRecord
    mechanism: MechanismRecord


@dataclass(frozen=True)
class AnalysedNetwork:
    """A trained network and its analysis; none where it diverged or has no masks."""

    network: TrainedNetwork
    dissection: Dissection | None

    @property
    def recipe(self) -> Recipe:
        """Of the network."""
        return self.network.recipe


def recipes(effort: Effort) -> list[Recipe]:
    """Sizes and mechanisms of the survey's networks, three seeds of most."""
    if effort is QUICK:
        return [
            replace(_FAST, n=96, d=36, k=2, batch=128, steps=1_200),
            replace(_COMPLEMENT, n=96, d=36, k=2, batch=128, steps=2_000),
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


def analysed_task(recipe: Recipe, effort: Effort) -> Task[AnalysedNetwork]:
    """Train by the recipe, then take the network apart.

    The name tells recipes of the survey apart; panels that ask for the same network share it.
    """
    inputs = 20_000 if effort is QUICK else 100_000
    at = ids.of(
        **which(recipe),
        start=recipe.start,
        scale=recipe.embedding_scale,
        target=recipe.target_scale,
    )
    cost = seconds(recipe) + inputs * (2e-5 + 2e-7 * recipe.n)
    return Task(f"network/{at}", train_and_analyse, {"recipe": recipe, "inputs": inputs}, cost)


def train_and_analyse(rng: np.random.Generator, recipe: Recipe, inputs: int) -> AnalysedNetwork:
    """Task: train by the recipe, then `dissect` over so many fresh inputs.

    In the harder task the analysis is of the network without its second embedding, on the uniform
    task.
    """
    from simulate.harder_task import TargetNetwork

    found, state = trained(recipe)
    if state is None:
        return AnalysedNetwork(found, None)
    network = state.model.to_network()
    network = network.network if isinstance(network, TargetNetwork) else network
    return AnalysedNetwork(found, dissect(Subject(network, recipe.k, recipe.c), rng, inputs))


def dissect(subject: Subject, rng: np.random.Generator, inputs: int) -> Dissection | None:
    """Predictions, uniformity and mechanism of any network; None where no unit has a mask."""
    from train.analysis import mechanism, prediction, uniformity
    from train.analysis.outcomes import hashes_of, is_code
    from train.reading.masks import extract

    masks = extract(subject.network, subject.k, subject.c)
    if not is_code(hashes_of(masks)):
        return None
    predicted = prediction.analyse(subject, masks, rng, inputs)
    how = mechanism.analyse(subject, masks, rng)
    false_positives = predicted.sample.outcomes.false_positives
    return Dissection(
        comparisons=predicted.record.comparisons,
        covered=Covered(Count.of(false_positives > 0), Mean.of(false_positives)),
        uniformity=uniformity.analyse(subject, masks, rng),
        mechanism=how.record,
    )


def dissected(
    results: Sequence[AnalysedNetwork],
) -> list[tuple[AnalysedNetwork, Dissection]]:
    """The networks that could be taken apart, with their dissections."""
    return [(each, each.dissection) for each in results if each.dissection is not None]
