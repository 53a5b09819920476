"""Residuals of finite precision: b bits a coordinate, or normal noise on each; and Bloom's there.

Limits hold for any residual, whatever computes and reads it. The Bloom filter's own rate is exact
for a residual whose 0s and 1s carry normal noise of standard deviation sigma and are rounded at 1/2
before the readout: each coordinate flips with probability delta = Q(1/(2 sigma)), independently.
"""

from __future__ import annotations

import math

import numpy as np

from theory.codes import log2_binomial
from theory.domain import check_integer, check_real, check_sizes, check_task
from theory.union_size import log_coverage, union_size_law
from theory.width import check_epsilon, information_width


def width_of_bits(n: int, k: int, epsilon: float, bits: int = 1) -> int:
    """Lower bound: d >= [log2 C(n, k) + log2(1 - epsilon)] / b for a residual of b bits each."""
    bits = check_integer("bits", bits, 1)
    return max(1, math.ceil(information_width(n, k, epsilon) / bits))


def noisy_width(n: int, k: int, epsilon: float, snr: float) -> float:
    """Lower bound: the d that carries the set through normal noise at a power ratio `snr` > 0.

    Fano: log2 M - h(epsilon) - epsilon log2(M - 1) <= I <= (d/2) log2(1 + SNR), M = C(n, k), for a
    residual of mean power SNR times the noise's (Shannon 1948); at least 0.
    """
    n, k = check_task(n, k)
    check_epsilon(epsilon)
    check_real("snr", snr, 0.0)
    if n == k:
        return 0.0
    entropy = -(epsilon * math.log2(epsilon) + (1.0 - epsilon) * math.log1p(-epsilon) / math.log(2))
    # log2(M - 1) <= log2 M, which gives a little away
    nats = (1.0 - epsilon) * log2_binomial(n, k) - entropy
    return max(0.0, 2.0 * nats / (math.log1p(snr) / math.log(2.0)))


def gap_to_bits(theta: float) -> float:
    """Asymptotic: Bloom's width over log2 C(n, k) at k = n^theta: 1/(ln 2 (1 - theta)); n -> oo."""
    return 1.0 / (math.log(2.0) * (1.0 - check_real("theta", theta, 0.0, 1.0)))


def flip_probability(sigma: float) -> float:
    """Exact: delta = Q(1/(2 sigma)), that normal noise takes 0 or 1 across 1/2; 0 at sigma = 0."""
    from scipy.special import ndtr

    sigma = check_real("sigma", sigma, 0.0, closed=True)
    return float(ndtr(-0.5 / sigma)) if sigma > 0.0 else 0.0


def log_success_probability(n: int, k: int, d: int, m: int, sigma: float) -> float:
    """Exact: ln(1 - P_fail) of the Bloom filter with noise on the rounded residual, nats.

    No bit of the union may flip, or its members miss it; V of the other d - W do, and no non-member
    may lie in the W + V bits that are 1: E (1-delta)^W (1 - f(W+V))^N, V ~ Binomial(d - W, delta).
    Cost O(d^2); for large d that is memory of 8 d^2 bytes. -inf below the smallest double.
    """
    from scipy.special import gammaln, xlog1py, xlogy

    n, k, d, m = check_sizes(n, k, d, m)
    delta = flip_probability(sigma)
    law = union_size_law(k, d, m)
    w = np.flatnonzero(law)[:, None]
    ones = np.arange(d + 1)[None, :]
    flipped, free = ones - w, d - w
    possible = flipped >= 0
    flipped = np.where(possible, flipped, 0)
    log_flips = (
        gammaln(free + 1)
        - gammaln(flipped + 1)
        - gammaln(free - flipped + 1)
        + xlogy(flipped, delta)
        + xlog1py(free - flipped, -delta)
    )
    coverage = np.concatenate([np.zeros(m), np.exp(log_coverage(d, m))])
    log_clear = xlog1py(n - k, -coverage)[None, :]
    log_kept = xlog1py(w, -delta)
    terms = np.where(possible, np.log(law[w]) + log_kept + log_flips + log_clear, -math.inf)
    top = float(terms.max())
    return -math.inf if top == -math.inf else min(0.0, top + math.log(np.exp(terms - top).sum()))


def failure_probability(n: int, k: int, d: int, m: int, sigma: float) -> float:
    """Exact: P_fail of the Bloom filter with residual noise: a member missed, or a false positive.

    To about 1e-13 in absolute terms: for rarer failures use the noiseless rate and d delta.
    """
    return -math.expm1(log_success_probability(n, k, d, m, sigma))
