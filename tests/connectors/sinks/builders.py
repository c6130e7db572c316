"""Small records to feed to sinks: every field that a test does not name has a plain value."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson

from pipeline.records import (
    Actor,
    Article,
    Claim,
    Coding,
    Event,
    EventDate,
    Evidence,
    Extractor,
    Period,
    Place,
    Record,
    Side,
    Source,
    Toll,
    Unique,
    Verdict,
)

EXTRACTOR = Extractor(name="rules", version="1.0", lexicon="abc")
PUBLISHED = dt.datetime(2018, 3, 2, 9, tzinfo=dt.UTC)
DAY = dt.date(2018, 3, 1)
ALEPPO = Place(text="حلب", span=(0, 3), name="Aleppo", country="SY", admin1="Aleppo", lat=36.2, lon=37.16)
ARMY = Side(id="SYR.ARMY", name="Syrian Army")
REBELS = Side(id="SYR.FSA", name="Free Syrian Army")

Message = tuple[str, Record, bytes]  # topic, record, bytes on the wire


def claim(count: int | None = 9, **fields: Any) -> Claim:
    return Claim(**{"outcome": "killed", "count": count, "group": (ARMY,), "primary": True, "span": (3, 8), **fields})


def event(id: str = "e1", article: str = "a1", revision: int = 1, day: dt.date | None = DAY, **fields: Any) -> Event:
    plain: dict[str, Any] = {
        "published": PUBLISHED,
        "event_type": "Battles",
        "sub_event_type": "Armed clash",
        "date": EventDate(start=day, end=day, precision="day" if day else "unknown"),
        "places": (ALEPPO,),
        "actors": (Actor(role="attacker", id="SYR.ARMY", name="Syrian Army", kind="state", text="الجيش", span=(4, 9)),),
        "casualties": (claim(),),
        "sources": (Source(name="SANA", text="سانا", span=(9, 13)),),
        "evidence": (Evidence(start=0, end=14, quote="حلب قتل تسعة ب"),),
        "confidence": 0.5,
        "extractor": EXTRACTOR,
    }
    return Event(id=id, article_id=article, revision=revision, **{**plain, **fields})


def toll(id: str = "t1", article: str = "a1", revision: int = 1, end: dt.date | None = DAY, **fields: Any) -> Toll:
    plain: dict[str, Any] = {
        "published": PUBLISHED,
        "period": Period(end=end),
        "casualties": (claim(605),),
        "evidence": (Evidence(start=0, end=3, quote="605"),),
        "confidence": 0.5,
        "extractor": EXTRACTOR,
    }
    return Toll(id=id, article_id=article, revision=revision, **{**plain, **fields})


def coding(
    *records: Event | Toll, article: str = "a1", revision: int = 1, generation: int = 1, **fields: Any
) -> Coding:
    return Coding(
        article_id=article,
        revision=revision,
        generation=generation,
        event_ids=tuple(r.id for r in records if isinstance(r, Event)),
        toll_ids=tuple(r.id for r in records if isinstance(r, Toll)),
        abstained=not records,
        extractor=EXTRACTOR,
        **fields,
    )


def verdict(article: str = "a1", revision: int = 1, kind: str = "unique", **fields: Any) -> Verdict:
    return Verdict(article_id=article, revision=revision, verdict=kind, **fields)  # type: ignore[arg-type]


def unique(article: str = "a1", revision: int = 1, **fields: Any) -> Unique:
    plain: dict[str, Any] = {"title": "عنوان", "body": "حلب قتل تسعة بحسب سانا", "content_hash": f"h{revision}"}
    return Unique(
        article=Article(id=article, published=PUBLISHED, **{**plain, **fields}),
        verdict=verdict(article, revision, "unique" if revision == 1 else "revision"),
    )


def message(record: Record) -> Message:
    """The record as its topic carries it."""
    topic = "rasd.unique" if isinstance(record, Unique) else "rasd.verdicts" if isinstance(record, Verdict) else None
    value = orjson.dumps(record, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)
    return topic or "rasd.events", record, value


def coded(*records: Event | Toll, generation: int = 1, **about: Any) -> list[Message]:
    """The messages of one article revision: its records and the coding that closes them."""
    if records:
        about = {"article": records[0].article_id, "revision": records[0].revision} | about
    return [message(r) for r in (*records, coding(*records, generation=generation, **about))]
