"""Event frames in English: which trigger tells of an incident, in which stretch of its sentence, and of what sort."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records import Realis
from processors.extract.actors import Ids
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.context import Found as Claim
from processors.extract.english.actors import capital
from processors.extract.frames import RANK, Frame, is_force, widened
from processors.extract.lexicons import Hit
from processors.extract.places import Found as Place
from processors.text import COMMA, SPACE

VIOLENT = ("killed", "injured", "killed_or_injured", "neutralised")
LONG = 120  # words: a longer sentence is cut, whatever its clauses
HOT = 2  # words of war in an article that make it one about war
_NOUN_BEFORE_TO = frozenset(
    [
        "managed",
        "went",
        "continued",
        "due",
        "led",
        "leading",
        "response",
        "responded",
        "thanks",
        "owing",
        "prior",
        "subjected",
        "exposed",
        "addition",
        "close",
    ]
)
OF_WAR = frozenset(("combatant", "journalist", "aid_worker", "health_worker"))
_VERBS = frozenset(["was", "were", "is", "are", "been", "be", "being"])


@dataclass(frozen=True, slots=True)
class About:
    """What the whole article tells of."""

    hot: bool
    protests: bool


def frames(
    c: Context, ids: Ids, places: Along[Place], claims: Sequence[Claim], incident: Sequence[bool]
) -> list[Frame]:
    """Frames in text order, at most one a stretch. incident: per claim, whether it belongs to one incident."""
    about = About(heat(c, ids, claims) >= HOT, sum("protest" in h.entry.flags for h in c.hits.of("triggers")) >= 2)
    counted = Along(range(len(claims)), lambda k: claims[k].at)
    by_sentence: dict[int, list[Hit]] = {}
    for hit in c.hits.of("triggers"):
        number = c.r.sentence[hit.first]
        if not c.r.sentences[number].skip and not _named(c, hit) and not _participle(c, hit):
            by_sentence.setdefault(number, []).append(hit)
    out: list[Frame] = []
    for number, hits in by_sentence.items():
        sentence = c.r.sentences[number]
        along = Along(hits, lambda h: h.first)
        for first, last in stretches(c, sentence.first, sentence.last, hits):
            inside = along.between(first, last)
            own = tuple(k for k in counted.between(first, last) if incident[k])
            frame = _best(c, ids, inside, (first, last), places, claims, own, about)
            if frame is not None:
                out.append(frame)
    return out


def heat(c: Context, ids: Ids, claims: Sequence[Claim]) -> int:
    """How many strong triggers, violent claims and armed forces an article names."""
    strong = sum("strong" in h.entry.flags and "protest" not in h.entry.flags for h in c.hits.of("triggers"))
    violent = sum(k.outcome in VIOLENT and k.count != 0 for k in claims)
    return strong + violent + sum(is_force(ids, n) for n in c.actors)


def _participle(c: Context, hit: Hit) -> bool:
    """«brigades fighting Assad»: says who they are, not what happened."""
    if c.r.words[hit.first] != "fighting" or hit.last >= len(c.r.words) or c.r.gap[hit.last] > SPACE:
        return False
    return hit.last in c.named or c.r.words[hit.last] in ("against", "alongside", "with", "under")


def _named(c: Context, hit: Hit) -> bool:
    """A trigger inside an actor's name, or one that is a verb elsewhere («hit» in «Hit, Iraq»)."""
    for k in range(hit.first, max(hit.first - 5, -1), -1):
        actor = c.named.get(k)
        if actor is not None and not actor.weak:
            return hit.last <= actor.last
    return hit.first in c.dated


def stretches(c: Context, low: int, high: int, hits: Sequence[Hit]) -> list[tuple[int, int]]:
    """The sentence `low:high` cut so that each part holds one main trigger's clause with what hangs on it."""
    main = [h.first for h in hits if "kill" not in h.entry.flags]
    if len(main) < 2 and high - low <= LONG:
        return [(low, high)]
    cuts = [k for k in range(low + 1, high) if (k - low) % LONG == 0 or (len(main) > 1 and _parts(c, k, low))]
    out: list[tuple[int, int]] = []
    start, seen = low, False
    for a, b in zip([low, *cuts], [*cuts, high], strict=True):
        has = bisect_left(main, a) < bisect_left(main, b)
        if (has and seen) or b - start > LONG:
            out.append((start, a))
            start, seen = a, False
        seen = seen or has
    return [(a, b) for a, b in (*out, (start, high)) if a < b]


