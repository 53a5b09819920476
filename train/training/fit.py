"""Training: a state, steps that advance it, and what it measures on the way.

A state's weights depend on the recipe, the device and the number of threads alone: not on how the
steps are divided into calls, nor on what is measured between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from train.training.evenness import even_out
from train.training.held_out import HeldOut
from train.training.loss import Measures, TargetDivergence, measure
from train.training.model import ToyNetwork
from train.training.recipe import LOG_SCALE, Recipe
from train.training.start import initial_model
from train.training.subvocabulary import SubVocabulary
from train.training.task import Tokens, draw

FIRST_MOMENT = 0.9
_INPUTS_STREAM, _MEASURE_STREAM = 1, 2


class DivergedError(RuntimeError):
    """The loss is no longer a finite number; the message says at which step."""


@dataclass
class State:
    """A training run between two steps: `step` of them are done."""

    recipe: Recipe
    model: ToyNetwork
    optimiser: torch.optim.AdamW
    generator: torch.Generator
    held_out: HeldOut | None = None
    step: int = 0

    @property
    def done(self) -> bool:
        """Whether all steps of the recipe are done."""
        return self.step >= self.recipe.steps


def begin(recipe: Recipe, device: torch.device | str = "cpu") -> State:
    """The state before the first step."""
    model = initial_model(recipe).to(device)
    groups = []
    embeddings, layer, decay = (
        recipe.embedding_learning_rate,
        recipe.learning_rate,
        recipe.weight_decay,
    )
    readout, final_readout = recipe.readout_learning_rate, recipe.final_readout_learning_rate
    factor = recipe.final_rate_factor
    for names, largest, final_largest, own_decay in (
        (("W_E", "V"), embeddings, factor * embeddings, recipe.embedding_weight_decay),
        (("W_in", "b_in", "W_out"), layer, factor * layer, decay),
        (("W_U",), readout, final_readout, decay),
        ((LOG_SCALE,), 0.0, recipe.final_scale_rate, 0.0),
    ):
        weights = [
            weight
            for name, weight in model.named_parameters()
            if name in names and weight.requires_grad
        ]
        if weights:
            rates = {"largest": largest, "final_largest": final_largest}
            groups.append({"params": weights, "weight_decay": own_decay, **rates})
    betas = (FIRST_MOMENT, recipe.second_moment)
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=True)
    generator = _generator(recipe, _INPUTS_STREAM, device=device)
    held_out = HeldOut(recipe, device) if recipe.held_out else None
    return State(recipe, model, optimiser, generator, held_out)


def _generator(recipe: Recipe, *stream: int, device: torch.device | str = "cpu") -> torch.Generator:
    """An independent stream of the recipe's seed."""
    (word,) = np.random.SeedSequence(recipe.seed, spawn_key=stream).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(word))


def rate(recipe: Recipe, step: int) -> float:
    """The share of the largest learning rate that step (0-based) uses."""
    risen = min(1.0, (step + 1) / recipe.warmup) if recipe.warmup else 1.0
    return risen * (0.5 * (1 + math.cos(math.pi * step / recipe.steps))) ** recipe.cooling


def advance(state: State, steps: int) -> float:
    """Do the next `steps` steps, or as many as are left; returns their mean loss, nats.

    Raises DivergedError after a step whose loss is not finite, or at the end where a weight is not;
    the state is then of no use.
    """
    with _libraries().limit(limits=torch.get_num_threads(), user_api="blas"):
        return _advance(state, steps)


@cache
def _libraries() -> ThreadpoolController:
    """NumPy's BLAS, which multiplies large matrices (see `products`); to find it takes a while."""
    return ThreadpoolController()


