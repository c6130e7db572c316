"""Who did it and to whom in English: subjects, «by», «against», «on X positions», «clashes with X»."""

from __future__ import annotations

from collections.abc import Sequence

from processors.extract.actors import Ids, Named, allied
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.frames import Frame
from processors.extract.roles import Role
from processors.text import COMMA, SENTENCE

_AUX = frozenset(["was", "were", "been", "being", "is", "are", "be"])
_PREPOSITIONS = frozenset(
    [
        "of",
        "in",
        "at",
        "near",
        "on",
        "from",
        "to",
        "into",
        "with",
        "for",
        "between",
        "against",
        "inside",
        "under",
        "outside",
    ]
)
_DETERMINERS = frozenset(
    ["the", "a", "an", "its", "their", "several", "two", "three", "some", "suspected", "alleged", "both", "mainly"]
)
PROTEST_BY = frozenset(("Peaceful protest", "Violent demonstration", "Mob violence"))
PROTEST = PROTEST_BY | {"Protest with intervention", "Excessive force against protesters"}


def roles(c: Context, ids: Ids, f: Frame, claims: Sequence[Claim]) -> list[Role]:
    """Roles of a frame, each actor once a role."""
    near = c.actors.between(*f.inner)
    victims = {id(named) for k in f.claims for _, named in claims[k].sides if named is not None}
    out: list[Role] = []
    if "clash" in f.flags:
        out = _clash(c, ids, f, near, claims)
        if out:
            return out
    for n in near:
        if id(n) in victims or n.first in c.masked or (n.rule == "adjective" and n.last != f.trigger.first):
            continue
        found = _role(c, ids, f, n)
        if found is not None and not (
            found[0] == "attacker" and ids.kind(n.id) == "civilian" and f.type not in PROTEST
        ):
            out.extend(Role(found[0], a, n.first, n.last, found[1]) for a in (n.id, *n.also))
    for k in f.claims:
        if claims[k].outcome in ("displaced", "released") or claims[k].part_of is not None:
            continue
        for actor, named in claims[k].sides:
            at = (named.first, named.last) if named is not None else (claims[k].at, claims[k].last)
            out.append(Role("target", actor, *at, "victims" if named is not None else "people-counted"))
    if f.type in PROTEST_BY and not any(x.role == "attacker" for x in out):
        out.insert(0, Role("attacker", "protesters", f.trigger.first, f.trigger.last, "protest-word"))
    if not any(x.role == "target" for x in out) and not f.flags & {"capture", "transfer"} and f.type not in PROTEST:
        hit = next((h for k in range(f.trigger.last, f.inner[1]) if (h := c.cue(k, "civil_target"))), None)
        if hit is not None and hit.first - f.trigger.last <= 9:
            out.append(Role("target", "civilians", hit.first, hit.last, "civilian-object"))
    return _consistent(out)


def _consistent(found: list[Role]) -> list[Role]:
    seen: set[tuple[str, str]] = set()
    out: list[Role] = []
    for x in sorted(found, key=lambda x: x.role != "attacker"):
        if (x.role, x.actor) in seen or (x.role == "target" and ("attacker", x.actor) in seen):
            continue
        seen.add((x.role, x.actor))
        out.append(x)
    return out


def _clash(c: Context, ids: Ids, f: Frame, near: list[Named], claims: Sequence[Claim]) -> list[Role]:
    """«clashes between A and B», «A clashed with B», «12 soldiers were killed in clashes with B»."""
    sides = [(n.id, n) for n in near if n.rule != "adjective" and not n.flags & {"victim", "holder"}
             and n.first not in c.masked and ids.armed(n.id)]  # fmt: skip
    sides += [(a, n) for k in f.claims for a, n in claims[k].sides if n is not None and ids.armed(a)]
    out: list[Role] = []
    for actor, n in sorted(sides, key=lambda x: x[1].first):
        if n.weak and any(x.actor == actor or allied(x.actor, actor) for x in out):
            continue
        for a in (actor, *n.also):
            if all(a != x.actor for x in out):
                out.append(Role("participant", a, n.first, n.last, "clash"))
    firm = [x for x in out if x.actor != "unidentified_armed_group"]
    return out if len(out) > 1 and len({x.actor for x in out}) > 1 and firm else []


def _lead(c: Context, n: Named) -> int:
    """The word before a name and its determiners and modifiers."""
    k = n.first - 1
    while k >= 0 and c.r.gap[k + 1] < COMMA and c.r.words[k] in _DETERMINERS:
        k -= 1
    return k


