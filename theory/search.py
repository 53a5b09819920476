"""Where a monotone property begins, where a valley is lowest, where a function crosses 0."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol, TypeVar


class _Comparable(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...

    def __le__(self, other: Any, /) -> bool: ...


T = TypeVar("T", bound=_Comparable)


def first_true(holds: Callable[[int], bool], guess: int, lowest: int = 1) -> int:
    """The smallest integer >= lowest at which `holds` is true.

    `holds` must be false below some integer and true from it on. Brackets it around the guess in
    doubling steps and bisects: about 2 log2 |answer - guess| evaluations.
    """
    low, high = lowest - 1, max(guess, lowest)
    step = 1
    if holds(high):
        while high > lowest and holds(max(lowest, high - step)):
            high = max(lowest, high - step)
            step *= 2
        low = max(low, high - step)
    else:
        low = high
        while not holds(low + step):
            low += step
            step *= 2
        high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def lowest_of_valley(value: Callable[[int], T], guess: int, highest: int) -> int:
    """A minimiser over 1..highest of a function that falls and then rises, found from the guess.

    The smaller of two neighbours that tie. Strides double while they lead downhill and are halved
    where they do not: about 2 log2 |answer - guess| evaluations, and two for a guess that is right.
    """
    at = cache(value)
    place, before = min(max(guess, 1), highest), 0
    while place != before:
        before = place
        for towards in (-1, 1):
            stride = 1
            while stride:
                there = min(max(place + towards * stride, 1), highest)
                lower = at(there) <= at(place) if there < place else at(there) < at(place)
                if lower:
                    place, stride = there, 2 * stride
                else:
                    stride //= 2
    return place


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where the function changes its sign between two points, to the last digit, by bisection.

    SciPy's searches are faster, and take a third of a second to import.
    """
    rising = function(high) > 0.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return middle
        if (function(middle) > 0.0) == rising:
            high = middle
        else:
            low = middle
