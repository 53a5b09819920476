"""Failures of the network that are too rare for the behavioural sample to count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulate.jobs.intervals import Estimate
from simulate.rare_failures import rare_failures
from simulate.sampling import random_coefficients
from train.analysis.outcomes import hashes_of, mass_on
from train.reading.failure import fails
from train.reading.masks import Masks
from train.reading.subject import Subject

INPUTS = 100_000


@dataclass(frozen=True)
class RareRecord:
    """Estimates by importance sampling through the network, see `simulate.rare_failures`.

    failure_rate: unbiased however wrong the masks are. failure_rate_of_masks: of the exact filter
    of the masks. foreseen: the share of the failures that have a covered token. effective: equally
    weighted failures that would be worth as much; the interval is to be trusted from about 100 on.
    """

    inputs: int
    failure_rate: Estimate
    failure_rate_of_masks: Estimate
    foreseen: float
    effective: float


def analyse(
    subject: Subject,
    masks: Masks,
    rng: np.random.Generator,
    inputs: int = INPUTS,
) -> RareRecord:
    """Of a network whose masks are a code; DomainError outside 1 <= k < n and inputs >= 1000."""
    network, k, c = subject.network, subject.k, subject.c

    def failed(tokens: np.ndarray) -> np.ndarray:
        alpha = random_coefficients(rng, len(tokens), k, c)
        return fails(mass_on(network.logits(tokens, alpha), tokens), k)

    found = rare_failures(rng, failed, hashes_of(masks), k, inputs)
    return RareRecord(
        inputs, found.failure.at(), found.covered.at(), found.foreseen, found.effective
    )


def summary(record: RareRecord) -> str:
    """One line: the rate with its interval, and what it rests on."""
    low, high = record.failure_rate.interval
    return (
        f"{record.failure_rate.value:.3g} [{low:.3g}, {high:.3g}] (95 %) by importance "
        f"sampling, {record.effective:.0f} effective failures; the masks' own "
        f"{record.failure_rate_of_masks.value:.3g}"
    )
