"""Causal checks: the weights are changed, and the output must change as the masks say.

Each intervention has its effect predicted from the masks and the worth of bits (`mechanism`),
never fitted to what it does; it is measured on fresh inputs. On an exact construction predictions
hold to rounding, but for failure rates, which are sampled. A trained network's bits are not all
alike: how far the measured effect is off is the finding. Weights of networks that are not
large are taken to float64 first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np

from simulate.jobs.intervals import (
    DRAWN_CONFIDENCE,
    Count,
    Estimate,
    Interval,
    Mean,
    weighted_mean,
)
from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory import quenched, softmax_output
from theory.domain import check_integer, check_real
from train.analysis import construction_path
from train.analysis.edits import Bits, Handles, bits_of, handles, inverse_of_reads
from train.analysis.mechanism import hidden_states
from train.analysis.outcomes import hashes_of, mass_on, probabilities_of
from train.analysis.prediction import MOST_BITS, rates_of_masks
from train.reading.failure import fails
from train.reading.masks import Masks, read_weights
from train.reading.subject import Subject

# of the ablations; others have more or fewer in proportion
INPUTS = 2**13
# of each kind; half take a bit away
EDITS, UNITS, PAIRS = 64, 12, 32
# of one read edit, or of one pair, at most and at least; logits of all of them together
MOST_OF_ONE, FEWEST_OF_ONE, MOST_LOGITS = 64, 8, 2**25
PARTS = 2
# quantities that others look up
FAILURE_RATE, TOTAL_VARIATION = "failure rate", "total variation"
ON_DECIDING = "owners' logits on deciding inputs"
TAKEN, ADDED = "bit taken away", "bit added"
OWNERS_GAIN = f"{ON_DECIDING}, {ADDED}"
AS_IT_IS = "as it is"
_BLOCK, _BLOCK_LOGITS = 2048, 2**23
# tokens times d + h from which on whole networks are not rewritten, nor taken to float64
_MOST_ENTRIES = 2**24
# of a bit: not a half, at which logits of equal bits may tie
_WITHIN = 0.45
# two numbers that agree so far are equal, but for rounding
_ROUNDING = 1e-7


class Intervention(StrEnum):
    """What is done to the network."""

    READ_FLIP = "read_flip"
    WRITE_FLIP = "write_flip"
    ABLATION = "ablation"
    OUTPUT_ZERO = "output_zero"
    SWAP_ROWS = "swap_rows"
    SWAP_BITS = "swap_bits"
    REPLACEMENT = "replacement"
    CONSTRUCTION = "construction"


@dataclass(frozen=True)
class Effect:
    """One effect of one intervention, predicted and measured.

    quantity: what changes. edits: how many edits it is a mean over. predicted_interval: None where
    the prediction has no sampling error. inside: prediction and measurement are compatible,
    rounding allowed for.
    """

    intervention: Intervention
    quantity: str
    predicted: float
    measured: Estimate
    edits: int
    predicted_interval: tuple[float, float] | None
    inside: bool

    @classmethod
    def of(
        cls,
        intervention: Intervention,
        quantity: str,
        predicted: Estimate | float,
        measured: Estimate,
        edits: int = 1,
    ) -> Effect:
        """A predicted estimate brings its interval."""
        ends = None
        if isinstance(predicted, Estimate):
            ends = None if predicted.kind is Interval.PROVED else predicted.interval
            predicted = predicted.value
        low, high = ends or (predicted, predicted)
        room = _ROUNDING * (1.0 + abs(predicted))
        below, above = measured.interval
        inside = below <= high + room and low - room <= above
        return cls(intervention, quantity, predicted, measured, edits, ends, bool(inside))


@dataclass(frozen=True)
class Edit:
    """One flipped entry: the change of the logits that it should move, predicted and seen, nats."""

    intervention: Intervention
    predicted: float
    measured: float


@dataclass(frozen=True)
class Ablated:
    """One unit that no longer gates: the rise of the failure rate, by the masks and seen."""

    unit: int
    owners: int
    predicted: float
    predicted_interval: tuple[float, float]
    measured: Estimate


@dataclass(frozen=True)
class Spill:
    """See `edits.Handles`."""

    read: float
    write: float


@dataclass(frozen=True)
class Change:
    """Against the network as it is, paired."""

    total_variation: Estimate
    failure_rate: Estimate


@dataclass(frozen=True)
class PathStep:
    """The network after `steps` of the path; step: the last of them, or AS_IT_IS."""

    steps: float
    step: str
    total_variation: Estimate
    failure_rate: Estimate
    change: Change


@dataclass(frozen=True)
class CausalRecord:
    """The section of an analysis; empty without clamp or complement units.

    ablations: of each sampled unit. path: see `construction_path`; empty, and no replacement, where
    n (d + h) is over 2^24. edits: of the figure.
    """

    effects: list[Effect]
    spill: Spill | None
    ablations: list[Ablated]
    path: list[PathStep]
    edits: list[Edit]

    def effect(self, intervention: Intervention, quantity: str) -> Effect | None:
        """The effect of that name; None where it could not be measured."""
        return next(
            (
                each
                for each in self.effects
                if (each.intervention, each.quantity) == (intervention, quantity)
            ),
            None,
        )


def analyse(
    subject: Subject,
    masks: Masks,
    rng: np.random.Generator,
    failure: Estimate | None = None,
    inputs: int = INPUTS,
) -> CausalRecord:
    """Every intervention that the network's units allow; an empty record without any such unit.

    failure: the failure probability of the masks where it is known, `prediction.rates_of_masks`.
    inputs: of the ablations, and by it the effort of all. At width d = h a bit's direction is not
    free of other bits: what a flip moves besides is in spill and in the scatter of the others.
    Raises DomainError outside 1 <= k < n, c >= 1, inputs >= 64.
    """
    network, k, c = subject.network, subject.k, subject.c
    check_integer("inputs", inputs, 64)
    check_integer("k", k, 1, network.n - 1, "n - 1")
    check_real("c", c, 1.0, closed=True)
    large = network.n * (network.d + network.h) > _MOST_ENTRIES
    network = network if large else network.astype(np.float64)
    states = hidden_states(network, masks, k, c, rng, max(64, inputs // 4))
    bits = bits_of(network, masks, states)
    if not bits.unit.size or not bits.queried.any():
        return CausalRecord([], None, [], [], [])
    failure = failure or rates_of_masks(rng, hashes_of(masks), k).failure_probability
    task = _Task(network, bits, handles(network, masks, states, bits), k, c, inputs)
    written, of_writes = write_flips(task, rng)
    read, of_reads = read_flips(task, rng)
    ablated, of_units = ablations(task, rng)
    rows: list[Effect] = []
    steps: list[PathStep] = []
    replaced: list[Effect] = []
    if not large:
        rows, steps = walk(task, masks, rng)
        replaced = replacement(task, masks, rng, failure)
    return CausalRecord(
        effects=[
            *written,
            *read,
            *ablated,
            *swaps(task, rng),
            *replaced,
            *rows,
        ],
        spill=Spill(task.handles.read_spill, task.handles.write_spill),
        ablations=of_units,
        path=steps,
        edits=of_writes + of_reads,
    )


@dataclass(frozen=True)
class _Task:
    """A float64 network, its bits and their handles, its inputs, and how many of them."""

    network: ReluNetwork
    bits: Bits
    handles: Handles
    k: int
    c: float
    effort: int

    def inputs(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Fresh inputs: tokens and coefficients."""
        tokens = random_sets(rng, count, self.network.n, self.k)
        return tokens, random_coefficients(rng, count, self.k, self.c)

    def inputs_with(
        self, rng: np.random.Generator, token: np.ndarray, count: int, without: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """`count` inputs for each token, it first, and never the one of `without`."""
        n = self.network.n
        held = np.sort(token[:, None] if without is None else np.stack([token, without], 1), axis=1)
        tokens = np.repeat(token, count)[:, None]
        if self.k > 1:
            others = random_sets(rng, len(tokens), n - held.shape[1], self.k - 1)
            # counted past the tokens that are spoken for, the smaller first
            for taken in np.repeat(held, count, axis=0).T:
                others = others + (others >= taken[:, None])
            tokens = np.hstack([tokens, others])
        return tokens, random_coefficients(rng, len(tokens), self.k, self.c)

    def union(self, tokens: np.ndarray) -> np.ndarray:
        """The bits of each input's union, by the masks, bool [inputs, bits]."""
        return np.logical_or.reduce(self.bits.owners[tokens], axis=1)

    def missing(self, union: np.ndarray) -> np.ndarray:
        """Each token's bits outside the union, by the masks, whole float32 [inputs, n]."""
        return (~union).astype(np.float32) @ self._queried.T

    @cached_property
    def _queried(self) -> np.ndarray:
        return self.bits.queried.astype(np.float32)

    def entries(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Random (token, bit) entries on which both masks agree: tokens, bits, whether owned.

        Half of them owned where there are as many.
        """
        found = []
        for owned in (True, False):
            agree = (self.bits.owners == owned) & (self.bits.queried == owned)
            where = np.flatnonzero(agree)
            chosen = rng.choice(where, min(EDITS // 2, len(where)), replace=False)
            token, bit = np.divmod(chosen, agree.shape[1])
            found.append((token, bit, np.full(len(token), owned)))
        tokens, bits, owners = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return tokens, bits, owners


def _blocks(inputs: int, n: int) -> list[slice]:
    """Of so few inputs that their logits take at most 64 MB."""
    block = max(8, min(_BLOCK, _BLOCK_LOGITS // n))
    return [slice(start, min(start + block, inputs)) for start in range(0, inputs, block)]


def _of_one(edits: int, n: int) -> int:
    """How many inputs each of so many edits is looked at on."""
    return int(np.clip(MOST_LOGITS // (max(edits, 1) * n), FEWEST_OF_ONE, MOST_OF_ONE))


def _over_edits(found: np.ndarray, predicted: np.ndarray, inputs: int) -> Estimate:
    """The mean over the edits; its interval from how they scatter about their predictions.

    Conditional on the inputs, which edits may share. One edit has no interval but itself.
    """
    value = float(found.mean())
    ends = (value, value)
    if len(found) > 1:
        low, high = Mean.of(found - predicted).at().interval
        centre = float(predicted.mean())
        ends = (centre + low, centre + high)
    return Estimate(value, ends, DRAWN_CONFIDENCE, inputs, Interval.STUDENT_T)


def _share_of(hits: np.ndarray, of: np.ndarray) -> Estimate | None:
    """sum hits / sum of; its interval over the edits, conditional on the inputs."""
    share = hits / np.maximum(of, 1)
    found = weighted_mean(share, of.astype(np.float64)) if len(of) > 1 else None
    if found is None:
        return None
    low, high = np.clip(found.interval, 0.0, 1.0).tolist()
    return replace(found, interval=(low, high), samples=int(of.sum()))


def _mean_effect(
    intervention: Intervention,
    quantity: str,
    predicted: np.ndarray,
    found: np.ndarray,
    inputs: int,
) -> list[Effect]:
    """The mean over the edits where there was something to measure; none where there was not."""
    known = ~np.isnan(found)
    if not known.any():
        return []
    predicted, found = predicted[known], found[known]
    value = _over_edits(found, predicted, inputs)
    return [Effect.of(intervention, quantity, float(predicted.mean()), value, int(known.sum()))]


def write_flips(task: _Task, rng: np.random.Generator) -> tuple[list[Effect], list[Edit]]:
    """One token's write entry of one unit is moved to the unit's other mode.

    By one column of W_U, so that no other token's logit can change, and that token's constant, so
    that its logit stays where the unit's bit is in the union. Predicted: where it is outside, the
    logit falls by the bit's worth if the bit is added, and rises by it if taken away; the
    token becomes, or is no longer, one that the union covers on exactly those inputs on which that
    bit decides. A token counts as covered by the network if its logit is no more than 0.45 of
    a bit below the members' mean. covering rate: inputs that cover the token, over all without it;
    its change is exact by inclusion and exclusion, up to 18 bits a token.
    """
    network, bits = task.network, task.bits
    token, bit, owned = task.entries(rng)
    moved = bits.write[token, bit]
    worth = np.where(owned, 0.0, bits.full[bit]) - bits.weights[token, bit]
    change = (task.handles.write[:, bit] * moved).astype(np.float64)
    held = -moved * task.handles.inside[bit]
    others = bits.queried[token].copy()
    others[np.arange(len(token)), bit] = False
    others_needed = others.astype(np.float32).T
    constants = np.zeros(network.n) if network.b_U is None else network.b_U

    tokens, alpha = task.inputs(rng, 8 * task.effort)
    sums, counts = np.zeros((2, len(token))), np.zeros((2, len(token)))
    decided, decided_changed, rest, rest_changed, net = np.zeros((5, len(token)))
    for at in _blocks(len(tokens), task.network.n):
        members = tokens[at]
        x = network.after_layer(network.residual(members, alpha[at]))
        member = np.einsum("sd,dsk->sk", x, network.W_U[:, members]) + constants[members]
        gap = x @ network.W_U[:, token] + constants[token] - member.mean(axis=1, keepdims=True)
        logit = x @ change + held
        valid = (members[:, :, None] != token).all(axis=1)
        union = task.union(members)
        outside = ~union[:, bit]
        for place, side in enumerate((outside, ~outside)):
            sums[place] += np.where(side & valid, logit, 0.0).sum(axis=0)
            counts[place] += (side & valid).sum(axis=0)
        decides = outside & valid & ((~union).astype(np.float32) @ others_needed < 0.5)
        before, after = (values > -_WITHIN * bits.height for values in (gap, gap + logit))
        changed = (before != after) & valid
        decided += decides.sum(axis=0)
        decided_changed += (changed & decides).sum(axis=0)
        rest += (valid & ~decides).sum(axis=0)
        rest_changed += (changed & ~decides).sum(axis=0)
        net += np.where(valid, after.astype(np.int8) - before, 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        outside_mean, inside_mean = sums / np.where(counts > 0, counts, np.nan)
    total = int(counts.sum())
    effects = []
    for name, chosen in ((TAKEN, owned), (ADDED, ~owned)):
        effects += _mean_effect(
            Intervention.WRITE_FLIP,
            f"logit outside the union, {name}",
            -worth[chosen],
            outside_mean[chosen],
            int(counts[0, chosen].sum()),
        )
    effects += _mean_effect(
        Intervention.WRITE_FLIP,
        "logit inside the union",
        np.zeros(len(token)),
        inside_mean,
        int(counts[1].sum()),
    )
    for name, hits, of, wanted in (
        ("share of deciding inputs that change", decided_changed, decided, 1.0),
        ("share of other inputs that change", rest_changed, rest, 0.0),
    ):
        share = _share_of(hits, of)
        if share is not None:
            effects.append(Effect.of(Intervention.WRITE_FLIP, name, wanted, share, len(token)))
    if max(bits.queried[token].sum(axis=1), default=0) < MOST_BITS:
        exact = np.array(
            [
                _covering_change(bits, task.k, *entry)
                for entry in zip(token.tolist(), bit.tolist(), strict=True)
            ]
        )
        for name, chosen in ((TAKEN, owned), (ADDED, ~owned)):
            effects += _mean_effect(
                Intervention.WRITE_FLIP,
                f"covering rate, {name}",
                exact[chosen],
                (net / np.maximum(decided + rest, 1))[chosen],
                int((decided + rest)[chosen].sum()),
            )
    pairs = zip((-worth).tolist(), outside_mean.tolist(), strict=True)
    return effects, [Edit(Intervention.WRITE_FLIP, *pair) for pair in pairs] if total else []


def _covering_change(bits: Bits, k: int, token: int, bit: int) -> float:
    """Exact change of the share of inputs without the token that cover it."""
    rates = []
    for flipped in (False, True):
        masks = bits.owners.copy()
        masks[token] = bits.queried[token]
        masks[token, bit] ^= flipped
        rates.append(quenched.false_positive_inputs(masks, k, [token])[0])
    return (rates[1] - rates[0]) / math.comb(len(bits.owners) - 1, k)


def read_flips(task: _Task, rng: np.random.Generator) -> tuple[list[Effect], list[Edit]]:
    """One token's read entry of one unit is moved to the unit's other mode, by its row of W_E.

    Inputs without the token cannot change. Predicted: of those with it, the ones change whose other
    tokens do not own the unit; there all who own it gain, or lose, its bit against all others, the
    token itself among them; and the tokens that the union covers change as the masks say
    (for k > 1: those within 0.45 of a bit of the mean of the other members).
    """
    network, bits = task.network, task.bits
    token, bit, owned = task.entries(rng)
    each = _of_one(len(token), network.n)
    tokens, alpha = task.inputs_with(rng, token, each, None)
    change = task.handles.read[bit] * bits.read[token, bit][:, None]
    sign = np.where(owned, -1.0, 1.0)
    predicted, found, elsewhere, scatter = np.full((4, len(token)), np.nan)
    covered, covered_found = np.full((2, len(token)), np.nan)
    inputs = 0
    for edit, j in enumerate(bit):
        at = slice(edit * each, (edit + 1) * each)
        members = tokens[at]
        x = network.residual(members, alpha[at])
        before = network.read_out(network.after_layer(x))
        after = network.read_out(network.after_layer(x + alpha[at][:, :1] * change[edit]))
        owners = bits.queried[:, j]
        moved = after - before
        if owners.all() or not owners.any():
            continue
        moved = moved - moved[:, ~owners].mean(axis=1, keepdims=True)
        decides = ~bits.owners[members[:, 1:], j].any(axis=1)
        predicted[edit] = sign[edit] * bits.weights[owners, j].mean()
        inputs += int(decides.sum())
        if decides.any():
            found[edit] = moved[decides][:, owners].mean()
            scatter[edit] = np.sqrt((moved[decides][:, ~owners] ** 2).mean())
        if not decides.all():
            elsewhere[edit] = moved[~decides][:, owners].mean()
        if task.k > 1:
            others = members[:, 1:]
            height = [
                np.take_along_axis(logits, others, axis=1).mean(axis=1, keepdims=True)
                for logits in (before, after)
            ]
            level = -_WITHIN * bits.height
            difference = (after - height[1] > level).sum() - (before - height[0] > level).sum()
            missing = task.missing(task.union(members))
            turned = missing + np.outer(decides, -sign[edit] * owners)
            by_masks = np.sum(turned == 0) - np.sum(missing == 0)
            covered[edit], covered_found[edit] = by_masks / len(x), difference / len(x)
    effects = []
    for name, chosen in ((TAKEN, owned), (ADDED, ~owned)):
        effects += _mean_effect(
            Intervention.READ_FLIP,
            f"{ON_DECIDING}, {name}",
            predicted[chosen],
            found[chosen],
            inputs,
        )
    nothing = np.zeros(len(token))
    rest = len(tokens) - inputs
    effects += _mean_effect(
        Intervention.READ_FLIP, "owners' logits on other inputs", nothing, elsewhere, rest
    )
    effects += _mean_effect(
        Intervention.READ_FLIP,
        "scatter of all other logits on deciding inputs",
        nothing,
        scatter,
        inputs,
    )
    if task.k > 1:
        for name, chosen in ((TAKEN, owned), (ADDED, ~owned)):
            effects += _mean_effect(
                Intervention.READ_FLIP,
                f"covered tokens, {name}",
                covered[chosen],
                covered_found[chosen],
                int(chosen.sum()) * each,
            )
    known = ~np.isnan(found)
    pairs = zip(predicted[known].tolist(), found[known].tolist(), strict=True)
    return effects, [Edit(Intervention.READ_FLIP, *pair) for pair in pairs]


def ablations(task: _Task, rng: np.random.Generator) -> tuple[list[Effect], list[Ablated]]:
    """A unit no longer gates: it is held on the side on which its owners put it.

    A complement unit's output is 0; a clamp unit passes on what it reads whatever its sign. Its bit
    is then in every union. Predicted: where it was outside, its owners gain the bit's worth; and
    the failure rate becomes that of the masks without the bit. output_zero: a clamp unit's output
    is 0, as one ablates a unit in general, which leaves its part of the residual stream unclamped:
    predicted, its owners gain what the layer took off.
    """
    network, bits = task.network, task.bits
    chosen = rng.choice(len(bits.unit), min(UNITS, len(bits.unit)), replace=False)
    unit = bits.unit[chosen]
    tokens, alpha = task.inputs(rng, task.effort)
    x = network.residual(tokens, alpha)
    z = x @ network.W_in[:, unit] + network.b_in[unit]
    held = np.where(bits.clamp[chosen], -np.maximum(-z, 0.0), -np.maximum(z, 0.0))
    write = network.W_out[unit] @ (network.W_U - network.W_U.mean(axis=1, keepdims=True))
    failed = np.zeros((len(unit) + 1, len(tokens)), dtype=bool)
    for at in _blocks(len(tokens), task.network.n):
        logits = network.read_out(network.after_layer(x[at]))
        failed[0, at] = fails(mass_on(logits, tokens[at]), task.k)
        for place in range(len(unit)):
            changed = logits + held[at, place, None] * write[place]
            failed[1 + place, at] = fails(mass_on(changed, tokens[at]), task.k)
    change = failed[1:].astype(np.int8) - failed[0]
    by_masks = _failures_without(rng, task, chosen)

    union = task.union(tokens)[:, chosen]
    rows, logit, zero = [], [], []
    for place, j in enumerate(chosen):
        owners = bits.queried[:, j]
        out = ~union[:, place]
        masks = Mean.of(by_masks[place]).at()
        rows.append(
            Ablated(
                unit=int(unit[place]),
                owners=int(bits.owners[:, j].sum()),
                predicted=masks.value,
                predicted_interval=masks.interval,
                measured=Mean.of(change[place]).at(),
            )
        )
        if owners.all() or not owners.any() or not out.any() or out.all():
            continue
        step = write[place, owners].mean() - write[place, ~owners].mean()
        per_bit = bits.weights[owners, j].mean()
        logit.append(
            (per_bit, step * held[out, place].mean(), 0.0, step * held[~out, place].mean())
        )
        if bits.clamp[j]:
            taken = -np.maximum(z[~out, place], 0.0).mean()
            zero.append((bits.excess[j] * bits.gain[j] * per_bit / bits.full[j], step * taken))
    effects: list[Effect] = []
    inside = int(union.sum())
    out_predicted, out_found, in_predicted, in_found = np.array(logit).reshape(-1, 4).T
    for name, predicted, found, count in (
        ("outside", out_predicted, out_found, union.size - inside),
        ("inside", in_predicted, in_found, inside),
    ):
        quantity = f"owners' logits {name} the union"
        effects += _mean_effect(Intervention.ABLATION, quantity, predicted, found, count)
    predicted, found = np.array(zero).reshape(-1, 2).T
    quantity = "owners' logits inside the union"
    effects += _mean_effect(Intervention.OUTPUT_ZERO, quantity, predicted, found, inside)
    mean = Mean.of(by_masks.mean(axis=0)).at()
    seen = Mean.of(change.mean(axis=0)).at()
    effects.append(Effect.of(Intervention.ABLATION, FAILURE_RATE, mean, seen, len(unit)))
    return effects, rows


def _failures_without(rng: np.random.Generator, task: _Task, chosen: np.ndarray) -> np.ndarray:
    """For each bit and sampled input: 1 if it is covered only without the bit, else 0."""
    owners = task.bits.owners
    tokens = random_sets(rng, 32 * task.effort, len(owners), task.k)
    packed = PackedHashes.of(owners)
    failed = packed.count_false_positives(tokens) > 0
    found = np.zeros((len(chosen), len(tokens)), dtype=np.int8)
    for place, bit in enumerate(chosen.tolist()):
        changed = _without_bit(packed, bit).count_false_positives(tokens) > 0
        found[place] = changed & ~failed
    return found


def _without_bit(packed: PackedHashes, bit: int) -> PackedHashes:
    """The same hashes, and nobody owns the bit; to pack them anew would take longer."""
    words, planes = packed.words.copy(), packed.planes.copy()
    words[:, bit // 64] &= ~(np.uint64(1) << np.uint64(bit % 64))
    planes[bit] = 0
    return PackedHashes(words, planes)


def swaps(task: _Task, rng: np.random.Generator) -> list[Effect]:
    """Token i is given j's hash; inputs hold i and not j, and the output must name j.

    swap_rows: the rows of W_E are exchanged. swap_bits: only the read entries at which the two
    masks differ are moved, to the means of their other modes. j_for_i: the share of inputs on which
    j's logit lies within 0.45 of a bit of the mean of the k largest and i's does not; predicted by
    the masks, since i may be covered. probability: j's, predicted for a filter whose bits are all
    worth the median bit.
    """
    network, bits, k = task.network, task.bits, task.k
    if network.n < k + 1:
        return []
    pair = random_sets(rng, PAIRS, network.n, 2)
    i, j = pair.T
    each = _of_one(PAIRS, network.n)
    tokens, alpha = task.inputs_with(rng, i, each, j)
    named = tokens.copy()
    named[:, 0] = np.repeat(j, each)
    differs = bits.owners[i] != bits.owners[j]
    change = np.where(differs, bits.read[i], 0.0) @ task.handles.read
    moves = {
        Intervention.SWAP_ROWS: network.W_E[j] - network.W_E[i],
        Intervention.SWAP_BITS: change,
    }
    inputs = len(tokens)
    effects = []
    covered, weight = np.zeros(inputs, dtype=bool), np.zeros(inputs)
    for at in _blocks(inputs, task.network.n):
        missing = task.missing(task.union(named[at]))
        weight[at] = np.exp(-bits.height * missing).sum(axis=1, dtype=np.float64)
        covered[at] = np.take_along_axis(missing, tokens[at, :1], axis=1)[:, 0] == 0
    for name, move in moves.items():
        share, probability = np.zeros((2, inputs))
        for at in _blocks(inputs, task.network.n):
            x = network.residual(tokens[at], alpha[at])
            x = x + alpha[at][:, :1] * np.repeat(move, each, axis=0)[at]
            logits = network.read_out(network.after_layer(x))
            level = np.partition(logits, -k, axis=1)[:, -k:].mean(axis=1) - _WITHIN * bits.height
            own, other = (
                np.take_along_axis(logits, of[at, :1], axis=1)[:, 0] for of in (tokens, named)
            )
            share[at] = (other > level) & ~(own > level)
            probability[at] = mass_on(logits, named[at, :1])
        of_pairs = (PAIRS, each)
        for quantity, predicted, values in (
            ("j_for_i", ~covered, share),
            ("probability", 1.0 / weight, probability),
        ):
            effects += _mean_effect(
                name,
                quantity,
                predicted.reshape(of_pairs).mean(axis=1),
                values.reshape(of_pairs).mean(axis=1),
                inputs,
            )
    return effects


def replacement(
    task: _Task, masks: Masks, rng: np.random.Generator, failure: Estimate
) -> list[Effect]:
    """W_E W_in by the binarised mask, in each unit's own two levels, and W_out by -W_in^-1.

    The levels are the means over the owners and over the others; W_out is replaced for clamp units
    only; the one, the other, and both. W_out W_U kept: W_U is changed too, so that the units write
    what they wrote. None where the units outnumber the dimensions that they read, as W_in then has
    no inverse. Predicted: the failure rate of the masks, and the total variation of an output whose
    logits are sums of bits' weights over the union.
    """
    network, bits = task.network, task.bits
    inverse = inverse_of_reads(network, masks)
    if inverse is None:
        return []
    inverse = inverse[np.searchsorted(np.flatnonzero(masks.live), bits.unit)]
    A = read_weights(network)[:, bits.unit]
    own, others = (
        np.where(of, A, 0.0).sum(axis=0) / np.maximum(of.sum(axis=0), 1)
        for of in (bits.owners, ~bits.owners)
    )
    W_E = network.W_E + (np.where(bits.owners, own, others) - A) @ inverse
    W_out, clamp = network.W_out.copy(), bits.unit[bits.clamp]
    W_out[clamp] = -inverse[bits.clamp]
    kept = -network.W_in[:, clamp] @ network.W_out[clamp] @ network.W_U
    variants = {
        "as it is": network,
        "W_in": replace(network, W_E=W_E),
        "W_out": replace(network, W_out=W_out),
        "both": replace(network, W_E=W_E, W_out=W_out),
    }
    if bits.clamp.all():
        variants["both, W_out W_U kept"] = replace(variants["both"], W_U=kept)
    tokens, alpha = task.inputs(rng, task.effort // 2)
    weights = (bits.weights * bits.queried).T
    blocks = _blocks(len(tokens), network.n)
    modelled = (task.union(tokens[at]) @ weights for at in blocks)
    distance, _ = _judged(modelled, tokens, task.k)
    predicted = Mean.of(distance).at()
    effects = []
    for name, variant in variants.items():
        logits = (variant.logits(tokens[at], alpha[at]) for at in blocks)
        distance, failed = _judged(logits, tokens, task.k)
        for quantity, expected, found in (
            (FAILURE_RATE, failure, Count.of(failed).at()),
            (TOTAL_VARIATION, predicted, Mean.of(distance).at()),
        ):
            what = f"{quantity}, {name}"
            effects.append(Effect.of(Intervention.REPLACEMENT, what, expected, found))
    return effects


def _judged(
    logits: Iterable[np.ndarray], tokens: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Total variation and failure of each input, from its logits in blocks."""
    distance, failed = np.zeros(len(tokens)), np.zeros(len(tokens), dtype=bool)
    start = 0
    for of_block in logits:
        at = slice(start, start + len(of_block))
        start = at.stop
        found = probabilities_of(of_block, tokens[at])
        # what the members lack of 1/k is what the others have too much
        distance[at] = np.maximum(1.0 / k - found, 0.0).sum(axis=1)
        failed[at] = fails(found.sum(axis=1), k)
    return distance, failed


def walk(
    task: _Task, masks: Masks, rng: np.random.Generator
) -> tuple[list[Effect], list[PathStep]]:
    """The network on its way into the construction: total variation and failures after every step.

    All on the same inputs. Predicted for the end: failure rate and total variation of the exact
    filter of the masks with the end's beta.
    """
    tokens, alpha = task.inputs(rng, task.effort // 2)
    blocks = _blocks(len(tokens), task.network.n)
    rows: list[PathStep] = []
    first = None
    tables = None
    for place, tables in construction_path.path(task.network, masks, task.k, task.c, PARTS):
        logits = (tables.logits(tokens[at], alpha[at]) for at in blocks)
        distance, failed = _judged(logits, tokens, task.k)
        first = (distance, failed) if first is None else first
        rows.append(
            PathStep(
                steps=place,
                step=construction_path.STEPS[math.ceil(place) - 1] if place else AS_IT_IS,
                total_variation=Mean.of(distance).at(),
                failure_rate=Count.of(failed).at(),
                change=Change(
                    Mean.of(distance - first[0]).at(),
                    Mean.of(failed.astype(np.int8) - first[1]).at(),
                ),
            )
        )
    assert tables is not None  # the path has a beginning
    return _at_the_end(task, rng, rows[-1], construction_path.beta_of(tables)), rows


def _at_the_end(task: _Task, rng: np.random.Generator, last: PathStep, beta: float) -> list[Effect]:
    """The exact filter of the masks against its theory, at the end's beta.

    A small beta lets near misses leak so much that inputs fail which cover no non-member.
    """
    tokens = random_sets(rng, 8 * task.effort, task.network.n, task.k)
    missing = PackedHashes.of(task.bits.owners).missing_bits_histogram(tokens)
    leakage = missing @ np.exp(-beta * np.arange(missing.shape[1])) - task.k
    variation = np.asarray(softmax_output.total_variation_of_leakage(leakage, task.k))
    failed = Count.of(fails(1.0 - variation, task.k)).at()
    return [
        Effect.of(Intervention.CONSTRUCTION, FAILURE_RATE, failed, last.failure_rate),
        Effect.of(
            Intervention.CONSTRUCTION,
            TOTAL_VARIATION,
            Mean.of(variation).at(),
            last.total_variation,
        ),
    ]
