"""`python -m simulate.scaling`: theory against experiment, figures and a verdict.

Exit code 0 when every check passed, 1 when one failed, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from simulate.jobs.panel_job import PanelJob
from theory import command_line

if TYPE_CHECKING:
    from simulate.jobs.panel import Panel


@dataclass(frozen=True)
class Scaling(PanelJob):
    """Measure the exact construction's failures and compare them with the theory.

    --quick takes half a minute on two cores, the default two; --full counts directly down to
    P_fail = 1e-6 and is far slower.
    """

    MODULE: ClassVar[str] = "simulate.scaling"

    out: Path = Path("reports/results/scaling")
    """Folder for the results. An earlier run in it is replaced; other files are left alone."""

    def registry(self) -> Mapping[str, Panel]:
        from simulate.panels import PANELS

        return PANELS


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, or `arguments`, and run the job."""
    return command_line.parsed(Scaling, Scaling.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
