"""The recipes that make states, on tiny models, and the command from end to end."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("onnx")

from tests.train.readout import model_files
from theory import command_line
from theory.domain import DomainError
from train.readout.llama import Llama
from train.readout.tokenizer import Tokenizer
from train.unembedding import main

LETTERS = [chr(33 + i) for i in range(94)] + ["Ġ"]
MERGES = ["t h", "th e", "Ġ the", "Ġ t"]
TOKENS = [*LETTERS, "th", "the", "Ġthe", "Ġt"]
METADATA = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.merges": MERGES,
}
WIDTH, HIDDEN, HEADS = 16, 24, 4


def tiny_llama(
    path: Path, layers: int = 2, heads: int = HEADS, hidden: int = HIDDEN, up: float = 1.0
) -> Path:
    """layers, heads: as the metadata say, not as there are. hidden, up: of the ffn_up tensors."""
    from gguf import GGUFWriter

    rng = np.random.default_rng(0)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_merges(MERGES)
    shapes = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (WIDTH // 2, WIDTH),
        "attn_v": (WIDTH // 2, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (HIDDEN, WIDTH),
        "ffn_up": (HIDDEN, WIDTH),
        "ffn_down": (WIDTH, HIDDEN),
    }
    tensors = {
        f"blk.{layer}.{name}.weight": shape for layer in range(2) for name, shape in shapes.items()
    } | {"token_embd.weight": (len(TOKENS), WIDTH), "output_norm.weight": (WIDTH,)}
    tensors["blk.1.ffn_up.weight"] = (hidden, WIDTH)
    for name, shape in tensors.items():
        scale = up if "ffn_up" in name else 1.0
        writer.add_tensor(name, (scale * rng.standard_normal(shape)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_tokenizer_merges_by_rank_and_keeps_the_text() -> None:
    tokenizer = Tokenizer(Path("tiny"), METADATA)
    numbers = tokenizer.encode("the theory, 42 then")
    assert [TOKENS[number] for number in numbers[:5]] == ["the", "Ġthe", "o", "r", "y"]
    assert "".join(tokenizer.decode(number) for number in numbers) == "the theory, 42 then"
    with pytest.raises(DomainError, match="type gpt2"):
        Tokenizer(Path("tiny"), {"tokenizer.ggml.model": "llama"})


def test_a_state_depends_on_earlier_tokens_only_and_has_the_norms_length(tmp_path: Path) -> None:
    llama = Llama(tiny_llama(tmp_path / "tiny.gguf"))
    text = [3, 14, 15, 92, 6, 5]
    states = llama.states([text])
    assert states.shape == (6, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), np.sqrt(WIDTH), rtol=1e-3)
    np.testing.assert_allclose(llama.states([text[:4]]), states[:4], rtol=1e-3, atol=1e-4)
    other = llama.states([[7, *text[1:]]])
    assert np.abs(other[1:] - states[1:]).max(axis=1).min() > 1e-3


def test_turning_depends_on_distance_alone(tmp_path: Path) -> None:
    """Rotary positions: q at place i and k at place j meet by i - j."""
    llama = Llama(tiny_llama(tmp_path / "tiny.gguf"))
    rng = np.random.default_rng(1)
    q, k = (np.repeat(rng.standard_normal((1, 1, 4)), 8, axis=1) for _ in range(2))
    scores = (llama._turned(q) @ llama._turned(k).transpose(0, 2, 1))[0]
    for offset in range(1, 8):
        diagonal = np.diagonal(scores, offset)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-4, atol=1e-5)


def test_the_command_on_a_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, text = tiny_llama(tmp_path / "tiny.gguf"), tmp_path / "text"
    text.write_text("the theory of the thing, " * 6)
    out = tmp_path / "out"
    given = [str(model), "--text", str(text), "--most-states", "64", "--starts", "50", "--json"]
    assert main([*given, "--jobs", "1", "--formats", "svg", "--out", str(out)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads((out / "unembedding.json").read_text())
    assert record["verdict"].startswith(("found", "not found (power ", "no power"))
    assert isinstance(record["directions"], list)
    assert [each["density"] for each in record["power"]] == [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert record["natural"]["outputs"][0]["count"] == 64
    names = ["model", "bloom", "dense_code", "noisy_bloom"]
    assert [each["name"] for each in record["natural"]["outputs"]] == names
    assert record["recipe"]["check"] == "perplexity per token"
    run = json.loads((out / "run.json").read_text())
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (model, text)]
    assert run["configuration"]["inputs"] == [
        {"file": "tiny.gguf", "sha256": hashes[0]},
        {"file": "text", "sha256": hashes[1]},
    ]
    assert {"numpy", "torch", "gguf", "onnx"} <= run["versions"].keys()
    assert (out / "two_levels.csv").is_file()
    assert (out / "two_levels.svg").is_file()


@pytest.mark.parametrize(
    ("changes", "content", "why"),
    [
        ({"layers": 2**31}, "the theory", "at most 4096"),
        ({"layers": 0}, "the theory", "at least 1"),
        ({"layers": 3}, "the theory", "no tensor blk.2.attn_norm.weight"),
        ({"heads": 3}, "the theory", "do not fit a width of 16"),
        ({"hidden": 25}, "the theory", "must have shape"),
        ({"up": 1e37}, "the theory", "must be finite"),
        ({}, "", "two tokens"),
        ({}, "t", "two tokens"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_before_anything_is_measured(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    content: str,
    why: str,
) -> None:
    model, text = tiny_llama(tmp_path / "tiny.gguf", **changes), tmp_path / "text"
    text.write_text(content)
    given = [str(model), "--text", str(text), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stopped:
        command_line.run(lambda: main(given))
    assert stopped.value.code == command_line.BAD_INPUT
    # the model's own line, and the error
    _, error, end = capfd.readouterr().err.split("\n")
    assert error.startswith("error: ")
    assert why in error
    assert not end


def test_a_pipe_or_device_is_refused_before_it_is_read(tmp_path: Path) -> None:
    model, pipe = tiny_llama(tmp_path / "tiny.gguf"), tmp_path / "pipe"
    os.mkfifo(pipe)
    for option in ("--text", "--states"):
        for path in (pipe, Path("/dev/zero"), tmp_path):
            with pytest.raises(DomainError, match="ordinary file"):
                main([str(model), option, str(path), "--out", str(tmp_path / "out")])


def test_states_need_a_model_that_can_run(tmp_path: Path) -> None:
    model = model_files.single(tmp_path / "a.safetensors")
    with pytest.raises(DomainError):
        main([str(model), "--text", str(model), "--out", str(tmp_path / "out")])
