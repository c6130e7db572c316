"""One question to a feed, and what its answer holds that is not known yet: archived, read and compared, not remembered.

Pages of sitemaps behind an index belong to the answer. docs/polling.md tells the rules.
"""

from __future__ import annotations

import base64
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Protocol

from connectors.clock import Clock
from connectors.feedlist import Feed
from connectors.feedstate import FeedState
from connectors.freshness import fresh_for, retry_after
from connectors.responses import FetchFailed, Kind, Response
from connectors.schedule import (
    DAY,
    Answer,
    Child,
    Failed,
    Full,
    History,
    Reading,
    Unmodified,
    question,
    sendable,
    validators,
)
from connectors.sites import same_site
from connectors.sources.entries import ParsedFeed, entry_key, entry_mark
from connectors.sources.sitemaps import ChildSitemap, SitemapIndex
from connectors.urls import host_of
from connectors.websub import discover
from pipeline.errors import RasdError, Stalled, StorageError, StoragePaused, Unusable
from pipeline.records import Archived, Entry, Reject

log = logging.getLogger("rasd.poller")

STAGE = "feed"
LONGEST_ERROR = 500  # code points
KEPT = 65_536  # bytes that a reject keeps of a feed
REJECT_AGAIN = DAY  # the same failure of the same feed is reported once in that time
NETWORK = frozenset(("dns", "connection", "tls", "timeout"))
OUR_DOING = frozenset(("held",))  # the host as a whole asked for a pause, which the client keeps
OF_CONTENT = frozenset(("too-large", "bad-encoding", "bad-response", "redirects", "forbidden-address", "bad-url"))
CHILDREN = 10  # sitemaps of an index, the newest, that are read at one poll
CHILD_REQUESTS = 20  # of one poll, indexes inside the index counted
DEEPEST = 2  # levels of sitemaps below the listed index
CHILD_SETTLED = 2 * DAY  # a sitemap that states an older lastmod, unchanged since it was read, is not asked
CHILD_TRUST = 24  # answers "unchanged" before a child is read in full
FIRST_SIGHT = 7 * DAY  # of a sitemap's entries at first sight, those that say they are older are an archive


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
class Found:
    """What a poll found, on its way to be published and then remembered.

    entries: those to publish. new, edited: of all shown, by what is remembered. shown: part → its marks by key, as
    `FeedState.news` takes them. children: sitemaps of an index as read now. failed: why none of them could be.
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


class FeedReader:
    """Asks feeds. Nothing of an answer is remembered here: that is for the caller, once it is durable elsewhere."""

    def __init__(self, state: FeedState, client: Gets, *, archive: Keeps, parse: Parse, clock: Clock) -> None:
        self._state, self._client = state, client
        self._archive, self._parse, self._clock = archive, parse, clock

    async def ask(self, feed: Feed, history: History) -> tuple[Answer, Found]:
        """Asks the feed now. Whatever an answer does to us, it is that feed's failure and no more.

        Raises: StorageError.
        """
        found = Found()
        return await self._answer(feed, history, found), found

    async def pushed(self, feed: Feed, history: History, response: Response) -> Found:
        """What a hub has pushed holds, as if the feed had been asked. Raises: StorageError, OSError."""
        found = Found()
        try:
            parsed, archived = await self._parsed(response, feed.kind)
        except _Unreadable as e:
            self._reject(feed, history, found, e.cause, e.body, e.archived)
        else:
            if isinstance(parsed, ParsedFeed):
                self._sort_out(feed, response, parsed, archived, found)
        return found

    async def _answer(self, feed: Feed, history: History, found: Found) -> Answer:
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

    async def _ask(self, feed: Feed, history: History, found: Found) -> Answer:
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
        self, feed: Feed, history: History, response: Response, found: Found, *, conditional: bool, fresh: float | None
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
        self, feed: Feed, response: Response, parsed: ParsedFeed, archived: Archived, found: Found, part: str = ""
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
        found: Found,
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
        found: Found,
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

    def _reject(
        self,
        feed: Feed,
        history: History,
        found: Found,
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


class _Unreadable(Exception):
    """An answer that cannot be parsed, whole."""

    def __init__(self, cause: Unusable | Stalled, body: bytes, archived: Archived) -> None:
        super().__init__(str(cause))
        self.cause, self.body, self.archived = cause, body, archived


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
