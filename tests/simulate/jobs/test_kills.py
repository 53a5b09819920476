"""Sweeps under fire: real processes and a real Dask cluster, killed, interrupted, out of disk."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from distributed import Client

from simulate.jobs import engines
from simulate.jobs.engines import check_engine
from simulate.jobs.journal import Journal
from simulate.jobs.tasks import SweepError, Task, run
from tests.simulate.jobs.driver import COUNT, SEED, die, naps
from tests.simulate.jobs.processes import ROOT, Cluster, dask_cluster, started, wait_until
from theory.domain import DomainError

EVERY_ENGINE = ["serial", "processes", "dask", "cluster"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def flags(engine: str, request: pytest.FixtureRequest) -> list[str]:
    """The driver's flags for an engine; "cluster" is Dask on a running cluster."""
    if engine != "cluster":
        return ["--engine", engine]
    return ["--engine", "dask", "--scheduler", request.getfixturevalue("cluster").address]


def driver(folder: Path, *arguments: str):
    """The sweep of `sweep_driver` in this folder, continued if there is one."""
    command = ("tests.simulate.jobs.driver", str(folder), "--resume", *arguments)
    return started(*command, stderr=subprocess.PIPE)


def finish(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and error output of the sweep, left alone."""
    with driver(folder, *arguments) as process:
        errors = process.communicate()[1]
    return process.returncode, errors


def undisturbed(folder: Path, count: int = COUNT) -> bytes:
    """The ledger of a serial run in one process."""
    with Journal(folder / "results.jsonl", {"job": "naps", "count": count}, False) as ledger:
        run(naps(folder, count, 0.0), SEED, ledger, "serial")
    return (folder / "results.jsonl").read_bytes()


def ledger(folder: Path) -> bytes:
    return (folder / "results.jsonl").read_bytes()


def recorded(folder: Path) -> set[str]:
    """Names of the tasks on the ledger's whole lines."""
    path = folder / "results.jsonl"
    lines = path.read_text().split("\n")[1:-1] if path.exists() else []
    return {json.loads(line)["task"] for line in lines}


def starts(folder: Path) -> list[tuple[str, int]]:
    """Name and worker of every start of a task, in order."""
    path = folder / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(name, int(worker)) for name, worker in map(str.split, lines)]


def kill_last_worker(folder: Path) -> int | None:
    """SIGKILL to the worker that has started the last task, if it is still there."""
    worker = starts(folder)[-1][1]
    try:
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return worker


