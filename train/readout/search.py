"""Is there a direction of the residual along which the vocabulary has two levels?

A Bloom filter's bit is such a direction: its owners lie on one level and all other tokens on the
other, whatever the basis in which the network keeps its residual. The search climbs from many
starts on several contrasts that two-level directions maximise, refines each climb by the best
two-level fit, and judges it on tokens that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from train.readout.whiten import Whitened

# share of the held-out variance that two levels explain: 2/pi = .637 for a normal direction, at
# most .75 for a symmetric one with one mode, 1 for a mask
FOUND = 0.85
# tokens in the middle third between the levels, for each token of the smaller group: .42 for a
# normal direction. Heavy tails with one mode can pass FOUND, but not this
VALLEY = 0.25
# fewer held-out tokens on one level say nothing
FEWEST = 5
# two directions whose projections correlate above this are one
SAME = 0.9
CLIMB, REFINE = 8, 6
ROUNDS = 8
# two ends of climbs that correlate above this were drawn by one direction
CLOSED = 0.7
_AT_ONCE = 256
_FOR_THRESHOLD = 4000


def _threshold(level: float) -> Callable[[np.ndarray], np.ndarray]:
    """The two-level fit at a fixed threshold: bounded, so heavy tails do not draw it."""
    return lambda u: (u > np.float32(level)).astype(np.float32)


def _cumulants(skewness: float, kurtosis: float) -> Callable[[np.ndarray], np.ndarray]:
    """Third cumulant up, fourth cumulant down, of values clipped at 3 standard deviations."""

    def contrast(u: np.ndarray) -> np.ndarray:
        clipped = np.clip(u, -3.0, 3.0)
        square = clipped * clipped
        return np.float32(skewness) * square - np.float32(kurtosis) * (square - 3.0) * clipped

    return contrast


# The first takes most of the starts, and sparse masks and those of up to 30 %. The others find
# dense masks, the last two those among heavy tails. (Hyvarinen & Oja 1997 for fixed-point steps.)
CONTRASTS: tuple[tuple[float, Callable[[np.ndarray], np.ndarray]], ...] = (
    (0.6, lambda u: u * u),
    (0.1, _cumulants(4.0, 1.0)),
    (0.1, _cumulants(0.0, 1.0)),
    (0.1, _threshold(0.25)),
    (0.1, _threshold(0.0)),
)


@dataclass(frozen=True)
class Climbs:
    """Where the climbs ended, by held-out fit.

    directions: [r, s], unit vectors in whitened coordinates. explained: share of the held-out
    variance that two levels explain. density: share of all tokens on the smaller level.
    valley: held-out tokens in the middle third between the levels, for each of the smaller group.
    """

    directions: Float[np.ndarray, "r s"]
    explained: Float[np.ndarray, " s"]
    density: Float[np.ndarray, " s"]
    valley: Float[np.ndarray, " s"]

    @property
    def two_level(self) -> Bool[np.ndarray, " s"]:
        """Which climbs ended on a two-level direction."""
        return (self.explained >= FOUND) & (self.valley <= VALLEY)

    def distinct(self, most: int, found: bool = False) -> np.ndarray:
        """Indices of the best climbs that are not the same direction; of the `found` ones only."""
        order = np.argsort(-self.explained, kind="stable")
        if found:
            order = order[self.two_level[order]]
        kept: list[int] = []
        for index in order:
            if len(kept) == most:
                break
            overlap = np.abs(self.directions[:, kept].T @ self.directions[:, index])
            if not (overlap > SAME).any():
                kept.append(int(index))
        return np.array(kept, dtype=np.int64)


def climbs(rng: np.random.Generator, tokens: Whitened, starts: int) -> Climbs:
    """Search from about so many starts, in rounds; deterministic given `rng`.

    Starts are token vectors, which lie close to the sparse masks they own, and random mixtures of
    all tokens. Both turn with the tokens, so the outcome is the same in every linear basis but for
    rounding. After each round the directions to which skewness draws most climbs are closed to
    further ones of its own: a trained code has hundreds of skewed directions, beside which masks
    of 10 % and more draw nothing. Cost O(starts n r) times
    2 (CLIMB + REFINE) multiplications.
    """
    r = tokens.search.shape[1]
    closed = np.zeros((r, 0), dtype=np.float32)
    found: list[Climbs] = []
    for round_ in range(ROUNDS):
        for index, (share, contrast) in enumerate(CONTRASTS):
            ends, count = [], max(2, round(starts * share / ROUNDS))
            shut = closed if index == 0 else closed[:, :0]
            for first in range(0, count, _AT_ONCE):
                start = _starts(rng, tokens.search, min(_AT_ONCE, count - first))
                ends.append(_climb(tokens.search, start, contrast, shut))
            directions = np.concatenate(ends, axis=1)
            found.append(_refined(tokens, directions))
            if index == 0:
                drawn = directions
        if round_ + 1 < ROUNDS:
            closed = _close(closed, drawn, max(1, r // ROUNDS))
    return _joined(found)


def _close(closed: np.ndarray, ends: np.ndarray, most: int) -> np.ndarray:
    """Orthonormal columns that span the closed directions and `most` ends, the frequent first."""
    near = np.abs(ends.T @ ends) > CLOSED
    order = np.argsort(-near.sum(axis=1), kind="stable")
    kept: list[int] = []
    for index in order:
        if len(kept) < most and not near[kept, index].any():
            kept.append(int(index))
    basis, _ = np.linalg.qr(np.concatenate([closed, ends[:, kept]], axis=1))
    return basis


def _joined(parts: Sequence[Climbs]) -> Climbs:
    return Climbs(
        np.concatenate([part.directions for part in parts], axis=1),
        np.concatenate([part.explained for part in parts]),
        np.concatenate([part.density for part in parts]),
        np.concatenate([part.valley for part in parts]),
    )


def _starts(rng: np.random.Generator, search: np.ndarray, count: int) -> np.ndarray:
    own = search[rng.integers(len(search), size=count // 2)].T
    mixed = search.T @ rng.standard_normal((len(search), count - count // 2), dtype=np.float32)
    return np.concatenate([own, mixed], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=0)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def _climb(
    search: np.ndarray,
    start: np.ndarray,
    contrast: Callable[[np.ndarray], np.ndarray],
    closed: np.ndarray,
) -> np.ndarray:
    """Fixed-point steps of the contrast, orthogonal to the closed directions: [r, s]."""
    directions = _unit(start - closed @ (closed.T @ start))
    for _ in range(CLIMB):
        moved = contrast(search @ directions)
        step = search.T @ (moved - moved.mean(axis=0))
        directions = _unit(step - closed @ (closed.T @ step))
    return directions


def _refined(tokens: Whitened, directions: np.ndarray) -> Climbs:
    """Climb on by the best two-level fit, in all directions, and judge on the held-out tokens."""
    search, n = tokens.search, len(tokens.search)
    u = search @ directions
    threshold = best_threshold(u[:: -(-n // _FOR_THRESHOLD)])
    for _ in range(REFINE):
        high = (u > threshold).astype(np.float32)
        directions = _unit(search.T @ (high - high.mean(axis=0)))
        u = search @ directions
        low_level, high_level, _ = _levels(u, threshold)
        threshold = (low_level + high_level) / 2.0
    low_level, high_level, share = _levels(u, threshold)

    v = tokens.held_out @ directions
    above = v > threshold
    left = ((v - np.where(above, high_level, low_level)) ** 2).mean(axis=0)
    explained = 1.0 - left / np.maximum(v.var(axis=0), np.finfo(np.float32).tiny)
    smaller = np.minimum(above.sum(axis=0), (~above).sum(axis=0))
    third = (high_level - low_level) / 6.0
    middle = (np.abs(v - threshold) < third).sum(axis=0)
    return Climbs(
        directions,
        np.where(smaller < FEWEST, 0.0, explained),
        np.minimum(share, 1.0 - share),
        middle / np.maximum(smaller, 1),
    )


def _levels(u: np.ndarray, threshold: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The means below and above the threshold, and the share above."""
    high = u > threshold
    count = high.sum(axis=0)
    total = u.sum(axis=0)
    above = np.einsum("ns,ns->s", u, high)
    return (
        (total - above) / np.maximum(len(u) - count, 1),
        above / np.maximum(count, 1),
        count / len(u),
    )


def best_threshold(u: Float[np.ndarray, "n s"]) -> Float[np.ndarray, " s"]:
    """The threshold at which two levels explain most of each column (Otsu 1979). n at least 2."""
    n = len(u)
    ordered = np.sort(u, axis=0)
    below = np.cumsum(ordered - ordered.mean(axis=0), axis=0, dtype=np.float64)[:-1]
    count = np.arange(1, n)[:, None]
    best = (below**2 / (count * (n - count))).argmax(axis=0)
    column = np.arange(u.shape[1])
    return (ordered[best, column] + ordered[best + 1, column]) / 2.0
