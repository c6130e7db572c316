from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pipeline.errors import StorageError, StoragePaused
from pipeline.log.sqlite import FORMAT, SqliteLog


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(tmp_path / "log.sqlite", partitions={"many": 4}, now=lambda: 1_700_000_000.0)


def fill(log: SqliteLog, topic: str, n: int, start: int = 0) -> None:
    with log.transaction():
        for i in range(start, start + n):
            log.append(topic, f"k{i}", b"v%d" % i, time=i * 1000)


def fill_with(log: SqliteLog, value: bytes, n: int) -> None:
    with log.transaction():
        for _ in range(n):
            log.append("one", None, value)


def test_messages_come_back_in_order_with_key_time_and_offset(log: SqliteLog) -> None:
    fill(log, "one", 5)
    found = log.read("one", 0, 2, 2)
    assert [(m.offset, m.key, m.value, m.time) for m in found] == [(2, "k2", b"v2", 2000), (3, "k3", b"v3", 3000)]
    assert found[0].written == 1_700_000_000_000


def test_a_key_stays_in_its_partition_and_partitions_do_not_mix(log: SqliteLog) -> None:
    fill(log, "many", 200)
    fill(log, "one", 3)
    seen = {p: [m.key for m in log.read("many", p, 0, 1000)] for p in range(4)}
    assert sum(map(len, seen.values())) == 200
    assert all(len(keys) > 20 for keys in seen.values())
    assert [b.next for b in log.bounds("many")] == [len(seen[p]) for p in range(4)]
    assert len(list(log.scan("many"))) == 200


def test_what_a_transaction_holds_is_written_whole_or_not_at_all(log: SqliteLog) -> None:
    fill(log, "one", 2)
    with pytest.raises(RuntimeError), log.transaction():  # noqa: PT012
        log.append("one", None, b"lost")
        log.commit("reader", "one", 0, 1)
        log.change("stage", {"k": b"v"})
        raise RuntimeError
    assert log.next_offset("one", 0) == 2
    assert log.consumed("reader", "one") == {0: 0}
    assert dict(log.state("stage")) == {}


def test_offsets_and_state_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    first = SqliteLog(path)
    fill(first, "one", 3)
    with first.transaction():
        first.commit("reader", "one", 0, 2)
        first.change("stage", {"a": b"1", "b": b"2"})
    with first.transaction():
        first.change("stage", {"a": b"", "b": b"3"})
    first.close()
    again = SqliteLog(path)
    assert again.consumed("reader", "one") == {0: 2}
    assert again.consumers() == [("reader", "one", 0, 2)]
    assert dict(again.state("stage")) == {"b": b"3"}
    assert len(again.state("stage")) == 1


def test_a_reader_sees_what_another_process_committed(tmp_path: Path) -> None:
    writer = SqliteLog(tmp_path / "log.sqlite")
    fill(writer, "one", 1)
    reader = SqliteLog(tmp_path / "log.sqlite", readonly=True)
    fill(writer, "two", 2)
    assert len(reader.read("two", 0, 0, 10)) == 2
    with pytest.raises(StoragePaused, match="readonly"):
        fill_with(reader, b"x", 1)


def test_trimming_goes_by_event_time_and_spares_what_a_consumer_still_needs(log: SqliteLog) -> None:
    fill(log, "one", 10)
    with log.transaction():
        log.append("one", None, b"undated")  # counts by its time of writing, long after
        log.commit("slow", "one", 0, 4)
        log.commit("fast", "one", 0, 11)
    with log.transaction():
        assert log.trim("one", 7000) == 4
    left = [m.offset for m in log.read("one", 0, 0, 100)]
    assert left == [4, 5, 6, 7, 8, 9, 10]
    with log.transaction():
        log.commit("slow", "one", 0, 11)
        assert log.trim("one", 7000) == 3
    bounds = log.bounds("one")[0]
    assert (bounds.first, bounds.next, bounds.messages) == (7, 11, 4)
    fill(log, "one", 1)
    assert log.next_offset("one", 0) == 12


