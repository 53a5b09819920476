"""`python -m train.run`: the files of a run, resuming it, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from simulate.jobs import intervals  # noqa: E402
from simulate.jobs.journal import lock  # noqa: E402
from tests.simulate.jobs.processes import ROOT  # noqa: E402
from theory import command_line  # noqa: E402
from theory.false_positives import failure_probability  # noqa: E402
from train.reading import weights  # noqa: E402
from train.run import main  # noqa: E402
from train.training.fit import fit, fresh_inputs, judge, milestones, rate  # noqa: E402
from train.training.loss import outcomes  # noqa: E402
from train.training.presets import PRESETS  # noqa: E402
from train.training.recipe import Recipe  # noqa: E402

TINY = "--n 24 --d 10 --k 2 --batch 32 --steps 60"
RECIPE = replace(PRESETS["source"], n=24, d=10, k=2, batch=32, steps=60)
STEPS = list(milestones(60))
BYTES = ["network.safetensors", "metrics.jsonl", "measures.json", "checkpoint.safetensors"]


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run; not to be written to."""
    folder = tmp_path_factory.mktemp("whole")
    assert main([*TINY.split(), "--out", str(folder)]) == 0
    return folder


def train(folder: Path, *arguments: str) -> int:
    """Exit code of a run, here, in this folder."""
    with pytest.raises(SystemExit) as ended:
        command_line.run(lambda: main([*TINY.split(), "--out", str(folder), *arguments]))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def assert_same_run(one: Path, other: Path, names: Sequence[str] = BYTES) -> None:
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    snapshots = [sorted(f.name for f in (x / "snapshots").iterdir()) for x in (one, other)]
    assert snapshots[0] == snapshots[1]
    for name in snapshots[0]:
        assert (one / "snapshots" / name).read_bytes() == (other / "snapshots" / name).read_bytes()


def test_the_network_is_that_of_the_loop(whole: Path) -> None:
    """network.safetensors holds what `fit` returns, and says what it is."""
    stored = weights.load(whole / "network.safetensors")
    model = fit(RECIPE).model
    for name, weight in model.named_parameters():
        np.testing.assert_array_equal(getattr(stored.relu_network, name), weight.detach().numpy())
    metadata = dict(stored.metadata)
    fields = json.loads(metadata.pop("recipe"))
    assert Recipe(**fields | {"frozen": tuple(fields["frozen"])}) == RECIPE
    assert metadata == {"k": "2", "c": "2.0", "seed": "0", "step": "60", "preset": "source"}


def test_metrics_are_those_of_the_loop(whole: Path) -> None:
    expected = []

    def look(state, loss: float) -> None:
        found = judge(state)
        expected.append(
            {
                "step": state.step,
                "loss": loss,
                "total_variation": found.total_variation,
                "kl": found.kl,
                "failure_rate": found.failure_rate,
                "learning_rate_share": rate(RECIPE, state.step - 1),
            }
        )

    fit(RECIPE, on_milestone=look)
    assert rows(whole) == expected
    assert [row["step"] for row in expected] == STEPS


def test_snapshots_are_networks_on_the_way(whole: Path) -> None:
    names = [f"step_{step:06d}.safetensors" for step in [0, *STEPS]]
    assert sorted(file.name for file in (whole / "snapshots").iterdir()) == names
    first, last = (weights.load(whole / "snapshots" / names[i]) for i in (0, -1))
    assert (first.metadata["step"], last.metadata["step"]) == ("0", "60")
    assert (whole / "snapshots" / names[-1]).read_bytes() == (
        whole / "network.safetensors"
    ).read_bytes()
    assert not np.array_equal(first.relu_network.W_E, last.relu_network.W_E)


