"""How large a tensor may say it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from theory.domain import DomainError

# 8 GiB in float32; the largest unembeddings of 2026 have half of it
MOST_ENTRIES = 2**31


def check_entries(name: str, shape: Sequence[int]) -> None:
    """Raise DomainError, naming the tensor, for an empty axis or more than 2^31 entries."""
    if any(axis < 1 for axis in shape) or math.prod(shape) > MOST_ENTRIES:
        raise DomainError(
            f"{name} must have 1 to {MOST_ENTRIES} entries; its shape is {list(shape)}"
        )
