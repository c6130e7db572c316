"""Serves a `World` on loopback: sockets, conditions, rate limits, and an access log that outlives its clients.

    python -m connectors.newsroom.server --plan PLAN.json --clock FILE --log FILE --state FILE

Plain HTTP/1.1 by hand, because half of what is served is broken on purpose. Hosts are told apart by the Host header.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import mmap
import signal
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import BinaryIO

from connectors.newsroom.cast import Outlet, Plan
from connectors.newsroom.clock import WatchedTime
from connectors.newsroom.world import Answer, World, all_headers, conditional

RETRY_AFTER = 120.0  # seconds that a 429 asks to wait
_STATE = struct.Struct("<QQQ")  # port, requests in flight, requests in all
_LONGEST_HEAD = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One line of the access log. time: simulated. target: as asked. conditional: it named a validator.

    complete: all of the answer was handed to the socket. open: requests of this host in flight, itself included.
    wait: what a 429 or 503 asked for, in seconds. The rest as in `world.Answer`.
    """

    time: float
    host: str
    target: str
    status: int
    kind: str
    key: str
    revision: int
    mark: str
    conditional: bool
    validators: bool
    trouble: str
    complete: bool
    open: int
    wait: float
    agent: str


@dataclass(slots=True)
class Limits:
    """Who asked when: a host that limits answers 429 to what comes too soon, and as long as it said to wait."""

    last: dict[str, float] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)

    def wait(self, outlet: Outlet, time: float, pace: float) -> float | None:
        """Seconds to wait if the request comes too soon; None if it may be answered."""
        if outlet.limit is None:
            return None
        before, self.last[outlet.host] = self.last.get(outlet.host), time
        if time < self.until.get(outlet.host, 0.0):
            return self.until[outlet.host] - time
        if before is not None and time - before < outlet.limit / pace:
            self.until[outlet.host] = time + RETRY_AFTER / pace
            return RETRY_AFTER / pace
        return None


class State:
    """Three numbers in a small file: the port, how many requests are in flight, how many there were."""

    def __init__(self, file: Path, *, make: bool = False) -> None:
        if make:
            file.write_bytes(bytes(_STATE.size))
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _STATE.size)

    def read(self) -> tuple[int, int, int]:
        """Port (0 until it listens), in flight, in all."""
        port, flying, served = _STATE.unpack(self._shared)
        return port, flying, served

    def write(self, port: int, flying: int, served: int) -> None:
        self._shared[:] = _STATE.pack(port, flying, served)


