"""What commands that ask the network share: the list of feeds, what is said of the work, and single requests.

A single request is made as `rasd run` makes them: robots.txt, limits, address guard, and hostile bytes read in a child
that is killed when it takes too long.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.cli.context import say, warn

if TYPE_CHECKING:
    from connectors.clock import Clock
    from connectors.feedlist import Feed
    from connectors.fetcher import Counts
    from connectors.polite import PoliteClient
    from connectors.responses import Kind, Response
    from pipeline.config import Config
    from pipeline.pool import Pool

T = TypeVar("T")


def listed_feeds(config: Config, given: Path | None) -> list[Feed]:
    """The feeds to poll. Raises: FileError for a faulty list, or one that is named and not there."""
    from connectors.feedlist import load_feeds
    from pipeline.errors import FileError

    file = given or Path(config.feeds.file)
    if not file.exists():
        if given or config.origin("feeds.file") != "default":
            raise FileError(file, None, "no such list of feeds")
        say(f"no list of feeds ({file}): `rasd feeds add` makes one, `rasd feeds list --catalogue` shows what is known")
        return []
    listed = [feed for feed in load_feeds(file) if feed.enabled]
    if not listed:
        warn(f"{file} lists no feed that is enabled: nothing is polled")
    return listed


def pages_json(pages: Counts) -> dict[str, Any]:
    """What the fetcher has done, for --json."""
    return {
        "requests": pages.requests,
        "new": pages.new,
        "revised": pages.revised,
        "feed_texts": pages.feed_texts,
        "unchanged": pages.unchanged,
        "not_modified": pages.not_modified,
        "failures": dict(sorted(pages.failures.items())),
    }


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
        import asyncio

        from pipeline.runtimes.reading import longest

        return await asyncio.wrap_future(self.pool.submit(longest(self.config), task, *given))


def online(config: Config, use: Callable[[Online], Awaitable[T]]) -> T:
    """Runs `use` with a client of its own, and closes all behind it."""
    import asyncio

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
