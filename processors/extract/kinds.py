"""Sub-event types: what kind of incident a frame tells of, by its trigger, its sides and whether there is a crowd."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from processors.extract.actors import UNIDENTIFIED, Ids
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.doers import hostages
from processors.extract.frames import ANSWER_REACH, BRIEF, Frame
from processors.extract.lexicons import Hit
from processors.extract.phrases import backed
from processors.extract.roles import Role
from processors.text import SPACE

_ARMED_TYPES = frozenset(("Armed clash", "Attack"))


def typed(
    c: Context, ids: Ids, f: Frame, found: Sequence[Role], own: Sequence[int], claims: Sequence[Claim], crowd: bool
) -> tuple[str, bool]:
    """Sub-event type, and whether it is only a vague word's default."""
    if f.type in _BLASTED and _with_chemicals(c, f):
        return "Chemical weapon", False
    blown = f.type == "Remote explosive/landmine/IED" or f.flags & {"generic"}
    bomber = "kill" in f.flags and f.trigger.last < f.inner[1] and c.cue(f.trigger.last, "suicide")
    if bomber or (blown and any(c.cue(k, "suicide") for k in range(*f.inner))):
        return "Suicide bomb", False  # «[قتل] انتحاري ثمانية أشخاص»
    if f.type == "Remote explosive/landmine/IED" and any(
        c.cue(k, "defuse", "seized", "find") for k in range(max(f.inner[0], f.at - 4), f.at)
    ):
        return "Disrupted weapons use", False
    if f.type in _STRIKES and _with_clashes(c, f):
        return "Armed clash", False
    street = _street(c, ids, f, found, own, claims, crowd)
    if street is not None:
        return street
    if "moved" in f.flags:
        return "Other", True
    if "capture" in f.flags and f.trigger.entry.get("form") == "noun" and (_operation(c, f) or _attempted(c, f)):
        return "Armed clash", True
    if "capture" in f.flags:
        takers = [r.actor for r in found if r.role == "attacker"]
        home = any(ids.kind(a) == "state" for a in takers)
        return ("Government regains territory" if home or not takers else "Non-state actor overtakes territory"), False
    if f.flags & {"generic", "kill"} or f.type in _ARMED_TYPES:
        return _attack_type(c, ids, f, found, own, claims)
    if f.type == "Shelling/artillery/missile attack" and _from_the_air(c, f):
        return "Air/drone strike", False
    if hostages(c, f):
        return "Abduction/forced disappearance", False
    if f.type == "Arrests" and any(ids.kind(r.actor) in ("rebel", "militia") for r in found if r.role == "attacker"):
        return "Abduction/forced disappearance", False
    dead = "burst" in f.flags and any(claims[k].outcome == "killed" for k in own)
    return f.type, "weak" in f.flags and f.type == "Remote explosive/landmine/IED" and not dead


def _with_chemicals(c: Context, f: Frame) -> bool:
    """«هجوم بغاز الكلور», but not «ضربات على [مواقع] للأسلحة الكيميائية», «ردا على هجوم كيميائي»: what it was done
    with, not what was hit or answered."""
    for k in range(*f.inner):
        if not c.cue(k, "chemical"):
            continue
        between = range(f.trigger.last, k) if k > f.at else range(max(f.inner[0], k - ANSWER_REACH), f.at)
        answered = () if "kill" in f.flags else ("answers", "answering", "because")
        if not any(c.cue(j, "armed_target", "programme", *answered) for j in between):
            return True
    return False


_BLASTED = frozenset(("Air/drone strike", "Shelling/artillery/missile attack", "Armed clash", "Attack"))


_STRIKES = frozenset(("Air/drone strike", "Shelling/artillery/missile attack"))
CHAIN = 4  # words from one means of fighting to the next


