"""A rival of the Bloom construction: the moment curve, exact at the smallest possible width.

Token i sits at a node t_i; W_U's column is (t, t^2, ..., t^(2k)) and the residual holds the
coefficients of logit_i = -prod_{s in S} (t_i - t_s)^2, a polynomial of degree 2k whose constant
term the softmax ignores. Members reach 0 and no other token does: in exact arithmetic no input
ever fails, at d = 2k (Gale 1963: the vertices of a cyclic polytope are k-neighbourly). By Radon's
theorem no narrower linear readout does that. What it costs is precision: the margin, the smallest
distance of a non-member's logit from the members', falls like n^(-2k) on nodes in [-1, 1].

The same polynomial on the circle, logit_i = -prod_s (1 - cos(theta_i - theta_s)) with columns
(cos j theta, sin j theta), j = 1..k, also has d = 2k.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from theory.domain import DomainError, check_integer, check_task


def radon_width(k: int) -> int:
    """Lower bound: d >= 2k for a linear readout that separates every k-set of n >= 3k tokens.

    Whatever computes the residual. Separates: every member's logit exceeds every non-member's.
    Any d + 2 points have a Radon partition into A and B whose convex hulls meet. For d <= 2k - 1
    the smaller part, A, has at most k points and B at most 2k, so some k-set holds A and misses B;
    a point of both hulls would have a logit above and below the threshold. Attained.
    """
    return 2 * check_integer("k", k, 1)


def radon_width_with_bias(k: int) -> int:
    """Lower bound: d >= 2k - 1 where the readout also has a bias for every token; n >= 3k.

    The biases are one more coordinate of every column. Attained: the bias -t^(2k).
    """
    return 2 * check_integer("k", k, 1) - 1


@dataclass(frozen=True)
class RadonPartition:
    """Tokens `members` and `others` with convex weights whose mean columns of W_U coincide.

    For every residual the members' weighted mean logit is the others': no k-set that holds the
    first and none of the second is separated. int64 and float64 arrays; each weights sum to 1.
    """

    members: np.ndarray
    others: np.ndarray
    member_weights: np.ndarray
    other_weights: np.ndarray


def radon_partition(W_U: np.ndarray) -> RadonPartition:
    """A Radon partition of the first d + 2 columns of W_U [d, n], the smaller part as members.

    By singular values in float64. Raises DomainError where n < d + 2.
    """
    d, n = W_U.shape
    if n < d + 2:
        raise DomainError(f"W_U must have at least d + 2 = {d + 2} columns; got {n}")
    columns = np.vstack([W_U[:, : d + 2], np.ones(d + 2)])
    dependence = np.linalg.svd(columns)[2][-1]
    parts = [np.flatnonzero(sign * dependence > 0.0) for sign in (1.0, -1.0)]
    members, others = sorted(parts, key=len)
    weights = [np.abs(dependence[part]) for part in (members, others)]
    return RadonPartition(members, others, *(weight / weight.sum() for weight in weights))


def equally_spaced(n: int) -> np.ndarray:
    """n >= 2 equally spaced nodes from -1 to 1, float64 [n]."""
    return np.linspace(-1.0, 1.0, check_integer("n", n, 2))


def chebyshev(n: int) -> np.ndarray:
    """The zeros of the n-th Chebyshev polynomial, float64 [n], ascending."""
    check_integer("n", n, 1)
    return -np.cos(np.pi * (np.arange(n) + 0.5) / n)


def margin(nodes: np.ndarray, k: int) -> float:
    """Exact: the least prod_{s in S} (t_i - t_s)^2 over all k-sets S and non-members i.

    nodes: float64 [n], distinct. It is attained by the k nodes nearest to some t_i.
    """
    nodes = np.sort(np.asarray(nodes, dtype=np.float64))
    n = check_integer("n", len(nodes), k + 1)
    # the k nearest to a node are next to each other
    distances = [
        np.sort(np.abs(nodes[max(0, i - k) : min(n, i + k + 1)] - nodes[i]))[1 : k + 1]
        for i in range(n)
    ]
    return float(np.exp(2.0 * np.log(distances).sum(axis=1).min()))


def equally_spaced_margin(n: int, k: int) -> float:
    """Exact: (2/(n-1))^(2k) (floor(k/2)! ceil(k/2)!)^2, the margin on `equally_spaced` nodes."""
    found: float = 4.0**k * 2.0 ** _log2_relative_margin(n, k)
    return found


def circle_margin(n: int, k: int) -> float:
    """Exact: prod over the k nearest of n equally spaced angles of 2 sin^2(pi j / n); n > k."""
    n, k = _check_non_member(n, k)
    j = np.concatenate([np.arange(1, k // 2 + 1), np.arange(1, (k + 1) // 2 + 1)])
    return float(np.prod(2.0 * np.sin(np.pi * j / n) ** 2))


def margin_bound(n: int, k: int) -> float:
    """Upper bound: (2 / floor((n-1)/k))^(2k) on the margin of any n > k nodes in [-1, 1].

    Of the disjoint stretches of k neighbouring gaps the shortest is at most that long, and one of
    its k + 1 nodes lies within it of the k others.
    """
    n, k = _check_non_member(n, k)
    return (2.0 / ((n - 1) // k)) ** (2 * k)


def sufficient_bits(n: int, k: int) -> float:
    """Upper bound on the bits of significand with which no k-set fails; equally spaced nodes.

    W_U and residual rounded to nearest, with relative errors u = 2^-bits, move a logit by at most
    ((1+u)^2 - 1) prod_s (|t_i| + |t_s|)^2 <= (2u + u^2) 4^k; two of these stay within the margin.
    About 2k log2(n - 1) + 2 - 2 log2(floor(k/2)! ceil(k/2)!).
    """
    return _bits(_log2_relative_margin(n, k))


def circle_sufficient_bits(n: int, k: int) -> float:
    """Upper bound on the bits of significand with which no k-set fails; on the circle.

    As `sufficient_bits`: a logit's coefficients add up to at most 2^k in absolute value.
    """
    return _bits(math.log2(circle_margin(n, k)) - k)


def _bits(log2_relative_margin: float) -> float:
    """-log2 of the u at which 2 (2u + u^2) is the relative margin."""
    half = 2.0 ** (log2_relative_margin - 1.0)
    if half < 1e-17:
        return 2.0 - log2_relative_margin
    return -math.log2(math.expm1(0.5 * math.log1p(half)))


def _log2_relative_margin(n: int, k: int) -> float:
    n, k = _check_non_member(n, k)
    log_factorials = math.lgamma(k // 2 + 1) + math.lgamma((k + 1) // 2 + 1)
    return 2.0 * log_factorials / math.log(2.0) - 2.0 * k * math.log2(n - 1)


def _check_non_member(n: int, k: int) -> tuple[int, int]:
    n, k = check_task(n, k)
    if n == k:
        raise DomainError(f"n must exceed k = {k} for a margin (no non-member); got {n}")
    return n, k
