"""Token vectors in coordinates that no invertible linear map of the residual changes.

Half of the questions here are about an unknown linear basis. After whitening, every basis of the
residual gives the same token vectors up to a rotation, and the search below commutes with those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from theory.domain import DomainError

HELD_OUT = 5  # one token in so many is kept from the search
FEWEST_TOKENS = 2 * HELD_OUT
_RANK = 1e-10


@dataclass(frozen=True)
class Whitened:
    """Token vectors with mean 0 and covariance 1 over the tokens of the search, float32.

    search: [n1, r], the tokens that the search sees. held_out: [n2, r], in the same coordinates.
    tokens: the permutation of the n tokens, those of the search first. r is the rank, at most d.
    """

    search: Float[np.ndarray, "n1 r"]
    held_out: Float[np.ndarray, "n2 r"]
    tokens: np.ndarray

    @property
    def all(self) -> Float[np.ndarray, "n r"]:
        """The token vectors in the order of the vocabulary."""
        joined = np.concatenate([self.search, self.held_out])
        ordered = np.empty_like(joined)
        ordered[self.tokens] = joined
        return ordered


def whiten(rng: np.random.Generator, vectors: Float[np.ndarray, "n d"]) -> Whitened:
    """Hold out a random fifth of the tokens and whiten by the covariance of the others.

    Exact up to rounding. Directions whose variance is below 1e-10 of the largest are left out.
    Raises DomainError for fewer than 10 tokens, or if all token vectors are equal.
    """
    n = len(vectors)
    if n < FEWEST_TOKENS:
        raise DomainError(f"W_U must have at least {FEWEST_TOKENS} tokens; got {n}")
    tokens = rng.permutation(n)
    seen = n - n // HELD_OUT
    mean = vectors[tokens[:seen]].mean(axis=0, dtype=np.float64)
    covariance = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, seen, 8192):
        block = vectors[tokens[start : min(start + 8192, seen)]].astype(np.float64) - mean
        covariance += block.T @ block
    variance, axes = np.linalg.eigh(covariance / seen)
    kept = variance > max(variance[-1] * _RANK, np.finfo(np.float64).tiny)
    if not kept.any():
        raise DomainError("W_U must have token vectors that differ; all of them are equal")
    to_white = axes[:, kept] / np.sqrt(variance[kept])
    white = np.empty((n, int(kept.sum())), dtype=np.float32)
    for start in range(0, n, 8192):
        white[start : start + 8192] = (vectors[tokens[start : start + 8192]] - mean) @ to_white
    return Whitened(white[:seen], white[seen:], tokens)
