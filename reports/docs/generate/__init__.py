"""Generators of the pages that depend on the code; none of them needs Sphinx.

Each module has a function `pages()`: the text of every page by its path below
reports/docs/generated, where `extension` writes them whenever the site is built.
"""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parents[1]
GENERATED = DOCS / "generated"
EVIDENCE = ROOT / "reports" / "evidence"
PACKAGES = ("theory", "simulate", "train", "reports")

Pages = dict[str, str]


def cell(text: str) -> str:
    """The text inside a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", r"\|")


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def toctree(documents: list[str], depth: int = 1, hidden: bool = False) -> str:
    """A table of contents of documents beside the one that it stands in."""
    options = [f":maxdepth: {depth}", *([":hidden:"] if hidden else [])]
    return "\n".join(["```{toctree}", *options, "", *documents, "```", ""])
