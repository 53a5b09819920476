"""How many tokens a residual stream of given width carries: the widths read backwards.

Of each rival the largest k such that with it, and with every smaller one, a random input of k
tokens fails with probability at most epsilon; k = 0 where even one token fails more often.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from theory import dense_codes, false_positives, pseudo_inverse
from theory.domain import check_integer
from theory.moment_curve import radon_width
from theory.search import first_true
from theory.width import check_epsilon, information_width, optimal_hashes_for_failure


@dataclass(frozen=True)
class Capacity:
    """The largest k, the best hash bits m where there are hashes, and P_fail at that k."""

    k: int
    m: int | None = None
    failure_probability: float | None = None


def bloom(n: int, d: int, epsilon: float) -> Capacity:
    """Exact: random hashes of constant weight at the best m."""
    check_integer("n", n, 1)

    def log_failure(k: int) -> float:
        m = optimal_hashes_for_failure(n, k, d)
        return false_positives.log_failure_probability(n, k, d, m)

    k = _largest(n, d, epsilon, lambda k, log_epsilon: log_failure(k) <= log_epsilon)
    if k == 0:
        return Capacity(0)
    m = optimal_hashes_for_failure(n, k, d)
    return Capacity(k, m, false_positives.failure_probability(n, k, d, m))


def pseudo_inverse_readout(n: int, d: int, epsilon: float) -> Capacity:
    """Exact: a random W_U and, of every input, the shortest residual with its members' logits 1."""

    def fits(k: int, log_epsilon: float) -> bool:
        return k <= d and pseudo_inverse.log_failure_probability(n, k, d) <= log_epsilon

    check_integer("n", n, 1)
    k = _largest(n, d, epsilon, fits)
    return Capacity(k, None, pseudo_inverse.failure_probability(n, k, d)) if k else Capacity(0)


def thresholded_jl(n: int, d: int, epsilon: float) -> Capacity:
    """Lower bound on the largest k: random signs at alpha = 1, each token with the best threshold.

    `failure_probability` is the upper bound that proves it. Hidden width n.
    """

    def bound(k: int) -> float:
        cut = dense_codes.best_cut(n, k, d)
        return dense_codes.log_thresholded_failure_bound(n, k, d, cut)

    k = _largest(n, d, epsilon, lambda k, log_epsilon: bound(k) <= log_epsilon)
    return Capacity(k, None, math.exp(bound(k))) if k else Capacity(0)


def linear_readout_limit(n: int, d: int) -> Capacity:
    """Upper bound, without any failure: k <= d/2 for a linear readout of all k-sets, n >= 3(k+1).

    Readouts that fail on some k-sets can hold more. Radon's theorem, `moment_curve.radon_width`;
    with fewer tokens it says nothing, and k = n.
    """
    n, d = check_integer("n", n, 1), check_integer("d", d, 1)
    k = first_true(lambda k: radon_width(k) > d, d // 2) - 1
    return Capacity(k if n >= 3 * (k + 1) else n)


def information_limit(n: int, d: int, epsilon: float) -> Capacity:
    """Upper bound for residuals of d bits, such as a union of hashes: C(n, k) (1-epsilon) <= 2^d.

    Where that holds up to k = n/2 it holds for all k, and k = n.
    """
    half = check_integer("n", n, 1) // 2
    if half == 0:
        return Capacity(n)
    k = _largest(half, d, epsilon, lambda k, _: information_width(n, k, epsilon) <= d)
    return Capacity(n if k == half else k)


def _largest(n: int, d: int, epsilon: float, fits: Callable[[int, float], bool]) -> int:
    """The largest k <= n such that it and all smaller ones fit.

    Up to n/2 what fits is taken to end somewhere for good. Beyond, few non-members may fit again.
    """
    check_integer("d", d, 1)
    log_epsilon = math.log(check_epsilon(epsilon))
    guess = round(math.log(2.0) * d / max(1.0, math.log2(n / epsilon)))
    half = max(1, n // 2)
    k = first_true(lambda k: k > half or not fits(k, log_epsilon), min(guess, half)) - 1
    while half <= k < n and fits(k + 1, log_epsilon):
        k += 1
    return k
