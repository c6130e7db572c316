"""Which article says something new: copies, revisions, stories told again, and passages taken over from older ones.

Verdicts are stored, so a record that comes again gets the verdict it had, and nothing is published twice.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.records import Article, Changed, Outcome, Reused, Unique, Verdict
from processors.dedupe import credits
from processors.dedupe.compare import Mask, Overlap, Run, overlap, runs, within
from processors.dedupe.judge import HALF, MOST, Kind, Pair, kind, pair
from processors.dedupe.marks import SHINGLE, U64
from processors.dedupe.seen import Fingerprint, Indexed, Known, Revision, Seen, indexed_bytes, stored_form
from processors.dedupe.words import Words, words_of

SHORT = 20  # words; a shorter body («video», a caption) is no story of its own: its headline counts as text too
TEXTS = 3  # of one article, the newest, that are kept for comparing; of older ones the index keeps its marks
OBSERVED = 1_000  # times that an article was met, the last ones, that are remembered
PASSAGE = 15  # words of the shortest passage that is told as taken over; shorter ones are formulas of the trade
ONE_STORY = 0.25  # of a text that two older ones of other clusters both have, to say that those are one story
MOST_CHANGES = 100  # passages of a revision that are told apart; beyond, the last one takes in all the rest
_MARKS = re.compile("[\u0610-\u061a\u064b-\u065f\u0640\u0670\u200b-\u200f]+")
_WORDS = re.compile(r"\w+")
_HOST = re.compile(r"^\w+://(?:www\.)?([^/?#]+).*", re.DOTALL)


def dedupe(article: Article, seen: Seen) -> Outcome:
    """Judges one article. Publishes a Verdict, and a Unique where the text is to be read.

    The same text under an address already known publishes nothing: its (id, revision) has its verdict.
    """
    known = seen.fingerprint(article.id)
    met = _observation(article)
    if known is None:
        known = Fingerprint(revisions=(), observations=())
    elif met in known.observations:
        return Outcome(duplicate=True)
    known = replace(known, observations=(*known.observations[1 - OBSERVED :], met))
    if known.revisions and article.content_hash == known.revisions[-1].content_hash:
        return Outcome(changes={article.id: stored_form(known)}, duplicate=True)
    revision = _revision(article, known.revisions, seen)
    older = (*(r.bare() for r in known.revisions[: 1 - TEXTS]), *known.revisions[1 - TEXTS :])
    known = replace(known, revisions=(*older, revision))
    changes = {article.id: stored_form(known)}
    verdict = revision.verdict
    if verdict.verdict in ("exact_duplicate", "near_duplicate"):
        return Outcome((verdict,), changes, duplicate=True)
    return Outcome((verdict, Unique(article=article, verdict=verdict)), changes)


def _revision(article: Article, before: Sequence[Revision], seen: Seen) -> Revision:
    text = text_hash(article.title, article.body)
    first = seen.first_with(text)
    time = seen.event_time(_seconds(article.published), _seconds(article.fetched))
    common: dict[str, Any] = {
        "content_hash": article.content_hash,
        "text_hash": text,
        "first": first is None,
        "number": seen.next_number,
        "time": time,
        "published": _seconds(article.published),
        "outlet": _outlet(article),
        "guid": _guid(article),
    }
    if first is not None and not before:
        return Revision(verdict=_copy(article, first, seen), **common)
    words = compared(article)
    indexed, alike = seen.alike(words, time)
    told = _Told(article, words, indexed, [k for k in alike if k.article != article.id], seen)
    if before:
        verdict, fresh = told.revised(before)
    else:
        verdict, fresh = told.moved(common["guid"]) or told.judged()
    return Revision(verdict=verdict, **common, **indexed_bytes(words, fresh))


def _copy(article: Article, first: str, seen: Seen) -> Verdict:
    original = seen.fingerprint(first)
    cluster = original.revisions[0].verdict.cluster if original else None
    credit = credits.origin(article) or (original.revisions[0].verdict.origin if original else None)
    return Verdict(
        article_id=article.id,
        revision=1,
        verdict="exact_duplicate",
        of=first,
        cluster=seen.cluster(cluster or first),
        origin=credit,
        similarity=1.0,
        contained=1.0,
        contains=1.0,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """A new text beside those of the index that share most with it."""

    article: Article
    words: Words
    indexed: Indexed
    alike: Sequence[Known]
    seen: Seen

    def judged(self) -> tuple[Verdict, U64]:
        """The verdict on an article's first text, and the marks that the index shall hold of it."""
        formula = self.indexed.formula_words(len(self.words))
        beside = [(known, self._pair(known, formula)) for known in self.alike]
        told = [(known, p, how) for known, p in beside if (how := kind(p))]
        if not told:
            return self._unique(beside), self.indexed.marks
        of, p, how = max(told, key=_closeness)
        cluster = self._cluster(of)
        merges = sorted({self._cluster(k) for k, other, _ in told if _overlapping(p, other)} - {cluster})
        if merges:  # the oldest of them goes on
            oldest = min({cluster, *merges}, key=self.seen.arrival)
            merges = sorted({cluster, *merges} - {oldest})
            cluster = oldest
        verdict = self._verdict(
            how,
            1,
            of=of.article,
            cluster=cluster,
            told_by=of.revision.verdict.origin,
            **_shares(p.shared),
            reused=self._reused(cluster, *merges),
            merges=tuple(merges),
        )
        return verdict, self._fresh(overlap(self.words.numbers, of.revision.numbers()).new)

    def _unique(self, beside: Sequence[tuple[Known, Pair]]) -> Verdict:
        """A story of its own, with the text that it contains most of, where that is much."""
        of, p = max(beside, key=lambda found: found[1].best, default=(None, None))
        much: dict[str, Any] = {"of": of.article, **_shares(p.shared)} if of and p and p.best >= HALF else {}
        return self._verdict("unique", 1, cluster=self.article.id, reused=self._reused(self.article.id), **much)

    def revised(self, before: Sequence[Revision]) -> tuple[Verdict, U64]:
        """The verdict on a changed text under a known address."""
        last = next((r for r in reversed(before) if r.words), None)
        return self._revision(self.article.id, len(before) + 1, before, last)

    def moved(self, guid: bytes) -> tuple[Verdict, U64] | None:
        """The verdict on a text whose feed calls it an article that is known under another address. None where there is
        no such article, or where its text says that the id was used again for another story."""
        known = self.seen.with_guid(guid) if guid else None
        before = self.seen.fingerprint(known) if known else None
        if known is None or before is None:
            return None
        last = next((r for r in reversed(before.revisions) if r.words), None)
        if last is None or self._pair(Known(known, last), None).best < HALF:
            return None
        return self._revision(known, 1, before.revisions, last)

    def _revision(self, of: str, number: int, before: Sequence[Revision], last: Revision | None) -> tuple[Verdict, U64]:
        cluster = self.seen.cluster(before[0].verdict.cluster or of)
        old = last.text() if last else None
        shared = overlap(self.words.numbers, old.numbers) if old else None
        verdict = self._verdict(
            "revision",
            number,
            of=of,
            cluster=cluster,
            told_by=before[-1].verdict.origin,
            **(_shares(shared) if shared else {}),
            reused=self._reused(cluster),
            changed=tuple(_changes(self.words, old)) if old else (),
        )
        return verdict, self.indexed.marks if shared is None else self._fresh(shared.new)

    def _verdict(self, verdict: Any, revision: int, told_by: str | None = None, **given: Any) -> Verdict:
        """told_by: the agency of the text that this one repeats, where it credits none itself."""
        origin = credits.origin(self.article) or told_by
        return Verdict(article_id=self.article.id, revision=revision, verdict=verdict, origin=origin, **given)

    def _pair(self, known: Known, formula: Mask | None) -> Pair:
        then, now = known.revision.published, _seconds(self.article.published)
        apart = None if then is None or now is None else float(now - then)
        outlet = _outlet(self.article)
        one_outlet = outlet is not None and outlet == known.revision.outlet
        return pair(self.words.numbers, known.revision.numbers(), apart, one_outlet, formula)

    def _cluster(self, known: Known) -> str:
        return self.seen.cluster(known.revision.verdict.cluster or known.article)

    def _fresh(self, shared: Mask) -> U64:
        """Marks of what a copy says beyond its original: so a mark's count is one of stories, not of copies."""
        at = self.indexed.at
        return self.indexed.marks[within(shared, at, np.minimum(at + SHINGLE, len(shared))) < SHINGLE]

    def _reused(self, *clusters: str) -> tuple[Reused, ...]:
        """Passages that stood in older texts of other clusters, by the text in which each appeared first."""
        now = _seconds(self.article.published)
        taken = np.zeros(len(self.words), np.bool_)
        out = []
        for known in sorted(self.alike, key=lambda k: (k.revision.published is None, k.revision.published or 0)):
            then = known.revision.published
            if self._cluster(known) in clusters or (now is not None and then is not None and then > now):
                continue
            old = known.revision.text()
            for run in runs(self.words.numbers, old.numbers, PASSAGE):
                free = _free(run, taken)
                if free is not None:
                    taken[free.start : free.end] = True
                    out.append(self._passage(free, known, old))
        return tuple(sorted(out, key=lambda r: r.start))

    def _passage(self, run: Run, known: Known, old: Words) -> Reused:
        at = int(old.starts[run.old_start])
        then = known.revision.published
        first = None if then is None else dt.datetime.fromtimestamp(then, dt.UTC)
        earlier = [
            r.first_published
            for r in known.revision.verdict.reused
            if r.start <= at < r.end and r.first_published is not None
        ]
        return Reused(
            start=int(self.words.starts[run.start]),
            end=int(self.words.ends[run.end - 1]),
            of=known.article,
            of_start=at,
            first_published=min([*earlier, first]) if first is not None else min(earlier, default=None),
        )


