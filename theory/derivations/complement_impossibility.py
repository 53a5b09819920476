"""Why residual width d holds no exact complement (NOR) network, and which width does.

The network has residual width D: x = α W_E, hidden units g = ReLU(x W_in + b_in), logits
(x + g W_out + b_out) W_U + b_U. Assumed of it: the coefficients of the active tokens fill [1, c],
c > 1; hidden unit j has pre-activation 1 - s hits_j, hits_j being the coefficients of the active
tokens that own bit j, s >= 1, so W_E W_in = -s H and g_j is 1 or 0 whatever the coefficients; and
the logits are -β M_i, up to an amount common to all tokens of one input (softmax ignores it).

Proved: W_U has at least two equal columns' worth too little room. The differences of its columns
lie in the null space of W_E, so D >= rank H + rank(column differences of W_U). At D = d = rank H
all columns of W_U are equal, and the logits' differences do not depend on the input. Where the
gates that occur span all d dimensions affinely, the second rank is at least d - 1 and D >= 2d - 1.
"""

from __future__ import annotations

import sympy as sp

from theory.derivations.derivation import Derivation, Step, Symbolic, at_most, equal, positive
from theory.symbols import beta, m

strength = sp.Symbol("s", positive=True)
hits = sp.Symbol("hits", positive=True)
eta = sp.Symbol("eta", positive=True)
c, alpha, overlap = sp.symbols("c alpha o", positive=True)
alpha_1, alpha_2 = sp.symbols("alpha_1 alpha_2", positive=True)
A_1, A_2, bias = sp.symbols("A_1 A_2 b_in", real=True)
b_1, b_2 = sp.symbols("b_1 b_2", real=True)
slack, room = sp.symbols("slack room", nonnegative=True)


def generic(letter: str, rows: int, columns: int) -> sp.ImmutableMatrix:
    """A matrix of free real entries."""
    return sp.ImmutableMatrix(
        rows, columns, lambda i, j: sp.Symbol(f"{letter}_{i + 1}{j + 1}", real=True)
    )


# the three 2-subsets of 3 bits: weight 2, rank 3
HASHES = sp.ImmutableMatrix([[1, 1, 0], [1, 0, 1], [0, 1, 1]])
WEIGHT = sp.Integer(2)
ONES = sp.ones(3, 3).as_immutable()
CENTRED = HASHES - WEIGHT * ONES / 3
COEFFICIENTS = sp.ImmutableMatrix([[alpha_1, alpha_2, 0]])
GATES = generic("g", 1, 3)
TOKENS, INTO, OUT = generic("e", 3, 3), generic("w", 3, 3), generic("o", 3, 3)
READOUT = generic("r", 3, 2)
SAME_COLUMNS = sp.ImmutableMatrix.hstack(READOUT[:, 0], READOUT[:, 0])

# residual width 5: hashes on three coordinates, which the readout ignores, and gates on two more
BASIS = sp.ImmutableMatrix([[1, 0], [0, 1], [-1, -1]])
WIDE_TOKENS = sp.ImmutableMatrix.hstack(HASHES, sp.zeros(3, 2))
WIDE_OUT = sp.ImmutableMatrix.hstack(sp.zeros(3, 3), -BASIS)
WIDE_READOUT = sp.ImmutableMatrix.vstack(sp.zeros(3, 3), beta * CENTRED.T[:2, :])


def pre_activation(first_coefficient: sp.Expr) -> sp.Expr:
    """One hidden unit's input from two active tokens."""
    return bias + first_coefficient * A_1 + alpha_2 * A_2


def logit_difference(readout: sp.ImmutableMatrix) -> sp.Expr:
    """Logit of token 1 minus that of token 2, tokens 1 and 2 active, for the given gates."""
    logits = (COEFFICIENTS * TOKENS + GATES * OUT) * readout + sp.ImmutableMatrix([[b_1, b_2]])
    return logits[0] - logits[1]


