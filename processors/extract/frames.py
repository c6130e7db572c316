"""Event frames: where the text tells of an incident, in which clause, of what type.

A trigger word alone is no event: its frame needs an argument (an armed side, a place, a casualty claim), and must not
be hypothetical, planned, denied or fiction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.records import Realis
from processors.extract.actors import HOMES, UNIDENTIFIED, Ids, Named
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.lexicons import Hit
from processors.extract.places import ORDER
from processors.extract.places import Found as Place
from processors.text import COMMA, SPACE

EVIDENCE = 240  # code points
DOUBLED = "\u0651"  # the shadda of «مسيّرة»
COMFORTABLE = 150  # a clause is widened by its neighbours up to this many code points
RANK = ("intercept", "mob", "strong", "weapon", "capture", "abduct", "attack", "fire", "blown", "clash", "", "protest",
        "disrupt", "built", "found", "group", "control", "handed", "transfer", "arrest", "defend", "generic", "loot",
        "destroys", "burst", "kill", "agreement", "weak")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """A trigger in its clause (words `first:last`); `inner` is the clause without its widening."""

    trigger: Hit
    first: int
    last: int
    inner: tuple[int, int]
    type: str
    flags: frozenset[str]
    claims: tuple[int, ...]
    realis: Realis
    rule: str
    counted: int = -1  # word of its first claim's number
    aside: bool = False  # told in passing by an article about something else: background

    @property
    def at(self) -> int:
        return self.trigger.first


def frames(
    c: Context, ids: Ids, places: Along[Place], claims: Sequence[Claim], incident: Sequence[bool]
) -> list[Frame]:
    """Frames in text order: at most one a clause, two where it counts dead and arrested.

    incident: per claim, whether it belongs to one incident.
    """
    by_clause: dict[tuple[int, bool], Frame] = {}
    unreal: dict[tuple[int, bool], Frame] = {}  # clauses that only say that it may happen, or did not
    brief = len(c.r.words) <= BRIEF
    war = heat(c, ids, claims)
    if brief:
        war += sum(n.id in UNIDENTIFIED or (n.weak and ids.armed(n.id)) for n in c.actors)
    aside, private = passing(c), crime(c, ids, claims)
    article = About(
        war >= (1 if brief else HOT) and not aside, _protests(c, brief and not aside), brief and not aside, aside
    )
    numbered = Along([k for k in range(len(claims)) if incident[k]], lambda k: claims[k].at)
    totals = Along([k for k in range(len(claims)) if not incident[k]], lambda k: claims[k].at)
    for hit in c.hits.of("triggers"):
        sentence = c.r.sentences[c.r.sentence[hit.first]]
        if sentence.skip or _inside_name(c, hit) or no_event(c, hit):
            continue
        if private and hit.entry.flags & PRIVATE and "strong" not in hit.entry.flags:
            continue
        inner = clause(c, hit.first)
        realis = realis_of(c, hit, inner)
        if realis is None or (aside and _after(c, hit)):
            continue
        kept = by_clause if realis in TOLD else unreal
        flags = hit.entry.flags
        own = tuple(numbered.between(*inner))
        taken = _taken(hit, claims, own)
        if taken is not None:
            own = tuple(k for k in own if (claims[k].outcome == "captured") == taken)
        key = (inner[0], bool(taken))
        known = kept.get(key)
        if known is not None and not _led_to(c, known.trigger, hit):
            if _led_to(c, hit, known.trigger):
                continue
            if _rank(known.flags, known, claims) <= _rank(flags, None, claims, own):
                continue
        if "weak" in flags and not own and totals.between(*inner):
            continue  # «... خلال 12 يوماً من القتال» tells of the total's fights
        rule = _admitted(c, ids, hit, inner, places, claims, own, article)
        if rule is None:
            continue
        first, last = widened(c, inner, hit)
        kept[key] = Frame(
            hit, first, last, inner, hit.entry.get("type"), flags, own, realis, rule,
            claims[own[0]].at if own else -1, aside or _tried(c, hit),
        )  # fmt: skip
    return sorted({**unreal, **by_clause}.values(), key=lambda f: f.at)


def _led_to(c: Context, before: Hit, news: Hit) -> bool:
    """«[دخلت] قوات ... بعد يومين من [القصف]», «ردت ... على [الهجوم] بتوجيه [ضربات]»: the strikes that came before a
    capture, what is answered, are not the news."""
    if _answered(c, before) and not _answered(c, news) and "weak" not in news.entry.flags:
        return before.first < news.first
    return "capture" in news.entry.flags and "strong" in before.entry.flags and _after(c, before)


def _answered(c: Context, hit: Hit) -> bool:
    """«ردت واشنطن على [الهجوم]», «ردا على [القصف]»."""
    low = max(c.r.bounds(hit.first)[0], hit.first - ANSWER_REACH)
    if not hit.first or c.r.words[hit.first - 1] != "علي":
        return False
    return any(c.cue(k, "answering", "answers") for k in range(low, hit.first))


ANSWER_REACH = 10  # words


def _taken(hit: Hit, claims: Sequence[Claim], own: tuple[int, ...]) -> bool | None:
    """In a clause that counts the hurt and the arrested («مقتل ضابطين والقبض على 86»): whether a trigger tells of the
    arrest. None: it does not count both, or they were taken in battle."""
    outcomes = {claims[k].outcome for k in own}
    if "captured" not in outcomes or not outcomes & HURT:
        return None
    if hit.entry.get("type") == "Armed clash" and "arrest" in hit.entry.flags:
        return None
    return bool(hit.entry.flags & {"arrest", "abduct"})


def _tried(c: Context, hit: Hit) -> bool:
    """«قضت المحكمة بسجن ... في [هجوم]»: what a sentence of a court is about."""
    low = c.r.bounds(hit.first)[0]
    return "arrest" not in hit.entry.flags and any(
        c.cue(k, "trial") for k in range(max(low, hit.first - 25), hit.first)
    )


def cooled(c: Context, found: list[Frame]) -> list[Frame]:
    """Where neither headline nor lead tells of an incident, what the body tells without a day is background."""
    if len(c.r.words) <= BRIEF or not found:
        return found
    lead = sum(s.headline for s in c.r.sentences[:LEAD]) + LEAD
    told = [f for f in found if f.realis == "reported"]
    if told and all(_after(c, f.trigger) and not _dated(c, f) and not f.claims for f in told):
        return [replace(f, aside=True) if f.realis == "reported" else f for f in found]
    if any(c.r.sentence[f.at] < lead and f.realis in TOLD for f in found):
        return found
    if any(c.r.sentence[h.first] < lead - LEAD and not no_event(c, h) for h in c.hits.of("triggers")):
        return found
    return [replace(f, aside=True) if f.realis == "reported" and not _dated(c, f) else f for f in found]


def _dated(c: Context, f: Frame) -> bool:
    """Whether the sentence of a frame names a day."""
    low, high = c.r.bounds(f.at)
    near = (c.dated.get(k) for k in range(max(low, f.at - 45), min(high, f.at + 45)))
    return any(m is not None and m.kind == "point" for m in near)


@dataclass(frozen=True, slots=True)
class About:
    """What an article is about: war (then less is asked of a trigger), protests, something else."""

    war: bool
    protests: bool
    brief: bool = False
    aside: bool = False


def _rank(flags: frozenset[str], known: Frame | None, claims: Sequence[Claim], own: tuple[int, ...] = ()) -> int:
    """Which of two triggers of one clause names its event: 0 for an arrest whose people are counted there."""
    own = known.claims if known is not None else own
    if flags & {"arrest", "abduct"} and any(claims[k].outcome == "captured" for k in own):
        return -1
    if "destroys" in flags:
        return RANK.index("destroys")
    return min((RANK.index(f) for f in flags if f in RANK), default=RANK.index(""))


def _inside_name(c: Context, hit: Hit) -> bool:
    """A trigger that is part of an actor's name («هيئة تحرير الشام»)."""
    actor = next((c.named[k] for k in range(hit.first, max(hit.first - 4, -1), -1) if k in c.named), None)
    return actor is not None and hit.last <= actor.last


