"""A job of panels: tasks run on any engine, then checks, tables, figures and a verdict."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from theory import command_line
from theory.domain import DomainError, check_integer

if TYPE_CHECKING:
    from simulate.jobs.checks import Verdict
    from simulate.jobs.figure import RenderedFigure
    from simulate.jobs.panel import Panel

Engine = Literal["serial", "processes", "dask"]
Format = Literal["png", "svg", "pdf"]


@dataclass(frozen=True)
class PanelJob:
    """Runs the panels of a registry; a command is a subclass that names its registry.

    Writes one figure (PNG, SVG) and its CSV per panel, verdict.json, run.json and the journal
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

    def registry(self) -> Mapping[str, Panel[Any, Any]]:
        """All panels by name, in the order of the report."""
        raise NotImplementedError

    def run(self) -> int:
        """Measure, judge, draw; returns the exit code. Raises DomainError for a bad option."""
        if self.quick and self.full:
            raise DomainError("quick and full exclude each other")
        check_integer("seed", self.seed, 0)
        check_integer("jobs", self.jobs, 1)
        if not self.formats:
            raise DomainError("formats must name at least one of png, svg, pdf")
        from simulate.jobs.engines import check_engine
        from simulate.jobs.output import as_plain
        from simulate.jobs.tasks import SweepError

        check_engine(self.engine, self.scheduler)
        started = time.monotonic()
        try:
            verdict = self._measure(started)
        except SweepError as error:
            print(f"error: {error}", file=sys.stderr)
            return command_line.CHECK_FAILED
        if self.json:
            command_line.print_json(as_plain(verdict))
        return command_line.DONE if verdict.passed else command_line.CHECK_FAILED

    def _chosen(self) -> list[Panel[Any, Any]]:
        panels = self.registry()
        unknown = [name for name in self.panels if name not in panels]
        if unknown:
            known = ", ".join(panels)
            raise DomainError(f"panels must be among {known}; got {', '.join(unknown)}")
        return [panels[name] for name in dict.fromkeys(self.panels or panels)]

    def _measure(self, started: float) -> Verdict:
        from simulate.jobs import output, tasks
        from simulate.jobs.checks import verdict
        from simulate.jobs.engines import open_pool
        from simulate.jobs.folder import ResultFolder
        from simulate.jobs.journal import NAME, Journal
        from simulate.jobs.panel import DEFAULT, FULL, QUICK
        from simulate.jobs.progress import progress

        chosen = self._chosen()
        effort = QUICK if self.quick else FULL if self.full else DEFAULT
        configuration = {
            "job": self.MODULE,
            "effort": effort.name,
            "seed": self.seed,
            "panels": [panel.name for panel in chosen],
        }
        own_tasks = {panel.name: panel.tasks(effort) for panel in chosen}
        # panels may share a task, whose result each of them then has
        every_task = tasks.distinct([task for panel in chosen for task in own_tasks[panel.name]])
        configuration["tasks"] = tasks.fingerprint(every_task)
        folder = ResultFolder(self.out)
        with Journal(self.out / NAME, configuration, self.resume) as journal:
            kept = {output.RESULTS_KEPT: journal.untimed}
            if journal.results:
                print(
                    f"resuming: {len(journal.results)} of {len(every_task)} tasks are done",
                    file=sys.stderr,
                )
            folder.begin(self.registry())
            total = sum(task.cost for task in every_task)
            done = sum(task.cost for task in every_task if task.name in journal.results)
            with progress(total, done) as advance:
                found = tasks.run(
                    every_task,
                    self.seed,
                    journal,
                    self.engine,
                    self.jobs,
                    self.scheduler,
                    lambda task: advance(task.cost),
                )
            results = {task.name: result for task, result in zip(every_task, found, strict=True)}
            own = {
                panel.name: [results[task.name] for task in own_tasks[panel.name]]
                for panel in chosen
            }
            judged = verdict([check for panel in chosen for check in panel.checks(own[panel.name])])
            with (
                open_pool("serial" if self.engine == "serial" else "processes", self.jobs) as pool,
                progress(len(chosen), what="figures") as advance,
            ):
                drawn = []
                for panel in chosen:
                    made = pool.executor.submit(rendered, panel, own[panel.name], self.formats)
                    made.add_done_callback(lambda _: advance(1.0))
                    drawn.append(made)
                for made in drawn:
                    folder.write_figure(made.result())
            command = output.command_of(self.MODULE)
            folder.write_index(f"`{command}`")
            folder.write_verdict(judged)
            seconds = journal.seconds or time.monotonic() - started
            folder.finish(output.run_record(command, configuration | kept, seconds))
        self._report(judged, seconds)
        return judged

    def _report(self, verdict: Verdict, seconds: float) -> None:
        by_panel: dict[str, list[bool]] = {}
        for check in verdict.checks:
            by_panel.setdefault(check.panel, []).append(check.passed)
            if not check.passed:
                low, high = check.interval
                print(
                    f"FAILED  {check.panel}: {check.name}: predicted {check.predicted}, "
                    f"observed {check.observed}, interval [{low}, {high}]",
                    file=sys.stderr,
                )
        for panel, passed in by_panel.items():
            print(f"{sum(passed):>4} of {len(passed):<4} {panel}", file=sys.stderr)
        print(
            f"{'PASSED' if verdict.passed else 'FAILED'}: "
            f"{sum(check.passed for check in verdict.checks)} of {len(verdict.checks)} checks, "
            f"false-alarm budget {verdict.false_alarm_budget:.1e}, {seconds:.0f} s, "
            f"results in {self.out}",
            file=sys.stderr,
        )


def rendered(
    panel: Panel[Any, Any], results: list[Any], formats: tuple[Format, ...]
) -> RenderedFigure:
    """The panel's figure of these results, as files."""
    return panel.figure(results).rendered(formats)
