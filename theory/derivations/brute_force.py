"""Brute force as SymPy functions: averages over every hash family, to set against a formula.

Each function enumerates all C(d, m)^n families (`theory.enumerate`) when it is evaluated at
numbers, and stays a name in a printed claim.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import mpmath
from sympy.utilities.lambdify import implemented_function

from theory.enumerate import Outcome, mean, outcome_law

_law = lru_cache(maxsize=None)(outcome_law)


def _rate(k: int, d: int, m: int) -> Fraction:
    law = _law(int(k) + 1, int(k), int(d), int(m))
    return mean(law, lambda outcome: outcome.false_positives)


def _failure(n: int, k: int, d: int, m: int) -> Fraction:
    law = _law(int(n), int(k), int(d), int(m))
    return mean(law, lambda outcome: min(outcome.false_positives, 1))


def _mean_of_leakage(
    value: Callable[[mpmath.mpf, mpmath.mpf, int], mpmath.mpf],
) -> Callable[..., mpmath.mpf]:
    def averaged(n: int, k: int, d: int, m: int, beta: mpmath.mpf) -> mpmath.mpf:
        def of_outcome(outcome: Outcome) -> mpmath.mpf:
            weights = [mpmath.exp(-beta * missing) for missing in outcome.missing_bits]
            return value(mpmath.fsum(weights), mpmath.fsum(v**2 for v in weights), k)

        return mean(_law(n, k, d, m), of_outcome)

    return averaged


ENUMERATED_RATE = implemented_function("enumerated_FPR", _rate)
ENUMERATED_FAILURE = implemented_function("enumerated_Pfail", _failure)
ENUMERATED_TOTAL_VARIATION = implemented_function(
    "enumerated_TV", _mean_of_leakage(lambda leakage, _, k: leakage / (k + leakage))
)
ENUMERATED_KL = implemented_function(
    "enumerated_KL", _mean_of_leakage(lambda leakage, _, k: mpmath.log(1 + leakage / k))
)
ENUMERATED_SQUARED_ERROR = implemented_function(
    "enumerated_SE",
    _mean_of_leakage(lambda leakage, squares, k: (leakage**2 / k + squares) / (k + leakage) ** 2),
)
