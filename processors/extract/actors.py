"""Actors: who is named, and whom «the organisation», «the latter» and «both sides» point back to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.records import Side
from processors.extract.lexicons import FOLDER, Hit, Hits, Lexicon, table
from processors.text import SPACE, Reading

ARMED_KINDS = frozenset(("state", "rebel", "militia", "external"))
UNIDENTIFIED = frozenset(("unidentified_armed_group", "police_unidentified"))


@dataclass(frozen=True, slots=True)
class Named:
    """An actor named in words `first:last`; `also`: further actors that the same words mean («الطرفين»)."""

    first: int
    last: int
    id: str
    flags: frozenset[str]
    rule: str
    prefix: str = ""
    also: tuple[str, ...] = ()

    @property
    def armed(self) -> str | None:
        """Who they are when they attack, for names that mean a people («فلسطينيون»)."""
        return next((f.partition(":")[2] for f in self.flags if f.startswith("armed:")), None)

    @property
    def weak(self) -> bool:
        return "weak" in self.flags


@dataclass(frozen=True, slots=True)
class Ids:
    """Actor ids with what the lexicon knows of them."""

    rows: Mapping[str, Mapping[str, str]]

    def kind(self, actor: str) -> str:
        row = self.rows.get(actor)
        return row["kind"] if row else "unknown"

    def coarse(self, actor: str) -> str | None:
        """The short list's id for an actor outside it, None for one on the list."""
        row = self.rows.get(actor)
        return row["coarse"] if row and row["coarse"] != actor else None

    def near(self, actor: str) -> str:
        """The short list's id of an actor."""
        return self.coarse(actor) or actor

    def name(self, actor: str) -> str | None:
        row = self.rows.get(actor)
        return row["name"] if row else None

    def armed(self, actor: str) -> bool:
        return self.kind(actor) in ARMED_KINDS or actor in UNIDENTIFIED

    def allied(self, a: str, b: str) -> bool:
        """Whether two actors, or those that they belong to, commonly fight on one side."""
        return allied(a, b) or allied(self.near(a), self.near(b))

    def side(self, r: Reading, n: Named, actor: str | None = None) -> Side:
        actor = actor or n.id
        return Side(id=actor, coarse=self.coarse(actor), name=self.name(actor),
                    text=r.quote(n.first, n.last, n.prefix), span=r.span(n.first, n.last, n.prefix))  # fmt: skip


def actor_ids(lexicon: Lexicon) -> Ids:
    """The table of ids."""
    return Ids({row["id"]: row for row in lexicon.rows["actor_ids"]})


_STATES = table(FOLDER / "ar", "states")
THEATRE = {(row["who"], row["country"]): row["id"] for row in _STATES if row["who"] != "home"}
TERMS = {row["id"]: (dt.date.fromisoformat(row["until"]), row["then"]) for row in table(FOLDER / "ar", "terms")}
HOMES = {row["id"]: row["country"] for row in _STATES if row["who"] == "home"}
STATE_OF = {country: actor for (who, country), actor in THEATRE.items() if who == "local"}
_CAMPS = tuple(frozenset(row["ids"].split()) for row in table(FOLDER / "ar", "camps"))


def allied(a: str, b: str) -> bool:
    """Whether two actors commonly fight on one side."""
    return a == b or any(a in camp and b in camp for camp in _CAMPS)


def actors(
    r: Reading, hits: Hits, ids: Ids, country: str, dateline: frozenset[int] = frozenset(), today: dt.date | None = None
) -> list[Named]:
    """Actors in text order, longest name first, coreferences resolved.

    country: ISO code of the country that the text is about; it decides who «the army» and «the police» are.
    dateline: words that no actor may stand in. today: day of publication; an id whose term is over by then gives way to
    its successor (terms.tsv).
    """
    found: list[Named] = []
    end = 0
    words = {h.first for h in hits.of("actors")}
    words.update(h.first for h in hits.of("cues") if hits.cue(h.first, _POINTING) is not None)
    for i in sorted(words):
        if i < end or i in dateline:
            continue
        named = _lexical(r, hits, i, country, found) or _pointing(r, hits, i, found, ids, STATE_OF.get(country, ""))
        if named is not None:
            found.append(_of_its_day(named, today))
            end = named.last
    found = _at_home(found, country)
    return _the_group_meant(_home_army(_belonging(r, hits, found), country), ids, country)


