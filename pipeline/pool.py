"""Heavy or hostile work in child processes that can be killed: a stalled or crashed task costs itself, nothing else.

One thread owns every child and its pipe: it hands a task to a child that is idle, takes results in, kills what is over
its time and replaces what died. No lock and no pipe is shared between children, so a child killed at the worst moment
cannot hold up another.

Limits: wall-clock time is watched from here. CPU time is a timer of the child's own (ITIMER_PROF) that ends it even
inside a C library, where no Python code runs. Memory is RLIMIT_DATA: what is allocated, unlike RLIMIT_AS, which counts
address space that allocators and thread stacks only reserve.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, field, replace
from multiprocessing import connection, util
from multiprocessing.process import BaseProcess
from typing import Any, Literal, TypeVar

from pipeline.errors import Stalled

T = TypeVar("T")
log = logging.getLogger("rasd.pool")
MAX_PROCESSES = 8
LOOK_SECONDS = 0.25  # at most this long between two looks at the clock
BREATH = 0.05  # seconds, times the children that died before they did anything
_LIBXML2_NO_MEMORY = 2  # XML_ERR_NO_MEMORY in libxml2's xmlerror.h; lxml's errors carry it as `code`
LOOKS_AT_PARENT = 20  # a tenth of a second apart
READY_SECONDS = 60.0  # that a child may take to start and prepare itself
PATIENCE = 5  # children that may die in a row before they have done anything


#: What a child sends: it is ready; a result; what the task raised; that the task ran out of memory.
Sent = Literal["ready", "done", "raised", "memory"]


@dataclass(frozen=True, slots=True)
class _Limits:
    """What every child is told. temporary: a folder of the parent's, which is removed when the parent is killed."""

    memory_bytes: int | None
    cpu_seconds: float | None
    prepare: Callable[[], object] | None
    temporary: str = ""


@dataclass(slots=True)
class _Task:
    seconds: float
    call: tuple[Callable[..., Any], tuple[Any, ...]]
    future: Future[Any] = field(default_factory=Future)


