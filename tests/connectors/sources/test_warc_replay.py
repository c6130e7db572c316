"""What was made live is made again out of the archive, to the same bytes."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from connectors.clean import Page, clean_page
from connectors.encodings import unpack
from connectors.fetcher import Fetcher
from connectors.frontier import FILE, Frontier
from connectors.newsroom.clock import SimulatedClock
from connectors.responses import FetchFailed, Hop, Kind, Response
from connectors.sources.archives import Archive, Options
from connectors.sources.feeds import parse_feed
from connectors.sources.pages import entry_article
from connectors.warc import WarcWriter
from pipeline.config import FetchSettings, WarcSettings
from pipeline.records import Article, Entry, Reject
from pipeline.wire import encode
from tests.connectors.sources.samples import INDEX, PARAGRAPHS, RSS, page

START = dt.datetime(2024, 3, 10, 7, tzinfo=dt.UTC)
DAY = 86_400.0
HOST = "https://www.example.net"
FEED = f"{HOST}/feed.xml"


def answer(path: str, raw: bytes, *, coding: str = "", charset: str = "utf-8", **given: Any) -> Response:
    headers = [("Content-Type", f"text/html; charset={charset}"), ("Transfer-Encoding", "chunked"), ("X", "caf\udce9")]
    headers += [("Content-Encoding", coding)] if coding else []
    said: dict[str, Any] = {
        "url": f"{HOST}{path}",
        "status": 200,
        "reason": "OK",
        "headers": tuple(headers),
        "raw": raw,
        "body": unpack(raw, coding, 10**7),
        "fetched": START,
    }
    return Response(**(said | given))


def html(*paragraphs: str, title: str | None = None, canonical: str | None = None, **given: Any) -> str:
    """A page of its own: without linked data, so that the address says what article it is."""
    body = "".join(f"<p>{text}</p>" for text in (paragraphs or PARAGRAPHS))
    text = page(body=body, linked_data=False, **given)
    text = text.replace(f"{HOST}/news/7?utm_source=x", canonical or "")
    return text if title is None else text.replace("أربعة قتلى في قصف على سوق الزيتون", title)


def entry(path: str, **given: Any) -> Entry:
    said: dict[str, Any] = {
        "feed": FEED,
        "url": f"{HOST}{path}",
        "title": "خبر من المدينة",
        "outlet": "example",
        "seen": START,
        "author": "سلمى",
        "published": START - dt.timedelta(minutes=30, microseconds=5),
    }
    return Entry(**(said | given))


async def clean(body: bytes, *, url: str, charset: str | None) -> Page:
    return clean_page(body, url=url, charset=charset)


class Web:
    """A fetcher over real archive, frontier and cleaner; only the answers are made up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock(folder / "time", START.timestamp())
        self.answers: dict[str, list[Response | FetchFailed]] = {}
        self.out: list[Article | Reject] = []

    async def get(self, url: str, *, kind: Kind, headers: Mapping[str, str] | None = None) -> Response:
        script = self.answers[url]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, FetchFailed):
            raise answer
        return answer

    async def publish(self, records: Sequence[Article | Reject]) -> None:
        self.out += records

    async def _run(self, days: float, entries: Sequence[Entry], feed: bytes) -> None:
        writer = WarcWriter(self.folder / "archive", WarcSettings(), clock=self.clock)
        fetcher = Fetcher(
            Frontier(self.folder / FILE), self, self.publish,
            archive=writer, clean=clean, clock=self.clock, settings=FetchSettings(),
        )  # fmt: skip
        stop = asyncio.Event()

        async def watch() -> None:
            await self.clock.sleep_until(START.timestamp() + days * DAY)
            stop.set()

        if feed:
            response = answer("/feed.xml", feed)
            archived = await writer.keep(response, "feed")
            found = parse_feed(feed, FEED).entries
            entries = [*entries, *(replace(one, seen=START, archive=archived) for one in found)]
        await fetcher.take(entries)
        await asyncio.wait_for(asyncio.gather(fetcher.run(stop), watch()), 30)
        await fetcher.close()
        await writer.close()

    def live(self, *entries: Entry, days: float = 0.01, feed: bytes = b"") -> list[Article]:
        asyncio.run(self._run(days, entries, feed))
        return [one for one in self.out if isinstance(one, Article)]

    def replayed(self, **options: Any) -> list[Article]:
        records = [found.record for found in Archive([self.folder / "archive"], Options(**options)).read()]
        return [one for one in records if isinstance(one, Article)]


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path)


