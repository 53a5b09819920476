"""Converses for any residual of d real numbers and a linear readout, whatever computes them.

Token i has a column u_i in R^d and the input a residual h; a k-set is separated by some h when
every member's logit <u_i, h> exceeds every other token's. However the columns are chosen, few
k-sets can be separated at a small d, so that most inputs fail, whatever the layers before. That
is more than Radon's theorem says, which rules out only that no input fails (`radon_width`).

Two counts of separable k-sets, both for columns in general position, which separate the most:

Cover (1965): (h, t) in R^(d+1) splits the tokens at the threshold t. The n hyperplanes through the
origin of R^(d+1) have at most 2 sum_{i<=d} C(n-1, i) cells. A cell and its opposite separate a set
and its complement, so k-sets take at most half of them unless n = 2k.

Clarkson & Shor (1989): a cell's extreme ray is a hyperplane through d columns with j <= k others on
its positive side, a j-facet, and at most C(d, d // 2) sets belong to it. A sample that keeps each
token with probability p makes it a facet of the sample's hull with probability p^d (1-p)^j, and a
hull of r points has at most 2 C(r, d // 2) facets (McMullen 1970). So there are at most
2 C(d, d//2) C(n, d//2) p^(-ceil(d/2)) (1-p)^(-k) separable k-sets. For fixed k and d = 2k - 1 that
is a share of O(1/n) of all: 2k is a threshold even where failures are allowed.

With a bias for each token the columns have one more coordinate and h a constant one: every bound
below holds at d + 1 in place of d, and 2k - 1 is the threshold.

T. M. Cover, Geometrical and statistical properties of systems of linear inequalities, IEEE Trans.
Electronic Computers 14 (1965). K. L. Clarkson & P. W. Shor, Applications of random sampling in
computational geometry II, Discrete Comput. Geom. 4 (1989). P. McMullen, The maximum numbers of
faces of a convex polytope, Mathematika 17 (1970).
"""

from __future__ import annotations

import math

import numpy as np

from theory.codes import log2_binomial
from theory.domain import check_integer, check_task
from theory.width import check_epsilon


def log_dichotomies(n: int, d: int) -> float:
    """Exact: ln of 2 sum_{i<=d} C(n-1, i), all splits of n tokens in general position in R^d.

    By a hyperplane, the two sides told apart, either possibly empty; nats.
    """
    n, d = check_integer("n", n, 1), check_integer("d", d, 1)
    return math.log(2.0) + _log_binomial_sum(n - 1, d)


def log_cover_bound(n: int, k: int, d: int) -> float:
    """Upper bound: ln of the number of separable k-sets by Cover's count, nats."""
    n, k = check_task(n, k)
    d = check_integer("d", d, 1)
    return _log_binomial_sum(n - 1, d) + (math.log(2.0) if n == 2 * k else 0.0)


def log_clarkson_shor_bound(n: int, k: int, d: int) -> float:
    """Upper bound: ln of the number of separable k-sets by the j-facets, at the best p; nats.

    Domain d <= n - 2: with fewer tokens all k-sets can be separated, and the bound is ln C(n, k).
    """
    n, k = check_task(n, k)
    d = check_integer("d", d, 1)
    if d > n - 2:
        return log2_binomial(n, k) * math.log(2.0)
    half, rest = d // 2, d - d // 2
    kept = rest / (rest + k)  # the best p
    spread = -rest * math.log(kept) - k * math.log1p(-kept)
    nats = (1.0 + _log2_choose(d, half) + _log2_choose(n, half)) * math.log(2.0)
    return nats + spread


def log_success_bound(n: int, k: int, d: int) -> float:
    """Upper bound: ln P(the k-set is read off), nats, for any residual of d real numbers.

    The smaller of both counts over C(n, k), at most 0.
    """
    all_sets = log2_binomial(n, k) * math.log(2.0)
    counts = (log_cover_bound(n, k, d), log_clarkson_shor_bound(n, k, d))
    return min(0.0, *(count - all_sets for count in counts))


def log_failure(n: int, k: int, d: int) -> float:
    """Lower bound: ln P_fail, nats, of any residual of d real numbers; -inf where none follows."""
    success = log_success_bound(n, k, d)
    return -math.inf if success == 0.0 else math.log(-math.expm1(success))


def smallest_width(n: int, k: int, epsilon: float) -> int:
    """Lower bound: the d below which P_fail > epsilon, whatever computes the residual; 1..2k.

    A wider residual separates no fewer sets, so every d up to the largest that is ruled out is.
    """
    n, k = check_task(n, k)
    log_enough = math.log1p(-check_epsilon(epsilon))
    for d in range(min(2 * k, n) - 1, 0, -1):
        if log_success_bound(n, k, d) < log_enough:
            return d + 1
    return 1


def smallest_width_with_bias(n: int, k: int, epsilon: float) -> int:
    """Lower bound: the same where every token also has a bias: one less."""
    return max(1, smallest_width(n, k, epsilon) - 1)


def threshold_share(n: int, k: int) -> float:
    """Upper bound: the share of the k-sets that d = 2k - 1 real numbers separate, by j-facets.

    2 C(2k-1, k) 4^k C(n, k-1) / C(n, k), so O(1/n) at fixed k; above 1 while n is not large.
    """
    n, k = check_task(n, k)
    return 2.0 * math.comb(2 * k - 1, k) * 4.0**k * k / (n - k + 1)


def _log_binomial_sum(n: int, d: int) -> float:
    """ln of sum_{i<=d} C(n, i), nats."""
    d = min(d, n)
    steps = np.arange(1, d + 1, dtype=float)
    terms = np.concatenate([[0.0], np.cumsum(np.log((n - steps + 1.0) / steps))])
    top = terms.max()
    return float(top + math.log(np.exp(terms - top).sum()))


def _log2_choose(n: int, count: int) -> float:
    return log2_binomial(n, count) if count else 0.0