def _with_clashes(c: Context, f: Frame) -> bool:
    """«[القصف الجوي] والقتال العنيف», «الضربات الجوية [والاشتباكات] والقصف»: a battle takes in the strikes told in one
    breath with it."""
    at = [h for k in range(max(f.inner[0], f.at - 3 * CHAIN), min(f.inner[1], f.trigger.last + 3 * CHAIN))
          if (h := c.hits.at("triggers", k)) is not None and h.entry.get("form") == "noun"]  # fmt: skip
    here = next((i for i, h in enumerate(at) if h.first == f.at), None)
    if here is None:
        return False
    return any(_chained(c, at[here : j + 1] if j > here else at[j : here + 1])
               for j, h in enumerate(at) if j != here and "clash" in h.entry.flags)  # fmt: skip


def _chained(c: Context, hits: Sequence[Hit]) -> bool:
    """Whether each follows the one before within a few words, by an «and»."""
    return all(b.prefix.startswith("و") and b.first - a.last < CHAIN and max(c.r.gap[a.last : b.first + 1]) <= SPACE
               for a, b in pairwise(hits))  # fmt: skip


CROWD_LEAST = 2  # words of protest in an article that is about one


def crowded(c: Context) -> bool:
    """Whether the article tells of crowds in the street, so that its dead may be theirs."""
    said = sum("protest" in h.entry.flags for h in c.hits.of("triggers"))
    said += sum(n.id == "protesters" for n in c.actors)
    return said >= (1 if len(c.r.words) <= BRIEF else CROWD_LEAST)


def _from_the_air(c: Context, f: Frame) -> bool:
    """Aircraft in the clause, or in the sentence before a bare «قصفت» where no gun is named."""
    if any(c.cue(k, "aircraft") for k in range(*f.inner)):
        return True
    low = c.r.bounds(f.at)[0]
    said = range(max(low, f.at - 40), f.inner[1])
    return any(c.cue(k, "aircraft") for k in said) and not any(c.cue(k, "artillery") for k in said)


def _operation(c: Context, f: Frame) -> bool:
    """«[عملية] تحرير المدينة», «معارك تحرير ...»: the fight for a place, not its fall."""
    return f.at > 0 and c.r.gap[f.at] <= SPACE and c.cue(f.at - 1, "operation") is not None


def _attempted(c: Context, f: Frame) -> bool:
    """«يحاول التحالف [السيطرة] على المدينة»: fought for, not taken."""
    before = range(max(f.inner[0], f.at - ATTEMPT), f.at)
    return any((h := c.cue(k, "tries")) and "حاول" in h.entry.text for k in before)


ATTEMPT = 5  # words from «حاول» to what was tried


def _street(
    c: Context, ids: Ids, f: Frame, found: Sequence[Role], own: Sequence[int], claims: Sequence[Claim], crowd: bool
) -> tuple[str, bool] | None:
    """The type of what befell a crowd, and whether it is but a guess; None for what has none in it."""
    if _on_protesters(c, ids, f, found, own, claims, crowd):
        return "Excessive force against protesters", False
    if f.type == "Peaceful protest" and _driven_apart(c, f):
        return "Protest with intervention", False
    if not (crowd or _protested(c, f)) or any(_fighter(c, ids, r) for r in found):
        return None
    if "clash" in f.flags:
        return "Violent demonstration", False
    return ("Violent demonstration", True) if "kill" in f.flags and _hurt_there(c, f) else None


def _fighter(c: Context, ids: Ids, r: Role) -> bool:
    """Whether a side is an armed group: no state's force, nor but people of a nation («الفلسطينيين»)."""
    named = c.named.get(r.first)
    if r.rule == "clash" and r.role == "participant" and r.actor == GUNMEN:
        return True
    nation = named is not None and named.weak
    return ids.armed(r.actor) and ids.kind(ids.near(r.actor)) not in _FORCES and not nation


GUNMEN = "unidentified_armed_group"


