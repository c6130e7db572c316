"""A saved or fetched page to its article: headline, text, and what the page says of itself.

No network, no state, no clock. Hostile pages can make the parsers slow: callers run this in a process they can kill.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree, html

from connectors.boilerplate import boilerplate, fold
from connectors.language import language_of
from connectors.sites import same_site
from connectors.sources.charset import decode, without_controls
from connectors.sources.metadata import Exactness, Stated, read_metadata
from connectors.urls import canonical_url, outlet_of
from pipeline.errors import Unusable

LARGEST = 2_000_000  # bytes of HTML: the largest article pages seen have 700 kB
MOST_NODES = 100_000
SHORT = 250  # code points: below this the fast extraction has probably missed the text
SMALL_PAGE = 400_000  # code points of HTML for which the slow extraction is affordable
_LINKS = 0.6  # share of link text from which on a body is a list of links
_LABEL_LINE = 220  # code points: a longer line that begins with a label is prose
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_SPACE = re.compile(r"\s+")
_BLOCKS = frozenset(
    ("p", "div", "li", "ul", "ol", "section", "aside", "article", "blockquote", "figure", "td", "tr", "table",
     "h1", "h2", "h3", "h4", "h5", "h6")
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An article page, read. Times are UTC; `published` is what the page states, never a guess from its text.

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
    The body is paragraphs parted by line breaks, without the headline, links to other texts, and counters.
    Raises: Unusable (reason "too-large", "not-article" for a page of links, or "no-text").
    """
    if len(data) > LARGEST:
        raise Unusable(f"a page of {len(data)} bytes, {LARGEST} are allowed", reason="too-large")
    text = without_controls(_XML_DECLARATION.sub("", decode(data, charset)))
    tree = _parse(text)
    stated = read_metadata(tree)
    _drop_related(tree)
    links = {fold(words) for a in tree.iter("a") if (words := _words(a))}
    paragraphs = list(_prose(_main_text(text, tree, stated), stated.headlines))
    if _is_index(paragraphs, links, stated):
        raise Unusable("a page of links, not an article", reason="not-article")
    paragraphs = [line for line in paragraphs if not _is_link(line, links)]
    if not paragraphs:
        raise Unusable("no article text on the page", reason="no-text")
    body = "\n".join(paragraphs)
    canonical = _address(stated, url)
    return Page(
        title=stated.title,
        body=body,
        author=stated.author,
        published=stated.published,
        published_to=stated.published_to,
        updated=stated.updated,
        section=stated.section,
        language=language_of(body) or stated.language,  # templates state "en" on Arabic pages; the text does not lie
        canonical_url=canonical,
        outlet=outlet_of(canonical) or stated.site_name,
        site_name=stated.site_name,
    )


def clean_fragment(text: str, headline: str | None = None) -> str:
    """The text of a piece of HTML (a feed's entry): paragraphs parted by line breaks, boilerplate left out.

    Plain text comes out as it is, but for boilerplate lines and white space around lines. "" where nothing is left.
    Raises: Unusable (reason "too-large") for more elements than a page may have.
    """
    text = without_controls(text)
    if "<" in text or "&" in text:
        if not text.strip():
            return ""
        tree = _parse(f"<html><body><div>{text}</div></body></html>")
        _drop_related(tree)
        etree.strip_elements(tree, "script", "style", "iframe", "noscript", "form", "button", with_tail=False)
        text = _paragraphs(tree)
    return "\n".join(_prose(text, frozenset([headline] if headline else [])))


def _paragraphs(tree: html.HtmlElement) -> str:
    """Running text of each block on a line of its own."""
    parts: list[str] = []
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        edge = element.tag in _BLOCKS or element.tag in ("br", "hr", "figcaption", "dt", "dd", "pre")
        if edge:
            parts.append("\n")
        words = element.text if event == "start" else element.tail
        if words:
            parts.append(_SPACE.sub(" ", words))
    return "".join(parts)


def _parse(text: str) -> html.HtmlElement:
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(text.encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError) as error:
        raise Unusable(f"not a page: {error}", reason="no-text") from error
    if sum(1 for _ in tree.iter()) > MOST_NODES:
        raise Unusable(f"more than {MOST_NODES} elements", reason="too-large")
    return tree


