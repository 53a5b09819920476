"""The ledger for people: Markdown for a repository, a section of HTML for the page."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.ledger import Row, Verdict
from reports.numbers import power_of_ten
from reports.results import Figure, Results
from reports.templating import render
from simulate.jobs import figure
from simulate.jobs.checks import NOMINAL_LEVEL
from simulate.jobs.figure import FigureEntry
from simulate.jobs.intervals import DRAWN_CONFIDENCE
from train.training.presets import PRESETS

# what both templates say of how numbers were made
_SAID = {
    "recipe": PRESETS["source"],
    "drawn": f"{100 * DRAWN_CONFIDENCE:.0f} %",
    "level": power_of_ten(NOMINAL_LEVEL),
}
_TEMPLATES = Path(__file__).parent / "templates"
# the verdicts' classes in the page
_MARKS = {
    Verdict.CONFIRMED: "confirmed",
    Verdict.LIMITED: "limited",
    Verdict.REFUTED: "refuted",
    Verdict.ANSWERED: "confirmed",
    Verdict.PARTLY: "limited",
    Verdict.OPEN: "open",
    Verdict.MISSING: "missing",
}


@dataclass(frozen=True)
class Section:
    """A row of the ledger as the templates see it. mark: the class of its verdict in the page."""

    row: Row

    @property
    def mark(self) -> str:
        return _MARKS[self.row.verdict]

    @property
    def anchor(self) -> str:
        """That of its heading, as GitHub makes it."""
        heading = f"{self.row.key}. {self.row.title}".lower()
        return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def markdown(rows: Sequence[Row], missing: Sequence[str]) -> str:
    """claims.md, with figures as files below figures/. missing: commands."""
    text = render(
        _TEMPLATES / "claims.md.j2",
        False,
        sections=[Section(row) for row in rows],
        missing=missing,
        summary=summary(rows),
        **_SAID,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def section(rows: Sequence[Row]) -> str:
    """The claims' section of the page, with the figures inside it."""
    return render(
        _TEMPLATES / "claims.html.j2",
        True,
        sections=[Section(row) for row in rows],
        summary=summary(rows),
        **_SAID,
        packed=_packed,
    )


def summary(rows: Sequence[Row]) -> str:
    """How many claims have which verdict, in one sentence."""
    verdicts = [row.verdict for row in rows]
    counted = [f"{verdicts.count(each)} {each}" for each in _MARKS if each in verdicts]
    return f"Of {len(rows)} claims and questions: {', '.join(counted)}."


def verdicts(rows: Sequence[Row]) -> str:
    """A table of Markdown: every claim, its verdict and how the finding begins."""
    lines = ["| | claim | verdict | what was found |", "|---|---|---|---|"]
    lines += [
        f"| {row.key} | {row.title} | {row.judged} | {first_sentence(row.finding)} |"
        for row in rows
    ]
    return "\n".join(lines)


def first_sentence(text: str) -> str:
    """Up to the first full stop before a capital letter; all of it where there is none."""
    return re.split(r"(?<=\.) (?=[A-Z])", text, maxsplit=1)[0]


def figures_page(figures: Sequence[Figure], results: Results) -> str:
    """figures.md, with figures as files below figures/, and the command that made each."""
    entries = {
        FigureEntry(
            f"{each.job.folder}: {each.name}",
            each.caption,
            tuple(f"figures/{each.file_name}{path.suffix}" for path in (each.csv, each.svg)),
        ): results.command(each.job)
        for each in figures
    }
    return figure.figures_page("Figures", entries, lambda entry: f"; `{entries[entry]}`")


def _packed(figure: Figure) -> str:
    """Its picture, compressed, in base64."""
    return base64.b64encode(gzip.compress(figure.svg.read_bytes(), 9, mtime=0)).decode()
