"""Monte Carlo estimators of the construction's failures.

`direct` counts false positives of real hash families and assumes nothing. `conditional_failure`
draws real unions and averages the exact probability of failure given the union's size, which
reaches probabilities that counting never sees. `tilted_failure` also draws the union from its law,
for the k at which that is not enough. `planted_failure` makes the rare event happen in the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simulate.constructions import clamp
from simulate.kernels import PackedHashes
from simulate.sampling import random_coefficients, random_hashes, random_sets
from theory import false_positives, union_size
from theory.domain import DomainError, check_integer, check_sizes

# blocks of hashes this large stay in the processor's cache
_BLOCK_BYTES = 2**21
_BLOCK_SETS = 2**17


@dataclass(frozen=True)
class DirectCounts:
    """Per hash family, over its `sets` inputs: how many failed, and all their false positives."""

    sets: int
    failures: Int[np.ndarray, " families"]
    false_positives: Int[np.ndarray, " families"]


def direct(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, families: int, sets: int
) -> DirectCounts:
    """Counts over `sets` random inputs of each of `families` independent hash families.

    Inputs that share a family are correlated (quenched), so intervals must be clustered over the
    families. Memory about n d/4 bytes and 50 MB. Raises DomainError outside the sizes' domains.
    """
    check_sizes(n, k, d, m)
    check_integer("families", families, 1)
    check_integer("sets", sets, 1)
    if sets == 1:
        hits = fresh_counts(rng, n, k, d, m, families)
        return DirectCounts(1, (hits > 0).astype(np.int64), hits)
    failures, hits = np.empty((2, families), dtype=np.int64)
    for family in range(families):
        counts = counts_in_family(rng, PackedHashes.random(rng, n, d, m), k, sets)
        failures[family], hits[family] = np.count_nonzero(counts), counts.sum()
    return DirectCounts(sets, failures, hits)


def counts_in_family(
    rng: np.random.Generator, hashes: PackedHashes, k: int, sets: int
) -> Int[np.ndarray, " sets"]:
    """False positives of `sets` random inputs of one hash family (quenched): independent counts.

    Memory 8 bytes a set and about 50 MB.
    """
    n = len(hashes.words)
    counts = np.empty(sets, dtype=np.int64)
    for start in range(0, sets, _BLOCK_SETS):
        tokens = random_sets(rng, min(_BLOCK_SETS, sets - start), n, k)
        counts[start : start + len(tokens)] = hashes.count_false_positives(tokens)
    return counts


def fresh_counts(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, inputs: int
) -> Int[np.ndarray, " inputs"]:
    """False positives of `inputs` inputs, each with a hash family of its own (annealed).

    The counts are independent. The members may be taken to be the first k tokens. The other
    tokens' bits are drawn one at a time and a token is dropped at its first bit outside the union,
    so that about 2 n bits are drawn an input, not n m. Memory about 8 MB, whatever the number of
    inputs, or 50 n bytes if that is more.
    """
    check_sizes(n, k, d, m)
    check_integer("inputs", inputs, 1)
    counts = np.empty(inputs, dtype=np.int64)
    block = max(1, _BLOCK_BYTES // (16 * n + k * (d + 24)))
    for start in range(0, inputs, block):
        unions = min(block, inputs - start)
        members = random_hashes(rng, unions * k, d, m).reshape(unions, k, d)
        union = np.logical_or.reduce(members, axis=1)
        owner = np.repeat(np.arange(unions), n - k)
        chosen = np.empty((0, len(owner)), dtype=np.int64)
        for j in range(d - m, d):  # Floyd's algorithm, as in `random_hashes`
            bit = rng.integers(0, j + 1, size=len(owner))
            bit = np.where((chosen == bit).any(axis=0), j, bit)
            inside = union[owner, bit]
            owner = owner[inside]
            chosen = np.vstack([chosen, bit])[:, inside]
        counts[start : start + unions] = np.bincount(owner, minlength=unions)
    return counts


def random_union_sizes(
    rng: np.random.Generator, k: int, d: int, m: int, unions: int
) -> Int[np.ndarray, " unions"]:
    """Sizes of `unions` independent unions of k random hashes, counted bit by bit.

    Memory about 4 MB, whatever the number of unions.
    """
    check_integer("unions", unions, 1)
    sizes = np.empty(unions, dtype=np.int64)
    block = max(1, _BLOCK_BYTES // (d + 24))
    for start in range(0, unions, block):
        count = min(block, unions - start)
        union = random_hashes(rng, count, d, m)
        for _ in range(k - 1):
            union |= random_hashes(rng, count, d, m)
        sizes[start : start + count] = union.sum(axis=1)
    return sizes


def conditional_failure(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, unions: int
) -> Float[np.ndarray, " unions"]:
    """P(failure | union) of `unions` independent random unions: their mean estimates P_fail.

    The relative variance of one value is about exp((m^2/d)(r - r^2 ln(1/q))) - 1, r = q/p: a
    standard deviation of 1.45 at n = 4096, k = 8, P_fail = 1e-12, of 2.28 at n = 1000, k = 4, and
    hopeless at k = 2 (see `tilted_failure`).
    """
    log_failure = false_positives.log_failure_given_union(n, k, d, m)
    return np.exp(log_failure[random_union_sizes(rng, k, d, m, unions) - m])


def tilted_failure(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, unions: int
) -> Float[np.ndarray, " unions"]:
    """Importance sampling: weighted P(failure | union) whose mean estimates P_fail, for any k.

    The union grows by its exact transition law, tilted towards the unions behind P_fail; each
    value carries its likelihood ratio. Reaches P_fail = 1e-12 at k = 2 and 3, where
    `conditional_failure` has no chance. Rests on the theory's union law, as that does not.
    """
    check_sizes(n, k, d, m)
    check_integer("unions", unions, 1)
    tilt = false_positives.failure_tilt(n, k, d, m)
    w = np.full(unions, m)
    log_ratio = np.zeros(unions)
    for _ in range(k - 1):
        sizes, row = np.unique(w, return_inverse=True)
        law, log_mean = union_size.tilted_missing_bits(d, m, sizes, tilt)
        # one uniform draw in each row's own stretch of the concatenated distribution functions
        edges = (
            np.cumsum(law, axis=1) / law.sum(axis=1, keepdims=True) + np.arange(len(sizes))[:, None]
        )
        place = np.searchsorted(edges.ravel(), row + rng.random(unions), side="right")
        added = np.minimum(place - row * (m + 1), np.minimum(m, d - w))
        log_ratio += log_mean[row] - tilt * added
        w = w + added
    return np.exp(log_ratio + false_positives.log_failure_given_union(n, k, d, m)[w - m])


def planted_failure(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, inputs: int
) -> Float[np.ndarray, " inputs"]:
    """Weights whose mean is P_fail, from inputs of the real network with a false positive in them.

    Each input has its own random hashes, except that one non-member's hash is drawn inside the
    union, so that the float network is seen to fail; with weight N f(W) / #FP, #FP the false
    positives in that network's logits. Unbiased: N f(W) is the density of the planted outcome
    against the natural one, summed over which of the N non-members was planted. Cost O(n d)
    an input.
    """
    check_sizes(n, k, d, m)
    check_integer("inputs", inputs, 1)
    if n == k:
        raise DomainError(f"n must exceed k = {k} to plant a false positive; got {n}")
    log_coverage = union_size.log_coverage(d, m)
    tokens = np.arange(k)[None, :]
    weights = np.empty(inputs)
    for place in range(inputs):
        hashes = random_hashes(rng, n, d, m)
        union = np.flatnonzero(hashes[:k].any(axis=0))
        hashes[k] = False
        hashes[k, union[rng.permutation(len(union))[:m]]] = True
        alpha = random_coefficients(rng, 1, k, 2.0)
        logits = clamp(hashes, dtype=np.float32).logits(tokens, alpha)
        false_positive_count = np.count_nonzero(logits[0, k:] >= m - 1e-6)
        weights[place] = np.exp(log_coverage[len(union) - m]) * (n - k) / false_positive_count
    return weights
