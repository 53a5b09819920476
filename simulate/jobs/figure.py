"""A figure: the table of its numbers, how that is drawn, and its caption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulate.jobs.table import Point, as_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Figure:
    """`draw` sees nothing but `table`, the rows of its CSV.

    id: stable, and the stem of its files. claims: the ledger's claims that it bears on.
    """

    id: str
    caption: str
    table: Sequence[Any]  # of one panel's kind of Point
    draw: Callable[[Sequence[Any]], Drawn]
    claims: tuple[int, ...] = ()

    def rendered(self, formats: Sequence[str], dpi: int | None = None) -> RenderedFigure:
        """Its files: the CSV and one for each format (png, svg, pdf); dpi: see `style.rendered`."""
        from simulate.jobs import style

        table: Sequence[Point] = self.table
        files = {f"{self.id}.csv": as_csv(table).encode()}
        drawn = self.draw(table)
        files |= {f"{self.id}.{kind}": style.rendered(drawn, kind, dpi) for kind in formats}
        return RenderedFigure(FigureEntry(self.id, self.caption, tuple(files), self.claims), files)

    def _repr_png_(self) -> bytes:
        """What a notebook shows of it."""
        return self.rendered(("png",)).files[f"{self.id}.png"]


@dataclass(frozen=True)
class FigureEntry:
    """What figures.json says of a figure; files: names in the folder, the CSV first."""

    id: str
    caption: str
    files: tuple[str, ...]
    claims: tuple[int, ...] = ()


@dataclass(frozen=True)
class RenderedFigure:
    """An entry and the contents of its files."""

    entry: FigureEntry
    files: dict[str, bytes]


def figures_page(entries: Sequence[FigureEntry], title: str) -> str:
    """Markdown with every figure's caption, the claims it bears on, and its numbers."""
    sections = [f"# Figures of {title}\n\nBars on measured points are 95 % intervals.\n"]
    for each in entries:
        claims = f"Claims {', '.join(map(str, each.claims))}. " if each.claims else ""
        table = each.files[0]
        sections.append(f"## {each.id}\n\n{each.caption}\n\n{claims}Numbers: [{table}]({table})\n")
    return "\n".join(sections)
