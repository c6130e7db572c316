"""Killed with requests under way, the fetcher loses no page and no edition of one, and repeats nothing that counts.

python -m tests.faults.test_fetch_kill DATA PORT EDITION PAGES      (the process that is killed)
"""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.clean import Page
from connectors.clock import SystemClock
from connectors.fetcher import Fetcher
from connectors.frontier import FILE, Frontier, read_status
from connectors.http import Client
from connectors.polite import PoliteClient
from connectors.robots import Robots
from connectors.urls import canonical_url
from connectors.warc import WarcWriter
from pipeline import wire
from pipeline.config import FetchSettings, WarcSettings
from pipeline.log.sqlite import SqliteLog
from pipeline.records import Article, Entry, Reject
from pipeline.topics import ARTICLES, REJECTS
from tests.conftest import ROOT

pytestmark = pytest.mark.faults
HOSTS = 5
CHUNK = 16  # entries taken at once; the place in the list is committed only then
ANSWER_SECONDS = 0.05


class Outlet(threading.Thread):
    """A server on loopback that answers slowly and knows how many requests it has in hand."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.edition, self.open, self.port = 1, 0, 0
        self.answered: Counter[str] = Counter()
        self._listens = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await server.serve_forever()

    def wait(self) -> int:
        assert self._listens.wait(10)
        return self.port

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                status, body = b"404 Not Found", b""
                if path.startswith("/news/"):
                    self.open += 1
                    try:
                        await asyncio.sleep(ANSWER_SECONDS)
                        status, body = b"200 OK", text_of(path, self.edition).encode()
                    finally:
                        self.open -= 1
                    self.answered[path] += 1
                head = b"HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
                writer.write(head + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def text_of(path: str, edition: int) -> str:
    return f"The text of {path}, edition {edition}."


class Loopback(AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        pass


# -- the process that is killed ----------------------------------------------------------------------------------------


def entries(port: int, edition: int, pages: int) -> list[Entry]:
    hosts = [f"http://outlet{n}.example:{port}" for n in range(HOSTS)]
    return [
        Entry(feed=f"{hosts[n % HOSTS]}/rss", url=f"{hosts[n % HOSTS]}/news/{n}", title=f"Page {n}, edition {edition}")
        for n in range(pages)
    ]


async def clean(body: bytes, *, url: str, charset: str | None) -> Page:
    await asyncio.sleep(0.002)
    return Page(title=None, body=body.decode(), canonical_url=canonical_url(url), language="en")


class Store:
    """The log, in a thread of its own: the only one that it may be used from."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._log = self._thread.submit(SqliteLog, path).result()

    async def publish(self, records: Sequence[Article | Reject]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._append, records)

    def _append(self, records: Sequence[Article | Reject]) -> None:
        with self._log.transaction():
            for record in records:
                topic = ARTICLES if isinstance(record, Article) else REJECTS
                self._log.append(topic.name, topic.key(record), wire.encode(record))

    def place(self, edition: int) -> int:
        """How many entries of this edition's list were taken for good."""
        value = self._thread.submit(lambda: self._log.state("test").get(f"{edition}", b"0")).result()
        return int(value)

    def commit(self, edition: int, place: int) -> None:
        def write() -> None:
            with self._log.transaction():
                self._log.change("test", {f"{edition}": str(place).encode()})

        self._thread.submit(write).result()


async def fetch(data: Path, port: int, edition: int, pages: int) -> None:
    clock = SystemClock()
    settings = FetchSettings(allow_private=("127.0.0.0/8",), host_delay=0.0, host_connections=2)
    client = Client(settings, clock=clock, resolver=Loopback())
    store, archive = Store(data / "log.sqlite"), WarcWriter(data / "archive", WarcSettings(), clock=clock)
    fetcher = Fetcher(
        Frontier(data / FILE),
        PoliteClient(client, Robots(settings, clock=clock), settings, clock=clock),
        store.publish,
        archive=archive,
        clean=clean,
        clock=clock,
        settings=settings,
    )
    stop = asyncio.Event()

    async def feed() -> None:
        known = entries(port, edition, pages)
        for start in range(store.place(edition), pages, CHUNK):
            await fetcher.take(known[start : start + CHUNK])
            store.commit(edition, min(start + CHUNK, pages))
        while not fetcher.idle:
            await asyncio.sleep(0.02)
        stop.set()

    await asyncio.gather(fetcher.run(stop), feed())
    await fetcher.close()
    await archive.close()
    await client.close()