DERIVATION = Derivation(
    "complement_impossibility",
    "The complement (NOR) network and its residual width",
    (
        Step(
            "A unit is on, at 1, while no active token owns its bit, whatever their coefficients. Raising one "
            "from 1 to $c > 1$ changes its input by the entry of $A = W_E W_in$, which is therefore 0 "
            "for tokens that do not own the bit",
            equal(pre_activation(c) - pre_activation(1), (c - 1) * A_1),
            Symbolic((sp.expand,)),
        ),
        Step(
            "With $-s$ for those that do, $A = -s H$; a unit that is hit is off for every $s ≥ 1$",
            equal(sp.Max(1 - strength * hits, 0), 0),
            Symbolic((), domain={strength: 1 + slack, hits: 1 + room}),
        ),
        Step(
            "So the gates do not depend on the coefficients, and must not. But the residual path does: the slope of a "
            "difference of logits in the coefficient of an active token is its row of $W_E$ times a difference "
            "of columns of $W_U$ (shown at $d = 3$, any weights)",
            equal(
                sp.Derivative(logit_difference(READOUT), alpha_1),
                (TOKENS[0, :] * (READOUT[:, 0] - READOUT[:, 1]))[0],
            ),
            Symbolic((sp.expand,)),
        ),
        Step(
            "It must vanish for every token: $W_E$ maps each difference of columns of $W_U$ to 0. At residual width $d$, take $d$ tokens "
            "with independent hashes. Their square part of $W_E$ has $det(W_E) det(W_in) = det(-s H)$; at $d = 2$",
            equal(
                sp.Determinant(TOKENS[:2, :2]) * sp.Determinant(INTO[:2, :2]),
                sp.Determinant(TOKENS[:2, :2] * INTO[:2, :2]),
            ),
            Symbolic((sp.expand,)),
        ),
        Step(
            "at $d = 3$",
            equal(
                sp.Determinant(TOKENS) * sp.Determinant(INTO), sp.Determinant(TOKENS * INTO)
            ),
            Symbolic((sp.expand,)),
        ),
        Step(
            "and $det(-s H) ≠ 0$, as for the three 2-subsets of 3 bits",
            positive(sp.Determinant(-strength * HASHES)),
            Symbolic((sp.expand,)),
        ),
        Step(
            "A square matrix of non-zero determinant maps no other vector to 0, since its adjugate undoes it",
            equal(TOKENS.adjugate() * TOKENS, sp.Determinant(TOKENS) * sp.eye(3).as_immutable()),
            Symbolic((sp.expand,)),
        ),
        Step(
            "so all columns of $W_U$ are equal. Then the difference of two logits is the same for every input. It should be "
            "$-β (M_1 - M_2)$: positive when token 1 is active and token 2 misses a bit, negative with the roles exchanged. "
            "Impossible, once two tokens' hashes can miss each other ($d ≥ 2$)",
            equal(logit_difference(SAME_COLUMNS), b_1 - b_2),
            Symbolic((sp.expand,)),
        ),
        Step(
            "At residual width $D$, with $n$ tokens, Sylvester's rank inequality (cited) gives $D ≥ rank H$ plus the rank of $W_U$'s column "
            "differences. These must carry $-β H$ less its mean row. A constant weight makes that matrix kill the vector of ones",
            equal(CENTRED * sp.ones(3, 1), sp.zeros(3, 1)),
            Symbolic(()),
        ),
        Step(
            "and no more: a minor of order $d - 1$ is not 0. So its rank is $d - 1$ and $D ≥ 2 d - 1$",
            positive(sp.Determinant(CENTRED[:2, :2]) ** 2),
            Symbolic(()),
        ),
        Step(
            "Width $2 d - 1$ suffices: here 5, with the hashes on coordinates that the readout ignores. The "
            "logits are $-β M$ plus a common amount (width $2 d$ with the last block $β H^T$ leaves nothing "
            "common)",
            equal(
                (COEFFICIENTS * WIDE_TOKENS + GATES * WIDE_OUT) * WIDE_READOUT,
                -beta * GATES * HASHES.T + beta * WEIGHT / 3 * GATES * ONES,
            ),
            Symbolic((sp.expand,)),
        ),
        Step(
            "Coefficients that vary are needed for the impossibility. With one active token at $α = 1$, $W_E = H$, $W_U = β H^T$ and no "
            "help from the gates, the logits are $β (m - M)$, where $M$ counts the 1s of a row of $H$ against the 0s of another",
            equal(HASHES * HASHES.T, WEIGHT * ONES - (ONES - HASHES) * HASHES.T),
            Symbolic(()),
        ),
        Step(
            "At width $d$ the complement holds in a limit: $W_E = η H$, $W_in = -(s/η) I$, $W_out = -I$, $W_U = β H^T$ leave the gates "
            "as they were and the logits off by",
            equal(
                (COEFFICIENTS * (eta * HASHES) - GATES) * (beta * HASHES.T) + beta * GATES * HASHES.T,
                eta * beta * COEFFICIENTS * HASHES * HASHES.T,
            ),
            Symbolic((sp.expand,)),
        ),
        Step(
            "that is $η β$ times, for each of the $k$ active tokens, coefficient times overlap. Each is at most $c m$, so the error is "
            "at most $β η c k m$ and vanishes with $η$",
            at_most(alpha * overlap, c * m),
            Symbolic((sp.expand,), domain={c: alpha + slack, m: overlap + room}),
        ),
    ),
)
