"""What a page states about itself: JSON-LD first, then Open Graph and meta elements, then its own headings."""

from __future__ import annotations

import datetime as dt
import html as entities
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal

from lxml import html

from connectors.boilerplate import without_by
from connectors.sources.charset import without_controls
from connectors.sources.rows import author_line
from connectors.sources.times import parse_time

#: How exactly a time is stated: with its zone, in a local time whose zone is not said, or as a day.
Exactness = Literal["moment", "local", "day"]

_ARTICLES = re.compile(r"(?:\w*Article|BlogPosting|LiveBlogPosting|Report)$")
_LISTS = frozenset(("CollectionPage", "ItemList", "SearchResultsPage", "WebSite"))
_MEDIA = frozenset(
    ("VideoObject", "ImageGallery", "MediaGallery", "AudioObject", "PodcastEpisode", "VideoGallery", "ProfilePage")
)
_PAGES = frozenset(("WebPage", "VideoObject", "ItemPage"))
_MOST_NODES = 500  # of JSON-LD: a page describes itself in a dozen
_HOLDERS = ("@graph", "mainEntity", "mainEntityOfPage")
_MOST_PARTS = 50
_MOST_SCRIPTS = 2_000
_LARGEST_SCRIPT = 500_000  # code points
_PUBLISHED = (
    "article:published_time", "og:article:published_time", "og:published_time", "datepublished", "date",
    "pubdate", "publishdate", "publish-date", "publish_date", "publication_date", "dc.date", "dc.date.issued",
    "dcterms.created", "dcterms.date", "parsely-pub-date", "sailthru.date", "cxenseparse:recs:publishtime",
)  # fmt: skip
_UPDATED = ("article:modified_time", "og:updated_time", "datemodified", "lastmod", "last-modified", "dcterms.modified")
_SECTION = (
    "article:section",
    "og:article:section",
    "section",
    "parsely-section",
    "cxenseparse:recs:category",
    "dc.subject",
)
_BESIDE = frozenset(("aside", "nav", "footer", "li"))
_INSIDE = frozenset(("article", "header"))
_LONGEST_NAME = 30
_SHORTEST_HEADLINE = 25
_MOST_TIMES = 500
_MOST_HEADINGS = 20
_LONGEST_TITLE = 1_000  # code points; a longer headline or author line is none
_LONGEST_AUTHOR = 300
_LONGEST_SECTION = 80  # code points; a longer one is a list of keywords
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?", re.ASCII)
_MIDNIGHT = re.compile(r"0?0:00(?::00(?:[.,]0+)?)?")
_ZONE = re.compile(r"[+-]\d{2}|[A-Za-z]")
_DAY_NUMBERS = 30_000_000  # `20240131` is a day, a larger number counts seconds
_NEAR = dt.timedelta(hours=14)  # the furthest that local time is from UTC
_DAY, _NONE = dt.timedelta(days=1), dt.timedelta()
_AUTHOR = ("author", "article:author", "dc.creator", "parsely-author", "sailthru.author", "byl")
_TITLE = ("og:title", "twitter:title", "dc.title")
_SITE_PARTS = re.compile(r"\s+[|\-–—:•»]\s+")
_LAST_COMMA = re.compile(r",(\s*[}\]])")
#: Of structured data that is broken somewhere: what may be believed where it stands whole.
_WHOLE_PAIR = re.compile(
    r'"(@type|datePublished|dateModified|isAccessibleForFree)"\s*:\s*"?([\w:./+-]{2,60})"?\s*[,}\n]'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A page's word about itself.

    headlines: every form in which the page gives its headline. body: the text as JSON-LD gives it.
    addresses: canonical addresses, the most trusted first. is_article, is_list, is_media (a film, a recording, pictures
    or a person): what JSON-LD and Open Graph say that it is. is_free: whether anybody may read it; None if nobody says.
    """

    title: str | None
    headlines: frozenset[str]
    body: str | None
    author: str | None
    published: dt.datetime | None
    published_to: Exactness
    updated: dt.datetime | None
    section: str | None
    language: str | None
    site_name: str | None
    addresses: tuple[str, ...]
    is_article: bool
    is_list: bool
    is_media: bool
    is_free: bool | None


def read_metadata(tree: html.HtmlElement) -> Stated:
    """Never raises: what is not understood is not stated. Times are UTC."""
    nodes = list(_linked_data(tree))
    article = _first_of(nodes, _is_article) or {}
    said = article or _first_of(nodes, lambda kinds: bool(kinds & _PAGES)) or {}
    meta = _meta(tree)
    site = _text(meta.get("og:site_name")) or _text(_name(_named(article.get("publisher"), nodes)))
    headings = [words for h1 in islice(tree.iter("h1"), _MOST_HEADINGS) if (words := _text(h1.text_content()))]
    first_title = next(tree.iter("title"), None)
    window = _text(first_title.text_content()) if first_title is not None else None
    given = [_text(article.get("headline")), *(_text(meta.get(name)) for name in _TITLE), *headings[:1], window]
    published, exactness = _first_published(
        chain(_stated(said, "datePublished", meta, _PUBLISHED), _marked_times(tree))  # the tree is searched last
    )
    given = [title for title in given if title and len(title) <= _LONGEST_TITLE]
    titles = [_without_site(title, site, guess=title == window) for title in given if title]
    return Stated(
        title=_whole(titles[0], headings) if titles else None,
        headlines=frozenset([*titles, *(title for title in given if title), *headings]),
        body=_body(article),
        author=_short(_author_of(_named(article.get("author"), nodes)))
        or _short(_author(meta))
        or _short(_marked_author(tree)),
        published=published,
        published_to=exactness,
        updated=next(
            (moment for raw in _stated(said, "dateModified", meta, _UPDATED) if (moment := parse_time(raw))), None
        ),
        section=_section(article, meta),
        language=_language(article.get("inLanguage")) or _language(tree.get("lang")),
        site_name=site,
        addresses=tuple(_addresses(tree, meta)),
        is_article=bool(article),
        is_media=(meta.get("og:type") or "").startswith(("video", "music", "profile"))
        or _first_of(nodes, lambda kinds: bool(kinds & _MEDIA)) is not None,
        is_free=_free(article),
        is_list=_first_of(nodes, lambda kinds: bool(kinds & _LISTS)) is not None or meta.get("og:type") == "website",
    )


def _linked_data(tree: html.HtmlElement) -> Iterator[dict[str, Any]]:
    waiting: deque[Any] = deque()
    pieces: list[Any] = []  # of broken scripts: they speak after all whole ones
    for script in islice(tree.iter("script"), _MOST_SCRIPTS):
        text = script.text or ""
        if (script.get("type") or "").strip().lower() == "application/ld+json" and len(text) < _LARGEST_SCRIPT:
            text = text.strip().removeprefix("<!--").removesuffix("-->")
            text = text.replace("//<![CDATA[", "").replace("//]]>", "").strip().rstrip(";")
            try:
                waiting.append(json.loads(text, strict=False))
            except RecursionError:
                continue
            except ValueError:
                pieces.append(_mended(text))
    waiting.extend(pieces)
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        node = waiting.popleft()
        if isinstance(node, list):
            waiting.extendleft(reversed(node[:_MOST_NODES]))
        elif isinstance(node, dict):
            yield node
            waiting.extendleft(node[key] for key in reversed(_HOLDERS) if key in node)


def _mended(text: str) -> Any:
    """Structured data that is not quite JSON: with a comma too many, or, where a quotation mark or a line is broken,
    the article's times alone. They stand whole whatever else is broken; a list of texts gives none."""
    try:
        return json.loads(_LAST_COMMA.sub(r"\1", text), strict=False)
    except (ValueError, RecursionError):
        pairs = _WHOLE_PAIR.findall(text)
    kinds = [value for key, value in pairs if key == "@type"]
    if sum(map(_is_article, ({kind} for kind in kinds))) != 1:
        return None
    return {**dict(reversed(pairs)), "@type": next(kind for kind in kinds if _is_article({kind}))}


def _named(value: Any, nodes: list[dict[str, Any]]) -> Any:
    """A person or outlet, or a list of these, looked up where only its `@id` is given."""
    if isinstance(value, list):
        return [_named(one, nodes) for one in value[:_MOST_PARTS] if not isinstance(one, list)]
    if not isinstance(value, dict) or "name" in value or not isinstance(value.get("@id"), str):
        return value
    return next((node for node in nodes if node.get("@id") == value["@id"] and "name" in node), value)


def _first_of(nodes: list[dict[str, Any]], fits: Any) -> dict[str, Any] | None:
    return next((node for node in nodes if fits(_kinds(node))), None)


def _free(article: dict[str, Any]) -> bool | None:
    """`isAccessibleForFree`, of the article or of a part of it; templates also write it as text."""
    said = _yes_or_no(article.get("isAccessibleForFree"))
    parts = article.get("hasPart")
    for part in parts[:_MOST_PARTS] if isinstance(parts, list) else [parts]:
        if said is None and isinstance(part, dict) and _yes_or_no(part.get("isAccessibleForFree")) is False:
            return False
    return said


def _yes_or_no(said: Any) -> bool | None:
    if isinstance(said, str):
        said = {"true": True, "false": False}.get(said.strip().lower().rpartition("/")[2])
    return said if isinstance(said, bool) else None


def _kinds(node: dict[str, Any]) -> set[str]:
    kinds = node.get("@type")
    return {kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)}


