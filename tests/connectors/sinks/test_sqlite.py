"""What an analyst finds in rasd.sqlite: right answers to simple questions, and nothing that is not so."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sinks.decide import Changes
from connectors.sinks.load import Loader
from connectors.sinks.sqlite import SqliteSink, article_of, check, event_of, open_readonly
from pipeline.errors import RasdError, StorageError, StoragePaused
from pipeline.records import EventDate, Place
from tests.connectors.sinks.builders import (
    ALEPPO,
    ARMY,
    REBELS,
    Message,
    claim,
    coded,
    coding,
    event,
    message,
    toll,
    unique,
    verdict,
)
from tests.connectors.sinks.runner import Runner


def filled(data: Path, *messages: Message, batch: int = 100) -> Path:
    Runner(lambda: SqliteSink(data)).run(messages, batch)
    return data


def ask(data: Path, query: str, *values: Any) -> list[dict[str, Any]]:
    with closing(open_readonly(data)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(query, values)]


# -- sums ------------------------------------------------------------------------------------------


def test_deaths_by_side_counts_primary_claims_of_reported_events_that_stand_and_nothing_else(tmp_path: Path) -> None:
    claims = (
        claim(9),
        claim(40, primary=False),  # another speaker's number for the same dead
        claim(3, part_of=0, category="child"),  # contained in the nine
        claim(5, outcome="injured"),
        claim(2, unit="household"),
        claim(7, group=(REBELS,)),
    )
    filled(
        tmp_path,
        *coded(event("e1", casualties=claims), toll("t1", casualties=(claim(605),))),
        *coded(event("recap", "a2", realis="recap")),
        *coded(event("denied", "a3", realis="denied")),
        *coded(event("gone", "a4")),
        *coded(article="a4", revision=2),
        message(event("waiting", "a5")),
    )
    assert ask(tmp_path, "SELECT side, names, events, killed FROM deaths_by_side ORDER BY side") == [
        {"side": "SYR.ARMY", "names": "Syrian Army", "events": 1, "killed": 9},
        {"side": "SYR.FSA", "names": "Free Syrian Army", "events": 1, "killed": 7},
    ]


def test_joint_claims_and_claims_of_nobody_stand_apart(tmp_path: Path) -> None:
    filled(tmp_path, *coded(event(casualties=(claim(20, group=(REBELS, ARMY)), claim(4, group=())))))
    assert ask(tmp_path, "SELECT side, killed FROM deaths_by_side ORDER BY side") == [
        {"side": None, "killed": 4},
        {"side": "SYR.ARMY,SYR.FSA", "killed": 20},
    ]
    assert [r["actor_id"] for r in ask(tmp_path, "SELECT * FROM claim_groups ORDER BY idx, n")] == [
        "SYR.FSA",
        "SYR.ARMY",
    ]


@pytest.mark.parametrize(
    ("said", "best", "least", "most"),
    [
        (claim(9), 9, 9, 9),
        (claim(50, hedge="about"), 50, 50, 50),
        (claim(46, hedge="at_least", low=46), 46, 46, None),
        (claim(46, hedge="more_than"), 46, 46, None),
        (claim(10, hedge="at_most"), 10, 0, 10),
        (claim(None, low=10, high=15), 10, 10, 15),
        (claim(None, hedge="dozens"), None, None, None),
        (claim(0), 0, 0, 0),
    ],
)
def test_bounds_say_what_the_words_bound(
    tmp_path: Path, said: Any, best: int | None, least: int | None, most: int | None
) -> None:
    filled(tmp_path, *coded(event(casualties=(said,))))
    assert ask(tmp_path, "SELECT best, least, most FROM current_claims") == [
        {"best": best, "least": least, "most": most}
    ]


def test_events_by_day_counts_each_event_once_and_adds_its_dead(tmp_path: Path) -> None:
    month = EventDate(start=dt.date(2018, 3, 1), end=dt.date(2018, 3, 31), precision="month", basis="text")
    filled(
        tmp_path,
        *coded(
            event("e1", casualties=(claim(9), claim(7, group=(REBELS,)), claim(2, outcome="injured"))),
            event("e2", casualties=(claim(46, hedge="at_least"),), places=(ALEPPO, ALEPPO)),
            event("e3", casualties=()),
            event("e4", date=month),
            event("e5", realis="planned"),
            toll(),
        ),
    )
    assert ask(tmp_path, "SELECT * FROM events_by_day WHERE precision = 'day'") == [
        {
            "day": "2018-03-01",
            "precision": "day",
            "country": "SY",
            "event_type": "Battles",
            "events": 3,
            "killed": 62,
            "killed_low": 62,
            "killed_high": 62,
            "killed_open": 1,
            "injured": 2,
        }
    ]
    assert ask(tmp_path, "SELECT events FROM events_by_day WHERE precision = 'month'") == [{"events": 1}]


def test_a_number_that_cannot_count_people_is_left_out_of_sums_and_kept_in_the_json(tmp_path: Path) -> None:
    huge = 9_000_000_000_000_000_000
    filled(tmp_path, *coded(event("e1", casualties=(claim(huge),)), event("e2", casualties=(claim(huge),))))
    assert ask(tmp_path, "SELECT killed FROM deaths_by_side") == [{"killed": 0}]
    assert str(huge) in ask(tmp_path, "SELECT json FROM events")[0]["json"]


# -- rows ------------------------------------------------------------------------------------------


def test_an_event_has_its_main_fields_in_columns_and_its_json_whole(tmp_path: Path) -> None:
    hamlet = Place(text="قرية", span=(0, 4))
    sent = coded(event(places=(hamlet, ALEPPO)), generation=3)
    filled(tmp_path, *sent)
    (row,) = ask(tmp_path, "SELECT * FROM current_events")
    assert {k: row[k] for k in ("id", "generation", "place", "country", "lat", "date_start", "published")} == {
        "id": "e1",
        "generation": 3,
        "place": "قرية",
        "country": "SY",
        "lat": None,
        "date_start": "2018-03-01",
        "published": "2018-03-02T09:00:00Z",
    }
    assert row["attackers"] == "SYR.ARMY"
    assert row["targets"] is None
    assert row["json"].encode() == sent[0][2]


def test_a_claim_quotes_the_text_even_where_no_evidence_holds_it(tmp_path: Path) -> None:
    text = unique()
    said = (claim(span=(4, 8)), claim(primary=False, span=(11, 18)))
    filled(tmp_path, message(text), *coded(event(casualties=said)))
    quotes = ask(tmp_path, "SELECT quote FROM current_claims ORDER BY idx")
    assert quotes[0]["quote"] == "قتل "  # by the evidence, whose words start at 0
    assert quotes[1]["quote"] == text.article.text[11:18]


def test_duplicates_stand_in_verdicts_and_only_texts_that_were_read_in_articles(tmp_path: Path) -> None:
    filled(
        tmp_path,
        message(verdict("a1")),
        message(verdict("a2", kind="syndicated", of="a1", origin="AFP", similarity=0.98)),
        message(unique("a1")),
        message(unique("a1", revision=2, body="نص آخر")),
    )
    assert ask(tmp_path, "SELECT article_id, verdict, of_article, origin FROM verdicts ORDER BY 1")[1] == {
        "article_id": "a2",
        "verdict": "syndicated",
        "of_article": "a1",
        "origin": "AFP",
    }
    assert ask(tmp_path, "SELECT id, revision, body FROM current_articles") == [
        {"id": "a1", "revision": 2, "body": "نص آخر"}
    ]


def test_an_article_without_events_says_so(tmp_path: Path) -> None:
    filled(tmp_path, *coded(article="a1", reason="no trigger"))
    assert ask(tmp_path, "SELECT newest, abstained, reason, events FROM codings") == [
        {"newest": 1, "abstained": 1, "reason": "no trigger", "events": 0}
    ]


def test_what_was_said_before_is_kept_as_history(tmp_path: Path) -> None:
    filled(
        tmp_path,
        *coded(event("e1", confidence=0.1)),
        *coded(event("e1", revision=3, confidence=0.3)),
        *coded(event("e1", revision=2, confidence=0.2), event("late", revision=2)),
    )
    versions = "SELECT id, revision, current, json ->> 'confidence' AS confidence FROM versions ORDER BY id, revision"
    assert [tuple(row.values()) for row in ask(tmp_path, versions)] == [
        ("e1", 1, 0, 0.1),
        ("e1", 2, 0, 0.2),
        ("e1", 3, 1, 0.3),
        ("late", 2, 0, 0.5),
    ]
    assert [r["revision"] for r in ask(tmp_path, "SELECT revision FROM codings WHERE newest")] == [3]


def test_each_version_stands_once_even_where_a_generation_was_coded_twice(tmp_path: Path) -> None:
    filled(tmp_path, *coded(event("e1")), *coded(event("e1"), event("e2")), batch=1)
    assert ask(tmp_path, "SELECT id FROM versions ORDER BY id") == [{"id": "e1"}, {"id": "e2"}]


def test_a_replaced_event_leaves_no_rows_of_its_older_form(tmp_path: Path) -> None:
    many = tuple(claim(n, group=(ARMY, REBELS)) for n in range(5))
    filled(tmp_path, *coded(event(casualties=many)), *coded(event(revision=2, casualties=(claim(1),))), batch=1)
    assert ask(tmp_path, "SELECT count FROM claims") == [{"count": 1}]
    assert len(ask(tmp_path, "SELECT * FROM claim_groups")) == 1


def test_a_retracted_event_says_by_which_coding_and_has_no_rows_to_sum(tmp_path: Path) -> None:
    filled(tmp_path, *coded(event(), toll()), *coded(article="a1", revision=2, generation=5))
    for table in ("events", "tolls"):
        query = f"SELECT retracted, retracted_revision AS r, retracted_generation AS g, revision FROM {table}"
        assert ask(tmp_path, query) == [{"retracted": 1, "r": 2, "g": 5, "revision": 1}]
    for table in ("claims", "claim_groups", "places", "actors", "sources", "current_events", "current_claims"):
        assert ask(tmp_path, f"SELECT * FROM {table}") == [], table


def test_an_event_and_a_toll_of_one_id_do_not_stop_the_sink(tmp_path: Path) -> None:
    filled(tmp_path, *coded(event("x"), toll("x")))
    assert len(ask(tmp_path, "SELECT id FROM versions")) == 2


def test_tables_are_strict_and_have_primary_keys(tmp_path: Path) -> None:
    filled(tmp_path)
    for table in ask(
        tmp_path, "SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sq%'"
    ):
        assert table["strict"], table
        assert ask(tmp_path, "SELECT name FROM pragma_table_info(?) WHERE pk", table["name"]), table


def test_no_rows_wait_once_their_coding_has_come(tmp_path: Path) -> None:
    filled(tmp_path, *coded(event(), toll()), batch=1)
    assert ask(tmp_path, "SELECT * FROM staged") == []


# -- helpers for `explain` -------------------------------------------------------------------------


def test_an_event_is_found_by_id_by_prefix_and_after_its_retraction(tmp_path: Path) -> None:
    sent = coded(event("abc-1"), event("abd-2"), toll("t%_1"))
    filled(tmp_path, *sent, *coded(article="a1", revision=2))
    with closing(open_readonly(tmp_path)) as db:
        assert event_of(db, "abc-1") == sent[0][2]
        assert event_of(db, "abd") == sent[1][2]
        assert event_of(db, "t%") == sent[2][2]
        assert event_of(db, "%") is None
        assert event_of(db, "zzz") is None
        with pytest.raises(RasdError, match="abc-1, abd-2"):
            event_of(db, "ab")


def test_an_event_that_only_history_knows_is_found_in_its_newest_form(tmp_path: Path) -> None:
    late = coded(event("late", revision=2))
    filled(tmp_path, *coded(article="a1", revision=3), *late, *coded(event("late")))
    with closing(open_readonly(tmp_path)) as db:
        assert event_of(db, "late") == event_of(db, "la") == late[0][2]


def test_a_text_is_found_by_id_and_revision(tmp_path: Path) -> None:
    filled(tmp_path, message(unique(title=None, body="نص")))
    with closing(open_readonly(tmp_path)) as db:
        assert article_of(db, "a1", 1) == (None, "نص")
        assert article_of(db, "a1", 2) is None


# -- files that are not ours, full or locked -------------------------------------------------------


def test_reading_cannot_write(tmp_path: Path) -> None:
    filled(tmp_path, *coded(event()))
    with closing(open_readonly(tmp_path)) as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM events")


def test_no_file_yet_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file yet"):
        open_readonly(tmp_path)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "rasd.sqlite")) as db:
        db.execute("PRAGMA user_version = 99")
    for attempt in (lambda: SqliteSink(tmp_path).resume({}), lambda: open_readonly(tmp_path)):
        with pytest.raises(StorageError, match="newer version"):
            attempt()  # type: ignore[no-untyped-call]


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "rasd.sqlite")) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    before = (tmp_path / "rasd.sqlite").read_bytes()
    with pytest.raises(StorageError, match="another program"):
        SqliteSink(tmp_path).resume({})
    assert (tmp_path / "rasd.sqlite").read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rasd.sqlite").write_bytes(b"not a database at all\n" * 100)
    for attempt in (lambda: SqliteSink(tmp_path).resume({}), lambda: open_readonly(tmp_path)):
        with pytest.raises(StorageError, match="not a database"):
            attempt()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_removed_while_it_is_written_is_told(tmp_path: Path, replaced: bool) -> None:
    sink = SqliteSink(tmp_path)
    sink.resume({})
    try:
        for _, record, value in coded(event("e1")):
            sink.write(record, value)
        sink.flush()
        copy = (tmp_path / "rasd.sqlite").read_bytes()
        (tmp_path / "rasd.sqlite").unlink()
        if replaced:
            (tmp_path / "rasd.sqlite").write_bytes(copy)
        for _, record, value in coded(event("e2", "a2")):
            sink.write(record, value)
        with pytest.raises(StorageError, match="the file is gone"):
            sink.flush()
    finally:
        sink.close()


def test_a_file_that_was_taken_away_is_an_error(tmp_path: Path) -> None:
    runner = Runner(lambda: SqliteSink(tmp_path))
    runner.run(coded(event()), 10)
    (tmp_path / "rasd.sqlite").unlink()
    with pytest.raises(StorageError, match="gone"):
        SqliteSink(tmp_path).resume(runner.state)


@pytest.mark.parametrize("batch", [1, 100])
def test_a_file_that_a_lost_log_filled_is_refused(tmp_path: Path, batch: int) -> None:
    filled(tmp_path, *coded(event()), batch=batch)
    sink = SqliteSink(tmp_path)
    with pytest.raises(StorageError, match=r"another log.*rasd sinks reset sqlite") as caught:
        sink.resume({})
    assert caught.value.reason == "sink-foreign"
    sink.close()
    assert len(ask(tmp_path, "SELECT * FROM events")) == 1


def test_a_file_that_another_log_filled_is_refused(tmp_path: Path) -> None:
    logs = [Runner(lambda name=name: SqliteSink(tmp_path / name)) for name in ("one", "two")]  # type: ignore[misc]
    logs[0].run(coded(event("e1")), 10)
    logs[1].run(coded(event("e2")), 10)
    with pytest.raises(StorageError, match="another log"):
        SqliteSink(tmp_path / "one").resume(logs[1].state)
    (tmp_path / "one/rasd.sqlite").write_bytes(b"")
    with pytest.raises(StorageError, match="another log"):
        SqliteSink(tmp_path / "one").resume(logs[0].state)


def test_what_a_killed_first_flush_left_is_taken_up(tmp_path: Path) -> None:
    killed = SqliteSink(tmp_path)
    killed.resume({})
    feed(killed, coded(event()))
    killed.flush()  # never committed
    filled(tmp_path, *coded(event()))
    assert len(ask(tmp_path, "SELECT * FROM events")) == 1


def test_check_says_what_is_there_and_touches_nothing(tmp_path: Path) -> None:
    assert check(tmp_path / "none", {}) == "nothing written yet"
    assert not (tmp_path / "none").exists()
    runner = Runner(lambda: SqliteSink(tmp_path))
    runner.run(coded(event()), 10)
    assert check(tmp_path, runner.state).endswith(" bytes")
    for state in ({}, {"file": b"another"}):
        with pytest.raises(StorageError, match="another log"):
            check(tmp_path, state)


@pytest.mark.skipif(os.geteuid() != 0, reason="steps down from root to somebody who may not write")
def test_a_file_is_read_where_nothing_may_be_written() -> None:
    with tempfile.TemporaryDirectory() as name:
        data = filled(Path(name), *coded(event()))
        data.chmod(0o755)
        assert not (data / "rasd.sqlite-wal").exists()
        os.seteuid(65534)
        try:
            rows = ask(data, "SELECT id FROM events")
        finally:
            os.seteuid(0)
        assert rows == [{"id": "e1"}]


def test_a_full_disk_pauses_rolls_back_and_loses_nothing(tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path)
    sink.resume({})
    messages = [m for n in range(50) for m in coded(event(f"e{n}", f"a{n}", outlet="x" * 2000))]
    assert sink._db is not None
    pages = sink._db.execute("PRAGMA page_count").fetchone()[0]
    sink._db.execute(f"PRAGMA max_page_count = {pages + 3}")
    feed(sink, messages)
    with pytest.raises(StoragePaused, match="disk is full"):
        sink.flush()
    assert ask(tmp_path, "SELECT id FROM events") == []
    sink.resume({})  # a new connection: the limit is gone
    feed(sink, messages)
    sink.flush()
    assert len(ask(tmp_path, "SELECT id FROM events")) == 50


def test_a_batch_that_fails_half_way_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = SqliteSink(tmp_path)
    sink.resume({})
    whole = Loader._make_room

    def half(loader: Loader, changes: Changes) -> None:
        whole(loader, changes)
        loader._put("staged", [("a", 1, "e", "event", "{}")])
        raise MemoryError

    monkeypatch.setattr(Loader, "_make_room", half)
    feed(sink, coded(event()))
    with pytest.raises(MemoryError):
        sink.flush()
    assert ask(tmp_path, "SELECT id FROM staged") == []
    sink.resume({})
    assert ask(tmp_path, "SELECT id FROM staged") == []


def test_a_locked_file_pauses_and_loses_nothing(tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path, busy_seconds=0.05)
    sink.resume({})
    feed(sink, coded(event()))
    with closing(sqlite3.connect(tmp_path / "rasd.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoragePaused, match="another program holds"):
            sink.flush()
    feed(sink, coded(event()))
    with pytest.raises(StoragePaused, match="committed state"):
        sink.flush()
    sink.resume({})
    feed(sink, coded(event()))
    sink.flush()
    assert len(ask(tmp_path, "SELECT id FROM events")) == 1


def test_a_reader_does_not_hold_up_the_sink(tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path, busy_seconds=0.05)
    sink.resume({})
    with closing(open_readonly(tmp_path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (0,)
        feed(sink, coded(event()))
        sink.flush()
        assert reader.execute("SELECT count(*) FROM events").fetchone() == (0,)


def feed(sink: SqliteSink, messages: list[Message]) -> None:
    for _, record, value in messages:
        sink.write(record, value)


def test_json_columns_are_json(tmp_path: Path) -> None:
    filled(tmp_path, message(verdict()), *coded(event(), toll()), message(coding(article="b")))
    for table in ("verdicts", "codings", "events", "tolls"):
        for row in ask(tmp_path, f"SELECT json FROM {table}"):
            orjson.loads(row["json"])
