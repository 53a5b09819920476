"""Every network's failures, TV and KL, predicted from its masks and levels, beside measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, Check, agrees
from simulate.jobs.panel import DRAWN_CONFIDENCE, Effort, Panel, Point, Row, size_label
from simulate.jobs.tasks import Task
from train.panels.analysed import analysed_task, mean_point, recipes, trained

NAME = "predicted_against_measured"
# fewer false positives than this are predicted too seldom for an interval around a mean to hold
LEAST_COVERED = 1_000


def tasks(effort: Effort) -> list[Task]:
    """All networks of the survey."""
    return [analysed_task(recipe, effort) for recipe in recipes(effort)]


def label(row: Row) -> str:
    """For instance "n=128, k=2, d=32, clamp, seed 0"."""
    return (
        f"{size_label(row, 'nkd')}, {row['verdict']}, scale {row['embedding_scale']:g}, seed "
        + (str(row["seed"]))
    )


def checks(rows: Sequence[Row]) -> list[Check]:
    """Covered non-members against the exact law of the network's own masks."""
    made = []
    for row in trained(rows):
        covered = row["covered"]
        exact = {
            each["quantity"]: each["predicted"]
            for each in row["comparisons"]
            if each["source"] == "masks" and each["predicted_interval"] is None
        }
        if (predicted := exact.get("mechanistic_failure_rate")) is not None:
            found = intervals.proportion(covered["failing"], covered["inputs"], CONFIDENCE)
            made.append(agrees(NAME, f"inputs with covered tokens, {label(row)}", predicted, found))
        predicted = exact.get("false_positives")
        if predicted is not None and predicted * covered["inputs"] >= LEAST_COVERED:
            found = intervals.from_standard_error(
                covered["mean"], covered["standard_error"], covered["inputs"] - 1, CONFIDENCE
            )
            made.append(agrees(NAME, f"covered tokens per input, {label(row)}", predicted, found))
    return made


def comparisons(rows: Sequence[Row]) -> list[Row]:
    """One row for each network and comparison, as `prediction.compare_networks` has them."""
    return [
        {"name": label(row), "group": row["verdict"]}
        | {letter: row[letter] for letter in "nkd"}
        | comparison
        for row in sorted(trained(rows), key=lambda row: row["verdict"])
        for comparison in row["comparisons"]
    ]


def table(rows: Sequence[Row]) -> list[Point]:
    """The figure's networks; by quantity and source the share inside, and the ratios' range."""
    from train.analysis.prediction import share_inside
    from train.analysis.prediction_figures import networks_table

    compared = comparisons(rows)
    made = networks_table(compared)
    for each in share_inside(compared):
        quantity, source, networks = each["quantity"], each["source"], each["networks"]
        series = f"{quantity} from {source}"
        inside = round(each["inside"] * networks)
        found = intervals.proportion(inside, networks, DRAWN_CONFIDENCE)
        made.append(
            Point("inside", series, each["kind"], networks, found.estimate, *found.interval)
        )
        ratios = [
            row["measured"]["value"] / row["predicted"]
            for row in compared
            if (row["quantity"], row["source"]) == (quantity, source) and row["predicted"] > 0.0
        ]
        if ratios:
            middle = float(np.median(ratios))
            ends = (min(ratios), max(ratios))
            made.append(Point("measured over predicted", series, "median, range", 1, middle, *ends))
    return [*made, *_by_inputs(rows)]


def _by_inputs(rows: Sequence[Row]) -> list[Point]:
    """Failure rate of clamp networks over that of their masks, against C(n, k): means over seeds.

    `covered_inputs` asks why they are not 1.
    """
    ratios: dict[tuple[int, int, int], list[tuple[float, Row]]] = {}
    for row in trained(rows):
        for each in row["comparisons"]:
            wanted = (each["quantity"], each["source"]) == ("failure_rate", "masks")
            if wanted and row["verdict"] == "clamp" and each["predicted"] > 0.0:
                ratio = each["measured"]["value"] / each["predicted"]
                ratios.setdefault((row["n"], row["k"], row["d"]), []).append((ratio, row))
    return [
        mean_point(
            "clamp, failure_rate over masks",
            f"n={n}, k={k}, d={d}",
            math.comb(n, k),
            [ratio for ratio, _ in own],
            own[0][1],
        )
        for (n, k, d), own in ratios.items()
    ]


def figure(points: Sequence[Point]):
    """Measured against predicted, a mark per network."""
    from train.analysis.prediction_figures import draw_networks

    return draw_networks([p for p in points if " from " in p.axis])


PANEL = Panel(
    NAME,
    "Measured against predicted, a mark per trained network with its 95 % interval over 100,000 "
    "fresh inputs (20,000 in a quick run), by the mechanism that it learned. Left: failure rate, "
    "from the network's own masks by enumeration of all inputs up to 2^25, else of 2^23 random "
    "ones. Middle: the same from random masks with as many bits for each token. Right: total "
    "variation from the levels of its logits. Titles: how many intervals hold the prediction. n, "
    "k and d of each are in the CSV, with shares inside and ratios for all quantities.",
    tasks,
    checks,
    table,
    figure,
)
