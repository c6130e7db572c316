from __future__ import annotations

import datetime as dt

import pytest

from connectors.sources.datelines import shown_time

TITLE, FIRST = "قصف على سوق الزيتون", "أعلن المجلس المحلي أن القصف أوقع أربعة قتلى."


@pytest.mark.parametrize(
    ("line", "published", "exactness"),
    [
        ("الأحد 10 آذار 2024 - 09:30", "2024-03-10T09:30", "local"),
        ("الأحد ١٠ آذار/مارس ٢٠٢٤", "2024-03-10T00:00", "day"),
        ("نشر في 10 مارس 2024", "2024-03-10T00:00", "day"),
        ("Sunday 10 March 2024 09:30", "2024-03-10T09:30", "local"),
    ],
)
def test_a_date_beside_the_headline_dates_the_article(line: str, published: str, exactness: str) -> None:
    wanted = (dt.datetime.fromisoformat(published).replace(tzinfo=dt.UTC), exactness)
    assert shown_time(["سوريا", TITLE, "سلمى الخطيب", line, FIRST], TITLE, FIRST) == wanted
    assert shown_time([line, TITLE, FIRST], TITLE, FIRST) == wanted
    assert shown_time([line, FIRST], None, FIRST) == wanted


@pytest.mark.parametrize(
    "line", ["آخر تحديث: 10 آذار 2024 - 10:00", "© 2024 وكالة المثال", "قتل 12 شخصا في 10 آذار 2024 في البلدة", "2024"]
)
def test_what_is_no_date_of_publication_dates_nothing(line: str) -> None:
    assert shown_time([TITLE, line, FIRST], TITLE, FIRST) == (None, "moment")


def test_a_date_far_from_the_headline_dates_something_else() -> None:
    lines = [TITLE, FIRST, *["كلام آخر"] * 10, "الأحد 10 آذار 2024"]
    assert shown_time(lines, TITLE, FIRST) == (None, "moment")
