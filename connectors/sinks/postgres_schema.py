"""The tables in PostgreSQL: numbered files of SQL in `migrations/`, each applied once, in order, all or none.

Table `migrations` says which were. Two sinks that start at once take turns; tables made by a newer version are refused.
"""

from __future__ import annotations

import re
from pathlib import Path

from connectors.sinks.postgres_server import Db, Target, transaction
from pipeline.errors import StorageError

FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x72617364  # "rasd": the advisory lock under which tables are made
_TABLE = b"""CREATE TABLE migrations (
    number integer NOT NULL PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT now())"""
_NOTE = b"COMMENT ON TABLE migrations IS 'Which files of SQL made these tables: not for reading.'"


def migrations() -> dict[int, Path]:
    """The files by number, in order."""
    found = {int(p.name[:4]): p for p in FOLDER.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", p.name)}
    return dict(sorted(found.items()))


def prepare(db: Db, target: Target) -> None:
    """Makes the schema and its tables, or brings them up to date. Raises: StorageError where `applied` does."""
    with transaction(db, target):
        if applied(db, target) == max(migrations()):
            return
    with transaction(db, target):
        db.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if not _exists(db, target):  # IF NOT EXISTS would ask for the right to create even where it is there
            db.execute(f"CREATE SCHEMA {target.schema}".encode())
        done = applied(db, target)
        if done is None:
            db.execute(_TABLE)
            db.execute(_NOTE)
        for number, path in migrations().items():
            if number > (done or 0):
                db.execute(path.read_bytes())
                db.execute("INSERT INTO migrations (number, name) VALUES (%s, %s)", [number, path.stem])


def applied(db: Db, target: Target) -> int | None:
    """Number of the newest migration that was applied; None where there are no tables yet. Inside a transaction.

    Raises: StorageError for tables of a newer version or of another program, and for a database not in UTF-8.
    """
    row = db.execute("SHOW server_encoding").fetchone()
    if row is None or row[0] != "UTF8":
        raise StorageError(f"{target.where}: the database's encoding must be UTF8", reason="sink-foreign")
    names = {
        name
        for (name,) in db.execute(
            "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = %s AND relkind IN ('r', 'p')",
            [target.schema],
        )
    }
    if "migrations" not in names:
        if names:
            raise StorageError(
                f"{target.where}: the schema holds tables of another program: name another one in postgres.schema",
                reason="sink-foreign",
            )
        return None
    newest = (db.execute("SELECT max(number) FROM migrations").fetchone() or (None,))[0]
    if newest is not None and newest > max(migrations()):
        raise StorageError(
            f"{target.where}: these tables were made by a newer version of rasd (migration {newest})",
            reason="newer-sink",
        )
    return int(newest or 0)


def tables(db: Db, target: Target) -> list[str]:
    """Names of the tables that hold records, and what they belong to. Inside a transaction."""
    found = db.execute(
        "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = %s AND relkind = 'r'"
        " AND relname <> 'migrations' ORDER BY 1",
        [target.schema],
    )
    return [name for (name,) in found]


def _exists(db: Db, target: Target) -> bool:
    """Asks the table itself: to_regnamespace() remembers what was not there before we waited for the lock."""
    return db.execute("SELECT FROM pg_namespace WHERE nspname = %s", [target.schema]).fetchone() is not None
