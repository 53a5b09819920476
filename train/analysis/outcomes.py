"""What a network does on given inputs, beside what its masks say of the same inputs.

hashes: bool [n, bits], True where a token owns a bit, read off the network (`hashes_of`). An
input's union is that of its members' bits; a non-member misses M = |S_j \\ union| of its own, and
is covered, a mechanistic false positive, when M = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork, membership
from theory.domain import check_integer
from train.reading.masks import Masks, code_of

Hashes = Bool[np.ndarray, "n bits"]
Tokens = Int[np.ndarray, "inputs k"]
Alpha = Float[np.ndarray, "inputs k"]
Forward = Callable[[np.ndarray, np.ndarray], np.ndarray]

# probabilities are counted in bins of a tenth of a decade; smaller ones in the first bin
LOG10_EDGES = np.linspace(-12.0, 0.0, 121)

# logits that differ by no more units in the last place are tied
_TIES = 1024.0
# entries of the logits that are handled at once
_BLOCK_ENTRIES = 2**19


def hashes_of(masks: Masks) -> Hashes:
    """The code that the masks describe (`masks.code_of`).

    Without clamp or complement units, one bit that nobody owns: nothing read off it has a meaning,
    which `is_code` tells.
    """
    code = code_of(masks)
    return code if code.size else np.zeros((len(masks.read), 1), dtype=bool)


def is_code(hashes: Hashes) -> bool:
    """Whether some token owns a bit; if none does, the masks say nothing about any input."""
    return bool(hashes.any())


def mass_on(
    logits: Float[np.ndarray, "inputs n"], tokens: Int[np.ndarray, "inputs tokens"]
) -> Float[np.ndarray, " inputs"]:
    """The probability that each input's output puts on its tokens, together."""
    return probabilities_of(logits, tokens).sum(axis=1)


def probabilities_of(
    logits: Float[np.ndarray, "inputs n"], tokens: Int[np.ndarray, "inputs tokens"]
) -> Float[np.ndarray, "inputs tokens"]:
    """The probability that each input's output puts on each of its tokens."""
    weight = logits - logits.max(axis=1, keepdims=True)
    np.exp(weight, out=weight)
    return np.take_along_axis(weight, tokens, axis=1) / weight.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Outcomes:
    """One number an input, arrays [inputs].

    total_variation, kl (nats), squared_error (summed over the vocabulary): distance from the
    target. mass: probability on the k tokens; log_mass: its logarithm. lowest_member: the smallest
    probability of a member. intruding: non-members whose logit is at least the lowest member's,
    ties by rounding among them.
    member_variance: mean square of the k members' logits about their mean. margin: the lowest
    member's logit less the highest uncovered non-member's, inf where every non-member is covered.
    union_size: bits of the union. false_positives, near_misses: non-members that miss no bit, one
    bit. intruder: the non-member with the largest probability; that probability, and its missing
    bits. uncovered_probability: the largest of an uncovered non-member, 0 where there is none.
    """

    total_variation: Float[np.ndarray, " inputs"]
    kl: Float[np.ndarray, " inputs"]
    squared_error: Float[np.ndarray, " inputs"]
    mass: Float[np.ndarray, " inputs"]
    log_mass: Float[np.ndarray, " inputs"]
    intruding: Int[np.ndarray, " inputs"]
    lowest_member: Float[np.ndarray, " inputs"]
    member_variance: Float[np.ndarray, " inputs"]
    margin: Float[np.ndarray, " inputs"]
    union_size: Int[np.ndarray, " inputs"]
    false_positives: Int[np.ndarray, " inputs"]
    near_misses: Int[np.ndarray, " inputs"]
    intruder: Int[np.ndarray, " inputs"]
    intruder_probability: Float[np.ndarray, " inputs"]
    intruder_missing: Int[np.ndarray, " inputs"]
    uncovered_probability: Float[np.ndarray, " inputs"]


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation and range of each level's values; NaN where it has none."""

    mean: Float[np.ndarray, " levels"]
    sd: Float[np.ndarray, " levels"]
    lowest: Float[np.ndarray, " levels"]
    highest: Float[np.ndarray, " levels"]


