"""The last linear map of an ONNX graph, and the tensor that it reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from theory.domain import DomainError
from train.readout.messages import listed, quoted, reason
from train.readout.sizes import check_bytes, check_entries

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

BLANK = "blank"
_LINEAR = ("MatMul", "Gemm")
_BYTES = {1: 4, 10: 2, 11: 8, 16: 2}  # float32, float16, float64, bfloat16
_MOST_GRAPH = 2**31  # bytes; no protocol buffer is larger
# options of a Gemm that are read, with the field of each
_OPTIONS = {"alpha": "f", "beta": "f", "transA": "i", "transB": "i", "broadcast": "i"}
_EXTERNAL = {"location", "offset", "length", "checksum"}


@dataclass(frozen=True)
class LinearMap:
    """h W + b as the graph has it. W: as stored. bias: None without one. reads: the name of h.

    transposed: whether the graph multiplies by the transpose of what is stored. vocabulary: of a
    text recogniser, from its metadata: the blank, its characters, and a space. beside: files with
    data of it.
    """

    name: str
    W: np.ndarray
    bias: np.ndarray | None
    reads: str
    transposed: bool
    vocabulary: tuple[str, ...] = ()
    beside: tuple[Path, ...] = ()


def load_graph(path: Path) -> ModelProto:
    """The graph without external data. Raises DomainError for what is no ONNX file."""
    import onnx
    from google.protobuf.message import DecodeError

    check_bytes(path, _MOST_GRAPH)
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise DomainError(f"{path}: not an ONNX file: {reason(error)}") from None
    if not model.graph.node:
        raise DomainError(f"{path}: not an ONNX file, or one without a graph")
    return model


def last_linear(path: Path, initializer: str | None = None) -> LinearMap:
    """The linear map nearest to the end of the graph, or the one whose weights are so named.

    The graph is in topological order, which ONNX demands. Weights may be initializers or constants.
    """
    model = load_graph(path)
    graph = model.graph
    tensors = _tensors(path, model)
    matrices = [
        node
        for node in graph.node
        if node.op_type in _LINEAR
        and len(node.input) >= 2
        and node.output
        and node.input[1] in tensors
        and len(tensors[node.input[1]].dims) == 2
    ]
    chosen = [node for node in matrices if initializer in (None, node.input[1])]
    if not chosen:
        known = listed([node.input[1] for node in matrices[-5:]])
        wanted = "no linear map" if initializer is None else f"no map by {quoted(initializer)}"
        raise DomainError(f"{path}: {wanted}; its last ones are by {known}; use --initializer")
    node = chosen[-1]
    added = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else None
    options = _options(path, node)
    scale, of_bias = options.get("alpha", 1.0), options.get("beta", 1.0)
    for after in graph.node:
        if after.op_type == "Add" and node.output[0] in after.input:
            others = [name for name in after.input if name in tensors]
            added, of_bias = (others[0], 1.0) if others else (added, of_bias)
    name = node.input[1]
    used = {each: tensors[each] for each in (name, added) if each in tensors and each is not None}
    arrays = {each: _array(path, each, tensor) for each, tensor in used.items()}
    return LinearMap(
        name,
        np.float32(scale) * arrays[name],
        None if added not in arrays else np.float32(of_bias) * arrays[added],
        node.input[0],
        bool(options.get("transB", 0)),
        _vocabulary(model),
        tuple(path.parent / told["location"] for told in map(_external, used.values()) if told),
    )


def _tensors(path: Path, model: ModelProto) -> dict[str, TensorProto]:
    """Initializers and constants by name."""
    named = [(tensor.name, tensor) for tensor in model.graph.initializer]
    named += [
        (node.output[0], attribute.t)
        for node in model.graph.node
        if node.op_type == "Constant" and node.output
        for attribute in node.attribute
        if attribute.name == "value"
    ]
    found = dict(named)
    if len(found) < len(named):
        raise DomainError(f"{path}: must have each tensor once; two have one name")
    return found


def _options(path: Path, node: NodeProto) -> dict[str, float]:
    """The factors and turns that a Gemm has; a MatMul has none.

    Raises DomainError for any other, for one of another type, and for a map that turns what it
    reads: that is no readout.
    """
    from onnx import AttributeProto

    kinds = {"f": AttributeProto.FLOAT, "i": AttributeProto.INT}
    allowed = _OPTIONS if node.op_type == "Gemm" else {}
    found: dict[str, float] = {}
    for each in node.attribute:
        field = allowed.get(each.name)
        if field is None or each.name in found or each.type != kinds[field]:
            raise DomainError(
                f"{path}: the options of a {node.op_type} must be known, of their own types and "
                f"given once; got {quoted(each.name)}"
            )
        found[each.name] = float(getattr(each, field))
    if found.get("transA"):
        raise DomainError(f"{path}: the map by {quoted(node.input[1])} must not have transA")
    return found


def _vocabulary(model: ModelProto) -> tuple[str, ...]:
    for entry in model.metadata_props:
        if entry.key == "character":
            return (BLANK, *entry.value.splitlines(), " ")
    return ()


def _external(tensor: TensorProto) -> Mapping[str, str]:
    """Where data beside the graph lie; empty for a tensor that has its own."""
    from onnx import TensorProto as Proto

    if tensor.data_location != Proto.EXTERNAL:
        return {}
    return {entry.key: entry.value for entry in tensor.external_data}


def _array(path: Path, name: str, tensor: TensorProto) -> np.ndarray:
    """The tensor in float32; its data may lie in a file beside the graph."""
    from onnx import TensorProto as Proto
    from onnx import external_data_helper, numpy_helper

    shown = f"{path}: {quoted(name)}"
    check_entries(shown, tensor.dims)
    if tensor.data_type not in _BYTES:
        raise DomainError(f"{shown} must be a floating-point tensor")
    size = math.prod(tensor.dims) * _BYTES[tensor.data_type]
    told = _external(tensor)
    if tensor.data_location == Proto.EXTERNAL:
        _check_external(shown, tensor, told, size)
    own = Proto()
    own.CopyFrom(tensor)
    try:
        if told:
            # refuses paths that lead out of the folder
            external_data_helper.load_external_data_for_tensor(own, str(path.parent))
            own.data_location = Proto.DEFAULT
        stored = len(own.raw_data)
        if stored and stored != size:
            raise DomainError(f"{shown} has {stored} bytes, not the {size} of its shape")
        return np.asarray(numpy_helper.to_array(own).astype(np.float32))
    except DomainError:
        raise
    except Exception as error:  # the library's errors have no common base
        raise DomainError(f"{shown} cannot be read: {reason(error)}") from None


def _check_external(shown: str, tensor: TensorProto, told: Mapping[str, str], size: int) -> None:
    """No more bytes than the shape says, however long the file beside the graph is."""
    each_once = len(told) == len(tensor.external_data)
    if "location" not in told or not told.keys() <= _EXTERNAL or not each_once:
        raise DomainError(f"{shown} must say where its data lie once; got {listed(sorted(told))}")
    if not told["location"].isprintable():  # to the library a name ends at a NUL
        raise DomainError(f"{shown} cannot lie in a file {quoted(told['location'])}")
    if told.get("length", str(size)) != str(size):
        raise DomainError(
            f"{shown} has {quoted(told['length'])} bytes beside the graph, not the {size} of its "
            "shape"
        )
    if "length" not in told:
        tensor.external_data.add(key="length", value=str(size))
