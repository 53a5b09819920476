"""`python -m train.study --quick` as a user runs it, and faults planted in its rows."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("torch")

from simulate.jobs.panel import QUICK, Row
from train.panels import PANELS
from train.training.presets import PRESETS


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study")
    command = [sys.executable, "-m", "train.study", "--quick", "--out", str(out), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["passed"] is True
    return out


@pytest.fixture(scope="module")
def rows(finished: Path) -> dict[str, list[Row]]:
    """Each panel's rows, as its checks and table see them."""
    lines = (finished / "results.jsonl").read_text().splitlines()[1:]
    results = {line["task"]: line["result"] for line in map(json.loads, lines)}
    return {
        name: [{**task.arguments, **results[task.name]} for task in panel.tasks(QUICK)]
        for name, panel in PANELS.items()
    }


def test_files(finished: Path) -> None:
    """Every panel has its figure and its numbers; the verdict says what was asked."""
    for name in PANELS:
        for ending in ("csv", "png", "svg"):
            assert (finished / f"{name}.{ending}").stat().st_size > 0
    checks = json.loads((finished / "verdict.json").read_text())["checks"]
    assert {check["panel"] for check in checks} == set(PANELS)


def failed(name: str, rows: list[Row]) -> int:
    return sum(not check.passed for check in PANELS[name].checks(rows))


@pytest.mark.parametrize(
    ("panel", "fault"),
    [
        ("learned_codes", {"mask_agreement": 0.99}),
        ("learned_codes", {"total_variation": {"estimate": 0.0501, "standard_error": 1e-4}}),
        ("mechanism_map", {"units": {"clamp": 32, "complement": 32, "neither": 0}}),
        ("controls", {"failures": 50_000}),
    ],
)
def test_planted_faults(rows: dict[str, list[Row]], panel: str, fault: Row) -> None:
    """Numbers of a worse network fail the checks that the real ones pass."""
    assert failed(panel, rows[panel]) == 0
    worse = [copy.deepcopy(row) | fault for row in rows[panel]]
    assert failed(panel, worse) > 0


def test_failing_more_often_than_random_hashes(rows: dict[str, list[Row]]) -> None:
    """The best random hashes fail on 1.585 % here: 700 of 100,000 pass, 1,600 do not."""
    (row,) = rows["learned_codes"]
    best = row | asdict(PRESETS["best"])
    best |= {"total_variation": {"estimate": 0.008, "standard_error": 1e-4}}
    assert failed("learned_codes", [best | {"failures": 700}]) == 0
    assert failed("learned_codes", [best | {"failures": 1_600}]) == 1


def test_every_effort_has_its_own_names() -> None:
    """Tasks can share a ledger: no name twice, no recipe out of its range."""
    from simulate.jobs.panel import DEFAULT, FULL

    for effort in (QUICK, DEFAULT, FULL):
        names = [task.name for panel in PANELS.values() for task in panel.tasks(effort)]
        assert len(names) == len({*names})
