"""Widths, optimal hash bits, and the exponential rate."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import large_deviations, width
from theory.domain import DomainError
from theory.false_positives import (
    expected_false_positives,
    failure_probability,
    log_failure_probability,
    log_false_positive_rate,
    log_success_probability,
)
from theory.union_size import fill_probability

# (n, k, epsilon): smallest width, its best m, the law to one decimal
TABLE = {
    (1000, 4, 0.1): (76, 11, 76.6),
    (1000, 8, 1e-3): (230, 18, 229.9),
    (5000, 8, 1e-6): (372, 29, 371.8),
    (50_000, 16, 1e-6): (821, 34, 820.4),
    (50_000, 32, 0.01): (1028, 22, 1027.3),
}

tasks = st.tuples(st.integers(2, 10**6), st.integers(1, 40)).filter(lambda t: t[1] < t[0])
epsilons = st.floats(1e-12, 0.9)
codes = st.integers(1, 80).flatmap(
    lambda d: st.tuples(st.integers(1, 9), st.just(d), st.integers(1, d))
)


@pytest.mark.parametrize(("task", "expected"), TABLE.items())
def test_table(task: tuple[int, int, float], expected: tuple[int, int, float]) -> None:
    code = width.smallest_width(*task)
    assert (code.width, code.hashes) == expected[:2]
    assert width.width_law(*task) == pytest.approx(expected[2], abs=0.05)


@given(st.tuples(st.integers(2, 400), st.integers(1, 6)).filter(lambda t: t[1] < t[0]), epsilons)
def test_smallest_width_is_smallest(task: tuple[int, int], epsilon: float) -> None:
    """Its code meets epsilon, and no m meets it one bit narrower (every m tried)."""
    n, k = task
    code = width.smallest_width(n, k, epsilon)
    assert code.failure_probability <= epsilon * (1 + 1e-12)
    assert code.failure_probability == failure_probability(n, k, code.width, code.hashes)
    narrower = code.width - 1
    assert all(failure_probability(n, k, narrower, m) > epsilon for m in range(1, narrower + 1))


@given(tasks, epsilons)
def test_inversion_round_trip(task: tuple[int, int], epsilon: float) -> None:
    """smallest_width(n, k, P_fail of that width) is that width again."""
    n, k = task
    code = width.smallest_width(n, k, epsilon)
    if code.failure_probability > 0.0:
        again = width.smallest_width(n, k, code.failure_probability * (1 + 1e-12))
        assert again.width == code.width


@given(tasks, epsilons)
def test_sufficient_code_suffices(task: tuple[int, int], epsilon: float) -> None:
    """P_fail <= E#FP <= epsilon at the proved width; p <= 1/2 there and not one bit narrower."""
    n, k = task
    d, m = width.sufficient_code(n, k, epsilon)
    assert failure_probability(n, k, d, m) <= expected_false_positives(n, k, d, m) * (1 + 1e-12)
    assert expected_false_positives(n, k, d, m) <= epsilon * (1 + 1e-12)
    assert fill_probability(k, d, m) <= 0.5 + 1e-12
    assert d == m or 2 * (d - 1 - m) ** k < (d - 1) ** k
    assert width.smallest_width(n, k, epsilon).width <= d


@pytest.mark.parametrize("epsilon", [1.0, 7.5, 99.0])
def test_sufficient_code_for_an_expected_number_above_one(epsilon: float) -> None:
    """The theorem is about E#FP, so epsilon may reach N."""
    d, m = width.sufficient_code(104, 4, epsilon)
    assert expected_false_positives(104, 4, d, m) <= epsilon


@given(st.integers(1, 7), st.integers(1, 48))
def test_optimal_hashes_is_optimal(k: int, d: int) -> None:
    """No m in 1..d has a smaller FPR (to rounding); likewise P_fail, whose m is never smaller."""
    best = width.optimal_hashes(k, d)
    rates = [log_false_positive_rate(k, d, m) for m in range(1, d + 1)]
    assert rates[best - 1] <= min(rates) + 1e-12
    n = k + 300
    best_for_failure = width.optimal_hashes_for_failure(n, k, d)
    failures = [log_failure_probability(n, k, d, m) for m in range(1, d + 1)]
    assert failures[best_for_failure - 1] <= min(failures) + 1e-12
    assert best_for_failure >= best - (k == 1)  # at k = 1 two m tie


