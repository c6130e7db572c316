"""Who did it and to whom, inside the clause of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.extract.actors import HOMES, UNIDENTIFIED, Ids, Named
from processors.extract.context import Context, Sides
from processors.extract.context import Found as Claim
from processors.extract.doers import (
    PLAIN,
    PROTEST,
    PROTEST_BY,
    accused,
    agent_at,
    doer,
    hostages,
    thing,
    verb_of,
    weapon,
)
from processors.extract.frames import HURT, Frame
from processors.extract.lexicons import Hit
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
    if f.flags & {"clash", "agreement"} or _between_two(c, f):
        found = _clash(c, ids, f, near, claims)
        if found:
            return found
    out: list[Role] = []
    joined: tuple[int, tuple[str, str] | None] = (-1, None)  # where the last name ends, and its role
    for n in near:
        fired = (
            n.rule == "force-nationality" and f.at <= n.first < f.trigger.last and "strong" in f.flags
        )  # «إطلاق [صواريخ إيرانية]»
        if id(n) in victims or (n.first in c.masked and not fired):
            continue
        role = ("attacker", "nationality") if fired else _role(c, ids, f, n, claims)
        if n.prefix.startswith("و") and joined[0] == n.first and joined[1] is not None and n.rule != "adjective":
            role = joined[1]  # «القوات السورية والروسية»
        joined = n.last, role
        if role is not None:
            who = (n.armed or n.id) if role[0] == "attacker" and f.type not in PROTEST else n.id
            who = "protesters" if who == "civilians" and role[0] == "attacker" else who
            out.extend(Role(role[0], a, n.first, n.last, role[1]) for a in (who, *n.also))
    aimed = any((x.role == "target" and x.rule in ("onto", "hits", "thing-hit", "thing-of") and ids.armed(x.actor))
                or ids.kind(x.actor) == "political" for x in out)  # fmt: skip
    for k in f.claims:
        if aimed and claims[k].side_rule in ("person-noun", "same-people") and claims[k].category == "unknown":
            continue  # «قصف مقر الحزب ... 12 شخصا»
        for actor, named in civil_sides(ids, claims[k]):
            if claims[k].part_of is None and named is not None and claims[k].count != 0:
                out.append(Role("target", actor, named.first, named.last, "victims"))
            elif (group := c.named.get(claims[k].at)) is not None and "org" in group.flags:
                continue  # «[طالبان]» are no two students
            elif named is None and claims[k].outcome not in ("displaced", "released") and claims[k].count != 0:
                out.append(Role("target", actor, claims[k].at, claims[k].last, "people-counted"))
    if f.type == "Peaceful protest":
        shot = any(claims[k].outcome in HURT for k in f.claims)
        shot = shot and any(x.rule.startswith("agent") and ids.armed(x.actor) for x in out)
        out = [x for x in out if x.role != "attacker" or (ids.kind(x.actor) == "civilian") != shot]
    if f.type in PROTEST - PROTEST_BY and not any(x.role == "target" for x in out):
        out.append(Role("target", "protesters", f.trigger.first, f.trigger.last, "protest-word"))
    if f.type in PROTEST_BY and not any(x.role == "attacker" for x in out):
        out.insert(0, Role("attacker", "protesters", f.trigger.first, f.trigger.last, "protest-word"))
    if f.type not in PROTEST and (owned := _embassy(c, f)) is not None:
        out = [x for x in out if x.actor != owned.actor and x.rule != "people-counted"] + [owned]
    if not any(x.role == "target" for x in out) and "capture" not in f.flags and f.type not in PROTEST:
        hit = next((h for k in range(f.at, f.inner[1]) if (h := _civil(c, k))), None)
        hit = hit if hit is not None and _onto(c, f, hit.first) else _undergoing(c, f)
        if hit is not None:
            out.append(Role("target", "civilians", hit.first, hit.last, "civilian-object"))
        elif (people := _people_hit(c, f) or _place_hit(c, f) or _town_hit(c, f)) is not None:
            out.append(people)
    if "capture" in f.flags and not any(x.role == "attacker" for x in out):
        low = max(c.r.bounds(f.at)[0], f.at - 25)
        before = next((n for n in c.actors.before(f.at, 20) if low <= n.first and not n.weak
                       and n.rule != "adjective" and ids.armed(n.id) and not backed(c, n)), None)  # fmt: skip
        if before is not None:
            out.insert(0, Role("attacker", before.id, before.first, before.last, "subject-carried-on"))
            lord = next((m for m in c.actors.before(before.first, 1) if ids.armed(m.id) and not m.weak), None)
            if lord is not None and lord.first >= low and c.cue(lord.last, "ally") and before.first - lord.last <= 2:
                out.insert(0, Role("attacker", lord.id, lord.first, lord.last, "subject-carried-on"))
    if not any(x.role == "target" for x in out) and (at := _against(c, ids, f, out)) is not None:
        out.append(at)
    if "capture" in f.flags and not any(x.role == "target" for x in out):
        out += _loser(c, ids, f, out)
    if not any(x.role == "attacker" for x in out) and (by := doer(c, ids, f)) is not None:
        n, rule = by
        out.insert(0, Role("attacker", n.armed or n.id, n.first, n.last, rule))
    if any(x.role == "attacker" and x.rule == "agent" for x in out):
        out = [x for x in out if x.rule not in LESS_THAN_AGENT]
    if any(x.role == "attacker" and x.rule.startswith("subject-of-") and x.rule != "subject-of-clause" for x in out):
        out = [x for x in out if x.rule != "subject-of-clause"]
    aimed = any(x.role == "target" and x.rule != "thing-near" for x in out)
    return _consistent([x for x in out if x.rule != "thing-near"] if aimed else out)


LESS_THAN_AGENT = frozenset(("arrester", "nationality", "subject-before", "subject-of-clause"))  # beside «من قبل ...»


def _against(c: Context, ids: Ids, f: Frame, found: Sequence[Role]) -> Role | None:
    """«لاستعادة أراض تسيطر عليها [المعارضة]», «عملية للقضاء على [التنظيم]»: who holds the place, or whom it is to
    drive out, further on in the sentence."""
    if f.flags and (not f.flags & {"capture", "strong", "generic", "clash"} or "moved" in f.flags):
        return None
    if f.type in PROTEST | {"Chemical weapon"}:
        return None
    by = [x.actor for x in found if x.role != "target"]
    high = min(c.r.bounds(f.at)[1], f.at + AGAINST_REACH)
    for k in range(f.trigger.last, high):
        cue = c.cue(k, "rules_over", "drives_out")
        if cue is None:
            continue
        n = next(iter(c.actors.behind(cue.last, 1)), None)
        if n is None or n.first - cue.last > 2 or n.rule == "adjective" or not ids.armed(n.id):
            continue
        if not any(ids.allied(n.id, a) for a in by):
            return Role("target", n.id, n.first, n.last, "holder")
    return None


AGAINST_REACH = 30  # words


def _loser(c: Context, ids: Ids, f: Frame, found: Sequence[Role]) -> list[Role]:
    """«سيطرت القوات على البلدة ... من معاقل [التنظيم]»: the enemy of the takers whom the sentences around name, where
    they name one."""
    takers = [x.actor for x in found if x.role == "attacker"]
    at = c.r.sentence[f.at]
    around = c.r.sentences[max(0, at - LOSER_BACK) : at + 2]
    foes = [n for n in c.actors.between(around[0].first, around[-1].last)
            if not n.weak and n.rule != "adjective" and not backed(c, n) and _foe(ids, n.id, takers)]  # fmt: skip
    one = takers and len({n.id for n in foes}) == 1
    return [Role("target", foes[0].id, foes[0].first, foes[0].last, "holder")] if one else []


LOSER_BACK = 2  # sentences


def _foe(ids: Ids, actor: str, takers: Sequence[str]) -> bool:
    """Whether a group commonly fights those who took a place: none of their allies, nor, where they are rebels, another
    rebel of their land."""
    if ids.kind(actor) not in ("rebel", "militia") or any(ids.allied(actor, a) for a in takers):
        return False
    rebels = all(ids.kind(a) == ids.kind(actor) == "rebel" for a in takers)
    return not (rebels and any(HOMES.get(ids.near(actor)) == HOMES.get(ids.near(a), "") for a in takers))


def civil_sides(ids: Ids, claim: Claim) -> Sides:
    """«اعتقال 14 إيرانيا»: people of a land whom nobody calls fighters are no state's, when they are arrested."""
    nation = claim.side_rule == "person-noun" and claim.category == "unknown" and claim.outcome == "captured"
    if nation and all(named is None and ids.kind(side) == "state" for side, named in claim.sides):
        return (("civilians", None),)
    return claim.sides


