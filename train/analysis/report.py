"""The whole analysis of one network: its sections, the record they make, and a page of summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.figure import SCREEN_DPI, Figure
from simulate.network import ReluNetwork
from theory.domain import DomainError
from train.analysis import (
    behaviour,
    behaviour_figures,
    causal,
    causal_figures,
    evidence,
    mechanism,
    mechanism_figures,
    prediction,
    prediction_figures,
    rare,
    uniformity,
)
from train.analysis.exceptions import exceptions
from train.analysis.figure_ids import FigureId
from train.analysis.heard import heard
from train.analysis.outcomes import hashes_of, is_code
from train.analysis.record import Analysis
from train.analysis.summary import summary
from train.reading.canonical import with_units_joined, without_common_offset
from train.reading.masks import Masks, extract
from train.reading.subject import Subject

if TYPE_CHECKING:
    import pandas as pd


class Section(StrEnum):
    """What an analysis can do without; mechanism and behaviour it cannot."""

    DEPARTURES = "departures"
    PREDICTION = "prediction"
    CAUSAL = "causal"
    UNIFORMITY = "uniformity"
    RARE = "rare"


ALL = tuple(section for section in Section if section is not Section.RARE)
# logits of the behavioural sample, if the number of inputs is not given; and the fewest inputs
MOST_LOGITS, FEWEST_INPUTS = 2**23, 1000
QUICK = 0.1


# told of each step before it begins: its name, and about how many seconds it will take
Watch = Callable[[str, float], AbstractContextManager[None]]


def _unwatched(step: str, seconds: float) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Report:
    """record: what analysis.json holds. masks: those it is about. In a notebook it shows itself."""

    record: Analysis
    masks: Masks
    how: mechanism.Mechanism
    what: behaviour.Behaviour

    def figures(self) -> list[Figure]:
        """Every figure that the network allows, in the order of their ids."""
        found = self.record
        made = [*mechanism_figures.figures(self.how), *behaviour_figures.figures(self.what)]
        if found.prediction is not None:
            made += prediction_figures.figures(found.prediction)
        if found.causal is not None:
            made += causal_figures.figures(found.causal)
        if found.uniformity is not None:
            made += uniformity.figures(found.uniformity)
        return sorted(made, key=lambda figure: list(FigureId).index(FigureId(figure.id)))

    def summary(self) -> list[str]:
        """The page of text that the command prints."""
        return summary(self.record)

    def to_pandas(self, figure: str | None = None) -> pd.DataFrame:
        """All measured numbers, a row each, its place in the record first; or those of a figure.

        figure: its id. Raises DomainError for one that this network has not, or without pandas.
        """
        from train.analysis.page import data_frame, measured_rows

        if figure is None:
            return data_frame(measured_rows(self.record))
        tables = {each.id: each.table for each in self.figures()}
        if figure not in tables:
            raise DomainError(f"figure must be among {', '.join(tables)}; got {figure}")
        return data_frame([vars(point) for point in tables[figure]])

    def _repr_html_(self) -> str:
        from train.analysis.page import notebook

        drawn = [figure.rendered(("png",), SCREEN_DPI) for figure in self.figures()]
        return notebook(self.record, drawn)


def default_inputs(n: int) -> int:
    """Inputs of the behavioural sample where none are asked for: 100,000, fewer for large n."""
    return int(np.clip(MOST_LOGITS // n, FEWEST_INPUTS, behaviour.INPUTS))


def analyse(
    subject: Subject,
    inputs: int | None = None,
    seed: int = 0,
    sections: Sequence[Section] = ALL,
    effort: float = 1.0,
    watch: Watch = _unwatched,
) -> Report:
    """The three parts of the verdict, and the sections that are asked for.

    inputs: fresh ones of the behavioural sample, see `default_inputs`. effort: scales what else is
    sampled; QUICK for a first look. Each section has its own random stream. Memory about twelve
    times that of the weights in float64, and half a gigabyte. Raises DomainError outside
    1 <= k < n, c >= 1, inputs >= 2.
    """
    k, c = subject.k, subject.c
    given = subject.network
    without = without_common_offset(given)
    network, unit = with_units_joined(without)
    subject = replace(subject, network=network)
    n, d, h = network.n, network.d, network.h
    inputs = default_inputs(n) if inputs is None else inputs
    fewer = max(512, int(effort * min(behaviour.INPUTS, 2**26 // (d + h + k))) // 12)
    streams = [np.random.default_rng(own) for own in np.random.SeedSequence(seed).spawn(7)]
    product = 1e-10 * n * d * h
    a_logit = 4e-8 + 1e-10 * d
    with watch("masks and mechanism", 1.0 + 4.0 * product + 4e-7 * n * h):
        masks = extract(network, k, c)
        how = mechanism.analyse(subject, masks, streams[0], min(mechanism.INPUTS, fewer))
    departures = Section.DEPARTURES in sections
    with watch("behaviour", inputs * n * a_logit * (2.0 if departures else 1.0)):
        what = behaviour.analyse(subject, masks, streams[1], inputs, departures)
    with watch("tokens that are never output", min(2**25, 8 * n * n // k) * a_logit):
        tokens = heard(subject, what.hashes, streams[5])
    bits = evidence.structure(how)
    layer = evidence.mechanism(how, bits.holds)
    acts = evidence.behaviour(what, tokens)

    known = is_code(hashes_of(masks))
    predicted = caused = uniform = seldom = None
    if Section.PREDICTION in sections and known:
        with watch("predictions", 2.0 + inputs * n * a_logit / 4):
            predicted = prediction.analyse(
                subject, masks, streams[2], inputs, what.sample, effort
            ).record
    if Section.CAUSAL in sections and known:
        own = None if predicted is None else predicted.masks.failure_probability
        own = own or what.record.mechanistic_failure_rate
        few = int(np.clip(effort * 2**23 // n, 256, causal.INPUTS))
        with watch("causal checks", 2.0 + 40.0 * few * n * a_logit + 6.0 * product):
            caused = causal.analyse(subject, masks, streams[3], own, few)
        layer = evidence.with_path(layer, caused)
    if Section.UNIFORMITY in sections and known:
        few = int(np.clip(effort * 2**23 // (k * (d + h)), 256, uniformity.INPUTS))
        with watch("uniformity", 1.0 + 4.0 * product + 2e-9 * few * k * h * k):
            uniform = uniformity.analyse(subject, masks, streams[4], few)

    if Section.RARE in sections and known:
        with watch("rare failures", rare.INPUTS * n * (a_logit + 4e-8 * k)):
            seldom = rare.analyse(subject, masks, streams[6])

    parts = evidence.Evidence(bits, layer, acts)
    odd = exceptions(
        subject,
        masks,
        how.bit_weights,
        evidence.of_tokens(tokens),
        [
            *_offset_noted(given, without),
            *_joined_noted(given, network),
            *evidence.of_network(how, what, acts),
        ],
        unit,
    )
    first, second = how.record, what.record
    record = Analysis(
        checkpoint=subject.name,
        source=subject.source,
        compared=subject.compared,
        n=n,
        k=k,
        d=d,
        h=given.h,
        c=c,
        c_assumed=subject.c_assumed,
        dtype=str(network.dtype),
        seed=seed,
        sections=[str(section) for section in sections],
        verdict=parts.verdict,
        bloom_filter=parts.bloom_filter,
        reason=parts.reason,
        evidence=parts,
        units=first.units,
        density=first.density,
        mask_agreement=first.agreement.value,
        bits_per_token=None if first.code is None else first.code.bits_per_token,
        total_variation=second.total_variation,
        kl=second.kl,
        failure_rate=second.failure_rate,
        false_positive_rate_per_input=second.false_positive_rate_per_input,
        mechanistic_failure_rate=second.mechanistic_failure_rate,
        missing_bit_levels=second.missing_bit_levels,
        exceptions=odd,
        mechanism=first,
        behaviour=second,
        prediction=predicted,
        causal=caused,
        uniformity=uniform,
        rare=seldom,
    )
    return Report(record, masks, how, what)


def _offset_noted(given: ReluNetwork, analysed: ReluNetwork) -> list[str]:
    if given is analysed:
        return []
    return [
        "all logits share an offset far larger than their differences; it was taken off, and in "
        f"{given.dtype} the network itself loses digits by it"
    ]


def _joined_noted(given: ReluNetwork, analysed: ReluNetwork) -> list[str]:
    if given.h == analysed.h:
        return []
    return [
        f"{given.h} units are {analysed.h}: the others read what one of these reads, up to a "
        "factor, and are joined to it"
    ]
