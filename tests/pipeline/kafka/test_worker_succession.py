"""Messages that Faust drops on the way, and offsets that hold none: nothing is passed over, nothing waits for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

pytest.importorskip("aiokafka")

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalStateError
from faust.types import TP

from pipeline import wire
from pipeline.config import Config, load
from pipeline.flow import FLOW
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.kafka.topics import ensure_topics
from pipeline.records import Article
from pipeline.runtimes.kafka.faust_engine import FaustEngine, Place
from pipeline.runtimes.kafka.stage_engine import Incoming
from pipeline.runtimes.kafka.stagework import StageWork
from pipeline.runtimes.kafka.succession import Succession
from tests.builders import article

pytestmark = pytest.mark.kafka
DEDUPE = FLOW[0]


def numbered(n: int) -> Article:
    return article(id=f"a{n}", title=f"خبر رقم {n}", body=f"قال مصدر محلي إن {n} أشخاص وصلوا إلى بلدة رقم {n * 7}.")


def topics(kafka_config: Callable[..., Config], partitions: int = 1) -> Cluster:
    config = kafka_config(kafka_partitions=partitions)
    ensure_topics(config, wait=10)
    return cluster_of(config)


async def produced(cluster: Cluster, numbers: range, *, transaction: str | None = None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=list(cluster.servers), transactional_id=transaction)
    await producer.start()
    try:
        if transaction is not None:
            await producer.begin_transaction()
        for n in numbers:
            await producer.send(cluster.topic("rasd.articles"), wire.encode(numbered(n)), key=b"ar")
        await producer.flush()
        if transaction is not None:
            await producer.commit_transaction()
    finally:
        await producer.stop()


async def judged(
    cluster: Cluster, folder: Path, wanted: int, meanwhile: Callable[[FaustEngine], Awaitable[None]]
) -> None:
    """Runs dedupe by Faust in this process until so many messages are settled, and it knows that no more are there."""
    engine = FaustEngine(cluster, DEDUPE, Place("one", folder))
    engine.work = work = StageWork(DEDUPE, engine, batch=16)
    disturbing = asyncio.create_task(meanwhile(engine))
    try:
        await engine.start()
        end = time.monotonic() + 40
        while work.tally.settled < wanted or not engine.caught_up():
            assert not work.failed.done(), work.failed.result()
            assert engine.crash() is None
            assert time.monotonic() < end, f"{work.tally.settled} of {wanted} settled"
            await asyncio.sleep(0.05)
    finally:
        disturbing.cancel()
        await engine.stop()


def verdicts(cluster: Cluster) -> list[str]:
    with KafkaLog(cluster) as log:
        return [m.key or "" for m in log.scan("rasd.verdicts")]


def test_what_faust_empties_out_of_its_buffers_is_fetched_again(
    kafka_config: Callable[..., Config], tmp_path: Path
) -> None:
    cluster = topics(kafka_config)
    dropped = 0

    async def empty_buffers(engine: FaustEngine) -> None:
        """What a rebalance's end does, at the worst moments."""
        nonlocal dropped
        take = engine.work.take

        async def slowly(message: Incoming) -> None:
            await asyncio.sleep(0.002)
            await take(message)

        engine.work.take = slowly  # type: ignore[method-assign]
        for _ in range(3):
            while (held := sum(queue.qsize() for queue in engine.app.flow_control._queues)) < 5:
                await asyncio.sleep(0)
            dropped += held
            engine.app.flow_control.clear()
            await asyncio.sleep(0.3)

    async def run() -> None:
        await produced(cluster, range(600))
        await judged(cluster, tmp_path, 600, empty_buffers)

    asyncio.run(run())
    assert dropped >= 5
    assert verdicts(cluster) == [f"a{n}" for n in range(600)]


def test_what_it_empties_is_fetched_again_also_where_nothing_comes_after_it(
    kafka_config: Callable[..., Config], tmp_path: Path
) -> None:
    """Else the partition stands still until somebody writes to it."""
    cluster = topics(kafka_config, 2)
    dropped = 0

    async def empty_buffers(engine: FaustEngine) -> None:
        nonlocal dropped
        take, emptied = engine.work.take, asyncio.Event()

        async def after_that(message: Incoming) -> None:
            await emptied.wait()
            await take(message)

        engine.work.take = after_that  # type: ignore[method-assign]
        while (dropped := sum(queue.qsize() for queue in engine.app.flow_control._queues)) < 24:
            await asyncio.sleep(0.01)
        engine.app.flow_control.clear()
        emptied.set()

    async def run() -> None:
        await produced(cluster, range(25))
        await judged(cluster, tmp_path, 25, empty_buffers)

    asyncio.run(run())
    assert dropped == 24
    assert sorted(verdicts(cluster)) == sorted(f"a{n}" for n in range(25))


def test_offsets_without_a_message_hold_nothing_up(kafka_config: Callable[..., Config], tmp_path: Path) -> None:
    cluster = topics(kafka_config)

    async def nothing(engine: FaustEngine) -> None:
        return

    async def run() -> None:
        for n in range(3):  # each transaction ends in a marker, which takes an offset
            await produced(cluster, range(n * 5, n * 5 + 5), transaction=f"{cluster.prefix}t")
        begin = time.monotonic()
        await judged(cluster, tmp_path, 15, nothing)
        assert time.monotonic() - begin < 20

    asyncio.run(run())
    assert verdicts(cluster) == [f"a{n}" for n in range(15)]


def test_a_partition_that_is_taken_away_while_it_is_gone_back_to_is_no_error(tmp_path: Path) -> None:
    """The consumer's thread knows of a rebalance before anybody else does."""
    cluster = cluster_of(load(data=tmp_path, environ={"RASD_KAFKA_SERVERS": "127.0.0.1:9"}))
    sought = []

    class Moving:
        """A consumer that is further on than we are, and has lost the partition."""

        def __init__(self) -> None:
            self._read_offset: dict[object, int | None] = {TP(cluster.topic("rasd.articles"), 0): 9}

        async def seek_wait(self, partitions: object) -> None:
            sought.append(partitions)
            raise IllegalStateError

    async def run() -> None:
        succession = Succession(cluster, cluster.topic("rasd.articles"))
        succession._next[0] = 5
        succession._sought[0] = time.monotonic() - 60
        succession._first_from = first  # type: ignore[method-assign]
        await succession.insist(Moving(), waiting=True)
        succession.end()

    async def first(partition: int, offset: int) -> int:
        return offset

    asyncio.run(run())
    assert len(sought) == 1
