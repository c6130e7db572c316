"""Nouns that imply their number («مقتل امرأة», «شابين»), say that there is none, or leave it open («سقوط قتلى»)."""

from __future__ import annotations

from dataclasses import replace

from processors.extract.actors import UNIDENTIFIED
from processors.extract.context import Context, Found, Sides
from processors.extract.governors import (
    demanded,
    fate,
    in_court,
    is_family,
    overriding,
    post_outcome,
    subject_of,
    unreal,
)
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity, hedge_after, hedge_before, with_hedge
from processors.extract.parts import as_part, listed
from processors.extract.phrases import Phrase, joint_noun, make, new_number, sides_of
from processors.text import COMMA, SENTENCE, SPACE


def implied(c: Context, noun: Hit, found: list[Found]) -> Found | None:
    """«مقتل امرأة», «قتل فلسطينيان», «محتجاً لقي مصرعه», «سقوط قتلى», «دون إصابات»."""
    if noun.entry.form == "plural" and noun.entry.get("side") == "same" and not c.r.words[noun.first].endswith("ن"):
        return None  # «أخرى» is no «آخري»
    title = "title" in noun.entry.flags
    if title and (not noun.first or noun.prefix or c.hits.at("outcomes", noun.first - 1) is None):
        return None
    if noun.last < len(c.r.words) and c.joined(noun.last) and _definite_count(c, noun):
        return None
    if any(k in c.named and c.named[k].last > noun.first for k in range(noun.first - 1, max(noun.first - 4, -1), -1)):
        return None  # a word of an actor's name
    name = c.named.get(noun.first)
    if name is not None and noun.entry.form == "dual" and "org" in name.flags and name.last >= noun.last:
        return None  # «طالبان»
    if noun.definite and noun.first and c.r.words[noun.first - 1] in ("بين", "وبين") and c.joined(noun.last) and (
        new_number(c, noun.last) and not c.r.words[noun.last].startswith("و")
    ):  # fmt: skip
        return None  # «ومن بين الجرحى اثنان»
    q = Quantity(noun.first, noun.last, noun.first, noun.last, None, "unspecified", vague=True)
    none = _nobody(c, noun)
    if none is not None and none[0]:
        among = c.joined(noun.last) and c.r.words[noun.last] in ("في", "بين", "من", "لدي")
        told = among or noun.entry.get("side").startswith("civilians")
        phrase = Phrase(noun, noun.last, *(_flat(sides_of(c, noun, noun.last)) if told else ((), "")), False)
        zero = replace(q, count=0, hedge="exact")
        return make(c, zero, phrase, none[0], "nobody", found, first=none[1], governor=none[1])
    form = noun.entry.form
    one_of = (
        form == "plural" and noun.first > 0 and c.joined(noun.first) and c.cue(noun.first - 1, "one_of") is not None
    )
    if one_of and noun.entry.get("category") != "household":
        form = "singular"
        q = replace(q, first=noun.first - 1)
    one_of = one_of or noun.entry.get("singular").startswith("أحد ")  # «أحد جنوده»
    if form == "singular" and noun.suffix == "ا" and c.hits.at("places", noun.first) is not None:
        return None  # «تركيا»
    if (
        found
        and found[-1].last == noun.first
        and c.joined(noun.first)
        and not noun.prefix
        and form == "singular"
        and (found[-1].count == 1)
    ):
        return None  # «رجل مسن»
    if (
        form == "singular"
        and noun.suffix.strip("ا")
        and not one_of
        and not ("kin" in noun.entry.flags or noun.entry.get("category") in ("child", "woman"))
        and not _countrywoman(c, noun)
    ):
        return None  # «عسكرية», «قائدها»
    defined = noun.definite or bool(noun.suffix.strip("ا")) or noun.entry.text.endswith(("ته", "تها"))
    defined = defined and not one_of and not _countrywoman(c, noun)
    if form == "singular" and defined and _known(c, noun, found):
        return None
    hit = _adjacent_governor(c, noun)
    if title and not _befalls(hit, noun):
        return None
    own = noun.entry.get("outcome")
    anew = (
        not noun.prefix.startswith("و")
        and c.hits.at("outcomes", noun.first) is None
        and (overriding(c, hit, own) is not None if own else False)
    )
    two = c.hits.at("numbers", noun.last) if c.joined(noun.last) else None
    if form != "singular" and two is not None and two.entry.get("value") == "2" and not two.prefix:
        q = replace(q, count=2, hedge="exact", last=two.last, last_core=two.last)
    elif (form == "plural" and _vowelled_dual(c, noun)) or (
        form == "dual" and not (noun.definite and not _names_follow(c, noun))
    ):
        q = replace(q, count=2, hedge="exact")
    elif form == "singular" and ("noone" not in noun.entry.flags or anew):
        q = replace(q, count=1, hedge="exact")
    elif form != "plural":
        return None
    second = _second(c, noun) if form == "singular" and not own else None
    if second is not None:
        q = replace(q, count=2)
    sides, end, side_rule = sides_of(c, noun, noun.last)
    end = max(end, second or 0)
    joint = joint_noun(c, noun) if form != "singular" else None
    phrase = Phrase(noun, max(end, joint.last if joint else 0), sides, side_rule, joint is not None)
    if q.count is None:
        return _bare_plural(c, q, phrase, found)
    if hit is not None and _does(c, hit, noun):
        return None
    if "follower" in noun.entry.flags and (hit is None or not _stops(c, noun.last)):
        return None  # «ثالث» of people, not «ثالث أكبر مدن»
    known = not one_of and (noun.definite or bool(noun.suffix.strip("ا")))  # «الجندي», «شقيقته»
    after = next((h for k in (noun.last, end) if c.joined(k) and (h := hedge_after(c.hits, k))), None)
    if after is not None:
        q = with_hedge(q, after)
    if own and not anew:
        light = c.hits.at("outcomes", noun.first - 1) if noun.first else None
        fell = light is not None and light.entry.get("voice") == "light" and light.last == noun.first
        if form == "singular" and (known or not (fell or _heads(c, noun, found))):
            return None
        return make(c, q, phrase, own, "implied-" + form, found)
    if hit is not None:
        if "captives" in hit.entry.flags or ("unjudged" in hit.entry.flags and in_court(c, hit.first)):
            return None
        if demanded(c, hit) or unreal(c, hit):
            return None
        last = c.r.bounds(noun.first)[1]
        pair = next((k for k in range(noun.last, min(noun.last + 14, last))
                     if (h := c.hits.at("outcomes", k)) and h.entry.get("voice") == "post"), None)  # fmt: skip
        if "pair" in hit.entry.flags and pair is not None:
            return make(c, q, phrase, "killed", "pair-verb", found, first=hit.first, last=pair + 1, governor=hit.first)
        if "pair" in hit.entry.flags or ("natural" in hit.entry.flags and not (_wounded(c, noun) or own == "injured")):
            return None
        if form == "singular" and "weak" in hit.entry.flags and fate(c, hit) == "displaced":
            return None
        if form == "singular" and noun.definite and "direct" in hit.entry.flags:
            return None  # «جثمان الضحية»
        if noun.definite and form == "singular":
            phrase = replace(phrase, last=max(phrase.last, _name_end(c, noun.last)))
        if own and fate(c, hit) == "released" and not sides:
            phrase = replace(phrase, sides=(("prisoners", None),), side_rule="captives")
        return make(c, q, phrase, fate(c, hit), "implied-" + form, found, first=hit.first, governor=hit.first)
    if form == "singular" and noun.definite and not one_of:
        named = _named_fate(c, noun)
        if named is not None:
            return make(c, q, phrase, named[0], "named-fate", found, last=named[1], governor=named[1] - 1)
        marked = bool(noun.first) and c.joined(noun.first) and c.cue(noun.first - 1, "part") is not None
        phrase = replace(phrase, last=max(phrase.last, _name_end(c, noun.last)))
        return as_part(c, q, phrase, found) if marked and found else None
    dual = post_outcome(c, end) if form == "dual" and c.joined(end) and hit is None else None
    if dual is not None:
        before = hedge_before(c.r, c.hits, noun.first)
        q = with_hedge(q, before) if before is not None else q
        return make(c, q, phrase, dual[0], "implied-verb", found, first=before.first if before else None,
                     last=dual[1], governor=dual[1] - 1)  # fmt: skip
    post = _death_after(c, noun)
    if post is None and form == "singular":
        post = _befell(c, noun)
    if post is not None:
        outcome = c.hits.at("outcomes", post - 1)
        if outcome is not None and outcome.entry.get("outcome") in ("injured", "captured"):
            return make(c, q, phrase, outcome.entry.get("outcome"), "implied-verb", found, last=post, governor=post - 1)
        return make(c, q, phrase, "killed", "implied-verb", found, last=post, governor=post - 1)
    return _implied_part(c, q, phrase, found)


