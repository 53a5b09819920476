"""Masks better than random ones: balanced, greedy, improved by local search, and zero-error codes.

The yardstick for trained networks: how low the quenched P_fail of n masks over d bits can go. Two
tokens are the more dangerous to each other the more bits they share, so the searches lower the sum
of PRICE^overlap over all pairs, in place of the failures themselves, which cost far more to count.
A family whose lightest mask has more than k times the largest overlap of any pair has no failure
on any input of at most k members (Kautz & Singleton 1964): `certified_members`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int

from simulate.jobs.table import Named
from simulate.kernels import PackedHashes
from simulate.sampling import random_hashes
from theory.domain import DomainError, check_code, check_integer

# measured at n = 512, d = 64, k = 3: from 3 to 6 P_fail is the same to a fifth, at 1.5 twice it
PRICE = 5.0
# moves that lower the sum by less than this share of it are rounding
_ROUNDING = 1e-12
_BLOCK_SETS = 2**17


def balanced_hashes(rng: np.random.Generator, n: int, d: int, m: int) -> Bool[np.ndarray, "n d"]:
    """Masks of m bits each, every bit owned by as many tokens as any other, up to one.

    Each token in turn takes m of the bits that are owned least so far, at random among equals;
    so tokens next to each other hardly overlap, and the others are as if random. Bool [n, d].
    """
    check_integer("n", n, 1)
    check_code(1, d, m)
    hashes = np.zeros((n, d), dtype=bool)
    owners = np.zeros(d, dtype=np.int64)
    for mask in hashes:
        mask[np.lexsort((rng.random(d), owners))[:m]] = True
        owners += mask
    return hashes


def greedy_hashes(rng: np.random.Generator, n: int, d: int, m: int) -> Bool[np.ndarray, "n d"]:
    """Masks of m bits each, drawn bit by bit where the sum of PRICE^overlap grows least.

    A soft packing: a pair shares one more bit only where every other choice costs more, equal
    choices are drawn at random. Bool [n, d].
    Cost O(n^2 m d).
    """
    check_integer("n", n, 1)
    check_code(1, d, m)
    hashes = np.zeros((n, d))
    for token, mask in enumerate(hashes):
        earlier = hashes[:token]
        danger = np.ones(token)  # PRICE^overlap with each earlier token
        order = rng.permutation(d)
        for _ in range(m):
            cost = danger @ earlier
            cost[mask > 0] = np.inf
            bit = order[cost[order].argmin()]
            mask[bit] = 1.0
            danger *= np.where(earlier[:, bit] > 0, PRICE, 1.0)
    return hashes.astype(bool)


def improved_hashes(
    rng: np.random.Generator, hashes: Bool[np.ndarray, "n d"], sweeps: int
) -> Bool[np.ndarray, "n d"]:
    """Local search: at most `sweeps` rounds in which every token moves one bit where that pays.

    A move gives up an own bit for a free one, the best of all such pairs, and is made if it lowers
    the sum of PRICE^overlap over all pairs; weights stay. Ends early where no token moves: then no
    single move pays. Cost O(n^2 m d) a round. Returns bool [n, d]; `hashes` is left alone.
    """
    check_integer("sweeps", sweeps, 0)
    masks = np.array(hashes, dtype=np.float64)
    for _ in range(sweeps):
        moves = [_move_one_bit(masks, token) for token in rng.permutation(len(masks)).tolist()]
        if not any(moves):
            break
    return masks.astype(bool)


def _move_one_bit(masks: np.ndarray, token: int) -> bool:
    """Move the token's bit that lowers the sum of PRICE^overlap most; whether there is one."""
    own, free = np.flatnonzero(masks[token]), np.flatnonzero(masks[token] == 0)
    if not len(own) or not len(free):
        return False
    danger = PRICE ** (masks @ masks[token])
    danger[token] = 0.0
    to_owners = danger @ masks
    # a token that owns both bits keeps its overlap
    to_both = (masks[:, own] * danger[:, None]).T @ masks[:, free]
    gain = (1.0 - 1.0 / PRICE) * (to_owners[own][:, None] - to_both)
    loss = (PRICE - 1.0) * (to_owners[free] - to_both)
    best = int((gain - loss).argmax())
    if (gain - loss).flat[best] <= _ROUNDING * danger.sum():
        return False
    masks[token, own[best // len(free)]] = 0.0
    masks[token, free[best % len(free)]] = 1.0
    return True


def overlap_price(hashes: Bool[np.ndarray, "n d"]) -> float:
    """What the searches lower: the sum of PRICE^overlap over all pairs of tokens."""
    overlaps = overlaps_of(hashes)
    return float((PRICE ** overlaps[np.triu_indices(len(hashes), 1)]).sum())


def overlaps_of(hashes: Bool[np.ndarray, "n d"]) -> Int[np.ndarray, "n n"]:
    """Bits that each pair of tokens shares, int64 [n, n]; the weights on the diagonal."""
    masks = np.asarray(hashes, dtype=np.float64)
    return (masks @ masks.T).astype(np.int64)


def certified_members(hashes: Bool[np.ndarray, "n d"]) -> int:
    """Exact: a k up to which no input fails, by weights and overlaps alone; 0 if none is certain.

    k members cover at most k times the largest overlap of a non-member's bits. n where no two
    tokens overlap and none is empty.
    """
    overlaps = overlaps_of(hashes)
    lightest = int(overlaps.diagonal().min())
    np.fill_diagonal(overlaps, 0)
    largest = int(overlaps.max())
    if lightest == 0:
        return 0
    return min(len(hashes), (lightest - 1) // largest) if largest else len(hashes)


def reed_solomon_hashes(q: int, m: int, size: int) -> Bool[np.ndarray, "n d"]:
    """Kautz & Singleton's code: token i owns bit q x + f_i(x) for each of m points x of GF(q).

    f_i runs through the q^size polynomials of degree below `size` over the field of q elements,
    those with the same higher coefficients one after the other. Two of them agree in at most
    size - 1 points, so no input of (m - 1) // (size - 1) members fails. Bool [q^size, m q], every
    bit owned by q^(size-1) tokens. Raises DomainError where q is neither a prime nor a power of
    two up to 32, and outside 1 <= size <= m <= q.
    """
    plus, times = _field(q)
    check_integer("size", size, 1)
    check_integer("m", m, size, q, "q")
    tokens = np.arange(q**size)
    value = np.zeros((len(tokens), m), dtype=np.int64)
    for power in reversed(range(size)):  # Horner's rule
        value = plus[times[value, np.arange(m)], (tokens // q**power % q)[:, None]]
    hashes = np.zeros((len(tokens), m * q), dtype=bool)
    hashes[tokens[:, None], q * np.arange(m) + value] = True
    return hashes


# reduction polynomials of GF(2^e), as binary digits
_IRREDUCIBLE = {2: 0b11, 4: 0b111, 8: 0b1011, 16: 0b10011, 32: 0b100101}


def _field(q: int) -> tuple[np.ndarray, np.ndarray]:
    """Addition and multiplication tables of the field of q elements, int64 [q, q]."""
    check_integer("q", q, 2)
    a, b = np.arange(q)[:, None], np.arange(q)[None, :]
    if q not in _IRREDUCIBLE:
        if not all(q % divisor for divisor in range(2, q)):
            raise DomainError(f"q must be a prime, or a power of two up to 32; got {q}")
        return (a + b) % q, a * b % q
    product = np.zeros((q, q), dtype=np.int64)
    shifted = np.broadcast_to(a, (q, q)).copy()
    for bit in range(q.bit_length() - 1):
        product ^= np.where(b >> bit & 1, shifted, 0)
        shifted <<= 1
        shifted = np.where(shifted & q, shifted ^ _IRREDUCIBLE[q], shifted)
    return a ^ b, product


def biplane_hashes() -> Bool[np.ndarray, "n d"]:
    """1036 masks over 96 bits without a failure on any input of up to 4 members; bool [1036, 96].

    The 99 points of 9 groups of 11, less one point in each of three groups. 1000 tokens are the
    Reed-Solomon codewords of length 9 over GF(11) that avoid the three points; two share at most
    2 bits. The other 36 stand for the pairs of groups: each is the union of a block of 5 points in
    either group, all blocks of a group different and out of the 11 translates of the quadratic
    residues, of which two share 2 points (the biplane of order 3). Such a token meets a codeword in
    one point of each group, and another such token in one group only. So no two tokens share more
    than 2 bits, all weigh at least 9, and 4 members cover at most 8 bits of a non-member.
    """
    q, groups = 11, 9
    codewords = reed_solomon_hashes(q, groups, 3)
    removed = q * np.arange(3)
    residues = np.isin((np.arange(q)[None, :] - np.arange(q)[:, None]) % q, (1, 3, 4, 5, 9))
    # blocks that avoid a group's removed point first
    blocks = [iter(sorted(residues, key=lambda block: block[0])) for _ in range(groups)]
    pairs = np.zeros((groups * (groups - 1) // 2, groups, q), dtype=bool)
    for token, both in enumerate(combinations(range(groups), 2)):
        for group in both:
            pairs[token, group] = next(blocks[group])
    avoiding = codewords[~codewords[:, removed].any(axis=1)]
    everything = np.concatenate([avoiding, pairs.reshape(len(pairs), -1)])
    return np.delete(everything, removed, axis=1)


def zero_error_hashes(n: int, k: int, d: int) -> Bool[np.ndarray, "n d"]:
    """n masks over d bits without a failure on any input of k members; bool [n, d].

    The heaviest Reed-Solomon code that fits and is certified for k, or `biplane_hashes`; bits left
    over are owned by nobody. Raises DomainError where neither fits: other codes might.
    """
    check_integer("n", n, 1)
    check_integer("k", k, 1)
    check_integer("d", d, 1)
    hashes = _reed_solomon_that_fits(n, k, d)
    if hashes is None and n <= 1036 and k <= 4 and d >= 96:
        hashes = biplane_hashes()
    if hashes is None:
        raise DomainError(
            f"d must be larger, or n or k smaller, for a zero-error code that is known here; got "
            f"n, k, d = {n}, {k}, {d}"
        )
    return np.pad(hashes[:n], ((0, 0), (0, d - hashes.shape[1])))


def _reed_solomon_that_fits(n: int, k: int, d: int) -> Bool[np.ndarray, "n d"] | None:
    """The certified code with the most bits a token."""
    best: tuple[int, int, int] | None = None
    for q in range(2, d + 1):
        if q not in _IRREDUCIBLE and not all(q % divisor for divisor in range(2, q)):
            continue
        size = next(size for size in range(1, n + 1) if q**size >= n)
        m = min(q, d // q)
        if m > k * (size - 1) and m >= size and (best is None or m > best[0]):
            best = m, q, size
    return None if best is None else reed_solomon_hashes(best[1], best[0], best[2])


def searched_hashes(
    rng: np.random.Generator, n: int, d: int, m: int, sweeps: int = 40
) -> Bool[np.ndarray, "n d"]:
    """Local search from greedy masks, to a local optimum or `sweeps` rounds; bool [n, d]."""
    return improved_hashes(rng, greedy_hashes(rng, n, d, m), sweeps)


class Design(Named):
    """How masks are found; all but the last by DESIGNS, that by `zero_error_hashes`."""

    RANDOM = "random"
    BALANCED = "balanced"
    GREEDY = "greedy"
    SEARCH = "local_search", "local search"
    ZERO_ERROR = "zero_error", "zero error"


DESIGNS: dict[Design, Callable[..., Bool[np.ndarray, "n d"]]] = {
    Design.RANDOM: random_hashes,
    Design.BALANCED: balanced_hashes,
    Design.GREEDY: greedy_hashes,
    Design.SEARCH: searched_hashes,
}
"""Families of n masks of m bits out of d, drawn by (rng, n, d, m)."""


def all_inputs(n: int, k: int) -> Iterator[Int[np.ndarray, "sets k"]]:
    """Every k-set of n tokens once, in blocks of at most 131,072; memory k C(n, k - 1) words."""
    if k == 1:
        yield np.arange(n)[:, None]
        return
    rest = np.concatenate(list(all_inputs(n, k - 1)))
    first_of_rest = np.searchsorted(rest[:, 0], np.arange(n), side="right")
    for token, start in enumerate(first_of_rest):
        for block in range(start, len(rest), _BLOCK_SETS):
            chosen = rest[block : block + _BLOCK_SETS]
            yield np.column_stack([np.full(len(chosen), token), chosen])


def enumerated_counts(hashes: Bool[np.ndarray, "n d"], k: int) -> tuple[int, int]:
    """Exact: (failing inputs, false positives) over all C(n, k) inputs of a family."""
    packed = PackedHashes.of(hashes)
    failures = hits = 0
    for tokens in all_inputs(len(hashes), k):
        counts = packed.count_false_positives(tokens)
        failures += int(np.count_nonzero(counts))
        hits += int(counts.sum())
    return failures, hits
