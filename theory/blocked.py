"""The blocked filter: every token lives in one block of B bits, and owns m bits there.

A cache line a query (Putze, Sanders & Singler 2009). The k tokens fall into b = d/B blocks
uniformly, so that the FPR is the mean over a binomial load j of the FPR of a filter of B bits with
j tokens; blocks that happen to hold many tokens dominate it. Given all the blocks, a non-member is
covered with probability f, the mean of the blocks' coverages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from theory.codes import HashedBits, log_ratio
from theory.column_weight import WITH_REPLACEMENT, check_draws
from theory.domain import DomainError, check_code, check_integer
from theory.fixed_weight import FIXED_WEIGHT
from theory.logarithms import Floats, log_some
from theory.occupancy import Enclosure, RootedCoverage, Value
from theory.union_size import log_coverage

# loads less likely than this are left out of a mean, and added to its upper end
_NEGLIGIBLE = 1e-30
_LARGEST_BLOCK = 2**15
_MOST_STEPS = 2e9


@dataclass(frozen=True)
class Blocked(HashedBits):
    """m bits a token in one block, all different or draws (`replacing`); P_fail is enclosed."""

    block: int = 512
    replacing: bool = False
    name: ClassVar[str] = "blocked"

    def __post_init__(self) -> None:
        check_integer("block", self.block, 1, _LARGEST_BLOCK)

    @property
    def unit(self) -> int:  # type: ignore[override]
        """Every width is a multiple of the block."""
        return self.block

    @property
    def inside(self) -> HashedBits:
        """The scheme of one block, a filter of its own."""
        return WITH_REPLACEMENT if self.replacing else FIXED_WEIGHT

    def narrowest(self, k: int) -> int:
        return self.block

    def check_parameter(self, d: int, parameter: float) -> int:
        self._blocks(d)
        if self.replacing:
            return check_integer("m", parameter, 1)
        return check_integer("m", parameter, 1, self.block, "block")

    def most(self, d: int) -> int:
        return self.block

    def likely_parameter(self, k: int, d: int) -> float:
        """That of an ordinary filter, less what crowded blocks ask for."""
        return 0.6 * d / k

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        return 1.2 * k * log_ratio(n, k, epsilon) / math.log(2.0) ** 2

    def fewest(self, parameter: int) -> int:
        return self.inside.fewest(parameter)

    def log_rate_given_fill(self, d: int, parameter: int, w: int) -> float:
        """ln of a block's coverage, all blocks equally full."""
        set_bits = check_integer("w", w, 0, d, "d") / self._blocks(d)
        if w == 0 or (set_bits < parameter and not self.replacing):
            return -math.inf
        return RootedCoverage(self.block, parameter, not self.replacing).log_at(set_bits)

    def enclose(self, k: int, d: int, parameter: int, value: Value) -> Enclosure:
        """One block: exact. Otherwise by the law of the blocks' loads."""
        m = self.check_parameter(d, parameter)
        k, d, _ = check_code(k, d, 1)
        blocks = self._blocks(d)
        if blocks == 1:
            return self.inside.enclose(k, self.block, m, value)
        return _enclosure(Spread(k, blocks, self.block, m, self.replacing), value)

    def _blocks(self, d: int) -> int:
        d = check_integer("d", d, 1)
        if d % self.block:
            raise DomainError(f"d must be a multiple of block = {self.block}; got {d}")
        return d // self.block


@dataclass(frozen=True)
class Spread:
    """k tokens spread over two or more blocks of `size` bits, m bits each in its block."""

    k: int
    blocks: int
    size: int
    m: int
    replacing: bool

    def loads(self) -> tuple[Floats, float]:
        """The law of one block's load, and a bound on what lies beyond."""
        return _loads(self.k, 1.0 / self.blocks)

    def coverages(self) -> tuple[Floats, Floats]:
        """(E f, E f^2) of a block at every load."""
        return coverages_by_load(len(self.loads()[0]) - 1, self.size, self.m, self.replacing)

    def rate(self) -> float:
        """The FPR: a query meets one block."""
        return min(1.0, float(self.loads()[0] @ self.coverages()[0]))

    def variance(self) -> float:
        """Var f, f the mean of the blocks' coverages: from the loads of one block, and of two."""
        (loads, _), (first, second) = self.loads(), self.coverages()
        # given the load of one block the other tokens are spread over the others
        other = np.zeros(len(loads))
        for load in np.flatnonzero(loads > 1e-20 * loads.max()).tolist():
            law, _ = _loads(self.k - load, 1.0 / (self.blocks - 1))
            shared = min(len(law), len(first))
            other[load] = float(law[:shared] @ first[:shared])
        pair = float(loads @ (first * other))
        square = float(loads @ second)
        return max(0.0, (square - pair) / self.blocks + pair - self.rate() ** 2)


