"""Everything in one SQLite file for analysts: `<data>/rasd.sqlite`. `schema.sql` says what stands where.

A batch is one transaction, and records wait for their coding in a table of the file, so a kill loses nothing. Rows are
replaced by key and a coding that is already known changes nothing, so a batch that comes again has no second effect.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from connectors.databases import BUSY_SECONDS, connect_readonly, passing, transaction
from connectors.sinks.jsonl import id_of
from connectors.sinks.load import Loader
from pipeline.errors import RasdError, StorageError, StoragePaused
from pipeline.records import Coding, Event, Record, Toll, Unique, Verdict

FILE = "rasd.sqlite"
FORMAT = 1  # PRAGMA user_version; a file with a higher one was made by a newer version
APPLICATION = 0x72617364  # PRAGMA application_id: "rasd"
SCHEMA = Path(__file__).with_name("schema.sql")


class SqliteSink:
    """See the module and `connectors.sinks.Sink`. State kept by the runner: `file`, once anything was committed.

    It is the id that table `sink` names too, so that one log's records are never mixed with another's.
    """

    name = "sqlite"
    topics: tuple[str, ...] = ("rasd.unique", "rasd.verdicts", "rasd.events")

    def __init__(self, data: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = data / FILE
        self._busy_seconds = busy_seconds
        self._committed: Mapping[str, bytes] = {}
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._marked = False
        self._buffer: list[tuple[Record, bytes]] = []

    def resume(self, committed: Mapping[str, bytes]) -> None:
        self.close()
        self._committed = committed
        if "file" in committed and not self.path.exists():
            raise _gone(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _troubles(self.path):
            db = sqlite3.connect(self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False)
            try:
                _prepare(db, self.path, committed)
                self._marked = False
                self._mark(db)
            except BaseException:
                db.close()
                raise
        self._db, self._file = db, _file(self.path)

    def write(self, record: Record, value: bytes) -> None:
        if not isinstance(record, Unique | Verdict | Event | Toll | Coding):
            raise TypeError(f"the sqlite sink takes no {type(record).__name__}")
        self._buffer.append((record, value))

    def flush(self) -> Mapping[str, bytes]:
        if self._db is None:
            raise StoragePaused(f"{self.path}: not brought back to its committed state yet")
        if not self._buffer and (self._marked or "file" not in self._committed):
            return {}
        changes: dict[str, bytes] = {}
        try:
            if _file(self.path) != self._file:
                raise _gone(self.path)
            with _troubles(self.path), transaction(self._db):
                if self._buffer and "file" not in self._committed:
                    changes["file"] = id_of(self._buffer[0][1])
                    self._db.execute("INSERT OR REPLACE INTO sink VALUES (1, ?, 0)", (changes["file"].decode(),))
                self._mark(self._db)
                Loader(self._db).load(self._buffer)
        except BaseException:
            self._drop()
            raise
        self._buffer = []
        return changes

    def close(self) -> None:
        if self._db is not None and not self._marked:
            with contextlib.suppress(sqlite3.Error):  # the next `resume` does it
                self._mark(self._db)
        self._drop()

    def _drop(self) -> None:
        self._buffer = []
        if self._db is not None:
            self._db.close()
            self._db = None

    def _mark(self, db: sqlite3.Connection) -> None:
        """Says in the file that its records were committed, so that a new log does not take them for its own."""
        if not self._marked and "file" in self._committed:
            if db.execute("SELECT count(*) FROM sink WHERE NOT committed").fetchone()[0]:
                db.execute("UPDATE sink SET committed = 1")
            self._marked = True


def check(data: Path, committed: Mapping[str, bytes]) -> str:
    """What the file holds, in a few words. Raises: StorageError where `resume` would; touches nothing."""
    path = data / FILE
    if not path.exists():
        if "file" in committed:
            raise _gone(path)
        return "nothing written yet"
    with contextlib.closing(open_readonly(data)) as db, _troubles(path):
        _belongs(db, path, committed)
    return f"{path.stat().st_size:,} bytes"


def open_readonly(data: Path) -> sqlite3.Connection:
    """The file to read from, also where nothing may be written. Raises: StorageError if none of ours is there."""
    path = data / FILE
    if not path.exists():
        raise StorageError(f"{path}: there is no such file yet (the sqlite sink writes it)", reason="no-sink")
    with _troubles(path):
        db = connect_readonly(path)
        try:
            _check(db, path)
        except BaseException:
            db.close()
            raise
    return db


def article_of(db: sqlite3.Connection, id: str, revision: int) -> tuple[str | None, str] | None:
    """Title and body of one article revision; None if it is not there."""
    row = db.execute("SELECT title, body FROM articles WHERE id = ? AND revision = ?", (id, revision)).fetchone()
    return None if row is None else (row[0], row[1])


def event_of(db: sqlite3.Connection, id: str) -> bytes | None:
    """JSON of the newest record of an event or toll, by its id or a prefix that only one id has; None if unknown.

    Raises: RasdError (reason ambiguous-id) naming some of the ids where the prefix fits several.
    """
    found: dict[str, str] = {}
    for table in ("events", "tolls", "history"):
        order = "revision DESC, generation DESC"
        exact = db.execute(f"SELECT json FROM {table} WHERE id = ? ORDER BY {order} LIMIT 1", (id,)).fetchone()
        if exact is not None:
            return str(exact[0]).encode()
        rows = db.execute(
            f"SELECT id, json FROM {table} WHERE id >= ? AND id < ? ORDER BY id, {order} LIMIT 100",
            (id, id + "\U0010ffff"),
        )
        for longer, json in rows:
            found.setdefault(longer, json)
    if len(found) > 1:
        raise RasdError(f"{id!r} fits several ids: {', '.join(sorted(found)[:5])}", reason="ambiguous-id")
    return next((json.encode() for json in found.values()), None)


def _prepare(db: sqlite3.Connection, path: Path, committed: Mapping[str, bytes]) -> None:
    fresh = _check(db, path)
    _belongs(db, path, committed)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -32000")
    db.execute("PRAGMA journal_size_limit = 67108864")
    if fresh:
        with transaction(db):
            if _check(db, path):
                for statement in _statements(SCHEMA.read_text("utf-8")):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute(f"PRAGMA user_version = {FORMAT}")


def _check(db: sqlite3.Connection, path: Path) -> bool:
    """True for an empty file. Raises: StorageError for a file that is not ours or of a newer version."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == APPLICATION and version > FORMAT:
        raise StorageError(f"{path}: made by a newer version of rasd (format {version})", reason="newer-sink")
    if application != APPLICATION and (tables or application or version):
        raise StorageError(f"{path}: a database of another program: move it away", reason="sink-foreign")
    return not tables


