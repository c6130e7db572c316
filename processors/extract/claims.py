"""Casualty claims: which numbers count people, what befell them, and whose people they are.

Every number is looked at with its noun («35 قتيلاً»), its governor («مقتل 11 طفلاً»), what follows («16 مدنياً قتلوا»)
and the claim before it («بينهم تسعة أطفال», «و3 نساء»). Nouns that imply a number («مقتل امرأة», «شابين») come after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from pipeline.records import Category, Hedge, Outcomes
from processors.extract.actors import UNIDENTIFIED, Named
from processors.extract.along import Along
from processors.extract.dates import Mention
from processors.extract.lexicons import Hit, Hits
from processors.extract.numbers import Quantity, hedge_after, hedge_before, with_hedge
from processors.text import COMMA, SENTENCE, SPACE, Reading

MOST = 500  # claims of one article; a list of more is no report
REACH = 12  # words that a governor may stand before its number
LONGEST = 160  # code points of a claim's span
Sides = tuple[tuple[str, Named | None], ...]  # actor ids with the words that name them


@dataclass(frozen=True, slots=True)
class Found:
    """A claim in words `first:last`; `governor`: word of what befell them; `part_of`: number of the larger claim."""

    first: int
    last: int
    outcome: Outcomes
    count: int | None
    hedge: Hedge
    low: int | None
    high: int | None
    unit: str
    category: Category
    sides: Sides
    rule: str
    at: int
    governor: int | None = None
    part_of: int | None = None
    side_rule: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a text's claims are read from."""

    r: Reading
    hits: Hits
    named: dict[int, Named]
    dated: dict[int, Mention]
    actors: Along[Named]
    at_war: frozenset[str] = frozenset()  # countries where a killing is taken for one of the war
    masked: frozenset[int] = frozenset()  # words of speakers and of triggers: no roles there

    def cue(self, i: int, *kinds: str) -> Hit | None:
        return self.hits.cue(i, kinds)

    def joined(self, i: int, gap: int = SPACE) -> bool:
        """Whether word `i` exists and follows without a break."""
        return i < len(self.r.words) and self.r.gap[i] <= gap


@dataclass(frozen=True, slots=True)
class Phrase:
    """The people of a number: their noun, where the phrase ends, whose they are."""

    noun: Hit | None
    last: int
    sides: Sides
    side_rule: str
    joint: bool
    pronoun: bool = False


def claims(c: Context, numbers: Sequence[Quantity]) -> list[Found]:
    """Claims in text order; `part_of` counts in this list."""
    found: list[Found] = []
    covered: set[int] = set()
    items: list[tuple[int, Quantity | Hit]] = [(q.first, q) for q in numbers if not _dated(c, q)]
    taken = {k for q in numbers for k in range(q.first, q.last)}
    items += [(h.first, h) for h in c.hits.of("persons") if h.first not in taken]
    for _, item in sorted(items, key=lambda x: (x[0], isinstance(x[1], Hit))):
        if len(found) >= MOST:
            break
        if item.first in covered or c.r.sentences[c.r.sentence[item.first]].skip:
            continue
        claim = _counted(c, item, found) if isinstance(item, Quantity) else _implied(c, item, found)
        if claim is not None:
            _share_hedge(c, found, claim)
            found.append(claim)
            covered.update(range(claim.at, claim.last))
    return _with_sums(c, found)


def _share_hedge(c: Context, found: list[Found], claim: Found) -> None:
    """«35 قتيلاً و23 مصاباً على الأقل»: a hedge behind two joined numbers holds for both."""
    if not found or claim.hedge != "at_least" or hedge_after(c.hits, claim.last - 2) is None:
        return
    previous = found[-1]
    joined = 0 <= claim.at - previous.last <= 1 and c.r.words[claim.at - (claim.at > previous.last)].startswith("و")
    if joined and previous.hedge == "exact" and previous.count is not None and previous.rule == claim.rule:
        found[-1] = replace(previous, hedge="at_least", low=previous.count)


def _with_sums(c: Context, found: list[Found]) -> list[Found]:
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


def _dated(c: Context, q: Quantity) -> bool:
    return any(k in c.dated for k in range(q.core, q.last_core))


# ---- numbers


def _counted(c: Context, q: Quantity, found: list[Found]) -> Found | None:
    phrase = _phrase(c, q)
    if phrase is None:
        return None
    if phrase.noun is not None and phrase.last < len(c.r.words):
        after = hedge_after(c.hits, phrase.noun.last) if c.joined(phrase.noun.last) else None
        if after is not None and q.hedge == "exact":
            q = with_hedge(q, after)
            phrase = replace(phrase, last=max(phrase.last, after.last))
    for rule in (_part, _own_outcome, _by_dozens, _tally, _after, _governed, _against, _coordinated):
        claim = rule(c, q, phrase, found)
        if claim is not None:
            return claim
    return None


