"""OPML: the lists of feeds that readers exchange. docs/feedlist.md tells which attribute becomes which key.

Files come from outside: nothing in them is fetched, no entity is replaced but characters, and what is broken in one
entry costs that entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.entities import html5
from typing import Any

from lxml import etree

from connectors.feedlist import LONGEST, Feed, Names, check_value, same_feed
from connectors.sources.charset import decode, without_forbidden
from pipeline.errors import FileError

LARGEST = 10_000_000  # bytes; 20,000 feeds with all their attributes have some 5 MB
NAMESPACE = "urn:rasd:opml"  # of the attributes that OPML has no word for
MOST_ATTRIBUTES = 300  # the XML parser's time grows with the square of them; "=" in addresses counted
SPOKEN = 300  # code points kept of a title that somebody else wrote

#: Feed's field → our attribute; numbers and switches as text.
_OWN = ("name", "country", "state", "text", "checked", "min_minutes", "max_minutes", "enabled")
_FEEDS = frozenset(("rss", "atom", "rdf", "json", "sitemap", ""))  # values of `type` whose `url` is a feed's address
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,500}\?>")
_REFERENCE = re.compile(r"&(#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};|[A-Za-z][A-Za-z0-9]{1,40};)?")
_PLAIN = frozenset(("amp;", "lt;", "gt;", "quot;", "apos;"))
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_].*)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """What could not be used, and in which line."""

    line: int
    what: str


@dataclass(slots=True)
class OpmlList:
    """What a file holds. faults: entries that were skipped, values that were left out, breaks in the XML. twice: feeds
    that stood there before, and are skipped."""

    title: str | None = None
    feeds: list[Feed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    twice: list[Fault] = field(default_factory=list)


def read_opml(data: bytes, file: str, taken: Iterable[str] = ()) -> OpmlList:
    """The feeds of an OPML file; folders become groups joined by "/".

    file: its name, for errors. taken: names that new feeds may not have.
    Raises: FileError if it is no OPML at all, too large, or declares entities.
    """
    if len(data) > LARGEST:
        raise FileError(file, None, f"{len(data):,} bytes, {LARGEST:,} are allowed")
    found = OpmlList()
    root = _parse(without_forbidden(decode(data)), file, found.faults)
    titles = (t.text for head in root if _local(head.tag) == "head" for t in head if _local(t.tag) == "title")
    found.title = _tidy(next(titles, None))
    names = Names(taken)
    urls: dict[str, int] = {}
    for line, group, given in _outlines(root):
        url = _address(given)
        if url is None:
            continue
        try:
            url = check_value("url", url)
        except ValueError as e:
            found.faults.append(Fault(line, f"skipped: url {e}"))
            continue
        if first := urls.get(same_feed(url)):
            found.twice.append(Fault(line, f"skipped: the same url as in line {first}: {url}"))
            continue
        urls[same_feed(url)] = line
        feed, wrong = _feed(url, group, given, names)
        found.feeds.append(feed)
        found.faults += [Fault(line, f"left out: {what}") for what in wrong]
    return found


def write_opml(feeds: Iterable[Feed], title: str = "rasd") -> bytes:
    """The list as OPML 2.0; what OPML has no word for stands in attributes of our own namespace, so that `read_opml`
    gives the same feeds again, folder by folder."""
    root = etree.Element("opml", {"version": "2.0"}, nsmap={"rasd": NAMESPACE})
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    folders: dict[tuple[str, ...], Any] = {(): etree.SubElement(root, "body")}
    for feed in feeds:
        path = tuple(feed.group.split("/")) if feed.group else ()
        for depth in range(1, len(path) + 1):
            if path[:depth] not in folders:
                attributes = {"text": path[depth - 1], "title": path[depth - 1]}
                folders[path[:depth]] = etree.SubElement(folders[path[: depth - 1]], "outline", attributes)
        etree.SubElement(folders[path], "outline", _attributes(feed))
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True))


# -- reading -----------------------------------------------------------------------------------------------------------


def _parse(text: str, file: str, faults: list[Fault]) -> Any:
    if "<!ENTITY" in text:
        raise FileError(file, text[: text.index("<!ENTITY")].count("\n") + 1, "declares entities: not read")
    for tag in text.split("<"):
        if tag.count("=") > MOST_ATTRIBUTES and not tag.startswith(("!", "?")):
            raise FileError(file, None, f"an element of more than {MOST_ATTRIBUTES} attributes: not read")
    source = _REFERENCE.sub(_reference, _XML_DECLARATION.sub("", text)).encode()
    options: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "encoding": "utf-8"}
    try:
        root = etree.fromstring(source, etree.XMLParser(**options))
    except etree.XMLSyntaxError as error:
        faults.append(Fault(error.lineno or 1, f"broken XML, the rest is read as far as it can be: {error.msg}"))
        root = _recovered(source, options)
    if root is None or _local(root.tag) not in ("opml", "outline"):
        raise FileError(file, None, "is no OPML")
    return root


def _recovered(source: bytes, options: dict[str, Any]) -> Any:
    try:
        return etree.fromstring(source, etree.XMLParser(recover=True, **options))
    except etree.XMLSyntaxError:  # nothing in it is XML
        return None


def _reference(found: re.Match[str]) -> str:
    """References as XML knows them; HTML's names become their characters, a bare ampersand (in addresses) an escape."""
    name = found[1]
    if name is None:
        return "&amp;"
    if name.startswith("#") or name in _PLAIN:
        return found[0]
    return html5.get(name, f"&amp;{name}")


