"""What is remembered of every feed, in one SQLite file (WAL): `poller.sqlite` in the data folder.

Everything happens in memory first; `flush` writes what has changed since in one transaction, so that thousands of polls
cost a handful of transactions. A kill loses at most what was not flushed, and that makes a poll repeat, never an entry
vanish: nothing is put here before the entries it stands for are durable.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import msgspec

from connectors.databases import BUSY_SECONDS, connect_readonly, passing, transaction
from connectors.schedule import DAY, History
from pipeline.errors import StorageError, StoragePaused

FILE = "poller.sqlite"
BUSY_MILLISECONDS = 200  # to wait for a lock once it is open: the sockets wait too; the next flush writes it all
FORMAT = 1  # PRAGMA user_version; a file with a higher one was made by a newer version
APPLICATION = 0x72736670  # PRAGMA application_id: "rsfp"
KEPT_ABSENT = 60 * DAY  # an entry that its feed no longer shows is remembered so long
MOST_ABSENT = 20_000  # of these in one feed; what the feed shows is always remembered whole
_SCHEMA = """
CREATE TABLE feed (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, history TEXT NOT NULL) STRICT;
CREATE TABLE seen (feed INTEGER, part BLOB, key BLOB, mark BLOB NOT NULL, absent REAL,
                   PRIMARY KEY (feed, part, key)) STRICT, WITHOUT ROWID;