def _countrywoman(c: Context, noun: Hit) -> bool:
    """«مقتل بريطانية», «استشهاد فلسطينية»: a woman of a nation, right behind what befell her."""
    nation = not noun.entry.get("category") and noun.entry.get("singular").endswith("ي") and noun.suffix == "ه"
    if not nation or noun.definite or noun.prefix or not noun.first or not c.joined(noun.first):
        return False
    hit = c.hits.at("outcomes", noun.first - 1)
    fate_told = hit is not None and hit.last == noun.first and not hit.entry.flags
    return hit is not None and fate_told and (hit.entry.get("voice") == "nominal" or hit.suffix == "ت")


def _befalls(hit: Hit | None, noun: Hit) -> bool:
    """«مقتل رئيس ...», «إصابة وزير ...»: whether what befell a person of rank stands right before the title."""
    fate_told = hit is not None and hit.last == noun.first and not noun.prefix
    return hit is not None and fate_told and not hit.entry.flags & {"weak", "direct", "natural"}


def _second(c: Context, noun: Hit) -> int | None:
    """«ضابط وضابط صف آخران»: the word behind two single people whom «آخران» joins."""
    other = c.hits.at("persons", noun.last) if c.joined(noun.last) else None
    if other is None or other.prefix != "و" or other.entry.form != "singular" or not c.joined(other.last):
        return None
    if c.hits.at("outcomes", other.first) is not None or other.entry.get("outcome"):
        return None  # «مدني وإصابة آخرين»
    return other.last + 1 if c.r.words[other.last] in ("اخران", "اخرين") else None


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
    joined = 0 <= q.first - previous.last <= 1 or listed(c, previous, q.first)
    if noun is not None and _counted_too(c, previous, noun):
        return None
    if noun is not None and noun.prefix == "و" and joined and (noun.entry.form != "plural" or q.count == 2):
        return make(c, q, p, previous.outcome, "coordinated", found, governor=previous.governor,
                     part_of=previous.part_of)  # fmt: skip
    return None


