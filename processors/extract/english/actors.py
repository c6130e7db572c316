"""Actors in English text: names, «Syrian warplanes», «the army» of the country in question, «the militants»."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from processors.extract.actors import STATE_OF, Ids, Named
from processors.extract.lexicons import Hit, Hits
from processors.text import SPACE, Reading

RECENT = 80  # words that «the militants» may look back over
_JOINERS = frozenset(("and", "or"))
_HOLDS = frozenset(["held", "controlled", "dominated", "occupied", "ruled", "besieged", "run", "populated", "majority"])
_TIES = frozenset(["linked", "affiliated", "allied", "aligned", "inspired", "led", "backed", "based", "supported"])
_PLACE_BEFORE = frozenset(
    [
        "in",
        "from",
        "to",
        "into",
        "inside",
        "of",
        "near",
        "across",
        "over",
        "around",
        "within",
        "outside",
        "through",
        "northern",
        "southern",
        "eastern",
        "western",
        "central",
        "northeastern",
        "northwestern",
        "southeastern",
        "southwestern",
        "north",
        "south",
        "east",
        "west",
        "between",
        "throughout",
        "via",
        "toward",
        "towards",
        "leaving",
        "entering",
        "visiting",
        "entire",
    ]
)
_ACTOR_BEFORE = frozenset(["by", "against", "with", "accuse", "accused", "blamed", "blame", "and", "targeting", "said"])
_REBELS_OF = {"SY": "syrian_opposition", "YE": "houthis", "SO": "al_shabaab"}
_REBEL_WORDS = frozenset(["rebels", "rebel"])
_FILLERS = frozenset(
    [
        "government",
        "security",
        "special",
        "federal",
        "national",
        "air",
        "state",
        "local",
        "regular",
        "border",
        "armed",
        "ground",
        "naval",
        "allied",
        "military",
        "fighter",
        "war",
        "attack",
        "combat",
        "elite",
        "regime",
        "coalition",
        "police",
        "army",
        "government's",
        "mechanized",
    ]
)


def capital(r: Reading, k: int) -> bool:
    """Whether word `k` is written with a capital."""
    return r.folded.raw[_raw(r, k)].isupper()


def shouted(r: Reading, k: int) -> bool:
    """Whether word `k` is all capitals («IS», «US»)."""
    start, end = r.span(k, k + 1)
    return r.folded.raw[start:end].replace(".", "").replace("'", "").rstrip("s").isupper()


def _raw(r: Reading, k: int) -> int:
    starts = r.folded.starts
    return r.starts[k] if starts is None else starts[r.starts[k]]


def country(r: Reading, hits: Hits) -> str:
    """The country that the text's places lie in most often, "" where none is named."""
    votes = Counter(h.entry.get("country") for h in hits.of("places") if _counts(r, hits, h))
    return max(sorted(votes), key=lambda k: votes[k]) if votes else ""


def _counts(r: Reading, hits: Hits, h: Hit) -> bool:
    """Whether a place name is one that may say where the text is set: not «SANA», not a word that may be no name."""
    return not h.entry.flags and capital(r, h.first) and hits.at("sources", h.first) is None


def _countries(r: Reading, hits: Hits) -> dict[int, str]:
    """Sentence → the country of its last town or province: whose police acted there."""
    return {
        r.sentence[h.first]: h.entry.get("country") for h in hits.of("places")
        if h.entry.get("precision") != "country" and h.entry.get("country") and _counts(r, hits, h)
    }  # fmt: skip


def actors(r: Reading, hits: Hits, ids: Ids, about: str, dateline: frozenset[int]) -> list[Named]:
    """Actors in text order, none overlapping. about: country of the text; dateline: words that no actor stands in."""
    found: list[Named] = []
    end = 0
    words = {h.first for h in hits.of("actors")}
    words |= {h.first for h in hits.of("persons") if h.entry.get("side") in ("state?", "rebel?")}
    here = _countries(r, hits)
    for i in sorted(words):
        if i < end or i in dateline:
            continue
        named = _named(r, hits, i, here.get(r.sentence[i], about))
        if named is not None:
            found.append(named)
            end = named.last
    return _resolved(r, found, ids, about)


