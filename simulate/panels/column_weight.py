"""Panel: what constant column weight buys over Bernoulli bits and draws with replacement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from simulate.column_weight import (
    bernoulli_hashes,
    count_over_families,
    misranked,
    with_replacement_hashes,
)
from simulate.jobs.checks import CONFIDENCE, Check, agrees, lies_within
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    failure_estimate,
    measured_point,
    series_of,
    size_label,
)
from simulate.jobs.tasks import Result, Task
from simulate.sampling import random_hashes, random_sets
from theory import column_weight, false_positives, width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "column_weight"
N, K = 1000, 4
SMALLEST = 1e-12
TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
UNBIASED = "Bernoulli, no output bias"
UNBIASED_TARGETS = (1e-1, 1e-3, 1e-6)
# the extra width is exact at these k and this P_fail, beside its limit for small P_fail
EXTRA_K, EXTRA_EPSILON = (2, 3, 4, 8, 16), 1e-6
LIMIT_K = (2, 3, 4, 6, 8, 12, 16, 24, 32)
# widths are whole, 83 bits and more, and the rates carry an O(1) prefactor
EXTRA_TOLERANCE = 0.02


@dataclass(frozen=True)
class Weight:
    """One law of the masks: how they are drawn, their best P_fail, and their smallest width.

    best: (d) -> (parameter m or rho, exact P_fail). smallest: (n, k, epsilon) -> width. extra:
    (k) -> the limit of the extra width over constant weight.
    """

    draw: Callable[..., np.ndarray]
    best: Callable[[int], tuple[float, float]]
    smallest: Callable[[int, int, float], int]
    extra: Callable[[int], float] | None = None


def _best_constant(d: int) -> tuple[float, float]:
    m = width.optimal_hashes_for_failure(N, K, d)
    return m, false_positives.failure_probability(N, K, d, m)


def _best_with_replacement(d: int) -> tuple[float, float]:
    m = column_weight.optimal_draws_for_failure(N, K, d)
    return m, column_weight.with_replacement_failure_probability(N, K, d, m)


def _best_bernoulli(d: int) -> tuple[float, float]:
    rho = column_weight.optimal_density_for_failure(N, K, d)
    return rho, column_weight.bernoulli_failure_probability(N, K, d, rho)


WEIGHTS = {
    "constant weight": Weight(
        random_hashes,
        _best_constant,
        lambda n, k, epsilon: width.smallest_width(n, k, epsilon).width,
    ),
    "with replacement": Weight(
        with_replacement_hashes,
        _best_with_replacement,
        lambda n, k, epsilon: column_weight.smallest_with_replacement_width(n, k, epsilon).width,
        column_weight.with_replacement_extra_width,
    ),
    "Bernoulli bits": Weight(
        bernoulli_hashes,
        _best_bernoulli,
        lambda n, k, epsilon: column_weight.smallest_bernoulli_width(n, k, epsilon).width,
        column_weight.bernoulli_extra_width,
    ),
}


def measure(
    rng: np.random.Generator,
    weight: str,
    d: int,
    parameter: float,
    families: int,
    sets: int,
    **_: int,
) -> Result:
    """Task: failures of fresh families of one law, and their false positives."""
    draw = partial(WEIGHTS[weight].draw, n=N, d=d, **_parameter(weight, parameter))
    return {"failures": count_over_families(rng, draw, K, families, sets).failures.tolist()}


def measure_unbiased(
    rng: np.random.Generator, d: int, parameter: float, families: int, sets: int, **_: int
) -> Result:
    """Task: inputs that a readout without output biases gets wrong, of Bernoulli masks."""
    failures = []
    for _family in range(families):
        hashes = bernoulli_hashes(rng, N, d, parameter)
        failures.append(int(misranked(hashes, random_sets(rng, sets, N, K)).sum()))
    return {"failures": failures}


def _parameter(weight: str, parameter: float) -> dict[str, float]:
    return {"rho": parameter} if weight == "Bernoulli bits" else {"m": int(parameter)}


def tasks(effort: Effort) -> list[Task]:
    """Direct counts of all three laws at the widths that their targets ask for."""
    families = effort.families_for(N)
    made = []
    for weight, law in WEIGHTS.items():
        for target in (target for target in TARGETS if target >= effort.smallest_direct):
            d = law.smallest(N, K, target)
            total = min(max(2e5, 400 / target), effort.sets)
            arguments = {"weight": weight, "n": N, "k": K, "d": d, "parameter": law.best(d)[0]}
            arguments |= {"families": families, "sets": round(total / families)}
            cost = families * 8e-4 + total * 1e-7
            made.append(Task(f"{NAME}/{weight}/d={d}", measure, arguments, cost))
    for target in UNBIASED_TARGETS:
        d = WEIGHTS["Bernoulli bits"].smallest(N, K, target)
        arguments = {"weight": UNBIASED, "n": N, "k": K, "d": d, "parameter": _best_bernoulli(d)[0]}
        arguments |= {"families": families // 4, "sets": 50}
        made.append(Task(f"{NAME}/{UNBIASED}/d={d}", measure_unbiased, arguments, families * 1e-3))
    return made


def checks(rows: Sequence[Row]) -> list[Check]:
    """Every counted P_fail against its exact value; the limits of the extra width."""
    made = []
    for row in (row for row in rows if row["weight"] in WEIGHTS):
        exact = WEIGHTS[row["weight"]].best(row["d"])[1]
        name = f"P_fail, {row['weight']}, {size_label(row, 'nkd')}"
        made.append(agrees(NAME, name, exact, failure_estimate(row, CONFIDENCE)))
    for weight, law in WEIGHTS.items():
        if law.extra:
            off = [_extra_width(weight, k) - law.extra(k) for k in EXTRA_K]
            name = f"extra width, {weight}: exact at P_fail = {EXTRA_EPSILON:g} less its limit"
            worst = max(off, key=abs)
            made.append(lies_within(NAME, name, 0.0, worst, (-EXTRA_TOLERANCE, EXTRA_TOLERANCE)))
    return made


@cache
def _extra_width(weight: str, k: int) -> float:
    """Exact: a law's smallest width over that of constant weight, less 1."""
    wider, narrowest = (
        WEIGHTS[name].smallest(N, k, EXTRA_EPSILON) for name in (weight, "constant weight")
    )
    return wider / narrowest - 1.0


