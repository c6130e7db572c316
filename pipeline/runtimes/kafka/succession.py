"""Nothing is passed over: messages of a partition are taken one after the other; what Faust dropped is fetched again.

When a rebalance ends, Faust lets its fetcher run, seeks to the committed offsets, and then empties its own buffers
(mode's `FlowControlEvent.resume`). What was fetched between the seek and that moment is gone, and its consumer has
moved on. Whoever commits behind what came later loses it for good: 30 of 2,500 articles in a run with 50 kills.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline.log.kafka.clients import HEADROOM, Cluster
from pipeline.runtimes.kafka.worker_sender import connection

log = logging.getLogger("rasd.worker")
RUN_OUT_SECONDS = 1.0  # after a seek, for what was fetched before it to run out
ANSWER_MS = 10_000


class Succession:
    """The offset that each partition's next message has."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self.cluster, self.topic = cluster, topic
        self._next: dict[int, int] = {}
        self._sought: dict[int, float] = {}  # partition → when its consumer was last sent back; until the message came

    def following(self, partition: int) -> int | None:
        """The offset that the next message has; None if the partition is not ours."""
        return self._next.get(partition)

    def end(self) -> None:
        self._next, self._sought = {}, {}

    async def begin(self, consumer: Any, partitions: Iterable[int]) -> None:
        """Takes up these partitions where their group stands. consumer: Faust's. Raises: KafkaError."""
        self.end()
        tps = [TP(self.topic, p) for p in partitions]
        if not tps:
            return
        committed: Mapping[TP, int | None] = {TP(*tp): at for tp, at in (await consumer.seek_to_committed()).items()}
        first, ends = await consumer.earliest_offsets(*tps), await consumer.highwaters(*tps)
        for tp in tps:
            at = committed.get(tp)
            if at is not None and at > (ends.get(tp) or 0):
                log.warning("%s[%d] was made anew: its group stood at %d", *tp, at)
                at = None
            self._next[tp.partition] = at if at is not None and at >= 0 else first.get(tp) or 0

    async def follows(self, consumer: Any, partition: int, offset: int) -> bool:
        """Whether the message at `offset` is the next one. If some before it were dropped, they are fetched again."""
        expected = self._next.get(partition)
        if expected is None or offset < expected:
            return False  # it was here already
        if offset > expected and not await self._all_there_is(consumer, partition, expected, offset):
            return False
        if self._next.get(partition) != expected:
            return False  # partitions moved meanwhile
        self._next[partition] = offset + 1
        self._sought.pop(partition, None)
        return True

    async def insist(self, consumer: Any) -> None:
        """To be called now and then: sends the consumer back again where the message did not come. What it had fetched
        before may have made it believe that it was further on already."""
        for partition, sought in list(self._sought.items()):
            if time.monotonic() - sought > RUN_OUT_SECONDS:
                expected = self._next[partition]
                first = await self._first_or(partition, expected, expected)
                if self._next.get(partition) == expected and partition in self._sought:
                    self._next[partition] = first  # what stood between was deleted meanwhile
                    await self._back(consumer, partition)

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
        await consumer.seek_wait({tp: expected})
        consumer._read_offset[tp] = expected or None  # as its `seek` does: else it drops what it read before

    async def _first_or(self, partition: int, offset: int, otherwise: int) -> int:
        try:
            return await self._first_from(partition, offset)
        except (KafkaError, OSError, TimeoutError) as e:
            log.debug("%s[%d]: %s", self.topic, partition, e)
            return otherwise

    async def _first_from(self, partition: int, offset: int) -> int:
        """Offset of the first message at or behind `offset`. Raises: KafkaError, TimeoutError."""
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
            found = await consumer.getmany(place, timeout_ms=ANSWER_MS, max_records=1)
            if not found.get(place):
                raise TimeoutError
            return int(found[place][0].offset)
        finally:
            await consumer.stop()
