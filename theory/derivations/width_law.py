"""The width that a failure probability costs: the law, and the theorem behind it."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Rationals, Series, Symbolic, remainder
from theory.derivations.derivation import Derivation, Point, Step, at_most, equal, points, positive
from theory.formulas.false_positives import (
    CLASSIC,
    EXPECTED_FALSE_POSITIVES,
    FAILURE_PROBABILITY,
    UPPER_BOUND,
)
from theory.formulas.width import OPTIMAL_HASHES, WIDTH_LAW
from theory.symbols import N, d, epsilon, k, m, n, p
from theory.width import sufficient_code

slack = sp.Symbol("slack", integer=True, positive=True)
failure_probability = sp.Symbol("P_fail", positive=True)

BEST_CLASSIC = CLASSIC.expression.subs(m, OPTIMAL_HASHES.expression)
HALF_FULL_WIDTH = m / (1 - 2 ** (-1 / k))
TASKS = ((6, 2, "1/2"), (9, 1, "1/10"), (7, 3, "1/4"), (20, 2, "1/20"), (12, 4, "1"), (5, 2, "5/2"))


def sufficient_codes() -> tuple[Point, ...]:
    """Points with the rounded width and hash bits that the theorem prescribes."""
    rows = []
    for n_, k_, epsilon_ in TASKS:
        d_, m_ = sufficient_code(n_, k_, float(sp.Rational(epsilon_)))
        rows.append((n_, k_, d_, m_, sp.Rational(epsilon_)))
    return points((n, k, d, m, epsilon), rows)


DERIVATION = Derivation(
    "width_law",
    "The width that a failure probability costs",
    (
        Step(
            "At the best number of hash bits the classic rate loses the same factor with every "
            "bit of width",
            equal(sp.Derivative(sp.log(BEST_CLASSIC), d), -(sp.log(2) ** 2) / k),
            Symbolic(),
        ),
        Step(
            "so $N$ times that rate falls to $ε$ at exactly the width of the law",
            equal(N * BEST_CLASSIC, epsilon),
            Symbolic((sp.expand_log, sp.simplify)),
            where={d: WIDTH_LAW.expression},
        ),
        Step(
            "Without approximation: at width $m/(1 - 2^{-1/k})$ the exact fill is one half",
            equal(p, sp.Rational(1, 2)),
            Symbolic(),
            where={d: HALF_FULL_WIDTH},
        ),
        Step(
            "and with $m = log2(N/ε)$ hash bits the bound on the expected number of false "
            "positives is $ε$",
            equal(N * UPPER_BOUND.expression, epsilon),
            Symbolic(),
            where={d: HALF_FULL_WIDTH, m: sp.log(N / epsilon, 2)},
        ),
        Step(
            "Rounding keeps the guarantee. First $m$ up, so $N 2^{-m} ≤ ε$; then $d$ up for "
            "that $m$: the fill falls strictly with the width, for $m < d$, so it is at most "
            "one half",
            positive(-sp.Derivative(p, d)),
            Symbolic((sp.simplify, sp.factor), domain={d: m + slack}),
        ),
        Step(
            "and $N p^m ≤ N 2^{-m} ≤ ε$ bounds the exact expected number of false positives, "
            "here at the rounded sizes",
            at_most(EXPECTED_FALSE_POSITIVES.expression, epsilon),
            Rationals(sufficient_codes()),
        ),
        Step(
            "and with it the failure probability",
            at_most(failure_probability, epsilon),
            Rationals(sufficient_codes()),
            where={failure_probability: FAILURE_PROBABILITY.expression},
        ),
        Step(
            "The theorem's width per hash bit exceeds the law's $k/ln 2$ by about one half, "
            "whatever $k$",
            equal(
                1 / (1 - 2 ** (-1 / k)),
                k / sp.log(2) + sp.Rational(1, 2) + sp.log(2) / (12 * k) + remainder(k, 2),
            ),
            Series(k, 2),
        ),
    ),
)
