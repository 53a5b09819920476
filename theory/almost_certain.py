"""Widths at which failure is all but certain, where a wider code may fail more often.

Success then rests on tokens that happen to coincide, and P_fail at its best m need not fall with d.
None such was found for epsilon <= 0.999999; up to 0.99 none is looked for.
"""

from __future__ import annotations

import math

import numpy as np

from theory.codes import log2_binomial
from theory.domain import DomainError
from theory.false_positives import log_success_probability
from theory.logarithms import Floats
from theory.union_size import fill_probability, log_coverage

# epsilon up to which the smallest P_fail falls with d, and has been seen to at any width
_SELDOM_RIGHT, _MOST_CERTAIN = 0.99, 0.999999
_WIDEST_SEARCHED = 200


def check_settled(n: int, k: int, epsilon: float) -> None:
    """Refuses at once what `narrower_exception` would: the width is above the information bound."""
    if n > k and _least_bits(n, k, epsilon) > _WIDEST_SEARCHED:
        _refuse_above(epsilon)


def narrower_exception(n: int, k: int, d: int, epsilon: float) -> int:
    """The least width below d at which some m gives P_fail <= epsilon; d if there is none.

    Every narrower one is looked at, but those that cannot do. Raises DomainError where they are too
    many to be.
    """
    if epsilon <= _SELDOM_RIGHT or n == k:
        return d
    if d > _WIDEST_SEARCHED:
        _refuse_above(epsilon)
        return d
    log_success = math.log1p(-epsilon)
    for narrower in range(max(1, math.ceil(_least_bits(n, k, epsilon))), d):
        for m in range(1, narrower + 1):
            if _log_success_bound(n, k, narrower, m) < log_success:
                continue
            if log_success_probability(n, k, narrower, m) >= log_success:
                return narrower
    return d


def _refuse_above(epsilon: float) -> None:
    if epsilon > _MOST_CERTAIN:
        raise DomainError(
            f"epsilon must be at most {_MOST_CERTAIN} where the width is above "
            f"{_WIDEST_SEARCHED}, as it is here; got {epsilon!r}"
        )


def _least_bits(n: int, k: int, epsilon: float) -> float:
    return log2_binomial(n, k) + math.log1p(-epsilon) / math.log(2.0)


def _log_success_bound(n: int, k: int, d: int, m: int) -> float:
    """Upper bound on ln(1 - P_fail), nats: P(W <= w) + (1 - f(w + 1))^N at the best w.

    The first by C(d, w) f(w)^k, one w-set that holds all k hashes, or by Chernoff's bound for
    negatively associated indicators.
    """
    from scipy.special import rel_entr

    log_f = log_coverage(d, m)[:-1]
    w = np.arange(m, d)
    fill = fill_probability(k, d, m)
    held = _log_choose(d, w) + k * log_f
    share = np.minimum(w / d, fill)
    entropy = rel_entr(share, fill) + rel_entr(1.0 - share, 1.0 - fill)
    below = np.concatenate([[0.0], np.exp(np.minimum(np.minimum(held, -d * entropy), 0.0))])
    with np.errstate(divide="ignore"):
        above = np.exp((n - k) * np.log1p(-np.exp(log_coverage(d, m))))
    return math.log(min(1.0, float((below + above).min())) + 1e-300) + 1e-9


def _log_choose(d: int, w: np.ndarray) -> Floats:
    """ln C(d, w), nats."""
    from scipy.special import gammaln

    found: Floats = gammaln(d + 1.0) - gammaln(w + 1.0) - gammaln(d - w + 1.0)
    return found
