"""Which places a telling has: those of its clause, of its sentence, of the sentences around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.dates import DAYS_BEFORE
from processors.extract.frames import Frame
from processors.extract.places import ORDER, WIDTH_KM, distance_km, wide
from processors.extract.places import Found as Place

CLOSE = 45  # words of the sentence before and behind the trigger
RESUMED = 3  # sentences behind a telling in the lead that may say where exactly it was, behind others one
LEAD = 3
WIDE = 2.5  # rank of a province: from there on a more specific place is looked for
TAKEN = frozenset(("moved", "capture", "transfer", "abduct", "arrest", "control", "enter", "protest", "swap", "handed"))
SAME = 20  # words before a trigger without a place, where «the town» may stand
BESIDE = 8  # words between the names of a region and of a town in it
LANDMARK = 3  # words from a place to the direction in which it lies from a landmark
ASIDE = 8  # words that «before», «after» reach


class Before(Protocol):
    """What a scene needs of an earlier telling."""

    @property
    def places(self) -> list[Place]: ...

    @property
    def realis(self) -> str: ...


def scene(c: Context, f: Frame, places: Along[Place], before: Sequence[Before]) -> tuple[list[Place], bool]:
    """The places of a telling, the one that it is about first, and whether they are other sentences' places."""
    here, inherited = _here(c, f, places, before)
    if f.flags & {"moved", "transfer"} and here and not inherited and all(_toward(c, f, p) for p in here):
        here = [*_inherited(before), *here]
        return here, False
    if here and not inherited and all(wide(p) for p in here):
        here = [*_resumed(c, f, places, here), *here]
    return ordered(here, f.at), inherited


def _here(c: Context, f: Frame, places: Along[Place], before: Sequence[Before]) -> tuple[list[Place], bool]:
    low, high = c.r.bounds(f.at)
    inner = _scenes(c, f, places.between(*f.inner))
    near = places.between(max(low, f.at - CLOSE), min(high, f.at + CLOSE + 1))
    around = _scenes(c, f, [p for p in near if not _parted(c, f, p)] or near)
    narrow = any(not wide(p) for p in inner)
    told = _same(c, f, places, inner if narrow else around, f.inner if narrow else (max(low, f.at - SAME), high))
    if told is not None:
        return [told, *(p for p in inner if fits(p, told) and not wide(p))], False
    if narrow:
        return [*inner, *_beside(inner, around)], False
    if around:
        close = sorted(around, key=lambda p: abs(p.first - f.at))[:3]
        return sorted(close, key=lambda p: p.first), bool(inner == [] and len(around) > 3)
    if inner:
        return inner, False
    if known := _inherited(before):
        return known, True
    if near:
        return list(near), False
    behind = [*_lead(c, places, low), *places.behind(high, 3)]
    return ([p for p in behind if not p.rule.startswith("origin") and not wide(p)] or behind)[:1], True


def _parted(c: Context, f: Frame, p: Place) -> bool:
    """Whether another report begins between a trigger and a place («..., [في حين] قتل ثلاثة في كذا»)."""
    first, last = sorted((f.at, p.first))
    return any(c.cue(k, "split") for k in range(first + 1, last))


def _beside(inner: Sequence[Place], around: Sequence[Place]) -> list[Place]:
    """Beside provinces and regions alone: a finer name right before or behind them in the sentence."""
    if any(_rank(p)[0] < WIDE for p in inner):
        return []
    return [p for p in around if _rank(p)[0] < WIDE and all(p is not q for q in inner)
            and any(abs(p.first - q.first) <= BESIDE and fits(p, q) for q in inner)]  # fmt: skip


def _inherited(before: Sequence[Before]) -> list[Place]:
    """The places of the last telling of news, else of the last one."""
    known = [told for told in reversed(before[-4:]) if told.places]
    return next(
        (list(told.places) for told in known if told.realis == "reported"), list(known[0].places) if known else []
    )


def _lead(c: Context, places: Along[Place], last: int) -> list[Place]:
    """Places that headline and lead name before word `last`, the first first, but for countries."""
    end = next((s.first for s in c.r.sentences[LEAD:]), len(c.r.words))
    return [p for p in places.between(0, min(end, last)) if not wide(p)]


def _scenes(c: Context, f: Frame, found: Sequence[Place]) -> list[Place]:
    """Without countries where anything finer is told, where the dead came from, where people are from, and where
    something else was that only tells when or why, if anything is left then."""
    if not f.flags & TAKEN:
        found = [p for p in found if p.rule != "origin-of"]
    finer = [p for p in found if p.precision != "country"] or list(found)
    finer = [p for p in finer if not _landmark(c, p, finer)]
    lived = [p for p in finer if p.rule != "origin"] or finer
    return [p for p in lived if not _aside(c, f, p)]


def _landmark(c: Context, p: Place, found: Sequence[Place]) -> bool:
    """«محافظة حجة، شمال غربي [صنعاء]», «قرب [دمشق]»: a town that only says where the place before it lies."""
    k = p.first - 1
    side = c.cue(k, "direction") if k >= 0 else None
    if p.precision not in ("town", "site") or side is None or side.prefix.startswith("و"):
        return False
    return any(0 <= k - q.last <= LANDMARK and q.country == p.country and not wide(q) for q in found if q is not p)


