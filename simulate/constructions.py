"""Weights that implement a Bloom filter exactly, from any family of hashes.

A family is a bool matrix H [n, d]: H[i, b] says that token i's hash owns bit b. S_i is token i's
set of bits, the union is over the active tokens, M_i = |S_i \\ union| are token i's missing bits.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from simulate.network import ReluNetwork
from theory.domain import check_integer, check_real

Hashes = Bool[np.ndarray, "n d"]


def clamp(
    hashes: Hashes, beta: float = 1.0, alpha_min: float = 1.0, dtype: type[np.floating] = np.float64
) -> ReluNetwork:
    """The clamp construction: logit_i = beta |S_i ∩ union| for every alpha in [alpha_min, inf)^k.

    W_E = H, W_in = I, b_in = -alpha_min, W_out = -I, W_U = (beta / alpha_min) H^T.

    Proof. Bit b of the residual stream is x_b = sum of alpha_j over the active j that own b.
    - b outside the union: x_b = 0, and x_b - ReLU(0 - alpha_min) = 0.
    - b in the union: x_b >= alpha_min, and x_b - ReLU(x_b - alpha_min) = alpha_min.
    So after the layer x' = alpha_min 1_union and logit_i = beta |S_i ∩ union|, at most beta |S_i|
    with equality iff S_i lies in the union. An active token's hash does: no false negatives.
    With a coefficient below alpha_min members can lose; the forward pass refuses it.

    In floats x - (x - a) = a holds exactly for every x in [a, 2^p a], p the significand's bits
    (2^p = 2048 for float16, 256 for bfloat16), a = alpha_min a power of two, however the sum x was
    rounded; logits are exact for beta / alpha_min a power of two. Raises DomainError
    for beta or alpha_min outside (0, inf).
    """
    check_real("beta", beta, 0.0)
    check_real("alpha_min", alpha_min, 0.0)
    d = hashes.shape[1]
    identity = np.eye(d, dtype=dtype)
    return ReluNetwork(
        W_E=hashes.astype(dtype),
        W_in=identity,
        b_in=np.full(d, -alpha_min, dtype=dtype),
        W_out=-identity,
        W_U=np.multiply(hashes.T, dtype(beta / alpha_min)),
        alpha_min=alpha_min,
    )


def complement(
    hashes: Hashes, beta: float = 1.0, gain: float = 1.0, dtype: type[np.floating] = np.float64
) -> ReluNetwork:
    """The complement (NOR) construction at residual width 2d: logit_i = -beta M_i.

    W_E = [H, 0], W_in = [-gain I; 0], b_in = 1, W_out = [0, -I], W_U = [0; beta H^T]; exact for
    every alpha in [1/gain, inf)^k, with no upper limit.

    Proof. Hidden unit b is ReLU(1 - gain x_b), x_b = sum of alpha_j over the active j that own b.
    - b outside the union: x_b = 0 and the unit is 1.
    - b in the union: gain x_b >= 1 and the unit is 0.
    So the second half of the residual stream becomes -1 exactly outside the union, and
    logit_i = -beta |S_i \\ union| = -beta M_i <= 0 with equality iff S_i lies in the union. The
    readout ignores the first half, which carries alpha. An active token's hash lies in the union:
    no false negatives.

    Raises DomainError for beta or gain outside (0, inf).
    """
    check_real("beta", beta, 0.0)
    check_real("gain", gain, 0.0)
    n, d = hashes.shape
    identity, nothing = np.eye(d, dtype=dtype), np.zeros((d, d), dtype=dtype)
    unread = np.zeros((n, d), dtype=dtype)
    return ReluNetwork(
        W_E=np.hstack([hashes.astype(dtype), unread]),
        W_in=np.vstack([-gain * identity, nothing]).astype(dtype),
        b_in=np.ones(d, dtype=dtype),
        W_out=np.hstack([nothing, -identity]),
        W_U=np.vstack([unread.T, (hashes.T * beta).astype(dtype)]),
        alpha_min=1.0 / gain,
    )


def complement_limit(
    hashes: Hashes,
    beta: float = 1.0,
    gain: float = 1.0,
    eta: float = 1e-3,
    dtype: type[np.floating] = np.float64,
) -> ReluNetwork:
    """The complement at residual width d: 0 <= logit_i + beta M_i <= complement_limit_error.

    W_E = eta H, W_in = -(gain / eta) I, b_in = 1, W_out = -I, W_U = beta H^T. The hidden layer is
    that of `complement`; the residual path adds eta x_b >= 0 to bit b, hence
    beta eta sum_{b in S_i} x_b to logit i. At width d no exact complement exists when H has rank
    d >= 2 (`python -m theory derive complement_impossibility`).
    """
    check_real("beta", beta, 0.0)
    check_real("gain", gain, 0.0)
    check_real("eta", eta, 0.0)
    identity = np.eye(hashes.shape[1], dtype=dtype)
    return ReluNetwork(
        W_E=(hashes * eta).astype(dtype),
        W_in=(identity * -(gain / eta)).astype(dtype),
        b_in=np.ones(hashes.shape[1], dtype=dtype),
        W_out=-identity,
        W_U=(hashes.T * beta).astype(dtype),
        alpha_min=1.0 / gain,
    )


def complement_limit_error(hashes: Hashes, k: int, c: float, beta: float, eta: float) -> float:
    """Upper bound: beta eta c k m on |logit_i + beta M_i|, alpha <= c, m the largest hash weight.

    Attained by a token whose every bit is owned by all k active tokens at alpha = c.
    """
    return beta * eta * c * k * float(hashes.sum(axis=1).max(initial=0))


def mixed(
    hashes: Hashes, clamped: int, beta: float = 1.0, dtype: type[np.floating] = np.float64
) -> ReluNetwork:
    """Units of both kinds: the first `clamped` bits by the clamp, the others by the complement.

    logit_i = beta (|S_i ∩ union| - |S_i's complement bits|), exact for every alpha in [1, inf)^k:
    each part is that of `clamp` or `complement`, and they share no coordinate. Residual width
    clamped + 2 (d - clamped), hidden width d. A member's logit is beta times the number of its
    clamp bits, so that members are equal where every token has equally many of those.

    Raises DomainError for beta outside (0, inf) and clamped outside 0..d.
    """
    from scipy.linalg import block_diag

    check_integer("clamped", clamped, 0, hashes.shape[1], "d")
    first = clamp(hashes[:, :clamped], beta, dtype=dtype)
    second = complement(hashes[:, clamped:], beta, dtype=dtype)

    return ReluNetwork(
        W_E=np.hstack([first.W_E, second.W_E]),
        W_in=block_diag(first.W_in, second.W_in),
        b_in=np.concatenate([first.b_in, second.b_in]),
        W_out=block_diag(first.W_out, second.W_out),
        W_U=np.vstack([first.W_U, second.W_U]),
        alpha_min=1.0,
    )
