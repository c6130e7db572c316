"""Places in English text: names of the lexicon, and capitalised names that a cue noun or a preposition vouches for."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import replace

from processors.extract.english.actors import capital
from processors.extract.lexicons import Hit, Hits
from processors.extract.places import Found
from processors.text import COMMA, LINE, SPACE, Reading

_CREDIT = re.compile(
    r"[A-Z][A-Za-z]+(?:[ ,.'/-]+[A-Z][A-Za-z]+){0,5},? ?(?:[A-Z][a-z]+\.? \d{1,2} ?)?"
    r"\((?:AP|AFP|Reuters|REUTERS|Sputnik|Xinhua|CNN|UPI|DPA|TASS|ANI|IANS|AA|PTI|ANF|RT|dpa|EFE|VOA|BBC"
    r"|[A-Z][A-Za-z]+ (?:News|Post|Times))\)"
)
_SHOUTED = re.compile(r"[A-Z]{3,}(?:[ ,.'/-]+[A-Z]\w+){0,4}(?:, [A-Z][a-z]+\.? \d{1,2})? ?(?:-{1,2}|–|—|:) ")
_PLAIN = re.compile(r"[A-Z][a-z]+(?:[ ,]+[A-Z][a-z]+){0,3} ?(?:--|–|—|:| - )")
_DIRECTIONS = frozenset(
    [
        "northern",
        "southern",
        "eastern",
        "western",
        "central",
        "north",
        "south",
        "east",
        "west",
        "northeastern",
        "northwestern",
        "southeastern",
        "southwestern",
        "northwest",
        "northeast",
        "southwest",
        "southeast",
        "rural",
    ]
)
_IN = frozenset(["in", "near", "outside", "at", "around", "inside"])
_OF = frozenset(("of", "called", "named"))
_NOT_NAMES = frozenset(
    [
        "the",
        "a",
        "an",
        "his",
        "her",
        "its",
        "their",
        "this",
        "that",
        "he",
        "she",
        "it",
        "they",
        "we",
        "i",
        "on",
        "in",
        "at",
        "of",
        "and",
        "or",
        "but",
        "for",
    ]
)
MAX_NAME = 4


def dateline(r: Reading, hits: Hits) -> frozenset[int]:
    """Words of datelines: «BEIRUT (AP) —», «DAMASCUS, Syria —», «Beirut: »."""
    out: set[int] = set()
    raw = r.folded.raw
    for m in _CREDIT.finditer(raw):
        out.update(_words_in(r, m.start(), m.end()))
    for s in r.sentences:
        if s.headline or (s.first and r.gap[s.first] < LINE):
            continue
        start = r.span(s.first, s.first + 1)[0]
        shouted = _SHOUTED.match(raw, start)
        plain = None if shouted else _PLAIN.match(raw, start)
        if shouted is not None or (plain is not None and hits.at("places", s.first) is not None):
            out.update(_words_in(r, start, (shouted or plain).end()))  # type: ignore[union-attr]
    return frozenset(out)


def _words_in(r: Reading, start: int, end: int) -> range:
    starts = r.folded.starts
    if starts is not None:
        start, end = bisect_left(starts, start), bisect_left(starts, end)
    first, last = r.word_at(start), r.word_at(end - 1) + 1
    return range(max(first, 0), last)


def places(r: Reading, hits: Hits, taken: set[int], line: frozenset[int]) -> list[Found]:
    """Places in text order, none overlapping. taken: words of actors and speakers; line: words of datelines."""
    found: list[Found] = []
    end = 0
    seeds = {h.first for h in hits.of("places")} | {h.first for h in hits.of("place_cues")}
    headlines = {k for s in r.sentences if s.headline for k in range(s.first, s.last)}
    seeds |= {i + 1 for i, w in enumerate(r.words) if w in _IN and i + 1 < len(r.words)} - headlines
    for i in sorted(seeds):
        source = hits.at("sources", i)
        if i < end or i in line or i in taken or (source is not None and source.entry.get("kind") == "source"):
            continue
        for place in (
            _known(r, hits, i)
            or _behind_cue(r, hits, i, taken)
            or _before_cue(r, hits, i, taken)
            or (_behind_preposition(r, hits, i, taken, headlines))
        ):
            if place.first >= end:
                found.append(place)
                end = place.last
    return _ordered(r, found)


def _known(r: Reading, hits: Hits, i: int) -> list[Found]:
    hit = hits.at("places", i)
    if hit is None or "stop" in hit.entry.flags or not capital(r, _head(r, hit)):
        return []
    first, last, precision = hit.first, hit.last, hit.entry.get("precision")
    cue = hits.at("place_cues", last) if last < len(r.words) and r.gap[last] == SPACE else None
    before = hits.at("place_cues", first - 1) or (
        hits.at("place_cues", first - 2) if _word(r, first - 1) == "of" else None
    )
    if "cue" in hit.entry.flags and cue is None and before is None:
        return []
    rule = "name"
    direction = first and r.words[first - 1] in _DIRECTIONS and r.gap[first] == SPACE
    if direction and precision in ("country", "province", "region"):
        first, precision, rule = first - 1, "region", "direction-name"
    elif cue is not None and _word(r, cue.last) == "of" and precision != "country":
        precision, rule = "province", "container"
    elif cue is not None:
        kind = cue.entry.get("precision")
        if kind in ("province", "region") and precision in ("town", "province", "region"):
            precision, rule = kind, "name-cue"
        if kind != "site":
            last = cue.last if precision != "country" else last
        elif precision == "town":
            precision, last, rule = "site", cue.last, "name-cue"
    elif before is not None and before.entry.get("precision") in ("province", "region") and precision == "town":
        precision = before.entry.get("precision")
    elif precision == "town" and (site := _site_behind(r, hits, last)) is not None:
        precision, last, rule = "site", site, "name-cue"
    if _reference(r, hits, first):
        rule = "reference"
    return [Found(first, last, hit.entry.columns, precision, rule)]


def _site_behind(r: Reading, hits: Hits, k: int) -> int | None:
    """End of «[Damascus] Central Prison», «[Homs] Military Hospital»: capitalised words that end in a site's noun."""
    for last in range(k, min(k + 3, len(r.words))):
        if r.gap[last] > SPACE or not capital(r, last) or hits.at("places", last) is not None:
            return None
        cue = hits.at("place_cues", last)
        if cue is not None and cue.entry.get("precision") == "site":
            return cue.last
    return None


