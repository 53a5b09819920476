"""Masks better than random ones, the yardstick for trained networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import designed_codes
from simulate.designed_codes import Design
from simulate.estimators import counts_in_family
from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE, Check, Which, agrees, lies_within
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Count, Mean
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Kind, Point, measured_point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.kernels import PackedHashes
from simulate.panels.measured import Sizes, size_label
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
# the local search has done most of its work after this many rounds
SWEEPS = 8
# all inputs of one searched family are enumerated at the sizes where that is feasible
MOST_INPUTS = 2**25
MOST_SETS = 20_000_000
LARGEST_RATIO = 0.25
SMALLEST_BALANCED_RATIO = 0.75
LEAST = 1e-4


class Quantity(StrEnum):
    """What is checked."""

    CERTIFIED = "certified"
    ZERO_ERROR = "zero_error"
    FALSE_POSITIVES = "false_positives"
    RATIO = "ratio"
    FAILURE = "failure"
    ENUMERATED = "enumerated"


@dataclass(frozen=True)
class Enumerated:
    """Over all C(n, k) inputs: P_fail, and whether the false positives are the exact formula's."""

    failure: float
    agreed: bool


@dataclass(frozen=True)
class Measured:
    """One family of a design: counted, and its exact quenched E#FP.

    certified: members that weights and overlaps certify without a failure.
    """

    design: Design
    sizes: Sizes
    failures: Count
    false_positives: Mean
    expected: float
    certified: int
    enumerated: Enumerated | None


def measure(
    rng: np.random.Generator,
    design: Design,
    n: int,
    k: int,
    d: int,
    m: int,
    sets: int,
    sweeps: int,
    enumerate_all: bool,
) -> Measured:
    """Task: failures of one family on random inputs. At most 24 bits a token."""
    if design == Design.ZERO_ERROR:
        hashes = designed_codes.zero_error_hashes(n, k, d)
    else:
        options = {"sweeps": sweeps} if design == Design.SEARCH else {}
        hashes = designed_codes.DESIGNS[design](rng, n, d, m, **options)
    counts = counts_in_family(rng, PackedHashes.of(hashes), k, sets)
    covered = sum(quenched.false_positive_inputs(hashes, k))
    everything = None
    if enumerate_all:
        failing, enumerated = designed_codes.enumerated_counts(hashes, k)
        everything = Enumerated(failing / math.comb(n, k), enumerated == covered)
    return Measured(
        design,
        Sizes(n, k, d, m),
        Count.of(counts),
        Mean.of(counts),
        covered / math.comb(n, k),
        designed_codes.certified_members(hashes),
        everything,
    )


def tasks(effort: Effort) -> list[Task[Measured]]:
    """Every design at several numbers of hash bits."""
    made = []
    for (n, k, d), (several, searched, one) in TASKS.items():
        cases = [(design, m) for design in (Design.BALANCED, Design.GREEDY) for m in several]
        cases += [(Design.SEARCH, m) for m in searched]
        if effort is QUICK:
            cases = [(way, m) for way, m in cases if m == one and (way, k) != (Design.SEARCH, 4)]
        hashes = designed_codes.zero_error_hashes(n, k, d)
        sets = min(max(10**6, 2 * effort.sets), MOST_SETS)
        sweeps = 1 if effort is QUICK else 100 if effort is FULL else SWEEPS
        feasible = math.comb(n, k) <= MOST_INPUTS and effort is not QUICK
        for design, m in [*cases, (Design.ZERO_ERROR, int(hashes.sum(axis=1).min()))]:
            sizes = Sizes(n, k, d, m)
            enumerable = (design, m) == (Design.SEARCH, one) or design == Design.ZERO_ERROR
            options = {"sets": sets, "sweeps": sweeps, "enumerate_all": feasible and enumerable}
            search = sweeps * 2.5e-8 * n * n * m if design == Design.SEARCH else 0.0
            cost = 2e-7 * n * n + 1e-10 * n * sets + search
            name = f"{NAME}/{design}/{sizes.id}"
            made.append(Task(name, measure, {"design": design, **sizes.at, **options}, cost))
    return made


def _by_task(results: Sequence[Measured]) -> dict[tuple[int, int, int], list[Measured]]:
    return {
        (n, k, d): [r for r in results if (r.sizes.n, r.sizes.k, r.sizes.d) == (n, k, d)]
        for n, k, d in TASKS
    }


