"""Balls hold the exact values, and are points where float64 loses nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.certificate.replay import rationals
from train.reading.balls import Balls, grid, round_up

FINITE = st.floats(-1e6, 1e6, allow_subnormal=True).filter(lambda x: x == 0 or abs(x) > 1e-300)
HALVES = st.integers(-50, 50).map(lambda i: i / 2.0)


def matrices(entries: st.SearchStrategy[float], rows: int, columns: int):
    size = rows * columns
    return st.lists(entries, min_size=size, max_size=size).map(
        lambda values: np.array(values).reshape(rows, columns)
    )


def holds(ball: Balls, exact: np.ndarray) -> bool:
    """Whether every exact value is in its ball, and between its ends."""
    mid, rad, low, high = (rationals(x) for x in (ball.mid, ball.rad, ball.low, ball.high))
    return bool(np.all(abs(exact - mid) <= rad) and np.all(low <= exact) and np.all(exact <= high))


@given(matrices(FINITE, 3, 4), matrices(FINITE, 4, 2), matrices(FINITE, 3, 2), FINITE)
def test_operations_hold_the_exact_values(a, b, c, x) -> None:
    product = Balls.exact(a) @ Balls.exact(b)
    exact = rationals(a) @ rationals(b)
    assert holds(product, exact)
    total = product + Balls.exact(c)
    assert holds(total, exact + rationals(c))
    assert holds(-total, -(exact + rationals(c)))
    assert holds(product - total, -rationals(c))
    scaled = total * Balls.exact(np.array(x))
    assert holds(scaled, (exact + rationals(c)) * Fraction(x))
    again = scaled.T @ Balls.exact(a)
    assert holds(again, ((exact + rationals(c)) * Fraction(x)).T @ rationals(a))
    assert holds(
        again.sum(axis=1), (((exact + rationals(c)) * Fraction(x)).T @ rationals(a)).sum(1)
    )


@given(matrices(HALVES, 3, 4), matrices(HALVES, 4, 2), matrices(HALVES, 3, 2))
def test_nothing_is_lost_on_a_grid(a, b, c) -> None:
    found = (Balls.exact(a) @ Balls.exact(b) + Balls.exact(c)) * Balls.exact(c)
    assert (found.rad == 0).all()
    assert (found.low == found.high).all()
    assert holds(found, (rationals(a) @ rationals(b) + rationals(c)) * rationals(c))


@given(FINITE, FINITE)
def test_sums_and_products_that_float64_holds_are_points(x, y) -> None:
    a, b = Balls.exact(np.array(x)), Balls.exact(np.array(y))
    for found, exact in ((a + b, Fraction(x) + Fraction(y)), (a * b, Fraction(x) * Fraction(y))):
        if Fraction(float(found.mid)) == exact and abs(exact) > 1e-250:
            assert found.rad == 0


@given(matrices(FINITE, 2, 3))
def test_grid_divides_every_entry(a) -> None:
    step = grid(a)
    if a.any():
        assert all(value / Fraction(step) % 1 == 0 for value in rationals(a).ravel())
        assert any(value / Fraction(2 * step) % 1 != 0 for value in rationals(a).ravel())
    else:
        assert step == np.inf


def test_what_overflows_proves_nothing() -> None:
    large = Balls.exact(np.full((2, 2), 1e200))
    with np.errstate(all="ignore"):
        found = large @ large
        for ball in (found, large * large):
            assert not (ball.low >= 0).any()
            assert not (ball.high <= 0).any()


@given(st.floats(0.0, 1e300))
def test_round_up_leaves_zero_and_raises_all_else(x) -> None:
    found = float(round_up(np.array(x)))
    assert found > x if x > 0 else found == 0