def _embassy(c: Context, f: Frame) -> Role | None:
    """«هجوم على [السفارة الفرنسية]», «السفارة الصينية ... تتعرض لهجوم»: whose the embassy is."""
    for n in c.actors.between(*f.inner):
        k = n.first - 1
        if k < 0 or c.r.gap[n.first] > SPACE or not c.cue(k, "embassy"):
            continue
        if "country" not in n.flags and n.rule != "adjective":
            continue
        undergoes = any(c.cue(j, "undergo") for j in range(n.last, f.at))
        if undergoes or (k > 0 and c.cue(k - 1, "onto", "hits")) or (k == f.trigger.last and verbish(f)):
            return Role("target", n.id, k, n.last, "embassy")
    return None


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


def _undergoing(c: Context, f: Frame) -> Hit | None:
    """«تعرضت [المستشفيات] إلى هجمات»: a civilian thing that suffers it."""
    verb = next((k for k in range(f.at - 1, max(f.inner[0], f.at - 8) - 1, -1) if c.cue(k, "undergo")), None)
    if verb is None:
        return None
    near = (*range(verb + 1, f.at), *range(max(f.inner[0], verb - 3), verb))
    return next((h for k in near if (h := _civil(c, k))), None)


def _civil(c: Context, k: int) -> Hit | None:
    """A civilian thing at word `k`: a market, an airport, but no air base."""
    hit = c.cue(k, "civil_target")
    if hit is None or any(c.cue(j, "military") for j in range(hit.last, min(hit.last + 4, len(c.r.words)))):
        return None
    return hit


