"""What is known of a trained network: how often it fails, and the numbers of its mechanism."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulate.harder_task import TargetNetwork
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Count, Estimate, Mean
from theory.false_positives import failure_probability
from theory.width import optimal_hashes_for_failure
from train.analysis.mechanism import (
    UnitCounts,
    Verdict,
    agreement,
    judged,
    layer_eigenvalues,
    score,
    units,
)
from train.reading.masks import CLAMP, extract
from train.training.recipe import Device, Recipe, Task

if TYPE_CHECKING:
    from simulate.rare_failures import Fails
    from train.training.fit import State
    from train.training.model import ToyNetwork

INPUTS, AT_ONCE = 100_000, 10_000
SCHEMA = 2


@dataclass(frozen=True)
class Behaviour:
    """Counts and moments over fresh inputs, from which intervals of any confidence follow.

    failure: inputs that fail. total_variation in [0, 1], kl in nats, squared_error: sums over the
    outputs, averaged over the inputs.
    """

    failure: Count
    total_variation: Mean
    kl: Mean
    squared_error: Mean


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over tokens or units; None where there are none."""

    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Mechanism:
    """The numbers of the mechanism, read off the weights; None where there is nothing to average.

    verdict and units: by orientation, see `analysis.mechanism`. mask_agreement: of what live units
    read and write. score: share of the entries that follow one construction. density: of the
    masks of the clamp and complement units; bits_per_token, tokens_per_unit: of the live ones.
    embedding_rms: of W_E. layer_eigenvalue: mean real part of those of W_in W_out on the clamp
    units, -1 in the construction.
    """

    verdict: Verdict
    units: UnitCounts
    mask_agreement: float | None
    score: float | None
    density: float | None
    bits_per_token: Spread
    tokens_per_unit: Spread
    embedding_rms: float
    layer_eigenvalue: float | None


@dataclass(frozen=True)
class TrainedNetwork:
    """A recipe and what became of it; one that diverged has neither behaviour nor mechanism."""

    recipe: Recipe
    behaviour: Behaviour | None
    mechanism: Mechanism | None

    @property
    def diverged(self) -> bool:
        """Whether the loss was no longer finite; nothing else is then known."""
        return self.behaviour is None


@dataclass(frozen=True)
class RandomFilter:
    """The m at which random hashes of d bits fail least, and their exact failure probability."""

    m: int
    failure_probability: float


@dataclass(frozen=True)
class MeasuresRecord:
    """What measures.json holds: each measure with its interval over `inputs` fresh inputs."""

    preset: str
    seed: int
    step: int
    inputs: int
    total_variation: Estimate
    kl: Estimate
    squared_error: Estimate
    failure_rate: Estimate
    best_random_filter: RandomFilter | None
    held_out: bool
    schema: int = SCHEMA


def save_network(path: Path, state: State, preset: str) -> None:
    """Write the weights as they are, with k, c, seed, step, preset and recipe as metadata."""
    from train.reading import weights

    recipe = state.recipe
    metadata = {
        "k": recipe.k,
        "c": recipe.c,
        "seed": recipe.seed,
        "step": state.step,
        "preset": preset,
        "recipe": json.dumps(asdict(recipe)),
    }
    weights.save(path, state.model.to_network(), metadata)


def behaviour(state: State, inputs: int = INPUTS) -> Behaviour:
    """Counts and moments on fresh inputs, held-out token sets among them.

    Raises DivergedError where they are not finite.
    """
    from train.training.fit import DivergedError, fresh_inputs
    from train.training.loss import outcomes

    found = outcomes(state.model, state.recipe.task(), inputs, fresh_inputs(state))

    def mean(name: str) -> Mean:
        measured = Mean.of(getattr(found, name).double().cpu().numpy())
        if not math.isfinite(measured.value + measured.standard_error):
            raise DivergedError(f"{name} is {measured.value} at step {state.step}")
        return measured

    return Behaviour(
        Count(int(found.failed.sum()), inputs),
        mean("total_variation"),
        mean("kl"),
        mean("squared_error"),
    )


def further_failures(state: State, inputs: int) -> Count:
    """Failures among further fresh inputs, independent of those of `behaviour`."""
    from train.training.fit import fresh_inputs
    from train.training.loss import failed_on
    from train.training.task import draw

    generator, task = fresh_inputs(state, further=1), state.recipe.task()
    hits = 0
    for start in range(0, inputs, AT_ONCE):
        batch = draw(task, min(AT_ONCE, inputs - start), generator)
        hits += int(failed_on(state.model, task, batch).sum())
    return Count(hits, inputs)


