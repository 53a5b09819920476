"""Why residual width d holds no exact complement (NOR) network, and which width does.

The network has residual width D and n tokens: x = α W_E, gates g = ReLU(x W_in + b_in), logits
(x + g W_out + b_out) W_U + b_U. Assumed of it: the coefficients of the active tokens fill [1, c],
c > 1; the input of hidden unit j is 1 - s hits_j, hits_j being the coefficients of the active
tokens that own bit j, s >= 1, so W_E W_in = -s H; and the logits are -β M_i, up to an amount
common to all tokens of one input (softmax ignores it).

Proved: the differences of W_U's columns lie in the null space of W_E, whose rank is at least that
of H. At D = d = rank H they are 0 and the differences of logits are the same for every input,
which is wrong as soon as some non-member of some input misses a bit (so d >= 2). Where the gates
that occur affinely span all d dimensions, more is true: D >= rank H + rank of H less its mean row,
2d - 1 for a constant weight, and 2d - 1 will do.
"""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Symbolic
from theory.derivations.derivation import Derivation, Step, at_most, equal, positive
from theory.symbols import beta, m

strength = sp.Symbol("s", positive=True)
hits = sp.Symbol("hits", positive=True)
eta = sp.Symbol("eta", positive=True)
c, alpha, overlap = sp.symbols("c alpha o", positive=True)
alpha_1, alpha_2 = sp.symbols("alpha_1 alpha_2", positive=True)
A_1, A_2, bias = sp.symbols("A_1 A_2 b_in", real=True)
slack, room = sp.symbols("slack room", nonnegative=True)


def generic(letter: str, rows: int, columns: int) -> sp.ImmutableMatrix:
    """A matrix of free real entries."""
    return sp.ImmutableMatrix(
        rows, columns, lambda i, j: sp.Symbol(f"{letter}_{i + 1}{j + 1}", real=True)
    )


def matrix(name: str, rows: int = 3, columns: int = 3) -> sp.MatrixSymbol:
    """A matrix shown by its name."""
    return sp.MatrixSymbol(name, rows, columns)


W_E, W_in, W_out, W_U, H = (matrix(name) for name in ("W_E", "W_in", "W_out", "W_U", "H"))
W_E2, W_in2, H_2 = (matrix(name, 2, 2) for name in ("W_E", "W_in", "H"))
first, raised, token, gates = (matrix(name, 1) for name in ("alpha", "alpha_c", "e_1", "g"))
ones, centring, some_hashes = matrix("J"), matrix("P"), matrix("K", 3, 2)
residual, column, one_row = matrix("y", 1), matrix("u", 3, 1), matrix("1", 1)

# the three 2-subsets of 3 bits: weight 2, rank 3
WEIGHT = sp.Integer(2)
HASHES = sp.ImmutableMatrix([[1, 1, 0], [1, 0, 1], [0, 1, 1]])
TWO_HASHES = sp.ImmutableMatrix([[1, 0], [0, 1]])
ONES = {ones: sp.ones(3, 3).as_immutable()}
CENTRING = {centring: sp.eye(3).as_immutable() - sp.ones(3, 3) / 3}
ACTIVE = {first: sp.ImmutableMatrix([[alpha_1, alpha_2, 0]])}
GATES = {gates: generic("g", 1, 3)}
NETWORK = {W_E: generic("e", 3, 3), W_out: generic("o", 3, 3), W_U: generic("u", 3, 3)}

# residual width 5: hashes on three coordinates, which the readout ignores, and gates on two more
WIDE_E, WIDE_OUT, WIDE_U = matrix("W_E", 3, 5), matrix("W_out", 3, 5), matrix("W_U", 5, 3)
WIDE = {
    WIDE_E: sp.ImmutableMatrix([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 1, 1, 0, 0]]),
    WIDE_OUT: sp.ImmutableMatrix([[0, 0, 0, -1, 0], [0, 0, 0, 0, -1], [0, 0, 0, 1, 1]]),
    WIDE_U: beta
    * sp.ImmutableMatrix([[0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 1, -2], [1, -2, 1]])
    / 3,
}


def pre_activation(first_coefficient: sp.Expr) -> sp.Expr:
    """One hidden unit's input from two active tokens."""
    return bias + first_coefficient * A_1 + alpha_2 * A_2


