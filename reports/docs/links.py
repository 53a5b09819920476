"""`python -m reports.docs.links SITE`: every link inside the built site leads somewhere.

Exit code 0 when all do, 1 when one does not, 2 where there is no site.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import tyro

from theory import command_line
from theory.domain import DomainError

_NAMES = {"href", "src"}


@dataclass
class _Page(HTMLParser):
    """What a page points to, and the places in it that can be pointed to."""

    targets: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            elif name in _NAMES and value and tag != "base":
                self.targets.append(value)


@cache
def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8"))
    return page


def broken(site: Path) -> Iterator[tuple[Path, str]]:
    """Every link to a file or a place that is not there: the page, and where it points."""
    for path in sorted(site.rglob("*.html")):
        for target in dict.fromkeys(_read(path).targets):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = path if not parts.path else path.parent / unquote(parts.path)
            to = to / "index.html" if to.is_dir() else to
            missing = not to.is_file()
            if not missing and parts.fragment and to.suffix == ".html":
                missing = unquote(parts.fragment) not in _read(to.resolve()).places
            if missing:
                yield path, target


@dataclass(frozen=True)
class Links:
    """Check every link inside a built site."""

    site: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SITE")]
    """The folder of the built site."""

    def run(self) -> int:
        if not (self.site / "index.html").is_file():
            raise DomainError(
                f"site must be the folder of a built site (make docs); got {self.site}"
            )
        found = list(broken(self.site))
        for path, target in found:
            print(f"{path.relative_to(self.site)}: {target} leads nowhere", file=sys.stderr)
        pages = sum(1 for _ in self.site.rglob("*.html"))
        print(f"{pages} pages, {len(found)} broken links", file=sys.stderr)
        return command_line.CHECK_FAILED if found else command_line.DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and check."""
    return command_line.parsed(Links, "reports.docs.links", __doc__, arguments).run()


if __name__ == "__main__":
    command_line.run(main)
