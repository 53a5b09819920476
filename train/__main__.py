"""`python -m train`: lists the commands of this package."""

from __future__ import annotations

from collections.abc import Sequence

from theory import command_line
from train import analyse, benchmark, certify, organisms, run, study, survey, sweep, unembedding


def listing() -> int:
    """List the commands; `--help` after one of them says more."""
    for command in (run, sweep, study, survey, analyse, certify, organisms, benchmark, unembedding):
        print((command.__doc__ or "").splitlines()[0].replace("`", ""))
    return command_line.DONE


def main(args: Sequence[str] | None = None) -> int:
    """Parse the command line, or `args`, and list."""
    return command_line.parsed(listing, "train", __doc__, args)


if __name__ == "__main__":
    command_line.run(main)
