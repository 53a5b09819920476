"""Panel: masks better than random ones, the yardstick for trained networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simulate import designed_codes
from simulate.estimators import counts_in_family
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, Check, agrees, lies_within
from simulate.jobs.intervals import Estimate
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    FULL,
    QUICK,
    Effort,
    Panel,
    Point,
    Row,
    measured_point,
    series_of,
    size_label,
)
from simulate.jobs.tasks import Result, Task
from simulate.kernels import PackedHashes
from theory import quenched
from theory.false_positives import failure_probability
from theory.width import optimal_hashes_for_failure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "designed_codes"
# (n, k, d): the hash bits of the balanced and greedy masks, of the searched ones, of a quick run
TASKS = {
    (512, 3, 64): ((8, 9, 10, 11, 12, 13), (9, 10, 12), 10),
    (1024, 4, 96): ((10, 11, 12, 13, 14), (12,), 12),
}
ZERO, SEARCH = "zero error", "local search"
# the local search has done most of its work after this many rounds
SWEEPS = 8
# all inputs of one searched family are enumerated at the sizes where that is feasible
MOST_INPUTS = 2**25
MOST_SETS = 20_000_000
LARGEST_RATIO = 0.25
SMALLEST_BALANCED_RATIO = 0.75
LEAST = 1e-4


def measure(
    rng: np.random.Generator,
    design: str,
    n: int,
    k: int,
    d: int,
    m: int,
    sets: int,
    sweeps: int,
    enumerate_all: bool,
) -> Result:
    """Task: counted failures of one family of a design, and its exact quenched E#FP.

    At most 24 bits a token.
    """
    hashes = _drawn(rng, design, n, k, d, m, sweeps)
    counts = counts_in_family(rng, PackedHashes.of(hashes), k, sets)
    hits = intervals.mean(counts, CONFIDENCE)
    covered = sum(quenched.false_positive_inputs(hashes, k))
    result: Result = {
        "failures": int(np.count_nonzero(counts)),
        "hits": hits.estimate,
        "hits_error": hits.standard_error,
        "expected": covered / math.comb(n, k),
        "certified": designed_codes.certified_members(hashes),
    }
    if enumerate_all:
        failing, enumerated = designed_codes.enumerated_counts(hashes, k)
        result |= {"enumerated": failing / math.comb(n, k), "agreed": enumerated == covered}
    return result


def _drawn(
    rng: np.random.Generator, design: str, n: int, k: int, d: int, m: int, sweeps: int
) -> np.ndarray:
    if design == ZERO:
        return designed_codes.zero_error_hashes(n, k, d)
    if design == SEARCH:
        return designed_codes.searched_hashes(rng, n, d, m, sweeps)
    return designed_codes.DESIGNS[design](rng, n, d, m)


def tasks(effort: Effort) -> list[Task]:
    """Every design at several numbers of hash bits."""
    made = []
    for (n, k, d), (several, searched, one) in TASKS.items():
        cases = [(design, m) for design in ("balanced", "greedy") for m in several]
        cases += [(SEARCH, m) for m in searched]
        if effort is QUICK:
            cases = [(design, m) for design, m in cases if m == one and (design, k) != (SEARCH, 4)]
        hashes = designed_codes.zero_error_hashes(n, k, d)
        sets = min(max(10**6, 2 * effort.sets), MOST_SETS)
        sweeps = 1 if effort is QUICK else 100 if effort is FULL else SWEEPS
        feasible = math.comb(n, k) <= MOST_INPUTS and effort is not QUICK
        for design, m in [*cases, (ZERO, int(hashes.sum(axis=1).min()))]:
            sizes = {"design": design, "n": n, "k": k, "d": d, "m": m}
            everything = feasible and (design, m) in ((SEARCH, one), (ZERO, m))
            options = {"sets": sets, "sweeps": sweeps, "enumerate_all": everything}
            search = sweeps * 2.5e-8 * n * n * m if design == SEARCH else 0.0
            cost = 2e-7 * n * n + 1e-10 * n * sets + search
            name = f"{NAME}/{design}/{size_label(sizes)}"
            made.append(Task(name, measure, sizes | options, cost))
    return made


def _failure(row: Row, confidence: float) -> Estimate:
    return intervals.proportion(row["failures"], row["sets"], confidence)


def _false_positives(row: Row) -> Estimate:
    return intervals.from_standard_error(
        row["hits"], row["hits_error"], row["sets"] - 1, CONFIDENCE
    )


def checks(rows: Sequence[Row]) -> list[Check]:
    """No failure of the zero-error codes; how far below random the others are, and exactly."""
    made = []
    for sizes in TASKS:
        own = [row for row in rows if tuple(row[letter] for letter in "nkd") == sizes]
        label = size_label(own[0], "nkd")
        n, k, d = sizes
        optimum = failure_probability(n, k, d, optimal_hashes_for_failure(n, k, d))
        (zero,) = (row for row in own if row["design"] == ZERO)
        name = f"members certified without a failure by weights and overlaps, {label}"
        made.append(lies_within(NAME, name, k, zero["certified"], (k, math.inf)))
        found = max(zero["failures"], zero.get("enumerated", 0.0), zero["expected"])
        name = f"failures of the zero-error code: counted, enumerated, and exact E#FP, {label}"
        made.append(lies_within(NAME, name, 0.0, found, (0.0, 0.0)))
        for design, bounds in (
            ("balanced", (SMALLEST_BALANCED_RATIO, math.inf)),
            ("greedy", (0.0, LARGEST_RATIO)),
            (SEARCH, (0.0, LARGEST_RATIO)),
        ):
            candidates = [row for row in own if row["design"] == design]
            if not candidates:
                continue
            best = min(candidates, key=lambda row: row["expected"])
            counted = _false_positives(best)
            name = f"E#FP of {design} masks against the exact quenched value, {size_label(best)}"
            made.append(agrees(NAME, name, best["expected"], counted))
            name = f"exact E#FP of the best {design} masks over the random optimum P_fail, {label}"
            ratio = best["expected"] / optimum
            made.append(lies_within(NAME, name, 1.0, ratio, bounds))
    for row in (row for row in rows if "enumerated" in row and row["design"] != ZERO):
        name = f"P_fail of {row['design']} masks over all inputs, {size_label(row)}"
        made.append(agrees(NAME, name, row["enumerated"], _failure(row, CONFIDENCE)))
        name = f"false positives over all inputs equal the exact formula's, {size_label(row)}"
        made.append(lies_within(NAME, name, 1.0, float(row["agreed"]), (1.0, 1.0)))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """P_fail against hash bits: random masks exactly, the designs measured, zero for zero error."""
    made = []
    for n, k, d in TASKS:
        axis = f"n={n}, k={k}, d={d}"
        for m in range(6, 19):
            value = failure_probability(n, k, d, m)
            made.append(Point(axis, "random", "exact", m, value, n=n, k=k, d=d, m=m))
        for row in (row for row in rows if (row["n"], row["k"], row["d"]) == (n, k, d)):
            sizes = {letter: row[letter] for letter in "nkdm"}
            if row["design"] == ZERO:
                made.append(Point(axis, ZERO, "exact", row["m"], 0.0, **sizes))
                continue
            measured = _failure(row, DRAWN_CONFIDENCE)
            made.append(measured_point(axis, row["design"], "direct", row["m"], measured, row))
            made.append(
                Point(axis, row["design"], "exact E#FP", row["m"], row["expected"], **sizes)
            )
    return made


def figure(points: Sequence[Point]) -> Figure:
    """P_fail on a log axis against hash bits; zero stands on the lower edge."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, height=2.7)
    markers = {"balanced": "o", "greedy": "s", SEARCH: "D", ZERO: "v"}
    for axes, title in zip(both, dict.fromkeys(p.axis for p in points), strict=True):
        own = series_of(points, axis=title)
        curve = own.pop("random")
        x, y = [p.x for p in curve], [p.y for p in curve]
        axes.plot(x, y, color=style.INK, label="random, exact")
        for colour, (design, marker) in zip(style.COLOURS, markers.items(), strict=False):
            shown = [p for p in own.get(design, ()) if p.kind == "direct"]
            if design == ZERO:
                shown = [replace(p, y=LEAST) for p in own[ZERO]]
                axes.annotate(
                    r"$P_\mathrm{fail} = 0$",
                    (shown[0].x, LEAST),
                    xytext=(0, 6),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                    color=colour,
                )
            style.error_bars(axes, shown, colour, marker, label=design, clip_on=False)
        axes.set_yscale("log")
        axes.set_ylim(LEAST, 0.2)
        axes.set_xlabel("hash bits a token $m$")
        axes.set_ylabel(r"failure probability $P_\mathrm{fail}$")
        axes.set_title(style.as_math(title))
    both[0].legend(loc="lower right")
    return fig


PANEL = Panel(
    NAME,
    "Failure probability of masks that are not random, against the hash bits of a token. Line: "
    "independent random masks, exact (annealed). Balanced: every bit owned by equally many tokens. "
    "Greedy: masks drawn one after the other so that pairs overlap little. Local search: greedy "
    "masks whose bits are moved while that lowers the pairs' overlaps. All three counted on "
    "random inputs of one family (quenched). Triangle on the lower edge: a code of masks of "
    "which no k cover another, so that P_fail is exactly 0 (left: Reed-Solomon code over GF(8); "
    "right: one over GF(11) and unions of biplane blocks).",
    tasks,
    checks,
    table,
    figure,
)
