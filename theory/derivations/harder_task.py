"""Any target over the k tokens: the members' errors, their bounds, and why n does not enter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from operator import mul

import sympy as sp

from theory.derivations.checks import Digits, Rationals, Symbolic
from theory.derivations.clamp_construction import clamp, piecewise, relu
from theory.derivations.derivation import Derivation, Point, Step, at_most, equal, points
from theory.formulas.harder_task import (
    KL_BOUND,
    MEMBER_ERROR_COVARIANCE,
    MEMBER_ERROR_PROBABILITY,
    MEMBER_ERROR_VARIANCE,
    NON_MEMBER_FACTOR,
    NON_MEMBER_FACTOR_BOUND,
    SQUARED_NORM,
    SUFFICIENT_ETA,
    TARGET_VARIANCE_OF_ERROR,
    TOTAL_VARIATION_BOUND,
    Row,
    dprime,
    ell,
    eta,
    i,
    j,
)
from theory.symbols import L, delta, epsilon, k, t

x, y = sp.symbols("x y", real=True)
v, a, lift = sp.symbols("v a B", positive=True)
u = sp.Symbol("u", real=True)
excess = sp.Symbol("e", nonnegative=True)
written, hidden, before, after = (
    sp.MatrixSymbol(name, 1, columns)
    for name, columns in (("W_out", 2), ("h", 1), ("x", 2), ("x_after", 2))
)

# three members' target logits and signs, in two coordinates; y' is sqrt(2) y
LOGITS = sp.symbols("ell_0:3", real=True)
SIGNS = [sp.symbols(f"sigma_{token}_:2", real=True) for token in range(3)]
CARRIED = sp.symbols("yprime_:2", real=True)
WHAT_IS_CARRIED = {
    held: sum(value * sign[b] for value, sign in zip(LOGITS, SIGNS, strict=True))
    for b, held in enumerate(CARRIED)
}
READ = [sum(own * held for own, held in zip(sign, CARRIED, strict=True)) / 2 for sign in SIGNS]


def squares_of_signs(expression: sp.Expr) -> sp.Expr:
    """Multiplied out, with 1 for the square of every sign."""
    return sp.expand(expression).subs({sign**2: 1 for row in SIGNS for sign in row})


def exponentials(expression: sp.Expr) -> sp.Expr:
    """Hyperbolic functions written in exponentials."""
    return expression.rewrite(sp.exp)


Readouts = tuple[Fraction, ...]


def readouts(logits: Sequence[sp.Rational], width: int, others: int) -> Counter[Readouts]:
    """How often each row of extra logits occurs over all sign codes of members and others."""
    values = [Fraction(str(value)) for value in logits]
    found: Counter[Readouts] = Counter()
    for code in product(product((-1, 1), repeat=width), repeat=len(values) + others):
        held = [sum(map(mul, values, signs)) for signs in zip(*code, strict=True)]
        found[tuple(sum(map(mul, own, held)) / width for own in code)] += 1
    return found


class MeanOverCodes(sp.Function):
    """A name in a printed claim; at a Row of target logits, the mean over every sign code."""

    others = 0

    @classmethod
    def eval(cls, *arguments: sp.Expr) -> sp.Expr | None:
        row, width, *rest = arguments
        if not isinstance(row, Row) or not all(each.is_number for each in (width, *rest)):
            return None
        found = readouts(row.args, int(width), cls.others)
        total = sum(
            count * cls.of_readouts(row.args, [sp.Rational(value) for value in read], *rest)
            for read, count in found.items()
        )
        return total / sp.Integer(found.total())

    @staticmethod
    def of_readouts(logits: Sequence[sp.Expr], read: Sequence[sp.Expr], *rest: sp.Expr) -> sp.Expr:
        """The value for one code. read: the extra logits of the members, then of the others."""
        raise NotImplementedError


def _errors(logits: Sequence[sp.Expr], read: Sequence[sp.Expr]) -> list[sp.Expr]:
    return [value - logit for logit, value in zip(logits, read, strict=True)]


def _under_target(logits: Sequence[sp.Expr], values: Sequence[sp.Expr]) -> sp.Expr:
    weights = [sp.exp(logit) for logit in logits]
    return sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)


class EnumeratedProduct(MeanOverCodes):
    """E eta_i eta_j, at (ell, d', i, j)."""

    @staticmethod
    def of_readouts(logits: Sequence[sp.Expr], read: Sequence[sp.Expr], *rest: sp.Expr) -> sp.Expr:
        first, second = rest
        errors = _errors(logits, read)
        return errors[int(first)] * errors[int(second)]


class EnumeratedTail(MeanOverCodes):
    """P(max |eta_i| > eta), at (ell, d', eta)."""

    @staticmethod
    def of_readouts(logits: Sequence[sp.Expr], read: Sequence[sp.Expr], *rest: sp.Expr) -> sp.Expr:
        (level,) = rest
        return sp.Integer(any(abs(error) > level for error in _errors(logits, read)))


class EnumeratedFactor(MeanOverCodes):
    """E e^<V, y> of a non-member's row V, at (ell, d')."""

    others = 1

    @staticmethod
    def of_readouts(logits: Sequence[sp.Expr], read: Sequence[sp.Expr], *rest: sp.Expr) -> sp.Expr:
        return sp.exp(read[-1])


class EnumeratedVariance(MeanOverCodes):
    """E Var_tau(eta), at (ell, d')."""

    @staticmethod
    def of_readouts(logits: Sequence[sp.Expr], read: Sequence[sp.Expr], *rest: sp.Expr) -> sp.Expr:
        errors = _errors(logits, read)
        square = _under_target(logits, [error**2 for error in errors])
        return square - _under_target(logits, errors) ** 2


class EnumeratedKL(MeanOverCodes):
    """E KL(target || output), at (ell, d', L), with one non-member of weight L at y = 0."""

    others = 1

    @staticmethod
    def of_readouts(logits: Sequence[sp.Expr], read: Sequence[sp.Expr], *rest: sp.Expr) -> sp.Expr:
        (leakage,) = rest
        *members, other = read
        errors = _errors(logits, members)
        output = _under_target(logits, [sp.exp(error) for error in errors])
        return sp.log(output + leakage * sp.exp(other)) - _under_target(logits, errors)


TARGETS = tuple(
    Row(*map(sp.Rational, row))
    for row in (("1", "-1"), ("1/2", "3/4", "-5/4"), ("2", "0", "-1"), ("0", "0", "3"))
)


def at_targets(
    *symbols: sp.Symbol,
    rows: Sequence[tuple[object, ...]] = ((),),
    widths: tuple[int, ...] = (1, 2),
) -> tuple[Point, ...]:
    """Every target and width, with each row of further values."""
    return points(
        (ell, k, dprime, *symbols),
        ((of, len(of.args), width, *row) for of in TARGETS for width in widths for row in rows),
    )


PAIRS = [(i_, j_) for i_ in range(2) for j_ in range(2) if i_ != j_]
LEVELS = (("1/4",), ("1",), ("3",))
LEAKS = (("0",), ("1/10",), ("2",))

TAIL = MEMBER_ERROR_PROBABILITY.expression.subs(SQUARED_NORM, v).args[1]
# total variation where a share a of the target has error -eta and the rest +eta
SHORTFALL = a - a * sp.exp(-eta) / (a * sp.exp(-eta) + (1 - a) * sp.exp(eta)) / (1 + L)
WORST_SHARE = (1 - sp.exp(-eta) / sp.sqrt(1 + L)) / (1 - sp.exp(-2 * eta))
SHARP, LEAKED = (case.expr for case in TOTAL_VARIATION_BOUND.expression.args)
ERRORS_AND_LEAKS = points(
    (eta, L),
    ((eta_, leak) for eta_ in ("1/10", "1", "3") for leak in ("1/1000", "1/5", "1", "20")),
)
TWO_VALUES = sp.log(a * sp.exp(u * x) + (1 - a) * sp.exp(u * y))

DERIVATION = Derivation(
    "harder_task",
    "Any target over the k tokens, at a width that n does not enter",
    (
        Step(
            "The input carries $y = l_1 V_1 + ... + l_k V_k$ in coordinates that $W_{in}$ does not "
            "read and $W_{out}$ does not write: for one bit $x$ and one such coordinate $y$, the "
            "layer clamps the bit and leaves $y$ as it is",
            equal(before + hidden * written, after),
            Symbolic((piecewise, sp.simplify)),
            where={
                before: sp.ImmutableMatrix([[x, y]]),
                hidden: sp.ImmutableMatrix([[relu(x - 1)]]),
                written: sp.ImmutableMatrix([[-1, 0]]),
                after: sp.ImmutableMatrix([[clamp(x), y]]),
            },
        ),
        Step(
            "Token $i$'s row $V_i$ holds its signs over the root of $d'$. Its own square is 1, so "
            "a member reads its own $l_i$ and an error $η_i$; three members, $d' = 2$",
            equal(
                READ[0],
                LOGITS[0]
                + sum(
                    LOGITS[other] * sum(p * q for p, q in zip(SIGNS[0], SIGNS[other], strict=True))
                    for other in (1, 2)
                )
                / 2,
            ),
            Symbolic((squares_of_signs,)),
            where=WHAT_IS_CARRIED,
        ),
        Step(
            "Multiplied by token $i$'s own, the other members' signs are independent signs still. "
            "So $η_i$ sums $(k-1) d'$ of them, $d'$ times each of $l_j/d'$, has mean 0, and only "
            "the $k$ members' rows enter it, whatever $n$. Its variance, over all codes,",
            equal(EnumeratedProduct(ell, dprime, i, i), MEMBER_ERROR_VARIANCE.expression),
            Rationals(at_targets(i, rows=((0,), (1,)), widths=(1, 2, 3))),
        ),
        Step(
            "and the covariance of two members' errors, which share the product of $V_i$ and $V_j$",
            equal(EnumeratedProduct(ell, dprime, i, j), MEMBER_ERROR_COVARIANCE.expression),
            Rationals(at_targets(i, j, rows=PAIRS)),
        ),
        Step(
            "A non-member reads $k d'$ such signs and nothing of its own. The mean of the factor "
            "on its weight",
            equal(EnumeratedFactor(ell, dprime), NON_MEMBER_FACTOR.expression),
            Digits(at_targets()),
        ),
        Step(
            "The logarithm of each factor is at most half its argument's square: both vanish "
            "at 0 with their slopes, and the difference is convex",
            at_most(0, sp.Derivative(x**2 / 2 - sp.log(sp.cosh(x)), (x, 2))),
            Symbolic((sp.simplify,)),
        ),
        Step(
            "hence",
            at_most(NON_MEMBER_FACTOR.expression, NON_MEMBER_FACTOR_BOUND.expression),
            Digits(at_targets()),
        ),
        Step(
            "The same for $η_i$: with $v = l_1^2 + ... + l_k^2$, $E e^{t η_i} ≤ e^{t^2 v/(2 d')}$, "
            "and so $P(η_i > η) ≤ e^{t^2 v/(2 d') - t η}$. At the best $t$, for $2k$ tails",
            equal(2 * k * sp.exp(t**2 * v / (2 * dprime) - t * eta), TAIL),
            Symbolic(),
            where={t: dprime * eta / v},
        ),
        Step(
            "The tail itself, over all codes, is smaller",
            at_most(EnumeratedTail(ell, dprime, eta), MEMBER_ERROR_PROBABILITY.expression.args[1]),
            Digits(at_targets(eta, rows=LEVELS)),
        ),
        Step(
            "The width at which the bound is $ε$, rounded up: $n$ is not in it",
            equal(TAIL, epsilon),
            Symbolic(),
            where={dprime: 2 * v * sp.log(2 * k / epsilon) / eta**2},
        ),
        Step(
            "The norm of $y$, which bounds the extra logit of every token of the $n$, follows from "
            "the members' errors: it is $l_1 (l_1 + η_1) + ... + l_k (l_k + η_k)$, at most $v + η "
            "(|l_1| + ... + |l_k|)$",
            equal(
                sum(held**2 for held in CARRIED) / 2,
                sum(value * read for value, read in zip(LOGITS, READ, strict=True)),
            ),
            Symbolic((sp.expand,)),
            where=WHAT_IS_CARRIED,
        ),
        Step(
            "Let no member's error exceed $η$, and the non-members weigh $L$ times the members. "
            "Total variation is the target's share of some set of members less the output's, "
            "largest with errors $-η$ there and $+η$ on the other members. Of that share $a$",
            at_most(sp.Derivative(SHORTFALL, (a, 2)), 0),
            Symbolic((sp.factor,), domain={a: 1 / (1 + excess), eta: sp.log(1 + v)}),
        ),
        Step(
            "it is concave, and its slope vanishes at",
            equal(sp.diff(SHORTFALL, a), 0),
            Symbolic(),
            where={a: WORST_SHARE},
        ),
        Step(
            "There the total variation is",
            equal(SHORTFALL, SHARP),
            Symbolic(),
            where={a: WORST_SHARE},
        ),
        Step(
            "Where that share exceeds 1, so $1 + L > e^{2 η}$, it is all of the target",
            equal(SHORTFALL.subs(a, 1), LEAKED),
            Symbolic(),
        ),
        Step(
            "Without leakage it is",
            equal(SHARP.subs(L, 0), sp.tanh(eta / 2)),
            Symbolic((exponentials, sp.simplify)),
        ),
        Step(
            "which is $δ$ at",
            equal(sp.tanh(eta / 2), delta),
            Symbolic(),
            where={eta: SUFFICIENT_ETA.expression},
        ),
        Step(
            "and with leakage never more than the sum of both",
            at_most(TOTAL_VARIATION_BOUND.expression, sp.tanh(eta / 2) + LEAKED),
            Digits(ERRORS_AND_LEAKS),
        ),
        Step(
            "The mean of KL(target || output). Small errors cost half their variance under the "
            "target: here the errors $u x$ on a share $a$, $u y$ on the rest, to order $u^2$",
            equal(sp.diff(TWO_VALUES, u, 2).subs(u, 0), a * (1 - a) * (x - y) ** 2),
            Symbolic(),
        ),
        Step(
            "whose mean over codes is",
            equal(EnumeratedVariance(ell, dprime), TARGET_VARIANCE_OF_ERROR.expression),
            Digits(at_targets()),
        ),
        Step(
            "Errors of any size: KL is the logarithm of the output's weight over the members' "
            "intended one, plus a mean of errors that vanishes over codes. By Jensen's inequality "
            "and the factors above, with the mean leakage $L$ of the uniform task over $e^{l_1} + "
            "... + e^{l_k}$,",
            at_most(EnumeratedKL(ell, dprime, L), KL_BOUND.expression),
            Digits(at_targets(L, rows=LEAKS)),
        ),
        Step(
            "One dense code without a layer has to lift the members' logits by $B$ above those "
            "of the $n - k$ others, so $B$ is about $ln(n/k)$ and more. It carries $B + l_j$ in "
            "place of $l_j$; with centred $l$ the squares that all errors grow with become",
            equal(
                sum((lift + value) ** 2 for value in LOGITS),
                3 * lift**2 + sum(value**2 for value in LOGITS),
            ),
            Symbolic((sp.expand,)),
            where={LOGITS[2]: -LOGITS[0] - LOGITS[1]},
        ),
    ),
)
