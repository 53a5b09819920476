"""Means over the union of k hashes at any size: rigorous enclosures from exact moments.

The union's size W is d less the number of bits that no member owns, and the factorial moments of
that number have closed forms: (d)_j a_j^k, where a_j is the probability that one token's hash
avoids j given bits. They give the central moments of W to any precision, at a cost that does not
depend on n, k or d. A mean E v(W) is then the Taylor polynomial of v about E W, averaged, with a
remainder that Cauchy's estimate bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Protocol

import numpy as np

from theory.logarithms import LOG_TINY, Floats, log_some

# orders of the Taylor polynomial that are tried, one after the other
_ORDERS = (8, 16, 32, 64, 128, 192)
# a remainder below this share of the mean is not worth a higher order
_TIGHT = 1e-13
# unit roundoff of doubles, with room for the lengths of the sums here
_ROUNDING = 2e-15
# seconds within which the exact law is taken without more ado, and in the worst case
_QUICK, _PATIENT = 0.01, 10.0
# relative widths: as good as the exact law in doubles, and too wide to be content with
_GOOD, _LOOSE = 1e-10, 1e-6
# ln f below which two false positives at once do not matter to a double
_NEVER = -200.0
# roots of a coverage that are summed one by one
LONGEST = 10**6
_RADII = 64
# terms of power sums, beyond which a coverage of many bits is not expanded
_LARGEST_SERIES = 2 * 10**7


@dataclass(frozen=True)
class Enclosure:
    """ln of a probability, nats, between two proved ends: lower <= ln P <= upper <= 0."""

    lower: float
    upper: float
    computed: float | None = None
    """The value itself, where it was computed and the ends allow for rounding."""

    @property
    def middle(self) -> float:
        """The computed value; without one, ln of the geometric mean of the ends."""
        if self.computed is not None:
            return min(max(self.computed, self.lower), self.upper)
        if self.lower == -math.inf:
            return self.upper
        return 0.5 * (self.lower + self.upper)

    @property
    def relative_width(self) -> float:
        """(upper end - lower end) / lower end; inf where that overflows."""
        gap = self.upper - self.lower
        return math.expm1(gap) if gap < 700.0 else math.inf

    @property
    def kind(self) -> str:
        """What its middle is, for people."""
        if self.computed is None:
            return "middle of its proved ends"
        close = self.lower == self.upper or self.relative_width < _LOOSE
        return "exact" if close else "simulated"

    def within(self, other: Enclosure) -> Enclosure:
        """The intersection of two enclosures of one number."""
        ends = max(self.lower, other.lower), min(self.upper, other.upper)
        computed = self.computed if self.computed is not None else other.computed
        return Enclosure(min(ends), max(ends), computed)  # where rounding makes them cross

    def widened(self) -> Enclosure:
        """By what rounding in doubles may have done to bounds in closed form."""
        lower, upper = self.lower, self.upper
        if lower > -math.inf:
            lower -= 1e-13 + 1e-14 * abs(lower)
        return Enclosure(lower, min(0.0, upper + 1e-13 + 1e-14 * abs(upper)), self.computed)

    def or_more(self, probability: float) -> Enclosure:
        """The enclosure of a probability of which at most so much was left out."""
        upper = (
            float(np.logaddexp(self.upper, math.log(probability))) if probability else self.upper
        )
        return Enclosure(self.lower, min(0.0, upper), self.computed)

    @classmethod
    def rounded(cls, log_value: float) -> Enclosure:
        """A number computed in doubles, which keeps about 10 digits in the worst case."""
        slack = 1e-10 + 1e-14 * abs(log_value) if log_value > -math.inf else 0.0
        return cls(log_value - slack, min(0.0, log_value + slack), min(0.0, log_value))


class Coverage(Protocol):
    """ln f(w): that one more token lies inside a given union of w bits, w real and >= `least`."""

    @property
    def least(self) -> float:
        """A w at and above which `log_at` is finite."""

    @property
    def size(self) -> int:
        """Numbers that one evaluation sums."""

    def log_at(self, w: float) -> float:
        """ln f(w), nats, at most 0."""

    def log_series(self, w: float, scale: float, order: int) -> Floats:
        """Taylor coefficients 1..order of y -> ln f(w + scale y); float64 [order]."""

    def log_growth(self, w: float, radius: Floats) -> Floats:
        """ln of the largest |f| on the circle about w, over f(w); float64, the radii's shape."""


