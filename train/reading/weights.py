"""Networks as safetensors files: five named tensors, and k, c, seed and step as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    names = dict(names or {})
    unknown = sorted({*names, *transpose} - {*TENSORS, *OPTIONAL})
    if unknown:
        raise DomainError(
            f"names must be among {', '.join((*TENSORS, *OPTIONAL))}; got {', '.join(unknown)}"
        )
    stored, metadata = read_tensors(path)
    arrays: dict[str, np.ndarray | None] = {}
    for name in (*TENSORS, *OPTIONAL):
        key = names.get(name, name)
        if key not in stored:
            if name in TENSORS or name in names:
                raise DomainError(f"{path}: no tensor {key}; it has {', '.join(sorted(stored))}")
            arrays[name] = None
            continue
        if not np.issubdtype(stored[key].dtype, np.floating):
            raise DomainError(
                f"{path}: {key} must be a floating-point tensor; got {stored[key].dtype}"
            )
        arrays[name] = stored[key].T if name in transpose else stored[key]
    V = arrays.pop("V")
    try:
        relu = ReluNetwork(**arrays)  # type: ignore[arg-type]
        network = relu if V is None else TargetNetwork(relu, V)
    except DomainError as error:
        raise DomainError(f"{path}: {error}") from None
    return Weights(network, metadata)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All tensors of a safetensors file, or of a state dict that torch.save wrote, and metadata.

    float16 and bfloat16 become float32. A state dict is read without running code that it holds;
    dictionaries in it are joined by dots, and what is no tensor becomes metadata. Raises
    DomainError, naming the file, for any other file.
    """
    if path.suffix in (".pt", ".pth", ".bin", ".ckpt"):
        return _state_dict(path)
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: as_array(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
            # the library's order is not the same twice
            return tensors, dict(sorted((file.metadata() or {}).items()))
    except SafetensorError as error:
        raise DomainError(f"{path}: not a safetensors file: {error}") from None


def _state_dict(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    import pickle

    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise DomainError(
            f"{path}: not a state dict of plain tensors, as torch.save(model.state_dict(), path) "
            "writes it; nothing else in a file is run"
        ) from error
    if not isinstance(content, Mapping):
        raise DomainError(f"{path}: must hold a state dict; got {type(content).__name__}")
    return flattened(content)


def flattened(
    content: Mapping[str, object], prefix: str = ""
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors of nested dictionaries, names joined by dots, and the texts of the rest."""
    tensors: dict[str, np.ndarray] = {}
    rest: dict[str, str] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            inner, more = flattened(value, f"{name}.")
            tensors |= inner
            rest |= more
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            tensors[name] = as_array(value)
        else:
            rest[name] = str(value)
    return tensors, rest


def as_array(tensor: Any) -> np.ndarray:
    """A torch tensor or an array as an array; float16 and bfloat16 as float32."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        half = tensor.is_floating_point() and tensor.element_size() <= 2
        tensor = (tensor.float() if half else tensor).numpy()
    array = np.asarray(tensor)
    small = array.dtype.itemsize <= 2 and (
        np.issubdtype(array.dtype, np.floating) or array.dtype.name == "bfloat16"
    )
    return array.astype(np.float32) if small else array
