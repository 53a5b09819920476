"""Saved results as the report reads them: files below one folder, one job to a folder.

A number is found by its file and a path: keys and positions into JSON, and selectors such as
{"missing": 1}, the entries of a list that have these values; a regular expression fits the texts
in which it is found. A CSV is a list of rows.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theory.domain import DomainError

Step = str | int | Mapping[str, Any]

# every folder of results, and what makes it; {results} is the folder of all
COMMANDS: Mapping[str, str] = {
    "scaling": "python -m simulate.scaling --out {results}/scaling",
    "study": "python -m train.study --out {results}/study",
    "survey": "python -m train.survey --out {results}/survey",
    "networks/source": "python -m train.run --preset source --out {results}/networks/source",
    "networks/complement": "python -m train.run --preset complement "
    "--out {results}/networks/complement",
    "analysis/source": "python -m train.analyse {results}/networks/source "
    "--out {results}/analysis/source",
    "analysis/complement": "python -m train.analyse {results}/networks/complement "
    "--out {results}/analysis/complement",
    "certificates/source": "python -m train.certify {results}/networks/source "
    "--out {results}/certificates/source",
    "certificates/finished": "python -m train.certify {results}/networks/source --finish sharp "
    "--most-inputs 0 --out {results}/certificates/finished",
    "organisms": "python -m train.organisms --out {results}/organisms",
}


class MissingResult(Exception):
    """A result is not there; the argument is its folder's key in COMMANDS."""


@dataclass(frozen=True)
class Figure:
    """A drawn figure of a job. caption: in the job's own words. svg, csv: its files."""

    job: str
    name: str
    caption: str
    svg: Path
    csv: Path


class Results:
    """The results below a folder. Raises DomainError where that is no folder."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DomainError(f"results must be a folder of saved results; got {folder}")
        self.folder = folder
        self._read: dict[Path, Any] = {}

    def missing(self) -> dict[str, str]:
        """The jobs without results, and the command that makes each."""
        return {
            job: command.format(results=self.folder)
            for job, command in COMMANDS.items()
            if not (self.folder / job / "run.json").is_file()
        }

    def path(self, file: str) -> Path:
        """The path of a result file; MissingResult where it or its job's end is not there."""
        path, job = self.folder / file, _job_of(file)
        # run.json is what a job writes last
        if not path.is_file() or not (self.folder / job / "run.json").is_file():
            raise MissingResult(job)
        return path

    def read(self, file: str) -> Any:
        """What a JSON file holds, or a CSV's rows with their numbers as numbers."""
        path = self.path(file)
        if path not in self._read:
            self._read[path] = _parsed(path)
        return self._read[path]

    def find(self, file: str, path: Sequence[Step]) -> Any:
        """The one value at a path; MissingResult where the file, or a step of the path, is not.

        Raises DomainError where there are several.
        """
        found = self.find_all(file, path)
        if len(found) != 1:
            raise DomainError(
                f"results must have one value at {shown(file, path)}; got {len(found)}"
            )
        return found[0]

    def find_all(self, file: str, path: Sequence[Step]) -> list[Any]:
        """All values at a path whose selectors may fit several entries, at least one."""
        found = [self.read(file)]
        for step in path:
            found = [item for value in found for item in _step(value, step)]
        if not found:
            # the job ran with other panels, sizes or effort
            raise MissingResult(_job_of(file))
        return found

    def command(self, job: str) -> str:
        """The command line that made a job's results."""
        return self.read(f"{job}/run.json")["command"]

    def figure(self, job: str, name: str) -> Figure:
        """A job's figure with its caption, from figures.md."""
        captions = _captions(self.path(f"{job}/figures.md").read_text("utf-8"))
        if name not in captions:
            raise MissingResult(job)
        files = (self.path(f"{job}/{name}.{kind}") for kind in ("svg", "csv"))
        return Figure(job, name, captions[name], *files)

    def figures(self) -> Iterator[Figure]:
        """Every figure of every job that there is."""
        for job in COMMANDS:
            page = self.folder / job / "figures.md"
            if page.is_file():
                for name in _captions(page.read_text("utf-8")):
                    yield self.figure(job, name)


def shown(file: str, path: Sequence[Step]) -> str:
    """Where a number stands, for people: file > key > [name = value]."""

    def step(each: Step) -> str:
        if isinstance(each, Mapping):
            values = (getattr(value, "pattern", value) for value in each.values())
            return "[" + ", ".join(f"{n} = {v}" for n, v in zip(each, values, strict=True)) + "]"
        return str(each)

    return " > ".join([file, *map(step, path)])


def _step(value: Any, step: Step) -> list[Any]:
    if value is None:
        # what there was nothing to measure of; so is whatever would be in it
        return [None]
    if isinstance(step, Mapping):
        return [row for row in value if all(_fits(row.get(n), of) for n, of in step.items())]
    if isinstance(step, int):
        return [value[step]] if step < len(value) else []
    return [value[step]] if step in value else []


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and bool(wanted.search(value))
    return bool(value == wanted)


def _job_of(file: str) -> str:
    return next(job for job in COMMANDS if file.startswith(f"{job}/"))


def _parsed(path: Path) -> Any:
    text = path.read_text("utf-8")
    if path.suffix == ".csv":
        return [
            {name: _number(cell) for name, cell in row.items()}
            for row in csv.DictReader(text.splitlines())
        ]
    try:
        return json.loads(text)
    except ValueError:
        raise DomainError(f"results must be whole: {path} is no JSON") from None


def _number(cell: str) -> str | float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell


def _captions(page: str) -> dict[str, str]:
    """Names and captions of a figures.md: its sections' headings and first paragraphs."""
    found = {}
    for section in page.split("\n## ")[1:]:
        name, _, rest = section.partition("\n\n")
        found[name.strip()] = rest.split("\n\n")[0].strip()
    return found
