"""`python -m train.unembedding MODEL`: does a real network's readout hold a Bloom filter's code?

The verdict is `found` where more directions part the tokens into two levels than in any null;
`not found (power P at densities ...)` where no more do, although the search finds the share P at
least of masks of these densities that are planted; and `no power` where it finds less than half of
the planted masks at every density. `found` alone is no Bloom filter: a code that tells tokens apart
parts them into about as many groups as tokens, and the summary says into how many they are parted.

A readout of 6,625 tokens and 120 dimensions takes about five minutes on two cores, one of 49,152
tokens and 576 dimensions about half an hour; fewer --starts are quicker and find less.

Example: python -m train.unembedding model.gguf --text book.txt --out results

Exit code 0 whatever the verdict, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
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
# those that read or run a model; of the installed ones the versions are recorded
_PACKAGES = ("torch", "safetensors", "gguf", "onnx", "onnxruntime", "pillow")
_MODULES = {"pillow": "PIL"}


@dataclass(frozen=True)
class Unembedding:
    """Look for two-level directions in a readout, and measure its units, outputs and reach.

    Writes unembedding.json, run.json, figures.md and the figures (PNG, SVG), each with the CSV of
    its numbers, into the output folder. The verdict is `found`, `not found (power P at densities
    ...)` or `no power`, beside nulls and planted masks that are searched every time.
    """

    MODULE: ClassVar[str] = "train.unembedding"

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
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
        from train.readout.files import model_file, open_readout
        from train.readout.messages import printable
        from train.readout.parts import Parts
        from train.readout.report import report_on, summary

        started = time.monotonic()

        def progress(text: str) -> None:
            print(f"{time.monotonic() - started:6.0f} s  {text}", file=sys.stderr, flush=True)

        names = _name_pairs(self.names)
        path = model_file(self.model)
        readout = open_readout(path, names, self.initializer, self.transpose)
        tensor = printable(readout.tensor)
        progress(f"{printable(readout.name)}, {tensor}: n={readout.n}, d={readout.d}")
        output.check_folder(self.out)
        states, recipe = self._states(path, readout)
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
        inputs = [*readout.files, *(each for each in (self.states, self.font) if each), *self.text]
        configuration["inputs"] = [file_hash(each) for each in inputs]
        run = output.run_record(
            output.command_of(self.MODULE),
            configuration,
            seconds,
            packages=[each for each in _PACKAGES if find_spec(_MODULES.get(each, each))],
        )
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

    def _states(self, path: Path, readout: Readout) -> tuple[np.ndarray | None, Recipe | None]:
        from train.readout.states import load_states, states_of_lines, states_of_text

        if self.states is not None:
            return load_states(self.states, readout.d), None
        if self.text:
            return states_of_text(path, readout, self.text, self.most_states)
        if self.font is not None:
            lines = max(2, self.most_states // 8)
            return states_of_lines(path, readout, self.font, lines, self.seed)
        return None, None


def file_hash(path: Path) -> dict[str, str]:
    """Name and SHA-256 of a file, by which results can be told to be of the same input."""
    with path.open("rb") as stream:
        return {"file": path.name, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


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
    return command_line.parsed(Unembedding, Unembedding.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
