"""What the fetcher has taken is committed, also when no further entry comes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kafka")

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from pipeline.config import load
from pipeline.log.kafka.clients import cluster_of
from pipeline.runtimes.kafka import entries
from pipeline.runtimes.kafka.health import Health

AT = TopicPartition("t.entries", 0)


class Consumer:
    """A member that has one partition, with nothing more in it; the broker is away for the first commits."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.committed: list[int] = []
        self._cluster = SimpleNamespace(topic_id=lambda topic: None)
        self._coordinator = SimpleNamespace(rejoining=False, need_rejoin=lambda: False, time_to_next_poll=lambda: 1.0)
        self._fetcher = SimpleNamespace(_next_partition_records=None)

    def assignment(self) -> set[TopicPartition]:
        return {AT}

    def poll(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        return {}

    def highwater(self, _: TopicPartition) -> int:
        return 7

    def position(self, _: TopicPartition, **__: Any) -> int:
        return 7

    def commit(self, offsets: dict[TopicPartition, Any], **_: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            raise KafkaTimeoutError("no answer")
        self.committed.append(offsets[AT].offset)


def test_a_commit_that_failed_is_made_though_no_entry_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "AGAIN_SECONDS", -1.0)
    cluster = cluster_of(load(environ={"RASD_KAFKA_SERVERS": "127.0.0.1:1", "RASD_KAFKA_PREFIX": "t."}))

    async def take(*_: Any) -> None: ...

    with Health("", "fetcher") as health:
        reading = entries.Entries(cluster, take, instance="me", batch=5, health=health, failed=asyncio.Event)
        reading._pending, reading._joined = {AT: 7}, True
        consumer: Any = Consumer(refusals=2)
        for _ in range(4):
            reading._turn(consumer)
    assert consumer.committed == [7]
    assert reading.caught_up