def _is_article(kinds: set[str]) -> bool:
    return any(_ARTICLES.search(kind) for kind in kinds)


def _meta(tree: html.HtmlElement) -> dict[str, str]:
    """Meta elements by lower-case name, property or itemprop; the first of a name counts."""
    found: dict[str, str] = {}
    for element in tree.iter("meta"):
        content = element.get("content")
        if content and content.strip():
            for attribute in ("property", "name", "itemprop"):
                if name := element.get(attribute):
                    found.setdefault(name.strip().lower(), content.strip())
    return found


def _whole(title: str, headings: list[str]) -> str:
    """The heading that a shortened headline («...») was cut from, else the headline."""
    stem = title.rstrip("….").rstrip()
    if stem != title and len(stem) > 20:
        return next((heading for heading in headings if heading.startswith(stem)), title)
    return title


def _without_site(title: str, site: str | None, guess: bool) -> str:
    """`Headline | Outlet` → `Headline`, if the page says that Outlet is its name, or, where it says none, seems to."""
    parts = _SITE_PARTS.split(title)
    if len(parts) < 2 or (parts[-1].casefold() != site.casefold() if site else not guess or not _like_a_name(parts)):
        return title
    return title[: title.rindex(parts[-1])].rstrip(" |-–—:•»\t") or title


