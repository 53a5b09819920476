"""Which mechanism training finds: clamp or complement, over the scale of W_E and the rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs import ids
from simulate.jobs.checks import Check, Which, lies_within
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, key, select
from simulate.jobs.tasks import Task
from train.measures import TrainedNetwork
from train.panels.trained import behaviour, mechanism, sizes, training_task
from train.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "mechanism_map"
BASE = Recipe(steps=6_000)
SCALES = tuple(2.0**power for power in range(-4, 4))
RATES = (3e-3, 1e-2, 2e-2)


class Variant(StrEnum):
    """What is changed beside the scale and the rate."""

    PLAIN = "plain"
    TIED = "tied"
    BIAS_BELOW = "bias_below"
    BIAS_ABOVE = "bias_above"


VARIANTS = {
    Variant.PLAIN: BASE,
    Variant.TIED: replace(BASE, tied=True),
    Variant.BIAS_BELOW: replace(BASE, bias=-1.0),
    Variant.BIAS_ABOVE: replace(BASE, bias=1.0),
}
LABELS = {
    Variant.PLAIN: "plain",
    Variant.TIED: "tied $W_U$",
    Variant.BIAS_BELOW: "$b=-s$",
    Variant.BIAS_ABOVE: "$b=+s$",
}
VARIANT_RATES = (1e-2,)
# where the two mechanisms are beyond doubt
SURE_RATE = 1e-2
SURELY_CLAMP, SURELY_COMPLEMENT = 4.0, 0.0625


class Quantity(StrEnum):
    """What is shown of a cell; the first two are checked, too."""

    CLAMP = "clamp"
    COMPLEMENT = "complement"
    FAILURE = "failure"
    EMBEDDING_RMS = "embedding_rms"


@dataclass(frozen=True)
class CellPoint(Point):
    """A quantity of one cell: mean over the seeds, and their range as low and high."""

    variant: Variant = key(Variant.PLAIN)
    rate: float = key(0.0)
    seeds: int | None = None


def tasks(effort: Effort) -> list[Task[TrainedNetwork]]:
    """Every variant over all scales; the plain one at every rate."""
    seeds = range(1 if effort is QUICK else 5 if effort is FULL else 2)
    if effort is QUICK:
        cells = [(Variant.PLAIN, scale, SURE_RATE) for scale in (SURELY_COMPLEMENT, SURELY_CLAMP)]
        base = replace(BASE, n=128, d=32, k=2, batch=128, steps=2_000)
    else:
        base = BASE
        cells = [
            (variant, scale, rate)
            for variant in VARIANTS
            for scale, rate in product(SCALES, RATES if variant is Variant.PLAIN else VARIANT_RATES)
        ]
    return [
        training_task(
            NAME,
            ids.of(variant=variant, scale=scale, rate=rate, seed=seed),
            replace(
                base,
                tied=VARIANTS[variant].tied,
                bias=VARIANTS[variant].bias,
                embedding_scale=scale,
                learning_rate=rate,
                seed=seed,
            ),
        )
        for (variant, scale, rate), seed in product(cells, seeds)
    ]


def _variant(network: TrainedNetwork) -> Variant:
    recipe = network.recipe
    return next(
        name for name, of in VARIANTS.items() if (of.tied, of.bias) == (recipe.tied, recipe.bias)
    )


def _share(network: TrainedNetwork, side: Quantity) -> float:
    units = mechanism(network).units
    return (units.clamp if side is Quantity.CLAMP else units.complement) / (
        units.clamp + units.complement + units.neither
    )


def checks(results: Sequence[TrainedNetwork]) -> list[Check]:
    """At a large W_E nine units of ten are clamp, at a small one complement."""
    made = []
    for side, scale in (
        (Quantity.CLAMP, SURELY_CLAMP),
        (Quantity.COMPLEMENT, SURELY_COMPLEMENT),
    ):
        for network in results:
            recipe = network.recipe
            where = (recipe.embedding_scale, recipe.learning_rate)
            if _variant(network) is Variant.PLAIN and where == (scale, SURE_RATE):
                at = {"scale": scale, "rate": SURE_RATE, "seed": recipe.seed}
                label = f"share of {side} units, W_E at scale {scale:g}, seed {recipe.seed}"
                share = _share(network, side)
                made.append(lies_within(Which(NAME, side, at), label, 1.0, share, (0.9, 1.0)))
    return made


def table(results: Sequence[TrainedNetwork]) -> list[CellPoint]:
    """Per cell, mean over the seeds of the share of units of either kind, and the failure rate."""
    cells: dict[tuple[Variant, float, float], list[TrainedNetwork]] = {}
    for each in results:
        if not each.diverged:
            key = (_variant(each), each.recipe.learning_rate, each.recipe.embedding_scale)
            cells.setdefault(key, []).append(each)
    made = []
    for (variant, rate, scale), own in cells.items():
        failed = [behaviour(each).failure for each in own]
        for quantity, values in {
            Quantity.CLAMP: [_share(each, Quantity.CLAMP) for each in own],
            Quantity.COMPLEMENT: [_share(each, Quantity.COMPLEMENT) for each in own],
            Quantity.FAILURE: [each.hits / each.trials for each in failed],
            Quantity.EMBEDDING_RMS: [mechanism(each).embedding_rms for each in own],
        }.items():
            made.append(
                CellPoint(
                    quantity,
                    ids.of(variant=variant, rate=rate),
                    Kind.MEAN,
                    scale,
                    float(np.mean(values)),
                    min(values),
                    max(values),
                    **sizes(own[0].recipe),
                    variant=variant,
                    rate=rate,
                    seeds=len(own),
                )
            )
    return made


def draw(points: Sequence[CellPoint]) -> Figure:
    """Left, the plain network over scale and rate; right, the variants over the scale."""
    from matplotlib.colors import LinearSegmentedColormap

    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.5)
    colours = LinearSegmentedColormap.from_list(
        "mechanism", [style.COLOURS[1], "#f2f2f2", style.COLOURS[0]]
    )

    def cells_of(axes: Axes, cells: Sequence[tuple[Variant, float, str]], title: str) -> None:
        for level, (variant, rate, _) in enumerate(cells):
            for clamp in select(points, axis=Quantity.CLAMP, variant=variant, rate=rate):
                at = {"variant": variant, "rate": rate, "x": clamp.x}
                (other,) = select(points, axis=Quantity.COMPLEMENT, **at)
                (failed,) = select(points, axis=Quantity.FAILURE, **at)
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

    found = list(dict.fromkeys((p.variant, p.rate) for p in points))
    plain = [(v, rate, f"{rate:g}") for v, rate in found if v is Variant.PLAIN]
    cells_of(left, plain, "learning rate")
    variants = [(v, rate, LABELS[v]) for v, rate in found if rate == VARIANT_RATES[0]]
    cells_of(right, variants, f"start, at rate {VARIANT_RATES[0]:g}")
    fig.supxlabel(
        "in each cell: % of units clamp : complement, and below it the failure rate", fontsize=7
    )
    return fig


def _fraction(scale: float) -> str:
    return f"{scale:g}" if scale >= 1 else f"1/{1 / scale:g}"


PANEL = Panel(
    NAME,
    "A large W_E at the start leads to clamp networks (blue), a small one to complement networks "
    "(orange). Each cell gives percentages of clamp and complement units and the failure rate "
    f"after {BASE.steps:,} steps (n={BASE.n}, d=h={BASE.d}, k={BASE.k}; "
    "means over seeds). Left: over the scale of W_E and "
    "the rate. Right: tied readout, or b_in at minus or plus the scale.",
    tasks,
    checks,
    table,
    draw,
)
