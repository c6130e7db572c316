"""The examples in docs/sinks.md run, and say what the page says."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.postgres import PostgresSink
from connectors.sinks.postgres_server import Target
from connectors.sinks.sqlite import SqliteSink, open_readonly
from tests.connectors.sinks.builders import claim, coded, event, message, toll, unique, verdict
from tests.connectors.sinks.runner import Runner

PAGE = (Path(__file__).parents[3] / "docs/sinks.md").read_text("utf-8")
STRIKE = event(
    "e1",
    revision=2,
    event_type="Explosions/Remote violence",
    sub_event_type="Air/drone strike",
    casualties=(claim(category="child", sources=(0,)),),
)
MESSAGES = [
    message(unique()),
    message(verdict()),
    *coded(event("e1"), event("e2"), toll("t1")),
    *coded(STRIKE),
    *coded(article="b", reason="no trigger"),
]


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("query", examples("sql"))
def test_queries_run(query: str, tmp_path: Path) -> None:
    Runner(lambda: SqliteSink(tmp_path)).run(MESSAGES, 10)
    with closing(open_readonly(tmp_path)) as db:
        assert db.execute(query).fetchall()


def test_the_reader_of_json_lines_finds_what_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Runner(lambda: JsonlSink(tmp_path / "rasd-data")).run(MESSAGES, 10)
    monkeypatch.chdir(tmp_path)
    names: dict[str, dict[str, object]] = {}
    (example,) = examples("python")
    exec(example, names)
    assert list(names["standing"]) == ["e1"]


@pytest.mark.postgres
def test_queries_for_postgres_run_also_for_somebody_who_may_only_read(database: str) -> None:
    Runner(lambda: PostgresSink(Target(database))).run(MESSAGES, 10)
    (rights,) = examples("postgres-rights")
    with psycopg.connect(database) as db:
        db.execute(rights)
        db.execute("SET ROLE amal")
        db.execute("SET search_path = rasd")
        for query in examples("postgres"):
            assert db.execute(query).fetchall(), query
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("DELETE FROM events")
        db.rollback()  # roles belong to the server, and others need none of these


@pytest.mark.postgres
def test_every_table_and_view_of_postgres_is_on_the_page(database: str) -> None:
    Runner(lambda: PostgresSink(Target(database))).run([], 10)
    with psycopg.connect(database) as db:
        found = db.execute("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'rasd'")
        assert [name for (name,) in found if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize("kind", ["table", "view"])
def test_every_table_and_view_is_on_the_page(kind: str, tmp_path: Path) -> None:
    Runner(lambda: SqliteSink(tmp_path)).run([], 10)
    with closing(open_readonly(tmp_path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind,))]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