@dataclass(frozen=True)
class Levels:
    """The non-members of all inputs, by their number of missing bits: arrays [levels].

    count: pairs of an input and a non-member. logit: the non-member's, less its input's mean
    member logit, nats. probability: the non-member's. leakage: mean of e^logit, inf beyond the
    largest double. histogram: of log10 of the probability, counts [levels, bins] over LOG10_EDGES.
    """

    count: Int[np.ndarray, " levels"]
    logit: Spread
    probability: Spread
    leakage: Float[np.ndarray, " levels"]
    histogram: Int[np.ndarray, "levels bins"]


class _Groups:
    """Values grouped by level: sorted once, then reduced level by level."""

    def __init__(self, level: np.ndarray) -> None:
        self.count = np.bincount(level)
        self.there = np.flatnonzero(self.count)
        self.order = np.argsort(level, kind="stable")
        self.starts = np.concatenate([[0], np.cumsum(self.count[self.there])[:-1]])

    def reduced(self, operation: np.ufunc, values: np.ndarray) -> np.ndarray:
        """One number for each level that has values."""
        return operation.reduceat(values[self.order], self.starts)


class _Moments:
    """Mean, squares about it and range of each level, block by block (Chan, Golub, LeVeque)."""

    def __init__(self, levels: int) -> None:
        self.count = np.zeros(levels, dtype=np.int64)
        self.mean, self.squares = np.zeros((2, levels))
        self.lowest, self.highest = np.full(levels, np.inf), np.full(levels, -np.inf)

    def add(self, groups: _Groups, values: np.ndarray) -> None:
        there, added = groups.there, groups.count[groups.there]
        mean = groups.reduced(np.add, values) / added
        about_mean = values[groups.order] - np.repeat(mean, added)
        squares = np.add.reduceat(about_mean**2, groups.starts)
        before, total = self.count[there], self.count[there] + added
        shift = mean - self.mean[there]
        self.squares[there] += squares + shift**2 * before * added / total
        self.mean[there] += shift * added / total
        self.count[there] = total
        self.lowest[there] = np.minimum(self.lowest[there], groups.reduced(np.minimum, values))
        self.highest[there] = np.maximum(self.highest[there], groups.reduced(np.maximum, values))

    def spread(self) -> Spread:
        """The finished statistics."""
        none = self.count == 0
        sd = np.sqrt(self.squares / np.maximum(self.count, 1))
        finished = (self.mean, sd, self.lowest, self.highest)
        return Spread(*(np.where(none, np.nan, values) for values in finished))


class _LevelSums:
    """Everything of `Levels`, added up block by block."""

    def __init__(self, levels: int) -> None:
        self.logit, self.probability = _Moments(levels), _Moments(levels)
        self.leakage = np.zeros(levels)
        self.histogram = np.zeros((levels, len(LOG10_EDGES) - 1), dtype=np.int64)

    def add(self, missing: np.ndarray, logit: np.ndarray, log_output: np.ndarray) -> None:
        """Non-members' missing bits, logits less the members' mean, log probabilities."""
        levels, bins = self.histogram.shape
        place = (log_output / np.log(10.0) - LOG10_EDGES[0]) * (bins / -LOG10_EDGES[0])
        place = np.clip(np.nan_to_num(place, nan=0.0), 0, bins - 1)
        cell = missing * np.int64(bins) + place.astype(np.int64)
        self.histogram += np.bincount(cell, minlength=levels * bins).reshape(levels, bins)
        groups = _Groups(missing)
        self.logit.add(groups, logit)
        self.probability.add(groups, np.exp(log_output))
        # no filter: a non-member may stand hundreds of nats above the members
        with np.errstate(over="ignore"):
            self.leakage[groups.there] += groups.reduced(np.add, np.exp(logit))

    def levels(self) -> Levels:
        """The finished statistics."""
        count = self.logit.count
        with np.errstate(invalid="ignore"):
            leakage = self.leakage / count
        return Levels(
            count, self.logit.spread(), self.probability.spread(), leakage, self.histogram
        )


