"""What every command shares: exit codes, one-line errors, JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

from theory.domain import DomainError

DONE = 0
CHECK_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


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
