"""The benchmark as a panel: organisms and seeds as tasks, checks of the scoring, table and figure.

Intervals are over replicates, which are independent: a replicate's values of several organisms are
averaged first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.checks import CONFIDENCE, Check, Which, agrees, lies_within
from simulate.jobs.intervals import Estimate, Mean
from simulate.jobs.panel import FULL, QUICK, Effort, Panel
from simulate.jobs.table import Kind, Named, Point, key, select, xs, ys
from simulate.jobs.tasks import Task
from train.benchmarks import suite
from train.benchmarks.measured import CaseScores, task
from train.benchmarks.methods import METHODS, Name
from train.benchmarks.suite import GRADES
from train.organism.matching import Scores
from train.organism.names import Grade

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "benchmark"


class Axis(StrEnum):
    """What a mean is over: the organisms of a grade, one level of noise, one organism, or all."""

    GRADE = "grade"
    NOISE = "noise"
    ORGANISM = "organism"
    ALL = "all"


class Measure(Named):
    """The measures of `matching.Scores`, and what tables call them."""

    ABOVE_CHANCE = "above_chance", "score above chance"
    SCORE = "score", "score"
    CHANCE = "chance", "chance"
    BITS_PRECISION = "bits_precision", "bits: precision"
    BITS_RECALL = "bits_recall", "bits: recall"
    UNITS_PRECISION = "units_precision", "units: precision"
    UNITS_RECALL = "units_recall", "units: recall"
    TOKENS_PRECISION = "tokens_precision", "tokens: precision"
    TOKENS_RECALL = "tokens_recall", "tokens: recall"
    ORIENTATION = "orientation", "orientation"
    FAILURES = "failures", "failures"


_OF: Mapping[Measure, Callable[[Scores], float | None]] = {
    Measure.ABOVE_CHANCE: lambda of: of.above_chance,
    Measure.SCORE: lambda of: of.score,
    Measure.CHANCE: lambda of: of.chance,
    Measure.BITS_PRECISION: lambda of: of.bits.precision,
    Measure.BITS_RECALL: lambda of: of.bits.recall,
    Measure.UNITS_PRECISION: lambda of: of.units.precision,
    Measure.UNITS_RECALL: lambda of: of.units.recall,
    Measure.TOKENS_PRECISION: lambda of: of.tokens.precision,
    Measure.TOKENS_RECALL: lambda of: of.tokens.recall,
    Measure.ORIENTATION: lambda of: of.orientation,
    Measure.FAILURES: lambda of: of.failures,
}


class Quantity(StrEnum):
    """What is checked of the scoring itself."""

    PERFECT = "perfect"
    RESCALED = "rescaled"
    WRONG = "wrong"
    CHANCE = "chance"


@dataclass(frozen=True)
class ScorePoint(Point):
    """The mean of one measure of a method. organism: its name, where the mean is of one."""

    measure: Measure | None = key(None)
    organism: str | None = key(None)


def replicates(effort: Effort) -> int:
    """Independent organisms of each name."""
    return 2 if effort is QUICK else 20 if effort is FULL else 5


def tasks(
    effort: Effort, methods: Sequence[str], organisms: Sequence[str], seed: int
) -> list[Task[CaseScores]]:
    """Every organism of every replicate, with all methods; seed decides which organisms."""
    quick = effort is QUICK
    return [
        task(name, methods, seed, replicate, quick)
        for name in suite.chosen(organisms, quick)
        for replicate in range(replicates(effort))
    ]


def checks(results: Sequence[CaseScores]) -> list[Check]:
    """The scoring of the truth itself on every organism, and that of random masks."""
    perfect = [each.controls.perfect for each in results]
    wrong = [each.controls.wrong for each in results]
    moved = [at for each in results if (at := each.controls.rescaled) is not None]
    below_one = float(np.nextafter(1.0, 0.0))
    made = [
        lies_within(
            Which(NAME, Quantity.PERFECT),
            "lowest score of the truth itself",
            1.0,
            min(perfect),
            (1.0, 1.0),
        ),
        lies_within(
            Which(NAME, Quantity.WRONG),
            "highest score of the truth against one with a wrong entry",
            1.0,
            max(wrong),
            (0.0, below_one),
        ),
    ]
    if moved:
        made.append(
            lies_within(
                Which(NAME, Quantity.RESCALED),
                "lowest score of the planted truth, permuted and rescaled",
                1.0,
                min(moved),
                (1.0, 1.0),
            )
        )
    blind = [of for each in results if (of := each.methods.get(Name.RANDOM)) is not None]
    if len(blind) > 1:
        # in whatever order its tokens are, a mask of independent bits is as good
        beyond = Mean.of(np.array([of.score - of.chance for of in blind])).at(CONFIDENCE)
        made.append(
            agrees(Which(NAME, Quantity.CHANCE), "random masks: score less chance", 0.0, beyond)
        )
    return made


def _mean(results: Sequence[CaseScores], method: str, measure: Measure) -> Estimate | None:
    """Over replicates, of each one's mean over these results; None without any."""
    values: dict[int, list[float]] = {}
    for each in results:
        value = _OF[measure](each.methods[method])
        if value is not None:
            values.setdefault(each.replicate, []).append(value)
    if len(values) < 2:
        return None
    return Mean.of(np.array([np.mean(own) for own in values.values()])).at()


