"""Hashes whose weight varies: independent Bernoulli bits, and m bits drawn with replacement.

The rivals of the constant column weight of `theory.false_positives`. Given the size W = w of the
members' union the N = n - k non-members are again independent, each covered with probability
(1 - rho)^(d - w) or (w/d)^m. A false positive is a token without missing bits. The construction
reads logits beta |S_i ∩ union|, whose largest value is beta |S_i|: where |S_i| varies the members'
logits differ, and each token needs an output bias of its own, -beta |S_i|.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from theory.broadcasting import broadcasts, broadcasts_by
from theory.codes import HashedBits, HashScheme, log_ratio, non_members
from theory.domain import DomainError, check_code, check_integer, check_real, check_task
from theory.large_deviations import best_density
from theory.logarithms import Floats, log_mean, log_some
from theory.many_codes import Sizes, log_means
from theory.occupancy import (
    Enclosure,
    ExponentialCoverage,
    RootedCoverage,
    Union,
    Value,
    bonferroni,
    drawn_bits,
    independent_bits,
    settle,
)
from theory.search import root
from theory.width import Code, check_epsilon

# the exact occupancy law is grown for at most so long, at so much a step
_MOST_SECONDS, _SECONDS_A_STEP = 600.0, 2.5e-8


class BernoulliCode(NamedTuple):
    """Independent Bernoulli bits: residual width d, density rho of the bits, exact P_fail."""

    width: int
    density: float
    failure_probability: float


def log_bernoulli_union_law(k: int, d: int, rho: float) -> np.ndarray:
    """Exact: ln P(W = w), nats, W ~ Binomial(d, 1 - (1 - rho)^k); float64 [d + 1], index w."""
    from scipy.stats import binom

    k, d, _ = check_code(k, d, 1)
    rho = check_real("rho", rho, 0.0, 1.0)
    uncovered = math.exp(k * math.log1p(-rho))
    found: np.ndarray = binom.logpmf(np.arange(d, -1, -1), d, uncovered)
    return found


def bernoulli_enclosure(k: int, d: int, rho: float, value: Value) -> Enclosure:
    """ln of the probability that some, or all, of several non-members are covered, nats.

    All of them: in closed form, since a bit is covered for each with the same chance. Some: by the
    binomial law of the union where that is quick, otherwise between two proved ends.
    """
    k, d, _ = check_code(k, d, 1)
    rho = check_real("rho", rho, 0.0, 1.0)
    uncovered = math.exp(k * math.log1p(-rho))

    def all_covered(queries: int) -> Enclosure:
        # a bit that no member owns, and some of them do
        exposed = -math.expm1(queries * math.log1p(-rho)) * uncovered
        return Enclosure.rounded(d * math.log1p(-exposed))

    if value.some == 1:
        return all_covered(value.all_of)

    def exact() -> float:
        log_f = np.arange(d, -1, -1) * math.log1p(-rho)
        return min(0.0, log_mean(log_bernoulli_union_law(k, d, rho), log_some(value.some, log_f)))

    known = bonferroni(all_covered(1), all_covered(2), value.some)
    law = Union(k, d, independent_bits, rho, 0)
    return settle(1e-7 * d, exact, law, ExponentialCoverage(d, rho), value, known)


@broadcasts
def log_bernoulli_failure_probability(n: int, k: int, d: int, rho: float) -> float:
    """Exact: ln P_fail of hashes of independent Bernoulli(rho) bits, nats; -inf where n = k."""
    check_real("rho", rho, 0.0, 1.0)
    return INDEPENDENT.log_failure(n, k, d, rho)


@broadcasts
def bernoulli_failure_probability(n: int, k: int, d: int, rho: float) -> float:
    """Exact: P_fail of hashes of independent Bernoulli(rho) bits, annealed.

    A mask may be empty, and is then a false positive of every input.
    """
    return math.exp(log_bernoulli_failure_probability(n, k, d, rho))


def optimal_density_for_failure(n: int, k: int, d: int) -> float:
    """Exact, to 1e-5 relative: the rho that minimises P_fail, where that is below 0.9."""
    return INDEPENDENT.best_parameter(n, k, d)


def smallest_bernoulli_width(n: int, k: int, epsilon: float) -> BernoulliCode:
    """Exact: the smallest d for which some rho gives P_fail <= epsilon, with its best rho.

    Raises DomainError outside 1 <= k < n, 0 < epsilon <= 1/2.
    """
    non_members(n, k)
    found = INDEPENDENT.smallest_width(n, k, epsilon)
    return BernoulliCode(found.width, found.parameter, found.failure_probability)


def bernoulli_width(n: int, k: int, epsilon: float) -> int:
    """Exact: the smallest d with E#FP = N (1 - rho (1 - rho)^k)^d <= epsilon at rho = 1/(k+1)."""
    check_epsilon(epsilon)
    return max(1, math.ceil(log_ratio(n, k, epsilon) / bernoulli_exponent(k)))


