from __future__ import annotations

import asyncio
import base64
import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.clean import Page
from connectors.fetcher import Fetcher
from connectors.frontier import FILE, Frontier
from connectors.newsroom.clock import SimulatedClock
from connectors.recheck import RETRIES
from connectors.responses import FetchFailed, Hop, Kind, Response
from connectors.urls import canonical_url
from connectors.warc import Known
from pipeline.config import FetchSettings
from pipeline.errors import Stalled, StoragePaused, Unusable
from pipeline.records import Archived, Article, Entry, Reject
from pipeline.wire import decode

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()
HOUR = 3_600.0
URL = "https://example.com/news/1"
TEXT = "A long enough text of the article."

Answer = Response | FetchFailed | Callable[[Mapping[str, str]], Response]


def entry(url: str | None = URL, **given: Any) -> Entry:
    published = dt.datetime.fromtimestamp(START - 60, dt.UTC)
    fields: dict[str, Any] = {"feed": "https://example.com/rss", "url": url, "title": "Headline", "body": "A summary"}
    return Entry(**(fields | {"partial": True, "published": published, "outlet": "example"} | given))


def page(text: str = TEXT, url: str = URL, status: int = 200, **given: Any) -> Response:
    """A page as the fake cleaner reads it."""
    body = text.encode()
    headers = tuple((name.replace("_", "-"), str(value)) for name, value in given.pop("headers", {}).items())
    fetched = dt.datetime.fromtimestamp(START, dt.UTC)
    return Response(url=url, status=status, headers=headers, raw=body, body=body, fetched=fetched, **given)


def failure(reason: str, *, retryable: bool = False, after: float | None = None) -> FetchFailed:
    return FetchFailed(reason, reason=reason, url=URL, retryable=retryable, after=after)


async def clean(body: bytes, *, url: str, charset: str | None) -> Page:
    """`canonical=URL` in the text is the page's own address; `!reason` makes it unusable."""
    text = body.decode()
    if text.startswith("!stalled"):
        raise Stalled("stalled", reason="timeout")
    if text.startswith("!"):
        raise Unusable("refused", reason=text[1:])
    _, _, said = text.partition("canonical=")
    title = text.partition("title=")[2].partition(";")[0] or "Headline"
    return Page(title=title, body=text, canonical_url=said or canonical_url(url), language="en")


