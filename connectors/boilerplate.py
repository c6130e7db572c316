"""The words of `data/boilerplate.tsv`: what pages put around the text that somebody wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.errors import FileError

BOILERPLATE = Path(__file__).parent / "data" / "boilerplate.tsv"
KINDS = ("related", "line", "paywall", "offer", "lost", "gate", "script", "gallery", "title", "name", "by")
#: Letters that are written one for the other; marks and tatweel go.
_FOLDED: dict[int, int | None] = str.maketrans(
    "أإآٱىة", "اااايه", "\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0670"
)
_FOLDINGS = tuple((chr(letter), chr(to) if to else "") for letter, to in _FOLDED.items())
#: What may stand in front of a label.
OPENERS = " \t\r\n\xa0\u200e\u200f[](){}«»\"'*•·–—-►▪◄●■>|:…."
_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Boilerplate:
    """All of it on folded text.

    related: labels of links to other texts, to match at a start; related_letters: what they may begin with, unfolded.
    lines: lines that say nothing, to match whole. paywall, offer, lost, gate, script, gallery: to search for, see the
    file. titles, names: headlines and author lines that name nothing and nobody, to match whole. by: what
    stands in front of a name, to match at the start of unfolded words.
    """

    related: re.Pattern[str]
    related_letters: frozenset[str]
    lines: re.Pattern[str]
    paywall: re.Pattern[str]
    offer: re.Pattern[str]
    lost: re.Pattern[str]
    gate: re.Pattern[str]
    script: re.Pattern[str]
    gallery: re.Pattern[str]
    titles: re.Pattern[str]
    names: re.Pattern[str]
    by: re.Pattern[str]


def fold(words: str) -> str:
    """The words as they are compared: one form of each letter, no marks, lower case, single spaces."""
    if not words.isascii():
        for letter, form in _FOLDINGS:  # a sixth of the time of str.translate, as most letters are none of these
            words = words.replace(letter, form)
    return " ".join(words.casefold().split())


@cache
def boilerplate() -> Boilerplate:
    """The words of the file. Raises: FileError for a row of an unknown kind or a broken pattern."""
    rows: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for number, row in enumerate(BOILERPLATE.read_text(encoding="utf-8").splitlines(), 1):
        if not row or row.startswith("#"):
            continue
        kind, _, words = row.partition("\t")
        if kind not in rows:
            raise FileError(BOILERPLATE, number, f"kind {kind!r} is none of {', '.join(KINDS)}")
        rows[kind].append(words)
    labels = sorted({re.escape(fold(words)) for words in rows["related"]}, key=lambda label: (-len(label), label))
    return Boilerplate(
        related=re.compile(rf"(?:{'|'.join(labels)})\b"),
        related_letters=frozenset(letter for label in labels for letter in _unfolded(label.lstrip("\\")[0])),
        lines=_any(rows["line"]),
        paywall=_any(rows["paywall"]),
        offer=_any(rows["offer"]),
        lost=_any(rows["lost"]),
        gate=_any(rows["gate"]),
        script=_any(rows["script"]),
        gallery=_any(rows["gallery"]),
        titles=_any(rows["title"]),
        names=_any(rows["name"]),
        by=re.compile(_any(rows["by"]).pattern, re.IGNORECASE),
    )


def is_no_title(title: str | None, *names: str | None) -> bool:
    """Whether a headline is missing, says nothing of an article («الرئيسية»), or only names the site."""
    return _says_nothing(title, names, boilerplate().titles)


def is_no_name(author: str | None, *names: str | None) -> bool:
    """Whether an author line names nobody («المحرر», admin), or only the site."""
    return _says_nothing(author, names, boilerplate().names)


def without_by(author: str) -> str:
    """The names of an author line without «بقلم» or "By" in front of them."""
    found = boilerplate().by.match(author)
    return author[found.end() :].lstrip(" :：|-–—") or author if found else author


def _says_nothing(words: str | None, names: tuple[str | None, ...], empty: re.Pattern[str]) -> bool:
    folded = fold(words or "").strip(" .:|-–—")
    return not folded or bool(empty.fullmatch(folded)) or folded in {fold(name) for name in names if name}


def _unfolded(letter: str) -> str:
    """All that folds to the letter."""
    return letter + letter.upper() + "".join(chr(c) for c, to in _FOLDED.items() if to and chr(to) == letter)


def _any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else _NOTHING
