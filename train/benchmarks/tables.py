"""The benchmark's table in Markdown, as the terminal and the documentation show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulate.jobs.table import select
from train.benchmarks.panel import Axis, Measure, ScorePoint
from train.benchmarks.suite import GRADES
from train.organism.names import Grade

NONE = "–"


def tables(points: Sequence[ScorePoint]) -> str:
    """The score above chance by grade, and every measure over all organisms, for each method."""
    by_grade = list(select(points, axis=Axis.GRADE, measure=Measure.ABOVE_CHANCE))
    grades = sorted({point.x for point in by_grade})
    scores = {(point.series, point.x): point for point in by_grade}
    over_all = list(select(points, axis=Axis.ALL))
    measures = {(point.series, point.measure): point for point in over_all}
    methods = {point.series: point.shown for point in over_all}
    return "\n".join(
        [
            "Score above chance, by grade:\n",
            *_table(
                ["method", *(GRADES[Grade(int(x))] for x in grades)],
                [
                    [label, *(shown(scores.get((method, x))) for x in grades)]
                    for method, label in methods.items()
                ],
            ),
            "\nAll measures, over all organisms:\n",
            *_table(
                ["measure", *methods.values()],
                [
                    [measure.label, *(shown(measures.get((m, measure))) for m in methods)]
                    for measure in Measure
                ],
            ),
            "",
        ]
    )


def shown(point: ScorePoint | None) -> str:
    """A mean with half the width of its interval, as in the table."""
    if point is None:
        return NONE
    reach = 0.5 * ((point.high or 0.0) - (point.low or 0.0))
    return f"{point.y:z.2f} ± {reach:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    texts = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [texts[0], rule, *texts[1:]]
