"""A rival without a layer: random signs, a plain linear readout, and the k largest logits.

Token i has a random sign vector e_i in R^d, entries +-1/sqrt(d); the residual is the sum of the
members' vectors and y_i = <e_i, x>. The input fails where some non-member's y reaches some
member's. No threshold, no hidden layer, no nonlinearity: a pair (member i, non-member j) has

    y_i - y_j = (2/d) (D + a sum of (k-1) D independent signs),

D ~ Binomial(d, 1/2) the number of coordinates in which e_i and e_j differ. So finding the set costs
a width proportional to k ln(kN/epsilon), as for the Bloom filter: the logarithm of 1/epsilon, not
a power. What costs a power of 1/epsilon in dense codes is that the output be uniform over the
members (total variation, KL) or that y be close to its target (squared error): `dense_codes`.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from theory.codes import Scheme, log_ratio
from theory.domain import check_code, check_integer, check_real, check_task

# exact tails are summed in doubles, Chernoff's bound takes over below
_LEAST_LOG = math.log(1e-280)


def log_pair_rate(k: int, d: int) -> float:
    """Exact: ln P(a given non-member's y reaches a given member's), nats; ties fail.

    The mean over D of a binomial tail. Below 1e-280 it is Chernoff's upper bound, d times the
    exponent, which is exact to leading order.
    """
    from scipy.special import betainc, gammaln, logsumexp

    k, d, _ = check_code(k, d, 1)
    if k == 1:  # only e_i = e_j ties
        return -d * math.log(2.0)
    differing = np.arange(1, d + 1)
    log_weight = gammaln(d + 1) - gammaln(differing + 1) - gammaln(d - differing + 1)
    trials = (k - 1) * differing
    most = (trials - differing) // 2  # plus signs among the trials for the sum to be at most -D
    tail = betainc(trials - most, most + 1.0, 0.5)
    with np.errstate(divide="ignore"):
        log_terms = np.append(log_weight + np.log(tail), 0.0)  # D = 0 ties
    found = float(logsumexp(log_terms)) - d * math.log(2.0)
    return found if found > _LEAST_LOG else d * pair_exponent(k)


def pair_exponent(k: int) -> float:
    """Asymptotic: (ln P(pair)) / d -> ln((1 + phi)/2), nats per unit of width (Cramér over D).

    phi = min over t of e^(-t) cosh(t)^(k-1), at tanh t = 1/(k-1): the factor per differing
    coordinate. 1/2 for k = 2, 0 for k = 1; also ln P(pair) <= d times it at every d (Chernoff).
    """
    k = check_integer("k", k, 1)
    if k == 1:
        return -math.log(2.0)
    u = 1.0 / (k - 1)
    below = (1.0 - u) * math.log1p(-u) if k > 2 else 0.0
    log_phi = -0.5 * (k - 1) * ((1.0 + u) * math.log1p(u) + below)
    return math.log1p(0.5 * math.expm1(log_phi))


def log_failure(n: int, k: int, d: int) -> float:
    """Upper bound: ln P_fail <= ln(k N P(pair)), nats, at most 0; -inf where n = k."""
    n, k = check_task(n, k)
    if n == k:
        return -math.inf
    return min(0.0, math.log(k) + math.log(n - k) + log_pair_rate(k, d))


def log_failure_bound(n: int, k: int, d: int) -> float:
    """Upper bound: ln of k N e^(-d/(4k)), nats, at most 0; k >= 2 (Hoeffding's lemma, twice)."""
    n, k = check_task(n, k)
    k, d, _ = check_code(check_integer("k", k, 2), d, 1)
    return -math.inf if n == k else min(0.0, math.log(k) + math.log(n - k) - d / (4.0 * k))


class RankedSigns(Scheme[None]):
    """Random signs, the k largest logits of a linear readout, no layer. Upper bound on P_fail."""

    name: ClassVar[str] = "ranked-signs"
    kind: ClassVar[str] = "upper bound"
    parameter: ClassVar[str | None] = None
    largest_epsilon: ClassVar[float] = 1.0

    def log_failure(self, n: int, k: int, d: int, parameter: None = None) -> float:
        return log_failure(n, k, d)

    def best_parameter(self, n: int, k: int, d: int) -> None:
        return None

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        return (math.log(k) + log_ratio(n, k, epsilon)) / -pair_exponent(k)


RANKED_SIGNS = RankedSigns()


def smallest_width(n: int, k: int, epsilon: float) -> int:
    """Upper bound: the least d at which k N P(pair) <= epsilon, so that P_fail <= epsilon.

    P(pair) is taken to fall with d, as it did in every case tried; its exponent does.
    """
    return RANKED_SIGNS.smallest_width(n, k, epsilon).width


def sufficient_width(n: int, k: int, epsilon: float) -> int:
    """Upper bound: ceil(4 k ln(k N / epsilon)), proved to suffice; k >= 2."""
    n, k = check_task(n, k)
    check_integer("k", k, 2)
    target = math.log(check_real("epsilon", epsilon, 0.0, 1.0))
    return 1 if n == k else max(1, math.ceil(4.0 * k * (math.log(k) + math.log(n - k) - target)))
