"""Panel: who needs how much width, against epsilon, k and n: the Bloom filter and its rivals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from simulate import dense_codes
from simulate.column_weight import (
    bernoulli_hashes,
    count_over_families,
    with_replacement_hashes,
)
from simulate.jobs.checks import FALSE_ALARM, Check, agrees, lies_within
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    QUICK,
    Effort,
    Panel,
    Point,
    Row,
    failure_estimate,
    series_of,
    size_label,
)
from simulate.jobs.tasks import Result, Task
from simulate.network import membership
from simulate.panels.pseudo_inverse import count
from simulate.sampling import random_hashes, random_sets
from theory import column_weight, false_positives, width
from theory import dense_codes as dense_theory
from theory import pseudo_inverse as pseudo_inverse_theory
from theory.comparison import RIVALS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "width_of_rivals"
BASE = (1024, 4, 0.1)
AXES = {
    "1/epsilon": [(BASE[0], BASE[1], 10.0**-e) for e in np.linspace(0.5, 12, 12).tolist()],
    "k": [(BASE[0], k, BASE[2]) for k in (2, 3, 4, 6, 8, 12, 16, 24, 32)],
    "n": [(int(n), BASE[1], BASE[2]) for n in np.logspace(2, 6, 9)],
}
MEASURED = {
    "1/epsilon": [BASE, (1024, 4, 0.01)],
    "k": [(1024, 2, 0.1), (1024, 8, 0.1)],
    "n": [(4096, 4, 0.1)],
}
SETS = 50  # inputs per random code
CONSTANT, REPLACED, INDEPENDENT, PSEUDO_INVERSE, THRESHOLDED = (r.name for r in RIVALS[:5])
# the squared-error rivals' widths, of the order of n and of n/epsilon, are drawn against all three
DRAWN = {rival.name: rival for rival in RIVALS if rival.name != "moment curve"}


def count_failures(
    rng: np.random.Generator,
    code: str,
    n: int,
    k: int,
    d: int,
    parameter: float,
    families: int,
    sets: int,
) -> Result:
    """Task: failing inputs of each of `families` random codes of one rival."""
    if code == PSEUDO_INVERSE:
        return count(rng, n, k, d, families, sets)
    if code == THRESHOLDED:
        return {"failures": [_misread(rng, n, k, d, parameter, sets) for _ in range(families)]}
    draw = {
        CONSTANT: partial(random_hashes, n=n, d=d, m=int(parameter)),
        REPLACED: partial(with_replacement_hashes, n=n, d=d, m=int(parameter)),
        INDEPENDENT: partial(bernoulli_hashes, n=n, d=d, rho=parameter),
    }[code]
    return {"failures": count_over_families(rng, draw, k, families, sets).failures.tolist()}


def _misread(rng: np.random.Generator, n: int, k: int, d: int, cut: float, sets: int) -> int:
    """Inputs of one random sign code that the threshold cut/d reads wrongly, alpha = 1."""
    tokens = random_sets(rng, sets, n, k)
    y = dense_codes.linear_readout(dense_codes.random_signs(rng, n, d), tokens, np.ones((sets, k)))
    wrong = dense_codes.threshold_errors(y, membership(tokens, n), cut / d)
    return int(np.count_nonzero(wrong[0] + wrong[1]))


@cache
def _best(code: str, n: int, k: int, d: int) -> tuple[float, float]:
    """(parameter of the code, its exact P_fail, or for a threshold the bound on it)."""
    if code == CONSTANT:
        m = width.optimal_hashes_for_failure(n, k, d)
        return m, false_positives.failure_probability(n, k, d, m)
    if code == REPLACED:
        m = column_weight.optimal_draws_for_failure(n, k, d)
        return m, column_weight.with_replacement_failure_probability(n, k, d, m)
    if code == INDEPENDENT:
        rho = column_weight.optimal_density_for_failure(n, k, d)
        return rho, column_weight.bernoulli_failure_probability(n, k, d, rho)
    if code == PSEUDO_INVERSE:
        return 0.0, pseudo_inverse_theory.failure_probability(n, k, d)
    cut = dense_theory.best_cut(n, k, d)
    return cut, dense_theory.thresholded_failure_bound(n, k, d, cut)


def tasks(effort: Effort) -> list[Task]:
    """Failures of each rival at its own smallest width."""
    families = 100 if effort is QUICK else 2 * effort.families
    made = []
    groups = [MEASURED["1/epsilon"]] if effort is QUICK else MEASURED.values()
    for n, k, epsilon in (sizes for group in groups for sizes in group):
        for code in (CONSTANT, REPLACED, INDEPENDENT, PSEUDO_INVERSE, THRESHOLDED):
            d = int(DRAWN[code].width(n, k, epsilon))
            sizes = {"n": n, "k": k, "d": d}
            arguments = {"code": code} | sizes | {"parameter": _best(code, n, k, d)[0]}
            arguments |= {"families": families, "sets": SETS}
            name = f"{NAME}/{code}/{size_label(sizes, 'nkd')}"
            made.append(Task(name, count_failures, arguments, families * n * d * 3e-8))
    return made


def checks(rows: Sequence[Row]) -> list[Check]:
    """At its own smallest width each rival fails as often as its formula says, or its bound."""
    made = []
    for row in rows:
        code, n, k, d = (row[name] for name in ("code", "n", "k", "d"))
        _, predicted = _best(code, n, k, d)
        measured = failure_estimate(row)
        label = f"{code}, {size_label(row, 'nkd')}"
        if DRAWN[code].kind == "exact":
            made.append(agrees(NAME, f"P_fail, {label}", predicted, measured))
        else:
            name = f"lower end of P_fail's interval, at most its bound, {label}"
            low = measured.interval[0]
            made.append(lies_within(NAME, name, predicted, low, (0.0, predicted), FALSE_ALARM))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Every rival's width along each axis, and the measured failures as widths."""
    made = []
    for axis, places in AXES.items():
        for name, rival in DRAWN.items():
            for n, k, epsilon in places:
                x = _place(axis, n, k, epsilon)
                d = rival.width(n, k, epsilon)
                made.append(Point(axis, name, rival.kind, x, d, n=n, k=k))
    for axis, places in MEASURED.items():
        for n, k, epsilon in places if axis == "1/epsilon" else [BASE, *places]:
            for row in rows:
                code = row["code"]
                at_target = int(DRAWN[code].width(n, k, epsilon)) == row["d"]
                if (row["n"], row["k"]) != (n, k) or not at_target:
                    continue
                made.append(_as_width(axis, _place(axis, n, k, epsilon), row))
    return made


