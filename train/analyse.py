"""`python -m train.analyse`: is this network a Bloom filter, of which kind, and how good a one?

Exit code 0 whatever the verdict, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

from theory import command_line
from theory.domain import DomainError, check_integer

if TYPE_CHECKING:
    from train.analysis.drawing import Draw
    from train.reading.subject import Subject

Format = Literal["png", "svg", "pdf"]
Optional = Literal["departures", "prediction", "causal", "uniformity"]
ANALYSIS, INDEX = "analysis.json", "index.html"


@dataclass(frozen=True)
class Analyse:
    """Structure, mechanism and behaviour of any network of one ReLU layer.

    Writes index.html (the page to open), analysis.json, figures.json, run.json and the figures,
    each with the CSV of its numbers, into the output folder. Memory is about twelve times that of
    the weights in float64, and half a gigabyte.
    """

    MODULE: ClassVar[str] = "train.analyse"

    checkpoint: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    (
        "A safetensors file, a state dict (.pt), the folder of a training run, or "
        "construction:n=512,k=3,d=64,m=12 (optionally kind=clamp, complement or complement_limit, "
        "and seed, c, beta, gain, eta, noise)."
    )
    out: Path = Path("reports/results/analysis")
    """Folder for the results. An earlier analysis in it is replaced; other files are left alone."""
    k: int | None = None
    """Active tokens in one input. If it is not given, the file's metadata must have it."""
    c: float | None = None
    """Largest coefficient, alpha ~ U[1, c]. If it is not given, that of the metadata, or 2."""
    names: tuple[str, ...] = ()
    """What the file calls tensors whose names are not guessed, as in W_in=mlp.0.weight."""
    transpose: tuple[str, ...] = ()
    (
        "Tensors (W_E, W_in, W_out, W_U) that the file holds transposed, where shapes and names "
        "do not tell."
    )
    ignore: tuple[str, ...] = ()
    """Names of tensors in the file that are to be left out. All others must be used."""
    residual: bool | None = None
    (
        "Whether there is a residual connection. If it is not given, there is one where shapes "
        "allow it."
    )
    sections: tuple[Optional, ...] = ("departures", "prediction", "causal", "uniformity")
    """What is looked at besides structure, mechanism and behaviour, which always are."""
    quick: bool = False
    """A first look: the verdict alone, on a tenth of the inputs, without the other sections."""
    rare: bool = False
    """Estimate failures too rare to count, by importance sampling guided by the masks."""
    inputs: int | None = None
    (
        "Fresh inputs on which behaviour is measured, at least 1,000. If it is not given, there "
        "are 100,000, and fewer with more than 83 tokens."
    )
    seed: int = 0
    """Seed of the sampled inputs, at least 0."""
    formats: tuple[Format, ...] = ("png",)
    """File formats of the figures: png, svg, pdf. The page shows PNG or SVG."""
    json: bool = False
    """Print analysis.json instead of the summary."""

    def run(self) -> int:
        if self.inputs is not None:
            check_integer("inputs", self.inputs, 1000)
        check_integer("seed", self.seed, 0)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        from train.reading.subject import open_subjects

        subjects = open_subjects(
            self.checkpoint, self.k, self.c, self.names, self.transpose, self.ignore, self.residual
        )
        if subjects[0].c_assumed:
            c = subjects[0].c
            print(f"c is neither given nor in the metadata: {c:g} assumed", file=sys.stderr)
        from simulate.jobs import output
        from train.analysis.drawing import drawing

        output.check_folder(self.out)
        with drawing(self.formats) as draw:
            for place, subject in enumerate(subjects):
                out = self.out if len(subjects) == 1 else self.out / f"instance_{place}"
                self._analyse(subject, out, draw)
        return command_line.DONE

    def _analyse(self, subject: Subject, out: Path, draw: Draw) -> None:
        from simulate.jobs import output
        from simulate.jobs.folder import ResultFolder
        from train.analysis.page import page
        from train.analysis.report import QUICK, Section, analyse, default_inputs, summary

        started = time.monotonic()
        inputs = self.inputs or default_inputs(subject.network.n)
        effort, sections = 1.0, tuple(map(Section, self.sections))
        if self.quick:
            effort, sections = QUICK, ()
            inputs = self.inputs or max(1000, int(QUICK * inputs))
        if self.rare:
            sections = (*sections, Section.RARE)
        report = analyse(subject, inputs, self.seed, sections, effort, watched)
        folder = ResultFolder(out)
        folder.begin(files=(ANALYSIS, INDEX))
        figures = report.figures()
        with watched("figures", 0.3 * len(figures) * len(self.formats)):
            drawn = draw(figures)
        for each in drawn:
            folder.write_figure(each)
        folder.write_index(subject.name)
        folder.write_record(ANALYSIS, report.record)
        folder.write(INDEX, page(report.record, drawn))
        seconds = time.monotonic() - started
        configuration = {"job": self.MODULE, **asdict(self), "out": str(out)}
        run = output.run_record(output.command_of(self.MODULE), configuration, seconds)
        folder.finish(run)
        if self.json:
            command_line.print_json(output.as_plain(report.record))
        else:
            print("\n".join(summary(report.record)))
        print(f"{seconds:.0f} s, open {out / INDEX}", file=sys.stderr)


@contextmanager
def watched(step: str, seconds: float) -> Iterator[None]:
    """Signs of life while a step runs: its name, how far it should be, how long it should take.

    seconds: about how long it takes. Where it takes longer, the share stops short of the whole.
    """
    from simulate.jobs.progress import progress

    seconds = max(seconds, 0.1)
    ended = Event()
    with progress(seconds, what=step) as advance:

        def beat() -> None:
            done = 0.0
            started = time.monotonic()
            while not ended.wait(0.5):
                spent = time.monotonic() - started
                # ever slower towards the end that was expected
                reached = seconds * spent / (spent + 0.3 * seconds)
                advance(reached - done)
                done = reached

        thread = Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and analyse."""
    return command_line.parsed(Analyse, Analyse.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
