"""Polls feeds: asks what is due, archives and reads what has changed, and announces new and edited entries.

Nothing of an answer is remembered before `publish` has returned, so a kill makes a poll repeat and loses no entry.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from connectors.clock import Clock
from connectors.duequeue import DueQueue, Turn
from connectors.feedlist import Feed
from connectors.feedreader import FeedReader, Found, Gets, Keeps, Parse
from connectors.feedstate import FeedState
from connectors.responses import Response
from connectors.schedule import (
    DAY,
    MINUTE,
    Answer,
    Bounds,
    Decision,
    Failed,
    History,
    Unmodified,
    after_push,
    next_poll,
)
from connectors.urls import host_of
from pipeline.config import Config
from pipeline.errors import StorageError, StoragePaused
from pipeline.records import Article, Entry, Reject

log = logging.getLogger("rasd.poller")

SAVE_SECONDS = 0.2  # between a poll and its being on disk, at most
SAVE_FEEDS = 200  # polls that are written in one transaction at the latest
PAUSE_SECONDS = 2.0  # between two tries while the disk is full
END_SECONDS = 1.0  # for polls under way to finish when asked to stop
PLACES = 2  # polls in flight for each connection: those that wait for their host's delay hold none
RESTS = ("status-429", "status-503")  # failures by which a server asks to be left alone
OFFLINE_HOSTS = 5  # that were well before and fail in a row without any other answering: it is our own network


class Publish(Protocol):
    """Returns once the records are durable in the log."""

    async def __call__(self, records: Sequence[Entry | Article | Reject]) -> None: ...


class Poller:
    """Polls every enabled feed when it is due, until told to stop; see docs/polling.md.

    counts: since the start, polls, unmodified, same, changed, failed, entries, edited, rejects, pushes.
    """

    def __init__(
        self,
        feeds: Iterable[Feed],
        state: FeedState,
        client: Gets,
        publish: Publish,
        *,
        archive: Keeps,
        parse: Parse,
        clock: Clock,
        settings: Config,
    ) -> None:
        self._feeds = {feed.url: feed for feed in feeds if feed.enabled}
        self._state, self._publish = state, publish
        self._clock, self._settings = clock, settings
        self._reader = FeedReader(state, client, archive=archive, parse=parse, clock=clock)
        self._queue = self._new_queue()
        self._network = _Network(state, self._feeds)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake, self._unsaved = asyncio.Event(), asyncio.Event()
        self._broken: BaseException | None = None
        self._stopping = self._once = False
        self.counts: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event, *, once: bool = False) -> None:
        """Polls until `stop` is set and returns within two seconds of it.

        once: every feed once, due or not (those that rest, only if they are due), and then ends.
        Raises: StorageError if what is remembered can no longer be kept.
        """
        self._stopping, self._once, self._queue = False, once, self._new_queue()
        now = self._clock.now()
        for feed in self._feeds.values():
            due = self._due(feed, now)
            if not once or due <= now or not self._rests(feed):
                self._queue.add(feed.url, self._host(feed.url), now if once else due)
        saving = asyncio.create_task(self._save_regularly())
        saving.add_done_callback(self._saving_ended)
        stopped = asyncio.create_task(stop.wait())
        try:
            while not (stop.is_set() or self._broken or (once and self._queue.idle)):
                self._wake.clear()
                self._start_due()
                await self._until_something_is_due(stopped)
        finally:
            await self._wind_up(saving, stopped)
        if self._broken:
            raise self._broken

    async def poll(self, feed: Feed) -> Decision:
        """Polls the feed now, whatever its schedule, publishes what is new and remembers it.

        A failure of the feed or the network is part of the decision and raises nothing.
        Raises: what `publish` raises; StorageError.
        """
        async with self._locks[feed.url]:
            history = self._state.history(feed.url)
            answer, found = await self._reader.ask(feed, history)
            if found.entries or found.rejects:
                with self._clock.working():
                    await self._publish([*found.entries, *found.rejects])
            return self._remember(feed, history, answer, found)

    async def push(self, url: str, response: Response) -> None:
        """Takes in what the hub of a listed feed has pushed, as if it had been polled, but for what it leaves out.

        url: of the feed. response: the push, as an answer of the topic's address. What is no feed is rejected.
        Raises: what `publish` raises; StorageError; KeyError for a feed that is not polled.
        """
        feed = self._feeds[url]
        async with self._locks[url]:
            found = await self._reader.pushed(feed, self._state.history(url), response)
            if found.entries or found.rejects:
                with self._clock.working():
                    await self._publish([*found.entries, *found.rejects])
            now = self._clock.now()
            history = _with_rejects(self._state.history(url), found, now)
            self._state.remember(url, found.shown.get("", {}), now, whole=False)
            self._state.save(after_push(history, found.reading(), now) if found.shown else history)
            self.counts["pushes"] += 1
            self.counts["entries"] += found.new
            self.counts["edited"] += found.edited
            self._unsaved.set()

    # -- afterwards ---------------------------------------------------------------------------------------------------

    def _remember(self, feed: Feed, history: History, answer: Answer, found: Found) -> Decision:
        """Everything here is saved together; what it stands for is durable already."""
        now = self._clock.now()
        # The hub may have verified or pushed while the feed was being asked.
        history = _with_rejects(history.but(hub=self._state.history(feed.url).hub), found, now)
        self.counts["rejects"] += len(found.rejects)
        online = self._network.note(self._host(feed.url), history, answer)
        retire = self._settings.feeds.retire_days * DAY
        decision = next_poll(history, answer, now, self._bounds(feed), retire=retire, online=online)
        for part, shown in found.shown.items():
            self._state.remember(feed.url, shown, now, part)
        history = decision.history
        if found.children is not None and not isinstance(answer, Failed):
            for part in history.children.keys() - found.children.keys():
                self._state.part_gone(feed.url, part, now)
            history = history.but(children=found.children, hub_offered=found.hub, topic=found.topic)
            decision = replace(decision, history=history)
        self._state.save(history)
        self._count(answer, found)
        _tell(feed, decision)
        self._unsaved.set()
        if self._state.unsaved >= SAVE_FEEDS:
            self._save()
        return decision

    def _count(self, answer: Answer, found: Found) -> None:
        counts = self.counts
        counts["polls"] += 1
        if isinstance(answer, Failed):
            counts["failed"] += 1
        elif isinstance(answer, Unmodified):
            counts["unmodified"] += 1
        else:
            counts["same" if answer.reading is None else "changed"] += 1
        counts["entries"] += found.new
        counts["edited"] += found.edited

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _due(self, feed: Feed, now: float) -> float:
        """When the feed is due, by what is remembered; at once if nothing is, or if a clock was wrong."""
        history = self._state.history(feed.url)
        if history.next_poll is None:
            return now
        latest = now + 2 * max(history.interval or 0.0, self._bounds(feed).low)
        return min(history.next_poll, latest)

    def _rests(self, feed: Feed) -> bool:
        """Whether a feed is given up, or its server asked for a rest: who polls every minute must not undo that."""
        history = self._state.history(feed.url)
        return history.state != "active" or history.failing_as in RESTS

    def _new_queue(self) -> DueQueue:
        fetch = self._settings.fetch
        return DueQueue(PLACES * fetch.connections, fetch.host_connections)

    def _start_due(self) -> None:
        while not self._stopping and (turn := self._queue.next(self._clock.now())):
            task = asyncio.create_task(self._take_turn(turn))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take_turn(self, turn: Turn) -> None:
        """One poll in its place; no error of one feed stops the others."""
        feed, started = self._feeds[turn.url], self._clock.now()
        due = None
        try:
            due = (await self.poll(feed)).when
        except StorageError as e:
            self._broken = e
        except Exception as e:
            log.exception("polling %s failed", feed.url, exc_info=e)
        now = self._clock.now()
        if due is None:
            due = now + max(self._bounds(feed).low, MINUTE)
        self._queue.done(turn, now - started)
        if not self._once:
            soonest = self._queue.soonest()
            self._queue.add(feed.url, self._host(feed.url), due)
            if soonest is None or due < soonest:
                self._wake.set()
        if self._broken or (self._once and self._queue.idle):
            self._wake.set()
        else:
            self._start_due()

    async def _until_something_is_due(self, stopped: asyncio.Task[bool]) -> None:
        soonest = self._queue.soonest()
        if soonest is not None and soonest <= self._clock.now():
            return  # time went on since the last look
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._wake.wait())]
        if soonest is not None:
            waits.append(asyncio.create_task(self._clock.sleep_until(soonest)))
        try:
            await asyncio.wait([*waits, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _wind_up(self, saving: asyncio.Task[None], stopped: asyncio.Task[bool]) -> None:
        self._stopping = True
        stopped.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_SECONDS)
        tasks = [*self._tasks, saving]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=END_SECONDS / 2)
        self._save()

    # -- saving -------------------------------------------------------------------------------------------------------

    async def _save_regularly(self) -> None:
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            await self._clock.sleep_until(self._clock.now() + SAVE_SECONDS)
            while not self._save():
                await self._clock.sleep_until(self._clock.now() + PAUSE_SECONDS)

    def _saving_ended(self, saving: asyncio.Task[None]) -> None:
        if not saving.cancelled() and (error := saving.exception()):
            self._broken = self._broken or error
            self._wake.set()

    def _save(self) -> bool:
        """False while the disk does not take it: it is kept in memory."""
        try:
            self._state.flush()
        except StoragePaused as e:
            log.warning("what was polled is not saved yet: %s", e)
            return False
        except StorageError as e:
            self._broken = e
            self._wake.set()
        return True

    # -- of a feed ----------------------------------------------------------------------------------------------------

    def _bounds(self, feed: Feed) -> Bounds:
        own = self._settings.feeds
        low = (feed.min_minutes if feed.min_minutes is not None else own.min_minutes) * MINUTE
        high = (feed.max_minutes if feed.max_minutes is not None else own.max_minutes) * MINUTE
        return Bounds(low, max(low, high))

    def _host(self, url: str) -> str:
        address = self._state.history(url).asked_at
        return host_of(address) or address


class _Network:
    """Whether our own network works: hosts that were well before and fail one after the other, while none answers."""

    def __init__(self, state: FeedState, feeds: Mapping[str, Feed]) -> None:
        self._state, self._feeds = state, feeds
        self._silent: set[str] = set()

    def note(self, host: str, history: History, answer: Answer) -> bool:
        """Takes note of an answer; False if it seems that nothing outside can be reached."""
        if isinstance(answer, Failed) and answer.ours:
            return True
        if not (isinstance(answer, Failed) and answer.network):
            self._silent.clear()
            return True
        if history.last_success is not None and history.failing == 0:
            self._silent.add(host)
        if len(self._silent) >= OFFLINE_HOSTS:
            return False
        return len(self._silent) < 2 or not self._well() <= self._silent

    def _well(self) -> set[str]:
        """Hosts of feeds that worked when they were polled last."""
        histories = [self._state.history(url) for url in self._feeds]
        well = [h for h in histories if h.state == "active" and h.last_success is not None and h.failing == 0]
        return {host_of(h.asked_at) or h.asked_at for h in well}


def _with_rejects(history: History, found: Found, now: float) -> History:
    if not found.rejects:
        return history
    return history.but(rejected={**history.rejected, **{reject.reason: now for reject in found.rejects}})


def _tell(feed: Feed, decision: Decision) -> None:
    if decision.retired:
        log.warning("%s is retired: %s", feed.url, decision.retired)
    if decision.gone:
        log.warning("%s is gone: %s", feed.url, decision.gone)
    if decision.revived:
        log.info("%s works again", feed.url)
    if decision.drop_validators:
        log.info("%s is read in full from now on: %s", feed.url, decision.drop_validators)
    if decision.moved_to:
        log.info("%s has moved for good to %s", feed.url, decision.moved_to)
    elif decision.moved_to == "":
        log.info("%s: %s", feed.url, decision.why)
