"""Passages known from older articles: what they tell is background."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from pipeline.records import Event, Reused, Toll, Unique
from processors.extract.step import load
from tests.processors.extract.reading import PUBLISHED, article

NEWS = "قصفت مقاتلات بلدة سراقب صباح الأربعاء وقتل خمسة مدنيين."
OLD = "وانفجرت سيارة مفخخة في مدينة عفرين ما أدى إلى مقتل 14 شخصا."


def _with(passages: list[str], hours: float, body: str) -> Unique:
    unique = article(body)
    reused = tuple(
        Reused(start=body.index(p), end=body.index(p) + len(p), of="an-older-article", of_start=0,
               first_published=PUBLISHED - dt.timedelta(hours=hours))
        for p in passages
    )  # fmt: skip
    return replace(unique, verdict=replace(unique.verdict, reused=reused))


def _fresh(unique: Unique) -> set[tuple[str, int | None]]:
    """(type, count) of every claim of a fresh event, and (type, None) of the event itself."""
    events = [r for r in load()(unique).outputs if isinstance(r, Event) and r.realis == "reported"]
    return {(e.sub_event_type, k.count) for e in events for k in e.casualties} | {
        (e.sub_event_type, None) for e in events
    }


def _numbers(unique: Unique) -> set[int | None]:
    return {k.count for r in load()(unique).outputs if isinstance(r, (Event, Toll)) for k in r.casualties}


@pytest.mark.parametrize("hours", [24, 48, 24 * 60])
def test_what_a_reused_passage_tells_is_a_recap(hours: float) -> None:
    fresh = _fresh(_with([OLD], hours, f"{NEWS} {OLD}"))
    assert fresh == {("Air/drone strike", 5), ("Air/drone strike", None)}


def test_wire_copy_of_the_day_is_news() -> None:
    assert ("Remote explosive/landmine/IED", 14) in _fresh(_with([OLD], 23, f"{NEWS} {OLD}"))


def test_the_numbers_of_a_reused_passage_stay_with_its_recap() -> None:
    unique = _with([OLD], 72, f"{NEWS} {OLD}")
    recaps = [r for r in load()(unique).outputs if isinstance(r, Event) and r.realis == "recap"]
    assert [k.count for e in recaps for k in e.casualties] == [14]


def test_a_number_of_a_reused_passage_without_a_trigger_is_never_fresh() -> None:
    passage = "وبلغ عدد القتلى 31 شخصا."
    unique = _with([passage], 72, f"{NEWS} {passage}")
    assert 31 not in {count for _, count in _fresh(unique)}
    assert 5 in _numbers(unique)


def test_an_article_that_is_reused_whole_has_no_news() -> None:
    assert _fresh(_with([NEWS, OLD], 100, f"{NEWS} {OLD}")) == set()
