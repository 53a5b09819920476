"""The project's Sphinx extension: writes the generated pages, and reads plain docstrings."""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.application import Sphinx

from reports.docs.generate import (
    GENERATED,
    api,
    claims,
    commands,
    formulas,
    gallery,
    modules,
    schemas,
)

PARTS = (api, claims, commands, formulas, gallery, schemas)


def write_pages(app: Sphinx) -> None:
    """Write what the code says now; a page that is as it was keeps its date."""
    texts = {name: text for part in PARTS for name, text in part.pages().items()}
    for name, text in texts.items():
        path = GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    for path in GENERATED.rglob("*.*"):
        if path.is_file() and path.relative_to(GENERATED).as_posix() not in texts:
            path.unlink()


def as_rst(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """A plain docstring in reStructuredText: signs mean themselves, indented parts are kept."""
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    lines[:] = []
    for paragraph in filter(None, paragraphs):
        if paragraph[0].startswith(" "):
            lines += ["::", "", *(f"   {line}" for line in paragraph), ""]
        else:
            lines += [_escaped(" ".join(line.strip() for line in paragraph)), ""]


def _escaped(text: str) -> str:
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its other
        return re.sub(r"([\\*_|`])", r"\\\1", text)
    pieces[::2] = [re.sub(r"([\\*_|])", r"\\\1", piece) for piece in pieces[::2]]
    pieces[1::2] = [f"``{piece}``" for piece in pieces[1::2]]
    return _apart(pieces)


def _apart(pieces: list[str]) -> str:
    """Code and text put together, so that reStructuredText sees where the code ends."""
    text = pieces[0]
    for code, after in zip(pieces[1::2], pieces[2::2], strict=True):
        before = "" if not text or text[-1] in " (" else r"\ "
        behind = r"\ " if after[:1].isalnum() or after[:1] == "\\" else ""
        text += before + code + behind + after
    return text


def skip(
    app: Sphinx, what: str, name: str, obj: object, skipped: bool, options: Any
) -> bool | None:
    """Leave out module constants that nothing is said of, and the machinery of dataclasses."""
    if what == "module" and not callable(obj):
        return True
    return None


def link_types(app: Sphinx, doctree: nodes.document) -> None:
    """Types in signatures link to their pages where their name is that of one class alone.

    Sphinx would search all names for each of them, which takes minutes.
    """
    known = classes()
    for signature in doctree.findall(addnodes.desc_signature):
        for link in list(signature.findall(addnodes.pending_xref)):
            homes = known.get(link["reftarget"].rsplit(".", 1)[-1], [])
            if len(homes) == 1:
                link["reftarget"], link["refspecific"] = homes[0], False
            else:
                link.replace_self(_shown(link))


def _shown(link: addnodes.pending_xref) -> list[nodes.Node]:
    """What a link shows where it leads nowhere: of two forms, the one without the module."""
    for child in link.children:
        if isinstance(child, addnodes.pending_xref_condition) and child["condition"] == "resolved":
            return child.children
    return link.children


@cache
def classes() -> dict[str, list[str]]:
    """Where the public classes are, by their names alone."""
    found = defaultdict(list)
    for name in modules.documented():
        module = importlib.import_module(name)
        for each in modules.public_names(module):
            if getattr(module, each).__module__ == name:
                found[each].append(f"{name}.{each}")
    return found


def _spaced(latex: str) -> str:
    """With the thin spaces around a named function or quantity that TeX sets by itself."""
    latex = re.sub(r"(?<=[A-Za-z0-9}]) *(?=\\(?:ln|mathrm|operatorname)\b)", r"\\, ", latex)
    return re.sub(r"\\ln (?=[A-Za-z0-9\\])(?!\\left)", r"\\ln \\, ", latex)


def visit_math(self: Any, node: Any) -> None:
    """A formula in the text, as MathML, which browsers set by themselves."""
    self.body.append(convert(_spaced(node.astext())))
    raise nodes.SkipNode


def visit_math_block(self: Any, node: Any) -> None:
    """A displayed formula, one line for each row."""
    rows = re.split(r"\\\\(?=\s)", node.astext().strip())
    shown = "".join(convert(_spaced(row.strip()), display="block") for row in rows)
    self.body.append(f'<div class="math">{shown}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> Mapping[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", as_rst)
    app.connect("autodoc-skip-member", skip)
    app.connect("doctree-read", link_types)
    app.add_html_math_renderer(
        "mathml", inline_renderers=(visit_math, None), block_renderers=(visit_math_block, None)
    )
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
