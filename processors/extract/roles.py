"""Who did it and to whom, inside the clause of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.extract.actors import Ids, Named
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.frames import Frame
from processors.extract.phrases import backed
from processors.extract.sources import SAYING
from processors.text import COMMA, SENTENCE, SPACE


@dataclass(frozen=True, slots=True)
class Role:
    """An actor in its role (attacker, target or participant), in words `first:last`."""

    role: str
    actor: str
    first: int
    last: int
    rule: str


def roles(c: Context, ids: Ids, f: Frame, claims: Sequence[Claim]) -> list[Role]:
    """Roles of a frame, each actor once a role."""
    near = [n for n in c.actors.between(*f.inner) if not backed(c, n)]
    victims = {id(named) for k in f.claims if claims[k].count != 0 for _, named in claims[k].sides if named is not None}
    if "clash" in f.flags:
        found = _clash(c, ids, f, near)
        if found:
            return found
    out: list[Role] = []
    joined: tuple[int, tuple[str, str] | None] = (-1, None)  # where the last name ends, and its role
    for n in near:
        if id(n) in victims or n.first in c.masked:
            continue
        role = _role(c, ids, f, n, claims)
        if n.prefix.startswith("و") and joined[0] == n.first and joined[1] is not None and n.rule != "adjective":
            role = joined[1]  # «القوات السورية والروسية»
        joined = n.last, role
        if role is not None:
            who = (n.armed or n.id) if role[0] == "attacker" and f.type not in _PROTEST else n.id
            who = "protesters" if who == "civilians" and role[0] == "attacker" else who
            out.extend(Role(role[0], a, n.first, n.last, role[1]) for a in (who, *n.also))
    aimed = any((x.role == "target" and x.rule in ("onto", "hits", "thing-hit", "thing-of") and ids.armed(x.actor))
                or ids.kind(x.actor) == "political" for x in out)  # fmt: skip
    for k in f.claims:
        if aimed and claims[k].side_rule in ("person-noun", "same-people") and claims[k].category == "unknown":
            continue  # «قصف مقر الحزب ... 12 شخصا»
        for actor, named in claims[k].sides:
            if claims[k].part_of is None and named is not None and claims[k].count != 0:
                out.append(Role("target", actor, named.first, named.last, "victims"))
            elif named is None and claims[k].outcome not in ("displaced", "released") and claims[k].count != 0:
                out.append(Role("target", actor, claims[k].at, claims[k].last, "people-counted"))
    if f.type in _PROTEST - _PROTEST_BY and not any(x.role == "target" for x in out):
        out.append(Role("target", "protesters", f.trigger.first, f.trigger.last, "protest-word"))
    if f.type in _PROTEST_BY and not any(x.role == "attacker" for x in out):
        out.insert(0, Role("attacker", "protesters", f.trigger.first, f.trigger.last, "protest-word"))
    if not any(x.role == "target" for x in out) and "capture" not in f.flags and f.type not in _PROTEST:
        hit = next((h for k in range(f.at, f.inner[1]) if (h := c.cue(k, "civil_target"))), None)
        if hit is not None and _onto(c, f, hit.first):
            out.append(Role("target", "civilians", hit.first, hit.last, "civilian-object"))
        elif (people := _people_hit(c, f)) is not None:
            out.append(people)
    if "capture" in f.flags and not any(x.role == "attacker" for x in out):
        low = max(c.r.bounds(f.at)[0], f.at - 25)
        before = next((n for n in c.actors.before(f.at, 20) if low <= n.first and not n.weak
                       and n.rule != "adjective" and ids.armed(n.id)), None)  # fmt: skip
        if before is not None:
            out.insert(0, Role("attacker", before.id, before.first, before.last, "subject-carried-on"))
    if not any(x.role == "attacker" for x in out) and (speaker := _speaker_did(c, ids, f)) is not None:
        out.insert(0, Role("attacker", speaker.id, speaker.first, speaker.last, "speaker"))
    return _consistent(out)


def _speaker_did(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«وقالت الشرطة إنها [اعتقلت] ...»: the speaker did it."""
    low = c.r.bounds(f.at)[0]
    if not verb_of(f) or f.at - 1 <= low or not c.cue(f.at - 1, "that_they"):
        return None
    before = next(iter(c.actors.before(f.at, 1)), None)
    good = before is not None and before.first >= low and before.rule != "adjective" and ids.armed(before.id)
    return before if good else None


