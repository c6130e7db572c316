"""What a feed or sitemap said, whatever its dialect; and what tells one entry from another."""

from __future__ import annotations

import datetime as dt
import hashlib
import html
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from connectors.boilerplate import without_by
from connectors.clean import clean_fragment
from connectors.language import language_of
from connectors.sources.addresses import is_front
from connectors.sources.charset import without_controls
from connectors.urls import canonical_url
from pipeline.errors import Unusable
from pipeline.records import Entry

MOST_ENTRIES = 2_000  # of one answer; the largest feeds of news outlets have 500, Google's news sitemaps 1,000
LONGEST_TITLE = 1_000  # code points
LONGEST_TEXT = 400_000  # code points of an entry's HTML
LONGEST_WORDS = 500  # code points of an author line or a category
LONGEST_ID = 2_000  # code points
MOST_OF_A_KIND = 10  # texts, dates, links, authors of one entry that are looked at
ENOUGH = 250  # code points of text beside which a summary is not looked at
_SHARED = 3  # entries of one feed with an address from which on it is not theirs

_HTML = re.compile(r"</?[A-Za-z][\w:-]{0,20}(?:[\s/>]|$)|<!--|&(?:#\w{1,8}|[A-Za-z]\w{1,30});")
_ESCAPED_TWICE = re.compile(r"</(?:p|div|span|a|strong|em)\s*>|<br\s*/?>|<p>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style)\b.{0,1000}?</\1\s*>|<!--.{0,1000}?-->", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"</?[A-Za-z!][^<>]{0,2000}>")
_BREAKING = re.compile(r"<(?:br|p|div|/p|/div)\b[^<>]{0,200}>", re.IGNORECASE)
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_]|$)")
_MAIL = re.compile(r"[^\s@()<>]{1,64}@[^\s@()<>]{1,100}")
_EDGES = " \t\r\n,;:()<>[]-|"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """A feed, or a sitemap of articles, as read.

    entries: in the feed's order, at most MOST_ENTRIES. skipped: those beyond, and those cut short by the end of the
    text or empty. ttl_seconds: how long the feed asks to be left alone. hub: where it announces changes (WebSub).
    self_url: its own word for its address. dialect: "rss-2.0", "rss-1.0", "rss-0.92", "atom-1.0", "json-1.1",
    "news-sitemap" and their like.
    """

    entries: tuple[Entry, ...]
    dialect: str
    title: str | None = None
    language: str | None = None
    ttl_seconds: float | None = None
    hub: str | None = None
    self_url: str | None = None
    updated: dt.datetime | None = None
    skipped: int = 0


@dataclass(slots=True)
class Allowance:
    """How many tags and lines of one feed's texts are still parsed; of what is beyond, the tags are only taken off.

    Parsing costs 5 µs a tag: 16 MB of nothing else would take twenty seconds.
    """

    left: int = 200_000  # the largest feeds of outlets have 60,000

    def clean(self, text: str, headline: str | None) -> str:
        text = text[:LONGEST_TEXT]
        self.left -= text.count("<") + text.count("\n")
        if self.left < 0:
            return " ".join(html.unescape(_TAGS.sub(" ", text)).split())
        try:
            cleaned = clean_fragment(text if _HTML.search(text) else html.escape(text, quote=False), headline)
            return clean_fragment(cleaned, headline) if _ESCAPED_TWICE.search(cleaned) else cleaned
        except Unusable:  # hostile markup costs its own text only
            return ""


def entry_key(entry: Entry) -> str:
    """What stays the same for one article over all answers of its feed, and differs between articles.

    Its canonical URL where it has one of its own; else its guid within the feed; else its headline (or its text).
    Guids are trusted only there: outlets reuse them, and change them with the headline.
    """
    canonical = canonical_url(entry.url)
    if canonical and not is_front(canonical):
        return canonical
    if entry.source_id:
        return f"guid:{_hash(entry.feed, entry.source_id)}"
    return f"text:{_hash(entry.feed, entry.title or entry.body)}"