def _closeness(told: tuple[Known, Pair, Kind]) -> tuple[float, int]:
    known, p, _ = told
    return (p.shared.contained + p.shared.contains, -known.revision.number)


def _overlapping(one: Pair, other: Pair) -> bool:
    """Whether two older texts stand in the new one, mostly, and tell the same part of it: so they are one story, and
    not two of a round-up, nor two that print its headline."""
    if min(one.shared.contains, other.shared.contains) < MOST:
        return False
    return bool(np.count_nonzero(one.told & other.told) >= ONE_STORY * len(one.told))


def _shares(shared: Overlap) -> dict[str, float]:
    contained, contains = round(shared.contained, 4), round(shared.contains, 4)
    return {"similarity": max(contained, contains), "contained": contained, "contains": contains}


def _guid(article: Article) -> bytes:
    """What tells an article of a feed over changes of its address: 8 bytes, or none."""
    host = _HOST.sub(r"\1", article.canonical_url or "")
    if not host or not article.source_id or article.feed is None:
        return b""
    named = f"{host}\x1f{article.source_id}"
    return hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _outlet(article: Article) -> str | None:
    return article.outlet or _HOST.sub(r"\1", article.canonical_url or "") or None


def _free(run: Run, taken: Mask) -> Run | None:
    """The run without what is taken at its ends; None where too little is left."""
    free = np.flatnonzero(~taken[run.start : run.end])
    if not len(free):
        return None
    start, end = run.start + int(free[0]), run.start + int(free[-1]) + 1
    if end - start < PASSAGE or taken[start:end].any():
        return None
    shift = min(start - run.start, run.old_end - run.old_start - 1)
    return Run(start, end, run.old_start + shift, run.old_end)


