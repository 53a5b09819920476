"""A sweep as a command of its own, for the tests that kill it.

`python -m tests.simulate.jobs.driver FOLDER [--count] [--seconds] [--engine] ...`
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from simulate.jobs.journal import Journal
from simulate.jobs.tasks import SweepError, Task, run
from theory import command_line

SEED = 3
COUNT = 60


def nap(rng: np.random.Generator, name: str, seconds: float, log: str) -> dict[str, Any]:
    """Takes some time; leaves its name and its worker's process id in the log when it starts."""
    with open(log, "a") as stream:
        stream.write(f"{name} {os.getpid()}\n")
    time.sleep(seconds)
    return {"value": rng.random()}


def die(rng: np.random.Generator, deaths: str, most: float = math.inf) -> dict[str, Any]:
    """Kills its own worker, at most so many times; they are counted in a file."""
    with open(deaths, "a") as stream:
        if stream.tell() >= most:
            return {"value": 1.0}
        stream.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def naps(folder: Path, count: int, seconds: float) -> list[Task]:
    """Tasks whose results depend on their place alone, and whose starts are in folder/log."""
    log = str(folder / "log")
    return [
        Task(name, nap, {"name": name, "seconds": seconds, "log": log}, cost=seconds)
        for name in (f"nap/{place}" for place in range(count))
    ]


def main() -> int:
    """Run the sweep; the ledger is FOLDER/results.jsonl."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seconds", type=float, default=0.03)
    parser.add_argument("--engine", default="processes")
    parser.add_argument("--scheduler")
    parser.add_argument("--resume", action="store_true")
    chosen = parser.parse_args()
    # a shell that starts pytest in the background has it ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tasks = naps(chosen.folder, chosen.count, chosen.seconds)
    header = {"job": "naps", "count": chosen.count}
    try:
        with Journal(chosen.folder / "results.jsonl", header, chosen.resume) as ledger:
            run(tasks, SEED, ledger, chosen.engine, 2, chosen.scheduler)
    except SweepError as error:
        print(f"error: {error}", file=sys.stderr)
        return command_line.CHECK_FAILED
    return command_line.DONE


if __name__ == "__main__":
    # under its own name, so that every worker finds the task functions
    from tests.simulate.jobs import driver as sweep_driver

    command_line.run(sweep_driver.main)
