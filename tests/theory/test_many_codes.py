"""Many codes at once: the shared tables against exact rationals, and against code by code."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from math import comb, factorial, perm

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import column_weight, false_positives, many_codes
from theory.coverings import log_coverings
from theory.domain import DomainError

TOLERANCE = 1e-10


def covers(k: int, m: int, w: int, distinct: bool) -> Fraction:
    """u(w): k ordered hashes that cover w given bits, by inclusion-exclusion, over w!."""
    own = [perm(j, m) if distinct else j**m for j in range(w + 1)]
    return Fraction(
        sum((-1) ** (w - j) * comb(w, j) * own[j] ** k for j in range(w + 1)), factorial(w)
    )


@pytest.mark.parametrize("distinct", [True, False])
def test_tables_count_covers(distinct: bool) -> None:
    """Exact integers at every w, for several m and k at once; a table of one bit more differs."""
    top = 40
    tokens = {1: {1, 2, 7}, 3: {1, 5}, 8: {2, 3, 6}, 40: {1, 2, 3}}
    seen = set()
    for m, k, table in log_coverings(tokens, top, distinct):
        seen.add((m, k))
        for w in range(1, top + 1):
            exact = covers(k, m, w, distinct)
            if exact == 0:
                assert table[w] == -math.inf
            else:
                with mpmath.workdps(40):
                    expected = float(mpmath.log(exact.numerator) - mpmath.log(exact.denominator))
                assert table[w] == pytest.approx(expected, abs=1e-12 + 1e-14 * abs(expected))
    assert seen == {(m, k) for m, own in tokens.items() for k in own}
    assert covers(3, 3, 6, distinct) != covers(3, 4, 6, distinct)


@st.composite
def codes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(n, k, d, m) with d <= 60."""
    k, d = draw(st.integers(1, 20)), draw(st.integers(1, 60))
    return k + draw(st.integers(0, 10**6)), k, d, draw(st.integers(1, d))


def exact_failure(n: int, k: int, d: int, m: int, distinct: bool) -> float:
    """ln P_fail from the exact law of the union, in 60 digits."""
    ways = perm(d, m) if distinct else d**m
    with mpmath.workdps(60):
        total = mpmath.mpf(0)
        for w in range(1, d + 1):
            inside = perm(w, m) if distinct else w**m
            law = covers(k, m, w, distinct) * perm(d, w) / Fraction(ways) ** k
            missed = 1 - mpmath.mpf(inside) / ways
            total += mpmath.mpf(law.numerator) / law.denominator * (1 - missed ** (n - k))
        return float(mpmath.log(total)) if total else -math.inf


EVALUATORS = [
    (false_positives.log_failure_probability, True),
    (column_weight.log_with_replacement_failure_probability, False),
]


@pytest.mark.parametrize(("evaluator", "distinct"), EVALUATORS, ids=["different", "draws"])
@settings(max_examples=40)
@given(some=st.lists(codes(), min_size=1, max_size=6))
def test_failure_in_rationals(
    evaluator: Callable[..., np.ndarray], distinct: bool, some: list[tuple[int, int, int, int]]
) -> None:
    """ln P_fail to 1e-10, whatever codes are asked for together; one non-member more differs."""
    n, k, d, m = map(np.array, zip(*some, strict=True))
    found = evaluator(n, k, d, m)
    for value, code in zip(found.tolist(), some, strict=True):
        exact = exact_failure(*code, distinct)
        assert value == pytest.approx(exact, abs=TOLERANCE) or value == exact
        if -20.0 < exact < -1e-3 and code[0] - code[1] < 1000:
            more = (code[0] + 1, *code[1:])
            assert value != pytest.approx(exact_failure(*more, distinct), abs=TOLERANCE)


def near_the_best(rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
    """n, k, d, m of codes up to d = 1000, half of them near their best m."""
    k, d = rng.integers(1, 40, size), rng.integers(1, 1001, size)
    best = np.round(d / k * rng.uniform(0.2, 1.5, size))
    other = np.exp(rng.uniform(0.0, np.log(np.minimum(d, 60))))
    m = np.where(rng.random(size) < 0.5, best, other).astype(np.int64).clip(1, d)
    return k + rng.integers(0, 10**6, size), k, d, m


def test_arrays_and_single_codes_agree() -> None:
    """By another algorithm, the law grown token by token; draws, joint rates and means too."""
    n, k, d, m = near_the_best(np.random.default_rng(0), 120)
    of_task = (
        false_positives.log_failure_probability,
        false_positives.independent_failure_probability,
        false_positives.expected_false_positives,
    )
    for each in of_task:
        singly = [each(*code) for code in zip(*(x.tolist() for x in (n, k, d, m)), strict=True)]
        slack = TOLERANCE if each is of_task[0] else 1e-300  # logarithms near 0
        assert each(n, k, d, m) == pytest.approx(singly, rel=TOLERANCE, abs=slack)
    draws = column_weight.log_with_replacement_rate
    singly = [draws(*code) for code in zip(k.tolist(), d.tolist(), m.tolist(), strict=True)]
    assert draws(k, d, m) == pytest.approx(singly, rel=TOLERANCE, abs=TOLERANCE)
    few = slice(0, 20)
    joint = false_positives.joint_false_positive_rate(k[few], d[few], m[few], 3)
    singly = [
        false_positives.joint_false_positive_rate(*code, 3)
        for code in zip(k[few].tolist(), d[few].tolist(), m[few].tolist(), strict=True)
    ]
    assert joint == pytest.approx(singly, rel=TOLERANCE)


def test_everything_asked_of_arrays_is_answered_or_refused() -> None:
    """Codes beyond the tables, by keywords, and codes that are none."""
    wide = false_positives.log_false_positive_rate(3, np.array([1000, 5000]), 8)
    assert wide[1] == false_positives.log_false_positive_rate(3, 5000, 8)
    assert np.isnan(many_codes.log_means(*map(np.array, (3, 5000, 8))))
    named = false_positives.failure_probability(n=np.array([9, 90]), k=3, d=20, m=4)
    assert named == pytest.approx(false_positives.failure_probability(np.array([9, 90]), 3, 20, 4))
    assert false_positives.log_failure_probability(np.array([3, 4]), 3, 20, 4)[0] == -math.inf
    assert false_positives.failure_probability(np.array([[5]]), 4, 20, 20).shape == (1, 1)
    for sizes, message in (
        ((np.array([9, 2]), 3, 20, 4), "k must be at least 1 and at most n = 2"),
        ((np.array([9, 10**16]), 3, 20, 4), "n must be at least 1"),
        ((9, 3, 20, np.array([4, 21])), "m must be at least 1 and at most d = 20"),
        ((9, 3, 20, np.array([4.5])), "m must be an integer"),
        ((9, 3, 20, np.array([True])), "m must be an integer"),
    ):
        for evaluator in (
            false_positives.failure_probability,
            false_positives.expected_false_positives,
        ):
            with pytest.raises(DomainError, match=message):
                evaluator(*sizes)
