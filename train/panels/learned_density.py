"""How dense the learned masks are: against k, d, n, the scale of W_E and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from simulate.jobs import intervals
from simulate.jobs.checks import Check
from simulate.jobs.intervals import Estimate
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    FULL,
    QUICK,
    Effort,
    Panel,
    Point,
    Row,
    select,
    series_of,
)
from simulate.jobs.tasks import Task
from theory.width import optimal_hashes, optimal_hashes_for_failure
from train.panels.analysed import mean_point, trained
from train.panels.trained import training_task
from train.training.presets import PRESETS
from train.training.recipe import Recipe

NAME = "learned_density"
BASE = replace(PRESETS["source"], n=256, d=64, k=3, batch=256, steps=4_000)
SWEEPS: dict[str, tuple[float, ...]] = {
    "k": (2, 3, 4, 5),
    "d": (32, 48, 64, 96, 128),
    "n": (64, 128, 256, 512, 1024),
    "embedding_scale": (1.0, 2.0, 4.0, 8.0),
    "learning_rate": (0.0075, 0.01, 0.015, 0.02, 0.03),
}
QUICK_SWEEPS: dict[str, tuple[float, ...]] = {"d": (28, 36)}
LABELS = {
    "k": "active tokens $k$",
    "d": "residual width $d$",
    "n": "vocabulary $n$",
    "embedding_scale": "scale of $W_E$ at the start",
    "learning_rate": "learning rate",
}
OPTIMA = {"FPR": "least FPR", "P_fail": "least P_fail"}


def _recipe(field: str, value: float, base: Recipe) -> Recipe:
    """The base with one field changed; both learning rates keep their ratio."""
    change: dict[str, Any] = {field: value}
    changed = replace(base, **change)
    if field == "learning_rate":
        share = base.embedding_learning_rate / base.learning_rate
        return replace(changed, embedding_rate=value * share)
    return changed


def tasks(effort: Effort) -> list[Task]:
    """One field changed at a time; the base network belongs to every sweep and is trained once."""
    quick = effort is QUICK
    small = replace(PRESETS["fast"], n=96, d=36, k=2, batch=128, steps=1_200)
    base = small if quick else BASE
    found = {}
    for field, values in (QUICK_SWEEPS if quick else SWEEPS).items():
        for value in values:
            for seed in range(2 if quick else 10 if effort is FULL else 3):
                recipe = replace(_recipe(field, value, base), seed=seed)
                changed = (
                    "base"
                    if value == getattr(base, field)
                    else f"{field.replace('_', ' ')} {value:g}"
                )
                task = training_task(NAME, f"{changed}, seed {seed}", recipe)
                found[task.name] = task
    return list(found.values())


def checks(rows: Sequence[Row]) -> list[Check]:
    """None: no theory says how dense learned masks are."""
    return []


def _base(rows: Sequence[Row]) -> Row:
    """The commonest value of every field that is swept."""

    def commonest(field: str) -> float:
        values = [row[field] for row in rows]
        return max(dict.fromkeys(values), key=values.count)

    return {field: commonest(field) for field in SWEEPS}


def _changed_alone(rows: Sequence[Row], field: str) -> list[Row]:
    """The networks that differ from the base in no other field."""
    base = _base(rows)
    others = [other for other in SWEEPS if other != field]
    return [row for row in rows if all(row[other] == base[other] for other in others)]


def _sweep(rows: Sequence[Row], field: str) -> list[Row]:
    """Those of them that became a clamp, in the order of the field's values."""
    own = trained(_changed_alone(rows, field))
    return sorted((row for row in own if row["verdict"] == "clamp"), key=lambda row: row[field])


def optimal_density(row: Row, kind: str) -> float:
    """m/d of the random code with the least FPR or P_fail."""
    n, k, d = row["n"], row["k"], row["d"]
    return (optimal_hashes(k, d) if kind == "FPR" else optimal_hashes_for_failure(n, k, d)) / d


