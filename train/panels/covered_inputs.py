"""Why networks fail on fewer inputs than their masks cover: memorised sets, or more than masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, Check, agrees
from simulate.jobs.panel import FULL, QUICK, Effort, Panel, Point, Row, series_of, size_label
from simulate.jobs.tasks import Task
from simulate.network import ReluNetwork
from train.analysis.construction_path import STEPS
from train.panels.analysed import mean_point, trained
from train.panels.trained import plain_fields
from train.sweep import seconds
from train.sweep import trained as train_by
from train.training.presets import PRESETS
from train.training.recipe import Recipe

NAME = "covered_inputs"
PLACES = ("as trained", *STEPS)
KINDS = ("drawn in training", "held out")
_SHARE = 0.2
_SEEDS = 4
# of the covered inputs among the drawn, the most that the network is run on
_MOST = 20_000


def recipes(effort: Effort) -> list[Recipe]:
    """Both mechanisms, where training sees a token set 100 times, 30 times, or less than once.

    A fifth of the token sets is held out.
    """
    if effort is QUICK:
        small = replace(PRESETS["fast"], n=64, d=28, k=2, batch=128, steps=600)
        return [replace(small, held_out=_SHARE, seed=seed) for seed in range(2)]
    families = [
        replace(PRESETS[mechanism], n=n, d=d, k=k, batch=256, steps=4_000)
        for mechanism in ("source", "complement")
        for n, d, k in ((128, 32, 2), (256, 48, 2), (256, 48, 3))
    ]
    families.append(PRESETS["fast"])
    seeds = 10 if effort is FULL else _SEEDS
    return [
        replace(family, held_out=_SHARE, seed=seed) for family in families for seed in range(seeds)
    ]


def tasks(effort: Effort) -> list[Task]:
    """Train with held-out token sets, then count the failures of covered inputs."""
    sample = 200_000 if effort is QUICK else 1_000_000
    made = []
    for recipe in recipes(effort):
        fields = plain_fields(recipe)
        name = (
            f"{NAME}/{size_label(fields, 'nkd')}, {recipe.start}, "
            f"scale {recipe.embedding_scale:g}, seed {recipe.seed}"
        )
        made.append(
            Task(name, train_and_count, fields | {"sample": sample}, seconds(recipe) + 10.0)
        )
    return made


def train_and_count(rng: np.random.Generator, sample: int, **fields: Any) -> dict[str, Any]:
    """Train the network of Recipe(**fields), then run it on what it covers of `sample` inputs.

    ways: for both KINDS of token sets how many of the inputs are covered, on how many of these the
    network was run, and at each of PLACES how many fail; empty where no unit clamps or complements.
    """
    import torch

    from train.analysis.covered_inputs import covered_inputs, failing_on_the_way
    from train.reading.masks import NEITHER, extract

    recipe = Recipe(**fields)
    found, state = train_by(recipe)
    if state is None:
        return found
    assert state.held_out is not None  # as all recipes here have a share
    network = state.model.to_network()
    assert isinstance(network, ReluNetwork)  # recipes here are of the uniform task
    masks = extract(network, recipe.k, recipe.c)
    ways = []
    if (masks.orientation[masks.live] != NEITHER).any():
        tokens, alpha = covered_inputs(rng, masks, recipe.k, recipe.c, sample)
        held = state.held_out.holds(torch.from_numpy(tokens)).numpy()
        for among in (~held, held):
            chosen = np.flatnonzero(among)[:_MOST]
            failed = failing_on_the_way(
                network, masks, recipe.k, recipe.c, tokens[chosen], alpha[chosen]
            )
            ways.append(
                {
                    "covered": int(among.sum()),
                    "inputs": len(chosen),
                    "failing": failed.sum(axis=1).tolist(),
                }
            )
    return found | {"ways": ways}


def mechanism(row: Row) -> str:
    """Of the commoner orientation."""
    units = row["units"]
    return max(("clamp", "complement"), key=lambda name: units[name])


def checks(rows: Sequence[Row]) -> list[Check]:
    """Exact: at the path's end, the filter of the masks, every covered input fails."""
    made = []
    for row in trained(rows):
        for kind, way in zip(KINDS, row["ways"], strict=False):
            if way["inputs"]:
                found = intervals.proportion(way["failing"][-1], way["inputs"], CONFIDENCE)
                label = f"{size_label(row, 'nkd')}, {mechanism(row)}, seed {row['seed']}, {kind}"
                made.append(agrees(NAME, f"exact filter fails, {label}", 1.0, found))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Share of the covered inputs that fail, by place on the path; means over seeds."""
    groups: dict[str, list[Row]] = {}
    for row in trained(rows):
        if row["ways"] and all(way["inputs"] for way in row["ways"]):
            groups.setdefault(f"{mechanism(row)}, {size_label(row, 'nkd')}", []).append(row)
    made = []
    for name, own in groups.items():
        for which, kind in enumerate(KINDS):
            ways = [row["ways"][which] for row in own]
            for place in range(len(PLACES)):
                shares = [way["failing"][place] / way["inputs"] for way in ways]
                mean = mean_point("failing", f"{name}: {kind}", place, shares, own[0])
                if mean.low is not None and mean.high is not None:  # of a share
                    mean = replace(mean, low=max(mean.low, 0.0), high=min(mean.high, 1.0))
                made.append(mean)
    return made


def figure(points: Sequence[Point]):
    """One pair of axes for each mechanism; a colour for each size."""
    from simulate.jobs import style

    found = series_of(points)
    mechanisms = list(dict.fromkeys(series.split(",")[0] for series in found))
    fig, every = style.row_of_axes(len(mechanisms), style.DOUBLE_COLUMN, 3.0)
    sizes = list(dict.fromkeys(name.split(":")[0].split(", ", 1)[1] for name in found))
    for axes, name in zip(every, mechanisms, strict=True):
        for series, own in found.items():
            group, kind = series.split(": ")
            of, size = group.split(", ", 1)
            if of != name:
                continue
            held = kind == KINDS[1]
            colour = style.COLOURS[sizes.index(size)]
            style.error_bars(axes, own, colour, "s" if held else "o")
            axes.plot(
                [p.x for p in own],
                [p.y for p in own],
                color=colour,
                linestyle="--" if held else "-",
                linewidth=0.9,
                label=None if held else style.as_math(size),
            )
        axes.set_title(name)
        if axes is not every[0]:
            axes.sharey(every[0])
        axes.set_yscale("log")
        axes.set_xticks(range(len(PLACES)), PLACES, rotation=35, ha="right")
        axes.set_xlabel("replaced so far")
    every[0].set_ylabel("share of covered inputs that fail")
    handles, _ = every[0].get_legend_handles_labels()
    handles += style.grey_marks({KINDS[0]: ("-", "o"), KINDS[1]: ("--", "s")})
    fig.legend(handles=handles, loc="outside upper center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "Of the inputs whose union covers a non-member by the network's own masks, the share that "
    "fails: of token sets drawn in training, and of the fifth that was held out. An exact "
    "filter fails on all. As trained, and with one thing after the other replaced by what its "
    "masks have: two levels for each unit's reads, biases to match, two levels for its writes, "
    "nothing past the units, all bits worth the same (in a clamp, tokens of few bits are then "
    "below others), all covered tokens equally high. Mean over the seeds, 95 % intervals "
    "(Student t).",
    tasks,
    checks,
    table,
    figure,
)
