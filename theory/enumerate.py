"""The oracle: every hash family at tiny sizes, in exact rationals, with nothing assumed.

Slow on purpose and independent of every formula: it draws no law, it looks at all
C(d, m)^n families (the members may be taken to be the first k tokens).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations, product
from typing import NamedTuple

from theory.domain import DomainError, check_sizes

_MOST_FAMILIES = 5_000_000


class Outcome(NamedTuple):
    """What one input sees: the union's size and each non-member's missing bits, in token order."""

    union_size: int
    missing_bits: tuple[int, ...]

    @property
    def false_positives(self) -> int:
        """Number of non-members with no missing bit."""
        return self.missing_bits.count(0)


def outcome_of(hashes: Sequence[frozenset[int]], members: Sequence[int]) -> Outcome:
    """The outcome of one input: hashes[i] is token i's set of bits, `members` the active tokens."""
    union = frozenset().union(*(hashes[i] for i in members))
    others = (token for token in range(len(hashes)) if token not in members)
    return Outcome(len(union), tuple(len(hashes[token] - union) for token in others))


def outcome_law(n: int, k: int, d: int, m: int) -> dict[Outcome, Fraction]:
    """Exact annealed law of the outcome: all hash families, each equally likely.

    Raises DomainError outside 1 <= k <= n, 1 <= m <= d, or where there are over 5 million families.
    """
    check_sizes(n, k, d, m)
    subsets = [frozenset(bits) for bits in combinations(range(d), m)]
    families = len(subsets) ** n
    if families > _MOST_FAMILIES:
        raise DomainError(f"n must leave at most {_MOST_FAMILIES} families; got {families}")
    counts = Counter(outcome_of(family, range(k)) for family in product(subsets, repeat=n))
    return {outcome: Fraction(count, families) for outcome, count in counts.items()}


def outcome_law_of_family(hashes: Sequence[frozenset[int]], k: int) -> dict[Outcome, Fraction]:
    """Exact quenched law of the outcome: one family, all C(n, k) inputs equally likely."""
    counts = Counter(outcome_of(hashes, members) for members in combinations(range(len(hashes)), k))
    return {outcome: Fraction(count, counts.total()) for outcome, count in counts.items()}


def mean(law: dict[Outcome, Fraction], value: Callable[[Outcome], Fraction | int]) -> Fraction:
    """E[value(outcome)]; an indicator gives a probability, and mpmath values a real number."""
    return sum((weight * value(outcome) for outcome, weight in law.items()), start=Fraction(0))
