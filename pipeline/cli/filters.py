"""The grammar of `--filter`: `side=isis,killed>=5`.

    filter    = condition *("," condition)            all must hold
    condition = name op value *("|" value)            one of the values is enough
    op        = "=" | "!=" | ">=" | "<=" | ">" | "<"
    name      = see NAMES, NUMBERS and DAYS

A record without such a field fails the condition; only `!=` with words holds for it.
"""

from __future__ import annotations

import datetime as dt
import difflib
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pipeline.errors import RasdError
from pipeline.records import Category, Claim, Event, Outcomes, Realis, Record, Toll, Unique

Test = Callable[[Record], bool]


class BadFilter(RasdError):
    """A filter that does not follow the grammar."""

    reason = "bad-filter"


def _sides(record: Record) -> Iterator[str | None]:
    for actor in getattr(record, "actors", ()):
        yield from (actor.id, actor.coarse)
    for claim in _claims(record):
        for side in claim.group:
            yield from (side.id, side.coarse)


def _role(role: str) -> Callable[[Record], Iterator[str | None]]:
    def ids(record: Record) -> Iterator[str | None]:
        for actor in getattr(record, "actors", ()):
            if actor.role == role:
                yield from (actor.id, actor.coarse)

    return ids


def _places(record: Record) -> Iterator[str | None]:
    for place in getattr(record, "places", ()):
        yield from (place.text, place.name, place.admin1)


def _sources(record: Record) -> Iterator[str | None]:
    for source in getattr(record, "sources", ()):
        yield from (source.name, source.id)


def _ids(record: Record) -> Iterator[str | None]:
    subject = _subject(record)
    yield from (getattr(subject, "id", None), getattr(subject, "article_id", None), getattr(subject, "source_id", None))


def _field(name: str) -> Callable[[Record], Iterator[str | None]]:
    return lambda record: iter((getattr(_subject(record), name, None),))


def _subject(record: Record) -> Any:
    return record.article if isinstance(record, Unique) else record


def kind_of(record: Record) -> str:
    """ "event", "article" and so on: the record's name in `rasd schema`."""
    return type(record).__name__.lower()


def _verdict(record: Record) -> Iterator[str | None]:
    yield record.verdict.verdict if isinstance(record, Unique) else getattr(record, "verdict", None)


def _claims(record: Record) -> tuple[Claim, ...]:
    return record.casualties if isinstance(record, Event | Toll) else ()


@dataclass(frozen=True, slots=True)
class Name:
    """A name with words for values. match: "equal" (letter case aside), "part" (folded, anywhere in) or "start"."""

    values: Callable[[Record], Iterator[str | None]]
    match: str
    doc: str
    words: tuple[str, ...] = ()


NAMES: dict[str, Name] = {
    "kind": Name(
        lambda r: iter((kind_of(r),)),
        "equal",
        "event, toll, coding, entry, article, verdict, unique or reject",
        ("event", "toll", "coding", "entry", "article", "verdict", "unique", "reject"),
    ),
    "type": Name(
        lambda r: iter((getattr(r, "event_type", None), getattr(r, "sub_event_type", None))),
        "part",
        "event type or sub-event type, or a part of it",
    ),
    "realis": Name(_field("realis"), "equal", "reported, recap, planned, hypothetical or denied", get_args(Realis)),
    "side": Name(_sides, "equal", "id of an actor, or of people whose dead are counted"),
    "attacker": Name(_role("attacker"), "equal", "id of an attacker"),
    "target": Name(_role("target"), "equal", "id of a target"),
    "participant": Name(_role("participant"), "equal", "id of a side where nobody is said to have begun"),
    "place": Name(_places, "part", "place as written or as the gazetteer spells it, or a part of it"),
    "country": Name(
        lambda r: iter([p.country for p in getattr(r, "places", ())]), "equal", "two-letter country code of a place"
    ),
    "source": Name(_sources, "part", "who says so: name or id, or a part of it"),
    "category": Name(
        lambda r: iter([c.category for c in _claims(r)]), "equal", "kind of people in a claim", get_args(Category)
    ),
    "outlet": Name(_field("outlet"), "equal", "who published it"),
    "language": Name(_field("language"), "equal", "language code"),
    "verdict": Name(_verdict, "equal", "what deduplication says"),
    "id": Name(_ids, "start", "beginning of the record's or its article's id"),
    "stage": Name(_field("stage"), "equal", "stage of a reject"),
    "reason": Name(_field("reason"), "equal", "reason of a reject, or of an abstention"),
}
OUTCOMES: tuple[str, ...] = get_args(Outcomes)
NUMBERS: dict[str, str] = {
    **{
        o: f"people {o.replace('_', ' ')}: the sum of primary claims (of that side, where side= is given)"
        for o in OUTCOMES
    },
    "confidence": "0 to 1",
    "revision": "revision of the article",
}
DAYS: dict[str, str] = {
    "date": "first day of an event, last day of a total: YYYY, YYYY-MM or YYYY-MM-DD",
    "published": "day of publication, likewise",
}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"\s*([A-Za-z_]+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


