"""How the network does it: its code, its layer, and what each token and unit contributes.

Everything here is read off the weights, but for the hidden states, which are sampled. Units in
other people's bases come in all signs and sizes, so states are given as a unit's own: 0 is its
threshold, 1 the distance between its two modes, and more hits by owners are more. Then both
mechanisms do the same: the layer replaces a state z by min(z, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.jobs.intervals import DRAWN_CONFIDENCE, Estimate, Interval, Mean
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.domain import check_integer
from train.analysis.numbers import Extremes, Moments
from train.reading.masks import (
    CLAMP,
    COMPLEMENT,
    Masks,
    Modes,
    code_of,
    extract,
    write_weights,
)
from train.reading.subject import Subject

INPUTS = 4096
BATCHES = 32
# inputs whose logits are looked at as well
READ_OUT = 256
# of the search for nested hashes: n^2 d; entries of the baselines' tables
MOST_NESTED, MOST_BASELINE = 2**36, 2**22
# a verdict: shares of the live units, and of the entries on which the two masks agree
LEAST_SHARE, LEAST_AGREEMENT, LEAST_OF_BOTH = 0.9, 0.98, 0.1


@dataclass(frozen=True)
class HiddenStates:
    """States of the clamp and complement units on sampled inputs, each in its own measure.

    tokens, alpha: the inputs. units: the units' indices in the network. hits: how many of the
    input's tokens own the unit. before: the unit's input, 0 at its threshold. after: for a clamp
    unit the same of the residual stream after the layer, but for what complement units write, who
    may use the space that clamp units read; for a complement unit minus its output.
    """

    tokens: Int[np.ndarray, "inputs k"]
    alpha: Float[np.ndarray, "inputs k"]
    units: Int[np.ndarray, " units"]
    hits: Int[np.ndarray, "inputs units"]
    before: Float[np.ndarray, "inputs units"]
    after: Float[np.ndarray, "inputs units"]


class Verdict(StrEnum):
    """How a network's units work: by one construction, by both, or by neither."""

    CLAMP = "clamp"
    COMPLEMENT = "complement"
    MIXED = "mixed"
    NONE = "none"


@dataclass(frozen=True)
class Judgement:
    """What the masks alone say, and the numbers that it rests on, in words."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class UnitCounts:
    """How many units are of which orientation; neither includes the dead, who are counted again.

    dead: those that are not live, faint ones among them.
    """

    clamp: int
    complement: int
    neither: int
    dead: int
    always_on: int


@dataclass(frozen=True)
class Agreement:
    """Share of (token, live unit) entries on which the two masks agree; None without live units.

    shuffled: its mean over random permutations of each write mask's tokens, exact. disagreements:
    the entries themselves, counted.
    """

    value: float | None
    shuffled: float | None
    disagreements: int


@dataclass(frozen=True)
class Score:
    """How much of the network follows one construction, in [0, 1].

    units: the share of live units of the commoner orientation. value: the share of (token, live
    unit) entries that lie in such a unit and on which the masks agree; 1 for a construction.
    """

    value: float
    units: float


@dataclass(frozen=True)
class Baseline:
    """What the masks of another network of the same sizes say."""

    verdict: Verdict
    score: float
    mask_agreement: float | None


@dataclass(frozen=True)
class Baselines:
    """The network with shuffled outputs, and an untrained one.

    shuffled: the columns of W_U permuted among the tokens. untrained: normal weights of the same
    sizes, W_in, W_out and W_U of variance 1 / rows, no biases.
    """

    shuffled: Baseline
    untrained: Baseline


@dataclass(frozen=True)
class SideModes:
    """The two modes of what live units read, or write: medians and extremes over those units.

    two: the share with two modes. gap: between the modes, as a share of the distance of their
    means; below 0 never, 1 for exact modes. explained: share of a unit's variance between its
    modes.
    """

    two: float
    gap: Extremes | None
    explained: Extremes | None


@dataclass(frozen=True)
class BothModes:
    """The modes of what units read and of what they write."""

    read: SideModes
    write: SideModes


@dataclass(frozen=True)
class Optimum:
    """The best number of bits a token, or density, of a constant-weight code of d bits.

    rate: for the fewest false positives. failure: for the fewest failures.
    """

    rate: float
    failure: float


@dataclass(frozen=True)
class Code:
    """The masks of the clamp and complement units as a code of d bits, coincident units one bit.

    units: those units. variance_over_independent_bits: of the bits per token, against bits that
    were set independently with this density; 0 for a constant number of bits. variance_over_random:
    of the tokens per unit, against the binomial law of random codes of either kind. nested: tokens
    whose bits another token's cover, false positives of every input with that token; None where
    n^2 d is over 2^36. optimal: of a
    constant-weight code of d bits.
    """

    d: int
    units: int
    density: float
    bits_per_token: float
    bits_per_token_sd: float
    bits_per_token_range: tuple[int, int]
    bits_variance_over_independent_bits: float | None
    tokens_per_unit: float
    tokens_per_unit_sd: float
    tokens_per_unit_range: tuple[int, int]
    tokens_variance_over_random: float | None
    nested: int | None
    optimal_density: Optimum
    optimal_bits_per_token: Optimum


@dataclass(frozen=True)
class Eigenvalues:
    """Of W_in W_out on the clamp units; -1 for x - ReLU(x - 1), None without such units.

    real: their real parts. share_within_a_tenth: of those at most 0.1 from -1.
    """

    real: Extremes | None
    largest_distance_from_minus_1: float | None
    share_within_a_tenth: float | None


@dataclass(frozen=True)
class Layer:
    """W_in W_out against -I on the clamp units, and what the residual path adds beside the layer.

    returned: of what a clamp unit reads, the share that its own firing takes back,
    -(W_out W_in)_jj; returned_by_others: what another's does, root mean square over pairs, in units
    of the modes' distance. complement_moduli: of the eigenvalues on the complement units, which
    may be anything. residual_path: size of the residual path's own logits, over that of the
    layer's.
    """

    eigenvalues: Eigenvalues
    returned: Extremes | None
    returned_by_others: float | None
    complement_moduli: Extremes | None
    residual_path: float | None


@dataclass(frozen=True)
class StateCluster:
    """The states of units that `hits` of an input's tokens own, before and after the layer."""

    hits: int
    states: int
    before: Moments
    after: Moments


