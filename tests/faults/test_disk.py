"""A disk that fills up under the real command: it pauses, says so, goes on when there is room, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.generate import lines
from tests.small_disk import mounted
from tests.waiting import until

pytestmark = pytest.mark.faults
ARTICLES = 1500


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", 3) as folder:
        yield folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "generated.jsonl"
    path.write_bytes(b"\n".join(lines(ARTICLES)) + b"\n")
    return path


def start(data: Path, archive: Path, stderr: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline.cli", "--data", str(data), "replay", str(archive), "--json"]
    environment = {**os.environ, "RASD_RUN_PAUSE_SECONDS": "0.2", "RASD_RUN_BATCH": "64"}
    with stderr.open("ab") as log:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)


def wait_for(word: str, file: Path, process: subprocess.Popen[bytes]) -> None:
    until(
        lambda: word in file.read_text() or process.poll() is not None, why=lambda: f"no {word!r}: {file.read_text()}"
    )
    assert process.poll() is None, file.read_text()


def event_lines(data: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((data / "events").rglob("*.jsonl"))}


def test_a_disk_that_fills_up_pauses_the_flow_and_room_resumes_it(
    tmp_path: Path, small_disk: Path, archive: Path
) -> None:
    said = tmp_path / "stderr"
    process = start(small_disk / "data", archive, said)
    wait_for("paused", said, process)
    time.sleep(1.0)
    assert process.poll() is None, "it must wait, not end"
    assert said.read_text().count("paused") == 1
    subprocess.run(["mount", "-o", "remount,size=300m", str(small_disk)], check=True)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said.read_text()
    assert "storage is back" in said.read_text()
    counts = json.loads(out)
    ended = counts["outputs"] + sum(counts["duplicates"].values()) + sum(counts["rejects"].values())
    assert counts["read"] == ended == ARTICLES

    calm = start(tmp_path / "calm", archive, tmp_path / "calm-stderr")
    assert calm.wait(timeout=120) == 0
    assert event_lines(small_disk / "data") == event_lines(tmp_path / "calm")


def test_stopped_while_the_disk_is_full_it_ends_cleanly_and_the_next_run_loses_nothing(
    tmp_path: Path, small_disk: Path, archive: Path
) -> None:
    said = tmp_path / "stderr"
    process = start(small_disk / "data", archive, said)
    wait_for("paused", said, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 0, said.read_text()
    subprocess.run(["mount", "-o", "remount,size=300m", str(small_disk)], check=True)
    again = start(small_disk / "data", archive, said)
    assert again.wait(timeout=120) == 0, said.read_text()
    calm = start(tmp_path / "calm", archive, tmp_path / "calm-stderr")
    assert calm.wait(timeout=120) == 0
    assert event_lines(small_disk / "data") == event_lines(tmp_path / "calm")