def test_offsets_are_never_given_twice_even_when_all_was_trimmed(log: SqliteLog) -> None:
    fill(log, "one", 3)
    with log.transaction():
        assert log.trim("one", 10**15) == 3
    fill(log, "one", 1)
    assert [m.offset for m in log.read("one", 0, 0, 9)] == [3]


def test_offset_at_a_time_is_the_first_message_not_older(log: SqliteLog) -> None:
    fill(log, "one", 5)
    assert log.offset_at("one", 0, 2500) == 3
    assert log.offset_at("one", 0, 0) == 0
    assert log.offset_at("one", 0, 10**15) == 5


def test_a_full_disk_is_a_pause_and_leaves_no_half(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.sqlite")
    log.create_topic("one")
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoragePaused, match="disk is full"):
        fill_with(log, b"x" * 1000, 100)
    assert log.next_offset("one", 0) == 0
    log._db.execute("PRAGMA max_page_count = 100000")
    fill(log, "one", 3)
    assert log.next_offset("one", 0) == 3


def test_a_locked_file_is_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.log.sqlite.BUSY_SECONDS", 0.05)
    mine, other = SqliteLog(tmp_path / "log.sqlite"), SqliteLog(tmp_path / "log.sqlite")
    other.create_topic("one")
    with other.transaction():
        other.append("one", None, b"x")
        with pytest.raises(StoragePaused, match="another program"), mine.transaction():
            pass
    fill(mine, "one", 1)
    assert mine.next_offset("one", 0) == 2


def test_foreign_newer_and_missing_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "foreign").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(StorageError, match="not a log"):
        SqliteLog(tmp_path / "foreign")
    with sqlite3.connect(tmp_path / "newer") as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(StorageError, match="newer version"):
        SqliteLog(tmp_path / "newer")
    with pytest.raises(StorageError, match="no log yet"):
        SqliteLog(tmp_path / "missing", readonly=True)


def test_nothing_is_trimmed_that_a_known_consumer_has_not_begun_to_read(log: SqliteLog) -> None:
    with log.transaction():
        log.register("late", "one")
    fill(log, "one", 5)
    with log.transaction():
        log.commit("early", "one", 0, 5)
        assert log.trim("one", 10**15) == 0
        log.register("early", "one")  # again: changes nothing
        log.commit("late", "one", 0, 3)
        assert log.trim("one", 10**15) == 3
    assert log.consumed("early", "one") == {0: 5}
    assert log.first_offset("one", 0) == 3


def test_a_commit_from_where_the_consumer_no_longer_stands_is_refused(log: SqliteLog) -> None:
    fill(log, "one", 5)
    with log.transaction():
        log.commit("reader", "one", 0, 2, expected=0)
        log.commit("reader", "one", 0, 4, expected=2)
    with pytest.raises(StorageError, match="another process"), log.transaction():
        log.commit("reader", "one", 0, 3, expected=2)
    assert log.consumed("reader", "one") == {0: 4}


def test_a_closed_log_is_read_without_write_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.sqlite"
    log = SqliteLog(path)
    fill(log, "one", 2)
    log.close()
    real = sqlite3.connect

    def refused(name: str, *args: object, **given: object) -> sqlite3.Connection:
        if "mode=ro" in str(name):  # what SQLite says where it may not make the files beside the database
            raise sqlite3.OperationalError("attempt to write a readonly database")
        return real(name, *args, **given)  # type: ignore[arg-type, no-any-return]

    for connect in (real, refused):
        monkeypatch.setattr(sqlite3, "connect", connect)
        reader = SqliteLog(path, readonly=True)
        assert [m.value for m in reader.read("one", 0, 0, 9)] == [b"v0", b"v1"]
        reader.close()
