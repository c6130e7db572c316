"""The real flow, slowed, with a mark that says which stage has records in hand. Run as a process, to be killed.

    python -m tests.faults.driver DATA ARCHIVE MARKS

MARKS is a small file mapped into memory: byte 0 is the stage that the process itself is in, bytes 8 to 63 are set by
children while they read an article.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from connectors.sinks import SINKS, Sink
from connectors.sources.archives import Archive, Found, Options
from pipeline import flow
from pipeline.config import load
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Article, Outcome, Record, Unique
from pipeline.runtimes.embedded import Embedded
from pipeline.runtimes.local import runner_lock, stop_on_signals
from processors.dedupe.step import Seen

IDLE, SOURCE, DEDUPE, SINK = b"\0", b"s", b"d", b"k"
CHILDREN = slice(8, 64)
SIZE = 64


def marks(path: str) -> mmap.mmap:
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), SIZE)


def _mark() -> mmap.mmap:
    """This process's view of the marks; children find the file by the environment."""
    global _MARKS  # noqa: PLW0603 one mapping per process, made on first use
    if _MARKS is None:
        _MARKS = marks(os.environ["RASD_FAULT_MARKS"])
    return _MARKS


_MARKS: mmap.mmap | None = None
SOURCE_PAUSE, DEDUPE_PAUSE, EXTRACT_PAUSE, SINK_PAUSE = 0.0008, 0.0008, 0.004, 0.0004


class SlowSource:
    def __init__(self, archive: Archive) -> None:
        self.archive, self.identity = archive, archive.identity

    def read(self, skip: int = 0) -> Iterator[Found]:
        for found in self.archive.read(skip):
            _mark()[0:1] = SOURCE
            time.sleep(SOURCE_PAUSE)
            yield found


def load_slow_dedupe(gazetteer: Path | None) -> Callable[..., Outcome]:
    step = flow.FLOW[0].load(gazetteer)

    def slow(article: Article, seen: Seen) -> Outcome:
        _mark()[0:1] = DEDUPE
        time.sleep(DEDUPE_PAUSE)
        return step(article, seen)

    return slow


def load_slow_extract(gazetteer: Path | None) -> Callable[..., Outcome]:
    step = flow.FLOW[1].load(gazetteer)
    slot = CHILDREN.start + os.getpid() % (CHILDREN.stop - CHILDREN.start)

    def slow(unique: Unique) -> Outcome:
        _mark()[slot : slot + 1] = b"x"
        time.sleep(EXTRACT_PAUSE)
        outcome = step(unique)
        _mark()[slot : slot + 1] = IDLE
        return outcome

    return slow


class SlowSink:
    """Dawdles after the flush as well, where what is on disk is not yet committed."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.name, self.topics = sink, sink.name, sink.topics

    def resume(self, committed: Mapping[str, bytes]) -> None:
        self.sink.resume(committed)

    def write(self, record: Record, value: bytes) -> None:
        _mark()[0:1] = SINK
        self.sink.write(record, value)
        time.sleep(SINK_PAUSE)

    def flush(self) -> Mapping[str, bytes]:
        changes = self.sink.flush()
        time.sleep(SINK_PAUSE * 50)
        return changes

    def close(self) -> None:
        self.sink.close()


SLOW_FLOW = (
    replace(flow.FLOW[0], load=load_slow_dedupe),
    replace(flow.FLOW[1], load=load_slow_extract),
)


def main(data: Path, archive: Path, batch: int) -> None:
    data.mkdir(parents=True, exist_ok=True)
    with stop_on_signals() as stop, runner_lock(data) as alone:
        if not alone:
            raise SystemExit("the killed process still holds its lock")
        store = SqliteLog(data / "log.sqlite")
        pool = Pool(2)
        sinks = [SlowSink(SINKS[name](load(data=data, environ={}))) for name in ("jsonl", "sqlite")]
        runtime = Embedded(store, sinks, pool, flow=SLOW_FLOW, batch=batch, stop=stop)
        counts = runtime.run(SlowSource(Archive([archive], Options())))
        _mark()[0:1] = IDLE
        pool.close()
        store.close()
        print(counts)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
