"""The search finds where a monotone property begins, from any guess."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from theory.search import first_true


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
