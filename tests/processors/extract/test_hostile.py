"""Garbage, deep nesting and huge inputs: never an exception, never quadratic, the same bytes twice."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from pipeline import wire
from pipeline.records import Coding
from processors.extract.step import load
from tests.processors.extract.reading import article

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "extract" / "sentences.jsonl"
SENTENCES = [json.loads(line)["text"] for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
REPORT = "قتل 31 جنديا من قوات النظام خلال هجوم شنه تنظيم داعش على مدينة البوكمال الجمعة، وأصيب 12 مدنيا بينهم 3 أطفال"


def mutate(text: str, rng: random.Random) -> str:
    """A text with words swapped, dropped, doubled, and odd letters strewn in."""
    words = text.split(" ")
    for _ in range(rng.randint(1, 6)):
        i, j = rng.randrange(len(words)), rng.randrange(len(words))
        match rng.randrange(6):
            case 0:
                words[i], words[j] = words[j], words[i]
            case 1:
                words[i] = ""
            case 2:
                words[i] = words[i] * rng.randint(2, 5)
            case 3:
                words[i] += rng.choice(["«", "»", "،", ".", "\n", "\n\n", "#", "(", ")", "…", "\u200f", "ً", "ـ", "%"])
            case 4:
                words.insert(i, rng.choice(["99", "٣", "10,000", "1.5", "مليون", "بينهم", "الطرفين", "منذ", "0", "-"]))
            case _:
                words.insert(i, rng.choice(SENTENCES).split(" ")[0])
    return " ".join(words)


@pytest.mark.parametrize("seed", range(8))
def test_no_mutation_of_a_sentence_breaks_the_step(seed: int) -> None:
    rng = random.Random(seed)
    extract = load()
    for _ in range(120):
        text = mutate(" ".join(rng.sample(SENTENCES, rng.randint(1, 4))), rng)
        outcome = extract(article(text, title=rng.choice([None, rng.choice(SENTENCES)])))
        for record in outcome.outputs:
            wire.decode_coded(wire.encode(record))
        codings = [r for r in outcome.outputs if isinstance(r, Coding)]
        assert len(codings) == 1
        assert outcome.outputs[-1] is codings[0]


def test_equal_articles_give_equal_bytes() -> None:
    first, second = load(), load()
    for text in SENTENCES:
        one = [wire.encode(r) for r in first(article(text)).outputs]
        two = [wire.encode(r) for r in second(article(text)).outputs]
        assert one == two


@pytest.mark.parametrize("text", ["", " ", "\n", "\x00", "«", "ـ" * 50, "1", "ا", "قتل", "5", "بين", "منذ", "الطرفين"])
def test_next_to_nothing_is_said_to_be_too_short(text: str) -> None:
    (coding,) = load()(article(text)).outputs
    assert isinstance(coding, Coding)
    assert coding.abstained


@pytest.mark.parametrize(
    "text",
    [
        (REPORT + ". ") * 9000,
        (REPORT + " ") * 9000,
        "قتل " + " ".join(str(n) for n in range(10_000)),
        "قال " + '"' * 100_000 + REPORT,
        "اشتباكات بين الطرفين " * 20_000,
        "قبل ثلاثة أيام " * 30_000,
        "قتل 100 شخص " + "بينهم 3 أطفال " * 30_000,
        "(" * 200_000 + REPORT,
        "َ" * 300_000 + REPORT,
    ],
    ids=["report", "one-sentence", "numbers", "quotes", "both-sides", "dates", "parts", "brackets", "marks"],
)
def test_a_megabyte_is_read_in_seconds(text: str) -> None:
    extract = load()
    begun = time.perf_counter()
    extract(article(text))
    assert time.perf_counter() - begun < 12  # 3 s on the machine that bench/extract.md names; others are slower