def parse(texts: list[str]) -> Test:
    """One test for all filters given. Raises: BadFilter naming the condition at fault."""
    conditions = [_split(part) for text in texts for part in text.split(",")]
    sides = [v for name, op, values in conditions if name == "side" and op == "=" for v in values]
    tests = [_condition(name, op, values, sides) for name, op, values in conditions]
    return lambda record: all(test(record) for test in tests)


def _split(part: str) -> tuple[str, str, list[str]]:
    found = _CONDITION.fullmatch(part)
    if found is None:
        raise BadFilter(f"filter {part.strip()!r}: write NAME=VALUE (or != >= <= > <), conditions parted by commas")
    name, op, value = found[1].lower(), found[2], found[3]
    known = [*NAMES, *NUMBERS, *DAYS]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise BadFilter(f"filter {part.strip()!r}: no name {name!r}; {hint}")
    values = [v.strip() for v in value.split("|")]
    if not all(values):
        raise BadFilter(f"filter {part.strip()!r}: a value is missing")
    return name, op, values


def _condition(name: str, op: str, values: list[str], sides: list[str]) -> Test:
    if name in NAMES:
        return _words(name, op, values)
    if name in DAYS:
        return _days(name, op, values)
    return _numbers(name, op, values, {s.casefold() for s in sides})


def _words(name: str, op: str, values: list[str]) -> Test:
    row = NAMES[name]
    if op not in ("=", "!="):
        raise BadFilter(f"filter {name}{op}{'|'.join(values)}: {name} holds words; use = or !=")
    for value in values:
        if row.words and value.casefold() not in row.words:
            raise BadFilter(f"filter {name}{op}{value}: {name} is one of {', '.join(row.words)}")
    wanted = [_fold(v) if row.match == "part" else v.casefold() for v in values]

    def hit(record: Record) -> bool:
        for value in filter(None, row.values(record)):
            if row.match == "part":
                found = any(w in _fold(value) for w in wanted)
            elif row.match == "start":
                found = value.casefold().startswith(tuple(wanted))
            else:
                found = value.casefold() in wanted
            if found:
                return True
        return False

    return hit if op == "=" else lambda record: not hit(record)


def _fold(text: str) -> str:
    from processors.text import fold

    return fold(text).text.casefold()


def _numbers(name: str, op: str, values: list[str], sides: set[str]) -> Test:
    try:
        wanted = [float(v) for v in values]
    except ValueError:
        raise BadFilter(f"filter {name}{op}{'|'.join(values)}: {name} is compared with a number") from None
    compare = _OPERATORS[op]

    def test(record: Record) -> bool:
        if name in OUTCOMES:
            number = people(record, name, sides, upper=op in ("<", "<="))
        else:
            number = getattr(record, name, None)
        if number is None:
            return False
        return all(number != w for w in wanted) if op == "!=" else any(compare(number, w) for w in wanted)

    return test


def people(record: Record, outcome: str, sides: set[str], *, upper: bool = False) -> int | None:
    """Sum of the record's primary claims of that outcome that are no part of another, for these sides (empty: all).

    A claim without a count gives its lower (`upper`: higher) bound, or nothing; None where no claim gives a number.
    """
    found = []
    for claim in _claims(record):
        if claim.outcome != outcome or not claim.primary or claim.part_of is not None:
            continue
        if sides and not any(s in sides for side in claim.group for s in (side.id.casefold(), side.coarse) if s):
            continue
        number = claim.count if claim.count is not None else claim.high if upper else claim.low
        if number is not None:
            found.append(number)
    return sum(found) if found else None


def _days(name: str, op: str, values: list[str]) -> Test:
    for value in values:
        if not _DAY.fullmatch(value):
            raise BadFilter(f"filter {name}{op}{value}: write a day as 2017-05-16, a month as 2017-05, a year as 2017")
    compare = _OPERATORS[op]

    def test(record: Record) -> bool:
        day = _day(name, record)
        if day is None:
            return False
        hits = [compare(day.isoformat()[: len(v)], v) for v in values]
        return all(hits) if op == "!=" else any(hits)

    return test


def _day(name: str, record: Record) -> dt.date | None:
    if name == "published":
        published = getattr(_subject(record), "published", None)
        return published.date() if published else None
    if isinstance(record, Event):
        return record.date.start
    return record.period.end if isinstance(record, Toll) else None
