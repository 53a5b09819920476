"""The inner loops of `simulate.kernels` in NumPy: always there, and the reference."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt8, UInt64

# rows long enough to hide NumPy's cost per row
TILE_WORDS = 64
# the tables cost as much as querying this many sets without them
SETS_WORTH_A_TABLE = 256

# sets are handled in blocks whose working memory is about this many bytes
_BLOCK_BYTES = 2**21


def absent_words(
    words: UInt64[np.ndarray, "n words"], tokens: Int[np.ndarray, "sets k"]
) -> UInt64[np.ndarray, "sets words"]:
    """The bits that each set's union lacks."""
    return ~np.bitwise_or.reduce(words[tokens], axis=1)


def fill_owners(
    table: UInt64[np.ndarray, "groups 256 tile_words"],
    planes: UInt64[np.ndarray, "d token_words"],
) -> None:
    """Set a tile's table: for each group and each set of absent bits, the tokens that own one.

    A last tile may have fewer words of tokens than its table; the rest is filled with zeros.
    """
    groups, _, tile_words = table.shape
    d, token_words = planes.shape
    bits = np.zeros((groups * 8, tile_words), dtype=np.uint64)
    bits[:d, :token_words] = planes
    bits = bits.reshape(groups, 8, 1, tile_words)
    table[:, 0] = 0
    for bit in range(8):
        np.bitwise_or(table[:, : 2**bit], bits[:, bit], out=table[:, 2**bit : 2 ** (bit + 1)])


def subtract_uncovered(
    counts: Int[np.ndarray, " sets"],
    table: UInt64[np.ndarray, "groups 256 tile_words"],
    absent: UInt8[np.ndarray, "sets groups"],
) -> None:
    """Subtract from each set's count the tokens of a tile that its union does not cover."""
    block = max(1, _BLOCK_BYTES // (8 * table.shape[2]))
    for start in range(0, len(counts), block):
        lacking = absent[start : start + block]
        uncovered = table[0][lacking[:, 0]]
        for group in range(1, len(table)):
            uncovered |= table[group][lacking[:, group]]
        counts[start : start + block] -= np.bitwise_count(uncovered).sum(axis=1, dtype=np.int64)


def count_missing_bits(
    histogram: Int[np.ndarray, "sets levels"],
    columns: UInt64[np.ndarray, "words n"],
    absent: UInt64[np.ndarray, "sets words"],
) -> None:
    """Set each set's histogram: how many tokens lack 0, 1, 2, … bits of its union."""
    for place, lacking in enumerate(absent):
        missing = np.bitwise_count(columns & lacking[:, None]).sum(axis=0, dtype=np.uint16)
        histogram[place] = np.bincount(missing, minlength=histogram.shape[1])
