"""Texts that a page gives in several equal parts: the posts of a live report, a text cut in two by a box."""

from __future__ import annotations

import re
from collections.abc import Collection

from lxml import etree, html

from connectors.markup import words_of

_WORDS = 40  # code points beside links that a part has at least; shorter ones are labels and buttons
_HIGHEST = 3  # steps from what looks like the text up to the post that holds it
_MOST = 2_000  # parts of one report
_NUMBER = re.compile(r"\d+")
_HEADINGS = ("h1", "h2", "h3", "h4")
_ANSWER = re.compile(r"comment|repl(?:y|ies)|respon", re.IGNORECASE)  # names of classes: what readers wrote


def join_parts(tree: html.HtmlElement, headlines: Collection[str]) -> None:
    """Puts equal neighbours into one `<article>`, where the extractor would take the first of them for the whole text.

    headlines: forms of the article's own. Neighbours that have a headline of their own, or of which one bears the
    page's, are articles of their own: the first stays alone.
    """
    part = _taken(tree)
    for _ in range(_HIGHEST):
        if part is None or (parent := part.getparent()) is None or part.tag == "body":
            return
        parts = [child for child in parent.iterchildren(part.tag) if _make(child) == _make(part)][:_MOST]
        if len(parts) > 1 and len(parts := [child for child in parts if _has_prose(child)]) > 1:
            if not any(_is_other(child, headlines) for child in parts):
                _join(parent, parts)
            return
        part = parent


def _taken(tree: html.HtmlElement) -> html.HtmlElement | None:
    """What the extractor takes for the place of the text."""
    from trafilatura.xpaths import BODY_XPATH  # loaded here because it takes half a second

    return next((found[0] for place in BODY_XPATH if (found := place(tree))), None)


def _make(element: html.HtmlElement) -> str:
    return _NUMBER.sub("", element.get("class") or "")


def _has_prose(part: html.HtmlElement) -> bool:
    return len(words_of(part)) - sum(len(words_of(link)) for link in part.iter("a")) >= _WORDS


def _is_other(part: html.HtmlElement, headlines: Collection[str]) -> bool:
    """Whether the part is an article, a summary that leads to one, or a reader's word."""
    if _ANSWER.search(f"{part.get('class')} {part.get('id')}"):
        return True
    for heading in part.iter(*_HEADINGS):
        linked = any(link.get("href") for link in heading.iter("a")) or heading.getparent().tag == "a"
        if heading.tag == "h1" or linked or words_of(heading) in headlines:
            return True
    return False


def _join(parent: html.HtmlElement, parts: list[html.HtmlElement]) -> None:
    """What stands from the first part to the last comes into one element, and none of the parts looks like a text of
    its own any more."""
    from trafilatura.xpaths import BODY_XPATH

    whole = etree.SubElement(parent, "article")
    parent.replace(parts[0], whole)
    whole.append(parts[0])
    while (follower := whole.getnext()) is not None:
        whole.append(follower)
        if follower is parts[-1]:
            break
    if (behind := parts[-1].tail) and behind.strip():
        whole.tail, parts[-1].tail = behind, None
    for part in parts:
        for element in {part, *(found for place in BODY_XPATH for found in place(part))}:
            element.tag = "div"
            for name in ("class", "id", "itemprop", "role"):
                element.attrib.pop(name, None)
