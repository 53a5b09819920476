"""What constant column weight buys over Bernoulli bits and draws with replacement."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from simulate.column_weight import (
    bernoulli_hashes,
    count_over_families,
    misranked,
    with_replacement_hashes,
)
from simulate.jobs.checks import CONFIDENCE, Check, Which, agrees, lies_within
from simulate.jobs.intervals import DRAWN_CONFIDENCE, ClusteredCount
from simulate.jobs.panel import Effort, Panel
from simulate.jobs.table import Kind, Named, Point, measured_point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.panels.measured import Sizes
from simulate.sampling import random_hashes, random_sets
from theory import column_weight
from theory.codes import Scheme
from theory.fixed_weight import FIXED_WEIGHT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "column_weight"
N, K = 1000, 4
SMALLEST = 1e-12
TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
UNBIASED_TARGETS = (1e-1, 1e-3, 1e-6)
# the extra width is exact at these k and this P_fail, beside its limit for small P_fail
EXTRA_K, EXTRA_EPSILON = (2, 3, 4, 8, 16), 1e-6
LIMIT_K = (2, 3, 4, 6, 8, 12, 16, 24, 32)
# widths are whole, 83 bits and more, and the rates carry an O(1) prefactor
EXTRA_TOLERANCE = 0.02


class Quantity(StrEnum):
    """What is checked."""

    FAILURE = "failure"
    EXTRA_WIDTH = "extra_width"


class Axis(StrEnum):
    """What is drawn."""

    FAILURE = "failure"
    EXTRA = "extra"


class Weight(Named):
    """Laws of the masks' weight; the last is BERNOULLI read without output biases."""

    CONSTANT = "constant", "constant weight"
    REPLACED = "with_replacement", "with replacement"
    BERNOULLI = "bernoulli", "Bernoulli bits"
    UNBIASED = "bernoulli_unbiased", "Bernoulli, no output bias"


@dataclass(frozen=True)
class Law:
    """How masks are drawn, (rng, n, d, parameter), and their exact theory.

    extra: (k) -> the limit of the extra width over constant weight.
    """

    draw: Callable[..., np.ndarray]
    scheme: Scheme[int] | Scheme[float]
    extra: Callable[[int], float] | None = None

    def smallest(self, k: int, epsilon: float) -> int:
        """The smallest width with P_fail <= epsilon."""
        return self.scheme.smallest_width(N, k, epsilon).width


LAWS = {
    Weight.CONSTANT: Law(random_hashes, FIXED_WEIGHT),
    Weight.REPLACED: Law(
        with_replacement_hashes,
        column_weight.WITH_REPLACEMENT,
        column_weight.with_replacement_extra_width,
    ),
    Weight.BERNOULLI: Law(
        bernoulli_hashes, column_weight.INDEPENDENT, column_weight.bernoulli_extra_width
    ),
}
MARKERS = dict(zip(Weight, "osDx", strict=True))


@dataclass(frozen=True)
class Measured:
    """Failures over fresh families of one law, at width d with its best m or density."""

    weight: Weight
    d: int
    failures: ClusteredCount


def measure(
    rng: np.random.Generator, weight: Weight, d: int, parameter: float, families: int, sets: int
) -> Measured:
    """Task: count inputs with a false positive. parameter: m, or the density."""
    draw = LAWS[weight].draw
    counts = count_over_families(rng, lambda rng: draw(rng, N, d, parameter), K, families, sets)
    return Measured(weight, d, ClusteredCount(counts.failures.tolist(), sets))


def measure_unbiased(
    rng: np.random.Generator, d: int, rho: float, families: int, sets: int
) -> Measured:
    """Task: inputs that a readout without output biases gets wrong, of Bernoulli masks."""
    failures = []
    for _ in range(families):
        hashes = bernoulli_hashes(rng, N, d, rho)
        failures.append(int(misranked(hashes, random_sets(rng, sets, N, K)).sum()))
    return Measured(Weight.UNBIASED, d, ClusteredCount(failures, sets))


