"""A tenth of the input is bad in every way we know: the rest goes through, the bad are kept with their place."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from pathlib import Path

import pytest

from connectors.sources.archives import Archive, Options
from pipeline import wire
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Reject
from pipeline.runtimes.embedded import Counts, Embedded
from pipeline.topics import ARTICLES
from tests.fakes import FAKE_FLOW, MemorySink
from tests.generate import lines, poison

pytestmark = pytest.mark.faults
ALL, EVERY = 10_000, 10


@pytest.fixture
def runtime(tmp_path: Path) -> Embedded:
    return Embedded(SqliteLog(tmp_path / "log.sqlite", synchronous="NORMAL"), [MemorySink()], Pool(2), flow=FAKE_FLOW)


def mixed(n: int) -> list[tuple[bool, bytes]]:
    """Every tenth is bad."""
    good = lines(n)
    return [(True, poison(i // EVERY)) if i % EVERY == 3 else (False, next(good)) for i in range(n)]


def assert_all_but_the_bad_came_through(runtime: Embedded, counts: Counts, bad: int) -> None:
    assert (counts.outputs + counts.duplicates.total(), counts.rejects.total()) == (ALL - bad, bad)
    assert counts.outputs > (ALL - bad) * 0.8
    assert counts.outputs == len(list(runtime.log.scan("rasd.events")))


def rejects_of(log: SqliteLog) -> list[Reject]:
    return [wire.decode(Reject, m.value) for m in log.scan("rasd.rejects")]


def test_bad_lines_of_an_archive_are_rejected_with_file_line_and_bytes(tmp_path: Path, runtime: Embedded) -> None:
    rows = mixed(ALL)
    archive = tmp_path / "mixed.jsonl"
    archive.write_bytes(b"\n".join(row for _, row in rows) + b"\n")
    counts = runtime.run(Archive([archive], Options()))
    runtime.pool.close()
    bad = [number for number, (is_bad, _) in enumerate(rows, 1) if is_bad]
    assert counts.read == ALL
    assert_all_but_the_bad_came_through(runtime, counts, len(bad))
    rejects = rejects_of(runtime.log)
    assert [r.line for r in rejects] == bad
    assert {r.file for r in rejects} == {"mixed.jsonl"}
    assert {r.stage for r in rejects} == {"source"}
    for reject, number in zip(rejects, bad, strict=True):
        line = rows[number - 1][1]
        kept = base64.b64decode(reject.value)
        assert line.startswith(kept) if reject.truncated else kept == line
        assert reject.error
    reasons = Counter(r.reason for r in rejects)
    assert {"bad-json", "bad-record", "bad-text", "no-text", "too-large"} <= set(reasons)


def test_bad_messages_on_a_topic_are_rejected_with_topic_and_offset(runtime: Embedded) -> None:
    from connectors.sources.rows import Options as RowOptions
    from connectors.sources.rows import read_row

    rows = mixed(ALL)
    with runtime.log.transaction():
        for is_bad, row in rows:
            record = None if is_bad else read_row(row, RowOptions(), "mixed.jsonl", 1, 0)
            runtime.log.append(ARTICLES.name, "ar", row if record is None else wire.encode(record))
    counts = runtime.run()
    runtime.pool.close()
    bad = [offset for offset, (is_bad, _) in enumerate(rows) if is_bad]
    assert_all_but_the_bad_came_through(runtime, counts, len(bad))
    rejects = rejects_of(runtime.log)
    assert [(r.topic, r.offset) for r in rejects] == [(ARTICLES.name, offset) for offset in bad]
    assert all(base64.b64decode(r.value) == rows[r.offset or 0][1] for r in rejects if not r.truncated)


def test_a_run_that_meets_only_poison_ends(tmp_path: Path, runtime: Embedded) -> None:
    archive = tmp_path / "poison.jsonl"
    archive.write_bytes(b"\n".join(poison(i) for i in range(200)) + b"\n")
    done = threading.Timer(60, runtime.stop.set)
    done.start()
    counts = runtime.run(Archive([archive], Options()))
    done.cancel()
    runtime.pool.close()
    assert not runtime.stop.is_set()
    assert (counts.outputs, counts.rejects.total()) == (0, 200)
