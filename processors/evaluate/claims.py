"""One document's numbers of people against its gold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.records import Claim, Event, Span, Toll
from processors.evaluate.anchors import claim_anchor, claim_spans
from processors.evaluate.events import Held, in_full, news
from processors.evaluate.gold import GoldClaim, GoldDocument
from processors.evaluate.pairing import best_pairs
from processors.evaluate.sides import claim_answer, coarse_ids, sides_right
from processors.evaluate.tables import Error, Sheet

ALL_CLAIMS = ("claims_found", "claims_exact", "claims_complete")


@dataclass(frozen=True, slots=True)
class Said:
    """One place where a record states a number. record: which of the document's."""

    claim: Claim
    span: Span
    record: int
    number: int
    scope: str
    fresh: bool


def score_claims(
    document: GoldDocument, records: Sequence[Event | Toll], event_of: dict[int, int], held: Held,
    known: Collection[str], sheet: Sheet,
) -> None:  # fmt: skip
    """Fills the sheet's claim tables, slots and errors. event_of: record → the gold event that it was paired with."""
    said = all_said(records)
    gold = document.tolls
    pairs = best_pairs([[_worth(g, s, known) for s in said] for g in gold])
    found = {gold[i].id: said[j] for i, j in pairs}
    judge = _Judge(document, records, event_of, held, known, found)
    for i, j in pairs:
        _found(judge, gold[i], said[j], sheet)
    for claim in gold:
        if claim.running:
            told = found.get(claim.id)
            sheet.leaks.count(told is not None and told.scope == "incident" and told.fresh)
        if claim.id not in found and not claim.optional:
            for name in _tables(claim.count):
                sheet.tables[name].required(False)
            sheet.errors.append(Error("claim-missed", document.id, claim.id, claim.quote))
    used = {j for _, j in pairs}
    for j, extra in enumerate(said):
        if j not in used:
            for name in _tables(extra.claim.count):
                sheet.tables[name].said(False)
            sheet.errors.append(Error("claim-extra", document.id, records[extra.record].id, "", said=in_short(extra)))


def all_said(records: Sequence[Event | Toll]) -> list[Said]:
    """Every mention of every claim; the same number of the same people at the same place counts once per scope."""
    out: dict[object, Said] = {}
    for k, record in enumerate(records):
        scope = "cumulative" if isinstance(record, Toll) else "incident"
        fresh = isinstance(record, Event) and news(record)
        for number, claim in enumerate(record.casualties):
            for span in claim_spans(claim):
                key = (span, claim.outcome, claim.count, coarse_ids(claim.group), scope)
                out.setdefault(key, Said(claim, span, k, number, scope, fresh))
    return list(out.values())


def in_short(said: Said) -> str:
    claim = said.claim
    number = "no number" if claim.count is None else str(claim.count)
    people = ", ".join(f"{s.id} «{s.text}»" if s.text else s.id for s in claim.group) or "nobody"
    part = "" if claim.part_of is None else f", part of claim {claim.part_of}"
    where = f"{said.span[0]}..{said.span[1]}"
    return f"{claim.outcome} {number} ({claim.hedge}) of {people}, {said.scope}{part}, at {where}"


def _tables(count: int | None) -> tuple[str, ...]:
    return ALL_CLAIMS if count is None else (*ALL_CLAIMS, "claims_numbered")


def _worth(gold: GoldClaim, said: Said, known: Collection[str]) -> float:
    """For pairing: outcome and number must be equal; then side, scope, hedge, and the words covered."""
    claim = said.claim
    if gold.outcome != claim.outcome or gold.count != claim.count:
        return 0.0
    covered = claim_anchor(gold, said.span)
    if not covered:
        return 0.0
    side = sides_right(claim_answer(gold), claim.group, known)
    points = 100 + 3 * (not gold.optional) + 3 * side + 2 * _scope_right(gold, said)
    return points + (gold.qualifier == claim.hedge) + covered


