"""The softmax of a dense code comes near the uniform target only as a power of width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate import dense_codes
from simulate.jobs.checks import (
    CONFIDENCE,
    FALSE_ALARM,
    Check,
    Which,
    agrees,
    lies_within,
    slope_agrees,
)
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Estimate, Mean, log_slope
from simulate.jobs.panel import QUICK, Effort, Panel
from simulate.jobs.table import Kind, Named, Point, measured_point, of_kind, select, series_of
from simulate.jobs.tasks import Task
from simulate.network import divergence
from simulate.panels.measured import Sizes
from simulate.sampling import random_coefficients, random_sets
from theory.dense_codes import (
    best_beta,
    kl_bound,
    leakage_floor,
    member_kl,
    member_spread,
    member_total_variation,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "dense_softmax"
N, K = 1000, 4
BETA = 8.0  # the fixed beta over the whole vocabulary
MEMBER_BETA = 2.0
C = 2.0  # the larger of the two ranges [1, C] of the coefficients
MEMBER_WIDTHS = (256, 1024, 4096, 16384)
WIDTHS = (64, 192, 576)
WIDEST = (2048,)  # beyond quick
SETS = 10  # inputs per code
FEWEST_CODES = 100
# the asymptotic laws are first terms in beta^2 k / d, 1/16 at the narrowest code
SLOPE_TOLERANCE = 0.02


class Quantity(StrEnum):
    """What is checked."""

    SPREAD = "spread"
    KL_SLOPE = "kl_slope"
    TV_SLOPE = "total_variation_slope"
    KL = "kl"


class Axis(StrEnum):
    """What is drawn: over the members, and over the vocabulary. The exponents are annotated."""

    MEMBERS = "members"
    VOCABULARY = "vocabulary"
    EXPONENT = "exponent"


class Setting(StrEnum):
    """Codes of the members alone; of the vocabulary at a fixed or the best beta; alpha unequal."""

    MEMBERS = "members"
    FIXED = "fixed"
    BEST = "best"
    UNEQUAL = "unequal"


class Series(Named):
    """What is drawn of each setting."""

    MEMBERS_KL = "members_kl", "KL, nats"
    MEMBERS_TV = "members_total_variation", "TV"
    FIXED_KL = "fixed_kl", rf"KL at $\beta={BETA:g}$"
    BEST_KL = "best_kl", "KL, nats"
    BEST_TV = "best_total_variation", "TV"
    UNEQUAL_TV = "unequal_total_variation", rf"TV, $\alpha\in[1,{C:g}]$"


@dataclass(frozen=True)
class Outputs:
    """Means over codes of d columns. spread: variance of y over the members."""

    setting: Setting
    d: int
    beta: float
    kl: Mean
    total_variation: Mean
    spread: Mean


def forward(
    rng: np.random.Generator,
    setting: Setting,
    d: int,
    beta: float,
    families: int,
    sets: int,
) -> Outputs:
    """Task: softmax(beta y) of random sign codes."""
    n = K if setting == Setting.MEMBERS else N
    c = C if setting == Setting.UNEQUAL else 1.0
    means = np.empty((3, families))
    for family in range(families):
        embedding = dense_codes.random_signs(rng, n, d)
        tokens = random_sets(rng, sets, n, K)
        alpha = random_coefficients(rng, sets, K, c)
        y = dense_codes.linear_readout(embedding, tokens, alpha)
        distance = divergence(beta * y, tokens)
        spread = np.take_along_axis(y, tokens, axis=1).var(axis=1)
        means[:, family] = (
            distance.kl.mean(),
            distance.total_variation.mean(),
            spread.mean(),
        )
    return Outputs(setting, d, beta, *map(Mean.of, means))


def tasks(effort: Effort) -> list[Task[Outputs]]:
    """Codes of the members alone (n = k), and of the whole vocabulary at two betas."""
    made = []
    widths = [(Setting.MEMBERS, d, MEMBER_BETA) for d in MEMBER_WIDTHS]
    for d in WIDTHS if effort is QUICK else WIDTHS + WIDEST:
        best = best_beta(N, K, d)
        widths += [
            (Setting.FIXED, d, BETA),
            (Setting.BEST, d, best),
            (Setting.UNEQUAL, d, best),
        ]
    for setting, d, beta in widths:
        if setting == Setting.MEMBERS:
            options = {"families": effort.unions // 40, "sets": 1}
            cost = options["families"] * (2e-4 + 4e-8 * d)
        else:
            options = {"families": max(FEWEST_CODES, effort.unions // 1000), "sets": SETS}
            cost = options["families"] * (1e-3 + 5e-6 * d)
        arguments = {"setting": setting, "d": d, "beta": beta, **options}
        made.append(Task(f"{NAME}/{setting}/d={d}", forward, arguments, cost))
    return made


def _of(results: Sequence[Outputs], *settings: Setting) -> list[Outputs]:
    return [each for setting in settings for each in results if each.setting == setting]


def _exponent(widths: Sequence[int], means: Sequence[Mean], confidence: float) -> Estimate:
    """Of d, in the means' power law."""
    estimates = [mean.at(confidence) for mean in means]
    freedom = min(mean.samples for mean in means) - 1
    return log_slope(np.log(widths), estimates, freedom, confidence)


