"""How the code forms during training: what comes first, the modes, the agreement or the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from simulate.jobs import intervals
from simulate.jobs.checks import Check
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    FULL,
    QUICK,
    Effort,
    Panel,
    Point,
    Row,
    series_of,
)
from simulate.jobs.tasks import Task
from train.panels.analysed import trained
from train.panels.trained import plain_fields
from train.sweep import seconds
from train.training.presets import PRESETS
from train.training.recipe import Recipe

NAME = "formation"
MOMENTS = 100
INPUTS = 4096
# of the loss's fall, nearly all
MOST = 0.9
# what is followed: label, and the half-way point whose step is found
QUANTITIES = {
    "kl": "loss",
    "two_modes": "units with two modes",
    "agreement": "masks agree",
    "oriented": "units of the mechanism",
}
NETWORKS = {
    "clamp": PRESETS["source"],
    "complement": replace(PRESETS["complement"], steps=8_000),
}


def tasks(effort: Effort) -> list[Task]:
    """Both mechanisms with several seeds, looked at on a logarithmic scale of steps."""
    seeds = range(2 if effort is QUICK else 12 if effort is FULL else 5)
    made = []
    for name, recipe in NETWORKS.items():
        if effort is QUICK:
            small: dict[str, Any] = {"n": 96, "d": 28, "k": 2, "batch": 128, "steps": 1_200}
            recipe = replace(recipe, **small, start="clamp" if name == "clamp" else "gaussian")
        for seed in seeds:
            fields = plain_fields(replace(recipe, seed=seed))
            arguments = fields | {"moments": 30 if effort is QUICK else MOMENTS}
            cost = seconds(recipe) + arguments["moments"] * 4e-4 * recipe.n
            made.append(Task(f"{NAME}/{name}, seed {seed}", train_and_watch, arguments, cost))
    return made


def moments(steps: int, count: int) -> list[int]:
    """0 and at most `count` steps, evenly spaced in the logarithm, the last one among them."""
    spaced = np.geomspace(1, steps, count).round().astype(int)
    return [0, *(int(step) for step in np.unique(spaced))]


def train_and_watch(rng: np.random.Generator, moments: int, **fields: Any) -> dict[str, Any]:
    """Train the network of Recipe(**fields), looking at it on the way; rng: unused.

    Lists, one entry a moment: step; kl (the loss), total_variation, failure_rate on 4,096 fresh
    inputs; and `look`. diverged: where that is True nothing else is known.
    """
    from train.training.fit import DivergedError, advance, begin, judge
    from train.training.threads import one_thread

    recipe = Recipe(**fields)
    seen = []
    with one_thread():
        try:
            state = begin(recipe)
            for step in _moments(recipe.steps, moments):
                advance(state, step - state.step)
                found = judge(state, INPUTS)
                seen.append(
                    {
                        "step": step,
                        "kl": found.kl,
                        "total_variation": found.total_variation,
                        "failure_rate": found.failure_rate,
                        **look(state.model.to_network(), recipe.k, recipe.c),
                    }
                )
        except DivergedError:
            return {"diverged": True}
    return {"diverged": False, **{name: [each[name] for each in seen] for name in seen[0]}}


_moments = moments  # the task's argument has the same name


def look(network: Any, k: int, c: float) -> dict[str, float]:
    """The mechanism at one moment, shares in [0, 1].

    two_modes: of the units, those whose weights read and written have two modes each. agreement:
    of the entries of live units on which both masks agree, on a scale from 0, as after a random
    permutation of the tokens, to 1. score: as in the analysis. clamp, complement: of the units.
    separation: median over units of the distance of the modes read, in standard deviations within
    them, at most 1e6. density: of the live units' masks. 0 where no unit is live.
    """
    from train.analysis.mechanism import agreement, score, units
    from train.reading.masks import extract

    masks = extract(network, k, c)
    agree, count = agreement(masks), units(masks)
    value, chance = agree["value"], agree["shuffled"]
    separation = float(np.median(np.minimum(masks.read_modes.separation, 1e6)))
    above_chance = (value - chance) / (1.0 - chance) if value is not None and chance < 1.0 else 0.0
    return {
        "two_modes": float((masks.read_modes.two & masks.write_modes.two).mean()),
        "separation": separation,
        "agreement": above_chance,
        "score": score(masks)["value"],
        "clamp": count["clamp"] / network.h,
        "complement": count["complement"] / network.h,
        "density": float(masks.read[:, masks.live].mean()) if masks.live.any() else 0.0,
    }


def values(row: Row, quantity: str) -> np.ndarray:
    """One of the QUANTITIES over the moments.

    kl: over ln(n/k), what equal probabilities for all tokens lose, and at most 1: a large W_E
    starts from a worse output, which is soon unlearned. oriented: units of the commoner
    orientation.
    """
    if quantity == "kl":
        return np.minimum(np.array(row["kl"]) / math.log(row["n"] / row["k"]), 1.0)
    if quantity == "oriented":
        return np.maximum(row["clamp"], row["complement"])
    return np.array(row[quantity])


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


def lag(row: Row, quantity: str) -> float:
    """Doublings of the step from half of the loss's fall to half of the quantity's way.

    kl: to nine tenths of the loss's own.
    """
    share = MOST if quantity == "kl" else 0.5
    after = step_at(row["step"], values(row, quantity), share)
    return math.log2(after / step_at(row["step"], values(row, "kl")))


def checks(rows: Sequence[Row]) -> list[Check]:
    """None: the order of events is a finding."""
    return []


def _name(row: Row) -> str:
    return "clamp" if row["embedding_scale"] == NETWORKS["clamp"].embedding_scale else "complement"


def table(rows: Sequence[Row]) -> list[Point]:
    """Every network's course, and by mechanism the mean lag behind the loss with its interval."""
    made = []
    for row in trained(rows):
        sizes = {letter: row[letter] for letter in "nkd"}
        course = f"{_name(row)}, seed {row['seed']}"
        for place, step in enumerate(row["step"]):
            for quantity in QUANTITIES:
                y = float(values(row, quantity)[place])
                made.append(Point(quantity, course, _name(row), step, y, **sizes))
            for other in ("total_variation", "failure_rate", "separation", "score", "density"):
                made.append(Point(other, course, _name(row), step, row[other][place], **sizes))
        for quantity in QUANTITIES:
            half = step_at(row["step"], values(row, quantity))
            made.append(Point("half-way step", course, quantity, half, half, **sizes))
    for name in NETWORKS:
        own = [row for row in trained(rows) if _name(row) == name]
        for place, quantity in enumerate(QUANTITIES):
            if len(own) < 2:
                continue
            lags = np.array([lag(row, quantity) for row in own])
            found = intervals.mean(lags, DRAWN_CONFIDENCE)
            made.append(Point("lag", name, quantity, place, found.estimate, *found.interval))
    return made