def _like_a_name(parts: list[str]) -> bool:
    """Whether the last part of a window's title is a site's name and the rest a headline, as far as lengths tell."""
    name = parts[-1]
    rest = sum(map(len, parts[:-1]))
    return (
        len(name) <= _LONGEST_NAME and len(name.split()) <= 4 and rest >= _SHORTEST_HEADLINE and rest > 1.5 * len(name)
    )


def _author_of(said: Any) -> str | None:
    try:
        line = _text(author_line(said))
    except RecursionError:  # names inside names
        return None
    return line if line and not line.startswith(("http://", "https://")) else None


def _short(author: str | None) -> str | None:
    return without_by(author) if author and len(author) <= _LONGEST_AUTHOR else None


def _author(meta: dict[str, str]) -> str | None:
    names = (_text(meta.get(name)) for name in _AUTHOR)
    return next((name for name in names if name and not name.startswith(("http://", "https://"))), None)


def _marked_author(tree: html.HtmlElement) -> str | None:
    """Who the article's own markup says wrote it, in attributes made for that."""
    for element in tree.xpath("(//*[@itemprop='author'] | //a[@rel='author'])[position() <= 3]"):
        if {parent.tag for parent in element.iterancestors()} & _BESIDE:
            continue
        inner = element.find(".//*[@itemprop='name']")
        named = inner if inner is not None else element
        name = _text(named.get("content") or named.text_content())
        if name and len(name) <= _LONGEST_SECTION:
            return name
    return None


