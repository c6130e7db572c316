"""Whether the named sides are right."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pipeline.records import Actor, Event, Side
from processors.evaluate.gold import GoldClaim, GoldDocument, GoldEvent, words
from processors.evaluate.names import same_name

#: Sides that readers of one text may fairly confuse; a side may stand in several families.
FAMILIES: dict[str, frozenset[str]] = {
    name: frozenset(ids.split())
    for name, ids in {
        "Damascus": "syrian_regime pro_regime_militia hezbollah iran_militia iraqi_militia",
        "Tehran": "iran iran_militia",
        "Ankara": "turkey turkey_backed_opposition",
        "Syrian rebels": "syrian_opposition turkey_backed_opposition",
        "Syrian Islamists": "hts al_qaeda syrian_opposition",
        "north-east Syria": "sdf ypg",
        "Kurdish parties": "ypg pkk",
        "coalition, USA": "us_coalition usa",
        "coalition, UK": "us_coalition uk",
        "coalition, France": "us_coalition france",
        "Palestinian groups": "hamas islamic_jihad palestinian_factions",
        "Riyadh": "saudi_arabia saudi_coalition uae",
        "Aden": "yemen_gov stc",
        "Baghdad": "iraq_gov iraq_pmf",
        "Iraqi militias": "iraq_pmf iraqi_militia iran_militia",
        "Baghdad and Erbil": "iraq_gov peshmerga",
        "Tripoli": "libya_gna libyan_militia",
        "Benghazi": "libya_lna libyan_militia",
        "Mogadishu": "somalia_gov amisom",
        "IS": "isis sinai_militants",
        "unarmed people": "civilians journalists health_workers aid_workers prisoners protesters",
        "unknown men": "unidentified_armed_group police_unidentified",
        "local armed men": "unidentified_armed_group ethnic_militia yemen_tribes",
    }.items()
}
#: Ids that name nobody: never wrong.
NOBODY = frozenset(("unknown", "unidentified", "unidentified_armed_group", "police_unidentified"))
_MORE_IDS, _MOST_ACTORS = 3, 4  # beyond this a record names everybody to be right by chance


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gold accepts. texts: names for sides without an id. every: [any of] and [any of]."""

    ids: frozenset[str]
    texts: tuple[str, ...] = ()
    every: tuple[tuple[str, ...], ...] = ()
    blank: bool = True  # nothing accepted: True if then anything is right, False if naming somebody is wrong


def known_ids(gold: Iterable[GoldDocument]) -> frozenset[str]:
    """Ids that the gold could have meant: any other is a finer id, neither right nor wrong."""
    named = [ids for d in gold for e in d.events for ids in (e.attacker, e.target)]
    named += [c.group for d in gold for c in d.tolls]
    return frozenset().union(*FAMILIES.values(), *named)


def coarse_ids(actors: Iterable[Actor | Side]) -> frozenset[str]:
    return frozenset(id for a in actors if (id := a.coarse or a.id))


def kin(id: str, accepted: Collection[str]) -> bool:
    """Of a family with an accepted side."""
    return any(id in family and not family.isdisjoint(accepted) for family in FAMILIES.values())


def sides_right(answer: Answer, actors: Sequence[Actor | Side], known: Collection[str]) -> bool:
    """An accepted side (or name) is there, every needed one, and none that is neither accepted nor kin."""
    said = coarse_ids(actors)
    if not answer.ids and not answer.texts:
        return answer.blank or said <= NOBODY
    if any(said.isdisjoint(part) for part in answer.every):
        return False
    if any(id in known and not kin(id, answer.ids) for id in said - answer.ids - NOBODY):
        return False
    if said & answer.ids:
        return len(said) <= len(answer.ids) + _MORE_IDS
    return len(actors) <= _MOST_ACTORS and any(same_name(t, a.text or a.name) for t in answer.texts for a in actors)


def claim_answer(gold: GoldClaim) -> Answer:
    return Answer(frozenset(gold.group), every=gold.group_all or ())


def event_answers(gold: GoldEvent, event: Event) -> tuple[Answer, Answer]:
    """For attacker and target. In a mutual clash `participant` is right: then either list will do for both."""
    attacker, target = frozenset(gold.attacker), frozenset(gold.target)
    if gold.mutual and any(a.role == "participant" for a in event.actors):
        attacker = target = attacker | target
    return (
        Answer(attacker, words(gold.attacker_text), gold.attacker_all or (), blank=False),
        Answer(target, words(gold.target_text), gold.target_all or ()),
    )


def in_role(event: Event, role: str, gold: GoldEvent) -> list[Actor]:
    """The record's actors of that role, participants of a mutual clash included."""
    return [a for a in event.actors if a.role == role or (gold.mutual and a.role == "participant")]