def _agent(c: Context, f: Frame, n: Named) -> bool:
    """«by X», «carried out by X», «blamed on X»; not «territory held by X»."""
    lead = _lead(c, n)
    for k in range(lead, max(lead - 7, -1), -1):
        known = c.named.get(k)
        if c.r.gap[k + 1] >= SENTENCE or (known is not None and not known.weak and c.r.words[k + 1] != "and"):
            return False
        held, agent = c.cue(k, "held"), c.cue(k, "agent")
        if held is not None and held.last <= n.first and (agent is None or held.last > agent.last):
            return False
        if agent is not None:
            short = c.cue(k - 1, "held")
            return n.first - agent.last <= 7 and not (short is not None and short.last > k)
    return False


def _and_after_agent(c: Context, f: Frame, n: Named) -> bool:
    previous = next(iter(c.actors.before(n.first, 1)), None)
    return (
        previous is not None
        and 0 < n.first - previous.last <= 2
        and c.r.words[previous.last] == "and"
        and _agent(c, f, previous)
    )


def _role(c: Context, ids: Ids, f: Frame, n: Named) -> tuple[str, str] | None:
    t = f.trigger
    if f.type in PROTEST:
        if n.id == "protesters":
            return ("attacker" if f.type in PROTEST_BY else "target"), "protesters"
        if f.type not in PROTEST_BY and ids.kind(ids.near(n.id)) in ("state", "unknown"):
            return "attacker", "forces-at-protest"
    if "holder" in n.flags:
        lead = c.r.words[n.first - 3 : n.first]
        return (
            ("attacker", "fired-from")
            if "from" in lead and any(w in ("fired", "launched") for w in c.r.words[max(n.first - 5, 0) : n.first])
            else None
        )
    if any(c.cue(k, "claimed") for k in range(n.last, min(n.last + 4, f.inner[1]))):
        return "attacker", "claimed"
    if _agent(c, f, n) or _and_after_agent(c, f, n):
        return "attacker", "agent"
    if "victim" in n.flags or ids.kind(n.id) == "civilian":
        hit = 0 <= n.first - t.last <= 4
        return ("target", "people-hit") if hit and f.type not in PROTEST else None
    passive = any(w in _AUX for w in c.r.words[max(t.first - 3, f.inner[0]) : t.first])
    verb = t.entry.get("form") == "verb"
    if n.first < t.first:
        return _in_front(c, f, n, verb, passive)
    return _behind(c, f, n, verb, passive)


def _in_front(c: Context, f: Frame, n: Named, verb: bool, passive: bool) -> tuple[str, str] | None:
    t, lead = f.trigger, _lead(c, n)
    word = c.r.words[lead] if lead >= f.inner[0] else ""
    distance = t.first - n.last
    if distance <= 1 and not verb and (distance == 0 or c.r.words[n.last] not in _PREPOSITIONS):
        return "attacker", "modifier"
    if n.rule == "adjective" or distance > 22:
        return None
    if word in _PREPOSITIONS - {"against"} or any(
        c.cue(k, "held") for k in range(max(lead - 2, f.inner[0]), lead + 1) if c.r.words[k] != "against"
    ):
        return None
    if word in ("against", "targeting"):
        return "target", "against"
    if verb and passive:
        return ("target", "passive-subject") if distance <= 8 else None
    if "defend" in f.flags:
        return ("target", "repels") if distance <= 6 else None
    earlier = any(m.first not in c.masked and m.rule != "adjective" and "holder" not in m.flags
                  for m in c.actors.between(f.inner[0], n.first))  # fmt: skip
    joined = lead >= 0 and c.r.words[lead] in ("and", "or")
    if not earlier or joined or distance <= 3:
        return "attacker", "subject"
    return None


def _behind(c: Context, f: Frame, n: Named, verb: bool, passive: bool) -> tuple[str, str] | None:
    t = f.trigger
    distance = n.first - t.last
    onto = None
    for k in range(n.first - 1, max(n.first - 7, t.first - 1), -1):
        if k < 0 or c.r.gap[k + 1] >= SENTENCE:
            break
        if c.cue(k, "held") is not None and c.r.words[k] not in ("against", "fighting"):
            return None
        cue = c.cue(k, "onto")
        if cue is not None:
            onto = cue.entry.text
            break
        if k in c.named and k != n.first:
            break
    if "capture" in f.flags:
        return ("target", "taken-from") if onto == "from" or (onto and distance > 0) else None
    if onto == "from" and not verb:
        return "attacker", "from"
    if onto is not None and onto != "from":
        return "target", onto
    if verb and not passive and 0 <= distance <= 4:
        return "target", "verb-object"
    if c.r.words[n.first - 1] == "with" and "clash" in f.flags:
        return "participant", "with"
    return None
