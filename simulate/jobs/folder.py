"""The folder of one job's results: what an earlier run left is removed, run.json is written last.

Every job writes run.json; one with figures writes figures.json (id, caption, files of each) and the
page figures.md made from it; one that judges writes verdict.json and its checks as checks.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from simulate.jobs.checks import Verdict
from simulate.jobs.figure import FORMATS, FigureEntry, RenderedFigure, figures_page
from simulate.jobs.output import RunRecord, as_json, check_folder, write_whole

RUN, FIGURES, PAGE, VERDICT, CHECKS = (
    "run.json",
    "figures.json",
    "figures.md",
    "verdict.json",
    "checks.json",
)


class ResultFolder:
    """Writes a job's results into `path`, each file whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[FigureEntry] = []

    def begin(self, figures: Iterable[str] = (), files: Iterable[str] = ()) -> None:
        """Remove what an earlier run of the job left, so that it cannot stand beside new results.

        figures: ids of all figures that the job can draw, beside those of its figures.json. files:
        names of its further files. Other files in the folder are left alone.
        """
        check_folder(self.path)
        names = [RUN, PAGE, VERDICT, CHECKS, *files]
        names += [f"{figure}.{ending}" for figure in figures for ending in ("csv", *FORMATS)]
        names += [file for entry in self.figures() for file in entry.files]
        for name in (*names, FIGURES):
            if Path(name).name == name:  # nothing outside the folder, whatever a file there says
                (self.path / name).unlink(missing_ok=True)

    def figures(self) -> list[FigureEntry]:
        """The figures that figures.json names; none where there is no such file."""
        try:
            content = (self.path / FIGURES).read_bytes()
            return msgspec.json.decode(content, type=list[FigureEntry])
        except (FileNotFoundError, msgspec.MsgspecError):
            return []

    def write(self, name: str, content: bytes | str) -> None:
        """One file, whole or not at all."""
        write_whole(self.path / name, content)

    def write_record(self, name: str, record: object) -> None:
        """A dataclass, or plain data, as JSON."""
        self.write(name, as_json(record))

    def write_figure(self, figure: RenderedFigure) -> None:
        """A figure's files; figures.json names it when `write_index` is called."""
        for name, content in figure.files.items():
            self.write(name, content)
        self._entries.append(figure.entry)

    def write_index(self, title: str) -> None:
        """figures.json and figures.md of all figures written so far."""
        self.write_record(FIGURES, self._entries)
        self.write(PAGE, figures_page(f"Figures of {title}", self._entries))

    def write_verdict(self, verdict: Verdict) -> None:
        """verdict.json, and its checks alone as checks.json."""
        self.write_record(VERDICT, verdict)
        self.write_record(CHECKS, verdict.checks)

    def finish(self, record: RunRecord) -> None:
        """run.json, by which others know that the job has ended."""
        self.write_record(RUN, record)
