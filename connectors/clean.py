"""A saved or fetched page to its article: headline, text, and what the page says of itself.

No network, no state, no clock. Hostile pages can make the parsers slow: callers run this in a process they can kill.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import urljoin

from lxml import etree, html

from connectors.boilerplate import OPENERS, boilerplate, fold
from connectors.language import language_of
from connectors.markup import (
    LABEL_LINE,
    drop_chrome,
    drop_related,
    drop_teasers,
    lines_of,
    parse_page,
    single_spaced,
    words_of,
)
from connectors.parts import join_parts
from connectors.refusals import Look, refuse
from connectors.sites import same_site
from connectors.sources.charset import decode, without_controls
from connectors.sources.datelines import shown_time
from connectors.sources.metadata import Exactness, Stated, read_metadata
from connectors.urls import canonical_url, outlet_of
from pipeline.errors import Unusable

LARGEST = 2_000_000  # bytes of HTML: the largest article pages seen have 700 kB
SHORT = 250  # code points: below this the fast extraction has probably missed the text
SMALL_PAGE = 400_000  # code points of HTML for which the slow extraction is affordable
MOST_TEXT = 0.8  # share of an element's text that stands in one child: the child is the place to look
NOISE_LINE = 400  # code points: a longer line is prose, whatever it begins with
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DOCUMENTS = ("%PDF-", "%!PS", "{\\rtf", "PK\x03\x04")
_HEAD, _MOST_BROKEN = 4_096, 0.03  # share of characters that no text holds; a page of a dozen broken letters is a page
_NO_LETTER = re.compile("[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffd]")
_BULLETS = "-*•·–—▪◾■●►»«[](){}<>|:.،, \u200e\u200f"
#: Elements of the extractor's result that stand on lines of their own.
_OWN_LINE = frozenset(("p", "head", "item", "list", "quote", "code", "table", "row", "lb", "div", "body"))
_EMPTY_CELLS = " |"  # what those beside the text leave, in tables that only lay it out


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An article page, read. Times are UTC; `published` is what the page states or shows beside its headline, never a
    guess from its text.

    published_to: how exactly: to the moment, in a local time whose zone is not said (taken as UTC), or to the day (its
    first moment).
    """

    title: str | None
    body: str
    author: str | None = None
    published: dt.datetime | None = None
    published_to: Exactness = "moment"
    updated: dt.datetime | None = None
    section: str | None = None
    language: str | None = None
    canonical_url: str | None = None
    outlet: str | None = None
    site_name: str | None = None


def clean_page(data: bytes, url: str | None = None, charset: str | None = None) -> Page:
    """The article of an HTML page.

    url: where it was fetched. charset: what the transport said of its encoding.
    The body is paragraphs parted by line breaks, without the headline, links to other texts, and counters. Its letters
    are the page's own: no normal form, no mark and no joiner is changed, only runs of white space become one space.
    Raises: Unusable (reasons "too-large", "paywall", "soft-404", "not-article" for pages of links, films, pictures and
    forms, or "no-text").
    """
    if len(data) > LARGEST:
        raise Unusable(f"a page of {len(data)} bytes, {LARGEST} are allowed", reason="too-large")
    decoded = decode(data, charset)
    if _is_file(decoded):
        raise Unusable("a file of another kind, not a page", reason="no-text")
    text = without_controls(_XML_DECLARATION.sub("", decoded))
    tree = parse_page(text)
    stated = read_metadata(tree)
    canonical = _address(stated, url)
    published, published_to = stated.published, stated.published_to
    pictures = int(tree.xpath("count(//figcaption[not(ancestor::a) and not(.//a)])"))
    teasers = _reduce(tree, canonical)
    join_parts(tree, stated.headlines)
    links = frozenset(words for a in tree.iter("a") if (words := words_of(a)))
    paragraphs = list(_prose(_main_text(text, tree, stated, canonical), stated.headlines))
    kept = [line for line in paragraphs if not _is_link(line, links)]
    shown = cache(lambda: [words for line in lines_of(tree).split("\n") if (words := line.strip())])
    refuse(
        Look(
            lines=kept,
            stated=stated,
            links=len(links),
            linked=sum(map(len, paragraphs)) - sum(map(len, kept)),
            teasers=teasers,
            pictures=pictures,
            shown=shown,
        )
    )
    if published is None:
        published, published_to = shown_time(shown(), stated.title, kept[0])
    body = "\n".join(kept)
    return Page(
        title=stated.title,
        body=body,
        author=stated.author,
        published=published,
        published_to=published_to,
        updated=stated.updated,
        section=stated.section,
        language=language_of(body) or stated.language,  # templates state "en" on Arabic pages; the text does not lie
        canonical_url=canonical,
        outlet=outlet_of(canonical) or stated.site_name,
        site_name=stated.site_name,
    )


def warm_up() -> None:
    """Loads now what the first page would load: for children that wait for pages."""
    import trafilatura  # noqa: F401

    boilerplate()
    language_of("ما يكفي من الكلام ليعرف في أي لغة هو")
    same_site("https://a.example.net/", "https://b.example.net/")