def _place(axis: str, n: int, k: int, epsilon: float) -> float:
    return {"1/epsilon": 1.0 / epsilon, "k": k, "n": n}[axis]


def _as_width(axis: str, x: float, row: Row) -> Point:
    """The width at which the rival's formula has the measured P_fail, by its local slope."""
    code, n, k, d = (row[name] for name in ("code", "n", "k", "d"))
    predicted = _best(code, n, k, d)[1]
    slope = math.log(_best(code, n, k, d + 8)[1] / predicted) / 8
    measured = failure_estimate(row, DRAWN_CONFIDENCE)
    ends = (measured.interval[1], measured.estimate, measured.interval[0])
    high_failure, middle, low_failure = (
        d - math.log(max(p, 1e-300) / predicted) / slope for p in ends
    )
    return Point(axis, code, "direct", x, middle, low_failure, high_failure, n, k, d)


def figure(points: Sequence[Point]) -> Figure:
    """Width on a log axis against 1/epsilon, k and n."""
    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(AXES), height=3.4)
    lines = {"exact": "-", "upper bound": "--", "lower bound": ":"}
    colours = dict(zip(DRAWN, [*style.COLOURS, style.GREY, style.INK, style.INK], strict=False))
    titles = {
        "1/epsilon": (r"$1/\epsilon$", f"$n={BASE[0]}$, $k={BASE[1]}$"),
        "k": ("$k$", rf"$n={BASE[0]}$, $\epsilon={BASE[2]:g}$"),
        "n": ("$n$", rf"$k={BASE[1]}$, $\epsilon={BASE[2]:g}$"),
    }
    for panel, (axis, (label, title)) in zip(axes, titles.items(), strict=True):
        # the filter itself on top of those that almost coincide with it
        for name, own in reversed(series_of(points, axis=axis).items()):
            drawn = [p for p in own if p.kind != "direct"]
            line = lines[DRAWN[name].kind]
            style_of = "-." if name == "any residual of d bits" else line
            xs, ys = [p.x for p in drawn], [p.y for p in drawn]
            weight = 2.2 if name == CONSTANT else 1.3
            panel.plot(xs, ys, style_of, color=colours[name], label=name, linewidth=weight)
            style.error_bars(panel, [p for p in own if p.kind == "direct"], colours[name], "o")
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(3, 2e4)
        if axis == "k":
            panel.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
            panel.minorticks_off()
        panel.set_xlabel(label)
        panel.set_title(title)
    axes[0].set_ylabel("residual width $d$")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "Residual width that each code needs, against 1/epsilon, k and n. Solid: exact; dashed: proved "
    "to suffice; dotted and dash-dotted: lower bounds. For the Bloom filters, the pseudo-inverse, "
    "the thresholds and the information bound epsilon is the probability P_fail of a wrong set; "
    "for the linear and affine readouts the squared error over that of predicting 0. Hidden "
    "widths: d for the Bloom filters, n for the thresholds, a k x k inverse of every input for the "
    "pseudo-inverse, none for the linear readouts. Radon's limit 2k, for readouts that never fail, "
    "is attained by the moment curve, at a precision that no network has (panel moment_curve). "
    "Circles: failures counted at "
    "each code's own width, drawn at the width at which its formula has the measured rate.",
    tasks,
    checks,
    table,
    figure,
)
