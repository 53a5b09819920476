"""Panel: any target over the k tokens, by d' more coordinates whose number n does not enter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from simulate import constructions, dense_codes, harder_task, kernels
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE, FALSE_ALARM, Check, agrees, lies_within
from simulate.jobs.intervals import Estimate
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    measured_point,
    select,
    series_of,
)
from simulate.jobs.tasks import Result, Task
from simulate.sampling import random_coefficients, random_hashes, random_sets
from theory import harder_task as theory
from theory.false_positives import failure_probability
from theory.width import smallest_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "harder_task"
K = 8
TARGET = theory.centred(-np.log(np.arange(1, K + 1)))  # Zipf: the j-th token has share ∝ 1/j
DPRIMES = (32, 64, 128, 256, 512, 1024)
FAILURE = 0.05  # P_fail of the Bloom filter
BETA = 20.0
EXCEEDED = 0.01  # how often the member error may pass its bound
C = 2.0  # coefficients alpha are uniform on [1, C]
# n: inputs in a quick run, and sign codes of each; the cost of an input is that of its n hashes
VOCABULARIES = {1_000: (120, 1), 10_000: (60, 1), 100_000: (10, 5), 1_000_000: (3, 16)}
NETWORKS = {64: 30, 256: 30}  # d': families in a quick run, n = 1000
LARGE_NETWORK = (10_000, 256, 8)  # n, d', families; beyond a quick run
SETS = 10  # inputs per network
ALLOWED_KL = 0.01
KL_INPUTS, DIRECT_INPUTS = 400, 30  # in a quick run
KL_N = 1_000
FLOAT_ERROR = 1e-9
# the axes of the table, and two of its series
RMS, LARGEST = "rms error", "largest error"
TV, TV_OF_ALL = "TV without false positives", "TV of all inputs"
WIDTH, KL = "width", "KL at that width"
TOTAL, DIRECT = "$d+d'$", "one dense code, no layer"
LINES = {"exact": "-", "upper bound": "--", "asymptotic": ":"}


def _spread_of(values: np.ndarray) -> list[float]:
    """Mean and standard error of independent values."""
    measured = intervals.mean(values, CONFIDENCE)
    return [measured.estimate, measured.standard_error]


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


def _of_errors(errors: np.ndarray, dprime: int) -> Result:
    """What is measured of the members' errors [units, k], relative to their exact values."""
    variance = theory.target_variance_of_error(TARGET, dprime)
    largest = np.abs(errors).max(axis=1)
    bound = theory.member_error_quantile(TARGET, dprime, EXCEEDED)
    return {
        "mean_square": _spread_of((errors**2).mean(axis=1) / _mean_square(dprime)),
        "target_variance": _spread_of(_target_variance(errors) / variance),
        "largest": _spread_of(largest * math.sqrt(dprime)),
        "exceeding": int(np.count_nonzero(largest > bound)),
    }


def measure_fresh(
    rng: np.random.Generator, n: int, d: int, m: int, inputs: int, codes: int
) -> Result:
    """Task: inputs with hashes of their own; for each d', outputs with several sign codes each."""
    most = harder_task.most_missing(n, BETA, TARGET)
    near = [harder_task.near_misses(rng, n, K, d, m, most) for _ in range(inputs)]
    without = np.array([(missing > 0).all() for missing in near])
    by_dprime = []
    for dprime in DPRIMES:
        fresh = harder_task.fresh_outcomes(rng, near, dprime, BETA, TARGET, codes)
        tv = fresh.divergence.total_variation
        excess = (tv - _bounds(fresh.errors, n, BETA))[without]
        by_dprime.append(
            _of_errors(fresh.errors.reshape(-1, K), dprime)
            | {
                # the hashes move it by no more than the leakage bound: codes count as independent
                "tv": _spread_of(tv[without].ravel()) if without.any() else None,
                "tv_of_all": _spread_of(tv.mean(axis=1)),
                "worst_excess": float(excess.max(initial=0.0)),
            }
        )
    return {"by_dprime": by_dprime, "failures": int(np.count_nonzero(~without))}


