"""Polls feeds: asks what is due, archives and reads what has changed, and announces new and edited entries.

Nothing of an answer is remembered before `publish` has returned, so a kill makes a poll repeat and loses no entry.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Protocol

from connectors.clock import Clock
from connectors.duequeue import DueQueue, Turn
from connectors.feedlist import Feed
from connectors.feedstate import FeedState
from connectors.freshness import fresh_for, retry_after
from connectors.responses import FetchFailed, Kind, Response
from connectors.schedule import (
    DAY,
    MINUTE,
    Answer,
    Bounds,
    Child,
    Decision,
    Failed,
    Full,
    History,
    Reading,
    Unmodified,
    after_push,
    next_poll,
    question,
    sendable,
    validators,
)
from connectors.sites import same_site
from connectors.sources.entries import ParsedFeed, entry_key, entry_mark
from connectors.sources.sitemaps import ChildSitemap, SitemapIndex
from connectors.urls import host_of
from connectors.websub import discover
from pipeline.config import Config
from pipeline.errors import RasdError, Stalled, StorageError, StoragePaused, Unusable
from pipeline.records import Archived, Article, Entry, Reject

log = logging.getLogger("rasd.poller")

STAGE = "feed"
LONGEST_ERROR = 500  # code points
KEPT = 65_536  # bytes that a reject keeps of a feed
SAVE_SECONDS = 0.2  # between a poll and its being on disk, at most
SAVE_FEEDS = 200  # polls that are written in one transaction at the latest
PAUSE_SECONDS = 2.0  # between two tries while the disk is full
END_SECONDS = 1.0  # for polls under way to finish when asked to stop
PLACES = 2  # polls in flight for each connection: those that wait for their host's delay hold none
REJECT_AGAIN = DAY  # the same failure of the same feed is reported once in that time
OFFLINE_HOSTS = 5  # that were well before and fail in a row without any other answering: it is our own network
NETWORK = frozenset(("dns", "connection", "tls", "timeout"))
OUR_DOING = frozenset(("held",))  # the host as a whole asked for a pause, which the client keeps
OF_CONTENT = frozenset(("too-large", "bad-encoding", "bad-response", "redirects", "forbidden-address", "bad-url"))

CHILDREN = 10  # sitemaps of an index, the newest, that are read at one poll
CHILD_REQUESTS = 20  # of one poll, indexes inside the index counted
DEEPEST = 2  # levels of sitemaps below the listed index
CHILD_SETTLED = 2 * DAY  # a sitemap that states an older lastmod, unchanged since it was read, is not asked
CHILD_TRUST = 24  # answers "unchanged" before a child is read in full
FIRST_SIGHT = 7 * DAY  # of a sitemap's entries at first sight, those that say they are older are an archive


class Publish(Protocol):
    """Returns once the records are durable in the log."""

    async def __call__(self, records: Sequence[Entry | Article | Reject]) -> None: ...


class Parse(Protocol):
    """`connectors.sources.parse.parse_source` in a child process. Raises: Unusable, Stalled."""

    async def __call__(
        self, body: bytes, *, url: str, charset: str | None, kind: Kind, latest: dt.datetime
    ) -> ParsedFeed | SitemapIndex: ...


class Gets(Protocol):
    """`connectors.polite.PoliteClient`, as far as polling needs it. Raises: FetchFailed."""

    async def get(self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None) -> Response: ...


class Keeps(Protocol):
    """`connectors.warc.WarcWriter`, as far as polling needs it."""

    async def keep(self, response: Response, kind: Kind, entry: Entry | None = None) -> Archived: ...


@dataclass(slots=True)
class _Found:
    """What a poll found, on its way to be published and then remembered.

    shown: part → what it shows now, by key (see `FeedState.news`). whole: parts whose showing is complete.
    """

    new: int = 0
    edited: int = 0
    entries: list[Entry] = field(default_factory=list)
    shown: dict[str, dict[str, str]] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    wants: float | None = None
    hub: str | None = None
    topic: str | None = None
    children: dict[str, Child] | None = None
    requests: int = 0
    failed: Failed | None = None
    rejects: list[Reject] = field(default_factory=list)

    def reading(self) -> Reading:
        return Reading(
            new=self.new,
            edited=self.edited,
            shown=len(self.shown.get("", ())),  # an index shows none itself
            times=tuple(self.times),
            wants=self.wants,
        )


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
        self._state, self._client, self._publish = state, client, publish
        self._archive, self._parse, self._clock, self._settings = archive, parse, clock, settings
        self._queue = self._new_queue()
        self._network = _Network(state, self._feeds)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake, self._unsaved = asyncio.Event(), asyncio.Event()
        self._broken: Exception | None = None
        self._stopping = self._once = False
        self.counts: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event, *, once: bool = False) -> None:
        """Polls until `stop` is set and returns within two seconds of it. once: every feed once, due or not, and then
        ends. Raises: StorageError if what is remembered can no longer be kept."""
        self._stopping, self._once, self._queue = False, once, self._new_queue()
        now = self._clock.now()
        for feed in self._feeds.values():
            self._queue.add(feed.url, self._host(feed.url), now if once else self._due(feed, now))
        saving = asyncio.create_task(self._save_regularly())
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
            found = _Found()
            answer = await self._answer(feed, history, found)
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
            history, found = self._state.history(url), _Found()
            try:
                parsed, archived = await self._parsed(response, feed.kind)
            except _Unreadable as e:
                self._reject(feed, history, found, e.cause, e.body, e.archived)
            else:
                if isinstance(parsed, ParsedFeed):
                    self._sort_out(feed, response, parsed, archived, found)
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

    # -- one answer ---------------------------------------------------------------------------------------------------

    async def _answer(self, feed: Feed, history: History, found: _Found) -> Answer:
        """What asking comes to. Whatever an answer does to us, it is that feed's failure and no more."""
        try:
            return await self._ask(feed, history, found)
        except FetchFailed as e:
            if e.reason in OF_CONTENT:
                self._reject(feed, history, found, e, e.url.encode("utf-8", "replace"))
            return _failed(e)
        except _Unreadable as e:
            self._reject(feed, history, found, e.cause, e.body, e.archived)
            return Failed(reason=e.cause.reason, error=_plain(e.cause))
        except (OSError, StoragePaused) as e:
            log.warning("%s cannot be taken in just now: %s", feed.url, e)
            return Failed(reason="our-own", error=_plain(f"it cannot be taken in just now ({e})"), ours=True)
        except StorageError:
            raise
        except Exception as e:
            log.exception("an answer of %s was not foreseen", feed.url)
            return Failed(reason="unforeseen", error=_plain(f"{type(e).__name__}: {e}"))

    async def _ask(self, feed: Feed, history: History, found: _Found) -> Answer:
        now = self._clock.now()
        headers = question(history, now)
        response = await self._client.get(history.asked_at, kind=feed.kind, headers=headers)
        if response.status == 304 and not (headers and _believable(history, response)):
            headers = {}
            response = await self._client.get(history.asked_at, kind=feed.kind, headers=headers)
        fresh = fresh_for(response.headers, now)
        if response.status == 304 and headers:
            if history.children:
                await self._read_children(feed, history, _known_children(history), found)
                if found.failed:
                    return found.failed
            reading = found.reading() if history.children else None
            return Unmodified(url=response.url, fresh=fresh, moved_to=response.moved_to, reading=reading)
        if response.status not in (200, 203):
            return Failed(
                reason=f"status-{response.status}",
                error=_plain(f"the server answers {response.status} {response.reason}".rstrip()),
                after=retry_after(response.headers, now),
            )
        return await self._read(feed, history, response, found, conditional=bool(headers), fresh=fresh)

    async def _read(
        self, feed: Feed, history: History, response: Response, found: _Found, *, conditional: bool, fresh: float | None
    ) -> Answer:
        digest = _digest(response.body)
        if digest != history.body_hash:
            parsed, archived = await self._parsed(response, feed.kind)
            if isinstance(parsed, SitemapIndex):
                await self._read_children(feed, history, parsed.children, found)
            else:
                found.wants, found.children = parsed.ttl_seconds, {}
                found.hub, found.topic = discover(response, parsed)
                self._sort_out(feed, response, parsed, archived, found)
        elif history.children:
            await self._read_children(feed, history, _known_children(history), found)
        if found.failed:
            return found.failed
        unread = digest == history.body_hash and not history.children
        return Full(
            url=response.url,
            body_hash=digest,
            etag=sendable(response.header("etag")),
            last_modified=sendable(response.header("last-modified")),
            fresh=fresh,
            moved_to=response.moved_to,
            conditional=conditional,
            reading=None if unread else found.reading(),
        )

    async def _parsed(self, response: Response, kind: Kind) -> tuple[ParsedFeed | SitemapIndex, Archived]:
        archived = await self._archive.keep(response, kind)
        latest = response.fetched + dt.timedelta(days=1)
        try:
            with self._clock.working():
                parsed = await self._parse(
                    response.body, url=response.url, charset=response.charset, kind=kind, latest=latest
                )
        except (Unusable, Stalled) as e:
            raise _Unreadable(e, response.body, archived) from e
        return parsed, archived

    def _sort_out(
        self, feed: Feed, response: Response, parsed: ParsedFeed, archived: Archived, found: _Found, part: str = ""
    ) -> None:
        """Of the entries of one body, those to publish."""
        entries = [
            replace(
                entry,
                feed=feed.url,
                outlet=feed.outlet or entry.outlet,
                language=entry.language or feed.language,
                seen=response.fetched,
                archive=archived,
            )
            for entry in parsed.entries
        ]
        keyed = _keyed(entries)
        shown = {key: mark for key, (mark, _) in keyed.items()}
        new, edited = self._state.news(feed.url, shown, part)
        archival = "sitemap" in parsed.dialect and len(new) == len(shown)
        eldest = response.fetched.timestamp() - FIRST_SIGHT
        wanted = [keyed[key][1] for key in new]
        if archival:
            wanted = [e for e in wanted if (_time(e) or eldest) >= eldest]
        found.entries += wanted
        found.entries += [keyed[key][1] for key in edited]
        found.new += len(new)
        found.edited += len(edited)
        found.shown[part] = shown
        found.times += [t for t in map(_time, entries) if t is not None]

    async def _read_children(
        self,
        feed: Feed,
        history: History,
        index: Sequence[ChildSitemap],
        found: _Found,
        parent: str = "",
        depth: int = 1,
    ) -> None:
        """Reads the newest sitemaps of an index, as far as they have changed; what of them fails is tried next time.

        If none at all answers, that is the feed's failure.
        """
        found.children = children = {} if found.children is None else found.children
        chosen = [c for c in index if same_site(c.url, feed.url) and c.url not in children][:CHILDREN]
        good, failure = 0, None
        for child in chosen:
            known = history.children.get(child.url)
            children[child.url] = known or Child(parent=parent)  # kept so if it cannot be read now
            if known and self._settled(child, known):
                good += 1
                continue
            if found.requests >= CHILD_REQUESTS:
                break
            found.requests += 1
            try:
                children[child.url] = await self._read_child(feed, history, child, known, found, parent, depth)
                good += 1
            except FetchFailed as e:
                failure = _failed(e)
                log.info("%s, a sitemap of %s: %s", child.url, feed.url, e)
            except _Unreadable as e:
                failure = Failed(reason=e.cause.reason, error=_plain(e.cause))
                self._reject(feed, history, found, e.cause, e.body, e.archived)
        if failure and not good and depth == 1:
            found.failed = failure

    def _settled(self, child: ChildSitemap, known: Child) -> bool:
        if child.updated is None or known.body_hash is None:
            return False
        stated = child.updated.timestamp()
        return stated == known.modified and stated < self._clock.now() - CHILD_SETTLED

    async def _read_child(
        self,
        feed: Feed,
        history: History,
        child: ChildSitemap,
        known: Child | None,
        found: _Found,
        parent: str,
        depth: int,
    ) -> Child:
        modified = child.updated.timestamp() if child.updated else None
        headers = {}
        if known and known.body_hash and known.since_full < CHILD_TRUST:
            headers = validators(known.etag, known.last_modified)
        response = await self._client.get(child.url, kind="sitemap", headers=headers)
        if response.status == 304 and known and headers:
            return replace(known, modified=modified, since_full=known.since_full + 1)
        if response.status != 200:
            raise FetchFailed(
                f"the server answers {response.status}", reason=f"status-{response.status}", url=child.url,
                after=retry_after(response.headers, self._clock.now()),
            )  # fmt: skip
        digest = _digest(response.body)
        read = Child(
            etag=sendable(response.header("etag")), last_modified=sendable(response.header("last-modified")),
            body_hash=digest, modified=modified, parent=parent,
        )  # fmt: skip
        if known and known.body_hash == digest:
            return read
        parsed, archived = await self._parsed(response, "sitemap")
        if isinstance(parsed, ParsedFeed):
            self._sort_out(feed, response, parsed, archived, found, part=child.url)
            return read
        if depth < DEEPEST:
            await self._read_children(feed, history, parsed.children, found, child.url, depth + 1)
        return Child(modified=modified, parent=parent)  # read in full each time: its own children are found that way

    # -- afterwards ---------------------------------------------------------------------------------------------------

    def _remember(self, feed: Feed, history: History, answer: Answer, found: _Found) -> Decision:
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
        if found.children is not None and not found.failed:
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

    def _reject(
        self,
        feed: Feed,
        history: History,
        found: _Found,
        error: RasdError,
        body: bytes,
        archived: Archived | None = None,
    ) -> None:
        """Makes a reject of what cannot be used, once for each reason a day."""
        last = history.rejected.get(error.reason)
        if last is not None and last > self._clock.now() - REJECT_AGAIN:
            return
        if any(reject.reason == error.reason for reject in found.rejects):
            return
        reject = Reject(
            stage=STAGE,
            reason=error.reason,
            error=_plain(f"{feed.url}: {error}"),
            retryable=error.retryable,
            file=archived.file if archived else None,
            offset=archived.offset if archived else None,
            key=feed.url,
            value=base64.b64encode(body[:KEPT]).decode(),
            truncated=len(body) > KEPT,
        )
        found.rejects.append(reject)

    def _count(self, answer: Answer, found: _Found) -> None:
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
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._wake.wait())]
        if soonest is not None and soonest > self._clock.now():
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


