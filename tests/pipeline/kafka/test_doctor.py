"""`rasd doctor` on brokers: sound, or what is wrong in words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.door import admin
from pipeline.log.kafka.topics import ensure_topics
from tests.kafka.fixtures import ConfigOf
from tests.pipeline.cli.kit import rasd

pytestmark = pytest.mark.kafka


def looked(data: Path, env: dict[str, str]) -> tuple[int, dict[str, dict[str, Any]]]:
    got = rasd("doctor", "--json", data=data, env=env)
    return got.code, {row["check"]: row for row in orjson.loads(got.out)}


def test_doctor_finds_brokers_and_topics_sound(
    kafka_config: ConfigOf, kafka_environment: dict[str, str], tmp_path: Path
) -> None:
    ensure_topics(kafka_config())
    code, found = looked(tmp_path / "data", kafka_environment)
    assert code == 0, found
    assert [found[c]["state"] for c in ("kafka packages", "kafka", "kafka topics", "lag", "rejects")] == ["ok"] * 5
    assert found["kafka"]["found"].startswith("1 broker by 127.0.0.1:")
    assert "log" not in found


def test_doctor_says_which_topics_are_not_there(
    kafka_config: ConfigOf, kafka_environment: dict[str, str], tmp_path: Path
) -> None:
    ensure_topics(config := kafka_config())
    with admin(cluster := cluster_of(config)) as client:
        client.delete_topics([cluster.topic("rasd.events")])
        while cluster.topic("rasd.events") in client.list_topics():  # what is deleted is gone a moment later
            time.sleep(0.02)
    code, found = looked(tmp_path / "data", kafka_environment)
    assert (code, found["kafka topics"]["state"]) == (1, "fail")
    assert found["kafka topics"]["found"] == f"{cluster.topic('rasd.events')}: is not there: run `rasd topics create`"


def test_doctor_says_how_far_behind_each_group_is(
    kafka_config: ConfigOf, kafka_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.structs import OffsetAndMetadata

    ensure_topics(config := kafka_config())
    cluster = cluster_of(config)
    with KafkaProducer(**cluster.producer()) as producer:
        for _ in range(5):
            producer.send(cluster.topic("rasd.events"), value=b"{}", partition=0)
    consumer = KafkaConsumer(**cluster.consumer(), group_id=cluster.group("sink-x"))
    consumer.assign([at := TopicPartition(cluster.topic("rasd.events"), 0)])
    consumer.commit({at: OffsetAndMetadata(2, "", -1)})
    consumer.close()
    assert looked(tmp_path, kafka_environment)[1]["lag"]["found"] == "sink-x is 3 behind on rasd.events"
    monkeypatch.setattr("pipeline.cli.kafkadoctor.LAG", 3)
    assert looked(tmp_path, kafka_environment)[1]["lag"]["state"] == "warn"


def test_doctor_says_that_nobody_answers_and_goes_on(tmp_path: Path) -> None:
    code, found = looked(tmp_path / "data", {"RASD_KAFKA_SERVERS": "127.0.0.1:1"})
    assert (code, found["kafka"]["state"]) == (1, "fail")
    assert found["kafka"]["found"] == "127.0.0.1:1: Connection refused (is a broker running there? see kafka.servers)"
    assert found["jsonl output"]["state"] == "ok"
