"""Signs of life on standard error: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

SECONDS_BETWEEN_LINES = 10.0


class Advance(Protocol):
    """Tells that a piece of work is done, and in a few words how it stands."""

    def __call__(self, piece: float, standing: str = "") -> None: ...


@contextmanager
def progress(total: float, done: float = 0.0, what: str = "") -> Iterator[Advance]:
    """Yields a function to call with each piece of work done, in the unit of `total`.

    total: all work, for instance expected seconds. done: what an earlier run has done of it.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(
            total=total,
            initial=done,
            desc=what or None,
            bar_format="{desc}{percentage:3.0f}%|{bar}| {elapsed}, about {remaining} left{postfix}",
            smoothing=0,
            file=sys.stderr,
        ) as bar:

            def update(piece: float, standing: str = "") -> None:
                bar.set_postfix_str(standing, refresh=False)
                bar.update(min(piece, bar.total - bar.n))

            yield update
        return
    started = shown = time.monotonic()
    reached = done
    label = f"{what}: " if what else ""

    def line(piece: float, standing: str = "") -> None:
        nonlocal reached, shown
        reached += piece
        now = time.monotonic()
        if now - shown >= SECONDS_BETWEEN_LINES:
            shown = now
            spent = now - started
            left = spent * max(total - reached, 0.0) / max(reached - done, 1e-9)
            share = min(reached / total, 1.0) if total else 1.0
            print(
                f"{label}{share:.0%} done, {spent:.0f} s, about {left:.0f} s left"
                f"{'; ' if standing else ''}{standing}",
                file=sys.stderr,
                flush=True,
            )

    yield line
