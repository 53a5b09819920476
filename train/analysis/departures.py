"""The network outside its task: more tokens, other coefficients, lower precision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.random_code import RandomCode
from train.analysis import measured
from train.analysis.outcomes import (
    Alpha,
    Forward,
    Hashes,
    Outcomes,
    Tokens,
    fails,
    observe,
)

# multiples of the ends of [1, c]
BELOW = (0.1, 0.25, 0.5, 0.75, 0.9)
ABOVE = (1.25, 1.5, 2.0, 4.0, 8.0)


def unrestricted(network: ReluNetwork) -> ReluNetwork:
    """The same weights, which refuse no coefficient."""
    return replace(network, alpha_min=0.0)


def summary(seen: Outcomes, k: int) -> dict[str, Any]:
    """Distance, mass and failures of a sample of inputs of k tokens, each measured."""
    return {
        "total_variation": measured.mean(seen.total_variation),
        "mass": measured.mean(seen.mass),
        "lowest_member": measured.mean(seen.lowest_member),
        "failure_rate": measured.share(fails(seen.mass, k)),
        "mechanistic_failure_rate": measured.share(seen.false_positives > 0),
    }


def more_tokens(
    network: ReluNetwork, hashes: Hashes, k: int, c: float, rng: np.random.Generator, inputs: int
) -> list[dict[str, Any]]:
    """Inputs of k, k + 1, …, 3k tokens (at most n - 1), judged as if k were that number.

    random_code: P_fail of random masks of the network's weights. A failure is a mass below halfway
    between t/(t + 1) and 1, t the tokens of the input.
    """
    rows = []
    code = RandomCode.of(hashes)
    for count in range(k, min(3 * k, network.n - 1) + 1):
        tokens = random_sets(rng, inputs, network.n, count)
        alpha = random_coefficients(rng, inputs, count, c)
        seen, _ = observe(network, hashes, tokens, alpha)
        random_code = code.failure_probability(network.n, count)
        rows.append({"tokens": count, **summary(seen, count), "random_code": random_code})
    return rows


def other_coefficients(
    network: ReluNetwork, hashes: Hashes, k: int, c: float, rng: np.random.Generator, inputs: int
) -> list[dict[str, Any]]:
    """Coefficients outside [1, c], inside it, and at its ends.

    which: "all" gives every token the coefficient alpha; "one" only one of them, the others'
    being uniform on [1, c]. lowest_member is then mostly that token's probability, 1/k if it is
    treated as its equals are.
    """
    network = unrestricted(network)
    inside = np.unique([1.0, 0.5 * (1.0 + c), c]).tolist()
    rows = []
    for which in ("all", "one"):
        for value in [*BELOW, *inside, *(c * factor for factor in ABOVE)]:
            tokens = random_sets(rng, inputs, network.n, k)
            alpha = random_coefficients(rng, inputs, k, c)
            alpha[:, : k if which == "all" else 1] = value
            seen, _ = observe(network, hashes, tokens, alpha)
            rows.append({"which": which, "alpha": value, **summary(seen, k)})
    return rows


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Each value rounded to the nearest bfloat16, ties to even; float32."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).bfloat16().float().numpy()


def bfloat16_forward(network: ReluNetwork) -> Forward:
    """The forward pass in bfloat16: weights and every result rounded, sums kept in float32.

    As a matrix product of bfloat16 on a GPU does, the bias added before its result is rounded.
    """
    weights = {
        name: to_bfloat16(tensor)
        for name in ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
        if (tensor := getattr(network, name)) is not None
    }

    def forward(tokens: Tokens, alpha: Alpha) -> np.ndarray:
        members = weights["W_E"][tokens]
        x = to_bfloat16(np.einsum("sk,skd->sd", to_bfloat16(alpha), members))
        hidden = np.maximum(to_bfloat16(x @ weights["W_in"] + weights["b_in"]), 0.0)
        x = to_bfloat16(x + to_bfloat16(hidden @ weights["W_out"] + weights.get("b_out", 0.0)))
        return to_bfloat16(x @ weights["W_U"] + weights.get("b_U", 0.0))

    return forward


def precision(
    network: ReluNetwork, hashes: Hashes, k: int, tokens: Tokens, alpha: Alpha
) -> dict[str, Any]:
    """float32 against bfloat16 on the same inputs.

    float32, bfloat16: their summaries. total_variation_difference, kl_difference: bfloat16 less
    float32, paired. changed_failures: inputs that fail in one of them only. largest_mass_change.
    """
    network = network.astype(np.float32)
    exact, _ = observe(network, hashes, tokens, alpha)
    rounded, _ = observe(network, hashes, tokens, alpha, bfloat16_forward(network))
    changed = fails(exact.mass, k) != fails(rounded.mass, k)
    return {
        "float32": summary(exact, k),
        "bfloat16": summary(rounded, k),
        "total_variation_difference": measured.mean(
            rounded.total_variation - exact.total_variation
        ),
        "kl_difference": measured.mean(rounded.kl - exact.kl),
        "changed_failures": int(np.count_nonzero(changed)),
        "largest_mass_change": float(np.abs(rounded.mass - exact.mass).max()),
    }
