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


def test_what_a_killed_first_flush_left_is_removed_and_other_files_stay(tmp_path: Path) -> None:
    killed = JsonlSink(tmp_path)
    killed.resume({})
    for _, record, value in coded(event()):
        killed.write(record, value)
    killed.flush()  # never committed
    for name in ("notes.txt", "2018-3-1.jsonl"):
        (tmp_path / "events" / name).write_text("x")
    JsonlSink(tmp_path).resume({})
    assert sorted(p.name for p in (tmp_path / "events").iterdir()) == ["2018-3-1.jsonl", "codings", "notes.txt"]


def test_what_a_killed_later_flush_left_is_removed(runner: Runner, tmp_path: Path) -> None:
    runner.run(coded(event()), 10)
    killed = JsonlSink(tmp_path)
    killed.resume(runner.state)
    for _, record, value in coded(event("e2", "a2", day=dt.date(2018, 5, 5))):
        killed.write(record, value)
    killed.flush()
    assert (tmp_path / "events/2018-05-05.jsonl").exists()
    JsonlSink(tmp_path).resume(runner.state)
    assert [p.name for p in (tmp_path / "events").glob("*.jsonl")] == ["2018-03-01.jsonl"]


@pytest.mark.parametrize("commit", [True, False])
def test_closing_forgets_what_was_announced_once_it_is_committed(tmp_path: Path, commit: bool) -> None:
    state: dict[str, bytes] = {}
    sink = JsonlSink(tmp_path)
    sink.resume(state)
    for _, record, value in coded(event()):
        sink.write(record, value)
    changes = sink.flush()
    if commit:
        state.update(changes)
    sink.close()
    assert (tmp_path / "events/.rasd-uncommitted").exists() is not commit
    assert (tmp_path / "events/.rasd-sink").exists() is commit


@pytest.mark.parametrize("batch", [1, 100])
def test_files_of_a_lost_log_are_not_taken_for_leftovers(runner: Runner, tmp_path: Path, batch: int) -> None:
    runner.run(coded(event()), batch)
    with pytest.raises(StorageError, match=r"another log.*move the folder away.*rasd sinks reset jsonl") as caught:
        JsonlSink(tmp_path).resume({})
    assert caught.value.reason == "sink-foreign"
    assert ids(tmp_path / "events/2018-03-01.jsonl") == [("event", "e1")]


@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_we_did_not_write_is_never_removed(runner: Runner, tmp_path: Path, known: bool) -> None:
    if known:
        runner.run(coded(event()), 1)
    (tmp_path / "events").mkdir(exist_ok=True)
    mine = tmp_path / "events/2001-01-01.jsonl"
    mine.write_text("{}\n")
    with pytest.raises(StorageError, match="knows nothing of 2001-01-01"):
        JsonlSink(tmp_path).resume(runner.state)
    assert mine.read_text() == "{}\n"


def test_an_empty_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events/2001-01-01.jsonl").touch()
    JsonlSink(tmp_path).resume({})
    assert list((tmp_path / "events").glob("*.jsonl")) == []


def test_a_file_that_appears_before_we_make_it_is_neither_written_nor_removed(runner: Runner, tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path)
    sink.resume({})
    mine = tmp_path / "events/2018-03-01.jsonl"
    mine.write_text("mine\n")
    for _, record, value in coded(event()):
        sink.write(record, value)
    with pytest.raises(StorageError, match="not the 0 we wrote"):
        sink.flush()
    with pytest.raises(StorageError, match="knows nothing of"):
        JsonlSink(tmp_path).resume({})
    assert mine.read_text() == "mine\n"


def test_files_are_not_cut_by_the_state_of_another_log(tmp_path: Path) -> None:
    logs = [Runner(lambda name=name: JsonlSink(tmp_path / name)) for name in ("one", "two")]  # type: ignore[misc]
    logs[0].run(coded(event("longer" * 9)), 10)
    logs[1].run(coded(event("e1")), 10)
    with pytest.raises(StorageError, match="another log"):
        JsonlSink(tmp_path / "one").resume(logs[1].state)
    assert ids(tmp_path / "one/events/2018-03-01.jsonl") == [("event", "longer" * 9)]


def test_a_refused_folder_is_left_as_it_is_when_the_sink_is_closed(runner: Runner, tmp_path: Path) -> None:
    runner.run(coded(event()), 10)
    before = {p: p.read_bytes() for p in (tmp_path / "events").rglob("*") if p.is_file()}
    sink = JsonlSink(tmp_path)
    with pytest.raises(StorageError):
        sink.resume({**runner.state, "folder": b"another"})
    sink.close()
    assert {p: p.read_bytes() for p in (tmp_path / "events").rglob("*") if p.is_file()} == before


def test_check_says_what_is_there_and_touches_nothing(runner: Runner, tmp_path: Path) -> None:
    assert jsonl.check(tmp_path / "none", {}) == "nothing written yet"
    assert not (tmp_path / "none").exists()
    runner.run(coded(event()), 10)
    size = sum(p.stat().st_size for p in tmp_path.rglob("*.jsonl"))
    assert jsonl.check(tmp_path, runner.state) == f"2 files, {size:,} bytes"
    with pytest.raises(StorageError, match="another log"):
        jsonl.check(tmp_path, {})


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


def test_a_day_that_was_taken_away_is_an_error_at_the_next_start(runner: Runner, tmp_path: Path) -> None:
    runner.run([*coded(event()), *coded(event("e2", "a2", day=dt.date(2018, 3, 2)))], 10)
    (tmp_path / "events/2018-03-01.jsonl").unlink()
    with pytest.raises(StorageError, match=r"2018-03-01\.jsonl is gone"):
        JsonlSink(tmp_path).resume(runner.state)


def test_a_day_that_is_taken_away_meanwhile_is_an_error_once_something_happens_on_it(
    runner: Runner, tmp_path: Path
) -> None:
    runner.run(coded(event()), 10)
    sink = JsonlSink(tmp_path)
    sink.resume(runner.state)
    (tmp_path / "events/2018-03-01.jsonl").unlink()
    for _, record, value in coded(event("e3", "a3")):
        sink.write(record, value)
    with pytest.raises(StorageError, match="file is gone"):
        sink.flush()
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
