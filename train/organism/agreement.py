"""How far two masks agree beyond chance: Cohen's kappa, column by column or of all pairs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

Rates = Float[np.ndarray, "..."]


def cohens_kappa(
    one: Bool[np.ndarray, "entries h"], other: Bool[np.ndarray, "entries h"]
) -> Float[np.ndarray, " h"]:
    """Agreement of two masks beyond chance, column by column; 1 where both are one same constant.

    (share that agrees - chance) / (1 - chance), chance = p q + (1 - p)(1 - q) of their densities.
    """
    return _beyond_chance((one == other).mean(axis=0), one.mean(axis=0), other.mean(axis=0))


def pairwise_kappa(
    one: Bool[np.ndarray, "entries components"], other: Bool[np.ndarray, "entries bits"]
) -> Float[np.ndarray, "components bits"]:
    """`cohens_kappa` of every column of one with every column of the other."""
    entries = len(one)
    owned, true = one.sum(axis=0)[:, None], other.sum(axis=0)[None, :]
    # whole numbers below 2^53, hence exact
    both = one.astype(np.float64).T @ other.astype(np.float64)
    agree = (entries - owned - true + 2.0 * both) / entries
    return _beyond_chance(agree, owned / entries, true / entries)


def _beyond_chance(agree: Rates, p: Rates, q: Rates) -> Rates:
    chance = p * q + (1.0 - p) * (1.0 - q)
    room = 1.0 - chance
    return np.where(room > 0.0, (agree - chance) / np.where(room > 0.0, room, 1.0), 1.0)
