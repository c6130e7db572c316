"""Numbers in every spelling."""

from __future__ import annotations

import pytest

from processors.extract.lexicons import lexicon
from processors.extract.numbers import Quantity, quantities
from processors.text import read


def one(text: str) -> Quantity:
    words = lexicon("ar")
    reading = read(text)
    found = quantities(reading, words.scan(reading))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7 جنود", 7), ("١٥ مدنيا", 15), ("۲۳ شخصا", 23), ("1,250 شخصا", 1250), ("10.000 نازح", 10000),
        ("ثلاثة جنود", 3), ("ثلاث نساء", 3), ("ثمان نساء", 8), ("عشرة رجال", 10), ("أحد عشر جنديا", 11),
        ("اثنا عشر طفلا", 12), ("اثنتي عشرة امرأة", 12), ("خمسة عشر شخصا", 15), ("خمس عشرة امرأة", 15),
        ("ثمانية عشر جنديا", 18), ("عشرون رجلا", 20), ("واحد وعشرون رجلا", 21), ("ثلاثة وثلاثين شخصا", 33),
        ("تسع وتسعون امرأة", 99), ("مئة شخص", 100), ("مائة شخص", 100), ("مئتا شخص", 200), ("مئتين وخمسين شخصا", 250),
        ("ثلاثمئة شخص", 300), ("ثلاثمائة شخص", 300), ("خمس مئة شخص", 500), ("مئة وخمسة وعشرون شخصا", 125),
        ("ألف شخص", 1000), ("ألفي شخص", 2000), ("ألفان وثلاثمئة شخص", 2300), ("ثلاثة آلاف شخص", 3000),
        ("350 ألف قتيل", 350_000), ("خمسة عشر ألف نازح", 15_000), ("مئة ألف شخص", 100_000),
        ("تسعمئة وتسعة وتسعون ألفا وتسعمئة وتسعة وتسعون شخصا", 999_999), ("مليون شخص", 1_000_000),
        ("نصف مليون شخص", 500_000), ("ربع مليون شخص", 250_000), ("1.5 مليون شخص", 1_500_000),
        ("مليون و400 ألف نازح", 1_400_000), ("العشرة", 10),
    ],
)  # fmt: skip
def test_a_number_is_read_as_written(text: str, count: int) -> None:
    assert one(text).count == count


@pytest.mark.parametrize(
    ("text", "hedge", "low", "high"),
    [
        ("ما لا يقل عن 46 عنصرا", "at_least", 46, None),
        ("46 على الأقل", "at_least", 46, None),
        ("أكثر من ستين قتيلا", "more_than", 60, None),
        ("ما يزيد عن 10 أشخاص", "more_than", 10, None),
        ("نحو 40 قتيلا", "about", None, None),
        ("قرابة مئة شخص", "about", None, None),
        ("ما يقارب الـ 500 موقوف", "about", None, None),
        ("أقل من عشرة أشخاص", "less_than", None, 10),
        ("8 قتلى", "exact", None, None),
    ],
)
def test_a_hedge_bounds_its_number(text: str, hedge: str, low: int | None, high: int | None) -> None:
    found = one(text)
    assert (found.hedge, found.low, found.high) == (hedge, low, high)


@pytest.mark.parametrize(
    ("text", "hedge"),
    [("عشرات القتلى", "dozens"), ("المئات من المدنيين", "hundreds"), ("آلاف النازحين", "thousands"),
     ("عشرات آلاف النازحين", "thousands"), ("عدد من الجرحى", "unspecified"), ("عدة قتلى", "unspecified")],
)  # fmt: skip
def test_a_vague_number_has_no_count(text: str, hedge: str) -> None:
    found = one(text)
    assert found.count is None
    assert found.hedge == hedge


@pytest.mark.parametrize("text", ["بين 10 و15 مسلحا", "من 10 إلى 15 مسلحا", "بين عشرة وخمسة عشر مسلحا"])
def test_a_range_has_bounds_and_no_count(text: str) -> None:
    found = one(text)
    assert (found.count, found.low, found.high) == (None, 10, 15)


def test_no_number_of_people_is_larger_than_the_world() -> None:
    reading = read("99999999999 شخصا")
    assert quantities(reading, lexicon("ar").scan(reading)) == []
