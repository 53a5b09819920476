"""Searches: where a monotone property begins, and where a valley is lowest, from any guess."""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from theory.search import first_true, lowest_of_valley


@given(st.integers(-50, 2000), st.integers(0, 3000), st.integers(-10, 4000))
def test_from_any_guess(lowest: int, beyond: int, guess: int) -> None:
    asked = []

    def holds(place: int) -> bool:
        asked.append(place)
        return place >= lowest + beyond

    assert first_true(holds, guess, lowest) == lowest + beyond
    assert min(asked) >= lowest
    distance = abs(max(guess, lowest) - lowest - beyond)
    assert len(asked) <= 2 * max(distance, 1).bit_length() + 3


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(-5, 80), st.data())
def test_lowest_of_valley(steps: list[int], guess: int, data: st.DataObject) -> None:
    """Over every valley, flat parts at its foot too: the lowest place, the smaller of two."""
    foot = data.draw(st.integers(0, len(steps)))
    heights = np.cumsum([0, *(-x - 1 for x in steps[:foot]), *(x + 1 for x in steps[foot:])])
    heights = np.insert(heights, foot, heights[foot])  # two places tie
    seen = []

    def value(place: int) -> int:
        seen.append(place)
        return int(heights[place - 1])

    found = lowest_of_valley(value, guess, len(heights))
    assert found == foot + 1
    assert set(seen) <= set(range(1, len(heights) + 1))


def test_a_far_guess_costs_few_evaluations() -> None:
    seen: set[int] = set()

    def distance(place: int, bottom: int) -> int:
        seen.add(place)
        return abs(place - bottom)

    for bottom in (1, 7, 123_456, 10**9):
        seen.clear()
        assert lowest_of_valley(partial(distance, bottom=bottom), 40, 10**9) == bottom
        assert len(seen) < 150
