"""Exactly uniform random inputs: distinct tokens, hashes without replacement, coefficients.

Both subsets are drawn by Floyd's algorithm (Bentley & Floyd 1987), one draw per element: for
j = N-K .. N-1 draw t uniform in 0..j and take t, or j where t is taken already.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from theory.domain import DomainError, check_code, check_integer, check_real, check_task


def random_sets(rng: np.random.Generator, sets: int, n: int, k: int) -> Int[np.ndarray, "sets k"]:
    """`sets` independent uniform k-subsets of range(n), int64 [sets, k].

    Uniform as sets; the order within a row is not. Cost O(sets k^2), memory 16 sets k bytes.
    """
    check_integer("sets", sets, 1)
    check_task(n, k)
    chosen = np.empty((k, sets), dtype=np.int64)
    for i, j in enumerate(range(n - k, n)):
        draw = rng.integers(0, j + 1, size=sets)
        taken = (chosen[:i] == draw).any(axis=0)
        chosen[i] = np.where(taken, j, draw)
    return np.ascontiguousarray(chosen.T)


def random_hashes(rng: np.random.Generator, n: int, d: int, m: int) -> Bool[np.ndarray, "n d"]:
    """n independent uniform m-subsets of the d bits as indicator rows, bool [n, d].

    Cost O(n m), memory n (d + 24) bytes.
    """
    check_integer("n", n, 1)
    check_code(1, d, m)
    hashes = np.zeros((n, d), dtype=bool)
    token = np.arange(n)
    for j in range(d - m, d):
        draw = rng.integers(0, j + 1, size=n)
        hashes[token, np.where(hashes[token, draw], j, draw)] = True
    return hashes


def telling_hashes(rng: np.random.Generator, n: int, d: int, m: int) -> Bool[np.ndarray, "n d"]:
    """Random hashes, drawn again until every bit is some tokens' and not all tokens'.

    Then each bit can be read off a network. Raises DomainError where none of 1,000 draws will do.
    """
    for _ in range(1000):
        hashes = random_hashes(rng, n, d, m)
        owners = hashes.sum(axis=0)
        if ((owners > 0) & (owners < n)).all():
            return hashes
    raise DomainError(
        f"n must be so large that every bit tells tokens apart; got n = {n}, d = {d}, m = {m}"
    )


def random_coefficients(
    rng: np.random.Generator, sets: int, k: int, c: float
) -> Float[np.ndarray, "sets k"]:
    """Coefficients alpha, independent and uniform on [1, c], float64 [sets, k]; c >= 1."""
    check_real("c", c, 1.0, closed=True)
    return rng.uniform(1.0, c, size=(sets, k))
