"""Branch and bound over inputs and boxes of alpha: the smallest margins, failures and TV.

The margin of level s is the infimum of l_a - l_t over all given inputs, all alpha in [1, c]^k, all
members a and all other tokens t that miss at least s bits. Every input starts as one box. A box is
settled when its bounds cannot lower the smallest margin seen so far by more than a tolerance, and
when it is certain for all its alpha whether the input fails (or it has become too small to matter);
other boxes are split in two. At the end each margin lies between the smallest one seen, which an
input attains, and that less the tolerance.

An input fails when the mass on its k tokens is below (k/(k+1) + 1)/2. Failure and TV are averaged
over alpha uniform on the box.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from simulate.kernels import PackedHashes
from train.certificate.boxes import Boxes, Gates, Screen
from train.certificate.mass import mass
from train.reading.normal_form import NormalForm

TOLERANCE = 1e-3
# boxes that are bounded at once: their tables fit the processor's cache at n = 512
_BATCH = 128
# a box halved so often is given up; what its margins may be is reported
_MOST_SPLITS = 60


@dataclass(frozen=True)
class Witness:
    """A small margin that was seen: at least l_member - l_other at one input."""

    margin: float = np.inf
    tokens: tuple[int, ...] = ()
    alpha: tuple[float, ...] = ()
    member: int = -1
    other: int = -1


@dataclass(frozen=True)
class Outcome:
    """What holds for a block of inputs.

    witnesses: the smallest margin seen of each level s, index s; none at 0. open_low float64
    [levels + 1]: lower bounds on the margins in boxes that were given up, inf where none was.
    boxes: how many were bounded. Float64 [inputs]: failure_low, failure_high, bounds on the share
    of the alpha box on which the input fails; tv_low, tv_high, on its mean total variation.
    """

    witnesses: tuple[Witness, ...]
    open_low: np.ndarray
    boxes: int
    failure_low: np.ndarray
    failure_high: np.ndarray
    tv_low: np.ndarray
    tv_high: np.ndarray


@dataclass(frozen=True)
class Search:
    """How to search: margins of levels 1..levels to within `tolerance`, or what rounding allows.

    failure_splits: how often a box may be halved to settle whether it fails.
    """

    form: NormalForm
    levels: int = 1
    failure_splits: int = 5
    tolerance: float = TOLERANCE
    tables: Boxes = field(init=False)
    owned: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", Boxes(self.form))
        # a smaller one could not be told from rounding
        least = 16.0 * self.tables.pair_error
        object.__setattr__(self, "tolerance", max(self.tolerance, least))
        object.__setattr__(self, "owned", PackedHashes.of(self.form.owners).words)

    def warm_up(self, tokens: np.ndarray, rng: np.random.Generator) -> tuple[Witness, ...]:
        """Small margins at and around the given inputs, int [inputs, k]: witnesses to start from.

        From the worst input of each level, one token is changed at a time while that is worse; as
        many such changes are tried at once as there are inputs.
        """
        state = _State(self, [Witness()] * (self.levels + 1))
        state.look_at_all(tokens)
        n, k = self.form.n, self.form.k
        most = max(len(tokens), _BATCH)
        for level in range(1, self.levels + 1):
            before = np.inf
            while (witness := state.witnesses[level]).margin < before:
                before = witness.margin
                change = np.arange(n * k)
                if n * k > most:
                    change = rng.choice(n * k, most, replace=False)
                neighbours = np.repeat([witness.tokens], len(change), axis=0)
                neighbours[np.arange(len(change)), change % k] = change // k
                neighbours.sort(axis=1)
                distinct = (np.diff(neighbours, axis=1) > 0).all(axis=1)
                state.look_at_all(neighbours[distinct])
        return tuple(state.witnesses)

    def run(self, tokens: np.ndarray, witnesses: tuple[Witness, ...]) -> Outcome:
        """Settle all these inputs, int [inputs, k]; the smallest margins seen before are given."""
        state = _State(self, list(witnesses))
        totals = np.zeros((4, len(tokens)))
        root = np.arange(len(tokens))
        low, high = np.ones(tokens.shape), np.full(tokens.shape, self.form.c)
        depth = 0
        while len(root):
            halves = []
            for start in range(0, len(root), _BATCH):
                part = slice(start, start + _BATCH)
                at = root[part]
                halves.append(state.settle(tokens[at], low[part], high[part], at, depth, totals))
            root, low, high = (np.concatenate(parts) for parts in zip(*halves, strict=True))
            depth += 1
        # the volumes of the boxes are rounded
        totals *= np.array([[1.0 - 1e-12], [1.0 + 1e-12]] * 2)
        return Outcome(tuple(state.witnesses), state.open_low, state.boxes, *totals)

    def run_all(
        self, blocks: Iterable[np.ndarray], witnesses: tuple[Witness, ...], jobs: int
    ) -> Iterator[Outcome]:
        """`run` for each block, in order, on `jobs` threads; the same whatever their number."""
        with ThreadPoolExecutor(jobs) as pool:
            waiting: list[Future[Outcome]] = []
            for tokens in blocks:
                waiting.append(pool.submit(self.run, tokens, witnesses))
                if len(waiting) > jobs:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()


class _State:
    """The smallest margins seen while a block of inputs is settled."""

    def __init__(self, search: Search, witnesses: list[Witness]) -> None:
        self.search, self.form, self.tables = search, search.form, search.tables
        self.witnesses = witnesses
        self.open_low = np.full(search.levels + 1, np.inf)
        self.boxes = 0

    @property
    def targets(self) -> np.ndarray:
        """Margins of at least these need no closer look, index s."""
        seen = np.array([witness.margin for witness in self.witnesses])
        return seen - self.search.tolerance

    def look_at_all(self, tokens: np.ndarray) -> None:
        """See those of these inputs, [inputs, k], that look worst."""
        for start in range(0, len(tokens), _BATCH):
            self._look(tokens[start : start + _BATCH])

    def _look(self, tokens: np.ndarray) -> None:
        """See the inputs whose bounds over the whole alpha box are worst."""
        low, high = np.ones(tokens.shape), np.full(tokens.shape, self.form.c)
        gates = self.tables.gates(tokens, low, high)
        screen = self.tables.screen(gates)
        worst = _of_members(screen.low, tokens).min(axis=1)[:, None] - screen.high
        np.put_along_axis(worst, tokens, np.inf, axis=1)
        missing = self._missing(tokens[:, None], np.arange(self.form.n))
        for s in range(1, self.search.levels + 1):
            at_level = np.where(missing >= s, worst, np.inf)
            other = at_level.argmin(axis=1)
            box = np.argsort(at_level[np.arange(len(tokens)), other], kind="stable")[:8]
            box = box[np.isfinite(at_level[box, other[box]])]
            k = self.form.k
            self._see(gates, np.repeat(box, k), tokens[box].ravel(), np.repeat(other[box], k))

    def _see(self, gates: Gates, box: np.ndarray, member: np.ndarray, other: np.ndarray) -> None:
        """Evaluate pairs at their boxes' bad corners and remember the smallest margins."""
        if len(box) == 0:
            return
        _, alpha = self.tables.margin_low(gates, box, member, other)
        alpha = np.clip(alpha, 1.0, self.form.c)
        tokens = gates.tokens[box]
        points = self.tables.gates(tokens, alpha, alpha)
        margin, _ = self.tables.margin_low(points, np.arange(len(box)), member, other)
        # the bound is below what it bounds by at most twice what is allowed for rounding
        margin = margin + 2.0 * self.tables.pair_error
        level = np.minimum(self._missing(tokens, other), self.search.levels)
        for i in np.argsort(margin, kind="stable"):
            witness = Witness(
                float(margin[i]),
                tuple(tokens[i].tolist()),
                tuple(alpha[i].tolist()),
                int(member[i]),
                int(other[i]),
            )
            for s in range(1, int(level[i]) + 1):
                if witness.margin < self.witnesses[s].margin:
                    self.witnesses[s] = witness

    def _missing(self, tokens: np.ndarray, other: np.ndarray) -> np.ndarray:
        """How many bits of `other` [...] the union of `tokens` [..., k] lacks, int [...]."""
        absent = ~np.bitwise_or.reduce(self.search.owned[tokens], axis=-2)
        return np.bitwise_count(self.search.owned[other] & absent).sum(axis=-1, dtype=np.int64)

    def settle(
        self,
        tokens: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        root: np.ndarray,
        depth: int,
        totals: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Add what is settled to the `totals` [4, inputs]; return both halves of others."""
        self.boxes += len(tokens)
        form = self.form
        gates = self.tables.gates(tokens, low, high)
        screen = self.tables.screen(gates)
        splittable = np.any(high > low, axis=1) & np.array(depth < _MOST_SPLITS)
        split = self._margins_open(gates, screen, splittable)

        found = mass(self.tables, gates, screen)
        if depth < self.search.failure_splits:
            split |= (found.failure_high > found.failure_low) & splittable
        length = (high - low) / (form.c - 1.0) if form.c > 1.0 else np.ones_like(low)
        bounds = np.array([found.failure_low, found.failure_high, found.tv_low, found.tv_high])
        for total, bound in zip(totals, bounds * length.prod(axis=1), strict=True):
            np.add.at(total, root[~split], bound[~split])

        parent = np.flatnonzero(split)
        along = self._direction(gates, screen, parent)
        upper_low, lower_high = low[parent], high[parent]
        row = np.arange(len(parent))
        upper_low[row, along] = lower_high[row, along] = gates.centre[parent, along]
        return (
            np.tile(root[parent], 2),
            np.concatenate([low[parent], upper_low]),
            np.concatenate([lower_high, high[parent]]),
        )

    def _direction(self, gates: Gates, screen: Screen, box: np.ndarray) -> np.ndarray:
        """What to split: the coefficient that moves the weakest member and the strongest other."""
        tokens = gates.tokens[box]
        weakest = _of_members(screen.low[box], tokens).argmin(axis=1)
        high = screen.high[box]
        np.put_along_axis(high, tokens, -np.inf, axis=1)
        member = np.take_along_axis(tokens, weakest[:, None], axis=1)[:, 0]
        moved = self.tables.influence(gates, box, member, high.argmax(axis=1))
        return np.where(gates.radius[box] > 0.0, moved, -1.0).argmax(axis=1)

    def _margins_open(self, gates: Gates, screen: Screen, splittable: np.ndarray) -> np.ndarray:
        """Boxes that can be split in which a margin may be below its target, bool [B]."""
        tokens, targets = gates.tokens, self.targets
        if self.search.levels == 0:
            return np.zeros(len(tokens), dtype=bool)
        k = tokens.shape[1]
        lowest = _of_members(screen.low, tokens).min(axis=1)
        # what is not known to be above its target is suspect: NaN too
        suspect = ~(lowest[:, None] - screen.high >= targets[-1])
        np.put_along_axis(suspect, tokens, False, axis=1)
        box, other = np.nonzero(suspect)
        level = np.minimum(self._missing(tokens[box], other), self.search.levels)
        kept = (level > 0) & ~(lowest[box] - screen.high[box, other] >= targets[level])
        box, other, level = (np.repeat(x[kept], k) for x in (box, other, level))
        open_boxes = np.zeros(len(tokens), dtype=bool)
        if len(box) == 0:
            return open_boxes
        member = tokens[box[::k]].ravel()
        bound, _ = self.tables.margin_low(gates, box, member, other)
        worst = np.argsort(bound - targets[level], kind="stable")[:16]
        self._see(gates, box[worst], member[worst], other[worst])
        below = ~(bound >= self.targets[level])
        lost = below & ~splittable[box]
        for s in range(1, self.search.levels + 1):
            given_up = np.nan_to_num(bound[lost & (level >= s)], nan=-np.inf)
            self.open_low[s] = min(self.open_low[s], given_up.min(initial=np.inf))
        open_boxes[box[below & splittable[box]]] = True
        return open_boxes


def _of_members(bound: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return np.take_along_axis(bound, tokens, axis=1)


def merged(
    witnesses: tuple[Witness, ...], open_low: np.ndarray, boxes: int, outcome: Outcome
) -> tuple[tuple[Witness, ...], np.ndarray, int]:
    """Witnesses, open_low and boxes with those of one more outcome."""
    pairs = zip(witnesses, outcome.witnesses, strict=True)
    smaller = tuple(min(pair, key=lambda witness: witness.margin) for pair in pairs)
    return smaller, np.minimum(open_low, outcome.open_low), boxes + outcome.boxes
