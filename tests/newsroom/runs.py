"""Runs of the live runtime over a simulated newsroom, undisturbed or killed, judged by the oracle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from connectors.newsroom.cast import DAY, Plan
from connectors.newsroom.clock import WatchedTime
from connectors.newsroom.world import World
from tests.conftest import ROOT
from tests.newsroom.loopback import Served
from tests.newsroom.oracle import Oracle
from tests.newsroom.store import Store

LATENCY = 0.003  # real seconds that an answer takes where a request is to be caught in flight
PATIENCE = 5_400.0  # real seconds: the whole week takes some ten minutes


def undisturbed(plan: Plan, folder: Path) -> Oracle:
    with Served(plan, folder / "room") as served:
        _finish(served, folder)
        accesses = served.accesses()
    return Oracle(World(served.plan), accesses, Store.read(folder / "data"))


def killed(plan: Plan, folder: Path, kills: int) -> tuple[Oracle, list[float]]:
    """The run, killed so many times at moments drawn over the simulated time, each with requests in flight; and the
    simulated times of the kills."""
    chance = random.Random(11)
    times = sorted(plan.start + chance.uniform(0.0, 0.95) * plan.days * DAY for _ in range(kills))
    breaks = []
    with Served(plan, folder / "room", latency=LATENCY) as served:
        now = WatchedTime(served.clock_file)
        for when in times:
            process = _start(served, folder)
            _kill_in_flight(process, served, now, when, folder)
            breaks.append(now())
        _finish(served, folder)
        accesses = served.accesses()
    return Oracle(World(served.plan), accesses, Store.read(folder / "data"), breaks=breaks), breaks


def _start(served: Served, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.newsroom.driver"]
    command += [str(served.folder), str(folder / "data"), str(served.plan.days)]
    with (folder / "said").open("ab") as said:
        return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)


def _finish(served: Served, folder: Path) -> None:
    process = _start(served, folder)
    try:
        assert process.wait(timeout=PATIENCE) == 0, _said(folder)
    finally:
        process.kill()
        process.wait()


def _kill_in_flight(
    process: subprocess.Popen[bytes], served: Served, now: WatchedTime, when: float, folder: Path
) -> None:
    """Kills it at a moment from `when` on at which a request is in flight. It is frozen for the look, so that the
    request is in flight at the moment of the kill."""
    end = time.monotonic() + PATIENCE
    try:
        while process.poll() is None and time.monotonic() < end:
            if now() >= when and served.in_flight:
                os.kill(process.pid, signal.SIGSTOP)
                if served.in_flight:
                    return
                os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.0002 if now() >= when else 0.005)
        raise AssertionError(f"no request was caught in flight: {_said(folder)}")
    finally:
        process.kill()
        process.wait()


def _said(folder: Path) -> str:
    return (folder / "said").read_text(errors="replace")[-3_000:]
