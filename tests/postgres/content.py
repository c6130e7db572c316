"""What the postgres sink left, in the values that rasd.sqlite has for it, to compare the two row by row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import psycopg
from psycopg import sql

TABLES = (
    *("articles", "verdicts", "codings", "events", "tolls", "claims", "claim_groups", "places", "actors", "sources"),
    *("history", "staged", "sink"),
)


def content(dsn: str, schema: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with psycopg.connect(dsn) as db:
        # as they were sent, not parsed
        db.adapters.register_loader("json", psycopg.types.string.TextLoader)
        found = db.execute("SELECT relname::text FROM pg_class c WHERE relnamespace = to_regnamespace(%s)", [schema])
        there = {name for (name,) in found}
        return {
            table: sorted((_plain(row) for row in db.execute(_all(schema, table))), key=repr)
            for table in TABLES
            if table in there
        }


def standing(dsn: str, schema: str) -> dict[str, dict[str, Any]]:
    """The records that hold, by id."""
    rows = content(dsn, schema)
    return {r[0]: orjson.loads(r[-1]) for table in ("events", "tolls") for r in rows.get(table, []) if not r[1]}


def forget(dsn: str, schema: str) -> None:
    with psycopg.connect(dsn) as db:
        db.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def _all(schema: str, table: str) -> sql.Composed:
    return sql.SQL("SELECT * FROM {}.{}").format(sql.Identifier(schema), sql.Identifier(table))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_value(v) for v in row)


def _value(value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case dt.date():
            return value.isoformat()
        case list():
            return ",".join(map(str, value))
    return value