def _make(
    c: Context, q: Quantity, p: Phrase, outcome: str, rule: str, found: list[Found], *,
    first: int | None = None, last: int | None = None, governor: int | None = None, part_of: int | None = None,
) -> Found:  # fmt: skip
    start = min(q.first, first if first is not None else q.first)
    stop = max(p.last, last or 0, q.last)
    while stop > q.last and c.r.ends[stop - 1] - c.r.starts[start] > LONGEST:
        stop -= 1
    if c.r.ends[stop - 1] - c.r.starts[start] > LONGEST:
        start = q.first
    sides, side_rule = p.sides, p.side_rule
    if side_rule == "same" or (not sides and part_of is not None):
        previous = found[part_of] if part_of is not None else (found[-1] if found else None)
        near = previous is not None and c.r.sentence[previous.at] >= c.r.sentence[q.core] - 1
        if previous is not None and near and previous.sides:
            sides, side_rule = previous.sides, "same-people"
        elif side_rule == "same":
            sides, side_rule = (("civilians", None),), "person-noun"
    noun = p.noun
    category = cast(Category, (noun.entry.get("category") if noun else "") or "unknown")
    unit = "household" if noun is not None and "household" in noun.entry.flags else "person"
    joint = p.joint and outcome in ("killed", "injured")
    return Found(start, stop, cast(Outcomes, "killed_or_injured" if joint else outcome), q.count, q.hedge, q.low,
                 q.high, unit, category, sides, rule, q.core, governor, part_of, side_rule)  # fmt: skip


def _phrase(c: Context, q: Quantity) -> Phrase | None:
    """The noun phrase of a number; None where it counts no people."""
    k = q.last
    before = _noun_before(c, q)
    if before is not None:
        sides, last, rule = _sides(c, before, q.last)
        return Phrase(before, last, sides, rule, False)
    while c.joined(k) and c.r.words[k] in ("من", "بين", "عدد") and k - q.last < 2:
        k += 1
    if not c.joined(k):
        return Phrase(None, q.last, (), "", False)
    noun = c.hits.at("persons", k)
    unit = c.hits.at("units", k)
    actor = c.named.get(k)
    if noun is not None and (actor is None or noun.last > actor.last or _person_like(noun, actor)):
        joint = _joint_noun(c, noun)
        last = joint.last if joint else noun.last
        sides, end, rule = _sides(c, noun, last)
        return Phrase(noun, end, sides, rule, joint is not None, bool(noun.suffix and noun.suffix != "ا"))
    if actor is not None and (k > q.last or q.vague):
        sides, end, rule = _sides(c, None, k)
        return Phrase(None, end, sides, rule, False)
    if unit is not None:
        return None
    return Phrase(None, q.last, (), "", False)


def _person_like(noun: Hit, actor: Named) -> bool:
    return actor.last <= noun.last or actor.weak or "victim" in actor.flags


def _noun_before(c: Context, q: Quantity) -> Hit | None:
    """«الانتحاريون العشرة», «المعتقلين الثلاثة»."""
    if not q.definite or q.count is None or not q.core or not c.joined(q.core):
        return None
    hit = c.hits.at("persons", q.core - 1)
    return hit if hit is not None and hit.last == q.core and hit.entry.form == "plural" else None


def _joint_noun(c: Context, noun: Hit) -> Hit | None:
    """«قتيلاً وجريحاً», «القتلى والجرحى»: one number for both."""
    if not noun.entry.get("outcome") or not c.joined(noun.last):
        return None
    other = c.hits.at("persons", noun.last)
    if other is None or not other.prefix.startswith("و") or other.entry.get("outcome") not in ("killed", "injured"):
        return None
    return other if other.entry.get("outcome") != noun.entry.get("outcome") else None