def measure_network(
    rng: np.random.Generator, n: int, d: int, m: int, dprime: int, families: int, sets: int
) -> Result:
    """Task: forward passes of the float network, against the formula of its logits.

    `float_error`: largest |logit - (beta |S_i ∩ union| + <V_i, y>)|.
    """
    errors = np.empty((families, sets, K))
    tv, excess, float_error, failures = np.empty((families, sets)), 0.0, 0.0, 0
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
        failures += int(np.count_nonzero(~without))
        above = tv[family] - _bounds(errors[family], n, BETA)
        excess = max(excess, float(above[without].max(initial=0.0)))
    return {
        "mean_square": _spread_of((errors**2).mean(axis=(1, 2)) / _mean_square(dprime)),
        "tv_of_all": _spread_of(tv.mean(axis=1)),
        "worst_excess": excess,
        "float_error": float_error,
        "failures": failures,
    }


def measure_kl(
    rng: np.random.Generator, n: int, d: int, m: int, dprime: int, beta: float, inputs: int
) -> Result:
    """Task: KL(target || output) at the sizes that suffice for ALLOWED_KL."""
    most = harder_task.most_missing(n, beta, TARGET)
    near = [harder_task.near_misses(rng, n, K, d, m, most) for _ in range(inputs)]
    fresh = harder_task.fresh_outcomes(rng, near, dprime, beta, TARGET)
    return {"kl": _spread_of(fresh.divergence.kl[:, 0])}


def measure_direct(
    rng: np.random.Generator, n: int, width: int, lift: float, inputs: int
) -> Result:
    """Task: KL(target || output) of one dense code read at all n tokens, without a layer."""
    return {"kl": _spread_of(harder_task.direct_outcomes(rng, n, width, lift, TARGET, inputs).kl)}


def tasks(effort: Effort) -> list[Task]:
    """Fresh inputs at each n, float networks, and both codes at the widths that suffice."""
    scale = effort.unions / 30_000
    made = []
    for n, (inputs, codes) in VOCABULARIES.items():
        code = smallest_width(n, K, FAILURE)
        sizes = {"n": n, "d": code.width, "m": code.hashes, "codes": codes}
        sizes["inputs"] = round(scale * inputs)
        cost = sizes["inputs"] * (1e-7 * n + 2e-3 * codes)
        made.append(Task(f"{NAME}/fresh/n={n}", measure_fresh, sizes, cost))
    networks = [(KL_N, dprime, round(scale * families)) for dprime, families in NETWORKS.items()]
    for n, dprime, families in (*networks, *([LARGE_NETWORK] if scale > 1 else [])):
        code = smallest_width(n, K, FAILURE)
        sizes = {"n": n, "d": code.width, "m": code.hashes, "dprime": dprime, "sets": SETS}
        name = f"{NAME}/network/n={n}, d'={dprime}"
        cost = families * 7e-6 * n
        made.append(Task(name, measure_network, sizes | {"families": families}, cost))
    sufficient = theory.sufficient_code(KL_N, TARGET, ALLOWED_KL)
    made.append(
        Task(
            f"{NAME}/kl/n={KL_N}",
            measure_kl,
            {
                "n": KL_N,
                "d": sufficient.width,
                "m": sufficient.hashes,
                "dprime": sufficient.dprime,
                "beta": sufficient.beta,
                "inputs": round(scale * KL_INPUTS),
            },
            scale * KL_INPUTS * 3e-4,
        )
    )
    direct = theory.direct_width(KL_N, TARGET, ALLOWED_KL)
    for width in (sufficient.total_width, direct):
        lift = theory.best_lift(KL_N, TARGET, width)
        inputs = round(scale * DIRECT_INPUTS)
        arguments = {"n": KL_N, "width": width, "lift": lift, "inputs": inputs}
        name = f"{NAME}/direct/n={KL_N}, width={width}"
        made.append(Task(name, measure_direct, arguments, inputs * 1e-2))
    return made


