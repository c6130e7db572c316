"""Everything with sockets, put together: poller, fetcher, archive and the polite client.

`Ingest` runs all of it in one event loop beside the embedded log; on Kafka the poller and the fetcher are processes of
their own (`pipeline.runtimes.kafka.polling`, `.fetching`), made of the same parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp.abc import AbstractResolver

from connectors.clean import Page, clean_page
from connectors.clock import Clock
from connectors.feedlist import Feed
from connectors.feedreader import Gets
from connectors.feedstate import FeedState
from connectors.fetcher import Fetcher
from connectors.fetcher import Publish as PublishArticles
from connectors.frontier import FILE as FRONTIER
from connectors.frontier import Frontier
from connectors.http import Client
from connectors.polite import PoliteClient
from connectors.poller import Poller, Publish
from connectors.responses import Kind
from connectors.robots import Robots
from connectors.sources.parse import ParsedFeed, SitemapIndex, parse_source
from connectors.warc import WarcWriter
from connectors.websub import WebSub
from pipeline.config import Config
from pipeline.errors import StorageError
from pipeline.pool import Pool
from pipeline.runtimes.reading import longest

if TYPE_CHECKING:
    from pipeline.runtimes.live import Live

T = TypeVar("T")
POLLER, ARCHIVE = "poller.sqlite", "archive"  # in the data folder
POLLER_LOCK, FETCHER_LOCK = "poller.lock", "fetcher.lock"
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
        async with contextlib.AsyncExitStack() as stack:
            outside = await stack.enter_async_context(reaching_out(self.config, self.pool, self.clock, self.resolver))
            self.fetcher = await stack.enter_async_context(fetching(outside, live.publish))
            state = stack.enter_context(remembering(self.config))
            self.poller = poller_of(outside, self.feeds, state, live.publish)
            live.fetcher = self.fetcher
            work = [self._poll(live, self.poller, self.fetcher, stop), self.fetcher.run(stop)]
            if not self.once and (hubs := hubs_of(outside, self.feeds, state, self.poller)) is not None:
                work.append(hubs.run(stop))
            await together(work)

    async def _poll(self, live: Live, poller: Poller, fetcher: Fetcher, stop: asyncio.Event) -> None:
        await poller.run(stop, once=self.once)
        if self.once:
            while not stop.is_set() and not (live.caught_up and fetcher.idle):
                await self.clock.sleep_until(self.clock.now() + LOOK_SECONDS)
            stop.set()


# -- the parts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outside:
    """What polling and fetching share: the way to the network, the archive, and the children that read what comes."""

    config: Config
    clock: Clock
    client: Client
    polite: PoliteClient
    archive: WarcWriter
    pool: Pool

    async def clean(self, body: bytes, *, url: str, charset: str | None) -> Page:
        return await self._read(clean_page, body, url, charset)

    async def parse(
        self, body: bytes, *, url: str, charset: str | None, kind: Kind, latest: dt.datetime
    ) -> ParsedFeed | SitemapIndex:
        return await self._read(functools.partial(parse_source, latest=latest), body, url, charset, kind)

    async def _read(self, task: Callable[..., T], *given: object) -> T:
        with self.clock.working():
            return await asyncio.wrap_future(self.pool.submit(longest(self.config), task, *given))


@contextlib.asynccontextmanager
async def reaching_out(
    config: Config, pool: Pool, clock: Clock, resolver: AbstractResolver | None = None
) -> AsyncIterator[Outside]:
    """Client and archive, closed behind it. Every process has archive files of its own, also in a folder that several
    share: a file is made under a name that no other has."""
    async with contextlib.AsyncExitStack() as stack:
        client = Client(config.fetch, clock=clock, resolver=resolver)
        stack.push_async_callback(client.close)
        polite = PoliteClient(client, Robots(config.fetch, clock=clock), config.fetch, clock=clock)
        archive = WarcWriter(config.data_dir / ARCHIVE, config.warc, clock=clock)
        stack.push_async_callback(archive.close)
        yield Outside(config, clock, client, polite, archive, pool)


@contextlib.asynccontextmanager
async def fetching(outside: Outside, publish: PublishArticles) -> AsyncIterator[Fetcher]:
    """The fetcher over the data folder's frontier. Raises: StorageError, also if another process has it."""
    config = outside.config
    with alone(config.data_dir / FETCHER_LOCK, "another process fetches"):
        fetcher = Fetcher(
            Frontier(config.data_dir / FRONTIER, synchronous=config.log.synchronous),
            outside.polite,
            publish,
            archive=outside.archive,
            clean=outside.clean,
            clock=outside.clock,
            settings=config.fetch,
            recheck=config.feeds.recheck,
        )
        try:
            yield fetcher
        finally:
            await fetcher.close()


@contextlib.contextmanager
def remembering(config: Config) -> Iterator[FeedState]:
    """What the data folder remembers of feeds. Raises: StorageError, also if another process polls."""
    with (
        alone(config.data_dir / POLLER_LOCK, "another process polls"),
        contextlib.closing(FeedState(config.data_dir / POLLER)) as state,
    ):
        yield state


def poller_of(
    outside: Outside, feeds: Sequence[Feed], state: FeedState, publish: Publish, client: Gets | None = None
) -> Poller:
    """client: what asks instead of the polite client."""
    return Poller(
        feeds,
        state,
        client or outside.polite,
        publish,
        archive=outside.archive,
        parse=outside.parse,
        clock=outside.clock,
        settings=outside.config,
    )


def hubs_of(outside: Outside, feeds: Sequence[Feed], state: FeedState, poller: Poller) -> WebSub | None:
    """What listens for pushes, if the settings name a callback."""
    if not outside.config.websub.callback:
        return None
    listed = [feed.url for feed in feeds if feed.enabled]
    return WebSub(listed, state, outside.client, poller, clock=outside.clock, settings=outside.config)


@contextlib.contextmanager
def alone(lock: Path, others: str) -> Iterator[None]:
    """Holds a lock that the system frees however we end. others: what is true if somebody holds it.

    Raises: StorageError (reason "in-use").
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise StorageError(f"{others} over {lock.parent} already", reason="in-use") from e
        yield


async def together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
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
