"""The record of one model: what was looked for in its readout, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from train.readout.files import Readout
from train.readout.outputs import NaturalOutputs, Whose, natural_outputs
from train.readout.parts import Parts, fingerprint
from train.readout.reachability import IdealResidual, ideal_residual
from train.readout.two_level import Direction, Power, TwoLevel, search_with_controls
from train.readout.units import Layer, Layers, layer_writes


@dataclass(frozen=True)
class Recipe:
    """How the states were made, and the check that they are right.

    check: "perplexity per token" of a text, or "share of lines read rightly" of a recogniser.
    """

    states: int
    check: str
    value: float


@dataclass(frozen=True)
class Report:
    """Everything measured on one readout. directions and power: those of `two_level`.

    model: the file's name. tensor: the weights in it. natural: None without states.
    """

    model: str
    tensor: str
    n: int
    d: int
    verdict: str
    directions: tuple[Direction, ...]
    power: tuple[Power, ...]
    two_level: TwoLevel
    units: tuple[Layer, ...]
    ideal: IdealResidual
    natural: NaturalOutputs | None
    recipe: Recipe | None


def report_on(
    readout: Readout,
    states: Float[np.ndarray, "T d"] | None,
    recipe: Recipe | None,
    seed: int,
    starts: int | None,
    jobs: int | None,
    parts: Parts,
    progress: Callable[[str], None],
) -> Report:
    """Measure all parts; each has a random stream of its own, by `seed`."""
    inputs = fingerprint(readout.vectors, readout.bias, seed)
    of_states = fingerprint(inputs, np.zeros(0) if states is None else states)

    def layers() -> Layers:
        rng = np.random.default_rng([seed, 3])
        found = (
            layer_writes(rng, each.name, each.directions, readout.vectors) for each in readout.units
        )
        return Layers(tuple(layer for layer in found if layer is not None))

    units = parts.get("units", Layers, layers, inputs).layers
    for layer in units:
        progress(f"{layer.name}: {layer.units.two_level} of {layer.units.units} units two-level")
    natural = None
    if states is not None:
        natural = parts.get(
            "natural",
            NaturalOutputs,
            lambda: natural_outputs(np.random.default_rng([seed, 4]), readout, states),
            of_states,
        )
        progress(f"natural outputs: effective k {natural.of(Whose.MODEL).effective_k:.3g}")
    ideal = parts.get(
        "ideal",
        IdealResidual,
        lambda: ideal_residual(np.random.default_rng([seed, 5]), readout, states, progress),
        of_states,
    )
    two_level = search_with_controls(
        readout.vectors, seed, starts, jobs, readout.vocabulary, progress, parts
    )
    return Report(
        readout.name,
        readout.tensor,
        readout.n,
        readout.d,
        two_level.sentence,
        two_level.directions,
        two_level.power,
        two_level,
        units,
        ideal,
        natural,
        recipe,
    )


def summary(report: Report) -> list[str]:
    """The findings in a few lines, the verdict first."""
    two = report.two_level
    lines = [
        f"verdict            {two.sentence}",
        f"readout            {report.model}, {report.tensor}: n={report.n}, d={report.d}",
    ]
    if two.directions:
        lines.append(
            f"directions         {len(two.directions)} with two levels, which part the tokens into "
            f"{two.groups} groups"
        )
    best = max((near.explained for near in two.near), default=0.0)
    nulls = max((null.searched.best[0] for null in two.nulls if null.searched.best), default=0.0)
    lines.append(f"best direction     {best:.3f} in two levels; nulls at most {nulls:.3f}")
    shares = ", ".join(f"{100 * each.density:g} %: {each.power:.2f}" for each in two.power)
    lines.append(f"power              {shares}")
    for layer in report.units:
        lines.append(
            f"units              {layer.name}: {layer.units.two_level} of {layer.units.units} "
            f"two-level, median {layer.units.explained.median:.3f}; random directions "
            f"{layer.covariance_matched.explained.median:.3f}"
        )
    if report.natural is not None:
        model, bloom, dense = (report.natural.of(whose) for whose in Whose)
        lines.append(
            f"natural outputs    spacings vary by {model.spacing_cv:.2f} (Bloom filter "
            f"{bloom.spacing_cv:.2f}, dense code {dense.spacing_cv:.2f}); effective k "
            f"{model.effective_k:.3g}, capacity {report.natural.capacity}"
        )
    for each in report.ideal.reachable:
        lines.append(
            f"ideal residual     {each.sets.label}: {each.reached} of {each.tried} sets of {each.k}"
            f" (k* = {report.ideal.k_star})"
        )
    return lines
