"""How fast articles are written to Kafka, by compression: python -m bench.kafka_producer [--servers HOST:PORT]

The articles are those of the example archive, over and over under other ids, so that they compress as news does. Each
run has a topic of its own with four partitions, which is deleted afterwards. What is measured begins with the first
`send` on a producer that is connected and ends with the last acknowledgement.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

from connectors.sources.archives import Archive, Options
from pipeline import wire
from pipeline.config import Config, load
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.door import admin
from pipeline.log.kafka.producer import Producer
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.kafka.topics import ensure_topics
from pipeline.records import Article
from pipeline.topics import ARTICLES

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("ar", "en", "fr", "fa", "ku", "tr")  # keys: articles spread over the partitions as languages do


def articles(count: int) -> list[tuple[Article, bytes]]:
    archive = Archive([ROOT / "examples" / "archive" / name for name in ("wire.jsonl", "desk.jsonl.gz")], Options())
    found = [f.record for f in archive.read() if f is not None and isinstance(f.record, Article)]
    out = []
    for i, record in zip(range(count), itertools.cycle(found), strict=False):
        made = dataclasses.replace(record, id=f"{record.id}-{i}", language=LANGUAGES[i % len(LANGUAGES)])
        out.append((made, wire.encode(made)))
    return out


def measured(config: Config, pairs: list[tuple[Article, bytes]]) -> tuple[float, int]:
    """Seconds, and bytes on the broker's disk."""
    ensure_topics(config)
    cluster = cluster_of(config)
    try:
        with Producer(cluster) as producer:
            producer.send_records(pairs[:1])
            producer.flush(30)
            begin = time.perf_counter()
            producer.send_records(pairs)
            producer.flush(300)
            seconds = time.perf_counter() - begin
        with KafkaLog(cluster) as log:
            return seconds, sum(b.size for b in log.bounds(ARTICLES.name))
    finally:
        with admin(cluster) as client:
            client.delete_topics([t for t in client.list_topics() if t.startswith(config.kafka.prefix)])


def rows(servers: str, count: int, rounds: int) -> Iterator[str]:
    pairs = articles(count)
    size = sum(len(value) for _, value in pairs)
    yield f"{count:,} articles, {size / count:,.0f} bytes each; the best of {rounds} rounds; {os.cpu_count()} cores"
    yield ""
    yield "| compression | articles/s | MB/s | on disk |"
    yield "|---|---:|---:|---:|"
    for compression in ("none", "lz4", "zstd", "gzip"):
        runs = []
        for turn in range(rounds):
            prefix = f"bench-{os.getpid()}-{compression}-{turn}."
            environ = {
                "RASD_KAFKA_SERVERS": servers,
                "RASD_KAFKA_PREFIX": prefix,
                "RASD_KAFKA_COMPRESSION": compression,
            }
            runs.append(measured(load(environ=environ), pairs))
        seconds, stored = min(runs)
        yield f"| {compression} | {count / seconds:,.0f} | {size / seconds / 1e6:.1f} | {stored / size:.0%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", default=os.environ.get("RASD_TEST_KAFKA", "127.0.0.1:9092"))
    parser.add_argument("--articles", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for line in rows(given.servers, given.articles, given.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
