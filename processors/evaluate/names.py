"""Whether two spellings name the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Its own folding, not that of processors.text: a measure must not move when the reading of articles does.
_LETTERS = {ord(a): b for letters, b in (("أإآٱ", "ا"), ("ىئ", "ي"), ("ة", "ه"), ("ؤ", "و")) for a in letters}
_TATWEEL = "ـ"
_WORD = re.compile(r"\w+")
_PROCLITICS = re.compile("[وف]?(?:[بك]?(?:ال)?|لل?)")
_LEAST, _LEAST_INSIDE, _MORE_WORDS = 2, 3, 4


def same_name(gold: str, said: str | None) -> bool:
    """One holds the other as whole words, proclitics aside; what is said may be no sentence (four words more)."""
    wanted, given = _words(gold), _words(said or "")
    if not wanted or not given or len(given) > len(wanted) + _MORE_WORDS:
        return False
    letters = sum(map(len, given))
    if letters < _LEAST:
        return False
    return _holds(given, wanted) or (letters >= _LEAST_INSIDE and _holds(wanted, given))


def _words(text: str) -> list[str]:
    letters = (c for c in unicodedata.normalize("NFKC", text) if c != _TATWEEL and not unicodedata.combining(c))
    return _WORD.findall("".join(letters).translate(_LETTERS).lower())


def _holds(long: Sequence[str], short: Sequence[str]) -> bool:
    starts = range(len(long) - len(short) + 1)
    return any(all(_same_word(long[at + k], word) for k, word in enumerate(short)) for at in starts)


def _same_word(a: str, b: str) -> bool:
    if len(a) > len(b):
        a, b = b, a
    if a == b:
        return True
    return len(a) > 2 and b.endswith(a) and bool(_PROCLITICS.fullmatch(b[: -len(a)]))
