"""Saved results as the report reads them: each file by the type that its job declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from reports.documents import Document, figures, run
from reports.jobs import JOBS, REAL_MODELS, Job
from theory.domain import DomainError

T = TypeVar("T")


class MissingResult(Exception):
    """A result is not there; the argument is its Job."""

    @property
    def job(self) -> Job:
        """The job that makes it."""
        return cast(Job, self.args[0])


@dataclass(frozen=True)
class Figure:
    """A drawn figure of a job. caption: in the job's own words. svg, csv: its files."""

    job: Job
    name: str
    caption: str
    svg: Path
    csv: Path

    @property
    def file_name(self) -> str:
        """Its name among the figures of all jobs."""
        return f"{self.job.folder}_{self.name}".replace("/", "_")


class Results:
    """The results below a folder. Raises DomainError where that is no folder."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DomainError(f"results must be a folder of saved results; got {folder}")
        self.folder = folder
        self._read: dict[str, object] = {}

    def missing(self) -> list[Job]:
        """The jobs without results."""
        return [job for job in JOBS if not job.ended(self.folder)]

    def there(self, job: Job) -> bool:
        """Whether a job has ended and left its results."""
        return job.ended(self.folder)

    def path(self, document: Document[T]) -> Path:
        """The path of a file; MissingResult where it or its job's end is not there."""
        path = self.folder / document.file
        if not path.is_file() or not document.job.ended(self.folder):
            raise MissingResult(document.job)
        return path

    def read(self, document: Document[T]) -> T:
        """What a file holds; MissingResult as for `path`, DomainError for another kind of file."""
        path = self.path(document)
        if document.file not in self._read:
            try:
                self._read[document.file] = document.read(path.read_bytes())
            except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
                command = document.job.command(str(self.folder))
                raise DomainError(
                    f"results must be whole and of this version; {path}: {wrong}; "
                    f"make them again: {command}"
                ) from None
        return cast(T, self._read[document.file])

    def command(self, job: Job) -> str:
        """The command line that made a job's results."""
        return self.read(run(job)).command

    def figures(self) -> Iterator[Figure]:
        """Every figure of every job that there is."""
        for job in (*JOBS, *REAL_MODELS):
            if (self.folder / figures(job).file).is_file():
                yield from self.figures_of(job)

    def figures_of(self, job: Job) -> list[Figure]:
        """The figures of one job; MissingResult where it has none."""
        found = []
        for entry in self.read(figures(job)):
            paths = {path.suffix: path for path in map(Path, entry.files)}
            if {".svg", ".csv"} <= set(paths):
                svg, csv = (self.folder / job.folder / paths[end].name for end in (".svg", ".csv"))
                found.append(Figure(job, entry.id, entry.caption, svg, csv))
        return found
