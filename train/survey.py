"""`python -m train.survey`: many small networks, each predicted, measured and taken apart.

Exit code 0 when every check passed, 1 when one failed, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

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
class Survey(PanelJob):
    """Predictions against measurements, learned density, formation, uniformity, the harder task."""

    MODULE: ClassVar[str] = "train.survey"

    out: Path = Path("reports/results/survey")
    """Folder for the results. An earlier run in it is replaced; other files are left alone."""

    def registry(self) -> Mapping[str, Panel[Any, Any]]:
        check_installed()
        from train.panels import SURVEY

        return SURVEY


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job."""
    return command_line.parsed(Survey, Survey.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
