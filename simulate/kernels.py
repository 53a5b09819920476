"""Bit-packed queries of a hash family: which tokens each set's union covers, and how nearly.

Covered tokens are counted tile by tile. A tile's "Four Russians" table holds, for each group of
eight bits and each of the 256 sets of bits that a union may lack there, the mask of the tile's
tokens that own one of them; a set's uncovered tokens are the OR of d/8 rows. The inner loops exist
twice, in `numpy_kernels` and, compiled, in `numba_kernels` (extra `fast`), with equal counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Int, UInt16, UInt64

from simulate.sampling import random_hashes

Engine = Literal["numba", "numpy"]
ENGINES: tuple[Engine, ...] = get_args(Engine) if find_spec("numba") else ("numpy",)
"""The engines there are on this machine, fastest first."""

# a block of hashes this large stays in the processor's cache while it is packed
_BLOCK_BYTES = 2**21


@dataclass(frozen=True)
class PackedHashes:
    """A hash family prepared for queries: n tokens' masks over d bits, packed both ways.

    words: the d bits of each token. planes: the n tokens that own each bit. Bit i is bit i % 64 of
    word i // 64; bits beyond d and n are zero. Memory n d/4 bytes. The sets given to the queries
    are rows of distinct tokens; IndexError for a token outside 0..n-1.
    """

    words: UInt64[np.ndarray, "n words"]
    planes: UInt64[np.ndarray, "d token_words"]

    @classmethod
    def of(cls, hashes: Bool[np.ndarray, "n d"]) -> PackedHashes:
        """Pack given masks, of whatever weights."""
        return cls(_packed(hashes), _packed(hashes.T))

    @classmethod
    def random(cls, rng: np.random.Generator, n: int, d: int, m: int) -> PackedHashes:
        """A random hash family, drawn by `random_hashes` in blocks, never unpacked as a whole."""
        block = max(1, _BLOCK_BYTES // (64 * d)) * 64
        parts = [
            cls.of(random_hashes(rng, min(block, n - start), d, m)) for start in range(0, n, block)
        ]
        return cls(
            np.concatenate([part.words for part in parts]),
            np.concatenate([part.planes for part in parts], axis=1),
        )

    def count_covered(
        self, tokens: Int[np.ndarray, "sets k"], engine: Engine = ENGINES[0]
    ) -> Int[np.ndarray, " sets"]:
        """Number of tokens that each set's union covers, its k members among them, int64 [sets].

        Sets enough to pay for them are queried through tables, one tile's at a time; few sets
        without. Working memory 2 d KB (with NumPy 16 d KB) and d/8 bytes a set.
        """
        inner = _inner_loops(engine)
        d, token_words = self.planes.shape
        counts = np.full(len(tokens), len(self.words), dtype=np.int64)
        absent = self._absent(tokens, engine).view(np.uint8)[:, : -(-d // 8)]
        if len(tokens) < inner.SETS_WORTH_A_TABLE:
            for place, bits in enumerate(np.unpackbits(absent, axis=1, bitorder="little")):
                uncovered = np.bitwise_or.reduce(self.planes[bits[:d].view(bool)], axis=0)
                counts[place] -= np.bitwise_count(uncovered).sum(dtype=np.int64)
            return counts
        table = _aligned_empty((-(-d // 8), 256, inner.TILE_WORDS))
        for start in range(0, token_words, inner.TILE_WORDS):
            inner.fill_owners(table, self.planes[:, start : start + inner.TILE_WORDS])
            inner.subtract_uncovered(counts, table, absent)
        return counts

    def count_false_positives(
        self, tokens: Int[np.ndarray, "sets k"], engine: Engine = ENGINES[0]
    ) -> Int[np.ndarray, " sets"]:
        """Number of covered non-members of each set, int64 [sets]."""
        return self.count_covered(tokens, engine) - tokens.shape[1]

    def missing_bits(self, tokens: Int[np.ndarray, "sets k"]) -> UInt16[np.ndarray, "sets n"]:
        """Missing bits |S_i \\ union| of every token, uint16 [sets, n]; d below 65536."""
        missing = np.zeros((len(tokens), len(self.words)), dtype=np.uint16)
        absent = self._absent(tokens, "numpy")
        for owned, lacking in zip(self.words.T, absent.T, strict=True):
            missing += np.bitwise_count(owned & lacking[:, None])
        return missing

    def missing_bits_histogram(
        self, tokens: Int[np.ndarray, "sets k"], engine: Engine = ENGINES[0]
    ) -> Int[np.ndarray, "sets levels"]:
        """How many of the n tokens lack 0, 1, 2, … bits of each set's union, int64 [sets, levels].

        The members stand at level 0; the last level is the largest weight of a mask.
        """
        weights = np.bitwise_count(self.words).sum(axis=1, dtype=np.int64)
        histogram = np.zeros((len(tokens), int(weights.max()) + 1), dtype=np.int64)
        columns = np.ascontiguousarray(self.words.T)
        absent = self._absent(tokens, engine)
        _inner_loops(engine).count_missing_bits(histogram, columns, absent)
        return histogram

    def _absent(
        self, tokens: Int[np.ndarray, "sets k"], engine: Engine
    ) -> UInt64[np.ndarray, "sets words"]:
        """The bits that each set's union lacks, those beyond d among them."""
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < len(self.words):
            raise IndexError(f"tokens must lie in 0..{len(self.words) - 1}")
        return _inner_loops(engine).absent_words(self.words, tokens)


def _inner_loops(engine: Engine) -> Any:
    """The module with that engine's loops, imported on first use: Numba takes half a second."""
    return import_module(f"simulate.{engine}_kernels")


def _packed(bits: Bool[np.ndarray, "rows columns"]) -> UInt64[np.ndarray, "rows words"]:
    """Each row's bits in 64-bit words."""
    rows, columns = bits.shape
    content = np.zeros((rows, -(-columns // 64) * 8), dtype=np.uint8)
    content[:, : -(-columns // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return content.view(np.uint64)


def _aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """A uint64 array that begins at a multiple of 64 bytes: no vector load spans two lines."""
    size = int(np.prod(shape))
    memory = np.empty(size + 7, dtype=np.uint64)
    return memory[-memory.ctypes.data // 8 % 8 :][:size].reshape(shape)
