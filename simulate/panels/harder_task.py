"""Any target over the k tokens, by d' more coordinates whose number n does not enter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate import constructions, dense_codes, harder_task, kernels
from simulate.jobs import ids
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, Which, agrees, lies_within
from simulate.jobs.intervals import (
    DRAWN_CONFIDENCE,
    Count,
    Estimate,
    Mean,
    from_standard_error,
)
from simulate.jobs.panel import Effort, Panel, results_of
from simulate.jobs.table import Kind, Named, Point, measured_point, select, series_of
from simulate.jobs.tasks import Task
from simulate.sampling import random_coefficients, random_hashes, random_sets
from theory import harder_task as theory
from theory.false_positives import failure_probability
from theory.width import smallest_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "harder_task"
K = 8
TARGET = theory.centred(-np.log(np.arange(1, K + 1)))  # Zipf: the j-th token has share ∝ 1/j
QUOTED_DPRIME = 256  # at which networks are run, and which the ledger quotes
DPRIMES = (32, 64, 128, QUOTED_DPRIME, 512, 1024)
FAILURE = 0.05  # P_fail of the Bloom filter
BETA = 20.0
EXCEEDED = 0.01  # how often the member error may pass its bound
C = 2.0  # coefficients alpha are uniform on [1, C]
# n: inputs in a quick run, and sign codes of each; the cost of an input is that of its n hashes
VOCABULARIES = {1_000: (120, 1), 10_000: (60, 1), 100_000: (10, 5), 1_000_000: (3, 16)}
NETWORKS = {64: 30, QUOTED_DPRIME: 30}  # d': families in a quick run, n = 1000
LARGE_NETWORK = (10_000, QUOTED_DPRIME, 8)  # n, d', families; beyond a quick run
SETS = 10  # inputs per network
ALLOWED_KL = 0.01
KL_INPUTS, DIRECT_INPUTS = 400, 30  # in a quick run
KL_N = 1_000
FLOAT_ERROR = 1e-9


class Quantity(StrEnum):
    """What is checked."""

    MEAN_SQUARE = "mean_square"
    NETWORK_MEAN_SQUARE = "network_mean_square"
    TARGET_VARIANCE = "target_variance"
    LARGEST = "largest"
    EXCEEDING = "exceeding"
    TV_BOUND = "total_variation_bound"
    NETWORK_TV_BOUND = "network_total_variation_bound"
    FAILURE = "failure"
    FLOAT_ERROR = "float_error"
    KL = "kl"
    DIRECT_KL = "direct_kl"


class Axis(StrEnum):
    """What is drawn. TV: of the inputs without a false positive. KL: at some residual widths."""

    RMS = "rms_error"
    LARGEST = "largest_error"
    TV = "total_variation_without_false_positives"
    TV_OF_ALL = "total_variation"
    WIDTH = "width"
    KL = "kl"


class Series(Named):
    """Curves; measured points have their n as series, or the width whose KL they are."""

    EXACT = "exact"
    BOUND = "bound", f"bound, $P \\leq {EXCEEDED:g}$"
    LAW = "members_part", "members' part, law"
    DIRECT = "direct", "one dense code, no layer"
    TOTAL = "total", "$d+d'$"
    BLOOM = "bloom", "$d$, Bloom filter"
    SIGNS = "signs", "$d'$, signs"


@dataclass(frozen=True)
class AtDprime:
    """Of outputs with d' extra coordinates; errors are relative to their exact values.

    mean_square, target_variance, largest: of the members' errors; largest: times sqrt(d').
    exceeding: codes whose largest error passes its bound. tv: of inputs without a false positive,
    where there are any. worst_excess: the largest amount by which such a TV exceeds its bound.
    """

    dprime: int
    mean_square: Mean
    target_variance: Mean
    largest: Mean
    exceeding: Count
    tv: Mean | None
    tv_of_all: Mean
    worst_excess: float


@dataclass(frozen=True)
class Fresh:
    """Inputs with hashes of their own; failures: those with a false positive."""

    n: int
    d: int
    m: int
    by_dprime: list[AtDprime]
    failures: Count


@dataclass(frozen=True)
class Network:
    """Forward passes; float_error: largest |logit - (beta |S_i ∩ union| + <V_i, y>)|."""

    n: int
    dprime: int
    mean_square: Mean
    tv_of_all: Mean
    worst_excess: float
    float_error: float


@dataclass(frozen=True)
class Divergence:
    """KL(target || output) of the construction, or of one dense code, at a residual width."""

    direct: bool
    n: int
    width: int
    kl: Mean


Result = Fresh | Network | Divergence


def _bounds(errors: np.ndarray, n: int, beta: float) -> np.ndarray:
    """The bound on TV without a false positive, given the members' errors [..., k]."""
    largest = np.abs(errors).max(axis=-1)
    bound = [
        theory.total_variation_bound(eta, theory.leakage_bound(n, beta, TARGET, eta))
        for eta in largest.ravel().tolist()
    ]
    return np.reshape(bound, largest.shape)


