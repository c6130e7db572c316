"""Messages of transactions that other programs write: read once they are committed, and never if they are aborted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import pytest
from kafka import KafkaProducer

from pipeline import wire
from pipeline.config import Config
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.reader import KafkaLog
from pipeline.records import Entry, Event, Reject
from pipeline.runtimes.kafka.entries import Entries
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.sinking import run_sinks
from tests.kafka.fixtures import ConfigOf
from tests.pipeline.cli.kit import golden
from tests.pipeline.kafka.kit import Environment, call, make_topics

pytestmark = pytest.mark.kafka
EVENTS, ENTRIES = "rasd.events", "rasd.entries"


@pytest.fixture
def config(kafka_config: ConfigOf, kafka_environment: Environment) -> Config:
    make_topics(kafka_environment)
    return kafka_config(worker_health="", run_pause_seconds=0.05)


@contextmanager
def other_program(config: Config) -> Iterator[KafkaProducer]:
    cluster = cluster_of(config)
    with closing(KafkaProducer(**cluster.common(), transactional_id=cluster.prefix)) as producer:
        producer.init_transactions()
        yield producer


def write(producer: KafkaProducer, config: Config, topic: str, value: bytes) -> None:
    producer.begin_transaction()
    producer.send(cluster_of(config).topic(topic), value=value, partition=0).get(20)


def test_an_aborted_event_is_shown_to_nobody_and_becomes_no_row(config: Config, kafka_environment: Environment) -> None:
    kept, aborted = (wire.encode(golden(Event, id=id)) for id in ("kept", "aborted"))
    with other_program(config) as producer:
        for value in (kept, aborted):
            write(producer, config, EVENTS, value)
            producer.commit_transaction() if value == kept else producer.abort_transaction()
    assert call(kafka_environment, "tail", "events").lines == [kept.decode()]
    with KafkaLog(cluster_of(config)) as log:
        assert [m.value for m in log.scan(EVENTS)] == [kept]
    assert run_sinks(config, ["jsonl"], until_idle=0.4)["jsonl"].taken == 1


def test_a_transaction_that_is_open_holds_no_reader_up(config: Config) -> None:
    with other_program(config) as producer, KafkaLog(cluster_of(config), seconds=3) as log:
        write(producer, config, EVENTS, b"1")
        producer.commit_transaction()
        write(producer, config, EVENTS, b"2")
        assert [m.value for m in log.scan(EVENTS)] == [b"1"]
        producer.commit_transaction()
        end = time.monotonic() + 10
        while (found := [m.value for m in log.scan(EVENTS)]) != [b"1", b"2"]:
            assert time.monotonic() < end, found


def test_the_fetcher_has_caught_up_behind_what_was_aborted(config: Config) -> None:
    value = wire.encode(Entry(feed="https://a.example/rss", url="https://a.example/1"))
    with other_program(config) as producer:
        for end in (producer.commit_transaction, producer.abort_transaction):
            write(producer, config, ENTRIES, value)
            end()
    taken: list[Entry] = []

    async def main() -> None:
        async def take(entries: Sequence[Entry], rejects: Sequence[Reject]) -> None:
            taken.extend(entries)

        work = Entries(
            cluster_of(config), take, instance="one", batch=5, health=Health("", "fetcher"), failed=lambda: None
        )
        work.start(asyncio.get_running_loop())
        try:
            while not (taken and work.caught_up):
                await asyncio.sleep(0.05)
        finally:
            await asyncio.to_thread(work.join)

    asyncio.run(asyncio.wait_for(main(), 30))
    assert len(taken) == 1
