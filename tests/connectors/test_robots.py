from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import robots as robots_module
from connectors.http import ROBOTS_BYTES
from connectors.newsroom.clock import SimulatedClock
from connectors.responses import FetchFailed, Response
from connectors.robots import LONGEST_DELAY, LONGEST_RETRY, RETRY, Robots, product_token, read_rules
from pipeline.config import FetchSettings

AT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
ORIGIN = "https://a.test:443"


def allows(text: str, path: str, token: str = "rasd") -> bool:
    return read_rules(text.encode(), token, until=0.0).allows(f"https://a.test{path}")


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /a", "/b", True),
        ("User-agent: *\nDisallow: /a", "/abc", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),  # the longest rule counts
        ("User-agent: *\nAllow: /a\nDisallow: /a", "/a", True),  # of two as long, the kinder
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?z", True),
        ("User-agent: *\nDisallow: /*print=", "/x?a=1&print=1", False),
        ("User-agent: *\nDisallow: /خبر", "/%D8%AE%D8%A8%D8%B1/1", False),
        ("User-agent: *\nDisallow: /%d8%ae", "/%D8%AE/1", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: rasd\nDisallow: /only", "/a", True),  # our own group alone
        ("User-agent: *\nDisallow: /\n\nUser-agent: rasd\nDisallow: /only", "/only", False),
        ("User-agent: RASD/2.0\nDisallow: /", "/a", False),
        ("User-agent: rasd\nUser-agent: other\nDisallow: /", "/a", False),
        ("User-agent: other\nUser-agent: rasd\nDisallow: /", "/a", False),
        ("User-agent: rasd\nDisallow: /a\nUser-agent: x\nDisallow: /b\nUser-agent: rasd\nDisallow: /c", "/c", False),
        ("User-agent: ras\nDisallow: /", "/a", True),  # not our name
        ("User-agent: rasdbot\nDisallow: /", "/a", True),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("User-agent: rasd\nDisallow:\n\nUser-agent: *\nDisallow: /", "/a", True),
        ("User-agent: rasd\n\nUser-agent: *\nDisallow: /", "/a", False),  # names in a row are one group
        ("user-agent : *\n  DISALLOW :/a  # why\r\n", "/a", False),
        ("\ufeffUser-agent: *\nDisallow: /a", "/a", False),
        ("User-agent: *\rDisallow: /a", "/a", False),
        ("Disallow: /a", "/a", True),  # nobody is named
        ("User-agent: *\nSitemap: https://a.test/s.xml\nDisallow: /a", "/a", False),
        ("User-agent: *\nCrawl-delay: 5\nDisallow: /a", "/a", False),
        ("<!doctype html><html><body>User-agent: *<br>Disallow: /</body></html>", "/a", True),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("User-agent: *\nDisallow: *", "/a", False),
    ],
)
def test_rules_are_read_as_the_standard_says(text: str, path: str, allowed: bool) -> None:
    assert allows(text, path) is allowed


@pytest.mark.parametrize(
    ("text", "delay", "asked"),
    [
        ("User-agent: *\nCrawl-delay: 5", 5.0, 5.0),
        ("User-agent: *\nCrawl-delay: 0.5", 0.5, 0.5),
        ("User-agent: *\nCrawl-delay: 3600", LONGEST_DELAY, 3600.0),
        ("User-agent: *\nRequest-rate: 1/10", 10.0, 10.0),
        ("User-agent: *\nCrawl-delay: 2\nRequest-rate: 6/1m", 10.0, 10.0),
        ("User-agent: other\nCrawl-delay: 5", 0.0, 0.0),
        ("User-agent: *\nCrawl-delay: 9\n\nUser-agent: rasd\nDisallow: /x", 0.0, 0.0),
        ("User-agent: *\nCrawl-delay: ten", 0.0, 0.0),
        ("User-agent: *\nCrawl-delay: -5", 0.0, 0.0),
        ("User-agent: *\nCrawl-delay: inf", 0.0, 0.0),
        ("User-agent: *\nCrawl-delay: nan", 0.0, 0.0),
        ("User-agent: *\nRequest-rate: 0/0", 0.0, 0.0),
    ],
)
def test_delays_are_read_and_bounded(text: str, delay: float, asked: float) -> None:
    rules = read_rules(text.encode(), "rasd", until=0.0)
    assert (rules.delay, rules.asked_delay) == (delay, asked)


