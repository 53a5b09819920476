"""The sweep engine: the same bytes from every engine, and a ledger that loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulate.jobs.journal import Journal
from simulate.jobs.tasks import SweepError, Task, distinct, fingerprint, run
from tests.simulate.jobs.driver import die
from theory.domain import DomainError

HEADER = {"job": "test", "seed": 3}


def draw(rng: np.random.Generator, scale: float) -> dict[str, Any]:
    return {"value": scale * rng.random()}


def fail(rng: np.random.Generator) -> dict[str, Any]:
    raise ValueError("planted")


TASKS = [Task(f"draw/{i}", draw, {"scale": float(i + 1)}, cost=i % 3) for i in range(12)]


def results(path: Path, resume: bool = False, tasks=TASKS, **options: Any) -> list[dict[str, Any]]:
    with Journal(path / "results.jsonl", HEADER, resume) as ledger:
        return run(tasks, 3, ledger, **options)


def recorded(path: Path) -> list[str]:
    """Names of the tasks in the ledger's order."""
    lines = (path / "results.jsonl").read_text().splitlines()[1:]
    return [json.loads(line)["task"] for line in lines]


@pytest.mark.parametrize(("engine", "jobs"), [("processes", 1), ("processes", 2), ("dask", 2)])
def test_every_engine_gives_the_same_bytes(tmp_path: Path, engine: str, jobs: int) -> None:
    """One worker or two, processes or Dask: the results and the ledger of the serial engine."""
    serial = results(tmp_path / "a", engine="serial")
    assert serial == results(tmp_path / "b", engine=engine, jobs=jobs)
    ledgers = [(tmp_path / name / "results.jsonl").read_bytes() for name in "ab"]
    assert ledgers[0] == ledgers[1]


def test_a_result_depends_on_its_place_alone(tmp_path: Path) -> None:
    serial = results(tmp_path / "a", engine="serial")
    stream = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(4,)))
    assert serial[4]["value"] == 5.0 * stream.random()
    assert serial == results(tmp_path / "d", tasks=TASKS[:6], engine="serial") + serial[6:]


def test_equal_tasks_count_once_and_different_ones_cannot_share_a_name() -> None:
    again = [Task(task.name, draw, dict(task.arguments), task.cost) for task in TASKS]
    assert distinct([*TASKS, *again[::-1]]) == TASKS
    for other in (
        Task("draw/3", draw, {"scale": 4.5}, cost=0),
        Task("draw/3", fail, {"scale": 4.0}, cost=0),
    ):
        with pytest.raises(ValueError, match="draw/3"):
            distinct([*TASKS, other])


def test_a_complete_ledger_is_in_the_tasks_order(tmp_path: Path) -> None:
    """Whatever the order of execution; results of other tasks are kept behind them."""
    results(tmp_path, engine="serial")
    assert recorded(tmp_path) == [task.name for task in TASKS]
    results(tmp_path, tasks=TASKS[6:], resume=True, engine="serial")
    assert recorded(tmp_path) == [task.name for task in TASKS[6:] + TASKS[:6]]


def test_resume_repeats_nothing_and_mends_a_torn_line(tmp_path: Path) -> None:
    whole = results(tmp_path, engine="serial")
    path = tmp_path / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for kept, torn in ((1, b""), (5, lines[5][:9]), (12, lines[12][:-1])):
        path.write_bytes(b"".join(lines[:kept]) + torn)
        assert results(tmp_path, resume=True, engine="serial") == whole
        assert path.read_bytes() == b"".join(lines)


def test_resume_in_an_empty_folder_starts(tmp_path: Path) -> None:
    assert results(tmp_path / "new", resume=True, engine="serial") == results(
        tmp_path / "other", engine="serial"
    )


def test_a_ledger_whose_header_is_torn_starts_again(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_bytes(b'{"schema": 1, "jo')
    assert len(results(tmp_path, resume=True, engine="serial")) == len(TASKS)


def test_without_resume_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    results(tmp_path, engine="serial")
    results(tmp_path, tasks=TASKS[:2], engine="serial")
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    results(tmp_path, engine="serial")
    before = (tmp_path / "results.jsonl").read_bytes()
    with pytest.raises(DomainError, match="differs in seed"):
        Journal(tmp_path / "results.jsonl", HEADER | {"seed": 4}, resume=True)
    assert (tmp_path / "results.jsonl").read_bytes() == before


def test_two_runs_on_one_ledger(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "results.jsonl", HEADER, resume=False),
        pytest.raises(DomainError, match="out must not be in use"),
    ):
        Journal(tmp_path / "results.jsonl", HEADER, resume=True)
    Journal(tmp_path / "results.jsonl", HEADER, resume=True).__exit__()


