"""Records as rows of `schema.sql`: one function a table, columns in the table's order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence

from connectors.sinks.standing import bounded
from pipeline.records import Article, Claim, Coding, Event, Place, Toll, Unique, Verdict

Value = str | bytes | int | float | None  # bytes: JSON, where the database takes it as it was sent
Row = tuple[Value, ...]

PEOPLE = 10_000_000_000  # more than there are: such a number is no count, and sums over it would overflow


def article_row(unique: Unique) -> Row:
    a: Article = unique.article
    archive = a.archive
    return (
        *(a.id, bounded(unique.verdict.revision), unique.verdict.verdict, a.title, a.body),
        *(a.url, a.canonical_url, a.outlet, a.feed, a.language, a.author),
        *(moment(a.published), a.published_basis, moment(a.updated), moment(a.fetched), int(a.partial)),
        *(a.source_id, a.content_hash),
        *((archive.file, whole(archive.offset), whole(archive.length)) if archive else (None, None, None)),
    )


def verdict_row(v: Verdict, json: str | bytes) -> Row:
    return (v.article_id, bounded(v.revision), v.verdict, v.of, v.cluster, v.origin, v.similarity, json)


def coding_row(c: Coding, json: str | bytes, *, newest: bool) -> Row:
    return (
        *(c.article_id, bounded(c.revision), bounded(c.generation), int(newest), int(c.abstained), c.reason),
        *(len(c.event_ids), len(c.toll_ids), c.extractor.name, c.extractor.version, c.extractor.lexicon, json),
    )


def event_row(e: Event, generation: int, json: str | bytes, retracted: tuple[int, int] | None = None) -> Row:
    date = e.date
    return (
        *(
            e.id,
            *_taken_back(retracted),
            e.article_id,
            bounded(e.revision),
            generation,
            e.realis,
            e.event_type,
            e.sub_event_type,
        ),
        *(day(date.start), day(date.end), date.precision, date.basis, *_where(e.places), int(e.civilian_targeting)),
        *(e.evidence[0].quote if e.evidence else None, e.confidence),
        *(e.url, e.outlet, e.language, moment(e.published), json),
    )


def toll_row(t: Toll, generation: int, json: str | bytes, retracted: tuple[int, int] | None = None) -> Row:
    return (
        *(t.id, *_taken_back(retracted), t.article_id, bounded(t.revision), generation),
        *(day(t.period.start), day(t.period.end), *_where(t.places)),
        *(t.evidence[0].quote if t.evidence else None, t.confidence),
        *(t.url, t.outlet, t.language, moment(t.published), json),
    )


def joined(values: Sequence[str | int]) -> str:
    return ",".join(map(str, values))


def claim_rows(r: Event | Toll, several: Callable[[Sequence[str | int]], str] = joined) -> Iterator[Row]:
    """several: how the database writes a list down in one column."""
    for idx, c in enumerate(r.casualties):
        start, end = c.span
        yield (
            *(r.id, idx, r.kind, r.article_id, c.outcome, people(c.count), c.unit, people(c.low), people(c.high)),
            *(c.hedge, several(sorted({s.id for s in c.group})), _names(c), c.category, whole(c.part_of)),
            *(int(c.primary), several(c.sources), bounded(start), bounded(end), _quote(r, start, end)),
            len(c.mentions),
        )


def group_rows(r: Event | Toll) -> Iterator[Row]:
    for idx, c in enumerate(r.casualties):
        for n, side in enumerate(c.group):
            yield (r.id, idx, n, side.id, side.coarse, side.name, side.text)


def place_rows(r: Event | Toll) -> Iterator[Row]:
    for idx, p in enumerate(r.places):
        yield (
            *(r.id, idx, r.kind, p.text, p.name, p.country, p.admin1, p.lat, p.lon, p.precision, p.radius_km),
            *(p.gazetteer_id, bounded(p.span[0]), bounded(p.span[1])),
        )


def actor_rows(r: Event | Toll) -> Iterator[Row]:
    for idx, a in enumerate(r.actors if isinstance(r, Event) else ()):
        yield (r.id, idx, a.role, a.id, a.coarse, a.name, a.kind, a.text, bounded(a.span[0]), bounded(a.span[1]))


def source_rows(r: Event | Toll) -> Iterator[Row]:
    for idx, s in enumerate(r.sources):
        yield (r.id, idx, r.kind, s.name, s.id, s.stance, s.text, bounded(s.span[0]), bounded(s.span[1]))


def moment(time: dt.datetime | None) -> str | None:
    """ISO 8601 with `Z`; times of records are UTC."""
    return None if time is None else time.isoformat(timespec="seconds").replace("+00:00", "Z")


def day(date: dt.date | None) -> str | None:
    return None if date is None else date.isoformat()


def whole(number: int | None) -> int | None:
    return None if number is None else bounded(number)


def people(number: int | None) -> int | None:
    """The number, or null for one that cannot count people (the record's JSON keeps it)."""
    return number if number is not None and 0 <= number <= PEOPLE else None


def _taken_back(by: tuple[int, int] | None) -> Row:
    return (0, None, None) if by is None else (1, *by)


def _where(places: tuple[Place, ...]) -> Row:
    """Most specific place; its country, else the first that any place of the record has."""
    if not places:
        return (None, None, None, None, None)
    first = places[0]
    country = next((p.country for p in places if p.country), None)
    return (first.name or first.text, country, first.admin1, first.lat, first.lon)


def _names(claim: Claim) -> str:
    return ", ".join(name or id for id, name in sorted({s.id: s.name for s in claim.group}.items()))


def _quote(record: Event | Toll, start: int, end: int) -> str | None:
    """The claim's words, where a clause of the evidence holds them."""
    for e in record.evidence:
        if e.start <= start <= end <= e.end:
            return e.quote[start - e.start : end - e.start]
    return None
