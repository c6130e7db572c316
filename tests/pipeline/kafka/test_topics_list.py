"""Which log a command looks at: the brokers' where `kafka.servers` is set, the data folder's with `--local`."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.producer import Producer
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article, Event, Unique
from pipeline.topics import TOPICS
from tests.generate import lines
from tests.pipeline.cli.kit import golden, rasd, small_log
from tests.pipeline.cli.site import ALLOWED, InProcess, serving
from tests.pipeline.cli.test_fetch import STORY
from tests.pipeline.kafka.kit import Environment, call, make_topics, send, settings

pytestmark = pytest.mark.kafka
CHANGELOG = "rasd.dedupe-state-changelog"


@pytest.fixture
def topics(kafka_environment: dict[str, str]) -> Environment:
    make_topics(kafka_environment, 3)
    send(kafka_environment, golden(Article), golden(Unique), golden(Event), golden(Event, id="other"))
    call(kafka_environment, "tail", "events", "--group", "desk", "-n", "1")
    return kafka_environment


def test_topics_of_the_brokers_are_listed_with_who_reads_them(topics: Environment) -> None:
    rows = {row["topic"]: row for row in orjson.loads(call(topics, "topics", "--json").out)}
    assert {name: row["partitions"] for name, row in rows.items()} == dict.fromkeys(rows, 3)
    assert {name.removeprefix("rasd."): row["messages"] for name, row in rows.items() if row["messages"]} == {
        "articles": 1,
        "unique": 1,
        "events": 2,
    }
    assert [(c["name"], c["lag"]) for c in rows["rasd.events"]["consumers"]] == [("desk", 1)]
    assert "desk 1 behind" in call(topics, "topics").out


def test_an_event_of_the_brokers_is_explained(topics: Environment, tmp_path: Path) -> None:
    found = orjson.loads(call(topics, "explain", "other", "--json", data=tmp_path).out)
    assert found["record"]["id"] == "other"
    assert found["text"]
    assert call(topics, "explain", "nothing", data=tmp_path).code == 3


def test_the_data_folder_is_looked_at_when_asked_for(kafka_environment: dict[str, str], tmp_path: Path) -> None:
    data = small_log(tmp_path / "data")
    for words in (("topics",), ("tail", "events"), ("rejects", "list"), ("explain", golden(Event).id)):
        got = call(kafka_environment, *words, "--local", data=data)
        assert (got.code, bool(got.out)) == (0, True), words
    assert call(kafka_environment, "offsets", "show", "--local", data=data).code == 0


@pytest.mark.parametrize("words", [("log", "trim", "--keep", "30d"), ("log", "trim", "--before", "2020-01-01")])
def test_what_knows_the_data_folder_only_says_so(words: tuple[str, ...], tmp_path: Path) -> None:
    data = small_log(tmp_path / "data")
    got = call({"RASD_KAFKA_SERVERS": "127.0.0.1:1"}, *words, data=data)
    assert got.code == 1
    assert "works on the log of the data folder" in got.err
    assert "works on the log" not in call({"RASD_KAFKA_SERVERS": "127.0.0.1:1"}, *words, "--local", data=data).err


def test_what_workers_remember_is_shown_as_the_log_of_the_data_folder_shows_it(
    kafka_environment: dict[str, str], tmp_path: Path
) -> None:
    archive = tmp_path / "archive.jsonl"
    archive.write_bytes(b"\n".join(lines(40)))
    assert rasd("replay", archive, data=tmp_path, env={"RASD_RUN_PROCESSES": "1"}).code == 0
    make_topics(kafka_environment, 2, [*TOPICS, CHANGELOG])
    log = SqliteLog(tmp_path / "log.sqlite", readonly=True)
    with Producer(cluster_of(settings(kafka_environment))) as producer:
        for article, value in log.state("dedupe").items():
            producer.send(CHANGELOG, article, b"older", schema=b"")
            producer.send(CHANGELOG, article, value, schema=b"")
        producer.send(CHANGELOG, "gone", b"x", schema=b"")
        producer.send(CHANGELOG, "gone", b"", schema=b"")
        for message in log.scan("rasd.articles"):
            producer.send(message.topic, message.key, message.value, schema=b"", time=message.time)
        producer.flush(30)
    article = next(iter(log.state("dedupe")))
    log.close()
    for words in (("stats",), ("show", article), ("show", article, "--cluster")):
        on_kafka = call(kafka_environment, "dedupe", *words, "--json", data=tmp_path / "none")
        assert on_kafka.code == 0, on_kafka.err
        assert on_kafka.out == rasd("dedupe", *words, "--json", data=tmp_path).out
    assert call(kafka_environment, "dedupe", "stats", "--local", data=tmp_path / "none").code == 1


def test_an_article_that_is_fetched_by_hand_goes_to_the_workers(
    topics: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.runtimes.reading.Pool", InProcess)
    allowed = {**topics, **ALLOWED}
    with serving() as site:
        got = call(allowed, "fetch", site.put("/story/1", STORY), "--save", "--json", data=tmp_path)
    assert "handed to the workers on" in got.err
    last = call(topics, "tail", "articles", "--from=-1").lines[0]
    assert orjson.loads(last)["id"] == orjson.loads(got.out)["article"]["id"]
    assert not (tmp_path / "log.sqlite").exists()
