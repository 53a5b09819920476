"""How much noise the recovery bears: its score over many noisy clamps, with the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.constructions import clamp
from simulate.jobs.figure import Figure
from simulate.jobs.intervals import Estimate, Mean
from simulate.jobs.table import Kind, Point, measured_point, series_of, xs, ys
from simulate.sampling import telling_hashes
from simulate.symmetries import in_another_basis
from train.organism.agreement import cohens_kappa
from train.organism.family import BETA, Sizes, noisy, oracle_masks, stream
from train.organism.recovery import score
from train.organism.truth import Truth
from train.reading.masks import CLAMP, extract

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

NAME, AXIS = "recovery_against_noise", "score"


class Series(StrEnum):
    """Who recovers the masks."""

    ANALYSIS = "analysis"
    ORACLE = "oracle"
    BASELINE = "baseline"


LABELS = {
    Series.ANALYSIS: "the analysis, blind",
    Series.ORACLE: "bit by bit, basis known",
    Series.BASELINE: "the analysis, shuffled",
}


@dataclass(frozen=True)
class NoiseLevel:
    """Mean scores over independent networks, each with hashes and noise of its own.

    analysis, baseline: of what is found in another basis, see `recovery`. oracle: the score of
    `oracle_masks`.
    """

    noise: float
    analysis: Estimate
    oracle: Estimate
    baseline: Estimate


def noise_curve(sizes: Sizes, seed: int) -> list[NoiseLevel]:
    """For each level the means over independent networks."""
    scores = np.array(
        [_scores(sizes, stream(seed, 4, replicate)) for replicate in range(sizes.replicates)]
    )
    return [
        NoiseLevel(level, *(Mean.of(scores[:, at, place]).at() for place in range(len(Series))))
        for at, level in enumerate(sizes.levels)
    ]


def _scores(sizes: Sizes, rng: np.random.Generator) -> list[list[float]]:
    """Scores of one network, a row for each level: the same noise, more and more of it."""
    hashes = telling_hashes(rng, sizes.n, sizes.d, sizes.m)
    exact = clamp(hashes, BETA)
    planted = Truth(np.full(sizes.d, CLAMP), np.ones(sizes.d, dtype=bool), hashes, hashes)
    stacked = np.vstack([hashes, hashes])
    (state,) = rng.integers(2**63, size=1)
    rows = []
    for level in sizes.levels:
        own = np.random.default_rng(state)
        network = noisy(exact, level, own)
        hidden, order = in_another_basis(network, own)
        truth = replace(planted, **planted.in_order(order))
        found = score(extract(hidden.astype(np.float32), sizes.k, sizes.c), truth, own)
        known = np.vstack(oracle_masks(network, hashes, level))
        oracle = float(np.maximum(cohens_kappa(known, stacked), 0.0).mean())
        rows.append([found.score, oracle, found.score_baseline])
    return rows


def noise_figure(curve: Sequence[NoiseLevel], sizes: Sizes) -> Figure:
    """The figure of a noise curve."""
    return Figure(
        NAME,
        "The analysis recovers hidden masks under moderate noise. The score is 1 where every "
        "unit's kind and masks are found; noise is relative to each tensor's root mean square. "
        "Means over "
        f"{sizes.replicates} clamp networks in a random basis with 95 % intervals, beside one who "
        "knows the basis, and a shuffled baseline.",
        [
            measured_point(
                AXIS,
                series,
                Kind.MEAN,
                level.noise,
                found,
                LABELS[series],
                n=sizes.n,
                k=sizes.k,
                d=sizes.d,
                m=sizes.m,
            )
            for series in Series
            for level in curve
            for found in (getattr(level, series),)
        ],
        _draw,
    )


def _draw(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, axes = style.figure(width=style.SINGLE_COLUMN, height=2.5)
    drawn = series_of(points)
    for of, colour, marker in zip(drawn.values(), style.COLOURS, "osD", strict=False):
        axes.plot(xs(of), ys(of), color=colour, linewidth=0.8)
        style.error_bars(axes, of, colour, marker, label=of[0].shown)
    axes.set_xlim(left=0.0)
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlabel("noise / root mean square of the weights")
    axes.set_ylabel("recovery score")
    axes.set_title(style.sizes(points[0], "ndkm"))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
    return fig
