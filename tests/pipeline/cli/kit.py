"""A small log from the golden records, and the command line as a test calls it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner

from pipeline import wire
from pipeline.cli import build
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article, Coding, Entry, Event, Record, Reject, Toll, Unique, Verdict
from pipeline.topics import TOPICS

GOLDEN = Path(__file__).parents[2] / "golden" / "wire"
WRITTEN = 1_700_000_000.0
R = TypeVar("R", bound=Record)


def golden(kind: type[R], **changes: Any) -> R:
    """The full example of a record, with some fields changed."""
    record = wire.decode(kind, (GOLDEN / f"{kind.__name__.lower()}.json").read_bytes())
    return dataclasses.replace(record, **changes)


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def rasd(*args: object, data: Path | None = None, stdin: str | bytes | None = None, env: Any = None) -> Result:
    """Calls the command line in this process; fails the test on an exception that is no exit."""
    words = [str(a) for a in args]
    if data is not None:
        words = ["--data", str(data), *words]
    clean = {name: None for name in os.environ if name.startswith("RASD_")}
    got = CliRunner().invoke(build(), words, input=stdin, env={**clean, **(env or {})}, prog_name="rasd")
    if got.exception is not None and not isinstance(got.exception, SystemExit):
        raise got.exception
    return Result(got.exit_code, got.stdout, got.stderr)


def write(log: SqliteLog, records: Iterable[Record]) -> None:
    """Appends records to their topics, as a run would."""
    with log.transaction():
        for record in records:
            topic = next(t for t in TOPICS.values() if type(record) in t.carries)
            log.append(topic.name, topic.key(record), wire.encode(record), time_of(record))


def time_of(record: Record) -> int | None:
    subject: Any = record.article if isinstance(record, Unique) else record
    published = getattr(subject, "published", None)
    return int(published.timestamp() * 1000) if published else None


def small_log(data: Path, *more: Record, partitions: int = 1) -> Path:
    """One entry, one article with its verdict, event, toll and coding, and one reject; returns the data folder."""
    log = SqliteLog(data / "log.sqlite", partitions=partitions, now=lambda: WRITTEN)
    records = [golden(kind) for kind in (Entry, Article, Verdict, Unique, Event, Toll, Coding, Reject)]
    with log.transaction():
        for topic in TOPICS:
            log.create_topic(topic)
    write(log, [*records, *more])
    log.close()
    return data
