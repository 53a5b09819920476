"""Domains of the arguments: one check per kind of quantity, one clear line per violation."""

from __future__ import annotations

import math
import numbers
import operator

import numpy as np

# sizes up to which the evaluators are tested; beyond them doubles hold no whole numbers for long
LARGEST_N, LARGEST_K, LARGEST_D = 10**15, 10**10, 10**12
LARGEST_BETA = 1e6


# integers from which on a message counts the digits and does not print them
_UNREADABLE = 10**30


class DomainError(ValueError):
    """An argument lies outside its domain; the message names it and its range."""


def check_integer(
    name: str, value: object, low: int, high: int | None = None, high_name: str = ""
) -> int:
    """`value` as an int in [low, high]; raises DomainError naming the argument otherwise."""
    limit = "" if high is None else f" and at most {high_name + ' = ' if high_name else ''}{high}"
    # bool is an Integral, but True hashes per token are a slip, not a size
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise DomainError(f"{name} must be an integer, at least {low}{limit}; got {_shown(value)}")
    number = operator.index(value)
    if number < low or (high is not None and number > high):
        raise DomainError(f"{name} must be at least {low}{limit}; got {_shown(number)}")
    if abs(number) >= _UNREADABLE:
        raise DomainError(f"{name} must be below 1e30; got {_shown(number)}")
    return number


def _shown(value: object) -> str:
    """A value as a message shows it; Python prints no integer of thousands of digits."""
    if isinstance(value, int) and abs(value) >= _UNREADABLE:
        return f"one of about {round(value.bit_length() * math.log10(2.0))} digits"
    return repr(value)


def check_real(
    name: str,
    value: object,
    low: float,
    high: float = math.inf,
    *,
    closed: bool = False,
) -> float:
    """`value` as a finite float in (low, high), or [low, high] where `closed`."""
    brackets = "[]" if closed else "()"
    interval = f"{brackets[0]}{low:g}, {high:g}{brackets[1] if high < math.inf else ')'}"
    complaint = f"{name} must be a finite number in {interval}; got {_shown(value)}"
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise DomainError(complaint)
    try:
        number = float(value)
    except OverflowError:
        raise DomainError(complaint) from None
    if not math.isfinite(number):
        raise DomainError(complaint)
    inside = low <= number <= high if closed else low < number < high
    if not inside:
        raise DomainError(complaint)
    return number


def check_code(k: int, d: int, m: int) -> tuple[int, int, int]:
    """Sizes of a hash code as ints: k >= 1 active tokens, d >= 1 bits, 1 <= m <= d bits a token.

    At most 10^10 tokens and 10^12 bits.
    """
    k = check_integer("k", k, 1, LARGEST_K)
    d = check_integer("d", d, 1, LARGEST_D)
    return k, d, check_integer("m", m, 1, d, "d")


def check_sizes(n: int, k: int, d: int, m: int) -> tuple[int, int, int, int]:
    """Sizes of the task and its code as ints: 1 <= k <= n, d >= 1, 1 <= m <= d."""
    return *check_task(n, k), *check_code(k, d, m)[1:]


def check_task(n: int, k: int) -> tuple[int, int]:
    """Sizes of the task as ints: 1 <= n <= 10^15 tokens of which 1 <= k <= n are active."""
    n = check_integer("n", n, 1, LARGEST_N)
    return n, check_integer("k", k, 1, n, "n")


def check_beta(beta: float) -> float:
    """A logit scale in (0, 1e6]; larger ones add nothing, and overflow in the end."""
    return check_real("beta", beta, 0.0, math.nextafter(LARGEST_BETA, math.inf))
