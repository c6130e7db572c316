"""How many feeds a second the poller asks when nothing has changed: 304 after 304, what it learns saved all the while.

    python -m bench.polls [--feeds N] [--hosts N] [--rounds N] [--loop asyncio|uvloop] [--json]

A server of its own process answers on many loopback addresses; the poller is the real one, with the polite client,
robots.txt of every host, conditional requests and the state file on disk. The first round reads every feed in full and
is not counted. Nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import uvloop

from connectors.clock import SystemClock
from connectors.feedlist import Feed
from connectors.feedstate import FILE, FeedState, report
from connectors.http import Client
from connectors.polite import PoliteClient
from connectors.poller import Poller
from connectors.responses import Kind, Response
from connectors.robots import Robots
from connectors.sources.parse import ParsedFeed, SitemapIndex, parse_source
from pipeline.config import Config, FetchSettings
from pipeline.records import Archived, Article, Entry, Reject

NETWORK = "127.66"  # .x.y: hosts of the server
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=60\r\n\r\n'
NO_ROBOTS = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>t</title><link>http://x.example/</link>
<description>d</description>%s</channel></rss>"""
ITEM = b"<item><title>Headline %d</title><link>http://x.example/%d</link></item>"


@dataclass(frozen=True, slots=True)
class Result:
    feeds: int
    hosts: int
    polls: int
    seconds: float
    polls_a_second: float
    cpu_microseconds_a_poll: float
    not_modified: float
    saved: int
    loop: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.polls", description=__doc__)
    parser.add_argument("--feeds", type=int, default=5_000)
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=4, help="that are counted; each polls every feed once")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="event loop of the poller")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(given.feeds, given.hosts, given.rounds, given.loop)
    if given.json:
        print(json.dumps(asdict(result)))
        return
    print(f"{result.polls} polls of {result.feeds} feeds on {result.hosts} hosts in {result.seconds:.1f} s")
    print(
        f"{result.polls_a_second:.0f} polls/s, {result.cpu_microseconds_a_poll:.0f} µs of our CPU each ({result.loop})"
    )
    print(f"{result.not_modified:.1%} answered 304; {result.saved} of {result.feeds} histories on disk are up to date")


def measure(feeds: int, hosts: int, rounds: int, loop: str) -> Result:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        port = ours.recv()
        run = asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None)
        with run, tempfile.TemporaryDirectory() as folder:
            return run.run(_measure(Path(folder), port, feeds, hosts, rounds, loop))
    finally:
        server.kill()
        server.join()


async def _measure(folder: Path, port: int, feeds: int, hosts: int, rounds: int, loop: str) -> Result:
    fetch = FetchSettings(host_delay=0.0, allow_private=("127.0.0.0/8",))
    listed = [Feed(url=_address(n % hosts, port, n), name=str(n)) for n in range(feeds)]
    clock, state = SystemClock(), FeedState(folder / FILE)
    client = Client(fetch, clock=clock)
    polite = PoliteClient(client, Robots(fetch, clock=clock), fetch, clock=clock)
    poller = Poller(
        listed, state, polite, _publish, archive=_Archive(), parse=_parse, clock=clock, settings=Config(fetch=fetch)
    )  # fmt: skip
    never = asyncio.Event()
    await poller.run(never, once=True)
    before, cpu, began = poller.counts.copy(), _cpu(), time.perf_counter()
    for _ in range(rounds):
        await poller.run(never, once=True)
    seconds, cpu = time.perf_counter() - began, _cpu() - cpu
    polls = poller.counts["polls"] - before["polls"]
    await client.close()
    state.close()
    return Result(
        feeds=feeds,
        hosts=hosts,
        polls=polls,
        seconds=seconds,
        polls_a_second=polls / seconds,
        cpu_microseconds_a_poll=cpu / polls * 1e6,
        not_modified=(poller.counts["unmodified"] - before["unmodified"]) / polls,
        saved=sum(feed.polls == rounds + 1 for feed in report(folder / FILE)),
        loop=loop,
    )


def _address(host: int, port: int, feed: int) -> str:
    return f"http://{NETWORK}.{host // 250}.{host % 250 + 1}:{port}/{feed}.xml"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _Archive:
    async def keep(self, response: Response, kind: Kind, entry: Entry | None = None) -> Archived:
        return Archived(file="bench", offset=0, length=0)


async def _parse(
    body: bytes, *, url: str, charset: str | None, kind: Kind, latest: object
) -> ParsedFeed | SitemapIndex:
    return parse_source(body, url, charset, kind)


async def _publish(records: Sequence[Entry | Article | Reject]) -> None:
    return None


# -- the server -------------------------------------------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    """Keep-alive, as little HTTP as the poller needs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.head = cast(asyncio.Transport, transport), b""  # uvloop's is none by descent

    def data_received(self, data: bytes) -> None:
        self.head += data
        while (end := self.head.find(b"\r\n\r\n")) >= 0:
            head, self.head = self.head[:end], self.head[end + 4 :]
            self.transport.write(_answer(head))


def _answer(head: bytes) -> bytes:
    path = head.split(b" ", 2)[1]
    if path == b"/robots.txt":
        return NO_ROBOTS
    if b"if-none-match:" in head.lower():
        return NOT_MODIFIED
    number = int(path[1:-4])
    body = FEED % b"".join(ITEM % (n, n) for n in range(number, number + 10))
    return b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Type: application/rss+xml\r\nContent-Length: %d\r\n\r\n%s' % (
        len(body),
        body,
    )


def serve(pipe: Connection) -> None:
    async def listen() -> None:
        server = await asyncio.get_running_loop().create_server(_Connection, "0.0.0.0", 0, backlog=2048)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(listen())


if __name__ == "__main__":
    main()
