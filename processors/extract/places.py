"""Places: names of the lexicon, and unknown names that a cue word announces («بلدة كذا»)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.records import Place
from processors.extract.lexicons import Hit, Hits
from processors.text import COMMA, LINE, SPACE, Reading

ORDER = {"site": 0, "town": 1, "district": 2, "province": 3, "region": 3, "country": 5}


@dataclass(frozen=True, slots=True)
class Found:
    """A place name in words `first:last`; `row` is its lexicon row, None for a name that only a cue vouches for."""

    first: int
    last: int
    row: Mapping[str, str] | None
    precision: str
    rule: str
    prefix: str = ""

    @property
    def country(self) -> str:
        return self.row["country"] if self.row else ""

    @property
    def admin1(self) -> str:
        return (self.row.get("admin1") or "") if self.row else ""

    def key(self, r: Reading) -> str:
        """What tells two places apart: the lexicon's name, else the folded words without their cue."""
        if self.row:
            return self.row["name"]
        return r.text[r.starts[self.first] : r.ends[self.last - 1]]


def places(r: Reading, hits: Hits, taken: set[int], dateline: frozenset[int] = frozenset()) -> list[Found]:
    """Places in text order, none overlapping. taken: words that are part of an actor's or speaker's name."""
    found: list[Found] = []
    cues = {h.first: h for h in hits.of("place_cues")}
    names = {h.first: h for h in hits.of("places")}
    end = 0
    for i in sorted(cues.keys() | names.keys()):
        if i < end or i in dateline:
            continue
        place = _named(r, hits, i, names, cues) or _cued(r, hits, i, names, cues)
        if place is not None and not (place.first in taken and place.row is not None and place.rule == "name"):
            found.append(place)
            listed = _listed(r, hits, place, cues.get(i), names)
            found += listed
            end = listed[-1].last if listed else place.last
    return found


def _listed(r: Reading, hits: Hits, place: Found, cue: Hit | None, names: Mapping[int, Hit]) -> list[Found]:
    """«بلدات كفركلا [والعديسة] [والخيام]»: the names that follow the first one behind a plural cue."""
    out: list[Found] = []
    if cue is None or "plural" not in cue.entry.flags:
        return out
    k = place.last
    while k < len(r.words) and len(out) < LISTED and r.gap[k] <= COMMA and r.words[k].startswith("و"):
        known = names.get(k)
        if known is not None and "stop" not in known.entry.flags:
            precision = known.entry.get("precision")
            out.append(Found(k, known.last, known.entry.columns, precision, "cue-list", known.prefix))
        elif len(r.words[k]) > 4 and not _no_name(r, hits, k) and not _another_word(hits, k):
            out.append(Found(k, k + 1, None, place.precision, "cue-list", "و"))
        else:
            break
        k = out[-1].last
    return out


LISTED = 8  # names of one list


def _another_word(hits: Hits, k: int) -> bool:
    files = ("triggers", "outcomes", "sources", "persons", "actors", "times", "place_cues", "cues")
    return any(hits.at(file, k) is not None for file in files)


def _named(r: Reading, hits: Hits, i: int, names: Mapping[int, Hit], cues: Mapping[int, Hit]) -> Found | None:
    hit = names.get(i)
    if hit is None or "stop" in hit.entry.flags:
        return None
    toward = hits.cue(i - 1, ("direction",)) if i and r.gap[i] == SPACE and hit.prefix in ("", "ال") else None
    if "cue" in hit.entry.flags and (toward is None or hit.prefix != "ال"):
        return None
    cue = cues.get(i)
    if cue is not None and hit.last <= cue.last:
        return None
    if i and r.gap[i] == SPACE and hit.prefix in ("", "ال") and hits.cue(i - 1, ("not_a_place_before",)):
        return None
    if toward is not None and hit.entry.get("precision") == "country" and toward.last == i:
        return Found(toward.first, hit.last, hit.entry.columns, "region", "name-direction", toward.prefix)
    return Found(i, hit.last, hit.entry.columns, hit.entry.get("precision"), "name", hit.prefix)


_CREDIT = re.compile(r"[^\n:]{0,80}?\((?:cnn|رويترز|ا ف ب|اف ب|وكالات|د ب ا|ا ب)\)")
_DASH = re.compile(r" ?(?::|[-–—]{1,2} )")


def dateline(r: Reading, hits: Hits) -> frozenset[int]:
    """Words of datelines: «بيروت:», «دبي، الإمارات العربية المتحدة (CNN) --» at the start of a line."""
    out: set[int] = set()
    for s in r.sentences:
        if s.headline or (s.first and r.gap[s.first] < LINE):
            continue
        start = r.starts[s.first]
        credit = _CREDIT.match(r.text, start)
        if credit is not None:
            out.update(range(s.first, r.word_at(credit.end() - 1) + 1))
            continue
        hit = hits.at("places", s.first)
        if hit is not None and hit.prefix in ("", "ال") and _DASH.match(r.text, r.ends[hit.last - 1]):
            out.update(range(s.first, hit.last))
    return frozenset(out)


