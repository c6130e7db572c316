"""The embedded runtime as a process: the data folder's lock, signals, sinks and pool around it."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from connectors.sinks import SINKS
from pipeline.config import Config
from pipeline.errors import StorageError
from pipeline.flow import FLOW, flow_of
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Article
from pipeline.runtimes.embedded import Counts, Embedded
from pipeline.runtimes.live import Live
from pipeline.runtimes.turns import Found, Source, Stopped

log = logging.getLogger("rasd.flow")
MakeSource = Callable[[Pool, threading.Event], Source | Live]


def run_flow(
    config: Config,
    source: MakeSource | None = None,
    *,
    follow: bool = False,
    watch: Callable[[Counts], None] = lambda counts: None,
) -> tuple[Counts, bool]:
    """Runs every stage over the data folder until the source is read and all have caught up (`follow`: until stopped).

    Returns what became of the articles, and whether it was stopped early. Where another process already runs the
    stages of this folder, the source is only appended to the log, for that process to take up; should it end before it
    has, the stages are run here.
    Raises: StorageError (also if another process runs the stages and there is no source, or a live one), FileError;
    never for what an article holds.
    """
    data = config.data_dir
    data.mkdir(parents=True, exist_ok=True)
    with stop_on_signals() as stop, contextlib.ExitStack() as stack:
        pool = Pool(config.run.processes)
        stack.callback(pool.close)
        store = SqliteLog(config.log_file, partitions=config.log.partitions, synchronous=config.log.synchronous)
        stack.callback(store.close)
        feed = source(pool, stop) if source else None
        with runner_lock(data) as alone:
            if not alone and (feed is None or isinstance(feed, Live)):
                raise StorageError(f"another rasd process runs the stages of {data} already", reason="in-use")
            if not alone:
                log.warning("another rasd process runs the stages of %s: only adding to its log", data)
            try:
                counts = _runtime(config, store, pool, stop, watch, stages=alone).run(feed, follow=follow and alone)
            except Stopped:
                return Counts(), True
        if counts.left and not stop.is_set() and _orphaned(store, data, stop):
            log.info("the other process has ended: going on here")
            with runner_lock(data) as alone:
                if alone:
                    rest = _runtime(config, store, pool, stop, watch, stages=True).run()
                    counts = _joined(counts, rest)
        return counts, stop.is_set()


def _runtime(
    config: Config,
    store: SqliteLog,
    pool: Pool,
    stop: threading.Event,
    watch: Callable[[Counts], None],
    *,
    stages: bool,
) -> Embedded:
    return Embedded(
        store,
        [SINKS[name](config) for name in config.sinks.enabled] if stages else [],
        pool,
        flow=flow_of(dt.timedelta(days=config.dedupe.window_days)) if stages else (),
        gazetteer=Path(config.extract.gazetteer) if config.extract.gazetteer else None,
        batch=config.run.batch,
        window=config.run.window,
        task_seconds=config.run.task_seconds,
        pause_seconds=config.run.pause_seconds,
        max_bytes=config.log.max_record_bytes,
        stop=stop,
        watch=watch,
    )


def _orphaned(store: SqliteLog, data: Path, stop: threading.Event, seconds: float = 5.0) -> bool:
    """True if what was added to the log for another process is left to nobody: that process ended meanwhile."""
    first = FLOW[0]
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop.wait(0.2):
        with runner_lock(data) as free:
            if free:
                return True
        done = store.consumed(first.name, first.reads.name)
        if all(store.next_offset(first.reads.name, p) <= n for p, n in done.items()):
            return False
    return False


def _joined(added: Counts, rest: Counts) -> Counts:
    """Counts of one replay in two parts: what was only added to the log at first was then done here."""
    taken = min(added.left, rest.taken_up)
    rest.read, rest.source_rejects = added.read, added.source_rejects
    rest.rejects.update(added.rejects)
    rest.taken_up -= taken
    rest.left = added.left - taken
    return rest


@contextlib.contextmanager
def runner_lock(data: Path) -> Iterator[bool]:
    """True if this process is the only one that runs the stages of the folder. The system frees it however we end."""
    with (data / "run.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C ends at once."""
    stop = threading.Event()

    def asked(signum: int, frame: FrameType | None) -> None:
        log.info("stopping: finishing the batch")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.set()

    before = {s: signal.signal(s, asked) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


def paced(items: Iterator[Found], speed: float, clock: Callable[[], float] = time.monotonic) -> Iterator[Found | None]:
    """The items of a source, each when its turn has come by publication time; None while the next is not due.

    speed: how many times faster than it happened. Undated items, and items older than one already given, come at once.
    """
    begin = first = None
    for item in items:
        at = item.record.published if isinstance(item.record, Article) else None
        if at is not None:
            if first is None or begin is None:
                begin, first = clock(), at
            due = begin + (at - first).total_seconds() / speed
            while clock() < due:
                yield None
        yield item
