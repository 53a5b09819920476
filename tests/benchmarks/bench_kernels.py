"""`make bench`: sets per second of the kernels and of what one would use instead, on one thread.

All do one job: insert k tokens, query all n, count the hits. Sets are drawn beforehand except where
a benchmark says that it draws. The float GEMM asks whether the overlap of hash and union is m.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numba import njit
from rbloom import Bloom
from threadpoolctl import threadpool_limits

from simulate import estimators
from simulate.kernels import PackedHashes
from simulate.sampling import random_hashes, random_sets

N, K, D, M = 4096, 8, 256, 22
SIZES = {"n": N, "k": K, "d": D, "m": M}
GEMM_SETS = 1024  # a block of unions and overlaps of 18 MB, the fastest of 256 to 8192
GROWTH = (1_000, 10_000, 100_000, 1_000_000)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture
def measure(benchmark) -> Callable[..., Any]:
    """Time `function`, which handles that many sets a call, after one call to warm up."""

    def timed(function: Callable[[], Any], sets: int, rounds: int = 20, **info: Any) -> Any:
        benchmark.extra_info.update(SIZES | {"sets": sets, "threads": 1} | info)
        return benchmark.pedantic(function, rounds=rounds, warmup_rounds=1)

    return timed


HASHES = random_hashes(np.random.default_rng(0), N, D, M)
PACKED = PackedHashes.of(HASHES)


def sets_of(count: int, n: int = N) -> np.ndarray:
    return random_sets(np.random.default_rng(1), count, n, K)


def test_rbloom(measure) -> None:
    """A filter of 254 bits and 22 hashes a token."""
    rows = sets_of(50).tolist()

    def query() -> list[int]:
        counts = []
        for row in rows:
            filter_ = Bloom(K, 2.0**-M)
            filter_.update(row)
            counts.append(sum(token in filter_ for token in range(N)))
        return counts

    measure(query, len(rows))


def test_gemm(measure) -> None:
    """NumPy, float32: overlaps of every hash with a block of unions."""
    tokens, hashes = sets_of(GEMM_SETS), HASHES.astype(np.float32)
    transposed = np.ascontiguousarray(hashes.T)

    def query() -> np.ndarray:
        unions = hashes[tokens].max(axis=1)
        return (unions @ transposed > M - 0.5).sum(axis=1)

    assert (measure(query, len(tokens)) == PACKED.count_covered(tokens)).all()


@pytest.mark.parametrize(("engine", "count"), [("numba", 2**17), ("numpy", 2**14)])
def test_count_covered(measure, engine, count: int) -> None:
    tokens = sets_of(count)
    measure(lambda: PACKED.count_covered(tokens, engine), count)


@pytest.mark.parametrize(("engine", "count"), [("numba", 2**13), ("numpy", 2**10)])
def test_missing_bits_histogram(measure, engine, count: int) -> None:
    tokens = sets_of(count)
    measure(lambda: PACKED.missing_bits_histogram(tokens, engine), count)


def test_draw_sets(measure) -> None:
    rng = np.random.default_rng(2)
    measure(lambda: random_sets(rng, 2**16, N, K), 2**16)


def test_draw_and_query(measure) -> None:
    rng = np.random.default_rng(3)
    measure(lambda: estimators.counts_in_family(rng, PACKED, K, 2**17), 2**17)


def test_fresh_hashes_every_set(measure) -> None:
    """Annealed: every set has a hash family of its own, drawn here."""
    rng = np.random.default_rng(4)
    measure(lambda: estimators.fresh_counts(rng, **SIZES, inputs=256), 256)


@njit
def read_words(words, times):
    """A sum of all words, again and again: the compiler makes it a loop of vector loads."""
    total = np.uint64(0)
    for _ in range(times):
        for place in range(len(words)):
            total += words[place]
    return total


@pytest.mark.parametrize("tokens", [512, N])
def test_read_all_rows(measure, tokens: int) -> None:
    """Reading d/8 rows of n/8 bytes a set, from the tables of a tile and of all tokens."""
    words = np.ones(D // 8 * 256 * tokens // 64, dtype=np.uint64)
    row_words = D // 8 * N // 64
    times = 2**26 // len(words)
    measure(lambda: read_words(words, times), times * len(words) // row_words)


@pytest.mark.parametrize("n", GROWTH)
def test_growth_with_vocabulary(measure, n: int) -> None:
    packed = PackedHashes.random(np.random.default_rng(5), n, D, M)
    count = max(4096, 2**25 // n)
    tokens = sets_of(count, n)
    measure(lambda: packed.count_covered(tokens), count, rounds=5, n=n)