def _sides(c: Context, noun: Hit | None, k: int) -> tuple[Sides, int, str]:
    """Whose people: actors named inside the phrase that goes on at word `k`; (sides, end of phrase, rule)."""
    if noun is not None and noun.entry.get("category") in ("civilian", "child", "woman"):
        return ((noun.entry.get("side"), None),), _past_adjectives(c, k), "person-noun"
    sides: list[tuple[str, Named | None]] = []
    last, limit, start = k, min(k + 14, len(c.r.words)), k
    own = c.named.get(noun.first) if noun is not None else None
    if own is not None and noun is not None and own.last > noun.last:
        k = own.first
    while k < limit:
        actor = c.named.get(k)
        if k >= start and c.r.gap[k] > SPACE and not _goes_on(c, k, actor, bool(sides)):
            break
        counted = c.hits.at("persons", k) if actor is not None and actor.prefix.startswith("و") else None
        if counted is not None and counted.entry.form == "dual":
            break
        if actor is not None and _is_side(c, noun, actor, start, bool(sides)):
            sides.extend((a, actor) for a in (actor.id, *actor.also) if a not in [s for s, _ in sides])
            k = last = actor.last
            continue
        if k >= start and _ends_phrase(c, k, bool(sides)):
            break
        k = actor.last if actor is not None else k + 1
    if len(sides) > 1 and sides[0][0] in UNIDENTIFIED:
        sides = sides[1:]
    if sides:
        return tuple(sides), max(last, start), "named-in-phrase"
    if own is not None and "victim" not in own.flags and not own.weak and own.rule != "adjective":
        return ((own.id, own),), start, "noun-names-side"
    return _sides_of_noun(c, noun, start)


def _past_adjectives(c: Context, k: int) -> int:
    """The word behind the nationalities that follow a noun («فتى فلسطيني»)."""
    while c.joined(k) and (
        ((n := c.named.get(k)) is not None and n.rule == "adjective" and n.prefix in ("", "ال"))
        or ((h := c.hits.at("persons", k)) is not None and not h.prefix and h.entry.form != "plural")
    ):
        k += 1
    return k


def _goes_on(c: Context, k: int, actor: Named | None, seen: bool) -> bool:
    """Whether the phrase runs on behind a comma: only into «..., وعناصر ...»."""
    return c.r.gap[k] < SENTENCE and seen and actor is not None and actor.prefix.startswith("و")


def backed(c: Context, actor: Named) -> bool:
    """«المدعومة من ...», «بقيادة ...»: named only as somebody's backer."""
    return any(c.cue(actor.first - k, "backed") for k in (1, 2) if actor.first >= k)


def _is_side(c: Context, noun: Hit | None, actor: Named, start: int, seen: bool) -> bool:
    if backed(c, actor):
        return False
    if actor.rule == "adjective":
        fighters = noun is not None and (noun.entry.get("category") == "combatant" or not noun.entry.get("side"))
        own = noun is not None and noun.entry.get("outcome")
        return not seen and bool(fighters) and not own and actor.first == start and actor.prefix in ("", "ال")
    if actor.prefix.startswith("و") and not seen and actor.first == start:
        return False
    if "victim" in actor.flags and seen:
        return False
    return not (actor.weak and actor.rule == "name" and not seen and _modified(c, actor))


def _ends_phrase(c: Context, k: int, seen: bool) -> bool:
    if c.hits.at("outcomes", k) is not None or k in c.dated or _new_number(c, k) or c.r.words[k].endswith("وا"):
        return True
    if not c.cue(k, "np_stop", "part"):
        return False
    follows = c.named.get(k + 1)
    into = c.r.words[k] in ("في", "بين") and (
        c.cue(k + 1, "ranks", "both") is not None or (follows is not None and "org" in follows.flags)
    )
    return not into or seen


def _modified(c: Context, actor: Named) -> bool:
    """Whether a stronger name follows a weak one («مسلحي ... طالبان»)."""
    return any(c.named.get(k) is not None and not c.named[k].weak for k in range(actor.last, actor.last + 4))


def _new_number(c: Context, k: int) -> bool:
    return c.r.words[k][0].isdigit() or c.hits.at("numbers", k) is not None


def _sides_of_noun(
    c: Context, noun: Hit | None, start: int
) -> tuple[Sides, int, str]:
    if noun is None:
        return (), start, ""
    if noun.suffix in ("ه", "ها", "هم") and noun.entry.get("category") == "combatant":
        owner = next((n for n in c.actors.before(noun.first, 20) if n.last <= noun.first and not n.weak
                      and n.rule != "adjective" and "victim" not in n.flags), None)  # fmt: skip
        if owner is not None:
            return ((owner.id, owner),), start, "pronoun"
    side = noun.entry.get("side")
    if side == "same":
        return (), start, "same"
    if side:
        return ((side.rstrip("?"), None),), start, "person-noun"
    return (), start, ""


# ---- frames, in the order in which they are tried