def _cued(r: Reading, hits: Hits, i: int, names: Mapping[int, Hit], cues: Mapping[int, Hit]) -> Found | None:
    """A name behind its cue word: known («مدينة الباب») or not («قرية كذا»)."""
    cue = cues.get(i)
    if cue is None:
        return None
    k = cue.last
    precision = cue.entry.get("precision")
    if k >= len(r.words) or r.gap[k] > SPACE:
        return None
    hit = names.get(k)
    if hit is not None and "stop" not in hit.entry.flags and not (hit.prefix and hit.prefix not in ("", "ال")):
        last = hit.last
        known = hit.entry.get("precision")
        if precision == "region" or (precision == "province" and "province" in hit.entry.flags):
            last = _tailed(r, hits, _tailed(r, hits, last))
            first = i if precision == "region" else k
            prefix = cue.prefix if precision == "region" else hit.prefix
            return Found(first, last, hit.entry.columns, precision, "cue-name", prefix)
        if known == "country":
            return Found(k, last, hit.entry.columns, known, "cue-name")
        return Found(k, last, hit.entry.columns, known, "cue-name")
    if cue.suffix or cue.entry.get("precision") == "region":
        return None
    if cue.prefix.endswith(("ال", "لل")):
        return None
    return _unknown(r, hits, cue, k, precision)


def _unknown(r: Reading, hits: Hits, cue: Hit, k: int, precision: str) -> Found | None:
    """A name that no lexicon has: one word, two behind a head («تل ...», «بني ...»), with its adjective."""
    word = r.words[k]
    if _no_name(r, hits, k) or len(word) < 3 or hits.cue(k, ("direction", "name_tail")):
        return None
    if cue.entry.flags & {"cap", "known"} or hits.at("place_cues", k) is not None:
        return None
    last = k + 1
    if hits.cue(k, ("name_head",)) and last < len(r.words) and r.gap[last] == SPACE and not _no_name(r, hits, last):
        last += 1
    return Found(k, _tailed(r, hits, last), None, precision, "cue-unknown")


def _no_name(r: Reading, hits: Hits, k: int) -> bool:
    """Whether word `k` can be no name: a particle, a common adjective, a number, a short word behind «and»."""
    word = r.words[k]
    short = word.startswith("و") and len(word) <= 3
    return short or word[0].isdigit() or hits.cue(k, ("not_a_name",)) is not None


def _tailed(r: Reading, hits: Hits, k: int) -> int:
    """The word behind the definite adjective that may end a name («الشرقية»)."""
    if k >= len(r.words) or r.gap[k] > SPACE:
        return k
    tail = hits.cue(k, ("name_tail",))
    return tail.last if tail is not None and tail.prefix == "ال" else k


def coordinates(row: Mapping[str, str] | None) -> tuple[float | None, float | None]:
    """Degrees north and east of a lexicon row, where it knows them."""
    if row and row.get("lat") and row.get("lon"):
        return float(row["lat"]), float(row["lon"])
    return None, None


NEAR_KM = 25.0


def near(a: Found, b: Found) -> bool:
    """Whether two located places, neither wider than a district, lie within NEAR_KM of each other."""
    if ORDER.get(a.precision, 4) > 2 or ORDER.get(b.precision, 4) > 2:
        return False
    km = distance_km(a.row, b.row)
    return km is not None and km <= NEAR_KM


def distance_km(a: Mapping[str, str] | None, b: Mapping[str, str] | None) -> float | None:
    """Kilometres between two lexicon rows, on a plane; None where one has no coordinates."""
    (lat, lon), (lat2, lon2) = coordinates(a), coordinates(b)
    if lat is None or lon is None or lat2 is None or lon2 is None:
        return None
    return math.hypot((lat - lat2) * 111.2, (lon - lon2) * 111.2 * math.cos(math.radians(lat)))


WIDTH_KM: Mapping[str, float] = {"site": 5.0, "town": 15.0, "district": 30.0, "province": 120.0, "region": 120.0}


def apart(a: Found, b: Found) -> bool:
    """Whether two located places can not be one: further from each other than both are wide, and NEAR_KM more.

    A country, and a side of it («شمال سوريا»), is as wide as need be.
    """
    km = distance_km(a.row, b.row)
    if km is None or any(p.row is not None and p.row.get("precision") == "country" for p in (a, b)):
        return False
    return km > sum(WIDTH_KM.get(p.precision, math.inf) for p in (a, b)) + NEAR_KM


def finest(found: Sequence[Found]) -> list[Found]:
    """The most specific of some places whose coordinates are known."""
    located = [p for p in found if coordinates(p.row)[0] is not None]
    level = min((ORDER.get(p.precision, 4) for p in located), default=0)
    return [p for p in located if ORDER.get(p.precision, 4) == level]


def record(r: Reading, f: Found) -> Place:
    """The place as the record holds it."""
    lat, lon = coordinates(f.row)
    row = f.row or {}
    km = row.get("km") or ""
    return Place(
        text=r.quote(f.first, f.last, f.prefix), span=r.span(f.first, f.last, f.prefix), name=row.get("name") or None,
        country=row.get("country") or None, admin1=row.get("admin1") or None, lat=lat, lon=lon,
        precision=f.precision if f.precision in ORDER else None,  # type: ignore[arg-type]
        radius_km=float(km) if km else None,
    )  # fmt: skip


def ranked(found: list[Found]) -> list[Found]:
    """Most specific first, text order among equals."""
    return sorted(found, key=lambda f: (ORDER.get(f.precision, 4), f.first))
