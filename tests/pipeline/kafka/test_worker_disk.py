"""A disk that is full under a worker's state: its stage pauses, says so once, and goes on when there is room."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import load
from pipeline.runtimes.kafka import worker_stage
from pipeline.runtimes.kafka.state_room import has_room, out_of_room
from tests.pipeline.kafka.worker_site import Embedded, Site
from tests.small_disk import mounted
from tests.waiting import until

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_says_that_there_is_no_room() -> None:
    wrapped = RuntimeError("the table")
    wrapped.__cause__ = FULL
    in_rocksdbs_words = Exception("IO error: No space left on device: While appending to file: /x/000004.log")
    assert [out_of_room(e) for e in (FULL, wrapped, in_rocksdbs_words)] == ["No space left on device"] * 3
    assert out_of_room(OSError(errno.EIO, "Input/output error")) is None
    assert out_of_room(None) is None


def test_room_is_tried_by_writing_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_room(tmp_path / "made")

    def full(file: int) -> None:
        raise FULL

    monkeypatch.setattr(os, "fsync", full)
    assert not has_room(tmp_path / "made")
    assert not list((tmp_path / "made").iterdir())


def test_a_full_disk_is_no_crash_and_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pipeline.flow import FLOW

    async def run() -> Any:
        config = load(data=tmp_path, environ={"RASD_RUN_PAUSE_SECONDS": "0.01"})
        place = SimpleNamespace(folder=tmp_path)
        worker: Any = SimpleNamespace(config=config, place=place, stop=asyncio.Event(), pool_for=lambda stage: None)
        running = worker_stage.StageRunner(worker, FLOW[0])
        came: Iterator[BaseException | None] = iter([FULL] * 12 + [None])

        async def once() -> BaseException | None:
            return next(came)

        monkeypatch.setattr(running, "_once", once)
        await running.run()
        return running

    monkeypatch.setattr(worker_stage, "has_room", lambda folder: True)
    with caplog.at_level(logging.WARNING, "rasd.worker"):
        assert asyncio.run(run()).crashes == 0
    assert [r.getMessage() for r in caplog.records] == [
        f"dedupe is paused: No space left on device in {tmp_path}. Nothing is lost; trying again every 0.01 s"
    ]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", 1) as folder:
        yield folder


@pytest.mark.kafka
@pytest.mark.faults
def test_a_disk_that_fills_up_pauses_the_stage_and_room_resumes_it(
    site: Callable[[int], Site], embedded: Embedded, small_disk: Path, tmp_path: Path
) -> None:
    two, said, health = site(2), tmp_path / "said", f"127.0.0.1:{_free_port()}"
    settings = {"RASD_RUN_PAUSE_SECONDS": "0.5", "RASD_WORKER_HEALTH": health}
    with two.worker("--until-idle", "1.5", "--json", data=small_disk / "data", said=said, **settings) as process:
        until(lambda: _ready(health))
        _fill(small_disk / "filler")
        two.publish(embedded.articles)
        until(lambda: "is paused" in said.read_text())
        time.sleep(3)
        assert process.poll() is None
        assert not _ready(health)
        assert said.read_text().count("paused") == 1
        subprocess.run(["mount", "-o", "remount,size=300m", str(small_disk)], check=True)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said.read_text()
    assert '"begun_anew": 0' in out
    assert said.read_text().count("storage is back") == 1
    assert two.rows() == embedded.rows


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):  # noqa: PT012
        while True:
            file.write(bytes(4096))


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
