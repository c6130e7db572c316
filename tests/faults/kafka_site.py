"""Outlets on loopback for the fetcher to be tried on: any number of pages on many addresses, and their entries.

    python -m tests.faults.kafka_site FILE HOSTS SECONDS      (the server, a process of its own; prints its port)

Hosts are addresses of the loopback network (127.0.0.1, 127.0.0.2 ...), so that no name need be looked up and entries of
many hosts spread over the partitions. Whoever fetches needs `ALLOWED`. FILE is mapped into memory: how many requests
the server has in hand, and how many pages it has sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import mmap
import random
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connectors.newsroom.pages import Shown, page
from connectors.urls import canonical_url
from pipeline import ids, wire
from pipeline.records import Entry
from pipeline.topics import ENTRIES
from tests.conftest import ROOT
from tests.generate import BEGIN, DAYS, LEADS, MORE, PEOPLE, PLACES, QUIET, SIDES, SPEAKERS

#: Settings under which a fetcher may ask the site, without a pause between requests.
ALLOWED = {"RASD_FETCH_ALLOW_PRIVATE": "127.0.0.0/8", "RASD_FETCH_HOST_DELAY": "0", "RASD_FETCH_HOST_CONNECTIONS": "4"}
HOSTS = 16
_COUNTS = struct.Struct("<II")
_SYLLABLES = ("با", "تي", "جو", "دا", "ري", "سو", "شا", "في", "قو", "لا", "مي", "نو", "ها", "كي", "زا", "حو")


class Site:
    """A running server. pages: how many articles it has; they differ from each other in every paragraph.

    seconds: that every answer takes, so that requests are in hand when something is killed.
    """

    def __init__(self, folder: Path, pages: int, *, hosts: int = HOSTS, seconds: float = 0.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pages, self.hosts = pages, hosts
        file = folder / "site.counts"
        file.write_bytes(bytes(_COUNTS.size))
        self._counts = _mapped(file)
        command = [sys.executable, "-m", "tests.faults.kafka_site", str(file), str(hosts), str(seconds)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @property
    def open(self) -> int:
        """Requests in hand now."""
        return int(_COUNTS.unpack(self._counts[:])[0])

    @property
    def answered(self) -> int:
        """Pages sent so far, each time they were asked for."""
        return int(_COUNTS.unpack(self._counts[:])[1])

    def url(self, number: int) -> str:
        return address_of(number, self.hosts, self.port)

    def entries(self, numbers: Iterable[int] | None = None) -> list[Entry]:
        """The entries of these pages, of all by default."""
        return [entry(n, self.url(n)) for n in (range(self.pages) if numbers is None else numbers)]

    def article_ids(self) -> set[str]:
        """Ids of the articles that must come of all its pages."""
        return {ids.article_id(canonical_url(self.url(n)), "") for n in range(self.pages)}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=10)
        if self.process.stdout:
            self.process.stdout.close()
        self._counts.close()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def announce(servers: str, topic: str, values: Iterable[Entry | bytes]) -> int:
    """Writes entries to the topic (its name on the brokers), each to its host's partition, and waits until all copies
    in sync have them; bytes go as they are, without a key. Returns how many."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=servers.split(","), acks="all", linger_ms=20, compression_type="lz4")
    sent = []
    for value in values:
        if isinstance(value, bytes):
            sent.append(producer.send(topic, value=value, partition=0))
        else:
            key = ENTRIES.key(value)
            sent.append(producer.send(topic, value=wire.encode(value), key=key.encode() if key else None))
    try:
        for one in sent:
            one.get(timeout=60)
    finally:
        producer.close(timeout=5)
    return len(sent)


def entry(number: int, url: str) -> Entry:
    """What a feed would announce of the page: a headline and no text, so that an article is the page's own."""
    feed = url.split("/news/")[0] + "/rss"
    return Entry(feed=feed, url=url, title=_headline(number), published=_published(number), language="ar")


