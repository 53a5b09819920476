"""Estimators against the exact theory.

False-alarm budget: every statistical comparison uses intervals of confidence 1 - 1e-6; fewer than
40 comparisons, so at most 4e-5 for the file. Seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest

from simulate.estimators import (
    conditional_failure,
    direct,
    fresh_counts,
    planted_failure,
    random_union_sizes,
    tilted_failure,
)
from simulate.jobs import intervals
from simulate.kernels import PackedHashes
from simulate.sampling import random_sets
from theory.domain import DomainError
from theory.false_positives import (
    expected_false_positives,
    failure_probability,
)
from theory.union_size import mean_union_size, union_size_variance

CONFIDENCE = 1 - 1e-6
CODES = [(30, 3, 20, 4), (300, 4, 50, 8), (100, 1, 12, 3), (64, 8, 70, 70), (20, 6, 40, 1)]


@pytest.mark.parametrize("code", CODES, ids=str)
def test_direct(code: tuple[int, int, int, int]) -> None:
    """P_fail and E#FP, clustered over 200 families of 100 inputs."""
    counts = direct(np.random.default_rng(1), *code, families=200, sets=100)
    failure = intervals.clustered_proportion(counts.failures, counts.sets, CONFIDENCE)
    assert failure.contains(failure_probability(*code))
    hits = intervals.mean(counts.false_positives / counts.sets, CONFIDENCE)
    if hits.standard_error == 0.0:  # m = d: every non-member, every time
        assert hits.value == pytest.approx(expected_false_positives(*code), rel=1e-12)
    else:
        assert hits.contains(expected_false_positives(*code))


@pytest.mark.parametrize("code", CODES, ids=str)
def test_fresh(code: tuple[int, int, int, int]) -> None:
    """The same from independent inputs, one family each: Clopper-Pearson."""
    counts = fresh_counts(np.random.default_rng(2), *code, inputs=3000)
    failures = int(np.count_nonzero(counts))
    assert intervals.proportion(failures, 3000, CONFIDENCE).contains(failure_probability(*code))


@pytest.mark.parametrize("code", [(1000, 6, 160, 18), (4096, 8, 368, 29)], ids=str)
def test_conditional(code: tuple[int, int, int, int]) -> None:
    """P_fail far below what counting reaches."""
    rng = np.random.default_rng(3)
    failure = intervals.mean(conditional_failure(rng, *code, unions=20_000), CONFIDENCE)
    assert failure.contains(failure_probability(*code))
    assert failure.standard_error < 0.02 * failure.value


@pytest.mark.parametrize("code", [(4096, 2, 143, 37), (4096, 3, 221, 41), (64, 5, 30, 4)], ids=str)
def test_tilted(code: tuple[int, int, int, int]) -> None:
    """P_fail = 1e-12 at k = 2 and 3, to better than 1 %, by importance sampling."""
    values = tilted_failure(np.random.default_rng(8), *code, unions=20_000)
    measured = intervals.mean(values, CONFIDENCE)
    assert measured.contains(failure_probability(*code))
    assert measured.standard_error < 0.01 * measured.value


@pytest.mark.parametrize("code", [(1000, 4, 304, 45), (60, 3, 24, 5)], ids=str)
def test_planted(code: tuple[int, int, int, int]) -> None:
    """P_fail from inputs of the float network, each with a false positive planted in it."""
    values = planted_failure(np.random.default_rng(9), *code, inputs=600)
    assert intervals.mean(values, CONFIDENCE).contains(failure_probability(*code))
    assert (values > 0).all()


def test_union_sizes() -> None:
    sizes = random_union_sizes(np.random.default_rng(4), 5, 64, 9, 40_000)
    assert intervals.mean(sizes, CONFIDENCE).contains(mean_union_size(5, 64, 9))
    squares = (sizes - mean_union_size(5, 64, 9)) ** 2
    assert intervals.mean(squares, CONFIDENCE).contains(union_size_variance(5, 64, 9))


def test_a_hash_with_repeats_is_caught() -> None:
    """Bits drawn with replacement give lighter hashes, and the comparison fails."""
    rng = np.random.default_rng(7)
    n, k, d, m = 300, 4, 50, 8
    failures = []
    for _ in range(200):
        hashes = np.zeros((n, d), dtype=bool)
        np.put_along_axis(hashes, rng.integers(0, d, size=(n, m)), True, axis=1)
        counts = PackedHashes.of(hashes).count_false_positives(random_sets(rng, 100, n, k))
        failures.append(np.count_nonzero(counts))
    measured = intervals.clustered_proportion(np.array(failures), 100, CONFIDENCE)
    assert not measured.contains(failure_probability(n, k, d, m))


def test_bad_input_is_named() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DomainError, match="sets must be"):
        direct(rng, 10, 2, 8, 2, families=2, sets=0)
    with pytest.raises(DomainError, match="m must be"):
        direct(rng, 10, 2, 8, 9, families=2, sets=5)
    with pytest.raises(DomainError, match="unions must be"):
        conditional_failure(rng, 10, 2, 8, 2, unions=-1)
    with pytest.raises(DomainError, match="k must be"):
        fresh_counts(rng, 10, 11, 8, 2, inputs=5)