def _target_variance(errors: np.ndarray) -> np.ndarray:
    """Variance of the members' errors [..., k] under the target."""
    tau = theory.target(TARGET)
    return errors**2 @ tau - (errors @ tau) ** 2


def _mean_square(dprime: int) -> float:
    """Exact: the mean of E eta_i^2 over the members."""
    return float(np.diag(theory.member_error_covariance(TARGET, dprime)).mean())


def _at_dprime(
    dprime: int, errors: np.ndarray, tv: np.ndarray, without: np.ndarray, excess: np.ndarray
) -> AtDprime:
    """errors: [inputs, codes, k]. tv, excess: [inputs, codes]. without: a false positive."""
    each = errors.reshape(-1, K)
    largest = np.abs(each).max(axis=1)
    bound = theory.member_error_quantile(TARGET, dprime, EXCEEDED)
    variance = theory.target_variance_of_error(TARGET, dprime)
    return AtDprime(
        dprime,
        Mean.of((each**2).mean(axis=1) / _mean_square(dprime)),
        Mean.of(_target_variance(each) / variance),
        Mean.of(largest * math.sqrt(dprime)),
        Count.of(largest > bound),
        # the hashes move it by no more than the leakage bound: codes count as independent
        Mean.of(tv[without].ravel()) if without.any() else None,
        Mean.of(tv.mean(axis=1)),
        float(excess[without].max(initial=0.0)),
    )


def measure_fresh(
    rng: np.random.Generator, n: int, d: int, m: int, inputs: int, codes: int
) -> Fresh:
    """Task: inputs with hashes of their own; for each d', outputs with several sign codes each."""
    most = harder_task.most_missing(n, BETA, TARGET)
    near = [harder_task.near_misses(rng, n, K, d, m, most) for _ in range(inputs)]
    without = np.array([(missing > 0).all() for missing in near])
    by_dprime = []
    for dprime in DPRIMES:
        fresh = harder_task.fresh_outcomes(rng, near, dprime, BETA, TARGET, codes)
        tv = fresh.divergence.total_variation
        excess = tv - _bounds(fresh.errors, n, BETA)
        by_dprime.append(_at_dprime(dprime, fresh.errors, tv, without, excess))
    return Fresh(n, d, m, by_dprime, Count.of(~without))


def measure_network(
    rng: np.random.Generator, n: int, d: int, m: int, dprime: int, families: int, sets: int
) -> Network:
    """Task: forward passes of the float network, against the formula of its logits."""
    errors = np.empty((families, sets, K))
    tv, excess, float_error = np.empty((families, sets)), 0.0, 0.0
    targets = np.tile(TARGET, (sets, 1))
    for family in range(families):
        hashes = random_hashes(rng, n, d, m)
        signs = dense_codes.random_signs(rng, n, dprime)
        network = harder_task.with_target(constructions.clamp(hashes, BETA), signs)
        tokens = random_sets(rng, sets, n, K)
        logits = network.logits(tokens, random_coefficients(rng, sets, K, C), targets)
        missing = kernels.PackedHashes.of(hashes).missing_bits(tokens).astype(float)
        formula = BETA * (m - missing) + np.einsum("j,sjd->sd", TARGET, signs[tokens]) @ signs.T
        float_error = max(float_error, float(np.abs(logits - formula).max()))
        errors[family] = np.take_along_axis(logits, tokens, axis=1) - BETA * m - TARGET
        tv[family] = harder_task.logits_divergence(logits, tokens, TARGET).total_variation
        without = (missing == 0).sum(axis=1) == K
        above = tv[family] - _bounds(errors[family], n, BETA)
        excess = max(excess, float(above[without].max(initial=0.0)))
    mean_square = Mean.of((errors**2).mean(axis=(1, 2)) / _mean_square(dprime))
    return Network(n, dprime, mean_square, Mean.of(tv.mean(axis=1)), excess, float_error)