class Law(Protocol):
    """The law of a random quantity w, such as a union's size, by its moments."""

    def moments(self, order: int) -> tuple[float, float, Floats]:
        """(c, s, [E ((w - c)/s)^j for j = 0..order]): a centre, a scale, and scaled moments."""


@dataclass(frozen=True)
class LinearCoverage:
    """f = e^log_unit w: the law is that of the coverage itself, in some unit."""

    log_unit: float

    @property
    def least(self) -> float:
        return 0.0

    @property
    def size(self) -> int:
        return 1

    def log_at(self, w: float) -> float:
        return min(0.0, self.log_unit + math.log(w))

    def log_series(self, w: float, scale: float, order: int) -> Floats:
        j = np.arange(1, order + 1)
        found: Floats = -((-scale / w) ** j) / j
        return found

    def log_growth(self, w: float, radius: Floats) -> Floats:
        return np.log1p(radius / w)


@dataclass(frozen=True)
class RootedCoverage:
    """f(w) = prod_i (w - r_i) / (d - r_i) over m roots below w: a token of m bits.

    distinct: whether the roots are 0..m-1 (m different bits) or all 0 (m draws).
    """

    d: int
    m: int
    distinct: bool

    @property
    def least(self) -> float:
        return self.m if self.distinct else 1

    @property
    def size(self) -> int:
        return self.m if self.distinct else 1

    def _roots(self) -> tuple[Floats, int]:
        """The different roots, and how often each counts."""
        if not self.distinct:
            return np.zeros(1), self.m
        return np.arange(min(self.m, LONGEST), dtype=np.float64), 1

    def log_at(self, w: float) -> float:
        if w >= self.d:
            return 0.0
        if self.distinct and self.m > LONGEST:
            return _log_falling_ratio(w, self.d, self.m)
        roots, times = self._roots()
        if w < 0.5 * self.d:
            logs = np.log((w - roots) / (self.d - roots))
        else:
            logs = np.log1p((w - self.d) / (self.d - roots))
        return min(0.0, times * float(logs.sum()))

    def log_series(self, w: float, scale: float, order: int) -> Floats:
        roots, times = self._roots()
        inverse = scale / (w - roots)
        power = np.ones_like(inverse)
        sums = np.empty(order)
        for j in range(order):
            power = power * inverse
            sums[j] = power.sum()
        place = np.arange(1, order + 1)
        found: Floats = times * sums * np.where(place % 2, 1.0, -1.0) / place
        return found

    def log_growth(self, w: float, radius: Floats) -> Floats:
        # ln(1 + radius/(w - r)) is convex in r, so that the mean of both ends bounds its mean
        last = self.m - 1.0 if self.distinct else 0.0
        ends = np.log1p(radius / w) + np.log1p(radius / (w - last))
        found: Floats = 0.5 * self.m * ends
        return found


@dataclass(frozen=True)
class ExponentialCoverage:
    """f(w) = (1 - rho)^(d - w): a token of independent bits owns none of the d - w others."""

    d: int
    rho: float

    @property
    def least(self) -> float:
        return 0

    @property
    def size(self) -> int:
        return 1

    def log_at(self, w: float) -> float:
        return min(0.0, (self.d - w) * math.log1p(-self.rho))

    def log_series(self, w: float, scale: float, order: int) -> Floats:
        series = np.zeros(order)
        series[0] = -math.log1p(-self.rho) * scale
        return series

    def log_growth(self, w: float, radius: Floats) -> Floats:
        return -math.log1p(-self.rho) * radius


