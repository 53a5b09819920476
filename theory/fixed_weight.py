"""The construction's own scheme: every token owns exactly m of the d bits, at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from theory import almost_certain
from theory.codes import HashedBits, log_ratio
from theory.false_positives import (
    enclosure,
    log_false_positive_rate,
    log_rate_given_fill,
    log_success_probability,
)
from theory.large_deviations import best_density
from theory.occupancy import Enclosure, Value
from theory.union_size import law_seconds

# -ln(1 - P_fail), nats, from which on the best m is searched for and not descended to
_HOPELESS = 10.0
# seconds that the law of the union may take for one m, where many are compared by it
_QUICK = 0.02


class FixedWeight(HashedBits):
    """m bits a token, all different: constant column weight. Exact."""

    name: ClassVar[str] = "fixed-weight"
    largest_epsilon: ClassVar[float] = 1.0

    def enclose(self, k: int, d: int, parameter: int, value: Value) -> Enclosure:
        return enclosure(k, d, parameter, value)

    def fewest(self, parameter: int) -> int:
        return parameter

    def log_rate_given_fill(self, d: int, parameter: int, w: int) -> float:
        return log_rate_given_fill(d, parameter, w)

    def likely_parameter(self, k: int, d: int) -> float:
        """By the best density of the rate function."""
        return best_density(k)[0] * d

    def best_parameter(self, n: int, k: int, d: int) -> int:
        """By descent; where failure is all but certain, of every m up to three times as large.

        Those are looked at where the law of the union is quick.
        """
        best = super().best_parameter(n, k, d)
        if self.badness(n, k, d, best)[0] < _HOPELESS or not self._law_is_quick(k, d):
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
        if self._law_is_quick(k, d):
            log_success = log_success_probability(n, k, d, parameter)
        elif self.is_certain(n, k, d, parameter, log_failure):
            log_success = -math.inf
        else:
            log_success = math.log(-math.expm1(log_failure))
        # where no double tells them apart all are equally bad, and fewer false positives are better
        if log_success == -math.inf:
            return math.inf, log_false_positive_rate(k, d, parameter)
        return -math.log(2.0) - log_success, 0.0

    def _law_is_quick(self, k: int, d: int) -> bool:
        """Whether the union's law gives 1 - P_fail: of all m of a width, or of none."""
        likely = min(d, max(1, round(self.likely_parameter(k, d))))
        return law_seconds(k, d, likely) < _QUICK

    def log_target(self, epsilon: float) -> float:
        return math.log(epsilon) if epsilon < 0.5 else -math.log(2.0) - math.log1p(-epsilon)

    def _search(self, n: int, k: int, epsilon: float) -> tuple[Callable[[int], bool], float]:
        found = super()._search(n, k, epsilon)
        almost_certain.check_settled(n, k, epsilon)
        return found

    def narrower_exception(self, n: int, k: int, d: int, epsilon: float) -> int:
        return almost_certain.narrower_exception(n, k, d, epsilon)


FIXED_WEIGHT = FixedWeight()
