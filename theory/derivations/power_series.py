"""Truncated power series of expressions built from sums, products, powers, logarithms and exp.

SymPy's own `series` takes minutes where logarithms of nested fractions meet; multiplying the
coefficient lists out takes a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import add, mul

import sympy as sp


@dataclass(frozen=True)
class PowerSeries:
    """u^shift times the sum of coefficients[i] u^i, known up to the last coefficient."""

    shift: int
    coefficients: tuple[sp.Expr, ...]

    def below(self, order: int) -> tuple[sp.Expr, ...]:
        """The coefficients of the powers below `order`; ArithmeticError where one is not known."""
        if self.shift + len(self.coefficients) < order:
            raise ArithmeticError(f"known only below order {self.shift + len(self.coefficients)}")
        return self.coefficients[: max(0, order - self.shift)]

    def __add__(self, other: PowerSeries) -> PowerSeries:
        low = min(self.shift, other.shift)
        high = min(self.shift + len(self.coefficients), other.shift + len(other.coefficients))
        return _series(low, (self._at(power) + other._at(power) for power in range(low, high)))

    def __mul__(self, other: PowerSeries) -> PowerSeries:
        pairs = min(len(self.coefficients), len(other.coefficients))
        return _series(
            self.shift + other.shift, _products(self.coefficients, other.coefficients, pairs)
        )

    def _at(self, power: int) -> sp.Expr:
        place = power - self.shift
        return self.coefficients[place] if place >= 0 else sp.S.Zero

    def inverse(self) -> PowerSeries:
        """1 / self."""
        first, *rest = self.coefficients
        found = [1 / first]
        for count in range(1, len(self.coefficients)):
            found.append(-_convolved(rest, found, count) / first)
        return _series(-self.shift, found)

    def log(self) -> PowerSeries:
        """The logarithm of a series that starts at a positive constant."""
        if self.shift:
            raise ValueError("the logarithm of a series needs a constant term")
        slope = PowerSeries(0, tuple((i + 1) * c for i, c in enumerate(self.coefficients[1:])))
        ratio = (slope * self.inverse()) if slope.coefficients else slope
        terms = (ratio._at(i) / (i + 1) for i in range(len(self.coefficients) - 1))
        return _series(0, (sp.log(self.coefficients[0]), *terms))

    def exp(self) -> PowerSeries:
        """e^self, for a series without negative powers."""
        if self.shift < 0:
            raise ValueError("the exponential of a series must have no negative power")
        size = self.shift + len(self.coefficients)
        slopes = [i * self._at(i) for i in range(1, size)]
        found = [sp.exp(self._at(0))]
        for count in range(1, size):
            found.append(_convolved(slopes, found, count) / count)
        return _series(0, found)


@lru_cache(maxsize=1024)
def power_series(expression: sp.Expr, u: sp.Symbol, terms: int) -> PowerSeries:
    """The series of an expression in u > 0 about 0, computed with `terms` coefficients.

    Raises NotImplementedError for functions of u other than log and exp.
    """
    if not expression.has(u):
        return PowerSeries(0, (expression,) + (sp.S.Zero,) * (terms - 1))
    if expression == u:
        return PowerSeries(1, (sp.S.One,) + (sp.S.Zero,) * (terms - 1))
    parts = [power_series(part, u, terms) for part in expression.args]
    if isinstance(expression, sp.Add):
        return reduce(add, parts)
    if isinstance(expression, sp.Mul):
        return reduce(mul, parts)
    if isinstance(expression, sp.log):
        return parts[0].log()
    if isinstance(expression, sp.exp):
        return parts[0].exp()
    if isinstance(expression, sp.Pow) and expression.exp.is_Integer:
        base = parts[0] if expression.exp > 0 else parts[0].inverse()
        return reduce(mul, [base] * abs(int(expression.exp)))
    if isinstance(expression, sp.Pow):
        return (parts[1] * parts[0].log()).exp()
    raise NotImplementedError(f"no series for {expression.func}")


def _products(left: tuple[sp.Expr, ...], right: tuple[sp.Expr, ...], count: int) -> list[sp.Expr]:
    return [sum(left[i] * right[power - i] for i in range(power + 1)) for power in range(count)]


def _convolved(left: list[sp.Expr], right: list[sp.Expr], count: int) -> sp.Expr:
    """Sum of left[i - 1] right[count - i] over i = 1..count."""
    return sum((left[i - 1] * right[count - i] for i in range(1, count + 1)), start=sp.S.Zero)


def _series(shift: int, coefficients: Iterable[sp.Expr]) -> PowerSeries:
    """The series with simplified coefficients, leading zeros dropped."""
    simple = [sp.factor(c) for c in coefficients]
    while len(simple) > 1 and simple[0] == 0:
        simple.pop(0)
        shift += 1
    return PowerSeries(shift, tuple(simple))
