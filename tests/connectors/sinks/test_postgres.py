"""The postgres sink: the rows of rasd.sqlite, several writers at once, and clear words when it cannot go on."""

from __future__ import annotations

import random
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connectors.sinks import CHECKS, KEEPS, SINKS
from connectors.sinks import postgres_load as load
from connectors.sinks import postgres_server as server
from connectors.sinks.postgres import PostgresSink, check, kept, remove
from connectors.sinks.postgres_schema import migrations
from connectors.sinks.postgres_server import Target
from connectors.sinks.sqlite import SqliteSink
from pipeline.config import Config, PostgresSettings
from pipeline.config import load as load_config
from pipeline.errors import ConfigError, StorageError, StoragePaused, Unusable
from pipeline.records import Event
from tests.connectors.sinks.builders import (
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
from tests.connectors.sinks.test_contract import a_history
from tests.postgres.content import TABLES, content
from tests.postgres.server import PASSWORD, USER, Server

pytestmark = pytest.mark.postgres


def filled(dsn: str, *messages: Message, batch: int = 100, **target: Any) -> str:
    Runner(lambda: PostgresSink(Target(dsn, **target))).run(messages, batch)
    return dsn


def ask(dsn: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, options="-c search_path=rasd") as db:
        return db.execute(query.encode(), values).fetchall()


def feed(sink: PostgresSink, messages: Sequence[Message]) -> None:
    for _, record, value in messages:
        sink.write(record, value)


# -- the same as SQLite ----------------------------------------------------------------------------------------------


def sqlite_content(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(data / "rasd.sqlite")) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in TABLES}


def random_history(seed: int) -> list[Message]:
    """Articles coded again and again: late, torn, twice, under clashing ids."""
    chance = random.Random(seed)
    out: list[Message] = []
    for _ in range(chance.randint(5, 25)):
        article, revision = chance.choice("abc"), chance.randint(1, 3)
        stem = "x" if chance.random() < 0.3 else article  # a foreign extractor's ids may clash
        ids = {f"{stem}{chance.randint(1, 4)}" for _ in range(chance.randint(0, 3))}
        records = [
            (event if chance.random() < 0.7 else toll)(
                id,
                article,
                revision,
                confidence=chance.random(),
                casualties=tuple(claim(chance.randint(1, 9)) for _ in range(chance.randint(0, 3))),
            )
            for id in sorted(ids)
        ]
        said = coded(*records, generation=chance.randint(1, 3), article=article, revision=revision)
        out += said[: len(said) - 1] if chance.random() < 0.2 else said
        if chance.random() < 0.3:
            out += [message(unique(article, revision)), message(verdict(article, revision))]
    return out


def test_the_rows_are_those_of_sqlite(database: str, tmp_path: Path) -> None:
    for n, history in enumerate([a_history(), *map(random_history, range(8))]):
        batch = (1, 3, 10, 100)[n % 4]
        Runner(lambda n=n: SqliteSink(tmp_path / str(n))).run(history, 5)  # type: ignore[misc]
        filled(database, *history, batch=batch, schema=f"s{n}")
        assert content(database, f"s{n}") == sqlite_content(tmp_path / str(n)), f"history {n}"


def test_what_was_sent_is_kept_to_the_byte(database: str) -> None:
    value = b'{ "kind":"event",  "z": 1e999, "a": "\\u00e9\\ud83d\\ude00", "a": 2 }'
    filled(database, ("rasd.events", event("e1"), value), message(coding(event("e1"))))
    assert ask(database, "SELECT json::text FROM events") == [(value.decode(),)]


def test_a_text_of_two_megabytes_is_kept(database: str) -> None:
    body = "نص طويل " * 260_000
    filled(database, message(unique(body=body)))
    assert ask(database, "SELECT body FROM articles") == [(body,)]


# -- views -----------------------------------------------------------------------------------------------------------


