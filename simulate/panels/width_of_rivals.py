"""Who needs how much width, against epsilon, k and n: the Bloom filter and its rivals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate import dense_codes
from simulate.column_weight import (
    bernoulli_hashes,
    count_over_families,
    with_replacement_hashes,
)
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, Which, agrees, lies_within
from simulate.jobs.intervals import DRAWN_CONFIDENCE, ClusteredCount
from simulate.jobs.panel import QUICK, Effort, Panel
from simulate.jobs.table import Kind, Named, Point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.network import membership
from simulate.panels.measured import Sizes
from simulate.panels.pseudo_inverse import count
from simulate.sampling import random_hashes, random_sets
from theory import dense_codes as dense_theory
from theory.codes import Scheme
from theory.column_weight import INDEPENDENT, WITH_REPLACEMENT
from theory.fixed_weight import FIXED_WEIGHT
from theory.moment_curve import radon_width
from theory.pseudo_inverse import PSEUDO_INVERSE
from theory.width import information_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "width_of_rivals"
SETS = 50  # inputs per random code


class Quantity(StrEnum):
    """What is checked."""

    FAILURE = "failure"


class Axis(StrEnum):
    """What is drawn: the width against one of the sizes, the others those of BASE."""

    EPSILON = "1/epsilon"
    K = "k"
    N = "n"


class Code(Named):
    """Codes, and limits to all of them."""

    FIXED_WEIGHT = "bloom", "Bloom filter, $m$ bits a token"
    WITH_REPLACEMENT = "bloom_with_replacement", "Bloom, $m$ draws with replacement"
    INDEPENDENT = "bloom_independent", "Bloom, independent bits"
    PSEUDO_INVERSE = "pseudo_inverse", "pseudo-inverse of random $W_U$"
    THRESHOLDED = "thresholded_signs", "random signs, thresholded"
    LINEAR = "linear_signs", "random signs, linear readout"
    AFFINE = "affine_limit", "any code, affine readout"
    RADON = "linear_readout_limit", "any linear readout (Radon)"
    INFORMATION = "information_limit", "any residual of $d$ bits"


@dataclass(frozen=True)
class Inputs:
    """n tokens, k of them active, and what is wanted: an error of at most epsilon."""

    n: int
    k: int
    epsilon: float


BASE = Inputs(1024, 4, 0.1)
AXES = {
    Axis.EPSILON: [Inputs(1024, 4, 10.0**-e) for e in np.linspace(0.5, 12, 12).tolist()],
    Axis.K: [Inputs(1024, k, 0.1) for k in (2, 3, 4, 6, 8, 12, 16, 24, 32)],
    Axis.N: [Inputs(int(n), 4, 0.1) for n in np.logspace(2, 6, 9)],
}
MEASURED = {
    Axis.EPSILON: [BASE, Inputs(1024, 4, 0.01)],
    Axis.K: [Inputs(1024, 2, 0.1), Inputs(1024, 8, 0.1)],
    Axis.N: [Inputs(4096, 4, 0.1)],
}
PLACE: dict[Axis, Callable[[Inputs], float]] = {
    Axis.EPSILON: lambda inputs: 1.0 / inputs.epsilon,
    Axis.K: lambda inputs: inputs.k,
    Axis.N: lambda inputs: inputs.n,
}
SCHEMES: dict[Code, Scheme[Any]] = {
    Code.FIXED_WEIGHT: FIXED_WEIGHT,
    Code.WITH_REPLACEMENT: WITH_REPLACEMENT,
    Code.INDEPENDENT: INDEPENDENT,
    Code.PSEUDO_INVERSE: PSEUDO_INVERSE,
    Code.THRESHOLDED: dense_theory.THRESHOLDED_SIGNS,
}
MASKS: dict[Code, Callable[..., np.ndarray]] = {
    Code.FIXED_WEIGHT: random_hashes,
    Code.WITH_REPLACEMENT: with_replacement_hashes,
    Code.INDEPENDENT: bernoulli_hashes,
}
# of the squared-error rivals the widths are of the order of n/epsilon and of n
OTHERS: dict[Code, tuple[Kind, Callable[[Inputs], float]]] = {
    Code.LINEAR: (Kind.EXACT, lambda of: dense_theory.linear_readout_width(of.n, of.epsilon)),
    Code.AFFINE: (Kind.LOWER_BOUND, lambda of: dense_theory.affine_width(of.n, of.k, of.epsilon)),
    Code.RADON: (Kind.LOWER_BOUND, lambda of: radon_width(of.k)),
    Code.INFORMATION: (Kind.LOWER_BOUND, lambda of: information_width(of.n, of.k, of.epsilon)),
}


@dataclass(frozen=True)
class Measured:
    """Failing inputs of random codes of one rival, at its own smallest width for `wanted`."""

    code: Code
    wanted: Inputs
    d: int
    failures: ClusteredCount

    @property
    def sizes(self) -> Sizes:
        """The code's and its inputs' sizes."""
        return Sizes(self.wanted.n, self.wanted.k, self.d)


def count_failures(
    rng: np.random.Generator,
    code: Code,
    wanted: Inputs,
    d: int,
    parameter: float | None,
    families: int,
    sets: int,
) -> Measured:
    """Task: failing inputs of each of `families` random codes of one rival."""
    n, k = wanted.n, wanted.k
    if code == Code.PSEUDO_INVERSE:
        failures = count(rng, n, k, d, families, sets).failures
        assert failures is not None
        return Measured(code, wanted, d, failures)
    if code == Code.THRESHOLDED:
        found = [_misread(rng, n, k, d, parameter or 0.0, sets) for _ in range(families)]
    else:
        draw = MASKS[code]
        counts = count_over_families(rng, lambda rng: draw(rng, n, d, parameter), k, families, sets)
        found = counts.failures.tolist()
    return Measured(code, wanted, d, ClusteredCount(found, sets))


def _misread(rng: np.random.Generator, n: int, k: int, d: int, cut: float, sets: int) -> int:
    """Inputs of one random sign code that the threshold cut/d reads wrongly, alpha = 1."""
    tokens = random_sets(rng, sets, n, k)
    y = dense_codes.linear_readout(dense_codes.random_signs(rng, n, d), tokens, np.ones((sets, k)))
    wrong = dense_codes.threshold_errors(y, membership(tokens, n), cut / d)
    return int(np.count_nonzero(wrong[0] + wrong[1]))


def tasks(effort: Effort) -> list[Task[Measured]]:
    """Failures of each rival at its own smallest width."""
    families = 100 if effort is QUICK else 2 * effort.families
    made = []
    groups = [MEASURED[Axis.EPSILON]] if effort is QUICK else MEASURED.values()
    for wanted in (inputs for group in groups for inputs in group):
        for code, scheme in SCHEMES.items():
            best = scheme.smallest_width(**vars(wanted))
            arguments = {"code": code, "wanted": wanted, "d": best.width}
            arguments |= {"parameter": best.parameter, "families": families, "sets": SETS}
            name = f"{NAME}/{code}/{Sizes(wanted.n, wanted.k, best.width).id}"
            cost = families * wanted.n * best.width * 3e-8
            made.append(Task(name, count_failures, arguments, cost))
    return made


def checks(results: Sequence[Measured]) -> list[Check]:
    """At its own smallest width each rival fails as often as its formula says, or its bound."""
    made = []
    for each in results:
        scheme, sizes = SCHEMES[each.code], each.sizes
        predicted = scheme.at_best(**sizes.at).failure_probability
        measured = each.failures.at(CONFIDENCE)
        which = Which(NAME, Quantity.FAILURE, {**sizes.at, "code": each.code})
        label = f"{each.code}, {sizes.label()}"
        if Kind(scheme.kind) == Kind.EXACT:
            made.append(agrees(which, f"P_fail, {label}", predicted, measured))
        else:
            text = f"lower end of P_fail's interval, at most its bound, {label}"
            low = measured.interval[0]
            made.append(lies_within(which, text, predicted, low, (0.0, predicted), FALSE_ALARM))
    return made


def table(results: Sequence[Measured]) -> list[Point]:
    """Every rival's width along each axis, and the measured failures as widths."""
    made = []
    for axis, places in AXES.items():
        for wanted in places:
            widths: dict[Code, tuple[str, float]] = {
                code: (scheme.kind, scheme.smallest_width(**vars(wanted)).width)
                for code, scheme in SCHEMES.items()
            }
            for code, (kind, d) in widths.items():
                x = PLACE[axis](wanted)
                made.append(Point(axis, code, Kind(kind), x, d, n=wanted.n, k=wanted.k))
            for code, (of, width) in OTHERS.items():
                x = PLACE[axis](wanted)
                made.append(Point(axis, code, of, x, width(wanted), n=wanted.n, k=wanted.k))
    for axis, places in MEASURED.items():
        # those at BASE stand on every axis
        shown = [each for each in results if each.wanted in (BASE, *places)]
        made += [_as_width(axis, each) for each in shown]
    return made


