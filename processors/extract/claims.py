"""Casualty claims: which numbers count people, what befell them, and whose people they are.

Every number is looked at with its noun («35 قتيلاً»), its governor («مقتل 11 طفلاً»), what follows («16 مدنياً قتلوا»)
and the claim before it («بينهم تسعة أطفال», «و3 نساء»). Nouns that imply a number («مقتل امرأة», «شابين») come after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from processors.extract.context import LONGEST, MOST, Context, Found, Sides
from processors.extract.governors import (
    MENDED,
    demanded,
    fate,
    governor_of,
    in_court,
    joint_governor,
    mishap_told,
    of_disease,
    of_mishap,
    overriding,
    post_outcome,
    unreal,
)
from processors.extract.implied import AGES, aged, bracketed_age, implied
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity, hedge_after, with_hedge
from processors.extract.parts import as_part, listed, whole_of, with_sides, with_sums, with_wholes
from processors.extract.phrases import Phrase, backed, joint_noun, make, new_number, phrase_of, sides_of
from processors.text import COMMA, SENTENCE, SPACE

__all__ = ["Context", "Found", "Sides", "backed", "claims"]


def claims(c: Context, numbers: Sequence[Quantity]) -> list[Found]:
    """Claims in text order; `part_of` counts in this list."""
    found: list[Found] = []
    covered: set[int] = set()
    items: list[tuple[int, Quantity | Hit]] = [(q.first, q) for q in numbers if not _dated(c, q) or bracketed_age(c, q)]
    taken = {k for q in numbers for k in range(q.first, q.last)}
    mishap = mishap_told(c)
    items += [(h.first, h) for h in c.hits.of("persons") if h.first not in taken]
    for _, item in sorted(items, key=lambda x: (x[0], isinstance(x[1], Hit))):
        if len(found) >= MOST:
            break
        if item.first in covered or c.r.sentences[c.r.sentence[item.first]].skip:
            continue
        claim = _counted(c, item, found) if isinstance(item, Quantity) else implied(c, item, found)
        if claim is not None and claim.outcome and not of_mishap(c, claim, mishap):
            _share_hedge(c, found, claim)
            found.append(claim)
            covered.update(range(claim.at, claim.last))
    return with_sides(with_wholes(c, with_sums(c, found)))


def _share_hedge(c: Context, found: list[Found], claim: Found) -> None:
    """«35 قتيلاً و23 مصاباً على الأقل»: a hedge behind two joined numbers holds for both."""
    if not found or claim.hedge != "at_least" or hedge_after(c.hits, claim.last - 2) is None:
        return
    previous = found[-1]
    joined = 0 <= claim.at - previous.last <= 1 and c.r.words[claim.at - (claim.at > previous.last)].startswith("و")
    if joined and previous.hedge == "exact" and previous.count is not None and previous.rule == claim.rule:
        found[-1] = replace(previous, hedge="at_least", low=previous.count)


def _dated(c: Context, q: Quantity) -> bool:
    return any(k in c.dated for k in range(q.core, q.last_core))


def _counted(c: Context, q: Quantity, found: list[Found]) -> Found | None:
    if c.r.words[q.last : q.last + 1] and c.r.words[q.last] in AGES:
        return aged(c, q, found)
    phrase = phrase_of(c, q)
    if phrase is None:
        return None
    if phrase.noun is not None and phrase.last < len(c.r.words):
        after = next(
            (h for k in (phrase.noun.last, phrase.last) if c.joined(k) and (h := hedge_after(c.hits, k))), None
        ) or (_far_hedge(c, phrase.noun.last) if q.hedge == "exact" else None)
        if after is not None and q.hedge == "exact":
            q = with_hedge(q, after)
            phrase = replace(phrase, last=max(phrase.last, after.last if c.joined(phrase.noun.last) else 0))
    if q.first >= 2 and c.r.words[q.first - 1] == "اصل" and c.r.words[q.first - 2] in ("من", "ومن"):
        return None  # «من أصل 50 مخطوفاً»
    if q.vague and q.first and c.r.words[q.first - 1] == "اكبر":
        return None  # «لإسقاط أكبر عدد من القتلى»
    if c.r.words[q.core] in ("الميه", "المايه") and q.core and c.r.words[q.core - 1] == "في":
        return None  # «85 في المئة»
    for rule in (_their_number, as_part, _between_fates, _among, _own_outcome, _by_dozens, _tally, _after, _governed,
                 _against, _coordinated, _new_sum):  # fmt: skip
        claim = rule(c, q, phrase, found)
        if claim is not None:
            return claim
    return None


def _far_hedge(c: Context, k: int) -> Hit | None:
    """«30 شخصا مزدوج الجنسية [على الأقل]», «خمسة أشخاص، بينهم طفل، [على الأقل]»: a hedge behind more words about the
    people who end before word `k`, or behind a part set off by commas."""
    if k < len(c.r.words) and not c.joined(k) and c.r.gap[k] == COMMA and c.cue(k, "part") is not None:
        for i in range(k + 2, min(k + INSERTED, len(c.r.words))):
            if c.r.gap[i] >= COMMA:
                return hedge_after(c.hits, i) if c.r.gap[i] == COMMA else None
        return None
    for i in range(k, k + 4):
        if not c.joined(i) or c.hits.at("persons", i) is not None or c.hits.at("outcomes", i) is not None:
            return None
        if c.r.words[i].startswith("و") or new_number(c, i):
            return None
        hit = hedge_after(c.hits, i)
        if hit is not None:
            return hit
        if c.cue(i, "np_stop", "block", "part") is not None:
            return None
    return None


INSERTED = 9  # words of a part between commas


def _their_number(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«مقتل جميع المهاجمين وعددهم 14», «أسرى يبلغ عددهم 30»: the number of people told of without one before."""
    cue = c.cue(q.first - 1, "number") if q.first else None
    if cue is None or not cue.suffix.startswith("ه") or q.count is None:
        return None
    low = max(c.r.bounds(q.core)[0], q.first - THEIR_REACH)
    if found and found[-1].last > low and found[-1].count is None and found[-1].hedge == "unspecified":
        told = found.pop()
        sides, rule = (told.sides, told.side_rule) if told.sides else (p.sides, p.side_rule)
        same = replace(p, noun=p.noun or c.hits.at("persons", told.at), sides=sides, side_rule=rule)
        return make(c, q, same, told.outcome, "their-number", found, first=told.first, governor=told.governor,
                    part_of=told.part_of)  # fmt: skip
    low = max(low, found[-1].last) if found else low
    for k in range(q.first - 2, low - 1, -1):
        noun = c.hits.at("persons", k)
        if noun is None or noun.entry.form != "plural" or noun.prefix.startswith("و"):
            continue
        hit = governor_of(c, replace(q, first=noun.first, core=noun.first), found)
        outcome = noun.entry.get("outcome") or (fate(c, hit) if hit is not None and hit.last == noun.first else "")
        joined = any(c.r.words[j].startswith("و") for j in range(max(low, k - 3), k)) and bool(found) and k - low <= 4
        joined = joined and c.r.sentence[found[-1].at] == c.r.sentence[k]
        outcome = outcome or (found[-1].outcome if joined else "")  # «ثمانية قتلى وجميع المهاجمين وعددهم 14»
        if not outcome or c.hits.at("outcomes", k) is not None:
            return None
        sides, _, rule = sides_of(c, noun, noun.last)
        same = replace(p, noun=noun, sides=sides or p.sides, side_rule=rule if sides else p.side_rule)
        first = hit.first if hit is not None else noun.first
        return make(c, q, same, outcome, "their-number", found, first=first, governor=first)
    return None


