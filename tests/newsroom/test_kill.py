"""Killed again and again during the simulated week, each time with requests in flight: nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.newsroom.cast import DAY, Plan
from connectors.newsroom.clock import WatchedTime
from connectors.newsroom.world import World
from tests.conftest import ROOT
from tests.newsroom.loopback import Served
from tests.newsroom.oracle import Oracle, Store

pytestmark = pytest.mark.faults
SHORT, LONG = Plan(hosts=8, feeds=16, days=1.5, per_day=3.0), Plan()
LATENCY = 0.003  # real seconds that an answer takes, so that a request can be caught in flight


def start(served: Served, data: Path, days: float, said: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.newsroom.driver", str(served.folder), str(data), str(days)]
    with said.open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def kill_in_flight(process: subprocess.Popen[bytes], served: Served, now: WatchedTime, when: float) -> float | None:
    """Kills it at a moment from `when` on at which a request is in flight; the simulated time, or None if it ended
    before. It is frozen for the look, so that the request is in flight at the moment of the kill."""
    end = time.monotonic() + 600
    while process.poll() is None:
        assert time.monotonic() < end, "no request was caught in flight"
        if now() >= when and served.in_flight:
            os.kill(process.pid, signal.SIGSTOP)
            if served.in_flight:
                os.kill(process.pid, signal.SIGKILL)
                process.wait(timeout=10)
                return now()
            os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.0002 if now() >= when else 0.005)
    return None


def test_kills_with_requests_in_flight_lose_and_double_nothing(
    tmp_path: Path, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, wanted = (LONG, 20) if long_faults else (SHORT, 5)
    chance = random.Random(11)
    times = sorted(plan.start + chance.uniform(0.0, 0.95) * plan.days * DAY for _ in range(wanted))
    data, said, breaks = tmp_path / "data", tmp_path / "said", list[float]()
    with Served(plan, tmp_path / "room", latency=LATENCY) as served:
        now = WatchedTime(served.clock_file)
        for when in times:
            process = start(served, data, plan.days, said)
            killed = kill_in_flight(process, served, now, when)
            assert killed is not None, said.read_text()[-3_000:]
            breaks.append(killed)
        last = start(served, data, plan.days, said)
        assert last.wait(timeout=3_600) == 0, said.read_text()[-3_000:]
        accesses = served.accesses()
    oracle = Oracle(World(served.plan), accesses, Store.read(data), breaks=breaks)
    found = oracle.all()
    with capsys.disabled():
        numbers = found["once"].numbers | found["announced"].numbers
        print(f"\n{len(breaks)} SIGKILLs with requests in flight: {numbers}")
    assert len(breaks) == wanted
    assert found["announced"].numbers["revisions announced"] > 100
    for name in ("announced", "served", "rechecked", "once", "caught", "robots", "rates"):
        assert found[name].faults == [], name
