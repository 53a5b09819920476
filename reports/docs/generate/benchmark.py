"""What the saved run of `train.benchmark` found: sentences and tables, from its table."""

from __future__ import annotations

from collections.abc import Sequence

from reports.docs.generate.gallery import saved
from reports.docs.generate.jobs import took
from reports.documents import table, verdict
from reports.jobs import BENCHMARK
from simulate.jobs.panel import DEFAULT
from simulate.jobs.table import select
from train.benchmarks import panel
from train.benchmarks.methods import Name
from train.benchmarks.panel import Axis, Measure, ScorePoint
from train.benchmarks.tables import shown, tables
from train.organism.names import Grade

POINTS = table(BENCHMARK, panel.NAME, ScorePoint)
# a method that scores less has lost the bits
LOST = 0.5


def score(points: Sequence[ScorePoint], method: Name, axis: Axis, x: float) -> ScorePoint:
    """A method's mean score above chance at a place on an axis."""
    (found,) = select(points, series=method, axis=axis, x=x, measure=Measure.ABOVE_CHANCE)
    return found


def levels(points: Sequence[ScorePoint]) -> list[float]:
    """The levels of noise, ascending."""
    return sorted({point.x for point in select(points, axis=Axis.NOISE)})


def lost_from(points: Sequence[ScorePoint], method: Name) -> float:
    """The lowest level of noise from which on a method has lost the bits."""
    kept = [x for x in levels(points) if score(points, method, Axis.NOISE, x).y >= LOST]
    return min(x for x in levels(points) if not kept or x > max(kept))


def overtaken_from(points: Sequence[ScorePoint], method: Name, other: Name) -> float:
    """The lowest level of noise from which on the other's score is higher, intervals apart."""
    behind = [
        x
        for x in levels(points)
        if (score(points, method, Axis.NOISE, x).high or 0.0)
        >= (score(points, other, Axis.NOISE, x).low or 0.0)
    ]
    return min(x for x in levels(points) if not behind or x > max(behind))


def findings() -> str:
    """The sentences and both tables, in Markdown."""
    points = saved().read(POINTS)
    checks = saved().read(verdict(BENCHMARK)).checks

    def at(method: Name, grade: Grade) -> str:
        return shown(score(points, method, Axis.GRADE, grade))

    rest = (Name.DICTIONARY, Name.K_MEANS, Name.SINGULAR_VECTORS, Name.RANDOM)
    grades = sorted({point.x for point in select(points, axis=Axis.GRADE)})
    most = max(score(points, method, Axis.GRADE, x).y for method in rest for x in grades)
    took_it = took(BENCHMARK)
    time = f" On two cores it took {took_it}." if took_it else ""
    paragraphs = [
        f"The run that comes with the project has {panel.replicates(DEFAULT)} independent networks "
        f"of each organism, from seed 0.{time} "
        f"{sum(check.passed for check in checks)} of {len(checks)} checks of the scoring pass. The "
        "tables give means with 95 % intervals over the networks.",
        "Our recovery, which looks at the weights, and the activations of the hidden units give "
        "every bit, or 99 % of the bits, until noise hides them. From noise "
        f"{overtaken_from(points, Name.ANALYSIS, Name.HIDDEN_UNITS):g} on the activations tell "
        "more than our recovery. Of the methods that do not look at single units, two find many "
        "of the bits where these are in another basis: ICA of the residual stream "
        f"({at(Name.ICA, Grade.BASIS)}) and NMF of the activations ({at(Name.NMF, Grade.BASIS)}). "
        f"ICA loses them from noise {lost_from(points, Name.ICA):g} on; on trained networks it "
        f"finds as many as our recovery ({at(Name.ICA, Grade.TRAINED)}).",
        f"The other methods score at most {most:.2f}. In every input about half of the bits are "
        "on, so that methods that look for few active components do not find them.",
    ]
    return "\n\n".join([*paragraphs, tables(points).strip()])
