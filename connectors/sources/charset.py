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
#: Codecs of Python that no page is written in; some take time that grows with the square.
_NO_PAGES = frozenset(("utf-7", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"))
_HIGH = re.compile(rb"[\x80-\xff]+")
_PASSAGE = re.compile(rb"[\x80-\xff][^<]*")
_MOST_PASSAGES = 100_000  # that are looked at; a feed of 2,000 entries has 20,000
_WORD = re.compile(rb"[\x80-\xff]{3,}")  # three in a row: no Western language writes so, every Arabic word does
_TAG = re.compile(rb"<[^>]{0,2000}>")
_ARABIC = ("cp1256", "iso8859-6")
_ARABIC_LETTERS = re.compile("[\u0621-\u063a\u0641-\u064a\u067e\u0686\u0698\u06a9\u06af]")
_FREQUENT = re.compile("[اليمنورتبدهسعكف]")  # three letters of four in Arabic and in Persian text
_LETTERS_TRUE, _FREQUENT_TRUE, _DECLARED_BONUS = 0.9, 0.5, 0.03  # shares: see `_looks_arabic`
_TURKISH = re.compile(rb"[\xd0\xdd\xde\xf0\xfd\xfe]")  # ğ ı ş of windows-1254; in windows-1252 ð ý þ of Icelandic
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_CONTROLS = bytes((*range(9), 11, 12, *range(14, 32), 127))
_LEADS = (b"\xed", b"\xef\xbf")  # how surrogates, U+FFFE and U+FFFF begin in UTF-8; so do some that may stay
_REFERENCE = re.compile(r"&#([xX][0-9A-Fa-f]{1,8}|[0-9]{1,8});?")
_SAMPLE = 20_000


def decode(data: bytes, charset: str | None = None) -> str:
    """The text of the bytes, without byte order mark. Never raises: what has no meaning becomes U+FFFD.

    charset: what the transport said. Believed in this order: byte order mark; the pattern of zero bytes of UTF-16;
    UTF-8, if the bytes are valid UTF-8 or mostly so (a bad byte costs one character, a passage in windows-1256 is read
    as that); `charset`; the XML or HTML declaration; what the bytes look like. No declaration is believed of bytes that
    are plainly Arabic of another one.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    if wide := _utf16(data):
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "replace")
    if text.count("\ufffd") <= sum(map(len, re.findall("[^\x00-\x7f\ufffd]+", text))):
        return _PASSAGE.sub(_mended, data, count=_MOST_PASSAGES).decode("utf-8", "replace")
    named = _codec(charset) or _declared(data)
    return data.decode(_meant(data, None if named and named.startswith("utf-") else named), "replace")


def _meant(data: bytes, named: str | None) -> str:
    """The encoding of bytes that are not UTF-8, by what they look like and by what they are called."""
    high = b" ".join(_HIGH.findall(data))[:_SAMPLE]
    if named is None or named in (*_ARABIC, "cp1252", "cp1254"):
        if arabic := _looks_arabic(high, named):
            return arabic
        if named in (None, "cp1252") and len(_TURKISH.findall(high)) > 0.15 * len(high):
            return "cp1254"
    return named or (_guess(data) if _in_words(high) else None) or "cp1252"


def _mended(passage: re.Match[bytes]) -> bytes:
    """A passage of a document that is UTF-8 elsewhere, in UTF-8 if it is Arabic of another encoding."""
    piece = passage[0]
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError as error:
        high = b" ".join(_HIGH.findall(piece, error.start))[:_SAMPLE]
        if piece.decode("utf-8", "replace").count("\ufffd") * 2 > len(high) and (named := _looks_arabic(high, None)):
            return piece.decode(named, "replace").encode()
    return piece


def _utf16(data: bytes) -> str | None:
    """The byte order of UTF-16 without a mark: the other byte of its markup is zero."""
    head = data[:_HEAD]
    even, odd, pairs = head[::2].count(0), head[1::2].count(0), len(head) // 2
    if pairs < 2 or max(even, odd) < 0.2 * pairs or min(even, odd) > 0.05 * pairs:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def without_controls(markup: str) -> str:
    """The markup without what XML forbids: control characters but tab and line ends, half surrogate pairs, U+FFFE and
    U+FFFF, also where they are written as references (`&#xD800;`). Parsers fail on them, and so do records.
    """
    return without_forbidden(_REFERENCE.sub(_checked, markup))


def without_forbidden(text: str) -> str:
    """The text without the characters that XML forbids; references to them stay."""
    data = text.encode("utf-8", "surrogatepass")  # twice as fast as looking at each character of clean text
    if len(data.translate(None, _CONTROLS)) == len(data) and not any(lead in data for lead in _LEADS):
        return text
    return _FORBIDDEN.sub("", text)


def _checked(reference: re.Match[str]) -> str:
    number = int(reference[1][1:], 16) if reference[1][0] in "xX" else int(reference[1])
    return "" if number > 0x10FFFF or _FORBIDDEN.match(chr(number)) else reference[0]


def _codec(name: str | None) -> str | None:
    """Python's name of the codec that a label means; None for an unknown one."""
    if not name:
        return None
    try:
        found = codecs.lookup(name.strip().lower().removeprefix("x-").removesuffix("-i"))
        "".encode(found.name)  # hex, zip and their like are no character sets
    except (LookupError, ValueError, TypeError):
        return None
    return None if found.name in _NO_PAGES else _MEANT.get(found.name, found.name)


def _declared(data: bytes) -> str | None:
    found = _DECLARED.search(data[:_HEAD])
    if not found:
        return None
    return _codec((found[1] or found[2]).decode("ascii", "replace"))


def _in_words(high: bytes) -> bool:
    return sum(map(len, _WORD.findall(high))) > len(high) // 3


def _looks_arabic(high: bytes, named: str | None) -> str | None:
    """The encoding in which these words are Arabic or Persian, if there is one.

    In the right one nearly all letters are of the script, and most of them are its frequent ones; in the wrong one a
    third are accented Latin letters, or nothing. Between two that fit, the declared one is believed.
    """
    if not _in_words(high):
        return None
    best, share = None, _LETTERS_TRUE
    for name in _ARABIC:
        letters = [char for char in high.decode(name, "replace") if char.isalpha() or char == "\ufffd"]
        right = _ARABIC_LETTERS.findall("".join(letters))
        frequent = _FREQUENT.findall("".join(right))
        fits = len(right) / max(1, len(letters)) + (_DECLARED_BONUS if name == named else 0.0)
        if fits > share and len(frequent) > _FREQUENT_TRUE * len(right):
            best, share = name, fits
    return best


def _guess(data: bytes) -> str | None:
    # Loaded here because almost every input is valid UTF-8 and never comes this far.
    from charset_normalizer import from_bytes

    best = from_bytes(_TAG.sub(b" ", data)[:_SAMPLE]).best()
    return best.encoding if best else None
