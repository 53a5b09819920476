"""Every job of the report is run from its one declaration, in order, and kept when it is done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from reports.jobs import JOBS, SCALING, SOURCE_ANALYSIS, SOURCE_NETWORK
from reports.reproduce import main
from tests.reports.planted import save_run


def commands(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["--list", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_every_job_once_after_what_it_reads(tmp_path, capsys):
    listed = commands(capsys, "--out", str(tmp_path))
    assert len(listed) == len(JOBS)
    folders = [job.folder for job in JOBS]
    assert len(set(folders)) == len(folders)
    for job in JOBS:
        if job.reads is not None:
            assert folders.index(job.reads.folder) < folders.index(job.folder)
    assert listed[0] == f"python -m simulate.scaling --out {tmp_path}/scaling --resume"


def test_quick_runs_are_small(tmp_path, capsys):
    listed = commands(capsys, "--out", str(tmp_path), "--quick")
    assert sum("--quick" in command for command in listed) >= 3


def test_finished_jobs_are_kept(tmp_path, capsys):
    save_run(tmp_path, SCALING)
    assert len(commands(capsys, "--out", str(tmp_path))) == len(JOBS) - 1


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.folder)
def test_the_commands_accept_their_options(job, capsys):
    """Their options are those of the commands' own parsers."""
    import importlib

    module = importlib.import_module(job.module)
    known = set()
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    known = set(capsys.readouterr().out.replace(",", " ").split())
    given = shlex.split(" ".join(job.arguments("results")))
    options = {each for each in given if each.startswith("--")}
    options |= {each for each in job.quick if each.startswith("--")}
    options |= {"--resume"} if job.resumes else set()
    assert options <= known


def test_the_makefile_repeats_none(tmp_path):
    text = Path("Makefile").read_text()
    reproduce = text.partition("\nreproduce:")[2].partition("\n\n")[0]
    assert "reports.reproduce" in reproduce
    assert [job.folder for job in JOBS if re.search(rf"/{job.folder}\b", text)] == []
    assert [job for job in (SOURCE_NETWORK, SOURCE_ANALYSIS) if job.module in reproduce] == []
