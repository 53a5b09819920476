"""The moment curve: exactness, margins and bits; Radon's bound by certificates and by LPs."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from theory.domain import DomainError
from theory.moment_curve import (
    chebyshev,
    circle_margin,
    circle_sufficient_bits,
    equally_spaced,
    equally_spaced_margin,
    margin,
    margin_bound,
    radon_partition,
    radon_width,
    radon_width_with_bias,
    sufficient_bits,
)


def separable(W_U: np.ndarray, members: tuple[int, ...]) -> bool:
    """Whether some residual puts every member's logit above every other's: a linear program."""
    d, n = W_U.shape
    sign = np.where(np.isin(np.arange(n), members), -1.0, 1.0)
    # sign (h w_i - threshold) <= -1
    rows = sign[:, None] * np.hstack([W_U.T, -np.ones((n, 1))])
    found = linprog(np.zeros(d + 1), A_ub=rows, b_ub=-np.ones(n), bounds=(None, None))
    assert found.status in (0, 2), found.message
    return found.status == 0


def separates_all(W_U: np.ndarray, k: int) -> bool:
    return all(separable(W_U, members) for members in combinations(range(W_U.shape[1]), k))


def curve(n: int, d: int) -> np.ndarray:
    """Columns (t, ..., t^d) at equally spaced nodes."""
    return equally_spaced(n) ** np.arange(1, d + 1)[:, None]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_width_2k_separates_all_and_2k_minus_1_does_not(k: int) -> None:
    """The moment curve at n = 3k: every linear program is feasible; one fails at d = 2k - 1."""
    n = 3 * k
    assert separates_all(curve(n, radon_width(k)), k)
    assert not separates_all(curve(n, radon_width(k) - 1), k)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_bias_per_token_saves_one(k: int) -> None:
    """Bias -t^(2k) at d = 2k - 1: the last coordinate of the residual is fixed at 1."""
    n, d = 3 * k, radon_width_with_bias(k)
    assert d == 2 * k - 1
    nodes = equally_spaced(n)
    for members in combinations(range(n), k):
        polynomial = -np.poly(np.repeat(nodes[list(members)], 2))
        residual = polynomial[::-1][1 : d + 1]
        logits = residual @ curve(n, d) - nodes ** (2 * k)
        others = np.delete(logits, members)
        assert others.max() < logits[list(members)].min() - 1e-9


@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_radon_certificate(k: int, seed: int, integers: bool) -> None:
    """Any W_U of width 2k - 1: a k-set with a part whose mean column is that of a part outside."""
    rng = np.random.default_rng(seed)
    d, n = 2 * k - 1, 3 * k
    W_U = rng.integers(-2, 3, (d, n)).astype(float) if integers else rng.standard_normal((d, n))
    found = radon_partition(W_U)
    assert 1 <= len(found.members) <= k
    assert len(found.others) <= 2 * k
    assert not set(found.members) & set(found.others)
    for weights in (found.member_weights, found.other_weights):
        assert weights.min() > 0
        assert weights.sum() == pytest.approx(1.0)
    mean, other = (
        W_U[:, found.members] @ found.member_weights,
        W_U[:, found.others] @ found.other_weights,
    )
    assert np.abs(mean - other).max() < 1e-9 * max(1.0, np.abs(W_U).max())


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_certified_set_is_not_separable(k: int) -> None:
    """The linear program agrees, on random matrices of width 2k - 1."""
    rng = np.random.default_rng(k)
    for _ in range(5):
        W_U = rng.standard_normal((2 * k - 1, 3 * k))
        found = radon_partition(W_U)
        free = [i for i in range(3 * k) if i not in found.others and i not in found.members]
        chosen = (*found.members.tolist(), *free)[:k]
        assert len(chosen) == k
        assert not separable(W_U, chosen)


def test_fewer_tokens_may_do_with_less() -> None:
    """n = 5 < 3k, k = 2: width 3 separates all pairs of a tetrahedron's corners and its centre."""
    W_U = np.array([[1, 0, 0, 0, 0.25], [0, 1, 0, 0, 0.25], [0, 0, 1, 0, 0.25]])
    assert separates_all(W_U, 2)
    assert not separates_all(np.hstack([W_U, [[0.2], [0.3], [0.25]]]), 2)


