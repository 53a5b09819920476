"""Independent tasks on any engine, every finished one in the journal.

Task i draws from SeedSequence(seed, spawn_key=(i,)), so its result depends on the seed and its
place in the list alone: not on the order of execution, the number of workers or the engine.
Every finished task is one line of JSON in the journal, flushed and synced before the next; when
all are finished the lines are put in the tasks' order.
"""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from inspect import unwrap
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, get_type_hints

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from simulate.jobs.engines import Engine, open_pool
from simulate.jobs.journal import Journal

_MOST_DEATHS = 3


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Task(Generic[T_co]):
    """One piece of work: `function(rng, **arguments)`, whose result JSON can hold.

    name: unique among the tasks of a run. function: importable at module level; what its annotation
    says that it returns, a dataclass for instance, `run` makes of the journal's JSON again.
    cost: expected seconds, only used to start long tasks first and to tell the remaining time.
    """

    name: str
    function: Callable[..., T_co]
    arguments: Mapping[str, Any]
    cost: float = 1.0

    def run(self, seed: int, index: int) -> object:
        """The task's result as plain data, on one thread, from its own random stream."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        with threadpool_limits(1):
            return msgspec.to_builtins(self.function(rng, **self.arguments))

    def typed(self, plain: object) -> T_co:
        """The result that this plain data is of."""
        function = self.function
        while isinstance(function, partial):
            function = function.func
        function = unwrap(function)  # a decorator's names are not those of the annotations
        # of the annotations only this one: others may name what is not imported at run time
        returned = SimpleNamespace(__annotations__={"of": function.__annotations__["return"]})
        kind = get_type_hints(returned, function.__globals__)["of"]
        result: T_co = msgspec.convert(plain, kind)
        return result


class SweepError(RuntimeError):
    """Some tasks failed every attempt; the message names them. All others are in the journal."""


def fingerprint(tasks: Sequence[Task[Any]]) -> str:
    """A digest of all names and arguments, for a journal's header: a resumed run must share it."""
    listing = [[task.name, msgspec.to_builtins(dict(task.arguments))] for task in tasks]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def distinct(tasks: Sequence[Task[Any]]) -> list[Task[Any]]:
    """Every task once, in order of first appearance; a name stands for one piece of work.

    Raises ValueError for two different tasks of one name.
    """
    found: dict[str, Task[Any]] = {}
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


def run(
    tasks: Sequence[Task[T]],
    seed: int,
    journal: Journal,
    engine: Engine = "processes",
    jobs: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[Task[Any]], None] = lambda task: None,
) -> list[T]:
    """Run every task that the journal does not hold; returns all results in the tasks' order.

    A task whose worker dies may be innocent: it is repeated at the end, alone, and fails when it
    dies alone and three workers have died under it. Raises SweepError at the end, naming the tasks
    that failed; the exception of a failing task is its cause. Raises DomainError as `open_pool`
    does.
    """
    index = {task.name: place for place, task in enumerate(tasks)}
    if len(index) != len(tasks):
        raise ValueError("task names must be unique")
    longest_first = sorted(tasks, key=lambda task: -task.cost)
    pending: deque[Task[T]] = deque(
        task for task in longest_first if task.name not in journal.results
    )
    suspects: deque[Task[T]] = deque()
    deaths: Counter[str] = Counter()
    failed: dict[str, BaseException] = {}
    under_way: dict[Future[object], Task[T]] = {}
    finished: SimpleQueue[Future[object] | None] = SimpleQueue()

    def submit(task: Task[T]) -> None:
        future = pool.executor.submit(task.run, seed, index[task.name])
        under_way[future] = task
        future.add_done_callback(finished.put)

    def settle(timeout: float | None = None) -> None:
        future = finished.get(timeout=timeout)
        if future is None:
            raise KeyboardInterrupt
        task = under_way.pop(future)
        error = future.exception()
        result = None if error else future.result()
        del future  # Dask then forgets the result, and does not repeat it when its worker dies
        if died := pool.deaths(error):
            alone = task.name in deaths
            deaths[task.name] += died
            if not alone or deaths[task.name] < _MOST_DEATHS:
                suspects.append(task)
                return
        if error is None:
            try:
                journal.record(task.name, result)
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
    journal.arrange(index)
    return [task.typed(journal.results[task.name]) for task in tasks]
