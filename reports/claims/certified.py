"""What the ledger reads of certify.json: the part of the record that the claims rest on."""

from __future__ import annotations

from dataclasses import dataclass

from train.certificate.proof import How

ALL_INPUTS: How = "all inputs"
FIGURE = "certificate"


@dataclass(frozen=True)
class Searched:
    """How inputs were searched, and how many."""

    how: How
    inputs: int


@dataclass(frozen=True)
class Margin:
    """Smallest leads of a member over tokens that miss so many bits at least, nats."""

    missing_bits: int
    proved: float | None
    seen: float | None
    any_number_of_tokens: float | None


@dataclass(frozen=True)
class Gates:
    """Units, and those whose gate holds for every input."""

    units: int
    proved: int


@dataclass(frozen=True)
class Measured:
    """A mean over sampled inputs."""

    value: float


@dataclass(frozen=True)
class Finished:
    """What rounding did to the network's total variation."""

    total_variation: Measured
    trained_total_variation: Measured


@dataclass(frozen=True)
class Certified:
    """The record."""

    smallest_level: int | None
    structural: bool
    gates: Gates
    margins: list[Margin]
    failure: tuple[float, float]
    searched: Searched
    finished: Finished | None
