"""The rates of one fixed family of masks, by inclusion-exclusion, and their mean over families."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, product
from typing import ClassVar

import sympy as sp

from theory.derivations.checks import Rationals, Symbolic
from theory.derivations.derivation import Derivation, Point, Step, equal, points
from theory.enumerate import mean, outcome_law_of_family
from theory.formulas import false_positives as annealed
from theory.formulas.quenched import (
    EXPECTED_FALSE_POSITIVES,
    FALSE_POSITIVE_RATE,
    NESTED_EXPECTED_FALSE_POSITIVES,
    NESTED_FAILURE_PROBABILITY,
    F,
    J,
    Size,
    i,
    mask_of,
)
from theory.symbols import d, k, m, n

b = sp.Symbol("b", integer=True, nonnegative=True)
others = sp.Symbol("N", integer=True, positive=True)
avoiding = sp.Symbol("n_J", integer=True, nonnegative=True)
avoidance = sp.Symbol("g", positive=True)
uncovered = sp.IndexedBase("u")
first, second, contained = (sp.MatrixSymbol(name, 4, 4) for name in ("A_1", "A_2", "Z"))

DIGIT = sp.Mod(sp.floor(J / 2**b), 2)
SUBSETS = (J, 0, 2**m - 1)

STAY, ADD = sp.eye(2).as_immutable(), sp.ImmutableMatrix([[1, 1], [0, 1]])
ONE_BIT_AT_A_TIME = {
    first: sp.kronecker_product(STAY, ADD).as_immutable(),
    second: sp.kronecker_product(ADD, STAY).as_immutable(),
}
CONTAINED = {contained: sp.ImmutableMatrix(4, 4, lambda row, column: int(row & ~column == 0))}


def family_of(masks: str) -> int:
    """The integer F of a family whose masks are written out, bit 0 first: "110 011"."""
    return int(masks.replace(" ", "")[::-1], 2)


def families(*all_masks: str) -> tuple[tuple[int, int, int], ...]:
    """(F, n, d) of each family."""
    return tuple(
        (family_of(masks), len(masks.split()), len(masks.split()[0])) for masks in all_masks
    )


def inputs_of(sizes: tuple[tuple[int, int, int], ...]) -> tuple[Point, ...]:
    """Each family at every k, 1 <= k < n."""
    return points((F, n, d, k), ((F_, n_, d_, k_) for F_, n_, d_ in sizes for k_ in range(1, n_)))


def tokens_of(sizes: tuple[tuple[int, int, int], ...]) -> tuple[Point, ...]:
    """Each family at every k, 1 <= k < n, and every token."""
    return tuple({**at, i: sp.Integer(i_)} for at in inputs_of(sizes) for i_ in range(int(at[n])))


# of one weight and of many, with repeats, and with no bits and all bits
FAMILIES = families(
    "1100 0110 0011 1001 1010",
    "1110 0111 1000 0100 0010 0001",
    "110 110 011 000 111",
    "10110 01101 11010 00111 10001",
)
NESTED = families("10 11", "100 110 111", "1000 1100 1110 1111", "10000 11000 11100 11110 11111")
ENUMERABLE = points((n, k, d, m), ((2, 1, 4, 2), (3, 1, 3, 2), (3, 2, 3, 1), (4, 2, 3, 2)))
UP_TO_FIVE_BITS = points((m,), ((m_,) for m_ in range(1, 6)))
UP_TO_FIVE_MEMBERS = points((k,), ((k_,) for k_ in range(1, 6)))


def sets_of_bits(family: int, n: int, d: int) -> list[frozenset[int]]:
    """The family's masks as sets."""
    masks = [mask_of(family, d, token) for token in range(n)]
    return [frozenset(bit for bit in range(d) if mask >> bit & 1) for mask in masks]


class Counted(sp.Function):
    """A name in a printed claim; at integers, the mean over every case, by `count`."""

    count: ClassVar[Callable[..., Fraction]]

    @classmethod
    def eval(cls, *arguments: sp.Expr) -> sp.Expr | None:
        if not all(argument.is_Integer for argument in arguments):
            return None
        return sp.Rational(cls.count(*map(int, arguments)))


class CountedRate(Counted):
    """FPR_i, at (F, n, d, i, k): over all k-sets of the other tokens, do they cover S_i."""

    @staticmethod
    def count(family: int, n: int, d: int, token: int, k: int) -> Fraction:
        masks = sets_of_bits(family, n, d)
        own = masks.pop(token)
        covering = [own <= frozenset().union(*members) for members in combinations(masks, k)]
        return Fraction(sum(covering), len(covering))


class CountedFalsePositives(Counted):
    """E#FP, at (F, n, d, k): over all inputs, the number of false positives."""

    @staticmethod
    def count(family: int, n: int, d: int, k: int) -> Fraction:
        law = outcome_law_of_family(sets_of_bits(family, n, d), k)
        return mean(law, lambda outcome: outcome.false_positives)


class CountedFailure(Counted):
    """P_fail, at (F, n, d, k): over all inputs, is there a false positive."""

    @staticmethod
    def count(family: int, n: int, d: int, k: int) -> Fraction:
        law = outcome_law_of_family(sets_of_bits(family, n, d), k)
        return mean(law, lambda outcome: min(outcome.false_positives, 1))


