"""Finished results on disk, one line of JSON each, that outlive the run that wrote them."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from simulate.jobs import output
from theory.domain import DomainError

SCHEMA = 1
# what jobs call it
NAME = "results.jsonl"


def lock(path: Path) -> FileLock:
    """The operating system's lock on a file of this run, held until it is released or we end.

    path: the lock file; its folder is made. Raises DomainError when another run holds it or the
    folder cannot be written.
    """
    output.check_folder(path.parent)
    held = FileLock(path)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise DomainError(
            f"out must not be in use by another run; {path} is locked: wait for that run, or give "
            "another --out"
        ) from None
    except OSError as error:
        raise DomainError(f"out must be a folder that can be written; {error}") from None
    return held


class Journal:
    """Finished results on disk: a header line, then one line {"task", "result"} each.

    Opening takes the operating system's lock on the file, so that two runs cannot share it.
    With `resume` the lines of an earlier run with the same header are kept, a torn last line is
    dropped; without it an earlier run is replaced. A second file beside it has the seconds that all
    runs took so far; where it is lost, the results are kept and their time is unknown. Raises
    DomainError when the folder cannot be written, another run holds the journal, or the header
    differs.
    """

    def __init__(self, path: Path, header: Mapping[str, object], resume: bool) -> None:
        self.results: dict[str, object] = {}
        self._path = path
        self._header = {"schema": SCHEMA, **header}
        self._lock = lock(path.with_suffix(".lock"))
        self._time, self._started = path.with_suffix(".seconds"), time.monotonic()
        self._earlier: float | None = 0.0
        self._kept = 0
        try:
            kept = self._read(path, json.loads(json.dumps(header))) if resume else b""
            self._file = path.open("wb" if not kept else "r+b")
        except BaseException:
            self._lock.release()
            raise
        try:
            if kept:
                self._file.truncate(len(kept))
                self._file.seek(len(kept))
                if self.results:
                    self._earlier, self._kept = _seconds(self._time), len(self.results)
            else:
                self._append(self._header)
        except BaseException:
            self.__exit__()
            raise

    def _read(self, path: Path, header: Mapping[str, object]) -> bytes:
        """Load an earlier run's results; returns the bytes of its whole lines."""
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines(keepends=True)
        if not lines:
            return b""
        try:
            earlier = json.loads(lines[0])
        except ValueError:
            raise DomainError(
                f"out must not hold a foreign {path.name}; the first line of {path} is no header: "
                "give another --out, or leave out --resume to replace it"
            ) from None
        if earlier != {"schema": SCHEMA, **header}:
            changed = [name for name in header if earlier.get(name) != header[name]] or ["schema"]
            raise DomainError(
                f"resume needs the configuration and seed of the earlier run; {path} differs in "
                f"{', '.join(changed)}: give the earlier ones, or leave out --resume to start anew"
            )
        kept = lines[0]
        for line in lines[1:]:
            try:
                record = json.loads(line)
                self.results[record["task"]] = record["result"]
            except (ValueError, KeyError, TypeError):
                break  # torn: this line and whatever follows it are redone
            kept += line
        return kept

    def _append(self, record: Mapping[str, object]) -> None:
        line = _as_line(record)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def record(self, task: str, result: object) -> None:
        """Append one finished task; it is on disk when this returns.

        Raises ValueError for a result that JSON cannot hold, such as NaN; nothing is then written.
        Raises OSError when the disk is full; what a torn line may then be left is dropped by
        `resume`.
        """
        self._append({"task": task, "result": result})
        if self.seconds is not None:
            with suppress(OSError):
                output.write_whole(self._time, f"{self.seconds:.3f}\n")
        # as a resumed run would read it, so that both continue from the same values
        self.results[task] = json.loads(json.dumps(result))

    @property
    def untimed(self) -> int:
        """How many results are of earlier runs whose time is lost."""
        return 0 if self._earlier is not None else self._kept

    @property
    def seconds(self) -> float | None:
        """How long it took so far, earlier runs up to their last result; None if that is lost."""
        if self._earlier is None:
            return None
        return self._earlier + time.monotonic() - self._started

    def arrange(self, tasks: Iterable[str]) -> None:
        """Put the lines in this order, all at once: the file is the old or the new one."""
        lines = [_as_line(self._header)]
        for task in dict.fromkeys([*tasks, *self.results]):
            lines.append(_as_line({"task": task, "result": self.results[task]}))
        output.write_whole(self._path, b"".join(lines))
        self._file.close()
        self._file = self._path.open("ab")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a line whose writing has failed already
            self._file.close()
        self._lock.release()


def _seconds(path: Path) -> float | None:
    with suppress(OSError, ValueError):
        seconds = float(path.read_text())
        return seconds if math.isfinite(seconds) and seconds >= 0.0 else None
    return None


def _as_line(record: Mapping[str, object]) -> bytes:
    return json.dumps(record, allow_nan=False).encode() + b"\n"
