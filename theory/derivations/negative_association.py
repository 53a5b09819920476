"""Two-sided bounds on the false-positive rate: why p^m overestimates, and by how much."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Rationals, Symbolic
from theory.derivations.derivation import Derivation, Point, Step, at_most, equal, points
from theory.formulas.false_positives import (
    AVOIDANCE,
    FALSE_POSITIVE_RATE,
    LOWER_BOUND,
    UPPER_BOUND,
    j,
)
from theory.formulas.softmax_output import MEAN_LEAKAGE, MEAN_LEAKAGE_BOUND
from theory.formulas.union_size import COVERAGE, UNION_SIZE_LAW, UNION_SIZE_MEAN
from theory.symbols import beta, d, k, m, n, p, q, s, w

false_positive_rate = sp.Symbol("FPR", positive=True)
slack = sp.Symbol("slack", integer=True, nonnegative=True)
rest = sp.Symbol("rest", integer=True, nonnegative=True)
given = sp.Symbol("a", integer=True, positive=True)
y = sp.Symbol("y", positive=True)
size = sp.Symbol("v", real=True)
F = sp.Function("F")(size)

RATE = {false_positive_rate: FALSE_POSITIVE_RATE.expression}
CONTAINED = sp.binomial(d - j, m - j) / sp.binomial(d, m)
MISSED_LAW = sp.binomial(given, s) * sp.binomial(d - given, m - given + s) / sp.binomial(d, m)

CODES = points(
    (k, d, m),
    ((k_, d_, m_) for k_ in (1, 2, 3, 5) for d_ in range(1, 7) for m_ in range(1, d_ + 1)),
)
LARGE_CODES = points((k, d, m), ((2, 30, 10), (4, 40, 7), (8, 64, 6), (3, 50, 25), (12, 90, 5)))
LEAKING = points(
    (n, k, d, m, beta),
    (
        (9, k_, d_, m_, sp.log(b))
        for k_ in (1, 3)
        for d_ in (4, 7)
        for m_ in (1, 2, 4)
        for b in (2, 9)
    ),
)


def up_to_six(symbol: sp.Symbol) -> tuple[Point, ...]:
    """The cases symbol = 1, ..., 6."""
    return points((symbol,), ((value,) for value in range(1, 7)))


def factorial_moment_sum(moment: sp.Expr) -> sp.Expr:
    """y^a times the sum of C(a, j) moment (1/y - 1)^j, for moment = P(j given bits are hit)."""
    return y**given * sp.Sum(sp.binomial(given, j) * moment * (1 / y - 1) ** j, (j, 0, given))


DERIVATION = Derivation(
    "negative_association",
    "Covered bits are negatively associated: both bounds on the false-positive rate",
    (
        Step(
            "Two given bits: one hash avoids both less often than independence would have it, "
            "so with $k$ hashes, too, their indicators have covariance $g_2^k - g_1^{2k} ≤ 0$",
            at_most(AVOIDANCE.subs(j, 2), AVOIDANCE.subs(j, 1) ** 2),
            Symbolic((sp.combsimp, sp.factor), domain={d: m + slack + 1}),
        ),
        Step(
            "For $m = 2$ this covariance is the whole distance between the rate and its upper "
            "bound",
            equal(
                UPPER_BOUND.expression - false_positive_rate,
                q**2 - AVOIDANCE.subs(j, 2) ** k,
            ),
            Symbolic((sp.combsimp, sp.expand, sp.simplify)),
            where=RATE | {m: sp.Integer(2)},
        ),
        Step(
            "For any $m$, by induction over the hashes. A hash with $j$ of its bits on given "
            "places holds a further given place with probability",
            equal(CONTAINED.subs(j, j + 1) / CONTAINED, (m - j) / (d - j)),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "which is at most $m/d$ (here for $j < m$; it is 0 from $j = m$ on). So $j$ given "
            "bits lie in one hash with probability at most $(m/d)^j$",
            at_most((m - j) / (d - j), m / d),
            Symbolic((sp.factor,), domain={d: m + slack, m: j + 1 + rest}),
        ),
        Step(
            "Of $a$ given bits the hash misses a random number. The mean of $y$ to that number, "
            "expanded in the chances that $j$ of them are hit (the binomial theorem and "
            "linearity of the mean, for every $a$; checked up to 6)",
            equal(
                sp.Sum(y**s * MISSED_LAW, (s, 0, given)),
                factorial_moment_sum(CONTAINED),
            ),
            Symbolic((sp.expand, sp.combsimp), cases=up_to_six(given)),
        ),
        Step(
            "For $0 < y ≤ 1$ every term is non-negative, so $(m/d)^j$ in place of the chance "
            "gives an upper bound, which the binomial theorem sums",
            equal(
                factorial_moment_sum((m / d) ** j),
                (y + m / d * (1 - y)) ** given,
            ),
            Symbolic((sp.expand,), cases=up_to_six(given)),
        ),
        Step(
            "If $k$ hashes cover $b$ given bits with probability at most $p^b$, for every $b$, "
            "then one more hash covers $a$ of them with at most the mean of $y$ to the number "
            "it misses, at $y = p$. The bound of the last step is then $p^a$ for $k + 1$ hashes",
            equal(y + m / d * (1 - y), p.subs(k, k + 1)),
            Symbolic((sp.expand, sp.powsimp, sp.simplify)),
            where={y: p},
        ),
        Step(
            "That proves the upper bound: a token's own $m$ bits are all covered with "
            "probability at most $p^m$. (Cited, and stronger: the bits of a uniform subset are "
            "negatively associated, and so are increasing functions of disjoint groups of "
            "independent such families, the covered bits; Joag-Dev & Proschan 1983.)",
            at_most(false_positive_rate, UPPER_BOUND.expression),
            Rationals(CODES + LARGE_CODES),
            where=RATE,
        ),
        Step(
            "The same expansion with $P(j bits covered) ≤ p^j$ and $y = e^{-β}$ bounds the mean "
            "leakage",
            at_most(MEAN_LEAKAGE.expression, MEAN_LEAKAGE_BOUND.expression),
            Rationals(LEAKING),
        ),
        Step(
            "For the lower bound, the coverage $f(w)$ is convex in the union's size",
            equal(
                sum(
                    sign * COVERAGE.expression.subs(w, w + shift)
                    for sign, shift in ((1, 2), (-2, 1), (1, 0))
                ),
                sp.binomial(w, m - 2) / sp.binomial(d, m),
            ),
            Symbolic((sp.combsimp,)),
        ),
        Step(
            "and so is the polynomial through it, the product that grows with $m$ by the factor",
            equal(COVERAGE.expression.subs(m, m + 1) / COVERAGE.expression, (w - m) / (d - m)),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "by induction on $m$: where $F$ is non-negative, increasing and convex and $v ≥ m$, "
            "so is the next product",
            equal(
                sp.Derivative(F * (size - m) / (d - m), (size, 2)),
                (F.diff(size, 2) * (size - m) + 2 * F.diff(size)) / (d - m),
            ),
            Symbolic(),
        ),
        Step(
            "The union's size is at least $m$ and its mean is $d p$",
            equal(sp.Sum(w * UNION_SIZE_LAW.expression, (w, m, d)), UNION_SIZE_MEAN.expression),
            Rationals(CODES),
        ),
        Step(
            "so by Jensen's inequality the rate is at least the polynomial's value at $d p$",
            at_most(LOWER_BOUND.expression, false_positive_rate),
            Rationals(CODES + LARGE_CODES),
            where=RATE,
        ),
        Step(
            "with equality for a single member, $k = 1$, whose union has a fixed size",
            equal(false_positive_rate, LOWER_BOUND.expression),
            Symbolic((sp.combsimp,), cases=up_to_six(m)),
            where=RATE | {k: sp.Integer(1)},
        ),
        Step(
            "The bounds coincide, and so catch the rate, at one bit per hash, $m = 1$,",
            equal(LOWER_BOUND.expression, UPPER_BOUND.expression),
            Symbolic(),
            where={m: sp.Integer(1)},
        ),
        Step(
            "and when every hash is full, $m = d$, where both are 1",
            equal(LOWER_BOUND.expression, UPPER_BOUND.expression),
            Symbolic(cases=up_to_six(d)),
            where={m: d},
        ),
    ),
)
