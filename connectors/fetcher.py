"""Reads the pages that feeds announce: fetch, archive, clean, publish, remember; and reads them again.

What becomes of a page is decided in `connectors.recheck` (when), `connectors.deadends` (what is no article) and
`connectors.sources.pages` (who is believed); the order of effects stands here. It is always archive, then publish, then
frontier, so that a kill at any moment repeats at most what readers behind know how to drop. docs/fetching.md.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeVar

from connectors.clean import Page
from connectors.clock import Clock
from connectors.deadends import dead_end, refresh_target
from connectors.frontier import Frontier, Memory, Row, Settled, State, Taken, address_of, encode_entry
from connectors.hosts import Hosts
from connectors.polite import LONGEST_HOLD, LONGEST_WAIT, retry_after
from connectors.recheck import check_after_change, counted_from, forget_at, next_check, retry_at, spans_of, wait_until
from connectors.responses import FetchFailed, Kind, Response
from connectors.sources.pages import entry_article, page_article
from connectors.urls import canonical_url, host_of
from connectors.warc import Known
from pipeline.config import FeedSettings, FetchSettings
from pipeline.errors import RasdError, StoragePaused, Unusable
from pipeline.records import Archived, Article, Entry, Reject
from pipeline.telemetry import logger

T = TypeVar("T")
log = logger("fetch")

STAGE = "fetch"
ENTRIES = "rasd.entries"  # topic that a reject's entry goes back to
IN_HAND_BYTES = 64_000_000  # bodies that wait for cleaning; beyond it nothing new is asked for
BATCH = 64  # readings settled at once
PAUSE_SECONDS = 2.0  # between two tries of a write while the disk is full
EXPIRE_SECONDS = 600.0
LONGEST_VALIDATOR = 500  # code points; what is longer is no validator but an attack on the frontier
CLEANINGS = 1  # tries that a page gets that stalls its cleaner; the first may have been somebody else's fault

#: What no later reading can mend: the page is not asked for again unless a feed changes its entry.
_FINAL = frozenset(("robots", "forbidden-address", "bad-url", "gone", "media-type", "too-large", "no-address"))
#: Of these, what one answer says of itself: a page that was read before may come right again.
_OF_ANSWER = frozenset(("media-type", "too-large"))
_ABSENT = frozenset(("not-found", "gone", "soft-404"))
_STATUS = {401: "forbidden", 402: "paywall", 403: "forbidden", 404: "not-found", 407: "forbidden", 410: "gone",
           429: "rate-limited", 451: "forbidden"}  # fmt: skip
_PASSING = frozenset((408, 425, 429, *range(500, 600)))


class Getter(Protocol):
    """`connectors.polite.PoliteClient`."""

    async def get(self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None) -> Response: ...


class Keeper(Protocol):
    """`connectors.warc.WarcWriter`."""

    async def keep(
        self, response: Response, kind: Kind, entry: Entry | None = None, *, known: Known | None = None
    ) -> Archived: ...

    async def keep_entry(self, entry: Entry, url: str | None = None, *, known: Known | None = None) -> Archived: ...


class Clean(Protocol):
    """Cleans a page in a process that can be killed. Raises: Unusable, or a retryable RasdError."""

    def __call__(self, body: bytes, *, url: str, charset: str | None) -> Awaitable[Page]: ...


Publish = Callable[[Sequence[Article | Reject]], Awaitable[None]]


@dataclass(slots=True)
class Counts:
    """What was done so far. new, revised: articles published, first or changed. feed_texts: of these, the feed's own.
    unchanged: readings that found nothing new (not_modified: of these, 304). failures, rejects: by reason."""

    requests: int = 0
    new: int = 0
    revised: int = 0
    feed_texts: int = 0
    unchanged: int = 0
    not_modified: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Read:
    """A reading that is over: what to publish, and what becomes of the row then."""

    settled: Settled
    record: Article | Reject | None = None


class _Failed(Exception):
    """A page without article, on its way to `_without`.

    reason, words: why. passing: worth another try soon. after: seconds the server asked to wait.
    rest: when its host may be asked again. archive: where the
    answer lies. url: the address that answered. memory: what was learnt before it failed.
    """

    def __init__(
        self,
        reason: str,
        words: str,
        *,
        passing: bool = False,
        after: float | None = None,
        rest: float | None = None,
        archive: Archived | None = None,
        url: str | None = None,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(words)
        self.reason, self.passing, self.after, self.rest = reason, passing, after, rest
        self.archive, self.url, self.memory = archive, url, memory

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed another day without anything being mended here."""
        return self.passing or self.rest is not None


