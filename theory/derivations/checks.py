"""The kinds of check: proof by SymPy, agreement of series, 30 digits, exact rationals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import mpmath
import sympy as sp
from sympy.core.relational import Relational

from theory.derivations.derivation import Method, Move, Point, Verdict, substituted
from theory.derivations.power_series import power_series
from theory.formula import written_out

DIGITS = 30
_WORKING_DIGITS = 40
_MOST_POINTS_LISTED = 6


@dataclass(frozen=True)
class Symbolic:
    """Proof by SymPy: the moves, applied in turn, decide the sign of the difference of the sides.

    An equation needs the difference to become 0; an inequality needs it to have the right sign
    under the symbols' declared assumptions. domain: parametrises the claim's domain, as in
    d = m + slack for d >= m. cases: values at which the claim is proved one by one, where it
    cannot be proved for all at once. Sums, limits, derivatives and integrals are carried out first.
    """

    moves: tuple[Move, ...] = (sp.simplify,)
    domain: Point = field(default_factory=dict)
    cases: tuple[Point, ...] = ({},)

    @property
    def method(self) -> Method:
        """A claim proved at listed values only says so."""
        return "symbolic" if self.cases == ({},) else "symbolic, in cases"

    def verdict(self, claim: Relational) -> Verdict:
        """Holds when the difference is proved to have the claimed sign in every case."""
        for case in self.cases:
            difference = self._difference(substituted(substituted(claim, case), self.domain))
            if not _sign_proved(claim, difference):
                return Verdict(False, f"left with {difference}{_listed(' at ', case)}")
        return Verdict(True, self._argument(claim))

    def _difference(self, claim: Relational) -> sp.Basic:
        """Left - right of an equation; larger - smaller of an inequality; after the moves."""
        larger, smaller = claim.args if isinstance(claim, sp.Eq) else (claim.gts, claim.lts)
        difference = _carried_out(larger) - _carried_out(smaller)
        if isinstance(difference, sp.MatrixExpr):
            difference = difference.as_explicit()
        for move in self.moves:
            if isinstance(difference, sp.MatrixBase):
                difference = difference.applyfunc(move)
            else:
                difference = move(difference)
        return difference

    def _argument(self, claim: Relational) -> str:
        goals = {sp.Eq: "0", sp.Le: "non-negative", sp.Gt: "positive"}
        argument = f"the difference is {goals[claim.func]}"
        if self.moves:
            argument += f" after {', '.join(move.__name__ for move in self.moves)}"
        argument += _listed(", with ", self.domain)
        if self.cases != ({},):
            argument += f", proved {_summary(self.cases)}"
        return argument


# A side is evaluated once, however many claims it stands in: several steps share their integrals,
# and a planted fault changes only one term of one side.


@lru_cache(maxsize=4096)
def _carried_out(side: sp.Basic) -> sp.Basic:
    """The side with its sums, limits, derivatives and integrals carried out, term by term."""
    if isinstance(side, sp.Add):
        return sp.Add(*map(_carried_out, side.args))
    return side.doit()


def _sign_proved(claim: Relational, difference: sp.Basic) -> bool:
    if isinstance(claim, sp.Eq):
        is_matrix = isinstance(difference, sp.MatrixBase)
        return bool(difference.is_zero_matrix if is_matrix else difference == 0)
    strict = isinstance(claim, sp.Gt)
    return bool(difference.is_positive if strict else difference.is_nonnegative)


def remainder(large: sp.Symbol, order: int) -> sp.Expr:
    """O(1/large^order), for a claim that `Series` checks.

    A plain name: SymPy's own Order would absorb terms before they are checked.
    """
    return sp.Function("O")(large**-order)


@dataclass(frozen=True)
class Series:
    """Proof by SymPy that both sides of an equation agree up to its remainder O(1/large^order).

    large: the symbol that tends to infinity. terms: coefficients to compute, more than order
    where a claim multiplies a logarithm by powers of large.
    """

    large: sp.Symbol
    order: int
    terms: int = 5
    method: ClassVar[Method] = "symbolic"

    def verdict(self, claim: Relational) -> Verdict:
        """Holds when the remainder is stated and every coefficient below its order vanishes."""
        left, right = claim.args
        stated = remainder(self.large, self.order)
        if not right.has(stated):
            return Verdict(False, f"the claim does not say {stated}")
        small = sp.Symbol("u", positive=True)
        difference = (left - right.subs(stated, 0)).doit().subs(self.large, 1 / small)
        for coefficient in power_series(difference, small, self.terms).below(self.order):
            left_over = sp.simplify(sp.expand(sp.expand_log(coefficient, force=True)))
            if left_over != 0:
                return Verdict(False, f"left with {left_over}")
        return Verdict(True, f"every coefficient below order {self.order} in 1/{self.large} agrees")


@dataclass(frozen=True)
class Digits:
    """Evidence to 30 digits: both sides evaluated by mpmath at sample points.

    limit: None, or the values of the limit's variable from which a side that is a Limit at
    infinity is extrapolated (Richardson: a polynomial in the variable's inverse).
    """

    points: tuple[Point, ...]
    limit: tuple[int, ...] | None = None
    method: ClassVar[Method] = "30 digits"

    def verdict(self, claim: Relational) -> Verdict:
        """Holds when at every point the sides agree to 30 digits, or stand in the claimed order."""
        worst = mpmath.mpf(0)
        with mpmath.workdps(_WORKING_DIGITS):
            for point in self.points:
                left, right = (self._value(side, point) for side in claim.args)
                scale = max(abs(left), abs(right))
                gap = (left - right) / scale if scale else scale
                if isinstance(claim, sp.Eq):
                    excess = abs(gap)
                else:
                    excess = gap if isinstance(claim, sp.Le) else -gap
                if not excess <= mpmath.mpf(10) ** -DIGITS:
                    text = f"off by {mpmath.nstr(excess, 3)} of its size{_listed(' at ', point)}"
                    return Verdict(False, text)
                worst = max(worst, excess)
        evidence = _summary(self.points)
        if self.limit is not None:
            first, last = self.limit[0], self.limit[-1]
            evidence += f", extrapolated from {len(self.limit)} values, {first} to {last}"
        if isinstance(claim, sp.Eq):
            evidence += f"; worst relative discrepancy {mpmath.nstr(worst, 2)}"
        return Verdict(True, evidence)

    def _value(self, side: sp.Basic, point: Point) -> mpmath.mpf:
        if self.limit is None or not isinstance(side, sp.Limit):
            return _number(side, point)
        inside, variable, *_ = side.args
        with mpmath.workdps(2 * _WORKING_DIGITS):
            total = mpmath.mpf(0)
            for node in self.limit:
                others = (other for other in self.limit if other != node)
                weight = mpmath.fprod(mpmath.mpf(node) / (node - other) for other in others)
                total += weight * _number(inside, {variable: sp.Integer(node), **point})
            return total


@dataclass(frozen=True)
class Rationals:
    """Evidence in exact rational arithmetic, beyond any number of digits, on a grid of points."""

    points: tuple[Point, ...]
    method: ClassVar[Method] = "exact rationals"

    def verdict(self, claim: Relational) -> Verdict:
        """Holds when the relation is true of the exact values at every point."""
        for point in self.points:
            left, right = (_rational(side, point) for side in claim.args)
            if claim.func(left, right) is not sp.true:
                return Verdict(False, f"{left} against {right}{_listed(' at ', point)}")
        return Verdict(True, _summary(self.points))


def _number(side: sp.Basic, point: Point) -> mpmath.mpf:
    expression = written_out(side.subs(point))
    # one at a time: printing a sum of long integrals takes SymPy longer than computing them
    integrals = {
        integral: sp.Float(_evaluated_integral(integral, mpmath.mp.dps), mpmath.mp.dps)
        for integral in expression.atoms(sp.Integral)
    }
    return mpmath.mpmathify(_evaluated(expression.xreplace(integrals)))


@lru_cache(maxsize=4096)
def _evaluated_integral(integral: sp.Integral, digits: int) -> mpmath.mpf:
    with mpmath.workdps(digits):
        return _evaluated(integral)


def _evaluated(expression: sp.Basic) -> mpmath.mpf:
    return sp.lambdify((), expression, "mpmath")()


def _rational(side: sp.Basic, point: Point) -> sp.Rational:
    terms = side.args if isinstance(side, sp.Add) else (side,)
    values = tuple(point.items())
    value = sp.Add(*(_term_at(term, values) for term in terms))
    if not isinstance(value, sp.Rational):
        raise TypeError(f"{side} is not rational{_listed(' at ', point)}: {value}")
    return value


@lru_cache(maxsize=1 << 14)
def _term_at(term: sp.Basic, values: tuple[tuple[sp.Symbol, sp.Basic], ...]) -> sp.Basic:
    return written_out(term.subs(dict(values)))


def _listed(before: str, values: Mapping[sp.Symbol, sp.Basic]) -> str:
    """` at k = 2, d = 5`, or nothing where there is nothing to list."""
    items = ", ".join(f"{symbol} = {_short(value)}" for symbol, value in values.items())
    return before + items if items else ""


def _short(value: sp.Basic) -> str:
    found: str = sp.sstr(value.n(6) if isinstance(value, sp.Float) else value)
    return found


def _summary(all_points: tuple[Point, ...]) -> str:
    """Every point where there are few, otherwise their number and the range of each symbol."""
    symbols = tuple(all_points[0])
    if len(symbols) == 1:
        values = ", ".join(_short(point[symbols[0]]) for point in all_points)
        return f"at {symbols[0]} = {values}"
    if len(all_points) <= _MOST_POINTS_LISTED:
        rows = ["(" + ", ".join(_short(value) for value in at.values()) + ")" for at in all_points]
        names = ", ".join(symbol.name for symbol in symbols)
        return f"at ({names}) = {', '.join(rows)}"
    ranges = []
    for symbol in symbols:
        low = min(point[symbol] for point in all_points)
        high = max(point[symbol] for point in all_points)
        if low == high:
            ranges.append(f"{symbol} = {_short(low)}")
        else:
            ranges.append(f"{symbol} from {_short(low)} to {_short(high)}")
    return f"at {len(all_points)} points, {', '.join(ranges)}"
