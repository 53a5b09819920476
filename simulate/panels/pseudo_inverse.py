"""Panel: the pseudo-inverse readout of a random W_U against the Bloom filter, width for width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import pseudo_inverse
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, Check, agrees
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    QUICK,
    Effort,
    Panel,
    Point,
    Row,
    failure_estimate,
    false_positive_estimate,
    measured_point,
    method_of,
    series_of,
    size_label,
)
from simulate.jobs.tasks import Result, Task
from theory import false_positives
from theory.pseudo_inverse import expected_false_positives, failure_probability, smallest_width
from theory.width import optimal_hashes_for_failure
from theory.width import smallest_width as bloom_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "pseudo_inverse"
SMALLEST = 1e-12
TASKS = ((1000, 2), (1000, 8))
DIRECT_TARGETS = (0.5, 0.1, 0.02)
TILTED_TARGETS = (1e-2, 1e-4, 1e-8, 1e-12)
DIRECT_SETS = 10  # inputs per random W_U
# E#FP is compared where failures are this frequent, rarer ones being too few, and from this k on:
# the count's skewness at those widths is 5 at k = 2 and 2 at k = 8
FREQUENT, SMALLEST_COUNTED_K = 0.4, 8
BLOOM, PSEUDO_INVERSE = "Bloom", "pseudo-inverse"


def count(rng: np.random.Generator, n: int, k: int, d: int, families: int, sets: int) -> Result:
    """Task: false positives of `sets` random inputs of each of `families` Gaussian W_U."""
    failures, hits = np.empty((2, families), dtype=np.int64)
    for family in range(families):
        readout = pseudo_inverse.of_random_sets(rng, pseudo_inverse.gaussian(rng, n, d), k, sets)
        failures[family] = np.count_nonzero(readout.failed)
        hits[family] = readout.false_positives.sum()
    return {"failures": failures.tolist(), "false_positives": hits.tolist()}


def tilt(rng: np.random.Generator, n: int, k: int, d: int, method: str, draws: int) -> Result:
    """Task: P_fail from random members' rows, tilted towards failure and weighted."""
    values = pseudo_inverse.tilted_failure(rng, n, k, d, draws)
    measured = intervals.mean(values, CONFIDENCE)
    return {"estimate": measured.estimate, "standard_error": measured.standard_error}


def tasks(effort: Effort) -> list[Task]:
    """Failures counted where they are frequent, weighted draws below."""
    made = []
    families = 10 * effort.families if effort is not QUICK else 100
    draws = effort.unions // 10
    for n, k in TASKS:
        for target in DIRECT_TARGETS:
            sizes = {"n": n, "k": k, "d": smallest_width(n, k, target)}
            cost = families * (2e-8 * n * sizes["d"] + DIRECT_SETS * 1e-5 * k)
            name = f"{NAME}/direct/{size_label(sizes, 'nkd')}"
            made.append(
                Task(name, count, sizes | {"families": families, "sets": DIRECT_SETS}, cost)
            )
        for target in TILTED_TARGETS:
            sizes = {"n": n, "k": k, "d": smallest_width(n, k, target)}
            cost = draws * 1.3e-8 * k * sizes["d"]
            name = f"{NAME}/tilted/{size_label(sizes, 'nkd')}"
            made.append(Task(name, tilt, {**sizes, "method": "tilted", "draws": draws}, cost))
    return made


def checks(rows: Sequence[Row]) -> list[Check]:
    """Every measured P_fail against the exact one; E#FP where failures are frequent."""
    made = []
    for row in rows:
        sizes = (row["n"], row["k"], row["d"])
        label = size_label(row, "nkd")
        exact = failure_probability(*sizes)
        name = f"P_fail of the pseudo-inverse readout, {method_of(row)}, {label}"
        made.append(agrees(NAME, name, exact, failure_estimate(row)))
        if "failures" in row and exact > FREQUENT and row["k"] >= SMALLEST_COUNTED_K:
            name = f"E#FP of the pseudo-inverse readout, {label}"
            expected = expected_false_positives(*sizes)
            made.append(agrees(NAME, name, expected, false_positive_estimate(row)))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Exact curves of both readouts, and the measured points."""
    made = []
    for n, k in TASKS:
        label = f"n={n}, k={k}"
        last = max(smallest_width(n, k, SMALLEST), bloom_width(n, k, SMALLEST).width)
        first = min(smallest_width(n, k, 0.95), bloom_width(n, k, 0.95).width)
        for d in sorted({*np.linspace(first, last, 50).astype(int).tolist()}):
            if d >= k:
                own = failure_probability(n, k, d)
                made.append(Point(PSEUDO_INVERSE, label, "exact", d, own, n=n, k=k, d=d))
            m = optimal_hashes_for_failure(n, k, d)
            value = false_positives.failure_probability(n, k, d, m)
            made.append(Point(BLOOM, label, "exact", d, value, n=n, k=k, d=d, m=m))
        for row in (row for row in rows if (row["n"], row["k"]) == (n, k)):
            measured = failure_estimate(row, DRAWN_CONFIDENCE)
            made.append(
                measured_point(PSEUDO_INVERSE, label, method_of(row), row["d"], measured, row)
            )
    return made


def figure(points: Sequence[Point]) -> Figure:
    """P_fail on a log axis against d: solid the pseudo-inverse, dashed the Bloom filter."""
    from simulate.jobs import style

    fig, axes = style.figure(width=style.DOUBLE_COLUMN * 0.6, height=2.9)
    own, bloom = (series_of(points, axis=axis) for axis in (PSEUDO_INVERSE, BLOOM))
    for colour, label in zip(style.COLOURS, own, strict=False):
        exact = [p for p in own[label] if p.kind == "exact"]
        axes.plot(
            [p.x for p in exact], [p.y for p in exact], color=colour, label=style.as_math(label)
        )
        axes.plot([p.x for p in bloom[label]], [p.y for p in bloom[label]], "--", color=colour)
        for kind, marker in (("direct", "o"), ("tilted", "s")):
            style.error_bars(axes, [p for p in own[label] if p.kind == kind], colour, marker)
    axes.set_yscale("log")
    axes.set_ylim(SMALLEST / 3, 2.0)
    axes.set_xlim(0, None)
    axes.set_xlabel("residual width $d$")
    axes.set_ylabel(r"failure probability $P_\mathrm{fail}$")
    style.legends(
        axes,
        {
            "pseudo-inverse, exact": ("-", None),
            "Bloom, exact, best $m$": ("--", None),
            "counted": ("none", "o"),
            "weighted $U_S$": ("none", "s"),
        },
        meanings_at="lower center",
    )
    return fig


PANEL = Panel(
    NAME,
    "Failure probability of the pseudo-inverse readout h = U_S^T (U_S U_S^T)^-1 1 of a Gaussian "
    "W_U (solid: exact) against residual width d, beside the Bloom filter at its best number of "
    "hash bits (dashed: exact). Circles: failures counted over random W_U. Squares: random "
    "members' rows, drawn by importance sampling and solved, and the exact probability of failure "
    "given |h| averaged. The pseudo-inverse inverts a k x k matrix that depends on the input; the "
    "Bloom filter takes one ReLU layer of hidden width d.",
    tasks,
    checks,
    table,
    figure,
)
