"""The searches beside the model's: of nulls, where nothing is, and of masks that were planted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from train.readout import controls
from train.readout.controls import CODE_NOISE
from train.readout.search import Climbs, climbs
from train.readout.whiten import Whitened, whiten

DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
NOISES = (0.1, 0.2, 0.3)
OVERCOMPLETE = (1.25, 1.5)
OVERCOMPLETE_DENSITY = 0.1
BEST = 10
# whole codes planted of each density: their masks are found or lost together
CODES = 2
_EVERY_MASK = 2


class Control(StrEnum):
    """What is searched beside the model."""

    GAUSSIAN = "gaussian"
    SHUFFLED = "shuffled"
    COVARIANCE_MATCHED = "covariance_matched"
    CODE = "code"
    WITHIN = "within"
    OVERCOMPLETE = "overcomplete"


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
class Outcome:
    """Of one search beside the model's: a null, or planted masks by density."""

    nulls: tuple[Null, ...] = ()
    planted: tuple[Planted, ...] = ()


@dataclass(frozen=True)
class Job:
    """A search beside the model's, by what it is of."""

    name: str
    run: Callable[[np.random.Generator], Outcome]


def control_jobs(tokens: Whitened, starts: int) -> Iterator[Job]:
    """All searches beside the model's, with as many starts each."""
    n, d = len(tokens.tokens), tokens.search.shape[1]
    white = tokens.all
    matrices: dict[Control, Callable[[np.random.Generator], np.ndarray]] = {
        Control.GAUSSIAN: lambda rng: controls.gaussian(rng, n, d),
        Control.SHUFFLED: lambda rng: controls.shuffled(rng, white),
        Control.COVARIANCE_MATCHED: lambda rng: controls.covariance_matched(rng, white),
    }
    for control, make in matrices.items():
        yield Job(control.value, partial(_search_null, control, make, starts))

    def code(density: float, bits: int, control: Control) -> Job:
        return Job(
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
    # as many at once as leave the model's own tokens most of their directions, and each density
    # as often in every search
    planted = DENSITIES * _EVERY_MASK
    room = max(1, d // 4)
    at_once = len(planted) if room >= len(planted) else min(len(DENSITIES), room)
    for noise in NOISES:
        for first in range(0, len(planted), at_once):
            yield Job(
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
    # last, so that the others' random numbers do not depend on how many there are
    for _ in range(1, CODES):
        for density in DENSITIES:
            yield code(density, d, Control.CODE)


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
