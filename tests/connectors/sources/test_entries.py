from __future__ import annotations

import pytest

from connectors.sources.addresses import absolute, is_front
from connectors.sources.entries import entry_key, entry_mark, person, plain_line
from connectors.sources.feeds import parse_feed
from pipeline.records import Entry
from tests.fixtures.feeds import FEEDS, URL
from tests.fixtures.feeds.templates import item, rss


def entries(*items: str) -> tuple[Entry, ...]:
    return parse_feed(rss(*items).encode(), URL, url=URL).entries


def keys(*items: str) -> list[str]:
    return [entry_key(entry) for entry in entries(*items)]


def test_a_guid_that_changes_with_the_headline_changes_no_key() -> None:
    before = keys(item("<guid>bridge-reopened</guid>"))
    assert keys(item("<guid>bridge-opened-again</guid>", title="Bridge opened again")) == before


def test_one_guid_for_all_makes_no_single_article() -> None:
    assert (
        len(
            set(
                keys(
                    *(item("<guid>same</guid>", title=str(n), link=f"https://www.example.net/news/{n}1") for n in "123")
                )
            )
        )
        == 3
    )


def test_one_guid_and_no_address_for_all_makes_no_single_article() -> None:
    assert len(set(keys(*(item("<guid>same</guid>", title=f"News {n}", link="") for n in "123")))) == 3


def test_one_address_for_all_makes_no_single_article() -> None:
    found = keys(
        *(item(f"<guid>t{n}</guid>", title=f"News {n}", link="https://www.example.net/ticker") for n in "1234")
    )
    assert len(set(found)) == 4
    again = keys(
        *(item(f"<guid>t{n}</guid>", title=f"News {n}", link="https://www.example.net/ticker") for n in "2345")
    )
    assert found[1:] == again[:3]


def test_the_home_page_is_nobodys_address() -> None:
    found = keys(*(item(f"<guid>t{n}</guid>", title=f"News {n}", link="https://www.example.net/") for n in "12"))
    assert len(set(found)) == 2
    assert not any("example.net/" in key for key in found)


def test_tracking_fragments_and_mobile_hosts_change_no_key() -> None:
    links = (
        "https://www.example.net/news/3",
        "https://www.example.net/news/3?utm_source=rss#top",
        "https://m.example.net/news/3",
    )
    assert len({keys(item(link=link))[0] for link in links}) == 1


def test_without_address_and_guid_the_headline_is_the_key() -> None:
    first, second = keys(item(link=""), item(link="", title="Another"))
    assert first != second
    assert keys(item("<description>more</description>", link="")) == [first]


def test_a_guid_counts_within_its_feed() -> None:
    (one,) = entries(item("<guid>7</guid>", link=""))
    other = parse_feed(rss(item("<guid>7</guid>", link="")).encode(), "https://www.example.org/rss").entries[0]
    assert entry_key(one) != entry_key(other)


@pytest.mark.parametrize(
    "changed",
    [item("<description>New words.</description>"), item(title="Another headline"),
     item('<a:updated xmlns:a="http://www.w3.org/2005/Atom">2024-03-10T07:00:00Z</a:updated>')],
)  # fmt: skip
def test_an_edited_entry_has_another_mark(changed: str) -> None:
    assert entry_mark(entries(changed)[0]) != entry_mark(entries(item())[0])


def test_white_space_links_and_guids_change_no_mark() -> None:
    same = item("<guid>8</guid>", title="Bridge \n  reopened", link="https://www.example.net/news/4")
    assert entry_mark(entries(same)[0]) == entry_mark(entries(item())[0])


def test_every_feed_has_the_same_keys_and_marks_each_time() -> None:
    for data in (FEEDS["rss: 2.0"], FEEDS["atom: 1.0"], FEEDS["addresses: one address for all"]):
        first, second = (parse_feed(data, URL, url=URL).entries for _ in range(2))
        assert [(entry_key(e), entry_mark(e)) for e in first] == [(entry_key(e), entry_mark(e)) for e in second]


@pytest.mark.parametrize(
    ("said", "expected"),
    [("/a", "https://h.example/a"), ("a", "https://h.example/x/a"), ("//o.example/a", "https://o.example/a"),
     ("?p=1", "https://h.example/x/y?p=1"),
     (" https://o.example/a\n", "https://o.example/a"),
     ("https://o.example/a?x=1&amp;amp;y=2", "https://o.example/a?x=1&y=2"),
     ("www.o.example/a", "http://www.o.example/a"), ("javascript:x()", None), ("mailto:a@b", None), ("", None),
     ("two words", None), ("http://[", None), ("x" * 10_000, None), ("tag:o.example,2024:1", None), (None, None)],
)  # fmt: skip
def test_an_address_is_made_absolute_or_is_none(said: str | None, expected: str | None) -> None:
    assert absolute(said, None, "https://h.example/x/y") == expected


def test_an_address_without_scheme_needs_no_base() -> None:
    assert absolute("//o.example/a") == "https://o.example/a"
    assert absolute("/a") is None


@pytest.mark.parametrize(
    "said",
    ["\u200ehttps://h.example/a\u200f", "\ufeffhttps://h.example/a", "https://https://h.example/a",
     "http://h.examplehttps://h.example/a", "https://h.example/https://h.example/a"],
)  # fmt: skip
def test_what_stands_around_an_address_goes(said: str) -> None:
    assert absolute(said) == "https://h.example/a"


def test_an_address_inside_another_sites_stays() -> None:
    kept = "https://archive.example/2024/https://h.example/a"
    assert absolute(kept) == kept


@pytest.mark.parametrize(
    ("url", "front"),
    [("https://e.example", True), ("https://e.example/", True), ("https://e.example/index.php", True),
     ("https://e.example/ar/", True),
     ("https://e.example/en-gb", True), ("https://e.example/?p=1", False),
     ("https://e.example/news", False), ("https://e.example/a/b", False)],
)  # fmt: skip
def test_front_pages_are_told(url: str, front: bool) -> None:
    assert is_front(url) is front


def test_lines_and_names() -> None:
    assert plain_line("<b>Road</b>&nbsp;&amp;<br>bridge<script>x()</script>") == "Road & bridge"
    assert plain_line("word " * 900, 20) == "word word word word"
    assert plain_line(" \u200b ") in (None, "\u200b")
    assert person("desk@example.net (Nour)") == "Nour"
    assert person("Nour") == "Nour"
    assert person("a@b.example") is None
