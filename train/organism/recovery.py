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

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.jobs.intervals import Count, Estimate
from train.analysis import mechanism
from train.analysis.behaviour import draw_sample
from train.analysis.exceptions import Exceptions, exceptions
from train.analysis.mechanism import Verdict
from train.analysis.outcomes import hashes_of
from train.analysis.prediction import rates_of_masks
from train.organism.agreement import cohens_kappa
from train.organism.truth import Truth
from train.reading.failure import fails
from train.reading.masks import Masks, extract
from train.reading.subject import Subject

INPUTS = 20_000
ORDERS = 20


@dataclass(frozen=True)
class Findings:
    """What was found blindly. failure_rate: measured; failure_probability: of the masks."""

    masks: Masks
    verdict: Verdict
    exceptions: Exceptions
    failure_rate: Estimate
    failure_probability: Estimate


@dataclass(frozen=True)
class Score:
    """The score, and shares of right entries (both masks) and kinds, each with its baseline."""

    score: float
    score_baseline: float
    entries: float
    entries_baseline: float
    kinds: float
    kinds_baseline: float


@dataclass(frozen=True)
class Named:
    """Planted deviants, how many of them are named, and how many others are."""

    planted: int
    planted_named: int
    others_named: int


@dataclass(frozen=True)
class NamedExceptions:
    """Of units (dead and flipped) and of tokens (flipped)."""

    units: Named
    tokens: Named


@dataclass(frozen=True)
class FailureRates:
    """true and measured failure rates, whether their intervals meet, and that of the masks."""

    true: Estimate
    measured: Estimate
    compatible: bool
    of_masks: Estimate


@dataclass(frozen=True)
class Recovery(Score):
    """The score, and beside it what follows from the masks, each with its truth."""

    verdict: Verdict
    true_verdict: Verdict
    verdict_right: bool
    exceptions: NamedExceptions
    failure_rate: FailureRates


def recover(subject: Subject, rng: np.random.Generator, inputs: int = INPUTS) -> Findings:
    """The analysis of a network of which nothing is known but its task; 1 <= k < n, c >= 1."""
    k = subject.k
    masks = extract(subject.network, k, subject.c)
    how = mechanism.analyse(subject, masks, rng)
    hashes = hashes_of(masks)
    sample = draw_sample(subject, hashes, rng, inputs)
    return Findings(
        masks=masks,
        verdict=how.record.verdict,
        exceptions=exceptions(subject, masks, how.bit_weights),
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


def _right_kinds(
    masks: Masks, truth: Truth, units: Int[np.ndarray, " h"]
) -> Bool[np.ndarray, " h"]:
    return (masks.orientation[units] == truth.orientation) & (masks.live[units] == truth.live)


def score(masks: Masks, truth: Truth, rng: np.random.Generator) -> Score:
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

    def mean(of: Callable[[np.ndarray, np.ndarray], float]) -> float:
        return float(np.mean([of(*order) for order in orders]))

    return Score(
        score=value(*in_place),
        score_baseline=mean(value),
        entries=entries(*in_place),
        entries_baseline=mean(entries),
        kinds=kinds(*in_place),
        kinds_baseline=mean(kinds),
    )


def compared(found: Findings, truth: Truth, rng: np.random.Generator) -> Recovery:
    """The findings beside the truth, whose failures are known."""
    assert truth.failures is not None
    true_rate = truth.failures.behaviour
    return Recovery(
        **asdict(score(found.masks, truth, rng)),
        verdict=found.verdict,
        true_verdict=truth.verdict,
        verdict_right=found.verdict is truth.verdict,
        exceptions=NamedExceptions(
            units=_named(
                {flip.unit for flip in truth.flips} | {*np.flatnonzero(~truth.live).tolist()},
                {each.unit for each in found.exceptions.units},
            ),
            tokens=_named(
                {flip.token for flip in truth.flips},
                {each.token for each in found.exceptions.tokens},
            ),
        ),
        failure_rate=FailureRates(
            true=true_rate,
            measured=found.failure_rate,
            compatible=_meet(true_rate, found.failure_rate),
            of_masks=found.failure_probability,
        ),
    )


def _named(planted: set[int], named: set[int]) -> Named:
    return Named(len(planted), len(planted & named), len(named - planted))


def _meet(one: Estimate, other: Estimate) -> bool:
    return one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]
