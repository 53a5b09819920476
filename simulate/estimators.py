"""Monte Carlo estimators of the construction's failures.

`direct` counts false positives of real hash families and assumes nothing. `conditional` draws
real unions and averages the exact probability of failure given the union's size, which reaches
probabilities that counting never sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simulate.kernels import CoverageTable
from simulate.sampling import random_hashes, random_sets
from theory import false_positives, union_size
from theory.domain import check_integer, check_sizes

# blocks of hashes this large stay in the processor's cache
_BLOCK_BYTES = 2**21


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
    families. Memory 32 n d + 40 sets k bytes. Raises DomainError outside the sizes' domains.
    """
    check_sizes(n, k, d, m)
    check_integer("families", families, 1)
    check_integer("sets", sets, 1)
    failures, hits = np.empty((2, families), dtype=np.int64)
    for family in range(families):
        table = CoverageTable.of(random_hashes(rng, n, d, m))
        counts = table.count_false_positives(random_sets(rng, sets, n, k))
        failures[family] = np.count_nonzero(counts)
        hits[family] = counts.sum()
    return DirectCounts(sets, failures, hits)


def fresh_counts(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, inputs: int
) -> Int[np.ndarray, " inputs"]:
    """False positives of `inputs` inputs, each with a hash family of its own (annealed).

    The counts are independent. The members may be taken to be the first k tokens. Memory about
    4 MB, whatever the number of inputs.
    """
    check_sizes(n, k, d, m)
    check_integer("inputs", inputs, 1)
    counts = np.empty(inputs, dtype=np.int64)
    block = max(1, _BLOCK_BYTES // (n * (d + 24)))
    for start in range(0, inputs, block):
        families = min(block, inputs - start)
        hashes = random_hashes(rng, families * n, d, m).reshape(families, n, d)
        union = hashes[:, :k].any(axis=1, keepdims=True)
        covered = ~(hashes[:, k:] & ~union).any(axis=2)
        counts[start : start + families] = covered.sum(axis=1)
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

    Relative standard deviation of one value: 0.4 to 1.2 for k >= 6 at P_fail from 1e-3 to 1e-13;
    it grows as exp(m^2 / d) and is useless at k = 2 and small P_fail.
    """
    log_failure = false_positives.log_failure_given_union(n, k, d, m)
    return np.exp(log_failure[random_union_sizes(rng, k, d, m, unions) - m])


def conditional_false_positive_rate(
    rng: np.random.Generator, k: int, d: int, m: int, unions: int
) -> Float[np.ndarray, " unions"]:
    """f(W) of `unions` independent random unions: their mean estimates the FPR."""
    return np.exp(union_size.log_coverage(d, m)[random_union_sizes(rng, k, d, m, unions) - m])
