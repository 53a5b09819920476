"""Panel: how many tokens the residual stream of a public language model could carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from simulate.jobs.checks import Check, agrees
from simulate.jobs.panel import (
    DRAWN_CONFIDENCE,
    Effort,
    Panel,
    Point,
    Row,
    failure_estimate,
    measure_by_weights,
    measured_point,
    series_of,
    size_label,
)
from simulate.jobs.tasks import Task
from simulate.panels.pseudo_inverse import tilt
from theory import capacity
from theory import pseudo_inverse as pseudo_inverse_theory
from theory.capacity import Capacity
from theory.false_positives import failure_probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "language_models"
EPSILON = 1e-6


@dataclass(frozen=True)
class Model:
    """A published shape: vocabulary n (rows of the embedding) and residual width d."""

    name: str
    n: int
    d: int


# GPT-2: Radford et al. 2019, table 2; the others: vocab_size and hidden_size of the config.json
# published with the weights
MODELS = (
    Model("GPT-2 small", 50_257, 768),
    Model("GPT-2 medium", 50_257, 1024),
    Model("GPT-2 large", 50_257, 1280),
    Model("GPT-2 XL", 50_257, 1600),
    Model("Qwen3 0.6B", 151_936, 1024),
    Model("Llama 3.2 1B", 128_256, 2048),
    Model("Qwen3 4B", 151_936, 2560),
    Model("Gemma 7B", 256_000, 3072),
    Model("Llama 3.1 8B", 128_256, 4096),
    Model("Llama 3.1 70B", 128_256, 8192),
)
MEASURED = MODELS[:4]
BLOOM, PSEUDO_INVERSE = "Bloom filter", "pseudo-inverse of random $W_U$"
KINDS = {
    BLOOM: "exact",
    PSEUDO_INVERSE: "exact",
    "random signs, thresholded": "lower bound",
    "limit of any linear readout, $P_\\mathrm{fail}=0$": "upper bound",
    "limit of any residual of $d$ bits": "upper bound",
}


@cache
def capacities(n: int, d: int) -> dict[str, Capacity]:
    """The largest k of each rival at P_fail <= EPSILON, in the order of KINDS."""
    found = (
        capacity.bloom(n, d, EPSILON),
        capacity.pseudo_inverse_readout(n, d, EPSILON),
        capacity.thresholded_jl(n, d, EPSILON),
        capacity.linear_readout_limit(n, d),
        capacity.information_limit(n, d, EPSILON),
    )
    return dict(zip(KINDS, found, strict=True))


def tasks(effort: Effort) -> list[Task]:
    """P_fail at each capacity of the GPT-2 models, by weighted draws."""
    made = []
    draws = effort.unions // 10
    for model in MEASURED:
        bloom, pseudo_inverse = list(capacities(model.n, model.d).values())[:2]
        sizes = {"n": model.n, "k": bloom.k, "d": model.d, "m": bloom.m}
        arguments = sizes | {"method": "conditional", "draws": draws}
        cost = draws * bloom.k * model.d * 4e-9
        made.append(Task(f"{NAME}/{BLOOM}/{model.name}", measure_by_weights, arguments, cost))
        arguments = {"n": model.n, "k": pseudo_inverse.k, "d": model.d}
        arguments |= {"method": "tilted", "draws": draws // 4}
        cost = draws * pseudo_inverse.k * model.d * 3e-9
        made.append(Task(f"{NAME}/{PSEUDO_INVERSE}/{model.name}", tilt, arguments, cost))
    return made


def _exact(row: Row) -> tuple[str, float]:
    """(rival, exact P_fail) of a measured row."""
    n, k, d = row["n"], row["k"], row["d"]
    if "m" in row:
        return BLOOM, failure_probability(n, k, d, row["m"])
    return PSEUDO_INVERSE, pseudo_inverse_theory.failure_probability(n, k, d)


def checks(rows: Sequence[Row]) -> list[Check]:
    """The measured P_fail of both rivals against the exact one, at every measured capacity."""
    made = []
    for row in rows:
        label, exact = _exact(row)
        name = f"P_fail at the capacity, {label}, {size_label(row, 'nkd')}"
        made.append(agrees(NAME, name, exact, failure_estimate(row)))
    return made


def table(rows: Sequence[Row]) -> list[Point]:
    """Largest k by model and rival; of the measured ones P_fail there, too."""
    made = []
    for place, model in enumerate(MODELS):
        for name, found in capacities(model.n, model.d).items():
            sizes = {"n": model.n, "k": found.k, "d": model.d, "m": found.m}
            made.append(Point("capacity", name, KINDS[name], place, found.k, **sizes))
    for row in rows:
        name, exact = _exact(row)
        (place,) = (at for at, m in enumerate(MEASURED) if (m.n, m.d) == (row["n"], row["d"]))
        made.append(
            Point("failure", name, "exact", place, exact, n=row["n"], k=row["k"], d=row["d"])
        )
        measured = failure_estimate(row, DRAWN_CONFIDENCE)
        made.append(measured_point("failure", name, row["method"], place, measured, row))
    return made


def figure(points: Sequence[Point]) -> Figure:
    """Left: largest k, a line of dots a model. Right: P_fail at the capacities of GPT-2."""
    from simulate.jobs import style

    fig, (largest, failure) = style.row_of_axes(2, height=3.2, ratios=(1.7, 1.0))
    markers = dict(zip(KINDS, ("o", "s", "^", "|", "|"), strict=True))
    colours = dict(zip(KINDS, (*style.COLOURS[:3], style.INK, style.GREY), strict=True))
    for name, own in series_of(points, axis="capacity").items():
        largest.plot(
            [p.y for p in own], [p.x for p in own], markers[name], color=colours[name], label=name
        )
    largest.set_xscale("log")
    largest.set_yticks(range(len(MODELS)), [f"{m.name} ({m.n:,}, {m.d:,})" for m in MODELS])
    largest.invert_yaxis()
    largest.set_xlabel(r"largest $k$ with $P_\mathrm{fail}\leq 10^{-6}$")
    largest.set_title("model ($n$, $d$)", loc="left")
    for name, own in series_of(points, axis="failure").items():
        for exact in (p for p in own if p.kind == "exact"):
            failure.plot([exact.x - 0.3, exact.x + 0.3], [exact.y] * 2, color=colours[name])
        style.error_bars(
            failure, [p for p in own if p.kind != "exact"], colours[name], markers[name]
        )
    failure.axhline(EPSILON, linestyle=":", color=style.INK)
    failure.set_yscale("log")
    failure.set_xticks(range(len(MEASURED)), [m.name.removeprefix("GPT-2 ") for m in MEASURED])
    failure.set_xlabel("GPT-2")
    failure.set_ylabel(r"$P_\mathrm{fail}$ at the largest $k$")
    fig.legend(*largest.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "Left: the largest number k of tokens that a residual stream of a public model's width d can "
    "hold of its vocabulary n with failure probability at most 10^-6. Bloom filter and "
    "pseudo-inverse: exact. Random signs with a threshold a token: proved to suffice, hidden width "
    "n. Ticks: upper bounds, k <= d/2 for any linear readout that never fails (Radon) and "
    "C(n, k) <= 2^d for any residual of d bits. Right: P_fail at the capacities of GPT-2, exact "
    "(lines) and measured "
    "(markers; random unions, or members' rows by importance sampling).",
    tasks,
    checks,
    table,
    figure,
)