def _people_hit(c: Context, f: Frame) -> Role | None:
    """Unnamed people as the object of an attack, an abduction, an arrest: «اقتاد المسلحون عشرين راعيا»."""
    violent = f.flags & {"attack", "abduct", "arrest", "generic", "strong", "kill"} or f.type == "Sexual violence"
    if not violent or f.flags & {"protest", "clash", "moved", "transfer"}:
        return None
    inside = {k for n in c.actors.between(f.trigger.last, f.inner[1]) if n.rule != "adjective"
              for k in range(n.first + 1, n.last)}  # fmt: skip
    for k in range(f.trigger.last, min(f.inner[1], f.trigger.last + PEOPLE_REACH)):
        if c.r.gap[k] > SPACE and k > f.trigger.last:
            return None
        noun = c.hits.at("persons", k) if k not in inside else None
        if noun is None or noun.prefix.endswith("ب") or k in c.masked or c.hits.at("places", k):
            continue
        if noun.suffix == "ه" and (nation := c.hits.at("actors", k)) and "adjective" in nation.entry.flags:
            continue  # «قواعد [إسرائيلية]»
        side = noun.entry.get("side").rstrip("?")
        if noun.entry.get("category") == "combatant" and k not in c.named:
            return None  # «قتل خمسة مقاتلين من الأكراد»
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


def _place_hit(c: Context, f: Frame) -> Role | None:
    """«استهداف [مطار] أبوظبي الدولي», «على [مصفاة]»: a civilian place that is hit; an airport is one by its name."""
    for k in range(f.at, min(f.inner[1], f.at + PEOPLE_REACH + 4)):
        hit = c.cue(k, "civil_place")
        if hit is None or not _onto(c, f, k):
            continue
        behind = range(hit.last, min(hit.last + 4, len(c.r.words)))
        civil = any(c.cue(j, "civil_air") for j in behind)
        if not hit.entry.text.startswith("مطار") or civil or c.r.words[hit.last : hit.last + 1] == ("في",):
            return Role("target", "civilians", k, hit.last, "place-hit")
    return None


def _town_hit(c: Context, f: Frame) -> Role | None:
    """«قصف [مدينة] دوما», «غارات على [القرى]», «تعرضت [البلدة] لقصف»: a word for where people live, as what is hit; a
    name alone says nothing of whom it was meant for (docs/decisions/0007-a-shelled-town.md)."""
    if f.type in SHELLED:
        for k in range(f.trigger.last, min(f.inner[1], f.trigger.last + TOWN_REACH)):
            if c.r.gap[k] > SPACE and k > f.trigger.last:
                break
            if c.cue(k, "town") and _aimed_at(c, f, k):
                return Role("target", "civilians", k, k + 1, "town-hit")
    verb = next((k for k in range(f.at - 1, max(f.inner[0], f.at - TOWN_REACH) - 1, -1) if c.cue(k, "undergo")), None)
    if verb is not None and (f.type in SHELLED or "generic" in f.flags) and c.cue(verb + 1, "town"):
        return Role("target", "civilians", verb + 1, verb + 2, "town-hit")
    return None


def _aimed_at(c: Context, f: Frame, k: int) -> bool:
    """Whether word `k` is what the trigger hits: its object, or behind «على»."""
    subject = next(iter(c.actors.before(k, 1)), None)
    if verbish(f) and (k == f.trigger.last or (subject is not None and subject.last == k > f.at)):
        return True
    return c.r.words[k].startswith("ل") or c.cue(k - 1, "toward", "hits") is not None


SHELLED = frozenset(("Air/drone strike", "Shelling/artillery/missile attack", "Chemical weapon"))
TOWN_REACH = 6  # words
CIVIL = frozenset(("civilians", "journalists", "health_workers", "aid_workers", "prisoners", "protesters"))


def _beside(c: Context, n: Named) -> bool:
    """«خارج مركز ل[الشرطة]», «قرب مقر ل[الجيش]»: a thing that only tells where it was."""
    return any(c.cue(k, "beside", "direction") for k in range(max(0, n.first - 4), n.first - 1))


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


