"""An archive published to Kafka, for the workers to take up.

The order is the flow's: publish, wait for the acknowledgement, then keep the position, in `replays.sqlite` of the data
folder. So an interrupted replay repeats at most what was under way, and dedupe knows what was repeated. The position
belongs to the topic as it was made: a topic made anew, or another cluster, begins anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline import wire
from pipeline.config import Config
from pipeline.errors import StorageError, StoragePaused, Unusable
from pipeline.flow import FLOW, Failure, Stage
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.door import Unreachable
from pipeline.log.kafka.producer import Producer
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.local import stop_on_signals
from pipeline.runtimes.turns import IDLE_SECONDS, REJECTED, Intake, Source, Stopped, mark_of, unwritable
from pipeline.topics import ARTICLES, REJECTS

T = TypeVar("T")
log = logging.getLogger("rasd.kafka")
Pairs = Sequence[tuple[Entry | Article | Reject, bytes]]

FILE = "replays.sqlite"
AHEAD = 64  # batches that wait for their acknowledgement; the producer bounds their bytes
END_SECONDS = 3.0  # for acknowledgements when asked to stop
LOOK_SECONDS = 0.5  # between two looks at how far the workers are
STILL_SECONDS = 20.0  # without the workers moving before that is said


@dataclass(slots=True)
class Published:
    """What became of what was read. Everything is an article, a reject or a known reject, published by an earlier
    replay from this data folder."""

    articles: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    known_rejects: int = 0

    @property
    def read(self) -> int:
        return self.articles + self.rejects.total() + self.known_rejects


def publish_source(
    config: Config,
    source: Callable[[threading.Event], Source],
    *,
    wait: bool = False,
    watch: Callable[[Published], None] = lambda published: None,
) -> tuple[Published, bool]:
    """Publishes all that the source gives; with `wait`, returns only when every stage has taken up what it brought.

    Returns what was published and whether it was stopped early. Brokers that are away are waited for.
    Raises: StorageError if a topic is missing or brokers refuse us.
    """
    cluster = cluster_of(config)
    published = Published()
    with stop_on_signals() as stop:
        try:
            marks = _marks(cluster, stop)
            config.data_dir.mkdir(parents=True, exist_ok=True)
            with Producer(cluster, stop=stop) as producer:
                store = SqliteLog(config.data_dir / FILE, synchronous=config.log.synchronous)
                try:
                    _Publishing(config, source(stop), store, marks, producer, stop, published, watch).run()
                finally:
                    store.close()
            if wait and not stop.is_set():
                _caught_up(cluster, stop)
        except Stopped:
            pass
        return published, stop.is_set()


@dataclass(frozen=True, slots=True)
class _Marks:
    """Under what names the store keeps the position and the rejects that were published."""

    position: str
    rejects: str


def _marks(cluster: Cluster, stop: threading.Event) -> _Marks:
    """Raises: Stopped; StorageError if there are no such topics."""
    ids = _patiently(stop, lambda: _identities(cluster))
    missing = [cluster.topic(t.name) for t in (ARTICLES, REJECTS) if t.name not in ids]
    if missing:
        servers = ", ".join(cluster.servers)
        raise StorageError(f"{servers}: no topic {', '.join(missing)}: run `rasd topics create`", reason="no-topic")
    return _Marks(f"source {ids[ARTICLES.name]}", f"{REJECTED} {ids[REJECTS.name]}")


def _identities(cluster: Cluster) -> dict[str, str]:
    with KafkaLog(cluster) as there:
        return there.identities()


def _patiently(stop: threading.Event, ask: Callable[[], T]) -> T:
    """What brokers answer, however long they are away. Raises: Stopped."""
    said = False
    while True:
        try:
            return ask()
        except Unreachable as e:
            if not e.retryable:
                raise
            if not said:
                log.warning("%s. Waiting and trying again", e)
            said = True
            if stop.wait(1.0):
                raise Stopped from e


@dataclass(slots=True)
class _Batch:
    pairs: Pairs
    futures: list[Future[tuple[int, int]]]
    state: bytes
    known: int


class _Publishing:
    def __init__(
        self,
        config: Config,
        source: Source,
        store: SqliteLog,
        marks: _Marks,
        producer: Producer,
        stop: threading.Event,
        published: Published,
        watch: Callable[[Published], None],
    ) -> None:
        self.store, self.marks, self.producer, self.stop = store, marks, producer, stop
        self.published, self.watch = published, watch
        self.identity, self.pause_seconds = source.identity, config.run.pause_seconds
        saved = store.state(marks.position).get(source.identity)
        self.intake = Intake(source, saved, batch=config.run.batch, max_bytes=config.log.max_record_bytes, stop=stop)
        self.known = store.state(marks.rejects)
        self.under_way: deque[_Batch] = deque()
        self.rejecting: set[str] = set()  # marks of rejects under way

    def run(self) -> None:
        """Raises: Stopped, StorageError; what was acknowledged until then is kept."""
        try:
            while not self.stop.is_set():
                pairs = self.intake.take()
                if pairs is not None:
                    self._send(pairs)
                elif self.intake.done:
                    break
                else:
                    self.stop.wait(IDLE_SECONDS)
                self._land(leave=AHEAD)
            self._land(leave=0)
        except Stopped:
            self._land(leave=0, seconds=END_SECONDS)
            raise

    def _send(self, pairs: Pairs) -> None:
        state = self.intake.state()
        fresh = [(record, value) for record, value in pairs if not self._known(record)]
        self.under_way.append(_Batch(fresh, self.producer.send_records(fresh), state, len(pairs) - len(fresh)))

    def _known(self, record: Entry | Article | Reject) -> bool:
        """True for a reject that was published already, or is just now."""
        if not isinstance(record, Reject):
            return False
        mark = mark_of(record)
        if mark in self.rejecting or mark in self.known:
            return True
        self.rejecting.add(mark)
        return False

    def _land(self, leave: int, seconds: float | None = None) -> None:
        """Keeps the positions of batches that are acknowledged, from the first on; waits until no more than `leave` are
        under way, at most `seconds`, else until stopped. Raises: Stopped, StorageError."""
        end = None if seconds is None else time.monotonic() + seconds
        landed = []
        while self.under_way and self._acknowledged(self.under_way[0], len(self.under_way) > leave, end):
            landed.append(self._settled(self.under_way.popleft()))
        if landed:
            self._keep(landed)
            self.watch(self.published)

    def _acknowledged(self, batch: _Batch, wait: bool, end: float | None) -> bool:
        for future in batch.futures:
            while not future.done():
                if not wait or (end is not None and time.monotonic() > end):
                    return False
                if end is None and self.stop.is_set():
                    raise Stopped
                with contextlib.suppress(TimeoutError):
                    future.exception(0.1)
        return True

    def _settled(self, batch: _Batch) -> _Batch:
        """The batch with rejects in place of what brokers refused. Raises: StorageError, Stopped."""
        pairs = list(batch.pairs)
        for i, future in enumerate(batch.futures):
            error = future.exception()
            if isinstance(error, Unusable):
                pairs[i] = self._rejected(*pairs[i], error)
            elif error is not None:
                raise error
        return dataclasses.replace(batch, pairs=pairs)

    def _rejected(self, record: Entry | Article | Reject, value: bytes, error: Unusable) -> tuple[Reject, bytes]:
        """Publishes a reject in place of a record that brokers refused: with its value, else without."""
        for kept in (value, b""):
            reject = unwritable(record, kept, Failure(error.reason, str(error)))
            bytes_ = wire.encode(reject)
            try:
                for sent in self.producer.send_records([(reject, bytes_)]):
                    self._await(sent)
            except Unusable as e:
                error = e
            else:
                return reject, bytes_
        raise error

    def _await(self, future: Future[tuple[int, int]]) -> None:
        while True:
            try:
                future.result(0.1)
                return
            except TimeoutError:
                if self.stop.is_set():
                    raise Stopped from None

    def _keep(self, landed: Sequence[_Batch]) -> None:
        rejects = [r for batch in landed for r, _ in batch.pairs if isinstance(r, Reject)]
        marks = {mark_of(r): b"1" for r in rejects}

        def write() -> None:
            with self.store.transaction():
                self.store.change(self.marks.rejects, marks)
                self.store.change(self.marks.position, {self.identity: landed[-1].state})

        self._durably(write)
        self.rejecting -= marks.keys()
        self.published.articles += sum(len(batch.pairs) for batch in landed) - len(rejects)
        self.published.rejects.update(r.reason for r in rejects)
        self.published.known_rejects += sum(batch.known for batch in landed)

    def _durably(self, write: Callable[[], None]) -> None:
        """Tries until the disk takes it. Raises: Stopped."""
        said = False
        while True:
            try:
                return write()
            except StoragePaused as e:
                if not said:
                    log.warning("paused: %s. Nothing is lost; trying again every %g s", e, self.pause_seconds)
                said = True
                if self.stop.wait(self.pause_seconds):
                    raise Stopped from e


def _caught_up(cluster: Cluster, stop: threading.Event) -> None:
    """Returns when each stage has committed everything that stood in its topic once the stage before it had.

    Raises: Stopped.
    """
    for stage in FLOW:
        _until_done(cluster, stage, stop)


def _until_done(cluster: Cluster, stage: Stage, stop: threading.Event) -> None:
    lag, since, said = -1, time.monotonic(), False
    while (now := _patiently(stop, lambda: _lag(cluster, stage))) > 0:
        if now != lag:
            lag, since = now, time.monotonic()
        elif not said and time.monotonic() - since > STILL_SECONDS:
            log.warning("%s stands %d behind and does not move: is a `rasd worker` running?", stage.name, now)
            said = True
        if stop.wait(LOOK_SECONDS):
            raise Stopped


def _lag(cluster: Cluster, stage: Stage) -> int:
    """Messages of a stage's topic that it has not committed."""
    topic = stage.reads.name
    with KafkaLog(cluster) as there:
        bounds = there.bounds(topic)
        at = {p: offset for name, t, p, offset in there.consumers() if (name, t) == (stage.name, topic)}
    return sum(max(0, b.next - max(b.first, at.get(b.partition, 0))) for b in bounds)
