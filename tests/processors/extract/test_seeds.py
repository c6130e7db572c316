"""The five reports that the project was created from, row by row (they lie beside the checkout, not in it)."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from pipeline.records import Claim, Coding, Event, Toll
from processors.extract.step import load
from tests.processors.extract.reading import article

SHARED = Path(os.environ.get("RASD_SHARED") or Path(__file__).resolve().parents[3].parent / "shared")
PUBLISHED = {"000": "2018-04-01", "001": "2018-05-02", "002": "2018-03-18", "003": "2017-10-10", "004": "2018-06-08"}
OUTLETS = {"001": "sohr", "003": "sohr", "004": "afp"}

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "seeds").is_dir(), reason="the shared seeds are not beside this checkout"),
]


def read_seed(number: str) -> tuple[list[Event], list[Toll]]:
    (path,) = (SHARED / "seeds").glob(f"{number}_*.txt")
    when = dt.datetime.fromisoformat(PUBLISHED[number] + "T12:00:00+00:00")
    text = path.read_text(encoding="utf-8").strip("\n")
    outputs = load()(article(text, published=when, outlet=OUTLETS.get(number, "unknown"))).outputs
    assert isinstance(outputs[-1], Coding)
    return [r for r in outputs if isinstance(r, Event)], [r for r in outputs if isinstance(r, Toll)]


def counts(records: list[Event] | list[Toll]) -> set[int | None]:
    return {c.count for r in records for c in r.casualties if c.outcome == "killed"}


def find(records: list[Event] | list[Toll], count: int) -> tuple[Event | Toll, Claim]:
    return next((r, c) for r in records for c in r.casualties if c.count == count)


def sides(c: Claim) -> set[str]:
    return {s.coarse or s.id for s in c.group}


def test_000_nine_dead_are_an_events_and_the_totals_are_tolls() -> None:
    events, tolls = read_seed("000")
    assert 9 in counts(events)
    assert {182, 173, 114, 47, 17} <= counts(tolls)
    assert not {182, 173, 114, 47, 17} & counts(events)
    _, nine = find(events, 9)
    assert (nine.hedge, nine.low) == ("at_least", 9)
    arithmetic = [(x.before, x.plus, x.after) for t in tolls for x in t.reconciles]
    assert (173, 9, 182) in arithmetic


def test_001_605_is_the_sum_of_397_and_208() -> None:
    events, tolls = read_seed("001")
    assert {605, 397, 208, 600} <= counts(tolls)
    assert not {605, 397, 208, 600} & counts(events)
    assert ((397, 208), 605) in [(x.sum, x.total) for t in tolls for x in t.reconciles]


def test_002_two_speakers_make_two_claims_and_no_sum() -> None:
    events, tolls = read_seed("002")
    assert {25, 40} <= counts(events)
    assert 65 not in counts(events) | counts(tolls)
    event, amaq = find(events, 25)
    assert {event.sources[i].id for i in amaq.sources} == {"amaq"}
    event, naba = find(events, 40)
    assert naba.hedge == "about"
    assert {event.sources[i].id for i in naba.sources} == {"al_naba"}


def test_003_headline_and_body_differ_and_the_forty_are_an_earlier_day() -> None:
    events, tolls = read_seed("003")
    _, fifty = find([*events, *tolls], 50)  # type: ignore[list-item]
    _, least = find([*events, *tolls], 46)  # type: ignore[list-item]
    assert (fifty.hedge, least.hedge, least.low) == ("about", "at_least", 46)
    assert sides(fifty) == sides(least) == {"isis"}
    home, _ = find(events, 40)
    assert isinstance(home, Event)
    assert home.date.start == dt.date(2017, 10, 8)


def test_004_parts_lie_inside_their_wholes_and_russia_denies() -> None:
    events, tolls = read_seed("004")
    event, bombers = find(events, 10)
    assert bombers.part_of is not None
    assert event.casualties[bombers.part_of].count == 18
    event, children = find(events, 9)
    assert children.part_of is not None
    assert event.casualties[children.part_of].count == 51
    assert {209, 110} <= counts(tolls)
    assert not {209, 110} & counts(events)
    assert "بيروت" not in {p.text for e in events for p in e.places}
    assert ("russia", "denies") in {(s.id, s.stance) for s in event.sources}
