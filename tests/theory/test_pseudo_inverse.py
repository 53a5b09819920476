"""The pseudo-inverse readout: its laws by quadrature, in closed form and by mpmath; widths."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from theory import pseudo_inverse
from theory.domain import DomainError
from theory.formula import Formula
from theory.formulas.pseudo_inverse import (
    EXPECTED_FALSE_POSITIVES,
    FAILURE_PROBABILITY,
    FALSE_POSITIVE_RATE,
    OF_THE_WIDTH,
    UPPER_BOUND,
)
from theory.pseudo_inverse import (
    expected_false_positives,
    failure_probability,
    failure_slope,
    false_positive_rate,
    log_failure_probability,
    log_false_positive_rate,
    refined_width_law,
    smallest_width,
    sufficient_width,
    upper_bound,
    width_law,
)

widths = st.integers(1, 40).flatmap(lambda k: st.tuples(st.just(k), st.integers(k, k + 600)))
sizes = widths.flatmap(lambda kd: st.integers(0, 10**7).map(lambda extra: (kd[0] + extra, *kd)))
tasks = st.integers(1, 40).flatmap(
    lambda k: st.tuples(st.integers(k + 1, k + 10**6), st.just(k), st.floats(1e-12, 0.9))
)


@given(widths)
def test_rate_is_students(size: tuple[int, int]) -> None:
    """Student's t as SciPy has it, the incomplete beta function, and the quadrature."""
    k, d = size
    nu = d - k + 1
    rate = false_positive_rate(k, d)
    assert rate == pytest.approx(stats.t.sf(math.sqrt(nu / k), nu), rel=1e-10)
    assert math.exp(log_false_positive_rate(k, d)) == pytest.approx(rate, rel=1e-11)
    assert expected_false_positives(k + 7, k, d) == 7 * rate


def test_elementary_rates() -> None:
    """d = k: atan(sqrt k)/pi; d = k + 1: (1 - (k+1)^(-1/2))/2; the first falls short of 1/2."""
    for k in range(1, 60):
        assert false_positive_rate(k, k) == pytest.approx(math.atan(math.sqrt(k)) / math.pi)
        assert false_positive_rate(k, k + 1) == pytest.approx((1 - (k + 1) ** -0.5) / 2)


def failure_by_mpmath(n: int, k: int, d: int) -> mpmath.mpf:
    """ln P_fail by mpmath's quadrature of the definition."""
    with mpmath.workdps(24):
        nu = mpmath.mpf(d - k + 1)

        def integrand(r: mpmath.mpf) -> mpmath.mpf:
            tail = mpmath.erfc(r / mpmath.sqrt(2 * k)) / 2
            return (
                r ** (nu - 1)
                * mpmath.exp(-r * r / 2)
                * -mpmath.expm1((n - k) * mpmath.log1p(-tail))
            )

        mode = mpmath.sqrt(max(0, d - k - 1) * mpmath.mpf(k) / (k + 1))
        ends = [mode + step for step in range(-9, 10, 3)]
        total = mpmath.quad(
            integrand, [mpmath.mpf(0), *(end for end in ends if end > 0), mode + 25]
        )
        return mpmath.log(total) - (nu / 2 - 1) * mpmath.log(2) - mpmath.loggamma(nu / 2)


@pytest.mark.parametrize(
    "size",
    [(10, 1, 1), (1000, 4, 4), (256, 3, 40), (50_257, 32, 1000), (10**9, 2, 60), (100, 2, 3600)],
    ids=str,
)
def test_failure_by_mpmath(size: tuple[int, int, int]) -> None:
    """Relative error below 1e-11, down to P_fail = 1e-316; at 1 - P_fail = 1e-8 as well."""
    exact = float(failure_by_mpmath(*size))
    assert log_failure_probability(*size) == pytest.approx(exact, rel=1e-13, abs=1e-14)
    assert log_failure_probability(*size) - exact == pytest.approx(0.0, abs=1e-11)


@given(sizes)
def test_failure_is_between_its_bounds(size: tuple[int, int, int]) -> None:
    """P_fail <= E#FP <= bound; P_fail <= 1 - (1 - FPR)^N, equal at N = 1; all in [0, 1]."""
    n, k, d = size
    failure, expected = failure_probability(*size), expected_false_positives(*size)
    assert 0.0 <= failure <= min(1.0, expected * (1 + 1e-11))
    assert expected <= upper_bound(*size) * (1 + 1e-12)
    independent = -math.expm1((n - k) * math.log1p(-false_positive_rate(k, d)))
    assert failure <= independent * (1 + 1e-11)
    assert failure_probability(k + 1, k, d) == pytest.approx(false_positive_rate(k, d), rel=1e-11)
    assert failure_probability(k, k, d) == 0.0


