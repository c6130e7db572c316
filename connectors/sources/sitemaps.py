"""Sitemaps: of articles, Google's news sitemaps, and indexes of sitemaps (https://www.sitemaps.org/protocol.html)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from connectors.encodings import unpack
from connectors.sources.addresses import absolute, is_front
from connectors.sources.charset import decode, without_forbidden
from connectors.sources.elements import Element, Tree, read_elements
from connectors.sources.entries import MOST_ENTRIES, ParsedFeed, make_entry, plain_line
from connectors.sources.times import parse_time
from pipeline.errors import Unusable
from pipeline.records import Entry

LARGEST = 52_428_800  # bytes, unpacked: the protocol's own limit
MOST_CHILDREN = 1_000  # sitemaps of an index: the newest; calendars of empty months generate more
_GZIP = b"\x1f\x8b"
_ROOT = re.compile(r"<(?:[\w.-]+:)?(?:(urlset|sitemapindex)|rss|feed|rdf|channel)[\s/>]", re.IGNORECASE)
_ONE = re.compile(r"<(?:[\w.-]+:)?url\s*>")
_MOMENT = re.compile(r"<(?:[\w.-]+:)?(?:lastmod|publication_date)\s*>([^<>]{4,60})<", re.IGNORECASE)
_OLDEST = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class ChildSitemap:
    """A sitemap that an index names. updated: when it changed last, as the index says."""

    url: str
    updated: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SitemapIndex:
    """An index of sitemaps. children: at most MOST_CHILDREN, the newest first; skipped: how many more there are.

    An index never names itself here. Following children, how deep and how many, is the caller's to bound.
    """

    children: tuple[ChildSitemap, ...]
    skipped: int = 0
    dialect: str = "sitemap-index"


def parse_sitemap(
    data: bytes,
    name: str,
    *,
    charset: str | None = None,
    url: str | None = None,
    latest: dt.datetime | None = None,
) -> ParsedFeed | SitemapIndex:
    """The articles of a sitemap, or the sitemaps of an index; also gzipped, or plain text with an address a line.

    Of more than MOST_ENTRIES articles the newest are read, by lastmod or publication date; they stay in the sitemap's
    order. Arguments as for `parse_feed`.
    Raises: Unusable (reason "bad-feed" if it is no sitemap, "bad-encoding" for broken gzip, "too-large").
    """
    return read_sitemap(without_forbidden(decode(unzipped(data), charset)), name, url=url, latest=latest)


def read_sitemap(
    text: str, name: str, *, url: str | None = None, latest: dt.datetime | None = None
) -> ParsedFeed | SitemapIndex:
    """As `parse_sitemap`, of text without forbidden characters."""
    if _is_address_list(text):
        return _read_lines(text, name)
    text, dropped = _newest(text)
    tree = read_elements(text, MOST_ENTRIES)
    skipped = tree.skipped + dropped
    if tree.root.name == "sitemapindex":
        return _index(tree, url, skipped)
    if tree.root.name != "urlset":
        raise Unusable("not a sitemap", reason="bad-feed")
    entries = [_entry(one, name, url, latest) for one in tree.repeated]
    found = tuple(entry for entry in entries if entry.url)
    is_news = any(one.first("news:news") for one in tree.repeated)
    return ParsedFeed(
        entries=found,
        dialect="news-sitemap" if is_news else "sitemap",
        title=next((entry.outlet for entry in found if entry.outlet), None),
        language=next((entry.language for entry in found if entry.language), None),
        updated=max((entry.updated for entry in found if entry.updated), default=None),
        skipped=skipped + len(entries) - len(found),
    )


def looks_like_sitemap(text: str) -> bool:
    """Whether the first element that a feed or a sitemap may begin with is a sitemap's, or all is addresses."""
    found = _ROOT.search(text)
    return found[1] is not None if found else _is_address_list(text)