def _parts(c: Context, k: int, low: int) -> bool:
    """Whether a clause begins at word `k`."""
    word = c.r.words[k]
    if c.r.gap[k] == COMMA:
        return not (k in c.dated or k - 1 in c.dated) and (k in c.named or word not in ("including", "and"))
    if c.cue(k, "split") is not None:
        behind = c.r.words[k + 1] if k + 1 < len(c.r.words) else ""
        return not (word == "as" and behind in ("many", "a", "well", "part", "much", "of")) and k + 1 not in c.dated
    if word == "including":
        near = (c.hits.at("triggers", j) for j in range(k + 1, k + 4))
        return any(h is not None and "kill" not in h.entry.flags for h in near)
    if word == "and":
        for j in (k + 1, k + 2):
            hit = c.hits.at("triggers", j)
            if hit is not None and hit.entry.get("form") == "verb" and "kill" not in hit.entry.flags:
                return True
    return False


def _rank(hit: Hit, claims: Sequence[Claim], own: Sequence[int]) -> tuple[int, int]:
    flags = hit.entry.flags
    if flags & {"arrest", "abduct"} and any(claims[k].outcome == "captured" for k in own):
        fatal = any(claims[k].outcome == "killed" for k in own)  # the deadly attack names the event
        return RANK.index("generic") if fatal else -1, hit.first
    best = min((RANK.index(f) for f in flags if f in RANK), default=RANK.index(""))
    if "weak" in flags and "kill" not in flags:
        best = RANK.index("generic")  # a vague word still says more than «killed»
    return best, hit.first


def _best(
    c: Context, ids: Ids, hits: Sequence[Hit], inner: tuple[int, int], places: Along[Place], claims: Sequence[Claim],
    own: tuple[int, ...], about: About,
) -> Frame | None:  # fmt: skip
    for hit in sorted(hits, key=lambda h: _rank(h, claims, own)):
        realis = _realis(c, hit, inner)
        if realis is None:
            continue
        rule = _admitted(c, ids, hit, inner, places, claims, own, about)
        if rule is not None:
            first, last = widened(c, _trimmed(c, inner, hit), hit)
            return Frame(hit, first, last, inner, hit.entry.get("type"), hit.entry.flags, own, realis, rule)
    return None


def _trimmed(c: Context, inner: tuple[int, int], hit: Hit) -> tuple[int, int]:
    """A long stretch cut at the clause borders around its trigger, for the evidence."""
    first, last = inner
    if c.r.ends[last - 1] - c.r.starts[first] <= 170:
        return inner
    low, high = hit.first, hit.last
    while low > first and not _parts(c, low, first):
        low -= 1
    while high < last and not _parts(c, high, first):
        high += 1
    return low, high


def _realis(c: Context, hit: Hit, inner: tuple[int, int]) -> Realis | None:
    """None: no assertion (hypothetical, planned, negated, denied)."""
    low = max(c.r.bounds(hit.first)[0], hit.first - LONG)
    for k in range(max(inner[0], hit.first - 9), hit.first):
        cue = c.cue(k, "hypothetical")
        if cue is not None and hit.first - cue.last <= 5 and not (c.r.words[k] in ("may", "march") and capital(c.r, k)):
            return None
        cue = c.cue(k, "not")
        if cue is not None and hit.first - cue.last <= (1 if cue.entry.text == "no" else 2):
            return None
    if hit.first and c.r.words[hit.first - 1] == "to" and hit.last - hit.first == 1:
        before = c.r.words[hit.first - 2] if hit.first > 1 else ""
        if before not in _NOUN_BEFORE_TO:
            return None
    for k in range(max(low, hit.first - 14), hit.first):
        if c.cue(k, "denied") is not None:
            return None
    if any(c.cue(k, "court") for k in range(low, min(c.r.bounds(hit.first)[1], hit.first + 25))):
        return "recap" if "arrest" not in hit.entry.flags else None
    return "reported"


