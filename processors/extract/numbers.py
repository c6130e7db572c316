"""Numbers of things as Arabic news writes them: digits, words in every case, ranges, hedges, «dozens».

A `Quantity` covers words, with its hedges before and after; what it counts is for the caller to see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from pipeline.records import Hedge
from processors.extract.lexicons import Hit, Hits
from processors.text import COMMA, SPACE, Reading

MAX_WORDS = 9  # «تسعمئة وتسعة وتسعون ألفا وتسعمئة وتسعة وتسعون»
LARGEST = 8_000_000_000  # more than there are people


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in words `first:last`, of which the number itself is `core:last_core`.

    count: as written, None where the words give none; low/high: what the words bound.
    """

    first: int
    last: int
    core: int
    last_core: int
    count: int | None
    hedge: Hedge = "exact"
    low: int | None = None
    high: int | None = None
    vague: bool = False
    definite: bool = False


def quantities(r: Reading, hits: Hits) -> list[Quantity]:
    """Every number and vague number of the text in order; they do not overlap."""
    found: list[Quantity] = []
    i = 0
    n = len(r.words)
    starts = _number_words(r, hits)
    while i < n:
        if i not in starts:
            i += 1
            continue
        q = _cardinal(r, hits, i) or _vague(r, hits, i)
        if q is None:
            i += 1
            continue
        q = _hedged(r, hits, q)
        if found and q.first < found[-1].last:
            q = replace(q, first=found[-1].last)
        found.append(q)
        i = max(q.last, i + 1)
    return _ranges(r, hits, found)


def _number_words(r: Reading, hits: Hits) -> set[int]:
    words = {i for i, w in enumerate(r.words) if w[0].isdigit()}
    words.update(h.first for h in hits.of("numbers"))
    words.update(h.first for h in hits.of("cues") if hits.cue(h.first, _VAGUE) is not None)
    return words


_VAGUE = ("dozens", "hundreds", "thousands", "millions", "vague", "half", "quarter")


def digits(word: str) -> int | None:
    """The value of a word of digits: «10,000» and «10.000» are ten thousand, «1.5» is none."""
    if word.isdigit():
        return int(word) if len(word) <= 10 else None
    parts = word.replace(".", ",").split(",")
    if all(p.isdigit() for p in parts) and len(parts[0]) <= 3 and all(len(p) == 3 for p in parts[1:]):
        value = int("".join(parts))
        return value if value <= LARGEST else None
    return None


def _decimal(word: str) -> float | None:
    parts = word.replace(",", ".").split(".")
    if len(parts) == 2 and all(p.isdigit() and len(p) <= 3 for p in parts):
        return float(".".join(parts))
    return None


def _cardinal(r: Reading, hits: Hits, i: int) -> Quantity | None:
    """The number that begins at word `i`, or None."""
    total, group, k = 0, 0, i
    last_part = 0  # size of the part before: parts must fall, but for «three and twenty»
    seen = False
    while k < len(r.words) and k - i < MAX_WORDS and (k == i or r.gap[k] == SPACE):
        word = r.words[k]
        if word[0].isdigit():
            if seen and not (last_part >= 1000 and r.words[k - 1] == "و"):
                break
            if seen and _scaled(r, hits, k) >= last_part:
                k -= 1
                break  # «5 آلاف و7 آلاف»
            glued = bool(k) and r.ends[k - 1] == r.starts[k] and r.words[k - 1] not in _GLUE
            if glued and hits.at("outcomes", k - 1) is None and hits.cue(k - 1, _BEFORE_DIGITS) is None:
                return None
            value = digits(word)
            step = k + 1
            if value is None:
                fraction = _decimal(word)
                scale = hits.at("numbers", k + 1)
                if fraction is None or scale is None or scale.entry.get("kind") != "scale":
                    return None
                group, k, seen = round(fraction * int(scale.entry.get("value"))), scale.last, True
                total, group = total + group, 0
                break
            group, seen, k, last_part = group + value, True, step, value
            nxt = hits.at("numbers", k) if k < len(r.words) and r.gap[k] == SPACE else None
            if nxt is None or nxt.entry.get("kind") != "scale" or nxt.prefix:
                break
            continue
        hit = hits.at("numbers", k)
        if hit is None:
            if word == "و" and seen and last_part >= 1000 and k + 1 < len(r.words) and r.words[k + 1][0].isdigit():
                k += 1
                continue
            break
        kind, value = hit.entry.get("kind"), int(hit.entry.get("value"))
        joined = hit.prefix in ("و", "ف")
        if kind == "scale":
            if seen and not joined:
                group = max(group, 1) * value
                total, group = total + group, 0
            elif (seen and joined and last_part > value) or not (seen or _bare(r, k) in _PLURAL_SCALES):
                total += value
            else:
                break
        elif kind == "fixed":
            if seen and not (joined and last_part > value):
                break
            total += value
        else:
            if seen and not (joined and (last_part > value or (kind == "ten" and last_part < 10))):
                break
            group += value
        seen, last_part, k = True, value, hit.last
    if not seen or k == i:
        return None
    value = total + group
    if value > LARGEST:
        return None
    first = hits.at("numbers", i)
    if first is not None and value == 100 and first.prefix.endswith("بال"):
        return None  # «بالمئة»
    return Quantity(i, k, i, k, value, definite=bool(first and first.definite))