def _counted_too(c: Context, previous: Found, noun: Hit) -> bool:
    """«86 عنصراً ومطلوباً», «30 جندياً وعنصر أمن»: two nouns of one number."""
    if (previous.count or 0) < 11 or noun.entry.form != "singular" or noun.prefix != "و":
        return False
    if c.joined(noun.last) and c.r.words[noun.last].startswith("واحد"):
        return False
    same = noun.last - noun.first == 2 and noun.entry.get("category") == previous.category
    return noun.suffix == "ا" or same or ((previous.count or 0) >= 100 and noun.first == previous.last)


def _doer(c: Context, k: int, noun: Hit) -> str:
    """Word `k` where it names who did something to `noun`: an actor, or people in the nominative or defined."""
    people = c.hits.at("persons", k)
    word = c.r.words[k]
    if (
        people is not None
        and not people.prefix.startswith("و")
        and (word.endswith(("ون", "و")) or (people.definite and (noun.suffix == "ا" or noun.definite)))
    ):
        return word
    actor = next((c.named[j] for j in range(k, max(k - 4, -1), -1) if j in c.named), None)
    if actor is not None and actor.last > k and actor.rule != "adjective" and "victim" not in actor.flags:
        return word
    return ""


def _heads(c: Context, noun: Hit, found: list[Found]) -> bool:
    """«قتيل وجريحان في ...»: the noun that tells the fate begins its sentence, or goes on a list."""
    if c.r.bounds(noun.first)[0] == noun.first:
        return c.joined(noun.last)
    behind = bool(found) and noun.prefix == "و" and 0 <= noun.first - found[-1].last <= 1
    return behind and found[-1].rule.startswith("implied")


