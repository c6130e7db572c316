from __future__ import annotations

import pytest

from tests.processors.evaluate.kit import claim, counted, counts, document, event, kinds, scored, slot, toll, wanted

TABLES = ("claims_found", "claims_exact", "claims_complete", "claims_numbered")


def test_a_claim_told_in_full_is_right_in_every_table() -> None:
    sheet = scored(document(wanted(tolls=("t1",)), counted()), event(casualties=(claim(),)))
    assert {counts(sheet, t) for t in TABLES} == {(1, 0, 1, 0)}
    assert [slot(sheet, s) for s in ("side", "scope", "hedge", "linked")] == [(1, 1)] * 4
    assert slot(sheet, "part_of") == (0, 0)
    assert kinds(sheet) == []


@pytest.mark.parametrize("wrong", [{"count": 6}, {"outcome": "injured"}, {"count": None}])
def test_another_number_or_outcome_is_another_claim(wrong: dict[str, object]) -> None:
    sheet = scored(document(counted()), event(casualties=(claim(**wrong),)))
    assert counts(sheet, "claims_found") == (0, 1, 0, 1)
    assert {"claim-missed", "claim-extra"} <= set(kinds(sheet))


def test_a_vague_number_is_right_without_a_count_and_not_numbered() -> None:
    gold = document(counted(count=None, qualifier="dozens"))
    sheet = scored(gold, event(casualties=(claim(count=None, hedge="dozens"),)))
    assert counts(sheet, "claims_complete") == (1, 0, 1, 0)
    assert counts(sheet, "claims_numbered") == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("group", "right"), [(("isis",), 1), (("isis", "sinai_militants"), 1), (("russia",), 0), ((), 0)]
)
def test_the_side_makes_it_exact(group: tuple[str, ...], right: int) -> None:
    sheet = scored(document(wanted(), counted()), event(casualties=(claim(group=group),)))
    assert counts(sheet, "claims_found") == (1, 0, 1, 0)
    assert counts(sheet, "claims_exact") == (right, 1 - right, right, 1 - right)
    assert slot(sheet, "side") == (right, 1)


def test_every_side_of_both_must_be_named() -> None:
    gold = document(counted(group=("isis", "syrian_regime"), group_all=(("isis",), ("syrian_regime",))))
    assert slot(scored(gold, event(casualties=(claim(),))), "side") == (0, 1)
    assert slot(scored(gold, event(casualties=(claim(group=("syrian_regime", "isis")),))), "side") == (1, 1)


def test_a_claim_of_nobody_in_the_gold_has_any_side() -> None:
    assert slot(scored(document(counted(group=())), event(casualties=(claim(),))), "side") == (1, 1)


def test_a_running_total_told_as_an_incident_is_found_not_exact_and_leaks() -> None:
    gold = document(counted(scope="cumulative"))
    sheet = scored(gold, event(casualties=(claim(),)))
    assert counts(sheet, "claims_found") == (1, 0, 1, 0)
    assert counts(sheet, "claims_exact") == (0, 1, 0, 1)
    assert (sheet.leaks.part, sheet.leaks.of) == (1, 1)
    assert "claim-scope" in kinds(sheet)
    assert scored(gold, event(casualties=(claim(),), realis="recap")).leaks.part == 0
    told = scored(gold, toll(claim()))
    assert (counts(told, "claims_exact"), told.leaks.part) == ((1, 0, 1, 0), 0)


def test_where_readers_differ_on_scope_both_are_right() -> None:
    gold = document(counted(scope="cumulative", scope_any=True))
    sheet = scored(gold, event(casualties=(claim(),)))
    assert (slot(sheet, "scope"), sheet.leaks.of) == ((1, 1), 0)


def test_the_hedge_makes_it_complete() -> None:
    sheet = scored(document(counted(qualifier="at_least")), event(casualties=(claim(),)))
    assert counts(sheet, "claims_exact") == (1, 0, 1, 0)
    assert counts(sheet, "claims_complete") == (0, 1, 0, 1)
    assert "claim-hedge" in kinds(sheet)


PARTED = document(
    wanted(tolls=("t1", "t2")), counted(count=9, quote="nine of them"), counted("t2", (200, 220), count=5, part_of="t1")
)  # fmt: skip
WHOLE = claim(count=9)


