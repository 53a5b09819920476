"""Probabilities kept as logarithms, so that none of them under- or overflows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# ln of the smallest probability whose square is still negligible beside it in a double
LOG_TINY = math.log(1e-200)


def log_some(count: ArrayLike, log_rate: ArrayLike, log_none: ArrayLike | None = None) -> Floats:
    """Exact: ln(1 - (1 - f)^count), nats: some of `count` independent events of probability f.

    log_rate: ln f <= 0, float [...]. log_none: ln(1 - f), where it is known better than from ln f.
    Returns float64 of the common shape, at most 0; -inf at count = 0.
    """
    log_rate, count = np.asarray(log_rate, dtype=np.float64), np.asarray(count)
    if not count.any():
        return np.full(np.broadcast_shapes(log_rate.shape, count.shape), -math.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.log1p(-np.exp(log_rate)) if log_none is None else np.asarray(log_none)
        all_missed = np.asarray(count * one)
        few = np.log(count) + log_rate
        # by the digits of whichever of the two is small
        likely = all_missed <= -1.0
        some = np.expm1(all_missed, where=~likely, out=np.zeros_like(all_missed))
        np.log(-some, where=~likely, out=some)
        np.exp(all_missed, where=likely, out=some)
        np.log1p(-some, where=likely, out=some)
    found: Floats = np.where(log_rate < LOG_TINY, few, some)
    return np.minimum(found, 0.0)


def log_mean(log_law: Floats, log_value: Floats) -> float:
    """ln sum_i p_i v_i, nats, given both logarithms; -inf for an empty or vanishing sum."""
    terms = log_law + log_value
    top = float(terms.max(initial=-math.inf))
    return top if top == -math.inf else top + math.log(float(np.exp(terms - top).sum()))
