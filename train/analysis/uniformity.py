"""Why the k members' logits are nearly equal: the parts of what is left of their differences.

A member's logit, less the members' mean, is the sum of six parts, exactly:

- height: a constant of the token, its mean where it is a member, corrected for the mean over the
  members that is taken off. Constants are estimated, which adds to each part's own variance.
- coefficients: what the network's output changes by when every alpha_j becomes (1 + c)/2.
  The parts below are at these equal coefficients.
- overlaps: how the states of the units it owns move with the number of tokens that hit them.
- partners: what is left of these units' states, from which tokens hit them.
- other_units: units that it does not own.
- residual_path: whatever reaches the logits past the states of the units.

The constants of the other parts are in the height. The covariance of a part with the whole, over
the variance of the whole, is its share; shares sum to 1. A share below 0 is a part that makes up
for others. Constants and mean states come from inputs of their own, so that shares are unbiased.
States and weights are those of `mechanism`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from simulate.jobs.figure import Figure
from simulate.jobs.intervals import Estimate, Mean, weighted_mean
from simulate.jobs.table import Kind, Named, Point, measured_point, ys
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from theory.domain import check_integer
from train.analysis.figure_ids import FigureId
from train.analysis.mechanism import HiddenStates, states_on
from train.analysis.outcomes import Alpha, Tokens
from train.reading.masks import Masks, write_weights
from train.reading.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

INPUTS = 8192


class Cause(Named):
    """What makes the members' logits differ: the parts of a decomposition."""

    HEIGHT = "height", "constant of the token"
    COEFFICIENTS = "coefficients"
    OVERLAPS = "overlaps", "number of hits"
    PARTNERS = "partners", "which tokens hit"
    OTHER_UNITS = "other_units", "units of others"
    RESIDUAL_PATH = "residual_path", "past the units"


PARTS = {cause.value: cause.label for cause in Cause}
AXIS = "share"
Members = Float[np.ndarray, "inputs k"]


@dataclass(frozen=True)
class Decomposition:
    """The members' logits less their mean over the members, nats, and their parts, which sum to it.

    hash_dot: the same difference of the tokens' bit weights alone, summed over the units they own.
    unsaturated: the same of what comes through the units if their states were not cut at their
    thresholds, without what bypasses them.
    noise: differences up to this one are rounding.
    """

    logit: Members
    parts: dict[str, Members]
    hash_dot: Members
    unsaturated: Members
    noise: float


@dataclass(frozen=True)
class Part:
    """share: of the variance of the members' logits, None where that is 0. variance: its own."""

    share: Estimate | None
    variance: float


@dataclass(frozen=True)
class UniformityRecord:
    """The section of an analysis.

    variance: of an input's k member logits about their mean, nats^2, mean over inputs; 0 where it
    is rounding. sd: its root. parts: by the keys of PARTS. hash_dot_variance: if each token's logit
    were the sum of its bit weights. unsaturated_variance: of what comes through units, were their
    states not cut, which is what the layer is for.
    """

    inputs: int
    variance: Estimate
    sd: float
    parts: dict[str, Part]
    hash_dot_variance: float
    unsaturated_variance: float


def analyse(
    subject: Subject,
    masks: Masks,
    rng: np.random.Generator,
    inputs: int = INPUTS,
) -> UniformityRecord:
    """Over `inputs` fresh inputs and as many for means and constants.

    Raises DomainError outside 1 <= k <= n, c >= 1, inputs >= 2.
    """
    network, k, c = subject.network, subject.k, subject.c
    check_integer("inputs", inputs, 2)

    def drawn() -> tuple[Tokens, Alpha]:
        return random_sets(rng, inputs, network.n, k), random_coefficients(rng, inputs, k, c)

    found = decompose(network, masks, drawn(), drawn(), (1.0 + c) / 2.0)
    squares = (found.logit**2).mean(axis=1)
    squares[squares <= found.noise**2] = 0.0
    exact = not squares.any()
    variance = Mean.of(squares).at()
    return UniformityRecord(
        inputs=inputs,
        variance=variance,
        sd=float(np.sqrt(variance.value)),
        parts={
            name: Part(
                _share((part * found.logit).mean(axis=1), squares),
                0.0 if exact else float((part**2).mean()),
            )
            for name, part in found.parts.items()
        },
        hash_dot_variance=0.0 if exact else float((found.hash_dot**2).mean()),
        unsaturated_variance=float((found.unsaturated**2).mean()),
    )


