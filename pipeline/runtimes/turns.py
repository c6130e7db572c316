"""The turns that the embedded runtime takes: each stage, each sink and the source, with its reader and its commit."""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections import deque
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from concurrent.futures import Future, TimeoutError
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Protocol

import orjson

from connectors.sinks import Sink
from pipeline import wire
from pipeline.errors import RasdError, Stalled, StoragePaused, WireError
from pipeline.flow import Failure, Made, Stage, loaded, make, make_many
from pipeline.log import Message
from pipeline.pool import result
from pipeline.records import Article, Entry, Record, Reject
from pipeline.topics import ARTICLES, ENTRIES, EVENTS, REJECTS, TOPICS, Topic

if TYPE_CHECKING:
    from pipeline.log.sqlite import SqliteLog
    from pipeline.runtimes.embedded import Embedded

log = logging.getLogger("rasd.flow")
CHUNK = 8  # articles per task of the pool: small enough to share out evenly, large enough to hide the pickling
SOURCE_SECONDS = 0.25  # a source's batch ends here even if it is not full, so that slow sources flow on
IDLE_SECONDS = 0.02  # while a source has nothing due
REJECTED = "source-rejects"  # state: what was already rejected, so that an archive replayed again adds none
KEEP_BYTES = 1_000_000  # of a rejected value; longer ones are cut and cannot be redriven


class Found(Protocol):
    """What a source yields: a record and how many raw items were read up to it."""

    @property
    def position(self) -> int: ...
    @property
    def record(self) -> Article | Reject: ...


class Source(Protocol):
    """Where articles come from. `identity` names it over restarts; `read(skip)` begins behind that many raw items
    and gives None when nothing is due just now."""

    @property
    def identity(self) -> str: ...
    def read(self, skip: int = 0) -> Iterator[Found | None]: ...


class Stopped(Exception):
    """The run was asked to stop while it waited for something."""


def given_up(why: Stalled) -> Made:
    """What an article comes to that stalled or killed its process alone as well."""
    return Made(what="reject", failure=Failure(why.reason, f"extraction {why}", retryable=True))


def reject_of(message: Message, stage: str, failure: Failure) -> Reject:
    """The reject that keeps a message whole, with where it stood."""
    cut = len(message.value) > KEEP_BYTES
    return Reject(
        stage=stage,
        reason=failure.reason,
        error=failure.error[:2000],
        retryable=failure.retryable,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=base64.b64encode(message.value[:KEEP_BYTES]).decode(),
        truncated=cut,
    )


class Reader:
    """Reads one topic for one consumer, from where it committed."""

    def __init__(self, runtime: Embedded, consumer: str, topic: Topic) -> None:
        self.log, self.consumer, self.topic = runtime.log, consumer, topic
        self.committed = runtime.log.consumed(consumer, topic.name)
        self.next = {p: max(n, runtime.log.first_offset(topic.name, p)) for p, n in self.committed.items()}
        self.taken = 0
        if any(self.next[p] > n for p, n in self.committed.items()):
            log.warning("%s begins after what was trimmed from %s", consumer, topic.name)

    def read(self, limit: int) -> list[Message]:
        """The next messages of the first partitions that have any; moves `next` on."""
        out: list[Message] = []
        for partition, start in self.next.items():
            if len(out) >= limit:
                break
            found = self.log.read(self.topic.name, partition, start, limit - len(out))
            if found:
                self.next[partition] = found[-1].offset + 1
                out += found
        return out

    def commit(self, batch: Sequence[Message]) -> None:
        """Inside a transaction. Raises: StorageError if another process has committed for this consumer."""
        for partition, following in _ends(batch).items():
            self.log.commit(self.consumer, self.topic.name, partition, following, expected=self.committed[partition])

    def done(self, batch: Sequence[Message]) -> None:
        """After the transaction."""
        self.committed.update(_ends(batch))
        self.taken += len(batch)

    def behind(self) -> int:
        return sum(self.log.next_offset(self.topic.name, p) - n for p, n in self.next.items())


def _ends(batch: Sequence[Message]) -> dict[int, int]:
    return {m.partition: m.offset + 1 for m in batch}


