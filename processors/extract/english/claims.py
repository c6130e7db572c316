"""Casualty claims in English: which numbers count people, what befell them, and whose people they are.

A number is looked at with its noun («12 deaths»), the verb behind («12 people were killed», «two injured»), what stands
in front («killing 12», «the death of five»), and the claim before it («including three children», «and two soldiers»).
«a woman», «soldiers» come as numbers too: one, and an unspecified many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from pipeline.records import Category, Outcomes
from processors.extract.context import LONGEST, MOST, Context, Found
from processors.extract.english.phrases import STOPS, People, people
from processors.extract.english.verbs import done_to, suffered, takes_object
from processors.extract.lexicons import Hit
from processors.extract.numbers import Quantity
from processors.text import COMMA, SENTENCE, SPACE

_GROUPS = frozenset(
    [
        "group",
        "groups",
        "organisation",
        "organization",
        "network",
        "cell",
        "movement",
        "faction",
        "stronghold",
        "camp",
        "command",
        "force",
        "unit",
        "training",
    ]
)


def claims(c: Context, numbers: Sequence[Quantity]) -> list[Found]:
    """Claims in text order; `part_of` counts in this list."""
    found: list[Found] = []
    covered = 0
    counted = {k for q in numbers for k in range(q.first, q.last)}
    items: list[tuple[int, Quantity]] = [(q.first, q) for q in numbers if not any(
        k in c.dated for k in range(q.core, q.last_core))]  # fmt: skip
    items += [(q.first, q) for q in _implied(c, counted)]
    for _, q in sorted(items, key=lambda x: (x[0], x[1].vague)):
        if len(found) >= MOST:
            break
        if q.core < covered or c.r.sentences[c.r.sentence[q.core]].skip:
            continue
        p = people(c, q.last)
        claim = _claim(c, q, p, found)
        if claim is not None:
            if _one_more(c, found, claim):
                found[-1] = _together(c, found[-1], claim)
            else:
                found.append(claim)
            covered = max(p.last, q.last)
    return _sums(c, found)


def _implied(c: Context, counted: set[int]) -> list[Quantity]:
    """«a woman», «another soldier»: one; «no casualties»: none; bare plurals: some."""
    out: list[Quantity] = []
    for hit in c.hits.of("persons"):
        i = hit.first
        if i in counted:
            continue
        k = i
        while (
            k > 0
            and i - k < 4
            and c.r.gap[k] == SPACE
            and k - 1 not in counted
            and (
                c.r.words[k - 1] not in STOPS
                and c.r.words[k - 1] not in ("a", "an", "another", "no", "any")
                and c.hits.at("outcomes", k - 1) is None
                and c.hits.at("triggers", k - 1) is None
                and (c.hits.at("persons", k - 1) is None or c.hits.at("persons", k - 1).last > i)  # type: ignore[union-attr]
            )
        ):
            k -= 1
        lead = c.r.words[k - 1] if k and c.r.gap[k] == SPACE else ""
        if lead == "no":
            out.append(Quantity(k - 1, k, k - 1, k, 0))
        elif lead in ("a", "an", "another") and hit.entry.form == "singular" and not _describes(c, hit):
            out.append(Quantity(k - 1, k, k - 1, k, 1))
        elif hit.entry.form == "plural" and "only" not in hit.entry.flags:
            out.append(Quantity(i, i, i, i, None, "unspecified", vague=True))
    return out


def _describes(c: Context, noun: Hit) -> bool:
    """«a terrorist group», «a rebel stronghold»: the noun only describes another one."""
    k = noun.last
    if k >= len(c.r.words) or c.r.gap[k] > SPACE:
        return False
    trigger = c.hits.at("triggers", k)
    named = trigger is not None and trigger.entry.get("form") == "noun" and "kill" not in trigger.entry.flags
    return named or c.r.words[k] in _GROUPS or c.hits.at("units", k) is not None


def _claim(c: Context, q: Quantity, p: People, found: list[Found]) -> Found | None:
    if p.unit or (q.vague and q.first == q.last and p.head is None):
        return None
    if q.count == 0:
        return _nobody(c, q, p, found)
    if _negated(c, q.first):
        return None
    bare = p.head is None and not p.sides
    end = p.last if not bare else q.last
    implied = q.first == q.last
    if implied:
        return _bare_plural(c, q, p, found)
    return (
        _part(c, q, p, found, end)
        or _own(c, q, p, found)
        or _tally(c, q, p, found, end)
        or _participle(c, q, p, found, end)
        or _governed(c, q, p, found, bare)
        or _followed(c, q, p, found, end, bare)
        or _coordinated(c, q, p, found, bare)
    )


def _negated(c: Context, i: int) -> bool:
    for k in range(max(c.r.bounds(i)[0], i - 6), i):
        cue = c.cue(k, "unknown", "hypothetical")
        if cue is not None and i - cue.last <= 4 and c.r.words[k] not in ("may", "march", "if", "used", "possible"):
            return True
    return False


# ---- frames, in the order in which they are tried


def _make(
    c: Context, q: Quantity, p: People, outcome: str, rule: str, found: list[Found], *,
    first: int | None = None, last: int = 0, governor: int | None = None, part_of: int | None = None,
) -> Found:  # fmt: skip
    start, stop = min(q.first, q.first if first is None else first), max(p.last, q.last, last)
    while stop > q.last + 1 and c.r.ends[stop - 1] - c.r.starts[start] > LONGEST:
        stop -= 1
    if c.r.ends[stop - 1] - c.r.starts[start] > LONGEST:
        start = q.first
    sides, rule_of_side = p.sides, p.side_rule
    previous = found[part_of] if part_of is not None else (found[-1] if found else None)
    follows = previous is not None and c.r.sentence[previous.at] >= c.r.sentence[q.core] - 1
    if (
        previous is not None
        and follows
        and previous.sides
        and (rule_of_side == "same" or (not sides and part_of is not None))
    ):
        sides, rule_of_side = previous.sides, "same-people"
    head = p.head
    category = cast(Category, (head.entry.get("category") if head else "") or "unknown")
    unit = "household" if head is not None and "household" in head.entry.flags else "person"
    return Found(start, max(stop, start + 1), cast(Outcomes, outcome), q.count, q.hedge, q.low, q.high, unit, category,
                 sides, rule, q.core, governor, part_of, rule_of_side)  # fmt: skip


def _own(c: Context, q: Quantity, p: People, found: list[Found]) -> Found | None:
    """«12 deaths», «20 wounded», «9 dead», «12 dead and wounded»."""
    if p.head is None or not p.outcome:
        dead = c.hits.at("outcomes", q.last) if q.last < len(c.r.words) and c.r.gap[q.last] == SPACE else None
        if p.head is None and dead is not None and dead.entry.get("voice") == "adj":
            return _make(c, q, p, dead.entry.get("outcome"), "number-noun", found, last=dead.last)
        return None
    outcome = p.outcome
    k = p.last
    other = c.hits.at("persons", k + 1) if k + 1 < len(c.r.words) and c.r.words[k] in ("and", "or") else None
    last = 0
    if other is not None and {outcome, other.entry.get("outcome")} == {"killed", "injured"}:
        outcome, last = "killed_or_injured", other.last
    if "body" in p.head.entry.flags and q.count is not None and done_to(c, q) is None:
        found_cue = c.r.words[p.last : p.last + 3]
        if (
            "found" not in found_cue
            and "discovered" not in found_cue
            and "recovered" not in found_cue
            and not any(
                w in ("found", "recovered", "discovered", "retrieved") for w in c.r.words[max(q.first - 3, 0) : q.first]
            )
        ):
            return None
    return _make(c, q, p, outcome, "number-noun", found, last=last)


def _governed(c: Context, q: Quantity, p: People, found: list[Found], bare: bool) -> Found | None:
    """«killed 12 people», «wounding 20», «the death of five workers», «left 12 dead»."""
    by = done_to(c, q)
    if by is None or by.hit is None:
        return None
    flags, voice = by.hit.entry.flags, by.hit.entry.get("voice")
    category = p.head.entry.get("category") if p.head else ""
    if "person" in flags and not (category == "combatant" or any(s for s, n in p.sides if n is not None)):
        return None
    end = q.last if bare else p.last
    if voice == "leave":
        adjective = next((h for k in range(end, min(end + 3, len(c.r.words))) if (h := c.hits.at("outcomes", k))
                          and h.entry.get("voice") in ("adj", "past") and c.r.gap[k] <= SPACE), None)  # fmt: skip
        if adjective is None:
            return None
        return _make(c, q, p, adjective.entry.get("outcome"), "left-dead", found, first=by.first, last=adjective.last,
                     governor=by.first)  # fmt: skip
    if bare and not _bare_ends(c, q):
        return None
    if by.kind in ("captured", "released") and bare and q.count is None:
        return None
    return _make(c, q, p, by.kind, "governed", found, first=by.first, governor=by.first)


def _bare_ends(c: Context, q: Quantity) -> bool:
    """Whether nothing else is counted behind a bare number («kills 18 in», «wounding 20.»)."""
    k = q.last
    if q.count is None and not q.vague:
        return False
    if k >= len(c.r.words) or c.r.gap[k] > SPACE:
        return True
    word = c.r.words[k]
    if word in ("percent", "per"):
        return False
    if word in STOPS or k in c.dated or c.hits.at("sources", k) is not None or c.hits.at("places", k) is not None:
        return True
    return word in ("most", "mostly", "more", "others", "some", "all", "overnight", "monitor", "a", "the", "an")


def _followed(c: Context, q: Quantity, p: People, found: list[Found], end: int, bare: bool) -> Found | None:
    """«12 people were killed», «7 people injured in», «two injured», «six lost their lives»."""
    post = suffered(c, end, bare)
    if post is None or not post.kind:
        return None
    if bare and c.hits.at("units", q.last) is not None:
        return None
    if q.vague and bare and post.kind != "displaced" and post.first - end > 2:
        return None
    outcome, last = post.kind, post.last
    second = c.hits.at("outcomes", last + 1) if last + 1 < len(c.r.words) and c.r.words[last] in ("and", "or") else None
    joint = second is not None and {second.entry.get("outcome"), outcome} == {"killed", "injured"}
    if joint and second is not None and second.entry.get("voice") == "past" and not takes_object(c, second):
        outcome, last = "killed_or_injured", second.last
    if c.r.ends[last - 1] - c.r.starts[q.first] > LONGEST:
        last = max(end, q.last)
    previous = found[-1] if found else None
    part = None
    if previous is not None and previous.part_of is not None and 0 <= q.first - previous.last <= 1:
        part = previous.part_of
    return _make(c, q, p, outcome, "people-verb", found, last=last, governor=post.first, part_of=part)


def _participle(c: Context, q: Quantity, p: People, found: list[Found], end: int) -> Found | None:
    """«Two farmers killed, nine wounded near X»: a participle behind a noun, as in headlines."""
    if p.head is None or end >= len(c.r.words) or c.r.gap[end] > SPACE:
        return None
    hit = c.hits.at("outcomes", end)
    if hit is None or hit.entry.get("voice") != "past" or (takes_object(c, hit) and not _runs_on(c, hit)):
        return None
    if "person" in hit.entry.flags:
        return None
    return _followed(c, q, p, found, end, False) or _make(c, q, p, hit.entry.get("outcome"), "participle", found,
                                                          last=hit.last, governor=hit.first)  # fmt: skip


def _runs_on(c: Context, hit: Hit) -> bool:
    """Whether the people behind a verb have a participle of their own («killed 7 people injured»)."""
    k = hit.last
    while k < min(hit.last + 8, len(c.r.words)) and c.r.gap[k] <= SPACE:
        other = c.hits.at("outcomes", k)
        if other is not None:
            return other.entry.get("voice") == "past" and k > hit.last + 1 and not takes_object(c, other)
        if c.r.words[k] in STOPS:
            return False
        k += 1
    return False


def _part(c: Context, q: Quantity, p: People, found: list[Found], end: int) -> Found | None:
    """«including three children», «two of them women», «five children were among the dead»."""
    if not found:
        return None
    marker = None
    for back in range(1, 5):
        k = q.first - back
        if k < 0 or c.r.gap[k + 1] >= SENTENCE:
            break
        cue = c.cue(k, "part")
        if cue is not None and q.first - cue.last <= 1:
            marker = cue
            break
    behind = next((cue for k in range(end, min(end + 4, len(c.r.words))) if (cue := c.cue(k, "part_after"))), None)
    of = c.cue(q.last, "part_of") if q.last < len(c.r.words) and c.r.gap[q.last] == SPACE else None
    if marker is None and behind is None and of is None:
        return None
    outcome = " ".join(behind.entry.flags) if behind is not None else ""
    if not outcome and p.outcome:
        outcome = p.outcome
    whole = _whole(c, q, found, outcome)
    if whole is None:
        return None
    if marker is not None and not outcome:
        post = suffered(c, end, False) if p.head is not None else None
        outcome = post.kind if post is not None and post.first - end <= 3 and not p.outcome else ""
        if outcome != found[whole].outcome:
            outcome = found[whole].outcome if outcome in ("", "killed", "injured") else outcome
    first = marker.first if marker is not None else q.first
    last = max(behind.last if behind is not None else 0, of.last if of is not None else 0)
    return _make(c, q, p, outcome or found[whole].outcome, "part-of", found, first=first, last=last,
                 governor=found[whole].governor, part_of=whole)  # fmt: skip


def _whole(c: Context, q: Quantity, found: list[Found], outcome: str) -> int | None:
    """The nearest larger claim before a part, in this sentence or the one before."""
    for i in range(len(found) - 1, max(len(found) - 6, -1), -1):
        claim = found[i]
        if c.r.sentence[claim.at] < c.r.sentence[q.core] - (2 if outcome else 1):
            return None
        if outcome and claim.outcome != outcome:
            continue
        if claim.part_of is None and (claim.count is None or q.count is None or claim.count > q.count):
            return i
    return None


def _tally(c: Context, q: Quantity, p: People, found: list[Found], end: int) -> Found | None:
    """«the death toll rose to 30», «a toll of 12», «bringing the number of dead to 21»."""
    low = max(c.r.bounds(q.core)[0], q.first - 16)
    tally = next((h for k in range(q.first - 1, low - 1, -1) if (h := c.cue(k, "tally"))), None)
    if tally is None or p.unit:
        return None
    between = c.r.words[tally.last : q.first]
    direct = between in (("of",), ("to",), ("at",), ("is",), ("was",), ("now",))
    rise = next((h for k in range(max(low, tally.first - 3), q.first) if (h := c.cue(k, "rise"))), None)
    if not direct and (
        rise is None or (between and between[-1] not in ("to", "at", "of", "than") and rise.last != q.first)
    ):
        return None
    outcome = " ".join(tally.entry.flags) or "killed"
    follows = c.hits.at("outcomes", end) if end < len(c.r.words) else None
    if p.outcome:
        outcome = p.outcome
    elif follows is not None and follows.entry.get("voice") in ("adj", "past"):
        outcome = follows.entry.get("outcome")
    first = tally.first if c.r.ends[max(end, q.last) - 1] - c.r.starts[tally.first] <= LONGEST else q.first
    return _make(c, q, p, outcome, "tally", found, first=first, governor=tally.first)


def _coordinated(c: Context, q: Quantity, p: People, found: list[Found], bare: bool) -> Found | None:
    """«... and three civilians», «as well as a medic»: the same befell them."""
    if not found or bare:
        return None
    previous = found[-1]
    between = c.r.words[previous.last : q.first]
    if c.r.sentence[previous.at] != c.r.sentence[q.core] or len(between) > 3 or q.first < previous.last:
        return None
    joined = any(c.cue(k, "and") for k in range(previous.last, q.first)) or (not between and c.r.gap[q.first] == COMMA)
    if not joined or previous.rule == "tally" or any(c.hits.at("triggers", k) for k in range(previous.last, q.first)):
        return None
    part = previous.part_of
    own = found[part] if part is not None else None
    if own is not None and own.count is not None and q.count is not None and q.count >= own.count:
        part = None
    return _make(c, q, p, previous.outcome, "coordinated", found, governor=previous.governor, part_of=part)


def _nobody(c: Context, q: Quantity, p: People, found: list[Found]) -> Found | None:
    """«caused no casualties», «no one was killed»: a claim of nobody, unless there is only no news of any."""
    if p.head is None or any(c.cue(k, "unknown") for k in range(max(q.first - 3, 0), q.first + 1)):
        return None
    if p.outcome:
        return _make(c, q, p, p.outcome, "nobody", found)
    post = suffered(c, p.last, False)
    return _make(c, q, p, post.kind, "nobody", found, last=post.last) if post is not None else None


def _bare_plural(c: Context, q: Quantity, p: People, found: list[Found]) -> Found | None:
    """«killed civilians», «children were among the dead», «caused deaths and injuries»."""
    if p.head is None or p.head.first < q.first:
        return None
    whole = replace(q, last=q.first)
    part = _part(c, whole, p, found, p.last)
    if (
        part is not None
        and part.rule == "part-of"
        and any(c.cue(k, "part_after") for k in range(p.last, min(p.last + 4, len(c.r.words))))
    ):
        return part
    if p.outcome:
        lead = c.r.words[q.first - 1] if q.first else ""
        if lead not in ("caused", "causing", "inflicted", "inflicting", "causes", "numerous"):
            return None
        other = c.hits.at("persons", p.last + 1) if c.r.words[p.last : p.last + 1] == ("and",) else None
        joint = other is not None and {other.entry.get("outcome"), p.outcome} == {"killed", "injured"}
        return _make(c, q, p, "killed_or_injured" if joint else p.outcome, "bare-plural", found,
                     last=other.last if joint and other else 0)  # fmt: skip
    by = done_to(c, q)
    if by is None or by.hit is None or by.kind not in ("killed", "injured") or by.hit.entry.get("voice") == "nominal":
        return None
    if c.cue(by.first - 1, "hypothetical", "not", "infinitive") or "person" in by.hit.entry.flags:
        return None
    if by.first and c.r.words[by.first - 1] in ("among", "the", "of", "those", "were", "was"):
        return None
    return _make(c, q, p, by.kind, "bare-plural", found, first=by.first, governor=by.first)


def _one_more(c: Context, found: list[Found], claim: Found) -> bool:
    """«a woman and a young man»: two singles that one verb takes."""
    if not found or claim.rule != "coordinated" or claim.count != 1 or c.r.words[claim.at] not in ("a", "an"):
        return False
    previous = found[-1]
    lead = previous.count == 1 and c.r.words[previous.at] in ("a", "an")
    same = [s for s, _ in previous.sides] == [s for s, _ in claim.sides]
    return lead and same and previous.part_of == claim.part_of and c.r.words[previous.last : claim.first] == ("and",)


def _together(c: Context, a: Found, b: Found) -> Found:
    category = a.category if a.category == b.category else "civilian"
    return replace(a, last=b.last, count=(a.count or 0) + (b.count or 0), category=category)


def _sums(c: Context, found: list[Found]) -> list[Found]:
    """Claims of one sentence, or of the two sentences behind, that add up to a larger one of the same outcome."""
    out = list(found)
    for i, whole in enumerate(found):
        if whole.count is None or whole.count < 3 or whole.part_of is not None or whole.rule == "part-of":
            continue
        near = [k for k in range(i + 1, min(i + 7, len(found)))
                if c.r.sentence[found[k].at] <= c.r.sentence[whole.at] + 1 and found[k].outcome == whole.outcome
                and out[k].part_of is None]  # fmt: skip
        for x, a in enumerate(near):
            for b in near[x + 1 :]:
                one, two = found[a].count, found[b].count
                free = out[a].part_of is None and out[b].part_of is None
                if one and two and one + two == whole.count and free:
                    out[a], out[b] = replace(found[a], part_of=i), replace(found[b], part_of=i)
    return out
