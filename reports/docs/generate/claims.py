"""The ledger of claims, as the report has it."""

from __future__ import annotations

import os
import re

from reports import render
from reports.claims import CLAIMS
from reports.docs.generate import GENERATED, Pages
from reports.docs.generate.gallery import saved
from reports.ledger import ledger


def pages() -> Pages:
    """claims.md, its figures those of the saved results."""
    results = saved()
    text = render.markdown(ledger(CLAIMS, results), [])
    for figure in results.figures():
        for path in (figure.svg, figure.csv):
            local = f"figures/{figure.file_name}{path.suffix}"
            text = text.replace(f"({local})", f"({os.path.relpath(path, GENERATED)})")
    return {"claims.md": re.sub(r"^# .*", "# The ledger of claims", text, count=1)}
