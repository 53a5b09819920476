"""Hashes of varying weight: exact rationals, brute force, the limits, and the smallest widths."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import column_weight, false_positives, large_deviations, width
from theory.derivations.column_weight import bernoulli_outcomes, drawn_outcomes
from theory.domain import DomainError
from theory.formulas.column_weight import ROOT, WITH_REPLACEMENT_EXPONENT, y
from theory.symbols import k as k_symbol

TOLERANCE = 1e-10
codes = st.integers(1, 25).flatmap(
    lambda d: st.tuples(st.integers(1, 6), st.just(d), st.integers(1, d))
)
densities = st.fractions(Fraction(1, 50), Fraction(9, 10), max_denominator=50)


def occupancy_law(k: int, d: int, m: int) -> list[Fraction]:
    """Occupied bins of k m balls in d bins, by Stirling numbers, in integers."""
    stirling = [1] + [0] * d
    for _ in range(k * m):
        stirling = [0] + [w * stirling[w] + stirling[w - 1] for w in range(1, d + 1)]
    return [Fraction(math.perm(d, w) * stirling[w], d ** (k * m)) for w in range(d + 1)]


def exact_failure(law: list[Fraction], coverage: list[Fraction], non_members: int) -> Fraction:
    return sum(
        (p * (1 - (1 - f) ** non_members) for p, f in zip(law, coverage, strict=True)),
        start=Fraction(0),
    )


@settings(max_examples=40)
@given(codes, st.integers(0, 60))
def test_draws_with_replacement(code: tuple[int, int, int], non_members: int) -> None:
    """The union's law, FPR and P_fail against Stirling numbers in exact rationals."""
    k, d, m = code
    law = occupancy_law(k, d, m)
    assert sum(law) == 1
    found = np.exp(column_weight.log_with_replacement_union_law(k, d, m))
    assert found == pytest.approx([float(p) for p in law], rel=TOLERANCE, abs=1e-300)
    coverage = [Fraction(w, d) ** m for w in range(d + 1)]
    rate = sum(p * f for p, f in zip(law, coverage, strict=True))
    assert column_weight.with_replacement_rate(k, d, m) == pytest.approx(float(rate), rel=TOLERANCE)
    failure = exact_failure(law, coverage, non_members)
    found_failure = column_weight.with_replacement_failure_probability(k + non_members, k, d, m)
    assert found_failure == pytest.approx(float(failure), rel=TOLERANCE)


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(1, 20), densities, st.integers(0, 60))
def test_bernoulli_bits(k: int, d: int, rho: Fraction, non_members: int) -> None:
    """The union's law and P_fail against exact rationals; the law's mean coverage is the FPR."""
    uncovered = (1 - rho) ** k
    law = [comb(d, w) * (1 - uncovered) ** w * uncovered ** (d - w) for w in range(d + 1)]
    coverage = [(1 - rho) ** (d - w) for w in range(d + 1)]
    log_law = column_weight.log_bernoulli_union_law(k, d, float(rho))
    assert np.exp(log_law) == pytest.approx([float(p) for p in law], rel=TOLERANCE, abs=1e-300)
    failure = exact_failure(law, coverage, non_members)
    found = column_weight.bernoulli_failure_probability(k + non_members, k, d, float(rho))
    assert found == pytest.approx(float(failure), rel=TOLERANCE)
    rate = sum(p * f for p, f in zip(law, coverage, strict=True))
    assert false_positives.bernoulli_false_positive_rate(k, d, float(rho)) == pytest.approx(
        float(rate), rel=TOLERANCE
    )


@pytest.mark.parametrize("code", [(3, 2, 3, 2), (4, 2, 3, 2), (3, 1, 4, 2)], ids=str)
def test_every_sequence_of_draws(code: tuple[int, int, int, int]) -> None:
    failure, rate = drawn_outcomes(*code)
    found = column_weight.with_replacement_failure_probability(*code)
    assert found == pytest.approx(float(failure), rel=1e-12)
    assert column_weight.with_replacement_rate(*code[1:]) == pytest.approx(float(rate), rel=1e-12)


@pytest.mark.parametrize("sizes", [(3, 2, 3), (4, 1, 2), (3, 1, 4)], ids=str)
@pytest.mark.parametrize("rho", [Fraction(1, 3), Fraction(5, 8)])
def test_every_family_of_bernoulli_masks(sizes: tuple[int, int, int], rho: Fraction) -> None:
    failure, _ = bernoulli_outcomes(*sizes, rho)
    found = column_weight.bernoulli_failure_probability(*sizes, float(rho))
    assert found == pytest.approx(float(failure), rel=1e-12)


