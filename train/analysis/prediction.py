"""Predictions from the masks, from their density and from the logit levels, against measurement.

test: an exact number, or one sampled so often that its error is small, which the measured interval
misses with probability 5 % if the claim behind it is true. For failure_rate the claim is that the
network fails exactly where its masks cover a non-member; for mechanistic_failure_rate and
false_positives nothing but the code of this suite is tested.
model: a prediction that is known not to be exact. The random code of the network's weights has a
failure rate of its own; the logit levels of a trained network scatter. How far it is off is the
finding, and whether the interval holds it says little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np
from jaxtyping import Float

from simulate.enumeration import MOST_INPUTS, enumerate_inputs
from simulate.estimators import counts_in_family
from simulate.jobs.intervals import Count, Estimate, Interval, Mean, enclosure
from simulate.kernels import PackedHashes
from simulate.sampling import random_sets
from theory import quenched
from theory.domain import DomainError
from theory.random_code import RandomCode
from theory.softmax_output import expected_divergence
from train.analysis.behaviour import INPUTS, Sample, draw_sample
from train.analysis.numbers import finite
from train.analysis.outcomes import Hashes, Levels, Tokens, hashes_of, is_code
from train.reading.failure import fails
from train.reading.masks import Masks, extract
from train.reading.subject import Subject

Kind = Literal["test", "model"]

# of the masks alone, where their inputs are too many to enumerate
SAMPLED_INPUTS = 2**23
# the exact rate takes two seconds at n = 512, four times as long with two bits more
MOST_BITS = 18
RANDOM_CODES = 64
INPUTS_OF_A_CODE = 20_000
# tokens times bits times codes; pairs of an input and a non-member
MOST_CODE_WORK, MOST_PAIRS = 2**28, 10**7
# fewer say nothing about how codes differ
FEWEST_CODES = 8
# levels that leak a millionth of the leakiest count for no less than that in the fit
_LEAST_WEIGHT = 1e-6
_MOST_SPREAD = 16


@dataclass(frozen=True)
class LevelFit:
    """The output in a few numbers: what a non-member with s missing bits leaks, e^logit on average.

    leakage: float64 [levels], the mean of e^(logit less the members' mean logit), 0 where none was
    seen. spread: [levels], standard deviation of that logit, nats. beta, offset: ln leakage is
    about offset - beta s, by least squares over the levels, each weighted by what it leaks in all;
    NaN where only one level was seen. An exact filter has spread 0 and offset 0.
    member_variance: [inputs], mean square of each input's member logits about their mean.
    """

    leakage: Float[np.ndarray, " levels"]
    spread: Float[np.ndarray, " levels"]
    beta: float
    offset: float
    member_variance: Float[np.ndarray, " inputs"]

    def line(self) -> LevelFit:
        """The same with no more of the levels than beta and offset."""
        levels = np.arange(len(self.leakage))
        leakage = np.exp(self.offset - self.beta * levels)
        return replace(self, leakage=leakage, spread=np.zeros(len(levels)))


def fit_levels(levels: Levels, member_variance: Float[np.ndarray, " inputs"]) -> LevelFit:
    """The fit to what `outcomes.observe` found."""
    known = np.isfinite(levels.leakage) & np.isfinite(levels.logit.sd)
    leakage, spread = np.where(known, (levels.leakage, levels.logit.sd), 0.0)
    seen = np.flatnonzero(leakage)
    beta = offset = math.nan
    if len(seen) > 1:
        log_leakage = np.log(leakage[seen])
        log_leaked = log_leakage + np.log(levels.count[seen])
        weight = np.sqrt(np.maximum(np.exp(log_leaked - log_leaked.max()), _LEAST_WEIGHT))
        slope, constant = np.polyfit(seen, log_leakage, 1, w=weight)
        beta, offset = float(-slope), float(constant)
    return LevelFit(leakage, spread, beta, offset, member_variance)


@dataclass(frozen=True)
class Modelled:
    """Outputs of the model, float64 [inputs], as in `outcomes.Outcomes`."""

    total_variation: Float[np.ndarray, " inputs"]
    kl: Float[np.ndarray, " inputs"]
    mass: Float[np.ndarray, " inputs"]


def modelled_outputs(
    rng: np.random.Generator, hashes: Hashes, tokens: Tokens, fit: LevelFit
) -> Modelled:
    """Outputs that depend on the input through each non-member's number of missing bits alone.

    A non-member with s missing bits weighs leakage[s] times a lognormal of mean 1 and the level's
    spread, independent of all others; where a level has over 16 non-members an input, their mean
    will do. The members weigh e^z, z in a random direction about 0 with the mean square of a
    random one of the fitted inputs. Without spread and variance these are `theory.softmax_output`'s
    functions of L.
    """
    inputs, k = tokens.shape
    counts = PackedHashes.of(hashes).missing_bits_histogram(tokens)
    counts[:, 0] -= k
    leaked = np.zeros(inputs)
    for level, (leakage, sd) in enumerate(zip(fit.leakage, fit.spread, strict=True)):
        count = counts[:, level]
        if sd == 0.0 or count.sum() > _MOST_SPREAD * inputs:
            leaked += count * leakage
            continue
        scatter = np.exp(sd * rng.normal(size=count.sum()) - 0.5 * sd * sd)
        leaked += leakage * np.bincount(np.repeat(np.arange(inputs), count), scatter, inputs)
    z = rng.normal(size=(inputs, k))
    z -= z.mean(axis=1, keepdims=True)
    length = np.sqrt((z**2).mean(axis=1)) if k > 1 else np.ones(inputs)
    z *= (np.sqrt(rng.choice(fit.member_variance, inputs)) / length)[:, None]
    on_members = np.exp(z)
    total = on_members.sum(axis=1) + leaked
    off_target = np.abs(on_members / total[:, None] - 1.0 / k).sum(axis=1)
    return Modelled(
        total_variation=0.5 * (off_target + leaked / total),
        kl=np.log(total / k),
        mass=1.0 - leaked / total,
    )


@dataclass(frozen=True)
class MaskRates:
    """P_fail and E#FP of the masks themselves (quenched); kind PROVED where they are exact."""

    failure_probability: Estimate
    expected_false_positives: Estimate


def rates_of_masks(
    rng: np.random.Generator, hashes: Hashes, k: int, sampled: int = SAMPLED_INPUTS
) -> MaskRates:
    """The rates of the masks, exact where affordable.

    P_fail by looking at all C(n, k) inputs up to 2^25, E#FP by theory.quenched up to 18 bits a
    token; else over `sampled` random inputs, fewer where n d is over 2^18.
    """
    n, d = hashes.shape
    failures = positives = None
    if math.comb(n, k) <= MOST_INPUTS:
        found = enumerate_inputs(hashes, k)
        failures = exactly(float(found.failure_probability), found.inputs)
        positives = exactly(float(found.expected_false_positives), found.inputs)
    elif (most := int(hashes.sum(axis=1).max())) <= MOST_BITS and n << most <= 2**27:
        positives = exactly(float(quenched.expected_false_positives(hashes, k)))
    if failures is None or positives is None:
        affordable = int(np.clip(2**18 * sampled // (n * d), 2**14, sampled))
        counts = counts_in_family(rng, PackedHashes.of(hashes), k, affordable)
        failures = failures or Count.of(counts > 0).at()
        positives = positives or Mean.of(counts).at()
    return MaskRates(failures, positives)


def exactly(value: float, samples: int = 0) -> Estimate:
    """An exact number as an estimate without error."""
    return enclosure(value, value, samples)


class Quantity(StrEnum):
    """What is predicted and measured."""

    FAILURE_RATE = "failure_rate"
    MECHANISTIC_FAILURE_RATE = "mechanistic_failure_rate"
    FALSE_POSITIVES = "false_positives"
    TOTAL_VARIATION = "total_variation"
    KL = "kl"


class Source(StrEnum):
    """What predicts: the masks (quenched), a random code of their weights (annealed), the logit
    levels, the line through them (`LevelFit`), or the theory of constant weight at the line's beta.
    """

    MASKS = "masks"
    RANDOM_CODE = "random_code"
    LEVELS = "levels"
    LINE = "line"
    THEORY = "theory"


@dataclass(frozen=True)
class Comparison:
    """One prediction beside its measurement.

    predicted_interval: None where the prediction has no sampling error. inside: the prediction, or
    part of its interval, lies in the measured interval.
    """

    quantity: Quantity
    source: Source
    kind: Kind
    measured: Estimate
    predicted: float
    predicted_interval: tuple[float, float] | None
    inside: bool

    @classmethod
    def of(
        cls,
        quantity: Quantity,
        source: Source,
        measured: Estimate,
        predicted: float,
        interval: tuple[float, float] | None = None,
    ) -> Comparison:
        """A prediction of the masks is a test, any other a model."""
        low, high = interval or (predicted, predicted)
        inside = measured.interval[0] <= high and low <= measured.interval[1]
        kind: Kind = "test" if source is Source.MASKS else "model"
        return cls(quantity, source, kind, measured, predicted, interval, bool(inside))


@dataclass(frozen=True)
class RandomCodeRates:
    """The exact rates of random masks of the network's weights."""

    failure_probability: float
    expected_false_positives: float


@dataclass(frozen=True)
class BesideRandomCodes:
    """Where the network's code stands among random ones of its weights.

    sd: between codes, the sampling error of each taken off. better: random codes that fail on no
    larger share of their inputs than the network's code on its.
    """

    codes: int
    mean: float
    sd: float
    own: float
    standard_scores: float | None
    better: int


@dataclass(frozen=True)
class FittedLevels:
    """`LevelFit` in numbers; member_sd: of the members' logits. inputs: behind the fit."""

    beta: float | None
    offset: float | None
    leakage: list[float]
    spread: list[float]
    member_sd: float
    inputs: int


@dataclass(frozen=True)
class PredictionRecord:
    """The section of an analysis. random_codes: None where n d is over 2^25."""

    comparisons: list[Comparison]
    masks: MaskRates
    random_code: RandomCodeRates
    random_codes: BesideRandomCodes | None
    level_fit: FittedLevels


@dataclass(frozen=True)
class Prediction:
    """What `analyse` found: the record, and the fit and the sample behind it."""

    record: PredictionRecord
    fit: LevelFit
    sample: Sample


def analyse(
    subject: Subject,
    masks: Masks,
    rng: np.random.Generator,
    inputs: int = INPUTS,
    sample: Sample | None = None,
    effort: float = 1.0,
) -> Prediction:
    """Every prediction beside its measurement, over `inputs` fresh inputs or a sample at hand.

    masks: with at least one clamp or complement unit, or nothing is predicted that has a meaning.
    The levels are fitted on a quarter as many inputs of their own, and judged on the sample.
    effort: of what is sampled from the masks alone. Raises DomainError outside 1 <= k < n, c >= 1,
    and without such a unit.
    """
    k = subject.k
    hashes = hashes_of(masks)
    if not is_code(hashes):
        raise DomainError("masks must have a clamp or complement unit, or they predict nothing")
    n, code = subject.network.n, RandomCode.of(hashes)
    sample = sample or draw_sample(subject, hashes, rng, inputs)
    seen = sample.outcomes
    training = draw_sample(subject, hashes, rng, max(2, len(seen.mass) // 4))
    fit = fit_levels(training.levels, training.outcomes.member_variance)
    own = rates_of_masks(rng, hashes, k, int(SAMPLED_INPUTS * effort))
    annealed = RandomCodeRates(code.failure_probability(n, k), code.expected_false_positives(n, k))
    found = {
        Quantity.FAILURE_RATE: Count.of(fails(seen.mass, k)).at(),
        Quantity.MECHANISTIC_FAILURE_RATE: Count.of(seen.false_positives > 0).at(),
        Quantity.FALSE_POSITIVES: Mean.of(seen.false_positives).at(),
        Quantity.TOTAL_VARIATION: Mean.of(seen.total_variation).at(),
        Quantity.KL: Mean.of(seen.kl).at(),
    }
    rows = []
    for quantity, exact, random_code in (
        (Quantity.FAILURE_RATE, own.failure_probability, annealed.failure_probability),
        (Quantity.MECHANISTIC_FAILURE_RATE, own.failure_probability, None),
        (
            Quantity.FALSE_POSITIVES,
            own.expected_false_positives,
            annealed.expected_false_positives,
        ),
    ):
        ends = exact.interval if exact.kind is not Interval.PROVED else None
        rows.append(Comparison.of(quantity, Source.MASKS, found[quantity], exact.value, ends))
        if random_code is not None:
            rows.append(Comparison.of(quantity, Source.RANDOM_CODE, found[quantity], random_code))
    for source, values in _modelled(rng, hashes, sample.tokens, fit).items():
        rows += [
            Comparison.of(quantity, source, found[quantity], value)
            for quantity, value in values.items()
        ]
    affordable = int(effort * MOST_CODE_WORK // hashes.size)
    beside = None
    if affordable >= FEWEST_CODES:
        codes = min(affordable, RANDOM_CODES)
        of_each = int(np.clip(affordable * 100, 2000, INPUTS_OF_A_CODE))
        rates = failure_rates_of_random_codes(rng, code, k, codes, of_each)
        beside = _beside_random_codes(rates, own.failure_probability.value, of_each)
    record = PredictionRecord(
        comparisons=rows,
        masks=own,
        random_code=annealed,
        random_codes=beside,
        level_fit=FittedLevels(
            beta=finite(fit.beta),
            offset=finite(fit.offset),
            leakage=fit.leakage.tolist(),
            spread=fit.spread.tolist(),
            member_sd=float(np.sqrt(fit.member_variance.mean())),
            inputs=len(training.tokens),
        ),
    )
    return Prediction(record, fit, sample)


def _modelled(
    rng: np.random.Generator, hashes: Hashes, tokens: Tokens, fit: LevelFit
) -> dict[Source, dict[Quantity, float]]:
    """By source, means over these inputs by the levels and the line; by theory, without them.

    Over so many of the inputs as ten million pairs of an input and a non-member allow.
    """
    n, bits = hashes.shape
    some = tokens[: max(1000, MOST_PAIRS // n)]
    found = {}
    for source, known in {Source.LEVELS: fit, Source.LINE: fit.line()}.items():
        if source is Source.LINE and not fit.beta > 0.0:
            continue
        outputs = modelled_outputs(rng, hashes, some, known)
        found[source] = {
            Quantity.FAILURE_RATE: float(fails(outputs.mass, some.shape[1]).mean()),
            Quantity.TOTAL_VARIATION: float(outputs.total_variation.mean()),
            Quantity.KL: float(outputs.kl.mean()),
        }
    m = round(float(hashes.sum(axis=1).mean()))
    if m >= 1 and fit.beta > 0.0:
        exact = expected_divergence(n, tokens.shape[1], bits, m, fit.beta)
        found[Source.THEORY] = {
            Quantity.TOTAL_VARIATION: exact.total_variation,
            Quantity.KL: exact.kl,
        }
    return found


def _beside_random_codes(
    rates: Float[np.ndarray, " codes"], own: float, inputs: int
) -> BesideRandomCodes:
    """inputs: behind the rate of each random code."""
    mean = float(rates.mean())
    noise = mean * (1.0 - mean) / inputs
    sd = math.sqrt(max(0.0, float(rates.var(ddof=1)) - noise))
    return BesideRandomCodes(
        codes=len(rates),
        mean=mean,
        sd=sd,
        own=own,
        standard_scores=(own - mean) / sd if sd > 0.0 else None,
        better=int(np.count_nonzero(rates <= own)),
    )


@dataclass(frozen=True)
class NetworkComparison:
    """One comparison of one of many networks, with what tells the network from the others."""

    name: str
    group: str
    n: int
    k: int
    d: int
    h: int
    comparison: Comparison


@dataclass(frozen=True)
class ShareInside:
    """Of one quantity and source: how many networks, and the share whose interval holds it."""

    quantity: Quantity
    source: Source
    kind: Kind
    networks: int
    inside: float


def compare_networks(
    subjects: Sequence[tuple[str, Subject]], rng: np.random.Generator, inputs: int = INPUTS
) -> list[NetworkComparison]:
    """Every network's own masks, predictions and measurements, from a random stream of its own.

    subjects: each after its group, by which it is coloured, e.g. its mechanism.
    """
    rows = []
    for (group, each), stream in zip(subjects, rng.spawn(len(subjects)), strict=True):
        network = each.network
        masks = extract(network, each.k, each.c)
        found = analyse(each, masks, stream, inputs)
        rows += [
            NetworkComparison(each.name, group, network.n, each.k, network.d, network.h, comparison)
            for comparison in found.record.comparisons
        ]
    return rows


def share_inside(rows: Sequence[NetworkComparison]) -> list[ShareInside]:
    """Of each quantity, source and kind: how many networks, and the share that lie inside."""
    grouped: dict[tuple[Quantity, Source, Kind], list[bool]] = {}
    for row in rows:
        each = row.comparison
        grouped.setdefault((each.quantity, each.source, each.kind), []).append(each.inside)
    return [ShareInside(*key, len(held), sum(held) / len(held)) for key, held in grouped.items()]


def failure_rates_of_random_codes(
    rng: np.random.Generator, code: RandomCode, k: int, codes: int, inputs: int
) -> Float[np.ndarray, " codes"]:
    """The sampled failure rate of each of `codes` random codes, over `inputs` inputs of its own."""
    n = len(code.weights)
    rates = np.empty(codes)
    for place in range(codes):
        packed = PackedHashes.of(code.sample(rng))
        rates[place] = np.mean(packed.count_false_positives(random_sets(rng, inputs, n, k)) > 0)
    return rates
