"""The family and its recovery as files: networks, truths, scores, a table and a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from simulate.jobs.output import as_json
from train.organism.family import Organism, Sizes, family, stream
from train.organism.noise_curve import NoiseLevel
from train.organism.recovery import Recovery, compared, recover
from train.organism.recovery import __doc__ as MEANING
from train.organism.truth import Basis, TruthFile, load_truth
from train.reading.subject import open_subject
from train.reading.weights import as_bytes

SCHEMA = 2
Row = dict[str, str | float | int | None]


@dataclass(frozen=True)
class OrganismRecord:
    """An organism and how much of its truth was recovered from its weights alone."""

    name: str
    grade: int
    description: str
    noise: float | None
    basis: Basis
    recovery: Recovery


@dataclass(frozen=True)
class RecoveryRecord:
    """What recovery.json holds. meaning: of the score."""

    seed: int
    sizes: Sizes
    meaning: str
    organisms: list[OrganismRecord]
    noise: list[NoiseLevel]
    schema: int = SCHEMA


def weights_name(name: str) -> str:
    """File name of an organism's weights."""
    return f"{name}.safetensors"


def truth_name(name: str) -> str:
    """File name of an organism's truth."""
    return f"{name}.truth.json"


def organism_files(organism: Organism, sizes: Sizes, seed: int) -> dict[str, bytes]:
    """Weights and truth. The weights' metadata, k, c and seed, give nothing of the truth away."""
    metadata = {"k": sizes.k, "c": sizes.c, "seed": seed}
    return {
        weights_name(organism.name): as_bytes(organism.network, metadata),
        truth_name(organism.name): truth_bytes(organism, sizes.k, sizes.c, seed),
    }


def truth_bytes(organism: Organism, k: int, c: float, seed: int) -> bytes:
    """The truth's file."""
    described = (organism.name, organism.grade, organism.description)
    truth = TruthFile.of(organism.truth, described, organism.network.d, (k, c), seed)
    return as_json(truth).encode()


def recovered(folder: Path, name: str, seed: int, place: int) -> Recovery:
    """The analysis of the weights' file alone, and only then its comparison with the truth's."""
    subject = open_subject(str(folder / weights_name(name)))
    found = recover(subject, stream(seed, 2, place))
    truth = load_truth(folder / truth_name(name))
    return compared(found, truth, stream(seed, 3, place))


def organisms(sizes: Sizes, seed: int) -> Iterator[tuple[OrganismRecord, dict[str, bytes]]]:
    """Each organism's record of its recovery, from files of its own, and these files."""
    with TemporaryDirectory() as folder:
        for place, organism in enumerate(family(sizes, seed)):
            files = organism_files(organism, sizes, seed)
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            record = OrganismRecord(
                name=organism.name,
                grade=organism.grade,
                description=organism.description,
                noise=organism.truth.facts.noise,
                basis=organism.truth.basis,
                recovery=recovered(Path(folder), organism.name, seed, place),
            )
            yield record, files


def recovery_record(
    records: Sequence[OrganismRecord], curve: Sequence[NoiseLevel], sizes: Sizes, seed: int
) -> RecoveryRecord:
    """What recovery.json holds."""
    meaning = " ".join((MEANING or "").split())
    return RecoveryRecord(seed, sizes, meaning, list(records), list(curve))


def _row(each: OrganismRecord) -> Row:
    found, rate = each.recovery, each.recovery.failure_rate
    named = (found.exceptions.units, found.exceptions.tokens)
    return {
        "name": each.name,
        "grade": each.grade,
        "noise": each.noise,
        "score": found.score,
        "score_baseline": found.score_baseline,
        "entries": found.entries,
        "entries_baseline": found.entries_baseline,
        "kinds": found.kinds,
        "kinds_baseline": found.kinds_baseline,
        "verdict": found.verdict,
        "true_verdict": found.true_verdict,
        "planted_exceptions": sum(side.planted for side in named),
        "planted_named": sum(side.planted_named for side in named),
        "others_named": sum(side.others_named for side in named),
        "failure_rate": rate.measured.value,
        "failure_rate_low": rate.measured.interval[0],
        "failure_rate_high": rate.measured.interval[1],
        "true_failure_rate": rate.true.value,
        "failure_probability_of_masks": rate.of_masks.value,
    }


def as_table(records: Sequence[OrganismRecord]) -> str:
    """organisms.csv: one line for each."""
    text = io.StringIO()
    rows = [_row(each) for each in records]
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def heading() -> str:
    """The head of the terminal's table."""
    return (
        f"{'organism':22} {'grade':>5} {'score':>6} {'baseline':>8} {'entries':>8} {'kinds':>6}  "
        f"{'verdict':10}  {'planted':>7}  {'failure rate: true':>18} {'found':>6}"
    )


def line(each: OrganismRecord) -> str:
    """An organism's line of the terminal's table."""
    found, rate = each.recovery, each.recovery.failure_rate
    named = (found.exceptions.units, found.exceptions.tokens)
    planted = sum(side.planted for side in named)
    of_planted = f"{sum(side.planted_named for side in named)} of {planted}" if planted else "–"
    verdict = found.verdict + ("" if found.verdict_right else " ✗")
    return (
        f"{each.name:22} {each.grade:>5} {found.score:>6.3f} {found.score_baseline:>8.3f}"
        f" {found.entries:>8.4f} {found.kinds:>6.3f}  {verdict:10}  "
        f"{of_planted:>7}  "
        f"{rate.true.value:>18.4f} {rate.measured.value:>6.4f}"
    )


def footing(curve: Sequence[NoiseLevel]) -> str:
    """What the terminal's table says, and the noise that the recovery bears."""
    held = [level.noise for level in curve if level.analysis.value >= 0.5]
    bears = f"at least 0.5 up to noise {max(held):g}" if held else "below 0.5 at every noise"
    return (
        "\nscore: mean over units, 1 where every unit's kind and both its masks are found\n"
        "baseline: the same findings with tokens and units in random order\n"
        f"mean score over {curve[0].analysis.samples} noisy clamps: {bears}"
    )