def table(rows: Sequence[Row]) -> list[Point]:
    """P_fail against width, exact and measured; the extra width against k, exact and its limit."""
    made = []
    for weight, law in WEIGHTS.items():
        first, last = law.smallest(N, K, 0.5), law.smallest(N, K, SMALLEST)
        for d in np.unique(np.linspace(first, last, 25).astype(int)).tolist():
            parameter, value = law.best(d)
            m = None if weight == "Bernoulli bits" else int(parameter)
            made.append(Point("failure", weight, "exact", d, value, n=N, k=K, d=d, m=m))
    for row in rows:
        measured = failure_estimate(row, DRAWN_CONFIDENCE)
        made.append(measured_point("failure", row["weight"], "direct", row["d"], measured, row))
    for weight, law in WEIGHTS.items():
        if law.extra:
            for k in LIMIT_K:
                made.append(Point("extra", weight, "asymptotic", k, 100 * law.extra(k), k=k))
            for k in EXTRA_K:
                y = 100 * _extra_width(weight, k)
                made.append(Point("extra", weight, "exact", k, y, n=N, k=k))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Left: P_fail against d for the three laws. Right: their extra width against k."""
    from simulate.jobs import style

    fig, (failure, extra) = style.row_of_axes(2, height=2.8, ratios=(1.25, 1))
    drawn = series_of(points, axis="failure")
    colours = dict(zip(WEIGHTS, style.COLOURS, strict=False)) | {UNBIASED: style.GREY}
    markers = dict(zip(WEIGHTS, "osD", strict=True)) | {UNBIASED: "x"}
    for series, own in drawn.items():
        curve = [p for p in own if p.kind == "exact"]
        failure.plot([p.x for p in curve], [p.y for p in curve], color=colours[series])
        measured = [p for p in own if p.kind == "direct"]
        style.error_bars(failure, measured, colours[series], markers[series], label=series)
    failure.set_yscale("log")
    failure.set_ylim(SMALLEST / 3, 5)
    failure.set_xlim(0, 1.02 * max(p.x for p in points if p.axis == "failure"))
    failure.set_xlabel("residual width $d$")
    failure.set_ylabel(r"failure probability $P_\mathrm{fail}$")
    failure.set_title(f"$n={N}$, $k={K}$: lines exact, markers counted")
    failure.legend(loc="lower left")
    for series, own in series_of(points, axis="extra").items():
        limit, exact = ([p for p in own if p.kind == kind] for kind in ("asymptotic", "exact"))
        x, y = [p.x for p in limit], [p.y for p in limit]
        extra.plot(x, y, "--", color=colours[series], label=series)
        x, y = [p.x for p in exact], [p.y for p in exact]
        extra.plot(x, y, markers[series], color=colours[series])
    extra.set_xscale("log", base=2)
    extra.set_yscale("log")
    extra.set_ylim(0.3, 150)
    extra.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
    extra.set_yticks([1, 10, 100], ["1 %", "10 %", "100 %"])
    extra.set_xlabel("active tokens $k$")
    extra.set_ylabel("extra width")
    extra.set_title("over constant weight")
    meanings = {
        rf"exact, $n={N}$, $P_\mathrm{{fail}} = 10^{{-6}}$": ("none", "s"),
        r"limit $P_\mathrm{fail} \to 0$": ("--", None),
    }
    style.legends(extra, meanings, series_at="center right")
    return fig


PANEL = Panel(
    NAME,
    f"Left: failure probability of hashes of constant weight, of draws with replacement and of "
    f"independent Bernoulli bits against width, each at its best m or density. Lines: exact. "
    f"Markers: failures counted over fresh hash families; a false positive is a covered "
    f"non-member, which takes an output bias per token where weights vary. Crosses: Bernoulli "
    f"bits read without those biases. Right: width beyond that of constant weight. Markers: exact, "
    f"at P_fail = {EXTRA_EPSILON:g}; dashed: the limit of small P_fail, for Bernoulli bits "
    f"e (ln 2)^2 - 1 = 31 % when k is large, too.",
    tasks,
    checks,
    table,
    figure,
)
