"""The sweep: independent tasks on any engine, every finished one in the ledger.

Task i draws from SeedSequence(seed, spawn_key=(i,)), so its result depends on the seed and its
place in the list alone: not on the order of execution, the number of workers or the engine.
Every finished task is one line of JSON in the ledger, flushed and synced before the next; when
all are finished the lines are put in the tasks' order.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from simulate.jobs.engines import Engine, open_pool
from simulate.jobs.journal import Journal, Result

_MOST_DEATHS = 3


@dataclass(frozen=True)
class Task:
    """One piece of work: `function(rng, **arguments)`, returning what JSON can hold.

    name: unique within the sweep. function: importable at module level. cost: expected seconds,
    only used to start long tasks first and to tell the remaining time.
    """

    name: str
    function: Callable[..., Result]
    arguments: Mapping[str, Any]
    cost: float = 1.0

    def run(self, seed: int, index: int) -> Result:
        """The task's result, on one thread, from its own random stream."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        with threadpool_limits(1):
            return self.function(rng, **self.arguments)


class SweepError(RuntimeError):
    """Some tasks failed every attempt; the message names them. All others are in the ledger."""


def fingerprint(tasks: Sequence[Task]) -> str:
    """A digest of all names and arguments, for a ledger's header: what a resumed run must share."""
    listing = [[task.name, dict(task.arguments)] for task in tasks]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def distinct(tasks: Sequence[Task]) -> list[Task]:
    """Every task once, in order of first appearance; a name stands for one piece of work.

    Raises ValueError for two different tasks of one name.
    """
    found: dict[str, Task] = {}
    for task in tasks:
        if found.setdefault(task.name, task) != task:
            raise ValueError(f"two different tasks are called {task.name}")
    return list(found.values())


@contextmanager
def _interrupts_into(queue: SimpleQueue[Any]) -> Iterator[None]:
    """Ctrl-C puts None into the queue: raised in the middle of a submit it can upset an executor.

    Does nothing outside the main thread, which alone receives it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGINT, lambda *_: queue.put(None))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


@contextmanager
def progress_bar(tasks: Sequence[Task], ledger: Journal) -> Iterator[Callable[[Task], None]]:
    """A bar on standard error, where that is a terminal, by expected cost, for `run`."""
    from tqdm import tqdm

    with tqdm(
        total=sum(task.cost for task in tasks),
        initial=sum(task.cost for task in tasks if task.name in ledger.results),
        bar_format="{percentage:3.0f}%|{bar}| {elapsed}, about {remaining} left",
        smoothing=0,
        file=sys.stderr,
        disable=None,
    ) as bar:
        yield lambda task: bar.update(min(task.cost, bar.total - bar.n))


def run(
    tasks: Sequence[Task],
    seed: int,
    ledger: Journal,
    engine: Engine = "processes",
    jobs: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[Task], None] = lambda task: None,
) -> list[Result]:
    """Run every task that the ledger does not hold; returns all results in the tasks' order.

    A task whose worker dies may be innocent: it is repeated at the end, alone, and fails when it
    dies alone and three workers have died under it. Raises SweepError at the end, naming the tasks
    that failed; the exception of a failing task is its cause. Raises DomainError as `open_pool`
    does.
    """
    index = {task.name: place for place, task in enumerate(tasks)}
    if len(index) != len(tasks):
        raise ValueError("task names must be unique")
    longest_first = sorted(tasks, key=lambda task: -task.cost)
    pending = deque(task for task in longest_first if task.name not in ledger.results)
    suspects: deque[Task] = deque()
    deaths: Counter[str] = Counter()
    failed: dict[str, BaseException] = {}
    under_way: dict[Future[Result], Task] = {}
    finished: SimpleQueue[Future[Result] | None] = SimpleQueue()

    def submit(task: Task) -> None:
        future = pool.executor.submit(task.run, seed, index[task.name])
        under_way[future] = task
        future.add_done_callback(finished.put)

    def settle(timeout: float | None = None) -> None:
        future = finished.get(timeout=timeout)
        if future is None:
            raise KeyboardInterrupt
        task = under_way.pop(future)
        error = future.exception()
        result = {} if error else future.result()
        del future  # Dask then forgets the result, and does not repeat it when its worker dies
        if died := pool.deaths(error):
            alone = task.name in deaths
            deaths[task.name] += died
            if not alone or deaths[task.name] < _MOST_DEATHS:
                suspects.append(task)
                return
        if error is None:
            try:
                ledger.record(task.name, result)
            except ValueError as refused:
                error = refused
        if error is not None:
            failed[task.name] = error
        on_progress(task)

    while pending or suspects:
        # submit raises BrokenExecutor when a worker of a process pool has died
        with (
            open_pool(engine, jobs, scheduler) as pool,
            nullcontext() if engine == "serial" else _interrupts_into(finished),
            suppress(BrokenExecutor),
        ):
            while pending or suspects or under_way:
                queue, most = (pending, pool.most()) if pending else (suspects, 1)
                while queue and len(under_way) < most:
                    submit(queue[0])
                    queue.popleft()
                with suppress(Empty):  # and look for new workers now and then
                    settle(timeout=1.0)
        while under_way:
            settle()
    if failed:
        first = next(iter(failed.values()))
        raise SweepError(
            f"tasks failed: {'; '.join(f'{n} ({e!r})' for n, e in failed.items())}"
        ) from first
    ledger.arrange(index)
    return [ledger.results[task.name] for task in tasks]
