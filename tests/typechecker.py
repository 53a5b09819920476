"""The run-time type checker of the tests: beartype, with ints accepted for floats (PEP 484).

In every test, fixtures included, each function is checked the first CHECKS times: its arguments
before a call and all its values after it. A training loop calls the same few functions thousands of
times, and checking every call costs about as much as the training.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

CHECKS = 200
# a function that has it is left alone by jaxtyping (PEP 484)
MARK = "__no_type_check__"
_beartype = beartype(conf=BeartypeConf(is_pep484_tower=True))
_checks_done: Counter[tuple[str, str]] = Counter()
_left_alone: list[Any] = []


def check(signature: Callable[..., Any]) -> Callable[..., Any]:
    """A function's signature, checked when called; jaxtyping makes one of each function."""
    checked = _beartype(signature)
    name = signature.__module__, signature.__qualname__
    if "<locals>" in signature.__qualname__:  # a new function each time
        return checked

    @functools.wraps(signature)
    def counted(*args: Any, **kwargs: Any) -> Any:
        found = checked(*args, **kwargs)
        _checks_done[name] += 1
        if _checks_done[name] == CHECKS:
            _leave_alone(*name)
        return found

    return counted


def check_anew() -> None:
    """Forget the calls so far: the next ones are checked."""
    _checks_done.clear()
    for function in _left_alone:
        delattr(function, MARK)
    _left_alone.clear()


def _leave_alone(module: str, qualified_name: str) -> None:
    """Mark the function as checked often enough, if it is still found by its name."""
    found: Any = sys.modules[module]
    for part in qualified_name.split("."):
        found = inspect.getattr_static(found, part, None)
    for inner in ("fget", "func", "__func__"):  # of a property, a cached one, a class method
        found = getattr(found, inner, found)
    function = inspect.unwrap(found)
    if inspect.isfunction(function):
        setattr(function, MARK, True)
        _left_alone.append(function)
