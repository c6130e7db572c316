"""Marks and postings: what is shared is found, and however the postings lie, the answers are the same."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest

from processors.dedupe import postings as module
from processors.dedupe.marks import GUARANTEED, MARK_BITS, SHINGLE, marks_of, shingles
from processors.dedupe.postings import Postings


def words(rng: random.Random, count: int) -> list[int]:
    return [rng.getrandbits(30) for _ in range(count)]


@pytest.mark.parametrize("seed", range(30))
def test_texts_with_a_common_passage_share_a_mark_wherever_it_stands(seed: int) -> None:
    rng = random.Random(seed)
    passage = words(rng, GUARANTEED)
    one, other = (
        words(rng, rng.randrange(60)) + passage + words(rng, rng.randrange(60)) for _ in range(2)
    )  # fmt: skip
    first, second = (set(marks_of(np.array(t, np.uint32))[0].tolist()) for t in (one, other))
    assert first & second


def test_marks_are_few_and_each_stands_once() -> None:
    numbers = np.array(words(random.Random(1), 2_000), np.uint32)
    marks, at = marks_of(numbers)
    assert len(set(marks.tolist())) == len(marks)
    assert 0.18 < len(marks) / 2_000 < 0.27  # 2 / (WINDOW + 1)
    assert marks.tolist() == [int(shingles(numbers, SHINGLE)[i]) >> (64 - MARK_BITS) for i in at.tolist()]


@pytest.mark.parametrize("count", [0, 1, SHINGLE - 1, SHINGLE, GUARANTEED - 1])
def test_short_texts_have_one_mark_or_none(count: int) -> None:
    marks, at = marks_of(np.arange(count, dtype=np.uint32))
    assert len(marks) == len(at) == (1 if count >= SHINGLE else 0)


def test_a_text_of_one_word_over_and_over_has_one_mark() -> None:
    assert len(marks_of(np.full(5_000, 7, np.uint32))[0]) == 1


def naive(
    held: dict[int, list[int]], marks: list[int], floor: int, at_most: int
) -> tuple[list[int], list[tuple[int, int]]]:
    live = [[t for t in held.get(mark, []) if t >= floor] for mark in marks]
    return [len(t) for t in live], sorted((i, t) for i, texts in enumerate(live) for t in texts[:at_most])


@pytest.mark.parametrize("seed", range(6))
def test_postings_answer_as_a_dictionary_would_and_as_rebuilt_ones(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAIL", 50)
    monkeypatch.setattr(module, "LONGEST", 700)
    rng = random.Random(seed)
    grown, held = Postings(), defaultdict(list)
    flat: list[tuple[int, int]] = []
    for text in range(300):
        marks = rng.sample(range(1, 60), rng.randrange(1, 12))
        grown.add(np.array(marks, np.uint64), text)
        for mark in marks:
            held[mark].append(text)
            flat.append((mark, text))
        if text % 40 == 0:
            floor, asked = rng.randrange(text + 1), rng.sample(range(1, 70), 20)
            rebuilt = Postings()
            rebuilt.fill(np.array([m for m, _ in flat], np.uint64), np.array([t for _, t in flat], np.uint64))
            before = naive(held, asked, floor, 3)
            for index in (grown, rebuilt):
                for _ in range(2):
                    count, who, texts = index.find(np.array(asked, np.uint64), floor, 3)
                    assert (count.tolist(), sorted(zip(who.tolist(), texts.tolist(), strict=True))) == before
                    index.forget(floor) if index is rebuilt else None
    assert len(grown) == len(flat)


def test_forgetting_frees_what_no_question_asks_for() -> None:
    index = Postings()
    index.fill(np.arange(1, 1001, dtype=np.uint64), np.arange(1000, dtype=np.uint64))
    index.forget(800)
    assert len(index) == 200


def test_the_highest_mark_is_a_mark_like_any_other() -> None:
    highest = (1 << MARK_BITS) - 1
    index = Postings()
    index.fill(np.array([5, highest, highest], np.uint64), np.array([0, 0, 1], np.uint64))
    count, who, texts = index.find(np.array([highest], np.uint64), 0, 8)
    assert (count.tolist(), who.tolist(), texts.tolist()) == ([2], [0, 0], [0, 1])
