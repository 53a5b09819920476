"""Plain texts of the code, as Markdown in which every sign means itself."""

from __future__ import annotations

import re

# roles, code and links, which are Markdown already
_MARKED = re.compile(r"(\{[a-z:]+\}`[^`]*`|`[^`]*`|\[[^\]]*\]\([^)]*\))")
_SIGNS = re.compile(r"([\\*_<>$\[\]|{}#~^])")


def plain(text: str) -> str:
    """Plain text in Markdown; roles, links and what stands between backticks are left alone."""
    pieces = _MARKED.split(text)
    pieces[::2] = [_SIGNS.sub(r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def with_formulas(text: str) -> str:
    """The same, where formulas between dollar signs are LaTeX already."""
    pieces = text.split("$")
    pieces[::2] = [plain(piece) for piece in pieces[::2]]
    return "$".join(pieces)
