"""Topics on brokers are read as any log, with their gaps and oddities, and in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from pipeline.config import Config
from pipeline.errors import StorageError
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.door import admin
from pipeline.log.kafka.producer import Producer
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.kafka.topics import ensure_topics
from tests.kafka.cluster import Cluster as Brokers
from tests.kafka.cluster import free_ports
from tests.kafka.fixtures import config_on

ConfigOf = Callable[..., Config]
EVENTS = "rasd.events"


@pytest.fixture
def cluster(kafka_config: ConfigOf) -> Cluster:
    config = kafka_config(kafka_partitions=2)
    ensure_topics(config)
    return cluster_of(config)


@pytest.fixture
def log(cluster: Cluster) -> Iterator[KafkaLog]:
    with KafkaLog(cluster) as reader:
        yield reader


def _send(
    cluster: Cluster, *values: bytes, partition: int = 0, key: str | None = None, time: int | None = None
) -> None:
    with Producer(cluster) as producer:
        for value in values:
            producer.send(EVENTS, key, value, schema=b"", time=time, partition=partition)


@pytest.mark.kafka
def test_a_message_is_read_as_it_was_sent(cluster: Cluster, log: KafkaLog) -> None:
    before = int(time.time() * 1000)
    _send(cluster, "قتل".encode(), key="مفتاح", time=-5, partition=1)
    (message,) = log.read(EVENTS, 1, 0, 10)
    assert (message.topic, message.partition, message.offset, message.key) == (EVENTS, 1, 0, "مفتاح")
    assert (message.value, message.time) == ("قتل".encode(), -5)
    assert before <= message.written <= int(time.time() * 1000)


@pytest.mark.kafka
def test_reading_goes_anywhere_and_on_from_there(cluster: Cluster, log: KafkaLog) -> None:
    for partition in (0, 1):
        _send(cluster, *(b"%d" % i for i in range(700)), partition=partition)
    for partition, start, limit, first, count in [
        (0, 0, 5, 0, 5),
        (1, 690, 100, 690, 10),
        (0, 5, 600, 5, 600),
        (0, 605, 600, 605, 95),
        (1, 3, 2, 3, 2),
        (0, 0, 1, 0, 1),
        (0, 700, 5, None, 0),
        (0, 10_000, 5, None, 0),
        (1, 5, 1_000, 5, 695),
        (7, 0, 5, None, 0),
    ]:
        found = log.read(EVENTS, partition, start, limit)
        assert [m.offset for m in found] == list(range(first or 0, (first or 0) + count)), (partition, start)
        assert all(m.value == b"%d" % m.offset and m.partition == partition for m in found)
    assert [m.value for m in log.scan(EVENTS)] == [b"%d" % i for i in range(700)] * 2
    _send(cluster, b"more")
    assert [m.value for m in log.read(EVENTS, 0, 700, 5)] == [b"more"]


@pytest.mark.kafka
def test_topics_bounds_and_offsets(cluster: Cluster, log: KafkaLog) -> None:
    _send(cluster, *[b"x" * 1_000] * 30, partition=1)
    assert (log.topics()[EVENTS], len(log.topics())) == (2, 6)
    empty, full = log.bounds(EVENTS)
    assert (empty.first, empty.next, empty.messages, empty.size) == (0, 0, 0, 0)
    assert (full.first, full.next, full.messages) == (0, 30, 30)
    assert full.size > 0
    assert (log.first_offset(EVENTS, 1), log.next_offset(EVENTS, 1), log.next_offset(EVENTS, 5)) == (0, 30, 0)
    assert len(set(log.identities().values())) == 6


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_empty_and_is_not_made_by_looking(kafka_config: ConfigOf) -> None:
    cluster = cluster_of(kafka_config())
    with KafkaLog(cluster) as log:
        assert (log.topics(), log.bounds(EVENTS), log.read(EVENTS, 0, 0, 5)) == ({}, [], [])
        assert (log.next_offset(EVENTS, 0), log.offset_at(EVENTS, 0, 0), list(log.scan(EVENTS))) == (0, 0, [])
    with admin(cluster) as client:
        assert cluster.topic(EVENTS) not in client.list_topics()


@pytest.mark.kafka
def test_marks_of_transactions_are_gaps(cluster: Cluster, log: KafkaLog) -> None:
    other = KafkaProducer(**cluster.common(), transactional_id=cluster.prefix)
    other.init_transactions()
    for value in (b"a", b"b"):
        other.begin_transaction()
        other.send(cluster.topic(EVENTS), value=value, partition=0)
        other.commit_transaction()
    other.close()
    assert [(m.offset, m.value) for m in log.read(EVENTS, 0, 0, 10)] == [(0, b"a"), (2, b"b")]
    assert log.read(EVENTS, 0, 3, 10) == []
    assert (log.next_offset(EVENTS, 0), log.bounds(EVENTS)[0].messages) == (4, 4)
    assert [m.value for m in log.scan(EVENTS)] == [b"a", b"b"]


@pytest.mark.kafka
def test_what_retention_removed_is_passed_over(cluster: Cluster, log: KafkaLog) -> None:
    _send(cluster, *(b"%d" % i for i in range(10)))
    assert log.read(EVENTS, 0, 0, 2)
    with admin(cluster) as client:
        client.delete_records({TopicPartition(cluster.topic(EVENTS), 0): 6})
    assert [m.offset for m in log.read(EVENTS, 0, 0, 3)] == [6, 7, 8]
    assert (log.first_offset(EVENTS, 0), log.bounds(EVENTS)[0].messages) == (6, 4)
    with admin(cluster) as client:
        client.delete_records({TopicPartition(cluster.topic(EVENTS), 0): 10})
    assert (log.read(EVENTS, 0, 0, 3), log.first_offset(EVENTS, 0)) == ([], 10)


@pytest.mark.kafka
def test_odd_messages_of_others_are_given_out_all_the_same(cluster: Cluster, log: KafkaLog) -> None:
    other = KafkaProducer(**cluster.common())
    sent = [
        other.send(cluster.topic(EVENTS), key=b"k", value=None, partition=0),
        other.send(cluster.topic(EVENTS), key=b"\xff\xfek", value=b"\xff", partition=0),
        other.send(
            cluster.topic(EVENTS), value=b"x", partition=0, headers=[("rasd-event-time", b"soon"), ("traceparent", b"")]
        ),
    ]
    for one in sent:
        one.get(20)
    other.close()
    found = log.read(EVENTS, 0, 0, 10)
    assert [(m.key, m.value, m.time) for m in found] == [("k", b"", None), ("��k", b"\xff", None), (None, b"x", None)]


@pytest.mark.kafka
def test_a_time_of_writing_is_found(cluster: Cluster, log: KafkaLog) -> None:
    _send(cluster, b"0", b"1", time=0)
    time.sleep(0.05)
    between = int(time.time() * 1000)
    time.sleep(0.05)
    _send(cluster, b"2", time=0)
    assert (log.offset_at(EVENTS, 0, 0), log.offset_at(EVENTS, 0, between)) == (0, 2)
    assert log.offset_at(EVENTS, 0, between + 10**9) == 3


@pytest.mark.kafka
def test_groups_are_told_with_what_they_have_committed(cluster: Cluster, log: KafkaLog) -> None:
    _send(cluster, b"0", b"1")
    with admin(cluster) as client:
        at = {TopicPartition(cluster.topic(EVENTS), 0): OffsetAndMetadata(1, "", None)}
        client.alter_group_offsets(cluster.group("sink-jsonl"), at)
    assert log.consumers() == [("sink-jsonl", EVENTS, 0, 1)]


@pytest.mark.kafka
def test_large_messages_come_whole(kafka_config: ConfigOf) -> None:
    config = kafka_config(log_max_record_bytes=8_000_000)
    ensure_topics(config)
    cluster = cluster_of(config)
    values = [bytes([65 + i]) * 7_900_000 for i in range(3)]
    _send(cluster, *values)
    with KafkaLog(cluster) as log:
        assert [m.value == v for m, v in zip(log.scan(EVENTS), values, strict=True)] == [True] * 3


def test_nobody_there_is_an_error_that_names_the_servers(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    begin = time.monotonic()
    with pytest.raises(StorageError, match=f"127.0.0.1:{port}"):
        KafkaLog(cluster_of(config_on(f"127.0.0.1:{port}", "rasd.", tmp_path)))
    assert time.monotonic() - begin < 8


@pytest.mark.kafka
def test_a_broker_that_goes_away_is_an_error_in_time_and_read_on_from_when_it_is_back(
    kafka_jars: Path, tmp_path: Path
) -> None:
    with Brokers(kafka_jars) as brokers:
        config = config_on(brokers.servers, "rasd.", tmp_path)
        ensure_topics(config)
        cluster = cluster_of(config)
        _send(cluster, *(b"%d" % i for i in range(5)))
        with KafkaLog(cluster, seconds=2) as log:
            assert len(log.read(EVENTS, 0, 0, 3)) == 3
            brokers.brokers[0].kill()
            for ask in (lambda: log.topics(), lambda: log.read(EVENTS, 0, 0, 5)):
                begin = time.monotonic()
                with pytest.raises(StorageError, match=brokers.servers):
                    ask()
                assert time.monotonic() - begin < 8
            brokers.brokers[0].start()
            assert [m.value for m in log.read(EVENTS, 0, 3, 5)] == [b"3", b"4"]
            assert log.topics()[EVENTS]
