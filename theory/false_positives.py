"""False positives of the construction over independent hashes (annealed): rates, laws, bounds.

A non-member is a false positive when all m bits of its hash lie in the union of the k members'
hashes. Given the union's size W = w the N = n - k non-members are independent, each covered
with probability f(w) = C(w, m) / C(d, m); everything here averages over the exact law of W.
"""

from __future__ import annotations

import math

import numpy as np

from theory.broadcasting import broadcasts, broadcasts_by
from theory.domain import LARGEST_N, DomainError, check_code, check_integer, check_real, check_sizes
from theory.logarithms import Floats, log_some
from theory.many_codes import Sizes, log_means
from theory.occupancy import Enclosure, RootedCoverage, Union, Value, different_bits, settle
from theory.union_size import (
    fill_probability,
    law_seconds,
    log_coverage,
    log_coverage_up_to,
    mean_union_size,
    missing_bits_given_union,
    reachable_law,
    union_size_law,
)

# terms this many nats below the largest do not reach a double's last digit
_NEGLIGIBLE = 45.0
_MOST_TILTS = 100


def _log_mean(k: int, d: int, m: int, log_value: np.ndarray) -> float:
    """ln E[value(W)], nats, of a non-decreasing value given by its logarithm at w = m, m + 1, ...

    As far as min(d, k m), or further.
    """
    return _log_mean_and_slope(k, d, m, log_value)[0]


def _log_mean_and_slope(k: int, d: int, m: int, log_value: np.ndarray) -> tuple[float, float]:
    """ln E[value(W)], and the slope of ln value where the largest terms of that mean lie.

    Where the expectation rests on unions rarer than a double can hold, the law is tilted
    towards them: at the largest term of the sum, law and value have opposite slopes.
    """
    tilt = 0.0
    for _ in range(_MOST_TILTS):
        law, log_normaliser = reachable_law(k, d, m, tilt)
        kept = np.flatnonzero(law)
        terms = np.log(law[kept]) - tilt * kept + log_normaliser + log_value[kept - m]
        peak = int(terms.argmax())
        top = terms[peak]
        if top == -math.inf:
            return -math.inf, 0.0
        at = min(max(int(kept[peak]) - m, 1), len(log_value) - 1)
        slope = float(log_value[at] - log_value[at - 1]) if at > 0 else 0.0
        # untilted, the unions cut below weigh under 1e-300 each at a smaller value: negligible
        cut_below = tilt > 0.0 and kept[0] > m and terms[0] > top - _NEGLIGIBLE
        cut_above = kept[-1] < min(d, k * m) and terms[-1] > top - _NEGLIGIBLE
        if not (cut_below or cut_above):
            return float(top + np.log(np.exp(terms - top).sum())), slope
        tilt = slope
    raise ArithmeticError(f"no tilt resolves the union law at k, d, m = {k}, {d}, {m}")


def enclosure(k: int, d: int, m: int, value: Value) -> Enclosure:
    """ln E value(f(W)), nats: that some, or all, of several non-members are covered.

    By the exact law of the union where that is quick, otherwise between two proved ends, whose
    distance is its `relative_width`: at most 1e-6 of the probability at k >= 1e4 wherever that is
    at least 1e-300. Raises DomainError outside 1 <= k, 1 <= m <= d.
    """
    k, d, m = check_code(k, d, m)

    def exact() -> float:
        log_f = value.all_of * log_coverage_up_to(d, m, min(d, k * m))
        return min(0.0, _log_mean(k, d, m, log_some(value.some, log_f)))

    # Jensen, and negative association
    known = Enclosure(value.all_of * log_lower_bound(k, d, m), 0.0)
    if value.all_of == 1:
        highest = log_some(value.some, log_upper_bound(k, d, m))
        known = Enclosure(known.lower, float(highest))
    known = known.widened()
    union = Union(k, d, different_bits, m, m)
    coverage = RootedCoverage(d, m, distinct=True)
    return settle(law_seconds(k, d, m), exact, union, coverage, value, known)


@broadcasts_by(log_means)
def log_false_positive_rate(k: int, d: int, m: int) -> float:
    """Exact: ln FPR, nats, where FPR = E f(W). Finite far below the smallest double."""
    return enclosure(k, d, m, Value()).middle


@broadcasts_by(lambda k, d, m: np.exp(log_means(k, d, m)))
def false_positive_rate(k: int, d: int, m: int) -> float:
    """Exact: FPR, the probability that one non-member is covered by the union of k hashes.

    Annealed: over independent uniform m-subsets of [d]. Christensen, Roginsky & Jimeno (2010)
    treat the with-replacement filter; without replacement it is the committee problem
    (Burns 2019, arXiv:1908.04810).
    """
    return math.exp(log_false_positive_rate(k, d, m))


@broadcasts_by(lambda k, d, m, queries: np.exp(log_means(k, d, m, all_of=queries)))
def joint_false_positive_rate(k: int, d: int, m: int, queries: int) -> float:
    """Exact: E f(W)^queries, that several given non-members are false positives of one input.

    They share the union, so that it is at least FPR^queries (Jensen).
    """
    return math.exp(enclosure(k, d, m, Value(all_of=check_integer("queries", queries, 1))).middle)