def tasks(effort: Effort) -> list[Task[Measured]]:
    """Direct counts of all three laws at the widths that their targets ask for."""
    families = effort.families_for(N)
    made = []
    for weight, law in LAWS.items():
        for target in (target for target in TARGETS if target >= effort.smallest_direct):
            d = law.smallest(K, target)
            total = min(max(2e5, 400 / target), effort.sets)
            arguments = {
                "weight": weight,
                "d": d,
                "parameter": law.scheme.at_best(N, K, d).parameter,
            }
            arguments |= {"families": families, "sets": round(total / families)}
            cost = families * 8e-4 + total * 1e-7
            made.append(Task(f"{NAME}/{weight}/d={d}", measure, arguments, cost))
    for target in UNBIASED_TARGETS:
        code = column_weight.INDEPENDENT.smallest_width(N, K, target)
        arguments = {"d": code.width, "rho": code.parameter}
        arguments |= {"families": families // 4, "sets": 50}
        name = f"{NAME}/{Weight.UNBIASED}/d={code.width}"
        made.append(Task(name, measure_unbiased, arguments, families * 1e-3))
    return made


def checks(results: Sequence[Measured]) -> list[Check]:
    """Every counted P_fail against its exact value; the limits of the extra width."""
    made = []
    for each in (each for each in results if each.weight in LAWS):
        exact = LAWS[each.weight].scheme.at_best(N, K, each.d).failure_probability
        which = Which(NAME, Quantity.FAILURE, {"d": each.d, "weight": each.weight})
        text = f"P_fail, {each.weight.label}, {Sizes(N, K, each.d).label()}"
        made.append(agrees(which, text, exact, each.failures.at(CONFIDENCE)))
    for weight, law in LAWS.items():
        if law.extra:
            worst = max((_extra_width(weight, k) - law.extra(k) for k in EXTRA_K), key=abs)
            which = Which(NAME, Quantity.EXTRA_WIDTH, {"weight": weight})
            text = (
                f"extra width, {weight.label}: exact at P_fail = {EXTRA_EPSILON:g} less its limit"
            )
            reach = (-EXTRA_TOLERANCE, EXTRA_TOLERANCE)
            made.append(lies_within(which, text, 0.0, worst, reach))
    return made


@cache
def _extra_width(weight: Weight, k: int) -> float:
    """Exact: a law's smallest width over that of constant weight, less 1."""
    wider, narrowest = (LAWS[each].smallest(k, EXTRA_EPSILON) for each in (weight, Weight.CONSTANT))
    return wider / narrowest - 1.0


def table(results: Sequence[Measured]) -> list[Point]:
    """P_fail against width, exact and measured; the extra width against k, exact and its limit."""
    made = []
    for weight, law in LAWS.items():
        first, last = law.smallest(K, 0.5), law.smallest(K, SMALLEST)
        for d in np.unique(np.linspace(first, last, 25).astype(int)).tolist():
            best = law.scheme.at_best(N, K, d)
            m = None if weight == Weight.BERNOULLI else int(best.parameter)
            y = best.failure_probability
            made.append(Point(Axis.FAILURE, weight, Kind.EXACT, d, y, n=N, k=K, d=d, m=m))
    for each in results:
        found = each.failures.at(DRAWN_CONFIDENCE)
        sizes = Sizes(N, K, each.d).at
        made.append(measured_point(Axis.FAILURE, each.weight, Kind.DIRECT, each.d, found, **sizes))
    for weight, law in LAWS.items():
        if law.extra:
            for k in LIMIT_K:
                y = 100 * law.extra(k)
                made.append(Point(Axis.EXTRA, weight, Kind.ASYMPTOTIC, k, y, k=k))
            for k in EXTRA_K:
                y = 100 * _extra_width(weight, k)
                made.append(Point(Axis.EXTRA, weight, Kind.EXACT, k, y, n=N, k=k))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Left: P_fail against d for the three laws. Right: their extra width against k."""
    from simulate.jobs import style

    fig, (failure, extra) = style.row_of_axes(2, height=2.8, ratios=(1.25, 1))
    colours = dict(zip(Weight, (*style.COLOURS[:3], style.GREY), strict=True))
    for series, own in series_of(points, axis=Axis.FAILURE).items():
        weight = Weight(series)
        style.curve(failure, of_kind(own, Kind.EXACT), color=colours[weight])
        counted = of_kind(own, Kind.DIRECT)
        style.error_bars(failure, counted, colours[weight], MARKERS[weight], label=own[0].shown)
    style.failure_against_width(failure, SMALLEST)
    failure.set_ylim(None, 5)
    failure.set_xlim(0, 1.02 * max(p.x for p in points if p.axis == Axis.FAILURE))
    failure.set_title(f"$n={N}$, $k={K}$: lines exact, markers counted")
    failure.legend(loc="lower left")
    for series, own in series_of(points, axis=Axis.EXTRA).items():
        weight = Weight(series)
        look = {"color": colours[weight]}
        style.curve(extra, of_kind(own, Kind.ASYMPTOTIC), "--", **look, label=own[0].shown)
        style.curve(extra, of_kind(own, Kind.EXACT), MARKERS[weight], **look)
    extra.set_xscale("log", base=2)
    extra.set_yscale("log")
    extra.set_ylim(0.3, 150)
    extra.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
    extra.set_yticks([1, 10, 100], ["1 %", "10 %", "100 %"])
    extra.set_xlabel("active tokens $k$")
    extra.set_ylabel("extra width")
    extra.set_title("over constant weight")
    exponent = round(math.log10(EXTRA_EPSILON))
    meanings = {
        rf"exact, $n={N}$, $P_\mathrm{{fail}} = 10^{{{exponent}}}$": ("none", "s"),
        r"limit $P_\mathrm{fail} \to 0$": ("--", None),
    }
    style.legends(extra, meanings, series_at="center right")
    return fig


PANEL = Panel(
    NAME,
    "Constant weight needs the least width: draws with replacement need 12 % more at k = 2 and "
    "less beyond, independent Bernoulli bits 57 %, falling to e (ln 2)^2 - 1 = 31 % at large k. "
    "Each at its best m or density. Where weights vary, a token takes an output bias; without it "
    "(crosses) most inputs fail.",
    tasks,
    checks,
    table,
    draw,
)