def test_measures_and_record(whole: Path) -> None:
    """Intervals of the outcomes on 100,000 inputs, beside the best that random hashes do."""
    measures = json.loads((whole / "measures.json").read_text())
    state = fit(RECIPE)
    found = outcomes(state.model, RECIPE.task(), 100_000, fresh_inputs(state))
    expected = {
        "total_variation": intervals.mean(found.total_variation.numpy(), 0.95),
        "kl": intervals.mean(found.kl.numpy(), 0.95),
        "failure_rate": intervals.proportion(int(found.failed.sum()), 100_000, 0.95),
    }
    for name, estimate in expected.items():
        assert measures[name]["value"] == pytest.approx(estimate.value, rel=1e-6)
        assert measures[name]["interval"] == pytest.approx(estimate.interval, rel=1e-6)
    best = measures["best_random_filter"]
    rates = [failure_probability(24, 2, 10, m) for m in range(1, 11)]
    assert best == {"m": 1 + int(np.argmin(rates)), "failure_probability": min(rates)}
    record = json.loads((whole / "run.json").read_text())
    assert record["configuration"]["recipe"]["n"] == 24
    assert record["configuration"]["execution"]["threads"] == record["threads_per_worker"] == 1
    assert {"torch", "safetensors", "numpy"} <= set(record["versions"])
    assert {"schema", "seconds", "commit"} <= set(record)
    assert measures["schema"] == 2


def test_a_run_again_and_a_resumed_complete_run_give_the_same_bytes(
    whole: Path, tmp_path: Path
) -> None:
    """--resume in an empty folder starts; of a complete run it only writes the results again."""
    assert train(tmp_path / "new" / "deep", "--resume") == 0
    assert_same_run(whole, tmp_path / "new" / "deep")
    shutil.copytree(whole, tmp_path / "copy")
    for name in ("network.safetensors", "measures.json", "run.json"):
        (tmp_path / "copy" / name).unlink()
    assert train(tmp_path / "copy", "--resume") == 0
    assert_same_run(whole, tmp_path / "copy")
    record = json.loads((tmp_path / "copy" / "run.json").read_text())
    assert record["configuration"]["resumed_at_step"] == 60


def test_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    """All of its files; others are left alone, even beside its snapshots."""
    assert train(tmp_path, "--steps", "30") == 0
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "snapshots" / "mine.safetensors").write_text("mine")
    (tmp_path / ".network.safetensors.torn").write_text("by a kill")
    assert train(tmp_path, "--steps", "5") == 0
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4, 5]
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {*BYTES, "run.json", "run.lock", "snapshots", "notes.txt"}
    assert len(list((tmp_path / "snapshots").iterdir())) == 6 + 1


