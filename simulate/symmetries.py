"""What may be done to a network's weights without changing its function.

Rotations of the residual stream, permutations and positive rescalings of the hidden units, and one
vector added to all columns of W_U, which moves all logits of an input alike.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from simulate.network import ReluNetwork

# units are rescaled by up to this many powers of e either way
MOST_RESCALING = 2.0


def in_another_basis(
    network: ReluNetwork, rng: np.random.Generator, shift: float = 1.0
) -> tuple[ReluNetwork, Int[np.ndarray, " h"]]:
    """The same function up to one number added to all logits of an input, and the units' order.

    Unit j of the result is unit order[j] of the network. Rotation and order are random, scales
    e^u with u uniform on [-2, 2], the vector's entries normal with standard deviation `shift`.
    Computed in float64, returned in the network's dtype.
    """
    rotation = np.linalg.qr(rng.standard_normal((network.d, network.d)))[0]
    order = rng.permutation(network.h)
    scale = np.exp(rng.uniform(-MOST_RESCALING, MOST_RESCALING, network.h))
    vector = shift * rng.standard_normal(network.d)
    weights = {
        "W_E": network.W_E @ rotation,
        "W_in": rotation.T @ network.W_in[:, order] * scale,
        "b_in": network.b_in[order] * scale,
        "W_out": network.W_out[order] @ rotation / scale[:, None],
        "W_U": rotation.T @ (network.W_U + vector[:, None]),
    }
    if network.b_out is not None:
        weights["b_out"] = network.b_out @ rotation
    as_stored = {name: weight.astype(network.dtype) for name, weight in weights.items()}
    return replace(network, **as_stored), order
