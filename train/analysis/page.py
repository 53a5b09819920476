"""What one opens: an analysis as one page of HTML, and its numbers as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from train.analysis.record import Analysis
    from train.analysis.report import Report


def measured_table(record: Analysis) -> pd.DataFrame:
    raise NotImplementedError


def notebook(report: Report) -> str:
    raise NotImplementedError
