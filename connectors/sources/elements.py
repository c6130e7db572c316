"""The elements of a feed or sitemap out of text that was meant to be XML, well-formed or not.

One pass, in time that grows with the size of the text and nothing else. No entity but plain characters is replaced, no
document type read, nothing opened. Markup inside texts (a description, a content) is not parsed: it is handed on as
the HTML source that it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from html.entities import html5
from itertools import islice

from pipeline.errors import Unusable

DEEPEST = 100  # elements inside each other; feeds need eight
MOST_ELEMENTS = 400_000  # feeds of 2,000 entries have 40,000
MOST_CHILDREN = 4_000  # of one element that are kept, items not counted; nothing has more but attacks
MOST_ATTRIBUTES = 60  # of one element; a root that declares every known namespace has 30

#: Namespaces by the address that declares them, and the prefix that we call them by; "" for the feed's own elements.
SPACES = {
    "http://www.w3.org/2005/atom": "",
    "https://www.w3.org/2005/atom": "",
    "http://purl.org/atom/ns#": "",
    "http://purl.org/rss/1.0": "",
    "http://my.netscape.com/rdf/simple/0.9": "",
    "http://channel.netscape.com/rdf/simple/0.9": "",
    "http://my.netscape.com/publish/formats/rss-0.91.dtd": "",
    "http://purl.org/net/rss1.1#": "",
    "http://backend.userland.com/rss": "",
    "http://blogs.law.harvard.edu/tech/rss": "",
    "http://backend.userland.com/rss2": "",
    "http://www.sitemaps.org/schemas/sitemap/0.9": "",
    "https://www.sitemaps.org/schemas/sitemap/0.9": "",
    "http://www.google.com/schemas/sitemap/0.84": "",
    "http://www.google.com/schemas/sitemap-news/0.9": "news",
    "http://www.google.com/schemas/sitemap-image/1.1": "image",
    "http://www.google.com/schemas/sitemap-video/1.1": "video",
    "http://www.w3.org/1999/xhtml": "xhtml",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://purl.org/rss/1.0/modules/content": "content",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://purl.org/dc/terms": "dcterms",
    "http://purl.org/rss/1.0/modules/syndication": "sy",
    "http://search.yahoo.com/mrss": "media",
    "http://rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "http://www.pheedo.com/namespace/pheedo": "pheedo",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://www.w3.org/xml/1998/namespace": "xml",
}
_WRITTEN = {"atom": "", "atom03": "", "a10": "", "rss": "", "html": "xhtml"}  # prefixes that nothing declares

_TOKEN = re.compile(
    r"""<(?=[!?/A-Za-z_])(?:(!\[CDATA\[)|(!--)|([!?])|(/)?([A-Za-z_][\w.-]{0,100}(?::[\w.-]{1,100})?)"""
    r"""((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+|[^<>]*+)>)"""
)
_ATTRIBUTE = re.compile(r"""(?<![\w.:-])([\w.:-]{1,100})\s{0,20}=\s{0,20}("[^"]*+"|'[^']*+'|[^\s"'>]++)""")
_TAG = re.compile(r"</?[A-Za-z]")
_ENTITY = re.compile(r"""<!ENTITY\s{1,20}(\w{1,40})\s{1,20}(?:"([^"&<>%]{0,80})"|'([^'&<>%]{0,80})')\s{0,20}>""")
_REFERENCE = re.compile(r"&(?:#(?:[xX][0-9A-Fa-f]{1,6}|[0-9]{1,7})|(\w{1,40}));")
_OTHER_REFERENCE = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;)[#\w]")
_OPEN_CDATA = "<![CDATA["
_MOST_ENTITIES = 32  # that a document may define
_MOST_REPLACED = 20_000  # references to them that are replaced, of 80 characters at most
_LONGEST_TAG = 20_000  # code points of attributes that are looked at

ROOTS = frozenset(("rss", "rdf:rdf", "rdf", "feed", "channel", "urlset", "sitemapindex"))
#: What stands many times under a root; under every other root items and entries.
REPEATED = {"urlset": frozenset(("url",)), "sitemapindex": frozenset(("sitemap",))}
ENTRIES = frozenset(("item", "entry"))
#: Elements whose content is text or HTML; what looks like elements in them is its markup.
TEXTS = frozenset(
    ("title", "description", "summary", "content", "subtitle", "tagline", "abstract", "fulltext", "body", "encoded",
     "content:encoded", "xhtml:body", "xhtml:div", "dc:title", "dc:description", "dcterms:abstract", "media:title",
     "media:description", "itunes:summary", "itunes:subtitle", "itunes:title", "excerpt:encoded", "rights",
     "copyright", "yandex:full-text", "full-text", "turbo:content", "news:title")
)  # fmt: skip
#: Elements that hold no others; the next start tag ends them if nothing else did.
LEAVES = frozenset(
    ("link", "guid", "id", "pubdate", "published", "updated", "modified", "issued", "created", "lastbuilddate",
     "language", "category", "ttl", "docs", "generator", "dc:date", "dc:creator", "dc:subject", "dc:language",
     "dc:identifier", "dcterms:created", "dcterms:modified", "dcterms:issued", "loc", "lastmod", "name", "uri", "email",
     "comments", "feedburner:origlink", "pheedo:origlink", "news:publication_date", "news:language", "news:name",
     "news:keywords", "changefreq", "priority")
)  # fmt: skip
#: Start tags that end a text whose end tag is missing: no HTML has such elements.
_AFTER_TEXT = (LEAVES | frozenset(("content:encoded", "media:content", "author", "enclosure"))) - {
    "link", "id", "name", "uri", "created", "published", "category"
}  # fmt: skip
_AFTER_TITLE = _AFTER_TEXT | {"link", "id", "category", "description", "summary", "content", "published", "created"}


@dataclass(slots=True, eq=False)
class Element:
    """An element with its name in lower case: `prefix:name`, without prefix for those of RSS, Atom and sitemaps.

    text: its own characters, references resolved; of a text that holds tags the HTML source, and `markup` is set.
    """

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    markup: bool = False

    @property
    def text(self) -> str:
        return self.parts[0] if len(self.parts) == 1 else "".join(self.parts)

    def all(self, *names: str) -> Iterator[Element]:
        """Its children of these names, all of the first name before those of the second."""
        for name in names:
            for child in self.children:
                if child.name == name:
                    yield child

    def first(self, *names: str) -> Element | None:
        return next(self.all(*names), None)

    def words(self, *names: str) -> str | None:
        """The first text of a child that is not blank, white space around it taken off."""
        for child in self.all(*names):
            if words := child.text.strip():
                return words
        return None


@dataclass(frozen=True, slots=True)
class Tree:
    """root: the first element that is a feed's or a sitemap's. repeated: its items, entries, urls or sitemaps, in
    order, wherever they stand. skipped: how many more of them there are that were not read.
    """

    root: Element
    repeated: list[Element]
    skipped: int


def read_elements(text: str, most: int) -> Tree:
    """The first `most` items with everything about them, and the elements about the whole.

    An item that the end of the text cuts short is left out and counted as skipped. Raises: Unusable ("bad-feed" for
    text without such elements, "too-large" for elements nested too deep or too many).
    """
    reader = _Reader(text, most)
    reader.read()
    if reader.root is None:
        raise Unusable("not a feed", reason="bad-feed")
    return Tree(reader.root, reader.repeated, reader.skipped)


class _Reader:
    """One pass over one text."""

    def __init__(self, text: str, most: int) -> None:
        self.text, self.most = text, most
        self.root: Element | None = None
        self.repeated: list[Element] = []
        self.skipped = 0
        self._repeats = ENTRIES
        self._open: list[Element] = []
        self._named_open: dict[str, int] = {}  # how many of them have a name
        self._item: Element | None = None  # the open one
        self._spaces: dict[str, str] = {}
        self._scopes: list[tuple[Element, dict[str, str]]] = []  # elements that declare namespaces; what held before
        self._names: dict[str, str] = {}  # what a tag's name is called under these namespaces
        self._entities: dict[str, str] = {}
        self._replaced = 0
        self._next: dict[str, int] = {}  # where a closing mark stands next; the text's length: nowhere

    def read(self) -> None:
        position = elements = 0
        while found := _TOKEN.search(self.text, position):
            self._characters(position, found.start())
            cdata, comment, other, closing, name, rest = found.groups()
            position = found.end()
            if name is not None:
                elements += 1
                if elements > MOST_ELEMENTS:
                    raise Unusable(f"more than {MOST_ELEMENTS} elements", reason="too-large")
                if closing:
                    self._close(self._named(name))
                else:
                    position = self._start(name, rest, position)
                if len(self.repeated) >= self.most:
                    self._count(position)
                    return
            elif cdata:
                end = self._find("]]>", position)
                if self._open:
                    self._open[-1].parts.append(self.text[position:end])
                position = min(end + 3, len(self.text))
            elif comment:
                end = self._find("-->", position)
                position = end + 3 if end < len(self.text) else position
            elif other:
                position = self._declaration(found.start(), position)
        self._characters(position, len(self.text))
        self.skipped += self._item is not None

    # -- elements ----------------------------------------------------------------------------------------------------

    def _start(self, written: str, rest: str, position: int) -> int:
        """Opens an element, and reads it to its end if it is a text. Returns where to go on."""
        attributes = self._attributes(rest) if "=" in rest else {}
        held = self._declare(attributes) if "xmlns" in rest else None
        element = Element(self._named(written), attributes)
        if self.root is None:
            if element.name not in ROOTS:
                self._restore(held)
                return position
            self.root = element
            self._repeats = REPEATED.get(element.name, ENTRIES)
        self._end_before(element.name)
        if self._open:
            if len(self._open) > DEEPEST:
                raise Unusable(f"elements nested deeper than {DEEPEST}", reason="too-large")
            begins = self._item is None and element.name in self._repeats
            if begins or len(self._open[-1].children) < MOST_CHILDREN:
                self._open[-1].children.append(element)
        if self._item is None and element.name in self._repeats:
            self._item = element
        if rest.endswith("/"):
            self._restore(held)
            self._finish(element)
        elif element.name in TEXTS and element is not self.root:
            position = self._read_text(element, position)
            self._restore(held)
        else:
            self._open.append(element)
            self._named_open[element.name] = self._named_open.get(element.name, 0) + 1
            if held is not None:
                self._scopes.append((element, held))
        return position

    def _end_before(self, name: str) -> None:
        """Ends what a start tag shows to be over: an element that holds no others, an item before the next one."""
        if self._open and self._open[-1].name in LEAVES:
            self._pop()
        item = self._item
        if item is not None and item.name == name:
            while self._pop() is not item:
                pass

    def _close(self, name: str) -> None:
        """Ends the innermost open element of that name, and what is open inside it."""
        if not self._named_open.get(name):
            return
        while self._pop().name != name:
            pass

    def _pop(self) -> Element:
        element = self._open.pop()
        self._named_open[element.name] = self._named_open.get(element.name, 1) - 1
        if self._scopes and self._scopes[-1][0] is element:
            self._restore(self._scopes.pop()[1])
        self._finish(element)
        return element

    def _finish(self, element: Element) -> None:
        if element is self._item:
            self.repeated.append(element)
            self._item = None

    def _count(self, position: int) -> None:
        """Counts the items behind the last one that is read."""
        name = self.repeated[-1].name
        self.skipped += self._item is not None
        self.skipped += sum(1 for _ in re.finditer(rf"<(?:[\w.-]+:)?{name}[\s/>]", self.text[position:], re.IGNORECASE))

    # -- texts -------------------------------------------------------------------------------------------------------

    def _read_text(self, element: Element, position: int) -> int:
        """Reads an element whose content is text or HTML. Returns where to go on: behind its end tag, or before the
        tag that shows that it is over.
        """
        parts: list[tuple[str, bool]] = []  # pieces, and whether they stand for themselves
        edges = _edges(element.name.rpartition(":")[2])
        after = _AFTER_TITLE if element.name.endswith("title") else _AFTER_TEXT
        inside, literal, start = 0, False, position
        end = len(self.text)
        while found := edges.search(self.text, position):
            cdata, comment, closing, written, rest = found.groups()
            position = found.end()
            if cdata or comment:
                parts.append((self.text[start : found.start()], literal))
                if cdata:
                    stop, position = self._cdata(position, edges)
                    parts.append((self.text[found.end() : stop], True))
                    literal = literal or stop == found.end()
                else:
                    stop = self._find("-->", position)
                    position = stop + 3 if stop < len(self.text) else position
                start = position
                continue
            name = self._named(written)
            if name == element.name:
                if closing and inside == 0:
                    end = found.start()
                    break
                inside += -1 if closing else 0 if rest.endswith("/") else 1
            elif name in self._repeats or name in ROOTS or (not closing and name in after):
                end = position = found.start()
                break
        else:
            position = end
            self._open.append(element)  # the text ends inside it
        parts.append((self.text[start:end], literal))
        self._settle(element, parts)
        return position

    def _cdata(self, start: int, edges: re.Pattern[str]) -> tuple[int, int]:
        """Where a section that begins at `start` ends, and where to go on.

        A section with another one inside it behind the element's end was never closed: it ends with the element. Of one
        that ends nowhere only the opening is taken off.
        """
        end = self._find("]]>", start)
        nested = self.text.find(_OPEN_CDATA, start, end)
        if nested >= 0 and (over := edges.search(self.text, start, nested)) and over[3]:
            return over.start(), over.start()
        if end == len(self.text):
            return start, start
        return end, end + 3

    def _settle(self, element: Element, parts: list[tuple[str, bool]]) -> None:
        element.markup = any(not literal and _TAG.search(piece) for piece, literal in parts)
        for piece, literal in parts:
            if piece:
                if not literal:
                    piece = piece.replace("]]>", "")
                    piece = piece if element.markup else self._plain(piece)
                element.parts.append(piece)

    def _characters(self, start: int, end: int) -> None:
        if start < end and self._open:
            self._open[-1].parts.append(self._plain(self.text[start:end]))

    def _plain(self, words: str) -> str:
        """The characters that references stand for in their place; unknown references stay."""
        if "&" not in words:
            return words
        if _OTHER_REFERENCE.search(words):
            return _REFERENCE.sub(self._character, words)
        words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&apos;", "'")
        return words.replace("&amp;", "&")

    def _character(self, found: re.Match[str]) -> str:
        named = found[1]
        if named in self._entities and self._replaced < _MOST_REPLACED:
            self._replaced += 1
            return self._entities[named]
        if named is None:
            return _numbered(found[0])
        return html5.get(f"{named};", found[0])

    # -- tags --------------------------------------------------------------------------------------------------------

    def _attributes(self, rest: str) -> dict[str, str]:
        pairs = islice(_ATTRIBUTE.findall(rest[:_LONGEST_TAG]), MOST_ATTRIBUTES)
        return {name.lower(): self._plain(value[1:-1] if value[0] in "\"'" else value) for name, value in pairs}

    def _declare(self, attributes: dict[str, str]) -> dict[str, str]:
        """Takes in the namespaces that a tag declares. Returns those that held before."""
        held = self._spaces
        declared = dict(held)
        for key, value in attributes.items():
            if key == "xmlns" or key.startswith("xmlns:"):
                prefix = key[6:]
                known = SPACES.get(value.strip().lower().rstrip("/"))
                declared[prefix] = known if known is not None else prefix or ("" if self.root is None else "other")
        self._spaces, self._names = declared, {}
        return held

    def _restore(self, held: dict[str, str] | None) -> None:
        if held is not None:
            self._spaces, self._names = held, {}

    def _named(self, written: str) -> str:
        name = self._names.get(written)
        if name is None:
            prefix, _, local = written.lower().rpartition(":")
            space = self._spaces.get(prefix)
            space = _WRITTEN.get(prefix, prefix) if space is None else space
            name = self._names[written] = f"{space}:{local}" if space else local
        return name

    def _declaration(self, start: int, position: int) -> int:
        """Passes over a processing instruction or a declaration; keeps a plain entity. Returns where to go on."""
        defined = _ENTITY.match(self.text, start)
        if defined and len(self._entities) < _MOST_ENTITIES:
            self._entities.setdefault(defined[1], defined[2] or defined[3] or "")
        end = self._find(">", position)
        return end + 1 if end < len(self.text) else position

    def _find(self, mark: str, position: int) -> int:
        """Where the mark stands next; the length of the text if nowhere. Looks at no part of the text twice."""
        known = self._next.get(mark, -1)
        if known < position:
            found = self.text.find(mark, position)
            known = self._next[mark] = found if found >= 0 else len(self.text)
        return known


@lru_cache(maxsize=2_000)
def _numbered(reference: str) -> str:
    return html.unescape(reference)


@cache
def _edges(local: str) -> re.Pattern[str]:
    """What may end or interrupt a text: its own tags, sections, comments, and tags that no HTML has."""
    names = {name.rpartition(":")[2] for name in _AFTER_TITLE | ROOTS | ENTRIES | frozenset(("url", "sitemap"))}
    listed = "|".join(sorted({local} | names, key=len, reverse=True))
    return re.compile(
        rf"<(?=[!/A-Za-z_])(?:(!\[CDATA\[)|(!--)|(/)?((?:[\w.-]{{1,100}}:)?(?:{listed}))(?=[\s/>])([^<>]*)>)",
        re.IGNORECASE,
    )
