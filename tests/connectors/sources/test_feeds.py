from __future__ import annotations

import contextlib
import datetime as dt
import time

import pytest

from connectors.sources.feeds import parse_feed
from pipeline.errors import Unusable
from pipeline.records import Entry
from tests.connectors.sources.samples import BODY, RSS, TITLE

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
