"""What deduplication remembers: one durable `Fingerprint` per article, and the index that is derived from it.

The index answers from the fingerprints alone, in the order in which their texts arrived, so a rebuilt one answers like
the one that it replaces.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from pipeline.errors import StorageError
from pipeline.records import Verdict
from processors.dedupe.compare import Mask
from processors.dedupe.marks import I64, SHINGLE, U64, WINDOW, marks_of
from processors.dedupe.postings import TEXT_BITS, Postings
from processors.dedupe.words import U32, Words

PERIOD = dt.timedelta(days=30)  # of event time: texts further apart are not compared (exact copies always are)
FORMULA = 8  # unrelated texts that have a mark, from which on it is a formula: it says nothing of what two share
CANDIDATES = 6  # texts that a new one is compared with, those with the most marks in common
FEW_MARKS = 10  # of a text, up to which one common mark is enough
FAR = 86_400  # s by which one text without a time of fetching may move the watermark on
SWEEP = 1 << 16  # texts between two sweeps of the index
LONGEST_STEP = 0xFFFF  # code points
_DECODED = 512  # fingerprints kept decoded: neighbours in time are asked for again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One text of an article and what was decided of it.

    first: no article had this text before; said here so that a rebuilt view finds the same first holder.
    number: how many texts were judged before it. time: event time in s, for the window. published: in s. outlet:
    its name, else its host. guid: hash of host and the id that its feed gave it.
    words, places, marks: little-endian arrays: uint32, each word's number; uint16, shape (n, 2), the code points
    between it and the word before, and its length; uint64, the marks that the index holds. Empty where the text was
    known.
    """

    content_hash: str
    text_hash: str
    first: bool
    verdict: Verdict
    number: int
    time: int
    published: int | None = None
    outlet: str | None = None
    guid: bytes = b""
    words: bytes = b""
    places: bytes = b""
    marks: bytes = b""

    def numbers(self) -> U32:
        return np.frombuffer(self.words, "<u4")

    def bare(self) -> Revision:
        """Without its text: its verdict and its marks stay."""
        return replace(self, words=b"", places=b"") if self.words else self

    def text(self) -> Words:
        edges = np.cumsum(np.frombuffer(self.places, "<u2"), dtype=np.uint32)
        return Words(self.numbers(), edges[::2], edges[1::2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """All that is remembered of one article.

    observations: one short hash per time that the article was met (file and offset, or fetch time), so that a replay
    of what was seen is told apart from a page that changed back to an older text.
    """

    revisions: tuple[Revision, ...]
    observations: tuple[bytes, ...]


_decoder = msgspec.msgpack.Decoder(Fingerprint)
_encoder = msgspec.msgpack.Encoder()


def stored_form(fingerprint: Fingerprint) -> bytes:
    return _encoder.encode(fingerprint)


def fingerprint_of(value: bytes) -> Fingerprint:
    """Raises: StorageError if the state was written by an older version."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as e:
        why = f"the state of deduplication is of another version ({e}): replay into a new data folder"
        raise StorageError(why, reason="other-state") from e


class Known(NamedTuple):
    """A text that stands in the index."""

    article: str
    revision: Revision


class Indexed(NamedTuple):
    """A new text's marks, where each begins (word), and which of them are formulas."""

    marks: U64
    at: I64
    formula: Mask

    def formula_words(self, count: int) -> Mask:
        """Which of a text's `count` words stand in formulas: those of the marks and those between two of them."""
        out = np.zeros(count, np.bool_)
        edges = [*self.at.tolist(), count]
        for k, flag in enumerate(self.formula.tolist()):
            if flag:
                start = 0 if k == 0 and edges[0] < WINDOW else edges[k]
                last = k + 1 == len(self.at)
                joined = count - edges[k] < SHINGLE + WINDOW if last else self.formula[k + 1]
                out[start : edges[k + 1] if joined else edges[k] + SHINGLE] = True
        return out


class Seen:
    """The stage's view. stored: the durable mapping as it stands now, changes of the running batch included."""

    def __init__(self, stored: Mapping[str, bytes], window: dt.timedelta = PERIOD) -> None:
        self._stored = stored
        self._window = int(window.total_seconds())
        self._first: dict[str, str] = {}
        self._guids: dict[bytes, tuple[int, str]] = {}  # the first text with the id, and its article
        self._articles: list[str] = []  # by number
        self._known_ids: set[str] = set()  # so that nothing is looked up for a new article
        self._times = np.empty(1024, np.int64)  # by number
        self._postings = Postings()
        self._alias: dict[str, str] = {}  # a merged cluster → the one that it became part of
        self._floor = 0
        self.watermark: int | None = None
        self._decoded: OrderedDict[str, Fingerprint] = OrderedDict()
        self._build()

    def _build(self) -> None:
        """Everything at once from the stored fingerprints, sorted by number."""
        found: list[tuple[int, str, int, bytes]] = []
        for article, value in self._stored.items():
            for r in fingerprint_of(value).revisions:
                found.append((r.number, article, r.time, r.marks))
                self._note(article, r)
        found.sort(key=lambda row: row[0])
        if [number for number, _, _, _ in found] != list(range(len(found))):
            raise StorageError("the state of deduplication has lost or doubled a text", reason="damaged-state")
        self._articles = [article for _, article, _, _ in found]
        self._known_ids = set(self._articles)
        self._times = np.array([time for _, _, time, _ in found] + [0] * 1024, np.int64)
        self._expire()
        live = [marks for _, _, _, marks in found[self._floor :]]
        sizes = np.array([len(marks) // 8 for marks in live], np.int64)
        texts = np.repeat(np.arange(self._floor, len(found), dtype=np.uint64), sizes)
        self._postings.fill(np.frombuffer(b"".join(live), "<u8").astype(np.uint64), texts)

    def _note(self, article: str, r: Revision) -> None:
        if r.first:
            self._first[r.text_hash] = article
        if r.guid:
            mine = r.number, article
            self._guids[r.guid] = min(mine, self._guids.get(r.guid, mine))
        for cluster in r.verdict.merges:
            self._alias[cluster] = r.verdict.cluster or article
        self.watermark = r.time if self.watermark is None else max(self.watermark, r.time)

    def apply(self, changes: Mapping[str, bytes]) -> None:
        for article, value in changes.items():
            self._decoded.pop(article, None)
            for r in fingerprint_of(value).revisions:
                if r.number < len(self._articles):
                    continue
                if r.number >= len(self._times):
                    self._times = np.concatenate((self._times, np.empty(len(self._times), np.int64)))
                self._times[r.number] = r.time
                self._articles.append(article)
                self._known_ids.add(article)
                self._postings.add(np.frombuffer(r.marks, "<u8").astype(np.uint64), r.number)
                self._note(article, r)
                self._expire()

    def _expire(self) -> None:
        """Moves the floor on to the first text that is not older than the window."""
        horizon = (self.watermark or 0) - self._window
        moved = self._floor
        while self._floor < len(self._articles) and self._times[self._floor] < horizon:
            self._floor += 1
        if self._floor // SWEEP != moved // SWEEP:
            self._postings.forget(self._floor)

    @property
    def next_number(self) -> int:
        """The number of the next text. Raises: StorageError where the index has no room for it."""
        if len(self._articles) >= 1 << TEXT_BITS:
            raise StorageError(f"deduplication can number {1 << TEXT_BITS:,} texts of one log", reason="log-full")
        return len(self._articles)

    def fingerprint(self, article: str) -> Fingerprint | None:
        if article not in self._known_ids:
            return None
        known = self._decoded.get(article)
        if known is not None:
            self._decoded.move_to_end(article)
        else:
            value = self._stored.get(article)
            if value is None:
                return None
            known = self._decoded[article] = fingerprint_of(value)
            if len(self._decoded) > _DECODED:
                self._decoded.popitem(last=False)
        return known

    def first_with(self, text_hash: str) -> str | None:
        return self._first.get(text_hash)

    def with_guid(self, guid: bytes) -> str | None:
        """The first article that its host gave this id in its feed."""
        held = self._guids.get(guid)
        return held[1] if held else None

    def cluster(self, named: str) -> str:
        """The cluster that `named` is part of by now."""
        while named in self._alias:
            named = self._alias[named]
        return named

    def arrival(self, cluster: str) -> int:
        """When a cluster's first text came: its number."""
        first = self.fingerprint(cluster)
        return first.revisions[0].number if first else self.next_number

    def event_time(self, published: int | None, fetched: int | None) -> int:
        """When a text counts as seen, s: its publication, not after it was fetched. Without a time of fetching it moves
        the watermark on by a day at most, so that a page dated 2038 does not expire all others."""
        time = published if published is not None else fetched
        if time is None:
            return self.watermark or 0
        if fetched is not None:
            return min(time, fetched)
        return time if self.watermark is None else min(time, self.watermark + FAR)

    def alike(self, text: Words, time: int) -> tuple[Indexed, list[Known]]:
        """The text's marks, and the texts of the window that share the most of them, best first."""
        marks, at = marks_of(text.numbers)
        count, who, texts = self._postings.find(marks, self._floor, FORMULA)
        formula = count >= FORMULA
        indexed = Indexed(marks, at, formula)
        if not len(texts):
            return indexed, []
        keep = abs(self._times[texts] - time) <= self._window
        if formula.any():  # of a formula only its first holder: it may be the source of a passage
            _, firsts = np.unique(who, return_index=True)
            first = np.zeros(len(who), np.bool_)
            first[firsts] = True
            keep &= ~formula[who] | first
        numbers, hits = np.unique(texts[keep], return_counts=True)
        enough = hits >= (1 if len(marks) <= FEW_MARKS else 2)
        numbers, hits = numbers[enough], hits[enough]
        best = np.lexsort((numbers, -hits))[:CANDIDATES]
        return indexed, [known for n in numbers[best] if (known := self._known(int(n))).revision.words]

    def _known(self, number: int) -> Known:
        article = self._articles[number]
        fingerprint = self.fingerprint(article)
        if fingerprint is None:
            raise KeyError(article)
        return Known(article, next(r for r in fingerprint.revisions if r.number == number))


def indexed_bytes(text: Words, marks: U64) -> dict[str, Any]:
    """The fields of a Revision that hold its text; of a text with 65,536 code points in a row without a word, or in one
    word, what stands before them."""
    edges = np.empty(2 * len(text) + 1, np.int64)
    edges[0], edges[1::2], edges[2::2] = 0, text.starts, text.ends
    steps = np.diff(edges)
    whole = int(np.argmax(steps > LONGEST_STEP)) // 2 if (steps > LONGEST_STEP).any() else len(text)
    return {
        "words": text.numbers[:whole].astype("<u4").tobytes(),
        "places": steps[: 2 * whole].astype("<u2").tobytes(),
        "marks": marks.astype("<u8").tobytes(),
    }