def test_deaths_are_those_of_reported_events_and_never_of_running_totals(database: str) -> None:
    claims = (
        claim(9),
        claim(40, primary=False),
        claim(3, part_of=0, category="child"),
        claim(5, outcome="injured"),
        claim(7, group=(REBELS, ARMY)),
        claim(46, hedge="at_least", group=()),
    )
    filled(
        database,
        *coded(event("e1", casualties=claims), toll("t1", casualties=(claim(605),))),
        *coded(event("recap", "a2", realis="recap")),
        *coded(event("gone", "a4")),
        *coded(article="a4", revision=2),
        message(event("waiting", "a5")),
    )
    query = "SELECT day::text, side, killed, killed_open FROM deaths_by_side_and_day ORDER BY killed"
    assert ask(database, query) == [
        ("2018-03-01", ["SYR.ARMY", "SYR.FSA"], 7, 0),
        ("2018-03-01", ["SYR.ARMY"], 9, 0),
        ("2018-03-01", None, 46, 1),
    ]
    assert ask(database, "SELECT sum(killed) FROM deaths_by_side") == [(62,)]
    assert ask(database, "SELECT killed, injured FROM events_by_day") == [(62, 5)]


def test_current_events_have_their_best_place_and_actors(database: str) -> None:
    filled(database, *coded(event("e1")), *coded(event("gone", "a2")), *coded(article="a2", revision=2))
    query = "SELECT id, place, place_text, lat, attackers, targets FROM current_events"
    assert ask(database, query) == [("e1", "Aleppo", "حلب", 36.2, ["SYR.ARMY"], [])]


def test_a_claim_quotes_the_text_even_where_no_evidence_holds_it(database: str) -> None:
    text, huge = unique(), 2**62
    spans = ((4, 8), (11, 18), (huge, huge), (-huge, huge), (5, 3))
    filled(database, message(text), *coded(event(casualties=tuple(claim(span=span) for span in spans))))
    quotes = [quote for (quote,) in ask(database, "SELECT quote FROM current_claims ORDER BY idx")]
    assert quotes[:3] == ["قتل ", text.article.text[11:18], ""]


def test_every_table_column_of_our_own_and_view_says_what_it_is(database: str) -> None:
    filled(database)
    silent = """SELECT relname FROM pg_class WHERE relnamespace = 'rasd'::regnamespace AND relkind IN ('r', 'v')
        AND obj_description(oid, 'pg_class') IS NULL"""
    assert ask(database, silent) == []
    described = "SELECT count(*) FROM pg_description WHERE objoid = 'rasd.events'::regclass AND objsubid > 0"
    assert ask(database, described)[0][0] > 15


# -- several writers -------------------------------------------------------------------------------------------------

ORIGIN = "kafka rasd."


@pytest.mark.parametrize("most_locks", [1000, 3])
def test_several_processes_that_write_the_same_articles_at_once_leave_what_one_leaves(
    database: str, monkeypatch: pytest.MonkeyPatch, most_locks: int
) -> None:
    monkeypatch.setattr(load, "MOST_LOCKS", most_locks)
    sets = [
        [message(unique(f"a{n}", r)), *coded(event(f"e{n}", f"a{n}", r), toll(f"t{n}", f"a{n}", r), generation=r)]
        for n in range(12)
        for r in (1, 2, 3)
    ]
    filled(database, *(m for one in sets for m in one), schema="calm", origin=ORIGIN)
    failed: list[BaseException] = []

    def write(seed: int) -> None:
        shuffled = list(sets)
        random.Random(seed).shuffle(shuffled)
        sink = PostgresSink(Target(database, "torn", origin=ORIGIN))
        try:
            sink.resume({})
            for at in range(0, len(shuffled), 6):
                feed(sink, [m for one in shuffled[at : at + 6] for m in one])
                sink.flush()
        except BaseException as e:
            failed.append(e)
        finally:
            sink.close()

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    calm, torn = content(database, "calm"), content(database, "torn")
    for table in set(TABLES) - {"history", "codings"}:  # whether an older coding came late or was replaced
        assert torn[table] == calm[table], table
    assert [row[:5] for row in torn["history"]] == [row[:5] for row in calm["history"]]
    assert len([row for row in torn["codings"] if row[3]]) == 12


