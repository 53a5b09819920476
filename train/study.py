"""`python -m train.study`: networks trained, measured and judged; figures and a verdict.

Exit code 0 when every check passed, 1 when one failed, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from simulate.jobs.panel_job import PanelJob
from theory import command_line
from train import check_installed

if TYPE_CHECKING:
    from simulate.jobs.panel import Panel


@dataclass(frozen=True)
class Study(PanelJob):
    """Train the networks of the report, one on each core, and compare them with the predictions."""

    MODULE: ClassVar[str] = "train.study"

    out: Path = Path("reports/results/study")
    """Folder for the results. An earlier run in it is replaced; other files are left alone."""

    sizes: Literal["standard", "width", "recipe", "vocabulary"] = "standard"
    (
        "Which networks are trained. standard: those of the presets and their controls. width: "
        "those of the recipe that follows from the sizes, compared with the width law. recipe: one "
        "network with each rate and scale of that recipe halved and doubled. vocabulary: a "
        "language model's 50,257 tokens; on a GPU, with --engine serial, k = 8 and 16 at four "
        "widths, without one k = 4 at d = 147."
    )

    def registry(self) -> Mapping[str, Panel[Any, Any]]:
        check_installed()
        from train.panels import PANELS, RECIPE, VOCABULARY, WIDTH

        return {
            "standard": PANELS,
            "width": WIDTH,
            "recipe": RECIPE,
            "vocabulary": VOCABULARY,
        }[self.sizes]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job."""
    return command_line.parsed(Study, Study.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
