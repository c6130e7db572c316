"""Everything with sockets, put together: poller, fetcher, archive and the polite client, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp.abc import AbstractResolver

from connectors.clean import Page, clean_page
from connectors.clock import Clock
from connectors.feedlist import Feed
from connectors.feedstate import FeedState
from connectors.fetcher import Fetcher
from connectors.frontier import FILE as FRONTIER
from connectors.frontier import Frontier
from connectors.http import Client
from connectors.polite import PoliteClient
from connectors.poller import Poller
from connectors.responses import Kind
from connectors.robots import Robots
from connectors.sources.parse import ParsedFeed, SitemapIndex, parse_source
from connectors.warc import WarcWriter
from connectors.websub import WebSub
from pipeline.config import Config
from pipeline.pool import Pool
from pipeline.runtimes.reading import longest

if TYPE_CHECKING:
    from pipeline.runtimes.live import Live

T = TypeVar("T")
POLLER, ARCHIVE = "poller.sqlite", "archive"  # in the data folder
LOOK_SECONDS = 0.2  # between two looks at whether a single round is over


@dataclass(slots=True)
class Ingest:
    """What `Live` runs: polls `feeds` and fetches what they announce until told to stop.

    pool: of killable children for reading feeds and pages (`runtimes.reading`). resolver: for tests. once: every feed
    is polled once, and it ends when what is due has been fetched. poller, fetcher: their counts, once it runs.
    """

    config: Config
    feeds: Sequence[Feed]
    pool: Pool
    clock: Clock
    resolver: AbstractResolver | None = None
    once: bool = False
    poller: Poller | None = field(default=None, init=False)
    fetcher: Fetcher | None = field(default=None, init=False)

    async def __call__(self, live: Live, stop: asyncio.Event) -> None:
        config, clock = self.config, self.clock
        async with contextlib.AsyncExitStack() as stack:
            client = Client(config.fetch, clock=clock, resolver=self.resolver)
            stack.push_async_callback(client.close)
            polite = PoliteClient(client, Robots(config.fetch, clock=clock), config.fetch, clock=clock)
            archive = WarcWriter(config.data_dir / ARCHIVE, config.warc, clock=clock)
            stack.push_async_callback(archive.close)
            self.fetcher = Fetcher(
                Frontier(config.data_dir / FRONTIER, synchronous=config.log.synchronous),
                polite,
                live.publish,
                archive=archive,
                clean=self._clean,
                clock=clock,
                settings=config.fetch,
                recheck=config.feeds.recheck,
            )
            stack.push_async_callback(self.fetcher.close)
            state = FeedState(config.data_dir / POLLER)
            stack.callback(state.close)
            self.poller = Poller(
                self.feeds,
                state,
                polite,
                live.publish,
                archive=archive,
                parse=self._parse,
                clock=clock,
                settings=config,
            )
            live.fetcher = self.fetcher
            work = [self._poll(live, self.poller, self.fetcher, stop), self.fetcher.run(stop)]
            if config.websub.callback and not self.once:
                listed = [feed.url for feed in self.feeds if feed.enabled]
                hubs = WebSub(listed, state, client, self.poller, clock=clock, settings=config)
                work.append(hubs.run(stop))
            await _together(work)

    async def _poll(self, live: Live, poller: Poller, fetcher: Fetcher, stop: asyncio.Event) -> None:
        await poller.run(stop, once=self.once)
        if self.once:
            while not stop.is_set() and not (live.caught_up and fetcher.idle):
                await self.clock.sleep_until(self.clock.now() + LOOK_SECONDS)
            stop.set()

    async def _clean(self, body: bytes, *, url: str, charset: str | None) -> Page:
        return await self._read(clean_page, body, url, charset)

    async def _parse(
        self, body: bytes, *, url: str, charset: str | None, kind: Kind, latest: dt.datetime
    ) -> ParsedFeed | SitemapIndex:
        return await self._read(functools.partial(parse_source, latest=latest), body, url, charset, kind)

    async def _read(self, task: Callable[..., T], *given: object) -> T:
        with self.clock.working():
            return await asyncio.wrap_future(self.pool.submit(longest(self.config), task, *given))


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Runs all of it at once; the first that fails ends the others. Raises: what that one raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(_aloud(one))
    except BaseExceptionGroup as failed:
        error: BaseException = failed
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


async def _aloud(work: Coroutine[Any, Any, None]) -> None:
    """A cancellation that nobody asked for ends a task of a group as if it had done its work: it is an error here."""
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        name = getattr(work, "__qualname__", "a part of the ingestion")
        raise RuntimeError(f"{name} was cancelled by what it waited for") from None


def new_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop that this system has."""
    try:
        import uvloop
    except ImportError:  # it is not made for every system
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