def measure_kl(
    rng: np.random.Generator, n: int, d: int, m: int, dprime: int, beta: float, inputs: int
) -> Divergence:
    """Task: KL(target || output) at the sizes that suffice for ALLOWED_KL."""
    most = harder_task.most_missing(n, beta, TARGET)
    near = [harder_task.near_misses(rng, n, K, d, m, most) for _ in range(inputs)]
    fresh = harder_task.fresh_outcomes(rng, near, dprime, beta, TARGET)
    return Divergence(False, n, d + dprime, Mean.of(fresh.divergence.kl[:, 0]))


def measure_direct(
    rng: np.random.Generator, n: int, width: int, lift: float, inputs: int
) -> Divergence:
    """Task: KL(target || output) of one dense code read at all n tokens, without a layer."""
    kl = harder_task.direct_outcomes(rng, n, width, lift, TARGET, inputs).kl
    return Divergence(True, n, width, Mean.of(kl))


def tasks(effort: Effort) -> list[Task[Result]]:
    """Fresh inputs at each n, float networks, and both codes at the widths that suffice."""
    scale = effort.unions / 30_000
    made: list[Task[Result]] = []
    for n, (inputs, codes) in VOCABULARIES.items():
        code, inputs = smallest_width(n, K, FAILURE), round(scale * inputs)
        sizes = {"n": n, "d": code.width, "m": code.hashes, "codes": codes, "inputs": inputs}
        cost = inputs * (1e-7 * n + 2e-3 * codes)
        made.append(Task(f"{NAME}/fresh/n={n}", measure_fresh, sizes, cost))
    networks = [(KL_N, dprime, round(scale * families)) for dprime, families in NETWORKS.items()]
    for n, dprime, families in (*networks, *([LARGE_NETWORK] if scale > 1 else [])):
        code = smallest_width(n, K, FAILURE)
        sizes = {"n": n, "d": code.width, "m": code.hashes, "dprime": dprime, "sets": SETS}
        name = f"{NAME}/network/{ids.of(n=n, dprime=dprime)}"
        cost = families * 7e-6 * n
        made.append(Task(name, measure_network, sizes | {"families": families}, cost))
    enough = theory.sufficient_code(KL_N, TARGET, ALLOWED_KL)
    arguments = {"n": KL_N, "d": enough.width, "m": enough.hashes, "dprime": enough.dprime}
    options = {"beta": enough.beta, "inputs": round(scale * KL_INPUTS)}
    cost = scale * KL_INPUTS * 3e-4
    made.append(Task(f"{NAME}/kl/n={KL_N}", measure_kl, arguments | options, cost))
    direct = theory.direct_width(KL_N, TARGET, ALLOWED_KL)
    for width in (enough.total_width, direct):
        lift, inputs = theory.best_lift(KL_N, TARGET, width), round(scale * DIRECT_INPUTS)
        options = {"n": KL_N, "width": width, "lift": lift, "inputs": inputs}
        name = f"{NAME}/direct/{ids.of(n=KL_N, width=width)}"
        made.append(Task(name, measure_direct, options, inputs * 1e-2))
    return made


def _pooled(means: Sequence[Mean]) -> Estimate:
    """The mean over independent measurements."""
    value = float(np.mean([each.value for each in means]))
    error = math.hypot(*(each.standard_error for each in means)) / len(means)
    freedom = sum(each.samples - 1 for each in means)
    return from_standard_error(value, error, freedom, CONFIDENCE)


def _at_most(which: Which, name: str, bound: float, measured: Estimate) -> Check:
    """Statistical, one-sided: the interval does not lie above the bound."""
    label = f"{name}: lower end of the interval at most the bound"
    return lies_within(which, label, bound, measured.interval[0], (-math.inf, bound), FALSE_ALARM)


