"""Inputs on which a member leads by little: a descent over tokens and the ends of their alpha.

Nothing here is a proof; what is found is replayed in rational arithmetic by whoever uses it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from simulate.kernels import PackedHashes
from simulate.sampling import random_sets
from train.certificate import checker

# tables of so many entries are worked on at a time
_ENTRIES = 2**21
# of the members whose relaxed problems are solved for starts, so many for each descent
_MEMBERS = 2
# random inputs to start from; multiplications of all descents of a level, and of a step
_LOOKS, _WORK, _STEP = 512, 2**33, 2**31
_MOST_DESCENTS, _LEAST_DESCENTS = 64, 3


@dataclass(frozen=True)
class Witness:
    """A small margin that was seen: l_member - l_other at one input, rounded."""

    margin: float = np.inf
    tokens: tuple[int, ...] = ()
    alpha: tuple[float, ...] = ()
    member: int = -1
    other: int = -1


@dataclass(frozen=True)
class Inputs:
    """tokens int [inputs, k], alpha float64 [inputs, k]."""

    tokens: np.ndarray
    alpha: np.ndarray

    def __getitem__(self, at: np.ndarray | slice) -> Inputs:
        return Inputs(self.tokens[at], self.alpha[at])


def smallest(
    net: checker.Network, levels: int, rng: np.random.Generator, relaxed: bool
) -> tuple[Witness, ...]:
    """Small margins of the levels 1, ..., levels, index by level; that of 0 is empty.

    A level has a few descents once its margin is negative, or once one below it is not. At the end
    descents for each level but the last also start from the worst input of the next level, once for
    each token to change first, where that costs little.
    """
    found = [Witness()] * (levels + 1)

    def down(descent: Descent, start: Inputs, first: int = 0) -> None:
        """Keep what this descent finds; what misses more bits misses fewer."""
        seen = descent.down(start, rng, first)
        for lower in range(1, descent.level + 1):
            found[lower] = min(found[lower], seen, key=lambda witness: witness.margin)

    few = math.comb(net.n, net.k) // 2
    most = max(min(_WORK // (net.n * net.n * net.h), _MOST_DESCENTS, few), 1)
    for level in range(1, levels + 1):
        descent = Descent(net, level)
        open_below = found[level - 1].margin <= 0.0 or level == 1
        count = most if open_below else min(most, _LEAST_DESCENTS)
        starts = [descent.starts(rng, min(count, _LEAST_DESCENTS) if relaxed else count, False)]
        if relaxed:
            starts.insert(0, descent.starts(rng, count, True))
        every = Inputs(
            np.concatenate([x.tokens for x in starts]), np.concatenate([x.alpha for x in starts])
        )
        for i in range(len(every.tokens)):
            if i >= _LEAST_DESCENTS and found[level].margin < 0.0:
                break
            down(descent, every[i : i + 1])
    for level in range(levels - 1, 0, -1):
        above = found[level + 1]
        if math.isfinite(above.margin):
            start = Inputs(np.array([above.tokens]), np.array([above.alpha]))
            descent = Descent(net, level)
            for first in range(min(net.k, most // _LEAST_DESCENTS)):
                down(descent, start, first)
    return tuple(found)


class Descent:
    """The tables of one network, and the smallest margin of those that miss `level` bits."""

    def __init__(self, net: checker.Network, level: int) -> None:
        self.net, self.level = net, level
        self.cost = (net.rho * net.scale).astype(np.float32)
        self.lean = (net.lean * net.scale).astype(np.float32)
        constant = (net.constant - np.median(net.constant)) * net.scale
        self.read, self.bias, self.constant = (
            x.astype(np.float32) for x in (net.read, net.bias, constant)
        )
        self.owned = PackedHashes.of(net.own).words

    def margins(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The smallest of each input, [inputs], inf where no token misses so many bits, and the
        member and the other token that have it.
        """
        size = max(_ENTRIES // self.net.n, 1)
        blocks = [self._block(inputs[i : i + size]) for i in range(0, len(inputs.tokens), size)]
        margin, member, other = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return margin, member, other

    def _block(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        tokens, alpha = inputs.tokens, inputs.alpha.astype(np.float32)
        f = np.maximum(np.einsum("ik,ikh->ih", alpha, self.read[tokens]) + self.bias, 0.0)
        logits = self.constant - f @ self.cost
        for j in range(tokens.shape[1]):
            logits += alpha[:, j, None] * self.lean[tokens[:, j]]
        own = np.take_along_axis(logits, tokens, axis=1)
        absent = ~np.bitwise_or.reduce(self.owned[tokens], axis=1)
        missing = np.zeros(logits.shape, dtype=np.uint8 if self.net.h < 256 else np.int64)
        for word in range(self.owned.shape[1]):
            missing += np.bitwise_count(self.owned[:, word] & absent[:, word, None])
        logits[missing < self.level] = -np.inf
        np.put_along_axis(logits, tokens, -np.inf, axis=1)
        rows, weakest, other = np.arange(len(tokens)), own.argmin(axis=1), logits.argmax(axis=1)
        return own[rows, weakest] - logits[rows, other], tokens[rows, weakest], other

    def down(self, start: Inputs, rng: np.random.Generator, first: int = 0) -> Witness:
        """From one input, changing one token and its alpha at a time while that is worse.

        first: which of the k is changed first; the others follow in turn.
        """
        net, k = self.net, self.net.k
        now, (margin, member, other) = start, self.margins(start)
        position, unchanged = first, 0
        while unchanged < k and np.isfinite(margin[0]):
            others = np.arange(net.n)
            most = max(_STEP // (2 * net.n * net.h), 64)
            if len(others) > most:
                others = rng.choice(net.n, most, replace=False)
            tokens = np.tile(now.tokens, (2 * len(others), 1))
            alpha = np.tile(now.alpha, (2 * len(others), 1))
            tokens[:, position] = np.tile(others, 2)
            alpha[:, position] = np.repeat([1.0, net.c], len(others))
            distinct = (np.diff(np.sort(tokens, axis=1), axis=1) > 0).all(axis=1)
            around = Inputs(tokens[distinct], alpha[distinct])
            found = self.margins(around)
            best = int(found[0].argmin())
            unchanged += 1
            if found[0][best] < margin[0]:
                at = slice(best, best + 1)
                now, (margin, member, other), unchanged = around[at], (x[at] for x in found), 1
            position = (position + 1) % k
        if not np.isfinite(margin[0]):
            return Witness()
        return Witness(
            float(margin[0]),
            tuple(now.tokens[0].tolist()),
            tuple(now.alpha[0].tolist()),
            int(member[0]),
            int(other[0]),
        )

    def starts(self, rng: np.random.Generator, count: int, relaxed: bool) -> Inputs:
        """Inputs to start from: the worst of many random ones, or, relaxed, those that solve the
        relaxed problems of a few members.
        """
        net, k = self.net, self.net.k
        if not relaxed or k == 1:
            some = Inputs(
                random_sets(rng, _LOOKS, net.n, k), rng.choice([1.0, net.c], size=(_LOOKS, k))
            )
            return some[np.argsort(self.margins(some)[0], kind="stable")[:count]]
        search, every, rows = checker.Prefixes(net, self.level, 0.0), np.full(net.n, True), []
        for member in rng.choice(net.n, size=min(_MEMBERS * count, net.n), replace=False).tolist():
            others = np.delete(np.arange(net.n), member)
            low, shares = search.bound([member], np.array([[1.0, net.c]]), others, every)
            worst = int(low.argmin())
            joined = np.flatnonzero(np.isfinite(shares[worst]))  # no member again, nor the other
            if len(joined) >= k - 1:
                first = joined[np.argsort(shares[worst, joined])[: k - 1]]
                rows.append((low[worst], [member, *first.tolist()]))
        rows.sort(key=lambda row: row[0])
        tokens = np.array([row for _, row in rows[:count]], dtype=int).reshape(-1, k)
        alpha = np.full(tokens.shape, float(net.c))
        alpha[:, 0] = 1.0
        return Inputs(tokens, alpha)
