"""How many of the lines and branches of each package its tests reach, as it was measured.

`python -m reports.docs.generate.coverage PACKAGE…` keeps, of the last `make coverage`, the numbers
of these packages; give only those whose tests it ran.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reports.docs.generate import EVIDENCE, PACKAGES, ROOT, table
from simulate.jobs.output import as_json, write_whole
from theory import command_line
from theory.domain import DomainError

MEASURED, SAVED = ROOT / "reports/results/coverage.json", EVIDENCE / "coverage.json"


@dataclass(frozen=True)
class Summary:
    """Of one file, by the names of coverage.py's JSON report."""

    covered_lines: int
    num_statements: int
    covered_branches: int
    num_branches: int


@dataclass(frozen=True)
class File:
    """One file of that report."""

    summary: Summary


@dataclass(frozen=True)
class Report:
    """That report."""

    files: dict[str, File]


def shares(report: Report, packages: Iterable[str]) -> dict[str, float]:
    """The share of lines and branches, together, that were reached of each package."""
    found = {}
    for package in packages:
        of = [file.summary for name, file in report.files.items() if name.startswith(f"{package}/")]
        if package not in PACKAGES or not of:
            raise DomainError(
                f"packages must be among {', '.join(PACKAGES)}, and measured; got {package}"
            )
        reached = sum(each.covered_lines + each.covered_branches for each in of)
        found[package] = reached / sum(each.num_statements + each.num_branches for each in of)
    return found


def saved() -> dict[str, float]:
    """The shares that were kept, by package; none where nothing was."""
    return msgspec.json.decode(SAVED.read_bytes(), type=dict[str, float]) if SAVED.exists() else {}


def overview() -> str:
    """A table of Markdown; a sentence where nothing was kept."""
    kept = saved()
    if not kept:
        return "No measurement comes with this version."
    rows = [[f"`{name}`", f"{100 * kept[name]:.0f} %"] for name in PACKAGES if name in kept]
    return table(["package", "lines and branches that its fast tests reach"], rows)


def main(packages: Iterable[str] | None = None, measured: Path = MEASURED) -> int:
    """Keep the shares of these packages beside those that were kept before."""
    names = list(sys.argv[1:] if packages is None else packages)
    if not names:
        raise DomainError(f"packages must be given, among {', '.join(PACKAGES)}")
    try:
        report = msgspec.json.decode(measured.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError) as error:
        raise DomainError(f"{measured} must be what make coverage writes; {error}") from None
    write_whole(SAVED, as_json(saved() | shares(report, names)))
    return command_line.DONE


if __name__ == "__main__":
    command_line.run(main)
