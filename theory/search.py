"""Search of the integers for where a monotone property begins."""

from __future__ import annotations

from collections.abc import Callable


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
