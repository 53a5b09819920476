"""An analysis in words: the verdict, what it rests on, and the main numbers beside their theory."""

from __future__ import annotations

from collections.abc import Iterator

from simulate.jobs.intervals import Estimate
from train.analysis import causal, rare, uniformity
from train.analysis.exceptions import Exceptions
from train.analysis.mechanism import MechanismRecord, Verdict
from train.analysis.record import Analysis

UNCOMPARED = (
    "The arrays were not compared with the model they come from; in Python, logits= gives its "
    "forward pass to compare them with."
)

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
        lines += ["", UNCOMPARED]
    lines.append("")
    lines += [f"{name:<19}{text}" for name, text in _mechanism_lines(record)]
    lines.append("")
    lines += [f"{name:<19}{text}" for name, text in _behaviour_lines(record)]
    if record.causal is not None:
        lines += [f"{name:<19}{text}" for name, text in _causal_lines(record.causal)]
    if record.uniformity is not None:
        lines.append(f"{'uniformity':<19}{uniformity.summary(record.uniformity)}")
    if record.rare is not None:
        lines.append(f"{'rare failures':<19}{rare.summary(record.rare)}")
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