def bernoulli_width_law(n: int, k: int, epsilon: float) -> float:
    """Asymptotic: d = (e (k + 1/2) - 1/2) ln(N/epsilon) for independent Bernoulli bits, large k."""
    check_epsilon(epsilon)
    return (math.e * (k + 0.5) - 0.5) * log_ratio(n, k, epsilon)


def bernoulli_exponent(k: int) -> float:
    """Exact: -(ln FPR) / d at the best density rho = 1/(k+1), nats per bit."""
    k = check_integer("k", k, 1)
    rho = 1.0 / (k + 1)
    return -math.log1p(-rho * (1.0 - rho) ** k)


def bernoulli_extra_width(k: int) -> float:
    """Asymptotic: width of Bernoulli bits over that of constant weight, less 1; epsilon -> 0.

    Falls from 0.58 at k = 2 to e (ln 2)^2 - 1 = 0.306 as k grows.
    """
    return best_density(k)[1] / bernoulli_exponent(k) - 1.0


@lru_cache(maxsize=32)
def _log_occupancy_law(k: int, d: int, m: int) -> Floats:
    """ln P(W = w), nats, at w = 0..min(d, k m); see `log_with_replacement_union_law`."""
    w = np.arange(min(d, k * m) + 1)
    with np.errstate(divide="ignore"):
        log_stay, log_grow = np.log(w / d), np.log((d - w[:-1]) / d)
    log_law = np.full(len(w), -math.inf)
    log_law[0] = 0.0
    for _ in range(k * m):
        grown = log_law + log_stay
        np.logaddexp(grown[1:], log_law[:-1] + log_grow, out=grown[1:])
        log_law = grown
    log_law.flags.writeable = False
    return log_law


def log_with_replacement_union_law(k: int, d: int, m: int) -> Floats:
    """Exact: ln P(W = w), nats, for the bits hit by k m uniform draws; float64 [d + 1], index w.

    The occupancy law C(d, w) w! S(k m, w) / d^(k m), S the Stirling number of the second kind,
    grown draw by draw in logarithms: all terms positive, absolute error about 1e-16 |ln P| a draw.
    Cost O(k d m).
    """
    k, d, m = check_draws(k, d, m)
    if _occupancy_seconds(k, d, m) > _MOST_SECONDS or d > 10**7:
        raise DomainError(
            f"k, d, m = {k}, {d}, {m} must be smaller for the exact occupancy law: d at most 1e7, "
            f"and k times d times m about {_MOST_SECONDS / _SECONDS_A_STEP:.0g}"
        )
    law = _log_occupancy_law(k, d, m)
    return np.concatenate([law, np.full(d + 1 - len(law), -math.inf)])


def _occupancy_seconds(k: int, d: int, m: int) -> float:
    return k * m * (1e-5 + _SECONDS_A_STEP * min(d, k * m))


def with_replacement_enclosure(k: int, d: int, m: int, value: Value) -> Enclosure:
    """ln E value((W/d)^m), nats: that some, or all, of several non-members are covered.

    By the exact law where that is quick, otherwise between two proved ends.
    """
    k, d, m = check_draws(k, d, m)

    def exact() -> float:
        law = _log_occupancy_law(k, d, m)
        return min(0.0, log_mean(law, log_some(value.some, value.all_of * _log_inside(d, m, law))))

    mean_fill = 1.0 if d == 1 else -math.expm1(k * m * math.log1p(-1.0 / d))
    jensen = Enclosure(value.all_of * m * math.log(mean_fill), 0.0).widened()
    law = Union(k, d, drawn_bits, m, 1)
    coverage = RootedCoverage(d, m, distinct=False)
    return settle(_occupancy_seconds(k, d, m), exact, law, coverage, value, jensen)


