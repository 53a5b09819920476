"""The moment curve: every k-set at width 2k, no narrower readout, and the margin it leaves."""

from __future__ import annotations

from itertools import combinations
from math import prod

import sympy as sp

from theory.derivations.checks import Digits, Rationals, Symbolic
from theory.derivations.derivation import Derivation, Step, at_most, equal, points, positive
from theory.formulas.moment_curve import (
    CIRCLE_MARGIN,
    CIRCLE_SUFFICIENT_BITS,
    MARGIN,
    MARGIN_BOUND,
    RADON_WIDTH,
    SUFFICIENT_BITS,
    bits,
)
from theory.symbols import d, k, n

t, constant, *member = sp.symbols("t a t_1 t_2", real=True)
gaps = sp.symbols("gap_1:4", positive=True)
distances = sp.symbols("Delta_1 Delta_2", real=True, nonzero=True)
slack, other_slack = sp.symbols("slack slack_2", nonnegative=True)
near, far = sp.symbols("|t| |t_s|", nonnegative=True)
power = sp.Symbol("j", integer=True, nonnegative=True)
u, margin = sp.symbols("u gamma", positive=True)

SMALL = points((n, k), ((n_, k_) for n_ in range(2, 10) for k_ in range(1, min(n_, 5))))
LARGE = points((n, k), ((9, 1), (9, 2), (40, 3), (1000, 4), (50_257, 8)))


class EnumeratedMargin(sp.Function):
    """At (n, k): the least prod_s (t_i - t_s)^2 over all k-sets and non-members, t_i in [-1, 1]."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        tokens, members = map(int, sizes)
        least = min(
            prod((i - s) ** 2 for s in chosen)
            for chosen in combinations(range(tokens), members)
            for i in range(tokens)
            if i not in chosen
        )
        return least * sp.Rational(2, tokens - 1) ** (2 * members)


class EnumeratedErrors(sp.Function):
    """At (n, k): the k-sets in which a non-member's logit <w_i, h> reaches a member's, t_i = i."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        tokens, members = map(int, sizes)
        wrong = 0
        for chosen in combinations(range(tokens), members):
            coefficients = [-1]
            for s in (*chosen, *chosen):
                coefficients = [
                    high - s * low
                    for high, low in zip([0, *coefficients], [*coefficients, 0], strict=True)
                ]
            residual = coefficients[1:]  # 2k numbers: the constant is the same for every token
            logits = [
                sum(h * i**power for power, h in enumerate(residual, start=1))
                for i in range(tokens)
            ]
            others = [logit for i, logit in enumerate(logits) if i not in chosen]
            wrong += max(others) >= min(logits[s] for s in chosen)
        return sp.Integer(wrong)


def free(letter: str, rows: int, columns: int) -> sp.ImmutableMatrix:
    """A matrix of free real entries."""
    return sp.ImmutableMatrix(
        rows, columns, lambda i, j: sp.Symbol(f"{letter}_{i + 1}{j + 1}", real=True)
    )


# d + 2 columns of W_U of width d = 2, under a row of ones and over a row of logits
ONES, COLUMNS, RESIDUAL = sp.ones(1, 4).as_immutable(), free("w", 2, 4), free("h", 1, 2)
stacked = sp.MatrixSymbol("M", 4, 4)
STACKED = {
    stacked: sp.ImmutableMatrix.vstack(ONES, COLUMNS, RESIDUAL * COLUMNS + constant * ONES),
}


def dependence(nodes: tuple[sp.Expr, ...], i: int) -> sp.Expr:
    """The weight of node i in the dependence of len(nodes) = d + 2 points of the moment curve."""
    return 1 / sp.Mul(*(nodes[i] - other for place, other in enumerate(nodes) if place != i))


FOUR = (t, t + gaps[0], t + gaps[0] + gaps[1], t + gaps[0] + gaps[1] + gaps[2])