def _aside(c: Context, f: Frame, p: Place) -> bool:
    """«قبل ساعات من افتتاح السفارة في القدس»: the place of something that only dates the event."""
    low = max(c.r.bounds(p.first)[0], p.first - ASIDE)
    k = next((k for k in range(p.first - 1, low - 1, -1) if c.cue(k, "aside")), -1)
    at = next((m for j in (k, k + 1) if (m := c.dated.get(j))), None)
    dates = at is not None and at.rule != DAYS_BEFORE  # «قبل [منتصف ليل الخميس] بلدة كذا»
    return k >= 0 and not dates and not k < f.at < p.first


def _toward(c: Context, f: Frame, p: Place) -> bool:
    """Whether a place behind the trigger is where the move ends: «إلى إدلب», «باتجاه ريف حلب»."""
    return p.first > f.at and any(c.cue(k, "toward") for k in range(max(f.at, p.first - 4), p.first))


#: flag of a word that means a place told of before → what it may be, the likeliest first
KINDS: Mapping[str, tuple[str, ...]] = {
    "a_town": ("town", "site"),
    "a_province": ("province", "town", "region"),
    "a_region": ("region",),
    "a_site": ("site", "town"),
    "": (),
}


def _same(
    c: Context, f: Frame, places: Along[Place], inner: Sequence[Place], where: tuple[int, int]
) -> Place | None:  # fmt: skip
    """«المدينة», «المنطقة ذاتها» in words `where`, nearer to the trigger than any name: the last place before it that
    is such a thing, else the last one; beside a wider name («المدينة الواقعة في ريف ...») one that lies there."""
    words = range(where[0], min(where[1], f.at + CLOSE))
    k = next((k for k in words if c.cue(k, "same_place") and not c.hits.at("places", k + 1)), None)
    if k is None:
        return None
    finer = [p for p in inner if not wide(p)]
    known = [p for p in places.before(k, 20) if not wide(p) and not p.rule.startswith("origin") and not _ends(c, p)]
    said = c.cue(k, "same_place")
    kinds = KINDS[next((flag for flag in KINDS if said is not None and flag in said.entry.flags), "")]
    told = next((p for kind in kinds for p in known if p.precision == kind), known[0] if known else None)
    if told is None or any(abs(p.first - f.at) < abs(k - f.at) for p in finer):
        return None
    return told if all(fits(told, p) and _rank(told) < _rank(p) for p in finer) else None


def _ends(c: Context, p: Place) -> bool:
    """Whether something moves to the place."""
    return any(c.cue(k, "toward") for k in range(max(0, p.first - 3), p.first))


def _resumed(c: Context, f: Frame, places: Along[Place], wider: Sequence[Place]) -> list[Place]:
    """«ووقع الهجوم في مدينة كذا»: a finer place that one of the next sentences gives to what happened."""
    s = c.r.sentence[f.at]
    for n in range(s + 1, min(s + 1 + (RESUMED if s < LEAD else 1), len(c.r.sentences))):
        sentence = c.r.sentences[n]
        about = next((k for k in range(sentence.first, sentence.last) if c.cue(k, "resumed")), None)
        if about is None:
            continue
        lands = {w.country for w in wider}
        found = [
            p
            for p in places.between(sentence.first, sentence.last)
            if not wide(p) and not p.rule.startswith("origin") and (not p.country or lands == {p.country})
        ]
        if found:
            return found[:2]
    return []


def ordered(found: Sequence[Place], at: int) -> list[Place]:
    """The place nearest to word `at` and what goes together with it, the most specific first, then the others."""
    if not found:
        return []
    main = min(found, key=lambda p: (p.precision == "country", abs(p.first - at)))
    together = [p for p in found if p is main or fits(p, main)]
    rest = [p for p in found if not any(p is q for q in together)]
    return [*sorted(together, key=_rank), *sorted(rest, key=_rank)]


def _rank(p: Place) -> tuple[float, int]:
    """How wide a place is, and where it stands. A town's name may be its province's."""
    if wide(p):
        return (5.0 if p.precision == "country" else 4.0), p.first
    if p.rule == "name" and p.row is not None and "province" in p.row.get("flags", "").split():
        return WIDE, p.first
    return float(ORDER.get(p.precision, 4)), p.first


def fits(a: Place, b: Place) -> bool:
    """Whether one of two places can lie in the other, or beside it."""
    if a.row is None or b.row is None:
        return abs(a.first - b.first) <= 8
    if a.country != b.country:
        return False
    if wide(a) or wide(b) or (a.admin1 and a.admin1 == b.admin1):
        return True
    if a.row["name"] == b.admin1 or b.row["name"] == a.admin1:
        return True
    km = distance_km(a.row, b.row)
    return km is not None and km <= max(WIDTH_KM.get(p.precision, 25.0) for p in (a, b))


def gathered(tellings: Sequence[tuple[list[Place], bool]]) -> list[Place]:
    """The places of an incident's tellings (places, inherited), the best telling first: its main place, finer ones of
    other tellings that lie in it, then the rest."""
    own = [found for found, inherited in tellings if not inherited and found] or [found for found, _ in tellings]
    every = [p for found in own for p in found]
    if not every:
        return []
    main = every[0]
    level = _rank(main)[0]
    pool = every if level < WIDE else [*every, *tellings[0][0]]
    finer = sorted((p for p in pool if _rank(p)[0] < level and fits(p, main)), key=lambda p: _rank(p)[0])
    return [*finer, main, *every] if level >= WIDE else [main, *finer, *every]
