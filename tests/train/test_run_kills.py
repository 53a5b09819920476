"""Training runs under fire: real processes, killed and interrupted at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.simulate.jobs.processes import started, wait_until  # noqa: E402
from tests.train.test_run import assert_same_run, main  # noqa: E402

# half a second in sixty pieces; seven tokens a step, so that a kill falls between two steps on them
TINY = "--n 24 --d 10 --k 2 --batch 32 --steps 300 --tokens-a-step 7 --steps-a-part 4"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run in this process."""
    folder = tmp_path_factory.mktemp("whole")
    assert main([*TINY.split(), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell that starts pytest in the background has Ctrl-C ignored, by its children too."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


def training(folder: Path):
    """The run in a process of its own, continued if there is one."""
    command = ("train.run", *TINY.split(), "--out", str(folder), "--resume")
    return started(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(folder: Path) -> None:
    """Continue the run, left alone, in this process."""
    assert main([*TINY.split(), "--out", str(folder), "--resume"]) == 0


def recorded(folder: Path) -> int:
    """How many milestones are in the metrics."""
    path = folder / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def disturb(folder: Path, rng: random.Random, most: int) -> int:
    """SIGKILL at a random moment before some milestones more; returns how many there are then."""
    done = recorded(folder)
    with training(folder) as process:
        wanted = done + rng.randint(0, most)
        wait_until(lambda: recorded(folder) >= wanted or process.poll() is not None)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
    return recorded(folder)


def test_killed_and_interrupted(whole: Path, tmp_path: Path) -> None:
    """Two SIGKILLs, then Ctrl-C, which exits with 130 and says so; resumed, all bytes are the same.

    Bitwise the network, the metrics, the measures, the last checkpoint and all snapshots.
    """
    rng = random.Random(1)
    first = disturb(tmp_path, rng, 15)
    second = disturb(tmp_path, rng, 15)
    assert 0 < first <= second < recorded(whole)
    with training(tmp_path) as process:
        wait_until(lambda: recorded(tmp_path) >= second + 2)
        os.kill(process.pid, signal.SIGINT)
        errors = process.communicate()[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"
    assert second + 2 <= recorded(tmp_path) < recorded(whole)
    finish(tmp_path)
    assert_same_run(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_twelve_kills(seed: int, whole: Path, tmp_path: Path) -> None:
    """Some of them before the first checkpoint, or twice in a row before the next."""
    rng = random.Random(seed)
    for _ in range(12):
        disturb(tmp_path, rng, 8)
    finish(tmp_path)
    assert_same_run(whole, tmp_path)
