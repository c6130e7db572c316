"""`rasd rejects` on a broker: seen, and put back once."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from pipeline import wire
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.producer import Producer
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.partition import partition_of
from pipeline.records import Reject, Unique
from tests.pipeline.cli.kit import golden
from tests.pipeline.cli.test_rejects import CUT, FROM_TOPIC, LINE, WHOLE_FILE
from tests.pipeline.kafka.kit import Environment, call, make_topics, send, settings

pytestmark = pytest.mark.kafka


@pytest.fixture
def rejects(kafka_environment: dict[str, str]) -> Environment:
    make_topics(kafka_environment, 2)
    send(kafka_environment, FROM_TOPIC, LINE, CUT, WHOLE_FILE)
    return kafka_environment


def on(environment: Environment, topic: str) -> list[Any]:
    with KafkaLog(cluster_of(settings(environment))) as log:
        return list(log.scan(topic))


def at(environment: Environment, reason: str) -> str:
    (row,) = orjson.loads(call(environment, "rejects", "list", "--reason", reason, "--json").out)
    return str(row["positions"][0])


def test_they_are_counted_and_shown(rejects: Environment) -> None:
    rows = orjson.loads(call(rejects, "rejects", "list", "--json").out)
    assert {(r["stage"], r["reason"], r["count"], r["redriven"]) for r in rows} == {
        ("extract", "timeout", 1, 0),
        ("source", "bad-row", 1, 0),
        ("source", "too-large", 1, 0),
        ("source", "no-text", 1, 0),
    }
    shown = call(rejects, "rejects", "show", at(rejects, "timeout"))
    assert "can be redriven" in shown.out
    assert call(rejects, "rejects", "show", "99").code == 3


def test_a_message_goes_back_to_its_topic_with_its_key_once(rejects: Environment) -> None:
    place = at(rejects, "timeout")
    assert call(rejects, "rejects", "redrive", place).out == "1 redriven\n"
    (found,) = on(rejects, "rasd.unique")
    assert (found.key, found.value) == ("some-key", wire.encode(golden(Unique)))
    assert found.partition == partition_of("some-key", 2)
    again = call(rejects, "rejects", "redrive", place)
    assert (again.code, again.out) == (0, "0 redriven, 1 redriven before\n")
    assert len(on(rejects, "rasd.unique")) == 1
    assert "redriven" in call(rejects, "rejects", "show", place).out
    (row,) = orjson.loads(call(rejects, "rejects", "list", "--reason", "timeout", "--json").out)
    assert row["redriven"] == 1


def test_all_that_can_go_back_does_and_the_rest_is_told(rejects: Environment) -> None:
    got = call(rejects, "rejects", "redrive", "--all")
    assert (got.code, got.out) == (0, "2 redriven, 2 cannot be redriven\n")
    assert "only the beginning of its bytes was kept (truncated)" in got.err
    assert (len(on(rejects, "rasd.unique")), len(on(rejects, "rasd.articles"))) == (1, 1)
    assert call(rejects, "rejects", "redrive", "--all").out.startswith("0 redriven, 2 redriven before")
    assert (len(on(rejects, "rasd.unique")), len(on(rejects, "rasd.articles"))) == (1, 1)


def test_the_same_reject_written_twice_goes_back_once(rejects: Environment) -> None:
    send(rejects, FROM_TOPIC)  # as a worker does that was killed between writing and committing
    assert call(rejects, "rejects", "redrive", "--reason", "timeout").out == "1 redriven, 1 redriven before\n"
    assert len(on(rejects, "rasd.unique")) == 1


def test_an_input_that_fails_again_can_go_back_again(rejects: Environment) -> None:
    call(rejects, "rejects", "redrive", "--reason", "timeout")
    (back,) = on(rejects, "rasd.unique")
    failed = golden(
        Reject,
        **{
            name: getattr(FROM_TOPIC, name) for name in ("stage", "reason", "retryable", "topic", "key", "file", "line")
        },
        partition=back.partition,
        offset=back.offset + 7,
        value=base64.b64encode(back.value).decode(),
    )
    send(rejects, failed)
    assert call(rejects, "rejects", "redrive", "--all").out.startswith("2 redriven")
    assert len(on(rejects, "rasd.unique")) == 2


def test_stopped_between_message_and_note_it_loses_nothing(
    rejects: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.log.kafka.redriven.note", killed)
        assert call(rejects, "rejects", "redrive", "--reason", "timeout").code == 130
    assert len(on(rejects, "rasd.unique")) == 1
    assert call(rejects, "rejects", "redrive", "--reason", "timeout").out == "1 redriven\n"
    assert call(rejects, "rejects", "redrive", "--reason", "timeout").out == "0 redriven, 1 redriven before\n"
    assert len(on(rejects, "rasd.unique")) == 2  # the same bytes, which give the same records


def test_bytes_that_are_no_reject_are_told_and_passed_over(rejects: Environment) -> None:
    with Producer(cluster_of(settings(rejects))) as producer:
        producer.send("rasd.rejects", None, b"\xff\x1b[31m", schema=b"").result(30)
    got = call(rejects, "rejects", "list")
    assert (got.code, len(got.lines)) == (0, 5)
    assert "not JSON" in got.err
    assert "\x1b" not in got.err
