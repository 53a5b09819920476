"""Masks by what the network does, from forward passes: no mode, threshold or matrix product.

What is called a trained network's truth, so that the masks read off its weights can be judged by
something that was found in another way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.domain import check_integer
from train.reading.masks import CLAMP, COMPLEMENT, NEITHER

BACKGROUNDS = 64
FIRING_INPUTS = 64
_SEARCHED_INPUTS = 2048


@dataclass(frozen=True)
class Effects:
    """Causal masks. switches: mean effect of adding the token on the unit's firing, in [-1, 1].

    orientation: +1 where the tokens that switch the unit switch it on, -1 where they switch it off,
    0 where there are none, or it is not live. live: it fires on some sampled inputs, not on all,
    and silencing it there moves some logits against others.
    read: the token switches the unit on most inputs that allow it to. write: silencing the unit
    where it fires raises the token's logit against the others' by more than half of the range.
    """

    orientation: Int[np.ndarray, " h"]
    live: Bool[np.ndarray, " h"]
    read: Bool[np.ndarray, "n h"]
    write: Bool[np.ndarray, "n h"]
    switches: Float[np.ndarray, "n h"]


def causal_masks(network: ReluNetwork, k: int, c: float, rng: np.random.Generator) -> Effects:
    """The masks of a network whose inputs have k of its n tokens, 2 <= k < n, alpha in [1, c]."""
    check_integer("k", k, 2, network.n - 1, "n - 1")
    switches = switching_effects(network, k, c, rng)
    read = np.abs(switches) > 0.5
    tokens = random_sets(rng, _SEARCHED_INPUTS, network.n, k)
    alpha = random_coefficients(rng, _SEARCHED_INPUTS, k, c)
    fires = _fires(network, network.residual(tokens, alpha))
    live = np.asarray(fires.any(axis=0) & ~fires.all(axis=0))
    write = np.zeros_like(read)
    for unit in np.flatnonzero(live):
        where = np.flatnonzero(fires[:, unit])[:FIRING_INPUTS]
        raised = _raised_by_silencing(network, int(unit), tokens[where], alpha[where])
        live[unit] = np.ptp(raised) > 0.0
        write[:, unit] = live[unit] & (raised > (raised.max() + raised.min()) / 2.0)
    net = (switches * read).sum(axis=0)
    side = np.where(net > 0.0, CLAMP, np.where(net < 0.0, COMPLEMENT, NEITHER))
    return Effects(np.where(live, side, NEITHER), live, read & live, write, switches)


def switching_effects(
    network: ReluNetwork, k: int, c: float, rng: np.random.Generator
) -> Float[np.ndarray, "n h"]:
    """How often adding a token to k - 1 others switches a unit on, less how often off.

    Shares of the 64 backgrounds on which the unit is silent, or fires, without the token; a
    background may hold the token already, and is then left out.
    """
    n, h = network.n, network.h
    others = random_sets(rng, BACKGROUNDS, n, k - 1)
    before = network.residual(others, random_coefficients(rng, BACKGROUNDS, k - 1, c))
    fired = _fires(network, before)
    on, off = np.zeros((2, n, h))
    silent, firing = np.zeros((2, n, h))
    for at in range(BACKGROUNDS):
        alpha = random_coefficients(rng, n, 1, c)
        now = _fires(network, before[at] + alpha.astype(network.dtype) * network.W_E)
        fresh = np.ones((n, 1), dtype=bool)
        fresh[others[at]] = False
        on += fresh & ~fired[at] & now
        off += fresh & fired[at] & ~now
        silent += fresh & ~fired[at]
        firing += fresh & fired[at]
    return on / np.maximum(silent, 1.0) - off / np.maximum(firing, 1.0)


def _fires(network: ReluNetwork, x: Float[np.ndarray, "sets d"]) -> Bool[np.ndarray, "sets h"]:
    return x @ network.W_in + network.b_in > 0


def _raised_by_silencing(
    network: ReluNetwork,
    unit: int,
    tokens: Int[np.ndarray, "sets k"],
    alpha: Float[np.ndarray, "sets k"],
) -> Float[np.ndarray, " n"]:
    """Mean rise of each token's logit when the unit writes nothing, less the mean over tokens."""
    W_out = network.W_out.copy()
    W_out[unit] = 0.0
    silenced = replace(network, W_out=W_out).logits(tokens, alpha)
    raised = (silenced.astype(np.float64) - network.logits(tokens, alpha)).mean(axis=0)
    return raised - raised.mean()
