"""Where a sweep's tasks run: in this process, in worker processes, or on a Dask cluster.

An engine is a `Pool`: an executor, how many calls it wants at once, and how it tells of a worker
that died.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
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
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from theory.domain import DomainError

if TYPE_CHECKING:
    from distributed import Client

Engine = Literal["serial", "processes", "dask"]

_SECONDS_TO_CONNECT = 10


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
            raise DomainError(
                f"scheduler must stay within reach; {scheduler} was lost: "
                "--resume goes on from here"
            ) from None


def _pool_of(client: Client) -> Pool:
    from distributed import KilledWorker

    def most() -> int:
        try:
            threads: int = sum(client.nthreads().values())
        except OSError:
            raise CancelledError from None  # as the calls under way are
        # one waits at each worker while a result and the next task travel
        return max(1, 2 * threads)

    def deaths(error: BaseException | None) -> int:
        return int(error.allowed_failures) + 1 if isinstance(error, KilledWorker) else 0

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
            f"scheduler must be a Dask scheduler that answers within {_SECONDS_TO_CONNECT} s; "
            f"{scheduler}: {error!r}"
        ) from None
    if kind != "Scheduler":
        raise DomainError(f"scheduler must be a Dask scheduler; {scheduler} is a Dask {kind}")


async def _kind_of_server(address: str) -> str:
    """What Dask server this is; in limited time, which connecting a Client to it does not keep."""
    from distributed import rpc

    async with asyncio.timeout(_SECONDS_TO_CONNECT), rpc(address) as server:
        return str((await server.identity())["type"])
