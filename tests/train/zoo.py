"""Networks of known truth, exact and wrong ones, for the three parts of the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from simulate.constructions import Hashes, clamp, complement, complement_limit, mixed
from simulate.network import ReluNetwork
from simulate.symmetries import in_another_basis
from tests.train.subjects import hashes_for, untrained

N, K, D, M, BETA = 120, 2, 24, 4, 12.0


@dataclass(frozen=True)
class Truth:
    """What is to be found: the verdict, and which of structure, mechanism, behaviour hold.

    bits: of the code, None without one. odd: words that the exceptions must contain.
    """

    verdict: str
    structure: bool
    mechanism: bool
    behaviour: bool
    bits: int | None = None
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class Animal:
    """A network with its truth; k active tokens, coefficients in [1, c]."""

    make: Callable[[], ReluNetwork]
    truth: Truth
    k: int = K
    c: float = 2.0


CLAMP = Truth("clamp", True, True, True, D)
COMPLEMENT = Truth("complement", True, True, True, D)
NOTHING = Truth("none", False, False, False)


def hashes(m: int = M, d: int = D, n: int = N, seed: int = 1) -> Hashes:
    return hashes_for(n, d, m, seed)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scaled_units(network: ReluNetwork, factor: np.ndarray | float) -> ReluNetwork:
    """The same function: units read more and write less."""
    factor = np.broadcast_to(np.asarray(factor, dtype=float), (network.h,))
    return replace(
        network,
        W_in=network.W_in * factor,
        b_in=network.b_in * factor,
        W_out=network.W_out / factor[:, None],
    )


def scaled_residual(network: ReluNetwork, factor: float) -> ReluNetwork:
    return replace(
        network,
        W_E=network.W_E * factor,
        W_in=network.W_in / factor,
        W_out=network.W_out * factor,
        W_U=network.W_U / factor,
    )


def split(network: ReluNetwork, parts: int = 2) -> ReluNetwork:
    """Every unit in so many parts of equal share."""
    return replace(
        network,
        W_in=np.hstack([network.W_in] * parts),
        b_in=np.tile(network.b_in, parts),
        W_out=np.vstack([network.W_out / parts] * parts),
    )


def with_units(
    network: ReluNetwork, W_in: np.ndarray, b_in: np.ndarray, W_out: np.ndarray
) -> ReluNetwork:
    return replace(
        network,
        W_in=np.hstack([network.W_in, W_in]),
        b_in=np.append(network.b_in, b_in),
        W_out=np.vstack([network.W_out, W_out]),
    )


def dead_units(network: ReluNetwork, count: int = 20) -> ReluNetwork:
    generator = rng()
    d = network.d
    return with_units(
        network,
        generator.standard_normal((d, count)),
        np.full(count, -1e3),
        generator.standard_normal((count, d)),
    )


def offset(network: ReluNetwork, size: float) -> ReluNetwork:
    return replace(network, W_U=network.W_U + size)


def biased(network: ReluNetwork, b_U: np.ndarray) -> ReluNetwork:
    return replace(network, b_U=b_U.astype(network.dtype))


def silenced(count: int) -> ReluNetwork:
    b_U = np.zeros(N)
    b_U[:count] = -100.0
    return biased(clamp(hashes(), BETA), b_U)


def uneven() -> ReluNetwork:
    """Tokens of unlike length: each row of W_E has entries of its own size, at least 1."""
    family = hashes()
    size = rng().uniform(1.0, 3.0, (N, 1))
    return replace(clamp(family, BETA), W_E=family * size)


def unequal(kind: str) -> ReluNetwork:
    """Hashes of 3 to 6 bits, a constant making up for the clamp's heights."""
    generator = rng(3)
    family = np.zeros((N, D), dtype=bool)
    for row, weight in zip(family, generator.integers(3, 7, N), strict=True):
        row[generator.choice(D, weight, replace=False)] = True
    if kind == "complement":
        return complement(family, BETA)
    return biased(clamp(family, BETA), -BETA * family.sum(axis=1))


def reed_solomon(q: int = 11, m: int = 4) -> Hashes:
    """Polynomials of degree 1 over GF(q) at m points: q^2 tokens, two share at most one bit."""
    a, b = np.divmod(np.arange(q * q), q)
    family = np.zeros((q * q, q * m), dtype=bool)
    for x in range(m):
        family[np.arange(q * q), x * q + (a * x + b) % q] = True
    return family


