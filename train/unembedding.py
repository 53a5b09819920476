"""`python -m train.unembedding MODEL`: does a real network's readout hold a Bloom filter's code?

Exit code 0 whatever the verdict, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

from theory import command_line
from theory.domain import DomainError, check_integer

if TYPE_CHECKING:
    import numpy as np

    from train.readout.files import Readout
    from train.readout.report import Recipe

Format = Literal["png", "svg", "pdf"]
RECORD, PARTS = "unembedding.json", "parts"


@dataclass(frozen=True)
class Unembedding:
    """Look for two-level directions in a readout, and measure its units, outputs and reach.

    Writes unembedding.json, run.json, figures.md and the figures (PNG, SVG), each with the CSV of
    its numbers, into the output folder. The verdict is `found`, `not found (power P at densities
    ...)` or `no power`, beside nulls and planted masks that are searched every time.
    """

    MODULE: ClassVar[str] = "train.unembedding"

    model: tyro.conf.Positional[Path]
    """A safetensors, GGUF or ONNX file, the index of a sharded one, or a folder with one."""
    states: Path | None = None
    """A .npy file [T, d] of what W_U reads: after the final norm, before its gain."""
    text: tuple[Path, ...] = ()
    """Texts that a Llama-type GGUF model reads, to get its states."""
    font: Path | None = None
    """A font in which lines are drawn that an ONNX text recogniser reads, to get its states."""
    most_states: int = 2048
    """Most states that are taken: tokens of text, or characters in lines; at least 16."""
    out: Path = Path("reports/results/unembedding")
    """Folder for the results. An earlier run in it is replaced; other files are left alone."""
    names: tuple[str, ...] = ()
    """What the file calls tensors whose names are not guessed: W_U=NAME, norm=NAME, bias=NAME."""
    initializer: str | None = None
    """Name of the weights in an ONNX graph. If it is not given, those of the last linear map."""
    transpose: bool = False
    """The weights have a column for each token instead of a row."""
    starts: int | None = None
    """Starts of each search, at least 50. If it is not given, it follows from n and d."""
    seed: int = 0
    """Seed of all searches and controls, at least 0."""
    jobs: int | None = None
    """Searches at a time, each on one thread. If it is not given, one for each processor."""
    resume: bool = False
    """Continue an interrupted run of the same model, seed and starts; finished parts are kept."""
    formats: tuple[Format, ...] = ("png", "svg")
    """File formats of the figures."""
    json: bool = False
    """Print unembedding.json instead of the summary."""

    def run(self) -> int:
        self._check()
        import msgspec

        from simulate.jobs import output
        from simulate.jobs.folder import ResultFolder
        from train.readout.figures import figures
        from train.readout.files import open_readout
        from train.readout.parts import Parts
        from train.readout.report import report_on, summary

        started = time.monotonic()

        def progress(text: str) -> None:
            print(f"{time.monotonic() - started:6.0f} s  {text}", file=sys.stderr, flush=True)

        names = _name_pairs(self.names)
        readout = open_readout(self.model, names, self.initializer, self.transpose)
        progress(f"{readout.name}, {readout.tensor}: n={readout.n}, d={readout.d}")
        states, recipe = self._states(readout)
        parts = Parts(self.out / PARTS, self.resume)
        report = report_on(
            readout, states, recipe, self.seed, self.starts, self.jobs, parts, progress
        )
        drawn = figures(report)
        record = msgspec.to_builtins(report)
        folder = ResultFolder(self.out)
        folder.begin([figure.id for figure in drawn], [RECORD])
        for figure in drawn:
            folder.write_figure(figure.rendered(self.formats))
        folder.write_index(readout.name)
        folder.write_record(RECORD, report)
        seconds = time.monotonic() - started
        given = asdict(self) | {"model": self.model.name, "out": str(self.out)}
        configuration = {"job": self.MODULE, **msgspec.to_builtins(given, enc_hook=str)}
        run = output.run_record(output.command_of(self.MODULE), configuration, seconds)
        folder.finish(run)
        if self.json:
            command_line.print_json(record)
        else:
            print("\n".join(summary(report)))
        progress(f"results in {self.out}")
        return command_line.DONE

    def _check(self) -> None:
        check_integer("seed", self.seed, 0)
        check_integer("most_states", self.most_states, 16)
        if self.starts is not None:
            check_integer("starts", self.starts, 50)
        if self.jobs is not None:
            check_integer("jobs", self.jobs, 1)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        if sum(map(bool, (self.states, self.text, self.font))) > 1:
            raise DomainError("states, text and font must not be given together")

    def _states(self, readout: Readout) -> tuple[np.ndarray | None, Recipe | None]:
        from train.readout.states import load_states, states_of_lines, states_of_text

        if self.states is not None:
            return load_states(self.states, readout.d), None
        if self.text:
            return states_of_text(self.model, readout, self.text, self.most_states)
        if self.font is not None:
            lines = max(2, self.most_states // 8)
            return states_of_lines(self.model, readout, self.font, lines, self.seed)
        return None, None


def _name_pairs(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value) or name in found:
            raise DomainError(f"names must have the form W_U=lm_head.weight, once; got {pair!r}")
        found[name] = value
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and measure."""
    command = tyro.cli(
        Annotated[Unembedding, tyro.conf.arg(name="")],
        prog=f"python -m {Unembedding.MODULE}",
        description=__doc__,
        args=arguments,
    )
    return command.run()


if __name__ == "__main__":
    command_line.run(main)
