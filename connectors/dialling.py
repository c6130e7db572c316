"""Which addresses may be dialled, and how names become addresses.

Every socket passes `Guard` with the very address that it is about to dial, so neither a strange spelling in a URL nor a
resolver that answers differently each time leads into a private network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import queue
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.errors import FileError

DATA = Path(__file__).parent / "data"
NETWORKS, PORTS = DATA / "networks.tsv", DATA / "ports.tsv"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: What a socket is made from: family, type, protocol, canonical name, socket address.
AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")  # the only IPv6 space with hosts of the public net, RFC 4291
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_V4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # upper half of an interface id that ends in an IPv4 address, RFC 5214

REMEMBERED = 8_192  # verdicts and names; some 2 MB
NAME_SECONDS = 120.0  # getaddrinfo tells no TTL; short enough to follow a moved host
UNKNOWN_SECONDS = 30.0  # how long a name that did not resolve is not asked for again
THREADS = 256  # lookups of healthy names at one time; threads that wait cost little
SUSPECT_THREADS = 8  # lookups of names whose last lookup was slow or failed


class Forbidden(OSError):
    """An address, or every address of a name, that must not be dialled."""


@dataclass(frozen=True, slots=True)
class _Rules:
    refused: tuple[Network, ...]
    never: tuple[Network, ...]


class Guard:
    """Says of an address and port whether they may be dialled.

    allowed: CIDR blocks that may be dialled although they are no public space.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(ipaddress.ip_network(block) for block in allowed)
        self._verdicts: OrderedDict[str, bool] = OrderedDict()

    def permits(self, address: str) -> bool:
        """Whether this numeric address may be dialled; anything that is no numeric address may not."""
        verdict = self._verdicts.get(address)
        if verdict is None:
            verdict = self._verdicts[address] = self._judge(address)
            if len(self._verdicts) > REMEMBERED:
                self._verdicts.popitem(last=False)
        return verdict

    def check(self, address: str, port: int) -> None:
        """Raises: Forbidden."""
        if port in bad_ports():
            raise Forbidden(f"port {port} is no web server's")
        if not self.permits(address):
            raise Forbidden(f"{address} is no public address")

    def socket(self, info: AddrInfo) -> socket.socket:
        """A socket for this address, which is what is dialled next (aiohttp's `socket_factory`). Raises: Forbidden."""
        family, kind, protocol, _, address = info
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise Forbidden(f"address family {family} is no internet address")
        self.check(address[0], address[1])
        if family == socket.AF_INET6 and len(address) > 3 and address[3]:
            raise Forbidden(f"{address[0]} is bound to an interface")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    def _judge(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address):
            if address.scope_id is not None:
                return False
            if (mapped := address.ipv4_mapped) is not None:
                return self._judge_one(mapped)
            if not all(self._judge_one(inner) for inner in _embedded(address)):
                return False
        return self._judge_one(address)

    def _judge_one(self, address: Address) -> bool:
        rules = _rules()
        exact = [net for net in self._allowed if net.version == address.version and address in net]
        if any(address in net and net not in exact for net in rules.never if net.version == address.version):
            return False
        if exact:
            return True
        if isinstance(address, ipaddress.IPv6Address) and address not in _GIVEN_OUT:
            return False
        return not any(address in net for net in rules.refused if net.version == address.version)


