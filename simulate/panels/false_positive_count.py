"""Panel 4: false positives of one input come together, because they share its union."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulate import estimators
from simulate.jobs import intervals
from simulate.jobs.checks import (
    CONFIDENCE,
    FALSE_ALARM,
    NOMINAL_LEVEL,
    Check,
    agrees,
    lies_within,
)
from simulate.jobs.panel import Effort, Panel, Point, Row, series_of, size_label
from simulate.jobs.tasks import Result, Task
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
CODES = ((300, 4, 40, 8), (10, 3, 9, 3))
PIECES = 4  # tasks per code
# the chi-square law of the statistic needs this many expected inputs in every class
SMALLEST_CLASS = 20.0


def count_fresh(rng: np.random.Generator, **sizes: int) -> Result:
    """Task: histogram of the number of false positives over independent families."""
    counts = estimators.fresh_counts(rng, **sizes)
    return {"histogram": np.bincount(counts, minlength=sizes["n"] - sizes["k"] + 1).tolist()}


def tasks(effort: Effort) -> list[Task]:
    """One fresh hash family for every input, so that inputs are independent."""
    made = []
    for n, k, d, m in CODES:
        inputs = effort.unions // 2 if n > 100 else 8 * effort.unions
        sizes = {"n": n, "k": k, "d": d, "m": m, "inputs": max(1, inputs // PIECES)}
        for piece in range(PIECES):
            cost = sizes["inputs"] * n * (m + 0.1 * d) / 6e7
            name = f"{NAME}/fresh/{size_label(sizes)}/{piece}"
            made.append(Task(name, count_fresh, sizes, cost))
    return made


def _histograms(rows: Sequence[Row]) -> dict[tuple[int, int, int, int], np.ndarray]:
    """Pieces of one code added up, inputs by number of false positives."""
    found: dict[tuple[int, int, int, int], np.ndarray] = {}
    for row in rows:
        code = (row["n"], row["k"], row["d"], row["m"])
        found[code] = found.get(code, 0) + np.array(row["histogram"])
    return found


def _laws(n: int, k: int, d: int, m: int) -> dict[str, np.ndarray]:
    """The exact mixture and the two laws that ignore dependence, over 0..n-k."""
    from scipy import stats

    x = np.arange(n - k + 1)
    rate = false_positive_rate(k, d, m)
    return {
        "exact": false_positive_count_law(n, k, d, m, x),
        "binomial": stats.binom.pmf(x, n - k, rate),
        "poisson": stats.poisson.pmf(x, (n - k) * rate),
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


def checks(rows: Sequence[Row]) -> list[Check]:
    """Mean, P_fail and whole law against the exact mixture; the independent laws must not fit."""
    made = []
    for (n, k, d, m), histogram in _histograms(rows).items():
        label = f"n={n}, k={k}, d={d}, m={m}"
        inputs = int(histogram.sum())
        counts = np.repeat(np.arange(len(histogram)), histogram)
        made.append(
            agrees(
                NAME,
                f"E#FP, {label}",
                expected_false_positives(n, k, d, m),
                intervals.mean(counts, CONFIDENCE),
            )
        )
        failures = intervals.proportion(inputs - int(histogram[0]), inputs, CONFIDENCE)
        made.append(agrees(NAME, f"P_fail, {label}", failure_probability(n, k, d, m), failures))
        for law, weights in _laws(n, k, d, m).items():
            p_value = goodness_of_fit(histogram, weights)
            fits = law == "exact"
            made.append(
                lies_within(
                    NAME,
                    f"p-value of the {law} law{'' if fits else ', to be rejected'}, {label}",
                    0.5 if fits else 0.0,
                    p_value,
                    (NOMINAL_LEVEL, 1.0) if fits else (0.0, 1e-6),
                    FALSE_ALARM,
                )
            )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """The three laws and the measured frequencies with Clopper-Pearson intervals."""
    names = {
        "exact": ("exact mixture", "exact"),
        "binomial": ("binomial, same mean", "independence"),
        "poisson": ("Poisson, same mean", "independence"),
    }
    made = []
    for (n, k, d, m), histogram in _histograms(rows).items():
        axis = f"n={n}, k={k}, d={d}, m={m}"
        inputs = int(histogram.sum())
        # chosen by what is expected, so that no point is shown or hidden for how it came out
        expected = _laws(n, k, d, m)["exact"] * inputs
        shown = np.flatnonzero(expected >= SMALLEST_CLASS)
        last = int(shown[-1])
        for law, weights in _laws(n, k, d, m).items():
            series, kind = names[law]
            made += [
                Point(axis, series, kind, x, float(weights[x]), n=n, k=k, d=d, m=m)
                for x in range(last + 1)
            ]
        for x in shown.tolist():
            share = intervals.proportion(int(histogram[x]), inputs, 0.95)
            made.append(
                Point(axis, "direct", "direct", x, share.estimate, *share.interval, n, k, d, m)
            )
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Probability of each number of false positives, on a log axis."""
    from matplotlib.ticker import MaxNLocator

    from simulate.jobs import style

    fig, axes = style.row_of_axes(len(CODES))
    for axis, (n, k, d, m) in zip(axes, CODES, strict=True):
        drawn = series_of(points, axis=f"n={n}, k={k}, d={d}, m={m}")
        measured = drawn.pop("direct")
        lines = ("-", "--", ":")
        for colour, line, (series, own) in zip(style.COLOURS, lines, drawn.items(), strict=False):
            axis.plot([p.x for p in own], [p.y for p in own], line, color=colour, label=series)
        style.error_bars(axis, measured, style.INK, "o", label="direct count")
        axis.set_yscale("log")
        axis.set_ylim(min(p.y for p in measured) / 5, 2.0)
        axis.set_title(f"$n={n}$, $k={k}$, $d={d}$, $m={m}$")
        axis.set_xlabel("false positives of one input")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("probability")
    axes[0].legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "Number of false positives of one input, a fresh hash family for each: the exact mixture "
    "over the union's size, and the binomial and Poisson laws of the same mean, which ignore "
    "that the false positives of an input share its union.",
    tasks,
    checks,
    table,
    figure,
)
