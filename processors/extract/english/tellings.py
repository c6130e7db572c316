"""A frame with its arguments in English: place, date, roles, claims, speakers, and whether it is news or background."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from processors.extract.actors import Ids
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.dates import Mention
from processors.extract.english.frames import OF_WAR, frames
from processors.extract.english.roles import roles
from processors.extract.frames import Frame
from processors.extract.merge import Told
from processors.extract.places import Found as Place
from processors.extract.roles import Role
from processors.extract.sources import Speaker
from processors.extract.tolls import WINDOW_DAYS
from processors.extract.when import NEWS_DAYS

_ARMED = frozenset(("Armed clash", "Attack"))


def tellings(
    c: Context, ids: Ids, places: Along[Place], claims: Sequence[Claim], rules: Sequence[str],
    said: Sequence[Speaker], today: dt.date | None,
) -> list[Told]:  # fmt: skip
    """Every frame with its arguments in text order; each incident claim hangs on exactly one telling."""
    found = frames(c, ids, places, claims, [not rule for rule in rules])
    if all("kill" in f.flags and not any(claims[k].category in OF_WAR for k in f.claims) for f in found) and not any(
        ids.armed(n.id) and n.rule != "adjective" for n in c.actors
    ):
        return []
    homes = _homes(c, found, claims, rules)
    by_sentence: dict[int, list[Speaker]] = {}
    for s in said:
        by_sentence.setdefault(c.r.sentence[s.at], []).append(s)
    at_home: dict[int, list[int]] = {}
    for i, home in homes.items():
        at_home.setdefault(home, []).append(i)
    out: list[Told] = []
    for k, f in enumerate(found):
        own = at_home.get(k, [])
        out.append(_told(c, ids, f, own, places, claims, by_sentence, today, out))
    return out


def _homes(c: Context, found: Sequence[Frame], claims: Sequence[Claim], rules: Sequence[str]) -> dict[int, int]:
    """Claim → frame: of its stretch, else the nearest of its sentence, else the last one before."""
    homes: dict[int, int] = {}
    by_sentence: dict[int, list[int]] = {}
    for k, f in enumerate(found):
        by_sentence.setdefault(c.r.sentence[f.at], []).append(k)
    before: int | None = None
    k = 0
    for i, claim in enumerate(claims):
        while k < len(found) and found[k].inner[0] <= claim.at:
            before, k = k, k + 1
        if rules[i]:
            continue
        if claim.part_of is not None and claim.part_of in homes and claim.rule == "part-of":
            homes[i] = homes[claim.part_of]
            continue
        same = by_sentence.get(c.r.sentence[claim.at], [])
        inside = [j for j in same if found[j].inner[0] <= claim.at < found[j].inner[1]]
        if inside:
            homes[i] = inside[0]
        elif same:
            homes[i] = min(same, key=lambda j: abs(found[j].at - claim.at))
        elif found:
            homes[i] = before if before is not None else 0
    return homes


def _told(
    c: Context, ids: Ids, f: Frame, own: list[int], places: Along[Place], claims: Sequence[Claim],
    said: dict[int, list[Speaker]], today: dt.date | None, before: Sequence[Told],
) -> Told:  # fmt: skip
    where, inherited = _places(c, f, places, before)
    date = _date(c, f)
    if date is None and before and any(c.cue(k, "answer") for k in range(*f.inner)):
        date = before[-1].date
    found = roles(c, ids, f, claims)
    number = c.r.sentence[f.at]
    kind, generic = _type(c, ids, f, found, own, claims)
    speaking = [s for s in said.get(number, ()) if s.stance == "asserts"][:4]
    return Told(
        frame=f, type=kind, generic=generic, realis=_realis(c, f, date, today), date=date, places=where,
        inherited=inherited, roles=found, claims=own, speakers=speaking,
        keys=frozenset(_key(c, p) for p in where if p.precision != "country"),
        admin=frozenset(f"{p.admin1} province" for p in where if p.admin1), sentence=number,
        headline=c.r.sentences[number].headline,
        countries=frozenset(p.country for p in where if p.country), apart=_apart(c, f, own, places, claims, found),
    )  # fmt: skip


def _apart(
    c: Context, f: Frame, own: Sequence[int], places: Along[Place], claims: Sequence[Claim], found: Sequence[Role]
) -> bool:
    """«Elsewhere, ...», «Meanwhile X ...», «killed another six people in Y»: not what was told before."""
    low = c.r.bounds(f.at)[0]
    here = any(p.precision != "country" for p in places.between(*f.inner))
    if c.cue(low, "apart") is not None:
        return here or any(r.role in ("attacker", "participant") for r in found)
    more = any(claims[k].outcome == "killed" and c.cue(j, "more") is not None and c.r.words[j + 1] != "than"
               for k in own for j in range(claims[k].first, claims[k].last))  # fmt: skip
    return (here and more) or any(c.cue(k, "answer") for k in range(*f.inner))


def _key(c: Context, p: Place) -> str:
    """What tells two places apart: a province is not its capital."""
    return f"{p.key(c.r)} province" if p.precision in ("province", "region") and p.row else p.key(c.r)


def _places(c: Context, f: Frame, places: Along[Place], before: Sequence[Told]) -> tuple[list[Place], bool]:
    low, high = c.r.bounds(f.at)
    here = places.between(max(low, f.at - 60), min(high, f.at + 61))
    inner = [p for p in here if f.inner[0] <= p.first < f.inner[1]]
    finer = [p for p in inner if p.precision not in ("country",)]
    again = any(c.cue(k, "same_place") for k in range(*f.inner))
    if finer:
        return finer, False
    known = next((t for t in reversed(before[-12:]) if any(p.precision != "country" for p in t.places)), None)
    if again and known is not None:
        return list(known.places), False
    near = [p for p in here if p.precision != "country"]
    if near:
        return sorted(sorted(near, key=lambda p: abs(p.first - f.at))[:3], key=lambda p: p.first), False
    if inner:
        return inner, False
    for told in reversed(before[-4:]):
        if told.places:
            return list(told.places), True
    return places.behind(high, 1), True


def _date(c: Context, f: Frame) -> Mention | None:
    """The time expression of the stretch, else the nearest of the sentence."""
    low, high = c.r.bounds(f.at)
    here = {m.first: m for k in range(max(low, f.at - 50), min(high, f.at + 50)) if (m := c.dated.get(k))}
    inner = [m for m in here.values() if f.inner[0] <= m.first < f.inner[1]]
    pool = inner or list(here.values())
    points = [m for m in pool if m.kind == "point"] or [m for m in pool if m.days <= WINDOW_DAYS and m.kind == "window"]
    if not points:
        points = [m for m in inner if m.kind in ("since", "window")]
    return min(points, key=lambda m: abs(m.first - f.at)) if points else None


def _realis(c: Context, f: Frame, date: Mention | None, today: dt.date | None) -> str:
    if f.realis == "recap":
        return "recap"
    recent = date is not None and date.end is not None and today is not None and (today - date.end).days <= NEWS_DAYS
    if recent and date is not None and date.kind == "point" and date.precision in ("day", "days"):
        return "reported"
    if c.r.sentences[c.r.sentence[f.at]].headline:
        return "reported"
    if date is None or date.end is None or today is None:
        return "recap" if any(c.cue(k, "background") for k in range(*f.inner)) else "reported"
    start = date.start or date.end
    if date.kind in ("since", "window") and (today - start).days > NEWS_DAYS:
        return "recap"
    if date.precision in ("year", "month", "week"):
        return "recap" if (today - start).days > NEWS_DAYS else "reported"
    return "reported" if recent else "recap"


def _type(
    c: Context, ids: Ids, f: Frame, found: Sequence[Role], own: Sequence[int], claims: Sequence[Claim]
) -> tuple[str, bool]:
    """Sub-event type, and whether it is only a vague word's default."""
    by = {r.actor for r in found if r.role == "attacker"}
    if "capture" in f.flags:
        home = any(ids.kind(a) == "state" for a in by)
        return ("Government regains territory" if home or not by else "Non-state actor overtakes territory"), False
    aircraft = any(c.cue(k, "aircraft") for k in range(*f.inner))
    artillery = any(c.cue(k, "artillery") for k in range(*f.inner))
    if f.type == "Shelling/artillery/missile attack":
        return ("Air/drone strike" if aircraft and "weapon" not in f.flags else f.type), False
    if f.type == "Remote explosive/landmine/IED" and "weak" in f.flags:
        return ("Air/drone strike", True) if aircraft else (f.type, f.trigger.entry.get("form") == "verb")
    if f.type == "Arrests" and any(ids.kind(a) in ("rebel", "militia") for a in by):
        return "Abduction/forced disappearance", False
    if not (f.flags & {"generic", "kill", "weak"} or f.type in _ARMED) or f.flags & {"clash", "attack"}:
        return f.type, False
    generic = bool(f.flags & {"generic", "kill", "defend", "weak"})
    if "protesters" in by:
        return "Violent demonstration", False
    if f.flags & {"generic", "kill"}:
        if aircraft:
            return "Air/drone strike", "kill" in f.flags
        if artillery:
            return "Shelling/artillery/missile attack", "kill" in f.flags
    if f.type not in _ARMED:
        return f.type, False
    targets = {r.actor for r in found if r.role in ("target", "participant")}
    targets |= {side for k in own for side, _ in claims[k].sides}
    if not targets:
        return f.type, generic
    return ("Armed clash" if any(ids.armed(a) for a in targets) else "Attack"), generic