def _share(product: np.ndarray, squares: np.ndarray) -> Estimate | None:
    """Sum of the products over that of the squares, with an interval over inputs."""
    ratio = np.divide(product, squares, out=np.zeros(len(squares)), where=squares > 0.0)
    return weighted_mean(ratio, squares)


def decompose(
    network: ReluNetwork,
    masks: Masks,
    inputs: tuple[Tokens, Alpha],
    others: tuple[Tokens, Alpha],
    middle: float,
) -> Decomposition:
    """The parts on the first inputs; constants and mean states are those of the others.

    middle: the coefficient to which all are set, (1 + c)/2. In float64.
    """
    rounding = float(np.finfo(network.dtype).eps)
    network = network.astype(np.float64)
    # what a state of 1 is worth to each token, against the tokens that do not own the unit
    step = masks.read_modes.high_mean - masks.read_modes.low_mean
    worth = step * (masks.write_modes.high_mean - write_weights(network))
    fitting = _Sample(network, masks, worth, *others, middle)
    means = _MeanStates(fitting.equal)
    constants = _constants(fitting, means)
    sample = _Sample(network, masks, worth, *inputs, middle)
    parts = sample.parts(means)
    parts["height"] = sample.hash_dot(means)
    for name, of_tokens in constants.items():
        parts[name] = parts[name] - of_tokens[sample.tokens]
        parts["height"] = parts["height"] + of_tokens[sample.tokens]
    size = np.linalg.norm(network.W_U, axis=0).max() * max(
        float(np.linalg.norm(each, axis=1).max())
        for each in (network.residual(*inputs), network.W_out)
    )
    return Decomposition(
        logit=_centred(sample.logit),
        parts={name: _centred(parts[name]) for name in PARTS},
        hash_dot=_centred(sample.hash_dot(means)),
        unsaturated=_centred(sample.through_units(sample.varied.before - means.outside)),
        noise=8.0 * rounding * float(size),
    )


class _Sample:
    """Inputs, the members' logits, and the units' states: as drawn, and at equal coefficients."""

    def __init__(
        self,
        network: ReluNetwork,
        masks: Masks,
        worth: Float[np.ndarray, "n h"],
        tokens: Tokens,
        alpha: Alpha,
        middle: float,
    ) -> None:
        equal = np.full(alpha.shape, middle)
        self.tokens = tokens
        self.varied = states_on(network, masks, tokens, alpha)
        self.equal = states_on(network, masks, tokens, equal)
        self.logit = _member_logits(network, tokens, alpha)
        self.at_equal = _member_logits(network, tokens, equal)
        self.worth = worth[:, self.equal.units]
        self.owned = masks.read[:, self.equal.units]

    def through_units(
        self, own: np.ndarray, others: np.ndarray | None = None
    ) -> Float[np.ndarray, "inputs k"]:
        """What states give to each member's logit: of the units it owns, and of the others."""
        others = own if others is None else others
        given = [
            (self.worth[member] * np.where(self.owned[member], own, others)).sum(axis=1)
            for member in self.tokens.T
        ]
        return np.stack(given, axis=1)

    def hash_dot(self, means: _MeanStates) -> Members:
        """The sum of the bit weights over the units that the member owns."""
        return self.through_units(means.inside - means.outside, np.zeros(()))

    def parts(self, means: _MeanStates) -> dict[str, Members]:
        """All but the height, with their constants, less the mean over the members."""
        states, nothing = self.equal.after, np.zeros(())
        by_hits = means.by_hits(self.equal)
        found = {
            "coefficients": self.logit - self.at_equal,
            "overlaps": self.through_units(by_hits - means.inside, nothing),
            "partners": self.through_units(states - by_hits, nothing),
            "other_units": self.through_units(nothing, states - means.outside),
            "residual_path": self.at_equal - self.through_units(states - means.outside),
        }
        return {name: _centred(part) for name, part in found.items()}


