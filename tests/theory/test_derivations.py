"""Every step of every derivation holds, and every kind of check can fail."""

from __future__ import annotations

import re

import pytest
import sympy as sp

from theory.derivations import DERIVATIONS
from theory.derivations.checks import Digits, Rationals, Series, Symbolic, remainder
from theory.derivations.derivation import (
    CheckedStep,
    Derivation,
    Step,
    at_most,
    check,
    equal,
    points,
    positive,
)
from theory.derivations.power_series import power_series
from theory.derivations.rendering import as_latex, as_text
from theory.formulas.false_positives import CLASSIC, FALSE_POSITIVE_RATE, LOWER_BOUND, UPPER_BOUND
from theory.formulas.softmax_output import KL
from theory.symbols import L, d, k, m, p, t

CODES = points((k, d, m), ((2, 5, 2), (2, 6, 3), (3, 7, 2), (4, 9, 3), (5, 4, 1)))
TINY = sp.Rational(1, 10**20)

EACH_DERIVATION = pytest.mark.parametrize(
    "derivation", DERIVATIONS, ids=[derivation.name for derivation in DERIVATIONS]
)
# together more than half of the time; every kind of check and of fault is in the others, too
HEAVY = {"rate_function", "softmax_integrals", "harder_task", "quenched"}
EVALUATED = [
    pytest.param(
        derivation,
        id=derivation.name,
        marks=[pytest.mark.slow] if derivation.name in HEAVY else [],
    )
    for derivation in DERIVATIONS
]


def one_step(claim, method, **where) -> Derivation:
    return Derivation("planted", "A planted claim", (Step("It is said", claim, method, **where),))


def holds(claim, method) -> bool:
    (checked,) = check(one_step(claim, method))
    return checked.holds


def assert_balanced(latex: str) -> None:
    open_environments = []
    for kind, name in re.findall(r"\\(begin|end)\{([^}]*)\}", latex):
        if kind == "begin":
            open_environments.append(name)
        else:
            assert open_environments.pop() == name
    assert not open_environments
    without_escapes = re.sub(r"\\[{}$]", "", latex)
    assert without_escapes.count("{") == without_escapes.count("}")
    assert without_escapes.count("$") % 2 == 0
    assert len(re.findall(r"\\left\b", latex)) == len(re.findall(r"\\right\b", latex))


def with_a_fault(step: Step) -> Derivation:
    """An equation off by 1e-20, an inequality the wrong way round."""
    left, right = step.claim.args
    if isinstance(step.claim, sp.Eq):
        fault = TINY * sp.ones(*right.shape).as_immutable() if right.is_Matrix else TINY
        return one_step(equal(left, right + fault), step.check, where=step.where)
    reversed_claim = step.claim.func(right, left, evaluate=False)
    return one_step(reversed_claim, step.check, where=step.where)


@pytest.mark.parametrize("derivation", EVALUATED)
def test_every_step_holds_and_breaks_with_a_fault(derivation):
    """One test for both, because the faulty claims share the evaluated sides of the true ones."""
    results = check(derivation)
    assert [result.detail for result in results if not result.holds] == []
    text = as_text(derivation, results)
    marks = re.findall(r"\[(?:symbolic(?:, in cases)?|30 digits|exact rationals), ok\]", text)
    assert len(marks) == len(derivation.steps)
    assert_balanced(as_latex(derivation, results))
    for number, step in enumerate(derivation.steps, start=1):
        faulty = with_a_fault(step)
        results = check(faulty)
        assert not results[0].holds, f"step {number} does not notice a fault"
        assert "BROKEN" in as_text(faulty, results)
        assert "BROKEN" in as_latex(faulty, results)


@EACH_DERIVATION
def test_no_step_restates_itself(derivation):
    for step in derivation.steps:
        left, right = step.claim.args
        assert left != right


def test_names_are_unique():
    assert len({derivation.name for derivation in DERIVATIONS}) == len(DERIVATIONS)


def unchecked(derivation: Derivation) -> tuple[CheckedStep, ...]:
    return tuple(
        CheckedStep(step, True, step.check.method, "at k = 2_{ } 50% of # & ~ \\ ^ < >")
        for step in derivation.steps
    )


@EACH_DERIVATION
def test_text_numbers_every_step(derivation):
    text = as_text(derivation, unchecked(derivation))
    numbers = re.findall(r"^ {0,2}(\d+)\. ", text, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(derivation.steps) + 1)]
    assert text.startswith(f"{derivation.name}: {derivation.title}\n")
    assert "$" not in text


@EACH_DERIVATION
def test_latex_is_a_balanced_fragment(derivation):
    latex = as_latex(derivation, unchecked(derivation))
    assert_balanced(latex)
    assert len(re.findall(r"^\\item ", latex, re.MULTILINE)) == len(derivation.steps)
    assert "section" not in latex
    assert latex.isascii()


def test_a_wrong_factor_breaks_a_symbolic_step():
    density = p.subs(d, m / (1 - 2 ** (-1 / k)))
    assert holds(equal(density * KL.expression, KL.expression / 2), Symbolic())
    assert not holds(equal(density * KL.expression, KL.expression / 3), Symbolic())


