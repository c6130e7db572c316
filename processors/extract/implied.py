"""Nouns that imply their number («مقتل امرأة», «شابين»), say that there is none, or leave it open («سقوط قتلى»)."""

from __future__ import annotations

from dataclasses import replace

from processors.extract.actors import UNIDENTIFIED
from processors.extract.context import Context, Found, Sides
from processors.extract.governors import in_court, post_outcome
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity, hedge_after, hedge_before, with_hedge
from processors.extract.parts import as_part
from processors.extract.phrases import Phrase, joint_noun, make, sides_of
from processors.text import SENTENCE, SPACE


def implied(c: Context, noun: Hit, found: list[Found]) -> Found | None:
    """«مقتل امرأة», «قتل فلسطينيان», «محتجاً لقي مصرعه», «سقوط قتلى», «دون إصابات»."""
    if noun.last < len(c.r.words) and c.joined(noun.last) and _definite_count(c, noun):
        return None
    if any(k in c.named and c.named[k].last > noun.first for k in range(noun.first - 1, max(noun.first - 4, -1), -1)):
        return None  # a word of an actor's name
    q = Quantity(noun.first, noun.last, noun.first, noun.last, None, "unspecified", vague=True)
    none = _nobody(c, noun)
    if none is not None:
        among = c.joined(noun.last) and c.r.words[noun.last] in ("في", "بين", "من", "لدي")
        phrase = Phrase(noun, noun.last, *(_flat(sides_of(c, noun, noun.last)) if among else ((), "")), False)
        zero = replace(q, count=0, hedge="exact")
        return make(c, zero, phrase, none[0], "nobody", found, first=none[1], governor=none[1])
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
    sides, end, side_rule = sides_of(c, noun, noun.last)
    joint = joint_noun(c, noun)
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
        return make(c, q, phrase, noun.entry.get("outcome"), "implied-" + form, found)
    if hit is not None:
        if "captives" in hit.entry.flags or ("unjudged" in hit.entry.flags and in_court(c, hit.first)):
            return None
        last = c.r.bounds(noun.first)[1]
        pair = next((k for k in range(noun.last, min(noun.last + 8, last))
                     if (h := c.hits.at("outcomes", k)) and h.entry.get("voice") == "post"), None)  # fmt: skip
        if "pair" in hit.entry.flags and pair is not None:
            return make(c, q, phrase, "killed", "pair-verb", found, first=hit.first, last=pair + 1, governor=hit.first)
        if "pair" in hit.entry.flags or ("natural" in hit.entry.flags and not _wounded(c, noun)):
            return None
        return make(c, q, phrase, hit.entry.get("outcome"), "implied-" + form, found, first=hit.first,
                     governor=hit.first)  # fmt: skip
    dual = post_outcome(c, end) if form == "dual" and c.joined(end) and hit is None else None
    if dual is not None:
        before = hedge_before(c.r, c.hits, noun.first)
        q = with_hedge(q, before) if before is not None else q
        return make(c, q, phrase, dual[0], "implied-verb", found, first=before.first if before else None,
                     last=dual[1], governor=dual[1] - 1)  # fmt: skip
    post = _death_after(c, noun)
    if post is not None:
        return make(c, q, phrase, "killed", "implied-verb", found, last=post, governor=post - 1)
    return _implied_part(c, q, phrase, found)


def _flat(x: tuple[Sides, int, str]) -> tuple[Sides, str]:
    return x[0], x[2]


def _implied_part(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«بينهم امرأتان», «وشرطيان أفغانيان»: a part without a number word."""
    if not found or c.r.sentence[found[-1].at] != c.r.sentence[q.core]:
        return None
    part = as_part(c, q, p, found)
    if part is not None:
        return part
    previous = found[-1]
    noun = p.noun
    if noun is not None and noun.prefix == "و" and 0 <= q.first - previous.last <= 1 and noun.entry.form != "plural":
        return make(c, q, p, previous.outcome, "coordinated", found, governor=previous.governor,
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
            return hit if ok and hit.suffix in ("", "ت", "ا", "تا") else None
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
    return any(c.cue(k, "from_wounds") for k in range(noun.last, min(noun.last + 14, last)))


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
    return make(c, q, p, outcome, "bare-plural", found, first=hit.first, governor=hit.first)


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
