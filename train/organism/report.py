"""The family and its recovery as files: networks, truths, scores, a table and a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simulate.jobs.output import SCHEMA, as_json
from train.organism.family import Organism, Sizes, family, stream
from train.organism.recovery import __doc__ as MEANING
from train.organism.recovery import compared, recover
from train.organism.truth import load_truth
from train.reading.subject import open_subject
from train.reading.weights import as_bytes

COLUMNS = (
    *("name", "grade", "noise", "score", "score_baseline", "entries", "entries_baseline"),
    *("kinds", "kinds_baseline", "verdict", "true_verdict", "planted_exceptions"),
    *("planted_named", "others_named", "failure_rate", "failure_rate_low", "failure_rate_high"),
    *("true_failure_rate", "failure_probability_of_masks"),
)


def weights_name(name: str) -> str:
    """File name of an organism's weights."""
    return f"{name}.safetensors"


def truth_name(name: str) -> str:
    """File name of an organism's truth."""
    return f"{name}.truth.json"


def organism_files(organism: Organism, sizes: Sizes, seed: int) -> dict[str, bytes]:
    """Weights and truth. The weights' metadata, k, c and seed, give nothing of the truth away."""
    network = organism.network
    metadata = {"k": sizes.k, "c": sizes.c, "seed": seed}
    head = {
        "organism": organism.name,
        "grade": organism.grade,
        "description": organism.description,
        **{"n": network.n, "residual_width": network.d, "h": network.h},
        **{"k": sizes.k, "c": sizes.c, "seed": seed},
    }
    return {
        weights_name(organism.name): as_bytes(network, metadata),
        truth_name(organism.name): as_json({**head, **organism.truth.record()}).encode(),
    }


def recovered(folder: Path, name: str, seed: int, place: int) -> dict[str, Any]:
    """The analysis of the weights' file alone, and only then its comparison with the truth's."""
    subject = open_subject(str(folder / weights_name(name)))
    found = recover(subject.network, subject.k, subject.c, stream(seed, 2, place))
    truth = load_truth(folder / truth_name(name))
    return compared(found, truth, stream(seed, 3, place))


def organisms(sizes: Sizes, seed: int) -> Iterator[tuple[dict[str, Any], dict[str, bytes]]]:
    """Each organism's record of its recovery, from files of its own, and these files."""
    with TemporaryDirectory() as folder:
        for place, organism in enumerate(family(sizes, seed)):
            files = organism_files(organism, sizes, seed)
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            record = {
                "name": organism.name,
                "grade": organism.grade,
                "description": organism.description,
                "noise": organism.truth.more.get("noise"),
                "basis": organism.truth.basis,
                **recovered(Path(folder), organism.name, seed, place),
            }
            yield record, files


def recovery_record(
    records: Sequence[dict[str, Any]],
    curve: Sequence[dict[str, Any]],
    sizes: Sizes,
    seed: int,
    caption: str,
) -> dict[str, Any]:
    """What recovery.json holds; caption: of the figure of the noise curve."""
    return {
        "schema": SCHEMA,
        "seed": seed,
        "sizes": asdict(sizes),
        "meaning": " ".join((MEANING or "").split()),
        "organisms": list(records),
        "noise": list(curve),
        "caption": caption,
    }


def as_table(records: Sequence[dict[str, Any]]) -> str:
    """organisms.csv: one line for each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in records:
        rate = each["failure_rate"]
        named = each["exceptions"]

        def of_both(key: str, named: dict[str, dict[str, int]] = named) -> int:
            return named["units"][key] + named["tokens"][key]

        writer.writerow(
            {name: each[name] for name in COLUMNS if name in each}
            | {
                "planted_exceptions": of_both("planted"),
                "planted_named": of_both("planted_named"),
                "others_named": of_both("others_named"),
                "failure_rate": rate["measured"]["value"],
                "failure_rate_low": rate["measured"]["interval"][0],
                "failure_rate_high": rate["measured"]["interval"][1],
                "true_failure_rate": rate["true"]["value"],
                "failure_probability_of_masks": rate["of_masks"]["value"],
            }
        )
    return text.getvalue()


def heading() -> str:
    """The head of the terminal's table."""
    return (
        f"{'organism':22} {'grade':>5} {'score':>6} {'baseline':>8} {'entries':>8} {'kinds':>6}  "
        f"{'verdict':10}  {'planted':>7}  {'failure rate: true':>18} {'found':>6}"
    )


def line(each: dict[str, Any]) -> str:
    """An organism's line of the terminal's table."""
    rate, named = each["failure_rate"], each["exceptions"]
    planted, found = (
        sum(side[key] for side in named.values()) for key in ("planted", "planted_named")
    )
    verdict = each["verdict"] + ("" if each["verdict_right"] else " ✗")
    return (
        f"{each['name']:22} {each['grade']:>5} {each['score']:>6.3f} {each['score_baseline']:>8.3f}"
        f" {each['entries']:>8.4f} {each['kinds']:>6.3f}  {verdict:10}  "
        f"{f'{found} of {planted}' if planted else '–':>7}  "
        f"{rate['true']['value']:>18.4f} {rate['measured']['value']:>6.4f}"
    )


def footing(curve: Sequence[dict[str, Any]]) -> str:
    """What the terminal's table says, and the noise that the recovery bears."""
    held = [row["noise"] for row in curve if row["analysis"]["value"] >= 0.5]
    bears = f"at least 0.5 up to noise {max(held):g}" if held else "below 0.5 at every noise"
    return (
        "\nscore: mean over units, 1 where every unit's kind and both its masks are found\n"
        "baseline: the same findings with tokens and units in random order\n"
        f"mean score over {curve[0]['analysis']['inputs']} noisy clamps: {bears}"
    )
