"""Rigorous float64 arithmetic: arrays of balls [mid - rad, mid + rad] that hold the exact values.

A sum or product that float64 holds exactly adds nothing to its radius (Knuth's two-sum, Dekker's
two-product, and for matrix products a common grid), so values on a boundary are decided there:
the exact constructions are proved with zero slack. What overflows becomes NaN, and every
comparison with NaN is false: nothing is proved by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# rounding to nearest errs by at most this share of the result; what underflows, by _TINY
_UNIT = 2.0**-53
_TINY = 2.0**-1074
Floats = np.ndarray | np.floating | float
# below this a product's rounding error may underflow
_SMALL = 2.0**-900


def round_up(x: Floats) -> np.ndarray:
    """An upper bound on the exact value of a few float operations on non-negative numbers; 0 at 0.

    Holds for up to 16 operations, each of relative error 2^-53.
    """
    return np.where(x > 0.0, np.nextafter(x * (1.0 + 2.0**-48), np.inf), x)


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[Floats, Floats]:
    """The rounded sum, and its exact error (Knuth)."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _split(a: np.ndarray) -> tuple[Floats, Floats]:
    """Two halves of at most 26 bits each whose sum is a."""
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: np.ndarray, b: np.ndarray) -> tuple[Floats, Floats]:
    """The rounded product, and an upper bound on the size of its error (Dekker)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    underflow = (np.abs(product) < _SMALL) & (a != 0.0) & (b != 0.0)
    return product, np.where(underflow, _SMALL, np.abs(error))


def grid(x: np.ndarray) -> float:
    """The largest power of two of which every entry is a multiple; inf where all are 0."""
    mantissa, exponent = np.frexp(x[x != 0.0])
    if mantissa.size == 0:
        return np.inf
    bits = (mantissa * 2.0**53).astype(np.int64)
    lowest = np.frexp((bits & -bits).astype(np.float64))[1] - 1
    return float(np.ldexp(1.0, int((exponent + lowest).min()) - 53))


@dataclass(frozen=True)
class Balls:
    """Intervals around float64 `mid` of radius `rad` >= 0, elementwise, which hold exact values."""

    mid: np.ndarray
    rad: np.ndarray

    @classmethod
    def exact(cls, values: Floats) -> Balls:
        """The floats themselves."""
        mid = np.asarray(values, dtype=np.float64)
        return cls(mid, np.zeros(mid.shape))

    @property
    def low(self) -> np.ndarray:
        """Lower bounds; the value itself where it is exact."""
        return np.where(self.rad == 0.0, self.mid, np.nextafter(self.mid - self.rad, -np.inf))

    @property
    def high(self) -> np.ndarray:
        """Upper bounds; the value itself where it is exact."""
        return np.where(self.rad == 0.0, self.mid, np.nextafter(self.mid + self.rad, np.inf))

    @property
    def size(self) -> np.ndarray:
        """Upper bounds on the absolute value."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def __getitem__(self, where: Any) -> Balls:
        return balls(self.mid[where], self.rad[where])

    @property
    def T(self) -> Balls:
        """The transpose."""
        return balls(self.mid.T, self.rad.T)

    def where(self, condition: np.ndarray) -> Balls:
        """The values where the condition holds, exact zeros elsewhere."""
        return balls(np.where(condition, self.mid, 0.0), np.where(condition, self.rad, 0.0))

    def __neg__(self) -> Balls:
        return balls(-self.mid, self.rad)

    def __add__(self, other: Balls) -> Balls:
        mid, error = _two_sum(self.mid, other.mid)
        return balls(mid, round_up(self.rad + other.rad + np.abs(error)))

    def __sub__(self, other: Balls) -> Balls:
        return self + -other

    def __mul__(self, other: Balls) -> Balls:
        mid, error = _two_product(self.mid, other.mid)
        spread = np.abs(self.mid) * other.rad + self.rad * (np.abs(other.mid) + other.rad)
        # a product of radii that underflows still counts
        spread = np.where((self.rad > 0.0) | (other.rad > 0.0), spread + 4 * _TINY, 0.0)
        return balls(mid, round_up(spread + error))

    def __matmul__(self, other: Balls) -> Balls:
        """Matrix product; its error bound holds for any order of summation, fused or not.

        The sum of K products errs by at most K u / (1 - K u) times the sum of their sizes
        (Higham 2002, section 3.1), and not at all where all products are multiples of one power of
        two and their sizes add up to less than 2^53 of it.
        """
        terms = self.mid.shape[-1]
        mid = self.mid @ other.mid
        sizes = np.abs(self.mid) @ np.abs(other.mid)
        share = (terms + 2) * _UNIT / (1.0 - 2.0 * (terms + 2) * _UNIT)
        error = share * sizes + 2 * terms * _TINY
        with np.errstate(over="ignore", invalid="ignore"):
            step = grid(self.mid) * grid(other.mid)
        if step > _SMALL:
            error = np.where((sizes <= 2.0**52 * step) & np.isfinite(sizes), 0.0, error)
        if self.rad.any() or other.rad.any():
            spread = np.abs(self.mid) @ other.rad + self.rad @ (np.abs(other.mid) + other.rad)
            error = error + spread * (1.0 + 4.0 * share) + 4 * terms * _TINY
        return balls(mid, round_up(error * (1.0 + share)))

    def sum(self, axis: int) -> Balls:
        """Sum along an axis."""
        moved = balls(np.moveaxis(self.mid, axis, -1), np.moveaxis(self.rad, axis, -1))
        return moved @ Balls.exact(np.ones(moved.mid.shape[-1]))


def balls(mid: Floats, rad: Floats) -> Balls:
    """NumPy's operations return scalars where no axis is left; here they are arrays of none."""
    return Balls(np.asarray(mid), np.asarray(rad))