def _head(r: Reading, hit: Hit) -> int:
    return hit.first + (hit.last - hit.first > 1 and r.words[hit.first] in ("al", "el", "ar", "the"))


def _word(r: Reading, k: int) -> str:
    return r.words[k] if 0 <= k < len(r.words) else ""


def _reference(r: Reading, hits: Hits, first: int) -> bool:
    """«12 km (7 miles) east of Ramadi»: the place that a distance is counted from."""
    if _word(r, first - 1) not in ("of", "from"):
        return False
    for k in range(first - 2, max(first - 9, -1), -1):
        unit = hits.at("units", k)
        if unit is not None and unit.entry.get("kind") == "measure":
            return True
    return False


def _free(r: Reading, hits: Hits, k: int, taken: set[int]) -> bool:
    """Whether word `k` may be part of an unknown name."""
    if k >= len(r.words) or k in taken or not capital(r, k) or r.words[k][0].isdigit() or r.words[k] in _NOT_NAMES:
        return False
    return (
        hits.at("months", k) is None and hits.at("times", k) is None and hits.at("actors", k) is None
        and hits.at("triggers", k) is None and hits.at("outcomes", k) is None
        and (hits.at("persons", k) is None) and hits.at("numbers", k) is None
    )  # fmt: skip


def _run(r: Reading, hits: Hits, k: int, taken: set[int]) -> int:
    """End of the capitalised name that begins at word `k`."""
    last = k
    while last - k < MAX_NAME and _free(r, hits, last, taken) and (last == k or r.gap[last] == SPACE):
        if last > k and hits.at("sources", last) is not None and not capital(r, last):
            break
        last += 1
    return last