def _outlines(root: Any) -> Iterator[tuple[int, str | None, Mapping[str, str]]]:
    """(line, folder path, attributes) of each outline in document order, by a stack: files may be nested deep."""
    stack: list[tuple[Any, tuple[str, ...]]] = [(root, ())]
    while stack:
        element, path = stack.pop()
        inner = path
        if _local(element.tag) == "outline":
            given = {_key(name): value for name, value in element.attrib.items()}
            yield element.sourceline or 1, "/".join(path) or None, given
            folder = (_tidy(given.get("text") or given.get("title")) or "").replace("/", "-").strip()
            inner = (*path, folder) if folder else path
        if len(element):
            stack += [(child, inner) for child in reversed(element)]


def _key(name: str) -> str:
    """Our own attributes as `rasd:name`, others in lower case: `xmlURL` and `xmlurl` are the same to us."""
    return f"rasd:{name[len(NAMESPACE) + 2 :]}" if name.startswith(f"{{{NAMESPACE}}}") else _local(name)


def _local(name: object) -> str:
    """A tag or attribute without its namespace, in lower case; "" of comments. Broken XML has names that are none."""
    return name.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(name, str) else ""


def _address(given: Mapping[str, str]) -> str | None:
    """The address of the feed, if the outlet is one; `feed:` in front of it, as some sites link it, undone."""
    url = given.get("xmlurl") or (given.get("url") if given.get("type", "").strip().lower() in _FEEDS else None)
    url = (url or "").strip()
    if url.lower().startswith("feed:"):
        url = url[5:]
        url = f"http:{url}" if url.startswith("//") else url
    return url or None


def _feed(url: str, group: str | None, given: Mapping[str, str], names: Names) -> tuple[Feed, list[str]]:
    """The feed, and what is wrong with values that were left out of it."""
    values: dict[str, Any] = {"url": url}
    wrong = []
    ours = "rasd:name" in given
    stated: dict[str, object] = {
        "outlet": _tidy(given.get("title") if ours else given.get("title") or given.get("text")),
        "kind": "sitemap" if given.get("type", "").strip().lower() == "sitemap" else "feed",
        "language": _language(given.get("language")),
        "group": group,
        "notes": _tidy(given.get("description"), LONGEST),
        "home": (given.get("htmlurl") or "").strip() or None,
    }
    stated |= {key: _typed(key, given[f"rasd:{key}"]) for key in _OWN if f"rasd:{key}" in given}
    for key, value in stated.items():
        if value is None:
            continue
        try:
            values[key] = check_value(key, value)
        except ValueError as e:
            wrong.append(f"{key} {e}")
    if "name" not in values or values["name"] in names.taken:
        values["name"] = names.make(url)
    names.taken.add(values["name"])
    return Feed(**values), wrong


def _typed(key: str, text: str) -> object:
    if key == "enabled":
        return {"true": True, "false": False}.get(text, text)
    if key.endswith("_minutes"):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _language(stated: str | None) -> str | None:
    """`en-us` → `en`; None for words such as "unknown"."""
    found = _LANGUAGE.fullmatch((stated or "").strip().lower())
    return found[1] if found else None


def _tidy(text: str | None, longest: int = SPOKEN) -> str | None:
    """One line without control characters; None where nothing is left."""
    return " ".join(_UNFIT.sub(" ", text or "").split())[:longest].rstrip() or None


# -- writing -----------------------------------------------------------------------------------------------------------


def _attributes(feed: Feed) -> dict[str, str]:
    said: dict[str, object] = {
        "type": "sitemap" if feed.kind == "sitemap" else "rss",
        "text": feed.outlet or feed.name,
        "title": feed.outlet,
        "xmlUrl": feed.url,
        "htmlUrl": feed.home,
        "language": feed.language,
        "description": feed.notes,
    }
    for key in _OWN:
        value = getattr(feed, key)
        if key != "enabled":
            said[f"{{{NAMESPACE}}}{key}"] = value
        elif value is False:
            said[f"{{{NAMESPACE}}}{key}"] = "false"
    return {key: str(value) for key, value in said.items() if value is not None}
