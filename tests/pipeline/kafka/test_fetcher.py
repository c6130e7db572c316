"""`rasd fetcher`: entries of the topic become articles; kills, stops and brokers that go away lose none."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline import wire
from pipeline.config import Config
from pipeline.errors import StorageError
from pipeline.log.kafka.clients import cluster_of
from pipeline.log.kafka.headers import event_time, header
from pipeline.log.kafka.topics import ensure_topics
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.kafka.entries import Entries
from pipeline.runtimes.kafka.fetching import Fetched, member_of, run_fetcher
from pipeline.runtimes.kafka.health import Health
from pipeline.topics import ENTRIES
from tests.faults.kafka_site import ALLOWED, Site, announce
from tests.kafka.cluster import free_ports
from tests.kafka.fixtures import config_on
from tests.pipeline.cli.site import InProcess
from tests.pipeline.kafka.live_kit import Process, committed, read
from tests.waiting import until

pytestmark = pytest.mark.kafka
Settings = Callable[..., Config]
SOON = 8.0  # seconds within which a process must have ended
INSIDE = {key.removeprefix("RASD_").lower(): value for key, value in ALLOWED.items()} | {"worker_health": "127.0.0.1:0"}


@pytest.fixture
def config(kafka_config: Settings) -> Config:
    """Settings under which the site may be asked; the topics are there."""
    made = kafka_config(**INSIDE, kafka_partitions=6)
    ensure_topics(made)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read in this process."""
    monkeypatch.setattr("pipeline.runtimes.reading.Pool", InProcess)


@pytest.fixture
def slow_site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "site", 120, seconds=0.05) as site:
        yield site


def topic_of(config: Config) -> str:
    return cluster_of(config).topic(ENTRIES.name)


def articles(config: Config) -> Counter[str]:
    """How often each article stands on the topic, by id."""
    return Counter(wire.decode(Article, r.value).id for r in read(config, "rasd.articles"))


def fetched_once(config: Config) -> Fetched:
    return run_fetcher(config, threading.Event(), once=True)


def test_entries_become_articles_each_once(config: Config, kafka: str, tmp_path: Path, quick: None) -> None:
    with Site(tmp_path / "site", 30) as site:
        announce(kafka, topic_of(config), site.entries())
        done = fetched_once(config)
        assert articles(config) == Counter(site.article_ids())
        assert (done.entries, done.rejects, done.pages.new) == (30, 0, 30)
        again = fetched_once(config)
        assert (again.entries, again.pages.requests, site.answered) == (0, 0, 30)
    message = read(config, "rasd.articles")[0]
    article = wire.decode(Article, message.value)
    assert message.key == b"ar"
    assert header(message.headers, "rasd-schema") == b"rasd.article/1"
    assert (header(message.headers, "traceparent") or b"").startswith(b"00-")
    assert article.published is not None
    assert event_time(message.headers) == int(article.published.timestamp() * 1000)
    assert sum(n or 0 for n in committed(config, ENTRIES.name, "fetch").values()) == 30


def test_what_is_no_entry_becomes_a_reject_and_holds_nothing_up(
    config: Config, kafka: str, tmp_path: Path, quick: None
) -> None:
    bad = [b"rubbish", b"", b'{"schema": "rasd.entry/99"}', b"[" * 5000, b"\xff\xfe"]
    with Site(tmp_path / "site", 4) as site:
        announce(kafka, topic_of(config), [bad[0], *site.entries(range(2)), *bad[1:], *site.entries(range(2, 4))])
        done = fetched_once(config)
        assert articles(config) == Counter(site.article_ids())
    assert (done.entries, done.rejects) == (9, 5)
    rejects = [wire.decode(Reject, r.value) for r in read(config, "rasd.rejects")]
    assert {(r.stage, r.topic, r.partition) for r in rejects} == {("fetch", "rasd.entries", 0)}
    assert Counter(r.reason for r in rejects) == {"bad-json": 3, "bad-record": 1, "wrong-schema": 1}
    assert len({r.offset for r in rejects}) == 5
    assert fetched_once(config).rejects == 0


