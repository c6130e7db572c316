"""The log without a broker: one SQLite file (WAL) for messages, consumer offsets and step state.

Because all three stand in one file, a runtime writes outputs, state changes and the input's offset in one transaction:
a killed process leaves either all of them or none.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time as clock
from collections.abc import Callable, ItemsView, Iterator, Mapping
from pathlib import Path

from pipeline.errors import StorageError, StoragePaused
from pipeline.log import Bounds, Message
from pipeline.log.partition import partition_of

FORMAT = 1  # PRAGMA user_version; a file with a higher one was made by a newer version
BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL) STRICT;
CREATE TABLE message (id INTEGER PRIMARY KEY, time INTEGER, written INTEGER NOT NULL, key TEXT, value BLOB NOT NULL)
    STRICT;
CREATE TABLE extent (topic INTEGER, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)) STRICT;
CREATE TABLE consumer (name TEXT, topic INTEGER, partition INTEGER, next INTEGER NOT NULL,
                       PRIMARY KEY (name, topic, partition)) STRICT;
CREATE TABLE state (stage TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (stage, key)) STRICT, WITHOUT ROWID;
"""
# A message's row id packs topic, partition and offset, so that reading a partition is one range scan of the table
# itself and appending needs no second index.
_OFFSET_BITS, _PARTITION_BITS = 40, 12
_LIMIT = {"full": "the disk is full", "locked": "another program holds the file", "busy": "another program holds it"}


def _row(topic: int, partition: int, offset: int) -> int:
    return (((topic << _PARTITION_BITS) | partition) << _OFFSET_BITS) | offset


def _offset(row: int) -> int:
    return row & ((1 << _OFFSET_BITS) - 1)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns SQLite's passing troubles (disk full, locked, no write access just now) into StoragePaused."""
    try:
        yield
    except sqlite3.OperationalError as e:
        text = str(e).lower()
        for word, what in _LIMIT.items():
            if word in text:
                raise StoragePaused(f"{path}: {what} ({e})") from e
        if "disk i/o error" in text or "unable to open" in text or "readonly" in text:
            raise StoragePaused(f"{path}: cannot be written just now ({e})") from e
        raise


def _connect(path: Path, readonly: bool) -> sqlite3.Connection:
    """A reader without write permission cannot make the files beside a WAL database; where there are none nobody
    writes, and the file is read as it stands."""
    if not readonly:
        return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    uri = path.absolute().as_uri()
    try:
        db = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        db.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        return sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None)
    except sqlite3.DatabaseError:
        pass  # no database at all: said by whoever reads it next
    return db


