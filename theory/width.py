"""How wide the residual stream must be, and how many bits each hash should have.

`epsilon` is the failure probability P_fail of one random input unless a function says E#FP.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from theory.domain import DomainError, check_code, check_integer, check_real, check_task
from theory.false_positives import (
    log_failure_probability,
    log_false_positive_rate,
    log_success_probability,
)
from theory.large_deviations import best_density, failure_slope, kappa
from theory.search import first_true


def width_law(n: int, k: int, epsilon: float) -> float:
    """Asymptotic: d = k log2(N/epsilon) / ln 2 for E#FP = epsilon, from p^m at density 1/2.

    Bits. Raises DomainError where n = k (no non-member, no width needed).
    """
    check_epsilon(epsilon)
    return k * log_ratio(n, k, epsilon) / math.log(2.0) ** 2


def refined_width_law(n: int, k: int, epsilon: float) -> float:
    """Asymptotic: d = k log2(N/epsilon) / (ln 2 kappa(k)), the law with the exact exponent.

    A little low at finite width: it drops the O(1) prefactor of the false-positive rate.
    """
    return width_law(n, k, epsilon) / kappa(k)


def failure_law(n: int, k: int, d: int) -> float:
    """Asymptotic: E#FP = N e^(-(ln 2)^2 kappa(k) d / k), the refined width law read backwards."""
    _, d, _ = check_code(k, d, 1)
    return math.exp(math.log(_non_members(n, k)) + failure_slope(k) * d)


def sufficient_code(n: int, k: int, epsilon: float) -> tuple[int, int]:
    """Upper bound: (d, m) with P_fail <= E#FP <= epsilon for every 0 < epsilon < N.

    m = ceil(log2(N/epsilon)) and d = ceil(m / (1 - 2^(-1/k))) make p <= 1/2, so
    FPR <= p^m <= 2^(-m) <= epsilon/N.
    """
    m = sufficient_hashes(n, k, epsilon)
    return half_full_width(k, m), m


def sufficient_hashes(n: int, k: int, epsilon: float) -> int:
    """Exact: ceil(log2(N / epsilon)), the m with N 2^(-m) <= epsilon; settled in integers."""
    from fractions import Fraction

    check_real("epsilon", epsilon, 0.0)
    non_members = _non_members(n, k)
    if epsilon >= non_members:
        raise DomainError(f"epsilon must be below n - k = {non_members}; got {epsilon}")
    exact_epsilon = Fraction(float(epsilon))
    m = max(1, math.ceil(math.log2(non_members) - math.log2(epsilon)) - 1)
    while 2**m * exact_epsilon < non_members:
        m += 1
    return m


def half_full_width(k: int, m: int) -> int:
    """Exact: ceil(m / (1 - 2^(-1/k))), the least d at which the fill p <= 1/2; in integers."""
    k = check_integer("k", k, 1)
    m = check_integer("m", m, 1)
    d = max(m, math.ceil(m / -math.expm1(-math.log(2.0) / k)) - 1)
    while 2 * (d - m) ** k < d**k:  # p > 1/2
        d += 1
    return d


def optimal_hashes(k: int, d: int) -> int:
    """Exact: the m in 1..d that minimises the FPR; either of two that tie (k = 1, odd d)."""
    k, d, _ = check_code(k, d, 1)
    return _minimise(lambda m: log_false_positive_rate(k, d, m), k, d)


def optimal_hashes_for_failure(n: int, k: int, d: int) -> int:
    """Exact: the m in 1..d that minimises P_fail.

    Found by descent from the best m for the FPR; where failure is all but certain P_fail has
    several valleys, and every m up to three times as large is compared.
    """
    n, k = check_task(n, k)
    k, d, _ = check_code(k, d, 1)
    best = _minimise(lambda m: _badness(n, k, d, m), k, d)
    if _badness(n, k, d, best)[0] < _HOPELESS:
        return best
    return min(range(1, min(d, 3 * best + 3) + 1), key=lambda m: _badness(n, k, d, m))


def optimal_hashes_law(k: int, d: int) -> float:
    """Asymptotic: m = (d/k) ln 2, which minimises the classic rate; the union is then half full."""
    k, d, _ = check_code(k, d, 1)
    return d / k * math.log(2.0)


