"""What every command shares: exit codes, one-line errors, JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, NoReturn

import tyro

from theory.domain import DomainError

SCHEMA = 1
DONE = 0
CHECK_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
# a number on the command line; far beyond every domain, whose own checks say more
_MOST_DIGITS = 400
_MOST_BITS = 1400


def run(command: Callable[[], int]) -> NoReturn:
    """Run a command and exit with its code; bad input is one line on standard error, exit 2."""
    try:
        code = command()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    except (DomainError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except MemoryError as error:
        print(f"error: these sizes need more memory than there is; {error}", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)


def print_json(record: Mapping[str, object]) -> None:
    """One JSON object on standard output; a value that JSON cannot hold is an error, not NaN."""
    print(json.dumps(record, allow_nan=False))


def whole_number(text: str) -> int:
    """An integer as people write sizes: 4096, 1_000_000, 1e6, 2.5e9, 2^30. Raises ValueError."""
    base, power, exponent = text.partition("^")
    if power:
        of_base, times = int(base), int(exponent)
        if times < 0 or times * of_base.bit_length() > _MOST_BITS:
            raise ValueError(f"{text!r} is no integer of at most {_MOST_DIGITS} digits")
        found: int = of_base**times
        return found
    try:
        number = Decimal(text.replace("_", ""))
    except InvalidOperation:
        raise ValueError(f"{text!r} is no integer") from None
    if (
        not number.is_finite()
        or number != number.to_integral_value()
        or number.adjusted() > _MOST_DIGITS
    ):
        raise ValueError(f"{text!r} is no integer")
    return int(number)


Whole = Annotated[
    int,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda texts: whole_number(texts[0]),
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda value: [str(value)],
    ),
]
"""An integer flag that takes 1e6 as well as 1000000."""


def print_record(
    sizes: Mapping[str, object],
    values: Mapping[str, object],
    notes: Mapping[str, str],
    as_json: bool,
) -> None:
    """A record: one JSON object, sizes first, or a table with one line per value and its note."""
    if as_json:
        print_json({"schema": SCHEMA, **sizes, **values})
        return
    for name, value in values.items():
        print(f"{name:<26}{_shown(value):>18}   {notes.get(name, 'exact')}".rstrip())


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        parts = (f"{name} = {_shown(part)}" for name, part in value.items() if part is not None)
        return ", ".join(parts)
    return f"{value:.10g}" if isinstance(value, float) else str(value)
