"""The real network's output at finite beta against the exact expectations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import constructions, kernels
from simulate.jobs.checks import CONFIDENCE, Check, Which, agrees, lies_within
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Mean
from simulate.jobs.panel import Effort, Panel
from simulate.jobs.table import Kind, Named, Point, measured_point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.network import Divergence, divergence
from simulate.panels.measured import Sizes
from simulate.sampling import random_coefficients, random_hashes, random_sets
from theory.softmax_output import (
    ExpectedDivergence,
    expected_divergence,
    total_variation_without_false_positive,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "softmax_output"
CODES = (Sizes(200, 4, 64, 10), Sizes(12, 3, 20, 4))
BETAS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
SETS = 50  # inputs per hash family
C = 2.0  # coefficients alpha are uniform on [1, C]


class Measure(Named):
    """Distances from the target; each is checked, and has axes of its own."""

    TOTAL_VARIATION = "total_variation", "total variation"
    KL = "kl", r"KL(target $\|$ output), nats"
    SQUARED_ERROR = "squared_error", "squared error, summed"


class Quantity(StrEnum):
    """What is checked beside the measures."""

    DISAGREEMENTS = "disagreements"
    TV_BOUND = "tv_bound"


OF: dict[Measure, Callable[[Divergence | ExpectedDivergence], np.ndarray | float]] = {
    Measure.TOTAL_VARIATION: lambda distance: distance.total_variation,
    Measure.KL: lambda distance: distance.kl,
    Measure.SQUARED_ERROR: lambda distance: distance.squared_error,
}


@dataclass(frozen=True)
class AtBeta:
    """Mean distances at one beta, over hash families."""

    beta: float
    means: dict[Measure, Mean]


@dataclass(frozen=True)
class Outputs:
    """What the clamp network of a code puts out.

    disagreements: inputs whose false positives differ between the float network's logits and the
    bit-packed query. worst_excess: the largest amount, at least 0, by which TV exceeds its bound
    on an input without a false positive.
    """

    sizes: Sizes
    by_beta: list[AtBeta]
    disagreements: int
    worst_excess: float


def forward(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, families: int, sets: int
) -> Outputs:
    """Task: run the clamp network on `sets` inputs of each hash family at each beta."""
    means = np.empty((len(BETAS), len(Measure), families))
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
            means[place, :, family] = [np.mean(of(measured)) for of in OF.values()]
            without = measured.total_variation[packed == 0]
            bound = total_variation_without_false_positive(n, k, beta)
            worst_excess = max(worst_excess, float((without - bound).max(initial=0.0)))
    by_beta = [
        AtBeta(beta, {name: Mean.of(values) for name, values in zip(OF, each, strict=True)})
        for beta, each in zip(BETAS, means, strict=True)
    ]
    return Outputs(Sizes(n, k, d, m), by_beta, disagreements, worst_excess)


def tasks(effort: Effort) -> list[Task[Outputs]]:
    """Forward passes of the clamp construction over independent hash families."""
    families = effort.unions // 40
    options = {"families": families, "sets": SETS}
    return [
        Task(f"{NAME}/{sizes.id}", forward, {**sizes.at, **options}, families * 2e-3)
        for sizes in CODES
    ]


def checks(results: Sequence[Outputs]) -> list[Check]:
    """Every measure at every beta; packed and float paths agree on every input; the TV bound."""
    made = []
    for each in results:
        at, label = each.sizes.at, each.sizes.label()
        n, k, d, m = astuple(each.sizes)
        for found in each.by_beta:
            exact = expected_divergence(n, k, d, m, found.beta)
            for measure, mean in found.means.items():
                which = Which(NAME, measure, {**at, "beta": found.beta})
                text = f"{measure}, beta={found.beta:g}, {label}"
                made.append(agrees(which, text, float(OF[measure](exact)), mean.at(CONFIDENCE)))
        for quantity, text, observed, most in (
            (
                Quantity.DISAGREEMENTS,
                "inputs whose false positives differ, bits or network",
                each.disagreements,
                0.0,
            ),
            (
                Quantity.TV_BOUND,
                "largest TV above N e^-beta / k without a false positive",
                each.worst_excess,
                1e-12,
            ),
        ):
            which = Which(NAME, quantity, at)
            made.append(lies_within(which, f"{text}, {label}", 0.0, observed, (0.0, most)))
    return made


def table(results: Sequence[Outputs]) -> list[Point]:
    """Exact expectations over beta and the measured means."""
    made = []
    for each in results:
        series, at = each.sizes.id, each.sizes.at
        n, k, d, m = astuple(each.sizes)
        for beta in np.linspace(0.25, BETAS[-1] + 0.5, 60).tolist():
            exact = expected_divergence(n, k, d, m, beta)
            made += [
                Point(name, series, Kind.EXACT, beta, float(of(exact)), **at)
                for name, of in OF.items()
            ]
        for found in each.by_beta:
            for name, mean in found.means.items():
                shown = mean.at(DRAWN_CONFIDENCE)
                made.append(
                    measured_point(name, series, Kind.FORWARD_PASS, found.beta, shown, **at)
                )
    return made


def draw(points: Sequence[Point]) -> Figure:
    """TV, KL and squared error against beta, on log axes."""
    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(Measure))
    for axis, measure in zip(axes, Measure, strict=True):
        drawn = series_of(points, axis=measure).values()
        for colour, line, marker, own in zip(style.COLOURS, ("-", "--"), "os", drawn, strict=False):
            label = style.sizes(own[0], "nkdm")
            style.curve(axis, of_kind(own, Kind.EXACT), line, color=colour, label=label)
            style.error_bars(axis, of_kind(own, Kind.FORWARD_PASS), colour, marker)
        axis.set_yscale("log")
        axis.set_title(measure.label)
        axis.set_xlabel(r"logit scale $\beta$")
    axes[0].set_ylabel("expectation over inputs and hashes")
    axes[2].legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "As the logit scale beta grows, the softmax output comes near the uniform target over the k "
    "members, down to a floor that false positives alone cost. Lines: exact expectations; markers: "
    "forward passes of the real network.",
    tasks,
    checks,
    table,
    draw,
)