def no_event(c: Context, hit: Hit) -> bool:
    """«طائرة [مسيرة]», «[قصف] إعلامي», «تنديدا ب[قصف]», «دون [مظاهرات]», «جرف» in «جرف الصخر», a rocket to space."""
    i = hit.first
    if hit.entry.flags & {"generic", "moved", "loot", "kill"} and _of_machines(c, hit):
        return True
    if hit.last < len(c.r.words) and c.r.gap[hit.last] == SPACE and c.cue(hit.last, "figurative"):
        return True
    if "blown" in hit.entry.flags and i in c.dated:
        return True  # «[فجر] الأحد»
    if _unlike(c, hit) or _oration(c, hit) or _found_beside(c, hit):
        return True
    if "clash" in hit.entry.flags and hit.prefix in ("ل", "لل", "ول", "ولل") and hit.entry.text.endswith("قتال"):
        return True  # «سافروا [للقتال] مع»
    if "protest" in hit.entry.flags and DOUBLED in c.r.quote(i, i + 1) and hit.entry.text.startswith("مسير"):
        return True  # «مسيّرة» with its mark is a drone
    place = c.hits.at("places", i)
    if place is not None and place.last > hit.last and "strong" not in hit.entry.flags:
        return True
    if place is not None and i and c.r.gap[i] == SPACE and c.hits.at("place_cues", i - 1) is not None:
        return True  # «مدينة [تدمر]»
    if (
        hit.entry.flags & {"weapon", "strong"}
        and hit.entry.get("type").startswith(("Shelling", "Air"))
        and any(c.cue(k, "space") for k in range(max(i - 12, c.r.bounds(i)[0]), min(hit.last + 20, c.r.bounds(i)[1])))
    ):
        return True
    if not i or c.r.gap[i] > SPACE:
        return False
    if "protest" in hit.entry.flags and c.cue(i - 1, "aircraft"):
        return True
    if hit.entry.flags & {"generic", "fire"} and any(c.cue(k, "ceasing") for k in range(max(0, i - CEASING), i)):
        return True  # «وقف [إطلاق نار]», «وقف شامل ودائم ل[إطلاق النار]»
    if "arrest" in hit.entry.flags and c.cue(i - 1, "warrant"):
        return True  # «مذكرة [توقيف]»
    return c.cue(i - 1, "protesting", "without") is not None


def _oration(c: Context, hit: Hit) -> bool:
    """«شن وزير الخارجية، الجمعة، [هجوما] على», «[هاجم] ترامب»: words of a man of words."""
    if hit.entry.flags != {"generic"}:
        return False
    if hit.entry.get("form") == "verb":
        return hit.last < len(c.r.words) and c.joined(hit.last) and c.cue(hit.last, "orator") is not None
    if not c.r.words[hit.first].startswith("هجوم"):
        return False
    for k in range(max(c.r.bounds(hit.first)[0], hit.first - ORATION), hit.first - 1):
        if c.cue(k, "wages") and c.cue(k + 1, "orator"):
            return True
    return False


ORATION = 14  # words


def _found_beside(c: Context, hit: Hit) -> bool:
    """«قتل ستة ... وضبط بحوزتهم [عبوة ناسفة]»: a bomb seized after the fight that the clause tells of."""
    if hit.entry.get("type") != "Remote explosive/landmine/IED" or hit.entry.get("form") != "noun":
        return False
    first = clause(c, hit.first)[0]
    found = next((k for k in range(max(first, hit.first - SEIZED), hit.first) if c.cue(k, "find", "seized")), None)
    if found is None:
        return False
    return any(
        (h := c.hits.at("triggers", k)) and h.entry.flags & {"kill", "clash", "generic"} for k in range(first, found)
    )