def _behind_cue(r: Reading, hits: Hits, i: int, taken: set[int]) -> list[Found]:
    """«the town of X», «villages of X Y and Z», «neighbourhood of X»."""
    cue = hits.at("place_cues", i)
    if cue is None or _word(r, cue.last) not in _OF or r.gap[cue.last] > SPACE:
        return []
    k = cue.last + 1
    out: list[Found] = []
    k += _word(r, k) == "the"
    several = cue.entry.text.endswith("s") or cue.entry.text == "area"
    while len(out) < 12 and k < len(r.words):
        hit = hits.at("places", k)
        if hit is not None and capital(r, _head(r, hit)) and k not in taken:
            out += [replace(p, rule="cue-name") for p in _known(r, hits, k)] or [
                Found(k, hit.last, hit.entry.columns, hit.entry.get("precision"), "cue-name")
            ]
            k = out[-1].last
        else:
            last = _run(r, hits, k, taken)
            if last == k:
                break
            if several and r.words[k] not in ("al", "el", "tal", "tel", "deir", "ein", "ain", "khan", "kafr", "beit"):
                last = k + 1
            out.append(Found(k, last, None, cue.entry.get("precision"), "cue-unknown"))
            k = last
        joined = _word(r, k) == "and" or (k < len(r.words) and r.gap[k] == COMMA)
        k += _word(r, k) == "and"
        if not (joined or several):
            break
    return out


def _before_cue(r: Reading, hits: Hits, i: int, taken: set[int]) -> list[Found]:
    """«Siouf square», «al-Hamra district»: a capitalised name in front of its noun."""
    cue = hits.at("place_cues", i)
    if cue is None or not i or r.gap[i] > SPACE:
        return []
    first = i
    while first and i - first < MAX_NAME and r.gap[first] == SPACE and _free(r, hits, first - 1, taken):
        if hits.at("places", first - 1) is not None:
            break
        first -= 1
    if first and r.words[first - 1] in ("al", "el") and first < i:
        first -= 1
    if first == i or r.words[first:i] == ("the",) or cue.entry.get("precision") == "region":
        return []
    sentence = r.sentences[r.sentence[i]]
    if sentence.headline or (first == sentence.first and i - first == 1):
        return []
    return [Found(first, cue.last, None, cue.entry.get("precision"), "unknown-cue")]


def _behind_preposition(r: Reading, hits: Hits, i: int, taken: set[int], headlines: set[int]) -> list[Found]:
    """«in Xyz»: a capitalised name that no lexicon knows, outside headlines."""
    if i in headlines or not i or r.words[i - 1] not in _IN or r.gap[i] > SPACE or not _free(r, hits, i, taken):
        return []
    if hits.at("sources", i) is not None or hits.at("cues", i) is not None:
        return []
    last = _run(r, hits, i, taken)
    return [Found(i, last, None, "town", "preposition-unknown")] if last > i else []


def _bracketed(r: Reading, k: int) -> bool:
    """«(a group banned in Russia)»: no place of what the sentence tells."""
    first = r.bounds(k)[0]
    before = r.text[r.starts[max(first, k - 8)] : r.starts[k]]
    return before.rfind("(") > before.rfind(")")


def _ordered(r: Reading, found: list[Found]) -> list[Found]:
    """Without the places that only serve to locate another one of the same sentence."""
    out: list[Found] = []
    for k, p in enumerate(found):
        if p.precision == "country" and _bracketed(r, p.first):
            continue
        if p.rule == "reference":
            near = [q for q in found[max(0, k - 2) : k] if r.sentence[q.first] == r.sentence[p.first]]
            if near and p.first - near[-1].last <= 12:
                continue
        out.append(p)
    return out
