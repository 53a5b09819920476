"""Panel 6: one fixed family of hashes has a failure probability of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from simulate import estimators
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, agrees, lies_within
from simulate.jobs.panel import Effort, Panel, Point, Row, series_of, size_label
from simulate.jobs.tasks import Result, Task
from simulate.kernels import PackedHashes
from simulate.sampling import random_hashes
from theory import quenched
from theory.false_positives import expected_false_positives, failure_probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "quenched_against_annealed"
# all C(n, k) inputs of every family are enumerated: 19,600 and 120
CODES = ((50, 3, 36, 7), (10, 3, 12, 3))
PIECES = 4  # tasks per code
FORMULA_FAMILIES = 8  # families a task compares with the exact quenched formula
COUNTED = {"n": 1000, "k": 4, "d": 76, "m": 11}  # too many inputs to enumerate
NAIVE_LEVEL = 1e-3
NAIVE_SETS = np.unique(np.logspace(1.5, 5, 36).astype(int))


def enumerate_inputs(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, families: int
) -> Result:
    """Task: for each random family, its failing inputs and false positives over all C(n, k).

    `disagreements` counts the first families in which the exact quenched formula says otherwise.
    """
    inputs = np.array(list(combinations(range(n), k)))
    failures, false_positives, disagreements = [], [], 0
    for family in range(families):
        hashes = random_hashes(rng, n, d, m)
        counts = PackedHashes.of(hashes).count_false_positives(inputs)
        failures.append(int(np.count_nonzero(counts)))
        false_positives.append(int(counts.sum()))
        if family < FORMULA_FAMILIES:
            disagreements += sum(quenched.false_positive_inputs(hashes, k)) != false_positives[-1]
    return {
        "failures": failures,
        "false_positives": false_positives,
        "disagreements": disagreements,
        "inputs": len(inputs),
    }


def count_inputs(rng: np.random.Generator, n: int, k: int, d: int, m: int, sets: int) -> Result:
    """Task: false positives of random inputs of one family, and its exact quenched E#FP."""
    hashes = random_hashes(rng, n, d, m)
    counts = estimators.counts_in_family(rng, PackedHashes.of(hashes), k, sets)
    measured = intervals.mean(counts, CONFIDENCE)
    return {
        "estimate": measured.estimate,
        "standard_error": measured.standard_error,
        "exact": float(quenched.expected_false_positives(hashes, k)),
    }


