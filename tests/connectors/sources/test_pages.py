from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from connectors.clean import Page
from connectors.sources.metadata import Exactness
from connectors.sources.pages import entry_article, page_article
from pipeline.errors import Unusable
from pipeline.records import Archived, Entry
from tests.connectors.sources.samples import BODY, TITLE

URL = "https://www.example.net/news/7"
FETCHED = dt.datetime(2024, 3, 10, 9, 0, tzinfo=dt.UTC)
PAGE = Page(
    title=TITLE,
    body=BODY,
    author="سلمى ع.",
    published=dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC),
    updated=dt.datetime(2024, 3, 10, 7, 0, tzinfo=dt.UTC),
    section="سوريا",
    language="ar",
    canonical_url=URL,
    outlet="example.net",
    site_name="وكالة المثال",
)
ENTRY = Entry(
    feed="https://feeds.example.net/all.xml",
    outlet="almithal",
    url=f"{URL}?utm_source=rss",
    source_id="guid-7",
    language="en",
    title="عنوان الخلاصة",
    body="ملخص لا يتعدى سطراً واحداً عن الخبر.",
    partial=True,
    author="هند",
    section="أخبار",
    published=dt.datetime(2024, 3, 10, 6, 35, tzinfo=dt.UTC),
    updated=dt.datetime(2024, 3, 10, 6, 40, tzinfo=dt.UTC),
    seen=dt.datetime(2024, 3, 10, 8, 0, tzinfo=dt.UTC),
)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def merged(page: dict[str, Any] | None = None, entry: dict[str, Any] | None = None) -> Any:
    return page_article(replace(PAGE, **(page or {})), URL, FETCHED, None, replace(ENTRY, **(entry or {})))


def test_the_page_is_believed_before_the_feed_and_the_feed_names_itself() -> None:
    archive = Archived(file="a.warc.gz", offset=7, length=9)
    found = page_article(PAGE, URL, FETCHED, archive, ENTRY)
    assert (found.title, found.body, found.author, found.section) == (TITLE, BODY, "سلمى ع.", "سوريا")
    assert (found.published, found.published_basis, found.updated) == (PAGE.published, "page", PAGE.updated)
    assert (found.source_id, found.feed, found.outlet) == ("guid-7", ENTRY.feed, "almithal")
    assert (found.url, found.canonical_url, found.language) == (URL, URL, "ar")
    assert (found.fetched, found.archive, found.partial) == (FETCHED, archive, False)


def test_what_the_page_does_not_say_the_feed_says() -> None:
    silent = replace(PAGE, title=None, author=None, published=None, updated=None, section=None, language=None)
    found = page_article(silent, URL, FETCHED, None, ENTRY)
    assert (found.title, found.author, found.section) == (ENTRY.title, "هند", "أخبار")
    assert (found.published, found.published_basis, found.updated) == (ENTRY.published, "feed", ENTRY.updated)
    assert found.language == "en"


def test_a_page_that_no_feed_announced_is_an_article_too() -> None:
    found = page_article(PAGE, URL, FETCHED, None, None)
    assert (found.feed, found.source_id, found.outlet, found.published_basis) == (None, None, "example.net", "page")
    bare = page_article(replace(PAGE, published=None, canonical_url=None), URL, None, None, None)
    assert (bare.published, bare.published_basis, bare.canonical_url) == (None, "unknown", URL)


@pytest.mark.parametrize(
    "title", ["", "الرئيسية", "وكالة المثال", "example.net", "Untitled", "Home", "www.example.net"]
)
def test_a_headline_that_says_nothing_gives_way_to_the_feeds(title: str) -> None:
    assert merged({"title": title}).title == ENTRY.title
    assert merged({"title": title}, {"title": None}).title == (title or None)


@pytest.mark.parametrize("author", ["admin", "المحرر", "وكالة المثال", "https://example.net/a/7", "web@example.net"])
def test_an_author_line_that_names_nobody_gives_way_to_the_feeds(author: str) -> None:
    assert merged({"author": author}).author == "هند"
    assert merged({"author": author}, {"author": None}).author == author


