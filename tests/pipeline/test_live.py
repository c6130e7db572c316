"""Live ingestion beside the runtime: what is found reaches the log before anybody hears that it did."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from connectors.clock import SystemClock
from pipeline.config import Config, DataSettings
from pipeline.errors import StoragePaused
from pipeline.log.sqlite import SqliteLog
from pipeline.pool import Pool
from pipeline.records import Article, Entry, Reject
from pipeline.runtimes.embedded import Counts, Embedded
from pipeline.runtimes.ingest import Ingest
from pipeline.runtimes.live import FETCH, Live
from pipeline.wire import decode
from tests.builders import article

ENTRIES = [Entry(feed="https://a.example/rss", url=f"https://a.example/{n}", title=f"t{n}") for n in range(5)]


class Fetcher:
    """Takes entries and publishes an article for each."""

    def __init__(self, live: Live) -> None:
        self.live, self.taken = live, []  # type: ignore[var-annotated]
        self.whole = asyncio.Event()

    async def take(self, entries: Sequence[Entry]) -> None:
        self.taken += entries
        await self.live.publish([article(f"نص الخبر {e.url}", id=e.url or "") for e in entries])
        if len(self.taken) >= len(ENTRIES):
            self.whole.set()


def run(
    tmp_path: Path,
    ingest: object,
    *,
    stop: threading.Event | None = None,
    store: SqliteLog | None = None,
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Counts:
    store = store or SqliteLog(tmp_path / "log.sqlite")
    pool = Pool(1)
    try:
        runtime = Embedded(store, [], pool, flow=(), pause_seconds=0.01, stop=stop)
        return runtime.run(Live(ingest, new_loop=new_loop), follow=False)  # type: ignore[arg-type]
    finally:
        pool.close()
        store.close()


def messages(tmp_path: Path, topic: str) -> list[bytes]:
    store = SqliteLog(tmp_path / "log.sqlite", readonly=True)
    try:
        return [m.value for m in store.scan(topic)]
    finally:
        store.close()


async def newsroom(live: Live, stop: asyncio.Event) -> None:
    live.fetcher = fetcher = Fetcher(live)
    await live.publish(ENTRIES)
    await fetcher.whole.wait()


def test_entries_go_through_the_log_to_the_fetcher_and_articles_come_back(tmp_path: Path) -> None:
    counts = run(tmp_path, newsroom)
    assert [decode(Entry, v) for v in messages(tmp_path, "rasd.entries")] == ENTRIES
    assert [decode(Article, v).id for v in messages(tmp_path, "rasd.articles")] == [e.url for e in ENTRIES]
    assert (counts.entries, counts.read, counts.left) == (5, 5, 5)


def test_an_entry_is_committed_only_once_the_fetcher_has_it(tmp_path: Path) -> None:
    """A fetcher that dies before it has them gets them again; one that had them does not."""

    class Dies:
        async def take(self, entries: Sequence[Entry]) -> None:
            raise RuntimeError("killed")

    async def first(live: Live, stop: asyncio.Event) -> None:
        live.fetcher = Dies()
        await live.publish(ENTRIES)
        await stop.wait()

    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path, first)
    got: list[Entry] = []

    async def second(live: Live, stop: asyncio.Event) -> None:
        live.fetcher = fetcher = Fetcher(live)
        await fetcher.whole.wait()
        got.extend(fetcher.taken)

    run(tmp_path, second)
    assert got == ENTRIES
    store = SqliteLog(tmp_path / "log.sqlite", readonly=True)
    assert store.consumed(FETCH, "rasd.entries") == {0: 5}
    store.close()


def test_a_message_that_holds_no_entry_is_rejected_once_whatever_dies_meanwhile(tmp_path: Path) -> None:
    class Dies:
        async def take(self, entries: Sequence[Entry]) -> None:
            raise RuntimeError("killed")

    async def first(live: Live, stop: asyncio.Event) -> None:
        live.fetcher = Dies()
        await stop.wait()

    store = SqliteLog(tmp_path / "log.sqlite")
    with store.transaction():
        store.append("rasd.entries", None, b"no entry at all")
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path, first, store=store)

    async def second(live: Live, stop: asyncio.Event) -> None:
        live.fetcher = Fetcher(live)
        while not live.caught_up:
            await asyncio.sleep(0.01)

    run(tmp_path, second)
    assert [decode(Reject, value).reason for value in messages(tmp_path, "rasd.rejects")] == ["bad-json"]


def test_nobody_hears_of_success_while_the_log_cannot_be_written(tmp_path: Path) -> None:
    store = SqliteLog(tmp_path / "log.sqlite")
    real, refused, heard = store.append, [], []

    def append(topic: str, *rest: object) -> tuple[int, int]:
        if len(refused) < 3:
            refused.append(list(heard))
            raise StoragePaused("disk full")
        return real(topic, *rest)  # type: ignore[arg-type]

    store.append = append  # type: ignore[method-assign]

    async def ingest(live: Live, stop: asyncio.Event) -> None:
        await live.publish(ENTRIES[:1])
        heard.append("durable")

    run(tmp_path, ingest, store=store)
    assert refused == [[], [], []]
    assert heard == ["durable"]
    assert len(messages(tmp_path, "rasd.entries")) == 1


def test_what_is_under_way_is_written_before_the_end(tmp_path: Path) -> None:
    stop = threading.Event()

    async def ingest(live: Live, asked: asyncio.Event) -> None:
        await live.publish(ENTRIES[:2])
        stop.set()  # as a signal does
        await asked.wait()
        await live.publish(ENTRIES[2:])

    run(tmp_path, ingest, stop=stop)
    assert len(messages(tmp_path, "rasd.entries")) == 5


def test_asked_to_stop_before_the_sockets_began_it_ends_at_once(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()

    async def ingest(live: Live, asked: asyncio.Event) -> None:
        await asked.wait()

    def late() -> asyncio.AbstractEventLoop:  # the loop is made while the other thread asks it to stop
        time.sleep(0.2)
        return asyncio.new_event_loop()

    begin = time.monotonic()
    run(tmp_path, ingest, stop=stop, new_loop=late)
    assert time.monotonic() - begin < 3


def test_a_log_that_is_locked_at_the_start_is_waited_for(tmp_path: Path) -> None:
    store = SqliteLog(tmp_path / "log.sqlite")
    real, refused = store.register, []

    def register(consumer: str, topic: str) -> None:
        if consumer == FETCH and len(refused) < 3:
            refused.append(topic)
            raise StoragePaused("locked")
        real(consumer, topic)

    store.register = register  # type: ignore[method-assign]
    counts = run(tmp_path, newsroom, store=store)
    assert (counts.entries, len(refused)) == (5, 3)


def test_sockets_that_do_not_end_do_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtimes.live.END_SECONDS", 0.3)
    stop = threading.Event()
    cancelled = []

    async def ingest(live: Live, asked: asyncio.Event) -> None:
        stop.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    run(tmp_path, ingest, stop=stop)
    assert cancelled == [True]


def test_an_error_of_the_ingestion_ends_the_run(tmp_path: Path) -> None:
    async def ingest(live: Live, stop: asyncio.Event) -> None:
        raise StoragePaused("the frontier is gone")

    with pytest.raises(StoragePaused, match="frontier"):
        run(tmp_path, ingest)


def test_a_reject_is_written_once(tmp_path: Path) -> None:
    reject = Reject(stage="fetch", reason="paywall", error="a stub", value="")

    async def ingest(live: Live, stop: asyncio.Event) -> None:
        await live.publish([reject])
        await live.publish([reject])

    run(tmp_path, ingest)
    assert len(messages(tmp_path, "rasd.rejects")) == 1


@pytest.mark.parametrize("part", ["Poller", "Fetcher"])
def test_a_part_that_is_cancelled_from_inside_does_not_end_in_silence(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(*given: object, **more: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(f"pipeline.runtimes.ingest.{part}.run", cancelled)
    stop = threading.Event()
    limit = threading.Timer(20, stop.set)
    limit.start()
    pool = Pool(1)
    try:
        config = Config(data=DataSettings(dir=str(tmp_path)))
        with pytest.raises(RuntimeError, match="cancelled by what it waited for"):
            run(tmp_path, Ingest(config, [], pool, SystemClock()), stop=stop)
    finally:
        limit.cancel()
        pool.close()
