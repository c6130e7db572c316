"""The whole flow on Kafka beside the whole flow without a broker, in one run on the same cores.

    python -m bench.kafka [--archive FILE] [--limit N] [--rounds N] [--partitions 1 2 4] [--workers N] [--json]

Each round runs both, one after the other: `rasd replay` into the embedded log with its sinks; then, against a broker
started for it, `rasd replay --to kafka` with a worker and a sink that were started before. Both clocks run from the
first article read to the last row in the sink, start of the processes not counted on Kafka (they run for months) and
counted for the embedded flow once, in its own column. The records on the topics must be the same to the byte.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from bench.run import generated
from pipeline.log.sqlite import SqliteLog
from tests.kafka.cluster import Cluster, free_ports
from tests.kafka.jars import jars

TOPICS = ("rasd.verdicts", "rasd.unique", "rasd.events")  # rejects name the partition and offset of their input
LIMIT_SECONDS = 900
Values = dict[str, list[bytes]]  # of each topic, sorted


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.kafka", description=__doc__)
    parser.add_argument("--archive", type=Path, help="JSONL archive (else generated articles)")
    parser.add_argument("--limit", type=int, help="only the first N articles")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partitions", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--workers", type=int, help="workers (else as many as partitions)")
    parser.add_argument("--sink", default="sqlite")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name, Cluster(jars(), folder=Path(name) / "broker") as broker:
        folder = Path(name)
        archive = given.archive or generated(folder)
        for at in range(given.rounds):
            alone, articles, expected = embedded(archive, given.limit, folder / f"embedded-{at}", given.sink)
            row: dict[str, Any] = {"articles": articles, "embedded": articles / alone}
            for partitions in given.partitions:
                data = folder / f"{at}-{partitions}"
                bench = Run(broker.servers, partitions, given.workers or partitions, given.sink, data)
                seconds, found = bench.run(archive, given.limit)
                if found != expected:
                    raise SystemExit(f"{partitions} partitions: {difference(found, expected)}")
                row[f"kafka {partitions}"] = articles / seconds
            rows.append(row)
            print(json.dumps({k: round(v, 1) for k, v in row.items()}), file=sys.stderr)
    figures = {k: round(statistics.median(row[k] for row in rows), 1) for k in rows[0]}
    for partitions in given.partitions:
        figures[f"ratio {partitions}"] = round(
            statistics.median(row[f"kafka {partitions}"] / row["embedded"] for row in rows), 3
        )
    if given.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(f"{name:<24} {value}")


def difference(found: Values, expected: Values) -> str:
    return ", ".join(
        f"{topic}: {len(found[topic])} records, {len(set(expected[topic]) - set(found[topic]))} missing and "
        f"{len(set(found[topic]) - set(expected[topic]))} others"
        for topic in expected
        if found[topic] != expected[topic]
    )


def embedded(archive: Path, limit: int | None, data: Path, sink: str) -> tuple[float, int, Values]:
    """Seconds, articles, and the records of each topic, sorted."""
    command = [sys.executable, "-m", "pipeline.cli", "--data", str(data), "replay", str(archive), "--json"]
    more = ["--limit", str(limit)] if limit else []
    environment = {**os.environ, "RASD_SINKS_ENABLED": sink}
    done = subprocess.run([*command, *more], capture_output=True, check=True, env=environment)
    counts = json.loads(done.stdout)
    with contextlib.closing(SqliteLog(data / "log.sqlite", readonly=True)) as log:
        values = {topic: sorted(m.value for m in log.scan(topic)) for topic in TOPICS}
    return counts["seconds"], counts["read"], values


class Run:
    """One run on Kafka under a prefix of its own."""

    def __init__(self, servers: str, partitions: int, workers: int, sink: str, data: Path) -> None:
        self.servers, self.partitions, self.workers, self.sink, self.data = servers, partitions, workers, sink, data
        self.prefix = f"bench-{partitions}-{time.monotonic_ns()}."

    def environment(self, name: str, port: int | None = None) -> dict[str, str]:
        return {
            **os.environ,
            "RASD_DATA": str(self.data / name),
            "RASD_KAFKA_SERVERS": self.servers,
            "RASD_KAFKA_PREFIX": self.prefix,
            "RASD_KAFKA_PARTITIONS": str(self.partitions),
            "RASD_WORKER_INSTANCE": f"{self.prefix}{name}",
            "RASD_WORKER_HEALTH": f"127.0.0.1:{port}" if port else "",
            "RASD_RUN_PROCESSES": str(max(1, 2 // self.workers)),
        }

    def rasd(self, name: str, *words: str) -> None:
        subprocess.run(_COMMAND + list(words), check=True, env=self.environment(name), stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def service(self, name: str, *words: str) -> Iterator[None]:
        """Runs a service until left; begins when it is ready."""
        (port,) = free_ports(1)
        process = subprocess.Popen(_COMMAND + list(words), env=self.environment(name, port))
        try:
            _await(lambda: _ready(port) or process.poll() is not None, 60)
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with {process.returncode}")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def run(self, archive: Path, limit: int | None) -> tuple[float, Values]:
        self.rasd("admin", "topics", "create")
        with contextlib.ExitStack() as stack:
            for n in range(self.workers):
                stack.enter_context(self.service(f"worker-{n}", "worker"))
            stack.enter_context(self.service("sink", "sink", self.sink))
            begin = time.monotonic()
            self.rasd("replay", "replay", str(archive), "--to", "kafka", *(["--limit", str(limit)] if limit else []))
            _await(lambda: not self.lag(), LIMIT_SECONDS)
            seconds = time.monotonic() - begin
        return seconds, self.values()

    def lag(self) -> int:
        """Messages that some group of the flow has still before it."""
        groups = {"dedupe": "articles", "extract": "unique", f"sink-{self.sink}": "events"}
        behind = 0
        for group, topic in groups.items():
            consumer = KafkaConsumer(
                bootstrap_servers=self.servers, group_id=self.prefix + group, enable_auto_commit=False
            )
            parts = [TopicPartition(self.prefix + topic, p) for p in range(self.partitions)]
            ends = consumer.end_offsets(parts)
            behind += sum(ends[p] - (consumer.committed(p) or 0) for p in parts)
            consumer.close(autocommit=False)
            if behind:
                break
        return behind

    def remove_topics(self) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        admin.delete_topics([t for t in admin.list_topics() if t.startswith(self.prefix)])
        admin.close()

    def values(self) -> Values:
        consumer = KafkaConsumer(bootstrap_servers=self.servers, max_partition_fetch_bytes=8_500_000)
        out: Values = {}
        for topic in TOPICS:
            name = self.prefix + topic.removeprefix("rasd.")
            parts = [TopicPartition(name, p) for p in range(self.partitions)]
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            consumer.seek_to_beginning(*parts)
            found: list[bytes] = []
            while any(consumer.position(p) < ends[p] for p in parts):
                for batch in consumer.poll(500).values():
                    found += [m.value for m in batch]
            out[topic] = sorted(found)
        consumer.close()
        return out


_COMMAND = [sys.executable, "-m", "pipeline.cli"]


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _await(done: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"not done after {seconds:.0f} s")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
