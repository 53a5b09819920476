"""One unembedding in every format reads the same; whatever is malformed ends in one line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("onnx")

from tests.train.readout import broken_files, model_files
from theory import command_line
from theory.domain import DomainError
from train.readout.files import open_readout
from train.readout.states import load_states
from train.unembedding import main


def test_every_format_gives_the_same_unembedding(tmp_path: Path) -> None:
    rows, gain = model_files.weights()
    (tmp_path / "shards").mkdir()
    models = [
        model_files.single(tmp_path / "a.safetensors"),
        model_files.single(tmp_path / "b.safetensors", bf16=True),
        model_files.sharded(tmp_path / "shards"),
        model_files.gguf(tmp_path / "c.gguf"),
        model_files.onnx_graph(tmp_path / "d.onnx"),
    ]
    for model in models:
        readout = open_readout(model)
        assert readout.vectors.dtype == np.float32
        np.testing.assert_array_equal(readout.vectors, rows * gain)
        np.testing.assert_array_equal(readout.W_U, (rows * gain).T)
        assert not readout.bias.any()


def test_a_gguf_without_a_head_is_tied_and_keeps_its_vocabulary(tmp_path: Path) -> None:
    readout = open_readout(model_files.gguf(tmp_path / "c.gguf"))
    assert readout.tied
    assert readout.gain_folded
    assert readout.vocabulary[3] == "token3"


def test_a_gemm_is_read_with_its_options(tmp_path: Path) -> None:
    from onnx import helper, numpy_helper

    rows, _ = model_files.weights()
    path = tmp_path / "gemm.onnx"
    options = {"alpha": 2.0, "transA": 0, "transB": 1}
    node = helper.make_node("Gemm", ["h", "W"], ["logits"], **options)
    path.write_bytes(broken_files.graph(node, tensors=(numpy_helper.from_array(rows, "W"),)))
    np.testing.assert_array_equal(open_readout(path).vectors, 2.0 * rows)


def test_names_and_orientation(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    rows, _ = model_files.weights()
    path = tmp_path / "own.safetensors"
    save_file({"head": np.ascontiguousarray(rows.T)}, path)
    read = open_readout(path, {"W_U": "head"}, transpose=True)
    np.testing.assert_array_equal(read.vectors, rows)
    with pytest.raises(DomainError, match="no unembedding found; it has 'head'"):
        open_readout(path)
    with pytest.raises(DomainError, match="no tensor 'tail'"):
        open_readout(path, {"W_U": "tail"})


def test_a_layer_norm_is_folded_with_its_bias_and_its_centring(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    rows, gain = model_files.weights()
    shift = np.linspace(-1.0, 1.0, model_files.D, dtype=np.float32)
    path = tmp_path / "gpt2.safetensors"
    save_file({"wte.weight": rows, "ln_f.weight": gain, "ln_f.bias": shift}, path)
    readout = open_readout(path)
    residual = np.random.default_rng(0).standard_normal(model_files.D).astype(np.float32)
    centred = residual - residual.mean()
    wanted = rows @ (gain * centred + shift)
    np.testing.assert_allclose(readout.vectors @ residual + readout.bias, wanted, rtol=1e-4)


def test_malformed_files_end_in_one_line_and_exit_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Through the command; neither a warning of a library nor a character for the terminal."""
    broken = broken_files.all_of_them(tmp_path)
    assert len(broken) >= 100
    told = {}
    for name, path in broken.items():
        with pytest.raises(SystemExit) as stopped:
            command_line.run(partial(main, [str(path), "--out", str(tmp_path / "out")]))
        told[name] = (stopped.value.code, capfd.readouterr().err)
    wrong = {
        name: (code, errors)
        for (name, (code, errors)), path in zip(told.items(), broken.values(), strict=True)
        if code != command_line.BAD_INPUT
        or not errors.startswith("error: ")
        or errors.count("\n") != 1
        or not errors[:-1].isprintable()
        or len(errors.replace(str(path), "")) > 300 + len(str(tmp_path))
    }
    assert not wrong
    assert not (tmp_path / "out").exists()


def test_malformed_models_are_refused_for_what_is_wrong_with_them(tmp_path: Path) -> None:
    broken = broken_files.all_of_them(tmp_path)
    for name, why in {
        "f8.safetensors": "it is F8_E4M3",
        "nine_tokens.safetensors": "at least 10 tokens",
        "equal_tokens.safetensors": "differ",
        "nan.safetensors": "finite",
        "config_beside.safetensors": "not JSON",
        "no_head.safetensors": r"it has 'evil\\n\\x1b\[2J'",
        "absolute.json": "files beside it",
        "long_metadata.gguf": "header",
        "same_names.gguf": "one name",
        "beside_longer.onnx": "not the 1280 of its shape",
        "beside_twice.onnx": "once",
        "long.onnx": "at most",
        "pipe_gguf": "ordinary file",
        "device": "ordinary file",
        "twice.safetensors": "key once",
        "twice_escaped.safetensors": "key once",
        "tensor_twice.json": "key once",
        "bool_for_alignment.gguf": "multiple of 8",
        "value_twice.gguf": "one name",
        "not_aligned.gguf": "no multiple of 32",
        "turned_input.onnx": "transA",
        "weights_twice.onnx": "one name",
        "beside_long_name.onnx": "cannot be read",
    }.items():
        with pytest.raises(DomainError, match=why):
            open_readout(next(p for label, p in broken.items() if label.endswith(name)))


def test_every_truncation_of_a_gguf_is_refused_or_read(tmp_path: Path) -> None:
    whole = model_files.gguf(tmp_path / "whole.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    for length in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(DomainError):
            open_readout(path)


@pytest.mark.filterwarnings("error")
def test_states_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "H.npy"
    for content in (
        np.zeros((3, 4), np.float32),
        np.zeros((3, 8), np.int64),
        np.full((3, 8), np.inf),
        np.array([{}], dtype=object),
    ):
        np.save(path, content)
        with pytest.raises(DomainError):
            load_states(path, 8)
    for broken in broken_files.states(tmp_path).values():
        with pytest.raises(DomainError) as refused:
            load_states(broken, 8)
        told = str(refused.value)
        assert told.isprintable()
        assert len(told.replace(str(tmp_path), "")) < 300
    path.write_bytes(b"no array")
    with pytest.raises(DomainError):
        load_states(path, 8)
    np.save(path, np.ones((3, 8), np.float16))
    assert load_states(path, 8).dtype == np.float32
