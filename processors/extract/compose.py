"""Records from what was read: events, tolls, and the evidence, reasons and confidence of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pipeline.ids import event_id, toll_id
from pipeline.records import (
    EVENT_TYPE_OF,
    Actor,
    Claim,
    Event,
    EventDate,
    Evidence,
    Extractor,
    Realis,
    Side,
    Span,
    SubEventType,
    Toll,
    Unique,
    Why,
)
from processors.extract import places as where
from processors.extract.actors import UNIDENTIFIED, Ids, allied
from processors.extract.along import Along
from processors.extract.blame import blamed, blames, told_again
from processors.extract.context import Context
from processors.extract.context import Found as ClaimFound
from processors.extract.dates import Mention
from processors.extract.doers import PLAIN
from processors.extract.kinds import HARMED
from processors.extract.merge import Incident, Told
from processors.extract.phrases import nobodys
from processors.extract.roles import Role, civil_sides
from processors.extract.scenes import gathered
from processors.extract.sources import Speaker, governing
from processors.extract.tolls import period, reconciliations
from processors.extract.when import dated, day_of_article, shared
from processors.text import fold_word

EVIDENCE_ROOM = 720
MAX_EVIDENCE = 8
MAX_PLACES = 4
MAX_ACTORS = 6


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all records of one article revision share."""

    unique: Unique
    extractor: Extractor
    today: EventDate


def events(
    c: Context, ids: Ids, envelope: Envelope, incidents: Sequence[Incident], claims: Sequence[ClaimFound],
    said: Sequence[Speaker],
) -> list[Event]:  # fmt: skip
    """One event an incident, in text order, ids counted among equals."""
    out: list[Event] = []
    seen: Counter[tuple[object, ...]] = Counter()
    told = blames(c, ids)
    incidents = told_again(told, list(incidents), c.r.sentence)
    enemies = opponents(incidents)
    accused = blamed(told, incidents, c.r.sentence)
    denied = denials(c, ids, incidents, said)
    days = _days(incidents, envelope.today)
    for k, incident in enumerate(incidents):
        event = _event(c, ids, envelope, incident, claims, enemies, accused.get(k, []), days[k])
        if k in denied:
            event = replace(event, sources=(*event.sources, *(s.record(c) for s in denied[k])))
        place = fold_word(event.places[0].text) if event.places else None
        key = (event.sub_event_type, event.date.start, place)
        identity = event_id(event.article_id, event.sub_event_type, event.date.start, place, seen[key])
        seen[key] += 1
        out.append(replace(event, id=identity))
    return out


def denials(c: Context, ids: Ids, incidents: Sequence[Incident], said: Sequence[Speaker]) -> dict[int, list[Speaker]]:
    """Incident → who denies it: the last one told before the denial that the denier is said to have done, or the last
    one within DENIAL_REACH sentences that nobody is said to have done."""
    out: dict[int, list[Speaker]] = {}
    for s in said:
        if s.stance != "denies" or not s.id:
            continue
        at = c.r.sentence[s.at]
        near = [
            (k, t)
            for k, i in enumerate(incidents[:MOST_DENIED])
            for t in i.tellings
            if (t.frame.at < s.at and at - t.sentence <= DENIAL_REACH) or t.sentence == at
        ]
        by = [(k, t) for k, t in near
              if any(ids.near(r.actor) == ids.near(s.id) and r.role != "target" for r in t.roles)]  # fmt: skip
        nobody = [(k, t) for k, t in near if t.frame.at < s.at and all(r.role == "target" for r in t.roles)]
        pool = [(k, t) for k, t in by or nobody if t.realis != "denied"]
        if pool:
            home = max(pool, key=lambda x: x[1].frame.at)[0]
            out.setdefault(home, []).append(s)
    return out


DENIAL_REACH = 4  # sentences
MOST_DENIED = 200  # incidents that a denial is looked for among


