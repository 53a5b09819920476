"""Rates of one fixed family of masks (quenched): exact integers, for any masks whatever.

masks: bool [n, d]; row t is S_t, the bits that token t owns, as many as it likes (none, all, the
same as another's). An input is a uniformly random k-set of the n tokens, and t is a false
positive of it when t is no member and the members' masks cover S_t. By inclusion-exclusion over
the bits J of S_t that they leave uncovered, C(n - 1, k) FPR_t is the sum of (-1)^|J| C(n_J, k),
n_J being the other tokens that own no bit of J. The terms are far larger than their sum, and
floats lose its digits; integers do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain, combinations
from operator import mul

import numpy as np

from theory.domain import DomainError, check_integer, check_task

# a token's table has 2^bits entries
_MOST_BITS = 24
# about a minute of enumeration at n = 512
_MOST_INPUTS = 2**25
# inputs are enumerated in blocks whose tables of this many words stay in the processor's cache
_BLOCK_WORDS = 2**16


def _check_masks(masks: np.ndarray) -> np.ndarray:
    masks = np.asarray(masks)
    if masks.ndim != 2 or masks.dtype != np.bool_ or len(masks) == 0:
        shape = ", ".join(map(str, masks.shape))
        raise DomainError(f"masks must be bool [n, d], n at least 1; got {masks.dtype} [{shape}]")
    return np.ascontiguousarray(masks)


def _signed_counts(masks: np.ndarray, token: int, signs: np.ndarray) -> list[int]:
    """For v = 0..n-1, the sum of (-1)^|J| over the sets J of the token's bits with n_J = v.

    signs: float64, (-1)^|J| at the index whose binary digits are J, whatever the token.
    """
    n = len(masks)
    own = np.flatnonzero(masks[token])
    free = ~masks[:, own] @ (1 << np.arange(len(own)))
    avoiding = np.bincount(free, minlength=1 << len(own))
    avoiding[0] -= 1  # the token itself, which leaves none of its bits free
    # counted so far: tokens that leave free exactly J; made into: at least J, one bit at a time
    for bit in range(len(own)):
        pairs = avoiding.reshape(-1, 2, 1 << bit)
        pairs[:, 0] += pairs[:, 1]
    # at most 2^24 signs to a sum: doubles hold it exactly
    found: list[int] = np.bincount(avoiding, signs[: len(avoiding)], n).astype(np.int64).tolist()
    return found


def false_positive_inputs(
    masks: np.ndarray, k: int, tokens: Sequence[int] | None = None
) -> list[int]:
    """Exact: for each token, how many of the C(n, k) inputs have it as a false positive.

    tokens: those that are asked for, in this order; all of them if not given. Cost of each
    O(n m + m 2^m), memory 16 2^m bytes beside the masks, m being the largest number of bits of one
    of them. Raises DomainError where masks is not bool [n, d], n >= 1, or m exceeds 24, for a token
    outside 0..n-1, and outside 1 <= k <= n.
    """
    masks = _check_masks(masks)
    n, k = check_task(len(masks), k)
    asked = (
        list(range(n))
        if tokens is None
        else [check_integer("tokens", t, 0, n - 1, "n - 1") for t in tokens]
    )
    most = int(masks[asked].sum(axis=1).max(initial=0))
    if most > _MOST_BITS:
        raise DomainError(f"masks must have at most {_MOST_BITS} bits a token; got {most}")
    signs = np.ones(1)
    for _ in range(most):
        signs = np.concatenate([signs, -signs])
    sets = [math.comb(size, k) for size in range(n)]
    return [sum(map(mul, _signed_counts(masks, token, signs), sets)) for token in asked]


def false_positive_rates(masks: np.ndarray, k: int) -> list[Fraction]:
    """Exact: FPR_t of each token, over the k-sets of the n - 1 others; 1 for a mask of no bits.

    Raises DomainError for masks as `false_positive_inputs` does, and outside 1 <= k <= n - 1.
    """
    n = len(_check_masks(masks))
    k = check_integer("k", k, 1, n - 1, "n - 1")
    sets = math.comb(n - 1, k)
    return [Fraction(inputs, sets) for inputs in false_positive_inputs(masks, k)]


def expected_false_positives(masks: np.ndarray, k: int) -> Fraction:
    """Exact: E#FP = (1 - k/n) (sum over t of FPR_t), the mean number of false positives.

    It is n - k times the mean FPR_t, and at least P_fail. Raises DomainError as
    `false_positive_inputs` does.
    """
    inputs = false_positive_inputs(masks, k)
    return Fraction(sum(inputs), math.comb(len(inputs), k))


def false_positive_rate(masks: np.ndarray, k: int) -> Fraction:
    """Exact: FPR, the mean of FPR_t over the tokens. Domain of `false_positive_rates`."""
    rates = false_positive_rates(masks, k)
    return sum(rates, start=Fraction(0)) / len(rates)


def failure_probability(masks: np.ndarray, k: int) -> Fraction:
    """Exact: P_fail, the share of the inputs with a false positive, by looking at each of them.

    Cost O(C(n, k) n d / 64), memory 2 MB beside the masks. Raises DomainError where masks is not
    bool [n, d], n >= 1, outside 1 <= k <= n, and where there are over 2^25 inputs.
    """
    masks = _check_masks(masks)
    n, k = check_task(len(masks), k)
    inputs = math.comb(n, k)
    if inputs > _MOST_INPUTS:
        raise DomainError(f"C(n, k) must be at most {_MOST_INPUTS} inputs; got {inputs}")
    padding = (0, 0), (0, -masks.shape[1] % 64)
    words = np.packbits(np.pad(masks, padding), axis=1).view(np.uint64)
    tokens = chain.from_iterable(combinations(range(n), k))
    block = max(1, _BLOCK_WORDS // n)
    failures = 0
    for start in range(0, inputs, block):
        count = min(block, inputs - start)
        members = np.fromiter(tokens, np.intp, count * k).reshape(count, k)
        outside = ~np.bitwise_or.reduce(words[members], axis=1)
        missing = np.zeros((count, n), dtype=np.uint64)
        for word in range(words.shape[1]):
            missing |= outside[:, word, None] & words[:, word]
        # every member is covered, so one token more is a false positive
        failures += int((np.count_nonzero(missing == 0, axis=1) > k).sum())
    return Fraction(failures, inputs)
