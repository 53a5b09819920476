"""Every scheme of random hashes that the command knows; the first is the construction's."""

from __future__ import annotations

from typing import Any

from theory.blocked import Blocked
from theory.codes import HashScheme
from theory.column_weight import INDEPENDENT, WITH_REPLACEMENT
from theory.double_hashing import DOUBLE_HASHING
from theory.fixed_weight import FIXED_WEIGHT
from theory.partitioned import PARTITIONED

SCHEMES: dict[str, HashScheme[Any]] = {
    scheme.name: scheme
    for scheme in (
        FIXED_WEIGHT,
        WITH_REPLACEMENT,
        INDEPENDENT,
        PARTITIONED,
        Blocked(),
        DOUBLE_HASHING,
    )
}


def scheme_named(name: str, block: int, replacing: bool) -> HashScheme[Any]:
    """The scheme of that name; block and replacing are those of a blocked filter."""
    return Blocked(block, replacing) if name == Blocked.name else SCHEMES[name]
