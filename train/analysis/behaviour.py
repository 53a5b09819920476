"""What the network does on fresh inputs: distance from the target, failures, and their causes.

Each input is k distinct tokens, uniform, with coefficients uniform on [1, c]. An input fails by
behaviour when the mass on its k tokens is below `failure_threshold`, and by mechanism when the
masks say that a non-member is covered. The network and its masks are fixed, so inputs are
independent and intervals (95 %) are over them alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulate.jobs.intervals import Count, Estimate, Mean, weighted_mean
from simulate.sampling import random_coefficients, random_sets
from theory.domain import DomainError, check_integer, check_real
from theory.random_code import RandomCode
from train.analysis import departures, pathological
from train.analysis.departures import MoreTokens, OtherCoefficients, Precision
from train.analysis.outcomes import (
    Alpha,
    Hashes,
    Levels,
    Outcomes,
    Spread,
    Tokens,
    hashes_of,
    is_code,
    observe,
)
from train.analysis.pathological import ExtremeUnions, UnionSizeFailures
from train.reading.failure import fails, failure_threshold
from train.reading.masks import Masks
from train.reading.subject import Subject

INPUTS = 100_000
NO_CODE = "no unit is clamp or complement, so that there are no masks to speak of"


@dataclass(frozen=True)
class Sample:
    """Fresh inputs of the task and what came of them."""

    tokens: Tokens
    alpha: Alpha
    outcomes: Outcomes
    levels: Levels


@dataclass(frozen=True)
class Distance:
    """A part of the total variation and of KL, nats."""

    total_variation: Estimate
    kl: Estimate


@dataclass(frozen=True)
class NonUniformity:
    """What is lost because the k members do not share their mass equally."""

    total_variation: Estimate
    kl: Estimate
    member_logit_sd: float


@dataclass(frozen=True)
class MassClusters:
    """The two clusters of the mass on the k tokens, and the gap between them.

    failing, passing: 1, 50 and 99 % quantiles of the mass on either side of the threshold; None
    where nothing is. gap: from failing's 99 % to passing's 1 % quantile. nearest: the masses next
    to the threshold. between: the share of inputs in the middle half of [k/(k + 1), 1], on which
    the failure rate depends on where the threshold stands.
    """

    threshold: float
    failing: tuple[float, float, float] | None
    passing: tuple[float, float, float] | None
    gap: tuple[float, float] | None
    nearest: tuple[float, float] | None
    between: Estimate


@dataclass(frozen=True)
class FailureCauses:
    """Failing inputs by their likeliest non-member: covered, one bit missing, or other."""

    covered: int
    near_miss: int
    other: int


@dataclass(frozen=True)
class Confusion:
    """Inputs by whether the network fails on them and whether its masks cover a non-member."""

    both: int
    mechanistic_only: int
    behavioural_only: int
    neither: int


@dataclass(frozen=True)
class LevelStatistics:
    """Of the values of one level."""

    mean: float
    sd: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class MissingBits:
    """The non-members that miss so many bits: their logits and probabilities.

    logit: less the mean member logit of the same input, nats. clear_of_next: the lowest logit here
    less the highest with one bit more; positive where the two levels do not overlap.
    """

    missing: int
    count: int
    logit: LevelStatistics
    probability: LevelStatistics
    clear_of_next: float | None


@dataclass(frozen=True)
class Conditional:
    """A mean over all inputs, and over pairs of an input and a token it covers (given).

    Inputs count as often as they have false positives; given is None where none had. random_code:
    the exact value for random masks of the network's weights, a model of this code and not its own
    law.
    """

    all: Estimate
    given: Estimate | None
    random_code_all: float
    random_code_given: float | None


@dataclass(frozen=True)
class UnionShare:
    """The share of inputs whose union has that size, see `Conditional`."""

    union_size: int
    all: float
    given: float | None
    random_code_all: float
    random_code_given: float | None


@dataclass(frozen=True)
class GivenFalsePositive:
    """Union size, and near misses by other tokens, given that one non-member is covered."""

    union_size: Conditional
    near_misses: Conditional
    union_size_law: list[UnionShare]


@dataclass(frozen=True)
class BehaviourRecord:
    """The section of an analysis.

    What the masks say of inputs is None, or empty, without clamp or complement units: then bits is
    0 and code_absent says why. failure_rate: the mass on the members is below half-way between
    k/(k + 1) and 1. false_positive_rate_per_input: some non-member's logit is at least a member's.
    mechanistic_failure_rate: the masks cover a non-member. TV = (1 - mass) + rest exactly, and
    KL = -ln mass + rest, both rests at least 0, and 0 when the k members share their mass equally
    (non_uniformity); what is lost to other tokens is leakage. smallest_margin: of a member's logit
    over an uncovered non-member's, nats; None where all were covered.
    """

    inputs: int
    bits: int
    code_absent: str | None
    total_variation: Estimate
    kl: Estimate
    squared_error: Estimate
    leakage: Distance
    non_uniformity: NonUniformity
    mass: Estimate
    mass_clusters: MassClusters
    failure_rate: Estimate
    false_positive_rate_per_input: Estimate
    mechanistic_failure_rate: Estimate | None
    false_positives: Estimate | None
    failures: FailureCauses | None
    confusion: Confusion | None
    missing_bit_levels: list[MissingBits]
    largest_uncovered_probability: float | None
    smallest_margin: float | None
    member_below_uncovered: Estimate | None
    given_false_positive: GivenFalsePositive | None
    failure_by_union_size: list[UnionSizeFailures]
    extreme_unions: ExtremeUnions | None
    more_tokens: list[MoreTokens]
    other_coefficients: list[OtherCoefficients]
    precision: Precision | None


@dataclass(frozen=True)
class Behaviour:
    """What `analyse` found: the record, and what figures and predictions need."""

    record: BehaviourRecord
    subject: Subject
    hashes: Hashes
    sample: Sample


def draw_sample(subject: Subject, hashes: Hashes, rng: np.random.Generator, inputs: int) -> Sample:
    """`inputs` fresh inputs, run and compared with the masks."""
    network, k, c = subject.network, subject.k, subject.c
    check_integer("k", k, 1, network.n - 1, "n - 1")
    tokens = random_sets(rng, check_integer("inputs", inputs, 2), network.n, k)
    alpha = random_coefficients(rng, inputs, k, check_real("c", c, 1.0, closed=True))
    outcomes, levels = observe(network, hashes, tokens, alpha)
    if not np.isfinite(outcomes.mass).all():
        raise DomainError(f"weights must be so small that logits are finite in {network.dtype}")
    return Sample(tokens, alpha, outcomes, levels)


def analyse(
    subject: Subject,
    masks: Masks,
    rng: np.random.Generator,
    inputs: int = INPUTS,
    outside: bool = True,
) -> Behaviour:
    """Everything about the behaviour, from `inputs` fresh inputs and fewer of each departure.

    outside: whether to look outside the task too (more_tokens, other_coefficients, precision,
    extreme_unions), which are empty or None if not. Raises DomainError outside 1 <= k < n, c >= 1,
    inputs >= 2, and where logits overflow.
    """
    network, k, c = subject.network, subject.k, subject.c
    hashes = hashes_of(masks)
    known = is_code(hashes)
    code = RandomCode.of(hashes)
    sample = draw_sample(subject, hashes, rng, inputs)
    seen = sample.outcomes
    fewer = max(2, inputs // 10)
    failed, covered = fails(seen.mass, k), seen.false_positives > 0
    leaked, log_mass = 1.0 - seen.mass, seen.log_mass
    uncovered = seen.margin < np.inf
    record = BehaviourRecord(
        inputs=inputs,
        bits=hashes.shape[1] if known else 0,
        code_absent=None if known else NO_CODE,
        total_variation=Mean.of(seen.total_variation).at(),
        kl=Mean.of(seen.kl).at(),
        squared_error=Mean.of(seen.squared_error).at(),
        leakage=Distance(Mean.of(leaked).at(), Mean.of(-log_mass).at()),
        non_uniformity=NonUniformity(
            Mean.of(seen.total_variation - leaked).at(),
            Mean.of(seen.kl + log_mass).at(),
            float(np.sqrt(seen.member_variance.mean())),
        ),
        mass=Mean.of(seen.mass).at(),
        mass_clusters=mass_clusters(seen.mass, k),
        failure_rate=Count.of(failed).at(),
        false_positive_rate_per_input=Count.of(seen.intruding > 0).at(),
        mechanistic_failure_rate=Count.of(covered).at() if known else None,
        false_positives=Mean.of(seen.false_positives).at() if known else None,
        failures=failure_causes(seen.intruder_missing[failed]) if known else None,
        confusion=confusion(failed, covered) if known else None,
        missing_bit_levels=missing_bit_levels(sample.levels) if known else [],
        largest_uncovered_probability=(
            float(seen.uncovered_probability.max()) if known and uncovered.any() else None
        ),
        smallest_margin=float(seen.margin[uncovered].min()) if uncovered.any() else None,
        member_below_uncovered=Count.of(seen.margin < 0.0).at() if known else None,
        given_false_positive=(
            given_false_positive(seen, network.n, k, code, hashes.shape[1]) if known else None
        ),
        failure_by_union_size=(
            pathological.failure_by_union_size(seen, network.n, k, code) if known else []
        ),
        extreme_unions=(
            pathological.extremes(network, hashes, k, c, rng) if known and outside else None
        ),
        more_tokens=(departures.more_tokens(network, hashes, k, c, rng, fewer) if outside else []),
        other_coefficients=(
            departures.other_coefficients(network, hashes, k, c, rng, max(2, inputs // 40))
            if outside
            else []
        ),
        precision=(
            departures.precision(network, hashes, k, sample.tokens[:fewer], sample.alpha[:fewer])
            if outside
            else None
        ),
    )
    return Behaviour(record, subject, hashes, sample)


def mass_clusters(mass: np.ndarray, k: int) -> MassClusters:
    """Quantiles of the mass on either side of the threshold."""
    threshold = failure_threshold(k)
    failed = fails(mass, k)
    sides = [mass[failed], mass[~failed]]

    def quantiles(side: np.ndarray) -> tuple[float, float, float] | None:
        if not len(side):
            return None
        low, middle, high = np.quantile(side, [0.01, 0.5, 0.99]).tolist()
        return low, middle, high

    failing, passing = map(quantiles, sides)
    gap = nearest = None
    if failing is not None and passing is not None:
        gap, nearest = (failing[2], passing[0]), (float(sides[0].max()), float(sides[1].min()))
    quarter = 0.25 * (1.0 - k / (k + 1))
    between = Count.of(np.abs(mass - threshold) < quarter).at()
    return MassClusters(threshold, failing, passing, gap, nearest, between)


def failure_causes(missing: np.ndarray) -> FailureCauses:
    """missing: bits that the likeliest non-member of each failing input misses."""
    counts = [np.count_nonzero(missing == bits) for bits in (0, 1)]
    return FailureCauses(int(counts[0]), int(counts[1]), int(np.count_nonzero(missing > 1)))


def confusion(failed: np.ndarray, covered: np.ndarray) -> Confusion:
    """Counts of inputs by both kinds of failure."""
    cells = covered & failed, covered & ~failed, ~covered & failed, ~covered & ~failed
    return Confusion(*(int(np.count_nonzero(cell)) for cell in cells))


def missing_bit_levels(levels: Levels) -> list[MissingBits]:
    """A row for each number of missing bits that occurred."""
    rows = []
    for missing in np.flatnonzero(levels.count).tolist():
        beyond = missing + 1
        has_next = beyond < len(levels.count) and levels.count[beyond] > 0
        clear = levels.logit.lowest[missing] - levels.logit.highest[beyond] if has_next else None
        rows.append(
            MissingBits(
                missing,
                int(levels.count[missing]),
                _statistics(levels.logit, missing),
                _statistics(levels.probability, missing),
                None if clear is None else float(clear),
            )
        )
    return rows


def _statistics(spread: Spread, level: int) -> LevelStatistics:
    values = spread.mean, spread.sd, spread.lowest, spread.highest
    return LevelStatistics(*(float(value[level]) for value in values))


def given_false_positive(
    seen: Outcomes, n: int, k: int, code: RandomCode, bits: int
) -> GivenFalsePositive:
    """What goes with a false positive, among these inputs and in random codes."""
    weights = seen.false_positives.astype(np.float64)
    sizes, misses = seen.union_size.astype(float), seen.near_misses.astype(float)
    law, conditional = code.union_size_law(k), code.union_size_given_false_positive(k)
    w = np.arange(len(law))
    one_missing, one_missing_given = (
        float(missing[1]) if len(missing) > 1 else 0.0
        for missing in (code.missing_bits_law(k), code.missing_bits_given_false_positive(k))
    )
    possible = bool(np.isfinite(conditional).all())
    counts = np.bincount(seen.union_size, minlength=len(law))
    counts_given = np.bincount(seen.union_size, weights, minlength=len(law))
    total = weights.sum()
    return GivenFalsePositive(
        union_size=Conditional(
            Mean.of(sizes).at(),
            weighted_mean(sizes, weights),
            float(law @ w),
            float(conditional @ w) if possible else None,
        ),
        near_misses=Conditional(
            Mean.of(misses).at(),
            weighted_mean(misses, weights),
            (n - k) * one_missing,
            (n - k - 1) * one_missing_given if possible else None,
        ),
        union_size_law=[
            UnionShare(
                size,
                float(counts[size] / len(sizes)),
                float(counts_given[size] / total) if total else None,
                float(law[size]),
                float(conditional[size]) if possible else None,
            )
            for size in range(bits + 1)
            if counts[size] or law[size] > 1e-6
        ],
    )