def _people(f: Frame, claims: Sequence[Claim]) -> set[int]:
    """Words of the frame's claims."""
    return {w for k in f.claims for w in range(claims[k].first, claims[k].last)}


def _onto(c: Context, f: Frame, k: int) -> bool:
    """Whether word `k` is what the frame hits: «على», «استهدفت» between, or the trigger itself means hitting."""
    span = range(f.at, k)
    if any(c.cue(j, "onto", "hits") for j in span) or bool(f.flags & {"attack"}):
        return True
    if not verbish(f) or f.flags & {"protest", "moved", "transfer"} or k - f.trigger.last > 6:
        return False
    return c.r.words[k].startswith("ب") or c.cue(k - 1, "place_before", "preposition") is None


def _people_hit(c: Context, f: Frame) -> Role | None:
    """Unnamed people as the object of an attack, an abduction, an arrest: «اقتاد المسلحون عشرين راعيا»."""
    violent = f.flags & {"attack", "abduct", "arrest", "generic", "strong", "kill"} or f.type == "Sexual violence"
    if not violent or f.flags & {"protest", "clash", "moved", "transfer"}:
        return None
    for k in range(f.trigger.last, min(f.inner[1], f.trigger.last + PEOPLE_REACH)):
        if c.r.gap[k] > SPACE and k > f.trigger.last:
            return None
        noun = c.hits.at("persons", k)
        if noun is None or noun.prefix.endswith("ب") or k in c.masked:
            continue
        side = noun.entry.get("side").rstrip("?")
        if noun.entry.get("category") == "combatant" or side in ("", "same"):
            continue
        named = c.named.get(k)
        if named is not None and "victim" not in named.flags and not named.weak and named.id != "protesters":
            continue
        hit = f.flags & {"abduct", "arrest", "attack", "kill"} or f.type == "Sexual violence"
        if hit or any(c.cue(j, "onto", "hits") for j in range(f.at, k)):
            who = side if side in CIVIL else "civilians"
            return Role("target", who, k, noun.last, "people-object")
        return None
    return None


PEOPLE_REACH = 8  # words
CIVIL = frozenset(("civilians", "journalists", "health_workers", "aid_workers", "prisoners", "protesters"))


def _consistent(found: list[Role]) -> list[Role]:
    """Each actor once a role; nobody attacks himself."""
    seen: set[tuple[str, str]] = set()
    out: list[Role] = []
    for x in found:
        if (x.role, x.actor) in seen or (x.role == "target" and ("attacker", x.actor) in seen):
            continue
        seen.add((x.role, x.actor))
        out.append(x)
    return out


def _clash(c: Context, ids: Ids, f: Frame, near: list[Named]) -> list[Role]:
    """«اشتباكات بين أ وب», «مواجهات مع ب»."""
    low, high = c.r.bounds(f.at)
    between = next((h for k in range(f.trigger.last, f.trigger.last + 4) if (h := c.cue(k, "between"))), None)
    if between is not None:
        stop = next((k for k in range(between.last, min(between.last + 25, high)) if k not in c.named
                     and c.cue(k, "np_stop", "onto") and c.r.words[k] != "بين"), high)  # fmt: skip
        fighters = [n for n in c.actors.between(between.last, stop) if n.rule != "adjective"]
        if len({n.id for n in fighters}) > 1 or any(n.also for n in fighters):
            near = fighters
    sides = [n for n in near if n.rule != "adjective" and "victim" not in n.flags]
    if len({n.id for n in sides}) < 2 and not any(n.also for n in sides):
        sides = [n for n in c.actors.between(max(low, f.at - 40), min(high, f.at + 40)) if not backed(c, n)
                 and n.rule != "adjective" and "victim" not in n.flags]  # fmt: skip
    strong = [n for n in sides if not n.weak] if near is not sides and between is None else []
    sides = strong if len({n.id for n in strong}) > 1 or any(n.also for n in strong) else sides
    begun = next((n for n in sides if _agent_before(c, n)), None)
    out: list[Role] = []
    for n in sides:
        for a in (n.id, *n.also):
            role = "participant"
            if begun is not None:
                role = "attacker" if a == begun.id else "target"
            if all(a != x.actor for x in out):
                out.append(Role(role, a, n.first, n.last, "clash"))
    return out if len(out) > 1 else []


def _agent_before(c: Context, n: Named) -> bool:
    """Whether the words before a name make it the doer («من قبل», «شنها», «على يد»)."""
    for back in range(1, 5):
        k = n.first - back
        if k < 0 or c.r.gap[k + 1] >= SENTENCE:
            return False
        cue = c.cue(k, "agent")
        if cue is not None and n.first - cue.last <= 2:
            return True
        if back > 1 and (c.cue(k, "onto", "hits") or k in c.named):
            return False
    return False


