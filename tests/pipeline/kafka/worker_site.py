"""Topics of a test, workers on them, and what the embedded runtime makes of the same articles."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config, load
from pipeline.log import Message
from pipeline.log.sqlite import SqliteLog
from tests.command import replayed
from tests.waiting import until

TOPICS = ("rasd.verdicts", "rasd.unique", "rasd.events")
Rows = dict[str, set[tuple[str | None, bytes]]]


@dataclass(frozen=True, slots=True)
class Embedded:
    """What the embedded runtime made of the example archive."""

    articles: list[Message]
    rows: Rows


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    data = tmp_path_factory.mktemp("embedded")
    replayed(data)
    log = SqliteLog(load(data=data, environ={}).log_file, partitions=1, readonly=True, synchronous="FULL")
    try:
        rows = {t: {(m.key, m.value) for m in log.scan(t)} for t in TOPICS}
        return Embedded(list(log.scan("rasd.articles")), rows)
    finally:
        log.close()


class Site:
    """Topics of one test, and workers on them."""

    def __init__(self, config: Config) -> None:
        from pipeline.log.kafka.clients import cluster_of
        from pipeline.log.kafka.topics import ensure_topics

        self.config, self.cluster = config, cluster_of(config)
        self.started = 0
        ensure_topics(config, wait=10)

    def publish(self, articles: Sequence[Message]) -> None:
        self.publish_to("rasd.articles", articles)

    def publish_to(self, topic: str, messages: Sequence[Message]) -> None:
        from pipeline.log.kafka.headers import schema_of
        from pipeline.log.kafka.producer import Producer

        with Producer(self.cluster) as producer:
            for m in messages:
                producer.send(topic, m.key, m.value, schema=schema_of(m.value), time=m.time)
            producer.flush(30)

    def read(self, topic: str) -> list[Message]:
        from pipeline.log.kafka.reader import KafkaLog

        with KafkaLog(self.cluster) as log:
            return list(log.scan(topic))

    def rows(self) -> Rows:
        return {t: {(m.key, m.value) for m in self.read(t)} for t in TOPICS}

    @contextmanager
    def worker(
        self, *words: str, data: Path | None = None, said: Path | None = None, **settings: str
    ) -> Iterator[subprocess.Popen[str]]:
        """said: a file for what it says, to be read while it runs."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("RASD_")},
            "RASD_KAFKA_SERVERS": ",".join(self.cluster.servers),
            "RASD_KAFKA_PREFIX": self.cluster.prefix,
            "RASD_KAFKA_SESSION_SECONDS": "6",
            "RASD_WORKER_HEALTH": "127.0.0.1:0",
            "RASD_RUN_PROCESSES": "1",
            **settings,
        }
        command = [sys.executable, "-m", "pipeline.cli", "--data", str(data or self.config.data_dir), "worker", *words]
        with contextlib.ExitStack() as open_:
            stderr = open_.enter_context(said.open("a")) if said else subprocess.PIPE
            process = subprocess.Popen(
                command, env=environment, text=True, stdout=subprocess.PIPE, stderr=stderr, bufsize=0
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=10)

    def run(self, *words: str, data: Path | None = None, **settings: str) -> dict[str, Any]:
        """A worker until nothing came for a moment; its counts."""
        with self.worker("--until-idle", "1.5", "--json", *words, data=data, **settings) as process:
            out, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
        counts: dict[str, Any] = json.loads(out)
        return counts

    def until(self, topic: str, rows: int, seconds: float = 30.0) -> None:
        """Returns when so many different messages are there: what is repeated after a fault counts once."""
        until(
            lambda: self.different(topic) >= rows,
            seconds,
            lambda: f"{topic} has {self.different(topic)} messages",
            every=0.1,
        )

    def different(self, topic: str) -> int:
        return len({(m.key, m.value) for m in self.read(topic)})


@pytest.fixture
def site(kafka_config: Callable[..., Config]) -> Callable[[int], Site]:
    return lambda partitions: Site(kafka_config(kafka_partitions=partitions))
