"""`rasd topics` and `rasd log trim`: what the log holds, and making it smaller."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import pytest

from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article, Event
from tests.pipeline.cli.kit import golden, rasd, small_log, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Articles of the years 2015 to 2018 besides the golden one of 2017; sink-x has read the first four."""
    years = [golden(Article, id=str(y), published=dt.datetime(y, 1, 1, tzinfo=dt.UTC)) for y in range(2015, 2019)]
    data = small_log(tmp_path / "data", *years)
    log = SqliteLog(data / "log.sqlite")
    with log.transaction():
        log.commit("dedupe", "rasd.articles", 0, 5)
        log.commit("sink-x", "rasd.articles", 0, 4)
    log.close()
    return data


def test_topics_tells_messages_offsets_and_lag(data: Path) -> None:
    lines = rasd("topics", data=data).lines
    assert lines[0].split() == ["TOPIC", "PARTITIONS", "MESSAGES", "SIZE", "OFFSETS", "CONSUMERS", "ABOUT"]
    assert [line.split()[0] for line in lines[1:]] == ["entries", "articles", "verdicts", "unique", "events", "rejects"]
    assert lines[2].split()[1:3] == ["1", "5"]
    assert "0..5" in lines[2]
    assert "dedupe, sink-x 1 behind" in lines[2]


def test_topics_as_json(data: Path) -> None:
    articles = orjson.loads(rasd("topics", "--json", data=data).out)[1]
    assert articles["consumers"] == [
        {"name": "dedupe", "next": [5], "lag": 0},
        {"name": "sink-x", "next": [4], "lag": 1},
    ]
    assert articles["bounds"] == [{"partition": 0, "first": 0, "next": 5}]


def test_topics_of_several_partitions(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data", *[golden(Event, article_id=f"a{n}") for n in range(20)], partitions=6)
    events = orjson.loads(rasd("topics", "--json", data=data).out)[4]
    assert (events["partitions"], events["messages"], len(events["bounds"])) == (6, 23, 6)
    assert "…" in rasd("topics", data=data).lines[5]


def kept(data: Path) -> list[int]:
    log = SqliteLog(data / "log.sqlite", readonly=True)
    found = [m.offset for m in log.scan("rasd.articles")]
    log.close()
    return found


def test_trim_deletes_old_messages_that_all_have_read(data: Path) -> None:
    dry = rasd("log", "trim", "--before", "2017-02-01", "--topic", "articles", "--dry-run", data=data)
    assert (dry.code, dry.out) == (0, "articles: 3 messages\nwould delete 3 in all\n")
    assert kept(data) == [0, 1, 2, 3, 4]
    wet = rasd("log", "trim", "--before", "2017-02-01", "--topic", "articles", data=data)
    assert wet.out == "articles: 3 messages\ndeleted 3 in all\n"
    assert kept(data) == [0, 4]
    assert rasd("log", "trim", "--before", "2017-02-01", "--topic", "articles", data=data).out.endswith(
        "deleted 0 in all\n"
    )


def test_what_someone_has_not_read_stays(data: Path) -> None:
    assert rasd("log", "trim", "--keep", "1d", "--topic", "articles", "--dry-run", data=data).out.startswith(
        "articles: 4"
    )
    rasd("log", "trim", "--keep", "1d", "--topic", "articles", data=data)
    assert kept(data) == [4]


def test_all_topics_and_vacuum(data: Path) -> None:
    got = rasd("log", "trim", "--keep", "52w", "--vacuum", data=data)
    assert got.code == 0
    assert "the log takes" in got.lines[-1]
    assert rasd("topics", data=data).code == 0


@pytest.mark.parametrize(
    "args",
    [[], ["--before", "2017", "--keep", "3d"], ["--before", "soon"], ["--keep", "3"], ["--keep", "1d", "--topic", "x"]],
)
def test_wrong_usage_is_told(data: Path, args: list[str]) -> None:
    assert rasd("log", "trim", *args, data=data).code == 2
    assert kept(data) == [0, 1, 2, 3, 4]


def test_a_dry_run_writes_nothing(data: Path) -> None:
    before = (data / "log.sqlite").read_bytes()
    rasd("log", "trim", "--keep", "1d", "--dry-run", data=data)
    assert (data / "log.sqlite").read_bytes() == before


def test_writing_goes_on_after_a_trim_where_it_stood(data: Path) -> None:
    rasd("log", "trim", "--keep", "1d", "--topic", "articles", data=data)
    log = SqliteLog(data / "log.sqlite")
    write(log, [golden(Article)])
    log.close()
    assert kept(data) == [4, 5]
