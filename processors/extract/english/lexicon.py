"""The English words: the tables of lexicon/en, with the place names and actor ids that Arabic and English share.

English has no clitics, so that a table of first words does what Arabic needs an automaton for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from processors.extract.english.fold import fold_english
from processors.extract.lexicons import FOLDER, SCANNED, Entry, Hit, Hits, lexicon, tables
from processors.text import SPACE, Reading

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_ARTICLES = frozenset(["al", "ar", "as", "ash", "az", "an", "at", "ad", "el", "ed", "ez", "es"])
_POSSESSIVE = frozenset(("actors", "places", "sources"))
SHORTEST_BARE = 5  # letters that a name must keep to stand without its article: «Atareb» for «al-Atareb»
COMMON = 5  # a listed village of so short a name may be any word: it needs a cue noun
NO_ENGLISH_NAME = frozenset(("East of the Euphrates", "West of the Euphrates"))

Pattern = tuple[tuple[str, ...], tuple[Entry, ...]]


@dataclass(frozen=True, slots=True)
class Words:
    """Compiled tables; `hash` covers the data files of English (the shared rows are in the Arabic hash)."""

    hash: str
    rows: Mapping[str, tuple[Mapping[str, str], ...]]
    _single: Mapping[str, tuple[Entry, ...]]
    _several: Mapping[tuple[str, str], tuple[Pattern, ...]]  # by their first two words

    def scan(self, r: Reading) -> Hits:
        """Every lexeme of the text, the longest at each word and file."""
        by: dict[str, dict[int, Hit]] = {file: {} for file in SCANNED}
        cues: dict[int, dict[str, Hit]] = {}
        words, gap = r.words, r.gap
        single, several = self._single, self._several

        def keep(i: int, n: int, entries: tuple[Entry, ...]) -> None:
            for entry in entries:
                if entry.file == "cues":
                    cues.setdefault(i, {}).setdefault(entry.get("kind"), Hit(entry, i, i + n))
                if i not in by[entry.file]:
                    by[entry.file][i] = Hit(entry, i, i + n)

        for i, pair in enumerate(zip(words, (*words[1:], ""), strict=True)):
            for key, entries in several.get(pair, ()):
                n = len(key)
                if words[i : i + n] == key and all(gap[k] <= SPACE for k in range(i + 1, i + n)):
                    keep(i, n, entries)
            if pair[0] in single:
                keep(i, 1, single[pair[0]])
        return Hits(by, cues)


@cache
def words() -> Words:
    """The compiled tables of English. Raises: LexiconError naming file and line."""
    digest, read = tables(FOLDER / "en")
    table: dict[tuple[str, ...], list[Entry]] = {}
    shared = lexicon("ar").rows["places"]
    known = {row["name"]: row for row in shared}
    for file in SCANNED:
        for path, line, columns in read[file]:
            row = known[columns["name"]] if file == "places" and _takes(columns, known) else columns
            for entry in _entries(path, file, line, columns, row):
                _add(table, entry)
    for number, row in enumerate(shared):
        if "stop" not in row.get("flags", "") and row["name"] not in NO_ENGLISH_NAME:
            for text in _name_forms(row["name"]):
                short = bool(row.get("source")) and " " not in text and len(text) <= COMMON
                flags = frozenset(("cue",)) if short else frozenset[str]()
                _add(table, Entry("places", f"shared-places:{number}", text, row, flags))
    several: dict[tuple[str, str], list[Pattern]] = {}
    for key, entries in sorted(table.items(), key=lambda x: (-len(x[0]), x[0])):
        if len(key) > 1:
            several.setdefault((key[0], key[1]), []).append((key, tuple(entries)))
    single = {key[0]: tuple(entries) for key, entries in table.items() if len(key) == 1}
    rows = {file: tuple(columns for _, _, columns in found) for file, found in read.items()}
    return Words(digest, rows, single, {pair: tuple(patterns) for pair, patterns in several.items()})


def combined(a: str, b: str) -> str:
    """One hash of two."""
    return hashlib.blake2b(f"{a}+{b}".encode(), digest_size=8).hexdigest()


def _takes(columns: Mapping[str, str], known: Mapping[str, Mapping[str, str]]) -> bool:
    return not columns.get("lat") and columns["name"] in known


def _add(table: dict[tuple[str, ...], list[Entry]], entry: Entry) -> None:
    key = tuple(_WORD.findall(entry.text))
    if not key:
        return
    keys = [key]
    if entry.file in _POSSESSIVE and not key[-1].endswith("s"):
        keys.append((*key[:-1], key[-1] + "s"))
    for form in keys:
        at = table.setdefault(form, [])
        if not any(e.file == entry.file and e.get("kind") == entry.get("kind") for e in at):
            at.append(entry)


def _entries(path: Path, file: str, line: int, columns: Mapping[str, str], row: Mapping[str, str]) -> Iterator[Entry]:
    flags = frozenset(columns.get("flags", "").split())
    at = f"en/{path.stem}:{line}"
    if file == "persons":
        for form in ("singular", "plural"):
            for text in columns.get(form, "").split("|"):
                if text.strip() not in ("", "-"):
                    yield Entry(file, at, _plain(text), columns, flags, form)
        return
    for text in columns["text"].split("|"):
        forms = _name_forms(text) if file == "places" else (_plain(text),)
        for form in forms:
            yield Entry(file, at, form, row, flags)


def _plain(text: str) -> str:
    return fold_english(text.strip()).text


def _name_forms(name: str) -> tuple[str, ...]:
    """A place name with and without its article."""
    parts = _WORD.findall(_plain(name))
    if parts and parts[0] in _ARTICLES and len(parts) > 1:
        rest = " ".join(parts[1:])
        bare = (rest,) if len(rest) >= SHORTEST_BARE else ()
        return (" ".join(parts), f"al {rest}", f"el {rest}", *bare)
    if len(parts) == 1 and len(parts[0]) > 3:
        return (parts[0], f"al {parts[0]}")
    return (" ".join(parts),)
