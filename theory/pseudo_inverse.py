"""A rival of the Bloom construction: the pseudo-inverse readout of a random W_U.

The residual is the shortest h with logit 1 on every member, h = U_S^T (U_S U_S^T)^-1 1, where the
rows of U_S [k, d] are the members' columns of W_U (Basri & Jacobs, ICLR 2026, "The Softmax
Bottleneck Does Not Limit the Probabilities of the Most Likely Tokens"). A non-member is a false
positive when its logit reaches 1. It is not one ReLU layer: h takes the inverse of a k x k
matrix that depends on the input.

Here W_U has independent N(0, sigma^2) entries; sigma scales h and leaves the logits alone. At
sigma = 1, 1/|h|^2 is chi-square / k with nu = d - k + 1 degrees of freedom, and given h the
non-members' logits are independent N(0, |h|^2). Annealed: W_U is part of the randomness.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import ClassVar

import numpy as np

from theory.broadcasting import broadcasts
from theory.codes import Scheme, log_ratio
from theory.domain import DomainError, check_integer, check_task
from theory.logarithms import log_some

# terms this many nats below the largest do not reach a double's last digit
_NEGLIGIBLE = 50.0
_COARSE = 1024
_PANELS, _NODES = 48, 16


@broadcasts
def false_positive_rate(k: int, d: int) -> float:
    """Exact: FPR = P(t_nu > sqrt(nu/k)) = I_{k/(k+1)}(nu/2, 1/2) / 2, Student's t; d >= k.

    I is the regularised incomplete beta function. 0 where FPR is below the smallest double.
    """
    from scipy.special import betainc

    k, d = check_width(k, d)
    return 0.5 * float(betainc(0.5 * (d - k + 1), 0.5, k / (k + 1)))


@broadcasts
def log_false_positive_rate(k: int, d: int) -> float:
    """Exact: ln FPR, nats, by quadrature; finite far below the smallest double."""
    from scipy.special import log_ndtr

    k, d = check_width(k, d)
    return _log_mean(k, d, lambda inverse_norm: log_ndtr(-inverse_norm))


@broadcasts
def expected_false_positives(n: int, k: int, d: int) -> float:
    """Exact: E#FP = N FPR, the mean number of false positives of one input; k <= d."""
    n, k = check_task(n, k)
    return (n - k) * false_positive_rate(k, d)


def log_failure_given_norm(n: int, k: int, inverse_norm: np.ndarray) -> np.ndarray:
    """Exact: ln P(some false positive | h) = ln(1 - (1 - Q(1/|h|))^N), nats, Q the normal tail.

    inverse_norm: 1/|h|, float [...]. Returns float64 of that shape.
    """
    from scipy.special import log_ndtr

    n, k = check_task(n, k)
    return log_some(n - k, log_ndtr(-inverse_norm), log_ndtr(inverse_norm))


@broadcasts
def log_failure_probability(n: int, k: int, d: int) -> float:
    """Exact: ln P_fail, nats, averaging over |h|; -inf where n = k.

    By quadrature, to about 1e-16 (100 + d) relative to P_fail, however small that is.
    """
    n, k = check_task(n, k)
    k, d = check_width(k, d)
    if n == k:
        return -math.inf
    return min(0.0, _log_mean(k, d, lambda x: log_failure_given_norm(n, k, x)))


@broadcasts
def failure_probability(n: int, k: int, d: int) -> float:
    """Exact: P_fail, the probability that a random input has at least one false positive; k <= d.

    False positives of one input share its h, so P_fail is a mixture over |h|, below
    1 - (1 - FPR)^N.
    """
    return math.exp(log_failure_probability(n, k, d))


def smallest_width(n: int, k: int, epsilon: float) -> int:
    """Exact: the smallest d >= k with P_fail <= epsilon; k where n = k.

    P_fail falls with d (1/|h| grows with nu). Raises DomainError outside 1 <= k <= n,
    0 < epsilon < 1.
    """
    return PSEUDO_INVERSE.smallest_width(n, k, epsilon).width


def upper_bound(n: int, k: int, d: int) -> float:
    """Upper bound: P_fail <= E#FP <= (N/2) (1 + 1/k)^(-nu/2), from Q(x) <= e^(-x^2/2) / 2."""
    n, k = check_task(n, k)
    k, d = check_width(k, d)
    return 0.5 * (n - k) * math.exp(failure_slope(k) * (d - k + 1))


def sufficient_width(n: int, k: int, epsilon: float) -> float:
    """Upper bound: d = k - 1 + 2 ln(N/(2 epsilon)) / ln(1 + 1/k) makes P_fail <= epsilon.

    At most k - 1 + (2k+1) ln(N/(2 epsilon)) where epsilon <= N/2. Raises DomainError where n = k.
    """
    return k - 1 - (log_ratio(n, k, epsilon) - math.log(2.0)) / failure_slope(k)


