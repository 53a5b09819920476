"""The construction's own scheme: every token owns exactly m of the d bits, at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, NoReturn

import numpy as np
from scipy.special import gammaln, rel_entr

from theory.codes import HashedBits, log2_binomial, log_ratio
from theory.domain import DomainError
from theory.false_positives import (
    enclosure,
    log_false_positive_rate,
    log_rate_given_fill,
    log_success_probability,
)
from theory.large_deviations import best_density
from theory.occupancy import Enclosure, Value
from theory.union_size import fill_probability, log_coverage

# -ln(1 - P_fail), nats, from which on the best m is searched for and not descended to
_HOPELESS = 10.0
# epsilon up to which the smallest P_fail falls with d, and has been seen to at any width
_SELDOM_RIGHT, _MOST_CERTAIN = 0.99, 0.999999
_WIDEST_SEARCHED = 200


class FixedWeight(HashedBits):
    """m bits a token, all different: constant column weight. Exact."""

    name: ClassVar[str] = "fixed-weight"
    largest_epsilon: ClassVar[float] = 1.0

    def enclose(self, k: int, d: int, parameter: int, value: Value) -> Enclosure:
        return enclosure(k, d, parameter, value)

    def log_rate_given_fill(self, d: int, parameter: int, w: int) -> float:
        return log_rate_given_fill(d, parameter, w)

    def likely_parameter(self, k: int, d: int) -> float:
        """By the best density of the rate function."""
        return best_density(k)[0] * d

    def best_parameter(self, n: int, k: int, d: int) -> int:
        """By descent; where failure is all but certain, of every m up to three times as large."""
        best = super().best_parameter(n, k, d)
        if self.badness(n, k, d, best)[0] < _HOPELESS:
            return best
        return min(range(1, min(d, 3 * best + 3) + 1), key=lambda m: self.badness(n, k, d, m))

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        """The width law with the exact exponent."""
        return log_ratio(n, k, epsilon) / best_density(k)[1]

    def badness(self, n: int, k: int, d: int, parameter: int) -> tuple[float, float]:
        """By ln P_fail, by the digits of 1 - P_fail above one half, last by the FPR."""
        log_failure = self.log_failure(n, k, d, parameter)
        if log_failure < -math.log(2.0):
            return log_failure, 0.0
        log_success = log_success_probability(n, k, d, parameter)
        # below the smallest double all are equally bad, and fewer false positives are better
        if log_success == -math.inf:
            return math.inf, log_false_positive_rate(k, d, parameter)
        return -math.log(2.0) - log_success, 0.0

    def log_target(self, epsilon: float) -> float:
        return math.log(epsilon) if epsilon < 0.5 else -math.log(2.0) - math.log1p(-epsilon)

    def _search(self, n: int, k: int, epsilon: float) -> tuple[Callable[[int], bool], float]:
        found = super()._search(n, k, epsilon)
        bits = log2_binomial(n, k) + math.log2(1.0 - epsilon)
        if n > k and epsilon > _MOST_CERTAIN and bits > _WIDEST_SEARCHED:
            self._refuse(epsilon)
        return found

    def _refuse(self, epsilon: float) -> NoReturn:
        raise DomainError(
            f"epsilon must be at most {_MOST_CERTAIN} where the width is above "
            f"{_WIDEST_SEARCHED}, as it is here; got {epsilon!r}"
        )

    def narrower_exception(self, n: int, k: int, d: int, epsilon: float) -> int:
        """Where failure is all but certain, success rests on tokens that happen to coincide, and a
        wider code may fail more often: every narrower one is looked at, but those that cannot do.
        """
        if epsilon <= _SELDOM_RIGHT or n == k:
            return d
        if d > _WIDEST_SEARCHED:
            if epsilon <= _MOST_CERTAIN:
                return d
            self._refuse(epsilon)
        log_success = math.log1p(-epsilon)
        bits = log2_binomial(n, k) + log_success / math.log(2.0)
        for narrower in range(max(1, math.ceil(bits)), d):
            for m in range(1, narrower + 1):
                if _log_success_bound(n, k, narrower, m) < log_success:
                    continue
                if log_success_probability(n, k, narrower, m) >= log_success:
                    return narrower
        return d


def _log_success_bound(n: int, k: int, d: int, m: int) -> float:
    """Upper bound on ln(1 - P_fail), nats: P(W <= w) + (1 - f(w + 1))^N at the best w.

    The first by C(d, w) f(w)^k, one w-set that holds all k hashes, or by Chernoff's bound for
    negatively associated indicators.
    """
    log_f = log_coverage(d, m)[:-1]
    w = np.arange(m, d)
    fill = fill_probability(k, d, m)
    held = log_choose(d, w) + k * log_f
    share = np.minimum(w / d, fill)
    entropy = rel_entr(share, fill) + rel_entr(1.0 - share, 1.0 - fill)
    below = np.concatenate([[0.0], np.exp(np.minimum(np.minimum(held, -d * entropy), 0.0))])
    with np.errstate(divide="ignore"):
        above = np.exp((n - k) * np.log1p(-np.exp(log_coverage(d, m))))
    return math.log(min(1.0, float((below + above).min())) + 1e-300) + 1e-9


def log_choose(d: int, w: np.ndarray) -> np.ndarray:
    """ln C(d, w), nats."""
    found: np.ndarray = gammaln(d + 1.0) - gammaln(w + 1.0) - gammaln(d - w + 1.0)
    return found


FIXED_WEIGHT = FixedWeight()