class World:
    """Everything around a fetcher, and the order in which it was touched."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.clock = SimulatedClock(folder / "time", START)
        self.settings = FetchSettings(**settings)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[float, str, Mapping[str, str]]] = []
        self.log: list[str] = []
        self.out: list[Article | Reject] = []
        self.under_way: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.publish_errors: list[Exception] = []
        self.cleaned = 0

    # what the fetcher is given

    async def get(self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None) -> Response:
        self.asked.append((self.clock.now() - START, url, headers or {}))
        host = url.split("/")[2]
        self.under_way[host] = self.under_way.get(host, 0) + 1
        self.most[host] = max(self.most.get(host, 0), self.under_way[host])
        try:
            await self.clock.sleep_until(self.clock.now() + self.seconds.get(host, 0.1))
        finally:
            self.under_way[host] -= 1
        script = self.answers[url]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, FetchFailed):
            raise answer
        return answer if isinstance(answer, Response) else answer(headers or {})

    async def keep(
        self, response: Response, kind: Kind, entry: Entry | None = None, *, known: Known | None = None
    ) -> Archived:
        self.log.append("archived")
        return Archived(file="a.warc.gz", offset=len(self.log), length=1)

    async def keep_entry(self, entry: Entry, url: str | None = None, *, known: Known | None = None) -> Archived:
        self.log.append("archived")
        return Archived(file="a.warc.gz", offset=len(self.log), length=1)

    async def publish(self, records: Sequence[Article | Reject]) -> None:
        if self.publish_errors:
            raise self.publish_errors.pop(0)
        self.log += ["published"] * len(records)
        self.out += records

    async def clean(self, body: bytes, *, url: str, charset: str | None) -> Page:
        self.log.append("cleaned")
        self.cleaned += 1
        return await clean(body, url=url, charset=charset)

    # running

    def run(self, until: float, *entries: Entry, later: Mapping[float, Sequence[Entry]] | None = None) -> Fetcher:
        """From a fresh start over the same folder, for so many seconds since START."""
        return asyncio.run(self._run(until, entries, later or {}))

    async def _run(self, until: float, entries: Sequence[Entry], later: Mapping[float, Sequence[Entry]]) -> Fetcher:
        made = Fetcher(
            Frontier(self.folder / FILE), self, self.publish,
            archive=self, clean=self.clean, clock=self.clock, settings=self.settings,
        )  # fmt: skip
        settle = made.frontier.settle

        def noted(settled: Any) -> None:
            self.log.append("settled")
            settle(settled)

        made.frontier.settle = noted  # type: ignore[method-assign]
        if entries:
            await made.take(entries)
        stop = asyncio.Event()

        async def direct() -> None:
            for when, more in sorted(later.items()):
                await self.clock.sleep_until(START + when)
                await made.take(more)
            await self.clock.sleep_until(START + until)
            stop.set()

        await asyncio.wait_for(asyncio.gather(made.run(stop), direct()), 30)
        await made.close()
        return made

    @property
    def articles(self) -> list[Article]:
        return [one for one in self.out if isinstance(one, Article)]

    @property
    def rejects(self) -> list[Reject]:
        return [one for one in self.out if isinstance(one, Reject)]

    def times(self, url: str = URL) -> list[float]:
        return [when for when, asked, _ in self.asked if asked == url]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_page_is_archived_then_cleaned_then_published_and_only_then_settled(world: World) -> None:
    world.answers[URL] = [page()]
    world.run(60, entry())
    assert world.log == ["archived", "cleaned", "published", "settled"]
    (article,) = world.articles
    assert (article.body, article.partial, article.canonical_url) == (TEXT, False, URL)
    assert article.archive == Archived(file="a.warc.gz", offset=1, length=1)


def test_an_unchanged_page_is_asked_for_at_its_times_and_costs_nothing_downstream(world: World) -> None:
    validators = {"ETag": '"1"', "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT"}
    world.answers[URL] = [page(headers=validators), page("", status=304), page(headers=validators)]
    done = world.run(4 * 86_400, entry())
    first, *again = world.times()
    assert first < 1
    late = [when + 60 - span * HOUR for when, span in zip(again, (1, 6, 24, 72), strict=True)]
    assert all(0 <= seconds <= 901 for seconds in late)
    assert world.asked[1][2] == {"If-None-Match": '"1"', "If-Modified-Since": validators["Last-Modified"]}
    assert len(world.out) == world.cleaned == 1
    assert (done.counts.unchanged, done.counts.not_modified) == (4, 1)


@pytest.mark.parametrize("validator", ['"caf\u00e9"', '"a\tb"', '"' + "a" * 30_000 + '"'])
def test_a_validator_that_cannot_be_sent_back_is_not(world: World, validator: str) -> None:
    world.answers[URL] = [page(headers={"ETag": validator})]
    world.run(2 * HOUR, entry())
    assert [headers for _, _, headers in world.asked] == [{}, {}]


def test_an_edited_page_goes_on_under_the_same_id_and_is_read_again_sooner(world: World) -> None:
    world.answers[URL] = [
        page(),
        page(TEXT),
        page(TEXT + " Edited. canonical=https://example.com/elsewhere"),
        page(TEXT),
    ]
    world.run(8.5 * HOUR, entry())
    old, new, back = world.articles
    assert old.id == new.id == back.id
    assert new.canonical_url == old.canonical_url == URL
    readings = world.times()
    assert readings[3] - readings[2] < 1.1 * HOUR < readings[2] - readings[1]


def test_a_page_of_other_markup_but_the_same_text_is_not_published_again(world: World) -> None:
    world.answers[URL] = [page(), page(TEXT.replace(" ", "  "))]
    world.run(2 * HOUR, entry())
    assert world.cleaned == 2
    assert len(world.out) == 1


def test_a_page_that_cannot_be_had_is_tried_for_hours_and_then_the_feed_speaks(world: World) -> None:
    world.answers[URL] = [failure("timeout", retryable=True)]
    world.run(4 * HOUR, entry())
    (article,) = world.articles
    assert (article.partial, article.body) == (True, "A summary")
    assert len(world.times()) <= len(RETRIES) + 1


def test_when_the_page_comes_at_last_it_revises_the_feeds_summary(world: World) -> None:
    tries = [page("", status=500)] * (len(RETRIES) + 1)
    world.answers[URL] = [*tries, page(f"{TEXT} canonical=https://example.com/own-address")]
    world.run(8 * HOUR, entry())
    summary, whole = world.articles
    assert summary.partial
    assert not whole.partial
    assert whole.id == summary.id
    assert whole.body.startswith(TEXT)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (page("", status=404), "not-found"),
        (page("", status=410), "gone"),
        (page("", status=403), "forbidden"),
        (page("", status=402), "paywall"),
        (failure("robots"), "robots"),
        (failure("forbidden-address"), "forbidden-address"),
        (failure("too-large"), "too-large"),
        (page("!not-article"), "not-article"),
        (page("!paywall"), "paywall"),
        (page("!no-text"), "no-text"),
        (page("%PDF-1.7"), "media-type"),
        (page(headers={"Content-Type": "video/mp4"}), "media-type"),
        (page(url="https://example.com/"), "soft-404"),
        (page(url="https://example.com/ar/"), "soft-404"),
        (page(url="https://example.com/user/login?to=/news/1"), "login"),
        (page(url="https://consent.example.com/collect?x=1"), "consent"),
    ],
)
def test_a_page_that_is_no_article_leaves_the_feeds_text_at_once_or_a_reject(
    world: World, answer: Answer, reason: str
) -> None:
    other = "https://example.com/news/2"
    world.answers = {URL: [answer], other: [answer]}
    world.run(60, entry(), entry(other, title=None, body=""))
    (article,) = world.articles
    (reject,) = world.rejects
    assert (article.body, article.partial) == ("A summary", True)
    assert (reject.stage, reject.reason, reject.topic) == ("fetch", reason, "rasd.entries")
    assert decode(Entry, base64.b64decode(reject.value)).url == other
    assert (reject.file is not None) == (answer in (page("!not-article"), page("!paywall"), page("!no-text")))


def test_the_text_of_a_feed_that_gives_all_of_it_is_not_partial(world: World) -> None:
    world.answers[URL] = [page("", status=403)]
    world.run(60, entry(body="All of the text", partial=False))
    assert [(one.body, one.partial) for one in world.articles] == [("All of the text", False)]


def test_a_page_that_shows_a_fraction_of_the_feeds_text_gives_way_to_it(world: World) -> None:
    world.answers[URL] = [page("Read on in our shop")]
    world.run(60, entry(body="All of the text. " * 50, partial=False))
    assert world.articles[0].body == "All of the text. " * 50


def test_an_entry_without_an_address_of_its_own_is_not_fetched(world: World) -> None:
    world.run(60, entry(None), entry("https://example.com/", title="One"), entry("https://example.com/", title="Two"))
    assert world.asked == []
    assert {one.title for one in world.articles} == {"Headline", "One", "Two"}
    assert len({one.id for one in world.articles}) == 3


def test_a_refused_page_is_rejected_once_and_read_again_at_its_times(world: World) -> None:
    world.answers[URL] = [page("!no-text"), page("!no-text"), page()]
    world.run(30 * HOUR, entry(title=None, body=""))
    assert [one.reason for one in world.rejects] == ["no-text"]
    assert [one.body for one in world.articles] == [TEXT]


def test_a_redriven_page_that_is_refused_again_is_rejected_again(world: World) -> None:
    world.answers[URL] = [page("!paywall")]
    bare = entry(title=None, body="")
    world.run(60, bare, later={20: [bare]})
    assert [one.reason for one in world.rejects] == ["paywall"] * 2
    assert world.cleaned == 2


def test_one_answer_of_the_wrong_kind_does_not_end_the_re_checks_of_a_page(world: World) -> None:
    feed = page("<rss/>", headers={"content_type": "application/rss+xml"})
    html = {"content_type": "text/html"}
    world.answers[URL] = [page(headers=html), feed, page(TEXT + " Edited.", headers=html)]
    world.run(7 * HOUR, entry())
    assert [one.body for one in world.articles] == [TEXT, TEXT + " Edited."]


def test_of_a_forbidden_page_no_feed_that_says_less_follows_one_that_says_more(world: World) -> None:
    world.answers[URL] = [failure("robots")]
    whole = entry(body="The whole text", partial=False)
    summary, headline = entry(feed="https://example.com/2"), entry(feed="https://example.com/3", body="")
    later = {100.0: [summary], 200.0: [headline], 300.0: [entry(feed="https://example.com/3", body="", section="x")]}
    world.run(1_000, whole, later=later)
    assert [one.body for one in world.articles] == ["The whole text"]


def test_of_a_forbidden_page_the_first_feed_with_any_text_is_heard_after_one_without(world: World) -> None:
    world.answers[URL] = [failure("robots")]
    silent, headline = entry(title=None, body=""), entry(feed="https://example.com/2", body="")
    world.run(1_000, silent, later={100.0: [headline], 200.0: [entry(feed="https://example.com/3")]})
    assert [one.reason for one in world.rejects] == ["robots"]
    assert world.articles[-1].body == "A summary"


def test_a_page_taken_down_is_not_asked_for_again(world: World) -> None:
    world.answers[URL] = [page(), page("", status=404)]
    world.run(90 * HOUR, entry())
    assert len(world.times()) == 2
    assert len(world.out) == 1


def test_a_page_that_now_leads_to_another_article_counts_as_taken_down(world: World) -> None:
    other = "https://example.com/news/another"
    world.answers[URL] = [page(), page(f"Other text title=Another; canonical={other}", url=other)]
    world.run(90 * HOUR, entry())
    assert [one.body for one in world.articles] == [TEXT]
    assert len(world.times()) == 2


def test_a_page_that_moved_goes_on_under_its_first_identity(world: World) -> None:
    moved = "https://example.com/2026/03/news-1"
    world.answers[URL] = [page(), page(f"{TEXT} More. canonical={moved}", url=moved, hops=(Hop(URL, 301, moved),))]
    world.run(2 * HOUR, entry())
    first, second = world.articles
    assert (second.id, second.canonical_url) == (first.id, URL)


def test_a_page_that_moved_and_was_seen_there_may_change_its_headline(world: World) -> None:
    moved = "https://example.com/2026/03/news-1"
    to = {"url": moved, "hops": (Hop(URL, 301, moved),)}
    edited = page(f"{TEXT} More. title=Corrected; canonical={moved}", **to)
    world.answers[URL] = [page(headers={"etag": '"1"'}), page("", status=304, **to), edited]
    world.run(8 * HOUR, entry())
    first, second = world.articles
    assert (second.id, second.title) == (first.id, "Corrected")


def test_a_headline_edited_in_the_feed_has_the_page_read_now(world: World) -> None:
    world.answers[URL] = [page(), page(TEXT + " Edited.")]
    world.run(1_000, entry(), later={500.0: [entry(title="Corrected")]})
    assert len(world.articles) == 2
    assert 500 <= world.times()[1] < 501


def test_one_page_by_two_addresses_goes_on_once_and_one_of_them_is_read_again(world: World) -> None:
    short = "https://example.com/?p=1"
    world.answers = {URL: [page()], short: [page(f"{TEXT} canonical={URL}", url=short), page(TEXT)]}
    world.answers[URL] = [page(f"{TEXT} canonical={URL}")]
    world.run(2 * HOUR, entry(), later={100.0: [entry(short)]})
    assert len(world.articles) == 1
    assert (len(world.times(URL)), len(world.times(short))) == (2, 1)


def test_a_page_that_only_sends_its_reader_on_is_followed_once(world: World) -> None:
    to = "https://example.com/real"
    world.answers = {URL: [page('<meta http-equiv="refresh" content="0; url=/real">')], to: [page(url=to)]}
    world.run(60, entry())
    assert [one.canonical_url for one in world.articles] == [to]


def test_a_stalled_cleaner_costs_a_second_try_and_then_the_feed_speaks(world: World) -> None:
    world.answers[URL] = [page("!stalled")]
    world.run(HOUR, entry())
    assert world.cleaned == 2
    assert [one.partial for one in world.articles] == [True]


def test_a_host_that_asks_for_a_rest_gets_it(world: World) -> None:
    others = [f"https://example.com/news/{n}" for n in range(2, 30)]
    resting = page("", status=429, headers={"Retry-After": "3000"})
    world.answers = {URL: [resting, page()]} | {url: [page(url=url)] for url in others}
    world.run(1.2 * HOUR, entry(), later={10.0: [entry(url) for url in others]})
    assert not [when for when, _, _ in world.asked if 1 < when < 3_000]
    assert len(world.articles) == 29
    assert not any(one.partial for one in world.articles)


def test_a_host_that_asks_for_a_rest_of_years_gets_a_day(world: World) -> None:
    other = "https://example.com/news/2"
    asks = page("", status=503, headers={"Retry-After": "999999999"})
    world.answers = {URL: [asks, page()], other: [page(url=other)]}
    world.run(27 * HOUR, entry(), later={26 * HOUR: [entry(other)]})
    assert [one.partial for one in world.articles if one.url == other] == [False]


def test_a_host_that_does_not_answer_is_not_asked_for_each_of_its_pages(world: World) -> None:
    urls = [f"https://dead.example/{n}/x" for n in range(40)]
    world.answers = {url: [failure("timeout", retryable=True)] for url in urls}
    world.seconds["dead.example"] = 30.0
    world.run(5 * HOUR, *[entry(url, feed="https://dead.example/rss") for url in urls])
    assert len(world.articles) == 40
    assert all(one.partial for one in world.articles)
    assert len(world.asked) < 60
    assert world.most["dead.example"] == 1


def test_a_host_whose_robots_rules_cannot_be_had_is_asked_again_at_the_rechecks(world: World) -> None:
    other = "https://example.com/news/2"
    world.answers = {URL: [failure("robots", retryable=True, after=4 * HOUR), page()], other: [page(url=other)]}
    world.run(8 * HOUR, entry(), entry(other, title=None, body=""))
    assert [one.partial for one in world.articles if one.url == URL] == [True, False]
    assert [(one.reason, one.retryable) for one in world.rejects] == [("host-down", True)]
    assert [one.partial for one in world.articles if one.url == other] == [False]


def test_slow_hosts_do_not_hold_up_the_others(tmp_path: Path) -> None:
    world = World(tmp_path, connections=16)
    slow = [f"https://slow{n}.example/a/b" for n in range(60)]
    good = [f"https://good.example/a/{n}" for n in range(60)]
    world.answers = {url: [page(url=url)] for url in slow + good}
    world.seconds |= {f"slow{n}.example": 29.0 for n in range(60)}
    warm = "https://good.example/a/warm"
    world.answers[warm] = [page(url=warm)]
    world.run(200, entry(warm), later={5.0: [entry(url) for url in slow], 6.0: [entry(url) for url in good]})
    finished = {one.url for one in world.articles}
    assert finished >= set(good)
    last = max(when for when, url, _ in world.asked if url in good)
    assert last < 6 + 60 * 0.1 / 2 + 1


def test_what_was_under_way_at_the_stop_is_read_by_the_next_run(world: World) -> None:
    world.answers[URL] = [page()]
    world.seconds["example.com"] = 100.0
    world.run(50, entry())
    assert world.out == []
    world.seconds.clear()
    world.run(100)
    assert len(world.articles) == 1


def test_nothing_is_settled_before_it_is_published(world: World) -> None:
    world.answers[URL] = [page()]
    world.publish_errors = [StoragePaused("full"), StoragePaused("full")]
    world.run(60, entry())
    assert world.log.index("published") < world.log.index("settled")
    assert len(world.articles) == 1
    other = World(world.folder)
    other.publish_errors = [RuntimeError("the log is broken")]
    other.answers["https://example.com/news/9"] = [page(url="https://example.com/news/9")]
    with pytest.raises(RuntimeError, match="the log is broken"):
        other.run(120, entry("https://example.com/news/9"))
    assert "settled" not in other.log
    other.run(200)
    assert len(other.articles) == 1


def test_an_entry_without_utf8_form_is_a_reject(world: World) -> None:
    world.run(10, entry(title="half \ud800"))
    assert [one.reason for one in world.rejects] == ["bad-text"]


def test_a_fault_of_ours_costs_the_page_its_tries_and_no_other_page(world: World) -> None:
    def broken(headers: Mapping[str, str]) -> Response:
        raise KeyError("a fault")

    other = "https://example.com/news/2"
    world.answers = {URL: [broken], other: [page(url=other)]}
    world.run(5 * HOUR, entry(), entry(other))
    assert sorted(one.partial for one in world.articles) == [False, True]


def test_the_frontier_is_never_asked_while_its_thread_is_at_work(world: World) -> None:
    """Else an address that is taken just then could be passed over until the next start."""
    pages = [entry(f"https://a{n}.example/news/1") for n in range(40)]
    world.answers = {str(one.url): [page(url=str(one.url))] for one in pages}
    clashes = []

    async def main() -> None:
        frontier = Frontier(world.folder / FILE)
        made = Fetcher(
            frontier, world, world.publish,
            archive=world, clean=world.clean, clock=world.clock, settings=world.settings,
        )  # fmt: skip
        busy = threading.RLock()

        def watched(name: str, seconds: float) -> None:
            real = getattr(frontier, name)

            def act(*given: Any) -> Any:
                if not busy.acquire(blocking=False):
                    clashes.append(name)
                    return real(*given)
                try:
                    time.sleep(seconds)  # beyond a turn of the event loop
                    return real(*given)
                finally:
                    busy.release()

            setattr(frontier, name, act)

        for name, seconds in {"take": 0.01, "settle": 0.01, "lease": 0.0, "next_due": 0.0, "busy": 0.0}.items():
            watched(name, seconds)
        stop = asyncio.Event()
        running = asyncio.ensure_future(made.run(stop))
        for one in pages:
            taking = asyncio.ensure_future(made.take([one]))
            while not taking.done():
                assert made.idle in (True, False)
                await asyncio.sleep(0)
        while not made.idle:
            await world.clock.sleep_until(world.clock.now() + 1)
        stop.set()
        await running
        await made.close()

    asyncio.run(main())
    assert clashes == []
    assert len(world.articles) == len(pages)
