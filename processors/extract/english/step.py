"""An English article read: its events and tolls, by the same records, merging and composing as Arabic."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace

from pipeline.records import Event, Toll
from processors.extract import compose
from processors.extract.actors import Ids
from processors.extract.along import Along
from processors.extract.context import Context
from processors.extract.english.actors import actors, capital, country
from processors.extract.english.claims import claims
from processors.extract.english.dates import dates, stamp
from processors.extract.english.fold import fold_english
from processors.extract.english.lexicon import Words, words
from processors.extract.english.numbers import quantities
from processors.extract.english.places import dateline, places
from processors.extract.english.sources import speakers
from processors.extract.english.tellings import tellings
from processors.extract.english.tolls import cumulative
from processors.extract.lexicons import Hits
from processors.extract.merge import merged
from processors.text import Reading, Sentence, read

TEASERS_FROM, TEASER_WORDS = 80, 9  # words
SPORT = 5  # words of sport and leisure that outweigh war


@dataclass(frozen=True, slots=True)
class English:
    """The English words, and the patterns of lines that are no story."""

    lexicon: Words
    furniture: re.Pattern[str]

    def reading(self, text: str, title: int) -> Reading:
        """The text cut into words and sentences."""
        r = read(text, title, self.furniture, fold_english)
        told = [replace(s, skip=True) if _teaser(r, s) else s for s in r.sentences]
        return replace(r, sentences=tuple(told))

    def extract(
        self, r: Reading, ids: Ids, envelope: compose.Envelope, today: dt.date | None
    ) -> tuple[list[Event], list[Toll], str | None]:
        """Events, tolls and, where there are none, the reason."""
        hits = self.lexicon.scan(r)
        if not hits.of("triggers") and not hits.of("outcomes"):
            return [], [], "no-trigger"
        if _leisure(hits):
            return [], [], "not-conflict"
        numbers = quantities(r, hits)
        time = dates(r, hits, {q.core: q for q in numbers}, today)
        stamped = {k for m in time if stamp(r, m, today) for k in range(m.first, m.last)}
        line = dateline(r, hits) | stamped
        about = country(r, hits)
        named = actors(r, hits, ids, about, line)
        dated = {k: m for m in time for k in range(m.first, m.last)}
        c = Context(r, hits, {n.first: n for n in named}, dated, Along(named, lambda n: n.first))
        said = speakers(c)
        acting = {k for n in named if n.rule != "adjective" for k in range(n.first, n.last)}
        taken = acting | {k for s in said for k in range(s.first, s.last) if hits.at("places", k) is None}
        where = Along(places(r, hits, taken, line), lambda p: p.first)
        masked = frozenset(k for s in said for k in range(s.first, s.last))
        numbers = [q for q in numbers if q.core not in line]
        found = claims(c, numbers)
        c = replace(c, masked=masked, dated={k: m for k, m in dated.items() if k not in stamped})
        rules = cumulative(c, found, where)
        told = tellings(c, ids, where, found, rules, said, today)
        events = compose.events(c, ids, envelope, merged(told), found, said)
        totals = compose.tolls(c, ids, envelope, found, rules, where, Along(said, lambda s: s.at))
        return events, totals, None if events or totals else "no-frame"


def load() -> English:
    """The compiled English words. Raises: LexiconError."""
    known = words()
    furniture = re.compile("|".join(f"(?:{row['text']})" for row in known.rows["furniture"]), re.MULTILINE)
    return English(known, furniture)


def _teaser(r: Reading, s: Sentence) -> bool:
    """Headlines of other stories that a page runs together: a long sentence of capitalised words far from the top."""
    if s.headline or s.first < TEASERS_FROM or s.last - s.first < TEASER_WORDS:
        return False
    long = [k for k in range(s.first, s.last) if len(r.words[k]) > 3]
    return sum(capital(r, k) for k in long) > 0.8 * len(long)


def _leisure(hits: Hits) -> bool:
    """Sport, culture, business: an article that says «goal» and «league» oftener than «killed»."""
    sport = sum(h.entry.get("kind") == "sport" or hits.cue(h.first, ("sport",)) is not None for h in hits.of("cues"))
    war = sum("strong" in h.entry.flags for h in hits.of("triggers")) + len(
        [h for h in hits.of("outcomes") if h.entry.get("outcome") == "killed"]
    )
    return sport >= SPORT and sport > 2 * war
