"""A figure of the analysis: the numbers in it, and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulate.jobs.panel import Point, as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class AnalysisFigure:
    """A named figure: `draw` sees nothing but `table`, the lines of its CSV.

    claims: the numbers of the source's claims that it shows.
    """

    name: str
    claims: tuple[int, ...]
    caption: str
    table: Sequence[Point]
    draw: Callable[[Sequence[Point]], Figure]

    def files(self, formats: Sequence[str] = ("png", "svg")) -> dict[str, bytes]:
        """File names and contents: the CSV and one file for each format (png, svg, pdf)."""
        from simulate.jobs import style

        drawn = self.draw(self.table)
        pictures = {f"{self.name}.{kind}": style.rendered(drawn, kind) for kind in formats}
        return {f"{self.name}.csv": as_csv(self.table).encode(), **pictures}


def figures_page(figures: Sequence[AnalysisFigure], name: str) -> str:
    """Markdown with every figure's caption, the claims it shows, and its numbers."""
    sections = [f"# Figures of {name}\n"]
    for figure in figures:
        claims = f"Claims of the source: {', '.join(map(str, figure.claims))}. " * bool(
            figure.claims
        )
        sections.append(
            f"## {figure.name}\n\n{figure.caption}\n\n"
            f"{claims}Numbers: [{figure.name}.csv]({figure.name}.csv)\n"
        )
    return "\n".join(sections)
