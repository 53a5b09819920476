"""The exponential rate of the false-positive probability: FPR = exp(-d I(m/d) + O(1)).

That is for k >= 2 fixed and d to infinity. For k = 1 the exponent is the same, but
FPR = 1/C(d, m) carries a factor of order sqrt(d).
"""

from __future__ import annotations

import math
from functools import cache

from theory.domain import check_integer, check_real


def rate_function(x: float, k: int) -> float:
    """Asymptotic: I(x) = -lim (ln FPR) / d at mask density x = m/d in (0, 1), nats per bit.

    I = x ln(a/x) + (1-x) ln((1-a)/(1-x)) + k [x ln(b/x) + (1-x) ln((1-b)/(1-x))] - ln Z with
    Z = 1 - a (1-b)^k, b = x Z, a (1 - (1-b)^k) = x Z. Eliminating a and Z leaves one equation
    in b, b/x + b y/(1-y) = 1 with y = (1-b)^k, whose root in (0, x) is unique. For k = 1 only
    the degenerate root remains and I is the binary entropy.
    """
    from scipy.optimize import brentq

    check_integer("k", k, 1)
    check_real("x", x, 0.0, 1.0)
    if k == 1:
        return -x * math.log(x) - (1 - x) * math.log1p(-x)

    def excess(b: float) -> float:
        log_y = k * math.log1p(-b)
        return b / x - b * math.exp(log_y) / math.expm1(log_y) - 1.0

    b = brentq(excess, 1e-300, x, xtol=1e-300, rtol=8.9e-16)
    return rate_at_saddle_point(x, b, k)


def rate_at_saddle_point(x: float, b: float, k: int) -> float:
    """Asymptotic: I(x) in nats per bit, given the root b of the saddle-point equation."""
    a = -b / math.expm1(k * math.log1p(-b))

    def relative_entropy(of: float) -> float:
        return x * math.log(of / x) + (1 - x) * math.log((1 - of) / (1 - x))

    return relative_entropy(a) + k * relative_entropy(b) - math.log(b / x)


@cache
def best_density(k: int) -> tuple[float, float]:
    """Asymptotic: (x*, I(x*)): the mask density m/d of the largest rate, and that rate, nats."""
    from scipy.optimize import minimize_scalar

    check_integer("k", k, 1)
    if k == 1:
        return 0.5, math.log(2.0)
    first_guess = math.log(2.0) / k
    found = minimize_scalar(
        lambda x: -rate_function(x, k),
        bounds=(0.25 * first_guess, min(2.0 * first_guess, 0.9)),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return float(found.x), float(-found.fun)


def kappa(k: int) -> float:
    """Asymptotic: kappa(k) = k max I / (ln 2)^2, about 1 + 0.19/k^2.

    The factor by which the exact exponent beats the classic one: at the best m,
    d ln FPR -> -(ln 2)^2 kappa d / k.
    """
    return k * best_density(k)[1] / math.log(2.0) ** 2


def failure_slope(k: int) -> float:
    """Asymptotic: d(ln P_fail)/dd = -(ln 2)^2 kappa(k) / k at the best m, nats per bit."""
    return -best_density(k)[1]
