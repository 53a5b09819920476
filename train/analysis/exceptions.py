"""The units and tokens of a network that do not do what the others do, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.network import ReluNetwork
from train.reading.masks import CLAMP, COMPLEMENT, LEAST_LINK, NEITHER, Masks
from train.reading.subject import Subject

# studentised with the others' mean and deviation; beyond it one in two million normal values
OUTLYING = 5.0
# tokens or units named in one reason, and reasons' bearers listed of each kind
NAMED, LISTED = 20, 500

_NAMES = {CLAMP: "clamp", COMPLEMENT: "complement", NEITHER: "neither"}


@dataclass(frozen=True)
class OddUnit:
    """A unit that deviates, and the reasons."""

    unit: int
    why: list[str]


@dataclass(frozen=True)
class OddToken:
    """A token that deviates, and the reasons."""

    token: int
    why: list[str]


@dataclass(frozen=True)
class Exceptions:
    """Units and tokens that deviate, in ascending order, and what is odd about the whole network.

    At most 500 of each are listed; the counts are of all.
    """

    unit_count: int
    token_count: int
    units: list[OddUnit]
    tokens: list[OddToken]
    network: list[str]


def exceptions(
    subject: Subject,
    masks: Masks,
    bit_weights: Float[np.ndarray, "n units"],
    of_behaviour: Mapping[int, list[str]] | None = None,
    of_network: Sequence[str] = (),
    unit: Int[np.ndarray, " h"] | None = None,
) -> Exceptions:
    """Everything odd that the weights show, and what is known of the behaviour.

    Units: dead, always on, of neither orientation or of the rarer one, with two masks that differ,
    that fire for one set of tokens only, or with an outlying number of owners or (W_out W_in)_jj.
    Tokens: with masks that differ, no bit, or an outlying number of bits or sum of bit weights.
    bit_weights: of the units that are clamp or complement. of_behaviour: reasons by token. unit: by
    which number each unit is called, if not by its own.
    """
    network = subject.network
    memorised = memorised_sets(subject, masks)
    of_units: dict[int, list[str]] = {}
    for at in range(network.h):
        if at in memorised:
            of_units[at] = [memorised[at]]
        elif why := [*_of_unit(masks, at)]:
            of_units[at] = why
    of_tokens = {token: list(why) for token, why in (of_behaviour or {}).items()}
    for at, reason in _outlying_units(network, masks):
        of_units.setdefault(at, []).append(reason)
    for token, reason in [*_differing_tokens(masks), *_outlying_tokens(masks, bit_weights)]:
        of_tokens.setdefault(token, []).append(reason)
    return Exceptions(
        unit_count=len(of_units),
        token_count=len(of_tokens),
        units=[
            OddUnit(at if unit is None else int(unit[at]), of_units[at]) for at in sorted(of_units)
        ][:LISTED],
        tokens=[OddToken(at, of_tokens[at]) for at in sorted(of_tokens)][:LISTED],
        network=list(of_network),
    )


def memorised_sets(subject: Subject, masks: Masks) -> dict[int, str]:
    """Units that fire only where two or more of a few tokens are active together, in words.

    So few that at most 2 k tokens can take part: the inputs that such a unit answers are learned
    by heart. Of the units that are neither clamp nor complement, and write something. Whether it
    fires is decided at the largest coefficients, the other tokens at the column's median.
    """
    network, k, c = subject.network, subject.k, subject.c
    found: dict[int, str] = {}
    chosen = np.flatnonzero((masks.orientation == NEITHER) & ~masks.write_modes.constant)
    chosen = chosen[~masks.read_modes.constant[chosen]]
    if k < 2 or not chosen.size or k >= network.n:
        return found
    W_E, b_in = network.W_E.astype(np.float64), network.b_in.astype(np.float64)
    at_once = max(1, 2**22 // network.n)
    for start in range(0, len(chosen), at_once):
        units = chosen[start : start + at_once]
        A = W_E @ network.W_in[:, units].astype(np.float64)
        largest = -np.sort(-A, axis=0)[:k]
        usual = np.median(A, axis=0)
        # the unit's input with 1, 2, ..., k of the tokens that it reads most
        rest = np.outer(k - 1 - np.arange(k), (1.0 + c) / 2.0 * usual)
        reached = b_in[units] + np.maximum(c * largest, largest).cumsum(axis=0) + rest
        few = (0.5 * (largest[0] + usual) < A).sum(axis=0) <= 2 * k
        for place in np.flatnonzero((reached[0] <= 0.0) & (reached > 0.0).any(axis=0) & few):
            needed = 1 + int(np.argmax(reached[:, place] > 0.0))
            tokens = np.flatnonzero(0.5 * (largest[0, place] + usual[place]) < A[:, place])
            found[int(units[place])] = (
                f"a memorised set: it fires only where {needed} or more of token"
                f"{_listed(tokens)} are active together"
            )
    return found


def _of_unit(masks: Masks, unit: int) -> Iterator[str]:
    """What is wrong with the unit by itself, or with its place among the others."""
    read, write = masks.read_modes, masks.write_modes
    if not masks.live[unit]:
        if masks.faint[unit]:
            yield f"faint: it moves logits by {masks.effect[unit]:.2g} nats at most"
        elif read.constant[unit]:
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
