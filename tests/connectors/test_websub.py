"""WebSub against a hub of our own on loopback: subscribing, verifying, pushing, renewing, ending; and forgeries."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import aiohttp
import aiohttp.web
import pytest

from connectors.clock import SystemClock
from connectors.feedstate import FeedState
from connectors.http import Client
from connectors.newsroom.clock import SimulatedClock
from connectors.responses import FetchFailed, Kind, Response
from connectors.schedule import DAY, History
from connectors.sources.entries import ParsedFeed
from connectors.websub import LEASE, PUSHES_AT_ONCE, UNANSWERED, WebSub, discover, links_of, signed
from pipeline.config import Config, FetchSettings, WebsubSettings
from pipeline.errors import ConfigError

NOW = 1_800_000_000.0
URL = "https://news.example/rss"
HUB = "https://hub.example/"
SETTINGS = Config(
    websub=WebsubSettings(callback="https://us.example/websub/", listen="127.0.0.1:0"),
    fetch=FetchSettings(max_feed_bytes=10_000, host_delay=0.0, allow_private=("127.0.0.0/8",)),
)


def answer(url: str = URL, *headers: tuple[str, str]) -> Response:
    return Response(url=url, status=200, headers=headers, fetched=dt.datetime.fromtimestamp(NOW, dt.UTC))


def feed(**given: Any) -> ParsedFeed:
    return ParsedFeed(entries=(), dialect="rss-2.0", **given)


# -- pure -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "links"),
    [
        (['<https://hub.example/>; rel="hub"'], {"hub": "https://hub.example/"}),
        (["<https://hub.example/>; rel=hub, </self>; rel=self"], {"hub": "https://hub.example/", "self": "/self"}),
        (['<a,b>; title="x, <y>; rel=hub"; rel="SELF alternate"'], {"self": "a,b"}),
        (["<one>; rel=hub", "<two>; rel=hub"], {"hub": "one"}),
        (["<one>; REL = hub"], {"hub": "one"}),
        (["<one>; norel=hub"], {}),
        (["<one>"], {}),
        (["one; rel=hub"], {}),
        (["<" * 100_000], {}),
        (['<a>;rel="' * 10_000], {}),
        ([], {}),
    ],
)
def test_relations_are_read_from_link_headers(headers: list[str], links: dict[str, str]) -> None:
    assert links_of(answer(URL, *(("Link", value) for value in headers))) == links


@pytest.mark.parametrize(
    ("link", "given", "found"),
    [
        (None, {}, (None, None)),
        (None, {"hub": HUB}, (HUB, URL)),
        (None, {"hub": HUB, "self_url": "https://news.example/own"}, (HUB, "https://news.example/own")),
        (f"<{HUB}>; rel=hub", {"hub": "https://other.example/"}, (HUB, URL)),
        ("</hub>; rel=hub, </own>; rel=self", {}, ("https://news.example/hub", "https://news.example/own")),
        (None, {"hub": "javascript:alert(1)"}, (None, None)),
        (None, {"hub": "file:///etc/passwd"}, (None, None)),
        (None, {"hub": "http://["}, (None, None)),
        (None, {"hub": HUB, "self_url": "ftp://x/"}, (HUB, URL)),
    ],
)
def test_a_hub_is_found_in_headers_or_feed(link: str | None, given: dict[str, str], found: tuple[str, str]) -> None:
    headers = (("Link", link),) if link else ()
    assert discover(answer(URL, *headers), feed(**given)) == found


def signature(body: bytes, secret: str, method: str = "sha256") -> str:
    return f"{method}={hmac.new(secret.encode(), body, getattr(hashlib, method)).hexdigest()}"


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signature_of_any_agreed_method_proves_the_secret(method: str) -> None:
    assert signed(b"body", signature(b"body", "secret", method), "secret")
    assert signed(b"body", signature(b"body", "secret", method).upper(), "secret")


@pytest.mark.parametrize(
    "header",
    [
        None, "", "sha256", "sha256=", "sha256=00", "md5=841a2d689ad86bd1611447453c22c6fc",
        signature(b"other body", "secret"), signature(b"body", "other secret"), "=" + signature(b"body", "secret"),
        signature(b"body", "secret")[:-1], "sha256=é", "new=x", "__class__=x",
    ],
)  # fmt: skip
def test_anything_else_is_no_signature(header: str | None) -> None:
    assert not signed(b"body", header, "secret")


# -- with a hub -------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """A hub that answers what `status` says, a poller that keeps what is pushed, and a clock."""

    folder: Path
    status: int = 202
    trouble: Exception | None = None
    location: str | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    pushed: list[tuple[str, Response]] = field(default_factory=list)
    hold: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.folder / "clock", NOW)
        self.state = FeedState(self.folder / "poller.sqlite")
        self.state.save(History(url=URL, polls=1, hub_offered=HUB, topic=URL))
        self.tokens = itertools.count()
        self.websub = self.started()

    def started(self) -> WebSub:
        return WebSub(
            [URL], self.state, self, self, clock=self.clock, settings=SETTINGS,
            token=lambda: f"token{next(self.tokens)}",
        )  # fmt: skip

    async def send(
        self,
        url: str,
        *,
        kind: Kind,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Response:
        assert (kind, method) == ("hub", "POST")
        self.asked.append((url, dict(parse_qsl((data or b"").decode()))))
        if self.trouble:
            raise self.trouble
        if self.location and len(self.asked) == 1:
            return replace(answer(url, ("Location", self.location)), status=307)
        return replace(answer(url), status=self.status)

    async def push(self, url: str, response: Response) -> None:
        if self.hold:
            await self.hold.wait()
        self.pushed.append((url, response))

    @property
    def history(self) -> History:
        return self.state.history(URL)

    @property
    def modes(self) -> list[str]:
        return [form["hub.mode"] for _, form in self.asked]

    def later(self, seconds: float) -> None:
        self.clock.pass_time(seconds)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


Call = Callable[..., Awaitable[tuple[int, str]]]


def serving(world: World, steps: Callable[[Call], Awaitable[Any]]) -> Any:
    """Runs `steps` with the callback listening; they are given a way to call it."""

    async def main() -> Any:
        runner = await world.websub._listen()
        try:
            async with aiohttp.ClientSession() as session:

                async def call(method: str, path: str, **given: Any) -> tuple[int, str]:
                    url = f"http://127.0.0.1:{world.websub.port}{path}"
                    async with session.request(method, url, **given) as response:
                        return response.status, await response.text()

                return await steps(call)
        finally:
            await runner.cleanup()

    return asyncio.run(asyncio.wait_for(main(), 20))


def question(mode: str = "subscribe", topic: str = URL, **more: str) -> dict[str, str]:
    return {"hub.mode": mode, "hub.topic": topic, "hub.challenge": "c0ffee", "hub.lease_seconds": "864000", **more}


async def subscribed(world: World, call: Call) -> None:
    await world.websub.look()
    assert await call("GET", "/token0", params=question()) == (200, "c0ffee")


def test_a_hub_that_verifies_is_subscribed_to_with_a_secret_of_its_own(world: World) -> None:
    async def steps(call: Call) -> None:
        await subscribed(world, call)
        (asked,) = world.asked
        assert asked == (
            HUB,
            {
                "hub.callback": "https://us.example/websub/token0",
                "hub.mode": "subscribe",
                "hub.topic": URL,
                "hub.secret": "token1",
                "hub.lease_seconds": str(int(LEASE)),
            },
        )
        hub = world.history.hub
        assert hub is not None
        assert (hub.state, hub.until) == ("verified", NOW + 864_000)
        await world.websub.look()
        assert len(world.asked) == 1

    serving(world, steps)


@pytest.mark.parametrize(
    "query",
    [
        question(topic="https://news.example/other"),
        question("unsubscribe"),
        question("publish"),
        question("subscribe", **{"hub.challenge": ""}),
        question("subscribe", **{"hub.challenge": "x" * 5000}),
        {},
    ],
)
def test_what_we_did_not_ask_for_is_not_verified(world: World, query: dict[str, str]) -> None:
    async def steps(call: Call) -> None:
        await world.websub.look()
        assert (await call("GET", "/token0", params=query))[0] == 404
        assert world.history.hub is not None
        assert world.history.hub.state == "asked"

    serving(world, steps)


@pytest.mark.parametrize("path", ["/", "/token1", "/token0/", "/x/../y", "/%00", "/token00"])
def test_nobody_is_at_any_other_path(world: World, path: str) -> None:
    async def steps(call: Call) -> None:
        await subscribed(world, call)
        assert (await call("GET", path, params=question()))[0] == 404
        assert (await call("POST", path, data=b"x"))[0] == 404

    serving(world, steps)


def test_a_signed_push_is_taken_in_like_the_body_of_a_poll(world: World) -> None:
    body = "<rss>خبر</rss>".encode()

    async def steps(call: Call) -> None:
        await subscribed(world, call)
        headers = {"X-Hub-Signature": signature(body, "token1"), "Content-Type": "application/rss+xml; charset=utf-8"}
        assert (await call("POST", "/websub/token0", data=body, headers=headers))[0] == 202

    serving(world, steps)
    ((url, response),) = world.pushed
    assert (url, response.url, response.status, response.body) == (URL, URL, 200, body)
    assert response.charset == "utf-8"


@pytest.mark.parametrize("header", [None, "sha256=00", signature(b"<rss/>", "guessed")])
def test_a_push_that_is_not_signed_is_thanked_for_and_ignored(world: World, header: str | None) -> None:
    async def steps(call: Call) -> None:
        await subscribed(world, call)
        headers = {"X-Hub-Signature": header} if header else {}
        assert (await call("POST", "/token0", data=b"<rss/>", headers=headers))[0] == 202

    serving(world, steps)
    assert world.pushed == []


def test_a_push_before_verification_is_not_taken(world: World) -> None:
    async def steps(call: Call) -> None:
        await world.websub.look()
        headers = {"X-Hub-Signature": signature(b"x", "token1")}
        assert (await call("POST", "/token0", data=b"x", headers=headers))[0] == 404

    serving(world, steps)
    assert world.pushed == []


def test_a_push_that_is_too_large_or_packed_is_refused(world: World) -> None:
    body = b"x" * (SETTINGS.fetch.max_feed_bytes + 1)

    async def steps(call: Call) -> None:
        await subscribed(world, call)
        headers = {"X-Hub-Signature": signature(body, "token1")}
        assert (await call("POST", "/token0", data=body, headers=headers))[0] == 413
        packed = {"X-Hub-Signature": signature(b"x", "token1"), "Content-Encoding": "gzip"}
        assert (await call("POST", "/token0", data=b"x", headers=packed))[0] == 404

    serving(world, steps)
    assert world.pushed == []


def test_too_many_pushes_at_once_are_told_to_come_again(world: World) -> None:
    async def steps(call: Call) -> list[int]:
        await subscribed(world, call)
        world.hold = asyncio.Event()
        headers = {"X-Hub-Signature": signature(b"x", "token1")}
        calls = [
            asyncio.create_task(call("POST", "/token0", data=b"x", headers=headers))  # type: ignore[arg-type]
            for _ in range(PUSHES_AT_ONCE + 3)
        ]
        await asyncio.wait(calls, timeout=0.3)
        world.hold.set()
        return sorted([(await task)[0] for task in calls])

    assert serving(world, steps) == [202] * PUSHES_AT_ONCE + [503] * 3


def test_a_lease_is_renewed_under_the_same_path_and_secret_before_it_ends(world: World) -> None:
    async def steps(call: Call) -> None:
        await subscribed(world, call)
        world.later(7 * DAY)
        await world.websub.look()
        assert len(world.asked) == 1
        world.later(1.1 * DAY)
        await world.websub.look()
        await world.websub.look()
        assert world.asked[1] == world.asked[0]
        assert len(world.asked) == 2
        hub = world.history.hub
        assert hub is not None
        assert hub.stands(world.clock.now())
        assert await call("GET", "/token0", params=question()) == (200, "c0ffee")
        assert world.history.hub is not None
        assert world.history.hub.until == world.clock.now() + 864_000

    serving(world, steps)


@pytest.mark.parametrize(
    ("said", "lease"), [("60", 60), ("1", 60), ("99999999999", 30 * DAY), ("-5", LEASE), ("soon", LEASE), ("", LEASE)]
)
def test_a_lease_is_kept_within_reason(world: World, said: str, lease: float) -> None:
    async def steps(call: Call) -> None:
        await world.websub.look()
        await call("GET", "/token0", params=question(**{"hub.lease_seconds": said}))
        assert world.history.hub is not None
        assert world.history.hub.lease == lease

    serving(world, steps)


@pytest.mark.parametrize("how", ["refuses", "fails", "says nothing", "denies"])
def test_a_hub_that_does_not_verify_is_asked_ever_more_rarely(world: World, how: str) -> None:
    async def steps(call: Call) -> None:
        if how == "refuses":
            world.status = 500
        if how == "fails":
            world.trouble = FetchFailed("no", reason="forbidden-address", url=HUB)
        for _ in range(7 * 24 * 2):
            await world.websub.look()
            if how == "denies":
                await call("GET", "/token0", params=question("denied", **{"hub.reason": "no\nway"}))
            world.later(UNANSWERED / 2)
        assert 8 <= len(world.asked) <= 14
        assert world.history.hub is not None
        assert not world.history.hub.stands(world.clock.now())

    serving(world, steps)


def test_a_hub_may_redirect_a_request_but_not_for_ever(world: World) -> None:
    world.location = "/new"

    async def steps(call: Call) -> None:
        await world.websub.look()
        assert [url for url, _ in world.asked] == [HUB, "https://hub.example/new"]
        assert world.asked[0][1] == world.asked[1][1]

    serving(world, steps)


def test_a_hub_that_breaks_us_is_no_reason_to_stop(world: World) -> None:
    world.trouble = RuntimeError("a bug of ours")
    asyncio.run(world.websub.look())
    assert len(world.asked) == 1
    assert world.history.hub is not None
    assert world.history.hub.tries == 1


@pytest.mark.parametrize("offered", [None, "https://other-hub.example/"])
def test_a_feed_that_names_the_hub_no_more_is_unsubscribed(world: World, offered: str | None) -> None:
    async def steps(call: Call) -> None:
        await subscribed(world, call)
        world.state.save(world.history.but(hub_offered=offered))
        await world.websub.look()
        assert world.modes == ["subscribe", "unsubscribe"]
        assert await call("GET", "/token0", params=question("unsubscribe")) == (200, "c0ffee")
        assert world.history.hub is None
        assert (await call("POST", "/token0", data=b"x"))[0] == 404
        await world.websub.look()
        assert world.modes[2:] == ([] if offered is None else ["subscribe"])

    serving(world, steps)


def test_a_retired_feed_is_unsubscribed(world: World) -> None:
    async def steps(call: Call) -> None:
        await subscribed(world, call)
        world.state.save(world.history.but(state="gone"))
        await world.websub.look()
        assert world.modes == ["subscribe", "unsubscribe"]

    serving(world, steps)


def test_a_subscription_outlives_a_restart(world: World) -> None:
    async def before(call: Call) -> None:
        await subscribed(world, call)

    async def after(call: Call) -> None:
        headers = {"X-Hub-Signature": signature(b"x", "token1")}
        assert (await call("POST", "/token0", data=b"x", headers=headers))[0] == 202

    serving(world, before)
    world.state.close()
    world.state = FeedState(world.folder / "poller.sqlite")
    world.websub = world.started()
    serving(world, after)
    assert len(world.pushed) == 1


def test_the_subscription_is_on_disk_before_the_hub_is_asked(world: World) -> None:
    world.trouble = FetchFailed("killed here", reason="connection", url=HUB)
    asyncio.run(world.websub.look())
    again = FeedState(world.folder / "poller.sqlite")
    assert again.history(URL).hub == world.history.hub is not None
    again.close()


def test_nothing_that_is_logged_or_shown_holds_the_secret(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def steps(call: Call) -> None:
        await subscribed(world, call)
        await call("POST", "/token0", data=b"forged", headers={"X-Hub-Signature": "sha256=00"})

    serving(world, steps)
    assert "forged" in caplog.text or "ignored" in caplog.text
    assert "token" not in caplog.text.replace("authentication token", "")
    assert "token" not in repr(world.history.hub)


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:80"])
def test_an_address_that_cannot_be_listened_at_is_an_error_of_the_settings(world: World, listen: str) -> None:
    settings = replace(SETTINGS, websub=replace(SETTINGS.websub, listen=listen))
    websub = WebSub([URL], world.state, world, world, clock=world.clock, settings=settings)
    with pytest.raises(ConfigError, match=r"websub\.listen"):
        asyncio.run(websub.run(asyncio.Event()))


def test_it_subscribes_to_a_real_hub_and_takes_its_push(tmp_path: Path) -> None:
    """Our client, our server, and between them a hub that does what the specification says, on loopback."""
    body = b"<rss>pushed</rss>"
    pushes: list[tuple[str, Response]] = []

    class Poller:
        async def push(self, url: str, response: Response) -> None:
            pushes.append((url, response))

    async def main() -> None:
        stop, tasks = asyncio.Event(), set[asyncio.Task[None]]()

        async def verify_and_push(form: dict[str, list[str]]) -> None:
            path = form["hub.callback"][0].rpartition("/")[2]
            callback = f"http://127.0.0.1:{websub.port}/{path}"
            async with aiohttp.ClientSession() as session:
                async with session.get(callback, params=question(topic=form["hub.topic"][0])) as verified:
                    assert await verified.text() == "c0ffee"
                headers = {"X-Hub-Signature": signature(body, form["hub.secret"][0])}
                async with session.post(callback, data=body, headers=headers) as taken:
                    assert taken.status == 202
            stop.set()

        async def hub(request: aiohttp.web.BaseRequest) -> aiohttp.web.Response:
            task = asyncio.create_task(verify_and_push(parse_qs((await request.read()).decode())))
            tasks.add(task)
            return aiohttp.web.Response(status=202)

        server = aiohttp.web.ServerRunner(aiohttp.web.Server(hub))
        await server.setup()
        await aiohttp.web.TCPSite(server, "127.0.0.1", 0).start()
        state = FeedState(tmp_path / "poller.sqlite")
        where = f"http://127.0.0.1:{server.addresses[0][1]}/"
        state.save(History(url=URL, polls=1, hub_offered=where, topic=URL))
        client = Client(SETTINGS.fetch, clock=SystemClock())
        websub = WebSub([URL], state, client, Poller(), clock=SystemClock(), settings=SETTINGS)
        await asyncio.wait_for(websub.run(stop), 10)
        await asyncio.gather(*tasks)
        await client.close()
        await server.cleanup()
        state.close()

    asyncio.run(main())
    assert [(url, response.body) for url, response in pushes] == [(URL, body)]


def test_a_stop_waits_for_no_hub_and_hardly_for_a_push(world: World) -> None:
    begun = asyncio.Event()

    async def slow(*given: object, **more: object) -> Response:
        begun.set()
        await asyncio.sleep(60)
        raise AssertionError

    world.send = slow  # type: ignore[method-assign,assignment]

    async def main() -> float:
        stop = asyncio.Event()
        running = asyncio.create_task(world.websub.run(stop))
        await begun.wait()
        _, writer = await asyncio.open_connection("127.0.0.1", world.websub.port)
        head = f"POST /websub/{world.history.hub.path} HTTP/1.1\r\nHost: us.example\r\nContent-Length: 9\r\n\r\nhalf"
        verified = replace(world.history.hub, state="verified")
        world.state.save(world.history.but(hub=verified))
        writer.write(head.encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        begin = time.monotonic()
        stop.set()
        await running
        writer.close()
        return time.monotonic() - begin

    assert asyncio.run(main()) < 3