def figure(points: Sequence[Point]):
    """The courses of one mechanism on each side, and the lags behind the loss."""
    from simulate.jobs import style

    fig, (left, middle, right) = style.row_of_axes(3, style.DOUBLE_COLUMN, 2.5, (1.0, 1.0, 0.8))
    colours = dict(zip(QUANTITIES, style.COLOURS, strict=False))
    for axes, name in ((left, "clamp"), (middle, "complement")):
        for quantity, label in QUANTITIES.items():
            for place, course in enumerate(series_of(points, axis=quantity, kind=name).values()):
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
        axes.set_title(name)
    left.set_ylabel("share")
    for offset, name, marker in ((0.1, "clamp", "o"), (-0.1, "complement", "s")):
        right.plot([], [], marker, color=style.GREY, markerfacecolor="white", label=name)
        for p in (p for p in points if p.axis == "lag" and p.series == name):
            low, high = p.low or p.y, p.high or p.y
            right.errorbar(
                [p.y],
                [offset - p.x],
                xerr=[[p.y - low], [high - p.y]],
                fmt=marker,
                color=colours[p.kind],
                markerfacecolor="white",
                elinewidth=0.9,
                capsize=1.5,
            )
    right.axvline(0.0, color=colours["kl"], linewidth=0.9)
    places = range(len(QUANTITIES))
    right.set_yticks([-p for p in places], ["loss, 9/10", "two modes", "agreement", "units"])
    right.set_ylim(-len(QUANTITIES) + 0.5, 0.5)
    right.set_xlabel("doublings after the loss")
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    handles, names = left.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside upper center", ncols=len(QUANTITIES))
    return fig


PANEL = Panel(
    NAME,
    "How the code forms, a line per network: presets `source` and `complement` (n=512, d=h=64, "
    "k=3; 12,000 and 8,000 steps; several seeds each). KL on 4,096 fresh inputs over ln(n/k), "
    "that of equal probabilities; the share of units whose weights read and written have two modes "
    "each; the agreement of the two masks, between that of shuffled tokens (0) and all entries "
    "(1); the share of units of the commoner orientation. Right: by how many doublings of the step "
    "half of each one's way is done after half of the loss's, and nine tenths of the loss's; "
    "mean over the seeds, 95 % interval (Student t).",
    tasks,
    checks,
    table,
    figure,
)
