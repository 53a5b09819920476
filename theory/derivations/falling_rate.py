"""Where the least error falls with the width: the false-positive rate always, P_fail not."""

from __future__ import annotations

import sympy as sp

from theory.derivations.checks import Rationals, Symbolic
from theory.derivations.derivation import Derivation, Step, at_most, equal, points, positive
from theory.formulas.false_positives import FAILURE_PROBABILITY, FALSE_POSITIVE_RATE
from theory.symbols import d, k, m, n, s

left = sp.Symbol("r", integer=True, positive=True)
slack, fewer, missed = sp.symbols("slack fewer missed", integer=True, nonnegative=True)


def hits(width: sp.Expr) -> sp.Expr:
    """P(one member's m bits hit s of r given ones)."""
    return sp.binomial(left, s) * sp.binomial(width - left, m - s) / sp.binomial(width, m)


RATIO = (d + 1 - left) * (d + 1 - m) / ((d + 1) * (d + 1 - left - m + s))


class Uncovered(sp.Function):
    """P(k members hit all m bits of a query) at (k, d, m): one member after the other."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        k, d, m = map(int, sizes)
        law = {m: sp.Integer(1)}
        for _ in range(k):
            later: dict[int, sp.Expr] = {}
            for bits, probability in law.items():
                for hit in range(min(bits, m) + 1):
                    ways = sp.binomial(bits, hit) * sp.binomial(d - bits, m - hit)
                    moved = probability * ways / sp.binomial(d, m)
                    later[bits - hit] = later.get(bits - hit, sp.Integer(0)) + moved
            law = later
        return law.get(0, sp.Integer(0))


GRID = [(k_, d_, m_) for k_ in (1, 2, 3, 5) for d_ in (2, 3, 5, 7) for m_ in range(1, d_ + 1)]

DERIVATION = Derivation(
    "falling_rate",
    "The false-positive rate falls with the width; the failure probability need not",
    (
        Step(
            "Look at the query's bits that no member has hit yet. The members come one after the "
            "other, and each hits a hypergeometric number of the bits that are left; the query is "
            "a false positive when none is left in the end",
            equal(FALSE_POSITIVE_RATE.expression, Uncovered(k, d, m)),
            Rationals(points((k, d, m), ((1, 4, 2), (2, 5, 2), (3, 6, 3), (4, 5, 1), (2, 4, 4)))),
        ),
        Step(
            "One more bit of width changes the probability of $s$ hits on $r$ bits by a factor",
            equal(hits(d + 1) / hits(d), RATIO),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "that falls as $s$ grows, up to the smaller of $m$ and $r$, where $r + m - s ≤ d$",
            positive(RATIO - RATIO.subs(s, s + 1)),
            Symbolic(
                (sp.factor,),
                domain={d: left + m - s + slack, m: s + 1 + fewer, left: s + 1 + missed},
            ),
        ),
        Step(
            "So hits become stochastically fewer, and fewer hits leave at least as many bits for "
            "the next member. At every $m$ the rate falls with the width, and so do its least "
            "value over $m$ and the expected number of false positives",
            at_most(FALSE_POSITIVE_RATE.expression.subs(d, d + 1), FALSE_POSITIVE_RATE.expression),
            Rationals(points((k, d, m), GRID)),
        ),
        Step(
            "With one non-member the failure probability is that rate",
            equal(FAILURE_PROBABILITY.expression.subs(n, k + 1), FALSE_POSITIVE_RATE.expression),
            Rationals(points((k, d, m), ((1, 4, 2), (2, 5, 2), (3, 6, 3)))),
        ),
        Step(
            "With many it need not fall at a given $m$, nor at the best: where failure is all but "
            "certain, success rests on members that coincide, which they do less often in a wider "
            "residual",
            at_most(FAILURE_PROBABILITY.expression, FAILURE_PROBABILITY.expression.subs(d, d + 1)),
            Rationals(points((n, k, d, m), ((24, 4, 6, 5), (23, 3, 8, 7)))),
        ),
    ),
)