@pytest.mark.parametrize(("said", "delay"), [("10s", 10.0), ("1,5", 1.5), ("5 seconds", 5.0), ("soon", 0.0)])
def test_a_delay_is_its_number_however_it_goes_on(said: str, delay: float) -> None:
    rules = read_rules(f"User-agent: *\nCrawl-delay: {said}\nDisallow: /q".encode(), "rasd", until=0.0)
    assert rules.delay == delay


def test_sitemaps_are_told_wherever_they_stand() -> None:
    text = "Sitemap: https://a.test/1.xml\nUser-agent: other\nDisallow: /\nsitemap:https://a.test/2.xml # two\nSitemap:"
    assert read_rules(text.encode(), "rasd", until=0.0).sitemaps == ("https://a.test/1.xml", "https://a.test/2.xml")


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        ("rasd/0.1 (+https://example.org/rasd)", "rasd"),
        ("Mozilla/5.0 (compatible; RasdBot/1.0; +https://example.org)", "rasdbot"),
        ("My_Reader", "my_reader"),
        ("123", "*"),
    ],
)
def test_our_name_is_the_product_of_the_user_agent(user_agent: str, token: str) -> None:
    assert product_token(user_agent) == token


@pytest.mark.parametrize(
    "line",
    [
        b"User-agent: a%d\n",
        b"User-agent: *\nDisallow: /%d*a*b*c*d*e*f$\n",
        b"Disallow: /%d" + b"*a" * 500 + b"\n",
        b"User-agent: *\nUser-agent: rasd\nAllow: /%d$\n",
        b"Sitemap: https://a.test/%d\n",
        b"\x00\xff%d\n",
        b"%d" + b"a" * 100_000,
        b"Crawl-delay: %d\n",
    ],
)
def test_a_hostile_file_is_read_and_asked_in_no_time(line: bytes) -> None:
    text = b"User-agent: *\n" + b"".join(line % n for n in range(ROBOTS_BYTES // len(line)))
    began = time.process_time()
    rules = read_rules(text, "rasd", until=0.0)
    for n in range(10):
        rules.allows(f"https://a.test/{'ab' * 1_000}/{n}")
    assert time.process_time() - began < 1.0
    assert len(rules.sitemaps) <= robots_module.LINES


# -- memory ----------------------------------------------------------------------------------------------------------

Answer = Response | FetchFailed


class Host:
    """Answers robots.txt with what `now` holds; counts how often."""

    def __init__(self, now: Answer) -> None:
        self.now, self.asked = now, 0

    async def ask(self, url: str) -> Response:
        assert url == f"{ORIGIN}/robots.txt"
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.now, FetchFailed):
            raise self.now
        return self.now


def response(status: int, body: bytes = b"") -> Response:
    return Response(url="", status=status, body=body, fetched=AT)


CLOSED = response(200, b"User-agent: *\nDisallow: /a")
URL = "https://a.test/a"


@pytest.fixture
def clock(tmp_path: Path) -> SimulatedClock:
    return SimulatedClock(tmp_path / "time", 1_780_000_000.0)


@pytest.fixture
def robots(clock: SimulatedClock) -> Robots:
    return Robots(FetchSettings(robots_hours=24.0), clock=clock)


def test_robots_txt_is_asked_for_once_by_however_many_and_again_after_a_day(
    robots: Robots, clock: SimulatedClock
) -> None:
    async def work() -> None:
        host = Host(CLOSED)
        found = await asyncio.gather(*(robots.rules(ORIGIN, host.ask) for _ in range(50)))
        assert {rules.allows(URL) for rules in found} == {False}
        clock.pass_time(86_300)
        await robots.rules(ORIGIN, host.ask)
        assert host.asked == 1
        clock.pass_time(200)
        host.now = response(404)
        assert robots.known(ORIGIN) is None
        assert (await robots.rules(ORIGIN, host.ask)).allows(URL)
        assert host.asked == 2

    asyncio.run(work())


def test_who_stops_waiting_does_not_stop_the_others(robots: Robots) -> None:
    async def work() -> None:
        host = Host(CLOSED)
        first, second = (asyncio.create_task(robots.rules(ORIGIN, host.ask)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert not (await second).allows(URL)
        assert host.asked == 1

    asyncio.run(work())


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (response(204), True),
        (response(304), True),
        (response(401), True),
        (response(403), True),
        (response(404), True),
        (response(410), True),
        (response(429), False),
        (response(500), False),
        (response(503), False),
        (FetchFailed("", reason="timeout", url=""), False),
        (FetchFailed("", reason="connection", url=""), False),
        (FetchFailed("", reason="bad-response", url=""), False),
        (FetchFailed("", reason="redirects", url=""), True),
        (FetchFailed("", reason="forbidden-address", url=""), True),  # then the page is refused for the same reason
        (FetchFailed("", reason="bad-encoding", url=""), True),
    ],
)
def test_what_is_allowed_where_there_is_no_robots_txt(robots: Robots, answer: Answer, allowed: bool) -> None:
    rules = asyncio.run(robots.rules(ORIGIN, Host(answer).ask))
    assert rules.allows(URL) is allowed
    assert rules.closed is not allowed


def test_a_host_that_cannot_answer_is_asked_ever_less_often(robots: Robots, clock: SimulatedClock) -> None:
    async def work() -> list[float]:
        host, waits = Host(response(500)), []
        for _ in range(9):
            rules = await robots.rules(ORIGIN, host.ask)
            waits.append(rules.until - clock.now())
            clock.pass_time(waits[-1] + 1)
        host.now = CLOSED
        assert not (await robots.rules(ORIGIN, host.ask)).closed
        return waits

    waits = [round(wait) for wait in asyncio.run(work())]
    assert waits[:4] == [RETRY, 2 * RETRY, 4 * RETRY, 8 * RETRY]
    assert waits[-1] == LONGEST_RETRY


def test_an_older_copy_counts_while_there_is_no_new_one(robots: Robots, clock: SimulatedClock) -> None:
    async def work() -> None:
        host = Host(CLOSED)
        await robots.rules(ORIGIN, host.ask)
        clock.pass_time(90_000)
        host.now = FetchFailed("", reason="timeout", url="")
        for _ in range(3):
            rules = await robots.rules(ORIGIN, host.ask)
            assert not rules.closed
            assert not rules.allows(URL)
            assert rules.allows("https://a.test/b")
            clock.pass_time(rules.until - clock.now() + 1)
        assert host.asked == 4

    asyncio.run(work())


def test_no_more_is_remembered_than_fits(
    robots: Robots, monkeypatch: pytest.MonkeyPatch, clock: SimulatedClock
) -> None:
    monkeypatch.setattr(robots_module, "HOSTS", 100)
    monkeypatch.setattr(robots_module, "TEXTS", 50_000)
    big = response(200, b"User-agent: *\n" + b"Disallow: /abcdefgh\n" * 500)

    def asker(answer: Response) -> Callable[[str], asyncio.Future[Response]]:
        def ask(_: str) -> asyncio.Future[Response]:
            done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
            done.set_result(answer)
            return done

        return ask

    async def work() -> None:
        for n in range(300):
            await robots.rules(f"https://{n}.test:443", asker(CLOSED))
        assert len(robots._rules) == 100
        for n in range(50):
            await robots.rules(f"https://big-{n}.test:443", asker(big))
        assert robots._size <= 50_000
        assert robots._size == sum(rules.size for rules in robots._rules.values())

    asyncio.run(work())
