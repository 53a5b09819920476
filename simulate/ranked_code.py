"""Random signs read by rank, and the Bloom filter through a noisy residual: failures counted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from simulate.network import membership
from simulate.sampling import random_hashes, random_sets


def ranked_failures(
    rng: np.random.Generator, n: int, k: int, d: int, families: int, sets: int
) -> Int[np.ndarray, " families"]:
    """Failing inputs among `sets` of each of `families` random sign codes, no layer, alpha = 1.

    An input fails when some non-member's logit reaches some member's. Signs are +-1 in float32, so
    that the logits are exact integers (k d < 2^24).
    """
    failures = np.empty(families, dtype=np.int64)
    for family in range(families):
        signs = rng.integers(0, 2, size=(n, d), dtype=np.int8).astype(np.float32) * 2.0 - 1.0
        tokens = random_sets(rng, sets, n, k)
        logits = signs[tokens].sum(axis=1) @ signs.T
        members = membership(tokens, n)
        least = np.where(members, logits, np.inf).min(axis=1)
        most = np.where(members, -np.inf, logits).max(axis=1)
        failures[family] = np.count_nonzero(most >= least)
    return failures


def noisy_failures(
    rng: np.random.Generator,
    n: int,
    k: int,
    d: int,
    m: int,
    sigma: float,
    families: int,
    sets: int,
) -> Int[np.ndarray, " families"]:
    """Failing inputs of Bloom filters whose residual carries normal noise and is rounded at 1/2.

    An input fails when some member misses a bit or some non-member has all of its own.
    """
    failures = np.empty(families, dtype=np.int64)
    for family in range(families):
        hashes = random_hashes(rng, n, d, m)
        tokens = random_sets(rng, sets, n, k)
        residual = hashes[tokens].any(axis=1) + sigma * rng.standard_normal((sets, d))
        ones = (residual >= 0.5).astype(np.float32)
        accepted = ones @ hashes.T.astype(np.float32) >= m
        failures[family] = np.count_nonzero((accepted != membership(tokens, n)).any(axis=1))
    return failures
