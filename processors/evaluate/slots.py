"""Whether the fields of an event that was found are right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from math import asin, cos, radians, sin, sqrt

from pipeline.records import Event, Place
from processors.evaluate.gold import GoldEvent, GoldPlace
from processors.evaluate.names import same_name
from processors.evaluate.sides import event_answers, in_role, sides_right

NEAR_KM = 25
EARTH_KM = 12_742  # diameter
_DAY = dt.timedelta(days=1)
_MORE_SOURCES = 3


def fields_right(gold: GoldEvent, event: Event, known: Collection[str]) -> dict[str, bool]:
    """The four fields that make an event right as a whole."""
    by, at = event_answers(gold, event)
    return {
        "date": date_right(gold, event),
        "place": places_right(gold.places, event.places),
        "attacker": sides_right(by, in_role(event, "attacker", gold), known),
        "target": sides_right(at, in_role(event, "target", gold), known),
    }


# -- dates -------------------------------------------------------------------------------------------------------------


def date_right(gold: GoldEvent, event: Event) -> bool:
    """The ranges meet, and the record's is no wider than the gold's; a day wider if it quotes date words."""
    date = event.date
    if date.start is None:
        return False
    end = date.end or date.start
    quoted = bool(date.text or date.span) and date.basis != "published"
    width = gold.end - gold.start + (_DAY if quoted else dt.timedelta())
    return date.start <= gold.end and end >= gold.start and end - date.start <= width


def date_tight(gold: GoldEvent, event: Event) -> bool:
    """More than half of all days that either names is common to both, or one lies within the gold's two days."""
    date = event.date
    if date.start is None:
        return False
    start, end = date.start, date.end or date.start
    common = (min(gold.end, end) - max(gold.start, start)).days + 1
    either = (max(gold.end, end) - min(gold.start, start)).days + 1
    inside = gold.start <= start and end <= gold.end and gold.end - gold.start <= _DAY
    return common > 0 and (inside or 2 * common > either)


# -- places ------------------------------------------------------------------------------------------------------------


def places_right(gold: Sequence[GoldPlace], said: Sequence[Place]) -> bool:
    """With k places in the gold: one of the record's first k is right, and it names 2k + 2 at most."""
    if not gold:
        return True
    k = len(gold)
    return len(said) <= 2 * k + 2 and any(same_place(g, p) for g in gold for p in said[:k])


def same_place(gold: GoldPlace, said: Place) -> bool:
    """By name, or near enough."""
    return any(same_name(name, said.text) for name in gold.names) or _near(gold, said)


def first_point_right(gold: Sequence[GoldPlace], said: Sequence[Place]) -> bool | None:
    """Whether the first place with coordinates is near a place of the gold; None if that has no coordinates."""
    if not any(g.lat is not None for g in gold):
        return None
    point = next((p for p in said if p.lat is not None), None)
    return point is not None and any(_near(g, point) for g in gold)


def _near(gold: GoldPlace, said: Place) -> bool:
    if gold.lat is None or gold.lon is None or said.lat is None or said.lon is None:
        return False
    return _km(gold.lat, gold.lon, said.lat, said.lon) <= (NEAR_KM if gold.km is None else gold.km)


def _km(lat: float, lon: float, lat2: float, lon2: float) -> float:
    """Great-circle distance (haversine)."""
    north, east = radians(lat2 - lat) / 2, radians(lon2 - lon) / 2
    chord = sin(north) ** 2 + cos(radians(lat)) * cos(radians(lat2)) * sin(east) ** 2
    return EARTH_KM * asin(sqrt(min(1.0, chord)))


# -- sources -----------------------------------------------------------------------------------------------------------


def source_right(gold: GoldEvent, event: Event) -> bool:
    """One of the gold's sources is there, by id or name, among not many more."""
    said = [s for s in event.sources if s.stance != "denies"]
    named = any(s.id == name or same_name(name, s.text or s.name) for name in gold.sources for s in said)
    return named and len(said) <= len(gold.sources) + _MORE_SOURCES


def denial_right(gold: GoldEvent, event: Event) -> bool:
    return any(s.stance == "denies" and s.id in gold.denied_by for s in event.sources)
