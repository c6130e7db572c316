"""What befell the people of a number: the word before them («مقتل»), or the verb behind («قتلوا»)."""

from __future__ import annotations

from processors.extract.context import REACH, Context, Found
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity
from processors.extract.phrases import new_number
from processors.text import COMMA, SENTENCE, SPACE


def governor_of(c: Context, q: Quantity, found: list[Found]) -> Hit | None:
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
            longer = c.hits.at("outcomes", k - 1) if k > low else None
            if longer is not None and longer.last == hit.last:  # «بإطلاق [سراح]»
                hit = longer
            return hit if _can_govern(c, hit, q) else None
        if k in c.dated:
            continue
        if c.cue(k, "block") and q.first - k > 1:
            return None
    return None


def post_outcome(c: Context, k: int) -> tuple[str, int] | None:
    """A verb that follows its people from word `k`: (outcome, end)."""
    for step in range(7):
        i = k + step
        if i >= len(c.r.words) or c.r.gap[i] >= SENTENCE:
            return None
        inserted = _behind_part(c, i)
        if inserted is not None:
            return _fell(c, inserted)
        if c.r.gap[i] == COMMA and step > 3:
            return None
        hit = c.hits.at("outcomes", i)
        if hit is not None and hit.entry.get("voice") != "noun":
            voice, outcome = hit.entry.get("voice"), hit.entry.get("outcome")
            lead = c.r.words[i - 1]
            done = lead in DONE or (hit.suffix.strip("ا") and c.r.words[i - 2] in DONE)
            told = hit.entry.text.endswith("هم") and not step  # «200 شخص قتلهم مسلحون»
            befell = hit.prefix == "و" and hit.suffix in THEM and step <= 1  # «أربعة شرطيين وإصابتهم»
            if voice == "nominal" and (done or told or befell or (lead == "الي" and outcome == "displaced")):
                return outcome, hit.last
            if voice == "post" and "light" not in hit.entry.flags and hit.prefix in ("", "ال"):
                return outcome, hit.last
            if voice == "verb" and not hit.prefix and outcome and "weak" not in hit.entry.flags:
                if "pair" in hit.entry.flags:
                    return "killed", min(hit.last + 1, len(c.r.words))
                if hit.suffix in ("وا", "ت", "ا", "", "هم", "تهم", "وهم"):  # «خمسة أشخاص اعتقلتهم الشرطة»
                    return outcome, hit.last
            return None
        if new_number(c, i) or c.cue(i, "block", "part"):
            return None
    return None


def _fell(c: Context, i: int) -> tuple[str, int] | None:
    """A verb of several people at word `i`: (outcome, end)."""
    hit = c.hits.at("outcomes", i)
    if hit is None or hit.prefix or "light" in hit.entry.flags or not hit.entry.get("outcome"):
        return None
    if "pair" in hit.entry.flags:
        return "killed", min(hit.last + 1, len(c.r.words))
    many = hit.entry.get("voice") == "post" or hit.suffix in ("وا", "ن")
    return (hit.entry.get("outcome"), hit.last) if many else None


THEM = ("هم", "هما", "هن")
DONE = ("تم", "تمت", "جري", "جرت", "يتم", "تتم")  # «تم [القبض عليهم]», «جرى [تحييدهم]»
PART_REACH = 9  # words of «، من بينهم 35 طفلا،»


def _behind_part(c: Context, k: int) -> int | None:
    """The word behind a part inserted at word `k`: «230 مدنياً، بينهم 35 طفلاً، | قتلوا», «64 بينهم 13 طفلاً | قتلوا»."""
    if c.cue(k, "part") is None:
        return None
    for i in range(k + 2, min(k + PART_REACH, len(c.r.words))):
        if c.r.gap[i] >= SENTENCE or c.cue(i, "block"):
            return None
        if c.r.gap[i] == COMMA or _fell(c, i) is not None:
            return i
    return None


def _can_govern(c: Context, hit: Hit, q: Quantity) -> bool:
    if is_family(c, hit):
        return False
    voice, distance = hit.entry.get("voice"), 0
    for k in range(hit.last, q.first):
        distance += k not in c.dated and k not in c.named
    if voice == "post":
        plural = bool(hit.entry.get("outcome")) and hit.entry.text.endswith("وا")
        return plural and distance == 0 and hit.last == q.first
    if voice == "noun":
        return False
    if "direct" in hit.entry.flags:
        return distance == 0 and hit.last >= q.first - 1
    if voice == "verb" and 5 < distance <= 9 and _kin_of(c, hit.last, q):
        return True
    if voice in ("nominal", "light"):
        return distance <= (5 if voice == "light" and hit.entry.get("outcome") else 2)  # «راح ضحية القصف ... 1700»
    return distance <= 5


def is_family(c: Context, hit: Hit) -> bool:
    """«أسرة من خمسة أفراد», «قتلة جنودها»: a family or killers, not «they held her», «he killed him»."""
    return hit.suffix == "ه" and hit.entry.text in ("اسر", "قتل") and c.r.quote(hit.first, hit.last).endswith("ة")


