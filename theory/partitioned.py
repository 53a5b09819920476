"""The partitioned filter: the d bits in m blocks, and of every token one bit in each block.

Where m does not divide d, some blocks hold one bit more than the others. The blocks are
independent: with W_b of the B_b bits of block b set, the FPR is exactly
prod_b (1 - (1 - 1/B_b)^k), and a non-member is covered with probability f = prod_b W_b / B_b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import ClassVar

import numpy as np

from theory.broadcasting import broadcasts
from theory.codes import HashedBits, log_ratio
from theory.domain import check_code, check_integer
from theory.logarithms import Floats, log_some
from theory.occupancy import Enclosure, LinearCoverage, Value, falling_moments, mean_of

# orders at which f^order is averaged one by one, beyond which it is bounded
_LONGEST_PRODUCT = 64
# tokens up to which P_fail is worked out on a grid, what that may cost, and when it is enough
_FEW, _LARGEST_BLOCK_LAW, _GRID_COST, _WIDE = 500, 1e6, 4e6, 1e-6


def blocks(d: int, m: int) -> tuple[tuple[int, int], ...]:
    """(bits, how many) of the blocks that d bits make in m parts as equal as can be."""
    small, larger = divmod(d, m)
    return tuple(
        (bits, count) for bits, count in ((small, m - larger), (small + 1, larger)) if count
    )


@broadcasts
def partitioned_rate(k: int, d: int, m: int) -> float:
    """Exact: FPR = prod_b (1 - (1 - 1/B_b)^k) of a partitioned filter; m blocks of d/m bits."""
    return math.exp(log_partitioned_rate(k, d, m))


@broadcasts
def log_partitioned_rate(k: int, d: int, m: int) -> float:
    """Exact: ln FPR, nats, of a partitioned filter."""
    k, d, m = check_code(k, d, m)
    return sum(
        count * math.log(-math.expm1(k * math.log1p(-1.0 / bits)))
        for bits, count in blocks(d, m)
        if bits > 1
    )


@dataclass(frozen=True)
class CoverageLaw:
    """The law of f / FPR by its moments: of m independent blocks E f^j is a product."""

    k: int
    d: int
    m: int

    def moments(self, order: int) -> tuple[float, float, Floats]:
        """(1, s, [E ((f/FPR - 1)/s)^j for j = 0..order]), s the standard deviation."""
        return _moments(self, order)


@lru_cache(maxsize=256)
def _moments(law: CoverageLaw, order: int) -> tuple[float, float, Floats]:
    parts = blocks(law.d, law.m)
    digits = 60 + (order + 1) * (len(str(parts[-1][0])) + 2) + 2 * len(str(law.k * law.m))
    with localcontext(Context(prec=digits, Emin=-(10**15), Emax=10**15)):
        raw = [Decimal(1)] * (order + 1)
        for bits, count in parts:
            avoided = [(Decimal(max(0, bits - j)) / bits) ** law.k for j in range(order + 1)]
            own = falling_moments(bits, bits, avoided)  # E W^j
            for j in range(order + 1):
                raw[j] *= (own[j] / Decimal(bits) ** j) ** count
        relative = [moment / raw[1] ** j for j, moment in enumerate(raw)]
        row, central = [Decimal(1)], [Decimal(1)]
        for _ in range(order):  # (f/FPR - 1)^j by powers of f/FPR
            row = [a - b for a, b in zip([Decimal(0), *row], [*row, Decimal(0)], strict=True)]
            central.append(sum((a * b for a, b in zip(row, relative, strict=False)), Decimal(0)))
        scale = central[2].sqrt() if central[2] > Decimal(10) ** -40 else Decimal(10) ** -20
        scaled = np.array([float(moment / scale**j) for j, moment in enumerate(central)])
    scaled.flags.writeable = False
    return 1.0, float(scale), scaled


def partitioned_enclosure(k: int, d: int, m: int, value: Value) -> Enclosure:
    """ln of the probability that some, or all, of several non-members are covered, nats.

    One of them: exact. All of them, up to 64: exact. Some: by the moments of f, between two proved
    ends; the upper end is never above what independent false positives would give.
    """
    k, d, m = check_code(k, d, m)
    log_rate = log_partitioned_rate(k, d, m)
    if value.some == value.all_of == 1:
        return Enclosure.rounded(log_rate)
    if value.some == 1 and value.all_of <= _LONGEST_PRODUCT:
        return Enclosure.rounded(_log_power(k, d, m, value.all_of))
    known = Enclosure(value.all_of * log_rate, 0.0)
    if value.all_of == 1:
        known = Enclosure(log_rate, float(log_some(value.some, log_rate)))
    found = known.widened()
    if value.all_of == 1 and k < _FEW and k * d / m < _LARGEST_BLOCK_LAW:
        found = found.within(_on_a_grid(k, d, m, value.some))
    if found.relative_width < _WIDE:
        return found
    return mean_of(CoverageLaw(k, d, m), LinearCoverage(log_rate), value).within(found)


def _on_a_grid(k: int, d: int, m: int, count: int) -> Enclosure:
    """ln E (1 - (1 - f)^count) with every block's factor of f split between two powers of e^-step.

    The split keeps each factor's mean, so that f becomes a mean-preserving spread of itself: the
    mean of the concave 1 - (1 - f)^count falls, by at most count (count - 1)/2 times what the
    mean of f^2 gains.
    """
    parts = [(bits, times, _fill_law(k, bits)) for bits, times in blocks(d, m)]
    atoms = max(len(law) for _, _, law in parts)
    step = m * m * atoms * max(1.0, math.log(parts[-1][0])) / _GRID_COST
    if step > 1.0:  # too coarse to say anything
        return Enclosure(-math.inf, 0.0)
    grid = np.ones(1)
    for bits, times, law in parts:
        share = np.arange(1, len(law) + 1) / bits
        place = np.floor(np.maximum(-np.log(share) / step, 0.0)).astype(int)
        high, low = np.exp(-step * place), np.exp(-step * (place + 1))
        split = np.clip((share - low) / (high - low), 0.0, 1.0)
        factor = np.bincount(place, law * split, place.max() + 2)
        factor += np.bincount(place + 1, law * (1.0 - split), place.max() + 2)
        kept = np.flatnonzero(factor)
        for _ in range(times):
            grown = np.zeros(len(grid) + len(factor) - 1)
            for at in kept.tolist():
                grown[at : at + len(grid)] += factor[at] * grid
            grid = grown
    log_f = -step * np.arange(len(grid))
    lower = float(grid @ np.exp(log_some(count, log_f)))
    square = float(grid @ np.exp(2.0 * log_f))
    gained = max(0.0, square - math.exp(_log_power(k, d, m, 2))) + 1e-13 * square
    upper = lower + 0.5 * count * (count - 1) * gained
    slack = 1e-12
    if lower <= 0.0:
        return Enclosure(-math.inf, 0.0)
    return Enclosure(math.log(lower) - slack, min(0.0, math.log(upper) + slack))


def _fill_law(k: int, bits: int) -> Floats:
    """P(W = w) of the bits that k draws set, w = 1..min(k, bits)."""
    law = np.ones(1)
    for _ in range(k - 1):
        w = np.arange(1, len(law) + 1)
        grown = np.zeros(min(len(law) + 1, bits))
        grown[: len(law)] = law * w / bits
        moved = (law * (bits - w) / bits)[: len(grown) - 1]
        grown[1 : len(moved) + 1] += moved
        law = grown
    return law


def _log_power(k: int, d: int, m: int, power: int) -> float:
    """ln E f^power, nats."""
    digits = 40 + (power + 1) * (len(str(d)) + 1) + len(str(k))
    total = 0.0
    with localcontext(Context(prec=digits, Emin=-(10**15), Emax=10**15)):
        for bits, count in blocks(d, m):
            avoided = [(Decimal(max(0, bits - j)) / bits) ** k for j in range(power + 1)]
            own = falling_moments(bits, bits, avoided)[power] / Decimal(bits) ** power
            total += count * float(own.ln())
    return total


class Partitioned(HashedBits):
    """One bit in each of m blocks. The FPR is exact, P_fail is enclosed."""

    name: ClassVar[str] = "partitioned"

    def enclose(self, k: int, d: int, parameter: int, value: Value) -> Enclosure:
        return partitioned_enclosure(k, d, parameter, value)

    def fewest(self, parameter: int) -> int:
        return parameter

    def log_rate_given_fill(self, d: int, parameter: int, w: int) -> float:
        """m ln(w/d): the blocks equally full."""
        w = check_integer("w", w, 0, d, "d")
        return parameter * math.log(w / d) if w else -math.inf

    def likely_parameter(self, k: int, d: int) -> float:
        """By the classic rate, which is the limit of this one."""
        return math.log(2.0) * d / (k + 0.5)

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        return (k + 0.5) * log_ratio(n, k, epsilon) / math.log(2.0) ** 2


PARTITIONED = Partitioned()
