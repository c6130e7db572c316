"""Which article says something new: exact copies and numbered revisions.

One `Fingerprint` per article is the durable state; what is looked up by text is derived from it. Verdicts are stored,
so a record that comes again gets the verdict it had, and nothing is published twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from pipeline.records import Article, Outcome, Unique, Verdict

SHORT = 20  # words; a shorter body («video», a caption) is no story of its own: its headline counts as text too
_MARKS = dict.fromkeys([*range(0x0610, 0x061B), *range(0x064B, 0x0660), 0x0640, 0x0670, *range(0x200B, 0x2010)])
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One text of an article and what was decided of it.

    first: no article had this text before; said here so that a rebuilt view finds the same first holder.
    """

    content_hash: str
    text_hash: str
    first: bool
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """All that is remembered of one article.

    observations: one short hash per time that the article was met (file and offset, or fetch time), so that a replay
    of what was seen is told apart from a page that changed back to an older text.
    """

    revisions: tuple[Revision, ...]
    observations: tuple[str, ...]


_decoder = msgspec.json.Decoder(Fingerprint)


class Seen:
    """The stage's view: fingerprints by article id, and the first article that had a text.

    stored: the durable mapping as it stands now, changes of the running batch included.
    """

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self._stored = stored
        self._first: dict[str, str] = {}
        self.apply(stored)

    def apply(self, changes: Mapping[str, bytes]) -> None:
        for article, value in changes.items():
            for revision in _decoder.decode(value).revisions:
                if revision.first:
                    self._first[revision.text_hash] = article

    def fingerprint(self, article: str) -> Fingerprint | None:
        value = self._stored.get(article)
        return None if value is None else _decoder.decode(value)

    def first_with(self, text_hash: str) -> str | None:
        return self._first.get(text_hash)


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
    known = replace(known, observations=(*known.observations, met))
    if known.revisions and article.content_hash == known.revisions[-1].content_hash:
        return Outcome(changes={article.id: msgspec.json.encode(known)}, duplicate=True)
    text = text_hash(article.title, article.body)
    first = seen.first_with(text)
    verdict = _judge(article, known.revisions, first, seen)
    revision = Revision(content_hash=article.content_hash, text_hash=text, first=first is None, verdict=verdict)
    known = replace(known, revisions=(*known.revisions, revision))
    changes = {article.id: msgspec.json.encode(known)}
    if verdict.verdict == "exact_duplicate":
        return Outcome((verdict,), changes, duplicate=True)
    return Outcome((verdict, Unique(article=article, verdict=verdict)), changes)


def _judge(article: Article, before: tuple[Revision, ...], first: str | None, seen: Seen) -> Verdict:
    if before:
        return Verdict(
            article_id=article.id,
            revision=len(before) + 1,
            verdict="revision",
            of=article.id,
            cluster=before[0].verdict.cluster,
        )
    if first is None:
        return Verdict(article_id=article.id, revision=1, verdict="unique", cluster=article.id)
    original = seen.fingerprint(first)
    return Verdict(
        article_id=article.id,
        revision=1,
        verdict="exact_duplicate",
        of=first,
        cluster=original.revisions[0].verdict.cluster if original else first,
        similarity=1.0,
    )


def text_hash(title: str | None, body: str) -> str:
    """32 hex digits over the words of the body: case, punctuation, white space and vowel marks do not count."""
    words = _words(body)
    if len(words) < SHORT:
        words = _words(title or "") + words
    return hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.translate(_MARKS).casefold())


def _observation(article: Article) -> str:
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
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
