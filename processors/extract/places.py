"""Places: names of the lexicon, and unknown names that a cue word announces («بلدة كذا»)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.records import Place
from processors.extract.actors import HOMES, STATE_OF
from processors.extract.lexicons import Hit, Hits
from processors.text import COMMA, LINE, QUOTES, SPACE, Reading

ORDER = {"site": 0, "town": 1, "district": 2, "province": 3, "region": 3, "country": 5}


@dataclass(frozen=True, slots=True)
class Found:
    """A place name in words `first:last`; `row` is its lexicon row, None for a name that only a cue vouches for.

    Rules that `atlas.resolved` finishes: «homeland» (a side of the article's country), «capital» (`form`: its country,
    "" for the article's), «cue-maybe» (a place only if some other spelling or a gazetteer knows it).
    """

    first: int
    last: int
    row: Mapping[str, str] | None
    precision: str
    rule: str
    prefix: str = ""
    form: str = ""  # folded name without cue and clitics

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
    lands = {h.first for h in hits.of("cues") if h.entry.get("kind") == "homeland"}
    end = 0
    for i in sorted(cues.keys() | names.keys() | lands):
        if i < end or i in dateline:
            continue
        place = _named(r, hits, i, names, cues) or _cued(r, hits, i, names, cues)
        if place is None and i in lands:
            place = _homeland(r, hits, i)
        if place is None or (place.first in taken and place.row is not None and place.rule == "name"):
            continue
        listed = _listed(r, hits, place, cues.get(i), names)
        end = listed[-1].last if listed else place.last
        if not _borrowed(r, hits, min(i, place.first)):
            group = [place, *listed]
            origin = _origin(r, hits, min(i, place.first))
            found += [replace(p, rule=origin) for p in group] if origin else group
    return sorted([*found, *_again(r, hits, found, names, dateline)], key=lambda p: p.first)


def _origin(r: Reading, hits: Hits, i: int) -> str:
    """The rule for a name at word `i` that tells where people are from: «أهالي X»; «ثلاثة مقاتلين من X» (`origin-of`:
    of the dead, for one may also be taken or driven from there), or planes and rockets («أقلعت من X»); else ""."""
    if not i or r.gap[i] > SPACE:
        return ""
    if r.words[i - 1] == "من" and i > 1 and hits.cue(i - 2, ("sets_out",)):
        return "origin"
    if hits.cue(i - 1, ("origin",)) or (i > 1 and r.words[i - 1] in ("في", "من") and hits.cue(i - 2, ("origin",))):
        return "origin"
    if r.words[i - 1] != "من":
        return ""
    for k in range(i - 2, max(-1, i - 7), -1):
        if hits.at("persons", k) is not None:
            return "origin-of"
        if r.gap[k + 1] > SPACE or hits.cue(k, ("breaks_origin",)) or hits.at("triggers", k) is not None:
            break
    return ""


BARE = frozenset(("name", "origin", "origin-of", "street"))  # rules of names that no cue announces


def _borrowed(r: Reading, hits: Hits, i: int) -> bool:
    """Whether a ship, an embassy or the like bears the name that begins at word `i` («تحمل اسم ...»)."""
    near = (hits.cue(k, ("named_after",)) for k in (i - 1, i - 2) if k >= 0)
    return i > 0 and r.gap[i] == SPACE and any(cue is not None and cue.last == i for cue in near)


def _homeland(r: Reading, hits: Hits, i: int) -> Found | None:
    """«شمال غرب البلاد»: a side of the country that the article is about."""
    first = _toward(r, hits, i)
    if first == i:
        return None
    prefix = hits.cue(first, ("direction",))
    return Found(first, i + 1, None, "region", "homeland", prefix.prefix if prefix else "")


def _toward(r: Reading, hits: Hits, i: int) -> int:
    """The first of the words of direction right before word `i` («شمال», «شمال غربي»), `i` if there are none."""
    first = i
    while first and i - first < 2 and r.gap[first] == SPACE and hits.cue(first - 1, ("direction",)):
        first -= 1
    return first


def _again(
    r: Reading, hits: Hits, found: Sequence[Found], names: Mapping[int, Hit], dateline: frozenset[int]
) -> list[Found]:  # fmt: skip
    """Names that a cue has announced, said again without it behind a preposition of place («في الباب»)."""
    rows = {f.form: f for f in found if f.row is not None and f.rule.startswith("cue")}
    words = {f.form: f for f in found if f.row is None and f.rule == "cue-unknown" and f.last == f.first + 1}
    covered = {k for f in found for k in range(f.first, f.last)} | dateline
    out: list[Found] = []
    for i, hit in names.items() if rows else ():
        told = rows.get(hit.entry.text)
        if told is not None and "cue" in hit.entry.flags and i not in covered and _in(r, hits, i, hit.prefix):
            out.append(Found(i, hit.last, told.row, told.precision, "announced", hit.prefix, hit.entry.text))
    for i, word in enumerate(r.words) if words else ():
        bare = word if word in words else word[1:] if word[:1] in "بل" else ""
        if bare in words and i not in covered and _in(r, hits, i, word[: len(word) - len(bare)]):
            told = words[bare]
            out.append(Found(i, i + 1, None, told.precision, "announced", word[: len(word) - len(bare)], bare))
    return out


def _in(r: Reading, hits: Hits, i: int, prefix: str) -> bool:
    """Whether a preposition of place stands before the name at word `i`, or on it."""
    return prefix.startswith("ب") or (
        i > 0 and r.gap[i] == SPACE and prefix in ("", "ال") and hits.cue(i - 1, ("place_before",)) is not None
    )


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
            out.append(Found(k, known.last, known.entry.columns, precision, "cue-list", known.prefix, known.entry.text))
        elif len(r.words[k]) > 4 and not _no_name(r, hits, k) and not _another_word(hits, k):
            last = k + 2 if _another(r, hits, k + 1) else k + 1
            form = r.text[r.starts[k] + 1 : r.ends[last - 1]]
            out.append(Found(k, last, None, place.precision, "cue-list", "و", form))
        else:
            break
        k = out[-1].last
    return out


LISTED = 8  # names of one list


def _another(r: Reading, hits: Hits, k: int) -> bool:
    """Whether word `k` of a list of unknown names is the second one of a name («قرى شير [مغار] وكوكبة»)."""
    if k + 1 >= len(r.words) or r.gap[k] > SPACE or r.gap[k + 1] > SPACE or _no_name(r, hits, k):
        return False
    return r.words[k + 1].startswith("و") and not r.words[k].startswith("و") and not _another_word(hits, k)


def _another_word(hits: Hits, k: int) -> bool:
    if hits.cue(k, ("name_head", "street")):
        return False
    files = ("triggers", "outcomes", "sources", "persons", "actors", "times", "place_cues", "cues")
    return any(hits.at(file, k) is not None for file in files)


def _named(r: Reading, hits: Hits, i: int, names: Mapping[int, Hit], cues: Mapping[int, Hit]) -> Found | None:
    hit = names.get(i)
    if hit is None or "stop" in hit.entry.flags:
        return None
    first = _toward(r, hits, i) if hit.prefix in ("", "ال") else i
    if "cue" in hit.entry.flags and (first == i or hit.prefix != "ال"):
        return None
    cue = cues.get(i)
    if cue is not None and hit.last <= cue.last:
        return None
    if i and r.gap[i] == SPACE and hit.prefix in ("", "ال") and hits.cue(i - 1, ("not_a_place_before",)):
        return None
    form = hit.entry.text
    toward = hits.cue(first, ("direction",))
    if first < i and toward is not None and hit.entry.get("precision") == "country":
        return Found(first, hit.last, hit.entry.columns, "region", "name-direction", toward.prefix, form)
    rule = "street" if i and r.gap[i] == SPACE and hits.cue(i - 1, ("street",)) else "name"
    return Found(i, hit.last, hit.entry.columns, hit.entry.get("precision"), rule, hit.prefix, form)


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
    if "cap" in cue.entry.flags and cue.definite and k not in names:
        return _capital(r, hits, cue, names)
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
            return Found(first, last, hit.entry.columns, precision, "cue-name", prefix, hit.entry.text)
        rule = "street" if hits.cue(i, ("street",)) else "cue-name"
        return Found(k, last, hit.entry.columns, known, rule, "", hit.entry.text)
    if cue.suffix or cue.entry.get("precision") == "region":
        return None
    if cue.prefix.endswith(("ال", "لل")):
        return None
    return _unknown(r, hits, cue, k, precision)


def _capital(r: Reading, hits: Hits, cue: Hit, names: Mapping[int, Hit]) -> Found | None:
    """«العاصمة», «العاصمة الليبية» without a name."""
    k = cue.last
    people = hits.at("actors", k) if k < len(r.words) and r.gap[k] == SPACE else None
    if people is None or "adjective" not in people.entry.flags:
        return Found(cue.first, k, None, "town", "capital", cue.prefix, _side_before(r, hits, cue.first))
    country = LANDS.get(people.entry.get("id"), "")
    if not country or people.last in names:
        return None
    return Found(cue.first, people.last, None, "town", "capital", cue.prefix, country)


def _side_before(r: Reading, hits: Hits, i: int) -> str:
    """The country that the last army or faction named right before word `i` fights in, "" if none is."""
    for k in range(i - 1, max(-1, i - 9), -1):
        if r.gap[k + 1] >= LINE:
            break
        hit = hits.at("actors", k)
        if hit is not None and not hit.entry.flags & {"country", "adjective"} and hit.entry.get("id") in HOMES:
            return HOMES[hit.entry.get("id")]
    return ""


LANDS = {**{actor: country for country, actor in STATE_OF.items()}, **HOMES}  # actor → its country


def _unknown(r: Reading, hits: Hits, cue: Hit, k: int, precision: str) -> Found | None:
    """A name that no lexicon has: one word, two behind a head («تل ...», «بني ...»), with its adjective."""
    word = r.words[k]
    if _no_name(r, hits, k) or len(word) < 3 or hits.cue(k, ("direction", "name_tail")) or _nationality(hits, k):
        return None
    if "cap" in cue.entry.flags or hits.at("place_cues", k) is not None:
        return None
    maybe = "known" in cue.entry.flags
    if maybe and (_another_word(hits, k) or hits.cue(cue.first, ("street",))):
        return None
    last = k + 1
    if hits.cue(k, ("name_head",)) and last < len(r.words) and r.gap[last] == SPACE and not _no_name(r, hits, last):
        last += 1
    if "plural" in cue.entry.flags and _another(r, hits, last):
        last += 1
    if not maybe:
        last = _tailed(r, hits, last)
    form = r.text[r.starts[k] : r.ends[last - 1]]
    maybe = maybe and r.folded.raw[max(0, r.span(k, last)[0] - 1)] not in QUOTES
    return Found(k, last, None, precision, "cue-maybe" if maybe else "cue-unknown", "", form)


def _nationality(hits: Hits, k: int) -> bool:
    """«بلدة مكسيكية»: a town of that country."""
    people = hits.at("actors", k)
    return people is not None and "adjective" in people.entry.flags


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


NEAR_KM = 10.0


def near(a: Found, b: Found) -> bool:
    """Whether two places may be told as one: a place and its province; two located ones, neither wider than a district,
    within NEAR_KM of each other."""
    if _within(a, b) or _within(b, a):
        return True
    if ORDER.get(a.precision, 4) > 2 or ORDER.get(b.precision, 4) > 2:
        return False
    km = distance_km(a.row, b.row)
    return km is not None and km <= NEAR_KM


def _within(a: Found, b: Found) -> bool:
    """Whether `a` lies in the province `b` («مطار قندهار», «ولاية قندهار»)."""
    if b.precision != "province" or b.row is None or ORDER.get(a.precision, 4) > 2 or a.country != b.country:
        return False
    return bool(a.admin1) and a.admin1 in (b.admin1, b.row["name"])


def distance_km(a: Mapping[str, str] | None, b: Mapping[str, str] | None) -> float | None:
    """Kilometres between two lexicon rows, on a plane; None where one has no coordinates."""
    (lat, lon), (lat2, lon2) = coordinates(a), coordinates(b)
    if lat is None or lon is None or lat2 is None or lon2 is None:
        return None
    return math.hypot((lat - lat2) * 111.2, (lon - lon2) * 111.2 * math.cos(math.radians(lat)))


WIDTH_KM: Mapping[str, float] = {"site": 5.0, "town": 15.0, "district": 30.0, "province": 120.0, "region": 120.0}


def wide(p: Found) -> bool:
    """Whether a place is a country, or a side of one."""
    if p.row is None:
        return p.precision == "country"
    return p.row["precision"] == "country" or "side" in p.row.get("flags", "").split()


def apart(a: Found, b: Found) -> bool:
    """Whether two located places can not be one: further from each other than both are wide, and NEAR_KM more.

    A country, and a side of it («شمال سوريا»), is as wide as need be.
    """
    km = distance_km(a.row, b.row)
    if km is None or any(p.row is not None and wide(p) for p in (a, b)):
        return False
    return km > _width_km(a) + _width_km(b) + NEAR_KM


def _width_km(p: Found) -> float:
    """How far a place reaches from its point: what its row says, else what places of its kind commonly do."""
    own = p.row.get("km") if p.row is not None and p.row["precision"] == p.precision else None
    return float(own) if own else WIDTH_KM.get(p.precision, math.inf)  # «ريف كذا» is wider than the town of its row


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
        radius_km=float(km) if km else None, gazetteer_id=row.get("id") or None,
    )  # fmt: skip


def ranked(found: list[Found]) -> list[Found]:
    """Most specific first, text order among equals."""
    return sorted(found, key=lambda f: (ORDER.get(f.precision, 4), f.first))
