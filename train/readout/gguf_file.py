"""GGUF files, read with every count bounded, by the file and otherwise, before it is believed.

The `gguf` package dequantises the tensors. Its own reader is not used: it loops over counts that
a malformed file may set to 2^63.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from theory.domain import DomainError
from train.readout.messages import quoted
from train.readout.sizes import MOST_METADATA, check_entries

MAGIC = b"GGUF"
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_ALIGNMENT = "general.alignment"


@dataclass(frozen=True)
class _Stored:
    shape: tuple[int, ...]
    kind: int
    offset: int


class _Cursor:
    """Reads forward through the metadata; DomainError for what would lie beyond their end.

    That is the end of the file, or 64 MiB: as Python's values they take up to ten times as much.
    """

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.at = path, data, 0
        self.end = min(len(data), MOST_METADATA)

    def broken(self, why: str) -> DomainError:
        return DomainError(f"{self.path}: not a whole GGUF file: {why}")

    def take(self, size: int) -> bytes:
        if size > self.end - self.at:
            raise self.broken(f"{size} bytes at {self.at} lie beyond the {self.end} of its header")
        self.at += size
        return self.data[self.at - size : self.at]

    def scalar(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def count(self, least_bytes: int) -> int:
        """How many things follow, each of at least so many bytes."""
        count = self.scalar("<Q")
        if count * least_bytes > self.end - self.at:
            raise self.broken(f"a count of {count} does not fit into the {self.end} of its header")
        return count

    def text(self) -> str:
        return self.take(self.count(1)).decode("utf-8", "replace")

    def value(self) -> Any:
        """A scalar, text or list of texts; None for an array of numbers, which nobody reads."""
        kind = self.scalar("<I")
        if kind != _ARRAY:
            return self._single(kind)
        kind = self.scalar("<I")
        if kind == _STRING:
            return [self.text() for _ in range(self.count(8))]
        if kind not in _SCALARS:
            raise self.broken(f"arrays of type {kind} are not known")
        size = struct.calcsize(_SCALARS[kind])
        self.at += self.count(size) * size
        return None

    def _single(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind not in _SCALARS:
            raise self.broken(f"values of type {kind} are not known")
        return self.scalar(_SCALARS[kind])


class GgufFile:
    """The metadata and tensors of a GGUF file, versions 2 and 3, little-endian.

    metadata: scalars and texts. Tensors are dequantised to float32 when asked for. Raises
    DomainError, naming the file, for what is malformed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                raise DomainError(f"{path}: an empty file")
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        cursor = _Cursor(path, data)
        if cursor.take(4) != MAGIC:
            raise cursor.broken("it does not begin with GGUF")
        version = cursor.scalar("<I")
        if version not in (2, 3):
            raise cursor.broken(f"version {version} is not known")
        tensors, pairs = cursor.count(0), cursor.count(0)
        # a tensor's entry has at least 24 bytes, a pair 13
        if 24 * tensors + 13 * pairs > cursor.end:
            raise cursor.broken(f"{tensors} tensors and {pairs} values do not fit into it")
        self.metadata: Mapping[str, Any] = {cursor.text(): cursor.value() for _ in range(pairs)}
        if len(self.metadata) < pairs:
            raise cursor.broken("two of its values have one name")
        self._stored = dict(self._entry(cursor) for _ in range(tensors))
        if len(self._stored) < tensors:
            raise cursor.broken("two of its tensors have one name")
        alignment = self.metadata.get(_ALIGNMENT, 32)
        # a bool is an int of Python, but no size
        if type(alignment) is not int or alignment not in range(8, 2**16 + 1, 8):
            raise cursor.broken(f"{_ALIGNMENT} must be a multiple of 8, at most {2**16}")
        for name, stored in self._stored.items():
            if stored.offset % alignment:
                raise cursor.broken(f"tensor {quoted(name)} lies at no multiple of {alignment}")
        self._start = -(-cursor.at // alignment) * alignment
        self._data = data

    @staticmethod
    def _entry(cursor: _Cursor) -> tuple[str, _Stored]:
        name, axes = cursor.text(), cursor.scalar("<I")
        if not 1 <= axes <= 4:
            raise cursor.broken(f"tensor {quoted(name)} has {axes} axes")
        # the fastest axis comes first
        shape = tuple(cursor.scalar("<Q") for _ in range(axes))[::-1]
        return name, _Stored(shape, cursor.scalar("<I"), cursor.scalar("<Q"))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tensors."""
        return tuple(self._stored)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor as the file says it, the slowest axis first."""
        return self._stored[name].shape

    def tensor(self, name: str) -> np.ndarray:
        """A tensor as float32, the slowest axis first; what overflows is infinite."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
        from gguf.quants import dequantize

        stored, shown = self._stored[name], f"{self.path}: {quoted(name)}"
        check_entries(shown, stored.shape)
        try:
            kind = GGMLQuantizationType(stored.kind)
            block, size = GGML_QUANT_SIZES[kind]
        except (ValueError, KeyError):
            raise DomainError(f"{shown} has type {stored.kind}, which is not known") from None
        if stored.shape[-1] % block:
            raise DomainError(f"{shown} does not divide into blocks of {block}")
        count = math.prod(stored.shape) // block * size
        begin = self._start + stored.offset
        if begin + count > len(self._data):
            raise DomainError(f"{shown} lies beyond the end of the file")
        raw = np.frombuffer(self._data, np.uint8, count, begin)
        rows = raw.reshape(*stored.shape[:-1], stored.shape[-1] // block * size)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                return np.asarray(dequantize(rows, kind), dtype=np.float32).reshape(stored.shape)
        except NotImplementedError:
            raise DomainError(f"{shown} of type {kind.name} cannot be read") from None
