"""The words that the grammars know: TSV files, checked row by row, compiled into one automaton per language.

A row's `class` says how its text may be dressed in running text (see processors/lexicon/README.md). Matching is over
folded text; a match must begin and end a word once allowed clitics and endings are taken off.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from pipeline.errors import LexiconError
from processors.tables import FOLDER as FOLDER
from processors.tables import rows_of
from processors.text import Reading, fold_word

LONGEST_PREFIX, LONGEST_SUFFIX = 4, 3  # «وبال...», «...تين»
_AND = ("", "و", "ف")
_BARE = frozenset(a + p for a in _AND for p in ("", "ب", "ل", "ك"))
_THE = frozenset(a + p for a in _AND for p in ("ال", "بال", "لل", "كال"))
_ANY = _BARE | _THE
_VERB = frozenset(_AND)
_PRONOUN = frozenset(("ه", "ها", "هم", "هما", "نا", "هن"))

#: class → (prefixes, suffixes). A text that begins with «ال» takes only the prefixes that keep the article.
CLASSES: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "word": (frozenset(_AND), frozenset(("",))),
    "name": (_BARE, frozenset(("",))),
    "bare": (_ANY, frozenset(("",))),
    "noun": (_ANY, frozenset(("", "ا")) | _PRONOUN),
    "stem": (_ANY, frozenset(("", "ا", "ه", "ي", "ات", "ان", "ين", "ون", "تان", "تين")) | _PRONOUN),
    "adj": (_ANY, frozenset(("", "ا", "ه", "ان", "ين", "تان", "تين", "ون", "ات", "تا", "يا"))),
    "past": (_VERB, frozenset(("", "ت", "ا", "تا", "وا", "ن"))),
    "verb": (
        _VERB | {"س", "وس", "فس", "ل", "ول", "فل"},
        frozenset(("", "ت", "ا", "تا", "وا", "ن", "ون", "ان", "ه", "ها", "هم", "ته", "تها", "تهم", "وه", "وها", "وهم")),
    ),
}

_PREFIX_ENDS = frozenset(p[-1] for prefixes, _ in CLASSES.values() for p in prefixes if p)
_SUFFIX_BEGINS = frozenset(s[0] for _, suffixes in CLASSES.values() for s in suffixes if s)

#: file (without .tsv) → (columns that every row must fill, columns that may stay empty). A file may be split:
#: `NAME.tsv` and `NAME_part.tsv`, with the same columns, are one table.
FILES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "numbers": (("text", "value", "kind"), ()),
    "hedges": (("text", "hedge", "side"), ()),
    "persons": (("singular",), ("plural", "outcome", "category", "side", "flags")),
    "outcomes": (("text", "class", "voice"), ("outcome", "flags")),
    "triggers": (("text", "type", "class", "form"), ("flags",)),
    "actors": (("text", "id", "class"), ("flags",)),
    "actor_ids": (("id", "coarse", "kind", "name"), ()),
    "places": (("text", "name", "precision"), ("country", "admin1", "lat", "lon", "km", "flags", "source")),
    "place_cues": (("text", "precision", "class"), ("flags",)),
    "months": (("text", "month"), ("flags",)),
    "times": (("text", "kind", "class"), ("value",)),
    "sources": (("text", "kind", "class"), ("id", "name")),
    "cues": (("text", "kind", "class"), ("flags",)),
    "units": (("text", "kind", "class"), ()),
    "furniture": (("text", "kind"), ()),
    "outlets": (("outlet", "hours"), ()),
    "states": (("who", "country", "id"), ()),
    "terms": (("id", "until", "then"), ()),
    "camps": (("camp", "ids"), ()),
}
#: files whose texts go into the automaton, with the class of rows that have no such column
SCANNED: Mapping[str, str] = {
    "outcomes": "", "triggers": "", "actors": "", "place_cues": "", "times": "", "sources": "", "cues": "",
    "units": "", "hedges": "word", "persons": "noun", "places": "name", "months": "name", "numbers": "bare",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One lexeme: a row of a file in one of its forms. `get` reads its columns ("" where empty)."""

    file: str
    row: str
    text: str
    columns: Mapping[str, str]
    flags: frozenset[str]
    form: str = ""  # persons: singular, dual, plural

    def get(self, column: str) -> str:
        return self.columns.get(column, "")


