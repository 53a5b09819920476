"""What the readout could do if the residual were ideal: which sets of tokens some h puts on top.

A set S is reachable if w_i h > w_j h for all i in S, j outside. Strict inequalities are kept by
scaling h, against which a bias vanishes, so biases do not matter. Sets are decided by Farkas'
alternative over few of the tokens outside; either answer comes with a certificate over all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import optimize, stats

from theory.domain import DomainError, check_integer

_ROUNDS = 60
# the margin of unit-box h below which sets are touching, in units of the typical coordinate
_TOUCHING = 1e-7


def largest_free_set(n: int, d: int) -> int:
    """k*(n, d): up to about so many random tokens of a normal code are the top k of some h.

    Heuristic: the largest k with min over t of k (1 + t^2) + (n - k) ((1 + t^2) Q(t) - t phi(t))
    below d, the statistical dimension of the cone of separating normal vectors (convex Gaussian
    min-max). 0 where no set of one is. Raises DomainError for n < 2 or d < 1.
    """
    n, d = check_integer("n", n, 2), check_integer("d", d, 1)

    def cost(t: float, k: int) -> float:
        beyond = (1.0 + t * t) * stats.norm.sf(t) - t * stats.norm.pdf(t)
        return k * (1.0 + t * t) + (n - k) * beyond

    def fits(k: int) -> bool:
        found = optimize.minimize_scalar(
            cost, bounds=(-1.0, math.sqrt(2.0 * math.log(n)) + 3.0), args=(k,), method="bounded"
        )
        return bool(found.fun < d)

    low, high = 0, n // 2 + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class Reached:
    """Whether some h puts the set on top, and the certificate.

    margin: where reachable, the least difference of members' and others' logits at h with entries
    in [-1, 1], checked over all tokens. gap: otherwise the length of the difference of two convex
    combinations, of members and of others, which meet there but for rounding.
    """

    reachable: bool
    margin: float
    gap: float
    h: Float[np.ndarray, " d"] | None


def reach(vectors: Float[np.ndarray, "n d"], members: Int[np.ndarray, " k"]) -> Reached:
    """Decide whether the members are the top k of some h; exact up to the solver's tolerance.

    Cutting planes: the solver sees the members and the others that came too close so far. If
    these few cannot be parted, all cannot. Raises DomainError for repeated
    members, or none, or all tokens.
    """
    n, d = vectors.shape
    members = np.unique(np.asarray(members))
    if not 0 < len(members) < n or members[0] < 0 or members[-1] >= n:
        raise DomainError(f"members must be 1 to n - 1 = {n - 1} distinct tokens of {n}")
    outside = np.ones(n, dtype=np.bool_)
    outside[members] = False
    scale = float(np.abs(vectors).mean()) or 1.0
    inside = vectors[members].astype(np.float64) / scale
    h = _first_guess(vectors, inside)
    working = np.empty(0, dtype=np.int64)
    for _ in range(_ROUNDS):
        logits = (vectors @ h.astype(np.float32)).astype(np.float64) / scale
        margin = float(logits[members].min() - logits[outside].max())
        if margin > _TOUCHING and _holds(vectors, members, outside, h):
            return Reached(True, margin * scale, 0.0, h)
        logits[members] = -np.inf
        logits[working] = -np.inf
        most = min(n - len(members) - len(working), 2 * d)
        if most == 0:
            break
        nearest = np.argpartition(logits, -most)[-most:]
        working = np.concatenate([working, nearest[np.isfinite(logits[nearest])]])
        rivals = vectors[working].astype(np.float64) / scale
        h, best, gap = _part(inside, rivals)
        if best <= _TOUCHING:
            return Reached(False, 0.0, gap, None)
    raise DomainError(f"a set of {len(members)} tokens was not decided in {_ROUNDS} rounds")


def _first_guess(vectors: np.ndarray, inside: np.ndarray) -> np.ndarray:
    h = inside.mean(axis=0) - vectors[:: max(1, len(vectors) // 4096)].mean(axis=0)
    return np.asarray(h / max(float(np.abs(h).max()), 1e-30))


def _holds(vectors: np.ndarray, members: np.ndarray, outside: np.ndarray, h: np.ndarray) -> bool:
    """The certificate in float64: every member above every other."""
    least = float((vectors[members].astype(np.float64) @ h).min())
    rivals = np.flatnonzero(outside)
    return all(
        float((vectors[block].astype(np.float64) @ h).max()) < least
        for block in np.array_split(rivals, max(1, len(rivals) // 8192))
    )


def _part(inside: np.ndarray, rivals: np.ndarray) -> tuple[np.ndarray, float, float]:
    """A direction that parts members from rivals, its margin for entries in [-1, 1], and the gap.

    Farkas' alternative by non-negative least squares: convex combinations of both that meet leave
    no residual; otherwise the residual parts them. A few times faster here than the same linear
    programme, and as exact.
    """
    k, d = inside.shape
    columns = np.concatenate([inside, -rivals]).T
    sums = np.zeros((2, columns.shape[1]))
    sums[0, :k], sums[1, k:] = 1.0, 1.0
    system, target = np.concatenate([columns, sums]), np.array([0.0] * d + [1.0, 1.0])
    weight, _ = optimize.nnls(system, target, maxiter=30 * (d + 2))
    residual = target - system @ weight
    share, other = weight[:k], weight[k:]
    gap = math.inf
    if share.sum() > 0.0 and other.sum() > 0.0:
        gap = float(np.abs(share @ inside / share.sum() - other @ rivals / other.sum()).sum())
    h = -residual[:d]
    h /= max(float(np.abs(h).max()), np.finfo(np.float64).tiny)
    return h, float((inside @ h).min() - (rivals @ h).max()), gap


@dataclass(frozen=True)
class Uniformity:
    """How near the output comes to uniform on a set, at a given length of h.

    kl: KL(uniform on the set || output), nats, reached. kl_bound: no h of that length has less.
    total_variation: of the output that was reached.
    """

    kl: float
    kl_bound: float
    total_variation: float


def most_uniform(
    vectors: Float[np.ndarray, "n d"],
    bias: Float[np.ndarray, " n"],
    members: Int[np.ndarray, " k"],
    length: float,
    tolerance: float = 0.01,
    most_steps: int = 400,
) -> Uniformity:
    """Minimise KL over h of at most that length: convex, by accelerated projected gradients.

    The bound is the dual one of the Frank-Wolfe step: for every h, f* >= f(h) - (g h + length |g|),
    which certifies the minimum where both agree: to `tolerance` nats, unless `most_steps` end it.
    """
    k = len(members)
    target = vectors[members].mean(axis=0, dtype=np.float64)
    base = float(bias[members].mean(dtype=np.float64))
    n = len(vectors)

    def at(h: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        logits = (vectors @ h.astype(np.float32)).astype(np.float64) + bias
        top = float(logits.max())
        weight = np.exp(logits - top)
        total = float(weight.sum())
        output = weight / total
        value = top + math.log(total) - float(target @ h) - base - math.log(k)
        return value, (output.astype(np.float32) @ vectors).astype(np.float64) - target, output

    def clipped(h: np.ndarray) -> np.ndarray:
        return h * min(1.0, length / max(float(np.linalg.norm(h)), 1e-300))

    h = clipped(target * length / max(float(np.linalg.norm(target)), 1e-300))
    value, gradient, output = at(h)
    best, bound = (value, output), -math.inf
    step, ahead, momentum = length / max(float(np.linalg.norm(gradient)), 1e-300) / 8.0, h, 1.0
    for _ in range(most_steps):
        value, gradient, _ = at(ahead)
        slack = float(gradient @ ahead) + length * float(np.linalg.norm(gradient))
        bound = max(bound, value - slack)
        while True:  # backtracking on the quadratic upper bound
            moved = clipped(ahead - step * gradient)
            change = moved - ahead
            new, _, new_output = at(moved)
            model = value + float(gradient @ change) + float(change @ change) / (2.0 * step)
            if new <= model + 1e-9 or step < 1e-12:
                break
            step /= 2.0
        if new < best[0]:
            best = new, new_output
        if best[0] - bound <= tolerance:
            break
        grown = (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        # restart when it goes uphill
        if float(gradient @ (moved - h)) > 0.0:
            grown, momentum = 1.0, 1.0
        ahead = clipped(moved + (momentum - 1.0) / grown * (moved - h))
        h, momentum, step = moved, grown, step * 1.3
    distance = 0.5 * float(np.abs(best[1] - _uniform(n, members)).sum())
    return Uniformity(best[0], max(bound, 0.0), distance)


def _uniform(n: int, members: Sequence[int] | np.ndarray) -> np.ndarray:
    target = np.zeros(n)
    target[members] = 1.0 / len(members)
    return target
