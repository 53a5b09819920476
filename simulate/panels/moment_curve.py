"""Panel: the moment curve fits every k-set into d = 2k, at a price in bits of precision."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, Check, lies_within, slope_agrees
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    QUICK,
    Effort,
    Panel,
    Point,
    Row,
    measured_point,
    series_of,
    size_label,
)
from simulate.jobs.tasks import Result, Task
from simulate.moment_curve import Circle, Line, arc_sets, bits_of_all, bits_of_sets, end_sets
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
FIRST_FITTED = {"hardest": 64, "random": 512}
# whole bits, and one bit of luck in rounding, at either end of six doublings; random: relative
HARDEST_TOLERANCE, RANDOM_TOLERANCE = 2 / 6, 0.05


def hardest(rng: np.random.Generator, n: int, k: int, curve: str, sets: str) -> Result:
    """Task: bits with which none of the hardest k-sets, or of all, fails. Nothing is random."""
    chosen = {"end": end_sets, "arc": arc_sets, "all": all_sets}[sets](n, k)
    placed = {"line": Line, "circle": Circle}[curve](n, k)
    return {"bits": bits_of_all(placed, chosen)}


def all_sets(n: int, k: int) -> np.ndarray:
    """All k-sets, int64 [C(n, k), k]."""
    return np.array(list(combinations(range(n), k)))


def random(rng: np.random.Generator, n: int, k: int, sets: int) -> Result:
    """Task: the bits that each of `sets` independent random k-sets needs; equally spaced nodes."""
    return {"bits_of_sets": bits_of_sets(Line(n, k), random_sets(rng, sets, n, k)).tolist()}


def tasks(effort: Effort) -> list[Task]:
    """The hardest sets at every n, all sets at a small one, random sets."""
    made = []
    sets = max(FEWEST_SETS, effort.unions // 650)
    for k in K:
        for curve, kind, sizes in (
            ("line", "end", HARDEST_N),
            ("circle", "arc", CIRCLE_N),
            ("line", "all", (ENUMERATED_N,)),
        ):
            for n in sizes:
                arguments = {"n": n, "k": k, "curve": curve, "sets": kind}
                name = f"{NAME}/{kind}/{size_label(arguments, 'nk')}"
                made.append(Task(name, hardest, arguments, 0.05))
        for n in QUICK_RANDOM_N if effort is QUICK else RANDOM_N:
            arguments = {"n": n, "k": k, "sets": sets}
            cost = sets * (8e-4 * k + 8e-8 * n)
            made.append(
                Task(f"{NAME}/random/{size_label(arguments, 'nk')}", random, arguments, cost)
            )
    return made


def checks(rows: Sequence[Row]) -> list[Check]:
    """Bits grow by 2k per doubling of n for the hardest sets, by 2 for random ones."""
    made = []
    for k in K:
        end = _hardest(rows, k, "end")
        excess = max(bits - sufficient_bits(n, k) for n, bits in end.items())
        name = f"largest excess of the measured bits over the proved ones, at most 0, k={k}"
        made.append(lies_within(NAME, name, 0.0, excess, (-np.inf, 0.0)))
        of_all = _hardest(rows, k, "all")[ENUMERATED_N]
        name = f"bits of all C(n, k) sets against the hardest, n={ENUMERATED_N}, k={k}"
        made.append(lies_within(NAME, name, end[ENUMERATED_N], of_all, (end[ENUMERATED_N],) * 2))
        for curve, found in (("line", end), ("circle", _hardest(rows, k, "arc"))):
            fitted = {n: bits for n, bits in found.items() if n >= FIRST_FITTED["hardest"]}
            slope = float(np.polyfit(np.log2(list(fitted)), list(fitted.values()), 1)[0])
            reach = HARDEST_TOLERANCE
            name = f"bits per doubling of n, hardest sets on the {curve}, k={k}"
            made.append(lies_within(NAME, name, 2.0 * k, slope, (2 * k - reach, 2 * k + reach)))
        made.append(_random_slope(rows, k))
    return made


def _hardest(rows: Sequence[Row], k: int, sets: str) -> dict[int, int]:
    """Bits by n."""
    return {row["n"]: row["bits"] for row in rows if row["k"] == k and row["sets"] == sets}


def _random(rows: Sequence[Row], k: int) -> list[Row]:
    own = [row for row in rows if row["k"] == k and "bits_of_sets" in row]
    return sorted(own, key=lambda row: row["n"])


def _random_slope(rows: Sequence[Row], k: int) -> Check:
    fitted = [row for row in _random(rows, k) if row["n"] >= FIRST_FITTED["random"]]
    x = np.log2([row["n"] for row in fitted])
    means = [intervals.mean(np.array(row["bits_of_sets"]), CONFIDENCE) for row in fitted]
    weight = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    slope = intervals.from_standard_error(
        float(weight @ [each.estimate for each in means]),
        float(np.linalg.norm(weight * [each.standard_error for each in means])),
        min(row["sets"] for row in fitted) - 1,
        CONFIDENCE,
    )
    name = f"bits per doubling of n, random sets' mean, k={k}"
    return slope_agrees(NAME, name, 2.0, slope, RANDOM_TOLERANCE)


def table(rows: Sequence[Row]) -> list[Point]:
    """Bits against n: proved, hardest sets, random sets. Failing share against bits."""
    made = []
    for k in K:
        label = f"k={k}"
        for n in np.unique(np.logspace(3, 16, 40, base=2.0).astype(int)).tolist():
            bits = sufficient_bits(n, k)
            made.append(Point("bits", label, "upper bound", n, bits, n=n, k=k, d=2 * k))
        for sets, kind in (("end", "hardest sets"), ("arc", "hardest sets, circle")):
            for n, bits in _hardest(rows, k, sets).items():
                made.append(Point("bits", label, kind, n, bits, n=n, k=k, d=2 * k))
        for row in _random(rows, k):
            needed = np.array(row["bits_of_sets"])
            sized = row | {"d": 2 * k}
            mean = intervals.mean(needed, DRAWN_CONFIDENCE)
            made.append(measured_point("bits", label, "random sets, mean", row["n"], mean, sized))
            # every fourth, from another one for every k, so that the points stand apart
            for bits in range(k, MOST_SHOWN_BITS + 1, 4) if row["n"] == SHOWN_N else ():
                failing = int(np.count_nonzero(needed > bits))
                share = intervals.proportion(failing, row["sets"], DRAWN_CONFIDENCE)
                if failing:
                    point = measured_point("failing", label, "direct", bits, share, sized)
                    made.append(point)
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Left: bits against n. Right: share of random sets that fails against bits."""
    from simulate.jobs import style

    fig, (bits, failing) = style.row_of_axes(2, height=2.8, ratios=(1.25, 1.0))
    markers = {
        "hardest sets": "o",
        "hardest sets, circle": "^",
        "random sets, mean": "s",
    }
    for colour, (label, own) in zip(
        style.COLOURS, series_of(points, axis="bits").items(), strict=False
    ):
        bound = [p for p in own if p.kind == "upper bound"]
        bits.plot([p.x for p in bound], [p.y for p in bound], color=colour)
        end = bound[-5]
        bits.annotate(
            style.as_math(label), (end.x, end.y + 2.5), ha="right", fontsize=7, color=colour
        )
        for kind, marker in markers.items():
            style.error_bars(bits, [p for p in own if p.kind == kind], colour, marker)
    for name, size in FORMATS.items():
        bits.axhline(size, color=style.GREY, linewidth=0.7, linestyle=":")
        bits.annotate(
            name, (2**15.9, size - 1.2), ha="right", va="top", fontsize=6.5, color=style.GREY
        )
    bits.set_xscale("log", base=2)
    bits.set_xlim(8, 2**16)
    bits.set_ylim(0, 130)
    bits.set_xlabel("vocabulary $n$")
    bits.set_ylabel("bits of significand needed")
    bits.set_title("width $d=2k$")
    bits.plot([], [], color=style.GREY, label="proved to suffice for all sets")
    for kind, marker in markers.items():
        bits.plot([], [], marker, color=style.GREY, markerfacecolor="white", label=kind)
    bits.legend(loc="upper left")
    shown = series_of(points, axis="failing").items()
    for colour, marker, (label, own) in zip(style.COLOURS, "osD", shown, strict=False):
        style.error_bars(failing, own, colour, marker, label=style.as_math(label))
    for name in ("bfloat16", "float32"):
        failing.axvline(FORMATS[name], color=style.GREY, linewidth=0.7, linestyle=":")
        failing.annotate(
            name, (FORMATS[name] + 0.5, 1.3e-3), fontsize=6.5, color=style.GREY, rotation=90
        )
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
    "The moment curve, logit_i = -prod_s (t_i - t_s)^2, separates every k-set at width d = 2k in "
    "exact arithmetic. Left: bits of significand that W_U and the residual need. Lines: proved to "
    "suffice for all k-sets, about 2k log2 n. Circles: needed by the hardest sets found, "
    "neighbours at an end of the equally spaced nodes in [-1, 1]; triangles: by neighbours on the "
    "circle, logit_i = -prod_s (1 - cos(theta_i - theta_s)), also at d = 2k. Squares: mean over "
    "random sets, about 2 log2 n and a constant. Right: share of random sets that fails with a "
    "given number of bits. Dotted: bits of common formats.",
    tasks,
    checks,
    table,
    figure,
)
