"""Formulas for one fixed family of masks.

A family is written as one integer F whose binary digit d i + b says whether token i owns bit b;
tokens and bits count from 0.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from theory import quenched
from theory.formula import Formula
from theory.symbols import d, k, n

F = sp.Symbol("F", integer=True, nonnegative=True)
i = sp.Symbol("i", integer=True, nonnegative=True)
J = sp.Symbol("J", integer=True, nonnegative=True)


def masks_of(family: int, n: int, d: int) -> np.ndarray:
    """The family's masks, bool [n, d]."""
    digits = [[family >> (d * token + bit) & 1 for bit in range(d)] for token in range(n)]
    return np.array(digits, dtype=bool).reshape(n, d)


def mask_of(family: int, d: int, token: int) -> int:
    """One token's mask, as an integer of d binary digits."""
    return family >> (d * token) & ((1 << d) - 1)


class Size(sp.Function):
    """|J|, for a set J written in binary."""

    @classmethod
    def eval(cls, subset: sp.Expr) -> sp.Expr | None:
        return sp.Integer(int(subset).bit_count()) if subset.is_Integer else None


class Weight(sp.Function):
    """|S_i|, at (F, d, i)."""

    @classmethod
    def eval(cls, *arguments: sp.Expr) -> sp.Expr | None:
        if not all(argument.is_Integer for argument in arguments):
            return None
        return sp.Integer(mask_of(*map(int, arguments)).bit_count())


class Avoiding(sp.Function):
    """n_J, at (F, n, d, i, J): the tokens but i that own no bit of the J-th subset of S_i."""

    @classmethod
    def eval(cls, *arguments: sp.Expr) -> sp.Expr | None:
        if not all(argument.is_Integer for argument in arguments):
            return None
        family, tokens, bits, token, place = map(int, arguments)
        mask = mask_of(family, bits, token)
        own = [bit for bit in range(bits) if mask >> bit & 1]
        subset = sum(1 << bit for position, bit in enumerate(own) if place >> position & 1)
        others = (mask_of(family, bits, other) for other in range(tokens) if other != token)
        return sp.Integer(sum(other & subset == 0 for other in others))


FAMILY = "any family of masks, 0 <= F < 2^(n d), of at most 24 bits each"

FALSE_POSITIVE_RATE = Formula(
    "false-positive rate of a token of a fixed family",
    sp.Sum(
        (-1) ** Size(J) * sp.binomial(Avoiding(F, n, d, i, J), k), (J, 0, 2 ** Weight(F, d, i) - 1)
    )
    / sp.binomial(n - 1, k),
    "exact",
    FAMILY + ", 1 <= k <= n - 1, 0 <= i < n",
    "inclusion-exclusion over the token's own bits that a k-set of the others leaves uncovered",
    lambda F, d, i, k, n: float(quenched.false_positive_rates(masks_of(F, n, d), k)[i]),
)

EXPECTED_FALSE_POSITIVES = Formula(
    "expected number of false positives of a fixed family",
    sp.Sum((1 - k / n) * FALSE_POSITIVE_RATE.expression, (i, 0, n - 1)),
    "exact",
    FAMILY + ", 1 <= k <= n - 1",
    "a token is a non-member with probability 1 - k/n, and then faces a k-set of the others",
    lambda F, d, k, n: float(quenched.expected_false_positives(masks_of(F, n, d), k)),
)


def nested(n: int) -> np.ndarray:
    """The family whose token i owns the first i + 1 of n bits, bool [n, n]."""
    return np.tri(n, dtype=bool)


NESTED = "1 <= k <= n <= 24; token i owns the first i + 1 of n bits"

NESTED_EXPECTED_FALSE_POSITIVES = Formula(
    "expected number of false positives of nested masks",
    k * (n - k) / (k + 1),
    "exact",
    NESTED,
    "the heaviest member covers every token below it, and its mean place is k (n+1)/(k+1)",
    lambda n, k: float(quenched.expected_false_positives(nested(n), k)),
)

NESTED_FAILURE_PROBABILITY = Formula(
    "failure probability of nested masks",
    1 - 1 / sp.binomial(n, k),
    "exact",
    NESTED,
    "only the k lightest tokens cover no other",
    lambda n, k: float(quenched.failure_probability(nested(n), k)),
)

# the formulas of a given family take it as an argument: tests/theory/test_quenched.py draws it
FORMULAS = (NESTED_EXPECTED_FALSE_POSITIVES, NESTED_FAILURE_PROBABILITY)