SEIZED = 8  # words from «بحوزتهم» to the bomb


def _of_machines(c: Context, hit: Hit) -> bool:
    """«قراصنة ... [هاجموا] الشبكة»: an attack on machines, by its sentence or headline; a flight from a disaster."""
    low, high = c.r.bounds(hit.first)
    near = range(max(low, hit.first - 25), min(high, hit.first + 25))
    if "moved" in hit.entry.flags:
        return any(c.cue(k, "accident") for k in near)
    head = c.r.sentences[0]
    titled = range(head.first, min(head.last, head.first + 40)) if head.headline else range(0)
    if any(c.cue(k, "hackers") for k in titled):
        return True
    return "kill" not in hit.entry.flags and any(c.cue(k, "cyber") for k in near)


CEASING = 4  # words from «وقف» to what is stopped
LEAD = 2  # sentences of the body that are its lead
OBJECT_NEAR = 6  # words behind a verb that hold its object


def _unlike(c: Context, hit: Hit) -> bool:
    """«[طرد] دبلوماسيين», «[ذبح] آلاف الخنازير», «[انتزعت] لقب», «عقوبات [تستهدف]»: an object or a doer of peace."""
    low, high = c.r.bounds(hit.first)
    after = range(hit.last, min(hit.last + OBJECT_NEAR, high))
    if hit.entry.flags & {"capture", "transfer"} and any(c.cue(k, "peaceful") for k in after):
        return True
    if hit.entry.flags & {"attack", "kill"} and any(c.cue(k, "animal") for k in after):
        return True
    if "abduct" in hit.entry.flags and any(c.cue(k, "attention") for k in range(hit.last, min(hit.last + 40, high))):
        return True  # «[خطف] تصريح ... الأنظار»
    if "capture" in hit.entry.flags and any(c.cue(k, "arms") and c.r.words[k - 1] == "علي" for k in after[:4]):
        return True  # «[سيطروا] على أسلحة»
    if "disrupt" in hit.entry.flags and hit.last < high and c.cue(hit.last, "smuggle"):
        return not any(c.cue(k, "arms") for k in after)
    if {"generic", "weak"} <= hit.entry.flags and hit.entry.text.startswith(("استهدف", "يستهدف", "تستهدف")):
        before = range(max(low, hit.first - OBJECT_NEAR), hit.first)
        return any(c.cue(k, "measure") for k in (*before, hit.last) if k < high)
    return False


def clause(c: Context, i: int) -> tuple[int, int]:
    """Words between the commas around word `i`; a comma before a date or a name alone does not part."""
    low, high = c.r.bounds(i)
    low, high = max(low, i - 60), min(high, i + 60)
    first = last = i
    while first > low and not _parts(c, first):
        first -= 1
    verb = _managed(c, first, low)
    if verb is not None:
        first = verb
        while first > low and not _parts(c, first):
            first -= 1
    last += 1
    while last < high and not _parts(c, last):
        last += 1
    return first, last


def _parts(c: Context, k: int) -> bool:
    """Whether a clause begins at word `k`: behind a comma, unless it sets off a date («، الجمعة،»), or at «في حين»."""
    if c.r.gap[k] == COMMA:
        return not _aside(c, k) and not _bracketed(c, k) and not _backing(c, k)
    return c.cue(k, "split") is not None and not (k and c.cue(k - 1, "managed"))


def _managed(c: Context, k: int, low: int) -> int | None:
    """«تمكنت قوات الجيش، مسنودة ب...، [من] تحرير ...»: the verb before whose complement a clause begins at word `k`."""
    if c.r.gap[k] != COMMA or c.r.words[k] not in COMPLEMENTS:
        return None
    return next((j for j in range(k - 1, max(low, k - MANAGED) - 1, -1) if c.cue(j, "managed")), None)


def _bracketed(c: Context, k: int) -> bool:
    """Whether what stands before word `k` is but a bracket around a number: «عدد (9) أهداف»."""
    if not k:
        return False
    between = c.r.text[c.r.ends[k - 1] : c.r.starts[k]].strip()
    return (between == "(" and c.r.words[k].isdigit()) or (between == ")" and c.r.words[k - 1].isdigit())


def _backing(c: Context, k: int) -> bool:
    """Whether the comma before word `k` sets off whose help it was: «قوات الجيش، بإسناد من التحالف، هجومها»."""
    if c.cue(k, "helped"):
        return any(c.r.gap[j] == COMMA for j in range(k + 1, min(k + HELP_REACH, len(c.r.words))))
    for j in range(k - 1, max(0, k - HELP_REACH), -1):
        if c.r.gap[j] >= COMMA:
            return c.r.gap[j] == COMMA and c.cue(j, "helped") is not None
    return False


HELP_REACH = 12  # words


def _aside(c: Context, k: int) -> bool:
    """Whether the comma before word `k` sets off a date: «، الجمعة،», «..., السبت.», «وخلال الأيام الماضية، ...»."""
    after = c.dated.get(k)
    if after is not None and after.first == k:
        return after.last >= len(c.r.words) or c.r.gap[after.last] >= COMMA
    before = c.dated.get(k - 1) if k else None
    if before is None:
        return False
    low = c.r.bounds(before.first)[0]
    return c.r.gap[before.first] >= COMMA or before.first - low <= 4


def widened(c: Context, inner: tuple[int, int], hit: Hit) -> tuple[int, int]:
    """The clause with neighbours up to a comfortable length, cut around its trigger where it is too long."""
    first, last = inner
    low, high = c.r.bounds(hit.first)
    size = _size(c, first, last)
    while size < COMFORTABLE and last < high and _size(c, first, last + 1) <= COMFORTABLE:
        last += 1
        size = _size(c, first, last)
    while size < COMFORTABLE and first > low and _size(c, first - 1, last) <= COMFORTABLE:
        first -= 1
        size = _size(c, first, last)
    while _size(c, first, last) > EVIDENCE - 8 and (last > hit.last or first < hit.first):
        if last - hit.last >= hit.first - first and last > hit.last:
            last -= 1
        else:
            first += 1
    return first, last