def _kin_of(c: Context, k: int, q: Quantity) -> bool:
    """«اعتقلت الشرطة الداعية فلان الفلاني [وثلاثة من أبنائه]»: kin of the one whom the verb names from word `k`."""
    if not c.r.words[q.first].startswith("و") or c.r.words[q.last : q.last + 1] != ("من",) or not c.joined(q.last + 1):
        return False
    kin = c.hits.at("persons", q.last + 1)
    whole = all(
        c.joined(j)
        and not c.cue(j, "np_stop")
        and ((n := c.hits.at("persons", j)) is None or n.entry.form == "singular")
        for j in range(k, q.first)
    )
    return kin is not None and bool(kin.suffix) and "kin" in kin.entry.flags and whole


MENDED = frozenset(("captured", "displaced", "missing", "injured"))  # more can befall such people


def overriding(c: Context, hit: Hit | None, outcome: str, joint: bool = False) -> Hit | None:
    """What befell captives, the wounded and the displaced anew: «الإفراج عن 12 أسيراً», «وفاة جريحين»."""
    if hit is None or hit.entry.get("voice") in ("light", "tally", "post"):
        return None
    after = hit.entry.get("outcome")
    if outcome == "injured":
        return hit if after == "killed" and not joint else None
    if after in ("injured", "killed", "released") or (outcome == "captured" and after == "captured"):
        return hit
    return None


def fate(c: Context, hit: Hit) -> str:
    """The outcome of a governor; one that is undone («فكّت ... أسر خمسة») sets free."""
    outcome = hit.entry.get("outcome")
    if outcome == "captured" and any(c.cue(k, "undo") for k in range(max(0, hit.first - 5), hit.first)):
        return "released"
    return outcome


def joint_governor(c: Context, hit: Hit) -> Hit | None:
    """«مقتل وجرح أكثر من 60»: the first of the two."""
    if not hit.first:
        return None
    either = c.r.words[hit.first - 1] in ("او", "و")  # «أصيب أو قتل»
    if not hit.prefix.startswith("و") and not either:
        return None
    for back in (1, 2, 3):
        other = c.hits.at("outcomes", hit.first - back) if hit.first >= back else None
        if other is not None and other.last == hit.first - either and c.r.gap[hit.first] == SPACE:
            both = {other.entry.get("outcome"), hit.entry.get("outcome")}
            voice = other.entry.get("voice")
            if voice == "verb" and subject_of(c, other) is not None:
                return None  # «إن شخصاً قتل وأصيب خمسة»
            return other if both == {"killed", "injured"} and voice in ("nominal", "verb", "active") else None
    return None


def subject_of(c: Context, verb: Hit) -> Hit | None:
    """«إن مواطناً أميركياً [قتل]», «وكان شرطي [أصيب]»: the one person who stands before a verb as its subject."""
    if verb.prefix or verb.suffix not in ("", "ت"):
        return None
    for k in range(verb.first - 1, max(verb.first - 4, -1), -1):
        if not c.joined(k + 1) or c.cue(k, "np_stop", "block") is not None:
            return None
        noun = c.hits.at("persons", k)
        one = k and c.cue(k - 1, "one_of") is not None  # «أن أحد رجال الشرطة [قتل]»
        if noun is None or not (noun.entry.form == "singular" or one) or noun.prefix not in ("", "ب"):
            continue
        if noun.entry.get("outcome"):
            continue
        if one and k > 1 and c.r.words[k - 2] in LEADS:
            return noun
        led = c.r.words[k - 1] in LEADS if k else False
        if led and c.hits.at("persons", k - 1) is None:
            return noun
    return None


LEADS = frozenset(("ان", "بان", "وان", "كان", "كانت", "وكان", "وكانت", "لكن", "هناك"))


def of_disease(c: Context, i: int) -> bool:
    """«توفي 2300 شخص بالكوليرا»: whether the sentence of a death tells of a disease or an accident."""
    low, high = c.r.bounds(i)
    return any(c.cue(k, "accident") for k in range(max(low, i - 30), min(high, i + 30)))


def mishap_told(c: Context) -> bool:
    """Whether the headline tells of an accident, a disease or a disaster, and of no attack."""
    head = c.r.sentences[0]
    if not head.headline:
        return False
    words = range(head.first, min(head.last, head.first + 40))
    if any(_attacks(c, k) for k in words):
        return False
    return any(c.cue(k, "accident") for k in words) or _led_by_mishap(c)


def _led_by_mishap(c: Context) -> bool:
    """Whether the lead tells of an accident, and of no attack or force."""
    lead = c.r.sentences[1] if len(c.r.sentences) > 1 else c.r.sentences[0]
    words = range(lead.first, min(lead.last, lead.first + 60))
    told = any(c.cue(k, "mishap") for k in words) or sum(c.cue(k, "accident") is not None for k in words) > 1
    return told and not c.actors.between(*c.r.bounds(lead.first)) and not any(_attacks(c, k) for k in words)


