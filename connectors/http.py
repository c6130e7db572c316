"""The only sockets: one request, one answer, with an end to its time and size whatever the server does."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn

import aiohttp
import can_ada
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from connectors.clock import Clock
from connectors.dialling import Forbidden, Guard, Resolver
from connectors.encodings import ACCEPTED, unpack
from connectors.responses import FetchFailed, Kind, Response
from connectors.urls import LONGEST
from pipeline.config import FetchSettings
from pipeline.errors import Unusable

#: What RFC 9309 wants read of a robots.txt at least is 500 KiB.
ROBOTS_BYTES = 512 * 1024
#: Read of an answer that is not 2xx: enough to say in a report what it was.
REFUSAL_BYTES = 64 * 1024
REFUSAL_SECONDS = 2.0  # waited for its body: redirects that name no length on a connection left open would hang

HEADER_BYTES = 32 * 1024  # one header; the longest honest ones are content security policies of some 15 kB
HEADERS = 256
HEAD_BYTES = 1024 * 1024  # all that comes before the body, informational answers included
OVERHEAD = 3  # bytes on the wire for each byte of body at most: chunks of three bytes, nobody flushes as often
IDLE_SECONDS = 15.0
IDLE_CONNECTIONS = 512  # beyond this a connection is not kept for the next request: sockets are finite
IN_THREAD = 128 * 1024  # packed bytes from which unpacking would be felt in the loop

_ACCEPT: Mapping[Kind, str] = {
    "feed": "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.7",
    "sitemap": "application/xml, text/xml, */*;q=0.7",
    "page": "text/html, application/xhtml+xml, */*;q=0.7",
    "robots": "text/plain, */*;q=0.7",
    "hub": "*/*",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed address. url: as it is requested: WHATWG spelling, no credentials, no fragment.

    host: lower case, Punycode, without trailing dot; brackets around an IPv6 address. origin: `scheme://host:port` with
    the port even where it is the usual one.
    """

    url: str
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def target_of(url: str, base: str | None = None) -> Target:
    """What to request for this address, relative ones counted from `base`. Raises: FetchFailed "bad-url"."""
    if len(url) > LONGEST:
        raise FetchFailed("the address is too long", reason="bad-url", url=url[:200])
    try:
        parsed = can_ada.parse(base) + url if base else can_ada.parse(url)
        href = parsed.href
    except (ValueError, TypeError, UnicodeError) as e:
        raise FetchFailed(f"{url[:200]!r} is no address", reason="bad-url", url=url) from e
    scheme = parsed.protocol[:-1]
    if scheme not in ("http", "https"):
        raise FetchFailed(f"{scheme}: is not fetched", reason="bad-url", url=url)
    host = parsed.hostname.rstrip(".")
    if not host or ".." in host or host.startswith(".") or len(host) > 253:
        raise FetchFailed(f"{url[:200]!r} has no host", reason="bad-url", url=url)
    if len(href) > LONGEST:
        raise FetchFailed("the address is too long", reason="bad-url", url=url[:200])
    port = int(parsed.port) if parsed.port else (443 if scheme == "https" else 80)
    if parsed.hash or "@" in href or "#" in href or host != parsed.hostname:
        shown = f":{parsed.port}" if parsed.port else ""
        href = f"{scheme}://{host}{shown}{parsed.pathname}{parsed.search}"
    return Target(href, scheme, host, port)


