"""How much noise the recovery bears: its score over many noisy clamps, with the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from simulate.constructions import clamp
from simulate.jobs.figure import Figure
from simulate.jobs.intervals import Mean
from simulate.jobs.output import as_plain
from simulate.jobs.table import Kind, Point, series_of
from simulate.sampling import telling_hashes
from simulate.symmetries import in_another_basis
from train.organism.family import BETA, Sizes, noisy, oracle_masks, stream
from train.organism.recovery import cohens_kappa, score
from train.organism.truth import Truth
from train.reading.masks import CLAMP, extract

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

SERIES = {
    "analysis": "the analysis, blind",
    "oracle": "bit by bit, basis known",
    "baseline": "the analysis, shuffled",
}


def noise_curve(sizes: Sizes, seed: int) -> list[dict[str, Any]]:
    """For each level the means over independent networks, each {"value", "interval", "inputs"}.

    analysis, baseline: of what is found in another basis, see `recovery`. oracle: the score of
    `oracle_masks`. inputs: the networks, each with hashes and noise of its own.
    """
    scores = np.array(
        [_scores(sizes, stream(seed, 4, replicate)) for replicate in range(sizes.replicates)]
    )
    return [
        {"noise": level}
        | {name: as_plain(Mean.of(scores[:, at, place]).at()) for place, name in enumerate(SERIES)}
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
        rows.append([found["score"], oracle, found["score_baseline"]])
    return rows


def noise_figure(curve: Sequence[dict[str, Any]], sizes: Sizes) -> Figure:
    """The figure of a noise curve."""
    networks = sizes.replicates
    return Figure(
        "recovery_against_noise",
        "Recovery of the hidden masks against noise on all weights, in units of each tensor's root "
        "mean square. The score is 1 where every unit's kind and masks are found; means over "
        f"{networks} clamp networks in a random basis with 95 % intervals. Bit by bit, basis "
        "known: the likelier value of each entry of W_E and W_U by itself, for one who knows the "
        "basis, the noise and the density. Shuffled: the baseline, the same findings with tokens "
        "and units in random order.",
        [
            Point(
                "score",
                name,
                Kind.MEAN,
                row["noise"],
                row[name]["value"],
                *row[name]["interval"],
                **{letter: getattr(sizes, letter) for letter in "nkdm"},
                label=SERIES[name],
            )
            for name in SERIES
            for row in curve
        ],
        _draw,
    )


def _draw(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, axes = style.figure(width=style.SINGLE_COLUMN, height=2.5)
    drawn = series_of(points)
    for of, colour, marker in zip(drawn.values(), style.COLOURS, "osD", strict=False):
        axes.plot([p.x for p in of], [p.y for p in of], color=colour, linewidth=0.8)
        style.error_bars(axes, of, colour, marker, label=of[0].shown)
    axes.set_xlim(left=0.0)
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlabel("noise / root mean square of the weights")
    axes.set_ylabel("recovery score")
    first = points[0]
    axes.set_title(style.as_math(f"n={first.n}, d={first.d}, k={first.k}, m={first.m}"))
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
    return fig