THEIR_REACH = 12  # words between people and their number
AMONG_REACH = 16  # words between «بين قتلى ...» and the number of those among them


def _among(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«8 صحفيين بين قتلى التفجير», «وكان بين الجرحى ثلاثة أطفال»."""
    k = p.noun.last if p.noun is not None else q.last
    if c.joined(k) and c.r.words[k] in AMONG:
        k += c.r.words[k] in ("من", "ومن")
        fated = c.hits.at("persons", k + 1) if k < len(c.r.words) and c.r.words[k] in AMONG[:2] else None
        if fated is not None and fated.entry.form == "plural" and fated.entry.get("outcome") in MENDED | {"killed"}:
            return make(c, q, p, fated.entry.get("outcome"), "among", found, last=fated.last, governor=fated.first)
    fated = _told_among(c, q)
    if fated is None or (p.noun is not None and p.noun.first < q.last):
        return None
    outcome = fated.entry.get("outcome")
    whole = next((i for i in range(len(found) - 1, -1, -1) if found[i].outcome == outcome
                  and (found[i].count or 0) > (q.count or 0) and found[i].part_of is None), None)  # fmt: skip
    near = whole_of(c, q, found) if whole is None else whole
    return make(c, q, p, outcome, "among", found, first=fated.first - 1, governor=fated.first, part_of=near)


def _told_among(c: Context, q: Quantity) -> Hit | None:
    """«وكان بين قتلى التفجيرين اللذين ... تسعة صحافيين»: the dead or hurt that begin the clause of a number."""
    low = c.r.bounds(q.core)[0]
    for k in range(q.first - 1, max(low, q.first - AMONG_REACH), -1):
        parted = not c.joined(k + 1) and not (k + 1 == q.first and c.r.gap[q.first] == COMMA)
        if parted or (c.cue(k, "block") is not None and c.r.words[k] != "التي"):
            return None
        fated = c.hits.at("persons", k)
        if fated is not None and fated.entry.form == "plural" and fated.entry.get("outcome"):
            begins = c.r.words[k - 1] in AMONG and k - 1 - low <= 2
            near = fated.last == q.first and fated.definite and c.r.words[k - 1] in AMONG
            return fated if near or (begins and c.r.words[k - 1] != "من") else None
        if c.hits.at("outcomes", k) is not None or c.hits.at("numbers", k) is not None:
            return None
    return None


AMONG = ("بين", "ضمن", "من", "ومن", "وبين")


def _own_outcome(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«35 قتيلاً», «23 مصاباً», «عشرات القتلى والجرحى»."""
    if p.noun is None or not p.noun.entry.get("outcome"):
        return None
    outcome = p.noun.entry.get("outcome")
    governor = overriding(c, governor_of(c, q, found), outcome, p.joint) if outcome in MENDED else None
    if governor is not None and demanded(c, governor):
        return None
    if governor is None and outcome in CUSTODY and c.r.words[q.core] in ALL:
        return None  # «قرر كل المعتقلين استئناف الأحكام»
    if governor is not None:
        after = fate(c, governor)
        if after == "released" and not p.sides:
            p = replace(p, sides=(("prisoners", None),), side_rule="captives")
        return make(c, q, p, after, "people-of", found, first=governor.first, governor=governor.first)
    first, part = q.first, None
    if q.vague and p.noun is not None and p.noun.definite and c.r.words[q.core].lstrip("و") in SHARES:
        near = (i for i in range(len(found) - 1, max(len(found) - 6, -1), -1) if found[i].outcome == outcome)
        part = next((i for i in near if found[i].count and found[i].part_of is None), None)  # «ومعظم الضحايا مدنيون»
    light: Hit | None = c.hits.at("outcomes", q.first - 1) if q.first else None
    if light is not None and light.entry.get("voice") == "light" and c.joined(q.first):
        if unreal(c, light):
            return None
        first = light.first
    return make(c, q, p, outcome, "number-noun", found, first=first, part_of=part)


CUSTODY = frozenset(("captured", "missing", "displaced"))
ALL = frozenset(("كل", "جميع", "كافه", "بعض"))
SHARES = frozenset(("معظم", "غالبيه", "اغلب", "بعض"))


def _between_fates(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«18 شخصا ما بين قتيل وجريح»: one number for both."""
    for k in range(p.noun.last if p.noun else q.last, min(p.last + 3, len(c.r.words))):
        if c.r.gap[k] >= SENTENCE:
            return None
        if c.cue(k, "between") is None:
            continue
        fate = c.hits.at("persons", k + 1)
        other = joint_noun(c, fate) if fate is not None else None
        if fate is None or other is None:
            return None
        sides = p.sides or sides_of(c, None, other.last)[0]
        both = Phrase(p.noun or fate, other.last, sides, p.side_rule or "named-in-phrase", True)
        return make(c, q, both, fate.entry.get("outcome"), "between-fates", found, last=other.last)
    return None


def _by_dozens(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«قتلى وجرحى بالعشرات»."""
    if not q.vague or not q.definite or not c.r.words[q.core].startswith("بال") or not q.first:
        return None
    noun = next((h for k in (q.first - 1, q.first - 2) if (h := c.hits.at("persons", k)) and h.entry.get("outcome")
                 and h.last == q.first), None)  # fmt: skip
    if noun is None:
        return None
    first = c.hits.at("persons", noun.first - 1) if noun.prefix == "و" else None
    joint = first is not None and joint_noun(c, first) is not None
    whose, last, rule = sides_of(c, noun, q.last)
    phrase = Phrase(noun, last, whose, rule, joint)
    head = first if joint and first is not None else noun
    return make(c, q, phrase, head.entry.get("outcome"), "by-dozens", found, first=head.first)


def _after(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«16 مدنياً على الأقل قتلوا», «43 شخصاً لقوا حتفهم», «أكثر من 1800 أسرة نزحت»."""
    if p.noun is None and not (p.sides or q.count is not None):
        return None
    start = p.noun.last if p.noun else max(p.last, q.last)
    start += p.noun is None and c.joined(start) and c.r.words[start] in ("منهم", "منهن")
    post = post_outcome(c, start) or _far_fate(c, q, p, start)
    if post is None:
        return None
    if post[0] == "displaced" and not _homes(p):
        return None
    if p.noun is None and not p.sides and post[1] - start > 1 and _ambiguous(c, post[1] - 1):
        return None
    governed = governor_of(c, q, found)
    if (
        governed is not None
        and fate(c, governed) == "released"
        and any(c.r.words[k] in WHO for k in range(start, post[1]))
    ):
        return None  # «أفرجت عن العشرات الذين تم توقيفهم»
    if governed is not None and governed.last == q.first and governed.entry.get("outcome"):
        return None
    governor = post[1] - 1
    last = (
        start if any(c.cue(k, "part") for k in range(start, post[1])) else post[1]
    )  # a part between is a claim of its own
    if c.r.ends[last - 1] - c.r.starts[q.first] > LONGEST:
        if last - start <= FATE_REACH:
            return None
        last = start
    after = hedge_after(c.hits, last) if last == post[1] and q.hedge == "exact" and c.joined(last) else None
    if after is not None:  # «12 شخصاً قتلوا على الأقل»
        q, last = with_hedge(q, after), after.last
    part = None
    joined = bool(found) and c.r.words[q.first].startswith("و") and q.first - found[-1].last <= 1
    if joined and found[-1].part_of is not None and found[found[-1].part_of].outcome == post[0]:
        part = found[-1].part_of
    return make(c, q, p, post[0], "people-verb", found, last=last, governor=governor, part_of=part)


def _far_fate(c: Context, q: Quantity, p: Phrase, k: int) -> tuple[str, int] | None:
    """«إن أكثر من 30 عنصراً من ... في جبهة ...، لقوا مصرعهم»: people with whom a clause begins, and their death far
    behind: (outcome, end)."""
    if p.noun is None or not q.first or c.r.words[q.first - 1] not in THAT:
        return None
    for i in range(k, min(k + FAR_REACH, c.r.bounds(q.core)[1])):
        hit = c.hits.at("outcomes", i)
        if hit is not None:
            pair = "pair" in hit.entry.flags and not hit.prefix and hit.last < len(c.r.words)
            return ("killed", hit.last + 1) if pair and hit.entry.text.endswith("وا") else None
        if new_number(c, i) and c.hits.at("persons", i + 1) is not None:
            return None
    return None


THAT = frozenset(("ان", "بان", "وان"))
FAR_REACH = 25  # words
FATE_REACH = 9  # words of a fate that is not far
WHO = frozenset(("الذين", "اللواتي", "اللاتي", "ممن", "كانت", "كانوا"))


def _ambiguous(c: Context, k: int) -> bool:
    """Whether word `k` may as well be a noun or tell of one: «711 جريمة [قتل]», not «10 بينهم امرأة [قتلوا]»."""
    hit = c.hits.at("outcomes", k)
    return hit is not None and hit.entry.get("voice") == "verb" and hit.suffix not in ("وا", "ا", "هم")


def _homes(p: Phrase) -> bool:
    """Whether the people could flee their homes: no fighters («200 جندي غادروا»), prisoners or protesters."""
    away = p.noun is not None and p.noun.entry.get("category") in ("combatant", "detainee", "journalist")
    return not away and not any(side == "protesters" for side, _ in p.sides)


def _governed(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«مقتل 11 طفلاً», «وأصيب 13 آخرون», «اعتقلت الشرطة سبعة طلاب», «راح ضحيته 12 شخصاً»."""
    hit = governor_of(c, q, found)
    if hit is not None and "fell" in hit.entry.flags and _fallen(c, q, p, hit):
        return make(c, q, p, "killed", "fallen", found, first=hit.first, governor=hit.first)
    if hit is None or not hit.entry.get("outcome"):
        return None
    if p.noun is None and not p.sides and ("direct" in hit.entry.flags or not bare_ok(c, q, hit)):
        return None
    outcome = fate(c, hit)
    if unreal(c, hit):
        return None
    if outcome == "displaced" and p.noun is not None and p.noun.entry.get("category") == "detainee":
        return None  # «فرار مئات السجناء»
    if outcome == "missing" and "weak" in hit.entry.flags and p.noun is None:
        return None  # «فقد ألّف»
    if "loses" in hit.entry.flags and (p.noun is None or p.noun.entry.get("category") != "combatant"):
        return None
    if ("natural" in hit.entry.flags and (p.noun is None or of_disease(c, hit.first))) or demanded(c, hit):
        return None
    if "captives" in hit.entry.flags or ("unjudged" in hit.entry.flags and in_court(c, hit.first)):
        return None
    if outcome == "displaced" and "weak" in hit.entry.flags and (q.count == 1 or _to_hospital(c, p.last)):
        return None
    if hit.entry.get("voice") == "verb" and "pair" in hit.entry.flags:
        pair = next((k for k in range(q.last, min(q.last + PAIR_REACH, c.r.bounds(q.core)[1]))
                     if (h := c.hits.at("outcomes", k)) and h.entry.get("voice") == "post"), None)  # fmt: skip
        if pair is None:
            return None
        return make(c, q, p, "killed", "pair-verb", found, first=hit.first, last=pair + 1, governor=hit.first)
    joint = joint_governor(c, hit)
    if joint is not None:
        p = replace(p, joint=True)
        hit = joint
    return make(c, q, p, outcome, "governed", found, first=hit.first, governor=hit.first)


PAIR_REACH = 20  # words of people between «لقي» and «حتفهم»


def _fallen(c: Context, q: Quantity, p: Phrase, hit: Hit) -> bool:
    """«سقوط أكثر من 20 عنصراً من ...»: people who fell are dead, but where the words say how they fell."""
    if p.noun is None or p.noun.entry.get("outcome") or "household" in p.noun.entry.flags or hit.last != q.first:
        return False
    behind = range(p.noun.last, min(p.last + 4, len(c.r.words)))
    return not any(
        (k >= p.last and c.r.words[k] in ("من", "عن"))
        or c.r.words[k] in CAUGHT
        or c.hits.at("outcomes", k) is not None
        or ((fate := c.hits.at("persons", k)) is not None and fate.entry.get("outcome"))
        for k in behind
    )  # fmt: skip


CAUGHT = frozenset(("بئر", "بيير", "الاسر", "اسر", "قبضه", "يد", "بيد", "ايدي", "نهر", "البحر"))


def _to_hospital(c: Context, k: int) -> bool:
    """«نقل 30 شخصاً إلى المستشفى»: brought to be treated, not driven from home."""
    return any(c.r.words[j].endswith(HOSPITALS) for j in range(k, min(k + 4, len(c.r.words))))


HOSPITALS = ("مستشفي", "مشفي", "مستشفيات", "للعلاج", "المستشفي")


def bare_ok(c: Context, q: Quantity, hit: Hit) -> bool:
    """A number without a noun right behind its governor: «مقتل 43 في هجوم», «اعتقال 17»."""
    if q.count is None and not q.vague:
        return False
    if hit.last < q.first and not all(k in c.dated or k in c.named for k in range(hit.last, q.first)):
        return False
    if not c.joined(q.last):
        return True
    word = c.r.words[q.last]
    if c.cue(q.last, "after_count") or word.startswith(("و", "ب", "ل")) or c.cue(q.last, "np_stop", "part"):
        return True
    return c.hits.at("units", q.last) is None and q.count is not None and q.count < 5000 and hit.last == q.first


def _tally(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«ارتفع إلى 605 عدد قتلى الطرفين», «حصيلة القتلى إلى 209», «عدد المعتقلين بلغ 17»."""
    right = _tally_noun(c, range(q.last, min(q.last + 4, len(c.r.words))), SPACE)
    low = max(c.r.bounds(q.core)[0], q.first - 18)
    reach: object = q.first and c.cue(q.first - 1, "reach")
    reach = reach or (q.first > 1 and c.cue(q.first - 2, "reach") and c.r.words[q.first - 1] in ("ال", "نحو"))
    left = None
    behind = c.hits.at("persons", q.first - 1) if q.first else None
    if reach or (behind is not None and behind.last == q.first and behind.entry.form == "plural"):
        left = _tally_noun(c, range(q.first - 1, low - 1, -1), COMMA)
    if p.noun is not None and p.noun.entry.get("outcome"):
        return None
    if right is None and left is None:
        left = _counted_noun(c, q, p) or _far_tally(c, q, p)
    noun, sides_at, first = None, 0, q.first
    if right is not None:
        noun, sides_at = right, right.last
    elif left is not None:
        noun, sides_at, first = left, left.last, left.first
    if noun is None:
        return None
    more = c.hits.at("persons", noun.last) if c.joined(noun.last) else None
    outcome = noun.entry.get("outcome") or (more.entry.get("outcome") if more is not None and more.definite else "")
    sides, end, rule = sides_of(c, noun, sides_at)
    last = end if right is not None else q.last
    if not outcome:
        post = post_outcome(c, max(end, noun.last))
        outcome = post[0] if post else ""
        last = max(last, post[1]) if post and right is not None else last
    if not outcome:
        return None
    phrase = replace(p, noun=p.noun or noun, sides=p.sides or sides, side_rule=p.side_rule if p.sides else rule,
                     last=max(last, p.last if p.noun else q.last))  # fmt: skip
    if c.r.ends[max(phrase.last, q.last) - 1] - c.r.starts[first] > LONGEST:
        first = q.first
    return make(c, q, phrase, outcome, "tally", found, first=first, governor=noun.first)


def _counted_noun(c: Context, q: Quantity, p: Phrase) -> Hit | None:
    """«قتلى لا يتجاوز عددهم خمسة», «قتلى الكمين سبعة من ...»: the dead or wounded that the number counts."""
    if p.noun is not None and p.noun.entry.get("outcome"):
        return None
    low = c.r.bounds(q.core)[0]
    for back in range(1, 4):
        noun = c.hits.at("persons", q.first - back) if q.first - back >= low else None
        if noun is None or noun.entry.form != "plural" or not noun.entry.get("outcome"):
            continue
        told = q.hedge != "exact" and back == 1 and c.joined(q.first)
        between = range(noun.last, q.first + 1)
        heads = noun.first == low and all(c.joined(k) and not c.cue(k, "np_stop") for k in between)
        return noun if told or heads else None
    return None


def _far_tally(c: Context, q: Quantity, p: Phrase) -> Hit | None:
    """«بلغ عدد جرحى القصف على معرشورين 12», «بلغ مجموع قتلى المعارك خلال الأسبوع 64»."""
    if q.count is None or (p.noun is not None and p.noun.entry.get("outcome")):
        return None
    low = max(c.r.bounds(q.core)[0] + 1, q.first - 10)
    for k in range(q.first - 1, low - 1, -1):
        said = c.hits.at("sources", k)
        if c.r.gap[k + 1] > SPACE or (c.cue(k, "block") and k not in c.dated):
            return None
        if said is not None and said.entry.get("kind") != "no_name":
            return None
        cue = c.cue(k, "number", "tally")
        if cue is not None:
            noun = c.hits.at("persons", cue.last)
            reached = c.cue(k - 1, "reach") is not None
            return noun if reached and noun is not None and noun.entry.form == "plural" else None
    return None


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
            if noun is None and c.joined(cue.last) and c.r.words[cue.last].startswith("ال"):
                noun = c.hits.at("persons", cue.last + 1)  # «العدد الإجمالي للمعتقلين»
            if noun is not None and noun.entry.form == "plural":
                return noun
            if c.joined(cue.last) and c.r.words[cue.last] in ("الذين", "من", "اللواتي"):  # «عدد الذين قتلوا»
                verb = c.hits.at("outcomes", cue.last + 1)
                return verb if verb is not None and verb.entry.get("voice") == "post" else None
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
    return make(c, q, p, previous.outcome, "against", found, first=q.first - 1, governor=previous.governor)


def _coordinated(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«و3 نساء» after a claim: the same befell them."""
    placed = (
        c.joined(q.last)
        and c.r.words[q.last] == "في"
        and (c.hits.at("places", q.last + 1) is not None or c.hits.at("place_cues", q.last + 1) is not None)
    )
    if not found or (p.noun is None and not p.sides and not placed):
        return None
    previous = found[-1]
    near = c.r.sentence[previous.at] == c.r.sentence[q.core] and q.first - previous.last <= 8
    if placed and p.noun is None and near:
        same = replace(p, sides=previous.sides, side_rule="same-people")
        return make(c, q, same, previous.outcome, "per-place", found, governor=previous.governor,
                    part_of=previous.part_of)  # fmt: skip
    if (p.noun is not None or p.sides) and listed(c, previous, q.first):
        return make(c, q, p, previous.outcome, "listed", found, governor=previous.governor, part_of=previous.part_of)
    joined = c.r.words[q.first].startswith("و") or (q.first and c.r.words[q.first - 1] in ("و", "ومن", "ثم"))
    glued = q.first == previous.last and c.joined(q.first) and p.noun is not None and previous.rule == "governed"
    joined = joined or (glued and q.count is not None)  # «مقتل 7 من الجيش 71 إرهابياً»
    if not joined or c.r.sentence[previous.at] != c.r.sentence[q.core] or c.r.gap[q.first] >= SENTENCE:
        return None
    if not 0 <= q.first - previous.last <= 2 and not _same_phrase(c, previous.last, q.first):
        return None
    return make(c, q, p, previous.outcome, "coordinated", found, governor=previous.governor, part_of=previous.part_of)


def _same_phrase(c: Context, first: int, last: int) -> bool:
    """«اثنين من موظفي [المؤسسة الوطنية للنفط] واثنين من ...»: whether words `first:last` only go on naming people."""
    return 0 < last - first <= NAMED and all(
        c.joined(k) and c.hits.at("outcomes", k) is None and c.hits.at("triggers", k) is None
        and c.hits.at("persons", k) is None and not c.cue(k, "np_stop", "block", "part", "agent") and k not in c.dated
        for k in range(first, last)
    ) and c.joined(last)  # fmt: skip


NAMED = 8  # words of a name


def _new_sum(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«ليصبح العدد 51», «ليرتفع المجموع إلى 60»: a sum of the people of the claim before."""
    if not found or p.noun is not None or q.count is None or c.r.sentence[found[-1].at] != c.r.sentence[q.core]:
        return None
    for back in range(1, 4):
        k = q.first - back
        if k <= found[-1].last or not c.joined(k + 1):
            return None
        cue = c.cue(k, "number", "tally")
        if cue is not None:
            if not c.r.words[k].startswith("ال") and c.r.words[k] not in ("عددهم", "مجموعهم"):
                return None
            same = replace(p, sides=found[-1].sides, side_rule="same-people")
            return make(c, q, same, found[-1].outcome, "sum", found, first=k)
    return None