DERIVATION = Derivation(
    "complement_impossibility",
    "The complement (NOR) network and its residual width",
    (
        Step(
            "A gate is 1 while no active token owns its bit, whatever their coefficients. "
            "Raising one from 1 to $c > 1$ changes its input by a multiple of the entry of $A = "
            "W_E W_{in}$, which is therefore 0 for tokens that do not own the bit",
            equal(pre_activation(c) - pre_activation(1), (c - 1) * A_1),
            Symbolic((sp.expand,)),
        ),
        Step(
            "With $-s$ for those that do, $A = -s H$; a gate that is hit is 0 for every $s ≥ 1$",
            equal(sp.Max(1 - strength * hits, 0), 0),
            Symbolic((sp.expand,), domain={strength: 1 + slack, hits: 1 + room}),
        ),
        Step(
            "So coefficients do not reach the logits through the gates. Through the residual "
            "path they do: raising the first token's coefficient from 1 to $c$ adds a multiple "
            "of its row of $W_E W_U$ (any weights; here $d = 3$)",
            equal(
                (raised * W_E + gates * W_out) * W_U - (first * W_E + gates * W_out) * W_U,
                (c - 1) * token * W_E * W_U,
            ),
            Symbolic((sp.expand,)),
            where={
                raised: sp.ImmutableMatrix([[c, alpha_2, 0]]),
                first: sp.ImmutableMatrix([[1, alpha_2, 0]]),
                token: sp.ImmutableMatrix([[1, 0, 0]]),
            }
            | GATES
            | NETWORK,
        ),
        Step(
            "That must be a common amount: every row of $W_E W_U$ is constant, so $W_E$ maps "
            "differences of columns of $W_U$ to 0. At width $D = d$ such a difference is itself "
            "0. For $d$ tokens with independent hashes, $W_E = -s H W_{in}^{-1}$ has a left "
            "inverse; at $d = 2$",
            equal(W_in2 * (-strength * H_2) ** -1 * W_E2, sp.Identity(2)),
            Symbolic(),
            where={W_E2: -strength * H_2 * W_in2**-1, H_2: TWO_HASHES, W_in2: generic("w", 2, 2)},
        ),
        Step(
            "at $d = 3$ by determinants, $det(W_E) det(W_{in}) = det(-s H)$,",
            equal(sp.Determinant(W_E) * sp.Determinant(W_in), sp.Determinant(W_E * W_in)),
            Symbolic((sp.expand,)),
            where={W_E: generic("e", 3, 3), W_in: generic("w", 3, 3)},
        ),
        Step(
            "which is not 0; and in general because rank $W_E$ is at least rank $W_E W_{in}$ = "
            "rank $H = d$",
            positive((-strength) ** 3 * sp.Determinant(H)),
            Symbolic((sp.expand,)),
            where={H: HASHES},
        ),
        Step(
            "So all columns of $W_U$ are one vector $u$, and logits less their mean over the "
            "tokens, a product with $P$, do not depend on the residual $y$ at all (a bias $b_U$ "
            "adds the same for every input). But they should: if token 1 is active and token 2 "
            "misses a bit, $-β (M_1 - M_2)$ is positive; if token 2 is active it never is. "
            "Impossible, once some non-member of some input is no false positive, which takes "
            "$d ≥ 2$",
            equal(residual * column * one_row * centring, sp.ZeroMatrix(1, 3)),
            Symbolic((sp.expand,)),
            where={
                residual: generic("y", 1, 3),
                column: generic("u", 3, 1),
                one_row: sp.ones(1, 3).as_immutable(),
            }
            | CENTRING,
        ),
        Step(
            "At any width, Sylvester's rank inequality (cited) bounds $D$ below by rank $H$ "
            "plus the rank of $W_U$'s column differences. If the gates that occur affinely span "
            "all $d$ dimensions, those must carry $-β H$ less its mean row, a matrix that for a "
            "constant weight kills the vector of ones",
            equal(centring * H * one_row.T, sp.ZeroMatrix(3, 1)),
            Symbolic(()),
            where={H: HASHES, one_row: sp.ones(1, 3).as_immutable()} | CENTRING,
        ),
        Step(
            "and, $H$ having rank $d$, nothing else: without one column its Gram determinant is "
            "positive. So its rank is $d - 1$, and $D ≥ 2 d - 1$ (for logits that are $-β M$ "
            "with nothing common, $H$ itself is carried, and $D ≥ 2 d$)",
            positive(sp.Determinant(some_hashes.T * centring * some_hashes)),
            Symbolic(()),
            where={some_hashes: HASHES[:, :2]} | CENTRING,
        ),
        Step(
            "Width $2 d - 1$, here 5, suffices: the readout ignores the coordinates that hold "
            "the hashes, and the logits are $-β M$ plus a common amount (with $d$ coordinates "
            "for the gates and $β H^T$ to read them, plus nothing)",
            equal(
                (first * WIDE_E + gates * WIDE_OUT) * WIDE_U,
                -beta * gates * H.T + beta * WEIGHT / 3 * gates * ones,
            ),
            Symbolic((sp.expand,)),
            where={H: HASHES} | ONES | ACTIVE | GATES | WIDE,
        ),
        Step(
            "That coefficients vary is needed. With one active token at $α = 1$, $W_E = H$, "
            "$W_U = β H^T$ and no help from the gates, width $d$ gives the logits $β (m - M)$: "
            "shared bits are $m$ less those of one token that the other lacks",
            equal(H * H.T, WEIGHT * ones - (ones - H) * H.T),
            Symbolic(()),
            where={H: HASHES} | ONES,
        ),
        Step(
            "And at width $d$ the complement holds in a limit: $W_E = η H$, $W_{in} = -(s/η) "
            "I$, $W_{out} = -I$, $W_U = β H^T$ leave the gates as they were and the logits $-β "
            "M$ off by",
            equal(
                (first * (eta * H) - gates) * (beta * H.T) + beta * gates * H.T,
                eta * beta * first * H * H.T,
            ),
            Symbolic((sp.expand,)),
            where={H: HASHES} | ACTIVE | GATES,
        ),
        Step(
            "that is $η β$ times, for each of the $k$ active tokens, coefficient times overlap. "
            "Each is at most $c m$, so the error is at most $β η c k m$ and vanishes with $η$",
            at_most(alpha * overlap, c * m),
            Symbolic((sp.expand,), domain={c: alpha + slack, m: overlap + room}),
        ),
    ),
)
