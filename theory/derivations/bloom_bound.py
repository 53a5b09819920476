"""From the law of the union to the Bloom-filter rate: exact sum, upper bound, classic formula."""

from __future__ import annotations

import sympy as sp

from theory.derivations.brute_force import EnumeratedFailure, EnumeratedRate
from theory.derivations.checks import Rationals, Series, Symbolic, remainder
from theory.derivations.derivation import Derivation, Step, at_most, equal, points
from theory.formulas.false_positives import (
    AVOIDANCE,
    CLASSIC,
    EVERY_FAILURE_IS_A_FALSE_POSITIVE,
    FAILURE_PROBABILITY,
    FALSE_POSITIVE_RATE,
    UPPER_BOUND,
    j,
)
from theory.formulas.union_size import COVERAGE, UNION_SIZE_LAW, UNION_SIZE_MEAN
from theory.symbols import d, k, m, n, q, w

false_positive_rate = sp.Symbol("FPR", positive=True)
failure_probability = sp.Symbol("P_fail", positive=True)
uncovered = sp.Symbol("u", integer=True, nonnegative=True)
one_coverage = sp.Symbol("f", positive=True)
others = sp.Symbol("N", integer=True, positive=True)
density = sp.Symbol("x", positive=True)
load = sp.Symbol("lambda", positive=True)
point = sp.Symbol("z", positive=True)
exponent = sp.Symbol("r", integer=True, positive=True)
inner = sp.Symbol("i", integer=True, nonnegative=True)

RATE = {false_positive_rate: FALSE_POSITIVE_RATE.expression}
FAILURE = {failure_probability: FAILURE_PROBABILITY.expression}
CODES = points(
    (k, d, m), ((k_, d_, m_) for k_ in (1, 2, 3) for d_ in range(1, 6) for m_ in range(1, d_ + 1))
)
MOMENTS = points(
    (k, d, m, j),
    ((2, 4, 2, 1), (2, 5, 3, 2), (3, 5, 2, 2), (3, 6, 2, 3), (4, 6, 1, 3), (3, 7, 3, 4)),
)
ENUMERABLE_CODES = points((k, d, m), ((1, 4, 2), (2, 4, 2), (2, 5, 2), (2, 5, 3), (3, 4, 3)))
ENUMERABLE_TASKS = points((n, k, d, m), ((3, 1, 4, 2), (4, 2, 4, 2), (4, 2, 5, 2), (5, 2, 4, 3)))
TASKS = points(
    (n, k, d, m), ((n_, k_, 5, m_) for k_ in (1, 2, 3) for n_ in (4, 9, 40) for m_ in (1, 2, 4))
)


def bernoulli_gap(count: sp.Expr) -> sp.Expr:
    """count f - [1 - (1 - f)^count], the slack of the union bound over `count` non-members."""
    return count * one_coverage - (1 - (1 - one_coverage) ** count)