def entry_mark(entry: Entry) -> str:
    """Fingerprint of what the feed says of an article; another one means that the entry was edited."""
    updated = entry.updated.isoformat() if entry.updated else ""
    return _hash(" ".join((entry.title or "").split()), " ".join(entry.body.split()), updated)


def make_entry(
    *,
    feed: str,
    outlet: str | None,
    url: str | None,
    source_id: str | None,
    stated_language: str | None,
    title: str | None,
    contents: Iterable[str] = (),
    summaries: Iterable[str] = (),
    author: str | None = None,
    section: str | None = None,
    published: dt.datetime | None = None,
    updated: dt.datetime | None = None,
    allowance: Allowance | None = None,
) -> Entry:
    """The entry of these words, texts cleaned.

    title, contents, summaries: HTML, or plain text that holds no markup. The longest of `contents` is the text; where
    that is short, a longer one of `summaries` (the entry is `partial` then).
    """
    allowance = allowance or Allowance()
    headline = plain_line(title, LONGEST_TITLE)
    body, partial = _longest(contents, headline, allowance), False
    if len(body) < ENOUGH and len(summary := _longest(summaries, headline, allowance)) > len(body):
        body, partial = summary, True
    source_id = (without_controls(source_id).strip()[:LONGEST_ID] or None) if source_id else None
    return Entry(
        feed=feed,
        outlet=outlet,
        url=url,
        source_id=source_id,
        language=language_of(body or headline or "") or language_code(stated_language),
        title=headline,
        body=body,
        partial=partial,
        author=author,
        section=section,
        published=published,
        updated=updated,
    )


def with_own_addresses(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries, without addresses and ids that many of them share and that so belong to none.

    An address under three or more headlines is a section's or a ticker's page. An id that is all that two entries
    without address have, and the same, tells nothing.
    """
    headlines: dict[str, set[str | None]] = defaultdict(set)
    for entry in entries:
        if canonical := canonical_url(entry.url):
            headlines[canonical].add(entry.title)
    shared = {canonical for canonical, titles in headlines.items() if len(titles) >= _SHARED}
    if shared:
        entries = [replace(e, url=None) if canonical_url(e.url) in shared else e for e in entries]
    named: dict[str | None, set[str | None]] = defaultdict(set)
    for entry in entries:
        if entry.url is None and entry.source_id:
            named[entry.source_id].add(entry.title)
    return tuple(
        replace(entry, source_id=None) if entry.url is None and len(named.get(entry.source_id, ())) > 1 else entry
        for entry in entries
    )


def plain_line(words: str | None, longest: int = LONGEST_WORDS) -> str | None:
    """One line without markup, of at most `longest` code points; None if nothing is left."""
    if not words:
        return None
    words = words[: 4 * longest]
    if _HTML.search(words):
        words = _BREAKING.sub(" ", _UNSEEN.sub("", words))
        words = html.unescape(_TAGS.sub("", words))
    return " ".join(without_controls(words).split())[:longest].strip() or None


def person(words: str | None) -> str | None:
    """The name in an author line of RSS (`mail (Name)`, `Name <mail>`); None if there is only an address."""
    line = plain_line(words)
    if line and "@" in line:
        line = " ".join(_MAIL.sub(" ", line).removeprefix("mailto:").split()).strip(_EDGES) or None
    return without_by(line) if line and not line.startswith(("http://", "https://")) else None


def language_code(stated: str | None) -> str | None:
    """`ar` of `ar`, `AR-sa` or `ar_SY`; None for what is no code."""
    found = _LANGUAGE.match(stated.strip().lower()) if stated else None
    return found[1] if found else None


def _longest(texts: Iterable[str], headline: str | None, allowance: Allowance) -> str:
    cleaned = (allowance.clean(text, headline) for text in dict.fromkeys(islice(texts, MOST_OF_A_KIND)))
    return max(cleaned, key=len, default="")


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\x00".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
