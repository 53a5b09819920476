"""Results as tests plant them: files of a toy job, and saved results with one part changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """Saved results in which some parts of one file are others."""

    def __init__(self, results: Results, file: str, parts: Mapping[traced.Path, object]) -> None:
        super().__init__(results.folder)
        self._results, self._file, self._parts = results, file, parts

    def read(self, document: Document[T]) -> T:
        saved: Any = self._results.read(document)
        if document.file == self._file:
            for path, value in self._parts.items():
                saved = with_part(saved, path, value)
        return cast(T, saved)


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
    copy: Any = dict(record) if isinstance(record, dict) else list(record)
    copy[step] = with_part(record[step], tuple(rest), value)
    return tuple(copy) if isinstance(record, tuple) else copy


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
NO_INTERVAL = (-1e3, 1e3)


def changes(value: Any) -> list[object]:
    """Other values of the same kind, as many for each value of a kind."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, StrEnum):
        return [other for other in type(value) if other is not value]
    if isinstance(value, str):
        return [f"not {value}"]
    made: list[object] = []
    if isinstance(value, Check):
        made.append(replace(value, passed=not value.passed))
    if isinstance(value, Point):
        made.append(replace(value, low=NO_INTERVAL[0], high=NO_INTERVAL[1]))
    if isinstance(value, Check | Estimate):
        made.append(replace(value, interval=NO_INTERVAL))
    return made + [_shifted(value, shift) for shift in SHIFTS]


def _shifted(value: Any, shift: Callable[[float], float]) -> object:
    def ends(pair: Any) -> tuple[float | None, ...]:
        moved = [None if end is None else shift(end) for end in pair]
        return tuple(moved if None in moved else sorted(moved))

    if isinstance(value, Estimate):
        return replace(value, value=shift(value.value), interval=ends(value.interval))
    if isinstance(value, Check):
        observed = None if value.observed is None else shift(value.observed)
        return replace(value, observed=observed, interval=ends(value.interval))
    if isinstance(value, Point):
        low, high = ends((value.low, value.high))
        return replace(value, y=shift(value.y), low=low, high=high)
    if isinstance(value, int):
        return round(shift(value))
    return ends(value) if isinstance(value, list | tuple) else shift(value)
