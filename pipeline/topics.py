"""The topics: what travels on each, and by what key it is partitioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RasdError
from pipeline.records import Article, Coding, Event, Reject, Toll, Unique, Verdict

PREFIX = "rasd."


@dataclass(frozen=True, slots=True)
class Topic:
    """key: the partition key of a record of this topic, or null where there is none."""

    name: str
    carries: tuple[type, ...]
    about: str
    key: Callable[[Any], str | None]


# Near-duplicates have different URLs, so articles of one language stay together for dedupe; behind it everything is
# keyed by article and scales by partitions.
ARTICLES = Topic(PREFIX + "articles", (Article,), "articles as read from a source", lambda a: a.language or "und")
VERDICTS = Topic(PREFIX + "verdicts", (Verdict,), "what deduplication says of each article", lambda v: v.article_id)
UNIQUE = Topic(PREFIX + "unique", (Unique,), "articles that extraction reads", lambda u: u.article.id)
EVENTS = Topic(PREFIX + "events", (Event, Toll, Coding), "events, running totals and codings", lambda e: e.article_id)
REJECTS = Topic(PREFIX + "rejects", (Reject,), "inputs that could not be used (dead-letter queue)", lambda r: r.key)

TOPICS: dict[str, Topic] = {t.name: t for t in (ARTICLES, VERDICTS, UNIQUE, EVENTS, REJECTS)}


def topic_named(name: str) -> Topic:
    """The topic of that name, with or without the prefix. Raises: RasdError listing the topics."""
    topic = TOPICS.get(name) or TOPICS.get(PREFIX + name)
    if topic is None:
        names = ", ".join(n.removeprefix(PREFIX) for n in TOPICS)
        raise RasdError(f"no topic {name!r}; there are {names}", reason="no-topic")
    return topic
