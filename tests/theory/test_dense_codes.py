"""Dense codes: formulas against enumeration of every code, bounds as theorems, widths as minima."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, product

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import dense_codes
from theory.domain import DomainError
from theory.formula import Formula
from theory.formulas.dense_codes import (
    LARGEST_ERROR_OF_GAUSSIANS,
    OTHERS,
    THRESHOLDED_FAILURE_BOUND,
    THRESHOLDED_FALSE_NEGATIVE_RATE,
    THRESHOLDED_FALSE_POSITIVE_RATE,
    THRESHOLDED_PAIR_RATE,
)

TINY = [(3, 1, 3), (3, 2, 4), (4, 2, 3), (4, 3, 3), (3, 1, 4), (4, 1, 2), (2, 2, 5), (5, 2, 2)]


def sign_codes(n: int, d: int) -> Iterator[np.ndarray]:
    """Every code of n vectors of d signs, unscaled; the first is all ones, by symmetry."""
    for signs in product((-1, 1), repeat=(n - 1) * d):
        yield np.vstack([np.ones((1, d), dtype=int), np.reshape(signs, (n - 1, d))])


def sums(n: int, k: int, d: int) -> np.ndarray:
    """d y_i of all n tokens for every code, the members being the first k; int [codes, n]."""
    return np.array([code @ code[:k].sum(axis=0) for code in sign_codes(n, d)])


@pytest.mark.parametrize(("n", "k", "d"), TINY)
def test_every_sign_code(n: int, k: int, d: int) -> None:
    """Exact: moments and rates of tokens and pairs; bounds on P_fail and KL, at all cuts."""
    found = sums(n, k, d)
    codes = len(found)
    wanted = np.arange(n) < k
    y = found / d
    assert ((y - wanted) ** 2).sum(axis=1).mean() / k == pytest.approx(
        dense_codes.linear_readout_error(n, d), rel=1e-12
    )
    assert np.abs(y - wanted).max(axis=1).mean() <= dense_codes.largest_error_bound(n, k, d)
    spread = y[:, :k].var(axis=1).mean()
    assert spread == pytest.approx(dense_codes.member_spread(k, d), rel=1e-12, abs=1e-15)
    for beta in (0.5, 2.0, 6.0):
        kl = np.log(np.exp(beta * y).sum(axis=1)) - math.log(k) - beta * y[:, :k].mean(axis=1)
        assert kl.mean() >= dense_codes.leakage_floor(n, k, beta) - 1e-12
        assert kl.mean() <= dense_codes.kl_bound(n, k, d, beta) + 1e-12
    for cut in range(1, d + 1):
        accepted = found >= cut
        failed = (accepted != wanted).any(axis=1).mean()
        missed = dense_codes.thresholded_false_negative_rate(k, d, cut)
        assert (~accepted[:, 0]).mean() == pytest.approx(missed, rel=1e-12)
        if n > k:
            rate = dense_codes.thresholded_false_positive_rate(k, d, cut)
            assert accepted[:, k].mean() == pytest.approx(rate, rel=1e-12)
        if n > k + 1:
            pair = dense_codes.thresholded_pair_rate(k, d, cut)
            assert accepted[:, k : k + 2].all(axis=1).mean() == pytest.approx(pair, rel=1e-12)
        below = dense_codes.thresholded_failure_lower_bound(n, k, d, cut)
        above = dense_codes.thresholded_failure_bound(n, k, d, cut)
        assert below - 1e-12 <= failed <= above + 1e-12
    half = found >= dense_codes.half_cut(d)
    assert (half == (2 * found >= d)).all()
    exact = Fraction(str(THRESHOLDED_FALSE_NEGATIVE_RATE.exact(k=k, d=d)))
    assert exact == Fraction(int((~half[:, 0]).sum()), codes)
    if n > k:
        exact = Fraction(str(THRESHOLDED_FALSE_POSITIVE_RATE.exact(k=k, d=d)))
        assert exact == Fraction(int(half[:, k].sum()), codes)
    if n > k + 1:
        exact = Fraction(str(THRESHOLDED_PAIR_RATE.exact(k=k, d=d)))
        assert exact == Fraction(int(half[:, k : k + 2].all(axis=1).sum()), codes)
    exact = Fraction(str(THRESHOLDED_FAILURE_BOUND.exact(n=n, k=k, d=d)))
    assert Fraction(int((half != wanted).any(axis=1).sum()), codes) <= exact


def test_failure_bound_is_tight_for_one_non_member_and_one_member() -> None:
    """At k = 1 no member is missed, and at n = 2 one token is all there is: equality."""
    for d in range(1, 9):
        failed = (sums(2, 1, d)[:, 1] >= dense_codes.half_cut(d)).mean()
        assert dense_codes.thresholded_failure_bound(2, 1, d) == pytest.approx(failed, rel=1e-12)
        assert dense_codes.thresholded_failure_lower_bound(2, 1, d) == pytest.approx(failed)


def covariance(n: int, k: int, c: float) -> np.ndarray:
    """Of the target: alpha, uniform on [1, c], on the members of a uniform k-set."""
    mean, square = (1 + c) / 2, dense_codes.second_moment(c)
    pair = mean**2 * k * (k - 1) / (n * (n - 1))
    return np.full((n, n), pair - (mean * k / n) ** 2) + (square * k / n - pair) * np.eye(n)


@pytest.mark.parametrize("c", [1.0, 2.0, 5.0])
def test_affine_floor_is_what_the_eigenvalues_leave(c: float) -> None:
    """Any rank d loses at least the n - d smallest eigenvalues of the target's covariance."""
    for n, k in ((2, 1), (5, 2), (9, 9), (12, 1), (20, 7)):
        eigenvalues = np.linalg.eigvalsh(covariance(n, k, c))
        for d in range(1, n + 3):
            least = eigenvalues[: max(0, n - d)].sum() / (k * dense_codes.second_moment(c))
            assert dense_codes.affine_floor(n, k, d, c) == pytest.approx(least, abs=1e-13)


