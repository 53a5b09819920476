"""How dense the learned masks are: against k, d, n, the scale of W_E and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate.jobs import ids, intervals
from simulate.jobs.checks import Check
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Estimate, Share
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, key, measured_point, select, series_of, xs, ys
from simulate.jobs.tasks import Task
from theory.width import optimal_hashes, optimal_hashes_for_failure
from train.analysis.mechanism import Verdict
from train.measures import TrainedNetwork
from train.panels.trained import behaviour, mean_point, mechanism, sizes, training_task
from train.training.presets import PRESETS
from train.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "learned_density"
BASE = replace(PRESETS["source"], n=256, d=64, k=3, batch=256, steps=4_000)


class Swept(StrEnum):
    """A field of the recipe that is changed."""

    K = "k"
    D = "d"
    N = "n"
    EMBEDDING_SCALE = "embedding_scale"
    LEARNING_RATE = "learning_rate"

    def of(self, recipe: Recipe) -> float:
        """Its value in a recipe."""
        value: float = getattr(recipe, self)
        return value


SWEEPS: dict[Swept, tuple[float, ...]] = {
    Swept.K: (2, 3, 4, 5),
    Swept.D: (32, 48, 64, 96, 128),
    Swept.N: (64, 128, 256, 512, 1024),
    Swept.EMBEDDING_SCALE: (1.0, 2.0, 4.0, 8.0),
    Swept.LEARNING_RATE: (0.0075, 0.01, 0.015, 0.02, 0.03),
}
QUICK_SWEEPS: dict[Swept, tuple[float, ...]] = {Swept.D: (24, 36, 54)}
LABELS = {
    Swept.K: "active tokens $k$",
    Swept.D: "residual width $d$",
    Swept.N: "vocabulary $n$",
    Swept.EMBEDDING_SCALE: "scale of $W_E$ at the start",
    Swept.LEARNING_RATE: "learning rate",
}


class Series(StrEnum):
    """What is drawn against a field; the optima are of random hashes."""

    LEARNED = "learned"
    LEAST_RATE = "least_rate"
    LEAST_FAILURE = "least_failure"
    FAILURE = "failure"
    OVER_LEAST_RATE = "learned_over_least_rate"
    OVER_LEAST_FAILURE = "learned_over_least_failure"
    POWER = "power"
    LEFT_OUT = "left_out"


OPTIMA = {
    Series.LEAST_RATE: (Series.OVER_LEAST_RATE, "least FPR"),
    Series.LEAST_FAILURE: (Series.OVER_LEAST_FAILURE, r"least $P_{\mathrm{fail}}$"),
}


@dataclass(frozen=True)
class PowerPoint(Point):
    """The fitted power of one series in the axis' field, over this many networks."""

    of: Series | None = key(None)
    networks: int | None = None


def _recipe(field: Swept, value: float, base: Recipe) -> Recipe:
    """The base with one field changed; both learning rates keep their ratio."""
    change: dict[str, Any] = {field: value}
    changed = replace(base, **change)
    if field is Swept.LEARNING_RATE:
        share = base.embedding_learning_rate / base.learning_rate
        return replace(changed, embedding_rate=value * share)
    return changed


def tasks(effort: Effort) -> list[Task[TrainedNetwork]]:
    """One field changed at a time; the base network belongs to every sweep and is trained once."""
    quick = effort is QUICK
    # long enough to become clamps, whose density is what is asked for
    small = replace(PRESETS["fast"], n=128, d=36, k=2, batch=128, steps=1200, start="clamp")
    base = small if quick else BASE
    found = {}
    for field, values in (QUICK_SWEEPS if quick else SWEEPS).items():
        for value in values:
            for seed in range(10 if effort is FULL else 3):
                recipe = replace(_recipe(field, value, base), seed=seed)
                changed = {} if value == field.of(base) else {str(field): value}
                task = training_task(NAME, ids.of(**changed, seed=seed), recipe)
                found[task.name] = task
    return list(found.values())


def checks(results: Sequence[TrainedNetwork]) -> list[Check]:
    """None: no theory says how dense learned masks are."""
    return []


def _changed_alone(networks: Sequence[TrainedNetwork], field: Swept) -> list[TrainedNetwork]:
    """The networks that differ from the base, the commonest value of each field, in no other."""

    def commonest(other: Swept) -> float:
        values = [other.of(each.recipe) for each in networks]
        return max(dict.fromkeys(values), key=values.count)

    base = {other: commonest(other) for other in Swept if other is not field}
    return [
        each
        for each in networks
        if all(other.of(each.recipe) == value for other, value in base.items())
    ]


def _sweep(networks: Sequence[TrainedNetwork], field: Swept) -> list[TrainedNetwork]:
    """Those of them that became a clamp, in the order of the field's values."""
    own = [each for each in _changed_alone(networks, field) if not each.diverged]
    clamps = [each for each in own if mechanism(each).verdict is Verdict.CLAMP]
    return sorted(clamps, key=lambda each: field.of(each.recipe))


def optimal_density(recipe: Recipe, optimum: Series) -> float:
    """m/d of the random code with the least FPR or P_fail."""
    n, k, d = recipe.n, recipe.k, recipe.d
    if optimum is Series.LEAST_RATE:
        return optimal_hashes(k, d) / d
    return optimal_hashes_for_failure(n, k, d) / d


