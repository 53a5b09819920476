"""Networks for the tests of the analysis: exact ones, untrained and small trained ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from simulate.constructions import Hashes, clamp, complement, complement_limit
from simulate.jobs.output import as_json
from simulate.network import ReluNetwork
from simulate.sampling import telling_hashes

CONSTRUCTIONS: dict[str, Callable[..., ReluNetwork]] = {
    "clamp": clamp,
    "complement": complement,
    "complement_limit": complement_limit,
}
KIND = {"clamp": "clamp", "complement": "complement", "complement_limit": "complement"}


def plain(record: object) -> Any:
    """The record as it is read back from its JSON."""
    return json.loads(as_json(record))


def hashes_for(n: int, d: int, m: int, seed: int = 0) -> Hashes:
    """Random hashes in which every bit tells some tokens from others, by their seed."""
    return telling_hashes(np.random.default_rng([seed, 0]), n, d, m)


def untrained(rng: np.random.Generator, n: int, d: int, h: int) -> ReluNetwork:
    """Normal weights, no biases."""
    return ReluNetwork(
        W_E=rng.standard_normal((n, d)),
        W_in=rng.standard_normal((d, h)) / np.sqrt(d),
        b_in=np.zeros(h),
        W_out=rng.standard_normal((h, d)) / np.sqrt(h),
        W_U=rng.standard_normal((d, n)) / np.sqrt(d),
    )


@lru_cache
def trained(kind: str) -> tuple[ReluNetwork, int]:
    """A network trained for a second or more, float64, and its k; c = 2.

    clamp: from the exact construction, which training moves away from. half_trained: from normal
    weights towards a clamp, stopped when its modes begin to part. complement: from a small W_E.
    learned: a clamp from normal weights, which takes several seconds.
    """
    import torch

    from train.training.fit import advance, begin
    from train.training.recipe import Recipe

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
