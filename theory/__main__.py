"""`python -m theory rates | width | capacity | rivals | derive`: exact numbers and derivations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from theory import command_line
from theory.commands.derive import Derive
from theory.commands.rates import Rates
from theory.commands.rivals import Capacity, Rivals
from theory.commands.width import Width

Command = (
    Annotated[Rates, tyro.conf.subcommand("rates")]
    | Annotated[Width, tyro.conf.subcommand("width")]
    | Annotated[Capacity, tyro.conf.subcommand("capacity")]
    | Annotated[Rivals, tyro.conf.subcommand("rivals")]
    | Annotated[Derive, tyro.conf.subcommand("derive")]
)
OFFERED = {"rates": Rates, "width": Width, "capacity": Capacity, "rivals": Rivals, "derive": Derive}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run the chosen command; without one, list what there is."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given:
        print(f"{__doc__}\n")
        for name, offered in OFFERED.items():
            print(f"  {name:<10}{(offered.__doc__ or '').splitlines()[0]}")
        print("\npython -m theory COMMAND --help says what each takes.")
        return command_line.DONE
    code: int = command_line.parsed(Command, "theory", __doc__, given).run()
    return code


if __name__ == "__main__":
    command_line.run(main)
