"""A TCP proxy on 127.0.0.1 between clients and a server, for faults of the network. Standard library only.

with Proxy("127.0.0.1", 9092) as proxy:
    proxy.address            # "127.0.0.1:41234"
    proxy.hold()             # a black hole: connections stay open and are taken, nothing is forwarded
    proxy.go()               # as it was; what was held arrives now
    proxy.cut()              # all connections are reset, and so are new ones
    proxy.reset()            # all connections are reset once
    proxy.strand()           # those that there are never hear anything again, new ones are forwarded
    proxy.slow(delay=0.1, rate=20_000)
    proxy.lose_answers()     # requests arrive, answers do not; those connections are reset by the next `go`

`Way` is all the proxies by which clients reach one cluster: `Cluster(jars, proxied=2).ways`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

PIECE = 65_536  # bytes that are forwarded at once
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST
State = Literal["go", "hold", "cut", "lose"]


class Faults:
    """What can be done to connections."""

    def go(self) -> None:
        """Forwards everything."""
        self._set("go")

    def hold(self) -> None:
        """Forwards nothing; connections stay open."""
        self._set("hold")

    def cut(self) -> None:
        """Resets all connections, and new ones as they come."""
        self._set("cut")

    def lose_answers(self) -> None:
        """Forwards what clients say, and drops what the server says."""
        self._set("lose")

    def slow(self, *, delay: float = 0.0, rate: float | None = None) -> None:
        """Forwards each piece after `delay` seconds, and `rate` bytes per second of each direction of a connection."""
        self._set("go", delay, rate)

    def reset(self) -> None:
        """Resets the connections that there are."""
        raise NotImplementedError

    def strand(self) -> None:
        """Forwards nothing on the connections that there are, for good, as a firewall that has forgotten them."""
        raise NotImplementedError

    def _set(self, state: State, delay: float = 0.0, rate: float | None = None) -> None:
        raise NotImplementedError


class Proxy(Faults):
    """One server's. A context manager; listens from its making on."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._state: State = "go"
        self._delay, self._rate = 0.0, None  # type: float, float | None
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connections(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed already
            self._call(self._stop.set)
        self._thread.join(5)

    def reset(self) -> None:
        self._call(self._reset)

    def strand(self) -> None:
        self._call(self._strand)

    def _set(self, state: State, delay: float = 0.0, rate: float | None = None) -> None:
        self._call(lambda: self._become(state, delay, rate))

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _call(self, job: Callable[[], None]) -> None:
        """Returns when it is done."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (job(), done.set()))
        done.wait(5)

    def _become(self, state: State, delay: float, rate: float | None) -> None:
        self._state, self._delay, self._rate = state, delay, rate
        for connection in list(self._connections):
            if state == "cut" or connection.lost:
                connection.reset()
        self._changed.set()
        self._changed = asyncio.Event()

    def _reset(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    def _strand(self) -> None:
        for connection in self._connections:
            connection.stranded = True

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._socket, limit=PIECE)
        await self._stop.wait()
        server.close()
        self._reset()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection([writer])
        self._connections.add(connection)
        try:
            if self._state == "cut":
                return
            there, to_server = await asyncio.open_connection(*self._server, limit=PIECE)
            connection.writers.append(to_server)
            await asyncio.gather(
                self._pump(reader, to_server, connection, answers=False),
                self._pump(there, writer, connection, answers=True),
            )
        except (OSError, asyncio.CancelledError):
            pass  # either side has gone, or the server is not there
        finally:
            connection.reset()
            self._connections.discard(connection)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection, *, answers: bool
    ) -> None:
        while True:
            piece = await reader.read(PIECE if self._rate is None else max(1, int(self._rate / 10)))
            if self._delay or self._rate:
                await asyncio.sleep(self._delay + (len(piece) / self._rate if self._rate else 0.0))
            while self._state == "hold" or connection.stranded:
                await self._changed.wait()
            if self._state == "lose" and answers:
                connection.lost = True
                if piece:
                    continue
            if not piece:
                writer.write_eof()
                return
            writer.write(piece)
            await writer.drain()


@dataclass(eq=False, slots=True)
class _Connection:
    """A client's, and that to the server. lost: something was dropped, so that it cannot go on; stranded: nothing is
    forwarded any more."""

    writers: list[asyncio.StreamWriter]
    lost: bool = False
    stranded: bool = False

    def reset(self) -> None:
        for writer in self.writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


class Way(Faults):
    """The proxies of all brokers of a cluster: a fault of the way is one of each."""

    def __init__(self, proxies: Sequence[Proxy]) -> None:
        self.proxies = proxies
        self.servers = ",".join(p.address for p in proxies)

    def reset(self) -> None:
        for proxy in self.proxies:
            proxy.reset()

    def strand(self) -> None:
        for proxy in self.proxies:
            proxy.strand()

    def _set(self, state: State, delay: float = 0.0, rate: float | None = None) -> None:
        for proxy in self.proxies:
            proxy._set(state, delay, rate)

    def close(self) -> None:
        for proxy in self.proxies:
            proxy.close()