def _kinds(rows: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
    """(fresh, network, KL of the construction, KL of the direct code)."""
    return (
        [row for row in rows if "by_dprime" in row],
        [row for row in rows if "float_error" in row],
        [row for row in rows if "kl" in row and "beta" in row],
        [row for row in rows if "kl" in row and "lift" in row],
    )


def _estimate(spread: Sequence[float], units: int, confidence: float) -> Estimate:
    return intervals.from_standard_error(spread[0], spread[1], units - 1, confidence)


def _pooled(spreads: Sequence[Sequence[float]], units: int) -> Estimate:
    """The mean over independent measurements of `units` each."""
    values, errors = np.array(spreads).T
    error = math.sqrt(float((errors**2).sum())) / len(errors)
    freedom = len(errors) * (units - 1)
    return intervals.from_standard_error(float(values.mean()), error, freedom, CONFIDENCE)


def _over_dprime(row: Row, name: str) -> Estimate:
    return _pooled([each[name] for each in row["by_dprime"]], row["inputs"] * row["codes"])


def _at_most(name: str, bound: float, measured: Estimate) -> Check:
    """Statistical, one-sided: the interval does not lie above the bound."""
    label = f"{name}: lower end of the interval at most the bound"
    return lies_within(NAME, label, bound, measured.interval[0], (-math.inf, bound), FALSE_ALARM)


def checks(rows: Sequence[Row]) -> list[Check]:
    """Members' errors have their exact moments at every n; bounds hold; the network its formula."""
    fresh, networks, own_kl, direct_kl = _kinds(rows)
    made = []
    for row in fresh:
        name = f"E eta^2 over its exact value, all d', n={row['n']}"
        made.append(agrees(NAME, name, 1.0, _over_dprime(row, "mean_square")))
    passes = [row for row in networks if row["n"] == KL_N]
    spread = _pooled([row["mean_square"] for row in passes], passes[0]["families"])
    name = f"E eta^2 over its exact value, forward passes, n={KL_N}"
    made.append(agrees(NAME, name, 1.0, spread))
    variances = [_over_dprime(row, "target_variance") for row in fresh]
    units = min(row["inputs"] * row["codes"] for row in fresh) * len(DPRIMES)
    pooled = _pooled([[each.estimate, each.standard_error] for each in variances], units)
    made.append(agrees(NAME, "E Var_tau(eta) over its exact value, all n and d'", 1.0, pooled))
    few, many = (_over_dprime(row, "largest") for row in (fresh[0], fresh[-1]))
    difference = intervals.from_standard_error(
        many.estimate - few.estimate,
        math.hypot(many.standard_error, few.standard_error),
        units - 1,
        CONFIDENCE,
    )
    name = f"E max|eta| sqrt(d'), n={fresh[-1]['n']} less n={fresh[0]['n']}"
    made.append(agrees(NAME, name, 0.0, difference))
    exceeding = sum(each["exceeding"] for row in fresh for each in row["by_dprime"])
    codes = sum(row["inputs"] * row["codes"] * len(DPRIMES) for row in fresh)
    share = intervals.proportion(exceeding, codes, CONFIDENCE)
    made.append(_at_most("P(max|eta| above its bound)", EXCEEDED, share))
    for label, group in (("fresh inputs", fresh), ("forward passes", networks)):
        worst = max(each["worst_excess"] for row in group for each in row.get("by_dprime", [row]))
        name = f"largest TV above its bound without a false positive, {label}"
        made.append(lies_within(NAME, name, 0.0, worst, (0.0, 1e-12)))
    row = fresh[0]
    failed = intervals.proportion(row["failures"], row["inputs"], CONFIDENCE)
    exact = failure_probability(row["n"], K, row["d"], row["m"])
    made.append(agrees(NAME, f"P_fail, n={row['n']}", exact, failed))
    worst = max(row["float_error"] for row in networks)
    name = "largest difference of the network's logits from their formula"
    made.append(lies_within(NAME, name, 0.0, worst, (0.0, FLOAT_ERROR)))
    for row in own_kl:
        measured = _estimate(row["kl"], row["inputs"], CONFIDENCE)
        made.append(_at_most(f"E KL at d + d' = {row['d'] + row['dprime']}", ALLOWED_KL, measured))
    for row in direct_kl:
        measured = _estimate(row["kl"], row["inputs"], CONFIDENCE)
        name = f"E KL of a direct code of width {row['width']}"
        if row["width"] > own_kl[0]["d"] + own_kl[0]["dprime"]:
            made.append(_at_most(name, ALLOWED_KL, measured))
        else:
            label = f"{name}: lower end of the interval at least 5 x that"
            interval = (5 * ALLOWED_KL, math.inf)
            made.append(
                lies_within(NAME, label, interval[0], measured.interval[0], interval, FALSE_ALARM)
            )
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Member errors and TV against d', exact, bounds and measured; widths against n."""
    fresh, networks, own_kl, direct_kl = _kinds(rows)
    made = []
    for dprime in np.unique(np.logspace(np.log10(24), np.log10(1400), 40).astype(int)).tolist():
        eta = theory.member_error_quantile(TARGET, dprime, EXCEEDED)
        leakage = theory.leakage_bound(max(VOCABULARIES), BETA, TARGET, eta)
        bound = theory.total_variation_bound(eta, leakage)
        law = theory.member_total_variation(TARGET, dprime)
        for axis, series, kind, value in (
            (RMS, "exact", "exact", math.sqrt(_mean_square(dprime))),
            (LARGEST, f"P <= {EXCEEDED:g}", "upper bound", eta),
            (TV, f"P <= {EXCEEDED:g}", "upper bound", bound),
            (TV, "members' part", "asymptotic", law),
        ):
            made.append(Point(axis, series, kind, dprime, value, k=K))
    for row in fresh:
        units = row["inputs"] * row["codes"]
        without = units - row["failures"] * row["codes"]
        for dprime, each in zip(DPRIMES, row["by_dprime"], strict=True):
            largest = [value / math.sqrt(dprime) for value in each["largest"]]
            for axis, estimate in (
                (RMS, _root_mean_square(each, dprime, units)),
                (LARGEST, _estimate(largest, units, DRAWN_CONFIDENCE)),
                *([(TV, _estimate(each["tv"], without, DRAWN_CONFIDENCE))] if without else []),
                (TV_OF_ALL, _estimate(each["tv_of_all"], row["inputs"], DRAWN_CONFIDENCE)),
            ):
                made.append(_point(axis, "fresh inputs", row, dprime, estimate))
    for row in networks:
        for axis, estimate in (
            (RMS, _root_mean_square(row, row["dprime"], row["families"])),
            (TV_OF_ALL, _estimate(row["tv_of_all"], row["families"], DRAWN_CONFIDENCE)),
        ):
            made.append(_point(axis, "forward passes", row, row["dprime"], estimate))
    for n in np.logspace(2, 6, 9).round().astype(int).tolist():
        code = theory.sufficient_code(n, TARGET, ALLOWED_KL)
        for series, value in (
            (DIRECT, theory.direct_width(n, TARGET, ALLOWED_KL)),
            (TOTAL, code.total_width),
            ("$d$, Bloom filter", code.width),
            ("$d'$, signs", code.dprime),
        ):
            made.append(Point(WIDTH, series, "upper bound", n, value, n=n, k=K))
    for series, group in ((TOTAL, own_kl), (DIRECT, direct_kl)):
        for row in group:
            kl = _estimate(row["kl"], row["inputs"], DRAWN_CONFIDENCE)
            sizes = {"n": row["n"], "k": K, "d": row.get("d"), "m": row.get("m")}
            made.append(measured_point(KL, series, "fresh inputs", _width(row), kl, sizes))
    return made


def _width(row: Row) -> int:
    """The residual width of either code."""
    return row["width"] if "width" in row else row["d"] + row["dprime"]


def _point(axis: str, kind: str, row: Row, dprime: int, measured: Estimate) -> Point:
    series = f"$n=10^{round(math.log10(row['n']))}$"
    return measured_point(axis, series, kind, dprime, measured, row | {"k": K})


def _mean_square(dprime: int) -> float:
    """Exact: the mean of E eta_i^2 over the members."""
    return float(np.diag(theory.member_error_covariance(TARGET, dprime)).mean())


def _root_mean_square(result: Result, dprime: int, units: int) -> Estimate:
    """The root of the measured mean square, with its interval."""
    spread = [_mean_square(dprime) * value for value in result["mean_square"]]
    square = _estimate(spread, units, DRAWN_CONFIDENCE)
    low, high = (math.sqrt(max(end, 0.0)) for end in square.interval)
    root = math.sqrt(square.estimate)
    return Estimate(root, 0.5 * square.standard_error / root, (low, high))


def figure(points: Sequence[Point]) -> Figure:
    """Member errors against d', TV against d', and the width that suffices against n."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

    from simulate.jobs import style

    fig, (error, tv, width) = style.row_of_axes(3, height=3.0)
    for axis, names in ((error, (RMS, LARGEST)), (tv, (TV,))):
        for name, (kind, line) in product(names, LINES.items()):
            own = list(select(points, axis=name, kind=kind))
            axis.plot([p.x for p in own], [p.y for p in own], line, color=style.INK, linewidth=0.9)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.xaxis.set_major_locator(FixedLocator(DPRIMES))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("extra coordinates $d'$")
    for name, axis, marker in ((RMS, error, "o"), (LARGEST, error, "s"), (TV, tv, "o")):
        measured = series_of(points, axis=name, kind="fresh inputs")
        for place, (colour, own) in enumerate(zip(style.COLOURS, measured.values(), strict=False)):
            # side by side: on each other they could not be told apart
            beside = [replace(p, x=p.x * 1.09 ** (place - 1.5)) for p in own]
            style.error_bars(axis, beside, colour, marker)
    for name, axis, kind, marker in (
        (RMS, error, "forward passes", "D"),
        (TV_OF_ALL, tv, "forward passes", "D"),
        (TV_OF_ALL, tv, "fresh inputs", "^"),
    ):
        drawn = [p for p in select(points, axis=name, kind=kind) if p.n == KL_N]
        style.error_bars(axis, drawn, style.INK, marker)
    error.set_ylim(0.02, 8.0)
    error.set_title("error of a member's logit, nats")
    for axis in (error, tv):
        for colour, series in zip(style.COLOURS, series_of(points, axis=TV_OF_ALL), strict=False):
            axis.plot([], [], "o", color=colour, markerfacecolor="white", label=series)
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
            f"bound, $P \\leq {EXCEEDED:g}$": ("--", None),
            "all inputs, $n=10^3$": ("none", "^"),
            "the same, network": ("none", "D"),
            "no false positive": ("none", "o"),
            "members' part, law": (":", None),
        },
        series_at="lower left",
        meanings_at="upper right",
    )
    colours = (style.COLOURS[1], style.COLOURS[0], style.COLOURS[2], style.COLOURS[3])
    curves = series_of(points, axis=WIDTH).items()
    for colour, line, (series, own) in zip(colours, ("-", "-", "--", ":"), curves, strict=True):
        width.plot([p.x for p in own], [p.y for p in own], line, color=colour, label=series)
    for p in (p for p in select(points, axis=KL) if p.y < ALLOWED_KL):
        colour = colours[0] if p.series == DIRECT else colours[1]
        width.plot([KL_N], [p.x], "o", color=colour, markerfacecolor="white")
        width.annotate(
            f"{p.y:.2g}", (KL_N, p.x), (0, 4), textcoords="offset points", ha="center", fontsize=6.5
        )
    width.plot([], [], "o", color=style.GREY, markerfacecolor="white", label="measured KL")
    width.set_xscale("log")
    width.set_yscale("log")
    width.set_ylim(60, 2e7)
    width.set_xlabel("vocabulary size $n$")
    width.set_title(f"residual width for KL ≤ {ALLOWED_KL:g}")
    width.legend(loc="upper left")
    return fig


PANEL = Panel(
    NAME,
    "Any target over the k tokens: here k = 8 and shares proportional to 1/j, carried as "
    "centred logits l in d' random signs a token beside the Bloom filter (P_fail = 0.05, beta = "
    "20). Left: error of a member's logit over random codes. Its root mean square is exactly "
    "sqrt((k-1) |l|^2 / (k d')) at every n (markers side by side); its largest of k stays below "
    "|l| sqrt(2 ln(2k/0.01) / d') with probability 0.99. Middle: total variation of softmax output "
    "and target; the law is the members' part as d' grows, the bound holds with probability 0.99 "
    "at n = 10^6 and below. Circles leave out the inputs with a false positive. Black: n = 10^3, "
    "all inputs, and forward passes of the float network. Right: residual width that suffices for "
    "an expected KL of 0.01 nats, false positives included, against one dense code read directly "
    "at all n tokens, by the same inequality; circles: the KL measured there.",
    tasks,
    checks,
    table,
    figure,
)
