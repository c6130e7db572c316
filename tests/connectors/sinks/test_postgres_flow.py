"""The whole flow into PostgreSQL by the command line, on the log without a broker."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT
from tests.connectors.sinks.test_postgres import sqlite_content
from tests.pipeline.cli.kit import rasd
from tests.postgres.content import content

pytestmark = pytest.mark.postgres
ARCHIVE = ROOT / "examples" / "archive"


def test_a_replay_a_reset_and_a_second_run_leave_the_same_rows_as_sqlite(database: str, tmp_path: Path) -> None:
    env = {"RASD_SINKS_ENABLED": "sqlite,postgres", "RASD_POSTGRES_DSN": database, "RASD_RUN_PROCESSES": "1"}
    data = tmp_path / "data"
    assert rasd("replay", ARCHIVE, data=data, env=env).code == 0
    expected = sqlite_content(data)
    assert len(expected["events"]) > 50
    assert content(database, "rasd") == expected

    assert "postgres output" in rasd("doctor", data=data, env=env).out
    reset = rasd("sinks", "reset", "postgres", "--yes", data=data, env=env)
    assert (reset.code, reset.out) == (0, "postgres is empty now; `rasd run --once` writes it anew\n")
    assert not any(content(database, "rasd").values())
    assert rasd("run", "--once", "--no-poll", data=data, env=env).code == 0
    assert content(database, "rasd") == expected


def test_a_wrong_password_ends_the_run_with_plain_words(postgres_server: object, database: str, tmp_path: Path) -> None:
    wrong = psycopg.conninfo.make_conninfo(database, password="geheim")
    env = {"RASD_SINKS_ENABLED": "postgres", "RASD_POSTGRES_DSN": wrong}
    got = rasd("run", "--once", "--no-poll", data=tmp_path / "data", env=env)
    assert got.code == 1
    assert "password authentication failed" in got.err
    assert "geheim" not in got.err + got.out
    assert "Traceback" not in got.err


def test_without_psycopg_the_sink_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "psycopg" or n.startswith("connectors.sinks.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    got = rasd("run", "--once", "--no-poll", data=tmp_path / "data", env={"RASD_SINKS_ENABLED": "postgres"})
    assert got.code == 1
    assert "pip install 'rasd[postgres]'" in got.err