def same_bytes(live: Sequence[Article], replayed: Sequence[Article]) -> bool:
    return sorted(map(encode, live)) == sorted(map(encode, replayed)) and len(live) > 0


@pytest.mark.parametrize(
    ("raw", "given"),
    [
        (html().encode(), {}),
        (gzip.compress(html().encode()), {"coding": "gzip"}),
        (brotli.compress(html().encode()), {"coding": "br"}),
        (gzip.compress(gzip.compress(html().encode())), {"coding": "gzip, gzip"}),
        (html(charset=None).encode("cp1256"), {"charset": "windows-1256"}),
        (html(charset=None).encode("cp1256"), {"charset": "iso-8859-1"}),
        (html(charset=None).encode("utf-8-sig"), {"charset": '"UTF-8"'}),
        (page().encode(), {}),
        (html().encode(), {"headers": ()}),
        (html().encode(), {"headers": (("Content-Type", "text/plain"),)}),
        (html().encode(), {"reason": "", "fetched": START + dt.timedelta(seconds=1)}),
        (html().encode(), {"url": f"{HOST}/خبر?q=a%20b"}),
        (b"4\r\n" + html().encode(), {}),
    ],
)
def test_a_page_is_made_again_to_the_byte(web: Web, raw: bytes, given: dict[str, Any]) -> None:
    web.answers[f"{HOST}/news/1"] = [answer("/news/1", raw, **given)]
    assert same_bytes(web.live(entry("/news/1")), web.replayed())


def test_an_entry_fills_in_what_the_page_does_not_say_on_replay_too(web: Web) -> None:
    web.answers[f"{HOST}/news/1"] = [answer("/news/1", html().encode())]
    (live,) = web.live(entry("/news/1", source_id="guid", section="سياسة", updated=START))
    assert (live.author, live.section, live.published_basis, live.feed) == ("سلمى", "سياسة", "feed", FEED)
    assert [encode(one) for one in web.replayed()] == [encode(live)]


def test_redirects_are_kept_and_make_no_articles(web: Web) -> None:
    hop = Hop(f"{HOST}/go/1", 302, f"{HOST}/news/1")
    web.answers[f"{HOST}/go/1"] = [answer("/news/1", html().encode(), hops=(hop, hop))]
    assert same_bytes(web.live(entry("/go/1")), web.replayed())


def test_every_revision_is_made_again(web: Web) -> None:
    texts = [html(*PARAGRAPHS, f"تحديث رقم {n}: ارتفعت الحصيلة بحسب مصادر طبية.") for n in range(3)]
    web.answers[f"{HOST}/news/1"] = [answer("/news/1", text.encode()) for text in texts]
    live = web.live(entry("/news/1"), days=4)
    assert len(live) == 3
    assert same_bytes(live, web.replayed())


def test_a_page_that_changes_its_address_keeps_its_identity_on_replay(web: Web) -> None:
    web.answers[f"{HOST}/news/1"] = [
        answer("/news/1", html().encode()),
        answer("/news/1", html(*PARAGRAPHS, "تحديث جديد.", canonical=f"{HOST}/news/1-new-headline").encode()),
    ]
    live = web.live(entry("/news/1"), days=2)
    assert len({one.id for one in live}) == 1
    assert len(live) == 2
    assert same_bytes(live, web.replayed())


def test_a_page_that_has_become_another_is_no_revision_on_replay_either(web: Web) -> None:
    other = html("نص لا علاقة له بالخبر الأول إطلاقا. " * 9, title="عنوان آخر", canonical=f"{HOST}/news/2")
    web.answers[f"{HOST}/news/1"] = [answer("/news/1", html().encode()), answer("/news/2", other.encode())]
    assert same_bytes(web.live(entry("/news/1"), days=2), web.replayed())