def test_a_part_names_its_whole() -> None:
    sheet = scored(PARTED, event(casualties=(WHOLE, claim((200, 220), part_of=0))))
    assert (counts(sheet, "claims_complete"), slot(sheet, "part_of")) == ((2, 0, 2, 0), (1, 1))


@pytest.mark.parametrize("part_of", [None, 1, 7])
def test_a_part_that_names_no_or_another_whole_is_not_complete(part_of: int | None) -> None:
    sheet = scored(PARTED, event(casualties=(WHOLE, claim((200, 220), part_of=part_of))))
    assert (counts(sheet, "claims_complete"), slot(sheet, "part_of")) == ((1, 1, 1, 1), (0, 1))
    assert kinds(sheet) == ["claim-part"]
    assert sheet.errors[0].wanted == "part of «nine of them»"


def test_a_part_whose_whole_was_not_found_is_not_blamed_twice() -> None:
    sheet = scored(PARTED, event(casualties=(claim((200, 220)),)))
    assert (counts(sheet, "claims_complete"), slot(sheet, "part_of")) == ((1, 0, 1, 1), (0, 0))


def test_a_part_whose_whole_lies_in_another_record_need_not_name_it() -> None:
    gold = document(counted(count=9, scope="cumulative"), counted("t2", (200, 220), part_of="t1"))
    sheet = scored(gold, toll(WHOLE), event((300, 340), casualties=(claim((200, 220)),)))
    assert (counts(sheet, "claims_complete"), slot(sheet, "part_of")) == ((2, 0, 2, 0), (0, 0))


def test_naming_a_whole_that_is_none_is_wrong() -> None:
    gold = document(counted(count=9), counted("t2", (200, 220)))
    sheet = scored(gold, event((300, 340), casualties=(WHOLE, claim((200, 220), part_of=0))))
    assert slot(sheet, "part_of") == (0, 1)


def test_a_claim_hangs_on_its_event() -> None:
    gold = document(wanted(tolls=("t1",)), wanted("e2", (300, 340)), counted())
    here, there = event(), event((300, 340))
    good = scored(gold, event(casualties=(claim(),)), there)
    bad = scored(gold, here, event((300, 340), casualties=(claim(),)))
    assert (slot(good, "linked"), slot(bad, "linked")) == ((1, 1), (0, 1))
    assert kinds(bad) == ["claim-event"]
    assert counts(bad, "claims_complete") == (0, 1, 0, 1)
    assert slot(scored(gold, event((300, 340), casualties=(claim(),))), "linked") == (0, 0), "its event was not found"


def test_a_repeat_counts_as_the_gold_counts_it() -> None:
    gold = document(counted(), counted("t2", (300, 320)))
    sheet = scored(gold, event(casualties=(claim((110, 130), (300, 320)),)))
    assert counts(sheet, "claims_found") == (2, 0, 2, 0)
    assert counts(scored(gold, event(casualties=(claim(),))), "claims_found") == (1, 0, 1, 1)


def test_the_same_claim_in_two_records_counts_once() -> None:
    sheet = scored(document(counted()), event(casualties=(claim(),)), event((300, 340), casualties=(claim(),)))
    assert counts(sheet, "claims_found") == (1, 0, 1, 0)


def test_claims_of_what_did_not_happen_count() -> None:
    sheet = scored(document(counted()), event(realis="denied", casualties=(claim(),)))
    assert counts(sheet, "claims_found") == (1, 0, 1, 0)


def test_an_optional_claim_is_never_missed() -> None:
    gold = document(counted(optional=True))
    assert counts(scored(gold), "claims_found") == (0, 0, 0, 0)
    assert counts(scored(gold, event(casualties=(claim(),))), "claims_complete") == (1, 0, 0, 0)


@pytest.mark.parametrize(("span", "found"), [((0, 160), 1), ((0, 161), 0), ((115, 118), 1), ((85, 119), 0)])
def test_a_claim_anchors_on_the_words_of_the_gold(span: tuple[int, int], found: int) -> None:
    assert counts(scored(document(counted()), event(casualties=(claim(span),))), "claims_found")[0] == found
