"""The search for two-level directions beside its controls, and what may be said after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from simulate.jobs.intervals import ClusteredCount
from train.readout.control_searches import (
    BEST,
    DENSITIES,
    Control,
    Null,
    Outcome,
    Planted,
    control_jobs,
)
from train.readout.parts import Parts, fingerprint
from train.readout.search import Climbs, best_threshold, climbs
from train.readout.whiten import Whitened, whiten

# the search is said to see a density from this power on
SEEN = 0.5
MOST_DIRECTIONS = 64
CONFIDENCE = 0.95
# multiplications of one search, and its starts within these bounds
_WORK = 1.4e12
_FEWEST_STARTS, _MOST_STARTS = 250, 2000


class Verdict(StrEnum):
    """Whether two-level directions were found, or would have been."""

    FOUND = "found"
    NOT_FOUND = "not found"
    NO_POWER = "no power"


@dataclass(frozen=True)
class Direction:
    """A direction along which the tokens have two levels, or come close.

    explained: share of the held-out variance that two levels explain. density: share of the tokens
    on the smaller level. valley: held-out tokens midway for each on the smaller level. tokens: of
    the smaller level, some that are typical: their vocabulary, or indices.
    """

    explained: float
    density: float
    valley: float
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class Power:
    """Share of planted masks of one density that are found again, with its 95 % interval.

    power: the smaller of the two kinds of planting. code: of whole codes. within: of masks within
    the model's own tokens. The interval is that of independent searches, whose masks may be found
    or lost together (Korn & Graubard 1998). searches: how many; 1 in results from before, whose
    interval takes the masks of one code as independent.
    """

    density: float
    power: float
    code: float
    within: float
    low: float
    high: float
    planted: int
    searches: int = 1


@dataclass(frozen=True)
class TwoLevel:
    """The answer for one model. directions: those that pass, distinct, best first.

    groups: into how many groups they part the tokens, together; a code that tells tokens apart
    has about as many as tokens. near: the best directions, whether they pass or not.
    """

    n: int
    d: int
    starts: int
    verdict: Verdict
    sentence: str
    directions: tuple[Direction, ...]
    groups: int
    near: tuple[Direction, ...]
    power: tuple[Power, ...]
    nulls: tuple[Null, ...]
    planted: tuple[Planted, ...]


def starts_for(n: int, d: int) -> int:
    """How many starts a search affords: the same work for every model, within bounds."""
    return int(np.clip(_WORK / (56.0 * n * d), _FEWEST_STARTS, _MOST_STARTS))


@dataclass(frozen=True)
class OfModel:
    """The model's own search; see `TwoLevel`."""

    directions: tuple[Direction, ...]
    groups: int
    near: tuple[Direction, ...]


def search_with_controls(
    vectors: Float[np.ndarray, "n d"],
    seed: int = 0,
    starts: int | None = None,
    jobs: int | None = None,
    vocabulary: Sequence[str] = (),
    progress: Callable[[str], None] = lambda text: None,
    parts: Parts | None = None,
) -> TwoLevel:
    """Search the model, its nulls and its planted controls, with the same effort each.

    Deterministic by `seed` whatever the number of jobs. parts: keeps finished searches. The
    verdict is that of every invertible linear map of the vectors, but for rounding. Raises
    DomainError for fewer than 10 tokens.
    """
    n, d = vectors.shape
    starts = starts_for(n, d) if starts is None else starts
    parts = parts or Parts(None, False)
    with threadpool_limits(1):
        tokens = whiten(np.random.default_rng([seed, 0]), vectors)

        def search_model() -> OfModel:
            return _of_model(tokens, np.random.default_rng([seed, 1]), starts, vocabulary)

        inputs = fingerprint(vectors, seed, starts)
        model = parts.get("model", OfModel, search_model, inputs, vocabulary)
        progress(f"the model: {len(model.directions)} two-level directions")
        searches = list(control_jobs(tokens, starts))

        def run(index: int) -> Outcome:
            rng = np.random.default_rng([seed, 2, index])
            return parts.get(
                f"control_{index}", Outcome, lambda: searches[index].run(rng), inputs, index
            )

        outcomes = _outcomes([search.name for search in searches], run, jobs, progress)
    nulls = tuple(null for each in outcomes for null in each.nulls)
    planted = tuple(masks for each in outcomes for masks in each.planted)
    powers = tuple(power_at(density, planted) for density in DENSITIES)
    false_alarms = max(null.searched.directions for null in nulls)
    verdict, sentence = judged(len(model.directions), false_alarms, powers)
    return TwoLevel(
        n,
        d,
        starts,
        verdict,
        sentence,
        model.directions,
        model.groups,
        model.near,
        powers,
        nulls,
        planted,
    )


