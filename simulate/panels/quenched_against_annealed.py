"""One fixed family of hashes has a failure probability of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from simulate import estimators
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, Which, agrees, lies_within
from simulate.jobs.intervals import Mean
from simulate.jobs.panel import Effort, Panel, results_of
from simulate.jobs.table import Kind, Named, Point, series_of, xs, ys
from simulate.jobs.tasks import Task
from simulate.kernels import PackedHashes
from simulate.panels.measured import Sizes
from simulate.sampling import random_hashes
from theory import quenched
from theory.false_positives import expected_false_positives, failure_probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "quenched_against_annealed"
# all C(n, k) inputs of every family are enumerated: 19,600 and 120
CODES = (Sizes(50, 3, 36, 7), Sizes(10, 3, 12, 3))
PIECES = 4  # tasks per code
FORMULA_FAMILIES = 8  # families a task compares with the exact quenched formula
COUNTED = Sizes(1000, 4, 76, 11)  # too many inputs to enumerate
NAIVE_LEVEL = 1e-3
NAIVE_SETS = np.unique(np.logspace(1.5, 5, 36).astype(int))


class Quantity(StrEnum):
    """What is checked."""

    FORMULA = "formula"
    FALSE_POSITIVES = "false_positives"
    MEAN_FAILURE = "mean_failure"
    MEAN_FALSE_POSITIVES = "mean_false_positives"
    POWER = "power"


class Axis(StrEnum):
    """What is drawn."""

    HISTOGRAM = "histogram"
    NAIVE_TEST = "naive_test"


class Series(Named):
    """In the histogram; those of the naive test are sizes."""

    FAMILIES = "families", "fixed families"
    ANNEALED = "annealed"


@dataclass(frozen=True)
class Enumerated:
    """Failing inputs and false positives of each random family, over all its `inputs`.

    disagreements: of the first families, those in which the exact quenched formula says otherwise.
    """

    sizes: Sizes
    inputs: int
    failures: list[int]
    false_positives: list[int]
    disagreements: int


@dataclass(frozen=True)
class Counted:
    """E#FP of one family, counted on random inputs, and its exact quenched value."""

    sizes: Sizes
    false_positives: Mean
    exact: float


def enumerate_inputs(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, families: int
) -> Enumerated:
    """Task: random families, each with all its C(n, k) inputs."""
    inputs = np.array(list(combinations(range(n), k)))
    failures, false_positives, disagreements = [], [], 0
    for family in range(families):
        hashes = random_hashes(rng, n, d, m)
        counts = PackedHashes.of(hashes).count_false_positives(inputs)
        failures.append(int(np.count_nonzero(counts)))
        false_positives.append(int(counts.sum()))
        if family < FORMULA_FAMILIES:
            disagreements += sum(quenched.false_positive_inputs(hashes, k)) != false_positives[-1]
    return Enumerated(Sizes(n, k, d, m), len(inputs), failures, false_positives, disagreements)


def count_inputs(rng: np.random.Generator, n: int, k: int, d: int, m: int, sets: int) -> Counted:
    """Task: false positives of random inputs of one family."""
    hashes = random_hashes(rng, n, d, m)
    counts = estimators.counts_in_family(rng, PackedHashes.of(hashes), k, sets)
    exact = float(quenched.expected_false_positives(hashes, k))
    return Counted(Sizes(n, k, d, m), Mean.of(counts), exact)