def _clash(c: Context, ids: Ids, f: Frame, near: list[Named], claims: Sequence[Claim]) -> list[Role]:
    """«اشتباكات بين أ وب», «مواجهات مع ب»."""
    low, high = c.r.bounds(f.at)
    between = _between(c, f, high)
    if between is not None:
        stop = next((k for k in range(between.last, min(between.last + 25, high)) if k not in c.named
                     and c.cue(k, "np_stop", "onto") and not c.cue(k, "on_one_side")
                     and c.cue(k, "between", "which") is None), high)  # fmt: skip
        fighters = [n for n in c.actors.between(between.last, stop) if n.rule != "adjective" and not backed(c, n)]
        if len({n.id for n in fighters}) > 1 or any(n.also for n in fighters):
            near = fighters
    sides = [n for n in near if n.rule != "adjective" and "victim" not in n.flags and not _owner(c, n)]
    rivals = next((n for n in sides if (between is not None and n.first == between.last and _rivals(c, n))
                   or (c.joined(n.last) and c.cue(n.last, "rival"))), None)  # fmt: skip
    if rivals is not None:
        return [Role("participant", rivals.id, rivals.first, rivals.last, "clash")]
    if len({n.id for n in sides}) < 2 and not any(n.also for n in sides):
        sides = [n for n in c.actors.between(max(low, f.at - 40), min(high, f.at + 40)) if not backed(c, n)
                 and n.rule != "adjective" and "victim" not in n.flags
                 and not _owner(c, n)]  # fmt: skip
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
    if len(out) == 1 and out[0].role == "participant" and len({n.id for n in near if n.rule != "adjective"}) == 1:
        crowd = any((h := c.hits.at("triggers", k)) and "protest" in h.entry.flags
                    for k in range(max(low, f.at - 40), min(high, f.at + 40)))  # fmt: skip
        beside = range(f.trigger.last, min(f.trigger.last + 2, high))  # «اشتباكات عنيفة مع»
        alone = any(c.cue(k, "between", "with") for k in beside) and not crowd
        if between is not None and not crowd:  # «بين مجموعات متناحرة», but not «بين فتح و[..]»
            alone = sides[0].first - between.last <= 1 and not sides[0].prefix.startswith("و")
        return out if alone else []
    hurt = {side for x in claims if f.inner[0] <= x.at < f.inner[1] for side, _ in x.sides}
    friends = all(ids.allied(out[0].actor, x.actor) for x in out)
    if friends and between is None and any(x.actor in hurt for x in out):
        return []  # «اشتباكات تسببت بمقتل 17 من قوات النظام والمسلحين الموالين لها»
    return out if len(out) > 1 else []


def _rivals(c: Context, n: Named) -> bool:
    """«بين [ميليشيات] متناحرة», «بين [الميليشيات] في العاصمة»: many of one kind, who fight each other."""
    near = range(n.last, min(n.last + 3, len(c.r.words)))
    return any(c.cue(k, "rival") for k in near if c.r.gap[k] == SPACE) or (
        n.id in UNIDENTIFIED and not any(c.r.words[k].startswith("و") and c.r.gap[k] == SPACE for k in near)
    )


def _between(c: Context, f: Frame, high: int) -> Hit | None:
    """«اشتباكات [في ريف حلب] بين ...»: the «between» of a clash, past where it was."""
    for k in range(f.trigger.last, min(f.trigger.last + BETWEEN_REACH, high)):
        if k >= f.trigger.last + 4 and (c.r.gap[k] > SPACE or k in c.named or c.hits.at("triggers", k)):
            return None
        if (h := c.cue(k, "between")) is not None:
            return h
    return None


BETWEEN_REACH = 12  # words


def _between_two(c: Context, f: Frame) -> bool:
    """«أعمال عنف [الأسبوع الماضي] بين أ وب»: violence of two sides, whatever it is called."""
    if "generic" not in f.flags or verb_of(f):
        return False
    return any(c.cue(k, "between") and k + 1 not in c.dated for k in range(f.trigger.last, f.trigger.last + 5)
               if k < f.inner[1])  # fmt: skip


def _owner(c: Context, n: Named) -> bool:
    """«سفارة [الولايات المتحدة]», «رئيس [تركيا]»: a land whose something is, no side."""
    if n.first == 0 or c.r.gap[n.first] > SPACE:
        return False
    if "local" in n.flags and c.cue(n.first - 1, "station"):
        return True  # «كلية [الشرطة]»
    return "country" in n.flags and c.cue(n.first - 1, "owner") is not None


def _agent_before(c: Context, n: Named) -> bool:
    """Whether the words before a name make it the doer («من قبل», «شنها», «على يد»)."""
    for back in range(1, 5):
        k = n.first - back
        if k < 0 or c.r.gap[k + 1] >= SENTENCE:
            return False
        cue = c.cue(k, "agent")
        if cue is not None and n.first - cue.last <= (0 if weapon(c, k) else 2):
            return not (c.cue(k, "in_hands") and k and c.cue(k - 1, "remains"))
        if c.cue(k, "onto") or (back > 1 and (c.cue(k, "hits") or k in c.named)):
            return False
    return False