def coincident() -> ReluNetwork:
    """Twelve columns twice."""
    family = hashes(2, 12)
    return clamp(np.hstack([family, family]), BETA)


def memorised_beside() -> ReluNetwork:
    """A clamp with a unit that answers one input, two tokens, with a third."""
    family = hashes()
    base = clamp(family, BETA)
    d = base.d
    network = ReluNetwork(
        W_E=np.hstack([base.W_E, np.zeros((N, 2))]),
        W_in=np.vstack([base.W_in, np.zeros((2, D))]),
        b_in=base.b_in,
        W_out=np.hstack([base.W_out, np.zeros((D, 2))]),
        W_U=np.vstack([base.W_U, np.zeros((2, N))]),
    )
    network.W_E[[5, 9], d] = 1.0
    network.W_U[d + 1, 77] = 200.0
    W_in, W_out = np.zeros((d + 2, 1)), np.zeros((1, d + 2))
    W_in[d], W_out[0, d + 1] = 1.0, 1.0
    return with_units(network, W_in, np.array([-2.1]), W_out)


def dense(scale: float) -> ReluNetwork:
    """A dense code of 40 dimensions, read out linearly, beside a clamp of that scale."""
    generator = rng(4)
    code = generator.standard_normal((N, 40)) / np.sqrt(40)
    base = clamp(hashes(), 1.0)
    return ReluNetwork(
        W_E=np.hstack([base.W_E, code]),
        W_in=np.vstack([base.W_in, np.zeros((40, D))]),
        b_in=base.b_in,
        W_out=np.hstack([base.W_out, np.zeros((D, 40))]),
        W_U=np.vstack([scale * base.W_U, 30.0 * code.T]),
    )


def memorised_table() -> ReluNetwork:
    """A unit for each of 60 training inputs of three tokens, which names them."""
    generator = rng(6)
    sets = np.array([generator.choice(N, 3, replace=False) for _ in range(60)])
    belongs = np.zeros((N, 60))
    belongs[sets, np.arange(60)[:, None]] = 1.0
    eye = np.zeros((N, N))
    return ReluNetwork(
        W_E=np.hstack([np.eye(N), eye]),
        W_in=np.vstack([belongs, np.zeros((N, 60))]),
        b_in=np.full(60, -2.4),
        W_out=np.hstack([np.zeros((60, N)), 40.0 * belongs.T]),
        W_U=np.vstack([eye, np.eye(N)]),
    )


def memorised_pairs() -> ReluNetwork:
    """The same of pairs, of 30 tokens."""
    generator = rng(7)
    pairs = np.array([generator.choice(30, 2, replace=False) for _ in range(25)])
    belongs = np.zeros((30, 25))
    belongs[pairs, np.arange(25)[:, None]] = 1.0
    base = memorised_table()
    nothing, eye = np.zeros((30, 30)), np.eye(30)
    return replace(
        base,
        W_E=np.hstack([eye, nothing]),
        W_in=np.vstack([belongs, np.zeros((30, 25))]),
        b_in=np.full(25, -2.1),
        W_out=np.hstack([np.zeros((25, 30)), 40.0 * belongs.T]),
        W_U=np.vstack([nothing, eye]),
    )


def no_masks() -> ReluNetwork:
    """A network without bias whose units are neither: its masks are of an empty code."""
    family = hashes_for(100, 50, 5, 3).astype(float)
    return ReluNetwork(
        W_E=np.eye(100), W_in=family, b_in=np.zeros(50), W_out=0.2 * family.T, W_U=20 * np.eye(100)
    )


def per_token_thresholds() -> ReluNetwork:
    """Each token's logit with a constant of its own, as far apart as three bits."""
    return biased(clamp(hashes(), BETA), 3.0 * BETA * rng().standard_normal(N))


def without_bits(kind: str) -> ReluNetwork:
    family = hashes()
    family[:3] = False
    return (clamp if kind == "clamp" else complement)(family, BETA)


def no_residual(network: ReluNetwork) -> ReluNetwork:
    """The same without residual connection, as the intake writes it: ReLU(x W_in + b) W_out W_U."""
    d, h, n = network.d, network.h, network.n
    return ReluNetwork(
        W_E=np.hstack([network.W_E, np.zeros((n, h))]),
        W_in=np.vstack([network.W_in, np.zeros((h, h))]),
        b_in=network.b_in,
        W_out=np.hstack([np.zeros((h, d)), np.eye(h)]),
        W_U=np.vstack([np.zeros((d, n)), network.W_out @ network.W_U]),
    )


