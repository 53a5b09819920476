"""Result folders: files written whole or not at all, and the record of how they were made."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from theory.domain import DomainError

SCHEMA = 1
# entries of a configuration: how much an earlier run had left, whose time is not counted
# results, or steps, of earlier runs whose time is not in `seconds`
RESULTS_KEPT, RESUMED_AT_STEP = "results_kept", "resumed_at_step"
_PACKAGES = ("numpy", "scipy", "sympy", "matplotlib")


def check_folder(path: Path, name: str = "out") -> None:
    """Make a folder of results, before any work whose results it could not take.

    name: of the argument that gave it. Raises DomainError where it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise DomainError(f"{name} must be a folder that can be written; {error}") from None


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file under a temporary name in its folder, then move it into place."""
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_plain(record: object) -> Any:
    """A dataclass as plain data, as JSON has it."""
    return msgspec.to_builtins(record)


def as_json(record: object) -> str:
    """Indented JSON text of a dataclass or of plain data; NaN and infinity are errors."""
    return json.dumps(as_plain(record), indent=2, allow_nan=False) + "\n"


@dataclass(frozen=True)
class RunRecord:
    """What run.json holds: how the results beside it were made, and how long that took."""

    command: str
    configuration: dict[str, Any]
    seconds: float
    commit: str | None
    python: str
    versions: dict[str, str]
    platform: str
    processors: int | None
    threads_per_worker: int
    schema: int = SCHEMA

    @property
    def resumed(self) -> bool:
        """Whether an earlier run was continued, whose time is not in its seconds."""
        return any(self.configuration.get(name) for name in (RESULTS_KEPT, RESUMED_AT_STEP))


def run_record(
    command: str,
    configuration: Mapping[str, Any],
    seconds: float,
    packages: Sequence[str] = (),
    threads: int = 1,
) -> RunRecord:
    """The record of this run: command, configuration, versions, commit, machine, wall time.

    packages: further ones whose versions matter to this job. threads: of each worker.
    """
    return RunRecord(
        command=command,
        configuration=msgspec.to_builtins(dict(configuration)),
        seconds=seconds,
        commit=_commit(),
        python=platform.python_version(),
        versions={package: version(package) for package in (*_PACKAGES, *packages)},
        platform=platform.platform(),
        processors=os.cpu_count(),
        threads_per_worker=threads,
    )


def _commit() -> str | None:
    """The checkout's commit, with "+" where it was modified; None outside a git checkout."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git
        return None
    return described.stdout.strip() or None if described.returncode == 0 else None


def command_of(module: str) -> str:
    """The command line as it was given, for `run.json` and captions."""
    return " ".join(["python", "-m", module, *sys.argv[1:]])