@broadcasts
def log_rate_given_fill(d: int, m: int, w: int) -> float:
    """Exact: ln f(w), nats, f(w) = C(w, m)/C(d, m): the FPR where w of the d bits are set."""
    _, d, m = check_code(1, d, m)
    w = check_integer("w", w, 0, d, "d")
    return RootedCoverage(d, m, distinct=True).log_at(w) if w >= m else -math.inf


def log_failure_given_union(n: int, k: int, d: int, m: int) -> np.ndarray:
    """Exact: ln P(some false positive | W = w) = ln(1 - (1 - f(w))^N), nats, for w = m..d."""
    n, k, d, m = check_sizes(n, k, d, m)
    return log_some(n - k, log_coverage(d, m))


@broadcasts_by(lambda n, k, d, m: log_means(k, d, m, some=n - k))
def log_failure_probability(n: int, k: int, d: int, m: int) -> float:
    """Exact: ln P_fail, nats; -inf where there is no non-member."""
    n, k, d, m = check_sizes(n, k, d, m)
    return -math.inf if n == k else enclosure(k, d, m, Value(some=n - k)).middle


def relative_variance_given_union(n: int, k: int, d: int, m: int) -> float:
    """Exact: Var P(failure | W) / P_fail^2 between random unions; inf where it overflows.

    0 where n = k. A mean of P(failure | W) over random unions needs that many for each digit.
    """
    log_failure = log_failure_given_union(n, k, d, m)
    if n == k:
        return 0.0
    log_ratio = _log_mean(k, d, m, 2.0 * log_failure) - 2.0 * _log_mean(k, d, m, log_failure)
    return math.expm1(log_ratio) if log_ratio < 700.0 else math.inf


def failure_tilt(n: int, k: int, d: int, m: int) -> float:
    """The tilt of the union law, nats per bit, that makes the unions behind P_fail typical.

    Not an estimate of anything: any tilt gives an unbiased importance sampler, this one a good one.
    """
    return _log_mean_and_slope(k, d, m, log_failure_given_union(n, k, d, m))[1]


@broadcasts
def log_success_probability(n: int, k: int, d: int, m: int) -> float:
    """Exact: ln(1 - P_fail) = ln E[(1 - f(W))^N], nats, which keeps its digits as P_fail nears 1.

    -inf where 1 - P_fail is below about 1e-290.
    """
    n, k, d, m = check_sizes(n, k, d, m)
    if n == k:
        return 0.0
    law = union_size_law(k, d, m)[m:]
    kept = np.flatnonzero(law)
    with np.errstate(divide="ignore"):
        terms = np.log(law[kept]) + float(n - k) * np.log1p(-np.exp(log_coverage(d, m)[kept]))
    top = float(terms.max())
    if top == -math.inf:
        return top
    return min(0.0, top + float(np.log(np.exp(terms - top).sum())))


@broadcasts_by(lambda n, k, d, m: np.exp(log_means(k, d, m, some=n - k)))
def failure_probability(n: int, k: int, d: int, m: int) -> float:
    """Exact: P_fail, the probability that a random input has at least one false positive.

    False positives of one input share its union, so P_fail is a mixture over W, not
    1 - (1 - FPR)^N, which overestimates it (Jensen).
    """
    return math.exp(log_failure_probability(n, k, d, m))


def _log_rates(n: Sizes, k: Sizes, d: Sizes, m: Sizes) -> Floats:
    """ln FPR of many codes, nats; NaN where n is no vocabulary or `log_means` knows none."""
    is_task = (n.dtype.kind in "iu") & (n >= k) & (n <= LARGEST_N)
    return np.where(is_task, log_means(k, d, m), np.nan)


@broadcasts_by(lambda n, k, d, m: (n - k) * np.exp(_log_rates(n, k, d, m)))
def expected_false_positives(n: int, k: int, d: int, m: int) -> float:
    """Exact: E#FP = N FPR, the mean number of false positives of one input (at least P_fail)."""
    n, k, d, m = check_sizes(n, k, d, m)
    return (n - k) * false_positive_rate(k, d, m)


@broadcasts_by(lambda n, k, d, m: np.exp(log_some(n - k, _log_rates(n, k, d, m))))
def independent_failure_probability(n: int, k: int, d: int, m: int) -> float:
    """Upper bound: P_fail <= 1 - (1 - FPR)^N, what independent false positives would give."""
    n, k, d, m = check_sizes(n, k, d, m)
    return math.exp(float(log_some(n - k, log_false_positive_rate(k, d, m))))


def false_positive_count_law(n: int, k: int, d: int, m: int, counts: np.ndarray) -> np.ndarray:
    """Exact: P(#FP = x) for x in `counts`: a Binomial(N, f(W)) mixed over the law of W.

    counts: int [...]. Returns float64 of that shape.
    """
    from scipy.stats import binom

    n, k, d, m = check_sizes(n, k, d, m)
    law = union_size_law(k, d, m)[m:]
    kept = np.flatnonzero(law)
    coverage = np.exp(log_coverage(d, m)[kept])
    given_union = binom.pmf(np.asarray(counts)[..., None], n - k, np.minimum(coverage, 1.0))
    found: np.ndarray = np.minimum(given_union @ law[kept], 1.0)
    return found


