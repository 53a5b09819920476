"""How many tokens a residual stream of given width carries: the widths read backwards.

Of each rival the largest k such that with it, and with every smaller one, a random input of k
tokens fails with probability at most epsilon; k = 0 where even one token fails more often.
"""

from __future__ import annotations

from theory.codes import Capacity, largest_fitting
from theory.dense_codes import THRESHOLDED_SIGNS
from theory.domain import check_integer
from theory.fixed_weight import FIXED_WEIGHT
from theory.moment_curve import radon_width
from theory.pseudo_inverse import PSEUDO_INVERSE
from theory.search import first_true
from theory.width import check_epsilon, information_width

__all__ = [
    "Capacity",
    "bloom",
    "information_limit",
    "linear_readout_limit",
    "pseudo_inverse_readout",
    "thresholded_jl",
]


def bloom(n: int, d: int, epsilon: float) -> Capacity:
    """Exact: random hashes of constant weight at the best m."""
    return FIXED_WEIGHT.capacity(n, d, epsilon)


def pseudo_inverse_readout(n: int, d: int, epsilon: float) -> Capacity:
    """Exact: a random W_U and, of every input, the shortest residual with its members' logits 1."""
    return PSEUDO_INVERSE.capacity(n, d, epsilon)


def thresholded_jl(n: int, d: int, epsilon: float) -> Capacity:
    """Lower bound on the largest k: random signs at alpha = 1, each token with the best threshold.

    `failure_probability` is the upper bound that proves it. Hidden width n.
    """
    found = THRESHOLDED_SIGNS.capacity(n, d, epsilon)
    return Capacity(found.k, None, found.failure_probability)


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
    check_epsilon(epsilon)
    k = largest_fitting(half, d, epsilon, lambda k: information_width(n, k, epsilon) <= d)
    return Capacity(n if k == half else k)
