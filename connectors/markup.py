"""The tree of a page: parsed, freed of what is no text, its lists of other texts taken out.

One parse serves metadata and text. Elements are made without a lookup in Python (`ElementDefaultClassLookup`): that
alone is a fifth of the time of reading a page.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from lxml import etree, html

from connectors.boilerplate import OPENERS, boilerplate, fold
from pipeline.errors import Unusable

MOST_NODES = 100_000
MOST_LINES = 5_000  # of one preformatted text
MOST_CELLS = 20_000  # of tables; the extractor's time grows with the square of a row
MOST_ATTRIBUTES = 3_000  # of one element; the parser's time grows with the square of them
LABEL_LINE = 220  # code points: a longer line that begins with a label is prose
BLOCKS = frozenset(
    ("p", "div", "li", "ul", "ol", "section", "aside", "article", "blockquote", "figure", "td", "tr", "table", "main",
     "h1", "h2", "h3", "h4", "h5", "h6", "dl", "center", "header", "body", "form", "details")
)  # fmt: skip
CODE = ("script", "style", "iframe", "svg", "select", "object", "nav", "footer")
#: No reporter's words stand in these: what runs, what is played, what is filled in, what leads elsewhere.
CHROME = (
    "script", "style", "iframe", "noscript", "template", "svg", "canvas", "object", "embed", "applet", "audio", "video",
    "picture", "map", "math", "select", "button", "textarea", "datalist", "dialog", "menu", "nav", "footer", "aside",
    "amp-sidebar", "amp-ad", "amp-iframe", "amp-social-share",
)  # fmt: skip
_ALSO_EDGES = frozenset(("br", "hr", "figcaption", "dt", "dd", "pre", "caption", "title"))
_LINKED_WORDS = 15  # code points of a headline that leads elsewhere; shorter links are names and buttons
_TEASER = 400  # code points of words beside the headline: a longer one is a text of its own
HIGHEST = 7  # steps from a link up to the item of a list that it stands in
_ALIKE = 4  # neighbours of one make: fewer are no list
_LONG_TAG = re.compile(r"<[a-zA-Z][^<>]{20000,}")
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_LOOKUP = etree.ElementDefaultClassLookup(element=html.HtmlElement)


def parse_page(text: str) -> html.HtmlElement:
    """The tree of a page. Raises: Unusable ("no-text" for what is no page, "too-large" for too many elements)."""
    for tag in _LONG_TAG.findall(text):
        if len(_QUOTED.sub("", tag).split()) > MOST_ATTRIBUTES:
            raise Unusable(f"an element of more than {MOST_ATTRIBUTES} attributes", reason="too-large")
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    parser.set_element_class_lookup(_LOOKUP)
    try:
        tree = html.document_fromstring(text.encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError) as error:
        raise Unusable(f"not a page: {error}", reason="no-text") from error
    if tree.xpath("count(//*)") > MOST_NODES:
        raise Unusable(f"more than {MOST_NODES} elements", reason="too-large")
    if tree.xpath("count(//td)") > MOST_CELLS:
        raise Unusable(f"tables of more than {MOST_CELLS} cells", reason="too-large")
    return tree


def drop_chrome(tree: html.HtmlElement, *, gently: bool = False) -> None:
    """Takes out what no article's text stands in; gently: only that which can hold no words at all."""
    if gently:
        etree.strip_elements(tree, *CODE, with_tail=False)
        etree.strip_tags(tree, *(name for name in CHROME if name not in CODE))
        return
    for figure in tree.iter("figure"):
        if figure.find(".//table") is not None:
            figure.tag = "div"
    for element in tree.xpath("//pre[contains(text(), '\n')]"):
        _break_lines(element)
    etree.strip_elements(tree, "figure", *CHROME, with_tail=False)
    for cell in tree.xpath("//td[@rowspan or @colspan] | //th[@rowspan or @colspan]"):
        for span in ("rowspan", "colspan"):  # the extractor fills spanned places with empty cells
            cell.attrib.pop(span, None)


def _break_lines(element: html.HtmlElement) -> None:
    """The lines of preformatted text, which the extractor would run together."""
    lines = [line for line in (element.text or "").split("\n") if line.strip()] or [""]
    lines[MOST_LINES:] = [" ".join(lines[MOST_LINES:])]
    first, *others = lines
    element.tag, element.text = "div", first
    for number, line in enumerate(others):
        edge = etree.Element("br")
        edge.tail = line
        element.insert(number, edge)


def drop_related(tree: html.HtmlElement) -> None:
    """Takes out labels like «اقرأ أيضاً» with the links that follow them."""
    labels, first_letters = boilerplate().related, boilerplate().related_letters

    def is_label(words: str) -> bool:
        if len(words) > LABEL_LINE:
            return False
        words = words.lstrip(OPENERS)
        return words[:1] in first_letters and bool(labels.match(fold(words)))

    found = []
    for element in tree.iter(etree.Element):
        if (words := element.text) and is_label(words):
            found.append(element)
        if (words := element.tail) and is_label(words) and (owner := element.getparent()) is not None:
            found.append(owner)
    judged = set()
    for owner in found:
        block = _block(owner)
        if block is not None and block not in judged:
            judged.add(block)
            _drop_block(block)


