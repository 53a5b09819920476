"""How far the Bloom filter is from the best that any layer, and any residual, could do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, Which, agrees, lies_within
from simulate.jobs.intervals import DRAWN_CONFIDENCE, ClusteredCount, Count
from simulate.jobs.panel import FULL, QUICK, Effort, Panel, results_of
from simulate.jobs.table import Kind, Named, Point, measured_point, of_kind, series_of
from simulate.jobs.tasks import Task
from simulate.panels.measured import Sizes
from simulate.ranked_code import noisy_failures, ranked_failures
from simulate.separability import separable_sets
from theory import converses, ideal_residual, noisy_residual, ranked_code
from theory.width import information_width
from theory.width import smallest_width as bloom_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "distance_from_best"
N, EPSILON = 4096, 0.01
DRAWN_K = (2, 3, 4, 6, 8, 12, 16, 24, 32)
# linear programs: vocabulary, k, and widths as multiples of the threshold's
PROGRAMS = ((1000, 8), (1000, 16))
MULTIPLES = (0.5, 0.7, 0.85, 1.0, 1.15, 1.4, 1.8)
# this far from the threshold nearly all sets, or nearly none, are separable; measured at n = 1000
SURE, MOST_WRONG = (0.5, 1.8), 0.1
DENSITY = 0.2  # of the masks whose readouts are tried beside the Gaussian ones
RANKED = ((1000, 4), (1000, 8))
RANKED_TARGETS = (0.1, 0.01)
NOISY = ((200, 4, 60, 9), 0.15), ((200, 4, 60, 9), 0.25)


class Quantity(StrEnum):
    """What is checked."""

    SEPARABLE = "separable"
    RANKED_FAILURE = "ranked_failure"
    NOISY_FAILURE = "noisy_failure"


class Axis(StrEnum):
    """What is drawn."""

    WIDTH = "width"
    SHARE = "share"


class Code(Named):
    """Codes and limits of the left axes."""

    RANKED = "ranked", "random signs, ranked; no layer"
    BLOOM = "bloom", "Bloom filter; one ReLU layer"
    IDEAL = "ideal", "random $W_U$, any layers"
    BITS = "bits", "any residual of $d$ bits"
    REALS = "reals", "any residual, any $W_U$"


class Readout(Named):
    """Readouts of the right axes."""

    GAUSSIAN = "gaussian", "Gaussian $W_U$"
    MASKS = "masks", "random masks"


@dataclass(frozen=True)
class Separated:
    """Share of the k-sets of one random readout that a linear program could separate."""

    sizes: Sizes
    readout: Readout
    share: Count


@dataclass(frozen=True)
class Failed:
    """Failures over random codes: ranked by a linear readout, or Bloom's at a noise sigma."""

    sizes: Sizes
    failures: ClusteredCount
    sigma: float | None = None


Result = Separated | Failed


def separate(
    rng: np.random.Generator, readout: str, n: int, k: int, d: int, sets: int
) -> Separated:
    """Task: linear programs on random sets, each of a readout of its own."""
    held = np.empty(sets, dtype=bool)
    for i in range(sets):
        gaussian = readout == Readout.GAUSSIAN
        columns = rng.standard_normal((n, d)) if gaussian else rng.random((n, d)) < DENSITY
        held[i] = separable_sets(rng, columns.astype(float), k, 1)[0]
    return Separated(Sizes(n, k, d), Readout(readout), Count.of(held))


def rank(rng: np.random.Generator, n: int, k: int, d: int, families: int, sets: int) -> Failed:
    """Task: failures of random sign codes read by rank."""
    counts = ranked_failures(rng, n, k, d, families, sets)
    return Failed(Sizes(n, k, d), ClusteredCount(counts.tolist(), sets))


def disturb(
    rng: np.random.Generator, n: int, k: int, d: int, m: int, sigma: float, families: int, sets: int
) -> Failed:
    """Task: failures of Bloom filters through a noisy residual."""
    counts = noisy_failures(rng, n, k, d, m, sigma, families, sets)
    return Failed(Sizes(n, k, d, m), ClusteredCount(counts.tolist(), sets), sigma)


def tasks(effort: Effort) -> list[Task[Result]]:
    """Linear programs around the threshold; ranked and noisy codes counted."""
    made: list[Task[Result]] = []
    programs = 100 if effort is FULL else 20
    families = 40 if effort is QUICK else 4 * effort.families
    for n, k in PROGRAMS[:1] if effort is QUICK else PROGRAMS:
        for multiple in MULTIPLES:
            d = round(multiple * ideal_residual.threshold_width(n, k))
            for readout in Readout:
                sizes = Sizes(n, k, d)
                options = {"readout": str(readout), "sets": programs}
                name = f"{NAME}/{readout}/{sizes.id}"
                made.append(Task(name, separate, {**sizes.at, **options}, 0.1 * programs))
    for n, k in RANKED:
        for target in RANKED_TARGETS:
            sizes = Sizes(n, k, ranked_code.smallest_width(n, k, target))
            options = {"families": families, "sets": 200}
            name = f"{NAME}/{Code.RANKED}/{sizes.id}"
            made.append(Task(name, rank, {**sizes.at, **options}, 0.03 * families))
    for (n, k, d, m), sigma in NOISY:
        sizes = Sizes(n, k, d, m)
        arguments = {**sizes.at, "sigma": sigma, "families": families, "sets": 200}
        name = f"{NAME}/noisy/{sizes.id}, sigma={sigma}"
        made.append(Task(name, disturb, arguments, 0.01 * families))
    return made


