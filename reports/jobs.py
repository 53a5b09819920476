"""The jobs whose results the report rests on, and the files that each leaves.

A job is declared once: `reports.reproduce` runs it from here, the ledger reads its files by the
types given here, and the report says from here how to make what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from simulate.jobs import folder
from simulate.jobs.checks import Verdict
from simulate.jobs.figure import FigureEntry
from simulate.jobs.output import RunRecord
from simulate.jobs.table import Point, from_csv
from simulate.scaling import Scaling
from train.certify import RECORD
from train.study import Study
from train.survey import Survey

T = TypeVar("T")
P = TypeVar("P", bound=Point)


@dataclass(frozen=True)
class Job:
    """A command and the folder of its results, a path below the folder of all results.

    options: of every run. quick: further ones of a quick run. reads: the job whose folder is the
    command's first argument. resumes: whether it goes on where an interrupted run stopped. checked:
    whether it leaves a verdict; its exit code is then 1 where a check failed.
    """

    folder: str
    module: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    reads: Job | None = None
    resumes: bool = False
    checked: bool = False

    def arguments(self, results: str, quick: bool = False) -> list[str]:
        """What follows `python` on the command line; results is the folder of all results."""
        read = [] if self.reads is None else [f"{results}/{self.reads.folder}"]
        options = [*self.options, *(self.quick if quick else ())]
        return ["-m", self.module, *read, *options, "--out", f"{results}/{self.folder}"]

    def command(self, results: str) -> str:
        """The command line that makes the results."""
        return " ".join(["python", *self.arguments(results)])

    def ended(self, results: Path) -> bool:
        """Whether its results are there: run.json is what a job writes last."""
        return (results / self.folder / folder.RUN).is_file()


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


def table(job: Job, figure: str, row: type[P] = Point) -> Document[list[P]]:  # type: ignore[assignment]
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


QUICK = ("--quick",)
SCALING = Job("scaling", Scaling.MODULE, quick=QUICK, resumes=True, checked=True)
STUDY = Job("study", Study.MODULE, quick=QUICK, resumes=True, checked=True)
SURVEY = Job("survey", Survey.MODULE, quick=QUICK, resumes=True, checked=True)
SOURCE_NETWORK = Job("networks/source", "train.run", ("--preset", "source"), resumes=True)
COMPLEMENT_NETWORK = Job(
    "networks/complement", "train.run", ("--preset", "complement"), resumes=True
)
SOURCE_ANALYSIS = Job("analysis/source", "train.analyse", reads=SOURCE_NETWORK)
COMPLEMENT_ANALYSIS = Job("analysis/complement", "train.analyse", reads=COMPLEMENT_NETWORK)
_NO_SEARCH = ("--most-inputs", "0")
SOURCE_CERTIFICATE = Job(
    "certificates/source", "train.certify", quick=_NO_SEARCH, reads=SOURCE_NETWORK
)
FINISHED_CERTIFICATE = Job(
    "certificates/finished",
    "train.certify",
    ("--finish", "sharp", *_NO_SEARCH),
    reads=SOURCE_NETWORK,
)
ORGANISMS = Job("organisms", "train.organisms")

# in the order in which they can be run
JOBS = (
    SCALING,
    STUDY,
    SURVEY,
    SOURCE_NETWORK,
    COMPLEMENT_NETWORK,
    SOURCE_ANALYSIS,
    COMPLEMENT_ANALYSIS,
    SOURCE_CERTIFICATE,
    FINISHED_CERTIFICATE,
    ORGANISMS,
)
