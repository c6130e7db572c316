"""Polling: what is asked, archived, published and remembered, in which order, and what a bad feed costs the others."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.duequeue import SLOW_SECONDS, DueQueue
from connectors.feedlist import Feed
from connectors.feedreader import CHILDREN, KEPT
from connectors.feedstate import FeedState
from connectors.newsroom.clock import SimulatedClock
from connectors.poller import Poller
from connectors.responses import FetchFailed, Hop, Kind, Response
from connectors.schedule import DAY, HOUR
from connectors.sources.entries import ParsedFeed
from connectors.sources.parse import parse_source
from connectors.sources.sitemaps import SitemapIndex
from pipeline.config import Config, FeedSettings, FetchSettings
from pipeline.errors import Stalled, StorageError
from pipeline.records import Archived, Article, Entry, Reject

NOW = 1_800_000_000.0
URL = "https://news.example/rss"
FEED = Feed(url=URL, name="news", outlet="News", language="ar")

Reply = Response | FetchFailed | Exception
Answers = Callable[[str, Mapping[str, str]], Reply]


def rss(*titles: str, extra: str = "", host: str = "news.example") -> bytes:
    items = "".join(
        f"<item><title>{t}</title><link>https://{host}/{t.split()[0]}</link>"
        "<pubDate>Fri, 15 Jan 2027 07:00:00 GMT</pubDate></item>"
        for t in titles
    )
    return (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>Its own name</title>'
        f"<link>https://{host}/</link><description>d</description>{extra}{items}</channel></rss>"
    ).encode()


def urlset(*places: tuple[str, str], host: str = "news.example") -> bytes:
    urls = "".join(f"<url><loc>https://{host}/{p}</loc><lastmod>{day}</lastmod></url>" for p, day in places)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()


def index(*children: tuple[str, str], host: str = "news.example") -> bytes:
    maps = "".join(f"<sitemap><loc>https://{host}/{p}</loc><lastmod>{day}</lastmod></sitemap>" for p, day in children)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{maps}</sitemapindex>'.encode()


def ok(body: bytes = b"", url: str = URL, status: int = 200, **headers: str) -> Response:
    named = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    at = dt.datetime.fromtimestamp(NOW, dt.UTC)
    return Response(url=url, status=status, headers=named, body=body, raw=body, fetched=at)


def tagged(body: bytes, tag: str = '"1"') -> Answers:
    """A server that knows what conditional requests are."""
    return lambda url, headers: (
        ok(url=url, status=304) if headers.get("If-None-Match") == tag else ok(body, url, ETag=tag)
    )


@dataclass
class World:
    """Everything around the poller, and what it has seen."""

    folder: Path
    answers: dict[str, Answers] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    asked: list[tuple[str, Kind, dict[str, str]]] = field(default_factory=list)
    published: list[Entry | Article | Reject] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    parse_trouble: dict[bytes, Exception] = field(default_factory=dict)
    in_flight: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    delays: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    times: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.folder / "clock", NOW)
        self.state = FeedState(self.folder / "poller.sqlite")

    def poller(self, *feeds: Feed, **feed_settings: Any) -> Poller:
        settings = Config(feeds=FeedSettings(**feed_settings), fetch=FetchSettings(connections=8, host_connections=2))
        return Poller(
            feeds or (FEED,), self.state, self, self.publish,
            archive=self, parse=self.parse, clock=self.clock, settings=settings,
        )  # fmt: skip

    async def get(self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None) -> Response:
        host = url.split("/")[2]
        self.asked.append((url, kind, dict(headers or {})))
        self.times[url].append(self.clock.now())
        self.log.append("get")
        self.in_flight[host] += 1
        self.most[host] = max(self.most[host], self.in_flight[host])
        try:
            if self.delays[host]:
                await self.clock.sleep_until(self.clock.now() + self.delays[host])
            reply = self.answers[url](url, headers or {})
        finally:
            self.in_flight[host] -= 1
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def keep(self, response: Response, kind: Kind, entry: Entry | None = None) -> Archived:
        self.log.append("keep")
        return Archived(file="feeds.warc.gz", offset=7, length=len(response.body))

    async def parse(
        self, body: bytes, *, url: str, charset: str | None, kind: Kind, latest: dt.datetime
    ) -> ParsedFeed | SitemapIndex:
        self.log.append("parse")
        if body in self.parse_trouble:
            raise self.parse_trouble[body]
        return parse_source(body, url, charset, kind, latest=latest)

    async def publish(self, records: Sequence[Entry | Article | Reject]) -> None:
        self.log.append(f"publish {len(records)}")
        if self.trouble:
            raise self.trouble.pop(0)
        self.published += records

    @property
    def entries(self) -> list[Entry]:
        return [r for r in self.published if isinstance(r, Entry)]

    @property
    def rejects(self) -> list[Reject]:
        return [r for r in self.published if isinstance(r, Reject)]

    def titles(self) -> list[str | None]:
        return [e.title for e in self.entries]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(*steps: Coroutine[Any, Any, Any]) -> list[Any]:
    async def main() -> list[Any]:
        return [await step for step in steps]

    return asyncio.run(main())


def polls(world: World, *bodies: Answers, feed: Feed = FEED) -> Poller:
    """One poll for each answer."""
    poller = world.poller(feed)

    async def main() -> None:
        for answer in bodies:
            world.answers[feed.url] = answer
            await poller.poll(feed)

    asyncio.run(main())
    return poller


# -- one poll ---------------------------------------------------------------------------------------------------------


def test_a_poll_archives_then_reads_then_publishes_and_only_then_remembers(world: World) -> None:
    world.trouble = [RuntimeError("killed in between")]
    with pytest.raises(RuntimeError):
        polls(world, tagged(rss("one", "two")))
    assert world.state.history(URL).polls == 0
    polls(world, tagged(rss("one", "two")), tagged(rss("one", "two")))
    once = ["get", "keep", "parse", "publish 2"]
    assert world.log == [*once, *once, "get"]
    assert [headers for _, _, headers in world.asked] == [{}, {}, {"If-None-Match": '"1"'}]
    assert world.titles() == ["one", "two"]


def test_entries_carry_what_the_list_and_the_archive_say_of_them(world: World) -> None:
    polls(world, tagged(rss("one")))
    (entry,) = world.entries
    assert (entry.feed, entry.outlet, entry.url) == (URL, "News", "https://news.example/one")
    assert entry.seen == dt.datetime.fromtimestamp(NOW, dt.UTC)
    assert entry.archive == Archived(file="feeds.warc.gz", offset=7, length=len(rss("one")))


@pytest.mark.parametrize(
    ("second", "announced"),
    [
        (rss("two", "one"), ["two"]),
        (rss("one again"), ["one again"]),  # the same address
        (rss("one", extra="<lastBuildDate>Sat, 16 Jan 2027 07:00:00 GMT</lastBuildDate>"), []),
        (rss("one"), []),
        (rss("two"), ["two"]),
        (rss(), []),
    ],
    ids=["new", "edited", "a new build date", "the same body", "replaced", "empty"],
)
def test_only_new_and_edited_entries_are_announced(world: World, second: bytes, announced: list[str]) -> None:
    polls(world, tagged(rss("one"), '"1"'), tagged(second, '"2"'))
    assert world.titles() == ["one", *announced]


def test_a_body_that_is_known_is_neither_archived_nor_read_again(world: World) -> None:
    poller = polls(world, tagged(rss("one"), '"1"'), tagged(rss("one"), '"2"'))
    assert world.log == ["get", "keep", "parse", "publish 1", "get"]
    assert poller.counts["same"] == 1


def test_entries_that_share_an_address_and_differ_are_announced_once_each(world: World) -> None:
    body = rss("live first", "live second", "live first")
    polls(world, tagged(body, "1"), tagged(body + b" ", "2"), tagged(body + b"  ", "3"))
    assert world.titles() == ["live first", "live second"]


def test_a_server_that_lies_about_change_is_found_out(world: World) -> None:
    lying: Answers = lambda url, headers: (  # noqa: E731
        ok(url=url, status=304) if headers else ok(rss(*map(str, range(len(world.asked)))), url, ETag='"1"')
    )
    polls(world, *[lying] * 12)
    assert world.state.history(URL).stale
    assert [bool(headers) for _, _, headers in world.asked] == [False, *[True] * 8, False, False, False]
    assert "9" in world.titles()


def test_unchanged_from_another_host_than_the_body_came_from_is_not_believed(world: World) -> None:
    portal: Answers = lambda url, headers: (  # noqa: E731
        ok(url="https://portal.example/", status=304) if headers else ok(rss("one", "two"), ETag="1")
    )
    polls(world, tagged(rss("one")), portal)
    assert world.titles() == ["one", "two"]


def test_an_unasked_not_modified_is_a_failure(world: World) -> None:
    polls(world, lambda url, headers: ok(status=304))
    assert world.state.history(URL).failures == {"status-304": 1}


def test_a_feed_that_moved_is_asked_at_its_new_address_after_two_polls(world: World) -> None:
    there = "https://new.example/rss"
    moved = replace(ok(rss("one"), there), hops=(Hop(URL, 301, there),))
    world.answers[there] = lambda url, headers: ok(rss("one", "two"), there)
    polls(world, lambda url, headers: moved, lambda url, headers: moved, lambda url, headers: moved)
    assert [url for url, _, _ in world.asked] == [URL, URL, there]
    assert {e.feed for e in world.entries} == {URL}
    assert world.titles() == ["one", "two"]


# -- bad answers ------------------------------------------------------------------------------------------------------


def test_what_is_no_feed_becomes_one_reject_a_day_with_its_bytes(world: World) -> None:
    page = b"<html><body>" + "سجّل الدخول ".encode() * 10_000 + b"%d</body></html>"
    polls(world, *[lambda url, headers, n=n: ok(page % n) for n in range(4)])
    (reject,) = world.rejects
    assert (reject.stage, reject.reason, reject.key, reject.file, reject.offset) == (
        "feed", "bad-feed", URL, "feeds.warc.gz", 7,
    )  # fmt: skip
    assert base64.b64decode(reject.value) == (page % 0)[:KEPT]
    assert reject.truncated
    assert world.state.history(URL).failing == 4
    world.clock.pass_time(2 * DAY)
    polls(world, lambda url, headers: ok(page % 9))
    assert len(world.rejects) == 2


@pytest.mark.parametrize(
    ("reply", "reason", "rejected"),
    [
        (ok(status=404), "status-404", False),
        (ok(status=500), "status-500", False),
        (ok(status=204), "status-204", False),
        (ok(b""), "bad-feed", True),
        (FetchFailed("took too long", reason="timeout", url=URL, retryable=True), "timeout", False),
        (FetchFailed("17 MB", reason="too-large", url=URL), "too-large", True),
        (FetchFailed("brotli", reason="bad-encoding", url=URL), "bad-encoding", True),
        (FetchFailed("10.0.0.1", reason="forbidden-address", url=URL), "forbidden-address", True),
        (RuntimeError("a bug of ours"), "unforeseen", False),
    ],
)
def test_every_bad_answer_is_a_failure_with_a_reason(world: World, reply: Reply, reason: str, rejected: bool) -> None:
    polls(world, lambda url, headers: reply)
    history = world.state.history(URL)
    assert history.failures == {reason: 1}
    assert history.error
    assert [r.reason for r in world.rejects] == ([reason] if rejected else [])


def test_a_body_that_stalls_its_reader_is_rejected_as_worth_another_try(world: World) -> None:
    world.parse_trouble[b"deep"] = Stalled("took longer than its time limit", reason="timeout")
    polls(world, lambda url, headers: ok(b"deep"))
    assert [(r.reason, r.retryable) for r in world.rejects] == [("timeout", True)]


def test_a_full_disk_is_held_against_no_feed(world: World) -> None:
    async def full(response: Response, kind: Kind, entry: Entry | None = None) -> Archived:
        raise OSError(28, "No space left on device")

    world.keep = full  # type: ignore[method-assign]
    polls(world, tagged(rss("one")))
    history = world.state.history(URL)
    assert (history.failing, history.failures, history.body_hash) == (0, {"our-own": 1}, None)


def test_what_a_server_says_is_kept_even_if_it_is_no_text(world: World) -> None:
    rude = replace(ok(rss("one"), ETag='"\udcff"', Last_Modified="x" * 100_000), reason="\udcff" * 100_000)
    polls(world, lambda url, headers: rude, lambda url, headers: replace(rude, status=418))
    world.state.flush()
    history = world.state.history(URL)
    assert (history.etag, history.last_modified, history.polls) == (None, None, 2)
    assert len(history.error or "") == 500


def test_retry_after_moves_the_next_poll(world: World) -> None:
    polls(world, lambda url, headers: ok(status=429, Retry_After="7200"))
    due = world.state.history(URL).next_poll
    assert due is not None
    assert due >= NOW + 7200


# -- sitemaps ---------------------------------------------------------------------------------------------------------

MAP = Feed(url="https://news.example/sitemap.xml", name="map", kind="sitemap")


def test_a_sitemap_index_leads_to_its_newest_children_of_the_same_site(world: World) -> None:
    children = [(f"{n}.xml", f"2027-01-{n:02}") for n in range(1, 16)]
    foreign = b"<sitemap><loc>https://elsewhere.example.org/x.xml</loc><lastmod>2027-01-15</lastmod></sitemap>"
    body = index(*children).replace(b"</sitemapindex>", foreign + b"</sitemapindex>")
    for n in range(1, 16):
        url = f"https://news.example/{n}.xml"
        world.answers[url] = tagged(urlset((f"a{n}", "2027-01-14")), f'"{n}"')
    polls(world, tagged(body), feed=MAP)
    asked = [url for url, _, _ in world.asked[1:]]
    assert asked == [f"https://news.example/{n}.xml" for n in range(15, 15 - CHILDREN, -1)]
    assert {kind for _, kind, _ in world.asked} == {"sitemap"}
    assert len(world.entries) == CHILDREN
    assert {e.feed for e in world.entries} == {MAP.url}


def test_children_are_asked_conditionally_also_behind_an_unchanged_index_and_old_ones_not_at_all(world: World) -> None:
    body = index(("new.xml", "2027-01-15"), ("old.xml", "2026-12-01"))
    new, old = "https://news.example/new.xml", "https://news.example/old.xml"
    world.answers[old] = tagged(urlset(("x", "2026-12-01")), '"old"')
    world.answers[new] = tagged(urlset(("a", "2027-01-15")), '"1"')
    polls(world, tagged(body), feed=MAP)
    world.asked.clear()
    polls(world, tagged(body), feed=MAP)
    assert [(url, headers) for url, _, headers in world.asked] == [
        (MAP.url, {"If-None-Match": '"1"'}),
        (new, {"If-None-Match": '"1"'}),
    ]
    world.answers[new] = tagged(urlset(("a", "2027-01-15"), ("b", "2027-01-15")), '"2"')
    polls(world, tagged(body), feed=MAP)
    assert [e.url for e in world.entries] == ["https://news.example/a", "https://news.example/b"]
    assert world.state.history(MAP.url).unmodified == 2


def test_what_a_sitemap_says_is_old_at_first_sight_is_an_archive(world: World) -> None:
    polls(world, tagged(urlset(("old", "2019-01-01"), ("new", "2027-01-14")), "1"), feed=MAP)
    assert [e.url for e in world.entries] == ["https://news.example/new"]
    polls(world, tagged(urlset(("old", "2027-01-15"), ("new", "2027-01-14")), "2"), feed=MAP)
    assert [e.url for e in world.entries][1:] == ["https://news.example/old"]


def test_a_child_that_fails_costs_the_others_nothing_and_is_tried_again(world: World) -> None:
    body = index(("good.xml", "2027-01-15"), ("bad.xml", "2027-01-15"), ("junk.xml", "2027-01-15"))
    good, bad, junk = (f"https://news.example/{n}.xml" for n in ("good", "bad", "junk"))
    world.answers[good] = tagged(urlset(("a", "2027-01-15")))
    world.answers[bad] = lambda url, headers: ok(status=500)
    world.answers[junk] = lambda url, headers: ok(b"\x00\x01 no sitemap")
    polls(world, tagged(body), feed=MAP)
    assert world.state.history(MAP.url).failing == 0
    assert [r.reason for r in world.rejects] == ["bad-feed"]
    world.answers[bad] = tagged(urlset(("b", "2027-01-15")))
    polls(world, tagged(body), feed=MAP)
    assert [e.url for e in world.entries] == ["https://news.example/a", "https://news.example/b"]


def test_an_index_none_of_whose_children_answers_is_failing(world: World) -> None:
    world.answers["https://news.example/a.xml"] = lambda url, headers: ok(status=404)
    polls(world, tagged(index(("a.xml", "2027-01-15"))), feed=MAP)
    history = world.state.history(MAP.url)
    assert (history.failures, history.body_hash) == ({"status-404": 1}, None)


def test_trouble_in_the_middle_of_an_index_repeats_it_and_loses_nothing(world: World) -> None:
    children = ("a.xml", "b.xml", "c.xml")
    for name in children:
        world.answers[f"https://news.example/{name}"] = tagged(urlset((name[0], "2027-01-15")))
    kept = world.keep
    world.answers[MAP.url] = tagged(index(*((name, "2027-01-15") for name in children)))
    calls = itertools.count()

    async def failing(response: Response, kind: Kind, entry: Entry | None = None) -> Archived:
        if next(calls) == 2:
            raise OSError(5, "Input/output error")
        return await kept(response, kind, entry)

    world.keep = failing  # type: ignore[method-assign]
    polls(world, *[world.answers[MAP.url]] * 2, feed=MAP)
    assert sorted(str(e.url) for e in world.entries) == [f"https://news.example/{n[0]}" for n in children]
    assert world.state.history(MAP.url).failures == {"our-own": 1}
    assert len(world.state.history(MAP.url).children) == 3


def test_indexes_inside_indexes_end(world: World) -> None:
    class Endless(dict[str, Answers]):
        def __missing__(self, url: str) -> Answers:
            names = [(f"{abs(hash(url)) % 10_000}-{n}.xml", "2027-01-15") for n in range(12)]
            return lambda url, headers: ok(index(*names), url)

    world.answers = Endless()
    polls(world, lambda url, headers: ok(index(("a.xml", "2027-01-15")), url), feed=MAP)
    assert len(world.asked) <= 21


# -- the loop ---------------------------------------------------------------------------------------------------------


async def play(world: World, poller: Poller, seconds: float) -> None:
    stop = asyncio.Event()

    async def end() -> None:
        await world.clock.sleep_until(NOW + seconds)
        stop.set()

    ending = asyncio.create_task(end())
    await asyncio.wait_for(poller.run(stop), 20)
    ending.cancel()


def played(world: World, poller: Poller, seconds: float) -> None:
    asyncio.run(play(world, poller, seconds))


def test_feeds_are_polled_when_they_are_due_and_again_after_a_restart(world: World) -> None:
    feeds = [Feed(url=f"https://h{n}.example/rss", name=str(n)) for n in range(5)]
    for feed in feeds:
        world.answers[feed.url] = tagged(rss("one", host=feed.url.split("/")[2]))
    played(world, world.poller(*feeds), DAY)
    assert {e.url for e in world.entries} == {f"https://h{n}.example/one" for n in range(5)}
    assert len(world.entries) == 5
    for times in world.times.values():
        assert len(times) >= 8
        assert min(b - a for a, b in itertools.pairwise(times)) >= 300
    before = len(world.asked)
    world.state.close()
    world.state = FeedState(world.folder / "poller.sqlite")
    played(world, world.poller(*feeds), DAY + 60)
    assert len(world.asked) - before <= 1  # nothing is due a minute later, and nothing is read anew


class HastyClock:
    """Real time, some hours to the second: it goes on between any two looks at it."""

    def now(self) -> float:
        return NOW + time.monotonic() * 20_000

    async def sleep_until(self, when: float) -> None:
        while (left := when - self.now()) > 0:
            await asyncio.sleep(left / 20_000)

    def working(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def test_no_poll_is_forgotten_while_time_goes_on(world: World) -> None:
    feeds = [Feed(url=f"https://h{n}.example/rss", name=str(n), min_minutes=5, max_minutes=10) for n in range(40)]
    for feed in feeds:
        world.answers[feed.url] = tagged(rss("one"))
    world.clock = HastyClock()  # type: ignore[assignment]
    poller = world.poller(*feeds)

    async def main() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(poller.run(stop))
        before = -1
        for _ in range(20):
            await asyncio.sleep(0.1)  # half an hour
            assert poller.counts["polls"] > before
            before = poller.counts["polls"]
        stop.set()
        await running

    asyncio.run(main())


def test_once_polls_every_enabled_feed_once_and_ends(world: World) -> None:
    feeds = [Feed(url=f"https://h{n}.example/rss", name=str(n), enabled=n != 3) for n in range(5)]
    for feed in feeds:
        world.answers[feed.url] = tagged(rss("one"))
    asyncio.run(asyncio.wait_for(world.poller(*feeds).run(asyncio.Event(), once=True), 10))
    assert sorted(url for url, _, _ in world.asked) == [f.url for f in feeds if f.enabled]


@pytest.mark.parametrize(
    ("answer", "asked"),
    [(ok(status=410), 1), (ok(status=429), 1), (ok(status=503, Retry_After="600"), 1), (ok(status=500), 3)],
)
def test_polling_once_again_and_again_leaves_alone_who_asked_for_that(
    world: World, answer: Response, asked: int
) -> None:
    world.answers[URL] = lambda url, headers: answer
    for _ in range(3):
        asyncio.run(asyncio.wait_for(world.poller().run(asyncio.Event(), once=True), 10))
    assert len(world.asked) == asked


def test_a_failing_feed_never_stops_the_others(world: World) -> None:
    good = Feed(url="https://good.example/rss", name="good")
    bad = [Feed(url=f"https://b{n}.example/rss", name=f"b{n}") for n in range(3)]
    world.answers[good.url] = tagged(rss("one"))
    world.answers[bad[0].url] = lambda url, headers: RuntimeError("boom")
    world.answers[bad[1].url] = lambda url, headers: FetchFailed("no", reason="dns", url=url)
    world.answers[bad[2].url] = lambda url, headers: ok(b"\xff\xfe")
    played(world, world.poller(*bad, good), DAY)
    assert len(world.times[good.url]) >= 8
    assert world.titles() == ["one"]


def test_a_poller_that_was_stopped_in_the_middle_can_run_again(world: World) -> None:
    async def hang(*_: Any, **__: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    feeds = [Feed(url=f"https://news.example/{n}", name=str(n)) for n in range(5)]
    for feed in feeds:
        world.answers[feed.url] = tagged(rss(f"one{feed.name}"))
    poller = world.poller(*feeds)

    async def main() -> None:
        world.get = hang  # type: ignore[method-assign]
        await play(world, poller, HOUR)
        assert world.state.history(feeds[0].url).polls == 0
        del world.get  # type: ignore[method-assign]
        await play(world, poller, DAY)

    asyncio.run(main())
    assert sorted(str(t) for t in world.titles()) == [f"one{n}" for n in range(5)]
    assert poller.counts["polls"] == len(world.asked)


def test_trouble_with_publishing_is_held_against_no_feed_and_nothing_is_lost(world: World) -> None:
    world.answers[URL] = tagged(rss("one"))
    world.trouble = [RuntimeError("the log is away")] * 3
    played(world, world.poller(), HOUR)
    assert world.titles() == ["one"]
    assert world.state.history(URL).failures == {}


def test_one_slow_host_takes_a_few_places_and_the_others_go_on(world: World) -> None:
    slow = [Feed(url=f"https://slow.example/{n}", name=f"s{n}") for n in range(30)]
    good = [Feed(url=f"https://g{n}.example/rss", name=f"g{n}") for n in range(5)]
    world.delays["slow.example"] = 25.0
    for feed in [*slow, *good]:
        world.answers[feed.url] = tagged(rss("one"))
    played(world, world.poller(*slow, *good), 60)
    assert all(world.times[feed.url] == [NOW] for feed in good)
    assert world.most["slow.example"] == 2


def test_a_dead_network_of_our_own_retires_nothing(world: World) -> None:
    feeds = [Feed(url=f"https://h{n}.example/rss", name=str(n)) for n in range(8)]
    for feed in feeds:
        world.answers[feed.url] = tagged(rss("one"))
    played(world, world.poller(*feeds), 2 * HOUR)
    for feed in feeds:
        world.answers[feed.url] = lambda url, headers: FetchFailed("no route", reason="connection", url=url)
    played(world, world.poller(*feeds, retire_days=0.5), 2 * DAY)
    histories = [world.state.history(feed.url) for feed in feeds]
    assert {h.state for h in histories} == {"active"}
    assert sum(h.failing == 0 for h in histories) >= 3
    for feed in feeds:
        world.answers[feed.url] = tagged(rss("two"), '"2"')
    played(world, world.poller(*feeds, retire_days=0.5), 2.3 * DAY)
    assert world.titles().count("two") == 8


def test_a_single_dead_feed_among_good_ones_is_retired_and_says_why(world: World) -> None:
    feeds = [Feed(url=f"https://h{n}.example/rss", name=str(n)) for n in range(4)]
    for feed in feeds[1:]:
        world.answers[feed.url] = tagged(rss("one"))
    world.answers[feeds[0].url] = lambda url, headers: FetchFailed("no such host", reason="dns", url=url)
    played(world, world.poller(*feeds, retire_days=2), 4 * DAY)
    dead, *alive = (world.state.history(feed.url) for feed in feeds)
    assert (dead.state, {h.state for h in alive}) == ("retired", {"active"})
    assert "no such host" in (dead.state_reason or "")


@pytest.mark.parametrize("stuck", ["get", "publish"])
def test_it_stops_within_two_seconds_whatever_hangs(world: World, stuck: str) -> None:
    async def main() -> float:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        never = loop.create_future()

        async def hang(*_: Any, **__: Any) -> Any:
            world.log.append("hangs")
            await never

        setattr(world, stuck, hang)
        world.answers[URL] = tagged(rss("one"))
        running = asyncio.create_task(world.poller().run(stop))
        while "hangs" not in world.log:
            await asyncio.sleep(0.01)
        stop.set()
        began = loop.time()
        await running
        return loop.time() - began

    assert asyncio.run(main()) < 2
    assert world.state.history(URL).polls == 0


def test_saving_that_fails_for_good_ends_the_run_with_its_error(world: World) -> None:
    def broken() -> None:
        raise ValueError("a bug of ours")

    world.answers[URL] = tagged(rss("one"))
    world.state.flush = broken  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="a bug of ours"):
        played(world, world.poller(), DAY)


def test_a_state_that_is_damaged_meanwhile_ends_the_run_with_its_error(world: World) -> None:
    world.answers[URL] = tagged(rss("one"))
    world.state._db.execute("DROP TABLE seen")
    with pytest.raises(StorageError):
        played(world, world.poller(), DAY)


# -- the queue --------------------------------------------------------------------------------------------------------


def test_the_queue_gives_what_is_due_host_by_host_within_the_limits() -> None:
    queue = DueQueue(limit=8, host_limit=2)
    for n in range(4):
        queue.add(f"a{n}", "a", 1.0)
    queue.add("b", "b", 2.0)
    queue.add("late", "c", 50.0)
    turns = [turn for _ in range(5) if (turn := queue.next(10.0))]
    assert [turn.url for turn in turns] == ["a0", "b", "a1"]
    assert queue.soonest() == 50.0
    queue.done(turns[2], 0.1)
    freed = queue.next(10.0)
    assert freed is not None
    assert freed.url == "a2"
    assert queue.next(10.0) is None


@pytest.mark.parametrize("seed", range(20))
def test_whatever_hosts_do_every_feed_gets_its_turn_and_every_limit_holds(seed: int) -> None:
    chance = random.Random(seed)
    limit, host_limit = chance.choice([1, 2, 3, 8, 40]), chance.choice([1, 2, 5])
    hosts = [f"h{n}" for n in range(chance.choice([1, 3, 30]))]
    queue = DueQueue(limit, host_limit)
    expected: Counter[str] = Counter()
    for n in range(300):
        queue.add(f"f{n}", chance.choice(hosts), chance.uniform(0, 50))
        expected[f"f{n}"] += 1
    polled: Counter[str] = Counter()
    flying: list[Any] = []
    now = 0.0
    while not queue.idle:
        while turn := queue.next(now):
            flying.append(turn)
            polled[turn.url] += 1
        assert len(flying) <= limit
        assert max(Counter(t.host for t in flying).values(), default=0) <= host_limit
        assert sum(t.lane == "slow" for t in flying) <= max(1, limit // 4)
        assert flying or (queue.soonest() or 0) > now, "something waits and nothing is under way"
        if flying and chance.random() < 0.8:
            queue.done(flying.pop(chance.randrange(len(flying))), chance.choice([0.1, 10.0]))
        else:
            now += 1
    assert polled == expected


def test_slow_hosts_share_a_quarter_of_the_places_and_get_their_turn() -> None:
    queue = DueQueue(limit=8, host_limit=2)
    hosts = [f"slow{n}" for n in range(6)]
    for host in hosts:
        queue.add(host, host, 0.0)
    while not all(queue._lanes.get(host) == "slow" for host in hosts):
        turn = queue.next(0.0)
        assert turn is not None
        queue.done(turn, SLOW_SECONDS + 1)
    for host in hosts:
        queue.add(host, host, 1.0)
    queue.add("good", "good", 1.0)
    turns = [turn for _ in range(9) if (turn := queue.next(1.0))]
    assert [turn.url for turn in turns] == ["slow0", "slow1", "good"]
    polled = [turn.url for turn in turns[:2]]
    waiting = turns[:2]
    while waiting:
        queue.done(waiting.pop(0), SLOW_SECONDS + 1)
        while turn := queue.next(1.0):
            polled.append(turn.url)
            waiting.append(turn)
    assert sorted(polled) == hosts
    queue.done(turns[2], 0.1)
    assert queue.idle