def test_many_draws() -> None:
    """ln FPR = -34.7 after 140 draws a union, from the same chain in 30 digits."""
    k, d, m = 2, 150, 70
    with mpmath.workdps(30):
        law = [mpmath.mpf(1)] + [mpmath.mpf(0)] * d
        for _ in range(k * m):
            grown = [law[w - 1] * (d - w + 1) / d for w in range(1, d + 1)]
            law = [law[w] * w / d + (grown[w - 1] if w else 0) for w in range(d + 1)]
        rate = mpmath.fsum(p * (mpmath.mpf(w) / d) ** m for w, p in enumerate(law))
        expected = float(mpmath.log(rate))
    assert column_weight.log_with_replacement_rate(k, d, m) == pytest.approx(expected, abs=1e-12)


def test_below_the_smallest_double() -> None:
    """The union bound is sharp there: ln P_fail = ln N + ln FPR."""
    n, k, d, rho = 10**9, 2, 20_000, 1 / 3
    exponent = d * math.log1p(-rho * (1 - rho) ** k)
    found = column_weight.log_bernoulli_failure_probability(n, k, d, rho)
    assert found == pytest.approx(math.log(n - k) + exponent, rel=1e-11)
    assert found < -3000
    k, d, m = 2, 3600, 1074
    log_rate = column_weight.log_with_replacement_rate(k, d, m)
    found = column_weight.log_with_replacement_failure_probability(n, k, d, m)
    assert found == pytest.approx(math.log(n - k) + log_rate, rel=1e-13)
    assert log_rate < -750
    assert log_rate == pytest.approx(-d * column_weight.with_replacement_exponent(k)[1], rel=2e-3)


@given(codes)
def test_the_inequality_turns_with_the_weight(code: tuple[int, int, int]) -> None:
    """With replacement classic <= (1-(1-1/d)^(km))^m <= FPR; constant weight has FPR <= p^m."""
    k, d, m = code
    lower = column_weight.with_replacement_lower_bound(k, d, m)
    rate = column_weight.with_replacement_rate(k, d, m)
    assert false_positives.classic(k, d, m) <= lower * (1 + 1e-12)
    assert lower <= rate * (1 + 1e-12)
    assert m > 1 or lower == pytest.approx(rate, rel=1e-12)
    assert m == 1 or d == 1 or rate > lower * (1 + 1e-12) or rate > 1 - 1e-9
    constant = false_positives.false_positive_rate(k, d, m)
    assert constant <= false_positives.upper_bound(k, d, m) * (1 + 1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 8, 64])
def test_exponent_of_draws_with_replacement(k: int) -> None:
    """One root; the maximum over m of -(ln FPR)/d tends to it, and its m/d to x."""
    x, exponent = column_weight.with_replacement_exponent(k)
    d = 1000
    rate = {
        m: -column_weight.log_with_replacement_rate(k, d, m) / d
        for m in (round(share * x * d) for share in (0.9, 1.0, 1.1))
    }
    assert max(rate, key=rate.__getitem__) == round(x * d)
    assert rate[round(x * d)] == pytest.approx(exponent, rel=0.005)
    excess = sp.lambdify((y, k_symbol), ROOT.lhs - ROOT.rhs)
    above = [bool(excess(share, k) > 0) for share in np.linspace(0.002, 0.998, 499)]
    assert above == sorted(above)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("k", [1, 3, 40])
def test_exponent_equals_its_expression(share: float, k: int) -> None:
    exact = float(WITH_REPLACEMENT_EXPONENT.exact(y=share, k=k).evalf(30))
    assert WITH_REPLACEMENT_EXPONENT.evaluate(y=share, k=k) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize(
    ("k", "bernoulli", "drawn"),
    [(2, 57.8, 12.2), (3, 46.9, 6.9), (4, 42.3, 4.8), (8, 36.1, 2.1), (16, 33.3, 1.0)],
)
def test_extra_width(k: int, bernoulli: float, drawn: float) -> None:
    """In percent; and as the ratio of widths at an absurdly small failure probability."""
    assert 100 * column_weight.bernoulli_extra_width(k) == pytest.approx(bernoulli, abs=0.06)
    assert 100 * column_weight.with_replacement_extra_width(k) == pytest.approx(drawn, abs=0.06)
    n, epsilon = 10**9, 1e-200
    ratio = column_weight.bernoulli_width(n, k, epsilon) / width.refined_width_law(n, k, epsilon)
    assert 100 * (ratio - 1) == pytest.approx(bernoulli, abs=0.2)


