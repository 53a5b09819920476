"""The union of k random hashes: law of its size W, and of the bits one more token misses.

Each token's hash is a uniformly random m-subset of the d residual coordinates. Given W = w,
the union is a uniformly random w-subset, so an independent token misses M = s of its m bits
with the hypergeometric probability C(w, m-s) C(d-w, s) / C(d, m). The same numbers are the
transition law of the union's size, because the bits a token misses are the bits it would add.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from theory.domain import DomainError, check_code, check_integer, check_real

# Kernels up to this many entries (128 MB) are built once per law, larger ones block by block.
_LARGEST_KERNEL = 2**24
# Probabilities below this are dropped: doubles lose their precision there.
_SMALLEST = 1e-300
# the exact law of the union's size is refused beyond
_MOST_SECONDS = 600.0
_LARGEST_LAW = 2 * 10**7


def log_coverage(d: int, m: int) -> np.ndarray:
    """Exact: ln f(w), f(w) = C(w, m) / C(d, m) = P(m random bits lie in a given w-subset).

    Returns float64 [d - m + 1], in nats, entry i for w = m + i (f = 0 below w = m). The product
    f(w) = prod_{v > w} (v - m) / v is summed from w = d downwards, so the large values are exact.
    """
    _, d, m = check_code(1, d, m)
    v = np.arange(d, m, -1)
    return np.concatenate([[0.0], np.cumsum(np.log1p(-m / v))])[::-1]


def log_coverage_up_to(d: int, m: int, top: int) -> np.ndarray:
    """Exact: ln f(w), nats, at w = m..top only; float64 [top - m + 1]. See `log_coverage`."""
    if top > d // 2 and d <= _LARGEST_LAW:
        return log_coverage(d, m)[: top - m + 1]
    i = np.arange(m, dtype=np.float64)
    first = float(np.log((m - i) / (d - i)).sum())
    w = np.arange(m + 1.0, top + 1.0)
    found: np.ndarray = first + np.concatenate([[0.0], np.cumsum(np.log(w / (w - m)))])
    return found


def tilted_missing_bits(
    d: int, m: int, w: np.ndarray, tilt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Exact: P(M = s | W = w) reweighted by e^(tilt s), normalised; and ln E[e^(tilt M) | W = w].

    w: int [rows], m <= w <= d. Returns float64 [rows, m + 1] and [rows], nats.
    """
    w = np.asarray(w)[:, None]
    s = np.arange(m)[None, :]
    with np.errstate(divide="ignore"):
        log_ratio = np.log((m - s) * np.maximum(d - w - s, 0.0) / ((s + 1.0) * (w - m + s + 1.0)))
    log_weight = np.zeros((len(w), m + 1))
    np.cumsum(log_ratio, axis=1, out=log_weight[:, 1:])

    def normalise(log_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        top = log_weight.max(axis=1, keepdims=True)
        weight = np.exp(log_weight - top)
        total = weight.sum(axis=1, keepdims=True)
        return weight / total, (top + np.log(total))[:, 0]

    rows, log_total = normalise(log_weight)
    if not tilt:
        return rows, np.zeros(len(w))
    rows, log_tilted_total = normalise(log_weight + tilt * np.arange(m + 1))
    return rows, log_tilted_total - log_total


def missing_bits_given_union(d: int, m: int, w: np.ndarray) -> np.ndarray:
    """Exact: P(M = s | W = w) = C(w, m-s) C(d-w, s) / C(d, m) for m <= w <= d.

    w: int [rows]. Returns float64 [rows, m + 1], column s; each row sums to 1. Built from the
    ratio of neighbouring columns in logs and normalised, which keeps about 13 digits at any d.
    """
    return tilted_missing_bits(d, m, w, 0.0)[0]


def missing_bits_of(d: int, m: int) -> np.ndarray:
    """Exact: P(M = s | W = w) for every w = 0..d, also where the union is smaller than a hash.

    float64 [d + 1, m + 1]; by the symmetry of the hypergeometric law in hash and union.
    """
    d, m = check_integer("d", d, 1), check_integer("m", m, 0, d, "d")
    found = np.zeros((d + 1, m + 1))
    found[m:] = missing_bits_given_union(d, m, np.arange(m, d + 1))
    for w in range(m):  # of w bits of a union, s - (m - w) lie outside the hash
        found[w, m - w :] = missing_bits_given_union(d, w, np.array([m]))[0]
    return found


def tilted_union_size_law(k: int, d: int, m: int, tilt: float = 0.0) -> tuple[np.ndarray, float]:
    """Exact: the law of W reweighted by e^(tilt w), normalised, and the ln of its normaliser.

    Returns (float64 [d + 1] index w, read-only; ln E e^(tilt W), nats); see `reachable_law`.
    """
    law, log_normaliser = reachable_law(k, d, m, tilt)
    if d > _LARGEST_LAW:
        raise DomainError(f"d must be at most {_LARGEST_LAW} for a law over every size; got {d}")
    if len(law) < d + 1:
        law = np.concatenate([law, np.zeros(d + 1 - len(law))])
        law.flags.writeable = False
    return law, log_normaliser


@lru_cache(maxsize=32)
def reachable_law(k: int, d: int, m: int, tilt: float = 0.0) -> tuple[np.ndarray, float]:
    """Exact: the law of W reweighted by e^(tilt w), normalised, and the ln of its normaliser.

    Returns (float64 [min(d, k m) + 1] index w, read-only; ln E e^(tilt W), nats). The union grows
    as a Markov chain with positive transition probabilities, so every entry keeps its relative
    precision; entries below 1e-300 are 0, and a tilt chooses which part of the law they spare.
    Cost O(k d m). Raises DomainError outside k >= 1, 1 <= m <= d.
    """
    k, d, m = check_code(k, d, m)
    top = min(d, k * m)
    if law_seconds(k, d, m) > _MOST_SECONDS or top > _LARGEST_LAW:
        raise DomainError(
            f"k, d, m = {k}, {d}, {m} must be smaller for the exact law of the union's size: d at "
            f"most {_LARGEST_LAW}, and k times d times m about {_MOST_SECONDS / 2e-9:.0g}"
        )
    law = np.zeros(top + 1)
    law[m] = 1.0
    log_normaliser = tilt * m
    largest = min(d, (k - 1) * m) if k > 1 else m
    fits = (largest - m + 1) * (m + 1) <= _LARGEST_KERNEL
    whole = tilted_missing_bits(d, m, np.arange(m, largest + 1), tilt) if fits else None
    rows = max(1, _LARGEST_KERNEL // (m + 1))
    for _ in range(k - 1):
        low, high = np.flatnonzero(law)[[0, -1]]
        if low == d:
            break
        blocks = []
        for start in range(low, high + 1, rows):
            w = np.arange(start, min(start + rows, high + 1))
            if whole is None:
                blocks.append((w, *tilted_missing_bits(d, m, w, tilt)))
            else:
                blocks.append((w, whole[0][w - m], whole[1][w - m]))
        if tilt:
            log_factor = np.concatenate([log for _, _, log in blocks])
            with np.errstate(divide="ignore"):
                log_law = np.log(law[low : high + 1]) + log_factor
            law[low : high + 1] = np.exp(log_law - log_law.max())
            log_normaliser += float(log_law.max() + np.log(law.sum()))
            law /= law.sum()
        grown = np.zeros(top + 1)
        for w, step, _ in blocks:
            start, stop = w[0], w[-1] + 1
            for s in range(min(m, top - start) + 1):
                last = min(stop, top - s + 1)
                grown[start + s : last + s] += law[start:last] * step[: last - start, s]
        grown[grown < _SMALLEST] = 0.0
        law = grown
    law.flags.writeable = False
    return law, log_normaliser


def law_seconds(k: int, d: int, m: int) -> float:
    """About how long the exact law of the union's size takes, on one core."""
    p = fill_probability(k, d, m)
    spread = math.sqrt(1.0 + min(d * p * (1.0 - p), (k * m) ** 2 / d))
    most = max(1, min(d, (k - 1) * m) - m + 1)
    states = min(most, 80.0 * spread)
    kernel = most if most * (m + 1) <= _LARGEST_KERNEL else k * states
    return (m + 1) * (3e-8 * kernel + k * (2e-9 * states + 3e-6)) + 2e-9 * k * min(d, k * m)


def union_size_law(k: int, d: int, m: int) -> np.ndarray:
    """Exact: P(W = w) for the union of k independent uniform m-subsets of [d].

    Returns float64 [d + 1], index w, read-only; entries below 1e-300 are 0. Raises DomainError
    outside k >= 1, 1 <= m <= d.
    """
    return tilted_union_size_law(k, d, m)[0]


def mean_union_size(k: int, d: int, m: int) -> float:
    """Exact: E W = d (1 - (1 - m/d)^k)."""
    k, d, m = check_code(k, d, m)
    return d * fill_probability(k, d, m)


def fill_probability(k: int, d: int, m: int) -> float:
    """Exact: p = 1 - q, q = (1 - m/d)^k: the probability that one given bit lies in the union."""
    k, d, m = check_code(k, d, m)
    return 1.0 if m == d else float(-np.expm1(k * np.log1p(-m / d)))


def union_size_variance(k: int, d: int, m: int) -> float:
    """Exact: Var W = d q + d (d-1) g_2^k - d^2 q^2, g_2 = (d-m)(d-m-1) / (d(d-1)).

    Taken from the law, since the closed form cancels when the union is nearly full.
    """
    law = union_size_law(k, d, m)
    deviation = np.arange(d + 1) - mean_union_size(k, d, m)
    return float(law @ deviation**2)


def union_size_tail(d: int, t: float) -> float:
    """Upper bound: P(W - E W >= t) <= exp(-2 t^2 / d), for t >= 0.

    The d bit indicators are negatively associated, so Hoeffding's bound holds for their sum.
    """
    d = check_integer("d", d, 1)
    t = check_real("t", t, 0.0, closed=True)
    return float(np.exp(-2.0 * t * t / d))
