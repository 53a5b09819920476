"""A derivation: numbered steps, each a SymPy claim that is checked when the derivation is run.

What is printed is what is checked: a step's check receives the step's own claim, with the
abbreviations printed beside it written out, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import sympy as sp
from sympy.core.relational import Relational

Method = Literal["symbolic", "symbolic, in cases", "30 digits", "exact rationals"]
Point = Mapping[sp.Symbol, Any]
Move = Callable[[sp.Expr], sp.Expr]


@dataclass(frozen=True)
class Verdict:
    """Whether a claim held, and on what evidence."""

    holds: bool
    detail: str


class Check(Protocol):
    """A way of testing a claim; `method` says which kind of evidence it gives."""

    @property
    def method(self) -> Method: ...

    def verdict(self, claim: Relational) -> Verdict:
        """The verdict on a claim whose abbreviations are written out."""
        ...


@dataclass(frozen=True)
class Step:
    """One step: a sentence, the relation it claims (printed as it stands), and its check.

    where: abbreviations used in the claim, printed beside it; a definition may use those that
    follow it. Raises TypeError where SymPy has already evaluated the claim to true or false,
    since nothing would be left to check.
    """

    text: str
    claim: Relational
    check: Check
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.claim, Relational):
            raise TypeError(f"a claim must be an unevaluated relation, got {self.claim!r}")

    def written_out(self) -> Relational:
        """The claim with every abbreviation replaced by its definition, still unevaluated."""
        return substituted(self.claim, self.where)


@dataclass(frozen=True)
class Derivation:
    """A named chain of steps towards one or more formulas of the catalogue."""

    name: str
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class CheckedStep:
    """A step with its verdict: did it hold, by which method, and on what evidence."""

    step: Step
    holds: bool
    method: Method
    detail: str


def check(derivation: Derivation) -> tuple[CheckedStep, ...]:
    """Runs the check of every step, in order."""
    return tuple(_checked(step) for step in derivation.steps)


def _checked(step: Step) -> CheckedStep:
    verdict = step.check.verdict(step.written_out())
    return CheckedStep(step, verdict.holds, step.check.method, verdict.detail)


def equal(left: sp.Basic, right: sp.Basic | int) -> Relational:
    """The claim left = right, unevaluated."""
    return sp.Eq(left, right, evaluate=False)


def at_most(left: sp.Basic | int, right: sp.Basic | int) -> Relational:
    """The claim left <= right, unevaluated."""
    return sp.Le(left, right, evaluate=False)


def positive(value: sp.Basic) -> Relational:
    """The claim value > 0, unevaluated."""
    return sp.Gt(value, 0, evaluate=False)


def points(symbols: tuple[sp.Symbol, ...], rows: Iterable[tuple[Any, ...]]) -> tuple[Point, ...]:
    """Sample points from rows of values, in the order of the symbols."""
    return tuple(dict(zip(symbols, map(sp.sympify, row), strict=True)) for row in rows)


def substituted(claim: Relational, values: Mapping[sp.Symbol, sp.Basic]) -> Relational:
    """The claim after the substitutions, one by one in their order, still unevaluated."""
    sides = claim.args
    for symbol, value in values.items():
        sides = tuple(side.subs(symbol, value) for side in sides)
    return claim.func(*sides, evaluate=False)
