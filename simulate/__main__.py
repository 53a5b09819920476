"""`python -m simulate`: lists the commands of this package."""

from __future__ import annotations

from collections.abc import Sequence

from simulate import estimate, scaling
from theory import command_line


def listing() -> int:
    """List the commands; `--help` after one of them says more."""
    for command in (estimate, scaling):
        print((command.__doc__ or "").splitlines()[0].replace("`", ""))
    return command_line.DONE


def main(args: Sequence[str] | None = None) -> int:
    """Parse the command line, or `args`, and list."""
    return command_line.parsed(listing, "simulate", __doc__, args)


if __name__ == "__main__":
    command_line.run(main)
