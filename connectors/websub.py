"""WebSub (https://www.w3.org/TR/websub/): hubs push what is new, so that it is here within seconds.

Polling goes on, more slowly, for what a hub does not bring. docs/polling.md tells what is promised.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlencode, urljoin

from aiohttp import web

from connectors.clock import Clock
from connectors.feedstate import FeedState
from connectors.responses import FetchFailed, Kind, Response
from connectors.schedule import DAY, HOUR, MINUTE, History, Subscription
from connectors.sources.entries import ParsedFeed
from connectors.urls import canonical_url
from pipeline.config import Config
from pipeline.errors import ConfigError, StorageError, StoragePaused

log = logging.getLogger("rasd.websub")

LEASE = 10 * DAY  # asked for; hubs grant what they like
SHORTEST_LEASE, LONGEST_LEASE = MINUTE, 30 * DAY  # whatever a hub grants
RENEW_SHARE = 0.2  # of the lease left, when it is renewed
UNANSWERED = HOUR  # a hub that has not verified by then is asked again
LONGEST_WAIT = DAY  # between two tries, doubled from UNANSWERED on
LOOK_SECONDS = 30.0  # between two looks for what is to be subscribed or renewed
REDIRECTS = 3  # of a hub: 307 and 308 only, which keep the method
LONGEST_CHALLENGE = 4_096
PUSHES_AT_ONCE = 8  # beyond this a hub is told to come again
END_SECONDS = 1.0  # for pushes under way to be taken in when asked to stop
PUSH_SECONDS = 30.0  # for a push to arrive in
_METHODS = ("sha1", "sha256", "sha384", "sha512")  # those of the specification
_LINK = re.compile(r"<([^<>]{1,2000})>((?:\s*;\s*[\w*!#$&+.^`|~-]{1,40}\s*=\s*(?:\"[^\"]{0,500}\"|[^\s;,\"]{1,500}))*)")
_PARAMETER = re.compile(r";\s*([\w*!#$&+.^`|~-]{1,40})\s*=\s*(?:\"([^\"]{0,500})\"|([^\s;,\"]{1,500}))")
_RELATIONS = ("hub", "self")


class Sends(Protocol):
    """`connectors.http.Client`, as far as hubs need it: guarded like every other socket. Raises: FetchFailed."""

    async def send(
        self,
        url: str,
        *,
        kind: Kind,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Response: ...


class Takes(Protocol):
    """`connectors.poller.Poller`, as far as pushes need it."""

    async def push(self, url: str, response: Response) -> None: ...


def discover(response: Response, parsed: ParsedFeed) -> tuple[str | None, str | None]:
    """The hub that a feed names, and the address it is known by there; the Link header counts before the feed.

    None, None if it names no hub at an http(s) address.
    """
    links = links_of(response)
    hub = _address(links.get("hub") or parsed.hub, response.url)
    if hub is None:
        return None, None
    return hub, _address(links.get("self") or parsed.self_url, response.url) or response.url


def links_of(response: Response) -> dict[str, str]:
    """The first target of the relations "hub" and "self" in the Link headers."""
    found: dict[str, str] = {}
    for name, value in response.headers:
        if name.lower() != "link":
            continue
        for target, parameters in _LINK.findall(value[:10_000]):
            stated = {key.lower(): quoted or plain for key, quoted, plain in reversed(_PARAMETER.findall(parameters))}
            for relation in stated.get("rel", "").lower().split():
                if relation in _RELATIONS:
                    found.setdefault(relation, target.strip())
    return found


def _address(said: str | None, base: str) -> str | None:
    try:
        url = urljoin(base, said) if said else None
    except ValueError:
        return None
    return url if canonical_url(url) else None


def signed(body: bytes, header: str | None, secret: str) -> bool:
    """Whether X-Hub-Signature (`sha256=…`) proves that the sender knows the secret; in constant time."""
    method, _, said = (header or "").strip().partition("=")
    if method.lower() not in _METHODS:
        return False
    ours = hmac.new(secret.encode(), body, getattr(hashlib, method.lower())).hexdigest()
    return hmac.compare_digest(ours.encode(), said.strip().lower().encode("utf-8", "replace"))


class WebSub:
    """Subscribes the feeds that `state` knows a hub of, and takes pushes in at settings.websub.listen.

    feeds: addresses of those that are polled. token: makes what nobody can guess; for tests.
    """

    def __init__(
        self,
        feeds: Iterable[str],
        state: FeedState,
        client: Sends,
        poller: Takes,
        *,
        clock: Clock,
        settings: Config,
        token: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        self._feeds = frozenset(feeds)
        self._state, self._client, self._poller = state, client, poller
        self._clock, self._settings, self._token = clock, settings, token
        self._paths: dict[str, str] = {
            h.hub.path: h.url for h in state.histories() if h.hub is not None and h.url in self._feeds
        }
        self._pushes = 0
        self.port: int | None = None  # where it listens, once `run` has begun

    async def run(self, stop: asyncio.Event) -> None:
        """Listens, subscribes and renews until `stop`; subscriptions outlive it. Raises: ConfigError, if the address to
        listen at cannot be had."""
        server = await self._listen()
        tasks = asyncio.create_task(self._rounds()), asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:  # a round may wait for many hubs
                task.cancel()
            await server.cleanup()

    async def _rounds(self) -> None:
        while True:
            await self.look()
            await self._clock.sleep_until(self._clock.now() + LOOK_SECONDS)

    # -- asking hubs --------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Asks every hub that is to be asked now: to begin, to renew, to end."""
        for history in self._state.histories():
            mode = self._to_ask(history, self._clock.now()) if history.url in self._feeds else None
            if mode == "forget":
                self._forget(history)
            if mode not in ("subscribe", "unsubscribe"):
                continue
            try:
                await self._ask(history, mode)
            except StorageError:
                raise
            except Exception:  # whatever a hub does to us, polling goes on
                log.exception("asking the hub of %s failed", history.url)
            await self._clock.sleep_until(self._clock.now() + self._settings.fetch.host_delay)

    def _to_ask(self, history: History, now: float) -> str | None:
        """What to do about the hub of this feed now: "subscribe", "unsubscribe", "forget", or nothing."""
        hub, offered = history.hub, history.hub_offered if history.state == "active" else None
        if hub is None:
            return "subscribe" if offered else None
        wait = min(UNANSWERED * 2.0 ** min(hub.tries, 10), LONGEST_WAIT)
        if now < hub.asked + wait and hub.asked <= now and hub.state != "verified":
            return None
        if hub.state == "ending":
            return "unsubscribe" if hub.until > now and hub.tries < 3 else "forget"
        if offered is None or (offered, history.topic) != (hub.hub, hub.topic):
            return "unsubscribe" if hub.state == "verified" and now < hub.until else "forget"
        if hub.state == "verified":
            due = hub.until - RENEW_SHARE * hub.lease
            return "subscribe" if now >= max(due, hub.asked + min(wait, RENEW_SHARE * hub.lease / 2)) else None
        return "subscribe"

    def _forget(self, history: History) -> None:
        if history.hub is not None:
            self._paths.pop(history.hub.path, None)
        self._save(history.url, None)

    async def _ask(self, history: History, mode: str) -> None:
        now = self._clock.now()
        hub = history.hub
        if hub is None:
            hub = Subscription(
                hub=history.hub_offered or "", topic=history.topic or history.asked_at,
                path=self._token(), secret=self._token(),
            )  # fmt: skip
            self._paths[hub.path] = history.url
        state = "ending" if mode == "unsubscribe" else "asked" if hub.state == "denied" else hub.state
        hub = replace(hub, asked=now, tries=hub.tries + 1, state=state)
        self._save(history.url, hub)
        try:
            self._state.flush()  # the hub may verify before it answers, and that must be ours after a kill too
        except StoragePaused as e:
            log.warning("the hub of %s is asked later: %s", history.url, e)
            return
        form = {"hub.callback": self._callback(hub.path), "hub.mode": mode, "hub.topic": hub.topic}
        if mode == "subscribe":
            form |= {"hub.secret": hub.secret, "hub.lease_seconds": str(int(LEASE))}
        try:
            response = await self._post(hub.hub, urlencode(form).encode())
        except FetchFailed as e:
            log.info("the hub of %s cannot be asked: %s", history.url, e.reason)
            return
        if not 200 <= response.status < 300:
            log.info("the hub of %s answers %d to %s", history.url, response.status, mode)

    async def _post(self, url: str, form: bytes) -> Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for _ in range(REDIRECTS):
            response = await self._client.send(url, kind="hub", method="POST", headers=headers, data=form)
            to = response.header("location")
            if response.status not in (307, 308) or not to:
                return response
            url = _address(to, url) or url
        raise FetchFailed("redirected too often", reason="redirects", url=url)

    def _callback(self, path: str) -> str:
        return f"{self._settings.websub.callback.rstrip('/')}/{path}"

    def _save(self, url: str, hub: Subscription | None) -> None:
        self._state.save(self._state.history(url).but(hub=hub))

    # -- what hubs ask and push ---------------------------------------------------------------------------------------

    async def _listen(self) -> web.AppRunner:
        application = web.Application(client_max_size=self._settings.fetch.max_feed_bytes)
        application.router.add_get("/{path:.*}", self._verify)
        application.router.add_post("/{path:.*}", self._take)
        runner = web.AppRunner(
            application, access_log=None, handle_signals=False, auto_decompress=False, keepalive_timeout=15.0,
            shutdown_timeout=END_SECONDS,
        )  # fmt: skip
        await runner.setup()
        listen = self._settings.websub.listen
        host, _, port = listen.rpartition(":")
        try:
            await web.TCPSite(runner, host.strip("[]") or None, int(port)).start()
        except (OSError, ValueError, OverflowError) as e:
            await runner.cleanup()
            raise ConfigError("websub.listen", None, f"{listen!r} cannot be listened at: {e}") from e
        self.port = runner.addresses[0][1]
        return runner

    def _called(self, request: web.Request) -> tuple[History, Subscription]:
        """Whose callback was called. Raises: HTTPNotFound, whatever the reason."""
        url = self._paths.get(request.path.rpartition("/")[2])
        history = self._state.history(url) if url else None
        if history is None or history.hub is None:
            raise web.HTTPNotFound
        return history, history.hub

    async def _verify(self, request: web.Request) -> web.Response:
        """The hub asks whether it was really us, or says that it declines."""
        history, hub = self._called(request)
        asked = request.query
        mode, challenge = asked.get("hub.mode"), asked.get("hub.challenge", "")
        if asked.get("hub.topic") != hub.topic or len(challenge) > LONGEST_CHALLENGE:
            raise web.HTTPNotFound
        now = self._clock.now()
        if mode == "denied":
            log.warning("the hub of %s declines: %s", history.url, asked.get("hub.reason", "")[:200])
            self._save(history.url, replace(hub, state="denied", until=0.0))
            return web.Response()
        if not challenge:
            raise web.HTTPNotFound
        if mode == "subscribe" and hub.state in ("asked", "verified"):
            lease = _lease(asked.get("hub.lease_seconds"))
            self._save(history.url, replace(hub, state="verified", lease=lease, until=now + lease, tries=0, missed=0))
            if hub.state == "asked":
                log.info("the hub of %s pushes from now on", history.url)
        elif mode == "unsubscribe" and hub.state == "ending":
            self._forget(history)
        else:
            raise web.HTTPNotFound
        return web.Response(text=challenge, content_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})

    async def _take(self, request: web.Request) -> web.Response:
        """The hub pushes. What is not signed as agreed is thanked for and ignored, as the specification has it."""
        history, hub = self._called(request)
        if hub.state not in ("verified", "ending") or request.headers.get("Content-Encoding"):
            raise web.HTTPNotFound
        if self._pushes >= PUSHES_AT_ONCE:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "30"})
        self._pushes += 1
        try:
            async with asyncio.timeout(PUSH_SECONDS):
                body = await request.read()
            if not signed(body, request.headers.get("X-Hub-Signature"), hub.secret):
                log.warning("a push for %s is not signed as agreed: ignored", history.url)
                return web.Response(status=202)
            with self._clock.working():
                await self._poller.push(history.url, self._pushed(request, hub, body))
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        finally:
            self._pushes -= 1
        return web.Response(status=202)

    def _pushed(self, request: web.Request, hub: Subscription, body: bytes) -> Response:
        kind = request.headers.get("Content-Type", "")
        return Response(
            url=hub.topic,
            status=200,
            reason="OK",
            headers=(("Content-Type", kind),) if kind else (),
            raw=body,
            body=body,
            fetched=dt.datetime.fromtimestamp(int(self._clock.now()), dt.UTC),
        )


def _lease(said: str | None) -> float:
    granted = float(said) if said and said.isascii() and said.isdigit() and len(said) < 16 else LEASE
    return min(max(granted, SHORTEST_LEASE), LONGEST_LEASE)