DERIVATION = Derivation(
    "bloom_bound",
    "From the union of the hashes to the Bloom-filter rate",
    (
        Step(
            "A member's hash is a uniform $m$-subset of the $d$ bits, so it avoids one given "
            "bit with probability",
            equal(AVOIDANCE.subs(j, 1), 1 - m / d),
            Symbolic((sp.combsimp,)),
        ),
        Step(
            "The $k$ hashes are independent: all avoid the bit with probability $q = 1 - p$, "
            "and by linearity the mean size of the union is",
            equal(d * (1 - AVOIDANCE.subs(j, 1) ** k), UNION_SIZE_MEAN.expression),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "Avoiding one more bit after $j$ of them, a hash has $d - j$ bits left to choose "
            "from. The ratio of successive avoidance probabilities is",
            equal(AVOIDANCE.subs(j, j + 1) / AVOIDANCE, (d - j - m) / (d - j)),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "A token with $u$ bits of $d$ uncovered is a false positive when its hash avoids them, "
            "with probability $C(d - u, m)/C(d, m)$. To write that through factorial moments of "
            "$u$, take the powers of $1 - z$: the series of $(1 - z)^{-r}$ solves",
            equal(
                (1 - point) * sp.Derivative((1 - point) ** -exponent, point),
                exponent * (1 - point) ** -exponent,
            ),
            Symbolic((sp.powsimp, sp.simplify)),
        ),
        Step(
            "so its coefficients start at 1 and obey $(j + 1) c_{j+1} = (r + j) c_j$, as does "
            "$c_j = C(r + j - 1, j)$",
            equal(
                (j + 1) * sp.binomial(exponent + j, j + 1),
                (exponent + j) * sp.binomial(exponent + j - 1, j),
            ),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "Of $(1 - z)^u$ the coefficient is $(-1)^j C(u, j)$, of $(1 - z)^{-(d-m+1)}$ that of "
            "$z^{m-j}$ is $C(d - j, m - j)$, and of their product",
            equal(
                (1 - point) ** uncovered * (1 - point) ** -(d - m + 1),
                (1 - point) ** -(d - uncovered - m + 1),
            ),
            Symbolic((sp.powsimp, sp.simplify)),
        ),
        Step(
            "that of $z^m$ is $C(d - u, m)$, which is 0 where $u > d - m$ and the product is a "
            "polynomial of a lower degree (Vandermonde's convolution). With",
            equal(
                sp.binomial(m, j) / sp.binomial(d, j),
                sp.binomial(d - j, m - j) / sp.binomial(d, m),
            ),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "the sum over $j$ of the products of coefficients, over $C(d, m)$, is for every $m$",
            equal(
                COVERAGE.expression.subs(w, d - uncovered),
                sp.Sum(
                    (-1) ** j * sp.binomial(m, j) * sp.binomial(uncovered, j) / sp.binomial(d, j),
                    (j, 0, m),
                ),
            ),
            Symbolic((sp.combsimp,), cases=points((m,), ((m_,) for m_ in range(1, 6)))),
        ),
        Step(
            "The mean of $C(u, j)/C(d, j)$, with $u = d - W$, is the chance that all $k$ hashes "
            "avoid $j$ given bits, $g_j^k$. In the law of the union this is the binomial theorem, "
            "for $(1 - 1)^{d-j-i}$, after",
            equal(
                sp.binomial(d, w) * sp.binomial(d - w, j) * sp.binomial(w, inner),
                sp.binomial(d, j)
                * sp.binomial(d - j, inner)
                * sp.binomial(d - j - inner, w - inner),
            ),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "which leaves of the sum over $i$ the term $i = d - j$. As written, here evaluated,",
            equal(
                sp.Sum(
                    UNION_SIZE_LAW.expression * sp.binomial(d - w, j) / sp.binomial(d, j), (w, m, d)
                ),
                AVOIDANCE**k,
            ),
            Rationals(MOMENTS),
        ),
        Step(
            "So the mean of $f(W)$ over the union's law is the exact rate: at every size, by the "
            "steps above, and evaluated",
            equal(
                sp.Sum(UNION_SIZE_LAW.expression * COVERAGE.expression, (w, m, d)),
                FALSE_POSITIVE_RATE.expression,
            ),
            Rationals(CODES),
        ),
        Step(
            "It is the frequency of false positives over all hash families, counted one by one",
            equal(false_positive_rate, EnumeratedRate(k, d, m)),
            Rationals(ENUMERABLE_CODES),
            where=RATE,
        ),
        Step(
            "Treating the $m$ bits as if covered independently gives $p^m$, which is an upper "
            "bound (proved in the derivation negative_association)",
            at_most(false_positive_rate, UPPER_BOUND.expression),
            Rationals(CODES),
            where=RATE,
        ),
        Step(
            "With mean load $λ = k m/d$ held fixed and $k$ large, an uncovered bit is as likely "
            "as no arrival of a Poisson variable, up to order $1/k$",
            equal(
                q.subs(d, k * m / load),
                sp.exp(-load) * (1 - load**2 / (2 * k)) + remainder(k, 2),
            ),
            Series(k, 2),
        ),
        Step(
            "Dropping that correction turns $p^m$ into the classic rate",
            equal(
                sp.Limit(UPPER_BOUND.expression.subs(d, k * m / load), k, sp.oo),
                CLASSIC.expression.subs(d, k * m / load),
            ),
            Symbolic(),
        ),
        Step(
            "The classic rate lies below $p^m$, because $1 - x$ lies below $e^{-x}$ at $x = "
            "m/d$, by the integral of a non-negative function, and so $q$ below $e^{-k m/d}$",
            equal(
                sp.exp(-density) - (1 - density),
                sp.Integral(1 - sp.exp(-point), (point, 0, density)),
            ),
            Symbolic(),
        ),
        Step(
            "Given the union, $N$ non-members fail independently with $f = f(w)$. The slack of "
            "the union bound, $N f - [1 - (1 - f)^N]$, starts at 0 and obeys a recursion with "
            "non-negative terms (Bernoulli's inequality)",
            equal(
                bernoulli_gap(others + 1),
                (1 - one_coverage) * bernoulli_gap(others) + others * one_coverage**2,
            ),
            Symbolic((sp.expand, sp.powsimp, sp.expand)),
        ),
        Step(
            "Averaged over the union, one input fails with at most the expected number of false "
            "positives",
            at_most(failure_probability, EVERY_FAILURE_IS_A_FALSE_POSITIVE.expression),
            Rationals(TASKS),
            where=FAILURE,
        ),
        Step(
            "That failure probability, too, is what counting all hash families gives",
            equal(failure_probability, EnumeratedFailure(n, k, d, m)),
            Rationals(ENUMERABLE_TASKS),
            where=FAILURE,
        ),
    ),
)
