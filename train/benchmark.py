"""`python -m train.benchmark`: score methods that look for structure on networks of known masks.

Exit code 0 when every check passed, 1 when one failed, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from simulate.jobs.panel_job import PanelJob
from theory import command_line
from train import check_installed

if TYPE_CHECKING:
    from simulate.jobs.panel import Panel


@dataclass(frozen=True)
class Benchmark(PanelJob):
    """Score methods against the true masks of small networks that hide them in various ways.

    Prints the table with 95 % intervals over independent networks. What a score means, and how to
    add a method, is in reports/docs/benchmark.md.
    """

    MODULE: ClassVar[str] = "train.benchmark"

    out: Path = Path("reports/results/benchmark")
    """Folder for the results. An earlier run in it is replaced; other files are left alone."""

    methods: tuple[str, ...] = ()
    (
        "Methods to run: those of the project by name, your own as MODULE:FUNCTION. If none is "
        "named, all of the project's are run."
    )

    organisms: tuple[str, ...] = ()
    """Names of the organisms to run them on; all of them if none is named."""

    write_organisms: Path | None = None
    (
        "Folder into which to write the organisms of the seed, with their masks, a data card and "
        "a loader. No method is run then."
    )

    def registry(self) -> Mapping[str, Panel[Any, Any]]:
        check_installed()
        from train.benchmarks import panel, suite
        from train.benchmarks.methods import METHODS, check_methods

        check_methods(self.methods or tuple(METHODS))
        suite.chosen(self.organisms, self.quick)
        return {panel.NAME: panel.panel(self.methods, self.organisms, self.seed)}

    def run(self) -> int:
        if self.write_organisms is not None:
            return self._write(self.write_organisms)
        code = super().run()
        if code == command_line.DONE and not self.json:
            from simulate.jobs.table import from_csv
            from train.benchmarks import panel
            from train.benchmarks.tables import tables

            numbers = (self.out / f"{panel.NAME}.csv").read_text("utf-8")
            print(tables(from_csv(numbers, panel.ScorePoint)))
        return code

    def _write(self, folder: Path) -> int:
        check_installed()
        from train.benchmarks.dataset import write

        for name in write(folder, self.organisms, self.seed, self.quick):
            print(name, file=sys.stderr, flush=True)
        return command_line.DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job."""
    return command_line.parsed(Benchmark, Benchmark.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
