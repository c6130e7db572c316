"""`rasd newsroom`: what it serves, and what it says to type."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.feedlist import load_feeds
from tests.command import rasd


@contextmanager
def running(into: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command and what it said until it was ready."""
    command = [sys.executable, "-m", "pipeline.cli", "newsroom", "--into", str(into), "--port", "0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        said, end = "", time.monotonic() + 30
        while "stop with Ctrl-C" not in said:
            assert time.monotonic() < end, said
            if select.select([process.stdout], [], [], 1.0)[0]:
                said += os.read(process.stdout.fileno(), 65_536).decode()
        yield process, said
    finally:
        process.kill()
        process.communicate()


def test_it_serves_lists_its_feeds_and_ends_cleanly(tmp_path: Path) -> None:
    with running(tmp_path, "--feeds", "5", "--hosts", "2", "--calm") as (process, said):
        feeds = load_feeds(tmp_path / "feeds.toml")
        assert len(feeds) == 5
        assert {re.sub(r":\d+/.*", "", f.url) for f in feeds} == {"http://127.0.0.1"}
        for feed in feeds:
            with urllib.request.urlopen(feed.url, timeout=5) as answer:
                assert answer.status == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert "stopped after 5 requests" in err
    assert err.count("200 feed") == 5
    assert f"rasd run --config {tmp_path / 'rasd.toml'}\n" in said


def test_the_command_that_it_prints_polls_it(tmp_path: Path) -> None:
    with running(tmp_path, "--feeds", "4", "--hosts", "2", "--calm", "--speed", "200") as (_, said):
        words = shlex.split(next(line for line in said.splitlines() if " run " in line))
        assert words == ["rasd", "run", "--config", str(tmp_path / "rasd.toml")]
        done = rasd(*words[1:], "--once", "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["polls"]["polls"] == 4
    assert counts["entries"] >= counts["outputs"] > 10  # some stories stand in two feeds
    assert counts["rejects"] == {}
    assert counts["records"]["event"] > 10


@pytest.mark.parametrize("name", ["feeds.toml", "rasd.toml"])
def test_a_file_of_ones_own_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# mine\n")
    done = rasd("newsroom", "--into", tmp_path, "--port", "0")
    assert done.returncode == 1
    assert "was not made by `rasd newsroom`" in done.stderr
    assert (tmp_path / name).read_text() == "# mine\n"
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = rasd("newsroom", "--into", tmp_path, "--port", taken.getsockname()[1], "--hosts", "1", "--feeds", "1")
    assert done.returncode == 1
    assert "try another --port" in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []  # the list of the one that is served stays