def _first_published(stated: Iterable[str | float]) -> tuple[dt.datetime | None, Exactness]:
    """The first time stated, or a later one that says the same more exactly; with how exactly it says it."""
    found: list[tuple[dt.datetime, Exactness]] = []
    for raw in stated:
        moment = parse_time(raw)
        if moment is None:
            continue
        found.append((moment, exactness_of(raw)))
        if found[-1][1] == "moment":
            break
    if not found:
        return None, "moment"
    first, exactness = found[0]
    last, best = found[-1]
    if (
        exactness != best
        and best == "moment"
        and -_NEAR <= last - first < _NEAR + (_DAY if exactness == "day" else _NONE)
    ):
        return last, best
    return first, exactness


def exactness_of(raw: str | float) -> Exactness:
    """How exactly a time that `parse_time` reads is stated."""
    if not isinstance(raw, str):
        return "moment" if raw > _DAY_NUMBERS else "day"
    raw = raw.strip()
    if raw.isdigit():
        return "moment" if int(raw) > _DAY_NUMBERS else "day"
    clock = _CLOCK.search(raw)
    if clock is None or _MIDNIGHT.fullmatch(clock[0]):
        return "day"
    return "moment" if _ZONE.search(raw, clock.end()) else "local"


def _stated(node: dict[str, Any], key: str, meta: dict[str, str], names: tuple[str, ...]) -> Iterator[str | float]:
    value = node.get(key)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value
    yield from (meta[name] for name in names if name in meta)


def _marked_times(tree: html.HtmlElement) -> Iterator[str]:
    """The `<time>` of the article itself: one in a list or beside the article dates something else."""
    for element in tree.xpath("(//*[@itemprop='datePublished'][@datetime or @content])[position() <= 3]"):
        yield element.get("datetime") or element.get("content")
    below = False
    for number, element in enumerate(tree.iter("h1", "time")):
        if number >= _MOST_TIMES:
            return
        if element.tag == "h1":
            below = True
            continue
        moment = element.get("datetime")
        above = {parent.tag for parent in element.iterancestors()}
        if moment and not above & _BESIDE and (below or above & _INSIDE) and parse_time(moment):
            yield moment
            return


def _section(article: dict[str, Any], meta: dict[str, str]) -> str | None:
    said = article.get("articleSection")
    if isinstance(said, list):
        said = next((one for one in said if isinstance(one, str) and one.strip()), None)
    sections = (said, *(meta.get(name) for name in _SECTION))
    return next((name for words in sections if (name := _text(words)) and len(name) <= _LONGEST_SECTION), None)


def _addresses(tree: html.HtmlElement, meta: dict[str, str]) -> Iterator[str]:
    for link in tree.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split() and (address := link.get("href")):
            yield address.strip()
    if address := meta.get("og:url"):
        yield address


def _body(article: dict[str, Any]) -> str | None:
    body = article.get("articleBody")
    if not isinstance(body, str):
        updates = article.get("liveBlogUpdate")
        posts = [post for post in updates[:_MOST_NODES] if isinstance(post, dict)] if isinstance(updates, list) else []
        said = (post.get(key) for post in posts for key in ("headline", "articleBody"))
        body = "\n".join(words for words in said if isinstance(words, str))
    body = without_controls(entities.unescape(body))
    if "<" in body and "</" in body:
        body = re.sub(r"<[^<>]{0,500}>", "\n", body)
    return "\n".join(line.strip() for line in body.splitlines() if line.strip()) or None


def _language(value: Any) -> str | None:
    value = _name(value) if isinstance(value, dict) else value
    found = re.match(r"([a-z]{2,3})(?:[-_]|$)", value.strip().lower()) if isinstance(value, str) else None
    return found[1] if found else None


def _name(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    name = value.get("name") or value.get("alternateName") if isinstance(value, dict) else value
    return name if isinstance(name, str) else None


def _text(value: Any) -> str | None:
    return " ".join(without_controls(entities.unescape(value)).split()) or None if isinstance(value, str) else None
