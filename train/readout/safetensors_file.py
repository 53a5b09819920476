"""Safetensors files, single or sharded, read without more than the tensors that are asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from theory.domain import DomainError
from train.readout.messages import quoted, reason
from train.readout.sizes import MOST_METADATA, check_bytes, check_entries

INDEX, SINGLE, CONFIG = "model.safetensors.index.json", "model.safetensors", "config.json"
# of narrower types the scales lie elsewhere
_FLOATS = ("F16", "BF16", "F32", "F64")


@dataclass
class SafetensorsFile:
    """An open file, or the index of several. where: the file of each tensor.

    read_from: the files whose tensors were read.
    """

    path: Path
    where: Mapping[str, Path]
    opened: Mapping[Path, Any]
    read_from: set[Path] = field(default_factory=set)

    def tensor(self, name: str) -> np.ndarray:
        """A tensor as float32. Raises DomainError for another type or too many entries."""
        from safetensors import SafetensorError

        shown = f"{self.path}: {quoted(name)}"
        shard = self.where[name]
        file = self.opened[shard]
        try:
            stored = file.get_slice(name)
            shape, kind = stored.get_shape(), str(stored.get_dtype())
            check_entries(shown, shape)
            if kind not in _FLOATS:
                raise DomainError(f"{shown} must be one of {', '.join(_FLOATS)}; it is {kind}")
            self.read_from.add(shard)
            return np.asarray(file.get_tensor(name).float().numpy())
        except (RuntimeError, SafetensorError) as error:
            raise DomainError(f"{shown} cannot be read: {reason(error)}") from None


@contextmanager
def open_safetensors(path: Path) -> Iterator[SafetensorsFile]:
    """A safetensors file, or the index of a sharded one; closed afterwards.

    Raises DomainError, naming the file, for what is malformed.
    """
    from safetensors import SafetensorError, safe_open

    shards = _shards(path)
    with ExitStack() as stack:
        opened = {}
        for shard in sorted({*shards.values()} if shards else {path}):
            try:
                opened[shard] = stack.enter_context(safe_open(shard, framework="pt"))
            except SafetensorError as error:
                raise DomainError(f"{shard}: not a safetensors file: {reason(error)}") from None
            # that took the last of the tensors of one name
            _object(shard, _header(shard))
        where = {name: shard for shard, file in opened.items() for name in file.keys()}  # noqa: SIM118
        for name, shard in shards.items():
            if where.get(name) != shard:
                raise DomainError(f"{path}: {quoted(shard.name)} has no tensor {quoted(name)}")
        yield SafetensorsFile(path, where, opened)


def gain_offset(path: Path) -> float:
    """1 for the Gemma family, whose norms multiply by 1 + weight; known from config.json."""
    config = path.parent / CONFIG
    if not config.is_file():
        return 0.0
    return float(str(_json_of(config).get("model_type", "")).startswith("gemma"))


def _header(path: Path) -> bytes:
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > MOST_METADATA:
            raise DomainError(f"{path}: must have a header of at most {MOST_METADATA} bytes")
        return stream.read(size)


def _json_of(path: Path) -> Mapping[str, object]:
    check_bytes(path, MOST_METADATA)
    return _object(path, path.read_bytes())


def _object(path: Path, content: bytes) -> Mapping[str, object]:
    """The JSON object in the content of a file; no two of its keys may be the same."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                raise DomainError(f"{path}: must have each key once; got {quoted(key)} twice")
            found[key] = value
        return found

    try:
        found = json.loads(content, object_pairs_hook=once)
    except DomainError:
        raise
    except (ValueError, RecursionError) as error:
        raise DomainError(f"{path}: not JSON: {reason(error)}") from None
    if not isinstance(found, dict):
        raise DomainError(f"{path}: must be one JSON object")
    return found


def _shards(path: Path) -> dict[str, Path]:
    """Which file each tensor of a sharded model lies in; empty for a single file."""
    if path.suffix != ".json":
        return {}
    shards = _json_of(path).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise DomainError(f"{path}: must have a weight_map from tensors to files")
    for name in shards.values():
        # a file beside the index and nowhere else
        if not isinstance(name, str) or Path(name).name != name or not name.isprintable():
            raise DomainError(
                f"{path}: weight_map must name files beside it; got {quoted(str(name))}"
            )
    found = {name: path.parent / shard for name, shard in shards.items()}
    for shard in found.values():
        if not os.path.isfile(shard):  # unlike Path's, False for a name that is too long
            raise DomainError(f"{path}: there is no file {quoted(shard.name)} beside it")
    return found
