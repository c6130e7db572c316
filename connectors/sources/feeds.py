"""RSS and Atom: the entries of a feed that lies before us as bytes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

from connectors.clean import clean_fragment
from connectors.language import language_of
from connectors.sources.charset import decode, without_controls
from connectors.sources.times import parse_time
from connectors.urls import canonical_url
from pipeline.errors import Unusable

DEEPEST = 100  # elements inside each other; feeds need seven, and the parser's time grows with the square
LONGEST_NAME = 500  # code points of an author: the parser's search for mail addresses in it is quadratic

_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_TAG_NAME = re.compile(r"<(?:[\w.-]{1,50}:)?([\w.-]{1,50})")
_PEOPLE = frozenset(("author", "creator", "contributor", "name", "managingeditor", "webmaster", "publisher"))
_ENDS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>", "<!": ">", "<": ">"}  # longest opening first
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a feed. Times are UTC.

    source_id: its guid. feed: name or address of the feed. partial: body is only the summary.
    """

    feed: str
    source_id: str | None
    url: str | None
    outlet: str | None
    language: str | None
    title: str | None
    body: str
    partial: bool
    author: str | None
    published: dt.datetime | None
    updated: dt.datetime | None


def parse_feed(data: bytes, name: str) -> Iterator[Entry]:
    """The entries of an RSS or Atom document, in its order, also out of broken XML as far as it can be read.

    name: file or address, kept as `Entry.feed`. An entry's text may be empty: that is for the caller to judge.
    Raises: Unusable (reason "bad-feed" if it is no feed, "too-large" if it is nested too deep).
    """
    # Loaded here because only feeds need it, and it takes a tenth of a second.
    import feedparser

    text = _tamed(without_controls(_XML_DECLARATION.sub("", decode(data))))
    try:
        parsed: Any = feedparser.parse(  # type: ignore[attr-defined, no-untyped-call]
            BytesIO(text.encode()),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # its fallback parser fails in many ways on hostile markup; none may stop the flow
        raise Unusable(f"not a feed: {type(error).__name__}: {error}", reason="bad-feed") from error
    if not parsed.get("version") and not parsed.entries:
        raise Unusable("not a feed", reason="bad-feed")
    for entry in parsed.entries:
        yield _entry(entry, parsed.feed, name)


def _entry(entry: Any, feed: Any, name: str) -> Entry:
    title = clean_fragment(_text(entry, "title") or "").replace("\n", " ") or None
    body, partial = "", False
    for content in entry.get("content") or ():
        full = clean_fragment(content.get("value") or "", title)
        body = full if len(full) > len(body) else body
    if not body:
        body = clean_fragment(_text(entry, "summary") or "", title)
        partial = bool(body)
    stated = _LANGUAGE.match((_text(entry, "language") or _text(feed, "language") or "").strip().lower())
    updated = parse_time(_text(entry, "updated"))
    return Entry(
        feed=name,
        source_id=_text(entry, "id"),
        url=_address(entry, feed),
        outlet=_text(feed, "title"),
        language=language_of(body or title or "") or (stated[1] if stated else None),
        title=title,
        body=body,
        partial=partial,
        author=_text(entry, "author"),
        published=parse_time(_text(entry, "published")) or parse_time(_text(entry, "created")) or updated,
        updated=updated,
    )


def _address(entry: Any, feed: Any) -> str | None:
    """Where the article stands: the address behind a feed service's redirect, the link, or a guid that is one."""
    for key in ("feedburner_origlink", "link", "id"):
        said = (_text(entry, key) or "").strip()
        if canonical_url(said):
            return said
        if said and key == "link" and (base := _text(feed, "link")):
            try:
                joined = urljoin(base, said)
            except ValueError:
                continue
            if canonical_url(joined):
                return joined
    return None


def _text(node: Any, key: str) -> str | None:
    value = dict.get(node, key)  # the library's own `get` answers for "updated" with "published"
    return without_controls(value).strip() or None if isinstance(value, str) else None


def _tamed(text: str) -> str:
    """The markup without what makes the parser's time grow with the square of its size.

    Names are cut at LONGEST_NAME, and the text ends where markup begins that never ends. One pass.
    Raises: Unusable for elements nested too deep.
    """
    kept: list[str] = []
    depth, inside, room, position = 0, "", LONGEST_NAME, 0
    while (start := text.find("<", position)) >= 0:
        opening = next(mark for mark in _ENDS if text.startswith(mark, start))
        end = text.find(_ENDS[opening], start + len(opening))
        words = text[position:start]
        if inside in _PEOPLE:
            words, room = words[:room], room - len(words[:room])
        kept.append(words)
        if end < 0:
            return "".join(kept)
        position = end + len(_ENDS[opening])
        markup = text[start:position]
        if opening == "<![CDATA[" and inside in _PEOPLE:
            markup = opening + markup[9:-3][:room] + "]]>"
            room -= len(markup) - 12
        elif opening == "<":
            closes, alone = markup.startswith("</"), markup.endswith("/>")
            depth += -1 if closes else 0 if alone else 1
            if depth > DEEPEST:
                raise Unusable(f"elements nested deeper than {DEEPEST}", reason="too-large")
            name = _TAG_NAME.match(markup)
            inside = "" if closes or alone or not name else name[1].lower()
            room = LONGEST_NAME
        kept.append(markup)
    kept.append(text[position:])
    return "".join(kept)