def optimal_hashes_expansion(k: int, d: int) -> float:
    """Asymptotic: m = (d/k) (ln 2 - c/k), c = (ln 2)^3 / (2 (1 - ln 2)) = 0.543, for the FPR.

    First d -> infinity, then large k; for k < 8 use `large_deviations.best_density`.
    """
    k, d, _ = check_code(k, d, 1)
    ln2 = math.log(2.0)
    return d / k * (ln2 - ln2**3 / (2.0 * (1.0 - ln2)) / k)


# -ln(1 - P_fail), nats, from which on the best m is searched for and not descended to
_HOPELESS = 10.0


@dataclass(frozen=True)
class Code:
    """A constant-weight code: residual width d, m hash bits per token, and its exact P_fail."""

    width: int
    hashes: int
    failure_probability: float


def smallest_width(n: int, k: int, epsilon: float) -> Code:
    """Exact: the smallest d for which some m gives P_fail <= epsilon, with its best m.

    P_fail at its best m falls with d, so the width is bracketed around the law and bisected.
    Raises DomainError outside 1 <= k <= n, 0 < epsilon < 1.
    """
    n, k = check_task(n, k)
    check_epsilon(epsilon)
    if n == k:
        return Code(1, 1, 0.0)
    target = math.log(epsilon) if epsilon < 0.5 else -math.log(2.0) - math.log1p(-epsilon)

    def suffices(d: int) -> bool:
        return _badness(n, k, d, optimal_hashes_for_failure(n, k, d))[0] <= target

    d = first_true(suffices, round(refined_width_law(n, k, epsilon)))
    m = optimal_hashes_for_failure(n, k, d)
    return Code(d, m, math.exp(log_failure_probability(n, k, d, m)))


def information_width(n: int, k: int, epsilon: float) -> float:
    """Lower bound: d >= log2 C(n, k) + log2(1 - epsilon) bits to name the k-set at all."""
    n, k = check_task(n, k)
    check_epsilon(epsilon)
    return log2_binomial(n, k) + math.log2(1.0 - epsilon)


def membership_width(k: int, rate: float) -> float:
    """Lower bound: k log2(1/FPR) bits for approximate membership (Carter et al. 1978).

    A Bloom filter pays log2 e = 1.44 times as much.
    """
    check_integer("k", k, 1)
    check_real("rate", rate, 0.0, 1.0)
    return -k * math.log2(rate)


def group_testing_width(n: int, k: int) -> float:
    """Asymptotic: T = k log2(n) / ln 2 tests for the COMP decoder with constant column weight.

    "No false positive" is exactly COMP's success (Johnson, Aldridge & Scarlett 2019).
    """
    n, k = check_task(n, k)
    return k * math.log2(n) / math.log(2.0)


def log2_binomial(n: int, k: int) -> float:
    """Exact: log2 C(n, k), bits, as a sum of k terms so that n = 1e9 loses no digits."""
    n, k = check_task(n, k)
    return math.fsum(math.log2((n - i) / (i + 1)) for i in range(k))


def check_epsilon(epsilon: float) -> float:
    """A failure probability in (0, 1)."""
    return check_real("epsilon", epsilon, 0.0, 1.0)


def _non_members(n: int, k: int) -> int:
    n, k = check_task(n, k)
    if n == k:
        raise DomainError(
            f"n must exceed k = {k} for a width law (no non-members otherwise); got {n}"
        )
    return n - k


def log_ratio(n: int, k: int, epsilon: float) -> float:
    """ln(N / epsilon), nats; the quotient itself may overflow."""
    return math.log(_non_members(n, k)) - math.log(epsilon)


def _badness(n: int, k: int, d: int, m: int) -> tuple[float, float]:
    """Sorts codes by P_fail, by the digits of 1 - P_fail above one half, last by FPR."""
    log_failure = log_failure_probability(n, k, d, m)
    if log_failure < -math.log(2.0):
        return log_failure, 0.0
    log_success = log_success_probability(n, k, d, m)
    # below the smallest double all are equally bad, and fewer false positives are better
    if log_success == -math.inf:
        return math.inf, log_false_positive_rate(k, d, m)
    return -math.log(2.0) - log_success, 0.0


def _minimise(value: Callable[[int], object], k: int, d: int) -> int:
    """A minimiser over 1..d of a function that falls and then rises."""
    known: dict[int, object] = {}

    def at(m: int):
        if m not in known:
            known[m] = value(m)
        return known[m]

    m = min(max(round(best_density(k)[0] * d), 1), d)
    while m > 1 and at(m - 1) <= at(m):
        m -= 1
    while m < d and at(m + 1) < at(m):
        m += 1
    return m
