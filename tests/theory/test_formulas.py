"""The catalogue: each evaluator equals its SymPy expression, each bound is on its side.

The three integrals are compared with enumeration in test_enumerate.py and, to 30 digits, in the
derivation of the softmax integrals.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from theory.formula import Formula
from theory.formulas import CATALOGUE
from theory.formulas.false_positives import (
    CLASSIC,
    FALSE_POSITIVE_RATE,
    LOWER_BOUND,
    SECOND_ORDER,
    UPPER_BOUND,
)

TOLERANCE = 1e-11
CLOSED = [f for f in CATALOGUE if not f.expression.has(sp.Integral)]
BOUNDS = [f for f in CATALOGUE if f.of is not None]
RATIONALS = {
    "beta": (sp.Rational(1, 3), sp.Rational(7, 2)),
    "epsilon": (sp.Rational(1, 1000), sp.Rational(9, 10)),
    "delta": (sp.Rational(1, 1000), sp.Rational(1, 10)),
    "rho": (sp.Rational(1, 50), sp.Rational(9, 10)),
    "rate": (sp.Rational(1, 10**6), sp.Rational(9, 10)),
    "L": (sp.Rational(1, 1000), sp.Integer(9)),
    "Q": (sp.Rational(1, 10**6), sp.Integer(3)),
    "t": (sp.Integer(0), sp.Integer(4)),
    "snr": (sp.Rational(1, 4), sp.Integer(15)),
    "kappa": (sp.Integer(1), sp.Rational(21, 20)),
    "largest_rate": (sp.Rational(1, 5), sp.Rational(1, 40)),
}


def draw(formula: Formula, rng: np.random.Generator) -> dict[str, object]:
    """Small random values inside every formula's domain."""
    d = int(rng.integers(3, 8))
    m = int(rng.integers(1, d))
    k = int(rng.integers(1, 5))
    values: dict[str, object] = {"d": d, "m": m, "k": k, "n": k + int(rng.integers(2, 9))}
    values["w"] = int(rng.integers(m, d + 1))
    values["s"] = int(rng.integers(0, m + 1))
    values["x"] = int(rng.integers(0, int(str(values["n"])) - k + 1))
    values |= {name: pair[int(rng.integers(2))] for name, pair in RATIONALS.items()}
    if formula.domain.startswith("k >= 2"):
        values["k"], values["n"] = 1 + k, 1 + int(str(values["n"]))
    if "b" in formula.arguments:  # the rate function is stated at its saddle point
        values["x"], values["b"], values["k"] = sp.Rational(1, 3), sp.Rational(1, 7), 1 + k
    if formula.name.startswith("least relative squared error"):
        values["d"] = min(d, int(str(values["n"])) - 1)
    return {name: values[name] for name in formula.arguments}


def as_number(value: object) -> int | float:
    return value if isinstance(value, int) else float(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("formula", CLOSED, ids=lambda f: f.name)
def test_evaluator_equals_expression(formula: Formula) -> None:
    """|evaluate / expression - 1| <= 1e-11 at random small sizes; equal where it vanishes."""
    rng = np.random.default_rng(0)
    for _ in range(8):
        values = draw(formula, rng)
        expected = float(formula.exact(**values).evalf(30))
        found = float(formula.evaluate(**{k: as_number(v) for k, v in values.items()}))
        assert found == pytest.approx(expected, rel=TOLERANCE, abs=1e-250), values


@pytest.mark.parametrize("formula", CLOSED, ids=lambda f: f.name)
def test_a_wrong_expression_is_noticed(formula: Formula) -> None:
    """A relative change of 1e-9 in the expression is more than the tolerance allows."""
    values = draw(formula, np.random.default_rng(1))
    expected = float((formula.exact(**values) * (1 + sp.Rational(1, 10**9))).evalf(30))
    found = float(formula.evaluate(**{k: as_number(v) for k, v in values.items()}))
    assert expected == 0.0 or found != pytest.approx(expected, rel=TOLERANCE, abs=1e-250)


@pytest.mark.parametrize("formula", BOUNDS, ids=lambda f: f.name)
def test_bounds_are_on_their_side(formula: Formula) -> None:
    """upper >= exact >= lower, up to rounding, at random small sizes."""
    assert formula.of is not None
    rng = np.random.default_rng(2)
    for _ in range(100):
        values = draw(formula, rng)
        numbers = {k: as_number(v) for k, v in values.items()}
        bound = formula.evaluate(**numbers)
        exact = formula.of.evaluate(**{k: numbers[k] for k in formula.of.arguments})
        if formula.kind == "upper bound":
            assert bound >= exact * (1 - 1e-12), numbers
        else:
            assert formula.kind == "lower bound"
            assert bound <= exact * (1 + 1e-12), numbers


def test_catalogue_is_described() -> None:
    """Every formula says what it is, where it holds and where it comes from; names are unique."""
    assert len({formula.name for formula in CATALOGUE}) == len(CATALOGUE)
    for formula in CATALOGUE:
        assert formula.domain
        assert formula.source
        if "bound" in formula.kind:
            assert formula.kind in ("upper bound", "lower bound")


def test_missing_or_unknown_arguments_are_named() -> None:
    """`exact` refuses a wrong set of letters."""
    with pytest.raises(ValueError, match="d, k, m"):
        UPPER_BOUND.exact(d=4, k=2)


SIZES = [(k, d, m) for d in range(1, 7) for m in range(1, d + 1) for k in range(1, 4)]


def test_bounds_hold_and_are_tight_in_exact_rationals() -> None:
    """prod (dp - i)/(d - i) <= FPR <= p^m on every small size, equal exactly where claimed."""
    for k, d, m in SIZES:
        exact, lower, upper = (
            Fraction(str(f.exact(k=k, d=d, m=m)))
            for f in (FALSE_POSITIVE_RATE, LOWER_BOUND, UPPER_BOUND)
        )
        assert lower <= exact <= upper
        assert (lower == exact) == (k == 1 or m in (1, d)), (k, d, m)
        assert (upper == exact) == (m in (1, d)), (k, d, m)


def test_classic_is_no_bound() -> None:
    """The textbook rate lies above the exact one at some sizes and below it at others."""
    signs = {
        np.sign(CLASSIC.evaluate(k=k, d=d, m=m) - FALSE_POSITIVE_RATE.evaluate(k=k, d=d, m=m))
        for k, d, m in [(3, 64, 4), (3, 64, 24)]
    }
    assert signs == {-1.0, 1.0}


def test_second_order_leaves_a_third_order_error() -> None:
    """|ln FPR - second order| <= m^3/d^2, and falls as that does, at fixed m^2/d and fill."""
    errors = []
    for scale in (1, 2, 4):
        k, d, m = 8 * scale, 256 * scale**2, 22 * scale
        exact = math.log(FALSE_POSITIVE_RATE.evaluate(k=k, d=d, m=m))
        errors.append(abs(math.log(SECOND_ORDER.evaluate(k=k, d=d, m=m)) - exact))
        assert errors[-1] < m**3 / d**2
        assert errors[-1] < 0.15 * abs(math.log(UPPER_BOUND.evaluate(k=k, d=d, m=m)) - exact)
    assert errors[0] > 1.7 * errors[1] > 1.7**2 * errors[2]
