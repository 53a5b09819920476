"""In how many ways k tokens of m bits cover w bits: what the laws of the union share at any width.

Hash the members bit by bit. With w bits covered, of which the token at hand owns i, its next bit is
one of the w - i others that are covered, or one of d - w new ones. So the union's size has the law

    P(W = w) = (d)_w u(w) / (d)_m^k,    u'(w) = (w - i) u(w) + u(w - 1),

in which u does not depend on d. Where a bit may be drawn again i is 0 throughout, u is the Stirling
number of the second kind of k m draws, and the law's denominator d^(k m).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from theory.logarithms import Floats

LARGEST_WIDTH = 1024
# rows that go through the steps together, so that they stay in the cache; steps between two changes
# of their scale, in which no number grows by more than 10^6 a step
_ROWS, _RESCALE = 16, 40


@cache
def log_factorials() -> NDArray[np.longdouble]:
    """ln i!, nats, at i = 0..1024, in the longest floats: k times their error has to vanish."""
    i = np.arange(1, LARGEST_WIDTH + 1, dtype=np.longdouble)
    return np.concatenate([np.zeros(1, dtype=np.longdouble), np.cumsum(np.log(i))])


def log_coverings(
    tokens: Mapping[int, set[int]], top: int, distinct: bool
) -> Iterator[tuple[int, int, Floats]]:
    """Exact: (m, k, ln u(w) at w = 0..top) for every number of tokens k that is asked of every m.

    tokens: those numbers, by m <= top <= 1024. distinct: whether the bits of a token all differ.
    float64 [top + 1], nats, -inf where there is no such cover; in no particular order.
    """
    given = 2 if distinct else 0
    order = sorted(tokens, key=lambda m: (max(tokens[m]) - given) * m, reverse=True)
    for start in range(0, len(order), _ROWS):
        rows = order[start : start + _ROWS]
        due: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for row, m in enumerate(rows):
            for k in tokens[m]:
                if k < given:
                    yield m, k, np.where(np.arange(top + 1) == m, 0.0, -np.inf)
                else:
                    due[(k - given) * m].append((row, k))
        last = [(max(tokens[m]) - given) * m for m in rows]
        state = _Rows(rows, top, distinct)
        for step in range(last[0] + 1):
            for row, k in due.get(step, ()):
                yield rows[row], k, state.log(row)
            if step % _RESCALE == 0:
                state.rescale(sum(end > step for end in last))
            state.advance(step)


class _Rows:
    """u of several m at once: value 2^exponent, with an exponent of its own at every w.

    They start from two tokens, which share bits in a closed number of ways, or from none.
    """

    def __init__(self, m: list[int], top: int, distinct: bool) -> None:
        self.m = np.array(m)[:, None] if distinct else np.ones((len(m), 1), dtype=np.int64)
        self.w = np.arange(top + 1.0)
        self.value = np.zeros((len(m), top + 1))
        self.exponent = np.zeros((len(m), top + 1), dtype=np.int64)
        self.value[:, 0] = 1.0
        self.filled = 2 * max(m) if distinct else 0
        if distinct:
            self._start(m)

    def _start(self, m: list[int]) -> None:
        """u(m + s) = (m!/s!)^2 / (m - s)!: s bits of the second token are new."""
        factorial = log_factorials()
        self.value[:, 0] = 0.0
        for row, bits in enumerate(m):
            new = np.arange(min(bits, len(self.w) - 1 - bits) + 1)
            log2 = 2 * (factorial[bits] - factorial[new]) - factorial[bits - new]
            log2 /= np.log(np.longdouble(2))
            own = np.s_[row, bits : bits + len(new)]
            self.exponent[own] = np.ceil(log2)
            self.value[own] = np.exp2(log2 - self.exponent[own])

    def log(self, row: int) -> Floats:
        """ln u(w), nats."""
        with np.errstate(divide="ignore"):
            found: Floats = np.log(self.value[row]) + self.exponent[row] * np.log(2.0)
        return found

    def rescale(self, kept: int) -> None:
        """Drops the rows that are done, and brings the others' numbers between 1/2 and 1.

        Zeros take the exponent of the nearest other number.
        """
        self.value, by = np.frexp(self.value[:kept])
        self.exponent = self.exponent[:kept] + by
        other = self.value > 0.0
        first = other.argmax(axis=1)[:, None]
        last = other.shape[1] - 1 - other[:, ::-1].argmax(axis=1)[:, None]
        nearest = np.clip(np.arange(other.shape[1]), first, last)
        self.exponent = np.take_along_axis(self.exponent, nearest, axis=1)
        self.shift = np.ldexp(1.0, self.exponent[:, :-1] - self.exponent[:, 1:])
        self.grown, self.moved = np.zeros_like(self.value), np.zeros_like(self.shift)

    def advance(self, step: int) -> None:
        """One more bit of every row: u'(w) = (w - i) u(w) + u(w - 1)."""
        self.filled = min(self.filled + 1, len(self.w) - 1)
        now, before = np.s_[:, : self.filled + 1], np.s_[:, : self.filled]
        owned = step % self.m[: len(self.value)]
        # in place: at this size new arrays take longer than the sums
        np.subtract(self.w[: self.filled + 1], owned, out=self.grown[now])
        self.grown[now] *= self.value[now]
        np.multiply(self.value[before], self.shift[before], out=self.moved[before])
        self.grown[:, 1 : self.filled + 1] += self.moved[before]
        self.value, self.grown = self.grown, self.value