def _size(c: Context, first: int, last: int) -> int:
    start, end = c.r.span(first, last)
    return end - start


def realis_of(c: Context, hit: Hit, inner: tuple[int, int]) -> Realis | None:
    """None: no assertion at all (a purpose, a call, fiction, a negation)."""
    for k in range(max(min(inner[0] - 6, hit.first - 11), c.r.bounds(hit.first)[0]), hit.first):
        cue = c.cue(k, "hypothetical", "fiction", "denied", "failed", "not", "planned", "may")
        if cue is None:
            continue
        near = hit.first - cue.last
        if cue.entry.get("kind") == "denied" and near <= 10:
            return "denied"
        if cue.entry.get("kind") == "failed" and not hit.entry.flags & {"capture", "agreement"}:
            continue
        if cue.entry.get("kind") == "not":
            words = c.r.words[cue.last : hit.first]
            if near <= 1 or (near <= 5 and "اي" in words and "في" not in words):
                return None
        elif near <= 6:
            return UNREAL.get(cue.entry.get("kind"))
    if "agreement" not in hit.entry.flags and _term(c, hit, inner):
        return "planned"
    if (
        hit.last < inner[1]
        and c.r.words[hit.last] == "اي"
        and any(c.cue(k, "not", "without", "denied") for k in range(max(inner[0], hit.first - 8), hit.first))
    ):
        return None  # «دون أن يبلغ عن [اعتقال] أي شخص»
    if _any_more(c, hit):
        return "hypothetical"
    if hit.entry.flags & {"capture", "transfer"} and _wanted(c, hit):
        return "planned"
    if hit.entry.get("form") == "noun" and hit.prefix.endswith("ب"):
        low = c.r.bounds(hit.first)[0]
        if any(c.cue(k, "demand") for k in range(max(low, hit.first - DEMAND), hit.first)):
            return None  # «طالبت مجموعة من ... ب[اعتقال]»
    if "protest" in hit.entry.flags and hit.suffix.strip("ا"):
        return None
    if any(c.cue(k, "someday") for k in range(hit.last, min(hit.last + OBJECT_NEAR, c.r.bounds(hit.first)[1]))):
        return "hypothetical"
    if "clash" in hit.entry.flags and "weak" in hit.entry.flags and _stance(c, hit):
        return None
    if (
        hit.entry.flags & {"capture", "transfer"}
        and hit.entry.get("form") == "noun"
        and (
            _purpose(hit)
            or any(c.cue(k, "loss") for k in (hit.first - 1, hit.first - 2) if k >= 0)
            or (hit.first > 0 and c.r.words[hit.first - 1] in ("هو", "هي"))  # «التحدي هو [استعادة] ...»
        )
    ):
        return None
    if "capture" in hit.entry.flags and hit.prefix == "و" and _of_purpose(c, hit):
        return None
    if "protest" in hit.entry.flags and any(c.cue(k, "court") for k in range(*inner)):
        return None
    if hit.prefix in ("س", "وس", "فس") and hit.entry.get("form") == "verb":
        return "planned"
    low = c.r.bounds(hit.first)[0]
    if any(c.cue(k, "recap") for k in range(low, min(low + 4, hit.first + 1))):
        return "recap"
    if any(c.cue(k, "formerly") for k in range(*inner)):
        return "recap"
    if "capture" in hit.entry.flags and _of_old(c, hit):
        return "recap"
    return "reported"


def _any_more(c: Context, hit: Hit) -> bool:
    """«أي [هجوم] على إدلب», «المزيد من [الضربات]»: one that may come."""
    if hit.entry.get("form") != "noun" or not hit.first or c.r.gap[hit.first] > SPACE:
        return False
    before = c.r.words[hit.first - 1]
    return before.lstrip("لب") == "اي" or (before == "من" and c.r.words[hit.first - 2].endswith("المزيد"))


def _purpose(hit: Hit) -> bool:
    return hit.prefix.endswith(("ل", "لل")) and not hit.prefix.endswith("ال")


def _of_purpose(c: Context, hit: Hit) -> bool:
    """«عملية للسيطرة على المدينة و[طرد] المسلحين»: a bare word that follows a purpose by an «and»."""
    if hit.suffix or (hit.entry.get("form") == "verb" and not c.cue(hit.first, "expels")):
        return False
    low = max(c.r.bounds(hit.first)[0], hit.first - WANTED)
    before = (c.hits.at("triggers", k) for k in range(low, hit.first))
    return any(h is not None and h.entry.flags & {"capture"} and _purpose(h) for h in before)


def _wanted(c: Context, hit: Hit) -> bool:
    """«تريد الحركة الإطاحة بالحكومة و[طرد] ...», «يسعى إلى [استعادة] المدينة»."""
    if hit.entry.get("form") != "noun":
        return False
    low = max(c.r.bounds(hit.first)[0], hit.first - WANTED)
    return any(c.cue(k, "wants") for k in range(low, hit.first))


WANTED = 7  # words


def _term(c: Context, hit: Hit, inner: tuple[int, int]) -> bool:
    """«اتفاق يقضي بإنهاء [المعارك]», «اتفاق على [استعادة] ...»: what a deal says will be done."""
    deal = False
    for k in range(inner[0], hit.first):
        trigger = c.hits.at("triggers", k)
        deal = deal or (trigger is not None and "agreement" in trigger.entry.flags)
        if (deal and c.cue(k, "terms")) or c.cue(k, "by_terms"):
            return True
        if deal and c.r.words[k] == "علي" and hit.first - k <= 2:
            return True
    return False


