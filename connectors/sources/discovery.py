"""The feeds that a home page announces or links to."""

from __future__ import annotations

import html as entities
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from connectors.sites import same_site
from connectors.sources.addresses import absolute
from connectors.sources.charset import decode, without_forbidden
from connectors.sources.entries import plain_line
from connectors.urls import canonical_url, host_of
from pipeline.errors import FileError

WORDS = Path(__file__).parents[1] / "data" / "feed_links.tsv"
MOST_FEEDS = 20
LARGEST = 6_000_000  # code points of HTML that are looked at
MOST_LINKS = 20_000
_KINDS = frozenset(("type", "path", "host", "query", "not", "comments"))
_MARK = re.compile(
    r"""<(?:(!--)|(link|a|base)(?=[\s/])((?:[^<>"']++|"[^"]*+"|'[^']*+')*+|[^<>]*+)>|(script|style|textarea)\b)""",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""(?<![\w.:-])([\w:-]{1,40})\s{0,20}=\s{0,20}("[^"]*+"|'[^']*+'|[^\s"'>]++)""")
_LONGEST_TAG = 5_000  # code points of attributes that are looked at
_LONGEST_LABEL = 300  # code points behind a link's tag in which its words are looked for
_GENERIC = ("application/json", "text/xml", "application/xml")  # a feed's or anything else's: the address must tell
_FEED_SCHEME = re.compile(r"feed:(?://)?(?=https?:)|feed:(?=//)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFeed:
    """An address that a page calls a feed, or that looks like one.

    announced: by a `<link rel=alternate>`; otherwise an ordinary link. comments: of readers' comments.
    """

    url: str
    title: str | None = None
    type: str | None = None
    announced: bool = False
    same_site: bool = False
    comments: bool = False


def find_feeds(html: bytes, url: str, charset: str | None = None) -> list[FoundFeed]:
    """The feeds of an HTML page fetched at `url`, the likeliest first, each once, at most MOST_FEEDS.

    Announced before linked, of the same site before others, feeds of comments last, else in the page's order.
    Never raises; in time that grows with the page's size alone.
    """
    text = without_forbidden(decode(html, charset))[:LARGEST]
    found: dict[str, FoundFeed] = {}
    for feed in _candidates(text, url):
        canonical = canonical_url(feed.url) or feed.url
        held = found.get(canonical)
        if held is None or (feed.announced and not held.announced):
            found[canonical] = feed
    own = canonical_url(url)
    ranked = sorted(
        (feed for canonical, feed in found.items() if canonical != own),
        key=lambda feed: (feed.comments, not feed.same_site, not feed.announced),
    )
    return ranked[:MOST_FEEDS]


def _candidates(text: str, url: str) -> Iterator[FoundFeed]:
    base = url
    for tag, attributes, label in _links(text):
        said = _FEED_SCHEME.sub("", attributes.get("href", "").strip())
        if tag == "base":
            base = absolute(said, url) or base
            continue
        at = absolute(said, base)
        if at is None:
            continue
        lowered, kind = at.lower(), attributes.get("type", "").partition(";")[0].strip().lower()
        if any(word in lowered for word in _words()["not"]):
            continue
        if tag == "link":
            relations = attributes.get("rel", "").lower().split()
            if "stylesheet" in relations or not ("alternate" in relations or "feed" in relations):
                continue
            if kind not in _words()["type"] and not (kind in _GENERIC and _looks_like_feed(at)):
                continue
        elif not (_looks_like_feed(at) or kind in _words()["type"]):
            continue
        title = plain_line(attributes.get("title") or label)
        named = f"{lowered} {(title or '').casefold()}"
        yield FoundFeed(
            url=at,
            title=title,
            type=kind or None,
            announced=tag == "link",
            same_site=same_site(at, url),
            comments=any(word in named for word in _words()["comments"]),
        )


def _links(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Name, attributes and following words of every `link`, `a` and `base` that is not in a comment or a script."""
    position = count = 0
    unclosed: set[str] = set()
    while (found := _MARK.search(text, position)) and count < MOST_LINKS:
        comment, tag, rest, opaque = found.groups()
        position = found.end()
        if tag:
            count += 1
            attributes = {
                name.lower(): entities.unescape(value[1:-1] if value[0] in "\"'" else value)
                for name, value in _ATTRIBUTE.findall(rest[:_LONGEST_TAG])
            }
            label = text[position : position + _LONGEST_LABEL].partition("</a")[0] if tag.lower() == "a" else ""
            yield tag.lower(), attributes, label
            continue
        closing = "-->" if comment else f"</{opaque.lower()}"
        if closing in unclosed:
            continue
        end = text.find(closing, position) if comment else _find_tag(text, closing, position)
        if end < 0:
            unclosed.add(closing)
        else:
            position = end + len(closing)


def _find_tag(text: str, closing: str, position: int) -> int:
    found = re.compile(re.escape(closing), re.IGNORECASE).search(text, position)
    return found.start() if found else -1


def _looks_like_feed(url: str) -> bool:
    parts = urlsplit(url.lower())
    path = parts.path.rstrip("/")
    return (
        path.endswith(_words()["path"])
        or host_of(url) in _words()["host"]
        or any(pair in _words()["query"] for pair in parts.query.split("&"))
        or "/rss/" in path
        or (path.endswith(".xml") and ("rss" in path or "feed" in path))
    )


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """What the data file says, by kind. Raises: FileError for a row that breaks its rules."""
    listed: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(WORDS.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        kind, _, words = line.partition("\t")
        if kind not in _KINDS or not words:
            raise FileError(WORDS, number, f"wants two columns: one of {', '.join(sorted(_KINDS))}, and words")
        listed[kind].append(words.casefold())
    return {kind: tuple(words) for kind, words in listed.items()}
