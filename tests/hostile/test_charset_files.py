from __future__ import annotations

import time

import pytest

from connectors.sources.charset import decode, without_forbidden
from connectors.sources.parse import ParsedFeed, parse_source
from tests.hostile.charset_files import CharsetFile, charset_files

FILES = list(charset_files())
#: Files that are known to be read wrongly, and why. At most two.
WRONG: dict[str, str] = {}


def test_there_are_more_than_forty_and_at_most_two_are_read_wrongly() -> None:
    assert len({one.name for one in FILES}) == len(FILES) >= 40
    assert len(WRONG) <= 2


@pytest.mark.parametrize("one", FILES, ids=lambda one: one.name)
def test_the_text_is_read_to_the_letter(one: CharsetFile) -> None:
    assert (one.text in without_forbidden(decode(one.data, one.charset))) is (one.name not in WRONG)


@pytest.mark.parametrize(
    "one", [one for one in FILES if b"</\x00r" in one.data or b"</rss" in one.data], ids=lambda one: one.name
)
def test_a_feed_gives_its_headline(one: CharsetFile) -> None:
    feed = parse_source(one.data, "https://example.net/rss", one.charset)
    assert isinstance(feed, ParsedFeed)
    assert feed.entries[0].title == " ".join(one.text.split())
    assert feed.entries[0].url == "https://example.net/news/7"


@pytest.mark.parametrize(
    "data",
    [b"\xc7\xe1" * 2_000_000, b"\xff" * 4_000_000, b"\x00" * 4_000_000,
     b"<\xff\xff\xff" * 1_000_000 + "\u0627".encode() * 4_000_000,
     b"<?xml " * 700_000, b"<meta " * 700_000, bytes(range(256)) * 16_000],
    ids=["1256", "ff", "nul", "mixed", "declarations", "metas", "all"],
)  # fmt: skip
def test_hostile_bytes_cost_no_more_than_their_size(data: bytes) -> None:
    begun = time.process_time()
    decode(data)
    assert time.process_time() - begun < 5
