"""The sweep engine: independent tasks, any executor, a ledger that survives the run.

Task i draws from SeedSequence(seed, spawn_key=(i,)), so its result depends on the seed and its
place in the list alone: not on the order of execution, the number of workers or the engine.
Every finished task is one line of JSON in the ledger, flushed and synced before the next; when
all are finished the lines are put in the tasks' order.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from simulate import output
from theory.domain import DomainError

if TYPE_CHECKING:
    from distributed import Client

Engine = Literal["serial", "processes", "dask"]
Result = dict[str, Any]

SCHEMA = 1
_MOST_DEATHS = 3
_SECONDS_TO_CONNECT = 10


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


class Ledger:
    """Finished results on disk: a header line, then one line {"task", "result"} each.

    Opening takes the operating system's lock on the file, so that two runs cannot share it.
    With `resume` the lines of an earlier run with the same header are kept, a torn last line is
    dropped; without it an earlier run is replaced. Raises DomainError when the folder cannot be
    written, another run holds the ledger, or the header differs.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], resume: bool) -> None:
        self.results: dict[str, Result] = {}
        self._path = path
        self._header = {"schema": SCHEMA, **header}
        self._lock = FileLock(path.with_suffix(".lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise DomainError(f"out must not be in use by another run; {path} is locked") from None
        except OSError as error:
            raise DomainError(f"out must be a folder that can be written; {error}") from None
        try:
            kept = self._read(path, json.loads(json.dumps(header))) if resume else b""
            self._file = path.open("wb" if not kept else "r+b")
        except BaseException:
            self._lock.release()
            raise
        try:
            if kept:
                self._file.truncate(len(kept))
                self._file.seek(len(kept))
            else:
                self._append(self._header)
        except BaseException:
            self.__exit__()
            raise

    def _read(self, path: Path, header: Mapping[str, Any]) -> bytes:
        """Load an earlier run's results; returns the bytes of its whole lines."""
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines(keepends=True)
        if not lines:
            return b""
        try:
            earlier = json.loads(lines[0])
        except ValueError:
            raise DomainError(
                f"out must not hold a foreign {path.name}; its first line is no header"
            ) from None
        if earlier != {"schema": SCHEMA, **header}:
            changed = [name for name in header if earlier.get(name) != header[name]] or ["schema"]
            raise DomainError(
                f"resume needs the configuration and seed of the earlier run; {path} differs in "
                f"{', '.join(changed)}"
            )
        kept = lines[0]
        for line in lines[1:]:
            try:
                record = json.loads(line)
                self.results[record["task"]] = record["result"]
            except (ValueError, KeyError, TypeError):
                break  # torn: this line and whatever follows it are redone
            kept += line
        return kept

    def _append(self, record: Mapping[str, Any]) -> None:
        line = _as_line(record)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def record(self, task: str, result: Result) -> None:
        """Append one finished task; it is on disk when this returns.

        Raises ValueError for a result that JSON cannot hold, such as NaN; nothing is then written.
        Raises OSError when the disk is full; what a torn line may then be left is dropped by
        `resume`.
        """
        self._append({"task": task, "result": result})
        # as a resumed run would read it, so that both continue from the same values
        self.results[task] = json.loads(json.dumps(result))

    def arrange(self, tasks: Iterable[str]) -> None:
        """Put the lines in this order, all at once: the file is the old or the new one."""
        lines = [_as_line(self._header)]
        for task in dict.fromkeys([*tasks, *self.results]):
            lines.append(_as_line({"task": task, "result": self.results[task]}))
        output.write_whole(self._path, b"".join(lines))
        self._file.close()
        self._file = self._path.open("ab")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a line whose writing has failed already
            self._file.close()
        self._lock.release()


def _as_line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, allow_nan=False).encode() + b"\n"


class SerialExecutor(Executor):
    """Runs each call at once in this process: the reference engine, and the one to debug with."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _leave_interrupts_to_driver() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _start_worker() -> None:
    """Leave Ctrl-C to the driver, and end with it, however it ends."""
    _leave_interrupts_to_driver()
    driver = parent_process()
    assert driver is not None

    def end_with_driver() -> None:
        wait_for_any([driver.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_driver, daemon=True).start()


def fingerprint(tasks: Sequence[Task]) -> str:
    """A digest of all names and arguments, for a ledger's header: what a resumed run must share."""
    listing = [[task.name, dict(task.arguments)] for task in tasks]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


@dataclass(frozen=True)
class Pool:
    """An executor as `run` needs it.

    most: calls to hand over at once, enough to keep all its workers busy; all of them may have to
    be repeated when a worker dies. deaths: how many workers died under a call, judged by the
    exception it ended with.
    """

    executor: Executor
    most: Callable[[], int]
    deaths: Callable[[BaseException | None], int]


def open_pool(
    engine: Engine, jobs: int, scheduler: str | None = None
) -> AbstractContextManager[Pool]:
    """Workers of that engine; leaving by an exception abandons what has not finished.

    scheduler: address of a running Dask cluster, which is used instead of `jobs` workers and left
    running. Raises DomainError as `check_engine` does, and when the scheduler is lost.
    """
    check_engine(engine, scheduler)
    if engine == "serial":
        return nullcontext(Pool(SerialExecutor(), lambda: 1, _breaks))
    # one BLAS/OpenMP thread per worker, read by the libraries when the worker starts
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    if engine == "processes":
        return _processes(jobs)
    return _local_dask(jobs) if scheduler is None else _running_dask(scheduler)


def _breaks(error: BaseException | None) -> int:
    return int(isinstance(error, BrokenExecutor))


@contextmanager
def _processes(jobs: int) -> Iterator[Pool]:
    executor = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_start_worker)
    try:
        # one waits for the next free worker
        yield Pool(executor, lambda: jobs + 1, _breaks)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.terminate()
        raise
    executor.shutdown()


