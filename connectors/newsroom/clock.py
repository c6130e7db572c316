"""Simulated time: it jumps to the next sleeper as soon as there is nothing left to do at the present moment."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import mmap
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

_TIME = struct.Struct("<d")
#: Turns of the event loop without anything else to run before it counts as quiet: one to see what the last turn left,
#: one to see what the sockets brought.
_CALM = 2
_CALM_BLIND = 64  # of a loop that does not show what is ready: longer than any chain of callbacks of ours


class SimulatedClock:
    """A `connectors.clock.Clock` whose time stands in a small file, so that a server sees it and a killed client
    goes on where it was.

    It stands still while anybody is `working()`, from any thread, and while the event loop has callbacks to run; then
    it jumps to the earliest sleeper. One event loop at a time may sleep on it; one process at a time may own the file.
    """

    def __init__(self, file: Path, start: float) -> None:
        """start: the time if the file does not exist yet; else the file's time counts."""
        if not file.exists():
            file.write_bytes(_TIME.pack(start))
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _TIME.size)
        self._now: float = _TIME.unpack(self._shared)[0]
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._work = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking = False
        self._calm = 0
        self.jumps = 0

    def now(self) -> float:
        return self._now

    async def sleep_until(self, when: float) -> None:
        if when <= self._now:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # whoever slept in a loop that has ended is gone with it
            self._loop, self._looking, self._sleepers = loop, False, []
        woken = loop.create_future()
        heapq.heappush(self._sleepers, (when, next(self._order), woken))
        self._look_soon()
        await woken

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        with self._lock:
            self._work += 1
        try:
            yield
        finally:
            with self._lock:
                self._work -= 1
                idle = self._work == 0
            loop = self._loop
            if idle and loop is not None and not loop.is_closed():
                if _runs_here(loop):
                    self._look_soon()
                else:
                    with contextlib.suppress(RuntimeError):  # the loop was closed since
                        loop.call_soon_threadsafe(self._look_soon)

    def pass_time(self, seconds: float) -> None:
        """Lets time pass while nothing runs, as between a kill and the next start."""
        self._set(self._now + seconds)

    # -- deciding when to jump ----------------------------------------------------------------------------------------

    def _look_soon(self) -> None:
        if not self._looking and self._loop is not None:
            self._looking, self._calm = True, 0
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        """Jumps if all is quiet, else looks again; stops looking while somebody works or nobody sleeps."""
        self._looking = False
        loop = self._loop
        while self._sleepers and self._sleepers[0][2].done():  # cancelled meanwhile
            heapq.heappop(self._sleepers)
        if loop is None or self._work or not self._sleepers:
            return
        ready = getattr(loop, "_ready", None)  # asyncio's own loops show what is about to run
        self._calm = 0 if ready else self._calm + 1
        if self._calm >= (_CALM if ready is not None else _CALM_BLIND):
            self._calm = 0
            self._jump()
        self._looking = True
        loop.call_soon(self._look)

    def _jump(self) -> None:
        self.jumps += 1
        self._set(max(self._now, self._sleepers[0][0]))
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)

    def _set(self, now: float) -> None:
        self._now = now
        self._shared[:] = _TIME.pack(now)


class WatchedTime:
    """The time of a `SimulatedClock` of another process, read from its file."""

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            self._shared = mmap.mmap(opened.fileno(), _TIME.size, access=mmap.ACCESS_READ)

    def __call__(self) -> float:
        now: float = _TIME.unpack(self._shared)[0]
        return now


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