def clean_fragment(text: str, headline: str | None = None) -> str:
    """The text of a piece of HTML (a feed's entry): paragraphs parted by line breaks, boilerplate left out.

    Plain text comes out as it is, but for boilerplate lines and white space around lines. "" where nothing is left.
    Raises: Unusable (reason "too-large") for more elements than a page may have.
    """
    text = without_controls(text)
    if "<" in text or "&" in text:
        if not text.strip():
            return ""
        tree = parse_page(f"<html><body><div>{text}</div></body></html>")
        drop_related(tree)
        etree.strip_elements(tree, "script", "style", "iframe", "noscript", "form", "button", with_tail=False)
        text = lines_of(tree)
    return "\n".join(_prose(text, frozenset([headline] if headline else [])))


def _is_file(text: str) -> bool:
    """Whether these are a document, a picture or packed bytes that were sent as a page."""
    if text[:64].lstrip().startswith(_DOCUMENTS):
        return True
    head = text[:_HEAD]
    return len(_NO_LETTER.findall(head)) > _MOST_BROKEN * len(head)


def _reduce(tree: html.HtmlElement, own: str | None, *, gently: bool = False) -> int:
    """Takes out what is no text of this article before the extractor looks; returns how many items of lists went."""
    drop_chrome(tree, gently=gently)
    teasers = drop_teasers(tree, own)
    drop_related(tree)
    return teasers


def _main_text(text: str, tree: html.HtmlElement, stated: Stated, own: str | None) -> str:
    best = _extract(tree, fast=True)
    if stated.body and (len(best) < SHORT <= len(stated.body) or best.split() == stated.body.split()):
        return stated.body  # also where the extractor took it itself, which costs the paragraphs
    if len(best) >= SHORT:
        return best
    if len(text) < SMALL_PAGE:
        again = parse_page(text)
        _reduce(again, own, gently=not best)
        join_parts(again, stated.headlines)
        slow = _extract(again, fast=False)
        best = slow if len(slow) > len(best) else best
    return best


def _extract(tree: html.HtmlElement, *, fast: bool) -> str:
    # Loaded here because it takes half a second, and reading JSON lines never needs it.
    from trafilatura import bare_extraction

    try:
        found = bare_extraction(tree, fast=fast, include_comments=False, output_format="txt")
    except MemoryError:
        raise
    except Exception as error:  # the parsers behind it fail in many ways on hostile pages; none may stop the flow
        raise Unusable(f"text extraction failed: {type(error).__name__}: {error}", reason="no-text") from error
    body = getattr(found, "body", None)
    if body is None:
        return ""
    if len(body) == 1 and not len(body[0]) and "\n" in (body[0].text or ""):
        return _densest(tree)  # it gave up and took all text of the page, cut wherever an element begins
    return _written(body)


def _densest(tree: html.HtmlElement) -> str:
    """The lines of the innermost element that holds most of the page's text."""
    place = tree if tree.tag == "body" else next(tree.iter("body"), tree)
    size = len(words_of(place))
    while True:
        sizes = [(len(words_of(child)), child) for child in place.iterchildren(etree.Element)]
        most, child = max(sizes, key=lambda pair: pair[0], default=(0, None))
        if child is None or most < MOST_TEXT * size:
            return "\n".join(words for line in lines_of(place).split("\n") if (words := line.strip()))
        place, size = child, most


def _written(body: etree._Element) -> str:
    """The extractor's result, block by block. Its own way of writing it out drops joiners and marks of direction, and
    changes the order of vowel signs (NFC)."""
    parts: list[str] = []
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if element.tag == "cell":
            parts.append(" | " if event == "start" and element.getprevious() is not None else " ")
        else:
            parts.append("\n" if element.tag in _OWN_LINE else " ")
        words = element.text if event == "start" else element.tail
        if words:
            parts.append(single_spaced(words))
    lines = (" ".join(line.split()).strip(_EMPTY_CELLS) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)


def _prose(text: str, headlines: frozenset[str]) -> Iterator[str]:
    """The paragraphs that somebody wrote for this article, without the headline repeated."""
    words = boilerplate()
    known = {fold(headline) for headline in headlines}
    for line in text.split("\n"):
        line = line.strip()
        if len(line) > NOISE_LINE:
            yield line
            continue
        folded = fold(line)
        bare = folded.strip(OPENERS)
        if not bare or folded in known:
            continue
        label = words.related.match(bare) if len(line) < LABEL_LINE else None
        if label and (label.end() == len(bare) or bare[label.end() :].lstrip()[:1] in (":", "：", "|", "-", "–", "—")):
            continue
        if words.lines.fullmatch(bare) or (len(line) < LABEL_LINE and words.paywall.search(folded)):
            continue
        yield line


def _is_link(line: str, links: frozenset[str]) -> bool:
    return line in links or line.strip(_BULLETS) in links


def _address(stated: Stated, url: str | None) -> str | None:
    """The page's canonical URL: its own word for it, unless that leads to another site or to a front page."""
    own = canonical_url(url)
    for said in stated.addresses:
        canonical = canonical_url(_joined(url, said))
        if canonical is None:
            continue
        if own is None:
            return canonical
        if same_site(canonical, own) and (not _is_front(canonical) or _is_front(own)):
            return canonical
    return own


def _joined(url: str | None, said: str) -> str:
    try:
        return urljoin(url, said) if url else said
    except ValueError:
        return said


def _is_front(canonical: str) -> bool:
    return canonical.partition("://")[2].partition("/")[2] == ""
