"""Results of a command's parts, each kept as soon as it is done, and taken up again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from simulate.jobs import output

T = TypeVar("T")


class Parts:
    """A folder of finished parts. resume: whether earlier ones of the same inputs are used."""

    def __init__(self, folder: Path, resume: bool) -> None:
        self.folder, self.resume = folder, resume
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, kind: type[T], make: Callable[[], T], *inputs: object) -> T:
        """The part by its name: made now, or what was made of equal inputs (arrays and values)."""
        path, inputs_hash = self.folder / f"{name}.json", fingerprint(*inputs)
        if self.resume:
            try:
                kept = json.loads(path.read_bytes())
                if kept["inputs"] == inputs_hash:
                    return msgspec.convert(kept["result"], kind)
            except (FileNotFoundError, ValueError, KeyError, TypeError):
                pass  # none, or not one of this command's: made again
        result = make()
        record = {"inputs": inputs_hash, "result": msgspec.to_builtins(result)}
        output.write_whole(path, output.as_json(record))
        return result


def fingerprint(*inputs: object) -> str:
    """SHA-256 of arrays and plain values."""
    digest = hashlib.sha256()
    for value in inputs:
        if isinstance(value, np.ndarray):
            digest.update(repr((value.shape, value.dtype.str)).encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()
