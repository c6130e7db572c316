"""Measures the PostgreSQL sink on real records: events a second, with all their rows, into a server of its own.

    rasd replay ARCHIVE --data DATA        # what was extracted there is written, many times over, under other ids
    python -m bench.postgres --data DATA [--events 40000] [--batch 256 1000 5000] [--sink postgres] [--profile]

A batch is what the runner hands to one flush: so many messages of each topic the sink reads. Each flush is one durable
transaction (fsync on). `coded` writes topic events alone, of articles in which there are any; `all` also the articles'
texts, the verdicts, and the codings of articles that hold no event. Bytes are decoded before the clock starts; with
`--decode` inside it.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg

from connectors.sinks import Sink
from connectors.sinks.postgres import PostgresSink
from connectors.sinks.postgres_load import KEYS
from connectors.sinks.postgres_server import Target
from connectors.sinks.sqlite import SqliteSink
from pipeline import wire
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Event, Record, Unique, Verdict
from tests.postgres.server import Server

TOPICS: dict[str, Callable[[bytes], Record]] = {
    "rasd.unique": lambda value: wire.decode(Unique, value),
    "rasd.verdicts": lambda value: wire.decode(Verdict, value),
    "rasd.events": wire.decode_coded,
}
_UUID = re.compile(rb"\b([0-9a-f]{8})(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")
Pair = tuple[Record, bytes]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.postgres", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data folder of a replay")
    parser.add_argument("--events", type=int, default=40_000, help="events to write in each run")
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 1000, 5000], help="messages of a topic")
    parser.add_argument("--sink", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--decode", action="store_true", help="count the decoding too")
    parser.add_argument("--again", action="store_true", help="also write everything a second time")
    parser.add_argument("--profile", action="store_true", help="print where the time goes in our process")
    given = parser.parse_args()
    topics = {name: list(read(given.data, name)) for name in TOPICS}
    print(f"{'what':<7} {'batch':>6} {'events':>8} {'rows':>9} {'seconds':>8} {'events/s':>9} {'messages/s':>11}")
    for what, chosen in (("coded", {"rasd.events": coded(topics["rasd.events"])}), ("all", topics)):
        values = multiplied(chosen, given.events)
        for batch in given.batch:
            measure(given, what, values, batch)


def measure(given: argparse.Namespace, what: str, topics: dict[str, list[bytes]], batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Server.started(fsync=True) as server:
        dsn = server.database()
        sink: Sink = SqliteSink(Path(folder)) if given.sink == "sqlite" else PostgresSink(Target(dsn))
        sink.resume({})
        batches = list(batched(topics, batch))
        ready = None if given.decode else [decoded(b) for b in batches]
        events = sum(b'"kind":"event"' in value[:40] for value in topics["rasd.events"])
        messages = sum(map(len, topics.values()))
        gc.freeze()  # a runner does not hold all records of a run for Python's collector to look through
        profile = cProfile.Profile() if given.profile else None
        for turn in ("", "again") if given.again else ("",):
            begin = time.perf_counter()
            if profile:
                profile.enable()
            for n, values in enumerate(batches):
                for record, value in ready[n] if ready else decoded(values):
                    sink.write(record, value)
                sink.flush()
            if profile:
                profile.disable()
            seconds = time.perf_counter() - begin
            rows = f"{counted(dsn):,}" if given.sink == "postgres" else ""
            print(
                f"{turn or what:<7} {batch:>6,} {events:>8,} {rows:>9} {seconds:>8.2f} {events / seconds:>9,.0f}"
                f" {messages / seconds:>11,.0f}",
                flush=True,
            )
        sink.close()
        if profile:
            pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(18)


def read(data: Path, topic: str) -> Iterator[bytes]:
    log = SqliteLog(data / "log.sqlite", readonly=True)
    for partition, bounds in enumerate(log.bounds(topic)):
        at = bounds.first
        while found := log.read(topic, partition, at, 1000):
            yield from (m.value for m in found)
            at = found[-1].offset + 1
    log.close()


def coded(values: Sequence[bytes]) -> list[bytes]:
    """Records and codings of the articles that hold an event."""
    records = [(wire.decode_coded(value), value) for value in values]
    held = Counter(record.article_id for record, _ in records if isinstance(record, Event))
    return [value for record, value in records if held[record.article_id]]


def multiplied(topics: dict[str, list[bytes]], events: int) -> dict[str, list[bytes]]:
    """The same records again and again, each time under other ids, until there are so many events."""
    there = sum(isinstance(wire.decode_coded(v), Event) for v in topics["rasd.events"])
    copies = -(-events // max(there, 1))
    return {
        name: [
            _UUID.sub(lambda m, n=n: b"%08x" % (int(m[1], 16) ^ n * 0x9E3779B1 & 0xFFFFFFFF) + m[2], v)
            for n in range(copies)
            for v in values
        ]
        for name, values in topics.items()
    }


def batched(topics: dict[str, list[bytes]], batch: int) -> Iterator[dict[str, list[bytes]]]:
    """As the runner reads them: so many messages of each topic, until all are read."""
    for at in range(0, max(map(len, topics.values())), batch):
        yield {name: values[at : at + batch] for name, values in topics.items()}


def decoded(values: dict[str, list[bytes]]) -> list[Pair]:
    return [(TOPICS[name](value), value) for name, some in values.items() for value in some]


def counted(dsn: str) -> int:
    """Rows of all tables."""
    tables = sorted(KEYS)
    query = "SELECT " + " + ".join(f"(SELECT count(*) FROM rasd.{table})" for table in tables)
    with psycopg.connect(dsn) as db:
        row = db.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
