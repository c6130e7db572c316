"""Who did it and to whom, inside the clause of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.extract.actors import Ids, Named, allied
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.frames import Frame
from processors.extract.phrases import backed
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
    for n in near:
        if id(n) in victims or n.first in c.masked:
            continue
        role = _role(c, ids, f, n, claims)
        if role is not None:
            who = (n.armed or n.id) if role[0] == "attacker" and f.type not in _PROTEST else n.id
            who = "protesters" if who == "civilians" and role[0] == "attacker" else who
            out.extend(Role(role[0], a, n.first, n.last, role[1]) for a in (who, *n.also))
    for k in f.claims:
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
    if "capture" in f.flags and not any(x.role == "attacker" for x in out):
        low = max(c.r.bounds(f.at)[0], f.at - 25)
        before = next((n for n in c.actors.before(f.at, 20) if low <= n.first and not n.weak
                       and n.rule != "adjective" and ids.armed(n.id)), None)  # fmt: skip
        if before is not None:
            out.insert(0, Role("attacker", before.id, before.first, before.last, "subject-carried-on"))
    return _consistent(out)


def _people(f: Frame, claims: Sequence[Claim]) -> set[int]:
    """Words of the frame's claims."""
    return {w for k in f.claims for w in range(claims[k].first, claims[k].last)}


def _onto(c: Context, f: Frame, k: int) -> bool:
    """Whether word `k` is what the frame hits: «على», «استهدفت» between, or the trigger itself means hitting."""
    span = range(f.at, k)
    return any(c.cue(j, "onto", "hits") for j in span) or bool(f.flags & {"attack"})


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
    if _agent_before(c, n):
        return "attacker", "agent"
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
        return "target", "taken-from"
    if "transfer" in f.flags:
        return "attacker", "leaver"
    if "attack" in f.flags and distance >= 0 and f.trigger.entry.get("form") == "noun":
        return "target", "attacked"
    if "kill" in f.flags:
        killer = verb and distance == 0 and n.last <= f.counted < n.last + 6
        return ("attacker", "killer") if killer and n.rule != "adjective" else None
    if distance >= 0:
        if "defend" in f.flags:
            first = _first_after(c, f)
            return ("target" if first is None or allied(n.id, first.id) else "attacker"), "repelled"
        if verb:
            first = _first_after(c, f)
            if n is first and distance <= 2:
                return "attacker", "verb-subject"
            return ("target", "verb-object") if distance <= 12 else None
        if any(c.cue(k, "armed_target", "civil_target") for k in range(f.trigger.last, n.first)) and distance <= 8:
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


def _subject_of_clause(c: Context, f: Frame, n: Named) -> tuple[str, str] | None:
    """VSO around a noun trigger: «استأنفت القوات ... قصف المدينة»."""
    if f.flags & {"kill", "clash", "protest"} or n.weak or n.prefix not in ("", "و"):
        return None
    first = next(iter(c.actors.behind(f.inner[0], 1)), None)
    if first is not n or n.first - f.inner[0] > 3 or n.first == 0 or f.at - n.last > 10:
        return None
    between = range(f.inner[0], f.at)
    if c.cue(n.first - 1, "preposition", "np_stop") or any(c.cue(k, "undergo") for k in between):
        return None
    said = any((h := c.hits.at("sources", k)) and h.entry.get("kind") not in ("source", "head") for k in between)
    return None if said else ("attacker", "subject-of-clause")


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
    limit = min(n.last + 12, len(c.r.words))
    for k in range(n.last, limit):
        if c.r.gap[k] >= SENTENCE:
            return False
        if k in c.named or c.cue(k, "armed_target", "civil_target") or c.hits.at("places", k):
            return True
    return False


def _broken(c: Context, first: int, last: int) -> bool:
    return any(c.cue(k, "onto", "hits", "np_stop") for k in range(first, last)) or any(
        c.r.gap[k] > SPACE for k in range(first, min(last + 1, len(c.r.words)))
    )