def _at_home(found: list[Named], country: str) -> list[Named]:
    """«المعارضة» is a land's armed opposition only in a text about that land, or that names others of its war."""
    lands = {HOMES[n.id] for n in found if n.id in HOMES and "at-home" not in n.flags} | {country}
    return [n for n in found if "at-home" not in n.flags or HOMES.get(n.id) in lands]


def _of_its_day(named: Named, today: dt.date | None) -> Named:
    """The same words for whom they mean on the day of publication: «الجيش السوري» of 2025 is another army."""
    until, then = TERMS.get(named.id, (dt.date.max, ""))
    return replace(named, id=then) if today is not None and today >= until and "ever" not in named.flags else named


def _the_group_meant(found: list[Named], ids: Ids, country: str) -> list[Named]:
    """«الميليشيات», «المتمردين»: the group that the theatre means by it, if the article names it, else the only group
    that the article names, if it was named not long before."""
    groups = [n for n in found if not n.weak and ids.kind(n.id) in ("rebel", "militia") and n.id not in UNIDENTIFIED]
    known = {n.id for n in groups}
    theatre = THEATRE.get(("rebels", country), "")
    meant = theatre if theatre in known else next(iter(known)) if len(known) == 1 else ""
    if not meant or STATE_OF.get(country) in (None, meant):
        return found
    named = [n.last for n in groups]

    def near(n: Named) -> bool:
        if meant == theatre:
            return True
        return "the-militia" not in n.flags and any(0 <= n.first - k < MEANT_REACH for k in named)

    return [replace(n, id=meant, rule="the-group-meant") if "the-group" in n.flags and n.id in UNIDENTIFIED and near(n)
            else n for n in found]  # fmt: skip


MEANT_REACH = 60  # words


def _home_army(found: list[Named], country: str) -> list[Named]:
    """«القوات الخاصة», «الجيش» in a land of two armies: the one that the article names, if it names but one."""
    default = STATE_OF.get(country)
    named = {n.id for n in found if "home-army" not in n.flags and n.id in ARMIES and HOMES.get(n.id) == country}
    if default is None or len(named) != 1 or default in named:
        return found
    army = named.pop()
    return [replace(n, id=army) if "home-army" in n.flags and n.id == default else n for n in found]


ARMIES = frozenset(row["id"] for row in _STATES if row["who"] == "army")


def _belonging(r: Reading, hits: Hits, found: list[Named]) -> list[Named]:
    """«مسلحون من بوكو حرام», «مسلحون قال إنهم ينتمون إلى بوكو حرام»: the gunmen are the organisation's."""
    out = list(found)
    for k, n in enumerate(found[:-1]):
        if not n.weak or n.id not in UNIDENTIFIED:
            continue
        owner = next((m for m in found[k + 1 : k + 3] if "org" in m.flags), None)
        if owner is not None and _linked(r, hits, n, owner, found[k + 1]):
            out[k] = replace(n, id=owner.id, flags=n.flags - {"weak"}, rule="belonging")
    return out


def _linked(r: Reading, hits: Hits, n: Named, owner: Named, following: Named) -> bool:
    """Whether the words between gunmen and an organisation say that they are of it."""
    between = range(n.last, owner.first)
    if following is owner and len(between) <= 2 and all(hits.cue(j, ("belongs",)) for j in between):
        return True
    near = len(between) <= MEMBER_REACH and all(r.gap[j] == SPACE for j in range(n.last, owner.first + 1))
    return near and any(hits.cue(j, ("member",)) for j in between)


MEMBER_REACH = 6  # words


def _lexical(r: Reading, hits: Hits, i: int, country: str, found: list[Named]) -> Named | None:
    hit = hits.at("actors", i)
    if hit is None or ("country" in hit.entry.flags and as_place(r, hits, hit)) or _no_actor(hits, i):
        return None
    actor, flags = hit.entry.get("id"), hit.entry.flags
    last = hit.last
    if last < len(r.words) and r.gap[last] == SPACE and hits.cue(last, ("made",)):
        return None  # «المقاتلة [الأميركية] الصنع»
    if "local" in flags:
        nation = hits.at("actors", last) if last < len(r.words) and r.gap[last] == SPACE else None
        if nation is not None and "adjective" in nation.entry.flags and nation.prefix in ("", "ال"):
            actor, last = nation.entry.get("id"), nation.last
        else:
            actor = THEATRE.get(("local", country), actor)
    who = next((f.partition(":")[2] for f in flags if f.startswith("theatre:")), None)
    if who is not None and (meant := THEATRE.get((who, country))) is not None:
        actor, flags = meant, flags - {"weak"}
    elif "nowhere-else" in flags:
        return None
    rule = "adjective" if "adjective" in flags else "name"
    if "local" in flags and rule == "name" and last == hit.last and "police" not in flags and who is None:
        flags = flags | {"home-army"}
    if rule == "adjective":
        place = hits.at("places", i)
        if hit.suffix == "ا" and place is not None and place.last == hit.last and not hit.definite:
            return None  # «إسبانيا» is no Spaniard
        head = _nationality_of(r, hits, i, found)
        if head is not None:
            kind = "force-nationality" if hits.cue(head.first, ("force_noun",)) else "thing-nationality"
            return Named(head.first, hit.last, actor, frozenset(), kind, head.prefix)
    if rule == "adjective" and hit.prefix == "وال" and found and found[-1].last == i and found[-1].rule != "adjective":
        rule = "and-nationality"  # «القوات السورية والروسية»
    return Named(i, last, actor, flags, rule, hit.prefix)


