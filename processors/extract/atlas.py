"""Which place a name means: of namesakes, spellings of foreign names, and names that only a gazetteer has."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from processors.extract.lexicons import Lexicon
from processors.extract.places import ORDER, Found, coordinates, distance_km
from processors.gazetteer import Gazetteer, GazetteerPlace
from processors.text import Reading, fold_word

Row = Mapping[str, str]

REACH_KM = 90.0  # how far from the sentence's or else the article's other places a gazetteer's place may lie
SIDE = 0.55  # how far towards its edge the middle of a country's side lies
_CLASSES = str.maketrans({**dict.fromkeys("غجكق", "ج"), "ط": "ت", "ذ": "ز", "ظ": "ز", "ض": "د", "ص": "س"})
_VOWELS = re.compile("[اويهء]")
#: countries whose names are spelled as they sound, each outlet in its own way
FOREIGN = frozenset(
    ("AF", "PK", "IR", "TR", "NG", "SO", "ML", "NE", "BF", "TD", "CM", "ET", "ER", "KE", "UA", "RU",
     "SS", "CF", "CD", "MZ", "IN", "PH", "MM")
)  # fmt: skip
SHORTEST_SKELETON = 3


@dataclass(frozen=True, slots=True)
class Atlas:
    """What is known of places beyond the one row that a word of the text led to.

    namesakes: folded form → its rows, where there are several. countries, capitals: two letters → row. skeletons:
    (country, consonants) → the one row that sounds so. sides: (country, north, east) → the row of that part of it.
    """

    namesakes: Mapping[str, tuple[Row, ...]]
    countries: Mapping[str, Row]
    capitals: Mapping[str, Row]
    skeletons: Mapping[tuple[str, str], Row]
    sides: Mapping[tuple[str, int, int], Row]
    gazetteer: Gazetteer | None = None

    def side(self, country: Row, words: str) -> Row:
        """The part of a country that `words` name («شمال غرب»): its row, else the country's moved that way."""
        north, east = _compass(words)
        known = self.sides.get((country["country"], north, east))
        lat, lon = coordinates(country)
        km = float(country.get("km") or 0)
        if known is not None or lat is None or lon is None or not (north or east) or not km:
            return known or country
        step = SIDE * km / math.hypot(north, east)
        lon += east * step / (111.2 * math.cos(math.radians(lat)))
        return {**country, "lat": f"{lat + north * step / 111.2:.2f}", "lon": f"{lon:.2f}", "km": f"{km / 2:.0f}"}


def atlas(words: Lexicon, gazetteer: Gazetteer | None = None) -> Atlas:
    """The atlas of a language's place rows."""
    forms: dict[str, list[Row]] = defaultdict(list)
    sounds: dict[tuple[str, str], list[Row]] = defaultdict(list)
    countries: dict[str, Row] = {}
    capitals: dict[str, Row] = {}
    sides: dict[tuple[str, int, int], Row] = {}
    for row in words.rows["places"]:
        flags = row.get("flags", "").split()
        if row["precision"] == "country":
            countries.setdefault(row["country"], row)
        if "capital" in flags:
            capitals.setdefault(row["country"], row)
        if "side" in flags:
            sides.setdefault((row["country"], *_compass(row["text"].split("|")[0])), row)
        for form in map(fold_word, row["text"].split("|")):
            forms[form].append(row)
            if row["country"] in FOREIGN and row["precision"] != "country" and "stop" not in flags:
                sounds[row["country"], skeleton(form)].append(row)
    return Atlas(
        {form: tuple(rows) for form, rows in forms.items() if len(rows) > 1}, countries, capitals,
        {key: rows[0] for key, rows in sounds.items()
         if len(key[1]) >= SHORTEST_SKELETON and len({row["name"] for row in rows}) == 1},
        sides, gazetteer,
    )  # fmt: skip


def skeleton(form: str) -> str:
    """What is left of a folded name when vowels are dropped and letters that sound alike are one.

    >>> skeleton("ننجرهار") == skeleton("نانغرهار")
    True
    """
    return form[:1] + _VOWELS.sub("", form[1:]).translate(_CLASSES)


def resolved(found: Sequence[Found], r: Reading, known: Atlas, home: str) -> list[Found]:
    """The places with the rows that suit the rest of the article. home: the country that it is about, "" if unknown."""
    firm = [f for f in found if f.row is not None and f.form not in known.namesakes]
    votes = Counter(country for country, _ in {(f.country, f.row["name"]) for f in firm if f.row})
    if home:
        votes[home] += 1
    provinces = {(f.country, name) for f in firm if f.row for name in (f.admin1, f.row["name"]) if name}
    told = [s for f in found if (s := _stated(f, r, known, votes, provinces, home)) is not None]
    lands = Counter(f.country for f in told if f.country and f.rule != "street")
    if lands:  # «شارع فلسطين», in Baghdad
        told = [f for f in told if f.rule != "street" or lands[f.country]]
    located = [f for f in told if f.row is not None and coordinates(f.row)[0] is not None]
    out: list[Found] = []
    for f in told:
        if f.row is None or coordinates(f.row)[0] is None:
            row = _spelled(f, known, votes, home) or _gazetteer(f, r, known, located, home)
            if row is not None:
                f = replace(f, row=row, precision=f.precision if f.row else row["precision"] or f.precision)
        if f.rule != "cue-maybe" or f.row is not None:
            out.append(f)
    return out


