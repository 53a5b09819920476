"""Why networks fail on fewer inputs than their masks cover: memorised sets, or more than masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE, Check, Which, agrees
from simulate.jobs.intervals import Count, Share
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Named, Point, key, series_of, xs, ys
from simulate.jobs.tasks import Task
from simulate.network import ReluNetwork
from simulate.panels.measured import size_label
from train.analysis.construction_path import STEPS
from train.analysis.mechanism import Verdict
from train.measures import TrainedNetwork, seconds
from train.measures import trained as train_by
from train.panels.trained import mean_point, mechanism, sizes, which
from train.training.presets import PRESETS
from train.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "covered_inputs"
AS_TRAINED = "as_trained"
# by id, with what people read
PLACES: dict[str, str] = {AS_TRAINED: "as trained", **{step: step for step in STEPS}}
FAILING = "failing"  # the table's axis, and what is checked
_SHARE = 0.2
_SEEDS = 4
# of the covered inputs among the drawn, the most that the network is run on
_MOST = 20_000


class Drawn(Named):
    """Whether training may have drawn the token sets."""

    IN_TRAINING = "in_training", "drawn in training"
    HELD_OUT = "held_out", "held out"


@dataclass(frozen=True)
class Way:
    """Covered inputs of one kind: how many there were, and at each of PLACES how many fail.

    failing: of the first `inputs` of them, on which the network was run.
    """

    drawn: Drawn
    covered: int
    inputs: int
    failing: list[int]


@dataclass(frozen=True)
class CoveredNetwork:
    """A trained network with both kinds of ways; none where no unit clamps or complements."""

    network: TrainedNetwork
    ways: list[Way]


@dataclass(frozen=True)
class WayPoint(Point):
    """Mean share of covered inputs that fail at one place on the path."""

    mechanism: Verdict = key(Verdict.CLAMP)
    drawn: Drawn = key(Drawn.IN_TRAINING)
    place: str = key(AS_TRAINED)


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


def tasks(effort: Effort) -> list[Task[CoveredNetwork]]:
    """Train with held-out token sets, then count the failures of covered inputs."""
    sample = 200_000 if effort is QUICK else 1_000_000
    made = []
    for recipe in recipes(effort):
        at = ids.of(**which(recipe), start=recipe.start, scale=recipe.embedding_scale)
        arguments = {"recipe": recipe, "sample": sample}
        made.append(Task(f"{NAME}/{at}", train_and_count, arguments, seconds(recipe) + 10.0))
    return made


def train_and_count(rng: np.random.Generator, recipe: Recipe, sample: int) -> CoveredNetwork:
    """Task: train by the recipe, then run the network on what it covers of `sample` inputs."""
    import torch

    from train.analysis.covered_inputs import covered_inputs, failing_on_the_way
    from train.reading.masks import NEITHER, extract

    trained, state = train_by(recipe)
    if state is None:
        return CoveredNetwork(trained, [])
    assert state.held_out is not None  # as all recipes here have a share
    network = state.model.to_network()
    assert isinstance(network, ReluNetwork)  # recipes here are of the uniform task
    masks = extract(network, recipe.k, recipe.c)
    ways = []
    if (masks.orientation[masks.live] != NEITHER).any():
        tokens, alpha = covered_inputs(rng, masks, recipe.k, recipe.c, sample)
        held = state.held_out.holds(torch.from_numpy(tokens)).numpy()
        for drawn, among in ((Drawn.IN_TRAINING, ~held), (Drawn.HELD_OUT, held)):
            chosen = np.flatnonzero(among)[:_MOST]
            failed = failing_on_the_way(
                network, masks, recipe.k, recipe.c, tokens[chosen], alpha[chosen]
            )
            failing = failed.sum(axis=1).tolist()
            ways.append(Way(drawn, int(among.sum()), len(chosen), failing))
    return CoveredNetwork(trained, ways)


def commoner(network: TrainedNetwork) -> Verdict:
    """The commoner orientation of its units."""
    units = mechanism(network).units
    return Verdict.CLAMP if units.clamp >= units.complement else Verdict.COMPLEMENT


def checks(results: Sequence[CoveredNetwork]) -> list[Check]:
    """Exact: at the path's end, the filter of the masks, every covered input fails."""
    made = []
    for each in results:
        for way in each.ways:
            if way.inputs:
                recipe = each.network.recipe
                of = commoner(each.network)
                at = {**which(recipe), "mechanism": of, "drawn": way.drawn}
                found = Count(way.failing[-1], way.inputs).at(CONFIDENCE)
                label = f"{size_label('nkd', **sizes(recipe))}, {of}, seed {recipe.seed}"
                label = f"exact filter fails, {label}, {way.drawn.label}"
                made.append(agrees(Which(NAME, FAILING, at), label, 1.0, found))
    return made


