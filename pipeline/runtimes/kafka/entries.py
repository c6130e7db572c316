"""Entries from Kafka to whoever keeps them: a thread that reads as a member of the group `fetch`.

A batch is handed over, and its offsets are committed once it is durable on the other side: what was handed over and not
committed comes again after a kill, and is known then. While the other side takes its time the partitions are paused and
the group still hears of us, so that no other fetcher is given our work and none waits for us.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import CancelledError, Future, TimeoutError
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition, errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import FencedInstanceIdError, KafkaError
from kafka.structs import OffsetAndMetadata

from pipeline import wire
from pipeline.errors import RasdError
from pipeline.flow import Failure
from pipeline.log.kafka.clients import Cluster
from pipeline.log.kafka.identities import Identities, read_anew
from pipeline.log.kafka.joining import poll
from pipeline.log.kafka.reader import message_of
from pipeline.records import Entry, Reject
from pipeline.runtimes.kafka.fitting_rejects import fitted
from pipeline.runtimes.kafka.for_good import FOR_GOOD
from pipeline.runtimes.kafka.health import SILENT_SECONDS, Health
from pipeline.runtimes.kafka.sinking_places import topics_of
from pipeline.runtimes.live import FETCH
from pipeline.runtimes.turns import reject_of
from pipeline.topics import ENTRIES

log = logging.getLogger("rasd.fetch")

POLL_SECONDS = 0.25  # that a poll waits for entries
BUSY_SECONDS = 0.05  # between two polls while a batch is on its way
AGAIN_SECONDS = 1.0  # between two tries while brokers do not answer
COMMIT_SECONDS = 2.0
GROW_SECONDS = 30.0  # until partitions that the topic was given meanwhile are noticed
END_SECONDS = 2.0  # for the thread to end

#: What becomes of a commit while the group is given out anew.
_GIVEN_OUT = (
    errors.CommitFailedError,
    errors.RebalanceInProgressError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
)
#: Takes entries, and the rejects of messages that hold none; returns once all of it is durable.
Take = Callable[[Sequence[Entry], Sequence[Reject]], Awaitable[object]]


@dataclass(slots=True)
class _Batch:
    """following: by partition, the offset behind the batch."""

    messages: int
    following: dict[TopicPartition, int]
    taken: Future[None]


class Entries:
    """Reads the topic from `start` to `close`. One use.

    take: called in the event loop, one batch at a time. instance: the member's name, which it keeps over restarts.
    failed: called in the loop if reading ends for good; `error` says why. taken: entries handed over and committed.
    """

    def __init__(
        self, cluster: Cluster, take: Take, *, instance: str, batch: int, health: Health, failed: Callable[[], object]
    ) -> None:
        self.cluster, self.health = cluster, health
        self.taken = self.refused = self.behind = 0
        self.error: BaseException | None = None
        self._take, self._instance, self._batch, self._failed = take, instance, batch, failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rasd-entries", daemon=True)
        self._listener, self._identities = _Listener(), Identities()
        self._flight: _Batch | None = None
        self._pending: dict[TopicPartition, int] = {}  # durable on the other side, to be committed
        self._next: dict[TopicPartition, int] = {}  # where reading goes on
        self._said = self._joined = self._caught_up = False
        self._beaten = self._tried = time.monotonic()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        """Asks it to end. What is on its way is not waited for."""
        self._stop.set()

    def join(self) -> None:
        """Waits until it has left the brokers alone, END_SECONDS at most."""
        self.close()
        if self._thread.ident is not None:
            self._thread.join(END_SECONDS)

    @property
    def caught_up(self) -> bool:
        """True if the topic holds no entry for us that is not taken."""
        return self._caught_up

    @property
    def alive(self) -> bool:
        """False if the thread has shown no sign of life for long."""
        return time.monotonic() - self._beaten < SILENT_SECONDS

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            if (consumer := self._consumer()) is not None:
                try:
                    while not self._stop.is_set():
                        self._turn(consumer)
                    self._commit(consumer)
                finally:
                    consumer.close(timeout_ms=1000)
        except BaseException as e:
            self.error = e
            if self._loop is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._failed)

    def _consumer(self) -> KafkaConsumer | None:
        """Waits for brokers and topic; None if asked to stop meanwhile. Raises: RasdError."""
        while not self._stop.is_set():
            self._beaten = time.monotonic()
            try:
                topics_of(self.cluster, [ENTRIES.name])
                consumer = KafkaConsumer(
                    **self.cluster.consumer(),
                    group_id=self.cluster.group(FETCH),
                    group_instance_id=f"{self.cluster.group(FETCH)}.{self._instance}",
                    metadata_max_age_ms=int(GROW_SECONDS * 1000),
                    max_poll_interval_ms=60_000,
                    metrics_enabled=False,
                )
            except (KafkaError, OSError) as e:
                self._wait_out(e)
                continue
            consumer.subscribe([self.cluster.topic(ENTRIES.name)], listener=self._listener)
            return consumer
        return None

    def _turn(self, consumer: KafkaConsumer) -> None:
        self._beaten = time.monotonic()
        if self._flight is not None and _done(self._flight.taken, BUSY_SECONDS):
            self._land(consumer, self._flight)
        try:
            records = self._poll(consumer)
        except KafkaError as e:
            self._wait_out(e)
            return
        self._well()
        if records:
            self._hand_over(records)
        elif self._pending and self._flight is None and time.monotonic() - self._tried > AGAIN_SECONDS:
            self._commit(consumer)  # it failed before, and there is no next batch to go with
        self._measure(consumer)

    def _poll(self, consumer: KafkaConsumer) -> list[Any]:
        """The next messages; none while a batch is on its way."""
        busy = self._flight is not None
        if busy:
            consumer.pause(*consumer.assignment())
        if self._identities.made_anew(consumer):
            self._begin_anew(consumer)
        polled = poll(consumer, 0.0 if busy else POLL_SECONDS, self._batch)
        if self._listener.moved():
            self._moved(consumer)
        if busy:  # of partitions that were given to us just now
            for at, records in polled.items():
                consumer.seek(at, records[0].offset)
            return []
        return [record for records in polled.values() for record in records]

    def _begin_anew(self, consumer: KafkaConsumer) -> None:
        """The topic is another one: what is under way has no offset there."""
        log.warning("entries: the topic was made anew: reading from its beginning")
        if self._flight is not None:
            self._flight.following.clear()
        self._pending.clear()
        self._next.clear()
        read_anew(consumer, {self.cluster.topic(ENTRIES.name)})

    def _moved(self, consumer: KafkaConsumer) -> None:
        """Partitions were given out anew: what others may have now is not ours to commit."""
        self.health.count("rasd_rebalances_total")
        self.health.forget("rasd_consumer_lag", group=FETCH)
        mine, lost = consumer.assignment(), self._listener.lost()
        self._joined = True
        self._next.clear()
        self._pending = {} if lost else {at: n for at, n in self._pending.items() if at in mine}
        names = ", ".join(str(at.partition) for at in sorted(mine))
        log.info("entries: partitions %s", names or "none")

    def _hand_over(self, records: Sequence[Any]) -> None:
        assert self._loop is not None
        self._caught_up = False
        entries, rejects = [], []
        for record in records:
            try:
                entries.append(wire.decode(Entry, record.value or b""))
            except RasdError as e:
                message = message_of(self.cluster, record)
                reject = reject_of(message, FETCH, Failure(e.reason, str(e), e.retryable))
                rejects.append(fitted(reject, self.cluster.max_bytes))
        now = time.time() * 1000
        for record in records:
            self.health.observe("rasd_freshness_seconds", max(0.0, now - record.timestamp) / 1000, stage=FETCH)
        following = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}
        self._next.update(following)
        self.refused += len(rejects)
        taking = asyncio.run_coroutine_threadsafe(self._taken(entries, rejects), self._loop)
        self._flight = _Batch(len(records), following, taking)

    async def _taken(self, entries: Sequence[Entry], rejects: Sequence[Reject]) -> None:
        await self._take(entries, rejects)

    def _land(self, consumer: KafkaConsumer, batch: _Batch) -> None:
        """Raises: what the other side raised."""
        self._flight = None
        if batch.taken.cancelled():  # the loop is ending
            self._stop.wait(AGAIN_SECONDS)
            return
        batch.taken.result(0)
        self._pending.update(batch.following)
        self._commit(consumer)
        self.taken += batch.messages
        consumer.resume(*consumer.paused())

    def _commit(self, consumer: KafkaConsumer) -> None:
        """What cannot be committed now is tried again, or comes again. Raises: RasdError if it never can."""
        mine = consumer.assignment()
        offsets = {at: OffsetAndMetadata(n, "", -1) for at, n in self._pending.items() if at in mine}
        if not offsets:
            return
        self._tried = time.monotonic()
        try:
            consumer.commit(offsets, timeout_ms=COMMIT_SECONDS * 1000)
        except _GIVEN_OUT:
            log.info("entries: the partitions are given out anew; some entries will come again")
        except KafkaError as e:
            if isinstance(e, FOR_GOOD):
                raise self._refusal(e) from e
            log.debug("entries: not committed yet: %s", e)
            return
        else:
            self.health.count("rasd_commits_total", group=FETCH)
        self._pending.clear()

    # -- how it goes ---------------------------------------------------------------------------------------------------

    def _measure(self, consumer: KafkaConsumer) -> None:
        behind, known = 0, True
        mine = consumer.assignment()
        for at in mine:
            end = consumer.highwater(at)
            if end is None:
                known = False
                continue
            stands = self._next.get(at)
            if stands is None or (stands < end and self._flight is None):
                stands = self._stands(consumer, at)
            lag = max(0, end - stands)
            behind += lag
            self.health.gauge(
                "rasd_consumer_lag", lag, group=FETCH, topic=self.cluster.ours(at.topic), partition=at.partition
            )
        self.behind = behind
        self.health.ready = self._joined
        self._caught_up = self._joined and known and not behind and self._flight is None and not self._pending

    def _stands(self, consumer: KafkaConsumer, at: TopicPartition) -> int:
        """Where reading goes on: of what comes next, marks and aborted messages of transactions are no entries."""
        try:
            self._next[at] = int(consumer.position(at, timeout_ms=1000) or 0)
        except KafkaError:
            return 0
        return self._next[at]

    def _wait_out(self, error: Exception) -> None:
        """Says once that brokers do not answer, and waits a moment. Raises: RasdError where waiting cannot help."""
        if isinstance(error, FOR_GOOD):
            raise self._refusal(error) from error
        if not self._said:
            log.warning("entries: waiting: %s", error.args[0] if error.args else type(error).__name__)
        self._said = True
        self._caught_up = False
        self._stop.wait(AGAIN_SECONDS)

    def _refusal(self, error: KafkaError) -> RasdError:
        if isinstance(error, FencedInstanceIdError):
            said = f"another fetcher has the name {self._instance} in the group: give each its own worker.instance"
            return RasdError(said, reason="in-use")
        return RasdError(f"the brokers refuse: {type(error).__name__}: {error}", reason="refused")

    def _well(self) -> None:
        if self._said and self._next:
            self._said = False
            log.warning("entries: the brokers answer, going on")


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Remembers what `poll` did to the partitions; called in the client's own thread."""

    def __init__(self) -> None:
        self._moved = self._lost = False

    def moved(self) -> bool:
        """True once after partitions were given to us."""
        moved, self._moved = self._moved, False
        return moved

    def lost(self) -> bool:
        """True once after the group went on without us: others may have committed further than we did."""
        lost, self._lost = self._lost, False
        return lost

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """They are ours until others have them."""

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        self._lost = True

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._moved = True


def _done(future: Future[None], seconds: float) -> bool:
    """Whether it is over, waiting for it for so long."""
    try:
        future.exception(seconds)
    except TimeoutError:
        return False
    except CancelledError:
        pass
    return True