def width_law(n: int, k: int, epsilon: float) -> float:
    """Asymptotic: d = k + (2k+1) ln(N/epsilon), large k and tiny epsilon: 2 k ln(N/epsilon).

    A Bloom filter's is k ln(N/epsilon) / (ln 2)^2. High at finite width: see `refined_width_law`.
    """
    return k + (2 * k + 1) * log_ratio(n, k, epsilon)


def refined_width_law(n: int, k: int, epsilon: float) -> float:
    """Asymptotic: the d at which E#FP = epsilon, by the leading term of the exact rate.

    FPR = (1 + 1/k)^(-nu/2) sqrt((k+1) / (2 pi nu)) (1 + O(k/nu)), solved by Lambert's W:
    nu = W(a (k+1) N^2 / (2 pi epsilon^2)) / a with a = ln(1 + 1/k).
    """
    from scipy.special import wrightomega  # W(e^z), where e^z may overflow

    ratio = log_ratio(n, k, epsilon)
    a = -2.0 * failure_slope(k)
    log_argument = math.log(a * (k + 1) / (2.0 * math.pi)) + 2.0 * ratio
    return k - 1 + float(wrightomega(log_argument)) / a


def failure_slope(k: int) -> float:
    """Asymptotic: d(ln P_fail)/dd = -ln(1 + 1/k) / 2 as d grows, nats per unit of width."""
    return -0.5 * math.log1p(1.0 / check_integer("k", k, 1))


def condition_number(k: int, d: int) -> float:
    """Asymptotic: (sqrt d + sqrt k) / (sqrt d - sqrt k), of U_S as d grows at fixed k/d < 1.

    Its extreme singular values over sqrt d tend to 1 ± sqrt(k/d) (Bai & Yin 1993).
    """
    k, d = check_width(k, d)
    if d == k:
        raise DomainError(f"d must exceed k = {k} for the law of the condition number; got {d}")
    return (math.sqrt(d) + math.sqrt(k)) / (math.sqrt(d) - math.sqrt(k))


def check_width(k: int, d: int) -> tuple[int, int]:
    """Sizes of the readout as ints: 1 <= k <= d, so that U_S has full row rank."""
    k = check_integer("k", k, 1)
    return k, check_integer("d", d, k)


def _log_mean(k: int, d: int, log_value: Callable[[np.ndarray], np.ndarray]) -> float:
    """ln E[value(1/|h|)], nats: 1/|h| = r / sqrt k, r chi with nu degrees of freedom.

    value: falling no faster than Q(1/|h|)'s own logarithm does, so that the integrand's mode has
    (nu - 2) k/(k+1) <= r^2 <= nu - 1; the chi density's curvature, at least 1 nat, cuts it off.
    """
    from scipy.special import gammaln

    nu = d - k + 1
    constant = (0.5 * nu - 1.0) * math.log(2.0) + float(gammaln(0.5 * nu))

    def log_integrand(r: np.ndarray) -> np.ndarray:
        found: np.ndarray = (
            (nu - 1.0) * np.log(r) - 0.5 * r * r - constant + log_value(r / math.sqrt(k))
        )
        return found

    reach = math.sqrt(2.0 * _NEGLIGIBLE)
    first = max(0.0, math.sqrt(max(nu - 2.0, 0.0) * k / (k + 1)) - reach)
    last = math.sqrt(nu - 1.0) + reach
    coarse = np.linspace(first, last, _COARSE + 1)[1:]
    height = log_integrand(coarse)
    kept = coarse[height > height.max() - _NEGLIGIBLE]
    step = coarse[1] - coarse[0]
    r, log_weight = _panels(max(first, kept[0] - step), min(last, kept[-1] + step))
    terms = log_integrand(r) + log_weight
    top = float(terms.max())
    return top + math.log(float(np.exp(terms - top).sum()))


@cache
def _gauss_legendre() -> tuple[np.ndarray, np.ndarray]:
    """Nodes in (0, 1) and logarithms of the weights of the composite rule."""
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    nodes = (np.arange(_PANELS)[:, None] + 0.5 * (node + 1.0)) / _PANELS
    return nodes.ravel(), np.log(np.tile(0.5 * weight / _PANELS, _PANELS))


def _panels(first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    nodes, log_weights = _gauss_legendre()
    return first + (last - first) * nodes, log_weights + math.log(last - first)


class PseudoInverse(Scheme[None]):
    """The shortest residual with its members' logits 1, under a Gaussian W_U. Exact."""

    name: ClassVar[str] = "pseudo-inverse"
    parameter: ClassVar[str | None] = None
    largest_epsilon: ClassVar[float] = 1.0

    def log_failure(self, n: int, k: int, d: int, parameter: None = None) -> float:
        return log_failure_probability(n, k, d)

    def best_parameter(self, n: int, k: int, d: int) -> None:
        return None

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        return refined_width_law(n, k, epsilon)

    def narrowest(self, k: int) -> int:
        return k


PSEUDO_INVERSE = PseudoInverse()
