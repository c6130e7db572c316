"""What every sink promises: messages may come in any batches, twice, and with a kill anywhere; the end is the same."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pytest

from connectors.sinks import SINKS, Sink
from connectors.sinks.jsonl import JsonlSink, open_append
from connectors.sinks.postgres import PostgresSink
from connectors.sinks.postgres_server import Target
from connectors.sinks.sqlite import SqliteSink
from pipeline.config import Config
from pipeline.errors import StoragePaused
from tests.connectors.sinks.builders import Message, claim, coded, coding, event, message, toll, unique, verdict
from tests.connectors.sinks.runner import Killed, Runner
from tests.postgres.content import content as postgres_content
from tests.postgres.content import forget
from tests.postgres.content import standing as postgres_standing

Content = Mapping[str, Any]


def jsonl_content(data: Path) -> Content:
    """Every file, to the byte."""
    folder = data / "events"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.jsonl"))}


def jsonl_standing(data: Path) -> dict[str, dict[str, Any]]:
    """The records that hold, as docs/sinks.md tells a reader to find them."""
    held: dict[str, dict[str, Any]] = {}
    for path in sorted((data / "events").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            record = orjson.loads(line)
            if record["kind"] == "retraction":
                held.pop(record["id"], None)
            else:
                held[record["id"]] = record
    return held


def sqlite_content(data: Path) -> Content:
    """Every row of every table."""
    with closing(sqlite3.connect(data / "rasd.sqlite")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in tables}


def sqlite_standing(data: Path) -> dict[str, dict[str, Any]]:
    query = "SELECT id, json FROM events WHERE NOT retracted UNION ALL SELECT id, json FROM tolls WHERE NOT retracted"
    with closing(sqlite3.connect(data / "rasd.sqlite")) as db:
        return {id: orjson.loads(json) for id, json in db.execute(query)}


@dataclass(frozen=True)
class Kind:
    """One sink under test and how to look at what it left."""

    make: Callable[[Path], Sink]
    content: Callable[[Path], Content]
    standing: Callable[[Path], dict[str, dict[str, Any]]]
    forget: Callable[[Path], object] = shutil.rmtree
    stride: int = 1  # of the steps at which it is killed one by one, where each costs much


def schema_of(data: Path) -> str:
    """What stands for a data folder in the database."""
    return f"s{hashlib.blake2b(str(data).encode(), digest_size=8).hexdigest()}"


def postgres_kind(dsn: str) -> Kind:
    return Kind(
        lambda data: PostgresSink(Target(dsn, schema_of(data))),
        lambda data: postgres_content(dsn, schema_of(data)),
        lambda data: postgres_standing(dsn, schema_of(data)),
        lambda data: forget(dsn, schema_of(data)),
        stride=15,
    )


def kind_of(name: str, request: pytest.FixtureRequest) -> Kind:
    return postgres_kind(request.getfixturevalue("database")) if name == "postgres" else KINDS[name]


KINDS = {
    "jsonl": Kind(JsonlSink, jsonl_content, jsonl_standing),
    "sqlite": Kind(SqliteSink, sqlite_content, sqlite_standing),
}
NAMES = ["jsonl", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


def test_every_sink_is_tested_here_and_is_named_as_it_is_registered() -> None:
    assert sorted([*KINDS, "postgres"]) == sorted(SINKS)
    assert [SINKS[name](Config()).name for name in SINKS] == list(SINKS)


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> Kind:
    return kind_of(request.param, request)


def a_history() -> list[Message]:
    """Two articles with revisions, a new generation, an older coding that comes late, a torn set and a redelivery."""
    day = dt.date(2018, 3, 5)
    first = coded(event("e1"), event("e2", day=day), toll("t1"))
    return [
        message(unique("a1")),
        message(verdict("a1")),
        message(verdict("a9", kind="near_duplicate", of="a1")),
        *first,
        *coded(event("b1", "b", day=day), article="b"),
        *first,
        message(unique("a1", revision=2, body="نص آخر")),
        message(event("torn", revision=2)),
        *coded(event("e2", revision=2, day=day), event("e3", revision=2), toll("t1", revision=2)),
        *coded(event("e9", revision=1), generation=7),
        *coded(article="c", reason="no trigger"),
        *coded(event("e2", revision=2, day=day), event("e1", revision=2), generation=2),
        *coded(event("b1", "b", day=day, confidence=0.9), article="b", generation=2),
        *coded(article="b", generation=3),
        *coded(event("shared", "x", casualties=(claim(1), claim(2)))),  # a foreign extractor's ids may clash
        *coded(event("shared", "y", casualties=(claim(3),))),
    ]


def test_batches_do_not_matter(kind: Kind, tmp_path: Path) -> None:
    contents = []
    for batch in (1, 2, 7, 1000):
        data = tmp_path / str(batch)
        Runner(lambda data=data: kind.make(data)).run(a_history(), batch)  # type: ignore[misc]
        contents.append(kind.content(data))
    assert contents[0]
    assert all(content == contents[0] for content in contents)


@pytest.mark.parametrize("batch", [1, 2, 7, 1000])
def test_a_kill_at_any_step_leaves_no_trace(kind: Kind, tmp_path: Path, batch: int) -> None:
    Runner(lambda: kind.make(tmp_path / "calm")).run(a_history(), batch)
    steps: list[str] = []
    Runner(lambda: kind.make(tmp_path / "counted")).run(a_history(), batch, steps.append)
    for deadly in range(0, len(steps), kind.stride):
        data = tmp_path / "killed"
        runner = Runner(lambda: kind.make(data))  # noqa: B023
        with pytest.raises(Killed):
            runner.run(a_history(), batch, dies_at(deadly))
        runner.run(a_history(), batch)
        assert kind.content(data) == kind.content(tmp_path / "calm"), f"killed at step {deadly}, {steps[deadly]}"
        kind.forget(data)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_kill_at_every_step_in_turn_leaves_no_trace(kind: Kind, tmp_path: Path, batch: int) -> None:
    Runner(lambda: kind.make(tmp_path / "calm")).run(a_history(), batch)
    runner = Runner(lambda: kind.make(tmp_path / "killed"))
    for deadly in range(1, 200):
        try:
            runner.run(a_history(), batch, dies_at(deadly % 7))
        except Killed:
            continue
        break
    else:
        runner.run(a_history(), batch)
    assert kind.content(tmp_path / "killed") == kind.content(tmp_path / "calm")


def dies_at(deadly: int) -> Callable[[str], None]:
    left = iter(range(deadly))

    def step(name: str) -> None:
        if next(left, None) is None:
            raise Killed(name)

    return step


def test_the_same_messages_again_change_nothing(kind: Kind, tmp_path: Path) -> None:
    runner = Runner(lambda: kind.make(tmp_path))
    runner.run(a_history(), 5)
    before, state = kind.content(tmp_path), dict(runner.state)
    runner.offset = 0
    runner.run(a_history(), 4)
    assert kind.content(tmp_path) == before
    assert {k: v for k, v in runner.state.items() if not k.startswith("pending/")} == {
        k: v for k, v in state.items() if not k.startswith("pending/")
    }


def test_a_batch_delivered_twice_without_a_commit_between_is_written_once(kind: Kind, tmp_path: Path) -> None:
    for data, times in ((tmp_path / "once", 1), (tmp_path / "thrice", 3)):
        runner = Runner(lambda data=data: kind.make(data))  # type: ignore[misc]
        for _ in range(times - 1):
            with pytest.raises(Killed):
                runner.run(a_history(), 1000, lambda name: die_if(name == "commit"))
        runner.run(a_history(), 1000)
    assert kind.content(tmp_path / "once") == kind.content(tmp_path / "thrice")


def die_if(now: bool) -> None:
    if now:
        raise Killed


def standing(kind: Kind, data: Path, *messages: Message) -> dict[str, dict[str, Any]]:
    Runner(lambda: kind.make(data)).run(messages, 3)
    return kind.standing(data)


def test_an_event_that_a_revision_no_longer_tells_is_retracted(kind: Kind, tmp_path: Path) -> None:
    held = standing(kind, tmp_path, *coded(event("e1"), toll("t1")), *coded(event("e2", revision=2)))
    assert sorted(held) == ["e2"]


def test_an_article_that_tells_nothing_any_more_retracts_all(kind: Kind, tmp_path: Path) -> None:
    held = standing(kind, tmp_path, *coded(event("e1"), toll("t1")), *coded(article="a1", revision=2))
    assert held == {}


def test_an_older_coding_that_comes_late_changes_nothing(kind: Kind, tmp_path: Path) -> None:
    newer = coded(event("e1", revision=2, confidence=0.9), generation=1)
    late = [*coded(event("e1"), event("e2"), generation=1), *coded(event("e1", confidence=0.1), generation=9)]
    held = standing(kind, tmp_path, *newer, *late)
    assert {id: r["confidence"] for id, r in held.items()} == {"e1": 0.9}


def test_a_newer_generation_replaces_what_the_older_said(kind: Kind, tmp_path: Path) -> None:
    held = standing(
        kind, tmp_path, *coded(event("e1", confidence=0.1)), *coded(event("e1", confidence=0.9), generation=2)
    )
    assert held["e1"]["confidence"] == 0.9


def test_other_ids_under_the_same_revision_and_generation_replace_what_was_said(kind: Kind, tmp_path: Path) -> None:
    messages = [*coded(event("e1"), event("e2")), *coded(event("e2", confidence=0.9), event("e3"))]
    held = standing(kind, tmp_path, *messages)
    assert {id: r["confidence"] for id, r in held.items()} == {"e2": 0.9, "e3": 0.5}


def test_an_event_may_come_back(kind: Kind, tmp_path: Path) -> None:
    messages = [*coded(event("e1")), *coded(article="a1", revision=2), *coded(event("e1", revision=3))]
    assert standing(kind, tmp_path, *messages)["e1"]["revision"] == 3


def test_a_coding_keeps_an_event_that_it_lists_although_its_record_does_not_come(kind: Kind, tmp_path: Path) -> None:
    held = standing(kind, tmp_path, *coded(event("e1")), message(coding(event("e1"), event("e2"), revision=2)))
    assert sorted(held) == ["e1"]


def test_records_wait_for_their_coding(kind: Kind, tmp_path: Path) -> None:
    assert standing(kind, tmp_path, message(event("e1")), message(toll("t1"))) == {}


def test_sets_of_two_articles_may_be_interleaved(kind: Kind, tmp_path: Path) -> None:
    (one, end_one), (two, end_two) = coded(event("e1", "a1")), coded(event("e2", "a2"))
    assert sorted(standing(kind, tmp_path, one, two, end_one, end_two)) == ["e1", "e2"]


HOSTILE = [
    "line\nbreak\r\nand\ttab",
    'quote " and \\ backslash \\u0000',
    "'; DROP TABLE events; --",
    "\u202eمعكوس\u202c \u200f\u2066",
    "\u2028\u2029\x85\x0b\x0c\x1c\x1e",
    "../../etc/passwd",
    "%s ? :name {0}",
    "🕊️" * 50,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_data_in_every_field(kind: Kind, tmp_path: Path, text: str) -> None:
    told = event(text, text, url=text, outlet=text, language=text)
    messages = [message(unique(text, title=text, body=text)), *coded(told, toll("t" + text, text), reason=text)]
    for batch in (1, 10):
        held = standing(kind, tmp_path / str(batch), *messages)
        assert held[text] == orjson.loads(messages[1][2])
        assert sorted(held) == sorted([text, "t" + text])
    assert {p.name for p in tmp_path.iterdir()} <= {"1", "10"}


def test_numbers_beyond_64_bits_do_not_stop_a_sink(kind: Kind, tmp_path: Path) -> None:
    huge = 10**30
    first = event("e1", revision=huge)
    sick = event("e2", revision=huge, casualties=(claim(huge, low=-huge, span=(huge, huge), part_of=huge),))
    messages: list[Message] = [
        ("rasd.events", first, b'{"kind":"event","id":"e1"}'),
        ("rasd.events", sick, b'{"kind":"event","id":"e2"}'),
        ("rasd.events", coding(first, sick, generation=huge, revision=huge), b'{"kind":"coding"}'),
        ("rasd.events", coding(first, generation=huge + 1, revision=huge + 1), b'{"kind":"coding"}'),
    ]
    assert sorted(standing(kind, tmp_path, *messages)) == ["e1"]


def test_a_flush_without_a_resume_that_succeeded_pauses_and_touches_nothing(kind: Kind, tmp_path: Path) -> None:
    sink = kind.make(tmp_path)
    for _, record, value in coded(event()):
        sink.write(record, value)
    with pytest.raises(StoragePaused):
        sink.flush()
    assert list(tmp_path.iterdir()) == []


def test_jsonl_does_not_append_behind_a_half_written_line(tmp_path: Path) -> None:
    disk = FullDisk(100)
    sink = JsonlSink(tmp_path, opener=disk)
    sink.resume({})
    for _ in range(2):  # the second time there is room, but nobody has cut the file yet
        for _, record, value in coded(event()):
            sink.write(record, value)
        with pytest.raises(StoragePaused):
            sink.flush()
        disk.room = 100_000
    sink.resume({})
    assert jsonl_content(tmp_path) == {}


class FullDisk:
    """An opener whose disk takes `room` bytes more, then raises `trouble`, with half a line written."""

    def __init__(self, room: int, trouble: BaseException | None = None) -> None:
        self.room = room
        self.trouble = trouble or OSError(errno.ENOSPC, "No space left on device")

    def __call__(self, path: Path) -> BinaryIO:
        file = open_append(path)
        disk = self

        class Limited:
            def __enter__(self) -> Limited:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def fileno(self) -> int:
                return file.fileno()

            def flush(self) -> None:
                file.flush()

            def write(self, data: bytes) -> int:
                fits, disk.room = data[: disk.room], max(0, disk.room - len(data))
                file.write(fits)
                file.flush()
                if len(fits) < len(data):
                    raise disk.trouble
                return len(data)

        return Limited()  # type: ignore[return-value]


@pytest.mark.parametrize("batch", [1, 4, 1000])
@pytest.mark.parametrize("trouble", [None, Killed("in the middle of a line")])
def test_jsonl_stopped_inside_a_write_loses_nothing(tmp_path: Path, batch: int, trouble: BaseException | None) -> None:
    Runner(lambda: JsonlSink(tmp_path / "calm")).run(a_history(), batch)
    size = sum(len(content) for content in jsonl_content(tmp_path / "calm").values())
    for room in range(0, size, 997):
        data = tmp_path / "full"
        disk = FullDisk(room, trouble)
        runner = Runner(lambda: JsonlSink(data, opener=disk))  # noqa: B023
        with pytest.raises(type(trouble) if trouble else StoragePaused):
            runner.run(a_history(), batch)
        disk.room = 10 * size
        runner.run(a_history(), batch)
        assert jsonl_content(data) == jsonl_content(tmp_path / "calm"), f"full after {room} bytes"
        shutil.rmtree(data)


def test_the_same_sink_goes_on_after_a_full_disk(tmp_path: Path) -> None:
    disk = FullDisk(100)
    sink = JsonlSink(tmp_path, opener=disk)
    sink.resume({})
    messages = coded(event())
    for _, record, value in messages:
        sink.write(record, value)
    with pytest.raises(StoragePaused):
        sink.flush()
    disk.room = 100_000
    sink.resume({})
    for _, record, value in messages:
        sink.write(record, value)
    sink.flush()
    assert jsonl_content(tmp_path)["2018-03-01.jsonl"] == messages[0][2] + b"\n"
