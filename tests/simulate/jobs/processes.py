"""Real processes for the tests: commands of the checkout, and a Dask cluster on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


def wait_until(condition: Callable[[], Any]) -> Any:
    """Poll until the condition is true of something, and return that; a minute is too long."""
    end = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return found


@contextmanager
def started(*command: str, **options) -> Iterator[subprocess.Popen[str]]:
    """A process with a group of its own, none of which is left at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, text=True, start_new_session=True, **options
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Cluster:
    address: str
    scheduler: subprocess.Popen[str]


@contextmanager
def dask_cluster(folder: Path) -> Iterator[Cluster]:
    """A scheduler and two worker processes on loopback, as a user starts them."""
    file = folder / "scheduler.json"
    here = ("--host", "127.0.0.1", "--scheduler-file", str(file))
    with (
        (folder / "output").open("w") as output,
        started(
            *("distributed.cli.dask_scheduler", *here, "--port", "0"),
            *("--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
            stdout=output,
            stderr=output,
        ) as scheduler,
    ):
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        with started(
            *("distributed.cli.dask_worker", *here, "--nworkers", "2", "--nthreads", "1"),
            *("--no-dashboard", "--death-timeout", "60", "--local-directory", str(folder)),
            stdout=output,
            stderr=output,
        ):
            yield Cluster(json.loads(file.read_text())["address"], scheduler)