def test_a_failing_task_is_named_and_the_rest_completes(tmp_path: Path) -> None:
    tasks = [*TASKS[:3], Task("bad one", fail, {}), *TASKS[3:]]
    with pytest.raises(SweepError, match=r"bad one.*planted"):
        results(tmp_path, tasks=tasks, engine="serial")
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 1 + len(TASKS)


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_a_killed_worker_loses_nothing(tmp_path: Path, engine: str) -> None:
    """A task that kills its worker once is repeated; all results equal an undisturbed run's."""
    once = Task("once", die, {"deaths": str(tmp_path / "deaths"), "most": 1})
    found = results(tmp_path, tasks=[*TASKS, once], engine=engine, jobs=2)
    assert found == [*results(tmp_path / "calm", engine="serial"), {"value": 1.0}]


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_a_deadly_task_is_named_and_the_rest_completes(tmp_path: Path, engine: str) -> None:
    """Three workers die, alone with it after the first; the innocent tasks beside it are done."""
    deaths = tmp_path / "deaths"
    deadly = Task("deadly", die, {"deaths": str(deaths)}, cost=9.0)
    with pytest.raises(SweepError, match="deadly"):
        results(tmp_path, tasks=[*TASKS, deadly], engine=engine, jobs=2)
    assert deaths.read_text() == "x" * 3
    assert set(recorded(tmp_path)) == {task.name for task in TASKS}


def test_results_must_be_json(tmp_path: Path) -> None:
    """NaN would make the ledger unreadable elsewhere: its task fails by name, the rest is kept."""
    tasks = [Task("nan", draw, {"scale": float("nan")}), *TASKS]
    with pytest.raises(SweepError, match=r"nan.*not JSON compliant"):
        results(tmp_path, tasks=tasks, engine="serial")
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 1 + len(TASKS)


def test_a_torn_line_may_end_in_a_newline(tmp_path: Path) -> None:
    whole = results(tmp_path, engine="serial")
    path = tmp_path / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + b'{"task": "torn\n' + lines[4])
    assert results(tmp_path, resume=True, engine="serial") == whole
    assert sorted(path.read_bytes().splitlines()) == sorted(line.strip() for line in lines)


def test_a_foreign_file_is_not_overwritten_by_resume(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("hello\n")
    with pytest.raises(DomainError, match=r"foreign results\.jsonl"):
        results(tmp_path, resume=True, engine="serial")
    assert (tmp_path / "results.jsonl").read_text() == "hello\n"


def test_fingerprint_tells_arguments_apart() -> None:
    changed = [Task(TASKS[0].name, draw, {"scale": 9.0}), *TASKS[1:]]
    assert fingerprint(TASKS) != fingerprint(changed)
    assert fingerprint(TASKS) == fingerprint(list(TASKS))


def test_an_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DomainError, match="out must be a folder that can be written"):
        Journal(tmp_path / "file" / "results.jsonl", HEADER, resume=False)


class TestTime:
    """How long a job took, over all the runs that it needed."""

    def seconds(self, folder: Path, resume: bool = True) -> float | None:
        with Journal(folder / "results.jsonl", HEADER, resume) as journal:
            return journal.seconds

    def test_what_earlier_runs_took_is_counted_to_their_last_result(self, tmp_path):
        results(tmp_path, tasks=TASKS[:6], engine="serial")
        (tmp_path / "results.seconds").write_text("1000.5\n")
        found = self.seconds(tmp_path)
        assert found is not None
        assert 1000.5 <= found < 1060.0
        results(tmp_path, resume=True, engine="serial")
        assert 1000.5 < float((tmp_path / "results.seconds").read_text()) < 1060.0

    @pytest.mark.parametrize("left", [None, "", "a while", "nan", "-1"])
    def test_a_time_that_is_lost_is_not_told(self, tmp_path, left):
        results(tmp_path, tasks=TASKS[:6], engine="serial")
        path = tmp_path / "results.seconds"
        path.unlink() if left is None else path.write_text(left)
        with Journal(tmp_path / "results.jsonl", HEADER, resume=True) as journal:
            assert journal.seconds is None
            assert journal.untimed == 6

    def test_a_run_from_nothing_forgets_earlier_ones(self, tmp_path):
        results(tmp_path, tasks=TASKS[:6], engine="serial")
        (tmp_path / "results.seconds").write_text("1000.5\n")
        found = self.seconds(tmp_path, resume=False)
        assert found is not None
        assert found < 60.0
        again = self.seconds(tmp_path)  # stopped before its first result
        assert again is not None
        assert again < 60.0
