"""`python -m train.sweep`: train a grid of networks, and tabulate what each became.

Exit code 0 when all are trained, 1 when a task failed, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import csv
import io
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from theory import command_line
from theory.domain import DomainError, check_integer
from train import check_installed
from train.training.presets import preset_named
from train.training.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np

    from simulate.jobs.tasks import Task
    from train.training.fit import State

Engine = Literal["serial", "processes", "dask"]

SCHEMA = 1
CONFIDENCE = 0.95


def _listed(kind: Callable[[str], Any]) -> tyro.constructors.PrimitiveConstructorSpec[Any]:
    """A flag's values, separated by commas or spaces."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="A,B,...",
        instance_from_str=lambda given: tuple(
            kind(value) for each in given for value in each.split(",") if value
        ),
        is_instance=lambda values: isinstance(values, tuple),
        str_from_instance=lambda values: [str(value) for value in values],
    )


def _truth(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError(f"{text} is neither true nor false") from None


Integers = Annotated[tuple[int, ...], _listed(int)]
Reals = Annotated[tuple[float, ...], _listed(float)]
Truths = Annotated[tuple[bool, ...], _listed(_truth)]
Words = Annotated[tuple[str, ...], _listed(str)]


@dataclass(frozen=True)
class Grid:
    """Values of a recipe's fields, separated by commas or spaces; none: the preset's own."""

    n: Integers = ()
    """Vocabulary sizes."""
    d: Integers = ()
    """Residual widths."""
    h: Integers = ()
    """Hidden widths."""
    k: Integers = ()
    """Active tokens in one input."""
    c: Reals = ()
    """Largest coefficients."""
    target_scale: Reals = ()
    """Standard deviations of the target logits, nats."""
    start: Words = ()
    """gaussian, clamp, exact."""
    embedding_scale: Reals = ()
    """Standard deviations of W_E at the start."""
    bias: Reals = ()
    """b_in at the start, in units of embedding_scale."""
    tied: Truths = ()
    """false, true."""
    learning_rate: Reals = ()
    """Largest steps of AdamW, for all but the embeddings."""
    embedding_rate: Reals = ()
    """The same for the embeddings."""
    weight_decay: Reals = ()
    """Decoupled weight decays, for all but the embeddings."""
    embedding_decay: Reals = ()
    """The same for the embeddings."""
    readout_rate: Reals = ()
    """The same for W_U."""
    second_moment: Reals = ()
    """AdamW's memories of squared gradients."""
    cooling: Reals = ()
    """Powers of the cosine with which the rate falls."""
    steps: Integers = ()
    """Optimiser steps."""
    batch: Integers = ()
    """Fresh inputs per step."""
    tokens_a_step: Integers = ()
    """Tokens that one step knows."""
    precision: Words = ()
    """float32, bfloat16."""
    seed: Annotated[Integers, tyro.conf.arg(name="seeds")] = (0,)
    """Seeds of the start and of all inputs."""

    def recipes(self, preset: Callable[[Mapping[str, Any]], Recipe]) -> dict[str, Recipe]:
        """The Cartesian product, by names such as "d=64 seed=0"; preset: of the fields, a recipe.

        A name has the fields of more than one value. DomainError for a recipe out of its range.
        """
        lists = {name: tuple(dict.fromkeys(values)) for name, values in asdict(self).items()}
        lists = {name: values for name, values in lists.items() if values}
        found = {}
        for values in product(*lists.values()):
            chosen = dict(zip(lists, values, strict=True))
            varying = [f"{name}={chosen[name]}" for name in lists if len(lists[name]) > 1]
            found[" ".join(varying) or "network"] = preset(chosen)
        return found

    def varying(self) -> list[str]:
        """The fields of more than one value, in order."""
        return [name for name, values in asdict(self).items() if len({*values}) > 1]


@dataclass(frozen=True)
class Sweep:
    """Train every network of a grid on top of a preset, each on one thread.

    Writes networks.csv, a row per network with its measures and its mechanism, run.json and the
    ledger results.jsonl into the output folder.
    """

    preset: str = "source"
    """Recipe of all that is in no list; see train.run."""
    grid: Annotated[Grid, tyro.conf.arg(name="")] = field(default_factory=Grid)
    out: Path = Path("reports/results/train_sweep")
    """Folder for the results. An earlier sweep in it is replaced; other files are left alone."""
    networks: bool = False
    """Keep every network, in OUT/networks; on a cluster the folder must be a shared one."""
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Worker processes, at least 1; on a running Dask cluster its own workers are used."""
    engine: Engine = "processes"
    """Where networks are trained; the results are the same bytes on every engine."""
    scheduler: str | None = None
    """Address tcp://host:port of a running Dask cluster, for engine dask."""
    resume: bool = False
    """Continue an interrupted sweep of the same grid."""
    json: bool = False
    """Print the rows as one JSON object."""

    def run(self) -> int:
        check_integer("jobs", self.jobs, 1)
        recipes = self.grid.recipes(partial(preset_named, self.preset))
        for recipe in recipes.values():
            if recipe.k >= recipe.n:
                raise DomainError(f"k must be below n = {recipe.n}; got {recipe.k}")
        check_installed()
        from simulate.jobs.engines import check_engine
        from simulate.jobs.tasks import SweepError

        check_engine(self.engine, self.scheduler)
        try:
            rows = self._train(recipes)
        except SweepError as error:
            print(f"error: {error}", file=sys.stderr)
            return command_line.CHECK_FAILED
        if self.json:
            command_line.print_json({"schema": SCHEMA, "networks": rows})
        print(f"{len(rows)} networks in {self.out / 'networks.csv'}", file=sys.stderr)
        return command_line.DONE

    def _train(self, recipes: Mapping[str, Recipe]) -> list[dict[str, Any]]:
        from simulate.jobs import output
        from simulate.jobs import tasks as sweep
        from simulate.jobs.journal import Journal

        started = time.monotonic()
        tasks = [self._task(name, recipe) for name, recipe in recipes.items()]
        configuration = {
            "job": "train.sweep",
            "preset": self.preset,
            "grid": {name: list(values) for name, values in asdict(self.grid).items() if values},
            "networks": self.networks,
            "tasks": sweep.fingerprint(tasks),
        }
        with Journal(self.out / "results.jsonl", configuration, self.resume) as ledger:
            # of an interrupted sweep, whose time is not in `seconds`
            kept = {"results_kept": len(ledger.results)}
            self._remove_earlier()
            with sweep.progress_bar(tasks, ledger) as on_progress:
                # every recipe has its own seed
                results = sweep.run(
                    tasks, 0, ledger, self.engine, self.jobs, self.scheduler, on_progress
                )
            varying = list(dict.fromkeys(["n", "d", "k", "seed", *self.grid.varying()]))
            rows = [
                {name: getattr(recipe, name) for name in varying} | columns(recipe, result)
                for recipe, result in zip(recipes.values(), results, strict=True)
            ]
            output.write_whole(self.out / "networks.csv", as_csv(rows))
            record = output.run_record(
                output.command_of("train.sweep"),
                configuration | kept,
                time.monotonic() - started,
                packages=("torch", "safetensors"),
            )
            output.write_whole(self.out / "run.json", output.as_json(record))
        return rows

    def _task(self, name: str, recipe: Recipe) -> Task:
        from simulate.jobs import tasks as sweep

        function: Callable[..., dict[str, Any]] = train_one
        if self.networks:
            # no argument of the task: a sweep is the same wherever its folder is
            path = self._folder().absolute() / f"{name.replace(' ', ',')}.safetensors"
            function = partial(train_one, network_file=path, preset=self.preset)
        return sweep.Task(name, function, asdict(recipe), seconds(recipe))

    def _folder(self) -> Path:
        return self.out / "networks"

    def _remove_earlier(self) -> None:
        """An earlier sweep's files must not stand beside a new ledger."""
        for name in ("networks.csv", "run.json"):
            (self.out / name).unlink(missing_ok=True)
        if self.networks:
            self._folder().mkdir(exist_ok=True)
        for earlier in self._folder().glob("*.safetensors"):
            if not self.resume:
                earlier.unlink()
        for unfinished in self._folder().glob(".*.safetensors.*"):
            unfinished.unlink()


def seconds(recipe: Recipe) -> float:
    """About how long training takes on one core; the readout's products dominate."""

    def of(steps: int, step: int) -> float:
        products = recipe.batch_at(step) * recipe.tokens_at(step) * recipe.d
        return steps * (5e-4 + 1.2e-10 * products)

    final = recipe.steps - recipe.final_step
    return of(recipe.steps - final, 0) + of(final, recipe.steps - 1)


def train_one(
    rng: np.random.Generator | None = None,
    network_file: Path | None = None,
    preset: str = "",
    **fields: Any,
) -> dict[str, Any]:
    """Train the network of Recipe(**fields) on one thread: `record.measured` and `.mechanism`.

    rng: unused, the recipe has a seed of its own. network_file: where to keep the network, with
    `preset` in its metadata. diverged: where that is True nothing else is known.
    Raises DomainError as Recipe does.
    """
    from train import record

    found, state = trained(Recipe(**fields))
    if state is not None and network_file is not None:
        record.save_network(network_file, state, preset)
    return found


def trained(recipe: Recipe) -> tuple[dict[str, Any], State | None]:
    """Train on one thread: `record.measured`, `record.mechanism` and diverged, and the network.

    None for a network that diverged, of which nothing else is known.
    """
    from train import record
    from train.training.fit import DivergedError, fit
    from train.training.threads import one_thread

    with one_thread():
        try:
            state = fit(recipe)
            return {"diverged": False, **record.measured(state), **record.mechanism(state)}, state
        except DivergedError:
            return {"diverged": True}, None


def columns(recipe: Recipe, result: Mapping[str, Any]) -> dict[str, Any]:
    """A network's row of the table: intervals of 95 % as _low and _high, records spread out."""
    from train import record

    row = {"diverged": result["diverged"]}
    if result["diverged"]:
        return row
    for name, found in record.estimates(result, CONFIDENCE).items():
        row |= {name: found.estimate}
        row |= dict(zip((f"{name}_low", f"{name}_high"), found.interval, strict=True))
    best = record.best_random_filter(recipe) or {"m": None, "failure_probability": None}
    row |= {f"best_random_filter_{name}": value for name, value in best.items()}
    for name, value in result.items():
        if name in row or name in ("inputs", "failures"):
            continue
        spread = value.items() if isinstance(value, Mapping) else [("", value)]
        row |= {f"{name}_{part}".rstrip("_"): each for part, each in spread}
    return row


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV text with the columns of all of them; None and what is missing are empty."""
    stream = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the sweep."""
    command = tyro.cli(
        Annotated[Sweep, tyro.conf.arg(name="")],
        prog="python -m train.sweep",
        description=__doc__,
        args=arguments,
    )
    return command.run()


if __name__ == "__main__":
    # under its own name, so that every worker finds the task function
    from train import sweep

    command_line.run(sweep.main)
