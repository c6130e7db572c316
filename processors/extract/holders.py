"""Claims that no trigger tells of: the words that say what befell their people are the event.

«قتل ثلاثة في سرمين», «نزوح 300 عائلة», «الإفراج عن 20 أسيراً»: an event is admitted for such a claim where the
article is about a conflict, and no accident, crime or court stands in its sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from processors.extract.actors import Ids
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.frames import (
    BRIEF,
    HOT,
    TOLD,
    Frame,
    accident,
    clause,
    cooled,
    crime,
    fraud,
    heat,
    is_force,
    no_event,
    passing,
    realis_of,
    widened,
)
from processors.extract.lexicons import Entry, Hit
from processors.extract.places import Found as Place

VIOLENT = frozenset(("killed", "injured", "killed_or_injured", "neutralised"))
_MOVED = frozenset(("displaced", "released", "missing"))


def held(
    c: Context, ids: Ids, places: Along[Place], claims: Sequence[Claim], incident: Sequence[bool],
    found: Sequence[Frame],
) -> list[Frame]:  # fmt: skip
    """The frames with those that claims of their own sentences ask for, in text order."""
    taken = {c.r.sentence[f.at] for f in found}
    added: list[Frame] = []
    hot: bool | None = None
    aside = passing(c)
    if crime(c, ids, claims):
        return cooled(c, list(found))
    for k, claim in enumerate(claims):
        if claim.outcome == "missing" and (found or added):
            continue  # of an event told before
        sentence = c.r.sentence[claim.at]
        if not incident[k] or claim.part_of is not None or sentence in taken or c.r.sentences[sentence].skip:
            continue
        hot = (not aside and warlike(c, ids)) if hot is None else hot
        if not _asks(c, ids, places, claim, hot):
            continue
        trigger = _trigger(c, claim)
        if no_event(c, trigger):
            continue
        inner = clause(c, trigger.first)
        realis = realis_of(c, trigger, inner)
        if realis not in TOLD:
            continue
        first, last = widened(c, inner, trigger)
        own = tuple(j for j, x in enumerate(claims) if incident[j] and inner[0] <= x.at < inner[1])
        added.append(Frame(trigger, first, last, inner, trigger.entry.get("type"), trigger.entry.flags, own, realis,
                           "claim", claim.at, aside))  # fmt: skip
        taken.add(sentence)
    return cooled(c, sorted((*found, *added), key=lambda f: f.at) if added else list(found))


def conflict(
    c: Context, ids: Ids, places: Along[Place], claims: Sequence[Claim], incident: Sequence[bool]
) -> bool:  # fmt: skip
    """Whether a fresh claim is the news of a conflict by its own sentence, or by the article's."""
    hot = warlike(c, ids)
    return any(incident[k] and _asks(c, ids, places, x, hot) for k, x in enumerate(claims))


def warlike(c: Context, ids: Ids) -> bool:
    """Whether an article tells of a conflict: two words of war besides its dead, or any in a brief."""
    if len(c.r.words) <= BRIEF:
        return heat(c, ids, ()) >= 1 or any(_warlike(h) for h in c.hits.of("triggers"))
    return heat(c, ids, ()) >= HOT


def _warlike(hit: Hit) -> bool:
    """A trigger that speaks of arms, seizure or flight."""
    return not hit.entry.flags & {"kill", "protest", "agreement", "loot", "built", "moved"}


def _asks(c: Context, ids: Ids, places: Along[Place], claim: Claim, hot: bool) -> bool:
    """Whether a claim is the news of a conflict."""
    if claim.count == 0 or accident(c, claim.at) or _unlike(c, claim.at):
        return False
    if claim.outcome == "captured" and not (hot and c.country in c.at_war) and fraud(c, claim.at):
        return False
    if claim.outcome not in VIOLENT and not (claim.sides or claim.category != "unknown"):
        return False
    if claim.count is None and claim.hedge == "unspecified" and claim.outcome not in VIOLENT:
        return False
    low, high = c.r.bounds(claim.at)
    armed = any(ids.armed(s) for s, _ in claim.sides) and claim.side_rule != "person-noun"
    if claim.outcome in VIOLENT and (claim.category == "combatant" or armed):
        return True
    if claim.outcome == "missing" and len(c.r.words) > BRIEF:
        return False
    near = places.between(max(low, claim.at - 60), min(high, claim.at + 60))
    if any(p.country in c.at_war for p in near):
        return True
    named = c.actors.between(max(low, claim.at - 40), min(high, claim.at + 40))
    if any(is_force(ids, n) or (ids.armed(n.id) and n.rule != "adjective" and "police" not in n.flags) for n in named):
        return True
    return hot


def _unlike(c: Context, at: int) -> bool:
    """Whether the sentence speaks of a court, a crime, sport, fiction or what may be."""
    low, high = c.r.bounds(at)
    near = range(max(low, at - 40), min(high, at + 40))
    if any(c.cue(k, "court", "crime", "sport", "fiction") and c.hits.at("outcomes", k) is None for k in near):
        return True
    if any(c.cue(k, "hypothetical") for k in range(max(low, at - 12), min(high, at + 12))):
        return True
    return any(c.r.words[k] == "قد" and c.r.words[k + 1][:1] in "يت" for k in range(max(low, at - 6), at))


def _trigger(c: Context, claim: Claim) -> Hit:
    """The word that says what befell the people, as a trigger."""
    word = claim.governor if claim.governor is not None else claim.first
    if not claim.first - 12 <= word < claim.last + 12:
        word = claim.first
    known = c.hits.at("triggers", word)
    kind = "captured" if claim.outcome == "captured" else "moved" if claim.outcome in _MOVED else "kill"
    columns, flags = _KINDS[kind]
    hit = known or c.hits.at("outcomes", word) or c.hits.at("persons", claim.at)
    row = hit.entry.row if hit is not None else "outcomes:0"
    last = hit.last if hit is not None and hit.first == word else word + 1
    prefix = hit.prefix if hit is not None and hit.first == word else ""
    return Hit(Entry("outcomes", row, c.r.words[word], columns, flags), word, last, prefix)


_KINDS: Mapping[str, tuple[Mapping[str, str], frozenset[str]]] = MappingProxyType(
    {
        "kill": ({"type": "Attack", "form": "noun"}, frozenset(("kill", "weak", "claim"))),
        "captured": ({"type": "Arrests", "form": "noun"}, frozenset(("arrest", "weak", "claim"))),
        "moved": ({"type": "Other", "form": "noun"}, frozenset(("moved", "weak", "generic", "claim"))),
    }
)
