"""PostgreSQL killed hard while a sink writes: nothing lost, nothing twice, the same tables as if it had stayed up."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from connectors.sinks.postgres import PostgresSink
from connectors.sinks.postgres_server import Target
from connectors.sources.archives import Archive, Options
from pipeline import wire
from pipeline.config import load
from pipeline.errors import StoragePaused
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Record, Unique, Verdict
from pipeline.runtimes.local import run_flow
from tests.generate import lines
from tests.postgres.content import TABLES, content
from tests.postgres.server import Server

pytestmark = [pytest.mark.faults, pytest.mark.postgres]
Batch = list[tuple[Record, bytes]]
Rows = dict[str, list[tuple[object, ...]]]
DECODE: Mapping[str, Callable[[bytes], Record]] = {
    "rasd.unique": lambda value: wire.decode(Unique, value),
    "rasd.verdicts": lambda value: wire.decode(Verdict, value),
    "rasd.events": wire.decode_coded,
}
BATCH = 32
RESUME_SECONDS = 60.0


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, long_faults: bool) -> Path:
    """A log of real extraction, and the rasd.sqlite that an undisturbed run makes of it."""
    folder = tmp_path_factory.mktemp("postgres-faults")
    archive = folder / "archive.jsonl"
    archive.write_bytes(b"\n".join(lines(10_000 if long_faults else 150)) + b"\n")
    environ = {"RASD_SINKS_ENABLED": "sqlite", "RASD_LOG_SYNCHRONOUS": "normal", "RASD_RUN_PROCESSES": "2"}
    run_flow(load(data=folder / "data", environ=environ), lambda pool, stop: Archive([archive], Options()))
    return folder / "data"


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that may be killed; skips as `postgres_server` does."""
    request.getfixturevalue("postgres_server")
    with Server.started() as server:
        yield server


def test_a_server_killed_again_and_again_leaves_the_tables_of_an_undisturbed_run(
    replayed: Path, own_server: Server, long_faults: bool
) -> None:
    target = Target(own_server.database())
    writer = Writer(target, list(batches(replayed)), loops=3 if long_faults else 1)
    kills, slowest = 10 if long_faults else 3, 0.0
    thread = threading.Thread(target=writer.run)
    thread.start()
    chance, hit = random.Random(11), 0
    try:
        while hit < kills and thread.is_alive():
            if not writer.flushing.wait(1):
                continue
            time.sleep(chance.uniform(0, 0.01))
            before = writer.pauses
            if not writer.flushing.is_set():
                continue
            own_server.kill()
            down = time.monotonic()
            time.sleep(chance.uniform(0, 0.3))
            own_server.start()
            assert writer.came_back(RESUME_SECONDS)
            slowest = max(slowest, time.monotonic() - down)
            hit += writer.pauses > before
    finally:
        writer.hurry.set()
        thread.join(300)
    assert writer.failed == []
    print(f"killed {hit} times while a flush was under way; {writer.pauses} pauses; back after {slowest:.1f} s at most")
    assert hit == kills
    left, expected = content(target.dsn, target.schema), undisturbed(replayed)
    for table in TABLES:
        assert (table, lost(expected[table], left[table])) == (table, 0)
        assert (table, lost(left[table], expected[table])) == (table, 0)
        assert len(left[table]) == len(expected[table]), table


class Writer:
    """A runner in miniature: what was not committed is written again.

    loops: how often all is written over, at least; it goes on so until `hurry` is set, so that kills find it at work.
    """

    def __init__(self, target: Target, batches: list[Batch], *, loops: int) -> None:
        self.sink, self.batches, self.loops = PostgresSink(target), batches, loops
        self.state: dict[str, bytes] = {}
        self.flushing, self.hurry, self.done = threading.Event(), threading.Event(), threading.Event()
        self.pauses = self.written = 0
        self.failed: list[BaseException] = []

    def run(self) -> None:
        try:
            self._resume()
            while not (self.written >= self.loops * len(self.batches) and self.hurry.is_set()):
                self._write(self.batches[self.written % len(self.batches)])
                self.written += 1
            self.sink.flush()
            self.sink.close()
        except BaseException as e:
            self.failed.append(e)
        self.done.set()

    def came_back(self, seconds: float) -> bool:
        """True once a batch was written after this call."""
        end, goal = time.monotonic() + seconds, self.written + 2
        while self.written < goal and not self.done.wait(0.01):
            if time.monotonic() > end:
                return False
        return not self.failed

    def _resume(self) -> None:
        while True:
            try:
                self.sink.resume(self.state)
                return
            except StoragePaused:
                time.sleep(0.05)

    def _write(self, batch: Batch) -> None:
        while True:
            for record, value in batch:
                self.sink.write(record, value)
            self.flushing.set()
            try:
                self.state |= self.sink.flush()
                return
            except StoragePaused:
                self.pauses += 1
                self.flushing.clear()
                self._resume()
            finally:
                self.flushing.clear()


def batches(data: Path) -> Iterator[Batch]:
    """As the runner reads them: so many messages of each topic at a time."""
    log = SqliteLog(data / "log.sqlite", readonly=True)
    topics = {t: [m.value for m in log.read(t, 0, 0, 1_000_000)] for t in DECODE}
    log.close()
    for at in range(0, max(map(len, topics.values())), BATCH):
        yield [(DECODE[topic](v), v) for topic, values in topics.items() for v in values[at : at + BATCH]]


def undisturbed(data: Path) -> Rows:
    with closing(sqlite3.connect(data / "rasd.sqlite")) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in TABLES}


def lost(rows: list[tuple[object, ...]], among: list[tuple[object, ...]]) -> int:
    """How many of the rows are not among the others."""
    return len({repr(r) for r in rows} - {repr(r) for r in among})