class Pool:
    """`processes` children (0: one per core, at most 8), started when first used, replaced when they die.

    Children ignore Ctrl-C (the parent decides) and end with their parent, however that ends. Tasks and their results
    must pickle.

    memory_bytes: that a child may allocate, its libraries included; a task that wants more is stalled with reason
    "memory", and its child is replaced. cpu_seconds: of CPU time for one task, all its threads together; one that wants
    more is stalled with reason "cpu". prepare: what each child calls (to import what it will need) before it gets its
    first task; the time it takes is nobody's task's.
    """

    def __init__(
        self,
        processes: int = 0,
        *,
        memory_bytes: int | None = None,
        cpu_seconds: float | None = None,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self._limits = _Limits(memory_bytes, cpu_seconds, prepare)
        self.processes = processes or min(os.cpu_count() or 1, MAX_PROCESSES)
        self._waiting: deque[_Task] = deque()
        self._wake_in, self._wake_out = connection.Pipe(duplex=False)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False

    def submit(self, seconds: float, task: Callable[..., T], *args: Any) -> Future[T]:
        """Schedules `task(*args)` in a child that is killed after `seconds` of it. See `result`."""
        job = _Task(seconds, (task, args))
        with self._lock:
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rasd-pool", daemon=True)
                self._thread.start()
        self._wake()
        return job.future

    def call(self, seconds: float, task: Callable[..., T], *args: Any) -> T:
        """Runs one task and waits for it. Raises: Stalled, or what the task raised."""
        return result(self.submit(seconds, task, *args))

    def close(self) -> None:
        """Kills the children; unfinished tasks are lost (their inputs are not: nobody committed them)."""
        self._closing = True
        self._wake()
        thread = self._thread
        if thread is not None:
            thread.join(timeout=3)

    def _wake(self) -> None:
        self._wake_out.send(None)

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        # The fork server, and through it every child, inherits this: Ctrl-C on a terminal reaches all of them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._limits = replace(self._limits, temporary=util.get_temp_dir())
        children: list[_Child] = []
        early = 0
        try:
            while not self._closing:
                children, early = self._hire(children, early)
                self._hand_out(children)
                ready = connection.wait([self._wake_in, *(c.pipe for c in children if c.alive)], timeout=LOOK_SECONDS)
                while self._wake_in.poll():
                    self._wake_in.recv()
                for child in children:
                    if child.alive and child.pipe in ready:
                        child.take_in()
                    elif (child.task is not None or not child.ready) and time.monotonic() > child.deadline:
                        child.fail("timeout", "took longer than its time limit and was stopped")
        except Exception as e:
            log.exception("the pool failed")
            self._end(children, f"the pool failed ({e})")
        else:
            self._end(children, "the pool was closed")

    def _end(self, children: list[_Child], why: str) -> None:
        """Nobody may wait for ever: whoever submits from now on gets a new thread, which a closed pool ends at once."""
        with self._lock:
            self._abandon(children, why)
            self._thread = None

    def _hire(self, children: list[_Child], early: int) -> tuple[list[_Child], int]:
        """Replaces the dead while there is work; gives up on the first task if no child lives to do anything."""
        stillborn = sum(not c.alive and not c.useful for c in children)
        early += stillborn
        if any(c.useful for c in children):
            early = 0
        elif stillborn:
            time.sleep(min(early, PATIENCE) * BREATH)  # a fork server that was killed takes a moment to be seen dead
        children = [c for c in children if c.alive]
        if early >= PATIENCE and self._waiting:
            early = 0
            _refuse(self._waiting.popleft().future, Stalled("no child process lives to run it", reason="process-died"))
        busy = sum(c.task is not None for c in children)
        while len(children) < self.processes and busy + len(self._waiting) > len(children):
            children.append(_Child(self._limits))
        return children, early

    def _hand_out(self, children: list[_Child]) -> None:
        for child in children:
            if child.task is not None or not child.ready or not child.alive:
                continue
            if (task := self._next_task()) is not None and not child.start(task):
                self._waiting.appendleft(task)

    def _next_task(self) -> _Task | None:
        """The first task that nobody cancelled while it waited; from now on nobody can."""
        while self._waiting:
            task = self._waiting.popleft()
            if task.future.running() or task.future.set_running_or_notify_cancel():
                return task
        return None

    def _abandon(self, children: list[_Child], why: str) -> None:
        for child in children:
            if child.alive:
                child.fail("process-died", why)
        while self._waiting:
            _refuse(self._waiting.popleft().future, Stalled(why, reason="process-died"))


class _Child:
    """One child process, its pipe, and the task that it has in hand."""

    def __init__(self, limits: _Limits) -> None:
        context = multiprocessing.get_context("forkserver")
        self.task: _Task | None = None
        self.deadline = time.monotonic() + READY_SECONDS
        self.alive = False
        self.ready = False
        self.useful = False  # it has finished a task
        try:
            self.pipe, theirs = context.Pipe()
            with theirs:
                self.process = context.Process(target=_serve, args=(theirs, limits), daemon=True)
                self.process.start()
            self.alive = True
        except (OSError, EOFError) as e:  # the fork server was killed, or no file can be opened: the next may start
            log.warning("a child process could not be started: %s", e)

    def start(self, task: _Task) -> bool:
        """Hands the task over; False if the child turns out to be dead. A task that does not pickle fails at once."""
        try:
            self.pipe.send(task.call)
        except OSError:
            self._end()
            return False
        except Exception as e:
            _refuse(task.future, e)
            return True
        self.task, self.deadline = task, time.monotonic() + task.seconds
        return True

    def take_in(self) -> None:
        """Takes what the child sent: a result, or its end."""
        sent: Sent
        try:
            sent, value = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(timeout=1)
            if self.process.exitcode == -signal.SIGPROF:
                self.fail("cpu", "took more than its CPU time and was stopped")
            else:
                self.fail("process-died", "its process died")
            return
        except Exception as e:  # a value that does not unpickle here
            sent, value = "raised", e
        if sent == "ready":
            self.ready = True
            return
        if sent == "memory":
            self.useful = True
            self.fail("memory", f"wanted more memory than it may have ({value})")
            return
        task, self.task, self.useful = self.task, None, True
        if task is not None:
            (task.future.set_result if sent == "done" else task.future.set_exception)(value)

    def fail(self, reason: str, why: str) -> None:
        """Kills the child; its task, if any, is stalled."""
        self._end()
        if self.task is not None:
            task, self.task = self.task, None
            _refuse(task.future, Stalled(why, reason=reason))

    def _end(self) -> None:
        self.alive = False
        if self.process.pid is not None:
            self.process.kill()
            self.process.join(timeout=1)
        self.pipe.close()


def _refuse(future: Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def result(future: Future[T], wait: float | None = None) -> T:
    """The task's result. Raises: Stalled if it outlived its limit or its child died, TimeoutError if it is not
    finished within `wait` seconds, else what the task raised."""
    try:
        return future.result(timeout=wait)
    except TimeoutError:
        if future.done():  # the task's own TimeoutError
            raise Stalled("ran into a time limit of its own", reason="timeout") from None
        raise


def _serve(pipe: connection.Connection, limits: _Limits) -> None:
    """A child's life: a task, its result, the next task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent, limits.temporary), daemon=True).start()
    if limits.prepare is not None:
        limits.prepare()
    if limits.memory_bytes is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_bytes, hard))
    try:
        pipe.send(("ready", None))
        while True:
            signal.setitimer(signal.ITIMER_PROF, 0)
            _send(pipe, _answer(pipe, limits.cpu_seconds or 0))
    except (EOFError, OSError):  # the parent has closed its end: it is dead, or about to kill this child
        time.sleep(LOOKS_AT_PARENT)  # the other thread ends the process


def _answer(pipe: connection.Connection, cpu_seconds: float) -> tuple[Sent, object]:
    """Receives one task and does it. Raises: EOFError, OSError at the end of the pipe."""
    try:
        task, args = pipe.recv()
    except (EOFError, OSError):
        raise
    except MemoryError as e:
        return "memory", _words(e)
    except Exception as e:  # a task that cannot be imported here
        return "raised", RuntimeError(f"cannot be run: {_words(e)}")
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        return "done", task(*args)
    except Exception as e:
        return ("memory", _words(e)) if _of_memory(e) else ("raised", e)


def _send(pipe: connection.Connection, message: tuple[Sent, object]) -> None:
    try:
        pipe.send(message)
    except OSError:
        raise
    except MemoryError as e:
        pipe.send(("memory", _words(e)))
    except Exception as e:  # a result or an error that does not pickle
        pipe.send(("raised", RuntimeError(f"cannot be sent back: {_words(e)}")))


def _of_memory(error: BaseException | None) -> bool:
    """Whether it, or what led to it, is a want of memory; libxml2 has a number of its own for that."""
    for _ in range(10):
        if error is None:
            return False
        if isinstance(error, MemoryError) or getattr(error, "code", None) == _LIBXML2_NO_MEMORY:
            return True
        error = error.__cause__ or error.__context__
    return False


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _end_with(parent: BaseProcess, temporary: str) -> None:
    """Ends this process when the parent has: it can no longer tidy up after itself."""
    connection.wait([parent.sentinel])
    for _ in range(LOOKS_AT_PARENT):  # a parent that drops this child is alive, and one just killed still seems to be
        if not _lives(parent.pid):
            shutil.rmtree(temporary, ignore_errors=True)  # holds the fork server's socket, of use to nobody any more
            break
        time.sleep(0.1)
    os._exit(1)


def _lives(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
