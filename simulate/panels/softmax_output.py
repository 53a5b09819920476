"""Panel 5: the real network's output at finite beta against the exact expectations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import constructions, kernels
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, Check, agrees, lies_within
from simulate.jobs.intervals import Estimate
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    measured_point,
    series_of,
    size_label,
)
from simulate.jobs.tasks import Result, Task
from simulate.network import divergence
from simulate.sampling import random_coefficients, random_hashes, random_sets
from theory.softmax_output import expected_divergence, total_variation_without_false_positive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "softmax_output"
CODES = ((200, 4, 64, 10), (12, 3, 20, 4))
BETAS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
SETS = 50  # inputs per hash family
C = 2.0  # coefficients alpha are uniform on [1, C]
MEASURES = ("total_variation", "kl", "squared_error")
LABELS = ("total variation", "KL(target $\\|$ output), nats", "squared error, summed")


def forward(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, families: int, sets: int
) -> Result:
    """Task: run the clamp network; family means of each measure at each beta, and agreement.

    `disagreements` counts inputs whose false positives differ between the float network's logits
    and the bit-packed query; `worst_excess` is the largest amount, at least 0, by which TV exceeds
    its bound on an input without a false positive.
    """
    means = np.empty((len(MEASURES), len(BETAS), families))
    disagreements, worst_excess = 0, 0.0
    for family in range(families):
        hashes = random_hashes(rng, n, d, m)
        tokens = random_sets(rng, sets, n, k)
        alpha = random_coefficients(rng, sets, k, C)
        packed = kernels.PackedHashes.of(hashes).count_false_positives(tokens)
        for place, beta in enumerate(BETAS):
            logits = constructions.clamp(hashes, beta).logits(tokens, alpha)
            covered = (logits >= beta * m - 1e-6).sum(axis=1) - k
            disagreements += int(np.count_nonzero(covered != packed))
            measured = divergence(logits, tokens)
            means[:, place, family] = [getattr(measured, name).mean() for name in MEASURES]
            without = measured.total_variation[packed == 0]
            bound = total_variation_without_false_positive(n, k, beta)
            worst_excess = max(worst_excess, float((without - bound).max(initial=0.0)))
    return {
        "means": means.mean(axis=2).tolist(),
        "standard_errors": (means.std(axis=2, ddof=1) / np.sqrt(families)).tolist(),
        "disagreements": disagreements,
        "worst_excess": worst_excess,
    }


def tasks(effort: Effort) -> list[Task]:
    """Forward passes of the clamp construction over independent hash families."""
    made = []
    for n, k, d, m in CODES:
        families = effort.unions // 40
        sizes = {"n": n, "k": k, "d": d, "m": m, "families": families, "sets": SETS}
        cost = families * 2e-3
        made.append(Task(f"{NAME}/{size_label(sizes)}", forward, sizes, cost))
    return made


def _estimate(row: Row, measure: int, place: int, confidence: float) -> Estimate:
    return intervals.from_standard_error(
        row["means"][measure][place],
        row["standard_errors"][measure][place],
        row["families"] - 1,
        confidence,
    )


def checks(rows: Sequence[Row]) -> list[Check]:
    """Every measure at every beta; packed and float paths agree on every input; the TV bound."""
    made = []
    for row in rows:
        n, k, d, m = (row[letter] for letter in "nkdm")
        for place, beta in enumerate(BETAS):
            exact = expected_divergence(n, k, d, m, beta)
            for measure, name in enumerate(MEASURES):
                made.append(
                    agrees(
                        NAME,
                        f"{name}, beta={beta:g}, {size_label(row)}",
                        getattr(exact, name),
                        _estimate(row, measure, place, CONFIDENCE),
                    )
                )
        made.append(
            lies_within(
                NAME,
                f"inputs whose false positives differ, bits or network, {size_label(row)}",
                0.0,
                row["disagreements"],
                (0.0, 0.0),
            )
        )
        made.append(
            lies_within(
                NAME,
                f"largest TV above N e^-beta / k without a false positive, {size_label(row)}",
                0.0,
                row["worst_excess"],
                (0.0, 1e-12),
            )
        )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Exact expectations over beta and the measured means."""
    made = []
    for row in rows:
        n, k, d, m = (row[letter] for letter in "nkdm")
        series = f"n={n}, k={k}, d={d}, m={m}"
        for beta in np.linspace(0.25, BETAS[-1] + 0.5, 60).tolist():
            exact = expected_divergence(n, k, d, m, beta)
            made += [
                Point(name, series, "exact", beta, getattr(exact, name), n=n, k=k, d=d, m=m)
                for name in MEASURES
            ]
        for measure, name in enumerate(MEASURES):
            for place, beta in enumerate(BETAS):
                estimate = _estimate(row, measure, place, DRAWN_CONFIDENCE)
                made.append(measured_point(name, series, "forward passes", beta, estimate, row))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """TV, KL and squared error against beta, on log axes."""
    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(MEASURES))
    for axis, name, label in zip(axes, MEASURES, LABELS, strict=True):
        drawn = series_of(points, axis=name)
        for colour, marker, (series, own) in zip(style.COLOURS, "os", drawn.items(), strict=False):
            curve = [p for p in own if p.kind == "exact"]
            axis.plot(
                [p.x for p in curve],
                [p.y for p in curve],
                color=colour,
                label=style.as_math(series),
            )
            style.error_bars(axis, [p for p in own if p.kind != "exact"], colour, marker)
        axis.set_yscale("log")
        axis.set_title(label)
        axis.set_xlabel(r"logit scale $\beta$")
    axes[0].set_ylabel("expectation over inputs and hashes")
    axes[2].legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "Distance of the softmax output from the uniform target over the k members against the "
    "logit scale beta: exact expectations (lines) and forward passes of the real network "
    "(markers). The floor at large beta is what false positives alone cost.",
    tasks,
    checks,
    table,
    figure,
)
