"""The record of one model: what was looked for in its readout, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from train.readout.control_searches import CODES
from train.readout.controls import CODE_NOISE
from train.readout.files import Readout
from train.readout.messages import printable
from train.readout.outputs import NaturalOutputs, Whose, natural_outputs
from train.readout.parts import Parts, fingerprint
from train.readout.reachability import IdealResidual, ideal_residual
from train.readout.search import FOUND, VALLEY
from train.readout.two_level import (
    CONFIDENCE,
    Direction,
    Power,
    TwoLevel,
    Verdict,
    search_with_controls,
)
from train.readout.units import Layer, Layers, layer_writes

# variance between two levels that no symmetric direction with one mode exceeds
NEAR = 0.75


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

    measured = parts.get("units", Layers, layers, inputs).layers
    for layer in measured:
        units = layer.units
        progress(f"{printable(layer.name)}: {units.two_level} of {units.units} units two-level")
    natural = None
    if states is not None:
        natural = parts.get(
            "natural",
            NaturalOutputs,
            lambda: natural_outputs(np.random.default_rng([seed, 4]), readout, states),
            of_states,
            list(Whose),
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
        measured,
        ideal,
        natural,
        recipe,
    )


def summary(report: Report) -> list[str]:
    """The findings in a few lines, the verdict first, each with what it means."""
    lines = [
        f"verdict            {report.two_level.sentence}",
        f"readout            {printable(report.model)}, {printable(report.tensor)}: "
        f"n={report.n}, d={report.d}",
        *_of_search(report.two_level),
    ]
    for layer in report.units:
        lines.append(
            f"units              {printable(layer.name)}: {layer.units.two_level} of "
            f"{layer.units.units} write two levels, median {layer.units.explained.median:.3f} of "
            f"the variance; random directions {layer.covariance_matched.explained.median:.3f}"
        )
    return lines + _of_outputs(report) + _of_ideal(report.ideal)


def _of_search(two: TwoLevel) -> list[str]:
    found = len(two.directions)
    lines = []
    if found:
        enough = (
            "a code that tells tokens apart has about as many groups as tokens"
            if two.verdict is Verdict.FOUND
            else "a null has as many directions"
        )
        lines.append(
            f"directions         {found} with two levels, which part the {two.n} tokens into "
            f"{two.groups} groups; {enough}"
        )
    passed = {direction.explained for direction in two.directions}
    near = [each for each in two.near if each.explained >= NEAR and each.explained not in passed]
    if near:
        lines.append(
            f"near misses        {len(near)} of the {len(two.near)} best directions have "
            f"{NEAR:.0%} or more of their variance between two levels, the best of them "
            f"{near[0].explained:.1%} with {near[0].density:.0%} of the tokens on one, and do not "
            f"pass: that takes {FOUND:.0%} and few tokens midway (at most {VALLEY:g} for each on "
            f"the smaller level; it has {near[0].valley:.2f})"
        )
    else:
        lines.append(f"near misses        none: no other direction has {NEAR:.0%} between levels")
    nulls = max((null.searched.best[0] for null in two.nulls if null.searched.best), default=0.0)
    alarms = max((null.searched.directions for null in two.nulls), default=0)
    lines.append(
        f"nulls              codes without levels (normal, shuffled, as long-tailed as this one): "
        f"the best direction in them has {nulls:.3f}, and at most {alarms} pass"
    )
    shares = ", ".join(f"{100 * each.density:g} %: {each.power:.2f}" for each in two.power)
    lines.append(f"power              {shares}")
    lines.append(
        "                   of planted masks, by the share of tokens on them, are found by the "
        f"same search; {CODES} whole codes each with noise {CODE_NOISE:g}, or masks among this "
        "readout's own directions, whichever are found less"
    )
    widest = max(two.power, key=lambda each: each.high - each.low)
    lines.append(
        f"                   {CONFIDENCE:.0%} intervals over searches are in the record; the "
        f"widest, at {100 * widest.density:g} %, is {widest.low:.2f} to {widest.high:.2f}"
    )
    return lines


def _of_outputs(report: Report) -> list[str]:
    natural, recipe = report.natural, report.recipe
    if natural is None:
        return ["natural outputs    not measured: no --states, --text or --font"]
    made = "given in a file"
    if recipe is not None:
        made = f"{recipe.states} made by running the model; {recipe.check}: {recipe.value:.3g}"
    spacings = ", ".join(
        f"{each.name.label} {each.spacing_cv:.2f}"
        for each in natural.outputs
        if each.name is not Whose.MODEL
    )
    model = natural.of(Whose.MODEL)
    return [
        f"states             {made}",
        f"natural outputs    spacings of ranked logits vary by {model.spacing_cv:.2f} of their "
        f"mean, 1 for a smooth tail ({spacings}); {model.effective_k:.3g} tokens share a typical "
        "output",
    ]


def _of_ideal(ideal: IdealResidual) -> list[str]:
    lines = [
        f"ideal residual     {each.sets.label}: {each.reached} of {each.tried} sets of {each.k} "
        "are on top for some h"
        for each in ideal.reachable
    ]
    lines.append(
        f"k*                 {ideal.k_star}: by the theory, random sets of so many tokens, and "
        "hardly larger ones, are on top for some h in a normal code of this n and d"
    )
    return lines
