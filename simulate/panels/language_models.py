"""How many tokens the residual stream of a public language model could carry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.checks import Check, Which, agrees
from simulate.jobs.panel import Effort, Panel
from simulate.jobs.table import Kind, Named, Point, key, of_kind, series_of, xs, ys
from simulate.jobs.tasks import Task
from simulate.panels.measured import Measured, measure_by_weights
from simulate.panels.pseudo_inverse import tilt
from theory import capacity
from theory import pseudo_inverse as pseudo_inverse_theory
from theory.capacity import Capacity
from theory.false_positives import failure_probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "language_models"
EPSILON = 1e-6


class Model(Named):
    """Public models."""

    GPT2_SMALL = "gpt2-small", "GPT-2 small"
    GPT2_MEDIUM = "gpt2-medium", "GPT-2 medium"
    GPT2_LARGE = "gpt2-large", "GPT-2 large"
    GPT2_XL = "gpt2-xl", "GPT-2 XL"
    QWEN3_06B = "qwen3-0.6b", "Qwen3 0.6B"
    LLAMA32_1B = "llama3.2-1b", "Llama 3.2 1B"
    QWEN3_4B = "qwen3-4b", "Qwen3 4B"
    GEMMA_7B = "gemma-7b", "Gemma 7B"
    LLAMA31_8B = "llama3.1-8b", "Llama 3.1 8B"
    LLAMA31_70B = "llama3.1-70b", "Llama 3.1 70B"


# (vocabulary n: rows of the embedding, residual width d). GPT-2: Radford et al. 2019, table 2; the
# others: vocab_size and hidden_size of the config.json published with the weights
SHAPES = {
    Model.GPT2_SMALL: (50_257, 768),
    Model.GPT2_MEDIUM: (50_257, 1024),
    Model.GPT2_LARGE: (50_257, 1280),
    Model.GPT2_XL: (50_257, 1600),
    Model.QWEN3_06B: (151_936, 1024),
    Model.LLAMA32_1B: (128_256, 2048),
    Model.QWEN3_4B: (151_936, 2560),
    Model.GEMMA_7B: (256_000, 3072),
    Model.LLAMA31_8B: (128_256, 4096),
    Model.LLAMA31_70B: (128_256, 8192),
}
# those whose P_fail is measured, and what they are called on the axis of GPT-2
MEASURED = {
    Model.GPT2_SMALL: "small",
    Model.GPT2_MEDIUM: "medium",
    Model.GPT2_LARGE: "large",
    Model.GPT2_XL: "XL",
}


class Quantity(StrEnum):
    """What is checked."""

    FAILURE = "failure"


class Axis(StrEnum):
    """What is drawn."""

    CAPACITY = "capacity"
    FAILURE = "failure"


class Rival(Named):
    """What carries the tokens, or limits them."""

    BLOOM = "bloom", "Bloom filter"
    PSEUDO_INVERSE = "pseudo_inverse", "pseudo-inverse of random $W_U$"
    THRESHOLDED = "thresholded_signs", "random signs, thresholded: suffices"
    LINEAR = "linear_readout_limit", r"limit of linear readouts, $P_\mathrm{fail}=0$"
    INFORMATION = "information_limit", "limit of any residual of $d$ bits"


KINDS = {
    Rival.BLOOM: Kind.EXACT,
    Rival.PSEUDO_INVERSE: Kind.EXACT,
    Rival.THRESHOLDED: Kind.LOWER_BOUND,
    Rival.LINEAR: Kind.UPPER_BOUND,
    Rival.INFORMATION: Kind.UPPER_BOUND,
}
CAPACITIES: dict[Rival, Callable[[int, int], Capacity]] = {
    Rival.BLOOM: lambda n, d: capacity.bloom(n, d, EPSILON),
    Rival.PSEUDO_INVERSE: lambda n, d: capacity.pseudo_inverse_readout(n, d, EPSILON),
    Rival.THRESHOLDED: lambda n, d: capacity.thresholded_jl(n, d, EPSILON),
    Rival.LINEAR: capacity.linear_readout_limit,
    Rival.INFORMATION: lambda n, d: capacity.information_limit(n, d, EPSILON),
}


@dataclass(frozen=True)
class ModelPoint(Point):
    """A number of one model; x is the model's place in the figure."""

    model: Model | None = key(None)


@dataclass(frozen=True)
class AtCapacity:
    """P_fail of a rival at its capacity of k tokens in a model."""

    model: Model
    rival: Rival
    measured: Measured

    @property
    def exact(self) -> float:
        """P_fail at that k."""
        sizes = self.measured.sizes
        if self.rival == Rival.BLOOM:
            return failure_probability(**sizes.at)
        return pseudo_inverse_theory.failure_probability(**sizes.at)


@cache
def _capacity(model: Model, rival: Rival) -> Capacity:
    """The largest k at P_fail <= EPSILON."""
    return CAPACITIES[rival](*SHAPES[model])


def measure_bloom(
    rng: np.random.Generator, model: Model, n: int, k: int, d: int, m: int, draws: int
) -> AtCapacity:
    """Task: random unions, and the exact probability of failure given the union."""
    found = measure_by_weights(rng, n, k, d, m, Kind.CONDITIONAL, draws)
    return AtCapacity(model, Rival.BLOOM, found)


