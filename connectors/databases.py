"""What our SQLite files share: how to read one, a transaction, and which of SQLite's troubles pass by themselves."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

BUSY_SECONDS = 5.0  # waited for another program that holds the file
_PASSING = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_BUSY": "another program holds the file",
    "SQLITE_LOCKED": "another program holds the file",
    "SQLITE_IOERR": "the disk fails just now",
    "SQLITE_READONLY": "the file cannot be written just now",
    "SQLITE_CANTOPEN": "the file cannot be opened just now",
}


def connect_readonly(path: Path) -> sqlite3.Connection:
    """A database to read from. Raises: sqlite3.Error.

    Reading in WAL mode makes files beside the database. Where that is not allowed and no writer has left a `-wal`, the
    file is whole as it lies there and is read as one that does not change.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
    try:
        db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except sqlite3.Error as e:
        db.close()
        refused = e.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY"))
        if not refused or path.with_name(f"{path.name}-wal").exists():
            raise
        return sqlite3.connect(f"{uri}&immutable=1", uri=True)
    return db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, durable when left."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def passing(error: sqlite3.Error) -> str | None:
    """What is the matter, where trying again later may help; None for a file that is broken or not ours."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_IOERR_CORRUPTFS":
        return None
    return next((what for prefix, what in _PASSING.items() if name.startswith(prefix)), None)