def drop_teasers(tree: html.HtmlElement, own: str | None) -> int:
    """Takes out lists of other texts: neighbours of one make, each a headline that leads elsewhere and little more.

    own: the page's address; links to it or into it lead nowhere else. Returns how many were taken out.
    """
    dropped = 0
    tail = _tail(own)
    families: dict[html.HtmlElement, dict[tuple[str, str], list[html.HtmlElement]]] = {}
    for link in list(tree.iter("a")):
        if not _leads_away(link, own, tail):
            continue
        item = link
        for _ in range(HIGHEST):
            parent = item.getparent()
            if parent is None or item.tag == "body":
                break
            made = families.get(parent)
            if made is None:
                made = families[parent] = _families(parent)
            alike = made.pop(_make(item), ())
            if len(alike) >= _ALIKE:
                teasers = [child for child in alike if _is_teaser(child, own, tail)]
                if len(teasers) >= max(_ALIKE, 0.8 * len(alike)):
                    for child in teasers:
                        child.drop_tree()
                    dropped += len(teasers)
                    break
            item = parent
    return dropped


def _families(parent: html.HtmlElement) -> dict[tuple[str, str], list[html.HtmlElement]]:
    """The children by their make."""
    found: dict[tuple[str, str], list[html.HtmlElement]] = {}
    for child in parent.iterchildren(etree.Element):
        found.setdefault(_make(child), []).append(child)
    return found


def _make(element: html.HtmlElement) -> tuple[str, str]:
    """Tag and first class, numbers aside: `post-17` and `post-18` are of one make."""
    return element.tag, (element.get("class") or "").lstrip().partition(" ")[0].rstrip("0123456789")


def lines_of(tree: html.HtmlElement) -> str:
    """Running text of each block on a line of its own."""
    parts: list[str] = []
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if element.tag in BLOCKS or element.tag in _ALSO_EDGES:
            parts.append("\n")
        words = element.text if event == "start" else element.tail
        if words:
            parts.append(single_spaced(words))
    return "".join(parts)


def single_spaced(words: str) -> str:
    """The words with one space for each run of white space, also at the ends."""
    spaced = " ".join(words.split())  # a fifth of the time of a regular expression
    if not spaced:
        return " " if words else ""
    return f"{' ' if words[0].isspace() else ''}{spaced}{' ' if words[-1].isspace() else ''}"


def words_of(element: html.HtmlElement) -> str:
    return " ".join("".join(element.itertext()).split())


def _is_teaser(item: html.HtmlElement, own: str | None, tail: str) -> bool:
    whole = words_of(item)
    if not whole or len(whole) > _TEASER + 300:
        return False
    linked = [
        words
        for a in ([item] if item.tag == "a" else item.iter("a"))
        if len(words := words_of(a)) >= _LINKED_WORDS and _leads_away(a, own, tail)
    ]
    if not linked:
        return False
    if sum(map(len, linked)) > 0.8 * len(whole):
        return True
    return item.tag != "p" and len(whole) - len(linked[0]) <= _TEASER and whole.find(linked[0]) <= 60 and _alone(item)


def _leads_away(link: html.HtmlElement, own: str | None, tail: str) -> bool:
    """Whether the link leads to another page. tail: what the address of this one ends with."""
    href = link.get("href")
    if not href or href.startswith("#"):
        return False
    return not own or tail not in href or not _same_page(href, own)


def _tail(own: str | None) -> str:
    return urlsplit(own).path.rstrip("/").rpartition("/")[2] if own else ""


def _alone(item: html.HtmlElement) -> bool:
    """Whether some link of the item is all that its block says: a headline, and not a word of a sentence."""
    for link in item.iter("a"):
        block = _block(link)
        words = words_of(link)
        if block is not None and len(words) >= _LINKED_WORDS and words_of(block) == words:
            return True
    return False


def _same_page(href: str, own: str) -> bool:
    try:
        there, here = urlsplit(href), urlsplit(own)
    except ValueError:
        return False
    return there.path.rstrip("/") == here.path.rstrip("/") and there.netloc in ("", here.netloc) and (
        not there.query or there.query == here.query
    )  # fmt: skip


def _block(element: html.HtmlElement) -> html.HtmlElement | None:
    """The nearest block around the element that can be taken out."""
    while element is not None and element.tag not in BLOCKS:
        element = element.getparent()
    return element if element is not None and element.getparent() is not None else None


def _drop_block(block: html.HtmlElement) -> None:
    """Takes the block out if it is a label and links, and the links behind it if it is a label alone."""
    words = fold(words_of(block)).lstrip(OPENERS)
    found = boilerplate().related.match(words)
    if not found:
        return
    rest = len(words[found.end() :].strip(" :：|-–—.…[](){}«»"))
    if rest and _linked(block) < 0.7 * rest:
        return
    if not rest:
        while (follower := block.getnext()) is not None and _is_links(follower):
            follower.drop_tree()
    block.drop_tree()


def _is_links(element: html.HtmlElement) -> bool:
    whole = len(fold(words_of(element)))
    return not (element.tail or "").strip() and whole > 0 and _linked(element) > 0.7 * whole


def _linked(element: html.HtmlElement) -> int:
    return sum(len(fold(words_of(a))) for a in element.iter("a"))
