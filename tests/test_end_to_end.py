"""The installed command over the example archive, as a newcomer runs it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import ARCHIVE, files, rasd, replayed, tables
from tests.expected import EXPECTED, yielded


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    into = tmp_path_factory.mktemp("demo") / "rasd-demo"
    done = rasd("demo", "--into", into)
    assert done.returncode == 0, done.stderr
    return into, done.stdout


def test_the_demo_shows_events_duplicates_rejects_files_and_what_to_type_next(demo: tuple[Path, str]) -> None:
    into, shown = demo
    assert "Armed clash" in shown
    assert "exact duplicate" in shown
    assert "not-article" in shown
    assert "What to type next" in shown
    commands = [line.split() for line in shown.splitlines() if " explain " in line]
    event = commands[0][commands[0].index("explain") + 1]
    explained = rasd("--data", into, "explain", event)
    assert explained.returncode == 0, explained.stderr


def test_the_example_archive_yields_what_is_expected_of_it(demo: tuple[Path, str]) -> None:
    now, expected = yielded(demo[0]), EXPECTED.read_text(encoding="utf-8")
    assert now == expected, "examples/expected differs: look at it, then python -m tests.expected --write"


def test_a_folder_that_is_not_the_demos_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    done = rasd("demo", "--into", tmp_path)
    assert done.returncode == 1
    assert "was not made by" in done.stderr
    assert (tmp_path / "mine.txt").exists()


def test_replayed_again_nothing_is_new(tmp_path: Path) -> None:
    first = replayed(tmp_path)
    rows, lines = tables(tmp_path), files(tmp_path)
    again = replayed(tmp_path)
    assert first["outputs"] > 40
    assert (again["read"], again["outputs"]) == (first["read"], 0)
    assert (tables(tmp_path), files(tmp_path)) == (rows, lines)


def test_another_batch_size_and_process_count_give_the_same_bytes(tmp_path: Path) -> None:
    replayed(tmp_path / "one")
    replayed(tmp_path / "two", RASD_RUN_BATCH="3", RASD_RUN_PROCESSES="1", RASD_RUN_WINDOW="1")
    moved = shutil.copytree(ARCHIVE, tmp_path / "elsewhere" / "archive")
    replayed(tmp_path / "three", moved, RASD_RUN_PROCESSES="3")
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")
    assert tables(tmp_path / "one") == tables(tmp_path / "two") == tables(tmp_path / "three")


@pytest.mark.parametrize("sink", ["jsonl", "sqlite"])
def test_a_sink_that_was_reset_is_written_anew_from_the_log(tmp_path: Path, sink: str) -> None:
    replayed(tmp_path)
    rows, lines = tables(tmp_path), files(tmp_path)
    done = rasd("--data", tmp_path, "sinks", "reset", sink, "--yes")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / {"jsonl": "events", "sqlite": "rasd.sqlite"}[sink]).exists()
    assert rasd("--data", tmp_path, "run", "--once").returncode == 0
    assert (tables(tmp_path), files(tmp_path)) == (rows, lines)


def test_a_sink_is_not_reset_without_a_yes(tmp_path: Path) -> None:
    replayed(tmp_path, ARCHIVE / "feed.xml")
    assert rasd("--data", tmp_path, "sinks", "reset", "jsonl").returncode != 0
    assert files(tmp_path)


def test_a_running_process_takes_up_what_a_replay_adds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "--data", str(tmp_path), "run", "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 30
        while not (tmp_path / "rasd.sqlite").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        second = rasd("--data", tmp_path, "run")
        assert second.returncode == 1
        assert "already" in second.stderr
        added = replayed(tmp_path)
        assert added["outputs"] == 0
        assert added["left"] > 40
        codings = tmp_path / "events" / "codings" / "000001.jsonl"
        while not codings.exists() or len(codings.read_bytes().splitlines()) < 40:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.5)
    finally:
        running.send_signal(signal.SIGTERM)
        out, errors = running.communicate(timeout=10)
    assert running.returncode == 0, errors
    counts = json.loads(out)
    assert sum((counts["outputs"], *counts["duplicates"].values(), *counts["rejects"].values())) == added["left"]
    alone = tmp_path / "alone"
    replayed(alone)
    assert files(tmp_path) == files(alone)


def test_tail_follows_while_articles_come_in(tmp_path: Path) -> None:
    replayed(tmp_path, ARCHIVE / "feed.xml")
    command = [sys.executable, "-m", "pipeline.cli", "--data", str(tmp_path), "tail", "events", "-o", "json"]
    before = len(rasd(*command[3:]).stdout.splitlines())
    tail = subprocess.Popen([*command, "-f", "--from", "begin"], stdout=subprocess.PIPE)
    assert tail.stdout is not None
    try:
        lines = [tail.stdout.readline()]  # it is at work
        replayed(tmp_path, ARCHIVE / "wire.jsonl", "--limit", "5")
        lines += [tail.stdout.readline() for _ in range(before)]
    finally:
        tail.send_signal(signal.SIGINT)
        lines += tail.stdout.read().splitlines()
        tail.wait(timeout=10)
    assert len(lines) > before > 0
    assert all(json.loads(line)["schema"] for line in lines)  # interrupted between lines, not inside one


def test_filters_choose_by_time_and_outlet(tmp_path: Path) -> None:
    wire = ARCHIVE / "wire.jsonl"
    all_of_it = replayed(tmp_path / "all", wire)["read"]
    early = replayed(tmp_path / "early", wire, "--until", "2026-03-10")["read"]
    late = replayed(tmp_path / "late", wire, "--since", "2026-03-10")["read"]
    bad = sum(replayed(tmp_path / "none", wire, "--since", "2050-01-01")["rejects"].values())
    assert 0 < early < all_of_it
    assert early + late - bad == all_of_it
    assert replayed(tmp_path / "five", wire, "--limit", "5")["read"] == 5


def test_errors_of_the_command_line_are_one_line_and_a_code(tmp_path: Path) -> None:
    missing = rasd("--data", tmp_path, "replay", tmp_path / "nothing.jsonl")
    assert missing.returncode != 0
    assert "nothing.jsonl" in missing.stderr
    assert "Traceback" not in missing.stderr
    never = rasd("--data", tmp_path, "replay", ARCHIVE, "--since", "2026-03-10", "--until", "2026-03-01")
    assert never.returncode == 2
    edge = rasd("--data", tmp_path, "replay", ARCHIVE, "--since", "0001-01-01T00:00+10:00")
    assert edge.returncode == 2
    wrong = rasd("--data", tmp_path, "replay", ARCHIVE, "--speed", "quick")
    assert wrong.returncode == 2
    assert "60x" in wrong.stderr


def test_what_was_left_to_a_process_that_ended_is_done_after_all(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run.lock")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    counts = replayed(tmp_path)
    holder.wait(timeout=10)
    assert counts["left"] == 0
    assert counts["outputs"] > 40
    assert counts["read"] == sum((counts["outputs"], *counts["duplicates"].values(), *counts["rejects"].values()))


HOLD = """
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(3)
"""