def observe(
    network: ReluNetwork,
    hashes: Hashes,
    tokens: Tokens,
    alpha: Alpha,
    forward: Forward | None = None,
    count_levels: bool = True,
) -> tuple[Outcomes, Levels]:
    """Run the network on the inputs, in its own dtype, and read the masks beside it.

    tokens: distinct within a row, k of them, 1 <= k <= n - 1. alpha: any finite coefficients the
    network accepts. forward: logits(tokens, alpha) in place of the network's own, e.g. of lower
    precision. count_levels: if not, all levels are empty, and it takes half as long. Memory about
    100 MB, whatever the number of inputs. Raises DomainError for k >= n.
    """
    from scipy.special import logsumexp

    inputs, k = tokens.shape
    check_integer("k", k, 1, network.n - 1, "n - 1")
    forward = forward or network.logits
    packed = PackedHashes.of(hashes)
    weights = hashes.sum(axis=1)
    levels = _LevelSums(int(weights.max()) + 1)
    eps = float(np.finfo(network.dtype).eps)
    found: dict[str, list[np.ndarray]] = {field.name: [] for field in fields(Outcomes)}
    block = max(1, _BLOCK_ENTRIES // network.n)
    for start in range(0, inputs, block):
        members = tokens[start : start + block]
        logits = forward(members, alpha[start : start + block]).astype(np.float64)
        missing = packed.missing_bits(members)
        highest = logits.max(axis=1, keepdims=True)
        output = np.exp(logits - highest)
        total = output.sum(axis=1, keepdims=True)
        output /= total
        log_total = highest + np.log(total)
        others = ~membership(members, network.n)
        own = np.take_along_axis(logits, members, axis=1)
        on_members = np.take_along_axis(output, members, axis=1)
        log_on_members = own - log_total
        lowest = own.min(axis=1, keepdims=True)
        size = np.maximum(np.abs(highest), np.abs(logits.min(axis=1, keepdims=True)))
        if count_levels:
            other = logits[others]
            rows = np.repeat(np.arange(len(members)), network.n - k)
            levels.add(missing[others], other - own.mean(axis=1)[rows], other - log_total[rows, 0])

        uncovered = missing > 0
        among_others = np.where(others, output, -1.0)
        intruder = among_others.argmax(axis=1)
        row = np.arange(len(members))
        # the members miss no bit
        best_uncovered = np.where(uncovered, logits, -np.inf).max(axis=1)
        of_block = Outcomes(
            # what the members lack of 1/k is what the others have too much
            total_variation=np.maximum(1.0 / k - on_members, 0.0).sum(axis=1),
            kl=-np.log(k) - log_on_members.mean(axis=1),
            squared_error=np.einsum("sn,sn->s", output, output)
            - 2.0 / k * on_members.sum(axis=1)
            + 1.0 / k,
            mass=on_members.sum(axis=1),
            log_mass=logsumexp(log_on_members, axis=1),
            intruding=np.count_nonzero(others & (logits >= lowest - _TIES * eps * size), axis=1),
            lowest_member=on_members.min(axis=1),
            member_variance=own.var(axis=1),
            margin=lowest[:, 0] - best_uncovered,
            union_size=np.logical_or.reduce(hashes[members], axis=1).sum(axis=1),
            false_positives=np.count_nonzero(~uncovered, axis=1) - k,
            near_misses=np.count_nonzero(missing == 1, axis=1),
            intruder=intruder,
            intruder_probability=among_others[row, intruder],
            intruder_missing=missing[row, intruder].astype(np.int64),
            uncovered_probability=np.exp(best_uncovered - log_total[:, 0]),
        )
        for name, parts in found.items():
            parts.append(getattr(of_block, name))
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    return Outcomes(**whole), levels.levels()