def measure_pseudo_inverse(
    rng: np.random.Generator, model: Model, n: int, k: int, d: int, draws: int
) -> AtCapacity:
    """Task: members' rows by importance sampling."""
    return AtCapacity(model, Rival.PSEUDO_INVERSE, tilt(rng, n, k, d, draws))


def tasks(effort: Effort) -> list[Task[AtCapacity]]:
    """P_fail at each capacity of the GPT-2 models, by weighted draws."""
    made = []
    draws = effort.unions // 10
    for model in MEASURED:
        n, d = SHAPES[model]
        for rival, function, of_rival, cost in (
            (Rival.BLOOM, measure_bloom, draws, 4e-9),
            (Rival.PSEUDO_INVERSE, measure_pseudo_inverse, draws // 4, 3e-9),
        ):
            found = _capacity(model, rival)
            arguments = {"model": model, "n": n, "k": found.k, "d": d, "draws": of_rival}
            arguments |= {"m": found.m} if found.m else {}
            name = f"{NAME}/{rival}/{model}"
            made.append(Task(name, function, arguments, draws * found.k * d * cost))
    return made


def checks(results: Sequence[AtCapacity]) -> list[Check]:
    """The measured P_fail of both rivals against the exact one, at every measured capacity."""
    made = []
    for each in results:
        which = Which(NAME, Quantity.FAILURE, {"model": each.model, "rival": each.rival})
        label = each.measured.sizes.label()
        text = f"P_fail at the capacity, {each.rival}, {label}"
        made.append(agrees(which, text, each.exact, each.measured.failure()))
    return made


def table(results: Sequence[AtCapacity]) -> list[ModelPoint]:
    """Largest k by model and rival, and P_fail there where measured."""

    def of(model: Model, point: Point) -> ModelPoint:
        return ModelPoint(**vars(point), model=model)

    made = []
    place = {model: at for at, model in enumerate(Model)}
    for model, (n, d) in SHAPES.items():
        for rival, kind in KINDS.items():
            k, m = (found := _capacity(model, rival)).k, found.m
            point = Point(Axis.CAPACITY, rival, kind, place[model], k, n=n, k=k, d=d, m=m)
            made.append(of(model, point))
    for each in results:
        x, at = place[each.model], each.measured.sizes.at
        exact = Point(Axis.FAILURE, each.rival, Kind.EXACT, x, each.exact, **at)
        made.append(of(each.model, exact))
        made.append(of(each.model, each.measured.point(Axis.FAILURE, each.rival, x)))
    return made


def draw(points: Sequence[ModelPoint]) -> Figure:
    """Left: largest k, a line of dots a model. Right: P_fail at the capacities of GPT-2."""
    from simulate.jobs import style

    fig, (largest, failure) = style.row_of_axes(2, height=3.4, ratios=(1.7, 1.0))
    markers = dict(zip(Rival, ("o", "s", "^", "x", "|"), strict=True))
    colours = dict(zip(Rival, (*style.COLOURS[:3], style.COLOURS[4], style.INK), strict=True))
    for series, own in series_of(points, axis=Axis.CAPACITY).items():
        rival = Rival(series)
        largest.plot(
            ys(own),
            xs(own),
            markers[rival],
            color=colours[rival],
            markerfacecolor="white" if KINDS[rival] == Kind.LOWER_BOUND else None,
            markersize=4.5,
            label=own[0].shown,
        )
    largest.set_xscale("log")
    names = [f"{model.label} ({n:,}, {d:,})" for model, (n, d) in SHAPES.items()]
    largest.set_yticks(range(len(names)), names)
    largest.invert_yaxis()
    exponent = round(math.log10(EPSILON))
    largest.set_xlabel(rf"largest $k$ with $P_\mathrm{{fail}}\leq 10^{{{exponent}}}$")
    largest.set_title("model ($n$, $d$)")
    for series, own in series_of(points, axis=Axis.FAILURE).items():
        rival = Rival(series)
        for exact in of_kind(own, Kind.EXACT):
            failure.plot([exact.x - 0.3, exact.x + 0.3], [exact.y] * 2, color=colours[rival])
        measured = of_kind(own, Kind.CONDITIONAL, Kind.TILTED)
        style.error_bars(failure, measured, colours[rival], markers[rival])
    failure.axhline(EPSILON, linestyle=":", color=style.INK)
    failure.set_yscale("log")
    failure.set_xticks(range(len(MEASURED)), list(MEASURED.values()))
    failure.set_xlabel("GPT-2")
    failure.set_ylabel(r"$P_\mathrm{fail}$ at the largest $k$")
    fig.legend(*largest.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


PANEL = Panel(
    NAME,
    "A Bloom filter holds 14 to 153 tokens of the vocabulary n in the residual width d of public "
    "models, at failure probability "
    f"10^{round(math.log10(EPSILON))}. "
    "No linear readout that never fails holds more than d/2 "
    "(Radon), and no residual of d bits more than C(n, k) <= 2^d allows. Right: P_fail at the "
    "capacities of GPT-2, exact (lines) and measured (markers).",
    tasks,
    checks,
    table,
    draw,
)
