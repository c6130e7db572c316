from __future__ import annotations

import datetime as dt
import gzip

import pytest

from connectors.sources.entries import MOST_ENTRIES
from connectors.sources.parse import ParsedFeed, SitemapIndex, parse_source
from connectors.sources.sitemaps import MOST_CHILDREN, parse_sitemap
from pipeline.errors import Unusable

URL = "https://www.example.net/sitemap.xml"
NEWS = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"
  xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<url><loc>https://www.example.net/news/1?a=1&amp;b=2</loc><lastmod>2024-03-10T08:00:00Z</lastmod>
<news:news><news:publication><news:name>وكالة المثال</news:name><news:language>ar</news:language></news:publication>
<news:publication_date>2024-03-10T09:30:00+03:00</news:publication_date>
<news:title><![CDATA[أربعة قتلى في قصف على سوق الزيتون]]></news:title>
<news:keywords>سوريا، قصف</news:keywords></news:news>
<image:image><image:loc>https://www.example.net/a.jpg</image:loc><image:title>صورة</image:title></image:image></url>
<url><loc>https://www.example.net/</loc></url></urlset>"""


def feed(text: str | bytes) -> ParsedFeed:
    found = parse_sitemap(text if isinstance(text, bytes) else text.encode(), "s.xml", url=URL)
    assert isinstance(found, ParsedFeed)
    return found


def test_a_news_sitemap_gives_what_it_says_of_its_articles() -> None:
    found = feed(NEWS)
    (entry,) = found.entries
    assert (found.dialect, found.title, found.language, found.skipped) == ("news-sitemap", "وكالة المثال", "ar", 1)
    assert entry.title == "أربعة قتلى في قصف على سوق الزيتون"
    assert (entry.url, entry.outlet, entry.section) == (
        "https://www.example.net/news/1?a=1&b=2",
        "وكالة المثال",
        "سوريا",
    )
    assert entry.published == dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)
    assert entry.updated == dt.datetime(2024, 3, 10, 8, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(NEWS.encode()),
        NEWS.encode("utf-16"),
        b"\n" + NEWS.encode(),
        NEWS.replace("news:", "n:").replace(":news=", ":n=").encode(),
    ],
)
def test_however_it_is_packed(data: bytes) -> None:
    assert feed(data).entries == feed(NEWS).entries


def test_the_day_of_a_change_is_no_day_of_publication() -> None:
    (entry,) = feed("<urlset><url><loc>/news/1</loc><lastmod>2024-03-10</lastmod></url></urlset>").entries
    assert (entry.url, entry.published) == ("https://www.example.net/news/1", None)
    assert entry.updated == dt.datetime(2024, 3, 10, tzinfo=dt.UTC)


def test_of_a_long_sitemap_the_newest_are_read() -> None:
    days = [dt.date(2010, 1, 1) + dt.timedelta(days=n) for n in range(MOST_ENTRIES + 500)]
    urls = "".join(f"<url><loc>https://www.example.net/a/{day}</loc><lastmod>{day}</lastmod></url>" for day in days)
    found = feed(f"<urlset>{urls}</urlset>")
    assert [entry.url for entry in found.entries] == [f"https://www.example.net/a/{day}" for day in days[500:]]
    assert found.skipped == 500


def test_an_index_names_its_sitemaps_the_newest_first() -> None:
    text = """<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
      <sitemap><loc>https://www.example.net/2023.xml</loc><lastmod>2023-12-31</lastmod></sitemap>
      <sitemap><loc>/2024.xml.gz</loc><lastmod>2024-03-10</lastmod></sitemap>
      <sitemap><loc>https://www.example.net/undated.xml</loc></sitemap>
      <sitemap><loc>https://www.example.net/sitemap.xml</loc></sitemap>
      <sitemap><loc>https://www.example.net/2023.xml</loc></sitemap><sitemap><loc>javascript:x</loc></sitemap></sitemapindex>"""
    found = parse_sitemap(text.encode(), "s.xml", url=URL)
    assert isinstance(found, SitemapIndex)
    assert [child.url.removeprefix("https://www.example.net/") for child in found.children] == [
        "2024.xml.gz", "2023.xml", "undated.xml"
    ]  # fmt: skip
    assert found.children[0].updated == dt.datetime(2024, 3, 10, tzinfo=dt.UTC)
    assert found.skipped == 3


def test_of_a_calendar_of_sitemaps_only_so_many_are_named() -> None:
    many = "".join(f"<sitemap><loc>https://www.example.net/{n}.xml</loc></sitemap>" for n in range(MOST_CHILDREN + 300))
    found = parse_sitemap(f"<sitemapindex>{many}</sitemapindex>".encode(), "s.xml", url=URL)
    assert isinstance(found, SitemapIndex)
    assert (len(found.children), found.skipped) == (MOST_CHILDREN, 300)


def test_a_sitemap_may_be_a_list_of_addresses() -> None:
    found = feed("https://www.example.net/news/1\nhttps://www.example.net/news/2\n\nhttps://www.example.net/\n")
    assert [entry.url for entry in found.entries] == [
        "https://www.example.net/news/1",
        "https://www.example.net/news/2",
    ]


def test_a_sitemap_cut_short_keeps_its_whole_urls() -> None:
    found = feed("<urlset><url><loc>/news/1</loc></url><url><loc>/news/2")
    assert ([entry.url for entry in found.entries], found.skipped) == (["https://www.example.net/news/1"], 1)


@pytest.mark.parametrize(
    "data", [b"", b"words", b"<html><body>x</body></html>", b"<rss version='2.0'><channel/></rss>", b"\x1f\x8b"]
)
def test_what_is_no_sitemap_is_unusable(data: bytes) -> None:
    with pytest.raises(Unusable) as raised:
        parse_sitemap(data, "s.xml")
    assert raised.value.reason in ("bad-feed", "bad-encoding")


def test_a_source_is_read_as_what_it_is() -> None:
    rss = b"<rss version='2.0'><channel><item><title>Bridge reopened</title></item></channel></rss>"
    for kind in ("feed", "sitemap"):
        assert parse_source(rss, URL, None, kind).dialect == "rss-2.0"  # type: ignore[arg-type]
        assert parse_source(NEWS.encode(), URL, None, kind).dialect == "news-sitemap"  # type: ignore[arg-type]
        assert parse_source(gzip.compress(rss), URL, None, kind).dialect == "rss-2.0"  # type: ignore[arg-type]
    assert isinstance(parse_source(b"<sitemapindex/>", URL), SitemapIndex)
    assert parse_source(b'{"version":"https://jsonfeed.org/version/1","items":[]}', URL).dialect == "json-1"
    assert parse_source(b"https://www.example.net/news/1", URL, None, "sitemap").dialect == "sitemap-text"
    with pytest.raises(Unusable):
        parse_source(b"https://www.example.net/news/1", URL)