def _role(c: Context, ids: Ids, f: Frame, n: Named, claims: Sequence[Claim]) -> tuple[str, str] | None:
    trigger = f.trigger
    distance = n.first - trigger.last
    if n.rule == "adjective":
        if n.first and agent_at(c, n.first):
            return "attacker", "agent-nationality"
        if _acts(c, f, n):
            return "attacker", "nationality"
        if n.first > 1 and c.hits.at("persons", n.first - 1) and c.cue(n.first - 2, "agent") and c.joined(n.first):
            return "attacker", "agent-nationality"  # «برصاص قناص [إسرائيلي]»
        hurt = f.flags & {"arrest", "kill", "abduct", "attack"} or n.first in _people(f, claims)
        if hurt and (c.hits.at("persons", n.first) is not None or c.hits.at("persons", n.first - 1) is not None):
            return None
        between = range(trigger.last, n.first)
        placed = any(c.hits.at("places", k) or c.hits.at("place_cues", k) for k in between)
        near = distance in (0, 1) or (distance == 2 and not placed)
        if any(c.cue(k, "vehicle", "civil_target") for k in between):
            return None  # «بالحجارة سيارة [فلسطينية]»
        if trigger.entry.get("form") == "noun" and near and not _broken(c, trigger.last, n.first):
            return "attacker", "nationality"
        return None
    if "victim" in n.flags or (n.id == "civilians" and not n.armed):
        hit = _onto_before(c, n, trigger.first) is not None or 0 <= distance <= 1
        return ("target", "people-hit") if hit and f.type not in PROTEST else None
    if n.id == "protesters":
        verb = trigger.entry.get("form") == "verb"
        tries = n.last < f.at and any(c.cue(k, "tries", "does", "sets_off") for k in range(n.first - 1, f.at))
        acts = verb and "strong" not in f.flags and (n.last <= f.at or distance == 0)
        by = f.type in PROTEST_BY or (tries and f.type not in PROTEST) or acts
        return ("attacker", "protesters") if by else ("target", "protesters")
    if f.type in PROTEST - PROTEST_BY and ids.kind(ids.near(n.id)) in ("state", "unknown"):
        return "attacker", "forces-at-protest"
    if n.last < f.at and any(c.cue(k, "because") and k + 1 not in c.dated and not _only_when(c, f, k)
                             for k in range(n.last, f.at)):  # fmt: skip
        return None  # «تشن [الولايات المتحدة] عملية بسبب الهجوم ...»
    if _of_cause(c, f, n):
        return None  # «غارات على غزة غداة تفجير استهدف [الجنود]»
    if _laid_to(c, n):
        return "attacker", "laid-to"
    if (group := _pledged(c, f, n)) is not None:
        return group
    if "theirs" in n.flags:
        return "target", "their-place"
    if n.first and c.r.gap[n.first] == SPACE and c.cue(n.first - 1, "adopts"):
        return "attacker", "claimed"  # «بعد تبني [التنظيم] عملية الطعن»
    if _causes(c, f, n):
        return "attacker", "causes"
    if (undone := _undone(c, f, n)) is not None:
        return "target", undone
    if _agent_before(c, n):
        return None if _of_another(c, f, n) else ("attacker", "agent")
    if n.last <= f.at and (accused(c, n, f.at) or _charged(c, f, n)):
        return "attacker", "accused"
    held = _belongs_before(c, n)
    if held == "thing":
        return "target", "thing-near" if _beside(c, n) else "thing-of"
    if held == "attack":
        return "attacker", "of-attack"
    repelled = 0 <= f.at - n.last <= 3 and not verb_of(f) and any(c.cue(k, "repels") for k in range(f.inner[0], f.at))
    if repelled:
        return "target", "repels"
    if n.rule == "thing-nationality":
        return ("target", "thing-of") if n.first >= f.at or f.at - n.last > 2 or not verb_of(f) else None
    if _chief(c, f, n):
        return "target", "chief-of"
    if "arrest" in f.flags and n.id == "unidentified_armed_group" and n.first >= f.at:
        return ("target", "arrested") if "doer" in n.flags else None  # «ألقت القبض على [المهاجم]»
    if "arrest" in f.flags and ids.kind(ids.near(n.id)) in ("state", "external", "unknown"):
        by = -1 <= n.last - f.at <= 0 if hostages(c, f) and n.first < f.at else n.first < f.at or distance <= 1
        return ("attacker", "arrester") if by and not n.prefix.startswith("ل") else None
    if n.last <= f.at and any(c.cue(k, "claimed") for k in range(n.last, f.at)):
        following = c.actors.behind(n.last, 1)
        last_named = not following or following[0].first >= f.at
        return ("attacker", "claimed") if last_named else None
    after = f.trigger.last if f.at < n.first else f.inner[0]  # «تتعرض ل[قصف] القوات»: who did it
    if any(c.cue(k, "undergo") for k in range(max(after, n.first - 3), n.first)):
        return "target", "undergoes"
    onto = _onto_before(c, n, trigger.first)
    if onto is not None:
        return "target", onto
    return _by_syntax(c, ids, f, n, distance)


def _chief(c: Context, f: Frame, n: Named) -> bool:
    """«مقتل القيادي في [التنظيم]», «استهدفت قائدا في [الجماعة]»: a group whose chief is what was hit."""
    if f.flags.isdisjoint(("kill", "strong", "generic", "attack")) or "org" not in n.flags or f.type in PROTEST:
        return False
    at = next((k for k in range(n.first - 1, max(n.first - 4, 0) - 1, -1) if c.cue(k, "chief")), None)
    if at is None or any(c.r.gap[k] > SPACE for k in range(at + 1, n.first + 1)):
        return False
    return any(c.hits.at("outcomes", k) or c.cue(k, "hits") for k in range(max(f.inner[0], at - 2), at))


def _acts(c: Context, f: Frame, n: Named) -> bool:
    """«المضادات [السورية] أطلقت صواريخ», «شن الرئيس [السوري] هجوما», «عملية [أميركية] مشتركة قتلت ...»: whose the doer
    is that stands before the deed of the frame."""
    if not n.first or c.r.gap[n.first] > SPACE or not n.last <= f.at <= n.last + ACTS_REACH or f.type in PROTEST:
        return False
    if c.joined(n.last) and c.cue(n.last, "does") and c.cue(n.last, "preposition") is None:
        return True
    if c.cue(n.first - 1, "leader") and n.first > 1:
        return any(c.cue(k, "does") for k in (n.first - 2, n.first - 3) if k >= 0)
    return verb_of(f) and "kill" in f.flags and f.at <= n.last + 1 and c.cue(n.first - 1, "operation") is not None


