"""An archive published to Kafka: everything once, on from where it stopped, with rejects that do not repeat."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from pipeline import wire
from pipeline.config import Config
from pipeline.errors import StoragePaused
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.door import admin
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.kafka.topics import ensure_topics
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article, Reject
from pipeline.runtimes.kafka.replaying import Published, publish_source
from tests.builders import article
from tests.pipeline.kafka.kit import Environment, call, make_topics, settings

ConfigOf = Callable[..., Config]
ARCHIVE = Path(__file__).parents[3] / "examples" / "archive"
ARTICLES, REJECTS = "rasd.articles", "rasd.rejects"


def _values(config: Config, topic: str) -> list[bytes]:
    with KafkaLog(cluster_of(config)) as log:
        return [m.value for m in log.scan(topic)]


@dataclass
class Found:
    record: Article | Reject
    position: int


@dataclass
class Given:
    """A source of these records; `each` is called before each is given."""

    records: list[Article | Reject]
    identity: str = "given"
    each: Callable[[int], object] = lambda number: None
    begun: list[int] = field(default_factory=list)

    def read(self, skip: int = 0) -> Iterator[Found | None]:
        self.begun.append(skip)
        for number, record in enumerate(self.records[skip:], skip + 1):
            self.each(number)
            yield Found(record, number)


def _publish(config: Config, source: Given, **more: bool) -> Published:
    published, _ = publish_source(config, lambda stop: source, **more)
    return published


def _articles(count: int) -> list[Article | Reject]:
    return [article(f"نص رقم {i} عن بلدة", id=f"id-{i}") for i in range(count)]


def _reject(offset: int) -> Reject:
    return Reject(stage="source", reason="bad-json", error="x", file="a.jsonl", offset=offset, value="")


# -- without a broker ------------------------------------------------------------------------------------------------


def test_kafka_without_brokers_is_a_usage_error(tmp_path: Path) -> None:
    got = call({}, "replay", ARCHIVE, "--to", "kafka", data=tmp_path)
    assert got.code == 2
    assert "RASD_KAFKA_SERVERS" in got.err


def test_told_to_stop_while_brokers_are_away_it_ends_and_has_said_once_why_it_waits(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "--data", str(tmp_path), "replay", str(ARCHIVE), "--json"],
        env={"RASD_KAFKA_SERVERS": "127.0.0.1:9", "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr
        first = process.stderr.readline()
        time.sleep(1.5)
        process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert time.monotonic() - begin < 6
    assert (process.returncode, orjson.loads(out)["stopped"]) == (0, True)
    assert (first + err).count(b"Waiting") == 1


# -- on a broker -----------------------------------------------------------------------------------------------------


@pytest.mark.kafka
def test_an_archive_gives_the_same_bytes_as_without_a_broker(kafka_environment: Environment, tmp_path: Path) -> None:
    make_topics(kafka_environment, 2)
    got = call(kafka_environment, "replay", ARCHIVE, "--json", data=tmp_path / "kafka")
    assert got.code == 0
    counts = orjson.loads(got.out)
    assert {k: counts[k] for k in ("read", "published", "known_rejects", "stopped")} == {
        "read": 59, "published": 56, "known_rejects": 0, "stopped": False,
    }  # fmt: skip
    assert counts["rejects"] == {"not-article": 1, "bad-json": 1, "bad-record": 1}
    assert call(kafka_environment, "replay", ARCHIVE, "--to", "log", data=tmp_path / "log").code == 0
    with closing(SqliteLog(tmp_path / "log" / "log.sqlite", readonly=True)) as local:
        for topic in (ARTICLES, REJECTS):
            there = sorted(_values(settings(kafka_environment), topic))
            assert there == sorted(m.value for m in local.scan(topic)), topic


@pytest.mark.kafka
def test_repeated_it_gives_its_articles_again_and_its_rejects_not(
    kafka_environment: Environment, prefix: str, tmp_path: Path
) -> None:
    make_topics(kafka_environment)
    for known in (0, 3):
        counts = orjson.loads(call(kafka_environment, "replay", ARCHIVE, "--json", data=tmp_path).out)
        assert (counts["published"], counts["known_rejects"]) == (56, known)
    assert len(_values(settings(kafka_environment), REJECTS)) == 3
    others = {**kafka_environment, "RASD_KAFKA_PREFIX": f"{prefix}others."}
    make_topics(others)
    counts = orjson.loads(call(others, "replay", ARCHIVE, "--json", data=tmp_path).out)
    assert (counts["published"], counts["known_rejects"]) == (56, 0), "other topics know nothing of it"


@pytest.mark.kafka
def test_missing_topics_are_said_with_what_makes_them(kafka_environment: Environment, tmp_path: Path) -> None:
    got = call(kafka_environment, "replay", ARCHIVE, data=tmp_path)
    assert got.code == 1
    assert "rasd topics create" in got.err


@pytest.mark.kafka
def test_stopped_it_goes_on_from_what_was_acknowledged(kafka_config: ConfigOf) -> None:
    config = kafka_config(run_batch=10)
    ensure_topics(config)
    records = [*_articles(95), _reject(1), _reject(1), _reject(2)]
    first = Given(records, each=lambda number: number == 37 and signal.raise_signal(signal.SIGTERM))
    published = _publish(config, first)
    assert 30 <= published.read <= 40
    second = Given(records)
    rest = _publish(config, second)
    assert second.begun == [published.read]
    assert (published.articles + rest.articles, rest.rejects, rest.known_rejects) == (95, {"bad-json": 2}, 1)
    assert _values(config, ARTICLES) == [wire.encode(r) for r in records[:95]]
    assert len(_values(config, REJECTS)) == 2
    third = Given(records)
    _publish(config, third)
    assert third.begun == [0]


@pytest.mark.kafka
def test_the_position_stays_before_what_was_not_acknowledged(
    kafka_config: ConfigOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = kafka_config(run_batch=10)
    ensure_topics(config)

    def killed(number: int) -> None:
        if number == 55:
            raise MemoryError("as a kill would")

    with pytest.raises(MemoryError):
        _publish(config, Given(_articles(60), each=killed))
    again = Given(_articles(60))
    _publish(config, again)
    assert again.begun[0] <= 50
    values = _values(config, ARTICLES)
    assert list(dict.fromkeys(values)) == [wire.encode(r) for r in _articles(60)]


@pytest.mark.kafka
def test_what_is_too_large_for_us_or_for_the_brokers_is_a_reject(kafka_config: ConfigOf) -> None:
    ensure_topics(kafka_config(log_max_record_bytes=10_000))
    config = kafka_config(log_max_record_bytes=2_000_000)
    noise = "".join(map(chr, random.Random(1).choices(range(0x4E00, 0x9FFF), k=450_000)))
    records = [article("أول", id="1"), article(noise, id="2"), article("x" * 1_999_999, id="3"), article("آخر", id="4")]
    published = _publish(config, Given(records))
    assert (published.articles, published.rejects) == (2, {"too-large": 2})
    assert [wire.decode(Article, v).id for v in _values(config, ARTICLES)] == ["1", "4"]
    assert [wire.decode(Reject, v).reason for v in _values(config, REJECTS)] == ["too-large"] * 2


@pytest.mark.kafka
def test_waiting_ends_when_every_stage_has_caught_up(kafka_config: ConfigOf) -> None:
    config = kafka_config()
    ensure_topics(config)
    cluster, times = cluster_of(config), []

    def work(group: str, topic: str) -> None:
        times.append(time.monotonic())
        with KafkaLog(cluster) as log, admin(cluster) as client:
            for partition in range(log.topics()[topic]):
                place = TopicPartition(cluster.topic(topic), partition)
                end = OffsetAndMetadata(log.next_offset(topic, partition), "", None)
                client.alter_group_offsets(cluster.group(group), {place: end})

    source = Given(_articles(20))
    _publish(config, source)  # its topics are then known to have something
    worker = threading.Timer(1.0, work, ("dedupe", ARTICLES))
    worker.start()
    _publish(config, Given([], identity="nothing"), wait=True)
    assert time.monotonic() > times[0]
    worker.join()


@pytest.mark.kafka
def test_a_disk_that_is_full_holds_the_position_and_nothing_else(
    kafka_config: ConfigOf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = kafka_config(run_pause_seconds=0.01)
    ensure_topics(config)
    change, times = SqliteLog.change, iter(range(100))

    def full(self: SqliteLog, *more: object) -> None:
        if next(times) < 5:
            raise StoragePaused("the disk is full")
        change(self, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(SqliteLog, "change", full)
    assert _publish(config, Given(_articles(5))).articles == 5
    assert sum("the disk is full" in r.getMessage() for r in caplog.records) == 1
