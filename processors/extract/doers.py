"""Who did it, where the clause of an event does not name him: the speaker, the accused, whose a deed is."""

from __future__ import annotations

from processors.extract.actors import Ids, Named
from processors.extract.context import Context
from processors.extract.frames import Frame
from processors.extract.phrases import backed
from processors.text import SPACE

PLAIN = frozenset(("", "و", "ف", "ال", "وال", "فال"))  # before a subject or an object: no preposition
PROTEST_BY = frozenset(("Peaceful protest", "Violent demonstration", "Mob violence"))
PROTEST = PROTEST_BY | {"Protest with intervention", "Excessive force against protesters"}


def doer(c: Context, ids: Ids, f: Frame) -> tuple[Named, str] | None:
    """Who did it, and the rule that found him."""
    for rule, find in _RULES:
        n = find(c, ids, f)
        if n is not None and not backed(c, n):
            return n, rule
    return None


def _speaker_did(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«وقالت الشرطة إنها [اعتقلت] ...», «أعلن الجيش أنه نفذ اليوم [غارات]»: the speaker did it."""
    low = c.r.bounds(f.at)[0]
    done = (k for k in range(f.at - 1, max(low, f.at - DID_REACH) - 1, -1) if c.cue(k, "does"))
    at = f.at if verb_of(f) else next(done, low)
    if at == low:
        at = next((k for k in range(f.at - 1, max(low, f.at - SLEW_REACH), -1) if _slew(c, k)), low)
    if at - 1 <= low or not c.cue(at - 1, "that_they"):
        return None
    before = _speaking(c, low, at) or next(iter(c.actors.before(at, 1)), None)
    good = before is not None and before.first >= low and before.rule != "adjective" and ids.armed(before.id)
    return before if good else None


def _slew(c: Context, k: int) -> bool:
    """«أنها [قتلت] عشرة في غارة»: a verb of killing right behind what a speaker says of himself."""
    told = c.hits.at("triggers", k)
    return told is not None and told.entry.get("form") == "verb" and "kill" in told.entry.flags and (
        c.cue(k - 1, "that_they") is not None)  # fmt: skip


def _speaking(c: Context, low: int, at: int) -> Named | None:
    """«قال [التحالف] الذي تقوده ... إنه»: the one named right behind the verb of saying nearest before word `at`."""
    for k in range(at - 1, low - 1, -1):
        said = c.hits.at("sources", k)
        if said is not None and said.entry.get("kind") == "asserts":
            return next((n for n in c.actors.between(said.last, said.last + 1) if n.prefix in PLAIN), None)
    return None


SLEW_REACH = 9  # words from «أنها قتلت» to the strike
DID_REACH = 4  # words from «نفذ» to what was done


def _relative(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«[الجيش]، الذي صعد ... بعشرات الغارات»: whom a relative clause is about."""
    first = f.inner[0]
    if c.cue(first, "which") is None or f.flags & {"kill", "protest", "moved", "clash"}:
        return None
    if any(c.cue(k, "undergo") for k in range(first, f.at)) or any(
        c.hits.at("outcomes", k) for k in range(first, f.at)
    ):
        return None
    n = next(iter(c.actors.before(first, 1)), None)
    good = n is not None and n.last == first and ids.armed(n.id) and "victim" not in n.flags
    return n if good else None


def _accused_of(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«دمشق تتهم [إسرائيل] رسميا بقصف ...», where the accused was taken for a speaker."""
    near = [n for n in c.actors.between(max(c.r.bounds(f.at)[0], f.at - ACCUSED), f.at) if n.rule != "adjective"]
    n = near[-1] if near else None
    return n if n is not None and n.last <= f.at and ids.armed(n.id) and accused(c, n, f.at) else None


SLAIN = frozenset(("قتل", "قتلت", "قتلوا", "يقتل", "تقتل", "قتلي"))


def _announced(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«أعلن [الجيش]، السبت، اعتقال ...», «أعلن الرئيس [التركي] ... عن السيطرة على»: who announces a deed did it."""
    deed = f.flags & ANNOUNCED or (f.flags & {"strong", "generic", "attack", "fire"} and f.at + 1 < f.inner[1])
    if verb_of(f) or not deed or f.flags & {"kill", "protest"} or f.trigger.suffix or f.trigger.prefix not in TOLD_OF:
        return None
    low = max(c.r.bounds(f.at)[0], f.at - ANNOUNCE_REACH)
    before = next((n for n in c.actors.before(f.at, 3) if n.first >= low and (n.prefix in PLAIN or _command(c, n))),
                  None)  # fmt: skip
    if before is None or not ids.armed(before.id) or before.weak:
        return None
    if f.flags.isdisjoint(ANNOUNCED) and ("police" in before.flags or _that(c, before.last, f.at)):
        return None
    near = "عن" in (c.r.words[f.at - 1], c.r.words[f.at - 2]) and f.trigger.entry.get("form") == "noun"
    first = f.trigger if near else next(
        (h for k in range(before.last, f.at) if (h := c.hits.at("triggers", k))), f.trigger)  # fmt: skip
    if first.entry.flags & {"kill", "protest", "moved", "agreement"} or first.entry.get("form") != "noun":
        return None
    if first.prefix.endswith(("ال", "ب")) and not first.entry.flags & ANNOUNCED:
        return None
    at = first.first
    lead = before.first - 1
    if before.prefix not in PLAIN:
        lead = next(k for k in range(lead, -1, -1) if c.cue(k, "command")) - 1
    if before.rule == "adjective":
        if not c.hits.at("sources", lead) and not c.cue(lead, "leader"):
            return None
        lead -= 1
    said = any(c.cue(k, "owns_up") or ((h := c.hits.at("sources", k)) and h.entry.get("kind") == "asserts")
               for k in (lead, before.last) if k >= 0)  # fmt: skip
    if c.r.words[at - 1] == "عن" and said:
        return before
    between = [k for k in range(before.last, at) if k not in c.dated and not c.cue(k, "around")
               and c.hits.at("sources", k) is None and not c.cue(k, "owns_up")]  # fmt: skip
    return before if said and not between else None


def _command(c: Context, n: Named) -> bool:
    """«القيادة الوسطى ب[الجيش]», «القيادة المركزية في [الجيش]»: whose command speaks."""
    return n.prefix in ("ب", "بال") and any(c.cue(k, "command") for k in range(max(0, n.first - 3), n.first))


def _that(c: Context, first: int, last: int) -> bool:
    return any(c.r.words[k] in ("ان", "بان") for k in range(first, last))


ANNOUNCED = frozenset(("arrest", "capture", "intercept", "disrupt", "found", "built", "loot"))


TOLD_OF = frozenset(("", "ال", "ب"))


ANNOUNCE_REACH = 24  # words


def _authority(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«اعتقل 11 ناشطا ...»: whoever the last police, ministry or government named near it are."""
    if "arrest" not in f.flags or f.type != "Arrests" or hostages(c, f) or f.realis not in ("reported", "recap"):
        return None
    sentence = c.r.sentence[f.at]
    for n in c.actors.before(f.at, 6):
        if sentence - c.r.sentence[n.first] > AUTHORITY_REACH:
            return None
        if n.rule != "adjective" and ids.kind(n.id) == "state" and ("police" in n.flags or c.cue(n.first, "authority")):
            return n
    return None


AUTHORITY_REACH = 2  # sentences


def _own_deed(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«قالت [المعارضة] إنه يظهر استهدافها حافلة», «[التنظيم] ... هجومه على»: whose deed a noun with a pronoun is."""
    if verb_of(f) or f.trigger.suffix not in ("ه", "ها", "هم") or f.flags & {"kill", "moved", "protest", "transfer"}:
        return None
    if f.trigger.last < len(c.r.words) and c.cue(f.trigger.last, "agent"):
        return None
    if f.trigger.entry.text.startswith(OBJECTIVE) and not _object_behind(c, f.trigger.last):
        return None
    low = max(c.r.bounds(f.at)[0], f.at - 25)
    return next((n for n in c.actors.before(f.at, 4) if n.first >= low and n.rule not in ("adjective", "victims")
                 and ids.armed(n.id) and n.prefix in PLAIN and "victim" not in n.flags and not backed(c, n)),
                None)  # fmt: skip


OBJECTIVE = (
    "استهداف",
    "قصف",
    "تفجير",
    "اغتيال",
    "اعتقال",
    "خطف",
    "اختطاف",
    "احتجاز",
    "توقيف",
)  # «استهدافها»: of it, or by it


def _object_behind(c: Context, k: int) -> bool:
    """Whether a thing that is hit stands right at word `k`: then a pronoun in front of it was the doer."""
    if not c.joined(k) or (c.cue(k, "preposition", "np_stop") and c.r.words[k] != "علي"):
        return False
    hit = c.cue(k, "armed_target", "civil_target", "onto") or c.hits.at("persons", k) or c.hits.at("place_cues", k)
    return hit is not None or k in c.named or thing(c, k)


def _by_doing(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«بدأ [التنظيم] هجومه، ...، بشن عشر عمليات»: the subject of what was begun, or answered, by doing so."""
    if not any(c.cue(k, "perpetrating") for k in range(max(0, f.at - 3), f.at)):
        return None
    low = c.r.bounds(f.at)[0]
    for n in c.actors.before(f.at, 4):
        near = range(max(low, n.first - 2), min(n.last + 2, f.at))
        if n.first >= low and n.rule != "adjective" and ids.armed(n.id) and any(c.cue(k, "starts") for k in near):
            return n
    return None


def _agent_further(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«توفي شاب، ...، متأثرا بجروح أصيب بها برصاص [الجيش]»: a doer further on in the sentence, before another event."""
    if f.type in PROTEST or f.flags & {"moved", "transfer", "agreement", "arrest", "capture"}:
        return None
    high = min(c.r.bounds(f.at)[1], f.inner[1] + 30)
    for k in range(f.inner[1], high):
        told = c.hits.at("triggers", k)
        if told is not None and (not told.entry.flags & {"kill", "weapon", "weak"} or told.entry.text in SLAIN):
            return None
        if c.cue(k, "split") or c.r.words[k] in ("قبل", "ثم"):
            return None
        n = c.named.get(k)
        if n is not None and n.rule != "adjective" and ids.armed(n.id) and agent_at(c, n.first):
            return n
    return None


def thing(c: Context, k: int) -> bool:
    """An indefinite object by its ending («حقولا», «آلية» is none)."""
    word = c.r.words[k]
    return len(word) > 3 and word.endswith("ا") and not word.startswith("ب") and k not in c.dated and (
        c.r.gap[k] == SPACE and c.cue(k, "np_stop", "block", "preposition") is None)  # fmt: skip


def accused(c: Context, n: Named, at: int) -> bool:
    """«اتهم المجلس [قوات النظام] بقصف ...»: the last one named between the accusing and what it is about."""
    low = max(c.r.bounds(at)[0], n.first - ACCUSED)
    if not any(accuses(c, k) for k in range(low, n.first)):
        return False
    if not any(c.r.words[k].startswith("ب") for k in range(max(n.last, at - 2), at + 1)):
        return False
    following = c.actors.behind(n.last, 1)
    return at - n.last <= ACCUSED and (not following or following[0].first >= at)


def accuses(c: Context, k: int) -> bool:
    """A verb of accusing (not of condemning) at word `k`."""
    hit = c.hits.at("sources", k)
    return hit is not None and hit.entry.get("kind") == "accuses" and hit.entry.text.startswith(ACCUSES)


ACCUSED = 12  # words


ACCUSES = ("اتهم", "تتهم", "يتهم", "حمل", "تحمل", "يحمل")


def agent_at(c: Context, k: int) -> bool:
    """Whether a weapon in somebody's hand stands right before word `k`: «برصاص [إسرائيلي]», «بغارة [تركية]»."""
    return c.r.gap[k] == SPACE and c.cue(k - 1, "agent") is not None and weapon(c, k - 1)


def weapon(c: Context, k: int) -> bool:
    """Whether the agent's word `k` is a weapon or a blow («بقصف»), whose hand stands right behind it."""
    word = c.r.words[k].lstrip("وف")
    return word.startswith("ب") and not word.startswith(("بيد", "بايد", "بايا", "بواسط"))


def hostages(c: Context, f: Frame) -> bool:
    """«يحتجز شخصين رهينتين», «احتجاز رهائن»: no arrest."""
    return f.type == "Arrests" and any(c.cue(k, "hostage") for k in range(f.at, f.inner[1]))


def verb_of(f: Frame) -> bool:
    return f.trigger.entry.get("form") == "verb"


def _tried(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«[متشددون] يرتدون أحزمة حاولوا اقتحام معسكر», «قام [مسلح] بإطلاق النار»: who tried it, or did it so."""
    if verb_of(f) or f.type in PROTEST or f.flags & {"kill", "moved", "protest"}:
        return None
    low = max(c.r.bounds(f.at)[0], f.at - TRIED_REACH)
    verb = next((k for k in range(f.at - 1, max(low, f.at - 7) - 1, -1) if c.cue(k, "tries")), None)
    if verb is None:
        return _did_also(c, ids, f, low)
    if any(c.hits.at("triggers", k) for k in range(verb + 1, f.at)):
        return None
    able = [n for n in c.actors.between(low, f.at) if n.rule != "adjective" and ids.armed(n.id) and n.prefix in PLAIN
            and "victim" not in n.flags]  # fmt: skip
    inside = next((n for n in able if n.first == verb + 1), None)
    if inside is not None or f.at - verb > 3:
        return inside
    before = able[-1] if able and able[-1].last <= verb else None
    if before is None or any(c.r.gap[k] > SPACE or c.r.words[k] == "ان" for k in range(before.last, verb + 1)):
        return None
    return before if _opens(c, before.first) else None


def _did_also(c: Context, ids: Ids, f: Frame, low: int) -> Named | None:
    """«هاجم [مسلحو الحركة] قرية ... وقاموا بقتل ثلاثة رجال وخطف أربع نساء»: the last of what they did."""
    if f.trigger.prefix not in ("و", "ب"):
        return None
    verb = next((k for k in range(f.at - 1, low - 1, -1) if c.r.words[k].lstrip("وف") == "قاموا"), None)
    if verb is None or any(n.rule != "adjective" and ids.armed(n.id) for n in c.actors.between(verb, f.at)):
        return None
    start = c.r.bounds(f.at)[0]
    return next((n for n in c.actors.before(verb, 4) if n.first >= start and n.rule != "adjective" and ids.armed(n.id)
                 and n.prefix in PLAIN and "victim" not in n.flags), None)  # fmt: skip


def _opens(c: Context, k: int) -> bool:
    """Whether a clause begins at word `k`, past a «that»."""
    return k == 0 or c.r.gap[k] > SPACE or c.r.words[k - 1] in ("ان", "بان")


TRIED_REACH = 25  # words


def _carried_on(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«فخخت [الميليشيات] أجزاء من المطار، وقصفت الأحياء»: a verb without a subject has that of the verb before it."""
    goes_on = f.trigger.prefix == "و" or (f.at and c.cue(f.at - 1, "carries"))
    if not verb_of(f) or not goes_on or f.flags & NOT_CARRIED:
        return None
    low = c.r.bounds(f.at)[0]
    start = f.at - (f.trigger.prefix != "و")
    word = c.r.words[f.at]
    for n in c.actors.before(start, 6):
        if n.first < low or start - n.last > CARRIED_REACH:
            return None
        subject = n.prefix in ("", "ال") and n.first > low and c.r.gap[n.first] == SPACE and _verb(c, n.first - 1, word)
        if subject and n.rule not in ("adjective", "pronoun") and ids.armed(n.id) and "victim" not in n.flags:
            return n
    return None


def _verb(c: Context, k: int, like: str) -> bool:
    """Whether word `k` is a past verb of the same gender as the verb `like`, which its subject follows."""
    word = c.r.words[k].lstrip("وف")
    told = c.hits.at("triggers", k)
    known = (told is not None and told.entry.get("form") == "verb") or c.cue(k, "does", "hits", "tries", "launch")
    begins = (c.cue(k - 1, "split", "block") or c.r.gap[k] > SPACE) and not c.hits.at("sources", k)
    return (
        bool(known or begins)
        and len(word) > 2
        and word.endswith("ت") == like.endswith("ت")
        and not c.cue(k, "preposition")
    )


NOT_CARRIED = frozenset(("kill", "moved", "protest", "transfer", "agreement", "arrest", "abduct"))
CARRIED_REACH = 25  # words


def _told_before(c: Context, ids: Ids, f: Frame) -> Named | None:
    """«شن [مسلحون] هجوما على مركز، وقتل في الهجوم ...»: who did what «the attack» of the same sentence was."""
    if verb_of(f) or not f.trigger.definite or f.flags.isdisjoint(("generic", "attack", "strong")):
        return None
    low = c.r.bounds(f.at)[0]
    for n in c.actors.before(f.inner[0], 4):
        if n.first <= low:
            return None
        told = c.hits.at("triggers", n.last) if n.last < f.at else None
        same = told is not None and told.entry.get("form") == "noun" and told.entry.text == f.trigger.entry.text
        if same and c.cue(n.first - 1, "does") and ids.armed(n.id):
            return n
    return None


_RULES = (
    ("speaker", _speaker_did),
    ("accused", _accused_of),
    ("relative", _relative),
    ("announced", _announced),
    ("its-own", _own_deed),
    ("by-doing", _by_doing),
    ("tried", _tried),
    ("subject-carried-on", _carried_on),
    ("told-before", _told_before),
    ("agent-further", _agent_further),
    ("authority", _authority),
)
