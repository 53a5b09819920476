"""What each unit of the last layers writes into the logits: two levels, or one heavy-tailed mode?

In a Bloom filter a hidden unit is a bit, and writes one value to its owners' logits and another to
all others'. Beside the units stand random directions of the same covariance as their writes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from train.readout.search import FOUND, best_threshold

_AT_ONCE = 128
QUANTILES = (0.05, 0.5, 0.95)
# of the vocabulary; medians and tails of units do not need more
_MOST_TOKENS = 16_384
# of the largest logit: what a constant varies by in float32
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Spread:
    """The 5 %, 50 % and 95 % quantiles over units, and the largest."""

    low: float
    median: float
    high: float
    largest: float


@dataclass(frozen=True)
class Writes:
    """Units, or random directions: share of variance in two levels, and excess kurtosis.

    units: those that write anything. two_level: how many explain 0.85 or more; .637 is what a
    normal direction explains.
    """

    units: int
    explained: Spread
    kurtosis: Spread
    two_level: int


@dataclass(frozen=True)
class Layer:
    """One layer's units beside random directions of their covariance; tokens: how many of n."""

    name: str
    tokens: int
    units: Writes
    covariance_matched: Writes


@dataclass(frozen=True)
class Layers:
    """The last layers that the file has, last first."""

    layers: tuple[Layer, ...]


def layer_writes(
    rng: np.random.Generator,
    name: str,
    directions: Float[np.ndarray, "h d"],
    vectors: Float[np.ndarray, "n d"],
) -> Layer | None:
    """Measure the units that write the given directions into the residual.

    Over all tokens, or 16,384 random ones of a larger vocabulary. Units that write the same into
    all logits are left out; None where all of them do.
    """
    tokens = len(vectors)
    if tokens > _MOST_TOKENS:
        tokens = _MOST_TOKENS
        vectors = vectors[rng.choice(len(vectors), tokens, replace=False)]
    mixing = rng.standard_normal((len(directions), len(directions)), dtype=np.float32)
    # normal with the units' second moments
    matched = mixing @ directions / np.float32(np.sqrt(len(directions)))
    units, beside = _writes(directions, vectors), _writes(matched, vectors)
    return None if units is None or beside is None else Layer(name, tokens, units, beside)


def _writes(directions: np.ndarray, vectors: np.ndarray) -> Writes | None:
    explained_parts, kurtosis_parts = [], []
    for first in range(0, len(directions), _AT_ONCE):
        logits = vectors @ directions[first : first + _AT_ONCE].T.astype(np.float32)
        largest = np.abs(logits).max(axis=0)
        logits -= logits.mean(axis=0)
        spread = np.abs(logits).max(axis=0)
        varied = spread > _ROUNDING * largest
        # so that neither their squares nor the squares of those overflow or vanish
        logits = logits[:, varied] / spread[varied]
        variance = (logits**2).mean(axis=0)
        kurtosis_parts.append((logits**4).mean(axis=0) / variance**2 - 3.0)
        high = logits > best_threshold(logits)
        share = high.mean(axis=0)
        mean = np.einsum("ns,ns->s", logits, high) / len(logits)
        between = mean**2 / np.maximum(share * (1.0 - share), 1e-12)
        explained_parts.append(np.minimum(between / variance, 1.0))
    explained, kurtosis = np.concatenate(explained_parts), np.concatenate(kurtosis_parts)
    if not explained.size:
        return None
    return Writes(
        len(explained), _spread(explained), _spread(kurtosis), int((explained >= FOUND).sum())
    )


def _spread(values: np.ndarray) -> Spread:
    low, median, high = np.quantile(values.astype(np.float64), QUANTILES)
    return Spread(float(low), float(median), float(high), float(values.max()))
