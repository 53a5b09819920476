"""Numbers that the page recomputes: each names a function of the page, its arguments, its value.

The values come from theory/ and simulate/, so a page that agrees with them agrees with the suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from theory import false_positives, quenched, union_size, width

if TYPE_CHECKING:
    from simulate.network import ReluNetwork
    from train.reading.weights import Weights

# small, odd, typical and extreme sizes: n, k, d, m
SIZES = (
    (4, 2, 5, 2),
    (2, 2, 3, 1),
    (9, 1, 7, 7),
    (48, 3, 32, 7),
    (512, 3, 64, 12),
    (512, 12, 128, 8),
    (300, 5, 128, 64),
    (512, 2, 256, 96),
)
PROPORTIONS = ((0, 1), (1, 1), (0, 100), (3, 100), (100, 100), (231, 1000), (12, 250_000))
SEED = 8


@dataclass(frozen=True)
class Golden:
    """name: of the page's function. given: its arguments. expected: a number, or nested lists."""

    name: str
    given: Mapping[str, object]
    expected: object


def golden_numbers(weights: Weights | None = None) -> list[Golden]:
    """Data for JSON; with weights, also the forward pass of that network in float64."""
    records = [*_theory(), *_intervals(), *_quenched(), *_constructions()]
    if weights is not None:
        records += _forward_passes(weights.relu_network, int(weights.metadata["k"]))
    return records


def _record(name: str, given: Mapping[str, object], expected: ArrayLike) -> Golden:
    return Golden(name, given, np.asarray(expected, dtype=float).tolist())


def _theory() -> Iterator[Golden]:
    for n, k, d, m in SIZES:
        code = {"k": k, "d": d, "m": m}
        yield _record("union_size_law", code, union_size.union_size_law(k, d, m))
        w = min(d, m + (d - m) // 2)
        missing = union_size.missing_bits_given_union(d, m, np.array([w]))[0]
        yield _record("missing_bits_given_union", {"d": d, "m": m, "w": w}, missing)
        yield _record("false_positive_rate", code, false_positives.false_positive_rate(k, d, m))
        yield _record("classic", code, false_positives.classic(k, d, m))
        failure = false_positives.failure_probability(n, k, d, m)
        yield _record("failure_probability", {"n": n, **code}, failure)
        if n > k > 1:  # one token read: m and d - m tie
            best = width.optimal_hashes_for_failure(n, k, d)
            yield _record("optimal_hashes_for_failure", {"n": n, "k": k, "d": d}, best)


def _intervals() -> Iterator[Golden]:
    from simulate.jobs.intervals import proportion

    for successes, trials in PROPORTIONS:
        for confidence in (0.95, 0.999):
            interval = proportion(successes, trials, confidence).interval
            given = {"successes": successes, "trials": trials, "confidence": confidence}
            yield _record("proportion", given, interval)


def _bits(hashes: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in hashes]


def _quenched() -> Iterator[Golden]:
    from simulate.sampling import random_hashes

    rng = np.random.default_rng(SEED)
    for n, k, d, m in ((4, 2, 5, 2), (12, 4, 40, 9), (30, 3, 16, 4)):
        hashes = random_hashes(rng, n, d, m)
        hashes[0, :2] = False  # tokens need not own equally many bits
        given = {"bits": _bits(hashes), "d": d, "k": k}
        failure = quenched.failure_probability(hashes, k)
        yield _record("quenched_failure_probability", given, float(failure))
        expected = quenched.expected_false_positives(hashes, k)
        yield _record("quenched_expected_false_positives", given, float(expected))


def _constructions() -> Iterator[Golden]:
    """Logits, then probabilities, then TV and KL, of one input."""
    from scipy.special import softmax

    from simulate.constructions import clamp, complement
    from simulate.network import divergence
    from simulate.sampling import random_coefficients, random_hashes, random_sets

    rng = np.random.default_rng(SEED)
    for n, k, d, m, beta in ((6, 2, 7, 3, 1.0), (40, 3, 20, 4, 2.5), (64, 12, 48, 5, 4.0)):
        hashes = random_hashes(rng, n, d, m)
        tokens = np.sort(random_sets(rng, 1, n, k), axis=1)
        alpha = random_coefficients(rng, 1, k, 2.0)
        for mechanism, make in (("clamp", clamp), ("complement", complement)):
            logits = make(hashes, beta).logits(tokens, alpha)
            distance = divergence(logits, tokens)
            values = [*logits[0], *softmax(logits[0]), *distance.total_variation, *distance.kl]
            given = {
                "bits": _bits(hashes),
                "d": d,
                "tokens": tokens[0].tolist(),
                "alpha": alpha[0].tolist(),
                "beta": beta,
                "mechanism": mechanism,
            }
            yield _record("construction", given, values)


def _forward_passes(network: ReluNetwork, k: int) -> Iterator[Golden]:
    """Hidden activations, then logits, then probabilities, of two inputs; what failing means."""
    from scipy.special import softmax

    from simulate.sampling import random_coefficients, random_sets
    from train.reading.failure import failure_threshold

    yield _record("failure_threshold", {"k": k}, failure_threshold(k))

    wide = in_float64(network)
    rng = np.random.default_rng(SEED)
    tokens = random_sets(rng, 2, network.n, k)
    alpha = random_coefficients(rng, 2, k, 2.0)
    x = wide.residual(tokens, alpha)
    hidden = np.maximum(x @ wide.W_in + wide.b_in, 0.0)
    logits = wide.logits(tokens, alpha)
    for i in range(len(tokens)):
        given = {"tokens": tokens[i].tolist(), "alpha": alpha[i].tolist()}
        values = [*hidden[i], *logits[i], *softmax(logits[i])]
        yield _record("trained", given, values)


def in_float64(network: ReluNetwork) -> ReluNetwork:
    """The network with its weights rounded to float32, as the page has them, run in float64."""
    tensors = ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
    wide = {
        name: tensor.astype(np.float32).astype(np.float64)
        for name in tensors
        if (tensor := getattr(network, name)) is not None
    }
    return replace(network, **wide)
