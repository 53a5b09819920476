"""The construction's own scheme: every token owns exactly m of the d bits, at random."""

from __future__ import annotations

import math
from typing import ClassVar

from theory.codes import Scheme, log_ratio
from theory.domain import check_code, check_task
from theory.false_positives import (
    log_failure_probability,
    log_false_positive_rate,
    log_success_probability,
)
from theory.large_deviations import best_density
from theory.search import lowest_of_valley

# -ln(1 - P_fail), nats, from which on the best m is searched for and not descended to
_HOPELESS = 10.0


class FixedWeight(Scheme[int]):
    """m bits a token, all different: constant column weight. Exact."""

    name: ClassVar[str] = "fixed-weight"
    largest_epsilon: ClassVar[float] = 1.0

    def log_failure(self, n: int, k: int, d: int, parameter: int) -> float:
        return log_failure_probability(n, k, d, parameter)

    def best_parameter(self, n: int, k: int, d: int) -> int:
        """Found by descent from the best density of the rate function.

        Where failure is all but certain P_fail has several valleys, and every m up to three times
        as large is compared.
        """
        n, k = check_task(n, k)
        k, d, _ = check_code(k, d, 1)
        guess = round(best_density(k)[0] * d)
        best = lowest_of_valley(lambda m: self.badness(n, k, d, m), guess, d)
        if self.badness(n, k, d, best)[0] < _HOPELESS:
            return best
        return min(range(1, min(d, 3 * best + 3) + 1), key=lambda m: self.badness(n, k, d, m))

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        """The width law with the exact exponent."""
        return log_ratio(n, k, epsilon) / best_density(k)[1]

    def badness(self, n: int, k: int, d: int, parameter: int) -> tuple[float, float]:
        """By ln P_fail, by the digits of 1 - P_fail above one half, last by the FPR."""
        log_failure = log_failure_probability(n, k, d, parameter)
        if log_failure < -math.log(2.0):
            return log_failure, 0.0
        log_success = log_success_probability(n, k, d, parameter)
        # below the smallest double all are equally bad, and fewer false positives are better
        if log_success == -math.inf:
            return math.inf, log_false_positive_rate(k, d, parameter)
        return -math.log(2.0) - log_success, 0.0

    def log_target(self, epsilon: float) -> float:
        return math.log(epsilon) if epsilon < 0.5 else -math.log(2.0) - math.log1p(-epsilon)


FIXED_WEIGHT = FixedWeight()
