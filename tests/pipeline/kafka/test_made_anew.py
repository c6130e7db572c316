"""A topic that is deleted and made anew under a reader is read from its beginning: offsets of the old one mean nothing
there, and what stands before them must not be passed over."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from connectors.sinks.jsonl import JsonlSink
from pipeline import wire
from pipeline.config import Config
from pipeline.errors import StorageError
from pipeline.log.kafka.clients import Cluster, cluster_of
from pipeline.log.kafka.follow import Following
from pipeline.log.kafka.joining import poll
from pipeline.log.where import Where
from pipeline.records import Entry, Reject
from pipeline.runtimes.kafka import entries as reading
from pipeline.runtimes.kafka import sinking_places
from pipeline.runtimes.kafka.entries import Entries
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.sinking_places import Kept, Shared
from pipeline.runtimes.kafka.sinking_turns import Sinking
from tests.kafka.fixtures import ConfigOf
from tests.pipeline.kafka.kit import Environment, delete_topic, make_topics, send_bytes
from tests.waiting import until

pytestmark = pytest.mark.kafka
EVENTS, ENTRIES = "rasd.events", "rasd.entries"
OLD, NEW = 5, 12  # messages: the new topic is longer, so that no broker says that our position is none of its


@pytest.fixture
def config(kafka_config: ConfigOf, kafka_environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(sinking_places, "METADATA_MS", 200)
    monkeypatch.setattr(reading, "GROW_SECONDS", 0.2)
    make_topics(kafka_environment, names=(EVENTS, ENTRIES, "rasd.rejects"))
    return kafka_config(worker_health="", run_pause_seconds=0.05)


@pytest.fixture
def cluster(config: Config) -> Cluster:
    return cluster_of(config)


def entry(number: int) -> bytes:
    return wire.encode(Entry(feed="https://a.example/rss", url=f"https://a.example/{number}"))


def make_anew(environment: Environment, topic: str) -> None:
    delete_topic(environment, topic)
    until(lambda: _made(environment, topic))
    send_bytes(environment, topic, *map(entry, range(NEW)))


def _made(environment: Environment, topic: str) -> bool:
    """The old one's files may still be there for a moment."""
    from kafka.errors import TopicAlreadyExistsError

    try:
        make_topics(environment, names=(topic,))
    except TopicAlreadyExistsError:
        return False
    return True


def offsets(consumer: Any, look: Callable[[], object], count: int) -> list[int]:
    found: list[int] = []
    end = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end:
        look()
        found += [r.offset for records in poll(consumer, 0.1).values() for r in records]
    return found


def test_processes_that_share_a_sink_read_all_of_it(
    cluster: Cluster, kafka_environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    send_bytes(kafka_environment, EVENTS, *map(entry, range(OLD)))
    places = Shared(cluster, "postgres", [EVENTS], "one")
    try:
        assert offsets(places.consumer, places.look, OLD) == list(range(OLD))
        make_anew(kafka_environment, EVENTS)
        assert {*offsets(places.consumer, places.look, NEW)} == {*range(NEW)}
    finally:
        places.close()
    assert "made anew: reading from the beginning" in caplog.text
    assert "rasd sinks reset postgres" in caplog.text


def test_a_sink_of_files_does_not_mix_it_with_what_it_holds(
    config: Config, cluster: Cluster, kafka_environment: Environment
) -> None:
    errors: list[BaseException] = []
    sink, stop = JsonlSink(config.data_dir), threading.Event()

    def places() -> Kept:
        return Kept(cluster, config.data_dir, sink.name, sink.topics)

    work = Sinking(config, cluster, sink, places, Health("", "sink"), stop)

    def run() -> None:
        try:
            work.run()
        except StorageError as e:
            errors.append(e)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        until(lambda: work.ready)
        time.sleep(0.5)  # until it has heard of the topic that there is
        make_anew(kafka_environment, EVENTS)
        until(lambda: bool(errors))
    finally:
        stop.set()
        thread.join(20)
    assert "rasd.events made anew" in str(errors[0])


def test_tail_reads_all_of_it(
    cluster: Cluster, kafka_environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    send_bytes(kafka_environment, EVENTS, *map(entry, range(OLD)))
    with Following(cluster, EVENTS, Where(), follow=True) as following:
        batches = following.batches()
        assert _read(batches, OLD) == list(range(OLD))
        make_anew(kafka_environment, EVENTS)
        assert {*_read(batches, NEW)} == {*range(NEW)}
    assert caplog.text.count("was made anew") <= 1


def _read(batches: Iterator[list[Any]], count: int) -> list[int]:
    found: list[int] = []
    end = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end:
        found += [record.offset for record in next(batches)]
    return found


def test_the_fetcher_takes_all_of_its_entries(cluster: Cluster, kafka_environment: Environment) -> None:
    send_bytes(kafka_environment, ENTRIES, *map(entry, range(OLD)))
    taken: list[Entry] = []

    async def main() -> None:
        go_on = asyncio.Event()

        async def take(entries: Sequence[Entry], rejects: Sequence[Reject]) -> None:
            taken.extend(entries)
            if len(taken) == OLD:
                await go_on.wait()

        work = Entries(cluster, take, instance="one", batch=500, health=Health("", "fetcher"), failed=go_on.set)
        work.start(asyncio.get_running_loop())
        try:
            while len(taken) < OLD:
                await asyncio.sleep(0.05)
            await asyncio.to_thread(make_anew, kafka_environment, ENTRIES)
            go_on.set()
            while len(taken) < OLD + NEW:
                await asyncio.sleep(0.05)
        finally:
            await asyncio.to_thread(work.join)

    asyncio.run(asyncio.wait_for(main(), 40))
    assert {e.url for e in taken} == {f"https://a.example/{n}" for n in range(NEW)}