@dataclass(frozen=True)
class Band:
    """States inside and outside the union.

    union_sd, outside_sd: their standard deviation, a mean over 32 batches of inputs. gap: least
    state of the union less the largest outside it, over all sampled inputs: above 0 they are
    disjoint.
    """

    union_sd: Estimate
    outside_sd: Estimate
    gap: float


@dataclass(frozen=True)
class Bands:
    """The union's states before and after the layer; narrowed: its width after, over before."""

    before: Band
    after: Band
    narrowed: float | None


@dataclass(frozen=True)
class HashDot:
    """The sum of each token's bit weights over the bits it owns: its logit's full height, nats.

    per_bit: the logit gap that one missing bit should make, over the owned entries. not_owned_sd:
    of the other entries, whose mean is 0. variance_over_independent_bits: of the sums, over that of
    as many independent terms; below 1 where strong bits make up for weak or missing ones.
    """

    sum: Moments
    relative_sd: float | None
    per_bit: Moments
    not_owned_sd: float | None
    variance_over_independent_bits: float | None


@dataclass(frozen=True)
class Readout:
    """Logits against the sums of the bit weights that the masks and the union predict.

    Over all tokens of up to 256 sampled inputs, both less their mean over the tokens of the input.
    slope: of the logit on the predicted sum, by least squares. r_squared: the share of the logits'
    variance that the sums explain at slope 1. Both 1 for a construction. over_inputs: the same
    share of what changes from input to input, constants of the tokens taken off both.
    """

    slope: float
    r_squared: float
    over_inputs: float | None


@dataclass(frozen=True)
class MechanismRecord:
    """The section of an analysis. What has no meaning without clamp or complement units is None."""

    verdict: Verdict
    reason: str
    units: UnitCounts
    modes: BothModes
    agreement: Agreement
    score: Score
    baselines: Baselines
    density: float | None
    code: Code | None
    layer: Layer
    hidden_states: list[StateCluster]
    bands: Bands | None
    hash_dot: HashDot | None
    readout: Readout | None


@dataclass(frozen=True)
class Mechanism:
    """What `analyse` found: the record, and what figures and the other sections need.

    bit_weights: see `bit_weights`. eigenvalues: of W_in W_out on the clamp units.
    """

    record: MechanismRecord
    subject: Subject
    masks: Masks
    states: HiddenStates
    bit_weights: Float[np.ndarray, "n units"]
    eigenvalues: np.ndarray


