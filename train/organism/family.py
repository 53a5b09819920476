"""The organisms: one network after another in which the filter is harder to see.

Each is what its name says of one code of random hashes, exactly, but for the noisy and the trained
ones. All weights are float32. Grades order them by what stands between the weights and the masks:
1 nothing, 2 another basis, 3 two mechanisms in one network, 4 faults, 5 training, 6 noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from simulate.constructions import Hashes, clamp, complement, complement_limit, mixed
from simulate.enumeration import subsets
from simulate.jobs.intervals import Count, Estimate
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets, telling_hashes
from simulate.symmetries import in_another_basis
from theory.domain import check_integer
from train.analysis.outcomes import Alpha, Tokens
from train.analysis.prediction import exactly, rates_of_masks
from train.organism.effects import causal_masks
from train.organism.names import Grade, Name, noise_name
from train.organism.truth import Facts, Failures, Flip, Kept, Truth
from train.reading.failure import fails
from train.reading.masks import CLAMP, COMPLEMENT
from train.training.recipe import Recipe

# uncovered tokens take less than 1e-4 at n = 256, and logits are exact in float32
BETA = 16.0
# the logits of the complement at width d are within 0.1 of the exact ones
ETA = 1e-4
FLIPS_A_SIDE = 4
# far below every threshold: k c times the largest entry of W_E W_in is some tens
NEVER = 1e3
_BLOCK_INPUTS = 2**14
SAMPLED = "sampled, 95 %"


@dataclass(frozen=True)
class Sizes:
    """Sizes of all organisms. m: bits per token, even; half of the d bits are each kind's in mixed.

    steps: of training. sampled: inputs behind a true failure rate that is not exact. levels: of
    noise, see `noisy`. replicates: independent networks at each level in the figure.
    """

    n: int = 256
    d: int = 48
    k: int = 3
    m: int = 10
    c: float = 2.0
    steps: int = 1000
    sampled: int = 100_000
    levels: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.2)
    replicates: int = 16


FULL = Sizes()
QUICK = Sizes(n=96, d=32, m=6, steps=300, sampled=20_000, levels=(0.1, 0.4, 1.2), replicates=4)


@dataclass(frozen=True)
class Organism:
    """A network and its truth; description: what it is, one sentence."""

    name: str
    grade: Grade
    description: str
    network: ReluNetwork
    truth: Truth


def family(sizes: Sizes, seed: int) -> Iterator[Organism]:
    """All organisms in ascending grade. Each name's random stream depends on the seed alone."""
    check_integer("seed", seed, 0)
    for place, make in enumerate(
        (
            clamp_organism,
            complement_organism,
            complement_limit_organism,
            disguised_clamp_organism,
            disguised_complement_organism,
            mixed_organism,
            disguised_mixed_organism,
            faulty_organism,
            trained_organism,
            trained_far_organism,
        )
    ):
        yield make(sizes, stream(seed, 0, place))
    for level in sizes.levels:
        # one network under growing multiples of one noise
        yield noise_organism(sizes, level, stream(seed, 1))