def _main_text(text: str, tree: html.HtmlElement, stated: Stated) -> str:
    best = _extract(tree, fast=True)
    if stated.body and (len(best) < SHORT <= len(stated.body) or best.split() == stated.body.split()):
        return stated.body  # also where the extractor took it itself, which costs the paragraphs
    if len(best) >= SHORT:
        return best
    if len(text) < SMALL_PAGE:
        again = _parse(text)
        _drop_related(again)
        slow = _extract(again, fast=False)
        best = slow if len(slow) > len(best) else best
    return best


def _extract(tree: html.HtmlElement, *, fast: bool) -> str:
    # Loaded here because it takes half a second, and reading JSON lines never needs it.
    from trafilatura import extract

    try:
        return extract(tree, fast=fast, include_comments=False) or ""
    except Exception as error:  # the parsers behind it fail in many ways on hostile pages; none may stop the flow
        raise Unusable(f"text extraction failed: {type(error).__name__}: {error}", reason="no-text") from error


def _prose(text: str, headlines: frozenset[str]) -> Iterator[str]:
    """The paragraphs that somebody wrote for this article, without the headline repeated."""
    words = boilerplate()
    known = {fold(headline) for headline in headlines}
    for line in text.split("\n"):
        line = line.strip()
        folded = fold(line)
        if not folded or folded in known:
            continue
        label = words.related.match(folded)
        if label and len(line) < _LABEL_LINE and (label.end() == len(folded) or folded[label.end()] in ":：|-–—"):
            continue
        if words.lines.fullmatch(folded.strip(" .:|-")):
            continue
        yield line


def _is_index(paragraphs: list[str], links: set[str], stated: Stated) -> bool:
    if stated.is_article:
        return False
    whole = sum(map(len, paragraphs))
    linked = sum(len(line) for line in paragraphs if _is_link(line, links))
    if not whole:
        return len(links) > 30
    return linked > _LINKS * whole or (stated.is_list and linked > 0.3 * whole)


def _is_link(line: str, links: set[str]) -> bool:
    return fold(line).lstrip("-*• ") in links


def _drop_related(tree: html.HtmlElement) -> None:
    """Removes labels like «اقرأ أيضاً» with the links that follow them."""
    labels = boilerplate().related
    judged = set()
    for element in list(tree.iter(etree.Element)):
        for words, owner in ((element.text, element), (element.tail, element.getparent())):
            if owner is None or not words or len(words) > _LABEL_LINE or not labels.match(fold(words)):
                continue
            block = _block(owner)
            if block is not None and block not in judged:
                judged.add(block)
                _drop_block(block)


def _block(element: html.HtmlElement) -> html.HtmlElement | None:
    """The nearest block around the element that can be taken out."""
    while element is not None and element.tag not in _BLOCKS:
        element = element.getparent()
    return element if element is not None and element.getparent() is not None else None


def _drop_block(block: html.HtmlElement) -> None:
    """Takes the block out if it is a label and links, and the links behind it if it is a label alone."""
    labels = boilerplate().related
    words = fold(_words(block))
    found = labels.match(words)
    if not found:
        return
    rest = len(words[found.end() :].strip(" :：|-–—.…"))
    if rest and _linked(block) < 0.7 * rest:
        return
    if not rest:
        while (follower := block.getnext()) is not None and _is_links(follower):
            follower.drop_tree()
    block.drop_tree()


def _is_links(element: html.HtmlElement) -> bool:
    whole = len(fold(_words(element)))
    return not (element.tail or "").strip() and whole > 0 and _linked(element) > 0.7 * whole


def _linked(element: html.HtmlElement) -> int:
    return sum(len(fold(_words(a))) for a in element.iter("a"))


def _words(element: html.HtmlElement) -> str:
    return " ".join("".join(element.itertext()).split())


def _address(stated: Stated, url: str | None) -> str | None:
    """The page's canonical URL: its own word for it, unless that leads to another site or to a front page."""
    own = canonical_url(url)
    for said in stated.addresses:
        canonical = canonical_url(said)
        if canonical is None:
            continue
        if own is None:
            return canonical
        if same_site(canonical, own) and (not _is_front(canonical) or _is_front(own)):
            return canonical
    return own


def _is_front(canonical: str) -> bool:
    return canonical.partition("://")[2].partition("/")[2] == ""