ACTS_REACH = 4  # words


def _charged(c: Context, f: Frame, n: Named) -> bool:
    """«[النظام] المتهم بشن هجوم»: whose epithet says that he is accused of it."""
    near = c.joined(n.last) and f.at - n.last <= CHARGED_REACH and c.cue(n.last, "charged")
    return bool(near) and any(c.r.words[k].startswith("ب") for k in range(n.last + 1, f.at + 1))


CHARGED_REACH = 5  # words


def _causes(c: Context, f: Frame, n: Named) -> bool:
    """«تسببت [الحركة] بمقتل 18», «[الحركة] تتسبب بمقتل»: who brought the deaths about."""
    if "kill" not in f.flags or not n.first or n.last > f.at or n.rule == "adjective":
        return False
    return any(c.cue(k, "causes") and c.r.gap[max(k, n.first)] == SPACE for k in (n.first - 1, n.last))


def _of_cause(c: Context, f: Frame, n: Named) -> bool:
    """Whether a name further on is a part of another deed, which the frame's came after or because of."""
    if f.flags & {"kill", "weak", "clash", "moved", "capture", "transfer"} or f.type in PROTEST:
        return False
    for k in range(f.trigger.last, n.first):
        if c.cue(k, "because") and (told := c.hits.at("triggers", k + 1)) and told.entry.get("form") == "noun":
            return bool(told.entry.flags & {"generic", "strong", "attack"} or not told.entry.flags)
    return False


def _laid_to(c: Context, n: Named) -> bool:
    """«ضربات نسبت إلى [التحالف]», «هجوم منسوب ل[التنظيم]»."""
    near = range(max(0, n.first - 3), n.first)
    toward = n.prefix in ("ل", "لل") or (n.first > 0 and c.r.words[n.first - 1] in ("الي", "اليه"))
    return toward and any(c.cue(k, "laid_to") for k in near)


def _pledged(c: Context, f: Frame, n: Named) -> tuple[str, str] | None:
    """«منفذ الهجوم ... وهو يبايع [التنظيم]»: the group of the one who did it."""
    if f.flags.isdisjoint(("attack", "generic", "strong", "kill")) or f.type in PROTEST or "org" not in n.flags:
        return None
    if not any(c.cue(k, "pledged") for k in range(max(f.inner[0], n.first - 3), n.first)):
        return None
    low = max(c.r.bounds(f.at)[0], n.first - PLEDGED_REACH)
    by = any("doer" in m.flags for m in c.actors.between(low, n.first))
    return ("attacker", "pledged") if by else None


PLEDGED_REACH = 25  # words


def _of_another(c: Context, f: Frame, n: Named) -> bool:
    """«اعتقال محتجين ضد الهجمات التي يشنها [الجيش التركي]»: the doer of what a crowd was about."""
    if f.flags.isdisjoint(("arrest", "protest", "agreement")) or n.first < f.trigger.last + 2:
        return False
    which = next((k for k in range(n.first - 1, max(f.trigger.last, n.first - 4), -1) if c.cue(k, "which")), None)
    if which is None:
        return False
    near = (c.hits.at("triggers", k) for k in range(max(f.trigger.last, which - 3), which))
    return any(h is not None and h.entry.flags & {"strong", "generic"} for h in near)


def _only_when(c: Context, f: Frame, k: int) -> bool:
    """«نفذت الطائرات بعد ساعات من الهجوم ضربات», «واصل الجيش تقدمه بعد السيطرة على»: word `k` parts no two deeds."""
    if c.cue(k, "since_then") is None:
        return False
    return "capture" in f.flags or c.cue(k + 1, "spell") is not None or f.at - k > SINCE_REACH


SINCE_REACH = 5  # words


def _undone(c: Context, f: Frame, n: Named) -> str | None:
    """«لدحر [المتمردين]», «ملاحقة [التنظيم]»: driven out; «صاروخ اعترضته [الدفاعات]»: who downs what is shot at him."""
    k = n.first - 1
    if k < 0 or c.r.gap[n.first] > SPACE or f.at <= k < f.trigger.last:
        return None
    if f.at == k - 1 and c.cue(k - 1, "expels") and c.hits.at("persons", k) and f.trigger.prefix in ("", "و", "ل"):
        return "driven-out"  # «وطرد عناصر [الميليشيات]»
    if c.cue(k, "expels", "fights_off") or (k and (h := c.cue(k - 1, "fights_off")) is not None and h.last == n.first):
        return "driven-out"
    return "downs" if c.cue(k, "downs") else None