def checks(results: Sequence[Result]) -> list[Check]:
    """Separable far above the threshold and not below; counted failures against theory."""
    made = []
    for each in results_of(results, Separated):
        sizes, low_high = each.sizes, (0.0, MOST_WRONG)
        multiple = sizes.d / ideal_residual.threshold_width(sizes.n, sizes.k)
        nearest = min(SURE, key=lambda sure: abs(sure - multiple))
        if abs(nearest - multiple) > 0.05:
            continue
        share = each.share.at(CONFIDENCE)
        expected = 0.0 if nearest < 1.0 else 1.0
        which = Which(NAME, Quantity.SEPARABLE, {**sizes.at, "readout": each.readout})
        text = f"share of sets on the wrong side of the threshold, {each.readout}, {sizes.label()}"
        made.append(lies_within(which, text, 0.0, abs(share.value - expected), low_high))
    for failed in results_of(results, Failed):
        sizes, measured = failed.sizes, failed.failures.at(CONFIDENCE)
        if failed.sigma is None:
            bound = float(np.exp(ranked_code.log_failure(sizes.n, sizes.k, sizes.d)))
            which = Which(NAME, Quantity.RANKED_FAILURE, sizes.at)
            text = f"lower end of P_fail of random signs, ranked, {sizes.label()}"
            low = measured.interval[0]
            made.append(lies_within(which, text, bound, low, (0.0, bound), FALSE_ALARM))
        else:
            assert sizes.m is not None  # a Bloom filter's
            exact = noisy_residual.failure_probability(
                sizes.n, sizes.k, sizes.d, sizes.m, failed.sigma
            )
            which = Which(NAME, Quantity.NOISY_FAILURE, {**sizes.at, "sigma": failed.sigma})
            text = f"P_fail of the Bloom filter with noise {failed.sigma}, {sizes.label()}"
            made.append(agrees(which, text, exact, measured))
    return made


def table(results: Sequence[Result]) -> list[Point]:
    """Widths against k; separable shares against the width over the threshold's."""
    made = []
    for k in DRAWN_K:
        found = {
            Code.RANKED: (ranked_code.smallest_width(N, k, EPSILON), Kind.UPPER_BOUND),
            Code.BLOOM: (bloom_width(N, k, EPSILON).width, Kind.EXACT),
            Code.IDEAL: (ideal_residual.threshold_width(N, k), Kind.ASYMPTOTIC),
            Code.BITS: (information_width(N, k, EPSILON), Kind.LOWER_BOUND),
            Code.REALS: (converses.smallest_width(N, k, EPSILON), Kind.LOWER_BOUND),
        }
        for code, (d, kind) in found.items():
            made.append(Point(Axis.WIDTH, code, kind, k, d, n=N, k=k))
    for each in results_of(results, Separated):
        sizes = each.sizes
        x = sizes.d / ideal_residual.threshold_width(sizes.n, sizes.k)
        share = each.share.at(DRAWN_CONFIDENCE)
        at = sizes.at
        made.append(measured_point(Axis.SHARE, each.readout, Kind.MEASURED, x, share, **at))
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Left: width against k. Right: share of separable sets against width over the threshold."""
    from simulate.jobs import style

    fig, (width, share) = style.row_of_axes(2, height=2.8, ratios=(1.4, 1.0))
    lines = ("--", "-", "-.", ":", ".-")
    drawn = series_of(points, axis=Axis.WIDTH).values()
    for colour, line, own in zip(style.COLOURS, lines, drawn, strict=False):
        style.curve(width, own, line, color=colour, label=own[0].shown)
    width.set_xscale("log", base=2)
    width.xaxis.set_major_formatter("{x:.0f}")
    width.set_yscale("log")
    width.set_ylim(1.0, None)
    width.set_xlabel("active tokens $k$")
    width.set_ylabel("residual width $d$")
    width.set_title(rf"$n={N}$, $P_\mathrm{{fail}}\leq {EPSILON}$")
    width.legend(loc="lower right", fontsize=6)
    both = series_of(points, axis=Axis.SHARE).values()
    for colour, marker, beside, own in zip(style.COLOURS, "os", (-1, 1), both, strict=False):
        # side by side, since both are tried at the same widths
        moved = [replace(p, x=p.x + 0.012 * beside) for p in of_kind(own, Kind.MEASURED)]
        style.error_bars(share, moved, colour, marker, label=own[0].shown)
    tried = sorted({p.k for p in points if p.axis == Axis.SHARE and p.k is not None})
    share.set_title(f"$n={PROGRAMS[0][0]}$, $k=$ {' and '.join(map(str, tried))}")
    share.axvline(1.0, color=style.GREY, linewidth=0.7, linestyle=":")
    share.set_xlabel("width over the threshold")
    share.set_ylabel("share of $k$-sets that some $h$ separates")
    share.legend(loc="lower right", fontsize=6)
    return fig


PANEL = Panel(
    NAME,
    "A Bloom filter takes 2.7 to 4.9 times the width that any layers could get out of a random "
    "readout, and 2.3 to 3.2 times the bits that any residual needs. Ranking random signs, without "
    "a layer, takes at most twice the filter's width. Right: random sets that a linear program "
    "separates; the threshold lies where theory puts it.",
    tasks,
    checks,
    table,
    draw,
)
