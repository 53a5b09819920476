"""`python -m train.sweep`: train a grid of networks, and write a table of how each one turned out.

Exit code 0 when all are trained, 1 when a task failed, 2 on bad input, 130 when interrupted.
"""

from __future__ import annotations

import ast
import csv
import inspect
import io
import os
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, make_dataclass
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from simulate.jobs.intervals import Count, Mean
from theory import command_line
from theory.domain import DomainError, check_integer
from train import check_installed
from train.measures import (
    TrainedNetwork,
    best_random_filter,
    save_network,
    seconds,
    train_one,
    trained,
)
from train.training.presets import preset_named
from train.training.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np

    from simulate.jobs.tasks import Task

Engine = Literal["serial", "processes", "dask"]
Row = dict[str, int | float | bool | str | None]

SCHEMA = 1
TABLE = "networks.csv"
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


_PARSED: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": _truth,
    "str": str,
}
# fields that hold several values themselves
_NO_LISTS = ("frozen",)


def _flags() -> list[tuple[str, Any, Any]]:
    """A flag for each field of a recipe: its values, separated by commas or spaces."""
    described = attribute_docstrings(Recipe)
    made = []
    # the seed last: it varies fastest
    for each in sorted(fields(Recipe), key=lambda each: each.name == "seed"):
        if each.name in _NO_LISTS:
            continue
        kind = _PARSED.get(str(each.type).removesuffix(" | None"), str)
        flag = "seeds" if each.name == "seed" else each.name
        argument = tyro.conf.arg(name=flag, help=described[each.name])
        default = (0,) if each.name == "seed" else ()
        made.append(
            (each.name, Annotated[tuple[Any, ...], _listed(kind), argument], field(default=default))
        )
    return made


def attribute_docstrings(cls: type) -> dict[str, str]:
    """The string literals that follow the fields of a class in its source, by field."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(body, ast.ClassDef)
    return {
        before.target.id: " ".join(str(after.value.value).split())
        for before, after in pairwise(body.body)
        if isinstance(before, ast.AnnAssign)
        and isinstance(before.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }


class _Grid:
    """Values of a recipe's fields, separated by commas or spaces; none: the preset's own."""

    def recipes(self, preset: Callable[[Mapping[str, Any]], Recipe]) -> dict[str, Recipe]:
        """The Cartesian product, by names such as "d=64 seed=0"; preset: of the fields, a recipe.

        A name has the fields of more than one value. DomainError for a recipe out of its range.
        """
        lists = {name: tuple(dict.fromkeys(values)) for name, values in vars(self).items()}
        lists = {name: values for name, values in lists.items() if values}
        found = {}
        for values in product(*lists.values()):
            chosen = dict(zip(lists, values, strict=True))
            varying = [f"{name}={chosen[name]}" for name in lists if len(lists[name]) > 1]
            found[" ".join(varying) or "network"] = preset(chosen)
        return found

    def varying(self) -> list[str]:
        """The fields of more than one value, in order."""
        return [name for name, values in vars(self).items() if len({*values}) > 1]

    def given(self) -> list[str]:
        """The fields that have values of their own, in order."""
        return [name for name, values in vars(self).items() if values]


Grid: type[_Grid] = make_dataclass("Grid", _flags(), bases=(_Grid,), frozen=True)
Grid.__doc__ = _Grid.__doc__


@dataclass(frozen=True)
class Sweep:
    """Train every network of a grid on top of a preset, each on one thread.

    Writes networks.csv, a row per network with its measures and its mechanism, run.json and the
    journal results.jsonl into the output folder.
    """

    MODULE: ClassVar[str] = "train.sweep"

    preset: str = "source"
    """The preset that gives every field for which no values are listed; see train.run."""
    grid: Annotated[_Grid, tyro.conf.arg(name="", constructor=Grid)] = field(default_factory=Grid)
    out: Path = Path("reports/results/train_sweep")
    """Folder for the results. An earlier sweep in it is replaced; other files are left alone."""
    networks: bool = True
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
        print(f"{len(rows)} networks in {self.out / TABLE}", file=sys.stderr)
        return command_line.DONE

    def _train(self, recipes: Mapping[str, Recipe]) -> list[Row]:
        from simulate.jobs import output, tasks
        from simulate.jobs.folder import ResultFolder
        from simulate.jobs.journal import NAME, Journal
        from simulate.jobs.progress import progress

        started = time.monotonic()
        every_task = [self._task(name, recipe) for name, recipe in recipes.items()]
        configuration = {
            "job": self.MODULE,
            "preset": self.preset,
            "grid": {name: list(getattr(self.grid, name)) for name in self.grid.given()},
            "networks": self.networks,
            "tasks": tasks.fingerprint(every_task),
        }
        with Journal(self.out / NAME, configuration, self.resume) as journal:
            kept = {output.RESULTS_KEPT: journal.untimed}
            if journal.results:
                print(
                    f"resuming: {len(journal.results)} of {len(recipes)} networks are trained",
                    file=sys.stderr,
                )
            folder = ResultFolder(self.out)
            folder.begin(files=[TABLE])
            self._ready_for_networks()
            total = sum(task.cost for task in every_task)
            done = sum(task.cost for task in every_task if task.name in journal.results)
            with progress(total, done) as advance:
                # every recipe has its own seed
                found = tasks.run(
                    every_task,
                    0,
                    journal,
                    self.engine,
                    self.jobs,
                    self.scheduler,
                    lambda task: advance(task.cost),
                )
            given = list(
                dict.fromkeys(["n", "d", "k", "seed", "steps", "batch", *self.grid.given()])
            )
            rows = [columns(each, given) for each in found]
            folder.write(TABLE, as_csv(rows))
            record = output.run_record(
                output.command_of(self.MODULE),
                configuration | kept,
                journal.seconds or time.monotonic() - started,
                packages=("torch", "safetensors"),
            )
            folder.finish(record)
        return rows

    def _task(self, name: str, recipe: Recipe) -> Task[TrainedNetwork]:
        from simulate.jobs.tasks import Task

        function: Callable[..., TrainedNetwork] = train_one
        if self.networks:
            # no argument of the task: a sweep is the same wherever its folder is
            path = self._folder().absolute() / f"{name.replace(' ', ',')}.safetensors"
            function = partial(train_and_keep, network_file=path, preset=self.preset)
        return Task(name, function, {"recipe": recipe}, seconds(recipe))

    def _folder(self) -> Path:
        return self.out / "networks"

    def _ready_for_networks(self) -> None:
        """An earlier sweep's networks must not stand beside a new journal."""
        if self.networks:
            self._folder().mkdir(exist_ok=True)
        for earlier in self._folder().glob("*.safetensors"):
            if not self.resume:
                earlier.unlink()
        for unfinished in self._folder().glob(".*.safetensors.*"):
            unfinished.unlink()


