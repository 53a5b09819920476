"""Enhanced double hashing: a token's m bits follow from two numbers a and b below d.

Bit i is a + i b + (i^3 - i)/6 modulo d (Dillinger & Manolios 2004). Two tokens with the same a and
b share every bit, which independent hashes hardly ever do: FPR >= 1 - (1 - 1/d^2)^k, and P_fail
stays above N/d^2 whatever m is. Below that the rate tends to that of draws with replacement.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar

import numpy as np

from theory.codes import HashedBits
from theory.column_weight import WITH_REPLACEMENT, check_draws
from theory.domain import DomainError, check_integer
from theory.logarithms import log_mean, log_some
from theory.occupancy import Enclosure, Value

# d^2 pairs are looked at for every union, and d^3 for an exact rate
LARGEST_WIDTH = 2048
_LARGEST_EXACT_WIDTH, _LARGEST_EXACT_HASHES = 256, 12
_PAIRS, _FEWEST_UNIONS, _SEED = 10**8, 24, 0
# bits of a pair that are looked up, in all unions of a code
_MOST_LOOKS = 10**9
# bits of a pair that are looked up for all pairs at once, before few of them are left
_WHOLE_TABLES = 6
# tokens hashed at a time, until no bit is left
_TOKENS = 2**13


def offsets(d: int, m: int) -> np.ndarray:
    """What the bits of a token with a = 0 are: int64 [d, m], row b."""
    i = np.arange(m, dtype=object)
    cubic = np.array([(j**3 - j) // 6 % d for j in i], dtype=np.int64)
    steps = np.array([j % d for j in i], dtype=np.int64)
    return (np.arange(d)[:, None] * steps + cubic) % d


def coverage(union: np.ndarray, m: int) -> float:
    """Exact: the share of all d^2 pairs (a, b) whose m bits lie in the union, bool [d]."""
    d = len(union)
    if union.all():
        return 1.0
    places = offsets(d, m)
    moved = np.lib.stride_tricks.sliding_window_view(np.concatenate([union, union]), d)
    both = np.tile(union, (d, 1))  # [b, a]
    for i in range(1, min(m, _WHOLE_TABLES)):
        both &= moved[places[:, i]]
    b, a = np.nonzero(both)
    for i in range(_WHOLE_TABLES, m):
        inside = union[(a + places[b, i]) % d]
        a, b = a[inside], b[inside]
    return len(a) / d**2


def equal_pair_rate(k: int, d: int) -> float:
    """Lower bound: FPR >= 1 - (1 - 1/d^2)^k, that the query's a and b are some member's."""
    k, d, _ = check_draws(k, d, 1)
    return 1.0 if d == 1 else -math.expm1(k * math.log1p(-1.0 / d**2))


@lru_cache(maxsize=64)
def double_hashing_rate(k: int, d: int, m: int) -> float:
    """Exact: FPR over all pairs (a, b), d <= 256, m <= 12, by inclusion-exclusion.

    The query may have a = 0, since moving every token along leaves the filter as it is. A member
    avoids J of the query's bits with probability n_J / d^2, counted over all its pairs.
    """
    k, d, m = check_draws(k, d, m)
    check_integer("d", d, 1, _LARGEST_EXACT_WIDTH)
    check_integer("m", m, 1, _LARGEST_EXACT_HASHES)
    places = offsets(d, m)
    total = 0.0
    for query in places:
        bits = np.unique(query)
        owner = np.zeros(d, dtype=np.int64)
        owner[bits] = 1 << np.arange(len(bits))
        hit = np.zeros((d, d), dtype=np.int64)  # [b, a]
        for i in range(m):
            hit |= owner[(places[:, i, None] + np.arange(d)) % d]
        avoiding = np.bincount(hit.ravel(), minlength=2 ** len(bits)).reshape([2] * len(bits))
        for axis in range(len(bits)):  # of the bits in J, none is hit
            free = np.take(avoiding, 0, axis)
            avoiding = np.stack([avoiding.sum(axis), free], axis)
        sign = np.array([(-1.0) ** j.bit_count() for j in range(2 ** len(bits))])
        total += float(sign @ (avoiding.ravel() / d**2) ** k)
    return min(1.0, max(total / d, equal_pair_rate(k, d)))


@lru_cache(maxsize=128)
def simulated_coverages(k: int, d: int, m: int) -> tuple[float, ...]:
    """The exact coverages of unions of k random tokens: 24 or more, from seed 0."""
    unions = max(_FEWEST_UNIONS, min(400, _PAIRS // (4 * d * d)))
    full = 1.0 if d == 1 else -math.expm1(k * m * math.log1p(-1.0 / d))
    empty = d * (1.0 - full)
    # at every bit a share `full` of the pairs is left, and no bit is looked up of a full union
    looks = d * d * unions * min(m, d / max(empty, 1.0)) * min(1.0, empty)
    if looks > _MOST_LOOKS or d * m > _PAIRS:
        raise DomainError(
            f"k, d, m = {k}, {d}, {m} must be smaller for a simulated rate, which takes "
            f"{max(looks, d * m):.1g} steps here and {_MOST_LOOKS:.0e} at most"
        )
    rng = np.random.default_rng(_SEED)
    places = offsets(d, m)
    found = []
    for _ in range(unions):
        union = np.zeros(d, dtype=bool)
        for start in range(0, k, _TOKENS):
            if union.all():
                break
            a, b = rng.integers(0, d, size=(2, min(_TOKENS, k - start)))
            union[(a[:, None] + places[b]) % d] = True
        found.append(coverage(union, m))
    return tuple(found)


class DoubleHashing(HashedBits):
    """Enhanced double hashing. Simulated, but for the FPR up to d = 256 and m = 12, exact."""

    name: ClassVar[str] = "double-hashing"
    kind: ClassVar[str] = "simulated"
    widest: ClassVar[int] = LARGEST_WIDTH

    def check_parameter(self, d: int, parameter: float) -> int:
        return check_integer("m", parameter, 1)

    def enclose(self, k: int, d: int, parameter: int, value: Value) -> Enclosure:
        """The mean over simulated unions, between two proved ends."""
        k, d, m = check_draws(k, d, parameter)
        check_integer("d", d, 1, LARGEST_WIDTH)
        if k * m > 10**7:
            raise DomainError(f"k must be at most {10**7 // m} for a simulated rate; got {k}")
        exact = d <= _LARGEST_EXACT_WIDTH and m <= _LARGEST_EXACT_HASHES
        if value.some == value.all_of == 1 and exact:
            return Enclosure.rounded(math.log(double_hashing_rate(k, d, m)))
        # some member's own pair covers, and so does one pair in d^2 at least
        least = value.all_of * math.log(1.0 / d**2)
        known = Enclosure(float(log_some(value.some, least)), 0.0)
        if exact:
            log_rate = math.log(double_hashing_rate(k, d, m))
            jensen = Enclosure(value.all_of * log_rate, 0.0)
            if value.some > 1:
                jensen = Enclosure(log_rate, float(log_some(value.some, log_rate)))
            known = known.within(jensen)
        log_f = np.log(np.array(simulated_coverages(k, d, m)))
        equally = np.full(len(log_f), -math.log(len(log_f)))
        mean = log_mean(equally, log_some(value.some, value.all_of * log_f))
        return Enclosure(known.lower, known.upper, min(0.0, mean)).widened()

    def log_failure(self, n: int, k: int, d: int, parameter: int) -> float:
        """The simulated value, whatever its ends."""
        if n == k:
            return -math.inf
        return self.enclose(k, d, parameter, Value(some=n - k)).middle

    def log_rate_given_fill(self, d: int, parameter: int, w: int) -> float:
        """m ln(w/d), as if the bits were independent."""
        return WITH_REPLACEMENT.log_rate_given_fill(d, parameter, w)

    def likely_parameter(self, k: int, d: int) -> float:
        return WITH_REPLACEMENT.likely_parameter(k, d)

    def best_parameter(self, n: int, k: int, d: int) -> int:
        """That of draws with replacement, which this scheme imitates."""
        return WITH_REPLACEMENT.best_parameter(n, k, d)

    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        """Refuses at once what takes more than 2048 bits, by the share of equal pairs."""
        least = math.sqrt((n - k) / -math.log1p(-epsilon))
        found = max(least, WITH_REPLACEMENT.likely_width(n, k, epsilon))
        if found > LARGEST_WIDTH:
            raise DomainError(
                f"epsilon must be larger for double hashing, which takes {found:.0f} bits here; it "
                f"is simulated up to {LARGEST_WIDTH}"
            )
        return found


DOUBLE_HASHING = DoubleHashing()
