"""The pages that are still to be read, and what is remembered of those that were: one SQLite file (WAL).

A page stands here from the moment its entry was taken until its article was acknowledged, and from then on, small,
until its last re-check. Rows lie on disk; memory grows with the number of hosts, never with that of pages.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import orjson

from connectors.databases import BUSY_SECONDS, passing
from connectors.deadends import is_front
from connectors.urls import canonical_url, outlet_of
from pipeline.errors import StorageError, StoragePaused, Unusable
from pipeline.records import Entry

FILE = "frontier.sqlite"
BUSY_MILLISECONDS = 500  # to wait for a lock once it is open: who writes tries again, and may be stopped in between
FORMAT = 1  # PRAGMA user_version; a file with a higher one was made by a newer version
APPLICATION = 0x72736466  # PRAGMA application_id: "rsdf"
LOOKS = 512  # hosts looked at for one lease: the rest have their turn at the next
MOST_FEEDS = 8  # feeds whose word on one page is remembered
MOST_REREADS = 20  # readings of a page because a feed's text of it changed and nothing else: some count their readers
MOST_EDITS = 100  # readings because a feed changed anything: no live report has its headline edited so often
EXPIRED_AT_ONCE = 2_000
FURTHEST = 3 * 86_400.0  # seconds ahead; no failure and no host's rest holds a page longer than a day and some
#: Seconds by which news goes before what its host published a day ago or earlier: a sitemap's thousands of old pages
#: must not hold up what was published just now. What has waited so long has caught up with the newest.
HEAD_START = 86_400.0

State = Literal["waiting", "held", "done", "failed", "gone"]
_SCHEMA = """
CREATE TABLE page (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,       -- canonical URL of the entry's address, else `entry:` and a digest
    host TEXT NOT NULL,
    state TEXT NOT NULL,            -- waiting, held (for another try), done, failed, gone
    due REAL,                       -- when it is to be read, again or for the first time; null: never. Of those
                                    -- that are due the smallest comes first, so news stands in the past (HEAD_START)
    since REAL NOT NULL,            -- first sight
    version INTEGER NOT NULL,       -- counts the entries taken that ask for a reading
    tries INTEGER NOT NULL,         -- failures in a row
    why TEXT,                       -- of the last failure
    entry BLOB,                     -- the newest entry; null once nothing more will be read
    marks BLOB NOT NULL,            -- by feed, what it said last
    canonical TEXT,                 -- address under which its article went on first
    memory BLOB,
    forget REAL                     -- when the row may go
) STRICT;
CREATE INDEX page_due ON page (host, due, state) WHERE due IS NOT NULL;
CREATE INDEX page_canonical ON page (canonical) WHERE canonical IS NOT NULL;
CREATE INDEX page_forget ON page (forget) WHERE due IS NULL;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a reading left behind for the next one.

    article, canonical: identity under which the page went on first; it stays, whatever the page says later.
    content: content hash that went on last; None if nothing did. from_feed: that was the feed's own text. partial: and
    only a summary. refused: reason of the last reject.
    title: its headline. etag, modified, raw: validators and digest of the last whole answer.
    landed: where redirects led when it last was itself. base: the moment that re-checks count from. extra: re-checks so
    far beside the schedule.
    """

    article: str | None = None
    canonical: str | None = None
    content: str | None = None
    from_feed: bool = False
    partial: bool = False
    refused: str | None = None
    title: str | None = None
    etag: str | None = None
    modified: str | None = None
    raw: str | None = None
    base: float = 0.0
    extra: int = 0
    landed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A page to read now. since: first sight. tries: failures in a row before. memory: None if it was never read."""

    id: int
    key: str
    host: str
    since: float
    version: int
    tries: int
    entry: Entry
    memory: Memory | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a reading ended: what becomes of the row. due: the next reading, None for none. forget: when it may go."""

    row: Row
    state: State
    due: float | None = None
    tries: int = 0
    why: str | None = None
    memory: Memory
    forget: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of entries: new pages, pages to be read again, pages that need nothing, entries not taken."""

    new: int = 0
    changed: int = 0
    known: int = 0
    refused: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """waiting: never read and due. held: to be tried again. rechecks: read and to be read again. oldest: first sight
    of the page that has waited longest. hosts: those with the most pages waiting or held, and how many."""

    waiting: int
    held: int
    rechecks: int
    remembered: int
    oldest: float | None
    hosts: tuple[tuple[str, int], ...]


