"""Networks for the tests of the analysis: exact ones, their symmetries, and small trained ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from simulate.constructions import Hashes, clamp, complement, complement_limit
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes

CONSTRUCTIONS: dict[str, Callable[..., ReluNetwork]] = {
    "clamp": clamp,
    "complement": complement,
    "complement_limit": complement_limit,
}
KIND = {"clamp": "clamp", "complement": "complement", "complement_limit": "complement"}


def hashes_for(n: int, d: int, m: int, seed: int = 0) -> Hashes:
    """Random hashes in which every bit tells some tokens from others."""
    for attempt in range(1000):
        hashes = random_hashes(np.random.default_rng([seed, attempt]), n, d, m)
        owners = hashes.sum(axis=0)
        if ((owners > 0) & (owners < n)).all():
            return hashes
    raise ValueError("no such hashes")


def mixed(hashes: Hashes, clamped: int, beta: float = 1.0) -> ReluNetwork:
    """The first `clamped` bits by the clamp, the others by the complement, exact for alpha >= 1."""
    n, d = hashes.shape
    rest = d - clamped
    ones, others = hashes[:, :clamped].astype(float), hashes[:, clamped:].astype(float)
    nothing = np.zeros((n, rest))
    W_in = np.zeros((clamped + 2 * rest, d))
    W_in[:clamped, :clamped] = np.eye(clamped)
    W_in[clamped : clamped + rest, clamped:] = -np.eye(rest)
    W_out = np.zeros((d, clamped + 2 * rest))
    W_out[:clamped, :clamped] = -np.eye(clamped)
    W_out[clamped:, clamped + rest :] = -np.eye(rest)
    return ReluNetwork(
        W_E=np.hstack([ones, others, nothing]),
        W_in=W_in,
        b_in=np.concatenate([-np.ones(clamped), np.ones(rest)]),
        W_out=W_out,
        W_U=beta * np.hstack([ones, nothing, others]).T,
    )


def untrained(rng: np.random.Generator, n: int, d: int, h: int) -> ReluNetwork:
    """Normal weights, no biases."""
    return ReluNetwork(
        W_E=rng.standard_normal((n, d)),
        W_in=rng.standard_normal((d, h)) / np.sqrt(d),
        b_in=np.zeros(h),
        W_out=rng.standard_normal((h, d)) / np.sqrt(h),
        W_U=rng.standard_normal((d, n)) / np.sqrt(d),
    )


def in_another_basis(
    network: ReluNetwork, rng: np.random.Generator, shift: float = 1.0
) -> tuple[ReluNetwork, np.ndarray]:
    """The same function, and the order of its units: rotated, permuted, rescaled, W_U shifted.

    Unit j of the result is unit order[j] of the network.
    """
    rotation = np.linalg.qr(rng.standard_normal((network.d, network.d)))[0]
    order = rng.permutation(network.h)
    scale = np.exp(rng.uniform(-2.0, 2.0, network.h))
    vector = shift * rng.standard_normal(network.d)
    return (
        replace(
            network,
            W_E=network.W_E @ rotation,
            W_in=rotation.T @ network.W_in[:, order] * scale,
            b_in=network.b_in[order] * scale,
            W_out=network.W_out[order] @ rotation / scale[:, None],
            W_U=rotation.T @ (network.W_U + vector[:, None]),
        ),
        order,
    )


@lru_cache
def trained(kind: str) -> tuple[ReluNetwork, int]:
    """A network trained for a second or more, float64, and its k; c = 2.

    clamp: from the exact construction, which training moves away from. half_trained: from normal
    weights towards a clamp, stopped when its modes begin to part. complement: from a small W_E.
    learned: a clamp from normal weights, which takes several seconds.
    """
    import torch

    from train.fit import advance, begin
    from train.recipe import Recipe

    learned = Recipe(n=96, d=24, k=3, batch=128, embedding_scale=3.0, steps=2000)
    recipe, steps = {
        "clamp": (Recipe(n=64, d=20, k=2, batch=64, start="exact", steps=400), 400),
        "half_trained": (learned, 450),
        "complement": (
            Recipe(n=64, d=20, k=2, batch=256, embedding_scale=0.125, steps=1500),
            1500,
        ),
        "learned": (learned, 2000),
    }[kind]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        state = begin(recipe)
        advance(state, steps)
    finally:
        torch.set_num_threads(threads)
    found = state.model.to_network()
    arrays = {name: getattr(found, name) for name in ("W_E", "W_in", "b_in", "W_out", "W_U")}
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    return ReluNetwork(**wide), recipe.k