def _event(
    c: Context, ids: Ids, envelope: Envelope, incident: Incident, claims: Sequence[ClaimFound],
    enemies: Mapping[str, Role], accused: Sequence[Role], day: Mention | None,
) -> Event:  # fmt: skip
    best = incident.best
    numbers = sorted({k for t in incident.tellings for k in t.claims})
    speakers = _speakers(incident, c)
    found_places = _places(c, incident)
    sided = _sided(ids, incident, [claims[k] for k in numbers])
    actors, why_actors = _actors(c, ids, incident, enemies, accused, sided)
    date, why_date = _date(c, envelope, incident, day)
    records = claim_records(c, ids, sided, numbers, speakers)
    sub = cast(SubEventType, best.type)
    article, verdict = envelope.unique.article, envelope.unique.verdict
    why: dict[str, tuple[Why, ...]] = {
        "event": tuple(Why(rule=f"{t.frame.trigger.entry.row}/{t.frame.rule}",
                           span=c.r.span(t.frame.trigger.first, t.frame.trigger.last)) for t in incident.tellings[:8]),
        "date": why_date,
    }  # fmt: skip
    if found_places:
        why["places"] = tuple(Why(rule=p.rule, span=c.r.span(p.first, p.last)) for p in found_places)
    if actors:
        why["actors"] = why_actors
    if records:
        why["casualties"] = tuple(Why(rule=claims[k].rule, span=c.r.span(claims[k].first, claims[k].last))
                                  for k in numbers)  # fmt: skip
    if best.realis != "reported":
        why["realis"] = (Why(rule="background" if best.realis == "recap" else "not-told-as-done", span=date.span),)
    return Event(
        id="", article_id=article.id, revision=verdict.revision, url=article.url, outlet=article.outlet,
        language=article.language, published=article.published, realis=cast(Realis, best.realis),
        event_type=EVENT_TYPE_OF[sub], sub_event_type=sub, date=date,
        places=tuple(where.record(c.r, p) for p in found_places), actors=actors,
        civilian_targeting=_civilians(ids, actors, records), casualties=records,
        sources=tuple(s.record(c) for s in speakers), evidence=evidence(c, _clauses(incident)),
        confidence=confidence(incident, date, actors, speakers), why=why,
        extractor=envelope.extractor,
    )  # fmt: skip


FOUGHT = frozenset(
    ("Armed clash", "Government regains territory", "Non-state actor overtakes territory",
     "Non-violent transfer of territory", "Air/drone strike", "Shelling/artillery/missile attack", "Suicide bomb")
)  # fmt: skip


GUESSED = frozenset(("people-counted", "civilian-object", "town-hit", "place-hit"))
SOFT = frozenset(("holder", "town-hit", "place-hit"))  # rules that give way to another telling's
HURT = frozenset(
    ("Armed clash", "Air/drone strike", "Shelling/artillery/missile attack", "Suicide bomb", "Attack", "Grenade",
     "Remote explosive/landmine/IED", "Chemical weapon", "Sexual violence",
     "Excessive force against protesters")
)  # fmt: skip


def opponents(incidents: Sequence[Incident]) -> dict[str, Role]:
    """Attacker → whom the article has it fight, where it says so once."""
    out: dict[str, Role] = {}
    for incident in incidents:
        for told in incident.tellings:
            by = [r for r in told.roles if r.role == "attacker"]
            at = [r for r in told.roles if r.role == "target" and r.rule not in GUESSED]
            both = [r for r in told.roles if r.role == "participant"]
            for a in by:
                for b in at:
                    out.setdefault(a.actor, b)
            for a in both:
                for b in both:
                    if a.actor != b.actor and not allied(a.actor, b.actor):
                        out.setdefault(a.actor, b)
    return out


def _sided(ids: Ids, incident: Incident, found: list[ClaimFound]) -> list[ClaimFound]:
    """Claims without a side take the side that the event's other claims or its target name; else they are civilians,
    as ACLED counts people whom nobody calls fighters."""
    named = Counter(x.sides for x in found if x.sides and x.part_of is None)
    targets = tuple((r.actor, None) for t in incident.tellings for r in t.roles if r.role == "target")
    sides = named.most_common(1)[0][0] if named else targets[:1] or (("civilians", None),)
    both = [r for t in incident.tellings for r in t.roles if r.role == "participant"]
    if not named and both:
        sides = tuple((r.actor, None) for r in both[:2])
    armed = tuple((a, None) for a, _ in targets if a not in UNIDENTIFIED | {"civilians"} and ids.kind(a) != "state")
    by = {r.actor for t in incident.tellings for r in t.roles if r.role == "attacker"}
    out = []
    for x in found:
        if not x.sides:
            taken = x.outcome == "captured" and any(side in by for side, _ in sides)  # nobody arrests his own
            whose = (("civilians", None),) if taken else sides
            x = replace(x, sides=nobodys(x, whose), side_rule="told-elsewhere")
        elif (civil := civil_sides(ids, x)) != x.sides:
            x = replace(x, sides=civil)
        elif armed and x.side_rule == "person-noun" and x.sides[0][0] in UNIDENTIFIED:
            x = replace(x, sides=armed[:1], side_rule="told-elsewhere")
        out.append(x)
    return out