def _name_end(c: Context, k: int) -> int:
    """The word behind a person's name that begins at word `k`."""
    end = k
    while (
        end - k < 4
        and not _stops(c, end)
        and not new_number(c, end)
        and c.hits.at("outcomes", end) is None
        and (end not in c.dated and not c.r.words[end].startswith("ل"))
    ):
        end += 1
    return end


def _adjective(c: Context, noun: Hit) -> bool:
    """A nationality that modifies the word before it."""
    named = c.named.get(noun.first)
    nation = not noun.entry.get("category") and not noun.entry.get("outcome")
    return nation and ((named is not None and named.rule == "adjective") or c.r.words[noun.first - 1].startswith("ال"))


def _vowelled_dual(c: Context, noun: Hit) -> bool:
    """«مسعفَين»: the vowel sign tells the dual from the plural."""
    start, end = c.r.span(noun.first, noun.last)
    return "\u064eي" in c.r.folded.raw[start:end]


def _known(c: Context, noun: Hit, found: list[Found]) -> bool:
    """Whether one with an article or pronoun is no news: «المجموعة الروسية», «بعد مقتل الشاب», «قتل ابنتها»."""
    if not noun.definite:  # kin of somebody told of before
        return not found or c.r.sentence[found[-1].at] != c.r.sentence[noun.first]
    if noun.suffix not in ("", "ا") or _adjective(c, noun):
        return True
    if noun.first in c.named and _owner(c, noun):
        return True
    told = not noun.entry.get("category") and not noun.entry.get("outcome") and not _named_person(c, noun.last)
    behind = noun.first >= 2 and c.cue(noun.first - 2, "after", "since") is not None
    return told or (behind and c.hits.at("outcomes", noun.first - 1) is not None)


def _owner(c: Context, noun: Hit) -> bool:
    """«قتل قناصو الحوثي طفلاً»: the group whose the word before is, no victim."""
    k = noun.first - 1
    bare = k >= 0 and c.joined(noun.first) and not c.r.words[k].startswith("ال")
    return bare and c.hits.at("outcomes", k) is None and c.hits.at("persons", k) is None and k not in c.named


def _named_person(c: Context, k: int) -> bool:
    """«الشاب محمد الرضيع»: whether two words of a name follow from word `k`."""
    return not any(
        _stops(c, j) or c.r.words[j].startswith(("و", "ل")) or j in c.dated or j in c.named
        or any(c.hits.at(file, j) is not None for file in ("outcomes", "triggers", "sources", "numbers"))
        for j in (k, k + 1)
    ) and c.hits.at("persons", k) is None and not c.r.words[k].startswith("ال")  # fmt: skip


def _stops(c: Context, k: int) -> bool:
    """Whether the noun phrase ends before word `k`."""
    return not c.joined(k) or c.cue(k, "np_stop", "block", "agent") is not None or c.r.words[k].startswith("ب")


def _does(c: Context, hit: Hit, noun: Hit) -> bool:
    """Whether the people right behind a verb are its doers: «أصاب القناص ...», «قتل مسلحون من داعش مختاراً»."""
    voice = hit.entry.get("voice")
    if (voice not in ("verb", "active") and "either" not in hit.entry.flags) or hit.last != noun.first:
        return False
    word = c.r.words[noun.first]
    nominative = (noun.entry.form == "plural" and word.endswith(("ون", "و"))) or (
        noun.entry.form == "dual" and word.endswith(("ان", "ا"))
    )
    if voice == "active" and hit.suffix != "وا" and (nominative or noun.definite):
        return True
    if hit.suffix == "ت" or not (nominative or noun.definite):
        alone = noun.entry.form == "singular" and noun.suffix != "ا" and hit.suffix != "ت"
        titled = c.joined(noun.last) and c.cue(noun.last, "title") is not None and not noun.entry.get("outcome")
        return alone and (titled or _counted_object(c, noun.last))
    return _object(c, noun.last)


