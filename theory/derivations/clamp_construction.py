"""The clamp network computes a Bloom filter: logits count covered bits, with no false negatives."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Symbolic
from theory.derivations.derivation import Derivation, Step, at_most, equal, positive
from theory.symbols import beta, m, s

x = sp.Symbol("x", real=True)
excess = sp.Symbol("e", nonnegative=True)
shortfall = sp.Symbol("v", positive=True)
slack = sp.Symbol("slack", integer=True, nonnegative=True)
alpha, alpha_1, alpha_2 = sp.symbols("alpha alpha_1 alpha_2", positive=True)
e_1, e_2 = sp.symbols("e_1 e_2", nonnegative=True)
floor = sp.Symbol("a", positive=True)


def relu(value: sp.Expr) -> sp.Expr:
    """max(value, 0)."""
    return sp.Max(value, 0)


def clamp(value: sp.Expr) -> sp.Expr:
    """The residual after the layer: value - ReLU(value - 1)."""
    return value - relu(value - 1)


def piecewise(expression: sp.Expr) -> sp.Expr:
    """Max and Min written as cases."""
    return expression.rewrite(sp.Piecewise)


# six tokens own the six pairs of four bits; the first two tokens are active
H = sp.MatrixSymbol("H", 6, 4)
M, ones = sp.MatrixSymbol("M", 1, 6), sp.MatrixSymbol("J", 1, 6)
residual = sp.MatrixSymbol("x", 1, 4)
BITS_PER_HASH = sp.Integer(2)
PAIRS = {
    residual: sp.ImmutableMatrix([[alpha_1 + alpha_2, alpha_1, alpha_2, 0]]).applyfunc(clamp),
    H: sp.ImmutableMatrix(
        [[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]]
    ),
    M: sp.ImmutableMatrix([[0, 0, 1, 0, 1, 1]]),
    ones: sp.ones(1, 6).as_immutable(),
}

DERIVATION = Derivation(
    "clamp_construction",
    "The clamp network is a Bloom filter",
    (
        Step(
            "With $W_{in} = I$, $b_{in} = -1$, $W_{out} = -I$ each coordinate of the residual "
            "passes through a clamp at 1",
            equal(clamp(x), sp.Min(x, 1)),
            Symbolic((piecewise, sp.simplify)),
        ),
        Step(
            "A bit that some active token owns holds $x ≥ 1$, since every coefficient is at "
            "least 1; it becomes 1",
            equal(clamp(x), 1),
            Symbolic((), domain={x: 1 + excess}),
        ),
        Step(
            "A bit that none owns holds 0 and stays 0. So the residual is the indicator of the "
            "union",
            equal(clamp(x), 0),
            Symbolic(()),
            where={x: sp.Integer(0)},
        ),
        Step(
            "The readout $W_U = β W_E^T$ counts each token's bits in the union: its logit is $β "
            "(m - M)$. Here the six 2-subsets of 4 bits, the first two tokens active with any "
            "coefficients of at least 1",
            equal(beta * residual * H.T, beta * (BITS_PER_HASH * ones - M)),
            Symbolic(domain={alpha_1: 1 + e_1, alpha_2: 1 + e_2}),
            where=PAIRS,
        ),
        Step(
            "No logit exceeds that of a member, $β m$, whose bits are all in the union: no "
            "false negative",
            at_most(beta * (m - s), beta * m),
            Symbolic((sp.expand,)),
        ),
        Step(
            "and a token with a missing bit, $s ≥ 1$, stays below by at least $β$: a non-member "
            "ties with the members exactly when the union covers it, the Bloom filter's false "
            "positive",
            at_most(beta, beta * m - beta * (m - s)),
            Symbolic((sp.factor,), domain={s: 1 + slack}),
        ),
        Step(
            "Coefficients in $[a, c]$ need bias $-a$ and $W_U$ divided by $a$, for any $a > 0$: "
            "the same two values result",
            equal((x - relu(x - floor)) / floor, sp.Min(x / floor, 1)),
            Symbolic(cases=({x: floor * (1 + excess)}, {x: sp.Integer(0)})),
        ),
        Step(
            "With bias $-1$ a coefficient below 1 does produce false negatives: a member that "
            "alone owns its $m$ bits then falls short of $β m$",
            positive(beta * m - beta * m * clamp(alpha)),
            Symbolic((sp.factor,), domain={alpha: 1 / (1 + shortfall)}),
        ),
    ),
)
