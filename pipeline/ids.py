"""Identities that a replay finds again: UUIDv5 over what the thing is, never over when it was seen."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable

#: Namespace of all ids; a constant of the format, like a magic number: changing it changes every id.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://rasd.example/ids/1")
SEPARATOR = "\x1f"  # ASCII unit separator: cannot stand in a URL, date or place name


def _uuid(*parts: str | int | None) -> str:
    return str(uuid.uuid5(NAMESPACE, SEPARATOR.join("" if p is None else str(p) for p in parts)))


def content_hash(title: str | None, body: str) -> str:
    """32 hex digits of BLAKE2b over headline and body, runs of white space folded to one space."""
    folded = " ".join((title or "").split()) + SEPARATOR + " ".join(body.split())
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def article_id(canonical_url: str | None, content: str) -> str:
    """The article's id: of its canonical URL, or of its content hash where it has none."""
    return _uuid("article", "url", canonical_url) if canonical_url else _uuid("article", "content", content)


def event_id(article: str, sub_event_type: str, start: dt.date | None, place: str | None, ordinal: int) -> str:
    """`place`: folded text of the first place; `ordinal`: 0 for the first event with the other four equal."""
    return _uuid("event", article, sub_event_type, start.isoformat() if start else None, place, ordinal)


def toll_id(article: str, outcome: str, sides: Iterable[str], end: dt.date | None, ordinal: int) -> str:
    """`sides`: actor ids of the claim's group, in any order."""
    return _uuid("toll", article, outcome, ",".join(sorted(set(sides))), end.isoformat() if end else None, ordinal)