@given(st.integers(1, 8), st.integers(1, 30), st.integers(0, 10**5))
def test_optimal_hashes_where_failure_is_almost_certain(k: int, d: int, extra: int) -> None:
    """The largest 1 - P_fail over every m, however small it is."""
    n = k + extra
    best = width.optimal_hashes_for_failure(n, k, d)
    successes = [log_success_probability(n, k, d, m) for m in range(1, d + 1)]
    if max(successes) > -600 and failure_probability(n, k, d, best) > 0.5:
        assert successes[best - 1] >= max(successes) - 1e-9


@pytest.mark.parametrize(
    ("n", "k", "epsilon", "expected"),
    [(10_080, 2, 0.9999995843719922, 12), (435_628, 2, 0.999999988937127, 19)],
)
def test_smallest_width_next_to_certain_failure(
    n: int, k: int, epsilon: float, expected: int
) -> None:
    found = width.smallest_width(n, k, epsilon)
    target = math.log1p(-epsilon)
    best_narrower = max(
        log_success_probability(n, k, found.width - 1, m) for m in range(1, expected)
    )
    assert best_narrower < target <= log_success_probability(n, k, found.width, found.hashes)


@given(codes, st.integers(0, 10**6))
def test_success_and_failure_add_up(code: tuple[int, int, int], non_members: int) -> None:
    """P_fail + (1 - P_fail) = 1, each from its own sum."""
    k, d, m = code
    n = k + non_members
    total = math.exp(log_failure_probability(n, k, d, m)) + math.exp(
        log_success_probability(n, k, d, m)
    )
    assert total == pytest.approx(1.0, rel=1e-12)


def test_optimum_of_the_small_task() -> None:
    """n=512, k=3, d=64: m = 12 for both, P_fail 1.58 %; (500, 2, 32): 8, then 9."""
    assert width.optimal_hashes(3, 64) == width.optimal_hashes_for_failure(512, 3, 64) == 12
    assert failure_probability(512, 3, 64, 12) == pytest.approx(0.0158, abs=5e-5)
    assert width.optimal_hashes(2, 32) == 8
    assert width.optimal_hashes_for_failure(500, 2, 32) == 9


@given(st.integers(1, 5), st.integers(2, 40), st.data())
def test_monotonicity(k: int, d: int, data: st.DataObject) -> None:
    """P_fail falls with width and rises with k and n, at fixed m."""
    m = data.draw(st.integers(1, d - 1))
    n = k + 50
    here = log_failure_probability(n, k, d, m)
    assert log_failure_probability(n, k, d + 1, m) <= here + 1e-12
    assert log_failure_probability(n + 1, k + 1, d, m) >= here - 1e-12
    assert log_failure_probability(n + 1, k, d, m) >= here - 1e-12


@pytest.mark.parametrize(("k", "expected"), [(2, 1.053), (4, 1.012), (8, 1.003)])
def test_kappa(k: int, expected: float) -> None:
    """kappa(k), and 1 + 0.19/k^2 from k = 4 on."""
    assert large_deviations.kappa(k) == pytest.approx(expected, abs=6e-4)
    if k >= 4:
        assert large_deviations.kappa(k) == pytest.approx(1 + 0.19 / k**2, abs=5e-4)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("x", [0.05, 0.2, 0.5, 0.8])
def test_rate_function_is_the_exact_decay(k: int, x: float) -> None:
    """-ln FPR grows by I(x) per bit of width: the prefactor cancels between d and 2d up to 1/d."""
    d = 2000
    m = round(x * d)
    growth = log_false_positive_rate(k, d, m) - log_false_positive_rate(k, 2 * d, 2 * m)
    prefactor = 0.5 * math.log(2) if k == 1 else 0.0  # 1/C(d, m) carries a factor sqrt(d)
    expected = d * large_deviations.rate_function(x, k)
    assert growth + prefactor == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("k", "x"), [(512, 0.01), (512, 0.05), (8, 0.9), (64, 0.5), (2, 0.3)])
