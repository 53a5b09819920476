"""`python -m train.sweep`: the grid, its rows, and the same bytes however it is carried out."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from simulate.jobs.journal import Journal  # noqa: E402
from tests.simulate.jobs.processes import ROOT, started, wait_until  # noqa: E402
from theory import command_line  # noqa: E402
from theory.domain import DomainError  # noqa: E402
from train import measures  # noqa: E402
from train.analysis import mechanism  # noqa: E402
from train.measures import train_one  # noqa: E402
from train.reading import weights  # noqa: E402
from train.reading.masks import extract  # noqa: E402
from train.sweep import Grid, as_csv, columns, main  # noqa: E402
from train.training.fit import fit  # noqa: E402
from train.training.presets import PRESETS  # noqa: E402
from train.training.recipe import Recipe  # noqa: E402

TINY = "--n 24 --d 10 --k 2 --batch 16 --steps 40 --embedding-scale 1,4 --seeds 0 1"
BASE = replace(PRESETS["source"], n=24, d=10, k=2, batch=16, steps=40)
FILES = ["networks.csv", "results.jsonl"]


def on_base(fields: Mapping[str, Any]) -> Recipe:
    return replace(BASE, **fields)


def sweep(folder: Path, *arguments: str, engine: str = "serial") -> int:
    """Exit code of a sweep, here, in this folder."""
    given = [*TINY.split(), "--out", str(folder), "--engine", engine, "--jobs", "1", *arguments]
    with pytest.raises(SystemExit) as ended:
        command_line.run(lambda: main(given))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "networks.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed sweep with its networks; not to be written to."""
    folder = tmp_path_factory.mktemp("whole")
    assert sweep(folder) == 0
    return folder


def test_a_row_per_network(whole: Path) -> None:
    """Every pair of scale and seed once; each number as the loop and the analysis find it."""
    rows = table(whole)
    pairs = [(row["embedding_scale"], row["seed"]) for row in rows]
    assert pairs == [("1.0", "0"), ("1.0", "1"), ("4.0", "0"), ("4.0", "1")]
    assert {(row["n"], row["d"], row["k"]) for row in rows} == {("24", "10", "2")}
    # every field that was set, and whether measured sets are among those of training
    assert {(row["batch"], row["steps"], row["held_out"]) for row in rows} == {("16", "40", "0.0")}
    for row in rows:
        recipe = replace(BASE, embedding_scale=float(row["embedding_scale"]), seed=int(row["seed"]))
        state = fit(recipe)
        found = measures.behaviour(state)
        for name, statistic in (
            ("total_variation", found.total_variation),
            ("kl", found.kl),
            ("squared_error", found.squared_error),
            ("failure_rate", found.failure),
        ):
            estimate = statistic.at(0.95)
            assert float(row[name]) == estimate.value
            assert (float(row[f"{name}_low"]), float(row[f"{name}_high"])) == estimate.interval
        masks = extract(state.model.to_network(), 2, 2.0)
        assert row["verdict"] == mechanism.judged(masks).verdict
        assert float(row["mask_agreement"]) == mechanism.agreement(masks).value
        for name, count in vars(mechanism.units(masks)).items():
            assert int(row[f"units_{name}"]) == count
        assert int(row["best_random_filter_m"]) == measures.best_random_filter(recipe).m
        assert list(row) == list(rows[0])


def test_networks_are_kept(whole: Path) -> None:
    """Without being asked, by the names of their rows: what train.run makes of the recipe."""
    names = sorted(file.name for file in (whole / "networks").iterdir())
    assert names == [
        f"embedding_scale={s},seed={i}.safetensors" for s in (1.0, 4.0) for i in (0, 1)
    ]
    stored = weights.load(whole / "networks" / names[3])
    assert stored.metadata["preset"] == "source"
    model = fit(replace(BASE, embedding_scale=4.0, seed=1)).model
    np.testing.assert_array_equal(stored.relu_network.W_U, model.W_U.detach().numpy())


def test_the_record(whole: Path) -> None:
    record = json.loads((whole / "run.json").read_text())
    assert record["configuration"]["grid"]["embedding_scale"] == [1.0, 4.0]
    assert "torch" in record["versions"]


def test_workers_give_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    assert sweep(tmp_path, "--networks", engine="processes") == 0
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    for file in (whole / "networks").iterdir():
        assert (tmp_path / "networks" / file.name).read_bytes() == file.read_bytes()


def test_resume_trains_what_is_missing(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The same bytes from half a journal; another grid is refused in one line."""
    lines = (whole / "results.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:20])
    assert sweep(tmp_path, "--networks", "--resume") == 0
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert len(list((tmp_path / "networks").iterdir())) == 2
    assert "resuming: 2 of 4 networks are trained" in capsys.readouterr().err
    assert sweep(tmp_path, "--networks", "--resume", "--steps", "41") == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: resume needs the configuration and seed of the earlier run")
    assert "differs in grid, tasks: " in errors


def test_an_earlier_sweep_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert sweep(tmp_path, "--networks", "--steps", "2") == 0
    assert sweep(tmp_path, "--no-networks", "--steps", "2", "--seeds", "5") == 0
    assert [row["seed"] for row in table(tmp_path)] == ["5", "5"]
    assert not list((tmp_path / "networks").iterdir())
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_diverged_network_is_a_row(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The others are trained; what it has not is empty in the table."""
    assert sweep(tmp_path, "--learning-rate", "1e38", "0.01", "--seeds", "0", "--json") == 0
    rows = table(tmp_path)
    assert [row["diverged"] for row in rows] == ["True", "False", "True", "False"]
    assert (rows[0]["kl"], rows[0]["verdict"]) == ("", "")
    assert float(rows[1]["kl"]) > 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["learning_rate"] for row in printed["networks"]] == [1e38, 0.01] * 2
    assert printed["schema"] == 1