# -- the killing -------------------------------------------------------------------------------------------------------


class Runs:
    def __init__(self, data: Path, outlet: Outlet, pages: int) -> None:
        data.mkdir()
        self.data, self.outlet, self.pages = data, outlet, pages
        self.under_way: list[int] = []

    def start(self) -> subprocess.Popen[bytes]:
        given = [str(self.data), str(self.outlet.port), str(self.outlet.edition), str(self.pages)]
        with (self.data / "stderr").open("ab") as log:
            command = [sys.executable, "-m", "tests.faults.test_fetch_kill", *given]
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def kill(self, after: float) -> bool:
        """Kills a run while the server has requests of it in hand; False if it ended before. It is frozen for the
        look, so that the count is true at the moment of the kill."""
        process = self.start()
        end = time.monotonic() + 60
        begun = None
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
            if not self.outlet.open:
                continue
            begun = begun or time.monotonic()
            if time.monotonic() < begun + after:
                continue
            os.kill(process.pid, signal.SIGSTOP)
            if in_hand := self.outlet.open:
                os.kill(process.pid, signal.SIGKILL)
                self.under_way.append(in_hand)
                assert process.wait(timeout=10) == -signal.SIGKILL
                return True
            os.kill(process.pid, signal.SIGCONT)
        process.wait(timeout=60)
        return False

    def finish(self) -> None:
        process = self.start()
        assert process.wait(timeout=300) == 0, (self.data / "stderr").read_text()

    def articles(self) -> Iterator[Article]:
        log = SqliteLog(self.data / "log.sqlite", readonly=True)
        for message in log.scan(ARTICLES.name):
            yield wire.decode(Article, message.value)
        log.close()


@pytest.fixture
def outlet() -> Outlet:
    made = Outlet()
    made.start()
    made.wait()
    return made


def test_kills_with_requests_under_way_lose_and_repeat_no_page(
    tmp_path: Path, outlet: Outlet, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(11)
    kills, pages = (10, 900) if long_faults else (3, 160)
    runs = Runs(tmp_path / "data", outlet, pages)
    for edition in (1, 2):
        outlet.edition = edition
        hit = sum(runs.kill(chance.uniform(0.0, 0.3)) for _ in range(kills))
        runs.finish()
        assert hit == kills, "it was done before it was killed often enough"
    texts: dict[str, set[str]] = defaultdict(set)
    written = 0
    for article in runs.articles():
        texts[article.id].add(article.body)
        written += 1
        assert article.body in archived(runs.data, article)
    counted = sum(map(len, texts.values()))
    with capsys.disabled():
        print(
            f"\n{len(runs.under_way)} SIGKILLs with {sum(runs.under_way)} requests under way; {written - counted} of"
            f" {written} articles written twice, {sum(outlet.answered.values()) - written} pages read twice"
        )
    wanted = {frozenset(text_of(f"/news/{n}", edition) for edition in (1, 2)) for n in range(pages)}
    assert set(map(frozenset, texts.values())) == wanted
    assert counted == 2 * pages
    status = read_status(runs.data / FILE)
    assert status is not None
    assert (status.waiting, status.held) == (0, 0)


def archived(data: Path, article: Article) -> str:
    """What stands in the archive where the article says that its bytes are."""
    assert article.archive is not None
    assert article.archive.offset is not None
    assert article.archive.length is not None
    with (data / "archive" / article.archive.file).open("rb") as file:
        file.seek(article.archive.offset)
        return gzip.decompress(file.read(article.archive.length)).decode()


if __name__ == "__main__":
    asyncio.run(fetch(Path(sys.argv[1]), *map(int, sys.argv[2:])))
