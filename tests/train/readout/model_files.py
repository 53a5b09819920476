"""Tiny models in every format, written from scratch, with one unembedding."""

from __future__ import annotations

import json
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