def _no_actor(hits: Hits, i: int) -> bool:
    """«مجلس [الأمن]», «[الأمن] القومي»."""
    return any((h := hits.cue(k, ("no_actor",))) is not None and i < h.last for k in (i, i - 1) if k >= 0)


ADJECTIVES = 3  # words between a force and its nationality («طائرات حربية من دون طيار أميركية»: more are another's)


def _nationality_of(r: Reading, hits: Hits, i: int, found: list[Named]) -> Hit | None:
    """The force or thing that a nationality belongs to: «طائرة مسيرة [أمريكية]», «موقعا [حوثيا]»."""
    floor = found[-1].last if found else 0
    for k in range(i - 1, max(i - 2 - ADJECTIVES, floor - 1), -1):
        if r.gap[k + 1] > SPACE:
            return None
        if (cue := hits.cue(k, ("force_noun",))) is not None:
            return cue
        thing = hits.cue(k, ("armed_target",))
        if thing is not None:
            return thing if hits.at("persons", k) is None else None
        if hits.cue(k, ("np_stop", "preposition", "onto")) or hits.at("triggers", k) or hits.at("places", k):
            return None
    return None


def as_place(r: Reading, hits: Hits, hit: Hit) -> bool:
    """Whether a country or capital is meant as a place: «في تركيا», «شمال العراق», «بإيران»."""
    if hits.at("places", hit.first) is None:
        return False
    if hit.prefix.endswith(("ب", "بال")):
        return True
    i = hit.first
    if not i or r.gap[i] > SPACE:
        return False
    if hit.prefix in ("و", "وال"):
        return _in_lands(r, hits, i)
    if hit.prefix not in ("", "ال"):
        return False
    if any(hits.cue(k, ("border",)) for k in range(max(0, hit.first - BORDER_REACH), hit.first)):
        return True  # «على الحدود بين غزة و[إسرائيل]»
    if any(hits.cue(k, ("the_capital",)) and r.gap[k + 1] == SPACE for k in (i - 1, i - 2) if k >= 0):
        return True
    struck = next((h for k in (i - 1, i - 2) if k >= 0 and (h := hits.at("triggers", k)) and h.last == i), None)
    if (
        struck is not None
        and struck.entry.flags.isdisjoint(("strong", "capture", "arrest", "generic"))
        and (struck.entry.get("form") == "noun")
    ):
        return True  # «تفجيرات الرياض»
    if struck is not None and _idafa_of_place(r, hits, struck, hit):
        return True
    cue = hits.cue(i - 1, ("place_before",))
    return (cue is not None and r.words[i - 1] not in ("من", "بين", "الي")) or hits.at("place_cues", i - 1) is not None


def _in_lands(r: Reading, hits: Hits, i: int) -> bool:
    """«في سوريا و[العراق]», «باليمن وليبيا و[الصومال]»: one more of the lands where something was."""
    for k in range(i - 1, max(i - LANDS, -1), -1):
        before = hits.at("places", k)
        if r.gap[k + 1] > SPACE or before is None or before.entry.get("precision") != "country":
            return False
        if before.prefix in ("و", "وال"):
            continue
        if before.prefix.endswith(("ب", "بال")):
            return True
        cue = hits.cue(k - 1, ("place_before",)) if k else None
        return cue is not None and r.gap[k] == SPACE and r.words[k - 1] not in ("من", "بين", "الي")
    return False


LANDS = 5  # words


