"""What any layer could get out of a random readout: the largest k-sets that some h separates.

W_U has independent normal columns. L = {h W_U} is a uniformly random d-dimensional subspace of R^n,
and a k-set is the top k of some h where L meets the cone of logits whose members all exceed all
others. A random subspace meets a cone of statistical dimension delta or misses it, according to
whether d + delta lies above or below n, within a window of order sqrt(n) (Amelunxen, Lotz, McCoy &
Tropp 2014, Theorem I). n - delta is the mean squared distance of n standard normals from the cone,

    E min over t of  sum_members (t - g_i)_+^2 + sum_others (g_j - t)_+^2,

at most `threshold_width`, where the minimum is taken of the mean. So that d above it by a multiple
of sqrt(n) suffices is proved; that smaller d fail needs the two orders of min and mean to agree,
which they do as n grows at fixed k/n (both are concentrated), and is heuristic at finite n.

D. Amelunxen, M. Lotz, M. B. McCoy & J. A. Tropp, Living on the edge: phase transitions in convex
programs with random data, Information and Inference 3 (2014), arXiv:1303.6672.
"""

from __future__ import annotations

import math

import numpy as np

from theory.domain import check_integer, check_real, check_task
from theory.search import first_true


def threshold_width(n: int, k: int) -> float:
    """Asymptotic: the width at which a random readout begins to separate typical k-sets.

    min over t of k E(t - g)_+^2 + (n-k) E(g - t)_+^2, g standard normal: convex in t. An upper
    bound on n - delta. 0 where n = k.
    """
    from scipy.optimize import minimize_scalar

    n, k = check_task(n, k)
    if n == k:
        return 0.0

    def distance(t: float) -> float:
        return k * _excess(-t) + (n - k) * _excess(t)

    most = 2.0 + math.sqrt(2.0 * math.log(n))
    found = minimize_scalar(distance, bounds=(-most, most), method="bounded")
    return float(found.fun)


def _excess(t: float) -> float:
    """E(g - t)_+^2 = (1 + t^2) Q(t) - t phi(t), g standard normal."""
    from scipy.special import ndtr

    value = (1.0 + t * t) * ndtr(-t) - t * math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi)
    return max(0.0, float(value))


def largest_k(n: int, d: int) -> int:
    """Asymptotic: k*(n, d), the largest k <= n/2 with threshold_width < d; 0 if there is none."""
    n, d = check_integer("n", n, 1), check_integer("d", d, 1)
    half = max(1, n // 2)
    return first_true(lambda k: k > half or threshold_width(n, k) >= d, min(d, half)) - 1


def log_failure(n: int, k: int, d: int) -> float:
    """Upper bound: ln P(no h separates a given k-set), nats; at most 0.

    4 exp(-(d - threshold_width)^2 / (8 n)) (Amelunxen et al. 2014, Theorem I): weak where d is
    small beside sqrt(n).
    """
    n, k = check_task(n, k)
    room = check_integer("d", d, 1) - threshold_width(n, k)
    return min(0.0, math.log(4.0) - room**2 / (8.0 * n)) if room > 0.0 else 0.0


def smallest_width(n: int, k: int, epsilon: float) -> int:
    """Asymptotic: the least d above `threshold_width`, whatever epsilon in (0, 1)."""
    check_real("epsilon", epsilon, 0.0, 1.0)
    return max(1, math.floor(threshold_width(n, k)) + 1)


def capacity_curve(n: int, widths: np.ndarray) -> np.ndarray:
    """Asymptotic: k*(n, d) at each width, int64."""
    return np.array([largest_k(n, int(d)) for d in widths], dtype=np.int64)
