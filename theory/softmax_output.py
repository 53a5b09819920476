"""The softmax output at finite inverse temperature beta: total variation, KL and squared error.

logit_j = beta (m - M_j), so relative to a member a non-member with M_j missing bits has weight
e^(-beta M_j). With L = sum_j e^(-beta M_j) and Q = sum_j e^(-2 beta M_j) over the N = n - k
non-members, the output's distance from the uniform target over the k members is a function of
L and Q alone (`*_of_leakage`), and its expectations are one-dimensional integrals over the
Laplace transform of L, because 1/(k + L)^r = ∫ t^(r-1) e^(-t(k+L)) dt / Gamma(r).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from theory.domain import DomainError, check_beta, check_real, check_sizes, check_task
from theory.false_positives import missing_bits_law
from theory.union_size import fill_probability, missing_bits_given_union, union_size_law

# The integrands are analytic and bounded for |Im ln t| < pi/2, so the trapezoid rule in ln t
# converges as e^(-pi^2 / step); the step below leaves an error of about 1e-17.
_LOG_STEP = 0.25
# entries of the table of missing bits by union size: 128 MB
_LARGEST_TABLE = 2**24


def total_variation_of_leakage(leakage: np.ndarray | float, k: int) -> np.ndarray | float:
    """Exact: TV(target, output) = L / (k + L), in [0, 1]."""
    return leakage / (k + leakage)


def kl_of_leakage(leakage: np.ndarray | float, k: int) -> np.ndarray | float:
    """Exact: KL(target || output) = ln(1 + L/k) = -ln(1 - TV), nats."""
    return np.log1p(leakage / k)


def squared_error_of_leakage(
    leakage: np.ndarray, squared_leakage: np.ndarray, k: int
) -> np.ndarray:
    """Exact: sum over the vocabulary of (target - output)^2 = (L^2/k + Q) / (k + L)^2."""
    found: np.ndarray = (leakage**2 / k + squared_leakage) / (k + leakage) ** 2
    return found


@dataclass(frozen=True)
class ExpectedDivergence:
    """Expectations over inputs and hashes of the output's distance from the uniform target."""

    total_variation: float
    kl: float
    squared_error: float


def expected_divergence(n: int, k: int, d: int, m: int, beta: float) -> ExpectedDivergence:
    """Exact, by quadrature: E TV, E KL(target || output) in nats, E SE summed over the vocabulary.

    With psi_r(t, w) = sum_s P(M=s | W=w) e^(-r beta s) exp(-t e^(-beta s)) and the average over
    W: E TV = ∫ e^(-kt) E[N psi_1 psi_0^(N-1)] dt, E KL = ∫ e^(-kt) (1 - E psi_0^N) / t dt,
    E SE = ∫ t e^(-kt) E[(1 + 1/k) N psi_2 psi_0^(N-1) + (N(N-1)/k) psi_1^2 psi_0^(N-2)] dt:
    every integrand is positive, so small values keep their digits. Raises DomainError for
    sizes outside 1 <= k <= n, 1 <= m <= d or beta outside (0, inf).
    """
    n, k, d, m = check_sizes(n, k, d, m)
    check_beta(beta)
    non_members = n - k
    if non_members == 0:
        return ExpectedDivergence(0.0, 0.0, 0.0)
    states = min(d, k * m) - m + 1
    if states * (m + 1) > _LARGEST_TABLE:
        raise DomainError(
            f"beta must be left out at these sizes: the table of missing bits would have "
            f"{states * (m + 1):,} entries, more than {_LARGEST_TABLE:,}"
        )
    law = union_size_law(k, d, m)
    w = np.flatnonzero(law)
    law = law[w]
    missing = missing_bits_given_union(d, m, w)
    weight = np.exp(-beta * np.arange(m + 1))

    log_t = np.arange(math.log(1e-18 / (k + non_members)), math.log(60.0 / k), _LOG_STEP)
    t = np.exp(log_t)
    decay = np.exp(-np.outer(weight, t))
    deficit = missing @ np.expm1(-np.outer(weight, t))
    # ln psi_0 keeps its digits near psi_0 = 1 and near psi_0 = 0
    log_psi = np.where(deficit > -0.5, np.log1p(np.maximum(deficit, -0.5)), np.log(missing @ decay))
    psi_1 = missing @ (weight[:, None] * decay)
    psi_2 = missing @ (weight[:, None] ** 2 * decay)

    def laplace_integral(integrand_times_t: np.ndarray) -> float:
        return float(_LOG_STEP * np.sum(np.exp(-k * t) * integrand_times_t))

    one_left_out = np.exp((non_members - 1) * log_psi)
    two_left_out = np.exp((non_members - 2) * log_psi) if non_members > 1 else 0.0
    total_variation = t * (law @ (non_members * psi_1 * one_left_out))
    kl = law @ -np.expm1(non_members * log_psi)
    own = (1.0 + 1.0 / k) * non_members * psi_2 * one_left_out
    pairs = non_members * (non_members - 1.0) / k * psi_1**2 * two_left_out
    squared_error = t**2 * (law @ (own + pairs))
    return ExpectedDivergence(
        min(1.0, laplace_integral(total_variation)),
        laplace_integral(kl),
        laplace_integral(squared_error),
    )


def mean_leakage(n: int, k: int, d: int, m: int, beta: float) -> float:
    """Exact: E L = N G(beta), G = E e^(-beta M)."""
    n, k, d, m = check_sizes(n, k, d, m)
    check_beta(beta)
    return (n - k) * float(missing_bits_law(k, d, m) @ np.exp(-beta * np.arange(m + 1)))


def mean_leakage_bound(n: int, k: int, d: int, m: int, beta: float) -> float:
    """Upper bound: E L <= N (1 - q (1 - e^(-beta)))^m, q = (1 - m/d)^k."""
    n, k, d, m = check_sizes(n, k, d, m)
    check_beta(beta)
    q = 1.0 - fill_probability(k, d, m)
    return (n - k) * math.exp(m * math.log1p(q * math.expm1(-beta)))


def total_variation_bound(n: int, k: int, d: int, m: int, beta: float) -> float:
    """Upper bound: E TV <= E L / (k + E L) (Jensen)."""
    return float(total_variation_of_leakage(mean_leakage(n, k, d, m, beta), k))


def kl_bound(n: int, k: int, d: int, m: int, beta: float) -> float:
    """Upper bound: E KL <= ln(1 + E L / k), nats (Jensen)."""
    return float(kl_of_leakage(mean_leakage(n, k, d, m, beta), k))


def total_variation_without_false_positive(n: int, k: int, beta: float) -> float:
    """Upper bound: TV <= N e^(-beta) / k on every input that has no false positive."""
    n, k = check_task(n, k)
    check_beta(beta)
    return (n - k) * math.exp(-beta) / k


def sufficient_beta(n: int, k: int, delta: float) -> float:
    """Upper bound: beta = ln(N / (k delta)) gives TV <= delta wherever there is no false positive.

    Returns at least 0. Past it only more width helps, not more beta.
    """
    n, k = check_task(n, k)
    check_real("delta", delta, 0.0, 1.0)
    return max(0.0, math.log((n - k) / (k * delta))) if n > k else 0.0