def _named(r: Reading, hits: Hits, i: int, about: str) -> Named | None:
    hit, person = hits.at("actors", i), hits.at("persons", i)
    if (
        person is not None
        and person.entry.get("side") in ("state?", "rebel?")
        and (hit is None or person.last > hit.last)
    ):
        if _modifies(r, hits, person):
            return None
        if person.entry.get("side") == "state?":
            return Named(i, person.last, STATE_OF.get(about, "army"), frozenset(("local", "weak")), "name")
        return Named(i, person.last, "", frozenset(("rebels", "weak")), "name")
    if hit is None:
        return None
    flags, actor = hit.entry.flags, hit.entry.get("id")
    if r.words[i] in ("is", "us") and not shouted(r, i):
        return None
    if "adjective" in flags:
        return _nationality(r, hits, hit)
    if "country" in flags:
        return Named(i, hit.last, actor, flags, "name") if capital(r, i) and _acts(r, hits, hit) else None
    if "coalition" in flags and about == "YE" and "us" not in hit.entry.text.split():
        actor = "saudi_coalition"
    if "local" in flags:
        actor = STATE_OF.get(about, actor)
    after = r.words[hit.last] if hit.last < len(r.words) and r.gap[hit.last] == SPACE else ""
    if after in _HOLDS:
        return Named(i, hit.last, actor, flags | {"holder"}, "name")
    if after in _TIES and _follows(r, hits, hit.last + 1):
        return None
    return Named(i, hit.last, actor, flags, "name")


def _modifies(r: Reading, hits: Hits, person: Hit) -> bool:
    """«a terrorist rocket attack», «militant positions»: the noun only describes another one."""
    k = person.last
    if person.entry.form == "plural" or k >= len(r.words) or r.gap[k] > SPACE:
        return False
    trigger = hits.at("triggers", k)
    return hits.at("units", k) is not None or (trigger is not None and trigger.entry.get("form") == "noun")


def _follows(r: Reading, hits: Hits, k: int) -> bool:
    """Whether another actor stands in the next words («al Qaeda-linked Nusra Front»)."""
    for step in range(5):
        if k + step >= len(r.words) or r.gap[k + step] > SPACE:
            return False
        hit = hits.at("actors", k + step)
        if hit is not None and "adjective" not in hit.entry.flags and "country" not in hit.entry.flags:
            return True
    return False


def _nationality(r: Reading, hits: Hits, hit: Hit) -> Named | None:
    """«Turkish warplanes», «Syrian or Russian jets», «Iraqi special forces»; alone it is a mere adjective."""
    if not capital(r, hit.first):
        return None
    actor, k = hit.entry.get("id"), hit.last
    also: tuple[str, ...] = ()
    if k + 1 < len(r.words) and r.words[k] in _JOINERS:
        second = hits.at("actors", k + 1)
        if second is not None and "adjective" in second.entry.flags:
            also, k = (second.entry.get("id"),), second.last
        elif second is not None and "country" not in second.entry.flags and "local" not in second.entry.flags:
            return Named(hit.first, hit.last, actor, frozenset(), "and-nationality")
    for _ in range(3):
        if k >= len(r.words) or r.gap[k] > SPACE:
            break
        force = hits.cue(k, ("force",))
        if force is not None:
            return Named(hit.first, force.last, actor, frozenset(), "nationality-force", "", also)
        if r.words[k] not in _FILLERS:
            break
        k += 1
    return Named(hit.first, hit.last, actor, hit.entry.flags, "adjective")


def _acts(r: Reading, hits: Hits, hit: Hit) -> bool:
    """Whether a country's name stands for its government: before a verb, behind «by» or «against»."""
    before = r.words[hit.first - 1] if hit.first and r.gap[hit.first] == SPACE else ""
    if before in _PLACE_BEFORE:
        return False
    if before in ("by", "against"):
        return True
    for k in (hit.last, hit.last + 1):
        if k >= len(r.words) or r.gap[k] > SPACE:
            return False
        verb = hits.at("sources", k)
        if verb is not None and verb.entry.get("kind") in ("asserts", "denies", "doubts"):
            return True
        trigger = hits.at("triggers", k)
        if trigger is not None and trigger.entry.get("form") == "verb" and k == hit.last:
            return True
        if r.words[k] not in ("has", "have", "had", "also", "says", "carried", "launched", "began", "fired", "sent"):
            return False
        if r.words[k] in ("carried", "launched", "fired", "sent", "began"):
            return True
    return False


def _resolved(r: Reading, found: Iterable[Named], ids: Ids, about: str) -> list[Named]:
    """With «the militants», «rebels», «the group» pointed at whom the text names last, else next."""
    out: list[Named] = []
    waiting: list[int] = []
    last: Named | None = None
    for n in found:
        if "rebels" in n.flags and "weak" in n.flags:
            words = frozenset(r.words[n.first : n.last])
            if words & _REBEL_WORDS and about in _REBELS_OF:
                n = replace(n, id=_REBELS_OF[about])
            elif last is not None and n.first - last.last <= RECENT:
                n = replace(n, id=last.id, rule="coreference")
            elif "group" in words and n.last - n.first <= 2:
                continue
            else:
                n = replace(n, id="unidentified_armed_group")
                waiting.append(len(out))
        elif ids.kind(n.id) in ("rebel", "militia") and n.rule == "name" and "weak" not in n.flags:
            last = n
            for k in waiting:
                if n.first - out[k].last <= RECENT:
                    out[k] = replace(out[k], id=n.id, rule="coreference")
            waiting.clear()
        out.append(n)
    return out
