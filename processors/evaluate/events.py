"""One document's events against its gold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.records import Event
from processors.evaluate.anchors import event_anchor, event_spans
from processors.evaluate.gold import GoldDocument, GoldEvent, words
from processors.evaluate.pairing import best_pairs
from processors.evaluate.sides import NOBODY, coarse_ids, in_role, kin
from processors.evaluate.slots import (
    date_tight,
    denial_right,
    fields_right,
    first_point_right,
    same_place,
    source_right,
)
from processors.evaluate.tables import Error, Judged, Sheet

TOLD = ("reported", "recap")  # what is planned, hypothetical or denied is no event to the gold


@dataclass(frozen=True, slots=True)
class Held:
    """Which gold event each record was paired with, and which gold events may be told as one."""

    gold_of: dict[int, int]  # number of the event record → of the gold event
    mates: list[list[int]]


def score_events(document: GoldDocument, events: Sequence[Event], known: Collection[str], sheet: Sheet) -> Held:
    """Fills the sheet's event tables, slots and errors. events: those of the document with realis in TOLD."""
    meeting = _Meeting(document, events, known)
    pairs = best_pairs([[meeting.worth(i, j) for j in range(len(events))] for i in range(len(document.events))])
    found: dict[int, bool] = {}  # gold event → all four fields right
    leaked: set[int] = set()
    for i, j in pairs:
        gold, event = document.events[i], events[j]
        right = meeting.realis_right(i, j)
        if not gold.recap_any and len({document.events[k].recap for k in meeting.mates[i]}) == 1:
            sheet.slots["realis"].count(right)
        if not right:
            _wrong_realis(document, gold, event, sheet)
            if news(event):
                leaked.add(i)
            continue
        fields = meeting.fields(i, j)
        found[i] = all(fields.values())
        if news(event):
            _found_news(document, gold, event, fields, sheet)
        else:
            sheet.tables["recaps_found"].said(True)
            for name, well in fields.items():
                sheet.recap_slots[name].count(well)
    _missed(meeting, found, sheet)
    gold_of = {j: i for i, j in pairs}
    for j in range(len(events)):
        if j not in gold_of:
            _unpaired(meeting, j, found, leaked, sheet)
    sheet.leaks.part += len(leaked)
    sheet.leaks.of += sum(g.recap and not g.recap_any for g in document.events)
    if all(g.recap and not g.recap_any for g in document.events):
        told = sum(map(news, events))
        sheet.quiet.count(told > 0)
        sheet.quiet_records += told
    return Held(gold_of, meeting.mates)


def news(event: Event) -> bool:
    return event.realis == "reported"


class _Meeting:
    """A document's gold events and the records that may tell of them."""

    def __init__(self, document: GoldDocument, events: Sequence[Event], known: Collection[str]) -> None:
        self.document, self.gold, self.events, self._known = document, document.events, events, known
        spans = [event_spans(e) for e in events]
        self.anchors = [[event_anchor(g, s) for s in spans] for g in self.gold]
        self.mates = mergeable(self.gold)

    def typed(self, i: int, j: int) -> bool:
        """The record stands on the gold event's words and is of an accepted type."""
        return self.anchors[i][j] > 0 and self.events[j].sub_event_type in self.gold[i].types

    def realis_right(self, i: int, j: int) -> bool:
        """News told as news, background as background; a merged record may go by any event that it tells."""
        told = [self.gold[k] for k in self.mates[i] if k == i or self.typed(k, j)]
        return any(g.recap_any or g.recap != news(self.events[j]) for g in told)

    def worth(self, i: int, j: int) -> float:
        """For pairing: type first, then realis, fields and required items, then the words covered."""
        if not self.typed(i, j):
            return 0.0
        fields = fields_right(self.gold[i], self.events[j], self._known)
        points = 100 + 10 * self.realis_right(i, j) + 3 * (not self.gold[i].optional) + 2 * sum(fields.values())
        return points + self.anchors[i][j]

    def fields(self, i: int, j: int) -> dict[str, bool]:
        """The four fields, by the event of those that it may be merged with which the record suits best."""
        best = fields_right(self.gold[i], self.events[j], self._known)
        for k in self.mates[i]:
            if k != i and self.anchors[k][j]:
                other = fields_right(self.gold[k], self.events[j], self._known)
                best = max(best, other, key=lambda f: sum(f.values()))
        return best

    def near(self, j: int) -> list[int]:
        """Gold events whose words the record quotes."""
        return [i for i in range(len(self.gold)) if self.anchors[i][j]]


def mergeable(gold: Sequence[GoldEvent]) -> list[list[int]]:
    """For each event all events, itself included, that may be told as one with it, however long the chain."""
    number = {g.id: i for i, g in enumerate(gold)}
    group = list(range(len(gold)))
    for i, event in enumerate(gold):
        for id in words(event.mergeable_with):
            if id in number:
                mine, theirs = group[i], group[number[id]]
                group = [theirs if g == mine else g for g in group]
    return [[k for k, g in enumerate(group) if g == mine] for mine in group]


def _wrong_realis(document: GoldDocument, gold: GoldEvent, event: Event, sheet: Sheet) -> None:
    if news(event):
        sheet.tables["events_found"].said(False)
        sheet.tables["events_strict"].said(False)
        sheet.judged.append(Judged(event, found=False, strict=False))
    else:
        sheet.tables["recaps_found"].said(False)
    kind = "recap-as-news" if news(event) else "news-as-recap"
    sheet.errors.append(Error(kind, document.id, gold.id, gold.quote, said=in_short(event)))