@dataclass(frozen=True)
class Value:
    """What is averaged over the union: that some of `some` more tokens lie inside it, or all of
    `all_of`; one of the two is 1.

    As functions of the coverage f: 1 - (1 - f)^some, f^all_of.
    """

    some: int = 1
    all_of: int = 1

    def log_at(self, log_f: float) -> float:
        """ln of the value at a given ln f, nats."""
        return float(log_some(self.some, self.all_of * log_f))

    def log_largest(self, log_f: Floats) -> Floats:
        """ln of a bound on |value| where |f| is at most the given; f may exceed 1."""
        if self.some == 1:
            return self.all_of * log_f
        # sum_j C(some, j) |f|^j = (1 + |f|)^some - 1
        exponent = self.some * np.logaddexp(0.0, log_f)
        with np.errstate(divide="ignore"):
            grown = exponent + np.log(-np.expm1(-exponent))
        return np.where(log_f < LOG_TINY, math.log(self.some) + log_f + 1e-12, grown)

    def series(self, log_f: float, log_series: Floats) -> Floats:
        """Taylor coefficients from 0 on, over the value itself, given those of ln f from 1 on."""
        if self.some == 1:
            return _exponential(self.all_of * log_series)
        f, grown = math.exp(log_f), _exponential(log_series)
        missed = -f * grown
        if f > 0.5:  # ln(1 - f) may have no series here
            missed[0] = -math.expm1(log_f)
            some = -_power(missed, self.some)
            some[0] += 1.0
            relative: Floats = some / some[0]
            return relative
        # h = ln(1 - f): (1 - f) h' = -f'
        h = np.zeros(len(grown))
        j = np.arange(len(grown))
        for i in range(1, len(grown)):
            own = i * grown[i] - float(grown[1:i][::-1] @ (j[1:i] * h[1:i]))
            h[i] = -f * own / ((1.0 - f) * i)
        log_missed = self.some * math.log1p(-f)
        found = _exponential(self.some * h[1:]) * math.exp(log_missed) / math.expm1(log_missed)
        found[0] = 1.0
        return found


Token = Callable[[int, int, float], list[Decimal]]


def different_bits(order: int, d: int, m: float) -> list[Decimal]:
    """[a_0 .. a_order], a_j = C(d - j, m)/C(d, m): m different bits avoid j given ones."""
    found = [Decimal(1)]
    for j in range(min(order, d)):
        found.append(found[-1] * Decimal(max(0, d - int(m) - j)) / Decimal(d - j))
    return found + [Decimal(0)] * (order - d)


def drawn_bits(order: int, d: int, m: float) -> list[Decimal]:
    """[a_0 .. a_order], a_j = (1 - j/d)^m: m draws with replacement avoid j given bits."""
    return [Decimal(max(0, d - j) / Decimal(d)) ** int(m) for j in range(order + 1)]


def independent_bits(order: int, d: int, rho: float) -> list[Decimal]:
    """[a_0 .. a_order], a_j = (1 - rho)^j: independent bits avoid j given ones."""
    return [(1 - Decimal(rho)) ** j for j in range(order + 1)]


@dataclass(frozen=True)
class Union:
    """The union of k tokens' hashes on d exchangeable bits.

    token, parameter: the law of one token's hash, `different_bits` and its like: the probabilities
    that it avoids 0, 1, 2, ... given bits, in the current decimal context. least: a size that the
    union never falls below.
    """

    k: int
    d: int
    token: Token
    parameter: float
    least: int

    def moments(self, order: int) -> tuple[int, float, Floats]:
        """(c, s, [E ((W - c)/s)^j for j = 0..order]): c the integer next to E W, s >= 1 and at
        least the standard deviation.

        Worked in decimals long enough that the cancellation leaves 30 digits.
        """
        return _moments(self, order)


