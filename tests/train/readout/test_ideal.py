"""Reachable sets against linear programming and the theory; uniformity against its bound."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from theory.domain import DomainError
from train.readout.ideal import largest_free_set, most_uniform, reach


def by_linear_programming(vectors: np.ndarray, members: np.ndarray) -> bool:
    """Another route: w_i h >= c + 1 for members and w_j h <= c - 1 for others."""
    n, d = vectors.shape
    side = np.full(n, 1.0)
    side[members] = -1.0
    rows = np.concatenate([vectors * side[:, None], -side[:, None]], axis=1)
    found = optimize.linprog(
        np.zeros(d + 1), A_ub=rows, b_ub=-np.ones(n), bounds=(None, None), method="highs"
    )
    return found.status == 0


@pytest.mark.parametrize("code", ["gaussian", "masks"])
def test_reach_agrees_with_linear_programming(code: str) -> None:
    rng = np.random.default_rng(0)
    answers = []
    for k in (1, 2, 3, 4, 5, 6):
        for _ in range(4):
            vectors = rng.standard_normal((80, 10))
            if code == "masks":
                vectors = (vectors > 1.0).astype(np.float64)
            members = rng.choice(80, size=k, replace=False)
            found = reach(vectors, members)
            assert found.reachable == by_linear_programming(vectors, members)
            answers.append(found.reachable)
            if found.reachable:
                assert found.h is not None
                logits = vectors @ found.h
                assert set(np.argsort(-logits)[:k]) == set(members)
            else:
                assert found.gap < 1e-6
    assert len(set(answers)) == 2


def test_k_star_of_known_sizes() -> None:
    sizes = ((6625, 120), (49152, 576), (50257, 768), (128256, 4096))
    assert [largest_free_set(n, d) for n, d in sizes] == [17, 73, 104, 675]


def test_random_sets_are_reached_up_to_k_star() -> None:
    """Half of k* is reached and twice k* is not, in every one of 12 sets each."""
    rng = np.random.default_rng(1)
    n, d = 500, 40
    k_star = largest_free_set(n, d)
    for _ in range(12):
        vectors = rng.standard_normal((n, d))
        order = rng.permutation(n)
        assert reach(vectors, order[: k_star // 2]).reachable
        assert not reach(vectors, order[: 2 * k_star]).reachable


def test_k_star_lies_between_the_sizes_that_linear_programming_reaches_and_does_not() -> None:
    rng = np.random.default_rng(4)
    for n, d in ((150, 16), (80, 24)):
        k_star = largest_free_set(n, d)
        for _ in range(6):
            vectors, order = rng.standard_normal((n, d)), rng.permutation(n)
            assert by_linear_programming(vectors, order[: k_star // 2])
            assert not by_linear_programming(vectors, order[: min(2 * k_star, n // 2)])


def test_an_output_that_has_not_converged_keeps_a_valid_bound() -> None:
    """Long h with few steps: the bound stays below what many steps reach."""
    vectors = np.random.default_rng(3).standard_normal((60, 8)).astype(np.float32)
    bias, members = np.zeros(60, np.float32), np.array([1, 5])
    early = most_uniform(vectors, bias, members, 20.0, tolerance=1e-6, most_steps=20)
    late = most_uniform(vectors, bias, members, 20.0, tolerance=1e-6, most_steps=2000)
    assert early.kl_bound <= late.kl <= early.kl


def test_identical_tokens_cannot_be_parted() -> None:
    vectors = np.random.default_rng(2).standard_normal((20, 10))
    vectors[7] = vectors[3]
    assert not reach(vectors, np.array([3])).reachable
    assert reach(vectors, np.array([3, 7])).reachable
    with pytest.raises(DomainError):
        reach(vectors, np.array([], dtype=np.int64))


def test_the_most_uniform_output_meets_its_bound() -> None:
    rng = np.random.default_rng(3)
    vectors, bias = rng.standard_normal((60, 8)).astype(np.float32), np.zeros(60, np.float32)
    for length in (0.5, 1.5, 3.0):
        found = most_uniform(vectors, bias, np.array([1, 5]), length, tolerance=1e-3)
        assert 0.0 <= found.kl_bound <= found.kl <= found.kl_bound + 1e-3
        # no other h of that length does better than the bound
        for _ in range(50):
            h = rng.standard_normal(8)
            h *= length / np.linalg.norm(h)
            logits = vectors @ h
            log_total = np.log(np.exp(logits - logits.max()).sum()) + logits.max()
            assert log_total - logits[[1, 5]].mean() - np.log(2) >= found.kl_bound - 1e-6