def _role(c: Context, ids: Ids, f: Frame, n: Named, claims: Sequence[Claim]) -> tuple[str, str] | None:
    trigger = f.trigger
    distance = n.first - trigger.last
    if n.rule == "adjective":
        hurt = f.flags & {"arrest", "kill", "abduct", "attack"} or n.first in _people(f, claims)
        if hurt and c.hits.at("persons", n.first) is not None:
            return None
        between = range(trigger.last, n.first)
        placed = any(c.hits.at("places", k) or c.hits.at("place_cues", k) for k in between)
        near = distance in (0, 1) or (distance == 2 and not placed)
        if trigger.entry.get("form") == "noun" and near and not _broken(c, trigger.last, n.first):
            return "attacker", "nationality"
        return None
    if "victim" in n.flags or (n.id == "civilians" and not n.armed):
        hit = _onto_before(c, n, trigger.first) is not None or 0 <= distance <= 1
        return ("target", "people-hit") if hit and f.type not in _PROTEST else None
    if n.id == "protesters":
        verb = trigger.entry.get("form") == "verb"
        by = f.type in _PROTEST_BY or (verb and "strong" not in f.flags and (n.last <= f.at or distance == 0))
        return ("attacker", "protesters") if by else ("target", "protesters")
    if f.type in _PROTEST - _PROTEST_BY and ids.kind(ids.near(n.id)) in ("state", "unknown"):
        return "attacker", "forces-at-protest"
    if "theirs" in n.flags:
        return "target", "their-place"
    if _agent_before(c, n):
        return "attacker", "agent"
    if n.last <= f.at and _accused(c, n, f.at):
        return "attacker", "accused"
    held = _belongs_before(c, n)
    if held == "thing":
        return "target", "thing-of"
    if held == "attack":
        return "attacker", "of-attack"
    repelled = 0 <= f.at - n.last <= 3 and not verb_of(f) and any(c.cue(k, "repels") for k in range(f.inner[0], f.at))
    if repelled:
        return "target", "repels"
    if n.rule == "thing-nationality":
        return ("target", "thing-of") if n.first >= f.at or f.at - n.last > 2 or not verb_of(f) else None
    if "arrest" in f.flags and ids.kind(ids.near(n.id)) in ("state", "external", "unknown"):
        by = n.first < f.at or distance <= 1
        return ("attacker", "arrester") if by and not n.prefix.startswith("ل") else None
    if n.last <= f.at and any(c.cue(k, "claimed") for k in range(n.last, f.at)):
        following = c.actors.behind(n.last, 1)
        last_named = not following or following[0].first >= f.at
        return ("attacker", "claimed") if last_named else None
    if any(c.cue(k, "undergo") for k in range(max(f.inner[0], n.first - 3), n.first)):
        return "target", "undergoes"
    onto = _onto_before(c, n, trigger.first)
    if onto is not None:
        return "target", onto
    return _by_syntax(c, ids, f, n, distance)


_PROTEST_BY = frozenset(("Peaceful protest", "Violent demonstration", "Mob violence"))
_PROTEST = _PROTEST_BY | {"Protest with intervention", "Excessive force against protesters"}


