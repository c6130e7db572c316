"""Single requests from the command line, made as `rasd run` makes them: robots.txt, limits, address guard, and hostile
bytes read in a child that is killed when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from connectors.clock import Clock
    from connectors.polite import PoliteClient
    from connectors.responses import Kind, Response
    from pipeline.config import Config
    from pipeline.pool import Pool

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Online:
    """What a command may do on the network."""

    config: Config
    clock: Clock
    client: PoliteClient
    pool: Pool

    async def get(self, url: str, kind: Kind, headers: Mapping[str, str] | None = None) -> Response:
        """Raises: FetchFailed."""
        return await self.client.get(url, kind=kind, headers=headers)

    async def read(self, task: Callable[..., T], *given: object) -> T:
        """Runs a reader of hostile bytes in a child. Raises: Stalled, or what the reader raises."""
        from pipeline.runtimes.ingest import PATIENCE

        seconds = PATIENCE * self.config.archive.page_seconds
        return await asyncio.wrap_future(self.pool.submit(seconds, task, *given))


def online(config: Config, use: Callable[[Online], Awaitable[T]], prepare: Callable[[], None] | None = None) -> T:
    """Runs `use` with a client of its own, and closes all behind it. prepare: what a child does before its tasks."""
    from connectors.clock import SystemClock
    from connectors.http import Client
    from connectors.polite import PoliteClient
    from connectors.robots import Robots
    from pipeline.pool import Pool
    from pipeline.runtimes.ingest import TASK_BYTES, new_loop

    async def main() -> T:
        clock = SystemClock()
        async with contextlib.AsyncExitStack() as stack:
            client = Client(config.fetch, clock=clock)
            stack.push_async_callback(client.close)
            polite = PoliteClient(client, Robots(config.fetch, clock=clock), config.fetch, clock=clock)
            return await use(Online(config, clock, polite, pool))

    pool = Pool(1, memory_bytes=TASK_BYTES, cpu_seconds=config.archive.page_seconds, prepare=prepare)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main())
    finally:
        pool.close()
