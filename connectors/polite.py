"""Requests as a good guest makes them: each host in its own time, robots.txt obeyed, redirects followed one by one."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from connectors.clock import Clock
from connectors.http import Client, Target, target_of
from connectors.lanes import SLOW, Lanes, Place
from connectors.responses import FetchFailed, Hop, Kind, Response
from connectors.robots import LONGEST_DELAY, Robots, Rules
from pipeline.config import FetchSettings

REDIRECTS = frozenset((301, 302, 303, 307, 308))
HOSTS = 10_000  # remembered; one that waits for something is never forgotten
LONGEST_WAIT = 60.0  # seconds a request waits for a host that asked for a pause; beyond, it fails and says so
LONGEST_HOLD = 24 * 3_600.0  # seconds; a longer Retry-After is taken for a mistake
SLOWER_SECONDS = 24 * 3_600.0  # how long a host that answered 429 is asked more slowly than it says
HOLD = 30.0  # seconds of pause after a 429 that names none, doubled with each one that follows
SLOWEST = SLOW * 4  # what a host counts as that did not answer in time: two quick answers make it quick again
#: Headers that may follow a redirect to another origin: what is asked for, nothing about who asks.
_TRAVELS = frozenset(("if-none-match", "if-modified-since", "accept", "accept-language", "cache-control"))


@dataclass(slots=True)
class _Host:
    """What is known of a host: when it was asked last, and how many requests may be under way."""

    open: asyncio.Semaphore
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_start: float = -math.inf
    held_until: float = 0.0
    holds: int = 0
    slower: float = 0.0  # seconds between requests, learnt from answers 429
    slower_until: float = 0.0
    users: int = 0
    seconds: float | None = None  # that its answers take, the newest counting half; None before the first


class PoliteClient:
    """The client that everybody uses.

    Hosts are counted by name; one with a port of its own is another host.
    """

    def __init__(self, client: Client, robots: Robots, settings: FetchSettings, *, clock: Clock) -> None:
        self._client, self._robots, self._settings, self._clock = client, robots, settings, clock
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._room = HOSTS
        self._lanes = Lanes(settings.connections)

    async def get(self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None) -> Response:
        """The answer at the end of the redirects, whatever its status.

        Waits until the host may be asked. Raises: FetchFailed, with reason "robots" where robots.txt forbids an
        address on the way, "held" (and `after`) where the host asked for a longer pause than a request waits.
        """
        target = target_of(url)
        first, hops = target, list[Hop]()
        seen = {target.url}
        while True:
            rules = self._robots.known(target.origin)
            if kind not in ("robots", "hub"):
                rules = rules or await self._robots.rules(target.origin, self._ask_robots)
                self._obey(rules, target)
            delay = max(self._settings.host_delay, rules.delay if rules else 0.0)
            response = await self._in_turn(target, kind, headers, delay)
            if response.status not in REDIRECTS:
                return replace(response, hops=tuple(hops)) if hops else response
            target, hop = self._next(target, response, hops, seen)
            hops.append(hop)
            if headers and target.origin != first.origin:
                headers = {name: value for name, value in headers.items() if name.lower() in _TRAVELS}

    async def robots(self, url: str) -> Rules:
        """What the host of this address asks of us: sitemaps, delay. Raises: FetchFailed "bad-url"."""
        origin = target_of(url).origin
        return await self._robots.rules(origin, self._ask_robots)

    async def _ask_robots(self, url: str) -> Response:
        return await self.get(url, kind="robots")

    def _obey(self, rules: Rules, target: Target) -> None:
        if rules.closed:
            raise FetchFailed(
                f"{target.url}: {rules.why}",
                reason=rules.reason,
                url=target.url,
                retryable=True,
                after=max(0.0, rules.until - self._clock.now()),
            )
        if not rules.allows(target.url):
            raise FetchFailed(f"{target.url}: robots.txt forbids it", reason="robots", url=target.url)

    def _next(self, target: Target, response: Response, hops: list[Hop], seen: set[str]) -> tuple[Target, Hop]:
        """Where a redirect leads. Raises: FetchFailed."""
        location = response.header("location")
        if not location or not location.strip():
            raise FetchFailed(
                f"{target.url} answers {response.status} and no address", reason="redirects", url=target.url
            )
        if len(hops) >= self._settings.redirects:
            raise FetchFailed(f"more than {len(hops)} redirects", reason="redirects", url=target.url)
        to = target_of(location, target.url)
        if to.url in seen:
            raise FetchFailed(f"redirects lead back to {to.url}", reason="redirects", url=target.url)
        seen.add(to.url)
        return to, Hop(target.url, response.status, to.url)

    async def _in_turn(self, target: Target, kind: Kind, headers: Mapping[str, str] | None, delay: float) -> Response:
        host = self._host(target)
        host.users += 1
        try:
            async with host.open:
                response, lost = None, False
                while response is None:
                    start = _Start(host, self._clock)
                    try:
                        response = await self._try(host, start, target, kind, headers, delay)
                    except FetchFailed as e:
                        if lost or e.reason != "connection" or not start.went_out:
                            raise
                        lost = True  # many end an idle connection just when it is used: once more, in the host's time
        finally:
            host.users -= 1
        self._hold(host, response, delay)
        return response

    async def _try(
        self,
        host: _Host,
        start: _Start,
        target: Target,
        kind: Kind,
        headers: Mapping[str, str] | None,
        delay: float,
    ) -> Response | None:
        """One request in the host's time; None if it had to give way to others and is to be made again."""
        await host.starting.acquire()
        try:
            place = await self._may_start(host, target, delay)
            loop = asyncio.get_running_loop()
            began, answered = loop.time(), None
            start()
            try:
                async with asyncio.timeout(None) as patience:
                    place.cut = lambda: patience.reschedule(loop.time())
                    response = await self._client.send(target.url, kind=kind, headers=headers, sent=start.sent)
                answered = loop.time() - began
                host.seconds = _average(host.seconds, answered)
                return response
            except TimeoutError:
                if not place.was_cut:
                    raise
                host.seconds = SLOWEST
                return None
            except FetchFailed as e:
                host.seconds = SLOWEST if e.reason == "timeout" else _average(host.seconds, loop.time() - began)
                raise
            finally:
                place.cut = None
                self._lanes.leave(place, answered=answered)
        finally:
            start.over()

    async def _may_start(self, host: _Host, target: Target, delay: float) -> Place:
        """Waits for the host's time and a connection. Raises: FetchFailed "held"."""
        while True:
            now = self._clock.now()
            if host.held_until - now > LONGEST_WAIT:
                raise FetchFailed(
                    f"{target.host} has asked for a pause",
                    reason="held",
                    url=target.url,
                    retryable=True,
                    after=host.held_until - now,
                )
            if now < host.slower_until:
                delay = max(delay, host.slower)
            when = max(host.last_start + delay, host.held_until)
            if when > now:
                await self._clock.sleep_until(when)
                continue
            place = await self._lanes.enter(host.seconds)
            if host.held_until <= self._clock.now():
                return place
            self._lanes.leave(place)  # it asked for a pause while we waited for a connection

    def _hold(self, host: _Host, response: Response, delay: float) -> None:
        if response.status not in (429, 503):
            host.holds = 0
            return
        now = self._clock.now()
        if response.status == 429:  # else a redirect inside a host that counts would never get to its end
            slower = host.slower if now < host.slower_until else 0.0
            host.slower = min(2 * max(delay, slower, 0.5), LONGEST_DELAY)
            host.slower_until = now + SLOWER_SECONDS
        seconds = retry_after(response.header("retry-after"), now)
        if seconds is None:
            if response.status == 503:
                return
            seconds = HOLD * 2 ** min(host.holds, 7)
        host.holds += 1
        host.held_until = max(host.held_until, now + min(seconds, LONGEST_HOLD))

    def _host(self, target: Target) -> _Host:
        key = target.host if target.port in (80, 443) else f"{target.host}:{target.port}"
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = _Host(asyncio.Semaphore(self._settings.host_connections))
            if len(self._hosts) > self._room:
                self._forget()
        else:
            self._hosts.move_to_end(key)
        return host

    def _forget(self) -> None:
        """Drops the hosts that were asked longest ago, if nothing of theirs still counts."""
        now = self._clock.now()
        longest = max(LONGEST_DELAY, self._settings.host_delay)
        for key in list(self._hosts)[:-HOSTS]:
            host = self._hosts[key]
            if not host.users and max(host.last_start + longest, host.held_until) <= now:
                del self._hosts[key]
        self._room = max(len(self._hosts), HOSTS) + HOSTS // 20  # looking through all of them is not for each new one


class _Start:
    """The beginning of one request: the next one to the same host begins a delay after this one was sent.

    Counted from the sending and not from the dialling, else a first request that has to dial and a second one that
    finds the connection open would reach the server closer together than promised.
    """

    __slots__ = ("_clock", "_host", "_over", "went_out")

    def __init__(self, host: _Host, clock: Clock) -> None:
        self._host, self._clock, self._over = host, clock, False
        self.went_out = False

    def __call__(self) -> None:
        self._host.last_start = self._clock.now()

    def sent(self) -> None:
        self.went_out = True
        self()
        self.over()

    def over(self) -> None:
        """Lets the next one begin."""
        if not self._over:
            self._over = True
            self._host.starting.release()


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header (seconds or a date) asks to wait, not below 0; None if it says nothing."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return min(float(value), 1e9)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, when.timestamp() - now)


def _average(before: float | None, seconds: float) -> float:
    return seconds if before is None else (min(before, SLOWEST) + seconds) / 2
