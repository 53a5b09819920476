"""A job of panels: tasks run on any engine, then checks, tables, figures and a verdict."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from theory import command_line
from theory.domain import DomainError, check_integer

if TYPE_CHECKING:
    from simulate.jobs.panel import Panel

Engine = Literal["serial", "processes", "dask"]
Format = Literal["png", "svg", "pdf"]


@dataclass(frozen=True)
class PanelJob:
    """Runs the panels of a registry; a command is a subclass that names its registry.

    Writes one figure (PNG, SVG) and its CSV per panel, verdict.json, run.json and the ledger
    results.jsonl into the output folder.
    """

    MODULE: ClassVar[str]

    quick: bool = False
    """Small samples."""
    full: bool = False
    """Samples for a paper."""
    seed: int = 0
    """Seed of every random stream, at least 0."""
    out: Path = Path("reports/results")
    """Folder for the results. An earlier run in it is replaced; other files are left alone."""
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Worker processes, at least 1; on a running Dask cluster its own workers are used."""
    engine: Engine = "processes"
    """Where tasks run; the results are the same bytes on every engine."""
    scheduler: str | None = None
    """Address tcp://host:port of a running Dask cluster, for engine dask."""
    resume: bool = False
    """Continue an interrupted run of the same configuration and seed."""
    formats: tuple[Format, ...] = ("png", "svg")
    """File formats of the figures."""
    panels: tuple[str, ...] = ()
    """Names of the panels to run; all of them if none is named."""
    json: bool = False
    """Print the verdict as one JSON object."""

    def registry(self) -> Mapping[str, Panel]:
        """All panels by name, in the order of the report."""
        raise NotImplementedError

    def run(self) -> int:
        if self.quick and self.full:
            raise DomainError("quick and full exclude each other")
        check_integer("seed", self.seed, 0)
        check_integer("jobs", self.jobs, 1)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        from simulate.jobs.engines import check_engine
        from simulate.jobs.tasks import SweepError

        check_engine(self.engine, self.scheduler)
        started = time.monotonic()
        try:
            verdict = self._measure(started)
        except SweepError as error:
            print(f"error: {error}", file=sys.stderr)
            return command_line.CHECK_FAILED
        if self.json:
            command_line.print_json(verdict)
        return command_line.DONE if verdict["passed"] else command_line.CHECK_FAILED

    def _measure(self, started: float) -> dict[str, Any]:
        from simulate.jobs import output, style
        from simulate.jobs import tasks as sweep
        from simulate.jobs.checks import verdict
        from simulate.jobs.engines import open_pool
        from simulate.jobs.journal import Journal
        from simulate.jobs.panel import DEFAULT, FULL, QUICK, files

        panels = self.registry()
        unknown = [name for name in self.panels if name not in panels]
        if unknown:
            known = ", ".join(panels)
            raise DomainError(f"panels must be among {known}; got {', '.join(unknown)}")
        chosen = [panels[name] for name in dict.fromkeys(self.panels or panels)]
        effort = QUICK if self.quick else FULL if self.full else DEFAULT
        configuration = {
            "job": self.MODULE,
            "effort": effort.name,
            "seed": self.seed,
            "panels": [panel.name for panel in chosen],
        }
        tasks = {panel.name: panel.tasks(effort) for panel in chosen}
        # panels may share a task, whose row each of them then has
        every_task = sweep.distinct([task for panel in chosen for task in tasks[panel.name]])
        configuration["tasks"] = sweep.fingerprint(every_task)
        with Journal(self.out / "results.jsonl", configuration, self.resume) as ledger:
            # of an interrupted run, whose time is not in `seconds`
            kept = {"results_kept": len(ledger.results)}
            self._remove_earlier(panels, style.FORMATS)
            with sweep.progress_bar(every_task, ledger) as on_progress:
                results = sweep.run(
                    every_task,
                    self.seed,
                    ledger,
                    self.engine,
                    self.jobs,
                    self.scheduler,
                    on_progress,
                )
            rows = {
                task.name: {**task.arguments, **result}
                for task, result in zip(every_task, results, strict=True)
            }
            own = {panel.name: [rows[task.name] for task in tasks[panel.name]] for panel in chosen}
            checks = [check for panel in chosen for check in panel.checks(own[panel.name])]
            with open_pool("serial" if self.engine == "serial" else "processes", self.jobs) as pool:
                drawn = [
                    pool.executor.submit(files, panel, own[panel.name], self.formats)
                    for panel in chosen
                ]
                for made in drawn:
                    for name, content in made.result().items():
                        output.write_whole(self.out / name, content)
            command = output.command_of(self.MODULE)
            output.write_whole(self.out / "figures.md", figures_page(chosen, command))
            record = verdict(checks)
            output.write_whole(self.out / "verdict.json", output.as_json(record))
            seconds = time.monotonic() - started
            run_record = output.run_record(command, configuration | kept, seconds)
            output.write_whole(self.out / "run.json", output.as_json(run_record))
        self._report(record, seconds)
        return record

    def _remove_earlier(self, names: Any, formats: tuple[str, ...]) -> None:
        """An earlier run's figures and verdict must not stand beside a new ledger."""
        for name in ("verdict.json", "run.json", "figures.md"):
            (self.out / name).unlink(missing_ok=True)
        for panel in names:
            for ending in ("csv", *formats):
                (self.out / f"{panel}.{ending}").unlink(missing_ok=True)

    def _report(self, verdict: dict[str, Any], seconds: float) -> None:
        checks = verdict["checks"]
        failed = [check for check in checks if not check["passed"]]
        for check in failed:
            low, high = check["interval"]
            print(
                f"FAILED  {check['panel']}: {check['name']}: predicted {check['predicted']:.6g}, "
                f"observed {check['observed']:.6g}, interval [{low}, {high}]",
                file=sys.stderr,
            )
        by_panel: dict[str, list[bool]] = {}
        for check in checks:
            by_panel.setdefault(check["panel"], []).append(check["passed"])
        for panel, passed in by_panel.items():
            print(f"{sum(passed):>4} of {len(passed):<4} {panel}", file=sys.stderr)
        print(
            f"{'PASSED' if verdict['passed'] else 'FAILED'}: {len(checks) - len(failed)} of "
            f"{len(checks)} checks, false-alarm budget {verdict['false_alarm_budget']:.1e}, "
            f"{seconds:.0f} s, results in {self.out}",
            file=sys.stderr,
        )


def figures_page(panels: Sequence[Panel], command: str) -> str:
    """Markdown with every figure's caption, its numbers, and the command that made it."""
    sections = [f"# Figures of `{command}`\n\nBars on measured points are 95 % intervals.\n"]
    for panel in panels:
        name = panel.name
        sections.append(f"## {name}\n\n{panel.caption}\n\nNumbers: [{name}.csv]({name}.csv)\n")
    return "\n".join(sections)