def test_another_recipe_is_not_resumed(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    for arguments, names in (
        (("--seed", "1"), "seed"),
        (("--steps", "61", "--batch", "16"), "batch, steps"),
        (("--threads", "2"), "threads"),
    ):
        assert train(tmp_path / "copy", "--resume", *arguments) == 2
        errors = capsys.readouterr().err
        assert errors.startswith("error: resume needs the recipe of the earlier run")
        assert f"differs in {names}: " in errors
        assert errors.count("\n") == 1
    assert_same_run(whole, tmp_path / "copy")


def test_a_damaged_folder_is_not_resumed(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A torn checkpoint; metrics that do not reach it: one line and exit 2, nothing overwritten."""
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    content = (folder / "checkpoint.safetensors").read_bytes()
    (folder / "checkpoint.safetensors").write_bytes(content[:-1])
    assert train(folder, "--resume") == 2
    assert "must be a whole checkpoint" in capsys.readouterr().err
    (folder / "checkpoint.safetensors").write_bytes(content)
    lines = (folder / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    for kept in (lines[:-1], lines[1:], [*lines[:5], b"torn\n", *lines[5:]], []):
        (folder / "metrics.jsonl").write_bytes(b"".join(kept))
        assert train(folder, "--resume") == 2
        errors = capsys.readouterr().err
        assert "must hold the rows up to its checkpoint, step 60" in errors
        assert errors.count("\n") == 1
        assert (folder / "metrics.jsonl").read_bytes() == b"".join(kept)


def test_rows_after_the_checkpoint_come_again(whole: Path, tmp_path: Path) -> None:
    """As when a kill came between the two: a whole row too many, and a torn one."""
    assert train(tmp_path, "--steps", "60") == 0
    for extra in (b"", b'{"step": 99, "loss": 0.5}\n', b'{"step": 99, "lo'):
        with (tmp_path / "metrics.jsonl").open("ab") as metrics:
            metrics.write(extra)
        assert train(tmp_path, "--resume") == 0
        assert_same_run(whole, tmp_path)


def test_a_diverged_run_keeps_its_last_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Exit 1 and one line; the checkpoint before it is good, and no network is written."""
    growing = ("--learning-rate", "1e9", "--embedding-rate", "1e9", "--warmup", "100")
    for arguments in (growing, (*growing, "--resume")):
        assert train(tmp_path, *arguments) == 1
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("error: training diverged, ")
        assert error.endswith(f"{tmp_path / 'checkpoint.safetensors'} is from before")
        last = rows(tmp_path)[-1]["step"]
        assert 1 <= last < 60
        assert (tmp_path / "snapshots" / f"step_{last:06d}.safetensors").exists()
        assert not (tmp_path / "network.safetensors").exists()
    assert train(tmp_path, "--learning-rate", "1e38", "--warmup", "0") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("there is no earlier checkpoint")


def test_json_alone_is_on_standard_output(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    assert train(tmp_path / "copy", "--resume", "--json") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == json.loads((whole / "measures.json").read_text())
    assert printed.count("\n") == 1
    assert train(tmp_path / "copy", "--resume") == 0
    assert "failure rate" in capsys.readouterr().out


def test_two_runs_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    held = lock(tmp_path / "run.lock")
    assert train(tmp_path) == 2
    assert "out must not be in use by another run" in capsys.readouterr().err
    held.release()
    assert list(tmp_path.iterdir()) == [tmp_path / "run.lock"]


def test_the_harder_task_and_its_second_embedding(tmp_path: Path) -> None:
    assert train(tmp_path, "--preset", "harder", "--n", "24", "--d", "10") == 0
    stored = weights.load(tmp_path / "network.safetensors")
    assert stored.network is not stored.relu_network
    assert json.loads((tmp_path / "measures.json").read_text())["best_random_filter"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "sauce"], "preset must be among source, "),
        (["--k", "25"], "k must be at least 1 and at most n = 24; got 25"),
        (["--learning-rate", "-1"], "learning_rate must be a finite number in (0, inf); got -1.0"),
        (["--threads", "0"], "threads must be at least 1; got 0"),
        (["--frozen", "W_X"], "frozen must be among W_E, W_in"),
        (["--out", "/dev/null/no"], "out must be a folder that can be written"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train(tmp_path / "new", *arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_missing_gpu_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert train(tmp_path / "new", "--device", "cuda") == 2
    assert capsys.readouterr().err.startswith("error: device must be cpu")


def test_a_missing_compiler_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert train(tmp_path / "new", "--compile") == 2
    assert capsys.readouterr().err == "error: compile needs a C++ compiler, such as g++\n"


def test_help_shows_the_presets(capsys: pytest.CaptureFixture) -> None:
    """All of their names, and the chosen one's values as defaults."""
    with pytest.raises(SystemExit) as ended:
        main(["--preset", "wide", "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--n INT Vocabulary size. (default: 1024)" in shown
    assert all(name in shown for name in PRESETS)


def test_without_pytorch() -> None:
    """--help works, and starts nothing heavy; training says what to install."""
    without = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "PathFinder.find_spec = lambda name, *at: None if name == 'torch' else find(name, *at)\n"
        "from train.run import main; from theory import command_line\n"
        "for heavy in ('scipy.stats', 'matplotlib', 'safetensors'):\n"
        "    assert heavy not in sys.modules, heavy\n"
        "command_line.run(lambda: main(sys.argv[1:]))"
    )
    for arguments, code, errors in (
        (["--help"], 0, ""),
        ([], 2, 'error: torch must be installed: pip install -e ".[train]"\n'),
    ):
        command = [sys.executable, "-c", without, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, errors)


@pytest.mark.slow
def test_a_compiled_run_learns_the_same(whole: Path, tmp_path: Path) -> None:
    """In a process of its own; the same metrics but for rounding, which training magnifies."""
    command = [sys.executable, "-m", "train.run", *TINY.split(), "--out", str(tmp_path)]
    done = subprocess.run([*command, "--compile"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0
    for compiled, plain in zip(rows(tmp_path)[:10], rows(whole)[:10], strict=True):
        assert compiled["kl"] == pytest.approx(plain["kl"], rel=1e-3)