def address_of(number: int, hosts: int, port: int) -> str:
    return f"http://127.0.0.{1 + number % hosts}:{port}/news/{number}"


def article_page(number: int, url: str) -> str:
    """The page, the same at every request."""
    shown = Shown(
        address=url,
        amp=None,
        outlet="صحيفة التجربة",
        language="ar",
        headline=_headline(number),
        paragraphs=paragraphs(number),
        author="غرفة الأخبار",
        section="محليات",
        published=_published(number),
        updated=_published(number),
        views=number,
        related=(),
        feeds=(),
    )
    return page("blog", shown)


def paragraphs(number: int) -> tuple[str, ...]:
    """A report of an incident, long enough to be kept as an article and with words that no other page has."""
    chance = random.Random(f"site {number}")
    side, other = chance.sample(SIDES, 2)
    told = [chance.choice(QUIET if chance.random() < 0.2 else LEADS), *chance.sample(MORE, 4)]
    out = []
    for sentence in told:
        words = {
            "n": chance.randint(2, 60),
            "m": chance.randint(3, 90),
            "total": chance.randint(100, 999),
            "place": chance.choice(PLACES),
            "side": side,
            "other": other,
            "speaker": chance.choice(SPEAKERS),
            "day": chance.choice(DAYS),
            "serial": number,
        }
        words["people"] = chance.choice(PEOPLE).format(**words)
        witnesses = " ثم ".join(" ".join(_name(chance) for _ in range(3)) for _ in range(6))
        out.append(f"{sentence.format(**words)} وروى الشهود بالترتيب {witnesses} ما رأوه في ذلك المكان.")
    return tuple(out)


def _name(chance: random.Random) -> str:
    return "".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(2, 4)))


def _headline(number: int) -> str:
    chance = random.Random(f"headline {number}")
    return f"{chance.choice(PLACES)}: تقرير رقم {number} عن {_name(chance)} {_name(chance)}"


def _published(number: int) -> dt.datetime:
    return BEGIN + dt.timedelta(minutes=number)


# -- the server --------------------------------------------------------------------------------------------------------


def _mapped(file: Path) -> mmap.mmap:
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), _COUNTS.size)


class _Server:
    def __init__(self, counts: mmap.mmap, hosts: int, seconds: float) -> None:
        self.counts, self.hosts, self.seconds = counts, hosts, seconds
        self.open = self.sent = self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
                status, body = "404 Not Found", b""
                if path.startswith("/news/"):
                    self.count(open=1)
                    try:
                        if self.seconds:
                            await asyncio.sleep(self.seconds)
                        number = int(path.removeprefix("/news/"))
                        body = article_page(number, address_of(number, self.hosts, self.port)).encode()
                        status = "200 OK"
                    finally:
                        self.count(open=-1, sent=1)
                head = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}"
                writer.write(f"{head}\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()

    def count(self, *, open: int = 0, sent: int = 0) -> None:
        self.open += open
        self.sent += sent
        self.counts[:] = _COUNTS.pack(self.open, self.sent)

    async def run(self) -> None:
        servers = await self._bound()
        print(self.port, flush=True)
        await asyncio.gather(*(server.serve_forever() for server in servers))

    async def _bound(self) -> list[asyncio.Server]:
        """Servers on the same free port of all the addresses."""
        for _ in range(20):
            servers = [await asyncio.start_server(self.answer, "127.0.0.1", 0, backlog=1024)]
            self.port = servers[0].sockets[0].getsockname()[1]
            try:
                for n in range(2, self.hosts + 1):
                    servers.append(await asyncio.start_server(self.answer, f"127.0.0.{n}", self.port, backlog=1024))
            except OSError:  # taken at one of them
                for server in servers:
                    server.close()
                time.sleep(0.05)
                continue
            return servers
        raise OSError("no port is free on all of the addresses")


if __name__ == "__main__":
    asyncio.run(_Server(_mapped(Path(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])).run())
