"""Which k-sets some residual separates, by linear programming.

A readout is its columns, float64 [n, d]; a set is separated when some h gives every member a
larger logit than every other token.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.sampling import random_sets


def is_separable(columns: Float[np.ndarray, "n d"], members: Int[np.ndarray, " k"]) -> bool:
    """Whether some h and t have <u_i, h> > t on the members and < t elsewhere.

    The linear program for the largest s <= 1 with <u_i, h> >= t + s and <= t - s, which h = 0,
    s = 0 always solves and scaling makes 1 where the set is separable: by HiGHS (SciPy), to its
    tolerance of 1e-7.
    """
    from scipy.optimize import linprog

    n, d = columns.shape
    sign = np.ones(n)
    sign[members] = -1.0
    rows = np.hstack([sign[:, None] * np.hstack([columns, -np.ones((n, 1))]), np.ones((n, 1))])
    cost = np.zeros(d + 2)
    cost[-1] = -1.0
    bounds = [(None, None)] * (d + 1) + [(0.0, 1.0)]
    found = linprog(cost, A_ub=rows, b_ub=np.zeros(n), bounds=bounds, method="highs")
    if found.status != 0:
        raise ArithmeticError(f"HiGHS gave up: {found.message}")
    return bool(found.x[-1] > 0.5)


def separable_sets(
    rng: np.random.Generator, columns: Float[np.ndarray, "n d"], k: int, sets: int
) -> Bool[np.ndarray, " sets"]:
    """Which of `sets` uniform k-sets are separable, by linear programming."""
    return np.array([is_separable(columns, own) for own in random_sets(rng, sets, len(columns), k)])
