"""Everything in tables of a PostgreSQL server, for several readers and writers: `migrations/` says what stands where.

A batch is one transaction, and records wait for their coding in a table, so a kill loses nothing. A coding that is
already known changes nothing and rows are replaced by key, so a batch that comes again, even to several processes at
once, has no second effect.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping

import psycopg

from connectors.sinks.jsonl import id_of
from connectors.sinks.postgres_load import Loader
from connectors.sinks.postgres_schema import applied, prepare, tables
from connectors.sinks.postgres_server import AGAIN, Db, Target, connect, transaction, trouble, troubles
from pipeline.errors import StorageError, StoragePaused, Unusable
from pipeline.records import Coding, Event, Record, Toll, Unique, Verdict

LONGEST_ID = 300  # code points: two of them must fit into one entry of an index, which holds 2,700 bytes
TRIES = 6  # of one batch that other processes get in the way of
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class PostgresSink:
    """See the module and `connectors.sinks.Sink`.

    Fed from the embedded log, the state kept by the runner is `file`, once anything was committed: the id that table
    `sink` names too. Fed from Kafka (`target.origin`), several processes write at once and there is no state: the table
    names the topics' prefix. Either way one log's records are never mixed with another's.
    """

    name = "postgres"
    topics: tuple[str, ...] = ("rasd.unique", "rasd.verdicts", "rasd.events")

    def __init__(self, target: Target) -> None:
        self.target = target
        self._committed: Mapping[str, bytes] = {}
        self._db: Db | None = None
        self._marked = False
        self._buffer: list[tuple[Record, bytes]] = []

    def resume(self, committed: Mapping[str, bytes]) -> None:
        self._drop()
        self._committed, self._marked = committed, False
        db = connect(self.target)
        try:
            with troubles(self.target):
                with transaction(db, self.target):
                    _belongs(db, self.target, committed)
                prepare(db, self.target)
                with transaction(db, self.target):
                    _belongs(db, self.target, committed)
                    self._mark(db)
        except BaseException:
            db.close()
            raise
        self._db = db

    def write(self, record: Record, value: bytes) -> None:
        """Raises: Unusable for a record that no table can hold."""
        if not isinstance(record, Unique | Verdict | Event | Toll | Coding):
            raise TypeError(f"the postgres sink takes no {type(record).__name__}")
        if b"u0000" in value and _NUL.search(value):
            raise Unusable("holds the NUL character", reason="bad-text")
        if any(len(id) > LONGEST_ID for id in _ids(record)):
            raise Unusable(f"an id of more than {LONGEST_ID} characters", reason="long-id")
        self._buffer.append((record, value))

    def flush(self) -> Mapping[str, bytes]:
        if self._db is None:
            raise StoragePaused(f"{self.target.where}: not brought back to its committed state yet")
        if not self._buffer and (self._marked or "file" not in self._committed):
            return {}
        try:
            changes = self._written(self._db)
        except BaseException:
            self._drop()
            raise
        self._buffer = []
        return changes

    def close(self) -> None:
        if self._db is not None and not self._marked and "file" in self._committed:
            with contextlib.suppress(psycopg.Error), transaction(self._db, self.target):  # the next `resume` does it
                self._mark(self._db)
        self._drop()

    def _drop(self) -> None:
        self._buffer = []
        if self._db is not None:
            self._db.close()
            self._db = None

    # -- one flush ---------------------------------------------------------------------------------------------------

    def _written(self, db: Db) -> dict[str, bytes]:
        """The batch in one transaction, again where another process got in its way."""
        attempt, clean = 0, False
        while True:
            attempt += 1
            try:
                with transaction(db, self.target):
                    changes = self._own(db)
                    if self._buffer:
                        Loader(db, self.target.schema, clean=clean).load(self._buffer)
                return changes
            except (psycopg.DataError, UnicodeEncodeError) as e:  # what no message of ours holds: NUL, half a surrogate
                if clean:
                    raise StorageError(f"{self.target.where}: {e}", reason="sink-failed") from e
                clean = True
            except psycopg.Error as e:
                if e.sqlstate not in AGAIN or attempt >= TRIES:
                    raise trouble(e, self.target) from e
                self._marked = False
                time.sleep(0.01 * 2**attempt)

    def _own(self, db: Db) -> dict[str, bytes]:
        """Sees to it that the tables are marked as this log's; what to commit, if that is new.

        Raises: StorageError if another log has taken them meanwhile.
        """
        if not self._buffer:
            self._mark(db)
            return {}
        if self.target.origin is not None:
            db.execute(
                "INSERT INTO sink (id, committed) VALUES (%s, true) ON CONFLICT DO NOTHING", [self.target.origin]
            )
        elif "file" not in self._committed:
            id = id_of(self._buffer[0][1])
            db.execute(
                "INSERT INTO sink (id, committed) VALUES (%s, false)"
                " ON CONFLICT (only_one) DO UPDATE SET id = EXCLUDED.id WHERE NOT sink.committed",
                [id.decode()],
            )
            _belongs(db, self.target, {"file": id})
            return {"file": id}
        else:
            self._mark(db)
        _belongs(db, self.target, self._committed)
        return {}

    def _mark(self, db: Db) -> None:
        """Says in the tables that their records were committed, so that a new log does not take them for its own."""
        if "file" in self._committed and not self._marked:
            db.execute("UPDATE sink SET committed = true WHERE NOT committed")
            self._marked = True


def check(target: Target, committed: Mapping[str, bytes]) -> str:
    """What the tables hold, in a few words. Raises: StorageError where `resume` would; touches nothing."""
    db = connect(target)
    try:
        with troubles(target), transaction(db, target):
            if not _belongs(db, target, committed):
                return f"{target.where}: nothing written yet"
            row = db.execute("SELECT count(*) FROM events WHERE NOT retracted").fetchone() or (0,)
            return f"{target.where}: {row[0]:,} events"
    finally:
        db.close()


def kept(target: Target) -> tuple[str, ...]:
    """What `remove` removes, in words."""
    db = connect(target)
    try:
        with troubles(target), transaction(db, target):
            return () if applied(db, target) is None else (f"all rows of {target.where}",)
    finally:
        db.close()


def remove(target: Target) -> None:
    """Empties the tables. They stay, and with them rights that were granted and views that others made of them."""
    db = connect(target)
    try:
        with troubles(target), transaction(db, target):
            if applied(db, target) is not None and (names := tables(db, target)):
                db.execute(f"TRUNCATE {', '.join(names)}".encode())
    finally:
        db.close()


def _belongs(db: Db, target: Target, committed: Mapping[str, bytes]) -> bool:
    """Whether there are tables. Raises: StorageError if they were filled from another log, or are gone."""
    id = target.origin.encode() if target.origin is not None else committed.get("file")
    if applied(db, target) is None:
        if "file" in committed:
            raise StorageError(
                f"{target.where}: the tables are gone, but records were written to them: bring them back, or"
                " `rasd sinks reset postgres` so that everything is written again",
                reason="sink-gone",
            )
        return False
    row = db.execute("SELECT id, committed FROM sink").fetchone()
    if target.origin is not None:
        foreign = row is not None and row[0].encode() != id
    elif id is None:
        foreign = row is not None and row[1]
    else:
        foreign = row is None or row[0].encode() != id
    if foreign:
        raise StorageError(
            f"{target.where}: these records were written from another log: name another schema (postgres.schema),"
            " bring that log back, or `rasd sinks reset postgres`",
            reason="sink-foreign",
        )
    return True


def _ids(record: Record) -> tuple[str, ...]:
    match record:
        case Unique():
            return (record.article.id, record.verdict.article_id)
        case Event() | Toll():
            return (record.id, record.article_id)
        case Coding():
            return (record.article_id, *record.event_ids, *record.toll_ids)
        case Verdict():
            return (record.article_id,)
    return ()