def test_where_there_is_no_page_the_feeds_text_is_made_again(web: Web) -> None:
    gone = FetchFailed("gone", reason="robots", url=HOST)
    for number in (7, 8):
        web.answers[f"{HOST}/news/{number}?utm_medium=rss"] = web.answers[f"{HOST}/news/{number}"] = [gone]
    web.answers["https://example.net/news/7?utm_medium=rss"] = web.answers["https://example.net/news/8"] = [gone]
    web.answers["https://example.net/news/7"] = [gone]
    live = web.live(feed=RSS.replace("%s", "utf-8").encode())
    assert {one.partial for one in live} == {True, False}
    assert same_bytes(live, web.replayed())


def test_a_page_without_article_gives_way_to_the_feeds_text_once(web: Web) -> None:
    web.answers[f"{HOST}/news/1"] = [answer("/news/1", INDEX.encode())]
    live = web.live(entry("/news/1", body="نص الخلاصة كما جاء في التغذية.", partial=True))
    assert [one.partial for one in live] == [True]
    assert same_bytes(live, web.replayed())


def test_the_address_that_a_feeds_text_goes_on_under_is_kept_to_the_letter(web: Web) -> None:
    async def keep() -> Article:
        writer = WarcWriter(web.folder / "archive", WarcSettings(), clock=web.clock)
        said, url = entry("/news/1", body="نص الخلاصة."), f"{HOST}/a b\r\nX: «ج»"
        article = replace(entry_article(said, url), archive=await writer.keep_entry(said, url))
        await writer.close()
        return article

    assert same_bytes([asyncio.run(keep())], web.replayed())


def test_a_feed_by_itself_makes_no_articles(web: Web) -> None:
    async def keep() -> None:
        writer = WarcWriter(web.folder / "archive", WarcSettings(), clock=web.clock)
        kinds: tuple[Kind, ...] = ("feed", "sitemap", "robots", "hub")
        for kind in kinds:
            await writer.keep(answer("/feed.xml", html().encode()), kind)
        await writer.close()

    asyncio.run(keep())
    assert list(Archive([web.folder / "archive"], Options()).read()) == []


def damaged(web: Web, find: bytes, change: bytes) -> list[Article | Reject]:
    """The records of the archive after a change in the unpacked member that holds `find`."""
    (path,) = (web.folder / "archive").iterdir()
    members = []
    rest = path.read_bytes()
    while rest:
        one = zlib.decompressobj(31)
        members.append(one.decompress(rest))
        rest = one.unused_data
    path.write_bytes(b"".join(gzip.compress(m.replace(find, change)) for m in members if change or find not in m))
    return [found.record for found in Archive([path], Options()).read()]


@pytest.mark.parametrize(
    ("find", "change", "reason"),
    [
        (PARAGRAPHS[0].encode()[:20], PARAGRAPHS[1].encode()[:20], "bad-digest"),
        (b'"schema":"rasd.entry/1"', b"", "bad-archive"),  # the record of the entry is gone
        (b'"schema":"rasd.entry/1"', b'"schema":"rasd.entry/2"', "bad-digest"),
        (b"WARC-Refers-To: <urn:uuid:", b"WARC-Refers-To: <urn:uuid:0", "bad-archive"),
    ],
)
def test_an_archive_of_ours_that_was_changed_makes_no_other_article(
    web: Web, find: bytes, change: bytes, reason: str
) -> None:
    web.answers[f"{HOST}/news/1"] = [answer("/news/1", html().encode())]
    web.live(entry("/news/1"))
    records = damaged(web, find, change)
    assert [one for one in records if isinstance(one, Article)] == []
    assert reason in {one.reason for one in records if isinstance(one, Reject)}


def test_the_file_may_be_moved_and_renamed(web: Web) -> None:
    web.answers[f"{HOST}/news/1"] = [answer("/news/1", html().encode())]
    live = web.live(entry("/news/1"))
    (path,) = (web.folder / "archive").iterdir()
    path.rename(path.with_name("renamed.warc.gz"))
    assert same_bytes(live, web.replayed())
