"""The organisms of one seed as files: weights, truth, a data card, and a loader beside them.

The weights' metadata are format, version, k and c. The seed, from which the truth could be made
again, is in the truth's file and on the card alone: give out the weights without these two, and
what is proposed for them is proposed blindly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from simulate.jobs.output import check_folder, write_whole
from theory.domain import check_integer
from train.benchmarks import suite
from train.benchmarks.suite import GRADES, Case
from train.organism import load_organism, matching
from train.organism.load_organism import FORMAT, VERSION
from train.organism.names import Grade
from train.organism.report import truth_bytes, truth_name, weights_name
from train.reading.weights import as_bytes

CARD, LOADER = "card.md", "load_organism.py"
LICENCE = "MIT"


def write(folder: Path, organisms: Sequence[str], seed: int, quick: bool) -> Iterator[str]:
    """Write the files and yield each organism's name as it is done; the card comes last.

    Raises DomainError for an unknown name or a bad seed, before anything is written.
    """
    cases: list[Case] = []
    names = suite.chosen(organisms, quick)
    check_integer("seed", seed, 0)
    check_folder(folder, "write_organisms")
    for name in names:
        case = suite.case(name, seed, quick=quick)
        for file, content in files(case, seed).items():
            write_whole(folder / file, content)
        cases.append(case)
        yield name
    write_whole(folder / LOADER, Path(load_organism.__file__).read_bytes())
    write_whole(folder / CARD, card(cases, seed, quick))


def files(case: Case, seed: int) -> dict[str, bytes]:
    """An organism's weights and truth."""
    subject, name = case.subject, case.organism.name
    metadata = {"format": FORMAT, "version": VERSION, "k": subject.k, "c": subject.c}
    return {
        weights_name(name): as_bytes(subject.network, metadata),
        truth_name(name): truth_bytes(case.organism, subject.k, subject.c, seed),
    }


def card(cases: Sequence[Case], seed: int, quick: bool) -> str:
    """What the files are, how they were made, their licence, and what a score means."""
    size = " --quick" if quick else ""
    rows = [
        f"| {case.organism.name} | {GRADES[Grade(case.organism.grade)]} | {case.subject.network.n} "
        f"| {case.subject.network.d} | {case.subject.network.h} | {case.subject.k} "
        f"| {case.organism.description.rstrip('.')}. |"
        for case in cases
    ]
    meaning = (matching.__doc__ or "").strip()
    return f"""# Networks whose hidden truth is known

## What it is

{len(cases)} small networks that compute in superposition. Each has one residual ReLU layer
between an embedding and a readout, takes k active tokens of n with coefficients in [1, c], and puts
its output on these k tokens. It does so by a Bloom filter: every token owns some of the hash bits,
every bit is a hidden unit, and a token is let through where all its bits are on. Which tokens own
which units is known, and is what a method is asked to find.

| name | grade | n | d | h | k | what it is |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}

n: tokens; d: residual width; h: hidden units.

## How it was made

`python -m train.benchmark --write-organisms FOLDER --seed {seed}{size}`, by relu-bloom. Planted
truths were put into the weights by construction, with random hashes, bases, faults and noise from
the seed. The truth of a trained network is what its units do causally: a token owns a unit where
adding the token switches the unit, and where the unit moves the token's logit. For held-out
networks give a seed that nobody has tuned on, and keep the truth and this card back: the seed
makes the truth again.

## Files

`NAME.safetensors` has W_E, W_in, b_in, W_out, W_U in float32, and as metadata format ("{FORMAT}"),
version ({VERSION}), k and c. `NAME.truth.json` has the kind of each unit and, for each token, a
string of digits that are 1 where the token owns the unit, as it is read and as it is written.
`{LOADER}` reads both and needs PyTorch and safetensors only.

## What a score means

{meaning}

## Licence

{LICENCE}, as relu-bloom itself. There are no data of persons in it, and none of another's.
"""
