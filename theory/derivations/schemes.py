"""The filters that engineers build, and the law of the union that all their rates rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, product

import sympy as sp

from theory import double_hashing, partitioned
from theory.derivations.checks import Rationals, Symbolic
from theory.derivations.derivation import Derivation, Step, at_most, equal, points
from theory.formulas.false_positives import FALSE_POSITIVE_RATE, UPPER_BOUND
from theory.formulas.schemes import (
    BLOCKED_RATE,
    DOUBLE_HASHING_BOUND,
    JOINT_RATE,
    PARTITIONED_RATE,
    block,
    blocks,
    queries,
)
from theory.formulas.union_size import COVERINGS, UNION_SIZE_LAW
from theory.symbols import d, k, m, w

j = sp.Symbol("j", integer=True, nonnegative=True)

CODES = points((k, d, m), ((1, 4, 2), (2, 5, 2), (3, 6, 3), (4, 7, 1)))
SIZES = points((w, k, d, m), ((2, 2, 5, 2), (4, 2, 5, 2), (5, 3, 6, 3), (3, 4, 7, 1)))

Token = frozenset[int]


def _mean(tokens: list[Token], k: int, value: Callable[[sp.Rational], sp.Expr]) -> sp.Expr:
    """Mean of a value of the coverage, over all choices of the k members' hashes."""
    total = sp.Integer(0)
    for members in product(tokens, repeat=k):
        union = frozenset().union(*members)
        total += value(sp.Rational(sum(token <= union for token in tokens), len(tokens)))
    return total / len(tokens) ** k


class _Enumerated(sp.Function):
    """A mean over every choice of hashes, at integers; a name elsewhere."""

    @classmethod
    def eval(cls, *sizes: sp.Expr) -> sp.Expr | None:
        if not all(size.is_Integer for size in sizes):
            return None
        return cls.of(*map(int, sizes))

    @staticmethod
    def of(*sizes: int) -> sp.Expr:
        raise NotImplementedError


def _subsets(bits: Iterable[int], m: int) -> list[Token]:
    return [frozenset(own) for own in combinations(bits, m)]


class EnumeratedPartitioned(_Enumerated):
    """FPR(k, d, m) of a partitioned filter."""

    @staticmethod
    def of(*sizes: int) -> sp.Expr:
        k, d, m = sizes
        parts, start = [], 0
        for bits, count in partitioned.blocks(d, m):
            for _ in range(count):
                parts.append(range(start, start + bits))
                start += bits
        return _mean([frozenset(own) for own in product(*parts)], k, lambda f: f)


class EnumeratedBlocked(_Enumerated):
    """FPR(k, b, B, m) of a blocked filter."""

    @staticmethod
    def of(*sizes: int) -> sp.Expr:
        k, b, size, m = sizes
        starts = range(0, b * size, size)
        tokens = [own for start in starts for own in _subsets(range(start, start + size), m)]
        return _mean(tokens, k, lambda f: f)


class EnumeratedJoint(_Enumerated):
    """P(q queries are all false positives) at (q, k, d, m)."""

    @staticmethod
    def of(*sizes: int) -> sp.Expr:
        q, k, d, m = sizes
        return _mean(_subsets(range(d), m), k, lambda f: f**q)


class EnumeratedDoubleHashing(_Enumerated):
    """FPR(k, d, m) of enhanced double hashing."""

    @staticmethod
    def of(*sizes: int) -> sp.Expr:
        k, d, m = sizes
        places = double_hashing.offsets(d, m)
        tokens = [frozenset(((a + own) % d).tolist()) for own in places for a in range(d)]
        return _mean(tokens, k, lambda f: f)


BEFORE, AFTER = (COVERINGS.expression.subs(m, 1).subs(k, k_) for k_ in (k, k + 1))
EMPTY = sp.binomial(d - j, m) / sp.binomial(d, m)