def _by_syntax(c: Context, ids: Ids, f: Frame, n: Named, distance: int) -> tuple[str, str] | None:
    """Subject and object by their place around the trigger."""
    verb = f.trigger.entry.get("form") == "verb"
    does = _does_before(c, n)
    if does:
        return "attacker", "subject-of-" + does
    if "capture" in f.flags:
        if _possession(c, n):
            return "target", "held-by"
        first = _first_after(c, f)
        if n.first < f.at or n is first:
            return "attacker", "taker"
        return ("target", "taken-from") if ids.armed(n.id) else None
    if "transfer" in f.flags:
        return "attacker", "leaver"
    if "attack" in f.flags and distance >= 0 and f.trigger.entry.get("form") == "noun":
        if (
            distance == 0
            and verbish(f)
            and ids.armed(n.id)
            and c.joined(n.last)
            and (c.hits.at("persons", n.last) is not None or n.last <= f.counted < n.last + 4)
        ):
            return "attacker", "killer"
        return "target", "attacked"
    if "kill" in f.flags:
        return ("attacker", "killer") if verb and _kills(c, f, n, distance) else None
    if distance >= 0:
        if "defend" in f.flags:
            first = _first_after(c, f)
            return ("target" if first is None or ids.allied(n.id, first.id) else "attacker"), "repelled"
        hit = any(c.cue(k, "armed_target", "civil_target") for k in range(f.trigger.last, n.first))
        if verb:
            first = _first_after(c, f)
            if hit and distance <= 8:
                return "target", "thing-hit"
            if n is first and distance <= 2 and not (distance == 0 and _subject_before(c, f)):
                return "attacker", "verb-subject"
            return ("target", "verb-object") if distance <= 12 else None
        if hit and distance <= 8:
            return "target", "thing-hit"
        if distance <= 2 and not _broken(c, f.trigger.last, n.first):
            return "attacker", "noun-agent"
        if _chained(c, n, f):
            return "attacker", "noun-agent-and"
        return None
    if "defend" in f.flags:
        return "target", "repels"
    if verb and n.first < f.at and f.at - n.last <= 8 and c.cue(n.first - 1, "onto") is None:
        return "attacker", "subject-before"
    follows = c.cue(n.last, "does", "hits") if n.last < len(c.r.words) else None
    if follows is not None:
        return "attacker", "subject-before"
    return _subject_of_clause(c, f, n)


def verb_of(f: Frame) -> bool:
    return f.trigger.entry.get("form") == "verb"


def _accused(c: Context, n: Named, at: int) -> bool:
    """«اتهم المجلس [قوات النظام] بقصف ...»: the last one named between the accusing and what it is about."""
    low = max(c.r.bounds(at)[0], n.first - ACCUSED)
    if not any((h := c.hits.at("sources", k)) and h.entry.get("kind") == "accuses" for k in range(low, n.first)):
        return False
    if not c.r.words[at].startswith("ب") and not any(c.r.words[k].startswith("ب") for k in range(n.last, at)):
        return False
    following = c.actors.behind(n.last, 1)
    return at - n.last <= ACCUSED and (not following or following[0].first >= at)


ACCUSED = 12  # words
PLAIN = frozenset(("", "و", "ف", "ال", "وال", "فال"))  # before a subject or an object: no preposition


def _belongs_before(c: Context, n: Named) -> str:
    """«موقع ل[الحوثيين]»: "thing"; «هجوم ل[طالبان]»: "attack"; "" where nothing in front of a name is its own."""
    if n.prefix in ("ل", "لل"):
        k = n.first - 1
    elif n.first and c.r.words[n.first - 1] == "ل":
        k = n.first - 2
    else:
        return ""
    for back in range(k, max(k - 3, -1), -1):
        if c.r.gap[back + 1] > SPACE or back in c.named:
            return ""
        trigger = next((h for j in (back, back - 1) if (h := c.hits.at("triggers", j)) and h.last == back + 1), None)
        if trigger is not None:
            fits = trigger.entry.get("form") == "noun" and not trigger.entry.flags & NOT_DONE
            return "attack" if fits else ""
        if c.cue(back, "armed_target", "civil_target"):
            return "thing"
        if c.cue(back, "preposition", "np_stop", "onto"):
            return ""
    return ""


NOT_DONE = frozenset(("moved", "transfer", "capture", "built", "kill", "agreement", "found", "group", "control",
                      "protest", "weapon"))  # fmt: skip


def _subject_before(c: Context, f: Frame) -> bool:
    """«الجيش الوطني يقصف ...»: whether the subject stands right in front of the verb."""
    before = next(iter(c.actors.before(f.at, 1)), None)
    return before is not None and f.at - before.last <= 1 and before.prefix in PLAIN and before.rule != "adjective"


def verbish(f: Frame) -> bool:
    """A verb, or a word that may be one («قصف»)."""
    bare = f.trigger.last - f.at == 1 and f.trigger.prefix in ("", "و", "ف") and not f.trigger.suffix
    return verb_of(f) or bare


def _subject_of_clause(c: Context, f: Frame, n: Named) -> tuple[str, str] | None:
    """VSO around a noun trigger: «استأنفت القوات ... قصف المدينة»."""
    if f.flags & {"kill", "clash", "protest"} or n.weak or n.prefix not in PLAIN:
        return None
    first = next(iter(c.actors.behind(f.inner[0], 1)), None)
    if first is not n or n.first - f.inner[0] > 3 or n.first == 0 or f.at - n.last > 10:
        return None
    between = range(f.inner[0], f.at)
    if c.cue(n.first - 1, "preposition", "np_stop") or any(c.cue(k, "undergo") for k in between):
        return None
    said = any((h := c.hits.at("sources", k)) and h.entry.get("kind") in SAYING for k in between)
    return None if said else ("attacker", "subject-of-clause")