def test_tight_frame_by_enumeration() -> None:
    """Four vectors +-(1, 0), +-(0, 1), every input: error of y, and the floor attained."""
    frame = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    gram, n, d = frame @ frame.T, 4, 2
    for k in range(1, n + 1):
        inputs = [np.isin(range(n), members) * 1 for members in combinations(range(n), k)]
        errors = [((gram @ t - t) ** 2).sum() / k for t in inputs]
        assert np.mean(errors) == pytest.approx(dense_codes.tight_frame_error(n, k, d), rel=1e-12)
        best = [((gram @ t * d / n + k / n - t) ** 2).sum() / k for t in inputs]
        assert np.mean(best) == pytest.approx(dense_codes.affine_floor(n, k, d), abs=1e-14)


@pytest.mark.parametrize("formula", OTHERS, ids=lambda f: f.name)
def test_formulas_that_the_catalogue_does_not_list(formula: Formula) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        # even n and odd d: sizes at which a tight frame of unit norm and zero sum exists
        n = 2 * int(rng.integers(2, 7))
        d = 2 * int(rng.integers(0, n // 2)) + 1
        drawn = {"n": n, "k": int(rng.integers(1, n + 1)), "d": d}
        drawn["c"] = int(rng.integers(1, 5))
        values = {name: drawn[name] for name in formula.arguments}
        exact = float(formula.exact(**values))
        assert formula.evaluate(**values) == pytest.approx(exact, rel=1e-12, abs=1e-15)


def test_coefficients_at_one_change_nothing() -> None:
    assert dense_codes.second_moment(1.0) == 1.0
    assert dense_codes.member_spread(5, 7, 1.0) == pytest.approx(4 * 3 / (5 * 7), rel=1e-15)
    assert dense_codes.affine_floor(9, 2, 3, 1.0) == pytest.approx(7 * 5 / 72, rel=1e-15)


def test_largest_of_normals() -> None:
    """Against mpmath's integral; below the bound, above 0.9 of the law at n = 1e6."""
    for n in (1, 2, 50, 10**6):
        with mpmath.workdps(25):
            exact = mpmath.quad(
                lambda x: 1 - mpmath.erf(x / mpmath.sqrt(2)) ** n,  # noqa: B023
                [0, 1, 2, 3, 4, 5, 6, 8, 12, 20],
            )
        found = LARGEST_ERROR_OF_GAUSSIANS.evaluate(n=n, k=1, d=1)
        assert found == pytest.approx(float(exact), rel=1e-9)
        assert found <= dense_codes.largest_error_bound(n, 1, 1)
    assert found > 0.9 * dense_codes.largest_error_law(n, 1, 1)


def log_tail(trials: int, least: int) -> float:
    """ln P(Binomial(trials, 1/2) >= least), least above the middle, from 40 digits."""
    with mpmath.workdps(40):
        term = total = mpmath.mpf(math.comb(trials, least))
        for j in range(least, trials):
            term *= mpmath.mpf(trials - j) / (j + 1)
            total += term
            if term < total * mpmath.mpf(10) ** -30:
                break
        return float(mpmath.log(total) - trials * mpmath.log(2))


@pytest.mark.parametrize(
    ("k", "d", "cut"),
    [(4, 361, None), (32, 5585, None), (3, 4000, None), (8, 575, 333), (2, 13_000, None)],
)
def test_tails_against_mpmath(k: int, d: int, cut: int | None) -> None:
    """ln of both rates to 11 digits, down to e^-800, below the smallest double."""
    threshold = dense_codes.half_cut(d) if cut is None else cut
    false_positive = dense_codes.log_thresholded_false_positive_rate(k, d, cut)
    exact = log_tail(k * d, -(-(k * d + threshold) // 2))
    assert false_positive == pytest.approx(exact, rel=1e-11)
    false_negative = dense_codes.log_thresholded_false_negative_rate(k, d, cut)
    exact = log_tail((k - 1) * d, (k * d - threshold) // 2 + 1)
    assert false_negative == pytest.approx(exact, rel=1e-11)


TASKS = st.tuples(st.integers(1, 9), st.integers(0, 3000)).map(lambda t: (t[0] + t[1], t[0]))
EPSILONS = st.floats(-14.0, -0.05).map(lambda power: 10.0**power)


@given(TASKS, EPSILONS)
def test_thresholded_widths_are_least(task: tuple[int, int], epsilon: float) -> None:
    """Met at the width and at no smaller one; within Hoeffding's width."""
    n, k = task
    for width, cut in (
        (dense_codes.thresholded_width, lambda d: dense_codes.half_cut(d)),
        (dense_codes.best_thresholded_width, lambda d: dense_codes.best_cut(n, k, d)),
    ):
        d = width(n, k, epsilon)
        assert dense_codes.thresholded_failure_bound(n, k, d, cut(d)) <= epsilon * (1 + 1e-12)
        for smaller in range(max(1, d - 12), d):
            bound = dense_codes.thresholded_failure_bound(n, k, smaller, cut(smaller))
            assert bound > epsilon * (1 - 1e-12)
        assert d <= dense_codes.sufficient_thresholded_width(n, k, epsilon)


def test_thresholded_widths_by_exhaustion() -> None:
    """No width far below suffices either: the bound falls within classes of d mod 4, and mod 2."""
    for n, k in ((2, 1), (3, 2), (20, 3), (1000, 4), (50_000, 7)):
        half = [dense_codes.log_thresholded_failure_bound(n, k, d) for d in range(1, 200)]
        assert (np.array(half[4:]) <= np.array(half[:-4]) + 1e-12).all()
        best = [
            dense_codes.log_thresholded_failure_bound(n, k, d, dense_codes.best_cut(n, k, d))
            for d in range(1, 120)
        ]
        assert (np.array(best[2:]) <= np.array(best[:-2]) + 1e-12).all()


@given(st.integers(1, 6), st.integers(1, 2000), st.integers(1, 40))
def test_best_cut_by_exhaustion(k: int, non_members: int, d: int) -> None:
    """No cut has fewer expected errors."""
    n = k + non_members

    def errors(cut: int) -> float:
        return non_members * dense_codes.thresholded_false_positive_rate(
            k, d, cut
        ) + k * dense_codes.thresholded_false_negative_rate(k, d, cut)

    found = dense_codes.best_cut(n, k, d)
    assert errors(found) <= min(errors(cut) for cut in range(1, d + 1)) * (1 + 1e-9)


def test_widths_by_hand() -> None:
    """The README's comparison: n, k, epsilon = 1000, 8, 0.001, where the Bloom filter takes 230."""
    assert dense_codes.thresholded_width(1000, 8, 1e-3) == 721
    assert dense_codes.best_thresholded_width(1000, 8, 1e-3) == 575
    assert dense_codes.sufficient_thresholded_width(1000, 8, 1e-3) == 885
    assert dense_codes.linear_readout_width(1000, 0.01) == 99_900
    assert dense_codes.affine_width(1000, 8, 0.01) == 989
    assert dense_codes.thresholded_width(5, 1, 0.999) >= 1


def test_which_widths_are_polynomial() -> None:
    """Squaring 1/epsilon doubles the thresholded width and squares the others, in the limit."""
    n, k = 1000, 4
    first, second = (dense_codes.thresholded_width(n, k, e) for e in (1e-8, 1e-16))
    assert 1.5 < second / first < 2.0
    first, second = (dense_codes.linear_readout_width(n, e) for e in (1e-3, 1e-6))
    assert second == 1000 * first
    first, second = (dense_codes.softmax_width(n, k, e) for e in (1e-3, 1e-6))
    assert 1000 < second / first < 4000


def test_softmax_width_is_least() -> None:
    for n, k, epsilon in ((1000, 4, 0.1), (50, 3, 0.5), (20_000, 16, 0.01)):
        d = dense_codes.softmax_width(n, k, epsilon)
        met = dense_codes.kl_bound(n, k, d, dense_codes.best_beta(n, k, d))
        missed = dense_codes.kl_bound(n, k, d - 1, dense_codes.best_beta(n, k, d - 1))
        assert met <= epsilon < missed


@given(st.integers(2, 20), st.integers(1, 5000), st.integers(1, 3000), st.floats(0.1, 30.0))
def test_best_beta_and_floor(k: int, non_members: int, d: int, beta: float) -> None:
    """No beta has a smaller bound; no bound is below the floor."""
    n = k + non_members
    bound = dense_codes.kl_bound(n, k, d, beta)
    assert bound >= dense_codes.kl_bound(n, k, d, dense_codes.best_beta(n, k, d)) * (1 - 1e-9)
    assert bound >= dense_codes.leakage_floor(n, k, beta) * (1 - 1e-12)


def test_slopes() -> None:
    """The exact tail's slope tends to Cramér's; the Bloom filter's is steeper by 8 (ln 2)^2."""
    for k in (1, 2, 5):
        widths = 40_000 // k, 80_000 // k
        low, high = (dense_codes.log_thresholded_failure_bound(100, k, d) for d in widths)
        # Bahadur & Ranga Rao (1960): the tail also carries a factor d^(-1/2)
        slope = (high - low + 0.5 * math.log(2)) / (widths[1] - widths[0])
        assert slope == pytest.approx(dense_codes.threshold_slope(k), rel=2e-5)
    ratio = math.log(2) ** 2 / 50 / -dense_codes.threshold_slope(50)
    assert ratio == pytest.approx(8 * math.log(2) ** 2, rel=1e-3)


def test_bad_input_is_named() -> None:
    with pytest.raises(DomainError, match="cut must be"):
        dense_codes.thresholded_failure_bound(10, 2, 5, 6)
    with pytest.raises(DomainError, match="epsilon must be"):
        dense_codes.thresholded_width(10, 2, 1.0)
    with pytest.raises(DomainError, match="k must be"):
        dense_codes.best_thresholded_width(3, 4, 0.1)
    with pytest.raises(DomainError, match="d must be"):
        dense_codes.tight_frame_error(5, 2, 5)
    with pytest.raises(DomainError, match="c must be"):
        dense_codes.second_moment(0.5)
    with pytest.raises(DomainError, match="k must be"):
        dense_codes.best_beta(3, 3, 4)
    with pytest.raises(DomainError, match="beta must be"):
        dense_codes.kl_bound(5, 3, 4, 0.0)
