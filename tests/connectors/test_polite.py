from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors import polite as polite_module
from connectors.newsroom.clock import SimulatedClock
from connectors.polite import HOLD, LONGEST_HOLD, LONGEST_WAIT, PoliteClient, retry_after
from connectors.responses import FetchFailed, Hop, Kind, Response
from connectors.robots import LONGEST_DELAY, Robots
from pipeline.config import FetchSettings

START = 1_780_000_000.0
Script = Callable[[str], Response | FetchFailed | None]


@dataclass
class Web:
    """A client that answers from a script. asked: seconds since the start, kind and address of every request."""

    clock: SimulatedClock
    script: Script
    seconds: float = 0.0
    dialling: float = 0.0
    asked: list[tuple[float, Kind, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    open: int = 0
    most: int = 0

    async def send(
        self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None, sent: Callable[[], None]
    ) -> Response:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if self.dialling:
                await self.clock.sleep_until(self.clock.now() + self.dialling)
            self.asked.append((self.clock.now() - START, kind, url))
            self.headers.append(headers or {})
            sent()
            if self.seconds:
                await self.clock.sleep_until(self.clock.now() + self.seconds)
            answer = self.script(url) or response(200)
        finally:
            self.open -= 1
        if isinstance(answer, FetchFailed):
            raise answer
        return answer

    def times(self, part: str = "") -> list[float]:
        return [round(at, 3) for at, kind, url in self.asked if kind != "robots" and part in url]


def response(status: int, body: bytes = b"", **headers: str) -> Response:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(url="", status=status, headers=pairs, body=body, fetched=dt.datetime(2026, 11, 22, tzinfo=dt.UTC))


def nothing(url: str) -> Response | None:
    return response(404) if url.endswith("/robots.txt") else None


def answering(**answers: Response) -> Script:
    """Answers by the last part of the path."""
    return lambda url: answers.get(url.rpartition("/")[2].partition(".")[0]) or nothing(url)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Web]:
    """Runs what the test does with a polite client around a scripted one, in simulated time."""

    def go(work: Callable[[PoliteClient], Awaitable[Any]], script: Script = nothing, **given: Any) -> Web:
        web_given = {name: given.pop(name) for name in ("seconds", "dialling") if name in given}
        clock = SimulatedClock(tmp_path / "time", START)
        web = Web(clock, script, **web_given)
        settings = FetchSettings(**({"host_delay": 1.0} | given))
        client = PoliteClient(web, Robots(settings, clock=clock), settings, clock=clock)  # type: ignore[arg-type]

        async def work_and_check() -> None:
            await work(client)
            assert all(not host.users for host in client._hosts.values())
            assert client._lanes._free == settings.connections

        asyncio.run(work_and_check())
        return web

    return go


async def pages(client: PoliteClient, *urls: str) -> list[Response | BaseException]:
    return await asyncio.gather(*(client.get(url, kind="page") for url in urls), return_exceptions=True)


def reasons(answers: list[Response | BaseException]) -> list[str]:
    return [
        a.reason if isinstance(a, FetchFailed) else str(a.status)
        for a in answers
        if isinstance(a, FetchFailed | Response)
    ]


# -- turns -----------------------------------------------------------------------------------------------------------


def test_requests_to_one_host_begin_a_delay_apart(run: Callable[..., Web]) -> None:
    web = run(lambda c: pages(c, *(f"http://a.test/{n}" for n in range(4))))
    assert [round(at) for at, _, _ in web.asked] == [0, 1, 2, 3, 4]  # robots.txt among them
    assert sorted(url[-1] for _, kind, url in web.asked if kind == "page") == list("0123")


def test_the_delay_counts_from_the_beginning_of_a_request_not_from_its_end(run: Callable[..., Web]) -> None:
    web = run(lambda c: pages(c, *(f"http://a.test/{n}" for n in range(3))), seconds=0.8)
    assert web.times() == [1.0, 2.0, 3.0]


def test_the_delay_counts_from_when_a_request_goes_out_not_from_when_it_is_dialled(run: Callable[..., Web]) -> None:
    web = run(lambda c: pages(c, *(f"http://a.test/{n}" for n in range(3))), dialling=0.5)
    times = [at for at, _, _ in web.asked]
    assert all(b - a >= 1.0 for a, b in itertools.pairwise(times))


def test_hosts_do_not_wait_for_each_other(run: Callable[..., Web]) -> None:
    web = run(lambda c: pages(c, *(f"http://{name}.test/a" for name in "abcdef")))
    assert web.times() == [1.0] * 6


def test_http_and_https_of_a_host_share_its_turns_and_another_port_has_its_own(run: Callable[..., Web]) -> None:
    web = run(lambda c: pages(c, "http://a.test/1", "https://a.test/2", "https://a.test:8443/3"), host_delay=10.0)
    assert sorted(web.times("a.test/")) == [20.0, 30.0]  # two robots.txt come before
    assert web.times(":8443") == [10.0]


def test_no_more_requests_of_a_host_are_open_than_allowed(run: Callable[..., Web]) -> None:
    web = run(
        lambda c: pages(c, *(f"http://a.test/{n}" for n in range(9))), host_delay=0.0, host_connections=3, seconds=5.0
    )
    assert web.most == 3
    assert max(web.times()) == 15.0


def test_no_more_requests_are_open_in_all_than_allowed(run: Callable[..., Web]) -> None:
    web = run(lambda c: pages(c, *(f"http://h{n}.test/" for n in range(40))), connections=8, seconds=1.0)
    assert web.most <= 8
    assert len(web.asked) == 80


def test_a_crawl_delay_counts_if_it_is_longer(run: Callable[..., Web]) -> None:
    slow = answering(robots=response(200, b"User-agent: rasd\nCrawl-delay: 7"))
    web = run(lambda c: pages(c, *(f"http://a.test/{n}" for n in range(3))), slow)
    assert web.times() == [7.0, 14.0, 21.0]
    quick = answering(robots=response(200, b"User-agent: *\nCrawl-delay: 0.1"))
    web = run(lambda c: pages(c, *(f"http://a.test/{n}" for n in range(3))), quick)
    assert [b - a for a, b in zip(web.times(), web.times()[1:], strict=False)] == [1.0, 1.0]


def test_a_crawl_delay_of_hours_is_cut(run: Callable[..., Web]) -> None:
    script = answering(robots=response(200, b"User-agent: *\nCrawl-delay: 86400"))
    web = run(lambda c: pages(c, "http://a.test/1", "http://a.test/2"), script)
    assert web.times() == [LONGEST_DELAY, 2 * LONGEST_DELAY]


def test_who_gives_up_waiting_leaves_no_place_taken(run: Callable[..., Web]) -> None:
    async def give_up(client: PoliteClient) -> None:
        tasks = [asyncio.create_task(client.get(f"http://a.test/{n}", kind="hub")) for n in range(5)]
        for _ in range(5):
            await asyncio.sleep(0)
        for task in tasks[:4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (await client.get("http://a.test/last", kind="hub")).status == 200

    web = run(give_up, seconds=3.0, host_delay=0.0)
    assert web.asked[-1][2].endswith("/last")


def test_hosts_that_nobody_asks_any_more_are_forgotten(
    run: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite_module, "HOSTS", 50)

    async def many(client: PoliteClient) -> None:
        for n in range(300):
            await client.get(f"http://h{n}.test/", kind="hub")
            await client._clock.sleep_until(client._clock.now() + 10)
        assert len(client._hosts) <= 60

    run(many)


# -- pauses ----------------------------------------------------------------------------------------------------------


def test_retry_after_holds_the_whole_host(run: Callable[..., Web]) -> None:
    script = answering(first=response(429, retry_after="20"))

    async def work(client: PoliteClient) -> None:
        urls = ["http://a.test/first", "http://a.test/2", "http://a.test/3", "http://b.test/4"]
        assert reasons(await pages(client, *urls)) == ["429", "200", "200", "200"]

    web = run(work, script)
    assert web.times("a.test") == [1.0, 21.0, 23.0]  # and it is asked more slowly from then on
    assert web.times("b.test") == [1.0]


def test_a_long_pause_fails_the_request_and_says_how_long(run: Callable[..., Web]) -> None:
    script = answering(first=response(503, retry_after="7200"))

    async def work(client: PoliteClient) -> None:
        assert (await client.get("http://a.test/first", kind="feed")).status == 503
        with pytest.raises(FetchFailed) as failed:
            await client.get("http://a.test/2", kind="feed")
        assert failed.value.reason == "held"
        assert failed.value.retryable
        assert failed.value.after is not None
        assert LONGEST_WAIT < failed.value.after <= 7200
        await client._clock.sleep_until(client._clock.now() + 7200)
        assert (await client.get("http://a.test/2", kind="feed")).status == 200

    assert len(run(work, script).times()) == 2


def test_a_429_that_names_no_pause_gets_one_that_doubles(run: Callable[..., Web]) -> None:
    answers = iter([response(429), response(429), response(200), response(429)])
    web = run(
        lambda c: pages(c, *(f"http://a.test/{n}" for n in range(5))),
        lambda url: nothing(url) or next(answers, response(200)),
        host_connections=1,
    )
    gaps = [round(b - a) for a, b in zip(web.times(), web.times()[1:], strict=False)]
    assert gaps == [HOLD, 2 * HOLD, 4, HOLD]


def test_a_host_that_answers_429_is_asked_ever_more_slowly_for_a_day(run: Callable[..., Web]) -> None:
    answers = iter([response(429, retry_after="0")] * 8)
    web = run(
        lambda c: pages(c, *(f"http://a.test/{n}" for n in range(10))),
        lambda url: nothing(url) or next(answers, response(200)),
        host_connections=1,
    )
    gaps = [round(b - a) for a, b in zip(web.times(), web.times()[1:], strict=False)]
    assert gaps == [2, 4, 8, 16, 32, 60, 60, 60, 60]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("9" * 400, 1e9),
        ("Thu, 28 May 2026 20:27:40 GMT", 60.0),
        ("Thursday, 28-May-26 20:27:40 GMT", 60.0),
        ("Thu May 28 20:27:40 2026", 60.0),
        ("Thu, 28 May 2020 20:27:40 GMT", 0.0),
        ("Thu, 28 May 99999 20:27:40 GMT", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, START) == seconds


def test_no_pause_is_longer_than_a_day(run: Callable[..., Web]) -> None:
    async def work(client: PoliteClient) -> None:
        await client.get("http://a.test/first", kind="hub")
        with pytest.raises(FetchFailed) as failed:
            await client.get("http://a.test/2", kind="hub")
        assert failed.value.after == pytest.approx(LONGEST_HOLD, abs=10)

    run(work, answering(first=response(429, retry_after="999999999")))


def test_a_request_whose_connection_was_lost_goes_out_once_more_in_the_hosts_time(run: Callable[..., Web]) -> None:
    lost = iter([FetchFailed("lost", reason="connection", url="", retryable=True)] * 3)

    async def work(client: PoliteClient) -> None:
        assert reasons(await pages(client, "http://a.test/first")) == ["connection"]
        assert reasons(await pages(client, "http://a.test/second")) == ["200"]

    web = run(work, lambda url: nothing(url) or next(lost, None), host_connections=1)
    assert web.times() == [1.0, 2.0, 3.0, 4.0]


# -- redirects -------------------------------------------------------------------------------------------------------


def test_redirects_are_followed_and_told(run: Callable[..., Web]) -> None:
    script = answering(
        a=response(301, location="/b"),
        b=response(308, location="//b.test/c#part"),
        c=response(302, location="http://b.test:80/d%20 é"),
    )

    async def work(client: PoliteClient) -> None:
        found = await client.get("https://a.test/a", kind="feed")
        assert found.hops == (
            Hop("https://a.test/a", 301, "https://a.test/b"),
            Hop("https://a.test/b", 308, "https://b.test/c"),
            Hop("https://b.test/c", 302, "http://b.test/d%20%20%C3%A9"),
        )
        assert found.moved_to == "https://b.test/c"

    web = run(work, script)
    assert [round(at) for at, _, url in web.asked if "a.test" in url] == [0, 1, 2]
    assert [round(at) for at, _, url in web.asked if "b.test" in url] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/a", "redirects"),
        ("#part", "redirects"),
        ("http://a.test:80/a#x", "redirects"),
        ("", "redirects"),
        (" ", "redirects"),
        ("ftp://a.test/b", "bad-url"),
        ("javascript:alert(1)", "bad-url"),
        ("http://[bad", "bad-url"),
        ("http://" + "a" * 9_000, "bad-url"),
        ("https://", "bad-url"),
    ],
)
def test_a_redirect_that_leads_nowhere_fails(run: Callable[..., Web], location: str, reason: str) -> None:
    async def work(client: PoliteClient) -> None:
        assert reasons(await pages(client, "http://a.test/a")) == [reason]

    run(work, answering(a=response(302, location=location)))


