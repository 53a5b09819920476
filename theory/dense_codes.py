"""Rivals of the Bloom construction: random dense codes (Johnson-Lindenstrauss) and their readouts.

Token i has a unit vector e_i in R^d, the input is x = sum_j alpha_j e_j over the k members, and
y_i = <e_i, x>. Codes: entries +-1/sqrt(d) ("signs"), uniform directions (normalised Gaussians),
and unit-norm tight frames with zero sum. Three readouts, and what the error epsilon costs:

(a) y itself, for the target alpha_i on the members, 0 elsewhere. Relative squared error (n-1)/d:
    width proportional to 1/epsilon, or n. Largest error: width about 2 k ln(n) / epsilon^2.
(b) softmax(beta y), for the uniform target, at alpha = 1. At the best beta, KL costs a width of
    about (k / 2 epsilon) ln(n / (k epsilon))^2, TV one of order 1/epsilon^2; at a fixed beta the KL
    never falls below ln(1 + (n-k) e^(-beta) / k), and with unequal coefficients TV and KL stay
    above 0 at any width.
(c) "y_i reaches a threshold" token by token, for the set of members. Failure: at most
    8 k ln(n / epsilon), logarithmic in 1/epsilon, as for the Bloom filter.

So the width is polynomial in 1/epsilon for squared and largest error, KL and TV, and not for the
failure probability. (c) needs a nonlinearity per token, hidden width n, whose output is read
directly and not through a residual stream of width d; the Bloom filter has hidden width d.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from theory.codes import Scheme
from theory.domain import DomainError, check_beta, check_code, check_integer, check_real, check_task
from theory.logarithms import log_some
from theory.search import first_true

# probabilities below are summed from their terms' logarithms
_LEAST_PROBABILITY = 1e-290
# relative weight of the terms that a sum leaves out
_NEGLIGIBLE = 1e-18


def second_moment(c: float) -> float:
    """Exact: E alpha^2 = (1 + c + c^2)/3 of a coefficient uniform on [1, c]."""
    check_real("c", c, 1.0, closed=True)
    return (1.0 + c + c**2) / 3.0


# --- (a) the linear readout -----------------------------------------------------------------------


def linear_readout_error(n: int, d: int) -> float:
    """Exact: (n-1)/d, the expected relative squared error of y_i = <e_i, sum_j alpha_j e_j>.

    Squared error summed over the vocabulary, over k E alpha^2, the error of predicting zero; the
    coefficients cancel. e_i are independent random unit vectors with E<e_i, e_j>^2 = 1/d: signs or
    uniform directions. Above 1, predicting zero is better.
    """
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    return (n - 1) / d


def scaled_readout_error(n: int, d: int) -> float:
    """Exact: (n-1)/(n-1+d), the same readout scaled by its best constant d/(n-1+d)."""
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    return (n - 1) / (n - 1 + d)


def tight_frame_error(n: int, k: int, d: int) -> float:
    """Exact: relative squared error of y for a unit-norm tight frame of zero sum, at alpha = 1.

    (n-k)(n-d)/(d(n-1)) + (k-1)/(n-1): the squared inner products meet the Welch bound with equality
    on average. No mean over codes is taken. Domain d <= n - 1. Where n is odd there is none with
    d = 1, whose vectors +-1 do not sum to 0, nor with d = n - 2, whose complement is that.
    """
    n, k = check_task(n, k)
    check_integer("d", d, 1, n - 1, "n - 1")
    if n % 2 and d in (1, n - 2):
        raise DomainError(f"d must be neither 1 nor n - 2 for such a frame of n = {n}; got {d}")
    return (n - k) * (n - d) / (d * (n - 1)) + (k - 1) / (n - 1)


def affine_floor(n: int, k: int, d: int, c: float = 1.0) -> float:
    """Lower bound: the least relative squared error of any code of width d and affine readout of x.

    (n-k)(n-1-d)/(n(n-1)) at c = 1, where the least-squares readout of any code in general position
    attains it, and y d/n + k/n for a unit-norm tight frame of zero sum does; 0 once d >= n - 1.
    Coefficients independent and uniform on [1, c]: n-1 eigenvalues of the target's covariance are
    equal, the one of the all-ones vector is smaller, and width d keeps d of them; 0 once d >= n.
    """
    n, k = check_task(n, k)
    k, d, _ = check_code(k, d, 1)
    if d >= n:
        return 0.0
    square, variance = second_moment(c), (c - 1.0) ** 2 / 12.0
    mean_square = (1.0 + c) ** 2 / 4.0
    equal = (square - mean_square * (k - 1) / (n - 1)) / n  # n > d >= 1
    return ((n - 1 - d) * equal + variance / n) / square


def linear_readout_width(n: int, epsilon: float) -> int:
    """Exact: ceil((n-1)/epsilon), the least d with relative squared error (n-1)/d <= epsilon."""
    check_integer("n", n, 1)
    check_real("epsilon", epsilon, 0.0)
    return max(1, math.ceil((n - 1) / epsilon))


def affine_width(n: int, k: int, epsilon: float) -> int:
    """Lower bound: the least d at which the affine floor is at most epsilon, at alpha = 1.

    ceil((n-1)(1 - epsilon n/(n-k))): close to n, whatever the code.
    """
    n, k = check_task(n, k)
    check_real("epsilon", epsilon, 0.0)
    return 1 if n == k else max(1, math.ceil((n - 1) * (1.0 - epsilon * n / (n - k))))


def largest_error_law(n: int, k: int, d: int, c: float = 1.0) -> float:
    """Asymptotic: sqrt(2 k E[alpha^2] ln(n) / d) for E max_i |y_i - target_i|; n, d -> infinity.

    The logarithm is slow: at n = 1000 it is 8 % above `largest_error_of_gaussians`.
    """
    n, k, d = _check_dense(n, k, d)
    return math.sqrt(2.0 * k * second_moment(c) * math.log(n) / d)


def largest_error_of_gaussians(n: int, k: int, d: int, c: float = 1.0) -> float:
    """Asymptotic: sqrt(k E[alpha^2] / d) E max_i |Z_i| of n independent normals.

    d -> infinity, and then n -> infinity with k/n -> 0: a member's own error rests on k - 1 tokens,
    so that at n = k = 1 there is none, and at n = k = 2 both are the same.

    E max |Z_i| is the integral of 1 - erf(t/sqrt(2))^n over t > 0.
    """
    from scipy.integrate import quad
    from scipy.special import log_ndtr

    n, k, d = _check_dense(n, k, d)

    def exceeds(t: float) -> float:
        beyond = 2.0 * math.exp(log_ndtr(-t))
        return 1.0 if beyond >= 1.0 else -math.expm1(n * math.log1p(-beyond))

    typical = math.sqrt(2.0 * math.log(n + 1.0))
    below, _ = quad(exceeds, 0.0, typical, epsabs=1e-13, epsrel=1e-12)
    above, _ = quad(exceeds, typical, typical + 12.0, epsabs=1e-13, epsrel=1e-12)
    found: float = math.sqrt(k * second_moment(c) / d) * (below + above)
    return found


def largest_error_bound(n: int, k: int, d: int, c: float = 1.0) -> float:
    """Upper bound: E max_i |y_i - target_i| <= sqrt(2 k E[alpha^2] ln(2 n) / d).

    Each error is sub-Gaussian with variance proxy sum_j alpha_j^2 / d for signs (Hoeffding) and
    for directions (Marchal & Arbel 2017: symmetric Beta laws); the maximum of n such and their
    negatives follows (Boucheron, Lugosi & Massart 2013, Theorem 2.5), and Jensen's inequality.
    """
    n, k, d = _check_dense(n, k, d)
    return math.sqrt(2.0 * k * second_moment(c) * math.log(2.0 * n) / d)


# --- (b) the softmax of beta y --------------------------------------------------------------------


def member_spread(k: int, d: int, c: float = 1.0) -> float:
    """Exact: the expected variance of y over the k members of one input (dividing by k).

    (k-1)(k-2)/(k d) at c = 1, for any random code with E<e_i, e_j> = 0, E<e_i, e_j>^2 = 1/d and
    independent e_i. For coefficients uniform on [1, c] the part (k-1)/k Var(alpha) does not fall
    with d, and so neither do the softmax's TV and KL.
    """
    k, d, _ = check_code(k, d, 1)
    square, mean_square = second_moment(c), (1.0 + c) ** 2 / 4.0
    noise = (k - 1) / d * (square - (square + mean_square) / k)
    return noise + (k - 1) / k * (c - 1.0) ** 2 / 12.0


def member_kl(k: int, d: int, beta: float) -> float:
    """Asymptotic: beta^2 (k-1)(k-2)/(2 k d), nats, the members' part of E KL at alpha = 1.

    KL of the uniform law on the members to the softmax over them alone; beta^2 k << d.
    """
    check_beta(beta)
    return 0.5 * beta**2 * member_spread(k, d)


def member_total_variation(k: int, d: int, beta: float) -> float:
    """Asymptotic: beta sqrt((k-1)(k-2)/(2 pi k d)), the members' part of E TV at alpha = 1.

    (beta/2) E|y_i - mean over members|, normal as d -> infinity; beta^2 k << d.
    """
    check_beta(beta)
    return beta * math.sqrt(member_spread(k, d) / (2.0 * math.pi))


def leakage_floor(n: int, k: int, beta: float) -> float:
    """Lower bound: E KL >= ln(1 + (n-k) e^(-beta) / k), nats, at alpha = 1; equality as d -> oo.

    For every code with E<e_i, e_j> = 0: the logarithm of a sum of exponentials is convex in y.
    """
    n, k = check_task(n, k)
    check_beta(beta)
    return math.log1p((n - k) / k * math.exp(-beta))


def kl_bound(n: int, k: int, d: int, beta: float) -> float:
    """Upper bound: E KL(target || softmax(beta y)), nats, of random signs at alpha = 1.

    (k-1) d ln cosh(beta/d) + ln(1 + (n-k)/k e^(-beta) cosh(beta/d)^d), by E ln <= ln E; E TV is at
    most the square root of half of it (Pinsker).
    """
    n, k, d = _check_dense(n, k, d)
    check_beta(beta)
    log_cosh = d * _log_cosh(beta / d)
    if n == k:
        return (k - 1) * log_cosh
    leak = math.log((n - k) / k) - beta + log_cosh
    return (k - 1) * log_cosh + float(np.logaddexp(0.0, leak))


def best_beta(n: int, k: int, d: int) -> float:
    """The beta that minimises `kl_bound`, which is convex in it; to about eight digits.

    Raises DomainError outside 2 <= k < n: at k = 1 every larger beta is better.
    """
    from scipy.optimize import minimize_scalar

    n, k, d = _check_dense(n, k, d)
    check_integer("k", k, 2, n - 1, "n - 1")
    # with the leak below 1/d of the members' weight the bound rises with beta
    most = 4.0 + 2.0 * (math.log(n) + math.log(d + 1.0))
    found = minimize_scalar(
        lambda beta: kl_bound(n, k, d, beta),
        bounds=(1e-9, most),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x)


def softmax_width(n: int, k: int, epsilon: float) -> int:
    """Upper bound: the least d at which `kl_bound` at its best beta is at most epsilon nats.

    About (k / 2 epsilon) ln(n / (k epsilon))^2; the bound falls with d at every beta, so that d is
    bisected. Cost: tens of milliseconds. Raises DomainError outside 2 <= k < n.
    """
    check_real("epsilon", epsilon, 0.0)
    return first_true(lambda d: kl_bound(n, k, d, best_beta(n, k, d)) <= epsilon, 1)


def _log_cosh(x: float) -> float:
    """ln cosh x, x >= 0; no digits are lost as x nears 0."""
    if x < 1.0:
        return math.log1p(2.0 * math.sinh(0.5 * x) ** 2)
    return x + math.log1p(math.exp(-2.0 * x)) - math.log(2.0)


# --- (c) a threshold per token --------------------------------------------------------------------
# At alpha = 1, d y_i of a non-member is a sum of k d independent signs, and that of a member is d
# plus a sum of (k-1) d: integers of one parity. Token i is accepted where d y_i >= cut.


def half_cut(d: int) -> int:
    """The cut of the threshold 1/2: ceil(d/2)."""
    return -(-check_integer("d", d, 1) // 2)


def best_cut(n: int, k: int, d: int) -> int:
    """Exact: the cut in 1..d that minimises (n-k) FPR + k FNR, the expected number of errors.

    P(member's sum = s) / P(non-member's sum = s) grows with s, so the sums to accept are those
    where k times the one reaches n-k times the other (Neyman & Pearson 1933): with
    B = (s + k d)/2, where k 2^d B!/(B-d)! >= (n-k) (kd)!/(kd-d)!.
    """
    n, k, d = _check_dense(n, k, d)
    if n == k:
        return 1
    lowest, highest = (k * d + 1) // 2, (k * d + d) // 2

    def log_falling(b: int) -> float:
        return math.lgamma(b + 1.0) - math.lgamma(b - d + 1.0)

    enough = math.log(n - k) - math.log(k) - d * math.log(2.0) + log_falling(k * d)

    def accepted(b: int) -> bool:
        return b >= d and log_falling(b) >= enough

    if not accepted(highest):
        return d
    b = first_true(accepted, lowest, lowest)
    return min(max(1, 2 * b - k * d), d)


def log_thresholded_false_positive_rate(k: int, d: int, cut: int | None = None) -> float:
    """Exact: ln P(a given non-member is accepted), nats: a tail of Binomial(k d, 1/2).

    Random signs, alpha = 1. cut: 1..d, by default ceil(d/2), the threshold 1/2.
    """
    k, d, cut = _check_cut(k, d, cut)
    return _log_upper_tail(k * d, -(-(k * d + cut) // 2))


def log_thresholded_false_negative_rate(k: int, d: int, cut: int | None = None) -> float:
    """Exact: ln P(a given member is not accepted), nats: a tail of Binomial((k-1) d, 1/2)."""
    k, d, cut = _check_cut(k, d, cut)
    return _log_upper_tail((k - 1) * d, (k * d - cut) // 2 + 1)


def thresholded_false_positive_rate(k: int, d: int, cut: int | None = None) -> float:
    """Exact: P(a given non-member is accepted); see the logarithm."""
    return math.exp(log_thresholded_false_positive_rate(k, d, cut))


def thresholded_false_negative_rate(k: int, d: int, cut: int | None = None) -> float:
    """Exact: P(a given member is not accepted); see the logarithm."""
    return math.exp(log_thresholded_false_negative_rate(k, d, cut))


def log_thresholded_failure_bound(n: int, k: int, d: int, cut: int | None = None) -> float:
    """Upper bound: ln P_fail, nats; see `thresholded_failure_bound`. Finite far below 1e-308."""
    n, k = check_task(n, k)
    k, d, cut = _check_cut(k, d, cut)
    missed = math.log(k) + log_thresholded_false_negative_rate(k, d, cut)
    if n == k:
        return min(0.0, missed)
    some = float(log_some(n - k, log_thresholded_false_positive_rate(k, d, cut)))
    return min(0.0, float(np.logaddexp(some, missed)))


def thresholded_failure_bound(n: int, k: int, d: int, cut: int | None = None) -> float:
    """Upper bound: P(the accepted tokens are not the members) <= k FNR + 1 - (1 - FPR)^(n-k).

    Random signs, alpha = 1; tails of binomials, exact. Given the members the non-members are
    accepted independently of each other, so that 1 - (1 - FPR)^(n-k) bounds the probability of a
    false positive (Jensen); it is at most (n-k) FPR. Cost: under a millisecond.
    """
    return math.exp(log_thresholded_failure_bound(n, k, d, cut))


def thresholded_pair_rate(k: int, d: int, cut: int | None = None) -> float:
    """Exact: P(two given non-members are both accepted), E f^2 for f = P(accepted | members).

    Two tokens agree in a ~ Binomial(d, 1/2) coordinates; with A and B the sums over the members'
    signs there and elsewhere, both are accepted where |B| <= A - cut. Cost O(d^2) binomial tails,
    less those too light to matter.
    """
    from scipy.stats import binom

    k, d, cut = _check_cut(k, d, cut)
    rate = thresholded_false_positive_rate(k, d, cut)
    agreeing = np.arange(d + 1)
    weight = binom.pmf(agreeing, d, 0.5)
    # the pair's rate at any a is at most `rate`, and averages to at least its square
    kept = np.flatnonzero(weight * (d + 1) > _NEGLIGIBLE * rate)
    total = 0.0
    for a in kept.tolist():
        successes = np.arange(-(-(k * a + cut) // 2), k * a + 1)
        room = 2 * successes - k * a - cut
        beyond = binom.sf((room + k * (d - a)) // 2, k * (d - a), 0.5)
        total += float(weight[a] * (binom.pmf(successes, k * a, 0.5) @ (1.0 - 2.0 * beyond)))
    return total


def thresholded_failure_lower_bound(n: int, k: int, d: int, cut: int | None = None) -> float:
    """Lower bound: P_fail >= P(some false positive) >= N FPR / (1 + (N-1) P(pair)/FPR), N = n-k.

    The second-moment inequality (E X)^2 / E X^2 (de Caen 1997). Random signs, alpha = 1.
    """
    n, k = check_task(n, k)
    rate = thresholded_false_positive_rate(k, d, cut)
    if n == k or rate == 0.0:
        return 0.0
    return (n - k) * rate / (1.0 + (n - k - 1) * thresholded_pair_rate(k, d, cut) / rate)


def thresholded_width(n: int, k: int, epsilon: float) -> int:
    """Exact for the bound: the least d with `thresholded_failure_bound` <= epsilon, threshold 1/2.

    Upper bound on the width that P_fail <= epsilon takes. Hidden width n. The bound wavers with
    d mod 4, in whose classes it falls: each is bisected. Cost: tens of milliseconds.
    """
    return HALF_THRESHOLD.smallest_width(n, k, epsilon).width


def best_thresholded_width(n: int, k: int, epsilon: float) -> int:
    """Exact for the bound: the least d with `thresholded_failure_bound` <= epsilon at `best_cut`.

    While n - k is much larger than k the best threshold lies above 1/2: at n, k, epsilon = 1000, 8,
    0.001 the width is 575 in place of 721. As epsilon -> 0 the threshold falls towards about
    1/(1 + sqrt(1 - 1/k)). Bisected by classes of d mod 2, in which the bound falls.
    """
    return THRESHOLDED_SIGNS.smallest_width(n, k, epsilon).width


def sufficient_thresholded_width(n: int, k: int, epsilon: float, c: float = 1.0) -> int:
    """Upper bound: ceil(8 k c^2 ln(n/epsilon)); P_fail <= epsilon at threshold 1/2 from there on.

    Hoeffding's inequality, for signs and (sub-Gaussian alike) directions, and any fixed or random
    coefficients in [1, c].
    """
    n, k = check_task(n, k)
    check_real("epsilon", epsilon, 0.0, 1.0)
    check_real("c", c, 1.0, closed=True)
    return math.ceil(8.0 * k * c**2 * (math.log(n) - math.log(epsilon)))


def threshold_slope(k: int) -> float:
    """Asymptotic: d(ln P_fail)/dd = -k I(1/(2k)) at threshold 1/2, nats per unit of width.

    I(u) = ((1+u) ln(1+u) + (1-u) ln(1-u))/2 (Cramér); -1/(8k) - 1/(192 k^3) + O(k^-5). A Bloom
    filter's is steeper by a factor near 8 (ln 2)^2 = 3.84.
    """
    check_integer("k", k, 1)
    u = 0.5 / k
    return -0.5 * k * ((1.0 + u) * math.log1p(u) + (1.0 - u) * math.log1p(-u))


def _log_upper_tail(trials: int, at_least: int) -> float:
    """ln P(Binomial(trials, 1/2) >= at_least), nats.

    Below 1e-290 from the leading term and the ratios of the terms: absolute error of the logarithm
    about 1e-16 trials ln(trials).
    """
    from scipy.special import gammaln
    from scipy.stats import binom

    if at_least > trials:
        return -math.inf
    tail = float(binom.sf(at_least - 1, trials, 0.5))
    if tail > _LEAST_PROBABILITY:
        return math.log(tail)
    leading = gammaln(trials + 1) - gammaln(at_least + 1) - gammaln(trials - at_least + 1)
    # the terms fall at least as fast as the first two do
    first = (trials - at_least) / (at_least + 1)
    count = trials - at_least
    if count:
        count = min(count, math.ceil(math.log(_NEGLIGIBLE) / math.log(first)) + 1)
    j = at_least + np.arange(count)
    ratios = np.cumprod((trials - j) / (j + 1.0))
    return float(leading - trials * math.log(2.0) + math.log1p(ratios.sum()))


def _check_dense(n: int, k: int, d: int) -> tuple[int, int, int]:
    return *check_task(n, k), check_integer("d", d, 1)


def _check_cut(k: int, d: int, cut: int | None) -> tuple[int, int, int]:
    k, d, _ = check_code(k, d, 1)
    return k, d, half_cut(d) if cut is None else check_integer("cut", cut, 1, d, "d")


class HalfThreshold(Scheme[int]):
    """Random signs, alpha = 1, each token with the threshold 1/2. Upper bound on P_fail."""

    name: ClassVar[str] = "signs, threshold 1/2"
    kind: ClassVar[str] = "upper bound"
    parameter: ClassVar[str | None] = "cut"
    classes: ClassVar[int] = 4
    largest_epsilon: ClassVar[float] = 1.0

    def log_failure(self, n: int, k: int, d: int, parameter: int) -> float:
        return log_thresholded_failure_bound(n, k, d, parameter)

    def best_parameter(self, n: int, k: int, d: int) -> int:
        return half_cut(d)

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        return 8.0 * k * (math.log(n) - math.log(epsilon))


class ThresholdedSigns(HalfThreshold):
    """Random signs, alpha = 1, each token with the best threshold. Upper bound on P_fail."""

    name: ClassVar[str] = "signs, best threshold"
    classes: ClassVar[int] = 2

    def best_parameter(self, n: int, k: int, d: int) -> int:
        return best_cut(n, k, d)


HALF_THRESHOLD = HalfThreshold()
THRESHOLDED_SIGNS = ThresholdedSigns()