def train_and_keep(
    rng: np.random.Generator, recipe: Recipe, network_file: Path, preset: str
) -> TrainedNetwork:
    """Task: train by the recipe and keep the network, with `preset` in its metadata."""
    found, state = trained(recipe)
    if state is not None:
        save_network(network_file, state, preset)
    return found


def columns(network: TrainedNetwork, given: Sequence[str]) -> Row:
    """A network's row of the table: the given fields of its recipe, then what it became.

    Intervals of 95 % as _low and _high; records spread out, their names before those of their
    parts. held_out: measured on all token sets, held-out ones among them.
    """
    recipe = network.recipe
    row: Row = {name: getattr(recipe, name) for name in given}
    row |= {"held_out": recipe.held_out, "diverged": network.diverged}
    if network.behaviour is None or network.mechanism is None:
        return row
    statistics: dict[str, Count | Mean] = {
        "total_variation": network.behaviour.total_variation,
        "kl": network.behaviour.kl,
        "squared_error": network.behaviour.squared_error,
        "failure_rate": network.behaviour.failure,
    }
    for name, statistic in statistics.items():
        found = statistic.at(CONFIDENCE)
        row |= {name: found.value}
        row |= dict(zip((f"{name}_low", f"{name}_high"), found.interval, strict=True))
    if best := best_random_filter(recipe):
        row |= {f"best_random_filter_{name}": value for name, value in vars(best).items()}
    for name, value in asdict(network.mechanism).items():
        spread = value.items() if isinstance(value, Mapping) else [("", value)]
        row |= {f"{name}_{part}".rstrip("_"): each for part, each in spread}
    return row


def as_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV text with the columns of all of them; None and what is missing are empty."""
    stream = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the sweep."""
    return command_line.parsed(Sweep, Sweep.MODULE, __doc__, arguments).run()


if __name__ == "__main__":
    # under its own name, so that every worker finds the task function
    from train import sweep

    command_line.run(sweep.main)