def _log_means_of_draws(k: Sizes, d: Sizes, m: Sizes, some: Sizes | int = 1) -> Floats:
    return log_means(k, d, m, some, distinct=False)


@broadcasts_by(_log_means_of_draws)
def log_with_replacement_rate(k: int, d: int, m: int) -> float:
    """Exact: ln FPR, nats, of hashes of m draws with replacement; FPR = E (W/d)^m."""
    return with_replacement_enclosure(k, d, m, Value()).middle


@broadcasts_by(lambda k, d, m: np.exp(_log_means_of_draws(k, d, m)))
def with_replacement_rate(k: int, d: int, m: int) -> float:
    """Exact: FPR of hashes of m draws with replacement (Bose et al. 2008; Christensen et al. 2010).

    At least (1 - (1 - 1/d)^(k m))^m, which is above the classic rate: the inequality that the
    constant weight reverses.
    """
    return math.exp(log_with_replacement_rate(k, d, m))


@broadcasts
def with_replacement_lower_bound(k: int, d: int, m: int) -> float:
    """Lower bound: FPR >= (1 - (1 - 1/d)^(k m))^m with replacement; equality at m = 1 (Jensen)."""
    k, d, m = check_draws(k, d, m)
    return 1.0 if d == 1 else math.exp(m * math.log(-math.expm1(k * m * math.log1p(-1.0 / d))))


@broadcasts_by(lambda n, k, d, m: _log_means_of_draws(k, d, m, n - k))
def log_with_replacement_failure_probability(n: int, k: int, d: int, m: int) -> float:
    """Exact: ln P_fail of hashes of m draws with replacement, nats; -inf where n = k."""
    n, k = check_task(n, k)
    return WITH_REPLACEMENT.log_failure(n, k, d, m)


@broadcasts_by(lambda n, k, d, m: np.exp(_log_means_of_draws(k, d, m, n - k)))
def with_replacement_failure_probability(n: int, k: int, d: int, m: int) -> float:
    """Exact: P_fail of hashes of m draws with replacement, annealed."""
    return math.exp(log_with_replacement_failure_probability(n, k, d, m))


def optimal_draws_for_failure(n: int, k: int, d: int) -> int:
    """Exact: the m >= 1 that minimises P_fail with replacement, where that is below 0.9."""
    return WITH_REPLACEMENT.best_parameter(n, k, d)


def smallest_with_replacement_width(n: int, k: int, epsilon: float) -> Code:
    """Exact: the smallest d for which some m gives P_fail <= epsilon with replacement.

    Raises DomainError outside 1 <= k < n, 0 < epsilon <= 1/2.
    """
    non_members(n, k)
    found = WITH_REPLACEMENT.smallest_width(n, k, epsilon)
    return Code(found.width, found.parameter, found.failure_probability)


@lru_cache(maxsize=64)
def with_replacement_exponent(k: int) -> tuple[float, float]:
    """Asymptotic: (x, I): the best x = m/d as d -> infinity, and I = -(ln FPR) / d there, nats.

    Parametrised by y, the root in (0, 1) of 1 - y + y e^(-U) = (1 - y)^(1/(k+1)): see
    `with_replacement_exponent_at`.
    """
    k = check_integer("k", k, 1)

    def excess(y: float) -> float:
        u = -math.log(y) / k / (1.0 - y)
        found: float = 1.0 - y * -math.expm1(-u) - (1.0 - y) ** (1.0 / (k + 1))
        return found

    return with_replacement_exponent_at(root(excess, 1e-9, 1.0 - 1e-9), k)


def with_replacement_exponent_at(y: float, k: int) -> tuple[float, float]:
    """Asymptotic: (x, I) at the given y: V = -ln(y)/k, U = V/(1-y), x = V (1-y)^(-1/(k+1)) and
    I = (k+1) x - ln(1 + e^(U + k V) - e^U), nats per bit; the exponent at the root y only.
    """
    v = -math.log(y) / k
    u = v / (1.0 - y)
    x = v * (1.0 - y) ** (-1.0 / (k + 1))
    return x, (k + 1) * x - math.log1p(math.exp(u) * math.expm1(k * v))


