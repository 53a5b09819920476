"""How the code forms during training: what comes first, the modes, the agreement or the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs import ids
from simulate.jobs.checks import Check
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Mean
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, key, select, series_of
from simulate.jobs.tasks import Task
from simulate.network import ReluNetwork
from train.measures import seconds
from train.panels.trained import sizes
from train.training.presets import PRESETS
from train.training.recipe import Recipe, Start

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "formation"
MOMENTS = 100
INPUTS = 4096
# of the loss's fall, nearly all
MOST = 0.9


class Quantity(StrEnum):
    """What is followed, as shares; the half-way point of the first four is found."""

    KL = "kl"
    TWO_MODES = "two_modes"
    AGREEMENT = "agreement"
    ORIENTED = "oriented"
    TOTAL_VARIATION = "total_variation"
    FAILURE_RATE = "failure_rate"
    SEPARATION = "separation"
    SCORE = "score"
    DENSITY = "density"
    HALF_WAY = "half_way"
    LAG = "lag"


LABELS = {
    Quantity.KL: "loss",
    Quantity.TWO_MODES: "units with two modes",
    Quantity.AGREEMENT: "masks agree",
    Quantity.ORIENTED: "units of the mechanism",
}


class Mechanism(StrEnum):
    """Which mechanism the recipe is known to lead to."""

    CLAMP = "clamp"
    COMPLEMENT = "complement"


SOURCE = PRESETS["source"]
NETWORKS = {
    Mechanism.CLAMP: SOURCE,
    Mechanism.COMPLEMENT: replace(PRESETS["complement"], steps=8_000),
}


@dataclass(frozen=True)
class Moment:
    """A network at one step of its training; shares in [0, 1].

    kl (nats), total_variation, failure_rate: on fresh inputs. two_modes: of the units, those whose
    weights read and written have two modes each. agreement: of the entries of live units on which
    both masks agree, on a scale from 0, as after a random permutation of the tokens, to 1. score:
    as in the analysis. clamp, complement: of the units. separation: median over units of the
    distance of the modes read, in standard deviations within them, at most 1e6. density: of the
    live units' masks. 0 where no unit is live.
    """

    step: int
    kl: float
    total_variation: float
    failure_rate: float
    two_modes: float
    separation: float
    agreement: float
    score: float
    clamp: float
    complement: float
    density: float

    @property
    def oriented(self) -> float:
        """Units of the commoner orientation."""
        return max(self.clamp, self.complement)


@dataclass(frozen=True)
class Formation:
    """A training run as it was watched; no moments where it diverged."""

    mechanism: Mechanism
    recipe: Recipe
    moments: list[Moment]


@dataclass(frozen=True)
class CoursePoint(Point):
    """A quantity of one network at one step, or its half-way step or mean lag."""

    mechanism: Mechanism = key(Mechanism.CLAMP)
    quantity: Quantity = key(Quantity.KL)
    seed: int | None = key(None)


def tasks(effort: Effort) -> list[Task[Formation]]:
    """Both mechanisms with several seeds, looked at on a logarithmic scale of steps."""
    # three, so that the quick run's intervals can settle the order
    seeds = range(3 if effort is QUICK else 12 if effort is FULL else 5)
    count = 20 if effort is QUICK else MOMENTS
    made = []
    for name, recipe in NETWORKS.items():
        if effort is QUICK:
            start: Start = "clamp" if name is Mechanism.CLAMP else "gaussian"
            recipe = replace(recipe, n=128, d=48, batch=128, steps=1500, start=start)
        for seed in seeds:
            arguments = {
                "mechanism": name,
                "recipe": replace(recipe, seed=seed),
                "count": count,
            }
            cost = seconds(recipe) + count * 4e-4 * recipe.n
            at = ids.of(mechanism=name, seed=seed)
            made.append(Task(f"{NAME}/{at}", train_and_watch, arguments, cost))
    return made


def moments(steps: int, count: int) -> list[int]:
    """0 and at most `count` steps, evenly spaced in the logarithm, the last one among them."""
    spaced = np.geomspace(1, steps, count).round().astype(int)
    return [0, *(int(step) for step in np.unique(spaced))]


def train_and_watch(
    rng: np.random.Generator, mechanism: Mechanism, recipe: Recipe, count: int
) -> Formation:
    """Task: train by the recipe, looking at the network at `moments`; rng: unused."""
    from train.training.fit import DivergedError, advance, begin, judge
    from train.training.threads import one_thread

    seen = []
    with one_thread():
        try:
            state = begin(recipe)
            for step in moments(recipe.steps, count):
                advance(state, step - state.step)
                found = judge(state, INPUTS)
                network = state.model.to_network()
                assert isinstance(network, ReluNetwork)  # recipes here are of the uniform task
                seen.append(
                    look(
                        network,
                        recipe,
                        step,
                        (found.kl, found.total_variation, found.failure_rate),
                    )
                )
        except DivergedError:
            seen = []
    return Formation(mechanism, recipe, seen)


def look(
    network: ReluNetwork, recipe: Recipe, step: int, measured: tuple[float, float, float]
) -> Moment:
    """The mechanism at one moment, beside what was measured: KL, TV and failure rate."""
    from train.analysis.mechanism import agreement, score, units
    from train.reading.masks import extract

    masks = extract(network, recipe.k, recipe.c)
    agree, count = agreement(masks), units(masks)
    value, chance = agree.value, agree.shuffled
    separation = float(np.median(np.minimum(masks.read_modes.separation, 1e6)))
    above_chance = 0.0
    if value is not None and chance is not None and chance < 1.0:
        above_chance = (value - chance) / (1.0 - chance)
    return Moment(
        step,
        *measured,
        two_modes=float((masks.read_modes.two & masks.write_modes.two).mean()),
        separation=separation,
        agreement=above_chance,
        score=score(masks).value,
        clamp=count.clamp / network.h,
        complement=count.complement / network.h,
        density=float(masks.read[:, masks.live].mean()) if masks.live.any() else 0.0,
    )


def values(run: Formation, quantity: Quantity) -> np.ndarray:
    """One of the quantities over the moments.

    KL: over ln(n/k), what equal probabilities for all tokens lose, and at most 1: a large W_E
    starts from a worse output, which is soon unlearned.
    """
    found = np.array([getattr(each, quantity) for each in run.moments])
    if quantity is Quantity.KL:
        return np.minimum(found / math.log(run.recipe.n / run.recipe.k), 1.0)
    return found


def steps_of(run: Formation) -> list[int]:
    """The steps of the moments."""
    return [each.step for each in run.moments]


def step_at(step: Sequence[int], value: np.ndarray, share: float = 0.5) -> float:
    """The step at which this share of the way from the first value to the last is done for good.

    Interpolated in the logarithm of the step; the first moment after step 0 at the earliest.
    """
    at, (start, end) = np.array(step[1:], dtype=float), value[[0, -1]]
    done = (value[1:] - start) / (end - start) if end != start else np.ones(len(at))
    before = np.flatnonzero(done < share)
    if not len(before):
        return float(at[0])
    last = before[-1]
    between = (share - done[last]) / (done[last + 1] - done[last])
    return float(at[last] * (at[last + 1] / at[last]) ** between)


def half_way(run: Formation, quantity: Quantity, share: float = 0.5) -> float:
    """The step at which this share of the quantity's way is done for good."""
    return step_at(steps_of(run), values(run, quantity), share)


