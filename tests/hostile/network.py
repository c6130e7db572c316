"""Servers that misbehave, names that lie: what the network tests dial."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.clock import SystemClock
from connectors.http import Client
from connectors.polite import PoliteClient
from connectors.robots import Robots
from pipeline.config import FetchSettings

#: Where servers that may be dialled listen, and where the one listens that must never be.
GOOD, CANARY = "127.0.0.2", "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

Answer = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    """What a server was asked. headers: names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """A server under way. dialled: connections it has seen, asked: requests in their order."""

    port: int = 0
    dialled: int = 0
    asked: list[Request] = field(default_factory=list)

    def url(self, path: str = "/", host: str = GOOD) -> str:
        return f"http://{host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def serving(answer: Answer, host: str = GOOD, port: int = 0) -> AsyncIterator[Server]:
    """A server on loopback that reads requests and has `answer` write; it goes on until the writer is closed."""
    state = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        state.dialled += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                request = _read(head.decode("latin-1"))
                if length := int(request.headers.get("content-length", "0")):
                    await reader.readexactly(length)
                state.asked.append(request)
                await answer(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, port, backlog=512)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def _read(head: str) -> Request:
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    return Request(method, path, {name.strip().lower(): value.strip() for name, _, value in pairs})


def always(data: bytes) -> Answer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(MISSING if request.path == "/robots.txt" else data)

    return answer


class Names(AbstractResolver):
    """A resolver that says what `addresses` says of a name, at each call anew."""

    def __init__(self, addresses: Callable[[str], Sequence[str]]) -> None:
        self._addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked.append(host)
        found = self._addresses(host)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [ResolveResult(hostname=host, host=a, port=port, family=0, proto=0, flags=0) for a in found]

    async def close(self) -> None:
        pass


def settings(**changed: object) -> FetchSettings:
    """Settings that let the good server be dialled, and nothing else of this machine."""
    given: dict[str, object] = {"allow_private": (f"{GOOD}/32",), "host_delay": 0.0, "total_seconds": 2.0}
    return FetchSettings(**(given | changed))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def polite(
    names: AbstractResolver | None = None, **changed: object
) -> AsyncIterator[tuple[Client, PoliteClient]]:
    """A client and the polite one around it, closed at the end."""
    chosen, clock = settings(**changed), SystemClock()
    client = Client(chosen, clock=clock, resolver=names)
    try:
        yield client, PoliteClient(client, Robots(chosen, clock=clock), chosen, clock=clock)
    finally:
        await client.close()
