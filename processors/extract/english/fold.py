"""English text folded: lower case, no accents, no apostrophes, no full stops inside abbreviations, hyphens as spaces.

«Syria's» and «Syrias» (feeds drop apostrophes), «U.S.-led» and «US led», «Al-Qa'ida» and «al Qaida» come out alike.
"""

from __future__ import annotations

import re
import unicodedata

from processors.text import MARKS, Folded

_QUOTES = "\"«»“”„‟＂#`´'’‘ʼ"
_ABBREVIATED = (
    ("Mr", "Dr", "Lt", "St", "Lt", "km"),
    ("Mrs", "Gen", "Col", "Maj", "Sgt", "Sen", "Gov", "Jan", "Feb", "Apr", "Aug", "Oct", "Nov", "Dec"),
    ("Brig", "Capt", "Sept"),
)
_STOPS = "|".join(rf"(?<=\b(?:{'|'.join(group)}))\." for group in _ABBREVIATED)
_CUT = re.compile(
    rf"(?<=[ \n])[{_QUOTES}{MARKS}]+ +|[{_QUOTES}{MARKS}]+|(?<= ) +"
    rf"|(?<=\b[A-Za-z])\.(?=[A-Za-z]\b)|(?<=\.[A-Za-z])\.|{_STOPS}"
)
_HYPHEN = re.compile(r"(?<=\w)[-‐‑](?=[^\W\d_])|(?<=[^\W\d_])[-‐‑](?=\w)")


def _letters() -> dict[int, str]:
    table = {c: chr(c + 32) for c in range(ord("A"), ord("Z") + 1)}
    for c in range(0xC0, 0x250):
        plain = unicodedata.normalize("NFD", chr(c))[0].lower()
        if plain.isascii():
            table[c] = plain
    table |= {ord(c): " " for c in "_\u00a0\u2007\u202f\t\r\v\f"}
    return table | {0x2028: "\n", 0x2029: "\n"}


_LETTERS = _letters()


def fold_english(raw: str) -> Folded:
    """Folded text with a map back to `raw`."""
    text = _HYPHEN.sub(" ", raw)
    starts: list[int] = []
    parts: list[str] = []
    last = 0
    for cut in _CUT.finditer(text):
        parts.append(text[last : cut.start()])
        starts.extend(range(last, cut.start()))
        last = cut.end()
    if not parts:
        return Folded(raw, text.translate(_LETTERS), None)
    parts.append(text[last:])
    starts.extend(range(last, len(text)))
    return Folded(raw, "".join(parts).translate(_LETTERS), starts)
