"""How fast false positives vanish at fixed k: the saddle point, and its expansion in 1/k."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Digits, Rationals, Series, Symbolic, remainder
from theory.derivations.derivation import Derivation, Point, Step, at_most, equal, points
from theory.formulas.false_positives import FALSE_POSITIVE_RATE
from theory.formulas.union_size import UNION_SIZE_LAW
from theory.formulas.width import (
    OPTIMAL_HASHES_EXPANSION,
    RATE_FUNCTION,
    SADDLE_POINT,
    density,
    member_tilt,
)
from theory.symbols import d, k, m, p, w

x, b = density, member_tilt
a = sp.Symbol("a", positive=True)
Z = sp.Symbol("Z", positive=True)
u = sp.Symbol("u", positive=True)
v, v_1, v_2 = sp.symbols("v v_1 v_2", positive=True)
V = sp.Symbol("V", positive=True)
i = sp.Symbol("i", integer=True, nonnegative=True)
j = sp.Symbol("j", integer=True, nonnegative=True)
new = sp.Symbol("s", integer=True, nonnegative=True)
load = sp.Symbol("lambda", positive=True)
mu = sp.Symbol("mu", positive=True)
odds = sp.Symbol("r", positive=True)
rate = sp.Symbol("I", positive=True)
false_positive_rate = sp.Symbol("FPR", positive=True)

LN2 = sp.log(2)
RATE = {false_positive_rate: FALSE_POSITIVE_RATE.expression}
ONE_BIT = (1 + u) * (1 + v) ** k - u


def entropy(of: sp.Expr) -> sp.Expr:
    """Binary entropy, nats."""
    return -of * sp.log(of) - (1 - of) * sp.log(1 - of)


ENTROPY = entropy(x)
# minus ln of one bit's share of the bound on the rate, at tilts a and b of the tokens' bits
EXPONENT = (
    x * sp.log(a / (1 - a))
    + k * x * sp.log(b / (1 - b))
    - sp.log(Z / ((1 - a) * (1 - b) ** k))
    + (k + 1) * ENTROPY
)
ALLOWED = 1 - a * (1 - b) ** k
QUERY_TILT = b / (1 - (1 - b) ** k)
# the chance that a hash adds `new` bits to a union of w
STEP = sp.binomial(w, m - new) * sp.binomial(d - w, new) / sp.binomial(d, m)
# under the tilted law, a bit free of the first i members: its share, and that of bits allowed
FREE_SHARE = 1 - a * (1 - b) ** (k - i)
FREE = (1 - b) ** i * FREE_SHARE / Z
# minus ln of the path's share of the rate, per bit
PATH_EXPONENT = (
    (k + 1) * ENTROPY
    - sp.Sum((1 - FREE) * entropy(b) + FREE * entropy(b / FREE_SHARE), (i, 0, k - 1))
    - (1 - FREE.subs(i, k)) * entropy(a)
)
AT_ROOT = {rate: RATE_FUNCTION.expression}
SADDLE = {x: b / Z, Z: ALLOWED, a: QUERY_TILT}
# the rate times k at mean load lambda = k x, in powers of 1/k; r are the odds that a bit is empty
LEADING = -load * sp.log(1 - sp.exp(-load))
FIRST_ORDER = load**3 * (odds**2 - odds) / 2
SECOND_ORDER = load**4 * (
    load * (odds - 3 * odds**2 + 4 * odds**4) / 8 - (2 * odds - 3 * odds**2 + 2 * odds**3) / 6
)
EXPANSION = LEADING + FIRST_ORDER / k + SECOND_ORDER / k**2
EMPTY_ODDS = {odds: 1 / (sp.exp(load) - 1)}
BEST_LOAD = {load: sp.expand(k / d * OPTIMAL_HASHES_EXPANSION.expression)}

SMALL_CODES = points(
    (k, d, m, u, v),
    (
        (*code, *tilt)
        for code in ((1, 4, 2), (2, 5, 2), (2, 9, 3), (3, 8, 2), (5, 7, 1))
        for tilt in (("1/2", "1/3"), ("2", "1/4"), ("1/5", "1"))
    ),
)
WEIGHTS = points((d, m), ((d_, m_) for d_ in (2, 3, 5, 8, 40) for m_ in range(1, d_)))


def saddle_points(sizes: tuple[tuple[int, str], ...]) -> tuple[Point, ...]:
    """Points (k, x, b) with b the root of SADDLE_POINT in (0, x), to 120 digits."""
    rows = []
    for k_, x_ in sizes:
        values = {k: sp.Integer(k_), x: sp.Rational(x_)}
        residual = (SADDLE_POINT.lhs - SADDLE_POINT.rhs).subs(values)
        bracket = (values[x] / 1000, values[x])
        root = sp.nsolve(residual, b, bracket, solver="anderson", prec=120, verify=False)
        rows.append((values[k], values[x], root))
    return points((k, x, b), rows)


def saddle_codes() -> tuple[Point, ...]:
    """Points (k, d, m, x, b) with x = m/d and b the root of SADDLE_POINT."""
    roots = saddle_points(((2, "1/3"), (2, "2/3"), (3, "1/4"), (5, "1/8")))
    return tuple(
        {k: at[k], d: sp.Integer(d_), m: at[x] * d_} | {x: at[x], b: at[b]}
        for at in roots
        for d_ in (24, 72)
    )


def expand_logs_of_positive(expression: sp.Expr) -> sp.Expr:
    """Logarithms of products and quotients taken apart; every factor is positive on the domain."""
    return sp.expand(sp.expand_log(expression, force=True))


DERIVATION = Derivation(
    "rate_function",
    "The exponential rate of false positives and its expansion in 1/k",
    (
        Step(
            "Count hash families of a query and $k$ members in which no bit belongs to the "
            "query and to no member: one bit contributes $(1 + u)(1 + v_1)...(1 + v_k) - u$, "
            "and the count is the coefficient of $u^m v_1^m ... v_k^m$ in its $d$-th power. "
            "With $V$ the product of the $1 + v_i$, the coefficient of $u^i$ is",
            equal(
                ((1 + u) * V - u) ** d,
                sp.Sum(
                    sp.binomial(d, i)
                    * u**i
                    * sp.Sum((-1) ** j * sp.binomial(i, j) * V ** (d - j), (j, 0, i)),
                    (i, 0, d),
                ),
            ),
            Symbolic((sp.expand,), cases=points((d,), ((d_,) for d_ in range(1, 7)))),
        ),
        Step(
            "and $V^{d-j}$ contributes $C(d-j, m)$ once per member. Divided by all $C(d, "
            "m)^{k+1}$ families this is the exact rate; for $k = 2$, coefficients as "
            "derivatives at 0,",
            equal(
                sp.Derivative(
                    ((1 + u) * (1 + v_1) * (1 + v_2) - u) ** d, (u, m), (v_1, m), (v_2, m)
                )
                / (sp.factorial(m) * sp.binomial(d, m)) ** 3,
                false_positive_rate,
            ),
            Symbolic((), cases=points((d, m), ((2, 1), (3, 1), (3, 2), (4, 2), (5, 2)))),
            where=RATE
            | {k: sp.Integer(2), u: sp.Integer(0), v_1: sp.Integer(0), v_2: sp.Integer(0)},
        ),
        Step(
            "All coefficients are non-negative, so each is at most the polynomial over its "
            "monomial, at any positive $u$ and $v_1 = ... = v_k = v$",
            at_most(
                false_positive_rate,
                ONE_BIT**d / (u**m * v ** (k * m) * sp.binomial(d, m) ** (k + 1)),
            ),
            Rationals(SMALL_CODES),
            where=RATE,
        ),
        Step(
            "In terms of probabilities $a = u/(1 + u)$ and $b = v/(1 + v)$, tilts of the "
            "query's and the members' bits, one bit is allowed with probability $Z$",
            equal(ONE_BIT, Z / ((1 - a) * (1 - b) ** k)),
            Symbolic(domain={b: 1 / (1 + odds)}),
            where={Z: ALLOWED, u: a / (1 - a), v: b / (1 - b)},
        ),
        Step(
            "$C(d, m)$ is $e^{d H(x)}$ for the entropy $H$ of $x = m/d$, up to a factor $d + "
            "1$: the binomial law with mean $m$ is largest at $m$",
            at_most(d**d / (m**m * (d - m) ** (d - m) * (d + 1)), sp.binomial(d, m)),
            Rationals(WEIGHTS),
        ),
        Step(
            "Hence $ln FPR ≤ -d E(a, b) + (k + 1) ln (d + 1)$ with the exponent $E$ below, for "
            "every $a$ and $b$. The best are found from its slopes. In the query's tilt: the "
            "tilted query must have the true weight $x$",
            equal(
                a * (1 - a) * sp.Derivative(EXPONENT.subs(Z, ALLOWED), a),
                x - a * (1 - (1 - b) ** k) / ALLOWED,
            ),
            Symbolic(),
        ),
        Step(
            "and in the members' tilt, likewise ($E$ is concave in $ln u$ and $ln v$, so this "
            "is its maximum)",
            equal(b * (1 - b) * sp.Derivative(EXPONENT.subs(Z, ALLOWED), b), k * (x - b / ALLOWED)),
            Symbolic((sp.simplify, sp.factor, sp.simplify)),
        ),
        Step(
            "The two conditions, $x Z = a [1 - (1 - b)^k]$ and $x Z = b$, leave one equation in "
            "$b$",
            equal(SADDLE_POINT.lhs, SADDLE_POINT.rhs),
            Symbolic(),
            where=SADDLE,
        ),
        Step(
            "at whose root the exponent is the rate function $I(x)$",
            equal(EXPONENT, rate),
            Symbolic((expand_logs_of_positive, sp.simplify)),
            where=AT_ROOT | {Z: b / x, a: QUERY_TILT},
        ),
        Step(
            "so $ln FPR ≤ -d I + (k + 1) ln (d + 1)$ at every size",
            at_most(sp.log(false_positive_rate), (k + 1) * sp.log(d + 1) - d * rate),
            Digits(saddle_codes()),
            where=RATE | AT_ROOT,
        ),
        Step(
            "For the other half, add the members' hashes one by one and follow the union's size "
            "$w$. A hash with $s$ new bits takes them among the $d - w$ others, so the law of the "
            "union after one more hash sums over its sizes before",
            equal(
                UNION_SIZE_LAW.expression.subs(k, k + 1),
                sp.Sum(
                    STEP.subs(w, w - new) * UNION_SIZE_LAW.expression.subs(w, w - new),
                    (new, 0, m),
                ),
            ),
            Rationals(
                points(
                    (k, d, m, w),
                    (
                        (k_, d_, m_, w_)
                        for k_ in (1, 2, 4)
                        for d_, m_ in ((5, 2), (9, 3))
                        for w_ in range(2 * m_, d_ + 1)
                    ),
                )
            ),
        ),
        Step(
            "The rate is then a sum over paths of sizes, at least its term for any one path. The "
            "path to take is that of the tilted law, in which a bit stays free of the first $i$ "
            "members with probability $(1 - b)^i D_i/Z$, $D_i = 1 - a (1 - b)^{k-i}$. It starts at "
            "1, and ends where the query's tilt is its share $x$ of the union,",
            equal(x / (1 - FREE.subs(i, k)), a),
            Symbolic((sp.factor, sp.powsimp, sp.simplify)),
            where=SADDLE,
        ),
        Step(
            "and in every step a member owns a free bit with probability $b/D_i$, a bit of the "
            "union with probability $b$, and $x d$ bits in all",
            equal((1 - FREE) * b + FREE * b / FREE_SHARE, x),
            Symbolic((sp.simplify,)),
            where=SADDLE,
        ),
        Step(
            "The binomials on that path are $e^{d H}$ with the entropies $H$ of these shares, up "
            "to a factor $d + 1$ each, so that $ln FPR ≥ -d J - 2 k ln(d + 1)$ (sizes rounded to "
            "integers move $d J$ by a constant, its slopes being bounded). The chain rule of "
            "entropy says what the exponent $J$ is: all bits' patterns have the tilted law's "
            "entropy, which is that of one $E$ was the logarithm of",
            equal(PATH_EXPONENT, rate),
            Digits(
                saddle_points(((2, "1/3"), (2, "1/2"), (3, "1/4"), (4, "1/6"), (6, "1/12"))),
            ),
            where=AT_ROOT | {Z: b / x, a: QUERY_TILT},
        ),
        Step(
            "so the two halves meet, and $I$ is the exponent: $ln FPR ≥ -d I - 2 k ln(d + 1)$",
            at_most(-d * rate - 2 * k * sp.log(d + 1), sp.log(false_positive_rate)),
            Digits(saddle_codes()),
            where=RATE | AT_ROOT,
        ),
        Step(
            "For one member the root degenerates to $b = 0$, $a = 1$ with $x Z = b$, and the "
            "rate is the binary entropy, as it must for $FPR = 1/C(d, m)$",
            equal(
                sp.Limit(EXPONENT.subs({k: 1, Z: b / x, a: 1 - b * (1 - x) / x}), b, 0, "+"),
                ENTROPY,
            ),
            Symbolic((expand_logs_of_positive, sp.simplify), domain={x: 1 / (1 + odds)}),
        ),
        Step(
            "Many members: at mean load $λ = k x$ the rate is the classic one plus corrections "
            "in $1/k$, found along the root $b = μ/k$",
            equal(k * rate, EXPANSION + remainder(k, 3)),
            Series(k, 3),
            where=AT_ROOT | EMPTY_ODDS | {load: k * x} | SADDLE | {b: mu / k},
        ),
        Step(
            "The best load, where the expansion is stationary, lies below $ln 2$ by a term in "
            "$1/k$",
            equal(
                sp.Derivative((LEADING + FIRST_ORDER / k).subs(EMPTY_ODDS), load), remainder(k, 2)
            ),
            Series(k, 2),
            where=BEST_LOAD,
        ),
        Step(
            "There the first correction cancels, so the best rate is the classic $(ln 2)^2/k$ "
            "times $κ = 1 + 0.191/k^2$",
            equal(
                EXPANSION / LN2**2,
                1 + LN2**2 * (5 * LN2 - 2) / (12 * (1 - LN2)) / k**2 + remainder(k, 3),
            ),
            Series(k, 3),
            where=EMPTY_ODDS | BEST_LOAD,
        ),
        Step(
            "while the union is a little less than half full, by $0.151/k$",
            equal(
                p,
                sp.Rational(1, 2) - LN2**2 * (2 * LN2 - 1) / (4 * (1 - LN2)) / k + remainder(k, 2),
            ),
            Series(k, 2),
            where={m: OPTIMAL_HASHES_EXPANSION.expression},
        ),
    ),
)