def _of_old(c: Context, hit: Hit) -> bool:
    """«المناطق التي استعادتها», «الحوثيين الذين سيطروا على»: what a name is known for."""
    if not hit.first or c.r.gap[hit.first] > SPACE or c.cue(hit.first - 1, "which") is None:
        return False
    object_named = bool(hit.suffix.strip("اتون")) or c.r.words[hit.last : hit.last + 1] in (
        ("عليها",),
        ("عليه",),
        ("منها",),
        ("منه",),
    )
    return object_named or c.r.words[hit.first - 1].endswith("الذين")


def _stance(c: Context, hit: Hit) -> bool:
    """«في [مواجهة] طهران», «ل[مواجهة] التحديات»: whom somebody stands against, no fight."""
    if hit.first + 1 < len(c.r.words) and c.cue(hit.last, "with", "between"):
        return False
    if hit.prefix.endswith("ل") and not hit.prefix.endswith("ال"):
        return True
    return (
        hit.prefix == "" and hit.first > 0 and c.r.words[hit.first - 1] in ("في", "وفي") and hit.entry.text == "مواجهه"
    )


COMPLEMENTS = ("من", "في")
MANAGED = 30  # words between «تمكن» and what was managed
DEMAND = 20  # words between «طالب» and what is demanded
UNREAL: Mapping[str, Realis] = {"planned": "planned", "may": "hypothetical"}


