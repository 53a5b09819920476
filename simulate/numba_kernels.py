"""The inner loops of `simulate.kernels`, compiled by Numba to vector instructions, one thread.

Arguments and results are those of `simulate.numpy_kernels`.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# one vector of 64-bit words, whose table of 16 KB a group fits the L2 cache
TILE_WORDS = 8
# the tables cost as much as querying this many sets without them
SETS_WORTH_A_TABLE = 32

_BLOCK_TOKENS = 1024
_compiled = njit(nogil=True, cache=True, error_model="numpy")


@_compiled
def absent_words(words, tokens):
    """The bits that each set's union lacks."""
    sets, k = tokens.shape
    absent = np.empty((sets, words.shape[1]), np.uint64)
    for place in range(sets):
        for word in range(words.shape[1]):
            union = np.uint64(0)
            for member in range(k):
                union |= words[tokens[place, member], word]
            absent[place, word] = ~union
    return absent


@_compiled
def fill_owners(table, planes):
    """Set a tile's table: for each group and each set of absent bits, the tokens that own one."""
    d, token_words = planes.shape
    owners = np.empty(TILE_WORDS, np.uint64)
    for group in range(len(table)):
        table[group, 0, :] = 0
        for bit in range(8):
            owners[:] = 0
            if 8 * group + bit < d:
                owners[:token_words] = planes[8 * group + bit]
            for rest in range(1 << bit):
                for word in range(TILE_WORDS):
                    table[group, (1 << bit) + rest, word] = table[group, rest, word] | owners[word]


@_compiled
def subtract_uncovered(counts, table, absent):
    """Subtract from each set's count the tokens of a tile that its union does not cover."""
    sets, groups = absent.shape
    rows = np.uintp(table.ctypes.data)
    pattern = np.uintp(absent.ctypes.data)
    stride = np.uintp(absent.strides[0])
    for place in range(sets):
        counts[place] -= _count_union_of_rows(rows, pattern, groups)  # type: ignore[call-arg]
        pattern += stride


@intrinsic
def _count_union_of_rows(typing_context, table, pattern, groups):
    """Number of bits in the OR of table[g, pattern[g]] over g < groups, given two addresses.

    Written in LLVM's language because the compiler does not find the vectors by itself: the same
    loop in Python takes 1.8 to 5 times as long.
    """

    def build(context, builder, signature, arguments):
        table, pattern, groups = arguments
        word, byte = ir.IntType(64), ir.IntType(8)
        row = ir.VectorType(word, TILE_WORDS)
        table = builder.inttoptr(table, row.as_pointer())
        pattern = builder.inttoptr(pattern, byte.as_pointer())
        union = cgutils.alloca_once_value(builder, ir.Constant(row, [0] * TILE_WORDS))
        with cgutils.for_range(builder, groups) as loop:
            chosen = builder.zext(builder.load(builder.gep(pattern, [loop.index])), word)
            place = builder.add(builder.mul(loop.index, word(256)), chosen)
            content = builder.load(builder.gep(table, [place]), align=8)
            builder.store(builder.or_(builder.load(union), content), union)
        count_bits = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(row, [row]), f"llvm.ctpop.v{TILE_WORDS}i64"
        )
        add_lanes = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [row]), f"llvm.vector.reduce.add.v{TILE_WORDS}i64"
        )
        return builder.call(add_lanes, [builder.call(count_bits, [builder.load(union)])])

    return types.int64(types.uintp, types.uintp, types.intp), build


@intrinsic
def _count_bits(typing_context, word):
    """Number of ones of a 64-bit word."""

    def build(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), build


@_compiled
def count_missing_bits(histogram, columns, absent):
    """Set each set's histogram: how many tokens lack 0, 1, 2, … bits of its union."""
    words, n = columns.shape
    missing = np.empty(_BLOCK_TOKENS, np.uint64)
    # neighbours go to histograms of their own: adding twice to one place has to wait
    parts = np.empty((4, histogram.shape[1]), np.int64)
    for place in range(len(absent)):
        parts[:] = 0
        for start in range(0, n, _BLOCK_TOKENS):
            size = min(_BLOCK_TOKENS, n - start)
            missing[:size] = 0
            for word in range(words):
                column = columns[word, start : start + size]
                lacking = absent[place, word]
                for token in range(size):
                    missing[token] += _count_bits(column[token] & lacking)  # type: ignore[call-arg]
            for token in range(size):
                parts[token & 3, missing[token]] += 1
        histogram[place] = parts.sum(axis=0)
