"""How fast the client alone is, and what two hundred dead-slow hosts cost the others: `python -m bench.fetch`.

A raw server in a process of its own answers 304 on loopback. Measured side by side: bare aiohttp, one request of ours
(`Client.send`) and one polite request (`PoliteClient.get`, with the robots rules of its host), each with asyncio's loop
and with uvloop. `--slow SECONDS` measures how long good hosts' answers take, alone and beside dead-slow hosts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
import uvloop
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.clock import SystemClock
from connectors.http import Client
from connectors.polite import PoliteClient
from connectors.responses import FetchFailed
from connectors.robots import Robots
from pipeline.config import FetchSettings

HOSTS = 60
SLOW = 200
STARTING = 3.0  # seconds in which no host is known yet: who is slow shows only then
ROUNDS = 3  # of which the best counts: others may use the machine
WORKERS = 64
VALIDATORS = {"If-None-Match": '"5f1a-0"', "If-Modified-Since": "Sat, 21 Nov 2026 08:00:00 GMT"}
UNCHANGED = b'HTTP/1.1 304 Not Modified\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nETag: "5f1a-0"\r\n\r\n'
ROBOTS = b"User-agent: *\nDisallow: /search\nDisallow: /*?print=\nDisallow: /admin/\nAllow: /feeds/\n"
ALLOWED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
    + str(len(ROBOTS)).encode()
    + b"\r\n\r\n"
    + ROBOTS
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--slow", type=float, default=0.0, help="seconds of the experiment with dead-slow hosts")
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one == "serve":
        asyncio.run(serve())
    elif args.one and args.one.startswith("polls:"):
        slow, port = args.one.split(":")[1:]
        print(json.dumps(asyncio.run(polls(int(port), args.slow, args.connections, int(slow)))))
    elif args.one:
        loop, what, port = args.one.split(":")
        run = uvloop.run if loop == "uvloop" else asyncio.run
        print(json.dumps(run(measure(CALLS[what], int(port), args.requests))))
    elif args.slow:
        print(json.dumps(beside_slow(args.slow, args.connections), indent=1))
    else:
        throughput(args.requests)


# -- throughput ------------------------------------------------------------------------------------------------------


def throughput(requests: int) -> None:
    print("| loop | what | requests/s | CPU a request |\n|---|---|---|---|")
    for loop in ("asyncio", "uvloop"):
        for what in CALLS:
            rounds = [_round(loop, what, requests) for _ in range(ROUNDS)]
            print(f"| {loop} | {what} | {max(rounds)[0]:,.0f} | {min(r[1] for r in rounds):.0f} µs |", flush=True)


def _round(loop: str, what: str, requests: int) -> tuple[float, float]:
    server = _start("--one", "serve")
    try:
        rate, micros = json.loads(_line(_start("--one", f"{loop}:{what}:{_line(server)}", "--requests", str(requests))))
    finally:
        server.kill()
        server.wait()
    return rate, micros


Call = Callable[[str], Awaitable[None]]


async def measure(
    calls: Callable[[int], tuple[Call, Callable[[], Awaitable[None]]]], port: int, requests: int
) -> tuple[float, float]:
    """Requests a second and microseconds of CPU for each."""
    call, close = calls(port)
    urls = [f"http://host-{n % HOSTS}.test:{port}/feeds/{n % HOSTS}.xml" for n in range(requests)]
    await _all(call, iter(urls[: HOSTS * 4]))  # connections and rules are there when the clock starts
    began, cpu = time.perf_counter(), time.process_time()
    await _all(call, iter(urls))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    await close()
    return requests / took, cpu / requests * 1e6


async def _all(call: Call, urls: Iterator[str]) -> None:
    async def work() -> None:
        for url in urls:
            await call(url)

    await asyncio.gather(*(work() for _ in range(WORKERS)))


def bare(port: int) -> tuple[Call, Callable[[], Awaitable[None]]]:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=Loopback(), limit=128),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )

    async def call(url: str) -> None:
        async with session.get(url, headers=VALIDATORS, allow_redirects=False) as answer:
            await answer.read()
            assert answer.status == 304

    return call, session.close


def send(port: int) -> tuple[Call, Callable[[], Awaitable[None]]]:
    client = Client(SETTINGS, clock=SystemClock(), resolver=Loopback())

    async def call(url: str) -> None:
        assert (await client.send(url, kind="feed", headers=VALIDATORS)).status == 304

    return call, client.close


def get(port: int) -> tuple[Call, Callable[[], Awaitable[None]]]:
    client, polite = clients(SETTINGS)

    async def call(url: str) -> None:
        assert (await polite.get(url, kind="feed", headers=VALIDATORS)).status == 304

    return call, client.close


CALLS = {"bare aiohttp": bare, "Client.send": send, "PoliteClient.get": get}
SETTINGS = FetchSettings(allow_private=("127.0.0.0/8",), host_delay=0.0)


def clients(settings: FetchSettings) -> tuple[Client, PoliteClient]:
    clock = SystemClock()
    client = Client(settings, clock=clock, resolver=Loopback())
    return client, PoliteClient(client, Robots(settings, clock=clock), settings, clock=clock)


# -- dead-slow hosts -------------------------------------------------------------------------------------------------


def beside_slow(seconds: float, connections: int) -> dict[str, object]:
    """How long answers of good hosts take, in ms from being due to having it, alone and beside the slow ones.

    Every good host is polled twice a second; every slow one always has a request waiting or under way. Both clients run
    at the same time, each with a server of its own, so that a busy machine is as busy for the one as for the other.
    """
    servers = [_start("--one", "serve") for _ in range(2)]
    try:
        ports = [_line(server) for server in servers]
        given = ["--slow", str(seconds), "--connections", str(connections)]
        clients = [_start("--one", f"polls:{slow}:{port}", *given) for slow, port in zip((0, SLOW), ports, strict=True)]
        alone, beside = (json.loads(_line(client)) for client in clients)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    ratios = {f"{at} ratio": round(beside[at] / alone[at], 2) for at in ("p95", "p95 after the start")}
    return {"alone": alone, "beside": beside} | ratios


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "bench.fetch", *arguments], stdout=subprocess.PIPE, text=True)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def polls(port: int, seconds: float, connections: int, slow: int, good: int = HOSTS) -> dict[str, float]:
    """The client with the slow hosts, or without: how long polls of the good ones took."""
    settings = FetchSettings(
        allow_private=("127.0.0.0/8",), host_delay=0.0, connections=connections, total_seconds=10.0, connect_seconds=5.0
    )
    client, polite = clients(settings)
    took: list[tuple[float, float]] = []  # when it was due, how long it took
    loop = asyncio.get_running_loop()
    start = loop.time()
    end = start + seconds

    async def poll_good(n: int) -> None:
        due = loop.time() + n / good / 2
        while due < end:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await polite.get(f"http://host-{n}.test:{port}/feeds/{n}.xml", kind="feed", headers=VALIDATORS)
            took.append((due - start, loop.time() - due))  # from when it was due: waiting for an earlier one counts
            due += 0.5

    async def poll_slow(n: int) -> None:
        while loop.time() < end:
            try:
                await polite.get(f"http://{SLOW_WAYS[n % len(SLOW_WAYS)]}-{n}.test:{port}/f.xml", kind="feed")
            except FetchFailed:
                await asyncio.sleep(0.1)

    slow_ones = [asyncio.create_task(poll_slow(n)) for n in range(slow)]
    await asyncio.gather(*(poll_good(n) for n in range(good)))
    for task in slow_ones:
        task.cancel()
    await asyncio.gather(*slow_ones, return_exceptions=True)
    await client.close()
    return {
        "polls": len(took),
        "p50": _at(0.5, [took for _, took in took]),
        "p95": _at(0.95, [took for _, took in took]),
        "longest": _at(1.0, [took for _, took in took]),
        "p95 after the start": _at(0.95, [took for due, took in took if due > STARTING]),
    }


def _at(part: float, took: list[float]) -> float:
    """In ms."""
    return round(sorted(took)[min(int(len(took) * part), len(took) - 1)] * 1e3, 2)


SLOW_WAYS = ("never", "drip", "late", "head")


# -- the server ------------------------------------------------------------------------------------------------------


class Loopback(AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def serve() -> None:
    """Prints its port, then answers until it is killed."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Server(asyncio.Protocol):
    """Answers 304 at once, robots.txt with rules, and hosts with a slow name as slowly as that says."""

    transport: asyncio.Transport
    seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.seen += data
        while (end := self.seen.find(b"\r\n\r\n")) >= 0:
            head, self.seen = self.seen[:end], self.seen[end + 4 :]
            host = head[head.find(b"Host: ") + 6 :]
            if host.startswith(b"host-"):
                self.transport.write(ALLOWED if head.startswith(b"GET /robots.txt ") else UNCHANGED)
            elif host.startswith(b"late"):
                asyncio.get_running_loop().call_later(8.0, self._write, UNCHANGED)
            elif host.startswith(b"drip"):
                self._drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"." * 100_000)
            elif host.startswith(b"head"):
                self._drip(b"HTTP/1.1 200 OK\r\n" + b"X-Wait: 1\r\n" * 10_000)

    def _drip(self, rest: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(rest[:40])
            asyncio.get_running_loop().call_later(0.5, self._drip, rest[40:])

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


if __name__ == "__main__":
    main()
