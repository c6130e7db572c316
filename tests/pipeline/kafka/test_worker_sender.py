"""What the worker sends, on a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("aiokafka")

from aiokafka.errors import KafkaConnectionError

from pipeline.config import Config
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.reader import KafkaLog
from pipeline.log.kafka.topics import ensure_topics
from pipeline.log.partition import partition_of
from pipeline.runtimes.kafka import worker_sender
from pipeline.runtimes.kafka.stage_engine import Outgoing, TooLarge
from pipeline.runtimes.kafka.worker_sender import Sender

pytestmark = pytest.mark.kafka
EVENTS = "rasd.events"


@pytest.fixture
def cluster(kafka_config: Callable[..., Config]) -> Cluster:
    config = kafka_config(kafka_partitions=3)
    ensure_topics(config, wait=10)
    return cluster_of(config)


def run(job: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(job, 30))


def messages(count: int, size: int = 10) -> list[Outgoing]:
    return [Outgoing(EVENTS, b"k%d" % n, b"%d " % n + b"x" * size, [("a", b"1")]) for n in range(count)]


def test_messages_stand_where_the_embedded_log_has_them_and_in_order(cluster: Cluster) -> None:
    async def job() -> None:
        sender = Sender(cluster)
        await sender.send([*messages(20), Outgoing(EVENTS, None, b"no key", ())])
        assert await sender.log_changes(cluster.topic(EVENTS), 2, [("a", b"1"), ("b", b"")]) > 0
        await sender.abandon()

    run(job())
    with KafkaLog(cluster) as log:
        found = list(log.scan(EVENTS))
    assert {m.value: m.partition for m in found if m.value.endswith(b"x")} == {
        m.value: partition_of((m.key or b"").decode(), 3) for m in messages(20)
    }
    assert [m.partition for m in found if m.value == b"no key"] == [0]
    for partition in range(3):
        numbers = [int(m.value.split()[0]) for m in found if m.partition == partition and m.value.endswith(b"x")]
        assert numbers == sorted(numbers)


def test_a_message_that_is_too_large_is_named_by_its_place(cluster: Cluster) -> None:
    async def job() -> None:
        sender = Sender(cluster)
        with pytest.raises(TooLarge) as caught:
            await sender.send([*messages(3), *messages(1, size=9_000_000)])
        assert caught.value.at == 3
        await sender.send(messages(1))
        await sender.abandon()

    run(job())


def test_what_an_abandoned_producer_had_in_hand_is_sent_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One who waits hears of it when another gave the producer up."""

    async def job() -> None:
        sender = Sender(cluster)
        await sender.send(messages(1))
        first = await sender._ensured()
        sender_task = first._sender.sender_task
        monkeypatch.setattr(first.client, "send", _nobody)
        waiting = asyncio.create_task(sender.send(messages(5)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await sender.abandon()
        await waiting
        assert sender_task.done()
        assert sender.repeated
        await sender.abandon()

    run(job())
    with KafkaLog(cluster) as log:
        assert {m.key for m in log.scan(EVENTS)} == {f"k{n}" for n in range(5)}
    assert sum("cannot send" in r.message for r in caplog.records) == 1
    assert sum("taken again" in r.message for r in caplog.records) == 1


async def _nobody(*_: object, **__: object) -> None:
    raise KafkaConnectionError("nobody answers")


class Fake:
    """A producer that fails for topic a, and for topic b later, when told to; the second one takes all."""

    def __init__(self, number: int, gate: asyncio.Event) -> None:
        self.number, self.gate, self.took, self._closed, self._sender = number, gate, list[str](), False, None
        self.client, self.held = self, asyncio.Event()
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def close(self) -> None: ...

    async def send(self, topic: str, *_: Any, **__: Any) -> asyncio.Future[Any]:
        if self.number == 0:
            if topic == "b":
                self.held.set()
            await (self.gate if topic == "b" else self.held).wait()
            raise KafkaConnectionError
        self.took.append(topic)
        return self.done


def test_one_that_fails_late_does_not_take_the_next_producer_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def job() -> None:
        gate, made = asyncio.Event(), list[Fake]()

        async def make(_: Cluster) -> Any:
            made.append(Fake(len(made), gate))
            return made[-1]

        monkeypatch.setattr(worker_sender, "new_producer", make)
        monkeypatch.setattr(worker_sender, "AGAIN_SECONDS", 0.01)
        sender = Sender(cast(Cluster, None))
        sending = [asyncio.create_task(sender.log_changes(topic, 0, [("k", b"v")])) for topic in "ab"]
        while len(made) < 2 or not made[1].took:
            await asyncio.sleep(0.01)
        gate.set()
        while len(made[1].took) < 2 and len(made) == 2:
            await asyncio.sleep(0.01)
        made[1].done.set_result(SimpleNamespace(offset=7))
        assert await asyncio.gather(*sending) == [7, 7]
        assert made[1].took == ["a", "b"]

    asyncio.run(asyncio.wait_for(job(), 10))