@given(sizes)
def test_failure_falls_with_width_and_grows_with_n(size: tuple[int, int, int]) -> None:
    n, k, d = size
    log_failure = log_failure_probability(n + 1, k, d)
    assert log_failure_probability(n + 1, k, d + 1) <= log_failure + 1e-12
    assert log_failure <= log_failure_probability(n + 2, k, d) + 1e-12


@given(tasks)
def test_smallest_width_is_smallest(task: tuple[int, int, float]) -> None:
    n, k, epsilon = task
    d = smallest_width(n, k, epsilon)
    assert failure_probability(n, k, d) <= epsilon * (1 + 1e-12)
    assert d == k or failure_probability(n, k, d - 1) > epsilon * (1 - 1e-12)
    assert d <= max(k + 1, math.ceil(sufficient_width(n, k, epsilon)))


@given(tasks)
def test_laws(task: tuple[int, int, float]) -> None:
    """The refined law inverts its own leading term; the sufficient width is below (2k+1) ln."""
    n, k, epsilon = task
    nu = refined_width_law(*task) - k + 1
    log_leading = math.log(n - k) + failure_slope(k) * nu
    log_leading += 0.5 * math.log((k + 1) / (2 * math.pi * nu))
    assert log_leading == pytest.approx(math.log(epsilon), abs=1e-9)
    if epsilon <= (n - k) / 2:
        assert sufficient_width(*task) <= width_law(*task)


def test_refined_law_is_close() -> None:
    """Within 3 of the exact width over the sizes below, and within 2 for P_fail <= 1e-6."""
    for n in (1000, 50_257):
        for k in (1, 2, 4, 8, 32):
            for epsilon in (1e-2, 1e-4, 1e-6, 1e-10):
                error = refined_width_law(n, k, epsilon) - smallest_width(n, k, epsilon)
                assert abs(error) < (3.0 if epsilon > 1e-6 else 2.0), (n, k, epsilon)


def test_slope_is_reached() -> None:
    """ln P_fail / d between d = 3000 and 3001, less the prefactor's -1/(2 nu)."""
    for k in (1, 3, 10):
        step = log_failure_probability(500, k, 3001) - log_failure_probability(500, k, 3000)
        assert step == pytest.approx(failure_slope(k) - 1 / 6000, rel=1e-3)


@pytest.mark.parametrize(
    "formula", [FALSE_POSITIVE_RATE, EXPECTED_FALSE_POSITIVES, FAILURE_PROBABILITY, *OF_THE_WIDTH]
)
def test_evaluator_equals_expression(formula: Formula) -> None:
    """Random sizes with k < d; a change of 1e-9 is noticed."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        k = int(rng.integers(1, 5))
        drawn = {"k": k, "d": k + int(rng.integers(1, 9)), "n": k + int(rng.integers(1, 9))}
        values = {name: drawn[name] for name in formula.arguments}
        expression = formula.exact(**values)
        # mpmath's own quadrature: SymPy's gives up digits on half-lines
        exact = float(sp.lambdify((), expression, "mpmath")())
        found = formula.evaluate(**values)
        assert found == pytest.approx(exact, rel=1e-11), values
        assert found != pytest.approx(exact * (1 + 1e-9), rel=1e-11)


def test_bound_is_on_its_side() -> None:
    assert UPPER_BOUND.of is EXPECTED_FALSE_POSITIVES
    for k in range(1, 6):
        for d in range(k, 30):
            assert UPPER_BOUND.evaluate(9, k, d) >= EXPECTED_FALSE_POSITIVES.evaluate(9, k, d)


def test_planted_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """One degree of freedom too few, or a tail at |h| in place of 1/|h|: the laws disagree."""
    exact = float(failure_by_mpmath(256, 3, 40))
    assert log_failure_probability(256, 3, 39) != pytest.approx(exact, rel=1e-3)
    right = pseudo_inverse.log_failure_given_norm
    monkeypatch.setattr(
        pseudo_inverse, "log_failure_given_norm", lambda n, k, x: right(n, k, 1.0 / x)
    )
    assert log_failure_probability(256, 3, 40) != pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: failure_probability(10, 4, 3), "d must be at least 4; got 3"),
        (lambda: false_positive_rate(0, 3), "k must be at least 1"),
        (lambda: expected_false_positives(3, 4, 9), "k must be at least 1 and at most n = 3"),
        (lambda: smallest_width(10, 2, 1.0), "epsilon must be a finite number in"),
        (lambda: sufficient_width(4, 4, 0.1), "n must exceed k = 4"),
        (lambda: refined_width_law(4, 4, 0.1), "n must exceed k = 4"),
        (lambda: pseudo_inverse.condition_number(4, 4), "d must exceed k = 4"),
        (lambda: failure_probability(10, 2, 3.0), "d must be an integer"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call()


def test_without_non_members() -> None:
    assert log_failure_probability(4, 4, 9) == -math.inf
    assert smallest_width(4, 4, 0.1) == 4
