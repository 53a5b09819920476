"""Bit-packed queries of a Bloom filter: which tokens does each set's union cover, and how nearly.

The "Four Russians" table holds, for each group of eight bits and each of its 256 values, the
n-bit mask of the tokens whose bits in that group lie inside the value; a union's covered tokens
are the AND of d/8 rows. Table 32 n d bytes, about 256 sets' worth of work to build.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt64

# Sets are handled in blocks whose working memory is about this many bytes.
_BLOCK_BYTES = 2**21


@dataclass(frozen=True)
class CoverageTable:
    """A hash family prepared for queries: packed hashes and the Four-Russians table."""

    packed: UInt8[np.ndarray, "n groups"]
    rows: UInt64[np.ndarray, "groups 256 words"]

    @classmethod
    def of(cls, hashes: Bool[np.ndarray, "n d"]) -> CoverageTable:
        """Build the table of a family."""
        packed = np.packbits(hashes, axis=1, bitorder="little")
        n, groups = packed.shape
        words = -(-n // 64)
        rows = np.zeros((groups, 256, words * 8), dtype=np.uint8)
        outside = ~np.arange(256, dtype=np.uint8)[:, None]
        for group in range(groups):
            inside = (packed[:, group] & outside) == 0
            rows[group, :, : -(-n // 8)] = np.packbits(inside, axis=1, bitorder="little")
        return cls(packed, rows.view(np.uint64))

    def unions(self, tokens: Int[np.ndarray, "sets k"]) -> UInt8[np.ndarray, "sets groups"]:
        """The packed union of each set's hashes."""
        return np.bitwise_or.reduce(self.packed[tokens], axis=1)

    def count_covered(self, tokens: Int[np.ndarray, "sets k"]) -> Int[np.ndarray, " sets"]:
        """Number of tokens that each set's union covers, its k members among them, int64 [sets]."""
        groups, _, words = self.rows.shape
        counts = np.empty(len(tokens), dtype=np.int64)
        block = max(1, _BLOCK_BYTES // (8 * words))
        for start in range(0, len(tokens), block):
            union = self.unions(tokens[start : start + block])
            covered = self.rows[0][union[:, 0]]
            for group in range(1, groups):
                covered &= self.rows[group][union[:, group]]
            counts[start : start + block] = np.bitwise_count(covered).sum(axis=1)
        return counts

    def count_false_positives(self, tokens: Int[np.ndarray, "sets k"]) -> Int[np.ndarray, " sets"]:
        """Number of covered non-members of each set, int64 [sets]."""
        return self.count_covered(tokens) - tokens.shape[1]


def missing_bits(
    hashes: Bool[np.ndarray, "n d"], tokens: Int[np.ndarray, "sets k"]
) -> Int[np.ndarray, "sets n"]:
    """Missing bits |S_i \\ union| of every token, int64 [sets, n]; memory sets n d/8 bytes."""
    packed = np.packbits(hashes, axis=1)
    union = np.bitwise_or.reduce(packed[tokens], axis=1)
    return np.bitwise_count(packed & ~union[:, None, :]).sum(axis=2, dtype=np.int64)
