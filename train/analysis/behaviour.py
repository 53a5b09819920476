"""What the network does on fresh inputs: distance from the target, failures, and their causes.

Each input is k distinct tokens, uniform, with coefficients uniform on [1, c]. An input fails by
behaviour when the mass on its k tokens is below `failure_threshold`, and by mechanism when the
masks say that a non-member is covered. The network and its masks are fixed, so inputs are
independent and intervals (95 %) are over them alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.domain import check_integer, check_real
from theory.random_code import RandomCode
from train.analysis import departures, measured, pathological
from train.analysis.outcomes import (
    Alpha,
    Hashes,
    Levels,
    Outcomes,
    Spread,
    Tokens,
    fails,
    failure_threshold,
    hashes_of,
    observe,
)
from train.reading.masks import Masks

INPUTS = 100_000


@dataclass(frozen=True)
class Sample:
    """Fresh inputs of the task and what came of them."""

    tokens: Tokens
    alpha: Alpha
    outcomes: Outcomes
    levels: Levels


@dataclass(frozen=True)
class Behaviour:
    """What `analyse` found: record, plain data for JSON, and what figures and predictions need."""

    record: dict[str, Any]
    network: ReluNetwork
    hashes: Hashes
    k: int
    c: float
    sample: Sample


def draw_sample(
    network: ReluNetwork, hashes: Hashes, k: int, c: float, rng: np.random.Generator, inputs: int
) -> Sample:
    """`inputs` fresh inputs, run and compared with the masks."""
    check_integer("k", k, 1, network.n - 1, "n - 1")
    tokens = random_sets(rng, check_integer("inputs", inputs, 2), network.n, k)
    alpha = random_coefficients(rng, inputs, k, check_real("c", c, 1.0, closed=True))
    return Sample(tokens, alpha, *observe(network, hashes, tokens, alpha))


def analyse(
    network: ReluNetwork,
    masks: Masks,
    k: int,
    c: float,
    rng: np.random.Generator,
    inputs: int = INPUTS,
) -> Behaviour:
    """Everything about the behaviour, from `inputs` fresh inputs and fewer of each departure.

    The record's estimates are {"value", "interval", "inputs"}; its keys are those of the functions
    below. Raises DomainError outside 1 <= k < n, c >= 1, inputs >= 2.
    """
    hashes = hashes_of(masks)
    code = RandomCode.of(hashes)
    sample = draw_sample(network, hashes, k, c, rng, inputs)
    seen = sample.outcomes
    fewer = max(2, inputs // 10)
    record = {
        "inputs": inputs,
        "bits": hashes.shape[1],
        **distances(seen),
        "mass": measured.mean(seen.mass),
        "mass_clusters": mass_clusters(seen.mass, k),
        **failures(seen, k),
        "missing_bit_levels": missing_bit_levels(sample.levels),
        **separation(seen),
        "given_false_positive": given_false_positive(seen, network.n, k, code),
        "failure_by_union_size": pathological.failure_by_union_size(seen, network.n, k, code),
        "extreme_unions": pathological.extremes(network, hashes, k, c, rng),
        "more_tokens": departures.more_tokens(network, hashes, k, c, rng, fewer),
        "other_coefficients": departures.other_coefficients(
            network, hashes, k, c, rng, max(2, inputs // 40)
        ),
        "precision": departures.precision(
            network, hashes, k, sample.tokens[:fewer], sample.alpha[:fewer]
        ),
    }
    return Behaviour(record, network, hashes, k, c, sample)


def distances(seen: Outcomes) -> dict[str, Any]:
    """TV, KL(target || output) in nats, squared error, and two causes of TV and KL.

    Exactly TV = (1 - mass) + rest and KL = -ln mass + rest, both rests at least 0, and 0 when the
    k members share their mass equally: non_uniformity. What is lost to other tokens is leakage.
    """
    missing = 1.0 - seen.mass
    log_mass = np.log(seen.mass)
    return {
        "total_variation": measured.mean(seen.total_variation),
        "kl": measured.mean(seen.kl),
        "squared_error": measured.mean(seen.squared_error),
        "leakage": {
            "total_variation": measured.mean(missing),
            "kl": measured.mean(-log_mass),
        },
        "non_uniformity": {
            "total_variation": measured.mean(seen.total_variation - missing),
            "kl": measured.mean(seen.kl + log_mass),
            "member_logit_sd": float(np.sqrt(seen.member_variance.mean())),
        },
    }


def mass_clusters(mass: np.ndarray, k: int) -> dict[str, Any]:
    """The two clusters of the mass on the k tokens, and the gap between them.

    failing, passing: 1, 50 and 99 % quantiles of the mass on either side of the threshold; None
    where nothing is. gap: from failing's 99 % to passing's 1 % quantile. nearest: the masses next
    to the threshold. between: the share of inputs in the middle half of [k/(k + 1), 1], on which
    the failure rate depends on where the threshold stands.
    """
    threshold = failure_threshold(k)
    failed = fails(mass, k)
    sides = [mass[failed], mass[~failed]]
    failing, passing = (
        np.quantile(side, [0.01, 0.5, 0.99]).tolist() if len(side) else None for side in sides
    )
    gap = nearest = None
    if failing is not None and passing is not None:
        gap, nearest = [failing[-1], passing[0]], [float(sides[0].max()), float(sides[1].min())]
    quarter = 0.25 * (1.0 - k / (k + 1))
    return {
        "threshold": threshold,
        "failing": failing,
        "passing": passing,
        "gap": gap,
        "nearest": nearest,
        "between": measured.share(np.abs(mass - threshold) < quarter),
    }


def failures(seen: Outcomes, k: int) -> dict[str, Any]:
    """How often inputs fail, by behaviour and by mechanism, and what the failures are.

    failures: of the behavioural ones, how many had as their likeliest non-member a covered token, a
    near_miss (one bit missing), or other. confusion: inputs by both kinds of failure.
    """
    failed = fails(seen.mass, k)
    covered = seen.false_positives > 0
    missing = seen.intruder_missing[failed]

    def count(inputs: np.ndarray) -> int:
        return int(np.count_nonzero(inputs))

    return {
        "failure_rate": measured.share(failed),
        "mechanistic_failure_rate": measured.share(covered),
        "false_positives": measured.mean(seen.false_positives),
        "failures": {
            "covered": count(missing == 0),
            "near_miss": count(missing == 1),
            "other": count(missing > 1),
        },
        "confusion": {
            "both": count(covered & failed),
            "mechanistic_only": count(covered & ~failed),
            "behavioural_only": count(~covered & failed),
            "neither": count(~covered & ~failed),
        },
    }


def missing_bit_levels(levels: Levels) -> list[dict[str, Any]]:
    """For each number of missing bits that occurred: the non-members' logits and probabilities.

    logit: less the mean member logit of the same input, nats. clear_of_next: the lowest logit here
    less the highest with one bit more; positive where the two levels do not overlap.
    """
    rows = []
    for missing in np.flatnonzero(levels.count).tolist():
        beyond = missing + 1
        has_next = beyond < len(levels.count) and levels.count[beyond] > 0
        clear = levels.logit.lowest[missing] - levels.logit.highest[beyond] if has_next else None
        rows.append(
            {
                "missing": missing,
                "count": int(levels.count[missing]),
                "logit": _statistics(levels.logit, missing),
                "probability": _statistics(levels.probability, missing),
                "clear_of_next": None if clear is None else float(clear),
            }
        )
    return rows


def _statistics(spread: Spread, level: int) -> dict[str, float]:
    return {
        name: float(getattr(spread, name)[level]) for name in ("mean", "sd", "lowest", "highest")
    }


def separation(seen: Outcomes) -> dict[str, Any]:
    """Whether uncovered tokens stay below a threshold, and below the members.

    largest_uncovered_probability: ever given to a non-member that misses a bit. smallest_margin:
    of a member's logit over such a non-member's, nats; None where all were covered.
    """
    uncovered = seen.margin < np.inf
    return {
        "largest_uncovered_probability": float(seen.uncovered_probability.max()),
        "smallest_margin": float(seen.margin[uncovered].min()) if uncovered.any() else None,
        "member_below_uncovered": measured.share(seen.margin < 0.0),
    }


def given_false_positive(seen: Outcomes, n: int, k: int, code: RandomCode) -> dict[str, Any]:
    """Union size, and near misses by other tokens, given that one non-member is covered.

    all: over all inputs. given: over pairs of an input and a token it covers, so that inputs count
    as often as they have false positives; None where none had. random_code: the exact value
    for random masks of the network's weights, a model of this code and not its own law.
    """
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
    return {
        "union_size": {
            "all": measured.mean(sizes),
            "given": measured.weighted_mean(sizes, weights),
            "random_code_all": float(law @ w),
            "random_code_given": float(conditional @ w) if possible else None,
        },
        "near_misses": {
            "all": measured.mean(misses),
            "given": measured.weighted_mean(misses, weights),
            "random_code_all": (n - k) * one_missing,
            "random_code_given": (n - k - 1) * one_missing_given if possible else None,
        },
        "union_size_law": [
            {
                "union_size": int(size),
                "all": float(counts[size] / len(sizes)),
                "given": float(counts_given[size] / total) if total else None,
                "random_code_all": float(law[size]),
                "random_code_given": float(conditional[size]) if possible else None,
            }
            for size in range(len(law))
            if counts[size] or law[size] > 1e-6
        ],
    }