class _Unreadable(Exception):
    """An answer that cannot be parsed, whole."""

    def __init__(self, cause: Unusable | Stalled, body: bytes, archived: Archived) -> None:
        super().__init__(str(cause))
        self.cause, self.body, self.archived = cause, body, archived


def _with_rejects(history: History, found: _Found, now: float) -> History:
    if not found.rejects:
        return history
    return history.but(rejected={**history.rejected, **{reject.reason: now for reject in found.rejects}})


def _failed(error: FetchFailed) -> Failed:
    reason = error.reason
    return Failed(
        reason=reason, error=_plain(error), after=error.after, network=reason in NETWORK, ours=reason in OUR_DOING
    )  # fmt: skip


def _believable(history: History, response: Response) -> bool:
    """Whether "unchanged" comes from where the body came from: a redirect may have led elsewhere since."""
    return history.source is None or host_of(history.source) == host_of(response.url)


def _known_children(history: History) -> list[ChildSitemap]:
    """The sitemaps that the index named when it was read last."""
    return [
        ChildSitemap(url, dt.datetime.fromtimestamp(c.modified, dt.UTC) if c.modified is not None else None)
        for url, c in history.children.items()
        if not c.parent
    ]


def _keyed(entries: Sequence[Entry]) -> dict[str, tuple[str, Entry]]:
    """Entries by key, with their marks. Where several different ones share a key, each is known by its mark as well:
    else every poll would take them for edits of each other."""
    by_key: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        by_key[entry_key(entry)].setdefault(entry_mark(entry), entry)
    keyed = {}
    for key, marks in by_key.items():
        for mark, entry in marks.items():
            keyed[key if len(marks) == 1 else f"{key} {mark}"] = (mark, entry)
    return keyed


def _time(entry: Entry) -> float | None:
    moment = entry.published or entry.updated
    return moment.timestamp() if moment else None


def _plain(said: object) -> str:
    """Words of a server, fit to be kept: of bounded length, without what UTF-8 does not have."""
    return str(said)[:LONGEST_ERROR].encode("utf-8", "replace").decode()


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


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