def tasks(effort: Effort) -> list[Task]:
    """Random families, each with all its inputs."""
    made = []
    for n, k, d, m in CODES:
        families = effort.unions // 60 if n > 20 else effort.unions // 2
        sizes = {"n": n, "k": k, "d": d, "m": m, "families": max(2, families // PIECES)}
        for piece in range(PIECES):
            cost = sizes["families"] * (3e-4 if n < 20 else 4e-3)
            made.append(Task(f"{NAME}/{size_label(sizes)}/{piece}", enumerate_inputs, sizes, cost))
    counted = COUNTED | {"sets": 20 * effort.unions}
    made.append(Task(f"{NAME}/{size_label(counted)}", count_inputs, counted, 1.0))
    return made


def _by_code(rows: Sequence[Row], name: str) -> dict[tuple[int, int, int, int], np.ndarray]:
    """A per-family count as a share of the family's inputs, all pieces of a code together."""
    found: dict[tuple[int, int, int, int], list[float]] = {}
    for row in (row for row in rows if "inputs" in row):
        code = (row["n"], row["k"], row["d"], row["m"])
        found.setdefault(code, []).extend(np.array(row[name]) / row["inputs"])
    return {code: np.array(values) for code, values in found.items()}


def naive_rejections(own_rates: np.ndarray, annealed: float, sets: int) -> float:
    """Exact: mean over families of P(a two-sided binomial test of the annealed rate rejects).

    own_rates: the families' own failure probabilities. The test takes `sets` inputs of one family
    and rejects outside the central 1 - NAIVE_LEVEL of Binomial(sets, annealed).
    """
    from scipy import stats

    low, high = stats.binom.ppf([NAIVE_LEVEL / 2, 1 - NAIVE_LEVEL / 2], sets, annealed)
    inside = stats.binom.cdf(high, sets, own_rates) - stats.binom.cdf(low - 1, sets, own_rates)
    return float(1.0 - inside.mean())


def checks(rows: Sequence[Row]) -> list[Check]:
    """The mean over families is the annealed value; a test that fixes one family is misled.

    The exact quenched formula gives each family's own value, by enumeration and by counting.
    """
    made = []
    disagreements = sum(row.get("disagreements", 0) for row in rows)
    name = "families whose enumerated false positives differ from the exact quenched formula"
    made.append(lies_within(NAME, name, 0.0, disagreements, (0.0, 0.0), 0.0))
    for row in (row for row in rows if "exact" in row):
        counted = intervals.from_standard_error(
            row["estimate"], row["standard_error"], row["sets"] - 1, CONFIDENCE
        )
        name = f"E#FP of one fixed family against its exact quenched value, {size_label(row)}"
        made.append(agrees(NAME, name, row["exact"], counted))
    failures, hits = _by_code(rows, "failures"), _by_code(rows, "false_positives")
    for code, own in failures.items():
        n, k, d, m = code
        label = f"n={n}, k={k}, d={d}, m={m}"
        annealed = failure_probability(n, k, d, m)
        mean_failure = intervals.mean(own, CONFIDENCE)
        made.append(agrees(NAME, f"mean quenched P_fail, {label}", annealed, mean_failure))
        expected = expected_false_positives(n, k, d, m)
        mean_hits = intervals.mean(hits[code], CONFIDENCE)
        made.append(agrees(NAME, f"mean quenched E#FP, {label}", expected, mean_hits))
        rejections = naive_rejections(own, annealed, int(NAIVE_SETS[-1]))
        made.append(
            lies_within(
                NAME,
                f"power: share of families in which a {NAIVE_LEVEL:g}-level binomial test on "
                f"{NAIVE_SETS[-1]} inputs rejects the annealed rate, at least one half, {label}",
                0.5,
                rejections,
                (0.5, 1.0),
                FALSE_ALARM,
            )
        )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Histogram of the families' own P_fail, its mean and the annealed value; naive rejections."""
    made = []
    (n, k, d, m) = CODES[0]
    sizes = {"n": n, "k": k, "d": d, "m": m}
    of_families = _by_code(rows, "failures")[CODES[0]]
    annealed = failure_probability(n, k, d, m)
    counts, edges = np.histogram(of_families, bins=40)
    centres = 0.5 * (edges[1:] + edges[:-1])
    for x, y in zip(centres.tolist(), (counts / len(of_families)).tolist(), strict=True):
        made.append(Point("histogram", "families", "enumerated", x, y, **sizes))
    made.append(Point("histogram", "annealed", "exact", annealed, 0.0, **sizes))
    for code, values in _by_code(rows, "failures").items():
        label = ", ".join(f"{letter}={size}" for letter, size in zip("nkdm", code, strict=True))
        own = dict(zip("nkdm", code, strict=True))
        for sets in NAIVE_SETS.tolist():
            share = naive_rejections(values, failure_probability(*code), sets)
            made.append(Point("naive test", label, "enumerated", sets, share, **own))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Left: P_fail over families. Right: how often a test that fixes one family goes wrong."""
    from simulate.jobs import style

    fig, (histogram, naive) = style.row_of_axes(2)
    bars = series_of(points, axis="histogram")
    width = bars["families"][1].x - bars["families"][0].x
    histogram.bar(
        [p.x for p in bars["families"]],
        [p.y for p in bars["families"]],
        width=0.92 * width,
        color=style.COLOURS[5],
        label="fixed families",
    )
    annealed = bars["annealed"][0].x
    histogram.axvline(annealed, color=style.COLOURS[1], label="annealed")
    histogram.set_xlabel(r"a family's own $P_\mathrm{fail}$")
    histogram.set_ylabel("share of families")
    histogram.set_title(
        f"$n={CODES[0][0]}$, $k={CODES[0][1]}$, $d={CODES[0][2]}$, $m={CODES[0][3]}$"
    )
    histogram.set_ylim(0, 1.15 * max(p.y for p in bars["families"]))
    histogram.legend(loc="upper right")
    for colour, (series, own) in zip(
        style.COLOURS, series_of(points, axis="naive test").items(), strict=False
    ):
        naive.plot(
            [p.x for p in own], [p.y for p in own], color=colour, label=style.as_math(series)
        )
    naive.axhline(NAIVE_LEVEL, color=style.GREY, linestyle=":", linewidth=0.9)
    naive.annotate(
        f"nominal {NAIVE_LEVEL:g}", (NAIVE_SETS[-1], NAIVE_LEVEL / 1.6), ha="right", fontsize=7
    )
    naive.set_xscale("log")
    naive.set_yscale("log")
    naive.set_ylim(2e-4, 2)
    naive.set_xlabel("inputs drawn from one fixed family")
    naive.set_ylabel("share of families rejected")
    naive.legend(loc="center right")
    return fig


PANEL = Panel(
    NAME,
    "Left: failure probability of fixed random hash families, all inputs enumerated, against the "
    "annealed value, which is their mean. Right: how often a binomial test that draws all its "
    "inputs from one family rejects the correct annealed rate.",
    tasks,
    checks,
    table,
    figure,
)