def stream(seed: int, *place: int) -> np.random.Generator:
    """An independent random stream of the seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))


def planted_truth(
    hashes: Hashes, side: int | np.ndarray, sizes: Sizes, eta: float | None = None
) -> Truth:
    """The truth of a construction but for its failures: both masks are the hashes."""
    d = hashes.shape[1]
    return Truth(
        orientation=np.broadcast_to(np.asarray(side, dtype=np.int64), d).copy(),
        live=np.ones(d, dtype=bool),
        read=hashes,
        write=hashes,
        facts=Facts(m=sizes.m, beta=BETA, eta=eta),
    )


def exact_truth(
    hashes: Hashes, side: int | np.ndarray, sizes: Sizes, eta: float | None = None
) -> Truth:
    """The truth of a construction: it fails where its hashes do."""
    rates = rates_of_masks(np.random.default_rng(0), hashes, sizes.k)
    # at BETA a false positive leaves k/(k + 1) on the members, and no other input comes near that
    how = "exact: an input fails where its tokens cover another"
    failures = Failures(rates, rates.failure_probability, how)
    return replace(planted_truth(hashes, side, sizes, eta), failures=failures)


def disguised(organism: Organism, name: str, grade: Grade, rng: np.random.Generator) -> Organism:
    """The same function in another basis, and the truth in the new order of units."""
    network, order = in_another_basis(organism.network, rng)
    truth = replace(
        organism.truth,
        **organism.truth.in_order(order),
        facts=replace(organism.truth.facts, unit_before_disguise=order.tolist()),
    )
    hidden = (
        "in another basis: residual stream rotated, units permuted and rescaled, a vector added "
        "to all columns of W_U"
    )
    description = f"{organism.description.rstrip('.')}; {hidden}."
    return Organism(name, grade, description, network.astype(np.float32), truth)


def _hashes(sizes: Sizes, rng: np.random.Generator) -> Hashes:
    return telling_hashes(rng, sizes.n, sizes.d, sizes.m)


def clamp_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    hashes = _hashes(sizes, rng)
    network, truth = clamp(hashes, BETA), exact_truth(hashes, CLAMP, sizes)
    return Organism(
        Name.CLAMP, Grade.EXACT, "The clamp construction.", network.astype(np.float32), truth
    )


def complement_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    hashes = _hashes(sizes, rng)
    network, truth = complement(hashes, BETA), exact_truth(hashes, COMPLEMENT, sizes)
    described = "The complement construction, of residual width 2d."
    return Organism(Name.COMPLEMENT, Grade.EXACT, described, network.astype(np.float32), truth)


def complement_limit_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    hashes = _hashes(sizes, rng)
    network = complement_limit(hashes, BETA, eta=ETA)
    truth = exact_truth(hashes, COMPLEMENT, sizes, eta=ETA)
    described = "The complement at residual width d, where it is a limit, near that limit."
    return Organism(
        Name.COMPLEMENT_LIMIT, Grade.EXACT, described, network.astype(np.float32), truth
    )


def disguised_clamp_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    return disguised(clamp_organism(sizes, rng), Name.CLAMP_DISGUISED, Grade.BASIS, rng)


def disguised_complement_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    return disguised(complement_organism(sizes, rng), Name.COMPLEMENT_DISGUISED, Grade.BASIS, rng)


def mixed_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    """Every token owns as many clamp bits as any other, or members would not be equal."""
    n, d, m = sizes.n, sizes.d // 2, sizes.m // 2
    hashes = np.hstack(
        [telling_hashes(rng, n, d, m), telling_hashes(rng, n, sizes.d - d, sizes.m - m)]
    )
    side = np.where(np.arange(sizes.d) < d, CLAMP, COMPLEMENT)
    network, truth = mixed(hashes, d, BETA), exact_truth(hashes, side, sizes)
    described = "Clamp and complement units, half of each, in one network."
    return Organism(Name.MIXED, Grade.MIXED, described, network.astype(np.float32), truth)


def disguised_mixed_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    return disguised(mixed_organism(sizes, rng), Name.MIXED_DISGUISED, Grade.MIXED, rng)


def faulty_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    """Three dead units, of which one never fires, one reads and one writes nothing; flipped bits.

    The dead units are beside the d live ones, so that the function is the clamp's but for the
    flips: logit_i = beta |W_i ∩ union of the R_j|, R and W the masks read and written.
    """
    hashes = _hashes(sizes, rng)
    (n, d), read, write = hashes.shape, hashes.copy(), hashes.copy()
    tokens = rng.choice(n, 2 * FLIPS_A_SIDE, replace=False)
    units = rng.choice(d, 2 * FLIPS_A_SIDE, replace=False)
    flips = []
    for at, (token, unit) in enumerate(zip(tokens.tolist(), units.tolist(), strict=True)):
        mask = read if at < FLIPS_A_SIDE else write
        mask[token, unit] ^= True
        flips.append(Flip(token, unit, "read" if mask is read else "write"))
    network = replace(clamp(read, BETA), W_U=BETA * write.T)
    decoys = rng.standard_normal((d, 3)), np.zeros(3), rng.standard_normal((3, d))
    decoys[1][0] = -NEVER
    decoys[0][:, 1] = 0.0
    decoys[2][2] = 0.0
    network = replace(
        network,
        W_in=np.hstack([network.W_in, decoys[0]]),
        b_in=np.concatenate([network.b_in, decoys[1]]),
        W_out=np.vstack([network.W_out, decoys[2]]),
    )
    nobody = np.zeros((n, 3), dtype=bool)
    rate = failure_rate_of_all_inputs(network.astype(np.float32), sizes.k)
    truth = Truth(
        orientation=np.append(np.full(d, CLAMP), [0, 0, 0]),
        live=np.append(np.ones(d, dtype=bool), [False] * 3),
        read=np.hstack([read, nobody]),
        write=np.hstack([write, nobody]),
        flips=flips,
        # with two masks that differ a failure of the masks is no longer one thing
        failures=Failures(None, rate, "exact: all inputs were run"),
        facts=Facts(m=sizes.m, beta=BETA),
    )
    described = "The clamp with dead units beside it and bits flipped on one side"
    exact = Organism("faulty", Grade.FAULTS, described, network, truth)
    return disguised(exact, Name.FAULTY_DISGUISED, Grade.FAULTS, rng)


def failure_rate_of_all_inputs(network: ReluNetwork, k: int) -> Estimate:
    """The share of all C(n, k) inputs that fail, exact where outputs do not depend on alpha."""
    inputs, failures = math.comb(network.n, k), 0
    for start in range(0, inputs, _BLOCK_INPUTS):
        tokens = subsets(network.n, k, start, min(start + _BLOCK_INPUTS, inputs))
        failures += int(np.count_nonzero(_failing(network, tokens, np.ones(tokens.shape))))
    return exactly(failures / inputs, inputs)


def sampled_failure_rate(
    network: ReluNetwork, sampled: int, k: int, c: float, rng: np.random.Generator
) -> Estimate:
    """The share of fresh inputs that fail, with its interval."""
    tokens = random_sets(rng, sampled, network.n, k)
    alpha = random_coefficients(rng, sampled, k, c)
    blocks = [slice(at, at + _BLOCK_INPUTS) for at in range(0, sampled, _BLOCK_INPUTS)]
    failing = [_failing(network, tokens[block], alpha[block]) for block in blocks]
    return Count.of(np.concatenate(failing)).at()


def _failing(network: ReluNetwork, tokens: Tokens, alpha: Alpha) -> Bool[np.ndarray, " inputs"]:
    from scipy.special import softmax

    output = softmax(network.logits(tokens, alpha), axis=1)
    return fails(np.take_along_axis(output, tokens, axis=1).sum(axis=1), tokens.shape[1])


def noisy(network: ReluNetwork, level: float, rng: np.random.Generator) -> ReluNetwork:
    """Normal noise on every entry, its deviation `level` times the tensor's root mean square.

    Its law does not depend on the basis of the residual stream.
    """
    weights = {}
    for name in ("W_E", "W_in", "b_in", "W_out", "W_U"):
        tensor = getattr(network, name)
        size = level * np.sqrt((tensor**2).mean())
        weights[name] = tensor + size * rng.standard_normal(tensor.shape)
    # what it does at which coefficients is no longer known
    return replace(network, **weights, alpha_min=0.0)


def noise_organism(sizes: Sizes, level: float, rng: np.random.Generator) -> Organism:
    hashes = _hashes(sizes, rng)
    network = noisy(clamp(hashes, BETA), level, rng)
    truth = exact_truth(hashes, CLAMP, sizes)
    as_stored = network.astype(np.float32)
    behaviour = sampled_failure_rate(as_stored, sizes.sampled, sizes.k, sizes.c, rng)
    truth = replace(
        truth,
        basis="planted, under noise",
        failures=Failures(rates_of_masks(rng, hashes, sizes.k), behaviour, SAMPLED),
        facts=replace(truth.facts, noise=level),
    )
    described = f"The clamp with noise of {level:g} times each tensor's root mean square"
    exact = Organism("noise", Grade.NOISE, described, network, truth)
    return disguised(exact, noise_name(level), Grade.NOISE, rng)


def oracle_masks(network: ReluNetwork, hashes: Hashes, level: float) -> tuple[Hashes, Hashes]:
    """Read and written bits of a noisy clamp, by one who knows its own basis, noise and density.

    Each entry of W_E, and of W_U, by itself: a bit where that is the likelier. W_in, b_in and
    W_out, whose noise the analysis suffers as well, are not looked at.
    """
    density = hashes.mean()
    variance = level**2 * density
    cut = 0.5 + variance * math.log(1.0 / density - 1.0)
    return cut < network.W_E, cut < network.W_U.T / BETA


def trained_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    return _trained(sizes, rng, Name.TRAINED_DISGUISED, 0.01, 0.01)


def trained_far_organism(sizes: Sizes, rng: np.random.Generator) -> Organism:
    return _trained(sizes, rng, Name.TRAINED_FAR_DISGUISED, 0.03, 0.1)


def _trained(
    sizes: Sizes, rng: np.random.Generator, name: str, learning_rate: float, embedding_rate: float
) -> Organism:
    """From the exact clamp by the project's own training, at rates that change little or much."""
    recipe = Recipe(
        n=sizes.n,
        d=sizes.d,
        k=sizes.k,
        c=sizes.c,
        m=sizes.m,
        start="exact",
        batch=128,
        steps=sizes.steps,
        seed=int(rng.integers(2**31)),
        learning_rate=learning_rate,
        embedding_rate=embedding_rate,
    )
    described = (
        f"The clamp, trained for {recipe.steps} steps at rates {learning_rate:g} and, for W_E, "
        f"{embedding_rate:g}"
    )
    return trained_by(recipe, sizes.sampled, rng, name, described)