class MeanOverFamilies(Counted):
    """E#FP at (n, k, d, m): over all families of m bits a token, the quenched E#FP by formula."""

    @staticmethod
    def count(n: int, k: int, d: int, m: int) -> Fraction:
        masks = [sum(1 << bit for bit in bits) for bits in combinations(range(d), m)]
        # which token owns which mask does not matter to E#FP: one order stands for all of them
        orders = Counter(tuple(sorted(family)) for family in product(masks, repeat=n))
        total = sum(
            count
            * EXPECTED_FALSE_POSITIVES.exact(
                F=sum(mask << d * token for token, mask in enumerate(family)), n=n, k=k, d=d
            )
            for family, count in orders.items()
        )
        return Fraction(str(total / orders.total()))


DERIVATION = Derivation(
    "quenched",
    "One fixed family of masks: its exact rates, and their mean over families",
    (
        Step(
            "Token $i$ owns $m$ bits, and $u_b$ is 1 where no member owns its bit $b$, else 0. The "
            "members cover the token when all $u_b$ are 0; multiplied out over the subsets $J$ of "
            "its bits, $J$ written in binary,",
            equal(
                sp.Product(1 - uncovered[b], (b, 0, m - 1)),
                sp.Sum((-1) ** Size(J) * sp.Product(uncovered[b] ** DIGIT, (b, 0, m - 1)), SUBSETS),
            ),
            Symbolic((sp.expand,), cases=UP_TO_FIVE_BITS),
        ),
        Step(
            "The product over $J$ is 1 when all $k$ members are among the $n_J$ of the other "
            "$n - 1$ tokens that own no bit of $J$. Drawn one after the other without repeats they "
            "are, with probability",
            equal(
                sp.Product((avoiding - b) / (n - 1 - b), (b, 0, k - 1)),
                sp.binomial(avoiding, k) / sp.binomial(n - 1, k),
            ),
            Symbolic((sp.expand_func, sp.simplify), cases=UP_TO_FIVE_MEMBERS),
        ),
        Step(
            "The last two steps give the token's rate; and so it is when the $k$-sets are looked "
            "at one by one, whatever the masks ($F$: all masks in binary; Weight: $m$; Avoiding: "
            "$n_J$)",
            equal(FALSE_POSITIVE_RATE.expression, CountedRate(F, n, d, i, k)),
            Rationals(tokens_of(FAMILIES)),
        ),
        Step(
            "All $n_J$ at once: count the other tokens by the set of the token's bits that they "
            "leave free, and add up the counts of the sets that contain $J$. One bit at a time "
            "is enough, which takes $m 2^{m-1}$ additions; for two bits",
            equal(second * first, contained),
            Symbolic(()),
            where=ONE_BIT_AT_A_TIME | CONTAINED,
        ),
        Step(
            "A token is no member of a random input with probability $1 - k/n$, and then the "
            "input is a random $k$-set of the others. With this factor the sums over $J$, which "
            "are integers, stand over the number of inputs",
            equal((1 - k / n) / sp.binomial(n - 1, k), 1 / sp.binomial(n, k)),
            Symbolic((sp.combsimp, sp.simplify)),
        ),
        Step(
            "The mean number of false positives adds that up over the tokens; and so it is when "
            "all inputs are looked at",
            equal(EXPECTED_FALSE_POSITIVES.expression, CountedFalsePositives(F, n, d, k)),
            Rationals(inputs_of(FAMILIES)),
        ),
        Step(
            "Now let the hashes be random. Each of $N$ other tokens avoids $J$ with the same "
            "probability $g$, independently, so $n_J$ is binomial and the mean number of $k$-sets "
            "that avoid $J$ is",
            equal(
                sp.Sum(
                    sp.binomial(others, avoiding)
                    * avoidance**avoiding
                    * (1 - avoidance) ** (others - avoiding)
                    * sp.binomial(avoiding, k),
                    (avoiding, 0, others),
                ),
                sp.binomial(others, k) * avoidance**k,
            ),
            Symbolic(
                (sp.expand,),
                cases=points((others, k), ((N_, k_) for N_ in range(1, 6) for k_ in (1, 2, 3))),
            ),
        ),
        Step(
            "Dividing by $C(N, k)$ leaves $g^k$, where $g$ depends on the size of $J$ only: the "
            "mean of the quenched rate over families is the annealed one",
            equal(
                sp.Sum(
                    (-1) ** Size(J) * annealed.AVOIDANCE.subs(annealed.j, Size(J)) ** k, SUBSETS
                ),
                annealed.FALSE_POSITIVE_RATE.expression,
            ),
            Symbolic((sp.expand,), cases=UP_TO_FIVE_BITS),
        ),
        Step(
            "The same for the number of false positives, from the quenched formula evaluated for "
            "every family",
            equal(MeanOverFamilies(n, k, d, m), annealed.EXPECTED_FALSE_POSITIVES.expression),
            Rationals(ENUMERABLE),
        ),
        Step(
            "An example far from any random family: token $i$ owns the first $i + 1$ of $n$ bits. "
            "Only a member above it covers it, so",
            equal(FALSE_POSITIVE_RATE.expression, 1 - sp.binomial(i, k) / sp.binomial(n - 1, k)),
            Rationals(tokens_of(NESTED)),
        ),
        Step(
            "and these rates add up to",
            equal(
                (1 - k / n) * sp.Sum(1 - sp.binomial(i, k) / sp.binomial(n - 1, k), (i, 0, n - 1)),
                NESTED_EXPECTED_FALSE_POSITIVES.expression,
            ),
            Symbolic((sp.expand_func, sp.simplify), cases=UP_TO_FIVE_MEMBERS),
        ),
        Step(
            "One input alone does not fail, that of the $k$ lightest tokens",
            equal(NESTED_FAILURE_PROBABILITY.expression, CountedFailure(F, n, d, k)),
            Rationals(inputs_of(NESTED)),
        ),
    ),
)
