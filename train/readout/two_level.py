"""The search for two-level directions beside its controls, and what may be said after it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from simulate.jobs.intervals import proportion
from train.readout import controls
from train.readout.parts import Parts, fingerprint
from train.readout.search import Climbs, best_threshold, climbs
from train.readout.whiten import Whitened, whiten

DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
NOISES = (0.1, 0.2, 0.3)
CODE_NOISE = 0.2
OVERCOMPLETE = (1.25, 1.5)
OVERCOMPLETE_DENSITY = 0.1
# the search is said to see a density from this power on
SEEN = 0.5
MOST_DIRECTIONS = 64
BEST = 10
CONFIDENCE = 0.95
# multiplications of one search, and its starts within these bounds
_WORK = 1.4e12
_FEWEST_STARTS, _MOST_STARTS = 250, 2000
_EVERY_MASK = 2


class Verdict(StrEnum):
    """Whether two-level directions were found, or would have been."""

    FOUND = "found"
    NOT_FOUND = "not found"
    NO_POWER = "no power"


class Control(StrEnum):
    """What is searched beside the model."""

    GAUSSIAN = "gaussian"
    SHUFFLED = "shuffled"
    COVARIANCE_MATCHED = "covariance_matched"
    CODE = "code"
    WITHIN = "within"
    OVERCOMPLETE = "overcomplete"


NULLS = (Control.GAUSSIAN, Control.SHUFFLED, Control.COVARIANCE_MATCHED)


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
class Searched:
    """One search. best: the largest explained shares, whether they pass or not."""

    directions: int
    best: tuple[float, ...]
    converged: float


@dataclass(frozen=True)
class Null:
    """What the search finds where nothing is: two-level directions, and the best explained."""

    control: Control
    searched: Searched


@dataclass(frozen=True)
class Planted:
    """Masks of one density that were planted, and how many of them were found again.

    control: a whole code of d masks, masks within the model's own tokens, or a code of more masks
    than dimensions, `bits`. noise: standard deviation relative to a mask's own.
    """

    control: Control
    density: float
    noise: float
    bits: int
    planted: int
    recovered: int

    @property
    def power(self) -> float:
        return self.recovered / self.planted


@dataclass(frozen=True)
class Power:
    """Share of planted masks of one density that are found again, with its 95 % interval.

    power: the smaller of the two kinds of planting. code: of whole codes. within: of masks within
    the model's own tokens.
    """

    density: float
    power: float
    code: float
    within: float
    low: float
    high: float
    planted: int


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


@dataclass(frozen=True)
class Outcome:
    """Of one search beside the model's: a null, or planted masks by density."""

    nulls: tuple[Null, ...] = ()
    planted: tuple[Planted, ...] = ()


@dataclass(frozen=True)
class _Job:
    """A search beside the model's, by what it is of."""

    name: str
    run: Callable[[np.random.Generator], Outcome]


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
        searches = list(_jobs(tokens, starts))

        def run(index: int) -> Outcome:
            rng = np.random.default_rng([seed, 2, index])
            return parts.get(
                f"control_{index}", Outcome, lambda: searches[index].run(rng), inputs, index
            )

        outcomes = _outcomes([search.name for search in searches], run, jobs, progress)
    nulls = tuple(null for each in outcomes for null in each.nulls)
    planted = tuple(masks for each in outcomes for masks in each.planted)
    powers = tuple(_power(density, planted) for density in DENSITIES)
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


def _jobs(tokens: Whitened, starts: int) -> Iterator[_Job]:
    n, d = len(tokens.tokens), tokens.search.shape[1]
    white = tokens.all
    matrices: dict[Control, Callable[[np.random.Generator], np.ndarray]] = {
        Control.GAUSSIAN: lambda rng: controls.gaussian(rng, n, d),
        Control.SHUFFLED: lambda rng: controls.shuffled(rng, white),
        Control.COVARIANCE_MATCHED: lambda rng: controls.covariance_matched(rng, white),
    }
    for control, make in matrices.items():
        yield _Job(control.value, partial(_search_null, control, make, starts))

    def code(density: float, bits: int, control: Control) -> _Job:
        return _Job(
            f"{control.value} of {100.0 * density:g} %",
            partial(
                _search_planted,
                control,
                (density,) * bits,
                CODE_NOISE,
                n,
                lambda rng, masks: controls.mask_code(rng, masks, d, CODE_NOISE),
                starts,
            ),
        )

    for density in DENSITIES:
        yield code(density, d, Control.CODE)
    for ratio in OVERCOMPLETE:
        yield code(OVERCOMPLETE_DENSITY, math.ceil(ratio * d), Control.OVERCOMPLETE)
    # as many at once as leave the model's own tokens most of their directions
    planted = DENSITIES * _EVERY_MASK
    at_once = min(len(planted), max(1, d // 4))
    for noise in NOISES:
        for first in range(0, len(planted), at_once):
            yield _Job(
                f"within the model, noise {noise:g}",
                partial(
                    _search_planted,
                    Control.WITHIN,
                    planted[first : first + at_once],
                    noise,
                    n,
                    partial(_within, white, noise),
                    starts,
                ),
            )


def _within(
    white: np.ndarray, noise: float, rng: np.random.Generator, masks: np.ndarray
) -> np.ndarray:
    return controls.planted_within(rng, white, masks, noise)


def _searched(found: Climbs) -> Searched:
    best = found.explained[found.distinct(BEST)]
    return Searched(
        int(found.distinct(found.explained.size, found=True).size),
        tuple(round(float(each), 4) for each in best),
        float(found.two_level.mean()),
    )


def _search_null(
    control: Control,
    make: Callable[[np.random.Generator], np.ndarray],
    starts: int,
    rng: np.random.Generator,
) -> Outcome:
    tokens = whiten(rng, make(rng))
    return Outcome(nulls=(Null(control, _searched(climbs(rng, tokens, starts))),))


def _search_planted(
    control: Control,
    densities: Sequence[float],
    noise: float,
    n: int,
    make: Callable[[np.random.Generator, np.ndarray], np.ndarray],
    starts: int,
    rng: np.random.Generator,
) -> Outcome:
    masks = controls.random_masks(rng, n, densities)
    tokens = whiten(rng, make(rng, masks))
    again = controls.recovered(tokens, climbs(rng, tokens, starts), masks)
    each = np.array(densities)
    planted = tuple(
        Planted(
            control,
            density,
            noise,
            len(densities),
            int((each == density).sum()),
            int(again[each == density].sum()),
        )
        for density in dict.fromkeys(densities)
    )
    return Outcome(planted=planted)


def _power(density: float, planted: Sequence[Planted]) -> Power:
    shares: dict[Control, tuple[int, int]] = {}
    for control in (Control.CODE, Control.WITHIN):
        those = [p for p in planted if p.control is control and p.density == density]
        shares[control] = (sum(p.recovered for p in those), sum(p.planted for p in those))
    weakest = min(shares.values(), key=lambda counts: counts[0] / counts[1])
    estimate = proportion(*weakest, CONFIDENCE)
    code, within = (hits / trials for hits, trials in shares.values())
    return Power(density, estimate.value, code, within, *estimate.interval, weakest[1])


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
