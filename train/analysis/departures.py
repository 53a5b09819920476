"""The network outside its task: more tokens, other coefficients, lower precision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from simulate.jobs.intervals import Count, Estimate, Mean
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.domain import DomainError
from theory.random_code import RandomCode
from train.analysis.outcomes import Alpha, Forward, Hashes, Outcomes, Tokens, is_code, observe
from train.reading.failure import fails

# multiples of the ends of [1, c]
BELOW = (0.1, 0.25, 0.5, 0.75, 0.9)
ABOVE = (1.25, 1.5, 2.0, 4.0, 8.0)


def unrestricted(network: ReluNetwork) -> ReluNetwork:
    """The same weights, which refuse no coefficient."""
    return replace(network, alpha_min=0.0)


@dataclass(frozen=True)
class Summary:
    """Distance, mass and failures of a sample of inputs; by the masks where there are any."""

    total_variation: Estimate
    mass: Estimate
    lowest_member: Estimate
    failure_rate: Estimate
    mechanistic_failure_rate: Estimate | None


@dataclass(frozen=True)
class MoreTokens(Summary):
    """Inputs of so many tokens, judged as if k were that number.

    random_code: P_fail of random masks of the network's weights. A failure is a mass below halfway
    between t/(t + 1) and 1, t the tokens of the input.
    """

    tokens: int
    random_code: float | None


class Coefficients(StrEnum):
    """Whose coefficient is set: every token's, or one's, the others' uniform on [1, c]."""

    ALL = "all"
    ONE = "one"


@dataclass(frozen=True)
class OtherCoefficients(Summary):
    """Inputs whose coefficients are set to alpha.

    With ONE, lowest_member is mostly that token's probability, 1/k if it is treated as its equals
    are.
    """

    which: Coefficients
    alpha: float


@dataclass(frozen=True)
class Precision:
    """float32 against bfloat16 on the same inputs.

    total_variation_difference, kl_difference: bfloat16 less float32, paired. changed_failures:
    inputs that fail in one of them only.
    """

    float32: Summary
    bfloat16: Summary
    total_variation_difference: Estimate
    kl_difference: Estimate
    changed_failures: int
    largest_mass_change: float


def summary(seen: Outcomes, k: int, hashes: Hashes) -> Summary:
    """Of a sample of inputs of k tokens."""
    return Summary(
        total_variation=Mean.of(seen.total_variation).at(),
        mass=Mean.of(seen.mass).at(),
        lowest_member=Mean.of(seen.lowest_member).at(),
        failure_rate=Count.of(fails(seen.mass, k)).at(),
        mechanistic_failure_rate=(
            Count.of(seen.false_positives > 0).at() if is_code(hashes) else None
        ),
    )


def more_tokens(
    network: ReluNetwork, hashes: Hashes, k: int, c: float, rng: np.random.Generator, inputs: int
) -> list[MoreTokens]:
    """Inputs of k, k + 1, …, 3k tokens (at most n - 1): up to 9 of these numbers, k and 3k too."""
    rows = []
    code = RandomCode.of(hashes)
    last = min(3 * k, network.n - 1)
    for count in sorted({*np.linspace(k, last, min(last - k + 1, 9)).astype(int).tolist()}):
        tokens = random_sets(rng, inputs, network.n, count)
        alpha = random_coefficients(rng, inputs, count, c)
        seen, _ = observe(network, hashes, tokens, alpha, count_levels=False)
        exact = code.failure_probability(network.n, count) if is_code(hashes) else None
        found = vars(summary(seen, count, hashes))
        rows.append(MoreTokens(**found, tokens=count, random_code=exact))
    return rows


def other_coefficients(
    network: ReluNetwork, hashes: Hashes, k: int, c: float, rng: np.random.Generator, inputs: int
) -> list[OtherCoefficients]:
    """Coefficients outside [1, c], inside it, and at its ends."""
    network = unrestricted(network)
    inside = np.unique([1.0, 0.5 * (1.0 + c), c]).tolist()
    rows = []
    for which in Coefficients:
        for value in [*BELOW, *inside, *(c * factor for factor in ABOVE)]:
            tokens = random_sets(rng, inputs, network.n, k)
            alpha = random_coefficients(rng, inputs, k, c)
            alpha[:, : k if which is Coefficients.ALL else 1] = value
            seen, _ = observe(network, hashes, tokens, alpha, count_levels=False)
            found = vars(summary(seen, k, hashes))
            rows.append(OtherCoefficients(**found, which=which, alpha=value))
    return rows


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Each value rounded to the nearest bfloat16, ties to even; float32. Finite values only."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    # half a unit of the last place that stays, less one where that place is even
    rounded = bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def bfloat16_forward(network: ReluNetwork) -> Forward:
    """The forward pass in bfloat16: weights and every result rounded, sums kept in float32.

    As a matrix product of bfloat16 on a GPU does, the bias added before its result is rounded.
    """
    weights = {
        name: to_bfloat16(tensor)
        for name in ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
        if (tensor := getattr(network, name)) is not None
    }

    def forward(tokens: Tokens, alpha: Alpha) -> np.ndarray:
        members = weights["W_E"][tokens]
        x = to_bfloat16(np.einsum("sk,skd->sd", to_bfloat16(alpha), members))
        hidden = np.maximum(to_bfloat16(x @ weights["W_in"] + weights["b_in"]), 0.0)
        x = to_bfloat16(x + to_bfloat16(hidden @ weights["W_out"] + weights.get("b_out", 0.0)))
        return to_bfloat16(x @ weights["W_U"] + weights.get("b_U", 0.0))

    return forward


def precision(
    network: ReluNetwork, hashes: Hashes, k: int, tokens: Tokens, alpha: Alpha
) -> Precision | None:
    """float32 against bfloat16 on the same inputs; None where float32 does not hold the weights."""
    with np.errstate(over="ignore"):
        try:
            network = network.astype(np.float32)
        except DomainError:
            return None
    exact, _ = observe(network, hashes, tokens, alpha, count_levels=False)
    rounded, _ = observe(network, hashes, tokens, alpha, bfloat16_forward(network), False)
    changed = fails(exact.mass, k) != fails(rounded.mass, k)
    return Precision(
        float32=summary(exact, k, hashes),
        bfloat16=summary(rounded, k, hashes),
        total_variation_difference=Mean.of(rounded.total_variation - exact.total_variation).at(),
        kl_difference=Mean.of(rounded.kl - exact.kl).at(),
        changed_failures=int(np.count_nonzero(changed)),
        largest_mass_change=float(np.abs(rounded.mass - exact.mass).max()),
    )