class LocalTurn:
    """A stage in the loop: read a batch, step, and write outputs, changes and offset at once."""

    def __init__(self, runtime: Embedded, stage: Stage, gazetteer: Path | None) -> None:
        self.runtime, self.stage = runtime, stage
        self.reader = Reader(runtime, stage.name, stage.reads)
        self.passed = 0
        self.step = loaded(stage, gazetteer)
        self.overlay = Overlay(runtime.log.state(stage.name))
        self.view = stage.view(self.overlay) if stage.view else None

    def turn(self) -> bool:
        messages = self.reader.read(self.runtime.batch)
        if not messages:
            return False
        batch = []
        for message in messages:
            made = make(self.stage, self.step, message.value, self.view)
            if made.changes and self.view is not None:
                self.overlay.put(made.changes)
                self.view.apply(made.changes)
            batch.append((message, made))
        self.runtime.durably(lambda: self._commit(batch))
        self.reader.done(messages)
        self.passed += sum(made.what == "output" for _, made in batch)
        self.overlay.clear()
        self.runtime.count(self.stage, batch)
        return True

    def _commit(self, batch: Sequence[tuple[Message, Made]]) -> None:
        with self.runtime.log.transaction():
            for message, made in batch:
                self.runtime.publish(message, made, self.stage.name)
            self.runtime.log.change(self.stage.name, self.overlay.changes)
            self.reader.commit([m for m, _ in batch])

    def behind(self) -> int:
        return self.reader.behind()

    def wait(self) -> bool:
        return False


class Overlay(Mapping[str, bytes]):
    """The durable mapping with the running batch's changes laid over it."""

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self.stored = stored
        self.changes: dict[str, bytes] = {}

    def put(self, changes: Mapping[str, bytes]) -> None:
        self.changes.update(changes)

    def clear(self) -> None:
        self.changes.clear()

    def settle(self, changes: Mapping[str, bytes]) -> None:
        """Takes off what is stored by now, unless it was changed again."""
        for key, value in changes.items():
            if self.changes.get(key) is value:
                del self.changes[key]

    def __getitem__(self, key: str) -> bytes:
        if key not in self.changes:
            return self.stored[key]
        if not self.changes[key]:
            raise KeyError(key)
        return self.changes[key]

    def __iter__(self) -> Iterator[str]:
        yield from (k for k in self.stored if k not in self.changes)
        yield from (k for k, v in self.changes.items() if v)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> ItemsView[str, bytes]:
        return super().items() if self.changes else self.stored.items()


class PooledTurn:
    """A stage in the pool: a window of batches in flight, committed strictly from its head."""

    def __init__(
        self, runtime: Embedded, stage: Stage, gazetteer: Path | None, window: int, task_seconds: float
    ) -> None:
        self.runtime, self.stage, self.gazetteer = runtime, stage, gazetteer
        self.window, self.task_seconds = window, task_seconds
        self.reader = Reader(runtime, stage.name, stage.reads)
        self.flying: deque[_Flight] = deque()
        self.passed = 0

    def turn(self) -> bool:
        moved = False
        while self.flying and self.flying[0].landed():
            self._land(self.flying.popleft())
            moved = True
            if self.runtime.stop.is_set():
                return True
        while len(self.flying) < self.window and (messages := self.reader.read(self.runtime.batch)):
            chunks = [messages[i : i + CHUNK] for i in range(0, len(messages), CHUNK)]
            self.flying.append(_Flight([(c, self._submit([m.value for m in c])) for c in chunks]))
            moved = True
        return moved

    def _submit(self, values: list[bytes]) -> Future[list[Made]]:
        return self.runtime.pool.submit(self.task_seconds, make_many, self.stage, self.gazetteer, values)

    def _land(self, flight: _Flight) -> None:
        batch = []
        for messages, future in flight.chunks:
            try:
                made = result(future)
            except Stalled as e:
                made = self._one_by_one(messages, e)
            batch += list(zip(messages, made, strict=True))
        self.runtime.durably(lambda: self._commit(batch))
        self.reader.done([m for m, _ in batch])
        self.passed += sum(made.what == "output" for _, made in batch)
        self.runtime.count(self.stage, batch)

    def _one_by_one(self, messages: Sequence[Message], why: Stalled) -> list[Made]:
        """Each article of a chunk that stalled or killed its process, once more and alone."""
        log.warning("a chunk of %d articles %s; running each alone", len(messages), why)
        out = []
        for message in messages:
            future = self._submit([message.value])
            try:
                out += self._await(future)
            except Stalled as e:
                out.append(given_up(e))
        return out

    def _await(self, future: Future[list[Made]]) -> list[Made]:
        while True:
            try:
                return result(future, wait=0.2)
            except TimeoutError:
                if self.runtime.stop.is_set():
                    raise Stopped from None

    def _commit(self, batch: Sequence[tuple[Message, Made]]) -> None:
        with self.runtime.log.transaction():
            for message, made in batch:
                self.runtime.publish(message, made, self.stage.name)
            self.reader.commit([m for m, _ in batch])

    def behind(self) -> int:
        return self.reader.behind()

    def wait(self) -> bool:
        """Waits a moment for the head of the window; True while anything is in flight."""
        if not self.flying:
            return False
        self.flying[0].wait(0.1)
        return True


