"""Evaluators against exact rationals at random sizes, and over the whole promised range."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import false_positives, union_size

TOLERANCE = 1e-10


@st.composite
def codes(draw: st.DrawFn, largest: int) -> tuple[int, int, int]:
    """(k, d, m) with 1 <= m <= d <= largest, dense and sparse hashes alike."""
    d = draw(st.integers(1, largest))
    m = draw(st.integers(1, d))
    return draw(st.integers(1, 24)), d, m


def log_of(value: Fraction) -> float:
    with mpmath.workdps(40):
        return float(mpmath.log(value.numerator) - mpmath.log(value.denominator))


def exact_rate(k: int, d: int, m: int) -> Fraction:
    """Inclusion-exclusion over a token's bits, in integers."""
    total = sum((-1) ** j * comb(m, j) * comb(d - j, m) ** k for j in range(m + 1))
    return Fraction(total, comb(d, m) ** k)


def exact_union_law(k: int, d: int, m: int) -> list[Fraction]:
    """Inclusion-exclusion over the union's bits, in integers."""
    families = comb(d, m) ** k
    return [
        Fraction(
            comb(d, w) * sum((-1) ** (w - j) * comb(w, j) * comb(j, m) ** k for j in range(w + 1)),
            families,
        )
        for w in range(d + 1)
    ]


@given(codes(largest=400))
def test_false_positive_rate(code: tuple[int, int, int]) -> None:
    """ln FPR to 1e-10 absolute (FPR to 1e-10 relative), however small it is."""
    assert false_positives.log_false_positive_rate(*code) == pytest.approx(
        log_of(exact_rate(*code)), abs=TOLERANCE
    )


@given(codes(largest=400))
def test_bounds_bracket_the_rate(code: tuple[int, int, int]) -> None:
    """lower <= ln FPR <= upper, to rounding; also far below the smallest double."""
    exact = log_of(exact_rate(*code))
    assert false_positives.log_lower_bound(*code) <= exact + TOLERANCE
    assert false_positives.log_upper_bound(*code) >= exact - TOLERANCE


@given(codes(largest=60), st.integers(0, 10**6))
def test_union_law_and_failure_probability(code: tuple[int, int, int], non_members: int) -> None:
    """P(W = w), Var W and P_fail against exact rationals."""
    k, d, m = code
    exact = exact_union_law(k, d, m)
    found = union_size.union_size_law(k, d, m)
    for w, probability in enumerate(exact):
        if probability > Fraction(1, 10**290):
            assert found[w] == pytest.approx(float(probability), rel=TOLERANCE)
    mean = sum(w * probability for w, probability in enumerate(exact))
    variance = sum((w - mean) ** 2 * probability for w, probability in enumerate(exact))
    assert union_size.mean_union_size(k, d, m) == pytest.approx(float(mean), rel=1e-12)
    assert union_size.union_size_variance(k, d, m) == pytest.approx(float(variance), abs=1e-9)
    with mpmath.workdps(60):
        failure = mpmath.fsum(
            mpmath.mpf(p.numerator)
            / p.denominator
            * -mpmath.expm1(non_members * mpmath.log1p(-mpmath.mpf(comb(w, m)) / comb(d, m)))
            if comb(w, m) < comb(d, m)
            else mpmath.mpf(p.numerator) / p.denominator * (non_members > 0)
            for w, p in enumerate(exact)
        )
        if failure > 0:
            assert false_positives.log_failure_probability(
                k + non_members, k, d, m
            ) == pytest.approx(float(mpmath.log(failure)), abs=TOLERANCE)
        else:
            assert false_positives.failure_probability(k + non_members, k, d, m) == 0.0


@given(codes(largest=200), st.integers(0, 200))
def test_tail_bound(code: tuple[int, int, int], t: int) -> None:
    """P(W - E W >= t) <= exp(-2 t^2 / d)."""
    k, d, m = code
    law = union_size.union_size_law(k, d, m)
    beyond = law[np.arange(d + 1) - union_size.mean_union_size(k, d, m) >= t].sum()
    assert beyond <= union_size.union_size_tail(d, t) * (1 + 1e-12)


def test_tail_bound_is_not_loose_by_orders() -> None:
    """At two standard deviations of a half-full union the bound is within a factor of ten."""
    k, d, m = 8, 256, 22
    law = union_size.union_size_law(k, d, m)
    t = 2.0 * math.sqrt(union_size.union_size_variance(k, d, m))
    beyond = law[np.arange(d + 1) - union_size.mean_union_size(k, d, m) >= t].sum()
    # half-full unions of few heavy hashes vary less than the d/4 that Hoeffding allows
    assert beyond > 0.01 * union_size.union_size_tail(d, t)


@pytest.mark.parametrize(
    ("k", "d", "m"),
    [
        (512, 16384, 22),
        (2, 16384, 4096),
        (512, 16384, 16384),
        (512, 16384, 1),
        (64, 6442, 69),
        (1, 16384, 8192),
    ],
)
def test_whole_range(k: int, d: int, m: int) -> None:
    """n = 1e9, d = 16,384, k = 512: finite, ordered, within the rigorous bounds."""
    n = 10**9
    rate = false_positives.log_false_positive_rate(k, d, m)
    failure = false_positives.log_failure_probability(n, k, d, m)
    assert false_positives.log_lower_bound(k, d, m) <= rate + 1e-8
    assert rate <= false_positives.log_upper_bound(k, d, m) + 1e-8
    assert rate <= failure + 1e-9
    assert failure <= min(0.0, rate + math.log(n - k)) + 1e-9


@pytest.mark.parametrize(("k", "d", "m"), [(2, 2000, 1000), (3, 2000, 400), (8, 3000, 300)])
def test_beyond_double_precision(k: int, d: int, m: int) -> None:
    """The tilted union law gives ln FPR where FPR, or the unions it rests on, underflow."""
    expected = log_of(exact_rate(k, d, m))
    assert expected < -170
    assert false_positives.log_false_positive_rate(k, d, m) == pytest.approx(
        expected, abs=TOLERANCE
    )


@given(codes(largest=120), st.floats(0.0, 3.0))
def test_tilted_law(code: tuple[int, int, int], tilt: float) -> None:
    """The tilted law is P(w) e^(tilt w), normalised, with ln E e^(tilt W)."""
    plain = union_size.union_size_law(*code)
    tilted, log_normaliser = union_size.tilted_union_size_law(*code, tilt)
    kept = np.flatnonzero((plain > 1e-290) & (tilted > 1e-290))
    expected = np.log(plain[kept]) + tilt * kept - log_normaliser
    assert np.log(tilted[kept]) == pytest.approx(expected, abs=1e-9)
    assert tilted.sum() == pytest.approx(1.0, rel=1e-12)


def test_accuracy_tests_can_fail() -> None:
    """The bits one hash takes with replacement change FPR by far more than the tolerance."""
    k, d, m = 4, 60, 8
    with_replacement = math.log(1 - (1 - 1 / d) ** (k * m)) * m
    assert abs(with_replacement - log_of(exact_rate(k, d, m))) > 1e-3
