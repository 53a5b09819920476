"""A figure: the table of its numbers, how that is drawn, and its caption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulate.jobs.table import Point, as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

FORMATS = ("png", "svg", "pdf")
# dots per inch, enough for a screen, and drawn twice as fast as print
SCREEN_DPI = 150
# which of them a page of Markdown shows, the first that there is
SHOWN = (".svg", ".png")


@dataclass(frozen=True)
class Figure:
    """`draw` sees nothing but `table`, the rows of its CSV.

    id: stable, and the stem of its files.
    """

    id: str
    caption: str
    table: Sequence[Any]  # of one panel's kind of Point
    draw: Callable[[Sequence[Any]], Drawn]

    def rendered(self, formats: Sequence[str], dpi: int | None = None) -> RenderedFigure:
        """Its files: the CSV and one for each format (png, svg, pdf); dpi: see `style.rendered`."""
        from simulate.jobs import style

        table: Sequence[Point] = self.table
        files = {f"{self.id}.csv": as_csv(table).encode()}
        drawn = self.draw(table)
        files |= {f"{self.id}.{kind}": style.rendered(drawn, kind, dpi) for kind in formats}
        return RenderedFigure(FigureEntry(self.id, self.caption, tuple(files)), files)

    def _repr_png_(self) -> bytes:
        """What a notebook shows of it."""
        return self.rendered(("png",)).files[f"{self.id}.png"]


@dataclass(frozen=True)
class FigureEntry:
    """What figures.json says of a figure; files: names in the folder, the CSV first."""

    id: str
    caption: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class RenderedFigure:
    """An entry and the contents of its files."""

    entry: FigureEntry
    files: dict[str, bytes]


def figures_page(
    title: str, figures: Iterable[FigureEntry], more: Callable[[FigureEntry], str] = lambda _: ""
) -> str:
    """Markdown with every figure, its caption and its numbers, by files as the page sees them.

    more: what follows the numbers of one, such as the command that made it.
    """
    sections = [f"# {title}\n\nBars on measured points are 95 % intervals.\n"]
    for each in figures:
        table, *drawn = each.files
        pictures = [file for kind in SHOWN for file in drawn if Path(file).suffix == kind]
        shown = [f"![{each.id}]({file})" for file in pictures[:1]]
        sections.append(
            "\n\n".join(
                [f"## {each.id}", *shown, each.caption, f"[Numbers]({table}){more(each)}\n"]
            )
        )
    return "\n".join(sections)