@dataclass(slots=True)
class _Flight:
    """One batch in the pool, in chunks."""

    chunks: list[tuple[list[Message], Future[list[Made]]]]

    def landed(self) -> bool:
        return all(f.done() for _, f in self.chunks)

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for _, future in self.chunks:
            try:
                future.exception(timeout=max(0.0, end - time.monotonic()))
            except TimeoutError:
                return


def consumer_of(sink: str) -> str:
    """The name under which the log keeps a sink's offsets and state."""
    return f"sink-{sink}"


class SinkTurn:
    """A sink as a consumer: write a batch, flush, then commit its state with the offsets."""

    def __init__(self, runtime: Embedded, sink: Sink) -> None:
        self.runtime, self.sink = runtime, sink
        self.name = consumer_of(sink.name)
        self.readers = [Reader(runtime, self.name, TOPICS[t]) for t in sink.topics]
        self.refused = 0
        self.settled = False

    def resume(self) -> None:
        self.runtime.durably(lambda: self.sink.resume(self.runtime.log.state(self.name)))

    def turn(self) -> bool:
        batches = [(r, r.read(self.runtime.batch)) for r in self.readers]
        if not any(b for _, b in batches):
            return False
        self.runtime.durably(lambda: self._write(batches), lambda: self.sink.resume(self.runtime.log.state(self.name)))
        for reader, messages in batches:
            reader.done(messages)
        self.runtime.counts.sink_rejects += self.refused
        if not self.settled:  # an empty flush: the sink marks its files as known to this log, now that they are
            self.runtime.durably(self.sink.flush, lambda: self.sink.resume(self.runtime.log.state(self.name)))
            self.settled = True
        return True

    def _write(self, batches: Sequence[tuple[Reader, list[Message]]]) -> None:
        rejects = []
        for reader, messages in batches:
            for message in messages:
                try:
                    self.sink.write(decoded(reader.topic, message.value), message.value)
                except RasdError as e:
                    if isinstance(e, StoragePaused):
                        raise
                    rejects.append((message, Failure(e.reason, str(e), e.retryable)))
        changes = self.sink.flush()
        self.refused = len(rejects)
        with self.runtime.log.transaction():
            for message, failure in rejects:
                self.runtime.reject(reject_of(message, self.name, failure), message.time)
            self.runtime.log.change(self.name, changes)
            for reader, messages in batches:
                reader.commit(messages)


def decoded(topic: Topic, value: bytes) -> Record:
    """The record of a topic's message. Raises: WireError."""
    if topic is EVENTS:
        return wire.decode_coded(value)
    return wire.decode(topic.carries[0], value)