def checks(results: Sequence[Outputs]) -> list[Check]:
    """The members' spread against its formula, exponents, and the KL between its two bounds."""
    made = []
    members = _of(results, Setting.MEMBERS)
    for each in members + _of(results, Setting.UNEQUAL)[-1:]:
        n, c = (N, C) if each.setting == Setting.UNEQUAL else (K, 1.0)
        which = Which(NAME, Quantity.SPREAD, {"d": each.d, "setting": each.setting})
        text = f"variance of y over the members, n={n}, k={K}, d={each.d}, c={c:g}"
        made.append(agrees(which, text, member_spread(K, each.d, c), each.spread.at(CONFIDENCE)))
    for quantity, name, expected, means in (
        (Quantity.KL_SLOPE, "kl", -1.0, [each.kl for each in members]),
        (
            Quantity.TV_SLOPE,
            "total_variation",
            -0.5,
            [each.total_variation for each in members],
        ),
    ):
        slope = _exponent([each.d for each in members], means, CONFIDENCE)
        text = f"slope d ln({name}) / d ln d over the members"
        made.append(slope_agrees(Which(NAME, quantity), text, expected, slope, SLOPE_TOLERANCE))
    for each in _of(results, Setting.FIXED, Setting.BEST):
        low, high = leakage_floor(N, K, each.beta), kl_bound(N, K, each.d, each.beta)
        found = each.kl.at(CONFIDENCE)
        reach = found.interval[1] - found.value
        made.append(
            lies_within(
                Which(NAME, Quantity.KL, {"d": each.d, "setting": each.setting}),
                f"kl between floor and bound, n={N}, k={K}, d={each.d}, beta={each.beta:.3g}",
                high,
                found.value,
                (low - reach, high + reach),
                FALSE_ALARM,
            )
        )
    return made


