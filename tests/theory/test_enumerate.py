"""Brute force over every hash family at tiny sizes against every exact formula."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import comb

import mpmath
import pytest

from theory import false_positives, softmax_output, union_size
from theory.domain import DomainError
from theory.enumerate import Outcome, mean, outcome_law, outcome_law_of_family, outcome_of
from theory.formula import Formula
from theory.formulas import false_positives as formulas
from theory.formulas.union_size import UNION_SIZE_LAW

FAST, SLOW = 300, 100_000  # hash families
TINY = [
    pytest.param(
        (n, k, d, m), marks=[pytest.mark.slow] * (comb(d, m) ** n > FAST), id=f"{n},{k},{d},{m}"
    )
    for d in range(1, 7)
    for m in range(1, d + 1)
    for n in range(1, 6)
    for k in range(1, n + 1)
    if comb(d, m) ** n <= SLOW
]
GOLDEN = {(4, 2, 5, 2): ("37/100", "577/1000"), (4, 2, 6, 3): ("147/400", "887/1600")}


@cache
def exactly(formula: Formula, **sizes: int) -> Fraction:
    """The expression at these sizes; most of them belong to several vocabularies."""
    return Fraction(str(formula.exact(**sizes)))


@pytest.mark.parametrize(("sizes", "golden"), GOLDEN.items())
def test_golden_values(sizes: tuple[int, int, int, int], golden: tuple[str, str]) -> None:
    """Enumeration, expression and evaluator give the published rationals."""
    n, k, d, m = sizes
    rate, failure = map(Fraction, golden)
    law = outcome_law(*sizes)
    assert mean(law, lambda o: o.false_positives) == (n - k) * rate
    assert mean(law, lambda o: int(o.false_positives > 0)) == failure
    assert exactly(formulas.FALSE_POSITIVE_RATE, k=k, d=d, m=m) == rate
    assert exactly(formulas.FAILURE_PROBABILITY, n=n, k=k, d=d, m=m) == failure
    assert false_positives.false_positive_rate(k, d, m) == pytest.approx(float(rate), rel=1e-13)
    assert false_positives.failure_probability(n, k, d, m) == pytest.approx(
        float(failure), rel=1e-13
    )


@pytest.mark.parametrize("sizes", TINY)
def test_laws_equal_enumeration(sizes: tuple[int, int, int, int]) -> None:
    """Union, failure, count and missing-bit laws, plain and given a false positive."""
    n, k, d, m = sizes
    law = outcome_law(*sizes)
    approx = {"rel": 1e-12, "abs": 1e-15}

    union = union_size.union_size_law(k, d, m)
    for w in range(d + 1):
        exact = mean(law, lambda o, w=w: int(o.union_size == w))
        assert exactly(UNION_SIZE_LAW, w=w, k=k, d=d, m=m) == exact
        assert union[w] == pytest.approx(float(exact), **approx)
    failure = mean(law, lambda o: int(o.false_positives > 0))
    assert exactly(formulas.FAILURE_PROBABILITY, n=n, k=k, d=d, m=m) == failure
    assert false_positives.failure_probability(n, k, d, m) == pytest.approx(
        float(failure), **approx
    )
    for x in range(n - k + 1):
        exact = mean(law, lambda o, x=x: int(o.false_positives == x))
        found = false_positives.false_positive_count_law(n, k, d, m, x)
        assert found == pytest.approx(float(exact), **approx)
    if n == k:
        return
    rate = mean(law, lambda o: int(o.missing_bits[0] == 0))
    assert exactly(formulas.FALSE_POSITIVE_RATE, k=k, d=d, m=m) == rate
    missing = false_positives.missing_bits_law(k, d, m)
    for s in range(m + 1):
        exact = mean(law, lambda o, s=s: int(o.missing_bits[0] == s))
        assert exactly(formulas.MISSING_BITS_LAW, s=s, k=k, d=d, m=m) == exact
        assert missing[s] == pytest.approx(float(exact), **approx)
    given_union = false_positives.union_size_given_false_positive(k, d, m)
    for w in range(d + 1):
        joint = mean(law, lambda o, w=w: int(o.union_size == w and o.missing_bits[0] == 0))
        assert given_union[w] == pytest.approx(float(joint / rate), **approx)
    if n - k < 2:
        return
    given_missing = false_positives.missing_bits_given_false_positive(k, d, m)
    for s in range(m + 1):
        joint = mean(law, lambda o, s=s: int(o.missing_bits[0] == 0 and o.missing_bits[1] == s))
        assert given_missing[s] == pytest.approx(float(joint / rate), **approx)


@pytest.mark.parametrize("sizes", [(4, 2, 5, 2), (4, 1, 5, 3), (5, 2, 4, 2), (4, 3, 6, 2)], ids=str)
@pytest.mark.parametrize("beta", [0.1, 1.5, 20.0])
def test_expected_divergence_equals_enumeration(
    sizes: tuple[int, int, int, int], beta: float
) -> None:
    """E TV, E KL, E SE and E L, term by term over every hash family."""
    n, k, d, m = sizes
    totals = [mpmath.mpf(0)] * 4
    with mpmath.workdps(30):
        for outcome, weight in outcome_law(*sizes).items():
            probability = mpmath.mpf(weight.numerator) / weight.denominator
            leakages = [mpmath.exp(-mpmath.mpf(beta) * s) for s in outcome.missing_bits]
            total = k + mpmath.fsum(leakages)
            output = [1 / total] * k + [leakage / total for leakage in leakages]
            target = [mpmath.mpf(1) / k] * k + [mpmath.mpf(0)] * (n - k)
            values = (
                mpmath.fsum(abs(a - b) for a, b in zip(output, target, strict=True)) / 2,
                mpmath.fsum(
                    t * mpmath.log(t / a) for a, t in zip(output[:k], target, strict=False)
                ),
                mpmath.fsum((a - b) ** 2 for a, b in zip(output, target, strict=True)),
                mpmath.fsum(leakages),
            )
            totals = [old + probability * new for old, new in zip(totals, values, strict=True)]
    found = softmax_output.expected_divergence(n, k, d, m, beta)
    assert found.total_variation == pytest.approx(float(totals[0]), rel=1e-11)
    assert found.kl == pytest.approx(float(totals[1]), rel=1e-11)
    assert found.squared_error == pytest.approx(float(totals[2]), rel=1e-11)
    leakage = softmax_output.mean_leakage(n, k, d, m, beta)
    assert leakage == pytest.approx(float(totals[3]), rel=1e-12)


def test_enumeration_can_fail() -> None:
    """The oracle tells the textbook rate and an off-by-one in N from the truth."""
    law = outcome_law(4, 2, 5, 2)
    rate = float(mean(law, lambda o: int(o.missing_bits[0] == 0)))
    assert false_positives.classic(2, 5, 2) != pytest.approx(rate, rel=1e-2)
    failure = float(mean(law, lambda o: int(o.false_positives > 0)))
    assert false_positives.failure_probability(5, 2, 5, 2) != pytest.approx(failure, rel=1e-2)


def test_one_family() -> None:
    """A fixed family: tokens 2 and 3 repeat token 0's hash and are confused with it."""
    family = [frozenset(bits) for bits in ({0, 1}, {2, 3}, {0, 1}, {0, 1})]
    assert outcome_of(family, (0, 1)) == Outcome(4, (0, 0))
    law = outcome_law_of_family(family, 2)
    assert sum(law.values()) == 1
    assert mean(law, lambda o: int(o.false_positives > 0)) == 1
    assert mean(law, lambda o: o.union_size) == Fraction(3, 6) * 4 + Fraction(3, 6) * 2


def test_too_many_families() -> None:
    with pytest.raises(DomainError, match="n must leave"):
        outcome_law(10, 2, 10, 5)
