"""A tree of elements written out again as well-formed XML, so that a strict parser reads what was broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from connectors.sources.elements import ENTRIES, SPACES, TEXTS, Element, Tree
from connectors.sources.entries import LONGEST_TEXT

LONGEST_NAME = 500  # code points of a person's name: feedparser looks for mail addresses in quadratic time
_NESTED = 3  # sections inside each other that are undone
LONGEST_VALUE = 8_192  # code points of an attribute
_PEOPLE = frozenset(
    ("author", "creator", "contributor", "name", "email", "uri", "managingeditor", "webmaster", "publisher", "owner",
     "copyright", "rights", "credit")
)  # fmt: skip
_MARK, _END = "<![CDATA[", "]]>"
_NAME = re.compile(r"[a-z_][\w.-]*", re.ASCII)
_ADDRESSES = {prefix: address for address, prefix in reversed(SPACES.items()) if prefix not in ("", "xml")}
_ATOM, _ATOM_03 = "http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"
_RSS_10 = "http://purl.org/rss/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_UNNAMED = frozenset(("excerpt", "prism", "turbo", "yandex"))  # read, and feedparser knows no name for them


def well_formed(tree: Tree) -> bytes:
    """The feed as UTF-8 XML: what it says of itself, then its items, each once. HTML in texts is written escaped."""
    root = tree.root
    outer, inner = [root], root
    if root.name != "feed" and (channel := root.first("channel", "feed")) is not None:
        outer, inner = [root, channel], channel
    body: list[str] = []
    spaces: dict[str, str] = {}
    for child in [*inner.children, *(c for c in root.children if root is not inner and c is not inner)]:
        _write(child, body, spaces)
    for item in tree.repeated:
        _write(item, body, spaces, whole=True)
    names = ["rdf:RDF" if e.name in ("rdf", "rdf:rdf") else e.name.replace(":", "_") for e in outer]
    if names[0] == "rdf:RDF":
        spaces["rdf"] = _RDF
    out = ['<?xml version="1.0" encoding="utf-8"?>']
    for name, element in zip(names, outer, strict=True):
        attributes = "".join(_attributes(element, spaces))
        if element is root:
            attributes += _default(root, names[0]) + "".join(f" xmlns:{p}={quoteattr(at)}" for p, at in spaces.items())
        out.append(f"<{name}{attributes}>")
    out += body
    out += [f"</{name}>" for name in reversed(names)]
    return "".join(out).encode("utf-8", "replace")


def _default(root: Element, name: str) -> str:
    """The declaration of the feed's own namespace, by which its dialect is told."""
    if name == "feed":
        old = root.attributes.get("version") == "0.3" or "purl.org/atom" in " ".join(root.attributes.values())
        return f' xmlns="{_ATOM_03 if old else _ATOM}"'
    if name == "rdf:RDF":
        said = root.attributes.get("xmlns", "")
        return f" xmlns={quoteattr(said if 'netscape.com' in said else _RSS_10)}"
    return ""


def _write(element: Element, out: list[str], spaces: dict[str, str], *, whole: bool = False) -> None:
    """As deep as elements may stand inside each other, which is not deep. Items inside others are left out: they are
    written by themselves, or were cut short."""
    name = _named(element.name, spaces)
    if name is None or (element.name in ENTRIES and not whole):
        return
    attributes = "".join(_attributes(element, spaces))
    if element.markup:  # the source of what stood in it as elements
        attributes += ' type="html"'
    out.append(f"<{name}{attributes}>")
    local = element.name.rpartition(":")[2]
    if element.name in TEXTS or not element.children:
        out.append(escape(_unmarked(element.text)[: LONGEST_NAME if local in _PEOPLE else LONGEST_TEXT]))
    else:
        if local in _PEOPLE and (said := element.text.strip()):
            out.append(escape(said[:LONGEST_NAME]))
        for child in element.children:
            _write(child, out, spaces)
    out.append(f"</{name}>")


def _unmarked(words: str) -> str:
    """The words without the marks of a section that was escaped, or put into another section."""
    for _ in range(_NESTED):
        if (stripped := words.strip())[: len(_MARK)].upper() != _MARK:
            break
        words = stripped[len(_MARK) :].removesuffix(_END)
    return words


def _attributes(element: Element, spaces: dict[str, str]) -> Iterator[str]:
    for key, value in element.attributes.items():
        if key.startswith("xmlns") or (element.markup and key in ("type", "mode")):
            continue
        name = _named(key, spaces)
        if name is not None:
            yield f" {name}={quoteattr(value[:LONGEST_VALUE])}"


def _named(name: str, spaces: dict[str, str]) -> str | None:
    """The name as XML has it, its prefix declared; None for what can be no name, or is nothing
    that is read."""
    prefix, _, local = name.rpartition(":")
    if not _NAME.fullmatch(local) or (prefix and not _NAME.fullmatch(prefix)):
        return None
    if prefix and prefix != "xml":
        if prefix not in _ADDRESSES and prefix not in _UNNAMED:
            return None
        spaces.setdefault(prefix, _ADDRESSES.get(prefix, f"urn:prefix:{prefix}"))
    return name