def _advance(state: State, steps: int) -> float:
    recipe = state.recipe
    device = state.generator.device
    divergence = TargetDivergence()
    part: SubVocabulary | None = None
    autocast = (
        torch.autocast(device.type, torch.bfloat16)
        if recipe.precision == "bfloat16"
        else nullcontext()
    )
    total = 0.0
    steps = min(steps, recipe.steps - state.step)
    for _ in range(steps):
        share = rate(recipe, state.step)
        final = state.step >= recipe.final_step
        for group in state.optimiser.param_groups:
            group["lr"] = share * group["final_largest" if final else "largest"]
        tokens, tied_by = recipe.tokens_at(state.step), recipe.tied_by(state.step)
        if part is not None and (part.size != tokens or tied_by != state.model.tied_by):
            part.close()
            part = None
        state.model.tie_to(tied_by)
        if part is None and tokens < recipe.n:
            part = SubVocabulary(recipe, tokens, state.model, state.optimiser)
        with autocast:
            loss = _loss(state, divergence, part)
        loss.backward()
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        if part is not None:
            part.move()
        table = (state.model if part is None else part.model).W_E
        state.step += 1
        if recipe.evenness and table.requires_grad and state.step % recipe.evenness_interval == 0:
            reach = recipe.evenness * recipe.embedding_learning_rate * share
            reach *= recipe.evenness_interval * (recipe.final_rate_factor if final else 1.0)
            even_out(table, state.model.W_in, reach, settling=final)
        value = loss.item()
        if not math.isfinite(value):
            raise DivergedError(f"the loss is {value} at step {state.step}")
        total += value
    if part is not None:
        part.close()
    if not all(bool(weight.isfinite().all()) for weight in state.model.parameters()):
        raise DivergedError(f"a weight is not finite at step {state.step}")
    return total / max(steps, 1)


def _loss(state: State, divergence: TargetDivergence, part: SubVocabulary | None) -> Tensor:
    """The loss on the next fresh inputs, of all tokens or of the part's next ones."""
    recipe, task, model = state.recipe, state.recipe.task(), state.model
    never: Callable[[Tokens], Tensor] | None = None
    if state.held_out is not None:
        never = state.held_out.holds
    if part is not None:
        part.take(state.step)
        task, model = replace(task, n=part.size), part.model
        never = None if never is None else part.in_whole(never)
    batch = draw(task, recipe.batch_at(state.step), state.generator, never)
    wanted = batch.tokens.roll(1, dims=0) if recipe.shuffled_targets else batch.tokens
    return divergence(model, batch, wanted, part.others_weight if part else 1.0)


def judge(state: State, inputs: int = 8192) -> Measures:
    """The measures on fresh inputs that depend on the recipe's seed and the step alone.

    Raises DivergedError where they are not finite.
    """
    measures = measure(state.model, state.recipe.task(), inputs, fresh_inputs(state))
    if not math.isfinite(measures.kl):
        raise DivergedError(f"the KL divergence is {measures.kl} at step {state.step}")
    return measures


def fresh_inputs(state: State, further: int = 0) -> torch.Generator:
    """The stream that the state is judged on, from the recipe's seed and the step alone.

    further: 0 for the first such stream, 1 and so on for others, independent of it.
    """
    stream = (_MEASURE_STREAM, state.step, *([further] if further else []))
    return _generator(state.recipe, *stream, device=state.generator.device)


def milestones(steps: int, pieces: int = 60) -> Iterator[int]:
    """Steps at which to look: powers of 2 while they are close together, then evenly."""
    spacing = max(1, math.ceil(steps / pieces))
    power = 1
    while power < spacing:
        yield power
        power *= 2
    yield from range(spacing, steps, spacing)
    yield steps


def fit(
    recipe: Recipe,
    device: torch.device | str = "cpu",
    on_milestone: Callable[[State, float], None] = lambda state, loss: None,
) -> State:
    """Train from the start to the end; returns the state after the last step, with its model.

    on_milestone: called at each of `milestones` with the state and the mean loss since the last
    one, nats; it may look at the state but not change it. Raises DivergedError where a loss or a
    weight is not finite.
    """
    state = begin(recipe, device)
    finish(state, on_milestone)
    return state


def finish(state: State, on_milestone: Callable[[State, float], None]) -> None:
    """Do the steps that are left, looking at the milestones that are left."""
    for step in milestones(state.recipe.steps):
        if step > state.step:
            loss = advance(state, step - state.step)
            on_milestone(state, loss)
