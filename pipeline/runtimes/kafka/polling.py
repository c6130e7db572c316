"""The poller on Kafka: feeds → entries, acknowledged by all copies in sync before anything is remembered of an answer.

The list of feeds is looked at while it runs: a list that appears or is edited counts from then on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from aiohttp.abc import AbstractResolver

from connectors.clock import Clock
from connectors.feedlist import Feed, load_feeds
from connectors.feedstate import FeedState
from connectors.poller import Poller
from pipeline.config import Config
from pipeline.errors import FileError
from pipeline.runtimes.ingest import Outside, hubs_of, poller_of, reaching_out, remembering, together
from pipeline.runtimes.kafka.ingesting import Grounds, Watched, run_process
from pipeline.runtimes.kafka.publishing import AskWhileFlowing

log = logging.getLogger("rasd.poller")

LOOK_SECONDS = 2.0  # between two looks at the list
Stamp = tuple[int, int, int]


def run_poller(
    config: Config,
    feeds: Path,
    stop: threading.Event,
    *,
    once: bool = False,
    wait: bool = False,
    clock: Clock | None = None,
    resolver: AbstractResolver | None = None,
) -> Counter[str]:
    """Polls the feeds of the list until `stop` is set; once: each once. Returns counts as `Poller` has them.

    wait: a list that is not there or faulty is waited for. Raises: FileError for such a list otherwise; ConfigError;
    StorageError, also if another process polls over this folder.
    """
    listed = FeedList(feeds)
    if not wait:
        listed.read()
    run = _Run(listed, once)
    run_process(config, "poller", run, stop, clock=clock, resolver=resolver)
    return run.counts()


class FeedList:
    """A list of feeds that may be edited at any time. feeds: those that are enabled, as read last; None at first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.feeds: Sequence[Feed] | None = None
        self._stamp: Stamp | None = None
        self._said = False

    def read(self) -> None:
        """Raises: FileError for a list that is not there or faulty; `feeds` stays what it was."""
        stamp = self._look()
        if stamp is None:
            raise FileError(self.path, None, "no such list of feeds: `rasd feeds add` makes one")
        self._stamp = stamp
        self.feeds = [feed for feed in load_feeds(self.path) if feed.enabled]
        if not self.feeds:
            log.warning("%s lists no feed that is enabled: nothing is polled", self.path)

    def changed(self) -> bool:
        """Reads the list if it was edited since; True if it is another one now. What is wrong with it is said once,
        and the one before stays in force."""
        stamp = self._look()
        if stamp == self._stamp and (stamp or self._said):
            return False
        before, self._stamp, self._said = self.feeds, stamp, True
        try:
            self.read()
        except FileError as e:
            log.warning("%s: %s", e, "waiting for it" if before is None else "going on with the list as it was")
            return False
        return self.feeds != before

    def _look(self) -> Stamp | None:
        try:
            seen = os.stat(self.path)
        except OSError:
            return None
        return (seen.st_mtime_ns, seen.st_size, seen.st_ino) if self.path.is_file() else None


class _Run:
    def __init__(self, listed: FeedList, once: bool) -> None:
        self.listed, self.once = listed, once
        self.before: Counter[str] = Counter()  # of pollers over lists that were replaced
        self.poller: Poller | None = None

    async def __call__(self, grounds: Grounds, watched: Watched, stop: asyncio.Event) -> None:
        watched.says = self.says
        async with reaching_out(grounds.config, grounds.pool, grounds.clock, grounds.resolver) as outside:
            with remembering(grounds.config) as state:
                grounds.health.ready = True
                while not stop.is_set():
                    if self.listed.feeds is None and not self.listed.changed():
                        await _either(stop, LOOK_SECONDS)
                        continue
                    await self._poll(self.listed.feeds or (), outside, state, grounds, stop)
                    if self.once:
                        break

    async def _poll(
        self, feeds: Sequence[Feed], outside: Outside, state: FeedState, grounds: Grounds, stop: asyncio.Event
    ) -> None:
        """Until it is asked to stop, or the list is another one."""
        log.info("polling %s feeds of %s", f"{len(feeds):,}", self.listed.path)
        client = AskWhileFlowing(outside.polite, grounds.publish)
        self.poller = poller = poller_of(outside, feeds, state, grounds.publish, client)
        over = asyncio.Event()
        work = [self._polled(poller, over), self._watch(stop, over)]
        if not self.once and (hubs := hubs_of(outside, feeds, state, poller)) is not None:
            work.append(hubs.run(over))
        await together(work)
        self.before, self.poller = self.counts(), None

    async def _polled(self, poller: Poller, over: asyncio.Event) -> None:
        await poller.run(over, once=self.once)
        over.set()

    async def _watch(self, stop: asyncio.Event, over: asyncio.Event) -> None:
        """Ends the polling when asked to, or when the list has changed."""
        while not (stop.is_set() or over.is_set()):
            await _either(stop, LOOK_SECONDS, over)
            if not self.once and not stop.is_set() and self.listed.changed():
                break
        over.set()

    def counts(self) -> Counter[str]:
        return self.before + (self.poller.counts if self.poller else Counter())

    def says(self) -> str:
        return how_it_goes(self.counts())


def how_it_goes(counts: Counter[str]) -> str:
    return (
        f"{counts['polls']:,} polls: {counts['unmodified'] + counts['same']:,} unchanged, {counts['failed']:,} failed;"
        f" {counts['entries']:,} new entries, {counts['edited']:,} edited, {counts['rejects']:,} rejects"
    )


async def _either(stop: asyncio.Event, seconds: float, other: asyncio.Event | None = None) -> None:
    """Until one of the events is set or the time is over."""
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, other) if event is not None]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
