"""The number of hash bits that minimises the classic rate, and why the union is then half full."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Symbolic
from theory.derivations.derivation import Derivation, Step, equal, positive
from theory.formulas.false_positives import CLASSIC
from theory.formulas.width import OPTIMAL_HASHES
from theory.symbols import d, k, m

empty = sp.Symbol("z", positive=True)
odds = sp.Symbol("v", positive=True)
dummy = sp.Symbol("y", positive=True)

LOG_CLASSIC = sp.log(CLASSIC.expression)
SYMMETRIC = sp.log(empty) * sp.log(1 - empty)
BEST = {m: OPTIMAL_HASHES.expression}
INTERIOR = {empty: 1 / (1 + odds)}
SECOND_DERIVATIVE_TERMS = (
    (empty / (1 - empty) + sp.log(1 - empty)) / empty**2,
    ((1 - empty) / empty + sp.log(empty)) / (1 - empty) ** 2,
)


def expand_logs(expression: sp.Expr) -> sp.Expr:
    """Logarithms of products, quotients and powers of positive numbers, taken apart."""
    return sp.expand(sp.expand_log(sp.together(expression)))


def together_in_logs(expression: sp.Expr) -> sp.Expr:
    """Every logarithm's argument as one fraction."""
    return expression.replace(sp.log, lambda argument: sp.log(sp.together(argument)))


DERIVATION = Derivation(
    "optimal_hashes",
    "The number of hash bits that minimises the classic rate",
    (
        Step(
            "Let $z = e^{-k m/d}$ be the share of bits left empty, so $m = -(d/k) ln z$. The "
            "classic rate becomes",
            equal(LOG_CLASSIC, -d / k * SYMMETRIC),
            Symbolic((together_in_logs, expand_logs, sp.simplify), domain=INTERIOR),
            where={m: -d / k * sp.log(empty)},
        ),
        Step(
            "which exchanging empty and full leaves as it is. Its derivative changes sign with "
            "the exchange",
            equal(
                sp.Derivative(SYMMETRIC, empty),
                sp.log(1 - empty) / empty - sp.log(empty) / (1 - empty),
            ),
            Symbolic(),
        ),
        Step(
            "so a half-full union is stationary",
            equal(sp.Derivative(SYMMETRIC, empty), 0),
            Symbolic(),
            where={empty: sp.Rational(1, 2)},
        ),
        Step(
            "It is the only stationary point, because $ln z ln(1-z)$ is strictly concave: its "
            "second derivative is minus the sum of two terms",
            equal(sp.Derivative(SYMMETRIC, (empty, 2)), -sum(SECOND_DERIVATIVE_TERMS)),
            Symbolic(),
        ),
        Step(
            "both positive, since with $v = z/(1-z)$, or its inverse, each has a numerator of "
            "the form",
            equal(odds - sp.log(1 + odds), sp.Integral(dummy / (1 + dummy), (dummy, 0, odds))),
            Symbolic(),
        ),
        Step(
            "Back in $m$: the derivative of the log rate vanishes at $m = (d/k) ln 2$",
            equal(sp.Derivative(LOG_CLASSIC, m), 0),
            Symbolic(),
            where=BEST,
        ),
        Step(
            "where the second derivative is positive, a minimum",
            positive(sp.Derivative(LOG_CLASSIC, (m, 2))),
            Symbolic((sp.simplify, sp.factor)),
            where=BEST,
        ),
        Step(
            "There a bit of the union is set with probability one half",
            equal(CLASSIC.expression ** (1 / m), sp.Rational(1, 2)),
            Symbolic(),
            where=BEST,
        ),
        Step(
            "and each hash bit halves the rate: the classic rate is $2^{-m}$",
            equal(CLASSIC.expression, 2**-m),
            Symbolic(),
            where=BEST,
        ),
    ),
)