def test_kills_with_pages_under_way_lose_none(
    config: Config, kafka: str, kafka_environment: dict[str, str], tmp_path: Path, slow_site: Site
) -> None:
    announce(kafka, topic_of(config), slow_site.entries())
    chance, in_hand = random.Random(6), 0
    for _ in range(3):
        with Process(config.data_dir, kafka_environment, "fetcher") as process:
            before = slow_site.answered
            process.until(lambda before=before: slow_site.answered >= before + chance.randint(3, 20))  # type: ignore[misc]
            process.until(lambda: slow_site.open > 0)
            process.kill()
            in_hand += 64 + slow_site.open  # asked for, or fetched and not settled yet
    begin = time.monotonic()
    with Process(config.data_dir, kafka_environment, "fetcher", "--once") as process:
        assert process.wait() == 0, process.errors
    assert time.monotonic() - begin < 20
    found = articles(config)
    assert set(found) == slow_site.article_ids()
    assert found.total() <= slow_site.pages + in_hand


def test_it_ends_soon_when_asked_to_with_slow_pages_in_hand(
    config: Config, kafka: str, kafka_environment: dict[str, str], tmp_path: Path
) -> None:
    with (
        Site(tmp_path / "site", 40, seconds=20.0) as site,
        Process(config.data_dir, kafka_environment, "fetcher") as process,
    ):
        announce(kafka, topic_of(config), site.entries())
        process.until(lambda: site.open >= 8)
        assert process.terminate() < SOON
    assert "0 new articles" in process.errors
    assert not read(config, "rasd.articles")


