"""Results as tests plant them: files of a toy job, and saved results with one part changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast

from reports import traced
from reports.documents import Document, run
from reports.jobs import Job
from reports.results import Results
from simulate.jobs.checks import Check
from simulate.jobs.intervals import Estimate
from simulate.jobs.output import RunRecord, as_json
from simulate.jobs.table import Point

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


class Planted(Results):
    """Saved results in which one part of one file is another."""

    def __init__(self, results: Results, file: str, path: traced.Path, value: object) -> None:
        super().__init__(results.folder)
        self._results, self._file, self._path, self._value = results, file, path, value

    def read(self, document: Document[T]) -> T:
        saved = self._results.read(document)
        if document.file != self._file:
            return saved
        return cast(T, with_part(saved, self._path, self._value))


def part(record: Any, path: traced.Path) -> Any:
    """The part of a record at a path."""
    for step in path:
        record = getattr(record, step) if _is_field(record, step) else record[step]
    return record


def with_part(record: Any, path: traced.Path, value: object) -> Any:
    """The record with another part at a path."""
    if not path:
        return value
    step, *rest = path
    if _is_field(record, step):
        return replace(record, **{str(step): with_part(getattr(record, str(step)), rest, value)})
    copy = dict(record) if isinstance(record, dict) else list(record)
    copy[step] = with_part(record[step], rest, value)
    return copy


def _is_field(record: object, step: object) -> bool:
    return isinstance(step, str) and not isinstance(record, dict)


SHIFTS: tuple[Callable[[float], float], ...] = (
    lambda x: 0.0,
    lambda x: 1.0,
    lambda x: -x,
    lambda x: 100.0 * x,
    lambda x: x / 100.0,
    lambda x: x + 0.5,
    lambda x: x - 0.5,
    lambda x: x + 100.0,
    lambda x: x - 100.0,
)


def changes(value: Any) -> Iterator[object]:
    """Other values of the same kind."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, StrEnum):
        yield from (other for other in type(value) if other is not value)
    elif isinstance(value, str):
        yield f"not {value}"
    elif isinstance(value, Check):
        yield replace(value, passed=not value.passed)
    if isinstance(value, bool | str):
        return
    for shift in SHIFTS:
        moved = _moved(shift)
        if isinstance(value, Estimate):
            yield replace(value, value=shift(value.value), interval=moved(value.interval))
        elif isinstance(value, Check):
            yield replace(value, observed=moved(value.observed), interval=moved(value.interval))
        elif isinstance(value, Point):
            low, high = moved((value.low, value.high))
            yield replace(value, y=shift(value.y), low=low, high=high)
        elif isinstance(value, int | float | list | tuple):
            yield moved(value)


def _moved(shift: Callable[[float], float]) -> Callable[[Any], Any]:
    def moved(value: Any) -> Any:
        if isinstance(value, list | tuple):
            ends = [moved(end) for end in value]
            return tuple(ends if None in ends else sorted(ends))
        return None if value is None else shift(value)

    return moved
