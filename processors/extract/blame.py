"""Who is said to have done it, told apart from the incident: «تبنى التنظيم الهجوم», «حملت دمشق الفصائل المسؤولية»."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.extract.actors import Ids, Named
from processors.extract.context import Context
from processors.extract.doers import PLAIN, PROTEST, accuses
from processors.extract.lexicons import Hit
from processors.extract.merge import Incident
from processors.extract.roles import Role
from processors.text import COMMA

REACH = 14  # words between the parts of a statement
ACCUSED_REACH = 24  # words between accusing and what of
BEFORE = 3  # sentences that a statement may look back for its incident
UNCLAIMED = PROTEST | {"Arrests", "Agreement", "Non-violent transfer of territory", "Change to group/activity",
                       "Headquarters or base established", "Disrupted weapons use"}  # fmt: skip
_KINDS = ("adopts", "own_doing", "doing", "reproach", "perpetrating", "ascribes")


@dataclass(frozen=True, slots=True)
class Blame:
    """A statement at word `at` that `named` did it; `owned`: he says so himself; `again`: what was told before."""

    at: int
    named: Named
    owned: bool
    again: bool


def blames(c: Context, ids: Ids) -> list[Blame]:
    """Statements of who did it, in text order."""
    out: list[Blame] = []
    for cue in c.hits.of("cues"):
        hit = c.cue(cue.first, *_KINDS)
        if hit is None or _unsaid(c, hit.first):
            continue
        kind = hit.entry.get("kind")
        again = _deed(c, hit)
        if again is None:
            continue
        if kind in ("doing", "perpetrating"):
            named = _accused(c, ids, hit)
        elif kind in ("reproach", "ascribes"):
            named = _behind(c, ids, hit, "علي" if kind == "reproach" else "الي")
        else:
            named = _owner(c, ids, hit)
        if named is not None:
            out.append(Blame(hit.first, named, kind in ("adopts", "own_doing"), again))
    out.extend(Blame(n.first, n, False, True) for n in c.actors if "doer" in n.flags)  # «المهاجم»
    return sorted(out, key=lambda b: b.at)


def told_again(said: Sequence[Blame], incidents: list[Incident], sentence: Sequence[int]) -> list[Incident]:
    """The incidents, without those that only say who did the one told before them («وتبنت الحركة الهجوم»)."""
    owned = {sentence[b.at] for b in said if b.owned and b.again}
    out: list[Incident] = []
    for i in incidents:
        last = out[-1].tellings[-1] if out else None
        again = last is not None and all(t.sentence in owned and not t.claims for t in i.tellings)
        if (
            again
            and last is not None
            and last.realis == i.best.realis
            and out[-1].type not in UNCLAIMED
            and (0 < i.best.sentence - last.sentence <= BEFORE)
        ):
            out[-1].tellings += i.tellings
        else:
            out.append(i)
    return out


def blamed(said: Sequence[Blame], incidents: Sequence[Incident], sentence: Sequence[int]) -> dict[int, list[Role]]:
    """Incident → who is said to have done it. sentence: number of each word's sentence."""
    out: dict[int, list[Role]] = {}
    for b in said:
        here = sentence[b.at]
        told = [(t.sentence, t.frame.at, k) for k, i in enumerate(incidents)
                if i.type not in UNCLAIMED and (b.owned or i.type != "Chemical weapon")
                for t in i.tellings if 0 <= here - t.sentence <= BEFORE]  # fmt: skip
        same = {k for s, _, k in told if s == here}
        before = max((x for x in told if x[0] < here), default=None)
        if before is not None and b.again and (not same or b.owned):
            same.add(before[2])
        role = Role("attacker", b.named.id, b.named.first, b.named.last, "claimed" if b.owned else "blamed")
        for k in same:
            others = [t for t in incidents[k].tellings if t.sentence != here]
            if all(r.actor != b.named.id or r.role == "attacker" for t in others for r in t.roles):
                out.setdefault(k, []).append(role)
    return out