def analyse(
    subject: Subject,
    masks: Masks,
    rng: np.random.Generator,
    inputs: int = INPUTS,
) -> Mechanism:
    """Everything about the mechanism; `inputs` sampled hidden states, at least 2 per batch.

    Raises DomainError outside 1 <= k <= n, c >= 1, inputs >= 64.
    """
    network, k, c = subject.network, subject.k, subject.c
    check_integer("inputs", inputs, 2 * BATCHES)
    states = hidden_states(network, masks, k, c, rng, inputs)
    weights = bit_weights(network, masks, states)
    eigenvalues = layer_eigenvalues(network, masks.orientation == CLAMP)
    hashes = code_of(masks)
    judgement = judged(masks)
    record = MechanismRecord(
        verdict=judgement.verdict,
        reason=judgement.reason,
        units=units(masks),
        modes=modes(masks),
        agreement=agreement(masks),
        score=score(masks),
        baselines=baselines(network, k, c, rng),
        density=float(hashes.mean()) if hashes.size else None,
        code=code(masks, k),
        layer=layer(network, masks, eigenvalues, states),
        hidden_states=state_clusters(states),
        bands=bands(states),
        hash_dot=hash_dot(masks, weights),
        readout=readout(network, masks, states, weights),
    )
    return Mechanism(record, subject, masks, states, weights, eigenvalues)


def units(masks: Masks) -> UnitCounts:
    """The counts of the network's units."""
    clamp = int((masks.orientation == CLAMP).sum())
    complement = int((masks.orientation == COMPLEMENT).sum())
    return UnitCounts(
        clamp=clamp,
        complement=complement,
        neither=len(masks.live) - clamp - complement,
        dead=int((~masks.live).sum()),
        always_on=int(masks.always_on.sum()),
    )


def agreement(masks: Masks) -> Agreement:
    """How far the two masks of the live units agree."""
    if not masks.live.any():
        return Agreement(None, None, 0)
    read, write = masks.read[:, masks.live], masks.write[:, masks.live]
    p, q = read.mean(axis=0), write.mean(axis=0)
    return Agreement(
        value=float((read == write).mean()),
        shuffled=float((p * q + (1.0 - p) * (1.0 - q)).mean()),
        disagreements=int((read != write).sum()),
    )


def judged(masks: Masks) -> Judgement:
    """What the masks alone say of the network.

    clamp or complement: at least 90 % of the live units are, and the masks agree on at least 98 %
    of the entries. mixed: both orientations hold at least 10 % of the live units, and together
    90 %. Otherwise none, and where no bit is shared by two tokens: that is a lookup table.
    """
    live = int(masks.live.sum())
    if live == 0:
        return Judgement(Verdict.NONE, "no unit is live")
    count, agree = units(masks), agreement(masks).value or 0.0
    reason = (
        f"of {live} live units {count.clamp} are clamp and {count.complement} complement; "
        f"the masks agree on {100 * agree:.3f} % of the entries"
    )
    gates = count.clamp + count.complement
    if gates and code_of(masks).sum(axis=0).max(initial=0) <= 1:
        reason = f"each of {gates} units belongs to one token: a lookup table that hashes nothing"
        return Judgement(Verdict.NONE, reason)
    main = max((Verdict.CLAMP, Verdict.COMPLEMENT), key=lambda side: getattr(count, side))
    if agree < LEAST_AGREEMENT or gates < LEAST_SHARE * live:
        return Judgement(Verdict.NONE, reason)
    if getattr(count, main) >= LEAST_SHARE * live:
        return Judgement(main, reason)
    both = min(count.clamp, count.complement) >= LEAST_OF_BOTH * live
    return Judgement(Verdict.MIXED if both else Verdict.NONE, reason)


def score(masks: Masks) -> Score:
    """How far the masks follow the commoner orientation."""
    live = int(masks.live.sum())
    if live == 0:
        return Score(0.0, 0.0)
    sides = [masks.orientation == side for side in (CLAMP, COMPLEMENT)]
    main = max(sides, key=np.count_nonzero)
    follows = (masks.read == masks.write) & main
    return Score(float(follows.sum() / (live * len(masks.read))), float(main.sum() / live))


