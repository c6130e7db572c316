"""Texts in the genre, made of the word lists in `words.tsv`: the same seed gives the same text."""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache
from pathlib import Path

from pipeline.errors import FileError

WORDS = Path(__file__).parent / "words.tsv"
_SENTENCES = (9, 12)  # with fewer, a short story falls below the 600 characters that cleaning surely keeps


@cache
def words(language: str, kind: str) -> tuple[str, ...]:
    """The words of one kind, in the order of the file. Raises: FileError, KeyError."""
    return _lists()[language, kind]


@cache
def _lists() -> dict[tuple[str, str], tuple[str, ...]]:
    lists: dict[tuple[str, str], list[str]] = defaultdict(list)
    for number, line in enumerate(WORDS.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 3:
            raise FileError(WORDS, number, "wants three columns: language, kind, words")
        lists[cells[0], cells[1]].append(cells[2])
    return {key: tuple(rows) for key, rows in lists.items()}


def headline(seed: str, language: str) -> str:
    """A headline; one seed, one headline."""
    chance = random.Random(f"headline {seed}")
    said = _filled(chance, language, chance.choice(words(language, "headline")))
    return said[:1].upper() + said[1:]


def body(seed: str, language: str, corrections: int, token: str) -> tuple[str, ...]:
    """Paragraphs of a story after so many corrections, of more than 600 characters.

    token: stands as a word in the third paragraph; it tells texts apart that are otherwise close.
    Each correction replaces a sentence and adds one.
    """
    chance = random.Random(f"body {seed}")
    sentences = chance.sample(words(language, "sentence"), chance.randint(*_SENTENCES))
    told = [_filled(chance, language, s) for s in sentences]
    for _ in range(corrections):
        other = chance.choice(words(language, "sentence"))
        told[chance.randrange(1, len(told))] = _filled(chance, language, other)
        told.append(_filled(chance, language, chance.choice(words(language, "correction"))))
    third = len(told) // 3
    paragraphs = [told[:third], told[third : 2 * third], told[2 * third :]]
    paragraphs[2].insert(1, words(language, "reference")[0].replace("{token}", token))
    return tuple(" ".join(p) for p in paragraphs)


def summary(seed: str, language: str, corrections: int, token: str) -> str:
    """What a feed says of a story where it does not give the whole."""
    first = body(seed, language, corrections, token)[0]
    return f"{first} {words(language, 'reference')[0].replace('{token}', token)}"


def _filled(chance: random.Random, language: str, pattern: str) -> str:
    places = chance.sample(words(language, "place"), 2)
    sides = chance.sample(words(language, "side"), 2)
    return pattern.format(
        p=places[0],
        q=places[1],
        a=sides[0],
        b=sides[1],
        n=chance.randint(3, 48),
        m=chance.randint(11, 95),
        k=chance.randint(3, 10),
        w=chance.choice(words(language, "weapon")),
        s=chance.choice(words(language, "source")),
        d=chance.choice(words(language, "day")),
    )
