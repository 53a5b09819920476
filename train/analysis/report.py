"""The whole analysis of one network: its sections, the record they make, and a page of summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from simulate.jobs.figure import Figure
from simulate.jobs.intervals import Estimate
from simulate.network import ReluNetwork
from train.analysis import behaviour, causal, evidence, mechanism, prediction, uniformity
from train.analysis.exceptions import Exceptions, exceptions
from train.analysis.mechanism import MechanismRecord, Verdict
from train.analysis.outcomes import hashes_of, is_code
from train.analysis.record import Analysis
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


ALL = tuple(Section)
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
        """Every figure that the network allows, in the order of the claims, then others."""
        from train.analysis import (
            behaviour_figures,
            causal_figures,
            mechanism_figures,
            prediction_figures,
        )

        found = self.record
        made = [*mechanism_figures.figures(self.how), *behaviour_figures.figures(self.what)]
        if found.prediction is not None:
            made += prediction_figures.figures(found.prediction)
        if found.causal is not None:
            made += causal_figures.figures(found.causal)
        if found.uniformity is not None:
            made += uniformity.figures(found.uniformity)
        return sorted(made, key=lambda figure: min(figure.claims, default=len(made)))

    def summary(self) -> list[str]:
        """The page of text that the command prints."""
        return summary(self.record)

    def to_pandas(self) -> pd.DataFrame:
        """All measured numbers: a row each, its place in the record first. Needs pandas."""
        from train.analysis.page import measured_table

        return measured_table(self.record)

    def _repr_html_(self) -> str:
        from train.analysis.page import notebook

        return notebook(self)


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
    network = without_common_offset(subject.network)
    n, d, h = network.n, network.d, network.h
    inputs = default_inputs(n) if inputs is None else inputs
    fewer = max(512, int(effort * min(behaviour.INPUTS, 2**26 // (d + h + k))) // 12)
    streams = [np.random.default_rng(own) for own in np.random.SeedSequence(seed).spawn(6)]
    product = 1e-10 * n * d * h
    a_logit = 4e-8 + 1e-10 * d
    with watch("masks and mechanism", 1.0 + 4.0 * product + 4e-7 * n * h):
        masks = extract(network, k, c)
        how = mechanism.analyse(network, masks, k, c, streams[0], min(mechanism.INPUTS, fewer))
    departures = Section.DEPARTURES in sections
    with watch("behaviour", inputs * n * a_logit * (2.0 if departures else 1.0)):
        what = behaviour.analyse(network, masks, k, c, streams[1], inputs, departures)
    with watch("tokens that are never output", min(2**25, 8 * n * n // k) * a_logit):
        silent = evidence.silent_tokens(network, k, c, streams[5])
    bits = evidence.structure(how)
    layer = evidence.mechanism(how, bits.holds)
    acts = evidence.behaviour(what, silent)

    known = is_code(hashes_of(masks))
    predicted = caused = uniform = None
    if Section.PREDICTION in sections and known:
        with watch("predictions", 2.0 + inputs * n * a_logit / 4):
            predicted = prediction.analyse(
                network, masks, k, c, streams[2], inputs, what.sample, effort
            ).record
    if Section.CAUSAL in sections and known:
        own = None if predicted is None else predicted.masks.failure_probability
        own = own or what.record.mechanistic_failure_rate
        few = int(np.clip(effort * 2**24 // n, 256, causal.INPUTS))
        with watch("causal checks", 2.0 + 40.0 * few * n * a_logit + 6.0 * product):
            caused = causal.analyse(network, masks, k, c, streams[3], own, few)
        layer = evidence.with_path(layer, caused)
    if Section.UNIFORMITY in sections and known:
        few = int(np.clip(effort * 2**23 // (k * (d + h)), 256, uniformity.INPUTS))
        with watch("uniformity", 1.0 + 4.0 * product + 2e-9 * few * k * h * k):
            uniform = uniformity.analyse(network, masks, k, c, streams[4], few)

    parts = evidence.Evidence(bits, layer, acts)
    odd = exceptions(
        network,
        masks,
        how.bit_weights,
        k,
        c,
        evidence.of_tokens(how, silent),
        [*_offset_noted(subject.network, network), *evidence.of_network(how, what, acts)],
    )
    first, second = how.record, what.record
    record = Analysis(
        checkpoint=subject.name,
        source=subject.source,
        compared=subject.compared,
        n=n,
        k=k,
        d=d,
        h=h,
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
    )
    return Report(record, masks, how, what)


def without_common_offset(network: ReluNetwork) -> ReluNetwork:
    """The network itself, or where all logits share far more than tells them apart, without that.

    No probability depends on it, and in the weights' own dtype it would cost digits.
    """
    common = network.W_U.mean(axis=1, keepdims=True, dtype=np.float64)
    centred = network.W_U - common
    changes = {}
    if np.abs(common).max() > MOST_OFFSET * np.abs(centred).max():
        changes["W_U"] = centred.astype(network.dtype)
    if network.b_U is not None:
        shared = network.b_U.mean(dtype=np.float64)
        own = network.b_U - shared
        size = max(float(np.abs(own).max()), float(np.abs(centred).max()))
        if abs(shared) > MOST_OFFSET * size:
            changes["b_U"] = own.astype(network.dtype)
    return replace(network, **changes) if changes else network


# a common part of the readout this much larger than the rest is taken off
MOST_OFFSET = 64.0


def _offset_noted(given: ReluNetwork, analysed: ReluNetwork) -> list[str]:
    if given is analysed:
        return []
    return [
        "all logits share an offset far larger than their differences; it was taken off, and in "
        f"{given.dtype} the network itself loses digits by it"
    ]


_ANSWERS = {
    Verdict.CLAMP: "a Bloom filter that clamps its residual stream",
    Verdict.COMPLEMENT: "a Bloom filter by complement (NOR)",
    Verdict.MIXED: "a Bloom filter of both mechanisms in one network",
}


def answer(record: Analysis) -> str:
    """The verdict in a few words."""
    if record.bloom_filter:
        return _ANSWERS[record.verdict]
    if record.verdict is Verdict.NONE:
        return "not a Bloom filter"
    return f"built like {_ANSWERS[record.verdict]}, but it does not behave like one"


def parts_of(record: Analysis) -> list[tuple[str, bool, str]]:
    """The three parts: name, whether it holds, and why."""
    found = record.evidence
    return [
        (name, part.holds, part.reason)
        for name, part in (
            ("structure", found.structure),
            ("mechanism", found.mechanism),
            ("behaviour", found.behaviour),
        )
    ]


def summary(record: Analysis) -> list[str]:
    """A page of text: the verdict, what it rests on, and the main numbers beside their theory."""
    sizes = ", ".join(f"{name} = {getattr(record, name)}" for name in "nkdh")
    lines = [
        f"{record.checkpoint}: {sizes}, c = {record.c:g}",
        "",
        f"verdict            {record.verdict}: {answer(record)}",
    ]
    lines += [
        f"{name:<19}{'holds' if holds else 'fails'}: {why}" for name, holds, why in parts_of(record)
    ]
    if not record.compared:
        lines += ["", "The arrays were not compared with the model they come from."]
    lines.append("")
    lines += [f"{name:<19}{text}" for name, text in _mechanism_lines(record)]
    lines.append("")
    lines += [f"{name:<19}{text}" for name, text in _behaviour_lines(record)]
    if record.causal is not None:
        lines += [f"{name:<19}{text}" for name, text in _causal_lines(record.causal)]
    if record.uniformity is not None:
        lines.append(f"{'uniformity':<19}{uniformity.summary(record.uniformity)}")
    lines.append("")
    lines += _exception_lines(record.exceptions)
    return lines


def _mechanism_lines(record: Analysis) -> Iterator[tuple[str, str]]:
    how: MechanismRecord = record.mechanism
    count = record.units
    yield (
        "units",
        f"{count.clamp} clamp, {count.complement} complement, {count.neither} neither "
        f"(of these {count.dead} dead, {count.always_on} always on)",
    )
    agreement, base = how.agreement, how.baselines
    if agreement.value is not None:
        yield (
            "mask agreement",
            f"{agreement.value:.5f}; shuffled {agreement.shuffled:.3f}; "
            f"{agreement.disagreements} entries differ",
        )
    yield (
        "score",
        f"{how.score.value:.4f}; shuffled {base.shuffled.score:.3f}, "
        f"untrained {base.untrained.score:.3f}",
    )
    code = how.code
    if code is None:
        return
    best = code.optimal_bits_per_token
    yield (
        "bits per token",
        f"{code.bits_per_token:.2f} ± {code.bits_per_token_sd:.2f} of {code.d} "
        f"(least failures at {best.failure:.0f}, least false positives at {best.rate:.0f})",
    )
    random = code.tokens_variance_over_random
    yield (
        "tokens per unit",
        f"{code.tokens_per_unit:.1f} ± {code.tokens_per_unit_sd:.1f}"
        + ("" if random is None else f", variance {random:.2f} times a random code's"),
    )
    eigenvalues = how.layer.eigenvalues
    if eigenvalues.real is not None and eigenvalues.share_within_a_tenth is not None:
        yield (
            "W_in W_out",
            f"median eigenvalue {eigenvalues.real.median:.4f}, "
            f"{100 * eigenvalues.share_within_a_tenth:.1f} % within 0.1 of -1",
        )
    if how.bands is not None and how.bands.narrowed is not None:
        yield "union's band", f"narrowed to {100 * how.bands.narrowed:.2f} % by the layer"
    dot = how.hash_dot
    if dot is not None and dot.relative_sd is not None:
        yield (
            "hash dot",
            f"{dot.sum.mean:.2f} nats ± {100 * dot.relative_sd:.1f} %, "
            f"{dot.per_bit.mean:.2f} a bit",
        )
    if how.readout is not None:
        explained = 100 * how.readout.r_squared
        yield "readout", f"bit weights explain {explained:.1f} % of the logits' variance"


def _behaviour_lines(record: Analysis) -> Iterator[tuple[str, str]]:
    for name, found in (
        ("total variation", record.total_variation),
        ("KL, nats", record.kl),
        ("failure rate", record.failure_rate),
        ("false positives", record.false_positive_rate_per_input),
        ("by the masks", record.mechanistic_failure_rate),
    ):
        if found is not None:
            yield name, _measured(found)
    predicted = record.prediction
    if predicted is not None:
        yield (
            "predicted",
            f"{predicted.masks.failure_probability.value:.5g} from the masks of this network",
        )
        annealed = predicted.random_code.failure_probability
        yield "", f"{annealed:.5g} from a random code of its density"


def _causal_lines(found: causal.CausalRecord) -> Iterator[tuple[str, str]]:
    flip = found.effect(causal.Intervention.READ_FLIP, causal.OWNERS_GAIN)
    ablated = found.effect(causal.Intervention.ABLATION, causal.FAILURE_RATE)
    if flip is not None:
        yield (
            "one bit flipped",
            f"its owners gain {flip.measured.value:.3g} nats, predicted {flip.predicted:.3g}",
        )
    if ablated is not None:
        yield (
            "one unit ablated",
            f"failure rate rises by {ablated.measured.value:.2g}, predicted "
            f"{ablated.predicted:.2g}",
        )
    if found.path:
        first, *_, last = found.path
        yield (
            "made exact",
            "as the exact filter of its masks: "
            f"TV {first.total_variation.value:.3g} to {last.total_variation.value:.3g}, "
            f"failure rate {first.failure_rate.value:.3g} to {last.failure_rate.value:.3g}",
        )


def _measured(found: Estimate) -> str:
    low, high = found.interval
    return f"{found.value:.5g}  [{low:.5g}, {high:.5g}] (95 %), {found.samples:,} inputs"


def _exception_lines(found: Exceptions, most: int = 5) -> Iterator[str]:
    yield f"exceptions         {found.unit_count} units, {found.token_count} tokens"
    yield from (f"  {each}" for each in found.network)
    for name, count, listed in (
        ("unit", found.unit_count, [(each.unit, each.why) for each in found.units]),
        ("token", found.token_count, [(each.token, each.why) for each in found.tokens]),
    ):
        for at, why in listed[:most]:
            yield f"  {name} {at}: {'; '.join(why)}"
        if count > most:
            yield f"  and {count - most} more {name}s in analysis.json"
