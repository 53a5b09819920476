"""The whole analysis of one network: its sections, the record they make, and a page of summary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from train.analysis import behaviour, causal, mechanism, prediction, uniformity
from train.analysis.figure import AnalysisFigure
from train.reading.masks import Masks, extract
from train.reading.subject import Subject

SCHEMA = 1
# the keys of the sections that stand at the top of the record too
_OF_MECHANISM = ("verdict", "reason", "units", "density", "exceptions")
_OF_BEHAVIOUR = (
    "total_variation",
    "kl",
    "failure_rate",
    "mechanistic_failure_rate",
    "missing_bit_levels",
)


@dataclass(frozen=True)
class Report:
    """record: plain data, what analysis.json holds. masks: those it is about."""

    record: dict[str, Any]
    masks: Masks
    sections: tuple[mechanism.Mechanism, behaviour.Behaviour, prediction.Prediction, causal.Causal]

    def figures(self) -> list[AnalysisFigure]:
        """Every figure that the network allows, in the order of the claims, then others."""
        from train.analysis import (
            behaviour_figures,
            causal_figures,
            mechanism_figures,
            prediction_figures,
        )

        how, what, predicted, caused = self.sections
        made = [
            *mechanism_figures.figures(how),
            *behaviour_figures.figures(what),
            *prediction_figures.figures(predicted),
            *causal_figures.figures(caused),
            *uniformity.figures(self.record["uniformity"]),
        ]
        return sorted(made, key=lambda figure: min(figure.claims, default=len(made)))


def analyse(subject: Subject, inputs: int = behaviour.INPUTS, seed: int = 0) -> Report:
    """Mechanism, behaviour on `inputs` fresh inputs, predictions and causal checks.

    Each from its own random stream.
    """
    network, k, c = subject.network, subject.k, subject.c
    streams = [np.random.default_rng(own) for own in np.random.SeedSequence(seed).spawn(5)]
    masks = extract(network, k, c)
    how = mechanism.analyse(network, masks, k, c, streams[0])
    what = behaviour.analyse(network, masks, k, c, streams[1], inputs)
    predicted = prediction.analyse(network, masks, k, c, streams[2], inputs, what.sample)
    own = predicted.record["masks"]["failure_probability"]
    caused = causal.analyse(network, masks, k, c, streams[3], own)
    record = {
        "schema": SCHEMA,
        "checkpoint": subject.name,
        "source": subject.source,
        "n": network.n,
        "k": k,
        "d": network.d,
        "h": network.h,
        "c": c,
        "c_assumed": subject.c_assumed,
        "dtype": str(network.dtype),
        "seed": seed,
        **{name: how.record[name] for name in _OF_MECHANISM},
        "mask_agreement": how.record["agreement"]["value"],
        "bits_per_token": how.record["code"]["bits_per_token"],
        **{name: what.record[name] for name in _OF_BEHAVIOUR},
        "mechanism": _without(how.record, _OF_MECHANISM),
        "behaviour": _without(what.record, _OF_BEHAVIOUR),
        "prediction": predicted.record,
        "causal": caused.record,
        "uniformity": uniformity.analyse(network, masks, k, c, streams[4]),
    }
    return Report(plain(record), masks, (how, what, predicted, caused))


def _without(record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def plain(value: Any) -> Any:
    """The same data as JSON can hold it: Python's own numbers, None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summary(record: Mapping[str, Any]) -> list[str]:
    """A page of text: the verdict, what it rests on, and the main numbers beside their theory."""
    how, predicted = record["mechanism"], record["prediction"]
    answer = {
        "clamp": "a Bloom filter that clamps its residual stream",
        "complement": "a Bloom filter by complement (NOR)",
        "mixed": "two mechanisms in one network",
        "none": "not a Bloom filter",
    }
    sizes = ", ".join(f"{name} = {record[name]}" for name in "nkdh")
    lines = [
        f"{record['checkpoint']}: {sizes}, c = {record['c']:g}",
        "",
        f"verdict            {record['verdict']}: {answer[record['verdict']]}",
        f"because            {record['reason']}",
        "",
    ]
    lines += [f"{name:<19}{text}" for name, text in _mechanism_lines(record, how)]
    lines.append("")
    lines += [f"{name:<19}{text}" for name, text in _behaviour_lines(record, predicted)]
    lines += [f"{name:<19}{text}" for name, text in _causal_lines(record["causal"])]
    lines.append(f"{'uniformity':<19}{uniformity.summary(record['uniformity'])}")
    lines.append("")
    lines += _exception_lines(record["exceptions"])
    return lines