def _admitted(
    c: Context, ids: Ids, hit: Hit, inner: tuple[int, int], places: Along[Place], claims: Sequence[Claim],
    own: tuple[int, ...], about: About,
) -> str | None:  # fmt: skip
    """The rule that lets a trigger be an event, or None; where the article tells of war, less is asked."""
    flags, verb, hot = hit.entry.flags, hit.entry.get("form") == "verb", about.hot
    near = c.actors.between(*inner)
    armed = [n for n in near if ids.armed(n.id)]
    firm = [n for n in armed if not n.weak and n.rule != "adjective"]
    forces = [n for n in firm if is_force(ids, n)]
    here = places.between(*inner)
    local = [p for p in here if p.precision != "country"]
    violent = [k for k in own if claims[k].outcome in VIOLENT and claims[k].count != 0]
    if any(c.cue(k, "accident", "crime") for k in range(*inner)) and not (forces or "strong" in flags):
        return None
    rule = None
    if "kill" in flags:
        counted = [k for k in violent if claims[k].governor is not None or claims[k].rule in ("number-noun", "tally")]
        war = hot or armed or any(claims[k].category in OF_WAR for k in counted)
        rule = "killing" if counted and war and (armed or here) else None
    elif "arrest" in flags:
        taken = [k for k in own if claims[k].outcome == "captured"]
        rule = "arrest" if (taken and (hot or forces)) or (hot and firm and verb and local) else None
    elif "abduct" in flags:
        rule = "abduction" if own or (armed and here) else None
    elif "capture" in flags:
        takers = armed if hot else forces
        people_taken = any(claims[k].outcome in ("captured", "released") for k in own)
        weak = "weak" in flags and not local
        object_ = _object_place(c, hit, here)
        rule = "capture" if takers and object_ and not people_taken and not weak else None
    elif "transfer" in flags:
        rule = "transfer" if forces and local and not violent else None
    elif "protest" in flags:
        people_out = [n for n in near if n.id == "protesters"]
        rule = "protest" if here and (violent or people_out or about.protests or "strong" in flags) else None
    elif "attack" in flags:
        rule = "attack" if violent or forces or (hot and here) else None
    elif "weapon" in flags:
        launched = any(c.cue(k, "launch") for k in range(max(inner[0], hit.first - 4), min(hit.last + 8, inner[1])))
        rule = "launched" if launched and (armed or local or violent) else None
    elif "disrupt" in flags:
        rule = "disrupt" if forces and local and hot else None
    elif "clash" in flags:
        sides = {ids.near(n.id) for n in armed if n.rule != "adjective"}
        rule = (
            "clash"
            if len(sides) > 1 or violent or (armed and local) or (hot and local and "weak" not in flags)
            else None
        )
    elif "generic" in flags or "defend" in flags:
        weak = "weak" in flags and not (firm and len(near) > 1) and not (violent and (armed or hot))
        enough = forces or violent or (hot and (firm or local))
        rule = "attack" if enough and not (weak and not (hot and armed and local)) else None
    elif "strong" in flags:
        low, high = c.r.bounds(hit.first)
        rule = (
            "strong"
            if armed or violent or here or bool(places.between(max(low, hit.first - LONG), min(high, hit.first + LONG)))
            else None
        )
    elif "weak" in flags:
        rule = (
            "weak"
            if (forces and hot and (local or len(forces) > 1)) or violent or (hot and local and not verb)
            else None
        )
    else:
        rule = "named" if forces or violent or (hot and here) else None
    return rule


def _object_place(c: Context, hit: Hit, here: Sequence[Place]) -> bool:
    """Whether a place is what was taken: close behind the verb, or in front of a passive."""
    passive = any(w in _VERBS for w in c.r.words[max(hit.first - 3, 0) : hit.first])
    for p in here:
        if 0 <= p.first - hit.last <= 7 or (passive and 0 <= hit.first - p.last <= 8):
            return True
    village = (
        "village",
        "villages",
        "town",
        "towns",
        "city",
        "territory",
        "territories",
        "area",
        "ground",
        "base",
        "hill",
    )
    reach = range(hit.last, min(hit.last + 5, len(c.r.words)))
    behind = [c.r.words[k] for k in reach if c.r.gap[k] <= SPACE]
    before = c.r.words[max(hit.first - 4, 0) : hit.first] if passive else ()
    return any(w in village for w in (*behind, *before))
