"""`rasd poller`: what feeds announce stands on the topic once, whatever is killed, stopped or edited meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.responses import Kind, Response
from pipeline import wire
from pipeline.config import Config
from pipeline.errors import FileError, StorageError, Unusable
from pipeline.log.kafka.headers import header
from pipeline.log.kafka.topics import ensure_topics
from pipeline.records import Entry, Reject
from pipeline.runtimes.kafka.health import Health
from pipeline.runtimes.kafka.polling import FeedList, run_poller
from pipeline.runtimes.kafka.publishing import AskWhileFlowing, Publishing
from tests.faults.kafka_site import ALLOWED
from tests.pipeline.cli.site import InProcess, Site, rss, serving
from tests.pipeline.kafka.live_kit import Process, read
from tests.waiting import until

broker = pytest.mark.kafka
Settings = Callable[..., Config]
SOON = 8.0  # seconds within which a process must have ended
INSIDE = {key.removeprefix("RASD_").lower(): value for key, value in ALLOWED.items()} | {"worker_health": "127.0.0.1:0"}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def config(kafka_config: Settings) -> Config:
    made = kafka_config(**INSIDE)
    ensure_topics(made)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feeds are read in this process."""
    monkeypatch.setattr("pipeline.runtimes.reading.Pool", InProcess)


def feed(site: Site, number: int, items: int = 3) -> str:
    """Serves a feed; gives its address."""
    shown = [(f"خبر {number}-{n}", f"{site.url}/{number}/{n}", "نص") for n in range(items)]
    return site.put(f"/feed/{number}", rss(*shown), "application/rss+xml")


def listed(path: Path, *addresses: str) -> Path:
    """Writes a list of feeds."""
    path.write_text("".join(f'[[feed]]\nurl = "{a}"\n\n' for a in addresses))
    return path


def announced(config: Config) -> Counter[str]:
    """How often each page's entry stands on the topic."""
    return Counter(wire.decode(Entry, r.value).url or "" for r in read(config, "rasd.entries"))


@contextmanager
def polling(config: Config, feeds: Path, **how: Any) -> Iterator[threading.Event]:
    """A poller in a thread of this process, ended well at the end."""
    stop, failed = threading.Event(), []

    def work() -> None:
        try:
            run_poller(config, feeds, stop, **how)
        except BaseException as e:
            failed.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(SOON)
        assert not thread.is_alive()
        assert not failed


@broker
def test_what_feeds_announce_stands_on_the_topic_once(config: Config, site: Site, tmp_path: Path, quick: None) -> None:
    feeds = listed(tmp_path / "feeds.toml", feed(site, 1), feed(site, 2))
    counts = run_poller(config, feeds, threading.Event(), once=True)
    assert (counts["polls"], counts["entries"]) == (2, 6)
    assert announced(config) == Counter(f"{site.url}/{f}/{n}" for f in (1, 2) for n in range(3))
    message = read(config, "rasd.entries")[0]
    assert message.key == b"127.0.0.1"
    assert header(message.headers, "rasd-schema") == b"rasd.entry/1"
    assert list((config.data_dir / "archive").glob("*.warc.gz"))
    again = run_poller(config, feeds, threading.Event(), once=True)
    assert (again["polls"], again["entries"]) == (2, 0)
    assert announced(config).total() == 6


@broker
def test_what_is_no_feed_becomes_a_reject(config: Config, site: Site, tmp_path: Path, quick: None) -> None:
    feeds = listed(tmp_path / "feeds.toml", site.put("/feed/1", "nothing of a feed", "text/plain"), feed(site, 2))
    counts = run_poller(config, feeds, threading.Event(), once=True)
    assert (counts["failed"], counts["entries"], counts["rejects"]) == (1, 3, 1)
    assert [header(r.headers, "rasd-schema") for r in read(config, "rasd.rejects")] == [b"rasd.reject/1"]


@broker
def test_kills_lose_no_entry_and_repeat_only_what_was_under_way(
    config: Config, site: Site, kafka_environment: dict[str, str], tmp_path: Path
) -> None:
    addresses = [feed(site, n) for n in range(40)]
    feeds = listed(tmp_path / "feeds.toml", *addresses)
    chance, kills = random.Random(3), 3
    for _ in range(kills):
        asked = len(site.asked)
        with Process(config.data_dir, kafka_environment, "poller", "--feeds", str(feeds), "--once") as process:
            process.until(lambda asked=asked: len(site.asked) > asked + 1 + chance.randint(0, 20))  # type: ignore[misc]
            process.kill()
    with Process(config.data_dir, kafka_environment, "poller", "--feeds", str(feeds), "--once") as process:
        assert process.wait() == 0, process.errors
    found = announced(config)
    assert set(found) == {f"{site.url}/{f}/{n}" for f in range(40) for n in range(3)}
    assert max(found.values()) <= kills + 1


@broker
def test_it_ends_soon_when_asked_to(
    config: Config, site: Site, kafka_environment: dict[str, str], tmp_path: Path
) -> None:
    feeds = listed(tmp_path / "feeds.toml", feed(site, 1))
    with Process(config.data_dir, kafka_environment, "poller", "--feeds", str(feeds)) as process:
        process.until(lambda: "/feed/1" in site.asked)
        with pytest.raises(StorageError, match="another process polls"):
            run_poller(config, feeds, threading.Event(), once=True)
        process.until(lambda: announced(config).total() == 3)
        assert process.terminate() < SOON
    assert "3 new entries" in process.errors