def test_a_redirect_without_an_address_fails(run: Callable[..., Web]) -> None:
    async def work(client: PoliteClient) -> None:
        assert reasons(await pages(client, "http://a.test/a")) == ["redirects"]

    run(work, answering(a=response(302)))


def test_a_circle_of_redirects_is_seen_and_a_chain_without_end_is_left(run: Callable[..., Web]) -> None:
    def script(url: str) -> Response | None:
        name = url.rpartition("/")[2]
        if name.isdigit():
            return response(302, location=f"/{int(name) + 1}")
        circle = {"a": "b", "b": "c", "c": "a"}
        return response(302, location=circle[name]) if name in circle else nothing(url)

    async def work(client: PoliteClient) -> None:
        assert reasons(await pages(client, "http://a.test/a", "http://b.test/0")) == ["redirects"] * 2

    web = run(work, script, redirects=4)
    assert len(web.times("a.test")) == 3
    assert len(web.times("b.test")) == 5


def test_what_names_the_asker_does_not_travel_to_another_origin(run: Callable[..., Web]) -> None:
    given = {"Authorization": "secret", "Cookie": "a=b", "X-Token": "t", "If-None-Match": '"1"'}
    script = answering(a=response(302, location="/b"), b=response(302, location="http://b.test/c"))
    web = run(lambda c: c.get("http://a.test/a", kind="hub", headers=given), script)
    assert web.headers == [given, given, {"If-None-Match": '"1"'}]


