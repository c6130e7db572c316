"""RSS, Atom, RDF and JSON Feed: the entries of a feed that lies before us as bytes. `docs/feeds.md` tells what is read
from where."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterator
from itertools import islice

from connectors.sources.addresses import absolute, is_front
from connectors.sources.charset import decode, without_forbidden
from connectors.sources.elements import Element, read_elements
from connectors.sources.entries import (
    LONGEST_TITLE,
    MOST_ENTRIES,
    MOST_OF_A_KIND,
    Allowance,
    ParsedFeed,
    entry_key,
    entry_mark,
    language_code,
    make_entry,
    person,
    plain_line,
    with_own_addresses,
)
from connectors.sources.jsonfeed import looks_like_json, read_json_feed
from connectors.sources.times import parse_time
from connectors.urls import canonical_url
from pipeline.errors import Unusable
from pipeline.records import Entry

__all__ = ["MOST_ENTRIES", "ParsedFeed", "entry_key", "entry_mark", "parse_feed"]

LARGEST = 32_000_000  # bytes; the fetcher's own limit is lower
_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_LONGEST_TTL = 7 * 86_400  # seconds; a feed that asks for more means something else
_ALTERNATE = ("alternate", "http://www.iana.org/assignments/relation/alternate")
_OUTER_LINK = ("feedburner:origlink", "pheedo:origlink")
_PUBLISHED = (
    "pubdate", "published", "issued", "dc:date", "dcterms:issued", "dcterms:created", "dcterms:date", "created",
    "prism:publicationdate", "date", "publisheddate",
)  # fmt: skip
_UPDATED = ("updated", "modified", "dcterms:modified", "dc:modified", "prism:modificationdate", "lastbuilddate")
_CONTENTS = ("content:encoded", "content", "xhtml:body", "body", "xhtml:div", "fulltext", "full-text",
             "yandex:full-text", "turbo:content", "encoded")  # fmt: skip
_SUMMARIES = ("description", "summary", "dc:description", "dcterms:abstract", "abstract", "itunes:summary",
              "media:description", "excerpt:encoded")  # fmt: skip


def parse_feed(
    data: bytes,
    name: str,
    *,
    charset: str | None = None,
    url: str | None = None,
    latest: dt.datetime | None = None,
) -> ParsedFeed:
    """The feed in a document of any dialect, also out of broken XML as far as it can be read.

    name: file or address, kept as `Entry.feed`. charset: what the transport said. url: where it was fetched, for
    relative links. latest: a date after it is none. An entry's text may be empty: that is for the caller to judge.
    Raises: Unusable (reason "bad-feed" if it is no feed; "too-large" for too many bytes or elements, or elements nested
    too deep).
    """
    if len(data) > LARGEST:
        raise Unusable(f"a feed of {len(data)} bytes, {LARGEST} are allowed", reason="too-large")
    return read_feed(without_forbidden(decode(data, charset)), name, url=url, latest=latest)


def read_feed(text: str, name: str, *, url: str | None = None, latest: dt.datetime | None = None) -> ParsedFeed:
    """As `parse_feed`, of text without forbidden characters."""
    if looks_like_json(text):
        return read_json_feed(text, name, url=url, latest=latest)
    tree = read_elements(text, MOST_ENTRIES)
    root = tree.root
    if root.name in ("urlset", "sitemapindex"):
        raise Unusable("a sitemap, not a feed", reason="bad-feed")
    channel = root if root.name == "feed" else root.first("channel", "feed") or root
    feed = _Feed(root, channel, name, url, latest)
    entries = [feed.entry(item) for item in tree.repeated if item.children or item.attributes]
    return ParsedFeed(
        entries=with_own_addresses(entries),
        dialect=_dialect(root, channel),
        title=feed.title,
        language=language_code(feed.language),
        ttl_seconds=_patience(channel),
        hub=feed.link("hub"),
        self_url=feed.link("self"),
        updated=_time(
            channel, ("updated", "modified", "lastbuilddate", "pubdate", "dc:date", "dcterms:modified"), latest
        ),
        skipped=tree.skipped + len(tree.repeated) - len(entries),
    )


class _Feed:
    """What the feed says of itself, and how its entries are read by that."""

    def __init__(self, root: Element, channel: Element, name: str, url: str | None, latest: dt.datetime | None) -> None:
        self.name, self.url, self.latest = name, url, latest
        self.channel, self.allowance = channel, Allowance()
        self.title = plain_line(channel.words("title", "dc:title"), LONGEST_TITLE)
        self.language = (
            channel.words("language", "dc:language") or _attribute(channel, "xml:lang") or _attribute(root, "xml:lang")
        )
        self.base = _base(channel, _base(root, None, url), url)
        self.home = next((at for at in _pages(channel, self.base, url) if at), None)
        self.fronts = {canonical_url(at) for at in (self.home, url) if at}

    def link(self, relation: str) -> str | None:
        for link in islice(self.channel.all("link"), 5 * MOST_OF_A_KIND):
            if relation in _relations(link) and (at := absolute(link.attributes.get("href"), self.base, self.url)):
                return at
        return None

    def entry(self, item: Element) -> Entry:
        base = _base(item, self.base, self.url)
        published, updated = _time(item, _PUBLISHED, self.latest), _time(item, _UPDATED, self.latest)
        updated = updated or parse_time(item.attributes.get("lastmod"), latest=self.latest)  # CDF
        return make_entry(
            feed=self.name,
            outlet=self.title,
            url=self._address(item, base),
            source_id=item.words("guid", "id", "dc:identifier") or _attribute(item, "rdf:about"),
            stated_language=item.words("language", "dc:language") or _attribute(item, "xml:lang") or self.language,
            title=_source(item.first("title")) or _source(item.first("dc:title", "media:title", "itunes:title")),
            contents=_sources(item, _CONTENTS),
            summaries=_sources(item, _SUMMARIES),
            author=_authors(item),
            section=_section(item),
            published=published or updated,
            updated=updated,
            allowance=self.allowance,
        )

    def _address(self, item: Element, base: str | None) -> str | None:
        """Where the article stands: its own address, never the front page's."""
        for said, own in _said_addresses(item):
            at = absolute(said, _base(own, base, self.url), self.home, self.url)
            if at and not is_front(at) and canonical_url(at) not in self.fronts:
                return at
        return None