def _admitted(
    c: Context,
    ids: Ids,
    hit: Hit,
    inner: tuple[int, int],
    places: Along[Place],
    claims: Sequence[Claim],
    own: tuple[int, ...],
    article: About,
) -> str | None:
    """The rule that lets a trigger be an event, or None."""
    hot = article.war
    if not hot and not article.aside:
        hot = any(p.country in c.at_war for p in places.between(*c.r.bounds(hit.first))[:6])
    flags = hit.entry.flags
    low, high = c.r.bounds(hit.first)
    near = c.actors.between(*inner)
    armed = [n for n in near if ids.armed(n.id) or n.rule == "both-sides"]
    firm = [n for n in armed if not n.weak]
    forces = [n for n in firm if is_force(ids, n)]
    here = [p for p in places.between(*inner) if not hit.first <= p.first < hit.last]
    violent = [k for k in own if claims[k].outcome in ("killed", "injured", "killed_or_injured", "neutralised")]
    objects = any(c.cue(k, "armed_target", "civil_target") or c.hits.at("persons", k)
                  for k in range(hit.last, min(hit.last + OBJECT_REACH, inner[1])))  # fmt: skip
    if "kill" in flags:
        if not violent and hit.entry.get("form") == "verb" and hit.entry.text.startswith(("قتل", "اعدم")):
            return "killing" if _killed(c, ids, hit, bool(armed)) and not accident(c, hit.first) else None
        return "killing" if violent and not accident(c, hit.first) else None
    if "fire" in flags:
        opened = any(c.cue(k, "opens_fire") for k in range(max(inner[0], hit.first - 5), hit.first))
        return "fired" if opened and (armed or violent or (objects and hot)) else None
    if "mob" in flags:
        return "mob" if violent or objects else None
    if "blown" in flags:
        device = any(h is not hit and h.entry.get("type") == hit.entry.get("type") for k in range(hit.last, inner[1])
                     if (h := c.hits.at("triggers", k)) is not None)  # fmt: skip
        return "blown" if (armed or violent) and (device or here or objects) and hit.suffix != "ا" else None
    if "group" in flags:
        organised = any("org" in n.flags or ids.kind(n.id) in ("rebel", "militia") for n in firm)
        return "group" if organised and hot else None
    if "control" in flags:
        if "closes" in flags and not any(c.cue(k, "crossing") for k in range(hit.last, min(hit.last + 5, inner[1]))):
            return None
        return "control" if armed and hot and (here or article.brief) else None
    if "arrest" in flags:
        taken = [k for k in own if claims[k].outcome == "captured"]
        if _by_court(c, hit) or fraud(c, hit.first):
            return None
        if taken and not hot and not _political(c, hit.first) and all((claims[k].count or 2) < 2 for k in taken):
            return None  # a thief is no event
        if hot and firm and _arrested(c, hit, inner):
            return "arrest"
        named = hit.entry.get("form") == "verb" and bool(firm) and (bool(here) or objects)
        by_name = hit.entry.get("form") == "verb" and any(n.last == hit.first or n.first == hit.last for n in forces)
        by_name = by_name and (
            _political(c, hit.first) or any(p.precision != "country" for p in places.between(low, high))
        )
        return "arrest" if taken or (hot and ((named and (article.brief or here)) or by_name)) else None
    if "abduct" in flags:
        if sport(c, hit.first):
            return None
        return "abduction" if own or (armed and (here or objects)) or (objects and (here or article.brief)) else None
    if "agreement" in flags:
        signed = any(c.cue(k, "sign") for k in range(max(inner[0], hit.first - 8), hit.first))
        reached = any(
            (h := c.cue(k, "reached")) and not h.prefix.endswith("لل")
            for k in range(max(low, hit.first - 25), hit.first)
        )
        if reached:
            signed, here = True, places.between(low, inner[1])
            armed = [n for n in c.actors.between(low, inner[1]) if ids.armed(n.id) or n.also]
        if "swap" in flags:
            signed = any(c.cue(k, "captives") for k in range(hit.last, min(hit.last + 6, inner[1])))
        parties = {ids.near(n.id) for n in armed if n.rule != "adjective"}
        both = any(n.also for n in armed) or (article.brief and any(c.cue(k, "both") for k in range(*inner)))
        tribes = any("tribe" in n.flags for n in armed)
        between = hit.last < inner[1] and c.cue(hit.last, "between") is not None and hit.last + 1 in c.named
        both = both or (between and bool(armed))  # «هدنة بين الميليشيات»
        truce = "weak" in flags and (both or tribes or (len(parties) > 1 and (hot or here)))
        truce = truce or (article.brief and len(parties) > 0 and bool(here))
        truce = truce or (reached and "truce" in flags and hot and bool(here))
        return "agreement" if signed and truce else None
    if "loot" in flags:
        gang = [n for n in armed if n.rule != "adjective" and "police" not in n.flags]
        if hit.entry.get("form") == "noun":
            return "looting" if (forces or here) and hot else None
        settlers = any(n.id in ("israeli_settlers", "protesters") for n in near)
        return "looting" if (gang and hot and (objects or here)) or (settlers and objects) else None
    if "built" in flags or "found" in flags:
        kind = "build" if "built" in flags else "find"
        done = any(c.cue(k, kind) for k in range(max(inner[0], hit.first - 8), hit.first))
        return kind if done and any(n.rule != "adjective" for n in armed) and here else None
    if "attack" in flags:
        hurt = any(c.hits.at("persons", k) for k in range(hit.last, min(hit.last + 3, inner[1])))
        return "attack" if violent or forces or ((hot or hurt) and (here or (hurt and armed))) else None
    if "intercept" in flags:
        if hit.prefix.endswith("ل") and not hit.prefix.endswith("ال"):
            return None  # «نظام لاعتراض الصواريخ»
        shot = any(c.cue(k, "artillery", "aircraft") for k in range(hit.first, min(hit.last + 8, inner[1])))
        return "intercepted" if shot and (armed or here) else None
    if "moved" in flags:
        return (
            "moved"
            if (hot or article.brief) and any(claims[k].outcome in ("displaced", "released") for k in own)
            else None
        )
    if "capture" in flags:
        if hit.entry.get("form") == "verb" and not here and "enter" not in flags:
            here = list(places.between(hit.last, min(high, hit.last + PLACE_BEYOND)))  # «..., في محيط عفرين»
        if hit.entry.get("form") == "verb" and here and not firm:
            firm = [n for n in c.actors.between(max(low, hit.first - 25), hit.first) if not n.weak]
            forces = [n for n in firm if is_force(ids, n)]
        if "enter" in flags:
            entered = any(hit.last <= p.first <= hit.last + ENTERED and ORDER.get(p.precision, 4) < 3
                          and "من" not in c.r.words[max(hit.last, p.first - 2) : p.first] for p in here)  # fmt: skip
            entered = entered or any(c.cue(k, "same_place") for k in range(hit.last, min(hit.last + ENTERED, inner[1])))
            who = any(n.last == hit.first or hit.last <= n.first <= hit.last + 1 for n in forces)
            return "entered" if who and entered and hot else None
        if "lead" in flags and c.r.sentence[hit.first] > 0:
            return None  # «تسيطر على» is news in a headline, a state of things elsewhere
        takers = firm if hot else forces
        freed = c.hits.at("persons", hit.last)
        if any(claims[k].outcome == "released" for k in own) or (freed is not None and freed.entry.get("outcome")):
            return None  # hostages are freed, no town is
        return "capture" if takers and (here or "weak" not in flags) else None
    if "transfer" in flags:
        if "handed" in flags and not any(hit.last <= p.first <= hit.last + 6 and p.rule == "cue-name" for p in here):
            return None
        return "transfer" if (forces or "people" in flags) and any(p.precision != "country" for p in here) else None
    if "protest" in flags:
        people = [n for n in near if n.id == "protesters"]
        if hit.suffix and not people:
            return None  # «احتجاجاً على»
        before = range(max(low, hit.first - 8), hit.first)
        if article.protests and not here and any(c.cue(k, "goes_out") for k in before):
            said = any(c.cue(k, "same_place") for k in range(low, high))
            here = list(places.between(low, high)) or list(
                places.between(0, low)[:1] if said else ()
            )  # «وخروج [مظاهرة] في ...، قرب البصرة»
        if (
            "strong" in flags
            and here
            and any(
                (h := c.hits.at("triggers", k)) and h is not hit and h.entry.get("type") == CALM for k in range(*inner)
            )
        ):
            return "protest"  # «[قمعت] ... احتجاجا»
        return "protest" if violent or (people and (here or "strong" in flags)) or (here and article.protests) else None
    if "severs" in flags and not any(c.cue(k, "cuts") for k in range(max(inner[0], hit.first - 6), hit.first)):
        return None
    if "lead" in flags and c.r.sentence[hit.first] > LEAD:
        return None  # «تحاصر المدينة منذ ...» is a state of things further on
    if "clash" in flags and "weak" in flags:
        sides = {ids.near(n.id) for n in firm if n.rule != "adjective"}
        both = any(n.also for n in armed)
        placed = bool((forces or _breaks_out(c, hit, inner)) and here)
        return "clash" if len(sides) > 1 or violent or both or placed else None
    if "generic" in flags or "defend" in flags:
        if "destroys" in flags and not _arms_behind(c, hit, inner):
            return None
        if not violent and not forces and sport(c, hit.first):
            return None
        crowd = any(n.id in ("protesters", "israeli_settlers") for n in near)
        aimed = bool(armed) and any(c.cue(k, "armed_target", "civil_target") for k in range(*inner))
        if forces or violent or crowd or (hot and here and (firm or aimed)):
            return "attack"
        armed_with = any(c.cue(k, "aircraft", "artillery") for k in range(*inner)) and (here or objects)
        onto = hit.last < inner[1] and c.cue(hit.last, "onto") is not None and (here or objects)
        wide = armed_with or (onto and (hot or _breaks_out(c, hit, inner)))
        if any(c.cue(k, "since") for k in range(max(inner[0], hit.first - 3), hit.first)):
            return None  # «منذ بدء الهجوم على ...»
        if hot and not article.aside and _told_of_day(c, hit, inner, bool(armed)):
            return "attack"
        return "attack" if article.brief and (wide or (armed and (here or objects))) else None
    if "weapon" in flags:
        launched = any(c.cue(k, "launch") for k in range(max(inner[0], hit.first - 5), hit.first))
        launched = launched or _fired_from(c, hit, inner)
        shooter = bool(armed) or any(n.armed for n in near)
        onto = hit.last < inner[1] and c.cue(hit.last, "onto") is not None
        return "launched" if launched and (shooter or here or violent or (onto and article.brief)) else None
    if "strong" in flags:
        in_sentence = bool(places.between(low, high))
        armed_with = any(c.cue(k, "artillery", "aircraft") for k in range(hit.last, inner[1]))
        in_brief = article.brief and (objects or armed_with)
        return "strong" if firm or violent or here or in_sentence or in_brief else None
    if "weak" in flags:
        if hit.entry.get("type") == "Sexual violence" and hot and (armed or objects):
            return "weak"
        blast = hit.entry.get("type") == "Remote explosive/landmine/IED" and not accident(c, hit.first)
        heard = blast and _breaks_out(c, hit, inner) and here
        return "weak" if forces or (violent and (hot or blast)) or (heard and (hot or article.brief)) else None
    if "clash" in flags:
        return "clash" if (armed or here if hot else forces or violent or (armed and here)) else None
    return "named" if forces or violent or (here and hot) else None