class _MeanStates:
    """Mean states of each unit inside and outside the union, and by the number of hits."""

    def __init__(self, states: HiddenStates) -> None:
        union = states.hits > 0
        self.inside = _mean_where(states.after, union)
        self.outside = _mean_where(states.after, ~union)
        most = int(states.hits.max(initial=0))
        self._at = {
            hits: np.where(here.any(axis=0), _mean_where(states.after, here), self.inside)
            for hits in range(1, most + 1)
            for here in (states.hits == hits,)
        }

    def by_hits(self, states: HiddenStates) -> Float[np.ndarray, "inputs units"]:
        """For each state the mean at as many hits; where none was seen, that inside the union."""
        found = np.where(states.hits > 0, self.inside, self.outside)
        for hits, mean in self._at.items():
            found = np.where(states.hits == hits, mean, found)
        return found


def _constants(fitting: _Sample, means: _MeanStates) -> dict[str, Float[np.ndarray, " n"]]:
    """Each part's constant for each token, by corrected means; 0 for a token that is in no input.

    Of t_i, less its mean over the k tokens of a random input, token i sees (k - 1)/k n/(n - 1)
    times t_i on average, the mean of all t taken off.
    """
    n, k = len(fitting.worth), fitting.tokens.shape[1]
    if k == 1:
        return {}
    count = np.maximum(np.bincount(fitting.tokens.ravel(), minlength=n), 1)
    return {
        name: np.bincount(fitting.tokens.ravel(), part.ravel(), minlength=n)
        / count
        * (k / (k - 1) * (n - 1) / n)
        for name, part in fitting.parts(means).items()
    }


def _mean_where(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Column means over the chosen entries; 0 where a column has none, which then nothing uses."""
    return (values * chosen).sum(axis=0) / np.maximum(chosen.sum(axis=0), 1)


def _member_logits(network: ReluNetwork, tokens: Tokens, alpha: Alpha) -> Members:
    x = network.after_layer(network.residual(tokens, alpha))
    # what all tokens share would only cost digits
    W_U = network.W_U - network.W_U.mean(axis=1, keepdims=True)
    logits = np.stack([np.einsum("id,di->i", x, W_U[:, member]) for member in tokens.T], axis=1)
    return logits if network.b_U is None else logits + network.b_U[tokens]


def _centred(values: Members) -> Members:
    return values - values.mean(axis=1, keepdims=True)


def figures(record: UniformityRecord) -> list[Figure]:
    """The shares of one network; none where its outputs are exactly uniform."""
    table = [
        measured_point(AXIS, name, Kind.MEASURED, float(place), part.share, PARTS[name])
        for place, (name, part) in enumerate(record.parts.items())
        if part.share is not None
    ]
    if not table:
        return []
    return [
        Figure(
            FigureId.UNIFORMITY,
            f"The members' logits vary about their mean by {record.sd:.3g} nats (standard "
            f"deviation). Bars: the share of that variance from each part, which sum to 1; a part "
            f"below 0 makes up for others. 95 % intervals over {record.inputs:,} fresh inputs.",
            table,
            _draw,
        )
    ]


def _draw(points: Sequence[Point]) -> Drawn:
    from simulate.jobs import style

    fig, axes = style.figure(width=style.SINGLE_COLUMN, height=2.0)
    places = [-p.x for p in points]
    below = [p.y - (p.y if p.low is None else p.low) for p in points]
    above = [(p.y if p.high is None else p.high) - p.y for p in points]
    axes.barh(places, ys(points), 0.6, color=style.COLOURS[0])
    axes.errorbar(
        ys(points),
        places,
        xerr=[below, above],
        fmt="none",
        ecolor=style.INK,
        elinewidth=0.9,
        capsize=1.5,
    )
    axes.axvline(0.0, color=style.INK, linewidth=0.7)
    axes.set_yticks(places, [p.shown for p in points])
    axes.grid(False, axis="y")
    axes.set_xlabel("share of the members' variance")
    return fig


def summary(record: UniformityRecord) -> str:
    """One line: the members' standard deviation and its largest parts."""
    known = {name: part.share.value for name, part in record.parts.items() if part.share}
    if not known:
        return "members' logits are equal"
    most = sorted(known, key=lambda name: -known[name])[:3]
    parts = ", ".join(f"{PARTS[name]} {100 * known[name]:.0f} %" for name in most)
    return f"members' logits vary by {record.sd:.3g} nats (sd): {parts}"
