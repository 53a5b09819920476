"""Templates filled with values that must all be there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape


def render(template: Path, html: bool, **values: Any) -> str:
    """The text of a template file; in HTML, values are escaped."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_subscripts"] = with_subscripts
    return environment.get_template(template.name).render(**values)


def with_subscripts(text: str) -> Markup:
    """HTML of a plain text in which W_E, P_fail and the like are letters with subscripts."""
    return Markup(
        re.sub(r"\b([A-Za-zκ])_([A-Za-z]+)\b", r"<var>\1</var><sub>\2</sub>", str(escape(text)))
    )
