"""The panel of the distance from the best: its tasks, what its checks notice, its figure's numbers.

False-alarm budget: intervals of confidence 1 - 1e-6, four comparisons. Fixed seeds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import pytest

from simulate.jobs.intervals import ClusteredCount, Count
from simulate.jobs.panel import QUICK
from simulate.panels import distance_from_best as panel
from theory import ideal_residual


def run(tasks) -> list[panel.Result]:
    """Through JSON, as a journal keeps them."""
    return [
        task.typed(msgspec.json.decode(msgspec.json.encode(task.run(0, at))))
        for at, task in enumerate(tasks)
    ]


@cache
def some_results() -> tuple[panel.Result, ...]:
    """The outermost programs of Gaussian readouts, one ranked and one noisy code."""
    tasks = panel.tasks(QUICK)
    gaussian = [task for task in tasks if task.arguments.get("readout") == panel.Readout.GAUSSIAN]
    others = [task for task in tasks if "readout" not in task.arguments]
    return tuple(run([gaussian[0], gaussian[-1], others[0], others[-1]]))


def failing(results) -> int:
    return sum(not check.passed for check in panel.checks(results))


def test_checks_pass() -> None:
    results = some_results()
    assert len(panel.checks(results)) == 4
    assert failing(results) == 0


def test_planted_faults_are_noticed() -> None:
    """Sets separable where they cannot be and the reverse; failures too many; another noise."""
    below, above, ranked, noisy = some_results()
    assert failing([replace(below, share=Count(below.share.trials, below.share.trials))]) == 1
    assert failing([replace(above, share=Count(0, above.share.trials))]) == 1
    counts = [count + ranked.failures.trials // 5 for count in ranked.failures.hits]
    assert failing([replace(ranked, failures=ClusteredCount(counts, ranked.failures.trials))]) == 1
    assert failing([replace(noisy, sigma=noisy.sigma / 2)]) == 1


def test_order_of_the_widths() -> None:
    """At every k: reals below bits below Bloom; the ideal residual below Bloom."""
    by_code: dict[str, list[float]] = {}
    for point in panel.table([]):
        by_code.setdefault(point.series, []).append(point.y)
    reals, bits, ideal, bloom, ranked = (
        by_code[code]
        for code in (
            panel.Code.REALS,
            panel.Code.BITS,
            panel.Code.IDEAL,
            panel.Code.BLOOM,
            panel.Code.RANKED,
        )
    )
    for at, k in enumerate(panel.DRAWN_K):
        assert reals[at] <= 2 * k
        assert reals[at] < bits[at] < bloom[at]
        # at k = 2 ranking random signs takes even less than the Bloom filter
        assert (bloom[at] < ranked[at]) == (k > 2)
        assert reals[at] <= ideal[at] < bloom[at]


def test_caption_states_the_numbers() -> None:
    """The filter's width over each other's, over every k drawn, as the caption says it."""
    widths: dict[str, list[float]] = {}
    for point in panel.table([]):
        widths.setdefault(point.series, []).append(point.y)

    def ratios(code: panel.Code) -> list[float]:
        return [
            bloom / other
            for bloom, other in zip(widths[panel.Code.BLOOM], widths[code], strict=True)
        ]

    for code in (panel.Code.IDEAL, panel.Code.BITS):
        said = f"{min(ratios(code)):.1f} to {max(ratios(code)):.1f} times"
        assert said in panel.PANEL.caption
    assert min(ratios(panel.Code.RANKED)) >= 0.5
    assert "at most twice the filter's width" in panel.PANEL.caption


@pytest.mark.slow
def test_whole_panel() -> None:
    results = run(panel.tasks(QUICK))
    assert failing(results) == 0
    assert panel.PANEL.figure(results)
    shares = [each for each in results if isinstance(each, panel.Separated)]
    middle = [each for each in shares if abs(each.sizes.d - threshold(each)) < 1]
    assert all(0 < each.share.at().value < 1 for each in middle)


def threshold(each: panel.Separated) -> float:
    return ideal_residual.threshold_width(each.sizes.n, each.sizes.k)
