"""The moment curve in finite precision: how many bits of significand a set of tokens needs.

W_U and the residual are rounded to floats of `bits` bits of significand (any exponent), to
nearest; the logits of the rounded numbers are then taken without further error, and a set fails
when a non-member's logit reaches a member's. The bits that a set needs are one more than the
largest number with which it fails.

A curve places n tokens: `column` and `residual` are exact (to _WORKING_BITS), `W_U` [2k, n] is the
columns in float64, and `gaps` says how far each token's logit lies below the members'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, combinations, repeat
from operator import mul
from typing import TypeAlias

import mpmath
import numpy as np
from jaxtyping import Float, Int

from theory.domain import DomainError, check_task

Number: TypeAlias = int | mpmath.mpf
Column: TypeAlias = Sequence[Number]

# bits of what is rounded, where it is no integer, and of the sums of products
_WORKING_BITS = 400
_BLOCK_NUMBERS = 2**20
# (1+u)^2 - 1 at u = 1/2
_ERROR_OF_ONE_BIT = 1.25


@dataclass(frozen=True)
class Line:
    """Equally spaced nodes t_i from -1 to 1: logit_i = -prod_s (t_i - t_s)^2.

    Columns (t, ..., t^(2k)). integer: the nodes 2i - n + 1 instead, n - 1 times as large, whose low
    powers floats hold exactly.
    """

    n: int
    k: int
    integer: bool = False

    def __post_init__(self) -> None:
        _check_non_member(self.n, self.k)

    def node(self, token: int) -> Number:
        """t_i, to _WORKING_BITS."""
        node = 2 * token - self.n + 1
        with mpmath.workprec(_WORKING_BITS):
            return node if self.integer else mpmath.mpf(node) / (self.n - 1)

    @cached_property
    def nodes(self) -> Float[np.ndarray, " n"]:
        """All t_i, in float64."""
        nodes = 2.0 * np.arange(self.n) - self.n + 1
        return nodes if self.integer else nodes / (self.n - 1)

    @cached_property
    def W_U(self) -> Float[np.ndarray, "d n"]:
        """Columns (t, ..., t^(2k)), in float64."""
        return self.nodes ** np.arange(1, 2 * self.k + 1)[:, None]

    def column(self, token: int) -> list[Number]:
        """(t, ..., t^(2k))."""
        with mpmath.workprec(_WORKING_BITS):
            return list(accumulate(repeat(self.node(token), 2 * self.k), mul))

    def residual(self, members: Sequence[int]) -> list[Number]:
        """Coefficients of t, ..., t^(2k) in -prod_s (t - t_s)^2."""
        coefficients: list[Number] = [-1]
        with mpmath.workprec(_WORKING_BITS):
            for member in [*members, *members]:
                node = self.node(member)
                shifted = [0, *coefficients]
                coefficients = [
                    high - node * low for high, low in zip(shifted, [*coefficients, 0], strict=True)
                ]
        return coefficients[1:]

    def gaps(self, tokens: Int[np.ndarray, "sets k"]) -> Float[np.ndarray, "sets n"]:
        """prod_s (t_i - t_s)^2, in float64; the nodes' differences to 1e-12 of their size or so."""
        gaps = np.ones((len(tokens), self.n))
        for member in tokens.T:
            gaps *= (self.nodes - self.nodes[member][:, None]) ** 2
        return gaps


@dataclass(frozen=True)
class Circle:
    """Angles theta_i = 2 pi i / n: logit_i = -prod_s (1 - cos(theta_i - theta_s)) less its mean.

    Columns (cos theta, sin theta, ..., cos k theta, sin k theta).
    """

    n: int
    k: int

    def __post_init__(self) -> None:
        _check_non_member(self.n, self.k)

    @cached_property
    def W_U(self) -> Float[np.ndarray, "d n"]:
        """Columns (cos theta, sin theta, ..., sin k theta), rounded to float64."""
        angles = 2.0 * np.pi * np.arange(self.n) / self.n * np.arange(1, self.k + 1)[:, None]
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).reshape(2 * self.k, self.n)

    def column(self, token: int) -> list[Number]:
        """cos and sin of theta, ..., k theta, to _WORKING_BITS."""
        with mpmath.workprec(_WORKING_BITS):
            turns = [mpmath.mpf(2 * j * int(token)) / self.n for j in range(1, self.k + 1)]
            return [part for turn in turns for part in (mpmath.cospi(turn), mpmath.sinpi(turn))]

    def residual(self, members: Sequence[int]) -> list[Number]:
        """Fourier coefficients of -prod_s (1 - cos(theta - theta_s)), without the constant one."""
        with mpmath.workprec(_WORKING_BITS):
            coefficients = [mpmath.mpc(-1)]  # of z^-j, ..., z^j
            for member in members:
                half = mpmath.expjpi(mpmath.mpf(2 * int(member)) / self.n) / 2
                padded = [mpmath.mpc(0)] * 2 + coefficients + [mpmath.mpc(0)] * 2
                coefficients = [
                    middle - half * high - half.conjugate() * low
                    for low, middle, high in zip(padded, padded[1:], padded[2:], strict=False)
                ]
            positive = coefficients[self.k + 1 :]
            return [part for c in positive for part in (2 * c.real, -2 * c.imag)]

    def gaps(self, tokens: Int[np.ndarray, "sets k"]) -> Float[np.ndarray, "sets n"]:
        """prod_s 2 sin^2((theta_i - theta_s)/2), in float64."""
        turns = (np.arange(self.n) - tokens[..., None]) / self.n
        return np.prod(2.0 * np.sin(np.pi * turns) ** 2, axis=1)


