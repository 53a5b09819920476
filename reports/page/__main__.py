"""`python -m reports.page`: the interactive page alone, as one HTML file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from theory import command_line
from theory.domain import DomainError


@dataclass(frozen=True)
class Page:
    """Write the interactive page: one HTML file that opens from disk and asks for nothing."""

    out: Path
    """The HTML file to write."""
    network: Path | None = None
    """A trained network to run in it: safetensors with k and c as metadata."""

    def run(self) -> int:
        if not self.out.parent.is_dir():
            raise DomainError(f"out must be a file in an existing folder; got {self.out}")
        from simulate.jobs.output import write_whole

        text = self._text()
        write_whole(self.out, text)
        print(f"{self.out}: {len(text.encode()) / 1e3:.0f} kB", file=sys.stderr)
        return command_line.DONE

    def _text(self) -> str:
        try:
            from reports.page import build

            if self.network is None:
                return build()
            from train.reading import weights

            return build(weights.load(self.network), source=f"Network: {self.network.name}.")
        except ModuleNotFoundError as missing:
            raise DomainError(
                f'{missing.name} is not installed: pip install -e ".[report,train]"'
            ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and write the page."""
    return command_line.parsed(Page, "reports.page", __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