def confidence(incident: Incident, date: EventDate, actors: Sequence[Actor], sources: Sequence[Speaker]) -> float:
    """A line through `support`, fitted on labelled articles (bench/calibration.md). support: one each for a date in
    words, a second telling, a third, a source, and both sides (or participants)."""
    roles = {a.role for a in actors}
    both = "participant" in roles or {"attacker", "target"} <= roles
    tellings = len(incident.tellings)
    support = (date.basis != "published" and date.start is not None) + (tellings > 1) + (tellings > 2)
    support += bool(sources) + both
    return round(1 / (1 + math.exp(-(SUPPORT[0] + SUPPORT[1] * support))), 2)


SUPPORT = (-1.04, 0.88)  # log odds that an event is right: without support, and for each point of it


def _clauses(incident: Incident) -> list[tuple[int, int]]:
    ordered = incident.ordered
    return [(t.frame.first, t.frame.last) for t in ordered]


def evidence(c: Context, clauses: Iterable[tuple[int, int]]) -> tuple[Evidence, ...]:
    """Clauses as quotes, none inside another, within the room that a record has."""
    out: list[Evidence] = []
    room = EVIDENCE_ROOM
    for first, last in clauses:
        start, end = c.r.span(first, last)
        if any(e.start <= start and end <= e.end for e in out):
            continue
        room -= end - start
        if (room < 0 and out) or len(out) >= MAX_EVIDENCE:
            break
        out.append(Evidence(start=start, end=end, quote=c.r.folded.raw[start:end]))
    return tuple(out)


def _speakers(incident: Incident, c: Context) -> list[Speaker]:
    """Who speaks in the sentences that tell the incident; where nobody does, who speaks around them."""
    told = [(s, c.r.sentence[s.at] == t.sentence) for t in incident.tellings for s in t.speakers]
    near = any(here for _, here in told)
    out: list[Speaker] = []
    names: set[tuple[str, str, str]] = set()
    for s, here in told:
        key = s.id, fold_word(s.name), s.stance
        if (here or not near) and key not in names and len(out) < MAX_SOURCES:
            names.add(key)
            out.append(s)
    return out


MAX_SOURCES = 6


def _places(c: Context, incident: Incident) -> list[where.Found]:
    """The main place of the telling that names the event best, what lies in it first, then the others' places."""
    tellings = incident.ordered
    seen: set[str] = set()
    out: list[where.Found] = []
    for p in gathered([(t.places, t.inherited) for t in tellings]):
        if p.key(c.r) not in seen:
            seen.add(p.key(c.r))
            out.append(p)
    return out[: max(MAX_PLACES, len(tellings[0].places))]