Curve: TypeAlias = Line | Circle


def rounded(numbers: Sequence[Number], bits: int) -> list[mpmath.mpf]:
    """Each number to the nearest float of `bits` bits of significand, ties to even."""
    return [mpmath.mpf(number, prec=bits, rounding="n") for number in numbers]


def fails(members: Iterable[Column], others: Iterable[Column], residual: Column, bits: int) -> bool:
    """Whether one of the others' logits reaches a member's, with columns and residual rounded."""
    rounded_residual = rounded(residual, bits)
    with mpmath.workprec(_WORKING_BITS):

        def logit(column: Column) -> mpmath.mpf:
            return mpmath.fdot(rounded(column, bits), rounded_residual)

        lowest = min(map(logit, members))
        return any(logit(column) >= lowest for column in others)


def bits_of_sets(curve: Curve, tokens: Int[np.ndarray, "sets k"]) -> Int[np.ndarray, " sets"]:
    """Bits of significand that each set needs: with these and with any more it does not fail."""
    return np.array([each.bits(0) for each in _sets(curve, tokens)], dtype=np.int64)


def bits_of_all(curve: Curve, tokens: Int[np.ndarray, "sets k"]) -> int:
    """Bits of significand with which, and with any more, none of these sets fails."""
    hardest_first = sorted(_sets(curve, tokens), key=lambda each: -each.proved_bits)
    most = 1
    for each in hardest_first:
        if each.proved_bits <= most:
            break
        most = each.bits(most)
    return most


@dataclass(frozen=True)
class _Set:
    """One set: its exact residual, and the non-members that rounding could bring up to a member.

    ratio: by growing ratio of a non-member's gap to the bound on the rounding errors of its logit
    and a member's. Where that exceeds (1+u)^2 - 1, u = 2^-bits, rounding cannot close the gap.
    """

    curve: Curve
    members: list[int]
    residual: list[Number]
    others: Int[np.ndarray, " others"]
    ratio: Float[np.ndarray, " others"]

    @property
    def proved_bits(self) -> int:
        """Bits at which (1+u)^2 - 1 is below every ratio: with these the set does not fail."""
        return int(np.floor(1e-9 - np.log2(np.expm1(0.5 * np.log1p(self.ratio[0]))))) + 1

    def bits(self, least: int) -> int:
        """Bits that the set needs, or `least` where that is more."""
        column = cache(self.curve.column)
        for bits in range(self.proved_bits - 1, max(least, 1) - 1, -1):
            error = 2.0 ** (1 - bits) + 4.0**-bits
            near = self.others[: np.searchsorted(self.ratio, error * (1.0 + 1e-9), side="right")]
            if fails(map(column, self.members), map(column, near.tolist()), self.residual, bits):
                return bits + 1
        return max(least, 1)


def _sets(curve: Curve, tokens: Int[np.ndarray, "sets k"]) -> Iterator[_Set]:
    if tokens.shape[1] != curve.k:
        raise DomainError(f"tokens must have k = {curve.k} columns; got {tokens.shape[1]}")
    absolute = np.abs(curve.W_U)
    block = max(1, _BLOCK_NUMBERS // curve.n)
    for start in range(0, len(tokens), block):
        part = tokens[start : start + block]
        for members, gaps in zip(part.tolist(), curve.gaps(part), strict=True):
            residual = curve.residual(members)
            # each term of a logit is off by (1+u)^2 - 1 of its size at most
            reach = np.abs(np.array(residual, dtype=np.float64)) @ absolute
            with np.errstate(invalid="ignore"):  # 0/0 at a member whose node is 0
                ratio = gaps / (reach + reach[members].max())
            ratio[members] = np.inf
            near = np.flatnonzero(ratio <= max(_ERROR_OF_ONE_BIT, ratio.min()))
            others = near[np.argsort(ratio[near])]
            yield _Set(curve, members, residual, others, ratio[others])


def end_sets(n: int, k: int) -> Int[np.ndarray, "sets k"]:
    """All k-subsets of the last k + 3 tokens, int64: the hardest of a `Line`.

    There nodes are largest, and neighbours' margins smallest beside them. By enumeration, n <= 32,
    22, 16 at k = 2, 3, 4: no k-set needs more bits, but for one bit more at n = 30, k = 2.
    """
    return np.array(list(combinations(range(max(0, n - k - 3), n), k)))


def arc_sets(n: int, k: int) -> Int[np.ndarray, "sets k"]:
    """The k-subsets of k + 1 neighbours at 8 places or more of a `Circle`, int64: hard sets."""
    neighbours = np.array(list(combinations(range(k + 1), k)))
    return np.concatenate([(neighbours + at) % n for at in range(0, n, max(1, n // 8))])


def _check_non_member(n: int, k: int) -> None:
    n, k = check_task(n, k)
    if n == k:
        raise DomainError(f"n must exceed k = {k} for a non-member to exist; got {n}")