def _mechanism_lines(
    record: Mapping[str, Any], how: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    count = record["units"]
    yield (
        "units",
        f"{count['clamp']} clamp, {count['complement']} complement, {count['neither']} neither "
        f"(of these {count['dead']} dead, {count['always_on']} always on)",
    )
    agreement, base = how["agreement"], how["baselines"]
    if agreement["value"] is not None:
        yield (
            "mask agreement",
            f"{agreement['value']:.5f}; shuffled {agreement['shuffled']:.3f}; "
            f"{agreement['disagreements']} entries differ",
        )
    yield (
        "score",
        f"{how['score']['value']:.4f}; shuffled {base['shuffled']['score']:.3f}, "
        f"untrained {base['untrained']['score']:.3f}",
    )
    code = how["code"]
    if code["d"] == 0:
        return
    best = code["optimal_bits_per_token"]
    yield (
        "bits per token",
        f"{code['bits_per_token']:.2f} ± {code['bits_per_token_sd']:.2f} of {code['d']} "
        f"(least failures at {best['failure']}, least false positives at {best['rate']})",
    )
    random = code["tokens_variance_over_random"]
    yield (
        "tokens per unit",
        f"{code['tokens_per_unit']:.1f} ± {code['tokens_per_unit_sd']:.1f}"
        + ("" if random is None else f", variance {random:.2f} times a random code's"),
    )
    eigenvalues, share = how["layer"]["eigenvalues"]["real"], how["layer"]["eigenvalues"]
    if eigenvalues is not None:
        yield (
            "W_in W_out",
            f"median eigenvalue {eigenvalues['median']:.4f}, "
            f"{100 * share['share_within_0.1']:.1f} % within 0.1 of -1",
        )
    if how["bands"].get("narrowed") is not None:
        yield "union's band", f"narrowed to {100 * how['bands']['narrowed']:.2f} % by the layer"
    if how["hash_dot"]:
        yield (
            "hash dot",
            f"{how['hash_dot']['sum']['mean']:.2f} nats ± "
            f"{100 * how['hash_dot']['relative_sd']:.1f} %, "
            f"{how['hash_dot']['per_bit']['mean']:.2f} a bit",
        )
    if how["readout"]:
        explained = 100 * how["readout"]["r_squared"]
        yield "readout", f"bit weights explain {explained:.1f} % of the logits' variance"


def _behaviour_lines(
    record: Mapping[str, Any], predicted: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for name, key in (
        ("total variation", "total_variation"),
        ("KL, nats", "kl"),
        ("failure rate", "failure_rate"),
        ("by the masks", "mechanistic_failure_rate"),
    ):
        yield name, _measured(record[key])
    exact = predicted["masks"]["failure_probability"]["value"]
    if exact is not None:
        yield "predicted", f"{exact:.5g} from the masks of this network"
    annealed = predicted["random_code"]["failure_probability"]
    if annealed is not None:
        yield "", f"{annealed:.5g} from a random code of its density"


def _causal_lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    effects = {(each["intervention"], each["quantity"]): each for each in found["effects"]}
    flip = effects.get(("read_flip", "owners' logits on deciding inputs, bit added"))
    ablated = effects.get(("ablation", "failure rate"))
    if flip is not None:
        yield (
            "one bit flipped",
            f"its owners gain {flip['measured']['value']:.3g} nats, predicted "
            f"{flip['predicted']:.3g}",
        )
    if ablated is not None:
        yield (
            "one unit ablated",
            f"failure rate rises by {ablated['measured']['value']:.2g}, predicted "
            f"{ablated['predicted']:.2g}",
        )
    if found["path"]:
        first, *_, last = found["path"]
        text = [
            f"{name} {first[key]['value']:.3g} to {last[key]['value']:.3g}"
            for name, key in (("TV", "total_variation"), ("failure rate", "failure_rate"))
        ]
        yield "made exact", f"as the exact filter of its masks: {', '.join(text)}"


def _measured(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['value']:.5g}  [{low:.5g}, {high:.5g}] (95 %), {found['inputs']:,} inputs"


def _exception_lines(found: Mapping[str, Any], most: int = 5) -> Iterator[str]:
    yield f"exceptions         {found['unit_count']} units, {found['token_count']} tokens"
    for kind in ("unit", "token"):
        for each in found[f"{kind}s"][:most]:
            yield f"  {kind} {each[kind]}: {'; '.join(each['why'])}"
        if found[f"{kind}_count"] > most:
            yield f"  and {found[f'{kind}_count'] - most} more {kind}s in analysis.json"
