"""What people annotated, article by article, and what is wrong with it. The format: docs/evaluating.md."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

from pipeline.records import EVENT_TYPE_OF, Hedge, Outcomes, Span

Words = tuple[str, ...] | str | None  # one string or several
Path = tuple[str | int, ...]  # keys and indices from the top of the file: (3, "events", 0, "start")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPlace:
    """A place under all names that are right. km: how far from the point still is right (None: 25)."""

    names: tuple[str, ...] = ()
    lat: float | None = None
    lon: float | None = None
    km: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldEvent:
    """One incident that the article asserts, with every answer that is right."""

    id: str
    quote: str = ""
    span: Span | None = None
    mentions: tuple[Span, ...] | None = None
    types: tuple[str, ...]
    start: dt.date
    end: dt.date
    places: tuple[GoldPlace, ...] = ()
    attacker: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    attacker_all: tuple[tuple[str, ...], ...] | None = None
    target_all: tuple[tuple[str, ...], ...] | None = None
    attacker_text: Words = None
    target_text: Words = None
    tolls: tuple[str, ...] = ()
    recap: bool = False
    recap_any: bool = False
    optional: bool = False
    sources: tuple[str, ...] = ()
    denied_by: tuple[str, ...] = ()
    mergeable_with: Words = None

    @property
    def mutual(self) -> bool:
        """A clash in which the gold lets one side stand in both roles."""
        return not set(self.attacker).isdisjoint(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldClaim:
    """One mention of a number of people."""

    id: str
    quote: str = ""
    span: Span | None = None
    mentions: tuple[Span, ...] | None = None
    outcome: str
    count: int | None
    qualifier: str = "exact"
    group: tuple[str, ...] = ()
    group_all: tuple[tuple[str, ...], ...] | None = None
    scope: Literal["incident", "cumulative"] = "incident"
    scope_any: bool = False
    part_of: str | None = None
    optional: bool = False

    @property
    def running(self) -> bool:
        """A total over a period or several areas, and nothing else."""
        return self.scope == "cumulative" and not self.scope_any


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldDocument:
    """All that one article says: its events, and every number of people."""

    doc: str | int
    events: tuple[GoldEvent, ...]
    tolls: tuple[GoldClaim, ...]

    @property
    def id(self) -> str:
        return str(self.doc)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a gold file. fatal: nothing can be scored before it is mended."""

    path: Path
    what: str
    fatal: bool = True


Item = TypeVar("Item", GoldEvent, GoldClaim)


def words(value: Words) -> tuple[str, ...]:
    return () if not value else (value,) if isinstance(value, str) else value


def place_of(item: GoldEvent | GoldClaim) -> tuple[Span, ...]:
    """Everywhere that the article tells of the item."""
    return (*((item.span,) if item.span else ()), *(item.mentions or ()))


def located(gold: Sequence[GoldDocument], texts: Mapping[str, str]) -> list[GoldDocument]:
    """The gold with a span for every item that has none: where its quote first stands in the article."""
    return [
        replace(
            d,
            events=tuple(_found(e, texts.get(d.id, "")) for e in d.events),
            tolls=tuple(_found(c, texts.get(d.id, "")) for c in d.tolls),
        )
        for d in gold
    ]


def _found(item: Item, text: str) -> Item:
    at = text.find(item.quote) if item.span is None and item.quote else -1
    return item if at < 0 else replace(item, span=(at, at + len(item.quote)))


def faults(gold: Sequence[GoldDocument], texts: Mapping[str, str] | None = None) -> Iterator[Fault]:
    """What is wrong with a gold, in the order of the file; with the texts, quotes are checked too."""
    seen: set[str] = set()
    for number, document in enumerate(gold):
        if document.id in seen:
            yield Fault((number, "doc"), f"document {document.id!r} stands here twice")
        seen.add(document.id)
        text = None if texts is None else texts.get(document.id)
        if texts is not None and text is None:
            yield Fault((number, "doc"), f"no article {document.id!r} among the articles", fatal=False)
        yield from _twice((number, "events"), document.events)
        yield from _twice((number, "tolls"), document.tolls)
        for k, event in enumerate(document.events):
            yield from _event((number, "events", k), event, document)
            yield from _quote((number, "events", k), event, text)
        for k, claim in enumerate(document.tolls):
            yield from _claim((number, "tolls", k), claim, document)
            yield from _quote((number, "tolls", k), claim, text)


def _twice(path: Path, items: Iterable[GoldEvent | GoldClaim]) -> Iterator[Fault]:
    seen: set[str] = set()
    for k, item in enumerate(items):
        if item.id in seen:
            yield Fault((*path, k, "id"), f"id {item.id!r} stands here twice")
        seen.add(item.id)


def _event(path: Path, event: GoldEvent, document: GoldDocument) -> Iterator[Fault]:
    if event.start > event.end:
        yield Fault((*path, "start"), f"start {event.start} is after end {event.end}")
    if not event.types:
        yield Fault((*path, "types"), "no type: name at least one")
    for name in event.types:
        if name not in EVENT_TYPE_OF:
            yield Fault((*path, "types"), f"no record can have the type {name!r}", fatal=False)
    claims, events = {c.id for c in document.tolls}, {e.id for e in document.events}
    for field, known, named in (
        ("tolls", claims, event.tolls),
        ("mergeable_with", events, words(event.mergeable_with)),
    ):
        for id in named:
            if id not in known:
                yield Fault((*path, field), f"no item {id!r} in this document", fatal=False)


def _claim(path: Path, claim: GoldClaim, document: GoldDocument) -> Iterator[Fault]:
    if claim.outcome not in get_args(Outcomes):
        yield Fault((*path, "outcome"), f"no record can have the outcome {claim.outcome!r}", fatal=False)
    if claim.qualifier not in get_args(Hedge):
        yield Fault((*path, "qualifier"), f"no record can have the hedge {claim.qualifier!r}", fatal=False)
    if claim.part_of is not None and claim.part_of not in {c.id for c in document.tolls}:
        yield Fault((*path, "part_of"), f"no item {claim.part_of!r} in this document", fatal=False)


def _quote(path: Path, item: GoldEvent | GoldClaim, text: str | None) -> Iterator[Fault]:
    if item.span is None:
        yield Fault(path, "no span, and no article whose text holds the quote (see --articles)")
        return
    for start, end in place_of(item):
        if not 0 <= start < end:
            yield Fault((*path, "span"), f"span [{start}, {end}] holds no text")
        elif text is not None and end > len(text):
            yield Fault((*path, "span"), f"span [{start}, {end}] ends after the article", fatal=False)
    if text is not None and item.quote and text[slice(*item.span)] != item.quote:
        yield Fault((*path, "quote"), "the quote is not what stands at its span", fatal=False)