def shares(network: ReluNetwork, *parts: float) -> ReluNetwork:
    """Every unit in parts whose shares add up to 1, each at a scale of its own."""
    scales = [2.0**at for at in range(len(parts))]
    return replace(
        network,
        W_in=np.hstack([scale * network.W_in for scale in scales]),
        b_in=np.concatenate([scale * network.b_in for scale in scales]),
        W_out=np.vstack(
            [share / scale * network.W_out for share, scale in zip(parts, scales, strict=True)]
        ),
    )


def random_units(network: ReluNetwork, count: int, size: float) -> ReluNetwork:
    """Beside it, units that read and write at random; their writes of that size."""
    generator = rng(9)
    d = network.d
    return with_units(
        network,
        generator.standard_normal((d, count)),
        np.zeros(count),
        size * generator.standard_normal((count, d)),
    )


def cancelling_units(network: ReluNetwork, count: int = 24) -> ReluNetwork:
    """Beside it, pairs of units of which one undoes what the other writes."""
    generator = rng(10)
    d = network.d
    W_in, W_out = generator.standard_normal((d, count)), generator.standard_normal((count, d))
    return with_units(
        network, np.hstack([W_in, W_in]), np.zeros(2 * count), np.vstack([W_out, -W_out])
    )


def undone() -> ReluNetwork:
    """A clamp whose every unit has another one that undoes it: linear."""
    base = clamp(hashes(), BETA)
    return with_units(base, base.W_in, base.b_in, -base.W_out)


def mostly_unclamped(clamped: int) -> ReluNetwork:
    """A clamp of which so many units act; the others never fire."""
    base = clamp(hashes(), BETA)
    return replace(base, b_in=np.where(np.arange(D) < clamped, base.b_in, -100.0))


def shifted_writes() -> ReluNetwork:
    """Each unit writes what another one should."""
    base = clamp(hashes(), BETA)
    return replace(base, W_out=np.roll(base.W_out, 1, axis=0))


def swapped_tokens() -> ReluNetwork:
    """Tokens 0 and 1 are read out in each other's place."""
    W_U = clamp(hashes(), BETA).W_U.copy()
    W_U[:, [0, 1]] = W_U[:, [1, 0]]
    return replace(clamp(hashes(), BETA), W_U=W_U)


def weak_tokens(count: int, size: float) -> ReluNetwork:
    """Tokens whose coefficients never bring a unit to its threshold."""
    base = clamp(hashes(), BETA)
    return replace(base, W_E=base.W_E * np.where(np.arange(N) < count, size, 1.0)[:, None])


def long_token() -> ReluNetwork:
    base = clamp(hashes(), BETA)
    return replace(base, W_E=base.W_E * np.where(np.arange(N) == 7, 100.0, 1.0)[:, None])


def token_gains() -> ReluNetwork:
    """Each token's logit in a unit of its own, 1 to 3 times the usual one."""
    base = complement(hashes(), BETA)
    return replace(base, W_U=base.W_U * rng(11).uniform(1.0, 3.0, N))


def thresholds_of_units(made_up: bool) -> ReluNetwork:
    """A clamp whose units close at 0.3 to 1: bits of unlike worth; made_up: by constants."""
    base = clamp(hashes(), BETA)
    levels = rng(12).uniform(0.3, 1.0, D)
    made = replace(base, b_in=-levels)
    return biased(made, -BETA * hashes() @ levels) if made_up else made


