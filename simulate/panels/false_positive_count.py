"""False positives of one input come together, because they share its union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import estimators
from simulate.jobs.checks import (
    CONFIDENCE,
    FALSE_ALARM,
    NOMINAL_LEVEL,
    Check,
    Which,
    agrees,
    lies_within,
)
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Count, Mean
from simulate.jobs.panel import Effort, Panel
from simulate.jobs.table import Kind, Named, Point, measured_point, series_of
from simulate.jobs.tasks import Task
from simulate.panels.measured import Sizes
from theory.false_positives import (
    expected_false_positives,
    failure_probability,
    false_positive_count_law,
    false_positive_rate,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "false_positive_count"
# a wide union against few bits shows the dependence; a tiny vocabulary shows every token counts
CODES = (Sizes(300, 4, 40, 8), Sizes(10, 3, 9, 3))
PIECES = 4  # tasks per code
# the chi-square law of the statistic needs this many expected inputs in every class
SMALLEST_CLASS = 20.0


class Quantity(StrEnum):
    """What is checked."""

    FALSE_POSITIVES = "false_positives"
    FAILURE = "failure"
    LAW = "law"


class Series(Named):
    """The exact law, the two that ignore dependence, and what was counted."""

    MIXTURE = "mixture", "exact mixture"
    BINOMIAL = "binomial", "binomial, same mean"
    POISSON = "poisson", "Poisson, same mean"
    COUNTED = "counted", "direct count"


LINES = {Series.MIXTURE: "-", Series.BINOMIAL: "--", Series.POISSON: ":"}


@dataclass(frozen=True)
class Histogram:
    """Inputs by their number of false positives, 0 to n - k."""

    sizes: Sizes
    inputs: list[int]


def count_fresh(rng: np.random.Generator, n: int, k: int, d: int, m: int, inputs: int) -> Histogram:
    """Task: histogram of the number of false positives over independent families."""
    counts = estimators.fresh_counts(rng, n, k, d, m, inputs)
    return Histogram(Sizes(n, k, d, m), np.bincount(counts, minlength=n - k + 1).tolist())


def tasks(effort: Effort) -> list[Task[Histogram]]:
    """One fresh hash family for every input, so that inputs are independent."""
    made = []
    for sizes in CODES:
        inputs = effort.unions // 2 if sizes.n > 100 else 8 * effort.unions
        arguments = {**sizes.at, "inputs": max(1, inputs // PIECES)}
        for piece in range(PIECES):
            cost = arguments["inputs"] * sizes.n * (arguments["m"] + 0.1 * sizes.d) / 6e7
            name = f"{NAME}/fresh/{sizes.id}/{piece}"
            made.append(Task(name, count_fresh, arguments, cost))
    return made


def _histograms(results: Sequence[Histogram]) -> dict[Sizes, np.ndarray]:
    """Pieces of one code added up, inputs by number of false positives."""
    found: dict[Sizes, np.ndarray] = {}
    for each in results:
        found[each.sizes] = found.get(each.sizes, 0) + np.array(each.inputs)
    return found


def _laws(n: int, k: int, d: int, m: int) -> dict[Series, np.ndarray]:
    """The exact mixture and the two laws that ignore dependence, over 0..n-k."""
    from scipy import stats

    x = np.arange(n - k + 1)
    rate = false_positive_rate(k, d, m)
    return {
        Series.MIXTURE: false_positive_count_law(n, k, d, m, x),
        Series.BINOMIAL: stats.binom.pmf(x, n - k, rate),
        Series.POISSON: stats.poisson.pmf(x, (n - k) * rate),
    }


def goodness_of_fit(histogram: np.ndarray, law: np.ndarray) -> float:
    """Asymptotic: p-value of Pearson's chi-square test, neighbouring rare classes merged.

    histogram, law: [classes]; every merged class expects at least SMALLEST_CLASS inputs.
    """
    from scipy import stats

    expected = law * histogram.sum()
    starts, filled = [0], 0.0
    for place, weight in enumerate(expected[:-1]):
        filled += weight
        if filled >= SMALLEST_CLASS and expected[place + 1 :].sum() >= SMALLEST_CLASS:
            starts.append(place + 1)
            filled = 0.0
    observed = np.add.reduceat(histogram, starts)
    predicted = np.add.reduceat(expected, starts)
    predicted *= observed.sum() / predicted.sum()
    return float(stats.chisquare(observed, predicted).pvalue)


def checks(results: Sequence[Histogram]) -> list[Check]:
    """Mean, P_fail and whole law against the exact mixture; the independent laws must not fit."""
    made = []
    for sizes, histogram in _histograms(results).items():
        code, label = astuple(sizes), sizes.label()
        mean = Mean.of(np.repeat(np.arange(len(histogram)), histogram)).at(CONFIDENCE)
        which = Which(NAME, Quantity.FALSE_POSITIVES, sizes.at)
        made.append(agrees(which, f"E#FP, {label}", expected_false_positives(*code), mean))
        inputs = int(histogram.sum())
        failed = Count(inputs - int(histogram[0]), inputs).at(CONFIDENCE)
        which = Which(NAME, Quantity.FAILURE, sizes.at)
        made.append(agrees(which, f"P_fail, {label}", failure_probability(*code), failed))
        for law, weights in _laws(*code).items():
            fits = law == Series.MIXTURE
            made.append(
                lies_within(
                    Which(NAME, Quantity.LAW, {**sizes.at, "law": law}),
                    f"p-value of the {law} law{'' if fits else ', to be rejected'}, {label}",
                    0.5 if fits else 0.0,
                    goodness_of_fit(histogram, weights),
                    (NOMINAL_LEVEL, 1.0) if fits else (0.0, 1e-6),
                    FALSE_ALARM,
                )
            )
    return made


def table(results: Sequence[Histogram]) -> list[Point]:
    """The three laws and the measured frequencies with Clopper-Pearson intervals."""
    made = []
    for sizes, histogram in _histograms(results).items():
        axis, inputs = sizes.id, int(histogram.sum())
        laws = _laws(*astuple(sizes))
        # chosen by what is expected, so that no point is shown or hidden for how it came out
        shown = np.flatnonzero(laws[Series.MIXTURE] * inputs >= SMALLEST_CLASS).tolist()
        for series, weights in laws.items():
            kind = Kind.EXACT if series == Series.MIXTURE else Kind.APPROXIMATE
            made += [
                Point(axis, series, kind, x, float(weights[x]), **sizes.at)
                for x in range(shown[-1] + 1)
            ]
        for x in shown:
            share = Count(int(histogram[x]), inputs).at(DRAWN_CONFIDENCE)
            made.append(measured_point(axis, Series.COUNTED, Kind.DIRECT, x, share, **sizes.at))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Probability of each number of false positives, on a log axis."""
    from matplotlib.ticker import MaxNLocator

    from simulate.jobs import style

    titles = list(dict.fromkeys(p.axis for p in points))
    fig, axes = style.row_of_axes(len(titles))
    for axis, title in zip(axes, titles, strict=True):
        drawn = series_of(points, axis=title)
        for colour, (series, line) in zip(style.COLOURS, LINES.items(), strict=False):
            own = drawn[series]
            style.curve(axis, own, line, color=colour, label=own[0].shown)
        counted = drawn[Series.COUNTED]
        style.error_bars(axis, counted, style.INK, "o", label=counted[0].shown)
        axis.set_yscale("log")
        axis.set_ylim(min(p.y for p in counted) / 5, 2.0)
        axis.set_title(style.sizes(counted[0], "nkdm"))
        axis.set_xlabel("false positives of one input")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("probability")
    axes[0].legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "False positives of one input come together, because they share its union: their number "
    "follows the exact mixture over the union's size, and not the binomial or Poisson law of the "
    "same mean, which ignore that. Every input has a fresh hash family.",
    tasks,
    checks,
    table,
    draw,
)
