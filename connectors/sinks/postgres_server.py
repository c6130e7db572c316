"""A PostgreSQL server as the sink meets it: connecting, deadlines, and which of its troubles pass by themselves.

Nothing here waits without end: connecting, statements, locks and idling have limits on the server, and a deadline of
our own cuts the connection where the server itself has stopped answering.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pipeline.config import Config
from pipeline.errors import ConfigError, RasdError, StorageError, StoragePaused

Db = psycopg.Connection[tuple[Any, ...]]

WHOLE_SECONDS = 60.0  # for one flush, whatever the server does: the connection is cut then
#: What holds within each transaction. Tables that are being filled have stale statistics, and we only ever look rows up
#: by key: scanning a whole table is never meant.
_LIMITS = {
    "statement_timeout": "50s",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
    "enable_seqscan": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
}
#: libpq's own; what the address says goes before. A peer that vanished is noticed within half a minute.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "gssencmode": "disable",
    "application_name": "rasd",
}
#: Errors of a login that no waiting mends. libpq gives no code for them, only the server's words.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|does not exist|no pg_hba\.conf entry|permission denied"
    r"|not permitted to log in|is not currently accepting connections|certificate|server does not support SSL"
    r"|invalid (?:connection option|\w+ value|port number|integer value)|unsupported frontend protocol",
)
_ADVICE = re.compile(r"\n\s+Is the server running [^\n]*")  # what libpq asks of whoever reads its message
#: Classes of SQLSTATE that pass: connection, conflict with others, read-only (failed over to a standby), resources
#: (disk full, out of memory, too many connections), locks, a server that ends or starts, its disk, its own faults.
_PASSING = ("08", "40", "25", "53", "55", "57", "58", "XX000")
#: A conflict with another process: the same batch again, at once.
AGAIN = ("40001", "40P01", "23505")


@dataclass(frozen=True, slots=True)
class Target:
    """The database that is written. origin: names the log that fills it, where not the sink's own state does."""

    dsn: str = field(repr=False)
    schema: str = "rasd"
    password_file: str = ""
    origin: str | None = None

    @property
    def where(self) -> str:
        """For messages: user, host, port, database and schema, never the password."""
        try:
            parts = conninfo_to_dict(self.dsn)
        except psycopg.Error:
            return "postgres"
        host = f"{parts.get('host') or parts.get('hostaddr') or 'the local socket'}"
        port = f":{parts['port']}" if parts.get("port") else ""
        user = f"{parts['user']}@" if parts.get("user") else ""
        return f"{user}{host}{port}/{parts.get('dbname', '')} (schema {self.schema})"


def target_of(config: Config) -> Target:
    """The database that the settings name. On Kafka all processes of the group fill it from the same topics."""
    origin = f"kafka {config.kafka.prefix}" if config.kafka.servers else None
    return Target(config.postgres.dsn, config.postgres.schema, config.postgres.password_file, origin)


def connect(target: Target) -> Db:
    """A connection. Raises: ConfigError; StorageError if it is never let in; StoragePaused if the server is away."""
    if not target.dsn.strip():
        said = "no database is named: set RASD_POSTGRES_DSN, such as postgresql://rasd@localhost/rasd"
        raise ConfigError("postgres.dsn", None, said)
    try:
        given = conninfo_to_dict(target.dsn)
    except psycopg.Error:
        raise ConfigError(  # libpq's own words would quote the address, password and all
            "postgres.dsn",
            None,
            "is no address that PostgreSQL understands: postgresql://USER@HOST:PORT/DATABASE or"
            " host=HOST dbname=DATABASE user=USER",
        ) from None
    params: dict[str, Any] = {**_DEFAULTS, **given, "client_encoding": "UTF8"}
    if target.password_file:
        params["password"] = _read_password(target.password_file)
    try:
        db = psycopg.connect(**params, autocommit=True, prepare_threshold=None)
    except psycopg.Error as e:
        raise _of_login(e, target, str(params.get("password") or "")) from None
    return db


def _read_password(path: str) -> str:
    """Read anew at each login, so that a password may be changed while we run."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError("postgres.password_file", None, f"{path} cannot be read: {e}") from e


def _of_login(error: psycopg.Error, target: Target, password: str) -> RasdError:
    said = _said(error)
    if password:
        said = said.replace(password, "***")
    if _REFUSED.search(said):
        return StorageError(f"{target.where}: {said}", reason="sink-refused")
    return StoragePaused(f"{target.where}: {said}")


def _said(error: BaseException) -> str:
    """The server's words on one line, without libpq's advice that follows them."""
    return " ".join(_ADVICE.sub("", str(error)).split())[:600] or type(error).__name__


@contextlib.contextmanager
def troubles(target: Target) -> Iterator[None]:
    """Turns errors of the server into StoragePaused where they pass, else into StorageError."""
    try:
        yield
    except psycopg.Error as e:
        raise trouble(e, target) from e


def trouble(error: psycopg.Error, target: Target) -> RasdError:
    """What an error means to the runner."""
    state, said = error.sqlstate or "", _said(error)
    lost = not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if lost or state.startswith(_PASSING):
        return StoragePaused(f"{target.where}: {said}")
    if state == "42501":
        return StorageError(f"{target.where}: {said}: this user needs that right", reason="sink-refused")
    return StorageError(f"{target.where}: {said} ({state or type(error).__name__})", reason="sink-failed")


@contextlib.contextmanager
def deadline(db: Db) -> Iterator[None]:
    """Cuts the connection after WHOLE_SECONDS, so that what waits for an answer gets an error instead."""
    held = socket.socket(fileno=os.dup(db.pgconn.socket))  # our own handle: the other may be closed and given away
    timer = threading.Timer(WHOLE_SECONDS, _cut, (held,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        held.close()


def _cut(held: socket.socket) -> None:
    with contextlib.suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def transaction(db: Db, target: Target) -> Iterator[None]:
    """All or nothing, durable when left; names without a schema mean ours. An answer is never waited for for ever."""
    settings = {"search_path": target.schema, **_LIMITS}
    with deadline(db), db.transaction():
        chosen = ", ".join("set_config(%s, %s, true)" for _ in settings)
        query = f"""SELECT {chosen}, set_config('synchronous_commit',
            CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
            ELSE current_setting('synchronous_commit') END, true)"""
        db.execute(query.encode(), [word for pair in settings.items() for word in pair])
        yield