def _actors(
    c: Context, ids: Ids, incident: Incident, enemies: Mapping[str, Role], accused: Sequence[Role],
    claims: Sequence[ClaimFound],
) -> tuple[tuple[Actor, ...], tuple[Why, ...]]:  # fmt: skip
    ordered = incident.ordered
    chosen: list[Role] = []
    begun = next((r.role for t in ordered for r in t.roles if r.role in ("attacker", "participant")), "")
    for role in ("participant", "attacker", "target"):
        if role != "participant" and any(r.role == "participant" for r in chosen):
            break
        if role == "participant" and begun == "attacker":
            continue  # the telling that names the event best says who began
        pools = [p for t in ordered if (p := [r for r in t.roles if r.role == role])]
        pool = next((p for p in pools if p[0].rule not in SOFT), pools[0] if pools else [])
        if role == "attacker" and all(r.actor in UNIDENTIFIED for r in pool):
            pool = next((p for p in pools if any(r.actor not in UNIDENTIFIED for r in p)), pool)
        if role == "target":
            pool = [*pool, *(r for t in ordered for r in t.roles if r.role == role and r.rule == "victims")]
        taken = {r.actor for r in chosen}
        chosen += [r for i, r in enumerate(pool) if r.actor not in taken and r.actor not in {x.actor for x in pool[:i]}]
    chosen = _begun(ordered, chosen)
    if all(r.role == "target" or r.actor in UNIDENTIFIED for r in chosen):
        chosen += accused[:1]
    if incident.type in ARMED and not any(r.role in ("attacker", "participant") for r in chosen):
        chosen += _gunmen(c, incident, chosen)
    if incident.type in FOUGHT and not any(r.role in ("target", "participant") for r in chosen):
        told = next((enemies[r.actor] for r in chosen if r.role == "attacker" and r.actor in enemies), None)
        if told is not None:
            chosen.append(replace(told, role="target", rule="told-elsewhere"))
    if incident.type in HURT and not any(r.role in ("target", "participant") for r in chosen):
        hit = next((x for x in claims if x.outcome in HARMED and x.count != 0 and x.sides), None)
        chosen += [Role("target", side, hit.at, hit.last, "people-counted") for side, _ in hit.sides] if hit else []
    chosen = list({(r.role, r.actor): r for r in reversed(chosen)}.values())[::-1][:MAX_ACTORS]
    firm = [r for r in chosen if r.role == "participant" or r.actor not in UNIDENTIFIED]
    kept = [r for r in chosen if r in firm or not any(f.role == r.role for f in firm)]
    actors = tuple(
        Actor(role=r.role, id=r.actor, coarse=ids.coarse(r.actor), name=ids.name(r.actor),  # type: ignore[arg-type]
              kind=ids.kind(r.actor), text=c.r.quote(r.first, r.last),  # type: ignore[arg-type]
              span=c.r.span(r.first, r.last))
        for r in kept
    )  # fmt: skip
    return actors, tuple(Why(rule=r.rule, span=c.r.span(r.first, r.last)) for r in kept)


ARMED = FOUGHT | {"Attack", "Abduction/forced disappearance", "Grenade", "Remote explosive/landmine/IED"}


def _begun(ordered: Sequence[Told], chosen: Sequence[Role]) -> list[Role]:
    """A fight of two sides as one side's attack, where a telling says which of them attacks the other."""
    sides = {r.actor for r in chosen if r.role == "participant"}
    for told in ordered if len(sides) == 2 else ():
        by = [r for r in told.roles if r.role == "attacker" and r.actor in sides]
        at = [r for r in told.roles if r.role == "target" and r.actor in sides and r.rule not in GUESSED]
        if len(by) == 1 and at and all(r.actor != by[0].actor for r in at):
            return [*by, *at, *(r for r in chosen if r.role != "participant" and r.actor not in sides)]
    return list(chosen)


def _gunmen(c: Context, incident: Incident, chosen: Sequence[Role]) -> list[Role]:
    """«مسلحون», «ملثمون» in a sentence of an attack that nobody else is named for, if they are not whom it hit."""
    if any(r.actor in UNIDENTIFIED for r in chosen):
        return []
    for told in incident.ordered:
        low, high = c.r.bounds(told.frame.at)
        near = c.actors.between(max(low, told.frame.at - 25), min(high, told.frame.at + 25))
        for n in near:
            vague = n.id in UNIDENTIFIED or (n.rule == "the-group-meant" and all(n.id != r.actor for r in chosen))
            if vague and n.prefix in PLAIN and "police" not in n.flags and n.first not in c.masked:
                return [Role("attacker", n.id, n.first, n.last, "gunmen")]
    return []


def _days(incidents: Sequence[Incident], today: EventDate) -> list[Mention | None]:
    """The day of each incident, of news without one that of the news beside it; None where nothing tells."""
    own = [(i.best.sentence, dated([(t.date, t.firm) for t in i.ordered])
            or next((t.date for t in i.ordered if t.date is not None), None)) for i in incidents]  # fmt: skip
    fresh = [k for k, i in enumerate(incidents) if i.best.realis == "reported"]
    found = dict(zip(fresh, shared([own[k] for k in fresh], today.start, today.end), strict=True))
    return [found.get(k, m) for k, (_, m) in enumerate(own)]