def _changes(new: Words, old: Words) -> Iterator[Changed]:
    """What stands between the passages that both texts have in the same order."""
    at, was = 0, 0
    found = []
    for run in [*runs(new.numbers, old.numbers, 1, bridge=0), Run(len(new), len(new), len(old), len(old))]:
        # a phrase that stands twice in the old text may be tied to a place that has been passed
        skip = max(at - run.start, was - run.old_start, 0)
        start, old_start = run.start + skip, run.old_start + skip
        if start > run.end or old_start > run.old_end:
            continue  # moved: told as cut there and added here
        if (start, old_start) != (at, was):
            found.append((_edge(new, at), _edge(new, start), _edge(old, was), _edge(old, old_start)))
        at, was = run.end, run.old_end
    if len(found) > MOST_CHANGES:
        rest = found[MOST_CHANGES - 1 :]
        found[MOST_CHANGES - 1 :] = [(rest[0][0], rest[-1][1], rest[0][2], rest[-1][3])]
    for start, end, of_start, of_end in found:
        yield Changed(start=start, end=end, of_start=of_start, of_end=of_end)


def _edge(text: Words, word: int) -> int:
    """Where a word begins; behind the last one, where that ends."""
    if word < len(text):
        return int(text.starts[word])
    return int(text.ends[-1]) if len(text) else 0


def compared(article: Article) -> Words:
    """The words by which an article is compared: its body's, and its headline's too where the body is a caption.
    Offsets count in the reading text."""
    body = words_of(article.body, len(article.text) - len(article.body))
    return body if len(body) >= SHORT else words_of(article.text)


def text_hash(title: str | None, body: str) -> str:
    """32 hex digits over the words of the body: case, punctuation, white space and vowel marks do not count."""
    words = _words(body)
    if len(words) < SHORT:
        words = _words(title or "") + words
    if not words:  # signs alone
        words = [title or "", body]
    return hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _words(text: str) -> list[str]:
    return _WORDS.findall(_MARKS.sub("", text).casefold())


def _seconds(time: dt.datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _observation(article: Article) -> bytes:
    at = article.archive
    parts = (
        article.content_hash,
        article.url,
        at and at.file.removesuffix(".gz").removesuffix(".zst"),  # a compressed copy is the same archive
        at and at.offset,
        article.fetched,
        article.updated,
        article.published,
    )
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=8).digest()
