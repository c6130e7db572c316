"""What our SQLite files share."""

from __future__ import annotations

import sqlite3

import pytest

from connectors.databases import passing, transaction


def error(name: str | None) -> sqlite3.Error:
    found = sqlite3.OperationalError("refused")
    if name is not None:
        found.sqlite_errorname = name
    return found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_BUSY_SNAPSHOT", "another program holds the file"),
        ("SQLITE_IOERR_WRITE", "the disk fails just now"),
        ("SQLITE_IOERR_CORRUPTFS", None),
        ("SQLITE_CORRUPT", None),
        ("SQLITE_NOTADB", None),
        (None, None),
    ],
)
def test_what_passes_by_itself_is_told_from_what_lasts(name: str | None, said: str | None) -> None:
    assert passing(error(name)) == said


def test_a_transaction_is_all_or_nothing() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE t (n)")
    with transaction(db):
        db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.Error), transaction(db):
        db.executemany("INSERT INTO t VALUES (?)", [(2,), (3, 4)])
    assert db.execute("SELECT n FROM t").fetchall() == [(1,)]
    assert not db.in_transaction
    db.close()
