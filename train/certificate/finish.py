"""Moving a trained network towards the construction, until `levels` certifies it.

What a network computes is decided by four tables (see `normal_form`): read, bias, cost and direct.
Their targets are the network's own masks rounded: each unit reads two levels, its median over the
tokens that do not own it and one low enough for a single owner to switch it off for certain; it
costs every token alike but its owners, whose costs are scaled until all members' logits are equal;
and the direct path is the construction's, none for clamp units and a 2^-10 of the reads for the
others. The finished network stands a given part of the way: its tables are the weighted means. At
the end of it members are equal, and a steep enough readout makes failure and a covered token one
and the same.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulate.jobs.intervals import Estimate, Mean
from simulate.network import ReluNetwork, divergence
from simulate.sampling import random_coefficients, random_sets
from theory.domain import DomainError, check_real
from train.certificate.gates import gates
from train.certificate.levels import Levels, levels
from train.reading.normal_form import NormalForm
from train.reading.rounding import rounded_cost, rounded_read

Goal = Literal["least", "sharp"]
_STEPS = 32
_MOST_SCALE = 2.0**11
MOST_LOSS = 1.1
_BATCH = 1000

# how much of a complement unit's read is left in the direct path
_PATH = 2.0**-10


def finish(form: NormalForm, strength: float, scale: float = 1.0) -> ReluNetwork:
    """The network `strength` of the way to its own rounding; float32, W_in and b_in unchanged.

    At 0 only the direct path is replaced and the members are made equal. scale multiplies the
    readout. Raises DomainError for strength outside [0, 1], scale outside (0, inf), more units than
    residual dimensions, or reads W_in that are dependent.
    """
    check_real("strength", strength, 0.0, 1.0, closed=True)
    check_real("scale", scale, 0.0)
    W_in = form.network.W_in.astype(np.float64)
    if np.linalg.matrix_rank(W_in) < form.h:
        raise DomainError(f"W_in must have rank h = {form.h} for the network to be finished")
    read, cost = form.read.mid, form.cost.mid
    read = read + strength * (rounded_read(form) - read)
    cost = cost + strength * (rounded_cost(form) - cost)
    cost = _equal_members(form, cost)
    back = np.linalg.pinv(W_in)
    gain = np.where(form.sign < 0, 1.0, 1.0 / _PATH)[:, None]
    return ReluNetwork(
        W_E=((read * form.sign) @ back).astype(np.float32),
        W_in=form.network.W_in.astype(np.float32),
        b_in=form.network.b_in.astype(np.float32),
        W_out=(-gain * back).astype(np.float32),
        W_U=(W_in @ (scale * cost / gain)).astype(np.float32),
    )


@dataclass(frozen=True)
class FinishedRecord:
    """What is recorded of it; trained_total_variation: before."""

    goal: Goal
    strength: float
    scale: float
    total_variation: Estimate
    trained_total_variation: Estimate


@dataclass(frozen=True)
class Finished:
    """A finished network that is certified, and how it was made.

    total_variation: its mean, and that of the network it came from (before), over the same random
    inputs.
    """

    form: NormalForm
    strength: float
    scale: float
    total_variation: Estimate
    before: Estimate


def certifiable(
    form: NormalForm, rng: np.random.Generator, goal: Goal = "least", inputs: int = 20_000
) -> Finished | None:
    """The least finished network that reaches the goal; None if none does.

    Goal least: of the strengths 0, 1/32, ..., 1 the least at which every gate is proved, every
    member outranks every token that misses a bit, by the structure of the weights alone, and the
    mean total variation over `inputs` random inputs is at most 1.1 times what it was. Goal sharp:
    full strength, and the least scale 1, 2, 4, ... at which, besides, an input is proved to fail if
    and only if it is covered.
    """
    tokens = random_sets(rng, inputs, form.n, form.k)
    alpha = random_coefficients(rng, inputs, form.k, form.c)

    def variation(network: ReluNetwork) -> np.ndarray:
        parts = (slice(start, start + _BATCH) for start in range(0, inputs, _BATCH))
        found = (divergence(network.logits(tokens[at], alpha[at]), tokens[at]) for at in parts)
        return np.concatenate([each.total_variation for each in found])

    before = variation(form.network)
    for strength in (1.0,) if goal == "sharp" else [step / _STEPS for step in range(_STEPS + 1)]:
        scale, network = 1.0, finish(form, strength)
        candidate = NormalForm(network, form.k, form.c, form.owners, form.sign)
        if not gates(candidate).proved.all():
            continue
        found = levels(candidate)
        if not (len(found.margin) > 1 and found.margin[1] > 0.0):
            continue
        while goal == "sharp" and not is_sharp(found, form.n, form.k):
            # all that is bounded doubles with W_U, without rounding
            scale, found = 2.0 * scale, found.doubled()
            if scale > _MOST_SCALE:
                return None
        network = dataclasses.replace(network, W_U=network.W_U * np.float32(scale))
        after = variation(network)
        if after.mean() <= MOST_LOSS * before.mean():
            candidate = NormalForm(network, form.k, form.c, form.owners, form.sign)
            return Finished(candidate, strength, scale, Mean.of(after).at(), Mean.of(before).at())
    return None


def is_sharp(found: Levels, n: int, k: int) -> bool:
    """Whether every input fails if its tokens cover another, and no other input does.

    It fails where the mass off its tokens is more than 1 / (2 k + 1) of that on them. Beside a
    covered token it is at least exp(-covered_gap) / k, without one at most (n - k) exp(-margin) / k
    with the margin of one missing bit.
    """
    threshold = k / (2 * k + 1)
    uncovered = math.log(max(n - k, 1) / (0.99 * threshold))
    return bool(-found.covered_gap > math.log(1.01 * threshold)) and bool(
        found.margin[1:2].min(initial=math.inf) > uncovered
    )


def _equal_members(form: NormalForm, cost: np.ndarray) -> np.ndarray:
    """Scale what each token's own clamp units cost so that all members' logits are equal.

    A member's logit is the sum of bias times cost over the clamp units, and their own costs are
    what differs. Tokens without a clamp unit, or whose own costs are not positive, are left.
    """
    clamp = (form.sign < 0)[:, None]
    shared = np.median(cost, axis=1, keepdims=True)
    own = np.where(form.owners.T & clamp, cost - shared, 0.0)
    level = form.bias.mid @ (np.where(clamp, cost, 0.0) - own)
    of_own = form.bias.mid @ own
    scalable = of_own > 0.0
    if not scalable.any():
        return cost
    wanted = np.median((level + of_own)[scalable])
    scale = np.where(scalable, (wanted - level) / np.where(scalable, of_own, 1.0), 1.0)
    return cost + own * (np.maximum(scale, 0.0) - 1.0)
