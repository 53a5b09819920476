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
    """The function, evaluated once for each different code where arguments are arrays."""
    return broadcasts_by(_none)(function)


def broadcasts_by(many: Callable[..., Floats]) -> Callable[[Callable[..., float]], Evaluator]:
    """The same, by way of another function that takes arrays of one shape, many codes at once.

    many: NaN where the code is not one that it knows, or no code; those are evaluated one by one.
    They are visited by their last sizes, and by growing k among those that share d and m, so that
    neighbours find each other's tables.
    """

    def decorate(function: Callable[..., float]) -> Evaluator:
        @wraps(function)
        def evaluate(*sizes: Any, **named: Any) -> Any:
            values = [*sizes, *named.values()]
            if not any(isinstance(value, np.ndarray | list | range) for value in values):
                return function(*sizes, **named)
            arrays = np.broadcast_arrays(*values)

            def arguments(of: list[Any]) -> tuple[list[Any], dict[str, Any]]:
                return of[: len(sizes)], dict(zip(named, of[len(sizes) :], strict=True))

            own, own_named = arguments([array.ravel() for array in arrays])
            found = many(*own, **own_named)
            left = np.isnan(found)
            codes = list(zip(*(array.ravel()[left].tolist() for array in arrays), strict=True))
            one_by_one = {}
            for code in sorted(set(codes), key=lambda code: code[::-1]):
                own, own_named = arguments(list(code))
                one_by_one[code] = function(*own, **own_named)
            found[left] = [one_by_one[code] for code in codes]
            return found.reshape(arrays[0].shape)

        return evaluate

    return decorate


def _none(*sizes: NDArray[Any], **named: NDArray[Any]) -> Floats:
    """Knows no code."""
    return np.full(len([*sizes, *named.values()][0]), np.nan)