def _owner(c: Context, ids: Ids, hit: Hit) -> Named | None:
    """«تبنت [الحركة] الهجوم», «تبنى الهجوم [التنظيم]», «أعلنت [الحركة] مسؤوليتها عن»."""
    low, high = c.r.bounds(hit.first)
    if hit.entry.get("kind") == "own_doing":
        verb = next((k for k in range(hit.first - 1, max(low, hit.first - REACH) - 1, -1) if c.cue(k, "owns_up")), None)
        if verb is None or any(c.cue(k, "not", "denied", "may") for k in range(max(low, verb - 3), hit.first)):
            return None
        between = _sides(c, ids, verb + 1, hit.first)
        if between:
            return between[-1]
        return next((n for n in _sides(c, ids, max(low, verb - 6), verb) if verb - n.last <= 1), None)
    behind = [n for n in _sides(c, ids, hit.last, min(high, hit.last + 7)) if n.prefix in PLAIN]
    if behind:
        return behind[0]
    return next((n for n in _sides(c, ids, max(low, hit.first - 6), hit.first) if hit.first - n.last <= 1), None)


def _accused(c: Context, ids: Ids, hit: Hit) -> Named | None:
    """«حملت [الجماعة] مسؤولية», «اتهم الجيش [الحركة] بالوقوف وراء»: the last one named behind the verb."""
    low = c.r.bounds(hit.first)[0]
    verbs = [k for k in range(max(low, hit.first - ACCUSED_REACH), hit.first) if accuses(c, k)]
    between = _sides(c, ids, verbs[-1] + 1, hit.first) if verbs else []
    between = [n for n in between if not any(c.cue(k, "rules_over", "held") for k in range(n.first - 3, n.first))]
    return between[-1] if between else None


def _behind(c: Context, ids: Ids, hit: Hit, word: str) -> Named | None:
    """The one named right behind a preposition: «ألقى باللوم على [..]», «نسب الهجوم إلى [..]»."""
    high = min(c.r.bounds(hit.first)[1], hit.last + REACH)
    k = next((k for k in range(hit.last, high) if c.r.words[k] == word), None)
    return next(iter(_sides(c, ids, k + 1, k + 3)), None) if k is not None else None


def _sides(c: Context, ids: Ids, first: int, last: int) -> list[Named]:
    """Those named between two words who may attack."""
    return [n for n in c.actors.between(first, last)
            if n.rule != "adjective" and "victim" not in n.flags and ids.armed(n.id)]  # fmt: skip


def _deed(c: Context, hit: Hit) -> bool | None:
    """Whether what a statement is about was told before: «[الهجوم]», «[تنفيذها]»; None where it is no one deed."""
    low, high = c.r.bounds(hit.first)
    if hit.entry.get("kind") == "own_doing" and hit.last < high and c.r.words[hit.last] in ITS:
        return not any(h.entry.get("form") == "noun" and not h.entry.flags & NO_DEED
                       for k in range(low, hit.first) if (h := c.hits.at("triggers", k)))  # fmt: skip
    older = any(k in c.dated for k in range(low, hit.first))  # «وفي أيار الماضي تبنى ...»
    if c.r.words[hit.last - 1].endswith(("ه", "ها", "هما")) and hit.entry.get("kind") in ("perpetrating", "adopts"):
        return True
    for k in range(hit.last, min(high, hit.last + REACH)):
        if c.cue(k, "vague"):
            return None
        if c.cue(k, "deed"):
            return not older
        told = c.hits.at("triggers", k)
        if told is None or told.entry.flags & NO_DEED:
            continue
        word, after = c.r.words[k], c.r.words[told.last] if told.last < high else ""
        known = told.definite or any(w.startswith("ال") for w in (told.entry.text, word, *told.entry.text.split()[1:]))
        anew = (after in DETAILED and not (after == "علي" and hit.entry.get("kind") == "reproach")) or (
            after == "في" and _somewhere(c, told.last + 1)
        )
        return known and not older and not anew
    return True if hit.entry.text.startswith("ال") and hit.entry.get("kind") == "doing" else None


ITS = frozenset(("عنه", "عنها", "عنهما", "عنهم"))
DETAILED = frozenset(("علي", "الذي", "التي", "ضد", "الذين"))  # what a deed told anew goes on with


def _somewhere(c: Context, k: int) -> bool:
    return bool(k in c.dated or c.hits.at("places", k) or c.hits.at("place_cues", k))


NO_DEED = frozenset(("protest", "agreement", "moved", "transfer", "group", "built", "found", "control"))


def _unsaid(c: Context, at: int) -> bool:
    """«لم يتبن», «نفت مسؤوليتها», «قد تحمل»."""
    low = c.r.bounds(at)[0]
    near = range(max(low, at - 4), at)
    return any(c.cue(k, "not", "denied", "may") for k in near if c.r.gap[k + 1] < COMMA) or c.r.words[at].startswith(
        "س"
    )
