"""What is sent arrives, in order, whatever happens to connections and brokers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition, errors

from pipeline.config import Config, load
from pipeline.errors import StorageError, StoragePaused, Unusable
from pipeline.log.kafka import producer as sending
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.door import admin
from pipeline.log.kafka.headers import header
from pipeline.log.kafka.producer import Producer
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.kafka.topics import ensure_topics
from pipeline.log.partition import partition_of
from pipeline.runtimes.turns import Stopped
from tests.kafka.cluster import Cluster as Brokers
from tests.kafka.fixtures import config_on

ConfigOf = Callable[..., Config]
EVENTS, ARTICLES = "rasd.events", "rasd.articles"
SCHEMA = b"rasd.event/1"


# -- without a broker ------------------------------------------------------------------------------------------------


class Line:
    """A connection as kafka-python's: acknowledges when told to, and fails as it does: one batch, then all."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Answer]] = []
        self.closed = False
        self._sender = self
        self._closed = False

    def send(self, topic: str, *, value: bytes, **_: Any) -> Answer:
        assert not self.closed, "sent on a connection that is closed"
        answer = Answer()
        self.sent.append((value, answer))
        return answer

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def force_close(self) -> None:
        self.closed = True

    def join(self, timeout: float) -> None: ...

    def close(self, timeout: float) -> None: ...


class Answer:
    def add_callback(self, call: Callable[[Any], None]) -> None:
        self.acknowledged = call

    def add_errback(self, call: Callable[[Exception], None]) -> None:
        self.failed = call


class Metadata:
    partition, offset = 0, 7


class Scripted(Producer):
    """A producer whose connections are the test's."""

    def __init__(self, **more: Any) -> None:
        self.lines: list[Line] = []
        self.refusals: list[Exception] = []
        config = load(environ={"RASD_KAFKA_SERVERS": "127.0.0.1:9"})
        super().__init__(cluster_of(config), **more)

    def _connect(self) -> Any:
        if self.refusals:
            raise self.refusals.pop(0)
        self.lines.append(Line())
        return self.lines[-1]

    def _are_there(self, topics: set[str]) -> bool:
        return True


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    producer = Scripted(buffer_bytes=1_000)
    yield producer
    producer.close(0)


def _send(producer: Producer, *values: bytes) -> list[Future[tuple[int, int]]]:
    return [producer.send(EVENTS, "k", value, schema=SCHEMA) for value in values]


