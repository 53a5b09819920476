"""`python -m simulate.scaling` as a user runs it, on its fastest panels."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulate.jobs.checks import MOST_FALSE_ALARM
from simulate.scaling import main
from tests.simulate.jobs.processes import dask_cluster
from tests.simulate.running import Outcome, run

FAST = "false_positive_count"


def scaling(out: Path, *arguments: str) -> Outcome:
    return run(main, "--quick", "--out", str(out), *arguments)


def files(folder: Path) -> dict[str, bytes]:
    """Everything that must not vary between runs of one seed."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.suffix in (".csv", ".png", ".svg", ".jsonl")
        or path.name in ("verdict.json", "checks.json", "figures.json")
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("scaling")
    done = scaling(out, "--panels", FAST, "--seed", "5", "--engine", "serial", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["passed"] is True
    return out


def test_verdict_and_files(finished: Path) -> None:
    """verdict.json has the promised keys; every figure has its CSV; run.json tells how."""
    verdict = json.loads((finished / "verdict.json").read_text())
    assert verdict["passed"] is True
    assert 0 < verdict["false_alarm_budget"] < MOST_FALSE_ALARM
    for check in verdict["checks"]:
        assert {"id", "name", "panel", "predicted", "observed", "interval", "passed"} <= set(check)
    assert json.loads((finished / "checks.json").read_text()) == verdict["checks"]
    (figure,) = json.loads((finished / "figures.json").read_text())
    assert figure["id"] == FAST
    assert figure["caption"] in (finished / "figures.md").read_text()
    assert set(figure["files"]) == {f"{FAST}.{ending}" for ending in ("png", "svg", "csv")}
    assert {f"{FAST}.{ending}" for ending in ("png", "svg", "csv")} <= set(files(finished))
    rows = list(csv.DictReader((finished / f"{FAST}.csv").read_text().splitlines()))
    assert {"exact", "direct"} <= {row["kind"] for row in rows}
    run = json.loads((finished / "run.json").read_text())
    assert run["configuration"]["seed"] == 5
    assert {"versions", "commit", "seconds", "threads_per_worker", "command"} <= set(run)


def test_other_engine_same_bytes(finished: Path, tmp_path: Path) -> None:
    """Two worker processes give the same verdict, tables and figures, byte for byte."""
    done = scaling(tmp_path, "--panels", FAST, "--seed", "5", "--jobs", "2")
    assert done.code == 0
    assert files(tmp_path) == files(finished)


@pytest.mark.slow  # tests/simulate/jobs has the same of a smaller job
def test_running_cluster_same_bytes(finished: Path, tmp_path: Path) -> None:
    """So does a Dask cluster that runs already."""
    out = tmp_path / "out"
    with dask_cluster(tmp_path) as cluster:
        dask = ["--engine", "dask", "--scheduler", cluster.address]
        done = scaling(out, "--panels", FAST, "--seed", "5", *dask)
    assert done.code == 0
    assert files(out) == files(finished)


def test_another_seed_differs(finished: Path, tmp_path: Path) -> None:
    assert scaling(tmp_path, "--panels", FAST, "--seed", "6", "--engine", "serial").code == 0
    assert files(tmp_path)["verdict.json"] != files(finished)["verdict.json"]


def test_killed_and_resumed(finished: Path, tmp_path: Path) -> None:
    """SIGKILL after the first finished task, then --resume: the same bytes, nothing repeated."""
    arguments = ["--quick", "--panels", FAST, "--seed", "5", "--engine", "serial"]
    command = [sys.executable, "-m", "simulate.scaling", "--out", str(tmp_path), *arguments]
    ledger = tmp_path / "results.jsonl"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not ledger.exists() or ledger.read_bytes().count(b"\n") < 2:
            assert process.poll() is None
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    with ledger.open("ab") as stream:
        stream.write(b'{"task": "torn')
    before = ledger.read_bytes().splitlines()[:-1]
    assert not (tmp_path / "verdict.json").exists()
    done = scaling(tmp_path, "--panels", FAST, "--seed", "5", "--engine", "serial", "--resume")
    assert done.code == 0
    assert files(tmp_path) == files(finished)
    assert set(before) <= set(ledger.read_bytes().splitlines())


@pytest.mark.slow  # tests/simulate/jobs has the same of a smaller job
def test_a_full_disk_leaves_whole_files(finished: Path, tmp_path: Path) -> None:
    """No room for a figure: one clear line, no part of a file; resume completes the folder.

    A limit on the size of files stands for the full disk: the kernel refuses to write on.
    """
    arguments = ["--quick", "--panels", FAST, "--seed", "5", "--engine", "serial"]
    command = [sys.executable, "-m", "simulate.scaling", "--out", str(tmp_path), *arguments]
    limited = ["sh", "-c", 'ulimit -f 200; exec "$@"', "sh", *command]
    stopped = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert stopped.returncode == 2
    assert stopped.stderr == "error: [Errno 27] File too large\n"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{FAST}.csv", "results.jsonl", "results.lock"}
    assert files(tmp_path).items() <= files(finished).items()
    done = scaling(tmp_path, "--panels", FAST, "--seed", "5", "--engine", "serial", "--resume")
    assert done.code == 0
    assert files(tmp_path) == files(finished)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_workers_end_with_a_killed_driver(tmp_path: Path) -> None:
    """SIGKILL to the driver: no worker outlives it."""
    job = ["--quick", "--panels", FAST, "--out", str(tmp_path), "--jobs", "2"]
    command = [sys.executable, "-m", "simulate.scaling", *job]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        ledger = tmp_path / "results.jsonl"
        while not ledger.exists() or ledger.read_bytes().count(b"\n") < 2:
            assert process.poll() is None
            time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        os.kill(process.pid, signal.SIGKILL)
    for _ in range(100):
        alive = [child for child in children if Path(f"/proc/{child}/cmdline").exists()]
        if not alive:
            break
        time.sleep(0.1)
    assert not alive


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "linear_readout.png").write_text("of an earlier run")
    assert scaling(tmp_path, "--panels", FAST, "--engine", "serial").code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "linear_readout.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--full"], "quick and full exclude each other"),
        (["--seed", "-1"], "seed must be at least 0; got -1"),
        (["--jobs", "0"], "jobs must be at least 1; got 0"),
        (["--panels", "no_such_panel"], "panels must be among"),
        (["--formats"], "formats must name at least one"),
        (["--scheduler", "tcp://127.0.0.1:1"], "scheduler must come with engine dask"),
        (["--engine", "dask", "--scheduler", "here"], "scheduler must be an address like tcp"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = scaling(tmp_path / "out", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_out_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = scaling(tmp_path / "file" / "out")
    assert done.code == 2
    assert "out must be a folder that can be written" in done.err
    assert done.err.count("\n") == 1


def test_resuming_another_seed_is_refused(finished: Path) -> None:
    before = files(finished)
    done = scaling(finished, "--panels", FAST, "--seed", "7", "--resume")
    assert done.code == 2
    assert "differs in seed" in done.err
    assert files(finished) == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_the_whole_job_passes(tmp_path: Path, seed: int) -> None:
    """Twenty seeds, all panels: a correct theory is not refuted."""
    done = scaling(tmp_path, "--seed", str(seed), "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["checks"]) >= 20
