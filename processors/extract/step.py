"""The extraction step: an article with its verdict in; its events, its tolls and the coding that closes them out."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import LexiconError
from pipeline.records import Coding, Event, EventDate, Extractor, Outcome, Toll, Unique
from processors.extract import compose
from processors.extract.actors import HOMES, Ids, Named, actor_ids, actors
from processors.extract.along import Along
from processors.extract.atlas import Atlas, atlas, resolved
from processors.extract.claims import claims
from processors.extract.context import Context
from processors.extract.dates import Mention, dates
from processors.extract.english.lexicon import combined
from processors.extract.english.step import English
from processors.extract.english.step import load as load_english
from processors.extract.lexicons import FOLDER, Hits, Lexicon, lexicon
from processors.extract.merge import merged
from processors.extract.numbers import quantities
from processors.extract.passages import old_passages
from processors.extract.places import BARE, dateline, places
from processors.extract.places import Found as Place
from processors.extract.sources import Speaker, speakers
from processors.extract.tellings import tellings
from processors.extract.tolls import cumulative
from processors.gazetteer import open_gazetteer
from processors.text import Reading, read

NAME = "rasd-rules"
VERSION = "0.1"
RELEASES = FOLDER / "releases.tsv"
SHORTEST = 4  # words
LONGEST = 250_000  # code points; what stands behind them is not read
LANGUAGES = ("ar", "en")
_ARABIC = re.compile("[\u0621-\u064a]")
_LATIN = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Extract:
    """A pure step: equal articles give equal outcomes, byte for byte, on every machine."""

    lexicon: Lexicon
    ids: Ids
    furniture: re.Pattern[str]
    hours: Mapping[str, int]
    extractor: Extractor
    generation: int
    english: English
    at_war: frozenset[str]
    atlas: Atlas

    def __call__(self, unique: Unique) -> Outcome:
        """Events in text order, then tolls, then exactly one coding."""
        language = _language(unique)
        if language not in LANGUAGES:
            return self._closed(unique, [], [], "language")
        if language == "en":
            return self._read_english(unique)
        article = unique.article
        reading = read(article.text[:LONGEST], len(article.title or ""), self.furniture, teasers=True)
        if len(reading.words) < SHORTEST:
            return self._closed(unique, [], [], "too-short")
        hits = self.lexicon.scan(reading)
        if not hits.of("triggers") and not hits.of("outcomes"):
            return self._closed(unique, [], [], "no-trigger")
        if not_conflict(reading, hits):
            return self._closed(unique, [], [], "not-conflict")
        return self._read(unique, reading, hits)

    def _read(self, unique: Unique, r: Reading, hits: Hits) -> Outcome:
        today = self._today(unique)
        envelope = compose.Envelope(unique, self.extractor, _published(today))
        numbers = quantities(r, hits)
        time = dates(r, hits, {q.core: q for q in numbers}, today)
        line = dateline(r, hits)
        home = country(hits)
        named = actors(r, hits, self.ids, home, line, today)
        c = Context(r, hits, {n.first: n for n in named}, _spread(time), Along(named, lambda n: n.first),
                    self.at_war, home)  # fmt: skip
        said = speakers(c)
        taken = {k for n in named if n.rule != "adjective" and "country" not in n.flags and "local" not in n.flags
                 for k in range(n.first, n.last)}  # fmt: skip
        taken |= {k for s in said if not s.claims for k in range(s.first, s.last)}
        taken |= _inside(named, hits)
        scenes = resolved([p for p in places(r, hits, taken, line) if not _acts(c, p)], r, self.atlas, home)
        where = Along(scenes, lambda p: p.first)
        c = replace(c, masked=_masked(hits, said))
        speaking = Along(said, lambda s: s.at)
        numbers_found = claims(c, numbers)
        rules = cumulative(c, numbers_found)
        told = tellings(c, self.ids, where, numbers_found, rules, speaking, today, old_passages(unique))
        found = compose.events(c, self.ids, envelope, merged(told), numbers_found, said)
        totals = compose.tolls(c, self.ids, envelope, numbers_found, rules, where, speaking)
        return self._closed(unique, found, totals, None if found or totals else "no-frame")

    def _read_english(self, unique: Unique) -> Outcome:
        article, today = unique.article, self._today(unique)
        reading = self.english.reading(article.text[:LONGEST], len(article.title or ""))
        if len(reading.words) < SHORTEST:
            return self._closed(unique, [], [], "too-short")
        envelope = compose.Envelope(unique, self.extractor, _published(today))
        return self._closed(unique, *self.english.extract(reading, self.ids, envelope, today))

    def _today(self, unique: Unique) -> dt.date | None:
        published = unique.article.published
        if published is None:
            return None
        hours = self.hours.get((unique.article.outlet or "").lower(), self.hours["default"])
        try:
            return (published.astimezone(dt.UTC) + dt.timedelta(hours=hours)).date()
        except OverflowError:
            return published.date()

    def _closed(self, unique: Unique, found: Sequence[Event], totals: Sequence[Toll], reason: str | None) -> Outcome:
        coding = Coding(
            article_id=unique.article.id, revision=unique.verdict.revision, generation=self.generation,
            event_ids=tuple(e.id for e in found), toll_ids=tuple(t.id for t in totals),
            abstained=reason is not None, reason=reason, extractor=self.extractor,
        )  # fmt: skip
        return Outcome(outputs=(*found, *totals, coding))


def load(gazetteer: Path | None = None) -> Extract:
    """The step with its lexicons compiled. gazetteer: an imported place file, counted into the lexicon's hash.

    Raises: LexiconError naming the file and line that breaks its columns.
    """
    words = lexicon("ar")
    english = load_english()
    released = digest = combined(words.hash, english.lexicon.hash)
    if gazetteer is not None:
        digest = hashlib.blake2b(digest.encode() + gazetteer.read_bytes(), digest_size=8).hexdigest()
    hours = {row["outlet"]: int(row["hours"]) for table in (english.lexicon, words) for row in table.rows["outlets"]}
    furniture = re.compile("|".join(f"(?:{row['text']})" for row in words.rows["furniture"]), re.MULTILINE)
    return Extract(words, actor_ids(words), furniture, hours, Extractor(name=NAME, version=VERSION, lexicon=digest),
                   generation(released, RELEASES), english, at_war(words),
                   atlas(words, open_gazetteer(gazetteer) if gazetteer else None))  # fmt: skip


def at_war(words: Lexicon) -> frozenset[str]:
    """Countries whose place row carries the flag `war`."""
    rows = words.rows["places"]
    return frozenset(row["country"] for row in rows if "war" in row.get("flags", "").split())


def generation(digest: str, releases: Path) -> int:
    """The release that a lexicon hash and this version belong to; an unreleased one comes after the last.

    Raises: LexiconError for a row that is not (number, version, hash).
    """
    last = 0
    for number, line in enumerate(releases.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith(("#", "generation")):
            continue
        cells = line.split("\t")
        if len(cells) != 3 or not cells[0].isdigit():
            raise LexiconError(releases, number, "want: generation, version, hash")
        last = max(last, int(cells[0]))
        if cells[1] == VERSION and cells[2] == digest:
            return int(cells[0])
    return last + 1


def _language(unique: Unique) -> str:
    """The language that the article says it is in, else what its script suggests ("" for neither)."""
    language = unique.article.language
    if language is None:
        text = unique.article.text[:4000]
        arabic, latin = len(_ARABIC.findall(text)), len(_LATIN.findall(text))
        return "ar" if arabic > latin else ""
    return language.lower().split("-")[0]


def _published(today: dt.date | None) -> EventDate:
    """Nothing but the day of publication: the event is of that day or the one before."""
    if today is None:
        return EventDate()
    return EventDate(start=today - dt.timedelta(days=1), end=today, precision="days", basis="published")


def _inside(named: Sequence[Named], hits: Hits) -> set[int]:
    """Words but the first of longer names of actors and sources: «فيلق القدس», «الخوذ البيضاء» name no towns."""
    spans = [(n.first, n.last) for n in named if n.rule != "adjective"]
    spans += [(h.first, h.last) for h in hits.of("sources") if h.entry.get("kind") == "source"]
    towns = {h.first for h in hits.of("places") if h.entry.get("precision") != "country"}
    return {k for first, last in spans for k in range(first + 1, last)} & towns


def _masked(hits: Hits, said: Sequence[Speaker]) -> frozenset[int]:
    """Words that name speakers, and words of triggers («تفجير انتحاري» names no bomber)."""
    words = {k for s in said if not s.claims for k in range(s.first, s.last)}
    return frozenset(words | {k for h in hits.of("triggers") for k in range(h.first, h.last)})


def _acts(c: Context, place: Place) -> bool:
    """A country or capital that stands for its government is no place."""
    named = c.named.get(place.first)
    return named is not None and place.rule in BARE and "country" in named.flags


def _spread(time: Sequence[Mention]) -> dict[int, Mention]:
    return {k: m for m in time for k in range(m.first, m.last)}


def country(hits: Hits) -> str:
    """The country that the text's places lie in most often, else the one that its actors fight in; "" for neither."""
    votes = Counter(h.entry.get("country") for h in hits.of("places") if "cue" not in h.entry.flags)
    if not votes:
        votes = Counter(home for h in hits.of("actors") if (home := HOMES.get(h.entry.get("id"))) is not None
                        and not h.entry.flags & {"weak", "country"})  # fmt: skip
    return max(sorted(votes), key=lambda k: votes[k]) if votes else ""


def not_conflict(r: Reading, hits: Hits) -> bool:
    """Whether the words are those of sport: at least five, and more of them than firm words of war."""
    sport = sum(h.entry.get("kind") == "sport" for h in hits.of("cues"))
    war = sum(bool(h.entry.flags & {"strong", "abduct"}) for h in hits.of("triggers"))
    return sport >= 5 and sport > 3 * war