def _idafa_of_place(r: Reading, hits: Hits, struck: Hit, hit: Hit) -> bool:
    """«هجوم [باريس]», «قصف [دمشق]»: where it was, unless what is hit follows («هجوم [موسكو] على»); of lands only
    behind a word that is no shelling («منفذ هجوم [فرنسا]», but «قصف [إسرائيل]»)."""
    place = hits.at("places", hit.first)
    if struck.entry.get("form") != "noun" or struck.entry.flags & {"capture", "arrest"} or place is None:
        return False
    if place.entry.get("precision") == "country" and ("strong" in struck.entry.flags or struck.definite):
        return False
    after = r.words[hit.last] if hit.last < len(r.words) and r.gap[hit.last] == SPACE else ""
    return not (after in ("علي", "ضد", "بحق") or after.startswith("لل") or hits.cue(hit.last, ("armed_target",))
                or "adjective" in getattr(hits.at("actors", hit.last), "entry", hit.entry).flags)  # fmt: skip


BORDER_REACH = 5  # words
_POINTING = ("both", "the_group", "the_latter", "own_force", "own_place")
_ITS = frozenset(("ه", "ها", "هم", "نا"))


def _pointing(r: Reading, hits: Hits, i: int, found: list[Named], ids: Ids, state: str) -> Named | None:
    """«الطرفين», «التنظيم», «الأخير»: whom they point back to. state: id of the state that the text is about."""
    cue = hits.cue(i, _POINTING)
    if cue is None:
        return None
    kind = cue.entry.get("kind")
    prefix = "لل" if r.words[i].startswith("لل") else cue.prefix
    if kind == "both":
        sides = opposing(found, ids)
        return Named(i, cue.last, sides[0], frozenset(("both",)), "both-sides", "", tuple(sides[1:])) if sides else None
    if kind in ("own_force", "own_place"):
        return _owned(i, cue, found, ids, kind == "own_place", state) if cue.suffix in _ITS else None
    if kind == "the_latter" and i and r.gap[i] == SPACE and r.words[i - 1].startswith("ال"):
        return None  # «الهجوم [الأخير]»
    if kind == "the_latter":
        near = [n for n in found[-12:] if not n.weak and n.rule != "adjective" and i - n.last < 25]
        return Named(i, i + 1, near[-1].id, frozenset(), "the-latter", prefix) if near else None
    org = next((n for n in found[: -RECENT - 1 : -1] if "org" in n.flags and not n.weak), None)
    return Named(i, i + 1, org.id, frozenset(("org",)), "coreference", prefix) if org is not None else None


def _owned(i: int, cue: Hit, found: list[Named], ids: Ids, theirs: bool, state: str) -> Named | None:
    """«قواته», «طائراتها»: the side named last; «مواقعه» behind its attacker: the side named before him."""
    sides = [n for n in found[-8:] if not n.weak and n.rule != "adjective" and "victim" not in n.flags
             and ids.armed(n.id) and i - n.last < OWNED_REACH]  # fmt: skip
    if theirs and sides:
        by = sides[-1] if i - sides[-1].last <= 2 else None
        if by is None:
            return None
        if cue.suffix == "نا" and state and not ids.allied(state, by.id):  # «اعتدى التحالف على [مواقعنا]»
            return Named(i, cue.last, state, frozenset(("theirs",)), "pronoun", cue.prefix)
        sides = [n for n in sides if not ids.allied(n.id, by.id)]
    if cue.suffix == "نا":  # the speaker's, whom nothing that was hit is
        sides = [n for n in sides if n.prefix in ("", "و", "ال")] or sides
    flags = frozenset(("theirs",) if theirs else ())
    return Named(i, cue.last, sides[-1].id, flags, "pronoun", cue.prefix) if sides else None


OWNED_REACH = 40  # words
RECENT = 80  # names that a pointing word may look back over
CAMP_REACH = 45  # words between the first name of a fight and «both sides»


def opposing(found: list[Named], ids: Ids) -> list[str]:
    """The two camps named last: their armed actors of the recent text, the camp named first in front."""
    camps: list[list[str]] = []
    end = found[-1].last if found else 0
    for n in found[: -RECENT - 1 : -1]:
        if n.rule == "both-sides" and not camps:
            return [n.id, *n.also]
        if n.rule in ("adjective", "both-sides") or "victim" in n.flags or not ids.armed(n.id):
            continue
        if n.weak and n.id in UNIDENTIFIED:
            continue
        camp = next((x for x in camps if ids.allied(n.id, x[0])), None)
        if len(camps) == 2 and (camp is None or end - n.last > CAMP_REACH):
            break
        if camp is None:
            camps.append([n.id])
        elif n.id not in camp:
            camp.insert(0, n.id)
    return [a for camp in reversed(camps) for a in camp[:2]] if len(camps) == 2 else []