def _part(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«بينهم تسعة أطفال», «من ضمنهم أكثر من 114 عنصراً قتلوا», «ثمانية منهم», «18 شخصا من القتلى», «(خمسة رجال ...)»."""
    if not found:
        return None
    noun_end = p.noun.last if p.noun is not None else q.last
    marker = _marker_before(c, q.first)
    behind = next((k for k in range(noun_end, min(noun_end + 3, len(c.r.words))) if c.cue(k, "part_after")), None)
    after = noun_end if c.joined(noun_end) and c.cue(noun_end, "part") and c.r.words[noun_end].startswith("من") else None
    aside = _aside(c, q, found)
    if marker is None and behind is None and after is None and not aside:
        return None
    whole = _whole(c, q, found, far=behind is not None)
    if whole is None:
        return None
    parent = found[whole]
    own = p.noun.entry.get("outcome") if p.noun else ""
    governor = _governor(c, q, found) if marker is None else None
    post = _post_outcome(c, noun_end)
    outcome = own or (governor.entry.get("outcome") if governor else "") or (post[0] if post else "") or parent.outcome
    first = marker.first if marker is not None else governor.first if governor is not None else q.first
    last = max(post[1] if post else 0, behind + 2 if behind is not None else 0)
    return _make(c, q, p, outcome, "part-of", found, first=first, last=last, governor=parent.governor, part_of=whole)


def _marker_before(c: Context, i: int) -> Hit | None:
    """«بينهم» right before word `i`, or a word or two before."""
    for back in range(1, 5):
        hit = c.cue(i - back, "part") if i >= back else None
        if hit is not None and hit.last >= i - 1 and (hit.last == i or c.r.gap[i] == SPACE):
            return hit
    return None


def _aside(c: Context, q: Quantity, found: list[Found]) -> bool:
    """A breakdown in brackets right behind the claim."""
    if c.r.text[c.r.starts[q.first] - 1 : c.r.starts[q.first]] != "(":
        return False
    return 0 <= q.first - found[-1].last <= 1


def _whole(c: Context, q: Quantity, found: list[Found], far: bool = False) -> int | None:
    """The claim that a part belongs to: the nearest before it in this sentence or the last, not itself a sibling."""
    s = c.r.sentence[q.core]
    for i in range(len(found) - 1, max(len(found) - 6, -1), -1):
        claim = found[i]
        if c.r.sentence[claim.at] < s - 1 and not far:
            return None
        if far and claim.outcome not in ("killed", "injured", "killed_or_injured"):
            continue
        bigger = claim.count is None or q.count is None or claim.count > q.count
        if bigger and (claim.part_of is None or q.core - claim.last <= 14):
            return i
    return None


def _own_outcome(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«35 قتيلاً», «23 مصاباً», «عشرات القتلى والجرحى»."""
    if p.noun is None or not p.noun.entry.get("outcome"):
        return None
    outcome = p.noun.entry.get("outcome")
    governor = _governor(c, q, found) if outcome == "captured" else None
    if governor is not None and governor.entry.get("outcome") in ("released", "killed", "injured"):
        return _make(c, q, p, governor.entry.get("outcome"), "captives", found, first=governor.first,
                     governor=governor.first)  # fmt: skip
    first = q.first
    light: Hit | None = c.hits.at("outcomes", q.first - 1) if q.first else None
    if light is not None and light.entry.get("voice") == "light" and c.joined(q.first):
        first = light.first
    return _make(c, q, p, outcome, "number-noun", found, first=first)


def _by_dozens(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«قتلى وجرحى بالعشرات»."""
    if not q.vague or not q.definite or not c.r.words[q.core].startswith("بال") or not q.first:
        return None
    noun = next((h for k in (q.first - 1, q.first - 2) if (h := c.hits.at("persons", k)) and h.entry.get("outcome")
                 and h.last == q.first), None)  # fmt: skip
    if noun is None:
        return None
    first = c.hits.at("persons", noun.first - 1) if noun.prefix == "و" else None
    joint = first is not None and _joint_noun(c, first) is not None
    whose, last, rule = _sides(c, noun, q.last)
    phrase = Phrase(noun, last, whose, rule, joint)
    head = first if joint and first is not None else noun
    return _make(c, q, phrase, head.entry.get("outcome"), "by-dozens", found, first=head.first)


def _post_outcome(c: Context, k: int) -> tuple[str, int] | None:
    """A verb that follows its people from word `k`: (outcome, end)."""
    for step in range(7):
        i = k + step
        if i >= len(c.r.words) or c.r.gap[i] >= SENTENCE:
            return None
        if c.r.gap[i] == COMMA and step > 3:
            return None
        hit = c.hits.at("outcomes", i)
        if hit is not None and not hit.entry.get("voice") == "noun":
            voice, outcome = hit.entry.get("voice"), hit.entry.get("outcome")
            lead = c.r.words[i - 1]
            if voice == "nominal" and (lead == "تم" or (lead == "الي" and outcome == "displaced")):
                return outcome, hit.last
            if voice == "post" and "light" not in hit.entry.flags and not hit.prefix:
                return outcome, hit.last
            if voice == "verb" and not hit.prefix and outcome and "weak" not in hit.entry.flags:
                if "pair" in hit.entry.flags:
                    return "killed", min(hit.last + 1, len(c.r.words))
                if hit.suffix in ("وا", "ت", "ا", ""):
                    return outcome, hit.last
            return None
        if _new_number(c, i) or c.cue(i, "block", "part"):
            return None
    return None


def _after(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«16 مدنياً على الأقل قتلوا», «43 شخصاً لقوا حتفهم», «أكثر من 1800 أسرة نزحت»."""
    if p.noun is None and not (p.sides or q.count is not None):
        return None
    start = p.noun.last if p.noun else max(p.last, q.last)
    post = _post_outcome(c, start)
    if post is None:
        return None
    governed = _governor(c, q, found)
    if governed is not None and governed.last == q.first and governed.entry.get("outcome"):
        return None
    last = post[1]
    if c.r.ends[last - 1] - c.r.starts[q.first] > LONGEST:
        return None
    first = None
    part = None
    if found and c.r.words[q.first].startswith("و") and q.first - found[-1].last <= 1 and found[-1].part_of is not None:
        part = found[-1].part_of
    return _make(c, q, p, post[0], "people-verb", found, first=first, last=last, governor=last - 1, part_of=part)


def _governor(c: Context, q: Quantity, found: list[Found]) -> Hit | None:
    """What stands before a number and says what befell its people."""
    low = c.r.bounds(q.core)[0]
    if found:
        low = max(low, found[-1].last)
    commas = 0
    k = q.first
    while k > max(low, q.first - REACH):
        commas += c.r.gap[k] == COMMA
        k -= 1
        if commas > 2:
            return None
        hit = c.hits.at("outcomes", k)
        if hit is not None and hit.last <= q.first:
            return hit if _can_govern(c, hit, q) else None
        if k in c.dated:
            continue
        if c.cue(k, "block") and q.first - k > 1:
            return None
    return None


def _can_govern(c: Context, hit: Hit, q: Quantity) -> bool:
    voice, distance = hit.entry.get("voice"), 0
    for k in range(hit.last, q.first):
        distance += k not in c.dated and k not in c.named
    if voice == "post":
        return distance == 0 and hit.last == q.first and bool(hit.entry.get("outcome")) and hit.entry.text.endswith("وا")
    if voice == "noun":
        return False
    if "direct" in hit.entry.flags:
        return distance == 0 and hit.last >= q.first - 1
    if voice in ("nominal", "light"):
        return distance <= 2
    return distance <= 5


def _governed(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«مقتل 11 طفلاً», «وأصيب 13 آخرون», «اعتقلت الشرطة سبعة طلاب», «راح ضحيته 12 شخصاً»."""
    hit = _governor(c, q, found)
    if hit is None or not hit.entry.get("outcome"):
        return None
    if p.noun is None and not p.sides and ("direct" in hit.entry.flags or not _bare_ok(c, q, hit)):
        return None
    outcome = hit.entry.get("outcome")
    if "natural" in hit.entry.flags and p.noun is None:
        return None
    if "captives" in hit.entry.flags or ("unjudged" in hit.entry.flags and _in_court(c, hit.first)):
        return None
    if hit.entry.get("voice") == "verb" and "pair" in hit.entry.flags:
        pair = next((k for k in range(q.last, min(q.last + 8, len(c.r.words)))
                     if (h := c.hits.at("outcomes", k)) and h.entry.get("voice") == "post"), None)  # fmt: skip
        if pair is None:
            return None
        return _make(c, q, p, "killed", "pair-verb", found, first=hit.first, last=pair + 1, governor=hit.first)
    joint = _joint_governor(c, hit)
    if joint is not None:
        p = replace(p, joint=True)
        hit = joint
    return _make(c, q, p, outcome, "governed", found, first=hit.first, governor=hit.first)


def _in_court(c: Context, i: int) -> bool:
    low, high = c.r.bounds(i)
    return any(c.cue(k, "court") for k in range(max(low, i - 30), min(high, i + 30)))


def _joint_governor(c: Context, hit: Hit) -> Hit | None:
    """«مقتل وجرح أكثر من 60»: the first of the two."""
    if not hit.prefix.startswith("و") or not hit.first:
        return None
    for back in (1, 2):
        other = c.hits.at("outcomes", hit.first - back) if hit.first >= back else None
        if other is not None and other.last == hit.first and c.r.gap[hit.first] == SPACE:
            both = {other.entry.get("outcome"), hit.entry.get("outcome")}
            voice = other.entry.get("voice")
            return other if both == {"killed", "injured"} and voice in ("nominal", "verb", "active") else None
    return None


_ENDS = frozenset("في من علي الي خلال اثر جراء بعد قبل منذ بينهم بهجوم بانفجار بتفجير بقصف بغاره ب عن و بين لدي قرب ومن".split())


def _bare_ok(c: Context, q: Quantity, hit: Hit) -> bool:
    """A number without a noun right behind its governor: «مقتل 43 في هجوم», «اعتقال 17»."""
    if q.count is None and not q.vague:
        return False
    if hit.last < q.first and not all(k in c.dated or k in c.named for k in range(hit.last, q.first)):
        return False
    if not c.joined(q.last):
        return True
    word = c.r.words[q.last]
    if word in _ENDS or word.startswith(("و", "ب", "ل")) or c.cue(q.last, "np_stop", "part"):
        return True
    return c.hits.at("units", q.last) is None and q.count is not None and q.count < 5000 and hit.last == q.first


def _tally(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«ارتفع إلى 605 عدد قتلى الطرفين», «حصيلة القتلى إلى 209», «عدد المعتقلين بلغ 17»."""
    right = _tally_noun(c, range(q.last, min(q.last + 4, len(c.r.words))), SPACE)
    low = max(c.r.bounds(q.core)[0], q.first - 18)
    reach: object = q.first and c.cue(q.first - 1, "reach")
    reach = reach or (q.first > 1 and c.cue(q.first - 2, "reach") and c.r.words[q.first - 1] in ("ال", "نحو"))
    left = None
    if reach or (q.first and (h := c.hits.at("persons", q.first - 1)) and h.last == q.first and h.entry.form == "plural"):
        left = _tally_noun(c, range(q.first - 1, low - 1, -1), COMMA)
    if p.noun is not None and p.noun.entry.get("outcome"):
        return None
    noun, sides_at, first = None, 0, q.first
    if right is not None:
        noun, sides_at = right, right.last
    elif left is not None:
        noun, sides_at, first = left, left.last, left.first
    if noun is None:
        return None
    more = c.hits.at("persons", noun.last) if c.joined(noun.last) else None
    outcome = noun.entry.get("outcome") or (more.entry.get("outcome") if more is not None and more.definite else "")
    sides, end, rule = _sides(c, noun, sides_at)
    last = end if right is not None else q.last
    if not outcome:
        post = _post_outcome(c, max(end, noun.last))
        outcome = post[0] if post else ""
        last = max(last, post[1]) if post and right is not None else last
    if not outcome:
        return None
    phrase = replace(p, noun=p.noun or noun, sides=p.sides or sides, side_rule=p.side_rule if p.sides else rule,
                     last=max(last, p.last if p.noun else q.last))  # fmt: skip
    if c.r.ends[max(phrase.last, q.last) - 1] - c.r.starts[first] > LONGEST:
        first = q.first
    return _make(c, q, phrase, outcome, "tally", found, first=first, governor=noun.first)


def _tally_noun(c: Context, where: range, gap: int) -> Hit | None:
    """«عدد قتلى», «حصيلة القتلى»: the noun counted, in the words of `where`."""
    for k in where:
        if c.r.gap[k] >= SENTENCE and where.step > 0:
            return None
        if where.step > 0 and c.r.gap[k] > gap:
            return None
        cue = c.cue(k, "number", "tally")
        if cue is not None:
            noun = c.hits.at("persons", cue.last) if cue.last < len(c.r.words) else None
            if noun is not None and noun.entry.form == "plural":
                return noun
            actor = c.named.get(cue.last)
            if actor is not None:
                return None
            if cue.entry.get("kind") == "tally":
                return None
    return None


def _against(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«مقابل 110 جهاديين»: the other side of the claim before."""
    if not found or not q.first or c.cue(q.first - 1, "against") is None:
        return None
    previous = found[-1]
    if c.r.sentence[previous.at] != c.r.sentence[q.core]:
        return None
    return _make(c, q, p, previous.outcome, "against", found, first=q.first - 1, governor=previous.governor)


def _coordinated(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«و3 نساء» after a claim: the same befell them."""
    if not found or (p.noun is None and not p.sides):
        return None
    previous = found[-1]
    joined = c.r.words[q.first].startswith("و") or (q.first and c.r.words[q.first - 1] in ("و", "ومن", "ثم"))
    if not joined or not 0 <= q.first - previous.last <= 2 or c.r.sentence[previous.at] != c.r.sentence[q.core]:
        return None
    if c.r.gap[q.first] >= SENTENCE:
        return None
    return _make(c, q, p, previous.outcome, "coordinated", found, governor=previous.governor, part_of=previous.part_of)


# ---- nouns that imply their number


def _implied(c: Context, noun: Hit, found: list[Found]) -> Found | None:
    """«مقتل امرأة», «قتل فلسطينيان», «محتجاً لقي مصرعه», «سقوط قتلى», «دون إصابات»."""
    if noun.last < len(c.r.words) and c.joined(noun.last) and _definite_count(c, noun):
        return None
    if any(k in c.named and c.named[k].last > noun.first for k in range(noun.first - 1, max(noun.first - 4, -1), -1)):
        return None  # a word of an actor's name
    q = Quantity(noun.first, noun.last, noun.first, noun.last, None, "unspecified", vague=True)
    none = _nobody(c, noun)
    if none is not None:
        among = c.joined(noun.last) and c.r.words[noun.last] in ("في", "بين", "من", "لدي")
        phrase = Phrase(noun, noun.last, *(_flat(_sides(c, noun, noun.last)) if among else ((), "")), False)
        zero = replace(q, count=0, hedge="exact")
        return _make(c, zero, phrase, none[0], "nobody", found, first=none[1], governor=none[1])
    form = noun.entry.form
    two = c.hits.at("numbers", noun.last) if c.joined(noun.last) else None
    if form != "singular" and two is not None and two.entry.get("value") == "2" and not two.prefix:
        q = replace(q, count=2, hedge="exact", last=two.last, last_core=two.last)
    elif form == "dual" and not (noun.definite and not _names_follow(c, noun)):
        q = replace(q, count=2, hedge="exact")
    elif form == "singular" and "noone" not in noun.entry.flags and not noun.definite and not noun.suffix.strip("ا"):
        q = replace(q, count=1, hedge="exact")
    elif form != "plural":
        return None
    sides, end, side_rule = _sides(c, noun, noun.last)
    joint = _joint_noun(c, noun)
    phrase = Phrase(noun, max(end, joint.last if joint else 0), sides, side_rule, joint is not None)
    if q.count is None:
        return _bare_plural(c, q, phrase, found)
    hit = _adjacent_governor(c, noun)
    after = hedge_after(c.hits, noun.last) if c.joined(noun.last) else None
    if after is not None:
        q = with_hedge(q, after)
    if noun.entry.get("outcome"):
        light = c.hits.at("outcomes", noun.first - 1) if noun.first else None
        fell = light is not None and light.entry.get("voice") == "light" and light.last == noun.first
        if form == "singular" and not fell:
            return None
        return _make(c, q, phrase, noun.entry.get("outcome"), "implied-" + form, found)
    if hit is not None:
        if "captives" in hit.entry.flags or ("unjudged" in hit.entry.flags and _in_court(c, hit.first)):
            return None
        if "pair" in hit.entry.flags or ("natural" in hit.entry.flags and not _wounded(c, noun)):
            return None
        return _make(c, q, phrase, hit.entry.get("outcome"), "implied-" + form, found, first=hit.first,
                     governor=hit.first)  # fmt: skip
    dual = _post_outcome(c, end) if form == "dual" and c.joined(end) and hit is None else None
    if dual is not None:
        before = hedge_before(c.r, c.hits, noun.first)
        q = with_hedge(q, before) if before is not None else q
        return _make(c, q, phrase, dual[0], "implied-verb", found, first=before.first if before else None,
                     last=dual[1], governor=dual[1] - 1)  # fmt: skip
    post = _death_after(c, noun)
    if post is not None:
        return _make(c, q, phrase, "killed", "implied-verb", found, last=post, governor=post - 1)
    return _implied_part(c, q, phrase, found)


def _flat(x: tuple[Sides, int, str]) -> tuple[Sides, str]:
    return x[0], x[2]


def _implied_part(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«بينهم امرأتان», «وشرطيان أفغانيان»: a part without a number word."""
    if not found or c.r.sentence[found[-1].at] != c.r.sentence[q.core]:
        return None
    part = _part(c, q, p, found)
    if part is not None:
        return part
    previous = found[-1]
    noun = p.noun
    if noun is not None and noun.prefix == "و" and 0 <= q.first - previous.last <= 1 and noun.entry.form != "plural":
        return _make(c, q, p, previous.outcome, "coordinated", found, governor=previous.governor,
                     part_of=previous.part_of)  # fmt: skip
    return None


def _definite_count(c: Context, noun: Hit) -> bool:
    """«الانتحاريون العشرة»: the number behind the noun will take it."""
    hit = c.hits.at("numbers", noun.last)
    return hit is not None and hit.definite and noun.definite


def _names_follow(c: Context, noun: Hit) -> bool:
    """«الشابين فلان وفلان»."""
    k = noun.last
    return c.joined(k) and c.cue(k, "np_stop", "block") is None and c.hits.at("outcomes", k) is None


def _adjacent_governor(c: Context, noun: Hit) -> Hit | None:
    """What befell the people of a bare noun: it must stand right before it, times and hedges aside."""
    k = noun.first
    if not c.joined(k):
        return None
    steps = 0
    while k and noun.first - k < 6:
        k -= 1
        hit = c.hits.at("outcomes", k)
        if hit is not None and hit.last <= noun.first:
            ok = hit.entry.get("voice") in ("nominal", "verb", "active") and hit.entry.get("outcome")
            return hit if ok and not hit.suffix.strip("تاا") else None
        if c.r.gap[k + 1] > SPACE or c.r.gap[k] >= SENTENCE:
            return None
        if k in c.dated or c.hits.at("hedges", k) is not None:
            continue
        if any(j in c.named and c.named[j].last > k for j in range(k, max(k - 4, -1), -1)) and (
            noun.entry.form == "dual" or (noun.suffix == "ا" and noun.entry.form == "singular")
        ):
            continue
        steps += 1
        if steps > 1:
            return None
    return None


def _wounded(c: Context, noun: Hit) -> bool:
    """«توفي شاب ... متأثراً بجراحه»: death from wounds."""
    last = c.r.bounds(noun.first)[1]
    return any(c.r.words[k] in _FROM_WOUNDS for k in range(noun.last, min(noun.last + 14, last)))


_FROM_WOUNDS = frozenset(("متاثرا", "متاثره", "متاثرين", "برصاص", "بنيران"))


def _death_after(c: Context, noun: Hit) -> int | None:
    """«محتجاً لقي مصرعه», «شاب قتل»: end of the verb that follows a single person."""
    for step in range(4):
        k = noun.last + step
        if not c.joined(k):
            return None
        hit = c.hits.at("outcomes", k)
        if hit is not None and "pair" in hit.entry.flags and not hit.prefix:
            return min(hit.last + 1, len(c.r.words))
        if c.cue(k, "np_stop", "block"):
            return None
    return None


def _bare_plural(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«سقوط قتلى وجرحى», «مقتل مدنيين»: some people, no number."""
    noun = p.noun
    assert noun is not None
    hit = c.hits.at("outcomes", q.first - 1) if q.first and c.joined(q.first) else None
    if hit is None or hit.last != q.first or hit.entry.get("voice") not in ("nominal", "light", "verb"):
        return None
    outcome = noun.entry.get("outcome") or hit.entry.get("outcome")
    if not outcome or noun.prefix not in ("", "ب", "ل") or "household" in noun.entry.flags:
        return None
    subject = c.named.get(noun.first)
    by_them = subject is not None and subject.id in UNIDENTIFIED
    if by_them and c.r.words[noun.first].endswith("ون"):
        return None  # «خطف مسلحون ...»
    if hit.entry.get("outcome") in ("displaced", "released") or "natural" in hit.entry.flags:
        return None
    return _make(c, q, p, outcome, "bare-plural", found, first=hit.first, governor=hit.first)


def _nobody(c: Context, noun: Hit) -> tuple[str, int] | None:
    """«دون وقوع إصابات», «لم يقتل أي من»: (outcome, first word), a claim of nobody."""
    for back in range(1, 4):
        k = noun.first - back
        if k < 0 or c.r.gap[k + 1] > SPACE:
            return None
        if c.cue(k, "without"):
            outcome = noun.entry.get("outcome")
            return (outcome, k) if outcome else None
        hit = c.hits.at("outcomes", k)
        if hit is not None and c.r.words[k + 1 : k + 2] == ("اي",) and c.cue(k - 1, "not"):
            return hit.entry.get("outcome"), k - 1
    return None
