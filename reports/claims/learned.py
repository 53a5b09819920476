"""Questions about what training finds: density (B), failures beside masks (E), formation (F)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from reports.claims import trained_series
from reports.claims.sources import (
    COVERED,
    DENSITIES,
    FORMATION,
    PREDICTIONS,
    TRAINED_WIDTHS,
    VOCABULARY_WIDTHS,
    complement,
    source,
)
from reports.documents import Document
from reports.jobs import ORGANISMS, STUDY, SURVEY, VOCABULARY, WIDTH
from reports.ledger import Claim, Finding
from reports.numbers import Evidence, Number, between
from reports.traced import given
from simulate.jobs.table import Kind, Point
from train.analysis.construction_path import Step
from train.analysis.prediction import Quantity, Source
from train.analysis.prediction_figures import comparison_id
from train.measures import INPUTS
from train.organism.noise_curve import NAME as NOISE_CURVE
from train.panels import (
    covered_inputs,
    formation,
    learned_codes,
    learned_density,
    predicted_against_measured,
    trained_failure_against_width,
)
from train.panels.covered_inputs import AS_TRAINED, PLACES, Drawn, WayPoint
from train.panels.formation import CoursePoint, Mechanism
from train.panels.learned_density import PowerPoint, Series, Swept
from train.panels.trained_failure_against_width import (
    CLOSE_TO_GATED,
    FEW,
    MOST_NETWORKS,
    UNFORESEEN,
    ScaledPoint,
)
from train.panels.trained_failure_against_width import Axis as WidthAxis


def _power(field: Swept, optimum: bool) -> Callable[[PowerPoint], bool]:
    def fits(row: PowerPoint) -> bool:
        if optimum:
            return row.axis == field and row.of == Series.LEAST_FAILURE
        return row.axis == field and row.kind == Kind.FITTED

    return fits


WORDS = {
    Swept.EMBEDDING_SCALE: "the scale of W_E at the start",
    Swept.LEARNING_RATE: "the learning rate",
    Swept.N: "the vocabulary n",
    Swept.D: "the width d",
    Swept.K: "the active tokens k",
}


def density(evidence: Evidence) -> Finding:
    """Question B."""
    clamp = source(evidence)
    learned = clamp.number("mask density", lambda a: given(a.density), ".3f")
    best = clamp.number(
        "density of least P_fail",
        lambda a: given(a.mechanism.code).optimal_density.failure,
        ".3f",
    )
    complement(evidence).number("mask density", lambda a: given(a.density), ".3f")
    fitted = {row.axis for row in evidence.rows(DENSITIES) if row.kind == Kind.FITTED}
    swept = [field for field in WORDS if field in fitted] or [Swept.D]
    power, optimum = (
        {
            field: evidence.point(
                f"power of the {whose} in {field}", DENSITIES, _power(field, of_best), ".2f"
            )
            for field in swept
        }
        for of_best, whose in ((False, "mask density"), (True, "density of least P_fail"))
    )
    ratio = evidence.points(
        "learned density over that of least P_fail, against d",
        DENSITIES,
        lambda row: row.axis == Swept.D and row.series == Series.OVER_LEAST_FAILURE,
        ".2f",
        "widths",
    )
    powers = ", ".join(
        f"{WORDS[field]} ({power[field]:.2f}, optimum {optimum[field]:.2f})" for field in swept
    )
    return Finding(
        [not power[of].low <= optimum[of] <= power[of].high for of in swept],
        f"Their density is {learned:.3f}, where random hashes would fail least at {best:.3f}, and "
        "it does not follow the optimum: training makes it depend on what the optimum hardly knows "
        "of. Its powers, beside those of the optimum, are in "
        f"{powers}.",
        "No theory here says why. Over the widths of the survey the learned density is between "
        f"{ratio.low:.2f} and {ratio.high:.2f} of the optimum.",
    )


# a rate that is predicted is measured within this factor of it
CLOSE = 1.25
# from this rate on, failures are counted
COUNTED = FEW / INPUTS


def _is_close(row: Point) -> bool:
    """Whether a measured rate, over the predicted one, is within CLOSE."""
    return 1.0 / CLOSE < row.y < CLOSE


def _sizes(evidence: Evidence) -> list[tuple[int, int]]:
    """n and k of the clamp networks whose covered inputs were run, by their number of inputs."""
    rows = [row for row in evidence.rows(COVERED) if row.mechanism == Mechanism.CLAMP]
    sizes = {(row.n or 0, row.k or 0) for row in rows} or {(0, 0)}
    return sorted(sizes, key=lambda of: math.comb(*of))


def _covered_failing(
    evidence: Evidence, size: tuple[int, int], drawn: Drawn, place: str = AS_TRAINED
) -> Number:
    def fits(row: WayPoint) -> bool:
        at = (row.mechanism, row.drawn, row.place) == (Mechanism.CLAMP, drawn, place)
        return at and (row.n, row.k) == size

    so_far = f"replaced up to the {PLACES[place]}" if place != AS_TRAINED else PLACES[place]
    where = f"n = {size[0]}, k = {size[1]}, {drawn.label}"
    label = f"covered inputs that fail, clamp, {where}, {so_far}"
    return evidence.point(label, COVERED, fits, ".1%")


def _apart(evidence: Evidence, table: Document[list[ScaledPoint]], rows: list[ScaledPoint]) -> str:
    """A sentence on the networks of a series that their masks do not predict; empty without any."""
    far = [row for row in rows if not _is_close(row)]
    if not far:
        return ""
    name = trained_series.said(rows)
    away = evidence.points(
        f"failure rate over that of their masks, networks not within {CLOSE:g}, {name}",
        table,
        trained_series.among(far),
        ".3g",
    )
    widths = ", ".join(f"{d:g}" for d in dict.fromkeys(row.x for row in far))
    if len(rows) == 1:
        return (
            f" At {name}, d = {widths} the network is not within that factor: it fails "
            f"{between(away, '.3g')} times as often."
        )
    return (
        f" At {name} {len(rows) - len(far)} of {len(rows)} are within that factor; at d = {widths} "
        f"they fail {between(away, '.3g')} times as often."
    )


def masks_predict(evidence: Evidence) -> Finding:
    """Question E."""
    by_masks = comparison_id(Quantity.FAILURE_RATE, Source.MASKS)
    inside = evidence.point(
        "networks trained by the recipe whose 95 % interval holds the failure rate of their masks",
        TRAINED_WIDTHS,
        lambda row: row.axis == WidthAxis.INSIDE,
        ".0%",
    )
    series = trained_series.all_of(evidence, WidthAxis.OVER_MASKS)
    own = trained_series.of_the_recipe(series)
    networks = [row for key in own for row in series[key]]
    close = [row for row in networks if _is_close(row)]
    # of rarer failures only those that the masks foresee are measured, unless more were counted
    rates = {
        trained_series.network_of(row): row.y
        for row in evidence.rows(TRAINED_WIDTHS)
        if row.axis == WidthAxis.FAILURE and row.kind == Kind.TRAINED
    }
    often = [row for row in networks if rates[trained_series.network_of(row)] >= COUNTED]
    ratio = evidence.points(
        f"failure rate over that of their masks, networks within a factor {CLOSE:g}",
        TRAINED_WIDTHS,
        trained_series.among(close or networks),
        ".3f",
    )
    share = evidence.point(
        f"networks that fail within a factor {CLOSE_TO_GATED:g} as often as their weights, gated "
        "by the masks",
        TRAINED_WIDTHS,
        lambda row: row.axis == WidthAxis.CLOSE_TO_GATED,
        ".0%",
    )
    over_gated, variation = (
        evidence.points(
            f"{name} over that of the weights gated by the masks",
            TRAINED_WIDTHS,
            partial(trained_series.is_on, axis),
            ".2f",
        )
        for name, axis in (
            ("failure rate, counted,", WidthAxis.OVER_GATED),
            ("total variation", WidthAxis.VARIATION_OVER_GATED),
        )
    )
    by_gates = (
        "Their weights foresee most of these: with every unit that has a mask opened or closed as "
        f"the masks say, {share:.0%} of all networks fail as often as the weights then do, within "
        f"a factor of {CLOSE_TO_GATED:g}. "
        if share >= MOST_NETWORKS
        else ""
    )
    others = "".join(_apart(evidence, TRAINED_WIDTHS, rows) for rows in series.values())
    if evidence.there(VOCABULARY):
        larger = [
            row for row in evidence.rows(VOCABULARY_WIDTHS) if row.axis == WidthAxis.OVER_MASKS
        ]
        others += _apart(evidence, VOCABULARY_WIDTHS, larger)
    small_inside = evidence.point(
        "networks of the survey whose interval holds the masks' failure rate",
        PREDICTIONS,
        lambda row: (row.axis, row.series) == (predicted_against_measured.Axis.INSIDE, by_masks),
        ".0%",
    )
    small_ratio = evidence.points(
        "failure rate over that of the masks, clamp, means by size",
        PREDICTIONS,
        lambda row: row.axis == predicted_against_measured.Axis.OVER_MASKS,
        ".2f",
        "sizes",
    )
    *_, (most_n, most_k) = sizes = _sizes(evidence)
    fewest_n, fewest_k = sizes[0]
    seen, unseen = (_covered_failing(evidence, sizes[0], drawn) for drawn in Drawn)
    large_seen, large_unseen = (_covered_failing(evidence, sizes[-1], drawn) for drawn in Drawn)
    two_levels, no_bypass = (
        _covered_failing(evidence, sizes[0], Drawn.HELD_OUT, step)
        for step in (Step.WRITES, Step.DIRECT_PATH)
    )
    return Finding(
        [2 * len(close) > len(networks)],
        f"Yes, of {len(close)} of the {len(networks)} networks that were trained by the recipe "
        f"from their sizes: they fail {ratio.low:.2f} to {ratio.high:.2f} times as often as their "
        f"own masks say, which is within a factor of {CLOSE:g}.",
        f"{sum(map(_is_close, often))} of the {len(often)} that fail on {COUNTED:.1%} of inputs or "
        "more, where failures are counted, are among them. Of rarer failures only those that the "
        "masks foresee are compared, unless more were counted; others are rarer than "
        f"{UNFORESEEN:.1g} where none was met. The interval of {inside:.0%} of all networks, those "
        f"from noise included, holds the rate of the masks.{others} What is above the masks' rate "
        f"are failures that no mask foresees. {by_gates}Where failures are counted, the rate is "
        f"{over_gated.low:.2f} to {over_gated.high:.2f} times that of the weights so gated. Total "
        f"variation is {variation.low:.2f} to {variation.high:.2f} times as large; the difference "
        "is due to units that open or close against their masks. "
        "Networks that are small, or were trained briefly, do not keep to it: as means by size "
        f"they fail {small_ratio.low:.2f} to {small_ratio.high:.2f} times as often as their masks "
        f"say, and the interval of {small_inside:.0%} of them holds the prediction. The smallest "
        f"have some token sets by heart: at n = {fewest_n}, k = {fewest_k} {seen:.1%} of the "
        f"inputs that cover a non-member fail, and {unseen:.1%} of those whose token set training "
        f"never drew (at n = {most_n}, k = {most_k} the shares are {large_seen:.0%} and "
        f"{large_unseen:.0%}). "
        "They also use more than their masks, mostly what bypasses the units: of the token sets "
        f"never drawn {two_levels:.0%} fail with every unit at its two levels, {no_bypass:.0%} "
        "without the bypass as well, and all of them in the exact filter.",
        limited=len(close) < len(networks)
        or not 1.0 / CLOSE < small_ratio.low <= small_ratio.high < CLOSE,
        scope=f"for {'all ' if len(close) == len(networks) else f'{len(close)} of '}"
        f"{len(networks)} networks",
    )


LAG_LABELS = {
    formation.Quantity.KL: "nine tenths of it",
    formation.Quantity.TWO_MODES: "half of the way to its units with two modes",
    formation.Quantity.AGREEMENT: "half of the way to the agreement of its masks",
    formation.Quantity.ORIENTED: "half of the way to its units of the mechanism",
}


def formation_order(evidence: Evidence) -> Finding:
    """Question F."""

    def lag(mechanism: Mechanism, quantity: formation.Quantity) -> Number:
        def fits(row: CoursePoint) -> bool:
            return (row.axis, row.mechanism, row.quantity) == (
                formation.Quantity.LAG,
                mechanism,
                quantity,
            )

        label = f"doublings of the step from half of the loss's fall to {LAG_LABELS[quantity]}"
        return evidence.point(f"{label}, {mechanism}", FORMATION, fits, ".2f")

    lags = {
        mechanism: {quantity: lag(mechanism, quantity) for quantity in LAG_LABELS}
        for mechanism in Mechanism
    }
    loss, modes = formation.Quantity.KL, formation.Quantity.TWO_MODES
    agreement = formation.Quantity.AGREEMENT
    clamp, other = lags[Mechanism.CLAMP], lags[Mechanism.COMPLEMENT]
    return Finding(
        [
            own[quantity].low > 0.0 and own[quantity].high < own[loss].low
            for own in (clamp, other)
            for quantity in (modes, agreement)
        ],
        "The hashes come after the first half of the loss's fall and before most of the rest. In "
        f"the clamp, half of the units with two modes are there {clamp[modes]:.1f} doublings of "
        f"the step after half of the fall, half of the agreement of the masks "
        f"{clamp[agreement]:.1f} doublings after it, and nine tenths of the fall are reached "
        f"{clamp[loss]:.1f} doublings after it. In the complement network these are "
        f"{other[modes]:.1f}, {other[agreement]:.1f} and {other[loss]:.1f} doublings.",
    )


LEARNING_QUESTIONS = (
    Claim(
        "B",
        "How dense are the learned hashes?",
        "What is the density of the learned hashes, and how does it relate to the optimal density "
        "of a Bloom filter?",
        density,
        formula="optimal m ≈ (d/k)(ln 2 − 0.543/k) for FPR",
        question=True,
        figures=[(SURVEY, learned_density.NAME), (STUDY, learned_codes.NAME)],
    ),
    Claim(
        "E",
        "Do a network's masks predict how often it fails?",
        "How often does a trained network fail on fresh inputs, beside the exact rate of its own "
        "masks? It is the comparison that this suite is for.",
        masks_predict,
        formula="P_fail of the masks = share of inputs whose union covers a non-member",
        question=True,
        figures=[
            (WIDTH, trained_failure_against_width.NAME),
            (SURVEY, predicted_against_measured.NAME),
            (SURVEY, covered_inputs.NAME),
            (ORGANISMS, NOISE_CURVE),
        ],
    ),
    Claim(
        "F",
        "How does the code form?",
        "Do the hashes come before the loss falls, or after?",
        formation_order,
        question=True,
        figures=[(SURVEY, formation.NAME)],
    ),
)
