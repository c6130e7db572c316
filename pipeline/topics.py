"""The topics: what travels on each, and by what key it is partitioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import RasdError
from pipeline.records import Article, Coding, Entry, Event, Reject, Toll, Unique, Verdict

PREFIX = "rasd."


@dataclass(frozen=True, slots=True)
class Topic:
    """key: the partition key of a record of this topic, or None where there is none. Rows must pickle: they are sent to
    child processes."""

    name: str
    carries: tuple[type, ...]
    about: str
    key: Callable[[Any], str | None]


def _language(article: Article) -> str:
    return article.language or "und"


def _host(entry: Entry) -> str | None:
    """Everything of one host is one consumer's work, so that delays and robots rules are kept in one place."""
    address = urlsplit(entry.url or entry.feed)
    return address.hostname or entry.feed


ENTRIES = Topic(PREFIX + "entries", (Entry,), "what feeds and sitemaps announce, before it is fetched", _host)
# Near-duplicates have different URLs, so articles of one language stay together for dedupe; behind it everything is
# keyed by article and scales by partitions.
ARTICLES = Topic(PREFIX + "articles", (Article,), "articles as read from a source", _language)
VERDICTS = Topic(PREFIX + "verdicts", (Verdict,), "what deduplication says of each article", attrgetter("article_id"))
UNIQUE = Topic(PREFIX + "unique", (Unique,), "articles that extraction reads", attrgetter("article.id"))
EVENTS = Topic(PREFIX + "events", (Event, Toll, Coding), "events, running totals and codings", attrgetter("article_id"))
REJECTS = Topic(PREFIX + "rejects", (Reject,), "inputs that could not be used (dead-letter queue)", attrgetter("key"))

TOPICS: dict[str, Topic] = {t.name: t for t in (ENTRIES, ARTICLES, VERDICTS, UNIQUE, EVENTS, REJECTS)}


def topic_named(name: str) -> Topic:
    """The topic of that name, with or without the prefix. Raises: RasdError listing the topics."""
    topic = TOPICS.get(name) or TOPICS.get(PREFIX + name)
    if topic is None:
        names = ", ".join(n.removeprefix(PREFIX) for n in TOPICS)
        raise RasdError(f"no topic {name!r}; there are {names}", reason="no-topic")
    return topic
