"""Natural outputs: do their logits have levels, and how many tokens do they put mass on?

A Bloom filter's logits lie on a ladder: members on one rung, strangers by missing bits below. So
the spacings between successive logits are mostly zero with few large steps, and members are parted
from the rest. For a smooth tail, the spacing below rank r times r is exponential (Renyi 1953).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from simulate.jobs.table import Named
from simulate.sampling import random_hashes, random_sets
from theory.softmax_output import sufficient_beta
from train.readout.controls import CODE_NOISE
from train.readout.files import Readout
from train.readout.ideal import largest_free_set

# ranks whose spacings are taken, and the mass of the nucleus
RANKS = 50
NUCLEUS = 0.9
LEAKAGE = 0.1
_AT_ONCE = 64


class Whose(Named):
    """Whose outputs they are."""

    MODEL = "model"
    BLOOM = "bloom", "Bloom filter"
    DENSE = "dense_code", "dense code"
    # last, so that it takes none of the others' random numbers
    NOISY_BLOOM = "noisy_bloom", "Bloom filter with noise"


@dataclass(frozen=True)
class Outputs:
    """Medians over outputs, unless said otherwise.

    spacing_cv: coefficient of variation of r (logit_r - logit_(r+1)) over ranks and outputs, 1 for
    a smooth exponential tail. gap: largest of those of one output over their sum. slope: of log
    probability against log rank, over the first 50 ranks. nucleus: fewest tokens with 90 % of the
    mass. nucleus_tv: total variation between the output on its nucleus and uniform. effective_k:
    perplexity of the output; its 5 % and 95 % quantiles beside it.
    """

    name: Whose
    count: int
    spacing_cv: float
    gap: float
    slope: float
    nucleus: float
    nucleus_tv: float
    effective_k: float
    effective_k_low: float
    effective_k_high: float


@dataclass(frozen=True)
class NaturalOutputs:
    """The model's outputs beside a Bloom filter's and a dense code's of the same n, d and k.

    And a Bloom filter's with noise on its readout, as much as on the planted masks; results from
    before it was measured have no such entry. k: the median effective k, rounded, at least 2.
    capacity: k* of the theory at (n, d). within_capacity: share of outputs whose effective k is at
    most that.
    """

    k: int
    m: int
    capacity: int
    within_capacity: float
    outputs: tuple[Outputs, ...]

    def of(self, whose: Whose) -> Outputs:
        """Those of the model or of a control."""
        return next(each for each in self.outputs if each.name == whose)


def natural_outputs(
    rng: np.random.Generator, readout: Readout, states: Float[np.ndarray, "T d"], most: int = 1000
) -> NaturalOutputs:
    """Measure at most so many random states, and 200 inputs of each control."""
    n, d = readout.n, readout.d
    if len(states) > most:
        states = states[np.sort(rng.choice(len(states), most, replace=False))]
    measures = [
        _measures(states[first : first + _AT_ONCE] @ readout.vectors.T + readout.bias)
        for first in range(0, len(states), _AT_ONCE)
    ]
    model = _joined(Whose.MODEL, measures)
    effective = np.concatenate([each.effective_k for each in measures])
    k = int(np.clip(round(model.effective_k), 2, n // 2))
    # half of the bits are then in the union, which is near the best
    m = max(1, min(d, round(d * math.log(2.0) / k)))
    capacity = largest_free_set(n, d)
    return NaturalOutputs(
        k,
        m,
        capacity,
        float((effective <= capacity).mean()),
        (
            model,
            _bloom(rng, Whose.BLOOM, n, k, d, m),
            _dense(rng, n, k, d),
            _bloom(rng, Whose.NOISY_BLOOM, n, k, d, m, CODE_NOISE),
        ),
    )


@dataclass(frozen=True)
class _Measures:
    spacings: np.ndarray
    gap: np.ndarray
    slope: np.ndarray
    nucleus: np.ndarray
    nucleus_tv: np.ndarray
    effective_k: np.ndarray


def _measures(logits: Float[np.ndarray, "T n"]) -> _Measures:
    ordered = -np.sort(-logits.astype(np.float64), axis=1)
    ranks = min(RANKS, ordered.shape[1] - 1)
    weighted = np.arange(1, ranks + 1) * (ordered[:, :ranks] - ordered[:, 1 : ranks + 1])
    p = np.exp(ordered - ordered[:, :1])
    p /= p.sum(axis=1, keepdims=True)
    mass = np.cumsum(p, axis=1)
    size = 1 + (mass < NUCLEUS).sum(axis=1)
    size = np.minimum(size, p.shape[1])
    place = np.arange(p.shape[1])
    inside = place < size[:, None]
    share = np.where(inside, p, 0.0) / mass[np.arange(len(p)), size - 1][:, None]
    apart = np.abs(np.where(inside, share - 1.0 / size[:, None], 0.0)).sum(axis=1) / 2.0
    entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)
    x = np.log(np.arange(1, ranks + 1))
    x -= x.mean()
    log_p = np.log(np.maximum(p[:, :ranks], 1e-300))
    return _Measures(
        weighted,
        weighted.max(axis=1) / np.maximum(weighted.sum(axis=1), 1e-300),
        (log_p @ x) / float(x @ x),
        size.astype(np.float64),
        apart,
        np.exp(entropy),
    )


def _joined(name: Whose, parts: list[_Measures]) -> Outputs:
    def median(field: str) -> float:
        return float(np.median(np.concatenate([getattr(part, field) for part in parts])))

    spacings = np.concatenate([part.spacings for part in parts])
    # each output by its own mean, so that only the shape counts
    relative = spacings / np.maximum(spacings.mean(axis=1, keepdims=True), 1e-300)
    effective = np.concatenate([part.effective_k for part in parts])
    return Outputs(
        name,
        len(spacings),
        float(relative.std() / max(float(relative.mean()), 1e-300)),
        median("gap"),
        median("slope"),
        median("nucleus"),
        median("nucleus_tv"),
        median("effective_k"),
        float(np.quantile(effective, 0.05)),
        float(np.quantile(effective, 0.95)),
    )


def _bloom(
    rng: np.random.Generator,
    whose: Whose,
    n: int,
    k: int,
    d: int,
    m: int,
    noise: float = 0.0,
    count: int = 200,
) -> Outputs:
    """Logits -beta times missing bits, of random hashes with m of d bits.

    noise: of the readout's entries, relative to the standard deviation of a bit. The residual is
    the one without noise: beta on the bits that are in no member's hash.
    """
    hashes = random_hashes(rng, n, d, m).astype(np.float32)
    readout = hashes
    if noise:
        spread = noise * math.sqrt(m / d * (1.0 - m / d))
        readout = hashes + spread * rng.standard_normal(hashes.shape, dtype=np.float32)
    beta = sufficient_beta(n, k, LEAKAGE)
    sets = random_sets(rng, count, n, k)
    parts = []
    for first in range(0, count, _AT_ONCE):
        union = hashes[sets[first : first + _AT_ONCE]].max(axis=1)
        parts.append(_measures(-beta * (1.0 - union) @ readout.T))
    return _joined(whose, parts)


def _dense(rng: np.random.Generator, n: int, k: int, d: int, count: int = 200) -> Outputs:
    """Logits beta w_i (sum of the members' w), of random unit vectors; the same beta."""
    vectors = rng.standard_normal((n, d), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    beta = sufficient_beta(n, k, LEAKAGE)
    sets = random_sets(rng, count, n, k)
    parts = [
        _measures(beta * vectors[sets[first : first + _AT_ONCE]].sum(axis=1) @ vectors.T)
        for first in range(0, count, _AT_ONCE)
    ]
    return _joined(Whose.DENSE, parts)
