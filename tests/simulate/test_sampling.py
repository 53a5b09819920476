"""Samplers are exactly uniform: every subset equally often, by exact tests at fixed seeds.

False-alarm budget of this file: five tests at 1e-6 each.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulate.sampling import random_coefficients, random_hashes, random_sets, telling_hashes
from theory.domain import DomainError

LEVEL = 1e-6
DRAWS = 60_000


def p_value(subsets: np.ndarray, n: int, k: int) -> float:
    """Chi-square test that all C(n, k) subsets are equally frequent."""
    place = {subset: i for i, subset in enumerate(combinations(range(n), k))}
    counts = np.zeros(comb(n, k))
    for subset in map(tuple, np.sort(subsets, axis=1).tolist()):
        counts[place[subset]] += 1
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.parametrize(("n", "k"), [(6, 3), (9, 2)])
def test_sets_are_uniform(n: int, k: int) -> None:
    assert p_value(random_sets(np.random.default_rng(1), DRAWS, n, k), n, k) > LEVEL


@pytest.mark.parametrize(("d", "m"), [(6, 3), (5, 4)])
def test_hashes_are_uniform(d: int, m: int) -> None:
    hashes = random_hashes(np.random.default_rng(2), DRAWS, d, m)
    assert p_value(np.nonzero(hashes)[1].reshape(DRAWS, m), d, m) > LEVEL


def test_a_biased_sampler_is_caught() -> None:
    """Shifting one subset in fifty is enough to fail the test."""
    sets = random_sets(np.random.default_rng(1), DRAWS, 6, 3)
    sets[::50] = (0, 1, 2)
    assert p_value(sets, 6, 3) < LEVEL


@given(st.integers(1, 40), st.data())
def test_sets_are_distinct_and_in_range(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    sets = random_sets(np.random.default_rng(n), 50, n, k)
    assert sets.shape == (50, k)
    assert sets.min() >= 0
    assert sets.max() < n
    assert all(len(set(row)) == k for row in sets.tolist())


@given(st.integers(1, 40), st.data())
def test_hashes_have_constant_weight(d: int, data: st.DataObject) -> None:
    m = data.draw(st.integers(1, d))
    assert (random_hashes(np.random.default_rng(d), 50, d, m).sum(axis=1) == m).all()


@given(st.integers(0, 1000))
def test_every_bit_of_telling_hashes_tells_tokens_apart(seed: int) -> None:
    hashes = telling_hashes(np.random.default_rng(seed), 6, 5, 2)
    owners = hashes.sum(axis=0)
    assert ((owners > 0) & (owners < 6)).all()
    assert (hashes.sum(axis=1) == 2).all()


def test_coefficients() -> None:
    alpha = random_coefficients(np.random.default_rng(3), 10_000, 3, 2.0)
    assert alpha.shape == (10_000, 3)
    assert alpha.min() >= 1.0
    assert alpha.max() <= 2.0
    assert stats.kstest(alpha.ravel() - 1.0, "uniform").pvalue > LEVEL
    assert (random_coefficients(np.random.default_rng(3), 5, 3, 1.0) == 1.0).all()


def test_a_seed_fixes_every_draw() -> None:
    for draw in (lambda rng: random_sets(rng, 9, 50, 4), lambda rng: random_hashes(rng, 9, 20, 4)):
        first, second = (draw(np.random.default_rng(7)) for _ in range(2))
        assert (first == second).all()
        assert not (first == draw(np.random.default_rng(8))).all()


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda rng: random_sets(rng, 5, 3, 4), "k"),
        (lambda rng: random_sets(rng, 0, 3, 2), "sets"),
        (lambda rng: random_hashes(rng, 5, 3, 4), "m"),
        (lambda rng: telling_hashes(rng, 2, 40, 1), "n"),
        (lambda rng: random_coefficients(rng, 5, 3, 0.5), "c"),
        (lambda rng: random_coefficients(rng, 5, 3, float("nan")), "c"),
    ],
)
def test_bad_sizes_are_named(draw, name: str) -> None:
    with pytest.raises(DomainError, match=rf"^{name} must be"):
        draw(np.random.default_rng(0))
