"""Parts of a larger claim: «بينهم تسعة أطفال», «(خمسة رجال وأربع نساء)», numbers that add up."""

from __future__ import annotations

from dataclasses import replace

from processors.extract.context import Context, Found
from processors.extract.governors import governor_of, overriding, post_outcome
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity
from processors.extract.phrases import Phrase, make, new_number, sides_of
from processors.text import SPACE


def as_part(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«بينهم تسعة أطفال», «من ضمنهم نحو ستين عنصراً قتلوا», «ثمانية منهم», «18 شخصا من القتلى», «(خمسة رجال ...)»."""
    if not found or (p.noun is None and not p.sides and q.hedge == "unspecified"):
        return None
    noun_end = p.noun.last if p.noun is not None else q.last
    marker = _marker_before(c, q.first)
    last_told = found[-1]
    if marker is not None and marker.first < last_told.last:
        marker = None  # «هم [جنديان] ومدني»: the word marks the part before
    behind = _marker_behind(c, noun_end)
    partitive = c.joined(noun_end) and c.cue(noun_end, "part") and c.r.words[noun_end].startswith("من")
    after = noun_end if partitive else None
    aside = _aside(c, q, found)
    rest = _rest_of(c, q, p, found)
    if marker is None and behind is None and after is None and not aside and rest is None:
        return _of_the_hurt(c, q, p, found)
    whole = rest if rest is not None else whole_of(c, q, found, far=behind is not None)
    joined = c.r.words[q.first].startswith("و") and 0 <= q.first - last_told.last <= 1
    if marker is None and joined and last_told.part_of is not None:
        whole = last_told.part_of  # «هم جنديان وواحد من المهاجمين»
    if whole is None:
        return None
    parent = found[whole]
    own = p.noun.entry.get("outcome") if p.noun else ""
    governor = governor_of(c, q, found) if marker is None else None
    post = post_outcome(c, noun_end)
    outcome = own or (governor.entry.get("outcome") if governor else "") or (post[0] if post else "") or parent.outcome
    if partitive and p.noun is None and c.joined(noun_end + 1) and c.r.words[noun_end + 1] == "من":
        whose, end, rule = sides_of(c, None, noun_end + 2)
        p = replace(p, sides=whose, side_rule=rule, last=max(p.last, end)) if whose else p
    first = marker.first if marker is not None else governor.first if governor is not None else q.first
    last = max(post[1] if post else 0, behind + 2 if behind is not None else 0)
    if p.noun is None and c.joined(q.last) and c.r.words[q.last].startswith(STATES):  # «بينهم اثنان إصابتهما خطيرة»
        last = max(last, q.last + 1)
    return make(c, q, p, outcome, "part-of", found, first=first, last=last, governor=parent.governor, part_of=whole)


def _of_the_hurt(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«واثنان من المصابين حالتهما حرجة»: some of the people counted before, who fared no other way."""
    noun = p.noun
    told = noun is not None and noun.definite and noun.entry.form == "plural" and noun.first > q.core
    if noun is None or not told or c.r.words[noun.first - 1] != "من" or q.count is None:
        return None
    outcome = noun.entry.get("outcome")
    governor = governor_of(c, q, found)
    if not outcome or (governor is not None and overriding(c, governor, outcome) is not None):
        return None
    near = range(len(found) - 1, max(len(found) - 6, -1), -1)
    whole = next((i for i in near if found[i].outcome == outcome and (found[i].count or 0) > q.count
                  and found[i].part_of is None), None)  # fmt: skip
    return make(c, q, p, outcome, "part-of", found, part_of=whole) if whole is not None else None


STATES = ("اصابته", "اصاباته", "جروحه", "جراحه", "حالته")


def _rest_of(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> int | None:
    """«المعتقلين الثلاثة الآخرين»: the claim of more such people, of whom they are the rest."""
    told = p.noun.entry.get("outcome") if p.noun is not None else ""
    if not told or not q.definite or q.count is None or not c.joined(q.last) or c.cue(q.last, "rest") is None:
        return None
    near = range(len(found) - 1, max(len(found) - 6, -1), -1)
    return next((i for i in near if found[i].outcome == told and (found[i].count or 0) > q.count), None)


def _marker_before(c: Context, i: int) -> Hit | None:
    """«بينهم» right before word `i`, or a word or two before."""
    for back in range(1, 5):
        hit = c.cue(i - back, "part") if i >= back else None
        if hit is not None and hit.last >= i - 1 and (hit.last == i or c.r.gap[i] == SPACE):
            return hit
    return None


def _marker_behind(c: Context, k: int) -> int | None:
    """«18 شخصا [من القتلى]»: within three words, where nothing else is told between."""
    for i in range(k, min(k + 3, len(c.r.words))):
        if c.cue(i, "part_after") is not None:
            return i
        if c.hits.at("outcomes", i) is not None or new_number(c, i):
            return None
        if c.cue(i, "vague", "dozens", "hundreds", "thousands") is not None:
            return None  # «عشرات القتلى و[العديد من] الجرحى»
    return None


def _aside(c: Context, q: Quantity, found: list[Found]) -> bool:
    """A breakdown in brackets or behind a colon right after the claim."""
    before = c.r.text[c.r.ends[q.first - 1] : c.r.starts[q.first]].strip() if q.first else ""
    if before not in ("(", ":"):
        return False
    return 0 <= q.first - found[-1].last <= 1


LEAST: dict[str, int] = {"dozens": 20, "hundreds": 200, "thousands": 2000}  # people of a vague number


def whole_of(c: Context, q: Quantity, found: list[Found], far: bool = False) -> int | None:
    """The claim that a part belongs to: the nearest before it in this sentence or the last, not itself a sibling."""
    s = c.r.sentence[q.core]
    for i in range(len(found) - 1, max(len(found) - 6, -1), -1):
        claim = found[i]
        if c.r.sentence[claim.at] < s - 1 and not far:
            return None
        if far and claim.outcome not in ("killed", "injured", "killed_or_injured"):
            continue
        bigger = claim.count is None or claim.count > (q.count or LEAST.get(q.hedge, 0))
        if bigger and (claim.part_of is None or q.core - claim.last <= 14):
            return i
    return None


LIST_REACH = 10  # words of a place between two items of a list


def listed(c: Context, previous: Found, k: int) -> bool:
    """Whether only the place of the claim before stands between it and word `k`: «رجل في سقبا، وسيدة في حمورية»."""
    first = previous.last
    if not 0 < k - first <= LIST_REACH or c.r.sentence[previous.at] != c.r.sentence[k]:
        return False
    if not (c.r.words[k].startswith("و") or c.r.gap[k] > SPACE):
        return False
    if c.cue(first, "place_before", "direction", "preposition", "agent") is None and c.hits.at("places", first) is None:
        return False
    return not any(
        c.hits.at("outcomes", j) or c.hits.at("triggers", j) or c.hits.at("persons", j)
        or c.cue(j, "block", "split") or (j > first and c.cue(j, "agent"))
        for j in range(first, k)
    )  # fmt: skip


def with_wholes(c: Context, found: list[Found]) -> list[Found]:
    """Parts told before their whole: «8 صحفيين بين قتلى التفجير ... 25 قتيلا», «الزوجة، ضمن خمسة أشخاص»."""
    out = list(found)
    for i, part in enumerate(found):
        if part.part_of is not None or part.count is None or part.outcome == "released":
            continue
        for k in range(i + 1, min(i + (WHOLE_REACH if part.rule == "among" else 2), len(found))):
            whole = found[k]
            told = part.rule == "among" or (
                whole.first > 0 and c.r.words[whole.first - 1] == "ضمن" and whole.first - part.last <= 2
            )
            if told and whole.outcome == part.outcome and (whole.count or 0) > part.count and whole.part_of is None:
                out[i] = replace(part, part_of=k)
                break
    return out


WHOLE_REACH = 6  # claims


def with_sides(found: list[Found]) -> list[Found]:
    """«ثلاثة أشخاص هم جنديان ومدني»: people of no side whose parts say in full whose they are."""
    out = list(found)
    for i, whole in enumerate(found):
        if whole.side_rule not in ("", "person-noun") or whole.category != "unknown" or (whole.count or 0) < 2:
            continue
        parts = [p for p in found[i + 1 : i + WHOLE_REACH] if p.part_of == i]
        sides = {side: (side, named) for p in parts for side, named in p.sides}
        if sides and all(p.sides for p in parts) and sum(p.count or 0 for p in parts) == whole.count:
            out[i] = replace(whole, sides=tuple(sides.values()), side_rule="sides-of-parts")
    return out


def with_sums(c: Context, found: list[Found]) -> list[Found]:
    """Two numbers of one sentence that add up to a third of the same outcome before them are its parts."""
    out = list(found)
    for i, whole in enumerate(found):
        if whole.count is None or whole.count < 3 or whole.part_of is not None:
            continue
        near = [k for k in range(i + 1, min(i + 6, len(found)))
                if c.r.sentence[found[k].at] == c.r.sentence[whole.at] and found[k].outcome == whole.outcome
                and found[k].part_of is None]  # fmt: skip
        for a in near:
            for b in near:
                if a < b and (found[a].count or 0) + (found[b].count or 0) == whole.count:
                    out[a], out[b] = replace(found[a], part_of=i), replace(found[b], part_of=i)
    return out
