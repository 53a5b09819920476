"""Edits of a network's weights that change one token's bit of one hidden unit and no other.

Everything is said in a unit's own measure: 1 is the distance between the two modes of what it
reads, or of what it writes. So no number depends on the basis of the residual stream, on the order
of the units or their scale, nor on a vector added to all columns of W_U.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.network import ReluNetwork
from train.analysis.mechanism import HiddenStates, bit_weights
from train.reading.masks import CLAMP, Masks, Modes, read_weights, write_weights

# smaller singular values, over the largest, are rounding of float32 weights
_RANK = 1e-6


@dataclass(frozen=True)
class Bits:
    """The clamp and complement units as bits of a code, in an order that their masks decide.

    unit: the bit's unit in the network. clamp: of which orientation. owners: who puts the bit into
    the union (the read mask); queried: whose logit it moves (the write mask). weights: what the bit
    adds to each logit when it enters the union, nats, `mechanism.bit_weights`; full: the same for a
    token at the owners' mean. read, write: by how much, in the unit's measure, an entry must move
    to reach the mean of its other mode. excess: how much further than it is the unit's state would
    be in the union without the layer. gain: what a state of 1 is worth to a write entry of 1, nats.
    """

    unit: Int[np.ndarray, " bits"]
    clamp: Bool[np.ndarray, " bits"]
    owners: Bool[np.ndarray, "n bits"]
    queried: Bool[np.ndarray, "n bits"]
    weights: Float[np.ndarray, "n bits"]
    full: Float[np.ndarray, " bits"]
    read: Float[np.ndarray, "n bits"]
    write: Float[np.ndarray, "n bits"]
    excess: Float[np.ndarray, " bits"]
    gain: Float[np.ndarray, " bits"]

    @property
    def height(self) -> float:
        """The usual worth of one bit to a token that owns it, nats; NaN where nobody owns any."""
        owned = self.weights[self.queried]
        return float(np.median(owned)) if owned.size else float("nan")


def bits_of(network: ReluNetwork, masks: Masks, states: HiddenStates) -> Bits:
    """The bits of a float64 network; without units that were never in, or out of, the union."""
    weights = bit_weights(network, masks, states)
    kept = np.flatnonzero(~np.isnan(weights).any(axis=0))
    key = np.packbits(masks.read[:, states.units[kept]].T, axis=1)
    kept = kept[sorted(range(len(kept)), key=lambda at: key[at].tobytes())]
    unit, union = states.units[kept], states.hits[:, kept] > 0
    clamp = masks.orientation[unit] == CLAMP
    read, write = masks.read_modes, masks.write_modes
    step = (read.high_mean - read.low_mean)[unit]
    width = (write.high_mean - write.low_mean)[unit]
    A, B = read_weights(network)[:, unit], write_weights(network)[:, unit]

    def to_other_mode(values: np.ndarray, modes: Modes) -> np.ndarray:
        return np.where(modes.high, modes.low_mean, modes.high_mean)[:, unit] - values

    def mean_of(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return (values[:, kept] * chosen).sum(axis=0) / chosen.sum(axis=0)

    inside = mean_of(states.after, union)
    moved = inside - mean_of(states.after, ~union)
    # a complement unit's state is minus its output, whose threshold the layer keeps at 0
    before = np.where(clamp, mean_of(states.before, union), 0.0)
    return Bits(
        unit=unit,
        clamp=clamp,
        owners=masks.read[:, unit],
        queried=masks.write[:, unit],
        weights=weights[:, kept],
        full=moved * step * width,
        gain=step * width,
        read=to_other_mode(A, read) / step,
        write=to_other_mode(B, write) / width,
        excess=np.where(clamp, before - inside, 0.0),
    )


@dataclass(frozen=True)
class Handles:
    """Directions of the residual stream by which one bit of one token is changed.

    read [bits, d]: added to W_E[t], raises what the unit reads of token t by 1. What owning the bit
    adds to a row of W_E, by least squares over all tokens. write [d, bits]: added to W_U[:, t],
    raises what the unit writes to t by 1. Where the last residual stream shows the unit's state,
    by least squares over sampled inputs; for a clamp unit that is the direction it reads. inside
    [bits]: what it shows while the bit is in the union, on average. read_spill, write_spill: the
    largest by which another live unit's entry moves at the same time; 0 on a construction. To hold
    the others' entries exactly is possible by the inverse of W_in or W_out, but at width d it moves
    what passes beside the layer by far more.
    """

    read: Float[np.ndarray, "bits d"]
    write: Float[np.ndarray, "d bits"]
    inside: Float[np.ndarray, " bits"]
    read_spill: float
    write_spill: float


def handles(network: ReluNetwork, masks: Masks, states: HiddenStates, bits: Bits) -> Handles:
    """The handles of every bit of a float64 network; states: those of `bits_of`."""
    live = np.flatnonzero(masks.live)
    read, write = masks.read_modes, masks.write_modes
    W_in = network.W_in[:, live] / (read.high_mean - read.low_mean)[live]
    W_out = network.W_out[live] / (write.high_mean - write.low_mean)[live, None]
    at, of = np.searchsorted(live, bits.unit), np.searchsorted(states.units, bits.unit)
    owned = _fitted(bits.owners, network.W_E)
    reads, read_spill = _scaled(owned, W_in, at)
    last = network.after_layer(network.residual(states.tokens, states.alpha))
    after, union = states.after[:, of], states.hits[:, of] > 0
    shown = np.linalg.lstsq(last - last.mean(axis=0), after - after.mean(axis=0), rcond=_RANK)[0]
    writes, write_spill = _scaled(shown.T, W_out.T, at)
    inside = ((last @ writes.T) * union).sum(axis=0) / union.sum(axis=0)
    return Handles(reads, writes.T, inside, read_spill, write_spill)


def _fitted(
    owners: Bool[np.ndarray, "n bits"], W_E: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "bits d"]:
    """What owning each bit adds to a row of W_E, by least squares over the tokens.

    By the normal equations, whose matrix counts shared owners: exact up to 2^24 tokens.
    """
    from scipy.linalg import pinvh

    rows = owners.astype(np.float32)
    shared = (rows.T @ rows).astype(np.float64)
    return pinvh(shared, rtol=_RANK**2) @ (rows.T.astype(W_E.dtype) @ W_E)


def _scaled(rows: np.ndarray, columns: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, float]:
    """Each row over its product with its own column; the largest product with another one."""
    products = rows @ columns
    own = products[np.arange(len(at)), at][:, None]
    own = np.where(own == 0.0, np.inf, own)
    rows, products = rows / own, products / own
    products[np.arange(len(at)), at] = 0.0
    return rows, float(np.abs(products).max(initial=0.0))


def inverse_of_reads(network: ReluNetwork, masks: Masks) -> Float[np.ndarray, "units d"] | None:
    """W_in^-1 on the live units, in their order; None where they outnumber what they read.

    Vectors that a live unit reads as 1, in the network's own scale, and no other one reads.
    """
    live = np.flatnonzero(masks.live)
    step = (masks.read_modes.high_mean - masks.read_modes.low_mean)[live]
    # in the units' own measure, on which the rank depends as little as on their scale
    columns = network.W_in[:, live] / step
    if np.linalg.matrix_rank(columns, tol=_RANK * np.linalg.norm(columns, 2)) < len(live):
        return None
    return np.linalg.pinv(columns) / step[:, None]