def test_sinks_that_start_together_make_the_tables_once(database: str) -> None:
    failed: list[BaseException] = []

    def begin() -> None:
        sink = PostgresSink(Target(database))
        try:
            sink.resume({})
        except BaseException as e:
            failed.append(e)
        sink.close()

    threads = [threading.Thread(target=begin) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert ask(database, "SELECT number FROM migrations ORDER BY 1") == [(n,) for n in migrations()]


def test_a_deadlock_is_tried_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = PostgresSink(Target(database))
    sink.resume({})
    whole, failures = (
        load.Loader.load,
        iter([psycopg.errors.DeadlockDetected("x"), psycopg.errors.UniqueViolation("x")]),
    )

    def clumsy(loader: load.Loader, messages: Any) -> None:
        whole(loader, messages)
        for failure in failures:
            raise failure

    monkeypatch.setattr(load.Loader, "load", clumsy)
    feed(sink, coded(event()))
    sink.flush()
    sink.close()
    assert len(ask(database, "SELECT id FROM events")) == 1


# -- whose tables they are -------------------------------------------------------------------------------------------


def test_tables_that_another_log_filled_are_refused(database: str) -> None:
    runner = Runner(lambda: PostgresSink(Target(database)))
    runner.run(coded(event()), 10)
    others: list[tuple[str | None, dict[str, bytes]]] = [(None, {}), (None, {"file": b"x"}), ("kafka rasd.", {})]
    for origin, state in others:
        with pytest.raises(StorageError, match=r"another log.*rasd sinks reset postgres"):
            PostgresSink(Target(database, origin=origin)).resume(state)
    PostgresSink(Target(database)).resume(runner.state)


def test_tables_that_another_log_takes_meanwhile_are_not_written_on(database: str) -> None:
    one, two = (PostgresSink(Target(database)) for _ in range(2))
    one.resume({})
    two.resume({})
    feed(one, coded(event("e1")))
    state = dict(one.flush())
    feed(two, coded(event("e2"), article="a2"))
    two.flush()
    one._committed = state
    feed(one, coded(event("e3")))
    with pytest.raises(StorageError, match="another log"):
        one.flush()
    one.close()
    two.close()


def test_tables_that_are_gone_are_an_error(database: str) -> None:
    runner = Runner(lambda: PostgresSink(Target(database)))
    runner.run(coded(event()), 10)
    with psycopg.connect(database) as db:
        db.execute("DROP SCHEMA rasd CASCADE")
    with pytest.raises(StorageError, match="gone"):
        PostgresSink(Target(database)).resume(runner.state)


def test_newer_tables_and_those_of_another_program_are_refused_and_left_as_they_are(database: str) -> None:
    filled(database)
    with psycopg.connect(database) as db:
        db.execute("INSERT INTO rasd.migrations (number, name) VALUES (99, 'later')")
        db.execute("CREATE SCHEMA theirs; CREATE TABLE theirs.bookmarks (url text)")
    with pytest.raises(StorageError, match="newer version"):
        PostgresSink(Target(database)).resume({})
    with pytest.raises(StorageError, match="another program"):
        PostgresSink(Target(database, "theirs")).resume({})
    assert ask(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'theirs'::regnamespace") == [(1,)]


def test_emptying_keeps_the_tables_and_rights_on_them(database: str) -> None:
    filled(database, *coded(event()))
    with psycopg.connect(database) as db:
        db.execute("CREATE VIEW public.mine AS SELECT id FROM rasd.events")
    assert kept(Target(database)) == (f"all rows of {Target(database).where}",)
    remove(Target(database))
    assert ask(database, "SELECT * FROM public.mine") == []
    filled(database, *coded(event()))
    assert ask(database, "SELECT * FROM public.mine") == [("e1",)]


def test_check_says_what_is_there_and_touches_nothing(database: str) -> None:
    target = Target(database)
    assert check(target, {}).endswith("nothing written yet")
    assert kept(target) == ()
    assert ask(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'rasd'") == [(0,)]
    runner = Runner(lambda: PostgresSink(target))
    runner.run(coded(event()), 10)
    assert check(target, runner.state).endswith(": 1 events")
    with pytest.raises(StorageError, match="another log"):
        check(target, {})


# -- logins ----------------------------------------------------------------------------------------------------------


def refused(dsn: str, **target: Any) -> str:
    with pytest.raises((StorageError, ConfigError)) as caught:
        PostgresSink(Target(dsn, **target)).resume({})
    for words in (str(caught.value), repr(caught.value.__cause__), repr(Target(dsn, **target))):
        assert "geheim" not in words
    return str(caught.value)


@pytest.fixture
def ours(database: str, postgres: str, postgres_server: Server) -> str:
    """An empty database of a server that we may freeze, and on which we may make users."""
    if postgres != postgres_server.dsn:
        pytest.skip("only on a server of our own")
    return database


def test_a_login_that_will_never_work_is_an_error_without_the_password(ours: str) -> None:
    assert "authentication failed" in refused(psycopg.conninfo.make_conninfo(ours, password="geheim"))
    nobody = psycopg.conninfo.make_conninfo(ours, user="nobody", password="geheim")
    assert "authentication failed" in refused(nobody)
    assert "does not exist" in refused(psycopg.conninfo.make_conninfo(ours, dbname="none"))
    assert "RASD_POSTGRES_DSN" in refused("")
    assert "no address" in refused("postgresql://u:geheim@[half/db")
    assert "no address" in refused("u geheim")


def test_a_user_without_rights_is_told_so(ours: str) -> None:
    with psycopg.connect(ours, autocommit=True) as db:
        db.execute("DROP ROLE IF EXISTS weak")
        db.execute("CREATE ROLE weak LOGIN PASSWORD 'geheim'")
    weak = psycopg.conninfo.make_conninfo(ours, user="weak", password="geheim")
    assert "permission denied" in refused(weak)


def test_the_password_may_stand_in_a_file_that_is_read_at_each_login(ours: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    dsn = ours.replace(f"password={PASSWORD}", "password=stale")
    assert dsn != ours
    target = Target(dsn, password_file=str(file))
    with pytest.raises(ConfigError, match=r"postgres\.password_file"):
        PostgresSink(target).resume({})
    file.write_text("geheim\n")
    assert "authentication failed" in refused(dsn, password_file=str(file))
    file.write_text(f"{PASSWORD}\n")
    sink = PostgresSink(target)
    sink.resume({})
    sink.close()


def test_the_registry_makes_it_from_the_settings(ours: str, tmp_path: Path) -> None:
    config = load_config(data=tmp_path, environ={"RASD_POSTGRES_DSN": ours, "RASD_POSTGRES_SCHEMA": "mine"})
    sink = SINKS["postgres"](config)
    sink.resume({})
    sink.close()
    assert "schema mine" in CHECKS["postgres"](config, {})
    assert KEEPS["postgres"](config).names
    assert "geheim" not in repr(Config(postgres=PostgresSettings(dsn="postgresql://u:geheim@h/d")))


# -- trouble ---------------------------------------------------------------------------------------------------------


def test_a_server_that_is_away_is_a_pause(ours: str) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        away = psycopg.conninfo.make_conninfo(ours, port=s.getsockname()[1])
    with pytest.raises(StoragePaused, match="refused"):
        PostgresSink(Target(away)).resume({})


def goes_on(sink: PostgresSink, messages: Sequence[Message]) -> None:
    """After a pause: nothing is written before `resume`, everything after it."""
    feed(sink, messages)
    with pytest.raises(StoragePaused, match="committed state"):
        sink.flush()
    sink.resume({})
    feed(sink, messages)
    sink.flush()
    sink.close()


def paused(sink: PostgresSink, messages: Sequence[Message]) -> str:
    feed(sink, messages)
    with pytest.raises(StoragePaused) as caught:
        sink.flush()
    return str(caught.value)


def test_a_connection_that_the_server_ends_is_a_pause(ours: str) -> None:
    sink = PostgresSink(Target(ours))
    sink.resume({})
    with psycopg.connect(ours, autocommit=True) as db:
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rasd'")
    paused(sink, coded(event()))
    goes_on(sink, coded(event()))
    assert len(ask(ours, "SELECT id FROM events")) == 1


def test_a_table_that_somebody_holds_is_a_pause(ours: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server._LIMITS, "lock_timeout", "100ms")
    sink = PostgresSink(Target(ours))
    sink.resume({})
    with psycopg.connect(ours) as db:
        db.execute("LOCK TABLE rasd.events")
        assert "lock timeout" in paused(sink, coded(event()))
    goes_on(sink, coded(event()))


def test_a_statement_that_takes_too_long_is_a_pause(ours: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = PostgresSink(Target(ours))
    sink.resume({})
    with monkeypatch.context() as patch, psycopg.connect(ours) as db:
        patch.setitem(server._LIMITS, "statement_timeout", "100ms")
        db.execute("LOCK TABLE rasd.events")
        assert "statement timeout" in paused(sink, coded(event()))
    goes_on(sink, coded(event()))


def test_a_server_that_only_reads_is_a_pause(ours: str) -> None:
    """As after a failover, where the address leads to a standby."""
    sink = PostgresSink(Target(ours))
    sink.resume({})
    with psycopg.connect(ours, autocommit=True) as db:
        name = psycopg.conninfo.conninfo_to_dict(ours)["dbname"]
        db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        sink.resume({})
        assert "read-only" in paused(sink, coded(event()))
        db.execute("SET default_transaction_read_only = off")
        db.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    goes_on(sink, coded(event()))


def test_too_many_connections_are_a_pause(ours: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(ours)["dbname"]
    with psycopg.connect(ours, autocommit=True) as db:
        db.execute("DROP ROLE IF EXISTS narrow")
        db.execute("CREATE ROLE narrow LOGIN PASSWORD 'geheim' CONNECTION LIMIT 0")
        db.execute(f"GRANT ALL ON DATABASE {name} TO narrow".encode())
    narrow = psycopg.conninfo.make_conninfo(ours, user="narrow", password="geheim")
    with pytest.raises(StoragePaused, match="too many connections"):
        PostgresSink(Target(narrow)).resume({})


@pytest.mark.parametrize("state", ["53100", "53200", "57P03", "58030", "08006", "40001"])
def test_what_passes_by_itself_is_a_pause(state: str) -> None:
    error = psycopg.errors.lookup(state)("no space left on device")
    assert isinstance(server.trouble(error, Target("host=h")), StoragePaused)


@pytest.mark.parametrize("state", ["42P01", "42501", "23503", "XX001"])
def test_what_does_not_pass_is_an_error(state: str) -> None:
    error = psycopg.errors.lookup(state)("no such table")
    assert isinstance(server.trouble(error, Target("host=h")), StorageError)


def test_a_server_that_stops_answering_does_not_hang_the_sink(
    ours: str, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = PostgresSink(Target(psycopg.conninfo.make_conninfo(ours, connect_timeout="2")))
    sink.resume({})
    monkeypatch.setattr(server, "WHOLE_SECONDS", 0.5)
    postgres_server.freeze()
    try:
        begin = time.monotonic()
        paused(sink, coded(event()))
        with pytest.raises(StoragePaused, match="timeout"):
            sink.resume({})
        assert time.monotonic() - begin < 10
    finally:
        postgres_server.thaw()
    monkeypatch.setattr(server, "WHOLE_SECONDS", 60)
    goes_on(sink, coded(event()))


# -- what no table can hold ------------------------------------------------------------------------------------------


def test_a_record_with_nul_or_a_monstrous_id_is_refused_alone(database: str) -> None:
    sink = PostgresSink(Target(database))
    sink.resume({})
    with pytest.raises(Unusable, match="NUL"):
        sink.write(event(), b'{"kind":"event","quote":"a\\u0000b"}')
    for monster in (event("e" * 301), coding(event("e" * 301)), unique("a" * 301), verdict("a" * 301)):
        with pytest.raises(Unusable, match="300 characters"):
            sink.write(monster, b"{}")
    longest = "🕊" * 300
    feed(sink, coded(event(longest, longest)))
    sink.flush()
    sink.close()
    assert ask(database, "SELECT id FROM events") == [(longest,)]


def broken_records() -> Iterator[Event]:
    yield event("e1", quote := "a1", outlet="half \ud800 of a pair")
    yield event("e2", quote, outlet="nul \0 inside")


@pytest.mark.parametrize("record", list(broken_records()), ids=["surrogate", "nul"])
def test_characters_that_cannot_be_stored_do_not_stop_the_sink(database: str, record: Event) -> None:
    """They cannot come over the wire; if they do, the rest of the batch must not wait for ever."""
    filled(database, *coded(event("e0", "a0")), ("rasd.events", record, b"{broken"), message(coding(record)))
    rows = ask(database, "SELECT id, outlet, json::text FROM events ORDER BY id")
    assert rows[1] == (
        record.id,
        (record.outlet or "").replace("\ud800", "\ufffd").replace("\0", "\ufffd"),
        '"{broken"',
    )


def test_a_column_of_a_list_holds_any_text(database: str) -> None:
    odd = 'a"b\\c,{d} NULL'
    filled(database, *coded(event(casualties=(claim(group=(ARMY.__class__(id=odd),), sources=(0, 2)),))))
    assert ask(database, "SELECT group_ids, sources FROM claims") == [([odd], [0, 2])]


def test_numbers_beyond_64_bits_stop_nothing(database: str) -> None:
    filled(database, *coded(event(revision=2**64 - 1, casualties=(claim(2**63, sources=(2**63, 0)),))))
    assert ask(database, "SELECT sources FROM claims") == [([2**63 - 1, 0],)]


def test_the_user_is_named_in_messages_and_the_password_is_not() -> None:
    target = Target(f"postgresql://{USER}:geheim@db:5433/news")
    assert target.where == "rasd@db:5433/news (schema rasd)"