def test_it_tells_how_it_goes(config: Config, kafka: str, kafka_environment: dict[str, str], tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"

    def said(path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    environment = {**kafka_environment, "RASD_WORKER_HEALTH": address}
    with Site(tmp_path / "site", 5) as site, Process(config.data_dir, environment, "fetcher") as process:
        process.until(lambda: said("/ready") == "ready\n")
        assert said("/live") == "live\n"
        announce(kafka, topic_of(config), site.entries())
        process.until(lambda: 'rasd_records_total{stage="fetcher",what="article"} 5.0' in said("/metrics"))
        metrics = said("/metrics")
    assert 'rasd_consumer_lag{group="fetch",partition="0",topic="rasd.entries"} 0.0' in metrics
    assert 'rasd_freshness_seconds_count{stage="fetch"} 5.0' in metrics
    assert 'rasd_commits_total{group="fetch"}' in metrics


def test_two_fetchers_share_the_hosts(
    config: Config, kafka: str, kafka_environment: dict[str, str], tmp_path: Path, slow_site: Site
) -> None:
    first = Process(tmp_path / "first", kafka_environment, "fetcher", "--json")
    second = Process(tmp_path / "second", kafka_environment, "fetcher", "--json")
    with first, second:
        halves = {"entries: partitions 0, 1, 2", "entries: partitions 3, 4, 5"}
        until(
            lambda: {p.errors.strip().rpartition("\n")[2] for p in (first, second)} == halves,
            why=lambda: first.errors + second.errors,
        )
        announce(kafka, topic_of(config), slow_site.entries())
        until(lambda: articles(config) == Counter(slow_site.article_ids()))
        assert max(first.terminate(), second.terminate()) < SOON
    assert slow_site.answered == slow_site.pages
    for one in (first, second):
        assert "0 new articles" not in one.errors


def test_a_second_fetcher_over_the_same_folder_is_told_so(config: Config, kafka_environment: dict[str, str]) -> None:
    with Process(config.data_dir, kafka_environment, "fetcher") as process:
        process.until((config.data_dir / "fetcher.lock").exists)
        process.until(lambda: "partitions" in process.errors)
        with pytest.raises(StorageError, match="another process fetches"):
            fetched_once(config)


# -- the reading of entries --------------------------------------------------------------------------------------------


class Slow:
    """Takes entries when it is allowed to."""

    def __init__(self) -> None:
        self.batches: list[list[str | None]] = []
        self.allowed = asyncio.Event()

    async def take(self, entries: Sequence[Entry], rejects: Sequence[Reject]) -> None:
        self.batches.append([e.url for e in entries])
        await self.allowed.wait()


def test_while_a_batch_is_on_its_way_nothing_is_read_nor_committed(config: Config, kafka: str, tmp_path: Path) -> None:
    addresses = [f"https://a.example/{n}" for n in range(10)]
    announce(kafka, topic_of(config), [Entry(feed="https://a.example/rss", url=a) for a in addresses])

    async def reading() -> Slow:
        slow = Slow()
        entries = Entries(
            cluster_of(config),
            slow.take,
            instance="one",
            batch=3,
            health=Health("", "fetcher"),
            failed=slow.allowed.set,
        )
        entries.start(asyncio.get_running_loop())
        try:
            while not slow.batches:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            assert slow.batches == [addresses[:3]]
            assert not any(await asyncio.to_thread(lambda: list(committed(config, ENTRIES.name, "fetch").values())))
            slow.allowed.set()
            while not entries.caught_up:
                await asyncio.sleep(0.01)
            assert entries.taken == 10
        finally:
            await asyncio.to_thread(entries.join)
        assert entries.error is None
        return slow

    slow = asyncio.run(asyncio.wait_for(reading(), 30))
    assert [a for batch in slow.batches for a in batch] == addresses
    assert sum(n or 0 for n in committed(config, ENTRIES.name, "fetch").values()) == 10


def test_a_name_that_another_member_takes_is_told(config: Config, kafka: str) -> None:
    async def taking() -> tuple[BaseException | None, BaseException | None]:
        slow = Slow()
        slow.allowed.set()
        both, failed = [], asyncio.Event()
        for _ in range(2):
            entries = Entries(
                cluster_of(config), slow.take, instance="one", batch=3, health=Health("", "fetcher"), failed=failed.set
            )
            both.append(entries)
            entries.start(asyncio.get_running_loop())
            while not entries.caught_up:
                await asyncio.sleep(0.01)
        # Only what the first does next shows it that it is one no more: it hears of it by its own commit.
        announce(kafka, topic_of(config), [Entry(feed="https://a.example/rss", url="https://a.example/1")])
        await failed.wait()
        for entries in both:
            await asyncio.to_thread(entries.join)
        return both[0].error, both[1].error

    first, second = asyncio.run(asyncio.wait_for(taking(), 30))
    assert "give each its own worker.instance" in str(first)
    assert second is None


def test_entries_stay_on_the_topic_while_the_frontier_is_full(
    kafka_config: Settings, kafka: str, kafka_environment: dict[str, str], tmp_path: Path
) -> None:
    config = kafka_config(**INSIDE)
    ensure_topics(config)
    environment = {**kafka_environment, "RASD_FETCH_BACKLOG": "100", "RASD_FETCH_CONNECTIONS": "4"}
    with Site(tmp_path / "site", 1200, seconds=0.2) as site:
        announce(kafka, topic_of(config), site.entries())
        with Process(config.data_dir, environment, "fetcher") as process:
            process.until(lambda: "pages wait (fetch.backlog)" in process.errors)
            assert sum(n or 0 for n in committed(config, ENTRIES.name, "fetch").values()) <= 500
            assert process.terminate() < SOON


def test_a_member_keeps_its_name_and_no_two_folders_share_one(kafka_config: Settings, tmp_path: Path) -> None:
    one, other = kafka_config(), config_on("127.0.0.1:1", "rasd.", tmp_path / "other")
    for config in (one, other):
        config.data_dir.mkdir()
    assert member_of(one) == member_of(one) != member_of(other)
    named = kafka_config(worker_instance="fetcher one/1")
    assert member_of(named) == "fetcher-one-1"


def test_counts_are_told_as_json(
    config: Config, kafka: str, kafka_environment: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Site(tmp_path / "site", 3) as site:
        announce(kafka, topic_of(config), site.entries())
        with Process(config.data_dir, kafka_environment, "fetcher", "--once", "--json") as process:
            assert process.wait() == 0, process.errors
    said: dict[str, Any] = json.loads(capfd.readouterr().out)
    assert (said["entries"], said["rejects"], said["pages"]["new"]) == (3, 0, 3)