def exponent(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> Estimate:
    """The power b of y ~ x^b by least squares of logarithms over independent networks.

    Student t with two degrees of freedom fewer than networks, 95 %. At least 3 of them.
    """
    from scipy.stats import linregress

    found = linregress(np.log(x), np.log(y))
    return intervals.from_standard_error(
        float(found.slope), float(found.stderr), len(x) - 2, DRAWN_CONFIDENCE
    )


def table(rows: Sequence[Row]) -> list[Point]:
    """Per sweep: mean density, both optima, their powers, and the learned one over each optimum.

    Powers have x = 0; of the optima they are those of their points, without sampling error.
    """
    made = []
    for field in SWEEPS:
        own = _sweep(rows, field)
        others = len(_changed_alone(rows, field)) - len(own)
        made.append(Point("left out", field, "networks", 0, others))
        values = list(dict.fromkeys(row[field] for row in own))
        if len(values) < 2 or len(own) < 3:
            continue
        for value in values:
            here = [row for row in own if row[field] == value]
            densities = [row["density"] for row in here]
            made.append(mean_point(field, "learned", value, densities, here[0]))
            failing = [row["failures"] / row["inputs"] for row in here]
            made.append(mean_point(field, "failure rate", value, failing, here[0]))
            for kind in OPTIMA:
                best = optimal_density(here[0], kind)
                made.append(_exact(field, kind, value, best, here[0]))
                over = [density / best for density in densities]
                made.append(mean_point(field, f"learned over {kind}", value, over, here[0]))
        x, y = [row[field] for row in own], [row["density"] for row in own]
        power = exponent(x, y)
        kind = f"least squares over {len(own)} networks"
        made.append(Point(f"power of {field}", "learned", kind, 0, power.estimate, *power.interval))
        for kind in OPTIMA:
            power = exponent(x, [optimal_density(row, kind) for row in own])
            made.append(Point(f"power of {field}", kind, "exact", 0, power.estimate))
    return made


def _exact(field: str, kind: str, value: float, best: float, row: Row) -> Point:
    sizes = {letter: row[letter] for letter in "nkd"}
    return Point(field, kind, "exact", value, best, **sizes, m=round(best * row["d"]))


def figure(points: Sequence[Point]):
    """Density against each field, log-log, with the optima and the fitted power."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    from simulate.jobs import style

    fields = [field for field in SWEEPS if any(p.axis == field for p in points)]
    if not fields:
        return style.figure(style.DOUBLE_COLUMN)[0]
    fig, every = style.row_of_axes(len(fields), style.DOUBLE_COLUMN, 2.5)
    densities = ("learned", *OPTIMA)
    drawn = [p for p in points if p.axis in fields and p.series in densities]
    low = 0.85 * min(p.low if p.low and p.low > 0.02 else p.y for p in drawn)
    high = 1.15 * max(p.high if p.high else p.y for p in drawn)
    styles = {"FPR": ("--", style.COLOURS[1]), "P_fail": (":", style.COLOURS[2])}
    for axes, field in zip(every, fields, strict=True):
        series = series_of(points, axis=field)
        for kind, (line, colour) in styles.items():
            curve = series[kind]
            axes.plot(
                [p.x for p in curve],
                [p.y for p in curve],
                linestyle=line,
                color=colour,
                marker="s",
                markersize=2.0,
                label=OPTIMA[kind].replace("P_fail", r"$P_{\mathrm{fail}}$"),
            )
        style.error_bars(axes, series["learned"], style.COLOURS[0], "o", label="learned")
        (power,) = select(points, axis=f"power of {field}", series="learned")
        at = [math.exp(np.mean(np.log([getattr(p, c) for p in series["learned"]]))) for c in "xy"]
        ends = [series["learned"][0].x, series["learned"][-1].x]
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
        values = [p.x for p in series["learned"]]
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
    "Density of the learned masks (circles: mean over the seeds, 95 % intervals, Student t) when "
    "one thing at a time changes about n=256, d=h=64, k=3, W_E of scale 4, learning rate 0.015 "
    "(4,000 steps; the rate of W_E is four times as large throughout). Dashed and dotted, the "
    "density at which random hashes have the least false-positive rate and the least P_fail. "
    "Titles: the power law through all clamp networks, by least squares of the logarithms, with "
    "the reach of its 95 % interval. Networks that became no clamp are left out.",
    tasks,
    checks,
    table,
    figure,
)