def _date(c: Context, envelope: Envelope, incident: Incident, m: Mention | None) -> tuple[EventDate, tuple[Why, ...]]:
    if m is not None:
        return m.dated(c.r), (Why(rule=m.rule, span=c.r.span(m.first, m.last)),)
    day = day_of_article(c, incident.tellings[0].frame.at, envelope.today.end)
    if day is not None and incident.best.realis == "reported":
        return day.dated(c.r), (Why(rule="day-of-article", span=c.r.span(day.first, day.last)),)
    return envelope.today, (Why(rule="day-of-publication" if envelope.today.start else "undated"),)


def _civilians(ids: Ids, actors: Sequence[Actor], claims: Sequence[Claim]) -> bool:
    targets = [a for a in actors if a.role == "target"]
    if targets:
        return all(ids.kind(a.id) == "civilian" for a in targets)
    return bool(claims) and all(s.id in ("civilians", "protesters", "journalists") for k in claims for s in k.group)


# ---- claims


def claim_records(
    c: Context, ids: Ids, found: Sequence[ClaimFound], numbers: Sequence[int], speakers: Sequence[Speaker]
) -> tuple[Claim, ...]:
    """Claims of one record: repeats become mentions, parts point to their whole, one a side and outcome is primary."""
    kept: list[ClaimFound] = []
    mentions: list[list[Span]] = []
    index_of: dict[int, int] = {}
    known: dict[tuple[object, ...], int] = {}
    for k, claim in zip(numbers, found, strict=True):
        said = _statement(claim, index_of)
        same = known.get(said) if claim.count is not None else None
        if same is not None:
            index_of[k] = same
            mentions[same].append(c.r.span(claim.first, claim.last))
            continue
        index_of[k] = known[said] = len(kept)
        kept.append(claim)
        mentions.append([])
    primary = _primary(kept, [len(m) for m in mentions])
    out = []
    for i, claim in enumerate(kept):
        whole = index_of.get(claim.part_of) if claim.part_of is not None else None
        out.append(
            Claim(
                outcome=claim.outcome, count=claim.count, unit=claim.unit,  # type: ignore[arg-type]
                low=claim.low, high=claim.high, hedge=claim.hedge, group=_group(c, ids, claim),
                category=claim.category, sources=_said_by(c, claim, speakers),
                part_of=whole if whole != i else None, primary=i in primary,
                span=c.r.span(claim.first, claim.last), mentions=tuple(mentions[i]),
            )
        )  # fmt: skip
    return tuple(out)


def _statement(claim: ClaimFound, index_of: dict[int, int]) -> tuple[object, ...]:
    """What a claim says: two equal ones are one statement told twice."""
    whole = index_of.get(claim.part_of) if claim.part_of is not None else None
    return claim.outcome, claim.count, claim.hedge, claim.category, _ids(claim), whole


def _ids(claim: ClaimFound) -> frozenset[str]:
    return frozenset(s for s, _ in claim.sides)


def _group(c: Context, ids: Ids, claim: ClaimFound) -> tuple[Side, ...]:
    return tuple(
        ids.side(c.r, named, side) if named is not None
        else Side(id=side, coarse=ids.coarse(side), name=ids.name(side), text=c.r.quote(claim.first, claim.last),
                  span=c.r.span(claim.first, claim.last))
        for side, named in claim.sides
    )  # fmt: skip


def _said_by(c: Context, claim: ClaimFound, speakers: Sequence[Speaker]) -> tuple[int, ...]:
    sentence = c.r.sentence[claim.at]
    return tuple(i for i, s in enumerate(speakers) if c.r.sentence[s.at] == sentence and s.stance == "asserts")