def _counted_object(c: Context, k: int) -> bool:
    """«قتل شخص [موالٍ للتنظيم] أربعة أشخاص»: whether a number of people follows from word `k` in the same clause."""
    for i in range(k, k + 5):
        if not c.joined(i) or c.cue(i, "np_stop", "part", "block") or c.hits.at("outcomes", i) is not None:
            return False
        if new_number(c, i):
            return c.joined(i + 1) and c.hits.at("persons", i + 1) is not None and not c.r.words[i].startswith("و")
    return False


def _object(c: Context, k: int) -> bool:
    """Whether people in the accusative follow from word `k`, in the same phrase."""
    for i in range(k, k + 6):
        if not c.joined(i) or c.cue(i, "part", "block") or c.hits.at("outcomes", i) is not None:
            return False
        if c.cue(i, "np_stop") and c.r.words[i] not in ("من", "ما"):
            return False
        if new_number(c, i):
            return i > k or c.r.words[i - 1].endswith(("ون", "و"))
        noun = c.hits.at("persons", i)
        if (
            noun is not None
            and not noun.prefix.startswith(("و", "ف"))
            and c.r.words[i - 1] != "من"
            and (noun.suffix == "ا" or c.r.words[i].endswith("ين") or c.r.words[k - 1].endswith(("ون", "و")))
        ):
            return True
    return False


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
        return _beyond_date(c, noun)
    steps = 0
    doer = ""  # people or force between, who did it: «قتل الجنود مهاجماً»
    while k and noun.first - k < 6:
        k -= 1
        hit = c.hits.at("outcomes", k)
        if hit is not None and hit.last <= noun.first:
            longer = c.hits.at("outcomes", k - 1) if k else None
            if longer is not None and longer.last == hit.last and longer.entry.get("voice") != "light":
                hit = longer  # «بإطلاق [سراح]»
            told = hit.entry.get("voice") in ("nominal", "verb", "active") and bool(hit.entry.get("outcome"))
            ok = told and not is_family(c, hit)
            if doer and (hit.entry.get("voice") == "nominal") and "either" not in hit.entry.flags:
                return None
            return hit if ok and hit.suffix in ("", "ت", "ا", "تا") else None
        if c.r.gap[k + 1] > SPACE or c.r.gap[k] >= SENTENCE:
            return None
        if k in c.dated or c.hits.at("hedges", k) is not None:
            continue
        if any(j in c.named and c.named[j].last > k for j in range(k, max(k - 4, -1), -1)) and (
            noun.entry.form == "dual" or (noun.suffix == "ا" and noun.entry.form == "singular") or noun.prefix == "ل"
        ):
            continue  # «اعتقال السلطات السعودية لمواطن»
        if noun.entry.form == "singular" and not noun.prefix.startswith("و") and (known := _doer(c, k, noun)):
            doer = known
            continue
        if c.r.words[k] == "من" and k and c.hits.at("persons", k - 1) is not None and steps == 0:
            continue
        if c.cue(k, "agent") is not None:
            return None  # «قتل برصاص قناص»
        steps += 1
        if steps > 1:
            return _beyond_scene(c, noun)
    return _beyond_scene(c, noun)


def _beyond_date(c: Context, noun: Hit) -> Hit | None:
    """«اعتقلت، اليوم الأربعاء، رجلاً»: a verb that only a date between commas parts from its object."""
    if noun.suffix != "ا" or noun.entry.form != "singular" or c.r.gap[noun.first] != COMMA or noun.first < 2:
        return None
    k = noun.first - 1
    while k in c.dated and c.joined(k) and noun.first - k < 6:
        k -= 1
    if k not in c.dated:
        return None
    for step in range(SUBJECT_REACH):  # «اعتقلت الشرطة الإيطالية، الثلاثاء، رجلاً»
        k -= 1
        if k < 0:
            return None
        verb = c.hits.at("outcomes", k)
        if verb is not None:
            told = verb.entry.get("voice") in ("verb", "active") and verb.entry.get("outcome")
            whose = not step or any(j in c.named for j in range(verb.last, k + step + 1))
            return verb if told and whose and not is_family(c, verb) else None
        people = c.hits.at("persons", k) is not None and not c.r.words[k].startswith("ال")
        if people or (step and not c.joined(k + 1)) or c.cue(k, "np_stop", "block") is not None:
            return None
    return None


SUBJECT_REACH = 5  # words of who did it


