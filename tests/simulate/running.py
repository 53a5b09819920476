"""Commands and panels run in the process of the tests."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest

from simulate.jobs.panel import QUICK, Effort, Panel
from theory import command_line

Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


def run(main: Main, *arguments: str) -> Outcome:
    """The command as a shell would run it, with its exit code and one-line errors."""
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        command_line.run(lambda: main(arguments))
    assert isinstance(ended.value.code, int)
    return Outcome(ended.value.code, out.getvalue(), err.getvalue())


def results(panel: Panel, seed: int = 0, effort: Effort = QUICK) -> list[Any]:
    """Results of a panel's tasks as a job has them, made of the journal's JSON."""
    return [
        task.typed(json.loads(json.dumps(task.run(seed, index))))
        for index, task in enumerate(panel.tasks(effort))
    ]


def failed(panel: Panel, found: Sequence[Any]) -> list[str]:
    """Ids of the panel's checks that these results fail."""
    return [check.id for check in panel.checks(found) if not check.passed]