def _by_syntax(c: Context, ids: Ids, f: Frame, n: Named, distance: int) -> tuple[str, str] | None:
    """Subject and object by their place around the trigger."""
    verb = f.trigger.entry.get("form") == "verb"
    does = _does_before(c, n, f.at)
    if does:
        return "attacker", "subject-of-" + does
    if "capture" in f.flags:
        if n.first > 1 and c.cue(n.first - 2, "ally") and c.r.words[n.first - 1] == "من" and n.first < f.at:
            return "attacker", "taker"  # «القوات التركية وحلفاؤها من [المعارضة]»
        if _possession(c, n) and not (distance == 0 and _of_taker(c, f, n)):
            return "target", "held-by"
        if distance == 0 and c.cue(f.at, "expels") and c.joined(n.last) and c.r.words[n.last] in OUT_OF:
            return "target", "expelled"
        first = _first_after(c, f)
        if n.first < f.at and _announces(c, f, n, first):
            return None
        if n.first and c.r.gap[n.first] == SPACE and c.cue(n.first - 1, "works"):
            return "target", "held-by"  # «تحطيم دفاعات [الميليشيات] وتحرير ...»
        taken = any(m.prefix in PLAIN and m.rule != "adjective" and ids.armed(m.id) and not m.weak
                    for m in c.actors.between(f.inner[0], f.at)) and distance > 2  # fmt: skip
        if n.first < f.at or (n is first and not taken):
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
        return ("target", "attacked") if distance <= ATTACKED_REACH else None
    if "severs" in f.flags and distance >= 0:
        return ("target", "thing-of") if distance <= SEVERED_REACH else None
    if "kill" in f.flags:
        return ("attacker", "killer") if verb and _kills(c, f, n, distance) else None
    if distance >= 0:
        if "defend" in f.flags:
            first = _first_after(c, f)
            if n is first and distance == 1 and n.prefix in PLAIN and (own := c.hits.at("triggers", n.first - 1)):
                return ("attacker" if own.entry.flags & {"generic", "strong"} else "target"), "repelled"
            return ("target" if first is None or ids.allied(n.id, first.id) else "attacker"), "repelled"
        hit = any(c.cue(k, "armed_target", "civil_target") for k in range(f.trigger.last, n.first))
        if verb:
            first = _first_after(c, f)
            if hit and distance <= 8:
                return "target", "thing-hit"
            if n is first and distance <= 2 and not _subject_before(c, f) and not _driven(c, f):
                return "attacker", "verb-subject"
            return ("target", "verb-object") if distance <= 12 else None
        if hit and distance <= 8:
            return "target", "thing-hit"
        if distance <= 2 and not _broken(c, f.trigger.last, n.first):
            return ("target", "struck") if n.prefix in ("ب", "بال") else ("attacker", "noun-agent")
        if _chained(c, n, f):
            return "attacker", "noun-agent-and"
        return None
    if "defend" in f.flags:
        return "target", "repels"
    if verb and n.first < f.at and f.at - n.last <= 8 and c.cue(n.first - 1, "onto") is None:
        inverted = n.last < f.at - 1 and c.cue(f.at - 1, "which") and (m := c.named.get(f.trigger.last))
        if inverted and m is not None and m.prefix in PLAIN and ids.armed(m.id):
            return None  # «[قوات الأمن] ... في المبنى الذي فجر المسلحون»
        nearer = [m for m in c.actors.between(n.last, f.at) if m.rule not in ("adjective", "and-nationality")]
        if any(m.prefix in ("", "ال") and c.r.words[m.first - 1] != "و" for m in nearer):
            return None  # «أكد التحالف أن [الحوثيين] استهدفوا ...»
        return "attacker", "subject-before"
    follows = c.cue(n.last, "does", "hits") if n.last < len(c.r.words) else None
    if follows is not None:
        return "attacker", "subject-before"
    return _subject_of_clause(c, f, n)


def _of_taker(c: Context, f: Frame, n: Named) -> bool:
    """«سيطرة [الجيش] على», but not «استعادة السيطرة من [..]»."""
    own = c.cue(f.trigger.last - 1, "held") is not None and c.r.words[f.trigger.last - 1] not in ("من", "تحت")
    return own and c.joined(n.last) and c.r.words[n.last] == "علي" and c.cue(f.at - 1, "preposition") is None


def _announces(c: Context, f: Frame, n: Named, first: Named | None) -> bool:
    """«[موسكو] تعلن سيطرة الجيش على»: who only tells that somebody else took it."""
    if verb_of(f) or first is None or first.first - f.trigger.last > 1 or first.prefix not in PLAIN:
        return False
    said = (n.first - 1, n.last)
    return any(c.cue(k, "owns_up") or ((h := c.hits.at("sources", k)) and h.entry.get("kind") == "asserts")
               for k in said if k >= 0)  # fmt: skip


def _belongs_before(c: Context, n: Named) -> str:
    """«موقع ل[الحوثيين]»: "thing"; «هجوم ل[طالبان]»: "attack"; "" where nothing in front of a name is its own."""
    if n.prefix in ("ل", "لل"):
        k = n.first - 1
    elif n.first and c.r.words[n.first - 1] == "ل":
        k = n.first - 2
    elif n.prefix in ("ب", "بال") and n.first and c.cue(n.first - 1, "own_to"):
        k = n.first - 2  # «أهداف خاصة ب[التنظيم]»
    else:
        return ""
    for back in range(k, max(k - 3, -1), -1):
        if c.r.gap[back + 1] > SPACE or back in c.named:
            return ""
        trigger = next((h for j in (back, back - 1) if (h := c.hits.at("triggers", j)) and h.last == back + 1), None)
        if trigger is not None and (c.r.words[trigger.first] in LAID or trigger.entry.text.startswith(UNDERGONE)):
            return "thing"
        if trigger is not None:
            fits = trigger.entry.get("form") == "noun" and not trigger.entry.flags & NOT_DONE
            return "attack" if fits else ""
        if c.cue(back, "armed_target", "civil_target", "hits"):
            return "thing"
        if c.cue(back, "preposition", "np_stop", "onto"):
            return ""
    return ""


