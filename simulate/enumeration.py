"""All C(n, k) inputs of one code: its exact failure probability and false positives (quenched).

What `theory.quenched.failure_probability` computes, by the simulator's bit-packed kernels, which
take 22 million inputs of 512 tokens in a few seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from simulate.constructions import Hashes
from simulate.kernels import PackedHashes
from theory.domain import DomainError, check_integer, check_task

# C(512, 3) is 22 million
MOST_INPUTS = 2**25
_BLOCK_INPUTS = 2**17


@dataclass(frozen=True)
class Enumeration:
    """Exact counts over all inputs: those with a false positive, and all false positives."""

    inputs: int
    failures: int
    false_positives: int

    @property
    def failure_probability(self) -> Fraction:
        """P_fail of the code."""
        return Fraction(self.failures, self.inputs)

    @property
    def expected_false_positives(self) -> Fraction:
        """E#FP of the code."""
        return Fraction(self.false_positives, self.inputs)


def subsets(n: int, k: int, start: int, stop: int) -> Int[np.ndarray, "inputs k"]:
    """The k-subsets of range(n) numbered start..stop-1 in colexicographic order, int64.

    By the combinatorial number system: the subset's number is the sum of C(c_j, j) over its
    elements c_1 < ... < c_k. Raises DomainError where C(n, k) exceeds an int64.
    """
    check_task(n, k)
    if math.comb(n, k) >= 2**63:
        raise DomainError(f"C(n, k) must be below 2^63; got n = {n}, k = {k}")
    rest = np.arange(start, stop)
    chosen = np.empty((len(rest), k), dtype=np.int64)
    for j in range(k, 0, -1):
        # capped beyond every number that is looked up
        below = np.array([min(math.comb(token, j), 2**63 - 1) for token in range(n)])
        chosen[:, j - 1] = np.searchsorted(below, rest, side="right") - 1
        rest = rest - below[chosen[:, j - 1]]
    return chosen


def enumerate_inputs(hashes: Hashes, k: int) -> Enumeration:
    """Every input of the code. Raises DomainError where there are over 2^25."""
    n = len(hashes)
    inputs = math.comb(n, check_integer("k", k, 1, n, "n"))
    if inputs > MOST_INPUTS:
        raise DomainError(f"C(n, k) must be at most {MOST_INPUTS} inputs; got {inputs}")
    packed = PackedHashes.of(hashes)
    failures = false_positives = 0
    for start in range(0, inputs, _BLOCK_INPUTS):
        tokens = subsets(n, k, start, min(start + _BLOCK_INPUTS, inputs))
        counts = packed.count_false_positives(tokens)
        failures += int(np.count_nonzero(counts))
        false_positives += int(counts.sum())
    return Enumeration(inputs, failures, false_positives)
