"""Records for tests, with only the fields that a test speaks of spelled out."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pipeline import ids
from pipeline.records import Article, Unique, Verdict


def article(body: str = "نص قصير عن بلدة هادئة", **given: Any) -> Article:
    """An article; its id follows from its URL, else from its text, as the sources do it."""
    title = given.get("title")
    content = ids.content_hash(title, body)
    fields: dict[str, Any] = {
        "id": ids.article_id(given.get("url"), content),
        "canonical_url": given.get("url"),
        "language": "ar",
        "body": body,
        "content_hash": content,
        "published": dt.datetime(2026, 3, 14, 12, tzinfo=dt.UTC),
        "published_basis": "archive",
    }
    return Article(**(fields | given))


def unique(body: str = "نص قصير عن بلدة هادئة", revision: int = 1, **given: Any) -> Unique:
    read = article(body, **given)
    verdict = Verdict(article_id=read.id, revision=revision, verdict="unique", cluster=read.id)
    return Unique(article=read, verdict=verdict)
