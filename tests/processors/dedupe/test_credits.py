from __future__ import annotations

import pytest

from processors.dedupe.credits import origin
from processors.tables import FOLDER, rows_of
from tests.builders import article


@pytest.mark.parametrize(
    ("body", "agency"),
    [
        ("دمشق (أ ف ب) - سقطت قذائف على البلدة", "afp"),
        ("القاهرة - رويترز: أعلنت الوزارة", "reuters"),
        ("بيروت/ وكالة الأناضول/ أفاد شهود", "anadolu"),
        ("الأناضول\nأفاد شهود", "anadolu"),
        ("عمّان، الأردن (CNN)-- أفاد شهود", "cnn"),
        ("أفاد شهود بسقوط قذائف.\nأ.ف.ب.", "afp"),
        ("أفاد شهود بسقوط قذائف.\nالمصدر: د ب أ", "dpa"),
        ("أفاد شهود بسقوط قذائف. (رويترز)", "reuters"),
        ("BAGHDAD (Reuters) - Two men were held.", "reuters"),
        ("KABUL, March 3 (Xinhua) -- Two men were held.", "xinhua"),
        ("Two men were held.\nAssociated Press", "ap"),
        ("ANKARA (XİNHUA) - Two men were held.", "xinhua"),
        # what somebody told an agency, and what an agency reports, credits nobody with the text
        ("قال مسؤول لرويترز إن القصف توقف", None),
        ("أعلنت وكالة سانا أن القصف توقف", None),
        ("نقلت الوكالة الرسمية (سانا) عن مصدر قوله إن القصف توقف", None),
        ("توقف القصف بحسب رويترز", None),
        ("وقال لوكالة فرانس برس.", None),
        ("An official told Reuters that shelling had stopped", None),
        ("", None),
    ],
)
def test_who_is_credited_with_a_text(body: str, agency: str | None) -> None:
    assert origin(article(body)) == agency


def test_a_byline_credits_an_agency() -> None:
    assert origin(article("سقطت قذائف", author="عدن - فرانس برس")) == "afp"
    assert origin(article("سقطت قذائف", author="سالم الكاتب")) is None


@pytest.mark.parametrize("language", ["ar", "en"])
def test_every_agency_is_found_in_a_byline(language: str) -> None:
    path = FOLDER / language / "agencies.tsv"
    for line, row in rows_of(path, path.read_bytes(), ("text", "id")):
        for text in row["text"].split("|"):
            assert origin(article("سقطت قذائف", author=f"القدس - {text}")) == row["id"], (line, text)


def test_a_long_hostile_head_costs_little() -> None:
    assert origin(article("(" * 200_000)) is None
    assert origin(article("- " * 100_000, author="ا " * 100_000)) is None