def _as_width(axis: Axis, each: Measured) -> Point:
    """The width at which the rival's formula has the measured P_fail, by its local slope."""
    n, k, d = each.wanted.n, each.wanted.k, each.d
    predicted, beyond = (
        SCHEMES[each.code].at_best(n, k, width).failure_probability for width in (d, d + 8)
    )
    slope = math.log(beyond / predicted) / 8
    measured = each.failures.at(DRAWN_CONFIDENCE)
    widest, middle, narrowest = (
        d - math.log(max(p, 1e-300) / predicted) / slope
        for p in (measured.interval[1], measured.value, measured.interval[0])
    )
    x = PLACE[axis](each.wanted)
    return Point(axis, each.code, Kind.DIRECT, x, middle, narrowest, widest, n, k, d)


def draw(points: Sequence[Point]) -> Figure:
    """Width on a log axis against 1/epsilon, k and n."""
    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(AXES), height=3.4)
    blue, red, green, pink, orange, sky = style.COLOURS
    looks: dict[Code, tuple[str, str, str, float]] = {
        Code.FIXED_WEIGHT: (blue, "-", "o", 2.2),
        Code.WITH_REPLACEMENT: (red, "--", "s", 1.3),
        Code.INDEPENDENT: (green, "-", "^", 1.3),
        Code.PSEUDO_INVERSE: (pink, "-.", "D", 1.3),
        Code.THRESHOLDED: (orange, "--", "v", 1.3),
        Code.LINEAR: (sky, "-", "", 1.3),
        Code.AFFINE: (style.GREY, "--", "", 1.3),
        Code.RADON: (style.INK, ":", "", 1.3),
        Code.INFORMATION: (style.INK, "-.", "", 1.3),
    }
    titles = {
        Axis.EPSILON: (r"$1/\epsilon$", f"$n={BASE.n}$, $k={BASE.k}$"),
        Axis.K: ("$k$", rf"$n={BASE.n}$, $\epsilon={BASE.epsilon:g}$"),
        Axis.N: ("$n$", rf"$k={BASE.k}$, $\epsilon={BASE.epsilon:g}$"),
    }
    for panel, (axis, (label, title)) in zip(axes, titles.items(), strict=True):
        for series, own in series_of(points, axis=axis).items():
            colour, line, marker, weight = looks[Code(series)]
            # the filter below the one that almost coincides with it
            curve = of_kind(own, Kind.EXACT, Kind.UPPER_BOUND, Kind.LOWER_BOUND)
            style.curve(panel, curve, line, color=colour, label=own[0].shown, linewidth=weight)
            style.error_bars(panel, of_kind(own, Kind.DIRECT), colour, marker)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(3, 2e4)
        if axis == Axis.K:
            panel.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
            panel.minorticks_off()
        panel.set_xlabel(label)
        panel.set_title(title)
    axes[0].set_ylabel(style.WIDTH)
    handles = [
        style.key(code.label, colour, line, marker, weight)
        for code, (colour, line, marker, weight) in looks.items()
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "The Bloom filter needs the least width of the codes here that one ReLU layer reads. Epsilon "
    "is the probability of a wrong set; for linear and affine readouts the squared error relative "
    "to predicting 0. Radon's limit holds for readouts that never fail. Markers: failures counted, "
    "drawn at the width whose formula gives them.",
    tasks,
    checks,
    table,
    draw,
)
