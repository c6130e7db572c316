"""Killed at any moment, the flow ends with the same bytes as if nothing had happened."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.faults import driver
from tests.generate import lines
from tests.waiting import until

pytestmark = pytest.mark.faults
STAGES = ("source", "dedupe", "extract", "sink")
BATCH = 64


class Run:
    """One archive and its data folder; the driver is started over it as often as needed."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.folder, self.archive = folder, archive
        self.data, self.marks = folder / "data", folder / "marks"
        folder.mkdir()
        self.marks.write_bytes(bytes(driver.SIZE))
        self.seen = driver.marks(str(self.marks))

    def start(self) -> subprocess.Popen[bytes]:
        self.seen[:] = bytes(driver.SIZE)
        command = [sys.executable, "-m", "tests.faults.driver", str(self.data), str(self.archive), str(BATCH)]
        log = (self.folder / "stderr").open("ab")
        environment = {**os.environ, "RASD_FAULT_MARKS": str(self.marks)}
        with log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def in_hand(self, stage: str) -> bool:
        if stage == "extract":
            return any(self.seen[driver.CHILDREN])
        own = {"source": driver.SOURCE, "dedupe": driver.DEDUPE, "sink": driver.SINK}
        return self.seen[0:1] == own[stage]

    def hit(self, process: subprocess.Popen[bytes], stage: str, signum: int) -> bool:
        """Signals the process while `stage` has records in hand; False if it ended before. It is frozen for the look,
        so that the mark is true at the moment of the kill."""
        end = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < end:
            if self.in_hand(stage):
                os.kill(process.pid, signal.SIGSTOP)
                if self.in_hand(stage):
                    os.kill(process.pid, signum)
                    os.kill(process.pid, signal.SIGCONT)
                    return True
                os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.001)
        return False

    def finish(self) -> None:
        process = self.start()
        assert process.wait(timeout=300) == 0, (self.folder / "stderr").read_text()

    def contents(self) -> dict[str, str]:
        """Everything that a reader can see: each JSONL file, each table, and every message of the log."""
        out = {}
        for path in sorted((self.data / "events").rglob("*.jsonl")):
            out[str(path.relative_to(self.data))] = digest(path.read_bytes())
        for name, columns in (("rasd.sqlite", {}), ("log.sqlite", {"message": "id, time, key, value", "state": "*"})):
            with closing(sqlite3.connect(self.data / name)) as db:
                tables = columns or {
                    t: "*" for (t,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
                }
                for table, what in tables.items():
                    rows = sorted(map(repr, db.execute(f"SELECT {what} FROM {table}")))
                    out[f"{name}:{table} ({len(rows)} rows)"] = digest("\n".join(rows).encode())
        return out


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def event_lines(run: Run) -> list[bytes]:
    return [line for path in (run.data / "events").rglob("*.jsonl") for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def size(long_faults: bool) -> int:
    return 5000 if long_faults else 700


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, size: int) -> Path:
    path = tmp_path_factory.mktemp("archive") / "generated.jsonl"
    path.write_bytes(b"\n".join(lines(size)) + b"\n")
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Run:
    run = Run(tmp_path_factory.mktemp("undisturbed") / "run", archive)
    run.finish()
    assert len(event_lines(run)) > 100
    return run


def test_kills_at_random_moments_of_every_stage_lose_and_repeat_nothing(
    tmp_path: Path, archive: Path, undisturbed: Run, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(7)
    wanted = 8 if long_faults else 2
    targets = [stage for stage in STAGES for _ in range(wanted)]
    chance.shuffle(targets)
    run = Run(tmp_path / "killed", archive)
    hits: Counter[str] = Counter()
    for stage in targets:
        process = run.start()
        time.sleep(chance.uniform(0.0, 0.6))
        if not run.hit(process, stage, signal.SIGKILL):
            process.wait(timeout=60)
            continue
        assert process.wait(timeout=10) == -signal.SIGKILL
        hits[stage] += 1
    run.finish()
    with capsys.disabled():
        print(f"\n{hits.total()} SIGKILLs with records in hand: " + ", ".join(f"{s} {hits[s]}" for s in STAGES))
    assert all(hits[stage] >= wanted for stage in STAGES)
    assert run.contents() == undisturbed.contents()
    lines_written = event_lines(run)
    assert len(lines_written) == len(set(lines_written))


def test_asked_to_stop_it_ends_well_within_five_seconds_and_the_next_run_goes_on(
    tmp_path: Path, archive: Path, undisturbed: Run, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(8)
    run = Run(tmp_path / "stopped", archive)
    took = []
    signals = [signal.SIGTERM] * (10 if long_faults else 4) + [signal.SIGINT] * (4 if long_faults else 1)
    for i, signum in enumerate(signals):
        process = run.start()
        time.sleep(chance.uniform(0.0, 0.6))
        if not run.hit(process, STAGES[i % 4], signum):
            break
        begin = time.monotonic()
        assert process.wait(timeout=20) == 0, (run.folder / "stderr").read_text()
        took.append(time.monotonic() - begin)
    run.finish()
    with capsys.disabled():
        print(f"\n{len(took)} stops, slowest {max(took):.2f} s")
    assert len(took) == len(signals)
    assert max(took) < 5.0
    assert run.contents() == undisturbed.contents()


def test_killed_children_of_the_pool_cost_no_article(
    tmp_path: Path, archive: Path, undisturbed: Run, long_faults: bool
) -> None:
    run = Run(tmp_path / "children", archive)
    process = run.start()
    kill_children(run, process, 6 if long_faults else 2)
    assert process.wait(timeout=300) == 0, (run.folder / "stderr").read_text()
    assert run.contents() == undisturbed.contents()


def kill_children(run: Run, process: subprocess.Popen[bytes], times: int) -> None:
    psutil = pytest.importorskip("psutil")
    for i in range(times):
        until(lambda: run.in_hand("extract") or process.poll() is not None)
        assert process.poll() is None, "it ended before its children were killed often enough"
        workers = [c for c in psutil.Process(process.pid).children(recursive=True) if is_worker(c)]
        os.kill(workers[i % len(workers)].pid, signal.SIGKILL)
        run.seen[driver.CHILDREN] = bytes(driver.CHILDREN.stop - driver.CHILDREN.start)
        time.sleep(3.0)  # an article is run once more alone; killed there too, it would rightly be a reject


def is_worker(process: object) -> bool:
    """A child that a fork server forked: it has that server's command line but is not the server itself."""
    parent = process.parent()  # type: ignore[attr-defined]
    return parent is not None and parent.cmdline() == process.cmdline()  # type: ignore[attr-defined]
