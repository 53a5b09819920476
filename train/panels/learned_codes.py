"""Learned codes fail less often than the best random ones, and how much their density matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from simulate.jobs import ids
from simulate.jobs.checks import FALSE_ALARM, Check, Which, lies_within
from simulate.jobs.panel import QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, of_kind, series_of
from simulate.jobs.tasks import Task
from theory.false_positives import failure_probability
from theory.width import optimal_hashes_for_failure
from train.measures import INPUTS, TrainedNetwork
from train.panels.trained import (
    Measure,
    estimate,
    mechanism,
    network_point,
    training_task,
    which,
)
from train.training.presets import PRESETS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "learned_codes"
SEEDS = range(5)
# presets: the most total variation allowed, and whether random hashes may fail less often
TARGETS = {"best": (0.01, False), "wide": (0.01, False), "source": (0.05, True)}
QUICK_TARGETS = {"fast": (0.05, True)}
LEAST_AGREEMENT = 0.999
# presets and steps whose networks have other densities; a higher rate makes sparser codes
DENSITIES = ((0.02, 16_000), (0.0175, 16_000), (0.0125, 16_000), (0.01, 16_000))


class Quantity(StrEnum):
    """What is checked."""

    TOTAL_VARIATION = "total_variation"
    AGREEMENT = "mask_agreement"
    FAILURE = "failure_rate"


class Axis(StrEnum):
    """What is drawn."""

    FAILURE = "failure"
    VARIATION = "variation"


def tasks(effort: Effort) -> list[Task[TrainedNetwork]]:
    """Every preset with five seeds, and shorter runs of the best at other rates."""
    if effort is QUICK:
        return [training_task(NAME, ids.of(preset="fast", seed=0), PRESETS["fast"])]
    made = [
        training_task(NAME, ids.of(preset=name, seed=seed), replace(PRESETS[name], seed=seed))
        for name in TARGETS
        for seed in SEEDS
    ]
    best = PRESETS["best"]
    share = best.embedding_learning_rate / best.learning_rate
    for rate, steps in DENSITIES:
        other = replace(best, learning_rate=rate, embedding_rate=rate * share, steps=steps)
        made.append(training_task(NAME, ids.of(rate=rate, steps=steps), other))
    return made


def _target(network: TrainedNetwork) -> tuple[float, bool] | None:
    for name, target in (TARGETS | QUICK_TARGETS).items():
        if network.recipe == replace(PRESETS[name], seed=network.recipe.seed):
            return target
    return None


def checks(results: Sequence[TrainedNetwork]) -> list[Check]:
    """TV and agreement of the masks; the best presets fail no more often than random hashes."""
    made = []
    for network in results:
        target = _target(network)
        if target is None:
            continue
        most_variation, may_fail_more = target
        recipe = network.recipe
        n, k, d = recipe.n, recipe.k, recipe.d
        label = f"n={n}, k={k}, d={d}, {recipe.steps} steps, seed {recipe.seed}"
        made.append(
            lies_within(
                Which(NAME, Quantity.TOTAL_VARIATION, which(recipe)),
                f"total variation, upper bound, {label}",
                most_variation,
                estimate(network, Measure.TOTAL_VARIATION).interval[1],
                (0.0, most_variation),
                FALSE_ALARM,
            )
        )
        made.append(
            lies_within(
                Which(NAME, Quantity.AGREEMENT, which(recipe)),
                f"agreement of the two masks, {label}",
                1.0,
                mechanism(network).mask_agreement or 0.0,
                (LEAST_AGREEMENT, 1.0),
            )
        )
        if not may_fail_more:
            random = failure_probability(n, k, d, optimal_hashes_for_failure(n, k, d))
            made.append(
                lies_within(
                    Which(NAME, Quantity.FAILURE, which(recipe)),
                    f"failure rate, upper bound, against the best random hashes, {label}",
                    random,
                    estimate(network, Measure.FAILURE).interval[1],
                    (0.0, random),
                    FALSE_ALARM,
                )
            )
    return made


def _sizes(network: TrainedNetwork) -> tuple[int, int, int]:
    return network.recipe.n, network.recipe.k, network.recipe.d


def table(results: Sequence[TrainedNetwork]) -> list[Point]:
    """Exact P_fail of random hashes against m/d, and each network at its own density."""
    made = []
    for n, k, d in dict.fromkeys(_sizes(each) for each in results):
        series = ids.of(n=n, d=d, k=k)
        last = min(d, 2 * optimal_hashes_for_failure(n, k, d))
        for m in range(2, last):
            value = failure_probability(n, k, d, m)
            made.append(Point(Axis.FAILURE, series, Kind.EXACT, m / d, value, n=n, k=k, d=d, m=m))
        for network in results:
            if _sizes(network) != (n, k, d) or network.diverged:
                continue
            density = (mechanism(network).bits_per_token.mean or 0.0) / d
            made.append(network_point(Axis.FAILURE, series, density, Measure.FAILURE, network))
            made.append(
                network_point(Axis.VARIATION, series, density, Measure.TOTAL_VARIATION, network)
            )
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Failure rate (left) and TV (right) against the mask density."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.7)
    looks = zip(style.COLOURS, ("-", "--", "-.", ":"), ("o", "s", "^", "D"), strict=False)
    drawn = series_of(points, axis=Axis.FAILURE).items()
    keys = []
    for (colour, line, marker), (series, own) in zip(looks, drawn, strict=False):
        label = style.sizes(own[0], "ndk")
        style.curve(left, of_kind(own, Kind.EXACT), line, color=colour)
        style.error_bars(left, of_kind(own, Kind.TRAINED), colour, marker)
        variation = series_of(points, axis=Axis.VARIATION).get(series, [])
        style.error_bars(right, variation, colour, marker)
        keys.append(style.key(label, colour, line, marker))
    right.axhline(TARGETS["best"][0], color=style.GREY, linestyle=":", linewidth=0.9)
    left.set_yscale("log")
    right.set_yscale("log")
    trained = [p.y for p in points if p.axis == Axis.FAILURE and p.kind == Kind.TRAINED]
    least = min([p.y for p in points if p.axis == Axis.FAILURE and p.y > 0])
    left.set_ylim(10 ** math.floor(math.log10(least)), max([0.2, *trained]) * 1.3)
    for axes in (left, right):
        axes.set_xlim(0, 0.4)
        axes.set_xlabel("mask density (bits per token)$/d$")
    left.set_ylabel("failure rate")
    right.set_ylabel("total variation")
    left.add_artist(left.legend(handles=keys, loc="upper right"))
    meanings = {"line: random hashes, exact": ("-", None), "mark: a trained network": ("none", "o")}
    left.legend(handles=style.grey_marks(meanings), loc="lower left")
    target = {f"target, {TARGETS['best'][0]:g}": (":", None)}
    right.legend(handles=[*keys, *style.grey_marks(target)], loc="lower right")
    return fig


PANEL = Panel(
    NAME,
    "Trained networks fail less often than random hashes of the same density. Left: their failure "
    f"rate over {INPUTS:,} inputs each (marks, 95 % intervals) and exact P_fail of "
    "random hashes (lines). Right: their total variation; the dotted line is the target of "
    f"{TARGETS['best'][0]:g}. Presets `best`, `wide` and `source` have five seeds each; shorter "
    "runs of `best` are at other rates.",
    tasks,
    checks,
    table,
    draw,
)
