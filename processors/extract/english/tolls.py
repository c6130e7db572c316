"""One incident or a running total? «since 2011», «in the past month», «brings the total to», «separate attacks»."""

from __future__ import annotations

from collections.abc import Sequence

from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.places import Found as Place
from processors.extract.tolls import MANY, MANY_DISPLACED, WINDOW_DAYS
from processors.text import COMMA

SERIES_PLACES = 3  # «attacks in A, B and C»
_CALENDAR = frozenset(("month", "year", "year-current", "year-past", "window"))
_DISPLACED = frozenset(("displaced", "missing"))


def cumulative(c: Context, claims: Sequence[Claim], places: Along[Place]) -> list[str]:
    """Per claim the rule that makes it cumulative, "" for one incident's."""
    out: list[str] = []
    for i, claim in enumerate(claims):
        if (
            claim.part_of is not None
            and claim.part_of < i
            and out[claim.part_of]
            and _close(c, claims[claim.part_of], claim)
        ):
            out.append("part-of-total")
        else:
            out.append(_own(c, claim, places) or _goes_on(c, claims, out, i))
    return out


def _close(c: Context, whole: Claim, part: Claim) -> bool:
    return c.r.sentence[whole.at] == c.r.sentence[part.at] and part.rule == "part-of"


def _own(c: Context, claim: Claim, places: Along[Place]) -> str:
    low, high = c.r.bounds(claim.at)
    low, high = max(low, claim.first - 22), min(high, claim.last + 22)
    for k in range(low, high):
        date = c.dated.get(k)
        if date is None or date.first != k or _parted(c, claim, k):
            continue
        if date.kind == "since" and date.days > WINDOW_DAYS:
            return "since"
        if date.kind == "window" and date.days > WINDOW_DAYS:
            return "window"
    behind = range(claim.last, min(claim.last + 14, high))
    if any(c.cue(k, "since") and not _parted(c, claim, k) for k in (*range(low, claim.first), *behind)):
        return "since"
    number = claim.count
    if number is None and c.r.words[claim.at] in ("numerous", "many", "countless"):
        return "vague-total"
    violent = claim.outcome in ("killed", "injured", "killed_or_injured")
    if violent and number is not None and number >= MANY:
        return "many"
    crowd = (number or 0) >= MANY_DISPLACED or (number is None and claim.hedge in ("thousands", "hundreds"))
    if claim.outcome == "displaced" and crowd:
        return "many"
    war = any(
        c.cue(k, "war") for k in (*range(max(low, claim.first - 5), claim.first), *range(claim.last, claim.last + 4))
    )
    if war and ((number is None and claim.hedge in ("thousands", "hundreds")) or (number or 0) >= 200):
        return "war"
    if claim.rule == "tally" and _rising(c, claim) and not _one_incident(c, claim, low, high):
        return "risen"
    if any(c.cue(k, "series") for k in range(max(low, claim.first - 8), min(high, claim.last + 9))):
        return "series"
    return "many-places" if _many_places(c, claim, places, high) else ""


def _parted(c: Context, claim: Claim, k: int) -> bool:
    """Whether two commas or a new clause stand between the claim and word `k`."""
    low, high = (claim.last, k) if k >= claim.last else (k, claim.first)
    commas = sum(c.r.gap[j] == COMMA for j in range(low, high + 1) if j < len(c.r.gap))
    return (
        commas > 1
        or any(c.cue(j, "split") for j in range(low, high))
        or any(
            (h := c.hits.at("triggers", j)) is not None
            and h.entry.get("form") == "verb"
            and not h.entry.flags & {"kill", "weak"}
            for j in range(claim.last, k)
        )
    )


def _rising(c: Context, claim: Claim) -> bool:
    start = claim.governor if claim.governor is not None else claim.first
    low = max(c.r.bounds(claim.at)[0], start - 4)
    return any(c.cue(k, "rise") for k in range(low, claim.at))


def _one_incident(c: Context, claim: Claim, low: int, high: int) -> bool:
    """«the death toll from Friday's bombing rose to 30»: one happening stands beside the tally."""
    for k in range(max(low, (claim.governor or claim.first) - 4), min(high, claim.last + 10)):
        hit = c.hits.at("triggers", k)
        if hit is not None and hit.entry.get("form") == "noun" and not hit.entry.flags & {"kill", "protest"}:
            return not c.r.words[hit.last - 1].endswith("s") or c.r.words[hit.last - 1] == "clashes"
    return c.r.words[claim.governor : claim.at][:1] != ("total",) and not any(
        c.r.words[k] in ("bringing", "brings", "brought", "total") for k in range(low, claim.at)
    )


def _many_places(c: Context, claim: Claim, places: Along[Place], high: int) -> bool:
    """«7 injured in attacks in A, B and C»: several happenings in as many places."""
    several = any(
        (h := c.hits.at("triggers", k)) is not None
        and c.r.words[h.last - 1].endswith("s")
        and h.entry.get("form") == "noun"
        for k in range(claim.last, min(claim.last + 6, high))
    )
    if not several or (claim.count or 2) < 2:
        return False
    listed: list[Place] = []
    for p in places.between(claim.last, high):
        if p.precision != "country":
            if listed and p.first - listed[-1].last > 2:
                break
            listed.append(p)
    return len({p.key(c.r) for p in listed}) >= SERIES_PLACES


def _goes_on(c: Context, claims: Sequence[Claim], out: Sequence[str], i: int) -> str:
    """A later number of the same sentence goes on counting the total, unless an incident or a day stands by it."""
    if not i or not out[i - 1] or c.r.sentence[claims[i - 1].at] != c.r.sentence[claims[i].at]:
        return ""
    between = range(claims[i - 1].last, claims[i].last + 6)
    for k in between:
        hit = c.hits.at("triggers", k)
        date = c.dated.get(k)
        if hit is not None and not hit.entry.flags & {"kill", "weak", "generic", "arrest"}:
            return ""
        if date is not None and date.kind == "point" and date.precision == "day":
            return ""
    return "goes-on" if claims[i].first - claims[i - 1].last <= 6 else ""