class Recorder:
    """Takes down what is finished at some moments; none of it may start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.moments: list[tuple[set[str], int]] = []

    def now(self, killed: int | None = None) -> None:
        """killed: a Dask worker that died at this moment.

        Its last two tasks may be in the ledger while Dask, which is told a moment later, still
        holds their results for the driver; it then runs them again by itself.
        """
        finished = recorded(self.folder)
        started = starts(self.folder)
        held = [name for name, worker in started if worker == killed][-2:]
        self.moments.append((finished.difference(held), len(started)))

    def repeated(self) -> set[str]:
        names = [name for name, _ in starts(self.folder)]
        return {
            name for finished, before in self.moments for name in names[before:] if name in finished
        }


@pytest.mark.parametrize("engine", ["cluster"])
def test_a_running_cluster(flags: list[str], tmp_path: Path) -> None:
    """Two sweeps on one cluster, which outlives them: the bytes of a serial run, each task once."""
    for name in "ab":
        assert finish(tmp_path / name, *flags) == (0, "")
        assert ledger(tmp_path / name) == undisturbed(tmp_path / "calm")
        assert len(starts(tmp_path / name)) == COUNT
        assert len({worker for _, worker in starts(tmp_path / name)}) == 2


def test_a_deadly_task_on_a_running_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """Dask itself tries four times; it is named after once more alone, and the rest is done."""
    deaths = tmp_path / "deaths"
    innocent = naps(tmp_path, 12, 0.01)
    tasks = [*innocent, Task("deadly", die, {"deaths": str(deaths)}, cost=9.0)]
    with (
        Journal(tmp_path / "results.jsonl", {}, False) as ledger,
        pytest.raises(SweepError, match="deadly"),
    ):
        run(tasks, SEED, ledger, "dask", scheduler=cluster.address)
    assert deaths.read_text() == "x" * 8
    assert recorded(tmp_path) == {task.name for task in innocent}


@pytest.mark.parametrize("engine", ["processes", "cluster"])
def test_a_killed_driver(flags: list[str], tmp_path: Path) -> None:
    """SIGKILL, then resume: the same bytes, and nothing finished is repeated."""
    recorder = Recorder(tmp_path)
    with driver(tmp_path, *flags) as process:
        wait_until(lambda: len(recorded(tmp_path)) >= 5)
        process.kill()
        process.wait()
        recorder.now()
    assert finish(tmp_path, *flags) == (0, "")
    assert ledger(tmp_path) == undisturbed(tmp_path / "calm")
    assert not recorder.repeated()


@pytest.mark.parametrize("engine", ["processes", "cluster"])
def test_a_killed_worker(engine: str, flags: list[str], tmp_path: Path) -> None:
    """SIGKILL to a worker: the same run completes with the same bytes, nothing is repeated."""
    recorder = Recorder(tmp_path)
    with driver(tmp_path, *flags) as process:
        wait_until(lambda: len(recorded(tmp_path)) >= 5)
        worker = kill_last_worker(tmp_path)
        recorder.now(worker if engine == "cluster" else None)
        errors = process.communicate()[1]
    assert (process.returncode, errors) == (0, "")
    assert ledger(tmp_path) == undisturbed(tmp_path / "calm")
    assert not recorder.repeated()


def test_a_lost_line_is_seen_as_a_repetition(tmp_path: Path) -> None:
    """Planted fault for `Recorder`: a ledger that forgets a finished task."""
    assert finish(tmp_path, "--seconds", "0", "--engine", "serial") == (0, "")
    recorder = Recorder(tmp_path)
    recorder.now()
    lines = ledger(tmp_path).splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_bytes(b"".join(lines[:8] + lines[9:]))
    assert finish(tmp_path, "--seconds", "0", "--engine", "serial") == (0, "")
    assert recorder.repeated() == {"nap/7"}


@pytest.mark.parametrize("engine", EVERY_ENGINE)
def test_interrupted(flags: list[str], tmp_path: Path) -> None:
    """Ctrl-C as a terminal sends it, to the driver and its workers: exit 130; resume completes."""
    recorder = Recorder(tmp_path)
    with driver(tmp_path, *flags) as process:
        wait_until(lambda: len(recorded(tmp_path)) >= 5)
        os.killpg(process.pid, signal.SIGINT)
        errors = process.communicate()[1]
        recorder.now()
    # Dask's own finalizers may have more to say as the process ends
    assert process.returncode == 130
    assert "interrupted\n" in errors
    assert 5 <= len(recorded(tmp_path)) < COUNT
    assert finish(tmp_path, *flags) == (0, "")
    assert ledger(tmp_path) == undisturbed(tmp_path / "calm")
    assert not recorder.repeated()


def test_a_lost_scheduler(tmp_path: Path) -> None:
    """One clear line and exit 2; another engine completes the run with the same bytes."""
    recorder = Recorder(tmp_path)
    with (
        dask_cluster(tmp_path) as cluster,
        driver(tmp_path, "--engine", "dask", "--scheduler", cluster.address) as process,
    ):
        wait_until(lambda: len(recorded(tmp_path)) >= 5)
        cluster.scheduler.kill()
        errors = process.communicate()[1]
        recorder.now()
    assert process.returncode == 2
    assert errors == (
        f"error: scheduler must stay within reach; {cluster.address} was lost: "
        "--resume goes on from here\n"
    )
    assert finish(tmp_path, "--engine", "serial", "--seconds", "0") == (0, "")
    assert ledger(tmp_path) == undisturbed(tmp_path / "calm")
    assert not recorder.repeated()


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_a_full_disk(flags: list[str], tmp_path: Path) -> None:
    """The kernel refuses to write on: one clear line, exit 2, no line lost; resume completes.

    A limit on the size of files stands for the full disk: the same path through write and errno.
    """
    folder = tmp_path / "out"
    command = [sys.executable, "-m", "tests.simulate.jobs.driver", str(folder), *flags]
    limited = ["sh", "-c", 'ulimit -f 4; exec "$@"', "sh", *command, "--count", "100"]
    stopped = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, check=False)
    assert stopped.returncode == 2
    assert stopped.stderr == f"error: [Errno 27] File too large: '{folder / 'results.jsonl'}'\n"
    recorder = Recorder(folder)
    recorder.now()
    torn = ledger(folder)
    assert len(torn) == 2048
    assert finish(folder, *flags, "--count", "100", "--seconds", "0") == (0, "")
    assert ledger(folder) == undisturbed(tmp_path / "calm", 100)
    assert not recorder.repeated()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_no_space_for_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.symlink_to("/dev/full")
    with started("tests.simulate.jobs.driver", str(tmp_path), stderr=subprocess.PIPE) as process:
        errors = process.communicate()[1]
    assert process.returncode == 2
    assert errors == f"error: [Errno 28] No space left on device: '{path}'\n"


def test_the_ledger_is_rewritten_whole_or_not_at_all(tmp_path: Path) -> None:
    """SIGKILL to a process that does nothing but rewrite it: every time one of two whole files."""
    whole = undisturbed(tmp_path).splitlines(keepends=True)
    orders = {b"".join(whole), b"".join(whole[:1] + whole[:0:-1])}
    script = (
        "import sys; from pathlib import Path; from simulate.jobs.journal import Journal\n"
        f"header = {{'job': 'naps', 'count': {COUNT}}}\n"
        "with Journal(Path(sys.argv[1]) / 'results.jsonl', header, True) as ledger:\n"
        "    names = list(ledger.results)\n"
        "    while True:\n"
        "        names.reverse()\n"
        "        ledger.arrange(names)\n"
    )
    rng = random.Random(1)
    for _ in range(5):
        before = (tmp_path / "results.jsonl").stat().st_ino
        command = [sys.executable, "-c", script, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT) as process:
            wait_until(lambda before=before: (tmp_path / "results.jsonl").stat().st_ino != before)
            time.sleep(rng.uniform(0, 0.02))
            process.kill()
        assert ledger(tmp_path) in orders


@pytest.mark.parametrize(
    "address", ["localhost", "tcp://localhost", "tcp://:8786", "tcp://localhost:99999", ""]
)
def test_malformed_addresses(address: str) -> None:
    with pytest.raises(DomainError, match="scheduler must be an address like tcp://host:8786"):
        check_engine("dask", address)


@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9])
def test_an_address_without_a_scheduler(
    answer: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed port, a silent one, one that speaks something else: one line, in limited time."""
    monkeypatch.setattr(engines, "_SECONDS_TO_CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        if answer is None:
            server.close()
        elif answer:
            threading.Thread(target=_answer, args=(server, answer), daemon=True).start()
        with pytest.raises(
            DomainError, match="scheduler must be a Dask scheduler that answers within"
        ):
            check_engine("dask", address)


def test_a_worker_is_no_scheduler(cluster: Cluster) -> None:
    with Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(1)
        worker = next(iter(client.nthreads()))
    with pytest.raises(DomainError, match="is a Dask Worker"):
        check_engine("dask", worker)


def _answer(server: socket.socket, answer: bytes) -> None:
    with suppress(OSError):  # closed by the test
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer)


