"""Random signs read by rank, without a layer: the closed bound, and the exact exponent."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import sympy as sp

from theory.derivations.checks import Digits, Rationals, Series, Symbolic, remainder
from theory.derivations.derivation import Derivation, Step, at_most, equal, points
from theory.formulas.converses import COORDINATE_FACTOR, PAIR_RATE
from theory.symbols import N, d, epsilon, k, t

z = sp.Symbol("z", positive=True)
s = sp.Symbol("s", positive=True)
D = sp.Symbol("D", integer=True, nonnegative=True)
slack = sp.Symbol("slack", integer=True, nonnegative=True)
pair = sp.Symbol("P_pair", positive=True)

# ln of the factor per differing coordinate
LOG_FACTOR = -(k * sp.log(k / (k - 1)) + (k - 2) * sp.log((k - 2) / (k - 1))) / 2

TINY_CODES = points((k, d), ((1, 2), (2, 1), (2, 3), (3, 2), (4, 2)))
CODES = points((k, d), ((2, 5), (2, 30), (3, 12), (5, 20), (8, 25)))


class EnumeratedPair(sp.Function):
    """P(pair) at (k, d): over all signs of a member, a non-member and the other members."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        k, d = map(int, sizes)
        signs = list(product((-1, 1), repeat=d))
        reached = cases = 0
        for member, other, *rest in product(signs, repeat=k + 1):
            total = [sum(column) for column in zip(member, *rest, strict=True)]
            gap = sum((a - b) * x for a, b, x in zip(member, other, total, strict=True))
            reached += gap <= 0
            cases += 1
        return sp.Rational(Fraction(reached, cases))


DERIVATION = Derivation(
    "ranked_code",
    "Random signs read by rank: finding the set costs no power of the error, and no layer",
    (
        Step(
            "A member $i$ and a non-member $j$ differ in $D$ coordinates, $D$ being binomial. "
            "There the member's own vector adds $2 D/d$ to $y_i - y_j$, and each of the other $k - "
            "1$ members adds $D$ signs times $2/d$. The non-member reaches the member where $(k - "
            "1) D$ signs sum to at most $-D$; and so it is when all signs are looked at",
            equal(PAIR_RATE.expression, EnumeratedPair(k, d)),
            Rationals(TINY_CODES),
        ),
        Step(
            "Given $D$ that has probability at most $e^{-t D} cosh(t)^{(k-1) D}$ for every "
            "positive $t$, and $cosh t ≤ e^{t^2/2}$. The logarithm, at the best $t$ of that,",
            equal((k - 1) * D * t**2 / 2 - t * D, -D / (2 * (k - 1))),
            Symbolic(),
            where={t: 1 / (k - 1)},
        ),
        Step(
            "The mean of $z^D$ over the binomial law is, by the binomial theorem,",
            equal(
                sp.Sum(sp.binomial(d, D) * z**D, (D, 0, d)) / 2**d,
                ((1 + z) / 2) ** d,
            ),
            Symbolic((sp.expand,), cases=points((d,), ((d_,) for d_ in range(1, 7)))),
        ),
        Step(
            "here with $z = e^{-s}$ and $s = 1/(2(k - 1))$, where",
            equal(sp.log((1 + sp.exp(-s)) / 2), -s / 2 + sp.log(sp.cosh(s / 2))),
            Digits(points((s,), (("1/2",), ("1/6",), (1,), (3,)))),
        ),
        Step(
            "is at most $-s/2 + s^2/8$, again by $cosh t ≤ e^{t^2/2}$, and so at most $-1/(4k)$",
            at_most(-s / 2 + s**2 / 8, -1 / (4 * k)),
            Symbolic((sp.factor,), domain={k: 2 + slack}),
            where={s: 1 / (2 * (k - 1))},
        ),
        Step(
            "So $P(pair) ≤ e^{-d/(4k)}$ at every size,",
            at_most(pair, sp.exp(-d / (4 * k))),
            Digits(CODES),
            where={pair: PAIR_RATE.expression},
        ),
        Step(
            "and a union bound over $k N$ pairs makes $P_fail$ at most $ε$ at the width",
            equal(k * N * sp.exp(-d / (4 * k)), epsilon),
            Symbolic(),
            where={d: 4 * k * sp.log(k * N / epsilon)},
        ),
        Step(
            "The exponent itself, by Cramer's theorem: the best $t$ of $e^{-t} cosh(t)^{k-1}$ "
            "solves $tanh t = 1/(k - 1)$, and leaves",
            equal(-t + (k - 1) * sp.log(sp.cosh(t)), LOG_FACTOR),
            Digits(points((k,), ((3,), (4,), (8,), (30,)))),
            where={t: sp.atanh(1 / (k - 1))},
        ),
        Step(
            "the logarithm of",
            equal(sp.exp(LOG_FACTOR), COORDINATE_FACTOR),
            Digits(points((k,), ((3,), (4,), (8,), (30,)))),
        ),
        Step(
            "per differing coordinate. In place of $z$ above this bounds $P(pair)$, with the right "
            "exponent, as one pair bounds $P_fail$ from below. For $k = 2$ it is exact",
            equal(PAIR_RATE.expression.subs(k, 2), sp.Rational(3, 4) ** d),
            Rationals(points((d,), ((1,), (2,), (3,), (7,), (12,)))),
        ),
        Step(
            "and for many members the exponent is that of the closed bound",
            equal(sp.log((1 + sp.exp(LOG_FACTOR)) / 2), -1 / (4 * k) + remainder(k, 2)),
            Series(k, 2),
        ),
    ),
)