"""
_SAVE = """
INSERT INTO feed (url, history) VALUES (?, ?) ON CONFLICT (url) DO UPDATE SET history = excluded.history
"""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(History).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """One feed for a person. Times: seconds since 1970; None: never, or not known.

    state: active, retired, gone, or new (never polled). validators: etag, last-modified, both, none, or stale with the
    reason. not_modified: share of polls answered 304, of those answered at all. items_a_day: by the recent past.
    entries: seen altogether, edits not counted. overruns: polls that found no known entry left, so that some may have
    been missed. failing: failures in a row. failures: reason → how many, ever. hub: address of the WebSub hub.
    """

    url: str
    state: str
    reason: str | None
    address: str
    validators: str
    polls: int
    not_modified: float | None
    unmodified: int
    same_body: int
    changed: int
    entries: int
    edited: int
    overruns: int
    items_a_day: float | None
    first_poll: float | None
    last_poll: float | None
    last_success: float | None
    last_change: float | None
    next_poll: float | None
    interval: float | None
    why: str | None
    failing: int
    failing_since: float | None
    error: str | None
    failures: Mapping[str, int]
    hub: str | None
    hub_state: str | None


def report(path: Path) -> list[FeedReport]:
    """Every feed ever polled, by address; none if there is no file yet. Reads only, also while `rasd run` writes.

    path: the file. Raises: StorageError if it is no such file, or a newer version's; StoragePaused if it cannot be read
    just now.
    """
    if not path.exists():
        return []
    with _troubles(path), contextlib.closing(connect_readonly(path)) as db:
        _check(db, path)
        rows = db.execute("SELECT history FROM feed ORDER BY url").fetchall()
        return [reported(_history(row[0], path)) for row in rows]


def reported(history: History) -> FeedReport:
    answered = history.unmodified + history.same + history.changed
    rate = history.rate_slow
    return FeedReport(
        url=history.url,
        state=history.state if history.polls else "new",
        reason=history.state_reason,
        address=history.asked_at,
        validators=_validators(history),
        polls=history.polls,
        not_modified=history.unmodified / answered if answered else None,
        unmodified=history.unmodified,
        same_body=history.same,
        changed=history.changed,
        entries=history.entries,
        edited=history.edited,
        overruns=history.overruns,
        items_a_day=None if rate is None else rate * DAY,
        first_poll=history.first_poll,
        last_poll=history.last_poll,
        last_success=history.last_success,
        last_change=history.last_change,
        next_poll=history.next_poll,
        interval=history.interval,
        why=history.why,
        failing=history.failing,
        failing_since=history.failing_since,
        error=history.error,
        failures=history.failures,
        hub=history.hub.hub if history.hub else None,
        hub_state=history.hub.state if history.hub else None,
    )


def _validators(history: History) -> str:
    if history.stale:
        return f"stale: {history.stale}"
    if history.etag:
        return "both" if history.last_modified else "etag"
    return "last-modified" if history.last_modified else "none"


@dataclass(slots=True)
class _Seen:
    """What one feed, or one part of it, has shown: digest of key → (digest of mark, since when it is absent)."""

    marks: dict[bytes, tuple[bytes, float | None]]
    written: set[bytes] = field(default_factory=set)
    dropped: set[bytes] = field(default_factory=set)


class FeedState:
    """See the module. One instance belongs to one thread, and one process at a time writes the file.

    Raises: StorageError if the file is damaged, none of ours or a newer version's, StoragePaused where it cannot be
    opened just now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with _troubles(path):
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
                rows = self._db.execute("SELECT id, url, history FROM feed").fetchall()
                self._db.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            except BaseException:
                self._db.close()
                raise
        self._ids: dict[str, int] = {url: number for number, url, _ in rows}
        self._histories: dict[str, History] = {url: _history(text, path) for _, url, text in rows}
        self._changed: set[str] = set()
        self._seen: dict[tuple[str, str], _Seen] = {}

    def _prepare(self) -> None:
        _check(self._db, self.path)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A power cut may cost the last polls, which then repeat; the file stays whole.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA journal_size_limit = 16777216")
        if self._db.execute("PRAGMA user_version").fetchone()[0] < FORMAT:
            with transaction(self._db):
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")

    @property
    def unsaved(self) -> int:
        """Feeds that have changed since the last flush."""
        return len(self._changed)

    def histories(self) -> Sequence[History]:
        """All feeds that the file knows, also those on no list any more."""
        return list(self._histories.values())

    def history(self, url: str) -> History:
        """What is remembered of the feed that is listed under this address."""
        found = self._histories.get(url)
        return found if found is not None else History(url=url)

    def save(self, history: History) -> None:
        """Remembers it; durable after the next `flush`."""
        self._histories[history.url] = history
        self._changed.add(history.url)

    def news(self, url: str, shown: Mapping[str, str], part: str = "") -> tuple[list[str], list[str]]:
        """Of the entries that a feed shows (key → mark): keys never seen, and keys whose mark is another now.

        part: address of the child sitemap they stand in; each part has a memory of its own.
        """
        known = self._part(url, part).marks
        new, edited = [], []
        for key, mark in shown.items():
            before = known.get(_digest(key))
            if before is None:
                new.append(key)
            elif before[0] != _digest(mark, 8):
                edited.append(key)
        return new, edited

    def remember(self, url: str, shown: Mapping[str, str], now: float, part: str = "", *, whole: bool = True) -> None:
        """Marks entries as seen; to be called once they are durable elsewhere.

        whole: `shown` is all that the feed shows now, so that what it has shown before and does not any more begins to
        be absent, and what has long been absent is forgotten.
        """
        seen = self._part(url, part)
        here = set()
        for key, mark in shown.items():
            digest, stands = _digest(key), (_digest(mark, 8), None)
            here.add(digest)
            if seen.marks.get(digest) != stands:
                seen.marks[digest] = stands
                seen.written.add(digest)
                seen.dropped.discard(digest)
        if whole:
            _age(seen, here, now)

    def part_gone(self, url: str, part: str, now: float) -> None:
        """No entry of this part is shown any more."""
        self.remember(url, {}, now, part)

    def revive(self, url: str) -> bool:
        """A retired or gone feed is polled at once and with a clean slate again; False if nothing is known of it."""
        history = self._histories.get(url)
        if history is None:
            return False
        clean = history.but(state="active", state_reason=None, stale=None, trust=0, next_poll=None)
        self.save(clean.but(failing=0, failing_since=None, failing_for=0.0, failing_as=None, error=None))
        return True

    def flush(self) -> None:
        """Writes all that has changed, in one transaction.

        Raises: StoragePaused if it cannot be written just now; nothing is lost, the next flush writes it.
        """
        if not self._changed and not self._seen:
            return
        changed = [(url, _encode(self._histories[url]).decode()) for url in self._changed]
        with _troubles(self.path), transaction(self._db):
            self._db.executemany(_SAVE, changed)
            ids = {url: self._id(url) for url, _ in self._seen}
            for (url, part), seen in self._seen.items():
                self._write(ids[url], part, seen)
        self._ids |= ids
        self._changed.clear()
        self._seen.clear()

    def close(self) -> None:
        """Flushes and closes. Raises: StoragePaused like `flush`; the file is closed all the same."""
        try:
            self.flush()
        finally:
            self._db.close()

    # -- entries seen -------------------------------------------------------------------------------------------------

    def _part(self, url: str, part: str) -> _Seen:
        """Kept in memory until the next flush; read from the file anew after it."""
        seen = self._seen.get((url, part))
        if seen is None:
            number = self._ids.get(url)
            rows: list[tuple[bytes, bytes, float | None]] = []
            if number is not None:
                with _troubles(self.path):
                    rows = self._db.execute(
                        "SELECT key, mark, absent FROM seen WHERE feed = ? AND part = ?", (number, _part_key(part))
                    ).fetchall()
            seen = self._seen[url, part] = _Seen({key: (mark, absent) for key, mark, absent in rows})
        return seen

    def _write(self, number: int, part: str, seen: _Seen) -> None:
        place = _part_key(part)
        if seen.dropped:
            self._db.executemany(
                "DELETE FROM seen WHERE feed = ? AND part = ? AND key = ?", [(number, place, k) for k in seen.dropped]
            )
        if seen.written:
            self._db.executemany(
                "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)",
                [(number, place, k, *seen.marks[k]) for k in seen.written],
            )

    def _id(self, url: str) -> int:
        if url in self._ids:
            return self._ids[url]
        row = self._db.execute("SELECT id FROM feed WHERE url = ?", (url,)).fetchone()
        if row is None:  # entries were remembered before the feed itself was
            made = (url, _encode(self.history(url)).decode())
            row = self._db.execute("INSERT INTO feed (url, history) VALUES (?, ?) RETURNING id", made).fetchone()
        return int(row[0])


