"""Whatever answers at an address of the list of feeds: which reader it is for."""

from __future__ import annotations

import datetime as dt

from connectors.responses import Kind
from connectors.sources.charset import decode, without_forbidden
from connectors.sources.entries import ParsedFeed
from connectors.sources.feeds import read_feed
from connectors.sources.sitemaps import SitemapIndex, looks_like_sitemap, read_sitemap, unzipped

__all__ = ["ParsedFeed", "SitemapIndex", "parse_source"]


def parse_source(
    body: bytes,
    url: str,
    charset: str | None = None,
    kind: Kind = "feed",
    *,
    latest: dt.datetime | None = None,
) -> ParsedFeed | SitemapIndex:
    """What a feed's or sitemap's answer holds, told by its content: lists of feeds call many a sitemap a feed.

    url: where it was fetched; also the entries' `feed`. charset: what the transport said. kind: what was asked for;
    a list of bare addresses is a sitemap only if one was. latest: a date after it is none.
    Pure, in time that grows with the size alone; meant for a child process.
    Raises: Unusable (reason "bad-feed", "bad-encoding" or "too-large").
    """
    text = without_forbidden(decode(unzipped(body), charset))
    read = read_sitemap if looks_like_sitemap(text) and (kind == "sitemap" or "<" in text) else read_feed
    return read(text, url, url=url, latest=latest)
