"""The real network on one input, in rational arithmetic: the weights are dyadic rationals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from simulate.network import ReluNetwork


def rationals(values: np.ndarray) -> np.ndarray:
    """The floats as Fractions, an object array of the same shape."""
    exact = [Fraction(value) for value in np.asarray(values, dtype=np.float64).ravel().tolist()]
    return np.array(exact, dtype=object).reshape(np.shape(values))


def pre_activations(
    network: ReluNetwork, tokens: Sequence[int], alpha: Sequence[Fraction]
) -> np.ndarray:
    """Exact z = x W_in + b_in of one input, Fractions [h]."""
    x = _residual(network, tokens, alpha)
    return x @ rationals(network.W_in) + rationals(network.b_in)


def logits(
    network: ReluNetwork,
    tokens: Sequence[int],
    alpha: Sequence[Fraction],
    wanted: Sequence[int] | slice = slice(None),
) -> np.ndarray:
    """Exact logits of the wanted tokens on one input, Fractions [wanted]."""
    hidden = _positive_part(pre_activations(network, tokens, alpha))
    x = _residual(network, tokens, alpha) + hidden @ rationals(network.W_out)
    if network.b_out is not None:
        x = x + rationals(network.b_out)
    found = x @ rationals(network.W_U[:, wanted])
    return found if network.b_U is None else found + rationals(network.b_U[wanted])


def _positive_part(z: np.ndarray) -> np.ndarray:
    return np.array([max(y, Fraction(0)) for y in z], dtype=object)


def _residual(network: ReluNetwork, tokens: Sequence[int], alpha: Sequence[Fraction]) -> np.ndarray:
    return np.array(alpha, dtype=object) @ rationals(network.W_E[list(tokens)])
