"""What a stage sends: outputs and changelog, by an idempotent producer of its own.

Faust's producer is idempotent only with transactions, and what it has in hand when its app crashes goes with it. This
one waits trouble out: brokers that are away, leaders that move, too few copies in sync. Whatever is not acknowledged is
sent again, all of it and in order, so that what is read last is what was made last; readers know repeated messages by
id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed
from aiokafka.structs import RecordMetadata

from pipeline.errors import RasdError
from pipeline.log.kafka.clients import HEADROOM, Cluster
from pipeline.log.kafka.door import trouble
from pipeline.log.partition import partition_of
from pipeline.runtimes.kafka.stage_engine import Outgoing, TooLarge

log = logging.getLogger("rasd.worker")
LINGER_MS = 5
BATCH_BYTES = 256_000
AGAIN_SECONDS = 0.5  # before what failed is sent again
REQUEST_SECONDS = 10.0
REFUSED = 3  # times that brokers answer and let us not in, until that is believed
STOP_SECONDS = 0.5  # for what is acknowledged already, only the connections are left to close


def connection(cluster: Cluster) -> dict[str, Any]:
    """How aiokafka's clients reach the cluster."""
    found = dict(cluster.security)
    files = {name: found.pop(f"ssl_{name}", None) for name in ("cafile", "certfile", "keyfile")}
    if "SSL" in found["security_protocol"]:
        from aiokafka.helpers import create_ssl_context

        found["ssl_context"] = create_ssl_context(**files)
    return {"bootstrap_servers": list(cluster.servers), "client_id": "rasd", **found}


#: Topic there, partition (None: by key), key, value (None deletes), headers.
Row = tuple[str, int | None, bytes | None, bytes | None, Sequence[tuple[str, bytes]]]


