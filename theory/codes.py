"""The protocol of a code: its failure probability, and the searches that every code shares.

A scheme says how its ln P_fail depends on n, k, d and a parameter of its own (m hash bits, a
density, a cut, or nothing), which parameter is best, and near which width to look. The smallest
width and the largest k follow, the same way for every scheme.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Generic, TypeVar

from theory.domain import LARGEST_D, LARGEST_K, DomainError, check_integer, check_real, check_task
from theory.occupancy import Enclosure, Value
from theory.search import first_true, lowest_of_valley

# ends of an enclosure that are further apart, relatively, are told apart
_APART = 1e-6
# ln P_fail above which a probability is not told apart from 1
_CERTAIN = -1e-12

Parameter = TypeVar("Parameter", int, float, None)


@dataclass(frozen=True)
class Sized(Generic[Parameter]):
    """A code of residual width d at its best parameter, with its failure probability there."""

    width: int
    parameter: Parameter
    failure_probability: float


@dataclass(frozen=True)
class Capacity:
    """The largest k, the best hash bits m where there are hashes, and P_fail at that k."""

    k: int
    m: int | None = None
    failure_probability: float | None = None


class Scheme(ABC, Generic[Parameter]):
    """A way to carry k of n tokens in a residual of width d.

    kind: how `log_failure` relates to ln P_fail: "exact", "upper bound" (proved) or "simulated".
    parameter: what the scheme's own parameter is called, if it has one. classes: P_fail at its
    best parameter is taken to fall with d within each class of d modulo this number.
    largest_epsilon: up to which it does so. unit: every width is a multiple of it.
    widest: the largest width of which anything is computed.
    """

    name: ClassVar[str]
    kind: ClassVar[str] = "exact"
    parameter: ClassVar[str | None] = "hashes"
    classes: ClassVar[int] = 1
    largest_epsilon: ClassVar[float] = 0.5
    unit: int = 1
    widest: ClassVar[int] = sys.maxsize

    @abstractmethod
    def log_failure(self, n: int, k: int, d: int, parameter: Parameter) -> float:
        """ln P_fail, nats, at most 0; -inf where nothing can fail."""

    @abstractmethod
    def best_parameter(self, n: int, k: int, d: int) -> Parameter:
        """The parameter that minimises P_fail at these sizes."""

    @abstractmethod
    def likely_width(self, n: int, k: int, epsilon: float) -> float:
        """A width near the smallest with P_fail <= epsilon, k < n; any guess is good enough."""

    def narrowest(self, k: int) -> int:
        """The least width at which the scheme is defined."""
        return 1

    def badness(self, n: int, k: int, d: int, parameter: Parameter) -> tuple[float, float]:
        """Sorts the parameters at one size, the best first: by ln P_fail, or finer than that."""
        return self.log_failure(n, k, d, parameter), 0.0

    def log_target(self, epsilon: float) -> float:
        """The badness of a code whose P_fail is epsilon."""
        return math.log(epsilon)

    def check_epsilon(self, epsilon: float) -> float:
        """A failure probability up to which this scheme's width is searched for."""
        if self.largest_epsilon == 1.0:
            return check_real("epsilon", epsilon, 0.0, 1.0)
        return check_real("epsilon", epsilon, 0.0, math.nextafter(self.largest_epsilon, 1.0))

    def at_best(self, n: int, k: int, d: int) -> Sized[Parameter]:
        """The code of width d at its best parameter."""
        best = self.best_parameter(n, k, d)
        return Sized(d, best, math.exp(self.log_failure(n, k, d, best)))

    def smallest_width(self, n: int, k: int, epsilon: float, multiple: int = 1) -> Sized[Parameter]:
        """The smallest multiple of `multiple` at which some parameter gives P_fail <= epsilon.

        Brackets the likely width and bisects, in each class of widths. Raises DomainError outside
        1 <= k <= n, 0 < epsilon <= `largest_epsilon`, multiple >= 1.
        """
        suffices, guess = self._search(n, k, epsilon)
        multiple = math.lcm(self.unit, check_integer("multiple", multiple, 1, self.widest))
        step = math.lcm(self.classes, multiple)
        found = []
        for first in range(multiple, step + 1, multiple):
            lowest = max(0, -(-(self.narrowest(k) - first) // step))
            widths = range(first, sys.maxsize, step)
            place = first_true(_at(suffices, widths), round(guess - first) // step, lowest)
            found.append(widths[place])
        d = self._computed(min(found))
        exception = self.narrower_exception(n, k, d, epsilon) if multiple == 1 else d
        return self.at_best(n, k, exception)

    def smallest_power_of_two(self, n: int, k: int, epsilon: float) -> Sized[Parameter]:
        """The smallest d that is a power of two; otherwise as `smallest_width`."""
        suffices, guess = self._search(n, k, epsilon)
        if self.unit & (self.unit - 1):
            raise DomainError(f"block must be a power of two for such a width; got {self.unit}")
        lowest = max(self.unit, self.narrowest(k))
        place = first_true(
            lambda i: suffices(2**i), round(math.log2(guess)), (lowest - 1).bit_length()
        )
        return self.at_best(n, k, self._computed(2**place))

    def _search(self, n: int, k: int, epsilon: float) -> tuple[Callable[[int], bool], float]:
        """Whether a width suffices, and where to look."""
        n, k = check_task(n, k)
        target = self.log_target(self.check_epsilon(epsilon))

        @cache
        def suffices(d: int) -> bool:
            return (
                d > self.widest or self.badness(n, k, d, self.best_parameter(n, k, d))[0] <= target
            )

        guess = max(1.0, self.likely_width(n, k, epsilon)) if n > k else 1.0
        if guess > self.widest:
            widest = self.widest // self.unit * self.unit
            self._computed(widest if suffices(widest) else self.widest + 1)
        return suffices, guess

    def _computed(self, d: int) -> int:
        if d > self.widest:
            raise DomainError(
                f"epsilon must be larger, or k or n smaller: the width that they need is above "
                f"{self.widest}, the largest that is computed"
            )
        return d

    def narrower_exception(self, n: int, k: int, d: int, epsilon: float) -> int:
        """The least width below d that suffices though a larger one does not; d if none does."""
        return d

    def capacity(self, n: int, d: int, epsilon: float) -> Capacity:
        """The largest k such that it and all smaller ones have P_fail <= epsilon; 0 if none.

        Up to n/2 what fits is taken to end somewhere for good. Beyond, few non-members may fit
        again. Raises DomainError outside n, d >= 1, 0 < epsilon <= `largest_epsilon`.
        """
        n = check_integer("n", n, 1)
        k = largest_fitting(n, d, epsilon, self._fits(d, epsilon, lambda k: n))
        return self._capacity(n, k, d)

    def capacity_for_queries(self, d: int, epsilon: float) -> Capacity:
        """The largest k at which the FPR of one query, n = k + 1, is at most epsilon; 0 if none."""
        fits = self._fits(d, epsilon, lambda k: k + 1)
        guess = round(math.log(2.0) * d / max(1.0, -math.log2(epsilon)))
        k = first_true(lambda k: not fits(k), guess) - 1
        return self._capacity(k + 1, k, d)

    def _fits(
        self, d: int, epsilon: float, vocabulary: Callable[[int], int]
    ) -> Callable[[int], bool]:
        d = check_integer("d", d, 1)
        log_epsilon = math.log(self.check_epsilon(epsilon))

        def fits(k: int) -> bool:
            if self.narrowest(k) > d:
                return False
            if k > LARGEST_K:
                raise DomainError(
                    f"d must be smaller: more than {LARGEST_K} tokens, the most that is computed, "
                    f"may fit into {d} bits"
                )
            n = vocabulary(k)
            return self.log_failure(n, k, d, self.best_parameter(n, k, d)) <= log_epsilon

        return fits

    def _capacity(self, n: int, k: int, d: int) -> Capacity:
        if k == 0:
            return Capacity(0)
        best = self.at_best(n, k, d)
        m = best.parameter if isinstance(best.parameter, int) and self.parameter else None
        return Capacity(k, m, best.failure_probability)


class HashScheme(Scheme[Parameter]):
    """A scheme of random hashes: a token is accepted when all its bits lie in the members' union.

    Its failures follow from the law of that union alone; see `enclose`.
    """

    widest: ClassVar[int] = LARGEST_D

    @abstractmethod
    def enclose(self, k: int, d: int, parameter: Parameter, value: Value) -> Enclosure:
        """ln of the probability that some, or all, of several non-members are covered, nats."""

    @abstractmethod
    def check_parameter(self, d: int, parameter: float) -> Parameter:
        """The parameter, if it is in its domain at this width; raises DomainError otherwise."""

    @abstractmethod
    def log_rate_given_fill(self, d: int, parameter: Parameter, w: int) -> float:
        """ln of the FPR of a filter in which w of the d bits are set, nats."""

    @abstractmethod
    def fills(self, k: int, d: int, parameter: Parameter) -> tuple[int, int]:
        """The fewest and the most bits that k tokens can set."""

    @abstractmethod
    def likely_parameter(self, k: int, d: int) -> float:
        """A parameter near the best; any guess is good enough."""

    def most(self, d: int) -> int:
        """The largest number of hash bits at this width."""
        return d

    def log_failure(self, n: int, k: int, d: int, parameter: Parameter) -> float:
        """The proved upper end where the two ends are apart."""
        n, k = check_task(n, k)
        if n == k:
            return -math.inf
        found = self.enclose(k, d, parameter, Value(some=n - k))
        return found.middle if found.relative_width < _APART else found.upper

    def is_certain(self, n: int, k: int, d: int, parameter: Parameter, log_failure: float) -> bool:
        """Whether P_fail, whose logarithm is given, is not known to be below 1."""
        if log_failure < -_APART:
            return False
        return self.enclose(k, d, parameter, Value(some=n - k)).upper > _CERTAIN


class HashedBits(HashScheme[int]):
    """A scheme whose parameter is the number of hash bits, of which P_fail has one valley."""

    def fills(self, k: int, d: int, parameter: int) -> tuple[int, int]:
        return self.fewest(parameter), min(d, k * parameter)

    def fewest(self, parameter: int) -> int:
        """Bits that one token sets at least."""
        return 1

    def check_parameter(self, d: int, parameter: float) -> int:
        return check_integer("m", parameter, 1, self.most(d), "d")

    def badness(self, n: int, k: int, d: int, parameter: int) -> tuple[float, float]:
        """By ln P_fail; by ln FPR where failure is certain, so that P_fail tells nothing apart."""
        log_failure = self.log_failure(n, k, d, parameter)
        if self.is_certain(n, k, d, parameter, log_failure):
            return 0.0, self.enclose(k, d, parameter, Value()).middle
        return log_failure, 0.0

    def best_parameter(self, n: int, k: int, d: int) -> int:
        """Found by descent from a likely number; right where P_fail is below 0.9.

        Where failure is certain for every m, the m with the fewest false positives.
        """
        n, k = check_task(n, k)
        d = check_integer("d", d, self.unit)
        guess = round(self.likely_parameter(k, d))
        return lowest_of_valley(lambda m: self.badness(n, k, d, m), guess, self.most(d))


def _at(holds: Callable[[int], bool], places: range) -> Callable[[int], bool]:
    return lambda i: holds(places[i])


def largest_fitting(n: int, d: int, epsilon: float, fits: Callable[[int], bool]) -> int:
    """The largest k <= n such that it and all smaller ones fit; 0 if none does."""
    guess = round(math.log(2.0) * d / max(1.0, math.log2(n) - math.log2(epsilon)))
    half = max(1, n // 2)
    k = first_true(lambda k: k > half or not fits(k), min(guess, half)) - 1
    while half <= k < n and fits(k + 1):
        k += 1
    return k


def log_ratio(n: int, k: int, epsilon: float) -> float:
    """ln(N / epsilon), nats; the quotient itself may overflow. Raises DomainError where n = k."""
    return math.log(non_members(n, k)) - math.log(check_real("epsilon", epsilon, 0.0))


def non_members(n: int, k: int) -> int:
    """N = n - k. Raises DomainError where there is none, and with it no width to speak of."""
    n, k = check_task(n, k)
    if n == k:
        raise DomainError(f"n must exceed k = {k} for a width law (no non-members); got {n}")
    return n - k


def log2_binomial(n: int, k: int) -> float:
    """Exact: log2 C(n, k), bits; as a sum of k terms, or for large k in 40 digits."""
    n, k = check_task(n, k)
    k = min(k, n - k)
    if k < 1000:
        return math.fsum(math.log2((n - i) / (i + 1)) for i in range(k))
    import mpmath

    with mpmath.workdps(40):
        log = mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)
        return float(log / mpmath.log(2))