def _fired_from(c: Context, hit: Hit, inner: tuple[int, int]) -> bool:
    """«27 قذيفة أطلقت من القطاع»: fired, and not brought down."""
    if hit.definite or not c.joined(hit.last + 1) or not c.cue(hit.last, "launch"):
        return False
    shot_down = any((h := c.hits.at("triggers", k)) and h.entry.flags & {"intercept", "disrupt"} for k in range(*inner))
    return c.r.words[hit.last + 1] in ("من", "باتجاه", "علي", "نحو") and not shot_down


def _arrested(c: Context, hit: Hit, inner: tuple[int, int]) -> bool:
    """«جرى [اعتقاله] من قبل قوة», «[اعتقالها] ل قيادي»: an arrest in a noun, of one who is named."""
    if hit.entry.get("form") != "noun" or (not hit.suffix.strip("ا") and hit.suffix != "ها"):
        return False
    after = range(hit.last, min(hit.last + 3, inner[1]))
    return any(c.cue(k, "agent") for k in after) or (hit.last < inner[1] and c.r.words[hit.last].startswith("ل"))


def _told_of_day(c: Context, hit: Hit, inner: tuple[int, int], armed: bool) -> bool:
    """«[هجمات] على قواعدهم ليل الثلاثاء», «[باستهداف] أهداف للمسلحين» from the air: an attack that needs no place."""
    after = range(hit.last, min(hit.last + OBJECT_NEAR, inner[1]))
    if not any(c.cue(k, "armed_target") for k in after):
        return False
    if armed and any(c.cue(k, "aircraft", "artillery") for k in range(*inner)):
        return True
    dated = any((m := c.dated.get(k)) is not None and m.kind == "point" for k in range(*inner))
    return dated and c.cue(hit.last, "onto") is not None


def _arms_behind(c: Context, hit: Hit, inner: tuple[int, int]) -> bool:
    """«[تدمير] آليات للانقلابيين»: a position or a weapon, no city or past."""
    after = range(hit.last, min(hit.last + OBJECT_NEAR, inner[1]))
    return any(c.cue(k, "armed_target", "artillery", "aircraft", "arms") for k in after)


def _killed(c: Context, ids: Ids, hit: Hit, armed: bool) -> bool:
    """«قتلت [قوة] قياديا», «قتلوا شابين»: an active verb with its victims, whom no number counts."""
    killer = c.named.get(hit.last)
    if killer is not None and ids.armed(killer.id) and c.joined(killer.last):
        hurt, word = c.hits.at("persons", killer.last), c.r.words[killer.last]
        if hurt is not None and hurt.prefix in ("", "ال"):
            return True
        if not killer.weak and len(word) > 3 and word.endswith("ا"):
            return True
    plural = hit.suffix == "وا" or hit.entry.text.endswith("وا")
    return plural and armed and c.hits.at("persons", hit.last) is not None


def _breaks_out(c: Context, hit: Hit, inner: tuple[int, int]) -> bool:
    """«هز انفجار ...», «دارت معارك ...»: a verb of happening beside the noun."""
    span = range(max(inner[0], hit.first - 3), min(inner[1], hit.last + 2))
    return any(c.cue(k, "breaks_out") for k in span)


def sport(c: Context, i: int) -> bool:
    """Whether the sentence speaks of a match."""
    low, high = c.r.bounds(i)
    return any(c.cue(k, "sport") for k in range(max(low, i - 40), min(high, i + 40)))


ENTERED = 6  # words behind «دخلت» that hold the place
PLACE_BEYOND = 10  # words behind a verb of capture that name where, beyond a comma
OBJECT_REACH = 8  # words behind a trigger that name what or whom it hit
CALM = "Peaceful protest"
TOLD = ("reported", "recap")
BRIEF = 80  # words: a brief has room for one such word only
HURT = frozenset(("killed", "injured", "killed_or_injured", "neutralised"))
HOT = 2  # words of war in an article that make it one about war


def heat(c: Context, ids: Ids, claims: Sequence[Claim]) -> int:
    """How many strong triggers, violent claims and armed forces an article names."""
    strong = sum("strong" in h.entry.flags and "protest" not in h.entry.flags for h in c.hits.of("triggers"))
    violent = sum(k.outcome in ("killed", "injured", "killed_or_injured", "neutralised") for k in claims)
    return strong + violent + sum(is_force(ids, n) for n in c.actors)


def is_force(ids: Ids, n: Named) -> bool:
    """An armed actor by its own name: no country, police, nationality or vague word."""
    return ids.armed(n.id) and not n.weak and not n.flags & {"country", "police", "adjective", "victim"}


