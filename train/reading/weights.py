"""Networks as safetensors files: five named tensors, and k, c, seed and step as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from simulate.harder_task import TargetNetwork
from simulate.jobs.output import write_whole
from simulate.network import ReluNetwork
from theory.domain import DomainError

TENSORS = ("W_E", "W_in", "b_in", "W_out", "W_U")
OPTIONAL = ("b_out", "b_U", "V")


@dataclass(frozen=True)
class Weights:
    """A network from a file. metadata: its strings, such as k, c, seed and step; may be empty."""

    network: ReluNetwork | TargetNetwork
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def relu_network(self) -> ReluNetwork:
        """The network without its second embedding, which is that of the uniform task."""
        return self.network.network if isinstance(self.network, TargetNetwork) else self.network


def safetensors_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, object]) -> bytes:
    """A safetensors file whose bytes depend on its content alone; metadata become strings.

    The library writes metadata in an order that differs from process to process; here it is that
    of their names.
    """
    from safetensors.numpy import save

    content = save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()},
        metadata={name: str(value) for name, value in metadata.items()},
    )
    # the format: the header's length in 8 bytes, the header in JSON padded with spaces, the tensors
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def as_bytes(network: ReluNetwork | TargetNetwork, metadata: Mapping[str, object]) -> bytes:
    """The safetensors file. Floats keep their dtype; metadata values become strings."""
    relu = network.network if isinstance(network, TargetNetwork) else network
    tensors = {name: getattr(relu, name) for name in (*TENSORS, "b_out", "b_U")}
    tensors["V"] = network.V if isinstance(network, TargetNetwork) else None
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    return safetensors_bytes(kept, metadata)


def save(path: Path, network: ReluNetwork | TargetNetwork, metadata: Mapping[str, object]) -> None:
    """Write the file whole or not at all."""
    write_whole(path, as_bytes(network, metadata))


def load(
    path: Path, names: Mapping[str, str] | None = None, transpose: tuple[str, ...] = ()
) -> Weights:
    """Read a network.

    names: the file's name of each tensor whose name differs, as {"W_in": "mlp.0.weight"}.
    transpose: our names of the tensors that the file holds transposed, such as a torch Linear's
    weight. float16 and bfloat16 become float32. Raises DomainError, naming the file, for what is
    no safetensors file, a tensor that is missing, of a wrong shape or not finite.
    """
    from safetensors import SafetensorError, safe_open

    names = dict(names or {})
    unknown = sorted({*names, *transpose} - {*TENSORS, *OPTIONAL})
    if unknown:
        raise DomainError(
            f"names must be among {', '.join((*TENSORS, *OPTIONAL))}; got {', '.join(unknown)}"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            stored = set(file.keys())
            arrays: dict[str, np.ndarray | None] = {}
            for name in (*TENSORS, *OPTIONAL):
                key = names.get(name, name)
                if key not in stored:
                    if name in TENSORS or name in names:
                        raise DomainError(
                            f"{path}: no tensor {key}; it has {', '.join(sorted(stored))}"
                        )
                    arrays[name] = None
                    continue
                tensor = file.get_tensor(key)
                if not tensor.is_floating_point():
                    raise DomainError(
                        f"{path}: {key} must be a floating-point tensor; got {tensor.dtype}"
                    )
                array = (tensor if tensor.element_size() > 2 else tensor.float()).numpy()
                arrays[name] = array.T if name in transpose else array
    except SafetensorError as error:
        raise DomainError(f"{path}: not a safetensors file: {error}") from None
    V = arrays.pop("V")
    try:
        relu = ReluNetwork(**arrays)  # type: ignore[arg-type]
        network = relu if V is None else TargetNetwork(relu, V)
    except DomainError as error:
        raise DomainError(f"{path}: {error}") from None
    return Weights(network, metadata)
