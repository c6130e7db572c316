"""One sink as a consumer on Kafka: read a batch, write it, flush, keep the sink's state and the offsets, go on.

What is read and not yet committed is read again after a kill; the sink makes the effect exactly once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.errors import FencedInstanceIdError, KafkaError

from connectors.sinks import Sink
from pipeline import wire
from pipeline.config import Config
from pipeline.errors import RasdError, StoragePaused
from pipeline.flow import Failure
from pipeline.log.kafka.clients import Cluster
from pipeline.log.kafka.headers import TRACE, header, schema_of
from pipeline.log.kafka.joining import poll
from pipeline.log.kafka.producer import Producer
from pipeline.log.kafka.reader import message_of
from pipeline.runtimes.embedded import PASSING
from pipeline.runtimes.kafka.fitting_rejects import fitted
from pipeline.runtimes.kafka.for_good import FOR_GOOD
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.sinking_places import Kept, Places, lost
from pipeline.runtimes.turns import Stopped, consumer_of, decoded, reject_of
from pipeline.topics import REJECTS, TOPICS

T = TypeVar("T")
log = logging.getLogger("rasd.sinks")
HELD_BYTES = 64_000_000  # of a batch, beyond which nothing is added to it
GATHER_SECONDS = 0.2  # a batch that is not full by then is written as it is
GROW_SECONDS = 30.0  # between two looks for new partitions
SAY_SECONDS = 30.0  # between two lines on how it goes
PAUSED_POLL_SECONDS = 1.0  # while nothing can be written, the group is told so often that we live


@dataclass(slots=True)
class SinkCounts:
    """taken: messages written and committed. refused: of them, those that became rejects. behind: left in the log."""

    taken: int = 0
    refused: int = 0
    behind: int = 0


@dataclass(slots=True)
class Sinking:
    """A sink at work. `run` returns when `stop` is set, or (until_idle) when nothing came for so many seconds.

    beaten: monotonic time at which it last showed that it goes on. ready: it stands where it left off.
    """

    config: Config
    cluster: Cluster
    sink: Sink
    places: Callable[[], Places]
    health: Health
    stop: threading.Event
    counts: SinkCounts = field(default_factory=SinkCounts)
    beaten: float = field(default_factory=time.monotonic)
    ready: bool = False

    def run(self, until_idle: float | None = None) -> None:
        """Raises: StorageError, RasdError for brokers that refuse us."""
        try:
            places = self._begin()
            try:
                _Turns(self, places).run(until_idle)
            finally:
                self.sink.close()
                places.close()
        except Stopped:
            pass
        except KafkaError as e:
            raise _refusal(self.name, e) from e

    @property
    def name(self) -> str:
        return consumer_of(self.sink.name)

    def beat(self) -> None:
        self.beaten = time.monotonic()

    def _begin(self) -> Places:
        """Waits for brokers and topics."""
        said = False
        while True:
            self.beat()
            try:
                return self.places()
            except (KafkaError, StoragePaused) as e:
                if isinstance(e, KafkaError) and not getattr(e, "retriable", False):
                    raise RasdError(f"{self.name}: the brokers refuse: {e}", reason="refused") from e
                if not said:
                    log.warning("%s waits: %s", self.name, str(e).removeprefix(f"{type(e).__name__}: "))
                said = True
            if self.stop.wait(self.config.run.pause_seconds):
                raise Stopped


class _Turns:
    """The loop of one sink between its begin and its end."""

    def __init__(self, sinking: Sinking, places: Places) -> None:
        self.at, self.places, self.sink = sinking, places, sinking.sink
        self.consumer = places.consumer
        self.topics = {sinking.cluster.topic(t): TOPICS[t] for t in sinking.sink.topics}
        self.batch = sinking.config.sinks.batch
        self.producer: Producer | None = None
        self.next: dict[Any, int] = {}
        self.settled = False
        self.grown = self.spoke = self.moved = time.monotonic()
        self.unwell = False

    def run(self, until_idle: float | None) -> None:
        try:
            self._durably(lambda: self.sink.resume(self.places.state))
            self.at.ready = True
            while not self.at.stop.is_set():
                moved = self._turn()
                self._look_around()
                if until_idle is not None and not moved and self._idle(until_idle):
                    break
        finally:
            if self.producer is not None:
                self.producer.close(2.0)

    def _turn(self) -> bool:
        self.places.look()
        records = self._gather()
        if not records:
            return False
        self._gaps(records)
        refused = self._durably(lambda: self._write(records))
        self.moved = time.monotonic()
        self.at.counts.taken += len(records)
        self.at.counts.refused += refused
        self._measure(records, refused)
        if not self.settled:  # an empty flush: the sink marks its files as known, now that they are
            self._durably(self.sink.flush)
            self.settled = True
        return True

    # -- reading -----------------------------------------------------------------------------------------------------

    def _gather(self) -> list[Any]:
        """Messages of all partitions, topics in the sink's order; none after a fifth of a second without any."""
        held: list[Any] = []
        end = time.monotonic() + GATHER_SECONDS
        while True:
            left = max(0.0, end - time.monotonic())
            polled = self._poll(left, self.batch - len(held))
            if self.places.taken_away():
                mine = self.consumer.assignment()
                held = [r for r in held if (r.topic, r.partition) in mine]
                self.next.clear()
                self.at.health.count("rasd_rebalances_total")
                self.at.health.forget("rasd_consumer_lag", group=self.at.name)
            if not held and polled:
                end = time.monotonic() + GATHER_SECONDS
            held += polled
            full = len(held) >= self.batch or sum(len(r.value or b"") for r in held) > HELD_BYTES
            if full or time.monotonic() >= end or self.at.stop.is_set():
                order = {name: i for i, name in enumerate(self.topics)}
                return sorted(held, key=lambda r: order[r.topic])

    def _poll(self, seconds: float, limit: int) -> list[Any]:
        self.at.beat()
        try:
            found = poll(self.consumer, seconds, limit)
        except KafkaError as e:
            if isinstance(e, FOR_GOOD):
                raise _refusal(self.at.name, e) from e
            if not self.unwell:
                log.warning("%s waits for the brokers: %s", self.at.name, e)
            self.unwell = True
            self.at.stop.wait(GATHER_SECONDS)
            return []
        self.unwell = False
        return [record for records in found.values() for record in records]

    def _gaps(self, records: Sequence[Any]) -> None:
        """Says where records were deleted before they were read."""
        for record in records:
            at = (record.topic, record.partition)
            expected = self.next.get(at)
            if expected is not None and record.offset > expected:
                where = TopicPartition(*at)
                with suppress(KafkaError):
                    first = self.consumer.beginning_offsets([where], timeout_ms=2_000)[where]
                    if first > expected:
                        log.warning("%s: %s", self.at.name, lost(where, expected, first))
            self.next[at] = record.offset + 1

    # -- writing -----------------------------------------------------------------------------------------------------

    def _write(self, records: Sequence[Any]) -> int:
        """Writes and commits a batch; returns how many of it became rejects."""
        refused = []
        for record in records:
            value = record.value or b""
            try:
                self.sink.write(decoded(self.topics[record.topic], value), value)
            except RasdError as e:
                if isinstance(e, StoragePaused):
                    raise
                refused.append((record, Failure(e.reason, str(e), e.retryable)))
        changes = self.sink.flush()
        if refused:
            self._reject(refused)
        self.places.commit({TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}, changes)
        self.at.health.count("rasd_commits_total", group=self.at.name)
        return len(refused)

    def _reject(self, refused: Sequence[tuple[Any, Failure]]) -> None:
        """Returns once the rejects are acknowledged."""
        if self.producer is None:
            self.producer = Producer(self.at.cluster, stop=self.at.stop)
        for record, failure in refused:
            message = message_of(self.at.cluster, record)
            reject = fitted(reject_of(message, self.at.name, failure), self.at.cluster.max_bytes)
            value = wire.encode(reject)
            self.producer.send(
                REJECTS.name,
                reject.key,
                value,
                schema=schema_of(value),
                time=message.time,
                trace=header(record.headers, TRACE),
            )
            self.at.health.count("rasd_rejects_total", stage=self.at.name, reason=failure.reason)
        self.producer.flush()

    def _durably(self, write: Callable[[], T]) -> T:
        """Does `write` until it succeeds; while storage refuses, says so once, waits, resumes the sink, tries again.

        Raises: Stopped if asked to stop meanwhile: nothing of it is kept.
        """
        refused: Exception | None = None
        while True:
            self.at.beat()
            try:
                if refused is not None:
                    self.sink.resume(self.places.state)
                done = write()
            except (StoragePaused, OSError) as e:
                if isinstance(e, OSError) and e.errno not in PASSING:
                    raise
                if refused is None:
                    log.warning(
                        "%s paused: %s. Nothing is lost; trying again every %g s",
                        self.at.name,
                        e,
                        self.at.config.run.pause_seconds,
                    )
                refused = e
                self._wait(self.at.config.run.pause_seconds)
            else:
                if refused is not None:
                    log.warning("%s: storage is back, going on", self.at.name)
                return done

    def _wait(self, seconds: float) -> None:
        """Waits and goes on polling, without reading, so that the group does not count us out."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.at.stop.wait(min(left, PAUSED_POLL_SECONDS)):
                raise Stopped
            self.consumer.pause(*self.consumer.assignment())
            for record in reversed(self._poll(0.1, 100)):  # of partitions that were given to us just now
                self.consumer.seek(TopicPartition(record.topic, record.partition), record.offset)
        self.consumer.resume(*self.consumer.assignment())

    # -- how it goes -------------------------------------------------------------------------------------------------

    def _measure(self, records: Sequence[Any], refused: int) -> None:
        health, now = self.at.health, time.time()
        for record in records:
            health.observe("rasd_freshness_seconds", max(0.0, now - record.timestamp / 1000), stage=self.at.name)
        health.count("rasd_records_total", len(records) - refused, stage=self.at.name, what="written")
        if refused:
            health.count("rasd_records_total", refused, stage=self.at.name, what="reject")

    def _look_around(self) -> None:
        """Lag, new partitions, a line from time to time."""
        behind = 0
        for at in self.consumer.assignment():
            end, stands = self.consumer.highwater(at), self.next.get((at.topic, at.partition))
            if end is not None and stands is not None:
                lag = max(0, end - stands)
                behind += lag
                ours = self.at.cluster.ours(at.topic)
                self.at.health.gauge("rasd_consumer_lag", lag, group=self.at.name, topic=ours, partition=at.partition)
        counts, now = self.at.counts, time.monotonic()
        counts.behind = behind
        if now - self.spoke > SAY_SECONDS and self.moved > self.spoke:
            self.spoke = now
            log.info("%s: %s", self.at.sink.name, how_it_goes(counts))
        if isinstance(self.places, Kept) and now - self.grown > GROW_SECONDS:
            self.grown = now
            with suppress(KafkaError):
                self.places.grow()

    def _idle(self, seconds: float) -> bool:
        """Nothing came for so long, and nothing is left of the partitions that we have."""
        if time.monotonic() - self.moved < seconds:
            return False
        try:
            mine = self.consumer.assignment()
            ends = self.consumer.end_offsets(list(mine), timeout_ms=2_000)
            return bool(mine) and all(self.consumer.position(at, timeout_ms=1_000) == ends[at] for at in mine)
        except KafkaError:
            return False


def how_it_goes(counts: SinkCounts) -> str:
    rejects = f", {counts.refused:,} of them rejects" if counts.refused else ""
    return f"{counts.taken:,} records taken{rejects}; {counts.behind:,} behind"


def _refusal(name: str, error: KafkaError) -> RasdError:
    if isinstance(error, FencedInstanceIdError):
        return RasdError(
            f"{name}: another process has the same name in the group: give each its own worker.instance",
            reason="in-use",
        )
    return RasdError(f"{name}: the brokers refuse: {type(error).__name__}: {error}", reason="refused")