def _by_court(c: Context, hit: Hit) -> bool:
    """«[احتجزت] المحكمة ...», «أعلنت المحكمة ... [احتجاز]»: a court that keeps its accused."""
    low, high = c.r.bounds(hit.first)
    return any(c.cue(k, "tribunal") for k in range(max(low, hit.first - 4), min(hit.last + 1, high)))


def fraud(c: Context, i: int) -> bool:
    """Whether the sentence speaks of a crime for money, and not of politics."""
    low, high = c.r.bounds(i)
    return any(c.cue(k, "fraud") for k in range(max(low, i - 25), min(high, i + 25))) and not _political(c, i)


def _political(c: Context, i: int) -> bool:
    low, high = c.r.bounds(i)
    return any(c.cue(k, "political") for k in range(max(low, i - 40), min(high, i + 40)))


def _protests(c: Context, brief: bool) -> bool:
    """Whether the article speaks of protest more than once («تظاهرة» alone may be a festival); a brief once."""
    said = sum(
        "protest" in h.entry.flags and not h.suffix and (brief or not h.entry.text.startswith("مسير"))
        for h in c.hits.of("triggers")
    )
    return said >= (1 if brief else 2)


TOPIC_LEAST = 3  # words of another topic
TOPIC_SHARE = 0.015  # of an article's words
TOPIC_TRIGGERS = 0.7  # times its triggers
TOPIC_LEAST_BRIEF = 2
HISTORY = 2000  # a date in a year before it is a word of history
HISTORIES = 3  # such dates, and more than the others: a tale of the past


def passing(c: Context) -> bool:
    """Whether an article is about markets, machines, science, stage or law, and its headline tells of no incident."""
    triggers = c.hits.of("triggers")
    if any(_headlined(c, h) for h in triggers):
        return False
    head = c.r.sentences[0]
    quiet = not any(head.first <= h.first < head.last for h in triggers)
    if head.headline and quiet and any(c.cue(k, "fiction") for k in range(head.first, head.last)):
        return True  # an anniversary, a manoeuvre, a film
    topic = sum(h.entry.get("kind") in ("topic", "sport") for h in c.hits.of("cues"))
    years = [m.start.year for m in set(c.dated.values()) if m.start is not None]
    old = sum(year < HISTORY for year in years)
    if old >= HISTORIES and 2 * old > len(years):
        return True
    topic += old if len(c.r.words) > BRIEF else 0
    if topic < max(TOPIC_LEAST if len(c.r.words) > BRIEF else TOPIC_LEAST_BRIEF, TOPIC_SHARE * len(c.r.words)):
        return False
    return topic > TOPIC_TRIGGERS * len(triggers)


# what a crime has too
PRIVATE = frozenset(("kill", "fire", "arrest", "abduct", "attack", "generic", "moved", "loot", "weak"))

SLIGHT = frozenset(("weak", "enter", "lead"))


def crime(c: Context, ids: Ids, claims: Sequence[Claim]) -> bool:
    """Whether an article in a country at peace tells of violence without a word of politics, arms or protest."""
    if len(c.r.words) <= BRIEF or c.country in c.at_war:
        return False
    named = [h.entry.get("country") in c.at_war for h in c.hits.of("places") if "cue" not in h.entry.flags]
    if sum(named) > ABROAD * len(named):
        return False
    for h in c.hits.of("triggers"):
        if h.entry.flags & {"strong", "protest", "capture", "agreement"} and not h.entry.flags & SLIGHT:
            return False
    if any((cue := c.cue(k, "political", "politics", "onslaught")) and not _press(c, cue) for k in c.hits.cues):
        return False
    if any(k.category in ("combatant", "journalist") and k.outcome != "captured" for k in claims):
        return False
    return not any(
        (HOMES.get(n.id) in c.at_war and n.rule != "adjective" and "country" not in n.flags) or _political_actor(ids, n)
        for n in c.actors
    )


ABROAD = 0.34  # of an article's places: a country at war named in passing


def _press(c: Context, hit: Hit) -> bool:
    """«مؤتمر [صحافي]», «بيان [صحفي]»: no journalist."""
    return bool(hit.first) and c.r.words[hit.first - 1].endswith(("موتمر", "الموتمر", "بيان", "تصريح", "تصريحات"))


def _political_actor(ids: Ids, n: Named) -> bool:
    if n.id in UNIDENTIFIED or "police" in n.flags or n.flags & {"country", "adjective", "local", "victim"}:
        return False
    return ids.armed(n.id) or ids.kind(n.id) in ("rebel", "militia", "political") or n.id == "protesters"


def _headlined(c: Context, hit: Hit) -> bool:
    """Whether a headline tells of the incident itself, not of what came «after the strikes»."""
    if not c.r.sentences[c.r.sentence[hit.first]].headline or hit.entry.flags & {"lead", "weapon", "closes"}:
        return False
    if "weak" in hit.entry.flags and not ("arrest" in hit.entry.flags and hit.entry.get("form") == "noun"):
        return False
    return not _after(c, hit) and not no_event(c, hit) and realis_of(c, hit, clause(c, hit.first)) in TOLD


def _after(c: Context, hit: Hit) -> bool:
    """«بعد [هجوم]», «على خلفية [اعتقال]»: the clause tells of what came of it."""
    return any(c.cue(k, "after", "protesting", "because") for k in range(max(hit.first - 3, 0), hit.first))


def accident(c: Context, i: int) -> bool:
    """Whether the sentence, or the headline, tells of an accident, a disease or a disaster."""
    low, high = c.r.bounds(i)
    near = any(c.cue(k, "accident") for k in range(max(low, i - 60), min(high, i + 60)))
    return near or _headline_accident(c)


def _headline_accident(c: Context) -> bool:
    head = c.r.sentences[0]
    if not head.headline:
        return False
    words = range(head.first, min(head.last, head.first + 40))
    if not any(c.cue(k, "accident") for k in words):
        return False
    return all((h := c.hits.at("triggers", k)) is None or "weak" in h.entry.flags for k in words)