class Resolver(AbstractResolver):
    """Names to addresses that the guard permits; remembers what it learnt for a while.

    inner: who really asks; the system's resolver by default. seconds: how long an answer is remembered.
    """

    def __init__(self, guard: Guard, inner: AbstractResolver | None = None, *, seconds: float = NAME_SECONDS) -> None:
        self._guard, self._seconds = guard, seconds
        self._inner = inner or SystemResolver()
        self._known: OrderedDict[str, tuple[float, list[str] | OSError]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[list[str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises: Forbidden where no address may be dialled, OSError where there is none."""
        found = await self._addresses(host)
        permitted = [address for address in found if self._guard.permits(address)]
        if found and not permitted:
            raise Forbidden(f"{host} is {found[0]}, no public address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in permitted
        ]

    async def close(self) -> None:
        for task in list(self._asked.values()):
            task.cancel()
        await self._inner.close()

    async def _addresses(self, host: str) -> list[str]:
        now = asyncio.get_running_loop().time()
        known = self._known.get(host)
        if known is not None and known[0] > now:
            if isinstance(known[1], OSError):
                raise known[1]
            return known[1]
        task = self._asked.get(host)
        if task is None:  # one question for all who ask; it goes on when one of them gives up
            task = self._asked[host] = asyncio.create_task(self._ask(host))
            task.add_done_callback(_looked_at)
        return await asyncio.shield(task)

    async def _ask(self, host: str) -> list[str]:
        answer: list[str] | OSError
        seconds = self._seconds
        try:
            answer = [row["host"] for row in await self._inner.resolve(host, 0, socket.AF_UNSPEC)]
            if not answer:
                raise socket.gaierror(socket.EAI_NONAME, "no address")
        except OSError as e:
            answer, seconds = e, min(seconds, UNKNOWN_SECONDS)
        finally:
            self._asked.pop(host, None)
        if seconds > 0:
            self._known[host] = asyncio.get_running_loop().time() + seconds, answer
            self._known.move_to_end(host)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        if isinstance(answer, OSError):
            raise answer
        return answer


class SystemResolver(AbstractResolver):
    """getaddrinfo in threads of our own. Names whose last lookup was slow wait in a short lane beside the others, so
    that hundreds of dead names cannot hold up a living one."""

    SLOW = 3.0  # seconds; a healthy resolver answers within a tenth of it, a dead name takes five or more

    def __init__(self, lookup: Callable[[str], Sequence[str]] | None = None) -> None:
        self._lookup = lookup or system_lookup
        self._lane, self._suspects = _Threads(THREADS), _Threads(SUSPECT_THREADS)
        self._slow: OrderedDict[str, None] = OrderedDict()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        lane = self._suspects if host in self._slow else self._lane
        begun: list[float] = []

        def look() -> Sequence[str]:
            begun.append(loop.time())
            return self._lookup(host)

        try:
            found = await lane.run(look)
        finally:
            if begun and loop.time() - begun[0] > self.SLOW:
                self._slow[host] = None
                if len(self._slow) > REMEMBERED:
                    self._slow.popitem(last=False)
            else:
                self._slow.pop(host, None)
        return [ResolveResult(hostname=host, host=address, port=port, family=0, proto=0, flags=0) for address in found]

    async def close(self) -> None:
        self._lane.close()
        self._suspects.close()


def system_lookup(host: str) -> list[str]:
    """Every address of a name, by the system. Raises: OSError."""
    try:
        name = host.encode("ascii")  # as bytes: the text form would go through IDNA 2003 and raise on long labels
    except UnicodeEncodeError as e:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from e
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(_spelled(row[4]) for row in found))


@cache
def bad_ports() -> frozenset[int]:
    """Ports that are never dialled (`data/ports.tsv`)."""
    return frozenset(int(cells[0]) for cells in _table(PORTS, 2))


@cache
def _rules() -> _Rules:
    refused: list[Network] = []
    never: list[Network] = []
    for network, when, _, _ in _table(NETWORKS, 4):
        (never if when == "never" else refused).append(ipaddress.ip_network(network))
    return _Rules(tuple(refused), tuple(never))


def _table(path: Path, columns: int) -> list[list[str]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != columns or not all(cells):
            raise FileError(path, number, f"wants {columns} columns")
        rows.append(cells)
    return rows


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that a gateway may read out of this one: it must not carry us where they must not."""
    found = []
    low = int(address) & 0xFFFF_FFFF
    if any(address in net for net in _NAT64) or address in _V4_COMPATIBLE:
        found.append(ipaddress.IPv4Address(low))
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        found.append(ipaddress.IPv4Address(low))
    return found


def _spelled(address: tuple[Any, ...]) -> str:
    """With its zone, if it has one, so that the guard sees it."""
    host = str(address[0])
    return f"{host}%{address[3]}" if len(address) > 3 and address[3] and "%" not in host else host


def _looked_at(task: asyncio.Task[list[str]]) -> None:
    """Keeps asyncio from complaining about a failure that nobody waited for any more."""
    if not task.cancelled():
        task.exception()


class _Threads:
    """Daemon threads for calls that cannot be interrupted: a hanging lookup must not hold up the end of the process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = self._idle = 0

    async def run(self, call: Callable[[], Sequence[str]]) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Sequence[str]] = loop.create_future()

        def work() -> None:
            if done.cancelled():
                return
            try:
                result, error = call(), None
            except BaseException as e:
                result, error = (), e
            _tell(loop, done, result, error)

        with self._lock:
            if not self._idle and self._started < self._most:
                self._started += 1
                threading.Thread(target=self._serve, daemon=True, name="names").start()
            elif self._idle:
                self._idle -= 1
        self._calls.put(work)
        return await done

    def close(self) -> None:
        for _ in range(self._started):
            self._calls.put(None)

    def _serve(self) -> None:
        while (work := self._calls.get()) is not None:
            work()
            with self._lock:
                self._idle += 1


def _tell(
    loop: asyncio.AbstractEventLoop,
    done: asyncio.Future[Sequence[str]],
    result: Sequence[str],
    error: BaseException | None,
) -> None:
    def settle() -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop has ended meanwhile
        return
