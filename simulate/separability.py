"""Which k-sets some residual separates, by linear programming.

A readout is its columns, float64 [n, d]; a set is separated when some h gives every member a
larger logit than every other token.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.sampling import random_sets


def is_separable(columns: Float[np.ndarray, "n d"], members: Int[np.ndarray, " k"]) -> bool:
    """Whether some h and t have <u_i, h> >= t + 1 on the members and <= t - 1 elsewhere.

    A linear program without an objective, solved by HiGHS (SciPy), to its tolerance of 1e-7.
    """
    from scipy.optimize import linprog

    n, d = columns.shape
    sign = np.ones(n)
    sign[members] = -1.0
    rows = sign[:, None] * np.hstack([columns, -np.ones((n, 1))])
    found = linprog(
        np.zeros(d + 1), A_ub=rows, b_ub=-np.ones(n), bounds=(None, None), method="highs"
    )
    if found.status not in (0, 2):  # solved, or infeasible
        raise ArithmeticError(f"HiGHS gave up: {found.message}")
    return found.status == 0


def separable_sets(
    rng: np.random.Generator, columns: Float[np.ndarray, "n d"], k: int, sets: int
) -> Bool[np.ndarray, " sets"]:
    """Which of `sets` uniform k-sets are separable, by linear programming."""
    return np.array([is_separable(columns, own) for own in random_sets(rng, sets, len(columns), k)])
