"""The exponential rate of the false-positive probability: FPR = exp(-d I(m/d) + O(1)).

That is for k >= 2 fixed and d to infinity. For k = 1 the exponent is the same, but
FPR = 1/C(d, m) carries a factor of order sqrt(d).
"""

from __future__ import annotations

import math
from functools import cache

from theory.domain import check_integer, check_real
from theory.search import root


def rate_function(x: float, k: int) -> float:
    """Asymptotic: I(x) = -lim (ln FPR) / d at mask density x = m/d in (0, 1), nats per bit.

    I = x ln(a/x) + (1-x) ln((1-a)/(1-x)) + k [x ln(b/x) + (1-x) ln((1-b)/(1-x))] - ln Z with
    Z = 1 - a (1-b)^k, b = x Z, a (1 - (1-b)^k) = x Z. Eliminating a and Z leaves one equation
    in b, b/x + b y/(1-y) = 1 with y = (1-b)^k, whose root in (0, x) is unique; it is solved for
    ln(1 - b/x). For k = 1 only the degenerate root remains and I is the binary entropy.
    """
    from scipy.optimize import brentq

    check_integer("k", k, 1)
    check_real("x", x, 0.0, 1.0)
    if k == 1:
        return -x * math.log(x) - (1 - x) * math.log1p(-x)

    def excess(log_delta: float) -> float:
        delta = math.exp(log_delta)
        log_y = k * _log_one_minus_b(x, delta)
        return log_delta - math.log(x) - math.log1p(-delta) - log_y + math.log(-math.expm1(log_y))

    lowest = math.log(x) + k * math.log1p(-x) - 1.0  # delta >= x (1-x)^k
    log_delta = brentq(excess, lowest, -1e-9, xtol=1e-300, rtol=8.9e-16)
    return _rate(x, math.exp(log_delta), k)


def rate_at_saddle_point(x: float, b: float, k: int) -> float:
    """Asymptotic: I(x) in nats per bit, given the root b of the saddle-point equation."""
    return _rate(x, (x - b) / x, k)


def _log_one_minus_b(x: float, delta: float) -> float:
    """ln(1 - b) at b = x (1 - delta), without cancellation at either end of (0, 1)."""
    return math.log1p(-x * (1.0 - delta)) if x < 0.5 else math.log((1.0 - x) + x * delta)


def _rate(x: float, delta: float, k: int) -> float:
    """I(x) at b = x (1 - delta); its terms are small as delta is, and so keep their digits."""
    log_y = k * _log_one_minus_b(x, delta)
    # a = x (1 + eta)
    eta = (math.exp(log_y) - delta) / -math.expm1(log_y)

    def relative_entropy(change: float) -> float:
        return x * math.log1p(change) + (1 - x) * math.log1p(-x * change / (1 - x))

    return relative_entropy(eta) + k * relative_entropy(-delta) - math.log1p(-delta)


@cache
def best_density(k: int) -> tuple[float, float]:
    """Asymptotic: (x*, I(x*)): the mask density m/d of the largest rate, and that rate, nats.

    I'(x) = 0 together with the saddle point's equation leaves one in y = (1-b)^k,
    1 - y^(1 - 1/k) = (1-y)^(1 + 1/k), whose root lies above 1/2 and tends to it.
    """
    k = check_integer("k", k, 1)
    if k == 1:
        return 0.5, math.log(2.0)

    def excess(y: float) -> float:
        """ln of the left side over the right; both are near 1 - y where k is large."""
        more = y * math.expm1(-math.log(y) / k) / (1.0 - y)
        return math.log1p(-more) - math.log1p(-y) / k

    y = root(excess, 0.5, 1.0 - 1e-9)
    b = -math.expm1(math.log(y) / k)
    delta = b * y / (1.0 - y)
    x = b / (1.0 - delta)
    return x, _rate(x, delta, k)


def kappa(k: int) -> float:
    """Asymptotic: kappa(k) = k max I / (ln 2)^2, about 1 + 0.19/k^2.

    The factor by which the exact exponent beats the classic one: at the best m,
    d ln FPR -> -(ln 2)^2 kappa d / k.
    """
    return kappa_of_rate(best_density(k)[1], k)


def kappa_of_rate(largest_rate: float, k: int) -> float:
    """Asymptotic: kappa = k max I / (ln 2)^2, given max I in nats per bit."""
    return k * largest_rate / math.log(2.0) ** 2


def failure_slope(k: int) -> float:
    """Asymptotic: d(ln P_fail)/dd = -(ln 2)^2 kappa(k) / k at the best m, nats per bit."""
    return -best_density(k)[1]