class Intake:
    """A source read batch by batch. Whoever writes a batch keeps `state()` with it, as one: with that state it goes on
    behind what was written.

    saved: the state kept last for this source; a source that was read to its end begins anew.
    """

    def __init__(self, source: Source, saved: bytes | None, *, batch: int, max_bytes: int, stop: Event) -> None:
        state = orjson.loads(saved or b"{}")
        start = 0 if state.get("done") else int(state.get("position", 0))
        if start:
            log.warning("going on with this archive behind its first %d records", start)
        self.position, self.done = start, False
        self._batch, self._max_bytes, self._stop = batch, max_bytes, stop
        self._items = source.read(start)

    def take(self) -> list[tuple[Entry | Article | Reject, bytes]] | None:
        """What is to be written next, which may be nothing but that the end is reached; None if nothing is due."""
        if self.done:
            return None
        found: list[Found] = []
        end = time.monotonic() + SOURCE_SECONDS
        for item in self._items:
            if item is None:
                break
            found.append(item)
            if len(found) >= self._batch or time.monotonic() > end or self._stop.is_set():
                break
        else:
            self.done = True
        if found:
            self.position = found[-1].position
        elif not self.done:
            return None
        return [encoded(item.record, self._max_bytes) for item in found]

    def state(self) -> bytes:
        return orjson.dumps({"position": self.position, "done": self.done})


class SourceTurn:
    """Reads a source into the log; where it stood is committed with what it gave."""

    STATE = "source"

    def __init__(self, runtime: Embedded, source: Source) -> None:
        self.runtime, self.source = runtime, source
        saved = runtime.log.state(self.STATE).get(source.identity)
        self.intake = Intake(source, saved, batch=runtime.batch, max_bytes=runtime.max_bytes, stop=runtime.stop)

    @property
    def done(self) -> bool:
        return self.intake.done

    def turn(self) -> bool:
        pairs = self.intake.take()
        if pairs is None:
            return False
        self.runtime.durably(lambda: self._commit(pairs))
        self.runtime.count_found([record for record, _ in pairs])
        return bool(pairs)

    def _commit(self, pairs: Sequence[tuple[Entry | Article | Reject, bytes]]) -> None:
        with self.runtime.log.transaction():
            append_found(self.runtime.log, pairs)
            self.runtime.log.change(self.STATE, {self.source.identity: self.intake.state()})

    def wait(self, seconds: float) -> None:
        """Until the source may have something due."""
        self.runtime.stop.wait(min(seconds, IDLE_SECONDS))

    def close(self) -> None:
        """Nothing is held."""


def append_found(store: SqliteLog, pairs: Sequence[tuple[Entry | Article | Reject, bytes]]) -> None:
    """Appends what a source found, each to its topic; a reject that was there already is not repeated. Inside a
    transaction."""
    known = store.state(REJECTED)
    for record, value in pairs:
        if isinstance(record, Reject):
            if (mark := mark_of(record)) not in known:
                store.change(REJECTED, {mark: b"1"})
                store.append(REJECTS.name, REJECTS.key(record), value)
        else:
            topic, key, time_ = addressed(record)
            store.append(topic.name, key, value, time_)


def addressed(record: Entry | Article | Reject) -> tuple[Topic, str | None, int | None]:
    """Where a record that a source found goes: topic, key, event time in ms."""
    if isinstance(record, Reject):
        return REJECTS, REJECTS.key(record), None
    topic, at = (ENTRIES if isinstance(record, Entry) else ARTICLES), record.published
    return topic, topic.key(record), None if at is None else int(at.timestamp() * 1000)


def mark_of(reject: Reject) -> str:
    """What tells a source's reject from all others: where it stood and what it was."""
    parts = "\x1f".join(map(str, (reject.file, reject.line, reject.offset, reject.reason, reject.value)))
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def encoded(record: Entry | Article | Reject, max_bytes: int) -> tuple[Entry | Article | Reject, bytes]:
    """A record with its bytes; an article that has none (a lone surrogate) or too many becomes a reject."""
    try:
        value = wire.encode(record)
        if isinstance(record, Reject) or len(value) <= max_bytes:
            return record, value
        failure = Failure("too-large", f"a record of {len(value):,} bytes; the limit is {max_bytes:,}")
    except WireError as e:
        value, failure = b"", Failure(e.reason, str(e))
    reject = unwritable(record, value, failure)
    return reject, wire.encode(reject)


def unwritable(record: Entry | Article | Reject, value: bytes, failure: Failure) -> Reject:
    """The reject of what a source gave and the log cannot hold."""
    at = None if isinstance(record, Reject) else record.archive
    return Reject(
        stage="source",
        reason=failure.reason,
        error=failure.error,
        file=at.file if at else None,
        offset=at.offset if at else None,
        value=base64.b64encode(value[:KEEP_BYTES]).decode(),
        truncated=True,
    )
