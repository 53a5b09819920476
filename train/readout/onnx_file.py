"""The last linear map of an ONNX graph, and the tensor that it reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from theory.domain import DomainError
from train.readout.sizes import check_entries

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

BLANK = "blank"
_LINEAR = ("MatMul", "Gemm")
_BYTES = {1: 4, 10: 2, 11: 8, 16: 2}  # float32, float16, float64, bfloat16


@dataclass(frozen=True)
class LinearMap:
    """h W + b as the graph has it. W: as stored. bias: None without one. reads: the name of h.

    transposed: whether the graph multiplies by the transpose of what is stored. vocabulary: of a
    text recogniser, from its metadata: the blank, its characters, and a space.
    """

    name: str
    W: np.ndarray
    bias: np.ndarray | None
    reads: str
    transposed: bool
    vocabulary: tuple[str, ...] = ()


def load_graph(path: Path) -> ModelProto:
    """The graph without external data. Raises DomainError for what is no ONNX file."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise DomainError(f"{path}: not an ONNX file: {error}") from None
    if not model.graph.node:
        raise DomainError(f"{path}: not an ONNX file, or one without a graph")
    return model


def last_linear(path: Path, initializer: str | None = None) -> LinearMap:
    """The linear map nearest to the end of the graph, or the one whose weights are so named.

    The graph is in topological order, which ONNX demands. Weights may be initializers or constants.
    """
    model = load_graph(path)
    graph = model.graph
    tensors: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors[node.output[0]] = attribute.t
    matrices = [
        node
        for node in graph.node
        if node.op_type in _LINEAR
        and len(node.input) >= 2
        and node.input[1] in tensors
        and len(tensors[node.input[1]].dims) == 2
    ]
    chosen = [node for node in matrices if initializer in (None, node.input[1])]
    if not chosen:
        known = ", ".join(node.input[1] for node in matrices[-5:]) or "none"
        wanted = "no linear map" if initializer is None else f"no linear map by {initializer}"
        raise DomainError(f"{path}: {wanted}; its last ones are by {known}; use --initializer")
    node = chosen[-1]
    bias = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else None
    for after in graph.node:
        if after.op_type == "Add" and node.output[0] in after.input:
            others = [name for name in after.input if name in tensors]
            bias = others[0] if others else bias
    name = node.input[1]
    return LinearMap(
        name,
        _array(path, name, tensors[name]),
        None if bias is None or bias not in tensors else _array(path, bias, tensors[bias]),
        node.input[0],
        any(option.name == "transB" and option.i for option in node.attribute),
        _vocabulary(model),
    )


def _vocabulary(model: ModelProto) -> tuple[str, ...]:
    for entry in model.metadata_props:
        if entry.key == "character":
            return (BLANK, *entry.value.splitlines(), " ")
    return ()


def _array(path: Path, name: str, tensor: TensorProto) -> np.ndarray:
    """The tensor in float32; its data may lie in a file beside the graph."""
    from onnx import TensorProto as Proto
    from onnx import checker, external_data_helper, numpy_helper

    check_entries(f"{path}: {name}", tensor.dims)
    if tensor.data_type not in _BYTES:
        raise DomainError(f"{path}: {name} must be a floating-point tensor")
    try:
        if tensor.data_location == Proto.EXTERNAL:
            # no more than the shape says, however long the file is
            size = math.prod(tensor.dims) * _BYTES[tensor.data_type]
            lengths = [entry for entry in tensor.external_data if entry.key == "length"]
            (lengths[0] if lengths else tensor.external_data.add(key="length")).value = str(size)
            # refuses paths that lead out of the folder
            external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
            tensor.data_location = Proto.DEFAULT
        size = len(tensor.raw_data)
        if size and size != math.prod(tensor.dims) * _BYTES[tensor.data_type]:
            raise DomainError(f"{path}: {name} has {size} bytes, not those of its shape")
        return numpy_helper.to_array(tensor).astype(np.float32)
    except (ValueError, checker.ValidationError, OSError) as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError(f"{path}: {name} cannot be read: {error}") from None