def checks(results: Sequence[Measured]) -> list[Check]:
    """No failure of the zero-error codes; how far below random the others are, and exactly."""
    made = []
    for (n, k, d), own in _by_task(results).items():
        at, label = {"n": n, "k": k, "d": d}, size_label("nkd", n=n, k=k, d=d)
        optimum = failure_probability(n, k, d, optimal_hashes_for_failure(n, k, d))
        (zero,) = (each for each in own if each.design == Design.ZERO_ERROR)
        text = f"members certified without a failure by weights and overlaps, {label}"
        which = Which(NAME, Quantity.CERTIFIED, at)
        made.append(lies_within(which, text, k, zero.certified, (k, math.inf)))
        enumerated = zero.enumerated.failure if zero.enumerated else 0.0
        found = max(zero.failures.hits, enumerated, zero.expected)
        text = f"failures of the zero-error code: counted, enumerated, and exact E#FP, {label}"
        which = Which(NAME, Quantity.ZERO_ERROR, at)
        made.append(lies_within(which, text, 0.0, found, (0.0, 0.0)))
        for design, bounds in (
            (Design.BALANCED, (SMALLEST_BALANCED_RATIO, math.inf)),
            (Design.GREEDY, (0.0, LARGEST_RATIO)),
            (Design.SEARCH, (0.0, LARGEST_RATIO)),
        ):
            candidates = [each for each in own if each.design == design]
            if not candidates:
                continue
            best = min(candidates, key=lambda each: each.expected)
            counted = best.false_positives.at(CONFIDENCE)
            masks = f"{design.label} masks"
            text = f"E#FP of {masks} against the exact quenched value, {best.sizes.label()}"
            which = Which(NAME, Quantity.FALSE_POSITIVES, {**at, "design": design})
            made.append(agrees(which, text, best.expected, counted))
            text = f"exact E#FP of the best {masks} over the random optimum P_fail, {label}"
            which = Which(NAME, Quantity.RATIO, {**at, "design": design})
            made.append(lies_within(which, text, 1.0, best.expected / optimum, bounds))
    for each in results:
        if each.enumerated is None or each.design == Design.ZERO_ERROR:
            continue
        sizes = {**each.sizes.at, "design": each.design}
        masks, label = f"{each.design.label} masks", each.sizes.label()
        failed = each.failures.at(CONFIDENCE)
        which = Which(NAME, Quantity.FAILURE, sizes)
        text = f"P_fail of {masks} over all inputs, {label}"
        made.append(agrees(which, text, each.enumerated.failure, failed))
        which = Which(NAME, Quantity.ENUMERATED, sizes)
        text = f"false positives over all inputs equal the exact formula's, {masks}, {label}"
        made.append(lies_within(which, text, 1.0, float(each.enumerated.agreed), (1.0, 1.0)))
    return made


def table(results: Sequence[Measured]) -> list[Point]:
    """P_fail against hash bits: random masks exactly, the designs measured, zero for zero error.

    The exact E#FP of a design's family is an upper bound on its P_fail.
    """
    made = []
    for (n, k, d), own in _by_task(results).items():
        axis = ids.of(n=n, k=k, d=d)
        for m in range(6, 19):
            value = failure_probability(n, k, d, m)
            made.append(Point(axis, Design.RANDOM, Kind.EXACT, m, value, n=n, k=k, d=d, m=m))
        for each in own:
            at, m = each.sizes.at, each.sizes.at["m"]
            if each.design == Design.ZERO_ERROR:
                made.append(Point(axis, each.design, Kind.EXACT, m, 0.0, **at))
                continue
            failed = each.failures.at(DRAWN_CONFIDENCE)
            made += [
                measured_point(axis, each.design, Kind.DIRECT, m, failed, **at),
                Point(axis, each.design, Kind.UPPER_BOUND, m, each.expected, **at),
            ]
    return made


def draw(points: Sequence[Point]) -> Figure:
    """P_fail on a log axis against hash bits; zero stands on the lower edge."""
    from simulate.jobs import style

    fig, both = style.row_of_axes(2, height=2.7)
    markers = {Design.BALANCED: "o", Design.GREEDY: "s", Design.SEARCH: "D", Design.ZERO_ERROR: "v"}
    for axes, axis in zip(both, dict.fromkeys(p.axis for p in points), strict=True):
        own = series_of(points, axis=axis)
        style.curve(axes, own[Design.RANDOM], color=style.INK, label="random, exact")
        for colour, (design, marker) in zip(style.COLOURS, markers.items(), strict=False):
            shown = of_kind(own.get(design, ()), Kind.DIRECT)
            if design == Design.ZERO_ERROR:
                shown = [replace(p, y=LEAST) for p in own[design]]
                at = {"xytext": (0, 6), "ha": "center", "color": colour}
                style.note(axes, r"$P_\mathrm{fail} = 0$", (shown[0].x, LEAST), **at)
            style.error_bars(axes, shown, colour, marker, label=design.label, clip_on=False)
        axes.set_yscale("log")
        axes.set_ylim(LEAST, 0.2)
        axes.set_xlabel("hash bits a token $m$")
        axes.set_ylabel(style.FAILURE)
        axes.set_title(style.sizes(own[Design.RANDOM][0], "nkd"))
    both[0].legend(loc="lower right")
    return fig


PANEL = Panel(
    NAME,
    "Masks chosen to overlap little fail an order of magnitude less often than random ones, and "
    "codes of which no k masks cover another never fail. Balanced bits alone gain nothing. Local "
    "search moves the bits of greedy masks while that lowers overlaps. Random: exact, annealed; "
    "designs: one family counted; zero error: Reed-Solomon codes, at right with biplane blocks.",
    tasks,
    checks,
    table,
    draw,
)
