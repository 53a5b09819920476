"""Means over the union of k hashes for many codes at once, from tables that codes share.

A code's law of the union's size is a number of covers, the same for all widths, times factorials of
its width (`theory.coverings`), so that a code costs one sum over the sizes that matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.coverings import LARGEST_WIDTH, log_coverings, log_factorials
from theory.domain import LARGEST_N
from theory.logarithms import Floats, log_some

Integers = NDArray[np.int64]
Sizes = NDArray[Any]

# hash bits of all members, up to which the logarithms keep 11 digits of a probability
LARGEST_BITS = 2**13
# ln P(W < d) below which 1 - P(W < d) is 1 in doubles
_FULL = -38.0
# terms this many nats below the largest do not reach a double's last digit
_NEGLIGIBLE = 45.0
_STRIDE = 16
# entries of the tables that are held at a time
_CHUNK = 2**17


def log_means(
    k: Sizes,
    d: Sizes,
    m: Sizes,
    some: Sizes | int = 1,
    all_of: Sizes | int = 1,
    *,
    distinct: bool = True,
) -> Floats:
    """Exact: ln E [1 - (1 - f(W)^all_of)^some], nats; float64 of the common shape of the arrays.

    f is the coverage by a union of W bits: C(W, m)/C(d, m), or (W/d)^m where the m bits of a token
    are drawn with replacement (not `distinct`). What `occupancy.Value` means, for many codes. NaN
    where a code is not one of these: integers, 1 <= m <= d <= 1024, k m <= 8192.
    """
    arrays = np.broadcast_arrays(k, d, m, some, all_of)
    shape = arrays[0].shape
    if any(array.dtype.kind not in "iu" for array in arrays):
        return np.full(shape, np.nan)
    codes = np.stack([array.ravel().astype(np.int64) for array in arrays])
    k, d, m, some, all_of = codes
    known = (k >= 1) & (d >= 1) & (d <= LARGEST_WIDTH) & (m >= 1) & (all_of >= 1) & (some >= 0)
    known &= (m <= (d if distinct else LARGEST_BITS)) & (some <= LARGEST_N - k)
    found = np.where(known & (some == 0), -np.inf, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_missed = k * np.log1p(-m / d) if distinct else k * m * np.log1p(-1.0 / d)
        full = known & (some > 0) & (np.log(d) + log_missed < _FULL)
    found[full] = 0.0
    summed = np.flatnonzero(known & (some > 0) & ~full & (k <= LARGEST_BITS // np.maximum(m, 1)))
    for own, tables, table_of in _tabulated(codes[:, summed], distinct):
        found[summed[own]] = _sums(_Terms(codes[:, summed[own]], tables, table_of, distinct))
    return found.reshape(shape)


def _tabulated(codes: Integers, distinct: bool) -> Iterator[tuple[Integers, Floats, Integers]]:
    """(codes, tables ln u, the row of each code) until all codes were there; int, float, int."""
    owners: dict[tuple[int, int], list[int]] = defaultdict(list)
    tokens: dict[int, set[int]] = defaultdict(set)
    for code, (m, k) in enumerate(zip(codes[2].tolist(), codes[0].tolist(), strict=True)):
        owners[m, k].append(code)
        tokens[m].add(k)
    top = int(codes[1].max(initial=1))
    own: list[int] = []
    tables: list[Floats] = []
    table_of: list[int] = []
    for m, k, table in log_coverings(tokens, top, distinct):
        codes_here = owners.pop((m, k))
        own += codes_here
        table_of += [len(tables)] * len(codes_here)
        tables.append(table)
        if len(own) * top > _CHUNK or not owners:
            yield np.array(own), np.stack(tables), np.array(table_of)
            own, tables, table_of = [], [], []


class _Terms:
    """ln of the terms P(W = w) value(w) of each code, at given sizes w of given codes.

    Concave in w, as the law is (a sum of independent indicators: Vatutin & Mikhailov 1982) and the
    value; so the terms that matter lie between two that do not.
    """

    def __init__(self, codes: Integers, tables: Floats, table_of: Integers, distinct: bool) -> None:
        self.k, self.d, self.m, self.some, self.all_of = codes
        self.tables, self.row, self.distinct = tables.ravel(), table_of * tables.shape[1], distinct
        factorial = log_factorials()
        self.factorial = factorial.astype(np.float64)
        d, m = self.d, self.m
        if distinct:
            one_token = factorial[d] - factorial[d - m]
        else:
            one_token = m * np.log(d.astype(np.longdouble))
        self.constant = (factorial[d] - self.k * one_token).astype(np.float64)
        self.one_token = one_token.astype(np.float64)
        self.log_some = np.log(self.some)
        self.log_w = np.log(np.maximum(np.arange(LARGEST_WIDTH + 1), 1))

    def ends(self) -> tuple[Integers, Integers]:
        """The smallest and the largest union of each code."""
        lowest = self.m if self.distinct else np.ones_like(self.m)
        return lowest, np.minimum(self.d, self.k * self.m)

    def at(self, code: Integers, w: Integers) -> tuple[Floats, Floats]:
        """(ln P(W = w), ln f(w)^all_of), nats."""
        log_law = self.tables[self.row[code] + w]
        log_law += self.constant[code]
        log_law -= self.factorial[self.d[code] - w]
        if self.distinct:
            log_f = self.factorial[w] - self.factorial[w - self.m[code]]
        else:
            log_f = self.m[code] * self.log_w[w]
        log_f -= self.one_token[code]
        return log_law, np.minimum(log_f, 0.0) * self.all_of[code]

    def rough(self, code: Integers, w: Integers) -> Floats:
        """With min(1, N f) in place of 1 - (1 - f)^N, of which it is at most e/(e - 1) times."""
        log_law, log_f = self.at(code, w)
        found: Floats = log_law + np.minimum(0.0, log_f + self.log_some[code])
        return found

    def window(self) -> tuple[Integers, Integers]:
        """Ends between which every term lies that matters, from every 16th one."""
        lowest, highest = self.ends()
        code, w = _ranges(lowest, highest, _STRIDE)
        rough = self.rough(code, w)
        top = np.maximum.reduceat(rough, _starts(code))
        kept = np.flatnonzero(rough > top[code] - _NEGLIGIBLE)
        first = _starts(code[kept])
        last = np.append(first[1:], len(kept)) - 1
        from_, to = w[kept[first]] - _STRIDE, w[kept[last]] + _STRIDE
        return np.maximum(from_, lowest), np.minimum(to, highest)


def _sums(terms: _Terms) -> Floats:
    """ln sum_w P(W = w) value(w), nats, of each code; float64 [codes]."""
    code, w = _ranges(*terms.window())
    log_term, log_value = terms.at(code, w)
    if (terms.some > 1).any():
        log_value = log_some(terms.some[code], log_value)
    log_term += log_value
    starts = _starts(code)
    top = np.maximum.reduceat(log_term, starts)
    total = np.add.reduceat(np.exp(log_term - top[code]), starts)
    found: Floats = np.minimum(top + np.log(total), 0.0)
    return found


def _ranges(first: Integers, last: Integers, step: int = 1) -> tuple[Integers, Integers]:
    """(code, w): w = first, first + step, ... up to last, of every code."""
    counts = (last - first) // step + 1
    code = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    w = (np.arange(len(code)) - before[code]) * step + first[code]
    return code, w


def _starts(code: Integers) -> Integers:
    """Where each code begins, of numbers that are sorted by code."""
    return np.flatnonzero(np.diff(code, prepend=-1))