ATTACKED_REACH = 6  # words
OUT_OF = ("من", "منها", "منه", "خارج")
SEVERED_REACH = 3  # words from «خط إمداد» to whose it is
UNDERGONE = ("استهداف", "اغتيال", "اعتقال", "خطف", "اختطاف", "احتجاز", "توقيف")  # «استهداف ل[القوات]»
LAID = ("كمينا", "كمينين")  # «نصبوا [كمينا] ل», but «في [كمين] ل»: an object is laid for them
NOT_DONE = frozenset(("moved", "transfer", "capture", "built", "kill", "agreement", "found", "group", "control",
                      "protest", "weapon"))  # fmt: skip


def _subject_before(c: Context, f: Frame) -> bool:
    """«الجيش الوطني يقصف ...»: whether the subject stands right in front of the verb."""
    if c.r.gap[f.at] > SPACE or f.trigger.prefix == "و":
        return False
    before = next(iter(c.actors.before(f.at, 1)), None)
    return before is not None and f.at - before.last <= 1 and before.prefix in PLAIN and before.rule != "adjective"


def _driven(c: Context, f: Frame) -> bool:
    """«[سيارة ملغومة] اقتحمت دورية»: whether a vehicle or a weapon is the subject in front of the verb."""
    for k in range(f.at - 1, max(f.inner[0], f.at - DRIVEN_REACH) - 1, -1):
        if c.r.gap[k + 1] > SPACE or k in c.named or c.cue(k, "preposition", "np_stop"):
            return False
        if c.cue(k, "vehicle"):
            return f.trigger.prefix == ""
    return False


DRIVEN_REACH = 3  # words


def verbish(f: Frame) -> bool:
    """A verb, or a word that may be one («قصف»)."""
    bare = f.trigger.last - f.at == 1 and f.trigger.prefix in ("", "و", "ف") and not f.trigger.suffix
    return verb_of(f) or bare


def _subject_of_clause(c: Context, f: Frame, n: Named) -> tuple[str, str] | None:
    """VSO around a noun trigger: «استأنفت القوات ... قصف المدينة»."""
    if f.flags & {"kill", "clash", "protest"} or n.weak or n.prefix not in PLAIN or _owner(c, n):
        return None
    if any(c.hits.at("outcomes", k) for k in range(f.inner[0], n.last)):
        return None  # «مقتل [شرطي] في انفجار ...»
    first = next(iter(c.actors.behind(f.inner[0], 1)), None)
    if first is not n or n.first - f.inner[0] > 3 or n.first == 0 or f.at - n.last > 10:
        return None
    between = range(f.inner[0], f.at)
    if c.cue(n.first - 1, "inquires"):
        return None  # «حددت [السلطات] هوية منفذ الهجوم»
    if c.cue(n.first - 1, "preposition", "np_stop") or any(c.cue(k, "undergo") for k in between):
        return None
    said = any(
        c.cue(k, "ascribes", "reproach", "doing") or ((h := c.hits.at("sources", k)) and h.entry.get("kind") in SAYING)
        for k in between
    )
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


def _does_before(c: Context, n: Named, at: int) -> str:
    """«شنت [القوات] ...», «تنفيذ [القوات] هجوما»: the verb in front of its subject, or its noun where the deed at word
    `at` follows."""
    for back in (1, 2):
        k = n.first - back
        if k < 0 or c.r.gap[k + 1] > SPACE:
            return ""
        if back == 2 and c.cue(n.first - 1, "preposition"):
            return ""  # «توجه إلى [أفغانستان]»
        cue = c.cue(k, "does") or (c.cue(k, "doing_of") if n.last <= at <= n.last + DOING_REACH else None)
        if cue is not None:
            return cue.entry.text
        if k in c.named:
            return ""
    return ""


DOING_REACH = 4  # words from the doer to his deed


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
            if kind == "onto" and k < trigger < n.first:
                return None  # «ردا على قصف [المتمردين] مواقع ...»
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
        if c.r.gap[k] >= SENTENCE or (k == n.last and c.cue(k, "block")):
            return False
        placed = c.cue(k - 1, "place_before", "preposition") is not None and c.r.gap[k] == SPACE
        if k in c.named or c.cue(k, "armed_target", "civil_target"):
            return not placed
        place = c.hits.at("places", k) or c.hits.at("place_cues", k)
        if place is not None:
            return not placed and not place.prefix.endswith("ب")
        if thing(c, k):
            return not placed
    return False


def _broken(c: Context, first: int, last: int) -> bool:
    """Whether something between two words parts a noun from its doer: a break, a preposition, a verb of its own."""
    if any(
        (h := c.hits.at("triggers", k)) and h.entry.get("form") == "verb" and not h.prefix for k in range(first, last)
    ):
        return True
    return any(c.cue(k, "onto", "hits", "np_stop", "beside") for k in range(first, last)) or any(
        c.r.gap[k] > SPACE for k in range(first, min(last + 1, len(c.r.words)))
    )
