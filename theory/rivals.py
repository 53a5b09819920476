"""Rivals of the Bloom construction: errors of dense random codes with a linear readout.

Squared errors are summed over the vocabulary, for the 0/1 indicator of the k members at
alpha = 1, and divided by k, the error of predicting zero.
"""

from __future__ import annotations

from theory.domain import check_code, check_integer, check_task


def linear_readout_error(n: int, d: int) -> float:
    """Exact: (n-1)/d, the expected relative squared error of y_i = <e_i, sum_j e_j>.

    e_i are independent random unit vectors of dimension d with E<e_i, e_j>^2 = 1/d: uniform
    directions or entries +-1/sqrt(d) (Johnson-Lindenstrauss codes). Above 1, predicting zero is
    better.
    """
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    return (n - 1) / d


def scaled_readout_error(n: int, d: int) -> float:
    """Exact: (n-1)/(n-1+d), the same readout scaled by its best constant d/(n-1+d)."""
    check_integer("n", n, 1)
    check_integer("d", d, 1)
    return (n - 1) / (n - 1 + d)


def affine_floor(n: int, k: int, d: int) -> float:
    """Lower bound: (n-k)(n-1-d)/(n(n-1)), the least relative squared error of any affine code.

    No embedding and affine readout of rank d does better; 0 once d >= n - 1.
    """
    n, k = check_task(n, k)
    k, d, _ = check_code(k, d, 1)
    return max(0.0, (n - k) * (n - 1 - d) / (n * (n - 1))) if n > 1 else 0.0
