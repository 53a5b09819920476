"""Panel 8: the softmax of a dense code comes near the uniform target only as a power of width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import dense_codes
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, agrees, lies_within, slope_agrees
from simulate.jobs.intervals import Estimate, from_standard_error, log_slope
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    QUICK,
    Effort,
    Panel,
    Point,
    Row,
    measured_point,
    series_of,
)
from simulate.jobs.tasks import Result, Task
from simulate.network import divergence
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
MEASURES = ("kl", "total_variation", "spread")
# the asymptotic laws are first terms in beta^2 k / d, 1/16 at the narrowest code
SLOPE_TOLERANCE = 0.02


def forward(
    rng: np.random.Generator,
    n: int,
    k: int,
    d: int,
    beta: float,
    c: float,
    families: int,
    sets: int,
) -> Result:
    """Task: softmax(beta y) of random sign codes; mean and standard error of each measure."""
    means = np.empty((len(MEASURES), families))
    for family in range(families):
        embedding = dense_codes.random_signs(rng, n, d)
        tokens = random_sets(rng, sets, n, k)
        alpha = random_coefficients(rng, sets, k, c)
        y = dense_codes.linear_readout(embedding, tokens, alpha)
        distance = divergence(beta * y, tokens)
        spread = np.take_along_axis(y, tokens, axis=1).var(axis=1)
        means[:, family] = [
            distance.kl.mean(),
            distance.total_variation.mean(),
            spread.mean(),
        ]
    errors = means.std(axis=1, ddof=1) / np.sqrt(families)
    return {
        name: [float(mean), float(error)]
        for name, mean, error in zip(MEASURES, means.mean(axis=1), errors, strict=True)
    }


def tasks(effort: Effort) -> list[Task]:
    """Codes of the members alone (n = k), and of the whole vocabulary at two betas."""
    made = []
    for d in MEMBER_WIDTHS:
        sizes = {"n": K, "k": K, "d": d, "families": effort.unions // 40, "sets": 1}
        arguments = sizes | {"beta": MEMBER_BETA, "c": 1.0}
        cost = sizes["families"] * (2e-4 + 4e-8 * d)
        made.append(Task(f"{NAME}/members/d={d}", forward, arguments, cost))
    for d in WIDTHS if effort is QUICK else WIDTHS + WIDEST:
        families = max(FEWEST_CODES, effort.unions // 1000)
        sizes = {"n": N, "k": K, "d": d, "families": families, "sets": SETS}
        best = best_beta(N, K, d)
        for name, beta, c in (("fixed", BETA, 1.0), ("best", best, 1.0), ("unequal", best, C)):
            cost = families * (1e-3 + 5e-6 * d)
            made.append(Task(f"{NAME}/{name}/d={d}", forward, sizes | {"beta": beta, "c": c}, cost))
    return made


def _estimate(row: Row, measure: str, confidence: float) -> Estimate:
    centre, error = row[measure]
    return from_standard_error(centre, error, row["families"] - 1, confidence)


def _select(rows: Sequence[Row], which: str) -> list[Row]:
    """Rows of the members alone, or of the whole vocabulary: at fixed or best beta, or unequal."""
    whole = [row for row in rows if row["n"] == N]
    return {
        "members": [row for row in rows if row["n"] == K],
        "fixed": [row for row in whole if row["beta"] == BETA],
        "best": [row for row in whole if row["beta"] != BETA and row["c"] == 1.0],
        "unequal": [row for row in whole if row["c"] != 1.0],
    }[which]


def _exponent(rows: Sequence[Row], measure: str, confidence: float) -> Estimate:
    return log_slope(
        np.log([row["d"] for row in rows]),
        [_estimate(row, measure, confidence) for row in rows],
        min(row["families"] for row in rows) - 1,
        confidence,
    )


def checks(rows: Sequence[Row]) -> list[Check]:
    """The members' spread against its formula, exponents, and the KL between its two bounds."""
    made = []
    for row in _select(rows, "members") + _select(rows, "unequal")[-1:]:
        k, d, c = row["k"], row["d"], row["c"]
        name = f"variance of y over the members, n={row['n']}, k={k}, d={d}, c={c:g}"
        measured = _estimate(row, "spread", CONFIDENCE)
        made.append(agrees(NAME, name, member_spread(k, d, c), measured))
    for measure, expected in (("kl", -1.0), ("total_variation", -0.5)):
        slope = _exponent(_select(rows, "members"), measure, CONFIDENCE)
        name = f"slope d ln({measure}) / d ln d over the members"
        made.append(slope_agrees(NAME, name, expected, slope, SLOPE_TOLERANCE))
    for row in _select(rows, "fixed") + _select(rows, "best"):
        beta, d = row["beta"], row["d"]
        low, high = leakage_floor(N, K, beta), kl_bound(N, K, d, beta)
        measured = _estimate(row, "kl", CONFIDENCE)
        reach = measured.interval[1] - measured.estimate
        made.append(
            lies_within(
                NAME,
                f"kl between floor and bound, n={N}, k={K}, d={d}, beta={beta:.3g}",
                high,
                measured.estimate,
                (low - reach, high + reach),
                FALSE_ALARM,
            )
        )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Asymptotic laws, bounds, measured points, and the fitted exponents."""
    made = []
    for d in np.logspace(math.log2(MEMBER_WIDTHS[0]), math.log2(MEMBER_WIDTHS[-1]), 40, base=2):
        width = round(d)
        for series, law in (("kl", member_kl), ("total_variation", member_total_variation)):
            value = law(K, width, MEMBER_BETA)
            made.append(Point("members", series, "asymptotic", width, value, n=K, k=K, d=width))
    for d in np.logspace(math.log2(32), math.log2(4096), 50, base=2):
        width = round(d)
        best = best_beta(N, K, width)
        for series, kind, value in (
            ("fixed", "upper bound", kl_bound(N, K, width, BETA)),
            ("fixed", "lower bound", leakage_floor(N, K, BETA)),
            ("best", "upper bound", kl_bound(N, K, width, best)),
            ("total_variation", "upper bound", math.sqrt(kl_bound(N, K, width, best) / 2)),
        ):
            made.append(Point("vocabulary", series, kind, width, value, n=N, k=K, d=width))
    for which, axis, series, measure in (
        ("members", "members", "kl", "kl"),
        ("members", "members", "total_variation", "total_variation"),
        ("fixed", "vocabulary", "fixed", "kl"),
        ("best", "vocabulary", "best", "kl"),
        ("best", "vocabulary", "total_variation", "total_variation"),
        ("unequal", "vocabulary", "unequal", "total_variation"),
    ):
        own = _select(rows, which)
        for row in own:
            measured = _estimate(row, measure, DRAWN_CONFIDENCE)
            made.append(measured_point(axis, series, "forward passes", row["d"], measured, row))
        if series != "fixed":
            fitted = _exponent(own, measure, DRAWN_CONFIDENCE)
            name = f"{axis} {series}"
            expected = {"kl": -1.0, "total_variation": -0.5}[measure] * (series != "unequal")
            interval = fitted.interval
            made.append(Point("exponent", name, "fitted", expected, fitted.estimate, *interval))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Left: the members' part. Right: the whole vocabulary."""
    from simulate.jobs import style

    fig, (members, vocabulary) = style.row_of_axes(2, height=3.0)
    exponents = {name: own[0] for name, own in series_of(points, axis="exponent").items()}

    def label(text: str, name: str) -> str:
        fitted = exponents[name]
        reach = 0.5 * ((fitted.high or 0.0) - (fitted.low or 0.0))
        return f"{text}: exponent ${fitted.y:.3f} \\pm {reach:.3f}$"

    def draw(axes, axis: str, series: str, colour: str, marker: str, text: str) -> None:
        own = series_of(points, axis=axis)[series]
        for kind, line in (("asymptotic", "-"), ("upper bound", "--"), ("lower bound", ":")):
            curve = [p for p in own if p.kind == kind]
            axes.plot([p.x for p in curve], [p.y for p in curve], line, color=colour)
        measured = [p for p in own if p.kind == "forward passes"]
        style.error_bars(axes, measured, colour, marker, label=text)

    blue, red, green, pink = style.COLOURS[:4]
    draw(members, "members", "total_variation", red, "s", label("TV", "members total_variation"))
    draw(members, "members", "kl", blue, "o", label("KL, nats", "members kl"))
    members.set_title(rf"members only, $k={K}$, $\beta={MEMBER_BETA:g}$")
    members.set_ylabel("mean distance from uniform")
    draw(
        vocabulary,
        "vocabulary",
        "unequal",
        pink,
        "v",
        label(rf"TV, $\alpha\in[1,{C:g}]$", "vocabulary unequal"),
    )
    draw(
        vocabulary,
        "vocabulary",
        "total_variation",
        red,
        "s",
        label("TV", "vocabulary total_variation"),
    )
    draw(vocabulary, "vocabulary", "best", blue, "o", label("KL", "vocabulary best"))
    draw(vocabulary, "vocabulary", "fixed", green, "^", rf"KL at $\beta={BETA:g}$")
    vocabulary.set_title(rf"$n={N}$, $k={K}$, best $\beta$")
    for axes in (members, vocabulary):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("width $d$")
    vocabulary.set_ylim(0.02, 60.0)
    members.legend(loc="lower left")
    vocabulary.legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "Softmax of beta y over random sign codes, against the uniform target on the members; measured "
    "by forward passes (markers), with fitted exponents of d and their 95 % intervals. Left: over "
    "the members only; lines: KL = beta^2 (k-1)(k-2)/(2kd), TV = beta ((k-1)(k-2)/(2 pi k d))^1/2, "
    "asymptotic. Right: over the vocabulary, at the beta that minimises the bound on KL at each d; "
    "dashed: upper bounds, for TV by Pinsker's inequality. At a fixed beta KL stays above the "
    "leakage floor ln(1 + (n-k) e^-beta / k) (dotted); with unequal coefficients TV does not "
    "vanish. KL and TV cost a width polynomial in their inverse.",
    tasks,
    checks,
    table,
    figure,
)