def _beyond_scene(c: Context, noun: Hit) -> Hit | None:
    """«أصيب في الهجوم شخص آخر», «استشهد في غزة شاب»: the verb in front of a place or happening told before its subject.
    The word before the subject is definite or a name, so that the two are no single phrase («في هجوم انتحاري»)."""
    k = noun.first - 1
    if noun.prefix or noun.definite or noun.suffix or noun.entry.form not in ("singular", "dual") or k < 2:
        return None
    if noun.entry.form == "dual" and not c.r.words[noun.first].endswith("ان"):
        return None
    if not (c.r.words[k].startswith("ال") or c.hits.at("places", k) is not None):
        return None
    for i in range(k - 1, max(k - SCENE_REACH, -1), -1):
        if not c.joined(i + 1) or c.hits.at("persons", i) is not None:
            return None
        if c.r.words[i] in SCENE:
            verb = c.hits.at("outcomes", i - 1) if i and c.joined(i) else None
            passive = verb is not None and verb.entry.get("voice") in ("verb", "nominal") and verb.last == i
            return verb if verb is not None and passive and not verb.entry.flags and verb.suffix in ("", "ت") else None
    return None


SCENE = ("في", "خلال", "اثر", "جراء", "قرب")
SCENE_REACH = 5  # words between a verb and its subject


AGES = frozenset(("عاما", "عام", "سنه", "ربيعا", "سنوات", "اعوام"))
NAME_REACH = 8  # words of a person's title and name


def bracketed_age(c: Context, q: Quantity) -> bool:
    """«محمد سالم (29 عاماً)»: a number of years in brackets behind a name."""
    if q.count is None or not 1 <= q.count < 100 or not q.first or q.last >= len(c.r.words):
        return False
    return c.r.words[q.last] in AGES and c.r.text[c.r.ends[q.first - 1] : c.r.starts[q.first]].strip() == "("


def aged(c: Context, q: Quantity, found: list[Found]) -> Found | None:
    """«استشهد محمد سالم (29 عاماً)», «الشاب محمد سالم (25 عاماً) استشهد»: one person, told of by name and age."""
    if not bracketed_age(c, q):
        return None
    low = max(c.r.bounds(q.core)[0], q.first - NAME_REACH, found[-1].last if found else 0)
    title = None
    k = q.first - 1
    while k >= low:
        hit = c.hits.at("outcomes", k)
        if hit is not None or c.cue(k, "np_stop", "block") or c.hits.at("numbers", k) or c.hits.at("triggers", k):
            break
        noun = c.hits.at("persons", k)
        if noun is not None and (noun.entry.form != "singular" or noun.prefix.startswith("و")):
            return None
        title = noun or title
        if not c.joined(k):
            k -= 1
            break
        k -= 1
    one = Quantity(k + 1, q.last + 1, k + 1, k + 2, 1)
    if q.first - k - 1 < 2:
        return None
    sides, _, rule = sides_of(c, title, title.last) if title is not None else ((("civilians", None),), 0, "person-noun")
    phrase = Phrase(title, q.last + 1, sides, rule, False)
    verb = c.hits.at("outcomes", k) if k >= low and c.joined(k + 1) else None
    behind = next((h for j in (q.last + 1, q.last + 2) if (h := c.hits.at("outcomes", j))), None)
    for hit in (verb, behind):
        if hit is None or hit.prefix not in ("", "و") or (hit is behind and hit.prefix):
            continue
        fates = hit.entry.get("voice") in ("verb", "nominal") and hit.suffix in ("", "ت")
        natural = "natural" in hit.entry.flags and not any(
            c.cue(j, "from_wounds", "wounds", "shot") for j in range(q.last, min(q.last + 14, c.r.bounds(q.core)[1]))
        )
        if not fates or natural or hit.entry.flags & {"pair", "weak", "unjudged", "direct", "loses"}:
            continue
        if hit is behind and hit.entry.get("voice") != "verb":
            continue
        if hit.entry.get("outcome") in ("killed", "injured", "captured"):
            return make(c, one, phrase, hit.entry.get("outcome"), "by-name", found, first=min(hit.first, one.first),
                        last=hit.last, governor=hit.first)  # fmt: skip
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


