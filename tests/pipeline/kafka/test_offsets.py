"""`rasd offsets` on a broker and on the log of the data folder: where consumers stand, and setting them elsewhere."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import orjson
import pytest

from pipeline.cli.offsets import age_words
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Event
from tests.pipeline.cli.kit import golden, rasd, small_log
from tests.pipeline.kafka.kit import Environment, call, make_topics, running, send
from tests.waiting import until


@pytest.fixture
def desk(kafka_environment: dict[str, str]) -> Environment:
    """Six events on two partitions, of which the group `desk` has read two."""
    make_topics(kafka_environment, 2)
    send(kafka_environment, *(golden(Event, id=f"e{n}", article_id=f"a{n}") for n in range(6)))
    assert len(call(kafka_environment, "tail", "events", "--group", "desk", "-n", "2").lines) == 2
    return kafka_environment


def lags(environment: Environment, group: str = "desk") -> list[int]:
    return [row["lag"] for row in orjson.loads(call(environment, "offsets", "show", group, "--json").out)]


@pytest.mark.kafka
def test_show_tells_what_waits_and_for_how_long(desk: Environment) -> None:
    rows = orjson.loads(call(desk, "offsets", "show", "--json").out)
    assert [(r["consumer"], r["topic"], r["partition"]) for r in rows] == [
        ("desk", "rasd.events", 0),
        ("desk", "rasd.events", 1),
    ]
    assert sum(r["lag"] for r in rows) == 4
    for row in rows:
        assert row["lag"] == row["end"] - row["committed"]
        waits = row["waiting_seconds"]
        assert waits is None if not row["lag"] else 0 <= waits < 60
        assert row["member"] is None
    lines = call(desk, "offsets", "show").lines
    assert lines[0].split()[:6] == ["CONSUMER", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG"]
    assert lines[1].split()[:3] == ["desk", "events", "0"]


@pytest.mark.kafka
def test_a_group_that_nobody_knows_is_nothing_found(desk: Environment) -> None:
    for words in (("show", "nobody"), ("reset", "nobody", "--to", "begin")):
        got = call(desk, "offsets", *words)
        assert got.code == 3
        assert "no consumer 'nobody' has read anything; there are desk" in got.err


@pytest.mark.kafka
def test_reset_reads_again_or_skips(desk: Environment) -> None:
    tried = call(desk, "offsets", "reset", "desk", "--to", "begin", "--dry-run")
    assert tried.code == 0
    assert " again" in tried.out
    assert sum(lags(desk)) == 4
    assert call(desk, "offsets", "reset", "desk", "--to", "begin", "--yes").code == 0
    assert sum(lags(desk)) == 6
    assert call(desk, "offsets", "reset", "desk", "--to=-1", "--topic", "events", "-y").code == 0
    assert lags(desk) == [1, 1]
    assert call(desk, "offsets", "reset", "desk", "--to", "1h", "-y").code == 0
    assert len(call(desk, "tail", "events", "--group", "desk").lines) == 6
    assert call(desk, "offsets", "reset", "desk", "--to", "0", "-y").code == 0
    assert call(desk, "offsets", "reset", "desk", "--to", "end", "-y").code == 0
    assert sum(lags(desk)) == 0


@pytest.mark.kafka
def test_reset_asks_first(desk: Environment) -> None:
    assert call(desk, "offsets", "reset", "desk", "--to", "begin", stdin="n\n").code == 1
    assert sum(lags(desk)) == 4
    assert call(desk, "offsets", "reset", "desk", "--to", "begin", stdin="y\n").code == 0
    assert sum(lags(desk)) == 6


@pytest.mark.kafka
def test_a_consumer_at_work_is_left_alone(desk: Environment) -> None:
    with running(desk, "tail", "events", "-f", "--group", "desk") as tail:
        tail.lines(4)
        until(lambda: "rasd at" in call(desk, "offsets", "show").out)
        got = call(desk, "offsets", "reset", "desk", "--to", "begin", "--yes")
        assert got.code == 1
        assert "group desk has 1 at work (rasd at 127.0.0.1): stop them first" in got.err
        assert tail.end(signal.SIGINT) == 130
    until(lambda: call(desk, "offsets", "reset", "desk", "--to", "begin", "--yes").code == 0)


@pytest.mark.kafka
def test_a_wrong_place_or_topic_is_a_usage_error(kafka_environment: dict[str, str]) -> None:
    assert call(kafka_environment, "offsets", "reset", "desk", "--to", "yesterday").code == 2
    assert call(kafka_environment, "offsets", "reset", "desk", "--to", "end", "--topic", "x").code == 2
    got = call(kafka_environment, "offsets", "reset", "sink-jsonl", "--to", "begin")
    assert (got.code, "rasd sinks reset jsonl" in got.err) == (1, True)
    assert call(kafka_environment, "offsets", "show").err == "nobody has read anything yet\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = small_log(tmp_path / "data")
    log = SqliteLog(folder / "log.sqlite")
    with log.transaction():
        log.commit("extract", "rasd.unique", 0, 1)
        log.register("dedupe", "rasd.articles")
        log.register("sink-jsonl", "rasd.events")
    log.close()
    return folder


def test_the_log_of_the_data_folder_shows_its_consumers(data: Path) -> None:
    rows = {r["consumer"]: r for r in orjson.loads(rasd("offsets", "show", "--json", data=data).out)}
    assert {name: r["lag"] for name, r in rows.items()} == {"dedupe": 1, "extract": 0, "sink-jsonl": 3}
    assert rows["dedupe"]["waiting_seconds"] == pytest.approx(time.time() - 1_700_000_000, abs=60)
    assert rasd("offsets", "show", "nobody", data=data).code == 3


def test_consumers_of_the_data_folder_are_reset_too(data: Path) -> None:
    got = rasd("offsets", "reset", "extract", "--to", "begin", "--yes", data=data)
    assert got.code == 0
    assert got.lines[1].split() == ["unique", "0", "1", "0", "1", "again"]
    rows = orjson.loads(rasd("offsets", "show", "extract", "--json", data=data).out)
    assert (rows[0]["committed"], rows[0]["lag"]) == (0, 1)
    got = rasd("offsets", "reset", "sink-jsonl", "--to", "begin", data=data)
    assert (got.code, "rasd sinks reset jsonl" in got.err) == (1, True)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (59, "59s"), (90, "1m30s"), (7300, "2h1m"), (90_000, "1d1h"), (3600, "1h")]
)
def test_ages_are_short(seconds: float, words: str) -> None:
    assert age_words(seconds) == words