class Hit(NamedTuple):
    """A lexeme in a text: words `first:last`, what was taken off in front and behind."""

    entry: Entry
    first: int
    last: int
    prefix: str = ""
    suffix: str = ""

    @property
    def definite(self) -> bool:
        return self.prefix.endswith(("ال", "لل"))


class Hits:
    """Lexemes of a text by file, the longest at each word; of the cues every kind's longest."""

    __slots__ = ("_by", "_sorted", "cues")

    def __init__(self, by: Mapping[str, Mapping[int, Hit]], cues: Mapping[int, Mapping[str, Hit]]) -> None:
        self._by = by
        self.cues = cues
        self._sorted: dict[str, list[Hit]] = {}

    def cue(self, word: int, kinds: tuple[str, ...]) -> Hit | None:
        """The cue of the first of `kinds` that begins at `word`."""
        at = self.cues.get(word)
        if at is not None:
            for kind in kinds:
                if kind in at:
                    return at[kind]
        return None

    def at(self, file: str, word: int) -> Hit | None:
        """The longest lexeme of `file` that begins at `word`."""
        by = self._by.get(file)
        return by.get(word) if by is not None else None

    def of(self, file: str) -> list[Hit]:
        """All lexemes of `file` in text order; they may overlap."""
        known = self._sorted.get(file)
        if known is None:
            known = self._sorted[file] = [hit for _, hit in sorted(self._by.get(file, {}).items())]
        return known


