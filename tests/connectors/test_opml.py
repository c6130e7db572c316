"""OPML: what other readers write is read, broken or hostile, and what we write comes back whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.feedlist import Feed, catalogue
from connectors.opml import LARGEST, read_opml, write_opml
from pipeline.errors import FileError
from tests.connectors.feeds import feeds

USUAL = """<?xml version="1.0" encoding="UTF-8"?>
<opml version="1.0">
  <head><title>اشتراكاتي</title></head>
  <body>
    <outline text="Levant" title="Levant">
      <outline text="Syria &amp; north/east">
        <outline type="rss" text="صحيفة الوادي" title="صحيفة الوادي" language="ar-SY"
                 xmlUrl="https://wadi.example/rss?a=1&amp;b=2" htmlUrl="https://wadi.example/"
                 description="Reports
                 from the valley"/>
      </outline>
      <outline text="نهر" type="atom" xmlURL="feed://nahr.example/atom"/>
    </outline>
    <outline text="Alone" xmlUrl=" feed:https://alone.example/feed "/>
    <outline text="A page" type="link" url="https://page.example/"/>
    <outline text="Other list" type="include" url="https://list.example/x.opml"/>
    <outline type="rss" url="https://old.example/index.rdf"/>
  </body>
</opml>
"""


def wrapped(*outlines: str) -> bytes:
    return f'<opml version="2.0"><head/><body>{"".join(outlines)}</body></opml>'.encode()


def outline(url: str = "https://a.example/rss", **given: str) -> str:
    rest = "".join(f" {key}='{value}'" for key, value in given.items())
    return f'<outline text="A" xmlUrl="{url}"{rest}/>\n'


def urls(data: bytes) -> list[str]:
    return [feed.url for feed in read_opml(data, "x.opml").feeds]


def test_what_readers_export_becomes_feeds() -> None:
    found = read_opml(USUAL.encode(), "x.opml", taken=["alone-example"])
    assert found.title == "اشتراكاتي"
    assert found.feeds == [
        Feed(
            url="https://wadi.example/rss?a=1&b=2",
            name="wadi-example",
            outlet="صحيفة الوادي",
            language="ar",
            group="Levant/Syria & north-east",
            home="https://wadi.example/",
            notes="Reports from the valley",
        ),
        Feed(url="http://nahr.example/atom", name="nahr-example", outlet="نهر", group="Levant"),
        Feed(url="https://alone.example/feed", name="alone-example-2", outlet="Alone"),
        Feed(url="https://old.example/index.rdf", name="old-example-rdf"),
    ]
    assert found.faults == []


@pytest.mark.parametrize(
    "data",
    [
        USUAL.encode("utf-8-sig"),
        USUAL.replace("UTF-8", "windows-1256").encode("cp1256"),
        USUAL.replace("UTF-8", "UTF-16").encode("utf-16"),
        USUAL.replace("UTF-8", "iso-8859-1").encode("utf-8"),
    ],
)
def test_encodings_are_recognised_also_where_the_declaration_lies(data: bytes) -> None:
    found = read_opml(data, "x.opml")
    assert [feed.outlet for feed in found.feeds] == ["صحيفة الوادي", "نهر", "Alone", None]


def test_bare_ampersands_and_names_of_html_do_not_cost_an_address() -> None:
    data = wrapped(outline("https://a.example/?x=1&y=2&copy=3", title="Caf&eacute;&nbsp;&unknown; & more"))
    (feed,) = read_opml(data, "x.opml").feeds
    assert feed.url == "https://a.example/?x=1&y=2&copy=3"
    assert feed.outlet == "Café &unknown; & more"


def test_a_feed_that_stands_there_twice_is_skipped_and_told() -> None:
    found = read_opml(wrapped(outline(), outline("http://a.example/rss/?utm_source=x")), "x.opml")
    assert [feed.url for feed in found.feeds] == ["https://a.example/rss"]
    assert found.faults == []
    assert [(f.line, f.what) for f in found.twice] == [
        (2, "skipped: the same url as in line 1: http://a.example/rss/?utm_source=x")
    ]


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "javascript:alert(1)", "file:///etc/passwd", "/rss", "https://u:p@a.example/", "https://"],
)
def test_an_address_that_cannot_be_polled_is_skipped_and_told(url: str) -> None:
    found = read_opml(wrapped(outline(url), outline()), "x.opml")
    assert [feed.url for feed in found.feeds] == ["https://a.example/rss"]
    assert [f.what.startswith("skipped: url ") for f in found.faults] == [True]


def test_an_attribute_of_ours_that_is_wrong_is_left_out_and_told() -> None:
    text = wrapped(outline(**{"rasd:country": "Syria", "rasd:enabled": "maybe", "rasd:min_minutes": "soon"})).decode()
    found = read_opml(text.replace("<opml", '<opml xmlns:rasd="urn:rasd:opml"').encode(), "x.opml")
    assert found.feeds == [Feed(url="https://a.example/rss", name="a-example", outlet="A")]
    assert [f.what.split(" must")[0] for f in found.faults] == [
        "left out: country", "left out: min_minutes", "left out: enabled"
    ]  # fmt: skip


def test_broken_xml_is_read_as_far_as_it_goes_and_told() -> None:
    found = read_opml(wrapped(outline())[:-15] + b"<outline text='B' xmlUrl='https://b.exa", "x.opml")
    assert [feed.url for feed in found.feeds] == ["https://a.example/rss"]
    assert found.faults[0].what.startswith("broken XML")


def test_a_namespace_on_everything_makes_no_difference() -> None:
    assert urls(USUAL.replace("<opml", '<opml xmlns="http://opml.example/1"').encode())[1] == "http://nahr.example/atom"


def test_names_that_are_none_do_no_harm() -> None:
    assert urls(b"<opml><body><outline:/><a:outline xmlUrl='https://a.example/' :x='1' b:c:d='2'/></body>") == [
        "https://a.example/"
    ]


@pytest.mark.parametrize(
    "data", [b"", b"   ", b"\x00\x01\x02", b"not xml", b"<html><body/></html>", b"<rss><channel/></rss>", b"{}"]
)
def test_what_is_no_opml_is_an_error(data: bytes) -> None:
    with pytest.raises(FileError, match=r"x\.opml: is no OPML"):
        read_opml(data, "x.opml")


def test_a_bomb_of_entities_is_refused() -> None:
    bomb = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with pytest.raises(FileError, match=r"x\.opml:1: declares entities"):
        read_opml(bomb.encode() + wrapped(outline(title="&b;")), "x.opml")


def test_a_file_outside_is_not_opened() -> None:
    external = '<!DOCTYPE opml SYSTEM "file:///etc/passwd">'
    assert urls(external.encode() + wrapped(outline())) == ["https://a.example/rss"]
    entity = '<!DOCTYPE opml [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>'
    with pytest.raises(FileError, match="declares entities"):
        read_opml(entity.encode() + wrapped(outline()), "x.opml")


def test_an_element_of_countless_attributes_is_refused() -> None:
    with pytest.raises(FileError, match="more than 300 attributes"):
        read_opml(wrapped("<outline " + " ".join(f'a{n}="x"' for n in range(100_000)) + "/>"), "x.opml")


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(FileError, match="are allowed"):
        read_opml(b" " * (LARGEST + 1), "x.opml")


@pytest.mark.parametrize(
    "data",
    [
        wrapped('<outline text="x">' * 100_000),
        wrapped("<outline/>" * 300_000),
        wrapped(f'<outline text="{"&" * 3_000_000}" xmlUrl="https://a.example/"/>'),
        wrapped(f'<outline xmlUrl="https://a.example/{"x" * 3_000_000}"/>'),
        wrapped("".join(f'<outline xmlUrl="https://a.example/{n}"/>' for n in range(20_000))),
        wrapped(("<outline " + " ".join(f'a{n}="x"' for n in range(299)) + "/>") * 3_000),
    ],
    ids=["deep", "wide", "ampersands", "long address", "many feeds", "many attributes"],
)
def test_hostile_shapes_end_soon(data: bytes) -> None:
    began = time.monotonic()
    found = read_opml(data, "x.opml")
    assert time.monotonic() - began < 8  # seconds; all of them take less than two alone
    assert len({feed.name for feed in found.feeds}) == len(found.feeds)


@settings(max_examples=80, deadline=None)
@given(feeds())
def test_what_is_written_comes_back_whole(listed: list[Feed]) -> None:
    found = read_opml(write_opml(listed, "عنوان <&>"), "x.opml")
    assert sorted(found.feeds, key=lambda feed: feed.name) == sorted(listed, key=lambda feed: feed.name)
    assert found.faults == []
    assert found.title == "عنوان <&>"


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(USUAL.replace(">", "> ").split(" ")), max_size=30).map(" ".join), st.binary(max_size=20)
)
def test_any_pieces_are_feeds_or_a_clear_error(pieces: str, noise: bytes) -> None:
    try:
        found = read_opml(b"<opml>" + pieces.encode() + noise, "x.opml")
    except FileError as e:
        said = str(e)
        assert said.startswith("x.opml")
        return
    assert all(feed.url.startswith("http") for feed in found.feeds)


def test_the_catalogue_comes_back_whole() -> None:
    found = read_opml(write_opml(catalogue()), "x.opml")
    assert sorted(found.feeds, key=lambda feed: feed.name) == sorted(catalogue(), key=lambda feed: feed.name)
