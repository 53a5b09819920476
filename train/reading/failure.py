"""When an input fails by behaviour: too much of the probability is on other tokens than its own."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def failure_threshold(k: int) -> float:
    """The mass on the k tokens below which an input fails: halfway between k/(k + 1) and 1.

    With one false positive an exact filter leaves k/(k + 1) on them, without any 1.
    """
    return 0.5 * (k / (k + 1) + 1.0)


def fails(mass: Float[np.ndarray, " inputs"], k: int) -> Bool[np.ndarray, " inputs"]:
    """Whether each input fails by behaviour; an output that overflowed, of mass NaN, does."""
    return ~(mass >= failure_threshold(k))