def checks(results: Sequence[Result]) -> list[Check]:
    """Members' errors have their exact moments at every n; bounds hold; the network its formula."""
    fresh, networks = results_of(results, Fresh), results_of(results, Network)
    everything = [at for each in fresh for at in each.by_dprime]
    made = []
    for each in fresh:
        which = Which(NAME, Quantity.MEAN_SQUARE, {"n": each.n})
        text = f"E eta^2 over its exact value, all d', n={each.n}"
        made.append(agrees(which, text, 1.0, _pooled([at.mean_square for at in each.by_dprime])))
    passes = [each.mean_square for each in networks if each.n == KL_N]
    which = Which(NAME, Quantity.NETWORK_MEAN_SQUARE, {"n": KL_N})
    text = f"E eta^2 over its exact value, forward passes, n={KL_N}"
    made.append(agrees(which, text, 1.0, _pooled(passes)))
    which = Which(NAME, Quantity.TARGET_VARIANCE)
    pooled = _pooled([at.target_variance for at in everything])
    made.append(agrees(which, "E Var_tau(eta) over its exact value, all n and d'", 1.0, pooled))
    first, last = fresh[0], fresh[-1]
    few, many = (_pooled([at.largest for at in each.by_dprime]) for each in (first, last))
    difference = from_standard_error(
        many.value - few.value,
        math.hypot(many.standard_error or 0.0, few.standard_error or 0.0),
        min(few.samples, many.samples) - 1,
        CONFIDENCE,
    )
    which = Which(NAME, Quantity.LARGEST, {"n": last.n, "less": first.n})
    text = f"E max|eta| sqrt(d'), n={last.n} less n={first.n}"
    made.append(agrees(which, text, 0.0, difference))
    exceeding = Count(
        sum(at.exceeding.hits for at in everything), sum(at.exceeding.trials for at in everything)
    )
    which, text = Which(NAME, Quantity.EXCEEDING), "P(max|eta| above its bound)"
    made.append(_at_most(which, text, EXCEEDED, exceeding.at(CONFIDENCE)))
    for quantity, label, excess in (
        (Quantity.TV_BOUND, "fresh inputs", [at.worst_excess for at in everything]),
        (Quantity.NETWORK_TV_BOUND, "forward passes", [each.worst_excess for each in networks]),
    ):
        text = f"largest TV above its bound without a false positive, {label}"
        made.append(lies_within(Which(NAME, quantity), text, 0.0, max(excess), (0.0, 1e-12)))
    exact = failure_probability(first.n, K, first.d, first.m)
    which, failed = Which(NAME, Quantity.FAILURE, {"n": first.n}), first.failures.at(CONFIDENCE)
    made.append(agrees(which, f"P_fail, n={first.n}", exact, failed))
    worst = max(each.float_error for each in networks)
    which = Which(NAME, Quantity.FLOAT_ERROR)
    text = "largest difference of the network's logits from their formula"
    made.append(lies_within(which, text, 0.0, worst, (0.0, FLOAT_ERROR)))
    return made + _kl_checks(results_of(results, Divergence))


def _kl_checks(results: Sequence[Divergence]) -> list[Check]:
    """KL is small at the widths that suffice, and that of a direct code no wider than ours is not.

    A direct code counts as wide enough where it is wider than the construction.
    """
    (own,) = (each for each in results if not each.direct)
    which = Which(NAME, Quantity.KL, {"width": own.width})
    text, allowed = f"E KL at d + d' = {own.width}", ALLOWED_KL
    made = [_at_most(which, text, allowed, own.kl.at(CONFIDENCE))]
    for each in (each for each in results if each.direct):
        which = Which(NAME, Quantity.DIRECT_KL, {"width": each.width})
        text, found = f"E KL of a direct code of width {each.width}", each.kl.at(CONFIDENCE)
        if each.width > own.width:
            made.append(_at_most(which, text, allowed, found))
        else:
            low, ends = found.interval[0], (5 * allowed, math.inf)
            text = f"{text}: lower end of the interval at least 5 x that"
            made.append(lies_within(which, text, ends[0], low, ends, FALSE_ALARM))
    return made