#: an entry, its file, its kind as a cue ("" for none), its prefixes and suffixes
Dressed = tuple[Entry, str, str, frozenset[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Compiled lexicon files. Immutable; `hash` covers every byte of the data files."""

    hash: str
    rows: Mapping[str, tuple[Mapping[str, str], ...]]
    _automaton: AhoCorasick
    _patterns: tuple[tuple[Dressed, ...], ...] = field(repr=False)

    def scan(self, reading: Reading) -> Hits:
        """Every lexeme of the text, longest first at each word and file."""
        by: dict[str, dict[int, Hit]] = {file: {} for file in SCANNED}
        cues: dict[int, dict[str, Hit]] = {}
        text, patterns, begins, stops = reading.text, self._patterns, reading.starts, reading.ends
        starts = {offset: i for i, offset in enumerate(begins)}
        ends = {offset: i + 1 for i, offset in enumerate(stops)}
        for index, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            first, prefix = starts.get(start), ""
            if first is None:
                if text[start - 1] not in _PREFIX_ENDS:
                    continue
                first = bisect_right(begins, start) - 1
                if start - begins[first] > LONGEST_PREFIX:
                    continue
                prefix = text[begins[first] : start]
            last, suffix = ends.get(end), ""
            if last is None:
                if text[end] not in _SUFFIX_BEGINS:
                    continue
                last = bisect_right(begins, end - 1)
                if not 0 < stops[last - 1] - end <= LONGEST_SUFFIX:
                    continue
                suffix = text[end : stops[last - 1]]
            for entry, file, kind, prefixes, suffixes in patterns[index]:
                if prefix in prefixes and suffix in suffixes:
                    hit = None
                    if kind:
                        at = cues.get(first)
                        if at is None:
                            at = cues[first] = {}
                        known = at.get(kind)
                        if known is None or last > known.last:
                            hit = at[kind] = Hit(entry, first, last, prefix, suffix)
                    known = by[file].get(first)
                    if known is None or last > known.last or (last == known.last and len(suffix) < len(known.suffix)):
                        by[file][first] = hit or Hit(entry, first, last, prefix, suffix)
        return Hits(by, cues)


@cache
def lexicon(language: str) -> Lexicon:
    """The compiled lexicon of a language ("ar"). Raises: LexiconError naming file and line."""
    return compile_lexicon(FOLDER / language)


Row = tuple[Path, int, Mapping[str, str]]  # file, line, columns


def tables(folder: Path) -> tuple[str, dict[str, list[Row]]]:
    """The hash of every data file of `folder`, and their rows, checked. Raises: LexiconError."""
    digest = hashlib.blake2b(digest_size=8)
    rows: dict[str, list[Row]] = {}
    for file in FILES:
        rows[file] = []
        for path in sorted(p for p in (folder / f"{file}.tsv", *folder.glob(f"{file}_*.tsv")) if p.exists()):
            data = path.read_bytes()
            digest.update(path.stem.encode() + b"\0" + data + b"\0")
            rows[file] += [(path, line, columns) for line, columns in _rows(path, file, data)]
    return digest.hexdigest(), rows


def table(folder: Path, file: str) -> tuple[Mapping[str, str], ...]:
    """The rows of one data file alone. Raises: LexiconError."""
    path = folder / f"{file}.tsv"
    return tuple(columns for _, columns in _rows(path, file, path.read_bytes()))


def compile_lexicon(folder: Path) -> Lexicon:
    """Reads and checks every file of `folder`. Raises: LexiconError."""
    digest, read = tables(folder)
    table: dict[str, list[tuple[Entry, frozenset[str], frozenset[str]]]] = {}
    for file in (f for f in FILES if f in SCANNED):
        for path, line, columns in read[file]:
            for entry, kind in _entries(path, file, line, columns):
                _add(table, entry, *CLASSES[kind])
    rows = {file: tuple(columns for _, _, columns in found) for file, found in read.items()}
    patterns = list(table)
    automaton = AhoCorasick(patterns, matchkind=MatchKind.Standard)
    first = (sorted(table[p], key=lambda known: "also" in known[0].flags) for p in patterns)  # rarer namesakes last
    dressed = tuple(
        tuple(
            (e, e.file, e.get("kind") if e.file == "cues" else "", prefixes, suffixes)
            for e, prefixes, suffixes in known
        )
        for known in first
    )
    return Lexicon(digest, rows, automaton, dressed)


def _rows(path: Path, file: str, data: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    for number, row in rows_of(path, data, *FILES[file]):
        if "class" in row and row["class"] not in CLASSES:
            raise LexiconError(path, number, f"class {row['class']!r} is none of {', '.join(CLASSES)}")
        yield number, row


def _entries(path: Path, file: str, line: int, columns: Mapping[str, str]) -> Iterator[tuple[Entry, str]]:
    flags = frozenset(columns.get("flags", "").split())
    row = f"{path.stem}:{line}"
    if file == "persons":
        for form, text, kind in person_forms(columns):
            yield Entry(file, row, fold_word(text), columns, flags, form), kind
        return
    kind = columns.get("class") or SCANNED[file]
    for text in columns["text"].split("|"):
        folded = fold_word(text)
        if not folded:
            raise LexiconError(path, line, "text is empty once folded")
        yield Entry(file, row, folded, columns, flags), kind


def person_forms(columns: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(form, text, class) of a person noun: its singular, its duals («شقيقيه»), and the plurals that its row lists."""
    singular = fold_word(columns["singular"])
    plurals = {fold_word(p) for p in columns.get("plural", "").split("|") if p.strip()}
    yield "singular", singular, "bare" if singular.endswith("ه") else "noun"  # «زوجها» is no «زوجة»
    flags = columns.get("flags", "").split()
    if "nodual" not in flags:
        stem = singular[:-1] + "ت" if singular.endswith("ه") else singular
        stem = stem[:-1] + "ي" if singular.endswith("ي") else stem
        for dual in (stem + "ان", stem + "ين"):
            if dual not in plurals:
                yield "dual", dual, "noun"
        if "kin" in flags or columns.get("category") == "child":
            yield from (("dual", stem + end + their, "word") for end in "اي" for their in ("ه", "ها", "هما", "هم"))
    for plural in sorted(plurals):
        yield "plural", plural, "noun"
        if plural.endswith(("ين", "ون")) and len(plural) > 4:  # «مقاتليه», «مسلحو»
            yield "plural", plural[:-1], "noun"
        if plural.endswith("اء"):  # «أبنائه», «شهداؤها»
            yield from (("plural", plural[:-1] + end, "noun") for end in "يو")


def _add(
    table: dict[str, list[tuple[Entry, frozenset[str], frozenset[str]]]],
    entry: Entry,
    prefixes: frozenset[str],
    suffixes: frozenset[str],
) -> None:
    text = entry.text
    if text.startswith("ال") and prefixes is not _VERB and len(text) > 4:
        table.setdefault(text[2:], []).append((entry, _THE, suffixes))
    else:
        table.setdefault(text, []).append((entry, prefixes, suffixes))
