"""Gold and records in a line each. The article: «...» of 400 code points; spans are all that is said of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pipeline.records import (
    EVENT_TYPE_OF,
    Actor,
    Claim,
    Event,
    EventDate,
    Evidence,
    Extractor,
    Period,
    Place,
    Side,
    Source,
    Span,
    Toll,
)
from processors.evaluate.gold import GoldClaim, GoldDocument, GoldEvent, GoldPlace
from processors.evaluate.scoring import score
from processors.evaluate.tables import Sheet, total

DAY = dt.date(2018, 3, 17)
BY = Extractor(name="test", version="1", lexicon="0")
RAQQA = GoldPlace(names=("الرقة",), lat=35.95, lon=39.01)


def wanted(id: str = "e1", span: Span = (100, 140), **given: Any) -> GoldEvent:
    """A gold event: an air strike by the coalition on IS in Raqqa, on DAY."""
    fields: dict[str, Any] = {
        "types": ("Air/drone strike",),
        "start": DAY,
        "end": DAY,
        "places": (RAQQA,),
        "attacker": ("us_coalition",),
        "target": ("isis",),
    }
    return GoldEvent(id=id, span=span, **(fields | given))


def counted(id: str = "t1", span: Span = (110, 130), **given: Any) -> GoldClaim:
    """A gold claim: five of IS killed in an incident."""
    return GoldClaim(id=id, span=span, **({"outcome": "killed", "count": 5, "group": ("isis",)} | given))


def document(*items: GoldEvent | GoldClaim, doc: str = "a") -> GoldDocument:
    return GoldDocument(
        doc=doc,
        events=tuple(i for i in items if isinstance(i, GoldEvent)),
        tolls=tuple(i for i in items if isinstance(i, GoldClaim)),
    )


def quoted(*spans: Span) -> tuple[Evidence, ...]:
    return tuple(Evidence(start=a, end=b, quote="x" * (b - a)) for a, b in spans)


def place(text: str = "الرقة", lat: float | None = None, lon: float | None = None) -> Place:
    return Place(text=text, span=(0, len(text)), lat=lat, lon=lon)


def actor(role: Any, id: str, **given: Any) -> Actor:
    return Actor(role=role, id=id, span=(0, 3), **({"text": id} | given))


def date(start: dt.date | None = DAY, end: dt.date | None = None, **given: Any) -> EventDate:
    return EventDate(start=start, end=end or start, **({"basis": "text", "text": "السبت"} | given))


def source(id: str | None, stance: Any = "asserts", name: str = "x") -> Source:
    return Source(name=name, id=id, stance=stance, text=name, span=(0, 1))


def event(*spans: Span, doc: str = "a", **given: Any) -> Event:
    """A record that says what `wanted()` wants."""
    fields: dict[str, Any] = {
        "id": f"{doc}-{spans[0] if spans else ''}",
        "sub_event_type": "Air/drone strike",
        "date": date(),
        "places": (place(),),
        "actors": (actor("attacker", "us_coalition"), actor("target", "isis")),
        "evidence": quoted(*(spans or ((100, 140),))),
        "confidence": 0.5,
    } | given
    fields["event_type"] = EVENT_TYPE_OF[fields["sub_event_type"]]
    return Event(article_id=doc, revision=1, extractor=BY, **fields)


def claim(*spans: Span, group: tuple[str, ...] = ("isis",), **given: Any) -> Claim:
    """A claim that says what `counted()` wants; further spans are its repeats."""
    own, *repeats = spans or ((110, 130),)
    sides = tuple(Side(id=id) for id in group)
    return Claim(span=own, mentions=tuple(repeats), group=sides, **({"outcome": "killed", "count": 5} | given))


def toll(*claims: Claim, doc: str = "a") -> Toll:
    return Toll(
        id=f"{doc}-toll", article_id=doc, revision=1, period=Period(), casualties=claims, evidence=quoted((0, 10)),
        confidence=0.5, extractor=BY,
    )  # fmt: skip


def scored(gold: GoldDocument, *records: Event | Toll, texts: dict[str, str] | None = None) -> Sheet:
    return total(score([gold], records, texts))


def counts(sheet: Sheet, table: str) -> tuple[int, int, int, int]:
    """(right, wrong, hit, missed)."""
    tally = sheet.tables[table]
    return tally.right, tally.wrong, tally.hit, tally.missed


def slot(sheet: Sheet, name: str) -> tuple[int, int]:
    return sheet.slots[name].part, sheet.slots[name].of


def kinds(sheet: Sheet) -> list[str]:
    return [e.kind for e in sheet.errors]
