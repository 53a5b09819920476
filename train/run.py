"""`python -m train.run`: train one network.

Exit code 0 when it is trained, 1 when the training diverged, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from theory import command_line
from theory.domain import DomainError
from train import check_installed
from train.reading.names import NETWORK
from train.training.presets import NAMES, SCALED, preset_named
from train.training.recipe import Execution, Recipe

if TYPE_CHECKING:
    from train.measures import MeasuresRecord
    from train.training.fit import State

# checkpoints take at most this share of the time, whatever the disk
CHECKPOINTS_SHARE = 0.02

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"
MEASURES = "measures.json"
SNAPSHOTS = "snapshots"


@dataclass(frozen=True)
class Run:
    """Train one network; every field of a preset's recipe is a flag.

    Writes network.safetensors, snapshots/step_*.safetensors, metrics.jsonl (one row per milestone),
    measures.json (on 100,000 fresh inputs), checkpoint.safetensors and run.json into the output
    folder.
    """

    MODULE: ClassVar[str] = "train.run"

    preset: Annotated[
        str,
        tyro.conf.arg(
            help=f"The recipe whose fields are the defaults of the other flags: {', '.join(NAMES)}."
        ),
    ]
    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    execution: Annotated[Execution, tyro.conf.arg(name="")]
    out: Path
    """Folder for the results. An earlier run in it is replaced; other files are left alone."""
    resume: bool = False
    """Continue an interrupted run of the same recipe, device, threads and compile."""
    json: bool = False
    """Print the measures as one JSON object."""

    def run(self) -> int:
        check_installed()
        self._check_machine()
        from simulate.jobs.journal import lock
        from simulate.jobs.output import as_plain
        from train.training.fit import DivergedError

        started = time.monotonic()
        held = lock(self.out / "run.lock")
        try:
            measures = self._train(started)
        except DivergedError as error:
            kept = self.out / CHECKPOINT
            where = f"{kept} is from before" if kept.exists() else "there is no earlier checkpoint"
            print(f"error: training diverged, {error}; {where}", file=sys.stderr)
            return command_line.CHECK_FAILED
        finally:
            held.release()
        if self.json:
            command_line.print_json(as_plain(measures))
        else:
            self._report(measures)
        return command_line.DONE

    def _check_machine(self) -> None:
        """Raise DomainError unless this machine has what the execution needs."""
        import torch

        if self.execution.device == "cuda" and not torch.cuda.is_available():
            raise DomainError("device must be cpu where PyTorch finds no GPU; got cuda")
        compilers = (os.environ.get("CXX"), "c++", "g++", "clang++")
        if self.execution.compile and not any(name and which(name) for name in compilers):
            raise DomainError("compile needs a C++ compiler, such as g++")

    def _train(self, started: float) -> MeasuresRecord:
        import torch

        from simulate.jobs import output
        from simulate.jobs.folder import ResultFolder
        from train import measures
        from train.training.fit import finish

        torch.set_num_threads(self.execution.threads)
        state = self._start()
        first = state.step
        if self.execution.compile:
            state.model.compile()
        with self._recorder(state) as on_milestone:
            finish(state, on_milestone)
        measures.save_network(self.out / NETWORK, state, self.preset)
        found = measures.measures(state, self.preset)
        folder = ResultFolder(self.out)
        folder.write_record(MEASURES, found)
        configuration = {
            "job": self.MODULE,
            "preset": self.preset,
            "recipe": asdict(self.recipe),
            "execution": asdict(self.execution),
            output.RESUMED_AT_STEP: first,
        }
        record = output.run_record(
            output.command_of(self.MODULE),
            configuration,
            time.monotonic() - started,
            packages=("torch", "safetensors"),
            threads=self.execution.threads,
        )
        folder.finish(record)
        return found

    def _start(self) -> State:
        """The state to go on from, with the folder brought to the same step."""
        from simulate.jobs.folder import ResultFolder
        from train import measures
        from train.training import checkpoint
        from train.training.fit import begin

        snapshots = self.out / SNAPSHOTS
        snapshots.mkdir(exist_ok=True)
        for folder in (self.out, snapshots):  # what a kill in the middle of a write has left
            for unfinished in folder.glob(".*.safetensors.*"):
                unfinished.unlink()
        path = self.out / CHECKPOINT
        if self.resume and path.exists():
            state = checkpoint.load(path, self.recipe, self.execution)
            ResultFolder(self.out).write(METRICS, self._rows_until(state))
            print(f"resuming at step {state.step} of {self.recipe.steps}", file=sys.stderr)
            return state
        # the checkpoint before what it stands on: that alone is nothing to resume from
        ResultFolder(self.out).begin(files=(CHECKPOINT, METRICS, NETWORK, MEASURES))
        for earlier in snapshots.glob("step_*.safetensors"):
            earlier.unlink()
        state = begin(self.recipe, self.execution.device)
        measures.save_network(self._snapshot(state), state, self.preset)
        return state

    def _rows_until(self, state: State) -> bytes:
        """The metrics up to the checkpoint; those of later steps will come again."""
        from train.training.fit import milestones

        path = self.out / METRICS
        kept, steps = b"", []
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            try:
                step = json.loads(line)["step"]
            except (ValueError, TypeError, KeyError):
                break
            if step > state.step:
                break
            kept += line
            steps.append(step)
        if steps != [step for step in milestones(self.recipe.steps) if step <= state.step]:
            raise DomainError(
                f"{path} must hold the rows up to its checkpoint, step {state.step}: leave out "
                "--resume to start anew"
            )
        return kept

    @contextmanager
    def _recorder(self, state: State) -> Iterator[Callable[[State, float], None]]:
        """What is kept of a milestone: a row, a snapshot, and last of all, if due, a checkpoint."""
        from simulate.jobs.progress import progress
        from train import measures
        from train.training import checkpoint
        from train.training.fit import judge, rate

        with (
            (self.out / METRICS).open("ab") as metrics,
            progress(self.recipe.steps, state.step) as advance,
        ):
            due, reached = 0.0, state.step

            def keep(state: State, loss: float) -> None:
                nonlocal due, reached
                found = judge(state)
                row = {
                    "step": state.step,
                    "loss": loss,
                    "total_variation": found.total_variation,
                    "kl": found.kl,
                    "failure_rate": found.failure_rate,
                    "learning_rate_share": rate(self.recipe, state.step - 1),
                }
                metrics.write(json.dumps(row, allow_nan=False).encode() + b"\n")
                metrics.flush()
                measures.save_network(self._snapshot(state), state, self.preset)
                started = time.monotonic()
                if started >= due or state.done:
                    os.fsync(metrics.fileno())  # the rows that a checkpoint stands on
                    checkpoint.save(self.out / CHECKPOINT, state, self.execution)
                    ended = time.monotonic()
                    due = ended + (ended - started) / CHECKPOINTS_SHARE
                advance(
                    state.step - reached,
                    f"loss {loss:.4f}, TV {found.total_variation:.4f}, "
                    f"failures {found.failure_rate:.4f}",
                )
                reached = state.step

            yield keep

    def _snapshot(self, state: State) -> Path:
        return self.out / SNAPSHOTS / f"step_{state.step:06d}.safetensors"

    def _report(self, measures: MeasuresRecord) -> None:
        for name, found in {
            "total variation": measures.total_variation,
            "KL, nats": measures.kl,
            "squared error": measures.squared_error,
            "failure rate": measures.failure_rate,
        }.items():
            low, high = found.interval
            print(f"{name:16} {found.value:.5g}  [{low:.5g}, {high:.5g}] (95 %)")
        if measures.held_out:
            print("measured on all token sets, those that training never drew among them")
        if best := measures.best_random_filter:
            print(f"the best random filter, m = {best.m}, fails on {best.failure_probability:.5g}")
        print(f"results in {self.out}", file=sys.stderr)


def named_preset(arguments: Sequence[str] | None) -> tuple[str, Recipe]:
    """The preset that a command line names, and its recipe: the defaults of the other flags.

    That of `scaled` follows from the sizes on the command line.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", default="source")
    for size in ("n", "k", "d", "start"):
        parser.add_argument(f"--{size}")
    given = vars(parser.parse_known_args(arguments)[0])
    name = given.pop("preset")
    sizes: dict[str, Any] = {}
    for size, text in given.items():
        if name == SCALED and text is not None:
            # what reads the whole command line will say what is wrong with one that is no integer
            with suppress(ValueError):
                sizes[size] = text if size == "start" else int(text)
    return name, preset_named(name, sizes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and train."""
    name, recipe = named_preset(arguments)
    defaults = Run(name, recipe, Execution(), Path("reports/results/train") / name)
    return command_line.parsed(Run, Run.MODULE, __doc__, arguments, default=defaults).run()


if __name__ == "__main__":
    command_line.run(main)
