"""The time of the live connectors: an argument, so that a simulated week runs in minutes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Protocol


class Clock(Protocol):
    """What the pollers and fetchers know of time. Two kinds: the system's, and a simulated one
    (`connectors.newsroom.clock`)."""

    def now(self) -> float:
        """Seconds since 1970."""

    async def sleep_until(self, when: float) -> None:
        """Returns once `now() >= when`; at once if that is past."""

    def working(self) -> contextlib.AbstractContextManager[None]:
        """Held (by any thread) while something is under way that takes real time: a simulated clock stands still."""


class SystemClock:
    def now(self) -> float:
        return time.time()

    async def sleep_until(self, when: float) -> None:
        while (left := when - time.time()) > 0:
            await asyncio.sleep(min(left, 3600.0))

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        yield
