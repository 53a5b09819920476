"""The moment curve fits every k-set into d = 2k, at a price in bits of precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.checks import CONFIDENCE, Check, Which, lies_within, slope_agrees
from simulate.jobs.intervals import DRAWN_CONFIDENCE, Count, Mean, from_standard_error
from simulate.jobs.panel import QUICK, Effort, Panel, results_of
from simulate.jobs.table import Kind, Named, Point, measured_point, select, series_of
from simulate.jobs.tasks import Task
from simulate.moment_curve import Circle, Line, arc_sets, bits_of_all, bits_of_sets, end_sets
from simulate.panels.measured import Sizes
from simulate.sampling import random_sets
from theory.moment_curve import sufficient_bits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "moment_curve"
K = (2, 3, 4)
HARDEST_N = (12, 64, 256, 1024, 4096, 16_384)
CIRCLE_N = (32, 256, 2048)
ENUMERATED_N = 12  # 66, 220 and 495 sets: all of them
RANDOM_N, QUICK_RANDOM_N = (64, 512, 4096, 50_257), (512, 4096)
FEWEST_SETS = 100
SHOWN_N = 4096
MOST_SHOWN_BITS = 44
FORMATS = {"bfloat16": 8, "float32": 24, "float64": 53}
# the slopes are fitted from here on, where the laws' leading terms rule
FIRST_HARDEST, FIRST_RANDOM = 64, 512
# whole bits, and one bit of luck in rounding, at either end of six doublings; random: relative
HARDEST_TOLERANCE, RANDOM_TOLERANCE = 2 / 6, 0.05


class Quantity(StrEnum):
    """What is checked."""

    EXCESS = "excess"
    ENUMERATED = "enumerated"
    SLOPE = "slope"
    RANDOM_SLOPE = "random_slope"


class Axis(StrEnum):
    """What is drawn: bits against n, and the share of random sets that fails against bits."""

    BITS = "bits"
    FAILING = "failing"


class Sets(Named):
    """Which sets were measured. LINE: neighbours at an end; CIRCLE: neighbours on an arc."""

    SUFFICIENT = "sufficient", "proved to suffice for all sets"
    LINE = "hardest", "hardest sets"
    CIRCLE = "hardest_circle", "hardest sets, circle"
    ALL = "all"
    RANDOM = "random", "random sets, mean"


MARKERS = {Sets.LINE: "o", Sets.CIRCLE: "^", Sets.RANDOM: "s"}


@dataclass(frozen=True)
class Hardest:
    """Bits with which none of some k-sets fails."""

    sets: Sets
    n: int
    k: int
    bits: int


@dataclass(frozen=True)
class Random:
    """The bits that each of some independent random k-sets needs."""

    n: int
    k: int
    bits: list[int]

    def failing(self, bits: int) -> Count:
        """How many of the sets fail with so many bits."""
        return Count.of(np.array(self.bits) > bits)


def hardest(rng: np.random.Generator, n: int, k: int, sets: Sets) -> Hardest:
    """Task: on the line, or for CIRCLE on the circle. Nothing is random."""
    curve = Circle(n, k) if sets == Sets.CIRCLE else Line(n, k)
    chosen = {Sets.LINE: end_sets, Sets.CIRCLE: arc_sets, Sets.ALL: all_sets}[sets](n, k)
    return Hardest(sets, n, k, bits_of_all(curve, chosen))


def all_sets(n: int, k: int) -> np.ndarray:
    """All k-sets, int64 [C(n, k), k]."""
    return np.array(list(combinations(range(n), k)))


def random(rng: np.random.Generator, n: int, k: int, sets: int) -> Random:
    """Task: `sets` random k-sets of equally spaced nodes on the line."""
    return Random(n, k, bits_of_sets(Line(n, k), random_sets(rng, sets, n, k)).tolist())


def tasks(effort: Effort) -> list[Task[Hardest | Random]]:
    """The hardest sets at every n, all sets at a small one, random sets."""
    made: list[Task[Hardest | Random]] = []
    count = max(FEWEST_SETS, effort.unions // 650)
    for k in K:
        for sets, sizes in (
            (Sets.LINE, HARDEST_N),
            (Sets.CIRCLE, CIRCLE_N),
            (Sets.ALL, (ENUMERATED_N,)),
        ):
            for n in sizes:
                arguments = {"n": n, "k": k, "sets": sets}
                made.append(Task(f"{NAME}/{sets}/n={n}, k={k}", hardest, arguments, 0.05))
        for n in QUICK_RANDOM_N if effort is QUICK else RANDOM_N:
            cost = count * (8e-4 * k + 8e-8 * n)
            options = {"n": n, "k": k, "sets": count}
            made.append(Task(f"{NAME}/{Sets.RANDOM}/n={n}, k={k}", random, options, cost))
    return made


def checks(results: Sequence[Hardest | Random]) -> list[Check]:
    """Bits grow by 2k per doubling of n for the hardest sets, by 2 for random ones."""
    made = []
    for k in K:
        end = _hardest(results, k, Sets.LINE)
        excess = max(bits - sufficient_bits(n, k) for n, bits in end.items())
        text = f"largest excess of the measured bits over the proved ones, at most 0, k={k}"
        which = Which(NAME, Quantity.EXCESS, {"k": k})
        made.append(lies_within(which, text, 0.0, excess, (-np.inf, 0.0)))
        of_all = _hardest(results, k, Sets.ALL)[ENUMERATED_N]
        text = f"bits of all C(n, k) sets against the hardest, n={ENUMERATED_N}, k={k}"
        which, of_end = Which(NAME, Quantity.ENUMERATED, {"k": k}), end[ENUMERATED_N]
        made.append(lies_within(which, text, of_end, of_all, (of_end, of_end)))
        for sets in (Sets.LINE, Sets.CIRCLE):
            fitted = {n: b for n, b in _hardest(results, k, sets).items() if n >= FIRST_HARDEST}
            slope = float(np.polyfit(np.log2(list(fitted)), list(fitted.values()), 1)[0])
            text = f"bits per doubling of n, {sets.label}, k={k}"
            which = Which(NAME, Quantity.SLOPE, {"k": k, "sets": sets})
            ends = (2 * k - HARDEST_TOLERANCE, 2 * k + HARDEST_TOLERANCE)
            made.append(lies_within(which, text, 2.0 * k, slope, ends))
        made.append(_random_slope(results, k))
    return made


def _hardest(results: Sequence[Hardest | Random], k: int, sets: Sets) -> dict[int, int]:
    """Bits by n."""
    own = results_of(results, Hardest)
    return {each.n: each.bits for each in own if (each.k, each.sets) == (k, sets)}


def _random(results: Sequence[Hardest | Random], k: int) -> list[Random]:
    own = [each for each in results_of(results, Random) if each.k == k]
    return sorted(own, key=lambda each: each.n)


def _random_slope(results: Sequence[Hardest | Random], k: int) -> Check:
    fitted = [each for each in _random(results, k) if each.n >= FIRST_RANDOM]
    x = np.log2([each.n for each in fitted])
    means = [Mean.of(np.array(each.bits)) for each in fitted]
    weight = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    slope = from_standard_error(
        float(weight @ [each.value for each in means]),
        float(np.linalg.norm(weight * [each.standard_error for each in means])),
        min(each.samples for each in means) - 1,
        CONFIDENCE,
    )
    which = Which(NAME, Quantity.RANDOM_SLOPE, {"k": k})
    text = f"bits per doubling of n, random sets' mean, k={k}"
    return slope_agrees(which, text, 2.0, slope, RANDOM_TOLERANCE)


def table(results: Sequence[Hardest | Random]) -> list[Point]:
    """Bits against n: proved, hardest sets, random sets. Failing share against bits."""
    made = []
    for k in K:
        for n in np.unique(np.logspace(3, 16, 40, base=2.0).astype(int)).tolist():
            y, sets = sufficient_bits(n, k), Sets.SUFFICIENT
            made.append(Point(Axis.BITS, sets, Kind.UPPER_BOUND, n, y, n=n, k=k, d=2 * k))
        for sets in (Sets.LINE, Sets.CIRCLE):
            for n, bits in _hardest(results, k, sets).items():
                made.append(Point(Axis.BITS, sets, Kind.MEASURED, n, bits, n=n, k=k, d=2 * k))
        for each in _random(results, k):
            sizes = Sizes(each.n, k, 2 * k).at
            mean = Mean.of(np.array(each.bits)).at(DRAWN_CONFIDENCE)
            made.append(measured_point(Axis.BITS, Sets.RANDOM, Kind.MEAN, each.n, mean, **sizes))
            # every fourth, from another one for every k, so that the points stand apart
            for bits in range(k, MOST_SHOWN_BITS + 1, 4) if each.n == SHOWN_N else ():
                share = each.failing(bits).at(DRAWN_CONFIDENCE)
                if share.value:
                    made.append(
                        measured_point(Axis.FAILING, Sets.RANDOM, Kind.DIRECT, bits, share, **sizes)
                    )
    return made


def draw(points: Sequence[Point]) -> Figure:
    """Left: bits against n. Right: share of random sets that fails against bits."""
    from simulate.jobs import style

    fig, (bits, failing) = style.row_of_axes(2, height=2.8, ratios=(1.25, 1.0))
    lines, markers = ("-", "--", "-."), "osD"
    ks = dict.fromkeys(p.k for p in points)
    for colour, line, marker, k in zip(style.COLOURS, lines, markers, ks, strict=False):
        own = series_of(points, axis=Axis.BITS, k=k)
        bound = own[Sets.SUFFICIENT]
        style.curve(bits, bound, line, color=colour)
        at = {"xytext": (0, 5), "ha": "right", "color": colour}
        style.note(bits, f"$k={k}$", (bound[-5].x, bound[-5].y), **at)
        for sets, of_sets in MARKERS.items():
            style.error_bars(bits, own.get(sets, []), colour, of_sets)
        shown = list(select(points, axis=Axis.FAILING, k=k))
        style.error_bars(failing, shown, colour, marker, label=f"$k={k}$")
    small = {"fontsize": 6.5}
    for name, size in FORMATS.items():
        bits.axhline(size, color=style.GREY, linewidth=0.7, linestyle=":")
        style.note(bits, name, (2**15.9, size), xytext=(0, -1), ha="right", va="top", **small)
    bits.set_xscale("log", base=2)
    bits.set_xlim(8, 2**16)
    bits.set_ylim(0, 130)
    bits.set_xlabel("vocabulary $n$")
    bits.set_ylabel("bits of significand needed")
    bits.set_title("width $d=2k$")
    meanings: dict[str, tuple[str, str | None]] = {Sets.SUFFICIENT.label: ("-", None)}
    meanings |= {sets.label: ("none", marker) for sets, marker in MARKERS.items()}
    bits.legend(handles=style.grey_marks(meanings), loc="upper left")
    for name in ("bfloat16", "float32"):
        failing.axvline(FORMATS[name], color=style.GREY, linewidth=0.7, linestyle=":")
        style.note(failing, name, (FORMATS[name], 1.3e-3), xytext=(2, 0), rotation=90, **small)
    failing.set_yscale("log")
    failing.set_ylim(1e-3, 1.5)
    failing.set_xlim(0, MOST_SHOWN_BITS + 2)
    failing.set_xlabel("bits of significand")
    failing.set_ylabel("share of random sets that fails")
    failing.set_title(f"$n={SHOWN_N}$")
    failing.legend(loc="upper right")
    return fig


PANEL = Panel(
    NAME,
    "The moment curve, logit_i = -prod_s (t_i - t_s)^2, separates every k-set at width 2k, at a "
    "price in precision of W_U and residual: about 2k log2 n bits for the hardest sets, neighbours "
    "at an end of the line or on the circle, and 2 log2 n and a constant for random sets. Dotted: "
    "bits of common formats.",
    tasks,
    checks,
    table,
    draw,
)