def _mean_missing_bits_law(d: int, m: int, union_law: np.ndarray) -> np.ndarray:
    kept = np.flatnonzero(union_law)
    found: np.ndarray = np.minimum(union_law[kept] @ missing_bits_given_union(d, m, kept), 1.0)
    return found


def missing_bits_law(k: int, d: int, m: int) -> np.ndarray:
    """Exact: P(M = s) for a non-member's missing bits M = m - |S_j ∩ union|.

    Returns float64 [m + 1], index s; entry 0 is the FPR.
    """
    return _mean_missing_bits_law(d, m, union_size_law(k, d, m))


def union_size_given_false_positive(k: int, d: int, m: int) -> np.ndarray:
    """Exact: P(W = w | one given non-member is a false positive), proportional to P(w) f(w).

    Returns float64 [d + 1], index w.
    """
    law = union_size_law(k, d, m)
    kept = np.flatnonzero(law)
    log_weight = np.log(law[kept]) + log_coverage(d, m)[kept - m]
    posterior = np.zeros(d + 1)
    posterior[kept] = np.exp(log_weight - log_weight.max())
    found: np.ndarray = posterior / posterior.sum()
    return found


def missing_bits_given_false_positive(k: int, d: int, m: int) -> np.ndarray:
    """Exact: P(M_j = s | another given non-member is a false positive), float64 [m + 1].

    Unions that produce a false positive are larger than usual, so near misses are likelier too.
    """
    return _mean_missing_bits_law(d, m, union_size_given_false_positive(k, d, m))


@broadcasts
def lower_bound(k: int, d: int, m: int) -> float:
    """Lower bound: FPR >= prod_{i<m} (d p - i) / (d - i); equality at k = 1, m = 1 and m = d.

    f is convex on w >= m - 1 and E W = d p (Jensen).
    """
    return math.exp(log_lower_bound(k, d, m))


@broadcasts
def log_lower_bound(k: int, d: int, m: int) -> float:
    """Lower bound on ln FPR, nats; see `lower_bound`."""
    mean = max(mean_union_size(k, d, m), m)
    return RootedCoverage(d, m, distinct=True).log_at(mean)


@broadcasts
def upper_bound(k: int, d: int, m: int) -> float:
    """Upper bound: FPR <= p^m, p = 1 - (1 - m/d)^k; equality at m = 1 and m = d.

    The indicators "bit covered" are negatively associated (Joag-Dev & Proschan 1983).
    """
    return math.exp(log_upper_bound(k, d, m))


@broadcasts
def log_upper_bound(k: int, d: int, m: int) -> float:
    """Upper bound on ln FPR, nats; see `upper_bound`."""
    return m * math.log(fill_probability(k, d, m))


@broadcasts
def classic(k: int, d: int, m: int) -> float:
    """Asymptotic: the textbook rate (1 - e^(-k m / d))^m (Bloom 1970), neither bound nor exact."""
    check_code(k, d, m)
    return classic_of_draws(k, d, m)


def classic_of_draws(k: int, d: int, m: int) -> float:
    """Asymptotic: the textbook rate of m >= 1 draws with replacement, of which m may exceed d."""
    k, d, _ = check_code(k, d, 1)
    m = check_integer("m", m, 1)
    return math.exp(m * math.log(-math.expm1(-k * m / d)))


@broadcasts
def second_order(k: int, d: int, m: int) -> float:
    """Asymptotic: exp(m ln p - (m(m-1)/(2d)) r^2 ln(1/q)), r = q/p, for m^3 << d^2.

    The next term of ln FPR is O(m^3 / d^2) at a fill p bounded away from 0 and 1; in a nearly empty
    filter it is worth nothing (off by .9 at k, d, m = 3, 3000, 40, where p = .04).
    """
    k, d, m = check_code(k, d, m)
    if m == d:
        raise DomainError(f"m must be below d = {d} for the second-order rate; got {m}")
    p = fill_probability(k, d, m)
    log_inverse_q = -k * math.log1p(-m / d)
    r = math.exp(-log_inverse_q) / p
    return math.exp(m * math.log(p) - m * (m - 1) / (2 * d) * r * r * log_inverse_q)


@broadcasts
def bernoulli_false_positive_rate(k: int, d: int, rho: float | None = None) -> float:
    """Exact: FPR = (1 - rho (1 - rho)^k)^d of hashes whose bits are independent Bernoulli(rho).

    The default rho = 1/(k+1) minimises it. Such hashes differ in weight, so the readout needs a
    bias per token.
    """
    k, d, _ = check_code(k, d, 1)
    rho = 1.0 / (k + 1) if rho is None else check_real("rho", rho, 0.0, 1.0)
    return math.exp(d * math.log1p(-rho * (1.0 - rho) ** k))
