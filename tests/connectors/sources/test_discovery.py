from __future__ import annotations

import time

import pytest

from connectors.sources.discovery import MOST_FEEDS, find_feeds

HOME = "https://www.example.net/"


def urls(markup: str, url: str = HOME) -> list[str]:
    return [feed.url for feed in find_feeds(markup.encode(), url)]


def test_announced_feeds_come_first_and_comments_last() -> None:
    page = """<html><head>
      <link rel="alternate" type="application/rss+xml" title="مثال » التعليقات" href="/comments/feed/">
      <link rel='alternate' type='application/atom+xml' href='https://elsewhere.example.org/atom.xml'>
      <link title="مثال » الخلاصة" type="application/rss+xml" rel="alternate" href="/feed/">
      <link rel="alternate" hreflang="en" href="/en/"><link rel="stylesheet" href="/rss.css">
      </head><body><a href="/world?page=rss">World</a><a href="feed/">Feed</a>
      <a href="/about-rss">About</a></body></html>"""
    found = find_feeds(page.encode(), HOME)
    assert [feed.url.removeprefix(HOME) for feed in found] == [
        "feed/",
        "https://elsewhere.example.org/atom.xml",
        "comments/feed/",
    ]
    assert found[0].title == "مثال » الخلاصة"
    assert (found[0].announced, found[0].same_site, found[2].comments) == (True, True, True)


@pytest.mark.parametrize(
    "link",
    ["/rss", "/ar/rss.xml", "/politics/feed/", "/index.rdf", "/news.atom", "/?feed=rss2", "/rss/world",
     "/index.php?format=feed&type=rss", "/ar/1rss_politics.xml", "https://feeds.feedburner.com/example", "feed://www.example.net/rss",
     "feed:https://www.example.net/rss", "/rss/politics.xml", "//www.example.net/RSS.aspx"],
)  # fmt: skip
def test_a_link_that_looks_like_a_feed_is_found(link: str) -> None:
    assert len(urls(f"<body><A HREF='{link}'><img src=x> RSS</A>")) == 1


@pytest.mark.parametrize(
    "markup",
    ['<link rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/7">',
     '<link rel="alternate" type="application/json+oembed" href="/oembed/1.0/embed?url=x">',
     '<link rel="alternate stylesheet" type="application/rss+xml" href="/feed">',
     '<link rel="alternate" type="text/html" href="/m/">', '<a href="/sitemap.xml">x</a>', '<a href="/story/9">RSS</a>',
     '<a href="javascript:rss()">RSS</a>', '<a href="mailto:a@example.net">RSS</a>',
     '<!-- <link rel="alternate" type="application/rss+xml" href="/old/feed"> -->',
     "<script>document.write('<a href=\"/rss\">RSS</a>')</script>", f'<a href="{HOME}">home</a>', ""],
)  # fmt: skip
def test_what_is_no_feed_is_not_taken_for_one(markup: str) -> None:
    assert urls(markup) == []


def test_relative_addresses_count_from_the_pages_base() -> None:
    assert urls('<base href="/ar/"><link rel=alternate type=application/rss+xml href="feed?a=1&amp;b=2">') == [
        "https://www.example.net/ar/feed?a=1&b=2"
    ]


def test_an_address_is_named_once_and_its_announcement_counts() -> None:
    page = '<a href="/feed#top">RSS</a><link rel="alternate" type="application/rss+xml" title="News" href="/feed">'
    (found,) = find_feeds(page.encode(), HOME)
    assert (found.announced, found.title) == (True, "News")


def test_no_more_than_a_few_are_named() -> None:
    assert len(urls("".join(f'<a href="/{n}/rss">x</a>' for n in range(100)))) == MOST_FEEDS


def test_a_page_in_another_charset_keeps_its_titles() -> None:
    page = '<meta charset="windows-1256"><link rel="alternate" type="application/rss+xml" title="أخبار" href="/rss">'
    assert find_feeds(page.encode("windows-1256"), HOME)[0].title == "أخبار"


@pytest.mark.parametrize(
    "page",
    ["<a " * 400_000, '<a href="' * 200_000, "<!--" * 400_000, "<script" * 300_000, "<a href='/rss'>" * 200_000,
     "<link " + "x" * 3_000_000, "<a\n" + "a=" * 1_000_000 + ">", "<style>" * 300_000, "<a '\"" * 300_000,
     '<a href="/rss"' * 200_000],
)  # fmt: skip
def test_hostile_pages_cost_no_more_than_their_size(page: str) -> None:
    begun = time.process_time()
    find_feeds(page.encode(), HOME)
    assert time.process_time() - begun < 2
