"""Malformed models of many kinds, each under a name that says what is wrong with it."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests.train.readout import model_files
from tests.train.readout.model_files import D, N

HUGE = struct.pack("<Q", 2**62)
ROWS, GAIN = model_files.weights()
# a name that would clear a terminal and start a second line
EVIL = "evil\n\x1b[2J"


def all_of_them(folder: Path) -> dict[str, Path]:
    """Every malformed model, by what is wrong with it."""
    found = {"nothing": folder / "nothing.safetensors"}
    for make in (_safetensors, _shards, _gguf, _onnx, _others):
        own = folder / make.__name__
        own.mkdir()
        for name, content in make(own).items():
            (own / name).write_bytes(content)
            found[name] = own / name
        for path in own.glob("long.*"):
            found[path.name] = path
    for suffix in ("safetensors", "gguf", "onnx", "json"):
        # as a model, and as the only one in its folder
        own = folder / f"pipe_{suffix}"
        own.mkdir()
        os.mkfifo(own / f"a.{suffix}")
        found |= {own.name: own, f"{own.name}/a": own / f"a.{suffix}"}
    found["device"] = Path("/dev/zero")
    return found


def _others(folder: Path) -> dict[str, bytes]:
    return {
        "pickle.bin": b"PK\x03\x04" + b"\0" * 60,
        "old_pickle.bin": b"\x80\x02}q\x00." + b"\0" * 60,
        "text.txt": b"hello, this is no model at all",
    }


def states(folder: Path) -> dict[str, Path]:
    """Files of states that are none, of as many kinds as there are errors of their parser."""
    whole = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 8)}"
    headers = {
        "brace": whole[:20],
        "string": whole.removesuffix("(3, 8)}"),
        "key": whole.replace("'shape'", "[1]"),
        "keys": whole.replace("'shape'", "1"),
        "huge": whole.replace("3, 8", "2**64, 8").replace("2**64", str(2**64)),
        "large": whole.replace("3, 8", f"{2**50}, 8"),
        "negative": whole.replace("3, 8", "-3, 8"),
        "digits": whole.replace("3, 8", "9" * 5000),
        "deep": "(" * 9000,
        "minus": "-" * 9000 + "1",
        "products": "1" + "+1" * 4500,
        "type": whole.replace("'<f4'", "[[]]"),
        "names": whole.replace("'<f4'", "[('a', '<f4'), ('a', '<f4')]"),
        "unknown": whole.replace("<f4", "x" * 3000),
        "object": whole.replace("<f4", "|O"),
        "escape": whole.replace("<f4", "\\d"),
        "nul": "\0" * 99,
        "long": " " * 60_000,
    }
    found = {}
    for name, header in headers.items():
        content = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode()
        found[name] = content + b"\0" * 96
    found["version"] = b"\x93NUMPY\x09\0" + b"\0" * 99
    found["long_header"] = b"\x93NUMPY\x02\0" + struct.pack("<I", 2**32 - 1)
    found["empty"], found["magic"], found["zip"] = b"", b"\x93NUM", b"PK\x03\x04" + b"\0" * 60
    for name, content in found.items():
        (folder / f"{name}.npy").write_bytes(content)
    os.mkfifo(folder / "pipe.npy")
    with (folder / "sparse.npy").open("wb") as stream:
        header = whole.replace("3, 8", f"{2**29}, 8")
        stream.write(b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode())
        stream.truncate(2**34 + 2**10)
    return {path.stem: path for path in folder.glob("*.npy")}


def packed(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file of tensors by type, shape and bytes, whatever these say."""
    header, data = {}, b""
    for name, (kind, shape, content) in tensors.items():
        ends = [len(data), len(data) + len(content)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": ends}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _head(kind: str, shape: list[int], content: bytes) -> bytes:
    return packed({"lm_head.weight": (kind, shape, content)})


def _with(value: float, kind: type = np.float32) -> bytes:
    rows: np.ndarray = ROWS.astype(kind)
    rows[3, 2] = value
    return rows.tobytes()


def _twice(content: bytes, name: str = "lm_head") -> bytes:
    """A safetensors file with its first entry twice, the second time under another spelling."""
    end = 8 + int.from_bytes(content[:8], "little")
    entry = content[9 : end - 1]
    text = b"{" + entry + b"," + entry.replace(b"lm_head", name.encode()) + b"}"
    return struct.pack("<Q", len(text)) + text + content[end:]


def _safetensors(folder: Path) -> dict[str, bytes]:
    whole = model_files.single(folder / "whole").read_bytes()
    head = ("F32", [N, D], ROWS.tobytes())
    own = folder / "config"
    own.mkdir()
    (own / "config.json").write_text("{")
    return {
        "empty.safetensors": b"",
        "many_axes.safetensors": _head("F32", [1] * 200, b"\0" * 4),
        "many_names.safetensors": packed({f"{i}" + "\x1b" * 99: head for i in range(20)}),
        "twice.safetensors": _twice(_head("F32", [N, D], ROWS.tobytes())),
        "twice_escaped.safetensors": _twice(_head("F32", [N, D], ROWS.tobytes()), "lm\\u005fhead"),
        "long_header.safetensors": HUGE + b"{}",
        "cut.safetensors": whole[:-64],
        "no_json.safetensors": struct.pack("<Q", 8) + b"{broken}" + b"\0" * 8,
        "shape.safetensors": whole.replace(b"[40,8]", b"[99,8]"),
        "unknown_type.safetensors": _head("Q9", [N, D], b"\0" * N * D),
        "f8.safetensors": _head("F8_E4M3", [N, D], b"\0" * N * D),
        "f8_of_powers.safetensors": _head("F8_E8M0", [N, D], b"\0" * N * D),
        "f4.safetensors": _head("F4", [N, D], b"\0" * (N * D // 2)),
        "whole_numbers.safetensors": _head("I64", [N, D], b"\0" * 8 * N * D),
        "bytes.safetensors": _head("U8", [N, D], b"\0" * N * D),
        "one_axis.safetensors": _head("F32", [N * D], ROWS.tobytes()),
        "no_rows.safetensors": _head("F32", [0, D], b""),
        "scalar.safetensors": _head("F32", [], b"\0" * 4),
        "nan.safetensors": _head("F32", [N, D], _with(np.nan)),
        "infinite.safetensors": _head("F32", [N, D], _with(np.inf)),
        "nan_in_half.safetensors": _head("F16", [N, D], _with(np.nan, np.float16)),
        "too_large_for_float32.safetensors": _head("F64", [N, D], _with(1e300, np.float64)),
        "too_large.safetensors": _head("F32", [N, D], _with(1e30)),
        "nine_tokens.safetensors": _head("F32", [9, D], ROWS[:9].tobytes()),
        "equal_tokens.safetensors": _head("F32", [N, D], np.ones((N, D), np.float32).tobytes()),
        "tiny.safetensors": _head("F32", [N, D], (ROWS * np.float32(1e-30)).tobytes()),
        "norm.safetensors": packed(
            {"lm_head.weight": head, "model.norm.weight": ("F32", [D + 1], b"\0" * 4 * (D + 1))}
        ),
        "bias.safetensors": packed(
            {"lm_head.weight": head, "lm_head.bias": ("F32", [N, 1], b"\0" * 4 * N)}
        ),
        "units.safetensors": packed(
            {
                "lm_head.weight": head,
                "layers.0.mlp.down_proj.weight": ("F32", [D, N], _with(np.nan)),
            }
        ),
        "no_head.safetensors": packed({EVIL: head}),
        "evil_tensor.safetensors": packed({"lm_head.weight": ("F32", [1, 1, 1], b"\0" * 4)}),
        "config/config_beside.safetensors": packed({"lm_head.weight": head}),
    }


def _shards(folder: Path) -> dict[str, bytes]:
    (folder / "a.safetensors").write_bytes(_head("F32", [N, D], ROWS.tobytes()))
    (folder / "a_pickle").write_bytes(b"PK\x03\x04" + b"\0" * 60)
    # more than is read of any index, but no bytes of the disk
    with (folder / "long").open("wb") as stream:
        stream.truncate(2**26 + 1)
    (folder / "long").rename(folder / "long.json")

    def index(shard: object, name: str = "lm_head.weight") -> bytes:
        return json.dumps({"weight_map": {name: shard}}).encode()

    return {
        "list.json": b"[]",
        "no_map.json": b"{}",
        "empty_map.json": b'{"weight_map": {}}',
        "no_text.json": b"\xff\xfe{",
        "deep.json": b'{"weight_map":' + b"[" * 100_000,
        "outside.json": index("../up.safetensors"),
        "absolute.json": index("/etc/passwd"),
        "folder_above.json": index(".."),
        "this_folder.json": index("."),
        "nul.json": index("a\0b"),
        "evil_shard.json": index(EVIL),
        "number.json": index(7),
        "long_shard.json": index("a" * 5000),
        "tensor_twice.json": b'{"weight_map": {"a": "a.safetensors", "a": "b.safetensors"}}',
        "map_twice.json": b'{"weight_map": {}, "weight_map": {"a": "a.safetensors"}}',
        "missing_shard.json": index("gone.safetensors"),
        "shard_of_pickle.json": index("a_pickle"),
        "tensor_not_there.json": index("a.safetensors", EVIL),
    }


def _pair(value: bytes, key: bytes = b"a") -> bytes:
    """A GGUF file with one value and no tensors."""
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(key)) + key + value


def _tensors(*entries: tuple[bytes, tuple[int, ...], int, int], data: bytes = b"\0" * 64) -> bytes:
    """A GGUF file without values; of each tensor its name, axes, type and offset."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(entries), 0)
    for name, axes, kind, offset in entries:
        header += struct.pack("<Q", len(name)) + name + struct.pack("<I", len(axes))
        header += struct.pack(f"<{len(axes)}QIQ", *axes, kind, offset)
    return header + b"\0" * (-len(header) % 32) + data


def _gguf(folder: Path) -> dict[str, bytes]:
    whole = model_files.gguf(folder / "whole").read_bytes()
    head = b"token_embd.weight"
    q8 = struct.pack("<e32b", np.inf, *range(32))
    return {
        "empty.gguf": b"",
        "cut.gguf": whole[: len(whole) // 2],
        "no_data.gguf": whole[:-64],
        "many_tensors.gguf": whole[:8] + HUGE + whole[16:],
        "many_values.gguf": whole[:16] + HUGE + whole[24:],
        "version.gguf": whole[:4] + struct.pack("<I", 77) + whole[8:],
        "big_endian.gguf": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        "long_array.gguf": _pair(struct.pack("<IIQ", 9, 4, 2**61)),
        "nested_array.gguf": _pair(struct.pack("<IIQ", 9, 9, 1) + b"\0" * 64),
        "long_text.gguf": _pair(struct.pack("<IQ", 8, 2**63)),
        "unknown_value.gguf": _pair(struct.pack("<IQ", 99, 1)),
        # 64 MiB that would be as many numbers of Python, 8 times as large
        "long_metadata.gguf": _pair(struct.pack("<IIQ", 9, 0, 2**26) + b"\0" * 2**26),
        "many_texts.gguf": _pair(struct.pack("<IIQ", 9, 8, 2**23 + 1) + b"\0" * (2**26 + 8)),
        "alignment.gguf": _pair(struct.pack("<II", 4, 0), b"general.alignment"),
        "text_for_alignment.gguf": _pair(
            struct.pack("<IQ", 8, 3) + b"\n\x1b[", b"general.alignment"
        ),
        "bool_for_alignment.gguf": _pair(struct.pack("<IB", 7, 1), b"general.alignment"),
        "alignment_of_1.gguf": _pair(struct.pack("<II", 4, 1), b"general.alignment"),
        "alignment_of_33.gguf": _pair(struct.pack("<II", 4, 33), b"general.alignment"),
        "long_alignment.gguf": _pair(
            struct.pack("<IQ", 8, 9999) + b"x" * 9999, b"general.alignment"
        ),
        "value_twice.gguf": b"GGUF"
        + struct.pack("<IQQ", 3, 0, 2)
        + (struct.pack("<Q", 1) + b"a" + struct.pack("<II", 4, 0)) * 2,
        "not_aligned.gguf": _tensors((head, (D, N), 0, 8), data=b"\0" * 8 + ROWS.tobytes()),
        "other_not_aligned.gguf": _tensors(
            (head, (D, N), 0, 0), (b"other", (D,), 0, 4), data=ROWS.tobytes()
        ),
        "no_tensors.gguf": _pair(struct.pack("<II", 4, 0)),
        "huge_tensor.gguf": _tensors((head, (2**40, 2**40), 0, 0)),
        "beyond.gguf": _tensors((head, (D, N), 0, 2**60)),
        "no_axes.gguf": _tensors((EVIL.encode(), (), 0, 0)),
        "many_axes.gguf": _tensors((EVIL.encode(), (1,) * 9, 0, 0)),
        "zero_axis.gguf": _tensors((head, (D, 0), 0, 0)),
        "unknown_type.gguf": _tensors((head, (D, N), 9999, 0)),
        "not_blocks.gguf": _tensors((head, (D + 1, N), 8, 0), data=b"\0" * 999),
        "whole_numbers.gguf": _tensors((head, (D, N), 24, 0), data=b"\0" * N * D),
        "same_names.gguf": _tensors(
            (head, (D, N), 0, 0), (head, (D, N), 0, 0), data=ROWS.tobytes()
        ),
        "evil_names.gguf": _tensors((EVIL.encode(), (D, N), 0, 0), data=ROWS.tobytes()),
        "nan.gguf": _tensors((head, (D, N), 0, 0), data=_with(np.nan)),
        "infinite_scale.gguf": _tensors((head, (32, N), 8, 0), data=q8 * N),
        "nine_tokens.gguf": _tensors((head, (D, 9), 0, 0), data=ROWS.tobytes()),
    }


def graph(*nodes: NodeProto, tensors: tuple[TensorProto, ...] = ()) -> bytes:
    """An ONNX graph of the nodes; nothing is checked."""
    made = helper.make_graph(
        list(nodes),
        "readout",
        [helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, D])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, N])],
        list(tensors),
    )
    found: ModelProto = helper.make_model(made)
    return bytes(found.SerializeToString())


MATMUL = helper.make_node("MatMul", ["h", "W"], ["logits"])


def stored(kind: int = TensorProto.FLOAT, dims: tuple[int, ...] = (D, N), **data: Any) -> bytes:
    """A product with weights W that say what they are told to."""
    return graph(MATMUL, tensors=(TensorProto(name="W", data_type=kind, dims=dims, **data),))


def external(**told: str) -> bytes:
    """A product with weights in a file beside the graph."""
    tensor = TensorProto(name="W", data_type=TensorProto.FLOAT, dims=(D, N))
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in told.items():
        tensor.external_data.add(key=key.removesuffix("_"), value=value)
    return graph(MATMUL, tensors=(tensor,))


def _onnx(folder: Path) -> dict[str, bytes]:
    whole = model_files.onnx_graph(folder / "whole").read_bytes()
    W = np.ascontiguousarray(ROWS.T)
    size = str(W.nbytes)
    (folder / "W.data").write_bytes(W.tobytes())
    (folder.parent / "above.data").write_bytes(W.tobytes())
    (folder / "short.data").write_bytes(W.tobytes()[:-4])
    (folder / "link.data").symlink_to(folder.parent / "above.data")
    with (folder / "long").open("wb") as stream:
        stream.truncate(2**31 + 1)
    (folder / "long").rename(folder / "long.onnx")
    good = numpy_helper.from_array(W, "W")
    os.mkfifo(folder / "pipe.data")

    def gemm(**options: Any) -> bytes:
        return graph(helper.make_node("Gemm", ["h", "W"], ["logits"], **options), tensors=(good,))

    add = helper.make_node("Add", ["product", "b"], ["logits"])
    product = helper.make_node("MatMul", ["h", "W"], ["product"])
    return {
        "turned_input.onnx": gemm(transA=1),
        "turned_both.onnx": gemm(transA=1, transB=1),
        "factor_of_another_type.onnx": gemm(alpha=2),
        "turn_of_another_type.onnx": gemm(transB=1.0),
        "unknown_option.onnx": gemm(**{EVIL: 1}),
        "option_of_a_product.onnx": graph(
            helper.make_node("MatMul", ["h", "W"], ["logits"], transB=1), tensors=(good,)
        ),
        "weights_twice.onnx": graph(MATMUL, tensors=(good, good)),
        "beside_long_name.onnx": external(location="a" * 5000),
        "beside_long_path.onnx": external(location="a/" * 5000),
        "beside_nul.onnx": external(location="W.data\0"),
        "beside_folder.onnx": external(location="."),
        "beside_pipe.onnx": external(location="pipe.data"),
        "beside_many_digits.onnx": external(location="W.data", offset="9" * 4000, length=size),
        "beside_too_many_digits.onnx": external(location="W.data", offset="9" * 5000),
        "noise.onnx": b"\xff\x01garbage" * 9,
        "empty.onnx": b"",
        "cut.onnx": whole[: len(whole) // 3],
        "no_nodes.onnx": graph(),
        "no_maps.onnx": graph(helper.make_node("Relu", ["h"], ["logits"]), tensors=(good,)),
        "constant_without_output.onnx": graph(
            helper.make_node("Constant", [], [], value=good), MATMUL
        ),
        "constant_without_value.onnx": graph(helper.make_node("Constant", [], ["W"]), MATMUL),
        "map_without_output.onnx": graph(
            helper.make_node("MatMul", ["h", "W"], []), tensors=(good,)
        ),
        "map_without_weights.onnx": graph(helper.make_node("MatMul", ["h"], ["logits"])),
        "evil_weights.onnx": graph(
            helper.make_node("MatMul", ["h", EVIL], ["logits"]),
            tensors=(numpy_helper.from_array(W.astype(np.int8), EVIL),),
        ),
        "bias.onnx": graph(
            product, add, tensors=(good, numpy_helper.from_array(np.zeros(N + 1, np.float32), "b"))
        ),
        "whole_numbers.onnx": stored(TensorProto.INT8, raw_data=b"\0" * N * D),
        "f8.onnx": stored(TensorProto.FLOAT8E4M3FN, raw_data=b"\0" * N * D),
        "unknown_type.onnx": stored(999, raw_data=b"\0" * N * D),
        "short_data.onnx": stored(raw_data=b"\0" * (4 * N * D - 1)),
        "long_data.onnx": stored(raw_data=b"\0" * (4 * N * D + 4)),
        "short_numbers.onnx": stored(float_data=[0.0] * (N * D - 1)),
        "no_numbers.onnx": stored(),
        "negative.onnx": stored(dims=(D, -N), raw_data=b"\0" * 4 * N * D),
        "huge.onnx": stored(dims=(2**40, 2**40), raw_data=b"\0" * 8),
        "three_axes.onnx": stored(dims=(1, D, N), raw_data=W.tobytes()),
        "nan.onnx": stored(raw_data=np.full((D, N), np.nan, np.float32).tobytes()),
        "infinite.onnx": stored(raw_data=np.full((D, N), np.inf, np.float32).tobytes()),
        "too_large_for_float32.onnx": stored(
            TensorProto.DOUBLE, raw_data=np.full((D, N), 1e300).tobytes()
        ),
        "beside_nowhere.onnx": external(),
        "beside_gone.onnx": external(location="gone.data"),
        "beside_above.onnx": external(location="../above.data"),
        "beside_absolute.onnx": external(location=str(folder / "W.data")),
        "beside_link.onnx": external(location="link.data"),
        "beside_longer.onnx": external(location="W.data", length=str(10 * W.nbytes)),
        "beside_shorter.onnx": external(location="W.data", length=str(W.nbytes - 4)),
        "beside_no_number.onnx": external(location="W.data", length="all"),
        "beside_short_file.onnx": external(location="short.data"),
        "beside_far.onnx": external(location="W.data", offset=str(2**60), length=size),
        "beside_before.onnx": external(location="W.data", offset="-8", length=size),
        "beside_offset.onnx": external(location="W.data", offset="x", length=size),
        "beside_twice.onnx": external(location="W.data", length=size, length_="1" + size),
        "beside_unknown.onnx": external(location="W.data", sideways="1"),
    }
