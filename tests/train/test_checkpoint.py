"""Checkpoints: bitwise the same run, and nothing but a whole one of this run is accepted."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

from tests.train.test_fit import TINY, VARIANTS, assert_same, weights  # noqa: E402
from theory.domain import DomainError  # noqa: E402
from train.reading.weights import safetensors_bytes, save  # noqa: E402
from train.training import checkpoint  # noqa: E402
from train.training.fit import advance, begin  # noqa: E402
from train.training.recipe import Execution, Recipe  # noqa: E402

HERE = Execution()


@pytest.fixture(scope="module")
def content() -> bytes:
    """A checkpoint of TINY after 3 steps."""
    state = begin(TINY)
    advance(state, 3)
    return checkpoint.as_bytes(state, HERE)


def loaded(path: Path, content: bytes, recipe: Recipe = TINY, execution: Execution = HERE):
    path.write_bytes(content)
    return checkpoint.load(path, recipe, execution)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("steps", [0, 8, 13, 16])
def test_a_resumed_run_ends_in_the_same_weights(variant: str, steps: int, tmp_path: Path) -> None:
    """Bitwise, from before the first step, from the middle and from where a tie ends; so does the
    checkpoint itself."""
    recipe, path = VARIANTS[variant], tmp_path / "checkpoint.safetensors"
    undisturbed = begin(recipe)
    advance(undisturbed, steps)
    checkpoint.save(path, undisturbed, HERE)
    resumed = checkpoint.load(path, recipe, HERE)
    assert resumed.step == steps
    assert checkpoint.as_bytes(resumed, HERE) == path.read_bytes()
    assert advance(undisturbed, 27) == advance(resumed, 27)
    assert_same(weights(undisturbed), weights(resumed))
    assert checkpoint.as_bytes(undisturbed, HERE) == checkpoint.as_bytes(resumed, HERE)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_lost_moment_is_seen(content: bytes, tmp_path: Path) -> None:
    """Planted fault: AdamW's moments are forgotten, and the weights end elsewhere."""
    whole, forgetful = (loaded(tmp_path / name, content) for name in "ab")
    forgetful.optimiser.state.clear()
    for state in (whole, forgetful):
        advance(state, 5)
    assert not np.array_equal(weights(whole)["W_E"], weights(forgetful)["W_E"])


def test_it_is_a_safetensors_file(content: bytes, tmp_path: Path) -> None:
    """Weights, two moments and a count for each, the generator; the recipe in the metadata."""
    path = tmp_path / "checkpoint"
    path.write_bytes(content)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        names = set(file.keys())
    assert json.loads(metadata["recipe"]) == json.loads(json.dumps(asdict(TINY)))
    assert metadata["step"] == "3"
    moments = {f"optimiser.{i}.{x}" for i in range(5) for x in ("exp_avg", "exp_avg_sq", "step")}
    parameters = {f"model.{name}" for name in ("W_E", "W_in", "b_in", "W_out", "W_U")}
    assert names == moments | parameters | {"generator"}


@given(data=st.data())
def test_any_damage_is_noticed(
    data: st.DataObject, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One byte changed anywhere is refused, or changes nothing of what is read."""
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    refusal = ""
    try:
        state = loaded(path, bytes(changed))
    except DomainError as error:
        refusal = str(error)
    if refusal:
        assert str(path) in refusal
        assert "\n" not in refusal
    else:
        assert checkpoint.as_bytes(state, HERE) == content


@given(data=st.data())
def test_every_truncation_is_noticed(
    data: st.DataObject, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DomainError, match="must be a whole checkpoint"):
        loaded(tmp_path_factory.getbasetemp() / "torn", content[:length])


def test_damage_to_a_tensor_is_named(content: bytes, tmp_path: Path) -> None:
    changed = bytearray(content)
    changed[-1] ^= 1
    with pytest.raises(DomainError, match="must have the digest that it names, and is damaged"):
        loaded(tmp_path / "damaged", bytes(changed))


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    """Text, nothing at all, a pickle, another safetensors file, a network, a later schema."""
    path = tmp_path / "foreign"

    def refused(match: str) -> None:
        with pytest.raises(DomainError, match=match):
            checkpoint.load(path, TINY, HERE)

    for foreign in (b"", b"hello\n", b"\x00" * 100):
        path.write_bytes(foreign)
        refused("must be a whole checkpoint")
    torch.save({"W_E": torch.zeros(3)}, path)
    refused("must be a whole checkpoint")
    save_file({"W_E": np.zeros(3)}, path)
    refused("must be a checkpoint of train.run, schema 1")
    save(path, begin(TINY).model.to_network(), {"k": 2})
    refused("must be a checkpoint of train.run, schema 1")
    path.write_bytes(safetensors_bytes({}, {"schema": "2", "sha256": "0"}))
    refused("must be a checkpoint of train.run, schema 1")


@pytest.mark.parametrize(
    ("recipe", "execution", "names"),
    [
        (replace(TINY, seed=1), HERE, "seed"),
        (replace(TINY, steps=99, learning_rate=0.1), HERE, "learning_rate, steps"),
        (replace(TINY, frozen=("W_E",)), HERE, "frozen"),
        (TINY, Execution(threads=2), "threads"),
        (TINY, Execution(compile=True), "compile"),
    ],
)
def test_another_recipe_is_refused(
    recipe: Recipe, execution: Execution, names: str, content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(DomainError, match=rf"resume needs the recipe .* differs in {names}: "):
        loaded(tmp_path / "checkpoint", content, recipe, execution)


def test_metadata_have_one_order() -> None:
    """The library's own order changes from process to process; ours is that of the names."""
    arrays = {"b": np.zeros(3), "a": np.ones((2, 2), dtype=np.float32), "c": np.array(1.0)}
    metadata = {name: name for name in "zyxwvutsrq"}
    content = safetensors_bytes(arrays, metadata)
    header = content[8 : 8 + int.from_bytes(content[:8], "little")]
    assert len(header) % 8 == 0
    assert list(json.loads(header)["__metadata__"]) == sorted(metadata)
    assert content == safetensors_bytes(arrays, dict(reversed(metadata.items())))


def test_its_arrays_come_back(tmp_path: Path) -> None:
    """Values, dtypes and shapes, scalars too, also without metadata."""
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(7, dtype=np.uint8)}
    for metadata in ({}, {"é": "ü"}):
        (tmp_path / "file").write_bytes(safetensors_bytes(arrays, metadata))
        with safe_open(tmp_path / "file", framework="numpy") as file:
            assert (file.metadata() or {}) == metadata
            for name, array in arrays.items():
                np.testing.assert_array_equal(file.get_tensor(name), array, strict=True)
