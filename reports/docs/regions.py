"""`python -m reports.docs.regions`: write anew what the written pages say of the saved results.

A page has such text between two comments, <!-- NAME --> and <!-- /NAME -->, so that its source
can be read without building the site. `make evidence` ends with this command; a test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence

from reports import render
from reports.claims import CLAIMS
from reports.docs.generate import DOCS, benchmark, coverage, jobs
from reports.docs.generate.gallery import saved
from reports.ledger import ledger
from simulate.jobs.output import write_whole
from theory import command_line, comparison

_REGION = re.compile(r"(<!-- (\w+) -->\n\n).*?(\n\n<!-- /\2 -->)", re.DOTALL)

REGIONS: Mapping[str, Callable[[], str]] = {
    "verdicts": lambda: render.verdicts(ledger(CLAIMS, saved())),
    "rivals": lambda: comparison.as_markdown(4096, 8, 1e-6),
    "benchmark": benchmark.findings,
    "jobs": jobs.overview,
    "coverage": coverage.overview,
}


def filled(text: str) -> str:
    """The page with what its regions have to say now."""
    return _REGION.sub(lambda found: found[1] + REGIONS[found[2]]().strip() + found[3], text)


def without(text: str) -> str:
    """The page without its regions."""
    return _REGION.sub("", text)


def write() -> int:
    """Write every page that changes."""
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text("utf-8")
        if (made := filled(text)) != text:
            write_whole(path, made)
            print(path, file=sys.stderr)
    return command_line.DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, which has no options, and write."""
    code: int = command_line.parsed(write, "reports.docs.regions", __doc__, arguments)
    return code


if __name__ == "__main__":
    command_line.run(main)
