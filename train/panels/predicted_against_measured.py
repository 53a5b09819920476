"""Every network's failures, TV and KL, predicted from its masks and levels, beside measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE, Check, Size, Which, agrees
from simulate.jobs.intervals import Count
from simulate.jobs.panel import Effort, Panel
from simulate.jobs.table import Kind, Point, measured_point
from simulate.jobs.tasks import Task
from simulate.panels.measured import size_label
from train.analysis.mechanism import Verdict
from train.analysis.prediction import NetworkComparison, Quantity, Source, share_inside
from train.analysis.prediction_figures import (
    Compared,
    comparison_id,
    draw_networks,
    networks_table,
)
from train.panels.analysed import (
    AnalysedNetwork,
    Dissection,
    analysed_task,
    dissected,
    recipes,
)
from train.panels.trained import mean_point, sizes, which
from train.training.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "predicted_against_measured"
# fewer false positives than this are predicted too seldom for an interval around a mean to hold
LEAST_COVERED = 1_000


class Axis(StrEnum):
    """What is in the table beside the networks of the figure."""

    INSIDE = "inside"
    RATIO = "measured_over_predicted"
    OVER_MASKS = "clamp_failure_over_masks"


def tasks(effort: Effort) -> list[Task[AnalysedNetwork]]:
    """All networks of the survey."""
    return [analysed_task(recipe, effort) for recipe in recipes(effort)]


def _at(recipe: Recipe, found: Dissection) -> dict[str, Size]:
    """What tells the networks of the survey apart."""
    return {
        **which(recipe),
        "mechanism": found.mechanism.verdict,
        "scale": recipe.embedding_scale,
    }


def _label(recipe: Recipe, found: Dissection) -> str:
    """For instance "n=128, k=2, d=32, clamp, scale 4, seed 0"."""
    label = size_label("nkd", **sizes(recipe))
    of = found.mechanism.verdict
    return f"{label}, {of}, scale {recipe.embedding_scale:g}, seed {recipe.seed}"


def checks(results: Sequence[AnalysedNetwork]) -> list[Check]:
    """Covered non-members against the exact law of the network's own masks."""
    made = []
    for each, found in dissected(results):
        label, at = _label(each.recipe, found), _at(each.recipe, found)
        exact = {
            row.quantity: row.predicted
            for row in found.comparisons
            if row.source is Source.MASKS and row.predicted_interval is None
        }
        predicted = exact.get(Quantity.MECHANISTIC_FAILURE_RATE)
        if predicted is not None:
            made.append(
                agrees(
                    Which(NAME, Quantity.MECHANISTIC_FAILURE_RATE, at),
                    f"inputs with covered tokens, {label}",
                    predicted,
                    found.covered.failing.at(CONFIDENCE),
                )
            )
        predicted = exact.get(Quantity.FALSE_POSITIVES)
        counted = found.covered.false_positives
        if predicted is not None and predicted * counted.samples >= LEAST_COVERED:
            made.append(
                agrees(
                    Which(NAME, Quantity.FALSE_POSITIVES, at),
                    f"covered tokens per input, {label}",
                    predicted,
                    counted.at(CONFIDENCE),
                )
            )
    return made


def comparisons(results: Sequence[AnalysedNetwork]) -> list[NetworkComparison]:
    """One for each network and comparison, by mechanism."""
    return [
        NetworkComparison(
            name=ids.of(**_at(each.recipe, found)),
            group=found.mechanism.verdict,
            **sizes(each.recipe),
            h=each.recipe.hidden,
            comparison=comparison,
        )
        for each, found in sorted(dissected(results), key=lambda pair: pair[1].mechanism.verdict)
        for comparison in found.comparisons
    ]


def table(results: Sequence[AnalysedNetwork]) -> list[Compared]:
    """The figure's networks; by quantity and source the share inside, and the ratios' range."""
    compared = comparisons(results)
    made: list[Point] = []
    for each in share_inside(compared):
        series = comparison_id(each.quantity, each.source)
        found = Count(round(each.inside * each.networks), each.networks).at()
        made.append(measured_point(Axis.INSIDE, series, Kind.MEASURED, each.networks, found))
        ratios = [
            row.comparison.measured.value / row.comparison.predicted
            for row in compared
            if (row.comparison.quantity, row.comparison.source) == (each.quantity, each.source)
            and row.comparison.predicted > 0.0
        ]
        if ratios:
            ends = (min(ratios), max(ratios))
            middle = float(np.median(ratios))
            made.append(Point(Axis.RATIO, series, Kind.MEASURED, 1, middle, *ends))
    made += _by_inputs(results)
    return [*networks_table(compared), *(Compared(**vars(point)) for point in made)]


def _by_inputs(results: Sequence[AnalysedNetwork]) -> list[Point]:
    """Failure rate of clamp networks over that of their masks, against C(n, k): means over seeds.

    `covered_inputs` asks why they are not 1.
    """
    ratios: dict[str, list[tuple[float, Recipe]]] = {}
    for each, found in dissected(results):
        for row in found.comparisons:
            wanted = (row.quantity, row.source) == (Quantity.FAILURE_RATE, Source.MASKS)
            clamp = found.mechanism.verdict is Verdict.CLAMP
            if wanted and clamp and row.predicted > 0.0:
                series = ids.of(**sizes(each.recipe))
                ratio = row.measured.value / row.predicted
                ratios.setdefault(series, []).append((ratio, each.recipe))
    made = []
    for series, own in ratios.items():
        recipe = own[0][1]
        inputs = math.comb(recipe.n, recipe.k)
        made.append(
            mean_point(Axis.OVER_MASKS, series, inputs, [ratio for ratio, _ in own], recipe)
        )
    return made


def draw(points: Sequence[Compared]) -> Figure:
    """Measured against predicted, a mark per network."""
    return draw_networks([p for p in points if p.axis not in set(Axis)])


PANEL = Panel(
    NAME,
    "Small networks fail less often than their masks predict; `covered_inputs` says why. "
    "Each mark is one trained network with 95 % intervals. Left: its failure rate, predicted from "
    "its own masks. Middle: predicted from random masks with as many bits for each token. Right: "
    "its total variation, predicted from the levels of its logits.",
    tasks,
    checks,
    table,
    draw,
)
