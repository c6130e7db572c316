"""Articles to extract from, and what came out of them in short words."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pipeline.ids import content_hash
from pipeline.records import Article, Claim, Coding, Event, Toll, Unique, Verdict

PUBLISHED = dt.datetime(2018, 4, 11, 12, tzinfo=dt.UTC)  # a Wednesday


def article(
    body: str,
    *,
    title: str | None = None,
    published: dt.datetime | None = PUBLISHED,
    language: str | None = "ar",
    outlet: str = "afp",
) -> Unique:
    """An article as extraction gets it."""
    record = Article(
        id="00000000-0000-5000-8000-000000000000", title=title, body=body, published=published, language=language,
        outlet=outlet, content_hash=content_hash(title, body),
    )  # fmt: skip
    return Unique(article=record, verdict=Verdict(article_id=record.id, revision=1, verdict="unique"))


def claim(c: Claim) -> str:
    """«killed 12 at_least 12.. civilians»; a part ends in «< index of its whole»."""
    bounds = f" {c.low or ''}..{c.high or ''}" if c.low is not None or c.high is not None else ""
    part = f" < {c.part_of}" if c.part_of is not None else ""
    return f"{c.outcome} {c.count} {c.hedge}{bounds} {'+'.join(s.id for s in c.group)}{part}"


def short(record: Event | Toll | Coding) -> dict[str, Any]:
    """A record without ids, spans and reasons."""
    if isinstance(record, Coding):
        return {"reason": record.reason}
    claims = [claim(c) for c in record.casualties]
    if isinstance(record, Toll):
        start, end = record.period.start, record.period.end
        return {"toll": claims, "period": [str(start), str(end)]}
    return {
        "type": record.sub_event_type,
        "realis": record.realis,
        "date": [str(record.date.start), str(record.date.end), record.date.basis],
        "places": [p.text for p in record.places],
        "actors": [f"{a.role} {a.id}" for a in record.actors],
        "claims": claims,
        "sources": [s.id or s.text for s in record.sources],
    }