def _scope_right(gold: GoldClaim, said: Said) -> bool:
    return gold.scope_any or gold.scope == said.scope


@dataclass(frozen=True, slots=True)
class _Judge:
    """What it takes to judge how a claim hangs together with others."""

    document: GoldDocument
    records: Sequence[Event | Toll]
    event_of: dict[int, int]
    held: Held
    known: Collection[str]
    found: dict[str, Said]

    def part(self, gold: GoldClaim, said: Said) -> bool | None:
        """Whether `part_of` names the right larger claim; None where there is none and none is named, where the larger
        one was not found, or where it rightly lies in another record."""
        whole = self._whole(said)
        if gold.part_of is None:
            return None if said.claim.part_of is None else False
        if gold.part_of in self.found:
            wanted = next(c for c in self.document.tolls if c.id == gold.part_of)
            if self._together(gold, wanted):
                return whole is not None and (whole.outcome, whole.count) == (wanted.outcome, wanted.count)
        return None

    def _whole(self, said: Said) -> Claim | None:
        index, claims = said.claim.part_of, self.records[said.record].casualties
        if index is None or index == said.number or not 0 <= index < len(claims):
            return None
        return claims[index]

    def _together(self, part: GoldClaim, whole: GoldClaim) -> bool:
        """Both belong into one record: of one scope, and on one event or on none."""
        homes = [{e.id for e in self.document.events if c.id in e.tolls} for c in (part, whole)]
        return part.scope == whole.scope and (homes[0] == homes[1] or bool(homes[0] & homes[1]))

    def wanted(self, gold: GoldClaim) -> dict[str, str]:
        """What the gold accepts, slot by slot, in short."""
        whole = next((f"part of «{c.quote}»" for c in self.document.tolls if c.id == gold.part_of), "part of none")
        holders = [f"«{e.quote}»" for e in self.document.events if gold.id in e.tolls]
        return {
            "side": in_full(gold.group, every=gold.group_all),
            "scope": gold.scope,
            "hedge": gold.qualifier,
            "part_of": whole,
            "linked": " or ".join(holders),
        }

    def linked(self, gold: GoldClaim, said: Said) -> bool | None:
        """Whether the claim hangs on the gold's event; None for totals, and where no such event was found."""
        events = self.document.events
        holders = {m for k, e in enumerate(events) if gold.id in e.tolls for m in self.held.mates[k]}
        if said.scope != "incident" or gold.scope != "incident" or holders.isdisjoint(self.held.gold_of.values()):
            return None
        return self.event_of.get(said.record) in holders


def _found(judge: _Judge, gold: GoldClaim, said: Said, sheet: Sheet) -> None:
    side = sides_right(claim_answer(gold), said.claim.group, judge.known)
    scope, hedge = _scope_right(gold, said), gold.qualifier == said.claim.hedge
    part, linked = judge.part(gold, said), judge.linked(gold, said)
    slots = {"side": side, "scope": scope, "hedge": hedge, "part_of": part, "linked": linked}
    for name, well in slots.items():
        if well is not None:
            sheet.slots[name].count(well)
    exact = side and scope
    grades = {
        "claims_found": True,
        "claims_exact": exact,
        "claims_complete": exact and hedge and part is not False and linked is not False,
    }
    if gold.count is not None:
        grades["claims_numbered"] = True
    for name, well in grades.items():
        sheet.tables[name].said(well)
        if not gold.optional:
            sheet.tables[name].required(well)
    for name, kind in (("side", "side"), ("scope", "scope"), ("hedge", "hedge"), ("part_of", "part"),
                       ("linked", "event")):  # fmt: skip
        if slots[name] is False:
            wanted = judge.wanted(gold)[name]
            sheet.errors.append(Error(f"claim-{kind}", judge.document.id, gold.id, gold.quote, wanted, in_short(said)))
