"""Two hundred hosts that hardly answer do not hold up the others, and no circle of redirects holds up anybody."""

from __future__ import annotations

import asyncio
import time

from connectors.polite import PoliteClient
from connectors.responses import FetchFailed
from tests.hostile.network import GOOD, MISSING, OK, Names, Request, polite, serving

SLOW, QUICK = 200, 20
POLLS = 50  # of each good host
USUAL = 0.04  # seconds that a good host takes


async def sluggish(request: Request, writer: asyncio.StreamWriter) -> None:
    """Answers as the host's name says: not at all, a byte at a time, after seconds, or like a good host."""
    host = request.headers["host"]
    if host.startswith("never"):
        await asyncio.sleep(60)
    elif host.startswith("drip"):
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Wait: a\r\n" * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.2)
    elif host.startswith("late"):
        await asyncio.sleep(3)
    elif host.startswith("good"):
        await asyncio.sleep(USUAL)
    writer.write(MISSING if request.path == "/robots.txt" else OK)


def test_two_hundred_dead_slow_hosts_do_not_hold_up_the_good_ones() -> None:
    async def polls(guest: PoliteClient, port: int, slow: int) -> list[float]:
        took: list[float] = []

        async def good(n: int) -> None:
            for _ in range(POLLS):
                began = time.perf_counter()
                await guest.get(f"http://good{n}.test:{port}/", kind="feed")
                took.append(time.perf_counter() - began)

        async def bad(n: int) -> None:
            while True:
                try:
                    await guest.get(f"http://{('never', 'drip', 'late')[n % 3]}{n}.test:{port}/", kind="feed")
                except FetchFailed:
                    await asyncio.sleep(0.1)

        others = [asyncio.create_task(bad(n)) for n in range(slow)]
        await asyncio.gather(*(good(n) for n in range(QUICK)))
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        return sorted(took)

    async def run() -> tuple[list[float], list[float]]:
        """Both at the same time, so that the machine is as busy for the one as for the other."""
        given = {"connections": 64, "total_seconds": 5.0}
        async with (
            serving(sluggish) as server,
            polite(Names(lambda _: [GOOD]), **given) as (_, one),
            polite(Names(lambda _: [GOOD]), **given) as (_, other),
        ):
            alone, beside = await asyncio.gather(polls(one, server.port, 0), polls(other, server.port, SLOW))
            return alone, beside

    alone, beside = asyncio.run(run())
    at = int(len(alone) * 0.95)
    assert len(alone) == len(beside) == QUICK * POLLS
    assert beside[at] < 1.5 * alone[at]


def test_endless_redirects_end_while_other_hosts_are_read() -> None:
    ways = {
        "self": lambda n: "/",
        "pair": lambda n: "/b" if n == 0 else "/",
        "count": lambda n: f"/{n + 1}",
        "grow": lambda n: "/" + "a" * (n + 1) * 1_000,
        "query": lambda n: f"?{n + 1}",
        "hosts": lambda n: f"//hosts{n + 1}.test:{{port}}/{n + 1}",
        "fragment": lambda n: f"/#{n}",
    }
    counts: dict[str, int] = {}
    port = 0

    async def lead(request: Request, writer: asyncio.StreamWriter) -> None:
        way = request.headers["host"].partition(".")[0].rstrip("0123456789")
        if way not in ways or request.path == "/robots.txt":
            return writer.write(MISSING if request.path == "/robots.txt" else OK)
        n = counts[way] = counts.get(way, -1) + 1
        to = ways[way](n).format(port=port)
        return writer.write(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())

    async def run() -> list[object]:
        nonlocal port
        async with serving(lead) as server, polite(Names(lambda _: [GOOD]), redirects=5) as (_, guest):
            port = server.port
            urls = [f"http://{way}.test:{port}/" for way in (*ways, "good")]
            found = await asyncio.gather(*(guest.get(url, kind="page") for url in urls), return_exceptions=True)
            return [f.reason if isinstance(f, FetchFailed) else getattr(f, "status", f) for f in found]

    assert asyncio.run(run()) == ["redirects"] * len(ways) + [200]
    assert max(counts.values()) <= 5
