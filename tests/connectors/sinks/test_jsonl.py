"""What only the JSON lines sink promises: which file a line goes to, and what it does with files not its own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import pytest

from connectors.sinks import jsonl
from connectors.sinks.jsonl import JsonlSink
from pipeline.errors import StorageError
from pipeline.records import EventDate
from tests.connectors.sinks.builders import coded, coding, event, message, toll
from tests.connectors.sinks.runner import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(lambda: JsonlSink(tmp_path))


def lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def ids(path: Path) -> list[tuple[object, object]]:
    return [(line["kind"], line["id"]) for line in lines(path)]


def test_an_event_stands_in_the_file_of_its_first_day_and_a_toll_in_that_of_its_last(
    runner: Runner, tmp_path: Path
) -> None:
    runner.run(coded(event(day=dt.date(2018, 2, 27)), toll(end=dt.date(2018, 2, 28))), 10)
    assert ids(tmp_path / "events/2018-02-27.jsonl") == [("event", "e1")]
    assert ids(tmp_path / "events/2018-02-28.jsonl") == [("toll", "t1")]


def test_an_undated_record_stands_in_the_file_of_its_publication_day_in_utc(runner: Runner, tmp_path: Path) -> None:
    late = dt.datetime(2018, 3, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=3)))
    runner.run(coded(event(day=None, published=late), toll(end=None, published=None)), 10)
    assert ids(tmp_path / "events/2018-03-01.jsonl") == [("event", "e1")]
    assert ids(tmp_path / "events/undated.jsonl") == [("toll", "t1")]


@pytest.mark.parametrize("day", [dt.date(1, 1, 1), dt.date(1899, 12, 31), dt.date(2100, 1, 1), dt.date(9999, 12, 31)])
def test_a_day_outside_the_centuries_of_news_names_no_file(day: dt.date) -> None:
    assert jsonl.day_file(event(day=day)) == "undated.jsonl"


def test_lines_are_the_messages_as_they_were_sent(runner: Runner, tmp_path: Path) -> None:
    messages = coded(event())
    runner.run(messages, 10)
    assert (tmp_path / "events/2018-03-01.jsonl").read_bytes() == messages[0][2] + b"\n"
    assert (tmp_path / "events/codings/000001.jsonl").read_bytes() == messages[1][2] + b"\n"


def test_a_message_spread_over_lines_becomes_one_line(runner: Runner, tmp_path: Path) -> None:
    (topic, record, value), closing = coded(event())
    spread = orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).replace(b"\n", b"\r\n")
    runner.run([(topic, record, spread), closing], 10)
    assert ids(tmp_path / "events/2018-03-01.jsonl") == [("event", "e1")]


def test_nothing_is_written_before_the_coding_arrives(runner: Runner, tmp_path: Path) -> None:
    runner.run([message(event())], 10)
    assert list((tmp_path / "events").glob("*.jsonl")) == []
    assert list(runner.state) == ["pending/a1", "folder"]


def test_the_state_keeps_no_pending_records_once_the_set_is_closed(runner: Runner) -> None:
    runner.run(coded(event(), toll()), 1)
    assert sorted(runner.state) == [
        "article/a1",
        "file/2018-03-01.jsonl",
        "file/codings/000001.jsonl",
        "folder",
    ]


def test_a_flush_returns_only_the_files_that_changed(tmp_path: Path) -> None:
    runner = Runner(lambda: JsonlSink(tmp_path))
    runner.run(coded(event()), 10)
    sink = JsonlSink(tmp_path)
    sink.resume(runner.state)
    for _, record, value in coded(event("e2", "a2", day=dt.date(2018, 5, 5))):
        sink.write(record, value)
    assert sorted(sink.flush()) == ["article/a2", "file/2018-05-05.jsonl", "file/codings/000001.jsonl"]


def test_records_that_the_coding_does_not_list_are_not_written(runner: Runner, tmp_path: Path) -> None:
    torn = [message(event("torn"))]  # its run died before the coding; a newer extractor began again
    runner.run([*torn, *coded(event("e1"), generation=2)], 10)
    assert ids(tmp_path / "events/2018-03-01.jsonl") == [("event", "e1")]


def test_an_event_that_comes_back_goes_where_its_older_lines_are(runner: Runner, tmp_path: Path) -> None:
    def told(revision: int, published: dt.datetime | None) -> list[tuple]:  # type: ignore[type-arg]
        return coded(event(revision=revision, date=EventDate(), published=published))

    later = dt.datetime(2018, 4, 1, tzinfo=dt.UTC)
    runner.run([*told(1, None), *coded(article="a1", revision=2), *told(3, later)], 10)
    assert ids(tmp_path / "events/undated.jsonl") == [("event", "e1"), ("retraction", "e1"), ("event", "e1")]
    assert not (tmp_path / "events/2018-04-01.jsonl").exists()


def test_codings_go_on_in_a_new_file_at_the_same_line_however_batches_fall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "CODINGS_BYTES", 600)
    messages = [message(coding(article=f"a{n}")) for n in range(10)]
    contents = []
    for batch in (1, 3, 10):
        Runner(lambda folder=tmp_path / str(batch): JsonlSink(folder)).run(messages, batch)  # type: ignore[misc]
        contents.append([p.read_bytes() for p in sorted((tmp_path / str(batch)).glob("events/codings/*"))])
    assert len(contents[0]) > 2
    assert contents[0] == contents[1] == contents[2]


def test_a_file_of_ours_that_was_never_committed_is_removed_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    for name in ("2018-03-01.jsonl", "notes.txt", "2018-3-1.jsonl"):
        (folder / name).write_text("x")
    JsonlSink(tmp_path).resume({})
    assert sorted(p.name for p in folder.iterdir()) == ["2018-3-1.jsonl", "codings", "notes.txt"]


def test_files_of_a_lost_log_are_not_taken_for_leftovers(runner: Runner, tmp_path: Path) -> None:
    runner.run(coded(event()), 1)
    with pytest.raises(StorageError, match="another log"):
        JsonlSink(tmp_path).resume({})
    assert ids(tmp_path / "events/2018-03-01.jsonl") == [("event", "e1")]


def test_a_folder_that_was_taken_away_is_an_error(runner: Runner, tmp_path: Path) -> None:
    runner.run(coded(event()), 10)
    (tmp_path / "events").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="gone"):
        JsonlSink(tmp_path).resume(runner.state)


def test_a_file_that_lost_its_end_is_an_error(runner: Runner, tmp_path: Path) -> None:
    runner.run(coded(event()), 10)
    (tmp_path / "events/2018-03-01.jsonl").write_bytes(b"{}\n")
    with pytest.raises(StorageError, match="bytes are missing"):
        JsonlSink(tmp_path).resume(runner.state)


def test_a_day_that_was_taken_away_is_an_error_once_something_happens_on_it(runner: Runner, tmp_path: Path) -> None:
    runner.run(coded(event()), 10)
    (tmp_path / "events/2018-03-01.jsonl").unlink()
    runner.run([*coded(event()), *coded(event("e2", "a2", day=dt.date(2018, 3, 2)))], 10)
    with pytest.raises(StorageError, match="file is gone"):
        runner.run([message(event())] * 4 + coded(event("e3", "a3")), 10)
    assert not (tmp_path / "events/2018-03-01.jsonl").exists()


def test_a_file_that_somebody_else_wrote_to_is_an_error(runner: Runner, tmp_path: Path) -> None:
    runner.run(coded(event()), 10)
    sink = JsonlSink(tmp_path)
    sink.resume(runner.state)
    with (tmp_path / "events/2018-03-01.jsonl").open("ab") as file:
        file.write(b"mine\n")
    for _, record, value in coded(event("e2", "a2")):
        sink.write(record, value)
    with pytest.raises(StorageError, match="we wrote"):
        sink.flush()
