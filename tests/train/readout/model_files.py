"""Tiny models in every format, written from scratch, with one unembedding."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

N, D = 40, 8


def weights(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """W_U as rows [n, d], exact in bfloat16, and the gain of a final norm [d]."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-8, 9, size=(N, D)).astype(np.float32) / 4.0
    return rows, (1.0 + rng.integers(0, 4, size=D) / 4.0).astype(np.float32)


def single(path: Path, bf16: bool = False) -> Path:
    import torch
    from safetensors.torch import save_file

    rows, gain = weights()
    kind = torch.bfloat16 if bf16 else torch.float32
    save_file(
        {
            "lm_head.weight": torch.tensor(rows).to(kind),
            "model.norm.weight": torch.tensor(gain).to(kind),
        },
        path,
    )
    return path


def sharded(folder: Path) -> Path:
    from safetensors.numpy import save_file

    rows, gain = weights()
    save_file({"lm_head.weight": rows}, folder / "a.safetensors")
    save_file({"model.norm.weight": gain}, folder / "b.safetensors")
    where = {"lm_head.weight": "a.safetensors", "model.norm.weight": "b.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


def gguf(path: Path) -> Path:
    from gguf import GGUFWriter

    rows, gain = weights()
    writer = GGUFWriter(path, "llama")
    writer.add_token_list([f"token{i}" for i in range(N)])
    writer.add_tensor("token_embd.weight", rows)
    writer.add_tensor("output_norm.weight", gain)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def onnx_graph(path: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rows, gain = weights()
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["h", "W"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["output"]),
        ],
        "readout",
        [helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, D])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, N])],
        [
            numpy_helper.from_array(np.ascontiguousarray((rows * gain).T), "W"),
            numpy_helper.from_array(np.zeros(N, np.float32), "b"),
        ],
    )
    onnx.save(helper.make_model(graph), path)
    return path


def broken_files(folder: Path) -> dict[str, Path]:
    """Malformed files of many kinds, each by what is wrong with it."""
    whole_gguf = gguf(folder / "whole.gguf").read_bytes()
    whole_safe = single(folder / "whole.safetensors").read_bytes()
    whole_onnx = onnx_graph(folder / "whole.onnx").read_bytes()
    huge = struct.pack("<Q", 2**62)
    contents = {
        "empty.safetensors": b"",
        "long_header.safetensors": huge + b"{}",
        "cut.safetensors": whole_safe[:-64],
        "no_json.safetensors": struct.pack("<Q", 8) + b"{broken}" + b"\0" * 8,
        "shape.safetensors": whole_safe.replace(b"[40,8]", b"[99,8]"),
        "empty.gguf": b"",
        "cut.gguf": whole_gguf[: len(whole_gguf) // 2],
        "no_data.gguf": whole_gguf[:-64],
        "many_tensors.gguf": whole_gguf[:8] + huge + whole_gguf[16:],
        "many_values.gguf": whole_gguf[:16] + huge + whole_gguf[24:],
        "version.gguf": whole_gguf[:4] + struct.pack("<I", 77) + whole_gguf[8:],
        "long_array.gguf": b"GGUF"
        + struct.pack("<IQQ", 3, 0, 1)
        + struct.pack("<Q", 1)
        + b"a"
        + struct.pack("<IIQ", 9, 4, 2**61),
        "nested_array.gguf": b"GGUF"
        + struct.pack("<IQQ", 3, 0, 1)
        + struct.pack("<Q", 1)
        + b"a"
        + struct.pack("<IIQ", 9, 9, 1)
        + b"\0" * 64,
        "huge_tensor.gguf": b"GGUF"
        + struct.pack("<IQQ", 3, 1, 0)
        + struct.pack("<Q", 17)
        + b"token_embd.weight"
        + struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0)
        + b"\0" * 64,
        "noise.onnx": b"\xff\x01garbage" * 9,
        "empty.onnx": b"",
        "cut.onnx": whole_onnx[: len(whole_onnx) // 3],
        "pickle.bin": b"PK\x03\x04" + b"\0" * 60,
        "old_pickle.bin": b"\x80\x02}q\x00." + b"\0" * 60,
        "text.txt": b"hello, this is no model at all",
        "list.json": b"[]",
        "outside.json": json.dumps(
            {"weight_map": {"lm_head.weight": "../up.safetensors"}}
        ).encode(),
        "missing_shard.json": json.dumps({"weight_map": {"a": "gone.safetensors"}}).encode(),
    }
    made = {}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        made[name] = folder / name
    return made | {"nothing": folder / "nothing.safetensors"}
