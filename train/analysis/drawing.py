"""Figures drawn by worker processes, which start up while the analysis itself runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from functools import partial

from simulate.jobs.engines import open_pool
from simulate.jobs.figure import SCREEN_DPI, Figure, RenderedFigure

WORKERS = 2

Draw = Callable[[Sequence[Figure]], list[RenderedFigure]]


@contextmanager
def drawing(formats: Sequence[str]) -> Iterator[Draw]:
    """Yields what draws figures, in their order: each with its CSV and a file of each format.

    On one processor they are drawn in this process.
    """
    workers = min(WORKERS, os.cpu_count() or 1)
    with open_pool("serial" if workers == 1 else "processes", workers) as pool:
        for _ in range(workers if workers > 1 else 0):
            with suppress(BrokenExecutor):
                pool.executor.submit(_made_ready)

        def draw(figures: Sequence[Figure]) -> list[RenderedFigure]:
            one = partial(_drawn, formats=formats)
            try:
                return list(pool.executor.map(one, figures))
            except BrokenExecutor:  # where no process can be started, as from a script without main
                return [one(figure) for figure in figures]

        yield draw


def _made_ready() -> None:
    """Everything that drawing needs is loaded, which takes longer than to draw a few figures."""
    from simulate.jobs import style
    from train.analysis import report  # noqa: F401

    style.rendered(style.figure()[0], "png")


def _drawn(figure: Figure, formats: Sequence[str]) -> RenderedFigure:
    return figure.rendered(formats, SCREEN_DPI)