DERIVATION = Derivation(
    "schemes",
    "Partitioned, blocked and double hashing, and what they share with the union of random hashes",
    (
        Step(
            "Hash the members bit by bit. With $w$ bits covered, a token that has one bit adds a "
            "covered one in $w$ ways or a new one, so that the number $u$ of ways to cover $w$ "
            "bits obeys $u'(w) = w u(w) + u(w-1)$; here for $m = 1$",
            equal(AFTER, w * BEFORE + BEFORE.subs(w, w - 1)),
            Rationals(points((w, k), ((1, 1), (2, 3), (3, 3), (4, 6), (5, 5)))),
        ),
        Step(
            "The new bits can be chosen in $(d)_w$ ways, and all $k$ hashes in $(d)_m^k$: the law "
            "of the union's size at any width, from one table $u$ for $k$ and $m$",
            equal(sp.ff(d, w) * COVERINGS.expression / sp.ff(d, m) ** k, UNION_SIZE_LAW.expression),
            Rationals(SIZES),
        ),
        Step(
            "$j$ given bits are empty with probability $(C(d-j, m)/C(d, m))^k$, which is the mean "
            "of $(X)_j$ over $(d)_j$ for the number $X$ of empty bits: moments in closed form, by "
            "which means over the union are enclosed where the law has too many terms",
            equal(
                sp.Sum(UNION_SIZE_LAW.expression * sp.ff(d - w, j), (w, m, d)),
                sp.ff(d, j) * EMPTY**k,
            ),
            Rationals(
                points((j, k, d, m), ((1, 2, 5, 2), (2, 2, 5, 2), (3, 3, 6, 2), (2, 4, 7, 1)))
            ),
        ),
        Step(
            "Several queries of one filter share its union, so that all are false positives with "
            "the mean of $f^q$",
            equal(JOINT_RATE.expression, EnumeratedJoint(queries, k, d, m)),
            Rationals(points((queries, k, d, m), ((2, 2, 4, 2), (3, 2, 5, 2), (2, 3, 4, 1)))),
        ),
        Step(
            "which is more than if they were independent (Jensen)",
            at_most(FALSE_POSITIVE_RATE.expression**queries, JOINT_RATE.expression),
            Rationals(
                points((queries, k, d, m), ((2, 2, 6, 2), (3, 3, 7, 2), (5, 2, 5, 4), (2, 4, 8, 1)))
            ),
        ),
        Step(
            "A partitioned filter has independent parts, and in each a query's bit is set with the "
            "mean fill of the part",
            equal(PARTITIONED_RATE.expression, EnumeratedPartitioned(k, d, m)),
            Rationals(points((k, d, m), ((1, 4, 2), (2, 5, 2), (2, 6, 3), (3, 5, 2)))),
        ),
        Step(
            "With equal parts of $B$ bits that is the upper bound on the rate of $m$ different "
            "bits: what a partition costs is what negative association gains",
            equal(PARTITIONED_RATE.expression, UPPER_BOUND.expression),
            Symbolic((sp.simplify,)),
            where={d: m * block},
        ),
        Step(
            "In a blocked filter a query meets one block, which holds a binomial number of the "
            "tokens",
            equal(BLOCKED_RATE.expression, EnumeratedBlocked(k, blocks, block, m)),
            Rationals(
                points(
                    (k, blocks, block, m), ((1, 2, 3, 2), (2, 2, 3, 1), (2, 3, 2, 1), (3, 2, 3, 2))
                )
            ),
        ),
        Step(
            "Crowded blocks cost more than empty ones save: at these sizes it is at least the rate "
            "without blocks",
            at_most(
                FALSE_POSITIVE_RATE.expression.subs(d, blocks * block), BLOCKED_RATE.expression
            ),
            Rationals(
                points(
                    (k, blocks, block, m), ((2, 2, 4, 1), (2, 2, 4, 2), (4, 3, 3, 2), (5, 2, 6, 3))
                )
            ),
        ),
        Step(
            "With double hashing a query has some member's two numbers, and so all its bits, with "
            "the probability of the left side, however many bits there are",
            at_most(DOUBLE_HASHING_BOUND.expression, EnumeratedDoubleHashing(k, d, m)),
            Rationals(points((k, d, m), ((1, 4, 3), (2, 3, 4), (2, 5, 3), (1, 6, 5)))),
        ),
    ),
)
