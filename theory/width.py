"""How wide the residual stream must be, and how many bits each hash should have.

`epsilon` is the failure probability P_fail of one random input unless a function says E#FP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from theory.broadcasting import broadcasts
from theory.codes import log2_binomial, log_ratio, non_members
from theory.domain import DomainError, check_code, check_integer, check_real, check_task
from theory.false_positives import log_false_positive_rate
from theory.fixed_weight import FIXED_WEIGHT
from theory.large_deviations import best_density, failure_slope, kappa
from theory.search import lowest_of_valley


@broadcasts
def width_law(n: int, k: int, epsilon: float) -> float:
    """Asymptotic: d = k log2(N/epsilon) / ln 2 for E#FP = epsilon, from p^m at density 1/2.

    Bits; k -> infinity (at k = 1 it is 43 % too much in the limit of small epsilon). Raises
    DomainError where n = k (no non-member, no width needed).
    """
    check_epsilon(epsilon)
    return k * log_ratio(n, k, epsilon) / math.log(2.0) ** 2


@broadcasts
def refined_width_law(n: int, k: int, epsilon: float) -> float:
    """Asymptotic: d = k log2(N/epsilon) / (ln 2 kappa(k)), the law with the exact exponent.

    A little low where epsilon <= 0.01, since it drops the O(1) prefactor of the rate; on either
    side of the smallest width where epsilon is larger.
    """
    return width_law(n, k, epsilon) / kappa(k)


@broadcasts
def failure_law(n: int, k: int, d: int) -> float:
    """Asymptotic: E#FP = N e^(-(ln 2)^2 kappa(k) d / k), the refined width law read backwards."""
    _, d, _ = check_code(k, d, 1)
    return math.exp(math.log(non_members(n, k)) + failure_slope(k) * d)


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
    others = non_members(n, k)
    if epsilon >= others:
        raise DomainError(f"epsilon must be below n - k = {others}; got {epsilon}")
    exact_epsilon = Fraction(float(epsilon))
    m = max(1, math.ceil(math.log2(others) - math.log2(epsilon)) - 1)
    while 2**m * exact_epsilon < others:
        m += 1
    return m


def half_full_width(k: int, m: int) -> int:
    """Exact: ceil(m / (1 - 2^(-1/k))), the least d at which the fill p <= 1/2; in 80 digits."""
    k = check_integer("k", k, 1)
    m = check_integer("m", m, 1)
    if k == 1:
        return 2 * m
    with localcontext(Context(prec=80)):  # irrational for k > 1, so that the digits settle it
        return math.ceil(m / (1 - Decimal(2) ** (-1 / Decimal(k))))


def optimal_hashes(k: int, d: int) -> int:
    """Exact: the m in 1..d that minimises the FPR; either of two that tie (k = 1, odd d)."""
    k, d, _ = check_code(k, d, 1)
    guess = round(best_density(k)[0] * d)
    return lowest_of_valley(lambda m: log_false_positive_rate(k, d, m), guess, d)


def optimal_hashes_for_failure(n: int, k: int, d: int) -> int:
    """Exact: the m in 1..d that minimises P_fail.

    Where the law of the union is slow and failure certain to 12 digits, so that nothing tells the
    P_fail apart, the m in 1..d that minimises the FPR.
    """
    return FIXED_WEIGHT.best_parameter(n, k, d)


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


@dataclass(frozen=True)
class Code:
    """A constant-weight code: residual width d, m hash bits per token, and its exact P_fail."""

    width: int
    hashes: int
    failure_probability: float


def smallest_width(n: int, k: int, epsilon: float) -> Code:
    """Exact: the smallest width d for which some m gives P_fail <= epsilon, with its best m.

    n: vocabulary size. k: active tokens of an input. m: hash bits of a token. P_fail: probability
    that some token that is not active has all its bits in the union of the active ones.
    Raises DomainError outside 1 <= k <= n, 0 < epsilon < 1.
    """
    found = FIXED_WEIGHT.smallest_width(n, k, epsilon)
    return Code(found.width, found.parameter, found.failure_probability)


@broadcasts
def information_width(n: int, k: int, epsilon: float) -> float:
    """Lower bound: d >= log2 C(n, k) + log2(1 - epsilon) bits to name the k-set at all,
    and at least 0."""
    n, k = check_task(n, k)
    check_epsilon(epsilon)
    return max(0.0, log2_binomial(n, k) + math.log2(1.0 - epsilon))


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


def check_epsilon(epsilon: float) -> float:
    """A failure probability in (0, 1)."""
    return check_real("epsilon", epsilon, 0.0, 1.0)
