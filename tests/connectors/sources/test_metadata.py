from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from connectors.markup import parse_page
from connectors.sources.metadata import Stated, read_metadata


def stated(head: str = "", body: str = "", **data: Any) -> Stated:
    linked = f'<script type="application/ld+json">{json.dumps(data)}</script>' if data else ""
    return read_metadata(parse_page(f"<html><head>{head}{linked}</head><body>{body}<p>x</p></body></html>"))


def meta(name: str, content: str) -> str:
    return f'<meta property="{name}" content="{content}">'


def article(**data: Any) -> Stated:
    return stated(**{"@type": "NewsArticle", **data})


@pytest.mark.parametrize(
    ("said", "exactness"),
    [
        ("2024-03-10T09:30:00+03:00", "moment"),
        ("2024-03-10T06:30:00Z", "moment"),
        ("2024-03-10T06:30:00.123Z", "moment"),
        ("Sun, 10 Mar 2024 09:30:00 +0300", "moment"),
        (1710052200, "moment"),
        ("1710052200000", "moment"),
        ("2024-03-10T09:30:00", "local"),
        ("2024-03-10 09:30", "local"),
        ("2024-03-10", "day"),
        ("20240310", "day"),
        ("2024-03-10T00:00:00", "day"),
        ("2024-03-10T00:00:00Z", "day"),
    ],
)
def test_how_exactly_a_time_is_stated(said: str | int, exactness: str) -> None:
    found = article(datePublished=said)
    assert found.published is not None
    assert found.published.date() == dt.date(2024, 3, 10)
    assert found.published_to == exactness


def test_a_more_exact_word_for_the_same_time_is_taken() -> None:
    exact = meta("article:published_time", "2024-03-10T06:30:00Z")
    at = dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)
    for said in ("2024-03-10", "2024-03-10T09:30:00"):
        found = stated(exact, **{"@type": "NewsArticle", "datePublished": said})
        assert (found.published, found.published_to) == (at, "moment")
    other = stated(exact, **{"@type": "NewsArticle", "datePublished": "2024-02-01"})
    assert (other.published, other.published_to) == (dt.datetime(2024, 2, 1, tzinfo=dt.UTC), "day")


def test_structured_data_goes_before_meta_elements_before_marked_times() -> None:
    head = meta("article:published_time", "2024-03-11T06:30:00Z") + meta("article:section", "b") + meta("og:title", "B")
    body = '<article><h1>C</h1><time datetime="2024-03-12T06:30:00Z">x</time></article>'
    said = {
        "@type": "NewsArticle",
        "datePublished": "2024-03-10T06:30:00Z",
        "articleSection": ["", "a"],
        "headline": "A",
    }
    days = [
        found.published.day
        for found in (stated(head, body, **said), stated(head, body), stated("", body))
        if found.published
    ]
    assert days == [10, 11, 12]
    assert [stated(head, body, **said).section, stated(head, body).section, stated("", body).section] == [
        "a",
        "b",
        None,
    ]
    assert [stated(head, body, **said).title, stated(head, body).title, stated("", body).title] == ["A", "B", "C"]


@pytest.mark.parametrize(
    "body", ['<time datetime="2024-03-10">x</time>', '<aside><h1>x</h1><time datetime="2024-03-10">x</time></aside>']
)
def test_a_time_beside_the_article_dates_nothing(body: str) -> None:
    assert stated("", body).published is None


def test_a_windows_title_loses_the_name_of_the_site_where_it_seems_to_be_one() -> None:
    headline = "Shells strike the old market of Zaytoun"
    for title in (f"{headline} | Example Wire", f"{headline} - Example Wire", f"{headline} » Example"):
        assert stated(f"<title>{title}</title>").title == headline
    for title in (headline, "Zaytoun - Anab", f"{headline} - what is known of the attack so far and what not"):
        assert stated(f"<title>{title}</title>").title == title


@pytest.mark.parametrize(
    ("said", "free"),
    [
        (False, False),
        ("False", False),
        ("https://schema.org/False", False),
        (True, True),
        ("true", True),
        ("?", None),
        (None, None),
    ],
)
def test_what_is_not_free_says_so(said: Any, free: bool | None) -> None:
    assert article(isAccessibleForFree=said).is_free is free


def test_what_is_too_long_to_be_true_is_not_stated() -> None:
    found = stated(meta("author", "x" * 301) + meta("article:section", "x" * 81) + f"<title>{'x' * 1001}</title>")
    assert (found.author, found.section, found.title) == (None, None, None)


@pytest.mark.parametrize(
    "data",
    ["[" * 5000, '{"@graph":' * 3000, '{"@type":"NewsArticle","author":' + '{"name":[' * 400 + '"x"' + "]}" * 400 + "}",
     '{"@type":{"a":1},"author":7,"datePublished":[1]}', "null", '"x"', "NaN", '{"datePublished":1e999}'],
)  # fmt: skip
def test_structured_data_that_makes_no_sense_states_nothing(data: str) -> None:
    found = stated(f'<script type="application/ld+json">{data}</script>' + meta("author", "Salma"))
    assert (found.author, found.published) == ("Salma", None)


@pytest.mark.parametrize(
    "data",
    [
        '{"@type": "NewsArticle", "datePublished": "2024-03-10T06:30:00Z",}',
        '{"@type": "NewsArticle", "headline": "he said "no"", "datePublished": "2024-03-10T06:30:00Z"}',
        '[{"@type": "WebPage"}, {"@type": "Article",\n"datePublished":"2024-03-10T06:30:00Z"\n"name":""}]',
    ],
)
def test_structured_data_with_a_slip_still_dates_the_article(data: str) -> None:
    found = stated(f'<script type="application/ld+json">{data}</script>')
    assert found.is_article
    assert found.published == dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)


def test_broken_structured_data_of_several_texts_dates_none() -> None:
    two = ", ".join('{"@type": "NewsArticle", "datePublished": "2024-03-10T06:30:00Z", "name": "a "b""}' for _ in "ab")
    assert stated(f'<script type="application/ld+json">[{two}]</script>').published is None


def test_an_author_who_is_only_referred_to_is_looked_up() -> None:
    found = stated(
        **{
            "@graph": [
                {"@type": "Article", "author": [{"@id": "#p"}, {"@id": "#q"}], "publisher": {"@id": "#o"}},
                {"@type": "Person", "@id": "#p", "name": "سلمى الخطيب"},
                {"@type": "Organization", "@id": "#o", "name": "وكالة المثال"},
            ]
        }
    )
    assert (found.author, found.site_name) == ("سلمى الخطيب", "وكالة المثال")


@pytest.mark.parametrize(
    "body",
    ['<span itemprop="author"><b itemprop="name">Nour Ali</b></span>',
     '<p>By <a rel="author" href="/n">Nour Ali</a></p>',
     '<aside><a rel="author">Salma</a></aside><i itemprop="author" content="Nour Ali"></i>'],
)  # fmt: skip
def test_an_author_marked_as_such_is_the_author(body: str) -> None:
    assert stated(body=body).author == "Nour Ali"
    assert article(author="https://e.example/nour").author is None


def test_a_live_report_in_structured_data_has_its_posts_as_text() -> None:
    posts = [{"headline": "One", "articleBody": "First post."}, {"articleBody": "Second post."}, "x"]
    assert stated(**{"@type": "LiveBlogPosting", "liveBlogUpdate": posts}).body == "One\nFirst post.\nSecond post."
