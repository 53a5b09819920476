"""What constant column weight buys: Bernoulli bits and draws with replacement, exactly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from itertools import product

import sympy as sp

from theory.derivations.checks import Rationals, Series, Symbolic, remainder
from theory.derivations.derivation import Derivation, Step, at_most, equal, points
from theory.enumerate import outcome_of
from theory.formulas.column_weight import (
    BERNOULLI_COVERAGE,
    BERNOULLI_EXPONENT,
    BERNOULLI_FAILURE_PROBABILITY,
    BERNOULLI_UNION_LAW,
    BERNOULLI_WIDTH_LAW,
    BEST_LOAD,
    MEMBER_LOAD,
    QUERIED_LOAD,
    ROOT,
    WITH_REPLACEMENT_EXPONENT,
    WITH_REPLACEMENT_FAILURE_PROBABILITY,
    WITH_REPLACEMENT_LOWER_BOUND,
    WITH_REPLACEMENT_RATE,
    WITH_REPLACEMENT_UNION_LAW,
)
from theory.formulas.false_positives import BERNOULLI_RATE
from theory.formulas.width import WIDTH_LAW
from theory.symbols import d, k, m, n, rho, w

queried = sp.Symbol("U", positive=True)
member = sp.Symbol("V", positive=True)
density = sp.Symbol("x", positive=True)
rate = sp.Symbol("FPR", positive=True)

RATE = {rate: WITH_REPLACEMENT_RATE.expression}
BEST_DENSITY = {rho: 1 / (k + 1)}
# a bin's loads are Poisson, U for the queried token and V for each member; e^U - 1 of it is a miss
PER_BIN = sp.exp(queried + k * member) - sp.exp(queried) + 1
EXPONENT = (
    (k + 1) * density
    + density * sp.log(queried / density)
    + k * density * sp.log(member / density)
    - sp.log(PER_BIN)
)
AT_SADDLE = {density: BEST_LOAD, queried: QUERIED_LOAD, member: MEMBER_LOAD}

FAMILIES = points(
    (n, k, d, rho),
    ((2, 1, 3, "1/3"), (3, 2, 2, "1/3"), (3, 1, 3, "2/5"), (4, 2, 2, "1/4"), (4, 3, 2, "1/7")),
)
DRAWS = points((n, k, d, m), ((2, 1, 3, 2), (3, 1, 3, 2), (3, 2, 3, 2), (4, 2, 2, 2), (3, 2, 2, 3)))
CODES = points((k, d, m), ((k_, d_, m_) for k_ in (1, 2, 3) for d_ in range(1, 5) for m_ in (1, 2)))
MEMBERS = points((k,), ((k_,) for k_ in range(1, 6)))
UNIONS = points((k, d, m, w), ((k_, 4, m_, w_) for k_ in (1, 2) for m_ in (2, 3) for w_ in (1, 3)))


@cache
def bernoulli_outcomes(n: int, k: int, d: int, rho: Fraction) -> tuple[Fraction, Fraction]:
    """(P_fail, FPR) over all 2^(n d) families of masks, each by its probability."""
    law: dict[int, Fraction] = defaultdict(Fraction)
    masks = [frozenset(b for b in range(d) if mask >> b & 1) for mask in range(2**d)]
    for family in product(masks, repeat=n):
        bits = sum(map(len, family))
        weight = rho**bits * (1 - rho) ** (n * d - bits)
        law[outcome_of(family, range(k)).false_positives] += weight
    return _failure_and_rate(law, n - k)


@cache
def drawn_outcomes(n: int, k: int, d: int, m: int) -> tuple[Fraction, Fraction]:
    """(P_fail, FPR) over all d^(n m) sequences of draws with replacement."""
    hashes = [frozenset(draws) for draws in product(range(d), repeat=m)]
    law = Counter(
        outcome_of(family, range(k)).false_positives for family in product(hashes, repeat=n)
    )
    return _failure_and_rate({x: Fraction(c, law.total()) for x, c in law.items()}, n - k)


def _failure_and_rate(law: Mapping[int, Fraction], non_members: int) -> tuple[Fraction, Fraction]:
    failure = sum(weight for x, weight in law.items() if x)
    return Fraction(failure), sum(x * weight for x, weight in law.items()) / Fraction(non_members)


class _Enumerated(sp.Function):
    """A name in a printed claim; at numbers, the exact value from every family."""

    @classmethod
    def eval(cls, *arguments: sp.Expr) -> sp.Expr | None:
        if not all(argument.is_Rational for argument in arguments):
            return None
        return sp.Rational(cls.value(*arguments))

    @staticmethod
    def value(n: sp.Rational, k: sp.Rational, d: sp.Rational, bits: sp.Rational) -> Fraction:
        """The value; bits is rho or m."""
        raise NotImplementedError


class EnumeratedBernoulliFailure(_Enumerated):
    """P_fail at (n, k, d, rho)."""

    @staticmethod
    def value(n: sp.Rational, k: sp.Rational, d: sp.Rational, bits: sp.Rational) -> Fraction:
        return bernoulli_outcomes(int(n), int(k), int(d), Fraction(str(bits)))[0]


class EnumeratedBernoulliRate(_Enumerated):
    """FPR at (n, k, d, rho)."""

    @staticmethod
    def value(n: sp.Rational, k: sp.Rational, d: sp.Rational, bits: sp.Rational) -> Fraction:
        return bernoulli_outcomes(int(n), int(k), int(d), Fraction(str(bits)))[1]


class EnumeratedDrawnFailure(_Enumerated):
    """P_fail at (n, k, d, m)."""

    @staticmethod
    def value(n: sp.Rational, k: sp.Rational, d: sp.Rational, bits: sp.Rational) -> Fraction:
        return drawn_outcomes(int(n), int(k), int(d), int(bits))[0]


class EnumeratedDrawnRate(_Enumerated):
    """FPR at (n, k, d, m)."""

    @staticmethod
    def value(n: sp.Rational, k: sp.Rational, d: sp.Rational, bits: sp.Rational) -> Fraction:
        return drawn_outcomes(int(n), int(k), int(d), int(bits))[1]


DERIVATION = Derivation(
    "column_weight",
    "What constant column weight buys",
    (
        Step(
            "Let every token own each of the $d$ bits independently with the same probability. "
            "A bit spoils a false positive when the token owns it and no member does, "
            "and no bit may. The rate is that of all families, counted one by one",
            equal(BERNOULLI_RATE.expression, EnumeratedBernoulliRate(n, k, d, rho)),
            Rationals(FAMILIES),
        ),
        Step(
            "It is the mean of the coverage by $w$ bits over the binomial law of the union",
            equal(
                sp.Sum(BERNOULLI_UNION_LAW.expression * BERNOULLI_COVERAGE, (w, 0, d)),
                BERNOULLI_RATE.expression,
            ),
            Rationals(FAMILIES),
        ),
        Step(
            "Given the union the non-members are independent, and the failure probability is "
            "that of all families, too",
            equal(
                BERNOULLI_FAILURE_PROBABILITY.expression, EnumeratedBernoulliFailure(n, k, d, rho)
            ),
            Rationals(FAMILIES),
        ),
        Step(
            "The rate is least where a bit spoils most often. The logarithmic derivative",
            equal(
                sp.Derivative(sp.log(rho * (1 - rho) ** k), rho),
                (1 - (k + 1) * rho) / (rho * (1 - rho)),
            ),
            Symbolic(),
        ),
        Step(
            "changes sign once, from plus to minus. The exponent there is",
            equal(-sp.log(BERNOULLI_RATE.expression) / d, BERNOULLI_EXPONENT.expression),
            Symbolic((sp.expand_log, sp.simplify), cases=MEMBERS),
            where=BEST_DENSITY,
        ),
        Step(
            "so that a nat of $N/ε$ costs a width of",
            equal(
                1 / BERNOULLI_EXPONENT.expression,
                sp.E * (k + sp.Rational(1, 2)) - sp.Rational(1, 2) + remainder(k, 1),
            ),
            Series(k, 1),
        ),
        Step(
            "against $k/(ln 2)^2$ with constant weight: for large $k$ more by the factor",
            equal(
                sp.Limit(BERNOULLI_WIDTH_LAW.expression / WIDTH_LAW.expression, k, sp.oo),
                sp.E * sp.log(2) ** 2,
            ),
            Symbolic((sp.expand_log, sp.simplify)),
        ),
        Step(
            "Now let every token draw $m$ bits with replacement. One more draw lies in a union "
            "of $w$ bits with probability $w/d$; the occupancy law of $k$ members obeys that",
            equal(
                WITH_REPLACEMENT_UNION_LAW.expression.subs(m, m + 1 / k),
                w / d * WITH_REPLACEMENT_UNION_LAW.expression
                + (d - w + 1) / d * WITH_REPLACEMENT_UNION_LAW.expression.subs(w, w - 1),
            ),
            Rationals(UNIONS),
        ),
        Step(
            "The rate is the mean of the coverage $(w/d)^m$; and so it is when all sequences of "
            "draws are looked at",
            equal(rate, EnumeratedDrawnRate(n, k, d, m)),
            Rationals(DRAWS),
            where=RATE,
        ),
        Step(
            "as is the failure probability",
            equal(
                WITH_REPLACEMENT_FAILURE_PROBABILITY.expression, EnumeratedDrawnFailure(n, k, d, m)
            ),
            Rationals(DRAWS),
        ),
        Step(
            "The coverage is convex in $w$, so its mean is at least its value at the mean union "
            "(Jensen): with replacement the simple formula is a lower bound",
            at_most(WITH_REPLACEMENT_LOWER_BOUND.expression, rate),
            Rationals(CODES),
            where=RATE,
        ),
        Step(
            "For large $d$ at $m = x d$ the loads of a bin are independent Poisson variables of "
            "mean $x$ for every token, given their totals. Means tilted to $U$ for the queried "
            "token and $V$ for each member give the exponent $I$ as the maximum over $U$ and $V$ "
            "of a function concave in their logarithms, then over $x$. Its slopes in $U$",
            equal(
                sp.Derivative(EXPONENT, queried),
                density / queried - (sp.exp(queried + k * member) - sp.exp(queried)) / PER_BIN,
            ),
            Symbolic(),
        ),
        Step(
            "in $V$",
            equal(
                sp.Derivative(EXPONENT, member),
                k * density / member - k * sp.exp(queried + k * member) / PER_BIN,
            ),
            Symbolic(),
        ),
        Step(
            "and in $x$",
            equal(
                sp.Derivative(EXPONENT, density),
                sp.log(queried * member**k / density ** (k + 1)),
            ),
            Symbolic((sp.expand_log, sp.simplify)),
        ),
        Step(
            "all vanish. The last gives $x$",
            equal(density ** (k + 1), queried * member**k),
            Symbolic((sp.powsimp, sp.simplify), cases=MEMBERS),
            where=AT_SADDLE,
        ),
        Step(
            "the first two, divided by each other, $U$, with $y = e^{-k V}$",
            equal(1 - sp.exp(-k * member), member / queried),
            Symbolic(),
            where=AT_SADDLE,
        ),
        Step(
            "and the second the equation for $y$, its right side divided by its left",
            equal(
                density * PER_BIN / (member * sp.exp(queried + k * member)),
                ROOT.lhs / ROOT.rhs,
            ),
            Symbolic((sp.expand, sp.simplify), cases=MEMBERS),
            where=AT_SADDLE,
        ),
        Step(
            "The exponent is",
            equal(EXPONENT, WITH_REPLACEMENT_EXPONENT.expression),
            Symbolic((sp.expand_log, sp.simplify), cases=MEMBERS),
            where=AT_SADDLE,
        ),
    ),
)