class Fetcher:
    """Takes entries and publishes articles and rejects. `take` may be called while `run` runs, and before."""

    def __init__(
        self,
        frontier: Frontier,
        client: Getter,
        publish: Publish,
        *,
        archive: Keeper,
        clean: Clean,
        clock: Clock,
        settings: FetchSettings,
        recheck: Sequence[str] = FeedSettings().recheck,
    ) -> None:
        """publish: returns once the records are durable. clean: see `Clean`. recheck: setting `feeds.recheck`.

        As many pages are under way at once as `settings.connections`, of one host `settings.host_connections`.
        """
        self.frontier, self.counts = frontier, Counts()
        self._client, self._publish, self._archive, self._clean = client, publish, archive, clean
        self._clock, self._spans = clock, spans_of(recheck)
        self._places = settings.connections
        self._hosts = Hosts(settings.connections, settings.host_connections)
        self._reading: dict[asyncio.Task[None], Row] = {}
        self._bytes = 0
        self._wake = asyncio.Event()
        self._alone = asyncio.Lock()  # the frontier is one thread's at a time
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rasd-frontier")
        self._over: asyncio.Queue[_Read | None] = asyncio.Queue(2 * BATCH)
        self._expired = 0.0
        self._broken: BaseException | None = None

    async def take(self, entries: Sequence[Entry]) -> Taken:
        """Returns once the entries are durable in the frontier, or, where one has no UTF-8 form, its reject in the log.

        While the disk is full it waits and tries again.
        """
        taken = await self._in_frontier(self.frontier.take, entries, self._clock.now())
        if taken.refused:
            rejects = [_reject(entry, "bad-text", "an entry without UTF-8 form", None) for entry in taken.refused]
            self.counts.rejects["bad-text"] += len(rejects)
            with self._clock.working():
                await self._publish(rejects)
        self._wake.set()
        return taken

    async def run(self, stop: asyncio.Event) -> None:
        """Reads what is due until `stop` is set; what is under way then is left for the next run.

        Raises: what `publish` or the archive raises for good, and StorageError for a broken frontier.
        """
        publisher = asyncio.ensure_future(self._publish_and_settle())
        stopped = asyncio.ensure_future(stop.wait())
        publisher.add_done_callback(lambda _: self._wake.set())
        try:
            while not stop.is_set() and not publisher.done() and self._broken is None:
                self._wake.clear()
                await self._wait(await self._start_due(), stopped)
        finally:
            stopped.cancel()
            await self._put_back()
            if not publisher.done():
                await self._over.put(None)
            await publisher
        if self._broken is not None:
            raise self._broken

    @property
    def idle(self) -> bool:
        """True if no page is being read and none is due."""
        if self._alone.locked():  # the frontier is at work
            return False
        return not self._reading and self._over.empty() and not self.frontier.busy(self._clock.now())

    async def waiting(self) -> int:
        """How many pages are due and not read yet."""
        return await self._in_frontier(self.frontier.waiting, self._clock.now())

    async def close(self) -> None:
        """Closes the frontier. Call it when `run` is over."""
        await self._in_frontier(self.frontier.close)
        self._thread.shutdown()

    # -- what is next --------------------------------------------------------------------------------------------------

    async def _start_due(self) -> float:
        """Begins what there is room for. Returns when to look again if nothing happens before."""
        now = self._clock.now()
        if now >= self._expired + EXPIRE_SECONDS:
            self._expired = now
            await self._in_frontier(self.frontier.expire, now)
        free = self._places - len(self._reading)
        if free <= 0 or self._bytes > IN_HAND_BYTES or self._over.full():
            return self._expired + EXPIRE_SECONDS
        reserved: dict[str, list[bool]] = {}

        def may(host: str, busy: int) -> bool:
            if not self._hosts.may(host, busy):
                return False
            reserved.setdefault(host, []).append(self._hosts.began(host))
            return True

        async def lease() -> tuple[list[Row], float | None]:
            async with self._alone:
                return self.frontier.lease(now, free, may), self.frontier.next_due()

        rows, due = await self._until_written(lease)
        for row in rows:
            task = asyncio.ensure_future(self._read(row, reserved[row.host].pop()))
            self._reading[task] = row
            task.add_done_callback(self._read_over)
        for unused in reserved.values():
            for doubtful in unused:
                self._hosts.ended(doubtful)
        return min(due or math.inf, self._expired + EXPIRE_SECONDS)

    def _read_over(self, task: asyncio.Task[None]) -> None:
        self._reading.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
        self._wake.set()

    async def _wait(self, until: float, stopped: asyncio.Future[Literal[True]]) -> None:
        """Until something changed or becomes due."""
        wake = asyncio.ensure_future(self._wake.wait())
        sleep = asyncio.ensure_future(self._clock.sleep_until(until))
        try:
            await asyncio.wait((wake, sleep, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            wake.cancel()
            sleep.cancel()

    async def _put_back(self) -> None:
        rows = list(self._reading.values())
        tasks = list(self._reading)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._alone:
            self.frontier.release(rows)

    # -- one page ------------------------------------------------------------------------------------------------------

    async def _read(self, row: Row, doubtful: bool) -> None:
        try:
            try:
                done = await self._page(row)
            except _Failed as failed:
                done = await self._without(row, failed)
            except RasdError as e:
                done = await self._without(row, _Failed(e.reason, str(e), passing=e.retryable))
            except Exception as e:  # whatever it is, it costs this page a try and nothing else
                log.exception("%s: could not be read", row.key)
                done = await self._without(row, _Failed("internal", f"{type(e).__name__}: {e}", passing=True))
        finally:
            self._hosts.ended(doubtful)
        await self._over.put(done)

    async def _page(self, row: Row) -> _Read:
        """Raises: _Failed where there is no article."""
        address = address_of(row.entry)
        if address is None:
            raise _Failed("no-address", "the feed gives no address of its own for it")
        response = await self._get(row, address)
        memory = row.memory or Memory()
        raw = hashlib.blake2b(response.raw, digest_size=16).hexdigest()
        if response.status == 304 or raw == memory.raw:
            return self._unchanged(row, _landed(memory, response), response)
        if reason := dead_end(address, response):
            raise _Failed(reason, f"{response.url} is no article ({reason})", memory=_validators(memory, response, raw))
        known = _known(row, canonical_url(response.url) != canonical_url(address))
        self._bytes += len(response.raw) + len(response.body)
        try:
            archive = await self._archive.keep(response, "page", row.entry, known=known)
            page = await self._cleaned(row, response, archive, _validators(memory, response, raw))
        finally:
            self._bytes -= len(response.raw) + len(response.body)
        article = page_article(page, response.url, response.fetched, archive, row.entry)
        if known is not None:
            try:
                article = known.settle(article)
            except Unusable as e:
                raise _Failed(e.reason, str(e), memory=memory) from e
        return await self._article(row, _validators(_landed(memory, response), response, raw), article)

    async def _get(self, row: Row, address: str) -> Response:
        """An answer of status 200 or 304. Raises: _Failed."""
        if (until := self._hosts.down_until(row.host)) > self._clock.now():
            raise _Failed("host-down", f"{row.host} does not answer", rest=until)
        response = await self._ask(row, address, _conditions(row))
        if response.status == 200 and (to := refresh_target(response)) is not None:
            response = await self._ask(row, to, {})
        if response.status == 304 and row.memory is not None:
            return response
        if response.status == 200:
            return response
        now = self._clock.now()
        after = retry_after(response.header("retry-after"), now)
        if after is not None and after > LONGEST_WAIT and response.status in (429, 503):
            self._hosts.rest(row.host, now + min(after, LONGEST_HOLD))
        status = response.status
        reason = _STATUS.get(status, "server-error" if status >= 500 else "no-text" if status < 300 else "refused")
        raise _Failed(reason, f"{response.url} answered {status}", passing=status in _PASSING, after=after)

    async def _ask(self, row: Row, address: str, headers: dict[str, str]) -> Response:
        self.counts.requests += 1
        begin = self._clock.now()
        try:
            response = await self._client.get(address, kind="page", headers=headers)
        except FetchFailed as e:
            now = self._clock.now()
            if e.retryable and e.after:  # it asks for a rest
                self._hosts.rest(row.host, now + e.after)
                raise _Failed(e.reason, str(e), rest=now + e.after) from e
            if e.retryable:
                self._hosts.failed(row.host, now)
            raise _Failed(e.reason, str(e), passing=e.retryable) from e
        self._hosts.answered(row.host, self._clock.now() - begin)
        return response

    async def _cleaned(self, row: Row, response: Response, archive: Archived, memory: Memory) -> Page:
        try:
            with self._clock.working():
                return await self._clean(response.body, url=response.url, charset=response.charset)
        except RasdError as e:
            again = e.retryable and row.tries < CLEANINGS
            known = row.memory or Memory() if again else memory  # else the same bytes would count as read
            raise _Failed(
                e.reason, f"{response.url}: {e}", passing=again, archive=archive, url=response.url, memory=known
            ) from e

    async def _article(self, row: Row, memory: Memory, article: Article) -> _Read:
        """What the article of a page means beside what went on before."""
        now = self._clock.now()
        if memory.article is None:
            return await self._first(row, memory, article, now)
        if article.content_hash == memory.content:
            return self._unchanged(row, memory, None)
        changed = memory.content is not None and not memory.from_feed
        due, extra = next_check(row.key, memory.base, now, self._spans), False
        if changed:
            due, extra = check_after_change(row.key, memory.base, now, memory.extra, self._spans)
        memory = replace(memory, extra=memory.extra + extra)
        self.counts.revised += 1
        return self._settle(row, _went_on(memory, article, from_feed=False), article, "done", due)

    async def _first(self, row: Row, memory: Memory, article: Article, now: float) -> _Read:
        memory = replace(memory, base=_base(row, article))
        due = next_check(row.key, memory.base, now, self._spans)
        if article.canonical_url is not None:
            async with self._alone:
                twin = self.frontier.twin(article.canonical_url, row)
            if twin is not None:  # the same page by another address: that one is read again, not this one
                due = None
                if twin.content == article.content_hash:
                    self.counts.unchanged += 1
                    return self._settle(row, _went_on(memory, article, from_feed=False), None, "done", None)
        self.counts.new += 1
        return self._settle(row, _went_on(memory, article, from_feed=False), article, "done", due)

    def _unchanged(self, row: Row, memory: Memory, response: Response | None) -> _Read:
        """response: the answer that showed it without cleaning, if that was how."""
        if response is not None and (
            memory.content is None or memory.from_feed
        ):  # the page is what was refused before; the feed may say more now
            raise _Failed(memory.refused or "no-text", f"{row.key}: the page is as it was", memory=memory)
        self.counts.unchanged += 1
        self.counts.not_modified += response is not None and response.status == 304
        return self._settle(row, memory, None, "done", next_check(row.key, memory.base, self._clock.now(), self._spans))

    # -- no page -------------------------------------------------------------------------------------------------------

    async def _without(self, row: Row, failed: _Failed) -> _Read:
        """What goes on without the page: a later try, the feed's own text, or a reject."""
        now = self._clock.now()
        self.counts.failures[failed.reason] += 1
        memory = failed.memory or row.memory or Memory()
        if failed.passing and (due := retry_at(row.key, row.tries + 1, now, failed.after)) is not None:
            return self._settle(row, memory, None, "held", due, tries=row.tries + 1, why=failed.reason)
        read = memory.content is not None and not memory.from_feed
        if failed.rest is not None:
            due = wait_until(row.key, failed.rest, row.since, memory.base if read else None, self._spans)
            if due is not None:
                return self._settle(row, memory, None, "held", due, tries=row.tries, why=failed.reason)
        if not memory.base:
            memory = replace(memory, base=_base(row, None))
        due = next_check(row.key, memory.base, now, self._spans)
        state: State = "failed"
        absent_before = memory.refused in _ABSENT or read
        final = failed.reason in _FINAL and not failed.may_pass and not (read and failed.reason in _OF_ANSWER)
        if final or (failed.reason in _ABSENT and absent_before):
            due, state = None, "gone" if failed.reason in _ABSENT else "failed"
        if read:  # the page's own text went on: nothing replaces that
            state = state if state == "gone" else "done"
            return self._settle(row, memory, None, state, due, why=failed.reason)
        return await self._feed_text(row, memory, failed, state, due)

    async def _feed_text(self, row: Row, memory: Memory, failed: _Failed, state: State, due: float | None) -> _Read:
        entry = row.entry
        where = failed.url or address_of(entry)
        if where is None:  # a front page is the address of no article
            entry = replace(entry, url=None)
        known = _known(row, moved=False)
        try:
            article = entry_article(entry, where)
        except Unusable:
            before, memory = memory.refused, replace(memory, refused=failed.reason)
            if before == failed.reason or memory.content is not None:
                return self._settle(row, memory, None, state, due, why=failed.reason)
            self.counts.rejects[failed.reason] += 1
            rejected = _reject(entry, failed.reason, str(failed), failed.archive, retryable=failed.may_pass)
            return self._settle(row, memory, rejected, state, due, why=failed.reason)
        memory = replace(memory, refused=failed.reason)
        article = known.settle(article) if known is not None else article
        if article.content_hash == memory.content or _poorer(article, memory):
            return self._settle(row, memory, None, state, due, why=failed.reason)
        archive = await self._archive.keep_entry(entry, where, known=known)
        article = replace(article, archive=archive)
        self.counts.feed_texts += 1
        if memory.content is None:
            self.counts.new += 1
        else:
            self.counts.revised += 1
        memory = _went_on(memory, article, from_feed=True)
        return self._settle(row, memory, article, state, due, why=failed.reason)

    def _settle(
        self,
        row: Row,
        memory: Memory,
        record: Article | Reject | None,
        state: State,
        due: float | None,
        *,
        tries: int = 0,
        why: str | None = None,
    ) -> _Read:
        forget = forget_at(memory.base, max(self._clock.now(), due or 0.0), self._spans)
        settled = Settled(row=row, state=state, due=due, tries=tries, why=why, memory=memory, forget=forget)
        return _Read(settled, record)

    # -- out -----------------------------------------------------------------------------------------------------------

    async def _publish_and_settle(self) -> None:
        """Publishes, then marks, batch after batch: what piles up meanwhile is the next one."""
        last = False
        while not last:
            batch = [await self._over.get()]
            while len(batch) < BATCH and not self._over.empty():
                batch.append(self._over.get_nowait())
            reads = [one for one in batch if one is not None]
            last = len(reads) < len(batch)
            records = [one.record for one in reads if one.record is not None]
            if records:
                await self._until_written(self._published, records)
            if reads:
                await self._in_frontier(self.frontier.settle, [one.settled for one in reads])
            self._wake.set()

    async def _published(self, records: Sequence[Article | Reject]) -> None:
        with self._clock.working():
            await self._publish(records)

    async def _in_frontier(self, act: Callable[..., T], *given: object) -> T:
        async def once() -> T:
            async with self._alone:
                with self._clock.working():
                    return await asyncio.get_running_loop().run_in_executor(self._thread, act, *given)

        return await self._until_written(once)

    async def _until_written(self, act: Callable[..., Awaitable[T]], *given: object) -> T:
        """Waits and tries again while the disk is full."""
        told = False
        while True:
            try:
                return await act(*given)
            except StoragePaused as e:
                if not told:
                    log.warning("paused: %s. Nothing is lost; trying again every %g s", e, PAUSE_SECONDS)
                told = True
            await self._clock.sleep_until(self._clock.now() + PAUSE_SECONDS)


def _conditions(row: Row) -> dict[str, str]:
    """Headers that let a server say that nothing changed."""
    memory, headers = row.memory, {}
    if memory is not None and memory.etag:
        headers["If-None-Match"] = memory.etag
    if memory is not None and memory.modified:
        headers["If-Modified-Since"] = memory.modified
    return headers


def _validators(memory: Memory, response: Response, raw: str) -> Memory:
    """The memory with what the next request can say of this answer."""
    etag, modified = (_validator(response.header(name)) for name in ("etag", "last-modified"))
    return replace(memory, etag=etag, modified=modified, raw=raw)


def _validator(said: str | None) -> str | None:
    """A validator that can be sent back as it came."""
    return said if said and said.isascii() and said.isprintable() and len(said) <= LONGEST_VALIDATOR else None


def _base(row: Row, article: Article | None) -> float:
    published = article.published if article and article.published else row.entry.published
    return counted_from(published.timestamp() if published else None, row.since)


def _poorer(article: Article, memory: Memory) -> bool:
    """Whether it is only the headline, told by another feed, of what has gone on with its text."""
    return memory.content is not None and not article.body.strip() and article.title == memory.title


def _went_on(memory: Memory, article: Article, *, from_feed: bool) -> Memory:
    """The memory of a page whose article now goes on; the first one pins the page's identity."""
    return replace(
        memory,
        article=memory.article or article.id,
        canonical=memory.canonical or article.canonical_url,
        content=article.content_hash,
        title=article.title,
        from_feed=from_feed,
        partial=article.partial,
        refused=memory.refused if from_feed else None,
    )


def _landed(memory: Memory, response: Response) -> Memory:
    """The memory of a page that was found to be itself at this address: a headline edited there is an edit."""
    return replace(memory, landed=canonical_url(response.url))


def _known(row: Row, moved: bool) -> Known | None:
    """What earlier readings settled of the page. moved: whether the answer came from another address than was asked."""
    memory = row.memory
    if memory is None or memory.article is None:
        return None
    moved = moved and memory.content is not None and not memory.from_feed
    return Known(
        article=memory.article,
        canonical=memory.canonical,
        moved=moved,
        key=(memory.landed or row.key) if moved else None,
        title=memory.title if moved else None,
    )


def _reject(entry: Entry, reason: str, words: str, archive: Archived | None, *, retryable: bool = False) -> Reject:
    """The entry, whole, as it goes back to its topic."""
    try:
        value, cut = encode_entry(entry), False
    except Unusable:
        value, cut = (entry.url or entry.title or entry.feed).encode("utf-8", "replace"), True
    return Reject(
        stage=STAGE,
        reason=reason,
        error=words,
        retryable=retryable,
        topic=ENTRIES,
        file=archive.file if archive else None,
        offset=archive.offset if archive else None,
        key=host_of(entry.url) or host_of(entry.feed),
        value=base64.b64encode(value).decode("ascii"),
        truncated=cut,
    )