def _primary(kept: Sequence[ClaimFound], repeats: Sequence[int]) -> set[int]:
    """Per outcome and side the claim told most often, then the one that is no headline's rounding, then the first."""
    best: dict[tuple[str, frozenset[str]], int] = {}
    for i, claim in enumerate(kept):
        if claim.part_of is not None:
            continue
        key = (claim.outcome, _ids(claim))
        j = best.get(key)
        if j is None or _weight(claim, repeats[i]) > _weight(kept[j], repeats[j]):
            best[key] = i
    return set(best.values())


def _weight(claim: ClaimFound, repeats: int) -> tuple[bool, int, bool]:
    return claim.count is not None, repeats, claim.hedge in ("exact", "at_least")


# ---- tolls


def tolls(
    c: Context, ids: Ids, envelope: Envelope, claims: Sequence[ClaimFound], rules: Sequence[str],
    found_places: Along[where.Found], speakers: Along[Speaker],
) -> list[Toll]:  # fmt: skip
    """Running totals: neighbours of one sentence share a record, and a part stands with its whole."""
    groups: list[list[int]] = []
    for k, rule in enumerate(rules):
        if not rule:
            continue
        whole = next((g for g in groups if claims[k].part_of in g), None)
        if whole is not None:
            whole.append(k)
        elif groups and c.r.sentence[claims[groups[-1][0]].at] == c.r.sentence[claims[k].at]:
            groups[-1].append(k)
        else:
            groups.append([k])
    fresh = [claims[k].count or 0 for k, rule in enumerate(rules) if not rule and claims[k].outcome == "killed"]
    everywhere = [claims[k].count for k, rule in enumerate(rules) if rule and claims[k].count]
    arithmetic = reconciliations([n for n in everywhere if n], fresh)
    out: list[Toll] = []
    seen: Counter[tuple[object, ...]] = Counter()
    for group in groups:
        toll = _toll(c, ids, envelope, claims, rules, group, found_places, speakers)
        own = {claims[k].count for k in group}
        kept = tuple(x for x in arithmetic if (x.total in own) or (x.after in own))
        sides = [s.id for s in toll.casualties[0].group]
        key = (toll.casualties[0].outcome, tuple(sorted(sides)), toll.period.end)
        identity = toll_id(toll.article_id, toll.casualties[0].outcome, sides, toll.period.end, seen[key])
        seen[key] += 1
        out.append(replace(toll, id=identity, reconciles=kept))
    return out


def _counted_sides(found: list[ClaimFound]) -> list[ClaimFound]:
    """Claims of a total without a side: «the rest» are those before, people whom nobody calls fighters civilians."""
    out: list[ClaimFound] = []
    for claim in found:
        if not claim.sides:
            rest = out[-1].sides if out and claim.count is None else (("civilians", None),)
            claim = replace(claim, sides=nobodys(claim, rest), side_rule="unnamed-people")
        out.append(claim)
    return out


def _toll(
    c: Context, ids: Ids, envelope: Envelope, claims: Sequence[ClaimFound], rules: Sequence[str], group: list[int],
    found_places: Along[where.Found], speakers: Along[Speaker],
) -> Toll:  # fmt: skip
    first = claims[group[0]]
    low, high = c.r.bounds(first.at)
    said = governing(c, speakers, first.at)
    here = found_places.between(max(low, first.first - 40), min(high, claims[group[-1]].last + 40))
    article, verdict = envelope.unique.article, envelope.unique.verdict
    spans = [(claims[k].first, claims[k].last) for k in group]
    return Toll(
        id="", article_id=article.id, revision=verdict.revision, url=article.url, outlet=article.outlet,
        language=article.language, published=article.published, period=period(c, first),
        places=tuple(where.record(c.r, p) for p in where.ranked(here)[:MAX_PLACES]),
        casualties=claim_records(c, ids, _counted_sides([claims[k] for k in group]), group, said),
        sources=tuple(s.record(c) for s in said), evidence=evidence(c, spans),
        confidence=0.95 if any(rules[k] in ("since", "window", "risen") for k in group) else 0.90,
        why={"scope": tuple(Why(rule=rules[k], span=c.r.span(claims[k].first, claims[k].last)) for k in group),
             "casualties": tuple(Why(rule=claims[k].rule, span=c.r.span(claims[k].first, claims[k].last))
                                 for k in group)},
        extractor=envelope.extractor,
    )  # fmt: skip