def _until(holds: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "in time"
        time.sleep(0.005)


def test_what_failed_goes_out_again_before_what_came_after_it(scripted: Scripted) -> None:
    futures = _send(scripted, b"1", b"2", b"3")
    _until(lambda: scripted.lines and len(scripted.lines[0].sent) == 3)
    first = scripted.lines[0]
    first.sent[0][1].acknowledged(Metadata)
    first.sent[1][1].failed(errors.UnknownError("going down"))
    assert first.closed, "before its thread sends anything else"
    first.sent[2][1].failed(errors.IllegalStateError("closed"))
    futures += _send(scripted, b"4")
    _until(lambda: len(scripted.lines) == 2 and len(scripted.lines[1].sent) == 3)
    assert [value for value, _ in scripted.lines[1].sent] == [b"2", b"3", b"4"]
    for _, answer in scripted.lines[1].sent:
        answer.acknowledged(Metadata)
    assert [f.result(1) for f in futures] == [(0, 7)] * 4
    scripted.flush(1)


def test_a_late_acknowledgement_of_the_closed_connection_counts(scripted: Scripted) -> None:
    one, two = _send(scripted, b"1", b"2")
    _until(lambda: scripted.lines and len(scripted.lines[0].sent) == 2)
    (_, first), (_, second) = scripted.lines[0].sent
    second.failed(errors.KafkaTimeoutError())
    first.acknowledged(Metadata)
    assert one.result(1) == (0, 7)
    _until(lambda: len(scripted.lines) == 2 and scripted.lines[1].sent)
    scripted.lines[1].sent[-1][1].acknowledged(Metadata)
    assert two.result(1) == (0, 7)


@pytest.mark.kafka
def test_a_clock_that_is_ahead_is_waited_out_and_told(
    kafka_config: ConfigOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = kafka_config()
    ensure_topics(config)
    ahead = [7_200]
    skewed = SimpleNamespace(time=lambda: time.time() + ahead[0], monotonic=time.monotonic)
    monkeypatch.setattr(sending, "clock", skewed)
    monkeypatch.setattr(sending, "SILENCE_SECONDS", 3.0)
    with Producer(cluster_of(config)) as producer:
        futures = _send(producer, b"1", b"2")
        _until(lambda: "is this machine's clock right?" in caplog.text, 20)
        assert producer._connections < 8, "it does not try without pause"
        ahead[0] = 0
        assert [f.result(10)[1] for f in futures] == [0, 1]
    assert caplog.text.count("no acknowledgement") == 1


def test_what_nobody_foresaw_ends_who_waits(scripted: Scripted) -> None:
    scripted.refusals.append(RuntimeError("no such thing"))
    (sent,) = _send(scripted, b"1")
    with pytest.raises(StorageError, match="RuntimeError: no such thing"):
        sent.result(5)
    with pytest.raises(StorageError, match="no such thing"):
        _send(scripted, b"2")


def test_brokers_that_do_not_answer_are_asked_again_and_that_is_said_once(
    scripted: Scripted, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.log.kafka.producer.AGAIN_SECONDS", 0.01)
    scripted.refusals = [errors.KafkaConnectionError("refused")] * 5
    (future,) = _send(scripted, b"1")
    _until(lambda: scripted.lines and scripted.lines[0].sent)
    scripted.lines[0].sent[0][1].acknowledged(Metadata)
    assert future.result(1) == (0, 7)
    assert [r.getMessage() for r in caplog.records].count(
        "127.0.0.1:9: no acknowledgement. Nothing is lost; waiting and trying again"
    ) == 1


def test_a_message_refused_for_good_fails_alone(scripted: Scripted) -> None:
    one, two = _send(scripted, b"1", b"2")
    _until(lambda: scripted.lines and len(scripted.lines[0].sent) == 2)
    scripted.lines[0].sent[0][1].failed(errors.MessageSizeTooLargeError())
    with pytest.raises(Unusable) as raised:
        one.result(1)
    assert raised.value.reason == "too-large"
    _until(lambda: len(scripted.lines) == 2 and scripted.lines[1].sent)
    scripted.lines[1].sent[0][1].acknowledged(Metadata)
    assert two.result(1) == (0, 7)
    with pytest.raises(Unusable):
        scripted.flush(1)
    scripted.flush(1)  # it was told once


def test_where_waiting_cannot_help_everything_ends(scripted: Scripted) -> None:
    (one,) = _send(scripted, b"1")
    _until(lambda: scripted.lines and scripted.lines[0].sent)
    scripted.lines[0].sent[0][1].failed(errors.TopicAuthorizationFailedError("rasd.events"))
    for act in (one.result, lambda: _send(scripted, b"2"), scripted.flush):
        with pytest.raises(StorageError, match=r"127\.0\.0\.1:9: TopicAuthorizationFailedError"):
            act()


def test_a_full_buffer_holds_the_sender_until_there_is_room() -> None:
    stop = threading.Event()
    producer = Scripted(buffer_bytes=2_000, stop=stop)
    _send(producer, b"x" * 1_000)
    sender = threading.Thread(target=_send, args=(producer, b"y" * 1_000))
    sender.start()
    sender.join(0.1)
    assert sender.is_alive()
    _until(lambda: producer.lines and producer.lines[0].sent)
    producer.lines[0].sent[0][1].acknowledged(Metadata)
    sender.join(2)
    assert not sender.is_alive()
    assert producer.under_way()[0] == 1
    stop.set()
    with pytest.raises(Stopped):
        _send(producer, b"z" * 1_000)
    with pytest.raises(Stopped):
        producer.flush()
    producer.close(0)


def test_a_message_larger_than_the_buffer_goes_alone() -> None:
    producer = Scripted(buffer_bytes=10)
    _send(producer, b"x" * 1_000)
    assert producer.under_way() == (1, 1_201)
    producer.close(0)


def test_what_was_not_acknowledged_when_closed_says_so(scripted: Scripted) -> None:
    (one,) = _send(scripted, b"1")
    with pytest.raises(StoragePaused):
        scripted.flush(0.05)
    scripted.close(0.05)
    with pytest.raises(StoragePaused):
        one.result(1)
    with pytest.raises(StorageError):
        _send(scripted, b"2")


# -- on a broker -----------------------------------------------------------------------------------------------------


def _read(cluster: Cluster, topic: str) -> dict[int, list[Any]]:
    """All messages of a topic, by partition."""
    with admin(cluster) as client:
        name = cluster.topic(topic)
        places = [TopicPartition(name, p["partition_index"]) for p in client.describe_topics([name])[0]["partitions"]]
    consumer = KafkaConsumer(**cluster.consumer())
    try:
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        found: dict[int, list[Any]] = {p.partition: [] for p in places}
        while any(consumer.position(p) < ends[p] for p in places):
            for place, records in consumer.poll(500).items():
                found[place.partition] += records
        return found
    finally:
        consumer.close()


@pytest.mark.kafka
def test_messages_stand_in_the_partition_of_their_key_with_their_headers(kafka_config: ConfigOf) -> None:
    config = kafka_config(kafka_partitions=3)
    ensure_topics(config)
    cluster = cluster_of(config)
    keys = [None, "ar", "en", "النصر", "x" * 40]
    with Producer(cluster) as producer:
        sent = [producer.send(ARTICLES, k, b"v", schema=b"rasd.article/1", time=5, trace=b"00-a-b-00") for k in keys]
        assert [f.result(20)[0] for f in sent] == [partition_of(k, 3) for k in keys]
    found = {r.key: r for records in _read(cluster, ARTICLES).values() for r in records}
    assert {k and k.decode() for k in found} == set(keys)
    assert header(found[b"ar"].headers, "rasd-event-time") == b"5"
    assert header(found[b"ar"].headers, "traceparent") == b"00-a-b-00"
    assert abs(found[b"ar"].timestamp - time.time() * 1000) < 60_000


@pytest.mark.kafka
@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_order_holds_and_nothing_is_missing_under_load(kafka_config: ConfigOf, compression: str) -> None:
    config = kafka_config(kafka_partitions=2, kafka_compression=compression)
    ensure_topics(config)
    with Producer(cluster_of(config), buffer_bytes=50_000) as producer:
        for i in range(3_000):
            producer.send(EVENTS, f"k{i % 5}", b"%d " % i + b"x" * 300, schema=SCHEMA)
        producer.flush(30)
    found = [[int(r.value.split()[0]) for r in records] for records in _read(cluster_of(config), EVENTS).values()]
    assert all(part == sorted(part) for part in found)
    assert sorted(n for part in found for n in part) == list(range(3_000))


@pytest.mark.kafka
def test_a_message_that_the_topic_does_not_take_is_refused_and_the_others_arrive(kafka_config: ConfigOf) -> None:
    config = kafka_config(log_max_record_bytes=10_000)
    ensure_topics(config)
    generously = cluster_of(kafka_config(log_max_record_bytes=5_000_000))
    noise = random.Random(1).randbytes(700_000)
    with Producer(generously) as producer:
        sent = [producer.send(EVENTS, None, v, schema=SCHEMA) for v in (b"1", b"2", noise, b"3", b"4")]
        with pytest.raises(Unusable) as raised:
            sent[2].result(20)
        assert raised.value.reason == "too-large"
        for future in (*sent[:2], *sent[3:]):
            future.result(20)
    values = [r.value for records in _read(generously, EVENTS).values() for r in records]
    assert list(dict.fromkeys(values)) == [b"1", b"2", b"3", b"4"]


@pytest.mark.kafka
def test_a_message_larger_than_our_own_limit_is_refused_at_once(kafka_config: ConfigOf) -> None:
    config = kafka_config(log_max_record_bytes=10_000)
    ensure_topics(config)
    with Producer(cluster_of(config)) as producer:
        sent = [producer.send(EVENTS, None, v, schema=SCHEMA) for v in (b"1", b"x" * 600_000, b"2")]
        with pytest.raises(Unusable):
            sent[1].result(20)
        assert (sent[0].result(20)[1], sent[2].result(20)[1]) == (0, 1)


@pytest.mark.kafka
def test_a_missing_topic_is_said_with_what_makes_it(kafka_config: ConfigOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.log.kafka.producer.MISSING_SECONDS", 0.1)
    cluster = cluster_of(kafka_config())
    with Producer(cluster) as producer:
        future = producer.send(EVENTS, None, b"1", schema=SCHEMA)
        with pytest.raises(StorageError, match="rasd topics create"):
            future.result(20)
    with admin(cluster) as client:
        assert cluster.topic(EVENTS) not in client.list_topics()


@pytest.mark.kafka
def test_a_broker_that_is_killed_loses_nothing_and_mixes_nothing_up(
    kafka_jars: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, long_faults: bool
) -> None:
    kills, count = (5, 30_000) if long_faults else (1, 4_000)
    with Brokers(kafka_jars) as brokers:
        config = config_on(brokers.servers, "rasd.", tmp_path, kafka_partitions=2)
        ensure_topics(config)
        cluster, broker = cluster_of(config), brokers.brokers[0]
        with Producer(cluster, buffer_bytes=400_000) as producer:
            sender = threading.Thread(target=_many, args=(producer, count))
            sender.start()
            for _ in range(kills):
                _until(lambda: producer.under_way()[0] > 0)
                broker.kill()
                _until(lambda: producer.under_way()[0] > 500)
                with pytest.raises(StoragePaused):
                    producer.flush(0.1)
                broker.start()
            sender.join(120)
            producer.flush(30)
        found = [[int(r.value) for r in records] for records in _read(cluster, EVENTS).values()]
    firsts = [list(dict.fromkeys(part)) for part in found]
    assert all(part == sorted(part) for part in firsts)
    assert sorted(n for part in firsts for n in part) == list(range(count))
    assert sum(map(len, found)) == count, "sent again under the same sequence number: kept once"
    said = [r.getMessage() for r in caplog.records if r.name == "rasd.kafka"]
    assert sum("Nothing is lost" in line for line in said) == sum("going on" in line for line in said) <= kills


def _many(producer: Producer, count: int) -> None:
    for i in range(count):
        producer.send(EVENTS, f"k{i % 5}", b"%d" % i, schema=SCHEMA)
        time.sleep(0.001)


@pytest.mark.kafka
def test_answers_that_are_lost_and_connections_that_are_cut_leave_no_gap_and_nothing_twice(
    kafka_jars: Path, tmp_path: Path
) -> None:
    with Brokers(kafka_jars, proxied=1) as brokers:
        (way,) = brokers.ways
        ensure_topics(config_on(brokers.servers, "rasd.", tmp_path))
        sent: list[bytes] = []
        with Producer(cluster_of(config_on(way.servers, "rasd.", tmp_path))) as producer:
            for fault in (way.go, way.lose_answers, way.go, way.reset, way.hold, way.go, way.reset, way.reset):
                fault()
                for _ in range(20):
                    sent.append(b"%d" % len(sent))
                    producer.send(EVENTS, "k", sent[-1], schema=SCHEMA)
                    time.sleep(0.03)
            producer.flush(60)
        with KafkaLog(cluster_of(config_on(brokers.servers, "rasd.", tmp_path))) as log:
            assert [m.value for m in log.scan(EVENTS)] == sent