def test_extra_width_of_many_tokens() -> None:
    """e (ln 2)^2 - 1 = 30.6 % for Bernoulli bits, 0.154/k for draws with replacement."""
    limit = math.e * math.log(2) ** 2 - 1
    assert column_weight.bernoulli_extra_width(4000) == pytest.approx(limit, rel=1e-3)
    assert 4000 * column_weight.with_replacement_extra_width(4000) == pytest.approx(
        0.1535, abs=5e-4
    )


def test_constant_weight_is_best() -> None:
    for k in (1, 2, 5, 20, 200):
        drawn = column_weight.with_replacement_exponent(k)[1]
        assert column_weight.bernoulli_exponent(k) < drawn < large_deviations.best_density(k)[1]


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 2000))
def test_best_density(k: int, d: int, non_members: int) -> None:
    """No density of a grid has a smaller P_fail; the best is never below 1/(k+1)."""
    n = k + non_members
    best = column_weight.optimal_density_for_failure(n, k, d)
    least = column_weight.log_bernoulli_failure_probability(n, k, d, best)
    if least > math.log(0.9):
        return  # failure all but certain: several valleys
    assert best > (1 - 1e-4) / (k + 1)
    for rho in np.linspace(0.01, 0.99, 60):
        at_rho = column_weight.log_bernoulli_failure_probability(n, k, d, float(rho))
        assert least <= at_rho + 1e-9


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(2, 30), st.integers(1, 300))
def test_best_number_of_draws(k: int, d: int, non_members: int) -> None:
    n = k + non_members
    best = column_weight.optimal_draws_for_failure(n, k, d)
    failures = [
        column_weight.with_replacement_failure_probability(n, k, d, m) for m in range(1, d + 1)
    ]
    if min(failures) < 0.9:
        assert failures[best - 1] <= min(failures) * (1 + 1e-10)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 200), st.floats(1e-3, 0.4))
def test_smallest_widths_are_smallest(k: int, non_members: int, epsilon: float) -> None:
    """They meet epsilon, and no m or density of a grid does one bit narrower."""
    n = k + non_members
    drawn = column_weight.smallest_with_replacement_width(n, k, epsilon)
    assert drawn.failure_probability <= epsilon * (1 + 1e-12)
    d = drawn.width - 1
    for m in range(1, d + 1):
        assert column_weight.with_replacement_failure_probability(n, k, d, m) > epsilon
    code = column_weight.smallest_bernoulli_width(n, k, epsilon)
    assert code.failure_probability <= epsilon * (1 + 1e-9)
    assert code.width <= column_weight.bernoulli_width(n, k, epsilon)
    if code.width > 1:
        for rho in np.linspace(0.5, 1.9, 15) / (k + 1):
            failure = column_weight.bernoulli_failure_probability(n, k, code.width - 1, float(rho))
            assert failure > epsilon
    constant = width.smallest_width(n, k, epsilon).width
    assert constant <= drawn.width
    assert constant <= code.width


def test_no_non_members() -> None:
    assert column_weight.bernoulli_failure_probability(3, 3, 5, 0.4) == 0.0
    assert column_weight.with_replacement_failure_probability(3, 3, 5, 2) == 0.0
    with pytest.raises(DomainError, match="n must exceed k"):
        column_weight.smallest_bernoulli_width(3, 3, 0.1)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: column_weight.bernoulli_failure_probability(9, 2, 5, 1.0), "rho"),
        (lambda: column_weight.bernoulli_failure_probability(2, 3, 5, 0.5), "k"),
        (lambda: column_weight.with_replacement_rate(2, 5, 0), "m"),
        (lambda: column_weight.smallest_bernoulli_width(9, 2, 0.6), "epsilon"),
        (lambda: column_weight.smallest_with_replacement_width(9, 2, 0.0), "epsilon"),
        (lambda: column_weight.with_replacement_exponent(0), "k"),
        (lambda: column_weight.bernoulli_exponent(0), "k"),
    ],
)
def test_bad_input_is_named(call, name: str) -> None:
    with pytest.raises(DomainError, match=rf"^{name} must be"):
        call()
