"""What the search must not find, and what it must: nulls and planted masks of the same n and d."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from train.readout.search import Climbs
from train.readout.whiten import Whitened

Vectors = Float[np.ndarray, "n d"]
# of a mask's own standard deviation: on whole planted codes, and on a Bloom filter's readout
CODE_NOISE = 0.2
# correlation with a planted mask from which a found direction is that mask
RECOVERED = 0.8


def gaussian(rng: np.random.Generator, n: int, d: int) -> Vectors:
    """Independent standard normal entries; after whitening, normal ones of any covariance."""
    return rng.standard_normal((n, d), dtype=np.float32)


def shuffled(rng: np.random.Generator, white: Vectors) -> Vectors:
    """Each coordinate of the whitened tokens permuted on its own, in a random basis.

    A random one because in the network's own basis a coordinate may itself be a mask.
    """
    turned = white @ orthonormal(rng, white.shape[1], white.shape[1])
    return rng.permuted(turned, axis=0)


def covariance_matched(rng: np.random.Generator, white: Vectors) -> Vectors:
    """Random directions with each token's own length in whitened coordinates.

    A normal code of the model's covariance, made as heavy-tailed over the tokens as the model's.
    """
    directions = rng.standard_normal(white.shape, dtype=np.float32)
    lengths = np.linalg.norm(white, axis=1) / np.linalg.norm(directions, axis=1)
    return directions * lengths[:, None]


def orthonormal(rng: np.random.Generator, rows: int, columns: int) -> Vectors:
    """Uniformly random orthonormal columns, float32; rows at least columns."""
    q, r = np.linalg.qr(rng.standard_normal((rows, columns)))
    return (q * np.sign(np.diag(r))).astype(np.float32)


def random_masks(
    rng: np.random.Generator, n: int, densities: Sequence[float]
) -> Bool[np.ndarray, "n bits"]:
    """Independent bits of the given densities."""
    return rng.random((n, len(densities)), dtype=np.float32) < np.asarray(densities, np.float32)


def noisy(rng: np.random.Generator, masks: Bool[np.ndarray, "n bits"], noise: float) -> Vectors:
    """The masks with mean 0 and variance 1, noise added, and variance 1 again; float32."""
    spread = masks.std(axis=0)
    levels = (masks - masks.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    added = noise * rng.standard_normal(masks.shape, dtype=np.float32)
    return ((levels + added) / np.sqrt(1.0 + noise**2)).astype(np.float32)


def mask_code(
    rng: np.random.Generator, masks: Bool[np.ndarray, "n bits"], d: int, noise: float
) -> Vectors:
    """A whole code of masks in a random basis of d dimensions.

    More masks than dimensions share them: each is mixed into a random direction.
    """
    bits = masks.shape[1]
    basis = (
        orthonormal(rng, d, bits).T
        if bits <= d
        else rng.standard_normal((bits, d), dtype=np.float32)
    )
    return noisy(rng, masks, noise) @ basis


def planted_within(
    rng: np.random.Generator, white: Vectors, masks: Bool[np.ndarray, "n bits"], noise: float
) -> Vectors:
    """The whitened tokens themselves, with random orthonormal directions replaced by masks."""
    basis = orthonormal(rng, white.shape[1], masks.shape[1])
    return white - (white @ basis - noisy(rng, masks, noise)) @ basis.T


def recovered(
    tokens: Whitened, found: Climbs, masks: Bool[np.ndarray, "n bits"]
) -> Bool[np.ndarray, " bits"]:
    """Which masks some two-level direction of the search correlates with, by 0.8 or more."""
    kept = found.distinct(found.explained.size, found=True)
    if kept.size == 0:
        return np.zeros(masks.shape[1], dtype=np.bool_)
    levels = _standard(tokens.all @ found.directions[:, kept])
    correlation = _standard(masks.astype(np.float32)).T @ levels / np.float32(len(masks))
    return (np.abs(correlation) >= RECOVERED).any(axis=1)


def _standard(columns: np.ndarray) -> np.ndarray:
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