def _belongs(db: sqlite3.Connection, path: Path, committed: Mapping[str, bytes]) -> None:
    """Raises: StorageError if the file was filled from another log than the one that keeps this state."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    row = db.execute("SELECT id, committed FROM sink").fetchone() if "sink" in tables else None
    id = committed.get("file")
    if "sink" not in tables:
        foreign = bool(tables) or id is not None
    elif id is None:
        foreign = row is not None and bool(row[1])
    else:
        foreign = row is None or row[0].encode() != id
    if foreign:
        raise StorageError(
            f"{path}: these records were written from another log: move the file away, bring that log back, or"
            " `rasd sinks reset sqlite`",
            reason="sink-foreign",
        )


def _file(path: Path) -> tuple[int, int] | None:
    """Which file lies there: SQLite goes on writing to one that was removed, and says nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _gone(path: Path) -> StorageError:
    return StorageError(
        f"{path}: the file is gone, but records were written to it: put it back, or `rasd sinks reset sqlite` so that"
        " everything is written again",
        reason="sink-gone",
    )


def _statements(script: str) -> Iterator[str]:
    """Single statements, so that they run inside one transaction (`executescript` would commit first)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


@contextlib.contextmanager
def _troubles(path: Path) -> Iterator[None]:
    """Turns SQLite's passing troubles into StoragePaused, a broken or foreign file into StorageError."""
    try:
        yield
    except sqlite3.DatabaseError as e:
        if what := passing(e):
            raise StoragePaused(f"{path}: {what} ({e})") from e
        if getattr(e, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR_CORRUPTFS")):
            raise StorageError(f"{path}: not a database that we can read ({e})", reason="sink-foreign") from e
        raise
