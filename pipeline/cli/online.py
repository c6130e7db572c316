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
        from pipeline.runtimes.reading import longest

        return await asyncio.wrap_future(self.pool.submit(longest(self.config), task, *given))


def online(config: Config, use: Callable[[Online], Awaitable[T]]) -> T:
    """Runs `use` with a client of its own, and closes all behind it."""
    from connectors.clock import SystemClock
    from connectors.http import Client
    from connectors.polite import PoliteClient
    from connectors.robots import Robots
    from pipeline.runtimes.ingest import new_loop
    from pipeline.runtimes.reading import reading_pool

    async def main() -> T:
        clock = SystemClock()
        async with contextlib.AsyncExitStack() as stack:
            client = Client(config.fetch, clock=clock)
            stack.push_async_callback(client.close)
            polite = PoliteClient(client, Robots(config.fetch, clock=clock), config.fetch, clock=clock)
            return await use(Online(config, clock, polite, pool))

    pool = reading_pool(config, processes=1)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main())
    finally:
        pool.close()
