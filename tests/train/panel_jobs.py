"""A job of panels run in small, here, and the results that its panels judge."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from simulate.jobs.panel import QUICK, Panel
from theory import command_line

Registry = Mapping[str, Panel[Any, Any]]
Results = dict[str, list[Any]]


def run_quick(main: Callable[[Sequence[str]], int], out: Path, *more: str) -> Path:
    """The folder of a finished quick run, in which every check passed."""
    arguments = ["--quick", "--engine", "serial", "--formats", "svg", "--out", str(out), *more]
    assert main(arguments) == command_line.DONE
    return out


def results_of(out: Path, registry: Registry) -> Results:
    """Each panel's results, as its checks and table see them."""
    lines = (out / "results.jsonl").read_text().splitlines()[1:]
    found = {line["task"]: line["result"] for line in map(json.loads, lines)}
    return {
        name: [task.typed(found[task.name]) for task in panel.tasks(QUICK)]
        for name, panel in registry.items()
    }
