"""The pseudo-inverse readout on any W_U: random, of a construction, or trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.network import membership
from simulate.sampling import random_sets
from theory.domain import DomainError, check_integer
from theory.pseudo_inverse import check_width, log_failure_given_norm

# logits this close to 1 count as 1: members to be reproduced, non-members to be false positives
TOLERANCE = 1e-9
# singular values below this share of the largest are rounding errors
_SINGULAR = 1e-12
_BLOCK_BYTES = 2**24


@dataclass(frozen=True)
class Readout:
    """What the shortest residual h with logit 1 on every member does, set by set.

    false_positives: non-members whose logit reaches 1. reproduced: whether the members' logits are
    1 at all, which linearly dependent members may not allow; h is then the least-squares one and
    the set has failed, whatever its false positives. condition: condition number of U_S, inf for
    dependent members. squared_norm: |h|^2.
    """

    false_positives: Int[np.ndarray, " sets"]
    reproduced: Bool[np.ndarray, " sets"]
    condition: Float[np.ndarray, " sets"]
    squared_norm: Float[np.ndarray, " sets"]

    @property
    def failed(self) -> Bool[np.ndarray, " sets"]:
        """Sets with a false positive, or whose members' logits are not all 1."""
        return (self.false_positives > 0) | ~self.reproduced


def read_out(W_U: Float[np.ndarray, "d n"], tokens: Int[np.ndarray, "sets k"]) -> Readout:
    """The pseudo-inverse readout of each set; each row's tokens distinct.

    h = U_S^+ 1 by singular values, float64. A vector common to all columns of W_U moves h, though
    not the softmax: subtract the columns' mean first to ask about the softmax's own freedom.
    Memory about 40 MB and that of W_U. Raises DomainError for a W_U that is not finite or a token
    outside 0..n-1.
    """
    W_U = np.asarray(W_U, dtype=np.float64)
    d, n = W_U.shape
    if not np.isfinite(W_U).all():
        raise DomainError("W_U must be finite everywhere")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= n):
        raise DomainError(f"tokens must be in 0..{n - 1}")
    sets, k = tokens.shape
    false_positives = np.empty(sets, dtype=np.int64)
    reproduced = np.empty(sets, dtype=bool)
    condition, squared_norm = np.empty((2, sets))
    block = max(1, _BLOCK_BYTES // (8 * (n + 3 * k * d)))
    for start in range(0, sets, block):
        part = slice(start, start + block)
        h, condition[part], deviation = shortest_residual(W_U.T[tokens[part]])
        reached = h @ W_U >= 1.0 - TOLERANCE
        false_positives[part] = np.count_nonzero(reached & ~membership(tokens[part], n), axis=1)
        reproduced[part] = deviation <= TOLERANCE
        squared_norm[part] = np.einsum("sd,sd->s", h, h)
    return Readout(false_positives, reproduced, condition, squared_norm)


def shortest_residual(
    rows: Float[np.ndarray, "sets k d"],
) -> tuple[Float[np.ndarray, "sets d"], Float[np.ndarray, " sets"], Float[np.ndarray, " sets"]]:
    """(h, condition number of U_S, largest |logit - 1| of a member) of each U_S; h = U_S^+ 1."""
    left, singular, right = np.linalg.svd(rows, full_matrices=False)
    kept = singular > _SINGULAR * singular[:, :1]
    inverse = np.divide(1.0, singular, out=np.zeros_like(singular), where=kept)
    h = np.einsum("sr,srd->sd", left.sum(axis=1) * inverse, right)
    deviation = np.abs(np.einsum("skd,sd->sk", rows, h) - 1.0).max(axis=1)
    full_rank = kept.all(axis=1) & (rows.shape[1] <= rows.shape[2])
    condition = np.full(len(rows), np.inf)
    np.divide(singular[:, 0], singular[:, -1], out=condition, where=full_rank)
    return h, condition, deviation


def of_random_sets(
    rng: np.random.Generator, W_U: Float[np.ndarray, "d n"], k: int, sets: int
) -> Readout:
    """The readout of `sets` independent uniform k-sets of one W_U (quenched)."""
    return read_out(W_U, random_sets(rng, sets, W_U.shape[1], k))


def gaussian(rng: np.random.Generator, n: int, d: int) -> Float[np.ndarray, "d n"]:
    """W_U with independent standard normal entries, float64."""
    return rng.standard_normal((n, d)).T


def inverse_norms(rows: Float[np.ndarray, "draws k d"]) -> Float[np.ndarray, " draws"]:
    """1/|h| of each U_S of full row rank, by its Gram matrix: |h|^2 = 1^T (U_S U_S^T)^-1 1."""
    gram = rows @ rows.transpose(0, 2, 1)
    coefficients = np.linalg.solve(gram, np.ones((*rows.shape[:2], 1)))
    return coefficients.sum(axis=(1, 2)) ** -0.5


def tilted_failure(
    rng: np.random.Generator, n: int, k: int, d: int, draws: int
) -> Float[np.ndarray, " draws"]:
    """Importance sampling: weighted P(failure | h) of Gaussian U_S, whose mean is P_fail.

    The members' mean row is shrunk by sqrt(k/(k+1)), which makes the long h behind rare failures
    typical, and each value carries its likelihood ratio; h is then solved for. At n = 1000 and
    P_fail from 0.1 to 1e-12 one value's relative standard deviation is 0.25 for k = 8 and at most
    0.45 for k = 2 (measured). Memory about 40 MB.
    """
    check_integer("draws", draws, 1)
    check_width(k, d)
    values = np.empty(draws)
    block = max(1, _BLOCK_BYTES // (16 * k * d))
    shrink = np.sqrt(k / (k + 1))
    for start in range(0, draws, block):
        rows = rng.standard_normal((min(block, draws - start), k, d))
        mean = rows.mean(axis=1)
        # the mean row times sqrt k is standard normal too, and independent of the deviations
        square = k * np.einsum("sd,sd->s", mean, mean)
        log_ratio = d * np.log(shrink) + 0.5 * (1.0 - shrink**2) * square
        rows += (shrink - 1.0) * mean[:, None, :]
        given = log_failure_given_norm(n, k, inverse_norms(rows))
        values[start : start + block] = np.exp(log_ratio + given)
    return values
