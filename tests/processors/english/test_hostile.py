"""English under odd input: nothing raises, spans hold, long texts stay cheap, other languages abstain."""

from __future__ import annotations

import random
import time

import pytest

from bench.fuzz import mutate, span_faults
from pipeline.records import Coding, Event, Toll
from tests.builders import unique
from tests.processors.english.test_sentences import PUBLISHED, extractor, rows

TEXTS = [row[1] for row in rows()]
BITS = (
    "at least ",
    "killed 5 ",
    "a woman ",
    "U.S.-led ",
    "(",
    '"',
    "’s ",
    "including ",
    "in Homs ",
    "March 5, ",
    "two-dozen ",
)


def test_mutated_sentences_raise_nothing_and_quote_what_they_point_at() -> None:
    chance = random.Random(7)
    for i in range(1500):
        body = " ".join(chance.sample(TEXTS, 4))
        body = mutate(body, chance)
        at = chance.randrange(len(body) + 1)
        body = body[:at] + chance.choice(BITS) * chance.randint(1, 9) + body[at:]
        title = mutate(chance.choice(TEXTS), chance) if i % 2 else None
        read = unique(body, title=title, language="en", published=PUBLISHED if i % 5 else None)
        for record in extractor()(read).outputs:
            if isinstance(record, Event | Toll):
                assert list(span_faults(record, read.article.text)) == []


@pytest.mark.parametrize(
    "piece",
    ["killed 5 civilians and ", "a bomb killed 3 in Homs on Monday by rebels ", "killed 5 people (", "in Aleppo Xyz ",
     "he said ", "clashes attack ", "since March 5 ", "protest ", "the militants ", "Syrian ", "including three "],
)  # fmt: skip
def test_cost_grows_with_length_alone(piece: str) -> None:
    begin = time.process_time()
    extractor()(unique(piece * (200_000 // len(piece)), language="en"))
    assert time.process_time() - begin < 8


@pytest.mark.parametrize("language", ["fr", "de", "fa", "tr", "en-x"])
def test_other_languages_abstain_and_english_variants_do_not(language: str) -> None:
    (*_, coding) = extractor()(unique(TEXTS[0], language=language, published=PUBLISHED)).outputs
    assert isinstance(coding, Coding)
    assert (coding.reason == "language") == (not language.startswith("en"))
