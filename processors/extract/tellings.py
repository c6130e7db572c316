"""A frame with its arguments: place, date, roles, claims, speakers, and whether it is news or background."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from processors.extract.actors import Ids
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.dates import DAYS_BEFORE
from processors.extract.frames import TOLD, Frame, frames
from processors.extract.holders import conflict, held
from processors.extract.kinds import crowded, typed
from processors.extract.merge import Told
from processors.extract.passages import rehomed, taken_over
from processors.extract.places import Found as Place
from processors.extract.roles import roles
from processors.extract.scenes import scene
from processors.extract.sources import Speaker, governing
from processors.extract.when import carry_on, date_of, realis


def tellings(
    c: Context, ids: Ids, places: Along[Place], claims: Sequence[Claim], rules: Sequence[str],
    said: Along[Speaker], today: dt.date | None, reused: Sequence[tuple[int, int]] = (),
) -> list[Told]:  # fmt: skip
    """Every frame with its arguments in text order; each incident claim hangs on exactly one telling."""
    incident = [not rule for rule in rules]
    found = held(c, ids, places, claims, incident, frames(c, ids, places, claims, incident))
    real = [f for f in found if f.realis in TOLD]
    if not _violent(c, ids, real, claims) and not conflict(c, ids, places, claims, incident):
        found = [f for f in found if f.realis not in TOLD]
        real = []
    own: dict[int, list[int]] = {}
    for claim, home in rehomed(c, _homes(c, found, claims, rules), found, claims, reused).items():
        own.setdefault(home, []).append(claim)
    out: list[Told] = []
    crowd = crowded(c)
    for k, frame in enumerate(found):
        out.append(_told(c, ids, frame, own.get(k, []), places, claims, said, today, out, crowd))
    for t in out:
        word = t.frame.trigger
        if t.realis == "reported" and taken_over(c, word.first, word.last, reused):
            t.realis = "recap"
    carry_on(c, out)
    told = {t.type for t in out if t.realis in TOLD}
    return [t for t in out if t.realis in TOLD or (t.type not in told and not t.generic)]


def _violent(c: Context, ids: Ids, found: Sequence[Frame], claims: Sequence[Claim]) -> bool:
    """Whether the article tells of more than deaths: a weapon, an arrest, a fighter. Else it is accident or crime."""
    if any(not f.flags & {"kill", "weak"} or "arrest" in f.flags for f in found):
        return True
    if not found:
        return False
    if any(h.entry.get("country") in c.at_war for h in c.hits.of("places") if "cue" not in h.entry.flags):
        return True
    if any(k.category == "combatant" for k in claims) or any(c.cue(k, "shot") for f in found for k in range(*f.inner)):
        return True
    if any("moved" in f.flags for f in found):
        return any(not h.entry.flags & {"moved", "kill"} for h in c.hits.of("triggers"))
    return any(ids.armed(n.id) and not n.weak and not n.flags & {"country", "local", "adjective"} for n in c.actors)


def _homes(c: Context, found: Sequence[Frame], claims: Sequence[Claim], rules: Sequence[str]) -> dict[int, int]:
    """Claim → frame: of its clause, else the nearest of its sentence (before rather than behind), else the last one."""
    homes: dict[int, int] = {}
    real = [k for k in range(len(found)) if found[k].realis in TOLD]
    order = Along(real or range(len(found)), lambda k: found[k].at)
    for i, claim in enumerate(claims):
        if rules[i]:
            continue
        if claim.part_of is not None and claim.part_of in homes:
            homes[i] = homes[claim.part_of]
            continue
        low, high = c.r.bounds(claim.at)
        same = order.between(max(low, claim.at - 150), min(high, claim.at + 150))
        inside = [k for k in same if found[k].inner[0] <= claim.at < found[k].inner[1]]
        if inside:
            homes[i] = next((k for k in inside if i in found[k].claims), inside[0])
        elif same:
            homes[i] = min(same, key=lambda k: abs(found[k].at - claim.at) + (5 if found[k].at > claim.at else 0))
        else:
            before = order.before(claim.at, 1)
            if before:
                homes[i] = before[0]
            elif found:
                homes[i] = 0
    return homes


def _told(
    c: Context, ids: Ids, f: Frame, own: list[int], places: Along[Place], claims: Sequence[Claim],
    said: Along[Speaker], today: dt.date | None, before: Sequence[Told], crowd: bool,
) -> Told:  # fmt: skip
    where, inherited = scene(c, f, places, before)
    date, firm = date_of(c, f)
    found = roles(c, ids, f, claims)
    sentence = c.r.sentences[c.r.sentence[f.at]]
    kind, generic = typed(c, ids, f, found, own, claims, crowd)
    keys = frozenset(p.key(c.r) for p in where if p.precision != "country")
    admin = frozenset(p.admin1 for p in where if p.admin1)
    speakers = governing(c, said, f.at)
    if f.realis == "denied":
        speakers = [*(s for s in said.between(*c.r.bounds(f.at)) if s.stance == "denies"), *speakers][:4]
    return Told(
        frame=f, type=kind, generic=generic, realis=realis(c, f, date, today), date=date, places=where,
        inherited=inherited, roles=found, claims=own, speakers=speakers, keys=keys, admin=admin,
        sentence=c.r.sentence[f.at], headline=sentence.headline,
        countries=frozenset(p.country for p in where if p.country), firm=firm,
        tallies=frozenset((x.outcome, frozenset(s for s, _ in x.sides), x.count) for x in (claims[k] for k in own)
                          if x.part_of is None and x.count),
        definite=_definite(c, f),
        apart=(date is not None and date.rule == DAYS_BEFORE) or _another(c, f),
        besides=f.inner[0] <= sentence.first + 2
        and any(c.cue(k, "besides") for k in range(sentence.first, min(sentence.first + 2, sentence.last))),
    )  # fmt: skip


def _definite(c: Context, f: Frame) -> bool:
    """«الهجوم», «التفجير» without a relative clause or a place right behind: what was told of before."""
    if f.trigger.entry.get("form") != "noun" or not f.trigger.definite or not f.flags & {"generic", "attack"}:
        return False
    k = f.trigger.last
    return not (c.joined(k) and (c.cue(k, "which") is not None or c.hits.at("places", k) is not None))


def _another(c: Context, f: Frame) -> bool:
    """«في مناطق أخرى», «في حادث منفصل»: the clause, or the words that open its sentence, say that it is another one."""
    low = c.r.bounds(f.at)[0]
    if any(c.cue(k, "similar") for k in range(f.trigger.last, min(f.trigger.last + 2, f.inner[1]))):
        return True  # «بعد احتجاجات مماثلة»
    opening = range(low, min(low + OPENING, f.inner[1])) if f.inner[0] - low <= OPENING else ()
    return any(c.cue(k, "another") for k in (*opening, *range(*f.inner)))


OPENING = 8  # words
