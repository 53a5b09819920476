"""What a panel is: tasks whose results become checks, a table, and a figure of that table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from simulate.jobs.checks import Check
from simulate.jobs.figure import Figure
from simulate.jobs.table import Point
from simulate.jobs.tasks import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

T = TypeVar("T")
R = TypeVar("R")  # what the panel's tasks return: a dataclass, or a union of them
P = TypeVar("P", bound=Point)


@dataclass(frozen=True)
class Effort:
    """How much to simulate: scales sample sizes and says how far direct counting goes.

    families: independent hash families of a direct estimate at n >= 5000 (see `families_for`).
    sets: inputs per direct estimate, at most.
    smallest_direct: smallest P_fail that is counted directly. unions: unions of a conditional
    estimate. planted: inputs of the float network with a planted failure; their weights are so
    skewed that intervals hold for tens of thousands only, or for none.
    """

    name: str
    families: int
    sets: int
    smallest_direct: float
    unions: int
    planted: int = 0

    def families_for(self, n: int) -> int:
        """Number of families: a small vocabulary's families differ more and cost less."""
        return self.families * min(100, max(1, 5000 // n))


QUICK = Effort("quick", families=32, sets=200_000, smallest_direct=1e-3, unions=30_000)
DEFAULT = Effort("default", families=64, sets=1_000_000, smallest_direct=1e-4, unions=200_000)
FULL = Effort(
    "full", families=256, sets=400_000_000, smallest_direct=1e-6, unions=2_000_000, planted=20_000
)


@dataclass(frozen=True)
class Panel(Generic[R, P]):
    """One claim, measured. `tasks` draw, `checks` judge, `table` holds the figure's numbers.

    name: the panel's id, and that of its figure. checks and table take the results of the tasks,
    in their order.
    """

    name: str
    caption: str
    tasks: Callable[[Effort], list[Task[R]]]
    checks: Callable[[Sequence[R]], list[Check]]
    table: Callable[[Sequence[R]], list[P]]
    draw: Callable[[Sequence[P]], Drawn]

    def figure(self, results: Sequence[R]) -> Figure:
        """The figure of these results."""
        return Figure(self.name, self.caption, self.table(results), self.draw)


def results_of(results: Sequence[object], kind: type[T]) -> list[T]:
    """Those of one type, of a panel whose tasks measure several things."""
    return [each for each in results if isinstance(each, kind)]