DERIVATION = Derivation(
    "moment_curve",
    "The moment curve and the least width of a linear readout",
    (
        Step(
            "Every token has a node $t$. Less a constant, which the softmax ignores, the "
            "logit, minus the product over the members of $(t - t_s)^2$, is linear in $(t, ..., "
            "t^{2k})$; for $k = 2$",
            equal(
                -((t - member[0]) ** 2) * (t - member[1]) ** 2 + member[0] ** 2 * member[1] ** 2,
                2 * member[0] * member[1] * (member[0] + member[1]) * t
                - (member[0] ** 2 + 4 * member[0] * member[1] + member[1] ** 2) * t**2
                + 2 * (member[0] + member[1]) * t**3
                - t**4,
            ),
            Symbolic((sp.expand,)),
        ),
        Step(
            "It is 0 at the members and negative at every other node",
            positive((t - member[0]) ** 2 * (t - member[1]) ** 2),
            Symbolic(
                (sp.factor,), domain={member[0]: t - distances[0], member[1]: t - distances[1]}
            ),
        ),
        Step(
            "so no k-set is ever wrong; in integers, over all of them",
            equal(EnumeratedErrors(n, k), 0),
            Rationals(SMALL),
        ),
        Step(
            "Less width will not do. Let $d + 2$ tokens have columns $w_i$ in $W_U$ and logits $h "
            "w_i$ and a constant, whatever $h$. The matrix $M$ of a row of ones, the columns, and "
            "the logits is singular (here $d = 2$)",
            equal(sp.Determinant(stacked), 0),
            Symbolic((sp.expand,)),
            where=STACKED,
        ),
        Step(
            "Expanded along the logits: with weights $c_i$, the same for every $h$, the ones, the "
            "columns and the logits each add up to 0. So the weighted mean logit of the tokens "
            "with $c_i > 0$ is that of those with $c_i < 0$ (Radon), and no set that holds the "
            "one part and misses the other is separated. At $d = 2k - 1$ the smaller part has at "
            "most",
            equal(sp.floor((d + 2) / sp.Integer(2)), k),
            Symbolic(),
            where={d: RADON_WIDTH.expression - 1},
        ),
        Step(
            "tokens, the larger at most $d + 1$, and with $n ≥ 3k$ there is a k-set that holds "
            "the smaller and misses the larger: $d ≥ 2k$. A bias per token is one more coordinate "
            "of $w_i$, which gives $d ≥ 2k - 1$",
            at_most(k + (d + 1), n),
            Symbolic((sp.expand,), domain={n: 3 * k + slack}),
            where={d: RADON_WIDTH.expression - 1},
        ),
        Step(
            "On the moment curve a token's weight is 1 over the product of its distances $t_i - "
            "t_j$ from the others: they annul every power up to $d$, here $d = 2$",
            equal(
                sum(dependence(FOUR, i) * node**power for i, node in enumerate(FOUR)),
                0,
            ),
            Symbolic((sp.factor,), cases=points((power,), ((0,), (1,), (2,)))),
        ),
        Step(
            "and alternate in sign along the line. At $d = 2k$ both parts have $k + 1$ tokens, "
            "too many for a k-set",
            positive(-dependence(FOUR, 1) * dependence(FOUR, 2)),
            Symbolic((sp.factor,)),
        ),
        Step(
            "The margin: some non-member has its $k$ nearest neighbours for members, half of "
            "them on either side. On equally spaced nodes in $[-1, 1]$, all sets enumerated,",
            equal(MARGIN.expression, EnumeratedMargin(n, k)),
            Rationals(SMALL),
        ),
        Step(
            "No other nodes do much better",
            at_most(MARGIN.expression, MARGIN_BOUND.expression),
            Rationals(SMALL),
        ),
        Step(
            "Rounded to relative errors of at most $u$, a column's entry times the residual's is "
            "off by $(1 + u)^2 - 1$ of its size. The sizes of one logit's terms add up to at most "
            "the product over the members of $(|t| + |t_s|)^2$, at most $4^k$ because",
            at_most((near + far) ** 2, sp.Integer(4)),
            Symbolic((sp.factor,), domain={near: 1 / (1 + slack), far: 1 / (1 + other_slack)}),
        ),
        Step(
            "The sufficient bits keep two such errors, a member's and a non-member's, within the "
            "margin",
            equal(2 * ((1 + u) ** 2 - 1) * 4**k, MARGIN.expression),
            Digits(LARGE),
            where={u: 2**-SUFFICIENT_BITS.expression},
        ),
        Step(
            "and are $log2$ of $4^k$ over the margin and 2, so that they grow by $2k$ when $n$ "
            "doubles",
            equal(sp.Limit(bits(margin) + sp.log(margin, 2), margin, 0), 2),
            Symbolic(),
        ),
        Step(
            "On the circle, with columns $(cos j t, sin j t)$, minus the product of $1 - cos(t - "
            "t_s)$ does the same at the same width; a factor is",
            equal(1 - sp.cos(t - member[0]), 2 * sp.sin((t - member[0]) / 2) ** 2),
            Symbolic(),
        ),
        Step(
            "and has coefficients $1, 1/2, 1/2$, so that a logit's terms add up to at most $2^k$; "
            "the sufficient bits",
            equal(2 * ((1 + u) ** 2 - 1) * 2**k, CIRCLE_MARGIN.expression),
            Digits(LARGE),
            where={u: 2**-CIRCLE_SUFFICIENT_BITS.expression},
        ),
    ),
)