def tasks(effort: Effort) -> list[Task[Enumerated | Counted]]:
    """Random families, each with all its inputs."""
    made: list[Task[Enumerated | Counted]] = []
    for sizes in CODES:
        families = effort.unions // 60 if sizes.n > 20 else effort.unions // 2
        arguments = {**sizes.at, "families": max(2, families // PIECES)}
        for piece in range(PIECES):
            cost = arguments["families"] * (3e-4 if sizes.n < 20 else 4e-3)
            name = f"{NAME}/{sizes.id}/{piece}"
            made.append(Task(name, enumerate_inputs, arguments, cost))
    counted = {**COUNTED.at, "sets": 20 * effort.unions}
    made.append(Task(f"{NAME}/{COUNTED.id}", count_inputs, counted, 1.0))
    return made


def naive_rejections(own_rates: np.ndarray, annealed: float, sets: int) -> float:
    """Exact: mean over families of P(a two-sided binomial test of the annealed rate rejects).

    own_rates: the families' own failure probabilities. The test takes `sets` inputs of one family
    and rejects outside the central 1 - NAIVE_LEVEL of Binomial(sets, annealed).
    """
    from scipy import stats

    low, high = stats.binom.ppf([NAIVE_LEVEL / 2, 1 - NAIVE_LEVEL / 2], sets, annealed)
    inside = stats.binom.cdf(high, sets, own_rates) - stats.binom.cdf(low - 1, sets, own_rates)
    return float(1.0 - inside.mean())


def _by_code(results: Sequence[Enumerated | Counted]) -> dict[Sizes, tuple[np.ndarray, np.ndarray]]:
    """Each family's own P_fail and E#FP, all pieces of a code together."""
    own: dict[Sizes, list[Enumerated]] = {}
    for each in results_of(results, Enumerated):
        own.setdefault(each.sizes, []).append(each)
    return {
        sizes: (
            np.concatenate([np.array(each.failures) / each.inputs for each in pieces]),
            np.concatenate([np.array(each.false_positives) / each.inputs for each in pieces]),
        )
        for sizes, pieces in own.items()
    }


def checks(results: Sequence[Enumerated | Counted]) -> list[Check]:
    """The mean over families is the annealed value; a test that fixes one family is misled.

    The exact quenched formula gives each family's own value, by enumeration and by counting.
    """
    disagreements = sum(each.disagreements for each in results_of(results, Enumerated))
    text = "families whose enumerated false positives differ from the exact quenched formula"
    which = Which(NAME, Quantity.FORMULA)
    made = [lies_within(which, text, 0.0, disagreements, (0.0, 0.0))]
    for each in results_of(results, Counted):
        which = Which(NAME, Quantity.FALSE_POSITIVES, each.sizes.at)
        label = each.sizes.label()
        text = f"E#FP of one fixed family against its exact quenched value, {label}"
        made.append(agrees(which, text, each.exact, each.false_positives.at(CONFIDENCE)))
    for sizes, (failure, hits) in _by_code(results).items():
        code, label = astuple(sizes), sizes.label()
        annealed = failure_probability(*code)
        expected = expected_false_positives(*code)
        for quantity, text, predicted, own in (
            (Quantity.MEAN_FAILURE, "mean quenched P_fail", annealed, failure),
            (Quantity.MEAN_FALSE_POSITIVES, "mean quenched E#FP", expected, hits),
        ):
            which = Which(NAME, quantity, sizes.at)
            mean = Mean.of(own).at(CONFIDENCE)
            made.append(agrees(which, f"{text}, {label}", predicted, mean))
        made.append(
            lies_within(
                Which(NAME, Quantity.POWER, sizes.at),
                f"power: share of families in which a {NAIVE_LEVEL:g}-level binomial test on "
                f"{NAIVE_SETS[-1]} inputs rejects the annealed rate, at least one half, {label}",
                0.5,
                naive_rejections(failure, annealed, int(NAIVE_SETS[-1])),
                (0.5, 1.0),
                FALSE_ALARM,
            )
        )
    return made


def table(results: Sequence[Enumerated | Counted]) -> list[Point]:
    """Histogram of the families' own P_fail, its mean and the annealed value; naive rejections."""
    made = []
    by_code = {sizes: failure for sizes, (failure, _) in _by_code(results).items()}
    first, own = CODES[0], by_code[CODES[0]]
    counts, edges = np.histogram(own, bins=40)
    centres = 0.5 * (edges[1:] + edges[:-1])
    for x, y in zip(centres.tolist(), (counts / len(own)).tolist(), strict=True):
        made.append(Point(Axis.HISTOGRAM, Series.FAMILIES, Kind.ENUMERATED, x, y, **first.at))
    annealed = failure_probability(*astuple(first))
    made.append(Point(Axis.HISTOGRAM, Series.ANNEALED, Kind.EXACT, annealed, 0.0, **first.at))
    for sizes, own in by_code.items():
        annealed = failure_probability(*astuple(sizes))
        for sets in NAIVE_SETS.tolist():
            share = naive_rejections(own, annealed, sets)
            made.append(Point(Axis.NAIVE_TEST, sizes.id, Kind.ENUMERATED, sets, share, **sizes.at))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Left: P_fail over families. Right: how often a test that fixes one family goes wrong."""
    from simulate.jobs import style

    fig, (histogram, naive) = style.row_of_axes(2)
    bars = series_of(points, axis=Axis.HISTOGRAM)
    families, (annealed,) = bars[Series.FAMILIES], bars[Series.ANNEALED]
    width = 0.92 * (families[1].x - families[0].x)
    label, colour = families[0].shown, style.COLOURS[5]
    histogram.bar(xs(families), ys(families), width=width, color=colour, label=label)
    histogram.axvline(annealed.x, color=style.COLOURS[1], label=annealed.shown)
    histogram.set_xlabel(r"a family's own $P_\mathrm{fail}$")
    histogram.set_ylabel("share of families")
    histogram.set_title(style.sizes(families[0], "nkdm"))
    histogram.set_ylim(0, 1.15 * max(p.y for p in families))
    histogram.legend(loc="upper right")
    drawn = series_of(points, axis=Axis.NAIVE_TEST).values()
    for colour, line, own in zip(style.COLOURS, ("-", "--"), drawn, strict=False):
        style.curve(naive, own, line, color=colour, label=style.sizes(own[0], "nkdm"))
    naive.axhline(NAIVE_LEVEL, color=style.GREY, linestyle=":", linewidth=0.9)
    at = (NAIVE_SETS[-1], NAIVE_LEVEL)
    style.note(naive, f"nominal {NAIVE_LEVEL:g}", at, xytext=(0, -8), ha="right")
    naive.set_xscale("log")
    naive.set_yscale("log")
    naive.set_ylim(2e-4, 2)
    naive.set_xlabel("inputs drawn from one fixed family")
    naive.set_ylabel("share of families rejected")
    naive.legend(loc="center right")
    return fig


PANEL = Panel(
    NAME,
    "Each fixed hash family has a failure probability of its own; the annealed value is only their "
    "mean. Left: families with all their inputs enumerated. Right: a binomial test that draws all "
    "its inputs from one family soon rejects the correct annealed rate.",
    tasks,
    checks,
    table,
    draw,
)