def table(results: Sequence[Outputs]) -> list[Point]:
    """Asymptotic laws, bounds, measured points, and the fitted exponents (x: the expected one)."""
    made: list[Point] = []

    def add(axis: Axis, series: Series, kind: Kind, n: int, d: int, value: float) -> None:
        made.append(Point(axis, series, kind, d, value, n=n, k=K, d=d))

    for d in np.logspace(math.log2(MEMBER_WIDTHS[0]), math.log2(MEMBER_WIDTHS[-1]), 40, base=2):
        width = round(d)
        kl, tv = (law(K, width, MEMBER_BETA) for law in (member_kl, member_total_variation))
        add(Axis.MEMBERS, Series.MEMBERS_KL, Kind.ASYMPTOTIC, K, width, kl)
        add(Axis.MEMBERS, Series.MEMBERS_TV, Kind.ASYMPTOTIC, K, width, tv)
    for d in np.logspace(math.log2(32), math.log2(4096), 50, base=2):
        width = round(d)
        bound = kl_bound(N, K, width, best_beta(N, K, width))
        fixed = kl_bound(N, K, width, BETA)
        add(Axis.VOCABULARY, Series.FIXED_KL, Kind.UPPER_BOUND, N, width, fixed)
        floor = leakage_floor(N, K, BETA)
        add(Axis.VOCABULARY, Series.FIXED_KL, Kind.LOWER_BOUND, N, width, floor)
        add(Axis.VOCABULARY, Series.BEST_KL, Kind.UPPER_BOUND, N, width, bound)
        add(Axis.VOCABULARY, Series.BEST_TV, Kind.UPPER_BOUND, N, width, math.sqrt(bound / 2))
    for setting, axis, of_kl, of_tv in (
        (Setting.MEMBERS, Axis.MEMBERS, Series.MEMBERS_KL, Series.MEMBERS_TV),
        (Setting.FIXED, Axis.VOCABULARY, Series.FIXED_KL, None),
        (Setting.BEST, Axis.VOCABULARY, Series.BEST_KL, Series.BEST_TV),
        (Setting.UNEQUAL, Axis.VOCABULARY, None, Series.UNEQUAL_TV),
    ):
        own, n = _of(results, setting), K if setting == Setting.MEMBERS else N
        for series, means, exponent in (
            (of_kl, [each.kl for each in own], -1.0),
            (of_tv, [each.total_variation for each in own], -0.5),
        ):
            if series is None:
                continue
            for each, mean in zip(own, means, strict=True):
                found, sizes = mean.at(DRAWN_CONFIDENCE), Sizes(n, K, each.d).at
                made.append(measured_point(axis, series, Kind.FORWARD_PASS, each.d, found, **sizes))
            if setting != Setting.FIXED:  # KL levels off there
                fitted = _exponent([each.d for each in own], means, DRAWN_CONFIDENCE)
                expected = exponent * (setting != Setting.UNEQUAL)
                made.append(measured_point(Axis.EXPONENT, series, Kind.FITTED, expected, fitted))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Left: the members' part. Right: the whole vocabulary."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, height=3.2)
    blue, red, green, pink = style.COLOURS[:4]
    looks = {
        Series.MEMBERS_TV: (red, "s"),
        Series.MEMBERS_KL: (blue, "o"),
        Series.UNEQUAL_TV: (pink, "v"),
        Series.BEST_TV: (red, "s"),
        Series.BEST_KL: (blue, "o"),
        Series.FIXED_KL: (green, "^"),
    }
    lines = {Kind.ASYMPTOTIC: "-", Kind.UPPER_BOUND: "--", Kind.LOWER_BOUND: ":"}
    for axes, axis in zip(both, (Axis.MEMBERS, Axis.VOCABULARY), strict=True):
        drawn = series_of(points, axis=axis)
        for series, (colour, marker) in looks.items():
            own = drawn.get(series, [])
            for kind, line in lines.items():
                style.curve(axes, of_kind(own, kind), line, color=colour)
            for bound in sorted(of_kind(own, Kind.UPPER_BOUND), key=lambda p: p.x)[-1:]:
                beside: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points"}
                beside |= {"color": colour, "va": "center", "fontsize": 6}
                axes.annotate(series.label, (bound.x, bound.y), **beside)
            measured = of_kind(own, Kind.FORWARD_PASS)
            style.error_bars(axes, measured, colour, marker, label=series.label)
        shown = [
            (series, fitted)
            for series in looks
            if series in drawn
            for fitted in select(points, axis=Axis.EXPONENT, series=series)
        ]
        x, side = (0.97, "right") if axis == Axis.MEMBERS else (0.04, "left")
        at: dict[str, Any] = {"transform": axes.transAxes, "ha": side, "va": "top", "fontsize": 7}
        axes.text(x, 0.98, "fitted exponents of $d$", color=style.INK, **at)
        for row, (series, fitted) in enumerate(shown, start=1):
            text = f"{series.label}: {style.with_interval(fitted)}"
            axes.text(x, 0.98 - 0.06 * row, text, color=looks[series][0], **at)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(style.WIDTH)
    members, vocabulary = both
    members.set_title(rf"members only, $k={K}$, $\beta={MEMBER_BETA:g}$")
    members.set_ylabel("mean distance from uniform")
    vocabulary.set_title(rf"$n={N}$, $k={K}$, best $\beta$")
    vocabulary.set_ylim(0.02, 60.0)
    # room for the names of the bounds
    vocabulary.set_xlim(None, 1.6e4)
    members.set_ylim(None, 0.4)
    members.legend(
        handles=[
            *members.get_legend_handles_labels()[0],
            style.key("first term, asymptotic", style.GREY, "-", None),
        ],
        loc="lower left",
    )
    meanings = {"upper bound": ("--", None), "leakage floor": (":", None)}
    style.legends(vocabulary, meanings, "upper right")
    return fig


PANEL = Panel(
    NAME,
    "The softmax of a dense code comes near the uniform target only as a power of the width d: KL "
    "as 1/d, total variation as its root, each with its fitted exponent. At a fixed beta KL stays "
    "above the leakage floor ln(1 + (n-k) e^-beta / k); with unequal coefficients TV does not "
    "vanish. Random signs, forward passes.",
    tasks,
    checks,
    table,
    draw,
)
