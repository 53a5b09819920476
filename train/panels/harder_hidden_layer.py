"""The harder task's hidden layer beside the uniform task's, by the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from simulate.jobs.checks import Check
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, key, select, ys
from simulate.jobs.tasks import Task
from train.analysis.mechanism import Verdict
from train.panels.analysed import AnalysedNetwork, Dissection, analysed_task, dissected
from train.panels.trained import behaviour, mean_point, mechanism, sizes
from train.training.presets import PRESETS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "harder_hidden_layer"
HARDER = replace(PRESETS["harder"], steps=12_000)


class Kinds(StrEnum):
    """Which task the networks are trained on."""

    HARDER = "harder"
    UNIFORM = "uniform"


Pair = tuple[AnalysedNetwork, Dissection]


def clamp_agreement(pair: Pair) -> float | None:
    """Share of (token, clamp unit) entries on which the masks agree; None unless most units clamp.

    A network's score counts those entries where clamp is the commoner orientation.
    """
    found = mechanism(pair[0].network)
    if found.units.clamp <= found.units.complement or found.score is None:
        return None
    return found.score * (pair[0].recipe.d - found.units.dead) / found.units.clamp


def _narrowed(pair: Pair) -> float | None:
    bands = pair[1].mechanism.bands
    return None if bands is None else bands.narrowed


def _share(hits: int, trials: int) -> float:
    return hits / trials


class Number(StrEnum):
    """What is compared; the table's axes."""

    CLAMP = "clamp"
    AGREEMENT = "agreement"
    CLAMP_AGREEMENT = "clamp_agreement"
    DENSITY = "density"
    BITS = "bits"
    EIGENVALUE = "eigenvalue"
    NARROWED = "narrowed"
    MASKS = "masks"
    FAILING = "failing"
    VARIATION = "variation"
    VERDICT = "verdict"


NUMBERS: dict[Number, tuple[str, Callable[[Pair], float | None]]] = {
    Number.CLAMP: (
        "share of clamp units",
        lambda pair: mechanism(pair[0].network).units.clamp / pair[0].recipe.d,
    ),
    Number.AGREEMENT: ("mask agreement", lambda pair: mechanism(pair[0].network).mask_agreement),
    Number.CLAMP_AGREEMENT: ("agreement, clamp", clamp_agreement),
    Number.DENSITY: ("mask density", lambda pair: mechanism(pair[0].network).density),
    Number.BITS: ("bits per token", lambda pair: mechanism(pair[0].network).bits_per_token.mean),
    Number.EIGENVALUE: (
        "eigenvalue, mean",
        lambda pair: mechanism(pair[0].network).layer_eigenvalue,
    ),
    Number.NARROWED: ("union's band left", _narrowed),
    Number.MASKS: ("failures by masks", lambda pair: _share(**vars(pair[1].covered.failing))),
    Number.FAILING: (
        "failures, own task",
        lambda pair: _share(**vars(behaviour(pair[0].network).failure)),
    ),
    Number.VARIATION: (
        "TV, own task",
        lambda pair: behaviour(pair[0].network).total_variation.value,
    ),
}


@dataclass(frozen=True)
class SeedPoint(Point):
    """A number of one network, or their mean where there is no seed; verdict: of a count."""

    seed: int | None = key(None)
    verdict: Verdict | None = key(None)


def tasks(effort: Effort) -> list[Task[AnalysedNetwork]]:
    """The harder task and the uniform one by the same recipe, with the same seeds."""
    seeds = range(1 if effort is QUICK else 6 if effort is FULL else 3)
    small = replace(PRESETS["fast"], n=96, d=40, k=2, batch=128, target_scale=1.0, steps=2400)
    harder = small if effort is QUICK else HARDER
    return [
        analysed_task(replace(recipe, seed=seed), effort)
        for recipe in (harder, replace(harder, target_scale=0.0))
        for seed in seeds
    ]


def checks(results: Sequence[AnalysedNetwork]) -> list[Check]:
    """None: that the layers are alike is a finding, not a theorem."""
    return []


def table(results: Sequence[AnalysedNetwork]) -> list[SeedPoint]:
    """Verdicts, counted; each number by task, mean over seeds, then of each network."""
    made = []
    for place, task in enumerate(Kinds):
        own = [
            pair
            for pair in dissected(results)
            if (pair[0].recipe.target_scale > 0.0) == (task is Kinds.HARDER)
        ]
        verdicts = [found.mechanism.verdict for _, found in own]
        for verdict in dict.fromkeys(verdicts):
            count = verdicts.count(verdict)
            made.append(
                SeedPoint(Number.VERDICT, task, Kind.MEASURED, place, count, verdict=verdict)
            )
        for name, (_, number) in NUMBERS.items():
            known = [(pair[0].recipe, number(pair)) for pair in own]
            values = [(recipe, value) for recipe, value in known if value is not None]
            if not values:
                continue
            mean = mean_point(name, task, place, [y for _, y in values], values[0][0])
            made.append(SeedPoint(**vars(mean)))
            made += [
                SeedPoint(name, task, Kind.TRAINED, place, value, **sizes(recipe), seed=recipe.seed)
                for recipe, value in values
            ]
    return made


def draw(points: Sequence[SeedPoint]) -> Figure:
    """A small pair of axes for each number: every seed, and the mean with its interval."""
    from simulate.jobs import style

    fig, _ = style.figure(style.DOUBLE_COLUMN, 3.4)
    fig.clear()
    every = fig.subplots(2, 5)
    for axes, (name, (label, _)) in zip(every.flat, NUMBERS.items(), strict=True):
        for place, task in enumerate(Kinds):
            own = list(select(points, axis=name, series=task))
            colour = style.COLOURS[place]
            seeds = [p for p in own if p.seed is not None]
            means = [p for p in own if p.seed is None]
            axes.plot(
                [place + 0.18] * len(seeds),
                ys(seeds),
                marker="_",
                linestyle="none",
                color=colour,
            )
            style.error_bars(axes, means, colour, "os"[place])
        axes.set_xlim(-0.6, 1.6)
        axes.set_xticks([0, 1], [task.value for task in Kinds])
        axes.set_title(label, fontsize=7)
        axes.margins(y=0.25)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.tick_params(axis="y", labelsize=6.5)
    return fig


PANEL = Panel(
    NAME,
    "Networks that learn the harder task, any distribution over the k tokens, get the same hidden "
    f"layer as those of the uniform task (n={HARDER.n}, d=h={HARDER.d}, k={HARDER.k}; "
    f"{HARDER.steps:,} steps of the same recipe). Dashes are seeds, and marks their means with "
    "95 % intervals. The last two numbers describe behaviour, each network on its own task.",
    tasks,
    checks,
    table,
    draw,
)
