"""The same function in a form that is easier to read: no common offset, no unit in two parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from simulate.network import ReluNetwork

# a common part of the readout this much larger than the rest is taken off
MOST_OFFSET = 64.0
# roundings by which what two units read may differ, for each root of the width
_ROUNDINGS = 8.0


def without_common_offset(network: ReluNetwork) -> ReluNetwork:
    """The network itself, or where all logits share far more than tells them apart, without that.

    No probability depends on it, and in the weights' own dtype it would cost digits.
    """
    common = network.W_U.mean(axis=1, keepdims=True, dtype=np.float64)
    centred = network.W_U - common
    changes = {}
    if np.abs(common).max() > MOST_OFFSET * np.abs(centred).max():
        changes["W_U"] = centred.astype(network.dtype)
    if network.b_U is not None:
        shared = network.b_U.mean(dtype=np.float64)
        own = network.b_U - shared
        size = max(float(np.abs(own).max()), float(np.abs(centred).max()))
        if abs(shared) > MOST_OFFSET * size:
            changes["b_U"] = own.astype(network.dtype)
    return replace(network, **changes) if changes else network


def with_units_joined(network: ReluNetwork) -> tuple[ReluNetwork, Int[np.ndarray, " units"]]:
    """Units that read the same of every token, up to a positive factor, as one that writes for all.

    ReLU(s z) = s ReLU(z) for s > 0, so this is exact but for rounding, whatever share of a unit its
    parts have, negative ones too. With the given network's unit, the first of its parts, that each
    one stands for; the network itself where there is nothing to join.
    """
    # as far apart as the columns of W_E W_in, in fewer rows
    read = np.linalg.qr(network.W_E.astype(np.float64), mode="r") @ network.W_in
    size = np.linalg.norm(read, axis=0)
    first = _first_alike(network, read, size)
    kept = np.flatnonzero(first == np.arange(network.h))
    if len(kept) == network.h:
        return network, kept
    share = (size / np.where(size[first] > 0.0, size[first], 1.0))[:, None]
    W_out = np.zeros((network.h, network.d))
    np.add.at(W_out, first, network.W_out * np.where(size > 0.0, share.T, 1.0).T)
    joined = replace(
        network,
        W_in=network.W_in[:, kept],
        b_in=network.b_in[kept],
        W_out=W_out[kept].astype(network.dtype),
    )
    return joined, kept


def _first_alike(network: ReluNetwork, read: np.ndarray, size: np.ndarray) -> Int[np.ndarray, " h"]:
    """For each unit the first one that reads the same up to a positive factor, often itself."""
    scale = np.where(size > 0.0, size, 1.0)
    directions, bias = read / scale, network.b_in / scale
    room = _ROUNDINGS * float(np.finfo(network.dtype).eps) * np.sqrt(network.d)
    # units alike lie next to each other along any line
    line = np.random.default_rng(0).standard_normal(len(read))
    place = directions.T @ line
    order = np.argsort(place, kind="stable")
    reach = room * np.linalg.norm(line)
    ends = np.searchsorted(place[order], place[order] + reach, side="right")
    first = np.arange(network.h)
    for at in np.flatnonzero(ends > np.arange(network.h) + 1):
        unit, others = order[at], order[at + 1 : ends[at]]
        others = others[(size[others] > 0.0) & (size[unit] > 0.0)]
        apart = np.linalg.norm(directions[:, others] - directions[:, [unit]], axis=0)
        shifted = np.abs(bias[others] - bias[unit])
        for other in others[(apart <= room) & (shifted <= room * (np.abs(bias[unit]) + 1.0))]:
            low, high = sorted((first[unit], first[other]))
            first[first == high] = low
    return first