def mean_of(law: Law, coverage: Coverage, value: Value) -> Enclosure:
    """ln E value(f(W)), nats, between two proved ends; [-inf, 0] where nothing is known.

    Tight where W varies little on the scale on which the value does, whatever n, k and d are.
    Cost: some milliseconds, memory of a few megabytes.
    """
    found = Enclosure(-math.inf, 0.0)
    if value.some > 1 and coverage.log_at(law.moments(_ORDERS[0])[0]) < _NEVER:
        one, two = (mean_of(law, coverage, Value(all_of=power)) for power in (1, 2))
        return bonferroni(one, two, value.some)
    for order in _ORDERS:
        if coverage.size * order > _LARGEST_SERIES:
            break
        moments = law.moments(order)
        found = found.within(_taylor(*moments, coverage, value))
        if value.some > 1 and coverage.log_at(moments[0]) > -50.0:
            found = found.within(_nearly_certain(*moments, coverage, value))
        if found.relative_width < _TIGHT + 4.0 * _ROUNDING * (1.0 - found.upper):
            break
    return found


def bonferroni(one: Enclosure, two: Enclosure, count: int) -> Enclosure:
    """ln E (1 - (1 - f)^N), nats, N = count, given those of E f and of E f^2.

    N E f - N (N - 1)/2 E f^2 <= E (1 - (1 - f)^N) <= N E f.
    """
    upper = min(0.0, math.log(count) + one.upper)
    log_pairs = math.log(0.5 * (count - 1)) + two.upper - one.lower if count > 1 else -math.inf
    if not log_pairs < 0.0:
        return Enclosure(one.lower, upper)
    lower = math.log(count) + one.lower + math.log(-math.expm1(log_pairs))
    return Enclosure(max(one.lower, lower), upper)


def _taylor(
    centre: float, scale: float, moments: Floats, coverage: Coverage, value: Value
) -> Enclosure:
    """The enclosure by the Taylor polynomial of degree s - 1, s the order of the last moment.

    With M at least |value| on a circle of radius r about the centre, the value and its polynomial
    differ by at most 2 M |z/r|^s for |z| <= r/2 (Cauchy), and beyond by at most
    1 + 2 M |2z/r|^(s-1); so by at most (1 + 2M) |2z/r|^s everywhere.
    """
    order = len(moments) - 1
    log_f = coverage.log_at(centre)
    log_value = value.log_at(log_f)
    slack = _ROUNDING * (8.0 + abs(log_value))
    log_last = math.log(moments[order]) if moments[order] > 0.0 else -math.inf

    with np.errstate(over="ignore", invalid="ignore"):
        series = value.series(log_f, coverage.log_series(centre, scale, order - 1))
        terms = series * moments[:order]
    if not np.isfinite(terms).all():
        return Enclosure(-math.inf, 0.0)
    radius = scale * np.geomspace(2.5, max(10.0, 8.0 * centre / scale), _RADII)
    largest = value.log_largest(log_f + coverage.log_growth(centre, radius))
    bound = np.logaddexp(0.0, math.log(2.0) + largest) + order * np.log(2.0 * scale / radius)
    log_remainder = float(bound.min()) + log_last - log_value
    total, absolute = float(terms.sum()), float(np.abs(terms).sum())
    if not math.isfinite(absolute):
        return Enclosure(-math.inf, 0.0)
    upper = float(np.logaddexp(math.log(absolute) + 1e-14, log_remainder))
    lower = -math.inf
    if log_remainder < 0.0:
        rest = math.exp(log_remainder) + 8.0 * _ROUNDING * absolute
        if total > rest:
            lower = math.log(total - rest) - slack + log_value
            upper = math.log(total + rest)
    return Enclosure(lower, min(0.0, upper + slack + log_value))


def _nearly_certain(
    centre: float, scale: float, moments: Floats, coverage: Coverage, value: Value
) -> Enclosure:
    """E value >= value(c - t) P(W >= c - t), by Markov's inequality for the last moment."""
    order = len(moments) - 1
    log_last = math.log(moments[order]) if moments[order] > 0.0 else -math.inf
    best = value.log_at(coverage.log_at(centre)) if log_last == -math.inf else -math.inf
    for reach in np.geomspace(2.0, 64.0, 16).tolist():
        w = centre - reach * scale
        beyond = log_last - order * math.log(reach)
        if w >= coverage.least and beyond < 0.0:
            here = value.log_at(coverage.log_at(w)) + math.log(-math.expm1(beyond))
            best = max(best, here)
    return Enclosure(best - _ROUNDING * 8.0, 0.0)