class _Mark(msgspec.Struct, array_like=True, frozen=True):
    """What one feed said of a page. head: headline and time of change. body: its text. rereads: readings that these
    caused."""

    head: str
    body: str
    rereads: int = 0


_JSON = msgspec.json.Encoder()
_ENTRY = msgspec.json.Decoder(Entry)
_MEMORY = msgspec.json.Decoder(Memory)
_MARKS = msgspec.json.Decoder(dict[str, _Mark])


class Frontier:
    """One process and one thread at a time. Every method raises StoragePaused while the file cannot be written (try
    again: nothing was changed) and StorageError if it is corrupt."""

    def __init__(self, path: Path, *, synchronous: str = "full") -> None:
        """synchronous: `full` lets what was taken survive a power cut, `normal` a kill only.

        Raises: StorageError for a file that is none of ours, corrupt, or made by a newer version.
        """
        self.path = path
        self._synchronous = synchronous
        self._due: dict[str, float] = {}  # host → when its next page that is not in hand is due
        self._ready: OrderedDict[str, None] = OrderedDict()  # hosts with a page due, in the order of their turns
        self._later: list[tuple[float, str]] = []  # heap; an item that `_due` no longer confirms is void
        self._in_hand: dict[int, str] = {}
        self._busy: Counter[str] = Counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = _open(path)
        with _troubles(path):
            for host, due in self._db.execute("SELECT host, min(due) FROM page WHERE due IS NOT NULL GROUP BY host"):
                self._expect(host, due)

    def close(self) -> None:
        with _troubles(self.path):
            self._db.close()

    # -- in ------------------------------------------------------------------------------------------------------------

    def take(self, entries: Sequence[Entry], now: float) -> Taken:
        """Makes the entries durable, all in one transaction.

        A page that is known is read again only if a feed changed what it says of it.
        An entry without UTF-8 form is not taken but handed back.
        """
        counts: Counter[str] = Counter()
        hosts: set[str] = set()
        refused: list[Entry] = []
        with self._transaction(self._synchronous):
            for entry in entries:
                try:
                    host, what = self._take(entry, now)
                except Unusable:
                    refused.append(entry)
                    continue
                counts[what] += 1
                if what != "known":
                    hosts.add(host)
        for host in hosts:
            self._expect(host, now)
        return Taken(new=counts["new"], changed=counts["changed"], known=counts["known"], refused=tuple(refused))

    def _take(self, entry: Entry, now: float) -> tuple[str, Literal["new", "changed", "known"]]:
        key, host = key_of(entry), _host(entry)
        value, mark = encode_entry(entry), _mark(entry)
        known = "SELECT id, host, state, marks, entry, memory FROM page WHERE"
        found = self._db.execute(f"{known} key = ?", (key,)).fetchone()
        if found is None:
            found = self._db.execute(f"{known} canonical = ? LIMIT 1", (key,)).fetchone()
        if found is None:
            self._db.execute(
                "INSERT INTO page (key, host, state, due, since, version, tries, entry, marks)"
                " VALUES (?, ?, 'waiting', ?, ?, 1, 0, ?, ?)",
                (key, host, _turn(entry, now), now, value, _JSON.encode({entry.feed: mark})),
            )
            return host, "new"
        row, host, state, said, old, memory = found
        marks = _MARKS.decode(said)
        remembered = _MEMORY.decode(memory) if memory else None
        given_up = state in ("failed", "gone") and (remembered is None or remembered.content is None)
        what, mark = _judge(entry, mark, marks, _ENTRY.decode(old) if old else None, remembered, given_up)
        if what == "nothing":
            return host, "known"
        if what == "changed" and given_up and mark == marks.get(entry.feed):
            memory = None  # redriven: the same bytes are to be cleaned again, and another failure is another reject
        marks.pop(entry.feed, None)
        kept = _JSON.encode(dict([*marks.items(), (entry.feed, mark)][-MOST_FEEDS:]))
        if what == "noted":
            self._db.execute("UPDATE page SET marks = ? WHERE id = ?", (kept, row))
            return host, "known"
        if what == "better":
            self._db.execute("UPDATE page SET marks = ?, entry = ? WHERE id = ?", (kept, value, row))
            return host, "known"
        fresh = state in ("waiting", "held")  # it is to be read anyway, at its time
        self._db.execute(
            "UPDATE page SET marks = ?, entry = ?, memory = ?, version = version + 1, forget = NULL,"
            " state = CASE WHEN ? THEN state ELSE 'waiting' END, due = CASE WHEN ? THEN due ELSE ? END,"
            " tries = CASE WHEN ? THEN tries ELSE 0 END WHERE id = ?",
            (kept, value, memory, fresh, fresh, now - HEAD_START, fresh, row),
        )
        return host, "changed"

    # -- out -----------------------------------------------------------------------------------------------------------

    def lease(self, now: float, want: int, may: Callable[[str, int], bool]) -> list[Row]:
        """Up to `want` pages that are due, of one host after the other in turn; they are in hand until settled or
        released.

        may: whether this host may have another page read, given how many of it are in hand.
        """
        while self._later and self._later[0][0] <= now:
            due, host = heapq.heappop(self._later)
            if self._due.get(host) == due:
                self._ready.setdefault(host)
        rows: list[Row] = []
        seen: list[str] = []  # hosts whose turn it was
        refused: list[str] = []
        try:
            while self._ready and len(rows) < want and len(refused) < LOOKS:
                host, _none = self._ready.popitem(last=False)
                seen.append(host)
                if not may(host, self._busy[host]):
                    refused.append(host)
                    continue
                if (row := self._first(host, now)) is not None:
                    rows.append(row)
                    self._in_hand[row.id] = host
                    self._busy[host] += 1
                self._look(host, now)
        except BaseException:  # the file cannot be read just now: as if nothing had been asked
            for row in rows:
                self._put_down(row)
            self._ready.update(dict.fromkeys(seen))
            raise
        self._ready.update(dict.fromkeys(refused))
        return rows

    def next_due(self) -> float | None:
        """When the next host has a page due that has none due now."""
        while self._later and self._due.get(self._later[0][1]) != self._later[0][0]:
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    def busy(self, now: float) -> bool:
        """True while a page is in hand or due."""
        due = self.next_due()
        return bool(self._in_hand or self._ready) or (due is not None and due <= now)

    def release(self, rows: Sequence[Row]) -> None:
        """Puts pages back untouched."""
        for row in rows:
            self._put_down(row)
        for host in {row.host for row in rows}:
            self._look(host)

    def settle(self, settled: Sequence[Settled]) -> None:
        """Writes how readings ended, in one transaction. Call it once their articles are acknowledged.

        A page whose entry changed while it was read keeps what was learnt and is read again. A power cut may undo
        this, which costs a reading; a kill does not.
        """
        with self._transaction("normal"):
            for one in settled:
                self._settle(one)
        self.release([one.row for one in settled])

    def _settle(self, one: Settled) -> None:
        memory = _JSON.encode(one.memory)
        done = self._db.execute(
            "UPDATE page SET state = ?, due = ?, tries = ?, why = ?, canonical = ?, memory = ?, forget = ?,"
            " entry = CASE WHEN ? THEN entry END WHERE id = ? AND version = ?",
            (one.state, one.due, one.tries, one.why, one.memory.canonical, memory, one.forget,
             one.due is not None, one.row.id, one.row.version),
        )  # fmt: skip
        if not done.rowcount:
            self._db.execute(
                "UPDATE page SET canonical = ?, memory = ?, tries = ?, why = ? WHERE id = ?",
                (one.memory.canonical, memory, one.tries, one.why, one.row.id),
            )

    def twin(self, canonical: str, row: Row) -> Memory | None:
        """The memory of another page whose article went on under this address."""
        found = self._db.execute(
            "SELECT memory FROM page WHERE canonical = ? AND id <> ? AND memory IS NOT NULL LIMIT 1",
            (canonical, row.id),
        ).fetchone()
        return _MEMORY.decode(found[0]) if found else None

    def expire(self, now: float) -> int:
        """Forgets pages whose time is over, a few thousand at a time; returns how many. Pages that wait for a time that
        only a wrong clock can have given them are due now."""
        with self._transaction("normal"):
            forgotten = self._db.execute(
                "DELETE FROM page WHERE id IN (SELECT id FROM page WHERE due IS NULL AND forget < ? LIMIT ?)",
                (now, EXPIRED_AT_ONCE),
            ).rowcount
            ahead = self._db.execute(
                "UPDATE page SET due = ? WHERE due > ? AND state IN ('waiting', 'held') RETURNING host",
                (now, now + FURTHEST),
            ).fetchall()
        for host in {host for (host,) in ahead}:
            self._expect(host, now)
        return forgotten

    def waiting(self, now: float) -> int:
        """How many pages are due: a millisecond per ten thousand."""
        with _troubles(self.path):
            due = "due IS NOT NULL AND due <= ? AND state IN ('waiting', 'held')"
            return int(self._db.execute(f"SELECT count(*) FROM page WHERE {due}", (now,)).fetchone()[0])

    def status(self) -> Status:
        """Counts of all rows: milliseconds per ten thousand pages, so not for every second."""
        with _troubles(self.path):
            return _status(self._db)

    # -- turns ---------------------------------------------------------------------------------------------------------

    def _first(self, host: str, now: float) -> Row | None:
        with _troubles(self.path):
            rows = self._db.execute(
                "SELECT id, key, since, version, tries, entry, memory FROM page"
                " WHERE host = ? AND due <= ? ORDER BY due LIMIT ?",
                (host, now, self._busy[host] + 1),
            )
            for row, key, since, version, tries, entry, memory in rows:
                if row not in self._in_hand:
                    return Row(
                        id=row,
                        key=key,
                        host=host,
                        since=since,
                        version=version,
                        tries=tries,
                        entry=_ENTRY.decode(entry),
                        memory=_MEMORY.decode(memory) if memory else None,
                    )
        return None

    def _look(self, host: str, now: float = 0.0) -> None:
        """Finds out when the host's next page is due that is not in hand; its turn comes last if that is now."""
        with _troubles(self.path):
            rows = self._db.execute(
                "SELECT due, id FROM page WHERE host = ? AND due IS NOT NULL ORDER BY due LIMIT ?",
                (host, self._busy[host] + 1),
            )
            due = next((due for due, row in rows if row not in self._in_hand), None)
        self._due.pop(host, None)
        self._ready.pop(host, None)
        if due is not None and due <= now:
            self._due[host] = due
            self._ready[host] = None
        elif due is not None:
            self._expect(host, due)

    def _expect(self, host: str, due: float) -> None:
        if host not in self._due or due < self._due[host]:
            self._due[host] = due
            heapq.heappush(self._later, (due, host))
            if len(self._later) > 2 * len(self._due) + LOOKS:  # most of it is void
                self._later = [(due, host) for host, due in self._due.items() if host not in self._ready]
                heapq.heapify(self._later)

    def _put_down(self, row: Row) -> None:
        if self._in_hand.pop(row.id, None) is not None:
            self._busy[row.host] -= 1
            if not self._busy[row.host]:
                del self._busy[row.host]

    @contextlib.contextmanager
    def _transaction(self, synchronous: str) -> Iterator[None]:
        with _troubles(self.path):
            self._db.execute(f"PRAGMA synchronous = {synchronous}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise


def read_status(path: Path) -> Status | None:
    """The status of a frontier that another process may be using; None if there is none yet.

    Raises: StorageError, StoragePaused.
    """
    if not path.exists():
        return None
    with _troubles(path), contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return _status(db)


def key_of(entry: Entry) -> str:
    """What makes two entries the same page: its address; where that is none or a front page, what the feed says.

    A feed's own id is not trusted alone: it counts together with the time of publication.
    """
    url = canonical_url(entry.url)
    if url is not None and not is_front(url):
        return url
    said = (entry.source_id, str(entry.published)) if entry.source_id else (entry.title or entry.body,)
    return "entry:" + _digest(entry.feed, *said)


def address_of(entry: Entry) -> str | None:
    """What to ask for: the address as the feed gives it, without the AMP cache around it; None where there is none or
    it is a front page."""
    canonical = canonical_url(entry.url)
    if canonical is None or is_front(canonical):
        return None
    inside = outlet_of(entry.url) != outlet_of(canonical)
    return canonical if inside else entry.url


def _turn(entry: Entry, now: float) -> float:
    """From when on a new page counts as waiting: the newer it is, the longer ago. Undated ones are half a day old."""
    age = now - entry.published.timestamp() if entry.published else HEAD_START / 2
    return now - HEAD_START + min(max(age, 0.0), HEAD_START)


def encode_entry(entry: Entry) -> bytes:
    """The entry as one line of JSON, as the log writes it. Raises: Unusable (reason "bad-text")."""
    try:
        return orjson.dumps(entry, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)
    except orjson.JSONEncodeError as e:
        raise Unusable(f"an entry without UTF-8 form: {e}", reason="bad-text") from e


def _mark(entry: Entry) -> _Mark:
    return _Mark(_digest(" ".join((entry.title or "").split()), str(entry.updated)), _digest(entry.body))


def _judge(
    entry: Entry, mark: _Mark, marks: dict[str, _Mark], old: Entry | None, memory: Memory | None, given_up: bool
) -> tuple[Literal["changed", "better", "noted", "nothing"], _Mark]:
    """What an entry of a known page asks for, and what to remember of it: `changed` = read the page (again), `better` =
    of two feeds this one has the whole text, or any at all, `noted` = only remember, `nothing`.

    given_up: nothing of this page ever went on; who sends its entry again (a redriven reject) wants another try."""
    before = marks.get(entry.feed)
    if before is not None:
        if before.head == mark.head and before.body == mark.body:
            return ("changed" if given_up else "nothing"), before
        most = MOST_REREADS if before.head == mark.head else MOST_EDITS
        if before.rereads < most:
            return "changed", msgspec.structs.replace(mark, rereads=before.rereads + 1)
        return "noted", msgspec.structs.replace(mark, rereads=before.rereads)
    whole = bool(entry.body) and not entry.partial
    first_words = bool(entry.body) and all(known.body == _WORDLESS for known in marks.values())
    if whole and memory is not None and memory.partial:
        return "changed", mark
    if first_words and memory is not None and (memory.content is None or memory.from_feed):
        return "changed", mark
    new_words = mark.head not in {known.head for known in marks.values()}
    if new_words and old is not None and old.updated and entry.updated and entry.updated > old.updated:
        return "changed", mark
    if whole and memory is None and old is not None and (old.partial or not old.body):
        return "better", mark
    if first_words and memory is None and old is not None:
        return "better", mark
    return "noted", mark


def _status(db: sqlite3.Connection) -> Status:
    due = Counter(dict(db.execute("SELECT state, count(*) FROM page WHERE due IS NOT NULL GROUP BY state").fetchall()))
    waiting = "due IS NOT NULL AND state IN ('waiting', 'held')"
    oldest = db.execute(f"SELECT min(since) FROM page WHERE {waiting}").fetchone()[0]
    hosts = db.execute(f"SELECT host, count(*) FROM page WHERE {waiting} GROUP BY host ORDER BY 2 DESC, 1 LIMIT 10")
    return Status(
        waiting=due["waiting"],
        held=due["held"],
        rechecks=due["done"] + due["failed"] + due["gone"],
        remembered=db.execute("SELECT count(*) FROM page WHERE due IS NULL").fetchone()[0],
        oldest=oldest,
        hosts=tuple((str(host), int(n)) for host, n in hosts),
    )


def _open(path: Path) -> sqlite3.Connection:
    with _troubles(path):
        db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            version, application = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
            )
            empty = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            if not empty and application != APPLICATION:
                raise StorageError(f"{path}: is no frontier of rasd")
            if version > FORMAT:
                raise StorageError(
                    f"{path}: made by a newer version of rasd (format {version}, this one reads {FORMAT})"
                )
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA cache_size = -16000")
            if empty:
                db.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT}; PRAGMA application_id = {APPLICATION};"
                    " COMMIT;"
                )
            db.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        except BaseException:
            db.close()
            raise
        return db


@contextlib.contextmanager
def _troubles(path: Path) -> Iterator[None]:
    """SQLite's errors as ours: StoragePaused for what passes, StorageError for a file that is broken."""
    try:
        yield
    except sqlite3.DatabaseError as e:
        if what := passing(e):
            raise StoragePaused(f"{path}: {what} ({e})") from e
        name = getattr(e, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_CORRUPTFS")) or "STRICT" in str(e):
            raise StorageError(f"{path}: is broken ({e}); move it away to start with an empty one") from e
        raise


def _host(entry: Entry) -> str:
    """Whose page it is: the host, with the port where it has one of its own, as `connectors.polite` counts them."""
    address = canonical_url(address_of(entry) or entry.feed)
    return address.split("/", 3)[2] if address else entry.feed


def _digest(*parts: str) -> str:
    text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8).hexdigest()


_WORDLESS = _digest("")  # the body of an entry that only has a headline
