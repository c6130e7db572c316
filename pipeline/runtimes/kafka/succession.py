"""Nothing is passed over: messages of a partition are taken one after the other; what Faust dropped is fetched again.

When a rebalance ends, Faust lets its fetcher run, seeks to the committed offsets, and then empties its own buffers
(mode's `FlowControlEvent.resume`). What was fetched between the seek and that moment is gone, and its consumer has
moved on. Whoever commits behind what came later loses it for good: 30 of 2,500 articles in a run with 50 kills. Where
nothing comes later, the partition stands still until something does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP

from pipeline.log.kafka.clients import HEADROOM, Cluster
from pipeline.runtimes.kafka.worker_sender import connection

log = logging.getLogger("rasd.worker")
RUN_OUT_SECONDS = 1.0  # after a seek, for what was fetched before it to run out
PASSED_OVER_SECONDS = 2.0  # that a message may take from the consumer to us while we wait for one
PASSED_BY = 1000  # messages of other partitions that may come before it: many times what Faust holds
ANSWER_SECONDS = 10.0
ASK_MS = 500


@dataclass(slots=True)
class _Ahead:
    """A consumer that is further on than we are. expected: the offset we wait for; seen: messages until then."""

    expected: int
    since: float
    seen: int


class Succession:
    """The offset that each partition's next message has."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self.cluster, self.topic = cluster, topic
        self._next: dict[int, int] = {}
        self._sought: dict[int, float] = {}  # partition → when its consumer was last sent back; until the message came
        self._ahead: dict[int, _Ahead] = {}  # partition → since when its consumer is further on than we are
        self._seen = 0

    def following(self, partition: int) -> int | None:
        """The offset that the next message has; None if the partition is not ours."""
        return self._next.get(partition)

    def end(self) -> None:
        self._next, self._sought, self._ahead = {}, {}, {}

    async def begin(self, consumer: Any, partitions: Iterable[int], *, from_the_first: bool = False) -> None:
        """Takes up these partitions where their group stands, or at the first messages there are.

        consumer: Faust's. Raises: KafkaError.
        """
        self.end()
        tps = [TP(self.topic, p) for p in partitions]
        if not tps:
            return
        committed: Mapping[TP, int | None] = {TP(*tp): at for tp, at in (await consumer.seek_to_committed()).items()}
        first, ends = await consumer.earliest_offsets(*tps), await consumer.highwaters(*tps)
        for tp in tps:
            at = None if from_the_first else committed.get(tp)
            if at is not None and at > (ends.get(tp) or 0):
                log.warning("%s[%d] was made anew: its group stood at %d", *tp, at)
                at = None
            self._next[tp.partition] = at if at is not None and at >= 0 else first.get(tp) or 0

    async def follows(self, consumer: Any, partition: int, offset: int) -> bool:
        """Whether the message at `offset` is the next one. If some before it were dropped, they are fetched again."""
        expected = self._next.get(partition)
        self._seen += 1
        if expected is None or offset < expected:
            return False  # it was here already
        if offset > expected and not await self._all_there_is(consumer, partition, expected, offset):
            return False
        if self._next.get(partition) != expected:
            return False  # partitions moved meanwhile
        self._next[partition] = offset + 1
        self._sought.pop(partition, None)
        return True

    async def insist(self, consumer: Any, *, waiting: bool) -> None:
        """To be called now and then: sends the consumer back where it is further on than we are and the message did not
        come. waiting: whether the next message that comes is taken at once."""
        for partition, expected in list(self._next.items()):
            if not self._is_ahead(consumer, partition, expected):
                self._ahead.pop(partition, None)
                continue
            now = time.monotonic()
            ahead = self._ahead.get(partition)
            if ahead is None or ahead.expected != expected:
                self._ahead[partition] = ahead = _Ahead(expected, now, self._seen)
            if not waiting:
                ahead.since = now
            sought = self._sought.get(partition)
            if sought is not None:
                missed = now - sought > RUN_OUT_SECONDS
            else:
                missed = now - ahead.since > PASSED_OVER_SECONDS or self._seen - ahead.seen > PASSED_BY
            if missed:
                first = await self._first_or(partition, expected, expected)
                if self._next.get(partition) == expected and self._sought.get(partition) == sought:
                    if sought is None:
                        log.warning("%s[%d]: %d did not come; fetching again", self.topic, partition, expected)
                    self._next[partition] = first  # what stood between was deleted meanwhile, or is no message
                    await self._back(consumer, partition)

    def _is_ahead(self, consumer: Any, partition: int, expected: int) -> bool:
        """Whether the consumer, or Faust behind it, holds the message at `expected` for given out."""
        tp = TP(self.topic, partition)
        if (consumer._read_offset.get(tp) or 0) > expected:
            return True
        # To ask for the position is a call into the consumer's thread, which waits where the broker is away. Faust's
        # own watch reads it like this.
        assignment = consumer._thread._ensure_consumer()._subscription.subscription.assignment
        state = assignment.state_value(TopicPartition(*tp)) if assignment is not None else None
        return state is not None and state.has_valid_position and state.position > expected

    async def _all_there_is(self, consumer: Any, partition: int, expected: int, offset: int) -> bool:
        """Whether the topic holds nothing between; if it does, goes back to it."""
        if partition in self._sought:
            return False  # fetched before the consumer was sent back
        if await self._first_or(partition, expected, expected) >= offset:
            return True  # markers of transactions, or records that were deleted
        if self._next.get(partition) == expected and partition not in self._sought:
            last = offset - 1
            log.warning(
                "%s[%d]: %d to %d were dropped on the way; fetching again", self.topic, partition, expected, last
            )
            await self._back(consumer, partition)
        return False

    async def _back(self, consumer: Any, partition: int) -> None:
        tp, expected = TP(self.topic, partition), self._next[partition]
        self._sought[partition] = time.monotonic()
        with contextlib.suppress(IllegalStateError):  # it is being taken away; the next begins where we stood
            await consumer.seek_wait({tp: expected})
        consumer._read_offset[tp] = expected or None  # as its `seek` does: else it drops what it read before

    async def _first_or(self, partition: int, offset: int, otherwise: int) -> int:
        try:
            return await self._first_from(partition, offset)
        except (KafkaError, OSError, TimeoutError) as e:
            log.debug("%s[%d]: %s", self.topic, partition, e)
            return otherwise

    async def _first_from(self, partition: int, offset: int) -> int:
        """Offset of the first message at or behind `offset`, or of where it will stand if there is none yet.

        Raises: KafkaError, TimeoutError.
        """
        place = TopicPartition(self.topic, partition)
        consumer = AIOKafkaConsumer(
            **connection(self.cluster),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=self.cluster.max_bytes + HEADROOM,
        )
        await consumer.start()
        try:
            consumer.assign([place])
            consumer.seek(place, offset)
            end = time.monotonic() + ANSWER_SECONDS
            while time.monotonic() < end:
                found = await consumer.getmany(place, timeout_ms=ASK_MS, max_records=1)
                if found.get(place):
                    return int(found[place][0].offset)
                if (at := int(await asyncio.wait_for(consumer.position(place), ANSWER_SECONDS))) > offset:
                    return at  # past the markers of transactions
            raise TimeoutError
        finally:
            await consumer.stop()
