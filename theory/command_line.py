"""What every command shares: exit codes, one-line errors, JSON on standard output."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Annotated, Any, NoReturn

import tyro

from theory.domain import DomainError

SCHEMA = 1
DONE = 0
CHECK_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
# what is said of values that cannot be read, in plain words
_PLAIN = {
    r"^Error parsing ": "",
    r"\{None\}\|": "",
    r"no type matching .*? could be instantiated from \[(.*)\]": r"\1 cannot be read",
    r"invalid literal for int\(\) with base 10: (.*?)(;|$)": r"\1 is no integer\2",
    r"could not convert string to float: (.*?)(;|$)": r"\1 is no number\2",
    r"Expected 1 values": "Expected one value",
}
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


def parsed(
    command: Any,
    module: str,
    description: str | None,
    arguments: Sequence[str] | None = None,
    **options: Any,
) -> Any:
    """The command that the command line asks for. Exits with 0 after --help.

    command: a dataclass or function, or several, as `tyro.cli` takes them. module: what follows
    python -m. arguments: None for those of the process. options: further ones of `tyro.cli`.
    Raises DomainError, one line, for what cannot be read.
    """
    program = f"python -m {module}"
    if isinstance(command, type):  # its flags are named by its fields alone
        command = Annotated[command, tyro.conf.arg(name="")]
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                command, prog=program, description=description, args=arguments, **options
            )
    except SystemExit as ended:
        if ended.code != BAD_INPUT:
            raise
        raise DomainError(f"{_in_one_line(said.getvalue())}; see {program} --help") from None


def _in_one_line(box: str) -> str:
    """What tyro refuses, and what it expects or proposes instead, without the help texts."""
    # the box is drawn by lines of its own, or in ASCII where standard output takes nothing else
    lines = [line[2:].rstrip("│ ") for line in box.splitlines()[1:-1]]
    parts = [list(own) for rule, own in groupby(lines, _is_rule) if not rule]
    if not parts:  # no box
        return " ".join(box.split())
    refused, instead = parts[0], parts[1] if len(parts) > 2 else []
    if "Got errors:" in refused:  # one for each type that was tried
        refused = refused[: refused.index("Got errors:")]
    if instead and instead[0] == "Argument helptext:":
        instead = ["expected", *instead[1:2]]
    said = [
        " ".join(line.strip() for line in part if not line.startswith(8 * " ")).strip()
        for part in (refused, instead)
    ]
    text = "; ".join(re.sub(r"(?<!\.)\.$", "", part) for part in said if part)
    for pattern, plain in _PLAIN.items():
        text = re.sub(pattern, plain, text)
    return text


def _is_rule(line: str) -> bool:
    return bool(line) and not line.strip("─-")


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
