"""The units and tokens of a network that do not do what the others do, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from simulate.network import ReluNetwork
from train.reading.masks import CLAMP, COMPLEMENT, LEAST_LINK, NEITHER, Masks

# studentised with the others' mean and deviation; beyond it one in two million normal values
OUTLYING = 5.0
# tokens or units named in one reason, and reasons' bearers listed of each kind
NAMED, LISTED = 20, 500

_NAMES = {CLAMP: "clamp", COMPLEMENT: "complement", NEITHER: "neither"}


def exceptions(
    network: ReluNetwork, masks: Masks, bit_weights: Float[np.ndarray, "n units"]
) -> dict[str, Any]:
    """Units and tokens that deviate: {"unit" or "token", "why": [reasons]}, in ascending order.

    Units: dead, always on, of neither orientation or of the rarer one, with two masks that differ,
    or with an outlying number of owners or (W_out W_in)_jj. Tokens: with masks that differ, no
    bit, or an outlying number of bits or sum of bit weights. bit_weights: of the units that are
    clamp or complement. At most 500 of each are listed; the counts are of all.
    """
    of_units = {unit: why for unit in range(network.h) if (why := [*_of_unit(masks, unit)])}
    of_tokens: dict[int, list[str]] = {}
    for unit, reason in _outlying_units(network, masks):
        of_units.setdefault(unit, []).append(reason)
    for token, reason in [*_differing_tokens(masks), *_outlying_tokens(masks, bit_weights)]:
        of_tokens.setdefault(token, []).append(reason)
    return {
        "unit_count": len(of_units),
        "token_count": len(of_tokens),
        "units": [{"unit": at, "why": of_units[at]} for at in sorted(of_units)][:LISTED],
        "tokens": [{"token": at, "why": of_tokens[at]} for at in sorted(of_tokens)][:LISTED],
    }


def _of_unit(masks: Masks, unit: int) -> Iterator[str]:
    """What is wrong with the unit by itself, or with its place among the others."""
    read, write = masks.read_modes, masks.write_modes
    if not masks.live[unit]:
        if read.constant[unit]:
            yield "dead: it reads all tokens alike"
        elif write.constant[unit]:
            yield "dead: it writes to all tokens alike"
        else:
            yield "dead: no ordinary input makes it fire"
        return
    orientation = int(masks.orientation[unit])
    if orientation == NEITHER:
        yield "neither: " + ", ".join(_why_neither(masks, unit))
    elif orientation == -np.sign((masks.orientation[masks.live]).sum()):
        yield f"{_NAMES[orientation]}, where most units are {_NAMES[-orientation]}"
    differing = np.flatnonzero(masks.read[:, unit] != masks.write[:, unit])
    if orientation != NEITHER and differing.size:
        yield f"its masks differ at token{_listed(differing)}"


def _why_neither(masks: Masks, unit: int) -> Iterator[str]:
    """Which of the conditions of an orientation fail, at least one."""
    for name, modes in (("W_E W_in", masks.read_modes), ("W_out W_U", masks.write_modes)):
        if not modes.two[unit]:
            yield f"{name} has one mode (p = {modes.p_value[unit]:.2g})"
    link, hits = masks.link[unit], masks.hits_to_switch[unit]
    if masks.always_on[unit]:
        yield "it is always on"
    if abs(link) <= LEAST_LINK:
        yield f"it reads and writes different tokens (correlation {link:.2f})"
    elif not masks.always_on[unit]:
        effect = "raises" if link > 0 else "lowers"
        yield f"it fires from {hits:.2g} tokens of its high mode on and {effect} their logits"


def _outlying_units(network: ReluNetwork, masks: Masks) -> Iterator[tuple[int, str]]:
    returned = -np.einsum("hd,dh->h", network.W_out, network.W_in, dtype=np.float64)
    for side in (CLAMP, COMPLEMENT):
        of_side = np.flatnonzero(masks.orientation == side)
        owners = masks.read[:, of_side].sum(axis=0)
        for at in np.flatnonzero(outlying(owners)):
            yield int(of_side[at]), f"owned by {owners[at]} tokens, {_usual(owners)}"
        if side == CLAMP:
            for at in np.flatnonzero(outlying(returned[of_side])):
                value = returned[of_side[at]]
                usual = _usual(returned[of_side])
                yield int(of_side[at]), f"takes back {value:.3g} of what it reads, {usual}"


def _differing_tokens(masks: Masks) -> Iterator[tuple[int, str]]:
    differs = (masks.read != masks.write) & (masks.orientation != NEITHER)
    for token in np.flatnonzero(differs.any(axis=1)):
        yield int(token), f"its masks differ at unit{_listed(np.flatnonzero(differs[token]))}"


def _outlying_tokens(
    masks: Masks, bit_weights: Float[np.ndarray, "n units"]
) -> Iterator[tuple[int, str]]:
    owned: Bool[np.ndarray, "n units"] = masks.read[:, masks.orientation != NEITHER]
    bits = owned.sum(axis=1)
    if not owned.any():
        return
    for token in np.flatnonzero(bits == 0):
        yield int(token), "owns no unit: every input covers it"
    for token in np.flatnonzero(outlying(bits)):
        yield int(token), f"owns {bits[token]} units, {_usual(bits)}"
    sums = np.nansum(bit_weights * owned, axis=1)
    for token in np.flatnonzero(outlying(sums)):
        yield int(token), f"its bits are worth {sums[token]:.3g} nats, {_usual(sums)}"


def outlying(values: np.ndarray) -> Bool[np.ndarray, " values"]:
    """Values further than 5 standard deviations from the mean, both taken over the others.

    Where all the others agree, whatever differs from them by more than one part in 10,000. None
    among fewer than 4 values.
    """
    values = np.asarray(values, dtype=np.float64)
    count = values.size
    if count < 4:
        return np.zeros(count, dtype=bool)
    centred = values - values.mean()
    squares = (centred**2).sum()
    # leaving one out moves the mean by centred / (count - 1)
    distance = np.abs(centred) * count / (count - 1)
    variance = (squares - centred**2 * count / (count - 1)) / (count - 2)
    least = 1e-4 * np.abs(values).mean()
    return distance > np.maximum(OUTLYING * np.sqrt(np.maximum(variance, 0.0)), least)


def _usual(values: np.ndarray) -> str:
    return f"where {np.mean(values):.3g} ± {np.std(values):.2g} is usual"


def _listed(indices: np.ndarray) -> str:
    """For instance " 3", "s 3, 5, 9" or, of more than 20, "s 3, 5, ... and 7 more"."""
    shown = ", ".join(map(str, indices[:NAMED].tolist()))
    more = f" and {len(indices) - NAMED} more" if len(indices) > NAMED else ""
    return f"{'' if len(indices) == 1 else 's'} {shown}{more}"
