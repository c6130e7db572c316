"""The five seed reports, one by one: what the record contract promises of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import rasd

pytestmark = pytest.mark.shared
Records = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def records(shared: Path) -> Records:
    """Events and tolls by seed."""
    done = rasd("extract", shared / "eval" / "seeds.articles.jsonl")
    assert done.returncode == 0, done.stderr
    found: Records = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        found.setdefault(record["article_id"], []).append(record)
    return found


def events(found: list[dict[str, Any]], *realis: str) -> list[dict[str, Any]]:
    return [r for r in found if r["kind"] == "event" and (not realis or r["realis"] in realis)]


def tolls(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [r for r in found if r["kind"] == "toll"]


def counts(found: list[dict[str, Any]]) -> set[int]:
    return {c["count"] for r in found for c in r["casualties"] if c["count"] is not None}


def the_one_with(found: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """The record that carries a number; there is exactly one."""
    (record,) = [r for r in found if count in counts([r])]
    return record


def claim(record: dict[str, Any], count: int) -> dict[str, Any]:
    (found,) = [c for c in record["casualties"] if c["count"] == count]
    return dict(found)


def said_by(record: dict[str, Any], count: int) -> set[str]:
    return {record["sources"][i]["id"] or record["sources"][i]["name"] for i in claim(record, count)["sources"]}


def test_000_nine_of_the_day_are_an_events_and_the_sums_of_weeks_are_tolls(records: Records) -> None:
    found = records["000"]
    assert counts(events(found)) == {9}
    assert claim(the_one_with(events(found), 9), 9)["hedge"] == "at_least"
    assert {182, 173, 114, 47, 17} <= counts(tolls(found))
    assert any(
        {"before": 173, "plus": 9, "after": 182}.items() <= x.items() for r in tolls(found) for x in r["reconciles"]
    )


def test_001_is_a_running_total_with_its_parts_and_no_death_of_today(records: Records) -> None:
    found = records["001"]
    total = the_one_with(tolls(found), 605)
    assert any(sorted(x.get("sum") or []) == [208, 397] and x["total"] == 605 for x in total["reconciles"])
    assert [r["casualties"] for r in events(found, "reported") if r["casualties"]] == []


def test_002_two_sources_claims_about_one_battle_are_never_added(records: Records) -> None:
    found = records["002"]
    assert 65 not in counts(found)
    assert said_by(the_one_with(events(found), 25), 25) == {"amaq"}
    assert said_by(the_one_with(events(found), 40), 40) == {"al_naba"}
    assert claim(the_one_with(events(found), 40), 40)["hedge"] == "about"


def test_003_headline_and_body_are_two_claims_of_one_event_and_the_forty_are_of_another_day(records: Records) -> None:
    found = records["003"]
    day = the_one_with(events(found, "reported"), 46)
    assert day is the_one_with(events(found, "reported"), 50)
    assert (claim(day, 50)["hedge"], claim(day, 46)["hedge"]) == ("about", "at_least")
    earlier = the_one_with(events(found), 40)
    assert earlier is not day
    assert "2017-10-06" <= earlier["date"]["start"] <= earlier["date"]["end"] <= "2017-10-08"


def test_004_parts_stay_inside_their_wholes_the_dateline_is_no_place_and_the_denial_is_kept(records: Records) -> None:
    found = records["004"]
    for whole, part in ((18, 10), (51, 9)):
        event = the_one_with(events(found, "reported"), whole)
        index = event["casualties"].index(claim(event, whole))
        assert claim(event, part)["part_of"] == index
    children = claim(the_one_with(events(found), 51), 9)
    assert children["category"] == "child"
    assert {209, 110} <= counts(tolls(found))
    assert not {209, 110} & counts(events(found))
    assert not [p for r in found if r["kind"] != "coding" for p in r["places"] if "بيروت" in p["text"]]
    strike = the_one_with(events(found), 51)
    assert [s["id"] for s in strike["sources"] if s["stance"] == "denies"] == ["russia"]
