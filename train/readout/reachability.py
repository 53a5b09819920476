"""Which sets of tokens an ideal residual would put on top, beside what random codes allow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from simulate.jobs.intervals import proportion
from simulate.jobs.table import Named
from train.readout import controls
from train.readout.files import Readout
from train.readout.ideal import Uniformity, largest_free_set, most_uniform, reach

SHARES = (0.25, 0.5, 0.75, 1.0, 1.25)
CONFIDENCE = 0.95
# n d up to which eight sets are tried at each k; above, two, and fewer k
_SMALL = 2_000_000
_SHARES_OF_LARGE = (0.25, 0.75, 1.0, 1.25)
_UNIFORM_KS = (2, 4, 8, 16)
_FREQUENT = 10


class Sets(Named):
    """What the sets are of: the model's tokens, chosen in three ways, or random ones of a code."""

    RANDOM = "random_tokens", "random tokens"
    FREQUENT = "frequent_tokens", "often predicted tokens"
    TOGETHER = "tokens_predicted_together", "tokens predicted together"
    GAUSSIAN = "gaussian_code", "Gaussian code"
    MASKS = "random_masks", "random masks"


@dataclass(frozen=True)
class Reachable:
    """How many sets of k tokens some h puts on top; 95 % Clopper-Pearson interval of the share."""

    sets: Sets
    k: int
    tried: int
    reached: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.reached / self.tried


@dataclass(frozen=True)
class UniformOn:
    """The output nearest to uniform on one random set of k tokens, at the model's own length."""

    sets: Sets
    k: int
    found: Uniformity


@dataclass(frozen=True)
class IdealResidual:
    """k_star: largest random set that is reached in a Gaussian code, by the theory. length: of h,
    the median of the states, or sqrt(d) behind a norm whose gain is folded; 0 where neither is."""

    k_star: int
    length: float
    reachable: tuple[Reachable, ...]
    uniform: tuple[UniformOn, ...]


def ideal_residual(
    rng: np.random.Generator,
    readout: Readout,
    states: Float[np.ndarray, "T d"] | None,
    progress: Callable[[str], None] = lambda text: None,
) -> IdealResidual:
    """Try sets of sizes around k*, of the model and of two random codes of the same n and d."""
    n, d = readout.n, readout.d
    k_star = largest_free_set(n, d)
    small = n * d <= _SMALL
    shares, tries = (SHARES, 8) if small else (_SHARES_OF_LARGE, 2)
    sizes = sorted({min(n // 2, max(1, round(share * k_star))) for share in shares})
    masks = controls.random_masks(rng, n, (0.1,) * d).astype(np.float32)
    codes = {Sets.GAUSSIAN: controls.gaussian(rng, n, d), Sets.MASKS: masks}
    found = []
    for kind, draw in _draws(rng, readout, states).items():
        vectors = codes.get(kind, readout.vectors)
        for k in sizes:
            reached = sum(reach(vectors, draw(k)).reachable for _ in range(tries))
            low, high = proportion(reached, tries, CONFIDENCE).interval
            found.append(Reachable(kind, k, tries, reached, low, high))
            progress(f"{kind.value}: {reached} of {tries} sets of {k} can be on top")
    length = own_length(readout, states)
    uniform = tuple(_uniform(rng, readout, codes[Sets.GAUSSIAN], length)) if length else ()
    return IdealResidual(k_star, length, tuple(found), uniform)


def own_length(readout: Readout, states: Float[np.ndarray, "T d"] | None) -> float:
    """The median length of the states, or what a norm before the readout makes of it."""
    if states is not None and len(states):
        return float(np.median(np.linalg.norm(states, axis=1)))
    return math.sqrt(readout.d) if readout.gain_folded else 0.0


def _draws(
    rng: np.random.Generator, readout: Readout, states: np.ndarray | None
) -> dict[Sets, Callable[[int], Int[np.ndarray, " k"]]]:
    """How sets of k tokens are drawn; those of predictions where there are states."""

    def anyone(k: int) -> np.ndarray:
        return rng.choice(readout.n, size=k, replace=False)

    draws: dict[Sets, Callable[[int], np.ndarray]] = {Sets.RANDOM: anyone}
    if states is not None:
        predicted = np.concatenate(
            [
                (states[first : first + 64] @ readout.vectors.T + readout.bias).argmax(axis=1)
                for first in range(0, len(states), 64)
            ]
        )
        tokens, counts = np.unique(predicted, return_counts=True)
        by_count = tokens[np.argsort(-counts, kind="stable")]

        def often(k: int) -> np.ndarray:
            return rng.choice(by_count[: max(k, min(len(by_count), _FREQUENT * k))], k, False)

        def together(k: int) -> np.ndarray:
            first = int(rng.integers(len(predicted)))
            _, places = np.unique(np.roll(predicted, -first), return_index=True)
            return np.roll(predicted, -first)[np.sort(places)[:k]]

        if len(tokens) >= 2 * max(1, round(max(SHARES) * largest_free_set(readout.n, readout.d))):
            draws |= {Sets.FREQUENT: often, Sets.TOGETHER: together}
    return draws | {Sets.GAUSSIAN: anyone, Sets.MASKS: anyone}


def _uniform(
    rng: np.random.Generator, readout: Readout, gaussian: np.ndarray, length: float
) -> Iterator[UniformOn]:
    """Beside a Gaussian code whose vectors are as long as the model's, on average."""
    centred = readout.vectors - readout.vectors.mean(axis=0)
    scale = math.sqrt(float((centred**2).mean(dtype=np.float64)))
    for k in _UNIFORM_KS:
        if k >= readout.n // 2:
            break
        members = rng.choice(readout.n, size=k, replace=False)
        found = most_uniform(readout.vectors, readout.bias, members, length)
        yield UniformOn(Sets.RANDOM, k, found)
        beside = most_uniform(
            gaussian * np.float32(scale), np.zeros_like(readout.bias), members, length
        )
        yield UniformOn(Sets.GAUSSIAN, k, beside)
