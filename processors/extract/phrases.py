"""The people of a number: their noun, whose they are, and the claim that is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from pipeline.records import Category, Outcomes
from processors.extract.actors import STATE_OF, THEATRE, UNIDENTIFIED, Named
from processors.extract.context import LONGEST, Context, Found, Sides
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity
from processors.text import COMMA, SENTENCE, SPACE


@dataclass(frozen=True, slots=True)
class Phrase:
    """The people of a number: their noun, where the phrase ends, whose they are."""

    noun: Hit | None
    last: int
    sides: Sides
    side_rule: str
    joint: bool


def phrase_of(c: Context, q: Quantity) -> Phrase | None:
    """The noun phrase of a number; None where it counts no people."""
    k = q.last
    before = _noun_before(c, q)
    if before is not None:
        sides, last, rule = sides_of(c, before, q.last)
        return Phrase(before, last, sides, rule, False)
    while c.joined(k) and c.r.words[k] in ("من", "بين", "عدد", "فقط") and k - q.last < 2:
        k += 1
    if not c.joined(k) and not _bracketed(c, q):
        return Phrase(None, q.last, (), "", False)
    noun = c.hits.at("persons", k)
    unit = c.hits.at("units", k)
    actor = c.named.get(k)
    if noun is not None:
        joint = joint_noun(c, noun)
        last = joint.last if joint else noun.last
        sides, end, rule = sides_of(c, noun, last)
        return Phrase(noun, end, sides, rule, joint is not None)
    if c.r.words[k] in ("في", "بين") and c.cue(k + 1, "ranks") is not None:  # «25 في صفوف الشرطة»
        sides, end, rule = sides_of(c, None, k)
        return Phrase(None, end, sides, rule, False)
    if actor is not None and (k > q.last or q.vague):
        sides, end, rule = sides_of(c, None, k)
        return Phrase(None, end, sides, rule, False)
    if unit is not None and unit.prefix not in ("ب", "وب", "ل"):
        return None
    return Phrase(None, q.last, (), "", False)


def make(
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
    if not sides and (loser := _loser(c, q)) is not None:
        sides, side_rule = ((loser.id, loser),), "loser"
    noun = p.noun
    category = cast(Category, (noun.entry.get("category") if noun else "") or "unknown")
    unit = "household" if noun is not None and "household" in noun.entry.flags else "person"
    joint = p.joint and outcome in ("killed", "injured")
    return Found(start, stop, cast(Outcomes, "killed_or_injured" if joint else outcome), q.count, q.hedge, q.low,
                 q.high, unit, category, sides, rule, q.core, governor, part_of, side_rule)  # fmt: skip


def _loser(c: Context, q: Quantity) -> Named | None:
    """«خسر الحوثيون خمسين ...», «خسائر المليشيا ... 40 قتيلاً»: whose loss the number is."""
    low = max(c.r.bounds(q.core)[0], q.first - LOSS_REACH)
    for k in range(q.first - 1, low - 1, -1):
        if c.cue(k, "loss") is not None:
            return next((n for n in c.actors.between(k + 1, min(k + 5, q.first)) if n.rule != "adjective"), None)
    return None


LOSS_REACH = 12  # words


def _noun_before(c: Context, q: Quantity) -> Hit | None:
    """«الانتحاريون العشرة», «المعتقلين الثلاثة»."""
    k = q.core
    digits = k > 1 and c.r.words[k - 1] == "ال" and c.r.ends[k - 1] == c.r.starts[k]  # «المسيحيين الـ20»
    k -= digits
    if not (q.definite or digits) or q.count is None or not k or not c.joined(k):
        return None
    hit = c.hits.at("persons", k - 1)
    return hit if hit is not None and hit.last == k and hit.entry.form == "plural" else None


def _bracketed(c: Context, q: Quantity) -> bool:
    """«(13) فردا», «ثلاثة (3) جنود»: a number alone in brackets, with its noun right behind."""
    if q.last >= len(c.r.words) or c.r.gap[q.last] != COMMA:
        return False
    before = c.r.text[c.r.ends[q.last - 2] : c.r.starts[q.last - 1]] if q.last > 1 else ""
    after = c.r.text[c.r.ends[q.last - 1] : c.r.starts[q.last]]
    return before.strip() == "(" and after.strip() == ")"


def joint_noun(c: Context, noun: Hit) -> Hit | None:
    """«قتيلاً وجريحاً», «القتلى والجرحى»: one number for both."""
    if not noun.entry.get("outcome") or not c.joined(noun.last):
        return None
    other = c.hits.at("persons", noun.last)
    if other is None or not other.prefix.startswith("و") or other.entry.get("outcome") not in ("killed", "injured"):
        return None
    if c.joined(other.last) and c.hits.at("outcomes", other.first) is not None and new_number(c, other.last):
        return None  # «18 قتيلاً وإصابة 600»
    if other.entry.get("singular") == "إصابة" and other.entry.form == "plural" and not other.definite:
        return None if new_number(c, noun.first - 1) else other  # «تسعة قتلى وإصابات»
    return other if other.entry.get("outcome") != noun.entry.get("outcome") else None


def sides_of(c: Context, noun: Hit | None, k: int) -> tuple[Sides, int, str]:
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
        if counted is not None and counted.entry.form in ("dual", "singular") and not counted.definite:
            break  # «عناصر متشددين وجندي»
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
    if noun is not None and "army" in noun.entry.flags and (telling := _telling_army(c, noun)) is not None:
        return ((telling.id, telling),), start, "army-that-tells"
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


HELP_REACH = 6  # words from «بإسناد» to whose it is


def backed(c: Context, actor: Named) -> bool:
    """«المدعومة من ...», «بقيادة ...»: named only as somebody's backer."""
    if any(c.cue(actor.first - k, "backed") for k in (1, 2) if actor.first >= k):
        return True
    if actor.first and c.r.words[actor.first - 1] == "من":  # «بإسناد جوي من [..]»
        for k in range(actor.first - 2, max(actor.first - HELP_REACH, 0) - 1, -1):
            if c.r.gap[k + 1] > SPACE:
                break
            if c.cue(k, "helped"):
                return True
    if not actor.prefix.startswith("ل") or any(c.r.gap[k] > SPACE for k in range(actor.first - 1, actor.first + 1)):
        return False
    return any(c.cue(actor.first - k, "in_aid_of") for k in (3, 4) if actor.first >= k)  # «دعما للعمليات البرية ل[..]»