def measures(state: State, preset: str) -> MeasuresRecord:
    """What is recorded of a finished run, at 95 % confidence."""
    found = behaviour(state)
    return MeasuresRecord(
        preset=preset,
        seed=state.recipe.seed,
        step=state.step,
        inputs=found.failure.trials,
        total_variation=found.total_variation.at(DRAWN_CONFIDENCE),
        kl=found.kl.at(DRAWN_CONFIDENCE),
        squared_error=found.squared_error.at(DRAWN_CONFIDENCE),
        failure_rate=found.failure.at(DRAWN_CONFIDENCE),
        best_random_filter=best_random_filter(state.recipe),
        held_out=state.recipe.held_out > 0.0,
    )


def mechanism(state: State) -> Mechanism:
    """The numbers of the mechanism, read off the weights."""
    network = state.model.to_network()
    network = network.network if isinstance(network, TargetNetwork) else network
    masks = extract(network, state.recipe.k, state.recipe.c)
    code, oriented = masks.read[:, masks.live], masks.read[:, masks.orientation != 0]
    eigenvalues = layer_eigenvalues(network, masks.orientation == CLAMP)
    return Mechanism(
        verdict=judged(masks).verdict,
        units=units(masks),
        mask_agreement=agreement(masks).value,
        score=score(masks).value,
        density=float(oriented.mean()) if oriented.size else None,
        bits_per_token=_spread(code.sum(1)),
        tokens_per_unit=_spread(code.sum(0)),
        embedding_rms=float(np.sqrt((network.W_E.astype(np.float64) ** 2).mean())),
        layer_eigenvalue=float(eigenvalues.real.mean()) if eigenvalues.size else None,
    )


def _spread(values: np.ndarray) -> Spread:
    if not values.size:
        return Spread(None, None)
    return Spread(float(values.mean()), float(values.std()))


def trained(recipe: Recipe, device: Device = "cpu") -> tuple[TrainedNetwork, State | None]:
    """Train on one thread and measure; the state is None for a network that diverged."""
    from train.training.fit import DivergedError, fit
    from train.training.threads import one_thread

    with one_thread():
        try:
            state = fit(recipe, device)
            return TrainedNetwork(recipe, behaviour(state), mechanism(state)), state
        except DivergedError:
            return TrainedNetwork(recipe, None, None), None


def train_one(rng: np.random.Generator, recipe: Recipe) -> TrainedNetwork:
    """Task: train by the recipe, whose seed decides everything; rng is not used."""
    return trained(recipe)[0]


def seconds(recipe: Recipe) -> float:
    """About how long training takes on one core; products with all its tokens dominate."""

    def of(steps: int, step: int) -> float:
        tokens = recipe.tokens_at(step)
        products = float(recipe.batch_at(step) * tokens * recipe.d)
        if recipe.evenness:
            products += tokens * recipe.d * recipe.hidden / recipe.evenness_interval
        return steps * (5e-4 + 1.2e-10 * products)

    final = recipe.steps - recipe.final_step
    return of(recipe.steps - final, 0) + of(final, recipe.steps - 1)


def best_random_filter(recipe: Recipe) -> RandomFilter | None:
    """The m at which random hashes of d bits fail least, and their failure probability, exact.

    None in the harder task, whose d coordinates carry more than the hashes, and where k = n.
    """
    if recipe.target_scale > 0 or recipe.k == recipe.n:
        return None
    m = optimal_hashes_for_failure(recipe.n, recipe.k, recipe.d)
    return RandomFilter(m, failure_probability(recipe.n, recipe.k, recipe.d, m))


def failing(model: ToyNetwork, task: Task, rng: np.random.Generator) -> Fails:
    """Whether the network fails on given tokens, with coefficients that it draws from `rng`."""
    import torch

    from train.training.loss import failed_on
    from train.training.task import Batch

    device = next(model.parameters()).device

    def fails(tokens: np.ndarray) -> np.ndarray:
        alpha = rng.uniform(1.0, task.c, tokens.shape).astype(np.float32)
        batch = Batch(torch.from_numpy(tokens), torch.from_numpy(alpha)).to(device)
        found: np.ndarray = failed_on(model, task, batch).cpu().numpy()
        return found

    return fails
