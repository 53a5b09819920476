"""The sweep engine: independent tasks, any executor, a ledger that survives the run.

Task i draws from SeedSequence(seed, spawn_key=(i,)), so its result depends on the seed and its
place in the list alone: not on the order of execution, the number of workers or the engine.
Every finished task is one line of JSON in the ledger, flushed and synced before the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits

from theory.domain import DomainError

Engine = Literal["serial", "processes"]
Result = dict[str, Any]

SCHEMA = 1
_MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Task:
    """One piece of work: `function(rng, **arguments)`, returning what JSON can hold.

    name: unique within the sweep. function: importable at module level. cost: expected seconds,
    only used to start long tasks first.
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
            if kept:
                self._file.truncate(len(kept))
                self._file.seek(len(kept))
            else:
                self._append({"schema": SCHEMA, **header})
        except BaseException:
            self._lock.release()
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
        self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def record(self, task: str, result: Result) -> None:
        """Append one finished task; it is on disk when this returns.

        Raises ValueError for a result that JSON cannot hold, such as NaN; nothing is then written.
        """
        self._append({"task": task, "result": result})
        # as a resumed run would read it, so that both continue from the same values
        self.results[task] = json.loads(json.dumps(result))

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._lock.release()


class SerialExecutor(Executor):
    """Runs each call at once in this process: the reference engine, and the one to debug with."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _start_worker() -> None:
    """Leave Ctrl-C to the driver, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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


@contextmanager
def open_executor(engine: Engine, jobs: int) -> Iterator[Executor]:
    """An executor of that engine; leaving by an exception abandons what has not started."""
    executor: Executor
    if engine == "serial":
        executor = SerialExecutor()
    else:
        # one BLAS/OpenMP thread per worker, read by the libraries when the worker starts
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(variable, "1")
        context = get_context("spawn")
        executor = ProcessPoolExecutor(jobs, context, initializer=_start_worker)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.terminate()
        raise
    executor.shutdown()


def run(
    tasks: Sequence[Task],
    seed: int,
    ledger: Ledger,
    engine: Engine = "processes",
    jobs: int = 1,
    on_progress: Callable[[int], None] = lambda finished: None,
) -> list[Result]:
    """Run every task that the ledger does not hold; returns all results in the tasks' order.

    A worker that dies takes its executor with it; the tasks then under way are repeated one at a
    time, so that the one at fault is known, at most three times each. Raises SweepError at the
    end, naming the tasks that failed; the exception of a failing task is its cause.
    """
    index = {task.name: place for place, task in enumerate(tasks)}
    if len(index) != len(tasks):
        raise ValueError("task names must be unique")
    longest_first = sorted(tasks, key=lambda task: -task.cost)
    pending = deque(task for task in longest_first if task.name not in ledger.results)
    on_progress(len(tasks) - len(pending))
    in_flight = 1 if engine == "serial" else jobs + 1  # one waits for the next free worker
    suspects: deque[Task] = deque()
    attempts: Counter[str] = Counter()
    failed: dict[str, BaseException] = {}
    while pending or suspects:
        under_way: dict[Future[Result], Task] = {}
        try:
            with open_executor(engine, jobs) as executor:
                while pending or suspects or under_way:
                    queue, most = (suspects, 1) if suspects else (pending, in_flight)
                    while queue and len(under_way) < most:
                        task = queue[0]
                        under_way[executor.submit(task.run, seed, index[task.name])] = task
                        queue.popleft()
                        attempts[task.name] += 1
                    finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in finished:
                        if isinstance(error := future.exception(), BrokenExecutor):
                            raise error
                        task = under_way.pop(future)
                        if error is None:
                            try:
                                ledger.record(task.name, future.result())
                            except ValueError as refused:
                                error = refused
                        if error is not None:
                            failed[task.name] = error
                        on_progress(1)
        except BrokenExecutor as error:
            for task in under_way.values():
                if attempts[task.name] < _MOST_ATTEMPTS:
                    suspects.append(task)
                else:
                    failed[task.name] = error
                    on_progress(1)
    if failed:
        first = next(iter(failed.values()))
        raise SweepError(
            f"tasks failed: {'; '.join(f'{n} ({e!r})' for n, e in failed.items())}"
        ) from first
    return [ledger.results[task.name] for task in tasks]