@pytest.mark.parametrize("impossible", ["1970-01-01 00:00", "1994-12-31 23:59", "2024-03-12 09:01", "2038-01-19 03:14"])
def test_an_impossible_time_of_the_page_falls_to_the_feed(impossible: str) -> None:
    found = merged({"published": utc(impossible), "updated": utc(impossible)})
    assert (found.published, found.published_basis, found.updated) == (ENTRY.published, "feed", ENTRY.updated)
    neither = merged({"published": utc(impossible)}, {"published": utc(impossible)})
    assert (neither.published, neither.published_basis) == (None, "unknown")


@pytest.mark.parametrize(
    ("said", "exactness", "fed", "published", "basis"),
    [
        ("2024-03-10 00:00", "day", "2024-03-10 06:35", "2024-03-10 06:35", "feed"),
        ("2024-03-10 00:00", "day", "2024-03-09 22:10", "2024-03-09 22:10", "feed"),  # the same day further east
        ("2024-03-08 00:00", "day", "2024-03-10 06:35", "2024-03-08 00:00", "page"),  # the feed dates a re-issue
        ("2024-03-10 09:30", "local", "2024-03-10 06:30", "2024-03-10 06:30", "feed"),  # three hours: a zone
        ("2024-03-10 08:30", "local", "2024-03-10 06:37", "2024-03-10 08:30", "page"),  # no zone is seven minutes off
        ("2024-03-10 06:30", "moment", "2024-03-10 03:30", "2024-03-10 06:30", "page"),
        ("2024-03-10 09:30", "moment", "2024-03-10 06:30", "2024-03-10 06:30", "feed"),  # it was read at nine
    ],
)
def test_the_feed_is_believed_where_it_says_the_same_time_better(
    said: str, exactness: Exactness, fed: str, published: str, basis: str
) -> None:
    found = merged({"published": utc(said), "published_to": exactness}, {"published": utc(fed)})
    assert (found.published, found.published_basis) == (utc(published), basis)


def test_a_change_before_the_publication_is_no_change() -> None:
    before = utc("2024-03-01 00:00")
    assert merged({"updated": before}).updated == ENTRY.updated
    assert merged({"updated": before}, {"updated": before}).updated is None


def test_a_feed_that_collects_from_others_does_not_name_the_outlet() -> None:
    collector = {"feed": "https://news.collector.example.com/rss", "outlet": "collector"}
    assert merged({}, collector).outlet == "example.net"
    own_label = {"feed": "https://feeds.deliverer.example.com/x", "outlet": "example"}
    assert merged({}, own_label).outlet == "example"


def test_a_feeds_text_stands_in_for_a_page_that_is_not_to_be_had() -> None:
    found = entry_article(ENTRY)
    assert (found.title, found.body, found.partial) == (ENTRY.title, ENTRY.body, True)
    assert (found.published, found.published_basis, found.fetched) == (ENTRY.published, "feed", ENTRY.seen)
    assert (found.canonical_url, found.outlet, found.language) == (URL, "almithal", "ar")
    assert found.id == page_article(PAGE, URL, FETCHED, None, ENTRY).id
    assert not entry_article(replace(ENTRY, body=BODY, partial=False)).partial
    assert entry_article(replace(ENTRY, body=" ", partial=False)).partial


def test_an_entry_whose_address_led_elsewhere_is_that_article() -> None:
    led = replace(ENTRY, url="https://feeds.deliverer.example.com/r/1")
    assert entry_article(led, url=URL).id == page_article(PAGE, URL, FETCHED, None, led).id


def test_an_entry_without_words_is_unusable() -> None:
    with pytest.raises(Unusable) as raised:
        entry_article(replace(ENTRY, body=" ", title=" "))
    assert raised.value.reason == "no-text"
    impossible = entry_article(replace(ENTRY, published=utc("2031-01-01 00:00")))
    assert (impossible.published, impossible.published_basis) == (None, "unknown")
