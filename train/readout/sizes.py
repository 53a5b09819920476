"""How large a part of a file may say it is before it is read, and its numbers afterwards."""

from __future__ import annotations

import math
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from theory.domain import DomainError

# 8 GiB in float32; the largest unembeddings of 2026 have half of it
MOST_ENTRIES = 2**31
MOST_AXES = 64
# bytes of JSON, or of names, values and tokens; the largest vocabularies take a quarter of it
MOST_METADATA = 2**26

# of a number; sums of products of two stay far from overflow in float32
LARGEST = 1e12


def check_entries(name: str, shape: Sequence[int]) -> None:
    """Raise DomainError, naming the tensor, for an empty axis or more than 2^31 entries.

    And for more axes than NumPy has.
    """
    if len(shape) > MOST_AXES:
        raise DomainError(f"{name} must have at most {MOST_AXES} axes; it has {len(shape)}")
    if any(axis < 1 for axis in shape) or math.prod(shape) > MOST_ENTRIES:
        axes = ", ".join(str(axis) for axis in list(shape)[:8])
        raise DomainError(f"{name} must have 1 to {MOST_ENTRIES} entries; its shape is [{axes}]")


def check_file(path: Path) -> None:
    """Raise DomainError for no file, or a folder, a pipe or a device, whose reading may not end."""
    if not path.exists():
        raise DomainError(f"{path}: there is no such file")
    if not stat.S_ISREG(path.stat().st_mode):
        raise DomainError(f"{path}: must be an ordinary file")


def check_bytes(path: Path, most: int) -> None:
    """Raise DomainError for what is no ordinary file, or one of more bytes."""
    check_file(path)
    if path.stat().st_size > most:
        raise DomainError(f"{path}: must be at most {most} bytes")


def check_values(name: str, array: np.ndarray) -> None:
    """Raise DomainError, naming the array, for NaN, infinity or numbers above 1e12."""
    with np.errstate(invalid="ignore"):
        low, high = float(array.min()), float(array.max())
    if not -LARGEST <= low <= high <= LARGEST:
        raise DomainError(f"{name} must be finite and at most {LARGEST:g} in size")