def _named_fate(c: Context, noun: Hit) -> tuple[str, int] | None:
    """«إن القيادي في الجماعة سالم العامري لقي مصرعه», «أن المقاتلة سارة حسن قتلت في ...»: (outcome, end) of one person
    whom a clause names first."""
    if not noun.first or c.r.words[noun.first - 1] not in CLAUSE:
        return None
    end = 0  # of a group's name
    for k in range(noun.last, noun.last + FATE_AFTER):
        end = c.named[k].last if k in c.named else end
        if k >= len(c.r.words) or c.r.gap[k] >= SENTENCE or c.cue(k, "block") is not None:
            return None
        verb = c.hits.at("outcomes", k)
        if k < end:
            continue
        if verb is None:
            people = c.hits.at("persons", k)
            if new_number(c, k) or (people is not None and people.entry.form != "singular"):
                return None
            continue
        if k == noun.last or verb.prefix or verb.suffix not in ("", "ت"):
            return None  # «الفتاة قتلت»: nobody is named
        if "pair" in verb.entry.flags:
            return "killed", min(verb.last + 1, len(c.r.words))
        if not c.joined(k) or verb.entry.get("voice") != "verb" or verb.entry.flags:
            return None
        k = verb.last
        done = not c.joined(k) or c.cue(k, "np_stop", "agent") is not None or k in c.dated
        told = done or c.r.words[k].startswith("ب")
        return (verb.entry.get("outcome"), k) if told and not _hits_others(c, k) else None
    return None


CLAUSE = frozenset(("ان", "بان", "وان"))
FATE_AFTER = 10  # words of a name and title


def _befell(c: Context, noun: Hit) -> int | None:
    """«إن مواطناً أميركياً قتل في ...»: the end of a passive verb behind one person; no object may follow it."""
    for k in range(noun.last, noun.last + 3):
        if not c.joined(k):
            return None
        verb = c.hits.at("outcomes", k)
        if verb is None or verb.entry.get("voice") != "verb":
            continue
        passive = verb.last - verb.first == 1 and not verb.entry.flags and subject_of(c, verb) is not None
        end = verb.last
        done = not c.joined(end) or c.cue(end, "np_stop", "agent", "block") is not None or end in c.dated
        goes_on = done or c.r.words[end].startswith(("ب", "و")) or c.hits.at("triggers", end) is not None
        return end if passive and goes_on and not _hits_others(c, end) else None
    return None


def _hits_others(c: Context, k: int) -> bool:
    """«إن رجلاً قتل بالرصاص شرطيين»: whether people in the accusative follow from word `k` in the same phrase."""
    for i in range(k, k + 4):
        if not c.joined(i) or c.r.words[i].startswith("و") or c.hits.at("outcomes", i) is not None:
            return False
        people = c.hits.at("persons", i)
        if people is not None and not people.prefix and people.entry.form != "singular" and c.r.words[i - 1] != "من":
            return True
    return False


def _bare_plural(c: Context, q: Quantity, p: Phrase, found: list[Found]) -> Found | None:
    """«سقوط قتلى وجرحى», «مقتل مدنيين»: some people, no number."""
    noun = p.noun
    assert noun is not None
    hit = _adjacent_light(c, noun)
    if c.joined(noun.last) and c.hits.at("hedges", noun.last) is not None:
        return None  # «قتلى لا يتجاوز عددهم خمسة»
    if hit is None or hit.entry.get("voice") not in ("nominal", "light", "verb") or _denied(c, hit.first):
        return None
    if unreal(c, hit):
        return None
    if hit.entry.get("voice") == "nominal" and hit.entry.text.endswith("هم"):
        return None  # «قتلهم عناصر من ...»
    outcome = noun.entry.get("outcome") or hit.entry.get("outcome")
    if not outcome or noun.prefix not in ("", "ب", "ل") or "household" in noun.entry.flags:
        return None
    if c.joined(noun.last) and new_number(c, noun.last) and not c.r.words[noun.last].startswith("و"):
        return None  # «جثث سبعة رجال»
    subject = c.named.get(noun.first)
    by_them = subject is not None and subject.id in UNIDENTIFIED
    if (by_them and c.r.words[noun.first].endswith("ون")) or _does(c, hit, noun):
        return None  # «خطف مسلحون ...»
    if hit.entry.get("outcome") in ("displaced", "released") or "natural" in hit.entry.flags:
        return None
    return make(c, q, p, outcome, "bare-plural", found, first=hit.first, governor=hit.first)


