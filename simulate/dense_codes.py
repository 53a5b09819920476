"""Random dense codes and their readouts, run forward: the rivals of the Bloom construction.

A code is its embedding, one vector per token in float64 [n, d]; x = sum_j alpha_j e_{i_j} and
y_i = <e_i, x>. The set of members is read off token by token where y reaches a threshold.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.jobs.table import Named
from simulate.network import Alpha, Tokens
from theory.domain import DomainError, check_integer

Embedding = Float[np.ndarray, "n d"]
Readout = Float[np.ndarray, "sets n"]

# sums of +-1/d that reach a threshold exactly may miss it by rounding; they lie 2/d apart
_TIE = 1e-9


def random_signs(rng: np.random.Generator, n: int, d: int) -> Embedding:
    """n independent vectors with entries +-1/sqrt(d); memory 9 n d bytes."""
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    bits = np.unpackbits(np.frombuffer(rng.bytes(-(-n * d // 8)), dtype=np.uint8), count=n * d)
    return (np.array([-1.0, 1.0]) / np.sqrt(d))[bits].reshape(n, d)


def random_directions(rng: np.random.Generator, n: int, d: int) -> Embedding:
    """n independent uniform unit vectors: normalised Gaussians."""
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    vectors = rng.standard_normal((n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_tight_frame(rng: np.random.Generator, n: int, d: int) -> Embedding:
    """A unit-norm tight frame of zero sum: d/2 random rows of the real Fourier matrix, scaled.

    e_i = sqrt(2/d) (cos(2 pi f i / n), sin(2 pi f i / n)) for d/2 distinct frequencies f below n/2;
    sum_i e_i = 0 and sum_i e_i e_i^T = (n/d) I, so its squared inner products meet the Welch bound
    with equality on average. Raises DomainError unless d is even and at most n - 1.
    """
    check_integer("n", n, 3)
    d = check_integer("d", d, 2, n - 1, "n - 1")
    if d % 2:
        raise DomainError(f"d must be even for a frame of cosines and sines; got {d}")
    frequencies = rng.choice((n - 1) // 2, size=d // 2, replace=False) + 1
    turn = 2.0 * np.pi / n * np.arange(n)
    places = np.outer(np.arange(n), frequencies) % n
    return np.sqrt(2.0 / d) * np.concatenate([np.cos(turn)[places], np.sin(turn)[places]], axis=1)


class DenseCode(Named):
    """A way to draw n unit vectors in d dimensions."""

    SIGNS = "signs", "random signs"
    DIRECTIONS = "directions", "random directions"
    TIGHT_FRAME = "tight_frame", "tight frame"


CODES: dict[DenseCode, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    DenseCode.SIGNS: random_signs,
    DenseCode.DIRECTIONS: random_directions,
    DenseCode.TIGHT_FRAME: random_tight_frame,
}


def residual(embedding: Embedding, tokens: Tokens, alpha: Alpha) -> Float[np.ndarray, "sets d"]:
    """x = sum_j alpha_j e_{i_j}, float64 [sets, d]."""
    return np.einsum("sk,skd->sd", alpha, embedding[tokens])


def linear_readout(embedding: Embedding, tokens: Tokens, alpha: Alpha) -> Readout:
    """y_i = <e_i, x> for every token, float64 [sets, n]."""
    return residual(embedding, tokens, alpha) @ embedding.T


def least_squares_readout(embedding: Embedding, tokens: Tokens) -> Readout:
    """The affine readout of x with the least expected squared error, at alpha = 1, [sets, n].

    y = k/n + (x - k/n sum_i e_i) V, V the pseudo-inverse of the embedding less its mean row. Raises
    LinAlgError for an embedding whose rows, less their mean, do not span R^d.
    """
    n, k = len(embedding), tokens.shape[1]
    centred = embedding - embedding.mean(axis=0)
    weights = np.linalg.solve(centred.T @ centred, centred.T)
    x = residual(embedding, tokens, np.ones(tokens.shape))
    return k / n + (x - k * embedding.mean(axis=0)) @ weights


def frame_readout(y: Readout, k: int, d: int) -> Readout:
    """The least-squares readout of a unit-norm tight frame of zero sum, from its y: y d/n + k/n."""
    n = y.shape[1]
    return (y * d + k) / n


def target(tokens: Tokens, alpha: Alpha, n: int) -> Readout:
    """alpha on the members and 0 elsewhere, float64 [sets, n]."""
    values = np.zeros((len(tokens), n))
    np.put_along_axis(values, tokens, alpha, axis=1)
    return values


def squared_error(y: Readout, wanted: Readout) -> Float[np.ndarray, " sets"]:
    """Summed over the vocabulary, not averaged."""
    return ((y - wanted) ** 2).sum(axis=1)


def largest_error(y: Readout, wanted: Readout) -> Float[np.ndarray, " sets"]:
    """max_i |y_i - wanted_i|."""
    return np.abs(y - wanted).max(axis=1)


def threshold_errors(
    y: Readout, members: Bool[np.ndarray, "sets n"], threshold: float
) -> tuple[Int[np.ndarray, " sets"], Int[np.ndarray, " sets"]]:
    """(false positives, false negatives) of each input, where y >= threshold accepts a token."""
    accepted = y >= threshold - _TIE
    return (accepted & ~members).sum(axis=1), (members & ~accepted).sum(axis=1)
