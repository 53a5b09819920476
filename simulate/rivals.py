"""Simulators of the rivals."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from simulate.network import membership
from simulate.sampling import random_sets


def random_signs(rng: np.random.Generator, n: int, d: int) -> Float[np.ndarray, "n d"]:
    """n independent code vectors with entries +-1/sqrt(d), float64."""
    return rng.choice([-1.0, 1.0], size=(n, d)) / np.sqrt(d)


def linear_readout_error(
    embedding: Float[np.ndarray, "n d"], tokens: Int[np.ndarray, "sets k"]
) -> Float[np.ndarray, " sets"]:
    """Squared error of y = E x, x = sum_j e_j, against the members' indicator, over k.

    Float64 [sets]; 1 is the error of predicting zero.
    """
    n, k = len(embedding), tokens.shape[1]
    readout = embedding[tokens].sum(axis=1) @ embedding.T
    return ((readout - membership(tokens, n)) ** 2).sum(axis=1) / k


def mean_linear_readout_error(
    rng: np.random.Generator, n: int, k: int, d: int, families: int, sets: int
) -> Float[np.ndarray, " families"]:
    """Mean relative squared error over `sets` inputs of each of `families` random sign codes."""
    return np.array(
        [
            linear_readout_error(random_signs(rng, n, d), random_sets(rng, sets, n, k)).mean()
            for _ in range(families)
        ]
    )
