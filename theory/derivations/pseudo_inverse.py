"""The pseudo-inverse readout of a Gaussian W_U: its false positives and the width they cost."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Digits, Series, Symbolic, remainder
from theory.derivations.derivation import Derivation, Step, at_most, equal, points, positive
from theory.formulas.pseudo_inverse import (
    EXPECTED_FALSE_POSITIVES,
    FAILURE_PROBABILITY,
    FALSE_POSITIVE_RATE,
    REFINED_WIDTH_LAW,
    SLOPE,
    SUFFICIENT_WIDTH,
    UPPER_BOUND,
    chi_density,
    normal_tail,
    r,
    student_density,
    z,
)
from theory.symbols import N, d, epsilon, k, n

degrees = sp.Symbol("nu", positive=True)
square = sp.Symbol("X", positive=True)
U, ones = sp.MatrixSymbol("U_S", 2, 3), sp.MatrixSymbol("1", 2, 1)
first, second = sp.MatrixSymbol("v_1", 1, 3), sp.MatrixSymbol("v_2", 1, 3)
h = sp.MatrixSymbol("h", 3, 1)

# two members in three dimensions, in coordinates whose first axis is the first row's
length, *entries = sp.symbols("a b c e", real=True)
ROWS = sp.ImmutableMatrix([[length, 0, 0], entries])
GIVEN = {U: ROWS, ones: sp.ones(2, 1).as_immutable()}
SHORTEST = {h: U.T * (U * U.T) ** -1 * ones} | GIVEN
SUM_AND_DIFFERENCE = {
    first: (ROWS[0, :] + ROWS[1, :]) / sp.sqrt(2),
    second: (ROWS[0, :] - ROWS[1, :]) / sp.sqrt(2),
}

SIZES = points((k, d), ((1, 1), (1, 9), (2, 5), (3, 12), (5, 5), (8, 40)))
TASKS = points((n, k, d), ((9, 2, 6), (40, 3, 15), (200, 1, 12)))
LARGE_WIDTHS = tuple(range(240, 1200, 24))
WIDTHS = points((n, k, epsilon), ((9, 2, "1/10"), (1000, 4, "1/50"), (50, 1, "1/3")))


def incomplete_beta(nu: sp.Expr) -> sp.Expr:
    """I_{k/(k+1)}(nu/2, 1/2) / 2."""
    shape = nu / 2, sp.Rational(1, 2)
    return sp.betainc(*shape, 0, k / (k + 1)) / sp.beta(*shape) / 2


DERIVATION = Derivation(
    "pseudo_inverse",
    "The pseudo-inverse readout of a Gaussian matrix",
    (
        Step(
            "Every member's logit is 1 at $h$ (here $k = 2$, $d = 3$, the first row along the "
            "first axis); it is in the row space of $U_S$, hence the shortest such vector",
            equal(U * h, ones),
            Symbolic((sp.cancel,)),
            where=SHORTEST,
        ),
        Step(
            "Its squared length",
            equal(h.T * h, ones.T * (U * U.T) ** -1 * ones),
            Symbolic((sp.cancel,)),
            where=SHORTEST,
        ),
        Step(
            "Rotate the members' rows, among tokens, so that $v_1$ is their sum over $k^{1/2}$. "
            "Rotated Gaussian rows are Gaussian rows, and $k/|h|^2$ is the squared distance of "
            "$v_1$ from the span of the other $k - 1$; that is chi-square with $d - k + 1$ degrees "
            "of freedom",
            equal(
                (ones.T * (U * U.T) ** -1 * ones) ** -1,
                (first * first.T - (first * second.T) ** 2 * (second * second.T) ** -1) / 2,
            ),
            Symbolic((sp.cancel,)),
            where=GIVEN | SUM_AND_DIFFERENCE,
        ),
        Step(
            "A non-member's row is independent of $h$: given $|h| = k^{1/2}/r$ its logit is "
            "normal with that deviation and reaches 1 with probability $Q(r/k^{1/2})$. Averaged "
            "over $r$, a normal over an independent chi: Student's $t$",
            equal(
                FALSE_POSITIVE_RATE.expression,
                sp.Integral(chi_density(d - k + 1) * normal_tail(r / sp.sqrt(k)), (r, 0, sp.oo)),
            ),
            Digits(SIZES),
        ),
        Step(
            "As an incomplete beta function",
            equal(
                FALSE_POSITIVE_RATE.expression,
                incomplete_beta(d - k + 1),
            ),
            Digits(SIZES),
        ),
        Step(
            "At $d = k$ that is elementary, and a random non-member is a false positive almost "
            "every second time",
            equal(
                sp.Integral(student_density(sp.Integer(1)), (z, 1 / sp.sqrt(k), sp.oo)),
                sp.atan(sp.sqrt(k)) / sp.pi,
            ),
            Digits(points((k,), ((1,), (2,), (7,), (100,)))),
        ),
        Step(
            "Given $h$ the $N$ non-members are independent, so the failure probability averages "
            "$1 - (1 - Q)^N$ and is at most the expected number",
            at_most(FAILURE_PROBABILITY.expression, EXPECTED_FALSE_POSITIVES.expression),
            Digits(TASKS),
        ),
        Step(
            "A bound: $Q(x) ≤ e^{-x^2/2}/2$, whose average over chi-square $X$ is",
            equal(
                sp.Integral(
                    square ** (degrees / 2 - 1)
                    * sp.exp(-square / 2)
                    / (2 ** (degrees / 2) * sp.gamma(degrees / 2))
                    * sp.exp(-square / (2 * k))
                    / 2,
                    (square, 0, sp.oo),
                ),
                (1 + 1 / k) ** (-degrees / 2) / 2,
            ),
            Symbolic(),
        ),
        Step(
            "so that",
            at_most(EXPECTED_FALSE_POSITIVES.expression, UPPER_BOUND.expression),
            Digits(TASKS),
        ),
        Step(
            "At the sufficient width that bound is $ε$",
            equal(UPPER_BOUND.expression, epsilon),
            Symbolic((sp.expand_log, sp.simplify)),
            where={d: SUFFICIENT_WIDTH.expression},
        ),
        Step(
            "and a factor of $e$ in $N/ε$ costs less than $2 k + 1$ of width, because "
            "$ln(1 + 1/k)$ exceeds $2/(2 k + 1)$: both vanish for large $k$, and their difference "
            "falls",
            positive(-sp.Derivative(sp.log(1 + 1 / k) - 2 / (2 * k + 1), k)),
            Symbolic((sp.simplify, sp.factor)),
        ),
        Step(
            "by little: the width per nat is",
            equal(-1 / SLOPE.expression, 2 * k + 1 - 1 / (6 * k) + remainder(k, 2)),
            Series(k, 2, terms=7),
        ),
        Step(
            "The bound is wasteful by a factor of order $(k/d)^{1/2}$: the incomplete beta "
            "function's leading term, in the $nu = d - k + 1$ degrees of freedom, is",
            equal(
                sp.Limit(
                    sp.sqrt(degrees) * (1 + 1 / k) ** (degrees / 2) * incomplete_beta(degrees),
                    degrees,
                    sp.oo,
                ),
                sp.sqrt((k + 1) / (2 * sp.pi)),
            ),
            Digits(points((k,), ((1,), (2,), (5,))), limit=LARGE_WIDTHS),
        ),
        Step(
            "and the refined law makes $N$ times that leading term equal to $ε$",
            equal(
                N * (1 + 1 / k) ** (-degrees / 2) * sp.sqrt((k + 1) / (2 * sp.pi * degrees)),
                epsilon,
            ),
            Digits(WIDTHS),
            where={degrees: REFINED_WIDTH_LAW.expression - k + 1},
        ),
    ),
)
