"""Learned codes fail less often than the best random ones, and how much their density matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from simulate.jobs.checks import FALSE_ALARM, Check, lies_within
from simulate.jobs.panel import QUICK, Effort, Panel, Point, Row, series_of
from simulate.jobs.tasks import Task
from theory.false_positives import failure_probability
from theory.width import optimal_hashes_for_failure
from train.panels.trained import estimate, network_point, training_task
from train.training.presets import PRESETS

NAME = "learned_codes"
SEEDS = range(5)
# presets: the most total variation allowed, and whether random hashes may fail less often
TARGETS = {"best": (0.01, False), "wide": (0.01, False), "source": (0.05, True)}
QUICK_TARGETS = {"fast": (0.05, True)}
LEAST_AGREEMENT = 0.999
# presets and steps whose networks have other densities; a higher rate makes sparser codes
DENSITIES = ((0.02, 16_000), (0.0175, 16_000), (0.0125, 16_000), (0.01, 16_000))


def tasks(effort: Effort) -> list[Task]:
    """Every preset with five seeds, and shorter runs of the best at other rates."""
    if effort is QUICK:
        return [training_task(NAME, "fast, seed 0", PRESETS["fast"])]
    made = [
        training_task(NAME, f"{name}, seed {seed}", replace(PRESETS[name], seed=seed))
        for name in TARGETS
        for seed in SEEDS
    ]
    best = PRESETS["best"]
    share = best.embedding_learning_rate / best.learning_rate
    for rate, steps in DENSITIES:
        other = replace(best, learning_rate=rate, embedding_rate=rate * share, steps=steps)
        made.append(training_task(NAME, f"rate {rate:g}, {steps} steps", other))
    return made


def _target(row: Row) -> tuple[float, bool] | None:
    for name, target in (TARGETS | QUICK_TARGETS).items():
        recipe = PRESETS[name]
        if all(row[key] == getattr(recipe, key) for key in ("n", "steps", "start")):
            return target
    return None


def checks(rows: Sequence[Row]) -> list[Check]:
    """TV and agreement of the masks; the best presets fail no more often than random hashes."""
    made = []
    for row in rows:
        target = _target(row)
        if target is None:
            continue
        most_variation, may_fail_more = target
        n, k, d = row["n"], row["k"], row["d"]
        label = f"n={n}, k={k}, d={d}, {row['steps']} steps, seed {row['seed']}"
        variation = estimate(row, "total variation").interval[1]
        made.append(
            lies_within(
                NAME,
                f"total variation, upper bound, {label}",
                most_variation,
                variation,
                (0.0, most_variation),
                FALSE_ALARM,
            )
        )
        made.append(
            lies_within(
                NAME,
                f"agreement of the two masks, {label}",
                1.0,
                row["mask_agreement"],
                (LEAST_AGREEMENT, 1.0),
            )
        )
        if not may_fail_more:
            random = failure_probability(n, k, d, optimal_hashes_for_failure(n, k, d))
            made.append(
                lies_within(
                    NAME,
                    f"failure rate, upper bound, against the best random hashes, {label}",
                    random,
                    estimate(row, "failure rate").interval[1],
                    (0.0, random),
                    FALSE_ALARM,
                )
            )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Exact P_fail of random hashes against m/d, and each network at its own density."""
    made = []
    for n, k, d in dict.fromkeys((row["n"], row["k"], row["d"]) for row in rows):
        label = f"n={n}, d={d}, k={k}"
        last = min(d, 2 * optimal_hashes_for_failure(n, k, d))
        for m in range(2, last):
            value = failure_probability(n, k, d, m)
            made.append(Point("failure", label, "exact", m / d, value, n=n, k=k, d=d, m=m))
        own = [row for row in rows if (row["n"], row["k"], row["d"]) == (n, k, d)]
        for row in own:
            if not row["diverged"]:
                density = row["bits_per_token"]["mean"] / d
                made.append(network_point("failure", label, density, "failure rate", row))
                made.append(network_point("variation", label, density, "total variation", row))
    return made


def figure(points: Sequence[Point]):
    """Failure rate (left) and TV (right) against the mask density."""
    from simulate.jobs import style

    fig, (left, right) = style.row_of_axes(2, style.DOUBLE_COLUMN, 2.7)
    for colour, (label, own) in zip(
        style.COLOURS, series_of(points, axis="failure").items(), strict=False
    ):
        curve = [p for p in own if p.kind == "exact"]
        left.plot(
            [p.x for p in curve], [p.y for p in curve], color=colour, label=style.as_math(label)
        )
        style.error_bars(left, [p for p in own if p.kind == "trained"], colour, "o")
        variation = series_of(points, axis="variation").get(label, [])
        style.error_bars(right, variation, colour, "o", label=style.as_math(label))
    right.axhline(TARGETS["best"][0], color=style.GREY, linestyle=":", linewidth=0.9)
    left.set_yscale("log")
    right.set_yscale("log")
    trained = [p.y for p in points if p.axis == "failure" and p.kind == "trained"]
    least = min([p.y for p in points if p.axis == "failure" and p.y > 0])
    left.set_ylim(10 ** math.floor(math.log10(least)), max([0.2, *trained]) * 1.3)
    for axes in (left, right):
        axes.set_xlim(0, 0.4)
        axes.set_xlabel("mask density (bits per token)$/d$")
    left.set_ylabel("failure rate")
    right.set_ylabel("total variation")
    style.legends(
        left,
        {"random hashes, exact": ("-", None), "trained network": ("none", "o")},
        series_at="upper right",
        meanings_at="lower left",
    )
    return fig


PANEL = Panel(
    NAME,
    "Failure rate of trained networks against the density of their masks (circles, 95 % intervals "
    "over 100,000 fresh inputs each), and the exact failure probability P_fail of random hashes of "
    "that density (lines). Right: their total variation; dotted, the target of 0.01. Five seeds of "
    "the presets `best`, `wide` and `source`, and shorter runs of `best` at other learning rates.",
    tasks,
    checks,
    table,
    figure,
)