def _is_side(c: Context, noun: Hit | None, actor: Named, start: int, seen: bool) -> bool:
    if backed(c, actor) or (actor.id in UNIDENTIFIED and actor.prefix.startswith("ل")):
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
    if c.hits.at("outcomes", k) is not None or k in c.dated or new_number(c, k) or c.r.words[k].endswith("وا"):
        return True
    if c.r.words[k].startswith("ب") and c.hits.at("triggers", k) is not None:
        return True
    told = c.hits.at("triggers", k)
    if told is not None and told.prefix.startswith("و") and told.entry.get("form") == "verb":
        return True
    if not c.cue(k, "np_stop", "part", "agent"):
        return False
    follows = c.named.get(k + 1)
    if (
        follows is not None
        and c.r.words[k] == "في"
        and follows.rule == "name"
        and not seen
        and not (follows.flags & {"weak", "country", "local", "victim"})
    ):
        return False  # «مقاتل في فيلق الشام»
    into = c.r.words[k] in ("في", "بين") and (
        c.cue(k + 1, "ranks", "both") is not None or (follows is not None and "org" in follows.flags)
    )
    return not into or seen


def _modified(c: Context, actor: Named) -> bool:
    """Whether a stronger name follows a weak one («مسلحي ... طالبان»)."""
    return any(c.named.get(k) is not None and not c.named[k].weak for k in range(actor.last, actor.last + 4))


def new_number(c: Context, k: int) -> bool:
    return c.r.words[k][0].isdigit() or c.hits.at("numbers", k) is not None