def _of_model(
    tokens: Whitened, rng: np.random.Generator, starts: int, vocabulary: Sequence[str]
) -> OfModel:
    found = climbs(rng, tokens, starts)
    kept = found.distinct(MOST_DIRECTIONS, found=True)
    white = tokens.all
    return OfModel(
        _directions(white, found, kept, vocabulary),
        _groups(white @ found.directions[:, kept]),
        _directions(white, found, found.distinct(BEST), vocabulary),
    )


def judged(directions: int, false_alarms: int, powers: Sequence[Power]) -> tuple[Verdict, str]:
    """The verdict and its sentence; a find counts where no null has as many."""
    if directions > false_alarms:
        return Verdict.FOUND, Verdict.FOUND.value
    seen = [power for power in powers if power.power >= SEEN]
    if not seen:
        return Verdict.NO_POWER, Verdict.NO_POWER.value
    least = min(power.power for power in seen)
    listed = ", ".join(f"{100.0 * power.density:g}" for power in seen)
    return (
        Verdict.NOT_FOUND,
        f"{Verdict.NOT_FOUND.value} (power {least:.2f} at densities {listed} %)",
    )


def _outcomes(
    names: Sequence[str],
    run: Callable[[int], Outcome],
    jobs: int | None,
    progress: Callable[[str], None],
) -> list[Outcome]:
    """Every search's outcome in order; arrays leave Python's lock, so threads are enough."""
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = {pool.submit(run, index): name for index, name in enumerate(names)}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                progress(f"{done} of {len(names)} controls: {futures[future]}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def power_at(density: float, planted: Sequence[Planted]) -> Power:
    """Power at one density, of all searches for planted masks; at least two of each kind."""
    code, within = (
        [each for each in planted if each.control is control and each.density == density]
        for control in (Control.CODE, Control.WITHIN)
    )
    weakest = min(code, within, key=_share)
    # every search of a kind plants as many masks of the density
    hits, trials = [each.recovered for each in weakest], weakest[0].planted
    estimate = ClusteredCount(hits, trials).at(CONFIDENCE)
    return Power(
        density,
        estimate.value,
        _share(code),
        _share(within),
        *estimate.interval,
        trials * len(hits),
        len(hits),
    )


def _share(searches: Sequence[Planted]) -> float:
    return sum(each.recovered for each in searches) / sum(each.planted for each in searches)


def _directions(
    white: np.ndarray, found: Climbs, kept: np.ndarray, vocabulary: Sequence[str]
) -> tuple[Direction, ...]:
    return tuple(
        Direction(
            float(found.explained[index]),
            float(found.density[index]),
            float(found.valley[index]),
            _typical(white @ found.directions[:, index], vocabulary),
        )
        for index in kept
    )


def _typical(values: np.ndarray, vocabulary: Sequence[str], most: int = 12) -> tuple[str, ...]:
    """Tokens nearest to the mean of the smaller side."""
    side = _bits(values)
    smaller = side if 2 * side.sum() <= side.size else ~side
    if not smaller.any():
        return ()
    distance = np.where(smaller, np.abs(values - values[smaller].mean()), np.inf)
    nearest = np.argsort(distance, kind="stable")[: min(most, int(smaller.sum()))]
    return tuple(vocabulary[token] if vocabulary else str(token) for token in nearest)


def _bits(values: np.ndarray) -> np.ndarray:
    return values > best_threshold(values.reshape(len(values), -1)).reshape(values.shape[1:])


def _groups(values: np.ndarray) -> int:
    return len(np.unique(_bits(values), axis=0)) if values.shape[1] else 1
