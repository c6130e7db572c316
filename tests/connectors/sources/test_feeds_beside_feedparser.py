"""Every entry as feedparser reads it, or better: each difference stands in `differences.tsv` with its reason."""

from __future__ import annotations

import calendar
import datetime as dt
import html
import re
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import feedparser
import pytest

from connectors.sources.parse import ParsedFeed, parse_source
from connectors.urls import canonical_url
from pipeline.errors import Unusable
from tests.fixtures.feeds import FEEDS, URL

TABLE = Path(__file__).parents[2] / "fixtures" / "feeds" / "differences.tsv"
FIELDS = ("entries", "title", "link", "id", "date")


@dataclass(frozen=True, slots=True)
class Seen:
    title: str
    link: str | None
    id: str | None
    date: dt.datetime | None


def by_us(data: bytes) -> list[Seen]:
    try:
        feed = parse_source(data, URL)
    except Unusable:
        return []
    if not isinstance(feed, ParsedFeed):
        return []
    return [
        Seen(plain(entry.title), canonical_url(entry.url), entry.source_id, entry.published or entry.updated)
        for entry in feed.entries
    ]


def by_feedparser(data: bytes) -> list[Seen]:
    """As it reads the bytes alone; links as it resolves them when it is told where the feed was fetched (it would
    resolve guids as well)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            bare = feedparser.parse(BytesIO(data))
            located = feedparser.parse(BytesIO(data), response_headers={"content-location": URL})
        except UnicodeEncodeError:  # it cannot read half a surrogate pair
            return []
    return [seen(one, other) for one, other in zip(bare.entries, located.entries, strict=True)]


def seen(entry: Any, located: Any) -> Seen:
    moment = (
        dict.get(entry, "published_parsed") or dict.get(entry, "updated_parsed") or dict.get(entry, "created_parsed")
    )
    return Seen(
        title=plain(dict.get(entry, "title")),
        link=canonical_url(dict.get(located, "link")),
        id=" ".join((dict.get(entry, "id") or "").split()) or None,
        date=dt.datetime.fromtimestamp(calendar.timegm(moment), dt.UTC) if moment else None,
    )


def plain(title: str | None) -> str:
    text = html.unescape(re.sub(r"</?[A-Za-z!][^<>]*>", "", title or ""))
    return " ".join(text.encode("utf-8", "replace").decode().split())


def differences(data: bytes) -> list[str]:
    ours, theirs = by_us(data), by_feedparser(data)
    if len(ours) != len(theirs):
        return ["entries"]
    return [
        field
        for field in FIELDS[1:]
        if any(getattr(one, field) != getattr(other, field) for one, other in zip(ours, theirs, strict=True))
    ]


def explained() -> dict[str, list[str]]:
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(len(row) == 3 and len(row[2]) > 10 for row in rows), "wants three columns: fixture, fields, reason"
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: row[1].split(",") for row in rows}


def test_there_are_enough_feeds() -> None:
    assert len(set(FEEDS.values())) == len(FEEDS) >= 150
    assert set(explained()) <= set(FEEDS)


@pytest.mark.parametrize("name", FEEDS)
def test_every_difference_is_explained(name: str) -> None:
    assert differences(FEEDS[name]) == explained().get(name, [])
