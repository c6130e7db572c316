from __future__ import annotations

import pytest

from processors.dedupe.words import DATE, MAX_WORDS, NUMBER, WORD, classes, normal_form, words_of


def same(one: str, other: str) -> bool:
    return words_of(one).numbers.tolist() == words_of(other).numbers.tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("قُتِلَ عُنصرٌ", "قتل عنصر"),
        ("الغوطـــة", "الغوطة"),
        ("مدينة", "مدينه"),
        ("إلى أطراف", "الي اطراف"),
        ("مسؤول شؤون", "مسوول شوون"),
        ("والمدينة بالمدينة للمدينة المدينة", "مدينة مدينة مدينة مدينة"),
        ("وقتل", "قتل"),
        ("١٢ قتيلا", "12 قتيلا"),
        ("۱۲ قتيلا", "12 قتيلا"),
        ("خمسة عشر", "خمس عشرة"),
        ("5 قتلى", "خمسة قتلى"),
        ("آذار", "مارس"),
        ("\ufee3\ufeea\ufee1", "مهم"),  # presentation forms
        ("الغوطة_الشرقية", "الغوطة الشرقية"),
        ("REUTERS «خبر»", 'Reuters "خبر"'),
        ("كلمة\u200fأخرى", "كلمة\u200f\u200fأخرى"),
    ],
)
def test_spellings_of_one_word_are_one(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(("one", "other"), [("قتل", "قتيل"), ("12", "13"), ("الخميس", "الجمعة"), ("والد", "الدم")])
def test_words_stay_apart(one: str, other: str) -> None:
    assert not same(one, other)


def test_words_stand_where_they_are_said_to_stand() -> None:
    text = "قُتل ٢٥ عنصراً، في «الغوطة»\n- (أ ف ب) \u064b و300 東京 نفوا"
    words = words_of(text)
    found = [text[a:b] for a, b in zip(words.starts.tolist(), words.ends.tolist(), strict=True)]
    assert found == ["قُتل", "٢٥", "عنصراً", "في", "الغوطة", "أ", "ف", "ب", "و300", "東", "京", "نفوا"]
    assert words_of(text, 10).starts.tolist() == [n + 10 for n in words.starts.tolist()]


def test_classes_tell_numbers_and_dates_from_words() -> None:
    assert classes(words_of("قتل خمسة 30 الخميس آذار January eleven").numbers).tolist() == [
        WORD, NUMBER, NUMBER, DATE, DATE, DATE, NUMBER,
    ]  # fmt: skip


def test_a_words_number_is_the_same_in_every_process() -> None:
    assert words_of("بلدة 7").numbers.tolist() == [910005556, 2047484432]


@pytest.mark.parametrize("text", ["", " \n ", "،؛. --", "\u064b\u0650", "_ _", "🙂🙂"])
def test_a_text_without_words_has_none(text: str) -> None:
    assert len(words_of(text)) == 0


def test_a_long_text_is_cut() -> None:
    assert len(words_of("كلمة " * (MAX_WORDS + 50))) == MAX_WORDS


def test_no_letter_is_left_of_marks_alone() -> None:
    assert normal_form("\u064b") == ""