def of_mishap(c: Context, claim: Found, told: bool) -> bool:
    """Whether a claim is of an accident: hurt people, no attack in their sentence, and the accident there or `told` in
    the headline."""
    low, high = c.r.bounds(claim.at)
    near = range(max(low, claim.at - 40), min(high, claim.at + 40))
    if claim.outcome not in ("killed", "injured", "killed_or_injured", "missing", "displaced"):
        return False
    if any(_attacks(c, k) for k in near):
        return False
    beside = range(max(low, claim.first - MISHAP_REACH), min(high, claim.last + MISHAP_REACH))
    fell = claim.category != "combatant" and claim.outcome in ("killed", "injured", "killed_or_injured")
    return told or (fell and any(c.cue(k, "mishap") for k in beside))


MISHAP_REACH = 14  # words between an accident and its dead


def _attacks(c: Context, k: int) -> bool:
    hit = c.hits.at("triggers", k)
    if hit is None or (hit.entry.text == "ضربه" and c.r.words[k].endswith("ها")):
        return False  # «ضربها الزلزال»
    return not hit.entry.flags & {"weak", "kill"}


def demanded(c: Context, hit: Hit) -> bool:
    """«طالبت ... بالإفراج عن 20 أسيراً», «دعا إلى إجلاء ...»: what somebody asks for has not happened."""
    if hit.entry.get("voice") != "nominal":
        return False
    asked = hit.prefix in ("ب", "بال", "ل", "لل") or (hit.first and c.r.words[hit.first - 1] == "الي")
    low = max(c.r.bounds(hit.first)[0], hit.first - DEMAND_REACH)
    return bool(asked) and any(
        c.cue(k, "urges") and not _told_between(c, k + 1, hit.first) for k in range(low, hit.first)
    )


DEMAND_REACH = 12  # words


def unreal(c: Context, hit: Hit) -> bool:
    """«حاول [طعن] جندي», «خشية [اعتقال] أبنائهم», «لكل من [يقتل] شرطيا»: what was tried, feared or offered for."""
    before = c.r.words[hit.first - 1] if hit.first and c.joined(hit.first) else ""
    if before in WHOEVER and hit.entry.get("voice") == "active" and c.r.words[hit.first].startswith(("ي", "ت")):
        return True
    tried = c.cue(hit.first - 1, "attempt") or c.cue(hit.first - 2, "attempt") if before and hit.first > 1 else None
    if tried is not None and tried.last == hit.first and not hit.prefix.startswith(("و", "ف")):
        return True  # «الشروع في [قتل] 75»
    if _may_yet(c, hit) or _whether(c, hit):
        return True
    if hit.entry.get("voice") not in ("nominal", "light"):
        return False
    for k in range(hit.first - 1, max(hit.first - TRIED_REACH, c.r.bounds(hit.first)[0]) - 1, -1):
        if not c.joined(k + 1) or (c.cue(k, "np_stop", "block") is not None and c.cue(k, "attempt") is None):
            return False
        if c.cue(k, "attempt") is not None:
            return True
        if hit.first - k <= 2 and c.cue(k, "feared") is not None:
            return True
    return False


def _may_yet(c: Context, hit: Hit) -> bool:
    """«قد يؤدي إلى [سقوط] ضحايا», «قد [يقتل] ...»: what may come to be."""
    for k in range(hit.first - 1, max(hit.first - MAY_REACH, c.r.bounds(hit.first)[0]) - 1, -1):
        if not c.joined(k + 1):
            return False
        if c.r.words[k] in ("قد", "وقد"):
            after = c.r.words[k + 1]
            return (after.startswith("ي") and after != "يكون") or c.cue(k + 1, "brings") is not None
    return False


def _whether(c: Context, hit: Hit) -> bool:
    """«لم يتضح ما إذا كان الانفجار أسفر عن [سقوط] قتلى»: what nobody knows yet."""
    for k in range(hit.first - 1, max(hit.first - WHETHER_REACH, c.r.bounds(hit.first)[0]) - 1, -1):
        if not c.joined(k + 1):
            return False
        if c.cue(k, "whether") is not None:
            return True
    return False


WHETHER_REACH = 9  # words between «ما إذا» and what may have been
MAY_REACH = 6  # words between «قد يؤدي إلى» and what it may bring
WHOEVER = ("من", "لمن")
TRIED_REACH = 3  # words between «حاول» and what was tried


def _told_between(c: Context, first: int, last: int) -> bool:
    return any(c.r.gap[k] == COMMA or c.cue(k, "block", "after") for k in range(first, last))


def in_court(c: Context, i: int) -> bool:
    low, high = c.r.bounds(i)
    near = range(max(low, i - 30), min(high, i + 30))
    return any(c.cue(k, "court") and c.hits.at("outcomes", k) is None for k in near)  # «القضاء على»
