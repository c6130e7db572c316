"""Records whose headers are named in bytes that are no text stop no consumer of kafka-python."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("kafka")

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords

from pipeline.log.kafka.any_header import AnyBatch, read_any_header
from pipeline.log.kafka.clients import cluster_of
from pipeline.topics import EVENTS
from tests.pipeline.kafka.kit import Environment, call, make_topics, settings


class Odd(str):
    """A name that is sent as other bytes than it says."""

    def encode(self, *_: Any) -> bytes:
        return b"\xff\xfe"


def batch(compression: int) -> bytes:
    """Five records; the third one's header is named b"\\xff\\xfe"."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 100_000)
    for n in range(5):
        name = Odd("odd") if n == 2 else "name"
        builder.append(n, 1_000 + n, b"k%d" % n, b"v" * n, [(name, b"x"), ("y", None)])
    return bytes(builder.build())


@pytest.mark.parametrize("compression", [0, 4])
def test_the_name_is_spelled_out_and_the_rest_is_read(compression: int) -> None:
    read_any_header()
    read = MemoryRecords(batch(compression) + batch(compression))
    while (one := read.next_batch()) is not None:
        assert isinstance(one, AnyBatch)
        found = [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in one]
        assert [row[0] for row in found] == [0, 1, 2, 3, 4]
        assert found[2] == (2, 1002, b"k2", b"vv", (("\\xff\\xfe", b"x"), ("y", None)))
        assert found[3][4] == (("name", b"x"), ("y", None))


@pytest.mark.kafka
def test_consumers_and_tail_go_on_behind_it(kafka_environment: dict[str, str]) -> None:
    environment: Environment = kafka_environment
    make_topics(environment)
    cluster = cluster_of(settings(environment))
    producer = KafkaProducer(**cluster.producer())
    for n in range(5):
        headers = [(Odd("odd"), b"x")] if n == 2 else []
        producer.send(cluster.topic(EVENTS.name), b'{"n":%d}' % n, headers=headers, partition=0).get(10)
    producer.close()
    consumer = KafkaConsumer(**cluster.consumer())
    try:
        consumer.assign([at := TopicPartition(cluster.topic(EVENTS.name), 0)])
        found: list[bytes] = []
        while len(found) < 5:
            polled = consumer.poll(5_000)
            assert polled
            found += [r.value for r in polled[at]]
    finally:
        consumer.close()
    assert found == [b'{"n":%d}' % n for n in range(5)]
    shown = call(environment, "tail", "events")
    assert len(shown.lines) == 5