def table(results: Sequence[CoveredNetwork]) -> list[WayPoint]:
    """Share of the covered inputs that fail, by place on the path; means over seeds."""
    groups: dict[tuple[Verdict, tuple[int, int, int]], list[CoveredNetwork]] = {}
    for each in results:
        if each.ways and all(way.inputs for way in each.ways):
            recipe = each.network.recipe
            size = (recipe.n, recipe.k, recipe.d)
            groups.setdefault((commoner(each.network), size), []).append(each)
    made = []
    for (of, _), own in groups.items():
        recipe = own[0].network.recipe
        label = size_label("nkd", **sizes(recipe))
        for number, drawn in enumerate(Drawn):
            ways = [each.ways[number] for each in own]
            series = ids.of(mechanism=of, **sizes(recipe), drawn=drawn)
            for x, place in enumerate(PLACES):
                shares = [way.failing[x] / way.inputs for way in ways]
                mean = mean_point(FAILING, series, x, shares, recipe, label, Share)
                made.append(WayPoint(**vars(mean), mechanism=of, drawn=drawn, place=place))
    return made


def draw(points: Sequence[WayPoint]) -> Figure:
    """One pair of axes for each mechanism; a colour for each size."""
    from simulate.jobs import style

    mechanisms = list(dict.fromkeys(point.mechanism for point in points))
    fig, every = style.row_of_axes(max(len(mechanisms), 1), style.DOUBLE_COLUMN, 3.0)
    sizes_of = list(dict.fromkeys((point.n, point.k, point.d) for point in points))
    marks = {Drawn.IN_TRAINING: ("-", "o"), Drawn.HELD_OUT: ("--", "s")}
    for axes, name in zip(every, mechanisms, strict=False):
        for own in series_of(points, mechanism=name).values():
            line, marker = marks[own[0].drawn]
            colour = style.COLOURS[sizes_of.index((own[0].n, own[0].k, own[0].d))]
            style.error_bars(axes, own, colour, marker)
            axes.plot(
                xs(own),
                ys(own),
                color=colour,
                linestyle=line,
                linewidth=0.9,
                label=style.sizes(own[0], "nkd") if line == "-" else None,
            )
        axes.set_title(str(name))
        if axes is not every[0]:
            axes.sharey(every[0])
        axes.set_yscale("log")
        axes.set_xticks(range(len(PLACES)), list(PLACES.values()), rotation=35, ha="right")
        axes.set_xlabel("replaced so far")
    every[0].set_ylabel("share of covered inputs that fail")
    handles, _ = every[0].get_legend_handles_labels()
    handles += style.grey_marks({drawn.label: mark for drawn, mark in marks.items()})
    fig.legend(handles=handles, loc="outside upper center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "Trained networks fail on fewer inputs than their masks cover, until their parts are replaced, "
    "one after the other, by what the masks say; an exact filter fails on all. At "
    "k = 2 the networks have memorised the token sets of training, and fail on fewer of them than "
    "of others. Bars are 95 % intervals over the seeds.",
    tasks,
    checks,
    table,
    draw,
)