def lag(run: Formation, quantity: Quantity) -> float:
    """Doublings of the step from half of the loss's fall to half of the quantity's way.

    KL: to nine tenths of the loss's own.
    """
    after = half_way(run, quantity, MOST if quantity is Quantity.KL else 0.5)
    return math.log2(after / half_way(run, Quantity.KL))


def checks(results: Sequence[Formation]) -> list[Check]:
    """None: the order of events is a finding."""
    return []


_FOLLOWED = (
    *LABELS,
    Quantity.TOTAL_VARIATION,
    Quantity.FAILURE_RATE,
    Quantity.SEPARATION,
    Quantity.SCORE,
    Quantity.DENSITY,
)


def _course(run: Formation) -> list[CoursePoint]:
    def point(axis: Quantity, quantity: Quantity, x: float, y: float) -> CoursePoint:
        return CoursePoint(
            axis,
            ids.of(mechanism=run.mechanism, seed=run.recipe.seed),
            Kind.TRAINED,
            x,
            y,
            **sizes(run.recipe),
            mechanism=run.mechanism,
            quantity=quantity,
            seed=run.recipe.seed,
        )

    made = [
        point(quantity, quantity, step, y)
        for quantity in _FOLLOWED
        for step, y in zip(steps_of(run), values(run, quantity).tolist(), strict=True)
    ]
    halves = {quantity: half_way(run, quantity) for quantity in LABELS}
    return made + [point(Quantity.HALF_WAY, each, half, half) for each, half in halves.items()]


