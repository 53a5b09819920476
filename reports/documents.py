"""The files that jobs leave, each with the type of what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from reports.jobs import Job
from simulate.jobs import folder
from simulate.jobs.checks import Verdict
from simulate.jobs.figure import FigureEntry
from simulate.jobs.output import RunRecord
from simulate.jobs.table import Point, from_csv

T = TypeVar("T")
P = TypeVar("P", bound=Point)


@dataclass(frozen=True)
class Document(Generic[T]):
    """A file that a job leaves, and how to read it."""

    job: Job
    name: str
    read: Callable[[bytes], T]

    @property
    def file(self) -> str:
        """Its path below the folder of all results."""
        return f"{self.job.folder}/{self.name}"


def record(job: Job, name: str, kind: type[T]) -> Document[T]:
    """A JSON file that holds one dataclass, or a list of them."""
    return Document(job, name, lambda content: msgspec.json.decode(content, type=kind))


def table(job: Job, figure: str, row: type[P]) -> Document[list[P]]:
    """The CSV of a figure, whose rows are of that kind."""
    return Document(job, f"{figure}.csv", lambda content: from_csv(content.decode(), row))


def run(job: Job) -> Document[RunRecord]:
    """How the job was run; it is written last."""
    return record(job, folder.RUN, RunRecord)


def verdict(job: Job) -> Document[Verdict]:
    """The checks of a job, and whether all passed."""
    return record(job, folder.VERDICT, Verdict)


def figures(job: Job) -> Document[list[FigureEntry]]:
    """The figures of a job."""
    return record(job, folder.FIGURES, list[FigureEntry])