Group = tuple[Axis, str | None, float, list[CaseScores]]


def _groups(results: Sequence[CaseScores]) -> Iterator[Group]:
    """Axis, name of the organism, place on the axis and the results of every group."""
    yield Axis.ALL, None, 0.0, list(results)
    for grade in sorted({each.grade for each in results}):
        yield Axis.GRADE, None, float(grade), [each for each in results if each.grade == grade]
    for level in sorted({each.noise for each in results if each.noise is not None}):
        yield Axis.NOISE, None, level, [each for each in results if each.noise == level]
    for place, name in enumerate(dict.fromkeys(each.organism for each in results)):
        yield Axis.ORGANISM, name, float(place), [e for e in results if e.organism == name]


def table(results: Sequence[CaseScores]) -> list[ScorePoint]:
    """Every measure of every method, over all organisms, each grade, noise level and organism."""
    made = []
    for axis, organism, x, group in _groups(results):
        for method in group[0].methods:
            for measure in Measure:
                found = _mean(group, method, measure)
                if found is not None:
                    low, high = found.interval
                    label = Name(method).label if method in METHODS else method
                    made.append(
                        ScorePoint(
                            axis,
                            method,
                            Kind.MEAN,
                            x,
                            found.value,
                            low,
                            high,
                            label=label,
                            measure=measure,
                            organism=organism,
                        )
                    )
    return made


def draw(points: Sequence[ScorePoint]) -> Figure:
    """Left, the score above chance by grade; right, by noise: each method a line."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 3.1, (1.25, 1.0))
    scores = list(select(points, measure=Measure.ABOVE_CHANCE))
    looks = {
        point.series: _Look.of(point.shown, place)
        for place, point in enumerate({point.series: point for point in scores}.values())
    }
    for axes, axis in ((left, Axis.GRADE), (right, Axis.NOISE)):
        for place, (method, look) in enumerate(looks.items()):
            # side by side where many find everything
            beside = _DODGE * (place - 0.5 * (len(looks) - 1)) if axis is Axis.GRADE else 0.0
            of = [replace(p, x=p.x + beside) for p in select(scores, axis=axis, series=method)]
            axes.plot(xs(of), ys(of), look.dashes, color=look.colour, linewidth=0.9)
            style.error_bars(axes, of, look.colour, look.marker)
        axes.set_ylim(-0.06, 1.04)
    grades = sorted({point.x for point in select(scores, axis=Axis.GRADE)})
    left.set_xticks(grades, [GRADES[Grade(int(x))] for x in grades], rotation=25, ha="right")
    left.set_ylabel("score above chance")
    left.set_title("by what hides the masks")
    right.set_xlabel("noise / root mean square of the weights")
    right.set_title("by noise")
    keys = [style.key(of.label, of.colour, of.dashes, of.marker, 0.9) for of in looks.values()]
    fig.legend(handles=keys, loc="outside upper center", ncols=4, handlelength=3.0)
    return fig


_DODGE = 0.07


@dataclass(frozen=True)
class _Look:
    """Of one method's line: colour, dashes and marker each tell it from its neighbours."""

    label: str
    colour: str
    dashes: str
    marker: str

    @classmethod
    def of(cls, label: str, place: int) -> _Look:
        from simulate.jobs import style

        colours, dashes = (style.INK, *style.COLOURS, style.GREY), ("-", "--", "-.", ":")
        markers = "osD^vPX*"
        return cls(
            label,
            colours[place % len(colours)],
            dashes[place % len(dashes)],
            markers[place % len(markers)],
        )


def panel(
    methods: Sequence[str], organisms: Sequence[str], seed: int
) -> Panel[CaseScores, ScorePoint]:
    """The panel of these methods and organisms; all of them where none is named."""
    chosen = tuple(dict.fromkeys(methods or METHODS))
    return Panel(
        NAME,
        "How much of what a network computes each method finds: the score is 1 where every hash "
        "bit is found and 0 for what chance finds. Left: by what stands between the weights and "
        "the masks. Right: clamp networks in another basis under growing noise. Marks are means "
        "over independent networks with 95 % intervals.",
        partial(tasks, methods=chosen, organisms=tuple(organisms), seed=seed),
        checks,
        table,
        draw,
    )
