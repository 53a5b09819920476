"""Rare failures of one network: formula, enumeration and counting agree; wrong masks do no harm."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from simulate.enumeration import enumerate_inputs
from simulate.jobs.checks import CONFIDENCE
from simulate.kernels import PackedHashes
from simulate.rare_failures import UNIFORM_SHARE, _Guide, _weighted_inputs, rare_failures
from simulate.sampling import random_hashes
from theory.domain import DomainError

CODES = [(40, 2, 24, 5), (64, 3, 40, 8), (512, 3, 96, 18), (60, 6, 60, 7)]


def exact_filter(hashes: np.ndarray):
    """A network that fails where its hashes cover a further token, and only there."""
    packed = PackedHashes.of(hashes)
    return lambda tokens: packed.count_false_positives(tokens) > 0


@pytest.mark.parametrize(("n", "k", "d", "m"), CODES)
def test_the_exact_rate_of_one_family(n: int, k: int, d: int, m: int) -> None:
    """By enumeration of all inputs up to 2^25, by counting beyond."""
    rng = np.random.default_rng(1)
    hashes = random_hashes(rng, n, d, m)
    fails = exact_filter(hashes)
    found = rare_failures(rng, fails, hashes, k, 20_000)
    assert found.foreseen == pytest.approx(1.0)
    assert found.failure == found.covered
    if k <= 3:
        exact = float(enumerate_inputs(hashes, k).failure_probability)
        assert found.failure.at(CONFIDENCE).contains(exact)
    else:
        uniform = rng.permuted(np.tile(np.arange(n), (40_000, 1)), axis=1)[:, :k]
        counted = fails(np.ascontiguousarray(uniform)).mean()
        error = np.hypot(found.failure.standard_error, np.sqrt(counted / 40_000))
        assert abs(found.failure.value - counted) < 5.3 * error


def test_a_rate_that_counting_never_sees() -> None:
    """About 1e-7 at n = 512, k = 3, d = 128: all 22 million inputs against 20,000 draws."""
    rng = np.random.default_rng(0)
    hashes = random_hashes(rng, 512, 128, 20)
    found = rare_failures(rng, exact_filter(hashes), hashes, 3, 20_000)
    exact = float(enumerate_inputs(hashes, 3).failure_probability)
    assert exact < 1e-5
    assert found.failure.at(CONFIDENCE).contains(exact)


def test_failures_that_the_masks_do_not_foresee_are_found() -> None:
    """Every input with token 0 fails: rate k/n, whatever the hashes say."""
    rng = np.random.default_rng(2)
    hashes = random_hashes(rng, 50, 60, 9)
    found = rare_failures(rng, lambda tokens: (tokens == 0).any(axis=1), hashes, 3, 20_000)
    assert found.failure.at(CONFIDENCE).contains(3 / 50)
    assert found.foreseen < 0.5


def test_masks_that_cover_everything() -> None:
    """No guided draw is left incomplete, and every input has a covered token."""
    hashes = np.ones((30, 5), dtype=bool)
    found = rare_failures(np.random.default_rng(0), exact_filter(hashes), hashes, 3, 1000)
    assert (found.failure.value, found.covered.value) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_blocks_of_few_inputs(inputs: int) -> None:
    """Either law may draw none of them."""
    guide = _Guide(random_hashes(np.random.default_rng(0), 30, 24, 5), 2)
    for seed in range(20):
        tokens, weight, _ = _weighted_inputs(np.random.default_rng(seed), guide, inputs)
        assert tokens.shape == (inputs, 2)
        assert (weight >= 0.0).all()


def test_the_masks_of_another_network_bias_nothing() -> None:
    """The planted fault: guided by hashes that are not its own, the estimate is as right."""
    rng = np.random.default_rng(3)
    own, other = (random_hashes(rng, 64, 40, 8) for _ in range(2))
    exact = float(enumerate_inputs(own, 3).failure_probability)
    found = rare_failures(rng, exact_filter(own), other, 3, 40_000)
    assert found.failure.at(CONFIDENCE).contains(exact)
    # what is said of the masks is of the others
    assert not found.covered.at(CONFIDENCE).contains(exact)


def test_the_guide_is_a_probability() -> None:
    """Exhaustively: over all t and all sets the densities sum to 1, less the draws that end."""
    rng = np.random.default_rng(4)
    hashes = random_hashes(rng, 7, 6, 3)
    guide = _Guide(hashes, 2)
    total = 0.0
    for t in range(7):
        others = [token for token in range(7) if token != t]
        sets = np.array(list(combinations(others, 2)))
        total += float(np.exp(guide.log_density_of_set(np.full(len(sets), t), sets)).sum())
        ordered = np.vstack([sets, sets[:, ::-1]])
        by_order = np.exp(guide.log_density(np.full(len(ordered), t), ordered)).sum()
        of_sets = np.exp(guide.log_density_of_set(np.full(len(sets), t), sets)).sum()
        assert by_order == pytest.approx(of_sets, rel=1e-5)
    _, _, log = guide.draw(rng, 20_000)
    ended = float(np.isneginf(log).mean())
    assert total == pytest.approx(1.0 - ended, abs=5.3 * np.sqrt(0.25 / 20_000))


def test_weights_are_bounded() -> None:
    rng = np.random.default_rng(5)
    _, weight, _ = _weighted_inputs(rng, _Guide(random_hashes(rng, 80, 40, 8), 3), 5000)
    assert weight.min() >= 0.0
    assert weight.max() <= 1.0 / UNIFORM_SHARE
    # the weights of uniform and guided inputs together have mean 1
    assert abs(weight.mean() - 1.0) < 5.3 * weight.std() / np.sqrt(5000)


@pytest.mark.parametrize(
    ("k", "inputs", "name"), [(0, 1000, "k"), (8, 1000, "k"), (2, 10, "inputs")]
)
def test_bad_input_is_named(k: int, inputs: int, name: str) -> None:
    hashes = np.ones((8, 4), dtype=bool)
    with pytest.raises(DomainError, match=f"^{name} must be"):
        rare_failures(np.random.default_rng(0), lambda tokens: tokens[:, 0] < 0, hashes, k, inputs)
