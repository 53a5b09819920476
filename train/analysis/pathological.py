"""Inputs whose hashes hardly meet, or nearly coincide: the largest and the smallest unions.

A large union covers strangers. Within one input, overlap is good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulate.jobs.intervals import Count, Estimate
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.random_code import RandomCode
from train.analysis.outcomes import Hashes, Outcomes, Tokens, observe
from train.reading.failure import fails

RESTARTS = 256
MOST_EXTREMES = 64
_MOST_SWEEPS = 100
# of one sweep over all tokens of all restarts
MOST_PRODUCTS = 2**32


@dataclass(frozen=True)
class Extreme:
    """Inputs with the largest, or the smallest, union found, and what the network makes of them.

    tokens: of one input. inputs: how many of that size were found and run (at most 64, coefficients
    uniform on [1, c]); over those, which are no sample of anything, the shares that fail and the
    means of the rest.
    """

    tokens: list[int]
    union_size: int
    inputs: int
    failure_rate: float
    mechanistic_failure_rate: float
    false_positives: float
    near_misses: float
    mass: float
    total_variation: float


@dataclass(frozen=True)
class ExtremeUnions:
    """Both ends."""

    largest: Extreme
    smallest: Extreme


@dataclass(frozen=True)
class UnionSizeFailures:
    """Among inputs whose union has that size: how many fail, by behaviour and by masks.

    random_code: the same from the exact law of random masks of the network's weights.
    """

    union_size: int
    inputs: int
    failure_rate: Estimate
    mechanistic_failure_rate: Estimate
    random_code: float


def extreme_unions(
    rng: np.random.Generator, hashes: Hashes, k: int, largest: bool, restarts: int = RESTARTS
) -> Tokens:
    """Inputs with the largest or the smallest unions found by exchanging one token at a time.

    From `restarts` random inputs, each token in turn is replaced by the best one given the others,
    until no exchange helps; then only exchanges of two or more tokens could. Lower bounds of the
    largest union, upper bounds of the smallest. Distinct inputs, sorted tokens, best first.
    """
    n = len(hashes)
    bits = hashes.astype(np.float32)
    tokens = random_sets(rng, restarts, n, k)
    row = np.arange(restarts)

    def size(tokens: Tokens) -> np.ndarray:
        return np.logical_or.reduce(hashes[tokens], axis=1).sum(axis=1)

    before = size(tokens)
    for _ in range(_MOST_SWEEPS):
        for place in range(k):
            others = np.delete(tokens, place, axis=1)
            union = np.logical_or.reduce(hashes[others], axis=1)
            added = (~union).astype(np.float32) @ bits.T
            np.put_along_axis(added, others, -np.inf if largest else np.inf, axis=1)
            best = added.argmax(axis=1) if largest else added.argmin(axis=1)
            better = added[row, best] - added[row, tokens[:, place]]
            moved = better > 0 if largest else better < 0
            tokens[moved, place] = best[moved]
        after = size(tokens)
        if (after == before).all():
            break
        before = after
    found = np.unique(np.sort(tokens, axis=1), axis=0)
    order = size(found)
    return found[np.argsort(-order if largest else order, kind="stable")]


def extremes(
    network: ReluNetwork, hashes: Hashes, k: int, c: float, rng: np.random.Generator
) -> ExtremeUnions:
    """The largest and the smallest union found, on as many restarts as a second allows."""
    n, d = hashes.shape
    restarts = int(np.clip(MOST_PRODUCTS // (n * d * k), 4, RESTARTS))

    def of(largest: bool) -> Extreme:
        tokens = extreme_unions(rng, hashes, k, largest, restarts)[:MOST_EXTREMES]
        alpha = random_coefficients(rng, len(tokens), k, c)
        seen, _ = observe(network, hashes, tokens, alpha, count_levels=False)
        best = seen.union_size == seen.union_size[0]

        def mean(values: np.ndarray) -> float:
            return float(values[best].mean())

        return Extreme(
            tokens=tokens[0].tolist(),
            union_size=int(seen.union_size[0]),
            inputs=int(np.count_nonzero(best)),
            failure_rate=mean(fails(seen.mass, k)),
            mechanistic_failure_rate=mean(seen.false_positives > 0),
            false_positives=mean(seen.false_positives),
            near_misses=mean(seen.near_misses),
            mass=mean(seen.mass),
            total_variation=mean(seen.total_variation),
        )

    return ExtremeUnions(of(True), of(False))


def failure_by_union_size(
    seen: Outcomes, n: int, k: int, code: RandomCode
) -> list[UnionSizeFailures]:
    """A row for each size of the union among random inputs."""
    law = code.failure_given_union(n, k)
    failed = fails(seen.mass, k)
    return [
        UnionSizeFailures(
            int(size),
            int(np.count_nonzero(here)),
            Count.of(failed[here]).at(),
            Count.of(seen.false_positives[here] > 0).at(),
            float(law[size]),
        )
        for size in np.unique(seen.union_size)
        for here in [seen.union_size == size]
    ]
