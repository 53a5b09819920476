"""The ledger for people: Markdown for a repository, a section of HTML for the page."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.ledger import ANSWERED, CONFIRMED, LIMITED, MISSING, OPEN, PARTLY, REFUTED, Row
from reports.results import Figure
from reports.templating import render

_TEMPLATES = Path(__file__).parent / "templates"
# the verdicts' classes in the page
_MARKS = {
    CONFIRMED: "confirmed",
    LIMITED: "limited",
    REFUTED: "refuted",
    ANSWERED: "confirmed",
    PARTLY: "limited",
    OPEN: "open",
    MISSING: "missing",
}


def markdown(rows: Sequence[Row], missing: Mapping[str, str]) -> str:
    """claims.md, with figures as files below figures/. missing: commands by job."""
    text = render(
        _TEMPLATES / "claims.md.j2",
        False,
        rows=[_plain(row) for row in rows],
        missing=missing,
        summary=summary(rows),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def section(rows: Sequence[Row]) -> str:
    """The claims' section of the page, with the figures inside it."""
    return render(
        _TEMPLATES / "claims.html.j2",
        True,
        rows=[_plain(row) for row in rows],
        summary=summary(rows),
    )


def summary(rows: Sequence[Row]) -> str:
    """How many claims have which verdict, in one sentence."""
    verdicts = [row.verdict for row in rows]
    counted = [f"{verdicts.count(each)} {each}" for each in _MARKS if each in verdicts]
    return f"Of {len(rows)} claims and questions: {', '.join(counted)}."


def verdicts(rows: Sequence[Row]) -> str:
    """A table of Markdown: every claim and its verdict, as the README has it."""
    lines = ["| | claim | verdict |", "|---|---|---|"]
    lines += [f"| {row.key} | {row.title} | {row.verdict} |" for row in rows]
    return "\n".join(lines)


def file_name(figure: Figure) -> str:
    """A figure's name among those of all jobs."""
    return f"{figure.job}_{figure.name}".replace("/", "_")


def figures_page(figures: Sequence[Figure], commands: Mapping[str, str]) -> str:
    """Markdown with every figure, its caption, numbers and command."""
    sections = ["# Figures\n\nEach with the CSV of its numbers and the command that makes it.\n"]
    for figure in figures:
        name = file_name(figure)
        sections.append(
            f"## {figure.job}: {figure.name}\n\n![{figure.name}](figures/{name}.svg)\n\n"
            f"{figure.caption}\n\n[Numbers](figures/{name}.csv); `{commands[figure.job]}`\n"
        )
    return "\n".join(sections)


def _plain(row: Row) -> dict[str, Any]:
    figures = [
        {
            "name": figure.name,
            "file": file_name(figure),
            "caption": figure.caption,
            "data": base64.b64encode(figure.svg.read_bytes()).decode(),
        }
        for figure in row.figures
    ]
    anchor = re.sub(r"[^\w\- ]", "", f"{row.key}. {row.title}".lower()).replace(" ", "-")
    return {**vars(row), "figures": figures, "mark": _MARKS[row.verdict], "anchor": anchor}
