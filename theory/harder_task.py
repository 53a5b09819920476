"""The harder task: any distribution over the k active tokens, not only the uniform one.

The input carries sum_j alpha_j W_E[i_j] + sum_j l_j V[i_j]: the Bloom filter's d coordinates and
d' (`dprime`) more, in which token i has independent random signs V_i in {+-1/sqrt(d')}^d'. The
ReLU layer leaves these alone and the readout adds <V_i, .>, so that
logit_i = beta |S_i ∩ union| + <V_i, y>, y = sum_j l_j V_{i_j}: a member's is beta m + l_i + eta_i,
eta_i = sum_{j != i} l_j <V_i, V_j>, and the target is tau = softmax(l). The law of eta involves
the k members' rows of V only: what d' must be does not depend on n, whose non-members are kept
away by the Bloom filter and beta.

target_logits: l, float [k], nats, as fed to the network. A constant added to all of l leaves the
target as it is; `centred` l has the smallest norm and so the smallest errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from theory.domain import DomainError, check_integer, check_real, check_task
from theory.false_positives import expected_false_positives
from theory.search import first_true
from theory.width import optimal_hashes, refined_width_law

# the share of an allowed KL that the Bloom filter may leak: its bits are the cheaper ones
_LEAKED_SHARE = 0.125


def centred(log_weights: np.ndarray) -> np.ndarray:
    """The target logits of least norm: log weights (of any normalisation) less their mean, [k]."""
    logits = _check_logits(log_weights)
    found: np.ndarray = logits - logits.mean()
    return found


def target(target_logits: np.ndarray) -> np.ndarray:
    """Exact: tau = softmax(l), float64 [k]."""
    logits = _check_logits(target_logits)
    weights = np.exp(logits - logits.max())
    found: np.ndarray = weights / weights.sum()
    return found


# --- members --------------------------------------------------------------------------------------


def member_error_covariance(target_logits: np.ndarray, dprime: int) -> np.ndarray:
    """Exact: E eta_i eta_j, nats squared, float64 [k, k]; E eta = 0.

    (|l|^2 - l_i^2)/d' on the diagonal, l_i l_j / d' off it.
    """
    logits, dprime = _check(target_logits, dprime)
    own = np.diag(logits @ logits - 2.0 * logits**2)
    return (own + np.outer(logits, logits)) / dprime


def member_error_probability(target_logits: np.ndarray, dprime: int, eta: float) -> float:
    """Upper bound: P(max_i |eta_i| > eta) <= 2 k exp(-d' eta^2 / (2 |l|^2)), at most 1.

    eta_i is a sum of independent signs times l_j/d', j != i (Hoeffding 1963).
    """
    logits, dprime = _check(target_logits, dprime)
    check_real("eta", eta, 0.0)
    squared_norm = float(logits @ logits)
    if squared_norm == 0.0:
        return 0.0
    return min(1.0, 2.0 * len(logits) * math.exp(-dprime * eta**2 / (2.0 * squared_norm)))


def member_error_quantile(target_logits: np.ndarray, dprime: int, epsilon: float) -> float:
    """Upper bound: the eta, nats, that max_i |eta_i| exceeds with probability at most epsilon."""
    logits, dprime = _check(target_logits, dprime)
    check_real("epsilon", epsilon, 0.0, 1.0)
    return math.sqrt(2.0 * float(logits @ logits) * math.log(2.0 * len(logits) / epsilon) / dprime)


def sufficient_dprime(target_logits: np.ndarray, eta: float, epsilon: float) -> int:
    """Upper bound: d' = ceil(2 |l|^2 ln(2k/epsilon) / eta^2), whatever n.

    From there on max_i |eta_i| <= eta with probability at least 1 - epsilon.
    """
    logits = _check_logits(target_logits)
    check_real("eta", eta, 0.0)
    check_real("epsilon", epsilon, 0.0, 1.0)
    spread = 2.0 * float(logits @ logits) * math.log(2.0 * len(logits) / epsilon)
    return max(1, math.ceil(spread / eta**2))


def target_variance_of_error(target_logits: np.ndarray, dprime: int) -> float:
    """Exact: E Var_tau(eta), nats squared: the variance of eta_i for i drawn from the target."""
    covariance = member_error_covariance(target_logits, dprime)
    tau = target(target_logits)
    return float(tau @ np.diag(covariance) - tau @ covariance @ tau)


def member_kl(target_logits: np.ndarray, dprime: int) -> float:
    """Asymptotic: E Var_tau(eta) / 2, nats, the members' part of E KL(target || output).

    d' -> infinity at fixed l. At l = 0 it is 0.
    """
    return 0.5 * target_variance_of_error(target_logits, dprime)


def member_total_variation(target_logits: np.ndarray, dprime: int) -> float:
    """Asymptotic: sum_i tau_i sd(eta_i - <tau, eta>) / sqrt(2 pi), the members' part of E TV.

    Half the mean of |eta_i - <tau, eta>| under the target, eta normal as d' -> infinity.
    """
    covariance = member_error_covariance(target_logits, dprime)
    tau = target(target_logits)
    shared = covariance @ tau
    variance = np.diag(covariance) - 2.0 * shared + tau @ shared
    return float(tau @ np.sqrt(np.maximum(variance, 0.0))) / math.sqrt(2.0 * math.pi)


# --- non-members ----------------------------------------------------------------------------------


def non_member_reach(target_logits: np.ndarray, eta: float) -> float:
    """Upper bound: min(|l|_1, sqrt(|l|^2 + eta |l|_1)) on |<V_i, y>| of every token, nats.

    Wherever the members' |eta_j| are at most eta: <V_i, y> is at most |y|, and
    |y|^2 = sum_j l_j (l_j + eta_j). No union over the n tokens.
    """
    logits = _check_logits(target_logits)
    check_real("eta", eta, 0.0, closed=True)
    one_norm = float(np.abs(logits).sum())
    return min(one_norm, math.sqrt(float(logits @ logits) + eta * one_norm))


def leakage_bound(n: int, beta: float, target_logits: np.ndarray, eta: float) -> float:
    """Upper bound: the non-members' weight over the members', without a false positive.

    N exp(-beta + non_member_reach + eta) / sum_j e^(l_j), where every |eta_j| <= eta.
    """
    logits = _check_logits(target_logits)
    n, k = check_task(n, len(logits))
    check_real("beta", beta, 0.0)
    reach = non_member_reach(logits, eta)
    return (n - k) * math.exp(-beta + reach + eta - _log_partition(logits))


def sufficient_beta(n: int, target_logits: np.ndarray, eta: float, leakage: float) -> float:
    """Upper bound: the beta, at least 0, from which on `leakage_bound` is at most `leakage`."""
    logits = _check_logits(target_logits)
    n, k = check_task(n, len(logits))
    check_real("leakage", leakage, 0.0)
    if n == k:
        return 0.0
    reach = non_member_reach(logits, eta)
    return max(0.0, math.log((n - k) / leakage) + reach + eta - _log_partition(logits))


def log_non_member_factor(target_logits: np.ndarray, dprime: int) -> float:
    """Exact: ln E e^<V_i, y> = d' sum_j ln cosh(l_j / d') of a non-member, nats.

    The mean leakage of the uniform task, `softmax_output.mean_leakage`, times e to this is the
    mean weight of the non-members here: hashes and signs are independent. At most |l|^2 / (2 d').
    """
    logits, dprime = _check(target_logits, dprime)
    return float(_log_cosh_sums(logits, dprime).sum())


# --- the output -----------------------------------------------------------------------------------


def total_variation_bound(eta: float, L: float) -> float:
    """Upper bound: TV(target, output) where every |eta_i| <= eta and the non-members weigh L.

    L: their weight over the members'. (1 - g e^(-eta))^2 / (1 - e^(-2 eta)), g = (1+L)^(-1/2),
    where L <= e^(2 eta) - 1, and L/(1+L) beyond: attained by two-valued errors. It is
    tanh(eta/2) at L = 0 and never more than tanh(eta/2) + L/(1+L).
    """
    check_real("eta", eta, 0.0, closed=True)
    check_real("L", L, 0.0, closed=True)
    if math.log1p(L) >= 2.0 * eta:
        return L / (1.0 + L)
    return math.expm1(-eta - 0.5 * math.log1p(L)) ** 2 / -math.expm1(-2.0 * eta)


def sufficient_eta(delta: float, L: float = 0.0) -> float:
    """Exact: the eta, nats, at which `total_variation_bound` is delta; 2 artanh(delta) at L = 0.

    Raises DomainError unless L/(1+L) < delta < 1.
    """
    check_real("delta", delta, 0.0, 1.0)
    check_real("L", L, 0.0, closed=True)
    leaked = L / (1.0 + L)
    if leaked >= delta:
        raise DomainError(f"L must be below delta/(1 - delta) = {delta / (1 - delta):g}; got {L:g}")
    g = math.sqrt(1.0 / (1.0 + L))
    below_one = delta - g * leaked / (1.0 + g) + math.sqrt(delta * (delta - leaked))
    return -math.log1p(-below_one / (g**2 + delta))


def kl_bound(target_logits: np.ndarray, dprime: int, L: float) -> float:
    """Upper bound: E KL(target || output), nats, over hashes and signs, false positives and all.

    ln(sum_i tau_i prod_{j != i} cosh(l_j/d')^d' + L prod_j cosh(l_j/d')^d'), by E ln <= ln E.
    L: the uniform task's mean leakage E L over sum_j e^(l_j). At l = 0 that task's own bound,
    ln(1 + E L / k). E TV is at most the square root of half of it (Pinsker).
    """
    logits, dprime = _check(target_logits, dprime)
    check_real("L", L, 0.0, closed=True)
    powers = _log_cosh_sums(logits, dprime)
    total = float(powers.sum())
    excess = float(target(logits) @ np.expm1(total - powers)) + L * math.exp(total)
    return math.log1p(excess)


# --- widths ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TargetCode:
    """Sizes that suffice: d bits with m hashes a token, d' signs, logit scale beta, bound on KL."""

    width: int
    hashes: int
    dprime: int
    beta: float
    kl_bound: float

    @property
    def total_width(self) -> int:
        """d + d'."""
        return self.width + self.dprime


def sufficient_code(n: int, target_logits: np.ndarray, delta: float) -> TargetCode:
    """Upper bound: sizes with E KL(target || output) <= delta nats over hashes, signs and inputs.

    d' is the least at which the members' errors stay within 7/8 of delta, and does not depend on
    n; d and beta, which do, keep E L <= E#FP + N e^(-beta) within the rest. Adding a number to all
    target logits leaves the targets as they are: they are centred first.
    """
    logits = centred(_check_logits(target_logits))
    n, k = check_task(n, len(logits))
    check_real("delta", delta, 0.0)
    members = (1.0 - _LEAKED_SHARE) * delta
    dprime = first_true(lambda d: kl_bound(logits, d, 0.0) <= members, 1)
    if n == k:
        return TargetCode(1, 1, dprime, 1.0, kl_bound(logits, dprime, 0.0))
    # the L at which kl_bound is delta
    left = math.expm1(delta) - math.expm1(kl_bound(logits, dprime, 0.0))
    leakage = left * math.exp(-log_non_member_factor(logits, dprime))
    weight = 0.5 * leakage * math.exp(_log_partition(logits))
    beta = max(1.0, math.log((n - k) / weight))
    d = max(1, math.floor(refined_width_law(n, k, weight))) if weight < 1.0 else 1
    while expected_false_positives(n, k, d, optimal_hashes(k, d)) > weight:
        d += 1
    m = optimal_hashes(k, d)
    mean_leakage = expected_false_positives(n, k, d, m) + (n - k) * math.exp(-beta)
    relative = mean_leakage * math.exp(-_log_partition(logits))
    return TargetCode(d, m, dprime, beta, kl_bound(logits, dprime, relative))


def direct_kl_bound(n: int, target_logits: np.ndarray, d: int, lift: float) -> float:
    """Upper bound: E KL(target || output), nats, of one dense code and no layer.

    Every token is read from x = sum_j (lift + l_j) V_{i_j} of d random signs: logit_i = <V_i, x>.
    The lift, the height of the members' logits above the non-members', enters every error.
    `kl_bound` with lift + l in place of l, and N e^(-lift) / sum_j e^(l_j) in place of L.
    """
    logits = _check_logits(target_logits)
    n, k = check_task(n, len(logits))
    check_real("lift", lift, 0.0, closed=True)
    relative = (n - k) * math.exp(-lift - _log_partition(logits))
    return kl_bound(lift + logits, d, relative)


def best_lift(n: int, target_logits: np.ndarray, d: int) -> float:
    """The lift that minimises `direct_kl_bound`, which is convex in it; to about eight digits."""
    from scipy.optimize import minimize_scalar

    logits, d = _check(target_logits, d)
    most = 4.0 + float(np.abs(logits).max()) + 2.0 * (math.log(n) + math.log(d + 1.0))
    found = minimize_scalar(
        lambda lift: direct_kl_bound(n, logits, d, lift),
        bounds=(0.0, most),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x)


def direct_width(n: int, target_logits: np.ndarray, delta: float) -> int:
    """Upper bound: the least d at which `direct_kl_bound` at its best lift is at most delta nats.

    About (k lift^2 + |l|^2) / (2 delta) with lift near ln(n / (k delta)): it grows with n as
    (ln n)^2, where d' does not grow and the Bloom filter's d grows as ln n.
    """
    logits = _check_logits(target_logits)
    check_task(n, len(logits))
    check_real("delta", delta, 0.0)
    return first_true(lambda d: direct_kl_bound(n, logits, d, best_lift(n, logits, d)) <= delta, 1)


def _log_cosh_sums(logits: np.ndarray, dprime: int) -> np.ndarray:
    """d' ln cosh(l_j / d'), nats, [k]; no digits are lost as l_j/d' nears 0."""
    x = np.abs(logits) / dprime
    small = np.log1p(2.0 * np.sinh(0.5 * np.minimum(x, 1.0)) ** 2)
    large = x + np.log1p(np.exp(-2.0 * x)) - math.log(2.0)
    found: np.ndarray = dprime * np.where(x < 1.0, small, large)
    return found


def _log_partition(logits: np.ndarray) -> float:
    """ln sum_j e^(l_j)."""
    return float(np.logaddexp.reduce(logits))


def _check_logits(target_logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(target_logits, dtype=np.float64)
    if logits.ndim != 1 or len(logits) == 0 or not np.isfinite(logits).all():
        raise DomainError(
            f"target_logits must be k >= 1 finite numbers in a row; got shape {logits.shape}"
        )
    return logits


def _check(target_logits: np.ndarray, dprime: int) -> tuple[np.ndarray, int]:
    return _check_logits(target_logits), check_integer("dprime", dprime, 1)