class Client:
    """Sends requests. Keeps connections, but no cookies, and follows nothing by itself.

    resolver: who turns names into addresses instead of the system; what it says is checked all the same.
    """

    def __init__(self, settings: FetchSettings, *, clock: Clock, resolver: AbstractResolver | None = None) -> None:
        self._settings, self._clock = settings, clock
        self._guard = Guard(settings.allow_private)
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._limits: Mapping[Kind, int] = {
            "feed": settings.max_feed_bytes,
            "sitemap": settings.max_feed_bytes,
            "page": settings.max_page_bytes,
            "robots": ROBOTS_BYTES,
            "hub": REFUSAL_BYTES,
        }

    async def send(
        self,
        url: str,
        *,
        kind: Kind,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        limit: int | None = None,
        sent: Callable[[], None] | None = None,
    ) -> Response:
        """The answer to one request; a redirect is an answer.

        limit: most bytes of the body, on the wire and unpacked, instead of what the settings say for this kind.
        sent: called when there is a connection and the request goes out; again, if it goes out again on another one.
        Raises: FetchFailed.
        """
        target = target_of(url)
        if limit is None:
            limit = self._limits[kind]
        if self._closed:
            raise FetchFailed("the client is closed", reason="connection", url=target.url, retryable=True)
        _sending.set(sent)
        with self._clock.working():
            try:
                async with asyncio.timeout(self._settings.total_seconds):
                    return await self._exchange(target, kind, method, headers, data, limit)
            except Exception as e:
                _explain(e, target.url)

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _exchange(
        self,
        target: Target,
        kind: Kind,
        method: str,
        headers: Mapping[str, str] | None,
        data: bytes | None,
        limit: int,
    ) -> Response:
        session = self._session or self._open()
        asked = {"Accept": _ACCEPT[kind]}
        if headers:
            asked.update((name, value) for name, value in headers.items() if value.isprintable())
        request = session.request(
            method, URL(target.url, encoded=True), headers=asked, data=data, allow_redirects=False
        )
        async with request as answer:
            if answer.status < 200:  # 101: a protocol that nobody asked for
                raise HttpProcessingError(code=answer.status, message="not an answer")
            fine = 200 <= answer.status < 300
            most = limit if fine else min(limit, REFUSAL_BYTES)
            raw, cut = await _body(answer, most, cut=not fine or kind == "robots")
            head = tuple((_text(name), _text(value)) for name, value in answer.raw_headers)
            body = raw
            if raw and "Content-Encoding" in answer.headers:
                coding = ",".join(answer.headers.getall("Content-Encoding"))
                body = await self._unpacked(raw, coding, most, fine=fine, kind=kind)
            return Response(
                url=target.url,
                status=answer.status,
                reason=(answer.reason or "").encode("utf-8", "replace").decode(),  # its stray bytes are surrogates
                headers=head,
                raw=raw,
                body=body,
                fetched=dt.datetime.fromtimestamp(int(self._clock.now()), dt.UTC),
                cut=cut,
            )

    async def _unpacked(self, raw: bytes, coding: str, limit: int, *, fine: bool, kind: Kind) -> bytes:
        undo = functools.partial(unpack, raw, coding, limit, cut=not fine or kind == "robots")
        try:
            if len(raw) < IN_THREAD:
                return undo()
            return await asyncio.to_thread(undo)
        except Unusable:
            if fine:
                raise
            return b""  # the status says enough

    def _open(self) -> aiohttp.ClientSession:
        settings = self._settings
        connector = _Connector(
            resolver=Resolver(self._guard, self._resolver),
            use_dns_cache=False,
            socket_factory=self._guard.socket,
            limit=settings.connections,
            keepalive_timeout=IDLE_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": settings.user_agent, "Accept-Encoding": ACCEPTED},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_seconds),
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            max_headers=HEADERS,
        )
        self._session._retry_connection = False  # it would ask again at once; PoliteClient does in the host's time
        return self._session


#: Whom to tell that the request of this task goes out now.
_sending: ContextVar[Callable[[], None] | None] = ContextVar("_sending", default=None)