@lru_cache(maxsize=256)
def _moments(union: Union, order: int) -> tuple[int, float, Floats]:
    d, k = union.d, union.k
    digits = 40 + (order + 1) * (len(str(d)) + 1) + 2 * len(str(k))
    with localcontext(Context(prec=digits, Emin=-(10**15), Emax=10**15)):
        empty = [avoided**k for avoided in union.token(order, d, union.parameter)]
        centre = max(union.least, d - int((d * empty[1]).to_integral_value()))
        moments = falling_moments(d, d - centre, empty)
        scale = max(Decimal(1), moments[2]).sqrt()  # rounding may take a variance of 0 below it
        scaled = np.array([float(moment / scale**i) for i, moment in enumerate(moments)])
    scaled.flags.writeable = False
    return centre, float(scale), scaled


def falling_moments(d: int, centre: int, empty: list[Decimal]) -> list[Decimal]:
    """[E (centre - X)^i for i = 0..] of the number X of empty bits among d exchangeable ones.

    empty: the probability that j given bits are empty, j = 0...; E (X)_j is (d)_j times that. With
    (centre - x)^i in falling factorials of x, by x (x)_j = (x)_{j+1} + j (x)_j.
    """
    means, falling = [], Decimal(1)
    for j, probability in enumerate(empty):
        means.append(falling * probability)
        falling *= max(0, d - j)
    basis, moments = [Decimal(1)], [Decimal(1)]
    for _ in range(len(empty) - 1):
        grown = [Decimal(0)] * (len(basis) + 1)
        for j, weight in enumerate(basis):
            grown[j + 1] -= weight
            grown[j] += (centre - j) * weight
        basis = grown
        pairs = zip(basis, means, strict=False)
        moments.append(sum((weight * mean for weight, mean in pairs), start=Decimal(0)))
    return moments


def settle(
    seconds: float,
    exact: Callable[[], float],
    law: Law,
    coverage: Coverage,
    value: Value,
    known: Enclosure,
) -> Enclosure:
    """ln E value(f(W)): by the exact law where that is quick, and otherwise enclosed.

    seconds: about how long the exact law takes. known: bounds that hold in any case. Where the
    moments say too little, the exact law is taken if it ends within some seconds.
    """
    if seconds < _QUICK:
        return Enclosure.rounded(exact()).within(known)
    found = mean_of(law, coverage, value).within(known)
    if found.relative_width < _GOOD or seconds > (_PATIENT if found.relative_width > _LOOSE else 1):
        return found
    return Enclosure.rounded(exact()).within(known)


def _exponential(series: Floats) -> Floats:
    """Coefficients 0.. of exp(c_1 y + c_2 y^2 + ...), given c_1, c_2, ..."""
    grown = np.zeros(len(series) + 1)
    grown[0] = 1.0
    weighted = series * np.arange(1, len(series) + 1)
    for i in range(1, len(grown)):
        grown[i] = float(weighted[:i] @ grown[:i][::-1]) / i
    return grown


def _power(series: Floats, exponent: int) -> Floats:
    """Coefficients of a series' power, cut where the series is; by squaring."""
    found = np.zeros(len(series))
    found[0] = 1.0
    for bit in f"{exponent:b}":
        found = np.convolve(found, found)[: len(series)]
        if bit == "1":
            found = np.convolve(found, series)[: len(series)]
    return found


def _log_falling_ratio(w: float, d: int, m: int) -> float:
    """ln prod_{i<m} (w - i)/(d - i), nats, less what rounding may add to it: a lower bound."""
    from scipy.special import gammaln

    parts = gammaln(np.array([w + 1.0, d - m + 1.0, d + 1.0, w - m + 1.0]))
    value = float(parts[0] + parts[1] - parts[2] - parts[3])
    return min(0.0, value - 8.0 * _ROUNDING * float(np.abs(parts).sum()))