def _said_addresses(item: Element) -> Iterator[tuple[str | None, Element]]:
    """Every address that may be the article's, the best first, with the element that it stands in."""
    for link in _some(item, *_OUTER_LINK):
        yield link.text, link
    links = list(islice(item.all("link", "xhtml:link"), 5 * MOST_OF_A_KIND))  # Atom has links for many purposes
    alternates = [link for link in links if any(relation in _ALTERNATE for relation in _relations(link))]
    for link in sorted(alternates, key=lambda link: "html" not in link.attributes.get("type", "html")):
        yield link.attributes.get("href") or link.text, link
    guids = list(_some(item, "guid", "id"))
    for guid in sorted(guids, key=lambda guid: guid.attributes.get("ispermalink", "true").lower() == "false"):
        if (said := guid.text.strip()).lower().startswith(("http://", "https://")) or (
            said.startswith("/") and guid.attributes.get("ispermalink", "").lower() == "true"
        ):
            yield said, guid
    for key in ("rdf:about", "about", "href"):
        yield item.attributes.get(key), item
    if (said := item.words("dc:identifier") or "").startswith(("http://", "https://")):
        yield said, item
    for link in links:
        if "self" in _relations(link):
            yield link.attributes.get("href"), link


def _pages(channel: Element, base: str | None, url: str | None) -> Iterator[str | None]:
    """The pages that a feed calls its own."""
    for link in islice(channel.all("link"), 5 * MOST_OF_A_KIND):
        if any(relation in _ALTERNATE for relation in _relations(link)):
            yield absolute(link.attributes.get("href") or link.text, base, url)


def _relations(link: Element) -> list[str]:
    return link.attributes.get("rel", "").lower().split() or ["alternate"]


def _base(element: Element, outer: str | None, url: str | None = None) -> str | None:
    stated = element.attributes.get("xml:base")
    return absolute(stated, outer, url) or outer if stated else outer


def _attribute(element: Element, name: str) -> str | None:
    return element.attributes.get(name, "").strip() or None


def _some(element: Element, *names: str) -> Iterator[Element]:
    return islice(element.all(*names), MOST_OF_A_KIND)


# -- texts -------------------------------------------------------------------------------------------------------------


def _sources(item: Element, names: tuple[str, ...]) -> Iterator[str]:
    for element in item.all(*names):
        if source := _source(element):
            yield source


def _source(element: Element | None) -> str | None:
    """The HTML or plain text of an element; None if it holds something else (a picture, an address elsewhere)."""
    if element is None:
        return None
    text = element.text
    kind = element.attributes.get("type", "").lower().strip()
    if "/" in kind and not kind.startswith("text/") and "html" not in kind and "xml" not in kind:
        return None
    if element.attributes.get("mode") == "base64":
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return None
    return text if text and not text.isspace() else None


def _authors(item: Element) -> str | None:
    names = [person(author.words("name", "foaf:name", "xhtml:name") or author.text) for author in _some(item, "author")]
    names = [person(creator.text) for creator in _some(item, "dc:creator")] or names
    names = names or [person(author.text) for author in _some(item, "itunes:author", "media:credit")]
    return plain_line(", ".join(dict.fromkeys(name for name in names if name)))


def _section(item: Element) -> str | None:
    for category in _some(item, "category", "dc:subject", "media:category", "prism:section"):
        if words := plain_line(category.attributes.get("label") or category.text or category.attributes.get("term")):
            return words
    return None


def _time(element: Element, names: tuple[str, ...], latest: dt.datetime | None) -> dt.datetime | None:
    for child in _some(element, *names):
        if moment := parse_time(child.text, latest=latest):
            return moment
    return None


def _patience(channel: Element) -> float | None:
    """How long the feed asks to be left alone, in seconds."""
    ttl = _number(channel.words("ttl"))
    seconds = ttl * 60 if ttl else 0.0
    period = (channel.words("sy:updateperiod") or "").lower()
    if not seconds and period in _PERIODS:
        seconds = _PERIODS[period] / (_number(channel.words("sy:updatefrequency")) or 1)
    return seconds if 0 < seconds <= _LONGEST_TTL else None


def _number(words: str | None) -> float | None:
    return float(words) if words and words.isascii() and words.isdigit() and len(words) < 9 else None


def _dialect(root: Element, channel: Element) -> str:
    if root.name == "feed":
        old = root.attributes.get("version") == "0.3" or "purl.org/atom" in " ".join(root.attributes.values())
        return "atom-0.3" if old else "atom-1.0"
    if root.name in ("rdf:rdf", "rdf"):
        old = any("my.netscape.com" in value or "channel.netscape" in value for value in root.attributes.values())
        return "rss-0.90" if old else "rss-1.0"
    version = root.attributes.get("version", "").strip()
    return f"rss-{version[:8]}" if version else "rss"