# -- robots ----------------------------------------------------------------------------------------------------------

FORBIDS = response(200, b"User-agent: *\nDisallow: /closed")


@pytest.mark.parametrize("kind", ["feed", "sitemap", "page"])
def test_what_robots_txt_forbids_is_not_asked_for(run: Callable[..., Web], kind: Kind) -> None:
    async def work(client: PoliteClient) -> None:
        with pytest.raises(FetchFailed) as failed:
            await client.get("http://a.test/closed/1", kind=kind)
        assert (failed.value.reason, failed.value.retryable) == ("robots", False)
        assert (await client.get("http://a.test/open", kind=kind)).status == 200

    web = run(work, answering(robots=FORBIDS))
    assert [url for _, _, url in web.asked] == ["http://a.test/robots.txt", "http://a.test/open"]


def test_robots_txt_counts_for_every_redirect(run: Callable[..., Web]) -> None:
    async def work(client: PoliteClient) -> None:
        assert reasons(await pages(client, "http://a.test/a")) == ["robots"]

    web = run(work, answering(robots=FORBIDS, a=response(302, location="http://b.test/closed/2")))
    assert not web.times("b.test")


@pytest.mark.parametrize("kind", ["robots", "hub"])
def test_robots_txt_and_hubs_are_asked_for_without_asking(run: Callable[..., Web], kind: Kind) -> None:
    web = run(lambda c: c.get("http://a.test/closed", kind=kind), answering(robots=FORBIDS))
    assert len(web.asked) == 1


def test_a_host_that_cannot_say_what_it_allows_is_left_alone_for_a_while(run: Callable[..., Web]) -> None:
    broken = True

    def script(url: str) -> Response | None:
        return response(500) if broken and url.endswith("/robots.txt") else nothing(url)

    async def work(client: PoliteClient) -> None:
        nonlocal broken
        for _ in range(3):
            with pytest.raises(FetchFailed) as failed:
                await client.get("http://a.test/1", kind="page")
            assert (failed.value.reason, failed.value.retryable) == ("robots-unread", True)
            assert failed.value.after is not None
        broken = False
        await client._clock.sleep_until(client._clock.now() + failed.value.after)
        assert (await client.get("http://a.test/1", kind="page")).status == 200

    assert len(run(work, script).asked) == 3


@pytest.mark.parametrize("reason", ["dns", "timeout", "connection", "tls"])
def test_a_dead_host_fails_for_what_is_wrong_with_it(run: Callable[..., Web], reason: str) -> None:
    async def work(client: PoliteClient) -> None:
        assert reasons(await pages(client, "http://a.test/1")) == [reason]

    run(work, lambda url: FetchFailed("dead", reason=reason, url=url, retryable=True))
