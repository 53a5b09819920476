"""Exact theory of the constant-weight Bloom filter that the toy network computes.

Evaluators are plain functions of numbers, in the order n, k, d, m, beta; the SymPy expressions
they evaluate, with kind, domain and source, are in `theory.formulas`.
"""

from theory.domain import DomainError
from theory.false_positives import (
    expected_false_positives,
    failure_probability,
    false_positive_count_law,
    false_positive_rate,
    missing_bits_law,
)
from theory.large_deviations import kappa, rate_function
from theory.softmax_output import expected_divergence
from theory.union_size import union_size_law
from theory.width import (
    optimal_hashes,
    optimal_hashes_for_failure,
    smallest_width,
    sufficient_code,
    width_law,
)

__all__ = [
    "DomainError",
    "expected_divergence",
    "expected_false_positives",
    "failure_probability",
    "false_positive_count_law",
    "false_positive_rate",
    "kappa",
    "missing_bits_law",
    "optimal_hashes",
    "optimal_hashes_for_failure",
    "rate_function",
    "smallest_width",
    "sufficient_code",
    "union_size_law",
    "width_law",
]
