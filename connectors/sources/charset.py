"""Bytes of pages, feeds and texts to characters."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']|<meta[^>]{0,400}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_HEAD = 4_096  # bytes in which a declaration is looked for (browsers: 1,024; news pages put scripts in front of it)
#: Labels that the web uses for something else than they say (WHATWG Encoding Standard).
_MEANT = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "utf-16": "utf-16-le"}
_HIGH = re.compile(rb"[\x80-\xff]+")
_WORD = re.compile(rb"[\x80-\xff]{3,}")  # three in a row: no Western language writes so, every Arabic word does
_TAG = re.compile(rb"<[^>]{0,2000}>")
_ARTICLE = ((b"\xc7\xe1", "cp1256"), (b"\xc7\xe4", "iso8859-6"))  # «ال», one letter pair in twelve
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#([xX][0-9A-Fa-f]{1,8}|[0-9]{1,8});?")
_SAMPLE = 20_000


def decode(data: bytes, charset: str | None = None) -> str:
    """The text of the bytes, without byte order mark. Never raises: what has no meaning becomes U+FFFD.

    charset: what the transport said. Believed in this order: byte order mark; UTF-8, if the bytes are valid UTF-8 or
    nearly so (one bad byte costs one character); `charset`; the XML or HTML declaration; what the bytes look like.
    A Western charset is not believed of bytes that are plainly Arabic windows-1256.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    named = _codec(charset) or _declared(data)
    if named and named.startswith(("utf-16", "utf-32")) and b"\x00" in data[:_HEAD]:
        return data.decode(named, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "replace")
    if text.count("\ufffd") * 10 <= sum(map(len, re.findall("[^\x00-\x7f\ufffd]+", text))):
        return text
    high = b" ".join(_HIGH.findall(data))
    if named in (None, "utf-8", "cp1252", "cp1254"):
        western = named if named in ("cp1252", "cp1254") else None
        named = _looks_arabic(high) or western or (_guess(data) if _in_words(high) else "cp1252")
    return data.decode(named, "replace") if named else text


def without_controls(markup: str) -> str:
    """The markup without what XML forbids: control characters but tab and line ends, half surrogate pairs, U+FFFE and
    U+FFFF, also where they are written as references (`&#xD800;`). Parsers fail on them, and so do records.
    """
    return without_forbidden(_REFERENCE.sub(_checked, markup))


def without_forbidden(text: str) -> str:
    """The text without the characters that XML forbids; references to them stay."""
    return _FORBIDDEN.sub("", text)


def _checked(reference: re.Match[str]) -> str:
    number = int(reference[1][1:], 16) if reference[1][0] in "xX" else int(reference[1])
    return "" if number > 0x10FFFF or _FORBIDDEN.match(chr(number)) else reference[0]


def _codec(name: str | None) -> str | None:
    """Python's name of the codec that a label means; None for an unknown one."""
    if not name:
        return None
    try:
        found = codecs.lookup(name.strip())
        "".encode(found.name)  # hex, zip and their like are no character sets
    except (LookupError, ValueError, TypeError):
        return None
    return _MEANT.get(found.name, found.name)


def _declared(data: bytes) -> str | None:
    found = _DECLARED.search(data[:_HEAD])
    if not found:
        return None
    return _codec((found[1] or found[2]).decode("ascii", "replace"))


def _in_words(high: bytes) -> bool:
    return sum(map(len, _WORD.findall(high))) > len(high) // 3


def _looks_arabic(high: bytes) -> str | None:
    if not _in_words(high):
        return None
    for pair, name in _ARTICLE:
        if high.count(pair) > len(high) / 100:
            return name
    return None


def _guess(data: bytes) -> str | None:
    # Loaded here because almost every input is valid UTF-8 and never comes this far.
    from charset_normalizer import from_bytes

    best = from_bytes(_TAG.sub(b" ", data)[:_SAMPLE]).best()
    return best.encoding if best else None