class SqliteLog:
    """See the module. One instance belongs to one thread; several processes may have the same file open.

    Raises: StorageError if the file is no log or a newer version's; StoragePaused where a write may succeed later.
    """

    def __init__(
        self,
        path: Path,
        *,
        partitions: int | Mapping[str, int] = 1,
        readonly: bool = False,
        synchronous: str = "FULL",
        now: Callable[[], float] = clock.time,
    ) -> None:
        self.path = path
        self._partitions = partitions
        self._now = now
        if readonly and not path.exists():
            raise StorageError(f"{path}: there is no log yet (run `rasd replay` or `rasd demo` first)", reason="no-log")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _connect(path, readonly)
        except sqlite3.OperationalError as e:
            raise StoragePaused(f"{path}: {e}") from e
        try:
            self._prepare(readonly, synchronous)
        except sqlite3.DatabaseError as e:
            self._db.close()
            if isinstance(e, sqlite3.OperationalError):
                raise StoragePaused(f"{path}: {e}") from e
            raise StorageError(f"{path}: not a log of rasd ({e})", reason="not-a-log") from e
        self._topics: dict[str, tuple[int, int]] = {}
        self._names: dict[int, str] = {}
        self._load_topics()

    def _prepare(self, readonly: bool, synchronous: str) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise StorageError(f"{self.path}: made by a newer version of rasd (format {version})", reason="newer-log")
        if readonly:
            self._db.execute("PRAGMA query_only = 1")
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {synchronous}")
        self._db.execute("PRAGMA cache_size = -16000")
        self._db.execute("PRAGMA journal_size_limit = 67108864")
        if version < FORMAT:
            self._db.execute("BEGIN IMMEDIATE")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version < FORMAT:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
            self._db.execute("COMMIT")

    def _load_topics(self) -> None:
        for number, name, partitions in self._db.execute("SELECT id, name, partitions FROM topic"):
            self._topics[name] = (number, partitions)
            self._names[number] = name

    def close(self) -> None:
        self._db.close()

    # -- topics ------------------------------------------------------------------------------------------------------

    def create_topic(self, name: str) -> None:
        """Makes the topic with its configured number of partitions; an existing one keeps its own number."""
        self._topic(name, create=True)

    def topics(self) -> dict[str, int]:
        """Partitions by topic name."""
        self._load_topics()
        return {name: partitions for name, (_, partitions) in sorted(self._topics.items())}

    def _topic(self, name: str, *, create: bool = False) -> tuple[int, int] | None:
        if name not in self._topics:
            if create:
                n = self._partitions if isinstance(self._partitions, int) else self._partitions.get(name, 1)
                with storage_errors(self.path):
                    self._db.execute("INSERT OR IGNORE INTO topic (name, partitions) VALUES (?, ?)", (name, n))
            self._load_topics()
        return self._topics.get(name)

    # -- reading -----------------------------------------------------------------------------------------------------

    def bounds(self, topic: str) -> list[Bounds]:
        found = self._topic(topic)
        if found is None:
            return []
        number, partitions = found
        out = []
        for p in range(partitions):
            low, high = _row(number, p, 0), _row(number, p + 1, 0)
            first, count, size = self._db.execute(
                "SELECT min(id), count(*), coalesce(sum(length(value) + coalesce(length(key), 0)), 0) FROM message"
                " WHERE id >= ? AND id < ?",
                (low, high),
            ).fetchone()
            end = self.next_offset(topic, p)
            out.append(Bounds(p, end if first is None else _offset(first), end, count, size))
        return out

    def first_offset(self, topic: str, partition: int) -> int:
        """Offset of the first message still kept; `next_offset` where there is none."""
        found = self._topic(topic)
        row = (
            found
            and self._db.execute(
                "SELECT min(id) FROM message WHERE id >= ? AND id < ?",
                (_row(found[0], partition, 0), _row(found[0], partition + 1, 0)),
            ).fetchone()
        )
        return _offset(row[0]) if row and row[0] is not None else self.next_offset(topic, partition)

    def next_offset(self, topic: str, partition: int) -> int:
        found = self._topic(topic)
        row = (
            found
            and self._db.execute(
                "SELECT next FROM extent WHERE topic = ? AND partition = ?", (found[0], partition)
            ).fetchone()
        )
        return int(row[0]) if row else 0

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Message]:
        found = self._topic(topic)
        if found is None:
            return []
        rows = self._db.execute(
            "SELECT id, time, written, key, value FROM message WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            (_row(found[0], partition, offset), _row(found[0], partition + 1, 0), limit),
        )
        return [Message(topic, partition, _offset(i), key, value, t, w) for i, t, w, key, value in rows]

    def scan(self, topic: str) -> Iterator[Message]:
        found = self._topic(topic)
        for p in range(found[1] if found else 0):
            start = 0
            while batch := self.read(topic, p, start, 256):
                yield from batch
                start = batch[-1].offset + 1

    def offset_at(self, topic: str, partition: int, time: int) -> int:
        found = self._topic(topic)
        if found is None:
            return 0
        row = self._db.execute(
            "SELECT min(id) FROM message WHERE id >= ? AND id < ? AND coalesce(time, written) >= ?",
            (_row(found[0], partition, 0), _row(found[0], partition + 1, 0), time),
        ).fetchone()
        return self.next_offset(topic, partition) if row[0] is None else _offset(row[0])

    # -- consumers and state -----------------------------------------------------------------------------------------

    def consumed(self, consumer: str, topic: str) -> dict[int, int]:
        """Next offset to read, by partition; 0 where the consumer has not begun."""
        found = self._topic(topic)
        if found is None:
            return {}
        rows = self._db.execute(
            "SELECT partition, next FROM consumer WHERE name = ? AND topic = ?", (consumer, found[0])
        )
        return dict.fromkeys(range(found[1]), 0) | dict(rows)

    def consumers(self) -> list[tuple[str, str, int, int]]:
        """(consumer, topic, partition, next offset), all of them."""
        self._load_topics()
        rows = self._db.execute("SELECT name, topic, partition, next FROM consumer ORDER BY name, topic, partition")
        return [(name, self._names[topic], partition, following) for name, topic, partition, following in rows]

    def state(self, stage: str) -> StateTable:
        return StateTable(self._db, stage)

    # -- writing (all of it inside `transaction`) --------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable when left. Raises: StoragePaused, with everything rolled back."""
        with storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def append(self, topic: str, key: str | None, value: bytes, time: int | None = None) -> tuple[int, int]:
        """Writes one message; returns (partition, offset)."""
        number, partitions = self._topic(topic, create=True) or (0, 0)
        partition = partition_of(key, partitions)
        (following,) = self._db.execute(
            "INSERT INTO extent VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET next = next + 1 RETURNING next",
            (number, partition),
        ).fetchone()
        self._db.execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?)",
            (_row(number, partition, following - 1), time, int(self._now() * 1000), key, value),
        )
        return partition, following - 1

    def register(self, consumer: str, topic: str) -> None:
        """Makes a consumer known before it has read anything, so that nothing it still needs is trimmed."""
        number, partitions = self._topic(topic, create=True) or (0, 0)
        rows = [(consumer, number, partition, 0) for partition in range(partitions)]
        self._db.executemany("INSERT OR IGNORE INTO consumer VALUES (?, ?, ?, ?)", rows)

    def commit(self, consumer: str, topic: str, partition: int, following: int, *, expected: int | None = None) -> None:
        """Says that `consumer` is done with everything before offset `following`.

        expected: where it stood; if it stands elsewhere by now another process works for it. Raises: StorageError.
        """
        number, _ = self._topic(topic, create=True) or (0, 0)
        where = "" if expected is None else " WHERE next = ?"
        done = self._db.execute(
            f"INSERT INTO consumer VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next{where}",
            (consumer, number, partition, following, *(() if expected is None else (expected,))),
        )
        if not done.rowcount:
            raise StorageError(f"{self.path}: another process does the work of {consumer}", reason="in-use")

    def change(self, stage: str, changes: Mapping[str, bytes]) -> None:
        """Writes state; an empty value deletes its key."""
        puts = [(stage, k, v) for k, v in changes.items() if v]
        cuts = [(stage, k) for k, v in changes.items() if not v]
        self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", puts)
        self._db.executemany("DELETE FROM state WHERE stage = ? AND key = ?", cuts)

    def forget(self, consumer: str) -> None:
        """Drops a consumer's offsets and the state kept under its name: it begins anew. Inside a transaction."""
        self._db.execute("DELETE FROM consumer WHERE name = ?", (consumer,))
        self._db.execute("DELETE FROM state WHERE stage = ?", (consumer,))

    def trim(self, topic: str, before: int) -> int:
        """Deletes messages whose event time (else writing time) lies before `before` (ms) and that every consumer of
        the topic has passed; returns how many. Offsets of the rest stay as they are."""
        found = self._topic(topic)
        if found is None:
            return 0
        deleted = 0
        for p in range(found[1]):
            row = self._db.execute(
                "SELECT min(next) FROM consumer WHERE topic = ? AND partition = ?", (found[0], p)
            ).fetchone()
            passed = self.next_offset(topic, p) if row[0] is None else row[0]
            deleted += self._db.execute(
                "DELETE FROM message WHERE id >= ? AND id < ? AND coalesce(time, written) < ?",
                (_row(found[0], p, 0), _row(found[0], p, passed), before),
            ).rowcount
        return deleted

    def compact(self) -> None:
        """Gives freed space back to the file system."""
        with storage_errors(self.path):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class StateTable(Mapping[str, bytes]):
    """One stage's durable state as a read-only mapping."""

    def __init__(self, db: sqlite3.Connection, stage: str) -> None:
        self._db, self._stage = db, stage

    def __getitem__(self, key: str) -> bytes:
        row = self._db.execute("SELECT value FROM state WHERE stage = ? AND key = ?", (self._stage, key)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def __iter__(self) -> Iterator[str]:
        for (key,) in self._db.execute("SELECT key FROM state WHERE stage = ? ORDER BY key", (self._stage,)):
            yield key

    def items(self) -> ItemsView[str, bytes]:
        return _Rows(self)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """Everything in one scan, where `Mapping.items` would look up each key."""
        rows = self._db.execute("SELECT key, value FROM state WHERE stage = ? ORDER BY key", (self._stage,))
        yield from ((key, bytes(value)) for key, value in rows)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM state WHERE stage = ?", (self._stage,)).fetchone()[0])


class _Rows(ItemsView[str, bytes]):
    _mapping: StateTable

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return self._mapping.rows()
