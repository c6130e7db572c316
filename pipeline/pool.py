"""Heavy or hostile work in child processes that can be killed: a stalled or crashed task costs itself, nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, TimeoutError
from multiprocessing import connection
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from pipeline.errors import Stalled

T = TypeVar("T")
MAX_PROCESSES = 8


class Pool:
    """`processes` children (0: one per core, at most 8), started when first used.

    Children ignore Ctrl-C (the parent decides) and end with their parent, however that ends.
    """

    def __init__(self, processes: int = 0) -> None:
        self.processes = processes or min(os.cpu_count() or 1, MAX_PROCESSES)
        self._pool: ProcessPool | None = None

    def submit(self, seconds: float, task: Callable[..., T], *args: Any) -> Future[T]:
        """Schedules `task(*args)` in a child that is killed after `seconds`. See `result`."""
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPool(max_workers=self.processes, initializer=_settle, context=context)
        future: Future[T] = self._pool.schedule(task, args=args, timeout=seconds)
        return future

    def call(self, seconds: float, task: Callable[..., T], *args: Any) -> T:
        """Runs one task and waits for it. Raises: Stalled, or what the task raised."""
        return result(self.submit(seconds, task, *args))

    def close(self) -> None:
        """Kills the children; unfinished tasks are lost (their inputs are not: nobody committed them)."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join(timeout=3)
            self._pool = None


def result(future: Future[T], wait: float | None = None) -> T:
    """The task's result. Raises: Stalled if it outlived its limit or killed its child, TimeoutError if it is not
    finished within `wait` seconds, else what the task raised."""
    try:
        return future.result(timeout=wait)
    except TimeoutError as e:
        if not future.done():
            raise
        raise Stalled("took longer than its time limit and was stopped", reason="timeout") from e
    except (ProcessExpired, CancelledError) as e:
        raise Stalled(f"its process died ({e})", reason="process-died") from e


def _settle() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
