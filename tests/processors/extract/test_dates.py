"""Time expressions against a day of publication: Wednesday 11 April 2018."""

from __future__ import annotations

import datetime as dt

import pytest

from processors.extract.dates import Mention, dates
from processors.extract.lexicons import lexicon
from processors.extract.numbers import quantities
from processors.text import read

TODAY = dt.date(2018, 4, 11)


def mentions(text: str, today: dt.date | None = TODAY) -> list[Mention]:
    reading = read(text)
    hits = lexicon("ar").scan(reading)
    return dates(reading, hits, {q.core: q for q in quantities(reading, hits)}, today)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("في 9 نيسان الجاري", "2018-04-09", "2018-04-09"),
        ("في ال13 من آذار (مارس) الجاري", "2018-03-13", "2018-03-13"),
        ("في الـ 7 من كانون الأول / ديسمبر من العام 2016", "2016-12-07", "2016-12-07"),
        ("28 أيلول/سبتمبر 2015", "2015-09-28", "2015-09-28"),
        ("يوم 3 أفريل 2016", "2016-04-03", "2016-04-03"),
        ("التاسع من أبريل", "2018-04-09", "2018-04-09"),
        ("الحادي والعشرين من مارس الماضي", "2018-03-21", "2018-03-21"),
        ("16 آب", "2017-08-16", "2017-08-16"),
        ("في نوفمبر الماضي", "2017-11-01", "2017-11-30"),
        ("أبريل/ نيسان عام 2017", "2017-04-01", "2017-04-30"),
        ("في 5 من الشهر الجاري", "2018-04-05", "2018-04-05"),
        ("في عام 2014", "2014-01-01", "2014-12-31"),
        ("العام الماضي", "2017-01-01", "2017-12-31"),
        ("يوم 3/9/2017", "2017-09-03", "2017-09-03"),
        ("منتصف الشهر الماضي", "2018-03-10", "2018-03-20"),
        ("أواخر آب الماضي", "2017-08-20", "2017-08-31"),
        ("مطلع شهر شباط الماضي", "2018-02-01", "2018-02-10"),
        ("نهاية العام الماضي", "2017-10-01", "2017-12-31"),
        ("الشهر الماضي", "2018-03-01", "2018-03-31"),
        ("الجمعة", "2018-04-06", "2018-04-06"),
        ("يوم الأربعاء", "2018-04-11", "2018-04-11"),
        ("الأربعاء الماضي", "2018-04-04", "2018-04-04"),
        ("أمس الثلاثاء", "2018-04-10", "2018-04-10"),
        ("اليوم الأربعاء", "2018-04-11", "2018-04-11"),
        ("أول من أمس", "2018-04-09", "2018-04-09"),
        ("ليلة الجمعة", "2018-04-05", "2018-04-05"),
        ("ليل الجمعة", "2018-04-06", "2018-04-07"),
        ("فجر الأحد", "2018-04-08", "2018-04-08"),
        ("الليلة الماضية", "2018-04-10", "2018-04-11"),
        ("قبل أيام", "2018-04-04", "2018-04-09"),
        ("قبل ثلاثة أيام", "2018-04-08", "2018-04-08"),
        ("قبل يومين", "2018-04-09", "2018-04-09"),
        ("خلال الـ24 ساعة الماضية", "2018-04-10", "2018-04-11"),
        ("خلال الساعات الـ 24 الفائتة", "2018-04-10", "2018-04-11"),
        ("خلال 20 يوماً", "2018-03-22", "2018-04-11"),
        ("منذ ال13 وحتى 29 من آذار", "2018-03-13", "2018-03-29"),
        ("منذ مارس 2015", "2015-03-01", "2018-04-11"),
    ],
)
def test_a_time_expression_resolves(text: str, start: str, end: str) -> None:
    found = mentions(text)
    assert found, text
    assert (str(found[0].start), str(found[0].end)) == (start, end)


@pytest.mark.parametrize("text", ["الجمعة", "أمس", "قبل ثلاثة أيام", "خلال 20 يوماً", "في 9 نيسان"])
def test_an_undated_article_leaves_relative_words_unresolved(text: str) -> None:
    found = mentions(text, None)
    assert found[0].start is None
    assert found[0].precision == "unknown"


def test_a_full_date_needs_no_publication() -> None:
    assert mentions("28 أيلول 2015", None)[0].start == dt.date(2015, 9, 28)


@pytest.mark.parametrize("text", ["قبل 65 مليون سنة", "31 شباط 2015", "الساعة 12:30", "99 نيسان"])
def test_what_is_no_date_stays_none(text: str) -> None:
    assert all(m.precision != "day" for m in mentions(text))


def test_the_days_of_an_outlet_begin_at_its_own_midnight() -> None:
    from processors.extract.step import load
    from tests.processors.extract.reading import article

    late = dt.datetime(2018, 4, 10, 22, 30, tzinfo=dt.UTC)  # already the 11th in Beirut, still the 10th in London
    text = "قتل 5 مدنيين اليوم الأربعاء في قصف على مدينة عفرين"
    beirut, london = (load()(article(text, published=late, outlet=o)).outputs[0] for o in ("afp", "bbc"))
    assert str(beirut.date.start) == "2018-04-11"  # type: ignore[union-attr]
    assert str(london.date.start) == "2018-04-10"  # type: ignore[union-attr]