def _age(seen: _Seen, here: set[bytes], now: float) -> None:
    """Notes since when the others are absent, and forgets those that have been for long, or are too many."""
    absent = []
    for digest, (mark, since) in seen.marks.items():
        if digest in here:
            continue
        if since is None:
            since = now
            seen.written.add(digest)
        absent.append((since, digest, mark))
    for since, digest, mark in absent:
        seen.marks[digest] = (mark, since)
    absent.sort()
    surplus = len(absent) - MOST_ABSENT
    for i, (since, digest, _) in enumerate(absent):
        if since >= now - KEPT_ABSENT and i >= surplus:
            break
        del seen.marks[digest]
        seen.written.discard(digest)
        seen.dropped.add(digest)


def _digest(text: str, size: int = 16) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


def _part_key(part: str) -> bytes:
    return _digest(part) if part else b""


# -- the file ---------------------------------------------------------------------------------------------------------


def _history(text: str, path: Path) -> History:
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeError) as e:
        raise StorageError(f"{path}: what it holds of a feed cannot be read ({e})", reason="damaged") from e


def _check(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (tables or version) and application != APPLICATION:
        raise StorageError(f"{path}: not a file of the poller's", reason="not-ours")
    if version > FORMAT:
        raise StorageError(f"{path}: made by a newer version of rasd (format {version})", reason="newer")


@contextlib.contextmanager
def _troubles(path: Path) -> Iterator[None]:
    """SQLite's passing troubles as StoragePaused, its lasting ones as StorageError."""
    try:
        yield
    except sqlite3.Error as e:
        if what := passing(e):
            raise StoragePaused(f"{path}: {what} ({e})") from e
        raise StorageError(
            f"{path}: damaged, or not a file of the poller's ({e}); without it every feed is read anew, "
            "and what was fetched before is recognised as such",
            reason="damaged",
        ) from e
