"""Hashes of varying weight, as real masks: Bernoulli bits, and m draws with replacement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

from simulate.estimators import DirectCounts, counts_in_family
from simulate.kernels import PackedHashes
from theory.domain import check_code, check_integer, check_real

DrawHashes = Callable[[np.random.Generator], Bool[np.ndarray, "n d"]]


def bernoulli_hashes(
    rng: np.random.Generator, n: int, d: int, rho: float
) -> Bool[np.ndarray, "n d"]:
    """Masks whose bits are independent, each owned with probability rho; bool [n, d].

    The probability is rounded to a multiple of 2^-24.
    """
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    check_real("rho", rho, 0.0, 1.0)
    return rng.random((n, d), dtype=np.float32) < np.float32(rho)


def with_replacement_hashes(
    rng: np.random.Generator, n: int, d: int, m: int
) -> Bool[np.ndarray, "n d"]:
    """Masks of the bits hit by m independent uniform draws a token; bool [n, d], weights 1..m."""
    check_integer("n", n, 1)
    check_code(1, d, m)
    hashes = np.zeros((n, d), dtype=bool)
    hashes[np.arange(n)[:, None], rng.integers(0, d, size=(n, m))] = True
    return hashes


def partitioned_hashes(rng: np.random.Generator, n: int, d: int, m: int) -> Bool[np.ndarray, "n d"]:
    """Masks of one random bit in each of m blocks as equal as can be; bool [n, d]."""
    check_integer("n", n, 1)
    check_code(1, d, m)
    small, larger = divmod(d, m)
    sizes = np.repeat([small, small + 1], [m - larger, larger])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    hashes = np.zeros((n, d), dtype=bool)
    hashes[np.arange(n)[:, None], starts + rng.integers(0, sizes, size=(n, m))] = True
    return hashes


def blocked_hashes(
    rng: np.random.Generator, n: int, d: int, m: int, block: int
) -> Bool[np.ndarray, "n d"]:
    """Masks of m different bits inside one of the d/block blocks; bool [n, d]."""
    check_integer("n", n, 1)
    check_code(1, block, m)
    hashes = np.zeros((n, d // block, block), dtype=bool)
    order = rng.random((n, block)).argsort(axis=1)[:, :m]
    chosen = rng.integers(0, d // block, size=n)
    hashes[np.arange(n)[:, None], chosen[:, None], order] = True
    return hashes.reshape(n, d)


def double_hashes(rng: np.random.Generator, n: int, d: int, m: int) -> Bool[np.ndarray, "n d"]:
    """Masks of enhanced double hashing, a + i b + (i^3 - i)/6 modulo d for i < m; bool [n, d]."""
    check_integer("n", n, 1)
    check_integer("m", m, 1)
    place, step = rng.integers(0, d, size=(2, n))
    hashes = np.zeros((n, d), dtype=bool)
    for i in range(m):  # the recurrence of Dillinger & Manolios, which the closed form solves
        hashes[np.arange(n), place] = True
        place, step = (place + step) % d, (step + i + 1) % d
    return hashes


def count_over_families(
    rng: np.random.Generator, draw: DrawHashes, k: int, families: int, sets: int
) -> DirectCounts:
    """Failures and false positives of `sets` random inputs of each of `families` fresh families.

    A false positive is a covered non-member: what the network's readout finds once every token
    has an output bias for its weight. Intervals must be clustered over the families.
    """
    check_integer("families", families, 1)
    check_integer("sets", sets, 1)
    failures, hits = np.empty((2, families), dtype=np.int64)
    for family in range(families):
        counts = counts_in_family(rng, PackedHashes.of(draw(rng)), k, sets)
        failures[family], hits[family] = np.count_nonzero(counts), counts.sum()
    return DirectCounts(sets, failures, hits)


def misranked(
    hashes: Bool[np.ndarray, "n d"], tokens: Int[np.ndarray, "sets k"]
) -> Bool[np.ndarray, " sets"]:
    """Whether a non-member's |S_i ∩ union| reaches the lightest member's |S_i|; bool [sets].

    The failures of a readout without output biases. Where all weights are equal these are the
    false positives. Cost O(sets n d / 64), memory 10 sets n bytes.
    """
    packed = PackedHashes.of(hashes)
    weight = hashes.sum(axis=1)
    overlap = weight - packed.missing_bits(tokens).astype(np.int64)
    np.put_along_axis(overlap, tokens, -1, axis=1)
    return overlap.max(axis=1) >= weight[tokens].min(axis=1)