class Sender:
    """Sends for one engine, from its start to its end; trouble is told once, and that it is over."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._producer: AIOKafkaProducer | None = None
        self._partitions: Mapping[str, int] = {}
        self._told = False
        self.repeated = False  # something had to be sent twice: offsets tell nothing about other writers then
        self._making = asyncio.Lock()
        self._gone = asyncio.Event()  # set when the producer is abandoned, for all who wait for what it has in hand

    @property
    def in_trouble(self) -> bool:
        """Whether brokers do not take what is sent just now."""
        return self._told

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Returns when all are acknowledged. Raises: TooLarge."""
        await self._until_sent([(self._cluster.topic(m.topic), None, m.key, m.value, m.headers) for m in messages])

    async def log_changes(self, topic: str, partition: int, changes: Sequence[tuple[str, bytes]]) -> int:
        """Sends state's changes; offset of the last one. Raises: TooLarge."""
        sent = await self._until_sent([(topic, partition, k.encode(), v or None, ()) for k, v in changes])
        return int(sent[-1].offset)

    async def abandon(self) -> None:
        """Ends at once: what is not acknowledged is not sent any more."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self._gone.set()
        self._gone = asyncio.Event()
        producer._closed = True
        task = producer._sender.sender_task if producer._sender is not None else None
        if task is not None:
            task.cancel()
        with contextlib.suppress(TimeoutError, KafkaError, OSError, asyncio.CancelledError):
            await asyncio.wait_for(producer.client.close(), STOP_SECONDS)

    async def _until_sent(self, rows: list[Row]) -> list[RecordMetadata]:
        while True:
            producer: AIOKafkaProducer | None = None
            try:
                producer = await self._ensured()
                sent = await self._attempt(producer, rows)
            except (KafkaError, OSError, AssertionError, TimeoutError) as e:
                if not self._told:
                    log.warning("cannot send: %s. Nothing is lost; trying again until it is taken", _words(e))
                    self._told = True
                self.repeated = True
                if producer is self._producer:  # else another has done it, and others use the next one already
                    await self.abandon()
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                if self._told:
                    log.warning("messages are taken again, going on")
                    self._told = False
                return sent

    async def _attempt(self, producer: AIOKafkaProducer, rows: list[Row]) -> list[RecordMetadata]:
        """Raises: TooLarge, KafkaError."""
        futures: list[asyncio.Future[RecordMetadata]] = []
        for at, (topic, partition, key, value, headers) in enumerate(rows):
            if partition is None:
                text = None if key is None else key.decode("utf-8", "replace")
                partition = partition_of(text, len(await producer.partitions_for(topic)))
            try:
                futures.append(
                    await producer.send(topic, value, key=key, partition=partition, headers=list(headers) or None)
                )
            except MessageSizeTooLargeError as e:
                await self._outcomes(producer, futures)
                raise TooLarge(f"a message of {len(value or b''):,} bytes is not taken", at) from e
        outcomes = await self._outcomes(producer, futures)
        for at, outcome in enumerate(outcomes):
            if isinstance(outcome, MessageSizeTooLargeError):
                raise TooLarge(f"a message of {len(rows[at][3] or b''):,} bytes is not taken by {rows[at][0]}", at)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [o for o in outcomes if not isinstance(o, BaseException)]

    async def _outcomes(
        self, producer: AIOKafkaProducer, futures: Sequence[asyncio.Future[RecordMetadata]]
    ) -> list[RecordMetadata | BaseException]:
        """What became of each. Raises: ProducerClosed if the producer was abandoned meanwhile."""
        if producer is not self._producer:
            raise ProducerClosed
        gone: asyncio.Future[Any] = asyncio.ensure_future(self._gone.wait())
        all_: asyncio.Future[Any] = asyncio.gather(*futures, return_exceptions=True)
        try:
            await asyncio.wait({all_, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not all_.done():
                raise ProducerClosed
            return list(all_.result())
        finally:
            gone.cancel()
            all_.add_done_callback(_looked_at)
            all_.cancel()

    async def _ensured(self) -> AIOKafkaProducer:
        async with self._making:
            if self._producer is None:
                self._producer = await new_producer(self._cluster)
            return self._producer


async def new_producer(cluster: Cluster) -> AIOKafkaProducer:
    """A producer that is connected. Raises: KafkaError."""
    producer = AIOKafkaProducer(
        **connection(cluster),
        enable_idempotence=True,
        acks="all",
        compression_type=cluster.compression,
        max_request_size=cluster.max_bytes + HEADROOM,
        max_batch_size=BATCH_BYTES,
        linger_ms=LINGER_MS,
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
    )
    try:
        await producer.start()
    except BaseException:
        with contextlib.suppress(Exception):
            await producer.client.close()
        producer._closed = True
        raise
    return producer


def _looked_at(future: asyncio.Future[Any]) -> None:
    """So that the loop does not complain of what nobody waits for any more."""
    if not future.cancelled():
        future.exception()


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def topics_there(cluster: Cluster, names: Sequence[str], seconds: float) -> Mapping[str, int]:
    """Partitions of topics, by our names, as soon as all are there.

    Raises: RasdError if one is not there after `seconds` of a broker's answering, Unreachable if brokers refuse us;
    waits while none answers.
    """
    from aiokafka.client import AIOKafkaClient

    end: float | None = None
    told, refused = False, 0
    while True:
        client = AIOKafkaClient(**connection(cluster))
        try:
            await client.bootstrap()
            found = await client.fetch_all_metadata()
            known = {n: len(p) for n in names if (p := found.partitions_for_topic(cluster.topic(n)))}
            if len(known) == len(names):
                return known
            end = end or time.monotonic() + seconds
            missing = ", ".join(cluster.topic(n) for n in names if n not in known)
            if time.monotonic() > end:
                raise RasdError(f"no topic {missing}: `rasd topics create` makes them", reason="no-topic")
            if not told:
                log.warning("waiting for topics to be made: %s", missing)
        except (KafkaError, OSError):
            fault = await asyncio.to_thread(trouble, cluster)
            refused = 0 if fault.retryable else refused + 1
            if refused == REFUSED:
                raise fault from None
            if not told:
                log.warning("no broker lets us in (%s); trying again until one does", fault)
        finally:
            with contextlib.suppress(Exception):
                await client.close()
        told = True
        await asyncio.sleep(1.0)
