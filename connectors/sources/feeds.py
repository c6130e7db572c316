"""RSS, Atom, RDF and JSON Feed: the entries of a feed that lies before us as bytes. `docs/feeds.md` tells what is read
from where."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import islice
from typing import Any

from connectors.sources.addresses import absolute, is_front
from connectors.sources.charset import decode, without_forbidden
from connectors.sources.elements import Element, Tree, read_elements
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
from connectors.sources.wellformed import well_formed
from connectors.urls import canonical_url
from pipeline.errors import Unusable
from pipeline.records import Entry

__all__ = ["MOST_ENTRIES", "ParsedFeed", "entry_key", "entry_mark", "parse_feed"]

LARGEST = 32_000_000  # bytes; the fetcher's own limit is lower
_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_LONGEST_TTL = 7 * 86_400  # seconds; a feed that asks for more means something else
_ALTERNATE = ("alternate", "http://www.iana.org/assignments/relation/alternate")
#: What feedparser calls the fields of an entry; those with prefix it knows no name of its own for.
_OUTER_LINK = ("feedburner_origlink", "pheedo_origlink")
_PUBLISHED = ("published", "created", "prism_publicationdate", "date", "publisheddate")
_UPDATED = ("updated", "prism_modificationdate", "lastbuilddate")
_TIME = re.compile(r"""<time\b[^<>]{0,200}?\bdatetime\s*=\s*["']?([^"'<>]{1,60})""", re.IGNORECASE)
_CONTENTS = ("fulltext", "full-text", "yandex_full-text", "turbo_content", "encoded")
_SUMMARIES = ("summary", "dcterms_abstract", "itunes_summary", "media_description", "excerpt_encoded")


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
    items = [item for item in tree.repeated if item.children or item.attributes]
    parsed = _by_feedparser(replace(tree, repeated=items))
    if len(parsed.entries) != len(items):  # one made of another's parts would have another's words
        raise Unusable("a feed whose entries cannot be told apart", reason="bad-feed")
    feed = _Feed(parsed.feed, root, name, url, latest)
    entries = [feed.entry(said, item) for said, item in zip(parsed.entries, items, strict=True)]
    return ParsedFeed(
        entries=with_own_addresses(entries),
        dialect=_dialect(root),
        title=feed.title,
        language=language_code(feed.language),
        ttl_seconds=_patience(parsed.feed),
        hub=feed.link("hub"),
        self_url=feed.link("self"),
        updated=feed.time(parsed.feed, ("updated", "published")),
        skipped=tree.skipped + len(tree.repeated) - len(entries),
    )


def _by_feedparser(tree: Tree) -> Any:
    """What feedparser makes of the feed. Raises: Unusable (reason "bad-feed")."""
    # Loaded here because only feeds need it, and it takes a tenth of a second.
    import feedparser

    try:
        return feedparser.parse(  # type: ignore[attr-defined, no-untyped-call]
            BytesIO(well_formed(tree)),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # it fails in ways of its own on hostile words; none may stop the flow
        raise Unusable(f"not a feed: {type(error).__name__}: {error}", reason="bad-feed") from error


class _Feed:
    """What the feed says of itself, and how its entries are read by that."""

    def __init__(self, feed: Any, root: Element, name: str, url: str | None, latest: dt.datetime | None) -> None:
        self.feed, self.name, self.url, self.latest = feed, name, url, latest
        self.allowance = Allowance()
        self.title = plain_line(_text(feed, "title"), LONGEST_TITLE)
        self.language = _text(feed, "language") or _text(dict.get(feed, "title_detail"), "language")
        self.base = absolute(root.attributes.get("xml:base"), url)
        self.home = next((at for link in _links(feed, *_ALTERNATE) if (at := absolute(link, self.base, url))), None)
        self.fronts = {canonical_url(at) for at in (self.home, url) if at}

    def link(self, relation: str) -> str | None:
        return next((at for link in _links(self.feed, relation) if (at := absolute(link, self.base, self.url))), None)

    def time(self, node: Any, names: Sequence[str]) -> dt.datetime | None:
        said = (parse_time(_moment(_text(node, name)), latest=self.latest) for name in names)
        return next((moment for moment in said if moment), None)

    def entry(self, said: Any, item: Element) -> Entry:
        """said: the entry as feedparser has it. item: the element that it was made of, for what that leaves out."""
        published, updated = self.time(said, _PUBLISHED), self.time(said, _UPDATED)
        updated = updated or parse_time(item.attributes.get("lastmod"), latest=self.latest)  # CDF
        detail = dict.get(said, "title_detail") or dict.get(said, "summary_detail")
        return make_entry(
            feed=self.name,
            outlet=self.title,
            url=self._address(said, item),
            source_id=_text(said, "id") or _text(said, "dc_identifier") or item.attributes.get("rdf:about"),
            stated_language=_text(said, "language") or _text(detail, "language") or self.language,
            title=_text(said, "title") or _text(said, "media_title") or _text(said, "itunes_title"),
            contents=_contents(said),
            summaries=[text for name in _SUMMARIES if (text := _text(said, name))],
            author=_authors(said, item),
            section=_section(said),
            published=published or updated,
            updated=updated,
            allowance=self.allowance,
        )

    def _address(self, said: Any, item: Element) -> str | None:
        """Where the article stands: its own address, never the front page's."""
        for one in _said_addresses(said, item):
            at = absolute(one, self.home or self.base, self.url)
            if at and not is_front(at) and canonical_url(at) not in self.fronts:
                return at
        return None


def _said_addresses(said: Any, item: Element) -> Iterator[str | None]:
    """Every address that may be the article's, the best first."""
    for name in _OUTER_LINK:
        yield _text(said, name)
    yield from _links(said, *_ALTERNATE)
    guid, link = _text(said, "id") or "", _text(said, "link")
    if link != guid:  # feedparser makes a link of any guid that does not say that it is none
        yield link
    element = item.first("guid")
    stated = element is not None and element.attributes.get("ispermalink", "").lower() == "true"
    if guid.lower().startswith(("http://", "https://")) or (stated and guid.startswith("/")):
        yield guid
    for key in ("rdf:about", "about", "href"):
        yield item.attributes.get(key)
    if (named := _text(said, "dc_identifier") or "").startswith(("http://", "https://")):
        yield named
    yield from _links(said, "self")


def _links(node: Any, *relations: str) -> Iterator[str]:
    """The addresses that stand under one of the relations, pages before other files."""
    links = [link for link in islice(dict.get(node, "links") or (), 5 * MOST_OF_A_KIND) if link.get("href")]
    links = [link for link in links if set((link.get("rel") or "alternate").lower().split()) & set(relations)]
    yield from (link["href"] for link in sorted(links, key=lambda link: "html" not in link.get("type", "html")))


# -- texts -------------------------------------------------------------------------------------------------------------


def _text(node: Any, key: str) -> str | None:
    """A text that is not blank. The library's own `get` answers for one key with another."""
    value = dict.get(node, key) if isinstance(node, dict) else None
    return value.strip() or None if isinstance(value, str) else None


def _moment(words: str | None) -> str | None:
    """What an HTML `<time>` that stands in place of a date says to machines."""
    found = _TIME.search(words) if words and "<" in words else None
    return found[1] if found else words


def _contents(said: Any) -> Iterator[str]:
    for content in dict.get(said, "content") or ():
        if not _is_file(content) and (text := _text(content, "value")):
            yield text
    for name in _CONTENTS:
        if text := _text(said, name):
            yield text


def _is_file(content: Any) -> bool:
    """A picture, or an address of something elsewhere."""
    kind = (_text(content, "type") or "").lower()
    return "/" in kind and not kind.startswith("text/") and "html" not in kind and "xml" not in kind


def _authors(said: Any, item: Element) -> str | None:
    """`dc:creator` where there is one: beside it, `author` often is the newsroom."""
    creators = [creator.text for creator in islice(item.all("dc:creator"), MOST_OF_A_KIND)]
    mails = [author.text for author in islice(item.all("author"), MOST_OF_A_KIND) if "@" in author.text]
    if mails or any("@" in creator for creator in creators):  # feedparser leaves the rest of a long host as the name
        return _line_of(creators) or _line_of(mails)
    authors = [_text(author, "name") or _text(author, "email") for author in dict.get(said, "authors") or ()]
    return _line_of(creators) or _line_of(authors) or _line_of([_text(said, "author"), _text(said, "media_credit")])


def _line_of(names: Sequence[str | None]) -> str | None:
    return plain_line(", ".join(dict.fromkeys(name for one in names if (name := person(one)))))


def _section(said: Any) -> str | None:
    for tag in islice(dict.get(said, "tags") or (), MOST_OF_A_KIND):
        if words := plain_line(_text(tag, "label") or _text(tag, "term")):
            return words
    return plain_line(_text(said, "prism_section"))


def _patience(feed: Any) -> float | None:
    """How long the feed asks to be left alone, in seconds."""
    ttl = _number(_text(feed, "ttl"))
    seconds = ttl * 60 if ttl else 0.0
    period = (_text(feed, "sy_updateperiod") or "").lower()
    if not seconds and period in _PERIODS:
        seconds = _PERIODS[period] / (_number(_text(feed, "sy_updatefrequency")) or 1)
    return seconds if 0 < seconds <= _LONGEST_TTL else None


def _number(words: str | None) -> float | None:
    return float(words) if words and words.isascii() and words.isdigit() and len(words) < 9 else None


def _dialect(root: Element) -> str:
    if root.name == "feed":
        old = root.attributes.get("version") == "0.3" or "purl.org/atom" in " ".join(root.attributes.values())
        return "atom-0.3" if old else "atom-1.0"
    if root.name in ("rdf:rdf", "rdf"):
        old = any("my.netscape.com" in value or "channel.netscape" in value for value in root.attributes.values())
        return "rss-0.90" if old else "rss-1.0"
    version = root.attributes.get("version", "").strip()
    return f"rss-{version[:8]}" if version else "rss"
