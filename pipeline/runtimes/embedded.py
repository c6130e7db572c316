"""The flow in one process, without a broker: every turn of a stage is one transaction of the log.

Stages take turns from the far end of the flow to the source, and the source waits while a batch is still on its way:
that is all the backpressure there is. Extraction runs in a pool with a bounded window; its results are published from
the head of the window only, so order, and with it every byte, does not depend on batch size or process count.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import orjson

from connectors.sinks import Sink
from pipeline import wire
from pipeline.errors import StoragePaused
from pipeline.flow import FLOW, Made, Stage
from pipeline.log import Message
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.live import Live, LiveTurn
from pipeline.runtimes.turns import LocalTurn, PooledTurn, SinkTurn, Source, SourceTurn, Stopped, consumer_of, reject_of
from pipeline.topics import EVENTS, REJECTS, TOPICS

T = TypeVar("T")
log = logging.getLogger("rasd.flow")
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EACCES}


@dataclass(slots=True)
class Counts:
    """What became of the articles of this run. Every article ends as exactly one of output, duplicate or reject, so
    that `read + taken_up == ended + left` once all stages have caught up.

    taken_up: articles that an earlier run or another process had added to the log. left: articles added to the log for
    another process. entries: announcements of feeds, handed to the fetcher. sink_rejects: messages that a sink could
    not take; their articles have ended before.
    """

    read: int = 0
    taken_up: int = 0
    left: int = 0
    source_rejects: int = 0
    sink_rejects: int = 0
    entries: int = 0
    outputs: int = 0
    duplicates: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)

    @property
    def ended(self) -> int:
        return self.outputs + self.duplicates.total() + self.rejects.total()


class Embedded:
    """Runs the flow over one log. Not for use by two processes at once (`rasd` holds a lock).

    stop: set it from a signal handler; the turn under way is finished, work in the pool is dropped uncommitted.
    Raises: Stopped if asked to stop while the log could not be written at the start.
    """

    def __init__(
        self,
        store: SqliteLog,
        sinks: Sequence[Sink],
        pool: Pool,
        *,
        flow: Sequence[Stage] = FLOW,
        gazetteer: Path | None = None,
        batch: int = 256,
        window: int = 3,
        task_seconds: float = 20.0,
        pause_seconds: float = 2.0,
        max_bytes: int = 8_000_000,
        stop: threading.Event | None = None,
        watch: Callable[[Counts], None] = lambda counts: None,
    ) -> None:
        self.log, self.pool, self.batch = store, pool, batch
        self.counts = Counts()
        self.stop = stop or threading.Event()
        self.pause_seconds, self.max_bytes = pause_seconds, max_bytes
        self._watch = watch
        self.durably(lambda: self._register(sinks))
        self._sinks = [SinkTurn(self, sink) for sink in sinks]
        self._stages: list[LocalTurn | PooledTurn] = []
        for stage in flow:
            if stage.pooled:
                self._stages.append(PooledTurn(self, stage, gazetteer, window, task_seconds))
            else:
                self._stages.append(LocalTurn(self, stage, gazetteer))
        self.runs_stages = bool(self._stages)
        self._turns = [s.turn for s in self._sinks] + [s.turn for s in reversed(self._stages)]

    def _register(self, sinks: Sequence[Sink]) -> None:
        with self.log.transaction():
            for topic in TOPICS:
                self.log.create_topic(topic)
            for stage in FLOW:
                self.log.register(stage.name, stage.reads.name)
            for sink in sinks:
                for name in sink.topics:
                    self.log.register(consumer_of(sink.name), name)

    def run(self, source: Source | Live | None = None, *, follow: bool = False, poll_seconds: float = 0.5) -> Counts:
        """Works until the source is read and every stage has caught up (`follow`: until stopped)."""
        feed: SourceTurn | LiveTurn | None = None
        try:
            for sink in self._sinks:
                sink.resume()
            if isinstance(source, Live):
                feed = LiveTurn(self, source)
            elif source is not None:
                feed = SourceTurn(self, source)
            while not self.stop.is_set():
                moved = [turn() for turn in self._turns if not self.stop.is_set()]
                if feed is not None and not self.stop.is_set() and self._room():
                    moved.append(feed.turn())
                self._watch(self.counts)
                if any(moved) or any(s.wait() for s in self._stages):
                    continue
                if feed is not None and not feed.done:
                    feed.wait(poll_seconds)
                    continue
                if not follow:
                    break
                self.stop.wait(poll_seconds)
        except Stopped:
            pass
        finally:
            if feed is not None:
                feed.close()
            for sink in self._sinks:
                sink.sink.close()
        self._settle()
        return self.counts

    def _settle(self) -> None:
        """Whatever a stage took beyond what this run gave it came from an earlier run, or from another process."""
        given = self.counts.read - self.counts.source_rejects
        for stage in self._stages:
            self.counts.taken_up += max(0, stage.reader.taken - given)
            given = stage.passed

    def _room(self) -> bool:
        return all(stage.behind() < self.batch for stage in self._stages)

    def durably(self, write: Callable[[], T], mend: Callable[[], None] = lambda: None) -> T:
        """Does `write` until it succeeds; while storage refuses, says so once, waits, calls `mend`, tries again.

        Raises: Stopped if asked to stop meanwhile (nothing of the write is kept, and nothing is lost).
        """
        refused: Exception | None = None
        while True:
            try:
                if refused is not None:
                    mend()
                done = write()
            except (StoragePaused, OSError) as e:
                if isinstance(e, OSError) and e.errno not in PASSING:
                    raise
                if refused is None:
                    log.warning("paused: %s. Nothing is lost; trying again every %g s", e, self.pause_seconds)
                refused = e
                if self.stop.wait(self.pause_seconds):
                    raise Stopped from e
            else:
                if refused is not None:
                    log.warning("storage is back, going on")
                return done

    def publish(self, message: Message, made: Made, stage: str) -> None:
        """Appends what a stage made of a message. Inside a transaction."""
        for topic, key, value in made.outputs:
            self.log.append(topic, key, value, message.time)
        if made.failure is not None:
            self.reject(reject_of(message, stage, made.failure), message.time)

    def reject(self, reject: Reject, time_: int | None) -> None:
        self.log.append(REJECTS.name, reject.key, wire.encode(reject), time_)

    def count_found(self, records: Sequence[Entry | Article | Reject]) -> None:
        """After the commit of what a source gave."""
        for record in records:
            if isinstance(record, Entry):
                self.counts.entries += 1
                continue
            self.counts.read += 1
            if isinstance(record, Reject):
                self.counts.rejects[record.reason] += 1
                self.counts.source_rejects += 1
            elif not self.runs_stages:
                self.counts.left += 1

    def count(self, stage: Stage, batch: Sequence[tuple[Message, Made]]) -> None:
        """After the commit, so that a batch is counted once."""
        for _, made in batch:
            if made.failure is not None:
                self.counts.rejects[made.failure.reason] += 1
            elif made.what != "output":
                self.counts.duplicates[made.what] += 1
            elif stage.pooled:
                self.counts.outputs += 1
                for topic, _, value in made.outputs:
                    if topic == EVENTS.name:
                        self.counts.records[orjson.loads(value)["kind"]] += 1
