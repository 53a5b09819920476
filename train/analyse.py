"""`python -m train.analyse`: is this network a Bloom filter, of which kind, and how good a one?

Exit code 0 whatever the verdict, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from theory import command_line
from theory.domain import DomainError, check_integer

Format = Literal["png", "svg", "pdf"]
ANALYSIS, RUN, PAGE = "analysis.json", "run.json", "figures.md"


@dataclass(frozen=True)
class Analyse:
    """Behaviour and mechanism of any network with W_E, W_in, b_in, W_out and W_U.

    Writes analysis.json, run.json, figures.md and the figures (PNG, SVG), each with the CSV of its
    numbers, into the output folder.
    """

    checkpoint: tyro.conf.Positional[str]
    """A safetensors file, the folder of a training run, or construction:n=512,k=3,d=64,m=12
    (optionally kind=clamp, complement or complement_limit, and seed, c, beta, gain, eta)."""
    out: Path = Path("reports/results/analysis")
    """Folder for the results. An earlier analysis in it is replaced; other files are left alone."""
    k: int | None = None
    """Active tokens in one input; that of the file's metadata if not given."""
    c: float | None = None
    """Largest coefficient, alpha ~ U[1, c]; that of the file's metadata, or 2, if not given."""
    names: tuple[str, ...] = ()
    """The file's names of tensors that are called otherwise, as W_in=mlp.0.weight."""
    transpose: tuple[str, ...] = ()
    """Our names of tensors that the file holds transposed, as W_in of a torch Linear."""
    inputs: int = 100_000
    """Fresh inputs of the behavioural measures, at least 1,000."""
    seed: int = 0
    """Seed of the sampled inputs, at least 0."""
    formats: tuple[Format, ...] = ("png", "svg")
    """File formats of the figures."""
    json: bool = False
    """Print analysis.json instead of the summary."""

    def run(self) -> int:
        check_integer("inputs", self.inputs, 1000)
        check_integer("seed", self.seed, 0)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        from simulate.jobs import output
        from train.analysis.figure import figures_page
        from train.analysis.report import analyse, summary
        from train.reading.subject import open_subject

        started = time.monotonic()
        subject = open_subject(self.checkpoint, self.k, self.c, self.names, self.transpose)
        if subject.c_assumed:
            print(f"c is neither given nor in the metadata: {subject.c:g} assumed", file=sys.stderr)
        self.out.mkdir(parents=True, exist_ok=True)
        report = analyse(subject, self.inputs, self.seed)
        figures = report.figures()
        record = {**report.record, "figures": [figure.name for figure in figures]}

        remove_earlier(self.out)
        for figure in figures:
            for name, content in figure.files(self.formats).items():
                output.write_whole(self.out / name, content)
        output.write_whole(self.out / PAGE, figures_page(figures, subject.name))
        output.write_whole(self.out / ANALYSIS, output.as_json(record))
        seconds = time.monotonic() - started
        configuration = {"job": "train.analyse", **asdict(self), "out": str(self.out)}
        run = output.run_record(output.command_of("train.analyse"), configuration, seconds)
        output.write_whole(self.out / RUN, output.as_json(run))
        if self.json:
            command_line.print_json(record)
        else:
            print("\n".join(summary(record)))
        print(f"{seconds:.0f} s, results in {self.out}", file=sys.stderr)
        return command_line.DONE


def remove_earlier(out: Path) -> None:
    """An earlier analysis' figures must not stand beside a new record; the record names them."""
    try:
        earlier = json.loads((out / ANALYSIS).read_text())["figures"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        earlier = []
    names = [f"{name}.{kind}" for name in earlier for kind in ("csv", "png", "svg", "pdf")]
    for name in (ANALYSIS, RUN, PAGE, *names):
        if Path(name).name == name:
            (out / name).unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and analyse."""
    command = tyro.cli(
        Annotated[Analyse, tyro.conf.arg(name="")],
        prog="python -m train.analyse",
        description=__doc__,
        args=arguments,
    )
    return command.run()


if __name__ == "__main__":
    command_line.run(main)
