"""What a panel is: tasks whose results become checks, a table, and a figure of that table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate import estimators
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, Check
from simulate.jobs.intervals import Estimate
from simulate.jobs.tasks import Result, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]  # one task's arguments and result together
DRAWN_CONFIDENCE = 0.95
WEIGHTED: dict[str, Callable[..., np.ndarray]] = {
    "conditional": estimators.conditional_failure,
    "tilted": estimators.tilted_failure,
    "planted": estimators.planted_failure,
}


@dataclass(frozen=True)
class Effort:
    """How much to simulate: scales sample sizes and says how far direct counting goes.

    families: independent hash families of a direct estimate at n >= 5000 (see `families_for`).
    sets: inputs per direct estimate, at most.
    smallest_direct: smallest P_fail that is counted directly. unions: unions of a conditional
    estimate. planted: inputs of the float network with a planted failure; their weights are so
    skewed that intervals hold for tens of thousands only, or for none.
    """

    name: str
    families: int
    sets: int
    smallest_direct: float
    unions: int
    planted: int = 0

    def families_for(self, n: int) -> int:
        """Number of families: a small vocabulary's families differ more and cost less."""
        return self.families * min(100, max(1, 5000 // n))


QUICK = Effort("quick", families=32, sets=200_000, smallest_direct=1e-3, unions=30_000)
DEFAULT = Effort("default", families=64, sets=1_000_000, smallest_direct=1e-4, unions=200_000)
FULL = Effort(
    "full", families=256, sets=400_000_000, smallest_direct=1e-6, unions=2_000_000, planted=20_000
)


@dataclass(frozen=True)
class Point:
    """One number of a figure, with the sizes it belongs to and its 95 % interval if measured.

    axis: which axes of the figure. series: which curve or set of markers. kind: exact, upper
    bound, lower bound, asymptotic, or how it was measured.
    """

    axis: str
    series: str
    kind: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    k: int | None = None
    d: int | None = None
    m: int | None = None


@dataclass(frozen=True)
class Panel:
    """One claim, measured. `tasks` draw, `checks` judge, `table` holds the figure's numbers."""

    name: str
    caption: str
    tasks: Callable[[Effort], list[Task]]
    checks: Callable[[Sequence[Row]], list[Check]]
    table: Callable[[Sequence[Row]], list[Point]]
    figure: Callable[[Sequence[Point]], Figure]


def files(panel: Panel, rows: Sequence[Row], formats: Sequence[str]) -> dict[str, bytes]:
    """The panel's table as CSV and its figure in each format: file names and contents."""
    from simulate.jobs import style

    table = panel.table(rows)
    drawn = panel.figure(table)
    images = {f"{panel.name}.{ending}": style.rendered(drawn, ending) for ending in formats}
    return {f"{panel.name}.csv": as_csv(table).encode()} | images


def as_csv(table: Sequence[Point]) -> str:
    """The table as CSV text, one line per point; floats in full."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in fields(Point)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(point) for point in table)
    return stream.getvalue()


def select(table: Sequence[Point], **wanted: object) -> Iterator[Point]:
    """The points whose named fields equal the wanted values."""
    return (
        point for point in table if all(getattr(point, name) == of for name, of in wanted.items())
    )


def series_of(table: Sequence[Point], **wanted: object) -> dict[str, list[Point]]:
    """The selected points by series, in order of first appearance."""
    grouped: dict[str, list[Point]] = {}
    for point in select(table, **wanted):
        grouped.setdefault(point.series, []).append(point)
    return grouped


def direct_task(panel: str, effort: Effort, sizes: dict[str, int], total: float) -> Task:
    """Count false positives on about `total` inputs (at most effort.sets), split over families."""
    families = effort.families_for(sizes["n"])
    total = min(total, effort.sets)
    arguments = sizes | {"families": families, "sets": max(1, round(total / families))}
    bits = sizes["n"] * sizes["d"]
    cost = families * (1e-4 + 4e-9 * bits) + total * (2e-7 + 2e-13 * bits)
    return Task(f"{panel}/direct/{size_label(sizes)}", measure_directly, arguments, cost)


def weighted_task(panel: str, method: str, draws: int, sizes: dict[str, int]) -> Task:
    """Average that many draws of one of the WEIGHTED estimators."""
    arguments = sizes | {"method": method, "draws": draws}
    a_draw = sizes["k"] * (sizes["m"] + 0.1 * sizes["d"]) / 6e7
    if method == "planted":
        a_draw = 6e-9 * sizes["n"] * sizes["d"]
    name = f"{panel}/{method}/{size_label(sizes)}"
    return Task(name, measure_by_weights, arguments, draws * a_draw)


def measure_directly(rng: np.random.Generator, **sizes: int) -> Result:
    """Task: false positives counted over families of hashes; see `estimators.direct`."""
    counts = estimators.direct(rng, **sizes)
    return {
        "failures": counts.failures.tolist(),
        "false_positives": counts.false_positives.tolist(),
    }


def measure_by_weights(rng: np.random.Generator, method: str, draws: int, **sizes: int) -> Result:
    """Task: P_fail as the mean of weighted draws; see `estimators`."""
    values = WEIGHTED[method](rng, *(sizes[letter] for letter in "nkdm"), draws)
    measured = intervals.mean(values, CONFIDENCE)
    return {"estimate": measured.estimate, "standard_error": measured.standard_error}


def failure_estimate(row: Row, confidence: float = CONFIDENCE) -> Estimate:
    """P_fail of a row measured directly (clustered over families) or by weighted draws."""
    if "failures" in row:
        return intervals.clustered_proportion(np.array(row["failures"]), row["sets"], confidence)
    return intervals.from_standard_error(
        row["estimate"], row["standard_error"], row["draws"] - 1, confidence
    )


def false_positive_estimate(row: Row, confidence: float = CONFIDENCE) -> Estimate:
    """E#FP of a directly measured row, clustered over its families."""
    return intervals.mean(np.array(row["false_positives"]) / row["sets"], confidence)


def measured_point(
    axis: str, series: str, kind: str, x: float, estimate: Estimate, row: Row
) -> Point:
    """A measured point with its interval and the row's sizes; ask for DRAWN_CONFIDENCE."""
    sizes = {letter: row.get(letter) for letter in "nkdm"}
    return Point(axis, series, kind, x, estimate.estimate, *estimate.interval, **sizes)


def method_of(row: Row) -> str:
    """How a row was measured: direct, or one of WEIGHTED."""
    return row.get("method", "direct")


def size_label(row: Row, letters: str = "nkdm") -> str:
    """For instance "n=1000, k=4": the sizes named by `letters`."""
    return ", ".join(f"{letter}={row[letter]}" for letter in letters)
