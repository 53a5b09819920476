"""What one opens: an analysis as one page of HTML, and its numbers as a table.

The page holds everything itself, styles and pictures too, so that it can be sent on.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from simulate.jobs.figure import RenderedFigure
from simulate.jobs.intervals import Estimate
from simulate.jobs.output import as_plain
from theory.domain import DomainError
from train.analysis.record import Analysis
from train.analysis.summary import UNCOMPARED, answer, parts_of, summary

if TYPE_CHECKING:
    import pandas as pd

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2.2rem 0 .5rem}
.verdict{font-size:1.5rem;font-weight:600;margin:0 0 1rem}
table{border-collapse:collapse;margin:.6rem 0}
td,th{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0}
td.number{font-variant-numeric:tabular-nums;white-space:nowrap}
tr+tr{border-top:1px solid #8884}
figure{margin:2rem 0}figcaption{margin:0 0 .5rem;max-width:44rem}
figure img{max-width:100%;height:auto;background:#fff}
pre{overflow-x:auto;font-size:.85rem}
"""
_HEADLINES = (
    ("failure rate", "failure_rate", "share of inputs with less than half-way mass on members"),
    (
        "false positives per input",
        "false_positive_rate_per_input",
        "share of inputs with a non-member at or above a member",
    ),
    (
        "covered inputs",
        "mechanistic_failure_rate",
        "share of inputs whose masks cover a non-member",
    ),
    ("total variation", "total_variation", "distance from the uniform output over the members"),
    ("KL", "kl", "nats"),
)


def page(record: Analysis, figures: Sequence[RenderedFigure], tables: bool = True) -> str:
    """The whole page: the verdict, its three parts, the main numbers, figures and exceptions.

    figures: with a PNG or an SVG each. tables: whether links to the figures' CSV files are given.
    """
    title = f"Analysis of {record.checkpoint}"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"{''.join(_body(record))}"
        f"<h2>Figures</h2>{''.join(_figure(each, tables) for each in figures)}"
        f"<h2>The summary as text</h2><pre>{escape(chr(10).join(summary(record)))}</pre>"
        "</main></body></html>\n"
    )


def _body(record: Analysis) -> Iterator[str]:
    sizes = ", ".join(f"{name} = {getattr(record, name)}" for name in "nkdh")
    said = answer(record)
    yield f"<h1>{escape(record.checkpoint)}</h1><p>{sizes}, c = {record.c:g}</p>"
    yield f'<p class="verdict">{escape(said[0].upper() + said[1:])}.</p><table>'
    for name, holds, why in parts_of(record):
        yield (
            f'<tr><th scope="row">{name}</th><td>{"holds" if holds else "fails"}</td>'
            f"<td>{escape(why)}</td></tr>"
        )
    yield "</table>"
    if not record.compared:
        yield f"<p>{UNCOMPARED}</p>"
    yield "<h2>Main numbers, with 95 % intervals</h2><table>"
    for label, name, meaning in _HEADLINES:
        found: Estimate | None = getattr(record, name)
        value = "no meaning without masks"
        if found is not None:
            low, high = found.interval
            value = f"{found.value:.5g} [{low:.5g}, {high:.5g}]"
        yield f'<tr><th scope="row">{label}</th><td class="number">{value}</td>'
        yield f"<td>{meaning}</td></tr>"
    yield "</table><h2>Exceptions</h2>"
    odd = record.exceptions
    yield f"<p>{odd.unit_count} units and {odd.token_count} tokens are unlike the others.</p><ul>"
    yield from (f"<li>{escape(each)}</li>" for each in odd.network)
    yield from (f"<li>unit {e.unit}: {escape('; '.join(e.why))}</li>" for e in odd.units[:20])
    yield from (f"<li>token {e.token}: {escape('; '.join(e.why))}</li>" for e in odd.tokens[:20])
    yield "</ul>"


def _figure(figure: RenderedFigure, tables: bool) -> str:
    """The sentence, then the picture that supports it."""
    entry = figure.entry
    picture = next((name for name in figure.files if name.endswith((".png", ".svg"))), None)
    drawn = ""
    if picture is not None:
        kind = "png" if picture.endswith(".png") else "svg+xml"
        data = base64.b64encode(figure.files[picture]).decode()
        drawn = f'<img alt="{escape(entry.id)}" src="data:image/{kind};base64,{data}">'
    link = f' <a href="{escape(entry.files[0])}">Numbers</a>' if tables else ""
    return (
        f'<figure id="{escape(entry.id)}"><figcaption>{escape(entry.caption)}{link}</figcaption>'
        f"{drawn}</figure>"
    )


def notebook(record: Analysis, figures: Sequence[RenderedFigure]) -> str:
    """Verdict, numbers and figures as HTML without a head."""
    return "".join(_body(record)) + "".join(_figure(each, False) for each in figures)


def measured_rows(record: Analysis) -> list[dict[str, object]]:
    """Every `Estimate` in the record: its place, and its fields."""
    rows: list[dict[str, object]] = []

    def walk(value: object, at: str) -> None:
        if isinstance(value, dict):
            if {"value", "interval", "confidence"} <= value.keys():
                low, high = value["interval"]
                rest = {name: of for name, of in value.items() if name != "interval"}
                rows.append({"number": at, **rest, "low": low, "high": high})
                return
            for name, of in value.items():
                walk(of, f"{at}.{name}" if at else name)
        elif isinstance(value, list | tuple):
            for place, of in enumerate(value):
                walk(of, f"{at}[{place}]")

    walk(as_plain(record), "")
    return rows


def data_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """The rows as a data frame; DomainError, in one line, where pandas is missing."""
    try:
        import pandas
    except ImportError:
        raise DomainError('pandas must be installed: pip install -e ".[notebook]"') from None
    return pandas.DataFrame([*rows])