def exponent(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> Estimate:
    """The power b of y ~ x^b by least squares of logarithms over independent networks.

    Student t with two degrees of freedom fewer than networks, 95 %. At least 3 of them.
    """
    from scipy.stats import linregress

    found = linregress(np.log(x), np.log(y))
    return intervals.from_standard_error(
        float(found.slope), float(found.stderr), len(x) - 2, DRAWN_CONFIDENCE
    )


def table(results: Sequence[TrainedNetwork]) -> list[Point]:
    """Per sweep: mean density, both optima, their powers, and the learned one over each optimum.

    Powers have x = 0; of the optima they are those of their points, without sampling error.
    """
    made: list[Point] = []
    for field in Swept:
        own = _sweep(results, field)
        left_out = len(_changed_alone(results, field)) - len(own)
        made.append(Point(field, Series.LEFT_OUT, Kind.MEASURED, 0, left_out))
        values = list(dict.fromkeys(field.of(each.recipe) for each in own))
        if len(values) < 2 or len(own) < 3:
            continue
        for value in values:
            here = [each for each in own if field.of(each.recipe) == value]
            made += _at_one_value(field, value, here)
        x = [field.of(each.recipe) for each in own]
        power = exponent(x, [_density(each) for each in own])
        point = measured_point(field, Series.POWER, Kind.FITTED, 0, power)
        made.append(PowerPoint(**vars(point), of=Series.LEARNED, networks=len(own)))
        for optimum in OPTIMA:
            power = exponent(x, [optimal_density(each.recipe, optimum) for each in own])
            made.append(PowerPoint(field, Series.POWER, Kind.EXACT, 0, power.value, of=optimum))
    return made


def _density(network: TrainedNetwork) -> float:
    return mechanism(network).density or 0.0


def _at_one_value(field: Swept, value: float, here: Sequence[TrainedNetwork]) -> list[Point]:
    recipe = here[0].recipe
    densities = [_density(each) for each in here]
    failures = [behaviour(each).failure for each in here]
    failing = [each.hits / each.trials for each in failures]
    made = [
        mean_point(field, Series.LEARNED, value, densities, recipe),
        mean_point(field, Series.FAILURE, value, failing, recipe, of=Share),
    ]
    for optimum, (over, _) in OPTIMA.items():
        best = optimal_density(recipe, optimum)
        m = round(best * recipe.d)
        made.append(Point(field, optimum, Kind.EXACT, value, best, **sizes(recipe), m=m))
        ratios = [density / best for density in densities]
        made.append(mean_point(field, over, value, ratios, recipe))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Density against each field, log-log, with the optima and the fitted power."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    from simulate.jobs import style

    fields = [field for field in Swept if series_of(points, axis=field, series=Series.LEARNED)]
    if not fields:
        return style.figure(style.DOUBLE_COLUMN)[0]
    fig, every = style.row_of_axes(len(fields), style.DOUBLE_COLUMN, 2.5)
    densities = (Series.LEARNED, *OPTIMA)
    drawn = [p for p in points if p.axis in fields and p.series in densities]
    low = 0.85 * min(p.low if p.low and p.low > 0.02 else p.y for p in drawn)
    high = 1.15 * max(p.high if p.high else p.y for p in drawn)
    styles = {
        Series.LEAST_RATE: ("--", style.COLOURS[1]),
        Series.LEAST_FAILURE: (":", style.COLOURS[2]),
    }
    for axes, field in zip(every, fields, strict=True):
        series = series_of(points, axis=field)
        for kind, (line, colour) in styles.items():
            curve = series[kind]
            axes.plot(
                xs(curve),
                ys(curve),
                linestyle=line,
                color=colour,
                marker="s",
                markersize=2.0,
                label=OPTIMA[kind][1],
            )
        style.error_bars(axes, series[Series.LEARNED], style.COLOURS[0], "o", label="learned")
        (power,) = select(points, axis=field, series=Series.POWER, kind=Kind.FITTED)
        learned = series[Series.LEARNED]
        at = [math.exp(float(np.mean(np.log(of(learned))))) for of in (xs, ys)]
        ends = [series[Series.LEARNED][0].x, series[Series.LEARNED][-1].x]
        axes.plot(
            ends,
            [at[1] * (x / at[0]) ** power.y for x in ends],
            color=style.COLOURS[0],
            linewidth=0.9,
        )
        reach = (power.high or power.y) - power.y
        axes.set_title(f"power {power.y:.2f} ± {reach:.2f}".replace("-", "−"), fontsize=7.5)
        axes.set_xscale("log")
        axes.set_yscale("log")
        values = [p.x for p in series[Series.LEARNED]]
        shown = values if len(values) < 5 else values[::2]
        axes.xaxis.set_major_locator(FixedLocator(shown))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(shown, [f"{x:g}".removeprefix("0") for x in shown])
        axes.set_ylim(low, high)
        axes.yaxis.set_minor_formatter(NullFormatter())
        ticks = [t for t in (0.05, 0.1, 0.2, 0.3, 0.5) if low < t < high]
        axes.set_yticks(ticks, [f"{t:g}" for t in ticks] if axes is every[0] else [""] * len(ticks))
        axes.set_xlabel(LABELS[field], fontsize=7.5)
    every[0].set_ylabel("mask density")
    handles, names = every[0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "The density of learned masks follows the learning rate and the width, where the best random "
    "hashes follow k alone. One setting at a time is changed from "
    f"n={BASE.n}, d=h={BASE.d}, k={BASE.k}, scale of W_E {BASE.embedding_scale:g}, "
    f"rate {BASE.learning_rate:g} ({BASE.steps:,} steps). "
    "Marks are means over seeds with 95 % intervals; titles give the power fitted over all clamp "
    "networks.",
    tasks,
    checks,
    table,
    draw,
)
