"""Which mechanism training finds: clamp or complement, over the scale of W_E and the rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from simulate.jobs.checks import Check, lies_within
from simulate.jobs.panel import FULL, QUICK, Effort, Panel, Point, Row, select
from simulate.jobs.tasks import Task
from train.panels.trained import training_task
from train.training.recipe import Recipe

NAME = "mechanism_map"
BASE = Recipe(steps=6_000)
SCALES = tuple(2.0**power for power in range(-4, 4))
RATES = (3e-3, 1e-2, 2e-2)
VARIANTS = {
    "plain": BASE,
    "tied": replace(BASE, tied=True),
    "bias -1": replace(BASE, bias=-1.0),
    "bias +1": replace(BASE, bias=1.0),
}
VARIANT_RATES = (1e-2,)
# where the two mechanisms are beyond doubt
SURELY_CLAMP = {"embedding_scale": 4.0, "learning_rate": 1e-2}
SURELY_COMPLEMENT = {"embedding_scale": 0.0625, "learning_rate": 1e-2}


def tasks(effort: Effort) -> list[Task]:
    """Every variant over all scales; the plain one at every rate."""
    seeds = range(1 if effort is QUICK else 5 if effort is FULL else 2)
    if effort is QUICK:
        cells = [("plain", scale, 1e-2) for scale in (0.0625, 4.0)]
        base = replace(BASE, steps=2_000)
    else:
        base = BASE
        cells = [
            (variant, scale, rate)
            for variant in VARIANTS
            for scale, rate in product(SCALES, RATES if variant == "plain" else VARIANT_RATES)
        ]
    return [
        training_task(
            NAME,
            f"{variant}, scale {scale:g}, rate {rate:g}, seed {seed}",
            replace(
                VARIANTS[variant],
                embedding_scale=scale,
                learning_rate=rate,
                seed=seed,
                steps=base.steps,
            ),
        )
        for (variant, scale, rate), seed in product(cells, seeds)
    ]


def _variant(row: Row) -> str:
    for name, recipe in VARIANTS.items():
        if (row["tied"], row["bias"]) == (recipe.tied, recipe.bias):
            return name
    raise AssertionError("a row of another panel")


def _share(row: Row, side: str) -> float:
    units = row["units"]
    return units[side] / sum(units[kind] for kind in ("clamp", "complement", "neither"))


def checks(rows: Sequence[Row]) -> list[Check]:
    """At a large W_E nine units of ten are clamp, at a small one complement."""
    made = []
    for side, where in (("clamp", SURELY_CLAMP), ("complement", SURELY_COMPLEMENT)):
        for row in rows:
            if _variant(row) == "plain" and all(row[key] == at for key, at in where.items()):
                label = f"share of {side} units, {where}, seed {row['seed']}"
                made.append(lies_within(NAME, label, 1.0, _share(row, side), (0.9, 1.0)))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Per cell, mean over the seeds of the share of units of either kind, and the failure rate."""
    made = []
    keys = [(_variant(row), row["learning_rate"], row["embedding_scale"]) for row in rows]
    for variant, rate, scale in dict.fromkeys(keys):
        own = [
            row
            for row, key in zip(rows, keys, strict=True)
            if key == (variant, rate, scale) and not row["diverged"]
        ]
        if not own:
            continue
        for quantity, values in {
            "clamp": [_share(row, "clamp") for row in own],
            "complement": [_share(row, "complement") for row in own],
            "failure rate": [row["failures"] / row["inputs"] for row in own],
            "rms of W_E": [row["embedding_rms"] for row in own],
        }.items():
            made.append(
                Point(
                    f"{variant}: {quantity}",
                    f"rate {rate:g}",
                    f"mean of {len(own)} seeds, range",
                    scale,
                    float(np.mean(values)),
                    min(values),
                    max(values),
                    n=own[0]["n"],
                    k=own[0]["k"],
                    d=own[0]["d"],
                )
            )
    return made


def figure(points: Sequence[Point]):
    """Left, the plain network over scale and rate; right, the variants over the scale."""
    from matplotlib.colors import LinearSegmentedColormap

    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.5)
    colours = LinearSegmentedColormap.from_list(
        "mechanism", [style.COLOURS[1], "#f2f2f2", style.COLOURS[0]]
    )
    rows = {"plain": "plain", "tied": "tied $W_U$", "bias -1": "$b=-s$", "bias +1": "$b=+s$"}

    def draw(axes, cells: list[tuple[str, str, str]], title: str) -> None:
        for level, (variant, series, _) in enumerate(cells):
            for clamp in select(points, axis=f"{variant}: clamp", series=series):
                at = {"series": series, "x": clamp.x}
                (other,) = select(points, axis=f"{variant}: complement", **at)
                (failed,) = select(points, axis=f"{variant}: failure rate", **at)
                x = math.log2(clamp.x)
                balance = clamp.y - other.y
                axes.fill_between(
                    [x - 0.5, x + 0.5],
                    level - 0.5,
                    level + 0.5,
                    color=colours((balance + 1) / 2),
                    linewidth=0,
                )
                dark = abs(balance) > 0.6
                axes.text(
                    x,
                    level,
                    f"{100 * clamp.y:.0f}:{100 * other.y:.0f}\n{100 * failed.y:.2g} %",
                    ha="center",
                    va="center",
                    fontsize=5.6,
                    linespacing=1.35,
                    color="white" if dark else style.INK,
                )
        axes.set_yticks(range(len(cells)), [label for _, _, label in cells])
        axes.set_ylim(-0.5, len(cells) - 0.5)
        scales = sorted({p.x for p in points})
        ticks = [math.log2(scale) for scale in scales]
        axes.set_xticks(ticks, [_fraction(scale) for scale in scales])
        axes.set_xlim(ticks[0] - 0.5, ticks[-1] + 0.5)
        axes.set_xlabel("standard deviation $s$ of $W_E$ at the start")
        axes.set_title(title)
        axes.grid(False)

    rates = list(dict.fromkeys(p.series for p in points if p.axis == "plain: clamp"))
    draw(left, [("plain", rate, rate.removeprefix("rate ")) for rate in rates], "learning rate")
    variants = [
        (variant, f"rate {VARIANT_RATES[0]:g}", rows[variant])
        for variant in VARIANTS
        if any(p.axis == f"{variant}: clamp" for p in points)
    ]
    draw(right, variants, f"start, at rate {VARIANT_RATES[0]:g}")
    return fig


def _fraction(scale: float) -> str:
    return f"{scale:g}" if scale >= 1 else f"1/{1 / scale:g}"


PANEL = Panel(
    NAME,
    "Which mechanism training finds from a random start (n=512, d=h=64, k=3, c=2; 6,000 steps). In "
    "each cell, the percentage of hidden units that are clamp : complement (blue : orange), and "
    "below it the failure rate; means over the seeds, whose range is in the CSV. Left, over "
    "the scale of W_E and the learning rate; right, with a tied readout and with b_in at minus or "
    "plus the scale.",
    tasks,
    checks,
    table,
    figure,
)
