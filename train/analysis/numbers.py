"""Small records of numbers that several sections of an analysis share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


def finite(value: float) -> float | None:
    """The value as a Python float; None where it is NaN or infinite, as JSON has neither."""
    value = float(value)
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Extremes:
    """Median and extremes of values."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: np.ndarray) -> Extremes | None:
        """None of nothing."""
        if not values.size:
            return None
        return cls(float(np.median(values)), float(values.min()), float(values.max()))


@dataclass(frozen=True)
class Moments:
    """Mean, standard deviation, and the range (lowest, highest) of values."""

    mean: float
    sd: float
    range: tuple[float, float]

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """Of at least one value."""
        ends = float(values.min()), float(values.max())
        return cls(float(values.mean()), float(values.std()), ends)