def _sides_of_noun(c: Context, noun: Hit | None, start: int) -> tuple[Sides, int, str]:
    ranks = c.cue(start + 1, "ranks") if c.joined(start) and c.joined(start + 1) else None
    if ranks is not None and ranks.suffix in ITS and (owner := _owner(c, start)) is not None:
        return ((owner.id, owner),), start, "pronoun"  # «12 قتيلاً في صفوفهم»
    if noun is None:
        return (), start, ""
    if noun.suffix in ITS and noun.entry.get("category") == "combatant" and (owner := _owner(c, noun.first)):
        return ((owner.id, owner),), start, "pronoun"
    side = noun.entry.get("side") or _side_of_epithet(c, noun)
    if side == "same":
        return (), start, "same"
    if "army" in noun.entry.flags and (c.country in STATE_OF or not side):
        return ((STATE_OF.get(c.country, "army"), None),), start, "army-of-country"
    local = THEATRE.get(("jihadists", c.country))
    if local is not None and side == "isis?":
        return ((local, None),), start, "person-noun"
    if side.endswith("?") and noun.entry.get("category") == "combatant" and (enemy := _enemy(c, noun)) is not None:
        return ((enemy.id, enemy),), start, "enemy-named"
    if side.endswith("?") and noun.entry.get("category") == "combatant" and not _known(c, side.rstrip("?")):
        return ((UNKNOWN, None),), start, "person-noun"
    if side:
        return ((side.rstrip("?"), None),), start, "person-noun"
    return (), start, ""


ITS = ("ه", "ها", "هم")


def _owner(c: Context, k: int) -> Named | None:
    """The force named last before word `k`."""
    return next((n for n in c.actors.before(k, 20) if n.last <= k and not n.weak and n.rule != "adjective"
                 and "victim" not in n.flags), None)  # fmt: skip


def _telling_army(c: Context, noun: Hit) -> Named | None:
    """«أعلن الجيش التركي مقتل جندي ...»: a foreign army that announces a soldier's death speaks of its own."""
    low = c.r.bounds(noun.first)[0]
    for k in range(low, min(low + 4, noun.first)):
        said = c.hits.at("sources", k)
        if said is None or said.entry.get("kind") != "asserts":
            continue
        army = c.named.get(said.last) or c.named.get(said.last + 1)
        if army is None or army.id == STATE_OF.get(c.country) or army.last > noun.first or army.first > said.last + 1:
            return None
        if not any(c.r.words[j].endswith(ARMY) for j in range(said.last, army.last)):
            return None
        between = range(army.last, noun.first)
        told = (h for j in between if (h := c.hits.at("outcomes", j)))
        others = any(j in c.named for j in between) or c.named.get(noun.last) is not None
        return army if not others and any(h.entry.get("voice") == "nominal" for h in told) else None
    return None


ARMY = ("الجيش", "الدفاع", "المسلحه", "الاركان")

UNKNOWN = "unidentified_armed_group"
HOME = frozenset(("SY", "IQ"))  # where «جهادي» alone is commonly said of the Islamic State


def _known(c: Context, side: str) -> bool:
    """Whether the text names a group that a vague word («جهاديون») may mean."""
    return c.country in HOME or any(n.id == side and not n.weak for n in c.actors)


def _enemy(c: Context, noun: Hit) -> Named | None:
    """«قتل عشرة إرهابيين ... شنته بوكو حرام»: the one group that the sentence names, or the text twice."""
    if noun.entry.get("singular") in ARMED_ANYBODY:
        return None
    for (low, high), least in ((c.r.bounds(noun.first), 1), ((0, len(c.r.words)), 2)):
        groups = [n for n in c.actors.between(low, high) if "org" in n.flags and not backed(c, n)]
        if groups:
            return groups[0] if len({n.id for n in groups}) == 1 and len(groups) >= least else None
    return None


ARMED_ANYBODY = ("مسلح",)  # what both sides may be called


def _side_of_epithet(c: Context, noun: Hit) -> str:
    """«مئة عنصر متشدد», «عشرة عناصر مسلحين»: the side of the adjective behind a fighter who has none."""
    if noun.entry.get("category") != "combatant" or not c.joined(noun.last):
        return ""
    epithet = c.hits.at("persons", noun.last)
    told = epithet is not None and epithet.entry.get("category") == "combatant" and not epithet.prefix.startswith("و")
    return epithet.entry.get("side") if told and epithet is not None else ""


def nobodys(claim: Found, sides: Sides) -> Sides:
    """The sides of people whom the text gives no side: fighters are never civilians."""
    if claim.category == "combatant" and all(side in CIVIL for side, _ in sides):
        return (("unidentified_armed_group", None),)
    return sides


CIVIL = frozenset(("civilians", "journalists", "health_workers", "aid_workers", "prisoners", "protesters"))