def table(results: Sequence[Result]) -> list[Point]:
    """Member errors and TV against d', exact, bounds and measured; widths against n."""
    made = []
    for dprime in np.unique(np.logspace(np.log10(24), np.log10(1400), 40).astype(int)).tolist():
        eta = theory.member_error_quantile(TARGET, dprime, EXCEEDED)
        leakage = theory.leakage_bound(max(VOCABULARIES), BETA, TARGET, eta)
        bound = theory.total_variation_bound(eta, leakage)
        law = theory.member_total_variation(TARGET, dprime)
        for axis, series, kind, value in (
            (Axis.RMS, Series.EXACT, Kind.EXACT, math.sqrt(_mean_square(dprime))),
            (Axis.LARGEST, Series.BOUND, Kind.UPPER_BOUND, eta),
            (Axis.TV, Series.BOUND, Kind.UPPER_BOUND, bound),
            (Axis.TV, Series.LAW, Kind.ASYMPTOTIC, law),
        ):
            made.append(Point(axis, series, kind, dprime, value, k=K))
    for each in results_of(results, Fresh):
        for at in each.by_dprime:
            root = math.sqrt(at.dprime)
            largest = replace(
                at.largest,
                value=at.largest.value / root,
                standard_error=at.largest.standard_error / root,
            )
            for axis, found in (
                (Axis.RMS, _root_mean_square(at.mean_square, at.dprime)),
                (Axis.LARGEST, largest.at(DRAWN_CONFIDENCE)),
                *([(Axis.TV, at.tv.at(DRAWN_CONFIDENCE))] if at.tv else []),
                (Axis.TV_OF_ALL, at.tv_of_all.at(DRAWN_CONFIDENCE)),
            ):
                made.append(_point(axis, Kind.DIRECT, each.n, at.dprime, found))
    for of in results_of(results, Network):
        for axis, found in (
            (Axis.RMS, _root_mean_square(of.mean_square, of.dprime)),
            (Axis.TV_OF_ALL, of.tv_of_all.at(DRAWN_CONFIDENCE)),
        ):
            made.append(_point(axis, Kind.FORWARD_PASS, of.n, of.dprime, found))
    for n in np.logspace(2, 6, 9).round().astype(int).tolist():
        code = theory.sufficient_code(n, TARGET, ALLOWED_KL)
        for series, value in (
            (Series.DIRECT, theory.direct_width(n, TARGET, ALLOWED_KL)),
            (Series.TOTAL, code.total_width),
            (Series.BLOOM, code.width),
            (Series.SIGNS, code.dprime),
        ):
            made.append(Point(Axis.WIDTH, series, Kind.UPPER_BOUND, n, value, n=n, k=K))
    for kl in results_of(results, Divergence):
        series = Series.DIRECT if kl.direct else Series.TOTAL
        found = kl.kl.at(DRAWN_CONFIDENCE)
        made.append(measured_point(Axis.KL, series, Kind.DIRECT, kl.width, found, n=kl.n, k=K))
    return made


def _point(axis: Axis, kind: Kind, n: int, dprime: int, found: Estimate) -> Point:
    return measured_point(axis, ids.of(n=n), kind, dprime, found, power_label(n), n=n, k=K)


def power_label(n: int) -> str:
    """A vocabulary of VOCABULARIES, as a power of ten."""
    return f"$n=10^{round(math.log10(n))}$"


def _root_mean_square(relative: Mean, dprime: int) -> Estimate:
    """The root of the measured mean square, with its interval."""
    exact, square = _mean_square(dprime), relative.at(DRAWN_CONFIDENCE)
    low, high = (math.sqrt(max(exact * end, 0.0)) for end in square.interval)
    root = math.sqrt(exact * square.value)
    error = 0.5 * exact * relative.standard_error / root
    return replace(square, value=root, interval=(low, high), standard_error=error)


