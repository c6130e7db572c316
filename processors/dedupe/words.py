"""Texts as words that compare: one number per word, the same for every spelling that readers take for one word.

A word's number is 32 bits: 30 of a stable hash of its normal form, two for its class. Python's own `hash` is seeded by
process and would not survive a restart.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.tables import FOLDER, rows_of

LANGUAGES = ("ar", "en")  # whose lists of numbers and dates are used
MAX_WORDS = 5_000  # of one text; what stands behind them is compared by the hash of the whole text alone
WORD, NUMBER, DATE = 0, 1, 2  # classes
LONGEST_WORD = 64  # letters of a word that count
CLASS_SHIFT = 30
_KNOWN = 1 << 17  # words whose numbers are kept at hand, twice over: a news language's vocabulary, some 50 MB

_MARKS = "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad"
#: scripts that put no space between words: each letter is one
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTERS = re.compile(rf"([\w{_MARKS}]+)")
_MIXED = re.compile(rf"([{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w{_MARKS}])+)")
_ANY_UNSPACED = re.compile(f"[{_UNSPACED}]")
_CUT = re.compile(f"[{_MARKS}\u0640ء]+")
_FOLD = str.maketrans({**dict.fromkeys("أإآٱ", "ا"), **dict.fromkeys("ىیئ", "ي"), "ؤ": "و", "ة": "ه", "ک": "ك"})
_ARTICLE = re.compile("^[وف]?(?:[بك]?ال|لل)(?=.{3})|^و(?=.{3})")
_LETTER = re.compile(r"[^\W_]")
_DIGIT = re.compile(r"\d")

U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Words:
    """A text's words in their order. numbers: uint32, shape (n,); starts, ends: code points, shape (n,)."""

    numbers: U32
    starts: U32
    ends: U32

    def __len__(self) -> int:
        return len(self.numbers)


def words_of(text: str, offset: int = 0) -> Words:
    """The first MAX_WORDS words of a text; `offset` is added to where they stand."""
    parts = _parts(text)
    numbers = np.fromiter(map(_number, parts[1::2]), np.uint32, len(parts) // 2)
    edges = np.cumsum(np.fromiter(map(len, parts), np.uint32, len(parts)), dtype=np.uint32) + np.uint32(offset)
    starts, ends = edges[:-1:2], edges[1::2]
    if not numbers.all():  # marks that hang on no letter
        some = numbers != 0
        numbers, starts, ends = numbers[some], starts[some], ends[some]
    return Words(numbers, starts, ends)


def _parts(text: str) -> list[str]:
    """What stands between words and the words, in turn; it begins and ends with the former."""
    words = _MIXED if _ANY_UNSPACED.search(text) else _LETTERS
    return words.split(text.replace("_", " "), maxsplit=MAX_WORDS)


def classes(numbers: U32) -> U32:
    """The class of each word."""
    return numbers >> np.uint32(CLASS_SHIFT)


def normal_form(word: str) -> str:
    """A word without what spelling varies: case, presentation forms, vowel marks, tatweel, hamza, final ya and ta
    marbuta, the article and its prefixes, the script of digits. "" where nothing is left."""
    if not word.isascii():
        if not unicodedata.is_normalized("NFKC", word):
            word = unicodedata.normalize("NFKC", word)
        word = _CUT.sub("", word).translate(_FOLD)
        if not word.isalpha():
            word = "".join(_digits(word))
        word = _ARTICLE.sub("", word)
    return word.casefold() if _LETTER.search(word) else ""


def _digits(word: str) -> Iterator[str]:
    for letter in word:
        value = unicodedata.digit(letter, -1)
        yield letter if value < 0 else str(value)


class _Numbers(dict[str, int]):
    """Word → number, 0 for what is no word; reckoned at the first sight of a word and kept, rare ones not for long."""

    def __init__(self) -> None:
        self.older: dict[str, int] = {}

    def __missing__(self, word: str) -> int:
        if len(word) > LONGEST_WORD:  # no word of any language: not worth keeping
            return _reckoned(word[:LONGEST_WORD])
        known = self.older.get(word)
        number = self[word] = _reckoned(word) if known is None else known
        if len(self) >= _KNOWN:
            self.older = dict(self)
            self.clear()
        return number


_number = _Numbers().__getitem__


def _reckoned(word: str) -> int:
    form = normal_form(word)
    if not form:
        return 0
    kind, form = _slot(form)
    digest = hashlib.blake2b(form.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return (int.from_bytes(digest, "little") & ((1 << CLASS_SHIFT) - 1) or 1) | kind << CLASS_SHIFT


def _slot(form: str) -> tuple[int, str]:
    """Class and final form: «خمسة» and «٥» are one number."""
    numbers, dates = _lists()
    if form in numbers:
        return NUMBER, numbers[form]
    if _DIGIT.search(form):
        return NUMBER, form
    return (DATE, dates[form]) if form in dates else (WORD, form)


@functools.cache
def _lists() -> tuple[dict[str, str], dict[str, str]]:
    """Number words → digits, and words of dates → what they mean, in normal form."""
    numbers: dict[str, str] = {}
    dates: dict[str, str] = {}
    for language in LANGUAGES:
        for row in _rows(language, "numbers", ("text", "value", "kind")):
            numbers |= dict.fromkeys(_single(row["text"]), row["value"])
        for row in _rows(language, "months", ("text", "month")):
            dates |= dict.fromkeys(_single(row["text"]), f"month {row['month']}")
        for row in _rows(language, "times", ("text", "kind", "class")):
            if row["kind"] == "weekday":
                dates |= dict.fromkeys(_single(row["text"]), f"weekday {row['value']}")
    return numbers, dates


def _rows(language: str, file: str, required: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    path = FOLDER / language / f"{file}.tsv"
    for _, row in rows_of(path, path.read_bytes(), required, ("value", "flags")):
        yield row


def _single(texts: str) -> Iterator[str]:
    """The normal forms of those that are one word."""
    for text in texts.split("|"):
        found = [normal_form(w) for w in _parts(text)[1::2]]
        if len(found) == 1 and found[0]:
            yield found[0]