def _kills(c: Context, f: Frame, n: Named, distance: int) -> bool:
    """«قتلت [القوات] فلسطينيا», «[مسلحون] قتلوا شابين»: the subject, if its victims follow as an object."""
    if distance == 0:
        if n.last <= f.counted < n.last + 6:
            return n.rule != "adjective"
        return c.joined(n.last) and c.hits.at("persons", n.last) is not None and not c.r.words[n.last].startswith("و")
    plural = f.trigger.suffix in ("وا", "ت", "ها", "ته", "تها", "ه") or f.trigger.entry.text.endswith(("وا", "ت"))
    active = plural or f.trigger.entry.text.startswith(("ي", "ت"))
    follows = f.trigger.last <= f.counted <= f.trigger.last + 3 or (
        f.trigger.last < len(c.r.words) and c.hits.at("persons", f.trigger.last) is not None)  # fmt: skip
    return active and follows and 0 <= f.at - n.last <= 3 and n.prefix in PLAIN and n.rule != "adjective"


def _chained(c: Context, n: Named, f: Frame) -> bool:
    return n.prefix.startswith("و") and any(
        m.last == n.first and 0 <= m.first - f.trigger.last <= 2 for m in c.actors.before(n.first, 2)
    )


def _first_after(c: Context, f: Frame) -> Named | None:
    return next((n for n in c.actors.between(f.trigger.last, f.inner[1]) if n.rule != "adjective"), None)


def _possession(c: Context, n: Named) -> bool:
    """«كانت تحت سيطرة ...», «من سيطرة ...», «من تنظيم ...»."""
    before = range(max(0, n.first - 3), n.first)
    return any(c.cue(k, "held") for k in before) or (bool(before) and c.r.words[n.first - 1] == "من")


def _does_before(c: Context, n: Named) -> str:
    for back in (1, 2):
        k = n.first - back
        if k < 0 or c.r.gap[k + 1] > SPACE:
            return ""
        cue = c.cue(k, "does")
        if cue is not None:
            return cue.entry.text
        if k in c.named:
            return ""
    return ""


def _onto_before(c: Context, n: Named, trigger: int) -> str | None:
    """«على مواقع ...», «ضد ...», «استهدفت ...» before a name; chains of names carry it on."""
    k = n.first
    for _ in range(7):
        k -= 1
        if k < 0 or c.r.gap[k + 1] >= SENTENCE or (c.r.gap[k + 1] == COMMA and not n.prefix.startswith("و")):
            return None
        cue = c.cue(k, "onto", "hits", "agent", "does")
        if cue is not None and k >= min(trigger, n.first - 7):
            kind = cue.entry.get("kind")
            return kind if kind in ("onto", "hits") and not (kind == "hits" and n.first - cue.last < 1 and
                                                             _subject_of(c, cue.first, n)) else None  # fmt: skip
    return None


def _subject_of(c: Context, verb: int, n: Named) -> bool:
    """VSO: the name right behind a hitting verb is its subject if something else is hit after it."""
    if n.first != verb + 1:
        return False
    if n.rule == "force-nationality" or c.cue(n.first, "artillery", "aircraft"):
        return True
    limit = min(n.last + 12, len(c.r.words))
    for k in range(n.last, limit):
        if c.r.gap[k] >= SENTENCE:
            return False
        placed = c.cue(k - 1, "place_before", "preposition") is not None and c.r.gap[k] == SPACE
        if k in c.named or c.cue(k, "armed_target", "civil_target"):
            return not placed
        place = c.hits.at("places", k) or c.hits.at("place_cues", k)
        if place is not None:
            return not placed and not place.prefix.endswith("ب")
        if _thing(c, k):
            return not placed
    return False


def _thing(c: Context, k: int) -> bool:
    """An indefinite object by its ending («حقولا», «آلية» is none)."""
    word = c.r.words[k]
    return len(word) > 3 and word.endswith("ا") and not word.startswith("ب") and k not in c.dated and (
        c.r.gap[k] == SPACE and c.cue(k, "np_stop", "block", "preposition") is None)  # fmt: skip


def _broken(c: Context, first: int, last: int) -> bool:
    return any(c.cue(k, "onto", "hits", "np_stop") for k in range(first, last)) or any(
        c.r.gap[k] > SPACE for k in range(first, min(last + 1, len(c.r.words)))
    )
