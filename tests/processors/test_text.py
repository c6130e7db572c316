"""Folding that keeps offsets, words and sentences."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.text import LINE, fold, fold_word, read

LETTERS = st.text(alphabet='أإآاىيةهئؤءبتثجحخد َُِّْـ«»"“”#_0123٤٥٦۷ \n.،\u200f\u00a0abcXYZ', max_size=60)


@given(LETTERS)
def test_every_folded_letter_stands_where_the_map_says(raw: str) -> None:
    folded = fold(raw)
    for k, letter in enumerate(folded.text):
        start, end = folded.span(k, k + 1)
        assert 0 <= start < end <= len(raw)
        assert letter in (fold_word(raw[start]) or raw[start], " ", "\n") or raw[start] == letter


@given(st.text(max_size=80))
def test_any_text_can_be_read(raw: str) -> None:
    reading = read(raw)
    for i in range(len(reading.words)):
        start, end = reading.span(i, i + 1)
        assert raw[start:end]
    assert sum(s.last - s.first for s in reading.sentences) == len(reading.words)


@given(LETTERS)
def test_folding_twice_changes_nothing(raw: str) -> None:
    once = fold(raw).text
    assert fold(once).text == once


@pytest.mark.parametrize(
    ("raw", "folded"),
    [("أُصيبَ", "اصيب"), ("مدرســة", "مدرسه"), ("مئة", "ميه"), ("مسؤول", "مسوول"), ("١٢", "12"), ("على", "علي"),
     ("تنظيم «داعش»", "تنظيم داعش"), ("#ميليشيات_الحوثي", "ميليشيات الحوثي"), ("ABC", "abc")],
)  # fmt: skip
def test_spellings_fold_together(raw: str, folded: str) -> None:
    assert fold(raw).text == folded


def test_a_span_takes_in_the_marks_of_its_last_letter() -> None:
    raw = "قُتِلَ 45 مسلحاً في"
    reading = read(raw)
    start, end = reading.span(2, 3)
    assert raw[start:end] == "مسلحاً"


def test_sentences_end_at_stops_and_lines_but_not_in_numbers() -> None:
    reading = read("قتل 1.5 مليون. وأصيب آخرون! ثم\nسطر جديد")
    assert len(reading.sentences) == 4
    assert reading.gap[reading.sentences[3].first] == LINE


def test_the_headline_is_its_own_sentence() -> None:
    reading = read("عنوان الخبر\n\nنص الخبر هنا", headline=len("عنوان الخبر"))
    assert [s.headline for s in reading.sentences] == [True, False]


def test_page_furniture_is_marked() -> None:
    reading = read("نص الخبر\nاقرأ أيضا: خبر آخر", furniture=re.compile("اقرا ايضا"))
    assert [s.skip for s in reading.sentences] == [False, True]