def trained_by(
    recipe: Recipe, sampled: int, rng: np.random.Generator, name: str, description: str
) -> Organism:
    """What training by a recipe makes, in another basis, with its causal masks for a truth.

    sampled: inputs behind its failure rate. The start's masks are known where it starts exact.
    """
    from train.training.fit import advance, begin

    state = begin(recipe)
    start = state.model.W_E.detach().numpy() > 0 if recipe.start == "exact" else None
    advance(state, recipe.steps)
    network = state.model.to_network()
    assert isinstance(network, ReluNetwork)
    masks = causal_masks(network, recipe.k, recipe.c, rng)
    of_read, of_written = (
        rates_of_masks(rng, mask, recipe.k) for mask in (masks.read, masks.write)
    )
    rate = sampled_failure_rate(network, sampled, recipe.k, recipe.c, rng)
    kept = None
    if start is not None:
        kept = Kept(float((masks.read == start).mean()), float((masks.write == start).mean()))
    truth = Truth(
        orientation=masks.orientation,
        live=masks.live,
        read=masks.read,
        write=masks.write,
        basis="causal",
        failures=Failures(of_read, rate, SAMPLED, of_written),
        start=start,
        facts=Facts(training=recipe, kept=kept),
    )
    return disguised(
        Organism("trained", Grade.TRAINED, description, network, truth), name, Grade.TRAINED, rng
    )