@pytest.mark.parametrize(("n", "k"), [(5, 1), (7, 2), (8, 3), (9, 4), (6, 5)])
def test_exact_in_fractions(n: int, k: int) -> None:
    """All k-sets: members 0, all others at most minus the margin, which is attained."""
    nodes = [Fraction(2 * i, n - 1) - 1 for i in range(n)]
    gaps = []
    for members in combinations(range(n), k):
        logits = [-math.prod((t - nodes[s]) ** 2 for s in members) for t in nodes]
        assert all(logits[s] == 0 for s in members)
        gaps += [-logit for i, logit in enumerate(logits) if i not in members]
    assert min(gaps) > 0
    assert equally_spaced_margin(n, k) == pytest.approx(float(min(gaps)), rel=1e-13)
    assert margin(equally_spaced(n), k) == pytest.approx(float(min(gaps)), rel=1e-12)


nodes_and_k = st.integers(1, 4).flatmap(
    lambda k: st.tuples(
        st.lists(st.integers(-50, 50), min_size=k + 1, max_size=9, unique=True), st.just(k)
    )
)


@given(nodes_and_k)
def test_margin_of_any_nodes(drawn: tuple[list[int], int]) -> None:
    """All sets enumerated, on integer nodes; at most the bound, once they are within [-1, 1]."""
    nodes, k = drawn
    least = min(
        math.prod((nodes[i] - nodes[s]) ** 2 for s in members)
        for members in combinations(range(len(nodes)), k)
        for i in range(len(nodes))
        if i not in members
    )
    scaled = np.array(nodes) / 50.0
    assert margin(scaled, k) == pytest.approx(least / 50.0 ** (2 * k), rel=1e-10)
    assert margin(scaled, k) <= margin_bound(len(nodes), k) * (1 + 1e-12)


def test_margin_bound_is_attained() -> None:
    """At k = 1, by equally spaced nodes."""
    for n in (2, 3, 10, 1000):
        assert margin_bound(n, 1) == pytest.approx(equally_spaced_margin(n, 1), rel=1e-12)


@pytest.mark.parametrize(("n", "k"), [(6, 2), (9, 3), (11, 4), (12, 5)])
def test_circle_margin(n: int, k: int) -> None:
    """All sets with token 0 a non-member, enumerated."""
    drop = 1 - np.cos(2 * np.pi * np.arange(1, n) / n)
    least = min(np.prod(drop[list(members)]) for members in combinations(range(n - 1), k))
    assert circle_margin(n, k) == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_margins_collapse(k: int) -> None:
    """When n doubles: by 2^(-2k) on equally spaced nodes and the circle, 2^(-4k) on Chebyshev's."""
    n = 4096

    def fall(of) -> float:
        return math.log2(of(n) / of(2 * n))

    assert fall(lambda n: equally_spaced_margin(n, k)) == pytest.approx(2 * k, rel=1e-3)
    assert fall(lambda n: circle_margin(n, k)) == pytest.approx(2 * k, rel=1e-3)
    assert fall(lambda n: margin(chebyshev(n), k)) == pytest.approx(4 * k, rel=1e-2)
    bits = sufficient_bits(2 * n, k) - sufficient_bits(n, k)
    assert bits == pytest.approx(2 * k, rel=1e-3)
    bits = circle_sufficient_bits(2 * n, k) - circle_sufficient_bits(n, k)
    assert bits == pytest.approx(2 * k, rel=1e-3)


def test_bits_far_below_the_smallest_double() -> None:
    """k = 60 at n = 50,257: a relative margin of 2^-1443."""
    log2_margin = 4 * math.lgamma(31) / math.log(2) - 120 * math.log2(50_256)
    assert round(log2_margin) == -1443
    assert sufficient_bits(50_257, 60) == pytest.approx(2 - log2_margin, rel=1e-12)


def test_nodes() -> None:
    assert equally_spaced(5).tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    zeros = chebyshev(7)
    assert (np.diff(zeros) > 0).all()
    assert np.abs(np.polynomial.chebyshev.chebval(zeros, [0] * 7 + [1])).max() < 1e-14


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: equally_spaced_margin(4, 4), "n must exceed k = 4"),
        (lambda: sufficient_bits(3, 4), "k must be at least 1 and at most n = 3"),
        (lambda: margin(np.zeros(2), 2), "n must be at least 3"),
        (lambda: radon_width(0), "k must be at least 1"),
        (lambda: radon_partition(np.eye(3)), r"W_U must have at least d \+ 2 = 5 columns; got 3"),
        (lambda: equally_spaced(1), "n must be at least 2"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call()