class Newsroom:
    """time: the simulated or real time. log: where accesses are written, a line of JSON each. latency: real seconds
    that every answer takes."""

    def __init__(
        self,
        world: World,
        time: Callable[[], float],
        *,
        log: BinaryIO | None = None,
        state: State | None = None,
        latency: float = 0.0,
        watch: Callable[[Access], None] = lambda access: None,
    ) -> None:
        self.world, self.time, self.log, self.state, self.latency = world, time, log, state, latency
        self.watch = watch
        self.limits = Limits()
        self.open: Counter[str] = Counter()
        self.flying = self.served = self.port = 0
        self._servers: list[asyncio.Server] = []

    async def listen(self, ports: list[int]) -> list[int]:
        """Starts to serve on 127.0.0.1; returns the ports (0 asks for a free one)."""
        for port in ports:
            self._servers.append(await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_LONGEST_HEAD))
        bound = [s.sockets[0].getsockname()[1] for s in self._servers]
        self.port = bound[0]
        self._note()
        return bound

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        if self.log is not None:
            self.log.flush()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the client went away or spoke no HTTP
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False if the connection ends with it."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        method, target, headers = _parse(head)
        host = headers.get("host", "").removesuffix(":80")
        with self._in_flight(host):
            now = self.time()
            answer, wait = self._answer(host, target, headers, now)
            if self.latency:
                await asyncio.sleep(self.latency)
            complete = False
            try:
                complete = await self._send(writer, answer, method, wait)
            finally:
                self._log(now, host, target, headers, answer, wait, complete)
        return complete

    def _answer(self, host: str, target: str, headers: dict[str, str], now: float) -> tuple[Answer, float]:
        outlet = self.world.outlet(host)
        whole = self.world.visible(host, target, now)
        if outlet is not None and target != "/robots.txt":
            wait = self.limits.wait(outlet, now, self.world.plan.pace)
            if wait is not None:
                said = formatdate(now + wait, usegmt=True) if outlet.retry_after == "date" else str(int(wait) + 1)
                busy = Answer(
                    status=429, headers=(("Retry-After", said),), body=b"slower", kind=whole.kind, key=whole.key
                )
                return busy, wait
        wait = float(next((v for n, v in whole.headers if n == "Retry-After"), 0.0))
        return conditional(whole, headers), wait

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer, method: str, wait: float) -> bool:
        """Whether the answer was sent as a whole and the connection can be used again."""
        if answer.reset:
            writer.transport.abort()
            return False
        body = b"" if method == "HEAD" else answer.body
        headers = [*all_headers(answer), ("Date", formatdate(self.time(), usegmt=True))]
        if answer.status != 304:
            headers.append(("Content-Length", str(len(answer.body))))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        writer.write(f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}\r\n{lines}\r\n".encode())
        writer.write(body[: len(body) // 2] if answer.cut else body)
        await writer.drain()
        return not answer.cut

    @contextlib.contextmanager
    def _in_flight(self, host: str) -> Iterator[None]:
        self.open[host] += 1
        self.flying += 1
        self.served += 1
        self._note()
        try:
            yield
        finally:
            self.open[host] -= 1
            self.flying -= 1
            self._note()

    def _note(self) -> None:
        if self.state is not None:
            self.state.write(self.port, self.flying, self.served)

    def _log(
        self, now: float, host: str, target: str, headers: dict[str, str], answer: Answer, wait: float, complete: bool
    ) -> None:
        access = Access(
            time=now,
            host=host,
            target=target,
            status=answer.status,
            kind=answer.kind,
            key=answer.key,
            revision=answer.revision,
            mark=answer.mark,
            conditional="if-none-match" in headers or "if-modified-since" in headers,
            validators=bool(answer.etag or answer.modified),
            trouble=answer.trouble,
            complete=complete,
            open=self.open[host],
            wait=wait,
            agent=headers.get("user-agent", ""),
        )
        if self.log is not None:
            row = {name: getattr(access, name) for name in Access.__slots__}
            self.log.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        self.watch(access)


_REASONS = {
    200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 307: "Temporary Redirect",
    308: "Permanent Redirect", 404: "Not Found", 410: "Gone", 421: "Misdirected Request", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


def read_log(file: Path) -> list[Access]:
    """The access log, in the order of the answers."""
    return [Access(**json.loads(line)) for line in file.read_bytes().splitlines()]


def write_plan(plan: Plan, file: Path) -> None:
    file.write_text(json.dumps({name: getattr(plan, name) for name in Plan.__slots__}))


def read_plan(file: Path) -> Plan:
    said = json.loads(file.read_text())
    return replace(Plan(), **{**said, "authorities": tuple(said["authorities"])})


def _parse(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target, headers by lower-case name. Raises: ValueError."""
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return method, target, headers


async def _main(given: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    loop.add_reader(sys.stdin.fileno(), stop.set)  # whoever started it has ended
    world = World(read_plan(given.plan))
    with given.log.open("ab", buffering=1 << 16) as log:
        newsroom = Newsroom(world, WatchedTime(given.clock), log=log, state=State(given.state), latency=given.latency)
        await newsroom.listen([world.plan.port])
        await stop.wait()
        await newsroom.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="connectors.newsroom.server", description=__doc__)
    for name in ("plan", "clock", "log", "state"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
