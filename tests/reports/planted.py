"""Results as tests plant them: files of a toy job, and saved results with one part changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from reports.documents import Document, run
from reports.jobs import Job
from reports.results import Results
from simulate.jobs.output import RunRecord, as_json

T = TypeVar("T")


def write_json(folder: Path, document: Document[T], content: object) -> None:
    """The document's file."""
    path = folder / document.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(content))


def save_run(folder: Path, job: Job) -> None:
    """run.json, by which a job has ended."""
    record = RunRecord(f"python -m {job.folder}", {}, 1.0, None, "3", {}, "", 1, 1)
    write_json(folder, run(job), record)
