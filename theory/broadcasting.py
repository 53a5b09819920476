"""Evaluators of one code that also take arrays of sizes, as NumPy's own functions do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from theory.logarithms import Floats

Sizes = NDArray[Any] | list[Any] | range


class Evaluator(Protocol):
    """A function of numbers that broadcasts: arrays of sizes give float64 of their common shape."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, *sizes: float, **named: float
    ) -> float: ...

    @overload
    def __call__(self, *sizes: float | Sizes, **named: float | Sizes) -> Floats: ...


def broadcasts(function: Callable[..., float]) -> Evaluator:
    """The function, evaluated once for each different code where arguments are arrays.

    Codes are visited by their last sizes, and by growing k among those that share d and m, so that
    neighbours find each other's tables.
    """

    @wraps(function)
    def evaluate(*sizes: Any, **named: Any) -> Any:
        values = [*sizes, *named.values()]
        if not any(isinstance(value, np.ndarray | list | range) for value in values):
            return function(*sizes, **named)
        arrays = np.broadcast_arrays(*values)
        codes = list(zip(*(array.ravel().tolist() for array in arrays), strict=True))
        found = {
            code: function(*code[: len(sizes)], **dict(zip(named, code[len(sizes) :], strict=True)))
            for code in sorted(set(codes), key=lambda code: code[::-1])
        }
        return np.array([found[code] for code in codes]).reshape(arrays[0].shape)

    return evaluate