@pytest.mark.parametrize("start", ["gaussian", "exact"])
def test_train_one(start: str) -> None:
    """From Python, on one thread, whatever PyTorch was set to; the exact start is a clamp code."""
    threads = torch.get_num_threads()
    recipe = replace(BASE, start=start, steps=1, m=3, batch=4)
    network = train_one(np.random.default_rng(0), recipe)
    assert network == train_one(np.random.default_rng(9), recipe)
    assert torch.get_num_threads() == threads
    if start == "exact":
        how = network.mechanism
        assert (how.verdict, how.units.clamp, how.units.neither) == ("clamp", 10, 0)
        assert how.density == pytest.approx(0.3)
        assert (how.bits_per_token.mean, how.bits_per_token.sd) == pytest.approx((3.0, 0.0))
        assert how.mask_agreement == how.score == 1.0
        assert how.layer_eigenvalue == pytest.approx(-1.0, abs=0.1)


def test_the_harder_task_has_a_mechanism_too() -> None:
    recipe = replace(BASE, target_scale=1.0, steps=2)
    row = columns(train_one(np.random.default_rng(0), recipe), ["n", "seed"])
    assert "best_random_filter_m" not in row
    assert row["verdict"] in ("clamp", "complement", "mixed", "none")


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
    st.lists(st.sampled_from([0.5, 1.0, 2.0]), max_size=3),
    st.lists(st.booleans(), max_size=2),
)
def test_a_grid_is_the_cartesian_product(
    seeds: list[int], scales: list[float], tied: list[bool]
) -> None:
    """Of the distinct values; names are unique, and all that is in no list is the base's."""
    grid = Grid(seed=tuple(seeds), embedding_scale=tuple(scales), tied=tuple(tied))
    recipes = grid.recipes(on_base)
    expected = {
        replace(BASE, seed=seed, embedding_scale=scale, tied=tie)
        for seed in seeds
        for scale in scales or [BASE.embedding_scale]
        for tie in tied or [BASE.tied]
    }
    assert len(recipes) == len(expected)
    assert set(recipes.values()) == expected
    for name, recipe in recipes.items():
        for part in name.split() if name != "network" else ():
            field, _, value = part.partition("=")
            assert str(getattr(recipe, field)) == value


def test_a_grid_with_a_recipe_out_of_range() -> None:
    with pytest.raises(DomainError, match="k must be at least 1 and at most n = 24; got 30"):
        Grid(k=(2, 30)).recipes(on_base)


def test_every_list_is_a_field_of_the_recipe() -> None:
    assert set(asdict(Grid())) <= set(asdict(Recipe()))


def test_a_table_has_every_column() -> None:
    """In the order of their first appearance; a missing value is empty."""
    assert as_csv([{"a": 1, "b": None}, {"a": 0.1, "c": True}]) == "a,b,c\n1,,\n0.1,,True\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "jobs must be at least 1"),
        (["--preset", "sauce"], "preset must be among source, "),
        (["--k", "2,24"], "k must be below n = 24; got 24"),
        (["--learning-rate", "0.1,-1"], "learning_rate must be a finite number in (0, inf)"),
        (["--h", "7", "--start", "clamp"], "h must be d = 10 for start clamp; got 7"),
        (["--scheduler", "tcp://a:1"], "scheduler must come with engine dask"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert sweep(tmp_path / "new", *arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--start gaussian,warm", "start must be among gaussian, clamp, exact; got warm"),
        ("--tied maybe", "maybe is neither true nor false"),
    ],
)
def test_words_that_are_no_values(arguments: str, message: str) -> None:
    command = [sys.executable, "-m", "train.sweep", *arguments.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_two_sweeps_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with Journal(tmp_path / "results.jsonl", {}, resume=False):
        assert sweep(tmp_path) == 2
    assert "out must not be in use by another run" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_resumed(number: signal.Signals, tmp_path: Path) -> None:
    """A sweep of twelve networks as a process of its own, stopped in the middle: the same bytes."""
    arguments = [*TINY.split(), "--seeds", "0,1,2,3,4,5", "--steps", "400", "--jobs", "2"]
    calm, folder = tmp_path / "calm", tmp_path / "killed"
    assert main([*arguments, "--out", str(calm), "--engine", "serial"]) == 0

    def recorded() -> int:
        path = folder / "results.jsonl"
        return path.read_bytes().count(b"\n") - 1 if path.exists() else 0

    # a shell that starts pytest in the background has Ctrl-C ignored, by its children too
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    command = ("train.sweep", *arguments, "--out", str(folder))
    with started(*command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: recorded() >= 3)
        os.killpg(process.pid, number)
        process.wait()
    signal.signal(signal.SIGINT, earlier)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert 3 <= recorded() < 12
    assert main([*arguments, "--out", str(folder), "--resume"]) == 0
    for name in FILES:
        assert (calm / name).read_bytes() == (folder / name).read_bytes()