_BEFORE_DIGITS = ("reach", "np_stop", "preposition", "part", "number", "tally")  # «إلى11», «نحو30»: a space is missing
_GLUE = {"ال", "و", "ب", "ل", "وال", "بال", "لل", "ف", "a", "the"}
_PLURAL_SCALES = {"الاف", "الالاف", "ملايين", "مليارات", "بالاف", "بالالاف"}


def _bare(r: Reading, k: int) -> str:
    return r.words[k].removeprefix("و")


def _scaled(r: Reading, hits: Hits, k: int) -> int:
    """1000 where the digits at word `k` are so many thousands, 1,000,000 for millions, else 0."""
    scale = hits.at("numbers", k + 1) if k + 1 < len(r.words) and r.gap[k + 1] == SPACE else None
    if scale is None or scale.entry.get("kind") != "scale" or scale.prefix:
        return 0
    return int(scale.entry.get("value"))


def _vague(r: Reading, hits: Hits, i: int) -> Quantity | None:
    hit = hits.cue(i, _VAGUE)
    if hit is None:
        return None
    kind = hit.entry.get("kind")
    if kind in ("half", "quarter"):
        scale = hits.at("numbers", hit.last) if hit.last < len(r.words) else None
        if scale is None or scale.entry.get("kind") != "scale":
            return None
        value = int(scale.entry.get("value")) // (2 if kind == "half" else 4)
        return Quantity(i, scale.last, i, scale.last, value)
    last = hit.last
    hedge: Hedge = "unspecified" if kind in ("vague", "millions") else cast(Hedge, kind)
    scale = hits.cue(last, ("thousands", "millions"))
    if scale is not None and kind in ("dozens", "hundreds"):
        last, hedge = scale.last, "thousands"
    return Quantity(i, last, i, last, None, hedge, vague=True, definite=hit.definite)


def _hedged(r: Reading, hits: Hits, q: Quantity) -> Quantity:
    """With the hedges that stand right before and after the number."""
    first, last = q.first, q.last
    while first and r.words[first - 1] in ("ال", "و", "ب", "ل", "عن", "من", "وال") and r.gap[first] == SPACE:
        glued = r.ends[first - 1] == r.starts[first]
        if r.words[first - 1] in ("عن", "من") or not (glued or r.words[first - 1] == "ال"):
            break
        first -= 1
    before = hedge_before(r, hits, first)
    if before is not None:
        first = before.first
    after = hedge_after(hits, last) if last < len(r.words) and r.gap[last] == SPACE else None
    if after is not None:
        last = after.last
    hit = before or after
    q = replace(q, first=first, last=last)
    return with_hedge(q, hit) if hit is not None else q


def with_hedge(q: Quantity, hit: Hit) -> Quantity:
    """The quantity under a hedge; a vague one keeps its own."""
    if q.count is None:
        return q
    hedge = cast(Hedge, hit.entry.get("hedge"))
    low = q.count if hedge in ("at_least", "more_than") else None
    high = q.count if hedge in ("at_most", "less_than") else None
    return replace(q, hedge=hedge, low=low, high=high)


def hedge_before(r: Reading, hits: Hits, i: int) -> Hit | None:
    """The hedge that ends right before word `i`."""
    for back in range(1, 6):
        k = i - back
        if k < 0 or r.gap[k + 1] > SPACE:
            return None
        hit = hits.at("hedges", k)
        if hit is not None and hit.last == i and hit.entry.get("side") in ("before", "both"):
            longer = hits.at("hedges", k - 1) if k else None
            return longer if longer is not None and longer.last == i else hit
    return None


def hedge_after(hits: Hits, i: int) -> Hit | None:
    """The hedge that begins at word `i`."""
    hit = hits.at("hedges", i)
    return hit if hit is not None and hit.entry.get("side") in ("after", "both") else None


def _ranges(r: Reading, hits: Hits, found: list[Quantity]) -> list[Quantity]:
    """«بين 10 و15», «من 10 إلى 15»: one quantity with bounds."""
    out: list[Quantity] = []
    skip = False
    for a, b in zip(found, (*found[1:], None), strict=False):
        if skip:
            skip = False
            continue
        if b is not None and a.count is not None and b.count is not None and a.count < b.count:
            between = r.words[a.first - 1] if a.first else ""
            joint = r.words[a.last : b.first]
            glued = b.first - a.last <= 1 and all(r.gap[k] <= COMMA for k in range(a.last, b.last_core))
            left = between.lstrip("و")
            joined = joint == ("و",) or (not joint and r.words[b.first].startswith("و"))
            if glued and (
                (left in ("بين", "مابين") and joined)
                or (joint == ("الي",) and not _rises(hits, a.first))
                or ((joint == ("او",) or (not joint and _hyphen(r, b.first))) and hits.at("months", b.last) is None)
            ):
                first = a.first - (left in ("بين", "مابين", "من"))
                first -= first > 0 and left == "بين" and r.words[first - 1] == "ما"
                if out and first < out[-1].last:
                    first = a.first
                out.append(replace(a, first=first, last=b.last, last_core=b.last_core, count=None, hedge="about",
                                   low=a.count, high=b.count))  # fmt: skip
                skip = True
                continue
        out.append(a)
    return out


def _rises(hits: Hits, i: int) -> bool:
    """«ارتفعت الحصيلة من 12 إلى 14»: two totals, no range."""
    return any(hits.cue(k, ("rise",)) is not None for k in range(max(0, i - 8), i))


def _hyphen(r: Reading, i: int) -> bool:
    """«8-10»: a dash alone stands before word `i`."""
    return r.text[r.ends[i - 1] : r.starts[i]].strip() in ("-", "–", "—")