def _enclosure(spread: Spread, value: Value) -> Enclosure:
    """ln E value(f), nats. One query: exact. Otherwise P_fail between f's mean taken for f, and
    Taylor's second order below it; f^j between the powers of the mean, and the mean of f^2.
    """
    rate, left_out = spread.rate(), spread.loads()[1]
    log_rate = math.log(rate) if rate > 0.0 else -math.inf
    if value.some == value.all_of == 1 or log_rate == -math.inf:
        return Enclosure.rounded(log_rate).or_more(left_out)
    variance = spread.variance()
    if value.some == 1:
        log_variance = math.log(variance) if variance > 0.0 else -math.inf
        upper = float(np.logaddexp(log_variance, 2.0 * log_rate))
        return Enclosure(value.all_of * log_rate, upper).widened().or_more(left_out)
    upper = float(log_some(value.some, log_rate))
    loss = 0.5 * value.some * (value.some - 1.0) * (variance + 1e-14 * rate * rate)
    lower = max(math.exp(upper) - loss, rate)
    return Enclosure(math.log(lower), upper).widened().or_more(left_out)


@lru_cache(maxsize=512)
def _loads(k: int, share: float) -> tuple[Floats, float]:
    """(P(Binomial(k, share) = j) for j = 0.., a bound on what lies beyond), by ratios."""
    if share == 1.0:
        return np.eye(1, k + 1, k)[0], 0.0
    mean = k * share
    most = min(k, math.ceil(mean + 14.0 * math.sqrt(mean) + 60.0))
    if most > 10**5:
        raise DomainError(f"block must leave at most about 100000 tokens a block; got {mean:.0f}")
    j = np.arange(most)
    with np.errstate(divide="ignore"):
        log_ratio_of_next = np.log((k - j) / (j + 1.0)) + math.log(share) - math.log1p(-share)
    log_law = np.concatenate([[0.0], np.cumsum(log_ratio_of_next)])
    law = np.exp(log_law - log_law.max())
    law /= law.sum()
    law.flags.writeable = False
    return law, 0.0 if most == k else _NEGLIGIBLE


@lru_cache(maxsize=64)
def _coverages(most: int, block: int, m: int, replacing: bool) -> tuple[Floats, Floats]:
    """(E f, E f^2) of a filter of `block` bits with 0..most tokens; float64 [most + 1] each.

    By the law of the bits that are set, hashed one by one as in `theory.coverings`.
    """
    if most * m * (block + 2000) > _MOST_STEPS:
        raise DomainError(
            f"m must be smaller for blocks of {block} bits with {most} tokens; got {m}"
        )
    w = np.arange(block + 1.0)
    if replacing:
        f = (w / block) ** m
    else:
        f = np.concatenate([np.zeros(m), np.exp(log_coverage(block, m))])
    law = np.zeros(block + 1)
    law[0] = 1.0
    first, second = np.zeros(most + 1), np.zeros(most + 1)
    for load in range(1, most + 1):
        if law[-1] == 1.0:  # full, and stays so
            first[load:] = second[load:] = 1.0
            break
        for bit in range(m):
            owned = 0 if replacing else bit
            grown = law * (w - owned)
            grown[1:] += law[:-1] * (block - w[:-1])
            law = grown / (block - owned)
        law /= law.sum()
        first[load], second[load] = law @ f, law @ (f * f)
    return np.minimum(first, 1.0), np.minimum(second, 1.0)


def coverages_by_load(
    most: int, block: int, m: int, replacing: bool = False
) -> tuple[Floats, Floats]:
    """Exact: (E f, E f^2) of one block that holds j = 0..most tokens; float64 [most + 1] each."""
    check_draws(1, block, m)
    # whole powers of two, so that neighbouring sizes share their tables
    rounded = max(8, 1 << (most - 1).bit_length()) if most > 1 else 8
    first, second = _coverages(rounded, block, m, replacing)
    return first[: most + 1], second[: most + 1]


BLOCKED = Blocked()