@contextmanager
def _local_dask(jobs: int) -> Iterator[Pool]:
    import dask
    from distributed import Client, LocalCluster

    settings = {
        # the first death is reported, as with processes, so that `run` counts them all
        "distributed.scheduler.allowed-failures": 0,
        # Dask's malloc settings and its profiler halve the speed of numeric tasks
        "distributed.nanny.pre-spawn-environ": {},
        "distributed.worker.profile.enabled": False,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # its port, opened all the same
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_worker_callbacks(_leave_interrupts_to_driver)
        yield _pool_of(client)
        with suppress(TimeoutError):  # closed while it restarts, a worker leaves tracebacks
            client.wait_for_workers(jobs, timeout=_SECONDS_TO_CONNECT)


@contextmanager
def _running_dask(scheduler: str) -> Iterator[Pool]:
    from distributed import Client
    from distributed.utils import silence_logging_cmgr

    with (
        silence_logging_cmgr(logging.CRITICAL),
        Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False) as client,
    ):
        try:
            yield _pool_of(client)
        except CancelledError:
            raise DomainError(f"scheduler must stay within reach; {scheduler} was lost") from None


def _pool_of(client: Client) -> Pool:
    from distributed import KilledWorker

    def most() -> int:
        try:
            threads = sum(client.nthreads().values())
        except OSError:
            raise CancelledError from None  # as the calls under way are
        # one waits at each worker while a result and the next task travel
        return max(1, 2 * threads)

    def deaths(error: BaseException | None) -> int:
        return error.allowed_failures + 1 if isinstance(error, KilledWorker) else 0

    return Pool(client.get_executor(pure=False), most, deaths)


def check_engine(engine: Engine, scheduler: str | None = None) -> None:
    """Raise DomainError unless the engine is installed and its scheduler, if any, answers."""
    if engine == "dask":
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise DomainError('engine dask needs: pip install -e ".[dask]"') from None
    elif scheduler is not None:
        raise DomainError(f"scheduler must come with engine dask; got engine {engine}")
    if scheduler is None:
        return
    try:
        parts = urlsplit(scheduler)
        complete = bool(parts.scheme and parts.hostname and parts.port)
    except ValueError:
        complete = False
    if not complete:
        raise DomainError(f"scheduler must be an address like tcp://host:8786; got {scheduler}")
    try:
        with ThreadPoolExecutor(1) as thread:  # this one may be running an event loop already
            kind = thread.submit(asyncio.run, _kind_of_server(scheduler)).result()
    except Exception as error:  # whatever it is that answers at this address
        raise DomainError(
            f"scheduler must answer within {_SECONDS_TO_CONNECT} s; {scheduler}: {error!r}"
        ) from None
    if kind != "Scheduler":
        raise DomainError(f"scheduler must be a Dask scheduler; {scheduler} is a Dask {kind}")


async def _kind_of_server(address: str) -> str:
    """What Dask server this is; in limited time, which connecting a Client to it does not keep."""
    from distributed import rpc

    async with asyncio.timeout(_SECONDS_TO_CONNECT), rpc(address) as server:
        return (await server.identity())["type"]


def run(
    tasks: Sequence[Task],
    seed: int,
    ledger: Ledger,
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
    finished: SimpleQueue[Future[Result]] = SimpleQueue()

    def submit(task: Task) -> None:
        future = pool.executor.submit(task.run, seed, index[task.name])
        under_way[future] = task
        future.add_done_callback(finished.put)

    def settle(timeout: float | None = None) -> None:
        future = finished.get(timeout=timeout)
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
        with open_pool(engine, jobs, scheduler) as pool, suppress(BrokenExecutor):
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