def unzipped(data: bytes, limit: int = LARGEST) -> bytes:
    """The bytes, unpacked if they are gzip; what a broken end leaves readable is kept.

    Raises: Unusable (reason "bad-encoding" if nothing can be unpacked, "too-large" beyond `limit` bytes).
    """
    if not data.startswith(_GZIP):
        if len(data) > limit:
            raise Unusable(f"a sitemap of {len(data)} bytes, {limit} are allowed", reason="too-large")
        return data
    try:
        return unpack(data, "gzip", limit)
    except Unusable as error:
        if error.reason == "too-large":
            raise
    return unpack(data, "gzip", limit, cut=True)


def _is_address_list(text: str) -> bool:
    """Whether this is a sitemap in plain text: nothing but addresses, one a line."""
    lines = text[:5_000].split(maxsplit=3)[:3]
    return bool(lines) and all(line.startswith(("http://", "https://")) for line in lines) and "<" not in text[:5_000]


def _read_lines(text: str, name: str) -> ParsedFeed:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [at for line in lines[-MOST_ENTRIES:] if (at := absolute(line)) and not is_front(at)]
    entries = tuple(
        make_entry(feed=name, outlet=None, url=at, source_id=None, stated_language=None, title=None) for at in found
    )
    if not entries:
        raise Unusable("not a sitemap", reason="bad-feed")
    return ParsedFeed(entries=entries, dialect="sitemap-text", skipped=len(lines) - len(entries))


def _newest(text: str) -> tuple[str, int]:
    """The text without all but the newest MOST_ENTRIES of its urls, and how many were cut out.

    Sitemaps of archives list the oldest first, up to 50,000: reading all of them would cost seconds.
    """
    starts = [found.start() for found in _ONE.finditer(text)]
    if len(starts) <= MOST_ENTRIES:
        return text, 0
    ends = [*starts[1:], len(text)]
    dated = [(_moment(text, start, end), number) for number, (start, end) in enumerate(zip(starts, ends, strict=True))]
    kept = sorted(number for _, number in sorted(dated, reverse=True)[:MOST_ENTRIES])
    pieces = [text[: starts[0]], *(text[starts[number] : ends[number]] for number in kept)]
    return "".join(pieces), len(starts) - len(kept)


def _moment(text: str, start: int, end: int) -> dt.datetime:
    found = _MOMENT.search(text, start, end)
    return (parse_time(found[1]) if found else None) or _OLDEST


def _entry(one: Element, name: str, url: str | None, latest: dt.datetime | None) -> Entry:
    news = one.first("news:news")
    publication = news.first("news:publication") if news else None
    at = absolute(one.words("loc"), url)
    return make_entry(
        feed=name,
        outlet=plain_line(publication.words("news:name")) if publication else None,
        url=None if at is None or is_front(at) else at,
        source_id=None,
        stated_language=publication.words("news:language") if publication else None,
        title=news.words("news:title") if news else None,
        section=_first_word(news.words("news:keywords")) if news else None,
        published=parse_time(news.words("news:publication_date"), latest=latest) if news else None,
        updated=parse_time(one.words("lastmod"), latest=latest),
    )


def _first_word(keywords: str | None) -> str | None:
    return plain_line(re.split("[,،;]", keywords, maxsplit=1)[0]) if keywords else None


def _index(tree: Tree, url: str | None, skipped: int) -> SitemapIndex:
    named: dict[str, ChildSitemap] = {}
    for one in tree.repeated:
        at = absolute(one.words("loc"), url)
        if at and at != url:
            named.setdefault(at, ChildSitemap(at, parse_time(one.words("lastmod"))))
    newest = sorted(named.values(), key=lambda child: child.updated or _OLDEST, reverse=True)
    return SitemapIndex(
        children=tuple(newest[:MOST_CHILDREN]), skipped=skipped + len(tree.repeated) - len(newest[:MOST_CHILDREN])
    )