def baselines(network: ReluNetwork, k: int, c: float, rng: np.random.Generator) -> Baselines:
    """What the masks say of the network with shuffled outputs, and of an untrained one.

    Of all units, or of 64 and more where there are over 2^22 pairs of a token and a unit.
    """
    order = rng.permutation(network.n)
    some = np.unique(np.linspace(0, network.h - 1, max(64, MOST_BASELINE // network.n)).astype(int))
    network = replace(
        network,
        W_in=network.W_in[:, some],
        b_in=network.b_in[some],
        W_out=network.W_out[some],
    )
    shuffled = replace(
        network,
        W_U=network.W_U[:, order],
        b_U=None if network.b_U is None else network.b_U[order],
    )

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    n, d, h = network.n, network.d, network.h
    untrained = ReluNetwork(
        W_E=normal(n, d),
        W_in=normal(d, h) / np.float32(np.sqrt(d)),
        b_in=np.zeros(h, dtype=np.float32),
        W_out=normal(h, d) / np.float32(np.sqrt(h)),
        W_U=normal(d, n) / np.float32(np.sqrt(d)),
    )

    def of(other: ReluNetwork) -> Baseline:
        masks = extract(other, k, c)
        return Baseline(judged(masks).verdict, score(masks).value, agreement(masks).value)

    return Baselines(of(shuffled), of(untrained))


def modes(masks: Masks) -> BothModes:
    """The two modes of what live units read and write."""

    def of(side: Modes) -> SideModes:
        live = masks.live & ~side.constant
        distance = np.where(live, side.high_mean - side.low_mean, 1.0)
        return SideModes(
            two=float(side.two[live].mean()) if live.any() else 0.0,
            gap=Extremes.of((side.gap / distance)[live]),
            explained=Extremes.of(side.explained[live]),
        )

    return BothModes(of(masks.read_modes), of(masks.write_modes))


def code(masks: Masks, k: int) -> Code | None:
    """The masks of the clamp and complement units as a code; None without any such unit."""
    from theory.width import optimal_hashes, optimal_hashes_for_failure

    bits = code_of(masks)
    n, d = bits.shape
    if d == 0:
        return None
    density = float(bits.mean())
    of_tokens, of_units = bits.sum(axis=1), bits.sum(axis=0)
    independent = density * (1.0 - density)
    best = optimal_hashes(k, d), optimal_hashes_for_failure(n, k, d)
    return Code(
        d=d,
        units=int((masks.orientation != 0).sum()),
        density=density,
        bits_per_token=float(of_tokens.mean()),
        bits_per_token_sd=float(of_tokens.std()),
        bits_per_token_range=(int(of_tokens.min()), int(of_tokens.max())),
        bits_variance_over_independent_bits=_ratio(of_tokens.var(), d * independent),
        tokens_per_unit=float(of_units.mean()),
        tokens_per_unit_sd=float(of_units.std()),
        tokens_per_unit_range=(int(of_units.min()), int(of_units.max())),
        tokens_variance_over_random=_ratio(of_units.var(), n * independent),
        nested=int(_nested(bits).sum()) if n * n * d <= MOST_NESTED else None,
        optimal_density=Optimum(best[0] / d, best[1] / d),
        optimal_bits_per_token=Optimum(*best),
    )


def _ratio(observed: float, random: float, scale: float = 1.0) -> float | None:
    """Quotient of two variances; None where the second is 0, but for rounding of the scale."""
    return float(observed / random) if random > 1e-12 * scale**2 else None


def _nested(bits: Bool[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
    """Tokens whose bits lie within another token's; O(n^2 d) in blocks of 16 MB."""
    n, rows = len(bits), bits.astype(np.float32)
    weight = rows.sum(axis=1)
    found = np.zeros(n, dtype=bool)
    block = max(1, 2**22 // n)
    for start in range(0, n, block):
        covered = rows[start : start + block] @ rows.T == weight[start : start + block, None]
        found[start : start + block] = np.count_nonzero(covered, axis=1) > 1
    return found


def layer_eigenvalues(network: ReluNetwork, units: Bool[np.ndarray, " h"]) -> np.ndarray:
    """Eigenvalues of W_in W_out over the given units, complex, by descending real part.

    Those of W_out W_in, of which at most d are not zero; -1 for x - ReLU(x - 1). Rotations,
    permutations and positive rescalings of units leave them alone.
    """
    from scipy.linalg import eigvals

    W_in = network.W_in[:, units].astype(np.float64)
    W_out = network.W_out[units].astype(np.float64)
    product = W_out @ W_in if units.sum() <= network.d else W_in @ W_out
    found = eigvals(product) if product.size else np.zeros(0, dtype=complex)
    return found[np.lexsort((found.imag, -found.real))]


def layer(
    network: ReluNetwork, masks: Masks, eigenvalues: np.ndarray, states: HiddenStates
) -> Layer:
    """The layer's products against those of a construction."""
    clamp, complement = (masks.orientation == side for side in (CLAMP, COMPLEMENT))
    diagonal = -np.einsum("hd,dh->h", network.W_out, network.W_in, dtype=np.float64)
    distance = np.abs(eigenvalues + 1.0)
    some = distance.size > 0
    return Layer(
        eigenvalues=Eigenvalues(
            real=Extremes.of(eigenvalues.real),
            largest_distance_from_minus_1=float(distance.max()) if some else None,
            share_within_a_tenth=float((distance <= 0.1).mean()) if some else None,
        ),
        returned=Extremes.of(diagonal[clamp]),
        returned_by_others=_returned_by_others(network, masks),
        complement_moduli=Extremes.of(np.abs(layer_eigenvalues(network, complement))),
        residual_path=residual_path(network, states),
    )


def residual_path(network: ReluNetwork, states: HiddenStates) -> float | None:
    """Root mean square of x W_U over that of the layer's own (x' - x) W_U, on sampled inputs.

    Both less their mean over the tokens. 0 for a complement, which does not read what it was given.
    """
    inputs = _read_out_inputs(network.n)
    tokens, alpha = states.tokens[:inputs], states.alpha[:inputs]
    x = network.residual(tokens, alpha).astype(np.float64)
    W_U = network.W_U.astype(np.float64)
    W_U = W_U - W_U.mean(axis=1, keepdims=True)
    direct, added = x @ W_U, (network.after_layer(x) - x) @ W_U
    size = float(np.sqrt((added**2).mean()))
    return float(np.sqrt((direct**2).mean())) / size if size > 0.0 else None


def _returned_by_others(network: ReluNetwork, masks: Masks) -> float | None:
    clamp = masks.orientation == CLAMP
    if clamp.sum() < 2:
        return None
    W_in = network.W_in[:, clamp].astype(np.float64)
    returned = network.W_out[clamp].astype(np.float64) @ W_in
    step = _step(masks)[clamp]
    np.fill_diagonal(returned, 0.0)
    pairs = len(step) * (len(step) - 1)
    return float(np.sqrt(((returned * step[:, None] / step) ** 2).sum() / pairs))


def _step(masks: Masks) -> Float[np.ndarray, " h"]:
    """Distance of the modes of what each unit reads."""
    return masks.read_modes.high_mean - masks.read_modes.low_mean


def hidden_states(
    network: ReluNetwork, masks: Masks, k: int, c: float, rng: np.random.Generator, inputs: int
) -> HiddenStates:
    """States of the clamp and complement units on `inputs` random inputs, see `HiddenStates`."""
    tokens = random_sets(rng, inputs, network.n, k)
    return states_on(network, masks, tokens, random_coefficients(rng, inputs, k, c))


def states_on(
    network: ReluNetwork,
    masks: Masks,
    tokens: Int[np.ndarray, "inputs k"],
    alpha: Float[np.ndarray, "inputs k"],
) -> HiddenStates:
    """States of the clamp and complement units on the given inputs."""
    chosen = np.flatnonzero(masks.orientation != 0)
    clamp = masks.orientation[chosen] == CLAMP
    step = _step(masks)[chosen]
    W_in = network.W_in[:, chosen].astype(np.float64)
    b_in = network.b_in[chosen].astype(np.float64)
    x = network.residual(tokens, alpha)
    before = (x @ W_in + b_in) / step
    writes = (masks.orientation != COMPLEMENT)[:, None]
    clamped = replace(network, W_out=network.W_out * writes).after_layer(x)
    after = (clamped @ W_in + b_in) / step
    hits = masks.read[tokens][:, :, chosen].sum(axis=1)
    return HiddenStates(
        tokens=tokens,
        alpha=alpha,
        units=chosen,
        hits=hits,
        before=np.where(clamp, before, -before),
        after=np.where(clamp, after, -np.maximum(before, 0.0)),
    )


def state_clusters(states: HiddenStates) -> list[StateCluster]:
    """The states by number of hits."""
    found = []
    for hits in range(int(states.hits.max(initial=0)) + 1):
        here = states.hits == hits
        if here.any():
            before, after = (Moments.of(values[here]) for values in (states.before, states.after))
            found.append(StateCluster(hits, int(here.sum()), before, after))
    return found


def bands(states: HiddenStates) -> Bands | None:
    """Width of the union's states before and after the layer, and whether they meet the others'."""
    union = states.hits > 0
    if not union.any() or union.all():
        return None

    def of(values: np.ndarray) -> Band:
        gap = float(values[union].min() - values[~union].max())
        return Band(_batched(values, union), _batched(values, ~union), gap)

    before, after = of(states.before), of(states.after)
    width = before.union_sd.value
    return Bands(before, after, after.union_sd.value / width if width > 1e-9 else None)


def _batched(values: np.ndarray, chosen: np.ndarray) -> Estimate:
    """The standard deviation of the chosen states: mean over batches of inputs, 95 % interval.

    Where all chosen states lie in one batch there is no interval but the value.
    """
    batches = zip(np.array_split(values, BATCHES), np.array_split(chosen, BATCHES), strict=True)
    spread = np.array([batch[of].std() for batch, of in batches if of.any()])
    if len(spread) < 2:
        value = float(values[chosen].std())
        return Estimate(value, (value, value), DRAWN_CONFIDENCE, len(values), Interval.STUDENT_T)
    return replace(Mean.of(spread).at(), samples=len(values))


def bit_weights(
    network: ReluNetwork, masks: Masks, states: HiddenStates
) -> Float[np.ndarray, "n units"]:
    """What each bit adds to each token's logit when it turns from outside to inside the union.

    How far the layer moves the unit's state between the two, mean over the sampled inputs, times
    what a unit state is worth to the token against the tokens that do not own it; nats. beta
    on the owned entries of a construction, 0 on the others. NaN for a unit that was never inside,
    or never outside, the union.
    """
    chosen, union = states.units, states.hits > 0
    inside, outside = union.sum(axis=0), (~union).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = (states.after * union).sum(axis=0) / inside
        moved = moved - (states.after * ~union).sum(axis=0) / outside
    # a clamp unit leaves behind what it does not take back: minus what it would write
    worth = masks.write_modes.high_mean - write_weights(network)
    return moved * _step(masks)[chosen] * worth[:, chosen]


def readout(
    network: ReluNetwork,
    masks: Masks,
    states: HiddenStates,
    weights: Float[np.ndarray, "n units"],
) -> Readout | None:
    """Logits against sums of bit weights; None where no owned bit has a known weight."""
    known = ~np.isnan(weights).any(axis=0)
    owned = masks.write[:, states.units]
    if not (owned & known).any():
        return None
    inputs = _read_out_inputs(network.n)
    union = (states.hits[:inputs, known] > 0).astype(np.float64)
    predicted = union @ (weights * owned)[:, known].T
    logits = network.logits(states.tokens[:inputs], states.alpha[:inputs]).astype(np.float64)
    predicted -= predicted.mean(axis=1, keepdims=True)
    logits -= logits.mean(axis=1, keepdims=True)
    size = float((predicted**2).sum())
    if size == 0.0 or not logits.any():
        return None
    slope = float((predicted * logits).sum()) / size
    r_squared = 1.0 - float(((logits - predicted) ** 2).sum() / (logits**2).sum())
    off = logits - predicted
    off -= off.mean(axis=0)
    logits -= logits.mean(axis=0)
    varies = float((logits**2).sum())
    return Readout(slope, r_squared, 1.0 - float((off**2).sum()) / varies if varies else None)


def _read_out_inputs(n: int) -> int:
    """How many inputs' logits are looked at: up to 256, and 32 MB of them."""
    return max(16, min(READ_OUT, 2**22 // n))


def hash_dot(masks: Masks, weights: Float[np.ndarray, "n units"]) -> HashDot | None:
    """What a token's bits are worth together; None where no owned bit has a known weight."""
    owned = masks.write[:, masks.orientation != 0]
    known = ~np.isnan(weights).any(axis=0)
    owned, weights = owned[:, known], weights[:, known]
    if not owned.any():
        return None
    sums = (weights * owned).sum(axis=1)
    bits = owned.sum(axis=1)
    independent = bits.mean() * weights[owned].var() + bits.var() * weights[owned].mean() ** 2
    mean = float(sums.mean())
    return HashDot(
        sum=Moments.of(sums),
        relative_sd=float(sums.std() / mean) if mean else None,
        per_bit=Moments.of(weights[owned]),
        not_owned_sd=float(weights[~owned].std()) if not owned.all() else None,
        variance_over_independent_bits=_ratio(sums.var(), independent, mean),
    )