def table(results: Sequence[Formation]) -> list[CoursePoint]:
    """Every network's course, and by mechanism the mean lag behind the loss with its interval."""
    runs = [run for run in results if run.moments]
    made = [point for run in runs for point in _course(run)]
    for mechanism in NETWORKS:
        own = [run for run in runs if run.mechanism is mechanism]
        for place, quantity in enumerate(LABELS):
            if len(own) < 2:
                continue
            lags = np.array([lag(run, quantity) for run in own])
            found = Mean.of(lags).at(DRAWN_CONFIDENCE)
            made.append(
                CoursePoint(
                    Quantity.LAG,
                    ids.of(mechanism=mechanism, quantity=quantity),
                    Kind.MEAN,
                    place,
                    found.value,
                    *found.interval,
                    mechanism=mechanism,
                    quantity=quantity,
                )
            )
    return made


def draw(points: Sequence[CoursePoint]) -> Figure:
    """The courses of one mechanism on each side, and the lags behind the loss."""
    from simulate.jobs import style

    fig, (left, middle, right) = style.row_of_axes(3, style.DOUBLE_COLUMN, 2.5, (1.0, 1.0, 0.8))
    colours = dict(zip(LABELS, style.COLOURS, strict=False))
    for axes, name in ((left, Mechanism.CLAMP), (middle, Mechanism.COMPLEMENT)):
        for quantity, label in LABELS.items():
            for place, course in enumerate(
                series_of(points, axis=quantity, mechanism=name).values()
            ):
                seen = [p for p in course if p.x > 0]
                axes.plot(
                    [p.x for p in seen],
                    [p.y for p in seen],
                    color=colours[quantity],
                    linewidth=0.7,
                    label=label if place == 0 else None,
                )
        axes.set_xscale("log")
        axes.set_ylim(-0.05, 1.1)
        axes.set_xlabel("step")
        axes.set_title(name.value)
    left.set_ylabel("share")
    for offset, name, marker in ((0.1, Mechanism.CLAMP, "o"), (-0.1, Mechanism.COMPLEMENT, "s")):
        right.plot([], [], marker, color=style.GREY, markerfacecolor="white", label=name.value)
        for p in select(points, axis=Quantity.LAG, mechanism=name):
            low, high = p.low or p.y, p.high or p.y
            right.errorbar(
                [p.y],
                [offset - p.x],
                xerr=[[p.y - low], [high - p.y]],
                fmt=marker,
                color=colours[p.quantity],
                markerfacecolor="white",
                elinewidth=0.9,
                capsize=1.5,
            )
    right.axvline(0.0, color=colours[Quantity.KL], linewidth=0.9)
    places = range(len(LABELS))
    right.set_yticks([-p for p in places], ["loss, 9/10", "two modes", "agreement", "units"])
    right.set_ylim(-len(LABELS) + 0.5, 0.5)
    right.set_xlabel("doublings after the loss")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    handles, names = left.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=len(LABELS))
    return fig


PANEL = Panel(
    NAME,
    "The loss has fallen by half before half of the code is there. Each line is a network of "
    f"preset `source` or `complement` (n={SOURCE.n}, d=h={SOURCE.d}, k={SOURCE.k}). The loss is "
    "relative to that of equal probabilities, the agreement of the masks to that of shuffled "
    "tokens. Right: doublings of the step since then, as means with 95 % intervals.",
    tasks,
    checks,
    table,
    draw,
)
