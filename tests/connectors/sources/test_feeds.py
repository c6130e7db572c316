from __future__ import annotations

import contextlib
import datetime as dt
import re
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.feeds import MOST_ENTRIES, parse_feed
from pipeline.errors import Unusable
from pipeline.records import Entry
from tests.connectors.sources.samples import BODY, RSS, TITLE
from tests.fixtures.feeds import FEEDS, URL
from tests.fixtures.feeds.templates import atom, entry, item, rss

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
SPOILERS = [
    b"<", b">", b"&", b"'", b'"', b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<item>", b"</item>", b"</title>",
    b"/>", b"\xff", b"",
    b"\x00", b"&#xD800;",
    b"xmlns='urn:x'", b"http://[", b"<entry/>", b"<urlset>",
]  # fmt: skip
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Example</title>
<entry><id>tag:example.net,2024:1</id><link href="https://example.net/a"/><published>2024-03-10T09:30:00+03:00</published>
<updated>2024-03-10T07:00:00Z</updated><title type="html">Port &lt;i&gt;closed&lt;/i&gt;</title>
<author><name>Hind</name></author>
<content type="html">&lt;p&gt;The port was closed on Sunday after two men were killed.&lt;/p&gt;</content></entry>
</feed>"""


@pytest.mark.parametrize("charset", ["utf-8", "windows-1256"])
def test_an_rss_feed_gives_its_entries(charset: str) -> None:
    full, short = parse_feed((RSS % charset).encode(charset), "feed.xml").entries
    assert full == Entry(
        feed="feed.xml",
        source_id="guid-7",
        url="https://example.net/news/7?utm_medium=rss",
        outlet="وكالة المثال",
        language="ar",
        title=TITLE,
        body=BODY,
        partial=False,
        author="سلمى",
        published=dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC),
        updated=None,
    )
    assert (short.body, short.partial, short.published) == ("ملخص قصير عن الحادثة", True, None)
    assert short.url == "https://example.net/news/8"


def test_an_atom_feed_gives_its_entries() -> None:
    (entry,) = parse_feed(ATOM.encode(), "a.atom").entries
    assert (entry.title, entry.author, entry.language) == ("Port closed", "Hind", "en")
    assert entry.body == "The port was closed on Sunday after two men were killed."
    assert entry.published == dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)
    assert entry.updated == dt.datetime(2024, 3, 10, 7, 0, tzinfo=dt.UTC)


def test_one_bad_byte_does_not_garble_a_feed() -> None:
    data = (RSS % "utf-8").encode()
    cut = data.index("فوج".encode())
    full, short = parse_feed(data[:cut] + b"\xff" + data[cut:], "feed.xml").entries
    assert full.body == BODY.replace("فوج", "\ufffdفوج")
    assert short.title == "خبر ثان من المدينة"


def test_broken_xml_is_read_as_far_as_it_can_be() -> None:
    broken = (RSS % "utf-8").replace("<guid>", "<guid>&nosuch; ").replace("</channel></rss>", "")
    assert [entry.title for entry in parse_feed(broken.encode(), "feed.xml").entries] == [TITLE, "خبر ثان من المدينة"]


def test_characters_that_no_text_may_hold_are_dropped() -> None:
    broken = (RSS % "utf-8").replace("guid-7", "&nosuch; &#xD800;&#0;7").replace("سلمى", "&#xDFFF;سلمى")
    full, _ = parse_feed(broken.replace(TITLE, f"{TITLE}&#xD800;").encode(), "feed.xml").entries
    for text in (full.source_id, full.author, full.title, full.body):
        assert text
        text.encode()
        assert "\x00" not in text


def test_an_empty_feed_has_no_entries() -> None:
    assert parse_feed(b"<rss version='2.0'><channel></channel></rss>", "feed.xml").entries == ()


@pytest.mark.parametrize("data", [b"", b"text", b"/etc/passwd", b"http://example.net/feed", b"<html>x</html>", b"\xff"])
def test_what_is_no_feed_is_unusable(data: bytes) -> None:
    with pytest.raises(Unusable) as raised:
        parse_feed(data, "feed.xml")
    assert raised.value.reason == "bad-feed"


@pytest.mark.parametrize(
    "data",
    ["<rss version='2.0'><channel><item><author>" + "a@" * 200_000 + "</author></item></channel></rss>",
     "<rss version='2.0'><channel><item><author><![CDATA[" + "a@" * 200_000 + "]]></author></item></channel></rss>",
     "<rss><channel>" + "<item><a>" * 100_000, "<author " * 100_000, "<![CDATA[" * 100_000, "<!--" * 100_000,
     "<rss version='2.0'><channel><item><title>" + "&" * 300_000 + "</title></item></channel></rss>"],
    ids=["author", "cdata", "nesting", "tag", "open-cdata", "open-comment", "entities"],
)  # fmt: skip
def test_hostile_feeds_cost_no_more_than_their_size(data: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(Unusable):
        parse_feed(data.encode(), "feed.xml")
    assert time.process_time() - begun < 5  # seconds; each took from 10 to 60 before it was tamed


def only(text: str) -> Entry:
    (found,) = parse_feed(text.encode(), "feed.xml", url=URL).entries
    return found


def test_a_feed_says_when_to_come_back_and_who_announces_its_changes() -> None:
    feed = parse_feed(FEEDS["rss: links to itself and to a hub"], "x", url=URL)
    assert (feed.hub, feed.self_url) == ("https://hub.example.org/", "https://www.example.net/rss")
    assert parse_feed(FEEDS["rss: ttl, cloud, skip hours and days"], "x").ttl_seconds == 900
    assert parse_feed(FEEDS["rss: update period"], "x").ttl_seconds == 1800
    assert parse_feed(rss(channel="<ttl>0</ttl>").encode(), "x").ttl_seconds is None
    assert parse_feed(rss(channel="<ttl>99999999</ttl>").encode(), "x").ttl_seconds is None
    feed = parse_feed(FEEDS["atom: threads and hubs"], "x", url=URL)
    assert (feed.hub, feed.self_url) == ("https://hub.example.org/", URL)
    assert feed.updated == dt.datetime(2024, 3, 10, 8, tzinfo=dt.UTC)
    assert parse_feed(FEEDS["other: JSON Feed with hub"], "x").hub == "https://hub.example.org/"


@pytest.mark.parametrize(
    ("name", "dialect"),
    [("rss: 2.0", "rss-2.0"), ("rss: 0.91", "rss-0.91"), ("rss: no version", "rss"), ("rss: 1.0", "rss-1.0"),
     ("rss: 0.90", "rss-0.90"), ("atom: 1.0", "atom-1.0"), ("atom: 0.3", "atom-0.3"),
     ("atom: no namespace", "atom-1.0"),
     ("other: JSON Feed 1.1", "json-1.1"), ("other: JSON Feed 1", "json-1")],
)  # fmt: skip
def test_a_feed_names_its_dialect(name: str, dialect: str) -> None:
    assert parse_feed(FEEDS[name], "x").dialect == dialect


@pytest.mark.parametrize(
    ("inner", "author"),
    [("<author>desk@example.net (سلمى ع.)</author>", "سلمى ع."), ("<author>desk@example.net</author>", None),
     ("<author>Nour Ali &lt;n@example.net&gt;</author>", "Nour Ali"),
     ("<dc:creator>Nour</dc:creator><author>x</author>", "Nour"),
     ("<dc:creator>Nour</dc:creator><dc:creator>Salma</dc:creator>", "Nour, Salma"),
     ("<author>https://x.example/</author>", None),
     ("<author>desk@agency.press</author>", None), ("<dc:creator>desk@agency.press</dc:creator>", None),
     ("<dc:creator>By Nour Ali</dc:creator>", "Nour Ali"), ("<dc:creator>بقلم: سلمى ع.</dc:creator>", "سلمى ع."),
     ("<author>كتبت - هند الأحمد</author>", "هند الأحمد"), ("<dc:creator>Byron Bay</dc:creator>", "Byron Bay"),
     ("<itunes:author>Nour</itunes:author>", "Nour")],
)  # fmt: skip
def test_an_author_is_a_name(inner: str, author: str | None) -> None:
    assert only(rss(item(inner))).author == author


def test_a_date_may_be_written_as_html() -> None:
    stamp = '&lt;time datetime="2024-03-10T06:30:00Z" class="x"&gt;Sun, 03/10/2024 - 06:30&lt;/time&gt;'
    assert only(rss(item(f"<pubDate>{stamp}</pubDate>"))).published == dt.datetime(2024, 3, 10, 6, 30, tzinfo=dt.UTC)


def test_sections_escaped_or_inside_others_leave_no_marks() -> None:
    twice = "<![CDATA[<![CDATA[Bridge reopened]]>]]>"
    for title in ("&lt;![CDATA[Bridge reopened]]&gt;", twice):
        assert only(rss(f"<item><title>{title}</title><link>https://e.example/news/7</link></item>")).title == (
            "Bridge reopened"
        )


def test_a_text_escaped_twice_is_read_as_markup() -> None:
    text = "&amp;lt;p&amp;gt;One.&amp;lt;/p&amp;gt;&amp;lt;p&amp;gt;Two.&amp;lt;/p&amp;gt;"
    entry = only(rss(f"<item><title>x</title><description>{text}</description></item>"))
    assert entry.body == "One.\nTwo."


def test_a_section_is_the_first_category() -> None:
    assert only(FEEDS["rss: categories"].decode()).section == "أخبار"
    assert only(FEEDS["atom: category terms and labels"].decode()).section == "سوريا"
    assert only(FEEDS["other: JSON Feed of plain text"].decode()).section == "أخبار"


def test_the_language_of_the_text_goes_before_what_is_stated() -> None:
    assert only(rss(item(title=TITLE), channel="<language>en-US</language>")).language == "ar"
    assert only(rss(item(title="7"), channel="<language>fr-FR</language>")).language == "fr"
    assert only(atom(entry(title="<title>7</title>").replace("<entry>", '<entry xml:lang="FA">'))).language == "fa"


def test_the_longest_text_is_the_body_and_a_summary_is_partial() -> None:
    long = "<content:encoded><![CDATA[<p>One.</p><p>Two of them.</p>]]></content:encoded>"
    found = only(rss(item(f"<description>Short.</description>{long}")))
    assert (found.body, found.partial) == ("One.\nTwo of them.", False)
    found = only(rss(item("<description>A summary that says more.</description><content:encoded>x</content:encoded>")))
    assert (found.body, found.partial) == ("A summary that says more.", True)


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "video/mp4"])
def test_what_is_no_text_is_no_body(kind: str) -> None:
    assert only(atom(entry(f'<content type="{kind}">iVBORw0KGgo=</content>'))).body == ""


def test_markup_that_a_text_holds_is_read_as_markup_and_signs_as_signs() -> None:
    assert only(atom(entry("<content>1 &lt; 2 and 3 &gt; 2</content>"))).body == "1 < 2 and 3 > 2"
    assert only(FEEDS["atom: content as prefixed xhtml"].decode()).body == "Words."
    assert only(FEEDS["atom: content as xhtml"].decode()).body == "Two men were killed.\nThe road is closed."


def test_of_a_feed_cut_short_the_whole_entries_are_kept() -> None:
    whole = FEEDS["rss: 2.0"].decode()
    for cut in range(len(whole) // 2, len(whole)):
        feed = parse_feed(whole[:cut].encode(), "x")
        assert len(feed.entries) == whole[:cut].count("</item>")
        assert all(entry.body and entry.published for entry in feed.entries)
        assert len(feed.entries) + feed.skipped == whole[:cut].count("<item>")


def test_no_more_than_the_first_entries_of_a_long_feed_are_read() -> None:
    items = "".join(item(title=f"News {n}", link=f"https://www.example.net/news/{n}") for n in range(MOST_ENTRIES + 50))
    feed = parse_feed(rss(items).encode(), "x")
    assert (len(feed.entries), feed.skipped) == (MOST_ENTRIES, 50)
    assert feed.entries[-1].title == f"News {MOST_ENTRIES - 1}"


def test_a_date_after_the_latest_is_none() -> None:
    text = rss(item("<pubDate>Sun, 10 Mar 2024 06:30:00 GMT</pubDate>")).encode()
    latest = dt.datetime(2024, 3, 10, 6, tzinfo=dt.UTC)
    assert parse_feed(text, "x", latest=latest).entries[0].published is None
    assert parse_feed(text, "x", latest=latest + dt.timedelta(hours=1)).entries[0].published is not None


def test_a_feed_too_large_is_not_read() -> None:
    with pytest.raises(Unusable) as raised:
        parse_feed(b"<rss>" + b" " * 33_000_000, "x")
    assert raised.value.reason == "too-large"


def test_elements_do_not_end_others_of_the_same_name_further_out() -> None:
    found = only(
        rss("<item><media:group><title>Not this</title></media:group><title>This</title><guid>1</guid></item>")
    )
    assert found.title == "This"


@pytest.mark.parametrize("name", FEEDS)
def test_what_is_read_is_clean(name: str) -> None:
    with contextlib.suppress(Unusable):
        for found in parse_feed(FEEDS[name], "x", url=URL).entries:
            for text in (found.title, found.body, found.author, found.section, found.source_id, found.url):
                assert text is None or (
                    text == text.strip() and not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", text)
                )
            assert not re.search(r"</?(?:p|b|br|div|i|a)\b|&(?:amp|quot|lt|#\d+);", found.body + (found.title or ""))


@given(
    st.sampled_from(sorted(FEEDS)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), st.sampled_from(SPOILERS)), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_any_damage_leaves_a_feed_or_a_reject(name: str, damage: list[tuple[float, int, bytes]]) -> None:
    data = FEEDS[name]
    for place, cut, put in damage:
        at = int(place * len(data))
        data = data[:at] + put + data[at + cut :]
    with contextlib.suppress(Unusable):
        for found in parse_feed(data, "x", url=URL).entries:
            msgspec.json.encode(found)
