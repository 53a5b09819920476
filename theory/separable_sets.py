"""Every set that a hyperplane separates, enumerated in exact integers: the converses' reference."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from theory.domain import DomainError

_MOST_TOKENS = 20


def all_separable_sets(points: np.ndarray) -> set[int]:
    """Every separable set as a bit mask; points int [n, d] in general position, n > d.

    Every separating hyperplane can be moved until it holds d points, and those d can be put on
    either side of it at will. Cost C(n, d) 2^d. Raises DomainError where some d + 1 points lie on a
    hyperplane, or n > 20.
    """
    n, d = points.shape
    if n > _MOST_TOKENS:
        raise DomainError(f"points must be at most {_MOST_TOKENS}; got {n}")
    rows = [[*map(int, point), 1] for point in points]
    found: set[int] = set()
    for on in combinations(range(n), d):
        normal = _cofactors([rows[i] for i in on])
        side = [sum(a * b for a, b in zip(normal, row, strict=True)) for row in rows]
        if any(side[i] == 0 for i in range(n) if i not in on):
            raise DomainError(
                f"points must have no {d + 1} of them on one hyperplane; move one a little"
            )
        above = sum(1 << i for i in range(n) if side[i] > 0 and i not in on)
        below = (1 << n) - 1 - above - sum(1 << i for i in on)
        for size in range(d + 1):
            for own in combinations(on, size):
                extra = sum(1 << i for i in own)
                found |= {above | extra, below | extra}
    return found


def _cofactors(rows: list[list[int]]) -> list[int]:
    """A normal to d rows of length d + 1: the signed maximal minors."""
    places = range(len(rows) + 1)
    return [
        (-1) ** skip * _determinant([[row[i] for i in places if i != skip] for row in rows])
        for skip in places
    ]


def _determinant(rows: list[list[int]]) -> int:
    """By expansion along the first row, exact."""
    if not rows:
        return 1
    return sum(
        (-1) ** i * value * _determinant([row[:i] + row[i + 1 :] for row in rows[1:]])
        for i, value in enumerate(rows[0])
        if value
    )