@broker
def test_a_list_that_appears_or_is_edited_counts_while_it_runs(
    config: Config, site: Site, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr("pipeline.runtimes.kafka.polling.LOOK_SECONDS", 0.05)
    feeds = tmp_path / "feeds.toml"
    with pytest.raises(FileError, match="no such list of feeds"):
        run_poller(config, feeds, threading.Event())
    with polling(config, feeds, wait=True):
        until(lambda: "waiting for it" in caplog.text)
        assert not site.asked
        listed(feeds, feed(site, 1))
        until(lambda: "/feed/1" in site.asked)
        feeds.write_text("[[feed]]\nurl = nonsense\n")
        until(lambda: "going on with the list as it was" in caplog.text)
        listed(feeds, feed(site, 1), feed(site, 2))
        until(lambda: "/feed/2" in site.asked)
    assert announced(config).total() == 6
    assert site.asked.count("/feed/1") == 1  # it was not due again


# -- without a broker --------------------------------------------------------------------------------------------------


def test_a_list_is_read_again_only_when_it_was_edited(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "feeds.toml"
    feeds = FeedList(path)
    assert not feeds.changed()
    assert not feeds.changed()
    assert caplog.text.count("waiting for it") == 1
    listed(path, "https://a.example/rss")
    assert feeds.changed()
    assert [f.url for f in feeds.feeds or ()] == ["https://a.example/rss"]
    assert not feeds.changed()
    os.utime(path, (1, 1))
    assert not feeds.changed()  # touched, and the same
    path.write_text("broken = [")
    assert not feeds.changed()
    assert not feeds.changed()
    assert caplog.text.count("going on with the list as it was") == 1
    path.unlink()
    assert not feeds.changed()
    assert [f.url for f in feeds.feeds or ()] == ["https://a.example/rss"]


class Broker:
    """A producer whose acknowledgements come when they are let."""

    def __init__(self) -> None:
        self.sent: list[Future[tuple[int, int]]] = []
        self.records: list[Any] = []

    def send_records(self, pairs: Sequence[tuple[Any, bytes]]) -> list[Future[tuple[int, int]]]:
        self.records += [record for record, _ in pairs]
        made: list[Future[tuple[int, int]]] = [Future() for _ in pairs]
        self.sent += made
        return made


class Client:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get(self, url: str, *, kind: Kind, headers: Any = None) -> Response:
        self.asked.append(url)
        raise RuntimeError("asked")


def test_no_feed_is_asked_while_what_was_found_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtimes.kafka.publishing.WAIT_SECONDS", 0.05)

    async def trying() -> None:
        producer, client = Broker(), Client()
        publishing = Publishing(producer, Health("", "poller"), "poller", 1000)  # type: ignore[arg-type]
        asks = AskWhileFlowing(client, publishing)
        with pytest.raises(RuntimeError):
            await asks.get("https://a.example/1", kind="feed")
        handed = asyncio.create_task(publishing([Entry(feed="https://a.example/rss", url="https://a.example/x")]))
        while not producer.sent:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        asking = asyncio.create_task(asks.get("https://a.example/2", kind="feed"))
        await asyncio.sleep(0.3)
        assert client.asked == ["https://a.example/1"]
        assert not handed.done()
        producer.sent[0].set_result((0, 0))
        await handed
        with pytest.raises(RuntimeError):
            await asking
        publishing.close()

    asyncio.run(asyncio.wait_for(trying(), 10))


def test_an_entry_that_is_too_large_goes_as_a_reject() -> None:
    async def trying() -> Health:
        producer, health = Broker(), Health("", "poller")
        publishing = Publishing(producer, health, "poller", 100)  # type: ignore[arg-type]
        handed = asyncio.create_task(publishing([Entry(feed="https://a.example/rss", body="x" * 200)]))
        while not producer.sent:
            await asyncio.sleep(0.01)
        producer.sent[0].set_result((0, 0))
        await handed
        publishing.close()
        return health

    health = asyncio.run(asyncio.wait_for(trying(), 10))
    counted = {m.name: [(s.labels, s.value) for s in m.samples] for m in health.collect()}
    assert counted["rasd_records"] == [({"stage": "poller", "what": "reject"}, 1.0)]
    assert counted["rasd_rejects"] == [({"stage": "source", "reason": "too-large"}, 1.0)]


def test_what_brokers_refuse_for_good_goes_as_a_short_reject() -> None:
    async def trying() -> list[Any]:
        producer = Broker()
        publishing = Publishing(producer, Health("", "poller"), "poller", 1_000_000)  # type: ignore[arg-type]
        large = Entry(feed="https://a.example/rss", body="x" * 50_000)
        handed = asyncio.create_task(
            publishing([large, Entry(feed="https://a.example/rss", url="https://a.example/1")])
        )
        while len(producer.sent) < 2:
            await asyncio.sleep(0.01)
        producer.sent[0].set_exception(Unusable("refused by the brokers: too large", reason="too-large"))
        producer.sent[1].set_result((0, 1))
        while len(producer.sent) < 3:
            await asyncio.sleep(0.01)
        assert not handed.done()
        producer.sent[2].set_result((0, 2))
        await handed
        publishing.close()
        return producer.records

    found = asyncio.run(asyncio.wait_for(trying(), 10))
    assert [type(record) for record in found] == [Entry, Entry, Reject]
    assert (found[2].reason, found[2].truncated) == ("too-large", True)
    assert len(found[2].value) < 20_000