def _on_protesters(
    c: Context, ids: Ids, f: Frame, found: Sequence[Role], own: Sequence[int], claims: Sequence[Claim], crowd: bool
) -> bool:
    """Fire opened on a crowd, protesters killed: by the state, as far as anybody is named."""
    if f.type == "Peaceful protest" and any(claims[k].outcome in HARMED for k in own):
        return any(r.rule in ("agent", "agent-nationality") and ids.kind(ids.near(r.actor)) in _FORCES for r in found)
    if not f.flags & {"kill", "fire", "generic", "clash"} or f.flags & {"protest"}:
        return False
    by = [ids.kind(ids.near(r.actor)) for r in found if r.role == "attacker"]
    if any(kind not in _FORCES for kind in by) or any(r.role == "participant" for r in found):
        return False
    hurt = [claims[k] for k in own if claims[k].outcome in HARMED]
    shot = any(c.cue(k, "shot") for k in range(*f.inner))
    if any(s == "protesters" for x in hurt for s, _ in x.sides):
        return bool(by) or shot or crowd
    if crowd and hurt and by and shot:
        return not any(ids.armed(s) for x in hurt for s, _ in x.sides if s not in UNIDENTIFIED)
    gathered = any((h := c.hits.at("triggers", k)) and "protest" in h.entry.flags for k in range(f.at, f.inner[1]))
    gathered = gathered or any(r.role == "target" and r.actor == "protesters" for r in found)
    return "fire" in f.flags and gathered


HARMED = frozenset(("killed", "injured", "killed_or_injured"))
_FORCES = frozenset(("state", "external", "unknown"))


def _protested(c: Context, f: Frame) -> bool:
    """Whether the clause itself speaks of a protest."""
    return any((h := c.hits.at("triggers", k)) and "protest" in h.entry.flags for k in range(*f.inner))


def _driven_apart(c: Context, f: Frame) -> bool:
    """«مظاهرة [فرقتها] قوات الأمن», «تظاهرة لكن قوات الأمن عملت على [تفريقها]»."""
    reach = range(f.trigger.last, min(f.trigger.last + APART, c.r.bounds(f.at)[1]))
    return any((h := c.hits.at("triggers", k)) and h.entry.get("type") == "Protest with intervention" for k in reach)


APART = 12  # words from a protest to those who break it up


def _hurt_there(c: Context, f: Frame) -> bool:
    """Whether people hurt by nobody named are a crowd's: their sentence or the one before tells of a protest, and of no
    weapon."""
    low = c.r.bounds(f.at)[0]
    before = c.r.bounds(low - 1)[0] if low else 0
    near = [h for k in range(before, c.r.bounds(f.at)[1]) if (h := c.hits.at("triggers", k)) is not None]
    return any("protest" in h.entry.flags for h in near) and not any(
        "strong" in h.entry.flags and "protest" not in h.entry.flags for h in near)  # fmt: skip


def _attack_type(
    c: Context, ids: Ids, f: Frame, found: Sequence[Role], own: Sequence[int], claims: Sequence[Claim]
) -> tuple[str, bool]:
    """Bare «هجوم»: an armed clash on armed targets, an attack on civilians."""
    generic = bool(f.flags & {"generic", "kill", "defend"}) or "weak" in f.flags
    by = {r.actor for r in found if r.role == "attacker"}
    low, high = c.r.bounds(f.at)
    if "protesters" in by or "protesters" in {r.actor for r in found if r.role == "participant"}:
        return "Violent demonstration", False
    if "clash" in f.flags:
        if any("protest" in h.entry.flags for k in range(max(low, f.at - 30), min(high, f.at + 30))
               if (h := c.hits.at("triggers", k))):  # fmt: skip
            return "Protest with intervention", False
        return "Armed clash", "weak" in f.flags
    if "attack" in f.flags:
        return "Attack", False
    if f.flags & {"generic"}:
        helpers = {k for n in c.actors.between(*f.inner) if backed(c, n) for k in range(n.first, n.last)}
        if any(c.cue(k, "aircraft") for k in range(*f.inner) if k not in helpers):
            return "Air/drone strike", False
        if any(c.cue(k, "artillery") for k in range(*f.inner)):
            return "Shelling/artillery/missile attack", False
    targets = {r.actor for r in found if r.role in ("target", "participant")}
    targets |= {side for k in own for side, _ in claims[k].sides}
    if not targets:
        fighters = any(claims[k].category == "combatant" for k in own)
        return ("Armed clash" if fighters else f.type), generic
    armed = [a for a in targets if ids.armed(a)]
    return ("Armed clash" if armed else "Attack"), generic