def test_a_wrong_case_breaks_a_step_proved_case_by_case():
    claim = equal(FALSE_POSITIVE_RATE.expression.subs(k, 1), 1 / d)
    one, two = points((m,), ((1,), (2,)))
    assert holds(claim, Symbolic((sp.combsimp,), cases=(one,)))
    assert not holds(claim, Symbolic((sp.combsimp,), cases=(one, two)))


def test_a_wrong_factor_breaks_a_numeric_step():
    claim = equal(KL.expression, -sp.log(k / (k + L)))
    at = points((k, L), ((1, "1/3"), (2, 5), (7, "1/9")))
    assert holds(claim, Digits(at))
    assert not holds(equal(claim.lhs, 2 * claim.rhs), Digits(at))
    assert not holds(equal(claim.lhs, claim.rhs * (1 + TINY)), Digits(at))
    assert not holds(equal(claim.lhs, claim.rhs * (1 + TINY**2 * 10**11)), Digits(at))


def test_a_wrong_integral_breaks_a_numeric_step():
    at = points((k,), ((1,), (3,)))
    integral = sp.Integral(t * sp.exp(-k * t), (t, 0, sp.oo))
    assert holds(equal(integral, sp.Integer(1) / k**2), Digits(at))
    assert not holds(equal(integral, (1 + TINY) / k**2), Digits(at))


def test_false_inequalities_are_broken():
    rate, upper = FALSE_POSITIVE_RATE.expression, UPPER_BOUND.expression
    assert holds(at_most(rate, upper), Rationals(CODES))
    assert holds(at_most(rate, upper), Digits(CODES))
    assert not holds(at_most(upper, rate), Rationals(CODES))
    assert not holds(at_most(upper, rate), Digits(CODES))
    # equality holds at m = 1 only to the last digit: 1e-20 less is too little
    assert not holds(at_most(rate, upper * (1 - TINY)), Rationals(CODES))
    assert not holds(at_most(rate, upper * (1 - TINY)), Digits(CODES))
    # the classic rate is no upper bound, and the bounds do not change places
    assert not holds(at_most(rate, CLASSIC.expression), Digits(points((k, d, m), ((2, 5, 1),))))
    assert not holds(at_most(upper, LOWER_BOUND.expression), Rationals(CODES))


def test_a_sign_that_cannot_be_proved_is_broken():
    excess = sp.Symbol("excess", nonnegative=True)
    assert holds(at_most(m / d, sp.Integer(1)), Symbolic((sp.factor,), domain={d: m + excess}))
    assert not holds(at_most(m / d, sp.Integer(1)), Symbolic((sp.factor,)))
    # not strict where both sides may be equal
    assert not holds(positive(1 - m / d), Symbolic((sp.factor,), domain={d: m + excess}))


def test_a_wrong_coefficient_or_a_missing_remainder_breaks_a_series():
    left = (1 - L / k) ** k
    right = sp.exp(-L) * (1 - L**2 / (2 * k))
    assert holds(equal(left, right + remainder(k, 2)), Series(k, 2))
    assert not holds(equal(left, right * (1 + TINY / k) + remainder(k, 2)), Series(k, 2))
    assert not holds(equal(left, right + remainder(k, 3)), Series(k, 3))
    assert not holds(equal(left, right), Series(k, 2))


def test_a_claim_already_decided_is_refused():
    with pytest.raises(TypeError, match="unevaluated relation"):
        Step("Nothing is left to check", sp.Eq(m, m), Symbolic())


def test_irrational_values_are_refused_as_rationals():
    with pytest.raises(TypeError, match="not rational"):
        check(
            one_step(
                equal(sp.sqrt(m), sp.sqrt(m) * d / d + d), Rationals(points((m, d), ((2, 1),)))
            )
        )


@pytest.mark.parametrize(
    "function",
    [
        lambda u: sp.exp(sp.log(1 + 2 * u) / u),
        lambda u: (1 - 3 * u) ** (1 / u),
        lambda u: sp.log((1 + u) / (2 - u**2)) / u**2,
        lambda u: 1 / (sp.exp(u) - 1),
        lambda u: sp.log(1 + u * sp.exp(-u)) ** 3 / (1 - u),
    ],
)
def test_power_series_agree_with_sympys(function):
    u = sp.Symbol("u", positive=True)
    series = power_series(function(u), u, 7)
    expected = function(u).series(u, 0, 3).removeO()
    found = sum(c * u ** (series.shift + i) for i, c in enumerate(series.below(3)))
    assert sp.simplify(sp.expand(found - expected)) == 0


def test_power_series_does_not_claim_unknown_coefficients():
    u = sp.Symbol("u", positive=True)
    with pytest.raises(ArithmeticError, match="known only below order 1"):
        power_series(sp.log(1 + u) / u**2, u, 3).below(2)
    with pytest.raises(NotImplementedError, match="cos"):
        power_series(sp.cos(u), u, 3)
