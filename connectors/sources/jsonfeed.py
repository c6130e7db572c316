"""JSON Feed, versions 1 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import datetime as dt
import html
import json
from collections.abc import Iterator
from typing import Any

from connectors.sources.addresses import absolute, is_front
from connectors.sources.entries import (
    LONGEST_TITLE,
    MOST_ENTRIES,
    MOST_OF_A_KIND,
    Allowance,
    ParsedFeed,
    language_code,
    make_entry,
    person,
    plain_line,
    with_own_addresses,
)
from connectors.sources.times import parse_time
from connectors.urls import canonical_url
from pipeline.errors import Unusable
from pipeline.records import Entry

_VERSION = "jsonfeed.org/version/"


def looks_like_json(text: str) -> bool:
    return text[:200].lstrip().startswith("{")


def read_json_feed(text: str, name: str, *, url: str | None = None, latest: dt.datetime | None = None) -> ParsedFeed:
    """The feed in a JSON text. Values of wrong types count as not said. Raises: Unusable ("bad-feed")."""
    try:
        feed = json.loads(text.strip(), strict=False)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"not a feed: {error}", reason="bad-feed") from error
    if not isinstance(feed, dict):
        raise Unusable("not a feed", reason="bad-feed")
    items, version = feed.get("items"), _words(feed.get("version")) or ""
    if not isinstance(items, list) or (_VERSION not in version and not any(_is_item(item) for item in items[:10])):
        raise Unusable("JSON, but no feed", reason="bad-feed")
    reader = _Feed(feed, name, url, latest)
    read = [reader.entry(item) for item in items[:MOST_ENTRIES] if isinstance(item, dict) and item]
    return ParsedFeed(
        entries=with_own_addresses(read),
        dialect=f"json-{version.rpartition('/')[2][:8] or '1'}",
        title=reader.title,
        language=language_code(reader.language),
        hub=next(_hubs(feed), None),
        self_url=absolute(_words(feed.get("feed_url")), url),
        skipped=len(items) - len(read),
    )


class _Feed:
    """What the feed says of itself, and how its items are read by that."""

    def __init__(self, feed: dict[str, Any], name: str, url: str | None, latest: dt.datetime | None) -> None:
        self.name, self.url, self.latest = name, url, latest
        self.title = plain_line(_words(feed.get("title")), LONGEST_TITLE)
        self.language = _words(feed.get("language"))
        self.home = absolute(_words(feed.get("home_page_url")), url)
        self.authors = _authors(feed)
        self.allowance = Allowance()

    def entry(self, item: dict[str, Any]) -> Entry:
        updated = parse_time(_words(item.get("date_modified")), latest=self.latest)
        text = _words(item.get("content_text"))
        contents = (_words(item.get("content_html")), html.escape(text, quote=False) if text else None)
        summary = _words(item.get("summary"))
        tags = item.get("tags")
        return make_entry(
            feed=self.name,
            outlet=self.title,
            url=self._address(item),
            source_id=_words(item.get("id")),
            stated_language=_words(item.get("language")) or self.language,
            title=_words(item.get("title")),
            contents=[content for content in contents if content],
            summaries=[summary] if summary else [],
            author=_authors(item) or self.authors,
            section=plain_line(_words(tags[0])) if isinstance(tags, list) and tags else None,
            published=parse_time(_words(item.get("date_published")), latest=self.latest) or updated,
            updated=updated,
            allowance=self.allowance,
        )

    def _address(self, item: dict[str, Any]) -> str | None:
        identity = _words(item.get("id")) or ""
        permanent = identity if identity.startswith(("http://", "https://")) else None
        for said in (item.get("url"), permanent, item.get("external_url")):
            at = absolute(_words(said), self.home, self.url)
            if at and not is_front(at) and canonical_url(at) != canonical_url(self.home):
                return at
        return None


def _authors(node: dict[str, Any]) -> str | None:
    listed = node.get("authors")
    people = listed if isinstance(listed, list) else [node.get("author")]
    names = [person(_words(one.get("name") if isinstance(one, dict) else one)) for one in people[:MOST_OF_A_KIND]]
    return plain_line(", ".join(dict.fromkeys(name for name in names if name)))


def _hubs(feed: dict[str, Any]) -> Iterator[str]:
    hubs = feed.get("hubs")
    for hub in hubs[:MOST_OF_A_KIND] if isinstance(hubs, list) else ():
        if isinstance(hub, dict) and (at := absolute(_words(hub.get("url")))):
            yield at


def _is_item(item: object) -> bool:
    return isinstance(item, dict) and any(key in item for key in ("content_html", "content_text", "date_published"))


def _words(value: object) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value.strip() or None if isinstance(value, str) else None