class _Connector(aiohttp.TCPConnector):
    """Connections that count what they receive; tells when a request goes out; keeps a bounded number of idle ones."""

    def __init__(self, *, resolver: Resolver, **options: Any) -> None:
        super().__init__(resolver=resolver, **options)
        self._names = resolver
        self._factory = functools.partial(_Connection, loop=self._loop)  # type: ignore[assignment]

    async def connect(self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if len(self._conns) > IDLE_CONNECTIONS and connection.protocol is not None:
            connection.protocol.force_close()
        if (sent := _sending.get()) is not None:
            sent()
        return connection

    async def close(self, *, abort_ssl: bool = False) -> None:
        await super().close(abort_ssl=abort_ssl)
        await self._names.close()


class _Connection(ResponseHandler):
    """One connection; it ends when a server sends more before or around the body than any honest one."""

    _received = 0

    def set_response_params(self, **options: Any) -> None:
        self._received = 0
        super().set_response_params(**options)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Tells who reads the body as well: a broken chunk would else be waited for until the deadline."""
        payload = self._payload
        super().set_exception(exc, *cause)
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(exc, *cause)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > HEAD_BYTES:
            payload = self._payload
            body = payload.total_bytes if payload is not None else 0
            if self._received > HEAD_BYTES + OVERHEAD * body:
                self.set_exception(HttpProcessingError(message="more around the body than any honest server sends"))
                if self.transport is not None:
                    self.transport.abort()
                return
        if self._payload is None and (end := data.find(b"\r\n\r\n") + 4) > 3 and end < len(data):
            # The parser takes head and body apart, as what follows a body that is longer than was said (lengths
            # counted in letters instead of bytes) would make it forget a head that came in the same packet.
            super().data_received(data[:end])
            data = data[end:]
        super().data_received(data)


async def _body(answer: aiohttp.ClientResponse, most: int, *, cut: bool) -> tuple[bytes, bool]:
    """The body off the wire and whether it is cut. Raises: Unusable "too-large", what aiohttp raises."""
    content = answer.content
    if content.at_eof():
        return b"", False
    if not cut and (told := answer.content_length) is not None and told > most:
        raise Unusable(f"{told} bytes long", reason="too-large")
    fine = 200 <= answer.status < 300
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(None if fine else REFUSAL_SECONDS):
            while size <= most and (piece := await content.readany()):
                size += len(piece)
                pieces.append(piece)
    except (aiohttp.ClientError, TimeoutError, OSError):
        if fine:
            raise
        answer.close()
        return b"".join(pieces)[:most], True
    if size > most:
        if not cut:
            raise Unusable(f"longer than {most} bytes", reason="too-large")
        answer.close()
        return b"".join(pieces)[:most], True
    return pieces[0] if len(pieces) == 1 else b"".join(pieces), False


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _explain(error: Exception, url: str) -> NoReturn:
    """Raises: FetchFailed that says in our words what went wrong; what is no fault of the net goes on as it is."""
    if isinstance(error, FetchFailed):
        raise error
    if isinstance(error, Unusable):
        raise FetchFailed(f"{url}: {error}", reason=error.reason, url=url) from error
    inner = getattr(error, "os_error", None) or error
    if isinstance(inner, Forbidden) or isinstance(error.__cause__, Forbidden):
        raise FetchFailed(f"{url}: {inner}", reason="forbidden-address", url=url) from error
    for kinds, reason, retryable in _REASONS:
        if isinstance(error, kinds):
            raise FetchFailed(f"{url}: {_said(error)}", reason=reason, url=url, retryable=retryable) from error
    raise error


def _said(error: Exception) -> str:
    return str(error)[:300] or type(error).__name__


#: The first row that fits. Subclasses stand before what they are kinds of.
_REASONS: tuple[tuple[tuple[type[Exception], ...], str, bool], ...] = (
    ((TimeoutError,), "timeout", True),
    ((aiohttp.InvalidURL,), "bad-url", False),
    ((aiohttp.ClientConnectorDNSError,), "dns", True),
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", True),
    ((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError), "connection", True),
    ((RuntimeError,), "connection", True),  # what uvloop and a session that is being closed raise
    ((aiohttp.ClientError, HttpProcessingError), "bad-response", False),
    ((ValueError, UnicodeError), "bad-url", False),
)
