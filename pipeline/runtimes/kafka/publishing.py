"""From an event loop to Kafka: what was found is handed over, and the caller hears when every copy in sync has it."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from connectors.feedreader import Gets
from connectors.responses import Kind, Response
from pipeline import wire
from pipeline.errors import StorageError, Unusable
from pipeline.log.kafka.producer import Producer
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.kafka.fitting_rejects import LONGEST_KEY
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.turns import encoded

WAIT_SECONDS = 5.0  # without an acknowledgement, after which nothing more is asked for
LOOK_SECONDS = 0.2
KEEP_BYTES = 10_000  # of a record that brokers refused
_WHAT = {Entry: "entry", Article: "article", Reject: "reject"}
Found = Entry | Article | Reject


class Publishing:
    """Hands records to a producer; for one event loop. stage: by what name they are counted."""

    def __init__(self, producer: Producer, health: Health, stage: str, max_bytes: int) -> None:
        self._producer, self._health, self._stage, self._max_bytes = producer, health, stage, max_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rasd-publish")  # to wait for room, and to keep order
        self._waiting: dict[int, float] = {}  # calls under way, and since when
        self._calls = 0

    async def __call__(self, records: Sequence[Found]) -> None:
        """Returns once all copies in sync have the records; trouble of the brokers is waited out. What is too large, or
        refused by them for good, goes as a reject. Raises: StorageError where waiting cannot help."""
        if not records:
            return
        self._calls += 1
        call = self._calls
        self._waiting[call] = time.monotonic()
        try:
            refused = await self._hand_over(records)
            if refused and await self._hand_over(refused):
                raise StorageError("the brokers refuse even a short reject: see max.message.bytes of the topic rejects")
        finally:
            del self._waiting[call]

    async def _hand_over(self, records: Sequence[Found]) -> list[Reject]:
        """Returns the rejects of what brokers will never take."""
        sent, under_way = await asyncio.get_running_loop().run_in_executor(self._thread, self._send, records)
        refused = []
        for record, said in zip(
            sent, await asyncio.gather(*map(asyncio.wrap_future, under_way), return_exceptions=True), strict=True
        ):
            if isinstance(said, Unusable):
                refused.append(_short_reject(record, said))
            elif isinstance(said, BaseException):
                raise said
            else:
                self._count(record)
        return refused

    def _send(self, records: Sequence[Found]) -> tuple[list[Found], list[Future[Any]]]:
        pairs = [encoded(record, self._max_bytes) for record in records]
        return [record for record, _ in pairs], list(self._producer.send_records(pairs))

    def _count(self, record: Found) -> None:
        self._health.count("rasd_records_total", stage=self._stage, what=_WHAT[type(record)])
        if isinstance(record, Reject):
            self._health.count("rasd_rejects_total", stage=record.stage, reason=record.reason)

    async def flowing(self) -> None:
        """Waits while something has been without acknowledgement for long."""
        while self._waiting and time.monotonic() - min(self._waiting.values()) > WAIT_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


class AskWhileFlowing:
    """A client that asks for nothing while what was found cannot be handed on: memory stays bounded, and outlets are
    not asked for what we could not keep."""

    def __init__(self, client: Gets, publishing: Publishing) -> None:
        self._client, self._publishing = client, publishing

    async def get(self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None) -> Response:
        await self._publishing.flowing()
        return await self._client.get(url, kind=kind, headers=headers)


def _short_reject(record: Found, refused: Unusable) -> Reject:
    """What is kept of a record that brokers will not take."""
    if isinstance(record, Reject):
        key = record.key if record.key is None or len(record.key) <= LONGEST_KEY else None
        return replace(record, key=key, value=(record.value or "")[: KEEP_BYTES // 4 * 4], truncated=True)
    at = record.archive
    return Reject(
        stage="source",
        reason=refused.reason,
        error=str(refused),
        file=at.file if at else None,
        offset=at.offset if at else None,
        value=base64.b64encode(wire.encode(record)[:KEEP_BYTES]).decode(),
        truncated=True,
    )