def _stated(
    f: Found, r: Reading, known: Atlas, votes: Mapping[str, int], provinces: set[tuple[str, str]], home: str
) -> Found | None:  # fmt: skip
    """The place with the lexicon's row that suits; None where the words name none."""
    if f.rule in ("homeland", "capital"):
        row = (known.countries if f.rule == "homeland" else known.capitals).get(f.form or home)
        if row is None:
            return None
        return replace(f, row=known.side(row, _words(r, f)) if f.rule == "homeland" else row)
    if f.rule == "name-direction" and f.row is not None:
        return replace(f, row=known.side(f.row, _words(r, f)))
    return _namesake(f, known, votes, provinces, home)


def _words(r: Reading, f: Found) -> str:
    return r.text[r.starts[f.first] : r.ends[f.last - 1]]


def _compass(words: str) -> tuple[int, int]:
    """Steps north and east that words of direction name («شمال غرب»: 1, -1)."""
    return ("شمال" in words) - ("جنوب" in words), ("شرق" in words) - ("غرب" in words)


def _namesake(
    f: Found, known: Atlas, votes: Mapping[str, int], provinces: set[tuple[str, str]], home: str
) -> Found:  # fmt: skip
    if f.row is None or f.precision == "country":
        return f
    rows = known.namesakes.get(f.form, (f.row,))
    if f.rule == "name":
        rows = tuple(row for row in rows if row is f.row or "cue" not in row.get("flags", "").split())
    best = max(rows, key=lambda row: ((row["country"], row.get("admin1") or row["name"]) in provinces,
                                      votes.get(row["country"], 0), row is f.row))  # fmt: skip
    doubtful = {"cue", "also"} & set(best.get("flags", "").split())
    if (
        doubtful
        and home
        and f.rule != "name"
        and votes.get(best["country"], 0) <= 1
        and best["country"] != home
        and votes.get(home, 0) > 2
    ):
        return replace(f, row=None)  # a village of that name in a land that the article does not speak of
    if best is f.row:
        return f
    return replace(f, row=best, precision=f.precision if f.precision == "region" else best["precision"])


def _spelled(f: Found, known: Atlas, votes: Mapping[str, int], home: str) -> Row | None:
    """The row of the same sound in a country that the article speaks of."""
    if f.row is not None:
        return None
    for country in (home, *sorted(votes, key=lambda k: -votes[k])):
        if country in FOREIGN and (row := known.skeletons.get((country, skeleton(f.form)))) is not None:
            return row
    return None


def _gazetteer(f: Found, r: Reading, known: Atlas, located: Iterable[Found], home: str) -> Row | None:
    """The gazetteer's place of that name: in the row's country or the article's, the nearest to its other places."""
    if known.gazetteer is None or f.precision in ("country", "region"):
        return None
    country = f.country or home
    forms = (f.form, f.form[2:] if f.form.startswith("ال") else "ال" + f.form)
    pool = next((p for form in forms if (p := known.gazetteer.lookup(form, country or None))), ())
    suited = [p for p in pool if p.lat is not None and _suits(p, f)]
    if not suited:
        return None
    rows = [_row(p) for p in suited]
    land = rows[0]["country"]
    known_here = [a for a in located if a.country == land and ORDER.get(a.precision, 4) <= 3]
    beside = [a for a in known_here if r.sentence[a.first] == r.sentence[f.first]]
    near = [a.row for a in beside or known_here if a.row is not None]
    if not near:
        lone = country and all((distance_km(rows[0], row) or 0) <= 20 for row in rows)
        chosen = rows[0] if lone else None
    else:
        far, chosen = min(((min(distance_km(row, a) or 0 for a in near), row) for row in rows), key=lambda x: x[0])
        chosen = chosen if far <= REACH_KM else None
    if chosen is not None and f.row is not None:
        return {**f.row, "lat": chosen["lat"], "lon": chosen["lon"], "id": chosen["id"]}
    return chosen


def _suits(place: GazetteerPlace, f: Found) -> bool:
    """Whether a place of the gazetteer can be what the cue says: a province no village, a village no province."""
    return (ORDER.get(place.precision, 4) >= 2) == (ORDER.get(f.precision, 4) >= 2) or f.precision == "district"


def _row(p: GazetteerPlace) -> Row:
    return {
        "name": p.name, "country": p.country, "admin1": p.admin1, "precision": p.precision, "id": p.id,
        "lat": f"{p.lat}", "lon": f"{p.lon}", "km": "",
    }  # fmt: skip