def _adjacent_light(c: Context, noun: Hit) -> Hit | None:
    """The word right before a bare plural that says what befell it; a light verb may have its subject between:
    «أوقعت الغارة قتلى وجرحى»."""
    for back in (1, 2, 3):
        k = noun.first - back
        if k < 0 or not c.joined(k + 1):
            return None
        hit = c.hits.at("outcomes", k)
        if hit is not None and hit.last <= noun.first and not is_family(c, hit):
            subject = hit.entry.get("voice") == "light" and bool(noun.entry.get("outcome")) and not noun.prefix
            return hit if hit.last == noun.first or subject else None
        if c.cue(k, "np_stop", "block", "not"):
            return None
    return None


def _denied(c: Context, i: int) -> bool:
    """«لم ترد أنباء عن سقوط ضحايا», «لم يوقع قتلى»."""
    for k in range(i - 1, max(i - 6, -1), -1):
        if c.r.gap[k + 1] > SPACE or c.cue(k, "block"):
            return False
        if c.cue(k, "not", "without"):
            return True
    return False


def _nobody(c: Context, noun: Hit) -> tuple[str, int] | None:
    """«دون وقوع إصابات», «لم يقتل أي من», «دون أن يؤدي إلى إصابات»: (outcome, first word), a claim of nobody."""
    told_of = noun.last + (c.r.words[noun.last : noun.last + 1] == ("اي",))
    if noun.entry.form == "singular" and c.joined(noun.last) and c.hits.at("persons", told_of) is not None:
        return None  # «عدم [إصابة] مدنيين»: the people are told of next
    for back in range(1, 4):
        k = noun.first - back
        if k < 0 or c.r.gap[k + 1] > SPACE:
            return None
        if c.cue(k, "without") or (c.r.words[k] == "من" and k and c.r.words[k - 1] == "ما"):
            outcome = noun.entry.get("outcome") or _spared(c, noun)
            return (outcome, k) if outcome else None
        hit = c.hits.at("outcomes", k)
        if hit is not None and c.r.words[k + 1 : k + 2] == ("اي",) and c.cue(k - 1, "not"):
            told = hit.entry.get("outcome") or noun.entry.get("outcome")
            return told or ("killed" if "fell" in hit.entry.flags else ""), k - 1
    return _brought_none(c, noun)


def _brought_none(c: Context, noun: Hit) -> tuple[str, int] | None:
    """«دون أن تسفر الغارة عن سقوط قتلى أو جرحى», «لم يؤد القصف إلى إصابات»: as `_nobody`."""
    outcome = noun.entry.get("outcome") or _spared(c, noun)
    if outcome not in ("killed", "injured") or noun.entry.form != "plural" or noun.definite:
        return None
    for k in range(noun.first - 1, max(noun.first - NONE_REACH, -1), -1):
        if c.r.gap[k + 1] > SPACE or c.hits.at("numbers", k) is not None:
            return None
        if c.cue(k, "brings") is not None:
            if k and c.cue(k - 1, "not") is not None:
                return outcome, k - 1
            return (outcome, k - 2) if k > 1 and c.r.words[k - 1] == "ان" and c.cue(k - 2, "without") else None
    return None


def _spared(c: Context, noun: Hit) -> str:
    """«عدم [مقتل] مدنيين», «لم تسفر عن [إصابة] أي مدنيين»: what did not befall people, "" if nothing is said."""
    anybody = c.r.words[noun.first - 1] == "اي"
    if not (noun.entry.form == "plural" or anybody) or noun.definite:
        return ""
    k = noun.first - 1 - anybody
    hit = c.hits.at("outcomes", k) if k >= 0 else None
    if hit is None or hit.entry.get("voice") != "nominal" or hit.entry.flags or not c.joined(k + 1):
        return ""
    return hit.entry.get("outcome")


NONE_REACH = 10  # words between «لم يسفر» and the dead that it did not bring
