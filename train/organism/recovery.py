"""What the analysis finds in an organism without its truth, and how much of the truth that is.

The score is a mean over hidden units. A unit counts 0 where its kind (clamp, complement, neither,
dead) is not the true one, and otherwise Cohen's kappa of its mask entries, read and written ones
together: the share that agrees, less what two such masks agree on by chance, over the same of
perfect agreement, and at least 0. 1 is everything: the verdict, the flipped bits and the failure
probability follow from the masks. The baseline is the same score of the same findings with
tokens and units in random order: a filter of this kind with other hashes. Right entries alone say
little, since most entries are 0 in any filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.jobs.intervals import Count, Estimate
from simulate.jobs.output import as_plain
from simulate.network import ReluNetwork
from train.analysis import mechanism
from train.analysis.behaviour import draw_sample
from train.analysis.exceptions import Exceptions, exceptions
from train.analysis.outcomes import fails, hashes_of
from train.analysis.prediction import rates_of_masks
from train.organism.truth import Truth
from train.reading.masks import Masks, extract

INPUTS = 20_000
ORDERS = 20


@dataclass(frozen=True)
class Findings:
    """What was found blindly. failure_rate: measured; failure_probability: of the masks."""

    masks: Masks
    verdict: str
    exceptions: Exceptions
    failure_rate: Estimate
    failure_probability: Estimate


def recover(
    network: ReluNetwork, k: int, c: float, rng: np.random.Generator, inputs: int = INPUTS
) -> Findings:
    """The analysis of a network of which nothing is known but its task; 1 <= k < n, c >= 1."""
    masks = extract(network, k, c)
    how = mechanism.analyse(network, masks, k, c, rng)
    hashes = hashes_of(masks)
    sample = draw_sample(network, hashes, k, c, rng, inputs)
    return Findings(
        masks=masks,
        verdict=how.record.verdict,
        exceptions=exceptions(network, masks, how.bit_weights, k, c),
        failure_rate=Count.of(fails(sample.outcomes.mass, k)).at(),
        failure_probability=rates_of_masks(rng, hashes, k).failure_probability,
    )


def unit_scores(
    masks: Masks,
    truth: Truth,
    tokens: Int[np.ndarray, " n"] | None = None,
    units: Int[np.ndarray, " h"] | None = None,
) -> Float[np.ndarray, " h"]:
    """Each unit's part of the score, in [0, 1]; tokens, units: the order of what was found."""
    tokens = np.arange(len(truth.read)) if tokens is None else tokens
    units = np.arange(len(truth.live)) if units is None else units
    found = np.vstack([masks.read[tokens][:, units], masks.write[tokens][:, units]])
    kappa = np.maximum(cohens_kappa(found, np.vstack([truth.read, truth.write])), 0.0)
    return np.where(_right_kinds(masks, truth, units), kappa, 0.0)


def cohens_kappa(
    one: Bool[np.ndarray, "entries h"], other: Bool[np.ndarray, "entries h"]
) -> Float[np.ndarray, " h"]:
    """Agreement of two masks beyond chance, column by column; 1 where both are one same constant.

    (share that agrees - chance) / (1 - chance), chance = p q + (1 - p)(1 - q) of their densities.
    """
    p, q = one.mean(axis=0), other.mean(axis=0)
    agree, chance = (one == other).mean(axis=0), p * q + (1.0 - p) * (1.0 - q)
    room = 1.0 - chance
    return np.where(room > 0.0, (agree - chance) / np.where(room > 0.0, room, 1.0), 1.0)


def _right_kinds(
    masks: Masks, truth: Truth, units: Int[np.ndarray, " h"]
) -> Bool[np.ndarray, " h"]:
    return (masks.orientation[units] == truth.orientation) & (masks.live[units] == truth.live)


def score(masks: Masks, truth: Truth, rng: np.random.Generator) -> dict[str, float]:
    """value and baseline of the score; shares of right entries (both masks) and kinds likewise.

    Baselines are means over 20 random orders of tokens and units.
    """
    n, h = truth.read.shape
    in_place = np.arange(n), np.arange(h)
    orders = [(rng.permutation(n), rng.permutation(h)) for _ in range(ORDERS)]

    def value(tokens: np.ndarray, units: np.ndarray) -> float:
        return float(unit_scores(masks, truth, tokens, units).mean())

    def entries(tokens: np.ndarray, units: np.ndarray) -> float:
        read, write = masks.read[tokens][:, units], masks.write[tokens][:, units]
        return float(((read == truth.read).mean() + (write == truth.write).mean()) / 2.0)

    def kinds(tokens: np.ndarray, units: np.ndarray) -> float:
        return float(_right_kinds(masks, truth, units).mean())

    found: dict[str, float] = {}
    for name, of in (("score", value), ("entries", entries), ("kinds", kinds)):
        found[name] = of(*in_place)
        found[f"{name}_baseline"] = float(np.mean([of(*order) for order in orders]))
    return found


def compared(found: Findings, truth: Truth, rng: np.random.Generator) -> dict[str, Any]:
    """The score, and beside it what follows from the masks, each with its truth, as plain data.

    exceptions: planted deviants (dead and flipped units, flipped tokens) that are named, and how
    many others are. failure_rate: true, measured, whether the two intervals meet, and the failure
    probability of the masks that were found.
    """
    true_rate = truth.failures["behaviour"]
    measured = as_plain(found.failure_rate)
    return {
        **score(found.masks, truth, rng),
        "verdict": found.verdict,
        "true_verdict": truth.verdict,
        "verdict_right": found.verdict == truth.verdict,
        "exceptions": {
            "units": _named(found, truth, "unit"),
            "tokens": _named(found, truth, "token"),
        },
        "failure_rate": {
            "true": true_rate,
            "measured": measured,
            "compatible": _meet(true_rate, measured),
            "of_masks": as_plain(found.failure_probability),
        },
    }


def _named(found: Findings, truth: Truth, what: str) -> dict[str, int]:
    planted = {getattr(flip, what) for flip in truth.flips}
    if what == "unit":
        planted |= {*np.flatnonzero(~truth.live).tolist()}
    odd = found.exceptions
    named = (
        {each.unit for each in odd.units} if what == "unit" else {each.token for each in odd.tokens}
    )
    return {
        "planted": len(planted),
        "planted_named": len(planted & named),
        "others_named": len(named - planted),
    }


def _meet(one: dict[str, Any], other: dict[str, Any]) -> bool:
    (low, high), (least, most) = (
        each["interval"] or (each["value"], each["value"]) for each in (one, other)
    )
    return low <= most and least <= high