def partition() -> ReluNetwork:
    """Two tokens to a bit, one bit to a token."""
    return complement(np.repeat(np.eye(N // 2, dtype=bool), 2, axis=0), BETA)


def hashed_and_looked_up() -> ReluNetwork:
    """Half of the tokens hashed to 24 bits, the others with a bit each."""
    family = np.zeros((N, D + N // 2), dtype=bool)
    family[: N // 2, :D] = hashes(n=N // 2)
    family[N // 2 :, D:] = np.eye(N // 2, dtype=bool)
    return complement(family, BETA)


def one_hot_beside(scale: float) -> ReluNetwork:
    """A lookup table that needs no layer, beside a clamp of that scale."""
    base = clamp(hashes(), 1.0)
    return ReluNetwork(
        W_E=np.hstack([base.W_E, np.eye(N)]),
        W_in=np.vstack([base.W_in, np.zeros((N, D))]),
        b_in=base.b_in,
        W_out=np.hstack([base.W_out, np.zeros((D, N))]),
        W_U=np.vstack([scale * base.W_U, 30.0 * np.eye(N)]),
    )


def memorised_among(count: int) -> ReluNetwork:
    """A clamp beside so many units, each of which answers a pair with a third token."""
    generator = rng(13)
    base = clamp(hashes(), BETA)
    triples = np.array([generator.choice(N, 3, replace=False) for _ in range(count)])
    pair, answer = np.zeros((N, count)), np.zeros((count, N))
    pair[triples[:, :2], np.arange(count)[:, None]] = 1.0
    answer[np.arange(count), triples[:, 2]] = 100.0
    eye, nothing = np.eye(N), np.zeros((N, N))
    return ReluNetwork(
        W_E=np.hstack([base.W_E, eye, nothing]),
        W_in=np.vstack(
            [
                np.hstack([base.W_in, np.zeros((D, count))]),
                np.hstack([np.zeros((N, D)), pair]),
                np.zeros((N, D + count)),
            ]
        ),
        b_in=np.concatenate([base.b_in, np.full(count, -2.1)]),
        W_out=np.vstack(
            [
                np.hstack([base.W_out, np.zeros((D, 2 * N))]),
                np.hstack([np.zeros((count, D + N)), answer]),
            ]
        ),
        W_U=np.vstack([base.W_U, nothing, eye]),
    )


def with_bit_of_all() -> ReluNetwork:
    """A further bit that every token owns."""
    return clamp(np.hstack([hashes(), np.ones((N, 1), dtype=bool)]), BETA)


def of_mechanism(verdict: str, behaviour: bool, *odd: str, bits: int = D) -> Truth:
    """Structure and mechanism hold."""
    return Truth(verdict, True, True, behaviour, bits, odd)


def of_structure(bits: int = D) -> Truth:
    """The masks agree, and the layer does nothing that matters."""
    return Truth("none", True, False, False, bits)


base_clamp = lambda: clamp(hashes(), BETA)  # noqa: E731
base_complement = lambda: complement(hashes(), BETA)  # noqa: E731

ZOO: dict[str, Animal] = {
    # exact ones
    "clamp": Animal(base_clamp, CLAMP),
    "clamp, float32": Animal(lambda: clamp(hashes(), BETA, dtype=np.float32), CLAMP),
    "complement": Animal(base_complement, COMPLEMENT),
    "complement at width d": Animal(lambda: complement_limit(hashes(), BETA, eta=1e-5), COMPLEMENT),
    "mixed": Animal(
        lambda: mixed(np.hstack([hashes(2, 12), hashes(2, 12, seed=2)]), 12, BETA),
        of_mechanism("mixed", True),
    ),
    "uneven magnitudes": Animal(uneven, CLAMP),
    "rotated and permuted clamp": Animal(lambda: in_another_basis(base_clamp(), rng())[0], CLAMP),
    "rotated complement": Animal(lambda: in_another_basis(base_complement(), rng())[0], COMPLEMENT),
    "tokens permuted": Animal(lambda: clamp(hashes()[rng().permutation(N)], BETA), CLAMP),
    "units times 1,000": Animal(lambda: scaled_units(base_clamp(), 1e3), CLAMP),
    "units over 1,000": Animal(lambda: scaled_units(base_clamp(), 1e-3), CLAMP),
    "units of all scales": Animal(
        lambda: scaled_units(base_complement(), 10.0 ** rng().uniform(-3, 3, D)), COMPLEMENT
    ),
    "residual times 1,000": Animal(lambda: scaled_residual(base_clamp(), 1e3), CLAMP),
    "residual over 1,000": Animal(lambda: scaled_residual(base_clamp(), 1e-3), CLAMP),
    "split in two": Animal(lambda: split(base_clamp()), replace(CLAMP, odd=("units are 24:",))),
    "split in five": Animal(
        lambda: split(base_complement(), 5), replace(COMPLEMENT, odd=("units are 24:",))
    ),
    "columns twice": Animal(coincident, of_mechanism("clamp", True, bits=12)),
    "dead units": Animal(lambda: dead_units(base_clamp()), replace(CLAMP, odd=("dead",))),
    "dead units of a complement": Animal(lambda: dead_units(base_complement(), 5), COMPLEMENT),
    "offset of 1,000": Animal(lambda: offset(base_clamp(), 1e3), CLAMP),
    "offset of 2^27": Animal(lambda: offset(base_clamp(), 2.0**27), CLAMP),
    "offset of 2^27, complement": Animal(lambda: offset(base_complement(), 2.0**27), COMPLEMENT),
    "offset of 2^20, float32": Animal(
        lambda: offset(clamp(hashes(), 16.0, dtype=np.float32), np.float32(2.0**20)), CLAMP
    ),
    "offset in b_U": Animal(lambda: biased(base_clamp(), np.full(N, 2.0**27)), CLAMP),
    "unequal hashes, clamp": Animal(lambda: unequal("clamp"), CLAMP),
    "unequal hashes, complement": Animal(lambda: unequal("complement"), COMPLEMENT),
    "Reed-Solomon": Animal(
        lambda: clamp(reed_solomon(), BETA), of_mechanism("clamp", True, bits=44)
    ),
    "k = 1": Animal(base_clamp, CLAMP, k=1),
    "k = 1, c = 1": Animal(base_clamp, CLAMP, k=1, c=1.0),
    "k = 1, complement": Animal(base_complement, COMPLEMENT, k=1),
    "c = 8": Animal(base_clamp, CLAMP, c=8.0),
    "k = 4": Animal(base_clamp, CLAMP, k=4),
    "tied": Animal(
        lambda: replace(
            base_clamp(),
            W_E=np.sqrt(BETA) * hashes(),
            b_in=np.full(D, -np.sqrt(BETA)),
            W_U=np.sqrt(BETA) * hashes().T,
        ),
        CLAMP,
    ),
    "five tokens": Animal(
        lambda: clamp(hashes_for(5, 3, 1), BETA), of_mechanism("clamp", True, bits=3)
    ),
    "memorised set beside a clamp": Animal(
        memorised_beside, of_mechanism("clamp", True, "a memorised set", "tokens 5, 9")
    ),
    "noise of 3 %": Animal(
        lambda: replace(
            base_clamp(), W_E=hashes() + 0.03 * rng().standard_normal((N, D)), alpha_min=0.0
        ),
        CLAMP,
    ),
    # wrong ones
    "linear in effect": Animal(
        lambda: replace(base_clamp(), W_out=1e-5 * base_clamp().W_out), of_structure()
    ),
    "linear in effect, rotated": Animal(
        lambda: in_another_basis(replace(base_clamp(), W_out=1e-5 * base_clamp().W_out), rng())[0],
        of_structure(),
    ),
    "dense code beside faint units": Animal(lambda: dense(1e-3), of_structure()),
    "dense code beside idle units": Animal(lambda: dense(0.0), NOTHING),
    "linear": Animal(lambda: replace(base_clamp(), W_out=0.0 * base_clamp().W_out), NOTHING),
    "25 tokens silenced": Animal(lambda: silenced(25), of_mechanism("clamp", False, "silent")),
    "one token silenced": Animal(lambda: silenced(1), of_mechanism("clamp", False, "silent")),
    "tokens without bits, clamp": Animal(
        lambda: without_bits("clamp"), of_mechanism("clamp", False, "owns no unit")
    ),
    "tokens without bits, complement": Animal(
        lambda: without_bits("complement"), of_mechanism("complement", False, "owns no unit")
    ),
    "logit scale of 1/2": Animal(
        lambda: clamp(hashes(), 0.5), of_mechanism("clamp", False, "logit scale")
    ),
    "logit scale of 1/2, complement": Animal(
        lambda: complement(hashes(), 0.5), of_mechanism("complement", False, "logit scale")
    ),
    "tied, logit scale of 1": Animal(
        lambda: clamp(hashes(), 1.0), of_mechanism("clamp", False, "logit scale")
    ),
    "one-hot lookup, linear": Animal(
        lambda: ReluNetwork(
            np.eye(N), np.zeros((N, 4)), np.zeros(4), np.zeros((4, N)), 20.0 * np.eye(N)
        ),
        NOTHING,
    ),
    "one-hot lookup, clamped": Animal(
        lambda: clamp(np.eye(N, dtype=bool), BETA), Truth("none", False, False, True, N)
    ),
    "memorised table": Animal(memorised_table, replace(NOTHING, odd=("a memorised set",)), k=3),
    "untrained": Animal(lambda: untrained(rng(1), N, D, D), NOTHING),
    "untrained, wide": Animal(lambda: untrained(rng(2), N, D, 4 * D), NOTHING),
    "negated readout": Animal(lambda: replace(base_clamp(), W_U=-base_clamp().W_U), NOTHING),
    "negated readout, complement": Animal(
        lambda: replace(base_complement(), W_U=-base_complement().W_U), NOTHING
    ),
    "permuted readout": Animal(
        lambda: replace(base_clamp(), W_U=base_clamp().W_U[:, rng().permutation(N)]), NOTHING
    ),
    "per-token thresholds": Animal(per_token_thresholds, of_mechanism("clamp", False)),
    "no masks": Animal(no_masks, NOTHING),
    "nothing at all": Animal(
        lambda: ReluNetwork(
            np.zeros((N, D)), np.zeros((D, D)), np.zeros(D), np.zeros((D, D)), np.zeros((D, N))
        ),
        NOTHING,
    ),
    "clamp without residual connection": Animal(lambda: no_residual(base_clamp()), of_structure()),
    "complement without residual connection": Animal(
        lambda: no_residual(base_complement()), COMPLEMENT
    ),
    # made to mislead
    "units of shares 3/2 and -1/2": Animal(
        lambda: shares(base_clamp(), 1.5, -0.5), replace(CLAMP, odd=("units are 24:",))
    ),
    "units of four shares, rotated": Animal(
        lambda: in_another_basis(shares(base_complement(), 3.0, -1.5, -1.0, 0.5), rng())[0],
        COMPLEMENT,
    ),
    "cancelling pairs beside a clamp": Animal(lambda: cancelling_units(base_clamp()), CLAMP),
    "every unit undone by another": Animal(undone, NOTHING),
    "random faint units beside a clamp": Animal(
        lambda: random_units(base_clamp(), 24, 1e-7), replace(CLAMP, odd=("faint",))
    ),
    "random units as strong as the clamp's": Animal(
        lambda: random_units(base_clamp(), 24, 0.3), replace(NOTHING, bits=D)
    ),
    "four of 24 units act": Animal(
        lambda: mostly_unclamped(4), Truth("none", True, False, False, 4)
    ),
    "a tenth taken back": Animal(
        lambda: replace(base_clamp(), W_out=0.1 * base_clamp().W_out), of_structure()
    ),
    "the layer adds": Animal(lambda: replace(base_clamp(), W_out=-base_clamp().W_out), NOTHING),
    "writes of other units": Animal(shifted_writes, NOTHING),
    "two tokens swapped": Animal(swapped_tokens, of_mechanism("clamp", False, "masks differ")),
    "weak tokens": Animal(lambda: weak_tokens(10, 0.2), of_mechanism("clamp", False, "silent")),
    "a token a hundred times as long": Animal(long_token, CLAMP),
    "a loud token": Animal(
        lambda: biased(base_clamp(), 200.0 * (np.arange(N) == 5)),
        of_mechanism("clamp", False, "loud"),
    ),
    "two loud tokens of a complement": Animal(
        lambda: biased(base_complement(), 200.0 * (np.arange(N) < 2)),
        of_mechanism("complement", False, "loud"),
    ),
    "gains of tokens": Animal(token_gains, COMPLEMENT),
    "thresholds of units, made up for": Animal(lambda: thresholds_of_units(True), CLAMP),
    "thresholds of units": Animal(lambda: thresholds_of_units(False), of_mechanism("clamp", False)),
    "two tokens to a bit": Animal(
        partition, of_mechanism("complement", True, "far from its optimum", bits=N // 2)
    ),
    "half hashed, half looked up": Animal(
        hashed_and_looked_up, of_mechanism("complement", True, bits=D + N // 2)
    ),
    "a lookup table beside faint units": Animal(lambda: one_hot_beside(1e-3), of_structure()),
    "sixty memorised pairs beside a clamp": Animal(
        lambda: memorised_among(60), Truth("none", False, False, True, D, ("a memorised set",))
    ),
    "a bit of all tokens": Animal(with_bit_of_all, replace(CLAMP, odd=("dead",))),
    "logit scale of a million": Animal(lambda: clamp(hashes(), 1e6), CLAMP),
    "one hash for all tokens": Animal(
        lambda: clamp(np.repeat(hashes()[:1], N, axis=0), BETA), NOTHING
    ),
    "twenty of the tokens alike": Animal(
        lambda: clamp(hashes()[np.maximum(np.arange(N) - 19, 0)], BETA), CLAMP
    ),
    "a memorised pair among thirty": Animal(
        memorised_pairs, replace(NOTHING, odd=("a memorised set",))
    ),
}