def with_replacement_extra_width(k: int) -> float:
    """Asymptotic: width of draws with replacement over constant weight's, less 1; epsilon -> 0.

    Both at their best m. Vanishes as k grows: sparse hashes seldom draw a bit twice.
    """
    return best_density(k)[1] / with_replacement_exponent(k)[1] - 1.0


def check_draws(k: int, d: int, m: int) -> tuple[int, int, int]:
    """Sizes of a code of draws as ints: k >= 1 active tokens, d >= 1 bits, m >= 1 draws a token."""
    k, d, _ = check_code(k, d, 1)
    return k, d, check_integer("m", m, 1)


def _log_inside(d: int, m: int, law: Floats) -> Floats:
    """ln (w/d)^m at w = 0.. of a law, nats."""
    with np.errstate(divide="ignore"):
        found: Floats = m * np.log(np.arange(len(law)) / d)
    return found


class WithReplacement(HashedBits):
    """m uniform draws a token, some of which may coincide: ordinary Bloom filters. Exact."""

    name: ClassVar[str] = "with-replacement"

    def enclose(self, k: int, d: int, parameter: int, value: Value) -> Enclosure:
        return with_replacement_enclosure(k, d, parameter, value)

    def check_parameter(self, d: int, parameter: float) -> int:
        return check_integer("m", parameter, 1)

    def log_rate_given_fill(self, d: int, parameter: int, w: int) -> float:
        """m ln(w/d)."""
        w = check_integer("w", w, 0, d, "d")
        return parameter * math.log(w / d) if w else -math.inf

    def likely_parameter(self, k: int, d: int) -> float:
        """By the best density of `with_replacement_exponent`."""
        return with_replacement_exponent(k)[0] * d

    def most(self, d: int) -> int:
        """More draws than this overfill any filter."""
        return 4 * d + 64

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        """At which E#FP meets epsilon by the exact exponent."""
        return log_ratio(n, k, epsilon) / with_replacement_exponent(k)[1]


class Independent(HashScheme[float]):
    """Every bit owned with probability rho, independently of all others. Exact."""

    name: ClassVar[str] = "independent"
    parameter: ClassVar[str | None] = "density"

    def enclose(self, k: int, d: int, parameter: float, value: Value) -> Enclosure:
        return bernoulli_enclosure(k, d, parameter, value)

    def check_parameter(self, d: int, parameter: float) -> float:
        return check_real("density", parameter, 0.0, 1.0)

    def fills(self, k: int, d: int, parameter: float) -> tuple[int, int]:
        return 0, d

    def log_rate_given_fill(self, d: int, parameter: float, w: int) -> float:
        """(d - w) ln(1 - rho)."""
        return (d - check_integer("w", w, 0, d, "d")) * math.log1p(-parameter)

    def likely_parameter(self, k: int, d: int) -> float:
        return 1.0 / (k + 1)

    def best_parameter(self, n: int, k: int, d: int) -> float:
        """To 1e-5 relative, where P_fail is below 0.9.

        The FPR is least at rho = 1/(k+1), P_fail at that or a little more. Where failure is certain
        at 1/(k+1), that density, with the fewest false positives.
        """
        from scipy.optimize import minimize_scalar

        n, k = check_task(n, k)
        first_guess = 1.0 / (k + 1)
        log_failure = self.log_failure(n, k, d, first_guess)
        if self.is_certain(n, k, d, first_guess, log_failure):
            return first_guess
        found = minimize_scalar(
            lambda rho: self.log_failure(n, k, d, rho),
            bounds=(0.5 * first_guess, min(3.0 * first_guess, 0.99)),
            method="bounded",
            options={"xatol": 1e-6 * first_guess},
        )
        return float(found.x)

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        """At which E#FP meets epsilon, and P_fail with it."""
        return bernoulli_width(n, k, epsilon)


WITH_REPLACEMENT = WithReplacement()
INDEPENDENT = Independent()
