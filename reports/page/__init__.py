"""The interactive page: one self-contained HTML file, computed in the browser that opens it."""

from reports.page.build import build

__all__ = ["build"]
