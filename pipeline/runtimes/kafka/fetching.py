"""The fetcher on Kafka: entries of the topic → frontier → pages → articles, acknowledged before a page is settled.

The order is that of docs/fetching.md: an offset is committed when its entry stands in the frontier, and a page leaves
the frontier when all copies in sync have its article. So a kill repeats what was in hand, and loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp.abc import AbstractResolver

from connectors.clock import Clock
from connectors.fetcher import Counts, Fetcher
from pipeline.config import Config
from pipeline.records import Entry, Reject
from pipeline.runtimes.ingest import FETCHER_LOCK, fetching, reaching_out, together
from pipeline.runtimes.kafka.entries import Entries
from pipeline.runtimes.kafka.ingesting import Grounds, Watched, run_process

log = logging.getLogger("rasd.fetch")

BATCH = 500  # entries handed to the frontier at once
FULL_SECONDS = 1.0  # between two looks whether a full frontier has room again
LOOK_SECONDS = 0.1  # between two looks whether a single round is over
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class Fetched:
    """What a run of the fetcher has done. entries: taken off the topic. rejects: messages that held none."""

    entries: int = 0
    rejects: int = 0
    behind: int = 0
    pages: Counts = field(default_factory=Counts)


def run_fetcher(
    config: Config,
    stop: threading.Event,
    *,
    once: bool = False,
    clock: Clock | None = None,
    resolver: AbstractResolver | None = None,
) -> Fetched:
    """Fetches until `stop` is set; once: until every entry of the topic is taken and no page is due.

    Raises: ConfigError; StorageError, also if another process fetches over this folder; RasdError if brokers refuse us.
    """
    run = _Run(once)
    run_process(config, "fetcher", run, stop, clock=clock, resolver=resolver)
    return run.done()


def member_of(config: Config) -> str:
    """The name that this fetcher keeps in its group over restarts: the setting's, else one that its data folder keeps,
    as the pages that wait there are its own. Call it while the folder is held."""
    if config.worker.instance:
        return _UNFIT.sub("-", config.worker.instance)[:150]
    file = config.data_dir / FETCHER_LOCK
    name = _UNFIT.sub("-", file.read_text("utf-8", "replace").strip())[:150] if file.exists() else ""
    if not name:
        name = f"fetcher-{secrets.token_hex(6)}"
        file.write_text(f"{name}\n")
    return name


class _Run:
    def __init__(self, once: bool) -> None:
        self.once = once
        self.fetcher: Fetcher | None = None
        self.entries: Entries | None = None

    async def __call__(self, grounds: Grounds, watched: Watched, stop: asyncio.Event) -> None:
        config = grounds.config
        async with (
            reaching_out(config, grounds.pool, grounds.clock, grounds.resolver) as outside,
            fetching(outside, grounds.publish) as fetcher,
        ):
            self.fetcher = fetcher
            self.entries = entries = Entries(
                grounds.cluster,
                _Taking(fetcher, grounds).take,
                instance=member_of(config),
                batch=BATCH,
                health=grounds.health,
                failed=stop.set,
            )
            watched.says, watched.alive = self.says, lambda: entries.alive
            entries.start(asyncio.get_running_loop())
            try:
                await together([fetcher.run(stop), self._end(entries, fetcher, stop)])
            finally:
                await asyncio.to_thread(entries.join)
            if entries.error is not None:
                raise entries.error

    async def _end(self, entries: Entries, fetcher: Fetcher, stop: asyncio.Event) -> None:
        """Lets the reading of entries end with the fetching, and both when a single round is over."""
        while self.once and not stop.is_set():
            if entries.caught_up and fetcher.idle:
                stop.set()
                break
            await asyncio.sleep(LOOK_SECONDS)
        await stop.wait()
        entries.close()

    def done(self) -> Fetched:
        if self.fetcher is None or self.entries is None:
            return Fetched()
        return Fetched(self.entries.taken, self.entries.refused, self.entries.behind, self.fetcher.counts)

    def says(self) -> str:
        return how_it_goes(self.done())


def how_it_goes(done: Fetched) -> str:
    pages = done.pages
    return (
        f"{done.entries:,} entries taken, {done.behind:,} behind; {pages.requests:,} requests:"
        f" {pages.new:,} new articles, {pages.revised:,} changed, {pages.unchanged:,} unchanged,"
        f" {pages.failures.total():,} failures, {pages.rejects.total() + done.rejects:,} rejects"
    )


class _Taking:
    """Takes entries into the frontier while it has room."""

    def __init__(self, fetcher: Fetcher, grounds: Grounds) -> None:
        self.fetcher, self.publish = fetcher, grounds.publish
        self.clock, self.backlog = grounds.clock, grounds.config.fetch.backlog

    async def take(self, entries: Sequence[Entry], rejects: Sequence[Reject]) -> None:
        """Returns once entries are durable in the frontier and rejects on the topic."""
        said = False
        while await self.fetcher.waiting() > self.backlog:
            if not said:
                log.info("%d pages wait (fetch.backlog): entries stay on the topic meanwhile", self.backlog)
            said = True
            await self.clock.sleep_until(self.clock.now() + FULL_SECONDS)
        if entries:
            await self.fetcher.take(entries)
        await self.publish(rejects)