def test_dask_is_an_extra(tmp_path: Path) -> None:
    """Without it the other engines work, and engine dask names what to install."""
    without = (
        "import sys; sys.modules['distributed'] = None\n"
        "from tests.simulate.jobs.driver import main; from theory import command_line\n"
        "command_line.run(main)"
    )
    for engine, code, errors in (
        ("serial", 0, ""),
        ("dask", 2, 'error: engine dask needs: pip install -e ".[dask]"\n'),
    ):
        command = [sys.executable, "-c", without, str(tmp_path), "--engine", engine]
        done = subprocess.run(
            [*command, "--seconds", "0"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (code, errors)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "dask", "cluster"])
def test_twenty_kills(engine: str, flags: list[str], tmp_path: Path) -> None:
    """Drivers and workers killed at random moments of one sweep: it ends in the same bytes."""
    count, kills = 1500, 20
    arguments = ["--count", str(count), *flags]
    rng = random.Random(f"kills of {engine}")
    recorder = Recorder(tmp_path)
    victims: list[str] = []
    while len(victims) < kills:
        with driver(tmp_path, *arguments) as process:
            while len(victims) < kills and process.poll() is None:
                victims.append(rng.choice(["driver", "worker"]))
                if victims[-1] == "driver":
                    time.sleep(rng.uniform(0, 1.5))
                    process.kill()
                    assert process.wait() == -signal.SIGKILL
                    recorder.now()
                else:
                    before = len(starts(tmp_path))
                    wait_until(lambda before=before: len(starts(tmp_path)) > before)
                    time.sleep(rng.uniform(0, 0.3))
                    worker = wait_until(lambda: kill_last_worker(tmp_path))
                    recorder.now(worker if engine != "processes" else None)
    assert {"driver", "worker"} == set(victims)
    assert len(recorded(tmp_path)) < count
    assert finish(tmp_path, *arguments) == (0, "")
    assert ledger(tmp_path) == undisturbed(tmp_path / "calm", count)
    assert not recorder.repeated()