def test_rate_function_accuracy(k: int, x: float) -> None:
    """I(x) to 1e-12 relative, also where it is as small as 1e-20, against 60 digits."""
    with mpmath.workdps(60):
        at = mpmath.mpf(x)
        b = mpmath.findroot(
            lambda b: b / at + b * (1 - b) ** k / (1 - (1 - b) ** k) - 1,
            (at * (1 - mpmath.mpf(2) ** -180), at / 2),
            solver="anderson",
            tol=1e-100,
        )
        a = b / (1 - (1 - b) ** k)
        entropy = [
            at * mpmath.log(v / at) + (1 - at) * mpmath.log((1 - v) / (1 - at)) for v in (a, b)
        ]
        expected = entropy[0] + k * entropy[1] - mpmath.log(b / at)
        assert large_deviations.rate_function(x, k) == pytest.approx(float(expected), rel=1e-12)


def test_rate_function_limits() -> None:
    """Binary entropy at k = 1; vanishing at both ends; largest at best_density."""
    assert large_deviations.rate_function(0.5, 1) == pytest.approx(math.log(2))
    for k in (2, 5):
        x, best = large_deviations.best_density(k)
        assert large_deviations.rate_function(1e-9, k) < 1e-6
        assert large_deviations.rate_function(1 - 1e-9, k) < 1e-6
        assert all(
            large_deviations.rate_function(x * scale, k) < best for scale in (0.9, 0.99, 1.01, 1.1)
        )


@pytest.mark.parametrize(("k", "short"), [(2, 0.19), (3, 0.09), (4, 0.05), (8, 0.013)])
def test_expansion_of_the_optimum(k: int, short: float) -> None:
    """m = (d/k)(ln 2 - 0.543/k) is low by this share of the true limit, and exact for large k."""
    limit = large_deviations.best_density(k)[0]
    expansion = width.optimal_hashes_expansion(k, 10**6) / 10**6
    assert 1 - expansion / limit == pytest.approx(short, abs=0.006)
    far = large_deviations.best_density(500)[0]
    assert width.optimal_hashes_expansion(500, 10**6) / 10**6 == pytest.approx(far, rel=1e-5)


def test_lower_bounds_are_below_the_exact_width() -> None:
    for task in TABLE:
        n, k, epsilon = task
        exact = width.smallest_width(*task).width
        assert width.information_width(*task) < exact
        assert width.membership_width(k, epsilon / (n - k)) < exact


def test_information_width_counts_inputs() -> None:
    assert width.information_width(6, 3, 0.5) == pytest.approx(math.log2(20) - 1)
    assert width.log2_binomial(10**9, 2) == pytest.approx(math.log2(10**9 * (10**9 - 1) / 2))


def test_no_non_members() -> None:
    """n = k: one bit is enough, and the laws say why they do not apply."""
    assert width.smallest_width(5, 5, 0.1) == width.Code(1, 1, 0.0)
    with pytest.raises(DomainError, match="n must exceed k"):
        width.width_law(5, 5, 0.1)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, -1.0, math.nan, math.inf])
def test_epsilon_outside_its_range(epsilon: float) -> None:
    with pytest.raises(DomainError, match=r"epsilon must be a finite number in \(0, 1\)"):
        width.smallest_width(100, 4, epsilon)


def test_numpy_integers_are_integers() -> None:
    """Their products would overflow; they are taken as Python's."""
    assert width.sufficient_code(5000, np.int64(32), 1e-6) == width.sufficient_code(5000, 32, 1e-6)
    eight = [np.uint8(size) for size in (200, 3, 100, 20)]
    assert failure_probability(*eight) == failure_probability(200, 3, 100, 20)