def _found_news(
    document: GoldDocument, gold: GoldEvent, event: Event, fields: dict[str, bool], sheet: Sheet
) -> None:  # fmt: skip
    strict = all(fields.values())
    sheet.tables["events_found"].said(True)
    sheet.tables["events_strict"].said(strict)
    sheet.judged.append(Judged(event, found=True, strict=strict))
    near = first_point_right(gold.places, event.places)
    slots: dict[str, bool | None] = {
        **fields,
        "date_tight": date_tight(gold, event),
        "type_best": event.sub_event_type == gold.types[0],
        "place25": near,
        "sources": source_right(gold, event) if gold.sources else None,
        "denied": denial_right(gold, event) if gold.denied_by else None,
    }
    for name, well in slots.items():
        if well is not None:
            sheet.slots[name].count(well)
    for role, accepted in (("attacker", gold.attacker), ("target", gold.target)):
        for id in coarse_ids(in_role(event, role, gold)) - NOBODY:
            # Whom the text leaves unnamed may be named as a target, never as the one who did it.
            sheet.roles.count(id in accepted or kin(id, accepted) or (role == "target" and not accepted))
    for name, said in _said(event).items():
        if slots[name] is False:
            kind = {"sources": "event-source", "denied": "event-denial"}.get(name, f"event-{name}")
            sheet.errors.append(Error(kind, document.id, gold.id, gold.quote, _wanted(gold)[name], said))


def _missed(meeting: _Meeting, found: dict[int, bool], sheet: Sheet) -> None:
    """What the gold requires: found itself, or told as one with an event that was found."""
    for i, gold in enumerate(meeting.gold):
        if gold.optional or gold.recap_any:
            continue
        merged = any(k in found for k in meeting.mates[i])
        if gold.recap:
            sheet.tables["recaps_found"].required(merged)
        elif i in found:
            sheet.tables["events_found"].required(True)
            sheet.tables["events_strict"].required(found[i])
        elif not merged:
            sheet.tables["events_found"].required(False)
            sheet.tables["events_strict"].required(False)
        if not merged:
            kind = "recap-missed" if gold.recap else "event-missed"
            sheet.errors.append(Error(kind, meeting.document.id, gold.id, gold.quote))


def _unpaired(meeting: _Meeting, j: int, found: dict[int, bool], leaked: set[int], sheet: Sheet) -> None:
    """A record that tells no gold event of its own."""
    event, near = meeting.events[j], meeting.near(j)
    if not news(event):
        if not near:
            sheet.tables["recaps_found"].said(False)
        return
    if any(_one_of_its_places(meeting, i, j) for i in near if i in found):
        return
    if near and all(meeting.gold[i].recap and not meeting.gold[i].recap_any for i in near):
        leaked.add(near[0])
    sheet.tables["events_found"].said(False)
    sheet.tables["events_strict"].said(False)
    sheet.judged.append(Judged(event, found=False, strict=False))
    quote = meeting.gold[near[0]].quote if near else event.evidence[0].quote if event.evidence else ""
    kind = "event-type" if near else "event-extra"
    wanted = ", ".join(meeting.gold[near[0]].types) if near else ""
    sheet.errors.append(Error(kind, meeting.document.id, event.id, quote, wanted, in_short(event)))


def _one_of_its_places(meeting: _Meeting, i: int, j: int) -> bool:
    """One record for each place of a list that the gold holds as one event: neither right nor wrong."""
    gold, event = meeting.gold[i], meeting.events[j]
    if len(gold.places) < 2 or not event.places or event.sub_event_type not in gold.types:
        return False
    first = event.places[0]
    others = {
        e.places[0].text if e.places else None for k, e in enumerate(meeting.events) if k != j and meeting.anchors[i][k]
    }
    return first.text not in others and any(same_place(g, first) for g in gold.places)


# -- what is said and what is wanted, in short -------------------------------------------------------------------------


def in_short(event: Event) -> str:
    said = _said(event)
    return "; ".join([event.sub_event_type, *(f"{k} {said[k]}" for k in ("date", "place", "attacker", "target"))])


def _said(event: Event) -> dict[str, str]:
    date = event.date
    until = f" to {date.end}" if date.end and date.end != date.start else ""

    def sides(*roles: str) -> str:
        return ", ".join(f"{a.id} «{a.text}» ({a.role})" for a in event.actors if a.role in roles) or "nobody"

    def sources(*stances: str) -> str:
        return ", ".join(f"{s.id or s.name} «{s.text}»" for s in event.sources if s.stance in stances) or "nobody"

    return {
        "date": f"{date.start or 'unknown'}{until} ({date.basis}{f' «{date.text}»' if date.text else ''})",
        "place": ", ".join(f"«{p.text}»" for p in event.places) or "nowhere",
        "attacker": sides("attacker", "participant"),
        "target": sides("target", "participant"),
        "sources": sources("asserts", "doubts"),
        "denied": sources("denies"),
    }


def _wanted(gold: GoldEvent) -> dict[str, str]:
    return {
        "date": f"{gold.start}" + (f" to {gold.end}" if gold.end != gold.start else ""),
        "place": ", ".join(f"«{' / '.join(p.names)}»" for p in gold.places),
        "attacker": in_full(gold.attacker, words(gold.attacker_text), gold.attacker_all) or "nobody",
        "target": in_full(gold.target, words(gold.target_text), gold.target_all),
        "sources": " or ".join(gold.sources),
        "denied": " or ".join(gold.denied_by),
    }


def in_full(
    ids: Sequence[str], texts: Sequence[str] = (), every: Sequence[Sequence[str]] | None = None
) -> str:  # fmt: skip
    """Accepted sides: "isis or al_qaeda"; where several are needed "(isis) and (usa or us_coalition)"."""
    if every:
        return " and ".join(f"({' or '.join(part)})" for part in every)
    return " or ".join([*ids, *(f"«{t}»" for t in texts)])
