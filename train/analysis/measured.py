"""Sampled numbers as the report's plain data: value, interval, and the inputs behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulate.jobs import intervals
from simulate.jobs.intervals import Estimate
from simulate.jobs.panel import DRAWN_CONFIDENCE

Measured = dict[str, Any]  # value, interval [low, high], inputs


def measured(estimate: Estimate, inputs: int) -> Measured:
    """An estimate as {"value", "interval", "inputs"}."""
    return {"value": estimate.estimate, "interval": list(estimate.interval), "inputs": inputs}


def share(hits: np.ndarray) -> Measured:
    """The share of independent inputs on which something holds, Clopper-Pearson, 95 %."""
    inputs = len(hits)
    found = intervals.proportion(int(np.count_nonzero(hits)), inputs, DRAWN_CONFIDENCE)
    return measured(found, inputs)


def mean(values: np.ndarray) -> Measured:
    """The mean over independent inputs, Student t, 95 %."""
    return measured(intervals.mean(values, DRAWN_CONFIDENCE), len(values))


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> Measured | None:
    """sum w x / sum w over independent inputs, 95 % by the delta method; None where sum w is 0.

    inputs: those with a weight.
    """
    if not weights.any():
        return None
    value = float(weights @ values / weights.sum())
    residual = weights * (values - value) / weights.mean()
    error = float(residual.std(ddof=1) / np.sqrt(len(values)))
    carrying = int(np.count_nonzero(weights))
    found = intervals.from_standard_error(value, error, max(carrying - 1, 1), DRAWN_CONFIDENCE)
    return measured(found, carrying)
