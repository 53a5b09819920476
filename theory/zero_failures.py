"""One family of masks: no failure at all, the floor of its failures, and few false positives.

P_fail of one family (quenched) is a multiple of 1/C(n, k): it is 0, which is to say that the masks
are k-disjunct, or at least that. The mean over families says nothing of one family below it, except
that some family has no failure.

Z. Füredi, On r-cover-free families, J. Combin. Theory A 73 (1996). A. G. D'yachkov & V. V. Rykov,
Bounds on the length of disjunctive codes, Problems of Information Transmission 18 (1982); its
constant as in S. Győri's survey, Discrete Applied Mathematics 156 (2008).
"""

from __future__ import annotations

import math

import numpy as np

from theory.codes import log2_binomial
from theory.domain import DomainError, check_integer, check_sizes, check_task
from theory.search import first_true
from theory.union_size import log_coverage, union_size_law
from theory.width import Code
from theory.width import smallest_width as smallest_random_width


def quenched_floor(n: int, k: int) -> float:
    """Exact: 1/C(n, k), the least failure probability of one family that is not 0."""
    return math.exp2(-log2_binomial(n, k))


def sufficient_width(n: int, k: int) -> Code:
    """Upper bound: the random code's least width with C(n, k) P_fail < 1 at its best m.

    The mean number of failing inputs is then below 1, so some family of that width and m has none
    (first moment): it is k-disjunct. Raises DomainError where 1/C(n, k) is below 1e-290.
    """
    n, k = check_task(n, k)
    if log2_binomial(n, k) > 960.0:
        raise DomainError(f"C(n, k) must be at most 2^960; got n = {n}, k = {k}")
    return smallest_random_width(n, k, min(0.999999, quenched_floor(n, k) * (1.0 - 1e-9)))


def furedi_bound(k: int, d: int) -> int:
    """Upper bound: the most masks of d bits of which k cover no other: k + C(d, t); k >= 2.

    t = ceil((d-k) / C(k+1, 2)) (Füredi 1996). A mask is special if it has fewer than t bits or some
    t of its bits lie together in no other mask; there are at most C(d, t) such (Sperner's theorem,
    as t <= d/2). Of the others k + 1 would have more than d bits: beyond any i of its fellows each
    has more than (k-i) t, or k - i more masks would cover the rest.
    """
    k, d = check_integer("k", k, 2), check_integer("d", d, 1)
    together = -(-(d - k) // math.comb(k + 1, 2))
    return k + (math.comb(d, together) if together >= 0 else 0)


def disjunct_width(n: int, k: int) -> int:
    """Lower bound: the least d for which Füredi's bound allows n masks without any failure; k >= 2.

    Of order k^2 ln(n) / ln(k), against the random code's k^2 ln(n) (`sufficient_width`).
    """
    n, k = check_task(n, k)
    check_integer("k", k, 2)
    return 1 if n == k else first_true(lambda d: furedi_bound(k, d) >= n, k + 1)


def disjunct_width_law(n: int, k: int) -> float:
    """Asymptotic: k^2 log2(n) / (2 log2 k), D'yachkov & Rykov's (1982) lower bound; k -> oo."""
    n, k = check_task(n, k)
    check_integer("k", k, 2)
    return k**2 * math.log2(n) / (2.0 * math.log2(k))


# --- lists: at most L - 1 false positives ---------------------------------------------------------


def log_expected_lists(n: int, k: int, d: int, m: int, size: int) -> float:
    """Exact: ln E C(#FP, L) = ln [C(N, L) E f(W)^L], nats; L-sets of false positives.

    Bounds P(#FP >= L). Sums the law of the union in doubles; -inf where N < L or below them.
    """
    n, k, d, m = check_sizes(n, k, d, m)
    size = check_integer("size", size, 1)
    if n - k < size:
        return -math.inf
    law = union_size_law(k, d, m)
    sizes = np.flatnonzero(law)
    sizes = sizes[sizes >= m]
    with np.errstate(divide="ignore"):
        terms = np.log(law[sizes]) + size * log_coverage(d, m)[sizes - m]
    top = float(terms.max())
    mean = top + math.log(np.exp(terms - top).sum())
    return log2_binomial(n - k, size) * math.log(2.0) + mean


def many_false_positives(n: int, k: int, d: int, m: int, size: int) -> float:
    """Exact: P(#FP >= L), the probability that a list of L - 1 false positives does not suffice."""
    from scipy.special import bdtrc

    n, k, d, m = check_sizes(n, k, d, m)
    size = check_integer("size", size, 1)
    if n - k < size:
        return 0.0
    law = union_size_law(k, d, m)[m:]
    return float(law @ bdtrc(size - 1, n - k, np.exp(log_coverage(d, m))))