def draw(points: Sequence[Point]) -> Figure:
    """Member errors against d', TV against d', and the width that suffices against n."""
    from simulate.jobs import style

    fig, (error, tv, width) = style.row_of_axes(3, height=3.0)
    _draw_errors(points, error, tv)
    error.set_ylim(0.02, 8.0)
    error.set_title("error of a member's logit, nats")
    style.legends(
        error,
        {
            "largest of $k$": ("none", "s"),
            f"its bound, $P \\leq {EXCEEDED:g}$": ("--", None),
            "root mean square": ("none", "o"),
            "the same, network": ("none", "D"),
            "the same, exact": ("-", None),
        },
        series_at="lower left",
        meanings_at="upper right",
    )
    tv.set_ylim(0.006, 4.0)
    tv.set_title("total variation from the target")
    style.legends(
        tv,
        {
            Series.BOUND.label: ("--", None),
            f"all inputs, {power_label(KL_N)}": ("none", "^"),
            "the same, network": ("none", "D"),
            "no false positive": ("none", "o"),
            Series.LAW.label: (":", None),
        },
        series_at="lower left",
        meanings_at="upper right",
    )
    _draw_widths(points, width)
    return fig


def _draw_errors(points: Sequence[Point], error: Axes, tv: Axes) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

    from simulate.jobs import style

    lines = {Kind.EXACT: "-", Kind.UPPER_BOUND: "--", Kind.ASYMPTOTIC: ":"}
    for name, axis, marker in (
        (Axis.RMS, error, "o"),
        (Axis.LARGEST, error, "s"),
        (Axis.TV, tv, "o"),
    ):
        for kind, line in lines.items():
            own = list(select(points, axis=name, kind=kind))
            style.curve(axis, own, line, color=style.INK, linewidth=0.9)
        measured = series_of(points, axis=name, kind=Kind.DIRECT).values()
        for place, (colour, own) in enumerate(zip(style.COLOURS, measured, strict=False)):
            # side by side: on each other they could not be told apart
            beside = [replace(p, x=p.x * 1.09 ** (place - 1.5)) for p in own]
            style.error_bars(axis, beside, colour, marker)
    for name, axis, kind, marker in (
        (Axis.RMS, error, Kind.FORWARD_PASS, "D"),
        (Axis.TV_OF_ALL, tv, Kind.FORWARD_PASS, "D"),
        (Axis.TV_OF_ALL, tv, Kind.DIRECT, "^"),
    ):
        own = list(select(points, axis=name, kind=kind, n=KL_N))
        style.error_bars(axis, own, style.INK, marker)
    for axis in (error, tv):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.xaxis.set_major_locator(FixedLocator(DPRIMES))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("extra coordinates $d'$")
        shown = series_of(points, axis=Axis.TV_OF_ALL).values()
        for colour, own in zip(style.COLOURS, shown, strict=False):
            axis.plot([], [], "o", color=colour, markerfacecolor="white", label=own[0].shown)


def _draw_widths(points: Sequence[Point], axes: Axes) -> None:
    from simulate.jobs import style

    blue, red, green, pink = style.COLOURS[:4]
    looks = {
        Series.DIRECT: (red, "-."),
        Series.TOTAL: (blue, "-"),
        Series.BLOOM: (green, "--"),
        Series.SIGNS: (pink, ":"),
    }
    drawn = series_of(points, axis=Axis.WIDTH)
    for series, (colour, line) in looks.items():
        style.curve(axes, drawn[series], line, color=colour, label=series.label)
    for p in (p for p in select(points, axis=Axis.KL) if p.y < ALLOWED_KL):
        colour, _ = looks[Series(p.series)]
        axes.plot(KL_N, p.x, "o", color=colour, markerfacecolor="white")
        at = {"xytext": (0, 4), "ha": "center", "color": style.INK, "fontsize": 6.5}
        style.note(axes, f"{p.y:.2g}", (KL_N, p.x), **at)
    axes.plot([], [], "o", color=style.GREY, markerfacecolor="white", label="measured KL")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(60, 2e7)
    axes.set_xlabel("vocabulary size $n$")
    axes.set_title(f"residual width for KL ≤ {ALLOWED_KL:g}")
    axes.legend(loc="upper left")


PANEL = Panel(
    NAME,
    "Any target over the k tokens fits into d' random signs beside the Bloom filter, and n does "
    "not enter: a member's logit errs by sqrt((k-1) |l|^2 / (k d')) at every n. Here "
    f"k = {K}, shares proportional to 1/j, P_fail = {FAILURE:g}. "
    "Right: one dense code read directly needs far more width "
    "for the same KL.",
    tasks,
    checks,
    table,
    draw,
)
